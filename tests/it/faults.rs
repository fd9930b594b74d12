// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / faults: the server dies at every sync of a workload, and at random; nothing is lost or done twice.
//! A failing case prints its seed or its crash point and the command that repeats it. Source: reliability F1.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use golem_testkit::{Random, Rest, Server};
use serde_json::{Value, json};

use crate::support::{name, needs_go, probe};

/// Environment variable that repeats a random case.
const SEED: &str = "GOLEM_FAULT_SEED";
/// Environment variable that sets how many random kills there are.
const ROUNDS: &str = "GOLEM_FAULT_ROUNDS";
/// Random kills of the quick form.
const ROUNDS_QUICK: u64 = 12;
/// Calls of the scripted workload: each has an own key and is repeated until it is answered.
const SCRIPT: &[(&str, &str, u64)] = &[
    ("a", "send", 1),
    ("a", "send-quietly", 10),
    ("b", "add", 100),
    ("a", "send", 1_000),
    ("c", "send-quietly", 10_000),
    ("c", "now-and-random", 0),
    ("a", "fan", 100_000),
    ("c", "sleep", 1),
    ("a", "send", 1_000_000),
];
/// What worker `b` has got when the whole script has run.
const TOTAL: u64 = 1_111_111;
/// What worker `a` says it has sent.
const SENT_BY_A: u64 = 1_001_011;

fn step(rest: &Rest, component: &str, at: usize) -> Result<Value> {
    let (worker, function, n) = SCRIPT.get(at).copied().context("no such step")?;
    let key = format!("step-{at}");
    let (function, params) = match function {
        "send" | "send-quietly" => (function, vec![json!("b"), json!(n)]),
        "fan" => ("fan-add", vec![json!(["b"]), json!(n)]),
        "sleep" | "add" => (function, vec![json!(n)]),
        _ => (function, vec![]),
    };
    let (status, body) = rest.try_call(component, worker, &name(function), &params, Some(&key))?;
    ensure!(status == 200, "step {at} answered {status}: {body}");
    Ok(body["result"]["value"].clone())
}

fn check_totals(rest: &Rest, component: &str, case: &str) -> Result<()> {
    let b = rest.call(component, "b", &name("get"), &[])?;
    let a = rest.call(component, "a", &name("sent"), &[])?;
    let c = rest.call(component, "c", &name("sent"), &[])?;
    ensure!(b == json!(TOTAL), "{case}: b has {b} instead of {TOTAL}");
    ensure!(
        a == json!(SENT_BY_A),
        "{case}: a has sent {a} instead of {SENT_BY_A}"
    );
    ensure!(c == json!(10_000), "{case}: c has sent {c}");
    Ok(())
}

/// Runs the script on a server that dies at `point`, starts it again, finishes the script, and checks the totals.
/// Returns whether it died.
fn crash_case(wasm: &[u8], point: &str) -> Result<bool> {
    let case = format!("--crash-at {point}");
    let data = tempfile::tempdir()?;
    // The upload is in the catalogue, whose writes are not commits of the log: the workload alone is counted.
    let server = Server::start(data.path())?;
    let component = server.rest().create_component("probe", wasm)?;
    server.kill()?;
    let server = Server::start_with(data.path(), &["--crash-at", point])?;
    let rest = server.rest();
    let mut answers: Vec<Option<Value>> = vec![None; SCRIPT.len()];
    for (at, answer) in answers.iter_mut().enumerate() {
        match step(&rest, &component, at) {
            Ok(value) => *answer = Some(value),
            Err(_) => break,
        }
    }
    let died = answers.iter().any(Option::is_none);
    if died {
        server.wait()?;
    } else {
        server.kill()?;
    }
    let server = Server::start(data.path())?;
    let rest = server.rest();
    for (at, before) in answers.iter().enumerate() {
        let now =
            step(&rest, &component, at).with_context(|| format!("{case}: after the restart"))?;
        // An answer that was given is never taken back.
        if let Some(before) = before {
            ensure!(
                *before == now,
                "{case}: step {at} answered {before} before the crash and {now} after it"
            );
        }
    }
    check_totals(&rest, &component, &case)?;
    Ok(died)
}

#[test]
fn a_crash_at_every_commit_loses_nothing_and_repeats_nothing() -> Result<()> {
    if needs_go("a_crash_at_every_commit_loses_nothing_and_repeats_nothing") {
        return Ok(());
    }
    let wasm = probe()?.wasm;
    let mut crashes = 0;
    for commit in 1.. {
        let mut died = false;
        for when in ["before", "after"] {
            died |= crash_case(&wasm, &format!("{when}:{commit}"))?;
        }
        if !died {
            break;
        }
        crashes += 2;
    }
    eprintln!("crashed {crashes} times, at every commit of the workload");
    assert!(crashes >= 16, "the workload has at least 8 commits");
    Ok(())
}

