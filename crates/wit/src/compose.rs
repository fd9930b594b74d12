// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / compose: stub components plugged into the component that calls them. In: component files. Out: one
//! component. Never runs them. Read next: `metadata.rs`.
//! Why: `stubgen compose`, client specification §3.8; a stub that does not fit is an error here, not a silent skip.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use golem_model::Coded;
use wac_graph::types::{ItemKind, Package, SubtypeChecker, are_semver_compatible};
use wac_graph::{CompositionGraph, EncodeOptions, NodeId, PackageId};
use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentTypeRef, Parser, Payload, Validator,
};

use crate::files::{Change, WriteError};

/// A composition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composed {
    /// The component: the source's exports, and the imports that are still open.
    pub bytes: Vec<u8>,
    /// Stubs that provide something, in the order given.
    pub used: Vec<PathBuf>,
    /// Stubs that provide nothing that the source imports, in the order given.
    pub unused: Vec<PathBuf>,
}

/// Why nothing was composed. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// A file could not be read.
    #[error("failed to read `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is no component.
    #[error("`{}` is not a WebAssembly component: {reason}", path.display())]
    NotAComponent {
        /// The file.
        path: PathBuf,
        /// What it is.
        reason: String,
    },
    /// A stub provides the interface in another shape than the source imports it.
    #[error("`{}` provides `{interface}` with another type than the source expects: {reason}", stub.display())]
    Incompatible {
        /// The stub.
        stub: PathBuf,
        /// The interface.
        interface: String,
        /// The first difference.
        reason: String,
    },
    /// Two stubs provide one interface.
    #[error("`{interface}` is provided by `{}` and by `{}`", first.display(), second.display())]
    Twice {
        /// The interface.
        interface: String,
        /// The first stub.
        first: PathBuf,
        /// The second stub.
        second: PathBuf,
    },
    /// The parts fit and the whole does not.
    #[error("failed to compose `{}`: {reason}", path.display())]
    Encode {
        /// The source.
        path: PathBuf,
        /// What the composer said.
        reason: String,
    },
    /// The result could not be written.
    #[error("failed to write `{}`: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl From<WriteError> for ComposeError {
    fn from(error: WriteError) -> Self {
        Self::Write {
            path: error.path,
            source: error.source,
        }
    }
}

impl Coded for ComposeError {
    fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "CPS-001",
            Self::NotAComponent { .. } => "CPS-002",
            Self::Incompatible { .. } => "CPS-003",
            Self::Twice { .. } => "CPS-004",
            Self::Encode { .. } => "CPS-005",
            Self::Write { .. } => "CPS-006",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Read { .. } => "build the component first; for a stub: golem-cli stubgen build".to_owned(),
            Self::NotAComponent { .. } => {
                "give the output of `golem-cli build` or `wasm-tools component new`, not the module that the compiler wrote".to_owned()
            }
            Self::Incompatible { .. } => {
                "the target changed: run `golem-cli stubgen build`, then `golem-cli stubgen add-stub-dependency --overwrite`, then build the caller again".to_owned()
            }
            Self::Twice { .. } => "give each stub once".to_owned(),
            Self::Encode { .. } => "check the parts: wasm-tools validate <file>".to_owned(),
            Self::Write { .. } => "check the path, its permissions and free disk space".to_owned(),
        })
    }
}

/// Plugs `stubs` into `source` and writes the result to `dest`; missing directories are made.
///
/// Errors: [`ComposeError`], nothing is written then.
pub fn compose_to(source: &Path, stubs: &[PathBuf], dest: &Path) -> Result<Composed, ComposeError> {
    let composed = compose(source, stubs)?;
    let mut change = Change::default();
    change.write(dest, composed.bytes.clone());
    change.apply()?;
    Ok(composed)
}

/// Plugs `stubs` into `source`: every import of the source that a stub exports is connected to the stub.
///
/// A pass-through stub (see [`crate::stub::pass_through`]) forwards an import to the same import, so connecting it would
/// only nest the component: its types are checked and the source keeps the import.
/// Errors: all of [`ComposeError`] but `Write`. Source: client specification §3.8; decision D6.
pub fn compose(source: &Path, stubs: &[PathBuf]) -> Result<Composed, ComposeError> {
    let bytes = read_component(source)?;
    let mut plugging = Plugging::new(source, &bytes)?;
    let (mut used, mut unused) = (Vec::new(), Vec::new());
    for stub in stubs {
        let bytes = read_component(stub)?;
        if plugging.plug(stub, &bytes)? {
            used.push(stub.clone())
        } else {
            unused.push(stub.clone())
        }
    }
    let bytes = plugging.finish(source, bytes)?;
    Ok(Composed {
        bytes,
        used,
        unused,
    })
}

struct Plugging {
    graph: CompositionGraph,
    socket: PackageId,
    instance: NodeId,
    /// Interface → the stub that provides it.
    provided: Vec<(String, PathBuf)>,
    /// Whether anything is connected in the graph.
    connected: bool,
    count: usize,
}

impl Plugging {
    fn new(source: &Path, bytes: &[u8]) -> Result<Self, ComposeError> {
        let mut graph = CompositionGraph::new();
        let socket = register(&mut graph, "source", source, bytes)?;
        let instance = graph.instantiate(socket);
        Ok(Self {
            graph,
            socket,
            instance,
            provided: Vec::new(),
            connected: false,
            count: 0,
        })
    }

