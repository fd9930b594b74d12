// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / bindgen go runtime: the Go package that every generated package of a module shares.
//! In nothing, out files as text. Read next: `golemrt/cabi_wasm.go.txt`. Why: docs/go-bindings.md, section "Run-time".

use super::text::HEADER;
use std::collections::BTreeMap;

/// Where the run-time lives, relative to the directory of `go.mod`.
pub(super) const DIRECTORY: &str = "internal/golemrt";

const FILES: [(&str, &str); 3] = [
    ("doc.go", include_str!("golemrt/doc.go.txt")),
    ("cabi_wasm.go", include_str!("golemrt/cabi_wasm.go.txt")),
    (
        "handles_wasm.go",
        include_str!("golemrt/handles_wasm.go.txt"),
    ),
];

/// The files of the run-time, by path relative to the directory of `go.mod`.
pub(super) fn files() -> BTreeMap<String, String> {
    FILES
        .iter()
        .map(|(name, text)| (format!("{DIRECTORY}/{name}"), format!("{HEADER}\n\n{text}")))
        .collect()
}
