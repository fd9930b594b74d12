// SPDX-License-Identifier: Apache-2.0
//! THE SHELVES / conformance cases: one promise of the `Store` trait each. In: an empty store. Out: a failed assertion.
//! Never looks behind the trait. Read next: `conformance.rs`.

use std::ops::ControlFlow;

use golem_model::{IdempotencyKey, LogId, OplogIndex, ShardId};

use super::{Bench, append, commit_all, drop_worker, log_of, put_worker, read_all, worker};
use crate::export::Item;
use crate::fjall::FjallStore;
use crate::mem::MemStore;
use crate::store::{
    COMMIT_BYTES_MAX, CatalogRow, CommitError, KEY_BYTES_MAX, KvSpace, Op, Store, StoreError,
    StoredResult, StoredWorker, Timer, Token,
};

fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey(text.into())
}

fn put_result(log: LogId, text: &str, accepted: u64, finished: u64) -> Op {
    Op::PutResult {
        log,
        key: key(text),
        accepted: OplogIndex(accepted),
        finished: OplogIndex(finished),
    }
}

fn result(accepted: u64, finished: u64) -> StoredResult {
    StoredResult {
        accepted: OplogIndex(accepted),
        finished: OplogIndex(finished),
    }
}

/// I1, I5.
pub(super) fn what_is_committed_is_there_after_a_restart(bench: &mut impl Bench) {
    let w = worker(1, "w");
    let log = log_of(&w, 1);
    let shard = log.shard();
    let timer = Timer {
        due: 5,
        id: 1,
        worker: w.clone(),
        payload: b"wake".to_vec(),
    };
    let store = bench.store();
    let tokens = commit_all(
        store,
        &[
            &[append(log, 1, &[b"create"]), put_worker(&w, log, b"row")],
            &[
                append(log, 2, &[b"a", b""]),
                Op::SetRunning {
                    worker: w.clone(),
                    log,
                },
                put_result(log, "k", 2, 3),
                Op::AddTimer {
                    timer: timer.clone(),
                },
                Op::PutKv {
                    space: KvSpace::Promise,
                    key: b"p".to_vec(),
                    value: b"v".to_vec(),
                },
            ],
        ],
    );
    assert_eq!(store.catalog_put("component", b"c", 0, b"x").unwrap(), 1);
    bench.restart();
    let store = bench.store();
    assert_eq!(read_all(store, log), [b"create".as_slice(), b"a", b""]);
    assert_eq!(store.tail(log).unwrap(), OplogIndex(3));
    assert_eq!(store.worker(&w).unwrap().unwrap().row, b"row");
    assert_eq!(store.scan_running(shard, None, 10).unwrap(), [(w, log)]);
    assert_eq!(store.result(log, &key("k")).unwrap(), Some(result(2, 3)));
    assert_eq!(store.next_timer(shard).unwrap(), Some(timer));
    assert_eq!(store.kv(KvSpace::Promise, b"p").unwrap().unwrap(), b"v");
    assert_eq!(
        store.catalog_get("component", b"c").unwrap().unwrap().value,
        b"x"
    );
    // The log goes on where it ended, under a token of the new life, which is above every old one.
    let later = store.claim_all().unwrap();
    assert!(later[0].epoch > tokens[0].epoch);
    store.commit(&later, &[append(log, 4, &[b"b"])]).unwrap();
    assert_eq!(store.tail(log).unwrap(), OplogIndex(4));
}

