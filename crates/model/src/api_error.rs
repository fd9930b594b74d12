// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / api_error: the JSON body of a REST answer that is no success. In: a problem. Out: [`ErrorBody`], and
//! from a foreign body the sentence to show. Never touches IO. Read next: `error.rs`. Source: client spec §6.7.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Coded, Problem};
use crate::ids::WorkerId;

/// Body of every answer that is no success: one of the three 1.1 shapes, and beside it our own fields.
///
/// 400: `errors`; 401, 403, 404, 409 (and 500 of the component API): `error`; 500 of the worker API: `golemError`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// Sentences, in a 400.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<Vec<String>>,
    /// One sentence, in most other answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What went wrong with a worker, in a 500 of the worker API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub golem_error: Option<GolemError>,
    /// Stable code, such as `WRK-002`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The sentence of the problem, the same in all shapes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl ErrorBody {
    /// The shape of a 400: a list of sentences.
    #[must_use]
    pub fn bad_request(problem: Problem) -> Self {
        Self {
            errors: Some(vec![problem.message.clone()]),
            ..Self::ours(problem)
        }
    }

    /// The shape of 401, 403, 404, 409, and of a 500 of the component API.
    #[must_use]
    pub fn plain(problem: Problem) -> Self {
        Self {
            error: Some(problem.message.clone()),
            ..Self::ours(problem)
        }
    }

    /// The shape of [`Self::plain`] with a sentence of its own for clients that compare texts, such as
    /// `Component already exists: <id>`.
    #[must_use]
    pub fn plain_with(text: impl Into<String>, problem: Problem) -> Self {
        Self {
            error: Some(text.into()),
            ..Self::ours(problem)
        }
    }

    /// The shape of a 500 of the worker API.
    #[must_use]
    pub fn worker(error: GolemError, problem: Problem) -> Self {
        Self {
            golem_error: Some(error),
            ..Self::ours(problem)
        }
    }

    fn ours(problem: Problem) -> Self {
        let Problem {
            code,
            message,
            hint,
        } = problem;
        Self {
            code: Some(code),
            message: Some(message),
            hint,
            ..Self::default()
        }
    }

    /// The sentence to show: that of `golemError`, else `error`, else `errors`, else `message`.
    #[must_use]
    pub fn sentence(&self) -> Option<String> {
        let golem = self.golem_error.as_ref().map(ToString::to_string);
        golem
            .or_else(|| self.error.clone())
            .or_else(|| self.errors.as_ref().map(|all| all.join("; ")))
            .or_else(|| self.message.clone())
    }
}

impl<E: Coded> From<&E> for ErrorBody {
    fn from(error: &E) -> Self {
        Self::plain(error.problem())
    }
}

/// What went wrong with a worker. JSON: tagged by `type`, fields in camel case. `Display` is the sentence that the
/// command line shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
#[expect(
    missing_docs,
    reason = "the names are those of the REST shape, and the sentences below say what they mean"
)]
pub enum GolemError {
    InvalidRequest {
        details: String,
    },
    WorkerAlreadyExists {
        worker_id: WorkerId,
    },
    WorkerNotFound {
        worker_id: WorkerId,
    },
    WorkerCreationFailed {
        worker_id: WorkerId,
        details: String,
    },
    FailedToResumeWorker {
        worker_id: WorkerId,
        reason: serde_json::Value,
    },
    ComponentDownloadFailed {
        component_id: serde_json::Value,
        reason: String,
    },
    ComponentParseFailed {
        component_id: serde_json::Value,
        reason: String,
    },
    GetLatestVersionOfComponentFailed {
        component_id: serde_json::Value,
        reason: String,
    },
    PromiseNotFound {
        promise_id: serde_json::Value,
    },
    PromiseDropped {
        promise_id: serde_json::Value,
    },
    PromiseAlreadyCompleted {
        promise_id: serde_json::Value,
    },
    Interrupted {
        recover_immediately: bool,
    },
    ParamTypeMismatch {
        #[serde(default)]
        details: String,
    },
    NoValueInMessage,
    ValueMismatch {
        details: String,
    },
    UnexpectedOplogEntry {
        expected: String,
        got: String,
    },
    RuntimeError {
        details: String,
    },
    InvalidShardId {
        shard_id: serde_json::Value,
        shard_ids: serde_json::Value,
    },
    PreviousInvocationFailed {
        #[serde(default)]
        details: String,
    },
    PreviousInvocationExited,
    Unknown {
        details: String,
    },
    InvalidAccount,
    ShardingNotReady,
    InitialComponentFileDownloadFailed {
        path: String,
        reason: String,
    },
    FileSystemError {
        path: String,
        reason: String,
    },
}

