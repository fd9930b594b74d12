// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / bindgen go runtime: the Go package that every generated package of a module shares.
//! In nothing, out files as text. Read next: `golemrt/cabi_wasm.go.txt`. Why: docs/go-bindings.md, section "Run-time".

use super::Style;
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

/// Where the packages of style `go` live that user code imports, relative to the directory of `go.mod`.
pub(super) const PACKAGES: &str = "internal/golem";

const IDIOM: [(&str, &str, &str); 13] = [
    (
        DIRECTORY,
        "resource.go",
        include_str!("golemrt/resource.go.txt"),
    ),
    (
        DIRECTORY,
        "resource_wasm.go",
        include_str!("golemrt/resource_wasm.go.txt"),
    ),
    (
        DIRECTORY,
        "errors.go",
        include_str!("golemrt/errors.go.txt"),
    ),
    (PACKAGES, "wit/wit.go", include_str!("golem/wit.go.txt")),
    (
        PACKAGES,
        "wit/result.go",
        include_str!("templates/result.go.txt"),
    ),
    (PACKAGES, "wit/tuple.go", include_str!("golem/tuple.go.txt")),
    (
        PACKAGES,
        "worker/worker.go",
        include_str!("golem/worker.go.txt"),
    ),
    (
        PACKAGES,
        "rpc/errors.go",
        include_str!("golem/errors.go.txt"),
    ),
    (
        PACKAGES,
        "rpc/future.go",
        include_str!("golem/future.go.txt"),
    ),
    (PACKAGES, "rpc/many.go", include_str!("golem/many.go.txt")),
    (
        PACKAGES,
        "rpc/driver_wasm.go",
        include_str!("golem/driver_wasm.go.txt"),
    ),
    (PACKAGES, "rpc/turn.go", include_str!("golem/turn.go.txt")),
    (
        PACKAGES,
        "rpc/driver_native.go",
        include_str!("golem/driver_native.go.txt"),
    ),
];

/// The files of the run-time, by path relative to the directory of `go.mod`. `module` is the path of the module.
pub(super) fn files(style: Style, module: &str) -> BTreeMap<String, String> {
    let mut files: BTreeMap<String, String> = FILES
        .iter()
        .map(|(name, text)| (format!("{DIRECTORY}/{name}"), format!("{HEADER}\n\n{text}")))
        .collect();
    if style == Style::Go {
        files.extend(IDIOM.iter().map(|(directory, name, text)| {
            let package = match *name {
                "wit/result.go" => "package wit\n\n",
                _ => "",
            };
            let text = text.trim_end().replace(MODULE, module);
            (
                format!("{directory}/{name}"),
                format!("{HEADER}\n\n{package}{text}\n"),
            )
        }));
    }
    files
}

/// Stands for the path of the module in the texts of the run-time.
const MODULE: &str = "example.com/module";
