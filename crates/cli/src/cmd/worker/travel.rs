// SPDX-License-Identifier: Apache-2.0
//! THE DESK / worker/travel: verbs that change the course of a worker, or look at its history aside: cancel, revert, fork,
//! schedule, replay, verify. In options, out views. Read next: `update.rs`, golem-client `travel.rs`. Source: runtime spec §2.8.

use golem_client::{Client, Target, When};
use golem_model::api::{RevertRequest, ScheduleId};
use golem_model::duration::parse_duration;
use golem_model::urn::WorkerUrn;
use golem_model::{ComponentVersion, OplogIndex, Timestamp};

use super::invoke::{self, prepare_for};
use super::params::ParamArgs;
use crate::cmd::refs::WorkerArgs;
use crate::error::{Failure, Outcome};
use crate::exit;
use crate::output::Out;
use crate::view::{created_worker_text, replay_text, scheduled_text, verify_text};

/// Options of `worker cancel`.
#[derive(Debug, clap::Args)]
pub(crate) struct Cancel {
    #[command(flatten)]
    worker: WorkerArgs,
    /// Key of the invocation
    #[arg(short = 'k', long, value_name = "KEY")]
    idempotency_key: String,
}

/// Options of `worker revert`.
#[derive(Debug, clap::Args)]
#[group(id = "place", required = true, multiple = false, args = ["last_oplog_index", "number_of_invocations"])]
pub(crate) struct Revert {
    #[command(flatten)]
    worker: WorkerArgs,
    /// The last entry of its oplog that counts
    #[arg(long, value_name = "INDEX")]
    last_oplog_index: Option<u64>,
    /// How many of the invocations that started last are undone
    #[arg(long, value_name = "N")]
    number_of_invocations: Option<u64>,
}

/// Options of `worker fork`.
#[derive(Debug, clap::Args)]
pub(crate) struct Fork {
    #[command(flatten)]
    worker: WorkerArgs,
    /// The last entry of its oplog that the new worker has as well
    #[arg(long, value_name = "INDEX")]
    oplog_index: u64,
    /// Name of the new worker
    #[arg(long, value_name = "NAME")]
    name: String,
}

/// Options of `worker schedule`.
#[derive(Debug, clap::Args)]
#[group(id = "moment", required = true, multiple = false, args = ["at", "after"])]
pub(crate) struct Schedule {
    #[command(flatten)]
    worker: WorkerArgs,
    /// Names the call: a repetition with the same key gets the first result
    #[arg(short = 'k', long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// The function: 'ns:pkg/interface.{function}', or a short form that fits one only
    #[arg(short, long, value_name = "NAME")]
    function: String,
    #[command(flatten)]
    params: ParamArgs,
    /// When it starts, such as 2026-12-24T18:00:00Z
    #[arg(long, value_name = "MOMENT")]
    at: Option<Timestamp>,
    /// After how long it starts, such as 90s or 1h30m
    #[arg(long = "in", value_name = "DURATION")]
    after: Option<String>,
}

/// Options of `worker unschedule`.
#[derive(Debug, clap::Args)]
pub(crate) struct Unschedule {
    #[command(flatten)]
    worker: WorkerArgs,
    /// What `schedule` printed
    #[arg(long, value_name = "ID")]
    schedule_id: ScheduleId,
}

/// Options of `worker replay`.
#[derive(Debug, clap::Args)]
pub(crate) struct ReplayArgs {
    #[command(flatten)]
    worker: WorkerArgs,
    /// The last entry to repeat [default: the end of its oplog]
    #[arg(long, value_name = "INDEX")]
    at: Option<u64>,
    /// The version that repeats it [default: the one that the worker runs]
    #[arg(short = 't', long, value_name = "N")]
    target_version: Option<ComponentVersion>,
}

/// Cancels an invocation.
pub(super) fn cancel(args: &Cancel, client: &Client, out: &Out) -> Outcome {
    let canceled = client.cancel(&args.worker.worker(client)?, &args.idempotency_key)?;
    out.view(
        &serde_json::json!({ "canceled": canceled }),
        |_| match canceled {
            true => "Canceled".to_owned(),
            false => "Nothing to cancel: no invocation with this key waits or runs".to_owned(),
        },
    );
    Ok(())
}

/// Goes back in a history.
pub(super) fn revert(args: &Revert, client: &Client, out: &Out) -> Outcome {
    let to = match (args.last_oplog_index, args.number_of_invocations) {
        (Some(index), _) => RevertRequest::LastOplogIndex(OplogIndex(index)),
        // Exactly one of the two is there.
        (None, count) => RevertRequest::NumberOfInvocations(count.unwrap_or_default()),
    };
    client.revert(&args.worker.worker(client)?, to)?;
    out.data("Reverted");
    Ok(())
}

/// Makes a worker with the same history.
pub(super) fn fork(args: &Fork, client: &Client, out: &Out) -> Outcome {
    let worker = args.worker.worker(client)?;
    let fork = client.fork(&worker, OplogIndex(args.oplog_index), &args.name)?;
    out.view(&WorkerUrn::named(&fork).to_string(), |_| {
        created_worker_text(&fork, |text| out.bold(text))
    });
    Ok(())
}

/// Puts a call into the calendar.
pub(super) fn schedule(args: &Schedule, client: &Client, out: &Out) -> Outcome {
    let when = match (&args.at, &args.after) {
        (Some(at), _) => When::At(*at),
        (None, after) => {
            let text = after.clone().unwrap_or_default();
            parse_duration(&text).map_err(Failure::exit_with(exit::USAGE))?;
            When::In(text)
        }
    };
    let worker = args.worker.worker(client)?;
    let target = Target::Worker(worker.clone());
    let call = prepare_for(target, &args.function, &args.params, client)?;
    let key = args.idempotency_key.as_deref();
    let invoke::Call {
        function,
        parameters,
        ..
    } = &call;
    let scheduled = client.schedule(&worker, function, key, &when, parameters)?;
    out.view(&scheduled, |scheduled| scheduled_text(&worker, scheduled));
    Ok(())
}

/// Takes a call out of the calendar.
pub(super) fn unschedule(args: &Unschedule, client: &Client, out: &Out) -> Outcome {
    let canceled = client.unschedule(&args.worker.worker(client)?, args.schedule_id)?;
    out.view(
        &serde_json::json!({ "canceled": canceled }),
        |_| match canceled {
            true => "Canceled".to_owned(),
            false => "Nothing to cancel: it has started, or was taken back before".to_owned(),
        },
    );
    Ok(())
}

/// Repeats a history on a copy.
pub(super) fn replay(args: &ReplayArgs, client: &Client, out: &Out) -> Outcome {
    let worker = args.worker.worker(client)?;
    let replay = client.replay(&worker, args.at, args.target_version)?;
    out.view(&replay, replay_text);
    Ok(())
}

/// Checks the newest checkpoint.
pub(super) fn verify(args: &WorkerArgs, client: &Client, out: &Out) -> Outcome {
    let verified = client.verify(&args.worker(client)?)?;
    out.view(&verified, verify_text);
    Ok(())
}
