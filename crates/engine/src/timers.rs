// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / timers: what is due at a moment. In: timers in the store. Out: messages to the workers they belong to, at or
//! after their moment, once. One ordered index per shard; overdue ones of any age fire after an outage. A timer is removed by
//! the commit that records its effect, never before. Bound: one number per shard in memory, and what fires now.
//! Read next: `worker.rs` (`fire`). Source: runtime spec §2.8 (H7).

use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use golem_model::timer::{Action, TimerAction};
use golem_model::{ShardId, WorkerId};
use golem_storage::store::Timer;
use golem_storage::{Op, Seq, Store, StoreError};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::link::Link;
use crate::node::Node;
use crate::worker::Message;

/// Timers of one shard that are read at once: the others follow as these are handled.
const FIRE_BATCH: usize = 256;
/// Pause before a timer is looked at again whose worker could not take it.
pub(crate) const AGAIN: Duration = Duration::from_secs(1);
/// No timer.
const NEVER: u64 = u64::MAX;

/// What is armed on this node.
pub(crate) struct Timers {
    inner: Mutex<Inner>,
    sooner: Notify,
}

struct Inner {
    /// When the next timer of each shard is due, µs since 1970.
    next: Vec<u64>,
    /// Handed to their workers and still in the store.
    firing: HashSet<(ShardId, u64, u64)>,
}

/// Both operations of a timer that wakes a suspended worker.
pub(crate) struct WakeTimer {
    /// Arms it.
    pub(crate) add: Op,
    /// Disarms it.
    pub(crate) delete: Op,
}

/// The timer that wakes a worker at `due` (µs since 1970). There is one per worker.
pub(crate) fn wake_timer(link: &Link, due: u64) -> WakeTimer {
    let timer = Timer {
        due,
        id: link.log.0,
        worker: link.worker.clone(),
        payload: TimerAction::bytes_of(Action::Wake(link.log.0)),
    };
    WakeTimer {
        add: Op::AddTimer { timer },
        delete: Op::DelTimer {
            shard: link.log.shard(),
            due,
            id: link.log.0,
        },
    }
}

impl Timers {
    /// The timers of `store`.
    pub(crate) fn open(store: &dyn Store) -> Result<Self, StoreError> {
        let next = (0..store.shards()).map(|shard| {
            let timer = store.next_timer(ShardId(shard))?;
            Ok(timer.map_or(NEVER, |timer| timer.due))
        });
        Ok(Self {
            inner: Mutex::new(Inner {
                next: next.collect::<Result<_, StoreError>>()?,
                firing: HashSet::new(),
            }),
            sooner: Notify::new(),
        })
    }

    /// A timer of `shard` that is due at `due` is in the store.
    fn arm(&self, shard: ShardId, due: u64) {
        let mut inner = self.inner.lock();
        if let Some(next) = inner.next.get_mut(usize::from(shard.0))
            && due < *next
        {
            *next = due;
            self.sooner.notify_one();
        }
    }

    /// The next moment at which a shard has something to do.
    fn soonest(&self) -> (u64, ShardId) {
        let inner = self.inner.lock();
        let all = inner.next.iter().copied().zip((0..).map(ShardId));
        all.min_by_key(|(due, _)| *due)
            .unwrap_or((NEVER, ShardId(0)))
    }

    /// A timer that fired is no longer in the store.
    fn gone(&self, shard: ShardId, due: u64, id: u64) {
        self.inner.lock().firing.remove(&(shard, due, id));
    }

