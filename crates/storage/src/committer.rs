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
//! Who waits alone writes by itself: while each commit has had one waiter for a while, waking the thread and being woken by it would
//! take as long as the rest. Its thread of the runtime leaves its place to another one for that time. Why: ADR 0018.
//!
//! A store that met a full disk in the middle of a write is of no use any more, so the committer never lets it come to that:
//! below [`RESERVE_BYTES`] of free space it waits. Nothing fails, nothing is lost, and it goes on by itself.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::runtime::{Handle, RuntimeFlavor};
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

/// Bytes of submits that may be joined into one: a batch is never closed between them, so that it is not much larger than
/// [`BATCH_BYTES_MAX`].
const JOINED_BYTES_MAX: usize = 64 << 10;

/// Longest time that something is queued for which nobody waits: entries of a guest that goes on computing.
pub const LINGER: Duration = Duration::from_millis(2);

/// Lingering times with nothing to write after which the thread sleeps until it is woken: an idle server costs nothing, and one that
/// answers one request after the other does not wake a thread for each entry.
const IDLE_LINGERS: u32 = 50;

/// Commits one after the other that one waiter each has waited for, after which a waiter writes by itself.
const ALONE_MIN: u32 = 8;

/// How often a committer that waits for space looks again: soon enough for a person, and it costs a microsecond.
const SPACE_LOOK: Duration = Duration::from_millis(100);

/// How long it holds that there was more than [`LOW_BYTES`]: in that time nobody writes what is between that and the reserve.
const SPACE_HOLDS: Duration = Duration::from_millis(10);

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

/// Called once, on the thread that writes, when the store failed for good and before any waiter hears of it.
pub type OnFatal = Box<dyn FnOnce(CommitError) + Send>;

/// Writes the operations of all workers in one order. Cheap to share; see the module's header.
pub struct Committer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Without a thread: nothing is written before [`Committer::commit_one`] says so.
    driven: bool,
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
    /// Locked by who writes. Before `queue`, when both are.
    lane: Mutex<Lane>,
    /// Set at most once, by tests.
    crash: Mutex<Option<CrashPoint>>,
    queue: Mutex<Queue>,
    /// Signalled when the thread has something to do: somebody waits, much is queued, or it is to end; if it sleeps, for anything.
    /// To all: who writes waits for space with it, and may be another thread.
    filled: Condvar,
    durable: AtomicU64,
    waiters: Mutex<Waiters>,
    queued_bytes: AtomicUsize,
    /// When there was more space than [`LOW_BYTES`], and how much.
    space: Mutex<Option<(Instant, u64)>>,
    /// Notified when `queued_bytes` falls below its bound, and at the end.
    room: Notify,
    commits: AtomicU64,
    bytes: AtomicU64,
    /// The last so many commits had one waiter each.
    alone: AtomicU32,
}

/// What only who writes needs.
struct Lane {
    tokens: Vec<Token>,
    marks: Marks,
    on_fatal: Option<OnFatal>,
    /// Nothing is written any more.
    ended: bool,
}

/// The right to write, one at a time. A holder that panics has failed like a store that refuses.
struct Turn<'a> {
    shared: &'a Shared,
    lane: MutexGuard<'a, Lane>,
}

#[derive(Default)]
struct Queue {
    ops: Vec<Op>,
    /// The submits that are queued, in order.
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

