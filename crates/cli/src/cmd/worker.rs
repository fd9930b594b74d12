// SPDX-License-Identifier: Apache-2.0
//! THE DESK / worker: creates, calls, watches and ends workers. In options, out views. Never knows what a worker does.
//! Read next: `worker/invoke.rs`, `client.rs`, `view/worker.rs`. Source: client spec §6.3, §6.4.

mod checkpoints;
pub(super) mod connect;
mod export;
pub(super) mod invoke;
pub(super) mod oplog;
pub(super) mod params;
mod travel;
mod update;

pub(crate) use self::update::{Mode as UpdateMode, try_all as update_workers};

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::time::Duration;

use golem_client::{Client, ClientError, Page};
use golem_model::api::{ScanCursor, WorkerCreationRequest, WorkersMetadataResponse};
use golem_model::filter::Filter;
use golem_model::urn::WorkerUrn;
use golem_model::{ComponentId, IdempotencyKey, WorkerId, suggest};

use super::classic::classic;
use super::promise;
use super::refs::{ComponentArgs, WorkerArgs};
use crate::args::Global;
use crate::connection;
use crate::error::{Failure, Outcome};
use crate::exit;
use crate::output::Out;
use crate::view::{WorkerMetadataView, WorkersView, created_worker_text};

/// Options of `worker`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Args {
    /// What to do with workers.
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLE: &str = "Examples:
  golem-cli worker add --component-name counter --worker-name w1
  golem-cli worker invoke-and-await --component-name counter --worker-name w1 \\
      --function 'demo:counter/api.{add}' --arg 3

Exit codes of this command: 0 ok, 1 failed, 2 wrong command line";

/// What to do with workers.
#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Create a worker; a worker that is called is created by the call
    #[command(visible_aliases = ["start", "create"], after_help = "Example:
  golem-cli worker add --component-name counter --worker-name w1 --env LIMIT=10 -- arg1 arg2")]
    Add(Add),
    /// Make an idempotency key: calls with the same key run once
    #[command(after_help = "Example:
  KEY=$(golem-cli --format json worker idempotency-key | tr -d '\"')")]
    IdempotencyKey,
    /// Call a function and wait for its result
    #[command(after_help = "Examples:
  golem-cli worker invoke-and-await --component-name counter --worker-name w1 \\
      --function 'demo:counter/api.{add}' --arg 3
  golem-cli worker invoke-and-await --worker worker:///shop/cart-1 --function 'shop:cart/api.{put}' \\
      --arg '{id: 7, title: \"tea\", tags: {new}}'
  golem-cli worker invoke-and-await --worker worker:///shop/cart-1 --function put --parameters '[{\"id\": 7}]'")]
    InvokeAndAwait(invoke::Args),
    /// Call a function and do not wait for its result
    #[command(after_help = "Example:
  golem-cli worker invoke --component-name counter --worker-name w1 --function 'demo:counter/api.{add}' --arg 3")]
    Invoke(invoke::Args),
    /// Print what a worker writes and logs, for as long as one listens
    #[command(after_help = "Examples:
  golem-cli worker connect --component-name counter --worker-name w1
  golem-cli worker connect --component-name counter --worker-name w1 --from latest --show-level")]
    Connect(connect::Args),
    /// Show a worker
    #[command(after_help = "Example:
  golem-cli worker get --component-name counter --worker-name w1")]
    Get(WorkerArgs),
    /// List the workers of a component
    #[command(
        visible_alias = "ls",
        after_help = "Examples:
  golem-cli worker list --component-name counter
  golem-cli worker list --component-name counter --filter 'status = Failed' --count 10
  golem-cli worker list --component-name counter --watch"
    )]
    List(List),
    /// Stop a worker; `resume` lets it go on
    #[command(after_help = "Example:
  golem-cli worker interrupt --component-name counter --worker-name w1")]
    Interrupt(WorkerArgs),
    /// Let an interrupted worker go on
    #[command(after_help = "Example:
  golem-cli worker resume --component-name counter --worker-name w1")]
    Resume(WorkerArgs),
    /// Stop a worker as a crash would, and start it again
    #[command(after_help = "Example:
  golem-cli worker simulated-crash --component-name counter --worker-name w1")]
    SimulatedCrash(WorkerArgs),
    /// Print what a worker has done
    #[command(after_help = "Examples:
  golem-cli worker oplog --component-name counter --worker-name w1
  golem-cli worker oplog --component-name counter --worker-name w1 --query 'exported-function AND NOT function_name:get'
  golem-cli --format json worker oplog --worker worker:///counter/w1 --from 100

