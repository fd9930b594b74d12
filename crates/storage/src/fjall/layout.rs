// SPDX-License-Identifier: Apache-2.0
//! THE SHELVES / layout: keys and records of the embedded store. In: ids, entries, rows. Out: bytes and back.
//! Never touches the disk. Bound: [`crate::store::KEY_BYTES_MAX`] per key. Read next: `db.rs`, `mod.rs`. Format: docs/formats/store.md.

use std::ops::Bound;

use golem_model::{ComponentId, IdempotencyKey, LogId, OplogIndex, ShardId, WorkerId};

use crate::store::{KvSpace, StoreError, StoredResult, Timer};

/// Bytes of the checksum at the end of every value.
pub(crate) const CHECKSUM_BYTES: usize = 4;
/// First byte of a record of entries as they are. Other numbers are for records to come (compressed ones).
const RECORD_PLAIN: u8 = 0;

/// A place in the database: one keyspace each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Space {
    /// Log id + first index → record of entries.
    Oplog,
    /// Component + name → log id + row.
    Worker,
    /// Log id → component + name.
    Running,
    /// Shard + due + id → worker + payload.
    Timer,
    /// Log id + idempotency key → accepted + finished.
    Result,
    /// Space number + key → value.
    Kv,
    /// Kind + key → revision + value.
    Catalog,
    /// What the store knows of itself: shard epochs, dropped logs.
    Sys,
}

impl Space {
    /// All of them, in the order of their numbers.
    pub(crate) const ALL: [Self; 8] = [
        Self::Oplog,
        Self::Worker,
        Self::Running,
        Self::Timer,
        Self::Result,
        Self::Kv,
        Self::Catalog,
        Self::Sys,
    ];

    /// Its name on disk.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Oplog => "oplog",
            Self::Worker => "worker",
            Self::Running => "running",
            Self::Timer => "timer",
            Self::Result => "result",
            Self::Kv => "kv",
            Self::Catalog => "catalog",
            Self::Sys => "sys",
        }
    }
}

/// CRC-32C of key and content: it also catches a value that stands under another key.
fn checksum(key: &[u8], content: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
    digest.update(key);
    digest.update(content);
    let [.., a, b, c, d] = digest.finalize().to_be_bytes();
    [a, b, c, d]
}

/// Appends the checksum to the content of a value.
pub(crate) fn seal(key: &[u8], mut content: Vec<u8>) -> Vec<u8> {
    let sum = checksum(key, &content);
    content.extend_from_slice(&sum);
    content
}

/// The content of a value, when its checksum is right; else how it is wrong.
pub(crate) fn unseal<'a>(key: &[u8], value: &'a [u8]) -> Result<&'a [u8], String> {
    let Some((content, sum)) = value.split_last_chunk::<CHECKSUM_BYTES>() else {
        return Err(format!("only {} bytes", value.len()));
    };
    if checksum(key, content) != *sum {
        return Err("the checksum does not match".into());
    }
    Ok(content)
}

/// A log as messages name it.
pub(crate) fn log_name(log: LogId) -> String {
    format!("log {:016x}", log.0)
}

/// Key of the record of `log` whose first entry has index `first`.
pub(crate) fn oplog_key(log: LogId, first: OplogIndex) -> [u8; 16] {
    join(log.0.to_be_bytes(), first.0.to_be_bytes())
}

/// The log and the first index of a record.
pub(crate) fn parse_oplog_key(key: &[u8]) -> Option<(LogId, OplogIndex)> {
    let (log, first) = split_key(key)?;
    Some((LogId(log), OplogIndex(first)))
}

/// A record of `entries`.
pub(crate) fn oplog_record(entries: &[Vec<u8>]) -> Vec<u8> {
    let bytes: usize = entries.iter().map(|entry| entry.len() + 4).sum();
    let mut out = Vec::with_capacity(1 + 4 + bytes + CHECKSUM_BYTES);
    out.push(RECORD_PLAIN);
    out.extend(length(entries.len()));
    for entry in entries {
        out.extend(length(entry.len()));
        out.extend_from_slice(entry);
    }
    out
}

/// Number of entries in the content of a record.
pub(crate) fn record_count(content: &[u8]) -> Result<u64, String> {
    let mut reader = Reader(content);
    match reader.byte() {
        Some(RECORD_PLAIN) => {}
        Some(kind) => return Err(format!("unknown kind of record {kind}")),
        None => return Err("the record is empty".into()),
    }
    match reader.length() {
        Some(0) | None => Err("the record has no entries".into()),
        Some(count) => Ok(count as u64),
    }
}

