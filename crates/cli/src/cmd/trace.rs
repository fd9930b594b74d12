// SPDX-License-Identifier: Apache-2.0
//! THE DESK / trace: the tree of the calls that one invocation has made, across workers. In a worker and a key or an index, out the tree.
//! Read next: golem-client `travel.rs`, `view/calls.rs`, `invoke.rs` (`--trace`). Exit codes: the finer ones.

use golem_client::{CallsOf, Client};
use golem_model::WorkerId;
use golem_model::urn::{ComponentRef, WorkerUrn};

use super::invoke::{DEFAULT_WORKER, of_project};
use super::refs;
use super::worker::suggested;
use crate::args::Global;
use crate::connection;
use crate::error::{Failure, Outcome};
use crate::output::Out;
use crate::view::calls_text;

/// Options of `trace`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  golem-cli trace
  golem-cli trace cart-1 --idempotency-key k-1
  golem-cli trace worker:///shop/cart-1 --oplog-index 42
  golem-cli --format json trace cart-1

Without a key or an index it is the invocation that began last. The tree is read from the oplogs: no worker is woken for it")]
pub(crate) struct Args {
    /// The worker: its name, or a URN or URL such as worker:///COMPONENT-NAME/NAME
    #[arg(value_name = "WORKER", default_value = DEFAULT_WORKER)]
    worker: String,
    /// Its component [default: the one of golem.yaml if there is one only, else the one of this directory]
    #[arg(short = 'c', long, value_name = "NAME")]
    component_name: Option<String>,
    /// The invocation with this key
    #[arg(short = 'k', long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// The invocation that this entry of the oplog belongs to
    #[arg(long, value_name = "INDEX", conflicts_with = "idempotency_key")]
    oplog_index: Option<u64>,
}

/// Prints the tree.
pub(crate) fn run(args: &Args, global: &Global, out: &Out) -> Outcome {
    let client = connection::client(global)?;
    let worker = args.worker(&client)?;
    let of = match (&args.idempotency_key, args.oplog_index) {
        (Some(key), _) => CallsOf::Key(key),
        (None, Some(index)) => CallsOf::Entry(index),
        (None, None) => CallsOf::Last,
    };
    let tree = client.calls(&worker, of);
    let tree = tree.map_err(|error| suggested(error.into(), &client))?;
    out.view(&tree, calls_text);
    Ok(())
}

impl Args {
    /// The worker that is meant; names are looked up.
    fn worker(&self, client: &Client) -> Result<WorkerId, Failure> {
        // No name of a worker has a `:`.
        if self.worker.contains(':') {
            let urn: WorkerUrn = refs::named(&self.worker)?;
            return refs::worker(&urn, client);
        }
        let name = match &self.component_name {
            Some(name) => name.clone(),
            None => of_project()?,
        };
        let component = client.find_id(&ComponentRef::Name(name))?;
        Ok(WorkerId::new(component, self.worker.as_str()))
    }
}
