// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / taking: when a checkpoint of a worker is taken, and what becomes of it. In: an idle instance. Out: a file, or
//! why there is none. The instance is busy while its image is taken, not while that is compressed and written. Bounds:
//! `CHECKPOINT_ENTRIES`, `CHECKPOINT_LEAVING`, `CHECKPOINT_BYTES`. Read next: `checkpoint/capture.rs`, `checkpoint/saved.rs`.
//! Why: architecture D15, host design §8.3.

use std::pin::Pin;
use std::sync::Arc;

use golem_model::{LogId, OplogIndex, WorkerId};
use golem_storage::Seq;

use crate::alive::Alive;
use crate::checkpoint::{Image, Saved, Summary};
use crate::error::WorkerError;
use crate::instance::Instance;
use crate::limits::{CHECKPOINT_BYTES, CHECKPOINT_ENTRIES};
use crate::node::Node;
use crate::worker::Worker;

/// The end of taking an image.
pub(crate) enum Captured {
    /// Here it is, with what the log says up to there.
    Taken(Box<Instance>, Box<Saved>),
    /// Not now.
    NotNow(Box<Instance>, String),
    /// Never: the accessor failed, and the instance with it.
    Never(String),
}

/// An image on its way to the disk: what is kept of it in the end, unless it cannot be.
pub(crate) type Keeping = Pin<Box<dyn Future<Output = Option<Summary>> + Send>>;

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

    /// An image was taken, or not. Returns the instance, unless it has to leave memory, and what is to be kept.
    pub(crate) fn captured(
        &mut self,
        id: &WorkerId,
        captured: Captured,
    ) -> (Option<Instance>, Option<Box<Saved>>) {
        let leaving = std::mem::take(&mut self.leaving);
        let (instance, saved) = match captured {
            Captured::Taken(instance, saved) => {
                let wait = CHECKPOINT_ENTRIES.max(saved.image.bytes() as u64 / CHECKPOINT_BYTES);
                self.checkpoint_due = Some(OplogIndex(saved.summary.index + wait));
                (Some(*instance), Some(saved))
            }
            Captured::NotNow(instance, why) => {
                tracing::debug!(worker = %id, %why, "no checkpoint now");
                let tail = self.writer.lock().tail().0;
                self.checkpoint_due = Some(OplogIndex(tail + CHECKPOINT_ENTRIES));
                (Some(*instance), None)
            }
            Captured::Never(why) => {
                tracing::warn!(worker = %id, %why, "no checkpoints of this worker");
                self.checkpoint_due = None;
                (None, None)
            }
        };
        (instance.filter(|_| !leaving), saved)
    }

    /// A checkpoint is on disk. It is used from now on if nothing has happened since that undid a part of it; one that is not is
    /// looked at again when the log is read anew.
    fn kept(&mut self, summary: Summary) {
        let regions = Summary::keep_regions(&self.link.regions.lock());
        if self.row.version == summary.version && regions == summary.regions {
            self.checkpoint = Some(Arc::new(summary));
        }
    }
}

impl Worker {
    /// Begins to keep an image whose last entries are `written`: it is compressed and put on the shelf when they are durable, because
    /// an image of what is not could be ahead of the log after a crash.
    pub(crate) fn keep(&mut self, saved: Box<Saved>, log: LogId, written: Seq) {
        let node = Arc::clone(&self.node);
        let id = self.id.clone();
        self.keeping = Some(Box::pin(async move {
            // Without them there is nothing to keep; the process is about to end.
            node.committer().wait(written).await.ok()?;
            // Compressing and writing take milliseconds, in which no guest of this thread would run.
            let _job = node.job();
            let shelf = Arc::clone(&node);
            let outcome = tokio::task::spawn_blocking(move || {
                let outcome = shelf.checkpoints().keep(log, &saved);
                outcome.map(|()| saved.summary)
            });
            let outcome = outcome.await.map_err(std::io::Error::from).flatten();
            outcome
                .inspect_err(
                    |error| tracing::debug!(worker = %id, %error, "a checkpoint is not kept"),
                )
                .ok()
        }));
    }

    /// What was on its way to the disk is there, or is not.
    pub(crate) fn kept(&mut self, summary: Option<Summary>) {
        self.keeping = None;
        if let (Some(alive), Some(summary)) = (&mut self.alive, summary) {
            alive.kept(summary);
        }
    }

    /// Waits until nothing of the worker is on its way to the shelf: whoever removes files from there has to, or one would come
    /// after that.
    pub(crate) async fn until_kept(&mut self) {
        if let Some(keeping) = &mut self.keeping {
            let summary = keeping.await;
            self.kept(summary);
        }
    }

    /// Forgets the checkpoints of the worker, which need not be in memory for that. Its next one comes as if it had none.
    pub(crate) async fn drop_checkpoints(&mut self) -> Result<u64, WorkerError> {
        self.until_kept().await;
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

/// Takes an image of an idle instance.
pub(crate) async fn take(mut about: Summary, mut instance: Instance) -> Captured {
    match image(&mut instance, &mut about).await {
        Ok(Ok(image)) => {
            let summary = about;
            Captured::Taken(Box::new(instance), Box::new(Saved { summary, image }))
        }
        Ok(Err(why)) => Captured::NotNow(Box::new(instance), why),
        Err(why) => Captured::Never(why),
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
