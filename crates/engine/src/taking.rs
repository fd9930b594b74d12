// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / taking: when a checkpoint of a worker is taken, and what becomes of it. In: an idle instance. Out: a file, or
//! why there is none. Bounds: `CHECKPOINT_ENTRIES`, `CHECKPOINT_LEAVING`, `CHECKPOINT_BYTES`. Read next: `checkpoint/capture.rs`,
//! `checkpoint/saved.rs`. Why: architecture D15, host design §8.3.

use std::sync::Arc;

use golem_model::{LogId, OplogIndex, WorkerId};

use crate::alive::Alive;
use crate::checkpoint::{Image, Saved, Summary};
use crate::error::WorkerError;
use crate::instance::Instance;
use crate::limits::{CHECKPOINT_BYTES, CHECKPOINT_ENTRIES};
use crate::node::Node;
use crate::worker::Worker;

/// The end of taking a checkpoint.
pub(crate) enum Captured {
    /// It is on disk. Bytes of the pages that it keeps.
    Taken(Box<Instance>, Summary, u64),
    /// Not now.
    NotNow(Box<Instance>, String),
    /// Never: the accessor failed, and the instance with it.
    Never(String),
}

impl Alive {
    fn entries_since(&self) -> u64 {
        let last = self.checkpoint.as_ref().map_or(0, |summary| summary.index);
        self.writer.lock().tail().0.saturating_sub(last)
    }

    fn may_have_one(&self) -> bool {
        self.checkpoint_due.is_some()
            && self.current.is_none()
            && self.updates.is_empty()
            && self.trying.is_none()
            && self.is_live()
            && self.damaged.is_none()
            && self.queue.pending.is_empty()
    }

    /// Enough has happened since the last one.
    pub(crate) fn checkpoint_is_due(&self) -> bool {
        self.may_have_one()
            && self
                .checkpoint_due
                .is_some_and(|due| due <= self.writer.lock().tail())
    }

    /// Before the instance leaves memory: enough has happened that the way back would be noticed.
    pub(crate) fn checkpoint_is_worth_it(&self, node: &Node) -> bool {
        self.may_have_one() && self.entries_since() >= node.checkpoint_leaving()
    }

    /// What the log says up to a checkpoint that is taken now.
    pub(crate) fn about_checkpoint(&self) -> Summary {
        let origin = self.guest.origin.as_ref();
        let (index, log_bytes) = {
            // Once: a guard in the expression below would be held to its end.
            let writer = self.writer.lock();
            (writer.tail().0, writer.bytes())
        };
        Summary {
            index,
            version: self.row.version,
            secrets: self.row.secrets.clone(),
            log_bytes,
            regions: Summary::keep_regions(&self.link.regions.lock()),
            retry_policy: self.link.retry_policy.lock().clone(),
            lines: 0,
            salt: 0,
            forked_from: origin.map(|origin| origin.name.clone()),
            forked_at: origin.map_or(0, |origin| origin.at.0),
            base: self.base.as_ref().map_or(0, |base| base.index.0),
        }
    }

    /// A checkpoint was taken, or not. Returns the instance, unless it has to leave memory.
    pub(crate) fn captured(&mut self, id: &WorkerId, captured: Captured) -> Option<Instance> {
        let leaving = std::mem::take(&mut self.leaving);
        let instance = match captured {
            Captured::Taken(instance, summary, bytes) => {
                let index = summary.index;
                self.has_checkpoint(summary);
                let wait = CHECKPOINT_ENTRIES.max(bytes / CHECKPOINT_BYTES);
                self.checkpoint_due = Some(OplogIndex(index + wait));
                Some(*instance)
            }
            Captured::NotNow(instance, why) => {
                tracing::debug!(worker = %id, %why, "no checkpoint now");
                let tail = self.writer.lock().tail().0;
                self.checkpoint_due = Some(OplogIndex(tail + CHECKPOINT_ENTRIES));
                Some(*instance)
            }
            Captured::Never(why) => {
                tracing::warn!(worker = %id, %why, "no checkpoints of this worker");
                self.checkpoint_due = None;
                None
            }
        };
        instance.filter(|_| !leaving)
    }
}

impl Worker {
    /// Forgets the checkpoints of the worker, which need not be in memory for that. Its next one comes as if it had none.
    pub(crate) fn drop_checkpoints(&mut self) -> Result<u64, WorkerError> {
        let log = match &mut self.alive {
            Some(alive) => {
                alive.checkpoint = None;
                LogId(alive.row.log)
            }
            None => self.node.stored(&self.id)?.log,
        };
        Ok(self.node.checkpoints().forget(log))
    }
}

/// Takes an image of an idle instance and puts it on the shelf. All entries that it has seen must be durable.
pub(crate) async fn take(
    node: &Arc<Node>,
    log: LogId,
    mut about: Summary,
    mut instance: Instance,
) -> Captured {
    let image = match image(&mut instance, &mut about).await {
        Ok(Ok(image)) => image,
        Ok(Err(why)) => return Captured::NotNow(Box::new(instance), why),
        Err(why) => return Captured::Never(why),
    };
    let bytes = image.bytes() as u64;
    let saved = Saved {
        summary: about,
        image,
    };
    let kept = Arc::clone(node);
    // Compressing and writing take milliseconds, in which no guest of this thread would run.
    let _job = node.job();
    let written = tokio::task::spawn_blocking(move || {
        let outcome = kept.checkpoints().keep(log, &saved);
        outcome.map(|()| saved.summary)
    });
    match written.await {
        Ok(Ok(summary)) => Captured::Taken(Box::new(instance), summary, bytes),
        Ok(Err(error)) => Captured::NotNow(Box::new(instance), error.to_string()),
        Err(error) => Captured::NotNow(Box::new(instance), error.to_string()),
    }
}

/// The image, or why there is none now; `Err`: there never will be one.
async fn image(
    instance: &mut Instance,
    about: &mut Summary,
) -> Result<Result<Image, String>, String> {
    let journal = instance.state().journal();
    let journal = journal.map_err(|error| error.to_string())?;
    about.lines = journal.lines();
    about.salt = journal.salt().map_err(|error| error.to_string())?;
    match instance.capture().await {
        Ok(image) => Ok(image.map_err(|why| why.to_string())),
        Err(stopped) => Err(stopped.to_string()),
    }
}
