// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / trial: scenarios of `golem-cli test`, run in the real engine in this process: on the memory store, with time that
//! is moved by hand, a double of the network, and a crash at any commit. In: components and [`Scenario`]s. Out: [`Trial`]s.
//! Never listens. Read next: `run.rs`, `process.rs`. Why: docs/testing.md.

mod error;
mod everywhere;
mod outside;
mod process;
mod project;
mod replay;
mod run;
mod script;
mod steps;

pub use error::{TrialError, Wrong};
pub use everywhere::Everywhere;
pub use golem_engine::NewFile;
pub use project::{Beginning, Code, Project};
pub use replay::{Replay, replay};
pub use run::{Failed, Mode, Trial};
pub use script::{Action, Call, Expected, Method, Mocked, Scenario, Step, WorkerOf};
