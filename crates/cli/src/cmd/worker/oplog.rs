// SPDX-License-Identifier: Apache-2.0
//! THE DESK / worker/oplog: prints what a worker has done, all of it or what a query finds. In options, out one block per entry.
//! Reads page by page until an empty one. Read next: `view/oplog.rs`. Source: client spec §6.3, §6.8.

use golem_model::OplogIndex;
use golem_model::query::Query;
use serde_json::Value as Json;

use crate::client::Client;
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
    /// The first entry to show [default: the first of all]
    #[arg(long, value_name = "INDEX", conflicts_with = "query")]
    from: Option<u64>,
    /// Only entries that say this, such as 'error OR exported-function AND function_name:add'
    #[arg(long, value_name = "QUERY")]
    query: Option<String>,
}

/// Entries that are asked for at a time, as the original does.
const PAGE: u64 = 100;

/// Prints an oplog.
pub(super) fn oplog(args: &Args, client: &Client, out: &Out) -> Outcome {
    if let Some(query) = &args.query {
        query
            .parse::<Query>()
            .map_err(Failure::exit_with(exit::USAGE))?;
    }
    let worker = args.worker.worker(client)?;
    let (from, query) = (args.from.unwrap_or(0), args.query.as_deref());
    let mut entries: Vec<(OplogIndex, Json)> = Vec::new();
    let mut cursor = None;
    loop {
        let page = client.oplog(&worker, from, query, cursor, PAGE)?;
        let is_empty = page.entries.is_empty();
        entries.extend(page.entries.into_iter().map(|e| (e.oplog_index, e.entry)));
        // A server that gives the same position again would keep us here for ever.
        match page.next.filter(|next| cursor != Some(*next)) {
            Some(next) if !is_empty => cursor = Some(next),
            _ => break,
        }
    }
    out.view(&entries, |entries| oplog_text(entries));
    Ok(())
}
