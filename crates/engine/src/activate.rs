// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / activate: brings a worker's instance to where its log ends. In: a log and code. Out: an instance, and the
//! outcome of the invocation that the log leaves open, which goes on live. Read next: `instance.rs`, `oplog/reader.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use golem_model::oplog::{Accepted, Event, FailureKind, PersistenceLevel, Snapshot, Started};
use golem_model::public_oplog::untyped;
use golem_model::{IdempotencyKey, OplogIndex, Value};
use golem_storage::{Op, Store, StoreError};

use crate::checkpoint::Summary;
use crate::component::loaded::Loaded;
use crate::host::durable::{Journal, describe};
use crate::host::{Guest, HostState, Invoking};
use crate::instance::{Instance, Stopped};
use crate::link::Link;
use crate::oplog::{Base, Ledger, Payloads, Reader, SharedWriter, Span};
use crate::rpc::Rpc;
use crate::run::snapshot_function;
use crate::trace::inside;

/// What an activation needs.
pub(crate) struct Activation {
    /// Code of the version that the worker runs.
    pub(crate) loaded: Arc<Loaded>,
    /// Who the guest is.
    pub(crate) guest: Arc<Guest>,
    /// Where the log is.
    pub(crate) store: Arc<dyn Store>,
    /// Continues the log.
    pub(crate) writer: SharedWriter,
    /// The worker has just been created: nothing is to be repeated, so nothing is read.
    pub(crate) fresh: bool,
    /// Large values.
    pub(crate) payloads: Payloads,
    /// Calls to other workers.
    pub(crate) rpc: Rpc,
    /// What the task of the worker knows as well.
    pub(crate) link: Arc<Link>,
    /// Where replay begins, if not at the beginning of the log.
    pub(crate) base: Option<Base>,
    /// The log is read for the base first.
    pub(crate) stale_base: bool,
    /// The newest checkpoint.
    pub(crate) checkpoint: Option<Arc<Summary>>,
    /// Written where the log ends.
    pub(crate) on_live: Option<OnLive>,
    /// Set when the snapshot of the base is loaded.
    pub(crate) loading: Option<Arc<AtomicBool>>,
}

/// What is written when the history was repeated, before anything new happens.
pub(crate) struct OnLive {
    /// The entry.
    pub(crate) event: Event,
    /// Written together with it.
    pub(crate) also: Vec<Op>,
    /// Set when it is written.
    pub(crate) done: Arc<AtomicBool>,
}

/// The end of an invocation that the log left open.
pub(crate) struct Resumed {
    /// Its result.
    pub(crate) result: Result<Value, Stopped>,
    /// Entries that it added to the log since the activation.
    pub(crate) recorded: u64,
}

/// Instantiates the worker and repeats its log. `Ok((instance, None))`: nothing was open. Errors: the guest does not
/// even start, its log diverges, or it cannot be read.
pub(crate) async fn activate(
    mut parts: Activation,
) -> Result<(Instance, Option<Resumed>), Stopped> {
    let link = Some(parts.link);
    if parts.fresh {
        let journal = Journal::live(parts.writer, parts.payloads);
        let given = parts.rpc.node().give(&parts.loaded.info, &parts.guest)?;
        let state = HostState::new(parts.guest, journal, parts.rpc, given, link);
        return Ok((Instance::start(parts.loaded, state).await?, None));
    }
    let log = parts.writer.lock().log();
    let regions = link.as_ref().map(|link| link.regions.lock().clone());
    let regions = Arc::new(regions.unwrap_or_default());
    let replayed = Arc::clone(&parts.rpc.node().metrics().replayed);
    if let Some(summary) = parts.checkpoint.take()
        && let Some(saved) = parts
            .rpc
            .node()
            .checkpoints()
            .load(log, OplogIndex(summary.index))
    {
        let span = Span::after(&summary, Arc::clone(&regions));
        let reader = Reader::new(Arc::clone(&parts.store), log, span, Arc::clone(&replayed));
        let journal = Journal::replaying(
            reader,
            Arc::clone(&parts.writer),
            parts.payloads.clone(),
            None,
        );
        let node = parts.rpc.node();
        let (guest, rpc) = (Arc::clone(&parts.guest), Rpc::new(Arc::clone(&node)));
        let given = node.give(&parts.loaded.info, &guest)?;
        let state = HostState::new(guest, journal, rpc, given, link.clone());
        match Instance::restore(Arc::clone(&parts.loaded), state, &saved.image).await {
            Ok(instance) => {
                node.checkpoints().count_use();
                return repeat_rest(instance, &parts.payloads).await;
            }
            Err(error) => {
                let index = OplogIndex(summary.index);
                node.checkpoints().refuse(log, index, &error.to_string());
            }
        }
    }
    if parts.stale_base {
        parts.base = Ledger::read(parts.store.as_ref(), log)?.base;
    }
    let span = Ledger::span_from(parts.base.as_ref(), regions);
    let reader = Reader::new(parts.store, log, span, replayed);
    let journal = Journal::replaying(
        reader,
        parts.writer,
        parts.payloads.clone(),
        parts.on_live.take(),
    );
    let given = parts.rpc.node().give(&parts.loaded.info, &parts.guest)?;
    let state = HostState::new(parts.guest, journal, parts.rpc, given, link);
    let base = parts.base.map(|base| (base.snapshot, parts.loading));
    repeat_all(parts.loaded, state, &parts.payloads, base).await
}

