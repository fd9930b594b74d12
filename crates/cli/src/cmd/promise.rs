// SPDX-License-Identifier: Apache-2.0
//! THE DESK / promise: gives a promise of a worker its value. In a worker, an index and data; out whether it was the first.
//! Read next: golem-client `travel.rs`. Source: runtime spec §2.8.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use golem_client::Client;
use golem_model::{Coded, OplogIndex};

use super::classic::classic;
use super::refs::WorkerArgs;
use super::worker::suggested;
use crate::args::Global;
use crate::connection;
use crate::error::Outcome;
use crate::output::Out;

/// Options of `promise`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Args {
    /// What to do with promises.
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLE: &str = "Example:
  golem-cli worker oplog --component-name orders --worker-name w1 --query promise-created
  golem-cli promise complete --component-name orders --worker-name w1 --oplog-idx 12 --data approved

Exit codes of this command: 0 ok, 1 failed, 2 wrong command line";

/// What to do with promises.
#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Give a promise its value; the first value counts
    #[command(after_help = EXAMPLE)]
    Complete(Complete),
}

/// Options of `promise complete`.
#[derive(Debug, clap::Args)]
#[group(id = "value", multiple = false, args = ["data", "file"])]
struct Complete {
    #[command(flatten)]
    worker: WorkerArgs,
    /// What names the promise: the index of the entry that created it
    #[arg(long, value_name = "INDEX")]
    oplog_idx: u64,
    /// The value as text [default: no bytes]
    #[arg(long, value_name = "TEXT")]
    data: Option<String>,
    /// The value as the bytes of a file; `-` is standard input
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Errors of promises.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PromiseError {
    /// The file cannot be read.
    #[error("cannot read the value of the promise from `{path}`")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

impl Coded for PromiseError {
    fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "CLI-026",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Read { .. } => Some("pass the value itself: --data TEXT".to_owned()),
        }
    }
}

/// Runs the verb.
pub(crate) fn run(args: Args, global: &Global, out: &Out) -> Outcome {
    classic(connection::client(global).and_then(|client| {
        dispatch(args, &client, out).map_err(|failure| suggested(failure, &client))
    }))
}

/// Runs the verb with a client that is there already.
pub(super) fn dispatch(args: Args, client: &Client, out: &Out) -> Outcome {
    let Verb::Complete(args) = args.verb;
    let data = match (args.data, args.file) {
        (Some(text), _) => text.into_bytes(),
        (None, Some(path)) => read(&path).map_err(|source| PromiseError::Read {
            path: path.display().to_string(),
            source,
        })?,
        (None, None) => Vec::new(),
    };
    let worker = args.worker.worker(client)?;
    let completed = client.complete_promise(&worker, OplogIndex(args.oplog_idx), data)?;
    out.view(&completed, |completed| {
        if *completed {
            "Completed".to_owned()
        } else {
            "The promise has a value already".to_owned()
        }
    });
    Ok(())
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    if path == Path::new("-") {
        let mut data = Vec::new();
        return std::io::stdin().lock().read_to_end(&mut data).map(|_| data);
    }
    std::fs::read(path)
}
