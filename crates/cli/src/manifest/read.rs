// SPDX-License-Identifier: Apache-2.0
//! THE DESK / manifest read: finds `golem.yaml`, reads it and settles what is left open. In a directory, out [`Manifest`].
//! Never writes. Read next: `build/plan.rs`. Why: docs/formats/manifest.md.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Component as Part, Path, PathBuf},
};

use golem_model::Coded as _;
use golem_model::capabilities::Capabilities;
use serde_saphyr::Spanned;

use super::{
    ManifestError,
    raw::{
        BindingStyle, ComponentKind, DependencyKind, FOREIGN_KEYS, Raw, RawComponent, RawFile,
        VERSION,
    },
};
use crate::files::{self, Source};

/// The name of the file.
const FILE: &str = "golem.yaml";

/// A manifest that was understood; all paths start from its directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// The file.
    pub(crate) file: PathBuf,
    /// Where everything goes that can be made again.
    pub(crate) temp_dir: PathBuf,
    /// The components, each after the ones that it calls.
    pub(crate) components: Vec<Component>,
}

/// A component of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Component {
    /// Its name, also on the server.
    pub(crate) name: String,
    /// Its WIT directory.
    pub(crate) wit: PathBuf,
    /// Its world, when there are several.
    pub(crate) world: Option<String>,
    /// The directory of its `package main`.
    pub(crate) dir: PathBuf,
    /// The look of its bindings.
    pub(crate) bindings_style: BindingStyle,
    /// Where its bindings go; `None`: next to `package main`, named like the world or, in style `go`, `internal/golem`.
    pub(crate) bindings_dir: Option<PathBuf>,
    /// The name of the package of its bindings; `None`: like the world.
    pub(crate) bindings_package: Option<String>,
    /// Where the component goes.
    pub(crate) component_wasm: PathBuf,
    /// Where the composed component goes, when stubs are to be composed.
    pub(crate) linked_wasm: Option<PathBuf>,
    /// Whether its workers last.
    pub(crate) kind: ComponentKind,
    /// What its workers may do; `None`: it does not say.
    pub(crate) capabilities: Option<Capabilities>,
    /// The files that its workers begin with.
    pub(crate) files: Vec<Source>,
    /// Commands that build it; empty: Go builds it.
    pub(crate) commands: Vec<ExternalCommand>,
    /// The components that it calls, sorted.
    pub(crate) calls: Vec<String>,
    /// Those of them whose calls return typed errors.
    pub(crate) error_results: BTreeSet<String>,
}

/// A command of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExternalCommand {
    /// Its words; run without a shell.
    pub(crate) words: Vec<String>,
    /// Where it runs.
    pub(crate) dir: PathBuf,
    /// Directories made before.
    pub(crate) mkdirs: Vec<PathBuf>,
}

impl Component {
    /// The file to upload.
    pub(crate) fn artefact(&self) -> &Path {
        self.linked_wasm.as_deref().unwrap_or(&self.component_wasm)
    }
}

/// The outermost `golem.yaml` in `dir` or above.
fn find(dir: &Path) -> Option<PathBuf> {
    dir.ancestors()
        .map(|dir| dir.join(FILE))
        .filter(|path| path.is_file())
        .last()
}

/// Reads the manifest at `path`. Errors: all of [`ManifestError`] but `Missing`.
fn load(path: &Path) -> Result<Manifest, ManifestError> {
    let text = fs::read_to_string(path).map_err(|source| ManifestError::Read {
        path: path.to_owned(),
        source,
    })?;
    read_text(path, &text)
}

/// Reads `text` as the content of the manifest at `path`. Errors: all of [`ManifestError`] but `Missing` and `Read`.
pub(super) fn read_text(path: &Path, text: &str) -> Result<Manifest, ManifestError> {
    let root = path
        .parent()
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let shown = path.file_name().map_or_else(
        || FILE.to_owned(),
        |name| name.to_string_lossy().into_owned(),
    );
    Reader { file: shown }.read(text, root, path)
}

struct Reader {
    file: String,
}

