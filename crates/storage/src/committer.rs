// SPDX-License-Identifier: Apache-2.0
//! THE SHELVES / committer: one ordered stream of commits. In: operations of all workers. Out: a number that grows as
//! they become durable. Never reads or interprets entries. Bound: [`QUEUE_BYTES_MAX`] by [`Committer::room`].
//! Read next: `merge.rs` (what a batch leaves out), `store.rs`. Source: storage design §3 (group commit), D4 of the
//! architecture.
//!
//! One thread takes everything that is queued, writes it as one batch, tells the waiters, and starts again. It begins when
//! somebody waits, so that all that leads to an answer is one commit, and otherwise within [`LINGER`]. Under load a batch grows by
//! itself, because more is queued while the last one is being synced.
//!
//! A store that met a full disk in the middle of a write is of no use any more, so the committer never lets it come to that:
//! below [`RESERVE_BYTES`] of free space it waits. Nothing fails, nothing is lost, and it goes on by itself.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::{Notify, oneshot};

use crate::merge::Marks;
use crate::store::{BATCH_BYTES_MAX, BATCH_OPS_MAX, CommitError, Op, Store, StoreError, Token};

/// Bytes that may wait for their commit before [`Committer::room`] makes callers wait: a few full batches, so that a
/// slow disk shows as back-pressure at the door and not as memory.
pub const QUEUE_BYTES_MAX: usize = 8 << 20;

/// Free bytes below which the committer waits for more: what the store may write without being asked, its memory tables (8 MiB
/// each) and their merging, and what is left for the last commit of a server that is stopped.
pub const RESERVE_BYTES: u64 = 32 << 20;

/// Free bytes below which nothing new should be begun: above the reserve by the largest upload and what is running already.
pub const LOW_BYTES: u64 = 128 << 20;

/// Longest time that something is queued for which nobody waits: entries of a guest that goes on computing.
pub const LINGER: Duration = Duration::from_millis(2);

/// Lingering times with nothing to write after which the thread sleeps until it is woken: an idle server costs nothing, and one that
/// answers one request after the other does not wake a thread for each entry.
const IDLE_LINGERS: u32 = 50;

/// How often a committer that waits for space looks again: soon enough for a person, and it costs a microsecond.
const SPACE_LOOK: Duration = Duration::from_millis(100);

/// Number of a submit: 1, 2, 3, … in the order of the log. Everything up to a durable number is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Seq(pub u64);

/// The committer ended before the submit became durable: by [`Committer::stop`], or because the store failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the store has stopped accepting writes")]
pub struct Stopped;

/// What the committer has done so far, for `/metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CommitterStats {
    /// Commits: one durable write each.
    pub commits: u64,
    /// Submits that are durable.
    pub submits: u64,
    /// Bytes of what the durable operations say, after merging: see [`Op::content`].
    pub bytes: u64,
    /// Bytes that wait or are being written.
    pub queued_bytes: u64,
}

/// Called once, on the committer's thread, when the store failed for good and before any waiter hears of it.
pub type OnFatal = Box<dyn FnOnce(CommitError) + Send>;

/// Writes the operations of all workers in one order. Cheap to share; see the module's header.
pub struct Committer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Without a thread: who writes when [`Committer::commit_one`] says so. `None` once that failed.
    driven: Option<Mutex<Option<Lane>>>,
}

/// A commit at which the process dies, as if it was killed. For tests of recovery: see `docs/faults.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrashPoint {
    /// Number of the commit, from 1.
    pub commit: u64,
    /// Die when the commit is durable and nobody knows it yet; else before it is written.
    pub after: bool,
}

impl std::str::FromStr for CrashPoint {
    type Err = String;

    /// Reads `before:N` or `after:N`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is neither `before:N` nor `after:N`");
        let (when, commit) = text.split_once(':').ok_or_else(wrong)?;
        let commit = commit.parse().map_err(|_| wrong())?;
        match when {
            "before" => Ok(Self {
                commit,
                after: false,
            }),
            "after" => Ok(Self {
                commit,
                after: true,
            }),
            _ => Err(wrong()),
        }
    }
}