/// I3, fault F6: each kind of operation.
pub(super) fn an_old_token_never_writes_again(bench: &mut impl Bench) {
    let w = worker(1, "w");
    let log = log_of(&w, 1);
    let shard = log.shard();
    let old = commit_all(
        bench.store(),
        &[&[append(log, 1, &[b"a"]), put_worker(&w, log, b"row")]],
    );
    let new = bench.store().claim(shard).unwrap();
    assert!(new.epoch > old[usize::from(shard.0)].epoch);
    let ops = [
        append(log, 2, &[b"b"]),
        put_worker(&w, log, b"stolen"),
        drop_worker(&w, log),
        Op::SetRunning {
            worker: w.clone(),
            log,
        },
        Op::ClearRunning { log },
        put_result(log, "k", 1, 1),
        Op::AddTimer {
            timer: Timer {
                due: 1,
                id: 1,
                worker: w.clone(),
                payload: vec![],
            },
        },
        Op::DelTimer {
            shard,
            due: 1,
            id: 1,
        },
        Op::PutKv {
            space: KvSpace::KeyValue,
            key: b"k".to_vec(),
            value: vec![],
        },
    ];
    for restarted in [false, true] {
        let store = bench.store();
        for op in &ops {
            let fenced = Err(CommitError::Fenced {
                shard,
                epoch: new.epoch,
            });
            assert_eq!(
                store.commit(&old, std::slice::from_ref(op)),
                fenced,
                "{op:?}, restarted: {restarted}"
            );
        }
        assert_eq!(read_all(store, log), [b"a"]);
        assert_eq!(store.worker(&w).unwrap().unwrap().row, b"row");
        assert_eq!(store.next_timer(shard).unwrap(), None);
        assert_eq!(store.kv(KvSpace::KeyValue, b"k").unwrap(), None);
        bench.restart();
    }
    bench
        .store()
        .commit(&[new], &[append(log, 2, &[b"b"])])
        .unwrap();
}

pub(super) fn a_batch_needs_a_token_for_every_shard_it_touches(bench: &mut impl Bench) {
    let store = bench.store();
    let one = LogId::pack(ShardId(1), 1, 1).unwrap();
    let two = LogId::pack(ShardId(2), 1, 1).unwrap();
    let made_up = Token {
        shard: ShardId(1),
        epoch: 0,
    };
    assert!(matches!(
        store.commit(&[made_up], &[append(one, 1, &[b"a"])]),
        Err(CommitError::Fenced { .. })
    ));
    assert!(matches!(
        store.commit(&[], &[append(one, 1, &[b"a"])]),
        Err(CommitError::Fenced { .. })
    ));
    let token = store.claim(ShardId(1)).unwrap();
    let both = [append(one, 1, &[b"a"]), append(two, 1, &[b"a"])];
    assert!(matches!(
        store.commit(&[token], &both),
        Err(CommitError::Fenced {
            shard: ShardId(2),
            ..
        })
    ));
    assert_eq!(store.tail(one).unwrap(), OplogIndex(0));
    store.commit(&[token], &both[..1]).unwrap();
    let missing = StoreError::NoShard {
        shard: ShardId(store.shards()),
        shards: store.shards(),
    };
    assert_eq!(store.claim(ShardId(store.shards())), Err(missing));
}

/// I2.
pub(super) fn an_append_must_continue_its_log(bench: &mut impl Bench) {
    let log = log_of(&worker(1, "w"), 1);
    commit_all(bench.store(), &[&[append(log, 1, &[b"a", b"b"])]]);
    for _ in 0..2 {
        let store = bench.store();
        let tokens = store.claim_all().unwrap();
        for first in [0, 1, 2, 4, u64::MAX] {
            let conflict = CommitError::Conflict {
                log,
                tail: OplogIndex(2),
                first: OplogIndex(first),
            };
            assert_eq!(
                store.commit(&tokens, &[append(log, first, &[b"x"])]),
                Err(conflict)
            );
        }
        assert_eq!(read_all(store, log), [b"a", b"b"]);
        bench.restart();
    }
    let new = log_of(&worker(1, "w"), 2);
    let store = bench.store();
    let tokens = store.claim_all().unwrap();
    let conflict = CommitError::Conflict {
        log: new,
        tail: OplogIndex(0),
        first: OplogIndex(2),
    };
    assert_eq!(
        store.commit(&tokens, &[append(new, 2, &[b"x"])]),
        Err(conflict)
    );
    // Within one batch, too.
    store
        .commit(&tokens, &[append(new, 1, &[b"1"]), append(new, 2, &[b"2"])])
        .unwrap();
    let conflict = CommitError::Conflict {
        log: new,
        tail: OplogIndex(3),
        first: OplogIndex(5),
    };
    assert_eq!(
        store.commit(&tokens, &[append(new, 3, &[b"3"]), append(new, 5, &[b"5"])]),
        Err(conflict)
    );
    assert_eq!(read_all(store, new), [b"1", b"2"]);
}

