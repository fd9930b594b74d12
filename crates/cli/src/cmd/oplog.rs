// SPDX-License-Identifier: Apache-2.0
//! THE DESK / oplog: the short form of `worker oplog` for a project. In a worker's name, out its entries. Read next:
//! `worker/oplog.rs`. Exit codes: the finer ones.

use golem_model::WorkerId;
use golem_model::urn::ComponentRef;

use super::invoke::{DEFAULT_WORKER, of_project};
use super::worker::oplog::What;
use super::worker::suggested;
use crate::args::Global;
use crate::connection;
use crate::error::Outcome;
use crate::output::Out;

/// Options of `oplog`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  golem-cli oplog
  golem-cli oplog --follow
  golem-cli oplog --worker-name w1 --query 'error OR exported-function'")]
pub(crate) struct Args {
    /// The component [default: the one of golem.yaml if there is one only, else the one of this directory]
    #[arg(short = 'c', long, value_name = "NAME")]
    component_name: Option<String>,
    /// The worker
    #[arg(short = 'w', long, value_name = "NAME", default_value = DEFAULT_WORKER)]
    worker_name: String,
    #[command(flatten)]
    what: What,
}

/// Prints the entries.
pub(crate) fn run(args: Args, global: &Global, out: &Out) -> Outcome {
    args.what.checked()?;
    let name = match args.component_name {
        Some(name) => name,
        None => of_project()?,
    };
    let client = connection::client(global)?;
    let component = client.find_id(&ComponentRef::Name(name))?;
    let worker = WorkerId::new(component, args.worker_name);
    args.what
        .show(&worker, &client, out)
        .map_err(|failure| suggested(failure, &client))
}
