// SPDX-License-Identifier: Apache-2.0
//! THE SHELVES / mem: a store in memory with faults on demand, and the plain reading of what a store does: the other
//! backends are compared with it. In: batches. Out: the same answers as `fjall.rs`. Never touches the disk. Bound: memory.
//! Read next: `conformance.rs`. Source: storage design §6 (faults).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::{Bound, ControlFlow};
use std::sync::atomic::{AtomicU64, Ordering};

use golem_model::ids::SHARDS;
use golem_model::{ComponentId, IdempotencyKey, LogId, OplogIndex, ShardId, WorkerId};
use parking_lot::{Mutex, MutexGuard, RwLock};

use crate::batch::{check_limits, check_logs, check_tokens};
use crate::export::Item;
use crate::store::{
    CatalogRow, CommitError, KvSpace, Op, Store, StoreError, StoredResult, StoredWorker, Timer,
    Token,
};

/// What a commit does instead of succeeding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Another owner took the first shard of the batch: its epoch has grown.
    Fenced,
    /// The batch is written, the caller is told that nobody knows.
    AmbiguousApplied,
    /// The batch is lost, the caller is told that nobody knows.
    AmbiguousLost,
    /// The batch is lost, the store may recover.
    Unavailable,
    /// The store is dead: this commit and all later ones fail.
    Poisoned,
}

/// A store in memory. [`MemStore::reopen`] is what a restart after a crash finds.
#[derive(Default)]
pub struct MemStore {
    state: RwLock<MemSnapshot>,
    faults: Mutex<Faults>,
    commits: AtomicU64,
    gate: Mutex<()>,
    free_bytes: Mutex<Option<u64>>,
}

/// Everything that is committed at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct MemSnapshot {
    epochs: Vec<u64>,
    logs: BTreeMap<LogId, Vec<Vec<u8>>>,
    dropped: BTreeSet<LogId>,
    workers: BTreeMap<WorkerId, (LogId, Vec<u8>)>,
    running: BTreeMap<LogId, WorkerId>,
    results: BTreeMap<(LogId, IdempotencyKey), StoredResult>,
    timers: BTreeMap<(ShardId, u64, u64), Timer>,
    kv: BTreeMap<(u8, Vec<u8>), Vec<u8>>,
    catalog: BTreeMap<(String, Vec<u8>), (u64, Vec<u8>)>,
}

#[derive(Default)]
struct Faults {
    /// Faults to come, with the number of commits that succeed before each.
    planned: VecDeque<(u64, Fault)>,
    /// State of the generator and one chance in so many commits, when faults are random.
    random: Option<(u64, u64)>,
    dead: bool,
}

impl Default for MemSnapshot {
    fn default() -> Self {
        Self {
            epochs: vec![0; usize::from(SHARDS)],
            logs: BTreeMap::new(),
            dropped: BTreeSet::new(),
            workers: BTreeMap::new(),
            running: BTreeMap::new(),
            results: BTreeMap::new(),
            timers: BTreeMap::new(),
            kv: BTreeMap::new(),
            catalog: BTreeMap::new(),
        }
    }
}

/// A disk that hangs until this is dropped.
pub struct HeldCommits<'a>(#[expect(dead_code, reason = "held, not looked at")] MutexGuard<'a, ()>);

impl MemStore {
    /// An empty store with [`SHARDS`] shards.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A store that holds what `snapshot` held.
    #[must_use]
    pub fn from_snapshot(snapshot: MemSnapshot) -> Self {
        Self {
            state: RwLock::new(snapshot),
            ..Self::default()
        }
    }

    /// Everything that is committed now.
    #[must_use]
    pub fn snapshot(&self) -> MemSnapshot {
        self.state.read().clone()
    }

    /// A crash and a restart: a new store with what is committed now. The old one is dead, so that whoever still holds
    /// it cannot write behind the back of the new one.
    #[must_use]
    pub fn reopen(&self) -> Self {
        let state = self.state.write();
        self.faults.lock().dead = true;
        Self::from_snapshot(state.clone())
    }

    /// After `commits` more commits that succeed, the next one meets `fault`. Faults line up behind each other.
    pub fn inject(&self, commits: u64, fault: Fault) {
        self.faults.lock().planned.push_back((commits, fault));
    }