    /// Takes what is due on `shard` and was not taken yet, and notes when to look again.
    fn take_due(
        &self,
        store: &dyn Store,
        shard: ShardId,
        now: u64,
    ) -> Result<Vec<Timer>, StoreError> {
        let mut inner = self.inner.lock();
        let of_shard = inner
            .firing
            .iter()
            .filter(|(other, ..)| *other == shard)
            .count();
        // Those that fire are in the store still, so one more is read than can be found and dropped.
        let found = store.due_timers(shard, NEVER, of_shard + FIRE_BATCH + 1)?;
        let mut due = Vec::new();
        let mut next = NEVER;
        for timer in found {
            let key = (shard, timer.due, timer.id);
            if inner.firing.contains(&key) {
                continue;
            }
            if timer.due > now || due.len() == FIRE_BATCH {
                next = timer.due;
                break;
            }
            inner.firing.insert(key);
            due.push(timer);
        }
        if let Some(slot) = inner.next.get_mut(usize::from(shard.0)) {
            *slot = next;
        }
        Ok(due)
    }
}

impl Node {
    /// Fires what is due until the node is gone.
    pub(crate) fn run_timers(self: &Arc<Self>) {
        let node = Arc::downgrade(self);
        tokio::spawn(async move { fire_all(&node).await });
    }

    /// Notes a timer once the submit that arms it is durable.
    pub(crate) fn arm_timer(self: &Arc<Self>, shard: ShardId, due: u64, seq: Seq) {
        let node = Arc::clone(self);
        tokio::spawn(async move {
            if node.committer().wait(seq).await.is_ok() {
                node.timers().arm(shard, due);
            }
        });
    }

    /// Notes that a timer which fired is gone once the submit that removes it is durable.
    pub(crate) fn timer_done(self: &Arc<Self>, timer: &Timer, seq: Seq) {
        self.metrics().timers.add();
        let shard = self.shard_of(&timer.worker);
        let (node, due, id) = (Arc::clone(self), timer.due, timer.id);
        tokio::spawn(async move {
            if node.committer().wait(seq).await.is_ok() {
                node.timers().gone(shard, due, id);
            }
        });
    }

    /// Lets a timer fire again a little later: its worker could not take it.
    pub(crate) fn timer_again(self: &Arc<Self>, timer: &Timer) {
        let shard = self.shard_of(&timer.worker);
        let (node, due, id) = (Arc::downgrade(self), timer.due, timer.id);
        let clock = self.clock().clone();
        tokio::spawn(async move {
            clock.sleep(AGAIN).await;
            if let Some(node) = node.upgrade() {
                node.timers().gone(shard, due, id);
                node.timers().arm(shard, due);
            }
        });
    }

    /// Whether a timer is armed and has not fired.
    pub(crate) fn has_timer(&self, shard: ShardId, due: u64, id: u64) -> Result<bool, StoreError> {
        if self
            .timers()
            .inner
            .lock()
            .firing
            .contains(&(shard, due, id))
        {
            return Ok(false);
        }
        let mut limit = FIRE_BATCH;
        loop {
            let found = self.store().due_timers(shard, due, limit)?;
            if found.iter().any(|timer| timer.due == due && timer.id == id) {
                return Ok(true);
            }
            if found.len() < limit {
                return Ok(false);
            }
            limit *= 2;
        }
    }

    /// The shard of a worker.
    pub(crate) fn shard_of(&self, worker: &WorkerId) -> ShardId {
        ShardId::of(worker, self.store().shards())
    }
}

async fn fire_all(node: &Weak<Node>) {
    loop {
        let Some(strong) = node.upgrade() else { return };
        let (due, shard) = strong.timers().soonest();
        let now = strong.clock().micros();
        if due <= now {
            match strong
                .timers()
                .take_due(strong.store().as_ref(), shard, now)
            {
                Ok(timers) => {
                    for timer in timers {
                        let worker = timer.worker.clone();
                        strong.tell(&worker, Message::Timer(Box::new(timer)));
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "timers cannot be read");
                    strong.clock().sleep(AGAIN).await;
                }
            }
            continue;
        }
        let node = strong;
        let sooner = node.timers().sooner.notified();
        // Not held for ever while nothing is armed: a node that is dropped ends this task at the next look.
        tokio::select! {
            () = sooner => {}
            () = node.clock().look_again(due) => {}
        }
    }
}
