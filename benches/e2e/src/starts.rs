// SPDX-License-Identifier: Apache-2.0
//! THE SCALES / starts: from nothing to an answer: an empty server, a component that nobody knows, a killed server with very many
//! workers. In: servers of their own, each on an empty directory. Out: rows. Never judges.
//! Read next: `memory.rs`. Source: benches/README.md, "Rows".

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::guests::unknown;
use crate::measure::{Better, Row, Side, Who};
use crate::process::Program;
use crate::report;
use crate::rest;
use crate::rows::Bench;
use crate::subject::{Op, Subject};

/// How long an empty server is watched.
const IDLE: Duration = Duration::from_secs(5);
/// Workers above which the peer is measured in its tuned way only: as it comes, it takes minutes more to make them, and the tuned
/// way is the better one there.
const DEFAULT_WORKERS_MAX: u64 = 10_000;

impl Bench<'_> {
    /// What a server costs that nobody uses, and its start.
    pub(crate) async fn idle(&mut self) -> anyhow::Result<()> {
        let mut rows = [
            (
                "idle-ready",
                "start of an empty server to its first answer",
                "ms",
            ),
            ("idle-rss", "its memory", "MB"),
            ("idle-cpu", "its CPU time in 5 s, of one core", "%"),
            ("idle-disk", "its data on disk", "MB"),
        ]
        .map(|(id, what, unit)| Row::new(id, what, unit, Better::Low));
        for round in 0..self.args.rounds as usize {
            let dir = self.dir.join(format!("idle-{round}"));
            std::fs::create_dir_all(&dir)?;
            let mut server = Program::server(&self.golem_cli, &dir)?;
            let start = Instant::now();
            server.start().await?;
            let ready_ms = start.elapsed().as_secs_f64() * 1e3;
            let ours = watched(&server, ready_ms, &dir.join("data")).await?;
            drop(server);
            let mut sides = vec![(Who::Ours, ours)];
            if let Some(installed) = self.installed.clone() {
                for who in Who::PEERS {
                    let dir = self.dir.join(format!("idle-{round}-{}", who.word()));
                    let peer = installed.start(who, &dir, &[]).await?;
                    let data = dir.join("data");
                    sides.push((who, watched(&peer.server, peer.ready_ms, &data).await?));
                }
            }
            for (who, values) in sides {
                for (row, value) in rows.iter_mut().zip(values) {
                    row.put(round, who, Side::of(value, 1));
                }
            }
            for row in &rows {
                report::round(row)?;
            }
        }
        self.rows.extend(rows);
        let size = std::fs::metadata(&self.golem_cli)?.len() as f64 / 1e6;
        self.fact("binary-size", "golem-cli as a file", "MB", size)
    }

    /// From the upload of a component that the server does not know to the first answer of a worker.
    pub(crate) async fn cold_unknown(&mut self) -> anyhow::Result<()> {
        let ours = self.ours("cold-unknown", &[]).await?;
        let guests = [
            ("", Op::Add, self.guests.counter.clone()),
            ("-tiny", Op::TinyAdd, self.guests.tiny.clone()),
        ];
        for (suffix, op, wasm) in guests {
            let id = format!("cold-unknown{suffix}");
            let what = "upload of an unknown component to the first answer";
            let mut whole = Row::new(&id, what, "ms", Better::Low);
            let id = format!("cold-unknown-compile{suffix}");
            let what = "the upload alone, which compiles it";
            let mut upload = Row::new(&id, what, "ms", Better::Low);
            for round in 0..self.args.rounds as usize {
                let name = format!("unknown{suffix}-{round}");
                let wasm = unknown(&wasm, &format!("{name}-{}", std::process::id()));
                let mut connection = ours.connect().await?;
                let start = Instant::now();
                let component = rest::upload(&mut connection, &name, "Durable", &wasm).await?;
                let uploaded = start.elapsed().as_secs_f64() * 1e3;
                let ids = crate::subject::Components {
                    counter: component.clone(),
                    tiny: component,
                    ..Default::default()
                };
                let api = crate::subject::Api::Ours(ids.into());
                let total = api.ask(&mut connection, op, "first", Some(1)).await?;
                let answered = start.elapsed().as_secs_f64() * 1e3;
                self.compare(Who::Ours, &name, total, 1, 1);
                whole.put(round, Who::Ours, Side::of(answered, 1));
                upload.put(round, Who::Ours, Side::of(uploaded, 1));
                report::round(&upload)?;
                report::round(&whole)?;
            }
            self.rows.extend([upload, whole]);
        }
        Ok(())
    }

    /// SIGKILL with very many workers, start, first correct answer; then every worker is read and compared.
    pub(crate) async fn recover(&mut self) -> anyhow::Result<()> {
        for workers in self.args.recover.clone() {
            let id = format!("recover-{workers}");
            let what = format!("SIGKILL with {workers} workers, start to first correct get");
            let mut row = Row::new(&id, &what, "ms", Better::Low);
            let mut subjects = vec![self.ours(&id, &[]).await?];
            subjects.extend(self.peers(&id, &[]).await?);
            subjects.retain(|s| s.who != Who::PeerDefault || workers <= DEFAULT_WORKERS_MAX);
            subjects.push(Subject::floor(&self.dir).await?);
            let name = |key: u64| format!("r-{key}");
            for subject in subjects.iter().filter(|s| s.who != Who::Floor) {
                subject.prepare(Op::Add, workers, name).await?;
            }
            for round in 0..self.args.rounds as usize {
                for subject in &mut subjects {
                    // The floor recovers nothing: its start is what a process and one durable add cost.
                    let (op, n) = match subject.who {
                        Who::Floor => (Op::Add, Some(1)),
                        _ => (Op::Get, None),
                    };
                    let (ms, state) = subject.restart(op, "r-0", n).await?;
                    row.put(round, subject.who, Side::of(ms, 1));
                    self.compare(subject.who, "r-0", state, 1, 1);
                }
                report::round(&row)?;
            }
            for subject in subjects.iter().filter(|s| s.who != Who::Floor) {
                for (key, state) in subject.each_number(Op::Get, workers, name).await? {
                    self.compare(subject.who, &name(key), state, 1, 1);
                }
            }
            self.rows.push(row);
        }
        Ok(())
    }
}

/// Start in ms, memory in MB, CPU time in percent of a core, disk in MB.
async fn watched(server: &Program, ready_ms: f64, data: &Path) -> anyhow::Result<[f64; 4]> {
    // What the start left to do is not what a server costs that nobody uses.
    tokio::time::sleep(IDLE / 5).await;
    let (cpu, start) = (server.fine_cpu_us()?, Instant::now());
    tokio::time::sleep(IDLE).await;
    let share = (server.fine_cpu_us()? - cpu) / start.elapsed().as_micros() as f64;
    Ok([
        ready_ms,
        server.resident_bytes()? / 1e6,
        share * 100.0,
        disk_bytes(data)? / 1e6,
    ])
}

/// Bytes that a folder takes on disk: blocks, not lengths.
fn disk_bytes(path: &Path) -> anyhow::Result<f64> {
    let mut bytes = 0.0;
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let meta = std::fs::symlink_metadata(entry.path())?;
        // `st_blocks` counts 512 bytes on every system.
        bytes += meta.blocks() as f64 * 512.0;
        if meta.is_dir() {
            bytes += disk_bytes(&entry.path())?;
        }
    }
    Ok(bytes)
}
