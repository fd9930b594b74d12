// SPDX-License-Identifier: Apache-2.0
//! THE DESK / client/error: how talking to a server fails. In what happened, out a coded error and its exit code.
//! Never prints. Read next: `transport.rs`.

use golem_model::api_error::{ErrorBody, GolemError};
use golem_model::{Coded, ComponentId, Problem};

use crate::error::Failure;
use crate::exit;

/// Errors of the client.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// No connection: nobody listens, no such host, no route.
    #[error("cannot reach the server at {url} ({origin}): {reason}")]
    Unreachable {
        /// The address.
        url: String,
        /// Where the address comes from.
        origin: String,
        /// What the system says.
        reason: String,
    },
    /// An address that is no `http://host[:port]` or `https://host[:port]`.
    #[error("`{url}` ({origin}) is not the address of a server")]
    Address {
        /// The text.
        url: String,
        /// Where it comes from.
        origin: String,
    },
    /// The connection was there, but the answer did not come in time.
    #[error("the server at {url} did not answer in time: {reason}")]
    Timeout {
        /// The address.
        url: String,
        /// What timed out.
        reason: String,
    },
    /// An answer that is not of the API: another program listens there, or another version.
    #[error("the answer of {url} (status {status}) cannot be understood: {reason}")]
    Answer {
        /// Address and path.
        url: String,
        /// HTTP status.
        status: u16,
        /// What is wrong with it, with its start.
        reason: String,
    },
    /// A server of another make refused, and gave no code.
    #[error("{sentence}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// What it said.
        sentence: String,
    },
    /// The token or the certificates to trust cannot be read, or are none.
    #[error("cannot use {what} in `{path}`: {reason}")]
    Secret {
        /// `the token` or `the certificates`.
        what: &'static str,
        /// The file, or the variable.
        path: String,
        /// Why.
        reason: String,
    },
    /// No component has the name.
    #[error("Can't find component {name}")]
    NoComponent {
        /// The name.
        name: String,
        /// The name that is most like it.
        suggestion: Option<String>,
    },
    /// Several components have the name.
    #[error("Multiple components found for name {name}: {}", .ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    ManyComponents {
        /// The name.
        name: String,
        /// Their ids.
        ids: Vec<ComponentId>,
    },
}

impl Coded for ClientError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "NET-001",
            Self::Address { .. } => "NET-002",
            Self::Timeout { .. } => "NET-003",
            Self::Answer { .. } => "NET-004",
            Self::Refused { .. } => "NET-005",
            Self::NoComponent { .. } => "NET-006",
            Self::ManyComponents { .. } => "NET-007",
            Self::Secret { .. } => "NET-008",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unreachable { .. } => Some(
                "start a server: golem-cli server run (or name another: --url http://host:9881)"
                    .to_owned(),
            ),
            Self::Address { .. } => {
                Some("write http://host:port, such as --url http://localhost:9881".to_owned())
            }
            Self::Timeout { .. } => Some(
                "look at the server's log; call again with the same --idempotency-key".to_owned(),
            ),
            Self::Answer { .. } => {
                Some("check that --url names a golem-cli server: golem-cli profile get".to_owned())
            }
            Self::Refused {
                status: 401 | 403, ..
            } => Some("check the profile: golem-cli profile get".to_owned()),
            Self::Refused { status: 500.., .. } => {
                Some("look at the log of the server".to_owned())
            }
            Self::Refused { .. } => Some(
                "check the names and values of the command, and that the server knows it: golem-cli doctor"
                    .to_owned(),
            ),
            Self::NoComponent {
                suggestion: Some(name),
                ..
            } => Some(format!("did you mean `{name}`?")),
            Self::NoComponent {
                name,
                suggestion: None,
            } => Some(format!(
                "upload it: golem-cli component add --component-name {name} FILE.wasm"
            )),
            Self::Secret { what, .. } => Some(
                if what.contains("token") {
                    "write the token to a file of its own and name it: --token-file FILE"
                } else {
                    "name a file with PEM certificates: --ca-file FILE"
                }
                .to_owned(),
            ),
            Self::ManyComponents { ids, .. } => ids
                .first()
                .map(|id| format!("name it by its id: --component urn:component:{id}")),
        }
    }
}

impl ClientError {
    /// The error with its exit code.
    pub(crate) fn failure(self) -> Failure {
        let exit = match &self {
            Self::Unreachable { .. } => exit::UNREACHABLE,
            Self::Address { .. } | Self::Secret { .. } => exit::USAGE,
            Self::Timeout { .. } => exit::TIMEOUT,
            Self::Answer { .. } => exit::GENERIC,
            Self::Refused { status, .. } => exit_of(*status),
            Self::NoComponent { .. } => exit::NOT_FOUND,
            Self::ManyComponents { .. } => exit::CONFLICT,
        };
        Failure::from(self).with_exit(exit)
    }
}

/// The failure that an answer of a server stands for; `None` when the body is not one of the API.
pub(crate) fn refusal(status: u16, body: &[u8]) -> Option<Failure> {
    let body: ErrorBody = serde_json::from_slice(body).ok()?;
    let sentence = body.sentence()?;
    let exit = body
        .golem_error
        .as_ref()
        .map_or_else(|| exit_of(status), exit_of_worker);
    let Some(code) = body.code else {
        return Some(
            ClientError::Refused { status, sentence }
                .failure()
                .with_exit(exit),
        );
    };
    Some(Failure::new(
        Problem {
            code,
            message: sentence,
            hint: body.hint,
        },
        exit,
    ))
}

const fn exit_of(status: u16) -> u8 {
    match status {
        401 | 403 => exit::DENIED,
        404 => exit::NOT_FOUND,
        409 | 412 => exit::CONFLICT,
        408 | 504 => exit::TIMEOUT,
        _ => exit::GENERIC,
    }
}

const fn exit_of_worker(error: &GolemError) -> u8 {
    match error {
        GolemError::WorkerAlreadyExists { .. } => exit::CONFLICT,
        GolemError::WorkerNotFound { .. } | GolemError::PromiseNotFound { .. } => exit::NOT_FOUND,
        GolemError::RuntimeError { .. }
        | GolemError::PreviousInvocationFailed { .. }
        | GolemError::PreviousInvocationExited => exit::GUEST,
        GolemError::InvalidAccount => exit::DENIED,
        _ => exit::GENERIC,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, body: &str, expect: Option<(&str, &str, u8)>) {
        let failure = refusal(status, body.as_bytes());
        let got = failure
            .as_ref()
            .map(|f| (f.problem.code.as_str(), f.problem.message.as_str(), f.exit));
        assert_eq!(got, expect, "{body}");
    }

    #[test]
    fn answers_become_failures_with_an_exit_code() {
        check(
            404,
            r#"{"error":"Worker not found: x/w","code":"WRK-001","message":"m","hint":"h"}"#,
            Some(("WRK-001", "Worker not found: x/w", exit::NOT_FOUND)),
        );
        check(
            400,
            r#"{"errors":["a","b"]}"#,
            Some(("NET-005", "a; b", exit::GENERIC)),
        );
        check(
            500,
            r#"{"golemError":{"type":"RuntimeError","details":"boom"}}"#,
            Some(("NET-005", "Runtime error: boom", exit::GUEST)),
        );
        check(
            409,
            r#"{"error":"Component already exists: x"}"#,
            Some(("NET-005", "Component already exists: x", exit::CONFLICT)),
        );
        check(500, "<html>", None);
        check(500, "{}", None);
    }
}