/// The entries in the content of a record.
pub(crate) fn record_entries(
    content: &[u8],
) -> Result<impl Iterator<Item = Result<&[u8], String>>, String> {
    let count = record_count(content)?;
    let mut reader = Reader(content.get(5..).unwrap_or_default());
    Ok((0..count).map(move |n| {
        reader
            .block()
            .ok_or_else(|| format!("the record ends in its entry {}", n + 1))
    }))
}

/// Key of a worker's row.
pub(crate) fn worker_key(worker: &WorkerId) -> Vec<u8> {
    worker_prefix(worker.component_id, &worker.worker_name)
}

/// Key under which the workers of `component` begin that are called `name`.
pub(crate) fn worker_prefix(component: ComponentId, name: &str) -> Vec<u8> {
    [component.0.as_bytes().as_slice(), name.as_bytes()].concat()
}

/// The worker of a key.
pub(crate) fn parse_worker_key(key: &[u8]) -> Option<WorkerId> {
    let (component, name) = key.split_first_chunk::<16>()?;
    let component = ComponentId(uuid::Uuid::from_bytes(*component));
    Some(WorkerId::new(component, std::str::from_utf8(name).ok()?))
}

/// A worker's row with its log in front.
pub(crate) fn worker_row(log: LogId, row: &[u8]) -> Vec<u8> {
    [log.0.to_be_bytes().as_slice(), row].concat()
}

/// Log and row of a worker.
pub(crate) fn parse_worker_row(content: &[u8]) -> Option<(LogId, Vec<u8>)> {
    let (log, row) = content.split_first_chunk::<8>()?;
    Some((LogId(u64::from_be_bytes(*log)), row.to_vec()))
}

/// Key of a log's running mark: the shard comes first in a log id, so marks of a shard are neighbours.
pub(crate) fn log_key(log: LogId) -> [u8; 8] {
    log.0.to_be_bytes()
}

/// The log that a key begins with.
pub(crate) fn parse_log_key(key: &[u8]) -> Option<LogId> {
    let (log, _) = key.split_first_chunk::<8>()?;
    Some(LogId(u64::from_be_bytes(*log)))
}

/// Key of a timer.
pub(crate) fn timer_key(shard: ShardId, due: u64, id: u64) -> Vec<u8> {
    [
        shard.0.to_be_bytes().as_slice(),
        &due.to_be_bytes(),
        &id.to_be_bytes(),
    ]
    .concat()
}

/// Content of a timer.
pub(crate) fn timer_row(timer: &Timer) -> Vec<u8> {
    let worker = worker_key(&timer.worker);
    [length(worker.len()).as_slice(), &worker, &timer.payload].concat()
}

/// The timer of a key and its content.
pub(crate) fn parse_timer(key: &[u8], content: &[u8]) -> Option<Timer> {
    let (due, id) = split_key(key.get(2..)?)?;
    let mut reader = Reader(content);
    let worker = parse_worker_key(reader.block()?)?;
    Some(Timer {
        due,
        id,
        worker,
        payload: reader.0.to_vec(),
    })
}

/// Key of a result.
pub(crate) fn result_key(log: LogId, key: &IdempotencyKey) -> Vec<u8> {
    [log.0.to_be_bytes().as_slice(), key.0.as_bytes()].concat()
}

/// Content of a result.
pub(crate) fn result_row(result: StoredResult) -> Vec<u8> {
    join::<16>(
        result.accepted.0.to_be_bytes(),
        result.finished.0.to_be_bytes(),
    )
    .to_vec()
}

/// The result in a content.
pub(crate) fn parse_result(content: &[u8]) -> Option<StoredResult> {
    let (accepted, finished) = split_key(content)?;
    Some(StoredResult {
        accepted: OplogIndex(accepted),
        finished: OplogIndex(finished),
    })
}

/// Key of a keyed value, or the prefix of several.
pub(crate) fn kv_key(space: KvSpace, key: &[u8]) -> Vec<u8> {
    [&[space.number()], key].concat()
}

/// Key of a catalogue row, or the prefix of several. A kind is a constant of the program, far below 256 bytes.
pub(crate) fn catalog_key(kind: &str, key: &[u8]) -> Vec<u8> {
    let length = u8::try_from(kind.len()).unwrap_or(u8::MAX);
    [&[length], kind.as_bytes(), key].concat()
}

