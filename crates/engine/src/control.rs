// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / control: what others ask of a worker beside invoking it: interrupt, resume, cancel, go back, promises, timers,
//! delete. In: messages of its task. Out: entries that are durable, replies. Works on a worker that is blocked in any host
//! call, because dropping what runs drops the call. Read next: `worker.rs`, `run.rs`. Source: runtime spec §1.4, §2.8.

use std::sync::Arc;

use golem_model::oplog::{
    Accepted, Cancelled, Event, Failed, FailureKind, Interrupted, Jump, JumpReason, Restarted,
};
use golem_model::promise::PromiseRow;
use golem_model::timer::{Action, TimerAction};
use golem_model::urn::{ComponentRef, WorkerUrn};
use golem_model::worker::RowState;
use golem_model::{IdempotencyKey, LogId, OplogIndex, WorkerId};
use golem_storage::store::{KvSpace, Timer};
use golem_storage::{Op, Seq};

use crate::activate::unpack;
use crate::alive::{Alive, Current};
use crate::error::{Failure, WorkerError};
use crate::host::calls::{RPC_ASYNC_INVOKE_AND_AWAIT, RPC_INVOKE_AND_AWAIT};
use crate::node::Node;
use crate::oplog::each;
use crate::queue::{CreateWith, Invocation, Queued, Reply, Target};
use crate::timers::wake_timer;
use crate::worker::{PromiseChange, Worker};

/// Promises of a worker that are read at once when they are deleted with it.
const PROMISE_BATCH: usize = 1024;

/// Where a worker goes back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevertTo {
    /// This entry is the last one that counts.
    Index(OplogIndex),
    /// So many invocations that have started last are undone.
    LastInvocations(u64),
}

impl Worker {
    /// Drops what runs, and with it its instance: memory that was in the middle of something is of no use.
    pub(crate) fn stop_running(&mut self) {
        self.running = None;
        self.instance = None;
        self.node.instance_gone(&self.id);
        if let Some(alive) = &mut self.alive {
            alive.link.instance_gone();
            alive.link.keep(&[]);
            alive.link.waits_no_more();
        }
    }

    /// Waits until everything that the worker has written is durable.
    pub(crate) async fn written(&mut self) -> Result<(), WorkerError> {
        let Some(alive) = &self.alive else {
            return Ok(());
        };
        let seq = alive.writer.lock().last();
        self.durable(seq).await
    }

    async fn durable(&mut self, seq: Seq) -> Result<(), WorkerError> {
        self.node
            .committer()
            .wait(seq)
            .await
            .map_err(|_| WorkerError::Stopping)
    }

    pub(crate) async fn interrupt(&mut self, again: bool) -> Result<(), WorkerError> {
        self.opened()?;
        self.stop_running();
        let id = self.id.clone();
        let Some(alive) = &mut self.alive else {
            return Ok(());
        };
        alive.retry_at = None;
        if alive.row.state() == RowState::Interrupted || !alive.is_live() {
            return Ok(());
        }
        if again {
            alive.suspended = None;
            alive.writer.lock().append(Event::Restarted(Restarted {}));
            return Ok(());
        }
        alive.row.set_state(RowState::Interrupted);
        let put = alive.put_row(&id);
        alive
            .writer
            .lock()
            .append_with(Event::Interrupted(Interrupted {}), vec![put]);
        for reply in alive.queue.take_all() {
            reply.send(Err(WorkerError::Interrupted(id.clone())));
        }
        self.written().await
    }

    pub(crate) async fn resume(&mut self) -> Result<(), WorkerError> {
        let id = self.id.clone();
        let alive = self.opened()?;
        if alive.row.state() == RowState::Interrupted {
            alive.resume(&id);
        }
        alive.suspended = None;
        self.written().await
    }