    /// Every commit meets a fault with a chance of one in `one_in` (0: never again), of a kind chosen by `seed`; the
    /// same seed gives the same faults. `Poisoned` is not among them.
    pub fn inject_randomly(&self, seed: u64, one_in: u64) {
        self.faults.lock().random = (one_in > 0).then_some((seed, one_in));
    }

    /// Holds every commit until the guard is dropped: a disk that hangs.
    pub fn hold_commits(&self) -> HeldCommits<'_> {
        HeldCommits(self.gate.lock())
    }

    /// Sets how many bytes the store says may still be written; `None`: no bound.
    pub fn set_free_bytes(&self, bytes: Option<u64>) {
        *self.free_bytes.lock() = bytes;
    }

    /// Number of commits that were written.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }
}

impl Faults {
    /// The fault that the next commit meets.
    fn next(&mut self) -> Option<Fault> {
        if self.dead {
            return Some(Fault::Poisoned);
        }
        if let Some((commits, fault)) = self.planned.front_mut() {
            if *commits == 0 {
                let fault = *fault;
                self.planned.pop_front();
                return Some(fault);
            }
            *commits -= 1;
        }
        let (state, one_in) = self.random.as_mut()?;
        if !split_mix(state).is_multiple_of(*one_in) {
            return None;
        }
        Some(match split_mix(state) % 4 {
            0 => Fault::Fenced,
            1 => Fault::AmbiguousApplied,
            2 => Fault::AmbiguousLost,
            _ => Fault::Unavailable,
        })
    }
}

/// The next number of the SplitMix64 generator: small, seedable, nothing secret. Good enough
/// for choosing faults, and for whatever a test has to repeat.
pub fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl MemSnapshot {
    fn tail(&self, log: LogId) -> OplogIndex {
        OplogIndex(
            self.logs
                .get(&log)
                .map_or(0, |entries| entries.len() as u64),
        )
    }

    /// Applies one operation that was found good.
    fn apply(&mut self, op: &Op) {
        match op.clone() {
            Op::Append { log, entries, .. } => self.logs.entry(log).or_default().extend(entries),
            Op::PutWorker { worker, log, row } => {
                self.workers.insert(worker, (log, row));
            }
            Op::DropWorker { worker, log } => {
                if self
                    .workers
                    .get(&worker)
                    .is_some_and(|(current, _)| *current == log)
                {
                    self.workers.remove(&worker);
                }
                self.running.remove(&log);
                self.dropped.insert(log);
            }
            Op::SetRunning { worker, log } => {
                self.running.insert(log, worker);
            }
            Op::ClearRunning { log } => {
                self.running.remove(&log);
            }
            Op::PutResult {
                log,
                key,
                accepted,
                finished,
            } => {
                self.results
                    .insert((log, key), StoredResult { accepted, finished });
            }
            Op::DelResult { log, key } => {
                self.results.remove(&(log, key));
            }
            Op::AddTimer { timer } => {
                let shard = ShardId::of(&timer.worker, SHARDS);
                self.timers.insert((shard, timer.due, timer.id), timer);
            }
            Op::DelTimer { shard, due, id } => {
                self.timers.remove(&(shard, due, id));
            }
            Op::PutKv { space, key, value } => {
                self.kv.insert((space.number(), key), value);
            }
            Op::DelKv { space, key } => {
                self.kv.remove(&(space.number(), key));
            }
        }
    }

    /// The rows of `map` whose key begins with `prefix`, after `after`, at most `limit`.
    fn scan<'a, K: Ord + Clone, V>(
        map: &'a BTreeMap<(K, Vec<u8>), V>,
        kind: K,
        prefix: &'a [u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> impl Iterator<Item = (&'a Vec<u8>, &'a V)> {
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded((kind.clone(), after.to_vec())),
            _ => Bound::Included((kind.clone(), prefix.to_vec())),
        };
        map.range((from, Bound::Unbounded))
            .take_while(move |((k, key), _)| *k == kind && key.starts_with(prefix))
            .map(|((_, key), value)| (key, value))
            .take(limit)
    }
}

