// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / ledger: what a worker owes, read from its log without running it. In: a log. Out: pending and unfinished
//! invocations, failures. Read before a worker accepts anything. Read next: `../worker.rs`, `reader.rs`.

use std::collections::BTreeMap;

use golem_model::oplog::{Accepted, Event, Failed, OplogEntry};
use golem_model::{LogId, OplogIndex};
use golem_storage::{Store, StoreError};

use super::reader::{BATCH_BYTES, BATCH_ENTRIES};

/// What a worker owes.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Index of the last entry.
    pub(crate) tail: OplogIndex,
    /// Accepted and not started, in order.
    pub(crate) pending: BTreeMap<OplogIndex, Accepted>,
    /// Started and not finished.
    pub(crate) current: Option<(OplogIndex, Accepted)>,
    /// Failures of the current invocation, and the last of them.
    pub(crate) failures: u32,
    /// The last failure of the current invocation.
    pub(crate) last_failure: Option<Failed>,
}

impl Ledger {
    /// Reads the whole log. All entries must be durable.
    pub(crate) fn read(store: &dyn Store, log: LogId) -> Result<Self, StoreError> {
        let mut ledger = Self::default();
        loop {
            let entries = store.read(log, ledger.tail.next(), BATCH_ENTRIES, BATCH_BYTES)?;
            if entries.is_empty() {
                return Ok(ledger);
            }
            for bytes in entries {
                ledger.tail = ledger.tail.next();
                let entry =
                    OplogEntry::from_bytes(&bytes).map_err(|error| StoreError::Corrupt {
                        what: format!("entry {} of log {:016x}", ledger.tail, log.0),
                        detail: error.to_string(),
                    })?;
                if let Some(event) = entry.event {
                    ledger.fold(event);
                }
            }
        }
    }

    fn fold(&mut self, event: Event) {
        match event {
            Event::Accepted(accepted) => {
                self.pending.insert(self.tail, accepted);
            }
            Event::Cancelled(cancelled) => {
                self.pending.remove(&OplogIndex(cancelled.accepted));
            }
            Event::Started(started) => {
                let index = OplogIndex(started.accepted);
                self.current = self
                    .pending
                    .remove(&index)
                    .map(|accepted| (index, accepted));
            }
            Event::Completed(_) => {
                self.current = None;
                self.failures = 0;
                self.last_failure = None;
            }
            Event::Failed(failed) => {
                self.failures = failed.attempt;
                self.last_failure = Some(failed);
            }
            _ => {}
        }
    }
}
