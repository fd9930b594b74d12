// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / import: an export that becomes what a server keeps. In: a file, piece by piece. Out: a data directory like that of the
//! server that wrote it, or one that is as it was. Never starts with half of one. Read next: `data_dir.rs`, `http/transfer.rs`.
//! Format: docs/formats/export.md.
//!
//! A file is read to its end and checked before anything of it counts; only then it gets its name in the data directory. It is put
//! into the store while nobody uses that: at the next start, or when the running server begins its next life. A process that dies
//! meanwhile does it again: the file has a third name from the first row on until the last one is durable.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use golem_model::api::Export;
use golem_storage::export::{ExportError, first_content, import, verify};
use golem_storage::{Blobs, Store, StoreError, sync_dir};

use crate::error::ServeError;

/// A file that is still arriving; one that is there at a start is of no use.
const PART: &str = "import.part";
/// A file that is whole.
const WHOLE: &str = "import.whole";
/// A file of which something may be in the store.
const BEGUN: &str = "import.begun";
/// What `--clean` removes.
pub(crate) const FILES: [&str; 3] = [PART, WHOLE, BEGUN];
/// Kind of the catalogue rows of imports that are done: key = name of the export.
const KIND: &str = "import";
/// Catalogue rows that a server without components and workers has: its clock, its tokens, imports that had nothing in them.
const OWN: [&str; 3] = ["clock", "token", KIND];

/// Whether a store takes an import: `None`, or what it has, in words. Blocks. Errors: of the store.
pub(crate) fn occupied(store: &dyn Store) -> Result<Option<String>, StoreError> {
    first_content(store, &OWN)
}

/// The import of this name, if it is done. Blocks. Errors: of the store.
pub(crate) fn done(store: &dyn Store, sha256: &str) -> Result<Option<Export>, StoreError> {
    let Some(row) = store.catalog_get(KIND, sha256.as_bytes())? else {
        return Ok(None);
    };
    serde_json::from_slice(&row.value)
        .map(Some)
        .map_err(|error| StoreError::Corrupt {
            what: format!("the row of import {sha256}"),
            detail: error.to_string(),
        })
}

/// Reads a file to its end, checks it, and keeps it in `dir` for [`apply`]; durable on return. Blocks.
///
/// Errors: those of [`verify`], `Write`. Nothing of it stays then.
pub(crate) fn receive(dir: &Path, input: &mut dyn Read) -> Result<Export, ExportError> {
    let part = dir.join(PART);
    let kept = keep(&part, input).and_then(|export| {
        fs::rename(&part, dir.join(WHOLE)).map_err(ExportError::Write)?;
        sync_dir(dir).map_err(ExportError::Write)?;
        Ok(export)
    });
    if kept.is_err() {
        // Best effort: the next start removes it, too.
        let _ = fs::remove_file(&part);
    }
    kept
}

fn keep(part: &Path, input: &mut dyn Read) -> Result<Export, ExportError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    // It has everything that the server keeps.
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(part).map_err(ExportError::Write)?;
    let mut copied = Copied {
        input,
        to: &file,
        failed: None,
    };
    let checked = verify(&mut copied);
    // That the disk is full is no fault of whoever sends.
    if let Some(error) = copied.failed {
        return Err(ExportError::Write(error));
    }
    file.sync_all().map_err(ExportError::Write)?;
    checked
}

/// What is read is written as well.
struct Copied<'a> {
    input: &'a mut dyn Read,
    to: &'a File,
    failed: Option<io::Error>,
}

impl Read for Copied<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.input.read(into)?;
        let written = self.to.write_all(into.get(..n).unwrap_or_default());
        if let Err(error) = written {
            let told = io::Error::from(error.kind());
            self.failed = Some(error);
            return Err(told);
        }
        Ok(n)
    }
}

/// Puts a file that [`receive`] has kept into the store, which nobody uses; nothing to do without one. Done again when an earlier
/// process did not come to its end. Blocks.
///
/// Errors: `Unfinished` when a file cannot be read to its end any more although something of it may be in the store, `DataDir`, and
/// those of the store.
pub(crate) fn apply(dir: &Path, store: &dyn Store, blobs: &Blobs) -> Result<(), ServeError> {
    let cannot = |error: io::Error| ServeError::DataDir {
        path: dir.to_owned(),
        detail: error.to_string(),
    };
    remove(&dir.join(PART)).map_err(cannot)?;
    let (whole, begun) = (dir.join(WHOLE), dir.join(BEGUN));
    if whole.try_exists().map_err(cannot)? {
        match check_again(&whole, store) {
            Ok(()) => fs::rename(&whole, &begun).map_err(cannot)?,
            Err(error) => {
                tracing::error!(%error, "nothing was imported");
                remove(&whole).map_err(cannot)?;
            }
        }
        sync_dir(dir).map_err(cannot)?;
    }
    if !begun.try_exists().map_err(cannot)? {
        return Ok(());
    }
    let unfinished = |error| ServeError::Unfinished {
        path: dir.to_owned(),
        error,
    };
    let export = {
        let file = File::open(&begun).map_err(cannot)?;
        import(&mut BufReader::new(file), store, blobs).map_err(unfinished)?
    };
    let row = serde_json::to_vec(&export).map_err(|error| cannot(error.into()))?;
    let key = export.sha256.as_bytes();
    let revision = store
        .catalog_get(KIND, key)?
        .map_or(0, |before| before.revision);
    store.catalog_put(KIND, key, revision, &row)?;
    remove(&begun).map_err(cannot)?;
    sync_dir(dir).map_err(cannot)?;
    let totals = export.totals;
    tracing::info!(export = %export.sha256, workers = totals.workers, entries = totals.entries, "imported");
    Ok(())
}

