// SPDX-License-Identifier: Apache-2.0
//! THE GYM / disk: what a disk may hold after a power cut. In: the journal of `preload/faults.c`, a point in it, a seed. Out: a
//! directory. Promises only what a sync promises: the content of a file up to the last sync of that file, the names in a
//! directory up to the last sync of that directory; what came later is kept, dropped, torn or reordered as the seed says.
//! Bound: the journal is in memory. Read next: `preload.rs`. Source: reliability spec F3.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::Random;

/// First bytes of every record.
const MAGIC: u32 = 0x4a46_4c47;
/// Bytes of a record before its paths and data.
const HEAD: usize = 48;
/// What a disk writes at once.
const SECTOR: usize = 512;

/// Everything that a program did to its data directory, in order, from an empty one on.
pub struct History {
    root: PathBuf,
    records: Vec<Record>,
}

struct Record {
    /// Bytes of the journal up to the end of the record.
    end: u64,
    change: Change,
}

enum Change {
    Create { path: PathBuf, inode: u64 },
    Open { path: PathBuf, inode: u64 },
    Truncate { inode: u64, bytes: u64 },
    Write { inode: u64, at: u64, data: Vec<u8> },
    Rename { from: PathBuf, to: PathBuf },
    Remove { path: PathBuf },
    Mkdir { path: PathBuf },
    SyncBegin { inode: u64, id: u64, path: PathBuf },
    SyncEnd { id: u64 },
}

/// What happens to changes that no sync has made durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsynced {
    /// All are lost.
    Dropped,
    /// All have reached the disk.
    Kept,
    /// Some have: for each file and directory those up to some moment.
    Prefix,
    /// Any of them have, in any order; of a write any sectors. Names are kept up to some moment: disks order those.
    Torn,
}

/// A power cut.
#[derive(Debug, Clone)]
pub struct Cut {
    /// Bytes of the journal that happened before it.
    pub position: u64,
    /// Repeats the choices.
    pub seed: u64,
    /// Contents of files.
    pub contents: Unsynced,
    /// Names in directories.
    pub names: Unsynced,
}

impl Cut {
    /// A power cut at `position`, with everything else chosen by `random`.
    pub fn random(position: u64, random: &mut Random) -> Self {
        let mut any = |of: &[Unsynced]| {
            let at = usize::try_from(random.below(of.len() as u64)).unwrap_or(0);
            of.get(at).copied().unwrap_or(Unsynced::Dropped)
        };
        use Unsynced::{Dropped, Kept, Prefix, Torn};
        let (contents, names) = (
            any(&[Dropped, Dropped, Kept, Prefix, Torn, Torn, Torn]),
            any(&[Dropped, Kept, Prefix]),
        );
        Self {
            position,
            seed: random.below(u64::MAX),
            contents,
            names,
        }
    }
}

impl History {
    /// Reads the journal of what happened below `root`, which was empty at its beginning. A record that is not whole at its end,
    /// where the program was killed, does not count. Errors: the journal cannot be read, or tells of a way to change files that
    /// the model does not know.
    pub fn read(journal: &Path, root: &Path) -> Result<Self> {
        let bytes = fs::read(journal)?;
        let mut records = Vec::new();
        let mut at = 0;
        while let Some(head) = bytes.get(at..).and_then(|rest| rest.first_chunk::<HEAD>()) {
            let number = |from: usize, count: usize| {
                let part = head.iter().skip(from).take(count).rev();
                part.fold(0_u64, |value, byte| value << 8 | u64::from(*byte))
            };
            ensure!(
                number(0, 4) == u64::from(MAGIC),
                "no record at byte {at} of the journal"
            );
            let (kind, inode, value) = (number(4, 4), number(8, 8), number(16, 8));
            let mut from = at + HEAD;
            let mut part = |length: u64| {
                let to = from + usize::try_from(length).ok()?;
                let part = bytes.get(from..to)?;
                from = to;
                Some(part)
            };
            let parts = (
                part(number(24, 8)),
                part(number(32, 8)),
                part(number(40, 8)),
            );
            let (Some(path), Some(path2), Some(data)) = parts else {
                break;
            };
            let name = |bytes: &[u8]| PathBuf::from(String::from_utf8_lossy(bytes).into_owned());
            let (path, path2, data) = (name(path), name(path2), data.to_vec());
            at = from;
            let change = match kind {
                1 => Change::Create { path, inode },
                2 => Change::Open { path, inode },
                3 => Change::Truncate {
                    inode,
                    bytes: value,
                },
                4 => Change::Write {
                    inode,
                    at: value,
                    data,
                },
                5 => Change::Rename {
                    from: path,
                    to: path2,
                },
                6 | 7 => Change::Remove { path },
                8 => Change::Mkdir { path },
                10 => Change::SyncBegin {
                    inode,
                    id: value,
                    path,
                },
                11 => Change::SyncEnd { id: value },
                _ => bail!(
                    "the program changes files in a way that the model of the disk does not know: record of kind {kind}, \
                     system call {value}, {}",
                    path.display()
                ),
            };
            records.push(Record {
                end: at as u64,
                change,
            });
        }
        Ok(Self {
            root: root.canonicalize()?,
            records,
        })
    }