/// What callers and the thread both touch.
struct Shared {
    store: Arc<dyn Store>,
    /// Set at most once, by tests.
    crash: Mutex<Option<CrashPoint>>,
    queue: Mutex<Queue>,
    /// Signalled when the thread has something to do: somebody waits, much is queued, or it is to end; if it sleeps, for anything.
    filled: Condvar,
    durable: AtomicU64,
    waiters: Mutex<Waiters>,
    queued_bytes: AtomicUsize,
    /// Notified when `queued_bytes` falls below its bound, and at the end.
    room: Notify,
    commits: AtomicU64,
    bytes: AtomicU64,
}

#[derive(Default)]
struct Queue {
    ops: Vec<Op>,
    /// One per submit that is queued, in order.
    submits: Vec<Submit>,
    /// Bytes of all that is queued.
    bytes: usize,
    /// Number of the last submit.
    last: u64,
    /// The highest number that somebody has waited for.
    wanted: u64,
    /// The thread sleeps until it is woken.
    sleeps: bool,
    /// Nothing is queued any more.
    closed: bool,
}

impl Queue {
    /// Whether the next commit should begin at once, when so much is durable.
    fn is_urgent(&self, durable: u64) -> bool {
        self.closed || self.wanted > durable || self.bytes >= BATCH_BYTES_MAX
    }

    /// Empties it.
    fn take(&mut self) -> (Vec<Op>, Vec<Submit>) {
        self.bytes = 0;
        (
            std::mem::take(&mut self.ops),
            std::mem::take(&mut self.submits),
        )
    }
}

/// Where a submit ends in the queue.
struct Submit {
    ops: usize,
    bytes: usize,
}

#[derive(Default)]
struct Waiters {
    by_seq: BTreeMap<u64, Vec<oneshot::Sender<()>>>,
    stopped: bool,
}

impl Committer {
    /// Starts the thread. `tokens` are the rights for all shards that will be written. `on_fatal` is called when a
    /// commit fails: the server ends the process there, because what was promised after it cannot be kept. Every error
    /// of a commit counts: an embedded store that says `Unavailable` has a full disk under a half-written journal, and
    /// `Fenced`, `Conflict`, `Dropped` or `TooLarge` mean that the engine broke its own order.
    ///
    /// Errors: `Io` and `Corrupt` of [`Store::scan_running`], `Io` when there is no thread to be had.
    pub fn start(
        store: Arc<dyn Store>,
        tokens: Vec<Token>,
        on_fatal: impl FnOnce(CommitError) + Send + 'static,
    ) -> Result<Arc<Self>, StoreError> {
        let lane = Lane::new(store, tokens, on_fatal)?;
        let shared = Arc::clone(&lane.shared);
        let thread = std::thread::Builder::new()
            .name("golem-committer".into())
            .spawn(move || lane.run())
            .map_err(|e| StoreError::Io(format!("no thread for the committer: {e}")))?;
        Ok(Arc::new(Self {
            shared,
            thread: Mutex::new(Some(thread)),
            driven: None,
        }))
    }

    /// A committer without a thread: it writes one submit in one commit whenever [`Committer::commit_one`] is called, and
    /// nothing at its end. The same submits make the same commits then, which is what a test that crashes at each of them
    /// needs. Otherwise as [`Committer::start`]. Errors: `Io` and `Corrupt` of [`Store::scan_running`].
    pub fn start_driven(
        store: Arc<dyn Store>,
        tokens: Vec<Token>,
        on_fatal: impl FnOnce(CommitError) + Send + 'static,
    ) -> Result<Arc<Self>, StoreError> {
        let lane = Lane::new(store, tokens, on_fatal)?;
        Ok(Arc::new(Self {
            shared: Arc::clone(&lane.shared),
            thread: Mutex::default(),
            driven: Some(Mutex::new(Some(lane))),
        }))
    }