pub(super) fn a_refused_batch_leaves_nothing(bench: &mut impl Bench) {
    let w = worker(1, "w");
    let log = log_of(&w, 1);
    let store = bench.store();
    let tokens = store.claim_all().unwrap();
    let batch = [
        append(log, 1, &[b"a"]),
        put_worker(&w, log, b"row"),
        Op::SetRunning {
            worker: w.clone(),
            log,
        },
        put_result(log, "k", 1, 1),
        Op::PutKv {
            space: KvSpace::KeyValue,
            key: b"k".to_vec(),
            value: vec![1],
        },
        append(log, 7, &[b"gap"]),
    ];
    assert!(matches!(
        store.commit(&tokens, &batch),
        Err(CommitError::Conflict { .. })
    ));
    for _ in 0..2 {
        let store = bench.store();
        assert_eq!(store.tail(log).unwrap(), OplogIndex(0));
        assert_eq!(store.worker(&w).unwrap(), None);
        assert_eq!(store.scan_running(log.shard(), None, 10).unwrap(), []);
        assert_eq!(store.result(log, &key("k")).unwrap(), None);
        assert_eq!(store.kv(KvSpace::KeyValue, b"k").unwrap(), None);
        bench.restart();
    }
}

pub(super) fn a_log_is_read_from_anywhere_in_pieces(bench: &mut impl Bench) {
    let log = log_of(&worker(1, "w"), 1);
    let neighbour = LogId(log.0 + 1);
    let store = bench.store();
    let tokens = store.claim_all().unwrap();
    let mut next = 1;
    // Records of 1, 2, 3, … entries, each entry as long as its index.
    for count in 1..=10u64 {
        let entries = (next..next + count)
            .map(|index| vec![7; usize::try_from(index).unwrap()])
            .collect();
        store
            .commit(
                &tokens,
                &[Op::Append {
                    log,
                    first: OplogIndex(next),
                    entries,
                }],
            )
            .unwrap();
        store
            .commit(&tokens, &[append(neighbour, count, &[b"other"])])
            .unwrap();
        next += count;
    }
    let lengths = |from, entries, bytes| -> Vec<usize> {
        store
            .read(log, OplogIndex(from), entries, bytes)
            .unwrap()
            .iter()
            .map(Vec::len)
            .collect()
    };
    for from in 0..=56u64 {
        let first = usize::try_from(from.max(1)).unwrap();
        assert_eq!(
            lengths(from, usize::MAX, usize::MAX),
            (first..=55).collect::<Vec<_>>(),
            "from {from}"
        );
        assert_eq!(
            lengths(from, 3, usize::MAX),
            (first..=55).take(3).collect::<Vec<_>>(),
            "from {from}"
        );
    }
    assert_eq!(lengths(10, 0, usize::MAX), [0; 0]);
    assert_eq!(lengths(10, 9, 0), [10]);
    assert_eq!(lengths(10, 9, 21), [10, 11]);
    assert_eq!(lengths(10, 9, 22), [10, 11, 12]);
    assert_eq!(lengths(u64::MAX, 9, 9), [0; 0]);
    assert_eq!(read_all(store, LogId(log.0 + 2)), Vec::<Vec<u8>>::new());
}

pub(super) fn workers_are_listed_by_component_and_name(bench: &mut impl Bench) {
    let names = ["", "a", "a/b", "b", "z\u{10ffff}", "ü"];
    let store = bench.store();
    let tokens = store.claim_all().unwrap();
    // In an order that is not the answer's, in components that are neighbours.
    for (n, name) in names.iter().enumerate().rev() {
        for component in [1, 2, u128::MAX] {
            let w = worker(component, name);
            let log = log_of(&w, n as u64);
            store
                .commit(&tokens, &[put_worker(&w, log, name.as_bytes())])
                .unwrap();
        }
    }
    for component in [1, 2, u128::MAX] {
        let id = worker(component, "").component_id;
        let found: Vec<_> = store.scan_workers(id, None, 100).unwrap();
        let expect = names.iter().enumerate().map(|(n, name)| {
            let w = worker(component, name);
            StoredWorker {
                log: log_of(&w, n as u64),
                worker: w,
                row: name.as_bytes().to_vec(),
            }
        });
        let expect: Vec<_> = expect.collect();
        assert_eq!(found, expect);
        for (n, name) in names.iter().enumerate() {
            assert_eq!(
                store.scan_workers(id, Some(name), 2).unwrap(),
                expect[n + 1..expect.len().min(n + 3)]
            );
        }
    }
    assert_eq!(
        store
            .scan_workers(worker(3, "").component_id, None, 9)
            .unwrap(),
        []
    );
}

