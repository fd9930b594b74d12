// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / multi_rpc: the go-multi-rpc example as a user runs it: new, build, deploy, and its own integration test.
//! Source: client spec §2.8.

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
