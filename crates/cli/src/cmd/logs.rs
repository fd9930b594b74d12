// SPDX-License-Identifier: Apache-2.0
//! THE DESK / logs: what a worker has written and logged so far, and with `--follow` what comes. In a worker, out lines. The short form
//! of `worker connect` for a project. Read next: golem-client `connect.rs`, `invoke.rs`. Exit codes: the finer ones.

use std::sync::atomic::AtomicBool;

use golem_client::{Begin, Client};
use golem_model::api::OplogCursor;
use golem_model::public_oplog::PublicOplogEntry;
use golem_model::urn::ComponentRef;
use golem_model::{OplogIndex, WorkerId};

use super::invoke::{DEFAULT_WORKER, of_project};
use super::worker::suggested;
use crate::args::Global;
use crate::connection;
use crate::error::{Failure, Outcome};
use crate::output::Out;
use crate::view::{EventLine, Parts};

/// Entries that are asked for at a time.
const PAGE: u64 = 500;

/// Options of `logs`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  golem-cli logs
  golem-cli logs --component-name counter --worker-name w1 --follow")]
pub(crate) struct Args {
    /// The component [default: the one of golem.yaml if there is one only, else the one of this directory]
    #[arg(short = 'c', long, value_name = "NAME")]
    component_name: Option<String>,
    /// The worker
    #[arg(short = 'w', long, value_name = "NAME", default_value = DEFAULT_WORKER)]
    worker_name: String,
    /// Go on with what comes, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
}

/// Prints the lines.
pub(crate) fn run(args: Args, global: &Global, out: &Out) -> Outcome {
    let name = match args.component_name {
        Some(name) => name,
        None => of_project()?,
    };
    let client = connection::client(global)?;
    let component = client.find_id(&ComponentRef::Name(name))?;
    let worker = WorkerId::new(component, args.worker_name);
    let lines = || {
        let last = so_far(&worker, OplogIndex(1), &client, |line| show(line, out))?;
        if !args.follow {
            return Ok(());
        }
        let never = AtomicBool::new(false);
        let begin = Begin::At(OplogIndex(last.0 + 1));
        client.listen(&worker, begin, &never, |event| {
            if let Some(line) = EventLine::of(event) {
                show(&line, out);
            }
        })?;
        Ok(())
    };
    lines().map_err(|failure| suggested(failure, &client))
}

/// Hands over the lines that are in the oplog from an entry on; returns the last entry that was looked at, 0 when there is none.
pub(super) fn so_far(
    worker: &WorkerId,
    from: OplogIndex,
    client: &Client,
    mut each: impl FnMut(&EventLine),
) -> Result<OplogIndex, Failure> {
    let mut cursor: Option<OplogCursor> = None;
    let mut last = OplogIndex(from.0.saturating_sub(1));
    loop {
        let page = client.oplog(worker, from.0, None, cursor, PAGE)?;
        for entry in page.entries {
            last = entry.oplog_index;
            if let Ok(PublicOplogEntry::Log {
                timestamp,
                level,
                context,
                message,
            }) = serde_json::from_value(entry.entry)
            {
                each(&EventLine {
                    context,
                    level: level.to_uppercase(),
                    message,
                    timestamp,
                });
            }
        }
        // The last page is empty, and has no next one.
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(last),
        }
    }
}

fn show(line: &EventLine, out: &Out) {
    out.item(line, |line| {
        line.text(Parts {
            timestamp: true,
            level: !matches!(line.level.as_str(), "STDOUT" | "STDERR"),
        })
    });
}
