// SPDX-License-Identifier: Apache-2.0
//! THE SHELVES / store: the boundary to every backend. In: batches of ordered operations. Out: durable state, reads.
//! Never touches HTTP, wasm or tokio. Bound: [`COMMIT_BYTES_MAX`], [`COMMIT_OPS_MAX`]. Read next: `committer.rs`, `fjall.rs`.
//! Source: storage design §2 (trait), §3 (group commit), invariants I1–I5.

use std::ops::ControlFlow;

use golem_model::{Coded, ComponentId, IdempotencyKey, LogId, OplogIndex, ShardId, WorkerId};

use crate::export::Item;

/// Bytes at which the committer closes a batch: a commit must not stall the lane. One submit is never split, so a
/// batch of one submit may be larger, up to [`COMMIT_BYTES_MAX`]. Source: storage design §2.
pub const BATCH_BYTES_MAX: usize = 1 << 20;
/// Operations at which the committer closes a batch. Larger than the design's 512, which counted rows of PostgreSQL:
/// the embedded store merges the appends of one worker into one record, so operations are cheap there.
pub const BATCH_OPS_MAX: usize = 4096;
/// Most bytes that a backend accepts in one commit: room for a submit with dozens of the largest entries
/// (`golem_model::oplog::ENTRY_BYTES_MAX`), and far below what one record of the embedded store can hold.
pub const COMMIT_BYTES_MAX: usize = 64 << 20;
/// Most operations that a backend accepts in one commit: bounds the memory of one commit.
pub const COMMIT_OPS_MAX: usize = 1 << 16;
/// Longest key of anything: idempotency keys, names of workers, keys of key-value data. The embedded store writes the
/// length of a key in two bytes; whoever takes names from outside must refuse longer ones before they come here.
pub const KEY_BYTES_MAX: usize = 16 << 10;

/// The right to write to a shard, given by [`Store::claim`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// The shard.
    pub shard: ShardId,
    /// Its shard epoch: grows with every claim, and an older one can never write again.
    pub epoch: u64,
}

/// One change. Operations of a batch apply in order, all or none.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Appends encoded entries to a log. Refused with [`CommitError::Conflict`] unless `first` is its tail + 1.
    Append {
        /// The log.
        log: LogId,
        /// Index of the first of `entries`.
        first: OplogIndex,
        /// Encoded entries, 1 or more.
        entries: Vec<Vec<u8>>,
    },
    /// Writes the row of a worker (an encoded `WorkerRow`).
    PutWorker {
        /// The worker.
        worker: WorkerId,
        /// Its log.
        log: LogId,
        /// The encoded row.
        row: Vec<u8>,
    },
    /// Deletes a worker: row, mark, log and results are gone for every read when the commit returns, and swept from disk
    /// later. The row stays when it names another log by now (the worker was made again). Timers stay until they are
    /// due: whoever gets one looks whether its worker is still the one that armed it. Every other operation that names
    /// the log is refused from here on with [`CommitError::Dropped`], but for [`Op::ClearRunning`], which does nothing.
    DropWorker {
        /// The worker.
        worker: WorkerId,
        /// Its log.
        log: LogId,
    },
    /// Marks a worker as having work left, so that the next owner of the shard wakes it.
    SetRunning {
        /// The worker.
        worker: WorkerId,
        /// Its log.
        log: LogId,
    },
    /// Takes the mark away.
    ClearRunning {
        /// The log of the worker.
        log: LogId,
    },
    /// Remembers which entry completed an idempotency key.
    PutResult {
        /// The log of the worker.
        log: LogId,
        /// The key.
        key: IdempotencyKey,
        /// Index of the `Accepted` entry.
        accepted: OplogIndex,
        /// Index of the `Completed` or final `Failed` entry.
        finished: OplogIndex,
    },
    /// Forgets the outcome of a key; fine when there is none.
    DelResult {
        /// The log of the worker.
        log: LogId,
        /// The key.
        key: IdempotencyKey,
    },
    /// Arms a timer. Writing the same `(shard, due, id)` again replaces it.
    AddTimer {
        /// The timer.
        timer: Timer,
    },
    /// Disarms a timer.
    DelTimer {
        /// The shard of the timer's worker.
        shard: ShardId,
        /// Microseconds since 1970.
        due: u64,
        /// Identity of the timer among those of the same moment.
        id: u64,
    },
    /// Writes a value of a keyspace that belongs to a namespace of the guest (key-value store, promises).
    PutKv {
        /// Which kind of data.
        space: KvSpace,
        /// Key, unique in the space.
        key: Vec<u8>,
        /// Value.
        value: Vec<u8>,
    },
    /// Deletes such a value.
    DelKv {
        /// Which kind of data.
        space: KvSpace,
        /// Key.
        key: Vec<u8>,
    },
}

/// A durable timer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timer {
    /// When, microseconds since 1970.
    pub due: u64,
    /// Identity among timers of the same shard and moment.
    pub id: u64,
    /// The worker to wake.
    pub worker: WorkerId,
    /// What to do, encoded by the engine.
    pub payload: Vec<u8>,
}