/// Entries that [`MemSnapshot::items`] puts into one append.
const APPENDED: usize = 256;

impl MemSnapshot {
    /// Everything that is there, as `Store::visit` shows it.
    fn items(&self) -> impl Iterator<Item = Item> + '_ {
        let alive = |log: &LogId| !self.dropped.contains(log);
        let epoch = self.epochs.iter().max().copied().unwrap_or(0);
        let workers = self.workers.iter().map(|(worker, (log, row))| {
            Item::Op(Op::PutWorker {
                worker: worker.clone(),
                log: *log,
                row: row.clone(),
            })
        });
        let logs = self.logs.iter().filter(move |(log, _)| alive(log));
        let appends = logs.flat_map(|(log, entries)| {
            let parts = (1..).step_by(APPENDED).zip(entries.chunks(APPENDED));
            parts.map(move |(first, entries)| {
                Item::Op(Op::Append {
                    log: *log,
                    first: OplogIndex(first),
                    entries: entries.to_vec(),
                })
            })
        });
        let running = self.running.iter().map(|(log, worker)| {
            Item::Op(Op::SetRunning {
                worker: worker.clone(),
                log: *log,
            })
        });
        let results = self.results.iter().filter(move |((log, _), _)| alive(log));
        let results = results.map(|((log, key), result)| {
            Item::Op(Op::PutResult {
                log: *log,
                key: key.clone(),
                accepted: result.accepted,
                finished: result.finished,
            })
        });
        let timers = self.timers.values().map(|timer| {
            Item::Op(Op::AddTimer {
                timer: timer.clone(),
            })
        });
        let kv = self.kv.iter().filter_map(|((space, key), value)| {
            Some(Item::Op(Op::PutKv {
                space: KvSpace::of(*space)?,
                key: key.clone(),
                value: value.clone(),
            }))
        });
        let catalog = self
            .catalog
            .iter()
            .map(|((kind, key), (revision, value))| Item::Catalog {
                kind: kind.clone(),
                row: CatalogRow {
                    key: key.clone(),
                    revision: *revision,
                    value: value.clone(),
                },
            });
        std::iter::once(Item::Epoch(epoch))
            .chain(workers)
            .chain(appends)
            .chain(running)
            .chain(results)
            .chain(timers)
            .chain(kv)
            .chain(catalog)
    }

    /// Writes one item. Errors: `Corrupt` for one that is no row, or an append that leaves a gap.
    fn restore(&mut self, item: &Item) -> Result<(), StoreError> {
        let broken = |detail: &str| StoreError::Corrupt {
            what: "an item".into(),
            detail: detail.into(),
        };
        match item {
            Item::Epoch(epoch) => {
                for current in &mut self.epochs {
                    *current = (*current).max(*epoch);
                }
            }
            Item::Catalog { kind, row } => {
                let key = (kind.clone(), row.key.clone());
                self.catalog.insert(key, (row.revision, row.value.clone()));
            }
            Item::Op(Op::Append {
                log,
                first,
                entries,
            }) => {
                let kept = usize::try_from(first.0.saturating_sub(1)).unwrap_or(usize::MAX);
                let whole = self.logs.entry(*log).or_default();
                if kept > whole.len() {
                    return Err(broken("an append leaves a gap"));
                }
                whole.truncate(kept);
                whole.extend(entries.iter().cloned());
            }
            item if item.to_row(SHARDS).is_none() => {
                return Err(broken("it is no row of a store"));
            }
            Item::Op(op) => self.apply(op),
        }
        Ok(())
    }
}

impl Store for MemStore {
    fn shards(&self) -> u16 {
        SHARDS
    }

    fn claim(&self, shard: ShardId) -> Result<Token, StoreError> {
        let mut state = self.state.write();
        let epoch = state
            .epochs
            .get_mut(usize::from(shard.0))
            .ok_or(StoreError::NoShard {
                shard,
                shards: SHARDS,
            })?;
        *epoch += 1;
        Ok(Token {
            shard,
            epoch: *epoch,
        })
    }

