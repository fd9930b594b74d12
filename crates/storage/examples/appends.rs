// SPDX-License-Identifier: Apache-2.0
//! THE SHELVES / appends: measures durable appends through the committer on the embedded store. In: a directory and a
//! number of seconds. Out: one line per number of concurrent tasks, then the time to open what was written.
//! Not a test: numbers depend on the disk. Run: `cargo run --release -p golem-storage --example appends -- DIR [SECONDS]`;
//! with 0 seconds it only opens what is there, for instance what a process left that was killed.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a measuring program"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use golem_model::{LogId, OplogIndex, ShardId};
use golem_storage::{Committer, FjallStore, Op, Store};

/// Bytes of one entry: that of the table in the storage design.
const ENTRY_BYTES: usize = 200;

fn main() {
    let mut args = std::env::args().skip(1);
    let directory = args.next().unwrap_or_else(|| "appends-data".into());
    let seconds = args.next().map_or(2, |text| text.parse().unwrap());
    if seconds == 0 {
        // What a process left that was killed.
        let begin = Instant::now();
        let store = FjallStore::open(&directory).unwrap();
        println!("open {:?}", begin.elapsed());
        return drop(store);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    for tasks in [1, 16, 64, 256] {
        let store = Arc::new(FjallStore::open(&directory).unwrap());
        let tokens = store.claim_all().unwrap();
        let epoch = tokens[0].epoch;
        let committer = Committer::start(store.clone(), tokens, |e| panic!("{e}")).unwrap();
        let until = Instant::now() + Duration::from_secs(seconds);
        let done = Arc::new(AtomicU64::new(0));
        let mut times: Vec<Duration> = runtime.block_on(async {
            let handles: Vec<_> = (0..tasks)
                .map(|task| {
                    let (committer, done) = (committer.clone(), done.clone());
                    tokio::spawn(async move {
                        let mut times = Vec::new();
                        let log = LogId::pack(ShardId(task % 256), epoch, u64::from(task)).unwrap();
                        for index in 1.. {
                            let begin = Instant::now();
                            if begin >= until {
                                break;
                            }
                            let entries = vec![vec![7; ENTRY_BYTES]];
                            let seq = committer.submit([Op::Append {
                                log,
                                first: OplogIndex(index),
                                entries,
                            }]);
                            committer.wait(seq).await.unwrap();
                            times.push(begin.elapsed());
                            done.fetch_add(1, Ordering::Relaxed);
                        }
                        times
                    })
                })
                .collect();
            let mut all = Vec::new();
            for handle in handles {
                all.extend(handle.await.unwrap());
            }
            all
        });
        times.sort();
        let at =
            |share: usize| times[(times.len() * share / 1000).min(times.len() - 1)].as_micros();
        let commits = committer.stats().commits;
        println!(
            "{tasks:4} tasks: {:7} appends/s, {:6} commits/s, p50 {} us, p95 {} us, p99 {} us, p99.9 {} us",
            done.load(Ordering::Relaxed) / seconds,
            commits / seconds,
            at(500),
            at(950),
            at(990),
            at(999)
        );
        committer.stop();
        println!(
            "           {} MB on disk",
            store.disk_bytes().unwrap() >> 20
        );
        drop((committer, store));
        let begin = Instant::now();
        let store = FjallStore::open(&directory).unwrap();
        let opened = begin.elapsed();
        drop(store);
        println!(
            "           open {opened:?}, close {:?}",
            begin.elapsed() - opened
        );
    }
}
