// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / tree: what is in the tree of a worker's files and how it changes. Numbers of nodes, order of entries, times
//! and quota are functions of what the guest did, so a replay makes the same tree. In: paths, bytes. Out: attributes,
//! bytes, faults. Bound: [`BYTES_MAX`], [`NODES_MAX`]. Read next: `path.rs`, `../filesystem.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

use super::content::{Content, Spill};
use super::path::{Place, resolve};

/// Most bytes of all files of a worker. Source: reliability spec §5 (disk 1 GiB).
pub(crate) const BYTES_MAX: u64 = 1 << 30;
/// Most files, directories and links of a worker: about 5 MB of attributes.
pub(crate) const NODES_MAX: usize = 16 << 10;
/// Number of the root.
pub(super) const ROOT: u64 = 1;

/// Why something does not go.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The guest hears this.
    Code(ErrorCode),
    /// The machine failed: the guest never hears of it, because a replay could not repeat it.
    Machine(std::io::Error),
}

impl From<ErrorCode> for Fault {
    fn from(code: ErrorCode) -> Self {
        Self::Code(code)
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::Machine(error)
    }
}

#[derive(Debug)]
pub(super) enum Kind {
    File(Content),
    Directory(BTreeMap<String, u64>),
    Link(String),
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// An initial file that the guest must leave as it is.
    pub(super) read_only: bool,
    pub(super) links: u64,
    /// Descriptors and streams on it: it stays while there are some, also without a name.
    pub(super) open: u64,
    pub(super) accessed: u64,
    pub(super) modified: u64,
    pub(super) changed: u64,
}

/// What `stat` tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attributes {
    /// Number of the node: its identity.
    pub(crate) id: u64,
    /// It is a directory.
    pub(crate) directory: bool,
    /// It is a link.
    pub(crate) link: bool,
    /// The guest cannot change it.
    pub(crate) read_only: bool,
    /// Names that it has.
    pub(crate) links: u64,
    /// Bytes.
    pub(crate) size: u64,
    /// Nanoseconds since 1970.
    pub(crate) accessed: u64,
    /// Nanoseconds since 1970.
    pub(crate) modified: u64,
    /// Nanoseconds since 1970.
    pub(crate) changed: u64,
}

/// A time to set.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SetTime {
    /// As it is.
    Keep,
    /// The clock of the guest.
    Now,
    /// Nanoseconds since 1970.
    To(u64),
}

/// The tree.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) nodes: BTreeMap<u64, Node>,
    pub(super) next: u64,
    pub(super) bytes: u64,
    /// The clock of the guest, as far as it has told us.
    pub(super) now: u64,
    /// Something was changed since the worker began.
    pub(super) touched: bool,
    pub(super) spill: Arc<Spill>,
}

/// The files of one worker. Clones are the same files.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    tree: Arc<Mutex<Tree>>,
}

/// An open file or directory. It keeps the node, also when its last name is removed.
#[derive(Debug)]
pub(crate) struct Opened {
    files: Files,
    id: u64,
}

impl Drop for Opened {
    fn drop(&mut self) {
        let mut tree = self.files.tree.lock();
        if let Some(node) = tree.nodes.get_mut(&self.id) {
            node.open -= 1;
        }
        tree.forget(self.id);
    }
}

impl Tree {
    pub(super) fn node(&self, id: u64) -> Result<&Node, Fault> {
        Ok(self.nodes.get(&id).ok_or(ErrorCode::BadDescriptor)?)
    }

    fn node_mut(&mut self, id: u64) -> Result<&mut Node, Fault> {
        Ok(self.nodes.get_mut(&id).ok_or(ErrorCode::BadDescriptor)?)
    }

    pub(super) fn entries(&self, id: u64) -> Result<&BTreeMap<String, u64>, Fault> {
        match &self.node(id)?.kind {
            Kind::Directory(entries) => Ok(entries),
            _ => Err(ErrorCode::NotDirectory.into()),
        }
    }

