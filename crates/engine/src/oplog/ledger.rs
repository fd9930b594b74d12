// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / ledger: what a worker owes and what of its history counts, read from its log without running it. In: a log.
//! Out: pending and unfinished invocations, failures, regions, the version. Read before a worker accepts anything.
//! Read next: `../alive.rs`, `reader.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use golem_model::oplog::{
    Accepted, Event, Failed, JumpReason, OplogEntry, PendingUpdate, RetryPolicy, SecretPin,
    Snapshot,
};
use golem_model::{LogId, OplogIndex};
use golem_storage::{Store, StoreError};

use super::reader::{BATCH_BYTES, BATCH_ENTRIES, Span};
use super::regions::Regions;
use crate::checkpoint::Summary;
use crate::host::Origin;
use crate::node::Node;

/// An invocation that has started and not ended.
#[derive(Debug, Clone)]
pub(crate) struct Open {
    /// Index of its `Accepted` entry.
    pub(crate) accepted: OplogIndex,
    /// Index of its `Started` entry.
    pub(crate) started: OplogIndex,
    /// What was accepted.
    pub(crate) entry: Accepted,
}

/// An entry that replay begins behind: the guest's own snapshot was loaded there.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    /// Index of the `Updated` entry.
    pub(crate) index: OplogIndex,
    /// What the guest had saved.
    pub(crate) snapshot: Snapshot,
    /// What was accepted before and had not started.
    pub(crate) pending: BTreeMap<OplogIndex, Accepted>,
    /// Lines that were logged before.
    pub(crate) lines: u64,
    /// The version that loaded it.
    pub(crate) version: u64,
    /// The version that saved it.
    pub(crate) from: u64,
    /// The secrets that this one had.
    pub(crate) secrets_before: Vec<SecretPin>,
}

/// What a worker owes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    /// Index of the last entry.
    pub(crate) tail: OplogIndex,
    /// Accepted and not started, in order.
    pub(crate) pending: BTreeMap<OplogIndex, Accepted>,
    /// Started and not finished.
    pub(crate) current: Option<Open>,
    /// Failures of the current invocation.
    pub(crate) failures: u32,
    /// The last failure of the current invocation.
    pub(crate) last_failure: Option<Failed>,
    /// Entries that do not count.
    pub(crate) regions: Arc<Regions>,
    /// Version that the worker runs at the end of the log.
    pub(crate) version: u64,
    /// Versions of its secrets there.
    pub(crate) secrets: Vec<SecretPin>,
    /// Bytes of all entries, also of those that do not count.
    pub(crate) bytes: u64,
    /// Where replay begins, if not at the beginning.
    pub(crate) base: Option<Base>,
    /// The worker's own retry policy.
    pub(crate) retry_policy: Option<RetryPolicy>,
    /// The outermost atomic region of the current invocation that has not ended.
    pub(crate) open_atomic: Option<OplogIndex>,
    /// The current invocation waits outside memory: for a timer at this moment (µs since 1970), or for promises only.
    pub(crate) suspended: Option<Option<u64>>,
    /// Updates that were asked for and have neither happened nor failed, oldest first.
    pub(crate) pending_updates: Vec<PendingUpdate>,
    /// Lines that the guest has logged.
    pub(crate) lines: u64,
    /// Whom this worker was forked from.
    pub(crate) origin: Option<Origin>,
    /// There is a [`Base`] before the checkpoint from which on the log was read.
    pub(crate) has_base: bool,
}

impl Ledger {
    /// Reads the whole log. All entries must be durable.
    pub(crate) fn read(store: &dyn Store, log: LogId) -> Result<Self, StoreError> {
        Self::read_to(store, log, None)
    }