    /// Cancels a pending or running invocation. `false`: there is none with this key, or it has finished. Durable on return.
    pub(crate) async fn cancel(&mut self, key: &IdempotencyKey) -> Result<bool, WorkerError> {
        let alive = self.opened()?;
        let runs = alive.current.as_ref().is_some_and(|c| c.key == *key);
        if runs {
            self.undo_current(FailureKind::Cancelled);
        } else {
            let Some(queued) = alive.queue.take_pending(key) else {
                return Ok(false);
            };
            self.drop_pending(&queued, FailureKind::Cancelled);
        }
        self.written().await?;
        Ok(true)
    }

    /// Ends what has run out of time.
    pub(crate) fn expire(&mut self) {
        let now = self.node.clock().micros();
        let late = |deadline: Option<u64>| deadline.is_some_and(|deadline| deadline <= now);
        let Some(alive) = &mut self.alive else { return };
        let (expired, rest) = std::mem::take(&mut alive.queue.pending)
            .into_iter()
            .partition::<Vec<_>, _>(|queued| late(queued.deadline));
        alive.queue.pending = rest.into();
        let runs_late = alive.current.as_ref().is_some_and(|c| late(c.deadline));
        for queued in expired {
            self.drop_pending(&queued, FailureKind::Timeout);
        }
        if runs_late {
            self.undo_current(FailureKind::Timeout);
        }
    }

    /// A pending invocation ends without having run.
    fn drop_pending(&mut self, queued: &Queued, kind: FailureKind) {
        let Some(alive) = &mut self.alive else { return };
        let error = ended_early(&self.id, &queued.key, kind);
        alive.end_pending(&self.node, queued, kind, error);
    }

    /// The current invocation ends as if it had not begun: what it did to the worker is undone, and the calls that it waits
    /// for are cancelled. What it has done outside stays done.
    fn undo_current(&mut self, kind: FailureKind) {
        self.stop_running();
        let (node, id) = (Arc::clone(&self.node), self.id.clone());
        let Some(alive) = &mut self.alive else { return };
        let Some(current) = alive.current.take() else {
            return;
        };
        let error = ended_early(&id, &current.key, kind);
        alive.failures = 0;
        alive.retry_at = None;
        alive.suspended = None;
        *alive.link.atomic.lock() = None;
        let mut also = Vec::new();
        if let Some(Some(until)) = alive.link.unpark() {
            also.push(wake_timer(&alive.link, until).delete);
        }
        also.extend(alive.put_live(&id));
        let (seq, last) = {
            let mut writer = alive.writer.lock();
            let last = writer.tail();
            let reason = JumpReason::Cancelled;
            alive.link.undo(&mut writer, current.started, reason);
            also.extend(alive.ends(current.accepted, &current.key, writer.tail().next()));
            writer.append_with(failed(current.accepted, kind, &error), also);
            (writer.last(), last)
        };
        let replies = alive.queue.finish(&current.key);
        let log = alive.link.log;
        cancel_children(&node, &id, log, current, last, seq);
        tell_when_durable(&node, seq, replies, error);
    }

