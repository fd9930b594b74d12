// SPDX-License-Identifier: Apache-2.0
//! THE DESK / get: shows what a URN or URL names. In a URI, out the view of a component or worker, or a signature.
//! Read next: `component.rs`, `worker.rs`. Source: client spec §1.4.

use golem_model::function;
use golem_model::types::FoundFunction;
use golem_model::urn::{Uri, WorkerUrn};

use super::classic::classic;
use super::{component, refs, worker};
use crate::args::Global;
use crate::client::Client;
use crate::error::{Failure, Outcome};
use crate::exit;
use crate::output::Out;

/// Options of `get`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  golem-cli get component:///counter
  golem-cli get worker:///counter/w1
  golem-cli get urn:worker:0d8e3a5c-1b2f-4c3d-8e9f-a0b1c2d3e4f5/w1

Exit codes of this command: 0 ok, 1 failed, 2 wrong command line")]
pub(crate) struct Args {
    /// What to show: urn:component:…, urn:worker:…, component:///…, worker:///…
    #[arg(value_name = "URI")]
    uri: String,
}

/// Runs the verb.
pub(crate) fn run(args: Args, global: &Global, out: &Out) -> Outcome {
    classic(refs::named(&args.uri).and_then(|uri| show(&uri, global, out)))
}

fn show(uri: &Uri, global: &Global, out: &Out) -> Outcome {
    let client = Client::new(global)?;
    match uri {
        Uri::Component(urn) => component::show(&urn.component, urn.version, &client, out),
        Uri::Worker(urn) => match &urn.function {
            None => worker::show(&refs::worker(urn, &client)?, &client, out),
            Some(name) => signature(urn, name, &client, out),
        },
    }
}

/// The signature of a function, in the version that the worker runs.
fn signature(urn: &WorkerUrn, name: &str, client: &Client, out: &Out) -> Outcome {
    let worker = client.worker(&refs::worker(urn, client)?)?;
    let component = client.component(
        worker.worker_id.component_id,
        Some(worker.component_version),
    )?;
    let found = function::find(&component.metadata.exports, name)
        .map_err(Failure::exit_with(exit::NOT_FOUND))?;
    let interface = found.name.split_once(".{").map(|(interface, _)| interface);
    let signature = FoundFunction {
        interface,
        function: &found.function,
    }
    .signature();
    out.view(&signature, Clone::clone);
    Ok(())
}
