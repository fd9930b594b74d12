// SPDX-License-Identifier: Apache-2.0
//! THE SCALES / subject: who is measured, so that a row is written once for all of them. In: an [`Op`], a worker, a number.
//! Out: requests in the language of ours, of Restate, of the floor; CPU time and memory of all processes behind them.
//! Never measures. Read next: `rows.rs`.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;

use crate::guests::Guests;
use crate::http::Connection;
use crate::load::{self, Load, PathOf, Sample};
use crate::measure::Who;
use crate::peer::{Installed, Peer};
use crate::process::{Program, READY_MAX, READY_PAUSE};
use crate::rest;

/// Connections that prepare workers, not measured.
const SETUP_CONNECTIONS: u64 = 64;

/// What a worker can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    /// Adds n to a counter; its new total.
    Add,
    /// The total of a counter.
    Get,
    /// `Add` on the counter whose workers share their start.
    SharedAdd,
    /// `Add` on the counter without a language.
    TinyAdd,
    /// `Get` on it.
    TinyGet,
    /// `Add` on an instance that lives for this call only.
    FreshAdd,
    /// A caller adds n to its counter.
    One,
    /// A caller adds 1 to its counter n times, one after the other.
    Seq,
    /// A caller adds 1 to n new counters at once.
    Fan,
    /// n durable steps.
    Steps,
    /// n durable steps on an instance that lives for this call only.
    FreshSteps,
    /// n durable steps with a commit after each.
    StepsCommit,
    /// Microseconds that the last nap of a counter was late.
    Late,
}

/// Ids of the uploaded guests.
#[derive(Debug, Clone, Default)]
pub(crate) struct Components {
    /// Of `counter`.
    pub(crate) counter: String,
    /// Of `counter`, its start shared by all workers.
    pub(crate) shared: String,
    /// Of `caller`.
    pub(crate) caller: String,
    /// Of `steps`.
    pub(crate) steps: String,
    /// Of `tiny`.
    pub(crate) tiny: String,
    /// Of `tiny`, ephemeral.
    pub(crate) fresh: String,
    /// Of `steps`, ephemeral.
    pub(crate) fresh_steps: String,
}

/// How one of them is spoken to.
#[derive(Debug, Clone)]
pub(crate) enum Api {
    /// The REST API of golem-cli's server.
    Ours(Arc<Components>),
    /// Restate's ingress.
    Restate,
    /// The floor program: every operation is one durable add.
    Floor,
}

impl Api {
    /// Path of `op` on `worker`.
    pub(crate) fn path(&self, op: Op, worker: &str) -> String {
        let components = match self {
            Self::Floor => return format!("/d/{worker}/add"),
            Self::Restate => {
                let handler = match op {
                    Op::Add | Op::SharedAdd | Op::TinyAdd | Op::FreshAdd => "add",
                    Op::Get | Op::TinyGet => "get",
                    Op::One => return format!("/Caller/{worker}/one"),
                    Op::Seq => return format!("/Caller/{worker}/seq"),
                    Op::Fan => return format!("/Caller/{worker}/fan"),
                    Op::Steps | Op::FreshSteps | Op::StepsCommit | Op::Late => {
                        return format!("/Steps/{worker}/steps");
                    }
                };
                return format!("/Counter/{worker}/{handler}");
            }
            Self::Ours(components) => components,
        };
        const COUNTER: &str = "bench:counter/counter-api";
        const CALLER: &str = "bench:caller/caller-api";
        const STEPS: &str = "bench:steps/steps-api";
        match op {
            Op::Add => rest::invoke_path(&components.counter, worker, COUNTER, "add"),
            Op::Get => rest::invoke_path(&components.counter, worker, COUNTER, "get"),
            Op::Late => rest::invoke_path(&components.counter, worker, COUNTER, "late"),
            Op::SharedAdd => rest::invoke_path(&components.shared, worker, COUNTER, "add"),
            Op::TinyAdd => rest::invoke_path(&components.tiny, worker, COUNTER, "add"),
            Op::TinyGet => rest::invoke_path(&components.tiny, worker, COUNTER, "get"),
            Op::One => rest::invoke_path(&components.caller, worker, CALLER, "one"),
            Op::Seq => rest::invoke_path(&components.caller, worker, CALLER, "seq"),
            Op::Fan => rest::invoke_path(&components.caller, worker, CALLER, "fan"),
            Op::Steps => rest::invoke_path(&components.steps, worker, STEPS, "steps"),
            Op::StepsCommit => rest::invoke_path(&components.steps, worker, STEPS, "steps-commit"),
            Op::FreshAdd => rest::fresh_path(&components.fresh, COUNTER, "add"),
            Op::FreshSteps => rest::fresh_path(&components.fresh_steps, STEPS, "steps"),
        }
    }

