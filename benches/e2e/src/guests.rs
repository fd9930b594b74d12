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
    /// `add(n) -> u64`, `get() -> u64`, `rest(ms) -> u64`.
    pub(crate) counter: Vec<u8>,
    /// `one(n)`, `seq(k)`, `fan(k)`: calls counters.
    pub(crate) caller: Vec<u8>,
}

/// Copies the project to `dir/guests` and builds it there. Errors: what golem-cli says.
pub(crate) fn build(golem_cli: &Path, dir: &Path) -> anyhow::Result<Guests> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guests");
    let project = dir.join("guests");
    copy(&source, &project)?;
    let output = Command::new(golem_cli)
        .arg("build")
        .current_dir(&project)
        .output()
        .with_context(|| format!("failed to start `{}`", golem_cli.display()))?;
    anyhow::ensure!(
        output.status.success(),
        "`golem-cli build` failed for the guests:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let read = |name: &str| {
        let path = project.join(format!("target/components/{name}.wasm"));
        fs::read(&path).with_context(|| format!("`golem-cli build` made no `{}`", path.display()))
    };
    Ok(Guests {
        counter: read("counter")?,
        caller: read("caller")?,
    })
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
