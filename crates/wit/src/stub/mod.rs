// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / stub: `stubgen build`, `generate` and `initialize-workspace`. In: a target's WIT directory. Out: a stub
//! directory, a stub component, a Rust crate, a `Makefile.toml`; wholly or not at all.
//! Never touches the source, never compiles. Read next: `interface.rs`. Why: client specification §3.3, §3.7, §3.9.

mod build;
mod component;
mod error;
mod generate;
mod interface;
mod naming;
mod types;
mod workspace;

pub use build::{BuildRequest, Built, build};
pub(crate) use build::{own_stub_removed, plan, prepare};
pub use component::pass_through;
pub use error::StubError;
pub use generate::{GenerateRequest, Generated, generate};
pub(crate) use interface::CALL_ERROR;
pub use interface::{
    Client, ClientFunction, Flavour, INTERFACE_PREFIX, PACKAGE_SUFFIX, STUB_FILE, StubInterface,
    Target, WORLD_PREFIX, stub_interface,
};
pub use workspace::{Workspace, WorkspaceRequest, initialize_workspace};
