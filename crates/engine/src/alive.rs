// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / alive: what is known of a worker that exists, and every entry that its life writes: creation, acceptance,
//! results, failures. In: decisions of the task. Out: entries with their marks and results, replies. Never runs wasm.
//! Bound: attempts by the retry policy. Read next: `worker.rs` (who decides), `queue.rs`. Why: architecture D9.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use golem_model::oplog::{
    Accepted, Completed, Create, EnvVar, Event, Exited, Failed, FailureKind, OplogEntry,
    Resumed as ResumedEntry, RetryPolicy, SecretPin, UpdateMode,
};
use golem_model::worker::{RowState, UpdateState, WorkerRow};
use golem_model::{IdempotencyKey, LogId, OplogIndex, Value, WorkerId};
use golem_storage::store::StoredResult;
use golem_storage::{Op, Seq, StoreError};
use parking_lot::Mutex;

use crate::activate::unpack;
use crate::checkpoint::Summary;
use crate::error::{Failure, WorkerError};
use crate::host::durable::input_hash;
use crate::host::{Guest, Origin, request_hash};
use crate::instance::Stopped;
use crate::limits::{CHECKPOINT_ENTRIES, NAME_BYTES_MAX, PAYLOAD_BYTES_MAX, check_bytes};
use crate::link::Link;
use crate::node::Node;
use crate::oplog::{Base, Ledger, SharedWriter, Writer};
use crate::queue::{CreateWith, Finished, Invocation, Queue, Queued};
use crate::retention::next_step;
use crate::retry;
use crate::rpc::worker_urn;
use crate::secrets::SecretError;
use crate::trace::{Traced, root};

/// The invocation that runs.
pub(crate) struct Current {
    pub(crate) accepted: OplogIndex,
    pub(crate) started: OplogIndex,
    pub(crate) key: IdempotencyKey,
    pub(crate) deadline: Option<u64>,
    /// What its spans need, if it belongs to a trace.
    pub(crate) traced: Option<Box<Traced>>,
}

/// An update that is under way.
pub(crate) struct Trying {
    pub(crate) version: u64,
    /// Versions of the secrets that it will have.
    pub(crate) secrets: Vec<SecretPin>,
    pub(crate) mode: UpdateMode,
    /// The new version has repeated the history, or has loaded the snapshot.
    pub(crate) done: Arc<AtomicBool>,
}

/// Everything about a worker that exists.
pub(crate) struct Alive {
    pub(crate) row: WorkerRow,
    pub(crate) guest: Arc<Guest>,
    pub(crate) writer: SharedWriter,
    pub(crate) queue: Queue,
    pub(crate) current: Option<Current>,
    pub(crate) failures: u32,
    pub(crate) link: Arc<Link>,
    /// When the current invocation runs again after a failure, µs since 1970.
    pub(crate) retry_at: Option<u64>,
    /// The current invocation waits outside memory; with `true` the store knows what wakes it.
    pub(crate) suspended: Option<bool>,
    /// How often its instance has left memory while its guest waited.
    pub(crate) absences: u64,
    /// Updates that were asked for, oldest first.
    pub(crate) updates: VecDeque<(u64, UpdateMode)>,
    /// The update that is under way.
    pub(crate) trying: Option<Trying>,
    /// Where replay begins, if not at the beginning of the log.
    pub(crate) base: Option<Base>,
    /// The base has changed since the log was read, or was not read: it is read again before the next replay.
    pub(crate) stale_base: bool,
    /// The newest checkpoint.
    pub(crate) checkpoint: Option<Arc<Summary>>,
    /// Entry of the log at which old results are looked for again.
    pub(crate) results_due: u64,
    /// Entry at which the next checkpoint is due; the worker may have told that it can have none.
    pub(crate) checkpoint_due: Option<OplogIndex>,
    /// The instance is to leave memory as soon as its image is taken.
    pub(crate) leaving: bool,
    /// It was created by this process and has never been activated: its log has nothing to repeat.
    pub(crate) fresh: bool,
    /// The log cannot be read: nothing can be done until somebody repairs it.
    pub(crate) damaged: Option<String>,
}

