// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / node/workers: what one can do with a worker but invoke it. In: ids. Out: views, durable changes.
//! Read next: `../control.rs` (what the worker's task does then).

use std::sync::Arc;

use golem_model::oplog::{OplogEntry, UpdateMode};
use golem_model::worker::{RowState, WorkerRow, WorkerStatus};
use golem_model::{ComponentId, ComponentVersion, IdempotencyKey, LogId, OplogIndex, WorkerId};
use golem_storage::store::StoredWorker;
use tokio::sync::oneshot;

use super::{CreatedWorker, Node, WorkerView};
use crate::control::RevertTo;
use crate::error::WorkerError;
use crate::limits::{NAME_BYTES_MAX, check_bytes};
use crate::queue::CreateWith;
use crate::worker::{Answer as Reply, Message};

impl Node {
    /// Creates a worker. Durable on return.
    pub async fn create_worker(
        self: &Arc<Self>,
        worker: WorkerId,
        args: Vec<String>,
        env: Vec<(String, String)>,
    ) -> Result<CreatedWorker, WorkerError> {
        self.catalog.get(worker.component_id, None)?;
        let (sender, receiver) = oneshot::channel();
        self.tell(
            &worker,
            Message::Create(
                Box::new(CreateWith {
                    args,
                    env,
                    parent: None,
                }),
                sender,
            ),
        );
        let (created, seq) = receiver.await.map_err(|_| WorkerError::Stopping)??;
        self.durable(seq).await?;
        Ok(created)
    }

    /// Describes a worker.
    pub async fn worker(self: &Arc<Self>, worker: &WorkerId) -> Result<WorkerView, WorkerError> {
        if !self.is_active(worker) {
            return self.view(&self.stored(worker)?);
        }
        let (sender, receiver) = oneshot::channel();
        self.tell(worker, Message::View(sender));
        receiver.await.map_err(|_| WorkerError::Stopping)?
    }

