// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / data_dir: what a server keeps on disk, opened or emptied. In: a directory. Out: store and blobs.
//! Never reads what they hold. Read next: golem-storage `fjall/home.rs` (lock and format), `blobs.rs`.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use golem_engine::SECRET_KEY_FILE;
use golem_storage::{Blobs, FjallStore, Store, StoreError};

use crate::error::ServeError;
use crate::import;

/// The file that says that a directory is a data directory.
const FORMAT_FILE: &str = "FORMAT";
/// The file that a running server holds locked.
const LOCK_FILE: &str = "LOCK";
/// Where blobs are.
const BLOBS_DIR: &str = "blobs";
/// Where compiled code is: a cache, made again when it is gone.
const CODE_DIR: &str = "code";
/// Where large files of workers are: emptied at every start, made again from the logs.
const FILES_DIR: &str = "worker-files";
/// Where images of workers are: a cache, made again from the logs.
const CHECKPOINTS_DIR: &str = "checkpoints";
/// What `--clean` removes, in this order: [`FORMAT_FILE`] last, so that a clean that is killed is begun again and never
/// mistaken for a new directory. Files of other names stay: whoever put them there wants them.
const OURS: [&str; 10] = [
    "fjall",
    BLOBS_DIR,
    CODE_DIR,
    FILES_DIR,
    CHECKPOINTS_DIR,
    import::FILES[0],
    import::FILES[1],
    import::FILES[2],
    SECRET_KEY_FILE,
    FORMAT_FILE,
];

/// An open data directory. The lock on it is the store's, and ends with it.
pub(crate) struct DataDir {
    /// Logs, rows, catalogue.
    pub(crate) store: Arc<dyn Store>,
    /// Components and large values.
    pub(crate) blobs: Arc<Blobs>,
    /// Compiled code.
    pub(crate) code_dir: PathBuf,
}

impl DataDir {
    /// Whether there is a data directory at `path`.
    pub(crate) fn is_there(path: &Path) -> bool {
        path.join(FORMAT_FILE).exists()
    }

    /// Opens `path`, or makes it; with `clean`, empties it first.
    ///
    /// An import that waits is done before this returns.
    ///
    /// Errors: `NotOurs`, `DataDir`, `Unfinished`, and of the store `Locked`, `UnknownFormat`, `Corrupt`, `Io`.
    pub(crate) fn open(path: &Path, clean: bool) -> Result<Self, ServeError> {
        if clean {
            self::clean(path)?;
        }
        let store = Arc::new(FjallStore::open(path)?);
        let blobs = Arc::new(Blobs::open(path.join(BLOBS_DIR))?);
        import::apply(path, store.as_ref(), &blobs)?;
        Ok(Self {
            store,
            blobs,
            code_dir: path.join(CODE_DIR),
        })
    }
}

/// Empties a data directory; nothing to do for one that is not there or empty.
fn clean(path: &Path) -> Result<(), ServeError> {
    let cannot = |error: io::Error| cannot_use(path, &error);
    let mut names = match fs::read_dir(path) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.file_name())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(cannot(error)),
    };
    if names.next().is_none() {
        return Ok(());
    }
    match fs::read_to_string(path.join(FORMAT_FILE)) {
        // Any version of the format: starting anew is what a user of another version may want.
        Ok(text) if text.starts_with("format =") => {}
        _ => return Err(ServeError::NotOurs(path.to_owned())),
    }
    // Held while files go, so that a running server keeps its own.
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path.join(LOCK_FILE))
        .map_err(cannot)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(StoreError::Locked(path.display().to_string()).into());
        }
        Err(TryLockError::Error(error)) => return Err(cannot(error)),
    }
    for name in OURS {
        remove(&path.join(name)).map_err(cannot)?;
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn cannot_use(path: &Path, error: &io::Error) -> ServeError {
    ServeError::DataDir {
        path: path.to_owned(),
        detail: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clean_starts_anew_and_keeps_what_is_not_ours() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        DataDir::open(&path, true)
            .unwrap()
            .store
            .catalog_put("k", b"a", 0, b"1")
            .unwrap();
        fs::write(path.join(BLOBS_DIR).join("x"), "blob").unwrap();
        fs::write(path.join("notes.txt"), "mine").unwrap();
        let kept = DataDir::open(&path, false).unwrap();
        assert!(kept.store.catalog_get("k", b"a").unwrap().is_some());
        drop(kept);
        let cleaned = DataDir::open(&path, true).unwrap();
        assert_eq!(cleaned.store.catalog_get("k", b"a").unwrap(), None);
        assert!(!path.join(BLOBS_DIR).join("x").exists());
        assert_eq!(fs::read_to_string(path.join("notes.txt")).unwrap(), "mine");
    }

    #[test]
    fn a_directory_of_somebody_else_is_not_cleaned() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("fjall")).unwrap();
        assert!(matches!(clean(dir.path()), Err(ServeError::NotOurs(_))));
        fs::write(dir.path().join(FORMAT_FILE), "a novel").unwrap();
        assert!(matches!(clean(dir.path()), Err(ServeError::NotOurs(_))));
        assert!(dir.path().join("fjall").exists());
    }

    #[test]
    fn a_directory_in_use_is_not_cleaned() {
        let dir = tempfile::tempdir().unwrap();
        let running = DataDir::open(dir.path(), false).unwrap();
        running.store.catalog_put("k", b"a", 0, b"1").unwrap();
        assert!(matches!(
            clean(dir.path()),
            Err(ServeError::Store(StoreError::Locked(_)))
        ));
        assert!(matches!(
            DataDir::open(dir.path(), false),
            Err(ServeError::Store(StoreError::Locked(_)))
        ));
        assert!(running.store.catalog_get("k", b"a").unwrap().is_some());
    }
}
