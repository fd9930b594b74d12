// SPDX-License-Identifier: Apache-2.0
//! THE DESK / manifest error: why a `golem.yaml` is not understood, with file and line. Never printed here.

use std::{io, path::PathBuf};

use golem_model::Coded;

/// Why a manifest cannot be used. `at` is `file:line`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ManifestError {
    /// There is none.
    #[error("there is no `golem.yaml` in `{}` or above", dir.display())]
    Missing {
        /// Where the search began.
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
        /// The nearest key there is, or what to do instead.
        help: String,
    },
    /// A format of the future.
    #[error("{at}: `manifestVersion: {version}` is newer than this golem-cli")]
    Version {
        /// File and line.
        at: String,
        /// The version.
        version: u32,
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
    /// A component that is not in the manifest.
    #[error("{at}: there is no component `{name}`")]
    UnknownComponent {
        /// File and line, or where on the command line.
        at: String,
        /// The name.
        name: String,
        /// What there is.
        help: String,
    },
    /// Components that call each other in a circle.
    #[error("{at}: components call each other in a circle: {}", path.join(" → "))]
    Circle {
        /// The file.
        at: String,
        /// The circle; the first name comes again at the end.
        path: Vec<String>,
    },
    /// The text is of a form that is not edited by line.
    #[error("{file} is written in a form that cannot be changed line by line")]
    NotEditable {
        /// The file.
        file: String,
        /// The lines to add by hand.
        lines: String,
    },
    /// The dependency is there, and its calls do not return typed errors.
    #[error("`{caller}` calls `{target}` already, and these calls do not return typed errors")]
    OtherFlavour {
        /// The component that calls.
        caller: String,
        /// The component that is called.
        target: String,
    },
}

impl Coded for ManifestError {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "MAN-001",
            Self::Read { .. } => "MAN-002",
            Self::Syntax { .. } => "MAN-003",
            Self::UnknownKey { .. } => "MAN-004",
            Self::Version { .. } => "MAN-005",
            Self::Value { .. } => "MAN-006",
            Self::UnknownComponent { .. } => "MAN-007",
            Self::Circle { .. } => "MAN-008",
            Self::NotEditable { .. } => "MAN-009",
            Self::OtherFlavour { .. } => "MAN-010",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Missing { .. } => "go to the project, or name its manifest: golem-cli build --app path/to/golem.yaml".to_owned(),
            Self::Read { .. } => "check the path and its permissions".to_owned(),
            Self::Syntax { .. } => "see docs/formats/manifest.md; a template has an example: golem-cli new -e go-multi-rpc x".to_owned(),
            Self::UnknownKey { help, .. } | Self::Value { help, .. } | Self::UnknownComponent { help, .. } => help.clone(),
            Self::NotEditable { lines, .. } => format!("add this by hand, then run the same command again:\n{lines}"),
            Self::OtherFlavour { target, .. } => {
                format!("write `errorResults: true` behind `target: {target}` in golem.yaml; the code that makes the calls changes with it")
            }
            Self::Version { .. } => "use a newer golem-cli, or write `manifestVersion: 1`".to_owned(),
            Self::Circle { .. } => {
                "remove one dependency of the circle, and call back with a worker URN that is passed as an argument".to_owned()
            }
        })
    }
}
