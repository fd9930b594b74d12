// SPDX-License-Identifier: Apache-2.0
//! THE DESK / diagnose: which kind of project this is, and whether the tools for building it are here, with what to do about each that
//! is not. In a directory, out a table. Never changes anything, and always ends with 0, as in Golem 1.1: `doctor` is the check for
//! scripts. Read next: `build/go.rs`. Source: client spec §2.9.

use std::{path::Path, process::Command};

use golem_model::Coded as _;
use golem_wit::bindgen::locate_module;
use serde::Serialize;

use crate::{
    build::{BuildError, Go, OLDEST},
    error::Outcome,
    manifest::Manifest,
    output::Out,
    view::table,
};

/// Where the page about setting up is.
const SETUP: &str = "docs/tutorial.md";

/// Options of `diagnose`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  golem-cli diagnose\n  golem-cli diagnose --language go")]
pub(crate) struct Args {
    /// The language of the project; there is only `go`
    #[arg(short, long, value_name = "LANG", value_parser = super::list_examples::language)]
    language: Option<String>,
}

/// How a tool stands to what is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// It is there and new enough.
    Ok,
    /// It is there and too old, or does not start.
    Unfit,
    /// It is not there, and needed.
    Missing,
    /// It is not there, and not needed.
    Optional,
}

/// What is known of one tool.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    tool: &'static str,
    needed: bool,
    state: State,
    found: Option<String>,
    purpose: &'static str,
    /// What to do, where something is wrong.
    instructions: Option<String>,
}

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Diagnosis {
    language: &'static str,
    /// `selected`, or what shows it: `golem.yaml`, `go.mod`, `default`.
    because: &'static str,
    setup: &'static str,
    tools: Vec<Row>,
}

/// Tools of the era: `make build TOOLCHAIN=tinygo` of the templates uses them.
const OPTIONAL: &[(&str, &[&str], &str)] = &[
    ("make", &["--version"], "the Makefile of the templates"),
    ("tinygo", &["version"], "only for TOOLCHAIN=tinygo"),
    ("wit-bindgen", &["--version"], "only for TOOLCHAIN=tinygo"),
    ("wasm-tools", &["--version"], "only for TOOLCHAIN=tinygo"),
];

/// Prints the table.
pub(crate) fn run(args: &Args, out: &Out) -> Outcome {
    let because = if args.language.is_some() {
        "selected"
    } else if Manifest::discover(None).is_ok_and(|manifest| manifest.is_some()) {
        "golem.yaml"
    } else if locate_module(Path::new(".")).is_ok() {
        "go.mod"
    } else {
        "default"
    };
    let mut tools = vec![go()];
    tools.extend(OPTIONAL.iter().map(|(tool, words, purpose)| {
        let found = first_line(tool, words);
        Row {
            tool,
            needed: false,
            state: found.as_ref().map_or(State::Optional, |_| State::Ok),
            found,
            purpose,
            instructions: None,
        }
    }));
    let diagnosis = Diagnosis {
        language: "Go",
        because,
        setup: SETUP,
        tools,
    };
    out.view(&diagnosis, Diagnosis::text);
    Ok(())
}

fn go() -> Row {
    let found = Go::find(Path::new("."));
    let (state, version, instructions) = match found {
        Ok(go) => (State::Ok, Some(go.version), None),
        Err(error) => {
            let state = match error {
                BuildError::GoMissing { .. } => State::Missing,
                _ => State::Unfit,
            };
            let hint = error.hint().unwrap_or_default();
            (state, None, Some(format!("{error}: {hint}")))
        }
    };
    Row {
        tool: "go",
        needed: true,
        state,
        found: version,
        purpose: "compiles components",
        instructions,
    }
}

impl Diagnosis {
    fn text(&self) -> String {
        let language = match self.because {
            "selected" => format!("Explicitly selected language: {}", self.language),
            "default" => format!("No project here; language: {}", self.language),
            file => format!("Detected language: {} (by {file})", self.language),
        };
        let rows = self.tools.iter().map(|row| {
            let wanted = if row.tool == "go" {
                format!("{OLDEST} or newer")
            } else {
                "any".to_owned()
            };
            let state = match row.state {
                State::Ok => "[ok]",
                State::Unfit => "[error: !!]",
                State::Missing => "[missing: !!]",
                State::Optional => "[not there, not needed]",
            };
            vec![
                row.tool.to_owned(),
                wanted,
                row.found.clone().unwrap_or_default(),
                state.to_owned(),
                row.purpose.to_owned(),
            ]
        });
        let header = ["Tool", "Recommended", "Installed", "State", "For"];
        let mut text = format!(
            "{language}\nSet-up: {}\n\n{}",
            self.setup,
            table(&header, rows)
        );
        for row in &self.tools {
            if let Some(instructions) = &row.instructions {
                text.push_str(&format!("\n{}: {instructions}\n", row.tool));
            }
        }
        text
    }
}

fn first_line(tool: &str, words: &[&str]) -> Option<String> {
    let output = Command::new(tool)
        .args(words)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned(),
    )
}
