// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / past: invocations of a worker as its log has them, found by key or place, without its task. In: a durable log.
//! Out: when an invocation was accepted, began and ended, and the calls that it has made, with their keys. Bound: a [`Budget`] of
//! entries that the reader shares with others. Never writes, wakes nobody. Read next: `../node/call_tree.rs`. Why: ADR 0003.

use std::collections::HashMap;

use golem_model::oplog::{Accepted, Event, Failed, Jump, OplogEntry};
use golem_model::{IdempotencyKey, LogId, OplogIndex, Value, WorkerId};
use golem_storage::{Store, StoreError};

use super::reader::BATCH_BYTES;
use super::regions::Regions;
use crate::checkpoint::Summary;
use crate::host::calls::{RPC_ASYNC_INVOKE_AND_AWAIT, RPC_INVOKE, RPC_INVOKE_AND_AWAIT};
use crate::rpc::{RpcError, result_from};

/// Entries of one read: invocations are short as a rule.
const CHUNK: u64 = 256;

/// Calls of one invocation that are kept: more than a tree shows.
const CALLS_MAX: usize = 1_000;

/// How many entries may still be read.
#[derive(Debug)]
pub(crate) struct Budget(u64);

impl Budget {
    /// So many.
    pub(crate) fn new(entries: u64) -> Self {
        Self(entries)
    }

    /// None are left.
    pub(crate) fn is_spent(&self) -> bool {
        self.0 == 0
    }

    fn spend(&mut self, entries: usize) {
        self.0 = self.0.saturating_sub(entries as u64);
    }
}

/// What a log says of the invocations of its worker.
pub(crate) struct Past {
    log: LogId,
    /// Index of the last entry.
    pub(crate) tail: OplogIndex,
    /// Indexes of jumps, oldest first: keys of calls depend on the newest one before them.
    jumps: Vec<OplogIndex>,
    regions: Regions,
    /// Keys that were accepted in the part that was read, and where.
    accepted: HashMap<String, OplogIndex>,
    /// Where the accepted ones began to run, in that part.
    started: HashMap<OplogIndex, OplogIndex>,
    /// The newest invocation of that part that counts: where it was accepted.
    newest: Option<OplogIndex>,
    /// The first entry that was read.
    first: OplogIndex,
    /// All that may matter was read.
    is_whole: bool,
    /// Whom the worker was forked from, and the last entry that was copied.
    origin: Option<(String, OplogIndex)>,
}

/// Where an invocation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    accepted: OplogIndex,
    ended: Option<OplogIndex>,
}

/// One invocation.
pub(crate) struct Run {
    /// What was accepted.
    pub(crate) accepted: Accepted,
    /// Where.
    pub(crate) accepted_index: OplogIndex,
    /// When, µs since 1970.
    pub(crate) accepted_at: u64,
    /// Where and when it began.
    pub(crate) started: Option<(OplogIndex, u64)>,
    /// When and how it ended.
    pub(crate) ended: Option<(u64, RunEnd)>,
    /// Failures after which it was tried again.
    pub(crate) retries: u32,
    /// Calls to workers, in order.
    pub(crate) calls: Vec<CallEntry>,
    /// A user has undone it.
    pub(crate) is_undone: bool,
    /// All of it was read.
    pub(crate) is_whole: bool,
}

/// How an invocation ended.
pub(crate) enum RunEnd {
    /// With a result.
    Completed,
    /// Without one.
    Failed(Failed),
    /// It was cancelled before it began.
    Cancelled,
    /// The guest ended itself.
    Exited(u32),
}

/// A call to a worker as its caller has noted it.
pub(crate) struct CallEntry {
    /// Where.
    pub(crate) index: OplogIndex,
    /// When, µs since 1970.
    pub(crate) at: u64,
    /// Which function of the host: one of three.
    pub(crate) call: u32,
    /// URN of the target.
    pub(crate) target: String,
    /// The function as the caller named it.
    pub(crate) function: String,
    /// Its key.
    pub(crate) key: IdempotencyKey,
    /// When the caller had its result, and what kind.
    pub(crate) end: Option<(u64, CallEnded)>,
    /// The target has accepted it, as far as the caller has noted that.
    pub(crate) is_sent: bool,
    /// It lies in a part that does not count.
    pub(crate) is_undone: bool,
}

