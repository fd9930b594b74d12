// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / public_oplog/publish: an entry in its public form. In: an entry, and [`Known`]. Out: a [`PublicOplogEntry`].
//! An entry is always shown: what cannot be named or typed is shown as it is. Never touches IO. Read next: `untyped.rs`.

use std::collections::BTreeMap;

use super::{
    FunctionType, NO_ACCOUNT, OplogRegion, PublicOplogEntry, PublicUpdateDescription,
    PublicWorkerInvocation, RetryConfig, untyped,
};
use crate::duration::duration_text;
use crate::function;
use crate::hex;
use crate::ids::{ComponentId, ComponentVersion, IdempotencyKey, OplogIndex, Timestamp, WorkerId};
use crate::json::TypeAnnotatedValue;
use crate::oplog::{
    Accepted, CallStart, Create, Event, Failed, FailureKind, JumpReason, LogLevel, OplogEntry,
    PersistenceLevel, RetryPolicy, UpdateMode,
};
use crate::types::{Export, WitType};
use crate::urn::{ComponentRef, WorkerUrn};
use crate::value::Value;

/// What is known around the entries of one log.
pub trait Known {
    /// Name and kind of the host call with this number.
    fn host_call(&self, number: u32) -> Option<(String, FunctionType)>;
    /// An earlier entry of the log, one that [`refers_to`] names.
    fn entry(&self, index: OplogIndex) -> Option<OplogEntry>;
    /// Size and exports of a version of the worker's component.
    fn component(&self, version: ComponentVersion) -> Option<(u64, Vec<Export>)>;
}

/// The earlier entry that is needed to publish an event.
#[must_use]
pub fn refers_to(event: &Event) -> Option<OplogIndex> {
    match event {
        Event::Started(started) => Some(OplogIndex(started.accepted)),
        Event::Completed(completed) => Some(OplogIndex(completed.accepted)),
        Event::Failed(failed) => Some(OplogIndex(failed.accepted)),
        Event::Cancelled(cancelled) => Some(OplogIndex(cancelled.accepted)),
        Event::CallEnd(end) => Some(OplogIndex(end.start)),
        _ => None,
    }
}