/// What became of an invocation that was handed in.
pub(crate) enum Admission {
    /// It is in the queue, or was: this key, this place in the stream.
    Accepted(IdempotencyKey, Seq),
    /// It had finished before.
    Done(Result<Finished, WorkerError>, Seq),
}

/// What a key stands for: a function and its arguments; of a request of HTTP, what makes it the same request.
pub(crate) fn call_hash(function: &str, input: &[u8]) -> u64 {
    if let Some(hash) = request_hash(function, input) {
        return hash;
    }
    input_hash(&[function.as_bytes(), input])
}

impl Alive {
    pub(crate) fn create(
        node: &Arc<Node>,
        id: &WorkerId,
        with: CreateWith,
    ) -> Result<Self, WorkerError> {
        check_bytes("worker name", id.worker_name.len(), NAME_BYTES_MAX)?;
        let component = node.component(id.component_id, None)?;
        let version = component.versioned_component_id.version;
        if let Some(missing) = node.missing_secrets(&component).into_iter().next() {
            return Err(SecretError::NotFound(missing).into());
        }
        let secrets = node.pins(&component);
        let start = node.shared_start(&component)?;
        // What is inherited is kept for heirs, and not for the guest itself.
        let is_given = with.parent.is_none() && !(with.args.is_empty() && with.env.is_empty());
        if start.is_some() && is_given {
            return Err(WorkerError::SharedStart(component.component_name.clone()));
        }
        let log = node.new_log(id)?;
        let env: Vec<EnvVar> = with
            .env
            .iter()
            .map(|(name, value)| EnvVar {
                name: name.clone(),
                value: value.clone(),
            })
            .collect();
        let row = WorkerRow {
            log: log.0,
            version,
            created_at: node.clock().wall_micros(),
            state: RowState::Live as i32,
            args: with.args.clone(),
            env: env.clone(),
            last_error: None,
            retry_count: 0,
            updates: Vec::new(),
            results_from: 0,
            secrets: secrets.clone(),
            start: start.clone(),
        };
        let create = Create {
            component: id.component_id.0.as_bytes().to_vec(),
            name: id.worker_name.clone(),
            version,
            args: with.args,
            env,
            parent: with.parent,
            secrets,
            start,
            ..Create::default()
        };
        let mut alive = Self::new(node, id, row, log, OplogIndex(0));
        alive.fresh = true;
        let put = alive.put_row(id);
        alive
            .writer
            .lock()
            .append_with(Event::Create(create), vec![put]);
        Ok(alive)
    }

    pub(crate) fn new(
        node: &Arc<Node>,
        id: &WorkerId,
        row: WorkerRow,
        log: LogId,
        tail: OplogIndex,
    ) -> Self {
        let guest = guest_of(id, &row, None);
        let link = Link::new(Arc::clone(node), id.clone(), log);
        Self {
            row,
            guest: Arc::new(guest),
            link: Arc::new(link),
            writer: Arc::new(Mutex::new(Writer::new(
                node.committer(),
                node.clock().clone(),
                log,
                tail,
            ))),
            queue: Queue::default(),
            current: None,
            failures: 0,
            retry_at: None,
            suspended: None,
            absences: 0,
            updates: VecDeque::new(),
            trying: None,
            base: None,
            stale_base: false,
            checkpoint: None,
            results_due: next_step(tail.0),
            checkpoint_due: Some(OplogIndex(tail.0 + CHECKPOINT_ENTRIES)),
            leaving: false,
            fresh: false,
            damaged: None,
        }
    }

