// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / rest: the OpenAPI document against the real server: the Go client that is made of it does its work, and requests made
//! of it at random meet no failure of the server and no answer that it does not describe. Initial files outlive a kill.
//! Source: docs/rest.md; client spec §6.6.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};
use golem_testkit::Server;
use serde_json::json;

use crate::support::{guests, needs_go};

/// Exports `add: func(a: u64, b: u64) -> u64` and `boom: func()`, which traps.
const ADDER: &str = r#"(component
  (core module $m
    (func (export "add") (param i64 i64) (result i64) local.get 0 local.get 1 i64.add)
    (func (export "boom") unreachable))
  (core instance $i (instantiate $m))
  (func (export "add") (param "a" u64) (param "b" u64) (result u64) (canon lift (core func $i "add")))
  (func (export "boom") (canon lift (core func $i "boom"))))"#;

#[test]
fn the_go_client_does_what_a_program_outside_does() -> Result<()> {
    if needs_go("the Go client") {
        return Ok(());
    }
    let data = tempfile::tempdir()?;
    let server = Server::start(data.path())?;
    let wasm = data.path().join("adder.wasm");
    std::fs::write(&wasm, wat::parse_str(ADDER)?)?;
    let output = Command::new("go")
        .args(["run", ".", server.url()])
        .arg(&wasm)
        .current_dir(guests().join("go-client"))
        .env("GOPROXY", "off")
        .env("GOTOOLCHAIN", "local")
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success() && said.contains("all of it"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    server.stop()?;
    Ok(())
}

/// Where `scripts/setup --test-languages` puts schemathesis.
fn schemathesis() -> Option<PathBuf> {
    let program =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/languages/st/bin/schemathesis");
    program.exists().then_some(program)
}

/// The same requests each time.
const SEED: &str = "20261128";
/// Requests at random for each operation, beside those that its schema suggests: some 4,000 in all, in half a minute.
const EXAMPLES: &str = "20";

#[test]
fn requests_at_random_meet_nothing_that_the_document_does_not_describe() -> Result<()> {
    let Some(program) = schemathesis() else {
        eprintln!(
            "SKIPPED requests at random: no .tools/languages/st, fetch it with scripts/setup --test-languages"
        );
        return Ok(());
    };
    let data = tempfile::tempdir()?;
    let server = Server::start(data.path())?;
    let component = server
        .rest()
        .create_component("adder", &wat::parse_str(ADDER)?)?;
    for name in ["one", "two"] {
        let workers = format!("/v1/components/{component}/workers");
        let (status, body) = server.rest().post(&workers, &json!({"name": name}), None)?;
        ensure!(status == 200, "{body}");
    }
    let work = tempfile::tempdir()?;
    let output = Command::new(program)
        .args(["run", &format!("{}/openapi.json", server.url())])
        .args(["--checks", "status_code_conformance,content_type_conformance,response_schema_conformance,failures_are_meant,failures_have_codes"])
        .args(["--phases", "examples,coverage,fuzzing"])
        .args(["--max-examples", EXAMPLES, "--seed", SEED])
        .args(["--request-timeout", "20", "--continue-on-failure", "--no-color"])
        .args(["--suppress-health-check", "all", "--warnings", "off"])
        // A WebSocket; requests whose answers are a worker's.
        .args(["--exclude-operation-id", "connect", "--exclude-path-regex", "/http(/|$)"])
        .env("SCHEMATHESIS_HOOKS", guests().join("rest/hooks.py"))
        .env("GOLEM_COMPONENT", &component)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(work.path())
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let (status, body) = server.rest().get("/healthcheck")?;
    ensure!(status == 200, "{body}");
    server.stop()?;
    Ok(())
}
