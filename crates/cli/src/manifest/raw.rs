// SPDX-License-Identifier: Apache-2.0
//! THE DESK / manifest raw: `golem.yaml` as it is written, key by key. Unknown keys are errors. Never checks how keys fit
//! together. Read next: `read.rs`. Why: docs/formats/manifest.md is this file in words.

use std::{collections::BTreeMap, path::PathBuf};

use golem_model::capabilities::Capabilities;
use golem_model::component::FilePermissions;
use serde::Deserialize;
use serde_saphyr::Spanned;

/// The version of the format; a file without one is of this version.
pub(crate) const VERSION: u32 = 1;

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Raw {
    /// Version of the format.
    pub(crate) manifest_version: Option<Spanned<u32>>,
    /// Where everything goes that can be made again; `target` when absent.
    pub(crate) temp_dir: Option<PathBuf>,
    /// The components by name.
    #[serde(default)]
    pub(crate) components: BTreeMap<String, Spanned<RawComponent>>,
    /// What each component calls.
    #[serde(default)]
    pub(crate) dependencies: BTreeMap<String, Spanned<Vec<Spanned<RawDependency>>>>,
}

/// One component.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct RawComponent {
    pub(crate) source_wit: PathBuf,
    pub(crate) world: Option<String>,
    pub(crate) source_dir: Option<PathBuf>,
    #[serde(default)]
    pub(crate) bindings: RawBindings,
    pub(crate) component_wasm: Option<PathBuf>,
    pub(crate) linked_wasm: Option<PathBuf>,
    #[serde(default)]
    pub(crate) compose: bool,
    #[serde(default)]
    pub(crate) component_type: ComponentKind,
    #[serde(default)]
    pub(crate) build: Vec<RawCommand>,
    pub(crate) capabilities: Option<Capabilities>,
    #[serde(default)]
    pub(crate) files: Vec<Spanned<RawFile>>,
}

/// A file or a folder that workers begin with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct RawFile {
    pub(crate) source_path: PathBuf,
    pub(crate) target_path: String,
    #[serde(default)]
    pub(crate) permissions: FilePermissions,
}

/// Where the bindings go and what they are called.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct RawBindings {
    pub(crate) dir: Option<PathBuf>,
    pub(crate) package: Option<String>,
    #[serde(default)]
    pub(crate) style: BindingStyle,
}

/// The look of the bindings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum BindingStyle {
    /// The names of the `tiny-go` generator.
    #[default]
    TinyGo,
    /// A package per interface, errors, contexts, futures.
    Go,
}

/// Whether workers of a component last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ComponentKind {
    /// Workers keep their state.
    #[default]
    Durable,
    /// A fresh instance for each invocation.
    Ephemeral,
}

/// One command of a build that is not Go's.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct RawCommand {
    pub(crate) command: String,
    pub(crate) dir: Option<PathBuf>,
    #[serde(default)]
    pub(crate) mkdirs: Vec<PathBuf>,
}

/// One component that another one calls.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct RawDependency {
    #[serde(rename = "type")]
    pub(crate) kind: DependencyKind,
    pub(crate) target: String,
    #[serde(default)]
    pub(crate) error_results: bool,
}

/// How a component calls another one.
#[derive(Debug, Deserialize)]
pub(crate) enum DependencyKind {
    /// Through a stub.
    #[serde(rename = "wasm-rpc")]
    WasmRpc,
}

/// Keys of Golem 1.1's manifest that have no meaning here, with what to do instead.
pub(crate) const FOREIGN_KEYS: &[(&str, &str)] = &[
    ("includes", "list all components in one golem.yaml"),
    (
        "witDeps",
        "put the WIT packages into `deps` of the component's WIT directory",
    ),
    (
        "templates",
        "write the keys of the template into each component",
    ),
    (
        "template",
        "write the keys of the template into the component",
    ),
    (
        "generatedWit",
        "leave it out: nothing is generated beside the source WIT",
    ),
    (
        "profiles",
        "leave it out: `golem-cli build --debug` keeps symbols",
    ),
    (
        "defaultProfile",
        "leave it out: `golem-cli build --debug` keeps symbols",
    ),
    (
        "customCommands",
        "use a Makefile for commands that are no builds",
    ),
    (
        "clean",
        "leave it out: everything that can be made again is in `tempDir`",
    ),
    ("sources", "leave it out: the commands run every time"),
    ("targets", "leave it out: the commands run every time"),
];