    fn claim_all(&self) -> Result<Vec<Token>, StoreError> {
        let mut state = self.state.write();
        let epoch = state.epochs.iter().max().copied().unwrap_or(0) + 1;
        state.epochs.fill(epoch);
        Ok((0..SHARDS)
            .map(|shard| Token {
                shard: ShardId(shard),
                epoch,
            })
            .collect())
    }

    fn commit(&self, tokens: &[Token], ops: &[Op]) -> Result<(), CommitError> {
        drop(self.gate.lock());
        let mut state = self.state.write();
        check_limits(ops)?;
        check_tokens(tokens, ops, &state.epochs)?;
        check_logs(
            ops,
            |log, _| Ok(state.tail(log)),
            |log| state.dropped.contains(&log),
        )?;
        let fault = self.faults.lock().next();
        if matches!(fault, None | Some(Fault::AmbiguousApplied)) {
            for op in ops {
                state.apply(op);
            }
            self.commits.fetch_add(1, Ordering::Relaxed);
        }
        match fault {
            None => Ok(()),
            Some(Fault::AmbiguousApplied | Fault::AmbiguousLost) => {
                Err(CommitError::Ambiguous("injected fault".into()))
            }
            Some(Fault::Unavailable) => Err(CommitError::Unavailable("injected fault".into())),
            Some(Fault::Poisoned) => {
                self.faults.lock().dead = true;
                Err(CommitError::Poisoned("injected fault".into()))
            }
            Some(Fault::Fenced) => {
                let shard = tokens.first().map_or(ShardId(0), |token| token.shard);
                let epoch = state
                    .epochs
                    .get_mut(usize::from(shard.0))
                    .map_or(0, |epoch| {
                        *epoch += 1;
                        *epoch
                    });
                Err(CommitError::Fenced { shard, epoch })
            }
        }
    }

    fn read(
        &self,
        log: LogId,
        from: OplogIndex,
        max_entries: usize,
        max_bytes: usize,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let state = self.state.read();
        if state.dropped.contains(&log) {
            return Ok(Vec::new());
        }
        let skip = usize::try_from(from.0.saturating_sub(1)).unwrap_or(usize::MAX);
        let (mut count, mut bytes) = (0, 0);
        let entries = state
            .logs
            .get(&log)
            .and_then(|entries| entries.get(skip..))
            .unwrap_or_default()
            .iter()
            .take(max_entries);
        Ok(entries
            .take_while(|entry| {
                let room = count == 0 || bytes < max_bytes;
                count += 1;
                bytes += entry.len();
                room
            })
            .cloned()
            .collect())
    }

    fn tail(&self, log: LogId) -> Result<OplogIndex, StoreError> {
        let state = self.state.read();
        Ok(if state.dropped.contains(&log) {
            OplogIndex(0)
        } else {
            state.tail(log)
        })
    }

    fn worker(&self, worker: &WorkerId) -> Result<Option<StoredWorker>, StoreError> {
        let state = self.state.read();
        let row = state.workers.get(worker);
        Ok(row.map(|(log, row)| StoredWorker {
            worker: worker.clone(),
            log: *log,
            row: row.clone(),
        }))
    }

    fn scan_workers(
        &self,
        component: ComponentId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<StoredWorker>, StoreError> {
        let state = self.state.read();
        let from = match after {
            Some(after) => Bound::Excluded(WorkerId::new(component, after)),
            None => Bound::Included(WorkerId::new(component, "")),
        };
        let rows = state.workers.range((from, Bound::Unbounded));
        Ok(rows
            .take_while(|(worker, _)| worker.component_id == component)
            .take(limit)
            .map(|(worker, (log, row))| StoredWorker {
                worker: worker.clone(),
                log: *log,
                row: row.clone(),
            })
            .collect())
    }

    fn scan_running(
        &self,
        shard: ShardId,
        after: Option<LogId>,
        limit: usize,
    ) -> Result<Vec<(WorkerId, LogId)>, StoreError> {
        let state = self.state.read();
        let marks = state
            .running
            .iter()
            .filter(|(log, _)| log.shard() == shard && after.is_none_or(|a| **log > a));
        Ok(marks
            .take(limit)
            .map(|(log, worker)| (worker.clone(), *log))
            .collect())
    }

    fn result(&self, log: LogId, key: &IdempotencyKey) -> Result<Option<StoredResult>, StoreError> {
        let state = self.state.read();
        if state.dropped.contains(&log) {
            return Ok(None);
        }
        Ok(state.results.get(&(log, key.clone())).copied())
    }

    fn due_timers(
        &self,
        shard: ShardId,
        until: u64,
        limit: usize,
    ) -> Result<Vec<Timer>, StoreError> {
        let state = self.state.read();
        let due = state.timers.range((shard, 0, 0)..=(shard, until, u64::MAX));
        Ok(due.take(limit).map(|(_, timer)| timer.clone()).collect())
    }

    fn next_timer(&self, shard: ShardId) -> Result<Option<Timer>, StoreError> {
        let first = self.due_timers(shard, u64::MAX, 1)?;
        Ok(first.into_iter().next())
    }

    fn kv(&self, space: KvSpace, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self
            .state
            .read()
            .kv
            .get(&(space.number(), key.to_vec()))
            .cloned())
    }

