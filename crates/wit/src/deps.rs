// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / deps: a stub directory added to the WIT directory of a caller. In: two directories. Out: changed files
//! in the second, wholly or not at all. Never changes the caller's own package. Read next: `stub/build.rs`.
//! Why: `stubgen add-stub-dependency`, client specification §3.6; packages are known by name and compared by meaning.

#![expect(
    clippy::indexing_slicing,
    reason = "arenas are indexed by the ids that they handed out"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use golem_model::Coded;
use toml_edit::{DocumentMut, Item, Table, value};
use wit_parser::{PackageId, PackageName};

use crate::canonical;
use crate::files::{Change, WriteError};
use crate::names;
use crate::resolve::{Loaded, ResolveError, SourcePackage, Tree, load};
use crate::stub::{
    INTERFACE_PREFIX, PACKAGE_SUFFIX, STUB_FILE, StubError, own_stub_removed, plan, stub_interface,
};
use crate::tolerant;

/// What was done to the caller's directory. Paths are relative to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The stub's package.
    pub stub: String,
    /// The import that the caller's world needs: `import rpcdemo:component2-stub/stub-component2;`
    pub import: String,
    /// New files.
    pub created: Vec<PathBuf>,
    /// Replaced files (only with `overwrite`).
    pub overwritten: Vec<PathBuf>,
    /// Files that left because a replaced package no longer has them (only with `overwrite`).
    pub removed: Vec<PathBuf>,
    /// Packages that are there already with the same meaning.
    pub up_to_date: Vec<String>,
    /// Packages that are left out, each with its reason.
    pub skipped: Vec<String>,
    /// The `Cargo.toml` that was changed.
    pub cargo_toml: Option<PathBuf>,
    /// What the user should know, one sentence each.
    pub warnings: Vec<String>,
}

/// Why the stub was not added. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum DepError {
    /// One of the directories is not understood.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// The caller's own stub has to be made again and cannot be.
    #[error(transparent)]
    Stub(#[from] StubError),
    /// The first directory holds no stub.
    #[error("`{}` holds package `{package}`, which is not a stub", path.display())]
    NotAStub {
        /// The directory as given.
        path: PathBuf,
        /// Its main package.
        package: String,
    },
    /// Caller and target have one name.
    #[error("both the caller and the target component use the package name `{package}`")]
    SamePackage {
        /// The name.
        package: String,
    },
    /// Files with another meaning are there.
    #[error("{} file(s) would be overwritten: {}", files.len(), list(files))]
    Conflict {
        /// The files, relative to the caller's directory, sorted.
        files: Vec<PathBuf>,
    },
    /// The caller's directory would not be readable afterwards.
    #[error("the stub does not go together with what is in `{}`: {cause}", dest.display())]
    Broken {
        /// The caller's directory.
        dest: PathBuf,
        /// What the WIT reader said.
        cause: ResolveError,
    },
    /// The `Cargo.toml` to update is missing, or is not one of cargo-component.
    #[error("cannot update `{}`: {reason}", path.display())]
    CargoToml {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A file could not be written; everything is as before.
    #[error("failed to write `{}`: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn list(files: &[PathBuf]) -> String {
    files
        .iter()
        .map(|path| format!("`{}`", path.display()))
        .collect::<Vec<_>>()
        .join(", ")
}

impl From<WriteError> for DepError {
    fn from(error: WriteError) -> Self {
        Self::Write {
            path: error.path,
            source: error.source,
        }
    }
}

impl Coded for DepError {
    fn code(&self) -> &'static str {
        match self {
            Self::Resolve(error) => error.code(),
            Self::Stub(error) => error.code(),
            Self::NotAStub { .. } => "DEP-001",
            Self::SamePackage { .. } => "DEP-002",
            Self::Conflict { .. } => "DEP-003",
            Self::Broken { .. } => "DEP-004",
            Self::CargoToml { .. } => "DEP-005",
            Self::Write { .. } => "DEP-006",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Resolve(error) => return error.hint(),
            Self::Stub(error) => return error.hint(),
            Self::NotAStub { .. } => "give the directory that `golem-cli stubgen build --dest-wit-root` wrote".to_owned(),
            Self::SamePackage { package } => format!("give each component its own package name, for example `package {package}-caller;`"),
            Self::Conflict { .. } => "use --overwrite to force overwrite".to_owned(),
            Self::Broken { .. } => "run `golem-cli stubgen build` for the target again, and look at the package that is named".to_owned(),
            Self::CargoToml { .. } => "leave out --update-cargo-toml; only cargo-component projects need it".to_owned(),
            Self::Write { .. } => return None,
        })
    }
}

