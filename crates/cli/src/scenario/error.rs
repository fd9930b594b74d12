// SPDX-License-Identifier: Apache-2.0
//! THE DESK / scenario error: why a file of scenarios is not understood, with file and line. Never printed here.

use std::{io, path::PathBuf};

use golem_model::Coded;

/// Why scenarios cannot be read. `at` is `file:line`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScenarioError {
    /// There are none.
    #[error("there are no scenarios in `{}`", dir.display())]
    None {
        /// Where they would be.
        dir: PathBuf,
    },
    /// The disk said no.
    #[error("failed to read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Not YAML, or a value of the wrong kind.
    #[error("{at}: {message}")]
    Syntax {
        /// File and line.
        at: String,
        /// What the parser says.
        message: String,
    },
    /// A key that has no meaning.
    #[error("{at}: unknown key `{key}`")]
    UnknownKey {
        /// File and line.
        at: String,
        /// The key.
        key: String,
        /// The nearest key there is, or all of them.
        help: String,
    },
    /// A value that is understood but cannot be.
    #[error("{at}: {why}")]
    Value {
        /// File and line.
        at: String,
        /// What is wrong.
        why: String,
        /// What would be right.
        help: String,
    },
    /// No scenario has this name.
    #[error("there is no scenario `{name}`")]
    Unknown {
        /// As given.
        name: String,
        /// What there is.
        help: String,
    },
    /// Scenarios did not go as they should.
    #[error("{failed} of {all} scenarios failed")]
    Failed {
        /// How many.
        failed: usize,
        /// Of how many.
        all: usize,
    },
    /// The code that was built does not repeat a recorded history.
    #[error("`{worker}` would not go on with this code: {report}")]
    Replay {
        /// The worker.
        worker: String,
        /// The first difference.
        report: String,
    },
}

impl Coded for ScenarioError {
    fn code(&self) -> &'static str {
        match self {
            Self::None { .. } => "TST-030",
            Self::Read { .. } => "TST-031",
            Self::Syntax { .. } => "TST-032",
            Self::UnknownKey { .. } => "TST-033",
            Self::Value { .. } => "TST-034",
            Self::Unknown { .. } => "TST-035",
            Self::Failed { .. } => "TST-036",
            Self::Replay { .. } => "TST-037",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::None { dir } => format!("write {}/first.yaml; docs/testing.md has an example to paste", dir.display()),
            Self::Read { .. } => "check the path and its permissions".to_owned(),
            Self::Syntax { .. } => "values of WAVE that look like YAML need quotes: args: ['{id: 7}']; see docs/testing.md".to_owned(),
            Self::UnknownKey { help, .. } | Self::Value { help, .. } | Self::Unknown { help, .. } => help.clone(),
            Self::Failed { .. } => "each failure above has a line that repeats it alone".to_owned(),
            Self::Replay { .. } => {
                "keep what the old code asks for in the same order, or bring the worker over by snapshot: golem-cli worker update --mode manual"
                    .to_owned()
            }
        })
    }
}
