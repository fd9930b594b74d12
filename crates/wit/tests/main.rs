// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / tests: one binary. In: `tests/oracle/` and WIT in the tests. Never needs a compiler or a network.
//! Read next: `oracle.rs`. Why: the stub text is a contract with callers that were written for another tool.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod components;
mod dependencies;
mod junk;
mod oracle;
mod sdk;
mod stubs;
mod suite;
mod support;
