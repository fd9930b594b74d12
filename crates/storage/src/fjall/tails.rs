// SPDX-License-Identifier: Apache-2.0
//! THE SHELVES / tails: remembers where recently written logs end. In: log ids. Out: their tails, or "unknown".
//! Never touches the disk. Bound: twice [`GENERATION`] logs. Read next: `mod.rs`.

use std::collections::HashMap;

use golem_model::{LogId, OplogIndex};

/// Logs per generation: about 1 MiB. More than are ever busy at once; an idle log costs one lookup when it wakes.
const GENERATION: usize = 32 << 10;

/// A cache in two generations: when the young one is full it becomes the old one, and the old one is forgotten.
#[derive(Default)]
pub(crate) struct Tails {
    young: HashMap<LogId, OplogIndex>,
    old: HashMap<LogId, OplogIndex>,
}

impl Tails {
    /// The tail of `log`, if it is remembered.
    pub(crate) fn get(&self, log: LogId) -> Option<OplogIndex> {
        self.young.get(&log).or_else(|| self.old.get(&log)).copied()
    }

    /// Remembers the tail of `log`.
    pub(crate) fn set(&mut self, log: LogId, tail: OplogIndex) {
        if self.young.len() >= GENERATION && !self.young.contains_key(&log) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(log, tail);
    }

    /// Forgets `log`.
    pub(crate) fn remove(&mut self, log: LogId) {
        self.young.remove(&log);
        self.old.remove(&log);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_logs_are_forgotten_and_new_ones_win() {
        let mut tails = Tails::default();
        tails.set(LogId(0), OplogIndex(1));
        for n in 1..=GENERATION as u64 {
            tails.set(LogId(n), OplogIndex(n));
        }
        assert_eq!(tails.get(LogId(0)), Some(OplogIndex(1)));
        tails.set(LogId(0), OplogIndex(2));
        assert_eq!(tails.get(LogId(0)), Some(OplogIndex(2)));
        for n in 0..2 * GENERATION as u64 {
            tails.set(LogId(1 << 32 | n), OplogIndex(n));
        }
        assert_eq!(tails.get(LogId(0)), None);
        tails.remove(LogId(1 << 32));
        assert_eq!(tails.get(LogId(1 << 32)), None);
    }
}
