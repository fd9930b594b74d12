// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / golem_api: `golem:api/host@1.1.0`: what a guest knows and decides about its own durability. Promises, its place
//! in its log, atomic regions, retries, persistence, updates of others. Read next: `golem_workers.rs`, `golem_worker.rs` (what we
//! add), `durable.rs`.
//! Source: client spec §4.6; runtime spec §2.4, §2.8.

use std::sync::Arc;

use golem_model::oplog::{
    BeginAtomic, ChangePersistence, ChangeRetryPolicy, EndAtomic, Event, JumpReason, NoOp,
    PersistenceLevel, PromiseCreated, RetryPolicy as Policy, UpdateMode as Mode,
};
use golem_model::promise::PromiseRow;
use golem_model::{ComponentId, IdempotencyKey, LogId, OplogIndex, Value, WorkerId};
use golem_storage::Op;
use golem_storage::store::KvSpace;
use uuid::Uuid as RawUuid;
use wasmtime::Result;
use wasmtime::component::Linker;

use super::calls::{
    AWAIT_PROMISE, COMPLETE_PROMISE, Call, DELETE_PROMISE, GET_RETRY_POLICY, OTHER_METADATA,
    SELF_METADATA, SELF_URI, UPDATE_WORKER,
};
use super::durable::{Halt, Start, Subject, input_hash};
use super::state::{HasLinked, HostState, Linked};
use super::wait::{Source, wait_outside};
use crate::error::WorkerError;
use crate::promises::PromiseWait;
use crate::rpc::bindings::golem::api::host;
use crate::rpc::bindings::golem::rpc::types::Uri;
use crate::rpc::worker_urn;
use host::{
    ComponentVersion, OplogIndex as Index, PersistenceLevel as Level, PromiseId, RetryPolicy,
    UpdateMode, Uuid, WorkerMetadata,
};

/// Adds `golem:api/host` to `linker`.
pub(crate) fn link_golem_api(linker: &mut Linker<HostState>) -> Result<()> {
    host::add_to_linker::<HostState, HasLinked>(linker, |state| Linked(state))
}

/// A UUID as WIT has it.
fn wit_uuid(uuid: RawUuid) -> Uuid {
    let (high_bits, low_bits) = uuid.as_u64_pair();
    Uuid {
        high_bits,
        low_bits,
    }
}

pub(super) fn component_id(id: host::ComponentId) -> ComponentId {
    ComponentId(RawUuid::from_u64_pair(id.uuid.high_bits, id.uuid.low_bits))
}

/// A worker as the model has it.
pub(crate) fn worker_id(id: &host::WorkerId) -> WorkerId {
    WorkerId::new(component_id(id.component_id), id.worker_name.clone())
}

pub(super) fn wit_worker_id(id: &WorkerId) -> host::WorkerId {
    host::WorkerId {
        component_id: host::ComponentId {
            uuid: wit_uuid(id.component_id.0),
        },
        worker_name: id.worker_name.clone(),
    }
}

/// What a promise is called in the log.
fn promise_text(worker: &WorkerId, index: Index) -> String {
    format!("promise {index} of {}", worker_urn(worker))
}

impl HostState {
    /// The log of a worker, for its promises.
    fn log_of(&self, worker: &WorkerId) -> Result<LogId, Halt> {
        if let Some(link) = &self.link
            && link.worker == *worker
        {
            return Ok(link.log);
        }
        let stored = if self.may_see(worker.component_id) {
            self.rpc.node().store().worker(worker)?
        } else {
            None
        };
        let stored = stored
            .ok_or_else(|| Halt::InvalidRequest(format!("worker {worker} does not exist")))?;
        Ok(stored.log)
    }

    /// A wait for a promise. What the guest has just created is in the store by then.
    pub(super) async fn promise_wait(
        &mut self,
        worker: &WorkerId,
        index: Index,
    ) -> Result<Arc<PromiseWait>, Halt> {
        let owner = self.guest.promise_owner(worker, index);
        let log = self.log_of(&owner)?;
        self.written().await?;
        Ok(PromiseWait::new(&self.rpc.node(), log, OplogIndex(index)))
    }