    /// Writes the oldest submit that is queued, if this committer is driven. Whether there was one, also when the store
    /// refused it: then the committer has ended.
    pub fn commit_one(&self) -> bool {
        let Some(driven) = &self.driven else {
            return false;
        };
        let mut driven = driven.lock();
        let Some(lane) = driven.as_mut() else {
            return false;
        };
        let Some((first, ops, submit)) = lane.take_one() else {
            return false;
        };
        if let Err(error) = lane.write(first, ops, vec![submit]) {
            lane.fail(error);
            // Dropped, it tells everybody who waits.
            drop(driven.take());
        }
        true
    }

    /// Lets the process die at a commit. For tests of recovery.
    pub fn crash_at(&self, point: CrashPoint) {
        *self.shared.crash.lock() = Some(point);
    }

    /// Queues `ops`, all in the same batch and after everything that was submitted before. Never blocks on the disk. They are
    /// written when somebody waits for them or for what comes later, or within [`LINGER`].
    /// After the end the operations are dropped and waiting for the number says [`Stopped`].
    ///
    /// Call [`Committer::room`] before work that submits much: this function itself does not hold back.
    pub fn submit(&self, ops: impl IntoIterator<Item = Op>) -> Seq {
        let mut queue = self.shared.queue.lock();
        queue.last += 1;
        let seq = Seq(queue.last);
        if queue.closed {
            return seq;
        }
        let before = queue.ops.len();
        queue.ops.extend(ops);
        let added = queue.ops.get(before..).unwrap_or_default();
        let submit = Submit {
            ops: added.len(),
            bytes: added.iter().map(Op::bytes).sum(),
        };
        self.shared
            .queued_bytes
            .fetch_add(submit.bytes, Ordering::Relaxed);
        queue.bytes += submit.bytes;
        queue.submits.push(submit);
        if queue.sleeps || queue.bytes >= BATCH_BYTES_MAX {
            self.shared.filled.notify_one();
        }
        seq
    }

    /// The number of the last submit: what is durable once this is, a reader of the store sees.
    #[must_use]
    pub fn submitted(&self) -> Seq {
        Seq(self.shared.queue.lock().last)
    }

    /// The last number that is durable; so are all before it.
    #[must_use]
    pub fn durable(&self) -> Seq {
        Seq(self.shared.durable.load(Ordering::Acquire))
    }

    /// Returns when `seq` is durable. Cancel safe: dropping the future changes nothing. Error: [`Stopped`], and then
    /// the submit may or may not be in the log.
    pub async fn wait(&self, seq: Seq) -> Result<(), Stopped> {
        if self.durable() >= seq {
            return Ok(());
        }
        self.shared.want(seq);
        let receiver = {
            let mut waiters = self.shared.waiters.lock();
            // Again, now that the thread cannot pass between the question and the entry below.
            if self.durable() >= seq {
                return Ok(());
            }
            if waiters.stopped {
                return Err(Stopped);
            }
            let (sender, receiver) = oneshot::channel();
            waiters.by_seq.entry(seq.0).or_default().push(sender);
            receiver
        };
        receiver.await.map_err(|_| Stopped)
    }

