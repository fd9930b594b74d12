// SPDX-License-Identifier: Apache-2.0
//! THE PHONE / error: how talking to a server fails. In what happened or what the server said, out a coded error and its kind.
//! Never prints, and knows no exit codes. Read next: `transport.rs`. Source: client spec §6.7.

use golem_model::api_error::{ErrorBody, GolemError};
use golem_model::{Coded, ComponentId, Problem};

/// Why a call of the client failed. [`kind`](Self::kind) says what to make of it; [`problem`](Coded::problem) is what a person is to
/// be shown.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ClientError {
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
    /// An answer that is not of the API: another program listens there, or another version. Status 0 is no answer of HTTP at all.
    #[error("the answer of {url} (status {status}) cannot be understood: {reason}")]
    Answer {
        /// Address and path.
        url: String,
        /// HTTP status.
        status: u16,
        /// What is wrong with it, with its start.
        reason: String,
    },
    /// The server refused. This is the code of the client when the server, one of another make, gave none.
    #[error("{sentence}")]
    Refused {
        /// HTTP status: none of 200 to 299.
        status: u16,
        /// What it said: [`ErrorBody::sentence`] of the body.
        sentence: String,
        /// All that it said. Its `code` and `hint` are those of [`Coded::problem`], if there is a code.
        body: Box<ErrorBody>,
    },
    /// The token or the certificates to trust cannot be read, or are none. Who reads a token from a file has this error as well.
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

/// What can be made of a [`ClientError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Nobody answers at the address, or the connection broke: the request may have arrived or not.
    Unreachable,
    /// The answer did not come in time; what was asked for may be done all the same. The same idempotency key asks again.
    Timeout,
    /// What the client was made of is no address, no token, or no certificates: nothing was sent.
    Options,
    /// The server does not know who asks (401), or does not let them (403).
    Denied,
    /// What was named is not there.
    NotFound,
    /// The request clashes with what is there, or a precondition does not hold.
    Conflict,
    /// The guest ended with a trap or with an error.
    Guest,
    /// Everything else; the code of the problem tells it.
    Other,
}

impl Coded for ClientError {
    /// The code of the client, an area `NET`: for [`Refused`](Self::Refused) the one that stands in for a code of the server. What the
    /// server has said is in [`problem`](Self::problem).
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
            // What a server tells with a code is complete, also without a hint.
            Self::Refused { body, .. } if body.code.is_some() => body.hint.clone(),
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

    fn problem(&self) -> Problem {
        let code = match self {
            Self::Refused { body, .. } => body.code.clone(),
            _ => None,
        };
        Problem {
            code: code.unwrap_or_else(|| self.code().to_owned()),
            message: self.to_string(),
            hint: self.hint(),
        }
    }
}

impl ClientError {
    /// What kind of failure it is, for who goes on differently after one than after another.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Unreachable { .. } => ErrorKind::Unreachable,
            Self::Address { .. } | Self::Secret { .. } => ErrorKind::Options,
            Self::Timeout { .. } => ErrorKind::Timeout,
            Self::Answer { .. } => ErrorKind::Other,
            Self::Refused { status, body, .. } => match &body.golem_error {
                Some(error) => kind_of_worker(error),
                None => kind_of(*status),
            },
            Self::NoComponent { .. } => ErrorKind::NotFound,
            Self::ManyComponents { .. } => ErrorKind::Conflict,
        }
    }

    /// The error that an answer with this status and body stands for; `None` when the body is not one of the API.
    pub(crate) fn refusal(status: u16, body: &[u8]) -> Option<Self> {
        let body: Box<ErrorBody> = serde_json::from_slice(body).ok()?;
        Some(Self::Refused {
            status,
            sentence: body.sentence()?,
            body,
        })
    }
}

const fn kind_of(status: u16) -> ErrorKind {
    match status {
        401 | 403 => ErrorKind::Denied,
        404 => ErrorKind::NotFound,
        409 | 412 => ErrorKind::Conflict,
        408 | 504 => ErrorKind::Timeout,
        _ => ErrorKind::Other,
    }
}

const fn kind_of_worker(error: &GolemError) -> ErrorKind {
    match error {
        GolemError::WorkerAlreadyExists { .. } => ErrorKind::Conflict,
        GolemError::WorkerNotFound { .. } | GolemError::PromiseNotFound { .. } => {
            ErrorKind::NotFound
        }
        GolemError::RuntimeError { .. }
        | GolemError::PreviousInvocationFailed { .. }
        | GolemError::PreviousInvocationExited => ErrorKind::Guest,
        GolemError::InvalidAccount => ErrorKind::Denied,
        _ => ErrorKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, body: &str, expect: Option<(&str, &str, Option<&str>, ErrorKind)>) {
        let error = ClientError::refusal(status, body.as_bytes());
        let got = error.map(|error| (error.problem(), error.kind()));
        let got = got.as_ref().map(|(problem, kind)| {
            let Problem {
                code,
                message,
                hint,
            } = problem;
            (code.as_str(), message.as_str(), hint.as_deref(), *kind)
        });
        assert_eq!(got, expect, "{body}");
    }

    #[test]
    fn answers_become_the_problems_that_the_server_tells_and_a_kind() {
        check(
            404,
            r#"{"error":"Worker not found: x/w","code":"WRK-001","message":"m","hint":"h"}"#,
            Some((
                "WRK-001",
                "Worker not found: x/w",
                Some("h"),
                ErrorKind::NotFound,
            )),
        );
        check(
            401,
            r#"{"error":"who are you","code":"AUT-001"}"#,
            Some(("AUT-001", "who are you", None, ErrorKind::Denied)),
        );
        check(
            400,
            r#"{"errors":["a","b"]}"#,
            Some((
                "NET-005",
                "a; b",
                Some(
                    "check the names and values of the command, and that the server knows it: golem-cli doctor",
                ),
                ErrorKind::Other,
            )),
        );
        check(
            500,
            r#"{"golemError":{"type":"RuntimeError","details":"boom"}}"#,
            Some((
                "NET-005",
                "Runtime error: boom",
                Some("look at the log of the server"),
                ErrorKind::Guest,
            )),
        );
        check(500, "<html>", None);
        check(500, "{}", None);
    }
}
