// SPDX-License-Identifier: Apache-2.0
//! THE DESK / files error: why files cannot be initial files of a component. Never printed here.

use std::{io, path::PathBuf};

use golem_model::Coded;
use golem_model::component::{INITIAL_FILES_BYTES_MAX, INITIAL_FILES_MAX};

/// Why the initial files of a component cannot be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilesError {
    /// The disk said no, or nothing is there.
    #[error("cannot read the initial file `{}`", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A symbolic link: it may lead out of the project, and workers have none.
    #[error("`{}` is a link, and initial files are never read through links", path.display())]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// A socket, a pipe, a device.
    #[error("`{}` is neither a file nor a folder", path.display())]
    Special {
        /// What it is.
        path: PathBuf,
    },
    /// A file in the place of the root of a worker.
    #[error("the file `{}` cannot be `/` of a worker", path.display())]
    Root {
        /// The file.
        path: PathBuf,
    },
    /// Two files for one path.
    #[error("both `{}` and `{}` are to be `{target}`", one.display(), two.display())]
    Twice {
        /// The path in the worker.
        target: String,
        /// The first.
        one: PathBuf,
        /// The second.
        two: PathBuf,
    },
    /// More files than a component may have.
    #[error("`{}` is one initial file too many: a component has at most {INITIAL_FILES_MAX}", path.display())]
    TooMany {
        /// The first one that is too many.
        path: PathBuf,
    },
    /// More bytes than a component may have.
    #[error("with `{}` the initial files have more than {INITIAL_FILES_BYTES_MAX} bytes", path.display())]
    TooLarge {
        /// The file that crosses the bound.
        path: PathBuf,
    },
    /// A name that is no text.
    #[error("the name of the initial file `{}` is no UTF-8 text", path.display())]
    Name {
        /// The file, as far as it can be shown.
        path: PathBuf,
    },
}

impl Coded for FilesError {
    fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "FIL-001",
            Self::Link { .. } => "FIL-002",
            Self::Special { .. } => "FIL-003",
            Self::Root { .. } => "FIL-004",
            Self::Twice { .. } => "FIL-005",
            Self::TooMany { .. } => "FIL-006",
            Self::TooLarge { .. } => "FIL-007",
            Self::Name { .. } => "FIL-008",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::Read { .. } => "check the path and its permissions; it starts from the directory of golem.yaml, on the command line from here",
                Self::Link { .. } => "name the file itself, or copy it into the project",
                Self::Special { .. } => "move it out of the folder, or name the files one by one",
                Self::Root { .. } => "give it a name in the worker, such as `/app.conf`; only a folder can be `/`",
                Self::Twice { .. } => "leave one of them out, or name the files of the folder one by one",
                Self::TooMany { .. } => "pack them into one file that the worker unpacks, or fetch what is needed",
                Self::TooLarge { .. } => "keep what is large in a bucket, and let the worker fetch it",
                Self::Name { .. } => "give it another name",
            }
            .to_owned(),
        )
    }
}
