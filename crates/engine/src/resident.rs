// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / resident: which idle instances stay in memory. In: who is busy, who is idle. Out: whom to evict.
//! The one that was idle longest goes first. Bound: set at start, `RESIDENT_MAX` by default. Read next: `node.rs`.

use std::collections::{BTreeMap, HashMap};

use golem_model::WorkerId;
use parking_lot::Mutex;

/// Idle instances in the order in which they became idle.
pub(crate) struct Resident {
    max: usize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    by_age: BTreeMap<u64, WorkerId>,
    age: HashMap<WorkerId, u64>,
    clock: u64,
}

impl Resident {
    /// Keeps at most `max` idle instances.
    pub(crate) fn new(max: usize) -> Self {
        Self {
            max: max.max(1),
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

    /// The worker has an instance and nothing to do. Returns whom to evict for it.
    pub(crate) fn idle(&self, worker: &WorkerId) -> Option<WorkerId> {
        let mut inner = self.inner.lock();
        inner.clock += 1;
        let clock = inner.clock;
        if let Some(age) = inner.age.insert(worker.clone(), clock) {
            inner.by_age.remove(&age);
        }
        inner.by_age.insert(clock, worker.clone());
        if inner.by_age.len() <= self.max {
            return None;
        }
        let (_, oldest) = inner.by_age.pop_first()?;
        inner.age.remove(&oldest);
        Some(oldest)
    }

    /// Idle instances now.
    pub(crate) fn count(&self) -> usize {
        self.inner.lock().by_age.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use golem_model::ComponentId;

    #[test]
    fn the_one_that_was_idle_longest_goes_first() {
        let worker = |name: &str| WorkerId::new(ComponentId(uuid::Uuid::nil()), name);
        let resident = Resident::new(2);
        assert_eq!(resident.idle(&worker("a")), None);
        assert_eq!(resident.idle(&worker("b")), None);
        assert_eq!(resident.idle(&worker("a")), None);
        assert_eq!(resident.idle(&worker("c")), Some(worker("b")));
        resident.busy(&worker("a"));
        assert_eq!(resident.count(), 1);
    }
}