    /// Entries of a directory that change now.
    fn change(&mut self, id: u64) -> Result<&mut BTreeMap<String, u64>, Fault> {
        let now = self.now;
        self.touched = true;
        let node = self.node_mut(id)?;
        if node.links == 0 {
            return Err(ErrorCode::NoEntry.into());
        }
        node.modified = now;
        node.changed = now;
        match &mut node.kind {
            Kind::Directory(entries) => Ok(entries),
            _ => Err(ErrorCode::NotDirectory.into()),
        }
    }

    /// A new node with one name.
    fn add(&mut self, directory: u64, name: &str, kind: Kind) -> Result<u64, Fault> {
        if self.nodes.len() >= NODES_MAX {
            return Err(ErrorCode::Quota.into());
        }
        let id = self.next;
        self.change(directory)?.insert(name.to_owned(), id);
        self.next += 1;
        let now = self.now;
        let node = Node {
            kind,
            read_only: false,
            links: 1,
            open: 0,
            accessed: now,
            modified: now,
            changed: now,
        };
        self.nodes.insert(id, node);
        Ok(id)
    }

    /// Takes a name away.
    fn remove(&mut self, directory: u64, name: &str) -> Result<(), Fault> {
        let id = self
            .change(directory)?
            .remove(name)
            .ok_or(ErrorCode::NoEntry)?;
        let now = self.now;
        let node = self.node_mut(id)?;
        node.links = node.links.saturating_sub(1);
        node.changed = now;
        self.forget(id);
        Ok(())
    }

    /// Frees a node that has no name and is not open.
    fn forget(&mut self, id: u64) {
        if let Some(node) = self.nodes.get(&id)
            && node.links == 0
            && node.open == 0
        {
            if let Kind::File(content) = &node.kind {
                self.bytes = self.bytes.saturating_sub(content.size());
            }
            self.nodes.remove(&id);
        }
    }

    fn content(&self, id: u64) -> Result<&Content, Fault> {
        match &self.node(id)?.kind {
            Kind::File(content) => Ok(content),
            Kind::Directory(_) => Err(ErrorCode::IsDirectory.into()),
            Kind::Link(_) => Err(ErrorCode::Loop.into()),
        }
    }

    /// Changes a content, with the quota checked for its new size.
    fn edit(
        &mut self,
        id: u64,
        size: u64,
        edit: impl FnOnce(&mut Content, &Arc<Spill>) -> std::io::Result<()>,
    ) -> Result<(), Fault> {
        let old = self.content(id)?.size();
        let bytes = (self.bytes - old).saturating_add(size);
        if bytes > BYTES_MAX && size > old {
            return Err(ErrorCode::Quota.into());
        }
        let (now, spill) = (self.now, Arc::clone(&self.spill));
        self.touched = true;
        let node = self.node_mut(id)?;
        node.modified = now;
        node.changed = now;
        if let Kind::File(content) = &mut node.kind {
            edit(content, &spill)?;
        }
        self.bytes = bytes;
        Ok(())
    }

    fn attributes(&self, id: u64) -> Result<Attributes, Fault> {
        let node = self.node(id)?;
        Ok(Attributes {
            id,
            directory: matches!(node.kind, Kind::Directory(_)),
            link: matches!(node.kind, Kind::Link(_)),
            read_only: node.read_only,
            links: node.links,
            size: match &node.kind {
                Kind::File(content) => content.size(),
                Kind::Link(target) => target.len() as u64,
                Kind::Directory(_) => 0,
            },
            accessed: node.accessed,
            modified: node.modified,
            changed: node.changed,
        })
    }

    /// Whether `inner` is `outer` or somewhere below it.
    fn is_below(&self, inner: u64, outer: u64) -> bool {
        let mut left = vec![outer];
        while let Some(id) = left.pop() {
            if id == inner {
                return true;
            }
            left.extend(self.entries(id).into_iter().flat_map(BTreeMap::values));
        }
        false
    }

