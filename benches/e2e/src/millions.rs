// SPDX-License-Identifier: Apache-2.0
//! THE SCALES / millions: very many workers in a store that no server has open. In: a worker that the server itself has made.
//! Out: copies of its row, its log and its results under other names, byte for byte but for name and log id. Written with the
//! store's own committer. Read next: `memory.rs`.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use golem_model::oplog::{Event, OplogEntry};
use golem_model::worker::WorkerRow;
use golem_model::{ComponentId, IdempotencyKey, LogId, OplogIndex, ShardId, WorkerId};
use golem_storage::{Committer, FjallStore, Op, Store};

/// Workers that are handed in before their commit is waited for.
const AT_ONCE: u64 = 2_000;

/// Name of the copy with this number.
pub(crate) fn name(number: u64) -> String {
    format!("known-{number:07}")
}

/// Copies worker `of` of a component to the names of these numbers.
pub(crate) fn copy(
    data: &Path,
    component: &str,
    of: &str,
    numbers: std::ops::Range<u64>,
) -> anyhow::Result<()> {
    let component = ComponentId(component.parse()?);
    let store = Arc::new(FjallStore::open(data)?);
    let original = store
        .worker(&WorkerId::new(component, of))?
        .context("there is no worker to copy")?;
    let row = WorkerRow::from_bytes(&original.row)?;
    let entries = store.read(original.log, OplogIndex(1), usize::MAX, usize::MAX)?;
    let mut accepted = Vec::new();
    for bytes in &entries {
        accepted.push(match OplogEntry::from_bytes(bytes)?.event {
            Some(Event::Accepted(accepted)) => Some(IdempotencyKey(accepted.key)),
            _ => None,
        });
    }
    let tokens = store.claim_all()?;
    let epochs: Vec<u64> = tokens.iter().map(|token| token.epoch).collect();
    let mut counters = vec![0; tokens.len()];
    let committer = Committer::start(Arc::clone(&store) as Arc<dyn Store>, tokens, |error| {
        report(&error.to_string());
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let end = numbers.end;
    for number in numbers {
        let worker = WorkerId::new(component, name(number));
        let shard = ShardId::of(&worker, store.shards());
        let at = usize::from(shard.0);
        let (epoch, counter) = epochs
            .get(at)
            .zip(counters.get_mut(at))
            .context("no shard")?;
        let log = LogId::pack(shard, *epoch, *counter).context("no log id is left")?;
        *counter += 1;
        let ops = ops(
            &worker,
            log,
            &row,
            &entries,
            &accepted,
            &store,
            original.log,
        )?;
        let seq = committer.submit(ops);
        if number % AT_ONCE == 0 || number + 1 == end {
            runtime.block_on(committer.wait(seq))?;
        }
    }
    committer.stop();
    Ok(())
}

fn ops(
    worker: &WorkerId,
    log: LogId,
    row: &WorkerRow,
    entries: &[Vec<u8>],
    accepted: &[Option<IdempotencyKey>],
    store: &FjallStore,
    original: LogId,
) -> anyhow::Result<Vec<Op>> {
    let mut entries = entries.to_vec();
    if let Some(first) = entries.first_mut() {
        let mut entry = OplogEntry::from_bytes(first)?;
        if let Some(Event::Create(create)) = &mut entry.event {
            create.name.clone_from(&worker.worker_name);
        }
        *first = entry.to_bytes();
    }
    let row = WorkerRow {
        log: log.0,
        ..row.clone()
    };
    let mut ops = vec![
        Op::PutWorker {
            worker: worker.clone(),
            log,
            row: row.to_bytes(),
        },
        Op::Append {
            log,
            first: OplogIndex(1),
            entries,
        },
    ];
    for key in accepted.iter().flatten() {
        if let Some(result) = store.result(original, key)? {
            ops.push(Op::PutResult {
                log,
                key: key.clone(),
                accepted: result.accepted,
                finished: result.finished,
            });
        }
    }
    Ok(ops)
}

/// Said by the committer's thread; the caller hears that it has stopped.
fn report(error: &str) {
    // Nothing to do about a standard output that is closed.
    let _ = crate::report::say(&format!("the store cannot write: {error}"));
}