    pub(crate) fn from_ledger(
        node: &Arc<Node>,
        id: &WorkerId,
        row: WorkerRow,
        log: LogId,
        ledger: Ledger,
    ) -> Result<Self, StoreError> {
        let mut alive = Self::new(node, id, row, log, ledger.tail);
        alive.failures = ledger.failures;
        alive.row.version = ledger.version;
        alive.row.secrets = ledger.secrets;
        alive.writer.lock().has_before(ledger.bytes);
        alive.guest = Arc::new(guest_of(id, &alive.row, ledger.origin));
        *alive.link.regions.lock() = ledger.regions.as_ref().clone();
        *alive.link.retry_policy.lock() = ledger.retry_policy;
        *alive.link.atomic.lock() = ledger.open_atomic;
        alive
            .link
            .mark(ledger.current.is_some() || !ledger.pending.is_empty());
        alive.base = ledger.base;
        alive.stale_base = ledger.has_base;
        alive.checkpoint_due = Some(OplogIndex(CHECKPOINT_ENTRIES));
        if !alive.is_live() && alive.row.state() != RowState::Interrupted {
            // What the log leaves open never runs: nobody may wait for it.
            return Ok(alive);
        }
        alive.updates = ledger
            .pending_updates
            .iter()
            .map(|update| (update.version, update.mode()))
            .collect();
        if let Some(base) = &alive.base
            && alive.row.updates.iter().any(|record| {
                record.version == alive.row.version && record.state() == UpdateState::Pending
            })
        {
            // The process ended while the new version was loading its snapshot.
            alive.trying = Some(Trying {
                version: base.version,
                secrets: alive.row.secrets.clone(),
                mode: UpdateMode::SnapshotBased,
                done: Arc::default(),
            });
        }
        if let Some(open) = ledger.current {
            let deadline = open.entry.deadline;
            let mut traced = remembered(node, log, open.accepted, &open.entry);
            if let Some(traced) = &mut traced {
                traced.started_at = node.written_at(log, open.started);
            }
            let (key, function, input) = unpack(open.entry, &node.payloads())?;
            alive
                .queue
                .accept(key.clone(), open.accepted, call_hash(&function, &input));
            alive.current = Some(Current {
                accepted: open.accepted,
                started: open.started,
                key,
                deadline,
                traced,
            });
            // Only while the store's timer or a promise is there to wake it.
            alive.suspended = ledger.suspended.map(|_| true);
        }
        for (accepted, entry) in ledger.pending {
            let deadline = entry.deadline;
            let traced = remembered(node, log, accepted, &entry);
            let (key, function, input) = unpack(entry, &node.payloads())?;
            alive
                .queue
                .accept(key.clone(), accepted, call_hash(&function, &input));
            alive.queue.pending.push_back(Queued {
                accepted,
                key,
                function,
                input,
                deadline,
                traced,
            });
        }
        if let Some(retry_at) = ledger.last_failure.and_then(|failed| failed.retry_at) {
            alive.retry_at = Some(retry_at);
        }
        if alive.suspended.is_none() {
            // The process ended between the end of the wait and the row that says so.
            let put = alive.put_live(id);
            node.committer().submit(put);
        }
        Ok(alive)
    }

    /// Invocations may run.
    pub(crate) fn is_live(&self) -> bool {
        matches!(
            self.row.state(),
            RowState::Live | RowState::Retrying | RowState::Suspended
        )
    }

