// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / files: a set of files that is written wholly or not at all. In: paths and bytes. Out: the same on disk.
//! Never decides what to write. Read next: `stub/mod.rs`, `deps.rs`.
//! Why: a refused or broken run must leave the user's tree as it was.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Files to write and files to remove, applied together.
#[derive(Debug, Default)]
pub(crate) struct Change {
    writes: Vec<(PathBuf, Vec<u8>)>,
    removals: Vec<PathBuf>,
}

/// What stopped a change; nothing of it is left on disk.
#[derive(Debug, thiserror::Error)]
#[error("failed to write `{}`", path.display())]
pub(crate) struct WriteError {
    pub(crate) path: PathBuf,
    #[source]
    pub(crate) source: io::Error,
}

/// What a path held before the change: its bytes, or nothing.
type Before = (PathBuf, Option<Vec<u8>>);

impl Change {
    pub(crate) fn write(&mut self, path: impl Into<PathBuf>, bytes: impl Into<Vec<u8>>) {
        self.writes.push((path.into(), bytes.into()));
    }

    pub(crate) fn remove(&mut self, path: impl Into<PathBuf>) {
        self.removals.push(path.into());
    }

    /// Writes and removes everything, creating parent directories; on the first failure everything is undone.
    ///
    /// Every file is first written next to its target, so that a full disk is met before the first target changes.
    pub(crate) fn apply(self) -> Result<(), WriteError> {
        let mut undo = Undo::default();
        let result = self.run(&mut undo);
        if result.is_err() {
            undo.run();
        }
        result
    }

    fn run(self, undo: &mut Undo) -> Result<(), WriteError> {
        let mut staged = Vec::with_capacity(self.writes.len());
        for (path, bytes) in &self.writes {
            let failed = |source| WriteError {
                path: path.clone(),
                source,
            };
            undo.create_parents(path).map_err(failed)?;
            if path.is_dir() {
                return Err(failed(io::Error::new(
                    io::ErrorKind::IsADirectory,
                    "there is a directory of this name",
                )));
            }
            let temporary = beside(path);
            undo.temporary.push(temporary.clone());
            fs::write(&temporary, bytes).map_err(failed)?;
            staged.push((temporary, path.clone()));
        }
        for (temporary, path) in staged {
            let failed = |source| WriteError {
                path: path.clone(),
                source,
            };
            let before = read_if_there(&path).map_err(failed)?;
            fs::rename(&temporary, &path).map_err(failed)?;
            undo.before.push((path, before));
        }
        for path in self.removals {
            let failed = |source| WriteError {
                path: path.clone(),
                source,
            };
            if let Some(before) = read_if_there(&path).map_err(failed)? {
                fs::remove_file(&path).map_err(failed)?;
                undo.before.push((path, Some(before)));
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct Undo {
    temporary: Vec<PathBuf>,
    before: Vec<Before>,
    directories: Vec<PathBuf>,
}

impl Undo {
    fn create_parents(&mut self, path: &Path) -> io::Result<()> {
        let Some(parent) = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
        else {
            return Ok(());
        };
        let missing: Vec<PathBuf> = parent
            .ancestors()
            .take_while(|dir| !dir.as_os_str().is_empty() && !dir.exists())
            .map(Path::to_path_buf)
            .collect();
        fs::create_dir_all(parent)?;
        self.directories.extend(missing.into_iter().rev());
        Ok(())
    }

    /// Best effort: an undo that fails as well cannot be reported better than the failure that caused it.
    fn run(self) {
        for (path, before) in self.before.into_iter().rev() {
            let _ = match before {
                Some(bytes) => fs::write(&path, bytes),
                None => fs::remove_file(&path),
            };
        }
        for path in self.temporary {
            let _ = fs::remove_file(path);
        }
        for path in self.directories.into_iter().rev() {
            let _ = fs::remove_dir(path);
        }
    }
}

fn read_if_there(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A name beside `path` that no other file has: same directory, so that the rename is atomic.
fn beside(path: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = path
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let unique = format!(
        ".{name}.{}-{}.part",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    );
    path.with_file_name(unique)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(root: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(root)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_change_creates_overwrites_and_removes() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("old"), "1").unwrap();
        fs::write(dir.path().join("gone"), "1").unwrap();
        let mut change = Change::default();
        change.write(dir.path().join("old"), "2");
        change.write(dir.path().join("a/b/new"), "3");
        change.remove(dir.path().join("gone"));
        change.apply().unwrap();
        assert_eq!(listing(dir.path()), ["a", "old"]);
        assert_eq!(fs::read(dir.path().join("old")).unwrap(), b"2");
        assert_eq!(listing(&dir.path().join("a/b")), ["new"]);
    }

    #[test]
    fn a_failing_change_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("old"), "1").unwrap();
        fs::create_dir(dir.path().join("wall")).unwrap();
        let mut change = Change::default();
        change.write(dir.path().join("old"), "2");
        change.write(dir.path().join("a/b/new"), "3");
        change.write(dir.path().join("wall"), "4");
        let error = change.apply().unwrap_err();
        assert!(error.path.ends_with("wall"));
        assert_eq!(listing(dir.path()), ["old", "wall"]);
        assert_eq!(fs::read(dir.path().join("old")).unwrap(), b"1");
    }

    #[test]
    fn a_failing_removal_restores_what_was_written() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("old"), "1").unwrap();
        fs::create_dir(dir.path().join("wall")).unwrap();
        let mut change = Change::default();
        change.write(dir.path().join("old"), "2");
        change.write(dir.path().join("new"), "2");
        change.remove(dir.path().join("wall"));
        change.apply().unwrap_err();
        assert_eq!(listing(dir.path()), ["old", "wall"]);
        assert_eq!(fs::read(dir.path().join("old")).unwrap(), b"1");
    }
}
