// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / api export: what an export of a whole server says of itself, and what became of an import. In: nothing. Out: serde
//! types. Read next: golem-storage `export.rs`. Format: docs/formats/export.md.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::Timestamp;

/// The first record of an export. A later version of the program may add to it.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExportHead {
    /// Version of the program that wrote it.
    pub program: String,
    /// When it was begun; everything that was acknowledged before is in it.
    pub created_at: Timestamp,
    /// Number of shards of the store: one with another number does not take it.
    pub shards: u16,
}

/// What an export has in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExportTotals {
    /// Bytes of the whole file.
    pub bytes: u64,
    /// Records, head and end not counted.
    pub records: u64,
    /// Workers.
    pub workers: u64,
    /// Entries of oplogs.
    pub entries: u64,
    /// Blobs: components and large payloads.
    pub blobs: u64,
}

/// A whole export: its file was read or written to the end.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Export {
    /// Its name: SHA-256, in lower-case hexadecimal, of all bytes before its end record.
    pub sha256: String,
    /// What it says of itself.
    pub head: ExportHead,
    /// What is in it.
    pub totals: ExportTotals,
}

/// Answer of `GET /v1/import`: whether this server takes an import, that is, has nothing yet.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportReadiness {
    /// Whether it does.
    pub ready: bool,
    /// What it has already, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
}