/// Content of a catalogue row.
pub(crate) fn catalog_row(revision: u64, value: &[u8]) -> Vec<u8> {
    [revision.to_be_bytes().as_slice(), value].concat()
}

/// Revision and value of a catalogue row.
pub(crate) fn parse_catalog_row(content: &[u8]) -> Option<(u64, Vec<u8>)> {
    let (revision, value) = content.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*revision), value.to_vec()))
}

/// Key of the epoch that all shards have at least.
pub(crate) const EPOCH_KEY: &[u8] = b"epoch";
/// What the keys of the epochs of single shards begin with.
pub(crate) const SHARD_EPOCH_PREFIX: &[u8] = b"epoch/";
/// What the keys of dropped logs begin with.
pub(crate) const DROPPED_PREFIX: &[u8] = b"dropped/";
/// Key that the self-test at start writes.
pub(crate) const PROBE_KEY: &[u8] = b"probe";

/// Key of the epoch of one shard.
pub(crate) fn shard_epoch_key(shard: ShardId) -> Vec<u8> {
    [SHARD_EPOCH_PREFIX, &shard.0.to_be_bytes()].concat()
}

/// Key that says that a log was dropped and is not swept yet.
pub(crate) fn dropped_key(log: LogId) -> Vec<u8> {
    [DROPPED_PREFIX, &log.0.to_be_bytes()].concat()
}

/// A number as content.
pub(crate) fn parse_u64(content: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(content.try_into().ok()?))
}

/// The keys that begin with `prefix`, those after `after` when it is given.
pub(crate) fn prefix_range(
    prefix: Vec<u8>,
    after: Option<Vec<u8>>,
) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    let mut end = prefix.clone();
    // The first key that no longer begins with the prefix: its last byte that can grow grows, what follows is cut.
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            break;
        }
    }
    let end = if end.is_empty() {
        Bound::Unbounded
    } else {
        Bound::Excluded(end)
    };
    let start = match after {
        Some(after) if after >= prefix => Bound::Excluded(after),
        _ => Bound::Included(prefix),
    };
    (start, end)
}

/// The error for a value that its reader does not understand.
pub(crate) fn corrupt(what: impl Into<String>, detail: impl Into<String>) -> StoreError {
    StoreError::Corrupt {
        what: what.into(),
        detail: detail.into(),
    }
}

/// A length as it is written: 4 bytes, little end first. A commit is far below 4 GiB (`COMMIT_BYTES_MAX`).
fn length(n: usize) -> [u8; 4] {
    u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes()
}

fn join<const N: usize>(a: [u8; 8], b: [u8; 8]) -> [u8; N] {
    let mut out = [0; N];
    for (to, from) in out.iter_mut().zip(a.iter().chain(&b)) {
        *to = *from;
    }
    out
}

fn split_key(key: &[u8]) -> Option<(u64, u64)> {
    let (a, rest) = key.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*a), parse_u64(rest)?))
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn length(&mut self) -> Option<usize> {
        let (head, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        usize::try_from(u32::from_le_bytes(*head)).ok()
    }

    fn block(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_gives_its_entries_back() {
        let entries = vec![b"one".to_vec(), Vec::new(), vec![7; 300]];
        let record = oplog_record(&entries);
        assert_eq!(record_count(&record), Ok(3));
        let back: Vec<_> = record_entries(&record)
            .unwrap()
            .map(|e| e.unwrap().to_vec())
            .collect();
        assert_eq!(back, entries);
        for cut in 0..record.len() {
            let cut_off = record.get(..cut).unwrap();
            let bad = record_entries(cut_off).is_ok_and(|mut entries| entries.all(|e| e.is_ok()));
            assert!(!bad, "cut at {cut}");
        }
    }

    #[test]
    fn every_changed_bit_breaks_the_seal() {
        let sealed = seal(b"key", b"content".to_vec());
        assert_eq!(unseal(b"key", &sealed), Ok(b"content".as_slice()));
        assert!(unseal(b"kez", &sealed).is_err());
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(unseal(b"key", &changed).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_prefix_range_ends_where_the_prefix_does() {
        let check = |prefix: &[u8], end: Bound<&[u8]>| {
            let range = prefix_range(prefix.to_vec(), None);
            assert_eq!(
                range,
                (Bound::Included(prefix.to_vec()), end.map(<[u8]>::to_vec))
            );
        };
        check(b"ab", Bound::Excluded(b"ac"));
        check(&[1, 255], Bound::Excluded(&[2]));
        check(&[255, 255], Bound::Unbounded);
        check(b"", Bound::Unbounded);
    }
}