    /// Waits until everything that this worker has written is durable.
    pub(super) async fn written(&mut self) -> Result<(), Halt> {
        let seq = self.journal()?.writer().map(|writer| writer.lock().last());
        if let Some(seq) = seq
            && self.rpc.node().committer().wait(seq).await.is_err()
        {
            // The process ends.
            return std::future::pending().await;
        }
        Ok(())
    }

    /// The value of a completed promise; `None` while it is not. Errors when there is no such promise.
    pub(super) fn promise_value(
        &mut self,
        wait: &PromiseWait,
        what: &str,
    ) -> Result<Option<Vec<u8>>, Halt> {
        let row = wait.row()?;
        let row = row.ok_or_else(|| Halt::InvalidRequest(format!("there is no {what}")))?;
        if !row.completed {
            return Ok(None);
        }
        let payloads = self.journal()?.payloads().clone();
        Ok(Some(payloads.load(row.data, row.blob)?))
    }

    /// A change that another worker's task makes: its start is in the log before, its outcome after. `repeated`: what a
    /// second time answers, when the first one may have been done.
    async fn change_elsewhere<F>(
        &mut self,
        call: Call,
        subject: &str,
        request: &[u8],
        live: F,
    ) -> Result<Value, Halt>
    where
        F: AsyncFnOnce(&mut Self, bool) -> Result<Value, Halt>,
    {
        if self.is_unrecorded() {
            return live(self, true).await;
        }
        let about = Subject {
            hash: input_hash(&[subject.as_bytes(), request]),
            subject,
            number: self.invoking.next_call(),
            request,
        };
        match self.journal()?.start(call, &about)? {
            Start::Done(value) => Ok(value),
            Start::Perform { start, again } => {
                self.go_live()?;
                let value = live(self, again).await?;
                self.journal()?.end(start, &value, Vec::new())?;
                Ok(value)
            }
        }
    }
}

impl HostState {
    /// A worker of another namespace is one that does not exist.
    fn seen<'a>(&self, worker: &'a WorkerId) -> Result<&'a WorkerId, Halt> {
        if self.may_see(worker.component_id) {
            return Ok(worker);
        }
        Err(refused(&WorkerError::NotFound(worker.clone())))
    }
}

pub(super) fn refused(error: &WorkerError) -> Halt {
    Halt::InvalidRequest(error.to_string())
}

fn boolean(value: &Value) -> bool {
    matches!(value, Value::Bool(true))
}