    /// Workers of a component in the order of their names, those after `after`, at most `limit`.
    pub async fn workers(
        self: &Arc<Self>,
        component: ComponentId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<WorkerView>, WorkerError> {
        self.catalog.get(component, None)?;
        let mut views = Vec::new();
        for stored in self.store.scan_workers(component, after, limit)? {
            views.push(if self.is_active(&stored.worker) {
                self.worker(&stored.worker).await?
            } else {
                self.view(&stored)?
            });
        }
        Ok(views)
    }

    /// Deletes a worker. It is gone for good on return.
    pub async fn delete_worker(self: &Arc<Self>, worker: &WorkerId) -> Result<(), WorkerError> {
        let (sender, receiver) = oneshot::channel();
        self.tell(worker, Message::Delete(sender));
        receiver.await.map_err(|_| WorkerError::Stopping)??;
        self.sweep_soon();
        Ok(())
    }

    /// Stops what a worker runs. With `recover_immediately` it starts again at once from its log, as after a crash;
    /// otherwise it waits for a resume or the next invocation.
    pub async fn interrupt_worker(
        self: &Arc<Self>,
        worker: &WorkerId,
        recover_immediately: bool,
    ) -> Result<(), WorkerError> {
        let (sender, receiver) = oneshot::channel();
        self.tell(worker, Message::Interrupt(recover_immediately, sender));
        receiver.await.map_err(|_| WorkerError::Stopping)?
    }

    /// Lets an interrupted worker go on; any other stays as it is.
    pub async fn resume_worker(self: &Arc<Self>, worker: &WorkerId) -> Result<(), WorkerError> {
        let (sender, receiver) = oneshot::channel();
        self.tell(worker, Message::Resume(sender));
        receiver.await.map_err(|_| WorkerError::Stopping)?
    }

    /// Asks a worker that does or may not exist something; its task answers.
    pub(super) async fn ask<T>(
        self: &Arc<Self>,
        worker: &WorkerId,
        message: impl FnOnce(Reply<T>) -> Message,
    ) -> Result<T, WorkerError> {
        let (sender, receiver) = oneshot::channel();
        self.tell(worker, message(sender));
        receiver.await.map_err(|_| WorkerError::Stopping)?
    }

    /// Cancels a pending or running invocation: it ends as if it had not begun, but for what it has done outside, and the
    /// calls that it waits for are cancelled with it. `false`: there is none with this key, or it has finished. Durable on
    /// return. Errors: `NotFound`.
    pub async fn cancel_invocation(
        self: &Arc<Self>,
        worker: &WorkerId,
        key: &IdempotencyKey,
    ) -> Result<bool, WorkerError> {
        let key = Box::new(key.clone());
        self.ask(worker, |reply| Message::Cancel(key, Some(reply)))
            .await
    }

    /// The same without waiting for it.
    pub(crate) fn cancel_later(self: &Arc<Self>, worker: &WorkerId, key: &IdempotencyKey) {
        self.tell(worker, Message::Cancel(Box::new(key.clone()), None));
    }

    /// Asks for another version of a worker's component. Durable on return; it happens as soon as it can, and the worker's
    /// view tells how it went. Errors: `NotFound`, `BadUpdate`.
    pub async fn update_worker(
        self: &Arc<Self>,
        worker: &WorkerId,
        version: ComponentVersion,
        mode: UpdateMode,
    ) -> Result<(), WorkerError> {
        self.ask(worker, |reply| Message::Update(version, mode, reply))
            .await
    }

    /// Lets a worker go back in its history, and clears a failure. Promises that were created in the part that is undone
    /// are gone; invocations that had not started stay accepted. Durable on return. Errors: `NotFound`, `BadIndex`.
    pub async fn revert_worker(
        self: &Arc<Self>,
        worker: &WorkerId,
        to: RevertTo,
    ) -> Result<(), WorkerError> {
        self.ask(worker, |reply| Message::Revert(to, reply)).await
    }

    /// Where the log of a worker is and ends; all of it is durable then.
    pub(crate) async fn durable_log(
        self: &Arc<Self>,
        worker: &WorkerId,
    ) -> Result<(LogId, OplogIndex), WorkerError> {
        self.ask(worker, Message::Log).await
    }

    /// Makes a worker `name` with the history of `worker` up to entry `index`. It goes on by itself from there: an
    /// invocation that is open at `index` runs on. Durable on return. Errors: `NotFound`, `AlreadyExists`, `BadIndex`.
    pub async fn fork_worker(
        self: &Arc<Self>,
        worker: &WorkerId,
        index: OplogIndex,
        name: &str,
    ) -> Result<WorkerId, WorkerError> {
        check_bytes("worker name", name.len(), NAME_BYTES_MAX)?;
        let (log, tail) = self.durable_log(worker).await?;
        let fork = WorkerId::new(worker.component_id, name);
        crate::oplog::fork::copy(self, worker, log, tail, index, &fork).await?;
        self.tell(&fork, Message::Wake);
        Ok(fork)
    }

    /// Entries of a worker's log, from `from` on, at most `count`, with their indexes, and the index of the last entry.
    /// Errors: `NotFound`, `Damaged`.
    pub async fn oplog(
        self: &Arc<Self>,
        worker: &WorkerId,
        from: OplogIndex,
        count: usize,
    ) -> Result<(Vec<(OplogIndex, OplogEntry)>, OplogIndex), WorkerError> {
        let (log, tail) = self.durable_log(worker).await?;
        let from = OplogIndex(from.0.max(1));
        if count == 0 || from > tail {
            return Ok((Vec::new(), tail));
        }
        let damaged = |detail: String| WorkerError::Damaged {
            worker: worker.clone(),
            detail,
        };
        let bytes = self.store.read(log, from, count, usize::MAX);
        let bytes = bytes.map_err(|error| damaged(error.to_string()))?;
        let entries = bytes.iter().zip(from.0..).map(|(bytes, index)| {
            OplogEntry::from_bytes(bytes)
                .map(|entry| (OplogIndex(index), entry))
                .map_err(|error| damaged(format!("entry {index}: {error}")))
        });
        Ok((entries.collect::<Result<_, _>>()?, tail))
    }

    /// A payload of an entry: the bytes that it holds, or those of the blob that it names.
    pub fn payload(&self, inline: &[u8], blob: Option<&[u8]>) -> Result<Vec<u8>, WorkerError> {
        Ok(self
            .payloads
            .load(inline.to_vec(), blob.map(<[u8]>::to_vec))?)
    }

    /// What the store has of a worker. Errors: `NotFound`, `Store`.
    pub(crate) fn stored(&self, worker: &WorkerId) -> Result<StoredWorker, WorkerError> {
        let stored = self.store.worker(worker)?;
        stored.ok_or_else(|| WorkerError::NotFound(worker.clone()))
    }

    fn view(&self, stored: &StoredWorker) -> Result<WorkerView, WorkerError> {
        let worker = &stored.worker;
        let row = row_of(stored)?;
        let status = match row.state() {
            RowState::Live | RowState::Retrying => WorkerStatus::Idle,
            RowState::Interrupted => WorkerStatus::Interrupted,
            RowState::Failed => WorkerStatus::Failed,
            RowState::Exited => WorkerStatus::Exited,
            RowState::Suspended => WorkerStatus::Suspended,
        };
        WorkerView::new(self, worker, &row, status, 0, 0)
    }
}

/// What is known of a worker beside its log. Errors: `Damaged`.
pub(crate) fn row_of(stored: &StoredWorker) -> Result<WorkerRow, WorkerError> {
    WorkerRow::from_bytes(&stored.row).map_err(|error| WorkerError::Damaged {
        worker: stored.worker.clone(),
        detail: error.to_string(),
    })
}
