// SPDX-License-Identifier: Apache-2.0
//! THE DESK / files: the files that workers of a component begin with, as golem.yaml or the command line names them. In sources and
//! targets, out contents, an archive and permissions, the same for the same files. Bounds: those of the server.
//! Never follows a link. Read next: `files/zip.rs`, `manifest/read.rs`. Why: docs/initial-files.md.

mod error;
mod zip;

use std::collections::BTreeMap;
use std::fs::{self, FileType};
use std::path::{Path, PathBuf};

use golem_client::PackedFiles;
use golem_model::component::{
    FilePermissions, FilesPermissions, INITIAL_FILES_BYTES_MAX, INITIAL_FILES_MAX, InitialFile,
    PathPermissions,
};

pub(crate) use self::error::FilesError;
use self::zip::Archive;
use crate::hash::sha256;

/// A file or a whole folder, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// Where `path` starts from. What stands above is not looked at.
    pub(crate) root: PathBuf,
    /// The file or folder, below `root`; empty for `root` itself.
    pub(crate) path: PathBuf,
    /// Absolute path in the worker, without a `/` at the end; empty for the root of a worker.
    pub(crate) target: String,
    /// What guests may do with it.
    pub(crate) permissions: FilePermissions,
}

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    /// What guests may do with it.
    pub(crate) permissions: FilePermissions,
    /// The bytes.
    pub(crate) content: Vec<u8>,
}

/// The initial files of a component by their absolute paths in the worker, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Files(BTreeMap<String, File>);

/// The path in a worker that `text` means: absolute, each part a name. Errors: what is wrong with it.
pub(crate) fn target(text: &str) -> Result<String, &'static str> {
    let Some(rest) = text.strip_prefix('/') else {
        return Err("does not begin with `/`");
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let mut parts = rest.split('/');
    if !rest.is_empty() && parts.any(|part| matches!(part, "" | "." | "..")) {
        return Err("has a part that is empty, `.` or `..`");
    }
    if rest.contains('\0') {
        return Err("has a zero byte");
    }
    Ok(if rest.is_empty() {
        String::new()
    } else {
        format!("/{rest}")
    })
}

impl Source {
    /// What `--files` says: `SOURCE:TARGET` or `SOURCE:TARGET:read-write`. Errors: what is wrong with it.
    pub(crate) fn from_flag(text: &str) -> Result<Self, String> {
        let (rest, permissions) = match text.rsplit_once(':') {
            Some((rest, "read-write")) => (rest, FilePermissions::ReadWrite),
            Some((rest, "read-only")) => (rest, FilePermissions::ReadOnly),
            _ => (text, FilePermissions::ReadOnly),
        };
        let form = "it is SOURCE:/TARGET, or SOURCE:/TARGET:read-write";
        let (source, into) = rest
            .split_once(":/")
            .filter(|(source, _)| !source.is_empty())
            .ok_or(form)?;
        let target = target(&format!("/{into}"))
            .map_err(|why| format!("the path `/{into}` {why}; {form}"))?;
        let source = Path::new(source);
        let (root, path) = match (source.parent(), source.file_name()) {
            (Some(root), Some(name)) => (root.to_owned(), PathBuf::from(name)),
            _ => (source.to_owned(), PathBuf::new()),
        };
        Ok(Self {
            root,
            path,
            target,
            permissions,
        })
    }

    /// Whether a file belongs to it.
    pub(crate) fn holds(&self, file: &Path) -> bool {
        file.starts_with(self.whole())
    }

    /// The file or folder from where the command runs.
    pub(crate) fn whole(&self) -> PathBuf {
        // Joining an empty path would leave a `/` at the end.
        if self.path.as_os_str().is_empty() {
            self.root.clone()
        } else {
            self.root.join(&self.path)
        }
    }
}

impl Files {
    /// Reads all files of `sources`, folders whole and hidden files with them. Errors: all of [`FilesError`]; nothing is read of
    /// a file that would cross a bound.
    pub(crate) fn read(sources: &[Source]) -> Result<Self, FilesError> {
        let mut reading = Reading::default();
        for source in sources {
            reading.source(source)?;
        }
        let files = reading.files.into_iter();
        Ok(Self(files.map(|(path, (_, file))| (path, file)).collect()))
    }

    /// Each with its path in the worker, sorted.
    pub(crate) fn into_each(self) -> impl Iterator<Item = (String, File)> {
        self.0.into_iter()
    }

    /// What is uploaded of them.
    pub(crate) fn packed(&self) -> PackedFiles {
        PackedFiles {
            archive: self.archive(),
            permissions: self.permissions(),
        }
    }

    fn archive(&self) -> Vec<u8> {
        let mut archive = Archive::default();
        for (path, file) in &self.0 {
            archive.add(path.strip_prefix('/').unwrap_or(path), &file.content);
        }
        archive.finish()
    }

