// SPDX-License-Identifier: Apache-2.0
//! THE SHELVES / fjall store: the `Store` trait on the embedded database. In: batches. Out: durable state, reads.
//! Never interprets entries, rows or payloads. Bound: see `db.rs`. Read next: `sweep.rs`, `layout.rs`.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::{Bound, ControlFlow};
use std::path::Path;

use golem_model::{ComponentId, IdempotencyKey, LogId, OplogIndex, ShardId, WorkerId};
use parking_lot::{Mutex, RwLock};

use crate::batch::{check_limits, check_logs, check_tokens};
use crate::export::Item;
use crate::fjall::db::{Batch, Db, Row};
use crate::fjall::home::Home;
use crate::fjall::journal::{self, JournalEnd};
use crate::fjall::layout::{self, Space, corrupt, log_name};
use crate::fjall::tails::Tails;
use crate::fjall::visit::dropped_at;
use crate::store::{
    CatalogRow, CommitError, KvSpace, Op, Store, StoreError, StoredResult, StoredWorker, Timer,
    Token,
};

/// Bytes of the journal that the self-test looks through for its row: what was written since the start.
const PROBE_WINDOW: u64 = 1 << 20;

/// The embedded store.
pub struct FjallStore {
    pub(super) db: Db,
    /// Current epoch of each shard. Held through every commit and claim: there is one writer at a time, and no commit can
    /// fall between the check of its tokens and its write.
    pub(super) epochs: Mutex<Vec<u64>>,
    tails: Mutex<Tails>,
    /// Logs that were dropped and are not swept yet.
    pub(super) dropped: RwLock<HashSet<LogId>>,
    /// Held from reading a catalogue row to writing it.
    catalog: Mutex<()>,
    /// Held through a sweep.
    pub(super) sweeping: Mutex<()>,
    shards: u16,
    /// Last, so that the directory is given up after the database is closed.
    _home: Home,
}

