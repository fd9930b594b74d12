// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / entry: a public entry of a log as `golem:api/oplog` has it. In: an entry. Out: its WIT form; values lose their types
//! and become nodes. Bound: those of the entry. Never touches a log. Read next: golem-model `public_oplog.rs`.
//! Source: client spec §4.6.

use std::time::Duration;

use golem_model::duration::parse_duration;
use golem_model::json::TypeAnnotatedValue;
use golem_model::public_oplog::{
    FunctionType, PublicOplogEntry as Public, PublicUpdateDescription, PublicWorkerInvocation,
    RetryConfig,
};
use golem_model::{Timestamp, Value};
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;

use super::super::golem_api::wit_worker_id;
use super::oplog::{
    ChangeRetryPolicyParameters, CreateParameters, EndAtomicRegionParameters, ErrorParameters,
    ExportedFunctionCompletedParameters, ExportedFunctionInvocationParameters,
    ExportedFunctionInvokedParameters, FailedUpdateParameters, ImportedFunctionInvokedParameters,
    JumpParameters, LogLevel, LogParameters, OplogEntry, PendingUpdateParameters,
    PendingWorkerInvocationParameters, SuccessfulUpdateParameters, UpdateDescription,
    WorkerInvocation, WrappedFunctionType,
};
use crate::rpc::bindings::golem::api::host::{AccountId, RetryPolicy};
use crate::rpc::bindings::golem::rpc::types::WitValue;
use crate::rpc::encode;

/// The entry as a guest sees it. What Golem 1.1 has no case for is a no-op.
pub(super) fn wit_entry(entry: Public) -> OplogEntry {
    match entry {
        Public::Create {
            timestamp,
            worker_id,
            component_version,
            args,
            env,
            account_id,
            parent,
            component_size,
            initial_total_linear_memory_size,
            ..
        } => OplogEntry::Create(CreateParameters {
            timestamp: datetime(timestamp),
            worker_id: wit_worker_id(&worker_id),
            component_version,
            args,
            env: env.into_iter().collect(),
            account_id: AccountId { value: account_id },
            parent: parent.as_ref().map(wit_worker_id),
            component_size,
            initial_total_linear_memory_size,
            initial_active_plugins: Vec::new(),
        }),
        Public::ImportedFunctionInvoked {
            timestamp,
            function_name,
            request,
            response,
            wrapped_function_type,
            ..
        } => OplogEntry::ImportedFunctionInvoked(ImportedFunctionInvokedParameters {
            timestamp: datetime(timestamp),
            function_name,
            request: nodes(&request),
            response: nodes(&response),
            wrapped_function_type: match wrapped_function_type {
                FunctionType::ReadLocal => WrappedFunctionType::ReadLocal,
                FunctionType::WriteLocal => WrappedFunctionType::WriteLocal,
                FunctionType::ReadRemote => WrappedFunctionType::ReadRemote,
                FunctionType::WriteRemote => WrappedFunctionType::WriteRemote,
            },
        }),
        Public::ExportedFunctionInvoked {
            timestamp,
            function_name,
            request,
            idempotency_key,
            ..
        } => OplogEntry::ExportedFunctionInvoked(ExportedFunctionInvokedParameters {
            timestamp: datetime(timestamp),
            function_name,
            request: request.iter().map(nodes).collect(),
            idempotency_key: idempotency_key.0,
        }),
        Public::ExportedFunctionCompleted {
            timestamp,
            response,
            consumed_fuel,
            ..
        } => OplogEntry::ExportedFunctionCompleted(ExportedFunctionCompletedParameters {
            timestamp: datetime(timestamp),
            response: nodes(&response),
            consumed_fuel,
        }),
        Public::Suspend { timestamp, .. } => OplogEntry::Suspend(datetime(timestamp)),
        Public::Error {
            timestamp, error, ..
        } => OplogEntry::Error(ErrorParameters {
            timestamp: datetime(timestamp),
            error,
        }),
        Public::Jump {
            timestamp, jump, ..
        } => OplogEntry::Jump(JumpParameters {
            timestamp: datetime(timestamp),
            start: jump.start.0,
            end: jump.end.0,
        }),
        Public::Interrupted { timestamp } => OplogEntry::Interrupted(datetime(timestamp)),
        Public::Exited { timestamp, .. } => OplogEntry::Exited(datetime(timestamp)),
        Public::ChangeRetryPolicy {
            timestamp,
            new_policy,
        } => OplogEntry::ChangeRetryPolicy(ChangeRetryPolicyParameters {
            timestamp: datetime(timestamp),
            retry_policy: policy(new_policy),
        }),
        Public::BeginAtomicRegion { timestamp } => {
            OplogEntry::BeginAtomicRegion(datetime(timestamp))
        }
        Public::EndAtomicRegion {
            timestamp,
            begin_index,
        } => OplogEntry::EndAtomicRegion(EndAtomicRegionParameters {
            timestamp: datetime(timestamp),
            begin_index: begin_index.0,
        }),
        Public::BeginRemoteWrite { timestamp, .. } => {
            OplogEntry::BeginRemoteWrite(datetime(timestamp))
        }
        Public::PendingWorkerInvocation {
            timestamp,
            invocation,
            ..
        } => OplogEntry::PendingWorkerInvocation(PendingWorkerInvocationParameters {
            timestamp: datetime(timestamp),
            invocation: match invocation {
                PublicWorkerInvocation::ExportedFunction {
                    idempotency_key,
                    full_function_name,
                    function_input,
                } => WorkerInvocation::ExportedFunction(ExportedFunctionInvocationParameters {
                    idempotency_key: idempotency_key.0,
                    function_name: full_function_name,
                    input: function_input.map(|input| input.iter().map(nodes).collect()),
                }),
            },
        }),
        Public::PendingUpdate {
            timestamp,
            target_version,
            description,
        } => OplogEntry::PendingUpdate(PendingUpdateParameters {
            timestamp: datetime(timestamp),
            target_version,
            update_description: match description {
                PublicUpdateDescription::Automatic => UpdateDescription::AutoUpdate,
                PublicUpdateDescription::SnapshotBased { payload } => {
                    UpdateDescription::SnapshotBased(payload)
                }
            },
        }),
        Public::SuccessfulUpdate {
            timestamp,
            target_version,
            new_component_size,
            ..
        } => OplogEntry::SuccessfulUpdate(SuccessfulUpdateParameters {
            timestamp: datetime(timestamp),
            target_version,
            new_component_size,
            new_active_plugins: Vec::new(),
        }),
        Public::FailedUpdate {
            timestamp,
            target_version,
            details,
        } => OplogEntry::FailedUpdate(FailedUpdateParameters {
            timestamp: datetime(timestamp),
            target_version,
            details,
        }),
        Public::Log {
            timestamp,
            level,
            context,
            message,
        } => OplogEntry::Log(LogParameters {
            timestamp: datetime(timestamp),
            level: log_level(&level),
            context,
            message,
        }),
        Public::Restart { timestamp } => OplogEntry::Restart(datetime(timestamp)),
        Public::NoOp { timestamp }
        | Public::Resumed { timestamp }
        | Public::ChangePersistenceLevel { timestamp, .. }
        | Public::Cancelled { timestamp, .. }
        | Public::Sent { timestamp, .. }
        | Public::PromiseCreated { timestamp, .. }
        | Public::Unknown { timestamp } => OplogEntry::NoOp(datetime(timestamp)),
    }
}

