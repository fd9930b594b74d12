// SPDX-License-Identifier: Apache-2.0
//! THE SCALES / rows: which rows there are, and those that everybody is loaded for. In [`Run`], out rounds and a count of what was
//! wrong. Rounds alternate: ours, peers, floor. Never judges a time. Source: benches/README.md, "Rows".
//! Read next: `subject.rs`, then `exact.rs`, `steps.rs`, `memory.rs`, `starts.rs`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::args::Run;
use crate::exact::{self, Exactness};
use crate::guests::{self, Guests};
use crate::load::Sample;
use crate::machine;
use crate::measure::{Better, Row, Side, Who};
use crate::peer::{self, Installed};
use crate::report::{self, Outcome};
use crate::subject::{Op, Subject};

/// Connections of the rows with many clients.
pub(crate) const MANY_CONNECTIONS: u64 = 64;
/// Awaited calls inside one invocation of rpc-loop.
const LOOP_CALLS: u64 = 1000;
/// The same for the peer: each of its calls takes milliseconds, and the value is that of one call.
const LOOP_CALLS_PEER: u64 = 200;
/// Calls to new workers that fan starts at once.
const FAN_CALLS: u64 = 1000;
/// First calls at once in cold-100.
const COLD_AT_ONCE: u64 = 100;

/// Ids of the rows, as the goal table writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum RowId {
    /// add on one worker, 1 connection, median latency
    InvSeq,
    /// add over many workers, 64 connections, rate
    InvMany,
    /// add on one worker, 64 connections, rate
    InvOne,
    /// server's CPU time for each reply of inv-many
    CpuPerInv,
    /// a worker calls another, 1 connection, median latency
    RpcSeq,
    /// the same over many callers, 64 connections, rate
    RpcMany,
    /// 1000 awaited calls in one invocation, time for each
    RpcLoop,
    /// one invocation calls 1000 new workers at once and awaits all
    Fan,
    /// durable host calls in one invocation, time for each; commit at the end
    Step,
    /// the same with a commit after each
    StepCommit,
    /// rate of workers that remember over that of instances for one call
    DurabilityTax,
    /// bytes made durable for each step and each add
    BytesPerStep,
    /// first call on a new worker, one after the other and 100 at once
    Cold,
    /// counts under SIGKILL, no times
    Exact,
    /// upload of an unknown component to its first answer
    ColdUnknown,
    /// SIGKILL, start, first correct answer; then every worker is read
    Recover,
    /// memory, CPU time and disk of an empty server, and its start
    Idle,
    /// memory of a worker: with an instance, without one, suspended
    Density,
    /// memory before and after 10,000 invocations
    Flat,
    /// memory of a server that knows a million workers
    Known,
    /// latency and rate beside 1k, 100k, 1M existing workers
    Grow,
    /// SIGKILL, start, first answer of a worker with a long history, with and without checkpoints
    Replay,
    /// how late many sleeping workers wake
    Suspend,
}

/// All rows in the order of a run: those behind `Exact` start servers of their own, on directories of their own.
const ALL: &[RowId] = &[
    RowId::InvSeq,
    RowId::InvMany,
    RowId::CpuPerInv,
    RowId::InvOne,
    RowId::RpcSeq,
    RowId::RpcMany,
    RowId::RpcLoop,
    RowId::Fan,
    RowId::Step,
    RowId::StepCommit,
    RowId::DurabilityTax,
    RowId::BytesPerStep,
    RowId::Cold,
    RowId::Exact,
    RowId::ColdUnknown,
    RowId::Recover,
    RowId::Idle,
    RowId::Density,
    RowId::Flat,
    RowId::Known,
    RowId::Grow,
    RowId::Replay,
    RowId::Suspend,
];
/// How many of [`ALL`] share one server of each.
const SHARED: usize = 14;

/// Everything that a row needs.
pub(crate) struct Bench<'a> {
    pub(crate) args: &'a Run,
    pub(crate) golem_cli: PathBuf,
    pub(crate) dir: PathBuf,
    pub(crate) guests: Guests,
    pub(crate) installed: Option<Installed>,
    /// Ours first, then the peers, then the floor. Empty while servers of their own run.
    pub(crate) subjects: Vec<Subject>,
    pub(crate) rows: Vec<Row>,
    pub(crate) found: Exactness,
    /// The peer's counts; they fail nothing here.
    pub(crate) found_peer: Exactness,
}