/// The public form of the entry at `index` of a worker of `component` that runs `version` there.
pub fn publish(
    index: OplogIndex,
    entry: OplogEntry,
    component: ComponentId,
    version: ComponentVersion,
    known: &impl Known,
) -> PublicOplogEntry {
    let timestamp = Timestamp(entry.at);
    let Some(event) = entry.event else {
        return PublicOplogEntry::Unknown { timestamp };
    };
    let show = Show { version, known };
    match event {
        Event::Create(create) => created(timestamp, component, create, known),
        Event::Accepted(accepted) => {
            let input = show.input(&accepted);
            PublicOplogEntry::PendingWorkerInvocation {
                timestamp,
                invocation: PublicWorkerInvocation::ExportedFunction {
                    idempotency_key: IdempotencyKey(accepted.key),
                    full_function_name: accepted.function,
                    function_input: Some(input),
                },
                caller: accepted.caller,
                deadline: accepted.deadline.map(Timestamp),
            }
        }
        Event::Started(started) => {
            let accepted_index = OplogIndex(started.accepted);
            let accepted = show.accepted(accepted_index);
            PublicOplogEntry::ExportedFunctionInvoked {
                timestamp,
                request: show.input(&accepted),
                function_name: accepted.function,
                idempotency_key: IdempotencyKey(accepted.key),
                accepted_index,
            }
        }
        Event::Completed(completed) => {
            let accepted = show.accepted(OplogIndex(completed.accepted));
            let typ = show.result_type(&accepted.function);
            let blob = completed.output_blob.as_deref();
            PublicOplogEntry::ExportedFunctionCompleted {
                timestamp,
                response: payload(&completed.output, blob, typ.as_ref()),
                consumed_fuel: 0,
                function_name: accepted.function,
                idempotency_key: IdempotencyKey(accepted.key),
            }
        }
        Event::Failed(failed) => failure(timestamp, failed, &show),
        Event::Read(read) => {
            let (function_name, kind) = show.call(read.call);
            PublicOplogEntry::ImportedFunctionInvoked {
                timestamp,
                function_name,
                request: untyped(&Value::Tuple(Vec::new())),
                response: payload(&read.output, None, None),
                wrapped_function_type: kind,
                begin_index: None,
            }
        }
        Event::CallStart(start) => {
            let (function_name, _) = show.call(start.call);
            PublicOplogEntry::BeginRemoteWrite {
                timestamp,
                function_name,
                request: request(&start),
                subject: start.subject,
                call_number: start.number,
            }
        }
        Event::CallEnd(end) => {
            let begin = OplogIndex(end.start);
            let start = match known.entry(begin).and_then(|entry| entry.event) {
                Some(Event::CallStart(start)) => start,
                _ => CallStart::default(),
            };
            let (function_name, kind) = show.call(start.call);
            PublicOplogEntry::ImportedFunctionInvoked {
                timestamp,
                function_name,
                request: request(&start),
                response: payload(&end.output, end.output_blob.as_deref(), None),
                wrapped_function_type: kind,
                begin_index: Some(begin),
            }
        }
        Event::Interrupted(_) => PublicOplogEntry::Interrupted { timestamp },
        Event::Resumed(_) => PublicOplogEntry::Resumed { timestamp },
        Event::Exited(exited) => PublicOplogEntry::Exited {
            timestamp,
            status: exited.status,
        },
        Event::Log(log) => PublicOplogEntry::Log {
            timestamp,
            level: name(LogLevel::try_from(log.level)),
            context: log.context,
            message: log.message,
        },
        Event::Cancelled(cancelled) => {
            let accepted_index = OplogIndex(cancelled.accepted);
            PublicOplogEntry::Cancelled {
                timestamp,
                idempotency_key: IdempotencyKey(show.accepted(accepted_index).key),
                accepted_index,
            }
        }
        Event::Sent(sent) => PublicOplogEntry::Sent {
            timestamp,
            begin_indexes: sent.starts.into_iter().map(OplogIndex).collect(),
        },
        Event::Jump(jump) => PublicOplogEntry::Jump {
            timestamp,
            jump: OplogRegion {
                start: OplogIndex(jump.first),
                end: OplogIndex(jump.last),
            },
            reason: name(JumpReason::try_from(jump.reason)),
        },
        Event::BeginAtomic(_) => PublicOplogEntry::BeginAtomicRegion { timestamp },
        Event::EndAtomic(end) => PublicOplogEntry::EndAtomicRegion {
            timestamp,
            begin_index: OplogIndex(end.begin),
        },
        Event::NoOp(_) => PublicOplogEntry::NoOp { timestamp },
        Event::ChangePersistence(change) => PublicOplogEntry::ChangePersistenceLevel {
            timestamp,
            level: name(PersistenceLevel::try_from(change.level)),
        },
        Event::ChangeRetryPolicy(change) => PublicOplogEntry::ChangeRetryPolicy {
            timestamp,
            new_policy: change.policy.as_ref().map(RetryConfig::from),
        },
        Event::Suspended(suspended) => PublicOplogEntry::Suspend {
            timestamp,
            until: suspended.until.map(Timestamp),
        },
        Event::Restarted(_) => PublicOplogEntry::Restart { timestamp },
        Event::PendingUpdate(update) => PublicOplogEntry::PendingUpdate {
            timestamp,
            target_version: update.version,
            description: match update.mode() {
                UpdateMode::Automatic => PublicUpdateDescription::Automatic,
                UpdateMode::SnapshotBased => PublicUpdateDescription::SnapshotBased {
                    payload: Vec::new(),
                },
            },
        },
        Event::Updated(updated) => PublicOplogEntry::SuccessfulUpdate {
            timestamp,
            target_version: updated.version,
            new_component_size: known.component(updated.version).map_or(0, |(size, _)| size),
            new_active_plugins: Vec::new(),
            previous_version: updated.from,
        },
        Event::FailedUpdate(failed) => PublicOplogEntry::FailedUpdate {
            timestamp,
            target_version: failed.version,
            details: Some(failed.details).filter(|details| !details.is_empty()),
        },
        Event::PromiseCreated(_) => PublicOplogEntry::PromiseCreated {
            timestamp,
            oplog_idx: index,
        },
    }
}

