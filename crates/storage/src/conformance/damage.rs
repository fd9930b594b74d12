// SPDX-License-Identifier: Apache-2.0
//! THE SHELVES / damage: a changed, shortened or missing file of the embedded store is found, or does no harm. In: a store
//! with a few logs. Out: a failed assertion that names file and byte. Never accepts a log that lost entries without a
//! word. Source: storage design F4, reliability spec F5, guarantee G7.

use std::fs;
use std::path::{Path, PathBuf};

use golem_model::OplogIndex;

use super::{append, log_of, put_worker, worker};
use crate::fjall::FjallStore;
use crate::store::{Store, StoreError};

const LOGS: u64 = 4;
const RECORDS: u64 = 12;
/// Bytes that are tried in a journal, spread evenly.
const TRIES_IN_JOURNAL: usize = 24;
/// Bytes that are tried in each table, spread evenly: there are several, and each try opens a store.
const TRIES_IN_TABLE: usize = 6;

fn text(n: u64, index: u64) -> String {
    format!("entry {index} of log {n}").repeat(20)
}

fn fill(directory: &Path, tables: bool) {
    let store = FjallStore::open(directory).unwrap();
    let tokens = store.claim_all().unwrap();
    for index in 1..=RECORDS {
        for n in 0..LOGS {
            let w = worker(1, &n.to_string());
            let log = log_of(&w, n);
            let text = text(n, index);
            store
                .commit(
                    &tokens,
                    &[
                        append(log, index, &[text.as_bytes()]),
                        put_worker(&w, log, b"row"),
                    ],
                )
                .unwrap();
        }
    }
    if tables {
        store.write_tables();
    }
    drop(store);
    // Opened once more: cuts the zeros off the journal, which would be copied for each try.
    drop(FjallStore::open(directory).unwrap());
}

/// What can be read: all of it, or the first error.
fn read(directory: &Path) -> Result<Vec<Vec<Vec<u8>>>, StoreError> {
    let store = FjallStore::open(directory)?;
    (0..LOGS)
        .map(|n| {
            let w = worker(1, &n.to_string());
            let row = store.worker(&w)?;
            let entries = store.read(log_of(&w, n), OplogIndex(1), usize::MAX, usize::MAX)?;
            assert_eq!(store.tail(log_of(&w, n))?.0, entries.len() as u64);
            assert_eq!(row.map(|row| row.row), Some(b"row".to_vec()));
            Ok(entries)
        })
        .collect()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            out.extend(files(&path))
        } else {
            out.push(path)
        }
    }
    out.sort();
    out
}

pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target)
        } else {
            assert!(fs::copy(&path, &target).is_ok())
        }
    }
}

/// Applies `damage` to a copy, and looks. Returns whether it was found.
fn found(original: &Path, what: &str, damage: impl Fn(&Path)) -> bool {
    let entries = |n| {
        (1..=RECORDS)
            .map(move |index| text(n, index).into_bytes())
            .collect()
    };
    let intact: Vec<Vec<Vec<u8>>> = (0..LOGS).map(entries).collect();
    match read_copy(original, damage) {
        Ok(all) => {
            assert!(
                all == intact,
                "{what}: entries changed or are missing, and nobody says so"
            );
            false
        }
        Err(StoreError::Locked(_)) => panic!("{what}: two stores in one directory"),
        Err(_) => true,
    }
}

fn read_copy(original: &Path, damage: impl Fn(&Path)) -> Result<Vec<Vec<Vec<u8>>>, StoreError> {
    let directory = tempfile::tempdir().unwrap();
    copy(original, directory.path());
    damage(directory.path());
    read(directory.path())
}

/// Tries every file of a store; returns how many changes were found, of how many.
fn flip_everywhere(
    tables: bool,
    per_file: usize,
    of_interest: impl Fn(&Path) -> bool,
) -> (usize, usize) {
    let directory = tempfile::tempdir().unwrap();
    fill(directory.path(), tables);
    let (mut hits, mut tries) = (0, 0);
    for file in files(directory.path()) {
        let relative = file.strip_prefix(directory.path()).unwrap().to_owned();
        let length = fs::metadata(&file).unwrap().len() as usize;
        if !of_interest(&relative) || length == 0 {
            continue;
        }
        for at in (0..length).step_by(length.div_ceil(per_file)) {
            let what = format!("{} byte {at}", relative.display());
            tries += 1;
            hits += usize::from(found(directory.path(), &what, |copy| {
                let path = copy.join(&relative);
                let mut bytes = fs::read(&path).unwrap();
                bytes[at] ^= 1 << (at % 8);
                fs::write(&path, bytes).unwrap();
            }));
        }
    }
    (hits, tries)
}

#[test]
fn a_flipped_bit_in_the_journal_is_found() {
    let (hits, tries) = flip_everywhere(false, TRIES_IN_JOURNAL, |path| {
        path.extension().is_some_and(|e| e == "jnl")
    });
    // All but the numbers of the first and the last batch (`journal.rs`).
    assert!(tries >= 20 && hits + 2 >= tries, "found {hits} of {tries}");
}

#[test]
fn a_flipped_bit_in_a_table_is_found_or_does_no_harm() {
    let (hits, tries) = flip_everywhere(true, TRIES_IN_TABLE, |path| {
        path.components().any(|part| part.as_os_str() == "tables")
    });
    // Filters and parts that no read needs may go unnoticed; `found` sees that no entry does.
    assert!(tries >= 12 && hits * 3 >= tries, "found {hits} of {tries}");
}

#[test]
fn a_missing_or_shortened_file_is_found_or_does_no_harm() {
    for tables in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        fill(directory.path(), tables);
        for file in files(directory.path()) {
            let relative = file.strip_prefix(directory.path()).unwrap().to_owned();
            let name = relative.display().to_string();
            found(directory.path(), &format!("{name} missing"), |copy| {
                fs::remove_file(copy.join(&relative)).unwrap()
            });
            if relative.extension().is_some_and(|e| e == "jnl") {
                // A journal that ends early is what a crash leaves: its last batch may be one nobody acknowledged.
                continue;
            }
            found(directory.path(), &format!("{name} cut"), |copy| {
                let path = copy.join(&relative);
                let half = fs::metadata(&path).unwrap().len() / 2;
                fs::OpenOptions::new()
                    .write(true)
                    .open(path)
                    .unwrap()
                    .set_len(half)
                    .unwrap();
            });
        }
    }
}