/// Starts an instance with `state` and repeats what its journal has. `base`: the snapshot that replay begins with, and what
/// is set when it is loaded.
pub(crate) async fn repeat_all(
    loaded: Arc<Loaded>,
    mut state: HostState,
    payloads: &Payloads,
    base: Option<(Snapshot, Option<Arc<AtomicBool>>)>,
) -> Result<(Instance, Option<Resumed>), Stopped> {
    if base.is_none() {
        match state.journal()?.next()? {
            Some((_, Event::Create(_))) => {}
            other => {
                return Err(corrupt(format!(
                    "the first entry is {}",
                    other.map_or("missing".into(), |(_, e)| describe(&e))
                ))
                .into());
            }
        }
    }
    let mut instance = Instance::start(loaded, state).await?;
    if let Some((snapshot, done)) = base {
        let bytes = payloads.load(snapshot.bytes, snapshot.blob)?;
        call_load(&mut instance, bytes).await?;
        if let Some(done) = done {
            done.store(true, Ordering::Relaxed);
        }
    }
    repeat_rest(instance, payloads).await
}

/// Repeats what the journal of an instance has, which stands between two invocations.
pub(crate) async fn repeat_rest(
    mut instance: Instance,
    payloads: &Payloads,
) -> Result<(Instance, Option<Resumed>), Stopped> {
    loop {
        let Some((index, event)) = instance.state().journal()?.next()? else {
            instance.state().go_live()?;
            return Ok((instance, None));
        };
        let Event::Started(started) = event else {
            let found = "nothing: the guest had finished what it was asked".into();
            let journal = instance.state().journal()?;
            return Err(journal.diverged(index, describe(&event), found).into());
        };
        let result = repeat(&mut instance, index, &started, payloads).await;
        match (result, instance.state().journal()?.next()?) {
            (result, None) => {
                let recorded = instance.recorded()?;
                return Ok((instance, Some(Resumed { result, recorded })));
            }
            (Ok(value), Some((index, Event::Completed(completed)))) => {
                let recorded = payloads.load(completed.output, completed.output_blob)?;
                if recorded != value.to_bytes() {
                    let expected = format!("the result {}", brief(&recorded));
                    let found = format!("the result {}", brief(&value.to_bytes()));
                    let journal = instance.state().journal()?;
                    return Err(journal.diverged(index, expected, found).into());
                }
            }
            (Ok(_), Some((index, event))) => {
                let found = "the end of the invocation".into();
                let journal = instance.state().journal()?;
                return Err(journal.diverged(index, describe(&event), found).into());
            }
            (Err(stopped), Some(_)) => return Err(stopped),
        }
    }
}

/// Runs one recorded invocation.
async fn repeat(
    instance: &mut Instance,
    index: OplogIndex,
    started: &Started,
    payloads: &Payloads,
) -> Result<Value, Stopped> {
    let accepted = instance
        .state()
        .journal()?
        .seen()
        .pending
        .remove(&OplogIndex(started.accepted));
    let accepted = accepted.ok_or_else(|| {
        corrupt(format!(
            "entry {} is not an accepted invocation",
            started.accepted
        ))
    })?;
    let (deadline, trace) = (accepted.deadline, accepted.trace.clone());
    let (key, function, input) = unpack(accepted, payloads)?;
    let input =
        Value::from_bytes(&input).map_err(|error| corrupt(format!("arguments: {error}")))?;
    let trace = trace.map(|trace| inside(&trace, &instance.state().guest.worker, &key));
    let invoking = Invoking {
        trace,
        key,
        calls: 0,
        started: index,
        deadline,
        call_timeout: None,
    };
    run(instance, invoking, &function, &input, started.now).await
}