/// Kinds of keyed data beside logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KvSpace {
    /// `wasi:keyvalue`.
    KeyValue,
    /// Promises of workers.
    Promise,
}

impl KvSpace {
    /// Its number in keys on disk: never reused for another space.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::KeyValue => 1,
            Self::Promise => 2,
        }
    }

    /// The space of a number.
    pub(crate) fn of(number: u8) -> Option<Self> {
        [Self::KeyValue, Self::Promise]
            .into_iter()
            .find(|space| space.number() == number)
    }
}

/// A worker as the store lists it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredWorker {
    /// The worker.
    pub worker: WorkerId,
    /// Its log.
    pub log: LogId,
    /// Its encoded row.
    pub row: Vec<u8>,
}

/// Where the outcome of an idempotency key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredResult {
    /// Index of the `Accepted` entry.
    pub accepted: OplogIndex,
    /// Index of the `Completed` or final `Failed` entry.
    pub finished: OplogIndex,
}

/// A row of the catalogue (components, plugins, …) with its revision for compare-and-set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogRow {
    /// Key, unique in its kind.
    pub key: Vec<u8>,
    /// Grows by one with every write, from 1.
    pub revision: u64,
    /// Value.
    pub value: Vec<u8>,
}

/// Why a commit did not happen, or may not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Somebody else owns the shard now. Nothing was written.
    #[error("shard {} has a newer owner (epoch {epoch})", shard.0)]
    Fenced {
        /// The shard.
        shard: ShardId,
        /// Its epoch now.
        epoch: u64,
    },
    /// An append does not continue its log. Nothing was written.
    #[error("log {log:?} ends at {tail}, the append begins at {first}")]
    Conflict {
        /// The log.
        log: LogId,
        /// Its real tail.
        tail: OplogIndex,
        /// Where the append wanted to begin.
        first: OplogIndex,
    },
    /// An operation names a log whose worker was dropped: a log is never used again. Nothing was written.
    #[error("log {log:?} belongs to a worker that was deleted")]
    Dropped {
        /// The log.
        log: LogId,
    },
    /// The batch is larger than a limit. Nothing was written.
    #[error("batch of {ops} operations and {bytes} bytes is over the limit")]
    TooLarge {
        /// Operations.
        ops: usize,
        /// Bytes of entries.
        bytes: usize,
    },
    /// A key is longer than [`KEY_BYTES_MAX`]. Nothing was written.
    #[error("key of {bytes} bytes is over the limit of {KEY_BYTES_MAX}")]
    KeyTooLong {
        /// Bytes of the key.
        bytes: usize,
    },
    /// It is not known whether the batch was written: read before writing again (invariant I4).
    #[error("commit may or may not have happened: {0}")]
    Ambiguous(String),
    /// The backend cannot write now. Nothing was written.
    #[error("store cannot write: {0}")]
    Unavailable(String),
    /// The backend has stopped for good (a failed write or fsync). The process must end.
    #[error("store has stopped: {0}")]
    Poisoned(String),
}

/// Why a read failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The operating system or the backend said no.
    #[error("store cannot read: {0}")]
    Io(String),
    /// Bytes on disk are not what was written.
    #[error("{what} is damaged: {detail}")]
    Corrupt {
        /// Which record.
        what: String,
        /// How it shows.
        detail: String,
    },
    /// The data directory is used by another process.
    #[error("data directory `{0}` is in use by another server")]
    Locked(String),
    /// The data directory was written by a version that this one cannot read.
    #[error("data directory `{path}` has format {found}, this version reads {expected}")]
    UnknownFormat {
        /// The directory.
        path: String,
        /// What it says.
        found: String,
        /// What this version writes.
        expected: String,
    },
    /// A shard that the store does not have.
    #[error("shard {} does not exist, the store has {shards}", shard.0)]
    NoShard {
        /// The shard.
        shard: ShardId,
        /// How many there are.
        shards: u16,
    },
    /// A catalogue row changed since it was read.
    #[error("row changed meanwhile (revision {found}, expected {expected})")]
    Stale {
        /// Revision now.
        found: u64,
        /// Revision that the writer had read.
        expected: u64,
    },
}

impl Coded for StoreError {
    fn code(&self) -> &'static str {
        match self {
            Self::Io(_) => "STO-001",
            Self::Corrupt { .. } => "STO-002",
            Self::Locked(_) => "STO-003",
            Self::UnknownFormat { .. } => "STO-004",
            Self::Stale { .. } => "STO-005",
            Self::NoShard { .. } => "STO-006",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Io(_) => "check free disk space and the permissions of the data directory".into(),
            Self::Corrupt { .. } => {
                "restore the data directory from a backup; the worker's log was not changed".into()
            }
            Self::Locked(_) => {
                "stop the other server, or pass another directory: --data-dir DIR".into()
            }
            Self::UnknownFormat { .. } => {
                "use the version that wrote it, or start anew: --clean".into()
            }
            Self::Stale { .. } => "try again".into(),
            Self::NoShard { .. } => {
                "the number of shards is fixed when the data directory is created".into()
            }
        })
    }
}

