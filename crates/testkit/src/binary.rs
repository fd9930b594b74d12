// SPDX-License-Identifier: Apache-2.0
//! THE GYM / binary: finds and runs the program under test. In: arguments. Out: what it printed.
//! Never builds it: `cargo test --workspace` does. Read next: `server.rs`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, bail};

/// The `golem-cli` that was built beside the running test.
pub fn golem_cli() -> Result<PathBuf> {
    let test = std::env::current_exe().context("where is this test?")?;
    let found = test
        .ancestors()
        .map(|folder| folder.join("golem-cli"))
        .find(|path| path.is_file());
    found.with_context(|| {
        format!(
            "no golem-cli beside {}: run `cargo test --workspace`",
            test.display()
        )
    })
}

/// Runs `golem-cli` in `directory` and returns its standard output; an error with everything it printed if it fails.
pub fn run(directory: &Path, arguments: &[&str]) -> Result<String> {
    let output = output(directory, arguments)?;
    if !output.status.success() {
        bail!(
            "golem-cli {} failed ({}):\n{}",
            arguments.join(" "),
            output.status,
            both(&output)
        );
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Runs `golem-cli` where it must fail; returns its exit code and standard error.
pub fn run_failing(directory: &Path, arguments: &[&str]) -> Result<(i32, String)> {
    let output = output(directory, arguments)?;
    match output.status.code() {
        Some(0) => bail!(
            "golem-cli {} should have failed:\n{}",
            arguments.join(" "),
            both(&output)
        ),
        Some(code) => Ok((code, String::from_utf8(output.stderr)?)),
        None => bail!(
            "golem-cli {} was killed: {}",
            arguments.join(" "),
            output.status
        ),
    }
}

fn output(directory: &Path, arguments: &[&str]) -> Result<Output> {
    let program = golem_cli()?;
    let mut command = Command::new(&program);
    command
        .current_dir(directory)
        .args(arguments)
        .env("NO_COLOR", "1")
        .env("GOLEM_CONFIG_DIR", directory.join(".golem"))
        .env("XDG_CACHE_HOME", cache_dir(&program));
    command
        .output()
        .with_context(|| format!("cannot start {}", program.display()))
}

/// Where `golem-cli test` keeps compiled code: what one test has compiled is there for the next one.
#[must_use]
pub fn cache_dir(program: &Path) -> PathBuf {
    program.with_file_name("test-cache")
}

fn both(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