    /// Number of changes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether nothing was changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes of the journal up to the end of the `n`-th record; 0 where there is none.
    #[must_use]
    pub fn position(&self, n: usize) -> u64 {
        self.records.get(n).map_or(0, |record| record.end)
    }

    /// The same history of a program that does not sync files of one extension: a test that does not notice it proves nothing.
    #[must_use]
    pub fn without_syncs_of(mut self, extension: &str) -> Self {
        let mut dropped = HashMap::new();
        self.records.retain(|record| match &record.change {
            Change::SyncBegin { id, path, .. } => {
                let is_one = path.extension().is_some_and(|found| found == extension);
                dropped.insert(*id, is_one);
                true
            }
            Change::SyncEnd { id } => dropped.get(id) != Some(&true),
            _ => true,
        });
        self
    }

    /// Makes the directory `target` as a disk may hold it after `cut`. Returns how many changes no sync had made durable.
    pub fn image(&self, cut: &Cut, target: &Path) -> Result<usize> {
        let mut disk = Disk::new(self.root.clone());
        for (number, record) in self.records.iter().enumerate() {
            if record.end > cut.position {
                break;
            }
            disk.apply(number, &record.change)
                .with_context(|| format!("record {number} of the journal"))?;
        }
        let mut random = Random::new(cut.seed);
        let pending = disk.pending();
        fs::create_dir_all(target)?;
        disk.write(disk.root_id, cut, &mut random, target)?;
        Ok(pending)
    }
}

/// What a file holds: `written`, then zeros up to `bytes`.
#[derive(Debug, Clone, Default)]
struct Content {
    bytes: u64,
    written: Vec<u8>,
}

impl Content {
    fn write(&mut self, at: u64, data: &[u8]) {
        let start = usize::try_from(at).unwrap_or(usize::MAX);
        let end = start.saturating_add(data.len());
        if self.written.len() < end {
            self.written.resize(end, 0);
        }
        if let Some(part) = self.written.get_mut(start..end) {
            part.copy_from_slice(data);
        }
        self.bytes = self.bytes.max(end as u64);
    }

    fn truncate(&mut self, bytes: u64) {
        self.bytes = bytes;
        self.written
            .truncate(usize::try_from(bytes).unwrap_or(usize::MAX));
    }
}

#[derive(Clone)]
enum Edit {
    Write { at: u64, data: Vec<u8> },
    Truncate(u64),
}

#[derive(Clone)]
enum Naming {
    Add(String, usize),
    Remove(String),
    Move(String, String, usize),
}

/// A file or a directory: what is durable, and what came since with the number of its record.
enum Node {
    File {
        durable: Content,
        pending: Vec<(usize, Edit)>,
    },
    Dir {
        durable: BTreeMap<String, usize>,
        pending: Vec<(usize, Naming)>,
    },
}

/// The disk while the journal is read.
struct Disk {
    root_id: usize,
    nodes: Vec<Node>,
    /// What the program sees.
    live: HashMap<PathBuf, usize>,
    inodes: HashMap<u64, usize>,
    /// Syncs that have begun: what of, and after which record.
    syncs: HashMap<u64, (usize, usize)>,
}

