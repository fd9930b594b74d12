// SPDX-License-Identifier: Apache-2.0
//! THE DESK / worker/oplog: prints what a worker has done, all of it or what a query finds, and with `--follow` what it does next. In
//! options, out one block per entry. Reads page by page until an empty one. Read next: `view/oplog.rs`. Source: client spec §6.3, §6.8.

use std::time::Duration;

use golem_client::Client;
use golem_model::query::Query;
use golem_model::{OplogIndex, WorkerId};
use serde_json::Value as Json;

use crate::cmd::refs::WorkerArgs;
use crate::error::{Failure, Outcome};
use crate::exit;
use crate::output::Out;
use crate::view::oplog_text;

/// Options of `worker oplog`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    worker: WorkerArgs,
    #[command(flatten)]
    what: What,
}

/// Which entries are shown.
#[derive(Debug, clap::Args)]
pub(crate) struct What {
    /// The first entry to show [default: the first of all]
    #[arg(long, value_name = "INDEX", conflicts_with = "query")]
    from: Option<u64>,
    /// Only entries that say this, such as 'error OR exported-function AND function_name:add'
    #[arg(long, value_name = "QUERY")]
    query: Option<String>,
    /// Go on with the entries that come, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
}

/// Entries that are asked for at a time, as the original does.
const PAGE: u64 = 100;
/// Pause between two looks of `--follow`: short enough for a person, and a worker that is looked at so often does not feel it.
const FOLLOW_PAUSE: Duration = Duration::from_millis(500);

/// An entry with its place.
type Entry = (OplogIndex, Json);

/// Prints an oplog.
pub(super) fn oplog(args: &Args, client: &Client, out: &Out) -> Outcome {
    args.what.checked()?;
    args.what.show(&args.worker.worker(client)?, client, out)
}

impl What {
    /// All entries, or what a query finds.
    pub(crate) const fn of(query: Option<String>) -> Self {
        Self {
            from: None,
            query,
            follow: false,
        }
    }

    /// Whether it can be asked. Errors: those of queries, with exit code `USAGE`.
    pub(crate) fn checked(&self) -> Result<Option<Query>, Failure> {
        let parsed = self.query.as_ref().map(|query| query.parse::<Query>());
        parsed.transpose().map_err(Failure::exit_with(exit::USAGE))
    }

    /// Prints the entries.
    pub(crate) fn show(&self, worker: &WorkerId, client: &Client, out: &Out) -> Outcome {
        let query = self.checked()?;
        let from = self.from.unwrap_or(0);
        if !self.follow {
            let entries = pages(worker, from, self.query.as_deref(), client)?;
            out.view(&entries, |entries| oplog_text(entries));
            return Ok(());
        }
        // A search has no end that one could wait at: all entries are read, and those that fit are shown.
        let mut next = from;
        loop {
            for entry in pages(worker, next, None, client)? {
                next = entry.0.0.saturating_add(1);
                if query.as_ref().is_none_or(|query| query.matches(&entry.1)) {
                    out.item(&entry, |entry| oplog_text(std::slice::from_ref(entry)));
                }
            }
            std::thread::sleep(FOLLOW_PAUSE);
        }
    }
}

/// All pages from an entry on, or of a query.
fn pages(
    worker: &WorkerId,
    from: u64,
    query: Option<&str>,
    client: &Client,
) -> Result<Vec<Entry>, Failure> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut cursor = None;
    loop {
        let page = client.oplog(worker, from, query, cursor, PAGE)?;
        let is_empty = page.entries.is_empty();
        entries.extend(page.entries.into_iter().map(|e| (e.oplog_index, e.entry)));
        // A server that gives the same position again would keep us here for ever.
        match page.next.filter(|next| cursor != Some(*next)) {
            Some(next) if !is_empty => cursor = Some(next),
            _ => return Ok(entries),
        }
    }
}
