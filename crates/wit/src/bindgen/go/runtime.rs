// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / bindgen go runtime: the Go packages that every generated package of a module shares, and where they are.
//! In nothing, out files as text. Read next: `golemrt/cabi_wasm.go.txt`. Why: docs/go-bindings.md, section "Run-time";
//! docs/adr/0010-go-sdk.md for the place.

use super::Style;
use super::text::HEADER;
use std::collections::BTreeMap;

/// The path of the module that holds the run-time for everybody who requires it.
pub const SDK_MODULE: &str = "github.com/golem-workers/golem-go";

/// Where the run-time of a program is. A program can export its allocator only once, so it has one run-time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Home {
    /// In the module itself, below `internal`.
    #[default]
    Module,
    /// In [`SDK_MODULE`], which the module requires; nothing is written.
    Sdk,
    /// In the module itself, which is [`SDK_MODULE`].
    SdkItself,
}

impl Home {
    /// The directory of `golemrt`, and of the packages of style `go` that user code imports, relative to `go.mod`.
    fn directories(self) -> (&'static str, &'static str) {
        match self {
            Self::Module => (DIRECTORY, PACKAGES),
            Self::Sdk | Self::SdkItself => ("golemrt", ""),
        }
    }

    /// The import path of the run-time of the module `module`.
    pub(super) fn golemrt(self, module: &str) -> String {
        let (golemrt, _) = self.directories();
        format!("{}/{golemrt}", self.module(module))
    }

    /// The import path of a package of style `go` that user code imports: `rpc`, `wit` or `worker`.
    pub(super) fn package(self, module: &str, package: &str) -> String {
        let (_, packages) = self.directories();
        join(&join(self.module(module), packages), package)
    }

    fn module(self, module: &str) -> &str {
        match self {
            Self::Module | Self::SdkItself => module,
            Self::Sdk => SDK_MODULE,
        }
    }
}

fn join(directory: &str, name: &str) -> String {
    match (directory, name) {
        (only, "") | ("", only) => only.to_owned(),
        (directory, name) => format!("{directory}/{name}"),
    }
}

/// Where the run-time lives in a module of its own, relative to the directory of `go.mod`.
const DIRECTORY: &str = "internal/golemrt";

const FILES: [(&str, &str); 5] = [
    ("doc.go", include_str!("golemrt/doc.go.txt")),
    ("cabi_wasm.go", include_str!("golemrt/cabi_wasm.go.txt")),
    (
        "heap_go_wasm.go",
        include_str!("golemrt/heap_go_wasm.go.txt"),
    ),
    (
        "heap_tinygo_wasm.go",
        include_str!("golemrt/heap_tinygo_wasm.go.txt"),
    ),
    (
        "handles_wasm.go",
        include_str!("golemrt/handles_wasm.go.txt"),
    ),
];

/// Where the packages of style `go` live that user code imports, relative to the directory of `go.mod`.
const PACKAGES: &str = "internal/golem";

/// What style `go` has beside [`FILES`]: whether it belongs to `golemrt`, path, text.
const IDIOM: [(bool, &str, &str); 13] = [
    (true, "resource.go", include_str!("golemrt/resource.go.txt")),
    (
        true,
        "resource_wasm.go",
        include_str!("golemrt/resource_wasm.go.txt"),
    ),
    (true, "errors.go", include_str!("golemrt/errors.go.txt")),
    (false, "wit/wit.go", include_str!("golem/wit.go.txt")),
    (
        false,
        "wit/result.go",
        include_str!("templates/result.go.txt"),
    ),
    (false, "wit/tuple.go", include_str!("golem/tuple.go.txt")),
    (
        false,
        "worker/worker.go",
        include_str!("golem/worker.go.txt"),
    ),
    (false, "rpc/errors.go", include_str!("golem/errors.go.txt")),
    (false, "rpc/future.go", include_str!("golem/future.go.txt")),
    (false, "rpc/many.go", include_str!("golem/many.go.txt")),
    (
        false,
        "rpc/driver_wasm.go",
        include_str!("golem/driver_wasm.go.txt"),
    ),
    (false, "rpc/turn.go", include_str!("golem/turn.go.txt")),
    (
        false,
        "rpc/driver_native.go",
        include_str!("golem/driver_native.go.txt"),
    ),
];

/// The files of the run-time, by path relative to the directory of `go.mod`. `module` is the path of the module.
pub(super) fn files(style: Style, home: Home, module: &str) -> BTreeMap<String, String> {
    if home == Home::Sdk {
        return BTreeMap::new();
    }
    let (golemrt, packages) = home.directories();
    let mut files: BTreeMap<String, String> = FILES
        .iter()
        .map(|(name, text)| (format!("{golemrt}/{name}"), format!("{HEADER}\n\n{text}")))
        .collect();
    if style == Style::Go {
        files.extend(IDIOM.iter().map(|(of_golemrt, name, text)| {
            let directory = if *of_golemrt { golemrt } else { packages };
            let package = match *name {
                "wit/result.go" => "package wit\n\n",
                _ => "",
            };
            let text = text
                .trim_end()
                .replace(GOLEMRT, &home.golemrt(module))
                .replace(WORKER, &home.package(module, "worker"));
            (
                join(directory, name),
                format!("{HEADER}\n\n{package}{text}\n"),
            )
        }));
    }
    files
}

/// The files of a module's own run-time, which it needs no more when it requires the SDK.
pub(super) fn retired(home: Home) -> Vec<String> {
    match home {
        Home::Sdk => files(Style::Go, Home::Module, "").into_keys().collect(),
        Home::Module | Home::SdkItself => Vec::new(),
    }
}

/// What the texts of the run-time import of each other.
const GOLEMRT: &str = "example.com/module/internal/golemrt";
const WORKER: &str = "example.com/module/internal/golem/worker";
