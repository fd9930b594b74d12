// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / call_trees: whom an invocation of a Go worker has called, before and after the server is killed, as REST and the command
//! line show it; and the checkpoints of a worker there. Source: cli-and-console spec §2, docs/rest.md.

use std::process::{Command, Output};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::schemas;
use crate::support::{Probe, name, needs_go};
use crate::traveller::{Traveller, until};

/// Runs `golem-cli` in the directory of the server's data.
fn cli(probe: &Probe, words: &[&str]) -> Result<Output> {
    Ok(Command::new(golem_testkit::golem_cli()?)
        .args(["--url", probe.server.url()])
        .args(words)
        .current_dir(probe.data.path())
        .env("GOLEM_CONFIG_DIR", probe.data.path())
        .env("NO_COLOR", "1")
        .output()?)
}

/// The same where it ends well: what it says on standard output and on standard error.
fn says(probe: &Probe, words: &[&str]) -> Result<(String, String)> {
    let output = cli(probe, words)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    ensure!(output.status.success(), "{words:?}: {out}{err}");
    Ok((out, err))
}

fn tree(probe: &Probe, worker: &str, query: &str) -> Result<Value> {
    let (status, tree) = probe
        .rest()
        .get(&format!("{}/calls{query}", probe.worker(worker)))?;
    ensure!(status == 200, "{status}: {tree}");
    schemas::named("trace", &tree)?;
    Ok(tree["root"].clone())
}

/// Worker, outcome and calls of a node.
fn shape(node: &Value) -> Value {
    let target = node["target"].as_str().unwrap_or_default();
    let worker = target.rsplit('/').next().unwrap_or_default();
    let calls = node["calls"].as_array();
    let calls: Vec<Value> = calls.into_iter().flatten().map(shape).collect();
    json!([worker, node["outcome"], calls])
}

/// All keys of a tree, from the root on.
fn keys(node: &Value, all: &mut Vec<Value>) {
    all.push(node["idempotencyKey"].clone());
    for call in node["calls"].as_array().into_iter().flatten() {
        keys(call, all);
    }
}

/// A line without its time, which differs from run to run.
fn timeless(line: &str) -> String {
    let words = line.split_whitespace();
    let words: Vec<&str> = words
        .filter(|word| !word.starts_with(|c: char| c.is_ascii_digit()))
        .filter(|word| !["µs", "ms", "s"].contains(word))
        .collect();
    words.join(" ")
}

#[test]
fn a_call_tree_goes_over_workers_and_a_kill() -> Result<()> {
    if needs_go("a_call_tree_goes_over_workers_and_a_kill") {
        return Ok(());
    }
    let probe = Probe::start()?;
    let chain = [json!(["b", "c"]), json!(3)];
    let (status, body) = probe.try_call("a", "chain", &chain, Some("chained"))?;
    ensure!(status == 200, "{body}");
    let fan = [json!(["b", "c", "d"]), json!(1)];
    let (status, body) = probe.try_call("a", "fan-add", &fan, Some("fanned"))?;
    ensure!(status == 200, "{body}");
    let chained = tree(&probe, "a", "?key=chained")?;
    let expect = json!(["a", "ok", [["b", "ok", [["c", "ok", []]]]]]);
    assert_eq!(shape(&chained), expect);
    assert_eq!(chained["function"], name("chain"));
    let fanned = tree(&probe, "a", "")?;
    let leaf = |worker: &str| json!([worker, "ok", []]);
    let expect = json!(["a", "ok", [leaf("b"), leaf("c"), leaf("d")]]);
    assert_eq!(shape(&fanned), expect);

    // `slow` waits for `b`, which sleeps while the server is killed.
    let params = [json!("b"), json!(2_000), json!(60_000)];
    let (status, body) = probe.post("slow", "race", &params, Some("raced"))?;
    ensure!(status == 200, "{body}");
    let running = json!(["slow", "running", [["b", "running", []]]]);
    let before = until("the call to run", || {
        let tree = tree(&probe, "slow", "?key=raced")?;
        Ok((shape(&tree) == running).then_some(tree))
    })?;
    let probe = probe.restart()?;
    let done = json!(["slow", "ok", [["b", "ok", []]]]);
    let after = until("the call to end", || {
        let tree = tree(&probe, "slow", "?key=raced")?;
        Ok((shape(&tree) == done).then_some(tree))
    })?;
    let (mut old, mut new) = (Vec::new(), Vec::new());
    keys(&before, &mut old);
    keys(&after, &mut new);
    assert_eq!(old, new);
    let took = after["calls"][0]["durationMicros"].as_u64();
    assert!(took >= Some(2_000_000), "{after:#}");
    assert_eq!(tree(&probe, "a", "?key=chained")?, chained);

    let (status, none) = probe
        .rest()
        .get(&format!("{}/calls?key=other", probe.worker("a")))?;
    assert_eq!((status, &none["code"]), (404, &json!("WRK-034")));
    // A worker that was called is gone: only its caller knows.
    probe.rest().delete(&probe.worker("c"))?;
    let chained = tree(&probe, "a", "?key=chained")?;
    assert_eq!(chained["calls"][0]["calls"][0]["leaf"], "deleted");
    Ok(())
}