    /// Goes back in the history. Durable on return. Errors: `NotFound`, `BadIndex`.
    pub(crate) async fn revert(&mut self, to: RevertTo) -> Result<(), WorkerError> {
        self.opened()?;
        self.stop_running();
        self.until_kept().await;
        self.written().await?;
        let (node, id) = (Arc::clone(&self.node), self.id.clone());
        let Some(alive) = &mut self.alive else {
            return Ok(());
        };
        let bad = |index: u64, detail: &str| WorkerError::BadIndex {
            worker: id.clone(),
            index,
            detail: detail.to_owned(),
        };
        let tail = alive.writer.lock().tail();
        let target = match to {
            RevertTo::Index(index) => index,
            RevertTo::LastInvocations(0) => tail,
            RevertTo::LastInvocations(count) => before_last(&node, alive, count)?
                .ok_or_else(|| bad(0, &format!("fewer than {count} invocations have started")))?,
        };
        if target < alive.earliest() {
            return Err(bad(target.0, "nothing before it can be repeated"));
        }
        if target > tail {
            return Err(bad(target.0, &format!("the log ends at {tail}")));
        }
        if alive.link.regions.lock().contains(target) {
            return Err(bad(target.0, "that part of the history was undone before"));
        }
        if target == tail {
            return Ok(());
        }
        let log = alive.link.log;
        alive.row.set_state(RowState::Live);
        alive.row.last_error = None;
        alive.row.retry_count = 0;
        let mut also = vec![alive.put_row(&id)];
        also.extend(
            alive
                .link
                .unpark()
                .flatten()
                .map(|until| wake_timer(&alive.link, until).delete),
        );
        also.extend(promises_after(&node, alive.link.log, target)?);
        let seq = {
            let mut writer = alive.writer.lock();
            let jump = Jump {
                first: target.next().0,
                last: tail.0,
                reason: JumpReason::Revert as i32,
            };
            writer.append_with(Event::Jump(jump), also);
            writer.last()
        };
        self.durable(seq).await?;
        node.checkpoints().forget_after(log, target);
        self.reload()?;
        Ok(())
    }

    /// Reads the worker anew after its history has changed. Who waits for a call that is still there goes on waiting.
    fn reload(&mut self) -> Result<(), WorkerError> {
        let waiters = self
            .alive
            .take()
            .map(|mut alive| alive.queue.take_waiters())
            .unwrap_or_default();
        let id = self.id.clone();
        let alive = self.opened()?;
        let open = alive.current.is_some() || !alive.queue.pending.is_empty();
        alive.link.mark(false);
        let mark = if open {
            alive.link.mark_op()
        } else {
            Some(alive.link.clear_op())
        };
        // The version may be an earlier one now.
        let put = alive.put_row(&id);
        alive.writer.lock().submit(mark.into_iter().chain([put]));
        for (key, replies) in waiters {
            for reply in replies {
                if alive.queue.find(&key).is_some() {
                    alive.queue.join(&key, reply);
                } else {
                    let error = ended_early(&id, &key, FailureKind::Cancelled);
                    reply.send(Err(error));
                }
            }
        }
        Ok(())
    }

    /// Completes or deletes a promise. Durable on return.
    pub(crate) async fn change_promise(
        &mut self,
        index: OplogIndex,
        change: PromiseChange,
    ) -> Result<bool, WorkerError> {
        self.opened()?;
        // The promise may have been created a moment ago.
        self.written().await?;
        let (node, id) = (Arc::clone(&self.node), self.id.clone());
        let Some(alive) = &mut self.alive else {
            return Ok(false);
        };
        let key = PromiseRow::key(alive.link.log, index);
        let row = node.promise(&key)?;
        let space = KvSpace::Promise;
        let op = match (row, change) {
            (None, PromiseChange::Complete(_)) => {
                let (worker, index) = (id, index.0);
                return Err(WorkerError::PromiseNotFound { worker, index });
            }
            (None, PromiseChange::Delete) => return Ok(false),
            (Some(row), PromiseChange::Complete(_)) if row.completed => return Ok(false),
            (Some(_), PromiseChange::Complete(data)) => {
                let stored = node.payloads().store(data)?;
                let row = PromiseRow {
                    completed: true,
                    data: stored.inline,
                    blob: stored.blob,
                };
                let value = row.to_bytes();
                let key = key.clone();
                Op::PutKv { space, key, value }
            }
            (Some(_), PromiseChange::Delete) => {
                let key = key.clone();
                Op::DelKv { space, key }
            }
        };
        // In the same commit, so that a start of the server after it wakes who waits.
        let wakes = alive.suspended == Some(true) || alive.link.is_parked();
        let mark = wakes.then(|| alive.link.mark_op()).flatten();
        let absent = alive.suspended == Some(true);
        let put = absent.then(|| alive.put_live(&id)).flatten();
        let seq = {
            let mut writer = alive.writer.lock();
            writer.submit([op].into_iter().chain(mark).chain(put));
            writer.last()
        };
        self.durable(seq).await?;
        if let (true, Some(alive)) = (absent, &mut self.alive) {
            alive.suspended = None;
        }
        node.promises().changed(&key);
        Ok(true)
    }

