// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / disk: the disk refuses, is full, writes a part, is slow or hangs, under the real server. After a refused sync or write
//! the server ends at once with a code and never tries again; a full disk is told with a code and is over when there is space;
//! a slow one makes everything late and nothing wrong. What was acknowledged stays, and no key does anything twice.
//! Read next: golem-testkit `preload.rs`, `power.rs`. Source: reliability F4, F6.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use golem_testkit::{Preload, Random, Rest, Server, Word};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::traveller::{Version, guest, until};

/// Environment variable that makes the long form: so many syncs and writes fail, one after the other.
const ROUNDS: &str = "GOLEM_FAULT_ROUNDS";
/// Syncs and writes of the quick form.
const FAULTS_QUICK: i64 = 6;
/// Exit code of a server that ends itself.
const FAILED: i32 = 1;
/// Calls until a fault has to show.
const CALLS_MAX: u64 = 500;
/// Free bytes below which the server takes nothing new, see golem-storage `LOW_BYTES`.
const LOW_BYTES: i64 = 128 << 20;

/// A data directory on a disk with faults, and a counter in it.
struct Rig {
    data: TempDir,
    preload: Preload,
    component: String,
    /// Calls so far, each of which adds 1 with a key of its own.
    calls: u64,
}

impl Rig {
    /// Makes it and ends its server. `None`: see [`Preload::new`].
    fn new(test: &str) -> Result<Option<Self>> {
        let data = tempfile::tempdir()?;
        let Some(preload) = Preload::new(test, data.path())? else {
            return Ok(None);
        };
        let server = Server::start(data.path())?;
        let component = server
            .rest()
            .create_component("traveller", &guest(Version::First)?)?;
        server.stop()?;
        Ok(Some(Self {
            data,
            preload,
            component,
            calls: 0,
        }))
    }

    /// A server without faults, and the counts at 0.
    fn start(&self) -> Result<Server> {
        self.preload.reset()?;
        let server = Server::start_under(&self.preload, false, self.data.path(), &[])?
            .map_err(|status| anyhow::anyhow!("ended: {status}"))?;
        self.preload.reset()?;
        Ok(server)
    }

    fn path(&self) -> String {
        format!("/v1/components/{}/workers/counter", self.component)
    }

    /// Asks for call number `n`, for the first time or again.
    fn ask(&self, rest: &Rest, n: u64) -> Result<(u16, Value)> {
        rest.try_call(
            &self.component,
            "counter",
            "add",
            &[json!(1)],
            Some(&format!("call-{n}")),
        )
    }

    /// Another call, which must succeed and find all earlier ones done once.
    fn call(&mut self, rest: &Rest) -> Result<()> {
        let (status, body) = self.ask(rest, self.calls)?;
        self.calls += 1;
        ensure!(
            status == 200 && body["result"]["value"] == json!([self.calls]),
            "call {} answered {status}: {body}",
            self.calls
        );
        Ok(())
    }

    /// Calls until the server is gone, waits for its end and checks how it ended; then starts it again and asks for the call
    /// that nobody knows about.
    fn until_the_end(&mut self, server: Server, case: &str) -> Result<Server> {
        let rest = server.rest();
        let said = self.preload.said()?.matches("error[SRV-009]").count();
        for at in 0.. {
            ensure!(at < CALLS_MAX, "{case}: nothing failed in {at} calls");
            match self.ask(&rest, self.calls) {
                Ok((200, _)) => self.calls += 1,
                // The end may be heard before the connection is gone.
                _ => break,
            }
        }
        let status = server.wait()?;
        ensure!(
            status.code() == Some(FAILED),
            "{case}: the server ended with {status}"
        );
        let text = self.preload.said()?;
        ensure!(
            text.matches("error[SRV-009]").count() == said + 1
                && text.contains("hint: check the disk"),
            "{case}: the server said:\n{text}"
        );
        let server = self.start()?;
        self.call(&server.rest()).context(case.to_owned())?;
        Ok(server)
    }
}

fn rounds() -> i64 {
    Random::setting(ROUNDS)
        .and_then(|rounds| i64::try_from(rounds).ok())
        .map_or(FAULTS_QUICK, |rounds| rounds.clamp(FAULTS_QUICK, 50))
}

