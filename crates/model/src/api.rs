// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / api: the JSON bodies of the REST API that are not a [`crate::component::Component`]. In: nothing.
//! Out: serde types, used by the server and by the command line alike. Never touches IO. Read next: `json.rs` (how a
//! value travels), `api_error.rs` (how a failure travels). Source: client spec §6.5 to §6.7.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::duration::duration_text;
use crate::filter::Filter;
use crate::ids::{ComponentVersion, OplogIndex, Timestamp, WorkerId};
use crate::json::TypeAnnotatedValue;
use crate::worker::WorkerStatus;

mod access;
mod calls;
mod checkpoints;
mod events;
mod export;
mod files;
mod namespaces;
mod secrets;
mod travel;

pub use access::{BadRole, Role, Roles, TokenCreated, TokenId, TokenInfo, TokenRequest, WhoAmI};
pub use calls::{CallHow, CallLeaf, CallNode, CallOutcome, CallTree};
pub use checkpoints::{CheckpointInfo, CheckpointsResponse, DroppedCheckpoints};
pub use events::{InvocationEvent, LogEvent, OutputEvent, WorkerEvent};
pub use export::{Export, ExportHead, ExportTotals, ImportReadiness};
pub use files::{FileNode, FileNodeKind, FileNodes};
pub use namespaces::{
    GrantId, GrantInfo, GrantRequest, NAMESPACE_HEADER, NamespaceInfo, NamespaceRequest,
};
pub use secrets::SecretInfo;
pub use travel::{
    BadScheduleId, CancelResponse, DryRunRequest, DryRunResponse, ForkRequest, ForkResponse,
    Replay, ReplayOutcome, ReplayStep, RevertRequest, ScheduleId, ScheduleResponse, VerifyResponse,
};

/// Name of the request and response header that carries an idempotency key.
pub const IDEMPOTENCY_KEY_HEADER: &str = "Idempotency-Key";
/// The version that `GET /version` reports: clients of a later minor version print a warning above it.
pub const COMPATIBLE_VERSION: &str = "1.1.0";

/// `{}`: the answer of verbs that only say "done" (interrupt, resume, delete, invoke, update).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Empty {}

/// Answer of `GET /version`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionInfo {
    /// See [`COMPATIBLE_VERSION`].
    pub version: String,
}

/// Body of `POST /v1/components/{cid}/workers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorkerCreationRequest {
    /// Name of the new worker; see [`crate::names::check_worker_name`].
    pub name: String,
    /// Command line arguments.
    #[serde(default)]
    pub args: Vec<String>,
    /// Environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}

/// Its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkerCreationResponse {
    /// The worker.
    pub worker_id: WorkerId,
    /// Version of the component that it runs.
    pub component_version: ComponentVersion,
}

/// Body of `invoke` and `invoke-and-await`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct InvokeParameters {
    /// One per parameter of the function, in order.
    pub params: Vec<Param>,
}

/// One parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Param {
    /// What the client believes to be the type. The server reads the value by the signature of the function and never
    /// looks here: clients of version 1.1 send wrong types for options and handles (client spec §6.8).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typ: Option<serde_json::Value>,
    /// The value, see [`crate::json`].
    pub value: serde_json::Value,
}

impl Param {
    /// A parameter without a type.
    #[must_use]
    pub const fn untyped(value: serde_json::Value) -> Self {
        Self { typ: None, value }
    }
}

/// Answer of `invoke-and-await`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InvokeResult {
    /// Always a tuple: one element for a function with a result, none without.
    pub result: TypeAnnotatedValue,
}

/// What is known of a worker. Answer of `GET …/workers/{w}` and element of a listing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkerMetadata {
    /// The worker.
    pub worker_id: WorkerId,
    /// Command line arguments.
    #[serde(default)]
    pub args: Vec<String>,
    /// Environment as given at creation.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// What it is doing.
    pub status: WorkerStatus,
    /// Version of the component that it runs.
    pub component_version: ComponentVersion,
    /// How often the last invocation has failed.
    #[serde(default)]
    pub retry_count: u64,
    /// Invocations that wait in its queue.
    #[serde(default)]
    pub pending_invocation_count: u64,
    /// Updates of its component version, oldest first.
    #[serde(default)]
    pub updates: Vec<UpdateRecord>,
    /// When it was created.
    pub created_at: Timestamp,
    /// The last failure, for people.
    #[serde(default)]
    pub last_error: Option<String>,
    /// Size of the component's wasm in bytes.
    #[serde(default)]
    pub component_size: u64,
    /// Linear memory of the live instance in bytes; 0 when there is none.
    #[serde(default)]
    pub total_linear_memory_size: u64,
    /// Resources that live in it, by number.
    #[serde(default)]
    pub owned_resources: BTreeMap<String, OwnedResource>,
    /// Plugins; always empty today, kept because the REST shape has it.
    #[serde(default)]
    pub active_plugins: Vec<Uuid>,
    /// How failures are retried. An addition to the shape of 1.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_policy: Option<PublicRetryPolicy>,
    /// When the failed invocation runs again. An addition to the shape of 1.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
}

