// SPDX-License-Identifier: Apache-2.0
//! THE DESK / tests: the real binary, one test program. In commands, out exit codes, texts and files.
//! Needs no server; what needs Go says `SKIP` when there is none. Read next: `support.rs`, `client.rs`.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod add_dependency;
mod build;
mod client;
mod contract;
mod doctor;
mod exit_codes;
mod new;
mod snapshots;
mod stubgen;
mod support;
mod usage;
