// SPDX-License-Identifier: Apache-2.0
//! THE DESK / diagnose: looks whether the tools for building are here. In nothing, out a table. Never changes anything.
//! Exit code 9 when the one tool that is needed is missing or too old. Read next: `build/go.rs`.

use std::{path::Path, process::Command};

use serde::Serialize;

use crate::{
    build::{BuildError, Go},
    error::Outcome,
    manifest::Manifest,
    output::Out,
};

/// Options of `diagnose`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  golem-cli diagnose")]
pub(crate) struct Args {
    /// The language of the project; there is only `go`
    #[arg(short, long, value_name = "LANG", value_parser = super::list_examples::language)]
    language: Option<String>,
}

/// What is known of one tool.
#[derive(Debug, Serialize)]
struct Row {
    tool: &'static str,
    needed: bool,
    found: Option<String>,
    purpose: &'static str,
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
    if let Some(language) = &args.language {
        out.note(&format!("language: {language}"));
    }
    let go = Go::find(Path::new("."));
    let mut rows = vec![Row {
        tool: "go",
        needed: true,
        found: go.as_ref().ok().map(|go| go.version.clone()),
        purpose: "compiles components",
    }];
    rows.extend(OPTIONAL.iter().map(|(tool, words, purpose)| Row {
        tool,
        needed: false,
        found: first_line(tool, words),
        purpose,
    }));
    out.view(&rows, |rows| rows.iter().map(text).collect());
    match Manifest::discover(None)? {
        Some(manifest) => out.note(&format!(
            "manifest: {} components",
            manifest.components.len()
        )),
        None => out.note("manifest: none here or above"),
    }
    go.map(drop).map_err(BuildError::failure)
}

fn text(row: &Row) -> String {
    let found = match (&row.found, row.needed) {
        (Some(version), _) => version.as_str(),
        (None, true) => "MISSING or too old",
        (None, false) => "not there (not needed)",
    };
    format!("{:12} {:40} {}\n", row.tool, found, row.purpose)
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
