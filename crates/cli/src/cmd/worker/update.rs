// SPDX-License-Identifier: Apache-2.0
//! THE DESK / worker/update: brings one worker, or many, to another version of their component, or says first what that would
//! meet. In options, out views. Read next: `travel.rs`, golem-client `travel.rs`. Source: client spec §6.3, runtime spec §2.7.

use golem_client::Client;
use golem_model::api::UpdateMode;
use golem_model::filter::Filter;
use golem_model::urn::WorkerUrn;
use golem_model::{ComponentId, ComponentVersion};

use crate::cmd::refs::{ComponentArgs, WorkerArgs};
use crate::error::{Failure, Outcome};
use crate::exit;
use crate::output::Out;
use crate::view::{TriedUpdates, dry_run_text};

/// How an update carries the state over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Mode {
    /// The new version repeats the history
    #[default]
    #[value(alias = "automatic")]
    Auto,
    /// The guest's own save and load functions
    Manual,
}

impl From<Mode> for UpdateMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Auto => Self::Automatic,
            Mode::Manual => Self::Manual,
        }
    }
}

/// What to update to, and how.
#[derive(Debug, clap::Args)]
struct How {
    /// How the state is carried over
    #[arg(
        short,
        long,
        value_name = "MODE",
        default_value = "auto",
        ignore_case = true
    )]
    mode: Mode,
    /// The version to run [default: the newest]
    #[arg(short = 't', long, value_name = "N")]
    target_version: Option<ComponentVersion>,
    /// Change nothing: repeat the history on the new version aside, and show the first difference
    #[arg(long)]
    dry_run: bool,
}

/// Options of `worker update`.
#[derive(Debug, clap::Args)]
pub(crate) struct Update {
    #[command(flatten)]
    worker: WorkerArgs,
    #[command(flatten)]
    how: How,
}

/// Options of `worker update-many`.
#[derive(Debug, clap::Args)]
pub(crate) struct UpdateMany {
    #[command(flatten)]
    component: ComponentArgs,
    /// A condition `PROPERTY OP VALUE`; repeat for more, all must hold
    #[arg(short, long, value_name = "CONDITION")]
    filter: Vec<String>,
    #[command(flatten)]
    how: How,
}

fn newest(client: &Client, component: ComponentId) -> Result<ComponentVersion, Failure> {
    let newest = client.component(component, None)?;
    Ok(newest.versioned_component_id.version)
}

/// Updates one worker.
pub(super) fn update(args: &Update, client: &Client, out: &Out) -> Outcome {
    let worker = args.worker.worker(client)?;
    let version = match args.how.target_version {
        Some(version) => version,
        None => newest(client, worker.component_id)?,
    };
    if args.how.dry_run {
        let tried = client.try_update(&worker, version)?;
        out.view(&tried, dry_run_text);
        return Ok(());
    }
    client.update_worker(&worker, args.how.mode.into(), version)?;
    out.data("Updated");
    Ok(())
}

/// Updates all workers of a component that run an older version and meet the conditions.
pub(super) fn update_many(args: UpdateMany, client: &Client, out: &Out) -> Outcome {
    for filter in &args.filter {
        filter
            .parse::<Filter>()
            .map_err(Failure::exit_with(exit::USAGE))?;
    }
    let component = client.find_id(&args.component.urn()?.component)?;
    let version = match args.how.target_version {
        Some(version) => version,
        None => newest(client, component)?,
    };
    if args.how.dry_run {
        let mut tried = client.try_update_all(component, version)?;
        if !args.filter.is_empty() {
            let chosen = client.all_workers(component, args.filter)?;
            tried
                .workers
                .retain(|tried| chosen.iter().any(|w| w.worker_id == tried.worker_id));
        }
        out.view(&tried, dry_run_text);
        return Ok(());
    }
    let tried = try_all(client, component, args.filter, args.how.mode, version, out)?;
    out.view(&tried, TriedUpdates::text);
    Ok(())
}

/// Asks every worker with an older version to update; one that refuses does not keep the others from it.
pub(crate) fn try_all(
    client: &Client,
    component: ComponentId,
    filters: Vec<String>,
    mode: Mode,
    version: ComponentVersion,
    out: &Out,
) -> Result<TriedUpdates, Failure> {
    let mut tried = TriedUpdates::default();
    for worker in client.all_workers(component, filters)? {
        if worker.component_version >= version {
            continue;
        }
        let urn = WorkerUrn::named(&worker.worker_id).to_string();
        match client.update_worker(&worker.worker_id, mode.into(), version) {
            Ok(()) => tried.triggered.push(urn),
            Err(error) => {
                out.warn(&format!("{urn}: {error}"));
                tried.failed.push(urn);
            }
        }
    }
    Ok(tried)
}
