// SPDX-License-Identifier: Apache-2.0
//! THE SCALES / rows: the rows of the goal table and how each is measured. In [`Run`], out rounds and a count of what was
//! wrong. Rounds alternate: ours, floor. Never judges a time. Source: benches/README.md, "Rows". Read next: `exact.rs`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::args::Run;
use crate::exact::{self, Exactness};
use crate::http::Connection;
use crate::load::{self, Load, PathOf, Sample};
use crate::measure::{Better, Fact, Round, Row, Side};
use crate::memory::Memory;
use crate::process::Program;
use crate::{guests, report, rest};

/// Connections of the rows with many clients.
const MANY_CONNECTIONS: u64 = 64;
/// Awaited calls inside one invocation of rpc-loop.
const LOOP_CALLS: u64 = 1000;
/// Calls to new workers that fan starts at once.
const FAN_CALLS: u64 = 1000;
/// First calls at once in cold-100.
const COLD_AT_ONCE: u64 = 100;
/// Connections that prepare workers, not measured.
const SETUP_CONNECTIONS: u64 = 16;
/// Body that adds 1.
const ADD_ONE: &str = r#"{"params":[{"value":1}]}"#;

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
    /// first call on a new worker, one after the other and 100 at once
    Cold,
    /// SIGKILL, start, first correct answer; then every worker is read
    Recover,
    /// counts under SIGKILL, no times
    Exact,
    /// memory of a worker: with an instance, without one, suspended
    Density,
    /// memory of a server that knows a million workers
    Known,
    /// SIGKILL, start, first answer of a worker with a long history, with and without checkpoints
    Replay,
}

const ALL: &[RowId] = &[
    RowId::InvSeq,
    RowId::InvMany,
    RowId::CpuPerInv,
    RowId::InvOne,
    RowId::RpcSeq,
    RowId::RpcMany,
    RowId::RpcLoop,
    RowId::Fan,
    RowId::Cold,
    RowId::Recover,
    RowId::Exact,
    RowId::Density,
    RowId::Known,
    RowId::Replay,
];

/// Ids of the uploaded guests.
#[derive(Debug, Clone)]
pub(crate) struct Components {
    /// Of `counter`.
    pub(crate) counter: String,
    /// Of `caller`.
    pub(crate) caller: String,
}

impl Components {
    /// Creates a caller worker, which finds the counter component by its environment.
    pub(crate) async fn add_caller(
        &self,
        connection: &mut Connection,
        name: &str,
    ) -> anyhow::Result<()> {
        rest::add_worker(
            connection,
            &self.caller,
            name,
            &[("COUNTER_ID", &self.counter)],
        )
        .await
    }
}

/// Path of `counter.add` on `worker`.
pub(crate) fn counter_add(components: &Components, worker: &str) -> String {
    rest::invoke_path(
        &components.counter,
        worker,
        "bench:counter/counter-api",
        "add",
    )
}

/// Path of `counter.get` on `worker`.
pub(crate) fn counter_get(components: &Components, worker: &str) -> String {
    rest::invoke_path(
        &components.counter,
        worker,
        "bench:counter/counter-api",
        "get",
    )
}

/// Path of `caller.one` on `worker`, which adds to the counter `c-<worker>`.
pub(crate) fn caller_one(components: &Components, worker: &str) -> String {
    rest::invoke_path(&components.caller, worker, "bench:caller/caller-api", "one")
}

fn caller_fan(components: &Components, worker: &str) -> String {
    rest::invoke_path(&components.caller, worker, "bench:caller/caller-api", "fan")
}

/// Path of `caller.seq` on `worker`, which adds to the counter `c-<worker>` one after the other.
pub(crate) fn caller_seq(components: &Components, worker: &str) -> String {
    rest::invoke_path(&components.caller, worker, "bench:caller/caller-api", "seq")
}

/// Everything that a row needs.
struct Bench<'a> {
    args: &'a Run,
    server: Program,
    floor: Program,
    components: Components,
    rows: Vec<Row>,
    facts: Vec<Fact>,
    found: Exactness,
}

