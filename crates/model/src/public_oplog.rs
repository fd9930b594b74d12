// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / public_oplog: the entries of a log as people and clients see them. In: an entry, and what names its parts. Out: the
//! shape that Golem 1.1 published: tagged by `type`, fields in snake case, values with their types. Never touches IO.
//! Bound: payloads in blobs are named, not shown. Read next: `public_oplog/publish.rs`, `query.rs`. Source: client spec §6.6.
//!
//! Types that 1.1 does not have, in the same style: Resumed, Cancelled, Sent, ChangePersistenceLevel, PromiseCreated, Unknown.
//! Fields that it does not have stand behind those that it has; its clients skip them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{ComponentVersion, IdempotencyKey, OplogIndex, Timestamp, WorkerId};
use crate::json::TypeAnnotatedValue;

mod publish;
mod untyped;

pub use publish::{Known, publish, refers_to};
pub use untyped::untyped;

/// What 1.1 writes where an account would be named: there are none.
pub const NO_ACCOUNT: &str = "-1";

/// One entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum PublicOplogEntry {
    /// The worker was created.
    Create {
        /// When.
        timestamp: Timestamp,
        /// The worker.
        worker_id: WorkerId,
        /// Version that it starts with.
        component_version: ComponentVersion,
        /// Command line arguments.
        args: Vec<String>,
        /// Environment as given.
        env: BTreeMap<String, String>,
        /// Always [`NO_ACCOUNT`].
        account_id: String,
        /// The worker whose call created it.
        parent: Option<WorkerId>,
        /// Size of its component in bytes.
        component_size: u64,
        /// Always 0: memory is measured, not recorded.
        initial_total_linear_memory_size: u64,
        /// Always empty.
        initial_active_plugins: Vec<serde_json::Value>,
        /// Name of the worker that it was forked from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        forked_from: Option<String>,
        /// Last entry that was copied from that worker.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        forked_at: Option<OplogIndex>,
    },
    /// The guest called a host function, and this was the answer.
    ImportedFunctionInvoked {
        /// When.
        timestamp: Timestamp,
        /// `package/interface.function`.
        function_name: String,
        /// What the guest passed, as far as the log has it.
        request: TypeAnnotatedValue,
        /// What it got.
        response: TypeAnnotatedValue,
        /// What kind of call it is.
        wrapped_function_type: FunctionType,
        /// The [`PublicOplogEntry::BeginRemoteWrite`] entry of the call, if it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        begin_index: Option<OplogIndex>,
    },
    /// An invocation began to run.
    ExportedFunctionInvoked {
        /// When.
        timestamp: Timestamp,
        /// Full name of the function.
        function_name: String,
        /// Its arguments.
        request: Vec<TypeAnnotatedValue>,
        /// Its key.
        idempotency_key: IdempotencyKey,
        /// The [`PublicOplogEntry::PendingWorkerInvocation`] entry that accepted it.
        accepted_index: OplogIndex,
    },
    /// An invocation finished with a result.
    ExportedFunctionCompleted {
        /// When.
        timestamp: Timestamp,
        /// A tuple of no or one value.
        response: TypeAnnotatedValue,
        /// Always 0: fuel is not counted.
        consumed_fuel: i64,
        /// Full name of the function.
        function_name: String,
        /// Its key.
        idempotency_key: IdempotencyKey,
    },
    /// The running invocation waits outside memory.
    Suspend {
        /// When.
        timestamp: Timestamp,
        /// When its first timer is due; absent when it waits for promises only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// An invocation failed.
    Error {
        /// When.
        timestamp: Timestamp,
        /// What the guest or the engine said.
        error: String,
        /// The kind of failure, such as `Trap` or `Timeout`.
        kind: String,
        /// Key of the invocation.
        idempotency_key: IdempotencyKey,
        /// How often it has failed so far.
        attempt: u32,
        /// When it is tried again; absent when it is not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_at: Option<Timestamp>,
        /// Functions of the guest that were active, innermost first.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        trace: Vec<String>,
        /// URNs of the workers along a deadlock.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        path: Vec<String>,
    },
    /// The guest asked where it is in its log.
    NoOp {
        /// When.
        timestamp: Timestamp,
    },
    /// Entries of a region no longer count.
    Jump {
        /// When.
        timestamp: Timestamp,
        /// The region.
        jump: OplogRegion,
        /// Why: `AtomicRegion`, `SetIndex`, `Revert`, `Cancelled`, `FailedUpdate`.
        reason: String,
    },
    /// A user interrupted the worker.
    Interrupted {
        /// When.
        timestamp: Timestamp,
    },
    /// A user resumed the worker.
    Resumed {
        /// When.
        timestamp: Timestamp,
    },
    /// The guest ended itself.
    Exited {
        /// When.
        timestamp: Timestamp,
        /// Its exit status.
        status: u32,
    },
    /// How failures are retried from here on.
    ChangeRetryPolicy {
        /// When.
        timestamp: Timestamp,
        /// The policy; absent: the default one again.
        new_policy: Option<RetryConfig>,
    },
    /// What the guest wants to have recorded from here on.
    ChangePersistenceLevel {
        /// When.
        timestamp: Timestamp,
        /// `Smart`, `RemoteSideEffects` or `Nothing`.
        level: String,
    },
    /// An atomic region begins.
    BeginAtomicRegion {
        /// When.
        timestamp: Timestamp,
    },
    /// An atomic region ends.
    EndAtomicRegion {
        /// When.
        timestamp: Timestamp,
        /// Where it began.
        begin_index: OplogIndex,
    },
    /// A host call with an effect outside the worker is about to happen; its answer is an
    /// [`PublicOplogEntry::ImportedFunctionInvoked`] entry.
    BeginRemoteWrite {
        /// When.
        timestamp: Timestamp,
        /// `package/interface.function`.
        function_name: String,
        /// What a person wants to see: target and function, method and address.
        subject: String,
        /// What the guest passed, as far as the log has it.
        request: TypeAnnotatedValue,
        /// Number of the call within its invocation.
        call_number: u64,
    },
    /// An invocation was accepted.
    PendingWorkerInvocation {
        /// When.
        timestamp: Timestamp,
        /// What it is.
        invocation: PublicWorkerInvocation,
        /// URN of the worker that calls.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        caller: Option<String>,
        /// Until when it has to be finished.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deadline: Option<Timestamp>,
    },
    /// A pending invocation was cancelled before it started.
    Cancelled {
        /// When.
        timestamp: Timestamp,
        /// Its key.
        idempotency_key: IdempotencyKey,
        /// The entry that accepted it.
        accepted_index: OplogIndex,
    },
    /// Calls that nobody waits for were accepted by their targets.
    Sent {
        /// When.
        timestamp: Timestamp,
        /// Their [`PublicOplogEntry::BeginRemoteWrite`] entries.
        begin_indexes: Vec<OplogIndex>,
    },
    /// Somebody wants the worker to run another version.
    PendingUpdate {
        /// When.
        timestamp: Timestamp,
        /// That version.
        target_version: ComponentVersion,
        /// How.
        description: PublicUpdateDescription,
    },
    /// Another version runs from here on.
    SuccessfulUpdate {
        /// When.
        timestamp: Timestamp,
        /// That version.
        target_version: ComponentVersion,
        /// Size of its component in bytes.
        new_component_size: u64,
        /// Always empty.
        new_active_plugins: Vec<serde_json::Value>,
        /// The version until here.
        previous_version: ComponentVersion,
    },
    /// The worker stays as it was.
    FailedUpdate {
        /// When.
        timestamp: Timestamp,
        /// The version that was wanted.
        target_version: ComponentVersion,
        /// Why not.
        details: Option<String>,
    },
    /// The guest wrote a line.
    Log {
        /// When.
        timestamp: Timestamp,
        /// `Stdout`, `Stderr`, `Trace`, `Debug`, `Info`, `Warn`, `Error` or `Critical`.
        level: String,
        /// Where the guest says that it comes from.
        context: String,
        /// The text.
        message: String,
    },
    /// A user simulated a crash.
    Restart {
        /// When.
        timestamp: Timestamp,
    },
    /// The guest created a promise.
    PromiseCreated {
        /// When.
        timestamp: Timestamp,
        /// What names it when it is completed: the index of this entry.
        oplog_idx: OplogIndex,
    },
    /// An entry that this version does not know.
    Unknown {
        /// When.
        timestamp: Timestamp,
    },
}

