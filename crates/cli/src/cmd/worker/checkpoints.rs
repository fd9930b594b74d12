// SPDX-License-Identifier: Apache-2.0
//! THE DESK / worker/checkpoints: the images that a worker could be brought back from, and to drop them. In options, out views.
//! Read next: golem-client `travel.rs`, `view/checkpoints.rs`. Why: ADR 0007.

use golem_client::Client;

use crate::cmd::refs::WorkerArgs;
use crate::error::Outcome;
use crate::output::Out;
use crate::view::{checkpoints_text, dropped_text};

/// Options of `worker checkpoints`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    worker: WorkerArgs,
    /// Drop them: the history brings the worker back, until it has a new one
    #[arg(long)]
    drop: bool,
}

/// Lists or drops them.
pub(super) fn checkpoints(args: &Args, client: &Client, out: &Out) -> Outcome {
    let worker = args.worker.worker(client)?;
    if args.drop {
        out.view(&client.drop_checkpoints(&worker)?, dropped_text);
    } else {
        out.view(&client.checkpoints(&worker)?, checkpoints_text);
    }
    Ok(())
}
