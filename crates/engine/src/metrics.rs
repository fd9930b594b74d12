// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / metrics: what the engine counts. In: one call where something happens. Out: [`Figures`] at a moment. Bounds: a
//! fixed set of numbers, no labels that guests or clients choose. Never on disk: they begin with the process.
//! Read next: golem-server `http/metrics.rs` (their names).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::checkpoint::CheckpointStats;
use crate::node::Node;
use crate::resident::private_bytes;

/// Upper bounds of the buckets of durations, in microseconds: from a call that only computes to one that waits for people.
pub const BOUNDS_MICROS: [u64; 12] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 100_000, 1_000_000, 10_000_000, 60_000_000,
];

/// How long things took.
#[derive(Debug, Default)]
pub struct Durations {
    buckets: [AtomicU64; BOUNDS_MICROS.len()],
    count: AtomicU64,
    micros: AtomicU64,
}

/// The same at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DurationsSeen {
    /// How many took at most [`BOUNDS_MICROS`], each also those of the bounds before.
    pub at_most: [u64; BOUNDS_MICROS.len()],
    /// How many there were.
    pub count: u64,
    /// How long all of them took, in microseconds.
    pub micros: u64,
}

impl Durations {
    /// One more.
    pub fn add(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_MICROS.partition_point(|bound| *bound < micros);
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// Now. While others add, the parts may be of slightly different moments.
    #[must_use]
    pub fn seen(&self) -> DurationsSeen {
        let mut sum = 0;
        DurationsSeen {
            at_most: self.buckets.each_ref().map(|bucket| {
                sum += bucket.load(Ordering::Relaxed);
                sum
            }),
            count: self.count.load(Ordering::Relaxed),
            micros: self.micros.load(Ordering::Relaxed),
        }
    }
}

/// What is counted as it happens.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    /// Invocations that were accepted.
    pub(crate) accepted: Count,
    /// Invocations that ended with a result.
    pub(crate) completed: Count,
    /// Attempts that failed, also those that run again.
    pub(crate) failed: Count,
    /// Time that guests ran or waited for, of each attempt.
    pub(crate) invocations: Durations,
    /// Time from a worker without instance to one that goes on.
    pub(crate) activations: Durations,
    /// Entries of oplogs that were read to bring instances, or copies of workers, to where they are.
    pub(crate) replayed: Arc<Count>,
    /// Instances that left memory without work.
    pub(crate) evicted_idle: Count,
    /// Instances that left memory while their guests waited.
    pub(crate) evicted_waiting: Count,
    /// Calls from worker to worker that were sent.
    pub(crate) calls: Count,
    /// Timers that fired.
    pub(crate) timers: Count,
    /// Promises that got their value.
    pub(crate) promises: Count,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    /// One more.
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn seen(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The figures of a node at a moment, since its start. Their names for Prometheus: golem-server `http/metrics.rs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// Invocations that were accepted, of clients and of workers.
    pub accepted: u64,
    /// Invocations that ended with a result.
    pub completed: u64,
    /// Attempts that failed, also those that run again.
    pub failed: u64,
    /// Time that guests ran or waited, of each attempt.
    pub invocations: DurationsSeen,
    /// Time from a worker without instance to one that goes on, where no call was open.
    pub activations: DurationsSeen,
    /// Entries of oplogs that were read to bring instances, or copies of workers, to where they are.
    pub replayed: u64,
    /// Instances without work that left memory.
    pub evicted_idle: u64,
    /// Instances that left memory while their guests waited.
    pub evicted_waiting: u64,
    /// Calls from worker to worker that were sent.
    pub calls: u64,
    /// Spans that a collector has taken.
    pub spans_exported: u64,
    /// Spans that were lost: the queue was full, or the collector away.
    pub spans_dropped: u64,
    /// Timers that fired.
    pub timers: u64,
    /// Promises that got their value.
    pub promises: u64,
    /// Durable writes of the store.
    pub commits: u64,
    /// Batches that those writes made durable.
    pub commit_batches: u64,
    /// Bytes of entries, rows, keys and values that those writes made durable, without what the store puts around them.
    pub commit_bytes: u64,
    /// Bytes that wait for the disk now.
    pub commit_queued_bytes: u64,
    /// Images of instances.
    pub checkpoints: CheckpointStats,
    /// Workers that have a task now.
    pub active_workers: u64,
    /// Instances in memory now that have nothing to do, or wait.
    pub idle_instances: u64,
    /// Resident bytes of the process; `None` where the system does not say.
    pub memory_bytes: Option<u64>,
    /// Bytes of the store on disk; `None` when it cannot be asked.
    pub store_bytes: Option<u64>,
}

impl Node {
    /// What has happened since the start, and how much there is now.
    pub fn figures(&self) -> Figures {
        let (metrics, commits) = (self.metrics(), self.committer().stats());
        let (spans_exported, spans_dropped) =
            self.tracer().map_or((0, 0), |tracer| tracer.counts());
        Figures {
            accepted: metrics.accepted.seen(),
            completed: metrics.completed.seen(),
            failed: metrics.failed.seen(),
            invocations: metrics.invocations.seen(),
            activations: metrics.activations.seen(),
            replayed: metrics.replayed.seen(),
            evicted_idle: metrics.evicted_idle.seen(),
            evicted_waiting: metrics.evicted_waiting.seen(),
            calls: metrics.calls.seen(),
            spans_exported,
            spans_dropped,
            timers: metrics.timers.seen(),
            promises: metrics.promises.seen(),
            commits: commits.commits,
            commit_batches: commits.submits,
            commit_bytes: commits.bytes,
            commit_queued_bytes: commits.queued_bytes,
            checkpoints: self.checkpoint_stats(),
            active_workers: self.active_workers(),
            idle_instances: self.idle_instances(),
            memory_bytes: private_bytes(),
            store_bytes: self.store().disk_bytes().ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_fall_into_the_first_bucket_that_holds_them() {
        let durations = Durations::default();
        for micros in [0, 100, 101, 1_000, 70_000_000] {
            durations.add(Duration::from_micros(micros));
        }
        let seen = durations.seen();
        assert_eq!(
            (seen.at_most[0], seen.at_most[1], seen.at_most[3]),
            (2, 3, 4)
        );
        assert_eq!(
            (seen.at_most[11], seen.count, seen.micros),
            (4, 5, 70_001_201)
        );
    }
}
