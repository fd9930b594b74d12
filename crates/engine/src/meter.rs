// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / meter: how long the guest of an instance has computed, by the processor's own clock of the thread that it runs
//! on. In: the future that runs a guest. Out: a duration that does not grow while the guest waits or the machine is busy with
//! others. Read next: `limits.rs`, `instance.rs`.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds that this thread has computed.
fn thread_nanos() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(now.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

/// Counts what the guest of one instance computes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Meter(Arc<Counts>);

/// Stands for the beginning of a turn while there is none.
const NO_TURN: u64 = u64::MAX;

#[derive(Debug)]
struct Counts {
    /// Nanoseconds of turns that have ended.
    used: AtomicU64,
    /// When the running turn began, by the clock of its thread.
    began: AtomicU64,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            used: AtomicU64::new(0),
            began: AtomicU64::new(NO_TURN),
        }
    }
}

impl Meter {
    /// Begins to count from nothing. Inside of a turn or outside.
    pub(crate) fn reset(&self) {
        self.0.used.store(0, Ordering::Relaxed);
        if self.0.began.load(Ordering::Relaxed) != NO_TURN {
            self.0.began.store(thread_nanos(), Ordering::Relaxed);
        }
    }

    /// Milliseconds since the last reset. Inside of a turn on its thread, or outside.
    pub(crate) fn millis(&self) -> u64 {
        let turn = match self.0.began.load(Ordering::Relaxed) {
            NO_TURN => 0,
            began => thread_nanos().saturating_sub(began),
        };
        (self.0.used.load(Ordering::Relaxed) + turn) / 1_000_000
    }

    /// Runs a guest and counts its turns.
    pub(crate) fn measure<F: Future>(&self, guest: F) -> Measured<F> {
        Measured {
            meter: self.clone(),
            guest: Box::pin(guest),
        }
    }
}

/// See [`Meter::measure`].
pub(crate) struct Measured<F> {
    meter: Meter,
    guest: Pin<Box<F>>,
}

impl<F: Future> Future for Measured<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let counts = Arc::clone(&self.meter.0);
        counts.began.store(thread_nanos(), Ordering::Relaxed);
        let polled = self.guest.as_mut().poll(context);
        let began = counts.began.swap(NO_TURN, Ordering::Relaxed);
        let turn = thread_nanos().saturating_sub(began);
        counts.used.fetch_add(turn, Ordering::Relaxed);
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waiting_costs_nothing_and_computing_does() {
        let meter = Meter::default();
        let wait = meter.measure(async {
            let (sender, receiver) = tokio::sync::oneshot::channel();
            std::thread::spawn(move || {
                let mut sum = 0_u64;
                while thread_nanos() < 50_000_000 {
                    sum = std::hint::black_box(sum + 1);
                }
                sender.send(sum)
            });
            receiver.await.unwrap()
        });
        wait.await;
        assert!(meter.0.used.load(Ordering::Relaxed) < 40_000_000);
        let compute = meter.measure(async {
            meter.reset();
            while meter.millis() < 5 {
                std::hint::spin_loop();
            }
        });
        compute.await;
        assert!(meter.0.used.load(Ordering::Relaxed) >= 5_000_000);
    }
}
