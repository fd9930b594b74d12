// SPDX-License-Identifier: Apache-2.0
//! THE DESK / template write: puts a project on disk, wholly or not at all. In files, out a directory.
//! Never overwrites without being told to. Read next: `cmd/new.rs`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{File, TemplateError};

/// Writes `files` below `target`, a path relative to `root`.
///
/// A new directory is filled under another name and then renamed, so that a full disk leaves nothing. With `force`, files
/// of the project replace what is there one by one and everything else stays.
/// Errors: `NotEmpty` (without `force`), `NotADirectory`, `Io`.
pub(crate) fn write_tree(
    root: &Path,
    target: &Path,
    files: &[File],
    force: bool,
) -> Result<(), TemplateError> {
    let full = root.join(target);
    match fs::symlink_metadata(&full) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            write_new(root, target, &full, files)
        }
        Err(source) => Err(TemplateError::Io {
            path: target.to_owned(),
            source,
        }),
        Ok(_) if !full.is_dir() => Err(TemplateError::NotADirectory {
            path: target.to_owned(),
        }),
        Ok(_) => {
            let empty = fs::read_dir(&full)
                .map_err(|source| TemplateError::Io {
                    path: target.to_owned(),
                    source,
                })?
                .next()
                .is_none();
            if !empty && !force {
                return Err(TemplateError::NotEmpty {
                    path: target.to_owned(),
                });
            }
            fill(&full, files)
        }
    }
}

fn write_new(root: &Path, target: &Path, full: &Path, files: &[File]) -> Result<(), TemplateError> {
    let failed = |source| TemplateError::Io {
        path: target.to_owned(),
        source,
    };
    let parent = full.parent().unwrap_or(root);
    // The parents that are missing now, outermost last: they go again when something fails.
    let missing: Vec<PathBuf> = parent
        .ancestors()
        .take_while(|dir| !dir.exists() && *dir != root)
        .map(Path::to_owned)
        .collect();
    let name = full
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let staging = parent.join(format!(".{name}.new-{}", std::process::id()));
    let made = fs::create_dir_all(&staging)
        .map_err(failed)
        .and_then(|()| fill(&staging, files))
        .and_then(|()| fs::rename(&staging, full).map_err(failed));
    if made.is_err() {
        // The error that counts is the first one; what cannot be removed now was not writable either.
        let _ = fs::remove_dir_all(&staging);
        for dir in missing {
            let _ = fs::remove_dir(dir);
        }
    }
    made
}

fn fill(dir: &Path, files: &[File]) -> Result<(), TemplateError> {
    for file in files {
        let path = dir.join(&file.path);
        let failed = |source| TemplateError::Io {
            path: path.clone(),
            source,
        };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        let temporary = path.with_file_name(format!(
            ".{}.new-{}",
            path.file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default(),
            std::process::id()
        ));
        let written = fs::write(&temporary, &file.bytes)
            .and_then(|()| make_executable(&temporary, &file.bytes))
            .and_then(|()| fs::rename(&temporary, &path));
        if let Err(source) = written {
            let _ = fs::remove_file(&temporary);
            return Err(failed(source));
        }
    }
    Ok(())
}

/// Scripts are made executable; other files, and other systems, need nothing.
#[cfg(unix)]
fn make_executable(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    if bytes.starts_with(b"#!") {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn make_executable(_path: &Path, _bytes: &[u8]) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> File {
        File {
            path: path.to_owned(),
            bytes: b"x".to_vec(),
        }
    }

    #[test]
    fn a_failed_write_leaves_nothing_behind() {
        let root = tempfile::tempdir().unwrap();
        // The second file needs a directory where the first one is a file.
        let error = write_tree(
            root.path(),
            Path::new("a/b"),
            &[file("x"), file("x/y")],
            false,
        )
        .unwrap_err();
        assert!(matches!(error, TemplateError::Io { .. }), "{error}");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[test]
    fn force_keeps_what_is_not_of_the_template() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("a")).unwrap();
        fs::write(root.path().join("a/extra.txt"), "mine").unwrap();
        let refused = write_tree(root.path(), Path::new("a"), &[file("x")], false).unwrap_err();
        assert!(matches!(refused, TemplateError::NotEmpty { .. }));
        assert!(!root.path().join("a/x").exists());
        write_tree(root.path(), Path::new("a"), &[file("x")], true).unwrap();
        assert_eq!(
            fs::read_to_string(root.path().join("a/extra.txt")).unwrap(),
            "mine"
        );
        assert!(root.path().join("a/x").exists());
    }

    #[test]
    fn an_empty_directory_is_filled_and_a_file_is_refused() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("a")).unwrap();
        write_tree(root.path(), Path::new("a"), &[file("x")], false).unwrap();
        fs::write(root.path().join("f"), "").unwrap();
        let refused = write_tree(root.path(), Path::new("f"), &[file("x")], true).unwrap_err();
        assert!(matches!(refused, TemplateError::NotADirectory { .. }));
    }
}
