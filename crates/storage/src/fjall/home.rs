// SPDX-License-Identifier: Apache-2.0
//! THE SHELVES / home: the data directory as a whole: who uses it, and which format it has. In: a path. Out: a lock that
//! lives as long as [`Home`]. Never reads the database. Read next: `mod.rs`. Format: docs/formats/store.md.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use golem_model::ids::SHARDS;

use crate::files::{private_dir, sync_dir, write_durably};
use crate::fjall::layout::{Space, corrupt};
use crate::store::StoreError;

/// Number of the format on disk. Grows when an older version could misread what a newer one writes.
const FORMAT_VERSION: u32 = 1;
/// The engine that owns the files beside [`FORMAT_FILE`].
const ENGINE: &str = "fjall";
/// The file that says what the directory is.
const FORMAT_FILE: &str = "FORMAT";
/// The file that is locked while a server runs. It stays when the server ends; only the lock counts.
const LOCK_FILE: &str = "LOCK";
/// Where the database library keeps its files.
const DATABASE_DIR: &str = "fjall";
/// The file with which the database library says that it finished making a database.
const DATABASE_MARKER: &str = "version";

/// A data directory that this process owns.
pub(crate) struct Home {
    path: PathBuf,
    shards: u16,
    is_new: bool,
    /// Locked until dropped.
    lock: File,
}

impl Home {
    /// Takes `path`, making it when it is not there (readable by its owner only). Errors: `Locked` when another process
    /// has it, `UnknownFormat`, `Corrupt` when it says what it is but has no database, `Io`.
    pub(crate) fn take(path: &Path) -> Result<Self, StoreError> {
        let io = |e: std::io::Error| StoreError::Io(format!("{}: {e}", path.display()));
        private_dir(path).map_err(io)?;
        let lock_path = path.join(LOCK_FILE);
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(lock_path)
            .map_err(io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Locked(path.display().to_string()));
            }
            Err(TryLockError::Error(e)) => return Err(io(e)),
        }
        let database = path.join(DATABASE_DIR);
        let has_database = database.join(DATABASE_MARKER).try_exists().map_err(io)?;
        let format = match fs::read_to_string(path.join(FORMAT_FILE)) {
            Ok(text) => Some(text),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
            Err(e) => return Err(io(e)),
        };
        let shards = match &format {
            Some(text) => parse_format(path, text)?,
            None => SHARDS,
        };
        match (&format, has_database) {
            (Some(_), false) => {
                return Err(corrupt(
                    database.display().to_string(),
                    "the database files are missing",
                ));
            }
            // A first start that was killed: nothing was ever promised, and the library cannot go on from there.
            (Some(_), true) => check_keyspaces(&database)?,
            (None, false) if database.try_exists().map_err(io)? => {
                fs::remove_dir_all(&database).map_err(io)?
            }
            _ => {}
        }
        Ok(Self {
            path: path.to_owned(),
            shards,
            is_new: format.is_none(),
            lock,
        })
    }

    /// Number of shards of the store.
    pub(crate) fn shards(&self) -> u16 {
        self.shards
    }

    /// Where the database is.
    pub(crate) fn database(&self) -> PathBuf {
        self.path.join(DATABASE_DIR)
    }

    /// Makes the names of a new database stay, before anything is promised: the library syncs the directory of each keyspace,
    /// and not the one that they are in. Errors: `Io`.
    pub(crate) fn keep_names(&self) -> Result<(), StoreError> {
        if !self.is_new {
            return Ok(());
        }
        let database = self.database();
        for folder in [&database.join("keyspaces"), &database, &self.path] {
            sync_dir(folder).map_err(|e| StoreError::Io(format!("{}: {e}", folder.display())))?;
        }
        Ok(())
    }

    /// Says what the directory is, once the database is there. Errors: `Io`.
    pub(crate) fn finish(&mut self) -> Result<(), StoreError> {
        if self.is_new {
            let text = format!(
                "format = {FORMAT_VERSION}\nengine = {ENGINE}\nshards = {}\n",
                self.shards
            );
            write_durably(&self.path.join(FORMAT_FILE), text.as_bytes())
                .map_err(|e| StoreError::Io(format!("{}: {e}", self.path.display())))?;
            self.is_new = false;
        }
        Ok(())
    }
}