impl Disk {
    fn new(root: PathBuf) -> Self {
        let empty = Node::Dir {
            durable: BTreeMap::new(),
            pending: Vec::new(),
        };
        Self {
            live: HashMap::from([(root, 0)]),
            root_id: 0,
            nodes: vec![empty],
            inodes: HashMap::new(),
            syncs: HashMap::new(),
        }
    }

    fn pending(&self) -> usize {
        let each = self.nodes.iter().map(|node| match node {
            Node::File { pending, .. } => pending.len(),
            Node::Dir { pending, .. } => pending.len(),
        });
        each.sum()
    }

    fn add(&mut self, number: usize, path: &Path, node: Node) -> Result<usize> {
        self.nodes.push(node);
        let id = self.nodes.len() - 1;
        let name = name_of(path)?;
        self.rename_in(number, path, Naming::Add(name, id))?;
        self.live.insert(path.to_owned(), id);
        Ok(id)
    }

    /// Notes a change of the names in the directory of `path`.
    fn rename_in(&mut self, number: usize, path: &Path, naming: Naming) -> Result<()> {
        let parent = path.parent().context("it has no directory")?;
        let id = self.live.get(parent);
        let node = id.and_then(|id| self.nodes.get_mut(*id));
        match node {
            Some(Node::Dir { pending, .. }) => pending.push((number, naming)),
            _ => bail!("{} is no directory", parent.display()),
        }
        Ok(())
    }

    fn edit(&mut self, number: usize, inode: u64, edit: Edit) -> Result<()> {
        let id = self.inodes.get(&inode).context("nobody opened it")?;
        match self.nodes.get_mut(*id) {
            Some(Node::File { pending, .. }) => pending.push((number, edit)),
            _ => bail!("it is no file"),
        }
        Ok(())
    }

    fn apply(&mut self, number: usize, change: &Change) -> Result<()> {
        match change {
            Change::Create { path, inode } => {
                let file = Node::File {
                    durable: Content::default(),
                    pending: Vec::new(),
                };
                let id = self.add(number, path, file)?;
                self.inodes.insert(*inode, id);
            }
            Change::Open { path, inode } => {
                let id = *self.live.get(path).context("it was never made")?;
                self.inodes.insert(*inode, id);
            }
            Change::Truncate { inode, bytes } => {
                self.edit(number, *inode, Edit::Truncate(*bytes))?
            }
            Change::Write { inode, at, data } => {
                let data = data.clone();
                self.edit(number, *inode, Edit::Write { at: *at, data })?;
            }
            Change::Rename { from, to } => {
                let id = self.live.remove(from).context("it was never made")?;
                ensure!(
                    from.parent() == to.parent()
                        && matches!(self.nodes.get(id), Some(Node::File { .. })),
                    "the model moves files within a directory only, not {}",
                    from.display()
                );
                self.live.insert(to.clone(), id);
                let naming = Naming::Move(name_of(from)?, name_of(to)?, id);
                self.rename_in(number, from, naming)?;
            }
            Change::Remove { path } => {
                self.live.remove(path).context("it was never made")?;
                self.rename_in(number, path, Naming::Remove(name_of(path)?))?;
            }
            Change::Mkdir { path } => {
                let dir = Node::Dir {
                    durable: BTreeMap::new(),
                    pending: Vec::new(),
                };
                self.add(number, path, dir)?;
            }
            Change::SyncBegin { inode, id, path } => {
                let dir = self
                    .live
                    .get(path)
                    .filter(|node| matches!(self.nodes.get(**node), Some(Node::Dir { .. })));
                let node = dir.or_else(|| self.inodes.get(inode));
                let node = *node.with_context(|| format!("{} is unknown", path.display()))?;
                self.syncs.insert(*id, (node, number));
            }
            Change::SyncEnd { id } => {
                let (node, before) = self.syncs.remove(id).context("the sync never began")?;
                match self.nodes.get_mut(node) {
                    Some(Node::File { durable, pending }) => {
                        let later = pending.partition_point(|(at, _)| *at < before);
                        for (_, edit) in pending.drain(..later) {
                            durable.edit(&edit);
                        }
                    }
                    Some(Node::Dir { durable, pending }) => {
                        let later = pending.partition_point(|(at, _)| *at < before);
                        for (_, naming) in pending.drain(..later) {
                            name(durable, &naming);
                        }
                    }
                    None => bail!("it is unknown"),
                }
            }
        }
        Ok(())
    }

