// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / node/checkpoints: which checkpoints a worker has, whether one would be used, and to drop them. In: a worker. Out: a
//! list; files that are gone. Looking wakes nobody and removes nothing. Read next: `../checkpoint/saved.rs`, `../worker.rs`
//! (`drop_checkpoints`). Why: ADR 0007.

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use golem_model::api::CheckpointInfo;
use golem_model::{LogId, Timestamp, WorkerId, hex};
use golem_storage::StoreError;

use super::Node;
use crate::checkpoint::Kept;
use crate::error::WorkerError;
use crate::oplog::Ledger;
use crate::worker::Message;

impl Node {
    /// The checkpoints of a worker, the newest first, and which of them it would be brought back from. Errors: `NotFound`, `Store`.
    pub async fn list_checkpoints(
        self: &Arc<Self>,
        worker: &WorkerId,
    ) -> Result<Vec<CheckpointInfo>, WorkerError> {
        let stored = self.stored(worker)?;
        let (node, worker) = (Arc::clone(self), worker.clone());
        // Images are read to their ends, and the log from there on.
        let looked = tokio::task::spawn_blocking(move || {
            let mut found = false;
            let kept = node.checkpoints.list(stored.log).into_iter().map(|kept| {
                let unused = if found {
                    Some("a newer one is used".to_owned())
                } else {
                    node.cannot_be_used(&worker, stored.log, &kept)
                };
                found |= unused.is_none();
                described(&kept, unused)
            });
            kept.collect()
        });
        looked
            .await
            .map_err(|error| StoreError::Io(error.to_string()).into())
    }

    /// Drops the checkpoints of a worker; its log brings it back from now on. One that is being taken at this moment comes after.
    /// Returns how many there were. Errors: `NotFound`.
    pub async fn drop_checkpoints(self: &Arc<Self>, worker: &WorkerId) -> Result<u64, WorkerError> {
        self.ask(worker, Message::DropCheckpoints).await
    }

    /// Why a worker would not be brought back from a checkpoint, the same questions as when it is.
    fn cannot_be_used(&self, worker: &WorkerId, log: LogId, kept: &Kept) -> Option<String> {
        let (component, summary) = match &kept.read {
            Ok(read) => read,
            Err(error) => return Some(error.clone()),
        };
        match Ledger::read_after(self.store.as_ref(), log, summary) {
            Ok(None) => return Some("a later part of the log undid it".to_owned()),
            Ok(Some(after)) if after.version != summary.version => {
                return Some(format!("the worker runs version {} now", after.version));
            }
            Ok(Some(_)) => {}
            Err(error) => return Some(error.to_string()),
        }
        match self.component(worker.component_id, Some(summary.version)) {
            Ok(info) if info.wasm_hash == hex(component) => None,
            Ok(_) => Some("the checkpoint is of another component".to_owned()),
            Err(error) => Some(error.to_string()),
        }
    }
}

fn described(kept: &Kept, unused_because: Option<String>) -> CheckpointInfo {
    let since = kept
        .taken_at
        .and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let micros = since.and_then(|since| u64::try_from(since.as_micros()).ok());
    CheckpointInfo {
        oplog_index: kept.index,
        component_version: kept.read.as_ref().ok().map(|(_, summary)| summary.version),
        size_bytes: kept.bytes,
        taken_at: micros.map(Timestamp),
        used: unused_because.is_none(),
        unused_because,
    }
}
