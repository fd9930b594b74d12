// SPDX-License-Identifier: Apache-2.0
//! THE SHELVES / export tests: what goes into a file comes out of it, and a file that was cut or changed is refused. In: random
//! items. Out: failed assertions. Read next: `../conformance/cases.rs` (`visit` and `restore` of each backend).

use std::ops::ControlFlow;

use golem_model::api::Export;
use golem_model::{ComponentId, IdempotencyKey, LogId, OplogIndex, ShardId, Timestamp, WorkerId};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{ExportError, Item, export, first_content, import, verify};
use crate::blobs::Blobs;
use crate::mem::MemStore;
use crate::store::{CatalogRow, KvSpace, Op, Store, Timer};

/// Bytes before the head record: magic and version.
const BEFORE_HEAD: usize = 16;

struct Case {
    dir: tempfile::TempDir,
    store: MemStore,
    blobs: Blobs,
}

fn case(items: &[Item]) -> Case {
    let dir = tempfile::tempdir().unwrap();
    let store = MemStore::new();
    store.restore(items).unwrap();
    let blobs = Blobs::open(dir.path().join("blobs")).unwrap();
    Case { dir, store, blobs }
}

impl Case {
    fn file(&self) -> (Vec<u8>, Export) {
        let mut file = Vec::new();
        let made = export(&self.store, &self.blobs, "1.2.3", Timestamp(7), &mut file).unwrap();
        (file, made)
    }
}

fn items(store: &dyn Store) -> Vec<Item> {
    let mut found = Vec::new();
    store
        .visit(&mut |item| {
            found.push(item);
            ControlFlow::Continue(())
        })
        .unwrap();
    found
}

fn some_items() -> Vec<Item> {
    let worker = WorkerId::new(ComponentId(uuid::Uuid::from_u128(1)), "w");
    let log = LogId::pack(ShardId::of(&worker, 256), 3, 1).unwrap();
    vec![
        Item::Epoch(3),
        Item::Op(Op::PutWorker {
            worker: worker.clone(),
            log,
            row: b"row".to_vec(),
        }),
        Item::Op(Op::Append {
            log,
            first: OplogIndex(1),
            entries: vec![b"create".to_vec(), Vec::new()],
        }),
        Item::Op(Op::SetRunning { worker, log }),
        Item::Catalog {
            kind: "component".into(),
            row: CatalogRow {
                key: b"c".to_vec(),
                revision: 4,
                value: b"{}".to_vec(),
            },
        },
    ]
}

#[test]
fn a_file_that_is_cut_anywhere_is_refused() {
    let case = case(&some_items());
    case.blobs.put(b"large").unwrap();
    let (file, made) = case.file();
    assert_eq!(verify(&mut file.as_slice()).unwrap(), made);
    let totals = made.totals;
    assert_eq!(totals.bytes, file.len() as u64);
    assert_eq!(
        (totals.workers, totals.entries, totals.blobs, totals.records),
        (1, 2, 1, 6)
    );
    for cut in 0..file.len() {
        let error = verify(&mut file.get(..cut).unwrap()).unwrap_err();
        let expected = if cut < 12 { "EXP-001" } else { "EXP-003" };
        assert_eq!(golem_model::Coded::code(&error), expected, "{cut}: {error}");
    }
    let mut longer = file;
    longer.push(0);
    assert!(matches!(
        verify(&mut longer.as_slice()),
        Err(ExportError::Damaged { .. })
    ));
}

#[test]
fn a_file_with_any_changed_bit_is_refused() {
    let case = case(&some_items());
    case.blobs.put(b"large").unwrap();
    let (file, _) = case.file();
    for bit in 0..file.len() * 8 {
        let mut changed = file.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(verify(&mut changed.as_slice()).is_err(), "bit {bit}");
    }
}

#[test]
fn records_cannot_be_taken_out_or_put_elsewhere() {
    let case = case(&some_items());
    let (file, _) = case.file();
    // Where each record begins and ends, by the lengths in it.
    let mut records = Vec::new();
    let mut at = BEFORE_HEAD;
    while at < file.len() {
        let length =
            |from: usize| u32::from_le_bytes(file[from..from + 4].try_into().unwrap()) as usize;
        let end = at + 9 + length(at + 1) + length(at + 5) + 4;
        records.push(at..end);
        at = end;
    }
    assert_eq!(records.len(), 7);
    for left_out in 0..records.len() {
        let mut other = file[..BEFORE_HEAD].to_vec();
        for (n, record) in records.iter().enumerate() {
            if n != left_out {
                other.extend_from_slice(&file[record.clone()]);
            }
        }
        assert!(verify(&mut other.as_slice()).is_err(), "without {left_out}");
    }
    for n in 1..records.len() {
        let mut other = file[..records[n - 1].start].to_vec();
        other.extend_from_slice(&file[records[n].clone()]);
        other.extend_from_slice(&file[records[n - 1].clone()]);
        other.extend_from_slice(&file[records[n].end..]);
        assert!(verify(&mut other.as_slice()).is_err(), "swapped {n}");
    }
}

/// The file of [`some_items`] and one blob, made by hand after docs/formats/export.md: never changed.
const GOLDEN: &str = include_str!("../../tests/golden/v1/export.txt");

