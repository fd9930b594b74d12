// SPDX-License-Identifier: Apache-2.0
//! THE SHELVES / db: the only door to the database library. In: keys and contents. Out: the same, checked.
//! Never offers what is not safe there: `clear`, dropping ranges, separated values, ingestion, commits without a sync.
//! Bound: [`MEMTABLE_BYTES`] unwritten per keyspace. Read next: `layout.rs`. Source: storage design §1 (guard rails).

use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use fjall::{
    Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode, Readable as _, Slice,
    Snapshot,
};

use crate::fjall::layout::{CHECKSUM_BYTES, Space, corrupt, seal, unseal};
use crate::fjall::settled::Settler;
use crate::store::{CommitError, StoreError};

/// Bytes that a keyspace keeps in memory before it writes a table by itself; `settled.rs` lets all of them write theirs.
const MEMTABLE_BYTES: u64 = 8 << 20;
/// Bytes of journals at which the library writes out the keyspaces that hold back the oldest one: its smallest setting.
const JOURNAL_BYTES_MAX: u64 = 64 << 20;
/// Bytes of blocks kept in memory for reading.
const CACHE_BYTES: u64 = 32 << 20;
/// Bytes of a journal's item beside key and content, about.
const ITEM_BYTES: usize = 25;
/// Threads for writing tables and merging them: one of each can go on at a time.
const BACKGROUND_THREADS: usize = 2;

/// An open database.
pub(crate) struct Db {
    /// Ends before the database does.
    settler: Settler,
    database: Database,
    spaces: Vec<Keyspace>,
    path: PathBuf,
}

/// A key and its content; the checksum was right.
pub(crate) struct Row {
    key: Slice,
    value: Slice,
}

/// What was committed at one moment.
pub(crate) struct Moment<'a> {
    snapshot: Snapshot,
    db: &'a Db,
}

/// Changes that happen all or not at all.
pub(crate) struct Batch<'a> {
    batch: OwnedWriteBatch,
    bytes: u64,
    db: &'a Db,
}

impl Db {
    /// Opens or creates the database in `path`. Errors: `Io`, `Locked`, `UnknownFormat`, `Corrupt`.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        // The library asserts where files do not fit together. A damaged directory must end in a message.
        catch_unwind(AssertUnwindSafe(|| Self::try_open(path))).unwrap_or_else(|_| {
            Err(corrupt(
                path.display().to_string(),
                "the database library gave up",
            ))
        })
    }

    fn try_open(path: &Path) -> Result<Self, StoreError> {
        let open = || -> fjall::Result<Self> {
            let database = Database::builder(path)
                .cache_size(CACHE_BYTES)
                .max_journaling_size(JOURNAL_BYTES_MAX)
                .worker_threads(BACKGROUND_THREADS)
                .open()?;
            let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
            let spaces = Space::ALL
                .iter()
                .map(|space| database.keyspace(space.name(), options));
            let spaces = spaces.collect::<fjall::Result<Vec<_>>>()?;
            Ok(Self {
                settler: Settler::start(path.to_owned(), spaces.clone())?,
                database,
                spaces,
                path: path.to_owned(),
            })
        };
        open().map_err(|e| read_error(&path.display().to_string(), e))
    }

    fn space(&self, space: Space) -> Result<&Keyspace, StoreError> {
        // `spaces` has one element per variant, in their order: there is no error to be had, but no panic either.
        self.spaces
            .get(space as usize)
            .ok_or_else(|| StoreError::Io(format!("no keyspace {}", space.name())))
    }

    /// The content of `key`. `what` names it in errors. Errors: `Io`, `Corrupt`.
    pub(crate) fn get(
        &self,
        space: Space,
        key: &[u8],
        what: impl Fn() -> String,
    ) -> Result<Option<Row>, StoreError> {
        let value = self
            .space(space)?
            .get(key)
            .map_err(|e| read_error(&what(), e))?;
        value
            .map(|value| Row::checked(Slice::from(key), value, |_| what()))
            .transpose()
    }

    /// Whether there is a value under `key`, without reading it where a filter can tell. Errors: `Io`, `Corrupt`.
    pub(crate) fn contains(&self, space: Space, key: &[u8]) -> Result<bool, StoreError> {
        self.space(space)?
            .contains_key(key)
            .map_err(|e| read_error(space.name(), e))
    }

    /// What is committed now, however long it is kept. Nothing that it shows is given back to the disk before it is dropped.
    pub(crate) fn moment(&self) -> Moment<'_> {
        Moment {
            snapshot: self.database.snapshot(),
            db: self,
        }
    }

    /// Rows of a range in the order of their keys, from either end. Errors of the items: `Io`, `Corrupt`.
    pub(crate) fn range(
        &self,
        space: Space,
        range: (Bound<Vec<u8>>, Bound<Vec<u8>>),
        what: impl Fn(&[u8]) -> String + Clone,
    ) -> Result<impl DoubleEndedIterator<Item = Result<Row, StoreError>>, StoreError> {
        Ok(self.space(space)?.range(range).map(move |guard| {
            let (key, value) = guard
                .into_inner()
                .map_err(|e| read_error(&format!("a block of {}", space.name()), e))?;
            Row::checked(key, value, &what)
        }))
    }

    /// Keys of a range in order, without looking at the contents: what is damaged can still be removed.
    /// Errors of the items: `Io`, `Corrupt`.
    pub(crate) fn keys(
        &self,
        space: Space,
        range: (Bound<Vec<u8>>, Bound<Vec<u8>>),
    ) -> Result<impl Iterator<Item = Result<Slice, StoreError>>, StoreError> {
        Ok(self
            .space(space)?
            .range(range)
            .map(move |guard| guard.key().map_err(|e| read_error(space.name(), e))))
    }

    /// An empty batch.
    pub(crate) fn batch(&self) -> Batch<'_> {
        Batch {
            batch: self.database.batch(),
            bytes: 0,
            db: self,
        }
    }

    /// Brings everything to tables, so that the next open has nothing to read back. Nothing depends on it.
    pub(crate) fn settle(&self) {
        self.settler.settle_now();
    }

    /// Bytes of journals and tables. Errors: `Io`.
    pub(crate) fn disk_bytes(&self) -> Result<u64, StoreError> {
        self.database
            .disk_space()
            .map_err(|e| read_error("the database", e))
    }

    /// Where its files are.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes what a keyspace holds in memory to a table, for tests that look at table files.
    #[cfg(test)]
    pub(crate) fn write_tables(&self) {
        for space in &self.spaces {
            space.rotate_memtable_and_wait().unwrap();
        }
    }
}