pub(super) fn running_marks_are_listed_by_shard(bench: &mut impl Bench) {
    let store = bench.store();
    let tokens = store.claim_all().unwrap();
    let log = |shard, counter| LogId::pack(ShardId(shard), 1, counter).unwrap();
    for shard in [0, 1, 255] {
        for counter in [3, 1, 2] {
            let w = worker(1, &format!("{shard}-{counter}"));
            store
                .commit(
                    &tokens,
                    &[Op::SetRunning {
                        worker: w,
                        log: log(shard, counter),
                    }],
                )
                .unwrap();
        }
    }
    store
        .commit(
            &tokens,
            &[
                Op::ClearRunning { log: log(1, 2) },
                Op::ClearRunning { log: log(1, 9) },
            ],
        )
        .unwrap();
    let counters = |shard, after: Option<LogId>, limit| -> Vec<u64> {
        let found = store.scan_running(ShardId(shard), after, limit).unwrap();
        assert!(
            found
                .iter()
                .all(|(w, log)| w.worker_name == format!("{shard}-{}", log.0 & 0xff_ffff))
        );
        found.iter().map(|(_, log)| log.0 & 0xff_ffff).collect()
    };
    assert_eq!(counters(0, None, 9), [1, 2, 3]);
    assert_eq!(counters(1, None, 9), [1, 3]);
    assert_eq!(counters(255, None, 2), [1, 2]);
    assert_eq!(counters(255, Some(log(255, 2)), 2), [3]);
    assert_eq!(counters(255, Some(log(255, 3)), 2), [0; 0]);
    assert_eq!(counters(7, None, 9), [0; 0]);
}

pub(super) fn results_belong_to_a_log(bench: &mut impl Bench) {
    let (a, b) = (log_of(&worker(1, "a"), 1), log_of(&worker(1, "b"), 2));
    let store = bench.store();
    commit_all(
        store,
        &[&[
            put_result(a, "k", 1, 2),
            put_result(b, "k", 3, 4),
            put_result(a, "k2", 5, 6),
        ]],
    );
    assert_eq!(store.result(a, &key("k")).unwrap(), Some(result(1, 2)));
    assert_eq!(store.result(b, &key("k")).unwrap(), Some(result(3, 4)));
    assert_eq!(store.result(a, &key("k2")).unwrap(), Some(result(5, 6)));
    assert_eq!(store.result(a, &key("")).unwrap(), None);
    assert_eq!(store.result(b, &key("k2")).unwrap(), None);
    let forget = |log, text| Op::DelResult {
        log,
        key: key(text),
    };
    let forgotten = [forget(a, "k"), forget(b, "k2"), put_result(a, "k3", 7, 8)];
    commit_all(store, &[&forgotten]);
    bench.restart();
    let store = bench.store();
    assert_eq!(store.result(a, &key("k")).unwrap(), None);
    assert_eq!(store.result(a, &key("k3")).unwrap(), Some(result(7, 8)));
    assert_eq!(store.result(b, &key("k")).unwrap(), Some(result(3, 4)));
}