#[test]
fn a_file_of_the_first_version_is_read_and_written_as_ever() {
    let case = case(&some_items());
    case.blobs.put(b"large").unwrap();
    let (file, _) = case.file();
    let hex: String = file.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, GOLDEN.trim_end());
}

#[test]
fn other_files_and_other_versions_are_told() {
    let (mut file, _) = case(&[]).file();
    file[12] = 2;
    assert!(matches!(
        verify(&mut file.as_slice()),
        Err(ExportError::Version { found: 2 })
    ));
    for other in [&b""[..], b"PK\x03\x04 and what follows", b"golem-exporu"] {
        assert!(matches!(
            verify(&mut &*other),
            Err(ExportError::NotAnExport)
        ));
    }
}

#[test]
fn a_store_counts_as_empty_with_the_rows_of_its_server_only() {
    let clock = Item::Catalog {
        kind: "clock".into(),
        row: CatalogRow {
            key: b"steady".to_vec(),
            revision: 1,
            value: Vec::new(),
        },
    };
    let fresh = case(&[Item::Epoch(2), clock]);
    assert_eq!(first_content(&fresh.store, &["clock"]).unwrap(), None);
    let found = first_content(&fresh.store, &["token"]).unwrap();
    assert_eq!(found.as_deref(), Some("a clock in the catalogue"));
    let used = case(&some_items());
    let found = first_content(&used.store, &["clock", "component"]).unwrap();
    assert_eq!(found.as_deref(), Some("worker `w`"));
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..40)
}

fn any_worker() -> impl Strategy<Value = WorkerId> {
    (0u128..4, "[a-z/ é]{1,8}")
        .prop_map(|(n, name)| WorkerId::new(ComponentId(uuid::Uuid::from_u128(n)), name))
}

fn any_log() -> impl Strategy<Value = LogId> {
    (0u16..256, 1u64..9, 0u64..6)
        .prop_map(|(shard, epoch, n)| LogId::pack(ShardId(shard), epoch, n).unwrap())
}

/// What a store may hold, a few at once where they belong together.
fn any_part() -> impl Strategy<Value = Vec<Item>> {
    let one = |op: Op| vec![Item::Op(op)];
    let entries = vec(vec(bytes(), 1..4), 1..4);
    prop_oneof![
        (0u64..100).prop_map(|epoch| vec![Item::Epoch(epoch)]),
        (any_worker(), any_log(), bytes()).prop_map(move |(worker, log, row)| one(Op::PutWorker {
            worker,
            log,
            row
        })),
        (any_log(), entries).prop_map(|(log, parts)| {
            let mut first = 1;
            let append = |entries: Vec<Vec<u8>>| {
                let op = Op::Append {
                    log,
                    first: OplogIndex(first),
                    entries: entries.clone(),
                };
                first += entries.len() as u64;
                Item::Op(op)
            };
            parts.into_iter().map(append).collect()
        }),
        (any_worker(), any_log())
            .prop_map(move |(worker, log)| one(Op::SetRunning { worker, log })),
        (any_log(), "[a-z]{1,9}", any::<u64>(), any::<u64>()).prop_map(move |(log, key, a, b)| {
            one(Op::PutResult {
                log,
                key: IdempotencyKey(key),
                accepted: OplogIndex(a),
                finished: OplogIndex(b),
            })
        }),
        (any::<u64>(), any::<u64>(), any_worker(), bytes()).prop_map(
            move |(due, id, worker, payload)| {
                let timer = Timer {
                    due,
                    id,
                    worker,
                    payload,
                };
                one(Op::AddTimer { timer })
            }
        ),
        (any::<bool>(), bytes(), bytes()).prop_map(move |(promise, key, value)| {
            let space = if promise {
                KvSpace::Promise
            } else {
                KvSpace::KeyValue
            };
            one(Op::PutKv { space, key, value })
        }),
        ("[a-z]{1,9}", bytes(), any::<u64>(), bytes()).prop_map(|(kind, key, revision, value)| {
            let row = CatalogRow {
                key,
                revision,
                value,
            };
            vec![Item::Catalog { kind, row }]
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_goes_into_a_file_comes_out_of_it(
        parts in vec(any_part(), 0..24),
        large in vec(bytes(), 0..3),
    ) {
        let from = case(&parts.concat());
        for blob in &large {
            from.blobs.put(blob).unwrap();
        }
        let (file, made) = from.file();
        prop_assert_eq!(&verify(&mut file.as_slice()).unwrap(), &made);
        let head = &made.head;
        prop_assert_eq!((head.program.as_str(), head.created_at), ("1.2.3", Timestamp(7)));
        let to = case(&[]);
        // Broken off and begun again: nothing is there twice.
        let half = file.get(..file.len() / 2).unwrap();
        prop_assert!(import(&mut &*half, &to.store, &to.blobs).is_err());
        let done = import(&mut file.as_slice(), &to.store, &to.blobs).unwrap();
        prop_assert_eq!(done, made);
        prop_assert_eq!(items(&to.store), items(&from.store));
        prop_assert_eq!(to.blobs.list().unwrap(), from.blobs.list().unwrap());
        prop_assert_eq!(to.file().0, file);
        drop((from.dir, to.dir));
    }
}