/// Adds the stub in `stub_wit_root` and the packages that it needs to `dest_wit_root/deps`.
///
/// Packages are matched by name and version wherever their directory is, and compared by what they mean; a package that
/// is there already is left alone, missing interfaces are added, and a different meaning is a conflict unless
/// `overwrite`. The caller's own package is never touched; of the caller's own stub (two components that call each
/// other) a version with inlined types is made. Running it twice changes nothing. The caller's world may import the stub,
/// and other stubs that are still to be added, before they are there.
/// With `update_cargo_toml` the cargo-component manifest beside `dest_wit_root` gets the missing entries.
/// Errors: [`DepError`], nothing is written then. Source: client specification §3.6, §3.10.
pub fn add_stub_dependency(
    stub_wit_root: &Path,
    dest_wit_root: &Path,
    overwrite: bool,
    update_cargo_toml: bool,
) -> Result<Report, DepError> {
    let stub = load(stub_wit_root)?;
    let dest = load_caller(dest_wit_root)?;
    let (target, interface) = stub_names(&stub, stub_wit_root)?;
    let caller = dest.name().clone();
    let own_stub = format!("{}{PACKAGE_SUFFIX}", caller.name);
    let is_own = |name: &PackageName, wanted: &str| {
        name.namespace == caller.namespace && name.name == wanted
    };
    if is_own(stub.name(), &own_stub) && !is_stub_of(&stub, &dest, &interface)? {
        return Err(DepError::SamePackage {
            package: format!("{}:{target}", caller.namespace),
        });
    }
    // What the stub directory means once nothing in it calls the caller any more.
    let offered = without_callers(&stub, &caller)?;
    let mut plan = Plan {
        dest: &dest,
        overwrite,
        tree: dest.tree.clone(),
        writes: BTreeMap::new(),
        removals: BTreeSet::new(),
        conflicts: BTreeSet::new(),
        report: Report::default(),
    };
    plan.report.stub = stub.name().to_string();
    plan.report.import = format!("import {};", names::path(stub.name(), &interface));
    for (index, source) in offered.sources.iter().enumerate() {
        if is_own(&source.name, &caller.name) {
            plan.report
                .skipped
                .push(format!("`{}` is the caller's own package", source.name));
        } else if is_own(&source.name, &own_stub) {
            let interface =
                stub_interface_of(&offered, source).unwrap_or_else(|| interface.clone());
            plan.own_stub(source, &interface)?;
        } else {
            plan.package(&offered, source, index == 0);
        }
    }
    if !plan.conflicts.is_empty() {
        return Err(DepError::Conflict {
            files: plan.conflicts.into_iter().collect(),
        });
    }
    plan.tree.clone().link().map_err(|cause| DepError::Broken {
        dest: dest_wit_root.to_path_buf(),
        cause,
    })?;
    let mut change = Change::default();
    for (path, text) in &plan.writes {
        change.write(dest_wit_root.join(path), text.as_bytes());
    }
    for path in &plan.removals {
        change.remove(dest_wit_root.join(path));
    }
    let mut report = plan.report;
    report.removed = plan.removals.into_iter().collect();
    cargo_toml(
        &plan.tree,
        &dest,
        dest_wit_root,
        update_cargo_toml,
        &mut change,
        &mut report,
    )?;
    change.apply()?;
    Ok(report)
}