impl Reader {
    fn read(&self, text: &str, root: &Path, path: &Path) -> Result<Manifest, ManifestError> {
        let options = serde_saphyr::options! { with_snippet: false };
        let raw: Raw = serde_saphyr::from_str_with_options(text, options)
            .map_err(|error| self.syntax(&error))?;
        if let Some(version) = &raw.manifest_version
            && version.value != VERSION
        {
            return Err(ManifestError::Version {
                at: self.at(version),
                version: version.value,
            });
        }
        let temp_dir = raw
            .temp_dir
            .clone()
            .unwrap_or_else(|| PathBuf::from("target"));
        let calls = self.calls(&raw)?;
        let mut components = Vec::new();
        for name in self.order(&calls)? {
            let Some(component) = raw.components.get(&name) else {
                continue;
            };
            let mut component = self.component(
                &name,
                component,
                root,
                &temp_dir,
                calls.get(&name).cloned().unwrap_or_default(),
            )?;
            component.error_results = typed(&raw, &name);
            components.push(component);
        }
        Ok(Manifest {
            file: path.to_owned(),
            temp_dir: root.join(temp_dir),
            components,
        })
    }

    /// Who calls whom, with an entry for every component.
    fn calls(&self, raw: &Raw) -> Result<BTreeMap<String, Vec<String>>, ManifestError> {
        let mut calls: BTreeMap<String, Vec<String>> = raw
            .components
            .keys()
            .map(|name| (name.clone(), Vec::new()))
            .collect();
        for (caller, targets) in &raw.dependencies {
            self.known(raw, caller, self.at(targets))?;
            for target in &targets.value {
                let DependencyKind::WasmRpc = target.value.kind;
                self.known(raw, &target.value.target, self.at(target))?;
                let list = calls.entry(caller.clone()).or_default();
                if !list.contains(&target.value.target) {
                    list.push(target.value.target.clone());
                }
            }
        }
        calls.values_mut().for_each(|list| list.sort());
        Ok(calls)
    }

    fn known(&self, raw: &Raw, name: &str, at: String) -> Result<(), ManifestError> {
        if raw.components.contains_key(name) {
            return Ok(());
        }
        Err(ManifestError::UnknownComponent {
            at,
            name: name.to_owned(),
            help: known_help(name, raw.components.keys()),
        })
    }

    /// The names, each after the ones that it calls; alphabetical otherwise.
    fn order(&self, calls: &BTreeMap<String, Vec<String>>) -> Result<Vec<String>, ManifestError> {
        let mut order = Vec::new();
        let mut open = Vec::new();
        for name in calls.keys() {
            self.visit(name, calls, &mut open, &mut order)?;
        }
        Ok(order)
    }

    fn visit(
        &self,
        name: &str,
        calls: &BTreeMap<String, Vec<String>>,
        open: &mut Vec<String>,
        order: &mut Vec<String>,
    ) -> Result<(), ManifestError> {
        if order.iter().any(|done| done == name) {
            return Ok(());
        }
        if let Some(start) = open.iter().position(|opened| opened == name) {
            let mut path: Vec<String> = open.iter().skip(start).cloned().collect();
            path.push(name.to_owned());
            return Err(ManifestError::Circle {
                at: self.file.clone(),
                path,
            });
        }
        open.push(name.to_owned());
        for target in calls.get(name).into_iter().flatten() {
            self.visit(target, calls, open, order)?;
        }
        open.pop();
        order.push(name.to_owned());
        Ok(())
    }

