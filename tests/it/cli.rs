// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / cli: the verbs that only make sense with a real server: sessions, following, comparing, deploying anew; and that JSON
//! is as docs/schemas/cli/v1 says. Source: command line specification §2.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result};
use golem_testkit::golem_cli;
use serde_json::{Value, json};

use crate::schemas;
use crate::traveller::{Traveller, Version};

/// A command line for the server, without what the environment of the test says.
fn command(t: &Traveller, words: &[&str]) -> Result<Command> {
    let mut command = Command::new(golem_cli()?);
    command.args(words).args(["--url", t.server.url()]);
    for name in ["GOLEM_TOKEN", "GOLEM_TOKEN_FILE", "CI", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command
        .env("GOLEM_CONFIG_DIR", t.data.path().join("config"))
        .stdin(Stdio::null());
    Ok(command)
}

fn run(t: &Traveller, words: &[&str]) -> Result<Output> {
    Ok(command(t, words)?.output()?)
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs with lines on standard input.
fn piped(t: &Traveller, words: &[&str], lines: &str) -> Result<Output> {
    let mut child = command(t, words)?
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().context("no standard input")?;
    stdin.write_all(lines.as_bytes())?;
    drop(stdin);
    Ok(child.wait_with_output()?)
}

#[test]
fn a_session_calls_in_order_and_ends_at_the_first_failure() -> Result<()> {
    let t = Traveller::start()?;
    let repl = ["repl", "-c", "traveller", "-F", "jsonl"];
    let lines = "# a remark\nadd(3)\nadd [4]\n:worker other\nadd(\n  10\n)\n:worker main\nget\n:quit\nboom\n";
    let output = piped(&t, &repl, lines)?;
    assert!(output.status.success(), "{}", said(&output));
    let values: Vec<Value> = out(&output)
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).map(|value| value["value"][0].clone()))
        .collect::<Result<_, _>>()?;
    assert_eq!(values, [json!(3), json!(7), json!(10), json!(7)]);

    let failed = piped(&t, &repl, "add(1)\nadd(1, 2)\nadd(1)\n")?;
    assert_eq!(failed.status.code(), Some(1), "{}", said(&failed));
    assert!(said(&failed).contains("VAL-006"), "{}", said(&failed));
    let trapped = piped(&t, &["repl", "-c", "traveller"], "boom\nget\n")?;
    assert_eq!(trapped.status.code(), Some(4), "{}", said(&trapped));
    // The call behind the failure was not made.
    assert_eq!(t.call("other", "get", &[])?, json!(10));
    let unknown = piped(&t, &["repl", "-c", "traveller", "-w", "w"], "ad(3)\n")?;
    assert_eq!(unknown.status.code(), Some(3));
    assert!(
        said(&unknown).contains("did you mean 'add'?"),
        "{}",
        said(&unknown)
    );
    let text = piped(
        &t,
        &["repl", "-c", "traveller", "-w", "w"],
        "add(3)\n:functions\n:workers\n:help\n",
    )?;
    assert!(out(&text).contains("add(n: u64) -> u64"), "{}", out(&text));
    Ok(())
}

#[test]
fn an_oplog_is_followed_and_filtered() -> Result<()> {
    let t = Traveller::start()?;
    t.call("main", "add", &[json!(5)])?;
    let words = ["oplog", "-c", "traveller", "-F", "jsonl", "--follow"];
    let query = ["--query", "exported-function-invoked"];
    let mut child = command(&t, &[words.as_slice(), &query].concat())?
        .stdout(Stdio::piped())
        .spawn()?;
    let lines = BufReader::new(child.stdout.take().context("no standard output")?);
    let mut lines = lines.lines();
    let mut next = || -> Result<Value> {
        let line = lines.next().context("it ended")??;
        Ok(serde_json::from_str(&line)?)
    };
    let before = next()?;
    assert_eq!(before[1]["function_name"], "add", "{before}");
    t.call("main", "get", &[])?;
    let after = next()?;
    assert_eq!(after[1]["function_name"], "get", "{after}");
    child.kill()?;
    child.wait()?;
    Ok(())
}

#[test]
fn a_call_with_connect_shows_what_the_worker_does_not_say_as_well() -> Result<()> {
    let t = Traveller::start()?;
    let call = [
        "worker",
        "invoke-and-await",
        "-c",
        "traveller",
        "-w",
        "new",
        "-f",
        "add",
        "-a",
        "3",
        "--connect",
    ];
    let output = run(&t, &call)?;
    assert_eq!(
        out(&output),
        "Invocation results in WAVE format:\n- '3'\n",
        "{}",
        said(&output)
    );
    Ok(())
}

#[test]
fn a_component_is_compared_with_a_file() -> Result<()> {
    let t = Traveller::start()?;
    let less = wat::parse_str(
        r#"(component
            (core module $m (func (export "add") (param i64) (result i64) local.get 0))
            (core instance $i (instantiate $m))
            (func (export "add") (param "n" u64) (result u64) (canon lift (core func $i "add"))))"#,
    )?;
    let file = t.data.path().join("less.wasm");
    std::fs::write(&file, less)?;
    let file = file.display().to_string();
    let diff = [
        "component",
        "diff",
        "-c",
        "traveller",
        &file,
        "--check",
        "-F",
        "json",
    ];
    let output = run(&t, &diff)?;
    assert_eq!(output.status.code(), Some(7), "{}", said(&output));
    assert!(said(&output).contains("CLI-067"), "{}", said(&output));
    let view: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(view["compatible"], false);
    let removed: Vec<&str> = view["exports"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|change| change["change"] == "removed")
        .filter_map(|change| change["item"].as_str())
        .collect();
    assert!(
        removed.contains(&"get") && !removed.contains(&"add"),
        "{view}"
    );
    Ok(())
}