impl From<&RetryPolicy> for RetryConfig {
    fn from(policy: &RetryPolicy) -> Self {
        let text = |nanos| duration_text(std::time::Duration::from_nanos(nanos));
        Self {
            max_attempts: policy.max_attempts,
            min_delay: text(policy.min_delay),
            max_delay: text(policy.max_delay),
            multiplier: policy.multiplier,
            max_jitter_factor: policy.max_jitter_factor,
        }
    }
}

fn created(
    timestamp: Timestamp,
    component: ComponentId,
    create: Create,
    known: &impl Known,
) -> PublicOplogEntry {
    let parent = create.parent.and_then(|urn| urn.parse::<WorkerUrn>().ok());
    let parent = parent.and_then(|urn| match (urn.component, urn.worker_name) {
        (ComponentRef::Id(id), Some(name)) => Some(WorkerId::new(id, name)),
        _ => None,
    });
    let forked_at = create
        .forked_from
        .is_some()
        .then_some(OplogIndex(create.forked_at));
    let env: BTreeMap<_, _> = create.env.into_iter().map(|v| (v.name, v.value)).collect();
    PublicOplogEntry::Create {
        timestamp,
        worker_id: WorkerId::new(component, create.name),
        component_version: create.version,
        args: create.args,
        env,
        account_id: NO_ACCOUNT.to_owned(),
        parent,
        component_size: known.component(create.version).map_or(0, |(size, _)| size),
        initial_total_linear_memory_size: 0,
        initial_active_plugins: Vec::new(),
        forked_from: create.forked_from,
        forked_at,
    }
}

fn failure<K: Known>(timestamp: Timestamp, failed: Failed, show: &Show<'_, K>) -> PublicOplogEntry {
    PublicOplogEntry::Error {
        timestamp,
        kind: name(FailureKind::try_from(failed.kind)),
        idempotency_key: IdempotencyKey(show.accepted(OplogIndex(failed.accepted)).key),
        error: failed.message,
        attempt: failed.attempt,
        retry_at: failed.retry_at.map(Timestamp),
        trace: failed.trace.lines().map(str::to_owned).collect(),
        path: failed.path,
    }
}

/// The name of a number in the log, or that it is unknown.
fn name<T: std::fmt::Debug, E>(value: Result<T, E>) -> String {
    value.map_or_else(|_| "Unknown".to_owned(), |value| format!("{value:?}"))
}

fn request(start: &CallStart) -> TypeAnnotatedValue {
    payload(&start.request, None, None)
}

/// A payload, with `typ` if it is of it.
fn payload(bytes: &[u8], blob: Option<&[u8]>, typ: Option<&WitType>) -> TypeAnnotatedValue {
    if let Some(blob) = blob {
        return untyped(&Value::String(format!("(stored as blob {})", hex(blob))));
    }
    if bytes.is_empty() {
        return untyped(&Value::Tuple(Vec::new()));
    }
    // What is no encoded value is shown as bytes.
    Value::from_bytes(bytes).map_or_else(
        |_| untyped(&Value::Bytes(bytes.to_vec())),
        |value| typed(&value, typ),
    )
}

fn typed(value: &Value, typ: Option<&WitType>) -> TypeAnnotatedValue {
    typ.and_then(|typ| TypeAnnotatedValue::new(value, typ.clone()).ok())
        .unwrap_or_else(|| untyped(value))
}

