// SPDX-License-Identifier: Apache-2.0
//! THE DESK / component/redeploy: deletes every worker of a component and creates it again, with its arguments and environment, on
//! the newest version. In a component, out lists. Asks first: the state of the workers is lost. Source: client spec §6.2.

use golem_client::Client;
use golem_model::api::WorkerCreationRequest;
use golem_model::urn::WorkerUrn;
use serde::Serialize;

use crate::cmd::refs::ComponentArgs;
use crate::error::{CliError, Outcome};
use crate::output::{Answer, Out};

/// Options of `component redeploy`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    component: ComponentArgs,
}

/// What was done.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Redeployed {
    /// Workers that are new now.
    redeployed: Vec<String>,
    /// Workers that are as they were, or gone; a warning says which.
    failed: Vec<String>,
}

impl Redeployed {
    fn text(&self) -> String {
        if self.redeployed.is_empty() && self.failed.is_empty() {
            return "The component has no workers\n".to_owned();
        }
        let lines = |heading: &str, urns: &[String]| {
            let lines: String = urns.iter().map(|urn| format!("  {urn}\n")).collect();
            if urns.is_empty() {
                lines
            } else {
                format!("{heading}:\n{lines}")
            }
        };
        lines("Created again", &self.redeployed) + &lines("Failed", &self.failed)
    }
}

/// Asks, deletes and creates.
pub(super) fn run(args: &Args, client: &Client, out: &Out) -> Outcome {
    let id = client.find_id(&args.component.urn()?.component)?;
    let workers = client.all_workers(id, vec![])?;
    if !workers.is_empty() {
        let count = workers.len();
        let question =
            format!("Delete the state of {count} workers and create them again, without it?");
        match out.ask(&question) {
            Answer::Yes => {}
            Answer::No => return Err(CliError::Declined.into()),
            Answer::Nobody => return Err(CliError::Nobody { question }.into()),
        }
    }
    let mut done = Redeployed::default();
    // One after the other, so that whatever stops this leaves one worker without its successor at most.
    for worker in workers {
        let urn = WorkerUrn::named(&worker.worker_id).to_string();
        let request = WorkerCreationRequest {
            name: worker.worker_id.worker_name.clone(),
            args: worker.args,
            env: worker.env,
        };
        let created = client
            .delete_worker(&worker.worker_id)
            .map_err(|error| ("still there", error))
            .and_then(|()| {
                client
                    .create_worker(id, &request)
                    .map_err(|error| ("deleted, and not created", error))
            });
        match created {
            Ok(_) => done.redeployed.push(urn),
            Err((state, error)) => {
                out.warn(&format!("{urn} is {state}: {error}"));
                done.failed.push(urn);
            }
        }
    }
    out.view(&done, Redeployed::text);
    Ok(())
}