impl FjallStore {
    /// Opens the store in `path`, or makes one. Checks every journal, and that a commit reaches its journal.
    /// Errors: `Locked` when another process has it, `UnknownFormat`, `Corrupt`, `Io`.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let mut home = Home::take(path.as_ref())?;
        let end = journal::check(&home.database())?;
        let db = Db::open(&home.database())?;
        home.keep_names()?;
        probe(&db, end)?;
        home.finish()?;
        let epochs = load_epochs(&db, home.shards())?;
        let dropped = dropped_at(&db.moment())?;
        Ok(Self {
            db,
            epochs: Mutex::new(epochs),
            tails: Mutex::default(),
            dropped: RwLock::new(dropped),
            catalog: Mutex::new(()),
            sweeping: Mutex::new(()),
            shards: home.shards(),
            _home: home,
        })
    }

    /// Writes what is in memory to table files, for tests that look at them.
    #[cfg(test)]
    pub(crate) fn write_tables(&self) {
        self.db.write_tables();
    }

    /// The tail of `log` before an append at `first`.
    fn tail_before(&self, log: LogId, first: OplogIndex) -> Result<OplogIndex, StoreError> {
        if let Some(tail) = self.tails.lock().get(log) {
            return Ok(tail);
        }
        // A new log, most likely: whether its first record exists is cheaper to ask than which is its last.
        if first == OplogIndex(1)
            && !self
                .db
                .contains(Space::Oplog, &layout::oplog_key(log, first))?
        {
            return Ok(OplogIndex(0));
        }
        self.stored_tail(log)
    }

    fn stored_tail(&self, log: LogId) -> Result<OplogIndex, StoreError> {
        let last = self
            .records(log, Bound::Unbounded)?
            .next_back()
            .transpose()?;
        last.map_or(Ok(OplogIndex(0)), |row| record_end(&row))
    }

    /// Records of `log` in order, those that begin at or before `until` when it is given.
    fn records(
        &self,
        log: LogId,
        until: Bound<OplogIndex>,
    ) -> Result<impl DoubleEndedIterator<Item = Result<Row, StoreError>>, StoreError> {
        let end = match until {
            Bound::Included(index) => index,
            _ => OplogIndex(u64::MAX),
        };
        self.record_range(log, OplogIndex(0), end)
    }

    fn record_range(
        &self,
        log: LogId,
        from: OplogIndex,
        to: OplogIndex,
    ) -> Result<impl DoubleEndedIterator<Item = Result<Row, StoreError>>, StoreError> {
        let start = layout::oplog_key(log, from).to_vec();
        let end = layout::oplog_key(log, to).to_vec();
        self.db.range(
            Space::Oplog,
            (Bound::Included(start), Bound::Included(end)),
            record_name,
        )
    }

    /// Rows whose key begins with `prefix`, after `after`, parsed by `parse`, at most `limit`.
    fn scan<T>(
        &self,
        space: Space,
        prefix: Vec<u8>,
        after: Option<Vec<u8>>,
        limit: usize,
        parse: impl Fn(&Row) -> Option<T>,
    ) -> Result<Vec<T>, StoreError> {
        let name = move |key: &[u8]| row_name(space, key);
        let rows = self
            .db
            .range(space, layout::prefix_range(prefix, after), name)?;
        rows.take(limit)
            .map(|row| {
                let row = row?;
                parse(&row).ok_or_else(|| {
                    corrupt(row_name(space, row.key()), "its content does not parse")
                })
            })
            .collect()
    }

    /// The row of `key`, parsed.
    fn get<T>(
        &self,
        space: Space,
        key: &[u8],
        parse: impl Fn(&Row) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        let Some(row) = self.db.get(space, key, || row_name(space, key))? else {
            return Ok(None);
        };
        parse(&row)
            .map(Some)
            .ok_or_else(|| corrupt(row_name(space, key), "its content does not parse"))
    }

    /// Translates `ops` into `batch`. Errors: those of reading a worker's row.
    fn fill(&self, batch: &mut Batch<'_>, ops: &[Op]) -> Result<(), StoreError> {
        // Logs of the rows that the batch itself has written so far: a drop must see them.
        let mut rows: HashMap<&WorkerId, LogId> = HashMap::new();
        for op in ops {
            match op {
                Op::Append {
                    log,
                    first,
                    entries,
                } if !entries.is_empty() => {
                    batch.insert(
                        Space::Oplog,
                        layout::oplog_key(*log, *first),
                        layout::oplog_record(entries),
                    );
                }
                Op::Append { .. } => {}
                Op::PutWorker { worker, log, row } => {
                    rows.insert(worker, *log);
                    batch.insert(
                        Space::Worker,
                        layout::worker_key(worker),
                        layout::worker_row(*log, row),
                    );
                }
                Op::DropWorker { worker, log } => {
                    let current = match rows.get(worker) {
                        Some(log) => Some(*log),
                        None => self.worker(worker)?.map(|stored| stored.log),
                    };
                    if current == Some(*log) {
                        batch.remove(Space::Worker, layout::worker_key(worker));
                    }
                    batch.remove(Space::Running, layout::log_key(*log));
                    batch.insert(Space::Sys, layout::dropped_key(*log), Vec::new());
                }
                Op::SetRunning { worker, log } => {
                    batch.insert(
                        Space::Running,
                        layout::log_key(*log),
                        layout::worker_key(worker),
                    );
                }
                Op::ClearRunning { log } => batch.remove(Space::Running, layout::log_key(*log)),
                Op::PutResult {
                    log,
                    key,
                    accepted,
                    finished,
                } => {
                    let result = StoredResult {
                        accepted: *accepted,
                        finished: *finished,
                    };
                    batch.insert(
                        Space::Result,
                        layout::result_key(*log, key),
                        layout::result_row(result),
                    );
                }
                Op::DelResult { log, key } => {
                    batch.remove(Space::Result, layout::result_key(*log, key))
                }
                Op::AddTimer { timer } => {
                    let shard = ShardId::of(&timer.worker, self.shards);
                    let key = layout::timer_key(shard, timer.due, timer.id);
                    batch.insert(Space::Timer, key, layout::timer_row(timer));
                }
                Op::DelTimer { shard, due, id } => {
                    batch.remove(Space::Timer, layout::timer_key(*shard, *due, *id))
                }
                Op::PutKv { space, key, value } => {
                    batch.insert(Space::Kv, layout::kv_key(*space, key), value.clone());
                }
                Op::DelKv { space, key } => batch.remove(Space::Kv, layout::kv_key(*space, key)),
            }
        }
        Ok(())
    }

    fn is_dropped(&self, log: LogId) -> bool {
        self.dropped.read().contains(&log)
    }
}

impl Store for FjallStore {
    fn shards(&self) -> u16 {
        self.shards
    }