    fn permissions(&self) -> FilesPermissions {
        let one = |(path, file): (&String, &File)| PathPermissions {
            path: path.clone(),
            permissions: file.permissions,
        };
        FilesPermissions {
            values: self.0.iter().map(one).collect(),
        }
    }

    /// Whether a component has exactly these.
    pub(crate) fn are(&self, there: &[InitialFile]) -> bool {
        there.len() == self.0.len()
            && there.iter().all(|old| {
                self.0.get(&old.path).is_some_and(|file| {
                    file.permissions == old.permissions
                        && file.content.len() as u64 == old.size
                        && sha256(&file.content) == old.key
                })
            })
    }
}

/// What was read so far.
#[derive(Default)]
struct Reading {
    /// Each with the path that it was read from.
    files: BTreeMap<String, (PathBuf, File)>,
    bytes: usize,
}

impl Reading {
    /// Every part of the way below the root is looked at: a link in the middle leads out as well as one at the end.
    fn source(&mut self, source: &Source) -> Result<(), FilesError> {
        let mut way = source.root.clone();
        for part in &source.path {
            way.push(part);
            if look(&way)?.is_symlink() {
                return Err(FilesError::Link { path: way });
            }
        }
        let whole = source.whole();
        let whole = if whole.as_os_str().is_empty() {
            PathBuf::from(".")
        } else {
            whole
        };
        let kind = look(&whole)?;
        if !kind.is_dir() && source.target.is_empty() {
            return Err(FilesError::Root { path: whole });
        }
        self.one(whole, kind, source.target.clone(), source.permissions)
    }

    fn one(
        &mut self,
        path: PathBuf,
        kind: FileType,
        target: String,
        permissions: FilePermissions,
    ) -> Result<(), FilesError> {
        if kind.is_dir() {
            return self.folder(&path, &target, permissions);
        }
        if kind.is_symlink() {
            return Err(FilesError::Link { path });
        }
        if !kind.is_file() {
            return Err(FilesError::Special { path });
        }
        if let Some((other, _)) = self.files.get(&target) {
            return Err(FilesError::Twice {
                target,
                one: other.clone(),
                two: path,
            });
        }
        if self.files.len() == INITIAL_FILES_MAX {
            return Err(FilesError::TooMany { path });
        }
        let content = self.content(&path)?;
        let file = File {
            permissions,
            content,
        };
        self.files.insert(target, (path, file));
        Ok(())
    }

    fn folder(
        &mut self,
        folder: &Path,
        target: &str,
        permissions: FilePermissions,
    ) -> Result<(), FilesError> {
        let unreadable = |source| FilesError::Read {
            path: folder.to_owned(),
            source,
        };
        let mut names = fs::read_dir(folder)
            .and_then(|entries| {
                let entries =
                    entries.map(|entry| entry.and_then(|e| Ok((e.file_name(), e.file_type()?))));
                entries.collect::<Result<Vec<_>, _>>()
            })
            .map_err(unreadable)?;
        // The order of a directory is that of the file system; errors and reading follow this one.
        names.sort_by(|(one, _), (two, _)| one.cmp(two));
        for (name, kind) in names {
            let path = folder.join(&name);
            let Some(name) = name.to_str() else {
                return Err(FilesError::Name { path });
            };
            self.one(path, kind, format!("{target}/{name}"), permissions)?;
        }
        Ok(())
    }

    fn content(&mut self, path: &Path) -> Result<Vec<u8>, FilesError> {
        let unreadable = |source| FilesError::Read {
            path: path.to_owned(),
            source,
        };
        let too_large = || FilesError::TooLarge {
            path: path.to_owned(),
        };
        let left = (INITIAL_FILES_BYTES_MAX - self.bytes) as u64;
        if fs::metadata(path).map_err(unreadable)?.len() > left {
            return Err(too_large());
        }
        let content = fs::read(path).map_err(unreadable)?;
        // It may have grown meanwhile.
        if content.len() as u64 > left {
            return Err(too_large());
        }
        self.bytes += content.len();
        Ok(content)
    }
}