    /// Queues `ops` as one submit; returns its bytes. Entries that continue those of the last operation are added to it, if submits
    /// `join`: a guest that records one after the other costs neither an operation for each nor the merging of them.
    fn add(&mut self, ops: impl IntoIterator<Item = Op>, join: bool) -> usize {
        let mut ops = ops.into_iter().peekable();
        let (before, mut bytes) = (self.ops.len(), 0);
        let last = self.submits.last();
        let last = last.filter(|last| last.ops > 0 && last.bytes < JOINED_BYTES_MAX);
        let pair = self.ops.last().zip(ops.peek());
        let continues =
            join && last.is_some() && pair.is_some_and(|(last, next)| last.is_continued_by(next));
        if continues && let Some((last, mut next)) = self.ops.last_mut().zip(ops.next()) {
            bytes += next.bytes();
            last.append(&mut next);
        }
        self.ops.extend(ops);
        let added = self.ops.get(before..).unwrap_or_default();
        bytes += added.iter().map(Op::bytes).sum::<usize>();
        let submit = Submit {
            count: 1,
            ops: added.len(),
            bytes,
        };
        match self.submits.last_mut() {
            // All of a submit is in one batch, and a part of this one is in the last one's operations.
            Some(last) if continues => last.join(&submit),
            _ => self.submits.push(submit),
        }
        self.bytes += bytes;
        bytes
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

/// What of the queue belongs to submits that are in one batch.
struct Submit {
    /// How many they are.
    count: u64,
    ops: usize,
    bytes: usize,
}

impl Submit {
    fn join(&mut self, next: &Self) {
        self.count += next.count;
        self.ops += next.ops;
        self.bytes += next.bytes;
    }
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
        let shared = Shared::new(store, tokens, on_fatal)?;
        let running = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("golem-committer".into())
            .spawn(move || running.run())
            .map_err(|e| StoreError::Io(format!("no thread for the committer: {e}")))?;
        Ok(Arc::new(Self {
            shared,
            thread: Mutex::new(Some(thread)),
            driven: false,
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
        Ok(Arc::new(Self {
            shared: Shared::new(store, tokens, on_fatal)?,
            thread: Mutex::default(),
            driven: true,
        }))
    }

    /// Writes the oldest submit that is queued, if this committer is driven. Whether there was one, also when the store
    /// refused it: then the committer has ended.
    pub fn commit_one(&self) -> bool {
        match self.shared.turn() {
            Some(turn) if self.driven => turn.write_one(),
            _ => false,
        }
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
        let bytes = queue.add(ops, !self.driven);
        self.shared.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
        if queue.sleeps || queue.bytes >= BATCH_BYTES_MAX {
            self.shared.filled.notify_all();
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
        if self.durable() < seq && self.writes_alone() {
            self.shared.write_here();
        }
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

    /// Whether who waits now should write by itself, and may: its thread must be one that another one can stand in for.
    fn writes_alone(&self) -> bool {
        !self.driven
            && self.shared.alone.load(Ordering::Relaxed) >= ALONE_MIN
            && Handle::try_current()
                .is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread)
    }

    /// Whether more waits than [`QUEUE_BYTES_MAX`].
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.shared.queued_bytes.load(Ordering::Acquire) >= QUEUE_BYTES_MAX
    }

    /// Whether there is space for something new: see [`LOW_BYTES`].
    #[must_use]
    pub fn has_space(&self) -> bool {
        let free = self.shared.free_bytes();
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
        self.shared.filled.notify_all();
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
        if self.driven {
            // Where there is a thread, it has done that.
            self.shared.end();
        }
    }
}

impl Shared {
    fn new(
        store: Arc<dyn Store>,
        tokens: Vec<Token>,
        on_fatal: impl FnOnce(CommitError) + Send + 'static,
    ) -> Result<Arc<Self>, StoreError> {
        let lane = Lane {
            marks: Marks::load(store.as_ref(), &tokens)?,
            tokens,
            on_fatal: Some(Box::new(on_fatal)),
            ended: false,
        };
        Ok(Arc::new(Self {
            store,
            lane: Mutex::new(lane),
            crash: Mutex::default(),
            queue: Mutex::default(),
            filled: Condvar::new(),
            durable: AtomicU64::new(0),
            waiters: Mutex::default(),
            queued_bytes: AtomicUsize::new(0),
            space: Mutex::default(),
            room: Notify::new(),
            commits: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            alone: AtomicU32::new(0),
        }))
    }

    /// What the thread does.
    fn run(&self) {
        while self.rest() {
            let Some(turn) = self.turn() else { return };
            // Where all processors are busy, who has been woken takes the place of somebody who was about to submit: letting those go
            // first makes one commit of many. Where one is free, this costs nothing.
            std::thread::yield_now();
            turn.write_all(0);
        }
        self.store.settle();
        self.end();
    }

    /// Returns when something should be written; `false` is the end.
    fn rest(&self) -> bool {
        let mut queue = self.queue.lock();
        let mut lingers = 0;
        // When closed, later submits were counted but not kept.
        while queue.submits.is_empty() || !queue.is_urgent(self.durable.load(Ordering::Relaxed)) {
            if queue.closed {
                return false;
            }
            if lingers < IDLE_LINGERS {
                let rest = self.filled.wait_for(&mut queue, LINGER);
                if rest.timed_out() && !queue.submits.is_empty() {
                    break;
                }
                lingers += 1;
            } else {
                queue.sleeps = true;
                self.filled.wait(&mut queue);
                queue.sleeps = false;
                lingers = 0;
            }
        }
        true
    }

    /// The right to write, after those who have it; `None` at the end.
    fn turn(&self) -> Option<Turn<'_>> {
        let lane = self.lane.lock();
        (!lane.ended).then(|| Turn { shared: self, lane })
    }

    /// Writes what is queued on the calling thread, which is one of a runtime of several, unless somebody writes already.
    fn write_here(&self) {
        let Some(lane) = self.lane.try_lock().filter(|lane| !lane.ended) else {
            return;
        };
        let turn = Turn { shared: self, lane };
        tokio::task::block_in_place(|| turn.write_all(1));
    }

    /// Somebody waits for `seq`.
    fn want(&self, seq: Seq) {
        let mut queue = self.queue.lock();
        if queue.wanted < seq.0 {
            queue.wanted = seq.0;
            self.filled.notify_all();
        }
    }

    /// Bytes that may still be written; `None` where the store does not know. Looked at each time when they are few, and every
    /// [`SPACE_HOLDS`] otherwise.
    fn free_bytes(&self) -> Option<u64> {
        let mut space = self.space.lock();
        let now = Instant::now();
        if let Some((seen, free)) = *space
            && now.duration_since(seen) < SPACE_HOLDS
        {
            return Some(free);
        }
        let free = self.store.free_bytes();
        *space = free
            .filter(|free| *free > LOW_BYTES)
            .map(|free| (now, free));
        free
    }

    /// Moves the watermark and wakes those who waited for it; returns how many.
    fn advance(&self, durable: u64, bytes: usize) -> usize {
        let before = self.queued_bytes.fetch_sub(bytes, Ordering::AcqRel);
        let ready = {
            let mut waiters = self.waiters.lock();
            self.durable.store(durable, Ordering::Release);
            let later = waiters.by_seq.split_off(&(durable + 1));
            std::mem::replace(&mut waiters.by_seq, later)
        };
        let mut woken = 0;
        for sender in ready.into_values().flatten() {
            // An error means that the waiter was dropped: nobody is interested.
            woken += usize::from(sender.send(()).is_ok());
        }
        if before >= QUEUE_BYTES_MAX && before - bytes < QUEUE_BYTES_MAX {
            self.room.notify_waiters();
        }
        woken
    }

    /// Returns when the disk has its reserve, or when the committer is being stopped: the reserve is for that, too.
    fn wait_for_space(&self) {
        let mut told = false;
        while let Some(free) = self.free_bytes().filter(|free| *free < RESERVE_BYTES) {
            if !told {
                tracing::error!(
                    free,
                    "the disk is full: nothing is written until there is space"
                );
                told = true;
            }
            let mut queue = self.queue.lock();
            if queue.closed {
                return;
            }
            self.filled.wait_for(&mut queue, SPACE_LOOK);
        }
        if told {
            tracing::warn!("there is space on the disk again");
        }
    }

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

    /// Nothing is written from here on.
    fn end(&self) {
        self.lane.lock().ended = true;
        self.close();
    }

    /// Nothing is accepted any more, and everybody who waits hears `Stopped`.
    fn close(&self) {
        {
            let mut queue = self.queue.lock();
            queue.closed = true;
            drop(queue.take());
        }
        self.filled.notify_all();
        let mut waiters = self.waiters.lock();
        waiters.stopped = true;
        waiters.by_seq.clear();
        drop(waiters);
        self.room.notify_waiters();
    }
}

impl Turn<'_> {
    /// Writes everything that is queued in as few batches as the limits allow; of those who wait for it, `own` are not
    /// registered. A store that refuses is the end.
    fn write_all(mut self, own: usize) {
        let (ops, submits) = self.shared.queue.lock().take();
        if submits.is_empty() {
            return;
        }
        match self.write(ops, submits) {
            Ok(woken) => self.count_waiters(woken + own),
            Err(error) => {
                tracing::error!(%error, "commit failed, no more writes are accepted");
                self.fail(error);
            }
        }
    }

    /// Writes the oldest submit, if there is one. Whether there was.
    fn write_one(mut self) -> bool {
        let (ops, submit) = {
            let mut queue = self.shared.queue.lock();
            if queue.submits.is_empty() {
                return false;
            }
            let submit = queue.submits.remove(0);
            queue.bytes -= submit.bytes;
            let ops = queue.ops.drain(..submit.ops).collect();
            (ops, submit)
        };
        if let Err(error) = self.write(ops, vec![submit]) {
            self.fail(error);
        }
        true
    }

    /// Writes submits that follow what is durable; returns how many waiters were woken.
    fn write(&mut self, ops: Vec<Op>, submits: Vec<Submit>) -> Result<usize, CommitError> {
        let mut ops = ops.into_iter();
        let mut seq = self.shared.durable.load(Ordering::Relaxed);
        let (mut count, mut bytes, mut woken) = (0, 0, 0);
        for submit in submits {
            let full = count + submit.ops > BATCH_OPS_MAX || bytes + submit.bytes > BATCH_BYTES_MAX;
            if full && count > 0 {
                woken += self.commit(ops.by_ref().take(count), seq, bytes)?;
                (count, bytes) = (0, 0);
            }
            seq += submit.count;
            count += submit.ops;
            bytes += submit.bytes;
        }
        woken += self.commit(ops, seq, bytes)?;
        Ok(woken)
    }

    /// Writes one batch and moves the watermark to `seq`; returns how many waiters were woken.
    fn commit(
        &mut self,
        ops: impl Iterator<Item = Op>,
        seq: u64,
        bytes: usize,
    ) -> Result<usize, CommitError> {
        let shared = self.shared;
        let batch = self.lane.marks.merge(ops);
        // A batch can be left with nothing to say: a mark that was set and taken away again.
        if !batch.is_empty() {
            shared.wait_for_space();
            shared.crash_if(false);
            shared.store.commit(&self.lane.tokens, &batch)?;
            shared.crash_if(true);
            shared.commits.fetch_add(1, Ordering::Relaxed);
            let content: usize = batch.iter().map(Op::content).sum();
            shared.bytes.fetch_add(content as u64, Ordering::Relaxed);
        }
        Ok(shared.advance(seq, bytes))
    }

    /// So many have waited for what was just written.
    fn count_waiters(&self, waiters: usize) {
        let alone = &self.shared.alone;
        match waiters {
            // What nobody waits for says nothing about those who do.
            0 => {}
            1 => {
                alone.fetch_add(1, Ordering::Relaxed);
            }
            _ => alone.store(0, Ordering::Relaxed),
        }
    }

    fn fail(&mut self, error: CommitError) {
        if let Some(on_fatal) = self.lane.on_fatal.take() {
            on_fatal(error);
        }
        self.lane.ended = true;
        self.shared.close();
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // Whoever waits must not wait for ever.
        if std::thread::panicking() {
            self.fail(CommitError::Poisoned(
                "the thread that wrote panicked".into(),
            ));
        }
    }
}

#[cfg(test)]
mod tests;
