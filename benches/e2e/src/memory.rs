// SPDX-License-Identifier: Apache-2.0
//! THE SCALES / memory: what a worker costs while nobody uses it, and how fast one with a long history is back. In: servers of
//! their own, each on an empty directory. Out: [`Fact`]s; the floor has nothing like them. Never judges.
//! Read next: `millions.rs`. Source: benches/README.md, "Rows".

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::args::Run;
use crate::exact::Exactness;
use crate::guests::Guests;
use crate::http::Connection;
use crate::load::{self, PathOf};
use crate::measure::{Fact, median};
use crate::process::Program;
use crate::rows::{Components, caller_seq, counter_add, counter_get};
use crate::{millions, report, rest};

/// Connections that prepare workers, not measured.
const SETUP_CONNECTIONS: u64 = 16;
/// Body that adds 1.
const ADD_ONE: &str = r#"{"params":[{"value":1}]}"#;
/// Times as many workers as have instances are looked at without one: what one costs is far smaller, and the store fills
/// buffers of a fixed size meanwhile.
const EVICTED_TIMES: u64 = 20;
/// Times as many are suspended.
const SUSPENDED_TIMES: u64 = 4;
/// How long suspended workers sleep: longer than anybody measures.
const REST_MS: u64 = 3_600_000;
/// Longest wait until all of them are noted as suspended.
const SUSPENDED_MAX: Duration = Duration::from_secs(120);
/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(200);
/// Workers that are called out of a million.
const SAMPLE: u64 = 200;
/// Lengths of histories, in entries.
const HISTORIES: [u64; 4] = [100, 1_000, 10_000, 100_000];
/// Calls inside one invocation that makes a history; each call leaves two entries.
const STEPS: u64 = 500;

/// What these rows need.
pub(crate) struct Memory<'a> {
    pub(crate) args: &'a Run,
    pub(crate) golem_cli: &'a Path,
    pub(crate) dir: &'a Path,
    pub(crate) guests: &'a Guests,
}

/// A server of its own with both components, started anew after they were compiled.
struct Own {
    server: Program,
    components: Components,
}