    /// The soonest deadline of what runs or waits to run, µs of the steady clock.
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        if !self.is_live() {
            return None;
        }
        let current = self.current.as_ref().and_then(|current| current.deadline);
        let pending = self
            .queue
            .pending
            .iter()
            .filter_map(|queued| queued.deadline);
        current.into_iter().chain(pending).min()
    }

    /// The worker has this checkpoint.
    pub(crate) fn has_checkpoint(&mut self, summary: Summary) {
        self.checkpoint_due = Some(OplogIndex(summary.index + CHECKPOINT_ENTRIES));
        self.checkpoint = Some(Arc::new(summary));
    }

    /// How failures of the worker are retried.
    pub(crate) fn retry_policy(&self) -> RetryPolicy {
        let own = self.link.retry_policy.lock().clone();
        own.unwrap_or_else(retry::default_policy)
    }

    pub(crate) fn put_row(&self, id: &WorkerId) -> Op {
        Op::PutWorker {
            worker: id.clone(),
            log: LogId(self.row.log),
            row: self.row.to_bytes(),
        }
    }

    /// The worker was noted as waiting and goes on: what makes its row say so.
    pub(crate) fn put_live(&mut self, id: &WorkerId) -> Option<Op> {
        if self.row.state() != RowState::Suspended {
            return None;
        }
        self.row.set_state(RowState::Live);
        Some(self.put_row(id))
    }

    pub(crate) fn resume(&mut self, id: &WorkerId) {
        self.row.set_state(RowState::Live);
        let put = self.put_row(id);
        self.writer
            .lock()
            .append_with(Event::Resumed(ResumedEntry {}), vec![put]);
    }

    /// Appends the acceptance of a new invocation and queues it.
    pub(crate) fn admit(
        &mut self,
        node: &Node,
        invocation: Invocation,
        call: u64,
        also: Vec<Op>,
    ) -> Result<Admission, WorkerError> {
        let Invocation {
            key,
            function,
            input,
            caller,
            deadline,
            trace,
            ..
        } = invocation;
        let trace = trace.or_else(|| {
            node.tracer()
                .map(|_| root(&worker_urn(&self.guest.worker), &key))
        });
        let stored = node.payloads().store(input.clone())?;
        let entry = Accepted {
            key: key.0.clone(),
            function: function.clone(),
            input: stored.inline,
            input_blob: stored.blob,
            blob_bytes: stored.blob_bytes,
            caller,
            deadline,
            trace,
        };
        let traced = entry.trace.clone().map(|context| {
            let now = node.clock().wall_micros();
            Box::new(Traced {
                context,
                function: entry.function.clone(),
                accepted_at: now,
                started_at: now,
            })
        });
        let ops = self.link.mark_op().into_iter().chain(also).collect();
        let (accepted, seq) = {
            let mut writer = self.writer.lock();
            let accepted = writer.append_with(Event::Accepted(entry), ops);
            (accepted, writer.last())
        };
        node.metrics().accepted.add();
        self.queue.accept(key.clone(), accepted, call);
        self.queue.pending.push_back(Queued {
            accepted,
            key: key.clone(),
            function,
            input,
            deadline,
            traced,
        });
        Ok(Admission::Accepted(key, seq))
    }

    /// The outcome of a key that had finished before, with what it had called.
    pub(crate) async fn finished(
        &self,
        node: &Node,
        id: &WorkerId,
        key: &IdempotencyKey,
    ) -> Result<Option<(Result<Finished, WorkerError>, u64, Seq)>, WorkerError> {
        let (log, seq) = {
            let writer = self.writer.lock();
            (writer.log(), writer.last())
        };
        // The store knows what is durable; what was written a moment ago is waited for.
        node.committer()
            .wait(seq)
            .await
            .map_err(|_| WorkerError::Stopping)?;
        let found = node.store().result(log, key)?;
        // A result in a part of the history that was undone is none.
        let regions = self.link.regions.lock().clone();
        let Some(found) = found.filter(|found| !regions.reverted(found.finished)) else {
            return Ok(None);
        };
        let damage = |error: StoreError| WorkerError::Damaged {
            worker: id.clone(),
            detail: error.to_string(),
        };
        let (outcome, call) = read_outcome(node, id, log, found, seq).map_err(damage)?;
        Ok(Some((outcome, call, seq)))
    }

    /// The current invocation has a result.
    pub(crate) fn complete(&mut self, node: &Node, id: &WorkerId, value: Value) {
        let bytes = value.to_bytes();
        if let Err(error) = check_bytes("result", bytes.len(), PAYLOAD_BYTES_MAX) {
            let failure = Failure::new(FailureKind::InvalidRequest, error.to_string());
            return self.fail(node, id, failure, 0);
        }
        let stored = match node.payloads().store(bytes) {
            Ok(stored) => stored,
            Err(error) => return self.stop(node, id, Stopped::Store(error), 0),
        };
        let Some(current) = self.current.take() else {
            return;
        };
        node.metrics().completed.add();
        // A wait that was noted may have ended so short ago that the row does not say so yet.
        let live = self.put_live(id);
        let seq = {
            let mut writer = self.writer.lock();
            let mut also = vec![Op::PutResult {
                log: LogId(self.row.log),
                key: current.key.clone(),
                accepted: current.accepted,
                finished: writer.tail().next(),
            }];
            also.extend(live);
            if self.queue.pending.is_empty() {
                also.push(self.link.clear_op());
            }
            let entry = Completed {
                accepted: current.accepted.0,
                output: stored.inline,
                output_blob: stored.blob,
                blob_bytes: stored.blob_bytes,
            };
            writer.append_with(Event::Completed(entry), also);
            writer.last()
        };
        if let Some(traced) = current.traced {
            node.invocation_ended(id, self.row.version, &current.key, *traced, seq, None);
        }
        self.failures = 0;
        *self.link.atomic.lock() = None;
        for reply in self.queue.finish(&current.key) {
            reply.send(Ok(Finished {
                value: value.clone(),
                seq,
            }));
        }
        self.let_results_go(node, id);
    }

    /// The current invocation, or the activation, has no result.
    pub(crate) fn stop(&mut self, node: &Node, id: &WorkerId, stopped: Stopped, recorded: u64) {
        match stopped {
            Stopped::Failed(failure) => self.fail(node, id, failure, recorded),
            Stopped::Exited(status) => {
                self.row.set_state(RowState::Exited);
                let put = self.put_row(id);
                let clear = self.link.clear_op();
                self.writer
                    .lock()
                    .append_with(Event::Exited(Exited { status }), vec![put, clear]);
                for reply in self.queue.take_all() {
                    reply.send(Err(WorkerError::Exited(id.clone())));
                }
            }
            Stopped::Store(error) => {
                tracing::error!(worker = %id, %error, "the oplog cannot be used");
                self.damaged = Some(error.to_string());
                for reply in self.queue.take_all() {
                    reply.send(Err(WorkerError::Damaged {
                        worker: id.clone(),
                        detail: error.to_string(),
                    }));
                }
            }
            // The guest went back in its log, and what follows runs from there. No worker ends a rehearsal.
            Stopped::Restart | Stopped::End => {}
        }
    }

    pub(crate) fn fail(&mut self, node: &Node, id: &WorkerId, failure: Failure, recorded: u64) {
        node.metrics().failed.add();
        let attempt = self.failures + 1;
        // A second attempt that met nothing new did the same as the first, and so would a third.
        let hopeless = attempt > 1 && recorded == 0;
        let retriable = matches!(failure.kind, FailureKind::Trap | FailureKind::OutOfMemory);
        let delay = (retriable && !hopeless)
            .then(|| retry::delay(&self.retry_policy(), attempt, node.chance()))
            .flatten();
        let retry = delay.is_some();
        let accepted = self
            .current
            .as_ref()
            .map_or(0, |current| current.accepted.0);
        let retry_at = delay.map(|delay| node.clock().micros().saturating_add(delay));
        let entry = Event::Failed(Failed {
            accepted,
            kind: failure.kind as i32,
            message: failure.message.clone(),
            attempt,
            retry_at,
            trace: failure.trace.clone(),
            path: failure.path.clone(),
        });
        self.failures = attempt;
        self.row.last_error = Some(failure.message.clone());
        self.row.retry_count = attempt;
        tracing::warn!(worker = %id, attempt, retry, "{}", failure.message);
        if let Some(retry_at) = retry_at {
            self.retry_at = Some(retry_at);
            self.writer.lock().append(entry);
            return;
        }
        self.row.set_state(RowState::Failed);
        let put = self.put_row(id);
        let log = LogId(self.row.log);
        let mut also = vec![put, self.link.clear_op()];
        let current = self.current.take();
        let seq = {
            let mut writer = self.writer.lock();
            if let Some(current) = &current {
                let (key, accepted) = (current.key.clone(), current.accepted);
                also.push(Op::PutResult {
                    log,
                    key,
                    accepted,
                    finished: writer.tail().next(),
                });
            }
            writer.append_with(entry, also);
            writer.last()
        };
        if let Some((key, traced)) = current
            .as_ref()
            .and_then(|current| Some((&current.key, current.traced.clone()?)))
        {
            let error = Some(failure.message.clone());
            node.invocation_ended(id, self.row.version, key, *traced, seq, error);
        }
        let replies = current
            .map(|current| self.queue.finish(&current.key))
            .unwrap_or_default();
        // A failure is told when it is durable, so that nobody hears of one that a crash turns into a success.
        let others = self.queue.take_all();
        let committer = node.committer();
        let worker = id.clone();
        tokio::spawn(async move {
            let durable = committer.wait(seq).await.is_ok();
            for reply in replies {
                reply.send(Err(if durable {
                    WorkerError::from(failure.clone())
                } else {
                    WorkerError::Stopping
                }));
            }
            for reply in others {
                reply.send(Err(WorkerError::PreviousFailed {
                    worker: worker.clone(),
                    message: failure.message.clone(),
                }));
            }
        });
    }
}

