// SPDX-License-Identifier: Apache-2.0
//! THE GYM / guest: programs to run, built by the real Go compiler through the program under test.
//! Built once per test run and source. In: a folder of `tests/it/guests`. Out: a component. Read next: `binary.rs`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};

use anyhow::{Context, Result};

use crate::run;

/// A built guest.
#[derive(Debug, Clone)]
pub struct Guest {
    /// The component.
    pub wasm: Arc<Vec<u8>>,
}

type Built = Mutex<HashMap<PathBuf, Guest>>;

impl Guest {
    /// Builds the project in `source` (which stays as it is) with `golem-cli build` and reads `output`, a path in it.
    pub fn build(source: &Path, output: &str) -> Result<Self> {
        static BUILT: OnceLock<Built> = OnceLock::new();
        let mut built = BUILT
            .get_or_init(Built::default)
            .lock()
            .map_err(|_| anyhow::anyhow!("another build failed"))?;
        let id = source.join(output);
        if let Some(guest) = built.get(&id) {
            return Ok(guest.clone());
        }
        let folder = tempfile::tempdir()?;
        copy_tree(source, folder.path())?;
        run(folder.path(), &["build"])?;
        let path = folder.path().join(output);
        let wasm = std::fs::read(&path)
            .with_context(|| format!("the build made no {}", path.display()))?;
        let guest = Self {
            wasm: Arc::new(wasm),
        };
        built.insert(id, guest.clone());
        Ok(guest)
    }
}

/// The Go compiler on the path, or `None` when there is none: the caller says loudly what it skips.
#[must_use]
pub fn go() -> Option<String> {
    let output = Command::new("go").arg("version").output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Copies a folder with everything in it.
pub fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in
        std::fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))?
    {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
