// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / stub build: the stub directory and the stub component of a target. In: [`BuildRequest`]. Out: files.
//! Never touches the source. Read next: `component.rs`. Why: client specification §3.1, §3.3 (files next to the text).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::files::Change;
use crate::resolve::{Loaded, ResolveError, Tree, load};
use crate::stub::component::pass_through;
use crate::stub::error::StubError;
use crate::stub::interface::{
    Flavour, PACKAGE_SUFFIX, STUB_FILE, StubInterface, interface_of, stub_interface,
};
use crate::texts::{CALL_ERRORS, EMBEDDED};
use crate::tolerant;

/// What `stubgen build` is asked for.
#[derive(Debug, Clone, Copy)]
pub struct BuildRequest<'a> {
    /// WIT directory of the target; only read.
    pub source_wit_root: &'a Path,
    /// Where the stub component goes; missing directories are made.
    pub dest_wasm: &'a Path,
    /// Where the stub's WIT goes; files that are there are replaced, others stay.
    pub dest_wit_root: &'a Path,
    /// World of the target; `None` when it has only one.
    pub world: Option<&'a str>,
    /// Declare the target's types again in the stub instead of `use`-ing them.
    pub always_inline_types: bool,
    /// What a call that fails gives.
    pub flavour: Flavour,
}

/// What `stubgen build` made.
#[derive(Debug, Clone)]
pub struct Built {
    /// The stub.
    pub stub: StubInterface,
    /// The WIT files, relative to the destination, sorted.
    pub files: Vec<PathBuf>,
    /// Leftovers of an earlier run that were removed, relative to the destination.
    pub removed: Vec<PathBuf>,
    /// Size of the stub component.
    pub wasm_bytes: usize,
    /// What the user should know, one sentence each.
    pub notes: Vec<String>,
}

/// Makes the stub directory and the stub component of a target, both or neither. The source is not changed.
///
/// Errors: [`StubError`], nothing is written then.
/// Source: client specification §3.1, §3.3; decision D6 for the component.
pub fn build(request: BuildRequest<'_>) -> Result<Built, StubError> {
    let prepared = prepare(request)?;
    let mut change = Change::default();
    for (path, text) in prepared.linked.tree.files() {
        change.write(request.dest_wit_root.join(path), text.as_bytes());
    }
    for path in &prepared.removed {
        change.remove(request.dest_wit_root.join(path));
    }
    let wasm_bytes = prepared.component.len();
    change.write(request.dest_wasm, prepared.component);
    change.apply()?;
    Ok(Built {
        files: prepared.linked.tree.files().keys().cloned().collect(),
        removed: prepared.removed,
        wasm_bytes,
        notes: prepared.notes,
        stub: prepared.stub,
    })
}

/// A stub that is made and not written yet.
pub(crate) struct Prepared {
    pub(crate) stub: StubInterface,
    /// The stub directory as it will be; its tree has the files to write.
    pub(crate) linked: Loaded,
    /// The stub component.
    pub(crate) component: Vec<u8>,
    /// Leftovers of an earlier run that have to leave the destination.
    pub(crate) removed: Vec<PathBuf>,
    pub(crate) notes: Vec<String>,
}

/// Makes a stub without writing it. Errors as [`build`].
pub(crate) fn prepare(request: BuildRequest<'_>) -> Result<Prepared, StubError> {
    for dest in [request.dest_wit_root, request.dest_wasm] {
        refuse_inside(dest, request.source_wit_root)?;
    }
    let loaded = load(request.source_wit_root)?;
    let world = loaded.world(request.world)?;
    let stub = stub_interface(&loaded, world, request.always_inline_types, request.flavour)?;
    let planned = plan(&loaded, &stub, request.dest_wit_root);
    let linked = planned
        .clone()
        .link()
        .map_err(|error| invalid(&loaded, &error))?;
    let interface = interface_of(&linked.resolve, &stub).ok_or_else(|| StubError::Invalid {
        package: loaded.name().to_string(),
        message: "the stub interface is missing".to_owned(),
    })?;
    let component = pass_through(&linked.resolve, interface)?;
    let removed = leftovers(&planned, request.dest_wit_root)?;
    let notes = loaded.notes.iter().chain(&stub.notes).cloned().collect();
    Ok(Prepared {
        stub,
        linked,
        component,
        removed,
        notes,
    })
}

pub(super) fn invalid(loaded: &Loaded, error: &ResolveError) -> StubError {
    StubError::Invalid {
        package: loaded.name().to_string(),
        message: error.to_string(),
    }
}

