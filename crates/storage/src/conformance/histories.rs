// SPDX-License-Identifier: Apache-2.0
//! THE SHELVES / histories: random histories give the same answers on every backend. In: proptest's choices. Out: the
//! smallest history that differs. The memory store is the plain reading; see `mem.rs`. Source: storage design §6.

use golem_model::{IdempotencyKey, LogId, OplogIndex, ShardId, WorkerId};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::{Bench, FjallBench, MemBench, log_of, worker};
use crate::store::{KvSpace, Op, Store, Timer, Token};

const WORKERS: u64 = 3;
const LOGS_PER_WORKER: u64 = 2;

/// One step of a history.
#[derive(Debug, Clone)]
enum Step {
    Commit(Vec<Choice>),
    /// Commit with the tokens that were current so many claims ago.
    Stale(Vec<Choice>),
    Claim(u64),
    ClaimAll,
    Catalog {
        key: u8,
        guess: u64,
    },
    Sweep(usize),
    Restart,
}

/// An operation before it is known which indices are right.
#[derive(Debug, Clone)]
enum Choice {
    /// `off`: how far the index is from the right one.
    Append {
        worker: u64,
        log: u64,
        off: i64,
        sizes: Vec<usize>,
    },
    Row {
        worker: u64,
        log: u64,
        byte: u8,
    },
    Drop {
        worker: u64,
        log: u64,
    },
    Run {
        worker: u64,
        log: u64,
        set: bool,
    },
    Result {
        worker: u64,
        log: u64,
        key: u8,
        finished: u64,
    },
    Timer {
        worker: u64,
        due: u64,
        id: u64,
        add: bool,
    },
    Kv {
        key: Vec<u8>,
        value: Option<u8>,
    },
}

