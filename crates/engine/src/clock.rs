// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / clock: what time it is and waiting for a moment, for everything in a node. In: the machine's clock, or time
//! that somebody moves by hand in a test. Out: moments in µs or ns since 1970; waits that never end early.
//! Read next: `timers.rs`, `host/clock.rs` (the clock that a guest sees). Source: docs/STYLE.md, "Async".

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;

use crate::steady::{steady_nanos, wall_nanos};

/// Nanoseconds in a microsecond.
const MICRO: u64 = 1_000;

/// Where a node has its time from.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The clock of the machine.
    #[default]
    Machine,
    /// Time that stands still until somebody moves it.
    Manual(Arc<ManualTime>),
}

impl Clock {
    /// Nanoseconds since about 1970 that never go back or jump: for whiles. See [`crate::steady`].
    pub(crate) fn nanos(&self) -> u64 {
        match self {
            Self::Machine => steady_nanos(),
            Self::Manual(time) => time.now(),
        }
    }

    /// The same in microseconds.
    pub(crate) fn micros(&self) -> u64 {
        self.nanos() / MICRO
    }

    /// Nanoseconds since 1970 by the clock that people set: for moments that people name.
    pub(crate) fn wall_nanos(&self) -> u64 {
        match self {
            Self::Machine => wall_nanos(),
            Self::Manual(time) => time.now(),
        }
    }

    /// The same in microseconds.
    pub(crate) fn wall_micros(&self) -> u64 {
        self.wall_nanos() / MICRO
    }

    /// Waits until `due`, nanoseconds since 1970; for ever for the last moment there is. Cancel safe.
    pub(crate) async fn sleep_until(&self, due: u64) {
        loop {
            let now = self.nanos();
            if now >= due {
                return;
            }
            match self {
                Self::Machine => tokio::time::sleep(Duration::from_nanos(due - now)).await,
                Self::Manual(time) => time.reaches(due).await,
            }
        }
    }

    /// The same for a moment in microseconds.
    pub(crate) async fn sleep_until_micros(&self, due: u64) {
        self.sleep_until(due.saturating_mul(MICRO)).await;
    }

    /// Waits for a while. Cancel safe.
    pub(crate) async fn sleep(&self, pause: Duration) {
        match self {
            Self::Machine => tokio::time::sleep(pause).await,
            Self::Manual(time) => {
                let due = time.now().saturating_add(nanos(pause.as_nanos()));
                time.reaches(due).await;
            }
        }
    }

    /// Waits for `pause`, but at most for `longest` by the machine, whose wall clock may be set meanwhile. Cancel safe.
    pub(crate) async fn look_again(&self, pause: Duration, longest: Duration) {
        match self {
            Self::Machine => tokio::time::sleep(pause.min(longest)).await,
            // Whoever waits is woken when this time moves.
            Self::Manual(_) => self.sleep(pause).await,
        }
    }
}

fn nanos(nanos: u128) -> u64 {
    u64::try_from(nanos).unwrap_or(u64::MAX)
}

/// Time that stands still until somebody moves it, and who waits for it to pass. Outlives nodes: a test that lets one crash
/// gives the next one the same time.
#[derive(Debug)]
pub struct ManualTime(Mutex<Hands>);

#[derive(Debug)]
struct Hands {
    now: u64,
    /// Who waits, by moment; numbered, because several may wait for the same one.
    waiting: BTreeMap<(u64, u64), Waker>,
    last: u64,
}

impl ManualTime {
    /// Time that stands at `now`, nanoseconds since 1970.
    #[must_use]
    pub fn new(now: u64) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Hands {
            now,
            waiting: BTreeMap::new(),
            last: 0,
        })))
    }

    /// What it shows, nanoseconds since 1970.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.0.lock().now
    }

    /// The first moment that somebody waits for, nanoseconds since 1970.
    #[must_use]
    pub fn next(&self) -> Option<u64> {
        let hands = self.0.lock();
        hands.waiting.first_key_value().map(|((due, _), _)| *due)
    }

    /// Moves on to a moment and wakes everybody who has waited for it or for an earlier one, in the order of the moments. It
    /// never goes back.
    pub fn move_to(&self, now: u64) {
        let woken = {
            let mut hands = self.0.lock();
            hands.now = hands.now.max(now);
            let after = (hands.now.saturating_add(1), 0);
            let later = hands.waiting.split_off(&after);
            std::mem::replace(&mut hands.waiting, later)
        };
        for waker in woken.into_values() {
            waker.wake();
        }
    }

    /// Waits until it shows `due`.
    async fn reaches(self: &Arc<Self>, due: u64) {
        if due == u64::MAX {
            return std::future::pending().await;
        }
        Reaches {
            time: Arc::clone(self),
            due,
            number: None,
        }
        .await;
    }
}

/// A wait for a moment; forgets itself when it is dropped.
struct Reaches {
    time: Arc<ManualTime>,
    due: u64,
    number: Option<u64>,
}

impl Future for Reaches {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let time = Arc::clone(&self.time);
        let mut hands = time.0.lock();
        if hands.now >= self.due {
            return Poll::Ready(());
        }
        let number = *self.number.get_or_insert_with(|| {
            hands.last += 1;
            hands.last
        });
        hands
            .waiting
            .insert((self.due, number), context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Reaches {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            // Declared here, so that the waker is dropped when the lock is free: it may own what waits elsewhere.
            let _waker = self.time.0.lock().waiting.remove(&(self.due, number));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_is_woken_in_order_and_never_early() {
        let time = ManualTime::new(1_000);
        let clock = Clock::Manual(Arc::clone(&time));
        let (sender, mut woken) = tokio::sync::mpsc::unbounded_channel();
        for due in [3_000, 2_000, 9_000] {
            let (clock, sender) = (clock.clone(), sender.clone());
            tokio::spawn(async move {
                clock.sleep_until(due).await;
                sender.send(due)
            });
        }
        drop(clock.sleep(Duration::from_nanos(1)));
        tokio::task::yield_now().await;
        assert_eq!(time.next(), Some(2_000), "a wait that was dropped is gone");
        time.move_to(1_999);
        tokio::task::yield_now().await;
        assert!(woken.try_recv().is_err());
        time.move_to(3_000);
        assert_eq!(woken.recv().await, Some(2_000));
        assert_eq!(woken.recv().await, Some(3_000));
        assert_eq!(time.next(), Some(9_000));
        time.move_to(10);
        assert_eq!(time.now(), 3_000, "time does not go back");
    }
}