#[test]
fn a_server_whose_disk_refuses_a_sync_or_a_write_ends_at_once_and_loses_nothing() -> Result<()> {
    let name = "a_server_whose_disk_refuses_a_sync_or_a_write_ends_at_once_and_loses_nothing";
    let Some(mut rig) = Rig::new(name)? else {
        return Ok(());
    };
    let mut server = rig.start()?;
    for at in 1..=rounds() {
        rig.preload.reset()?;
        rig.preload.set(Word::SyncFailAt, at)?;
        let case = format!("sync {at} fails");
        server = rig.until_the_end(server, &case)?;
        rig.preload.reset()?;
        rig.preload.set(Word::WriteFailAt, at)?;
        server = rig.until_the_end(server, &format!("write {at} finds no space"))?;
    }
    Ok(())
}

#[test]
fn a_sync_that_fails_is_never_tried_again() -> Result<()> {
    let Some(mut rig) = Rig::new("a_sync_that_fails_is_never_tried_again")? else {
        return Ok(());
    };
    let server = rig.start()?;
    rig.call(&server.rest())?;
    rig.preload.reset()?;
    rig.preload.set(Word::SyncFailAt, 2)?;
    let rest = server.rest();
    while matches!(rig.ask(&rest, rig.calls), Ok((200, _))) {
        rig.calls += 1;
    }
    server.wait()?;
    assert_eq!(
        (
            rig.preload.get(Word::Syncs)?,
            rig.preload.get(Word::Faults)?
        ),
        (2, 1)
    );
    Ok(())
}

#[test]
fn a_start_on_a_disk_that_refuses_a_sync_fails_with_a_code_and_can_be_repeated() -> Result<()> {
    let name = "a_start_on_a_disk_that_refuses_a_sync_fails_with_a_code_and_can_be_repeated";
    let wasm = guest(Version::First)?;
    // How many syncs a first start takes.
    let data = tempfile::tempdir()?;
    let Some(preload) = Preload::new(name, data.path())? else {
        return Ok(());
    };
    drop(Server::start_under(&preload, false, data.path(), &[])?);
    let syncs = preload.get(Word::Syncs)?;
    let step = (syncs / rounds()).max(1);
    for at in (1..=syncs).step_by(usize::try_from(step)?) {
        let data = tempfile::tempdir()?;
        let Some(preload) = Preload::new(name, data.path())? else {
            return Ok(());
        };
        preload.set(Word::SyncFailAt, at)?;
        match Server::start_under(&preload, false, data.path(), &[])? {
            Err(status) => ensure!(
                status.code() == Some(FAILED) && preload.said()?.contains("error["),
                "sync {at} of a first start: {status}: {}",
                preload.said()?
            ),
            // A sync in the background: its failure shows with the first thing that has to be kept.
            Ok(server) => drop(server),
        }
        preload.reset()?;
        let server = Server::start_under(&preload, false, data.path(), &[])?.map_err(|status| {
            anyhow::anyhow!(
                "after sync {at} of the first start had failed, the second ended with {status}: {}",
                preload.said().unwrap_or_default()
            )
        })?;
        let component = server.rest().create_component("traveller", &wasm)?;
        let total = server.rest().call(&component, "w", "add", &[json!(1)])?;
        assert_eq!(total, json!(1), "sync {at}");
    }
    Ok(())
}

#[test]
fn a_full_disk_is_told_with_a_code_and_is_over_when_there_is_space() -> Result<()> {
    let name = "a_full_disk_is_told_with_a_code_and_is_over_when_there_is_space";
    let Some(mut rig) = Rig::new(name)? else {
        return Ok(());
    };
    let server = rig.start()?;
    let rest = server.rest();
    rig.call(&rest)?;
    // A sleeping worker, which will have to write when it wakes.
    let sleeper = format!("/v1/components/{}/workers/sleeper", rig.component);
    let body = json!({"params": [{"value": 300}]});
    let (status, _) = rest.post(
        &format!("{sleeper}/invoke?function=sleep"),
        &body,
        Some("sleep"),
    )?;
    ensure!(status == 200, "the sleep answered {status}");
    // Nearly full: some calls go through, then there is a code.
    let used = rig.preload.get(Word::Bytes)?;
    rig.preload
        .set(Word::SpaceBytes, used + LOW_BYTES + (16 << 10))?;
    let mut refused = Value::Null;
    for _ in 0..CALLS_MAX {
        let (status, body) = rig.ask(&rest, rig.calls)?;
        if status == 507 {
            refused = body;
            break;
        }
        ensure!(status == 200, "a call answered {status}: {body}");
        rig.calls += 1;
    }
    ensure!(
        refused["code"] == "API-022"
            && refused["hint"]
                .as_str()
                .is_some_and(|hint| !hint.is_empty()),
        "no call met a full disk: {refused}"
    );
    // Full: the committer waits, reading goes on.
    rig.preload
        .set(Word::SpaceBytes, rig.preload.get(Word::Bytes)? + (1 << 20))?;
    for path in [
        rig.path(),
        format!("{}/oplog?count=3", rig.path()),
        sleeper.clone(),
    ] {
        let (status, body) = rest.get(&path)?;
        ensure!(status == 200, "GET {path} answered {status}: {body}");
    }
    let (status, _) = rig.ask(&rest, rig.calls)?;
    ensure!(status == 507, "a call on a full disk answered {status}");
    ensure!(rig.preload.get(Word::Faults)? == 0, "a write met the end");
    // Space again, and nobody does anything but call again.
    rig.preload.set(Word::SpaceBytes, 0)?;
    rig.call(&rest)?;
    let slept = rest.try_call(
        &rig.component,
        "sleeper",
        "sleep",
        &[json!(300)],
        Some("sleep"),
    )?;
    ensure!(slept.0 == 200, "the sleep answered {slept:?}");
    server.kill()?;
    let server = rig.start()?;
    rig.call(&server.rest())
}