    fn claim(&self, shard: ShardId) -> Result<Token, StoreError> {
        let mut epochs = self.epochs.lock();
        let shards = self.shards;
        let epoch = epochs
            .get_mut(usize::from(shard.0))
            .ok_or(StoreError::NoShard { shard, shards })?;
        let mut batch = self.db.batch();
        batch.insert(
            Space::Sys,
            layout::shard_epoch_key(shard),
            (*epoch + 1).to_be_bytes().to_vec(),
        );
        batch.commit().map_err(|e| StoreError::Io(e.to_string()))?;
        *epoch += 1;
        Ok(Token {
            shard,
            epoch: *epoch,
        })
    }

    fn claim_all(&self) -> Result<Vec<Token>, StoreError> {
        let mut epochs = self.epochs.lock();
        let epoch = epochs.iter().max().copied().unwrap_or(0) + 1;
        let mut batch = self.db.batch();
        batch.insert(Space::Sys, layout::EPOCH_KEY, epoch.to_be_bytes().to_vec());
        batch.commit().map_err(|e| StoreError::Io(e.to_string()))?;
        epochs.fill(epoch);
        Ok((0..self.shards)
            .map(|shard| Token {
                shard: ShardId(shard),
                epoch,
            })
            .collect())
    }

    fn commit(&self, tokens: &[Token], ops: &[Op]) -> Result<(), CommitError> {
        // A batch that cannot be prepared is refused before anything is written.
        let refused = |e: StoreError| CommitError::Unavailable(e.to_string());
        check_limits(ops)?;
        let epochs = self.epochs.lock();
        check_tokens(tokens, ops, &epochs)?;
        let tail = |log, first| self.tail_before(log, first).map_err(refused);
        let tails = check_logs(ops, tail, |log| self.is_dropped(log))?;
        let mut batch = self.db.batch();
        self.fill(&mut batch, ops).map_err(refused)?;
        batch.commit()?;
        let mut known = self.tails.lock();
        for (log, tail) in tails {
            known.set(log, tail);
        }
        for op in ops {
            if let Op::DropWorker { log, .. } = op {
                known.remove(*log);
                self.dropped.write().insert(*log);
            }
        }
        Ok(())
    }

    fn read(
        &self,
        log: LogId,
        from: OplogIndex,
        max_entries: usize,
        max_bytes: usize,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut out = Vec::new();
        if self.is_dropped(log) || max_entries == 0 {
            return Ok(out);
        }
        let from = OplogIndex(from.0.max(1));
        // The record that holds `from` is the last one that begins at or before it.
        let Some(holder) = self
            .records(log, Bound::Included(from))?
            .next_back()
            .transpose()?
        else {
            // No such record: then the log must be empty, or its beginning is lost.
            return match self.records(log, Bound::Unbounded)?.next().transpose()? {
                None => Ok(out),
                Some(row) => Err(gap(log, from, record_start(&row)?)),
            };
        };
        let mut next = record_start(&holder)?;
        let (mut bytes, mut first) = (0, Some(holder));
        let mut rows = self.record_range(log, next.next(), OplogIndex(u64::MAX))?;
        while let Some(row) = first.take().map(Ok).or_else(|| rows.next()) {
            let row = row?;
            let start = record_start(&row)?;
            if start != next {
                return Err(gap(log, next, start));
            }
            let entries = layout::record_entries(row.content())
                .map_err(|e| corrupt(record_name(row.key()), e))?;
            for entry in entries {
                let entry = entry.map_err(|e| corrupt(record_name(row.key()), e))?;
                if next >= from {
                    if out.len() >= max_entries || (!out.is_empty() && bytes >= max_bytes) {
                        return Ok(out);
                    }
                    bytes += entry.len();
                    out.push(entry.to_vec());
                }
                next = next.next();
            }
        }
        Ok(out)
    }

    fn tail(&self, log: LogId) -> Result<OplogIndex, StoreError> {
        if self.is_dropped(log) {
            return Ok(OplogIndex(0));
        }
        // Not remembered here: only a commit may say where a log ends, or a slow reader could put back an old tail.
        let known = self.tails.lock().get(log);
        known.map_or_else(|| self.stored_tail(log), Ok)
    }

    fn worker(&self, worker: &WorkerId) -> Result<Option<StoredWorker>, StoreError> {
        self.get(Space::Worker, &layout::worker_key(worker), parse_worker)
    }