    /// What the log says, read from the newest checkpoint on that the log has not undone; without one, all of it.
    pub(crate) fn newest(node: &Node, log: LogId) -> Result<(Self, Option<Summary>), StoreError> {
        let (store, shelf) = (node.store(), node.checkpoints());
        while let Some(summary) = shelf.newest(log) {
            if let Some(ledger) = Self::read_after(store.as_ref(), log, &summary)? {
                return Ok((ledger, Some(summary)));
            }
            let index = OplogIndex(summary.index);
            shelf.refuse(log, index, "a later part of the log undid it");
        }
        Ok((Self::read(store.as_ref(), log)?, None))
    }

    /// Reads the log behind a checkpoint that says what stands before it. `None`: a later jump undid a part of that, so the
    /// checkpoint is of no use.
    pub(crate) fn read_after(
        store: &dyn Store,
        log: LogId,
        summary: &Summary,
    ) -> Result<Option<Self>, StoreError> {
        let from = OplogIndex(summary.index);
        let start = |regions: Regions| Self {
            tail: from,
            regions: Arc::new(regions),
            version: summary.version,
            secrets: summary.secrets.clone(),
            retry_policy: summary.retry_policy.clone(),
            lines: summary.lines,
            origin: summary.forked_from.clone().map(|name| Origin {
                name,
                at: OplogIndex(summary.forked_at),
            }),
            has_base: summary.base > 0,
            ..Self::default()
        };
        let mut regions = summary.regions();
        let mut ledger = start(regions.clone());
        let (mut jumped, mut undone, mut rebased) = (false, false, false);
        let bytes = each(store, log, from.next(), |index, event| {
            match &event {
                Event::Jump(jump) => {
                    jumped = true;
                    undone |= jump.first <= from.0;
                    regions.jump(index, jump);
                }
                Event::Updated(updated) => rebased |= updated.snapshot.is_some(),
                _ => {}
            }
            if !jumped {
                ledger.fold(index, event);
            }
        })?;
        if undone || rebased {
            return Ok(None);
        }
        if jumped {
            ledger = start(regions);
            each(store, log, from.next(), |index, event| {
                ledger.fold(index, event);
            })?;
        }
        ledger.bytes = summary.log_bytes + bytes;
        Ok(Some(ledger))
    }

    /// Reads the log up to entry `last`, as it was when that was its end; jumps that came later are heeded as well.
    pub(crate) fn read_to(
        store: &dyn Store,
        log: LogId,
        last: Option<OplogIndex>,
    ) -> Result<Self, StoreError> {
        let mut ledger = Self::default();
        let mut regions = Regions::default();
        let bytes = each(store, log, OplogIndex(1), |index, event| {
            if let Event::Jump(jump) = &event {
                regions.jump(index, jump);
            }
            if regions.is_empty() && last.is_none_or(|last| index <= last) {
                ledger.fold(index, event);
            }
        })?;
        ledger.bytes = bytes;
        if regions.is_empty() {
            return Ok(ledger);
        }
        // A jump says which entries before it count, so the whole log is read once more, knowing all of them.
        let mut ledger = Self {
            regions: Arc::new(regions),
            bytes,
            ..Self::default()
        };
        each(store, log, OplogIndex(1), |index, event| {
            if last.is_none_or(|last| index <= last) {
                ledger.fold(index, event);
            }
        })?;
        Ok(ledger)
    }

    /// What a replay of all that counts has to read.
    pub(crate) fn span_from(base: Option<&Base>, regions: Arc<Regions>) -> Span {
        match base {
            None => Span::whole(regions),
            Some(base) => Span {
                first: base.index.next(),
                last: None,
                regions,
                pending: base.pending.clone(),
                lines: base.lines,
                salt: 0,
            },
        }
    }

