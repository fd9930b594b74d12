// SPDX-License-Identifier: Apache-2.0
//! THE SCALES / memory: what a worker costs while nobody uses it, and what very many of them cost the others. In: servers of
//! their own, each on an empty directory. Out: rows. Never judges. Read next: `millions.rs`, `history.rs`.
//! Source: benches/README.md, "Rows".

use std::time::{Duration, Instant};

use crate::http::Connection;
use crate::measure::{Better, Row, Side, Who, median};
use crate::rows::{Bench, MANY_CONNECTIONS, latency, throughput};
use crate::subject::{Op, Subject};
use crate::{millions, report, rest};

/// For so many evicted workers that count one comes before that does not: enough to fill the write buffers of the store.
const EVICTED_BEFORE: u64 = 2;
/// Times as many as have instances are suspended.
const SUSPENDED_TIMES: u64 = 40;
/// How long suspended workers sleep: longer than anybody measures.
const REST_MS: u64 = 3_600_000;
/// Longest wait until all of them are noted as suspended.
const SUSPENDED_MAX: Duration = Duration::from_secs(120);
/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(200);
/// Invocations that the growth of a server's memory is told for, and between two looks at it.
const FLAT: u64 = 10_000;
/// Looks of which the highest counts: in so many invocations the store fills its write buffers and empties them again.
const LOOKS: u64 = 6;
/// Workers that are called out of a million.
const SAMPLE: u64 = 200;
/// Numbers of existing workers that are compared.
const SIZES: [(u64, &str); 3] = [(1_000, "1k"), (100_000, "100k"), (1_000_000, "1m")];
/// Workers that are called again and again beside all the others.
const HOT: u64 = 1_000;
/// Workers up to which the peer is measured: it makes about a thousand a second, and we write a million at once.
const PEER_WORKERS_MAX: u64 = 100_000;