/// What the spans of an accepted invocation need; its start is not known yet.
fn remembered(
    node: &Node,
    log: LogId,
    index: OplogIndex,
    accepted: &Accepted,
) -> Option<Box<Traced>> {
    let context = accepted.trace.clone()?;
    let accepted_at = node.written_at(log, index);
    Some(Box::new(Traced {
        context,
        function: accepted.function.clone(),
        accepted_at,
        started_at: accepted_at,
    }))
}

/// Who the guest of a worker is. `origin`: whom it was forked from.
pub(crate) fn guest_of(id: &WorkerId, row: &WorkerRow, origin: Option<Origin>) -> Guest {
    let env = row.env.iter();
    Guest {
        worker: id.clone(),
        origin,
        version: row.version,
        args: row.args.clone(),
        env: env
            .map(|var| (var.name.clone(), var.value.clone()))
            .collect(),
        secrets: row.secrets.clone(),
        start: row.start.clone(),
    }
}

/// What whoever waits for a key hears of its failure.
pub(crate) fn failed_error(id: &WorkerId, key: &str, failure: Failure) -> WorkerError {
    let (worker, key) = (id.clone(), key.to_owned());
    match failure.kind {
        FailureKind::Timeout => WorkerError::Timeout { worker, key },
        FailureKind::Cancelled => WorkerError::Cancelled { worker, key },
        _ => failure.into(),
    }
}

