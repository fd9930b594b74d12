// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / worker: one task per active worker owns everything about it. In: messages. Out: entries, replies.
//! One invocation at a time, in the order of acceptance; new ones are accepted while one runs. The task ends when nothing
//! is left in memory. Read next: `activate.rs`, `instance.rs`, `queue.rs`. Why: architecture D14.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use golem_model::oplog::{
    Accepted, Completed, Create, EnvVar, Event, Exited, Failed, FailureKind, Interrupted,
    OplogEntry, Resumed as ResumedEntry, Started,
};
use golem_model::worker::{RowState, WorkerRow, WorkerStatus};
use golem_model::{IdempotencyKey, LogId, OplogIndex, Timestamp, Value, WorkerId};
use golem_storage::store::StoredResult;
use golem_storage::{Op, StoreError};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use crate::activate::{Activation, activate, run, unpack};
use crate::error::WorkerError;
use crate::host::Guest;
use crate::host::clock::real_nanos;
use crate::host::durable::input_hash;
use crate::instance::{Instance, Stopped};
use crate::limits::QUEUE_MAX;
use crate::node::{CreatedWorker, Node, WorkerView};
use crate::oplog::{Ledger, SharedWriter, Writer, now_micros};
use crate::queue::{CreateWith, Finished, Invocation, Queue, Queued, Reply};
use crate::rpc::Rpc;

/// How often a failing invocation runs before it has failed for good. Source: runtime spec §1.4.
const ATTEMPTS_MAX: u32 = 3;
/// Pause before the second attempt; every further one is [`RETRY_FACTOR`] times longer. Source: runtime spec §1.4.
const RETRY_DELAY: Duration = Duration::from_millis(100);
/// See [`RETRY_DELAY`].
const RETRY_FACTOR: u32 = 3;

/// What a worker is asked.
pub(crate) enum Message {
    /// Create it.
    Create(
        CreateWith,
        oneshot::Sender<Result<(CreatedWorker, golem_storage::Seq), WorkerError>>,
    ),
    /// Invoke it.
    Invoke(Box<Invocation>),
    /// Describe it.
    View(oneshot::Sender<Result<WorkerView, WorkerError>>),
    /// Stop what runs; with `true` start it again at once, as after a crash.
    Interrupt(bool, oneshot::Sender<Result<(), WorkerError>>),
    /// Go on after an interrupt.
    Resume(oneshot::Sender<Result<(), WorkerError>>),
    /// Delete it.
    Delete(oneshot::Sender<Result<(), WorkerError>>),
    /// Leave memory if nothing runs.
    Evict,
    /// Go on with what the log leaves open: the server has started.
    Wake,
}

/// The end of something that ran.
enum Ran {
    /// The log was repeated, nothing was open.
    Activated(Instance),
    /// The current invocation ended.
    Ended {
        instance: Option<Instance>,
        result: Result<Value, Stopped>,
        recorded: u64,
    },
}

struct Current {
    accepted: OplogIndex,
    key: IdempotencyKey,
}

/// Everything about a worker that exists.
struct Alive {
    row: WorkerRow,
    guest: Arc<Guest>,
    writer: SharedWriter,
    queue: Queue,
    current: Option<Current>,
    failures: u32,
    marked: bool,
    retry_at: Option<Instant>,
    /// The log cannot be read: nothing can be done until somebody repairs it.
    damaged: Option<String>,
}

/// The task of a worker.
pub(crate) struct Worker {
    node: Arc<Node>,
    id: WorkerId,
    messages: mpsc::UnboundedReceiver<Message>,
    alive: Option<Alive>,
    instance: Option<Instance>,
    running: Option<Pin<Box<dyn Future<Output = Ran> + Send>>>,
}

impl Worker {
    /// The task of worker `id`.
    pub(crate) fn new(
        node: Arc<Node>,
        id: WorkerId,
        messages: mpsc::UnboundedReceiver<Message>,
    ) -> Self {
        Self {
            node,
            id,
            messages,
            alive: None,
            instance: None,
            running: None,
        }
    }

