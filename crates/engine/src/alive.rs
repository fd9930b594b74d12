// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / alive: what is known of a worker that exists, and every entry that its life writes: creation, acceptance,
//! results, failures. In: decisions of the task. Out: entries with their marks and results, replies. Never runs wasm.
//! Bound: `ATTEMPTS_MAX` attempts. Read next: `worker.rs` (who decides), `queue.rs`. Why: architecture D9.

use std::sync::Arc;
use std::time::Duration;

use golem_model::oplog::{
    Accepted, Completed, Create, EnvVar, Event, Exited, Failed, FailureKind, OplogEntry,
    Resumed as ResumedEntry,
};
use golem_model::worker::{RowState, WorkerRow};
use golem_model::{IdempotencyKey, LogId, OplogIndex, Value, WorkerId};
use golem_storage::store::StoredResult;
use golem_storage::{Op, Seq, StoreError};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::activate::unpack;
use crate::error::WorkerError;
use crate::host::Guest;
use crate::host::durable::input_hash;
use crate::instance::Stopped;
use crate::limits::{NAME_BYTES_MAX, PAYLOAD_BYTES_MAX, check_bytes};
use crate::node::Node;
use crate::oplog::{Ledger, SharedWriter, Writer, now_micros};
use crate::queue::{CreateWith, Finished, Invocation, Queue, Queued};

/// How often a failing invocation runs before it has failed for good. Source: runtime spec §1.4.
const ATTEMPTS_MAX: u32 = 3;
/// Pause before the second attempt; every further one is [`RETRY_FACTOR`] times longer. Source: runtime spec §1.4.
const RETRY_DELAY: Duration = Duration::from_millis(100);
/// See [`RETRY_DELAY`].
const RETRY_FACTOR: u32 = 3;

/// The invocation that runs.
pub(crate) struct Current {
    pub(crate) accepted: OplogIndex,
    pub(crate) key: IdempotencyKey,
}

