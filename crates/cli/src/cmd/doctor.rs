// SPDX-License-Identifier: Apache-2.0
//! THE DESK / doctor: looks at everything that building and calling need, step by step, and says what to do about what is missing. In
//! an address and a directory, out a list. Never changes anything but a file of its own that it takes away again.
//! Read next: `doctor/server.rs`, `doctor/machine.rs`. Why: command line specification §2, "doctor".

mod machine;
mod server;

use std::path::Path;

use serde::Serialize;

use crate::args::Global;
use crate::build::Go;
use crate::error::{CliError, Failure, Outcome};
use crate::exit;
use crate::manifest::Manifest;
use crate::output::Out;

/// Options of `doctor`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  golem-cli doctor
  golem-cli doctor --url http://localhost:9999
  golem-cli --format json doctor

Exit codes: 0 everything needed is there, 1 something is not, 5 the server cannot be reached, 9 Go is missing or too old")]
pub(crate) struct Args {}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// As it should be.
    Ok,
    /// Works, and may not for long or not well.
    Warning,
    /// Does not work.
    Failed,
    /// Not looked at, because an earlier step failed.
    Skipped,
}

/// One check.
#[derive(Debug, Clone, Serialize)]
struct Check {
    /// What was looked at.
    name: &'static str,
    state: State,
    /// What was found, one sentence.
    found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// The exit code that a failure of it stands for.
    #[serde(skip)]
    exit: u8,
}

impl Check {
    fn new(name: &'static str, state: State, found: impl Into<String>) -> Self {
        Self {
            name,
            state,
            found: found.into(),
            hint: None,
            exit: exit::GENERIC,
        }
    }

    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self::new(name, State::Ok, found)
    }

    fn failed(name: &'static str, found: impl Into<String>) -> Self {
        Self::new(name, State::Failed, found)
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn exit(mut self, code: u8) -> Self {
        self.exit = code;
        self
    }

    /// The check of something that went wrong with a coded error.
    fn of(name: &'static str, failure: &Failure) -> Self {
        let found = format!("{} ({})", failure.problem.message, failure.problem.code);
        Self {
            hint: failure.problem.hint.clone(),
            ..Self::failed(name, found)
        }
    }
}

/// Looks, and prints what it found. The exit code is that of the first thing that failed.
pub(crate) fn run(_: &Args, global: &Global, out: &Out) -> Outcome {
    let mut checks = server::checks(global);
    checks.push(go());
    checks.push(manifest());
    checks.extend(machine::checks(Path::new(".")));
    out.view(&checks, |checks| checks.iter().map(text).collect());
    match checks.iter().find(|check| check.state == State::Failed) {
        None => Ok(()),
        Some(first) => {
            let failed = checks
                .iter()
                .filter(|check| check.state == State::Failed)
                .map(|check| check.name)
                .collect();
            Err(Failure::from(CliError::Unwell { failed }).with_exit(first.exit))
        }
    }
}

fn text(check: &Check) -> String {
    let mark = match check.state {
        State::Ok => "ok  ",
        State::Warning => "warn",
        State::Failed => "FAIL",
        State::Skipped => "-   ",
    };
    let mut text = format!("{mark}  {:16} {}\n", check.name, check.found);
    if let Some(hint) = &check.hint {
        text.push_str(&format!("      {:16} hint: {hint}\n", ""));
    }
    text
}

fn go() -> Check {
    match Go::find(Path::new(".")) {
        Ok(go) => Check::ok("go", go.version),
        Err(error) => Check::of("go", &error.failure()).exit(exit::BUILD_TOOL),
    }
}

fn manifest() -> Check {
    match Manifest::discover(None) {
        Ok(Some(manifest)) => {
            let missing: Vec<&str> = manifest
                .components
                .iter()
                .filter(|component| !component.wit.is_dir())
                .map(|component| component.name.as_str())
                .collect();
            let shown = manifest.file.display();
            if missing.is_empty() {
                let count = manifest.components.len();
                let s = if count == 1 { "" } else { "s" };
                Check::ok("project", format!("{shown}, {count} component{s}"))
            } else {
                let found = format!("{shown}: no WIT directory for {}", missing.join(", "));
                Check::failed("project", found).hint("make it, or correct `sourceWit`")
            }
        }
        Ok(None) => Check::new("project", State::Skipped, "no golem.yaml here or above"),
        Err(error) => Check::of("project", &Failure::from(error)),
    }
}