/// Finds golem-cli and makes an empty folder for a run.
pub(crate) fn prepare(
    golem_cli: Option<&Path>,
    dir: Option<&Path>,
) -> anyhow::Result<(PathBuf, PathBuf)> {
    let beside = std::env::current_exe()?
        .parent()
        .context("this program has no folder")?
        .to_path_buf();
    let golem_cli = golem_cli.map_or_else(|| beside.join("golem-cli"), Path::to_path_buf);
    anyhow::ensure!(
        golem_cli.is_file(),
        "no golem-cli at `{}`\nhint: cargo build --release -p golem-cli, or name it with --golem-cli",
        golem_cli.display()
    );
    let dir = dir.map_or_else(|| beside.join("bench-run"), Path::to_path_buf);
    if dir.exists() {
        std::fs::remove_dir_all(&dir)
            .with_context(|| format!("failed to empty `{}`", dir.display()))?;
    }
    std::fs::create_dir_all(&dir)?;
    Ok((golem_cli.canonicalize()?, dir.canonicalize()?))
}

/// Measures the chosen rows, prints and returns what came out. Errors: what keeps from measuring at all.
pub(crate) async fn run(args: &Run) -> anyhow::Result<Outcome> {
    let (golem_cli, dir) = prepare(args.golem_cli.as_deref(), args.dir.as_deref())?;
    let (installed, peer) = match (args.no_peer, peer::find()) {
        (true, _) => (None, "peer skipped: --no-peer was given".to_owned()),
        (false, Err(error)) => (None, format!("peer skipped: {error:#}")),
        (false, Ok(installed)) => {
            let text = format!(
                "peer: restate {}, default and tuned; service {}",
                installed.version,
                if installed.release {
                    "release"
                } else {
                    "DEBUG: not for comparing"
                }
            );
            (Some(installed), text)
        }
    };
    report::say(&peer)?;
    let guests = guests::build(&golem_cli, &dir)?;
    let mut bench = Bench {
        args,
        golem_cli,
        dir,
        guests,
        installed,
        subjects: Vec::new(),
        rows: Vec::new(),
        found: Exactness::default(),
        found_peer: Exactness::default(),
    };
    let chosen = |id: &RowId| args.only.is_empty() || args.only.contains(id);
    let (shared, own) = ALL.split_at(SHARED);
    if shared.iter().any(chosen) {
        bench.start_shared().await?;
    }
    for id in shared.iter().filter(|id| chosen(id)) {
        machine::touch_memory();
        match id {
            RowId::InvSeq => bench.inv_seq().await,
            RowId::InvMany => bench.inv_many(true, chosen(&RowId::CpuPerInv)).await,
            // One load gives both rows; alone it gives the CPU time only.
            RowId::CpuPerInv if chosen(&RowId::InvMany) => Ok(()),
            RowId::CpuPerInv => bench.inv_many(false, true).await,
            RowId::InvOne => bench.inv_one().await,
            RowId::RpcSeq => bench.rpc_seq().await,
            RowId::RpcMany => bench.rpc_many().await,
            RowId::RpcLoop => bench.rpc_loop().await,
            RowId::Fan => bench.fan().await,
            RowId::Step => bench.step().await,
            RowId::StepCommit => bench.step_commit().await,
            RowId::DurabilityTax => bench.durability_tax().await,
            RowId::BytesPerStep => bench.bytes_per_step().await,
            RowId::Cold => bench.cold().await,
            _ => bench.exact().await,
        }
        .with_context(|| format!("failed to measure {id:?}"))?;
    }
    bench.subjects.clear();
    for id in own.iter().filter(|id| chosen(id)) {
        machine::touch_memory();
        match id {
            RowId::ColdUnknown => bench.cold_unknown().await,
            RowId::Recover => bench.recover().await,
            RowId::Idle => bench.idle().await,
            RowId::Density => bench.density().await,
            RowId::Flat => bench.flat().await,
            RowId::Known => bench.known().await,
            RowId::Grow => bench.grow().await,
            RowId::Replay => bench.replay().await,
            _ => bench.suspend().await,
        }
        .with_context(|| format!("failed to measure {id:?}"))?;
    }
    let Bench {
        golem_cli,
        installed,
        rows,
        found,
        found_peer,
        ..
    } = bench;
    report::summary(
        args,
        &golem_cli,
        (installed, &peer),
        rows,
        (&found, &found_peer),
    )
}