    /// Writes what a node is after the cut to `target`.
    fn write(&self, id: usize, cut: &Cut, random: &mut Random, target: &Path) -> Result<()> {
        match self.nodes.get(id).context("no such node")? {
            Node::File { durable, pending } => {
                let mut content = durable.clone();
                let prefix = random.below(pending.len() as u64 + 1) as usize;
                for (at, (_, edit)) in pending.iter().enumerate() {
                    match cut.contents {
                        Unsynced::Dropped => {}
                        Unsynced::Kept => content.edit(edit),
                        Unsynced::Prefix if at < prefix => content.edit(edit),
                        Unsynced::Prefix => {}
                        Unsynced::Torn => content.tear(edit, random),
                    }
                }
                let mut file = File::create(target)?;
                file.write_all(&content.written)?;
                if content.bytes > content.written.len() as u64 {
                    file.set_len(content.bytes)?;
                }
            }
            Node::Dir { durable, pending } => {
                let mut names = durable.clone();
                let some = random.below(pending.len() as u64 + 1) as usize;
                let count = match cut.names {
                    Unsynced::Dropped => 0,
                    Unsynced::Kept => pending.len(),
                    Unsynced::Prefix | Unsynced::Torn => some,
                };
                for (_, naming) in pending.iter().take(count) {
                    name(&mut names, naming);
                }
                for (name, id) in names {
                    let path = target.join(name);
                    if matches!(self.nodes.get(id), Some(Node::Dir { .. })) {
                        fs::create_dir(&path)?;
                    }
                    self.write(id, cut, random, &path)?;
                }
            }
        }
        Ok(())
    }
}

impl Content {
    fn edit(&mut self, edit: &Edit) {
        match edit {
            Edit::Write { at, data } => self.write(*at, data),
            Edit::Truncate(bytes) => self.truncate(*bytes),
        }
    }

    /// An edit of which any part has reached the disk.
    fn tear(&mut self, edit: &Edit, random: &mut Random) {
        let Edit::Write { at, data } = edit else {
            if random.coin() {
                self.edit(edit);
            }
            return;
        };
        // The new length may be there before the bytes are.
        if random.coin() {
            self.bytes = self.bytes.max(at + data.len() as u64);
        }
        let to_boundary = SECTOR - usize::try_from(*at).unwrap_or(0) % SECTOR;
        let (first, rest) = data.split_at(to_boundary.min(data.len()));
        let mut from = *at;
        for sector in std::iter::once(first).chain(rest.chunks(SECTOR)) {
            if random.coin() {
                self.write(from, sector);
            }
            from += sector.len() as u64;
        }
    }
}

fn name(names: &mut BTreeMap<String, usize>, naming: &Naming) {
    match naming {
        Naming::Add(name, id) => {
            names.insert(name.clone(), *id);
        }
        Naming::Remove(name) => {
            names.remove(name);
        }
        Naming::Move(from, to, id) => {
            names.remove(from);
            names.insert(to.clone(), *id);
        }
    }
}

