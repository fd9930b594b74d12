// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / update: a worker gets another version of its component. Automatic: the new version repeats the history. By
//! snapshot: the old version saves, the new one loads. In: outcomes. Out: entries; old or new, never between.
//! Read next: `run.rs`, `activate.rs`. Source: runtime spec §2.7.

use golem_model::OplogIndex;
use golem_model::WorkerId;
use golem_model::oplog::{
    Event, FailedUpdate, JumpReason, PendingUpdate, Snapshot, UpdateMode, Updated,
};
use golem_model::worker::{UpdateState, WorkerRow};
use golem_storage::Op;

use crate::alive::{Alive, Trying, guest_of};
use crate::error::WorkerError;
use crate::instance::Stopped;
use crate::node::Node;
use crate::worker::Worker;

/// Writes into `row` that the update to `version` has happened at `at` (µs since 1970); the entry that says so.
pub(crate) fn done(row: &mut WorkerRow, trying: &Trying, at: u64) -> Event {
    let version = trying.version;
    let from = std::mem::replace(&mut row.version, version);
    let secrets_before = std::mem::replace(&mut row.secrets, trying.secrets.clone());
    row.note_update(at, version, UpdateState::Successful, None);
    Event::Updated(Updated {
        version,
        from,
        snapshot: None,
        secrets: trying.secrets.clone(),
        secrets_before,
    })
}

impl Worker {
    /// Asks for an update. Durable on return; it happens later, and the status tells how it went.
    pub(crate) async fn ask_update(
        &mut self,
        version: u64,
        mode: UpdateMode,
    ) -> Result<(), WorkerError> {
        let (node, id) = (std::sync::Arc::clone(&self.node), self.id.clone());
        let alive = self.opened()?;
        let bad = |detail: String| WorkerError::BadUpdate {
            worker: id.clone(),
            version,
            detail,
        };
        // Nothing is accepted that could not be run: a missing version would leave the worker between the two.
        let loaded = node
            .component_loaded(id.component_id, version)
            .map_err(|error| bad(error.to_string()))?;
        if alive.row.version == version {
            return Err(bad("it runs this version".into()));
        }
        if mode == UpdateMode::SnapshotBased && !Node::has_snapshot_functions(&loaded) {
            return Err(bad(
                "this version does not export golem:api/save-snapshot and load-snapshot".into(),
            ));
        }
        if !alive.is_live() {
            return Err(bad(format!("the worker is {:?}", alive.row.state())));
        }
        let at = node.clock().wall_micros();
        alive
            .row
            .note_update(at, version, UpdateState::Pending, None);
        let ops = vec![alive.put_row(&id)]
            .into_iter()
            .chain(alive.link.mark_op())
            .collect();
        let seq = {
            let mut writer = alive.writer.lock();
            let event = PendingUpdate {
                version,
                mode: mode as i32,
            };
            writer.append_with(Event::PendingUpdate(event), ops);
            writer.last()
        };
        alive.updates.push_back((version, mode));
        alive.suspended = None;
        if mode == UpdateMode::Automatic {
            // What runs goes on with the new version, from where the log is.
            self.stop_running();
        }
        node.committer()
            .wait(seq)
            .await
            .map_err(|_| WorkerError::Stopping)
    }
}

impl Alive {
    /// The update has happened: the log says so already.
    pub(crate) fn updated(&mut self, id: &WorkerId, trying: &Trying) {
        self.updates
            .retain(|(version, _)| *version != trying.version);
        let at = self.link.node.clock().wall_micros();
        if trying.mode == UpdateMode::Automatic {
            done(&mut self.row, trying, at);
        } else {
            self.row
                .note_update(at, trying.version, UpdateState::Successful, None);
            let put = self.put_row(id);
            self.writer.lock().submit([put]);
        }
        self.guest = guest_of(id, &self.row, self.guest.origin.clone()).into();
        tracing::info!(worker = %id, version = trying.version, "updated");
    }

    /// The update is not possible: the worker stays as it was.
    pub(crate) fn not_updated(&mut self, id: &WorkerId, trying: &Trying, details: String) {
        self.updates
            .retain(|(version, _)| *version != trying.version);
        tracing::warn!(worker = %id, version = trying.version, %details, "not updated");
        let version = trying.version;
        let event = Event::FailedUpdate(FailedUpdate {
            version,
            details: details.clone(),
        });
        let at = self.link.node.clock().wall_micros();
        self.row
            .note_update(at, version, UpdateState::Failed, Some(details));
        if trying.mode == UpdateMode::SnapshotBased
            && let Some(base) = self.base.take()
        {
            // What the new version has written since is undone, with the entry that made it the version.
            self.row.version = base.from;
            self.row.secrets = base.secrets_before;
            self.guest = guest_of(id, &self.row, self.guest.origin.clone()).into();
            let mut writer = self.writer.lock();
            let reason = JumpReason::FailedUpdate;
            self.link.undo(&mut writer, base.index, reason);
            self.stale_base = true;
        }
        let put = self.put_row(id);
        self.writer.lock().append_with(event, vec![put]);
        self.unmark_if_done();
    }

    /// The guest was asked to save itself; what it saved is what the new version starts from.
    pub(crate) fn saved(&mut self, node: &Node, id: &WorkerId, saved: Result<Vec<u8>, Stopped>) {
        let Some((version, mode)) = self.updates.front().copied() else {
            return;
        };
        let trying = Trying {
            version,
            secrets: node.pins_of(id.component_id, version),
            mode,
            done: std::sync::Arc::default(),
        };
        let stored = saved
            .map_err(|stopped| stopped.to_string())
            .and_then(|bytes| {
                let stored = node.payloads().store(bytes);
                stored.map_err(|error| error.to_string())
            });
        let stored = match stored {
            Ok(stored) => stored,
            Err(details) => {
                self.base_stays();
                return self.not_updated(id, &trying, details);
            }
        };
        let from = std::mem::replace(&mut self.row.version, version);
        let secrets_before = std::mem::replace(&mut self.row.secrets, trying.secrets.clone());
        let put = self.put_row(id);
        let snapshot = Snapshot {
            bytes: stored.inline,
            blob: stored.blob,
            blob_bytes: stored.blob_bytes,
        };
        let event = Event::Updated(Updated {
            version,
            from,
            snapshot: Some(snapshot.clone()),
            secrets: trying.secrets.clone(),
            secrets_before: secrets_before.clone(),
        });
        let index = self.writer.lock().append_with(event, vec![put]);
        self.base = Some(crate::oplog::Base {
            index,
            snapshot,
            pending: Default::default(),
            lines: 0,
            version,
            from,
            secrets_before,
        });
        // What was accepted before is in the log only: it is read again, so that replay finds it.
        self.stale_base = true;
        self.guest = guest_of(id, &self.row, self.guest.origin.clone()).into();
        self.trying = Some(trying);
    }

    /// A failed save changes nothing: the base that there was stays.
    fn base_stays(&mut self) {
        if self.base.is_some() {
            self.stale_base = true;
        }
    }

    /// Takes the mark away when nothing is left to do.
    fn unmark_if_done(&mut self) {
        if self.current.is_none() && self.queue.pending.is_empty() && self.updates.is_empty() {
            let clear: Op = self.link.clear_op();
            self.writer.lock().submit([clear]);
        }
    }

    /// The first index that a user may go back to: nothing before a snapshot is repeated.
    pub(crate) fn earliest(&self) -> OplogIndex {
        self.base.as_ref().map_or(OplogIndex(1), |base| base.index)
    }
}