pub(super) fn timers_come_in_order_of_time(bench: &mut impl Bench) {
    let w = worker(1, "w");
    let shard = ShardId::of(&w, 256);
    let timer = |due, id| Timer {
        due,
        id,
        worker: w.clone(),
        payload: vec![u8::try_from(id).unwrap()],
    };
    let store = bench.store();
    let tokens = store.claim_all().unwrap();
    for (due, id) in [(300, 1), (5, 2), (5, 1), (256, 0), (u64::MAX, 1)] {
        store
            .commit(
                &tokens,
                &[Op::AddTimer {
                    timer: timer(due, id),
                }],
            )
            .unwrap();
    }
    assert_eq!(store.due_timers(shard, 4, 9).unwrap(), []);
    assert_eq!(
        store.due_timers(shard, 5, 9).unwrap(),
        [timer(5, 1), timer(5, 2)]
    );
    assert_eq!(
        store.due_timers(shard, 299, 9).unwrap(),
        [timer(5, 1), timer(5, 2), timer(256, 0)]
    );
    assert_eq!(store.due_timers(shard, u64::MAX, 1).unwrap(), [timer(5, 1)]);
    assert_eq!(store.next_timer(ShardId(shard.0 ^ 1)).unwrap(), None);
    let replaced = Timer {
        payload: b"new".to_vec(),
        ..timer(5, 1)
    };
    store
        .commit(
            &tokens,
            &[Op::AddTimer {
                timer: replaced.clone(),
            }],
        )
        .unwrap();
    assert_eq!(store.next_timer(shard).unwrap(), Some(replaced));
    let gone = [
        Op::DelTimer {
            shard,
            due: 5,
            id: 1,
        },
        Op::DelTimer {
            shard,
            due: 5,
            id: 2,
        },
    ];
    store.commit(&tokens, &gone).unwrap();
    assert_eq!(store.next_timer(shard).unwrap(), Some(timer(256, 0)));
}

pub(super) fn keyed_values_are_listed_by_prefix(bench: &mut impl Bench) {
    let store = bench.store();
    let tokens = store.claim_all().unwrap();
    let put = |space, key: &[u8]| Op::PutKv {
        space,
        key: key.to_vec(),
        value: key.to_vec(),
    };
    let keys: [&[u8]; 6] = [b"a", b"a\xff", b"a\xff\xff", b"b", b"", b"\xff"];
    let ops: Vec<_> = keys.iter().map(|key| put(KvSpace::KeyValue, key)).collect();
    store.commit(&tokens, &ops).unwrap();
    store
        .commit(&tokens, &[put(KvSpace::Promise, b"a\x01")])
        .unwrap();
    let scan = |prefix: &[u8], after: Option<&[u8]>, limit| {
        store
            .scan_kv(KvSpace::KeyValue, prefix, after, limit)
            .unwrap()
    };
    assert_eq!(
        scan(b"", None, 9),
        [b"".as_slice(), b"a", b"a\xff", b"a\xff\xff", b"b", b"\xff"]
    );
    assert_eq!(
        scan(b"a", None, 9),
        [b"a".as_slice(), b"a\xff", b"a\xff\xff"]
    );
    assert_eq!(scan(b"a\xff", None, 1), [b"a\xff"]);
    assert_eq!(scan(b"a", Some(b"a"), 1), [b"a\xff"]);
    // A cursor before the prefix begins at the prefix, one behind it finds nothing.
    assert_eq!(scan(b"b", Some(b"a"), 9), [b"b"]);
    assert_eq!(scan(b"a", Some(b"b"), 9), Vec::<Vec<u8>>::new());
    store
        .commit(
            &tokens,
            &[Op::DelKv {
                space: KvSpace::KeyValue,
                key: b"a".to_vec(),
            }],
        )
        .unwrap();
    assert_eq!(store.kv(KvSpace::KeyValue, b"a").unwrap(), None);
    assert_eq!(
        store.kv(KvSpace::KeyValue, b"a\xff").unwrap().unwrap(),
        b"a\xff"
    );
    assert_eq!(
        store.kv(KvSpace::Promise, b"a\x01").unwrap().unwrap(),
        b"a\x01"
    );
}