/// What a caller has noted of the result of a call.
pub(crate) enum CallEnded {
    /// There is one.
    Ok,
    /// An error, where the interface has a place for it.
    Err(RpcError),
    /// Either of them, in the blob of this name.
    Kept(Vec<u8>),
}

impl CallEnded {
    /// What an encoded result is.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        // What cannot be read is what the caller would have heard of.
        let value = Value::from_bytes(bytes).unwrap_or(Value::Tuple(Vec::new()));
        result_from(value).map_or_else(Self::Err, |_| Self::Ok)
    }
}

impl Past {
    /// Reads a log from `checkpoint` on, or as much of its end as half of `budget` has.
    pub(crate) fn read(
        store: &dyn Store,
        log: LogId,
        checkpoint: Option<&Summary>,
        budget: &mut Budget,
    ) -> Result<Self, StoreError> {
        let tail = store.tail(log)?;
        let origin = match at(store, log, OplogIndex(1))?.and_then(|entry| entry.event) {
            Some(Event::Create(create)) => create
                .forked_from
                .map(|name| (name, OplogIndex(create.forked_at))),
            _ => None,
        };
        let known = checkpoint.map_or(0, |summary| summary.index.min(tail.0));
        // The other half is for the invocations themselves.
        let affordable = tail.0.saturating_sub(budget.0 / 2);
        let regions = checkpoint.map(Summary::regions).unwrap_or_default();
        let mut jumps: Vec<_> = regions.iter().map(|region| region.jump).collect();
        jumps.sort_unstable();
        let first = OplogIndex(known.max(affordable) + 1);
        let mut past = Self {
            log,
            tail,
            jumps,
            regions,
            accepted: HashMap::new(),
            started: HashMap::new(),
            newest: None,
            first,
            is_whole: affordable <= known,
            origin,
        };
        let mut begun = Vec::new();
        let mut next = first;
        while next <= tail {
            let entries = chunk(store, log, next, tail)?;
            if entries.is_empty() {
                break;
            }
            budget.spend(entries.len());
            for entry in entries {
                let index = next;
                next = index.next();
                match entry.event {
                    Some(Event::Accepted(accepted)) => {
                        past.accepted.insert(accepted.key, index);
                    }
                    Some(Event::Started(started)) => {
                        let accepted = OplogIndex(started.accepted);
                        past.started.insert(accepted, index);
                        begun.push((index, accepted));
                    }
                    // The part before is not what it was at the checkpoint.
                    Some(Event::Jump(jump)) if jump.first <= known && known > 0 => {
                        return Self::read(store, log, None, budget);
                    }
                    Some(Event::Jump(jump)) => past.jump(index, &jump),
                    _ => {}
                }
            }
        }
        let counts = |(index, _): &&(OplogIndex, OplogIndex)| !past.regions.contains(*index);
        past.newest = begun
            .iter()
            .rev()
            .find(counts)
            .map(|(_, accepted)| *accepted);
        Ok(past)
    }

    fn jump(&mut self, index: OplogIndex, jump: &Jump) {
        // One that covers nothing is none: no key depends on it.
        if jump.first <= jump.last {
            self.jumps.push(index);
            self.regions.jump(index, jump);
        }
    }

    /// Whether all was read that an invocation could be in which has not ended.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Where the invocation with a key stands.
    pub(crate) fn with_key(
        &self,
        store: &dyn Store,
        key: &IdempotencyKey,
    ) -> Result<Option<Place>, StoreError> {
        let found = store.result(self.log, key)?;
        let open = self.accepted.get(&key.0).copied();
        Ok(match (found, open) {
            // Accepted once more, after a revert.
            (Some(found), Some(open)) if open > found.accepted => Some(open.into()),
            (Some(found), _) => Some(Place {
                accepted: found.accepted,
                ended: Some(found.finished),
            }),
            (None, open) => open.map(Place::from),
        })
    }