/// Everything about a worker that exists.
pub(crate) struct Alive {
    pub(crate) row: WorkerRow,
    pub(crate) guest: Arc<Guest>,
    pub(crate) writer: SharedWriter,
    pub(crate) queue: Queue,
    pub(crate) current: Option<Current>,
    pub(crate) failures: u32,
    pub(crate) marked: bool,
    pub(crate) retry_at: Option<Instant>,
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

/// What a key stands for.
pub(crate) fn call_hash(function: &str, input: &[u8]) -> u64 {
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
            created_at: now_micros(),
            state: RowState::Live as i32,
            args: with.args.clone(),
            env: env.clone(),
            last_error: None,
            retry_count: 0,
        };
        let create = Create {
            component: id.component_id.0.as_bytes().to_vec(),
            name: id.worker_name.clone(),
            version,
            args: with.args,
            env,
            parent: with.parent,
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
        let guest = Guest {
            worker: id.clone(),
            version: row.version,
            args: row.args.clone(),
            env: row
                .env
                .iter()
                .map(|var| (var.name.clone(), var.value.clone()))
                .collect(),
        };
        Self {
            row,
            guest: Arc::new(guest),
            writer: Arc::new(Mutex::new(Writer::new(node.committer(), log, tail))),
            queue: Queue::default(),
            current: None,
            failures: 0,
            marked: false,
            retry_at: None,
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
        if matches!(alive.row.state(), RowState::Failed | RowState::Exited) {
            // What the log leaves open never runs: nobody may wait for it.
            return Ok(alive);
        }
        alive.marked = ledger.current.is_some() || !ledger.pending.is_empty();
        if let Some((accepted, entry)) = ledger.current {
            let (key, function, input) = unpack(entry, &node.payloads())?;
            alive
                .queue
                .accept(key.clone(), accepted, call_hash(&function, &input));
            alive.current = Some(Current { accepted, key });
        }
        for (accepted, entry) in ledger.pending {
            let (key, function, input) = unpack(entry, &node.payloads())?;
            alive
                .queue
                .accept(key.clone(), accepted, call_hash(&function, &input));
            alive.queue.pending.push_back(Queued {
                accepted,
                key,
                function,
                input,
            });
        }
        if let Some(retry_at) = ledger.last_failure.and_then(|failed| failed.retry_at) {
            let wait = Duration::from_micros(retry_at.saturating_sub(now_micros()));
            alive.retry_at = Some(Instant::now() + wait);
        }
        Ok(alive)
    }

    pub(crate) fn put_row(&self, id: &WorkerId) -> Op {
        Op::PutWorker {
            worker: id.clone(),
            log: LogId(self.row.log),
            row: self.row.to_bytes(),
        }
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
        id: &WorkerId,
        invocation: Invocation,
        call: u64,
    ) -> Result<Admission, WorkerError> {
        let Invocation {
            key,
            function,
            input,
            caller,
            ..
        } = invocation;
        let (inline, input_blob) = node.payloads().store(input.clone())?;
        let entry = Accepted {
            key: key.0.clone(),
            function: function.clone(),
            input: inline,
            input_blob,
            caller,
        };
        let mark = (!self.marked).then(|| Op::SetRunning {
            worker: id.clone(),
            log: LogId(self.row.log),
        });
        self.marked = true;
        let (accepted, seq) = {
            let mut writer = self.writer.lock();
            let accepted = writer.append_with(Event::Accepted(entry), mark.into_iter().collect());
            (accepted, writer.last())
        };
        self.queue.accept(key.clone(), accepted, call);
        self.queue.pending.push_back(Queued {
            accepted,
            key: key.clone(),
            function,
            input,
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
        let Some(found) = node.store().result(log, key)? else {
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
            return self.fail(node, id, FailureKind::InvalidRequest, error.to_string(), 0);
        }
        let (output, output_blob) = match node.payloads().store(bytes) {
            Ok(stored) => stored,
            Err(error) => return self.stop(node, id, Stopped::Store(error), 0),
        };
        let Some(current) = self.current.take() else {
            return;
        };
        let seq = {
            let mut writer = self.writer.lock();
            let mut also = vec![Op::PutResult {
                log: LogId(self.row.log),
                key: current.key.clone(),
                accepted: current.accepted,
                finished: writer.tail().next(),
            }];
            if self.queue.pending.is_empty() {
                self.marked = false;
                also.push(Op::ClearRunning {
                    log: LogId(self.row.log),
                });
            }
            let entry = Completed {
                accepted: current.accepted.0,
                output,
                output_blob,
            };
            writer.append_with(Event::Completed(entry), also);
            writer.last()
        };
        self.failures = 0;
        for reply in self.queue.finish(&current.key) {
            reply.send(Ok(Finished {
                value: value.clone(),
                seq,
            }));
        }
    }

    /// The current invocation, or the activation, has no result.
    pub(crate) fn stop(&mut self, node: &Node, id: &WorkerId, stopped: Stopped, recorded: u64) {
        match stopped {
            Stopped::Failed { kind, message } => self.fail(node, id, kind, message, recorded),
            Stopped::Exited(status) => {
                self.row.set_state(RowState::Exited);
                let put = self.put_row(id);
                let clear = Op::ClearRunning {
                    log: LogId(self.row.log),
                };
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
        }
    }

    pub(crate) fn fail(
        &mut self,
        node: &Node,
        id: &WorkerId,
        kind: FailureKind,
        message: String,
        recorded: u64,
    ) {
        let attempt = self.failures + 1;
        // A second attempt that met nothing new did the same as the first, and so would a third.
        let hopeless = attempt > 1 && recorded == 0;
        let retry = matches!(kind, FailureKind::Trap | FailureKind::OutOfMemory)
            && attempt < ATTEMPTS_MAX
            && !hopeless;
        let delay = RETRY_DELAY * RETRY_FACTOR.saturating_pow(self.failures);
        let accepted = self
            .current
            .as_ref()
            .map_or(0, |current| current.accepted.0);
        let retry_at =
            retry.then(|| now_micros() + u64::try_from(delay.as_micros()).unwrap_or(u64::MAX));
        let entry = Event::Failed(Failed {
            accepted,
            kind: kind as i32,
            message: message.clone(),
            attempt,
            retry_at,
        });
        self.failures = attempt;
        self.row.last_error = Some(message.clone());
        self.row.retry_count = attempt;
        tracing::warn!(worker = %id, attempt, retry, "{message}");
        if retry {
            self.retry_at = Some(Instant::now() + delay);
            self.writer.lock().append(entry);
            return;
        }
        self.row.set_state(RowState::Failed);
        let put = self.put_row(id);
        let log = LogId(self.row.log);
        let mut also = vec![put, Op::ClearRunning { log }];
        self.marked = false;
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
                let failed = WorkerError::Failed {
                    kind,
                    message: message.clone(),
                };
                reply.send(Err(if durable {
                    failed
                } else {
                    WorkerError::Stopping
                }));
            }
            for reply in others {
                reply.send(Err(WorkerError::PreviousFailed {
                    worker: worker.clone(),
                    message: message.clone(),
                }));
            }
        });
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
    let (_, function, input) = unpack(accepted, &node.payloads())?;
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
            let kind = failed.kind();
            Ok((
                Err(WorkerError::Failed {
                    kind,
                    message: failed.message,
                }),
                call,
            ))
        }
        _ => Err(wrong("it names no outcome")),
    }
}