#[test]
fn short_writes_are_finished() -> Result<()> {
    let Some(mut rig) = Rig::new("short_writes_are_finished")? else {
        return Ok(());
    };
    let mut server = rig.start()?;
    for every in [1, 2, 3] {
        rig.preload.set(Word::ShortEvery, every)?;
        for _ in 0..20 {
            rig.call(&server.rest())?;
        }
        let (status, body) = server.rest().upload(
            &format!("/v1/components/{}/updates", rig.component),
            None,
            "Durable",
            &guest(Version::Same)?,
        )?;
        ensure!(status == 200, "an upload answered {status}: {body}");
        ensure!(rig.preload.get(Word::Faults)? > 5, "no write was short");
        server.kill()?;
        server = rig.start()?;
        rig.call(&server.rest())?;
    }
    Ok(())
}

/// Every sync of the slow disk takes so much longer.
const SLOW: Duration = Duration::from_millis(300);
/// A disk that hangs.
const STALL: Duration = Duration::from_secs(4);
/// Clients at once.
const CLIENTS: usize = 16;
/// Longest a call may take on the slow disk: it shares its commits with all others, so a few syncs, not one per client. Far above
/// that, because tests share two cores.
const CALL_MAX: Duration = Duration::from_secs(30);

/// Each client calls its own worker `calls` times; the longest call.
fn crowd(rest: &Rest, component: &str, calls: u64, round: &str) -> Result<Duration> {
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (rest, component) = (rest.clone(), component.to_owned());
            let (worker, round) = (format!("{round}-{client}"), round.to_owned());
            std::thread::spawn(move || -> Result<Duration> {
                let mut longest = Duration::ZERO;
                for n in 0..calls {
                    let begun = Instant::now();
                    let key = format!("{round}-{n}");
                    let (status, body) =
                        rest.try_call(&component, &worker, "add", &[json!(1)], Some(&key))?;
                    ensure!(
                        status == 200 && body["result"]["value"] == json!([n + 1]),
                        "{worker} answered {status}: {body}"
                    );
                    longest = longest.max(begun.elapsed());
                }
                Ok(longest)
            })
        })
        .collect();
    let mut longest = Duration::ZERO;
    for client in clients {
        let of_client = client
            .join()
            .map_err(|_| anyhow::anyhow!("a client panicked"))??;
        longest = longest.max(of_client);
    }
    Ok(longest)
}

