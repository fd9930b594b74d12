// SPDX-License-Identifier: Apache-2.0
//! THE SCALES / floor: the least that a durable counter over HTTP can cost on this disk. In: `POST /d/<key>/add`. Out: the new
//! total, after a 200-byte record is durable in one recycled, zero-filled file. No recovery, no types, no wasm.
//! Read next: `rows.rs` (beside what it is shown). Source: benches/README.md, "The floor".

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Instant;

use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::args::Floor;
use crate::http::Connection;

/// Bytes of one record: about what an invocation's entries take.
const RECORD_BYTES: usize = 200;
/// Bytes at the end of the file that no batch may start in: more than the largest batch takes.
const RESERVE_BYTES: u64 = 1 << 20;
/// Bytes of zeros written at once while filling.
const FILL_BYTES: usize = 1 << 20;

type Waiting = oneshot::Sender<()>;

#[derive(Debug)]
struct Shared {
    totals: Mutex<HashMap<String, u64>>,
    /// To the committer. Unbounded, because each connection waits for its own record: never longer than connections.
    committer: mpsc::Sender<Waiting>,
}

/// Serves until the process is killed. Errors: the file or the port cannot be had.
pub(crate) async fn serve(args: &Floor) -> anyhow::Result<()> {
    let bytes = args.mib << 20;
    let file = prepare(&args.file, bytes)?;
    let (committer, records) = mpsc::channel();
    std::thread::Builder::new()
        .name("committer".to_owned())
        .spawn(move || commit(&file, bytes, &records))?;
    let shared = Arc::new(Shared {
        totals: Mutex::default(),
        committer,
    });
    let listener = TcpListener::bind(("127.0.0.1", args.port)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            // A client that goes away ends its connection and nothing else.
            let _ = connection(Connection::accepted(stream)?, &shared).await;
            io::Result::Ok(())
        });
    }
}

async fn connection(mut connection: Connection, shared: &Shared) -> io::Result<()> {
    while let Some(request) = connection.receive().await? {
        let path = request.first_line.split(' ').nth(1).unwrap_or_default();
        let Some(key) = path
            .strip_prefix("/d/")
            .and_then(|rest| rest.strip_suffix("/add"))
        else {
            connection.respond("404 Not Found", "{}").await?;
            continue;
        };
        let total = {
            let mut totals = shared.totals.lock().unwrap_or_else(PoisonError::into_inner);
            let total = totals.entry(key.to_owned()).or_default();
            *total += 1;
            *total
        };
        let (waiting, durable) = oneshot::channel();
        if shared.committer.send(waiting).is_err() || durable.await.is_err() {
            return connection.respond("500 Internal Server Error", "{}").await;
        }
        connection
            .respond("200 OK", &format!("{{\"value\":[{total}]}}"))
            .await?;
    }
    Ok(())
}

/// The committer: takes all that wait, writes once, syncs once, lets all go. Ends with the first failed write or sync.
fn commit(file: &File, size_bytes: u64, records: &mpsc::Receiver<Waiting>) {
    let mut at = 0;
    while let Ok(first) = records.recv() {
        let batch: Vec<Waiting> = std::iter::once(first).chain(records.try_iter()).collect();
        let bytes = vec![0x5A; batch.len() * RECORD_BYTES];
        if file
            .write_all_at(&bytes, at)
            .and_then(|()| file.sync_data())
            .is_err()
        {
            return;
        }
        at += bytes.len() as u64;
        if at + RESERVE_BYTES > size_bytes {
            at = 0;
        }
        for waiting in batch {
            // Whoever does not wait any more has lost nothing.
            let _ = waiting.send(());
        }
    }
}

/// Opens the file, filled with zeros to its full size once: growing a file costs milliseconds at random moments.
fn prepare(path: &Path, size_bytes: u64) -> io::Result<File> {
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    let zeros = vec![0; FILL_BYTES];
    let mut at = file.metadata()?.len();
    while at < size_bytes {
        file.write_all_at(&zeros, at)?;
        at += zeros.len() as u64;
    }
    file.sync_all()?;
    Ok(file)
}

/// Microseconds that a record takes to be durable when nothing else is done, of `count` one after the other in a file like the floor's.
pub(crate) fn sync_us(path: &Path, count: u64) -> io::Result<f64> {
    let file = prepare(path, RESERVE_BYTES)?;
    let record = [0x5A; RECORD_BYTES];
    let start = Instant::now();
    for number in 0..count {
        let at = number * RECORD_BYTES as u64 % RESERVE_BYTES;
        file.write_all_at(&record, at)?;
        file.sync_data()?;
    }
    Ok(start.elapsed().as_secs_f64() * 1e6 / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{self, Load};
    use std::time::Duration;

    #[tokio::test]
    async fn each_reply_is_counted_once_and_load_is_measured() {
        let dir = std::env::temp_dir().join(format!("golem-bench-floor-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = free.local_addr().unwrap();
        drop(free);
        let args = Floor {
            port: peer.port(),
            file: dir.join("log"),
            mib: 2,
        };
        let served = tokio::spawn(async move { serve(&args).await });
        let mut connection = loop {
            match Connection::open(peer).await {
                Ok(connection) => break connection,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        let path: load::PathOf = Arc::new(|key| format!("/d/k-{key}/add"));
        let sample = load::each_once(peer, 8, 100, Arc::clone(&path), "{}")
            .await
            .unwrap();
        assert_eq!(sample.replies(), 100);
        let answer = connection
            .request("POST", "/d/k-99/add", "application/json", b"")
            .await
            .unwrap();
        assert_eq!(answer.body, b"{\"value\":[2]}");
        let (warmup, length) = (Duration::ZERO, Duration::from_millis(200));
        let load = Load {
            address: peer,
            connections: 4,
            keys: 10,
            path,
            body: "{}".to_owned(),
            warmup,
            length,
        };
        let sample = load::run(&load, || 0.0).await.unwrap();
        assert!(sample.errors == 0 && sample.replies() > 0 && sample.quantile_us(0.5) > 0.0);
        let wrong: load::PathOf = Arc::new(|_| "/nowhere".to_owned());
        assert!(
            load::run(
                &Load {
                    path: wrong,
                    ..load
                },
                || 0.0
            )
            .await
            .is_err()
        );
        served.abort();
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
