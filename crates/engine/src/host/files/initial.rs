// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / initial: the files that every worker of a component version starts with. In: what the catalogue says of them.
//! Out: the same nodes in every tree of the version, with contents that all trees share until a worker changes them.
//! Never recorded: they are a constant of the version. Read next: `tree.rs`. Source: client spec §6.6.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use golem_model::component::{FilePermissions, InitialFile};
use golem_storage::Blobs;

use super::content::Content;
use super::tree::{Files, Kind, Node, ROOT, Tree};
use crate::host::durable::input_hash;

/// Numbers of nodes that a worker has from the start have this bit, so that they do not depend on each other: the nodes that a
/// guest makes get the same numbers whatever files its version has.
const INITIAL_BIT: u64 = 1 << 62;

/// The content of one initial file: a blob, which is compared with its name before it is read for the first time.
#[derive(Debug)]
pub(crate) struct InitialContent {
    /// SHA-256, hex.
    pub(super) key: String,
    /// Bytes.
    pub(super) size: u64,
    blobs: Arc<Blobs>,
    file: OnceLock<PathBuf>,
}

impl InitialContent {
    /// Up to `len` bytes from `offset` on; none at the end. Errors: of the machine, also when the blob is damaged.
    pub(super) fn read(&self, offset: u64, len: u64) -> io::Result<Vec<u8>> {
        let len = len.min(self.size.saturating_sub(offset));
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
        File::open(self.file()?)?.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }

    fn file(&self) -> io::Result<&PathBuf> {
        if self.file.get().is_none() {
            let found = self.blobs.file(&self.key).map_err(io::Error::other)?;
            // Whoever comes second has found the same.
            let _ = self.file.set(found);
        }
        self.file
            .get()
            .ok_or_else(|| io::Error::other("the path was not kept"))
    }
}

/// The initial files of a component version.
#[derive(Debug, Default)]
pub(crate) struct InitialFiles(Vec<(String, bool, Arc<InitialContent>)>);

impl InitialFiles {
    /// Those of `files`, whose contents are in `blobs`. Nothing is read yet.
    pub(crate) fn new(files: &[InitialFile], blobs: &Arc<Blobs>) -> Self {
        let mut all: Vec<_> = files
            .iter()
            .map(|file| {
                let content = InitialContent {
                    key: file.key.clone(),
                    size: file.size,
                    blobs: Arc::clone(blobs),
                    file: OnceLock::new(),
                };
                let read_only = file.permissions == FilePermissions::ReadOnly;
                (file.path.clone(), read_only, Arc::new(content))
            })
            .collect();
        // In one order, whatever the archive had: two paths whose hashes meet get the same numbers each time.
        all.sort_by(|(one, ..), (other, ..)| one.cmp(other));
        Self(all)
    }
}

impl Files {
    /// Puts the initial files into an empty tree. Their moments are those of the root: the beginning of time, because a later
    /// version may bring other files, and what it leaves as it was must look as it did.
    pub(crate) fn begin(&self, initial: &InitialFiles) {
        let mut tree = self.lock();
        for (path, read_only, content) in &initial.0 {
            tree.bytes = tree.bytes.saturating_add(content.size);
            let mut directory = ROOT;
            let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
            let mut so_far = String::new();
            for part in above.split('/').filter(|part| !part.is_empty()) {
                so_far.push('/');
                so_far.push_str(part);
                let kind = || Kind::Directory(BTreeMap::new());
                directory = tree.initial_node(directory, part, &so_far, false, kind);
            }
            let kind = || Kind::File(Content::Initial(Arc::clone(content)));
            tree.initial_node(directory, name, path, *read_only, kind);
        }
    }

    /// Contents of initial files that are in the tree, by their keys.
    pub(super) fn initial_contents(tree: &Tree) -> BTreeMap<String, Arc<InitialContent>> {
        let contents = tree.nodes.values().filter_map(|node| match &node.kind {
            Kind::File(Content::Initial(content)) => {
                Some((content.key.clone(), Arc::clone(content)))
            }
            _ => None,
        });
        contents.collect()
    }
}

impl Tree {
    /// The node of an initial file or directory, made if it is not there.
    fn initial_node(
        &mut self,
        directory: u64,
        name: &str,
        path: &str,
        read_only: bool,
        kind: impl FnOnce() -> Kind,
    ) -> u64 {
        let there = self.entries(directory).ok();
        if let Some(id) = there.and_then(|entries| entries.get(name)) {
            return *id;
        }
        let mut id = INITIAL_BIT | (input_hash(&[path.as_bytes()]) >> 2);
        while self.nodes.contains_key(&id) {
            id += 1;
        }
        if let Some(Node {
            kind: Kind::Directory(entries),
            ..
        }) = self.nodes.get_mut(&directory)
        {
            entries.insert(name.to_owned(), id);
        }
        let node = Node {
            kind: kind(),
            read_only,
            links: 1,
            open: 0,
            accessed: 0,
            modified: 0,
            changed: 0,
        };
        self.nodes.insert(id, node);
        id
    }
}

#[cfg(test)]
mod tests {
    use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

    use super::super::{Fault, OpenWith, SetTime, Spill};
    use super::*;

    struct Gym {
        dir: tempfile::TempDir,
        blobs: Arc<Blobs>,
        initial: InitialFiles,
    }