impl Row {
    fn checked(
        key: Slice,
        value: Slice,
        what: impl FnOnce(&[u8]) -> String,
    ) -> Result<Self, StoreError> {
        match unseal(&key, &value) {
            Ok(_) => Ok(Self { key, value }),
            Err(detail) => Err(corrupt(what(&key), detail)),
        }
    }

    /// The key.
    pub(crate) fn key(&self) -> &[u8] {
        &self.key
    }

    /// The content without its checksum.
    pub(crate) fn content(&self) -> &[u8] {
        let end = self.value.len().saturating_sub(CHECKSUM_BYTES);
        self.value.get(..end).unwrap_or_default()
    }
}

impl Moment<'_> {
    /// Rows of a range in the order of their keys. Errors of the items: `Io`, `Corrupt`.
    pub(crate) fn range(
        &self,
        space: Space,
        range: (Bound<Vec<u8>>, Bound<Vec<u8>>),
        what: impl Fn(&[u8]) -> String + Clone,
    ) -> Result<impl Iterator<Item = Result<Row, StoreError>>, StoreError> {
        let rows = self.snapshot.range(self.db.space(space)?, range);
        Ok(rows.map(move |guard| {
            let (key, value) = guard
                .into_inner()
                .map_err(|e| read_error(&format!("a block of {}", space.name()), e))?;
            Row::checked(key, value, &what)
        }))
    }
}

impl Batch<'_> {
    /// Writes `content` under `key`.
    pub(crate) fn insert(&mut self, space: Space, key: impl AsRef<[u8]>, content: Vec<u8>) {
        if let Ok(keyspace) = self.db.space(space) {
            self.bytes += (ITEM_BYTES + key.as_ref().len() + content.len()) as u64;
            self.batch
                .insert(keyspace, key.as_ref(), seal(key.as_ref(), content));
        }
    }

    /// Removes `key`.
    pub(crate) fn remove(&mut self, space: Space, key: impl AsRef<[u8]>) {
        if let Ok(keyspace) = self.db.space(space) {
            self.bytes += (ITEM_BYTES + key.as_ref().len()) as u64;
            self.batch.remove(keyspace, key.as_ref());
        }
    }

    /// Makes it all durable: the only way to write, and it always syncs. Error: `Poisoned`, because after a failed write
    /// or sync the library refuses everything, and nobody knows what is on the disk.
    pub(crate) fn commit(self) -> Result<(), CommitError> {
        self.batch
            .durability(Some(PersistMode::SyncData))
            .commit()
            .map_err(|e| CommitError::Poisoned(describe(&e)))?;
        self.db.settler.wrote(self.bytes);
        Ok(())
    }
}

/// An error of the library in words.
fn describe(error: &fjall::Error) -> String {
    match error {
        fjall::Error::Io(e) | fjall::Error::Storage(fjall::LsmError::Io(e)) => e.to_string(),
        other => format!("{other:?}"),
    }
}

/// What an error of the library means for a reader of `what`.
fn read_error(what: &str, error: fjall::Error) -> StoreError {
    match error {
        fjall::Error::Io(e) | fjall::Error::Storage(fjall::LsmError::Io(e)) => {
            StoreError::Io(format!("{what}: {e}"))
        }
        fjall::Error::Locked => StoreError::Locked(what.to_owned()),
        fjall::Error::InvalidVersion(found) => StoreError::UnknownFormat {
            path: what.to_owned(),
            found: format!("fjall {found:?}"),
            expected: "fjall 3".into(),
        },
        fjall::Error::Poisoned | fjall::Error::KeyspaceDeleted => {
            StoreError::Io(format!("{what}: {error:?}"))
        }
        other => corrupt(what, format!("{other:?}")),
    }
}