A query has words, \"phrases\", /regular expressions/, field:word, AND, OR, NOT and parentheses")]
    Oplog(oplog::Args),
    /// Bring a worker to another version of its component
    #[command(after_help = "Examples:
  golem-cli worker update --component-name counter --worker-name w1 --target-version 2
  golem-cli worker update --component-name counter --worker-name w1 --dry-run
  golem-cli worker update --component-name counter --worker-name w1 --mode manual")]
    Update(update::Update),
    /// Bring the workers of a component that run an older version to another one
    #[command(after_help = "Examples:
  golem-cli worker update-many --component-name counter --target-version 2
  golem-cli worker update-many --component-name counter --filter 'status = Idle' --dry-run")]
    UpdateMany(update::UpdateMany),
    /// Cancel a call that waits or runs, and the calls that it waits for
    #[command(after_help = "Example:
  golem-cli worker cancel --component-name counter --worker-name w1 --idempotency-key KEY")]
    Cancel(travel::Cancel),
    /// Go back in the history of a worker; clears a failure
    #[command(after_help = "Examples:
  golem-cli worker revert --component-name counter --worker-name w1 --number-of-invocations 1
  golem-cli worker revert --component-name counter --worker-name w1 --last-oplog-index 42")]
    Revert(travel::Revert),
    /// Make a worker with the same history, up to an entry
    #[command(after_help = "Example:
  golem-cli worker fork --component-name counter --worker-name w1 --oplog-index 42 --name w2")]
    Fork(travel::Fork),
    /// Complete promises of a worker
    #[command(after_help = "Example:
  golem-cli worker promise complete --component-name orders --worker-name w1 --oplog-idx 12 --data approved")]
    Promise(promise::Args),
    /// Call a function later
    #[command(after_help = "Examples:
  golem-cli worker schedule --component-name counter --worker-name w1 --function add --arg 3 --in 1h30m
  golem-cli worker schedule --component-name counter --worker-name w1 --function add --arg 3 --at 2026-12-24T18:00:00Z")]
    Schedule(travel::Schedule),
    /// Take back a call that was scheduled and has not started
    #[command(after_help = "Example:
  golem-cli worker unschedule --component-name counter --worker-name w1 --schedule-id 1764014400000000-1")]
    Unschedule(travel::Unschedule),
    /// Repeat the history of a worker on a copy, and print what happened at each step
    #[command(after_help = "Example:
  golem-cli worker replay --component-name counter --worker-name w1 --at 42")]
    Replay(travel::ReplayArgs),
    /// Write the whole history of a worker into a file, which `golem-cli test --replay` repeats with other code
    #[command(after_help = "Example:
  golem-cli worker export --component-name counter --worker-name w1 --output w1.rec
  golem-cli test --replay w1.rec")]
    Export(export::Args),
    /// Compare the checkpoint of a worker with a replay of its history
    #[command(after_help = "Example:
  golem-cli worker verify --component-name counter --worker-name w1")]
    Verify(WorkerArgs),
    /// List the checkpoints of a worker, from which it comes back faster, or drop them
    #[command(after_help = "Examples:
  golem-cli worker checkpoints --component-name counter --worker-name w1
  golem-cli worker checkpoints --component-name counter --worker-name w1 --drop

A checkpoint is a cache: without one the history brings the worker back, which takes longer")]
    Checkpoints(checkpoints::Args),
    /// Delete a worker, with all that it did
    #[command(
        visible_alias = "rm",
        after_help = "Example:
  golem-cli worker delete --component-name counter --worker-name w1"
    )]
    Delete(WorkerArgs),
}

