// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / resident: which instances stay in memory that have nothing to do, or whose guests wait. In: who is busy, who is
//! not. Out: whom to evict. The one that was left alone longest goes first. Bounds: a number of instances, and of bytes and memory
//! maps that the process may have. Read next: `maps.rs`, `node.rs`. Why: architecture D14, ADR 0017.
//!
//! To give the memory of an instance back costs about as much as to make a small one, and a burst of new workers has no time for it.
//! So room is made when the server is quiet: then half of the number stays, and the next burst may fill the other half.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use golem_model::WorkerId;
use parking_lot::Mutex;

/// How long a measurement of the process's memory holds: memory grows by megabytes in that time, not by gigabytes.
const MEASURE_EVERY: Duration = Duration::from_millis(20);
/// Instances that go at once when the process has too much memory: some, because the next measurement comes later.
const EVICT_BATCH: usize = 32;
/// Instances that go for each one that comes while the process has too many maps: more than one, because what comes may have more.
const EVICT_FOR_ONE: usize = 2;
/// How often a burst is looked at. Source of this and of [`BURST`]: ADR 0017.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Instances that come to rest in that time during a burst.
const BURST: u64 = 8;
/// The part of the kernel's memory maps that instances may have, in quarters, and what they keep of it when the server is quiet. The
/// rest is for those that are being made, and for all that is not a guest's.
const QUARTERS: usize = 3;
const QUARTERS_WHEN_QUIET: usize = 2;

/// What the kernel counts memory in: 4 KiB on every machine that the platform runs on.
pub(crate) const PAGE_BYTES: usize = 4096;

