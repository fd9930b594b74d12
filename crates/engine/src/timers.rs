// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / timers: what is due at a moment. In: timers in the store. Out: messages to the workers they belong to, at or
//! after their moment, once. One ordered index per shard; overdue ones of any age fire after an outage. A timer is removed by
//! the commit that records its effect, never before. Schedules go by the wall clock, sleeps by the steady one; both are in one
//! index, ordered by their moments. Bound: two numbers per shard in memory, and what fires now.
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

use crate::clock::Clock;
use crate::link::Link;
use crate::node::Node;
use crate::worker::Message;

/// Timers of one shard that are read at once: the others follow as these are handled.
const FIRE_BATCH: usize = 256;
/// Pause before a timer is looked at again whose worker could not take it.
pub(crate) const AGAIN: Duration = Duration::from_secs(1);
/// No timer.
const NEVER: u64 = u64::MAX;

/// Which clock says when a timer is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// A moment that somebody named: a schedule. Setting the clock forward fires it, setting it back makes it wait.
    Wall,
    /// The end of a while: a sleep. Nobody can set this clock.
    Steady,
}

/// Both clocks at one moment, µs.
#[derive(Debug, Clone, Copy)]
struct Now {
    wall: u64,
    steady: u64,
}

/// What is armed on this node.
pub(crate) struct Timers {
    inner: Mutex<Inner>,
    sooner: Notify,
}

struct Inner {
    /// When to look at each shard again.
    next: Vec<Next>,
    /// Handed to their workers and still in the store.
    firing: HashSet<(ShardId, u64, u64)>,
}

/// Moments before which no timer of either clock is due, µs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Next {
    wall: u64,
    steady: u64,
}

impl Now {
    fn read(clock: &Clock) -> Self {
        Self {
            wall: clock.wall_micros(),
            steady: clock.micros(),
        }
    }

    fn of(self, by: By) -> u64 {
        match by {
            By::Wall => self.wall,
            By::Steady => self.steady,
        }
    }
}

impl Next {
    /// Microseconds until one of them.
    fn pause(self, now: Now) -> u64 {
        let until = |next: u64, now: u64| match next {
            NEVER => NEVER,
            next => next.saturating_sub(now),
        };
        until(self.wall, now.wall).min(until(self.steady, now.steady))
    }

    /// Nothing that goes `by` that clock is due before `due`, unless it was so before.
    fn sooner(&mut self, by: By, due: u64) {
        let next = match by {
            By::Wall => &mut self.wall,
            By::Steady => &mut self.steady,
        };
        *next = due.min(*next);
    }
}

impl By {
    /// That of a stored timer. One that cannot be read is left to its worker, which says so.
    fn of(timer: &Timer) -> Self {
        match TimerAction::from_bytes(&timer.payload) {
            Ok(TimerAction {
                action: Some(Action::Wake(_)),
            }) => Self::Steady,
            _ => Self::Wall,
        }
    }
}

/// Both operations of a timer that wakes a suspended worker.
pub(crate) struct WakeTimer {
    /// Arms it.
    pub(crate) add: Op,
    /// Disarms it.
    pub(crate) delete: Op,
}

/// The timer that wakes a worker at `due` (µs of the steady clock). There is one per worker.
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
            // Whichever clock it goes by: the first look finds out.
            let due = store
                .next_timer(ShardId(shard))?
                .map_or(NEVER, |timer| timer.due);
            Ok(Next {
                wall: due,
                steady: due,
            })
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
    fn arm(&self, shard: ShardId, by: By, due: u64) {
        let mut inner = self.inner.lock();
        if let Some(next) = inner.next.get_mut(usize::from(shard.0)) {
            let before = *next;
            next.sooner(by, due);
            if *next != before {
                self.sooner.notify_one();
            }
        }
    }

    /// Microseconds until a shard has something to do, and which. Also whether anything goes by the wall clock.
    fn soonest(&self, now: Now) -> (u64, ShardId, bool) {
        let inner = self.inner.lock();
        let by_wall = inner.next.iter().any(|next| next.wall != NEVER);
        let all = inner.next.iter().map(|next| next.pause(now));
        let (pause, shard) = all
            .zip((0..).map(ShardId))
            .min_by_key(|(pause, _)| *pause)
            .unwrap_or((NEVER, ShardId(0)));
        (pause, shard, by_wall)
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
        now: Now,
    ) -> Result<Vec<Timer>, StoreError> {
        let mut inner = self.inner.lock();
        let of_shard = inner
            .firing
            .iter()
            .filter(|(other, ..)| *other == shard)
            .count();
        // Behind this no timer is due, whichever clock it goes by.
        let until = now.wall.max(now.steady);
        // Those that fire are in the store still, so one more is read than can be found and dropped.
        let mut limit = of_shard + FIRE_BATCH + 1;
        let (due, next) = loop {
            let found = store.due_timers(shard, NEVER, limit)?;
            let is_all = found.len() < limit;
            let (due, next, is_enough) = sort_out(found, until, now, |key| {
                inner.firing.contains(&(shard, key.due, key.id))
            });
            if is_enough || is_all {
                break (due, next);
            }
            // Many wait for a clock that is behind the other.
            limit *= 2;
        };
        let keys = due.iter().map(|timer| (shard, timer.due, timer.id));
        inner.firing.extend(keys);
        if let Some(slot) = inner.next.get_mut(usize::from(shard.0)) {
            *slot = next;
        }
        Ok(due)
    }
}