    fn scan_kv(
        &self,
        space: KvSpace,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let state = self.state.read();
        let rows = MemSnapshot::scan(&state.kv, space.number(), prefix, after, limit);
        Ok(rows.map(|(key, _)| key.clone()).collect())
    }

    fn catalog_get(&self, kind: &str, key: &[u8]) -> Result<Option<CatalogRow>, StoreError> {
        let state = self.state.read();
        let row = state.catalog.get(&(kind.to_owned(), key.to_vec()));
        Ok(row.map(|(revision, value)| CatalogRow {
            key: key.to_vec(),
            revision: *revision,
            value: value.clone(),
        }))
    }

    fn catalog_put(
        &self,
        kind: &str,
        key: &[u8],
        expected: u64,
        value: &[u8],
    ) -> Result<u64, StoreError> {
        let mut state = self.state.write();
        if self.faults.lock().dead {
            return Err(StoreError::Io("store has stopped".into()));
        }
        let key = (kind.to_owned(), key.to_vec());
        let found = state.catalog.get(&key).map_or(0, |(revision, _)| *revision);
        if found != expected {
            return Err(StoreError::Stale { found, expected });
        }
        state.catalog.insert(key, (expected + 1, value.to_vec()));
        Ok(expected + 1)
    }

    fn catalog_scan(
        &self,
        kind: &str,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<CatalogRow>, StoreError> {
        let state = self.state.read();
        let rows = MemSnapshot::scan(&state.catalog, kind.to_owned(), prefix, after, limit);
        Ok(rows
            .map(|(key, (revision, value))| CatalogRow {
                key: key.clone(),
                revision: *revision,
                value: value.clone(),
            })
            .collect())
    }

    fn sweep(&self, records: usize) -> Result<bool, StoreError> {
        let mut state = self.state.write();
        for _ in 0..records {
            let Some(log) = state.dropped.first().copied() else {
                break;
            };
            let result = state
                .results
                .range((log, IdempotencyKey(String::new()))..)
                .next();
            let result = result
                .map(|(key, _)| key.clone())
                .filter(|(of, _)| *of == log);
            match result {
                Some(key) => drop(state.results.remove(&key)),
                None => {
                    state.logs.remove(&log);
                    state.dropped.remove(&log);
                }
            }
        }
        Ok(!state.dropped.is_empty())
    }

    fn visit(&self, take: &mut dyn FnMut(Item) -> ControlFlow<()>) -> Result<(), StoreError> {
        let snapshot = self.snapshot();
        // A break is not an error.
        let _ = snapshot.items().try_for_each(take);
        Ok(())
    }

    fn restore(&self, items: &[Item]) -> Result<(), StoreError> {
        let mut state = self.state.write();
        if self.faults.lock().dead {
            return Err(StoreError::Io("store has stopped".into()));
        }
        items.iter().try_for_each(|item| state.restore(item))
    }

    fn free_bytes(&self) -> Option<u64> {
        *self.free_bytes.lock()
    }

    fn disk_bytes(&self) -> Result<u64, StoreError> {
        Ok(self
            .state
            .read()
            .logs
            .values()
            .flatten()
            .map(|entry| entry.len() as u64)
            .sum())
    }
}