    fn component(
        &self,
        name: &str,
        spanned: &Spanned<RawComponent>,
        root: &Path,
        temp_dir: &Path,
        calls: Vec<String>,
    ) -> Result<Component, ManifestError> {
        let raw = &spanned.value;
        let value = |why: String, help: &str| ManifestError::Value {
            at: self.at(spanned),
            why,
            help: help.to_owned(),
        };
        let plain = name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_:.".contains(c))
            && !name.starts_with('.');
        if !plain || name.is_empty() {
            return Err(value(
                format!("`{name}` cannot be the name of a component"),
                "use letters, digits, `-`, `_`, `:` and `.`",
            ));
        }
        for path in [
            Some(&raw.source_wit),
            raw.source_dir.as_ref(),
            raw.bindings.dir.as_ref(),
            raw.component_wasm.as_ref(),
            raw.linked_wasm.as_ref(),
        ]
        .into_iter()
        .flatten()
        {
            if leaves(path) {
                return Err(value(
                    format!(
                        "component `{name}`: the path `{}` leads out of the project",
                        path.display()
                    ),
                    "give a path below the directory of golem.yaml",
                ));
            }
        }
        if raw.linked_wasm.is_some() && !raw.compose {
            return Err(value(
                format!("component `{name}`: `linkedWasm` needs `compose: true`"),
                "add `compose: true`, or leave `linkedWasm` out: the server links the calls itself",
            ));
        }
        if let Some(Err(error)) = raw.capabilities.as_ref().map(Capabilities::check) {
            let help = error.hint().unwrap_or_default();
            return Err(value(
                format!("component `{name}`: capabilities: {error}"),
                &help,
            ));
        }
        let files = raw
            .files
            .iter()
            .map(|file| self.file(name, file, root))
            .collect::<Result<Vec<_>, ManifestError>>()?;
        let commands = raw
            .build
            .iter()
            .map(|raw| {
                let words = split(&raw.command)
                    .filter(|words| !words.is_empty())
                    .ok_or_else(|| {
                        value(
                            format!(
                                "component `{name}`: the command `{}` cannot be split into words",
                                raw.command
                            ),
                            "close every quote",
                        )
                    })?;
                let dir = root.join(raw.dir.clone().unwrap_or_default());
                Ok(ExternalCommand {
                    words,
                    mkdirs: raw.mkdirs.iter().map(|made| dir.join(made)).collect(),
                    dir,
                })
            })
            .collect::<Result<Vec<_>, ManifestError>>()?;
        let file = name.replace(':', "_");
        let last = temp_dir.join("components").join(format!("{file}.wasm"));
        let inner = temp_dir.join("build").join(&file).join("component.wasm");
        let linked = raw
            .compose
            .then(|| raw.linked_wasm.clone().unwrap_or_else(|| last.clone()));
        let component_wasm =
            raw.component_wasm
                .clone()
                .unwrap_or(if raw.compose { inner } else { last });
        let parent = raw
            .source_wit
            .parent()
            .map(Path::to_owned)
            .unwrap_or_default();
        Ok(Component {
            name: name.to_owned(),
            wit: root.join(&raw.source_wit),
            world: raw.world.clone(),
            dir: root.join(raw.source_dir.clone().unwrap_or(parent)),
            bindings_style: raw.bindings.style,
            bindings_dir: raw.bindings.dir.as_ref().map(|dir| root.join(dir)),
            bindings_package: raw.bindings.package.clone(),
            component_wasm: root.join(component_wasm),
            linked_wasm: linked.map(|path| root.join(path)),
            kind: raw.component_type,
            capabilities: raw.capabilities.clone(),
            files,
            commands,
            calls,
            error_results: BTreeSet::new(),
        })
    }

    /// What workers of the component `name` begin with.
    fn file(
        &self,
        name: &str,
        spanned: &Spanned<RawFile>,
        root: &Path,
    ) -> Result<Source, ManifestError> {
        let raw = &spanned.value;
        let value = |why: String, help: &str| ManifestError::Value {
            at: self.at(spanned),
            why: format!("component `{name}`: {why}"),
            help: help.to_owned(),
        };
        let shown = raw.source_path.display();
        let scheme = raw
            .source_path
            .to_str()
            .and_then(|text| text.split_once(':'));
        if scheme.is_some_and(|(scheme, _)| matches!(scheme, "http" | "https" | "file")) {
            return Err(value(
                format!("the initial file `{shown}` is named by a URL"),
                "put it into the project and give its path: what is deployed then follows from the project alone",
            ));
        }
        if leaves(&raw.source_path) {
            return Err(value(
                format!("the path `{shown}` leads out of the project"),
                "give a path below the directory of golem.yaml",
            ));
        }
        let target = files::target(&raw.target_path).map_err(|why| {
            value(
                format!("the path `{}` {why}", raw.target_path),
                "give the absolute path in the worker, such as `/etc/app.conf`",
            )
        })?;
        let normal = raw
            .source_path
            .components()
            .filter(|part| *part != Part::CurDir);
        Ok(Source {
            root: root.to_owned(),
            path: normal.collect(),
            target,
            permissions: raw.permissions,
        })
    }