/// How failures of a worker are retried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PublicRetryPolicy {
    /// Attempts in all, the first one included.
    pub max_attempts: u32,
    /// Pause before the second attempt, such as `100ms`.
    pub min_delay: String,
    /// Longest pause, such as `1s`.
    pub max_delay: String,
    /// How much longer each pause is than the one before.
    pub multiplier: f64,
    /// Up to which part of itself a pause is lengthened at random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_jitter_factor: Option<f64>,
}

impl From<&crate::oplog::RetryPolicy> for PublicRetryPolicy {
    fn from(policy: &crate::oplog::RetryPolicy) -> Self {
        let text = |nanos| duration_text(std::time::Duration::from_nanos(nanos));
        Self {
            max_attempts: policy.max_attempts,
            min_delay: text(policy.min_delay),
            max_delay: text(policy.max_delay),
            multiplier: policy.multiplier,
            max_jitter_factor: policy.max_jitter_factor,
        }
    }
}

/// One update of a worker to another version of its component. JSON: tagged by `type`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum UpdateRecord {
    /// Waits for the worker to be idle.
    PendingUpdate {
        /// When it was asked for.
        timestamp: Timestamp,
        /// The version to run.
        target_version: ComponentVersion,
    },
    /// Done.
    SuccessfulUpdate {
        /// When it was done.
        timestamp: Timestamp,
        /// The version that runs since.
        target_version: ComponentVersion,
    },
    /// Given up.
    FailedUpdate {
        /// When it failed.
        timestamp: Timestamp,
        /// The version that could not be run.
        target_version: ComponentVersion,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        details: Option<String>,
    },
}

impl From<&crate::worker::UpdateRecord> for UpdateRecord {
    fn from(record: &crate::worker::UpdateRecord) -> Self {
        use crate::worker::UpdateState;
        let (timestamp, target_version) = (Timestamp(record.at), record.version);
        match record.state() {
            UpdateState::Pending => Self::PendingUpdate {
                timestamp,
                target_version,
            },
            UpdateState::Successful => Self::SuccessfulUpdate {
                timestamp,
                target_version,
            },
            UpdateState::Failed => Self::FailedUpdate {
                timestamp,
                target_version,
                details: record.details.clone(),
            },
        }
    }
}

/// A resource that lives in a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnedResource {
    /// When it was made.
    pub created_at: Timestamp,
    /// How it can be named in a function name, when it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub indexed: Option<IndexedResource>,
}

/// A resource addressed by its constructor's parameters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IndexedResource {
    /// WIT name of the resource.
    pub resource_name: String,
    /// Parameters of its constructor as WAVE.
    pub resource_params: Vec<String>,
}

/// Answer of `GET …/workers`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct WorkersMetadataResponse {
    /// One page.
    pub workers: Vec<WorkerMetadata>,
    /// Where the next page starts; `None` on the last.
    #[serde(default)]
    pub cursor: Option<ScanCursor>,
}

/// Body of `POST …/workers/find`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct WorkersFind {
    /// Which workers; all of them without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
    /// Where the page starts: what the page before said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<ScanCursor>,
    /// Workers in the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Makes no difference: every listing is precise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precise: Option<bool>,
}

/// A position in a listing of workers. In a query it is written `layer/cursor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ScanCursor {
    /// Position inside the layer.
    pub cursor: u64,
    /// Storage layer; 0 today, kept because the REST shape has it.
    pub layer: u64,
}

impl std::fmt::Display for ScanCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.layer, self.cursor)
    }
}

/// A text that is no cursor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a cursor: expected `layer/position`, such as `0/50`")]
pub struct BadCursor(pub String);

impl crate::Coded for BadCursor {
    fn code(&self) -> &'static str {
        "VAL-010"
    }
    fn hint(&self) -> Option<String> {
        Some("pass the cursor that the previous page printed, or leave it out to start from the beginning".to_owned())
    }
}

impl std::str::FromStr for ScanCursor {
    type Err = BadCursor;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || BadCursor(text.to_owned());
        let (layer, cursor) = text.split_once('/').ok_or_else(bad)?;
        Ok(Self {
            layer: layer.parse().map_err(|_| bad())?,
            cursor: cursor.parse().map_err(|_| bad())?,
        })
    }
}

/// Body of `POST …/workers/{w}/update`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateWorkerRequest {
    /// How to carry the state over.
    pub mode: UpdateMode,
    /// The version to run.
    pub target_version: ComponentVersion,
}

