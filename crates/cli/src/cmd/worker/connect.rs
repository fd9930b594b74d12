// SPDX-License-Identifier: Apache-2.0
//! THE DESK / worker/connect: prints what a worker writes and logs, for as long as one listens, or beside a call. In a worker, out
//! lines. Read next: golem-client `connect.rs`, `view/event.rs`. Source: client spec §6.1, §6.2, §6.8.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use golem_client::{Begin, Client, ErrorKind};
use golem_model::{OplogIndex, WorkerId};

use crate::cmd::logs::so_far;
use crate::cmd::refs::WorkerArgs;
use crate::error::{Failure, Outcome};
use crate::output::Out;
use crate::view::{EventLine, Parts};

/// Pause between two looks at a worker that is called: a person reads slower.
const LOOK_PAUSE: Duration = Duration::from_millis(200);

/// Options of `connect`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    worker: WorkerArgs,
    /// Begin at this entry of the oplog, or with what is new: `latest` [default: the beginning]
    #[arg(long, value_name = "INDEX", value_parser = begin)]
    from: Option<Begin>,
    #[command(flatten)]
    lines: LineArgs,
}

/// How lines of a worker look.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct LineArgs {
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

impl LineArgs {
    /// The message alone.
    pub(crate) const fn plain() -> Self {
        Self {
            colors: false,
            show_timestamp: false,
            show_level: false,
        }
    }

    /// Prints a line.
    pub(crate) fn show(self, line: &EventLine, out: &Out) {
        out.item(line, |line| {
            line.text(Parts {
                timestamp: self.show_timestamp,
                level: self.show_level,
            })
        });
    }
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
    let begin = args.from.unwrap_or(Begin::At(OplogIndex(1)));
    listen(&worker, begin, args.lines, client, out)
}

/// Prints lines until the worker is gone or somebody presses Ctrl-C.
pub(super) fn listen(
    worker: &WorkerId,
    begin: Begin,
    lines: LineArgs,
    client: &Client,
    out: &Out,
) -> Outcome {
    let never = AtomicBool::new(false);
    client.listen(worker, begin, &never, |event| {
        if let Some(line) = EventLine::of(event) {
            lines.show(&line, out);
        }
    })?;
    Ok(())
}

/// The last entry of a worker's oplog, 0 for a worker that is not there yet.
pub(super) fn last_entry(worker: &WorkerId, client: &Client) -> Result<OplogIndex, Failure> {
    match client.oplog(worker, 1, None, None, 1) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(OplogIndex(0)),
        page => Ok(page?.last_index),
    }
}

/// Prints the lines of a worker while `call` runs, all of those that are there when it returns. The worker may come into being by
/// the call, so that its oplog is looked at instead of listened to.
pub(crate) fn beside<T>(
    worker: &WorkerId,
    lines: LineArgs,
    client: &Client,
    out: &Out,
    call: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let last = last_entry(worker, client)?;
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut next = OplogIndex(last.0 + 1);
            loop {
                let was_over = over.load(Ordering::Acquire);
                // The call tells what is wrong with the server, if something is.
                if let Ok(last) = so_far(worker, next, client, |line| lines.show(line, out)) {
                    next = OplogIndex(last.0 + 1);
                }
                if was_over {
                    return;
                }
                std::thread::park_timeout(LOOK_PAUSE);
            }
        });
        let outcome = call();
        over.store(true, Ordering::Release);
        watch.thread().unpark();
        outcome
    })
}