#[test]
fn a_slow_disk_and_one_that_hangs_make_answers_late_and_nothing_else() -> Result<()> {
    let name = "a_slow_disk_and_one_that_hangs_make_answers_late_and_nothing_else";
    let Some(rig) = Rig::new(name)? else {
        return Ok(());
    };
    let server = rig.start()?;
    let rest = server.rest();
    let quick = crowd(&rest, &rig.component, 5, "quick")?;
    let micros = |time: Duration| i64::try_from(time.as_micros());
    rig.preload.set(Word::DelayMicros, micros(SLOW)?)?;
    let slow = crowd(&rest, &rig.component, 3, "slow")?;
    rig.preload.set(Word::DelayMicros, 0)?;
    rig.preload.set(Word::StallMicros, micros(STALL)?)?;
    let stalled = crowd(&rest, &rig.component, 3, "stalled")?;
    let after = crowd(&rest, &rig.component, 5, "after")?;
    eprintln!(
        "{CLIENTS} clients, longest call: {quick:?}; with {SLOW:?} per sync {slow:?}; with one of {STALL:?} {stalled:?}; after it \
         {after:?}"
    );
    assert!(slow >= SLOW && stalled >= STALL, "the disk was not slow");
    assert!(slow < CALL_MAX && stalled < CALL_MAX, "a storm");
    // Reading is as quick as ever while the disk hangs: it hangs until the writer is answered.
    rig.preload.set(Word::StallMicros, micros(STALL)?)?;
    let writer = {
        let (rest, component) = (rest.clone(), rig.component.clone());
        std::thread::spawn(move || {
            let answer = rest.try_call(&component, "late", "add", &[json!(1)], None);
            (answer, Instant::now())
        })
    };
    until("the disk hangs", || {
        Ok((rig.preload.get(Word::StallMicros)? == 0).then_some(()))
    })?;
    let (status, _) = rest.get(&format!("/v1/components/{}/workers/quick-0", rig.component))?;
    let read = Instant::now();
    let (answer, written) = writer
        .join()
        .map_err(|_| anyhow::anyhow!("the writer panicked"))?;
    assert_eq!((status, answer?.0), (200, 200));
    assert!(read < written, "reading waited for the disk");
    Ok(())
}

/// Twice as long as requests wait for a disk, see golem-server `ROOM_TIMEOUT`.
const LONG_STALL: Duration = Duration::from_secs(20);
/// Requests of 60 KB at once: more than the 8 MiB that may wait for the disk.
const LARGE: usize = 200;
/// What may wait for the disk, see golem-storage `QUEUE_BYTES_MAX`.
const QUEUE_BYTES: u64 = 8 << 20;
/// Requests that come when there is no room.
const LATE: usize = 8;

/// Bytes that wait for the disk.
fn queued(rest: &Rest) -> Result<u64> {
    let (_, text) = rest.get("/metrics")?;
    let text = text.as_str().context("no text")?;
    let lines = text.lines();
    let mut found = lines.filter_map(|line| line.strip_prefix("golem_commit_queued_bytes "));
    Ok(found.next().context("no gauge")?.parse()?)
}

#[test]
fn a_disk_that_hangs_for_long_sends_writers_away_with_a_code_and_takes_them_later() -> Result<()> {
    let name = "a_disk_that_hangs_for_long_sends_writers_away_with_a_code_and_takes_them_later";
    let Some(rig) = Rig::new(name)? else {
        return Ok(());
    };
    let server = rig.start()?;
    let rest = server.rest();
    let path = format!("/v1/components/{}/workers", rig.component);
    let body = |n: usize| json!({"name": format!("large-{n}"), "args": [], "env": {"LARGE": "x".repeat(60_000)}});
    let stall = i64::try_from(LONG_STALL.as_micros())?;
    // Every sync, because the store also syncs for itself: one slow one could be nobody's who waits here.
    rig.preload.set(Word::DelayMicros, stall)?;
    let post = |from: usize, count: usize| {
        let (sender, answers) = mpsc::channel();
        for n in from..from + count {
            let (rest, path, body) = (rest.clone(), path.clone(), body(n));
            let sender = sender.clone();
            std::thread::spawn(move || sender.send((n, rest.post(&path, &body, None))));
        }
        answers
    };
    let first = post(0, LARGE);
    until("there is no room", || {
        Ok((queued(&rest)? >= QUEUE_BYTES).then_some(()))
    })?;
    let late: Vec<_> = post(LARGE, LATE).into_iter().collect();
    rig.preload.set(Word::DelayMicros, 0)?;
    let is_told = |status: u16, answer: &Value| {
        status == 503 && answer["code"] == "API-023" && answer["hint"].is_string()
    };
    let mut refused = Vec::new();
    for (n, answer) in late.into_iter().chain(first) {
        let (status, answer) = answer?;
        let told = is_told(status, &answer);
        ensure!(
            told || status == 200 && n < LARGE,
            "worker {n} answered {status}: {answer}"
        );
        if told {
            refused.push(n);
        }
    }
    eprintln!("{} of {} were sent away", refused.len(), LARGE + LATE);
    for n in refused {
        let (status, answer) = rest.post(&path, &body(n), None)?;
        ensure!(status == 200, "worker {n} answered {status}: {answer}");
    }
    Ok(())
}
