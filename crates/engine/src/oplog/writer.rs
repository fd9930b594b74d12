// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / writer: appends entries of one worker, in order, to the node's commit stream. In: events. Out: positions.
//! Never waits for the disk: who lets something out of the node waits for [`Writer::last`] (architecture D8).
//! Read next: `golem-storage`'s `committer.rs`.

use std::sync::Arc;

use golem_model::oplog::{Event, OplogEntry};
use golem_model::{LogId, OplogIndex};
use golem_storage::{Committer, Op, Seq};
use parking_lot::Mutex;

use crate::clock::Clock;

/// The writer of one worker, shared by its task (which accepts) and its instance (which records). Both run in the same
/// task, so the lock is never contended.
pub(crate) type SharedWriter = Arc<Mutex<Writer>>;

/// Appends to the log of one worker.
pub(crate) struct Writer {
    committer: Arc<Committer>,
    clock: Clock,
    log: LogId,
    tail: OplogIndex,
    last: Seq,
    /// Bytes of all entries of the log, and of the blobs that they name.
    bytes: u64,
}

impl Writer {
    /// A writer that continues `log` after `tail`.
    pub(crate) fn new(
        committer: Arc<Committer>,
        clock: Clock,
        log: LogId,
        tail: OplogIndex,
    ) -> Self {
        let last = committer.durable();
        Self {
            committer,
            clock,
            log,
            tail,
            last,
            bytes: 0,
        }
    }

    /// The entries before the first one that this writer appends have so many bytes.
    pub(crate) fn has_before(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    /// Bytes of all entries of the log, and of the blobs that they name.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Index of the last entry.
    pub(crate) fn tail(&self) -> OplogIndex {
        self.tail
    }

    /// The log.
    pub(crate) fn log(&self) -> LogId {
        self.log
    }

    /// Place in the commit stream of the last thing written: durable when the committer is there.
    pub(crate) fn last(&self) -> Seq {
        self.last
    }

    /// Appends one entry and returns its index.
    pub(crate) fn append(&mut self, event: Event) -> OplogIndex {
        self.append_with(event, Vec::new())
    }

    /// Appends one entry together with other operations: all of them or none.
    pub(crate) fn append_with(&mut self, event: Event, also: Vec<Op>) -> OplogIndex {
        let blob_bytes = event.blob_bytes();
        let entry = OplogEntry::new(self.clock.wall_micros(), event).to_bytes();
        self.tail = self.tail.next();
        self.bytes += entry.len() as u64 + blob_bytes;
        let append = Op::Append {
            log: self.log,
            first: self.tail,
            entries: vec![entry],
        };
        self.last = self.committer.submit(std::iter::once(append).chain(also));
        self.tail
    }
}

impl Writer {
    /// Writes operations without an entry, after everything before.
    pub(crate) fn submit(&mut self, ops: impl IntoIterator<Item = Op>) {
        self.last = self.committer.submit(ops);
    }
}

#[cfg(test)]
mod tests {
    use golem_model::ShardId;
    use golem_model::oplog::Completed;
    use golem_storage::{MemStore, Store};

    use super::*;
    use crate::oplog::ledger::each;

    #[test]
    fn blobs_count_for_the_log_that_names_them() {
        const BLOB_BYTES: u64 = 1 << 20;
        let store: Arc<dyn Store> = Arc::new(MemStore::new());
        let tokens = store.claim_all().unwrap();
        let log = LogId::pack(ShardId(0), tokens[0].epoch, 1).unwrap();
        let committer = Committer::start_driven(Arc::clone(&store), tokens, |_| {}).unwrap();
        let clock = Clock::default();
        let mut writer = Writer::new(Arc::clone(&committer), clock, log, OplogIndex(0));
        for blob_bytes in [0, BLOB_BYTES] {
            writer.append(Event::Completed(Completed {
                accepted: 1,
                blob_bytes,
                ..Completed::default()
            }));
            assert!(committer.commit_one());
        }
        let bytes = writer.bytes();
        assert!((BLOB_BYTES..BLOB_BYTES + 1024).contains(&bytes), "{bytes}");
        // Whoever opens the worker next counts the same.
        let read = each(store.as_ref(), log, OplogIndex(1), |_, _| {}).unwrap();
        assert_eq!(read, bytes);
    }
}
