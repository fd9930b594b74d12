// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / worker: one task per active worker owns everything about it. In: messages. Out: entries, replies.
//! One invocation at a time, in the order of acceptance; new ones are accepted while one runs. The task ends when nothing
//! is left in memory. Read next: `run.rs` (what it runs), `control.rs` (what others ask of it). Why: architecture D14.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use golem_model::oplog::{Suspended, UpdateMode};
use golem_model::worker::{RowState, WorkerRow, WorkerStatus};
use golem_model::{IdempotencyKey, LogId, OplogIndex, WorkerId};
use golem_storage::store::Timer;
use golem_storage::{Op, Seq};
use tokio::sync::{mpsc, oneshot};

use crate::alive::{Admission, Alive, call_hash};
use crate::control::RevertTo;
use crate::error::WorkerError;
use crate::host::{Source, any_ready, is_any_ready, parks_until};
use crate::instance::Instance;
use crate::limits::QUEUE_MAX;
use crate::node::files::LiveFiles;
use crate::node::{CreatedWorker, Node, WorkerView};
use crate::oplog::Ledger;
use crate::queue::{CreateWith, Finished, Invocation, Reply};
use crate::run::Ran;
use crate::taking::Keeping;
use crate::timers::{By, wake_timer};

/// How the answer to a question comes back.
pub(crate) type Answer<T> = oneshot::Sender<Result<T, WorkerError>>;

/// What a worker is asked. Small: the channel of each worker has room for 32 of them from the beginning, and that is a good part
/// of what a worker costs that waits.
pub(crate) enum Message {
    /// Create it.
    Create(Box<CreateWith>, Answer<(CreatedWorker, Seq)>),
    /// Invoke it.
    Invoke(Box<Invocation>),
    /// Describe it.
    View(Answer<WorkerView>),
    /// Stop what runs; with `true` start it again at once, as after a crash.
    Interrupt(bool, Answer<()>),
    /// Go on after an interrupt.
    Resume(Answer<()>),
    /// Cancel the invocation with this key. Answers whether there was one to cancel.
    Cancel(Box<IdempotencyKey>, Option<Answer<bool>>),
    /// Run another version.
    Update(u64, UpdateMode, Answer<()>),
    /// Go back in its history.
    Revert(RevertTo, Answer<()>),
    /// Change a promise that it created at this index. Answers whether that changed anything.
    Promise(OplogIndex, Box<PromiseChange>, Answer<bool>),
    /// Says where its log is and ends; all of it is durable then.
    Log(Answer<(LogId, OplogIndex)>),
    /// Says what is at a path of the files of its instance, and up to where the stream has to be durable for that.
    Files(Box<str>, Answer<(LiveFiles, Seq)>),
    /// Drop its checkpoints. Answers how many there were.
    DropCheckpoints(Answer<u64>),
    /// Delete it.
    Delete(Answer<()>),
    /// Leave memory if nothing runs, or if what runs waits.
    Evict,
    /// Go on with what the log leaves open: the server has started, or what it waited for outside memory is there.
    Wake,
    /// A timer of it is due.
    Timer(Box<Timer>),
    /// Its guest has waited long: note it, until when (µs since 1970) if a timer is among what it waits for.
    Park(Option<u64>),
    /// The same for a wait outside memory: what it waits for, and the number of the absence.
    ParkAbsent(Box<[Source]>, u64),
    /// Its guest has been noted as waiting and goes on.
    Unparked,
}

/// What happens to a promise.
pub(crate) enum PromiseChange {
    /// It gets its value, if it has none.
    Complete(Vec<u8>),
    /// It is deleted.
    Delete,
}

