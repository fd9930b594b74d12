// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / reader: reads a worker's log back for replay, in batches, and folds what replay does not need to see.
//! In: a log and the regions of it that do not count. Out: entries that the guest's run must meet, in order, and [`Seen`].
//! Bound: [`BATCH_ENTRIES`] in memory. Read next: `host/durable.rs`, `regions.rs`.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;

use golem_model::oplog::{Accepted, Event, OplogEntry};
use golem_model::{LogId, OplogIndex};
use golem_storage::{Store, StoreError};

use super::regions::Regions;
use crate::checkpoint::Summary;
use crate::metrics::Count;

/// Entries of one read: enough that the store's cost per read vanishes, few enough to stay in the cache.
pub(super) const BATCH_ENTRIES: usize = 1024;
/// Bytes of one read.
pub(super) const BATCH_BYTES: usize = 1 << 20;

/// Where a replay begins and ends.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    /// The first entry that is read.
    pub(crate) first: OplogIndex,
    /// The last one; `None`: to the end of the log.
    pub(crate) last: Option<OplogIndex>,
    /// What does not count.
    pub(crate) regions: Arc<Regions>,
    /// What was accepted before `first` and had not started there.
    pub(crate) pending: BTreeMap<OplogIndex, Accepted>,
    /// Lines that the guest had logged before `first`.
    pub(crate) lines: u64,
    /// The jump that made the last region before `first`.
    pub(crate) salt: u64,
}

impl Span {
    /// A whole log.
    pub(crate) fn whole(regions: Arc<Regions>) -> Self {
        Self {
            first: OplogIndex(1),
            last: None,
            regions,
            pending: BTreeMap::new(),
            lines: 0,
            salt: 0,
        }
    }

    /// What stands behind a checkpoint. Nothing was pending when that was taken.
    pub(crate) fn after(summary: &Summary, regions: Arc<Regions>) -> Self {
        Self {
            first: OplogIndex(summary.index).next(),
            lines: summary.lines,
            salt: summary.salt,
            ..Self::whole(regions)
        }
    }
}

/// What the log says beside the steps that replay repeats.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Accepted and not yet started, in order.
    pub(crate) pending: BTreeMap<OplogIndex, Accepted>,
    /// Lines that the guest has logged.
    pub(crate) lines: u64,
    /// Start entries of calls that their targets have accepted.
    pub(crate) sent: HashSet<OplogIndex>,
    /// The jump that made the last region that was passed; 0 before the first. Keys of calls depend on it.
    pub(crate) salt: u64,
}

#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are entries, and a box would be an allocation for each"
)]
enum Item {
    Entry(OplogIndex, Event),
    /// The end of a region, made by the jump at this index.
    Passed(OplogIndex),
}

/// Reads one log from its beginning.
pub(crate) struct Reader {
    store: Arc<dyn Store>,
    log: LogId,
    /// Index after the last entry that was read from the store.
    next: OplogIndex,
    last: Option<OplogIndex>,
    regions: Arc<Regions>,
    batch: VecDeque<Item>,
    /// The entry that was peeked at and not taken.
    front: Option<(OplogIndex, Event)>,
    /// Counts what is read.
    replayed: Arc<Count>,
    /// What was passed so far.
    pub(crate) seen: Seen,
}

impl Reader {
    /// A reader of `span` of `log`, which counts its entries in `replayed`. All of them must be durable.
    pub(crate) fn new(store: Arc<dyn Store>, log: LogId, span: Span, replayed: Arc<Count>) -> Self {
        Self {
            store,
            log,
            next: span.first,
            last: span.last,
            regions: span.regions,
            batch: VecDeque::new(),
            front: None,
            replayed,
            seen: Seen {
                pending: span.pending,
                lines: span.lines,
                salt: span.salt,
                ..Seen::default()
            },
        }
    }

    /// The next entry that a run must meet, without taking it. `None`: the log ends here.
    pub(crate) fn peek(&mut self) -> Result<Option<&(OplogIndex, Event)>, StoreError> {
        while self.front.is_none() {
            match self.batch.pop_front() {
                None => {
                    if !self.fill()? {
                        return Ok(None);
                    }
                }
                Some(Item::Passed(jump)) => self.seen.salt = jump.0,
                Some(Item::Entry(index, event)) if is_hint(&event) => self.fold(index, event),
                Some(Item::Entry(index, event)) => self.front = Some((index, event)),
            }
        }
        Ok(self.front.as_ref())
    }

    /// Takes the next entry that a run must meet.
    pub(crate) fn next(&mut self) -> Result<Option<(OplogIndex, Event)>, StoreError> {
        self.peek()?;
        Ok(self.front.take())
    }

    /// Reads on. `false`: there is nothing more.
    fn fill(&mut self) -> Result<bool, StoreError> {
        if self.last.is_some_and(|last| last < self.next) {
            return Ok(false);
        }
        let entries = self
            .store
            .read(self.log, self.next, BATCH_ENTRIES, BATCH_BYTES)?;
        for bytes in entries {
            if self.last.is_some_and(|last| last < self.next) {
                break;
            }
            let entry =
                OplogEntry::from_bytes(&bytes).map_err(|error| self.corrupt(error.to_string()))?;
            let event = entry
                .event
                .ok_or_else(|| self.corrupt("an entry of a newer format".into()))?;
            let index = self.next;
            self.next = index.next();
            self.replayed.add();
            match self.regions.at(index).copied() {
                None => self.batch.push_back(Item::Entry(index, event)),
                Some(region) => {
                    self.fold_passed(index, event);
                    if index == region.last {
                        self.batch.push_back(Item::Passed(region.jump));
                    }
                }
            }
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

    /// Entries of a region that counts no longer: what was accepted there may start later.
    fn fold_passed(&mut self, index: OplogIndex, event: Event) {
        if let Event::Accepted(_) | Event::Cancelled(_) = event {
            self.fold(index, event);
        }
    }
}

/// Entries that the run of the guest does not produce by itself.
pub(super) fn is_hint(event: &Event) -> bool {
    match event {
        Event::Accepted(_)
        | Event::Cancelled(_)
        | Event::Failed(_)
        | Event::Log(_)
        | Event::Interrupted(_)
        | Event::Resumed(_)
        | Event::Exited(_)
        | Event::Sent(_)
        | Event::Updated(_)
        | Event::Jump(_)
        | Event::Suspended(_)
        | Event::Restarted(_)
        | Event::PendingUpdate(_)
        | Event::FailedUpdate(_) => true,
        Event::Create(_)
        | Event::Started(_)
        | Event::Read(_)
        | Event::CallStart(_)
        | Event::CallEnd(_)
        | Event::Completed(_)
        | Event::BeginAtomic(_)
        | Event::EndAtomic(_)
        | Event::NoOp(_)
        | Event::ChangePersistence(_)
        | Event::ChangeRetryPolicy(_)
        | Event::PromiseCreated(_) => false,
    }
}
