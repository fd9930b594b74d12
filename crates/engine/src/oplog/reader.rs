// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / reader: reads a worker's log back for replay, in batches, and folds what replay does not need to see.
//! In: a log. Out: entries that the guest's run must meet, in order, and [`Seen`]. Bound: [`BATCH_ENTRIES`] in memory.
//! Read next: `host/durable.rs`.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;

use golem_model::oplog::{Accepted, Event, OplogEntry};
use golem_model::{LogId, OplogIndex};
use golem_storage::{Store, StoreError};

/// Entries of one read: enough that the store's cost per read vanishes, few enough to stay in the cache.
pub(super) const BATCH_ENTRIES: usize = 1024;
/// Bytes of one read.
pub(super) const BATCH_BYTES: usize = 1 << 20;

/// What the log says beside the steps that replay repeats.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Accepted and not yet started, in order.
    pub(crate) pending: BTreeMap<OplogIndex, Accepted>,
    /// Lines that the guest has logged.
    pub(crate) lines: u64,
    /// Start entries of calls that their targets have accepted.
    pub(crate) sent: HashSet<OplogIndex>,
}

/// Reads one log from its beginning.
pub(crate) struct Reader {
    store: Arc<dyn Store>,
    log: LogId,
    /// Index after the last entry that was read from the store.
    next: OplogIndex,
    batch: VecDeque<(OplogIndex, Event)>,
    /// What was passed so far.
    pub(crate) seen: Seen,
}

impl Reader {
    /// A reader of `log` from entry `first` on. All entries must be durable.
    pub(crate) fn new(store: Arc<dyn Store>, log: LogId, first: OplogIndex) -> Self {
        Self {
            store,
            log,
            next: first,
            batch: VecDeque::new(),
            seen: Seen::default(),
        }
    }

    /// The next entry that a run must meet, without taking it. `None`: the log ends here.
    pub(crate) fn peek(&mut self) -> Result<Option<&(OplogIndex, Event)>, StoreError> {
        loop {
            match self.batch.front() {
                None => {
                    if !self.fill()? {
                        return Ok(None);
                    }
                }
                Some((_, event)) if is_hint(event) => {
                    if let Some((index, event)) = self.batch.pop_front() {
                        self.fold(index, event);
                    }
                }
                // The borrow checker does not see that `front` of the match is the same: ask again.
                Some(_) => return Ok(self.batch.front()),
            }
        }
    }

    /// Takes the next entry that a run must meet.
    pub(crate) fn next(&mut self) -> Result<Option<(OplogIndex, Event)>, StoreError> {
        self.peek()?;
        Ok(self.batch.pop_front())
    }

    fn fill(&mut self) -> Result<bool, StoreError> {
        let entries = self
            .store
            .read(self.log, self.next, BATCH_ENTRIES, BATCH_BYTES)?;
        for bytes in entries {
            let entry =
                OplogEntry::from_bytes(&bytes).map_err(|error| self.corrupt(error.to_string()))?;
            let event = entry
                .event
                .ok_or_else(|| self.corrupt("an entry of a newer format".into()))?;
            self.batch.push_back((self.next, event));
            self.next = self.next.next();
        }
        Ok(!self.batch.is_empty())
    }

    fn corrupt(&self, detail: String) -> StoreError {
        StoreError::Corrupt {
            what: format!("entry {} of log {:016x}", self.next, self.log.0),
            detail,
        }
    }

    fn fold(&mut self, index: OplogIndex, event: Event) {
        match event {
            Event::Accepted(accepted) => {
                self.seen.pending.insert(index, accepted);
            }
            Event::Cancelled(cancelled) => {
                self.seen.pending.remove(&OplogIndex(cancelled.accepted));
            }
            Event::Log(_) => self.seen.lines += 1,
            Event::Sent(sent) => self
                .seen
                .sent
                .extend(sent.starts.into_iter().map(OplogIndex)),
            _ => {}
        }
    }
}

/// Entries that the run of the guest does not produce by itself.
fn is_hint(event: &Event) -> bool {
    match event {
        Event::Accepted(_)
        | Event::Cancelled(_)
        | Event::Failed(_)
        | Event::Log(_)
        | Event::Interrupted(_)
        | Event::Resumed(_)
        | Event::Exited(_)
        | Event::Sent(_)
        | Event::Updated(_) => true,
        Event::Create(_)
        | Event::Started(_)
        | Event::Read(_)
        | Event::CallStart(_)
        | Event::CallEnd(_)
        | Event::Completed(_)
        | Event::Jump(_) => false,
    }
}
