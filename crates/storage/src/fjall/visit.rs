// SPDX-License-Identifier: Apache-2.0
//! THE SHELVES / visit: everything of the embedded store at one moment, and rows of another store. In: who looks, or items. Out:
//! items, or durable rows. Never shows what dropped workers left. Read next: `../export.rs`. Source: storage design §1 (guard
//! rail 3: the library has no online backup).

use std::collections::HashSet;
use std::ops::{Bound, ControlFlow};

use golem_model::LogId;

use crate::export::Item;
use crate::fjall::db::Moment;
use crate::fjall::layout::{self, Space, corrupt};
use crate::fjall::store::{FjallStore, row_name};
use crate::store::StoreError;

/// What is shown, in this order. The logs come in the order of their keys, each in one piece.
const SHOWN: [Space; 7] = [
    Space::Worker,
    Space::Oplog,
    Space::Running,
    Space::Result,
    Space::Timer,
    Space::Kv,
    Space::Catalog,
];

impl FjallStore {
    /// See `Store::visit`.
    pub(super) fn visit_all(
        &self,
        take: &mut dyn FnMut(Item) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let moment = self.db.moment();
        // Not below that of any log of the moment: it only grows.
        if take(Item::Epoch(self.highest_epoch())).is_break() {
            return Ok(());
        }
        // Those of the moment: what was dropped since is still shown, what was swept since is still there.
        let dropped = dropped_at(&moment)?;
        for space in SHOWN {
            for row in moment.range(space, (Bound::Unbounded, Bound::Unbounded), move |key| {
                row_name(space, key)
            })? {
                let row = row?;
                let of_log = matches!(space, Space::Oplog | Space::Result);
                let gone = |log| dropped.contains(&log);
                if of_log && layout::parse_log_key(row.key()).is_some_and(gone) {
                    continue;
                }
                let item = Item::from_row(space, row.key(), row.content()).ok_or_else(|| {
                    corrupt(row_name(space, row.key()), "its content does not parse")
                })?;
                if take(item).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// See `Store::restore`.
    pub(super) fn restore_all(&self, items: &[Item]) -> Result<(), StoreError> {
        let mut epochs = self.epochs.lock();
        let shards = u16::try_from(epochs.len()).unwrap_or(u16::MAX);
        let mut batch = self.db.batch();
        let mut highest = 0;
        for item in items {
            if let Item::Epoch(epoch) = item {
                highest = highest.max(*epoch);
                continue;
            }
            let (space, key, content) = item
                .to_row(shards)
                .ok_or_else(|| corrupt("an item", "it is no row of a store"))?;
            batch.insert(space, key, content);
        }
        if epochs.iter().any(|epoch| *epoch < highest) {
            let content = highest.to_be_bytes().to_vec();
            batch.insert(Space::Sys, layout::EPOCH_KEY, content);
        }
        batch.commit().map_err(|e| StoreError::Io(e.to_string()))?;
        for epoch in epochs.iter_mut() {
            *epoch = (*epoch).max(highest);
        }
        Ok(())
    }

    fn highest_epoch(&self) -> u64 {
        self.epochs.lock().iter().max().copied().unwrap_or(0)
    }
}

/// The logs that were dropped and not swept at a moment.
pub(super) fn dropped_at(moment: &Moment<'_>) -> Result<HashSet<LogId>, StoreError> {
    let range = layout::prefix_range(layout::DROPPED_PREFIX.to_vec(), None);
    moment
        .range(Space::Sys, range, |key| row_name(Space::Sys, key))?
        .map(|row| {
            let row = row?;
            let log = row
                .key()
                .get(layout::DROPPED_PREFIX.len()..)
                .and_then(layout::parse_log_key);
            log.ok_or_else(|| corrupt(row_name(Space::Sys, row.key()), "it names no log"))
        })
        .collect()
}
