// SPDX-License-Identifier: Apache-2.0
//! THE DESK / dev watch: which files of a project have changed. In a manifest, out paths. Bound: [`FILES_MAX`].
//! Never follows links to directories, never looks at what builds write, unless a component begins with it.
//! Read next: `../dev.rs`.
//! Why by looking again and again: it works on every file system, in containers too, needs no library, and a project is small.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::files::Source;
use crate::manifest::Manifest;

/// Files that are looked at; more than any project of components has, and a bound for a manifest in a home directory.
const FILES_MAX: usize = 20_000;

/// What is known of a file without reading it.
type Stamp = (Option<SystemTime>, u64);

/// The files of a project.
pub(super) struct Watch {
    root: PathBuf,
    skip: BTreeSet<PathBuf>,
    /// What components begin with: everything in it counts.
    initial: BTreeSet<PathBuf>,
    known: BTreeMap<PathBuf, Stamp>,
    changed: BTreeSet<PathBuf>,
}

impl Watch {
    /// The files of a project as they are now.
    pub(super) fn of(manifest: &Manifest) -> Self {
        let mut watch = Self {
            root: manifest.root().to_owned(),
            skip: skipped(manifest),
            initial: initial(manifest),
            known: BTreeMap::new(),
            changed: BTreeSet::new(),
        };
        watch.known = watch.scan();
        watch
    }

    /// Leaves out what builds of another manifest write, and looks at what its components begin with: it has just been sent.
    pub(super) fn follow(&mut self, manifest: &Manifest) {
        let (skip, initial) = (skipped(manifest), initial(manifest));
        if skip == self.skip && initial == self.initial {
            return;
        }
        (self.skip, self.initial) = (skip, initial);
        let now = self.scan();
        self.known.retain(|path, _| now.contains_key(path));
        for (path, stamp) in now {
            self.known.entry(path).or_insert(stamp);
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
        for path in &self.initial {
            if path.is_dir() {
                self.scan_below(path, true, &mut found);
            } else if let Ok(meta) = std::fs::metadata(path) {
                found.insert(path.clone(), (meta.modified().ok(), meta.len()));
            }
        }
        self.scan_below(&self.root, false, &mut found);
        found
    }

    /// With `whole`, also hidden files, and what else no build depends on.
    fn scan_below(&self, top: &Path, whole: bool, found: &mut BTreeMap<PathBuf, Stamp>) {
        let mut open = vec![top.to_owned()];
        while let Some(dir) = open.pop() {
            // A directory that went a moment ago, or that is not ours to read, has no files for us.
            for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
                let path = entry.path();
                let Ok(kind) = entry.file_type() else {
                    continue;
                };
                if kind.is_dir() {
                    let hidden = entry.file_name().to_string_lossy().starts_with('.');
                    if whole || !hidden && !self.skip.contains(&path) {
                        open.push(path);
                    }
                } else if (whole || counts(&path)) && found.len() < FILES_MAX {
                    // Through a link to a file: what it points to is what is built.
                    if let Ok(meta) = std::fs::metadata(&path) {
                        found.insert(path, (meta.modified().ok(), meta.len()));
                    }
                }
            }
        }
    }
}

/// The files and folders that components begin with.
fn initial(manifest: &Manifest) -> BTreeSet<PathBuf> {
    let components = manifest.components.iter();
    let sources = components.flat_map(|component| &component.files);
    sources.map(Source::whole).collect()
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

    #[test]
    fn everything_that_workers_begin_with_is_watched() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let write = |path: &str, text: &str| {
            std::fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            std::fs::write(root.join(path), text).unwrap();
        };
        let manifest = |files: &str| {
            let text = format!("components:\n  one: {{ sourceWit: wit, files: [{files}] }}\n");
            std::fs::write(root.join("golem.yaml"), text).unwrap();
            Manifest::discover(Some(root)).unwrap().unwrap()
        };
        let assets = "{ sourcePath: assets, targetPath: /data }";
        let made = "{ sourcePath: target/made.txt, targetPath: /made }";
        write("assets/a.tmp", "x");
        write("target/made.txt", "x");
        let mut watch = Watch::of(&manifest(assets));
        for path in ["assets/a.tmp", "assets/.hidden/b", "assets/c_test.go"] {
            write(path, "another");
            assert!(watch.look(), "{path}");
            assert_eq!(watch.take(), BTreeSet::from([root.join(path)]));
        }
        write("target/made.txt", "longer");
        assert!(!watch.look(), "no component begins with it");
        let both = manifest(&format!("{assets}, {made}"));
        assert!(watch.look(), "golem.yaml has changed");
        watch.follow(&both);
        watch.take();
        assert!(!watch.look(), "what was there was sent with the manifest");
        write("target/made.txt", "longer than before");
        assert!(watch.look());
        assert_eq!(watch.take(), BTreeSet::from([root.join("target/made.txt")]));
    }
}
