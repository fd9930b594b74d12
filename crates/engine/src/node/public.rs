// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / node/public: a worker's log as clients see it, page by page, all of it or what a query finds. In: a place in the
//! log. Out: entries in their public form. Bounds: [`PAGE_ENTRIES_MAX`], [`READ_BYTES`]. Never changes a worker.
//! Read next: golem-model `public_oplog.rs`, `query.rs`. Source: client spec §6.6, runtime spec §2.9.

use std::collections::HashMap;
use std::sync::Arc;

use golem_model::oplog::{Event, JumpReason, OplogEntry};
use golem_model::public_oplog::{FunctionType, Known, PublicOplogEntry, publish, refers_to};
use golem_model::query::Query;
use golem_model::types::Export;
use golem_model::{ComponentVersion, LogId, OplogIndex, WorkerId};

use super::{Node, row_of};
use crate::error::WorkerError;
use crate::host::calls::{Class, by_number};

/// Most entries in a page: what one answer holds.
pub const PAGE_ENTRIES_MAX: usize = 1_000;
/// Entries that are read at once.
const READ_ENTRIES: usize = 256;
/// Bytes of entries that are read at once, about.
const READ_BYTES: usize = 1 << 20;
/// Bytes of entries after which a page ends, so that a page of large values stays small.
const PAGE_BYTES: usize = 4 << 20;

/// A page of a log.
#[derive(Debug, Clone)]
pub struct OplogPage {
    /// The entries, oldest first.
    pub entries: Vec<(OplogIndex, PublicOplogEntry)>,
    /// Where the next page starts, and the version that runs there; `None` behind an empty page.
    pub next: Option<(OplogIndex, ComponentVersion)>,
    /// Index of the last entry of the log.
    pub last: OplogIndex,
}

impl Node {
    /// A page of a worker's log from entry `from` on: at most `count` entries, those that `query` finds. Only the end of the
    /// log makes a page empty. `version` is the one that runs at `from`, if the page before said so. Stops when it is dropped.
    /// Errors: `NotFound`, `Damaged`.
    pub async fn public_oplog(
        self: &Arc<Self>,
        worker: &WorkerId,
        from: OplogIndex,
        version: Option<ComponentVersion>,
        count: usize,
        query: Option<&Query>,
    ) -> Result<OplogPage, WorkerError> {
        let (log, last) = self.durable_log(worker).await?;
        let count = count.clamp(1, PAGE_ENTRIES_MAX);
        let mut next = OplogIndex(from.0.max(1));
        let mut walk = Walk {
            node: self,
            worker,
            log,
            version: match version {
                Some(version) => version,
                None => self.version_at(worker, log, next)?,
            },
            around: HashMap::new(),
        };
        let (mut found, mut bytes) = (Vec::new(), 0);
        while next <= last && found.len() < count && bytes < PAGE_BYTES {
            let left = usize::try_from(last.0 - next.0 + 1).unwrap_or(usize::MAX);
            let most = if query.is_none() {
                count - found.len()
            } else {
                READ_ENTRIES
            };
            for (entry, size) in walk.read(next, left.min(READ_ENTRIES).min(most))? {
                let index = next;
                next = next.next();
                let public = walk.publish(index, entry)?;
                // A query looks at what a client would see. What cannot be written as JSON is not searched for.
                let chosen = query.is_none_or(|query| {
                    serde_json::to_value(&public).is_ok_and(|json| query.matches(&json))
                });
                if chosen {
                    found.push((index, public));
                    bytes += size;
                    if found.len() == count || bytes >= PAGE_BYTES {
                        break;
                    }
                }
            }
            walk.around.clear();
            // A long search lets others run, and ends here when nobody waits for it any more.
            tokio::task::yield_now().await;
        }
        Ok(OplogPage {
            next: (!found.is_empty()).then_some((next, walk.version)),
            entries: found,
            last,
        })
    }