impl host::Host for Linked<'_> {
    async fn create_promise(&mut self) -> Result<PromiseId> {
        let log = self.0.link.as_ref().map(|link| link.log);
        let created = PromiseCreated {
            worker: self.0.guest.worker.worker_name.clone(),
        };
        let (index, created) = self.0.journal()?.promise(created, |index| {
            let pending = log.map(|log| Op::PutKv {
                space: KvSpace::Promise,
                key: PromiseRow::key(log, index),
                value: PromiseRow::default().to_bytes(),
            });
            pending.into_iter().collect()
        })?;
        // A fork repeats the name that its origin has seen.
        let creator = WorkerId::new(self.0.guest.worker.component_id, created.worker);
        Ok(PromiseId {
            worker_id: wit_worker_id(&creator),
            oplog_idx: index.0,
        })
    }

    async fn await_promise(&mut self, id: PromiseId) -> Result<Vec<u8>> {
        let worker = worker_id(&id.worker_id);
        let what = promise_text(&worker, id.oplog_idx);
        let input = input_hash(&[what.as_bytes()]);
        let recorded = !self.0.is_unrecorded();
        if recorded && let Some(value) = self.0.journal()?.replayed(AWAIT_PROMISE, input)? {
            return match value {
                Value::Bytes(bytes) => Ok(bytes),
                _ => Err(Halt::InvalidRequest("a recorded promise has another type".into()).into()),
            };
        }
        self.0.go_live()?;
        let wait = self.0.promise_wait(&worker, id.oplog_idx).await?;
        let link = self.0.link.clone();
        let sources = recorded.then(|| vec![Source::Promise(Arc::clone(&wait))]);
        let ((), also) = wait_outside(link.as_ref(), sources, wait.ready()).await;
        let Some(bytes) = self.0.promise_value(&wait, &what)? else {
            return Err(Halt::InvalidRequest(format!("{what} has no value")).into());
        };
        if recorded {
            let value = Value::Bytes(bytes.clone());
            self.0
                .journal()?
                .record_with(AWAIT_PROMISE, input, &value, also)?;
        }
        Ok(bytes)
    }

    async fn complete_promise(&mut self, id: PromiseId, data: Vec<u8>) -> Result<bool> {
        let worker = worker_id(&id.worker_id);
        let what = promise_text(&worker, id.oplog_idx);
        let index = OplogIndex(id.oplog_idx);
        let request = Value::Bytes(data.clone()).to_bytes();
        let completed = self
            .0
            .change_elsewhere(
                COMPLETE_PROMISE,
                &what,
                &request,
                async |state: &mut HostState, again| {
                    let node = state.rpc.node();
                    let owner = state.guest.promise_owner(&worker, index.0);
                    let completed = node
                        .complete_promise(state.seen(&owner)?, index, data.clone())
                        .await
                        .map_err(|error| refused(&error))?;
                    // Done before a crash, and not recorded: its value is ours then.
                    let ours = again && !completed && {
                        let wait = state.promise_wait(&worker, index.0).await?;
                        state.promise_value(&wait, &what)?.as_ref() == Some(&data)
                    };
                    Ok(Value::Bool(completed || ours))
                },
            )
            .await?;
        Ok(boolean(&completed))
    }

    async fn delete_promise(&mut self, id: PromiseId) -> Result<()> {
        let worker = worker_id(&id.worker_id);
        let what = promise_text(&worker, id.oplog_idx);
        let index = OplogIndex(id.oplog_idx);
        self.0
            .change_elsewhere(
                DELETE_PROMISE,
                &what,
                &[],
                async |state: &mut HostState, _| {
                    let node = state.rpc.node();
                    let owner = state.guest.promise_owner(&worker, index.0);
                    let deleted = node
                        .delete_promise(state.seen(&owner)?, index)
                        .await
                        .map_err(|error| refused(&error))?;
                    Ok(Value::Bool(deleted))
                },
            )
            .await?;
        Ok(())
    }

    async fn get_self_uri(&mut self, function_name: String) -> Result<Uri> {
        let function = golem_model::urn::percent_encode(&function_name);
        let input = input_hash(&[function_name.as_bytes()]);
        // Recorded, because a fork repeats what its origin has seen.
        let value = self.0.durable(SELF_URI, input, |state| {
            let urn = worker_urn(&state.guest.worker);
            Ok(Value::String(format!("{urn}/{function}")))
        })?;
        match value {
            Value::String(value) => Ok(Uri { value }),
            _ => Err(Halt::InvalidRequest("a recorded URI has another type".into()).into()),
        }
    }

    async fn get_oplog_index(&mut self) -> Result<Index> {
        let event = Event::NoOp(NoOp {});
        let (index, _) = self
            .0
            .journal()?
            .mark("a question for the oplog index", event, |_| Vec::new())?;
        Ok(index.0)
    }

    async fn set_oplog_index(&mut self, oplog_idx: Index) -> Result<()> {
        let target = OplogIndex(oplog_idx);
        let first = self.0.invoking.started;
        self.0.go_live()?;
        let journal = self.0.journal()?;
        let Some(writer) = journal.writer().cloned() else {
            journal.stops()?;
            return Err(Halt::InvalidRequest("an ephemeral worker has no oplog".into()).into());
        };
        let Some(link) = self.0.link.clone() else {
            return Err(Halt::InvalidRequest("an ephemeral worker has no oplog".into()).into());
        };
        let mut writer = writer.lock();
        let tail = writer.tail();
        let undone = link.regions.lock().contains(target);
        if target < first || target > tail || undone {
            let text = format!(
                "oplog index {target} cannot be set: it has to be one of this invocation, from {first} to {tail}, that was not undone"
            );
            return Err(Halt::InvalidRequest(text).into());
        }
        if target < tail {
            link.undo(&mut writer, target.next(), JumpReason::SetIndex);
            let mut atomic = link.atomic.lock();
            if atomic.is_some_and(|begin| begin > target) {
                *atomic = None;
            }
        }
        Err(Halt::Restart.into())
    }

    async fn oplog_commit(&mut self, _replicas: u8) -> Result<()> {
        // Everything that was only repeated is durable already, and there is one copy of this log.
        if self.0.journal()?.peek()?.is_none() {
            self.0.written().await?;
        }
        Ok(())
    }

    async fn mark_begin_operation(&mut self) -> Result<Index> {
        let event = Event::BeginAtomic(BeginAtomic {});
        let what = "the begin of an atomic region";
        let (index, _) = self.0.journal()?.mark(what, event, |_| Vec::new())?;
        if let Some(link) = &self.0.link {
            link.atomic.lock().get_or_insert(index);
        }
        // What goes wrong from here on is done again from here, so that has to be known before anything happens.
        self.0.written().await?;
        Ok(index.0)
    }

    async fn mark_end_operation(&mut self, begin: Index) -> Result<()> {
        let event = Event::EndAtomic(EndAtomic { begin });
        let what = "the end of an atomic region";
        self.0.journal()?.mark(what, event, |_| Vec::new())?;
        if let Some(link) = &self.0.link {
            let mut atomic = link.atomic.lock();
            if *atomic == Some(OplogIndex(begin)) {
                *atomic = None;
            }
        }
        Ok(())
    }

    async fn get_retry_policy(&mut self) -> Result<RetryPolicy> {
        let value = self.0.durable(GET_RETRY_POLICY, 0, |state| {
            let own = state
                .link
                .as_ref()
                .and_then(|link| link.retry_policy.lock().clone());
            Ok(policy_value(
                &own.unwrap_or_else(crate::retry::default_policy),
            ))
        })?;
        let policy = policy_from(&value)
            .ok_or_else(|| Halt::InvalidRequest("a recorded policy has another type".into()))?;
        Ok(RetryPolicy {
            max_attempts: policy.max_attempts,
            min_delay: policy.min_delay,
            max_delay: policy.max_delay,
            multiplier: policy.multiplier,
            max_jitter_factor: policy.max_jitter_factor,
        })
    }

    async fn set_retry_policy(&mut self, new_retry_policy: RetryPolicy) -> Result<()> {
        let policy = Policy {
            max_attempts: new_retry_policy.max_attempts,
            min_delay: new_retry_policy.min_delay,
            max_delay: new_retry_policy.max_delay,
            multiplier: new_retry_policy.multiplier,
            max_jitter_factor: new_retry_policy.max_jitter_factor,
        };
        let event = Event::ChangeRetryPolicy(ChangeRetryPolicy {
            policy: Some(policy.clone()),
        });
        let what = "a change of the retry policy";
        let (_, new) = self.0.journal()?.mark(what, event, |_| Vec::new())?;
        if let (true, Some(link)) = (new, &self.0.link) {
            *link.retry_policy.lock() = Some(policy);
        }
        Ok(())
    }

    async fn get_oplog_persistence_level(&mut self) -> Result<Level> {
        Ok(match self.0.persistence {
            PersistenceLevel::Smart => Level::Smart,
            PersistenceLevel::RemoteSideEffects => Level::PersistRemoteSideEffects,
            PersistenceLevel::Nothing => Level::PersistNothing,
        })
    }

    async fn set_oplog_persistence_level(&mut self, new_persistence_level: Level) -> Result<()> {
        let level = match new_persistence_level {
            Level::Smart => PersistenceLevel::Smart,
            Level::PersistRemoteSideEffects => PersistenceLevel::RemoteSideEffects,
            Level::PersistNothing => PersistenceLevel::Nothing,
        };
        if level == PersistenceLevel::Nothing {
            // What follows is not recorded: it would be done, and a rehearsal does nothing.
            self.0.journal()?.stops()?;
        }
        let event = Event::ChangePersistence(ChangePersistence {
            level: level as i32,
        });
        let what = "a change of the persistence level";
        self.0.journal()?.mark(what, event, |_| Vec::new())?;
        self.0.persistence = level;
        Ok(())
    }

    async fn get_idempotence_mode(&mut self) -> Result<bool> {
        Ok(self.0.idempotence)
    }

    async fn set_idempotence_mode(&mut self, idempotent: bool) -> Result<()> {
        // Follows from what the guest did before, so a replay sets it at the same place.
        self.0.idempotence = idempotent;
        Ok(())
    }

    async fn generate_idempotency_key(&mut self) -> Result<Uuid> {
        // A function of the invocation and its calls: the same after a crash without an entry, and in the history of a fork.
        let journal = self.0.journal()?;
        journal.refuses("golem:api/host.generate-idempotency-key")?;
        let salt = journal.salt()?;
        let number = self.0.invoking.next_call();
        let worker = self.0.guest.seen_worker();
        let IdempotencyKey(key) = self.0.invoking.key.derive(&worker, number, salt);
        let uuid =
            RawUuid::parse_str(&key).map_err(|error| Halt::InvalidRequest(error.to_string()))?;
        Ok(wit_uuid(uuid))
    }

    async fn update_worker(
        &mut self,
        id: host::WorkerId,
        target_version: ComponentVersion,
        mode: UpdateMode,
    ) -> Result<()> {
        let worker = worker_id(&id);
        let mode = match mode {
            UpdateMode::Automatic => Mode::Automatic,
            UpdateMode::SnapshotBased => Mode::SnapshotBased,
        };
        let subject = format!("{} to version {target_version}", worker_urn(&worker));
        let own = worker == self.0.guest.worker;
        self.0
            .change_elsewhere(
                UPDATE_WORKER,
                &subject,
                &[],
                async |state: &mut HostState, again| {
                    let node = state.rpc.node();
                    state.seen(&worker)?;
                    let update =
                        async move { node.update_worker(&worker, target_version, mode).await };
                    if own {
                        // An update of oneself stops this invocation, which goes on afterwards: it cannot be waited for.
                        if !again {
                            tokio::spawn(update);
                        }
                    } else {
                        match update.await {
                            Err(WorkerError::BadUpdate { .. }) if again => {}
                            other => other.map_err(|error| refused(&error))?,
                        }
                    }
                    Ok(Value::Bool(true))
                },
            )
            .await?;
        Ok(())
    }

    async fn get_self_metadata(&mut self) -> Result<WorkerMetadata> {
        let worker = self.0.guest.worker.clone();
        let found = self.0.metadata(SELF_METADATA, &worker).await?;
        let found = found
            .ok_or_else(|| Halt::InvalidRequest("an ephemeral worker has no metadata".into()))?;
        Ok(found)
    }

    async fn get_worker_metadata(&mut self, id: host::WorkerId) -> Result<Option<WorkerMetadata>> {
        let worker = worker_id(&id);
        Ok(self.0.metadata(OTHER_METADATA, &worker).await?)
    }
}

fn policy_value(policy: &Policy) -> Value {
    let jitter = policy.max_jitter_factor;
    Value::Tuple(vec![
        Value::U32(policy.max_attempts),
        Value::U64(policy.min_delay),
        Value::U64(policy.max_delay),
        Value::F64(policy.multiplier),
        Value::Option(jitter.map(|jitter| Box::new(Value::F64(jitter)))),
    ])
}

fn policy_from(value: &Value) -> Option<Policy> {
    let Value::Tuple(parts) = value else {
        return None;
    };
    let [
        Value::U32(max_attempts),
        Value::U64(min_delay),
        Value::U64(max_delay),
        Value::F64(multiplier),
        Value::Option(jitter),
    ] = parts.as_slice()
    else {
        return None;
    };
    let max_jitter_factor = match jitter.as_deref() {
        None => None,
        Some(Value::F64(jitter)) => Some(*jitter),
        Some(_) => return None,
    };
    Some(Policy {
        max_attempts: *max_attempts,
        min_delay: *min_delay,
        max_delay: *max_delay,
        multiplier: *multiplier,
        max_jitter_factor,
    })
}
