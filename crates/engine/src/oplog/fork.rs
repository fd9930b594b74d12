// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / fork: a new worker with the history of another one, of this node or of a recording. In: a log and an index. Out: a log with the same entries
//! under the same indexes, and a worker that owns it. The worker is there when all of its log is, or not at all.
//! Read next: `../node/workers.rs`. Source: runtime spec §2.8.

use std::sync::Arc;

use golem_model::oplog::{Event, OplogEntry};
use golem_model::promise::PromiseRow;
use golem_model::worker::{RowState, WorkerRow};
use golem_model::{LogId, OplogIndex, WorkerId};
use golem_storage::Op;
use golem_storage::store::KvSpace;

use super::Ledger;
use crate::error::WorkerError;
use crate::node::{Node, row_of};

/// Entries that are copied in one operation.
const COPY_BATCH: usize = 512;
/// Bytes that are copied in one operation, about: far below what one commit may hold.
const COPY_BYTES: usize = 4 << 20;

/// Writes the history of a worker of another node, for a worker that this one does not run. Durable on return.
pub(crate) async fn adopt(
    node: &Arc<Node>,
    worker: &WorkerId,
    mut row: WorkerRow,
    entries: &[Vec<u8>],
) -> Result<(), WorkerError> {
    let log = node.new_log(worker)?;
    row.log = log.0;
    let mut seq = node.committer().submit([Op::PutWorker {
        worker: worker.clone(),
        log,
        row: row.to_bytes(),
    }]);
    let (mut first, mut rest) = (OplogIndex(1), entries);
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = rest.iter().take(COPY_BATCH).take_while(|entry| {
            bytes += entry.len();
            bytes <= COPY_BYTES
        });
        // One entry that is too large alone goes alone.
        let (batch, later) = rest.split_at(fits.count().max(1));
        seq = node.committer().submit([Op::Append {
            log,
            first,
            entries: batch.to_vec(),
        }]);
        first = OplogIndex(first.0 + batch.len() as u64);
        rest = later;
    }
    node.committer()
        .wait(seq)
        .await
        .map_err(|_| WorkerError::Stopping)
}

/// Copies the first `index` entries of `log`, which ends at `tail`, for the new worker `fork`. Durable on return.
pub(crate) async fn copy(
    node: &Arc<Node>,
    origin: &WorkerId,
    log: LogId,
    tail: OplogIndex,
    index: OplogIndex,
    fork: &WorkerId,
) -> Result<(), WorkerError> {
    let store = node.store();
    let bad = |detail: String| WorkerError::BadIndex {
        worker: origin.clone(),
        index: index.0,
        detail,
    };
    if index.0 == 0 || index > tail {
        return Err(bad(format!("the log has the entries 1 to {tail}")));
    }
    if store.worker(fork)?.is_some() {
        return Err(WorkerError::AlreadyExists(fork.clone()));
    }
    let row = row_of(&node.stored(origin)?)?;
    let damaged = |detail: String| WorkerError::Damaged {
        worker: origin.clone(),
        detail,
    };
    let ledger = Ledger::read_to(store.as_ref(), log, Some(index))?;
    if ledger.regions.contains(index) {
        return Err(bad("that part of the history was undone".into()));
    }
    let new_log = node.new_log(fork)?;
    let mut next = OplogIndex(1);
    while next <= index {
        let left = usize::try_from(index.0 - next.0 + 1).unwrap_or(usize::MAX);
        let mut entries = store.read(log, next, COPY_BATCH.min(left), COPY_BYTES)?;
        if entries.is_empty() {
            return Err(damaged(format!("entry {next} is missing")));
        }
        if let (OplogIndex(1), Some(first)) = (next, entries.first_mut()) {
            *first = renamed(first, origin, fork, index).map_err(damaged)?;
        }
        let count = entries.len() as u64;
        let first = next;
        let append = Op::Append {
            log: new_log,
            first,
            entries,
        };
        let seq = node.committer().submit([append]);
        // One after the other, so that a large history does not fill the queue of everybody's commits.
        node.committer()
            .wait(seq)
            .await
            .map_err(|_| WorkerError::Stopping)?;
        next = OplogIndex(next.0 + count);
    }
    let row = WorkerRow {
        log: new_log.0,
        version: ledger.version,
        secrets: ledger.secrets,
        created_at: node.clock().wall_micros(),
        state: RowState::Live as i32,
        last_error: None,
        retry_count: 0,
        updates: Vec::new(),
        ..row
    };
    let put = Op::PutWorker {
        worker: fork.clone(),
        log: new_log,
        row: row.to_bytes(),
    };
    let open = ledger.current.is_some() || !ledger.pending.is_empty();
    let mark = open.then(|| Op::SetRunning {
        worker: fork.clone(),
        log: new_log,
    });
    // Its promises are its own from here on, as the origin's are now.
    let promises = promises_before(node, log, new_log, index)?;
    let ops = promises.into_iter().chain([put]).chain(mark);
    let seq = node.committer().submit(ops);
    node.committer()
        .wait(seq)
        .await
        .map_err(|_| WorkerError::Stopping)
}

/// What gives the log `fork` the promises that `log` has created up to entry `index`.
fn promises_before(
    node: &Arc<Node>,
    log: LogId,
    fork: LogId,
    index: OplogIndex,
) -> Result<Vec<Op>, WorkerError> {
    let (store, space) = (node.store(), KvSpace::Promise);
    let prefix = log.0.to_be_bytes();
    let mut ops = Vec::new();
    let mut after: Option<Vec<u8>> = None;
    loop {
        let keys = store.scan_kv(space, &prefix, after.as_deref(), COPY_BATCH)?;
        let Some(last) = keys.last() else {
            return Ok(ops);
        };
        after = Some(last.clone());
        for key in keys {
            let Some(created) = PromiseRow::index_of(&key).filter(|created| *created <= index)
            else {
                continue;
            };
            if let Some(value) = store.kv(space, &key)? {
                let key = PromiseRow::key(fork, created);
                ops.push(Op::PutKv { space, key, value });
            }
        }
    }
}

/// The first entry, for the fork. Its guest goes on seeing the name that its history has seen.
fn renamed(
    bytes: &[u8],
    origin: &WorkerId,
    fork: &WorkerId,
    index: OplogIndex,
) -> Result<Vec<u8>, String> {
    let entry = OplogEntry::from_bytes(bytes).map_err(|error| error.to_string())?;
    let Some(Event::Create(mut create)) = entry.event else {
        return Err("the first entry does not create the worker".into());
    };
    create.forked_from = create
        .forked_from
        .or_else(|| Some(origin.worker_name.clone()));
    create.forked_at = index.0;
    create.name.clone_from(&fork.worker_name);
    Ok(OplogEntry::new(entry.at, Event::Create(create)).to_bytes())
}