    /// Connects what `stub` provides; returns whether that is anything.
    fn plug(&mut self, path: &Path, bytes: &[u8]) -> Result<bool, ComposeError> {
        self.count += 1;
        let stub = register(
            &mut self.graph,
            &format!("stub-{}", self.count),
            path,
            bytes,
        )?;
        let matches = self.matches(stub, path)?;
        for (_, import) in &matches {
            if let Some((interface, first)) = self
                .provided
                .iter()
                .find(|(interface, _)| interface == import)
            {
                return Err(ComposeError::Twice {
                    interface: interface.clone(),
                    first: first.clone(),
                    second: path.to_path_buf(),
                });
            }
        }
        self.provided.extend(
            matches
                .iter()
                .map(|(_, import)| (import.clone(), path.to_path_buf())),
        );
        if matches.is_empty() {
            return Ok(false);
        }
        if is_pass_through(bytes) {
            return Ok(true);
        }
        let failed = |reason: String| ComposeError::Encode {
            path: path.to_path_buf(),
            reason,
        };
        let instance = self.graph.instantiate(stub);
        for (export, import) in matches {
            let alias = self
                .graph
                .alias_instance_export(instance, &export)
                .map_err(|error| failed(error.to_string()))?;
            self.graph
                .set_instantiation_argument(self.instance, &import, alias)
                .map_err(|error| failed(error.to_string()))?;
        }
        self.connected = true;
        Ok(true)
    }

    /// The exports of `stub` that the source imports, as (export, import); the versions may differ compatibly.
    fn matches(&self, stub: PackageId, path: &Path) -> Result<Vec<(String, String)>, ComposeError> {
        let types = self.graph.types();
        let world = |package: PackageId| &types[self.graph[package].ty()];
        let imports: Vec<(&String, ItemKind)> = world(self.socket)
            .imports
            .iter()
            .map(|(name, kind)| (name, *kind))
            .collect();
        let mut cache = Default::default();
        let mut checker = SubtypeChecker::new(&mut cache);
        let mut found = Vec::new();
        for (export, provided) in &world(stub).exports {
            let exact = imports.iter().find(|(import, _)| *import == export);
            let near = || {
                imports
                    .iter()
                    .find(|(import, _)| are_semver_compatible(export, import))
            };
            let Some((import, wanted)) = exact.or_else(near) else {
                continue;
            };
            checker
                .is_subtype(*provided, types, *wanted, types)
                .map_err(|error| ComposeError::Incompatible {
                    stub: path.to_path_buf(),
                    interface: (*import).clone(),
                    reason: format!("{error:#}"),
                })?;
            found.push((export.clone(), (*import).clone()));
        }
        Ok(found)
    }

    fn finish(mut self, source: &Path, bytes: Vec<u8>) -> Result<Vec<u8>, ComposeError> {
        if !self.connected {
            return Ok(bytes);
        }
        let failed = |reason: String| ComposeError::Encode {
            path: source.to_path_buf(),
            reason,
        };
        let exports: Vec<String> = self.graph.types()[self.graph[self.socket].ty()]
            .exports
            .keys()
            .cloned()
            .collect();
        for name in exports {
            let alias = self
                .graph
                .alias_instance_export(self.instance, &name)
                .map_err(|error| failed(error.to_string()))?;
            self.graph
                .export(alias, &name)
                .map_err(|error| failed(error.to_string()))?;
        }
        let composed = self
            .graph
            .encode(EncodeOptions::default())
            .map_err(|error| failed(chain(&error)))?;
        Validator::new()
            .validate_all(&composed)
            .map_err(|error| failed(error.to_string()))?;
        Ok(composed)
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

fn register(
    graph: &mut CompositionGraph,
    name: &str,
    path: &Path,
    bytes: &[u8],
) -> Result<PackageId, ComposeError> {
    let not = |reason: String| ComposeError::NotAComponent {
        path: path.to_path_buf(),
        reason,
    };
    let package = Package::from_bytes(name, None, bytes.to_vec(), graph.types_mut())
        .map_err(|error| not(format!("{error:#}")))?;
    graph
        .register_package(package)
        .map_err(|error| not(error.to_string()))
}

fn read_component(path: &Path) -> Result<Vec<u8>, ComposeError> {
    let bytes = fs::read(path).map_err(|source| ComposeError::Read {
        path: path.to_path_buf(),
        source,
    })?;
    if Parser::is_component(&bytes) {
        return Ok(bytes);
    }
    let reason = match (Parser::is_core_wasm(&bytes), bytes.is_empty()) {
        (true, _) => "it is a core module",
        (_, true) => "it is empty",
        _ => "it does not start with the magic number",
    };
    Err(ComposeError::NotAComponent {
        path: path.to_path_buf(),
        reason: reason.to_owned(),
    })
}

/// Whether a component has no code and no parts: it exports instances that it imports under the same names.
pub(crate) fn is_pass_through(bytes: &[u8]) -> bool {
    forwards(bytes).unwrap_or(false)
}

fn forwards(bytes: &[u8]) -> Result<bool, wasmparser::BinaryReaderError> {
    let mut instances: Vec<String> = Vec::new();
    let mut exported = false;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::ComponentImportSection(section) => {
                for import in section {
                    let import = import?;
                    if matches!(import.ty, ComponentTypeRef::Instance(_)) {
                        instances.push(import.name.name.to_owned());
                    }
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section {
                    let export = export?;
                    let same = instances
                        .get(export.index as usize)
                        .is_some_and(|name| name == export.name.name);
                    if export.kind != ComponentExternalKind::Instance || !same {
                        return Ok(false);
                    }
                    exported = true;
                    instances.push(String::new());
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section {
                    let type_only = matches!(
                        alias?,
                        ComponentAlias::InstanceExport {
                            kind: ComponentExternalKind::Type,
                            ..
                        }
                    );
                    if !type_only {
                        return Ok(false);
                    }
                }
            }
            Payload::Version { .. }
            | Payload::ComponentTypeSection(_)
            | Payload::CustomSection(_)
            | Payload::End(_) => {}
            _ => return Ok(false),
        }
    }
    Ok(exported)
}
