// SPDX-License-Identifier: Apache-2.0
//! THE DESK / exit: the exit codes of `golem-cli`, as documented constants. In an error code, out a number.
//! Never ends the process. Read next: `error.rs`. Why: crates/cli/README.md, "Exit codes".

/// Everything went well.
pub(crate) const OK: u8 = 0;
/// Any failure without a finer code.
pub(crate) const GENERIC: u8 = 1;
/// The command line is wrong: unknown flag, missing argument, malformed value.
pub(crate) const USAGE: u8 = 2;
/// The thing that was named does not exist.
pub(crate) const NOT_FOUND: u8 = 3;
/// The guest ended with a trap or with an error result.
pub(crate) const GUEST: u8 = 4;
/// The server cannot be reached.
pub(crate) const UNREACHABLE: u8 = 5;
/// The server refused who asks (authentication) or what is asked (authorization).
pub(crate) const DENIED: u8 = 6;
/// The request clashes with what is there, or a precondition does not hold.
pub(crate) const CONFLICT: u8 = 7;
/// The answer did not come in time.
pub(crate) const TIMEOUT: u8 = 8;
/// A build tool (Go, most of the time) is missing or failed.
pub(crate) const BUILD_TOOL: u8 = 9;
/// A bug of this program.
pub(crate) const INTERNAL: u8 = 70;

/// The codes with their meaning.
pub(crate) const TABLE: &[(u8, &str)] = &[
    (OK, "ok"),
    (GENERIC, "failed"),
    (USAGE, "wrong command line"),
    (NOT_FOUND, "not found"),
    (GUEST, "the worker failed: trap or error result"),
    (UNREACHABLE, "server unreachable"),
    (DENIED, "not authenticated or not allowed"),
    (CONFLICT, "conflict or failed precondition"),
    (TIMEOUT, "timeout"),
    (BUILD_TOOL, "a build tool is missing or failed"),
    (INTERNAL, "a bug of golem-cli"),
];
