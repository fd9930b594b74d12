// SPDX-License-Identifier: Apache-2.0
//! THE SHELVES / sweep: removes what dropped workers left, a little at a time. In: a number of records. Out: whether some
//! are left. Never touches a log that is alive. Bound: what the caller asks for. Read next: `store.rs`. Source: storage
//! design §1 (guard rail 2: there is no cheap way to drop a range).

use golem_model::LogId;

use crate::fjall::db::Batch;
use crate::fjall::layout::{self, Space};
use crate::fjall::store::FjallStore;
use crate::store::StoreError;

impl FjallStore {
    /// Removes up to `records` records and results of dropped logs in one commit. A crash in between does no harm: a log
    /// stays marked until the commit that removes its last record. Errors: `Io`, `Corrupt`.
    pub(super) fn sweep_some(&self, records: usize) -> Result<bool, StoreError> {
        let _held = self.sweeping.lock();
        let logs: Vec<LogId> = self.dropped.read().iter().copied().collect();
        let (mut left, mut done) = (records, Vec::new());
        let mut batch = self.db.batch();
        for log in logs {
            left -= self.remove_some(&mut batch, Space::Oplog, log, left)?;
            left -= self.remove_some(&mut batch, Space::Result, log, left)?;
            if left == 0 {
                break;
            }
            // Fewer than asked for were there: the log is empty after this commit.
            batch.remove(Space::Sys, layout::dropped_key(log));
            done.push(log);
        }
        batch.commit().map_err(|e| StoreError::Io(e.to_string()))?;
        let mut dropped = self.dropped.write();
        for log in done {
            dropped.remove(&log);
        }
        Ok(!dropped.is_empty())
    }

    /// Removes up to `limit` rows of `log`; returns how many.
    fn remove_some(
        &self,
        batch: &mut Batch<'_>,
        space: Space,
        log: LogId,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let range = layout::prefix_range(layout::log_key(log).to_vec(), None);
        let keys = self
            .db
            .keys(space, range)?
            .take(limit)
            .collect::<Result<Vec<_>, _>>()?;
        for key in &keys {
            batch.remove(space, key);
        }
        Ok(keys.len())
    }
}