    fn scan_workers(
        &self,
        component: ComponentId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<StoredWorker>, StoreError> {
        let after = after.map(|name| layout::worker_prefix(component, name));
        self.scan(
            Space::Worker,
            layout::worker_prefix(component, ""),
            after,
            limit,
            parse_worker,
        )
    }

    fn scan_running(
        &self,
        shard: ShardId,
        after: Option<LogId>,
        limit: usize,
    ) -> Result<Vec<(WorkerId, LogId)>, StoreError> {
        let after = after.map(|log| layout::log_key(log).to_vec());
        self.scan(
            Space::Running,
            shard.0.to_be_bytes().to_vec(),
            after,
            limit,
            |row| {
                Some((
                    layout::parse_worker_key(row.content())?,
                    layout::parse_log_key(row.key())?,
                ))
            },
        )
    }

    fn result(&self, log: LogId, key: &IdempotencyKey) -> Result<Option<StoredResult>, StoreError> {
        if self.is_dropped(log) {
            return Ok(None);
        }
        self.get(Space::Result, &layout::result_key(log, key), |row| {
            layout::parse_result(row.content())
        })
    }

    fn due_timers(
        &self,
        shard: ShardId,
        until: u64,
        limit: usize,
    ) -> Result<Vec<Timer>, StoreError> {
        let range = (
            Bound::Included(layout::timer_key(shard, 0, 0)),
            Bound::Included(layout::timer_key(shard, until, u64::MAX)),
        );
        let rows = self
            .db
            .range(Space::Timer, range, |key| row_name(Space::Timer, key))?;
        rows.take(limit)
            .map(|row| {
                let row = row?;
                layout::parse_timer(row.key(), row.content()).ok_or_else(|| {
                    corrupt(
                        row_name(Space::Timer, row.key()),
                        "its content does not parse",
                    )
                })
            })
            .collect()
    }

    fn next_timer(&self, shard: ShardId) -> Result<Option<Timer>, StoreError> {
        Ok(self.due_timers(shard, u64::MAX, 1)?.into_iter().next())
    }

    fn kv(&self, space: KvSpace, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.get(Space::Kv, &layout::kv_key(space, key), |row| {
            Some(row.content().to_vec())
        })
    }

    fn scan_kv(
        &self,
        space: KvSpace,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let after = after.map(|key| layout::kv_key(space, key));
        self.scan(
            Space::Kv,
            layout::kv_key(space, prefix),
            after,
            limit,
            |row| Some(row.key().get(1..)?.to_vec()),
        )
    }

    fn catalog_get(&self, kind: &str, key: &[u8]) -> Result<Option<CatalogRow>, StoreError> {
        self.get(Space::Catalog, &layout::catalog_key(kind, key), |row| {
            parse_catalog(kind, row)
        })
    }

    fn catalog_put(
        &self,
        kind: &str,
        key: &[u8],
        expected: u64,
        value: &[u8],
    ) -> Result<u64, StoreError> {
        let _held = self.catalog.lock();
        let found = self.catalog_get(kind, key)?.map_or(0, |row| row.revision);
        if found != expected {
            return Err(StoreError::Stale { found, expected });
        }
        let mut batch = self.db.batch();
        batch.insert(
            Space::Catalog,
            layout::catalog_key(kind, key),
            layout::catalog_row(expected + 1, value),
        );
        batch.commit().map_err(|e| StoreError::Io(e.to_string()))?;
        Ok(expected + 1)
    }

    fn catalog_scan(
        &self,
        kind: &str,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<CatalogRow>, StoreError> {
        let after = after.map(|key| layout::catalog_key(kind, key));
        let parse = |row: &Row| parse_catalog(kind, row);
        self.scan(
            Space::Catalog,
            layout::catalog_key(kind, prefix),
            after,
            limit,
            parse,
        )
    }

    fn sweep(&self, records: usize) -> Result<bool, StoreError> {
        self.sweep_some(records)
    }

    fn visit(&self, take: &mut dyn FnMut(Item) -> ControlFlow<()>) -> Result<(), StoreError> {
        self.visit_all(take)
    }

    fn restore(&self, items: &[Item]) -> Result<(), StoreError> {
        self.restore_all(items)
    }

    fn disk_bytes(&self) -> Result<u64, StoreError> {
        self.db.disk_bytes()
    }

    fn settle(&self) {
        self.db.settle();
    }

    fn free_bytes(&self) -> Option<u64> {
        let space = rustix::fs::statvfs(self.db.path()).ok()?;
        Some(space.f_bavail.saturating_mul(space.f_frsize))
    }
}

fn parse_worker(row: &Row) -> Option<StoredWorker> {
    let (log, bytes) = layout::parse_worker_row(row.content())?;
    Some(StoredWorker {
        worker: layout::parse_worker_key(row.key())?,
        log,
        row: bytes,
    })
}

fn parse_catalog(kind: &str, row: &Row) -> Option<CatalogRow> {
    let (revision, value) = layout::parse_catalog_row(row.content())?;
    Some(CatalogRow {
        key: row.key().get(1 + kind.len()..)?.to_vec(),
        revision,
        value,
    })
}

/// A record as messages name it.
fn record_name(key: &[u8]) -> String {
    match layout::parse_oplog_key(key) {
        Some((log, first)) => format!("{}, record at index {first}", log_name(log)),
        None => row_name(Space::Oplog, key),
    }
}

/// A row as messages name it.
pub(super) fn row_name(space: Space, key: &[u8]) -> String {
    format!("row `{}` of {}", key.escape_ascii(), space.name())
}

fn gap(log: LogId, expected: OplogIndex, found: OplogIndex) -> StoreError {
    corrupt(
        log_name(log),
        format!("the record at index {expected} is missing, the next one begins at {found}"),
    )
}

fn record_start(row: &Row) -> Result<OplogIndex, StoreError> {
    let parsed = layout::parse_oplog_key(row.key());
    parsed
        .map(|(_, first)| first)
        .ok_or_else(|| corrupt(record_name(row.key()), "its key does not parse"))
}

/// Index of the last entry of a record.
fn record_end(row: &Row) -> Result<OplogIndex, StoreError> {
    let count =
        layout::record_count(row.content()).map_err(|e| corrupt(record_name(row.key()), e))?;
    Ok(OplogIndex(record_start(row)?.0 + count - 1))
}

fn load_epochs(db: &Db, shards: u16) -> Result<Vec<u64>, StoreError> {
    let number = |row: &Row| {
        layout::parse_u64(row.content())
            .ok_or_else(|| corrupt(row_name(Space::Sys, row.key()), "it is no number"))
    };
    let all = db.get(Space::Sys, layout::EPOCH_KEY, || "the shard epoch".into())?;
    let all = all.as_ref().map(number).transpose()?.unwrap_or(0);
    let mut epochs = vec![all; usize::from(shards)];
    let range = layout::prefix_range(layout::SHARD_EPOCH_PREFIX.to_vec(), None);
    for row in db.range(Space::Sys, range, |key| row_name(Space::Sys, key))? {
        let row = row?;
        let shard = row
            .key()
            .last_chunk::<2>()
            .map(|bytes| usize::from(u16::from_be_bytes(*bytes)));
        if let Some(epoch) = shard.and_then(|shard| epochs.get_mut(shard)) {
            *epoch = number(&row)?.max(*epoch);
        }
    }
    Ok(epochs)
}

/// The self-test at start: commits a row, and looks for it in the journal's file by another way than it was written.
/// A commit that stays in a buffer of the process, the library's default for single writes, is found out here.
fn probe(db: &Db, end: Option<JournalEnd>) -> Result<(), StoreError> {
    // Process id and time: not found in what earlier starts left.
    let nanos = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| d.as_nanos());
    let mark = format!("probe {} {nanos}", std::process::id()).into_bytes();
    let mut batch = db.batch();
    batch.insert(Space::Sys, layout::PROBE_KEY, mark.clone());
    batch
        .commit()
        .map_err(|e| StoreError::Io(format!("self-test: {e}")))?;
    let end = end.unwrap_or_else(|| JournalEnd {
        path: db.path().join("0.jnl"),
        bytes: 0,
    });
    let io = |e: std::io::Error| StoreError::Io(format!("self-test: {}: {e}", end.path.display()));
    let mut file = File::open(&end.path).map_err(io)?;
    file.seek(SeekFrom::Start(end.bytes)).map_err(io)?;
    let mut written = Vec::new();
    file.take(PROBE_WINDOW)
        .read_to_end(&mut written)
        .map_err(io)?;
    if written.windows(mark.len()).any(|window| window == mark) {
        return Ok(());
    }
    Err(StoreError::Io(format!(
        "self-test: a commit did not reach {}",
        end.path.display()
    )))
}