    /// Runs until nothing of the worker is left in memory.
    pub(crate) async fn run(mut self) {
        loop {
            self.start_next();
            if self.running.is_none()
                && self.instance.is_none()
                && !self.has_work()
                && self.node.leave(&self.id, &self.messages)
            {
                return;
            }
            let retry_at = self.alive.as_ref().and_then(|alive| alive.retry_at);
            tokio::select! {
                message = self.messages.recv() => match message {
                    Some(message) => self.handle(message).await,
                    None => return,
                },
                ran = async { match &mut self.running { Some(running) => running.await, None => std::future::pending().await } } => {
                    self.running = None;
                    self.ran(ran);
                }
                () = async { match retry_at { Some(at) => sleep_until(at).await, None => std::future::pending().await } } => {
                    if let Some(alive) = &mut self.alive {
                        alive.retry_at = None;
                    }
                }
            }
        }
    }

    /// Something is accepted and unfinished, and may run now or later.
    fn has_work(&self) -> bool {
        self.alive.as_ref().is_some_and(|alive| {
            alive.damaged.is_none()
                && matches!(alive.row.state(), RowState::Live | RowState::Retrying)
                && (alive.current.is_some() || !alive.queue.pending.is_empty())
        })
    }

    /// Starts the next thing to run, if there is one and nothing runs.
    fn start_next(&mut self) {
        if self.running.is_some() || !self.has_work() {
            return;
        }
        let Some(alive) = &mut self.alive else { return };
        if alive.retry_at.is_some() {
            return;
        }
        self.node.instance_busy(&self.id);
        let Some(mut instance) = self.instance.take() else {
            let parts = match self
                .node
                .component_loaded(self.id.component_id, alive.row.version)
            {
                Ok(loaded) => Activation {
                    loaded,
                    guest: Arc::clone(&alive.guest),
                    store: self.node.store(),
                    writer: Arc::clone(&alive.writer),
                    payloads: self.node.payloads(),
                    rpc: Rpc::new(Arc::clone(&self.node)),
                },
                Err(error) => {
                    let result = Err(Stopped::failed(
                        FailureKind::InvalidRequest,
                        error.to_string(),
                    ));
                    self.running = Some(Box::pin(async {
                        Ran::Ended {
                            instance: None,
                            result,
                            recorded: 0,
                        }
                    }));
                    return;
                }
            };
            let node = Arc::clone(&self.node);
            let written = alive.writer.lock().last();
            self.running = Some(Box::pin(async move {
                // A log is read from the store, so all of it has to be there.
                if node.committer().wait(written).await.is_err() {
                    return std::future::pending().await;
                }
                match activate(parts).await {
                    Ok((instance, None)) => Ran::Activated(instance),
                    Ok((instance, Some(resumed))) => Ran::Ended {
                        instance: Some(instance),
                        result: resumed.result,
                        recorded: resumed.recorded,
                    },
                    Err(stopped) => Ran::Ended {
                        instance: None,
                        result: Err(stopped),
                        recorded: 0,
                    },
                }
            }));
            return;
        };
        let Some(next) = alive.queue.pending.pop_front() else {
            self.instance = Some(instance);
            return;
        };
        let now = real_nanos();
        alive.writer.lock().append(Event::Started(Started {
            accepted: next.accepted.0,
            now,
        }));
        alive.current = Some(Current {
            accepted: next.accepted,
            key: next.key.clone(),
        });
        self.running = Some(Box::pin(async move {
            let before = instance.recorded().unwrap_or(0);
            let result = match Value::from_bytes(&next.input) {
                Ok(input) => run(&mut instance, next.key, &next.function, &input, now).await,
                Err(error) => Err(Stopped::failed(
                    FailureKind::InvalidRequest,
                    format!("arguments: {error}"),
                )),
            };
            let recorded = instance.recorded().unwrap_or(0) - before;
            Ran::Ended {
                instance: Some(instance),
                result,
                recorded,
            }
        }));
    }

    /// Something that ran has ended.
    fn ran(&mut self, ran: Ran) {
        let Some(alive) = &mut self.alive else { return };
        match ran {
            Ran::Activated(instance) => {
                if let Some(current) = alive.current.take() {
                    // The log says that it runs, yet repeating the log finished it: the ledger was read wrongly.
                    tracing::error!(worker = %self.id, accepted = %current.accepted, "an open invocation was not found in replay");
                }
                self.instance = Some(instance);
            }
            Ran::Ended {
                instance,
                result: Ok(value),
                ..
            } => {
                alive.complete(&self.node, value);
                self.instance = instance;
            }
            Ran::Ended {
                result: Err(stopped),
                recorded,
                ..
            } => alive.stop(&self.node, &self.id, stopped, recorded),
        }
        if self.instance.is_some() {
            self.node.instance_idle(&self.id);
        } else {
            self.node.instance_gone(&self.id);
        }
    }