/// Of timers in their order: those that are due, when to look again, and whether that is known without reading further.
fn sort_out(
    found: Vec<Timer>,
    until: u64,
    now: Now,
    is_firing: impl Fn(&Timer) -> bool,
) -> (Vec<Timer>, Next, bool) {
    let mut next = Next {
        wall: NEVER,
        steady: NEVER,
    };
    let mut due = Vec::new();
    for timer in found {
        if is_firing(&timer) {
            continue;
        }
        if timer.due > until || due.len() == FIRE_BATCH {
            // Neither clock has anything before it: this may be too early a look, never too late a one.
            next.sooner(By::Wall, timer.due);
            next.sooner(By::Steady, timer.due);
            return (due, next, true);
        }
        let by = By::of(&timer);
        if timer.due > now.of(by) {
            next.sooner(by, timer.due);
        } else {
            due.push(timer);
        }
    }
    (due, next, false)
}

impl Node {
    /// Fires what is due until the node is gone.
    pub(crate) fn run_timers(self: &Arc<Self>) {
        let node = Arc::downgrade(self);
        tokio::spawn(async move { fire_all(&node).await });
    }

    /// Notes a timer once the submit that arms it is durable.
    pub(crate) fn arm_timer(self: &Arc<Self>, shard: ShardId, by: By, due: u64, seq: Seq) {
        let node = Arc::clone(self);
        tokio::spawn(async move {
            if node.committer().wait(seq).await.is_ok() {
                node.timers().arm(shard, by, due);
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
        let (clock, by) = (self.clock().clone(), By::of(timer));
        tokio::spawn(async move {
            clock.sleep(AGAIN).await;
            if let Some(node) = node.upgrade() {
                node.timers().gone(shard, due, id);
                node.timers().arm(shard, by, due);
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
        let now = Now::read(strong.clock());
        let (pause, shard, by_wall) = strong.timers().soonest(now);
        if pause == 0 {
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
        let (pause, longest) = (
            Duration::from_micros(pause),
            if by_wall { LOOK } else { LOOK_IDLE },
        );
        tokio::select! {
            () = sooner => {}
            () = node.clock().look_again(pause, longest) => {}
        }
    }
}

/// Longest pause between two looks while something waits for the wall clock: so late does a schedule fire after somebody has set
/// the clock forward. A look costs some microseconds.
const LOOK: Duration = Duration::from_secs(1);
/// The same while nothing does.
const LOOK_IDLE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use golem_model::{ComponentId, oplog::Accepted};

    use super::*;

    fn timer(due: u64, by: By) -> Timer {
        let action = match by {
            By::Wall => Action::Invoke(Accepted::default()),
            By::Steady => Action::Wake(1),
        };
        Timer {
            due,
            id: due,
            worker: WorkerId::new(ComponentId(uuid::Uuid::nil()), "w"),
            payload: TimerAction::bytes_of(action),
        }
    }

    /// What is due of timers at 10, 20, …, 60, of which every other one goes by the wall clock, and when to look again.
    fn due(wall: u64, steady: u64) -> (Vec<u64>, Next, bool) {
        let clocks = [By::Wall, By::Steady].into_iter().cycle();
        let all = (1..=6).map(|n| n * 10).zip(clocks);
        let all = all.map(|(due, clock)| timer(due, clock)).collect();
        let (due, next, enough) = sort_out(all, wall.max(steady), Now { wall, steady }, |_| false);
        (due.iter().map(|timer| timer.due).collect(), next, enough)
    }

    #[test]
    fn each_timer_goes_by_its_own_clock() {
        let next = |wall, steady| Next { wall, steady };
        assert_eq!(due(5, 5), (vec![], next(10, 10), true));
        assert_eq!(due(25, 25), (vec![10, 20], next(30, 30), true));
        // The wall clock was set back: sleeps end, schedules wait.
        assert_eq!(due(5, 45), (vec![20, 40], next(10, 50), true));
        // It was set forward: schedules fire, sleeps go on.
        assert_eq!(due(55, 15), (vec![10, 30, 50], next(60, 20), true));
        assert_eq!(due(99, 5), (vec![10, 30, 50], next(NEVER, 20), false));
        assert_eq!(
            due(99, 99),
            (vec![10, 20, 30, 40, 50, 60], next(NEVER, NEVER), false)
        );
    }

    #[test]
    fn the_pause_is_that_of_the_clock_that_comes_first() {
        let now = Now {
            wall: 100,
            steady: 1_000,
        };
        let pause = |wall, steady| Next { wall, steady }.pause(now);
        assert_eq!(pause(NEVER, NEVER), NEVER);
        assert_eq!(pause(150, NEVER), 50);
        assert_eq!(pause(150, 1_010), 10);
        assert_eq!(pause(99, 2_000), 0);
    }
}
