// SPDX-License-Identifier: Apache-2.0
//! THE JANITOR: chores of this repository, run as `cargo xtask <chore>`. In: the checkout. Out: findings on stdout, exit 0
//! or 1. Never touches the network, never builds anything. Read next: `tidy/mod.rs`. Why: docs/adr/0001-house.md.

mod tidy;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask tidy\n\n  tidy   check the house rules (docs/STYLE.md): absences, headers, the two paths, file sizes, text";

fn main() -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    match std::env::args().nth(1).as_deref() {
        Some("tidy") => {
            let tree = tidy::Tree::load(&root()?)?;
            let findings = tidy::check(&tree);
            for finding in &findings {
                writeln!(out, "{finding}")?;
            }
            if findings.is_empty() {
                writeln!(out, "tidy: {} files, nothing to say", tree.files.len())?;
                return Ok(ExitCode::SUCCESS);
            }
            writeln!(
                out,
                "tidy: {} findings in {} files",
                findings.len(),
                tree.files.len()
            )?;
            Ok(ExitCode::FAILURE)
        }
        _ => {
            writeln!(out, "{USAGE}")?;
            Ok(ExitCode::from(2))
        }
    }
}

/// The top of the checkout: the parent of this package's folder.
fn root() -> anyhow::Result<PathBuf> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let top = here
        .parent()
        .ok_or_else(|| anyhow::anyhow!("xtask has no parent folder"))?;
    Ok(top.to_path_buf())
}