fn datetime(timestamp: Timestamp) -> Datetime {
    let (seconds, micros) = timestamp.parts();
    Datetime {
        seconds,
        nanoseconds: micros * 1_000,
    }
}

/// A value without its type. One that is not of the type that stands beside it is given as its JSON.
fn nodes(value: &TypeAnnotatedValue) -> WitValue {
    match value.read() {
        Ok(value) => encode(&value),
        Err(_) => encode(&Value::String(value.value.to_string())),
    }
}

fn policy(config: Option<RetryConfig>) -> RetryPolicy {
    let default = crate::retry::default_policy();
    let Some(config) = config else {
        return RetryPolicy {
            max_attempts: default.max_attempts,
            min_delay: default.min_delay,
            max_delay: default.max_delay,
            multiplier: default.multiplier,
            max_jitter_factor: default.max_jitter_factor,
        };
    };
    // A pause that is longer than a length of time may be is shown as no limit.
    let nanos = |text: &str| {
        parse_duration(text).map_or(u64::MAX, |pause: Duration| {
            u64::try_from(pause.as_nanos()).unwrap_or(u64::MAX)
        })
    };
    RetryPolicy {
        max_attempts: config.max_attempts,
        min_delay: nanos(&config.min_delay),
        max_delay: nanos(&config.max_delay),
        multiplier: config.multiplier,
        max_jitter_factor: config.max_jitter_factor,
    }
}

fn log_level(level: &str) -> LogLevel {
    match level {
        "Stderr" => LogLevel::Stderr,
        "Trace" => LogLevel::Trace,
        "Debug" => LogLevel::Debug,
        "Info" => LogLevel::Info,
        "Warn" => LogLevel::Warn,
        "Error" => LogLevel::Error,
        "Critical" => LogLevel::Critical,
        _ => LogLevel::Stdout,
    }
}
