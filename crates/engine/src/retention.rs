// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / retention: lets go of results that nobody asks for any more. In: the log of a worker. Out: operations.
//! Bound: [`RESULT_STEP`] entries at once, once for each entry of a log. Read next: `alive.rs`. Source: reliability spec G2.
//!
//! The outcome of a key is kept for [`Retention::age`] at least, and as long as it is among the last [`Retention::entries`]
//! entries. What another worker asked for is kept for ever: that worker may have been stopped for any time, and asks again when
//! it goes on. The entries themselves stay: what goes is the way from the key to them.

use std::collections::BTreeMap;
use std::time::Duration;

use golem_model::oplog::{Accepted, Event, OplogEntry};
use golem_model::{IdempotencyKey, LogId, OplogIndex, WorkerId};
use golem_storage::{Op, Store, StoreError};

use crate::alive::Alive;
use crate::limits::{RESULT_AGE, RESULT_ENTRIES, RESULT_STEP};
use crate::node::Node;

/// What is kept of the results of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// How long a result is kept at least.
    pub age: Duration,
    /// Results of so many last entries of a log are kept whatever their age.
    pub entries: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            age: RESULT_AGE,
            entries: RESULT_ENTRIES,
        }
    }
}

/// What a look through a log found.
struct Found {
    /// The first entry that was not looked at, or is too young.
    next: u64,
    /// Keys whose results go.
    keys: Vec<IdempotencyKey>,
}

impl Alive {
    /// Lets results go that are due, now and then. All of the log that is looked at has been durable for long.
    pub(crate) fn let_results_go(&mut self, node: &Node, id: &WorkerId) {
        let Retention { age, entries } = node.retention();
        let tail = self.writer.lock().tail().0;
        if tail < self.results_due {
            return;
        }
        self.results_due = next_step(tail);
        let from = self.row.results_from.max(1);
        let until = (from + RESULT_STEP).min(tail.saturating_sub(entries));
        let age = u64::try_from(age.as_micros()).unwrap_or(u64::MAX);
        let before = node.clock().micros().saturating_sub(age);
        match look(node.store().as_ref(), self.link.log, from, until, before) {
            Ok(found) if found.next > from => {
                // There may be more: a worker that had much before the first look catches up two steps for each new one.
                self.results_due = tail + RESULT_STEP / 2;
                self.row.results_from = found.next;
                let log = self.link.log;
                let forget = found.keys.into_iter().map(|key| Op::DelResult { log, key });
                let put = self.put_row(id);
                self.writer.lock().submit(forget.chain([put]));
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(worker = %id, %error, "old results stay for now");
            }
        }
    }
}

/// The entry behind `tail` at which a worker looks for old results: the same ones whenever it was opened.
pub(crate) fn next_step(tail: u64) -> u64 {
    (tail / RESULT_STEP + 1) * RESULT_STEP
}

/// Looks through the entries `from..until` of a log that are older than `before` (µs since 1970).
fn look(
    store: &dyn Store,
    log: LogId,
    from: u64,
    until: u64,
    before: u64,
) -> Result<Found, StoreError> {
    let mut found = Found {
        next: from,
        keys: Vec::new(),
    };
    let count = usize::try_from(until.saturating_sub(from)).unwrap_or(0);
    if count == 0 {
        return Ok(found);
    }
    // Most logs are young: one entry says so.
    let first = store.read(log, OplogIndex(from), 1, 0)?;
    if let Some(bytes) = first.first()
        && entry(bytes, from)?.at >= before
    {
        return Ok(found);
    }
    let mut accepted = BTreeMap::new();
    for (bytes, index) in store
        .read(log, OplogIndex(from), count, usize::MAX)?
        .iter()
        .zip(from..)
    {
        let entry = entry(bytes, index)?;
        if entry.at >= before {
            break;
        }
        found.next = index + 1;
        let ended = match entry.event {
            Some(Event::Accepted(invocation)) => {
                accepted.insert(index, invocation);
                continue;
            }
            Some(Event::Completed(completed)) => completed.accepted,
            Some(Event::Failed(failed)) if failed.retry_at.is_none() => failed.accepted,
            _ => continue,
        };
        let invocation = match accepted.remove(&ended) {
            Some(invocation) => Some(invocation),
            None => accepted_at(store, log, ended)?,
        };
        if let Some(invocation) = invocation.filter(|invocation| invocation.caller.is_none())
            // The same key may have been used again in a part of the history that came after a revert.
            && store
                .result(log, &IdempotencyKey(invocation.key.clone()))?
                .is_some_and(|result| result.finished.0 == index)
        {
            found.keys.push(IdempotencyKey(invocation.key));
        }
    }
    Ok(found)
}

fn accepted_at(store: &dyn Store, log: LogId, index: u64) -> Result<Option<Accepted>, StoreError> {
    if index == 0 {
        return Ok(None);
    }
    let bytes = store.read(log, OplogIndex(index), 1, 0)?;
    let Some(bytes) = bytes.first() else {
        return Ok(None);
    };
    match entry(bytes, index)?.event {
        Some(Event::Accepted(invocation)) => Ok(Some(invocation)),
        _ => Ok(None),
    }
}

fn entry(bytes: &[u8], index: u64) -> Result<OplogEntry, StoreError> {
    OplogEntry::from_bytes(bytes).map_err(|error| StoreError::Corrupt {
        what: format!("entry {index}"),
        detail: error.to_string(),
    })
}
