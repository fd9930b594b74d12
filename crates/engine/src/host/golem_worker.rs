// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / golem_worker: `golem:worker/host@0.1.0`, what `golem:api` does not have: waiting for a promise beside other
//! things, invocations at a moment, deadlines of calls. Read next: `golem_api.rs`, `../timers.rs`. Source: runtime spec §2.8, §4.

use golem_model::Value;
use golem_model::oplog::Accepted;
use golem_model::timer::{Action, TimerAction};
use golem_storage::Op;
use golem_storage::store::Timer;
use wasmtime::Result;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::p2::DynPollable;

use super::calls::{CANCEL_SCHEDULED, POLL_PROMISE, SCHEDULE};
use super::durable::{Halt, input_hash};
use super::golem_api::worker_id;
use super::state::{HasLinked, HostState, Linked};
use super::wait::{Source, subscribe_to};
use crate::queue::Target;
use crate::rpc::bindings::golem::api::host::PromiseId;
use crate::rpc::bindings::golem::rpc::types::{RpcError as WitError, Uri, WitValue};
use crate::rpc::bindings::golem::worker::host;
use crate::rpc::{decode_params, result_from, result_value, wit_error, worker_urn};
use crate::timers::By;
use host::ScheduleId;

/// Adds `golem:worker/host` to `linker`.
pub(crate) fn link_golem_worker(linker: &mut Linker<HostState>) -> Result<()> {
    host::add_to_linker::<HostState, HasLinked>(linker, |state| Linked(state))
}

/// Nanoseconds as microseconds, rounded up: nothing may happen early.
fn micros(nanos: u64) -> u64 {
    nanos.div_ceil(1_000)
}

