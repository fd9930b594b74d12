// SPDX-License-Identifier: Apache-2.0
//! THE DESK / error: what ends a command. In any [`Coded`] error of any room, out a [`Failure`] with its exit code.
//! Never prints. Read next: `output.rs` (how it is shown), `exit.rs` (the numbers).

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
    /// A failure from a problem that is already plain data (a server's answer) and the exit code it stands for.
    pub(crate) const fn new(problem: Problem, exit: u8) -> Self {
        Self {
            problem,
            causes: Vec::new(),
            exit,
        }
    }

    /// The same failure with another exit code.
    pub(crate) const fn with_exit(mut self, exit: u8) -> Self {
        self.exit = exit;
        self
    }

    /// Turns an error of another room into a failure with the given exit code: `.map_err(Failure::exit_with(exit::CONFLICT))`.
    pub(crate) fn exit_with<E: Coded>(exit: u8) -> impl Fn(E) -> Self {
        move |error| Self::from(error).with_exit(exit)
    }
}

impl<E: Coded> From<E> for Failure {
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
            exit: exit::GENERIC,
        }
    }
}