pub(super) fn a_catalogue_row_is_written_only_by_who_has_read_it(bench: &mut impl Bench) {
    let store = bench.store();
    assert_eq!(store.catalog_get("plugin", b"k").unwrap(), None);
    assert_eq!(store.catalog_put("plugin", b"k", 0, b"1").unwrap(), 1);
    assert_eq!(
        store.catalog_put("plugin", b"k", 0, b"x"),
        Err(StoreError::Stale {
            found: 1,
            expected: 0
        })
    );
    assert_eq!(store.catalog_put("plugin", b"k", 1, b"2").unwrap(), 2);
    assert_eq!(
        store.catalog_put("plugin", b"k", 1, b"x"),
        Err(StoreError::Stale {
            found: 2,
            expected: 1
        })
    );
    assert_eq!(
        store.catalog_put("plug", b"k", 1, b"x"),
        Err(StoreError::Stale {
            found: 0,
            expected: 1
        })
    );
    assert_eq!(
        store.catalog_put("plug", b"ink", 0, b"other kind").unwrap(),
        1
    );
    assert_eq!(store.catalog_put("plugin", b"l", 0, b"3").unwrap(), 1);
    let row = |key: &[u8], revision, value: &[u8]| CatalogRow {
        key: key.to_vec(),
        revision,
        value: value.to_vec(),
    };
    assert_eq!(
        store.catalog_scan("plugin", b"", None, 9).unwrap(),
        [row(b"k", 2, b"2"), row(b"l", 1, b"3")]
    );
    assert_eq!(
        store.catalog_scan("plugin", b"", Some(b"k"), 9).unwrap(),
        [row(b"l", 1, b"3")]
    );
    assert_eq!(
        store.catalog_scan("plugin", b"k", None, 9).unwrap(),
        [row(b"k", 2, b"2")]
    );
    assert_eq!(
        store.catalog_scan("plug", b"", None, 1).unwrap(),
        [row(b"ink", 1, b"other kind")]
    );
}

/// Fault F16, guarantee G10.
pub(super) fn a_dropped_worker_is_gone_at_once_and_swept_later(bench: &mut impl Bench) {
    let (w, other) = (worker(1, "w"), worker(1, "other"));
    let (log, kept) = (log_of(&w, 1), log_of(&other, 2));
    let store = bench.store();
    let tokens = store.claim_all().unwrap();
    store
        .commit(
            &tokens,
            &[
                put_worker(&w, log, b"row"),
                put_worker(&other, kept, b"row"),
            ],
        )
        .unwrap();
    for index in 1..=20 {
        let batch = [
            append(log, index, &[b"e"]),
            append(kept, index, &[b"e"]),
            put_result(log, &index.to_string(), 1, 1),
        ];
        store.commit(&tokens, &batch).unwrap();
    }
    store
        .commit(
            &tokens,
            &[Op::SetRunning {
                worker: w.clone(),
                log,
            }],
        )
        .unwrap();
    store.commit(&tokens, &[drop_worker(&w, log)]).unwrap();
    let mut left = true;
    for round in 0.. {
        let store = bench.store();
        assert_eq!(store.worker(&w).unwrap(), None);
        assert_eq!(store.tail(log).unwrap(), OplogIndex(0));
        assert_eq!(read_all(store, log), Vec::<Vec<u8>>::new());
        assert_eq!(store.result(log, &key("7")).unwrap(), None);
        assert_eq!(store.scan_running(log.shard(), None, 9).unwrap(), []);
        assert_eq!(
            store.scan_workers(w.component_id, None, 9).unwrap().len(),
            1
        );
        if !left {
            break;
        }
        let tokens = store.claim_all().unwrap();
        for op in [
            append(log, 21, &[b"late"]),
            append(log, 1, &[b"late"]),
            put_worker(&w, log, b"late"),
        ] {
            assert_eq!(
                store.commit(&tokens, &[op]),
                Err(CommitError::Dropped { log })
            );
        }
        store.commit(&tokens, &[Op::ClearRunning { log }]).unwrap();
        // A crash between two sweeps.
        left = store.sweep(7).unwrap();
        assert!(round < 20, "the sweeper does not come to an end");
        bench.restart();
    }
    assert!(!bench.store().sweep(7).unwrap());
    assert_eq!(read_all(bench.store(), kept).len(), 20);
}

pub(super) fn a_worker_made_again_never_meets_its_past(bench: &mut impl Bench) {
    let w = worker(1, "w");
    let (old, new) = (log_of(&w, 1), log_of(&w, 2));
    let store = bench.store();
    let tokens = commit_all(
        store,
        &[&[
            append(old, 1, &[b"old"]),
            put_worker(&w, old, b"old"),
            put_result(old, "k", 1, 1),
        ]],
    );
    // Dropped and made again in one batch.
    let batch = [
        drop_worker(&w, old),
        append(new, 1, &[b"new"]),
        put_worker(&w, new, b"new"),
    ];
    store.commit(&tokens, &batch).unwrap();
    while store.sweep(100).unwrap() {}
    for _ in 0..2 {
        let store = bench.store();
        let stored = store.worker(&w).unwrap().unwrap();
        assert_eq!((stored.log, stored.row), (new, b"new".to_vec()));
        assert_eq!(read_all(store, new), [b"new"]);
        assert_eq!(store.result(new, &key("k")).unwrap(), None);
        assert_eq!(read_all(store, old), Vec::<Vec<u8>>::new());
        bench.restart();
    }
    // A late drop of the old log does not take the new worker along.
    let store = bench.store();
    let tokens = store.claim_all().unwrap();
    store.commit(&tokens, &[drop_worker(&w, old)]).unwrap();
    assert!(store.worker(&w).unwrap().is_some());
}

