// SPDX-License-Identifier: Apache-2.0
//! THE SCALES / guests: builds `benches/guests` with the program that is measured. In: golem-cli. Out: components.
//! Works on a copy, so that nothing is left in the checkout. Read next: `rest.rs` (upload).

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

/// The built components.
#[derive(Debug)]
pub(crate) struct Guests {
    /// `add(n)`, `get()`, `rest(ms)`, `nap(ms)`, `late()`.
    pub(crate) counter: Vec<u8>,
    /// `one(n)`, `seq(k)`, `fan(k)`: calls counters.
    pub(crate) caller: Vec<u8>,
    /// `steps(k)`, `steps-commit(k)`: durable host calls.
    pub(crate) steps: Vec<u8>,
    /// `add(n)`, `get()` without a language's run-time.
    pub(crate) tiny: Vec<u8>,
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
        steps: read("steps")?,
        tiny: tiny()?,
    })
}

/// The guest without a language, which needs no `golem-cli build`.
pub(crate) fn tiny() -> anyhow::Result<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guests/tiny/counter.wat");
    wat::parse_file(&path).with_context(|| format!("failed to encode `{}`", path.display()))
}

/// `wasm` as a component that no server has seen: a custom section with `mark` at its end.
pub(crate) fn unknown(wasm: &[u8], mark: &str) -> Vec<u8> {
    // Section 0, its size, the length of its name, the name; both lengths fit into one LEB128 byte below 128.
    let mark = mark.as_bytes().get(..100).unwrap_or(mark.as_bytes());
    let mut out = wasm.to_vec();
    out.extend_from_slice(&[0, mark.len() as u8 + 1, mark.len() as u8]);
    out.extend_from_slice(mark);
    out
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
