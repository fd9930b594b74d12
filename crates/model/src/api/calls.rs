// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / api/calls: the tree of the calls that one invocation has made, across workers. In: nothing. Out: serde types.
//! Read next: golem-engine `node/call_tree.rs`. Why: ADR 0003, ADR 0015.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{ComponentVersion, IdempotencyKey, OplogIndex, Timestamp};

/// Answer of `GET …/workers/{w}/calls`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallTree {
    /// The moment that it shows.
    pub at: Timestamp,
    /// Whether something was left out: see [`CallNode::truncated`].
    pub truncated: bool,
    /// The invocation that was asked for.
    pub root: CallNode,
}

/// One invocation, and the calls that it has made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallNode {
    /// URN of whoever was called; of an ephemeral component without a name.
    pub target: String,
    /// Name of its component; absent where that may not be seen or is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component_name: Option<String>,
    /// The version that its worker runs now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component_version: Option<ComponentVersion>,
    /// Full name of the function, as far as it is known.
    pub function: String,
    /// Its idempotency key.
    pub idempotency_key: IdempotencyKey,
    /// How the caller called it; absent at the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub how: Option<CallHow>,
    /// Where its beginning stands in the oplog of its worker; its acceptance, before it has begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oplog_index: Option<OplogIndex>,
    /// Where the call stands in the oplog of the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub called_at_index: Option<OplogIndex>,
    /// When it was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub called_at: Option<Timestamp>,
    /// When its worker accepted it, or will, if it is scheduled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_at: Option<Timestamp>,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// From its beginning, or from the call where that is not known, to its end, or to now if it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_micros: Option<u64>,
    /// What became of it.
    pub outcome: CallOutcome,
    /// Code of the error, as an invocation from outside would have been answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// What the error says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How often it was tried again after a failure.
    pub retries: u32,
    /// Why there is nothing below it and less about it than about others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaf: Option<CallLeaf>,
    /// The part of a history that has it was undone: that of its caller, or that of its own worker. What it has done to others stays.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undone: bool,
    /// Calls of it were left out, because there are too many, too deep, or too far apart in its oplog.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// The calls that it has made, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<CallNode>,
}

/// How a worker calls another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CallHow {
    /// It waits for the result.
    Awaited,
    /// It goes on, and takes the result later.
    Async,
    /// Nobody waits.
    Triggered,
}

/// What became of an invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CallOutcome {
    /// It has a result.
    Ok,
    /// It has failed, was cancelled or ran out of time.
    Error,
    /// It has begun, and runs, waits or is to be tried again.
    Running,
    /// It is accepted, or on its way, and has not begun.
    Pending,
    /// It is in the calendar.
    Scheduled,
    /// Nothing that may be read says so.
    Unknown,
}

/// Why a call is shown as a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CallLeaf {
    /// The worker was deleted, or its component: only the caller knows of the call.
    Deleted,
    /// It belongs to a namespace that whoever asks has no role in: only what the caller has noted is shown.
    Hidden,
    /// An ephemeral component keeps no oplog.
    Ephemeral,
    /// Its oplog cannot be read.
    Damaged,
}
