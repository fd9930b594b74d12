// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / api/secrets: bodies of calls about secrets. In: nothing. Out: serde types. No type here has a value.
//! Read next: `../capabilities.rs`, golem-engine `secrets.rs`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::Timestamp;

/// A secret, without its value.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretInfo {
    /// Its name.
    pub name: String,
    /// Its newest version, from 1: one more each time that it is set.
    pub version: u64,
    /// When that was.
    pub set_at: Timestamp,
}
