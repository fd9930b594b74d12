// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / deps: a stub directory added to the WIT directory of a caller. In: two directories. Out: changed files
//! in the second, wholly or not at all. Never changes the caller's own package. Read next: `stub/build.rs`.
//! Why: `stubgen add-stub-dependency`, client specification §3.6; packages are known by name and compared by meaning.

#![expect(
    clippy::indexing_slicing,
    reason = "arenas are indexed by the ids that they handed out"
)]

mod dependency;
mod error;
mod manifest;
mod plan;
mod world;

use std::path::{Path, PathBuf};

use wit_parser::PackageName;

use self::manifest::cargo_toml;
use self::plan::Plan;
use crate::canonical;
use crate::files::Change;
use crate::names;
use crate::resolve::{Loaded, ResolveError, SourcePackage, Tree, load};
use crate::stub::{
    CALL_ERROR, Flavour, INTERFACE_PREFIX, PACKAGE_SUFFIX, own_stub_removed, plan as stub_files,
    stub_interface,
};
use crate::tolerant;

pub use self::dependency::{Dependency, DependencyRequest, add_dependency};
pub use self::error::DepError;

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
    let plan = planned(&stub, stub_wit_root, &dest, overwrite)?;
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

/// What adding `stub` to `dest` changes; `stub_root` names the stub in errors. The result is not linked yet.
fn planned<'a>(
    stub: &Loaded,
    stub_root: &Path,
    dest: &'a Loaded,
    overwrite: bool,
) -> Result<Plan<'a>, DepError> {
    let (target, interface) = stub_names(stub, stub_root)?;
    let caller = dest.name().clone();
    let own_stub = format!("{}{PACKAGE_SUFFIX}", caller.name);
    let is_own = |name: &PackageName, wanted: &str| {
        name.namespace == caller.namespace && name.name == wanted
    };
    if is_own(stub.name(), &own_stub) && !is_stub_of(stub, dest, &interface)? {
        return Err(DepError::SamePackage {
            package: format!("{}:{target}", caller.namespace),
        });
    }
    // What the stub directory means once nothing in it calls the caller any more.
    let offered = without_callers(stub, &caller)?;
    let mut plan = Plan::new(dest, overwrite);
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
            let flavour = flavour_of(&offered, source, &interface);
            plan.own_stub(source, &interface, flavour)?;
        } else {
            plan.package(&offered, source, index == 0);
        }
    }
    if !plan.conflicts.is_empty() {
        return Err(DepError::Conflict {
            files: plan.conflicts.into_iter().collect(),
        });
    }
    Ok(plan)
}

/// Checks that the calls of the stub in `stub_wit_root` return typed errors.
///
/// Errors: [`DepError::NoErrorResults`] when they do not, [`DepError::NotAStub`], [`DepError::Resolve`].
pub fn require_error_results(stub_wit_root: &Path) -> Result<(), DepError> {
    let stub = load(stub_wit_root)?;
    let (_, interface) = stub_names(&stub, stub_wit_root)?;
    match stub
        .sources
        .first()
        .map(|source| flavour_of(&stub, source, &interface))
    {
        Some(Flavour::ErrorResults) => Ok(()),
        _ => Err(DepError::NoErrorResults {
            path: stub_wit_root.to_path_buf(),
        }),
    }
}

/// Reads the caller's directory; imports of stubs that are not there yet are looked past.
fn load_caller(root: &Path) -> Result<Loaded, ResolveError> {
    link_caller(Tree::read(root)?)
}

/// The same for files that are read already.
fn link_caller(mut tree: Tree) -> Result<Loaded, ResolveError> {
    let error = match tree.clone().link() {
        Err(error @ ResolveError::Parse { .. }) => error,
        other => return other,
    };
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

/// The flavour of the stub `interface` in the package of `source`, told by the type that only one of them has.
fn flavour_of(loaded: &Loaded, source: &SourcePackage, interface: &str) -> Flavour {
    let package = loaded.resolve.package_names.get(&source.name);
    let found = package.and_then(|package| {
        loaded.resolve.packages[*package]
            .interfaces
            .get(interface)
            .copied()
    });
    match found {
        Some(id) if loaded.resolve.interfaces[id].types.contains_key(CALL_ERROR) => {
            Flavour::ErrorResults
        }
        _ => Flavour::Trapping,
    }
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
    let flavour = stub
        .sources
        .first()
        .map_or_else(Flavour::default, |source| {
            flavour_of(stub, source, interface)
        });
    for inline in [false, true] {
        let made = stub_interface(dest, world, inline, flavour)?;
        // The world may import its own stub by now, which the stub directory does not.
        let linked = stub_files(dest, &made, stub.tree.root()).link()?;
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

#[cfg(test)]
mod tests {
    use std::fs;

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