    /// Refuses to change an initial file that is read-only, or to move it with the directories above it. The code is the one
    /// that guests of 1.1 hear.
    fn changeable(&self, id: u64) -> Result<(), Fault> {
        let mut left = vec![id];
        while let Some(id) = left.pop() {
            let node = self.node(id)?;
            if node.read_only {
                return Err(ErrorCode::NotPermitted.into());
            }
            if let Kind::Directory(entries) = &node.kind {
                left.extend(entries.values());
            }
        }
        Ok(())
    }

    fn set_times(&mut self, id: u64, accessed: SetTime, modified: SetTime) -> Result<(), Fault> {
        if self.node(id)?.read_only {
            return Err(ErrorCode::NotPermitted.into());
        }
        let now = self.now;
        self.touched = true;
        let node = self.node_mut(id)?;
        for (time, set) in [
            (&mut node.accessed, accessed),
            (&mut node.modified, modified),
        ] {
            match set {
                SetTime::Keep => {}
                SetTime::Now => *time = now,
                SetTime::To(moment) => *time = moment,
            }
        }
        node.changed = now;
        Ok(())
    }
}

/// How a path is opened.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OpenWith {
    pub(crate) follow: bool,
    pub(crate) create: bool,
    pub(crate) exclusive: bool,
    pub(crate) truncate: bool,
    pub(crate) directory: bool,
    /// It will be written to.
    pub(crate) write: bool,
}

impl Files {
    /// An empty tree whose large contents are in `spill`.
    pub(crate) fn new(spill: Arc<Spill>) -> Self {
        let root = Node {
            kind: Kind::Directory(BTreeMap::new()),
            read_only: false,
            links: 1,
            open: 0,
            accessed: 0,
            modified: 0,
            changed: 0,
        };
        Self {
            tree: Arc::new(Mutex::new(Tree {
                nodes: BTreeMap::from([(ROOT, root)]),
                next: ROOT + 1,
                bytes: 0,
                now: 0,
                touched: false,
                spill,
            })),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Tree> {
        self.tree.lock()
    }

    /// Tells the clock of the guest: what happens from here on happens at this moment.
    pub(crate) fn at(&self, now: u64) {
        let mut tree = self.lock();
        tree.now = tree.now.max(now);
    }

    fn opened(&self, tree: &mut Tree, id: u64) -> Result<Arc<Opened>, Fault> {
        tree.node_mut(id)?.open += 1;
        Ok(Arc::new(Opened {
            files: self.clone(),
            id,
        }))
    }

    /// The root, open.
    pub(crate) fn root(&self) -> Result<Arc<Opened>, Fault> {
        self.opened(&mut self.lock(), ROOT)
    }
}

impl Opened {
    fn lock(&self) -> MutexGuard<'_, Tree> {
        self.files.tree.lock()
    }

    fn place(&self, tree: &Tree, path: &str, follow: bool) -> Result<Place, Fault> {
        resolve(tree, self.id, path, follow)
    }

    /// Whether both are the same file.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.id == other.id
    }

    /// Its attributes.
    pub(crate) fn attributes(&self) -> Result<Attributes, Fault> {
        self.lock().attributes(self.id)
    }

    /// Attributes of what a path leads to.
    pub(crate) fn attributes_at(&self, path: &str, follow: bool) -> Result<Attributes, Fault> {
        let tree = self.lock();
        let id = self.place(&tree, path, follow)?.existing(&tree)?;
        tree.attributes(id)
    }

    /// Up to `len` bytes from `offset` on.
    pub(crate) fn read(&self, offset: u64, len: u64) -> Result<Vec<u8>, Fault> {
        Ok(self.lock().content(self.id)?.read(offset, len)?)
    }

