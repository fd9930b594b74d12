// SPDX-License-Identifier: Apache-2.0
//! THE DESK / dev watch: which files of a project have changed. In a manifest, out paths. Bound: [`FILES_MAX`].
//! Never follows links to directories, never looks at what builds write. Read next: `../dev.rs`.
//! Why by looking again and again: it works on every file system, in containers too, needs no library, and a project is small.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::manifest::Manifest;

/// Files that are looked at; more than any project of components has, and a bound for a manifest in a home directory.
const FILES_MAX: usize = 20_000;

/// What is known of a file without reading it.
type Stamp = (Option<SystemTime>, u64);

/// The files of a project.
pub(super) struct Watch {
    root: PathBuf,
    skip: BTreeSet<PathBuf>,
    known: BTreeMap<PathBuf, Stamp>,
    changed: BTreeSet<PathBuf>,
}

impl Watch {
    /// The files of a project as they are now.
    pub(super) fn of(manifest: &Manifest) -> Self {
        let mut watch = Self {
            root: manifest.root().to_owned(),
            skip: BTreeSet::new(),
            known: BTreeMap::new(),
            changed: BTreeSet::new(),
        };
        watch.skip = skipped(manifest);
        watch.known = watch.scan();
        watch
    }

    /// Leaves out what builds of another manifest write.
    pub(super) fn follow(&mut self, manifest: &Manifest) {
        let skip = skipped(manifest);
        if skip != self.skip {
            self.skip = skip;
            let skip = &self.skip;
            self.known
                .retain(|path, _| !path.ancestors().any(|dir| skip.contains(dir)));
        }
    }

    /// Looks again; whether something has changed since the last look.
    pub(super) fn look(&mut self) -> bool {
        let now = self.scan();
        let gone = self.known.keys().filter(|path| !now.contains_key(*path));
        let other = now
            .iter()
            .filter(|(path, stamp)| self.known.get(*path) != Some(stamp))
            .map(|(path, _)| path);
        let changed: Vec<PathBuf> = gone.chain(other).cloned().collect();
        let any = !changed.is_empty();
        self.changed.extend(changed);
        self.known = now;
        any
    }

    /// The files that have changed since this was asked the last time.
    pub(super) fn take(&mut self) -> BTreeSet<PathBuf> {
        std::mem::take(&mut self.changed)
    }

    /// When the newest of these files was written.
    pub(super) fn newest(&self, files: &BTreeSet<PathBuf>) -> Option<SystemTime> {
        files
            .iter()
            .filter_map(|path| self.known.get(path).and_then(|(at, _)| *at))
            .max()
    }

    fn scan(&self) -> BTreeMap<PathBuf, Stamp> {
        let mut found = BTreeMap::new();
        let mut open = vec![self.root.clone()];
        while let Some(dir) = open.pop() {
            // A directory that went a moment ago, or that is not ours to read, has no files for us.
            for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
                let path = entry.path();
                let Ok(kind) = entry.file_type() else {
                    continue;
                };
                if kind.is_dir() {
                    let hidden = entry.file_name().to_string_lossy().starts_with('.');
                    if !hidden && !self.skip.contains(&path) {
                        open.push(path);
                    }
                } else if counts(&path) && found.len() < FILES_MAX {
                    // Through a link to a file: what it points to is what is built.
                    if let Ok(meta) = std::fs::metadata(&path) {
                        found.insert(path, (meta.modified().ok(), meta.len()));
                    }
                }
            }
        }
        found
    }
}

/// Whether a build can depend on a file: not on tests, on what editors leave, on what builds make.
fn counts(path: &Path) -> bool {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy())
        .unwrap_or_default();
    let not = [".", "#"].iter().any(|start| name.starts_with(start))
        || ["~", ".swp", ".swx", ".tmp", ".wasm", "_test.go"]
            .iter()
            .any(|end| name.ends_with(end))
        // What an editor writes to see whether it may.
        || name == "4913";
    !not
}

/// The directories that builds write to.
fn skipped(manifest: &Manifest) -> BTreeSet<PathBuf> {
    let mut skip = BTreeSet::from([
        manifest.temp_dir.clone(),
        manifest.root().join("node_modules"),
    ]);
    for component in &manifest.components {
        skip.insert(component.wit.join("deps"));
        skip.insert(component.dir.join("internal/golem"));
        skip.insert(manifest.root().join("internal/golem"));
        skip.insert(component.dir.join("internal/golemrt"));
        skip.insert(manifest.root().join("internal/golemrt"));
        skip.extend(component.bindings_dir.clone());
        if let Some(world) = component.world.as_deref().or(Some(&component.name)) {
            skip.insert(component.dir.join(crate::template::bindings_dir(world)));
        }
    }
    skip.remove(manifest.root());
    skip
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_seen_and_what_builds_write_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let write = |path: &str, text: &str| {
            std::fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            std::fs::write(root.join(path), text).unwrap();
        };
        write(
            "golem.yaml",
            "components:\n  one: { sourceWit: wit, bindings: { style: go } }\n",
        );
        write("main.go", "package main");
        let manifest = Manifest::discover(Some(root)).unwrap().unwrap();
        let mut watch = Watch::of(&manifest);
        assert!(!watch.look());
        for path in [
            "target/x.go",
            ".golem/x",
            "internal/golem/api/api.go",
            "wit/deps/a/a.wit",
            "main_test.go",
            "main.go~",
            ".main.go.swp",
            "one.wasm",
        ] {
            write(path, "x");
            assert!(!watch.look(), "{path}");
        }
        for (path, text) in [
            ("main.go", "package main // longer"),
            ("wit/one.wit", "x"),
            ("golem.yaml", "components: {}"),
            ("lib/new.go", "x"),
        ] {
            write(path, text);
            assert!(watch.look(), "{path}");
            assert!(!watch.look(), "{path}");
            assert_eq!(watch.take(), BTreeSet::from([root.join(path)]));
        }
        std::fs::remove_file(root.join("lib/new.go")).unwrap();
        assert!(watch.look());
    }
}