/// The task of a worker.
pub(crate) struct Worker {
    pub(crate) node: Arc<Node>,
    pub(crate) id: WorkerId,
    messages: mpsc::UnboundedReceiver<Message>,
    pub(crate) alive: Option<Alive>,
    pub(crate) instance: Option<Instance>,
    pub(crate) running: Option<Pin<Box<dyn Future<Output = Ran> + Send>>>,
    /// A checkpoint that is being written.
    pub(crate) keeping: Option<Keeping>,
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
            keeping: None,
        }
    }

    /// Runs until nothing of the worker is left in memory.
    pub(crate) async fn run(mut self) {
        loop {
            self.start_next();
            let idle = self.running.is_none() && self.keeping.is_none();
            if idle && self.instance.is_none() && !self.holds_something() {
                // Whoever opens the worker next reads its log from the store, so all of it has to be there.
                if self.written().await.is_err() || self.node.leave(&self.id, &self.messages) {
                    return;
                }
            }
            let next_look = self.next_look();
            let clock = self.node.clock().clone();
            // In this order, so that nobody starves and a test sees the same each time: the clock is seldom due, and what runs
            // gives way after every tick.
            tokio::select! {
                biased;
                () = async { match next_look { Some(at) => clock.sleep_until_micros(at).await, None => std::future::pending().await } } => {
                    self.look_at_the_clock();
                }
                ran = async { match &mut self.running { Some(running) => running.await, None => std::future::pending().await } } => {
                    self.running = None;
                    self.ran(ran);
                }
                summary = async { match &mut self.keeping { Some(keeping) => keeping.await, None => std::future::pending().await } } => {
                    self.kept(summary);
                }
                message = self.messages.recv() => match message {
                    // Apart, so that a worker that waits does not keep room for all that it could be asked.
                    Some(message) => Box::pin(self.handle(message)).await,
                    None => return,
                },
            }
        }
    }

    /// Something is accepted and unfinished, and may run now or later.
    pub(crate) fn has_work(&self) -> bool {
        self.alive.as_ref().is_some_and(|alive| {
            alive.damaged.is_none()
                && alive.is_live()
                && (alive.current.is_some()
                    || !alive.queue.pending.is_empty()
                    || !alive.updates.is_empty())
        })
    }

    /// The task has to stay: it has work, or somebody waits for it.
    fn holds_something(&self) -> bool {
        if !self.has_work() {
            return false;
        }
        self.alive.as_ref().is_some_and(|alive| {
            // What waits in the log for a timer or a promise is woken by the store, so nothing has to stay for it.
            alive.suspended != Some(true) || alive.queue.anybody_waits()
        })
    }

    /// When the clock alone gives this task something to do, µs since 1970.
    fn next_look(&self) -> Option<u64> {
        let alive = self.alive.as_ref()?;
        let deadline = alive.next_deadline();
        alive.retry_at.into_iter().chain(deadline).min()
    }

    fn look_at_the_clock(&mut self) {
        let now = self.node.clock().micros();
        if let Some(alive) = &mut self.alive {
            if alive.retry_at.is_some_and(|at| at <= now) {
                alive.retry_at = None;
            }
            if alive
                .next_deadline()
                .is_some_and(|deadline| deadline <= now)
            {
                self.expire();
            }
        }
    }

    async fn handle(&mut self, message: Message) {
        match message {
            Message::Create(with, reply) => {
                let outcome = self.create(*with);
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
            Message::Cancel(key, reply) => {
                let outcome = self.cancel(&key).await;
                if let Some(reply) = reply {
                    drop(reply.send(outcome));
                }
            }
            Message::Update(version, mode, reply) => {
                let outcome = self.ask_update(version, mode).await;
                drop(reply.send(outcome));
            }
            Message::Revert(to, reply) => {
                let outcome = self.revert(to).await;
                drop(reply.send(outcome));
            }
            Message::Promise(index, change, reply) => {
                let outcome = self.change_promise(index, *change).await;
                drop(reply.send(outcome));
            }
            Message::Log(reply) => {
                let outcome = self.durable_log().await;
                drop(reply.send(outcome));
            }
            Message::Files(path, reply) => {
                let outcome = self.files(&path);
                drop(reply.send(outcome));
            }
            Message::DropCheckpoints(reply) => {
                drop(reply.send(self.drop_checkpoints().await));
            }
            Message::Delete(reply) => {
                let outcome = self.delete().await;
                drop(reply.send(outcome));
            }
            Message::Evict => self.evict().await,
            Message::Wake => self.wake(),
            Message::Timer(timer) => self.fire(*timer).await,
            Message::Park(until) => self.park(until),
            Message::ParkAbsent(sources, absence) => self.park_absent(&sources, absence).await,
            Message::Unparked => self.unparked(),
        }
    }

    /// Reads the worker's row and ledger, once. `false`: there is no such worker.
    pub(crate) fn open(&mut self) -> Result<bool, WorkerError> {
        if self.alive.is_some() {
            return Ok(true);
        }
        let Some(stored) = self.node.store().worker(&self.id)? else {
            return Ok(false);
        };
        let row =
            WorkerRow::from_bytes(&stored.row).map_err(|error| self.damage(&error.to_string()))?;
        let (ledger, checkpoint) = Ledger::newest(&self.node, stored.log)
            .map_err(|error| self.damage(&error.to_string()))?;
        let alive = Alive::from_ledger(&self.node, &self.id, row, stored.log, ledger);
        let mut alive = alive.map_err(|error| self.damage(&error.to_string()))?;
        if let Some(summary) = checkpoint {
            alive.has_checkpoint(summary);
        }
        self.alive = Some(alive);
        Ok(true)
    }

    /// The worker, opened. Errors: `NotFound`, `Damaged`.
    pub(crate) fn opened(&mut self) -> Result<&mut Alive, WorkerError> {
        self.open()?;
        self.alive
            .as_mut()
            .ok_or_else(|| WorkerError::NotFound(self.id.clone()))
    }

    fn damage(&self, detail: &str) -> WorkerError {
        WorkerError::Damaged {
            worker: self.id.clone(),
            detail: detail.to_owned(),
        }
    }

    fn create(&mut self, with: CreateWith) -> Result<(CreatedWorker, Seq), WorkerError> {
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
        match self.accept(invocation, Vec::new()).await {
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

    /// Takes an invocation, with `also` in the same commit, or finds it among those it has.
    pub(crate) async fn accept(
        &mut self,
        invocation: Invocation,
        also: Vec<Op>,
    ) -> Result<Admission, WorkerError> {
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
            RowState::Live | RowState::Retrying | RowState::Suspended => {}
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
        alive.admit(&self.node, invocation, call, also)
    }

    fn view(&mut self) -> Result<WorkerView, WorkerError> {
        let Some(alive) = &self.alive else {
            return Err(WorkerError::NotFound(self.id.clone()));
        };
        let status = match alive.row.state() {
            RowState::Failed => WorkerStatus::Failed,
            RowState::Exited => WorkerStatus::Exited,
            RowState::Interrupted => WorkerStatus::Interrupted,
            _ if alive.retry_at.is_some() => WorkerStatus::Retrying,
            _ if alive.suspended.is_some() || alive.link.is_parked() => WorkerStatus::Suspended,
            _ if self.running.is_some() || alive.current.is_some() => WorkerStatus::Running,
            _ => WorkerStatus::Idle,
        };
        let mut view = WorkerView::new(
            &self.node,
            &self.id,
            &alive.row,
            status,
            alive.queue.pending.len(),
            alive.failures,
        )?;
        view.retry_policy = alive.retry_policy();
        let clock = self.node.clock();
        let until = |at: u64| at.saturating_sub(clock.micros());
        view.retry_at = alive.retry_at.map(|at| clock.wall_micros() + until(at));
        view.total_linear_memory_size = self
            .instance
            .as_mut()
            .map_or(0, |instance| instance.state().memory_bytes());
        Ok(view)
    }

    /// What is at a path of the instance's files, as long as nothing runs.
    fn files(&mut self, path: &str) -> Result<(LiveFiles, Seq), WorkerError> {
        let last = self.opened()?.writer.lock().last();
        let seen = match &mut self.instance {
            Some(instance) if self.running.is_none() => {
                LiveFiles::look(&instance.state().files, path)
            }
            _ => LiveFiles::Away,
        };
        Ok((seen, last))
    }

    /// Drops the instance if it is idle, or if its guest waits for something that a later instance can wait for.
    async fn evict(&mut self) {
        let Some(alive) = &mut self.alive else { return };
        if self.running.is_none() {
            if alive.checkpoint_is_worth_it(&self.node) && self.keeping.is_none() {
                // It goes when the image is taken.
                alive.leaving = true;
                self.capture();
                return;
            }
            if self.instance.take().is_some() {
                self.node.count_eviction();
            }
            self.node.instance_gone(&self.id);
            return;
        }
        if !alive.link.is_waiting() {
            return;
        }
        let sources = alive.link.take_wait();
        self.running = None;
        alive.link.instance_gone();
        alive.link.keep(&sources);
        self.node.waiting_instance_left(&self.id);
        let parked = alive.link.unpark().is_some();
        alive.suspended = Some(parked);
        alive.absences += 1;
        let absence = alive.absences;
        let (node, id) = (Arc::clone(&self.node), self.id.clone());
        if !parked {
            // It is left to the store after the same time as a wait in memory, so that it costs no memory at all.
            let after = parks_until(&sources).map(|_| node.suspend_after());
            tokio::spawn(async move {
                let message = tokio::select! {
                    biased;
                    () = any_ready(&sources) => Message::Wake,
                    () = async { match after { Some(after) => node.clock().sleep(after).await, None => std::future::pending().await } } => {
                        Message::ParkAbsent(sources.into_boxed_slice(), absence)
                    }
                };
                node.tell(&id, message);
            });
        } else if is_any_ready(&sources).await {
            // It was there before the guest could take it: whoever brought it has woken an instance that is gone.
            self.wake();
        }
    }

    /// Goes on with what the log leaves open.
    fn wake(&mut self) {
        match self.open() {
            Ok(_) => {
                if let Some(alive) = &mut self.alive
                    && alive.suspended.take() == Some(true)
                {
                    let mark = alive.link.mark_op();
                    let put = alive.put_live(&self.id);
                    self.node.committer().submit(mark.into_iter().chain(put));
                }
                if let (false, Some(alive)) = (self.has_work(), &self.alive) {
                    // Whoever set the mark had not seen that the work was done.
                    self.node.committer().submit([alive.link.clear_op()]);
                }
            }
            Err(error) => tracing::error!(worker = %self.id, %error, "cannot go on"),
        }
    }

    /// The guest has waited long: from here on the store remembers what wakes it.
    fn park(&mut self, until: Option<u64>) {
        let Some(alive) = &mut self.alive else { return };
        if !alive.link.is_waiting() || alive.link.is_parked() {
            return;
        }
        alive.link.park(until);
        self.note_wait(until);
    }

    /// The same for a guest that waits outside memory; nothing is left of it in memory then, unless somebody waits for its
    /// answer.
    async fn park_absent(&mut self, sources: &[Source], absence: u64) {
        let Some(alive) = &self.alive else { return };
        if alive.suspended != Some(false) || alive.absences != absence {
            return;
        }
        let until = match parks_until(sources) {
            // Promises are changed by this task, so none can come between this look and the note.
            Some(until) if !is_any_ready(sources).await => until,
            _ => return self.wake(),
        };
        if let Some(alive) = &mut self.alive {
            alive.suspended = Some(true);
        }
        self.note_wait(until);
    }

    /// Writes that the guest waits, with the timer that wakes it, and takes the mark away that would wake it at the start.
    fn note_wait(&mut self, until: Option<u64>) {
        let Some(alive) = &mut self.alive else { return };
        alive.row.set_state(RowState::Suspended);
        let mut ops = vec![alive.put_row(&self.id), alive.link.clear_op()];
        let timer = until.map(|until| (until, wake_timer(&alive.link, until).add));
        if let Some((_, add)) = &timer {
            ops.push(add.clone());
        }
        let seq = {
            let mut writer = alive.writer.lock();
            let event = golem_model::oplog::Event::Suspended(Suspended { until });
            writer.append_with(event, ops);
            writer.last()
        };
        if let Some((until, _)) = timer {
            self.node
                .arm_timer(alive.link.log.shard(), By::Steady, until, seq);
        }
    }

    /// The guest goes on: the row says so again. The mark was set with the outcome of the wait.
    fn unparked(&mut self) {
        let Some(alive) = &mut self.alive else { return };
        let put = alive.put_live(&self.id);
        self.node.committer().submit(put);
    }
}

/// A reply for somebody outside, as a pair.
pub(crate) fn door() -> (Reply, oneshot::Receiver<Result<Finished, WorkerError>>) {
    let (sender, receiver) = oneshot::channel();
    (Reply::Door(sender), receiver)
}