#[test]
fn random_sigkills_under_load_keep_every_acknowledged_call_exactly_once() -> Result<()> {
    if needs_go("random_sigkills_under_load_keep_every_acknowledged_call_exactly_once") {
        return Ok(());
    }
    let seed = Random::seed(SEED);
    let rounds = Random::setting(ROUNDS).unwrap_or(ROUNDS_QUICK);
    let repeat = format!(
        "repeat with {SEED}={seed} {ROUNDS}={rounds} cargo test --workspace --test it -- random_sigkills"
    );
    eprintln!("{repeat}");
    random_kills(seed, rounds).context(repeat)
}

fn random_kills(seed: u64, rounds: u64) -> Result<()> {
    let mut random = Random::new(seed);
    let wasm = probe()?.wasm;
    let data = tempfile::tempdir()?;
    let mut server = Server::start(data.path())?;
    let component = server.rest().create_component("probe", &wasm)?;
    let mut keys = 0..;
    let mut expected = 0;
    for _ in 0..rounds {
        let rest = server.rest();
        let wait = Duration::from_millis(random.below(400));
        let mut given = Vec::new();
        let kill = std::thread::spawn(move || {
            std::thread::park_timeout(wait);
            server.kill()
        });
        // Calls until the server is gone; the last one may or may not have been done.
        for key in keys.by_ref() {
            let (function, n) = (
                ["send", "send-quietly"][usize::from(random.coin())],
                1 + random.below(9),
            );
            given.push((key, function, n));
            let params = [json!("b"), json!(n)];
            let sent = rest.try_call(
                &component,
                "a",
                &name(function),
                &params,
                Some(&format!("k-{key}")),
            );
            if !matches!(sent, Ok((200, _))) {
                break;
            }
        }
        kill.join()
            .map_err(|_| anyhow::anyhow!("the killer panicked"))??;
        server = Server::start(data.path())?;
        let rest = server.rest();
        // Everything is repeated with its key: what was done is not done again, what was not is done now.
        for (key, function, n) in given {
            let params = [json!("b"), json!(n)];
            let (status, body) = rest.try_call(
                &component,
                "a",
                &name(function),
                &params,
                Some(&format!("k-{key}")),
            )?;
            ensure!(status == 200, "call {key} answered {status}: {body}");
            expected += n;
        }
        let b = rest.call(&component, "b", &name("get"), &[])?;
        let a = rest.call(&component, "a", &name("sent"), &[])?;
        ensure!(
            b == json!(expected) && a == json!(expected),
            "sent {expected}: a says {a}, b has {b}"
        );
    }
    Ok(())
}

/// How long the server stands still.
const PAUSE: Duration = Duration::from_secs(3);

fn signal(pid: u32, signal: &str) -> Result<()> {
    let status = std::process::Command::new("kill")
        .args([signal, &pid.to_string()])
        .status()?;
    ensure!(status.success(), "cannot send {signal} to {pid}");
    Ok(())
}

#[test]
fn a_server_that_stands_still_for_seconds_does_nothing_twice() -> Result<()> {
    if needs_go("a_server_that_stands_still_for_seconds_does_nothing_twice") {
        return Ok(());
    }
    let wasm = probe()?.wasm;
    let data = tempfile::tempdir()?;
    let server = Server::start(data.path())?;
    let component = server.rest().create_component("probe", &wasm)?;
    let rest = server.rest();
    let (began, begins) = std::sync::mpsc::channel();
    let caller = {
        let (rest, component) = (rest.clone(), component.clone());
        std::thread::spawn(move || -> Result<u64> {
            let mut sent = 0;
            let start = std::time::Instant::now();
            // Goes on for a while after the pause.
            while start.elapsed() < PAUSE + Duration::from_secs(1) {
                for function in ["send", "send-quietly"] {
                    let params = [json!("b"), json!(1)];
                    let key = format!("k-{sent}");
                    let (status, body) =
                        rest.try_call(&component, "a", &name(function), &params, Some(&key))?;
                    ensure!(status == 200, "call {key} answered {status}: {body}");
                    sent += 1;
                }
                ensure!(began.send(()).is_ok(), "the test has ended");
            }
            Ok(sent)
        })
    };
    begins.recv()?;
    signal(server.pid(), "-STOP")?;
    let stopped = std::time::Instant::now();
    while let Some(left) = PAUSE.checked_sub(stopped.elapsed()) {
        std::thread::park_timeout(left);
    }
    signal(server.pid(), "-CONT")?;
    let sent = caller
        .join()
        .map_err(|_| anyhow::anyhow!("the caller panicked"))??;
    let b = rest.call(&component, "b", &name("get"), &[])?;
    let a = rest.call(&component, "a", &name("sent"), &[])?;
    ensure!(
        a == json!(sent) && b == json!(sent),
        "sent {sent}: a says {a}, b has {b}"
    );
    Ok(())
}