impl host::Host for Linked<'_> {
    async fn poll_promise(&mut self, id: PromiseId) -> Result<Option<Vec<u8>>> {
        let worker = worker_id(&id.worker_id);
        let what = format!("promise {} of {}", id.oplog_idx, worker_urn(&worker));
        let input = input_hash(&[what.as_bytes()]);
        let recorded = !self.0.is_unrecorded();
        let replayed = if recorded {
            self.0.journal()?.replayed(POLL_PROMISE, input)?
        } else {
            None
        };
        let value = match replayed {
            Some(value) => value,
            None => {
                self.0.go_live()?;
                let wait = self.0.promise_wait(&worker, id.oplog_idx).await?;
                let found = self.0.promise_value(&wait, &what)?;
                let value = Value::Option(found.map(|bytes| Box::new(Value::Bytes(bytes))));
                if recorded {
                    self.0.journal()?.record(POLL_PROMISE, input, &value)?;
                }
                value
            }
        };
        match value {
            Value::Option(None) => Ok(None),
            Value::Option(Some(bytes)) => match *bytes {
                Value::Bytes(bytes) => Ok(Some(bytes)),
                _ => Err(wrong().into()),
            },
            _ => Err(wrong().into()),
        }
    }

    async fn subscribe_promise(&mut self, id: PromiseId) -> Result<Resource<DynPollable>> {
        let worker = worker_id(&id.worker_id);
        let wait = self.0.promise_wait(&worker, id.oplog_idx).await?;
        subscribe_to(self.0, Source::Promise(wait))
    }

    async fn schedule_invocation(
        &mut self,
        worker: Uri,
        at: u64,
        function_name: String,
        function_params: Vec<WitValue>,
    ) -> Result<Result<ScheduleId, WitError>> {
        let target = self.0.rpc_target(&worker.value)?;
        let due = micros(at);
        let number = self.0.invoking.next_call();
        let salt = self.0.journal()?.salt()?;
        let key = self
            .0
            .invoking
            .key
            .derive(&self.0.guest.worker, number, salt);
        let subject = format!("{target} {function_name} at {due}");
        let seen = self.0.guest.seen_worker();
        let origin_key = self.0.invoking.key.derive(&seen, number, salt);
        let input = input_hash(&[subject.as_bytes(), origin_key.0.as_bytes()]);
        let id = input;
        let Target::Worker(worker) = &target else {
            let error = "an ephemeral worker cannot be invoked later: it has no name";
            return Ok(Err(WitError::Denied(error.into())));
        };
        if let Some(recorded) = self.0.journal()?.replayed(SCHEDULE, input)? {
            return match recorded {
                Value::Option(None) => Ok(Ok(schedule_id(&target, due, id))),
                Value::Option(Some(refusal)) => match *refusal {
                    // Written by versions that forgot which error it was.
                    Value::String(text) => Ok(Err(WitError::ProtocolError(text))),
                    refusal => match result_from(refusal) {
                        Err(error) => Ok(Err(wit_error(error))),
                        Ok(_) => Err(wrong().into()),
                    },
                },
                _ => Err(wrong().into()),
            };
        }
        self.0.go_live()?;
        let node = self.0.rpc.node();
        let params = match self.0.denial(&target) {
            Some(denied) => Err(denied),
            None => decode_params(&self.0.rpc, &target, &function_name, &function_params),
        };
        let values = match params {
            Ok(values) => values,
            Err(error) => {
                let refusal = result_value(&Err(error.clone()));
                let refusal = Value::Option(Some(Box::new(refusal)));
                self.0.journal()?.record(SCHEDULE, input, &refusal)?;
                return Ok(Err(wit_error(error)));
            }
        };
        let arguments = Value::Tuple(values).to_bytes();
        let stored = node.payloads().store(arguments).map_err(Halt::from)?;
        let action = Action::Invoke(Accepted {
            key: key.0,
            function: function_name,
            input: stored.inline,
            input_blob: stored.blob,
            blob_bytes: stored.blob_bytes,
            caller: Some(worker_urn(&self.0.guest.worker)),
            deadline: None,
            trace: self.0.invoking.trace.clone(),
        });
        let timer = Timer {
            due,
            id,
            worker: worker.clone(),
            payload: TimerAction::bytes_of(action),
        };
        let add = vec![Op::AddTimer { timer }];
        let journal = self.0.journal()?;
        let seq = if journal.records() {
            journal.record_with(SCHEDULE, input, &Value::Option(None), add)?;
            journal.writer().map(|writer| writer.lock().last())
        } else {
            Some(node.committer().submit(add))
        };
        if let Some(seq) = seq {
            node.arm_timer(node.shard_of(worker), By::Wall, due, seq);
        }
        Ok(Ok(schedule_id(&target, due, id)))
    }

    async fn cancel_scheduled(&mut self, id: ScheduleId) -> Result<bool> {
        let target = self.0.rpc_target(&id.worker.value)?;
        let Target::Worker(worker) = &target else {
            return Ok(false);
        };
        let subject = format!("{target} {} {}", id.due, id.id);
        let input = input_hash(&[subject.as_bytes()]);
        if let Some(recorded) = self.0.journal()?.replayed(CANCEL_SCHEDULED, input)? {
            return Ok(matches!(recorded, Value::Bool(true)));
        }
        self.0.go_live()?;
        // It may have been armed a moment ago.
        self.0.written().await?;
        let node = self.0.rpc.node();
        let shard = node.shard_of(worker);
        let (due, timer) = (id.due, id.id);
        let armed = self.0.denial(&target).is_none()
            && node.has_timer(shard, due, timer).map_err(Halt::from)?;
        let delete = Op::DelTimer {
            shard,
            due,
            id: timer,
        };
        let journal = self.0.journal()?;
        let also = if armed { vec![delete] } else { Vec::new() };
        if journal.records() {
            journal.record_with(CANCEL_SCHEDULED, input, &Value::Bool(armed), also)?;
        } else {
            node.committer().submit(also);
        }
        Ok(armed)
    }

    async fn set_call_timeout(&mut self, timeout: Option<u64>) -> Result<()> {
        // Follows from what the guest did before: nothing is recorded. The moment counts from each call on.
        self.0.invoking.call_timeout = timeout.map(micros);
        Ok(())
    }

    async fn get_deadline(&mut self) -> Result<Option<u64>> {
        let deadline = self.0.invoking.deadline;
        Ok(deadline.map(|deadline| deadline.saturating_mul(1_000)))
    }
}

fn wrong() -> Halt {
    Halt::InvalidRequest("a recorded answer has another type".into())
}

fn schedule_id(target: &Target, due: u64, id: u64) -> ScheduleId {
    ScheduleId {
        worker: Uri {
            value: target.to_string(),
        },
        due,
        id,
    }
}

impl super::state::Invoking {
    /// Until when a call that is made `now` has to be done, µs of the steady clock: the deadline of the invocation, or what the guest
    /// gives its calls, whichever is sooner.
    pub(crate) fn call_deadline(&self, now: u64) -> Option<u64> {
        let own = self.call_timeout.map(|timeout| now.saturating_add(timeout));
        own.into_iter().chain(self.deadline).min()
    }
}