    /// Where the log is and ends; all of it is durable on return.
    pub(crate) async fn durable_log(&mut self) -> Result<(LogId, OplogIndex), WorkerError> {
        self.opened()?;
        self.written().await?;
        let alive = self.opened()?;
        let writer = alive.writer.lock();
        Ok((writer.log(), writer.tail()))
    }

    pub(crate) async fn delete(&mut self) -> Result<(), WorkerError> {
        self.until_kept().await;
        // A worker whose log is damaged can be deleted as well: its row is enough.
        let Some(log) = self.log_to_delete().await? else {
            return Err(WorkerError::NotFound(self.id.clone()));
        };
        if let Some(alive) = &mut self.alive
            && let Some(current) = alive.current.take()
        {
            let (last, seq) = {
                let writer = alive.writer.lock();
                (writer.tail(), writer.last())
            };
            cancel_children(&self.node, &self.id, log, current, last, seq);
        }
        self.stop_running();
        let mut ops = vec![
            Op::ClearRunning { log },
            Op::DropWorker {
                worker: self.id.clone(),
                log,
            },
        ];
        ops.extend(promises_after(&self.node, log, OplogIndex(0))?);
        if let Some(alive) = &self.alive
            && let Some(Some(until)) = alive.link.unpark()
        {
            ops.push(wake_timer(&alive.link, until).delete);
        }
        let seq = self.node.committer().submit(ops);
        if let Some(mut alive) = self.alive.take() {
            for reply in alive.queue.take_all() {
                reply.send(Err(WorkerError::Deleted(self.id.clone())));
            }
        }
        // Only then may a new worker of this name look into the store.
        self.durable(seq).await?;
        self.node.checkpoints().forget(log);
        Ok(())
    }

    async fn log_to_delete(&mut self) -> Result<Option<LogId>, WorkerError> {
        if let Some(alive) = &self.alive {
            let log = alive.link.log;
            self.written().await?;
            return Ok(Some(log));
        }
        Ok(self.node.store().worker(&self.id)?.map(|stored| stored.log))
    }

    /// A timer of the worker is due.
    pub(crate) async fn fire(&mut self, timer: Timer) {
        let delete = Op::DelTimer {
            shard: self.node.shard_of(&self.id),
            due: timer.due,
            id: timer.id,
        };
        let action = TimerAction::from_bytes(&timer.payload)
            .ok()
            .and_then(|action| action.action);
        let seq = match action {
            Some(Action::Wake(log)) => self.fire_wake(log, delete),
            Some(Action::Invoke(accepted)) if self.is_denied(&accepted) => {
                tracing::warn!(worker = %self.id, caller = accepted.caller, "a scheduled invocation does not start: its grant was taken back");
                self.node.committer().submit([delete])
            }
            Some(Action::Invoke(accepted)) => match self.fire_invoke(accepted, &delete).await {
                Ok(seq) => seq,
                Err(error @ (WorkerError::QueueFull { .. } | WorkerError::Store(_))) => {
                    tracing::warn!(worker = %self.id, %error, "a scheduled invocation has to wait");
                    return self.node.timer_again(&timer);
                }
                Err(error) => {
                    tracing::error!(worker = %self.id, %error, "a scheduled invocation was refused");
                    self.node.committer().submit([delete])
                }
            },
            None => {
                tracing::error!(worker = %self.id, "a timer of a newer format is left alone");
                return;
            }
        };
        self.node.timer_done(&timer, seq);
    }

    /// Whether a worker of another namespace has scheduled this, which may not call this one any more.
    fn is_denied(&self, accepted: &Accepted) -> bool {
        let caller = accepted.caller.as_deref().map(str::parse::<WorkerUrn>);
        let Some(Ok(WorkerUrn {
            component: ComponentRef::Id(caller),
            ..
        })) = caller
        else {
            return false;
        };
        let target = Target::Worker(self.id.clone());
        self.node.may_call(caller, &target).is_err()
    }