    /// Body of a request with the parameter `n`, or without one.
    pub(crate) fn body(&self, n: Option<u64>) -> String {
        match (self, n) {
            (Self::Ours(_), Some(n)) => format!(r#"{{"params":[{{"value":{n}}}]}}"#),
            (Self::Ours(_), None) => r#"{"params":[]}"#.to_owned(),
            (_, Some(n)) => n.to_string(),
            (_, None) => String::new(),
        }
    }

    /// Asks once and returns the number that comes back. Errors: no connection, not 2xx, no number.
    pub(crate) async fn ask(
        &self,
        connection: &mut Connection,
        op: Op,
        worker: &str,
        n: Option<u64>,
    ) -> anyhow::Result<u64> {
        let (path, body) = (self.path(op, worker), self.body(n));
        let answer = rest::ask(
            connection,
            "POST",
            &path,
            "application/json",
            body.as_bytes(),
        )
        .await?;
        let number = match self {
            Self::Ours(_) => answer.pointer("/result/value/0"),
            Self::Restate => Some(&answer),
            Self::Floor => answer.pointer("/value/0"),
        };
        number
            .and_then(serde_json::Value::as_u64)
            .with_context(|| format!("`{path}` returned no number: {answer}"))
    }
}

/// One of those that are measured, running.
#[derive(Debug)]
pub(crate) struct Subject {
    /// Which one.
    pub(crate) who: Who,
    /// How it is spoken to.
    pub(crate) api: Api,
    program: Running,
}

#[derive(Debug)]
enum Running {
    /// One process.
    One(Program),
    /// The peer: a server and the service that it calls.
    Peer(Box<Peer>),
}

impl Subject {
    /// golem-cli's server with its data in `dir` and these options of `server run`, with all guests uploaded.
    pub(crate) async fn ours(
        golem_cli: &Path,
        dir: &Path,
        guests: &Guests,
        options: &[&str],
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let mut server = Program::server(golem_cli, dir)?.with(options);
        server.start().await?;
        let mut connection = Connection::open(server.address).await?;
        let connection = &mut connection;
        let components = Components {
            counter: rest::upload(connection, "counter", "Durable", &guests.counter).await?,
            shared: rest::upload_sharing(connection, "shared", &guests.counter).await?,
            caller: rest::upload(connection, "caller", "Durable", &guests.caller).await?,
            steps: rest::upload(connection, "steps", "Durable", &guests.steps).await?,
            tiny: rest::upload(connection, "tiny", "Durable", &guests.tiny).await?,
            fresh: rest::upload(connection, "fresh", "Ephemeral", &guests.tiny).await?,
            fresh_steps: rest::upload(connection, "fresh-steps", "Ephemeral", &guests.steps)
                .await?,
        };
        Ok(Self {
            who: Who::Ours,
            api: Api::Ours(Arc::new(components)),
            program: Running::One(server),
        })
    }