    async fn handle(&mut self, message: Message) {
        match message {
            Message::Create(with, reply) => {
                let outcome = self.create(with);
                drop(reply.send(outcome));
            }
            Message::Invoke(invocation) => self.invoke(*invocation).await,
            Message::View(reply) => {
                let view = match self.open() {
                    Ok(true) => self.view(),
                    Ok(false) => Err(WorkerError::NotFound(self.id.clone())),
                    Err(error) => Err(error),
                };
                drop(reply.send(view));
            }
            Message::Interrupt(again, reply) => {
                let outcome = self.interrupt(again).await;
                drop(reply.send(outcome));
            }
            Message::Resume(reply) => {
                let outcome = self.resume().await;
                drop(reply.send(outcome));
            }
            Message::Delete(reply) => {
                let outcome = self.delete().await;
                drop(reply.send(outcome));
            }
            Message::Evict => {
                if self.running.is_none() {
                    self.instance = None;
                    self.node.instance_gone(&self.id);
                }
            }
            Message::Wake => {
                if let Err(error) = self.open() {
                    tracing::error!(worker = %self.id, %error, "cannot go on");
                }
            }
        }
    }

    /// Reads the worker's row and ledger, once. `false`: there is no such worker.
    fn open(&mut self) -> Result<bool, WorkerError> {
        if self.alive.is_some() {
            return Ok(true);
        }
        let Some(stored) = self.node.store().worker(&self.id)? else {
            return Ok(false);
        };
        let row =
            WorkerRow::from_bytes(&stored.row).map_err(|error| self.damage(&error.to_string()))?;
        let ledger = Ledger::read(self.node.store().as_ref(), stored.log)
            .map_err(|error| self.damage(&error.to_string()))?;
        let alive = Alive::from_ledger(&self.node, &self.id, row, stored.log, ledger);
        self.alive = Some(alive.map_err(|error| self.damage(&error.to_string()))?);
        Ok(true)
    }

    fn damage(&self, detail: &str) -> WorkerError {
        WorkerError::Damaged {
            worker: self.id.clone(),
            detail: detail.to_owned(),
        }
    }

    fn create(
        &mut self,
        with: CreateWith,
    ) -> Result<(CreatedWorker, golem_storage::Seq), WorkerError> {
        if self.open()? {
            return Err(WorkerError::AlreadyExists(self.id.clone()));
        }
        let alive = Alive::create(&self.node, &self.id, with)?;
        let created = CreatedWorker {
            worker: self.id.clone(),
            version: alive.row.version,
        };
        let seq = alive.writer.lock().last();
        self.alive = Some(alive);
        Ok((created, seq))
    }

    async fn invoke(&mut self, mut invocation: Invocation) {
        let accepted = invocation.accepted.take();
        let reply = invocation.reply.take();
        match self.accept(invocation).await {
            Ok(Admission::Accepted(key, seq)) => {
                if let (Some(reply), Some(alive)) = (reply, &mut self.alive) {
                    alive.queue.join(&key, reply);
                }
                if let Some(accepted) = accepted {
                    accepted.send(Ok(seq));
                }
            }
            Ok(Admission::Done(outcome, seq)) => {
                if let Some(accepted) = accepted {
                    accepted.send(Ok(seq));
                }
                if let Some(reply) = reply {
                    reply.send(outcome);
                }
            }
            Err(error) => {
                if let Some(accepted) = accepted {
                    accepted.send(Err(error.clone()));
                }
                if let Some(reply) = reply {
                    reply.send(Err(error));
                }
            }
        }
    }