    /// Where the invocation stands that began last and counts, else the one that was accepted last.
    pub(crate) fn newest(
        &self,
        store: &dyn Store,
        budget: &mut Budget,
    ) -> Result<Option<Place>, StoreError> {
        let accepted = match self.newest {
            Some(accepted) => Some(accepted),
            None => match self.before(store, self.first, budget)? {
                Some((_, accepted)) => Some(accepted),
                None => self.accepted.values().max().copied(),
            },
        };
        accepted
            .map(|accepted| self.place(store, accepted))
            .transpose()
    }

    /// Where the invocation stands that the entry at `index` belongs to.
    pub(crate) fn around(
        &self,
        store: &dyn Store,
        index: OplogIndex,
        budget: &mut Budget,
    ) -> Result<Option<Place>, StoreError> {
        let entry = at(store, self.log, index)?.and_then(|entry| entry.event);
        let accepted = match entry {
            Some(Event::Accepted(_)) => Some(index),
            Some(Event::Started(started)) => Some(OplogIndex(started.accepted)),
            Some(Event::Completed(completed)) => Some(OplogIndex(completed.accepted)),
            Some(Event::Failed(failed)) if failed.accepted > 0 => Some(OplogIndex(failed.accepted)),
            Some(Event::Cancelled(cancelled)) => Some(OplogIndex(cancelled.accepted)),
            _ => self
                .before(store, index, budget)?
                .map(|(_, accepted)| accepted),
        };
        accepted
            .map(|accepted| self.place(store, accepted))
            .transpose()
    }

    fn place(&self, store: &dyn Store, accepted: OplogIndex) -> Result<Place, StoreError> {
        let entry = at(store, self.log, accepted)?.and_then(|entry| entry.event);
        if let Some(Event::Accepted(entry)) = entry
            && let Some(found) = store.result(self.log, &IdempotencyKey(entry.key))?
            && found.accepted == accepted
        {
            let ended = Some(found.finished);
            return Ok(Place { accepted, ended });
        }
        Ok(accepted.into())
    }

    /// The last `Started` entry before `index` that counts, and the acceptance that it names.
    fn before(
        &self,
        store: &dyn Store,
        index: OplogIndex,
        budget: &mut Budget,
    ) -> Result<Option<(OplogIndex, OplogIndex)>, StoreError> {
        let mut end = index.0.saturating_sub(1);
        while end > 0 && !budget.is_spent() {
            let (first, entries) = chunk_before(store, self.log, end)?;
            budget.spend(entries.len());
            for (at, entry) in entries.iter().rev() {
                if let Some(Event::Started(started)) = &entry.event
                    && !self.regions.contains(*at)
                {
                    return Ok(Some((*at, OplogIndex(started.accepted))));
                }
            }
            end = first - 1;
        }
        Ok(None)
    }