/// Reads the caller's directory; imports of stubs that are not there yet are looked past.
fn load_caller(root: &Path) -> Result<Loaded, ResolveError> {
    let error = match load(root) {
        Err(error @ ResolveError::Parse { .. }) => error,
        other => return other,
    };
    let mut tree = Tree::read(root)?;
    let own = |path: &Path| path.parent().is_none_or(|dir| dir.as_os_str().is_empty());
    let changed: Vec<(PathBuf, String)> = tree
        .files()
        .iter()
        .filter(|(path, _)| own(path))
        .map(|(path, text)| {
            let without =
                missing_stubs(text, &tree).fold(text.clone(), |text, (namespace, name)| {
                    tolerant::without_imports(&text, &namespace, &name).into_owned()
                });
            (path.clone(), without)
        })
        .collect();
    for (path, text) in changed {
        tree.insert(path, text);
    }
    tree.link().map_err(|_| error)
}

/// Namespace and name of the stub packages that `text` imports and no file of `tree` declares.
fn missing_stubs<'a>(text: &'a str, tree: &'a Tree) -> impl Iterator<Item = (String, String)> + 'a {
    let declared = |package: &str| {
        tree.files()
            .values()
            .flat_map(|text| text.lines())
            .any(|line| {
                let rest = line
                    .trim_start()
                    .strip_prefix("package ")
                    .map(str::trim_start);
                rest.and_then(|rest| rest.strip_prefix(package))
                    .is_some_and(|rest| rest.trim_start().starts_with([';', '@', '{']))
            })
    };
    text.split("import").skip(1).filter_map(move |rest| {
        let package = rest.trim_start().split(['/', ';', '@', '{']).next()?.trim();
        let (namespace, name) = package.split_once(':')?;
        (name.ends_with(PACKAGE_SUFFIX) && !declared(package))
            .then(|| (namespace.to_owned(), name.to_owned()))
    })
}

/// Target name and stub interface of a stub directory.
fn stub_names(stub: &Loaded, path: &Path) -> Result<(String, String), DepError> {
    let not = || DepError::NotAStub {
        path: path.to_path_buf(),
        package: stub.name().to_string(),
    };
    let target = stub
        .name()
        .name
        .strip_suffix(PACKAGE_SUFFIX)
        .ok_or_else(not)?;
    let interface = stub
        .sources
        .first()
        .and_then(|source| stub_interface_of(stub, source))
        .ok_or_else(not)?;
    Ok((target.to_owned(), interface))
}

/// The `stub-<world>` interface of a package.
fn stub_interface_of(loaded: &Loaded, source: &SourcePackage) -> Option<String> {
    let package = loaded.resolve.package_names.get(&source.name)?;
    loaded.resolve.packages[*package]
        .interfaces
        .keys()
        .find(|name| name.starts_with(INTERFACE_PREFIX))
        .cloned()
}

