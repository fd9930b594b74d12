// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / stub errors: everything that `stubgen generate`, `build` and `initialize-workspace` can refuse.
//! Read next: `interface.rs`. Why: docs/errors/ has one page per code.

use std::io;
use std::path::PathBuf;

use golem_model::Coded;

use crate::files::WriteError;
use crate::names::NameError;
use crate::resolve::ResolveError;

/// Why no stub was made. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum StubError {
    /// The source is not understood.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// A name that the caller gave is not legal.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Two client resources would have one name.
    #[error("{first} and {second} both need the client resource `{name}`")]
    ClientClash {
        /// The name.
        name: String,
        /// What needs it first.
        first: String,
        /// What needs it as well.
        second: String,
    },
    /// Two functions of one client resource would have one name.
    #[error(
        "functions `{first}` and `{second}` of `{client}` both need the client function `{name}`"
    )]
    MethodClash {
        /// The client resource.
        client: String,
        /// The name.
        name: String,
        /// One function.
        first: String,
        /// The other.
        second: String,
    },
    /// Two futures or types still have one name after they were qualified.
    #[error("{first} and {second} both need the name `{name}` in the stub")]
    NameClash {
        /// The name.
        name: String,
        /// What needs it first.
        first: String,
        /// What needs it as well.
        second: String,
    },
    /// A type that cannot travel between workers.
    #[error("function `{function}` uses a type that cannot travel between workers: {what}")]
    UnsupportedType {
        /// The function.
        function: String,
        /// The type.
        what: String,
    },
    /// A resource of a package that the target does not implement.
    #[error(
        "function `{function}` uses the resource `{resource}`, which the component does not export"
    )]
    ForeignResource {
        /// The function.
        function: String,
        /// The resource.
        resource: String,
    },
    /// A static function that does not say which worker it is for.
    #[error("static function `{function}` has no handle as its first parameter")]
    StaticWithoutHandle {
        /// The function.
        function: String,
    },
    /// A function with the async calling convention.
    #[error("function `{function}` is declared `async`")]
    AsyncFunction {
        /// The function.
        function: String,
    },
    /// The output would be written into the source.
    #[error("the destination `{}` is inside the source `{}`", dest.display(), source_root.display())]
    DestInSource {
        /// The destination as given.
        dest: PathBuf,
        /// The source as given.
        source_root: PathBuf,
    },
    /// What is already in the destination does not go together with the stub.
    #[error("the files in `{}` do not go together with the stub: {cause}", dest.display())]
    DestBroken {
        /// The destination as given.
        dest: PathBuf,
        /// What the WIT reader said about both together.
        cause: ResolveError,
    },
    /// A stub was made and is not valid: a defect of the generator.
    #[error("the stub of `{package}` is not valid: {message}")]
    Invalid {
        /// The target package.
        package: String,
        /// What the validator said.
        message: String,
    },
    /// A file could not be written; everything is as before.
    #[error("failed to write `{}`: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The version for the generated crate is not one.
    #[error("`{version}` is not a crate version")]
    CrateVersion {
        /// As given.
        version: String,
    },
    /// A function has the name of its client resource, which the component model forbids.
    #[error("function `{function}` has the name of its client resource `{client}`")]
    SelfNamed {
        /// The client resource: an interface, a resource or the world.
        client: String,
        /// The function.
        function: String,
    },
    /// `initialize-workspace` outside a Cargo workspace.
    #[error("no Cargo workspace with members in `{}`", path.display())]
    NotAWorkspace {
        /// The `Cargo.toml` that was looked at.
        path: PathBuf,
    },
    /// A TOML file could not be understood.
    #[error("failed to read `{}`: {message}", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
}

impl From<WriteError> for StubError {
    fn from(error: WriteError) -> Self {
        Self::Write {
            path: error.path,
            source: error.source,
        }
    }
}

impl Coded for StubError {
    fn code(&self) -> &'static str {
        match self {
            Self::Resolve(error) => error.code(),
            Self::Name(error) => error.code(),
            Self::ClientClash { .. } => "STB-001",
            Self::MethodClash { .. } => "STB-002",
            Self::NameClash { .. } => "STB-003",
            Self::UnsupportedType { .. } => "STB-004",
            Self::ForeignResource { .. } => "STB-005",
            Self::StaticWithoutHandle { .. } => "STB-006",
            Self::AsyncFunction { .. } => "STB-007",
            Self::DestInSource { .. } => "STB-008",
            Self::DestBroken { .. } => "STB-009",
            Self::Invalid { .. } => "STB-010",
            Self::Write { .. } => "STB-011",
            Self::CrateVersion { .. } => "STB-012",
            Self::NotAWorkspace { .. } => "STB-013",
            Self::Toml { .. } => "STB-014",
            Self::SelfNamed { .. } => "STB-015",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Resolve(error) => return error.hint(),
            Self::Name(error) => return error.hint(),
            Self::ClientClash { .. } => "rename one of the two in the WIT of the target, for example `cart-api` instead of `api`".to_owned(),
            Self::MethodClash { first, .. } => format!("rename `{first}`: every function `x` also gets a client function `blocking-x`"),
            Self::SelfNamed { client, .. } => {
                format!("rename the function or `{client}` in the WIT of the target, for example `{client}-api`")
            }
            Self::NameClash { .. } => "rename one of the two in the WIT of the target".to_owned(),
            Self::UnsupportedType { .. } => "use records, variants, lists, options, results, tuples, enums, flags and primitives".to_owned(),
            Self::ForeignResource { .. } => "pass plain data instead of a handle, or export the resource from the component".to_owned(),
            Self::StaticWithoutHandle { .. } => {
                "make it a function of the interface, or give it a handle of an exported resource as first parameter".to_owned()
            }
            Self::AsyncFunction { .. } => "declare it `func`; the stub has a non-blocking variant of every function anyway".to_owned(),
            Self::DestInSource { .. } => "choose a directory of its own, for example --dest-wit-root <component>-stub/wit".to_owned(),
            Self::DestBroken { dest, .. } => format!("remove what an earlier run left there: rm -r {}", dest.display()),
            Self::Invalid { .. } => "please report this with the WIT of the target".to_owned(),
            Self::Write { .. } => "check the path, its permissions and free disk space".to_owned(),
            Self::CrateVersion { .. } => "write three numbers: --stub-crate-version 0.0.1".to_owned(),
            Self::NotAWorkspace { .. } => "run it in the directory of a `Cargo.toml` with `[workspace] members = [...]`; Go projects do not need it".to_owned(),
            Self::Toml { .. } => "mend the file at the place that is named; cargo says more: cargo metadata".to_owned(),
        })
    }
}