    async fn accept(&mut self, invocation: Invocation) -> Result<Admission, WorkerError> {
        if !self.open()? {
            self.alive = Some(Alive::create(
                &self.node,
                &self.id,
                invocation.create.clone(),
            )?);
        }
        let Some(alive) = &mut self.alive else {
            return Err(WorkerError::NotFound(self.id.clone()));
        };
        if let Some(detail) = &alive.damaged {
            return Err(WorkerError::Damaged {
                worker: self.id.clone(),
                detail: detail.clone(),
            });
        }
        let call = call_hash(&invocation.function, &invocation.input);
        let reused = || WorkerError::KeyReused {
            worker: self.id.clone(),
            key: invocation.key.0.clone(),
        };
        if let Some((_, known)) = alive.queue.find(&invocation.key) {
            let last = alive.writer.lock().last();
            return if known == call {
                Ok(Admission::Accepted(invocation.key, last))
            } else {
                Err(reused())
            };
        }
        if invocation.repeatable
            && let Some((outcome, known, seq)) = alive
                .finished(&self.node, &self.id, &invocation.key)
                .await?
        {
            return if known == call {
                Ok(Admission::Done(outcome, seq))
            } else {
                Err(reused())
            };
        }
        match alive.row.state() {
            RowState::Live | RowState::Retrying => {}
            // A new invocation lets an interrupted worker go on, as a resume would. Source: runtime spec §1.4.
            RowState::Interrupted => alive.resume(&self.id),
            RowState::Failed => {
                let message = alive.row.last_error.clone().unwrap_or_default();
                return Err(WorkerError::PreviousFailed {
                    worker: self.id.clone(),
                    message,
                });
            }
            RowState::Exited => return Err(WorkerError::Exited(self.id.clone())),
        }
        if alive.queue.pending.len() >= QUEUE_MAX {
            return Err(WorkerError::QueueFull {
                worker: self.id.clone(),
                limit: QUEUE_MAX,
            });
        }
        alive.admit(&self.node, &self.id, invocation, call)
    }

    fn view(&mut self) -> Result<WorkerView, WorkerError> {
        let Some(alive) = &self.alive else {
            return Err(WorkerError::NotFound(self.id.clone()));
        };
        let status = match alive.row.state() {
            RowState::Failed => WorkerStatus::Failed,
            RowState::Exited => WorkerStatus::Exited,
            RowState::Interrupted => WorkerStatus::Interrupted,
            RowState::Live | RowState::Retrying if alive.retry_at.is_some() => {
                WorkerStatus::Retrying
            }
            RowState::Live | RowState::Retrying
                if self.running.is_some() || alive.current.is_some() =>
            {
                WorkerStatus::Running
            }
            RowState::Live | RowState::Retrying => WorkerStatus::Idle,
        };
        WorkerView::new(
            &self.node,
            &self.id,
            &alive.row,
            status,
            alive.queue.pending.len(),
            alive.failures,
        )
    }

    async fn interrupt(&mut self, again: bool) -> Result<(), WorkerError> {
        if !self.open()? {
            return Err(WorkerError::NotFound(self.id.clone()));
        }
        // Dropping what runs also drops its instance: memory that was in the middle of something is of no use.
        self.running = None;
        self.instance = None;
        self.node.instance_gone(&self.id);
        let Some(alive) = &mut self.alive else {
            return Ok(());
        };
        alive.retry_at = None;
        if again || !matches!(alive.row.state(), RowState::Live | RowState::Retrying) {
            return Ok(());
        }
        alive.row.set_state(RowState::Interrupted);
        let put = alive.put_row(&self.id);
        let seq = {
            let mut writer = alive.writer.lock();
            writer.append_with(Event::Interrupted(Interrupted {}), vec![put]);
            writer.last()
        };
        for reply in alive.queue.take_all() {
            reply.send(Err(WorkerError::Interrupted(self.id.clone())));
        }
        self.node
            .committer()
            .wait(seq)
            .await
            .map_err(|_| WorkerError::Stopping)
    }

    async fn resume(&mut self) -> Result<(), WorkerError> {
        if !self.open()? {
            return Err(WorkerError::NotFound(self.id.clone()));
        }
        let Some(alive) = &mut self.alive else {
            return Ok(());
        };
        if alive.row.state() == RowState::Interrupted {
            alive.resume(&self.id);
        }
        let seq = alive.writer.lock().last();
        self.node
            .committer()
            .wait(seq)
            .await
            .map_err(|_| WorkerError::Stopping)
    }