pub(super) fn limits_are_refused_before_anything_is_written(bench: &mut impl Bench) {
    let w = worker(1, "w");
    let log = log_of(&w, 1);
    let store = bench.store();
    let tokens = store.claim_all().unwrap();
    let huge = append(log, 1, &[&vec![0; COMMIT_BYTES_MAX]]);
    assert!(matches!(
        store.commit(&tokens, &[huge]),
        Err(CommitError::TooLarge { ops: 1, .. })
    ));
    let long = "x".repeat(KEY_BYTES_MAX + 1);
    let too_long = Err(CommitError::KeyTooLong {
        bytes: KEY_BYTES_MAX + 1,
    });
    assert_eq!(
        store.commit(
            &tokens,
            &[append(log, 1, &[b"a"]), put_result(log, &long, 1, 1)]
        ),
        too_long
    );
    assert_eq!(
        store.commit(&tokens, &[put_worker(&worker(1, &long), log, b"")]),
        too_long
    );
    assert_eq!(store.tail(log).unwrap(), OplogIndex(0));
    let longest = "x".repeat(KEY_BYTES_MAX);
    store
        .commit(&tokens, &[put_result(log, &longest, 1, 2)])
        .unwrap();
    assert_eq!(
        store.result(log, &key(&longest)).unwrap(),
        Some(result(1, 2))
    );
}

pub(super) fn operations_of_a_batch_apply_in_order(bench: &mut impl Bench) {
    let w = worker(1, "w");
    let log = log_of(&w, 1);
    let shard = log.shard();
    let store = bench.store();
    let tokens = store.claim_all().unwrap();
    let timer = Timer {
        due: 1,
        id: 1,
        worker: w.clone(),
        payload: vec![],
    };
    let put = |value: u8| Op::PutKv {
        space: KvSpace::KeyValue,
        key: b"k".to_vec(),
        value: vec![value],
    };
    let batch = [
        put_worker(&w, log, b"1"),
        put_worker(&w, log, b"2"),
        Op::SetRunning {
            worker: w.clone(),
            log,
        },
        Op::ClearRunning { log },
        Op::AddTimer {
            timer: timer.clone(),
        },
        Op::DelTimer {
            shard,
            due: 1,
            id: 1,
        },
        put(1),
        Op::DelKv {
            space: KvSpace::KeyValue,
            key: b"k".to_vec(),
        },
        put(2),
    ];
    store.commit(&tokens, &batch).unwrap();
    for _ in 0..2 {
        let store = bench.store();
        assert_eq!(store.worker(&w).unwrap().unwrap().row, b"2");
        assert_eq!(store.scan_running(shard, None, 9).unwrap(), []);
        assert_eq!(store.next_timer(shard).unwrap(), None);
        assert_eq!(store.kv(KvSpace::KeyValue, b"k").unwrap().unwrap(), [2]);
        bench.restart();
    }
}

/// Everything that a visit shows, in its order.
fn shown(store: &dyn Store) -> Vec<Item> {
    let mut found = Vec::new();
    store
        .visit(&mut |item| {
            found.push(item);
            ControlFlow::Continue(())
        })
        .unwrap();
    found
}