fn name_of(path: &Path) -> Result<String> {
    let name = path.file_name().context("it has no name")?;
    Ok(name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kind, inode, value, both paths, data.
    type Written<'a> = (u32, u64, u64, &'a str, &'a str, &'a [u8]);

    fn journal(root: &Path, changes: &[Written<'_>]) -> Vec<u8> {
        let mut out = Vec::new();
        for (kind, inode, at, path, path2, data) in changes {
            let full = |path: &str| match path {
                "" => String::new(),
                "/" => root.display().to_string(),
                path => root.join(path).display().to_string(),
            };
            let (path, path2) = (full(path), full(path2));
            out.extend(MAGIC.to_le_bytes());
            out.extend(kind.to_le_bytes());
            for number in [
                *inode,
                *at,
                path.len() as u64,
                path2.len() as u64,
                data.len() as u64,
            ] {
                out.extend(number.to_le_bytes());
            }
            out.extend(path.as_bytes());
            out.extend(path2.as_bytes());
            out.extend(*data);
        }
        out
    }

    /// Content of the files of an image, by name.
    fn image(
        history: &History,
        at: usize,
        contents: Unsynced,
        names: Unsynced,
    ) -> BTreeMap<String, Vec<u8>> {
        let target = tempfile::tempdir().unwrap();
        let position = if at == 0 { 0 } else { history.position(at - 1) };
        let cut = Cut {
            position,
            seed: 7,
            contents,
            names,
        };
        history.image(&cut, target.path()).unwrap();
        let entries = fs::read_dir(target.path()).unwrap().map(Result::unwrap);
        entries
            .map(|entry| {
                let name = entry.file_name().into_string().unwrap();
                (name, fs::read(entry.path()).unwrap())
            })
            .collect()
    }

    #[test]
    fn only_what_a_sync_has_promised_outlives_a_power_cut() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().canonicalize().unwrap();
        let changes: [Written<'_>; 9] = [
            (1, 5, 0, "a.tmp", "", b""),
            (4, 5, 0, "", "", b"one"),
            (10, 5, 1, "a.tmp", "", b""),
            (11, 5, 1, "", "", b""),
            (5, 0, 0, "a.tmp", "a", b""),
            (10, 1, 2, "/", "", b""),
            (11, 1, 2, "", "", b""),
            (4, 5, 3, "", "", b"two"),
            (6, 0, 0, "a", "", b""),
        ];
        let file = path.join("../journal-of-the-disk-test");
        fs::write(&file, journal(&path, &changes)).unwrap();
        let history = History::read(&file, &path).unwrap();
        fs::remove_file(&file).unwrap();
        use Unsynced::{Dropped, Kept};
        let one =
            |name: &str, content: &[u8]| BTreeMap::from([(name.to_owned(), content.to_vec())]);
        // Before the directory is synced there may be no name, the old one or the new one.
        assert_eq!(image(&history, 5, Kept, Dropped), BTreeMap::new());
        assert_eq!(image(&history, 2, Kept, Kept), one("a.tmp", b"one"));
        assert_eq!(image(&history, 2, Dropped, Kept), one("a.tmp", b""));
        assert_eq!(image(&history, 5, Dropped, Kept), one("a", b"one"));
        // A sync that has not ended promises nothing.
        assert_eq!(image(&history, 6, Kept, Dropped), BTreeMap::new());
        assert_eq!(image(&history, 7, Dropped, Dropped), one("a", b"one"));
        assert_eq!(image(&history, 8, Dropped, Dropped), one("a", b"one"));
        assert_eq!(image(&history, 8, Kept, Dropped), one("a", b"onetwo"));
        assert_eq!(image(&history, 9, Kept, Dropped), one("a", b"onetwo"));
        assert_eq!(image(&history, 9, Kept, Kept), BTreeMap::new());
    }

    #[test]
    fn a_write_is_torn_at_sectors() {
        let data: Vec<u8> = (0..4 * SECTOR).map(|at| (at / SECTOR + 1) as u8).collect();
        let mut seen = std::collections::HashSet::new();
        for seed in 0..200 {
            let mut content = Content::default();
            content.write(0, &[9; 100]);
            let edit = Edit::Write {
                at: 100,
                data: data.clone(),
            };
            content.tear(&edit, &mut Random::new(seed));
            assert!(
                content.written.starts_with(&[9; 100]),
                "what was there stays"
            );
            content.written.resize(content.bytes as usize, 0);
            let whole = content.written.len() == 100 + data.len();
            let sectors: Vec<bool> = (content.written.chunks(SECTOR))
                .map(|sector| sector.iter().skip(100).any(|byte| *byte != 0))
                .collect();
            seen.insert((whole, sectors));
        }
        assert!(seen.len() > 20, "{} ways to be torn", seen.len());
    }
}
