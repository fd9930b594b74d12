// SPDX-License-Identifier: Apache-2.0
//! THE SCALES / guests: builds `benches/guests` with the program that is measured. In: golem-cli. Out: two components.
//! Works on a copy, so that nothing is left in the checkout. Read next: `rest.rs` (upload).

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

/// The built components.
#[derive(Debug)]
pub(crate) struct Guests {
    /// `add(n) -> u64`, `get() -> u64`.
    pub(crate) counter: Vec<u8>,
    /// `one(n)`, `seq(k)`, `fan(k)`: calls counters.
    pub(crate) caller: Vec<u8>,
}

/// Copies the project to `dir/guests` and builds it there. Errors: what golem-cli says.
pub(crate) fn build(golem_cli: &Path, dir: &Path) -> anyhow::Result<Guests> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guests");
    let project = dir.join("guests");
    copy(&source, &project)?;
    let golem = |dir: &str, words: &[&str]| run(golem_cli, &project.join(dir), words);
    golem("counter", &["build"])?;
    let (wasm, wit) = ("counter-stub/counter_stub.wasm", "counter-stub/wit");
    golem(
        "",
        &[
            "stubgen",
            "build",
            "--source-wit-root",
            "counter/wit",
            "--dest-wasm",
            wasm,
            "--dest-wit-root",
            wit,
        ],
    )?;
    golem(
        "",
        &[
            "stubgen",
            "add-stub-dependency",
            "--stub-wit-root",
            wit,
            "--dest-wit-root",
            "caller/wit",
            "--overwrite",
        ],
    )?;
    golem("caller", &["build"])?;
    let read = |path: &str| {
        let path = project.join(path);
        fs::read(&path).with_context(|| format!("`golem-cli build` made no `{}`", path.display()))
    };
    Ok(Guests {
        counter: read("counter/counter.wasm")?,
        caller: read("caller/caller.wasm")?,
    })
}

/// Runs golem-cli with `words` in `dir`.
fn run(golem_cli: &Path, dir: &Path, words: &[&str]) -> anyhow::Result<()> {
    let output = Command::new(golem_cli)
        .args(words)
        .current_dir(dir)
        .output()
        .with_context(|| format!("failed to start `{}`", golem_cli.display()))?;
    anyhow::ensure!(
        output.status.success(),
        "`golem-cli {}` failed in `{}`:\n{}{}",
        words.join(" "),
        dir.display(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// Copies a folder with all that is in it.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in
        fs::read_dir(from).with_context(|| format!("failed to read `{}`", from.display()))?
    {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
