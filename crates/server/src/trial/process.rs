// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / trial/process: a node as a process that can die: a runtime of one thread, and nothing of it is left when that is
//! dropped. In: what to wait for, until when time may pass meanwhile. Out: what came, or why it does not come.
//!
//! Everything runs on the one thread, one after the other, and the node is driven: when no task is ready, the oldest thing that
//! waits is committed; when nothing waits either, the node is at rest, and only time can change that. So the same scenario makes
//! the same commits each time. Bound: [`PATIENCE`]. Read next: `run.rs`, golem-engine `clock.rs`.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use golem_engine::{Chance, Clock, ManualTime, NetworkDouble, Node, NodeConfig, Seeded};
use golem_storage::{Blobs, MemStore};
use tokio::runtime::Runtime;

use super::error::TrialError;

/// Longest that a step may take on the machine's clock: far above what anything needs that ends at all.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Why something that was waited for does not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The node has died.
    Crashed,
    /// The node is at rest, and nobody waits for a moment that time may pass to.
    AtRest,
    /// Real time runs out.
    TooLong,
}

/// What a process is started with.
pub(super) struct Start<'a> {
    pub(super) store: MemStore,
    pub(super) blobs: Arc<Blobs>,
    pub(super) code_dir: &'a Path,
    /// The file with the key of secrets.
    pub(super) secret_key: &'a Path,
    /// For everything else on disk; of this trial alone.
    pub(super) dir: &'a Path,
    pub(super) time: Arc<ManualTime>,
    pub(super) chance: Arc<Seeded>,
    pub(super) outside: Arc<dyn NetworkDouble>,
}

/// See the module's header.
pub(super) struct Process {
    pub(super) node: Arc<Node>,
    pub(super) store: Arc<MemStore>,
    time: Arc<ManualTime>,
    pulse: Arc<Pulse>,
    /// Dropped last: with it goes everything that runs.
    runtime: Runtime,
}

/// What the thread of a process says before it goes to sleep.
#[derive(Default)]
struct Pulse {
    node: OnceLock<Weak<Node>>,
    dead: AtomicBool,
    at_rest: AtomicBool,
    waiting: Mutex<Option<Waker>>,
}

impl Pulse {
    /// No task is ready.
    fn idle(&self) {
        let Some(node) = self.node.get().and_then(Weak::upgrade) else {
            return;
        };
        // Somebody may have waited for the commit, and somebody has to look again if nobody has.
        if !node.commit_one() {
            if node.has_jobs() {
                return;
            }
            self.at_rest.store(true, Ordering::Release);
        }
        let waiting = self.waiting().take();
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Option<Waker>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Process {
    /// Starts a node. Errors: of the machine.
    pub(super) fn start(start: Start<'_>) -> Result<Self, TrialError> {
        let pulse = Arc::new(Pulse::default());
        let of_runtime = Arc::clone(&pulse);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .on_thread_park(move || of_runtime.idle())
            .build()
            .map_err(|error| TrialError::System(error.to_string()))?;
        let mut config = NodeConfig::new(start.code_dir.to_owned());
        config.files_dir = start.dir.join("files");
        config.checkpoints_dir = start.dir.join("checkpoints");
        start.secret_key.clone_into(&mut config.secret_key);
        config.clock = Clock::Manual(Arc::clone(&start.time));
        config.chance = Chance::Seeded(start.chance);
        config.double = Some(start.outside);
        config.driven = true;
        // What else runs on this machine must not change what a scenario does.
        config.memory_bytes = Some(u64::MAX);
        let store = Arc::new(start.store);
        let dying = Arc::clone(&pulse);
        let on_fatal = move |_| dying.dead.store(true, Ordering::Release);
        let node = {
            let _inside = runtime.enter();
            Node::start(&config, Arc::clone(&store) as _, start.blobs, on_fatal)?
        };
        // The cell is empty: it was made above.
        let _ = pulse.node.set(Arc::downgrade(&node));
        Ok(Self {
            node,
            store,
            time: start.time,
            pulse,
            runtime,
        })
    }

    /// Waits for `what`. Whenever the node is at rest, time moves on to the next moment that somebody waits for, at most to
    /// `until` (nanoseconds since 1970).
    pub(super) fn wait<T>(&self, until: u64, what: impl Future<Output = T>) -> Result<T, Ended> {
        // What was said before this wait began says nothing about it.
        self.pulse.at_rest.store(false, Ordering::Release);
        let watched = Watched {
            what: Box::pin(what),
            process: self,
            until,
        };
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                came = watched => came,
                () = tokio::time::sleep(PATIENCE) => Err(Ended::TooLong),
            }
        })
    }

    /// Waits for work of this machine, which is no part of the scenario.
    pub(super) fn work<T>(&self, what: impl Future<Output = T>) -> T {
        self.runtime.block_on(what)
    }

    /// What time it is, nanoseconds since 1970.
    pub(super) fn now(&self) -> u64 {
        self.time.now()
    }

    /// Lets time pass until `until` (nanoseconds since 1970), and everything happen that is due meanwhile or can happen
    /// without time. Errors: `Crashed`, `TooLong`.
    pub(super) fn pass(&self, until: u64) -> Result<(), Ended> {
        loop {
            match self.wait(until, std::future::pending::<()>()) {
                Ok(()) | Err(Ended::AtRest) => {}
                Err(ended) => return Err(ended),
            }
            if self.time.now() >= until {
                return Ok(());
            }
            self.time.move_to(until);
        }
    }

    /// Lets everything happen that needs no time. Errors: `Crashed`, `TooLong`.
    pub(super) fn settle(&self) -> Result<(), Ended> {
        self.pass(self.time.now())
    }

    /// Dies, and leaves what is committed.
    pub(super) fn crash(self) -> MemStore {
        let left = self.store.reopen();
        self.end();
        left
    }

    /// Ends at once.
    pub(super) fn end(self) {
        let Self { node, runtime, .. } = self;
        // Tasks hold the node, and the node's threads end with it.
        runtime.shutdown_background();
        drop(node);
    }
}

/// A wait that looks at the pulse of its process.
struct Watched<'a, T> {
    what: Pin<Box<dyn Future<Output = T> + 'a>>,
    process: &'a Process,
    until: u64,
}

impl<T> Future for Watched<'_, T> {
    type Output = Result<T, Ended>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let pulse = &self.process.pulse;
        *pulse.waiting() = Some(context.waker().clone());
        let at_rest = pulse.at_rest.swap(false, Ordering::AcqRel);
        if pulse.dead.load(Ordering::Acquire) {
            return Poll::Ready(Err(Ended::Crashed));
        }
        if let Poll::Ready(came) = self.what.as_mut().poll(context) {
            return Poll::Ready(Ok(came));
        }
        if at_rest {
            let time = &self.process.time;
            match time.next() {
                Some(due) if due <= self.until => time.move_to(due),
                _ => return Poll::Ready(Err(Ended::AtRest)),
            }
        }
        Poll::Pending
    }
}
