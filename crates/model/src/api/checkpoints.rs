// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / api/checkpoints: bodies of calls about the checkpoints of a worker. In: nothing. Out: serde types.
//! Read next: golem-engine `node/checkpoints.rs`. Why: ADR 0007.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{ComponentVersion, OplogIndex, Timestamp};

/// Answer of `GET …/workers/{w}/checkpoints`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckpointsResponse {
    /// The newest first.
    pub checkpoints: Vec<CheckpointInfo>,
}

/// An image of a worker on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckpointInfo {
    /// The last entry of the oplog that it has seen.
    pub oplog_index: OplogIndex,
    /// The version that the worker ran; absent where it cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component_version: Option<ComponentVersion>,
    /// Bytes on disk.
    pub size_bytes: u64,
    /// When it was taken, as the file system has it; absent where that keeps no times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<Timestamp>,
    /// Whether the worker would be brought back from it, if it were to be brought back now.
    pub used: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unused_because: Option<String>,
}

/// Answer of `DELETE …/workers/{w}/checkpoints`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DroppedCheckpoints {
    /// How many there were.
    pub dropped: u64,
}
