// SPDX-License-Identifier: Apache-2.0
//! THE DESK / error: what ends a command. In any [`Coded`] error of any room, out a [`Failure`] with its exit code.
//! Never prints. Read next: `output.rs` (how it is shown), `exit.rs` (the numbers).

use golem_client::{ClientError, ErrorKind};
use golem_model::{Coded, Problem};

use crate::exit;

/// Why a command ended without success: the problem to show, what caused it, and the exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Code, sentence and hint.
    pub(crate) problem: Problem,
    /// Causes, outermost first; may be empty.
    pub(crate) causes: Vec<String>,
    /// The exit code of the process, one of [`exit`].
    pub(crate) exit: u8,
}

/// Errors of the command line itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// A broken invariant; what it says is above.
    #[error("this is a bug of golem-cli")]
    Bug,
    /// `doctor` found something that does not work.
    #[error("not well: {}", failed.join(", "))]
    Unwell {
        /// The checks that failed.
        failed: Vec<&'static str>,
    },
    /// A question that only a person can answer, and there is nobody at a terminal.
    #[error("nobody can be asked: {question}")]
    Nobody {
        /// The question.
        question: String,
    },
    /// A person said no.
    #[error("nothing was changed, because the answer was no")]
    Declined,
    /// The words of the command line make no command.
    #[error("{message}")]
    Usage {
        /// What is wrong, with the word that is.
        message: String,
        /// A line to write instead.
        paste: Option<String>,
    },
}

impl Coded for CliError {
    fn code(&self) -> &'static str {
        match self {
            Self::Bug => "CLI-001",
            Self::Usage { .. } => "CLI-002",
            Self::Unwell { .. } => "CLI-003",
            Self::Nobody { .. } => "CLI-004",
            Self::Declined => "CLI-005",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Nobody { .. } | Self::Declined => {
                Some("to answer yes without being asked, add --yes".to_owned())
            }
            Self::Bug => {
                Some("please report it with the lines above and the command line".to_owned())
            }
            Self::Usage { paste, .. } => Some(
                paste
                    .clone()
                    .unwrap_or_else(|| "see what there is: golem-cli --help".to_owned()),
            ),
            Self::Unwell { .. } => {
                Some("do what the hints above say, then run `golem-cli doctor` again".to_owned())
            }
        }
    }
}

/// What every command returns.
pub(crate) type Outcome = Result<(), Failure>;

impl Failure {
    /// The same failure with another exit code.
    pub(crate) const fn with_exit(mut self, exit: u8) -> Self {
        self.exit = exit;
        self
    }

    /// Turns an error of another room into a failure with the given exit code: `.map_err(Failure::exit_with(exit::CONFLICT))`.
    pub(crate) fn exit_with<E: Coded + 'static>(exit: u8) -> impl Fn(E) -> Self {
        move |error| Self::from(error).with_exit(exit)
    }
}

/// The exit code of an error of any room. What the client says of a server has its own; an error of another room is a failure like any
/// other, unless who meets it says more (`exit_with`). One conversion serves all: a second one beside it, for [`ClientError`] alone,
/// would overlap with it.
fn exit_of(error: &(dyn std::error::Error + 'static)) -> u8 {
    let kind = error.downcast_ref().map(ClientError::kind);
    kind.map_or(exit::GENERIC, |kind| match kind {
        ErrorKind::Unreachable => exit::UNREACHABLE,
        ErrorKind::Timeout => exit::TIMEOUT,
        ErrorKind::Options => exit::USAGE,
        ErrorKind::Denied => exit::DENIED,
        ErrorKind::NotFound => exit::NOT_FOUND,
        ErrorKind::Conflict => exit::CONFLICT,
        ErrorKind::Guest => exit::GUEST,
        ErrorKind::Other => exit::GENERIC,
    })
}

impl<E: Coded + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut causes = Vec::new();
        let mut next = error.source();
        while let Some(cause) = next {
            causes.push(cause.to_string());
            next = cause.source();
        }
        Self {
            problem: error.problem(),
            causes,
            exit: exit_of(&error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, body: &str, expect: (&str, &str, u8)) {
        let body: golem_model::api_error::ErrorBody = serde_json::from_str(body).unwrap();
        let failure = Failure::from(ClientError::Refused {
            status,
            sentence: body.sentence().unwrap(),
            body: Box::new(body),
        });
        let Problem { code, message, .. } = &failure.problem;
        assert_eq!((code.as_str(), message.as_str(), failure.exit), expect);
    }

    #[test]
    fn refusals_of_a_server_become_failures_with_an_exit_code() {
        check(
            404,
            r#"{"error":"Worker not found: x/w","code":"WRK-001","message":"m","hint":"h"}"#,
            ("WRK-001", "Worker not found: x/w", exit::NOT_FOUND),
        );
        check(
            400,
            r#"{"errors":["a","b"]}"#,
            ("NET-005", "a; b", exit::GENERIC),
        );
        check(
            500,
            r#"{"golemError":{"type":"RuntimeError","details":"boom"}}"#,
            ("NET-005", "Runtime error: boom", exit::GUEST),
        );
        check(
            409,
            r#"{"error":"Component already exists: x"}"#,
            ("NET-005", "Component already exists: x", exit::CONFLICT),
        );
        check(403, r#"{"error":"no"}"#, ("NET-005", "no", exit::DENIED));
        check(
            504,
            r#"{"error":"late"}"#,
            ("NET-005", "late", exit::TIMEOUT),
        );
    }

    #[test]
    fn errors_of_the_client_have_exit_codes_and_others_the_general_one() {
        let (url, origin, reason) = (String::new(), String::new(), String::new());
        let address = Failure::from(ClientError::Address {
            url: url.clone(),
            origin: origin.clone(),
        });
        let unreachable = Failure::from(ClientError::Unreachable {
            url,
            origin,
            reason,
        });
        assert_eq!(
            (address.exit, unreachable.exit),
            (exit::USAGE, exit::UNREACHABLE)
        );
        assert_eq!(Failure::from(CliError::Declined).exit, exit::GENERIC);
    }
}