/// Measures the chosen rows, prints and returns how many counters were wrong. Errors: what keeps from measuring at all.
pub(crate) async fn run(args: &Run) -> anyhow::Result<u64> {
    let beside = std::env::current_exe()?
        .parent()
        .context("this program has no folder")?
        .to_path_buf();
    let golem_cli = args
        .golem_cli
        .clone()
        .unwrap_or_else(|| beside.join("golem-cli"));
    anyhow::ensure!(
        golem_cli.is_file(),
        "no golem-cli at `{}`\nhint: cargo build --release -p golem-cli, or name it with --golem-cli",
        golem_cli.display()
    );
    let golem_cli = golem_cli.canonicalize()?;
    let dir = args.dir.clone().unwrap_or_else(|| beside.join("bench-run"));
    if dir.exists() {
        std::fs::remove_dir_all(&dir)
            .with_context(|| format!("failed to empty `{}`", dir.display()))?;
    }
    std::fs::create_dir_all(&dir)?;
    let dir: PathBuf = dir.canonicalize()?;

    let guests = guests::build(&golem_cli, &dir)?;
    let memory = Memory {
        args,
        golem_cli: &golem_cli,
        dir: &dir,
        guests: &guests,
    };
    let mut floor = Program::floor(&dir)?;
    floor
        .start()
        .await
        .context("failed to start the floor program")?;
    let mut server = Program::server(&golem_cli, &dir)?;
    server.start().await?;
    let mut connection = Connection::open(server.peer).await?;
    let counter = rest::upload(&mut connection, "counter", &guests.counter).await?;
    let caller = rest::upload(&mut connection, "caller", &guests.caller).await?;

    let components = Components { counter, caller };
    let mut bench = Bench {
        args,
        server,
        floor,
        components,
        rows: Vec::new(),
        facts: Vec::new(),
        found: Exactness::default(),
    };
    let chosen = if args.only.is_empty() {
        ALL.to_vec()
    } else {
        args.only.clone()
    };
    for id in ALL.iter().filter(|id| chosen.contains(id)) {
        match id {
            RowId::InvSeq => bench.inv_seq().await,
            RowId::InvMany => {
                bench
                    .inv_many(true, chosen.contains(&RowId::CpuPerInv))
                    .await
            }
            // One load gives both rows; alone it gives the CPU time only.
            RowId::CpuPerInv if chosen.contains(&RowId::InvMany) => Ok(()),
            RowId::CpuPerInv => bench.inv_many(false, true).await,
            RowId::InvOne => bench.inv_one().await,
            RowId::RpcSeq => bench.rpc_seq().await,
            RowId::RpcMany => bench.rpc_many().await,
            RowId::RpcLoop => bench.rpc_loop().await,
            RowId::Fan => bench.fan().await,
            RowId::Cold => bench.cold().await,
            RowId::Recover => bench.recover().await,
            RowId::Exact => {
                exact::run(&mut bench.server, &bench.components, &mut bench.found).await
            }
            RowId::Density => memory.density(&mut bench.facts).await,
            RowId::Known => memory.known(&mut bench.facts, &mut bench.found).await,
            RowId::Replay => memory.replay(&mut bench.facts, &mut bench.found).await,
        }
        .with_context(|| format!("failed to measure {id:?}"))?;
    }
    let (rows, facts) = (&bench.rows, &bench.facts);
    report::summary(args, &golem_cli, rows, facts, &bench.found)?;
    Ok(bench.found.wrong)
}