impl Bench<'_> {
    /// A server of ours, started anew after all guests were compiled, that has called one worker of each counter: what the first
    /// instance of a component brings with it is not a worker's.
    pub(crate) async fn warm(&self, name: &str, options: &[&str]) -> anyhow::Result<Subject> {
        let mut ours = self.ours(name, options).await?;
        ours.restart(Op::Add, "first", Some(1)).await?;
        let mut connection = ours.connect().await?;
        ours.api
            .ask(&mut connection, Op::TinyAdd, "first", Some(1))
            .await?;
        ours.api
            .ask(&mut connection, Op::SharedAdd, "first", Some(1))
            .await?;
        Ok(ours)
    }

    /// One call of each of `workers` new workers, then what the memory has grown by for each, in bytes.
    async fn grown(
        subject: &Subject,
        op: Op,
        name: &'static str,
        workers: u64,
    ) -> anyhow::Result<f64> {
        let before = subject.server().private_bytes()?;
        let name = move |key: u64| format!("{name}-{key}");
        subject.prepare(op, workers, name).await?;
        let grown = subject.server().private_bytes()? - before;
        Ok(grown.max(0.0) / workers as f64)
    }

    /// Lets workers begin a long sleep. Returns the growth of the memory for each when all sleep, and when all are noted as
    /// suspended.
    async fn suspended(ours: &Subject, name: &str, workers: u64) -> anyhow::Result<(f64, f64)> {
        let before = ours.server().private_bytes()?;
        let mut connection = ours.connect().await?;
        let counter = ours.components().counter.clone();
        let function = "bench:counter/counter-api.%7Brest%7D";
        for key in 0..workers {
            let worker = format!("{name}-{key}");
            rest::begin(&mut connection, &counter, &worker, function, REST_MS).await?;
        }
        let waiting = (ours.server().private_bytes()? - before).max(0.0);
        let start = Instant::now();
        for key in 0..workers {
            let worker = format!("{name}-{key}");
            while rest::status(&mut connection, &counter, &worker).await? != "Suspended" {
                anyhow::ensure!(
                    start.elapsed() < SUSPENDED_MAX,
                    "`{worker}` is not suspended"
                );
                tokio::time::sleep(LOOK).await;
            }
        }
        let suspended = (ours.server().private_bytes()? - before).max(0.0);
        Ok((waiting / workers as f64, suspended / workers as f64))
    }

    /// Bytes of a worker with an instance, of one without, of one that sleeps.
    pub(crate) async fn density(&mut self) -> anyhow::Result<()> {
        let resident = self.args.density;
        let ours = self.warm("density-resident", &[]).await?;
        let what = format!("private memory of each of {resident} Go workers after one call each");
        let each = Self::grown(&ours, Op::Add, "w", resident).await?;
        self.fact("density-resident", &what, "B", each)?;
        let each = Self::grown(&ours, Op::SharedAdd, "s", resident).await?;
        let what = "the same of Go workers that share their start";
        self.fact("density-resident-shared", what, "B", each)?;
        let each = Self::grown(&ours, Op::TinyAdd, "t", resident).await?;
        let what = "the same without a language's run-time";
        self.fact("density-resident-tiny", what, "B", each)?;
        drop(ours);

        // What the process needs for any number of workers is there after the first ones, in both of the next.
        let workers = self.args.evicted;
        let what = format!("the same of each of {workers} more Go workers that have left memory");
        let mut row = Row::new("density-evicted", &what, "B", Better::Low);
        let mut subjects = vec![
            self.warm("density-evicted", &["--resident-max", "1"])
                .await?,
        ];
        subjects.extend(self.peers("density-evicted", &[]).await?);
        for subject in subjects {
            let before = workers / EVICTED_BEFORE;
            Self::grown(&subject, Op::Add, "first", before).await?;
            let each = Self::grown(&subject, Op::Add, "w", workers).await?;
            row.put(0, subject.who, Side::of(each, workers));
        }
        self.done(row)?;

        let workers = resident * SUSPENDED_TIMES;
        let ours = self
            .warm("density-suspended", &["--resident-max", "1"])
            .await?;
        let (waiting, _) = Self::suspended(&ours, "first", workers).await?;
        let what = format!("the same of each of {workers} that began to sleep just now");
        self.fact("density-waiting", &what, "B", waiting)?;
        let (_, suspended) = Self::suspended(&ours, "w", workers).await?;
        let what = format!("the same of each of {workers} more that sleep for an hour");
        self.fact("density-suspended", &what, "B", suspended)
    }

    /// What a server's memory grows by with invocations, when it has had enough of them to have filled what has a fixed size.
    pub(crate) async fn flat(&mut self) -> anyhow::Result<()> {
        let ours = self.warm("flat", &[]).await?;
        let span = LOOKS * FLAT;
        let what = format!(
            "growth of the server's memory for {FLAT} invocations: the highest of {span} after that of as many before"
        );
        let mut row = Row::new("flat", &what, "MiB", Better::Low);
        let mut before = Self::highest(&ours).await?;
        for round in 0..self.args.rounds as usize {
            let after = Self::highest(&ours).await?;
            let each = mib(after - before) / LOOKS as f64;
            row.put(round, Who::Ours, Side::of(each, span));
            before = after;
            report::round(&row)?;
        }
        self.rows.push(row);
        Ok(())
    }

    /// The most memory that the server has, in bytes, at [`LOOKS`] looks with [`FLAT`] invocations of one worker before each.
    async fn highest(ours: &Subject) -> anyhow::Result<f64> {
        let mut highest = 0.0_f64;
        for _ in 0..LOOKS {
            let name = |_| "flat".to_owned();
            ours.each_once(Op::Add, MANY_CONNECTIONS, FLAT, name)
                .await?;
            highest = highest.max(ours.server().resident_bytes()?);
        }
        Ok(highest)
    }

    /// Stops the server and writes copies of its worker `first` with these numbers into its store.
    async fn copies(
        &self,
        ours: &mut Subject,
        name: &str,
        numbers: std::ops::Range<u64>,
    ) -> anyhow::Result<()> {
        ours.kill()?;
        let data = self.dir.join(name).join("data");
        let counter = ours.components().counter.clone();
        let (start, count) = (Instant::now(), numbers.end - numbers.start);
        tokio::task::spawn_blocking(move || millions::copy(&data, &counter, "first", numbers))
            .await??;
        report::say(&format!(
            "{name}: {count} workers written in {:.1} s",
            start.elapsed().as_secs_f64()
        ))
    }

    /// Memory of a server that knows very many workers, at its start and after some of them were called.
    pub(crate) async fn known(&mut self) -> anyhow::Result<()> {
        let known = self.args.known;
        let mut ours = self.warm("known", &["--resident-max", "16"]).await?;
        self.copies(&mut ours, "known", 0..known).await?;
        let start = ours.spawn()?;
        let server = ours.server().address;
        let mut connection = loop {
            match Connection::open(server).await {
                Ok(connection) => break connection,
                Err(error) if start.elapsed() > SUSPENDED_MAX => return Err(error.into()),
                Err(_) => tokio::time::sleep(crate::process::READY_PAUSE).await,
            }
        };
        connection
            .request("GET", "/healthcheck", "application/json", b"")
            .await?;
        let ready = start.elapsed().as_secs_f64() * 1e3;
        let what = format!("start to the first answer with {known} known workers");
        self.fact("known-ready", &what, "ms", ready)?;
        let what = format!("memory of the server with {known} known workers after its start");
        let memory = mib(ours.server().resident_bytes()?);
        self.fact("known", &what, "MiB", memory)?;
        let mut times = Vec::new();
        for at in 0..SAMPLE {
            // Spread over all of them, in an order that no cache likes.
            let name = millions::name(at * 7_919 * (known / SAMPLE).max(1) % known);
            let start = Instant::now();
            let state = ours.api.ask(&mut connection, Op::Get, &name, None).await?;
            times.push(start.elapsed().as_secs_f64() * 1e6);
            self.compare(Who::Ours, &name, state, 1, 1);
        }
        let what = format!("first call of one of {known} known workers, p50");
        let p50 = median(times.into_iter());
        self.fact("known-first-call", &what, "us", p50)?;
        let what = format!("memory of the server after {SAMPLE} of them were called");
        let memory = mib(ours.server().resident_bytes()?);
        self.fact("known-touched", &what, "MiB", memory)
    }

    /// Latency and rate beside more and more existing workers: of a few that are called again and again, and of all alike.
    pub(crate) async fn grow(&mut self) -> anyhow::Result<()> {
        let mut ours = self.warm("grow", &[]).await?;
        let mut peers = self.peers("grow", &[]).await?;
        peers.retain(|peer| peer.who == Who::PeerTuned);
        let mut written = 0;
        for (size, word) in SIZES
            .into_iter()
            .filter(|(size, _)| *size <= self.args.known)
        {
            self.copies(&mut ours, "grow", written..size).await?;
            let start = ours.spawn()?;
            ours.first_answer(start, Op::Get, "first", None).await?;
            let mut subjects = vec![&ours];
            if size <= PEER_WORKERS_MAX {
                for peer in &peers {
                    let new = move |key: u64| millions::name(written + key);
                    peer.prepare(Op::Add, size - written, new).await?;
                }
                subjects.extend(&peers);
            }
            written = size;
            for subject in &subjects {
                subject.prepare(Op::Add, HOT, millions::name).await?;
            }
            let shapes = [
                ("hot-seq", 1, HOT, "1 connection, 1,000 of them, p50"),
                (
                    "hot-many",
                    MANY_CONNECTIONS,
                    HOT,
                    "64 connections, 1,000 of them",
                ),
                ("all-seq", 1, size, "1 connection, all of them, p50"),
                (
                    "all-many",
                    MANY_CONNECTIONS,
                    size,
                    "64 connections, all of them",
                ),
            ];
            for (shape, connections, keys, what) in shapes {
                let (unit, better) = match connections {
                    1 => ("us", Better::Low),
                    _ => ("op/s", Better::High),
                };
                let what = format!("add beside {size} existing workers: {what}");
                let mut row = Row::new(&format!("grow-{shape}-{word}"), &what, unit, better);
                for round in 0..self.args.rounds as usize {
                    for subject in &subjects {
                        let sample = subject
                            .load(Op::Add, connections, keys, millions::name, self.lengths())
                            .await?;
                        let side = match connections {
                            1 => latency(&sample),
                            _ => throughput(&sample),
                        };
                        row.put(round, subject.who, side);
                    }
                    report::round(&row)?;
                }
                self.rows.push(row);
            }
        }
        Ok(())
    }

    /// How late workers wake that all sleep at once, as they see it themselves.
    pub(crate) async fn suspend(&mut self) -> anyhow::Result<()> {
        let (naps, ms) = (self.args.naps, NAP.as_millis() as u64);
        let ours = self.warm("suspend", &[]).await?;
        let counter = ours.components().counter.clone();
        let function = "bench:counter/counter-api.%7Bnap%7D";
        let path: crate::load::PathOf = std::sync::Arc::new(move |key| {
            format!("/v1/components/{counter}/workers/nap-{key}/invoke?function={function}")
        });
        let (address, body) = (ours.server().address, ours.api.body(Some(ms)));
        crate::load::each_once(address, MANY_CONNECTIONS, naps, path, &body).await?;
        // Whoever asks a worker before it has woken would change what is measured.
        tokio::time::sleep(NAP + NAP_REST).await;
        let late = |key: u64| format!("nap-{key}");
        let late = ours.each_number(Op::Late, naps, late).await?;
        let mut ms: Vec<f64> = late.iter().map(|(_, us)| *us as f64 / 1e3).collect();
        ms.sort_by(f64::total_cmp);
        let woken = late.iter().filter(|(_, us)| *us > 0).count() as u64;
        self.compare(Who::Ours, "woken", woken, naps, naps);
        let at = |share: f64| {
            let at = (ms.len() as f64 * share) as usize;
            ms.get(at.min(ms.len().saturating_sub(1)))
                .copied()
                .unwrap_or(0.0)
        };
        let what = format!("{naps} workers sleep 10 s: how late they wake, p50");
        self.fact("suspend-p50", &what, "ms", at(0.5))?;
        self.fact("suspend-p99", "the same, p99", "ms", at(0.99))
    }
}

/// How long workers sleep in suspend.
const NAP: Duration = Duration::from_secs(10);
/// Time that they get after it.
const NAP_REST: Duration = Duration::from_secs(3);

fn mib(bytes: f64) -> f64 {
    bytes / 1_048_576.0
}