    fn at<T>(&self, spanned: &Spanned<T>) -> String {
        format!("{}:{}", self.file, spanned.referenced.line())
    }

    fn syntax(&self, error: &serde_saphyr::Error) -> ManifestError {
        let line = error.location().map_or(1, |location| location.line());
        let at = format!("{}:{line}", self.file);
        if let serde_saphyr::Error::SerdeUnknownField {
            field, expected, ..
        } = error
        {
            let foreign = FOREIGN_KEYS
                .iter()
                .find(|(key, _)| key == field)
                .map(|(_, help)| (*help).to_owned());
            let nearest = golem_model::suggest::closest(field, expected.iter().copied())
                .map(|nearest| format!("did you mean `{nearest}`?"));
            let help = foreign
                .or(nearest)
                .unwrap_or_else(|| format!("known here are: {}", expected.join(", ")));
            return ManifestError::UnknownKey {
                at,
                key: field.clone(),
                help,
            };
        }
        ManifestError::Syntax {
            at,
            message: error.to_string(),
        }
    }
}

/// Whether a path is none below the directory that it starts from.
fn leaves(path: &Path) -> bool {
    let mut parts = path.components();
    path.as_os_str().is_empty() || parts.any(|part| !matches!(part, Part::Normal(_) | Part::CurDir))
}

/// The components that `caller` calls with typed errors.
fn typed(raw: &Raw, caller: &str) -> BTreeSet<String> {
    let of_caller = raw.dependencies.get(caller);
    of_caller
        .into_iter()
        .flat_map(|targets| &targets.value)
        .filter(|target| target.value.error_results)
        .map(|target| target.value.target.clone())
        .collect()
}

/// "did you mean", or the names there are.
pub(super) fn known_help<'a>(
    name: &str,
    known: impl Iterator<Item = &'a String> + Clone,
) -> String {
    match golem_model::suggest::closest(name, known.clone().map(String::as_str)) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!(
            "there are: {}",
            known.map(String::as_str).collect::<Vec<_>>().join(", ")
        ),
    }
}

impl Manifest {
    /// Reads the manifest that `app` names, or the outermost one above the current directory. `None` when there is none
    /// and none was named.
    pub(crate) fn discover(app: Option<&Path>) -> Result<Option<Self>, ManifestError> {
        if let Some(path) = app {
            let path = if path.is_dir() {
                path.join(FILE)
            } else {
                path.to_owned()
            };
            return load(&path).map(Some);
        }
        let here = std::env::current_dir().map_err(|source| ManifestError::Read {
            path: PathBuf::from("."),
            source,
        })?;
        let Some(path) = find(&here) else {
            return Ok(None);
        };
        // Paths are shown to people: those below the current directory stay short.
        let path = path.strip_prefix(&here).map(Path::to_owned).unwrap_or(path);
        load(&path).map(Some)
    }

    /// The directory of the project.
    pub(crate) fn root(&self) -> &Path {
        let parent = self.file.parent();
        parent
            .filter(|dir| !dir.as_os_str().is_empty())
            .unwrap_or(Path::new("."))
    }

    /// The component whose directory holds the current one. A component in the directory of the manifest itself holds nothing
    /// but itself, or it would hold every other one.
    pub(crate) fn here(&self) -> Option<&Component> {
        let here = std::env::current_dir().ok()?.canonicalize().ok()?;
        let root = self.root().canonicalize().ok();
        let holds = |dir: &Path| {
            let dir = dir.canonicalize().ok();
            dir != root && dir.is_some_and(|dir| here.starts_with(dir))
        };
        self.components.iter().find(|component| {
            let dirs = [Some(component.dir.as_path()), component.wit.parent()];
            dirs.into_iter().flatten().any(holds)
        })
    }

    /// The component called `name`.
    pub(crate) fn component(&self, name: &str) -> Option<&Component> {
        self.components
            .iter()
            .find(|component| component.name == name)
    }

    /// The same, but a manifest there must be. Errors: `Missing` too.
    pub(crate) fn required(app: Option<&Path>) -> Result<Self, ManifestError> {
        let dir = std::env::current_dir().unwrap_or_else(|_: io::Error| PathBuf::from("."));
        Self::discover(app)?.ok_or(ManifestError::Missing { dir })
    }