/// Instances without work, in the order in which they came to have none.
pub(crate) struct Resident {
    max: usize,
    bytes_max: u64,
    maps_max: usize,
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
    /// Keeps at most `max` instances without work, half of them when the server is quiet, and fewer while the process has more than
    /// `bytes_max` bytes or its instances have most of `maps_max` memory maps.
    pub(crate) fn new(max: usize, bytes_max: u64, maps_max: usize) -> Self {
        Self {
            max: max.max(1),
            bytes_max,
            maps_max,
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

    /// The worker has an instance and nothing to do, or its guest waits; all instances have `maps`. Returns whom to evict for it at
    /// once, and whether somebody has to begin to ask for the [surplus](Self::surplus).
    pub(crate) fn idle(&self, worker: &WorkerId, maps: usize) -> (Vec<WorkerId>, bool) {
        let mut inner = self.inner.lock();
        inner.clock += 1;
        let clock = inner.clock;
        if let Some(age) = inner.age.insert(worker.clone(), clock) {
            inner.by_age.remove(&age);
        }
        inner.by_age.insert(clock, worker.clone());
        let idle = inner.by_age.len();
        let at_once = idle.saturating_sub(self.max);
        let begin = self.over(idle, maps) > 0 && !inner.clearing;
        inner.clearing |= begin;
        (inner.oldest(at_once), begin)
    }

    /// Whom to evict now that there is time, none while a burst goes on; `None` is the end. To be asked every [`LOOK_EVERY`].
    pub(crate) fn surplus(&self, maps: usize) -> Option<Vec<WorkerId>> {
        let mut inner = self.inner.lock();
        let over = self.over(inner.by_age.len(), maps);
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

    /// Whom to evict before an instance is made, because those that there are have `maps`, or the process more memory than it should.
    /// That is measured at most every [`MEASURE_EVERY`].
    pub(crate) fn under_pressure(&self, maps: usize) -> Vec<WorkerId> {
        let mut inner = self.inner.lock();
        let now = Instant::now();
        let measured = inner.measured;
        if measured.is_none_or(|at| now.duration_since(at) >= MEASURE_EVERY) {
            inner.measured = Some(now);
            if private_bytes().is_some_and(|bytes| bytes > self.bytes_max) {
                return inner.oldest(EVICT_BATCH);
            }
        }
        match maps > self.maps_max / 4 * QUARTERS {
            true => inner.oldest(EVICT_FOR_ONE),
            false => Vec::new(),
        }
    }

    /// How many of `idle` instances are more than there should be when the server is quiet.
    fn over(&self, idle: usize, maps: usize) -> usize {
        let too_many = idle.saturating_sub(self.max - self.max / 2);
        match maps > self.maps_max / 4 * QUARTERS_WHEN_QUIET {
            true => too_many.max(EVICT_BATCH.min(idle)),
            false => too_many,
        }
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

/// Bytes of memory that nobody but the process has; `None` where the kernel does not say. Pages of files do not count: each instance has
/// those of its component's data and code, and the kernel has them once, and takes them back when it needs to.
pub(crate) fn private_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let mut pages = statm.split_whitespace().skip(1).map(str::parse::<u64>);
    let (resident, of_files) = (pages.next()?.ok()?, pages.next()?.ok()?);
    Some(resident.saturating_sub(of_files) * PAGE_BYTES as u64)
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

    fn worker(name: impl ToString) -> WorkerId {
        WorkerId::new(ComponentId(uuid::Uuid::nil()), name.to_string())
    }

    #[test]
    fn the_one_that_was_idle_longest_goes_first() {
        let resident = Resident::new(2, u64::MAX, 100);
        for (name, evicted) in [("a", None), ("b", None), ("a", None), ("c", Some("b"))] {
            let evicted: Vec<WorkerId> = evicted.map(worker).into_iter().collect();
            assert_eq!(resident.idle(&worker(name), 0).0, evicted);
        }
        resident.busy(&worker("a"));
        assert_eq!(resident.count(), 1);
    }

    #[test]
    fn room_for_half_is_made_when_a_burst_is_over() {
        let resident = Resident::new(80, u64::MAX, 100);
        for at in 0..40 {
            assert_eq!(resident.idle(&worker(at), 0), (vec![], false));
        }
        assert_eq!(resident.idle(&worker(40), 0), (vec![], true));
        for at in 41..80 {
            assert_eq!(resident.idle(&worker(at), 0), (vec![], false));
        }
        assert_eq!(resident.idle(&worker(80), 0), (vec![worker(0)], false));
        // It goes on.
        assert_eq!(resident.surplus(0), Some(vec![]));
        // It is over.
        assert_eq!(resident.surplus(0), Some((1..33).map(worker).collect()));
        assert_eq!(resident.surplus(0), Some((33..41).map(worker).collect()));
        assert_eq!(resident.surplus(0), None);
        assert_eq!(resident.idle(&worker(81), 0), (vec![], true));
    }

    #[test]
    fn instances_that_take_the_maps_of_the_kernel_go_however_few_they_are() {
        let resident = Resident::new(40, u64::MAX, 100);
        for at in 0..5 {
            assert_eq!(resident.idle(&worker(at), 50), (vec![], false));
        }
        assert_eq!(resident.under_pressure(75), []);
        assert_eq!(resident.under_pressure(76), [worker(0), worker(1)]);
        assert_eq!(resident.idle(&worker(5), 51), (vec![], true));
        let rest: Vec<WorkerId> = (2..6).map(worker).collect();
        assert_eq!(resident.surplus(51), Some(rest));
        assert_eq!(resident.surplus(50), None);
    }

    #[test]
    fn too_much_memory_lets_all_go_and_is_not_measured_all_the_time() {
        let resident = Resident::new(10, 0, 100);
        resident.idle(&worker("a"), 0);
        resident.idle(&worker("b"), 0);
        assert_eq!(resident.under_pressure(0), [worker("a"), worker("b")]);
        resident.idle(&worker("c"), 0);
        assert_eq!(resident.under_pressure(0), []);
        assert!(private_bytes().unwrap() < machine_bytes().unwrap());
    }
}
