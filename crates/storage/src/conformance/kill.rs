// SPDX-License-Identifier: Apache-2.0
//! THE SHELVES / kill: a process that commits is killed at moments nobody chose; what it acknowledged must be there.
//! In: a seed (`GOLEM_SEED`, else the clock). Out: a failed assertion with the seed. Read next: `committer.rs`. Source:
//! reliability spec F2, guarantees G1 and G7.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use golem_model::{LogId, OplogIndex, ShardId};

use super::read_all;
use crate::committer::Committer;
use crate::fjall::FjallStore;
use crate::store::{KvSpace, Op, Store};

/// Set for the child: the data directory. The test binary runs itself.
const CHILD_DIR: &str = "GOLEM_STORAGE_KILL_DIR";
/// Lives of the child.
const ROUNDS: u64 = 8;
/// Logs that the child writes at the same time.
const LOGS: u64 = 8;

fn log(number: u64) -> LogId {
    LogId::pack(ShardId(u16::try_from(number).unwrap()), 1, number).unwrap()
}

/// An entry that says where it belongs, and fills from a few bytes to some pages.
fn entry(number: u64, index: u64) -> Vec<u8> {
    let mut bytes = format!("{number}:{index}:").into_bytes();
    bytes.resize(
        bytes.len() + usize::try_from(index * 7919 % 9000).unwrap(),
        b'.',
    );
    bytes
}

#[test]
fn what_a_killed_process_acknowledged_is_there() {
    if let Some(directory) = std::env::var_os(CHILD_DIR) {
        return write_until_killed(Path::new(&directory));
    }
    let clock = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let seed = std::env::var("GOLEM_SEED").map_or(clock, |text| text.parse().unwrap());
    println!("GOLEM_SEED={seed}");
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged = HashMap::new();
    for round in 0..ROUNDS {
        // Short lives matter most: the first commits after an open are the ones that meet a repaired journal.
        let lines = (seed ^ round).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        live(directory.path(), lines % 600, &mut acknowledged);
        check(directory.path(), &acknowledged, seed);
    }
    assert!(
        acknowledged.values().any(|index| *index > 1),
        "the child never got to work, seed {seed}"
    );
}

/// Runs the child, kills it after it acknowledged `lines` commits, and notes all that it acknowledged.
fn live(directory: &Path, lines: u64, acknowledged: &mut HashMap<u64, u64>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "conformance::kill::what_a_killed_process_acknowledged_is_there",
            "--nocapture",
        ])
        .env(CHILD_DIR, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut seen = 0;
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while reader.read_line(&mut line).unwrap() > 0 {
        // Written with one call each, so a line that ends is a line that was meant.
        if let Some((number, index)) = line
            .strip_suffix('\n')
            .and_then(|l| l.strip_prefix("ack ")?.split_once(' '))
        {
            acknowledged.insert(number.parse().unwrap(), index.parse().unwrap());
            seen += 1;
        }
        if seen == lines {
            // SIGKILL. What it wrote to the pipe before that is still read below.
            child.kill().unwrap();
        }
        line.clear();
    }
    child.wait().unwrap();
    assert!(seen >= lines, "the child ended by itself");
}

fn check(directory: &Path, acknowledged: &HashMap<u64, u64>, seed: u64) {
    let store = FjallStore::open(directory).unwrap();
    for number in 0..LOGS {
        let entries = read_all(&store, log(number));
        let tail = entries.len() as u64;
        let promised = acknowledged.get(&number).copied().unwrap_or(0);
        assert!(
            tail >= promised,
            "log {number} ends at {tail}, acknowledged {promised}, seed {seed}"
        );
        for (index, stored) in (1..).zip(&entries) {
            assert!(
                *stored == entry(number, index),
                "log {number}, entry {index}, seed {seed}"
            );
        }
        // Written in the same batch as each append: all or nothing.
        let value = store.kv(KvSpace::KeyValue, &number.to_be_bytes()).unwrap();
        let value = value.map_or(0, |bytes| u64::from_be_bytes(bytes.try_into().unwrap()));
        assert_eq!(value, tail, "log {number}, seed {seed}");
    }
}

fn write_until_killed(directory: &Path) {
    let store = Arc::new(FjallStore::open(directory).unwrap());
    let committer =
        Committer::start(store.clone(), store.claim_all().unwrap(), |e| panic!("{e}")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let writers: Vec<_> = (0..LOGS)
            .map(|n| tokio::spawn(write(store.clone(), committer.clone(), n)))
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
    });
}

async fn write(store: Arc<FjallStore>, committer: Arc<Committer>, number: u64) {
    let tail = store.tail(log(number)).unwrap().0;
    for index in tail + 1.. {
        let append = Op::Append {
            log: log(number),
            first: OplogIndex(index),
            entries: vec![entry(number, index)],
        };
        let key = number.to_be_bytes().to_vec();
        let last = Op::PutKv {
            space: KvSpace::KeyValue,
            key,
            value: index.to_be_bytes().to_vec(),
        };
        let seq = committer.submit([append, last]);
        committer.wait(seq).await.unwrap();
        let line = format!("ack {number} {index}\n");
        // The parent is gone: so is the reason to live.
        if std::io::stdout().write_all(line.as_bytes()).is_err() {
            return;
        }
    }
}