    async fn delete(&mut self) -> Result<(), WorkerError> {
        // A worker whose log is damaged can be deleted as well: its row is enough.
        let Some(stored) = self.worker_row().await? else {
            return Err(WorkerError::NotFound(self.id.clone()));
        };
        self.running = None;
        self.instance = None;
        self.node.instance_gone(&self.id);
        let ops = [
            Op::ClearRunning { log: stored },
            Op::DropWorker {
                worker: self.id.clone(),
                log: stored,
            },
        ];
        let seq = self.node.committer().submit(ops);
        if let Some(mut alive) = self.alive.take() {
            for reply in alive.queue.take_all() {
                reply.send(Err(WorkerError::Deleted(self.id.clone())));
            }
        }
        // Only then may a new worker of this name look into the store.
        self.node
            .committer()
            .wait(seq)
            .await
            .map_err(|_| WorkerError::Stopping)
    }

    async fn worker_row(&mut self) -> Result<Option<LogId>, WorkerError> {
        if let Some(alive) = &self.alive {
            let (log, last) = {
                let writer = alive.writer.lock();
                (writer.log(), writer.last())
            };
            self.node
                .committer()
                .wait(last)
                .await
                .map_err(|_| WorkerError::Stopping)?;
            return Ok(Some(log));
        }
        Ok(self.node.store().worker(&self.id)?.map(|stored| stored.log))
    }
}

/// What became of an invocation that was handed in.
enum Admission {
    /// It is in the queue, or was: this key, this place in the stream.
    Accepted(IdempotencyKey, golem_storage::Seq),
    /// It had finished before.
    Done(Result<Finished, WorkerError>, golem_storage::Seq),
}

fn call_hash(function: &str, input: &[u8]) -> u64 {
    input_hash(&[function.as_bytes(), input])
}

impl Alive {
    fn create(node: &Arc<Node>, id: &WorkerId, with: CreateWith) -> Result<Self, WorkerError> {
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
        let alive = Self::new(node, id, row, log, OplogIndex(0));
        let put = alive.put_row(id);
        alive
            .writer
            .lock()
            .append_with(Event::Create(create), vec![put]);
        Ok(alive)
    }

    fn new(node: &Arc<Node>, id: &WorkerId, row: WorkerRow, log: LogId, tail: OplogIndex) -> Self {
        let guest = Guest {
            worker: id.clone(),
            version: row.version,
            args: row.args.clone(),
            env: row
                .env
                .iter()
                .map(|var| (var.name.clone(), var.value.clone()))
                .collect(),
            ephemeral: false,
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
            damaged: None,
        }
    }

    fn from_ledger(
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

    fn put_row(&self, id: &WorkerId) -> Op {
        Op::PutWorker {
            worker: id.clone(),
            log: LogId(self.row.log),
            row: self.row.to_bytes(),
        }
    }

    fn resume(&mut self, id: &WorkerId) {
        self.row.set_state(RowState::Live);
        let put = self.put_row(id);
        self.writer
            .lock()
            .append_with(Event::Resumed(ResumedEntry {}), vec![put]);
    }

    /// Appends the acceptance of a new invocation and queues it.
    fn admit(
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
    async fn finished(
        &self,
        node: &Node,
        id: &WorkerId,
        key: &IdempotencyKey,
    ) -> Result<Option<(Result<Finished, WorkerError>, u64, golem_storage::Seq)>, WorkerError> {
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
    fn complete(&mut self, node: &Node, value: Value) {
        let Some(current) = self.current.take() else {
            return;
        };
        let stored = node.payloads().store(value.to_bytes());
        let (output, output_blob) = match stored {
            Ok(stored) => stored,
            Err(error) => {
                self.damaged = Some(error.to_string());
                return;
            }
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
    fn stop(&mut self, node: &Node, id: &WorkerId, stopped: Stopped, recorded: u64) {
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

    fn fail(
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
    seq: golem_storage::Seq,
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

/// The moment when a worker was created.
pub(crate) fn created_at(row: &WorkerRow) -> Timestamp {
    Timestamp(row.created_at)
}

/// A reply for somebody outside, as a pair.
pub(crate) fn door() -> (Reply, oneshot::Receiver<Result<Finished, WorkerError>>) {
    let (sender, receiver) = oneshot::channel();
    (Reply::Door(sender), receiver)
}