#[test]
fn the_command_line_draws_the_tree() -> Result<()> {
    if needs_go("the_command_line_draws_the_tree") {
        return Ok(());
    }
    let probe = Probe::start()?;
    let invoke = ["invoke", "-c", "probe", "-w", "a", "--trace"];
    let call = ["-k", "k-1", "chain", "[\"b\", \"c\"]", "3"];
    let (out, err) = says(&probe, &[&invoke[..], &call].concat())?;
    assert_eq!(out, "Invocation results in WAVE format:\n- '3'\n");
    let line = name("chain");
    let lines = |text: &str| text.lines().map(timeless).collect::<Vec<_>>();
    let drawn = [
        format!("probe/a {line} ok"),
        format!("└─ probe/b {line} ok"),
        format!("└─ probe/c {line} ok"),
    ];
    assert_eq!(lines(&err), drawn);
    let asked = ["trace", "a", "-c", "probe", "--idempotency-key", "k-1"];
    let (out, _) = says(&probe, &asked)?;
    let (head, body) = out.split_once("\n\n").context("no tree")?;
    assert!(head.contains("Idempotency key: k-1\nBegan:"), "{head}");
    assert_eq!(lines(body), drawn);
    let (json, _) = says(&probe, &[&asked[..], &["-F", "json"]].concat())?;
    let json: Value = serde_json::from_str(&json)?;
    schemas::check("golem-cli trace", &json)?;
    let (yaml, _) = says(&probe, &["-F", "yaml", "trace", "worker:///probe/a"])?;
    assert!(yaml.contains("idempotencyKey: k-1"), "{yaml}");

    let (json, err) = says(&probe, &[&invoke[..], &["-F", "json", "add", "1"]].concat())?;
    let json: Value = serde_json::from_str(&json)?;
    schemas::check("golem-cli invoke", &json)?;
    assert_eq!((&json["value"], err.as_str()), (&json!([1]), ""));
    assert_eq!(json["trace"]["root"]["function"], name("add"));
    // What failed is shown, and then why.
    let failed = cli(&probe, &[&invoke[..], &["fail", "\"no\""]].concat())?;
    let err = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert_eq!(failed.status.code(), Some(4), "{err}");
    let (first, rest) = err.split_once('\n').context("one line")?;
    assert!(
        first.contains("failed") && first.contains("WRK-006"),
        "{err}"
    );
    assert!(rest.contains("error[WRK-006]"), "{err}");
    Ok(())
}

#[test]
fn checkpoints_are_listed_and_dropped_by_the_command_line() -> Result<()> {
    let t = Traveller::start_with(&["--resident-max", "1"])?;
    t.call("w", "add", &[json!(5)])?;
    let named = ["worker", "checkpoints", "-c", "traveller", "-w", "w"];
    let none = t.cli(&named)?;
    schemas::check("golem-cli worker checkpoints", &none)?;
    assert_eq!(none, json!({"checkpoints": []}));
    // Each call is three entries: enough for one before the worker makes room for another.
    let calls = 800;
    for _ in 0..calls {
        t.call("w", "add", &[json!(1)])?;
    }
    t.call("another", "add", &[json!(1)])?;
    let found = until("a checkpoint", || {
        let found = t.cli(&named)?;
        let some = found["checkpoints"]
            .as_array()
            .is_some_and(|all| !all.is_empty());
        Ok(some.then_some(found))
    })?;
    schemas::check("golem-cli worker checkpoints", &found)?;
    assert_eq!(found["checkpoints"][0]["used"], true, "{found:#}");
    let table = t.cli_text(&named)?;
    assert!(table.starts_with("Oplog index  Version"), "{table}");
    let dropped = t.cli(&[&named[..], &["--drop"]].concat())?;
    schemas::check("golem-cli worker checkpoints", &dropped)?;
    assert_eq!(dropped, json!({"dropped": 1}));
    let t = t.restart()?;
    assert_eq!(t.cli(&named)?, none);
    assert_eq!(t.call("w", "get", &[])?, json!(5 + calls));
    Ok(())
}
