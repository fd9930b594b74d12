// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / worker: one task per active worker owns everything about it. In: messages. Out: entries, replies.
//! One invocation at a time, in the order of acceptance; new ones are accepted while one runs. The task ends when nothing
//! is left in memory. Read next: `activate.rs`, `instance.rs`, `queue.rs`. Why: architecture D14.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use golem_model::oplog::{Event, FailureKind, Interrupted, Started};
use golem_model::worker::{RowState, WorkerRow, WorkerStatus};
use golem_model::{LogId, Timestamp, Value, WorkerId};
use golem_storage::Op;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep_until;

use crate::activate::{Activation, activate, run};
use crate::alive::{Admission, Alive, Current, call_hash};
use crate::error::WorkerError;
use crate::host::clock::real_nanos;
use crate::instance::{Instance, Stopped};
use crate::limits::QUEUE_MAX;
use crate::node::{CreatedWorker, Node, WorkerView};
use crate::oplog::Ledger;
use crate::queue::{CreateWith, Finished, Invocation, Reply};
use crate::rpc::Rpc;

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
                    fresh: std::mem::take(&mut alive.fresh),
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
                if !parts.fresh && node.committer().wait(written).await.is_err() {
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
                alive.complete(&self.node, &self.id, value);
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

/// The moment when a worker was created.
pub(crate) fn created_at(row: &WorkerRow) -> Timestamp {
    Timestamp(row.created_at)
}

/// A reply for somebody outside, as a pair.
pub(crate) fn door() -> (Reply, oneshot::Receiver<Result<Finished, WorkerError>>) {
    let (sender, receiver) = oneshot::channel();
    (Reply::Door(sender), receiver)
}
