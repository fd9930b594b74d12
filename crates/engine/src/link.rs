// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / link: what the task of a worker and its running instance both know. In: waits of the guest, jumps in its log.
//! Out: whether the instance may leave memory, and what it waits for. Bound: one per worker that has a task.
//! Read next: `host/wait.rs`, `worker.rs`. Why: architecture D14.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use golem_model::oplog::{Event, Jump, JumpReason, RetryPolicy};
use golem_model::{IdempotencyKey, LogId, OplogIndex, WorkerId};
use golem_storage::Op;
use parking_lot::Mutex;

use crate::host::Source;
use crate::node::{Node, Permit};
use crate::oplog::{Regions, Writer};
use crate::rpc::{CallFuture, WaitGuard};
use crate::timers::wake_timer;
use crate::worker::Message;

/// See the module's header.
pub(crate) struct Link {
    /// The node.
    pub(crate) node: Arc<Node>,
    /// The worker.
    pub(crate) worker: WorkerId,
    /// Its log.
    pub(crate) log: LogId,
    /// Entries that no longer count.
    pub(crate) regions: Mutex<Regions>,
    /// The outermost atomic region of the current invocation that has not ended.
    pub(crate) atomic: Mutex<Option<OplogIndex>>,
    /// The worker's own retry policy.
    pub(crate) retry_policy: Mutex<Option<RetryPolicy>>,
    /// The store has the mark that lets the next start wake the worker.
    marked: AtomicBool,
    /// What the guest waits for, while it does.
    waiting: Mutex<Option<Vec<Source>>>,
    /// Calls that the guest waited for when its instance left memory. What they bring meanwhile is not asked for again: with
    /// many workers in little memory, each would leave once more before it heard the answer.
    kept: Mutex<Vec<Arc<CallFuture>>>,
    /// The wait was noted in the log: until when (µs since 1970), if a timer is among what it waits for.
    parked: Mutex<Option<Option<u64>>>,
    /// The right to run guest code; given back while the guest waits.
    permit: Mutex<Option<Permit>>,
    /// Whom it waits for, as far as deadlocks go; kept while its instance is out of memory.
    waits_for: Mutex<Option<WaitGuard>>,
}

impl Link {
    /// The link of a worker.
    pub(crate) fn new(node: Arc<Node>, worker: WorkerId, log: LogId) -> Self {
        Self {
            node,
            worker,
            log,
            regions: Mutex::default(),
            atomic: Mutex::default(),
            retry_policy: Mutex::default(),
            marked: AtomicBool::new(false),
            waiting: Mutex::default(),
            kept: Mutex::default(),
            parked: Mutex::default(),
            permit: Mutex::default(),
            waits_for: Mutex::default(),
        }
    }

    /// Sets whether the worker is marked; returns whether it was.
    pub(crate) fn mark(&self, marked: bool) -> bool {
        self.marked.swap(marked, Ordering::Relaxed)
    }

    /// The operation that marks the worker, unless it is marked.
    pub(crate) fn mark_op(&self) -> Option<Op> {
        (!self.mark(true)).then(|| self.set_running())
    }

    /// The operation that takes the mark away.
    pub(crate) fn clear_op(&self) -> Op {
        self.mark(false);
        Op::ClearRunning { log: self.log }
    }

    fn set_running(&self) -> Op {
        Op::SetRunning {
            worker: self.worker.clone(),
            log: self.log,
        }
    }

    /// Waits for the right to run guest code. Cancel safe.
    pub(crate) async fn enter(&self) {
        let permit = self.node.enter().await;
        *self.permit.lock() = Some(permit);
    }

    /// The guest runs no more, or waits.
    pub(crate) fn leave(&self) {
        self.permit.lock().take();
    }

    /// The guest waits for any one of `sources`; without them, for something that keeps its instance in memory. So does an
    /// atomic region: whoever comes back inside of one does it all again.
    pub(crate) fn begin_wait(&self, sources: Option<Vec<Source>>) {
        self.leave();
        let in_region = self.atomic.lock().is_some();
        if let Some(sources) = sources.filter(|_| !in_region) {
            *self.waiting.lock() = Some(sources);
            self.node.instance_waits(&self.worker);
        }
    }

    /// The wait is over. Returns what has to be written with its outcome.
    pub(crate) async fn end_wait(&self) -> Vec<Op> {
        if self.waiting.lock().take().is_some() {
            self.node.instance_busy(&self.worker);
        }
        self.waits_no_more();
        self.enter().await;
        let Some(until) = self.parked.lock().take() else {
            return Vec::new();
        };
        self.node.tell(&self.worker, Message::Unparked);
        let mut ops: Vec<Op> = self.mark_op().into_iter().collect();
        ops.extend(until.map(|until| wake_timer(self, until).delete));
        ops
    }

    /// Lets the worker wait for others in the eyes of those who look for deadlocks. Errors: the workers along the cycle.
    pub(crate) fn wait_for(&self, targets: Vec<WorkerId>) -> Result<(), Vec<WorkerId>> {
        let mut held = self.waits_for.lock();
        // One guard per worker: the old one would take the new wait away with it.
        drop(held.take());
        *held = Some(self.node.wait_graph().wait(&self.worker, targets)?);
        Ok(())
    }

    /// It waits for nobody any more.
    pub(crate) fn waits_no_more(&self) {
        drop(self.waits_for.lock().take());
    }

    /// Entries from `first` to the end of the log no longer count.
    pub(crate) fn undo(&self, writer: &mut Writer, first: OplogIndex, reason: JumpReason) {
        let jump = Jump {
            first: first.0,
            last: writer.tail().0,
            reason: reason as i32,
        };
        let at = writer.append(Event::Jump(jump.clone()));
        self.regions.lock().jump(at, &jump);
    }

    /// Whether the guest waits, so that its instance may leave memory.
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting.lock().is_some()
    }

    /// What the guest waits for, taken because its instance goes.
    pub(crate) fn take_wait(&self) -> Vec<Source> {
        self.waiting.lock().take().unwrap_or_default()
    }

    /// Keeps the calls among `sources` for the next instance, and no others.
    pub(crate) fn keep(&self, sources: &[Source]) {
        let calls = sources.iter().filter_map(|source| match source {
            Source::Call(future) => Some(Arc::clone(future)),
            Source::Timer(..) | Source::Promise(_) => None,
        });
        *self.kept.lock() = calls.collect();
    }

    /// The call with this key that an earlier instance has made and waited for.
    pub(crate) fn kept(&self, key: &IdempotencyKey) -> Option<Arc<CallFuture>> {
        let mut kept = self.kept.lock();
        let at = kept.iter().position(|future| future.call.key == *key)?;
        Some(kept.swap_remove(at))
    }

    /// The wait is noted in the log.
    pub(crate) fn park(&self, until: Option<u64>) {
        *self.parked.lock() = Some(until);
    }

    /// Whether the wait is noted in the log; forgets it.
    pub(crate) fn unpark(&self) -> Option<Option<u64>> {
        self.parked.lock().take()
    }

    /// Whether the wait is noted in the log.
    pub(crate) fn is_parked(&self) -> bool {
        self.parked.lock().is_some()
    }

    /// Forgets what belonged to an instance that is gone.
    pub(crate) fn instance_gone(&self) {
        self.leave();
        self.waiting.lock().take();
    }
}
