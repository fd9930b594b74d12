// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / activate: brings a worker's instance to where its log ends. In: a log and code. Out: an instance, and the
//! outcome of the invocation that the log leaves open, which goes on live. Read next: `instance.rs`, `oplog/reader.rs`.

use std::sync::Arc;

use golem_model::oplog::{Accepted, Event, FailureKind, Started};
use golem_model::{IdempotencyKey, OplogIndex, Value};
use golem_storage::{Store, StoreError};

use crate::component::loaded::Loaded;
use crate::host::durable::{Halt, Journal, describe};
use crate::host::{Guest, HostState, Invoking};
use crate::instance::{Instance, Stopped};
use crate::limits::store_limits;
use crate::oplog::{Payloads, Reader, SharedWriter};
use crate::rpc::Rpc;

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
pub(crate) async fn activate(parts: Activation) -> Result<(Instance, Option<Resumed>), Stopped> {
    if parts.fresh {
        let journal = Journal::live(parts.writer, parts.payloads);
        let state = HostState::new(parts.guest, journal, parts.rpc, store_limits());
        return Ok((Instance::start(parts.loaded, state).await?, None));
    }
    let log = parts.writer.lock().log();
    let mut reader = Reader::new(parts.store, log, OplogIndex(1));
    match reader.next()? {
        Some((_, Event::Create(_))) => {}
        other => {
            return Err(corrupt(format!(
                "the first entry is {}",
                other.map_or("missing".into(), |(_, e)| describe(&e))
            ))
            .into());
        }
    }
    let journal = Journal::replaying(reader, parts.writer, parts.payloads.clone());
    let state = HostState::new(parts.guest, journal, parts.rpc, store_limits());
    let mut instance = Instance::start(parts.loaded, state).await?;
    loop {
        let Some((index, event)) = instance.state().journal()?.next()? else {
            instance.state().go_live()?;
            return Ok((instance, None));
        };
        let Event::Started(started) = event else {
            return Err(Stopped::from(Halt::Divergence {
                index,
                expected: describe(&event),
                found: "nothing: the guest had finished what it was asked".into(),
            }));
        };
        let result = repeat(&mut instance, &started, &parts.payloads).await;
        match (result, instance.state().journal()?.next()?) {
            (result, None) => {
                let recorded = instance.recorded()?;
                return Ok((instance, Some(Resumed { result, recorded })));
            }
            (Ok(value), Some((index, Event::Completed(completed)))) => {
                let recorded = parts
                    .payloads
                    .load(completed.output, completed.output_blob)?;
                if recorded != value.to_bytes() {
                    return Err(Stopped::from(Halt::Divergence {
                        index,
                        expected: "the recorded result of the invocation".into(),
                        found: "another result".into(),
                    }));
                }
            }
            (Ok(_), Some((index, event))) => {
                let found = "the end of the invocation".into();
                return Err(Stopped::from(Halt::Divergence {
                    index,
                    expected: describe(&event),
                    found,
                }));
            }
            (Err(stopped), Some(_)) => return Err(stopped),
        }
    }
}

/// Runs one recorded invocation.
async fn repeat(
    instance: &mut Instance,
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
    let (key, function, input) = unpack(accepted, payloads)?;
    let input =
        Value::from_bytes(&input).map_err(|error| corrupt(format!("arguments: {error}")))?;
    run(instance, key, &function, &input, started.now).await
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
    key: IdempotencyKey,
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
    state.invoking = Invoking { key, calls: 0 };
    instance.call(&exported, input).await
}

fn corrupt(detail: String) -> StoreError {
    StoreError::Corrupt {
        what: "the oplog of a worker".into(),
        detail,
    }
}