    /// The invocation at a place. `None`: there is no such entry any more.
    pub(crate) fn run(
        &self,
        store: &dyn Store,
        worker: &WorkerId,
        place: Place,
        budget: &mut Budget,
    ) -> Result<Option<Run>, StoreError> {
        let Some(entry) = at(store, self.log, place.accepted)? else {
            return Ok(None);
        };
        let Some(Event::Accepted(accepted)) = entry.event else {
            return Ok(None);
        };
        let mut run = Run {
            accepted,
            accepted_index: place.accepted,
            accepted_at: entry.at,
            started: None,
            ended: None,
            retries: 0,
            calls: Vec::new(),
            is_undone: place
                .ended
                .is_some_and(|ended| self.regions.reverted(ended)),
            is_whole: true,
        };
        match (place.ended, self.started.get(&place.accepted)) {
            (Some(ended), _) => {
                // Between its beginning and its end nothing else ran.
                let mut found = Indexed::new();
                run.is_whole =
                    collect_back(store, self.log, place.accepted, ended, budget, &mut found)?;
                for (index, entry) in found.into_iter().rev() {
                    self.fold(&mut run, worker, index, entry);
                }
            }
            (None, Some(started)) => {
                let mut next = *started;
                while next <= self.tail && run.ended.is_none() {
                    // Its beginning is read whatever it costs.
                    if next > *started && budget.is_spent() {
                        run.is_whole = false;
                        break;
                    }
                    let entries = chunk(store, self.log, next, self.tail)?;
                    if entries.is_empty() {
                        break;
                    }
                    budget.spend(entries.len());
                    for entry in entries {
                        if run.ended.is_none() {
                            self.fold(&mut run, worker, next, entry);
                        }
                        next = next.next();
                    }
                }
            }
            // It has not begun, as far as that was read.
            (None, None) => {}
        }
        Ok(Some(run))
    }

    fn fold(&self, run: &mut Run, worker: &WorkerId, index: OplogIndex, entry: OplogEntry) {
        let at = entry.at;
        let of = run.accepted_index.0;
        match entry.event {
            Some(Event::Started(started)) if started.accepted == of => {
                run.started = Some((index, at));
            }
            Some(Event::Completed(completed)) if completed.accepted == of => {
                run.ended = Some((at, RunEnd::Completed));
            }
            Some(Event::Failed(failed)) if failed.accepted == of => {
                if failed.retry_at.is_some() {
                    run.retries += 1;
                } else {
                    run.ended = Some((at, RunEnd::Failed(failed)));
                }
            }
            Some(Event::Cancelled(cancelled)) if cancelled.accepted == of => {
                // The failure that follows says why.
                run.ended = Some((at, RunEnd::Cancelled));
            }
            Some(Event::Exited(exited)) if run.started.is_some() => {
                run.ended = Some((at, RunEnd::Exited(exited.status)));
            }
            Some(Event::CallStart(start)) if is_call(start.call) && run.started.is_some() => {
                if run.calls.len() >= CALLS_MAX {
                    run.is_whole = false;
                    return;
                }
                // As `rpc/call.rs` writes it: neither of the two has a space.
                let (target, function) = start.subject.split_once(' ').unwrap_or_default();
                run.calls.push(CallEntry {
                    index,
                    at,
                    call: start.call,
                    target: target.to_owned(),
                    function: function.to_owned(),
                    key: self.key(run, worker, index, start.number),
                    end: None,
                    is_sent: false,
                    is_undone: self.regions.contains(index),
                });
            }
            Some(Event::CallEnd(end)) => {
                let made = run.calls.iter_mut().rev().find(|c| c.index.0 == end.start);
                if let Some(made) = made {
                    let ended = match end.output_blob {
                        None => CallEnded::of(&end.output),
                        Some(blob) => CallEnded::Kept(blob),
                    };
                    made.end = Some((at, ended));
                }
            }
            Some(Event::Sent(sent)) => {
                for made in &mut run.calls {
                    made.is_sent |= sent.starts.contains(&made.index.0);
                }
            }
            _ => {}
        }
    }

    /// The key of a call: see [`IdempotencyKey::derive`].
    fn key(&self, run: &Run, worker: &WorkerId, at: OplogIndex, number: u64) -> IdempotencyKey {
        let before = self.jumps.partition_point(|jump| *jump < at);
        let salt = before.checked_sub(1).and_then(|last| self.jumps.get(last));
        let salt = salt.map_or(0, |jump| jump.0);
        let key = IdempotencyKey(run.accepted.key.clone());
        match &self.origin {
            // The part that was copied is of another worker.
            Some((name, copied)) if at <= *copied => {
                let origin = WorkerId::new(worker.component_id, name.clone());
                key.derive(&origin, number, salt)
            }
            _ => key.derive(worker, number, salt),
        }
    }
}

