// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / api/events: what a worker says while somebody listens: the texts of `GET …/workers/{w}/connect`. In: nothing. Out:
//! serde types in the shapes of Golem 1.1. Read next: `../websocket.rs`. Source: client spec §6.6, §8.2 (9).
//!
//! `oplog_index` is new: a listener that was cut off goes on behind the last one it has. Clients of 1.1 skip it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{IdempotencyKey, OplogIndex, Timestamp};

/// One event, tagged from outside: `{"StdOut": {…}}`, `"Close"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WorkerEvent {
    /// The guest wrote to its standard output.
    StdOut(OutputEvent),
    /// The guest wrote to its standard error.
    StdErr(OutputEvent),
    /// The guest logged through `wasi:logging`.
    Log(LogEvent),
    /// An invocation began to run.
    InvocationStart(InvocationEvent),
    /// An invocation finished.
    InvocationFinished(InvocationEvent),
    /// Nothing more will come: the worker is deleted, or the server stops.
    Close,
}

/// Bytes of a stream of the guest: one line with its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutputEvent {
    /// When it became part of the worker's history.
    pub timestamp: Timestamp,
    /// The bytes, as a list of numbers.
    pub bytes: Vec<u8>,
    /// Where it is in the oplog.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oplog_index: Option<OplogIndex>,
}

/// A line of `wasi:logging`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogEvent {
    /// When it became part of the worker's history.
    pub timestamp: Timestamp,
    /// `Trace`, `Debug`, `Info`, `Warn`, `Error` or `Critical`.
    pub level: String,
    /// Where the guest says that it comes from.
    pub context: String,
    /// The text.
    pub message: String,
    /// Where it is in the oplog.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oplog_index: Option<OplogIndex>,
}

/// An invocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InvocationEvent {
    /// When.
    pub timestamp: Timestamp,
    /// Full name of the function.
    pub function: String,
    /// Its key, as a plain string.
    pub idempotency_key: IdempotencyKey,
    /// Where it is in the oplog.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oplog_index: Option<OplogIndex>,
}

impl WorkerEvent {
    /// Where it is in the oplog, if the server says so.
    #[must_use]
    pub const fn oplog_index(&self) -> Option<OplogIndex> {
        match self {
            Self::StdOut(event) | Self::StdErr(event) => event.oplog_index,
            Self::Log(event) => event.oplog_index,
            Self::InvocationStart(event) | Self::InvocationFinished(event) => event.oplog_index,
            Self::Close => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shapes_are_those_of_the_original() {
        let check = |event: WorkerEvent, expect: &str| {
            assert_eq!(serde_json::to_string(&event).unwrap(), expect);
            assert_eq!(serde_json::from_str::<WorkerEvent>(expect).unwrap(), event);
        };
        let timestamp = Timestamp(0);
        check(
            WorkerEvent::StdOut(OutputEvent {
                timestamp,
                bytes: b"hi\n".to_vec(),
                oplog_index: None,
            }),
            r#"{"StdOut":{"timestamp":"1970-01-01T00:00:00Z","bytes":[104,105,10]}}"#,
        );
        check(
            WorkerEvent::InvocationStart(InvocationEvent {
                timestamp,
                function: "a:b/c.{d}".to_owned(),
                idempotency_key: IdempotencyKey("k".to_owned()),
                oplog_index: Some(OplogIndex(7)),
            }),
            r#"{"InvocationStart":{"timestamp":"1970-01-01T00:00:00Z","function":"a:b/c.{d}","idempotency_key":"k","oplog_index":7}}"#,
        );
        check(WorkerEvent::Close, r#""Close""#);
    }
}
