// SPDX-License-Identifier: Apache-2.0
//! THE SHELVES / batch: what every backend asks of a batch before it writes. In: tokens and operations. Out: yes, or why not.
//! Never touches a backend. Bound: [`COMMIT_BYTES_MAX`], [`COMMIT_OPS_MAX`]. Read next: `mem.rs`, `fjall.rs`.

use std::collections::{HashMap, HashSet};

use golem_model::{LogId, OplogIndex, ShardId};

use crate::store::{COMMIT_BYTES_MAX, COMMIT_OPS_MAX, CommitError, KEY_BYTES_MAX, Op, Token};

impl Op {
    /// What the operation weighs in memory: what counts against the limits of a batch and of the committer's queue.
    #[must_use]
    pub fn bytes(&self) -> usize {
        /// What any operation costs beside its content.
        const OVERHEAD: usize = 48;
        let vectors = match self {
            Self::Append { entries, .. } => entries.len() * size_of::<Vec<u8>>(),
            _ => 0,
        };
        OVERHEAD + vectors + self.content()
    }

    /// Whether `next` appends to the same log what comes behind the entries of this one.
    pub(crate) fn is_continued_by(&self, next: &Self) -> bool {
        match (self, next) {
            (
                Self::Append {
                    log,
                    first,
                    entries,
                },
                Self::Append {
                    log: same,
                    first: behind,
                    ..
                },
            ) => log == same && OplogIndex(first.0 + entries.len() as u64) == *behind,
            _ => false,
        }
    }

    /// Takes the entries of `next`, by which it is [continued](Self::is_continued_by).
    pub(crate) fn append(&mut self, next: &mut Self) {
        if let (Self::Append { entries, .. }, Self::Append { entries: more, .. }) = (self, next) {
            entries.append(more);
        }
    }

    /// Bytes of what the operation says: entries, names, keys and values, without what a layout puts around them.
    #[must_use]
    pub fn content(&self) -> usize {
        match self {
            Self::Append { entries, .. } => entries.iter().map(Vec::len).sum(),
            Self::PutWorker { worker, row, .. } => worker.worker_name.len() + row.len(),
            Self::DropWorker { worker, .. } | Self::SetRunning { worker, .. } => {
                worker.worker_name.len()
            }
            Self::PutResult { key, .. } | Self::DelResult { key, .. } => key.0.len(),
            Self::AddTimer { timer } => timer.worker.worker_name.len() + timer.payload.len(),
            Self::PutKv { key, value, .. } => key.len() + value.len(),
            Self::DelKv { key, .. } => key.len(),
            Self::ClearRunning { .. } | Self::DelTimer { .. } => 0,
        }
    }

    /// The log that the operation names.
    #[must_use]
    pub fn log(&self) -> Option<LogId> {
        match self {
            Self::Append { log, .. }
            | Self::PutWorker { log, .. }
            | Self::DropWorker { log, .. }
            | Self::SetRunning { log, .. }
            | Self::ClearRunning { log }
            | Self::PutResult { log, .. }
            | Self::DelResult { log, .. } => Some(*log),
            Self::AddTimer { .. }
            | Self::DelTimer { .. }
            | Self::PutKv { .. }
            | Self::DelKv { .. } => None,
        }
    }

    /// Bytes of the longest key that the operation makes, without what the layout puts in front of it.
    fn key_bytes(&self) -> usize {
        match self {
            Self::PutWorker { worker, .. }
            | Self::DropWorker { worker, .. }
            | Self::SetRunning { worker, .. } => worker.worker_name.len(),
            Self::PutResult { key, .. } | Self::DelResult { key, .. } => key.0.len(),
            Self::AddTimer { timer } => timer.worker.worker_name.len(),
            Self::PutKv { key, .. } | Self::DelKv { key, .. } => key.len(),
            Self::Append { .. } | Self::ClearRunning { .. } | Self::DelTimer { .. } => 0,
        }
    }

    /// The shard that must be owned to do it; `None` when it belongs to no worker.
    fn shard(&self, shards: u16) -> Option<ShardId> {
        match self {
            Self::AddTimer { timer } => Some(ShardId::of(&timer.worker, shards)),
            Self::DelTimer { shard, .. } => Some(*shard),
            other => other.log().map(LogId::shard),
        }
    }
}

/// Refuses a batch over the limits (`TooLarge`, `KeyTooLong`).
pub(crate) fn check_limits(ops: &[Op]) -> Result<(), CommitError> {
    let bytes = ops.iter().map(Op::bytes).sum();
    if ops.len() > COMMIT_OPS_MAX || bytes > COMMIT_BYTES_MAX {
        return Err(CommitError::TooLarge {
            ops: ops.len(),
            bytes,
        });
    }
    if let Some(bytes) = ops
        .iter()
        .map(Op::key_bytes)
        .find(|bytes| *bytes > KEY_BYTES_MAX)
    {
        return Err(CommitError::KeyTooLong { bytes });
    }
    Ok(())
}

/// Refuses a batch (`Fenced`) with a token that is not current, or without one for a shard that it touches.
/// `epochs` holds the current epoch of each shard.
pub(crate) fn check_tokens(
    tokens: &[Token],
    ops: &[Op],
    epochs: &[u64],
) -> Result<(), CommitError> {
    let current = |shard: ShardId| epochs.get(usize::from(shard.0)).copied().unwrap_or(0);
    let mut held = vec![false; epochs.len()];
    for token in tokens {
        // Epoch 0 was never given to anybody: a made-up token for an unclaimed shard does not count.
        if token.epoch == 0 || token.epoch != current(token.shard) {
            return Err(CommitError::Fenced {
                shard: token.shard,
                epoch: current(token.shard),
            });
        }
        if let Some(held) = held.get_mut(usize::from(token.shard.0)) {
            *held = true;
        }
    }
    let shards = u16::try_from(epochs.len()).unwrap_or(u16::MAX);
    for shard in ops.iter().filter_map(|op| op.shard(shards)) {
        if !held.get(usize::from(shard.0)).copied().unwrap_or(false) {
            return Err(CommitError::Fenced {
                shard,
                epoch: current(shard),
            });
        }
    }
    Ok(())
}

/// Refuses a batch with an append that does not continue its log (`Conflict`), or with an operation on a log that is
/// dropped already or earlier in the batch (`Dropped`). Returns the tails after the batch of the logs that it appends to.
/// `tail` (of a log, for an append at that index) and `dropped` tell what holds before the batch.
pub(crate) fn check_logs(
    ops: &[Op],
    tail: impl Fn(LogId, OplogIndex) -> Result<OplogIndex, CommitError>,
    dropped: impl Fn(LogId) -> bool,
) -> Result<HashMap<LogId, OplogIndex>, CommitError> {
    let mut tails = HashMap::new();
    let mut dropped_here = HashSet::new();
    for op in ops {
        let Some(log) = op.log() else { continue };
        if matches!(op, Op::ClearRunning { .. }) {
            continue;
        }
        if dropped_here.contains(&log) || dropped(log) {
            return Err(CommitError::Dropped { log });
        }
        match op {
            Op::DropWorker { .. } => {
                dropped_here.insert(log);
                tails.remove(&log);
            }
            Op::Append { first, entries, .. } => {
                let before = match tails.get(&log) {
                    Some(tail) => *tail,
                    None => tail(log, *first)?,
                };
                if *first != before.next() {
                    return Err(CommitError::Conflict {
                        log,
                        tail: before,
                        first: *first,
                    });
                }
                tails.insert(log, OplogIndex(before.0 + entries.len() as u64));
            }
            _ => {}
        }
    }
    Ok(tails)
}