/// Options of `worker add`.
#[derive(Debug, clap::Args)]
struct Add {
    #[command(flatten)]
    component: ComponentArgs,
    /// Name of the new worker: 1 to 100 letters, digits, `_` and `-`
    #[arg(short = 'w', long, value_name = "NAME")]
    worker_name: String,
    /// A variable of its environment; repeat for more
    #[arg(short, long, value_name = "K=V", value_parser = variable)]
    env: Vec<(String, String)>,
    /// Its command line arguments
    #[arg(value_name = "ARGS")]
    args: Vec<String>,
}

/// Options of `worker list`.
#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    component: ComponentArgs,
    /// A condition `PROPERTY OP VALUE`; repeat for more, all must hold
    #[arg(short, long, value_name = "CONDITION")]
    filter: Vec<String>,
    /// Where the page starts, as the page before said
    #[arg(short = 'S', long, value_name = "LAYER/POSITION")]
    cursor: Option<ScanCursor>,
    /// Most workers on the page [default: all workers]
    #[arg(short = 'n', long, value_name = "N")]
    count: Option<u64>,
    /// Compute the status of each worker anew
    #[arg(long, value_name = "BOOL")]
    precise: Option<bool>,
    /// Show the list again whenever it has changed, until Ctrl-C
    #[arg(long)]
    watch: bool,
}

/// Pause between two looks of `worker list --watch`.
const WATCH_PAUSE: Duration = Duration::from_secs(1);

/// Workers that are asked for at a time when all are wanted, as the original does.
const PAGE: u64 = 50;

pub(super) fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

/// Runs the verb.
pub(crate) fn run(args: Args, global: &Global, out: &Out) -> Outcome {
    classic(dispatch(args.verb, global, out))
}

fn dispatch(verb: Verb, global: &Global, out: &Out) -> Outcome {
    if matches!(verb, Verb::IdempotencyKey) {
        idempotency_key(out);
        return Ok(());
    }
    let client = connection::client(global)?;
    with_client(verb, &client, out).map_err(|failure| suggested(failure, &client))
}

/// Workers that are looked through for one with a name like the one that is not there.
const SUGGEST_AMONG: u64 = 1000;

/// A worker that is not there gets the name that was perhaps meant.
pub(super) fn suggested(failure: Failure, client: &Client) -> Failure {
    let Some(missing) = failure.problem.message.strip_prefix("Worker not found: ") else {
        return failure;
    };
    let Some((component, name)) = missing.split_once('/') else {
        return failure;
    };
    let Ok(component) = component.parse::<ComponentId>() else {
        return failure;
    };
    let page = Page {
        count: Some(SUGGEST_AMONG),
        ..Page::default()
    };
    // Without an answer there is no suggestion, and the first failure is the one to tell.
    let Ok(found) = client.workers(component, &page) else {
        return failure;
    };
    let names = found
        .workers
        .iter()
        .map(|worker| worker.worker_id.worker_name.as_str());
    match suggest::closest(name, names) {
        Some(nearest) => params::hinted(failure.clone(), &format!("did you mean `{nearest}`?")),
        None => failure,
    }
}