/// Whether a file is still whole and the store still empty: after this comes the point of no return.
fn check_again(whole: &Path, store: &dyn Store) -> Result<(), ExportError> {
    if let Some(what) = occupied(store)? {
        return Err(ExportError::NotEmpty { what });
    }
    let file = File::open(whole).map_err(ExportError::Read)?;
    verify(&mut BufReader::new(file)).map(drop)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use golem_model::Timestamp;
    use golem_storage::MemStore;
    use golem_storage::export::export;

    use super::*;

    struct Case {
        dir: tempfile::TempDir,
        blobs: Blobs,
        store: MemStore,
    }

    impl Case {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            Self {
                blobs: Blobs::open(dir.path().join("blobs")).unwrap(),
                store: MemStore::new(),
                dir,
            }
        }

        fn file(&self) -> Vec<u8> {
            let mut file = Vec::new();
            export(&self.store, &self.blobs, "1", Timestamp(1), &mut file).unwrap();
            file
        }

        fn apply(&self) -> Result<(), ServeError> {
            apply(self.dir.path(), &self.store, &self.blobs)
        }

        fn names(&self) -> Vec<String> {
            let names = fs::read_dir(self.dir.path()).unwrap();
            let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            names.filter(|name| name != "blobs").collect()
        }
    }

    fn full() -> Vec<u8> {
        let full = Case::new();
        full.blobs.put(b"wasm").unwrap();
        full.store.catalog_put("component", b"c", 0, b"v").unwrap();
        full.file()
    }

    #[test]
    fn a_file_counts_when_it_was_read_to_its_end() {
        let (case, file) = (Case::new(), full());
        let cut = file.get(..file.len() - 1).unwrap();
        let error = receive(case.dir.path(), &mut &*cut).unwrap_err();
        assert!(matches!(error, ExportError::Truncated { .. }), "{error}");
        assert_eq!(case.names(), [""; 0]);
        case.apply().unwrap();
        assert_eq!(occupied(&case.store).unwrap(), None);

        let export = receive(case.dir.path(), &mut file.as_slice()).unwrap();
        assert_eq!(case.names(), [WHOLE]);
        assert_eq!(done(&case.store, &export.sha256).unwrap(), None);
        case.apply().unwrap();
        assert_eq!(case.names(), [""; 0]);
        assert_eq!(
            done(&case.store, &export.sha256).unwrap().as_ref(),
            Some(&export)
        );
        let row = case.store.catalog_get("component", b"c").unwrap().unwrap();
        assert_eq!(row.value, b"v");
        assert_eq!(case.blobs.list().unwrap().len(), 1);
    }

    #[test]
    fn an_import_that_was_begun_is_finished_or_nothing_starts() {
        let (case, file) = (Case::new(), full());
        // A process that died after the first rows: what is there does not count against the rest.
        case.store.catalog_put("component", b"c", 0, b"v").unwrap();
        fs::write(case.dir.path().join(BEGUN), &file).unwrap();
        fs::write(case.dir.path().join(PART), b"of another try").unwrap();
        case.apply().unwrap();
        assert_eq!(case.names(), [""; 0]);
        assert_eq!(case.blobs.list().unwrap().len(), 1);

        let case = Case::new();
        let cut = file.get(..file.len() - 1).unwrap();
        fs::write(case.dir.path().join(BEGUN), cut).unwrap();
        let error = case.apply().unwrap_err();
        assert_eq!(golem_model::Coded::code(&error), "EXP-009", "{error}");
        assert_eq!(case.names(), [BEGUN]);
    }

    #[test]
    fn a_file_that_waits_gives_way_to_what_is_there() {
        let (case, file) = (Case::new(), full());
        receive(case.dir.path(), &mut file.as_slice()).unwrap();
        case.store.catalog_put("component", b"d", 0, b"w").unwrap();
        case.apply().unwrap();
        assert_eq!(case.names(), [""; 0]);
        assert_eq!(case.store.catalog_get("component", b"c").unwrap(), None);

        let case = Case::new();
        receive(case.dir.path(), &mut file.as_slice()).unwrap();
        let mut damaged = file;
        damaged[40] ^= 1;
        fs::write(case.dir.path().join(WHOLE), damaged).unwrap();
        case.apply().unwrap();
        assert_eq!(case.names(), [""; 0]);
        assert_eq!(occupied(&case.store).unwrap(), None);
    }
}
