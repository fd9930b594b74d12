// SPDX-License-Identifier: Apache-2.0
//! THE DESK / template error: why no project was made. Never printed here. Read next: `names.rs`.

use std::{io, path::PathBuf};

use golem_model::Coded;

/// Why `new` made nothing; nothing is left on disk.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TemplateError {
    /// No template of this name.
    #[error("there is no template `{name}`")]
    Unknown {
        /// As given.
        name: String,
        /// The option with the nearest name there is.
        nearest: Option<String>,
    },
    /// The component name is no identifier and cannot be made one.
    #[error("component name `{name}` cannot be used: {why}")]
    Name {
        /// As given.
        name: String,
        /// What is wrong with it.
        why: String,
        /// A name that would do.
        nearest: Option<String>,
    },
    /// The path of the new component leads out of the current directory.
    #[error("`{path}` is not a path below the current directory")]
    Outside {
        /// As given.
        path: String,
    },
    /// The package clashes with the template.
    #[error("package name `{package}` cannot be used: {why}")]
    Package {
        /// As given.
        package: String,
        /// What is wrong with it.
        why: String,
    },
    /// There is something already.
    #[error("`{}` is not empty", path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// A file stands where the directory should go.
    #[error("`{}` exists and is not a directory", path.display())]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// The disk said no.
    #[error("failed to write `{}`", path.display())]
    Io {
        /// What was being written.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Coded for TemplateError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "NEW-001",
            Self::Name { .. } => "NEW-002",
            Self::Outside { .. } => "NEW-003",
            Self::Package { .. } => "NEW-004",
            Self::NotEmpty { .. } => "NEW-005",
            Self::NotADirectory { .. } => "NEW-006",
            Self::Io { .. } => "NEW-007",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unknown { nearest: Some(nearest), .. } => {
                format!("did you mean `{nearest}`? See them all: golem-cli list-templates, golem-cli list-examples")
            }
            Self::Unknown { nearest: None, .. } => "see them all: golem-cli list-templates, golem-cli list-examples".to_owned(),
            Self::Name { nearest: Some(nearest), .. } => format!("use another name, for example `{nearest}`"),
            Self::Name { nearest: None, .. } => {
                "use lower-case words joined by `-`, each starting with a letter, for example `shopping-cart`".to_owned()
            }
            Self::Outside { .. } => {
                "go to the directory that shall hold the component and give only its name, for example `shopping-cart`".to_owned()
            }
            Self::Package { .. } => "choose another one, for example `--package-name acme:cart`".to_owned(),
            Self::NotEmpty { .. } => {
                "choose another name, or add --force to overwrite the template's files and keep the others".to_owned()
            }
            Self::NotADirectory { .. } => "choose another name, or move the file away".to_owned(),
            Self::Io { .. } => "check that the disk has room and that you may write there".to_owned(),
        })
    }
}
