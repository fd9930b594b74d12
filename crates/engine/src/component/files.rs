// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / component/files: what an upload brings: the wasm, and the files that workers begin with. In: paths and contents.
//! Out: blobs, and the rows that name them. Bounds: [`INITIAL_FILES_MAX`], [`INITIAL_FILES_BYTES_MAX`]. Never looks into a
//! content. Read next: `catalog.rs`, `../host/files/initial.rs`. Source: client spec §6.6.

use std::collections::BTreeSet;

use golem_model::capabilities::Capabilities;
use golem_model::component::{
    FilePermissions, INITIAL_FILES_BYTES_MAX, INITIAL_FILES_MAX, INITIAL_PATH_BYTES_MAX,
    InitialFile,
};
use golem_storage::Blobs;

use crate::error::ComponentError;

/// Longest part of the path of an initial file, in bytes: as guests know it from Linux.
const PART_BYTES_MAX: usize = 255;

/// A version of a component, as it is uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// The component.
    pub wasm: Vec<u8>,
    /// The files that workers begin with. `None`: those of the version before, or none.
    pub files: Option<Vec<NewFile>>,
    /// What it may do.
    pub declared: Declared,
}

impl Upload {
    /// A component without initial files, and what it may do.
    #[must_use]
    pub fn declaring(wasm: Vec<u8>, capabilities: Option<Capabilities>) -> Self {
        Self {
            declared: Declared::Now(capabilities),
            ..Self::from(wasm)
        }
    }
}

impl From<Vec<u8>> for Upload {
    fn from(wasm: Vec<u8>) -> Self {
        Self {
            wasm,
            files: None,
            declared: Declared::Same,
        }
    }
}

/// What an upload says of capabilities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Declared {
    /// Nothing: they are those of the version before, or none.
    Same,
    /// These, or none from now on.
    Now(Option<Capabilities>),
}

/// An initial file, as it is uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Absolute path in the worker.
    pub path: String,
    /// What the guest may do with it.
    pub permissions: FilePermissions,
    /// The bytes.
    pub content: Vec<u8>,
}

/// Keeps the contents. Durable on return. Errors: `BadFile`, `TooLarge`, `Store`.
pub(crate) fn keep(files: &[NewFile], blobs: &Blobs) -> Result<Vec<InitialFile>, ComponentError> {
    check(files)?;
    files
        .iter()
        .map(|file| {
            Ok(InitialFile {
                key: blobs.put(&file.content)?,
                path: file.path.clone(),
                permissions: file.permissions,
                size: file.content.len() as u64,
            })
        })
        .collect()
}

fn check(files: &[NewFile]) -> Result<(), ComponentError> {
    if files.len() > INITIAL_FILES_MAX {
        return Err(ComponentError::BadFile {
            path: files
                .last()
                .map(|file| file.path.clone())
                .unwrap_or_default(),
            detail: format!(
                "there are {} files, and at most {INITIAL_FILES_MAX} are taken",
                files.len()
            ),
        });
    }
    let bytes = files.iter().map(|file| file.content.len()).sum();
    if bytes > INITIAL_FILES_BYTES_MAX {
        return Err(ComponentError::TooLarge {
            bytes,
            limit: INITIAL_FILES_BYTES_MAX,
        });
    }
    let mut paths = BTreeSet::new();
    for file in files {
        let bad = |detail: &str| ComponentError::BadFile {
            path: file.path.clone(),
            detail: detail.to_owned(),
        };
        let Some(rest) = file.path.strip_prefix('/') else {
            return Err(bad("it does not begin with `/`"));
        };
        if file.path.len() > INITIAL_PATH_BYTES_MAX {
            return Err(bad("it is longer than 1024 bytes"));
        }
        if file.path.contains('\0') {
            return Err(bad("it has a zero byte"));
        }
        for part in rest.split('/') {
            match part {
                "" | "." | ".." => return Err(bad("a part of it is empty, `.` or `..`")),
                part if part.len() > PART_BYTES_MAX => {
                    return Err(bad("a part of it is longer than 255 bytes"));
                }
                _ => {}
            }
        }
        if !paths.insert(file.path.as_str()) {
            return Err(bad("it is there twice"));
        }
    }
    for path in &paths {
        let mut above = *path;
        while let Some((shorter, _)) = above.rsplit_once('/') {
            if paths.contains(shorter) {
                return Err(ComponentError::BadFile {
                    path: (*path).to_owned(),
                    detail: format!("`{shorter}` is a file, not a directory"),
                });
            }
            above = shorter;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> NewFile {
        NewFile {
            path: path.into(),
            permissions: FilePermissions::ReadOnly,
            content: Vec::new(),
        }
    }

    #[test]
    fn a_path_is_one_that_a_guest_can_have() {
        let taken = |paths: &[&str]| {
            let files: Vec<_> = paths.iter().map(|path| file(path)).collect();
            check(&files)
        };
        taken(&["/a", "/b/c", "/b/d.txt", "/b.c"]).unwrap();
        let long = format!("/{}", "a".repeat(256));
        for wrong in [
            ["", "/x"],
            ["a", "/x"],
            ["/", "/x"],
            ["/a/", "/x"],
            ["/a//b", "/x"],
            ["/a/../b", "/x"],
            ["/./a", "/x"],
            ["/a\0", "/x"],
            ["/a", "/a"],
            ["/a", "/a/b"],
            [long.as_str(), "/x"],
        ] {
            let refused = taken(&wrong).unwrap_err();
            assert!(
                matches!(&refused, ComponentError::BadFile { path, .. } if wrong.contains(&path.as_str())),
                "{wrong:?}: {refused}"
            );
        }
        let many: Vec<_> = (0..=INITIAL_FILES_MAX)
            .map(|number| file(&format!("/{number}")))
            .collect();
        assert!(check(&many).is_err());
    }
}