impl Bench<'_> {
    async fn start_shared(&mut self) -> anyhow::Result<()> {
        let ours = self.ours("shared", &[]).await?;
        let peers = self.peers("shared", &[]).await?;
        let floor = Subject::floor(&self.dir).await?;
        self.subjects.push(ours);
        self.subjects.extend(peers);
        self.subjects.push(floor);
        Ok(())
    }

    /// A server of ours on an empty directory.
    pub(crate) async fn ours(&self, name: &str, options: &[&str]) -> anyhow::Result<Subject> {
        let dir = self.dir.join(name);
        Subject::ours(&self.golem_cli, &dir, &self.guests, options).await
    }

    /// Both ways to run the peer, on empty directories beside ours; none if it is not installed.
    pub(crate) async fn peers(
        &self,
        name: &str,
        env: &[(&str, &str)],
    ) -> anyhow::Result<Vec<Subject>> {
        let mut peers = Vec::new();
        if let Some(installed) = &self.installed {
            for who in Who::PEERS {
                let dir = self.dir.join(format!("{name}-{}", who.word()));
                peers.push(Subject::peer(installed, who, &dir, env).await?);
            }
        }
        Ok(peers)
    }

    /// Where what `who` counts is compared; the floor counts nothing.
    pub(crate) fn compare(&mut self, who: Who, name: &str, state: u64, low: u64, high: u64) {
        match who {
            Who::Ours => self.found.compare(name, state, low, high),
            Who::PeerDefault | Who::PeerTuned => {
                self.found_peer
                    .compare(&format!("{} {name}", who.word()), state, low, high);
            }
            Who::Floor => {}
        }
    }

    /// A row with one value of ours alone.
    pub(crate) fn fact(
        &mut self,
        id: &str,
        what: &str,
        unit: &str,
        value: f64,
    ) -> anyhow::Result<()> {
        let mut row = Row::new(id, what, unit, Better::Low);
        row.put(0, Who::Ours, Side::of(value, 1));
        self.done(row)
    }

    /// Prints the last round of a row and keeps it.
    pub(crate) fn done(&mut self, row: Row) -> anyhow::Result<()> {
        report::round(&row)?;
        self.rows.push(row);
        Ok(())
    }

    pub(crate) fn lengths(&self) -> (Duration, Duration) {
        (
            Duration::from_secs_f64(self.args.warmup),
            Duration::from_secs_f64(self.args.seconds),
        )
    }

    /// Loads each in turn, as many times as there are rounds; `sides` makes the values of each row out of a sample.
    async fn alternate(
        &mut self,
        mut rows: Vec<Row>,
        op: Op,
        (connections, keys): (u64, u64),
        name: impl Fn(u64) -> String + Clone + Send + Sync + 'static,
        sides: impl Fn(&Sample) -> Vec<Side>,
    ) -> anyhow::Result<()> {
        for round in 0..self.args.rounds as usize {
            for subject in &self.subjects {
                let lengths = self.lengths();
                let sample = subject
                    .load(op, connections, keys, name.clone(), lengths)
                    .await?;
                if let Some(error) = &sample.first_error {
                    report::say(&format!(
                        "  {}: first of {} errors: {error}",
                        subject.who.word(),
                        sample.errors
                    ))?;
                }
                for (row, side) in rows.iter_mut().zip(sides(&sample)) {
                    row.put(round, subject.who, side);
                }
            }
            for row in &rows {
                report::round(row)?;
            }
        }
        self.rows.append(&mut rows);
        Ok(())
    }

    async fn inv_seq(&mut self) -> anyhow::Result<()> {
        let what = "add on 1 worker, 1 connection, p50";
        let row = Row::new("inv-seq", what, "us", Better::Low);
        let name = |_| "seq".to_owned();
        self.alternate(vec![row], Op::Add, (1, 1), name, |sample| {
            vec![latency(sample)]
        })
        .await
    }

    async fn inv_many(&mut self, rate: bool, cpu: bool) -> anyhow::Result<()> {
        let workers = self.args.workers;
        let name = |key: u64| format!("w-{key}");
        for subject in &self.subjects {
            subject.prepare(Op::Add, workers, name).await?;
        }
        let mut rows = Vec::new();
        if rate {
            let what = format!("add over {workers} workers, 64 connections");
            rows.push(Row::new("inv-many", &what, "op/s", Better::High));
        }
        if cpu {
            let what = "CPU of server and service for each reply of the same load";
            rows.push(Row::new("cpu-per-inv", what, "us", Better::Low));
        }
        let shape = (MANY_CONNECTIONS, workers);
        self.alternate(rows, Op::Add, shape, name, |sample| {
            let per_reply = Side {
                errors: sample.errors,
                ..Side::of(sample.cpu_us / sample.replies() as f64, sample.replies())
            };
            [rate.then(|| throughput(sample)), cpu.then_some(per_reply)]
                .into_iter()
                .flatten()
                .collect()
        })
        .await
    }

    async fn inv_one(&mut self) -> anyhow::Result<()> {
        let what = "add on 1 worker, 64 connections";
        let row = Row::new("inv-one", what, "op/s", Better::High);
        let (shape, name) = ((MANY_CONNECTIONS, 1), |_| "one".to_owned());
        self.alternate(vec![row], Op::Add, shape, name, |sample| {
            vec![throughput(sample)]
        })
        .await
    }

    /// Makes the callers `<name>-<key>` of ours, which the others need not be told.
    async fn callers(&self, name: &str, count: u64) -> anyhow::Result<()> {
        for subject in &self.subjects {
            let mut connection = subject.connect().await?;
            let counter = &subject.components().counter;
            for key in 0..count {
                let name = format!("{name}-{key}");
                subject.add_caller(&mut connection, &name, counter).await?;
            }
        }
        Ok(())
    }

    async fn rpc_seq(&mut self) -> anyhow::Result<()> {
        self.callers("rpc", 1).await?;
        let what = "caller.one: 1 awaited add on another worker, 1 connection, p50";
        let row = Row::new("rpc-seq", what, "us", Better::Low);
        let name = |_| "rpc-0".to_owned();
        self.alternate(vec![row], Op::One, (1, 1), name, |sample| {
            vec![latency(sample)]
        })
        .await
    }

    async fn rpc_many(&mut self) -> anyhow::Result<()> {
        let callers = self.args.workers;
        self.callers("m", callers).await?;
        let name = |key: u64| format!("m-{key}");
        for subject in &self.subjects {
            subject.prepare(Op::One, callers, name).await?;
        }
        let what =
            format!("caller.one over {callers} callers, each with its own counter, 64 connections");
        let row = Row::new("rpc-many", &what, "op/s", Better::High);
        let shape = (MANY_CONNECTIONS, callers);
        self.alternate(vec![row], Op::One, shape, name, |sample| {
            vec![throughput(sample)]
        })
        .await
    }

    async fn fan(&mut self) -> anyhow::Result<()> {
        let go = "caller.fan(1000): 1000 adds on new workers at once, all awaited";
        let shared = "the same with new workers that share their start";
        let tiny = "the same with new workers that need no language's run-time";
        for (id, what) in [("fan", go), ("fan-shared", shared), ("fan-tiny", tiny)] {
            let mut row = Row::new(id, what, "ms", Better::Low);
            for round in 0..self.args.rounds as usize {
                let name = format!("{id}-{round}");
                let mut sums = Vec::new();
                for subject in &self.subjects {
                    let value = if subject.who == Who::Floor {
                        let name = name.clone();
                        let name = move |key: u64| format!("{name}-{key}");
                        let sample = subject
                            .each_once(Op::Add, MANY_CONNECTIONS, FAN_CALLS, name)
                            .await?;
                        sample.seconds
                    } else {
                        let mut connection = subject.connect().await?;
                        let components = subject.components();
                        let counter = match id {
                            "fan" => &components.counter,
                            "fan-shared" => &components.shared,
                            _ => &components.tiny,
                        };
                        subject.add_caller(&mut connection, &name, counter).await?;
                        let start = Instant::now();
                        let sum = subject
                            .api
                            .ask(&mut connection, Op::Fan, &name, Some(FAN_CALLS))
                            .await?;
                        sums.push((subject.who, sum));
                        start.elapsed().as_secs_f64()
                    };
                    row.put(round, subject.who, Side::of(value * 1e3, FAN_CALLS));
                }
                // Each new counter answers 1.
                for (who, sum) in sums {
                    self.compare(who, &name, sum, FAN_CALLS, FAN_CALLS);
                }
                report::round(&row)?;
            }
            self.rows.push(row);
        }
        Ok(())
    }

    async fn rpc_loop(&mut self) -> anyhow::Result<()> {
        let what = "caller.seq: 1000 awaited adds in 1 invocation (the peer: 200), time for each";
        let mut row = Row::new("rpc-loop", what, "us", Better::Low);
        self.callers("loop", 1).await?;
        let rounds = self.args.rounds as usize;
        let calls = |who: Who| match who {
            Who::PeerDefault | Who::PeerTuned => LOOP_CALLS_PEER,
            Who::Ours | Who::Floor => LOOP_CALLS,
        };
        // The first one is not counted: it makes the worker.
        for round in 0..=rounds {
            for subject in &self.subjects {
                let k = calls(subject.who);
                let side = if subject.who == Who::Floor {
                    let name = |_| "loop".to_owned();
                    latency(&subject.load(Op::Add, 1, 1, name, self.lengths()).await?)
                } else {
                    let mut connection = subject.connect().await?;
                    let start = Instant::now();
                    let ask = subject.api.ask(&mut connection, Op::Seq, "loop-0", Some(k));
                    ask.await?;
                    Side::of(start.elapsed().as_secs_f64() * 1e6 / k as f64, k)
                };
                if round > 0 {
                    row.put(round - 1, subject.who, side);
                }
            }
            report::round(&row)?;
        }
        let mut states = Vec::new();
        for subject in self.subjects.iter().filter(|s| s.who != Who::Floor) {
            let mut connection = subject.connect().await?;
            let get = subject.api.ask(&mut connection, Op::Get, "c-loop-0", None);
            states.push((subject.who, get.await?));
        }
        for (who, state) in states {
            let expected = calls(who) * (rounds as u64 + 1);
            self.compare(who, "c-loop-0", state, expected, expected);
        }
        self.rows.push(row);
        Ok(())
    }

    async fn cold(&mut self) -> anyhow::Result<()> {
        let one = "first call on a new worker, 1 connection, p50";
        let many = "the same, 100 new workers at once, p50";
        let shared = "the same on workers that share their start";
        let count = self.args.cold;
        let shapes = [
            ("cold", one, Op::Add, 1, count),
            ("cold-shared", shared, Op::SharedAdd, 1, count),
            (
                "cold-tiny",
                "the same without a language's run-time",
                Op::TinyAdd,
                1,
                count,
            ),
            ("cold-100", many, Op::Add, COLD_AT_ONCE, COLD_AT_ONCE),
            (
                "cold-100-shared",
                shared,
                Op::SharedAdd,
                COLD_AT_ONCE,
                COLD_AT_ONCE,
            ),
            (
                "cold-100-tiny",
                "the same without a language's run-time",
                Op::TinyAdd,
                COLD_AT_ONCE,
                COLD_AT_ONCE,
            ),
        ];
        for (id, what, op, connections, count) in shapes {
            let mut row = Row::new(id, what, "us", Better::Low);
            for round in 0..self.args.rounds as usize {
                for subject in &self.subjects {
                    let name = move |key: u64| format!("{id}-{round}-{key}");
                    let sample = subject.each_once(op, connections, count, name).await?;
                    row.put(round, subject.who, latency(&sample));
                }
                report::round(&row)?;
            }
            self.rows.push(row);
        }
        Ok(())
    }

    async fn exact(&mut self) -> anyhow::Result<()> {
        for subject in &mut self.subjects {
            match subject.who {
                Who::Ours => exact::run(subject, &mut self.found).await?,
                Who::PeerDefault | Who::PeerTuned => {
                    exact::run(subject, &mut self.found_peer).await?;
                }
                Who::Floor => {}
            }
        }
        Ok(())
    }
}

/// Median latency with its 99th percentile, in microseconds.
pub(crate) fn latency(sample: &Sample) -> Side {
    Side {
        value: sample.quantile_us(0.5),
        p99: Some(sample.quantile_us(0.99)),
        n: sample.replies(),
        errors: sample.errors,
    }
}

/// Replies a second.
pub(crate) fn throughput(sample: &Sample) -> Side {
    Side {
        errors: sample.errors,
        ..Side::of(sample.rate(), sample.replies())
    }
}