    fn fold(&mut self, index: OplogIndex, event: Event) {
        self.tail = index;
        if self.regions.contains(index) {
            return self.fold_passed(index, event);
        }
        if self.suspended.is_some() && !super::reader::is_hint(&event) {
            self.suspended = None;
        }
        match event {
            Event::Create(create) => {
                self.version = create.version;
                self.secrets = create.secrets;
                let at = OplogIndex(create.forked_at);
                self.origin = create.forked_from.map(|name| Origin { name, at });
            }
            Event::Accepted(accepted) => {
                self.pending.insert(index, accepted);
            }
            Event::Cancelled(cancelled) => {
                self.pending.remove(&OplogIndex(cancelled.accepted));
            }
            Event::Started(started) => {
                let accepted = OplogIndex(started.accepted);
                self.open_atomic = None;
                self.failures = 0;
                self.last_failure = None;
                self.current = self.pending.remove(&accepted).map(|entry| Open {
                    accepted,
                    started: index,
                    entry,
                });
            }
            Event::Completed(_) => {
                self.current = None;
                self.failures = 0;
                self.last_failure = None;
                self.open_atomic = None;
            }
            Event::Failed(failed) => {
                let of = self.current.as_ref().map_or(0, |open| open.accepted.0);
                if failed.accepted == of {
                    self.failures = failed.attempt;
                    self.last_failure = Some(failed);
                }
            }
            Event::BeginAtomic(_) => {
                self.open_atomic.get_or_insert(index);
            }
            Event::EndAtomic(end) if self.open_atomic == Some(OplogIndex(end.begin)) => {
                self.open_atomic = None;
            }
            Event::ChangeRetryPolicy(change) => self.retry_policy = change.policy,
            Event::Suspended(suspended) => self.suspended = Some(suspended.until),
            Event::Log(_) => self.lines += 1,
            Event::PendingUpdate(update) => self.pending_updates.push(update),
            Event::FailedUpdate(failed) => self.settle_update(failed.version),
            Event::Updated(updated) => {
                self.settle_update(updated.version);
                self.version = updated.version;
                self.secrets = updated.secrets;
                if let Some(snapshot) = updated.snapshot {
                    self.base = Some(Base {
                        index,
                        snapshot,
                        pending: self.pending.clone(),
                        lines: self.lines,
                        version: updated.version,
                        from: updated.from,
                        secrets_before: updated.secrets_before,
                    });
                }
            }
            Event::Jump(jump) if jump.reason() == JumpReason::Revert => {
                // What had failed was undone; the worker begins anew from there.
                self.failures = 0;
                self.last_failure = None;
            }
            _ => {}
        }
    }

    /// An entry that does not count: what was accepted there stays accepted, unless it ran there.
    fn fold_passed(&mut self, index: OplogIndex, event: Event) {
        match event {
            Event::Accepted(accepted) => {
                self.pending.insert(index, accepted);
            }
            Event::Cancelled(cancelled) => {
                self.pending.remove(&OplogIndex(cancelled.accepted));
            }
            Event::Started(started) => {
                self.pending.remove(&OplogIndex(started.accepted));
            }
            _ => {}
        }
    }

    fn settle_update(&mut self, version: u64) {
        self.pending_updates
            .retain(|update| update.version != version);
    }
}

/// Calls `f` with every entry of a log, from `first` on.
pub(crate) fn each(
    store: &dyn Store,
    log: LogId,
    first: OplogIndex,
    mut f: impl FnMut(OplogIndex, Event),
) -> Result<u64, StoreError> {
    let (mut next, mut read) = (first, 0);
    loop {
        let entries = store.read(log, next, BATCH_ENTRIES, BATCH_BYTES)?;
        if entries.is_empty() {
            return Ok(read);
        }
        for bytes in entries {
            read += bytes.len() as u64;
            let index = next;
            next = index.next();
            let entry = OplogEntry::from_bytes(&bytes).map_err(|error| StoreError::Corrupt {
                what: format!("entry {index} of log {:016x}", log.0),
                detail: error.to_string(),
            })?;
            if let Some(event) = entry.event {
                read += event.blob_bytes();
                f(index, event);
            }
        }
    }
}