impl Bench<'_> {
    fn load(&self, server: &Program, connections: u64, keys: u64, path: PathOf) -> Load {
        Load {
            peer: server.peer,
            connections,
            keys,
            path,
            body: ADD_ONE,
            warmup: Duration::from_secs_f64(self.args.warmup),
            length: Duration::from_secs_f64(self.args.seconds),
        }
    }

    fn ours(
        &self,
        connections: u64,
        keys: u64,
        path: impl Fn(&Components, u64) -> String + Send + Sync + 'static,
    ) -> Load {
        let components = self.components.clone();
        self.load(
            &self.server,
            connections,
            keys,
            Arc::new(move |key| path(&components, key)),
        )
    }

    fn theirs(&self, connections: u64, keys: u64) -> Load {
        self.load(
            &self.floor,
            connections,
            keys,
            Arc::new(|key| format!("/d/w-{key}/add")),
        )
    }

    /// Alternates `rounds` times between ours and the floor; `sides` makes the values of each row out of a sample.
    async fn alternate(
        &mut self,
        mut rows: Vec<Row>,
        ours: Load,
        floor: Load,
        sides: impl Fn(&Sample) -> Vec<Side>,
    ) -> anyhow::Result<()> {
        for _ in 0..self.args.rounds {
            let ours = load::run(&ours, || self.server.cpu_us()).await?;
            if let Some(error) = &ours.first_error {
                report::say(&format!("  first of {} errors: {error}", ours.errors))?;
            }
            let floor = load::run(&floor, || self.floor.cpu_us()).await?;
            for ((row, ours), floor) in rows.iter_mut().zip(sides(&ours)).zip(sides(&floor)) {
                row.rounds.push(Round { ours, floor });
                report::round(row)?;
            }
        }
        self.rows.append(&mut rows);
        Ok(())
    }

    async fn inv_seq(&mut self) -> anyhow::Result<()> {
        let ours = self.ours(1, 1, |components, _| counter_add(components, "seq"));
        let row = row(
            "inv-seq",
            "add on 1 worker, 1 connection, p50",
            "us",
            Better::Low,
        );
        self.alternate(vec![row], ours, self.theirs(1, 1), |sample| {
            vec![latency(sample)]
        })
        .await
    }

    async fn inv_many(&mut self, rate: bool, cpu: bool) -> anyhow::Result<()> {
        let workers = self.args.workers;
        let path = |components: &Components, key: u64| counter_add(components, &format!("w-{key}"));
        let components = self.components.clone();
        load::each_once(
            self.server.peer,
            SETUP_CONNECTIONS,
            workers,
            Arc::new(move |key| path(&components, key)),
            ADD_ONE,
        )
        .await?;
        let mut rows = Vec::new();
        if rate {
            rows.push(row(
                "inv-many",
                &format!("add over {workers} workers, 64 connections"),
                "op/s",
                Better::High,
            ));
        }
        if cpu {
            rows.push(row(
                "cpu-per-inv",
                "server's CPU for each reply of the same load",
                "us",
                Better::Low,
            ));
        }
        let (ours, floor) = (
            self.ours(MANY_CONNECTIONS, workers, path),
            self.theirs(MANY_CONNECTIONS, workers),
        );
        self.alternate(rows, ours, floor, |sample| {
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
        let ours = self.ours(MANY_CONNECTIONS, 1, |components, _| {
            counter_add(components, "one")
        });
        let row = row(
            "inv-one",
            "add on 1 worker, 64 connections",
            "op/s",
            Better::High,
        );
        self.alternate(
            vec![row],
            ours,
            self.theirs(MANY_CONNECTIONS, 1),
            |sample| vec![throughput(sample)],
        )
        .await
    }

    async fn rpc_seq(&mut self) -> anyhow::Result<()> {
        self.components
            .add_caller(&mut Connection::open(self.server.peer).await?, "rpc")
            .await?;
        let ours = self.ours(1, 1, |components, _| caller_one(components, "rpc"));
        let row = row(
            "rpc-seq",
            "caller.one: 1 awaited add on another worker, 1 connection, p50",
            "us",
            Better::Low,
        );
        self.alternate(vec![row], ours, self.theirs(1, 1), |sample| {
            vec![latency(sample)]
        })
        .await
    }

    async fn rpc_many(&mut self) -> anyhow::Result<()> {
        let callers = self.args.workers;
        let mut connection = Connection::open(self.server.peer).await?;
        for key in 0..callers {
            self.components
                .add_caller(&mut connection, &format!("m-{key}"))
                .await?;
        }
        let path = |components: &Components, key: u64| caller_one(components, &format!("m-{key}"));
        let components = self.components.clone();
        let warm: PathOf = Arc::new(move |key| path(&components, key));
        load::each_once(self.server.peer, SETUP_CONNECTIONS, callers, warm, ADD_ONE).await?;
        let what =
            format!("caller.one over {callers} callers, each with its own counter, 64 connections");
        let row = row("rpc-many", &what, "op/s", Better::High);
        let (ours, floor) = (
            self.ours(MANY_CONNECTIONS, callers, path),
            self.theirs(MANY_CONNECTIONS, callers),
        );
        self.alternate(vec![row], ours, floor, |sample| vec![throughput(sample)])
            .await
    }

    async fn fan(&mut self) -> anyhow::Result<()> {
        let mut connection = Connection::open(self.server.peer).await?;
        let mut row = row(
            "fan",
            "caller.fan(1000): 1000 adds on new workers at once, all awaited",
            "ms",
            Better::Low,
        );
        for round in 0..self.args.rounds {
            let name = format!("fan-{round}");
            self.components.add_caller(&mut connection, &name).await?;
            let start = Instant::now();
            let sum = rest::invoke(
                &mut connection,
                &caller_fan(&self.components, &name),
                &[FAN_CALLS],
            )
            .await?;
            let ours = Side::of(start.elapsed().as_secs_f64() * 1e3, FAN_CALLS);
            // Each new counter answers 1.
            self.found.compare(&name, sum, FAN_CALLS, FAN_CALLS);
            let floor: PathOf = Arc::new(move |key| format!("/d/fan-{round}-{key}/add"));
            let floor =
                load::each_once(self.floor.peer, MANY_CONNECTIONS, FAN_CALLS, floor, ADD_ONE)
                    .await?;
            row.rounds.push(Round {
                ours,
                floor: Side::of(floor.seconds * 1e3, FAN_CALLS),
            });
            report::round(&row)?;
        }
        self.rows.push(row);
        Ok(())
    }

    async fn rpc_loop(&mut self) -> anyhow::Result<()> {
        let mut connection = Connection::open(self.server.peer).await?;
        self.components.add_caller(&mut connection, "loop").await?;
        let (seq, get) = (
            caller_seq(&self.components, "loop"),
            counter_get(&self.components, "c-loop"),
        );
        rest::invoke(&mut connection, &seq, &[LOOP_CALLS]).await?;
        let mut row = row(
            "rpc-loop",
            "caller.seq: 1000 awaited adds in 1 invocation, time for each",
            "us",
            Better::Low,
        );
        for _ in 0..self.args.rounds {
            let start = Instant::now();
            rest::invoke(&mut connection, &seq, &[LOOP_CALLS]).await?;
            let each_us = start.elapsed().as_secs_f64() * 1e6 / LOOP_CALLS as f64;
            let floor = latency(&load::run(&self.theirs(1, 1), || 0.0).await?);
            row.rounds.push(Round {
                ours: Side::of(each_us, LOOP_CALLS),
                floor,
            });
            report::round(&row)?;
        }
        let expected = LOOP_CALLS * (u64::from(self.args.rounds) + 1);
        let state = rest::invoke(&mut connection, &get, &[]).await?;
        self.found.compare("c-loop", state, expected, expected);
        self.rows.push(row);
        Ok(())
    }

    async fn cold(&mut self) -> anyhow::Result<()> {
        let shapes = [
            (
                "cold",
                "first call on a new worker, 1 connection, p50",
                1,
                self.args.cold,
            ),
            (
                "cold-100",
                "the same, 100 new workers at once, p50",
                COLD_AT_ONCE,
                COLD_AT_ONCE,
            ),
        ];
        for (id, what, connections, count) in shapes {
            let mut row = row(id, what, "us", Better::Low);
            for round in 0..self.args.rounds {
                let components = self.components.clone();
                let name = move |key: u64| format!("{id}-{round}-{key}");
                let ours: PathOf = Arc::new(move |key| counter_add(&components, &name(key)));
                let floor: PathOf = Arc::new(move |key| format!("/d/{}/add", name(key)));
                let ours =
                    load::each_once(self.server.peer, connections, count, ours, ADD_ONE).await?;
                let floor =
                    load::each_once(self.floor.peer, connections, count, floor, ADD_ONE).await?;
                row.rounds.push(Round {
                    ours: latency(&ours),
                    floor: latency(&floor),
                });
                report::round(&row)?;
            }
            self.rows.push(row);
        }
        Ok(())
    }

    async fn recover(&mut self) -> anyhow::Result<()> {
        let workers = self.args.workers;
        let components = self.components.clone();
        let add: PathOf = Arc::new(move |key| counter_add(&components, &format!("r-{key}")));
        load::each_once(self.server.peer, SETUP_CONNECTIONS, workers, add, ADD_ONE).await?;
        let known = counter_get(&self.components, "r-0");
        let mut row = row(
            "recover",
            &format!("SIGKILL with {workers} workers, start to first correct get"),
            "ms",
            Better::Low,
        );
        for _ in 0..self.args.rounds {
            self.server.kill()?;
            let start = self.server.spawn()?;
            let mut connection = self.server.connect(start).await?;
            let state = rest::invoke(&mut connection, &known, &[]).await?;
            let ours = Side::of(start.elapsed().as_secs_f64() * 1e3, 1);
            self.found.compare("r-0", state, 1, 1);
            self.floor.kill()?;
            let start = self.floor.spawn()?;
            let mut connection = self.floor.connect(start).await?;
            connection
                .request("POST", "/d/r-0/add", "application/json", b"")
                .await?;
            let floor = Side::of(start.elapsed().as_secs_f64() * 1e3, 1);
            row.rounds.push(Round { ours, floor });
            report::round(&row)?;
        }
        let mut connection = Connection::open(self.server.peer).await?;
        for key in 0..workers {
            let name = format!("r-{key}");
            let state =
                rest::invoke(&mut connection, &counter_get(&self.components, &name), &[]).await?;
            self.found.compare(&name, state, 1, 1);
        }
        self.rows.push(row);
        Ok(())
    }
}

fn row(id: &'static str, what: &str, unit: &'static str, better: Better) -> Row {
    Row {
        id,
        what: what.to_owned(),
        unit,
        better,
        rounds: Vec::new(),
    }
}

fn latency(sample: &Sample) -> Side {
    Side {
        value: sample.quantile_us(0.5),
        p99: Some(sample.quantile_us(0.99)),
        n: sample.replies(),
        errors: sample.errors,
    }
}

fn throughput(sample: &Sample) -> Side {
    Side {
        errors: sample.errors,
        ..Side::of(sample.rate(), sample.replies())
    }
}