impl std::fmt::Display for GolemError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::InvalidRequest { details } => write!(f, "Invalid request: {details}"),
            Self::WorkerAlreadyExists { worker_id } => {
                write!(f, "Worker already exists: {worker_id}")
            }
            Self::WorkerNotFound { worker_id } => write!(f, "Worker not found: {worker_id}"),
            Self::WorkerCreationFailed { worker_id, details } => {
                write!(f, "Failed to create worker {worker_id}: {details}")
            }
            Self::FailedToResumeWorker { worker_id, reason } => {
                write!(f, "Failed to resume worker {worker_id}: {reason}")
            }
            Self::ComponentDownloadFailed {
                component_id,
                reason,
            } => {
                write!(f, "Failed to download component {component_id}: {reason}")
            }
            Self::ComponentParseFailed {
                component_id,
                reason,
            } => {
                write!(f, "Failed to parse component {component_id}: {reason}")
            }
            Self::GetLatestVersionOfComponentFailed {
                component_id,
                reason,
            } => {
                write!(
                    f,
                    "Failed to get latest version of component {component_id}: {reason}"
                )
            }
            Self::PromiseNotFound { promise_id } => write!(f, "Promise not found: {promise_id}"),
            Self::PromiseDropped { promise_id } => write!(f, "Promise dropped: {promise_id}"),
            Self::PromiseAlreadyCompleted { promise_id } => {
                write!(f, "Promise already completed: {promise_id}")
            }
            Self::Interrupted {
                recover_immediately: true,
            } => f.write_str("Simulated crash"),
            Self::Interrupted {
                recover_immediately: false,
            } => f.write_str("Worker interrupted"),
            Self::ParamTypeMismatch { details } if details.is_empty() => {
                f.write_str("Parameter type mismatch")
            }
            Self::ParamTypeMismatch { details } => write!(f, "Parameter type mismatch: {details}"),
            Self::NoValueInMessage => f.write_str("No value in message"),
            Self::ValueMismatch { details } => write!(f, "Parameter value mismatch: {details}"),
            Self::UnexpectedOplogEntry { expected, got } => {
                write!(f, "Unexpected oplog entry: expected {expected}, got {got}")
            }
            Self::RuntimeError { details } => write!(f, "Runtime error: {details}"),
            Self::InvalidShardId {
                shard_id,
                shard_ids,
            } => {
                write!(f, "Invalid shard id: {shard_id} is not one of {shard_ids}")
            }
            Self::PreviousInvocationFailed { details } if details.is_empty() => {
                f.write_str("The previously invoked function failed")
            }
            Self::PreviousInvocationFailed { details } => {
                write!(f, "The previously invoked function failed: {details}")
            }
            Self::PreviousInvocationExited => f.write_str("The previously invoked function exited"),
            Self::Unknown { details } => write!(f, "Unknown error: {details}"),
            Self::InvalidAccount => f.write_str("Invalid account"),
            Self::ShardingNotReady => f.write_str("Sharding not ready"),
            Self::InitialComponentFileDownloadFailed { path, reason } => {
                write!(f, "Failed to download initial file `{path}`: {reason}")
            }
            Self::FileSystemError { path, reason } => {
                write!(f, "File system error at `{path}`: {reason}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ComponentId;
    use serde_json::json;
    use uuid::Uuid;

    fn problem() -> Problem {
        Problem {
            code: "WRK-001".into(),
            message: "worker `w` does not exist".into(),
            hint: Some("create it".into()),
        }
    }

    #[test]
    fn each_shape_has_the_old_field_and_ours() {
        let body = serde_json::to_value(ErrorBody::bad_request(problem())).unwrap();
        assert_eq!(
            body,
            json!({"errors": ["worker `w` does not exist"], "code": "WRK-001", "message": "worker `w` does not exist",
                "hint": "create it"})
        );
        let body = serde_json::to_value(ErrorBody::plain_with(
            "Component already exists: x",
            problem(),
        ))
        .unwrap();
        assert_eq!(body["error"], json!("Component already exists: x"));
        let worker_id = WorkerId::new(ComponentId(Uuid::nil()), "w");
        let error = GolemError::WorkerAlreadyExists { worker_id };
        let body = serde_json::to_value(ErrorBody::worker(error.clone(), problem())).unwrap();
        assert_eq!(
            body["golemError"],
            json!({"type": "WorkerAlreadyExists",
                "workerId": {"componentId": "00000000-0000-0000-0000-000000000000", "workerName": "w"}})
        );
        let read: ErrorBody = serde_json::from_value(body).unwrap();
        assert_eq!(read.golem_error, Some(error));
        assert_eq!(
            read.sentence().unwrap(),
            "Worker already exists: 00000000-0000-0000-0000-000000000000/w"
        );
    }

    #[test]
    fn a_foreign_body_gives_its_sentence() {
        let read: ErrorBody = serde_json::from_value(json!({"errors": ["a", "b"]})).unwrap();
        assert_eq!(read.sentence().unwrap(), "a; b");
        let read: ErrorBody =
            serde_json::from_value(json!({"golemError": {"type": "InvalidAccount"}})).unwrap();
        assert_eq!(read.sentence().unwrap(), "Invalid account");
    }
}
