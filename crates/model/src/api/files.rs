// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / api/files: bodies about the files of workers. In: nothing. Out: serde types. Read next: `../component.rs` (initial
//! files). Source: client spec §6.6.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::component::FilePermissions;

/// Answer of `GET …/workers/{w}/files/{path}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileNodes {
    /// What is in the directory, by name.
    pub nodes: Vec<FileNode>,
}

/// A file or directory of a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileNode {
    /// Its name in its directory.
    pub name: String,
    /// Seconds since 1970.
    pub last_modified: u64,
    /// What it is.
    pub kind: FileNodeKind,
    /// What the guest may do with it; of files only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<FilePermissions>,
    /// Bytes; of files only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

/// What a [`FileNode`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum FileNodeKind {
    /// It has nodes.
    Directory,
    /// It has bytes.
    File,
}
