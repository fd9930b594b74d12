// SPDX-License-Identifier: Apache-2.0
//! THE DESK / scenario: `tests/*.yaml`, stories about workers for `golem-cli test`. In YAML, out scenarios of golem-server.
//! Never runs one. Read next: `scenario/raw.rs` (the keys), crates/server/src/trial/. Why: docs/testing.md.

mod error;
mod raw;
mod read;

pub(crate) use error::ScenarioError;
pub(crate) use read::{Stories, read};
