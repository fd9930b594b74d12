// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / traveller: a guest in text form, ready without any compiler, in versions that repeat each other's history or do not;
//! and what its tests start with. Read next: `travel.rs`, `updates.rs`, `promises.rs`.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use golem_testkit::{Rest, Server};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::guests;

/// How long something may take that happens by itself. Far above what it needs, because tests share two cores.
const SOON: Duration = Duration::from_secs(60);

/// A version of the guest. All of them export `add(n) -> total`, `get() -> total`, `sleep(millis) -> total`, `boom()`, which
/// adds 100 and traps, and `wait() -> total`, which adds the number of bytes that a new promise is completed with. They save and
/// load their total as a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// `add` asks for a random number.
    First,
    /// The same, and `add` adds the number twice: a history with `add` in it gives other results, one without repeats.
    Same,
    /// `add` asks for an insecure random number: another host call than the one that the history has.
    Other,
    /// As the first, but it refuses every snapshot, with the word `no`.
    Refusing,
}

/// The wasm of a version.
pub(crate) fn guest(version: Version) -> Result<Vec<u8>> {
    let (interface, function) = match version {
        Version::First | Version::Same | Version::Refusing => ("random", "get-random-u64"),
        Version::Other => ("insecure", "get-insecure-random-u64"),
    };
    let twice = match version {
        Version::Same => "local.get 0 global.get $total i64.add global.set $total",
        Version::First | Version::Other | Version::Refusing => "",
    };
    let refuse = match version {
        Version::Refusing => "i32.const 0 local.set 1",
        _ => "",
    };
    let text = std::fs::read_to_string(guests().join("traveller/traveller.wat"))?
        .replace("INTERFACE", interface)
        .replace("FUNCTION", function)
        .replace(";;TWICE", twice)
        .replace(";;REFUSE", refuse);
    Ok(wat::parse_str(text)?)
}

/// A server on a fresh directory with the first version of the guest.
pub(crate) struct Traveller {
    pub(crate) data: TempDir,
    pub(crate) server: Server,
    pub(crate) component: String,
}

impl Traveller {
    /// Starts it.
    pub(crate) fn start() -> Result<Self> {
        Self::start_with(&[])
    }

    /// Starts it with more options of the server.
    pub(crate) fn start_with(options: &[&str]) -> Result<Self> {
        let data = tempfile::tempdir()?;
        let server = Server::start_with(data.path(), options)?;
        let component = server
            .rest()
            .create_component("traveller", &guest(Version::First)?)?;
        Ok(Self {
            data,
            server,
            component,
        })
    }

    /// Kills the server and starts it again on the same directory.
    pub(crate) fn restart(self) -> Result<Self> {
        self.server.kill()?;
        let server = Server::start(self.data.path())?;
        Ok(Self { server, ..self })
    }

    /// A client.
    pub(crate) fn rest(&self) -> Rest {
        self.server.rest()
    }

    /// Uploads another version of the guest.
    pub(crate) fn upload(&self, version: Version) -> Result<()> {
        let path = format!("/v1/components/{}/updates", self.component);
        let (status, body) = self
            .rest()
            .upload(&path, None, "Durable", &guest(version)?)?;
        match status {
            200 => Ok(()),
            _ => bail!("the upload answered {status}: {body}"),
        }
    }

    /// Path of a worker.
    pub(crate) fn path(&self, worker: &str) -> String {
        format!("/v1/components/{}/workers/{worker}", self.component)
    }

    /// What is known of a worker.
    pub(crate) fn worker(&self, worker: &str) -> Result<Value> {
        let (status, body) = self.rest().get(&self.path(worker))?;
        match status {
            200 => Ok(body),
            _ => bail!("GET of {worker} answered {status}: {body}"),
        }
    }

    /// Calls a function and returns its result.
    pub(crate) fn call(&self, worker: &str, function: &str, params: &[Value]) -> Result<Value> {
        self.rest().call(&self.component, worker, function, params)
    }

    /// Calls a function; the status and the whole answer.
    pub(crate) fn try_call(
        &self,
        worker: &str,
        function: &str,
        params: &[Value],
        key: Option<&str>,
    ) -> Result<(u16, Value)> {
        self.rest()
            .try_call(&self.component, worker, function, params, key)
    }

    /// Hands in an invocation without waiting for it.
    pub(crate) fn post(
        &self,
        worker: &str,
        function: &str,
        params: &[Value],
        key: &str,
    ) -> Result<()> {
        let path = format!("{}/invoke?function={function}", self.path(worker));
        self.ok(&path, &json!({ "params": params }), Some(key))
            .map(drop)
    }

    /// `POST path`, which must succeed.
    pub(crate) fn ok(&self, path: &str, body: &Value, key: Option<&str>) -> Result<Value> {
        let (status, answer) = self.rest().post(path, body, key)?;
        match status {
            200 => Ok(answer),
            _ => bail!("POST {path} answered {status}: {answer}"),
        }
    }

    /// All entries of a worker's log that a query finds, as pairs of index and entry.
    pub(crate) fn oplog(&self, worker: &str, query: &str) -> Result<Vec<(u64, Value)>> {
        let (mut entries, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("{}/oplog?query={query}&count=3{cursor}", self.path(worker));
            let (status, page) = self.rest().get(&path)?;
            let found = page["entries"]
                .as_array()
                .with_context(|| format!("{path} answered {status}: {page}"))?;
            if found.is_empty() {
                return Ok(entries);
            }
            for entry in found {
                let index = entry["oplogIndex"].as_u64().context("no index")?;
                entries.push((index, entry["entry"].clone()));
            }
            cursor = format!(
                "&cursor={}-{}",
                page["next"]["next_oplog_index"], page["next"]["current_component_version"]
            );
        }
    }

    /// Waits until a worker's log has an entry that the query finds; its index.
    pub(crate) fn entry(&self, worker: &str, query: &str) -> Result<u64> {
        until(query, || {
            Ok(self.oplog(worker, query)?.last().map(|(index, _)| *index))
        })
    }

    /// Waits until the last update of a worker is no longer pending; its record.
    pub(crate) fn updated(&self, worker: &str) -> Result<Value> {
        until("an update", || {
            let worker = self.worker(worker)?;
            let last = worker["updates"].as_array().and_then(|all| all.last());
            Ok(last
                .filter(|update| update["type"] != "pendingUpdate")
                .cloned())
        })
    }

    /// Runs `golem-cli` against the server; what it prints as JSON.
    pub(crate) fn cli(&self, words: &[&str]) -> Result<Value> {
        let text = self.cli_text(&[&["--format", "json"], words].concat())?;
        Ok(serde_json::from_str(&text)?)
    }

    /// The same, as text.
    pub(crate) fn cli_text(&self, words: &[&str]) -> Result<String> {
        let words = [&["--url", self.server.url()], words].concat();
        golem_testkit::run(self.data.path(), &words)
    }
}

/// Asks again and again until there is an answer. Fails after [`SOON`].
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let begun = Instant::now();
    loop {
        if let Some(found) = ask()? {
            return Ok(found);
        }
        if begun.elapsed() > SOON {
            bail!("waited in vain for {what}");
        }
        std::thread::yield_now();
    }
}
