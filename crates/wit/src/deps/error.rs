// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / deps errors: everything that `stubgen add-stub-dependency` can refuse. Read next: `plan.rs`.
//! Why: docs/errors/ explains each code.

use std::io;
use std::path::PathBuf;

use golem_model::Coded;

use crate::files::WriteError;
use crate::resolve::ResolveError;
use crate::stub::StubError;

/// Why the stub was not added. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum DepError {
    /// One of the directories is not understood.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// The caller's own stub has to be made again and cannot be.
    #[error(transparent)]
    Stub(#[from] StubError),
    /// The first directory holds no stub.
    #[error("`{}` holds package `{package}`, which is not a stub", path.display())]
    NotAStub {
        /// The directory as given.
        path: PathBuf,
        /// Its main package.
        package: String,
    },
    /// Caller and target have one name.
    #[error("both the caller and the target component use the package name `{package}`")]
    SamePackage {
        /// The name.
        package: String,
    },
    /// The stub's calls do not return typed errors, and the caller wants that.
    #[error("the calls of the stub in `{}` do not return typed errors", path.display())]
    NoErrorResults {
        /// The directory as given.
        path: PathBuf,
    },
    /// Files with another meaning are there.
    #[error("{} file(s) would be overwritten: {}", files.len(), list(files))]
    Conflict {
        /// The files, relative to the caller's directory, sorted.
        files: Vec<PathBuf>,
    },
    /// The caller's directory would not be readable afterwards.
    #[error("the stub does not go together with what is in `{}`: {cause}", dest.display())]
    Broken {
        /// The caller's directory.
        dest: PathBuf,
        /// What the WIT reader said.
        cause: ResolveError,
    },
    /// The `Cargo.toml` to update is missing, or is not one of cargo-component.
    #[error("cannot update `{}`: {reason}", path.display())]
    CargoToml {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// No file of the caller has its world where an import can be added.
    #[error("found no place for `{import}` in the world `{world}` of `{}`", dest.display())]
    NoWorldText {
        /// The caller's directory.
        dest: PathBuf,
        /// The world.
        world: String,
        /// The line.
        import: String,
    },
    /// A file could not be written; everything is as before.
    #[error("failed to write `{}`: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn list(files: &[PathBuf]) -> String {
    files
        .iter()
        .map(|path| format!("`{}`", path.display()))
        .collect::<Vec<_>>()
        .join(", ")
}

impl From<WriteError> for DepError {
    fn from(error: WriteError) -> Self {
        Self::Write {
            path: error.path,
            source: error.source,
        }
    }
}

impl Coded for DepError {
    fn code(&self) -> &'static str {
        match self {
            Self::Resolve(error) => error.code(),
            Self::Stub(error) => error.code(),
            Self::NotAStub { .. } => "DEP-001",
            Self::SamePackage { .. } => "DEP-002",
            Self::Conflict { .. } => "DEP-003",
            Self::Broken { .. } => "DEP-004",
            Self::CargoToml { .. } => "DEP-005",
            Self::Write { .. } => "DEP-006",
            Self::NoErrorResults { .. } => "DEP-007",
            Self::NoWorldText { .. } => "DEP-008",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Resolve(error) => return error.hint(),
            Self::Stub(error) => return error.hint(),
            Self::NotAStub { .. } => "give the directory that `golem-cli stubgen build --dest-wit-root` wrote".to_owned(),
            Self::SamePackage { package } => format!("give each component its own package name, for example `package {package}-caller;`"),
            Self::Conflict { .. } => "use --overwrite to force overwrite".to_owned(),
            Self::Broken { .. } => "run `golem-cli stubgen build` for the target again, and look at the package that is named".to_owned(),
            Self::CargoToml { .. } => "leave out --update-cargo-toml; only cargo-component projects need it".to_owned(),
            Self::Write { .. } => "check free disk space and the permissions, then run the same command again".to_owned(),
            Self::NoWorldText { .. } => "add the line to the world by hand, then run the same command again".to_owned(),
            Self::NoErrorResults { .. } => "build the stub again with `golem-cli stubgen build --error-results`".to_owned(),
        })
    }
}