/// A backend: logs, rows, marks, results, timers, keyed data and the catalogue.
///
/// All calls block the calling thread: short for the embedded store, so readers may call from async code; writers go
/// through the [`crate::Committer`]. Reads see every commit that returned.
pub trait Store: Send + Sync + 'static {
    /// Number of shards, fixed when the store was created.
    fn shards(&self) -> u16;

    /// Takes a shard over. The epoch of the token is higher than every earlier one, and that is durable on return:
    /// after it no commit with an older token can become visible (I3).
    fn claim(&self, shard: ShardId) -> Result<Token, StoreError>;

    /// Takes all shards over in one durable write. Same promise as [`Store::claim`].
    fn claim_all(&self) -> Result<Vec<Token>, StoreError>;

    /// Writes `ops` under `tokens` (one per shard that the operations touch): all or nothing, durable on `Ok` (I1),
    /// accepted only if every token is current and every append continues its log (I2).
    fn commit(&self, tokens: &[Token], ops: &[Op]) -> Result<(), CommitError>;

    /// Entries of a log from index `from` on, in order, without gaps: at most `max_entries`, and no more once
    /// `max_bytes` are passed (at least one if there is one). `Corrupt` when a checksum or the order is wrong.
    fn read(
        &self,
        log: LogId,
        from: OplogIndex,
        max_entries: usize,
        max_bytes: usize,
    ) -> Result<Vec<Vec<u8>>, StoreError>;

    /// Index of the last entry, 0 when there is none.
    fn tail(&self, log: LogId) -> Result<OplogIndex, StoreError>;

    /// The row of a worker.
    fn worker(&self, worker: &WorkerId) -> Result<Option<StoredWorker>, StoreError>;

    /// Workers of a component in the order of their names, those after `after`, at most `limit`.
    fn scan_workers(
        &self,
        component: ComponentId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<StoredWorker>, StoreError>;

    /// Workers of a shard that are marked as having work left: those after log `after`, at most `limit`.
    fn scan_running(
        &self,
        shard: ShardId,
        after: Option<LogId>,
        limit: usize,
    ) -> Result<Vec<(WorkerId, LogId)>, StoreError>;

    /// Where the outcome of `key` is.
    fn result(&self, log: LogId, key: &IdempotencyKey) -> Result<Option<StoredResult>, StoreError>;

    /// Timers of a shard due at or before `until` (microseconds since 1970), oldest first, at most `limit`.
    fn due_timers(
        &self,
        shard: ShardId,
        until: u64,
        limit: usize,
    ) -> Result<Vec<Timer>, StoreError>;

    /// The first timer of a shard, due or not.
    fn next_timer(&self, shard: ShardId) -> Result<Option<Timer>, StoreError>;

    /// A keyed value.
    fn kv(&self, space: KvSpace, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Keys of a space that begin with `prefix`, in order, after `after`, at most `limit`.
    fn scan_kv(
        &self,
        space: KvSpace,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Vec<u8>>, StoreError>;

    /// A catalogue row of `kind` (a short constant such as `component`).
    fn catalog_get(&self, kind: &str, key: &[u8]) -> Result<Option<CatalogRow>, StoreError>;

    /// Writes a catalogue row, durable on return. `expected` is the revision that was read, 0 for a new row;
    /// `Stale` when it is not the current one. Returns the new revision.
    fn catalog_put(
        &self,
        kind: &str,
        key: &[u8],
        expected: u64,
        value: &[u8],
    ) -> Result<u64, StoreError>;

    /// Rows of `kind` whose key begins with `prefix`, in the order of their keys, after `after`, at most `limit`.
    fn catalog_scan(
        &self,
        kind: &str,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<CatalogRow>, StoreError>;

    /// Removes up to `records` records of dropped workers; returns whether some are left. Called by a sweeper.
    fn sweep(&self, records: usize) -> Result<bool, StoreError>;

    /// Shows everything that was committed when the call began, all of one moment, until `take` breaks: rows of workers, logs
    /// (each in order and in one piece), marks, results, timers, keyed values, the catalogue, and the highest shard epoch.
    /// Nothing of dropped workers but their timers. Commits go on meanwhile; the space of what they replace is not given back
    /// until the call returns. Blocks for as long as the store is large. Errors: `Io`, `Corrupt` at the first damaged record.
    fn visit(&self, take: &mut dyn FnMut(Item) -> ControlFlow<()>) -> Result<(), StoreError>;

    /// Writes what another store has shown to this one, durable on return: rows as they are, revisions and epochs included.
    /// For a store that nobody uses and that holds nothing of the same names; the same items again change nothing.
    /// Errors: `Io`, `Corrupt` for an item that cannot be written.
    fn restore(&self, items: &[Item]) -> Result<(), StoreError>;

    /// Bytes that may still be written where the store is; `None` where that is not known or has no bound.
    fn free_bytes(&self) -> Option<u64> {
        None
    }

    /// Entries and bytes on disk, for `/metrics` and `idle` benchmarks.
    fn disk_bytes(&self) -> Result<u64, StoreError>;

    /// Nothing will be written for now: makes the next open fast. What is durable is so without it.
    fn settle(&self) {}
}