    fn fire_wake(&mut self, log: u64, delete: Op) -> Seq {
        let opened = self.open();
        match (opened, &mut self.alive) {
            (Ok(true), Some(alive)) if alive.link.log.0 == log => {
                let mark = (alive.current.is_some())
                    .then(|| alive.link.mark_op())
                    .flatten();
                let absent = alive.suspended.take().is_some();
                let put = absent.then(|| alive.put_live(&self.id)).flatten();
                self.node
                    .committer()
                    .submit([delete].into_iter().chain(mark).chain(put))
            }
            // The worker was deleted, or made anew, or cannot be read: nobody waits for this timer.
            _ => self.node.committer().submit([delete]),
        }
    }

    async fn fire_invoke(&mut self, accepted: Accepted, delete: &Op) -> Result<Seq, WorkerError> {
        let deadline = accepted.deadline;
        let (caller, trace) = (accepted.caller.clone(), accepted.trace.clone());
        let (key, function, input) = unpack(accepted, &self.node.payloads())?;
        let invocation = Invocation {
            key,
            repeatable: true,
            function,
            input,
            caller,
            deadline,
            trace,
            create: CreateWith::default(),
            accepted: None,
            reply: None,
        };
        self.accept(invocation, vec![delete.clone()]).await?;
        let alive = self.opened()?;
        let mut writer = alive.writer.lock();
        // Once more for a key that was known: then nothing was appended, and the timer has to go all the same.
        writer.submit([delete.clone()]);
        Ok(writer.last())
    }
}

impl Alive {
    /// A pending invocation is refused: it ends without having run, and nobody is harmed.
    pub(crate) fn refuse(
        &mut self,
        node: &Arc<Node>,
        id: &WorkerId,
        queued: &Queued,
        failure: Failure,
    ) {
        tracing::warn!(worker = %id, "refused: {}", failure.message);
        let kind = failure.kind;
        self.end_pending(node, queued, kind, WorkerError::Failed(failure));
    }

    /// A pending invocation ends without having run.
    fn end_pending(
        &mut self,
        node: &Arc<Node>,
        queued: &Queued,
        kind: FailureKind,
        error: WorkerError,
    ) {
        let accepted = queued.accepted;
        let seq = {
            let mut writer = self.writer.lock();
            writer.append(Event::Cancelled(Cancelled {
                accepted: accepted.0,
            }));
            let also = self.ends(accepted, &queued.key, writer.tail().next());
            writer.append_with(failed(accepted, kind, &error), also);
            writer.last()
        };
        let replies = self.queue.finish(&queued.key);
        tell_when_durable(node, seq, replies, error);
    }

    /// What is written with the last entry of an invocation, which stands at `finished`.
    fn ends(&self, accepted: OplogIndex, key: &IdempotencyKey, finished: OplogIndex) -> Vec<Op> {
        let mut ops = vec![Op::PutResult {
            log: self.link.log,
            key: key.clone(),
            accepted,
            finished,
        }];
        if self.current.is_none() && self.queue.pending.is_empty() && self.updates.is_empty() {
            ops.push(self.link.clear_op());
        }
        ops
    }
}

fn ended_early(worker: &WorkerId, key: &IdempotencyKey, kind: FailureKind) -> WorkerError {
    let (worker, key) = (worker.clone(), key.0.clone());
    match kind {
        FailureKind::Timeout => WorkerError::Timeout { worker, key },
        _ => WorkerError::Cancelled { worker, key },
    }
}

fn failed(accepted: OplogIndex, kind: FailureKind, error: &WorkerError) -> Event {
    Event::Failed(Failed {
        accepted: accepted.0,
        kind: kind as i32,
        message: error.to_string(),
        attempt: 1,
        ..Failed::default()
    })
}

