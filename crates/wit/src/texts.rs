// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / texts: the WIT packages that stubs need, and where a stub directory keeps them.
//! Never changes them. Read next: `stub/mod.rs`. Why: a stub must stand alone, whatever its source depends on.

/// A WIT package that is compiled into this crate.
pub(crate) struct Embedded {
    pub(crate) namespace: &'static str,
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    pub(crate) interface: &'static str,
    /// Directory below `deps`.
    pub(crate) dir: &'static str,
    pub(crate) file: &'static str,
    pub(crate) text: &'static str,
}

/// `golem:rpc@0.1.0` and `wasi:io@0.2.0` (its `poll` only), in the places where stub directories have them.
/// Source: client specification §3.3, §4.1.
pub(crate) const EMBEDDED: &[Embedded] = &[
    Embedded {
        namespace: "golem",
        name: "rpc",
        version: "0.1.0",
        interface: "types",
        dir: "wasm-rpc",
        file: "wasm-rpc.wit",
        text: include_str!("wit/wasm-rpc.wit"),
    },
    Embedded {
        namespace: "wasi",
        name: "io",
        version: "0.2.0",
        interface: "poll",
        dir: "io",
        file: "poll.wit",
        text: include_str!("wit/poll.wit"),
    },
];

/// `golem:worker@0.1.0`, which a stub needs whose calls return typed errors.
pub(crate) const CALL_ERRORS: Embedded = Embedded {
    namespace: "golem",
    name: "worker",
    version: "0.1.0",
    interface: "call-errors",
    dir: "golem-worker",
    file: "golem-worker.wit",
    text: include_str!("wit/golem-worker.wit"),
};