/// What names and types the parts of an entry.
struct Show<'a, K> {
    version: ComponentVersion,
    known: &'a K,
}

impl<K: Known> Show<'_, K> {
    fn call(&self, number: u32) -> (String, FunctionType) {
        let unknown = || (format!("host call {number}"), FunctionType::ReadRemote);
        self.known.host_call(number).unwrap_or_else(unknown)
    }

    /// The acceptance at `index`; an empty one when the log has none there.
    fn accepted(&self, index: OplogIndex) -> Accepted {
        match self.known.entry(index).and_then(|entry| entry.event) {
            Some(Event::Accepted(accepted)) => accepted,
            _ => Accepted::default(),
        }
    }

    fn signature(&self, function: &str) -> Option<(Vec<WitType>, WitType)> {
        let (_, exports) = self.known.component(self.version)?;
        let found = function::find(&exports, function).ok()?;
        let types = found.function.parameters.iter().map(|p| p.typ.clone());
        Some((types.collect(), found.function.result_type()))
    }

    fn result_type(&self, function: &str) -> Option<WitType> {
        self.signature(function).map(|(_, result)| result)
    }

    /// The arguments, each with its type.
    fn input(&self, accepted: &Accepted) -> Vec<TypeAnnotatedValue> {
        if let Some(blob) = &accepted.input_blob {
            return vec![payload(&[], Some(blob), None)];
        }
        if accepted.input.is_empty() {
            return Vec::new();
        }
        let Ok(Value::Tuple(values)) = Value::from_bytes(&accepted.input) else {
            return vec![payload(&accepted.input, None, None)];
        };
        let types = self
            .signature(&accepted.function)
            .map(|(types, _)| types)
            .unwrap_or_default();
        let typ = |at: usize| types.get(at);
        let values = values.iter().enumerate();
        values.map(|(at, value)| typed(value, typ(at))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oplog::{CallEnd, Completed, Jump, Started};
    use crate::types::{Function, FunctionResult, NamedType};
    use serde_json::{Value as Json, json};

    struct Log(Vec<Event>);

    impl Known for Log {
        fn host_call(&self, number: u32) -> Option<(String, FunctionType)> {
            (number == 12).then(|| ("golem:rpc/types.call".to_owned(), FunctionType::WriteRemote))
        }

        fn entry(&self, index: OplogIndex) -> Option<OplogEntry> {
            let at = usize::try_from(index.0).ok()?.checked_sub(1)?;
            Some(OplogEntry::new(0, self.0.get(at)?.clone()))
        }

        fn component(&self, version: ComponentVersion) -> Option<(u64, Vec<Export>)> {
            let value = |name: &str| NamedType {
                name: name.to_owned(),
                typ: WitType::Record {
                    fields: vec![NamedType {
                        name: "id".to_owned(),
                        typ: WitType::U64,
                    }],
                },
            };
            let function = Function {
                name: "put".to_owned(),
                parameters: vec![value("product")],
                results: vec![FunctionResult {
                    name: None,
                    typ: WitType::U64,
                }],
            };
            (version == 0).then(|| (8, vec![Export::Function(function)]))
        }
    }

    fn log() -> Log {
        let input = Value::Tuple(vec![Value::Record(vec![Value::U64(7)])]).to_bytes();
        let accepted = Accepted {
            key: "k".into(),
            function: "put".into(),
            input,
            ..Accepted::default()
        };
        let start = CallStart {
            call: 12,
            subject: "urn:worker:x/y f".into(),
            number: 1,
            request: Value::Tuple(vec![Value::U8(1)]).to_bytes(),
            ..CallStart::default()
        };
        Log(vec![
            Event::Create(Create {
                name: "w".into(),
                ..Create::default()
            }),
            Event::Accepted(accepted),
            Event::Started(Started {
                accepted: 2,
                now: 0,
            }),
            Event::CallStart(start),
            Event::CallEnd(CallEnd {
                start: 4,
                output: Value::Result(Ok(None)).to_bytes(),
                output_blob: None,
                blob_bytes: 0,
            }),
            Event::Completed(Completed {
                accepted: 2,
                output: Value::Tuple(vec![Value::U64(9)]).to_bytes(),
                output_blob: None,
                blob_bytes: 0,
            }),
            Event::Jump(Jump {
                first: 3,
                last: 6,
                reason: JumpReason::Revert as i32,
            }),
        ])
    }

    fn published(version: ComponentVersion) -> Vec<Json> {
        let log = log();
        let component = ComponentId::random();
        let entries = log.0.iter().zip(1..);
        entries
            .map(|(event, index)| {
                let entry = OplogEntry::new(1_000_000, event.clone());
                let entry = publish(OplogIndex(index), entry, component, version, &log);
                serde_json::to_value(&entry).unwrap()
            })
            .collect()
    }

    #[test]
    fn an_invocation_is_published_with_types_key_and_name() {
        let [create, pending, invoked, begin, called, completed, jump] =
            <[Json; 7]>::try_from(published(0)).unwrap();
        assert_eq!(create["type"], "Create");
        assert_eq!(create["worker_id"]["workerName"], "w");
        assert_eq!(create["component_size"], 8);
        assert_eq!(create["account_id"], "-1");
        assert_eq!(pending["invocation"]["type"], "ExportedFunction");
        assert_eq!(pending["invocation"]["full_function_name"], "put");
        let request = json!([{
            "typ": {"type": "Record", "fields": [{"name": "id", "typ": {"type": "U64"}}]},
            "value": {"id": 7},
        }]);
        assert_eq!(pending["invocation"]["function_input"], request);
        assert_eq!(invoked["type"], "ExportedFunctionInvoked");
        assert_eq!(invoked["timestamp"], "1970-01-01T00:00:01Z");
        assert_eq!(
            (&invoked["function_name"], &invoked["idempotency_key"]),
            (&json!("put"), &json!("k"))
        );
        assert_eq!(invoked["request"], request);
        assert_eq!(begin["type"], "BeginRemoteWrite");
        assert_eq!(begin["subject"], "urn:worker:x/y f");
        assert_eq!(called["type"], "ImportedFunctionInvoked");
        assert_eq!(called["function_name"], "golem:rpc/types.call");
        assert_eq!(
            called["wrapped_function_type"],
            json!({"type": "WriteRemote"})
        );
        assert_eq!(called["request"]["value"], json!([1]));
        assert_eq!(called["response"]["value"], json!({"ok": null}));
        let tuple = json!({"typ": {"type": "Tuple", "items": [{"type": "U64"}]}, "value": [9]});
        assert_eq!(completed["response"], tuple);
        assert_eq!(
            (&jump["jump"], &jump["reason"]),
            (&json!({"start": 3, "end": 6}), &json!("Revert"))
        );
    }

    #[test]
    fn without_a_known_type_the_value_is_shown_all_the_same() {
        let entries = published(1);
        assert_eq!(entries[2]["request"][0]["value"], json!([7]));
        assert_eq!(entries[5]["response"]["value"], json!([9]));
    }

    #[test]
    fn bytes_that_are_no_value_and_blobs_are_shown() {
        assert_eq!(payload(&[99, 1], None, None).value, json!([99, 1]));
        let blob = payload(&[], Some(&[0xab, 0x01]), None);
        assert_eq!(blob.value, json!("(stored as blob ab01)"));
        assert_eq!(payload(&[], None, None).value, json!([]));
    }

    #[test]
    fn what_is_published_is_read_back() {
        for json in published(0) {
            let read: PublicOplogEntry = serde_json::from_value(json.clone()).unwrap();
            assert_eq!(serde_json::to_value(&read).unwrap(), json);
        }
    }
}
