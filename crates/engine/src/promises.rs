// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / promises: values that somebody gives to a worker later. In: keys. Out: values, and who waits for them.
//! The task of the worker that created a promise is the only one that changes it. Read next: `control.rs`, `host/wait.rs`.
//! Source: runtime spec §2.8.

use std::collections::HashMap;
use std::sync::Arc;

use golem_model::promise::PromiseRow;
use golem_model::{LogId, OplogIndex, WorkerId};
use golem_storage::StoreError;
use golem_storage::store::KvSpace;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

use crate::error::WorkerError;
use crate::limits::{PAYLOAD_BYTES_MAX, check_bytes};
use crate::node::Node;
use crate::worker::{Message, PromiseChange};

/// Who waits for which promise on this node.
#[derive(Default)]
pub(crate) struct Promises {
    watched: Mutex<HashMap<Vec<u8>, Arc<Notify>>>,
}

impl Promises {
    /// A promise has changed: who waits for it looks again.
    pub(crate) fn changed(&self, key: &[u8]) {
        if let Some(notify) = self.watched.lock().get(key) {
            notify.notify_waiters();
        }
    }
}

/// One guest's wait for a promise.
pub(crate) struct PromiseWait {
    node: Arc<Node>,
    key: Vec<u8>,
    notify: Arc<Notify>,
}

impl PromiseWait {
    /// A wait for the promise that the worker with `log` created at `index`.
    pub(crate) fn new(node: &Arc<Node>, log: LogId, index: OplogIndex) -> Arc<Self> {
        let key = PromiseRow::key(log, index);
        let notify = Arc::clone(
            node.promises()
                .watched
                .lock()
                .entry(key.clone())
                .or_default(),
        );
        Arc::new(Self {
            node: Arc::clone(node),
            key,
            notify,
        })
    }

    /// What the store has of it; `None` when it was deleted or never created.
    pub(crate) fn row(&self) -> Result<Option<PromiseRow>, StoreError> {
        self.node.promise(&self.key)
    }

    /// Waits until it is completed, or gone.
    pub(crate) async fn ready(&self) {
        loop {
            let notified = self.notify.notified();
            tokio::pin!(notified);
            // Registered before the row is read, so a change between the two is not missed.
            notified.as_mut().enable();
            // A row that cannot be read is told to who asks for its value.
            if self
                .row()
                .is_ok_and(|row| row.is_some_and(|row| !row.completed))
            {
                notified.await;
            } else {
                return;
            }
        }
    }
}

impl Drop for PromiseWait {
    fn drop(&mut self) {
        let mut watched = self.node.promises().watched.lock();
        // This one and the one in the map: nobody else waits.
        if Arc::strong_count(&self.notify) <= 2 {
            watched.remove(&self.key);
        }
    }
}

impl Node {
    /// What the store has of a promise.
    pub(crate) fn promise(&self, key: &[u8]) -> Result<Option<PromiseRow>, StoreError> {
        let Some(bytes) = self.store().kv(KvSpace::Promise, key)? else {
            return Ok(None);
        };
        PromiseRow::from_bytes(&bytes)
            .map(Some)
            .map_err(|error| StoreError::Corrupt {
                what: "a promise".into(),
                detail: error.to_string(),
            })
    }

    /// Gives the promise that `worker` created at `index` its value. `false`: it has one; the first counts. Durable on
    /// return. Errors: `NotFound`, `PromiseNotFound`, `TooLarge`.
    pub async fn complete_promise(
        self: &Arc<Self>,
        worker: &WorkerId,
        index: OplogIndex,
        data: Vec<u8>,
    ) -> Result<bool, WorkerError> {
        check_bytes("promise", data.len(), PAYLOAD_BYTES_MAX)?;
        let first = self
            .change_promise(worker, index, PromiseChange::Complete(data))
            .await?;
        if first {
            self.metrics().promises.add();
        }
        Ok(first)
    }

    /// Deletes a promise; who waits for it fails. `false`: there was none. Durable on return.
    pub async fn delete_promise(
        self: &Arc<Self>,
        worker: &WorkerId,
        index: OplogIndex,
    ) -> Result<bool, WorkerError> {
        self.change_promise(worker, index, PromiseChange::Delete)
            .await
    }

    async fn change_promise(
        self: &Arc<Self>,
        worker: &WorkerId,
        index: OplogIndex,
        change: PromiseChange,
    ) -> Result<bool, WorkerError> {
        let (sender, receiver) = oneshot::channel();
        self.tell(worker, Message::Promise(index, Box::new(change), sender));
        receiver.await.map_err(|_| WorkerError::Stopping)?
    }
}