    /// The floor program with its file in `dir`.
    pub(crate) async fn floor(dir: &Path) -> anyhow::Result<Self> {
        let mut floor = Program::floor(dir)?;
        floor
            .start()
            .await
            .context("failed to start the floor program")?;
        Ok(Self {
            who: Who::Floor,
            api: Api::Floor,
            program: Running::One(floor),
        })
    }

    /// The peer, run in one of its two ways with its data in `dir` and more in its environment.
    pub(crate) async fn peer(
        installed: &Installed,
        who: Who,
        dir: &Path,
        env: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let peer = installed.start(who, dir, env).await?;
        let mut subject = Self {
            who,
            api: Api::Restate,
            program: Running::Peer(Box::new(peer)),
        };
        let start = Instant::now();
        subject
            .first_answer(start, Op::Add, "warm", Some(1))
            .await
            .context("failed to start the peer")?;
        Ok(subject)
    }

    /// The process that answers clients.
    pub(crate) fn server(&self) -> &Program {
        match &self.program {
            Running::One(program) => program,
            Running::Peer(peer) => &peer.server,
        }
    }

    /// The peer, if it is one.
    pub(crate) fn as_peer(&mut self) -> Option<&mut Peer> {
        match &mut self.program {
            Running::One(_) => None,
            Running::Peer(peer) => Some(peer),
        }
    }

    /// The ids of ours; empty ones for the others.
    pub(crate) fn components(&self) -> Arc<Components> {
        match &self.api {
            Api::Ours(components) => Arc::clone(components),
            Api::Restate | Api::Floor => Arc::default(),
        }
    }

    /// A new connection.
    pub(crate) async fn connect(&self) -> anyhow::Result<Connection> {
        Ok(Connection::open(self.server().address).await?)
    }

    /// CPU time so far, in microseconds, of the server and of the service that it calls.
    pub(crate) fn cpu_us(&self) -> f64 {
        match &self.program {
            Running::One(program) => program.cpu_us(),
            Running::Peer(peer) => peer.server.cpu_us() + peer.service.cpu_us(),
        }
    }

    /// Ends the server with SIGKILL; a service that it calls goes on.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        self.server_mut().kill()
    }

    /// Starts the server's process; returns the moment before.
    pub(crate) fn spawn(&mut self) -> anyhow::Result<Instant> {
        self.server_mut().spawn()
    }

    fn server_mut(&mut self) -> &mut Program {
        match &mut self.program {
            Running::One(program) => program,
            Running::Peer(peer) => &mut peer.server,
        }
    }

    /// The first number that `op` on `worker` returns within [`READY_MAX`] after `start`. Whoever is not ready yet may refuse
    /// until then.
    pub(crate) async fn first_answer(
        &mut self,
        start: Instant,
        op: Op,
        worker: &str,
        n: Option<u64>,
    ) -> anyhow::Result<u64> {
        let api = self.api.clone();
        let mut connection = self.server_mut().connect(start).await?;
        loop {
            match api.ask(&mut connection, op, worker, n).await {
                Ok(number) => return Ok(number),
                Err(error) if start.elapsed() > READY_MAX => return Err(error),
                Err(_) => tokio::time::sleep(READY_PAUSE).await,
            }
            connection = self.server_mut().connect(start).await?;
        }
    }

    /// SIGKILL, start, and the wait until `op` on `worker` is answered. Returns the time from the start on in milliseconds, and
    /// the number that came.
    pub(crate) async fn restart(
        &mut self,
        op: Op,
        worker: &str,
        n: Option<u64>,
    ) -> anyhow::Result<(f64, u64)> {
        self.kill()?;
        let start = self.spawn()?;
        let number = self.first_answer(start, op, worker, n).await?;
        Ok((start.elapsed().as_secs_f64() * 1e3, number))
    }

