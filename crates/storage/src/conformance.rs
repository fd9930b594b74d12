// SPDX-License-Identifier: Apache-2.0
//! THE SHELVES / conformance: what every backend must do, run on each by one macro. In: a [`Bench`] per backend. Out: tests.
//! Never looks behind the trait. Read next: `conformance/cases.rs`; `conformance/histories.rs` compares backends on random
//! histories. Source: storage design §2 (I1–I5), §6.

mod cases;
mod damage;
mod histories;
mod kill;
mod settled;
mod sync;

use golem_model::{ComponentId, LogId, OplogIndex, ShardId, WorkerId};

use crate::fjall::FjallStore;
use crate::mem::MemStore;
use crate::store::{Op, Store, Token};

/// A backend under test.
pub(crate) trait Bench {
    /// A store that holds nothing.
    fn empty() -> Self;
    /// The store.
    fn store(&self) -> &dyn Store;
    /// Ends the process, as far as the store is concerned, and starts another one.
    fn restart(&mut self);
}

pub(crate) struct MemBench(MemStore);

impl Bench for MemBench {
    fn empty() -> Self {
        Self(MemStore::new())
    }
    fn store(&self) -> &dyn Store {
        &self.0
    }
    fn restart(&mut self) {
        self.0 = self.0.reopen();
    }
}

pub(crate) struct FjallBench {
    /// `None` only while restarting: a directory has one owner.
    store: Option<FjallStore>,
    directory: tempfile::TempDir,
}

impl Bench for FjallBench {
    fn empty() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self {
            store: Some(FjallStore::open(directory.path()).unwrap()),
            directory,
        }
    }
    fn store(&self) -> &dyn Store {
        self.store.as_ref().unwrap()
    }
    fn restart(&mut self) {
        self.store = None;
        self.store = Some(FjallStore::open(self.directory.path()).unwrap());
    }
}

/// The worker `name` of component `n`.
pub(crate) fn worker(n: u128, name: &str) -> WorkerId {
    WorkerId::new(ComponentId(uuid::Uuid::from_u128(n)), name)
}

/// A log of the shard of `worker`.
pub(crate) fn log_of(worker: &WorkerId, counter: u64) -> LogId {
    LogId::pack(ShardId::of(worker, 256), 1, counter).unwrap()
}

pub(crate) fn append(log: LogId, first: u64, entries: &[&[u8]]) -> Op {
    Op::Append {
        log,
        first: OplogIndex(first),
        entries: entries.iter().map(|e| e.to_vec()).collect(),
    }
}

pub(crate) fn put_worker(worker: &WorkerId, log: LogId, row: &[u8]) -> Op {
    Op::PutWorker {
        worker: worker.clone(),
        log,
        row: row.to_vec(),
    }
}

pub(crate) fn drop_worker(worker: &WorkerId, log: LogId) -> Op {
    Op::DropWorker {
        worker: worker.clone(),
        log,
    }
}

/// All entries of a log.
pub(crate) fn read_all(store: &dyn Store, log: LogId) -> Vec<Vec<u8>> {
    store
        .read(log, OplogIndex(1), usize::MAX, usize::MAX)
        .unwrap()
}

/// Claims everything and commits each batch.
pub(crate) fn commit_all(store: &dyn Store, batches: &[&[Op]]) -> Vec<Token> {
    let tokens = store.claim_all().unwrap();
    for ops in batches {
        store.commit(&tokens, ops).unwrap();
    }
    tokens
}

/// Makes one test per case and backend.
macro_rules! conformance {
    ($($case:ident),+ $(,)?) => {
        mod mem {
            $(#[test] fn $case() { super::cases::$case(&mut <super::MemBench as super::Bench>::empty()); })+
        }
        mod fjall {
            $(#[test] fn $case() { super::cases::$case(&mut <super::FjallBench as super::Bench>::empty()); })+
        }
    };
}

conformance!(
    what_is_committed_is_there_after_a_restart,
    an_old_token_never_writes_again,
    a_batch_needs_a_token_for_every_shard_it_touches,
    an_append_must_continue_its_log,
    a_refused_batch_leaves_nothing,
    a_log_is_read_from_anywhere_in_pieces,
    workers_are_listed_by_component_and_name,
    running_marks_are_listed_by_shard,
    results_belong_to_a_log,
    timers_come_in_order_of_time,
    keyed_values_are_listed_by_prefix,
    a_catalogue_row_is_written_only_by_who_has_read_it,
    a_dropped_worker_is_gone_at_once_and_swept_later,
    a_worker_made_again_never_meets_its_past,
    limits_are_refused_before_anything_is_written,
    operations_of_a_batch_apply_in_order,
    everything_goes_to_another_store,
    a_visit_shows_one_moment,
);
