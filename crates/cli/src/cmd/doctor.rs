// SPDX-License-Identifier: Apache-2.0
//! THE DESK / doctor: looks at everything that building and calling need, step by step, and says what to do about what is missing. In
//! an address and a directory, out a list. Changes nothing without `--fix` but a file of its own that it takes away again.
//! Read next: `doctor/server.rs`, `doctor/machine.rs`, `doctor/files.rs`. Why: command line specification §2, "doctor".

mod files;
mod machine;
mod server;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Serialize;

use self::files::Fix;

use crate::args::Global;
use crate::build::Go;
use crate::error::{CliError, Failure, Outcome};
use crate::exit;
use crate::manifest::Manifest;
use crate::output::{Format, Out};

/// Options of `doctor`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  golem-cli doctor
  golem-cli doctor --url http://localhost:9999
  golem-cli doctor --fix --dry-run
  golem-cli doctor --json

Exit codes: 0 everything needed is there, 1 something is not, 5 the server cannot be reached, 6 it does not accept the token,
  9 Go or another tool is missing or too old")]
pub(crate) struct Args {
    /// Mend what can be mended safely: nothing that a person wrote is lost
    #[arg(long)]
    fix: bool,
    /// With --fix: only say what would be mended
    #[arg(long, requires = "fix")]
    dry_run: bool,
    /// The same as --format json
    #[arg(long)]
    json: bool,
}

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
    /// Not looked at, because an earlier step failed or there is nothing to look at.
    Skipped,
    /// It did not work, and was mended.
    Fixed,
}

/// One check.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Check {
    /// What was looked at.
    name: &'static str,
    state: State,
    /// What was found, one sentence.
    found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// What `--fix` does about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<Fix>,
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
            fix: None,
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

    fn fix(mut self, fix: Fix) -> Self {
        self.fix = Some(fix);
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

/// Looks, mends if asked to, and prints what it found. The exit code is that of the first thing that failed.
pub(crate) fn run(args: &Args, global: &Global, out: &Out) -> Outcome {
    let out = &if args.json {
        Out {
            format: Format::Json,
            ..*out
        }
    } else {
        *out
    };
    // First, because a server may be named there.
    let mut checks = files::checks(Path::new("."), global);
    if args.fix {
        checks = checks
            .into_iter()
            .map(|check| fixed(check, args.dry_run, out))
            .collect();
    }
    checks.extend(server::checks(global));
    checks.push(go());
    checks.push(manifest());
    checks.extend(machine::checks(Path::new(".")));
    out.view(&checks, |checks| checks.iter().map(text).collect());
    if !args.fix && checks.iter().any(|check| check.fix.is_some()) {
        out.note("some of this can be mended: golem-cli doctor --fix --dry-run");
    }
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

/// The check after its fix, if it has one.
fn fixed(mut check: Check, dry_run: bool, out: &Out) -> Check {
    let Some(fix) = &check.fix else {
        return check;
    };
    if dry_run {
        out.note(&format!("would {}", fix.sentence()));
        return check;
    }
    match fix.apply() {
        Ok(()) => {
            check.found = fix.sentence();
            check.state = State::Fixed;
            (check.fix, check.hint) = (None, None);
        }
        Err(reason) => out.warn(&format!("cannot {}: {reason}", fix.sentence())),
    }
    check
}

fn text(check: &Check) -> String {
    let mark = match check.state {
        State::Ok => "ok  ",
        State::Warning => "warn",
        State::Failed => "FAIL",
        State::Skipped => "-   ",
        State::Fixed => "FIX ",
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
            if let Some(check) = tools(&manifest) {
                return check;
            }
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

/// The failure of a project whose own build commands name a program that is not here, such as tinygo.
fn tools(manifest: &Manifest) -> Option<Check> {
    let commands = manifest
        .components
        .iter()
        .flat_map(|component| &component.commands);
    let programs: BTreeSet<&str> = commands
        .filter_map(|command| command.words.first())
        // A path is made by the project, perhaps by the command before.
        .filter(|program| !program.contains('/'))
        .map(String::as_str)
        .collect();
    let missing: Vec<&str> = programs.into_iter().filter(|tool| !starts(tool)).collect();
    if missing.is_empty() {
        return None;
    }
    let found = format!("its build needs {}, not in PATH", missing.join(", "));
    Some(
        Check::failed("project", found)
            .hint(
                "install what is missing, or leave out `build` of the component: Go builds it then",
            )
            .exit(exit::BUILD_TOOL),
    )
}

/// Whether a program can be started.
fn starts(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok()
}