    /// The version that runs behind the entry before `index`.
    fn version_at(
        &self,
        worker: &WorkerId,
        log: LogId,
        index: OplogIndex,
    ) -> Result<ComponentVersion, WorkerError> {
        let damaged = |detail: String| WorkerError::Damaged {
            worker: worker.clone(),
            detail,
        };
        let row = row_of(&self.stored(worker)?)?;
        // The usual worker has never been updated: then nothing has to be read. A fork forgets the updates of its origin.
        let end = if row.updates.is_empty() && row.version == 0 {
            OplogIndex(1)
        } else {
            index
        };
        let mut versions: Vec<(OplogIndex, ComponentVersion)> = vec![(OplogIndex(0), row.version)];
        let mut at = OplogIndex(1);
        while at < end {
            let entries = self.store.read(log, at, READ_ENTRIES, READ_BYTES)?;
            if entries.is_empty() {
                break;
            }
            for bytes in entries {
                if at >= end {
                    break;
                }
                let entry = OplogEntry::from_bytes(&bytes)
                    .map_err(|error| damaged(format!("entry {at}: {error}")))?;
                match entry.event {
                    Some(Event::Create(create)) => versions = vec![(at, create.version)],
                    Some(Event::Updated(updated)) => versions.push((at, updated.version)),
                    // An update that lies in what is undone has not happened.
                    Some(Event::Jump(jump)) => {
                        versions.retain(|(made, _)| made.0 < jump.first || made.0 > jump.last);
                    }
                    _ => {}
                }
                at = at.next();
            }
        }
        Ok(versions.last().map_or(row.version, |(_, version)| *version))
    }
}

/// A walk along a log.
struct Walk<'a> {
    node: &'a Arc<Node>,
    worker: &'a WorkerId,
    log: LogId,
    /// The version that runs at the next entry.
    version: ComponentVersion,
    /// Entries that those which are published refer to.
    around: HashMap<OplogIndex, OplogEntry>,
}

impl Walk<'_> {
    /// Up to `count` entries from `from` on with their sizes, and into `around` what they refer to.
    fn read(
        &mut self,
        from: OplogIndex,
        count: usize,
    ) -> Result<Vec<(OplogEntry, usize)>, WorkerError> {
        let read = self.node.store.read(self.log, from, count, READ_BYTES)?;
        if read.is_empty() {
            return Err(self.damaged(format!("entry {from} is missing")));
        }
        let mut entries = Vec::with_capacity(read.len());
        for (bytes, index) in read.iter().zip(from.0..) {
            let entry = self.decode(OplogIndex(index), bytes)?;
            if let Some(other) = entry.event.as_ref().and_then(refers_to)
                && !self.around.contains_key(&other)
            {
                let bytes = self.node.store.read(self.log, other, 1, usize::MAX)?;
                if let Some(bytes) = bytes.first() {
                    let other_entry = self.decode(other, bytes)?;
                    self.around.insert(other, other_entry);
                }
            }
            entries.push((entry, bytes.len()));
        }
        Ok(entries)
    }

    fn decode(&self, index: OplogIndex, bytes: &[u8]) -> Result<OplogEntry, WorkerError> {
        OplogEntry::from_bytes(bytes)
            .map_err(|error| self.damaged(format!("entry {index}: {error}")))
    }

    fn damaged(&self, detail: String) -> WorkerError {
        WorkerError::Damaged {
            worker: self.worker.clone(),
            detail,
        }
    }

    /// The entry as clients see it; keeps track of the version.
    fn publish(
        &mut self,
        index: OplogIndex,
        entry: OplogEntry,
    ) -> Result<PublicOplogEntry, WorkerError> {
        match &entry.event {
            Some(Event::Create(create)) => self.version = create.version,
            Some(Event::Updated(updated)) => self.version = updated.version,
            Some(Event::Jump(jump))
                if matches!(jump.reason(), JumpReason::Revert | JumpReason::FailedUpdate) =>
            {
                self.version = self.node.version_at(self.worker, self.log, index.next())?;
            }
            _ => {}
        }
        let component = self.worker.component_id;
        Ok(publish(index, entry, component, self.version, self))
    }
}

impl Known for Walk<'_> {
    fn host_call(&self, number: u32) -> Option<(String, FunctionType)> {
        let call = by_number(number)?;
        // What a read looks at: the store and other workers are outside, clocks and random bytes are not.
        let outside = [
            "golem:rpc/",
            "wasi:keyvalue/",
            "wasi:blobstore/",
            "wasi:http/",
        ];
        let kind = match call.class {
            Class::Read if outside.iter().any(|start| call.name.starts_with(start)) => {
                FunctionType::ReadRemote
            }
            Class::Read => FunctionType::ReadLocal,
            Class::LocalWrite => FunctionType::WriteLocal,
            Class::RemoteWrite => FunctionType::WriteRemote,
        };
        Some((call.name.to_owned(), kind))
    }

    fn entry(&self, index: OplogIndex) -> Option<OplogEntry> {
        self.around.get(&index).cloned()
    }

    fn component(&self, version: ComponentVersion) -> Option<(u64, Vec<Export>)> {
        let id = self.worker.component_id;
        let component = self.node.component(id, Some(version)).ok()?;
        Some((component.component_size, component.metadata.exports.clone()))
    }
}