/// Tells those who wait, once what they hear of is durable.
fn tell_when_durable(node: &Arc<Node>, seq: Seq, replies: Vec<Reply>, error: WorkerError) {
    let committer = node.committer();
    tokio::spawn(async move {
        let durable = committer.wait(seq).await.is_ok();
        for reply in replies {
            reply.send(Err(if durable {
                error.clone()
            } else {
                WorkerError::Stopping
            }));
        }
    });
}

/// Cancels the calls that an invocation waits for: those of its entries that have a start, and no end. A call that has
/// finished is not harmed by it.
fn cancel_children(
    node: &Arc<Node>,
    caller: &WorkerId,
    log: LogId,
    current: Current,
    last: OplogIndex,
    seq: Seq,
) {
    let (node, caller) = (Arc::clone(node), caller.clone());
    tokio::spawn(async move {
        if node.committer().wait(seq).await.is_err() {
            return;
        }
        let mut open = Vec::new();
        let mut salt = 0;
        let read = each(
            node.store().as_ref(),
            log,
            OplogIndex(1),
            |index, event| match event {
                _ if index > last => {}
                // Keys depend on the newest jump before a call.
                Event::Jump(_) => salt = index.0,
                _ if index < current.started => {}
                Event::CallStart(start)
                    if [
                        RPC_INVOKE_AND_AWAIT.number,
                        RPC_ASYNC_INVOKE_AND_AWAIT.number,
                    ]
                    .contains(&start.call) =>
                {
                    open.push((index.0, salt, start));
                }
                Event::CallEnd(end) => open.retain(|(index, ..)| *index != end.start),
                _ => {}
            },
        );
        if let Err(error) = read {
            tracing::warn!(worker = %caller, %error, "calls of a cancelled invocation cannot be cancelled");
        }
        for (_, salt, start) in open {
            let target = start.subject.split(' ').next().unwrap_or_default();
            if let Ok(WorkerUrn {
                component: ComponentRef::Id(component),
                worker_name: Some(name),
                ..
            }) = target.parse()
            {
                let key = current.key.derive(&caller, start.number, salt);
                node.cancel_later(&WorkerId::new(component, name), &key);
            }
        }
    });
}

/// The entry before the `count`-th last invocation that counts; `None` when there are fewer.
fn before_last(node: &Node, alive: &Alive, count: u64) -> Result<Option<OplogIndex>, WorkerError> {
    let regions = alive.link.regions.lock().clone();
    let mut started = std::collections::VecDeque::new();
    each(
        node.store().as_ref(),
        alive.link.log,
        OplogIndex(1),
        |index, event| {
            if let Event::Started(_) = event
                && !regions.contains(index)
            {
                started.push_back(index);
                if started.len() as u64 > count {
                    started.pop_front();
                }
            }
        },
    )?;
    if (started.len() as u64) < count {
        return Ok(None);
    }
    // The entry before may lie in a region itself: then the last one before that region is meant.
    let Some(first) = started.front() else {
        return Ok(None);
    };
    let mut target = OplogIndex(first.0 - 1);
    while let Some(region) = regions.at(target) {
        target = OplogIndex(region.first.0 - 1);
    }
    Ok(Some(target))
}

/// What deletes the promises that were created behind an entry.
fn promises_after(node: &Node, log: LogId, index: OplogIndex) -> Result<Vec<Op>, WorkerError> {
    let prefix = log.0.to_be_bytes();
    let mut after = PromiseRow::key(log, index);
    let mut ops = Vec::new();
    loop {
        let keys = node
            .store()
            .scan_kv(KvSpace::Promise, &prefix, Some(&after), PROMISE_BATCH)?;
        let Some(last) = keys.last() else {
            return Ok(ops);
        };
        after = last.clone();
        ops.extend(keys.into_iter().map(|key| Op::DelKv {
            space: KvSpace::Promise,
            key,
        }));
    }
}