    /// The components with these names, in build order; all of them for no name.
    /// Errors: `UnknownComponent`.
    pub(crate) fn select(&self, names: &[String]) -> Result<Vec<&Component>, ManifestError> {
        for name in names {
            if !self
                .components
                .iter()
                .any(|component| component.name == *name)
            {
                let known: Vec<String> = self
                    .components
                    .iter()
                    .map(|component| component.name.clone())
                    .collect();
                return Err(ManifestError::UnknownComponent {
                    at: "command line".to_owned(),
                    name: name.clone(),
                    help: known_help(name, known.iter()),
                });
            }
        }
        Ok(self
            .components
            .iter()
            .filter(|component| names.is_empty() || names.contains(&component.name))
            .collect())
    }
}

/// Splits a command into words as a shell would: blanks, quotes, backslashes; no variables, no globs. `None` for an open
/// quote or a trailing backslash.
fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\n' => words.extend(word.take()),
            '\\' => word.get_or_insert_default().push(chars.next()?),
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        end if end == c => break,
                        '\\' if c == '"' => word.push(chars.next()?),
                        other => word.push(other),
                    }
                }
            }
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    use golem_model::Coded as _;
    use golem_model::component::FilePermissions;

    use super::*;

    fn read(text: &str) -> Result<Manifest, ManifestError> {
        Reader {
            file: FILE.to_owned(),
        }
        .read(text, Path::new("root"), Path::new("root/golem.yaml"))
    }

    const THREE: &str = "components:
  one: { sourceWit: c/one/wit }
  three: { sourceWit: c/three/wit }
  two: { sourceWit: c/two/wit, compose: true, componentType: ephemeral }
dependencies:
  one:
  - { type: wasm-rpc, target: two }
  - { type: wasm-rpc, target: three }
  two:
  - { type: wasm-rpc, target: three }