impl From<OplogIndex> for Place {
    fn from(accepted: OplogIndex) -> Self {
        let ended = None;
        Self { accepted, ended }
    }
}

fn is_call(number: u32) -> bool {
    [
        RPC_INVOKE_AND_AWAIT.number,
        RPC_INVOKE.number,
        RPC_ASYNC_INVOKE_AND_AWAIT.number,
    ]
    .contains(&number)
}

/// What [`Past::fold`] looks at: all else is not kept.
fn matters(event: &Event) -> bool {
    matches!(
        event,
        Event::Started(_)
            | Event::Completed(_)
            | Event::Failed(_)
            | Event::Cancelled(_)
            | Event::Exited(_)
            | Event::CallStart(_)
            | Event::CallEnd(_)
            | Event::Sent(_)
    )
}

/// Entries with their indexes.
type Indexed = Vec<(OplogIndex, OplogEntry)>;

/// Entries from `ended` back to the beginning of the invocation, the newest first. `false`: the budget was spent before.
fn collect_back(
    store: &dyn Store,
    log: LogId,
    accepted: OplogIndex,
    ended: OplogIndex,
    budget: &mut Budget,
    found: &mut Indexed,
) -> Result<bool, StoreError> {
    let mut end = ended.0;
    while end > accepted.0 {
        // Its end is read whatever it costs.
        if end < ended.0 && budget.is_spent() {
            return Ok(false);
        }
        let (first, entries) = chunk_before(store, log, end)?;
        budget.spend(entries.len());
        for (index, entry) in entries.into_iter().rev() {
            if index <= accepted {
                return Ok(true);
            }
            let begins = matches!(&entry.event, Some(Event::Started(started)) if started.accepted == accepted.0);
            if entry.event.as_ref().is_some_and(matters) {
                found.push((index, entry));
            }
            if begins {
                return Ok(true);
            }
        }
        end = first - 1;
    }
    Ok(true)
}

/// Entries from `first` on, up to `last`, at most [`CHUNK`].
fn chunk(
    store: &dyn Store,
    log: LogId,
    first: OplogIndex,
    last: OplogIndex,
) -> Result<Vec<OplogEntry>, StoreError> {
    let count = (last.0 + 1).saturating_sub(first.0).min(CHUNK);
    let count = usize::try_from(count).unwrap_or(0);
    let read = store.read(log, first, count, BATCH_BYTES)?;
    read.iter()
        .zip(first.0..)
        .map(|(bytes, index)| decode(log, index, bytes))
        .collect()
}

/// All of the last [`CHUNK`] entries up to `end` with their indexes, and the first of these.
fn chunk_before(store: &dyn Store, log: LogId, end: u64) -> Result<(u64, Indexed), StoreError> {
    let first = end.saturating_sub(CHUNK - 1).max(1);
    let mut entries = Indexed::new();
    while first + (entries.len() as u64) <= end {
        let next = OplogIndex(first + entries.len() as u64);
        let more = chunk(store, log, next, OplogIndex(end))?;
        if more.is_empty() {
            return Err(StoreError::Corrupt {
                what: format!("entry {next} of log {:016x}", log.0),
                detail: "missing".into(),
            });
        }
        entries.extend((next.0..).map(OplogIndex).zip(more));
    }
    Ok((first, entries))
}

fn at(store: &dyn Store, log: LogId, index: OplogIndex) -> Result<Option<OplogEntry>, StoreError> {
    let read = store.read(log, index, 1, 0)?;
    read.first()
        .map(|bytes| decode(log, index.0, bytes))
        .transpose()
}

fn decode(log: LogId, index: u64, bytes: &[u8]) -> Result<OplogEntry, StoreError> {
    OplogEntry::from_bytes(bytes).map_err(|error| StoreError::Corrupt {
        what: format!("entry {index} of log {:016x}", log.0),
        detail: error.to_string(),
    })
}
