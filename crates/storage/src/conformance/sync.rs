// SPDX-License-Identifier: Apache-2.0
//! THE SHELVES / sync: a commit returns only after the kernel was told to put the journal on the disk. In: the system calls
//! of a child process, as strace sees them. Out: a failed assertion with the calls. Says so and skips where strace is not
//! there or may not look. Read next: `fjall/db.rs`. Source: storage design §1 (guard rail 8), invariant I1.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use super::{append, log_of, worker};
use crate::fjall::FjallStore;
use crate::store::Store;

/// Set for the child: the data directory. The test binary runs itself.
const CHILD_DIR: &str = "GOLEM_STORAGE_SYNC_DIR";
const COMMITS: u64 = 5;

#[test]
fn every_commit_syncs_the_journal_before_it_returns() {
    if let Some(directory) = std::env::var_os(CHILD_DIR) {
        return commit_some(Path::new(&directory));
    }
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("trace");
    let status = Command::new("strace")
        .args(["-f", "-y", "-e", "trace=fdatasync,fsync,write", "-o"])
        .arg(&trace)
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "conformance::sync::every_commit_syncs_the_journal_before_it_returns",
            "--nocapture",
        ])
        .env(CHILD_DIR, directory.path().join("store"))
        .stdout(std::process::Stdio::null())
        .status();
    let calls = std::fs::read_to_string(&trace).unwrap_or_default();
    // strace fails by itself where it is not installed or may not trace: then the child has not begun.
    if !status.is_ok_and(|status| status.success()) && !calls.contains("commit 1 begins") {
        println!(
            "SKIPPED: strace cannot be used here, so nobody has looked whether commits are synced"
        );
        return;
    }
    for n in 1..=COMMITS {
        let begin = format!("commit {n} begins");
        let lines: Vec<_> = calls
            .lines()
            .skip_while(|line| !line.contains(&begin))
            .take_while(|line| !line.contains(&format!("commit {n} returned")))
            .collect();
        // By the thread that commits: the library's own threads sync for reasons of their own.
        let thread = lines
            .first()
            .and_then(|line| line.split_whitespace().next())
            .unwrap();
        let is_sync = |line: &&str| {
            line.split_whitespace().next() == Some(thread)
                && line.contains("sync(")
                && line.contains(".jnl>")
        };
        let is_write = |line: &&str| line.contains("write(") && line.contains(".jnl>");
        let written = lines
            .iter()
            .position(is_write)
            .unwrap_or_else(|| panic!("commit {n} wrote nothing: {lines:#?}"));
        let after = lines.get(written..).unwrap();
        assert!(
            after.iter().any(is_sync),
            "commit {n} was not synced: {lines:#?}"
        );
    }
}

fn commit_some(directory: &Path) {
    let store = FjallStore::open(directory).unwrap();
    let tokens = store.claim_all().unwrap();
    let log = log_of(&worker(1, "w"), 1);
    let mut out = std::io::stdout();
    for n in 1..=COMMITS {
        // One write call each: they are the marks in the trace.
        out.write_all(format!("commit {n} begins\n").as_bytes())
            .unwrap();
        store
            .commit(&tokens, &[append(log, n, &[b"entry"])])
            .unwrap();
        out.write_all(format!("commit {n} returned\n").as_bytes())
            .unwrap();
    }
}