fn with_client(verb: Verb, client: &Client, out: &Out) -> Outcome {
    match verb {
        Verb::Add(args) => add(args, client, out),
        Verb::IdempotencyKey => Ok(()),
        Verb::InvokeAndAwait(args) => invoke::invoke_and_await(&args, client, out),
        Verb::Invoke(args) => invoke::invoke(&args, client, out),
        Verb::Connect(args) => connect::connect(&args, client, out),
        Verb::Get(args) => show(&args.worker(client)?, client, out),
        Verb::List(args) => list(args, client, out),
        Verb::Interrupt(args) => done(
            client.interrupt_worker(&args.worker(client)?, false),
            "Interrupted",
            out,
        ),
        Verb::Resume(args) => done(client.resume_worker(&args.worker(client)?), "Resumed", out),
        Verb::SimulatedCrash(args) => done(
            client.interrupt_worker(&args.worker(client)?, true),
            "Done",
            out,
        ),
        Verb::Oplog(args) => oplog::oplog(&args, client, out),
        Verb::Update(args) => update::update(&args, client, out),
        Verb::UpdateMany(args) => update::update_many(args, client, out),
        Verb::Cancel(args) => travel::cancel(&args, client, out),
        Verb::Revert(args) => travel::revert(&args, client, out),
        Verb::Fork(args) => travel::fork(&args, client, out),
        Verb::Promise(args) => promise::dispatch(args, client, out),
        Verb::Schedule(args) => travel::schedule(&args, client, out),
        Verb::Unschedule(args) => travel::unschedule(&args, client, out),
        Verb::Replay(args) => travel::replay(&args, client, out),
        Verb::Export(args) => export::export(&args, client, out),
        Verb::Verify(args) => travel::verify(&args, client, out),
        Verb::Checkpoints(args) => checkpoints::checkpoints(&args, client, out),
        Verb::Delete(args) => done(client.delete_worker(&args.worker(client)?), "Deleted", out),
    }
}

/// One word, the same in every format.
fn done(outcome: Result<(), ClientError>, word: &str, out: &Out) -> Outcome {
    outcome?;
    out.data(word);
    Ok(())
}

fn add(args: Add, client: &Client, out: &Out) -> Outcome {
    let component = client.find_id(&args.component.urn()?.component)?;
    let env: BTreeMap<String, String> = args.env.into_iter().collect();
    let request = WorkerCreationRequest {
        name: args.worker_name,
        args: args.args,
        env,
    };
    let worker = client.create_worker(component, &request)?.worker_id;
    out.view(&WorkerUrn::named(&worker).to_string(), |_| {
        created_worker_text(&worker, |text| out.bold(text))
    });
    Ok(())
}

fn idempotency_key(out: &Out) {
    let key = IdempotencyKey::random().0;
    out.view(&key, |key| {
        format!(
            "Idempotency key: {key}\n\nPass it to a call, and to every repetition of that call:\n  \
             golem-cli worker invoke-and-await --idempotency-key {key} …\n"
        )
    });
}

/// Shows a worker.
pub(crate) fn show(worker: &WorkerId, client: &Client, out: &Out) -> Outcome {
    let view = WorkerMetadataView::from(client.worker(worker)?);
    out.view(&view, |view| view.text(|text| out.bold(text)));
    Ok(())
}

fn list(args: List, client: &Client, out: &Out) -> Outcome {
    for filter in &args.filter {
        filter
            .parse::<Filter>()
            .map_err(Failure::exit_with(exit::USAGE))?;
    }
    let component = client.find_id(&args.component.urn()?.component)?;
    let mut shown = None;
    loop {
        let view = WorkersView::from(listing(&args, component, client)?);
        let text = view.text();
        if shown.as_ref() != Some(&text) {
            if shown.is_some() && out.is_text() && std::io::stdout().is_terminal() {
                // Back to the corner of an empty screen.
                out.data("\u{1b}[H\u{1b}[2J");
            }
            out.view(&view, WorkersView::text);
            shown = Some(text);
        }
        if !args.watch {
            return Ok(());
        }
        std::thread::sleep(WATCH_PAUSE);
    }
}

/// One page, or all of them when nobody says how many.
fn listing(
    args: &List,
    component: ComponentId,
    client: &Client,
) -> Result<WorkersMetadataResponse, Failure> {
    let mut page = Page {
        filters: args.filter.clone(),
        cursor: args.cursor,
        count: Some(args.count.unwrap_or(PAGE)),
        precise: args.precise,
    };
    let mut all = client.workers(component, &page)?;
    while let (None, Some(cursor)) = (args.count, all.cursor) {
        page.cursor = Some(cursor);
        let WorkersMetadataResponse {
            workers,
            cursor: next,
        } = client.workers(component, &page)?;
        // A server that gives the same position again would keep us here for ever.
        all.cursor = next.filter(|next| *next != cursor);
        all.workers.extend(workers);
    }
    Ok(all)
}
