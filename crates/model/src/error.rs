// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / error: what every error that a user can meet carries. In: nothing. Out: [`Coded`], [`Problem`].
//! Never touches IO. Read next: `api.rs` (how a problem travels over REST). Why: docs/errors/README.md.

use serde::{Deserialize, Serialize};

/// An error that a user can meet: it has a stable code, a sentence, and a way out.
///
/// The sentence is the `Display` of the error: one line, lower case, no trailing period, with the offending value and
/// where it came from.
pub trait Coded: std::error::Error {
    /// The stable code, an area of three capital letters and a number: `STB-004`. Never reused for another meaning.
    fn code(&self) -> &'static str;
    /// What to do next; a command that can be pasted where there is one.
    ///
    /// Every error that a user can meet has one (`cargo tidy`); none is what an error of another program came without.
    fn hint(&self) -> Option<String>;
    /// The error as plain data, for REST and for `--format json`.
    fn problem(&self) -> Problem {
        Problem {
            code: self.code().to_owned(),
            message: self.to_string(),
            hint: self.hint(),
        }
    }
}

/// A [`Coded`] error as data: what REST bodies and `--format json` print.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Stable code, such as `WRK-002`.
    pub code: String,
    /// One sentence with the offending value.
    pub message: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} [{}]", self.message, self.code)
    }
}
