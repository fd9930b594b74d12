// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / deps plan: what adding a stub changes in a caller's directory. In: packages. Out: [`Plan`].
//! Never writes. Read next: `../files.rs`. Why: everything is decided before the first file changes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use wit_parser::{PackageId, PackageName};

use crate::canonical;
use crate::deps::Report;
use crate::deps::error::DepError;
use crate::resolve::{Loaded, SourcePackage, Tree};
use crate::stub::{Flavour, INTERFACE_PREFIX, STUB_FILE, stub_interface};
use crate::tolerant;

/// The change, as far as it is known.
pub(super) struct Plan<'a> {
    pub(super) dest: &'a Loaded,
    overwrite: bool,
    /// The caller's directory as it will be.
    pub(super) tree: Tree,
    pub(super) writes: BTreeMap<PathBuf, String>,
    pub(super) removals: BTreeSet<PathBuf>,
    pub(super) conflicts: BTreeSet<PathBuf>,
    /// File of the stub directory → directory that it went to in this run.
    placed: BTreeMap<PathBuf, PathBuf>,
    pub(super) report: Report,
}

impl<'a> Plan<'a> {
    pub(super) fn new(dest: &'a Loaded, overwrite: bool) -> Self {
        Self {
            dest,
            overwrite,
            tree: dest.tree.clone(),
            writes: BTreeMap::new(),
            removals: BTreeSet::new(),
            conflicts: BTreeSet::new(),
            placed: BTreeMap::new(),
            report: Report::default(),
        }
    }

    fn write(&mut self, path: PathBuf, text: String) {
        let there = self.dest.tree.files().get(&path);
        if there == Some(&text) {
            return;
        }
        let list = if there.is_some() {
            &mut self.report.overwritten
        } else {
            &mut self.report.created
        };
        list.push(path.clone());
        self.removals.remove(&path);
        self.tree.insert(path.clone(), text.clone());
        self.writes.insert(path, text);
    }

    fn existing(&self, name: &PackageName) -> Option<(&SourcePackage, PackageId)> {
        let package = self.dest.resolve.package_names.get(name)?;
        let source = self
            .dest
            .sources
            .iter()
            .find(|source| source.name == *name)?;
        Some((source, *package))
    }

    /// The caller's own stub: made again from the caller, with its types inlined, since a package that the caller
    /// imports cannot use the caller's types.
    pub(super) fn own_stub(
        &mut self,
        source: &SourcePackage,
        interface: &str,
        flavour: Flavour,
    ) -> Result<(), DepError> {
        let world = interface
            .strip_prefix(INTERFACE_PREFIX)
            .unwrap_or(interface);
        let world = self.dest.world(Some(world))?;
        let made = stub_interface(self.dest, world, true, flavour)?;
        let dir = match self.existing(&source.name) {
            Some((there, _)) => there.dir.clone(),
            None => self.not_taken(dir_for(&source.name, None), &source.name),
        };
        let mut tree = self.tree.clone();
        tree.insert(dir.join(STUB_FILE), made.text.clone());
        let same = |tree: Tree| {
            let linked = tree.link().ok()?;
            let package = linked.resolve.package_names.get(&source.name)?;
            Some(canonical::items(&linked.resolve, *package))
        };
        let before = self
            .existing(&source.name)
            .map(|(_, package)| canonical::items(&self.dest.resolve, package));
        if before.is_some() && before == same(tree) {
            self.report.up_to_date.push(source.name.to_string());
            return Ok(());
        }
        // A stub of the caller is always a product of this tool: it follows the caller without being asked.
        let others: Vec<PathBuf> = self
            .files_of(&source.name)
            .into_iter()
            .filter(|path| *path != dir.join(STUB_FILE))
            .collect();
        for path in others {
            self.leave(path);
        }
        self.write(dir.join(STUB_FILE), made.text);
        Ok(())
    }

    fn files_of(&self, name: &PackageName) -> Vec<PathBuf> {
        self.existing(name)
            .map(|(source, _)| source.files.clone())
            .unwrap_or_default()
    }