    impl Gym {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let blobs = Arc::new(Blobs::open(dir.path().join("blobs")).unwrap());
            let large = vec![7; 200 << 10];
            let file = |path: &str, content: &[u8], permissions| InitialFile {
                key: blobs.put(content).unwrap(),
                path: path.into(),
                permissions,
                size: content.len() as u64,
            };
            let files = [
                file("/etc/app/notes", b"as given", FilePermissions::ReadWrite),
                file("/etc/app.conf", b"read me", FilePermissions::ReadOnly),
                file("/large", &large, FilePermissions::ReadWrite),
            ];
            let initial = InitialFiles::new(&files, &blobs);
            Self {
                dir,
                blobs,
                initial,
            }
        }

        fn tree(&self) -> Files {
            let spill = Spill::open(self.dir.path().join("files")).unwrap();
            let files = Files::new(Arc::new(spill));
            files.begin(&self.initial);
            files
        }
    }

    const READ: OpenWith = OpenWith {
        follow: true,
        create: false,
        exclusive: false,
        truncate: false,
        directory: false,
        write: false,
    };
    const WRITE: OpenWith = OpenWith {
        write: true,
        ..READ
    };

    fn refused<T: std::fmt::Debug>(result: Result<T, Fault>) {
        assert!(
            matches!(result, Err(Fault::Code(ErrorCode::NotPermitted))),
            "{result:?}"
        );
    }

    #[test]
    fn what_a_worker_writes_is_its_own() {
        let gym = Gym::new();
        let (one, other) = (gym.tree(), gym.tree());
        let root = one.root().unwrap();
        let file = root.open("etc/app/notes", WRITE).unwrap();
        assert!(one.are_untouched());
        file.write(3, b"taken").unwrap();
        assert_eq!(file.read(0, 100).unwrap(), b"as taken");
        assert!(!one.are_untouched());
        let large = root.open("large", WRITE).unwrap();
        large.append(b"x").unwrap();
        assert_eq!(large.read((200 << 10) - 1, 9).unwrap(), [7, b'x']);
        let file = other.root().unwrap().open("etc/app/notes", READ).unwrap();
        assert_eq!(file.read(0, 100).unwrap(), b"as given");
        file.set_size(2).unwrap();
        assert_eq!(file.read(0, 100).unwrap(), b"as");
    }

    #[test]
    fn a_read_only_file_stays_as_and_where_it_is() {
        let gym = Gym::new();
        let files = gym.tree();
        let root = files.root().unwrap();
        let conf = root.open("etc/app.conf", READ).unwrap();
        assert_eq!(conf.read(0, 100).unwrap(), b"read me");
        assert!(conf.attributes().unwrap().read_only);
        refused(root.open("etc/app.conf", WRITE));
        let truncate = OpenWith {
            truncate: true,
            ..READ
        };
        refused(root.open("etc/app.conf", truncate));
        refused(root.unlink("etc/app.conf"));
        refused(root.rename("etc/app.conf", &root, "mine"));
        refused(root.rename("etc/app/notes", &root, "etc/app.conf"));
        refused(root.rename("etc", &root, "mine"));
        refused(conf.set_times(SetTime::Now, SetTime::Keep));
        refused(root.set_times_at("etc/app.conf", true, SetTime::Now, SetTime::Keep));
        assert!(files.are_untouched());
        // What stands beside it is the worker's.
        root.rename("etc/app", &root, "mine").unwrap();
        root.unlink("mine/notes").unwrap();
        root.remove_directory("mine").unwrap();
    }

    #[test]
    fn the_nodes_of_a_guest_have_the_numbers_that_they_would_have_without() {
        let gym = Gym::new();
        let create = OpenWith {
            create: true,
            ..WRITE
        };
        let made = |files: &Files| {
            let root = files.root().unwrap();
            root.open("mine", create).unwrap().attributes().unwrap().id
        };
        let spill = Spill::open(gym.dir.path().join("files")).unwrap();
        assert_eq!(made(&gym.tree()), made(&Files::new(Arc::new(spill))));
        let id = |files: &Files| {
            let root = files.root().unwrap();
            root.attributes_at("etc/app.conf", true).unwrap().id
        };
        assert_eq!(id(&gym.tree()), id(&gym.tree()));
    }

    #[test]
    fn an_archive_names_initial_contents_and_needs_them() {
        let gym = Gym::new();
        let files = gym.tree();
        let root = files.root().unwrap();
        root.unlink("etc/app/notes").unwrap();
        let archive = files.archive().unwrap().unwrap();
        assert!(archive.len() < 1000, "{}", archive.len());
        let copy = gym.tree();
        assert!(copy.unpack(&archive).unwrap());
        let root = copy.root().unwrap();
        assert!(root.attributes_at("etc/app/notes", true).is_err());
        let conf = root.open("etc/app.conf", READ).unwrap();
        assert_eq!(conf.read(0, 100).unwrap(), b"read me");
        refused(root.unlink("etc/app.conf"));
        // The version of the component has other files than the archive.
        let none = InitialFiles::new(&[], &gym.blobs);
        let spill = Spill::open(gym.dir.path().join("files")).unwrap();
        let other = Files::new(Arc::new(spill));
        other.begin(&none);
        assert!(!other.unpack(&archive).unwrap());
    }

    #[test]
    fn a_damaged_content_is_never_read() {
        let gym = Gym::new();
        let hash = gym.blobs.put(b"read me").unwrap();
        std::fs::write(gym.dir.path().join("blobs").join(hash), b"other").unwrap();
        let conf = gym.tree().root().unwrap().open("etc/app.conf", READ);
        let read = conf.unwrap().read(0, 100);
        assert!(matches!(read, Err(Fault::Machine(_))), "{read:?}");
    }
}
