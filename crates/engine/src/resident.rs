// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / resident: which instances stay in memory that have nothing to do, or whose guests wait. In: who is busy, who is
//! not. Out: whom to evict. The one that was left alone longest goes first. Bounds: a number of instances and a number of bytes
//! that the process may have. Read next: `node.rs`. Why: architecture D14, ADR 0017.
//!
//! To give the memory of an instance back costs about as much as to make a small one, so a burst of new workers may fill a quarter more
//! than the bound, and the rest goes when it is over.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use golem_model::WorkerId;
use parking_lot::Mutex;

/// How long a measurement of the process's memory holds: memory grows by megabytes in that time, not by gigabytes.
const MEASURE_EVERY: Duration = Duration::from_millis(20);
/// Instances that go at once when the process has too much memory: some, because the next measurement comes later.
const EVICT_BATCH: usize = 32;
/// How often a burst is looked at. Source of this and of [`BURST`]: ADR 0017.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Instances that come to rest in that time during a burst.
const BURST: u64 = 16;

/// What the kernel counts memory in: 4 KiB on every machine that the platform runs on.
pub(crate) const PAGE_BYTES: usize = 4096;

/// Instances without work, in the order in which they came to have none.
pub(crate) struct Resident {
    max: usize,
    bytes_max: u64,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    by_age: BTreeMap<u64, WorkerId>,
    age: HashMap<WorkerId, u64>,
    clock: u64,
    /// `clock` when it was last looked whether a burst is over.
    looked: u64,
    /// Somebody looks.
    clearing: bool,
    measured: Option<Instant>,
}

impl Resident {
    /// Keeps at most `max` instances without work, a quarter more in a burst, and fewer while the process has more than `bytes_max` bytes.
    pub(crate) fn new(max: usize, bytes_max: u64) -> Self {
        Self {
            max: max.max(1),
            bytes_max,
            inner: Mutex::default(),
        }
    }

    /// The worker runs something.
    pub(crate) fn busy(&self, worker: &WorkerId) {
        self.gone(worker);
    }

    /// The worker has no instance any more.
    pub(crate) fn gone(&self, worker: &WorkerId) {
        let mut inner = self.inner.lock();
        if let Some(age) = inner.age.remove(worker) {
            inner.by_age.remove(&age);
        }
    }

    /// The worker has an instance and nothing to do, or its guest waits. Returns whom to evict for it at once, and whether somebody
    /// has to begin to ask for the [surplus](Self::surplus).
    pub(crate) fn idle(&self, worker: &WorkerId) -> (Vec<WorkerId>, bool) {
        let mut inner = self.inner.lock();
        inner.clock += 1;
        let clock = inner.clock;
        if let Some(age) = inner.age.insert(worker.clone(), clock) {
            inner.by_age.remove(&age);
        }
        inner.by_age.insert(clock, worker.clone());
        let over = inner.by_age.len().saturating_sub(self.max);
        let at_once = inner.oldest(over.saturating_sub(self.max / 4));
        let begin = inner.by_age.len() > self.max && !inner.clearing;
        inner.clearing |= begin;
        (at_once, begin)
    }

    /// Whom to evict now that there is time, none while a burst goes on; `None` is the end. To be asked every [`LOOK_EVERY`].
    pub(crate) fn surplus(&self) -> Option<Vec<WorkerId>> {
        let mut inner = self.inner.lock();
        let over = inner.by_age.len().saturating_sub(self.max);
        let came = inner.clock - inner.looked;
        inner.looked = inner.clock;
        match over {
            0 => {
                inner.clearing = false;
                None
            }
            _ if came >= BURST => Some(Vec::new()),
            _ => Some(inner.oldest(over.min(EVICT_BATCH))),
        }
    }

    /// Whom to evict because the process has more memory than it should. Measures at most every [`MEASURE_EVERY`].
    pub(crate) fn under_pressure(&self) -> Vec<WorkerId> {
        let mut inner = self.inner.lock();
        let now = Instant::now();
        if inner
            .measured
            .is_some_and(|at| now.duration_since(at) < MEASURE_EVERY)
        {
            return Vec::new();
        }
        inner.measured = Some(now);
        if resident_bytes().is_none_or(|bytes| bytes <= self.bytes_max) {
            return Vec::new();
        }
        inner.oldest(EVICT_BATCH)
    }

    /// Idle instances now.
    pub(crate) fn count(&self) -> usize {
        self.inner.lock().by_age.len()
    }
}

impl Inner {
    fn oldest(&mut self, count: usize) -> Vec<WorkerId> {
        let mut oldest = Vec::new();
        while oldest.len() < count
            && let Some((_, worker)) = self.by_age.pop_first()
        {
            self.age.remove(&worker);
            oldest.push(worker);
        }
        oldest
    }
}

/// Bytes of memory that the process has, as the kernel counts them; `None` where it does not say.
pub(crate) fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * PAGE_BYTES as u64)
}

/// Bytes of memory of the machine, or of the control group that the process is in; `None` where it cannot be told.
pub(crate) fn machine_bytes() -> Option<u64> {
    let group = [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ];
    let of_group = group
        .iter()
        .filter_map(|path| {
            std::fs::read_to_string(path)
                .ok()?
                .trim()
                .parse::<u64>()
                .ok()
        })
        .min();
    let meminfo = std::fs::read_to_string("/proc/meminfo").ok()?;
    let total = meminfo.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kib: u64 = total.split_whitespace().nth(1)?.parse().ok()?;
    let machine = kib * 1024;
    Some(of_group.map_or(machine, |group| group.min(machine)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use golem_model::ComponentId;

    #[test]
    fn the_one_that_was_idle_longest_goes_first() {
        let worker = |name: &str| WorkerId::new(ComponentId(uuid::Uuid::nil()), name);
        let resident = Resident::new(2, u64::MAX);
        for name in ["a", "b", "a"] {
            assert_eq!(resident.idle(&worker(name)), (vec![], false));
        }
        assert_eq!(resident.idle(&worker("c")), (vec![worker("b")], false));
        resident.busy(&worker("a"));
        assert_eq!(resident.count(), 1);
    }

    #[test]
    fn a_burst_may_fill_a_quarter_more_until_it_is_over() {
        let worker = |at: u32| WorkerId::new(ComponentId(uuid::Uuid::nil()), at.to_string());
        let resident = Resident::new(40, u64::MAX);
        for at in 0..40 {
            assert_eq!(resident.idle(&worker(at)), (vec![], false));
        }
        assert_eq!(resident.idle(&worker(40)), (vec![], true));
        for at in 41..50 {
            assert_eq!(resident.idle(&worker(at)), (vec![], false));
        }
        assert_eq!(resident.idle(&worker(50)), (vec![worker(0)], false));
        // It goes on.
        assert_eq!(resident.surplus(), Some(vec![]));
        // It is over.
        let oldest = (1..11).map(worker).collect();
        assert_eq!(resident.surplus(), Some(oldest));
        assert_eq!(resident.surplus(), None);
        assert_eq!(resident.idle(&worker(51)), (vec![], true));
    }

    #[test]
    fn too_much_memory_lets_all_go_and_is_not_measured_all_the_time() {
        let worker = |name: &str| WorkerId::new(ComponentId(uuid::Uuid::nil()), name);
        let resident = Resident::new(10, 0);
        resident.idle(&worker("a"));
        resident.idle(&worker("b"));
        assert_eq!(resident.under_pressure(), [worker("a"), worker("b")]);
        resident.idle(&worker("c"));
        assert_eq!(resident.under_pressure(), []);
        assert!(resident_bytes().unwrap() < machine_bytes().unwrap());
    }
}