#[test]
fn workers_are_deployed_anew_only_after_a_yes() -> Result<()> {
    let t = Traveller::start()?;
    t.call("main", "add", &[json!(5)])?;
    t.upload(Version::Other)?;
    let redeploy = ["component", "redeploy", "-c", "traveller", "-F", "json"];
    let asked = run(&t, &redeploy)?;
    assert_eq!(asked.status.code(), Some(1));
    assert!(
        said(&asked).contains("CLI-004") && said(&asked).contains("--yes"),
        "{}",
        said(&asked)
    );
    assert_eq!(t.call("main", "get", &[])?, json!(5));
    let done = run(&t, &[redeploy.as_slice(), &["--yes"]].concat())?;
    assert!(done.status.success(), "{}", said(&done));
    let view: Value = serde_json::from_slice(&done.stdout)?;
    assert_eq!(
        view["redeployed"].as_array().map(Vec::len),
        Some(1),
        "{view}"
    );
    assert_eq!(t.call("main", "get", &[])?, json!(0));
    assert_eq!(t.worker("main")?["componentVersion"], 1);
    Ok(())
}

#[test]
fn a_healthy_server_passes_every_step_of_doctor() -> Result<()> {
    let t = Traveller::start()?;
    let output = run(&t, &["doctor", "--json"])?;
    let checks: Value = serde_json::from_slice(&output.stdout)?;
    let state = |name: &str| {
        let all = checks.as_array().into_iter().flatten();
        all.into_iter()
            .find(|check| check["name"] == name)
            .map(|check| check["state"].clone())
    };
    for step in [
        "server name",
        "server port",
        "server http",
        "server version",
        "server auth",
        "clock",
    ] {
        assert_eq!(state(step), Some(json!("ok")), "{step}: {checks}");
    }
    assert_eq!(state("server tls"), Some(json!("skipped")), "{checks}");
    Ok(())
}

/// Runs with `--format json` and checks the document against the schema of the command.
fn as_promised(t: &Traveller, command: &str, more: &[&str]) -> Result<()> {
    let words: Vec<&str> = command
        .split(' ')
        .skip(1)
        .chain(more.iter().copied())
        .collect();
    let output = run(t, &[words.as_slice(), &["-F", "json"]].concat())?;
    let document: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{command}: {}", said(&output)))?;
    schemas::check(command, &document)
}

#[test]
fn json_is_as_the_schemas_promise() -> Result<()> {
    let t = Traveller::start()?;
    t.call("main", "add", &[json!(5)])?;
    t.upload(Version::Other)?;
    let worker = ["-c", "traveller", "-w", "main"];
    let component = ["-c", "traveller"];
    let with = |own: &[&'static str], more: &[&'static str]| [own, more].concat();
    for (command, more) in [
        ("golem-cli component list", vec![]),
        ("golem-cli component get", component.to_vec()),
        ("golem-cli component diff", component.to_vec()),
        ("golem-cli component try-update-workers", component.to_vec()),
        ("golem-cli worker list", component.to_vec()),
        ("golem-cli worker get", worker.to_vec()),
        (
            "golem-cli worker add",
            vec!["-c", "traveller", "-w", "added"],
        ),
        ("golem-cli worker idempotency-key", vec![]),
        (
            "golem-cli worker invoke-and-await",
            with(&worker, &["-f", "get"]),
        ),
        ("golem-cli invoke", with(&worker, &["add", "1"])),
        ("golem-cli worker oplog", worker.to_vec()),
        ("golem-cli oplog", worker.to_vec()),
        ("golem-cli worker cancel", with(&worker, &["-k", "nothing"])),
        (
            "golem-cli worker schedule",
            with(&worker, &["-f", "get", "--in", "1h"]),
        ),
        ("golem-cli worker replay", worker.to_vec()),
        ("golem-cli worker verify", worker.to_vec()),
        (
            "golem-cli worker fork",
            with(&worker, &["--oplog-index", "1", "--name", "copy"]),
        ),
        ("golem-cli component redeploy", with(&component, &["--yes"])),
        ("golem-cli token who", vec![]),
        ("golem-cli doctor", vec![]),
        ("golem-cli diagnose", vec![]),
        ("golem-cli explain", vec![]),
        ("golem-cli explain", vec!["STB-004"]),
        ("golem-cli list-examples", vec![]),
        ("golem-cli list-templates", vec![]),
        ("golem-cli help", vec!["topics"]),
        ("golem-cli profile list", vec![]),
    ] {
        as_promised(&t, command, &more)?;
    }
    let file = t.data.path().join("main.rec").display().to_string();
    as_promised(
        &t,
        "golem-cli worker export",
        &[worker.as_slice(), &["-o", &file]].concat(),
    )?;
    let failed = run(
        &t,
        &[
            "token",
            "revoke",
            "8e0b4b8c-14a8-4b6e-9d3f-0123456789ab",
            "-F",
            "json",
        ],
    )?;
    schemas::named("error", &serde_json::from_slice(&failed.stderr)?)?;
    Ok(())
}
