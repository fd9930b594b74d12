// SPDX-License-Identifier: Apache-2.0
//! THE GYM / preload: the real server on a disk and with a clock that fail on demand. In: faults as numbers in a file that the
//! running server sees at once. Out: what it was told to do to a program, and a journal of what the program did to its files.
//! Needs a C compiler, which Rust's linker needs too. Read next: `../preload/faults.c`, `disk.rs`, `server.rs`.
//! Source: reliability spec F3, F4, F6, F7.

use std::collections::hash_map::DefaultHasher;
use std::fs::File;
use std::hash::{Hash, Hasher};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::golem_cli;

const SOURCE: &str = include_str!("../preload/faults.c");
/// Numbers in the control file.
const WORDS: usize = 13;

/// A number that is told to the program, or that it tells: see `enum word` of the C file, which has them in the same order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Number of the sync, from 1, that fails with EIO. The later ones succeed, as on a real disk.
    SyncFailAt,
    /// Bytes that may be written in all, then the disk is full. 0: no bound.
    SpaceBytes,
    /// Every so many writes write only a part.
    ShortEvery,
    /// Microseconds that every sync takes longer.
    DelayMicros,
    /// Microseconds that the next sync takes longer; it sets this to 0.
    StallMicros,
    /// Nanoseconds by which the wall clock is wrong, signed.
    ClockOffset,
    /// Millionths by which the wall clock is too fast since [`Word::ClockBase`], signed.
    ClockPpm,
    /// Nanoseconds since 1970.
    ClockBase,
    /// Number of the write, from 1, that finds the disk full although there is space again at once.
    WriteFailAt,
    /// Told by the program: syncs so far.
    Syncs,
    /// Told by the program: bytes written so far.
    Bytes,
    /// Told by the program: writes so far.
    Writes,
    /// Told by the program: faults so far, without delays and clocks.
    Faults,
}

/// Faults for the servers of one data directory.
pub struct Preload {
    library: PathBuf,
    root: PathBuf,
    folder: TempDir,
    control: File,
}

impl Preload {
    /// Faults for what happens below `root`, which is there. `None` where there is no C compiler or no Linux: `test` says so
    /// loudly and proves nothing.
    pub fn new(test: &str, root: &Path) -> Result<Option<Self>> {
        if !cfg!(all(
            target_os = "linux",
            any(target_arch = "x86_64", target_arch = "aarch64")
        )) {
            loud(&format!(
                "SKIPPED {test}: disk faults need Linux on x86-64 or arm64"
            ));
            return Ok(None);
        }
        let Some(library) = library()? else {
            loud(&format!(
                "SKIPPED {test}: no C compiler `cc` on the PATH, which disk faults need"
            ));
            return Ok(None);
        };
        let folder = tempfile::tempdir()?;
        let control = File::options()
            .create_new(true)
            .read(true)
            .write(true)
            .open(folder.path().join("control"))?;
        control.set_len((WORDS * 8) as u64)?;
        Ok(Some(Self {
            library,
            root: root.canonicalize()?,
            folder,
            control,
        }))
    }

    /// Tells the program a number; it acts on it at once.
    pub fn set(&self, word: Word, value: i64) -> Result<()> {
        Ok(self
            .control
            .write_all_at(&value.to_ne_bytes(), (word as u64) * 8)?)
    }

    /// A number that the program tells, or that it was told.
    pub fn get(&self, word: Word) -> Result<i64> {
        let mut bytes = [0; 8];
        self.control.read_exact_at(&mut bytes, (word as u64) * 8)?;
        Ok(i64::from_ne_bytes(bytes))
    }

    /// Takes back every fault, and counts from 0 again.
    pub fn reset(&self) -> Result<()> {
        Ok(self.control.write_all_at(&[0; WORDS * 8], 0)?)
    }

    /// Where everything that the program changes below the root is recorded.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.folder.path().join("journal")
    }

    /// Bytes of the journal: what was acknowledged before this was asked stands before them.
    pub fn position(&self) -> Result<u64> {
        Ok(std::fs::metadata(self.journal())?.len())
    }

    /// What the servers have said on their standard error.
    pub fn said(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.said_path()).unwrap_or_default())
    }

    fn said_path(&self) -> PathBuf {
        self.folder.path().join("stderr")
    }

    /// Lets `command` run on this disk and with this clock; `record`: with the journal.
    pub(crate) fn apply(&self, command: &mut Command, record: bool) -> Result<()> {
        command
            .env("LD_PRELOAD", &self.library)
            .env("GOLEM_FAULT_ROOT", &self.root)
            .env("GOLEM_FAULT_CONTROL", self.folder.path().join("control"));
        if record {
            command.env("GOLEM_FAULT_JOURNAL", self.journal());
        }
        let said = File::options()
            .create(true)
            .append(true)
            .open(self.said_path())?;
        command.stderr(said);
        Ok(())
    }
}

/// The compiled library, beside the program under test; made once per text. `None` when there is no C compiler.
fn library() -> Result<Option<PathBuf>> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _held = ONE_AT_A_TIME
        .lock()
        .map_err(|_| anyhow::anyhow!("another compilation failed"))?;
    let mut hasher = DefaultHasher::new();
    SOURCE.hash(&mut hasher);
    let program = golem_cli()?;
    let folder = program
        .parent()
        .context("the program is in no directory")?
        .to_owned();
    let library = folder.join(format!("golem-faults-{:016x}.so", hasher.finish()));
    if library.exists() {
        return Ok(Some(library));
    }
    if Command::new("cc").arg("--version").output().is_err() {
        return Ok(None);
    }
    let making = tempfile::tempdir_in(&folder)?;
    let (source, made) = (
        making.path().join("faults.c"),
        making.path().join("faults.so"),
    );
    std::fs::write(&source, SOURCE)?;
    let output = Command::new("cc")
        .args([
            "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o",
        ])
        .arg(&made)
        .arg(&source)
        .output()?;
    ensure!(
        output.status.success(),
        "preload/faults.c does not compile:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    std::fs::rename(&made, &library)?;
    Ok(Some(library))
}

#[expect(
    clippy::print_stderr,
    reason = "a test that proves nothing says so where the tests are read"
)]
fn loud(text: &str) {
    eprintln!("{text}");
}