impl Memory<'_> {
    async fn own(&self, name: &str, options: &[&str]) -> anyhow::Result<Own> {
        let dir = self.dir.join(name);
        std::fs::create_dir_all(&dir)?;
        let mut server = Program::server(self.golem_cli, &dir)?.with(options);
        server.start().await?;
        let mut connection = Connection::open(server.peer).await?;
        let counter = rest::upload(&mut connection, "counter", &self.guests.counter).await?;
        let caller = rest::upload(&mut connection, "caller", &self.guests.caller).await?;
        let components = Components { counter, caller };
        server.kill()?;
        server.start().await?;
        let mut connection = Connection::open(server.peer).await?;
        // What the first instance of a component brings with it is not a worker's.
        rest::invoke(&mut connection, &counter_add(&components, "first"), &[1]).await?;
        Ok(Own { server, components })
    }

    fn put(facts: &mut Vec<Fact>, fact: Fact) -> anyhow::Result<()> {
        report::fact(&fact)?;
        facts.push(fact);
        Ok(())
    }

    /// One call of each of these workers, then what the memory has grown by.
    async fn grown(&self, own: &Own, name: &'static str, workers: u64) -> anyhow::Result<f64> {
        let components = own.components.clone();
        let add: PathOf = Arc::new(move |key| counter_add(&components, &format!("{name}-{key}")));
        let before = own.server.private_bytes()?;
        load::each_once(own.server.peer, SETUP_CONNECTIONS, workers, add, ADD_ONE).await?;
        Ok((own.server.private_bytes()? - before).max(0.0))
    }

    /// Lets workers begin a long sleep. Returns the growth of the memory when all sleep, and when all are noted as suspended.
    async fn suspended(&self, own: &Own, name: &str, workers: u64) -> anyhow::Result<(f64, f64)> {
        let before = own.server.private_bytes()?;
        let mut connection = Connection::open(own.server.peer).await?;
        let counter = &own.components.counter;
        let function = "bench:counter/counter-api.%7Brest%7D";
        for key in 0..workers {
            let worker = format!("{name}-{key}");
            rest::begin(&mut connection, counter, &worker, function, REST_MS).await?;
        }
        let waiting = (own.server.private_bytes()? - before).max(0.0);
        let start = Instant::now();
        for key in 0..workers {
            let worker = format!("{name}-{key}");
            while rest::status(&mut connection, counter, &worker).await? != "Suspended" {
                anyhow::ensure!(
                    start.elapsed() < SUSPENDED_MAX,
                    "`{worker}` is not suspended"
                );
                tokio::time::sleep(LOOK).await;
            }
        }
        Ok((waiting, (own.server.private_bytes()? - before).max(0.0)))
    }

    /// Bytes of a worker with an instance, of one without, of one that sleeps.
    pub(crate) async fn density(&self, facts: &mut Vec<Fact>) -> anyhow::Result<()> {
        let resident = self.args.density;
        let fact = |id: &str, what: String, bytes: f64, goal: Option<f64>| Fact {
            id: id.to_owned(),
            what,
            unit: "B",
            value: bytes,
            goal,
        };
        let own = self.own("density-resident", &[]).await?;
        let each = self.grown(&own, "w", resident).await? / resident as f64;
        let what = format!("private memory of each of {resident} Go workers after one call each");
        Self::put(
            facts,
            fact("density-resident", what, each, Some(1_048_576.0)),
        )?;
        drop(own);

        // What the process needs for any number of workers is there after the first ones, in both of the next.
        let workers = resident * EVICTED_TIMES;
        let own = self
            .own("density-evicted", &["--resident-max", "1"])
            .await?;
        self.grown(&own, "first", workers).await?;
        let each = self.grown(&own, "w", workers).await? / workers as f64;
        let what = format!("the same of each of {workers} more that have left memory");
        Self::put(facts, fact("density-evicted", what, each, Some(512.0)))?;
        drop(own);

        let workers = resident * SUSPENDED_TIMES;
        let own = self
            .own("density-suspended", &["--resident-max", "1"])
            .await?;
        let (waiting, _) = self.suspended(&own, "first", workers).await?;
        let what = format!("the same of each of {workers} that began to sleep just now");
        let each = waiting / workers as f64;
        Self::put(facts, fact("density-waiting", what, each, None))?;
        let (_, suspended) = self.suspended(&own, "w", workers).await?;
        let what = format!("the same of each of {workers} more that sleep for an hour");
        let each = suspended / workers as f64;
        Self::put(facts, fact("density-suspended", what, each, Some(512.0)))
    }

    /// Memory of a server that knows very many workers, at its start and after some of them were called.
    pub(crate) async fn known(
        &self,
        facts: &mut Vec<Fact>,
        found: &mut Exactness,
    ) -> anyhow::Result<()> {
        let known = self.args.known;
        let mut own = self.own("known", &["--resident-max", "16"]).await?;
        own.server.kill()?;
        let data = self.dir.join("known/data");
        let counter = own.components.counter.clone();
        let start = Instant::now();
        tokio::task::spawn_blocking(move || millions::copy(&data, &counter, "first", known))
            .await??;
        report::say(&format!(
            "known: {known} workers written in {:.1} s",
            start.elapsed().as_secs_f64()
        ))?;
        let start = own.server.spawn()?;
        own.server
            .connect(start)
            .await?
            .request("GET", "/healthcheck", "application/json", b"")
            .await?;
        let ready = start.elapsed().as_secs_f64() * 1e3;
        let fact = |id: &str, what: String, unit, value, goal| Fact {
            id: id.to_owned(),
            what,
            unit,
            value,
            goal,
        };
        let what = format!("start to the first answer with {known} known workers");
        Self::put(facts, fact("known-start", what, "ms", ready, None))?;
        let mib = |bytes: f64| bytes / 1_048_576.0;
        let bytes = mib(own.server.resident_bytes()?);
        let what = format!("memory of the server with {known} known workers after its start");
        Self::put(facts, fact("known", what, "MiB", bytes, Some(512.0)))?;
        let mut connection = Connection::open(own.server.peer).await?;
        let mut times = Vec::new();
        for at in 0..SAMPLE {
            // Spread over all of them, in an order that no cache likes.
            let name = millions::name(at * 7_919 * (known / SAMPLE).max(1) % known);
            let start = Instant::now();
            let state = counter_get(&own.components, &name);
            let state = rest::invoke(&mut connection, &state, &[]).await?;
            times.push(start.elapsed().as_secs_f64() * 1e6);
            found.compare(&name, state, 1, 1);
        }
        let what = format!("first call of one of {known} known workers, p50");
        let p50 = median(times.into_iter());
        Self::put(facts, fact("known-first-call", what, "us", p50, None))?;
        let bytes = mib(own.server.resident_bytes()?);
        let what = format!("memory of the server after {SAMPLE} of them were called");
        Self::put(
            facts,
            fact("known-touched", what, "MiB", bytes, Some(512.0)),
        )
    }

    /// From a kill to the first answer of a worker with a history.
    pub(crate) async fn replay(
        &self,
        facts: &mut Vec<Fact>,
        found: &mut Exactness,
    ) -> anyhow::Result<()> {
        let mut own = self.own("replay", &[]).await?;
        let mut connection = Connection::open(own.server.peer).await?;
        own.components.add_caller(&mut connection, "warm").await?;
        for entries in HISTORIES {
            let worker = format!("h-{entries}");
            own.components.add_caller(&mut connection, &worker).await?;
            let seq = caller_seq(&own.components, &worker);
            let mut left = entries / 2;
            while left > 0 {
                let some = left.min(STEPS);
                rest::invoke(&mut connection, &seq, &[some]).await?;
                left -= some;
            }
        }
        let checkpoints = self.dir.join("replay/data/checkpoints");
        for with in [true, false] {
            for entries in HISTORIES {
                let mut times = Vec::new();
                for _ in 0..self.args.rounds {
                    own.server.kill()?;
                    if !with && checkpoints.exists() {
                        std::fs::remove_dir_all(&checkpoints)
                            .context("failed to remove the checkpoints")?;
                    }
                    own.server.start().await?;
                    let mut connection = Connection::open(own.server.peer).await?;
                    // The code of the component is loaded by another worker.
                    let other = format!("c-h-{entries}");
                    rest::invoke(&mut connection, &counter_get(&own.components, &other), &[])
                        .await?;
                    let warm = caller_seq(&own.components, "warm");
                    rest::invoke(&mut connection, &warm, &[0]).await?;
                    let seq = caller_seq(&own.components, &format!("h-{entries}"));
                    let start = Instant::now();
                    let last = rest::invoke(&mut connection, &seq, &[1]).await?;
                    times.push(start.elapsed().as_secs_f64() * 1e3);
                    found.compare(&seq, u64::from(last > entries / 2), 1, 1);
                }
                let how = if with { "" } else { "-bare" };
                let what = format!(
                    "SIGKILL, start, then one call of a worker with {entries} entries{}",
                    if with { "" } else { ", checkpoints removed" }
                );
                let fact = Fact {
                    id: format!("replay{how}-{entries}"),
                    what,
                    unit: "ms",
                    value: median(times.into_iter()),
                    goal: None,
                };
                Self::put(facts, fact)?;
            }
        }
        Ok(())
    }
}