/// `visit` and `restore`: a backend to itself, to the other one, and back.
pub(super) fn everything_goes_to_another_store(bench: &mut impl Bench) {
    let (w, gone) = (worker(1, "w"), worker(1, "gone"));
    let (log, gone_log) = (log_of(&w, 1), log_of(&gone, 2));
    let timer = Timer {
        due: 9,
        id: 2,
        worker: w.clone(),
        payload: b"wake".to_vec(),
    };
    let store = bench.store();
    store.catalog_put("component", b"c", 0, b"old").unwrap();
    store.catalog_put("component", b"c", 1, b"new").unwrap();
    commit_all(
        store,
        &[
            &[append(log, 1, &[b"create"]), put_worker(&w, log, b"row")],
            &[
                append(log, 2, &[b"a", b""]),
                append(gone_log, 1, &[b"x"]),
                put_worker(&gone, gone_log, b"row"),
                put_result(gone_log, "k", 1, 1),
                Op::SetRunning {
                    worker: w.clone(),
                    log,
                },
                put_result(log, "k", 2, 3),
                Op::AddTimer {
                    timer: timer.clone(),
                },
                Op::PutKv {
                    space: KvSpace::KeyValue,
                    key: b"a".to_vec(),
                    value: b"1".to_vec(),
                },
            ],
            &[drop_worker(&gone, gone_log)],
        ],
    );
    let items = shown(store);
    let dir = tempfile::tempdir().unwrap();
    let fjall = FjallStore::open(dir.path()).unwrap();
    let mem = MemStore::new();
    for other in [&fjall as &dyn Store, &mem] {
        other.restore(&items).unwrap();
        // The same again changes nothing.
        other.restore(&items).unwrap();
        assert_eq!(read_all(other, log), [&b"create"[..], b"a", b""]);
        assert_eq!(read_all(other, gone_log), [&b""[..]; 0]);
        assert_eq!(other.worker(&w).unwrap().unwrap().row, b"row");
        assert_eq!(other.worker(&gone).unwrap(), None);
        assert_eq!(other.result(log, &key("k")).unwrap(), Some(result(2, 3)));
        assert_eq!(other.result(gone_log, &key("k")).unwrap(), None);
        let shard = log.shard();
        assert_eq!(
            other.scan_running(shard, None, 9).unwrap(),
            [(w.clone(), log)]
        );
        assert_eq!(other.next_timer(shard).unwrap(), Some(timer.clone()));
        let value = other.kv(KvSpace::KeyValue, b"a").unwrap();
        assert_eq!(value.as_deref(), Some(&b"1"[..]));
        let row = other.catalog_get("component", b"c").unwrap().unwrap();
        assert_eq!((row.revision, row.value), (2, b"new".to_vec()));
        // Its owner goes on where the log ends, under an epoch that no log has yet.
        let tokens = other.claim_all().unwrap();
        assert!(tokens.iter().all(|token| token.epoch > 1));
        other
            .commit(&tokens, &[append(log, 4, &[b"more"])])
            .unwrap();
        assert_eq!(read_all(other, log).len(), 4);
    }
    // An operation that makes nothing is none that a store has.
    let remove = Item::Op(Op::ClearRunning { log });
    assert!(matches!(
        mem.restore(std::slice::from_ref(&remove)),
        Err(StoreError::Corrupt { .. })
    ));
    assert!(matches!(
        fjall.restore(&[remove]),
        Err(StoreError::Corrupt { .. })
    ));
}

/// What is committed during a visit is not in it, and not what it removes either.
pub(super) fn a_visit_shows_one_moment(bench: &mut impl Bench) {
    let (w, other) = (worker(1, "w"), worker(2, "other"));
    let (log, other_log) = (log_of(&w, 1), log_of(&other, 2));
    let store = bench.store();
    let batch = [append(log, 1, &[b"a"]), put_worker(&w, log, b"row")];
    let tokens = commit_all(store, &[&batch]);
    let before = shown(store);
    let (mut during, mut begun) = (Vec::new(), false);
    store
        .visit(&mut |item| {
            if !std::mem::replace(&mut begun, true) {
                let ops = [
                    append(other_log, 1, &[b"b"]),
                    put_worker(&other, other_log, b"row"),
                    drop_worker(&w, log),
                ];
                store.commit(&tokens, &ops).unwrap();
                while store.sweep(100).unwrap() {}
            }
            during.push(item);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(during, before);
    let after = shown(store);
    let row = put_worker(&other, other_log, b"row");
    assert!(after.contains(&Item::Op(row)) && !after.contains(&before[1]));
    let mut seen = 0;
    store
        .visit(&mut |_| {
            seen += 1;
            ControlFlow::Break(())
        })
        .unwrap();
    assert_eq!(seen, 1);
}
