// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / multi_rpc: the go-multi-rpc example as a user runs it: new, build, deploy, and its own integration test.
//! Source: client spec §2.8.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use golem_testkit::{Server, golem_cli, run};

use crate::support::needs_go;

#[test]
fn the_example_builds_deploys_and_passes_its_own_integration_test() -> Result<()> {
    if needs_go("the_example_builds_deploys_and_passes_its_own_integration_test") {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    run(
        folder.path(),
        &[
            "new",
            "--example",
            "go-multi-rpc",
            "--package-name",
            "golem:demo",
            "go-example",
        ],
    )?;
    let project = folder.path().join("go-example");
    run(&project, &["build"])?;
    natively(&project)?;
    let tested = run(&project, &["test", "--no-build"])?;
    ensure!(tested.contains("1 scenario: 1 passed"), "{tested}");
    let data = tempfile::tempdir()?;
    let server = Server::start(data.path())?;
    run(&project, &["--url", server.url(), "deploy"])?;
    let tools = golem_cli()?;
    let tools = tools.parent().context("where is golem-cli?")?;
    let path = format!(
        "{}:{}",
        tools.display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let test = Command::new("go")
        .args(["test", "./integration", "-count=1", "-v"])
        .current_dir(&project)
        .env("PATH", path)
        .env("GOLEM_URL", server.url())
        .output()?;
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&test.stdout),
        String::from_utf8_lossy(&test.stderr)
    );
    ensure!(test.status.success() && text.contains("PASS"), "{text}");
    Ok(())
}

/// The first level of docs/testing.md: worker code is ordinary Go, with doubles in the place of what it imports.
fn natively(project: &Path) -> Result<()> {
    let test = "package main

import (
	\"os\"
	\"testing\"

	\"golem-go-project/components/component-two/binding\"
)

func TestAddCallsThree(t *testing.T) {
	os.Setenv(\"GOLEM_WORKER_NAME\", \"w1\")
	os.Setenv(\"COMPONENT_THREE_ID\", \"11111111-2222-3333-4444-555555555555\")
	var sent uint64
	binding.FakeNewComponentThreeApi = func(binding.GolemRpc0_1_0_TypesUri) binding.GolemComponentThreeStubStubComponentThreeComponentThreeApi {
		return binding.GolemComponentThreeStubStubComponentThreeComponentThreeApi(1)
	}
	binding.FakeGolemComponentThreeStubStubComponentThreeComponentThreeApi_BlockingAdd = func(_ binding.GolemComponentThreeStubStubComponentThreeComponentThreeApi, value uint64) {
		sent += value
	}
	two := &ComponentTwoImpl{}
	two.Add(3)
	if two.Get() != 3 || sent != 3 {
		t.Fatalf(\"total %d, sent %d\", two.Get(), sent)
	}
}
";
    let file = project.join("components/component-two/main_test.go");
    std::fs::write(&file, test)?;
    let go = |words: &[&str]| -> Result<String> {
        let output = Command::new("go")
            .args(words)
            .current_dir(project)
            .output()?;
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        ensure!(output.status.success(), "go {}: {text}", words.join(" "));
        Ok(text)
    };
    // Not with -race, which works as well: compiling the standard library for it takes half a minute.
    let said = go(&["test", "./components/...", "./lib/..."])?;
    ensure!(
        said.contains("ok  \tgolem-go-project/components/component-two\t"),
        "{said}"
    );
    Ok(())
}