/// How an update carries the state of a worker over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UpdateMode {
    /// By replaying the oplog with the new version.
    Automatic,
    /// By the guest's own save and load functions.
    Manual,
}

/// Body of `POST …/workers/{w}/complete`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CompleteRequest {
    /// Oplog index that names the promise.
    pub oplog_idx: OplogIndex,
    /// What the waiting guest gets.
    pub data: Vec<u8>,
}

/// Answer of `GET …/workers/{w}/oplog`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OplogPage {
    /// One page.
    pub entries: Vec<OplogPageEntry>,
    /// Where the next page starts. May be there on the last page: a client stops at an empty page.
    pub next: Option<OplogCursor>,
    /// Index of the first entry of the page.
    pub first_index_in_chunk: OplogIndex,
    /// Index of the last entry of the log.
    pub last_index: OplogIndex,
}

/// One entry of an [`OplogPage`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OplogPageEntry {
    /// Its index.
    pub oplog_index: OplogIndex,
    /// The entry: an object with `type`, `timestamp` and fields in snake case.
    #[schemars(with = "crate::public_oplog::PublicOplogEntry")]
    pub entry: serde_json::Value,
}

/// A position in a log. In a query it is written `next_oplog_index-current_component_version`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OplogCursor {
    /// Index of the next entry.
    pub next_oplog_index: u64,
    /// Component version that runs there.
    pub current_component_version: ComponentVersion,
}

/// A text that is no [`OplogCursor`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a position in an oplog: expected `index-version`, such as `101-0`")]
pub struct BadOplogCursor(pub String);

impl crate::Coded for BadOplogCursor {
    fn code(&self) -> &'static str {
        "VAL-051"
    }
    fn hint(&self) -> Option<String> {
        Some(
            "pass `next` of the page before, or leave it out to start from the beginning"
                .to_owned(),
        )
    }
}

impl std::fmt::Display for OplogCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}-{}",
            self.next_oplog_index, self.current_component_version
        )
    }
}

impl std::str::FromStr for OplogCursor {
    type Err = BadOplogCursor;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || BadOplogCursor(text.to_owned());
        let (index, version) = text.split_once('-').ok_or_else(bad)?;
        Ok(Self {
            next_oplog_index: index.parse().map_err(|_| bad())?,
            current_component_version: version.parse().map_err(|_| bad())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn parameters_with_a_wrong_type_or_none_are_read() {
        let body = json!({"params": [{"typ": {"type": "Nonsense"}, "value": 1}, {"value": null}]});
        let read: InvokeParameters = serde_json::from_value(body).unwrap();
        assert_eq!(read.params[0].value, json!(1));
        assert_eq!(read.params[1], Param::untyped(json!(null)));
        assert!(
            serde_json::from_value::<InvokeParameters>(json!({"params": [{"typ": 1}]})).is_err()
        );
    }

    #[test]
    fn metadata_has_the_names_of_the_rest_shape() {
        let text = r#"{"workerId":{"componentId":"00000000-0000-0000-0000-000000000001","workerName":"w"},"args":[],
            "env":{"A":"b"},"status":"Idle","componentVersion":3,"retryCount":0,"pendingInvocationCount":1,
            "updates":[{"type":"failedUpdate","timestamp":"2024-12-09T12:00:00Z","targetVersion":4,"details":"x"}],
            "createdAt":"2024-12-09T12:00:00.123456Z","lastError":null,"componentSize":8,"totalLinearMemorySize":65536,
            "ownedResources":{"7":{"createdAt":"2024-12-09T12:00:00Z",
            "indexed":{"resourceName":"counter","resourceParams":["\"n\""]}}},"activePlugins":[]}"#;
        let plain: serde_json::Value = serde_json::from_str(text).unwrap();
        let read: WorkerMetadata = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), plain);
    }

    #[test]
    fn a_cursor_is_layer_then_position() {
        let cursor = ScanCursor {
            cursor: 5,
            layer: 0,
        };
        assert_eq!(cursor.to_string(), "0/5");
        assert_eq!("0/5".parse(), Ok(cursor));
        assert!("5".parse::<ScanCursor>().is_err() && "a/b".parse::<ScanCursor>().is_err());
    }

    #[test]
    fn a_position_in_an_oplog_round_trips() {
        let cursor = OplogCursor {
            next_oplog_index: 101,
            current_component_version: 2,
        };
        assert_eq!(cursor.to_string(), "101-2");
        assert_eq!("101-2".parse(), Ok(cursor));
        for text in ["101", "101-", "-1", "a-b", "1-2-3"] {
            assert!(text.parse::<OplogCursor>().is_err(), "{text}");
        }
    }
}
