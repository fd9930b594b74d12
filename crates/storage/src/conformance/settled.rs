// SPDX-License-Identifier: Apache-2.0
//! THE SHELVES / settled: an open reads back what came after the last note and nothing else, whatever moment a crash chose.
//! In: copies of stores in every state that a crash can leave. Read next: `../fjall/settled.rs`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use golem_model::OplogIndex;

use super::damage::copy;
use super::{append, log_of, read_all, worker};
use crate::fjall::FjallStore;
use crate::fjall::journal::{list, read_written};
use crate::store::Store;

/// Entries before the note: several times what lets the store write its tables in tests.
const BEFORE: u64 = 400;
/// Entries behind it.
const AFTER: u64 = 5;
/// Logs that the entries go to in turn.
const LOGS: u64 = 4;
/// The note.
const NOTE: &str = "fjall/settled";
/// Longest wait for the note, far above what it needs.
const PATIENCE: Duration = Duration::from_secs(30);

fn text(index: u64) -> Vec<u8> {
    format!("entry {index} ").repeat(300).into_bytes()
}

fn write(store: &FjallStore, from: u64, to: u64) {
    let tokens = store.claim_all().unwrap();
    for index in from..to {
        let appends = (0..LOGS).map(|n| {
            let log = log_of(&worker(1, &n.to_string()), n);
            append(log, index, &[&text(index)])
        });
        store.commit(&tokens, &appends.collect::<Vec<_>>()).unwrap();
    }
}

/// Bytes that an open has to read.
fn journal_bytes(directory: &Path) -> u64 {
    let journals = list(&directory.join("fjall")).unwrap();
    let bytes = journals.iter().map(|journal| {
        read_written(File::open(&journal.path).unwrap())
            .unwrap()
            .len() as u64
    });
    bytes.sum()
}

/// Opens a store and reads all that was written; returns how long the open took.
fn whole(directory: &Path, what: &str) -> Duration {
    let start = Instant::now();
    let store = FjallStore::open(directory).unwrap();
    let took = start.elapsed();
    for n in 0..LOGS {
        let log = log_of(&worker(1, &n.to_string()), n);
        assert_eq!(
            store.tail(log).unwrap(),
            OplogIndex(BEFORE + AFTER),
            "{what}"
        );
        let entries = read_all(&store, log);
        for (index, entry) in (1..).zip(entries) {
            assert!(entry == text(index), "{what}: log {n}, entry {index}");
        }
    }
    took
}

struct Copied {
    _directory: tempfile::TempDir,
    path: PathBuf,
}

fn copied(directory: &Path) -> Copied {
    let copied = tempfile::tempdir().unwrap();
    let path = copied.path().join("data");
    copy(directory, &path);
    Copied {
        _directory: copied,
        path,
    }
}

#[test]
fn an_open_reads_what_came_after_the_note_whatever_a_crash_left() {
    let directory = tempfile::tempdir().unwrap();
    let store = FjallStore::open(directory.path()).unwrap();
    write(&store, 1, BEFORE + 1);
    store.settle();
    write(&store, BEFORE + 1, BEFORE + AFTER + 1);
    // Nothing is noted at the end, and nobody merges tables while they are copied.
    drop(store);
    let killed = copied(directory.path());
    let full = journal_bytes(&killed.path);

    let without = copied(&killed.path);
    fs::remove_file(without.path.join(NOTE)).unwrap();
    let slow = whole(&without.path, "a crash after the note was taken away");
    assert_eq!(journal_bytes(&without.path) / full, 1);

    let note = fs::read(killed.path.join(NOTE)).unwrap();
    let cut = copied(&killed.path);
    let fast = whole(&cut.path, "a kill");
    let left = journal_bytes(&cut.path);
    println!("{left} bytes of journals instead of {full}, open {fast:?} instead of {slow:?}");
    assert!(left * 10 < full, "{left} bytes of {full} are left");
    assert!(!cut.path.join(NOTE).exists());
    whole(&cut.path, "another start");

    // A note that fits another journal of the same name must never cut this one.
    fs::write(cut.path.join(NOTE), &note).unwrap();
    whole(&cut.path, "a note that came back");
    for bit in (0..note.len() * 8).step_by(83) {
        let damaged = copied(&killed.path);
        let mut bytes = note.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(damaged.path.join(NOTE), bytes).unwrap();
        whole(&damaged.path, "a damaged note");
    }
}

#[test]
fn a_store_that_is_written_to_notes_by_itself() {
    let directory = tempfile::tempdir().unwrap();
    let store = FjallStore::open(directory.path()).unwrap();
    write(&store, 1, BEFORE + AFTER + 1);
    let start = Instant::now();
    while !directory.path().join(NOTE).exists() {
        assert!(start.elapsed() < PATIENCE, "no note");
        std::thread::yield_now();
    }
    drop(store);
    let full = journal_bytes(directory.path());
    whole(directory.path(), "another start");
    let left = journal_bytes(directory.path());
    println!("{left} bytes of journals of {full} are left");
    assert!(left < full);
}