    /// Whether more waits than [`QUEUE_BYTES_MAX`].
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.shared.queued_bytes.load(Ordering::Acquire) >= QUEUE_BYTES_MAX
    }

    /// Whether there is space for something new: see [`LOW_BYTES`].
    #[must_use]
    pub fn has_space(&self) -> bool {
        let free = self.shared.store.free_bytes();
        free.is_none_or(|free| free >= LOW_BYTES)
    }

    /// Returns when fewer than [`QUEUE_BYTES_MAX`] bytes wait, or the committer has ended. Cancel safe.
    pub async fn room(&self) {
        loop {
            let mut notified = pin!(self.shared.room.notified());
            // Registered before the question, so that a notice in between is not missed.
            notified.as_mut().enable();
            if !self.is_crowded() || self.shared.waiters.lock().stopped {
                return;
            }
            notified.await;
        }
    }

    /// Commits what is queued, refuses what comes later, and returns when the thread has ended. Blocks for the last
    /// commit. Calling it again does nothing.
    pub fn stop(&self) {
        self.shared.queue.lock().closed = true;
        self.shared.filled.notify_one();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("the committer's thread panicked");
        }
    }

    /// What was done so far.
    #[must_use]
    pub fn stats(&self) -> CommitterStats {
        CommitterStats {
            commits: self.shared.commits.load(Ordering::Relaxed),
            submits: self.durable().0,
            bytes: self.shared.bytes.load(Ordering::Relaxed),
            queued_bytes: self.shared.queued_bytes.load(Ordering::Relaxed) as u64,
        }
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    /// Somebody waits for `seq`.
    fn want(&self, seq: Seq) {
        let mut queue = self.queue.lock();
        if queue.wanted < seq.0 {
            queue.wanted = seq.0;
            self.filled.notify_one();
        }
    }

    /// Moves the watermark and wakes those who waited for it.
    fn advance(&self, durable: u64, bytes: usize) {
        let before = self.queued_bytes.fetch_sub(bytes, Ordering::AcqRel);
        let ready = {
            let mut waiters = self.waiters.lock();
            self.durable.store(durable, Ordering::Release);
            let later = waiters.by_seq.split_off(&(durable + 1));
            std::mem::replace(&mut waiters.by_seq, later)
        };
        for sender in ready.into_values().flatten() {
            // An error means that the waiter was dropped: nobody is interested.
            let _ = sender.send(());
        }
        if before >= QUEUE_BYTES_MAX && before - bytes < QUEUE_BYTES_MAX {
            self.room.notify_waiters();
        }
    }

    /// Nothing is accepted any more, and everybody who waits hears `Stopped`.
    fn close(&self) {
        {
            let mut queue = self.queue.lock();
            queue.closed = true;
            drop(queue.take());
        }
        let mut waiters = self.waiters.lock();
        waiters.stopped = true;
        waiters.by_seq.clear();
        drop(waiters);
        self.room.notify_waiters();
    }
}

/// What belongs to the thread alone.
struct Lane {
    shared: Arc<Shared>,
    tokens: Vec<Token>,
    marks: Marks,
    on_fatal: Option<OnFatal>,
}

impl Lane {
    fn new(
        store: Arc<dyn Store>,
        tokens: Vec<Token>,
        on_fatal: impl FnOnce(CommitError) + Send + 'static,
    ) -> Result<Self, StoreError> {
        let marks = Marks::load(store.as_ref(), &tokens)?;
        Ok(Self {
            shared: Arc::new(Shared {
                store,
                crash: Mutex::default(),
                queue: Mutex::default(),
                filled: Condvar::new(),
                durable: AtomicU64::new(0),
                waiters: Mutex::default(),
                queued_bytes: AtomicUsize::new(0),
                room: Notify::new(),
                commits: AtomicU64::new(0),
                bytes: AtomicU64::new(0),
            }),
            tokens,
            marks,
            on_fatal: Some(Box::new(on_fatal)),
        })
    }

    fn run(mut self) {
        while let Some((first, ops, submits)) = self.take() {
            if let Err(error) = self.write(first, ops, submits) {
                tracing::error!(%error, "commit failed, no more writes are accepted");
                self.fail(error);
                return;
            }
        }
        self.shared.store.settle();
        // `Drop` closes.
    }

    /// Waits for submits and takes all of them, with the number of the first; `None` at the end.
    fn take(&self) -> Option<(u64, Vec<Op>, Vec<Submit>)> {
        let mut queue = self.shared.queue.lock();
        // When closed, later submits were counted but not kept: numbers end at the last one kept.
        let durable = self.shared.durable.load(Ordering::Relaxed);
        let mut lingers = 0;
        while queue.submits.is_empty() || !queue.is_urgent(durable) {
            if queue.closed {
                return None;
            }
            if lingers < IDLE_LINGERS {
                let rest = self.shared.filled.wait_for(&mut queue, LINGER);
                if rest.timed_out() && !queue.submits.is_empty() {
                    break;
                }
                lingers += 1;
            } else {
                queue.sleeps = true;
                self.shared.filled.wait(&mut queue);
                queue.sleeps = false;
                lingers = 0;
            }
        }
        // Where all processors are busy, who has been woken takes the place of somebody who was about to submit: letting those go
        // first makes one commit of many. Where one is free, this costs nothing.
        MutexGuard::unlocked(&mut queue, std::thread::yield_now);
        let (ops, submits) = queue.take();
        Some((durable + 1, ops, submits))
    }