/// Refuses (`Corrupt`) a finished database in which a keyspace has lost the file that says what belongs to it. The library
/// takes such a keyspace for one that was never finished, and deletes it.
fn check_keyspaces(database: &Path) -> Result<(), StoreError> {
    let root = database.join("keyspaces");
    let io = |e: std::io::Error| StoreError::Io(format!("{}: {e}", root.display()));
    let mut whole = 0;
    for entry in fs::read_dir(&root).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if !path.is_dir() {
            continue;
        }
        if !path.join("current").try_exists().map_err(io)? {
            return Err(corrupt(
                path.display().to_string(),
                "the file `current` is missing",
            ));
        }
        whole += 1;
    }
    // Ours, and the one in which the library keeps their names.
    let expected = Space::ALL.len() + 1;
    if whole < expected {
        return Err(corrupt(
            root.display().to_string(),
            format!("{whole} keyspaces of {expected}"),
        ));
    }
    Ok(())
}

impl Drop for Home {
    fn drop(&mut self) {
        // Not left to the closing of the file: a child process that is being started has a copy of it for a moment.
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(%error, "could not unlock the data directory; the end of the process does");
        }
    }
}

/// The number of shards that a format file names. Error: `UnknownFormat`.
fn parse_format(path: &Path, text: &str) -> Result<u16, StoreError> {
    let value = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once('='));
        lines
            .find(|(key, _)| key.trim() == name)
            .map(|(_, value)| value.trim())
    };
    let shards = value("shards")
        .and_then(|n| n.parse::<u16>().ok())
        .filter(|n| *n > 0);
    let known =
        value("format") == Some(&FORMAT_VERSION.to_string()) && value("engine") == Some(ENGINE);
    match shards {
        Some(shards) if known => Ok(shards),
        _ => Err(StoreError::UnknownFormat {
            path: path.display().to_string(),
            found: format!("`{}`", text.trim().replace('\n', ", ")),
            expected: format!("`format = {FORMAT_VERSION}, engine = {ENGINE}`"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_owner_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::take(dir.path()).unwrap();
        assert!(matches!(Home::take(dir.path()), Err(StoreError::Locked(_))));
        drop(home);
        Home::take(dir.path()).unwrap();
    }

    #[test]
    fn an_unknown_format_is_refused() {
        let check = |text: &str, good: bool| {
            let parsed = parse_format(Path::new("d"), text);
            assert_eq!(parsed.is_ok(), good, "{text}");
            assert!(good || matches!(parsed, Err(StoreError::UnknownFormat { .. })));
        };
        check("format = 1\nengine = fjall\nshards = 256\n", true);
        check(
            "format = 1\nengine = fjall\nshards = 4\nfuture = yes\n",
            true,
        );
        check("format = 2\nengine = fjall\nshards = 256\n", false);
        check("format = 1\nengine = sqlite\nshards = 256\n", false);
        check("format = 1\nengine = fjall\nshards = 0\n", false);
        check("", false);
    }

    #[test]
    fn a_first_start_that_was_killed_is_begun_again_but_a_lost_database_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join(DATABASE_DIR);
        fs::create_dir(&database).unwrap();
        fs::write(database.join("0.jnl"), "half").unwrap();
        let mut home = Home::take(dir.path()).unwrap();
        assert!(!database.exists());
        home.finish().unwrap();
        drop(home);
        assert!(matches!(
            Home::take(dir.path()),
            Err(StoreError::Corrupt { .. })
        ));
    }
}