fn choice() -> impl Strategy<Value = Choice> {
    let who = (0..WORKERS, 0..LOGS_PER_WORKER);
    prop_oneof![
        6 => (who.clone(), prop_oneof![9 => Just(0), 1 => -1..=1i64], prop::collection::vec(0..40usize, 1..4))
            .prop_map(|((worker, log), off, sizes)| Choice::Append { worker, log, off, sizes }),
        2 => (who.clone(), any::<u8>()).prop_map(|((worker, log), byte)| Choice::Row { worker, log, byte }),
        1 => who.clone().prop_map(|(worker, log)| Choice::Drop { worker, log }),
        2 => (who.clone(), any::<bool>()).prop_map(|((worker, log), set)| Choice::Run { worker, log, set }),
        2 => (who, 0..3u8, 0..9u64)
            .prop_map(|((worker, log), key, finished)| Choice::Result { worker, log, key, finished }),
        2 => (0..WORKERS, 0..3u64, 0..2u64, any::<bool>())
            .prop_map(|(worker, due, id, add)| Choice::Timer { worker, due, id, add }),
        2 => (prop::collection::vec(prop_oneof![Just(0u8), Just(1), Just(255)], 0..3), any::<Option<u8>>())
            .prop_map(|(key, value)| Choice::Kv { key, value }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let batch = || prop::collection::vec(choice(), 1..6);
    prop_oneof![
        12 => batch().prop_map(Step::Commit),
        1 => batch().prop_map(Step::Stale),
        1 => (0..WORKERS).prop_map(Step::Claim),
        1 => Just(Step::ClaimAll),
        1 => (0..2u8, 0..3u64).prop_map(|(key, guess)| Step::Catalog { key, guess }),
        1 => (0..4usize).prop_map(Step::Sweep),
        1 => Just(Step::Restart),
    ]
}

fn named(n: u64) -> WorkerId {
    worker(1, &format!("w{n}"))
}

fn log(worker: u64, log: u64) -> LogId {
    log_of(&named(worker), worker * LOGS_PER_WORKER + log + 1)
}

/// The operations of a batch, with indices that continue what `store` holds.
fn ops(store: &dyn Store, choices: &[Choice]) -> Vec<Op> {
    let mut tails = std::collections::HashMap::new();
    choices
        .iter()
        .map(|choice| match choice.clone() {
            Choice::Append {
                worker,
                log: l,
                off,
                sizes,
            } => {
                let log = log(worker, l);
                let tail = tails
                    .entry(log)
                    .or_insert_with(|| store.tail(log).unwrap().0);
                let first = OplogIndex((*tail + 1).saturating_add_signed(off));
                let entries: Vec<_> = sizes
                    .iter()
                    .map(|size| vec![first.0 as u8; *size])
                    .collect();
                *tail += entries.len() as u64;
                Op::Append {
                    log,
                    first,
                    entries,
                }
            }
            Choice::Row {
                worker,
                log: l,
                byte,
            } => Op::PutWorker {
                worker: named(worker),
                log: log(worker, l),
                row: vec![byte],
            },
            Choice::Drop { worker, log: l } => Op::DropWorker {
                worker: named(worker),
                log: log(worker, l),
            },
            Choice::Run {
                worker,
                log: l,
                set: true,
            } => Op::SetRunning {
                worker: named(worker),
                log: log(worker, l),
            },
            Choice::Run {
                worker,
                log: l,
                set: false,
            } => Op::ClearRunning {
                log: log(worker, l),
            },
            Choice::Result {
                worker,
                log: l,
                key,
                finished,
            } => Op::PutResult {
                log: log(worker, l),
                key: IdempotencyKey(key.to_string()),
                accepted: OplogIndex(1),
                finished: OplogIndex(finished),
            },
            Choice::Timer {
                worker,
                due,
                id,
                add: true,
            } => Op::AddTimer {
                timer: Timer {
                    due,
                    id,
                    worker: named(worker),
                    payload: vec![7],
                },
            },
            Choice::Timer {
                worker,
                due,
                id,
                add: false,
            } => Op::DelTimer {
                shard: ShardId::of(&named(worker), 256),
                due,
                id,
            },
            Choice::Kv {
                key,
                value: Some(value),
            } => Op::PutKv {
                space: KvSpace::KeyValue,
                key,
                value: vec![value],
            },
            Choice::Kv { key, value: None } => Op::DelKv {
                space: KvSpace::KeyValue,
                key,
            },
        })
        .collect()
}

/// Everything that can be seen of a store, as text: epochs are left out, their steps may differ.
fn seen(store: &dyn Store) -> Vec<String> {
    let mut out = Vec::new();
    for w in 0..WORKERS {
        let shard = ShardId::of(&named(w), 256);
        out.push(format!("{:?}", store.worker(&named(w)).unwrap()));
        out.push(format!("{:?}", store.scan_running(shard, None, 9).unwrap()));
        out.push(format!("{:?}", store.due_timers(shard, 1, 9).unwrap()));
        out.push(format!("{:?}", store.next_timer(shard).unwrap()));
        for l in 0..LOGS_PER_WORKER {
            let log = log(w, l);
            out.push(format!(
                "{:?} {:?}",
                store.tail(log).unwrap(),
                super::read_all(store, log)
            ));
            out.push(format!(
                "{:?}",
                store.read(log, OplogIndex(3), 2, 300).unwrap()
            ));
            for key in 0..3 {
                out.push(format!(
                    "{:?}",
                    store.result(log, &IdempotencyKey(key.to_string())).unwrap()
                ));
            }
        }
    }
    out.push(format!(
        "{:?}",
        store.scan_workers(named(0).component_id, None, 9).unwrap()
    ));
    out.push(format!(
        "{:?}",
        store.scan_kv(KvSpace::KeyValue, &[], None, 99).unwrap()
    ));
    out.push(format!(
        "{:?}",
        store
            .scan_kv(KvSpace::KeyValue, &[1], Some(&[1, 1]), 2)
            .unwrap()
    ));
    out.push(format!(
        "{:?}",
        store.catalog_scan("kind", &[], None, 9).unwrap()
    ));
    out
}

/// Both backends and the tokens each of them gave.
struct Pair {
    mem: MemBench,
    fjall: FjallBench,
    current: [Vec<Token>; 2],
    stale: [Vec<Token>; 2],
}

impl Pair {
    fn each<T>(&self, ask: impl Fn(&dyn Store) -> T) -> [T; 2] {
        [ask(self.mem.store()), ask(self.fjall.store())]
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Commit(choices) => self.commit(choices, &self.current.clone()),
            Step::Stale(choices) => self.commit(choices, &self.stale.clone()),
            Step::Claim(worker) => {
                let shard = ShardId::of(&named(*worker), 256);
                let new = self.each(|store| store.claim(shard).unwrap());
                self.stale = self.current.clone();
                for (tokens, new) in self.current.iter_mut().zip(new) {
                    tokens[usize::from(shard.0)] = new;
                }
            }
            Step::ClaimAll => {
                self.stale = self.current.clone();
                self.current = self.each(|store| store.claim_all().unwrap());
            }
            Step::Catalog { key, guess } => {
                let [mem, fjall] =
                    self.each(|store| store.catalog_put("kind", &[*key], *guess, &[*key]));
                assert_eq!(mem, fjall);
            }
            // The order of sweeping is free, so only its end can be compared; `cases.rs` looks at single steps.
            Step::Sweep(records) => {
                self.each(|store| while store.sweep(*records + 1).unwrap() {});
            }
            Step::Restart => {
                self.mem.restart();
                self.fjall.restart();
            }
        }
    }

    fn commit(&self, choices: &[Choice], tokens: &[Vec<Token>; 2]) {
        let ops = ops(self.mem.store(), choices);
        let mem = self.mem.store().commit(&tokens[0], &ops);
        let fjall = self.fjall.store().commit(&tokens[1], &ops);
        assert_eq!(mem, fjall, "{ops:?}");
    }
}

#[test]
fn random_histories_give_the_same_answers_on_every_backend() {
    // Opening a database costs tens of milliseconds: few histories, each of many steps.
    let config = Config {
        cases: 12,
        max_shrink_iters: 200,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let history = prop::collection::vec(step(), 20..60);
    let outcome = runner.run(&history, |steps| {
        let (mem, fjall) = (MemBench::empty(), FjallBench::empty());
        let current = [
            mem.store().claim_all().unwrap(),
            fjall.store().claim_all().unwrap(),
        ];
        let mut pair = Pair {
            mem,
            fjall,
            stale: current.clone(),
            current,
        };
        for step in &steps {
            pair.take(step);
            let [mem, fjall] = pair.each(seen);
            prop_assert_eq!(mem, fjall, "after {:?}", step);
        }
        Ok(())
    });
    outcome.unwrap();
}
