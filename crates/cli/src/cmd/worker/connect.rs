// SPDX-License-Identifier: Apache-2.0
//! THE DESK / worker/connect: prints what a worker writes and logs, for as long as one listens. In a worker, out lines.
//! Read next: `client/connect.rs`, `view/event.rs`. Source: client spec §6.2, §6.8.

use std::sync::atomic::AtomicBool;

use golem_model::OplogIndex;

use crate::client::{Begin, Client};
use crate::cmd::refs::WorkerArgs;
use crate::error::Outcome;
use crate::output::{Format, Out};
use crate::view::{EventLine, Parts};

/// Options of `connect`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    worker: WorkerArgs,
    /// Begin at this entry of the oplog, or with what is new: `latest` [default: the beginning]
    #[arg(long, value_name = "INDEX", value_parser = begin)]
    from: Option<Begin>,
    /// Colours at a terminal; taken for programs of Golem 1.1, lines have none
    #[arg(long, value_name = "BOOL", value_parser = switch, num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true")]
    colors: bool,
    /// Whether each line begins with its time
    #[arg(long, value_name = "BOOL", value_parser = switch, num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true")]
    show_timestamp: bool,
    /// Whether each line says its level
    #[arg(long, value_name = "BOOL", value_parser = switch, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true")]
    show_level: bool,
}

/// Booleans as the original takes them.
fn switch(text: &str) -> Result<bool, String> {
    match text.to_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "1" | "on" => Ok(true),
        "false" | "f" | "no" | "n" | "0" | "off" => Ok(false),
        _ => Err("expected `true` or `false`".to_owned()),
    }
}

fn begin(text: &str) -> Result<Begin, String> {
    match text {
        "latest" => Ok(Begin::Latest),
        number => number
            .parse()
            .map(|index| Begin::At(OplogIndex(index)))
            .map_err(|_| "expected an oplog index or `latest`".to_owned()),
    }
}

/// Listens until the worker is gone or somebody presses Ctrl-C.
pub(super) fn connect(args: &Args, client: &Client, out: &Out) -> Outcome {
    let worker = args.worker.worker(client)?;
    let parts = Parts {
        timestamp: args.show_timestamp,
        level: args.show_level,
    };
    let begin = args.from.unwrap_or(Begin::At(OplogIndex(1)));
    let never = AtomicBool::new(false);
    client.listen(&worker, begin, &never, |event| {
        let Some(line) = EventLine::of(event) else {
            return;
        };
        match out.format {
            Format::Text => out.data(&line.text(parts)),
            // One object in one line, whatever the format: a stream has no end at which a document could close.
            Format::Json | Format::Yaml => {
                out.data(&serde_json::to_string(&line).unwrap_or_default());
            }
        }
    })
}
