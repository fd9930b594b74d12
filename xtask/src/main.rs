// SPDX-License-Identifier: Apache-2.0
//! THE JANITOR: chores of this repository, run as `cargo xtask <chore>`. In: the checkout. Out: findings on stdout, exit 0
//! or 1. Never touches the network, never compiles anything. Read next: `tidy/mod.rs`. Why: docs/adr/0001-house.md.

mod docs;
mod errors;
mod go_client;
mod tidy;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask <chore>

  tidy             check the house rules (docs/STYLE.md): absences, headers, the two paths, file sizes, text, error pages
  errors           write docs/errors/*.md from the error enums of the rooms
  go-client        write sdk/go/client/{types,calls}.go from docs/openapi.json
  docs             check docs/ (links, anchors, contents) and make the site in target/site (or CARGO_TARGET_DIR/site)";

fn main() -> anyhow::Result<ExitCode> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let root = root()?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let tree = tidy::Tree::load(&root)?;
    let findings = match words.as_slice() {
        ["tidy"] => {
            let mut findings = tidy::check(&tree);
            findings.extend(errors::pages(&tree, &root, false)?);
            findings.extend(go_client::files(&root, false)?);
            findings
        }
        ["errors"] => errors::pages(&tree, &root, true)?,
        ["go-client"] => go_client::files(&root, true)?,
        ["docs"] => {
            let target = std::env::var_os("CARGO_TARGET_DIR")
                .map_or_else(|| root.join("target"), PathBuf::from);
            docs::build(&tree, &target.join("site"))?
        }
        _ => {
            writeln!(std::io::stdout(), "{USAGE}")?;
            return Ok(ExitCode::from(2));
        }
    };
    let mut out = std::io::stdout().lock();
    for finding in &findings {
        writeln!(out, "{finding}")?;
    }
    writeln!(
        out,
        "{}: {} findings in {} files",
        words.join(" "),
        findings.len(),
        tree.files.len()
    )?;
    Ok(if findings.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The top of the checkout: the parent of this package's folder.
fn root() -> anyhow::Result<PathBuf> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let top = here
        .parent()
        .ok_or_else(|| anyhow::anyhow!("xtask has no parent folder"))?;
    Ok(top.to_path_buf())
}
