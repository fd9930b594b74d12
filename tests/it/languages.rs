// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / languages: guests in C, Python and JavaScript call a worker in Go, and are called by one, through stub interfaces.
//! In: `guests/languages`, tools that `scripts/setup --test-languages` fetched. `GOLEM_TEST_LANGUAGES=c,python` leaves others out.
//! Source: Go guests §12; docs/languages.md.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use anyhow::{Context, Result, ensure};
use golem_testkit::{Rest, Server, copy_tree, golem_cli};
use serde_json::json;
use tempfile::TempDir;

use crate::support::{guests, needs_go};

/// Where `scripts/setup` puts the tools.
fn tools() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/languages")
}

/// Whether the language is left out, or what it needs is not there. Says so, loudly.
fn skipped(language: &str, tool: &str) -> bool {
    let chosen = std::env::var("GOLEM_TEST_LANGUAGES").unwrap_or_default();
    let left_out = !chosen.is_empty() && !chosen.split(',').any(|word| word == language);
    if left_out {
        eprintln!("SKIPPED {language}: GOLEM_TEST_LANGUAGES={chosen} leaves it out");
        return true;
    }
    if !tools().join(tool).exists() {
        eprintln!(
            "SKIPPED {language}: no .tools/languages/{tool}, fetch it with scripts/setup --test-languages"
        );
        return true;
    }
    needs_go(language)
}

/// The project, and in it the components that have been asked for so far. The parts in Go are built once.
fn built(component: &str) -> Result<Vec<u8>> {
    static PROJECT: Mutex<Option<TempDir>> = Mutex::new(None);
    let mut project = PROJECT
        .lock()
        .map_err(|_| anyhow::anyhow!("another build failed"))?;
    let folder = match project.take() {
        Some(folder) => folder,
        None => {
            let folder = tempfile::tempdir()?;
            copy_tree(&guests().join("languages"), folder.path())?;
            let modules = tools().join("js/node_modules");
            if modules.exists() {
                std::os::unix::fs::symlink(
                    modules.canonicalize()?,
                    folder.path().join("guest/node_modules"),
                )?;
            }
            build(folder.path(), &["counter", "caller"])?;
            folder
        }
    };
    let path = match component {
        "counter" | "caller" => format!("target/components/{component}.wasm"),
        language => format!("{language}.wasm"),
    };
    let path = folder.path().join(path);
    if !path.exists() {
        build(folder.path(), &[component])?;
    }
    let wasm = std::fs::read(&path).with_context(|| path.display().to_string())?;
    *project = Some(folder);
    Ok(wasm)
}

fn build(folder: &Path, components: &[&str]) -> Result<()> {
    let program = golem_cli()?;
    let beside = program.parent().context("where is golem-cli?")?;
    let path = std::env::var("PATH").unwrap_or_default();
    let python = tools().join("py/bin");
    let output = Command::new(&program)
        .arg("build")
        .args(components)
        .current_dir(folder)
        .env(
            "PATH",
            format!("{}:{}:{path}", beside.display(), python.display()),
        )
        // The compiler of C keeps its cache there, so that nothing is left in the home directory.
        .env("ZIG_GLOBAL_CACHE_DIR", folder.join("zig-cache"))
        .env("ZIG_LOCAL_CACHE_DIR", folder.join("zig-cache"))
        .env("NO_COLOR", "1")
        .output()?;
    ensure!(
        output.status.success(),
        "golem-cli build {components:?}:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// The guest keeps state, calls Go and is called by Go, and all of that survives a kill.
fn talks_with_go(language: &str, name: &str) -> Result<()> {
    let data = tempfile::tempdir()?;
    let server = Server::start(data.path())?;
    let mut ids = Vec::new();
    for component in ["counter", "caller", language] {
        let wasm = built(component)?;
        ids.push(server.rest().create_component(component, &wasm)?);
    }
    let (counter, caller, guest) = (&ids[0], &ids[1], &ids[2]);
    let greet = |rest: &Rest| rest.call(guest, "g", "lang:guest/talk.{greet}", &[json!("Ann")]);
    let count = |rest: &Rest, value: u32| {
        let uri = json!("worker:///counter/k");
        rest.call(guest, "g", "lang:guest/talk.{count}", &[uri, json!(value)])
    };
    let ask = |rest: &Rest| {
        let params = [json!(format!("worker:///{language}/g")), json!("Bob")];
        rest.call(caller, "c", "lang:caller/asking.{ask}", &params)
    };

    let rest = server.rest();
    assert_eq!(greet(&rest)?, json!(format!("hello Ann from {name}, 1")));
    assert_eq!(count(&rest, 5)?, json!(5));
    assert_eq!(ask(&rest)?, json!(format!("1: hello Bob from {name}, 3")));

    server.kill()?;
    let server = Server::start(data.path())?;
    let rest = server.rest();
    assert_eq!(greet(&rest)?, json!(format!("hello Ann from {name}, 4")));
    assert_eq!(count(&rest, 2)?, json!(7));
    assert_eq!(ask(&rest)?, json!(format!("2: hello Bob from {name}, 6")));
    let total = rest.call(counter, "k", "lang:counter/counting.{get}", &[])?;
    assert_eq!(total, json!(7), "a call of {name} was lost or made twice");
    Ok(())
}

#[test]
fn a_guest_in_c_talks_with_go() -> Result<()> {
    if skipped("c", "py/bin/python-zig") {
        return Ok(());
    }
    talks_with_go("c", "C")
}

#[test]
fn a_guest_in_python_talks_with_go() -> Result<()> {
    if skipped("python", "py/bin/componentize-py") {
        return Ok(());
    }
    talks_with_go("python", "Python")
}

#[test]
fn a_guest_in_javascript_talks_with_go() -> Result<()> {
    if skipped(
        "javascript",
        "js/node_modules/@bytecodealliance/componentize-js",
    ) {
        return Ok(());
    }
    talks_with_go("javascript", "JavaScript")
}
