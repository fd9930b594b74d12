// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / matrix: every kind of type in both directions, and the Go run-time under memory pressure, on the engine.
//! Once with the Go on the PATH and once with every other that `GOLEM_TEST_GOS` names. Source: Go guests §3.3.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use golem_testkit::{Server, copy_tree, run};
use serde_json::{Value, json};

use crate::support::{compile_part, compose, guests, needs_go};

/// Names further Go compilers, separated by colons.
const GOS: &str = "GOLEM_TEST_GOS";

/// The caller with the far side behind it: once at once, once with the other style of bindings between them.
fn build(go: &str, root: &Path) -> Result<[Vec<u8>; 2]> {
    copy_tree(&guests().join("go-matrix"), root)?;
    let parts = [
        ("echo", "echo-world", "tiny-go", "echo/echo"),
        ("idiom", "idiom-world", "go", "idiom/internal/golem"),
        ("matrix", "matrix-world", "tiny-go", "matrix/matrix"),
    ];
    for (part, world, style, out) in parts {
        run(
            root,
            &[
                "bindings",
                "go",
                "--style",
                style,
                "--world",
                world,
                "--out-dir",
                out,
                "--rename-package",
                part,
                "./wit",
            ],
        )?;
        compile_part(go, root, part, world)?;
    }
    compose(root, "matrix.wasm", "echo.wasm", "direct.wasm")?;
    compose(root, "idiom.wasm", "echo.wasm", "far.wasm")?;
    compose(root, "matrix.wasm", "far.wasm", "between.wasm")?;
    let read = |name: &str| std::fs::read(root.join(name));
    Ok([read("direct.wasm")?, read("between.wasm")?])
}

fn exercise(wasm: &[u8]) -> Result<()> {
    let data = tempfile::tempdir()?;
    let server = Server::start(data.path())?;
    let rest = server.rest();
    let component = rest.create_component("matrix", wasm)?;
    let call = |worker: &str, function: &str, params: &[Value]| {
        rest.call(
            &component,
            worker,
            &format!("it:matrix/run@1.2.0.{{{function}}}"),
            params,
        )
    };
    ensure!(
        call("types", "check", &[])? == json!([]),
        "check: {}",
        call("types", "check", &[])?
    );
    ensure!(
        call("types", "check-resources", &[])? == json!([]),
        "check-resources"
    );
    let kinds = [
        ("gc", 50),
        ("strings", 100),
        ("blob", 10),
        ("args", 10),
        ("points", 30),
        ("stack", 100),
        ("calls", 12_000),
    ];
    for (kind, n) in kinds {
        let answer = call("stress", "stress", &[json!(kind), json!(n)])?;
        ensure!(answer == json!("ok"), "stress {kind}: {answer}");
    }
    let collections = call("stress", "collections", &[])?;
    ensure!(
        collections.as_u64().is_some_and(|count| count > 0),
        "no garbage was collected: {collections}"
    );
    // From outside: what goes in comes out, through both components and the log.
    let echo = |function: &str, value: Value| -> Result<()> {
        let name = format!("it:matrix/echo@1.2.0.{{{function}}}");
        let answer = rest.call(&component, "echo", &name, std::slice::from_ref(&value))?;
        ensure!(answer == value, "{function}: {value} came back as {answer}");
        Ok(())
    };
    echo("echo-u64", json!(u64::MAX))?;
    echo("echo-s64", json!(i64::MIN))?;
    echo("echo-f64", json!(-1.5))?;
    echo("echo-string", json!("grüße, 世界"))?;
    echo("echo-option", json!(null))?;
    echo("echo-bytes", json!([0, 1, 255]))?;
    echo("echo-result", json!({ "err": "no" }))?;
    echo("echo-color", json!("blue-ish"))?;
    echo("echo-few", json!(["read", "exec"]))?;
    echo("echo-list-list", json!([[1, 2], [], [65_535]]))?;
    echo("echo-joined", json!({ "pair": [1.5, 7] }))?;
    echo("echo-point", json!({ "x": -3, "y": 4 }))?;
    // The whole history again, in a new process, compared step by step.
    server.kill()?;
    let server = Server::start(data.path())?;
    let again = server.rest().call(
        &component,
        "stress",
        "it:matrix/run@1.2.0.{collections}",
        &[],
    )?;
    ensure!(
        again == collections,
        "the replay collected garbage {again} times, the run {collections} times"
    );
    Ok(())
}

#[test]
fn every_type_crosses_in_both_directions_and_the_garbage_collector_breaks_nothing() -> Result<()> {
    if needs_go("every_type_crosses_in_both_directions_and_the_garbage_collector_breaks_nothing") {
        return Ok(());
    }
    let more = std::env::var(GOS).unwrap_or_default();
    let compilers: Vec<&str> = std::iter::once("go")
        .chain(more.split(':').filter(|go| !go.is_empty()))
        .collect();
    if compilers.len() == 1 {
        eprintln!("only the Go on the PATH is tested: name others in {GOS}");
    }
    for go in compilers {
        let folder = tempfile::tempdir()?;
        let [direct, between] = build(go, folder.path()).with_context(|| format!("with {go}"))?;
        exercise(&direct).with_context(|| format!("with {go}"))?;
        exercise(&between).with_context(|| format!("with {go}, style go between"))?;
    }
    Ok(())
}
