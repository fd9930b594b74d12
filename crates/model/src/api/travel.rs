// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / api/travel: the bodies of calls that move a worker in its history, look at it aside, or plan for it: cancel, revert,
//! fork, schedule, replay, verify. In: nothing. Out: serde types. Never touches IO. Read next: `../public_oplog.rs`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{ComponentVersion, IdempotencyKey, OplogIndex, Timestamp, WorkerId};

/// Answer of `DELETE …/workers/{w}/invocations/{key}` and of `DELETE …/workers/{w}/schedule/{id}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CancelResponse {
    /// Whether there was such an invocation that had not finished.
    pub canceled: bool,
}

/// Body of `POST …/workers/{w}/revert`: exactly one of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum RevertRequest {
    /// The last entry that counts.
    LastOplogIndex(OplogIndex),
    /// So many of the invocations that started last are undone.
    NumberOfInvocations(u64),
}

/// Body of `POST …/workers/{w}/fork`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ForkRequest {
    /// The last entry that the new worker has as well.
    pub oplog_index: OplogIndex,
    /// Its name; see [`crate::names::check_worker_name`].
    pub name: String,
}

/// Its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ForkResponse {
    /// The new worker.
    pub worker_id: WorkerId,
}

/// Answer of `POST …/workers/{w}/schedule`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleResponse {
    /// What takes it back.
    pub schedule_id: ScheduleId,
    /// When it starts.
    pub due: Timestamp,
    /// Key that it runs under.
    pub idempotency_key: IdempotencyKey,
}

/// A scheduled invocation of a worker, written `due-number`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScheduleId {
    /// When it starts, microseconds since 1970.
    pub due: u64,
    /// Its number among those of that moment.
    pub number: u64,
}

/// A text that is no [`ScheduleId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` does not name a scheduled invocation")]
pub struct BadScheduleId(pub String);

impl crate::Coded for BadScheduleId {
    fn code(&self) -> &'static str {
        "VAL-055"
    }
    fn hint(&self) -> Option<String> {
        Some(
            "pass the `scheduleId` that scheduling it answered, such as 1764014400000000-1"
                .to_owned(),
        )
    }
}

impl std::fmt::Display for ScheduleId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.due, self.number)
    }
}

impl std::str::FromStr for ScheduleId {
    type Err = BadScheduleId;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || BadScheduleId(text.to_owned());
        let (due, number) = text.split_once('-').ok_or_else(bad)?;
        Ok(Self {
            due: due.parse().map_err(|_| bad())?,
            number: number.parse().map_err(|_| bad())?,
        })
    }
}

impl Serialize for ScheduleId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for ScheduleId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ScheduleId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "Names a scheduled invocation of a worker: `due-number`.",
            "type": "string",
            "pattern": "^[0-9]+-[0-9]+$",
        })
    }
}

impl<'de> Deserialize<'de> for ScheduleId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A history repeated aside. Answer of `GET …/workers/{w}/replay`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Replay {
    /// The worker.
    pub worker_id: WorkerId,
    /// The version that repeated it.
    pub component_version: ComponentVersion,
    /// The last entry that was to be repeated.
    pub last_oplog_index: OplogIndex,
    /// How it ended.
    pub outcome: ReplayOutcome,
    /// The report of the first difference, or the failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
    /// The entries that count, oldest first; empty in a dry run of all workers.
    #[serde(default)]
    pub steps: Vec<ReplayStep>,
}

/// How a [`Replay`] ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ReplayOutcome {
    /// Everything recorded was repeated.
    Repeated,
    /// The guest did something else than the log says.
    Diverged,
    /// The guest failed, as it had when it ran, or for the first time.
    Failed,
}

/// One entry of a [`Replay`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplayStep {
    /// Its index.
    pub oplog_index: OplogIndex,
    /// When it was written.
    pub timestamp: Timestamp,
    /// What it says, for people.
    pub what: String,
}

/// Body of `POST /v1/components/{cid}/update-dry-run` and `POST …/workers/{w}/update-dry-run`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DryRunRequest {
    /// The version to try.
    pub target_version: ComponentVersion,
}

/// Answer of a dry run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DryRunResponse {
    /// One per worker that runs another version.
    pub workers: Vec<Replay>,
}

/// Answer of `GET …/workers/{w}/verify`. JSON: tagged by `checkpoint`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    tag = "checkpoint",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum VerifyResponse {
    /// There is none.
    None,
    /// Repeating the history gives the same memory.
    Same {
        /// Entry of the checkpoint.
        oplog_index: OplogIndex,
        /// SHA-256 of the memory.
        memory_hash: String,
    },
    /// It does not: the checkpoint is removed.
    Different {
        /// Entry of the checkpoint.
        oplog_index: OplogIndex,
        /// SHA-256 of its memory.
        memory_hash: String,
        /// SHA-256 of the memory after the replay, or why there is none.
        replay: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_revert_names_one_place() {
        let read = |json| serde_json::from_value::<RevertRequest>(json).ok();
        assert_eq!(
            read(json!({"lastOplogIndex": 7})),
            Some(RevertRequest::LastOplogIndex(OplogIndex(7)))
        );
        assert_eq!(
            read(json!({"numberOfInvocations": 2})),
            Some(RevertRequest::NumberOfInvocations(2))
        );
        assert_eq!(read(json!({})), None);
        assert_eq!(
            read(json!({"lastOplogIndex": 7, "numberOfInvocations": 2})),
            None
        );
    }

    #[test]
    fn a_scheduled_invocation_is_one_word() {
        let id = ScheduleId {
            due: 1_764_014_400_000_000,
            number: 3,
        };
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(
            serde_json::to_value(id).unwrap(),
            json!("1764014400000000-3")
        );
        for text in ["", "1", "1-", "x-1", "1-2-3"] {
            assert!(text.parse::<ScheduleId>().is_err(), "{text}");
        }
    }
}
