// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / deps dependency: one component made a target of another one. In: two WIT directories. Out: the stub, the
//! caller's `deps`, the caller's world with the import, and files of others, wholly or not at all.
//! Never changes the target. Read next: `world.rs`, `plan.rs`. Why: client specification §8.4.

use std::fs;
use std::path::{Path, PathBuf};

use crate::files::Change;
use crate::names;
use crate::resolve::{Loaded, Tree};
use crate::stub::{BuildRequest, Flavour, prepare};

use super::{DepError, Report, link_caller, load_caller, planned, world::with_import};

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct DependencyRequest<'a> {
    /// WIT directory of the target; only read.
    pub target_wit_root: &'a Path,
    /// World of the target; `None` when it has only one.
    pub target_world: Option<&'a str>,
    /// WIT directory of the caller.
    pub caller_wit_root: &'a Path,
    /// World of the caller; `None` when it has only one.
    pub caller_world: Option<&'a str>,
    /// What a call that fails gives.
    pub flavour: Flavour,
    /// Where the WIT of the stub goes.
    pub stub_wit_root: &'a Path,
    /// Where the stub component goes.
    pub stub_wasm: &'a Path,
    /// Files that belong to the same change, with their new content.
    pub also: &'a [(PathBuf, String)],
    /// Say what would change, and change nothing.
    pub dry_run: bool,
}

/// What was done, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dependency {
    /// What the stub brings to the caller.
    pub report: Report,
    /// The caller's file whose world got the import; none when it has it already.
    pub world_file: Option<PathBuf>,
    /// Every file that is written, in order; empty when everything is as it should be.
    pub written: Vec<PathBuf>,
    /// Files that leave.
    pub removed: Vec<PathBuf>,
    /// What the user should know, one sentence each.
    pub notes: Vec<String>,
}

/// Makes the stub of a target, adds it to a caller and lets the caller's world import it. Packages in the caller's `deps` that
/// come from an older stub are replaced. Running it twice changes nothing.
///
/// Errors: [`DepError`], nothing is written then.
pub fn add_dependency(request: DependencyRequest<'_>) -> Result<Dependency, DepError> {
    let made = prepare(BuildRequest {
        source_wit_root: request.target_wit_root,
        dest_wasm: request.stub_wasm,
        dest_wit_root: request.stub_wit_root,
        world: request.target_world,
        always_inline_types: false,
        flavour: request.flavour,
    })?;
    let root = request.caller_wit_root;
    let dest = load_caller(root)?;
    // What the caller's own files say on disk: `dest` looks past imports of stubs that are missing.
    let original = Tree::read(root)?;
    let plan = planned(&made.linked, request.stub_wit_root, &dest, true)?;
    let mut tree = plan.tree.clone();
    for (path, text) in original.files().iter().filter(|(path, _)| is_own(path)) {
        tree.insert(path, text);
    }
    let world = dest.world(request.caller_world)?;
    let world = dest.resolve.worlds[world].name.clone();
    let wanted = plan.report.import.clone();
    let broken = |cause| DepError::Broken {
        dest: root.to_path_buf(),
        cause,
    };
    let mut world_file = None;
    let interface = names::path(made.linked.name(), &made.stub.interface).replace('%', "");
    if !imports(
        &link_caller(tree.clone()).map_err(broken)?,
        &world,
        &interface,
    ) {
        let edited = original
            .files()
            .iter()
            .filter(|(path, _)| is_own(path))
            .find_map(|(path, text)| Some((path.clone(), with_import(text, &world, &wanted)?)));
        let no_place = || DepError::NoWorldText {
            dest: root.to_path_buf(),
            world: world.clone(),
            import: wanted.clone(),
        };
        let (path, text) = edited.ok_or_else(no_place)?;
        tree.insert(&path, &text);
        if !imports(&link_caller(tree).map_err(broken)?, &world, &interface) {
            return Err(no_place());
        }
        world_file = Some((path, text));
    }
    let mut files: Vec<(PathBuf, Vec<u8>)> = Vec::new();
    for (path, text) in made.linked.tree.files() {
        files.push((request.stub_wit_root.join(path), text.clone().into_bytes()));
    }
    files.push((request.stub_wasm.to_path_buf(), made.component));
    for (path, text) in &plan.writes {
        files.push((root.join(path), text.clone().into_bytes()));
    }
    if let Some((path, text)) = &world_file {
        files.push((root.join(path), text.clone().into_bytes()));
    }
    for (path, text) in request.also {
        files.push((path.clone(), text.clone().into_bytes()));
    }
    // What is right already is not written, so that a second run changes nothing, not even times.
    files.retain(|(path, bytes)| fs::read(path).ok().as_ref() != Some(bytes));
    let mut removed: Vec<PathBuf> = plan.removals.iter().map(|path| root.join(path)).collect();
    removed.extend(
        made.removed
            .iter()
            .map(|path| request.stub_wit_root.join(path)),
    );
    let mut report = plan.report;
    report.removed = plan.removals.into_iter().collect();
    let done = Dependency {
        report,
        world_file: world_file.map(|(path, _)| root.join(path)),
        written: files.iter().map(|(path, _)| path.clone()).collect(),
        removed: removed.clone(),
        notes: made.notes,
    };
    if !request.dry_run {
        let mut change = Change::default();
        for (path, bytes) in files {
            change.write(path, bytes);
        }
        for path in removed {
            change.remove(path);
        }
        change.apply()?;
    }
    Ok(done)
}

/// Whether a file is of the caller's own package: at the top of its directory.
fn is_own(path: &Path) -> bool {
    path.parent().is_none_or(|dir| dir.as_os_str().is_empty())
}

/// Whether a world of the main package imports an interface, by whatever means.
fn imports(loaded: &Loaded, world: &str, interface: &str) -> bool {
    let resolve = &loaded.resolve;
    let Some(world) = resolve.packages[loaded.package].worlds.get(world) else {
        return false;
    };
    resolve.worlds[*world]
        .imports
        .keys()
        .any(|key| resolve.name_world_key(key) == interface)
}
