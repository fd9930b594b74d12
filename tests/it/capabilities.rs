// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / capabilities: what a component declares, by the command line and over kills: a secret in its environment, and limits.
//! Source: reliability spec §5, docs/capabilities.md.

use std::path::Path;

use anyhow::{Context as _, Result};
use golem_testkit::{Server, run, run_failing};
use serde_json::{Value, json};

use crate::support::{name, needs_go, probe};

const VALUE: &str = "correct-horse-battery-staple";

/// Files below a directory that have the value in them.
fn with_value(dir: &Path, found: &mut Vec<String>) -> Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            with_value(&path, found)?;
        } else if let Ok(bytes) = std::fs::read(&path) {
            let value = VALUE.as_bytes();
            if bytes.windows(value.len()).any(|window| window == value) {
                found.push(path.display().to_string());
            }
        }
    }
    Ok(())
}

#[test]
fn a_component_has_the_secret_and_the_limits_that_it_declares() -> Result<()> {
    if needs_go("a_component_has_the_secret_and_the_limits_that_it_declares") {
        return Ok(());
    }
    let (home, data) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let server = Server::start(data.path())?;
    let file = |name: &str, bytes: &[u8]| -> Result<String> {
        let path = home.path().join(name);
        std::fs::write(&path, bytes)?;
        Ok(path.display().to_string())
    };
    let wasm = file("probe.wasm", &probe()?.wasm)?;
    let declared = json!({
        "env": {"API_KEY": {"secret": "api-key"}, "MODE": "test"},
        "limits": {"memory": "48MiB"},
    });
    let declared = file("capabilities.json", declared.to_string().as_bytes())?;
    let key = file("key.txt", format!("{VALUE}\n").as_bytes())?;
    let cli = |words: &[&str]| {
        let mut all = vec!["--url", server.url(), "--format", "json"];
        all.extend_from_slice(words);
        run(home.path(), &all)
    };
    let set = cli(&["secret", "set", "api-key", "--file", &key])?;
    assert!(!set.contains(VALUE), "{set}");
    let add = [
        "component",
        "add",
        "--component-name",
        "probe",
        "--capabilities",
        &declared,
        &wasm,
    ];
    let added: Value = serde_json::from_str(&cli(&add)?)?;
    assert_eq!(added["capabilities"]["env"]["API_KEY"]["secret"], "api-key");
    let urn = added["componentUrn"].as_str().context("no URN")?;
    let component = urn.trim_start_matches("urn:component:").to_owned();
    let call = |server: &Server, worker: &str, function: &str, params: &[Value]| {
        server
            .rest()
            .try_call(&component, worker, &name(function), params, None)
    };
    assert_eq!(call(&server, "w", "add", &[json!(1)])?.0, 200);
    let (status, body) = call(&server, "eats", "allocate", &[])?;
    assert_eq!((status, &body["code"]), (500, &json!("WRK-021")), "{body}");
    let said = body["message"].as_str().unwrap_or_default();
    assert!(
        said.contains("may use 48MiB; set by `capabilities.limits.memory`"),
        "{body}"
    );
    let listed = cli(&["secret", "list"])?;
    assert!(
        listed.contains("api-key") && !listed.contains(VALUE),
        "{listed}"
    );
    server.kill()?;
    let mut found = Vec::new();
    with_value(data.path(), &mut found)?;
    assert!(found.is_empty(), "the value can be read in {found:?}");
    let server = Server::start(data.path())?;
    for (variable, value) in [("API_KEY", VALUE), ("MODE", "test")] {
        let (status, body) = call(&server, "w", "env", &[json!(variable)])?;
        assert_eq!(
            (status, &body["result"]["value"][0]),
            (200, &json!(value)),
            "{body}"
        );
    }
    Ok(())
}

#[test]
fn go_workers_share_their_start_and_nothing_else() -> Result<()> {
    if needs_go("go_workers_share_their_start_and_nothing_else") {
        return Ok(());
    }
    let (home, data) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let server = Server::start(data.path())?;
    let wasm = home.path().join("probe.wasm");
    std::fs::write(&wasm, probe()?.wasm.as_slice())?;
    let declared = home.path().join("capabilities.json");
    std::fs::write(
        &declared,
        json!({"start": "shared", "env": {"MODE": "test"}}).to_string(),
    )?;
    let (wasm, declared) = (wasm.display().to_string(), declared.display().to_string());
    let added = run(
        home.path(),
        &[
            "--url",
            server.url(),
            "component",
            "add",
            "--component-name",
            "probe",
            "--capabilities",
            &declared,
            &wasm,
        ],
    )?;
    assert!(added.contains("a start that all workers share"), "{added}");
    let component = added
        .split_once("urn:component:")
        .and_then(|(_, rest)| rest.split_whitespace().next())
        .context("no URN")?
        .to_owned();
    let call = |server: &Server, worker: &str, function: &str, params: &[Value]| {
        let rest = server.rest();
        let (status, body) = rest.try_call(&component, worker, &name(function), params, None)?;
        anyhow::ensure!(status == 200, "{status}: {body}");
        Ok(body["result"]["value"][0].clone())
    };
    assert_eq!(call(&server, "a", "add", &[json!(5)])?, json!(5));
    let for_a = [json!("a"), json!(2)];
    assert_eq!(call(&server, "b", "call-add", &for_a)?, json!(7));
    assert_eq!(call(&server, "b", "add", &[json!(1)])?, json!(1));
    let drawn = |worker| call(&server, worker, "now-and-random", &[]);
    assert_ne!(drawn("a")?, drawn("b")?);

    server.kill()?;
    let server = Server::start(data.path())?;
    assert_eq!(call(&server, "a", "get", &[])?, json!(7));
    assert_eq!(call(&server, "b", "add", &[json!(1)])?, json!(2));
    for (variable, value) in [("MODE", "test"), ("GOLEM_WORKER_NAME", "")] {
        assert_eq!(call(&server, "b", "env", &[json!(variable)])?, value);
    }
    let urn = format!("urn:component:{component}");
    let (_, refused) = run_failing(
        home.path(),
        &[
            "--url",
            server.url(),
            "worker",
            "add",
            "--component",
            &urn,
            "--worker-name",
            "given",
            "--env",
            "A=b",
        ],
    )?;
    assert!(refused.contains("WRK-035"), "{refused}");
    Ok(())
}