";

    #[test]
    fn components_come_after_what_they_call() {
        let manifest = read(THREE).unwrap();
        let names: Vec<&str> = manifest
            .components
            .iter()
            .map(|c| c.name.as_str())
            .collect();
        assert_eq!(names, ["three", "two", "one"]);
        let two = manifest.select(&["two".to_owned()]).unwrap().pop().unwrap();
        assert_eq!(two.artefact(), Path::new("root/target/components/two.wasm"));
        assert_eq!(
            two.component_wasm,
            Path::new("root/target/build/two/component.wasm")
        );
        assert_eq!(two.kind, ComponentKind::Ephemeral);
        assert_eq!(two.dir, Path::new("root/c/two"));
    }

    #[test]
    fn mistakes_are_named_with_file_and_line() {
        let check = |text: &str, code: &str, message: &str, hint: &str| {
            let error = read(text).unwrap_err();
            assert_eq!(error.code(), code, "{error}");
            assert!(error.to_string().contains(message), "{error}");
            assert!(error.hint().unwrap().contains(hint), "{:?}", error.hint());
        };
        check(
            "components:\n  a:\n    sourceWit: w\n    componntWasm: x\n",
            "MAN-004",
            "golem.yaml:4: unknown key `componntWasm`",
            "`componentWasm`",
        );
        check(
            "templates: {}\n",
            "MAN-004",
            "golem.yaml:1",
            "each component",
        );
        check("manifestVersion: 2\n", "MAN-005", "golem.yaml:1", "newer");
        check("components: [\n", "MAN-003", "golem.yaml:", "manifest.md");
        check("components:\n  a: {}\n", "MAN-003", "sourceWit", "");
        check(
            &THREE.replace("target: two", "target: twoo"),
            "MAN-007",
            "golem.yaml:7: there is no component `twoo`",
            "`two`",
        );
        check(
            "components:\n  a: { sourceWit: ../x }\n",
            "MAN-006",
            "golem.yaml:2",
            "below",
        );
        check(
            "components:\n  a: { sourceWit: w, linkedWasm: x }\n",
            "MAN-006",
            "compose",
            "compose: true",
        );
        check(
            "components:\n  a: { sourceWit: w, build: [{ command: \"x 'y\" }] }\n",
            "MAN-006",
            "`x 'y`",
            "quote",
        );
        let circle = format!("{THREE}  three:\n  - {{ type: wasm-rpc, target: one }}\n");
        check(&circle, "MAN-008", "one → three → one", "remove one");
    }

    #[test]
    fn every_key_of_golem_1_is_read_or_told_what_to_write_instead() {
        let inside = |key: &str, more: &str| {
            format!("components:\n  a:\n    sourceWit: w\n    {key}\n{more}")
        };
        let call = "dependencies:\n  a:\n  - { type: wasm-rpc, target: a }\n";
        for text in [
            "tempDir: tmp\n".to_owned(),
            inside("componentWasm: a.wasm", ""),
            inside("componentType: ephemeral", ""),
            inside("compose: true\n    linkedWasm: b.wasm", ""),
            inside("build: [{ command: make, dir: d, mkdirs: [m] }]", ""),
            inside("files: []", ""),
        ] {
            assert!(read(&text).is_ok(), "{text}");
        }
        // Known, and refused for what it says: nobody calls itself.
        assert_eq!(
            read(&inside("world: w", call)).unwrap_err().code(),
            "MAN-008"
        );
        for text in [
            "includes: ['*/golem.yaml']\n".to_owned(),
            "witDeps: [deps]\n".to_owned(),
            "templates: { t: {} }\n".to_owned(),
            inside("template: t", ""),
            inside("generatedWit: g", ""),
            inside("profiles: {}", ""),
            inside("defaultProfile: p", ""),
            inside("customCommands: {}", ""),
            inside("clean: [x]", ""),
            inside("build: [{ command: make, sources: [a] }]", ""),
            inside("build: [{ command: make, targets: [a] }]", ""),
        ] {
            let error = read(&text).unwrap_err();
            assert_eq!(error.code(), "MAN-004", "{text}: {error}");
            let hint = error.hint().unwrap();
            let mut known = FOREIGN_KEYS.iter();
            assert!(known.any(|(_, what)| hint.contains(what)), "{text}: {hint}");
        }
    }

    #[test]
    fn initial_files_are_named_by_source_and_target() {
        let with = |files: &str| {
            read(&format!(
                "components:\n  a:\n    sourceWit: w\n    files:\n    - {files}\n"
            ))
        };
        let mut manifest =
            with("{ sourcePath: ./assets, targetPath: /data/, permissions: read-write }").unwrap();
        let files = manifest.components.remove(0).files;
        let [file] = files.as_slice() else {
            panic!("{files:?}");
        };
        assert_eq!(file.whole(), Path::new("root/assets"));
        assert_eq!(file.target, "/data");
        assert_eq!(file.permissions, FilePermissions::ReadWrite);
        assert!(file.holds(Path::new("root/assets/x")));
        assert!(!file.holds(Path::new("root/assets.txt")));
        let check = |files: &str, code: &str, message: &str, hint: &str| {
            let error = with(files).unwrap_err();
            assert_eq!(error.code(), code, "{error}");
            assert!(error.to_string().contains(message), "{error}");
            assert!(error.hint().unwrap().contains(hint), "{:?}", error.hint());
        };
        for out in ["../x", "/x", "a/../../x", "''"] {
            let file = format!("{{ sourcePath: {out}, targetPath: /x }}");
            check(&file, "MAN-006", "golem.yaml:5", "below the directory");
        }
        check(
            "{ sourcePath: 'https://a.example/x', targetPath: /x }",
            "MAN-006",
            "URL",
            "into the project",
        );
        check(
            "{ sourcePath: x, targetPath: y }",
            "MAN-006",
            "does not begin with `/`",
            "absolute",
        );
        check(
            "{ sourcePath: x, targetPath: /a/../y }",
            "MAN-006",
            "`..`",
            "absolute",
        );
        check(
            "{ sourcePath: x, targetPath: /y, permissions: all }",
            "MAN-003",
            "golem.yaml:5",
            "manifest.md",
        );
        check(
            "{ sourcePath: x, target: /y }",
            "MAN-004",
            "golem.yaml:5",
            "`targetPath`",
        );
    }

    #[test]
    fn commands_are_split_like_a_shell_does() {
        let words = |text: &str| split(text).unwrap().join("|");
        assert_eq!(words("a  'b c' \"d\\\"e\" f\\ g ''"), "a|b c|d\"e|f g|");
        assert_eq!(split("a 'b"), None);
        assert_eq!(split("a \\"), None);
    }
}