    /// A package that the stub needs: new, there already, or to be merged into what is there.
    pub(super) fn package(&mut self, offered: &Loaded, source: &SourcePackage, is_stub: bool) {
        let Some(new_package) = offered.resolve.package_names.get(&source.name).copied() else {
            return;
        };
        let Some((there, old_package)) = self.existing(&source.name) else {
            let dir = self.free_dir(source, is_stub);
            for (path, text) in files(offered, source) {
                self.placed.insert(path.clone(), dir.clone());
                self.write(dir.join(file_name(path)), text.clone());
            }
            return;
        };
        let there = there.clone();
        let new = canonical::items(&offered.resolve, new_package);
        let old = canonical::items(&self.dest.resolve, old_package);
        let missing: BTreeSet<String> = new
            .keys()
            .filter(|name| !old.contains_key(*name))
            .cloned()
            .collect();
        let differs = new
            .iter()
            .filter(|(name, text)| old.get(*name).is_some_and(|old| old != *text));
        let changed: BTreeSet<String> = differs
            .map(|(name, _)| name.clone())
            .chain(missing.iter().cloned())
            .collect();
        if changed.is_empty() {
            self.report.up_to_date.push(source.name.to_string());
            return;
        }
        for (path, text) in files(offered, source) {
            let declares = tolerant::declarations(text);
            let is = |set: &BTreeSet<String>| declares.iter().any(|item| set.contains(item));
            if !declares.is_empty() && declares.iter().all(|item| missing.contains(item)) {
                self.add_file(&there.dir, path, text);
            } else if is(&changed) {
                self.replace_file(&there, path, text, &declares);
            }
        }
        // A package of which the stub directory has all items is replaced as a whole.
        if self.overwrite && old.keys().all(|name| new.contains_key(name)) {
            self.replace_package(offered, source, &there);
        }
    }

    /// A file whose items are all new to the package.
    fn add_file(&mut self, dir: &Path, path: &Path, text: &str) {
        let mut to = dir.join(file_name(path));
        if self.tree.files().contains_key(&to) {
            to = dir.join(format!("golem-{}", file_name(path).display()));
        }
        self.write(to, text.to_owned());
    }

    /// A file with items that are there with another meaning: the files that have them give way, or it is a conflict.
    fn replace_file(
        &mut self,
        there: &SourcePackage,
        path: &Path,
        text: &str,
        declares: &[String],
    ) {
        let to = there.dir.join(file_name(path));
        let has = |path: &&PathBuf| {
            let text = self.dest.tree.files().get(*path);
            text.is_some_and(|text| {
                tolerant::declarations(text)
                    .iter()
                    .any(|item| declares.contains(item))
            })
        };
        let in_the_way: Vec<PathBuf> = there.files.iter().filter(has).cloned().collect();
        if !self.overwrite {
            self.conflicts.extend(in_the_way);
            return;
        }
        for old in in_the_way {
            if old != to {
                self.leave(old);
            }
        }
        self.write(to, text.to_owned());
    }

    fn replace_package(&mut self, offered: &Loaded, source: &SourcePackage, there: &SourcePackage) {
        let list: Vec<(PathBuf, String)> = files(offered, source)
            .map(|(path, text)| (there.dir.join(file_name(path)), text.clone()))
            .collect();
        for path in &there.files {
            if list.iter().all(|(kept, _)| kept != path) {
                self.leave(path.clone());
            }
        }
        for (to, text) in list {
            if !self.tree.files().contains_key(&to) {
                self.write(to, text);
            }
        }
    }

    /// Takes a file out, unless this run has written it.
    fn leave(&mut self, path: PathBuf) {
        if !self.writes.contains_key(&path) {
            self.tree.remove(&path);
            self.removals.insert(path);
        }
    }

    /// Where a package goes that the caller does not have: the stub into `deps/<ns>_<name>`, others where the stub
    /// directory has them, unless another package lives there.
    fn free_dir(&self, source: &SourcePackage, is_stub: bool) -> PathBuf {
        let wished =
            if is_stub || source.dir.as_os_str().is_empty() || source.dir == Path::new("deps") {
                dir_for(&source.name, None)
            } else {
                source.dir.clone()
            };
        // Packages that share a file (nested ones) are placed together.
        if let Some(dir) = source.files.first().and_then(|path| self.placed.get(path)) {
            return dir.clone();
        }
        self.not_taken(wished, &source.name)
    }

    /// `wished`, or a directory of a longer name when another package has it: a directory is one package. Whether the other
    /// is one of the caller or of the stub that is being added makes no difference.
    fn not_taken(&self, wished: PathBuf, name: &PackageName) -> PathBuf {
        let taken = |dir: &Path| {
            let mut paths = self.tree.files().keys();
            paths.any(|path| path.parent() == Some(dir) || path == dir)
        };
        if !taken(&wished) {
            return wished;
        }
        let mut dir = dir_for(name, name.version.as_ref().map(ToString::to_string));
        while taken(&dir) {
            dir.as_mut_os_string().push("-stub");
        }
        dir
    }
}

fn dir_for(name: &PackageName, version: Option<String>) -> PathBuf {
    let version = version.map_or_else(String::new, |version| format!("@{version}"));
    Path::new("deps").join(format!("{}_{}{version}", name.namespace, name.name))
}

fn files<'a>(
    loaded: &'a Loaded,
    source: &'a SourcePackage,
) -> impl Iterator<Item = (&'a PathBuf, &'a String)> {
    source
        .files
        .iter()
        .filter_map(|path| loaded.tree.files().get_key_value(path))
}

pub(super) fn file_name(path: &Path) -> PathBuf {
    path.file_name().map(PathBuf::from).unwrap_or_default()
}