    /// Writes all of `bytes` at `offset`, or nothing.
    pub(crate) fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), Fault> {
        let mut tree = self.lock();
        let end = offset.saturating_add(bytes.len() as u64);
        let size = tree.content(self.id)?.size().max(end);
        tree.edit(self.id, size, |content, spill| {
            content.write(spill, offset, bytes)
        })
    }

    /// Writes all of `bytes` at the end, or nothing.
    pub(crate) fn append(&self, bytes: &[u8]) -> Result<(), Fault> {
        let size = self.lock().content(self.id)?.size();
        self.write(size, bytes)
    }

    /// Sets the size.
    pub(crate) fn set_size(&self, size: u64) -> Result<(), Fault> {
        self.lock()
            .edit(self.id, size, |content, spill| content.resize(spill, size))
    }

    /// Sets its times.
    pub(crate) fn set_times(&self, accessed: SetTime, modified: SetTime) -> Result<(), Fault> {
        self.lock().set_times(self.id, accessed, modified)
    }

    /// Sets the times of what a path leads to.
    pub(crate) fn set_times_at(
        &self,
        path: &str,
        follow: bool,
        accessed: SetTime,
        modified: SetTime,
    ) -> Result<(), Fault> {
        let mut tree = self.lock();
        let id = self.place(&tree, path, follow)?.existing(&tree)?;
        tree.set_times(id, accessed, modified)
    }

    /// Names and attributes of a directory's entries, by name.
    pub(crate) fn list(&self) -> Result<Vec<(String, Attributes)>, Fault> {
        let tree = self.lock();
        tree.entries(self.id)?
            .iter()
            .map(|(name, id)| Ok((name.clone(), tree.attributes(*id)?)))
            .collect()
    }

    /// Opens what a path leads to, or makes it.
    pub(crate) fn open(&self, path: &str, with: OpenWith) -> Result<Arc<Self>, Fault> {
        let mut tree = self.lock();
        let place = self.place(&tree, path, with.follow)?;
        let Some(found) = place.found else {
            if !with.create {
                return Err(ErrorCode::NoEntry.into());
            }
            if place.must_be_directory || with.directory {
                return Err(ErrorCode::IsDirectory.into());
            }
            let name = place.entry(ErrorCode::Exist)?;
            let id = tree.add(place.directory, name, Kind::File(Content::default()))?;
            return self.files.opened(&mut tree, id);
        };
        if with.create && with.exclusive {
            return Err(ErrorCode::Exist.into());
        }
        match &tree.node(found)?.kind {
            Kind::Link(_) => return Err(ErrorCode::Loop.into()),
            Kind::Directory(_) if with.write || with.truncate || with.create => {
                return Err(ErrorCode::IsDirectory.into());
            }
            Kind::File(_) if with.directory || place.must_be_directory => {
                return Err(ErrorCode::NotDirectory.into());
            }
            Kind::File(_) if with.write || with.truncate => tree.changeable(found)?,
            _ => {}
        }
        if with.truncate {
            tree.edit(found, 0, |content, spill| content.resize(spill, 0))?;
        }
        self.files.opened(&mut tree, found)
    }

    /// Makes a directory.
    pub(crate) fn create_directory(&self, path: &str) -> Result<(), Fault> {
        let mut tree = self.lock();
        let place = self.place(&tree, path, false)?;
        if place.found.is_some() {
            return Err(ErrorCode::Exist.into());
        }
        let name = place.entry(ErrorCode::Exist)?;
        tree.add(place.directory, name, Kind::Directory(BTreeMap::new()))?;
        Ok(())
    }

    /// Removes an empty directory.
    pub(crate) fn remove_directory(&self, path: &str) -> Result<(), Fault> {
        let mut tree = self.lock();
        let place = self.place(&tree, path, false)?;
        let found = place.found.ok_or(ErrorCode::NoEntry)?;
        if !tree.entries(found)?.is_empty() {
            return Err(ErrorCode::NotEmpty.into());
        }
        let name = place.entry(ErrorCode::Invalid)?;
        tree.remove(place.directory, name)
    }

    /// Removes a name of a file or a link.
    pub(crate) fn unlink(&self, path: &str) -> Result<(), Fault> {
        let mut tree = self.lock();
        let place = self.place(&tree, path, false)?;
        let found = place.existing(&tree)?;
        if tree.entries(found).is_ok() {
            return Err(ErrorCode::IsDirectory.into());
        }
        tree.changeable(found)?;
        let name = place.entry(ErrorCode::IsDirectory)?;
        tree.remove(place.directory, name)
    }

    /// Gives a file a second name.
    pub(crate) fn link(
        &self,
        path: &str,
        follow: bool,
        target: &Self,
        new_path: &str,
    ) -> Result<(), Fault> {
        let mut tree = self.lock();
        let found = self.place(&tree, path, follow)?.existing(&tree)?;
        if tree.entries(found).is_ok() {
            return Err(ErrorCode::NotPermitted.into());
        }
        let place = target.place(&tree, new_path, false)?;
        if place.found.is_some() {
            return Err(ErrorCode::Exist.into());
        }
        let name = place.entry(ErrorCode::Exist)?.to_owned();
        tree.change(place.directory)?.insert(name, found);
        let now = tree.now;
        let node = tree.node_mut(found)?;
        node.links += 1;
        node.changed = now;
        Ok(())
    }

    /// Makes a link to a path.
    pub(crate) fn symlink(&self, target: &str, path: &str) -> Result<(), Fault> {
        if target.is_empty() || target.starts_with('/') {
            // What is not below the directory could never be followed.
            return Err(if target.is_empty() {
                ErrorCode::NoEntry.into()
            } else {
                ErrorCode::NotPermitted.into()
            });
        }
        let mut tree = self.lock();
        let place = self.place(&tree, path, false)?;
        if place.found.is_some() {
            return Err(ErrorCode::Exist.into());
        }
        let name = place.entry(ErrorCode::Exist)?;
        tree.add(place.directory, name, Kind::Link(target.to_owned()))?;
        Ok(())
    }

    /// Where a link points to.
    pub(crate) fn read_link(&self, path: &str) -> Result<String, Fault> {
        let tree = self.lock();
        let id = self.place(&tree, path, false)?.existing(&tree)?;
        match &tree.node(id)?.kind {
            Kind::Link(target) => Ok(target.clone()),
            _ => Err(ErrorCode::Invalid.into()),
        }
    }

    /// Renames, over a file or an empty directory if one is there.
    pub(crate) fn rename(&self, path: &str, target: &Self, new_path: &str) -> Result<(), Fault> {
        let mut tree = self.lock();
        let from = self.place(&tree, path, false)?;
        let moved = from.existing(&tree)?;
        let is_directory = tree.entries(moved).is_ok();
        let to = target.place(&tree, new_path, false)?;
        let old_name = from.entry(ErrorCode::Busy)?.to_owned();
        let new_name = to.entry(ErrorCode::Busy)?.to_owned();
        tree.changeable(moved)?;
        if is_directory && tree.is_below(to.directory, moved) {
            return Err(ErrorCode::Invalid.into());
        }
        if let Some(there) = to.found {
            if there == moved {
                return Ok(());
            }
            tree.changeable(there)?;
            match tree.entries(there) {
                Ok(_) if !is_directory => return Err(ErrorCode::IsDirectory.into()),
                Ok(entries) if !entries.is_empty() => return Err(ErrorCode::NotEmpty.into()),
                Err(_) if is_directory => return Err(ErrorCode::NotDirectory.into()),
                _ => {}
            }
            tree.remove(to.directory, &new_name)?;
        } else if to.must_be_directory && !is_directory {
            return Err(ErrorCode::NotDirectory.into());
        }
        tree.change(to.directory)?.insert(new_name, moved);
        tree.change(from.directory)?.remove(&old_name);
        let now = tree.now;
        tree.node_mut(moved)?.changed = now;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