/// Key, function and arguments of an accepted invocation.
pub(crate) fn unpack(
    accepted: Accepted,
    payloads: &Payloads,
) -> Result<(IdempotencyKey, String, Vec<u8>), StoreError> {
    let input = payloads.load(accepted.input, accepted.input_blob)?;
    Ok((IdempotencyKey(accepted.key), accepted.function, input))
}

/// Runs one invocation that began at `now`.
pub(crate) async fn run(
    instance: &mut Instance,
    invoking: Invoking,
    function: &str,
    input: &Value,
    now: u64,
) -> Result<Value, Stopped> {
    let Some(exported) = instance.loaded.function(function).cloned() else {
        return Err(Stopped::failed(
            FailureKind::InvalidRequest,
            format!("the component has no function `{function}`"),
        ));
    };
    let state = instance.state();
    state.clock.advance(now);
    state.journal()?.begin(function, &invoking.key.0);
    state.invoking = invoking;
    state.begin_counting();
    instance.call(&exported, input).await
}

/// Lets the guest save itself. Nothing that it does meanwhile is recorded: the instance is of no use afterwards.
pub(crate) async fn call_save(instance: &mut Instance) -> Result<Vec<u8>, Stopped> {
    let wrong = |detail: &str| Stopped::failed(FailureKind::InvalidRequest, detail);
    let loaded = Arc::clone(&instance.loaded);
    let function = snapshot_function(&loaded, "save").and_then(|name| loaded.function(name));
    let function = function.ok_or_else(|| {
        wrong("the running version does not export golem:api/save-snapshot.{save}")
    })?;
    instance.state().persistence = PersistenceLevel::Nothing;
    let state = instance.state();
    let now = state.real_now();
    state.clock.advance(now);
    match instance.call(function, &Value::Tuple(Vec::new())).await? {
        Value::Tuple(values) => match values.into_iter().next() {
            Some(Value::Bytes(bytes)) => Ok(bytes),
            _ => Err(wrong("`save` did not return bytes")),
        },
        _ => Err(wrong("`save` did not return bytes")),
    }
}

/// Hands the guest what an earlier version of it has saved.
async fn call_load(instance: &mut Instance, bytes: Vec<u8>) -> Result<(), Stopped> {
    let wrong = |detail: String| Stopped::failed(FailureKind::InvalidRequest, detail);
    let loaded = Arc::clone(&instance.loaded);
    let function = snapshot_function(&loaded, "load").and_then(|name| loaded.function(name));
    let function = function.ok_or_else(|| {
        wrong("the new version does not export golem:api/load-snapshot.{load}".into())
    })?;
    instance
        .state()
        .journal()?
        .begin(&function.name, "of the update");
    let input = Value::Tuple(vec![Value::Bytes(bytes)]);
    let Value::Tuple(values) = instance.call(function, &input).await? else {
        return Err(wrong("`load` did not return a result".into()));
    };
    match values.into_iter().next() {
        Some(Value::Result(Ok(_))) => Ok(()),
        Some(Value::Result(Err(Some(error)))) => match *error {
            Value::String(text) => Err(wrong(format!("`load` refused the snapshot: {text}"))),
            _ => Err(wrong("`load` refused the snapshot".into())),
        },
        _ => Err(wrong("`load` did not return a result".into())),
    }
}

/// Longest value in a report of divergence, in characters.
const BRIEF_CHARS_MAX: usize = 200;

/// A result for people, as JSON.
fn brief(bytes: &[u8]) -> String {
    match Value::from_bytes(bytes) {
        Ok(value) => {
            let shown = untyped(&value).value;
            let text = match shown.as_array().map(Vec::as_slice) {
                Some([]) => "()".to_owned(),
                Some([one]) => one.to_string(),
                _ => shown.to_string(),
            };
            text.chars().take(BRIEF_CHARS_MAX).collect()
        }
        Err(error) => error.to_string(),
    }
}

fn corrupt(detail: String) -> StoreError {
    StoreError::Corrupt {
        what: "the oplog of a worker".into(),
        detail,
    }
}
