// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / regions: the parts of a log that no longer count. In: jumps, in the order of the log. Out: whether an entry
//! counts, and where the next one is that does. Never reads a log. Read next: `ledger.rs`, `reader.rs`.

use golem_model::OplogIndex;
use golem_model::oplog::{Jump, JumpReason};

/// Entries that do not count, from `first` to `last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Region {
    /// First index.
    pub(crate) first: OplogIndex,
    /// Last index.
    pub(crate) last: OplogIndex,
    /// The newest jump that made it: the keys of the calls that follow the region depend on it.
    pub(crate) jump: OplogIndex,
    /// A user undid it, with the results of all invocations that ended there. Other regions may hold the end of an
    /// invocation that had only waited meanwhile, and that stays.
    pub(crate) reverted: bool,
}

/// The regions of one log, in order, without overlaps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Regions(Vec<Region>);

impl Regions {
    /// The entries from `first` to `last` no longer count, says the jump at index `jump`, which is newer than all others.
    #[cfg(test)]
    pub(crate) fn add(&mut self, jump: OplogIndex, first: OplogIndex, last: OplogIndex) {
        self.insert(Region {
            first,
            last,
            jump,
            reverted: false,
        });
    }

    /// What the jump `entry` at index `at` says, which is newer than all others.
    pub(crate) fn jump(&mut self, at: OplogIndex, entry: &Jump) {
        self.insert(Region {
            first: OplogIndex(entry.first),
            last: OplogIndex(entry.last),
            jump: at,
            reverted: entry.reason() == JumpReason::Revert,
        });
    }

    /// Adds a region; one that overlaps older ones swallows them. A revert covers what it meets as a whole.
    pub(crate) fn insert(&mut self, mut new: Region) {
        if new.last < new.first {
            return;
        }
        self.0.retain(|old| {
            let apart = old.last < new.first || new.last < old.first;
            if !apart {
                new.first = new.first.min(old.first);
                new.last = new.last.max(old.last);
            }
            apart
        });
        let at = self.0.partition_point(|old| old.first < new.first);
        self.0.insert(at, new);
    }

    /// The region that `index` lies in.
    pub(crate) fn at(&self, index: OplogIndex) -> Option<&Region> {
        let after = self.0.partition_point(|region| region.first <= index);
        let region = self.0.get(after.checked_sub(1)?)?;
        (index <= region.last).then_some(region)
    }

    /// Whether the entry at `index` no longer counts.
    pub(crate) fn contains(&self, index: OplogIndex) -> bool {
        self.at(index).is_some()
    }

    /// Whether what ended at `index` was undone by a user.
    pub(crate) fn reverted(&self, index: OplogIndex) -> bool {
        self.at(index).is_some_and(|region| region.reverted)
    }

    /// Whether everything counts.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The regions, oldest entries first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Region> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regions(jumps: &[(u64, u64, u64)]) -> Regions {
        let mut regions = Regions::default();
        for (jump, first, last) in jumps {
            regions.add(OplogIndex(*jump), OplogIndex(*first), OplogIndex(*last));
        }
        regions
    }

    #[test]
    fn a_later_jump_swallows_the_ones_it_covers() {
        let regions = regions(&[(10, 5, 9), (20, 15, 19), (31, 4, 12)]);
        let all: Vec<_> = regions
            .iter()
            .map(|r| (r.first.0, r.last.0, r.jump.0))
            .collect();
        assert_eq!(all, [(4, 12, 31), (15, 19, 20)]);
        assert!(regions.contains(OplogIndex(4)) && regions.contains(OplogIndex(12)));
        assert!(!regions.contains(OplogIndex(3)) && !regions.contains(OplogIndex(13)));
        assert_eq!(regions.at(OplogIndex(16)).unwrap().jump, OplogIndex(20));
    }

    #[test]
    fn what_ended_in_a_cancelled_region_stays_until_a_user_undoes_it() {
        let jump = |first, last, reason| Jump {
            first,
            last,
            reason: reason as i32,
        };
        let mut regions = Regions::default();
        regions.jump(OplogIndex(10), &jump(5, 9, JumpReason::Cancelled));
        assert!(regions.contains(OplogIndex(7)) && !regions.reverted(OplogIndex(7)));
        regions.jump(OplogIndex(20), &jump(4, 19, JumpReason::Revert));
        assert!(regions.reverted(OplogIndex(7)));
    }

    #[test]
    fn an_empty_region_is_none() {
        assert!(regions(&[(10, 10, 9)]).is_empty());
    }

    proptest::proptest! {
        #[test]
        fn an_entry_counts_unless_some_jump_covers_it(jumps in proptest::collection::vec((0_u64..60, 0_u64..20), 0..8)) {
            let jumps: Vec<_> = jumps.iter().enumerate().map(|(at, (first, len))| (100 + at as u64, *first, first + len)).collect();
            let regions = regions(&jumps);
            for index in 0..100 {
                let covered = jumps.iter().any(|(_, first, last)| (*first..=*last).contains(&index));
                proptest::prop_assert_eq!(regions.contains(OplogIndex(index)), covered);
            }
        }
    }
}