/// The files of a stub directory: the stub, the target's own package, its dependencies, and the packages that every stub
/// of its flavour needs.
pub(crate) fn plan(loaded: &Loaded, stub: &StubInterface, dest: &Path) -> Tree {
    let mut tree = Tree::new(dest);
    tree.insert(STUB_FILE, stub.text.clone());
    let target = loaded.name();
    let own_dir = free_dir(loaded, &format!("{}_{}", target.namespace, target.name));
    let own_stub = format!("{}{PACKAGE_SUFFIX}", target.name);
    for source in &loaded.sources {
        if source.name.namespace == target.namespace && source.name.name == own_stub {
            continue;
        }
        for path in &source.files {
            let Some(text) = loaded.tree.files().get(path) else {
                continue;
            };
            let (to, text) = if source.dir.as_os_str().is_empty() {
                (
                    own_dir.join(path),
                    own_stub_removed(text, &target.namespace, &target.name),
                )
            } else {
                (path.clone(), text.clone())
            };
            tree.insert(to, text);
        }
    }
    let errors = (stub.flavour == Flavour::ErrorResults).then_some(&CALL_ERRORS);
    for embedded in EMBEDDED.iter().chain(errors) {
        let known = loaded.sources.iter().find(|source| {
            source.name.namespace == embedded.namespace
                && source.name.name == embedded.name
                && source
                    .name
                    .version
                    .as_ref()
                    .is_some_and(|version| version.to_string() == embedded.version)
        });
        let declared = format!("interface {}", embedded.interface);
        let has = known.is_some_and(|source| {
            source
                .files
                .iter()
                .filter_map(|path| loaded.tree.files().get(path))
                .any(|text| tolerant::declarations(text).contains(&declared))
        });
        if has {
            continue;
        }
        let dir = match known {
            Some(source) if source.dir != Path::new(DEPS) => source.dir.clone(),
            _ => free_dir(loaded, embedded.dir),
        };
        // A package that is one file among others gets a directory, because it becomes two.
        let alone = known.filter(|source| source.dir == Path::new(DEPS));
        for path in alone.iter().flat_map(|source| &source.files) {
            if let (Some(text), Some(name)) = (loaded.tree.files().get(path), path.file_name()) {
                tree.remove(path);
                tree.insert(dir.join(name), text.clone());
            }
        }
        tree.insert(dir.join(embedded.file), embedded.text);
    }
    tree
}

/// Where packages are that a package uses.
const DEPS: &str = "deps";

/// A directory of this name below [`DEPS`], or one of a longer name when another package has it: a directory is one package.
fn free_dir(loaded: &Loaded, name: &str) -> PathBuf {
    let mut dir = Path::new(DEPS).join(name);
    while loaded.sources.iter().any(|source| source.dir == dir) {
        dir.as_mut_os_string().push("-stub");
    }
    dir
}

/// `text` without the imports of the stub of `namespace:name`: a stub directory does not hold the stub's own callers.
pub(crate) fn own_stub_removed(text: &str, namespace: &str, name: &str) -> String {
    tolerant::without_imports(text, namespace, &format!("{name}{PACKAGE_SUFFIX}")).into_owned()
}

/// The WIT files that have to leave `dest` so that the planned files can be read there; usually none.
fn leftovers(planned: &Tree, dest: &Path) -> Result<Vec<PathBuf>, StubError> {
    let broken = |cause| StubError::DestBroken {
        dest: dest.to_path_buf(),
        cause,
    };
    if !dest.is_dir() {
        return Ok(Vec::new());
    }
    let existing = match Tree::read(dest) {
        Ok(tree) => tree,
        Err(ResolveError::Empty { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(broken(error)),
    };
    let mut together = existing.clone();
    for (path, text) in planned.files() {
        together.insert(path, text.clone());
    }
    let Err(cause) = together.clone().link() else {
        return Ok(Vec::new());
    };
    let dirs: BTreeSet<&Path> = planned
        .files()
        .keys()
        .filter_map(|path| path.parent())
        .collect();
    let in_the_way: Vec<PathBuf> = existing
        .files()
        .keys()
        .filter(|path| {
            !planned.files().contains_key(*path)
                && path.parent().is_some_and(|dir| dirs.contains(dir))
        })
        .cloned()
        .collect();
    for path in &in_the_way {
        together.remove(path);
    }
    match together.link() {
        Ok(_) => Ok(in_the_way),
        Err(_) => Err(broken(cause)),
    }
}

/// Refuses a destination that is the source or lies inside it.
pub(super) fn refuse_inside(dest: &Path, source: &Path) -> Result<(), StubError> {
    let (Some(there), Some(here)) = (real(dest), real(source)) else {
        return Ok(());
    };
    if there.starts_with(&here) {
        return Err(StubError::DestInSource {
            dest: dest.to_path_buf(),
            source_root: source.to_path_buf(),
        });
    }
    Ok(())
}

/// `path` without links and dots, as far as it exists; the rest is appended as it is.
fn real(path: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(path).ok()?;
    for ancestor in absolute.ancestors() {
        if let Ok(known) = ancestor.canonicalize() {
            return absolute
                .strip_prefix(ancestor)
                .ok()
                .map(|rest| known.join(rest));
        }
    }
    Some(absolute)
}