/// What kind of host call it is. JSON: an object with a `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum FunctionType {
    /// It reads something of the worker or its machine: a clock, random bytes.
    ReadLocal,
    /// It changes something that belongs to the worker.
    WriteLocal,
    /// It reads something outside.
    ReadRemote,
    /// It changes something outside.
    WriteRemote,
}

/// Entries from `start` to `end`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OplogRegion {
    /// The first.
    pub start: OplogIndex,
    /// The last.
    pub end: OplogIndex,
}

/// A retry policy; pauses as text, such as `100ms`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RetryConfig {
    /// Attempts in all.
    pub max_attempts: u32,
    /// Pause before the second attempt.
    pub min_delay: String,
    /// Longest pause.
    pub max_delay: String,
    /// How much longer each pause is than the one before.
    pub multiplier: f64,
    /// Up to which part of itself a pause is lengthened at random.
    pub max_jitter_factor: Option<f64>,
}

/// What waits in the queue of a worker. JSON: tagged by `type`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum PublicWorkerInvocation {
    /// A call of an exported function.
    ExportedFunction {
        /// Its key.
        idempotency_key: IdempotencyKey,
        /// Full name of the function.
        full_function_name: String,
        /// Its arguments.
        function_input: Option<Vec<TypeAnnotatedValue>>,
    },
}

/// How an update carries the state over. JSON: tagged by `type`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum PublicUpdateDescription {
    /// The new version repeats the history.
    Automatic,
    /// The guest saves and loads itself.
    SnapshotBased {
        /// Always empty here: the snapshot is made later.
        payload: Vec<u8>,
    },
}