    /// Makes the caller `name`, whose counters are of the component `counter`. Only ours has to be told.
    pub(crate) async fn add_caller(
        &self,
        connection: &mut Connection,
        name: &str,
        counter: &str,
    ) -> anyhow::Result<()> {
        match &self.api {
            Api::Ours(components) => {
                let env = [("COUNTER_ID", counter)];
                rest::add_worker(connection, &components.caller, name, &env).await
            }
            Api::Restate | Api::Floor => Ok(()),
        }
    }

    /// Path of `op` on the worker that `name` gives a key.
    pub(crate) fn path_of(
        &self,
        op: Op,
        name: impl Fn(u64) -> String + Send + Sync + 'static,
    ) -> PathOf {
        let api = self.api.clone();
        Arc::new(move |key| api.path(op, &name(key)))
    }

    /// Sends `op` with 1 once for each of `count` keys. Latencies are in the sample.
    pub(crate) async fn each_once(
        &self,
        op: Op,
        connections: u64,
        count: u64,
        name: impl Fn(u64) -> String + Send + Sync + 'static,
    ) -> anyhow::Result<Sample> {
        let (path, body) = (self.path_of(op, name), self.api.body(Some(1)));
        load::each_once(self.server().address, connections, count, path, &body).await
    }

    /// The same over many connections, to make workers that a row needs.
    pub(crate) async fn prepare(
        &self,
        op: Op,
        count: u64,
        name: impl Fn(u64) -> String + Send + Sync + 'static,
    ) -> anyhow::Result<()> {
        self.each_once(op, SETUP_CONNECTIONS, count, name).await?;
        Ok(())
    }

    /// Asks each of `count` workers once, over many connections; returns the numbers by key.
    pub(crate) async fn each_number(
        &self,
        op: Op,
        count: u64,
        name: impl Fn(u64) -> String + Clone + Send + Sync + 'static,
    ) -> anyhow::Result<Vec<(u64, u64)>> {
        let mut tasks = tokio::task::JoinSet::new();
        for first in 0..SETUP_CONNECTIONS {
            let (api, name, address) = (self.api.clone(), name.clone(), self.server().address);
            tasks.spawn(async move {
                let mut connection = Connection::open(address).await?;
                let mut numbers = Vec::new();
                for key in (first..count).step_by(SETUP_CONNECTIONS as usize) {
                    let number = api.ask(&mut connection, op, &name(key), None).await?;
                    numbers.push((key, number));
                }
                anyhow::Ok(numbers)
            });
        }
        let mut all = Vec::new();
        while let Some(numbers) = tasks.join_next().await {
            all.append(&mut numbers??);
        }
        Ok(all)
    }

    /// Runs a load on it.
    pub(crate) async fn load(
        &self,
        op: Op,
        connections: u64,
        keys: u64,
        name: impl Fn(u64) -> String + Send + Sync + 'static,
        (warmup, length): (std::time::Duration, std::time::Duration),
    ) -> anyhow::Result<Sample> {
        let load = Load {
            address: self.server().address,
            connections,
            keys,
            path: self.path_of(op, name),
            body: self.api.body(Some(1)),
            warmup,
            length,
        };
        load::run(&load, || self.cpu_us()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_language_names_the_same_operation() {
        let components = Components {
            counter: "c".to_owned(),
            ..Components::default()
        };
        let ours = Api::Ours(Arc::new(components));
        assert_eq!(
            ours.path(Op::Add, "w"),
            "/v1/components/c/workers/w/invoke-and-await?function=bench:counter/counter-api.%7Badd%7D"
        );
        assert_eq!(ours.body(Some(3)), r#"{"params":[{"value":3}]}"#);
        assert_eq!(Api::Restate.path(Op::Add, "w"), "/Counter/w/add");
        assert_eq!(Api::Restate.path(Op::StepsCommit, "w"), "/Steps/w/steps");
        assert_eq!(
            (Api::Restate.body(Some(3)), Api::Restate.body(None)),
            ("3".to_owned(), String::new())
        );
        assert_eq!(Api::Floor.path(Op::Fan, "w"), "/d/w/add");
    }
}
