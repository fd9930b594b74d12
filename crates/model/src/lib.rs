// SPDX-License-Identifier: Apache-2.0
//! THE WORDS: ids, WIT types and values, oplog entries, status and API bodies. Plain data, no IO, no async.
#![warn(missing_docs)]

pub mod error;

pub use error::{Coded, Problem};