/// Whether `stub` is what this crate makes of `dest` itself: then the component calls other workers of its own kind.
fn is_stub_of(stub: &Loaded, dest: &Loaded, interface: &str) -> Result<bool, DepError> {
    let world = interface
        .strip_prefix(INTERFACE_PREFIX)
        .unwrap_or(interface);
    let Some(world) = dest.resolve.packages[dest.package]
        .worlds
        .get(world)
        .copied()
    else {
        return Ok(false);
    };
    let found = canonical::items(&stub.resolve, stub.package);
    for inline in [false, true] {
        let made = stub_interface(dest, world, inline)?;
        // The world may import its own stub by now, which the stub directory does not.
        let linked = plan(dest, &made, stub.tree.root()).link()?;
        if canonical::items(&linked.resolve, linked.package) == found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The stub directory with the imports of the caller's own stub taken out of every package but that stub.
fn without_callers(stub: &Loaded, caller: &PackageName) -> Result<Loaded, DepError> {
    let mut tree = Tree::new(stub.tree.root());
    for source in &stub.sources {
        for path in &source.files {
            if let Some(text) = stub.tree.files().get(path) {
                tree.insert(
                    path,
                    own_stub_removed(text, &caller.namespace, &caller.name),
                );
            }
        }
    }
    Ok(tree.link()?)
}

struct Plan<'a> {
    dest: &'a Loaded,
    overwrite: bool,
    /// The caller's directory as it will be.
    tree: Tree,
    writes: BTreeMap<PathBuf, String>,
    removals: BTreeSet<PathBuf>,
    conflicts: BTreeSet<PathBuf>,
    report: Report,
}

impl Plan<'_> {
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
    fn own_stub(&mut self, source: &SourcePackage, interface: &str) -> Result<(), DepError> {
        let world = interface
            .strip_prefix(INTERFACE_PREFIX)
            .unwrap_or(interface);
        let world = self.dest.world(Some(world))?;
        let made = stub_interface(self.dest, world, true)?;
        let dir = match self.existing(&source.name) {
            Some((there, _)) => there.dir.clone(),
            None => dir_for(&source.name, None),
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
            self.tree.remove(&path);
            self.removals.insert(path);
        }
        self.write(dir.join(STUB_FILE), made.text);
        Ok(())
    }

    fn files_of(&self, name: &PackageName) -> Vec<PathBuf> {
        self.existing(name)
            .map(|(source, _)| source.files.clone())
            .unwrap_or_default()
    }

    fn package(&mut self, offered: &Loaded, source: &SourcePackage, is_stub: bool) {
        let Some(new_package) = offered.resolve.package_names.get(&source.name).copied() else {
            return;
        };
        let new = canonical::items(&offered.resolve, new_package);
        let Some((there, old_package)) = self.existing(&source.name) else {
            let dir = self.free_dir(source, is_stub);
            for (path, text) in files(offered, source) {
                self.write(dir.join(file_name(path)), text.clone());
            }
            return;
        };
        let (dir, there_files) = (there.dir.clone(), there.files.clone());
        let old = canonical::items(&self.dest.resolve, old_package);
        let differs: BTreeSet<&String> = new
            .iter()
            .filter(|(name, text)| old.get(*name).is_some_and(|old| old != *text))
            .map(|(name, _)| name)
            .collect();
        let missing: BTreeSet<&String> =
            new.keys().filter(|name| !old.contains_key(*name)).collect();
        if differs.is_empty() && missing.is_empty() {
            self.report.up_to_date.push(source.name.to_string());
            return;
        }
        // A package of which the stub directory has all items is replaced as a whole.
        let superset = old.keys().all(|name| new.contains_key(name));
        let declared_there: BTreeMap<PathBuf, Vec<String>> = there_files
            .iter()
            .filter_map(|path| {
                Some((
                    path.clone(),
                    tolerant::declarations(self.dest.tree.files().get(path)?),
                ))
            })
            .collect();
        for (path, text) in files(offered, source) {
            let declares = tolerant::declarations(text);
            let only_new =
                declares.iter().all(|item| missing.contains(item)) && !declares.is_empty();
            let changed = declares
                .iter()
                .any(|item| differs.contains(item) || missing.contains(item));
            if !changed {
                continue;
            }
            let mut to = dir.join(file_name(path));
            if only_new {
                if self.tree.files().contains_key(&to) {
                    to = dir.join(format!("golem-{}", file_name(path).display()));
                }
                self.write(to, text.clone());
                continue;
            }
            // The files that declare the same items give way.
            let in_the_way: Vec<&PathBuf> = declared_there
                .iter()
                .filter(|(_, items)| items.iter().any(|item| declares.contains(item)))
                .map(|(path, _)| path)
                .collect();
            if !self.overwrite {
                self.conflicts.extend(in_the_way.into_iter().cloned());
                continue;
            }
            for old in in_the_way {
                if *old != to {
                    self.tree.remove(old);
                    self.removals.insert(old.clone());
                }
            }
            self.write(to, text.clone());
        }
        if self.overwrite && superset {
            let kept: BTreeSet<PathBuf> = files(offered, source)
                .map(|(path, _)| dir.join(file_name(path)))
                .collect();
            for path in there_files.into_iter().filter(|path| !kept.contains(path)) {
                self.tree.remove(&path);
                self.removals.insert(path);
            }
            for (path, text) in files(offered, source) {
                let to = dir.join(file_name(path));
                if !self.tree.files().contains_key(&to) {
                    self.write(to, text.clone());
                }
            }
        }
        let written: Vec<PathBuf> = self.writes.keys().cloned().collect();
        self.removals.retain(|path| !written.contains(path));
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
        let free = |dir: &Path| {
            self.tree
                .files()
                .keys()
                .all(|path| path.parent() != Some(dir) && path != dir)
                || self.writes.keys().any(|path| path.parent() == Some(dir))
                    && self
                        .report
                        .created
                        .iter()
                        .any(|path| path.parent() == Some(dir))
                    && source.dir == dir
        };
        if free(&wished) {
            wished
        } else {
            dir_for(
                &source.name,
                source.name.version.as_ref().map(ToString::to_string),
            )
        }
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

fn file_name(path: &Path) -> PathBuf {
    path.file_name().map(PathBuf::from).unwrap_or_default()
}

/// Adds the missing dependencies to the cargo-component manifest beside the WIT directory.
fn cargo_toml(
    tree: &Tree,
    dest: &Loaded,
    dest_wit_root: &Path,
    update: bool,
    change: &mut Change,
    report: &mut Report,
) -> Result<(), DepError> {
    let parent = match dest_wit_root.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Ok(()),
    };
    let path = parent.join("Cargo.toml");
    let failed = |reason: String| DepError::CargoToml {
        path: path.clone(),
        reason,
    };
    if !update {
        if path.is_file() {
            report.warnings.push(format!(
                "`{}` is not changed; cargo-component projects need --update-cargo-toml",
                path.display()
            ));
        }
        return Ok(());
    }
    if !path.is_file() {
        return Err(failed("it does not exist or is not a file".to_owned()));
    }
    let text = fs::read_to_string(&path).map_err(|error| failed(error.to_string()))?;
    let mut document: DocumentMut = text
        .parse()
        .map_err(|error: toml_edit::TomlError| failed(error.message().to_owned()))?;
    let wit = file_name(dest_wit_root);
    let component = document
        .get_mut("package")
        .and_then(|item| item.get_mut("metadata"))
        .and_then(|item| item.get_mut("component"))
        .and_then(Item::as_table_like_mut)
        .ok_or_else(|| failed("it has no `[package.metadata.component]`, so it is not a manifest of cargo-component".to_owned()))?;
    let mut table = component;
    for name in ["target", "dependencies"] {
        let implicit = || {
            let mut table = Table::new();
            table.set_implicit(true);
            Item::Table(table)
        };
        table = table
            .entry(name)
            .or_insert_with(implicit)
            .as_table_like_mut()
            .ok_or_else(|| {
                failed(format!(
                    "`package.metadata.component.target` has no table `{name}`"
                ))
            })?;
    }
    let linked = tree.clone().link()?;
    let mut changed = false;
    for source in linked
        .sources
        .iter()
        .filter(|source| source.name != *dest.name())
    {
        let key = format!("{}:{}", source.name.namespace, source.name.name);
        if table.contains_key(&key) {
            continue;
        }
        let mut entry = Table::new();
        entry.insert("path", value(wit.join(&source.dir).display().to_string()));
        table.insert(&key, Item::Table(entry));
        changed = true;
    }
    if changed {
        change.write(&path, document.to_string());
        report.cargo_toml = Some(path);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn caller(world: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let text = format!("package a:caller;\nworld caller {{ {world} export run: func(); }}\n");
        fs::write(dir.path().join("caller.wit"), text).unwrap();
        dir
    }

    #[test]
    fn a_world_may_import_stubs_before_they_are_there() {
        let early = caller("import a:two-stub/stub-two; import a:three-stub/stub-three;");
        assert!(load(early.path()).is_err());
        load_caller(early.path()).unwrap();
    }

    #[test]
    fn other_missing_packages_are_still_an_error() {
        let broken = caller("import a:two-stub/stub-two; import a:types/api;");
        let error = load_caller(broken.path()).unwrap_err();
        assert!(
            error.to_string().contains("a:two-stub") || error.to_string().contains("a:types"),
            "{error}"
        );
    }
}
