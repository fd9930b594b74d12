// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / cwasm: compiled components on disk, so that a restart compiles nothing. In: wasm. Out: `Component`.
//! One of four files of the house with `unsafe` blocks (the others: `checkpoint/pages.rs`, `checkpoint/start.rs`, `stacks.rs`):
//! compiled code is trusted, so it is only ever read from a directory that this process owns, under a name that only this process
//! gives.
//! Read next: `component/catalog.rs`. Why: host design §7.

use std::hash::{Hash, Hasher};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use golem_model::hex;
use golem_storage::{TEMPORARY, write_durably};
use sha2::{Digest, Sha256};
use wasmtime::component::Component;
use wasmtime::{Engine, Result};

use crate::checkpoint::{INSTRUMENTATION, InstrumentError, instrument};

/// How old an unfinished file must be before it counts as left over: several processes may share one cache (`golem-cli test`
/// does), and a younger one is probably being written by another of them. Writing one takes well under a second.
const LEFT_OVER_AFTER: Duration = Duration::from_secs(3600);

/// Compiled components, by the hash of their wasm, of the compiler's settings and of the instrumentation's version.
#[derive(Debug, Clone)]
pub(crate) struct CodeCache {
    directory: PathBuf,
    compatibility: String,
}

impl CodeCache {
    /// A cache in `directory`, which is made if it is not there and must not be writable by others.
    pub(crate) fn open(directory: PathBuf, engine: &Engine) -> std::io::Result<Self> {
        std::fs::create_dir_all(&directory)?;
        sweep(&directory)?;
        let mut hasher = Fingerprint(Sha256::new());
        INSTRUMENTATION.hash(&mut hasher);
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let mut compatibility = hex(&hasher.0.finalize());
        // Eight bytes tell settings apart.
        compatibility.truncate(16);
        Ok(Self {
            directory,
            compatibility,
        })
    }

    /// The component of `wasm` (whose SHA-256 is `hash`, hex), from the cache or compiled now. Takes seconds when it
    /// compiles: call it from a thread that may block.
    pub(crate) fn load(
        &self,
        engine: &Engine,
        hash: &str,
        wasm: impl FnOnce() -> Result<Vec<u8>>,
    ) -> Result<Component> {
        let path = self
            .directory
            .join(format!("{hash}-{}.cwasm", self.compatibility));
        if path.exists() {
            match open_compiled(engine, &path) {
                Ok(component) => return Ok(component),
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "compiled code cannot be used, compiling again")
                }
            }
        }
        let compiled = compile(engine, &wasm()?)?;
        // Neither a crash nor a power cut leaves half a file under the final name: it would be run without being looked at.
        write_durably(&path, &compiled)?;
        open_compiled(engine, &path)
    }
}

/// Removes what earlier processes left half written. Others may sweep at the same time: a file that is gone is no error.
fn sweep(directory: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().ends_with(TEMPORARY) {
            continue;
        }
        let swept = entry
            .metadata()
            .and_then(|metadata| metadata.modified())
            .and_then(|modified| match modified.elapsed() {
                Ok(age) if age > LEFT_OVER_AFTER => std::fs::remove_file(entry.path()),
                // Younger, or of a clock that was set back.
                _ => Ok(()),
            });
        match swept {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Compiles a component with the accessor of checkpoints in it, or as it is if the compiler does not take that.
fn compile(engine: &Engine, wasm: &[u8]) -> Result<Vec<u8>> {
    let error = match instrument(wasm) {
        Ok(instrumented) => match engine.precompile_component(&instrumented) {
            Ok(compiled) => return Ok(compiled),
            Err(error) => error.to_string(),
        },
        Err(error @ InstrumentError::Reserved(_)) => return Err(error.into()),
        Err(error) => error.to_string(),
    };
    // Whatever is wrong with the component itself is said about what was uploaded.
    let compiled = engine.precompile_component(wasm)?;
    tracing::warn!(%error, "a component could not be prepared for checkpoints and runs without");
    Ok(compiled)
}

#[expect(
    unsafe_code,
    reason = "compiled code is loaded from our own cache directory"
)]
fn open_compiled(engine: &Engine, path: &Path) -> Result<Component> {
    // SAFETY: the file was written by `CodeCache::load` of a process that owned this data directory (file lock), from
    // the output of this engine's compiler; nobody can upload such a file. wasmtime checks version and settings itself.
    unsafe { Component::deserialize_file(engine, path) }
}

/// Feeds wasmtime's compatibility hash, which only speaks `Hash`, into SHA-256: the standard hasher may change between
/// builds, and the name of a file must not.
struct Fingerprint(Sha256);

impl Hasher for Fingerprint {
    fn finish(&self) -> u64 {
        0
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compiled_code_is_used_again_and_damage_is_repaired() {
        let directory = tempfile::tempdir().unwrap();
        let engine = crate::wasm::engine().unwrap();
        let cache = CodeCache::open(directory.path().join("code"), &engine).unwrap();
        let wasm = wat::parse_str("(component)").unwrap();
        cache.load(&engine, "aa", || Ok(wasm.clone())).unwrap();
        cache
            .load(&engine, "aa", || panic!("must come from the cache"))
            .unwrap();
        let file = std::fs::read_dir(directory.path().join("code"))
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        std::fs::write(&file, b"junk").unwrap();
        cache.load(&engine, "aa", || Ok(wasm)).unwrap();
    }

    #[test]
    fn an_open_removes_what_is_left_over_and_nothing_that_another_process_writes() {
        let directory = tempfile::tempdir().unwrap();
        let engine = crate::wasm::engine().unwrap();
        let young = directory.path().join(format!(".young.1-0{TEMPORARY}"));
        let old = directory.path().join(format!(".old.1-0{TEMPORARY}"));
        std::fs::write(&young, b"half").unwrap();
        let file = std::fs::File::create(&old).unwrap();
        file.set_modified(std::time::SystemTime::now() - 2 * LEFT_OVER_AFTER)
            .unwrap();
        CodeCache::open(directory.path().to_owned(), &engine).unwrap();
        assert!(young.exists());
        assert!(!old.exists());
    }
}
