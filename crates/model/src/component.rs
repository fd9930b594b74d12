// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / component: what is known of an uploaded component. In: reflection. Out: catalogue rows and REST bodies.
//! Never touches IO. Read next: `api.rs`. Source: client spec §6.6.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::capabilities::Capabilities;
use crate::ids::{ComponentId, ComponentVersion, Timestamp};
use crate::namespace::Namespace;
use crate::types::Export;

/// Most initial files of a component version: a quarter of the nodes that a worker may have, their directories not counted.
pub const INITIAL_FILES_MAX: usize = 4096;
/// Most bytes of all initial files of a component version together. They are in memory while they are taken, and one blob
/// holds one of them.
pub const INITIAL_FILES_BYTES_MAX: usize = 64 << 20;
/// Longest path of an initial file in bytes, as guests know it from Linux.
pub const INITIAL_PATH_BYTES_MAX: usize = 1024;

/// Whether workers of a component keep state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub enum ComponentType {
    /// A worker lives until it is deleted.
    #[default]
    Durable,
    /// A fresh instance for every invocation.
    Ephemeral,
}

/// Id and version together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VersionedComponentId {
    /// The component.
    pub component_id: ComponentId,
    /// Its version.
    pub version: ComponentVersion,
}

/// One version of a component, as REST shows it and as the catalogue keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Component {
    /// Id and version.
    pub versioned_component_id: VersionedComponentId,
    /// Where it is, for ever. An addition to 1.1; absent for the namespace `default`.
    #[serde(default, skip_serializing_if = "Namespace::is_default")]
    pub namespace: Namespace,
    /// Name, unique in its namespace.
    pub component_name: String,
    /// Size of the wasm in bytes.
    pub component_size: u64,
    /// What was found in the wasm.
    pub metadata: ComponentMetadata,
    /// When it was uploaded.
    pub created_at: Timestamp,
    /// Durable or ephemeral.
    pub component_type: ComponentType,
    /// Initial files.
    #[serde(default)]
    pub files: Vec<InitialFile>,
    /// Plugins; always empty today, kept because the REST shape has it.
    #[serde(default)]
    pub installed_plugins: Vec<serde_json::Value>,
    /// SHA-256 of the wasm, hex: the blob that holds it.
    pub wasm_hash: String,
    /// What its workers may do; absent when nothing was declared, as by clients of 1.1. An addition to 1.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Capabilities>,
}

/// Answer of an upload: the component, and what whoever uploads should know of it. The second is an addition to 1.1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Uploaded {
    /// The component.
    #[serde(flatten)]
    pub component: Component,
    /// Sentences: a stub that does not fit the target that is there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What was found in the wasm of a component.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ComponentMetadata {
    /// Exported interfaces and functions.
    pub exports: Vec<Export>,
    /// The producers sections of its modules: the tools that made them.
    #[serde(default)]
    pub producers: Vec<serde_json::Value>,
    /// Linear memories.
    #[serde(default)]
    pub memories: Vec<MemoryLimits>,
    /// Imported interfaces and functions, by name.
    #[serde(default)]
    pub imports: Vec<String>,
    /// Imports that are stub interfaces, which the engine links itself (architecture D5).
    #[serde(default)]
    pub stubs: Vec<String>,
}

/// Size of a linear memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemoryLimits {
    /// Bytes at the start.
    pub initial: u64,
    /// Most bytes, if the module says so.
    pub maximum: Option<u64>,
}

/// A file that every worker of a component starts with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InitialFile {
    /// SHA-256 of the content, hex: the blob that holds it.
    pub key: String,
    /// Absolute path in the worker.
    pub path: String,
    /// What the guest may do with it.
    pub permissions: FilePermissions,
    /// Bytes of the content. An addition to the shape of 1.1.
    #[serde(default)]
    pub size: u64,
}

/// What a guest may do with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FilePermissions {
    /// Read it. It cannot be written, renamed or removed.
    #[default]
    ReadOnly,
    /// Do with it what it wants; other workers do not see that.
    ReadWrite,
}

/// The part `filesPermissions` of an upload: files that it does not name are read-only.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct FilesPermissions {
    /// One per file, in any order.
    pub values: Vec<PathPermissions>,
}

/// What guests may do with one initial file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PathPermissions {
    /// Absolute path in the worker.
    pub path: String,
    /// What they may do.
    pub permissions: FilePermissions,
}