fn look(path: &Path) -> Result<FileType, FilesError> {
    match fs::symlink_metadata(path) {
        Ok(meta) => Ok(meta.file_type()),
        Err(source) => Err(FilesError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use golem_model::Coded as _;

    use super::*;

    fn source(root: &Path, path: &str, target: &str) -> Source {
        Source {
            root: root.to_owned(),
            path: path.into(),
            target: target.into(),
            permissions: FilePermissions::ReadOnly,
        }
    }

    fn project() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("assets/b.txt", "b"),
            ("assets/a/z.txt", "z"),
            ("assets/.hidden", ""),
            ("one.conf", "one"),
        ] {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }

    #[test]
    fn a_folder_is_taken_whole_and_the_order_of_sources_does_not_matter() {
        let dir = project();
        let folder = source(dir.path(), "assets", "/data");
        let mut conf = source(dir.path(), "one.conf", "/etc/one.conf");
        conf.permissions = FilePermissions::ReadWrite;
        let files = Files::read(&[folder.clone(), conf.clone()]).unwrap();
        assert_eq!(files, Files::read(&[conf, folder]).unwrap());
        let paths: Vec<&str> = files.0.keys().map(String::as_str).collect();
        assert_eq!(
            paths,
            [
                "/data/.hidden",
                "/data/a/z.txt",
                "/data/b.txt",
                "/etc/one.conf"
            ]
        );
        let mut there: Vec<InitialFile> = files
            .0
            .iter()
            .map(|(path, file)| InitialFile {
                key: sha256(&file.content),
                path: path.clone(),
                permissions: file.permissions,
                size: file.content.len() as u64,
            })
            .collect();
        there.reverse();
        assert!(files.are(&there));
        there[0].permissions = FilePermissions::ReadOnly;
        assert!(!files.are(&there), "permissions are compared");
        there.remove(0);
        assert!(!files.are(&there), "one less");
        let whole = Files::read(&[source(&dir.path().join("assets"), "", "")]).unwrap();
        assert!(whole.0.contains_key("/b.txt"));
    }

    #[test]
    fn what_cannot_be_an_initial_file_is_refused_with_its_path() {
        let dir = project();
        let root = dir.path();
        let refused = |sources: &[Source], code: &str, part: &str| {
            let error = Files::read(sources).unwrap_err();
            assert_eq!(error.code(), code, "{error}");
            assert!(error.to_string().contains(part), "{error}");
            assert!(error.hint().is_some());
        };
        refused(&[source(root, "gone", "/x")], "FIL-001", "gone");
        refused(&[source(root, "one.conf", "")], "FIL-004", "one.conf");
        let both = [
            source(root, "assets", "/d"),
            source(root, "one.conf", "/d/b.txt"),
        ];
        refused(&both, "FIL-005", "/d/b.txt");
        let large = fs::File::create(root.join("large")).unwrap();
        large.set_len(INITIAL_FILES_BYTES_MAX as u64).unwrap();
        let both = [source(root, "one.conf", "/a"), source(root, "large", "/b")];
        refused(&both, "FIL-007", "large");
        fs::create_dir(root.join("many")).unwrap();
        for number in 0..=INITIAL_FILES_MAX {
            fs::write(root.join(format!("many/{number}")), "").unwrap();
        }
        refused(&[source(root, "many", "/m")], "FIL-006", "many/");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_refused_wherever_they_stand() {
        use std::os::unix::ffi::OsStringExt as _;
        use std::os::unix::fs::symlink;
        let dir = project();
        let root = dir.path();
        let code = |path: &str| Files::read(&[source(root, path, "/x")]).unwrap_err().code();
        symlink("assets", root.join("link")).unwrap();
        assert_eq!(code("link"), "FIL-002");
        assert_eq!(code("link/b.txt"), "FIL-002");
        symlink("/etc/passwd", root.join("assets/a/passwd")).unwrap();
        assert_eq!(code("assets"), "FIL-002");
        fs::create_dir(root.join("odd")).unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(root.join("odd/socket")).unwrap();
        assert_eq!(code("odd"), "FIL-003");
        fs::create_dir(root.join("names")).unwrap();
        let name = std::ffi::OsString::from_vec(b"\xff".to_vec());
        fs::write(root.join("names").join(name), "").unwrap();
        assert_eq!(code("names"), "FIL-008");
    }

    #[test]
    fn the_flag_names_source_target_and_permissions() {
        let read = Source::from_flag("etc/app.conf:/etc/app.conf:read-write").unwrap();
        assert_eq!(read.whole(), Path::new("etc/app.conf"));
        assert_eq!(read.target, "/etc/app.conf");
        assert_eq!(read.permissions, FilePermissions::ReadWrite);
        let folder = Source::from_flag("..:/").unwrap();
        assert_eq!((folder.whole(), folder.target.as_str()), ("..".into(), ""));
        for wrong in ["a", ":/a", "a:b", "a:/../b", "a:/b:write", "a:/b//c"] {
            let why = Source::from_flag(wrong);
            if wrong == "a:/b:write" {
                // A colon is a letter like others in a path of a worker.
                assert_eq!(why.unwrap().target, "/b:write");
            } else {
                assert!(why.unwrap_err().contains("SOURCE:/TARGET"), "{wrong}");
            }
        }
    }
}