/// Reads the outcome of a finished key back from the log.
fn read_outcome(
    node: &Node,
    id: &WorkerId,
    log: LogId,
    found: StoredResult,
    seq: Seq,
) -> Result<(Result<Finished, WorkerError>, u64), StoreError> {
    let entry = |index: OplogIndex| -> Result<Event, StoreError> {
        let corrupt = |detail: String| StoreError::Corrupt {
            what: format!("entry {index} of worker {id}"),
            detail,
        };
        let bytes = node.store().read(log, index, 1, 0)?;
        let bytes = bytes.first().ok_or_else(|| corrupt("missing".into()))?;
        let entry = OplogEntry::from_bytes(bytes).map_err(|error| corrupt(error.to_string()))?;
        entry
            .event
            .ok_or_else(|| corrupt("of a newer format".into()))
    };
    let wrong = |what: &str| StoreError::Corrupt {
        what: format!("result of worker {id}"),
        detail: what.to_owned(),
    };
    let Event::Accepted(accepted) = entry(found.accepted)? else {
        return Err(wrong("it names no accepted invocation"));
    };
    let (key, function, input) = unpack(accepted, &node.payloads())?;
    let call = call_hash(&function, &input);
    match entry(found.finished)? {
        Event::Completed(completed) => {
            let bytes = node
                .payloads()
                .load(completed.output, completed.output_blob)?;
            let value = Value::from_bytes(&bytes).map_err(|error| wrong(&error.to_string()))?;
            Ok((Ok(Finished { value, seq }), call))
        }
        Event::Failed(failed) => {
            let failure = Failure {
                kind: failed.kind(),
                message: failed.message,
                trace: failed.trace,
                path: failed.path,
            };
            Ok((Err(failed_error(id, &key.0, failure)), call))
        }
        Event::Cancelled(_) => {
            let (worker, key) = (id.clone(), key.0);
            Ok((Err(WorkerError::Cancelled { worker, key }), call))
        }
        _ => Err(wrong("it names no outcome")),
    }
}