    /// Takes the oldest submit, with its number, if there is one.
    fn take_one(&self) -> Option<(u64, Vec<Op>, Submit)> {
        let mut queue = self.shared.queue.lock();
        if queue.submits.is_empty() {
            return None;
        }
        let submit = queue.submits.remove(0);
        queue.bytes -= submit.bytes;
        let ops = queue.ops.drain(..submit.ops).collect();
        let first = self.shared.durable.load(Ordering::Relaxed) + 1;
        Some((first, ops, submit))
    }

    /// Writes the submits in as few batches as the limits allow.
    fn write(&mut self, first: u64, ops: Vec<Op>, submits: Vec<Submit>) -> Result<(), CommitError> {
        let mut ops = ops.into_iter();
        let (mut seq, mut count, mut bytes) = (first - 1, 0, 0);
        for submit in submits {
            let full = count + submit.ops > BATCH_OPS_MAX || bytes + submit.bytes > BATCH_BYTES_MAX;
            if full && count > 0 {
                self.commit(ops.by_ref().take(count), seq, bytes)?;
                (count, bytes) = (0, 0);
            }
            seq += 1;
            count += submit.ops;
            bytes += submit.bytes;
        }
        self.commit(ops.by_ref().take(count), seq, bytes)
    }

    /// Writes one batch and moves the watermark to `seq`.
    fn commit(
        &mut self,
        ops: impl Iterator<Item = Op>,
        seq: u64,
        bytes: usize,
    ) -> Result<(), CommitError> {
        let batch = self.marks.merge(ops);
        // A batch can be left with nothing to say: a mark that was set and taken away again.
        if !batch.is_empty() {
            self.wait_for_space();
            self.shared.crash_if(false);
            self.shared.store.commit(&self.tokens, &batch)?;
            self.shared.crash_if(true);
            self.shared.commits.fetch_add(1, Ordering::Relaxed);
            let content: usize = batch.iter().map(Op::content).sum();
            let bytes = &self.shared.bytes;
            bytes.fetch_add(content as u64, Ordering::Relaxed);
        }
        self.shared.advance(seq, bytes);
        Ok(())
    }

    /// Returns when the disk has its reserve, or when the committer is being stopped: the reserve is for that, too.
    fn wait_for_space(&self) {
        let mut told = false;
        while let Some(free) = self
            .shared
            .store
            .free_bytes()
            .filter(|free| *free < RESERVE_BYTES)
        {
            if !told {
                tracing::error!(
                    free,
                    "the disk is full: nothing is written until there is space"
                );
                told = true;
            }
            let mut queue = self.shared.queue.lock();
            if queue.closed {
                return;
            }
            self.shared.filled.wait_for(&mut queue, SPACE_LOOK);
        }
        if told {
            tracing::warn!("there is space on the disk again");
        }
    }

    fn fail(&mut self, error: CommitError) {
        if let Some(on_fatal) = self.on_fatal.take() {
            on_fatal(error);
        }
    }
}

impl Shared {
    /// Ends the process without a word if the commit that is being written is the one to die at.
    fn crash_if(&self, after: bool) {
        let number = self.commits.load(Ordering::Relaxed) + 1;
        if *self.crash.lock()
            == Some(CrashPoint {
                commit: number,
                after,
            })
        {
            std::process::abort();
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        // A panic is a failure of the store like any other: whoever waits must not wait for ever.
        if std::thread::panicking() {
            self.fail(CommitError::Poisoned(
                "the committer's thread panicked".into(),
            ));
        }
        self.shared.close();
    }
}

#[cfg(test)]
mod tests;
