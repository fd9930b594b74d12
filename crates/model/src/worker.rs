// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / worker: what is known of a worker without reading its log. In: oplog entries. Out: status.
//! Never touches IO. Read next: `api.rs` (how it is shown). Source: client spec §6.6, runtime spec §1.4.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a worker is doing. Runtime spec §1.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum WorkerStatus {
    /// An invocation runs.
    Running,
    /// Nothing to do.
    Idle,
    /// An invocation waits outside memory.
    Suspended,
    /// A user stopped it; `resume` goes on.
    Interrupted,
    /// An invocation failed and will be tried again.
    Retrying,
    /// An invocation failed for good; see the last error.
    Failed,
    /// The guest ended itself.
    Exited,
}

impl std::fmt::Display for WorkerStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(self, f)
    }
}

/// The row that the store keeps per worker: enough to list it and to wake it, never the history.
///
/// Protobuf wire format, like the log, so that old rows stay readable.
#[derive(Clone, PartialEq, prost::Message)]
pub struct WorkerRow {
    /// Its log (see [`crate::ids::LogId`]).
    #[prost(fixed64, tag = "1")]
    pub log: u64,
    /// Component version that it runs.
    #[prost(uint64, tag = "2")]
    pub version: u64,
    /// Microseconds since 1970.
    #[prost(uint64, tag = "3")]
    pub created_at: u64,
    /// A status that is not derived from the log's end: 0 idle or running, else see [`RowState`].
    #[prost(enumeration = "RowState", tag = "4")]
    pub state: i32,
    /// Command line arguments.
    #[prost(string, repeated, tag = "5")]
    pub args: Vec<String>,
    /// Environment.
    #[prost(message, repeated, tag = "6")]
    pub env: Vec<crate::oplog::EnvVar>,
    /// The last failure, for people.
    #[prost(string, optional, tag = "7")]
    pub last_error: Option<String>,
    /// How often the last invocation has failed.
    #[prost(uint32, tag = "8")]
    pub retry_count: u32,
    /// Updates of the worker, oldest first; the oldest are forgotten beyond [`UPDATE_RECORDS_MAX`].
    #[prost(message, repeated, tag = "9")]
    pub updates: Vec<UpdateRecord>,
    /// Entries of its log before this one are done with: results that they tell of were let go, or stay for ever.
    #[prost(uint64, tag = "10")]
    pub results_from: u64,
    /// Versions of the secrets that its environment refers to.
    #[prost(message, repeated, tag = "20")]
    pub secrets: Vec<crate::oplog::SecretPin>,
    /// Where it begins; absent when it ran the start-up code of its component itself.
    #[prost(message, optional, tag = "21")]
    pub start: Option<crate::oplog::SharedStart>,
}

/// Updates that a row remembers: enough to see what happened lately, so that a row never grows with a worker's life.
pub const UPDATE_RECORDS_MAX: usize = 16;

/// What became of an update. The target version tells updates apart: one that is asked for again replaces its record.
#[derive(Clone, PartialEq, prost::Message)]
pub struct UpdateRecord {
    /// When it got into this state, microseconds since 1970.
    #[prost(uint64, tag = "1")]
    pub at: u64,
    /// The version that is wanted.
    #[prost(uint64, tag = "2")]
    pub version: u64,
    /// Where it is.
    #[prost(enumeration = "UpdateState", tag = "3")]
    pub state: i32,
    /// Why it failed.
    #[prost(string, optional, tag = "4")]
    pub details: Option<String>,
}

/// See [`UpdateRecord`]. Numbers are on disk: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum UpdateState {
    /// Asked for, not done.
    Pending = 0,
    /// Done.
    Successful = 1,
    /// Not possible; the worker runs its old version.
    Failed = 2,
}

/// Lasting states of a worker that change what it accepts. Numbers are on disk: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum RowState {
    /// Accepts invocations.
    Live = 0,
    /// Stopped by a user.
    Interrupted = 1,
    /// An invocation failed for good.
    Failed = 2,
    /// The guest ended itself.
    Exited = 3,
    /// An invocation failed and will be tried again.
    Retrying = 4,
    /// An invocation waits outside memory for a timer or a promise.
    Suspended = 5,
}

impl WorkerRow {
    /// Notes what became of the update to `version` at `at` (microseconds since 1970).
    pub fn note_update(
        &mut self,
        at: u64,
        version: u64,
        state: UpdateState,
        details: Option<String>,
    ) {
        let pending = |record: &UpdateRecord| {
            record.version == version && record.state() == UpdateState::Pending
        };
        self.updates.retain(|record| !pending(record));
        self.updates.push(UpdateRecord {
            at,
            version,
            state: state as i32,
            details,
        });
        let over = self.updates.len().saturating_sub(UPDATE_RECORDS_MAX);
        self.updates.drain(..over);
    }

    /// Reads a row. Fails on bytes that are no protobuf message.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, prost::DecodeError> {
        prost::Message::decode(bytes)
    }

    /// The bytes of the row.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        prost::Message::encode_to_vec(self)
    }
}
