// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / bindgen go: Go bindings without cgo, in two styles. In a resolved world, out Go files as text.
//! Works with stock Go 1.24 and newer. Never runs `go`. Read next: `plan.rs` (names), `abi.rs` (values), `golemrt/` (run-time).
//! Why: docs/go-bindings.md.

mod abi;
mod decls;
mod idiom;
mod ir;
mod names;
mod native;
mod plan;
mod runtime;
mod text;
mod wasm;
mod wrappers;

#[cfg(test)]
mod tests;

pub use super::error::GoError;
pub use names::is_keyword;
pub use runtime::{Home, SDK_MODULE};
pub(super) use text::HEADER;

use std::collections::BTreeMap;
use std::str::FromStr;
use wit_parser::{Resolve, WorldId};

/// Files by path, relative to a directory that the context names; `/` separates. The text is what `gofmt` would write.
pub type Files = BTreeMap<String, String>;

/// How the generated API looks. The ABI code below it is the same for every style.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Style {
    /// The names of the `tiny-go` generator: one flat package, `Option`, `Result`, `SetExports…`.
    #[default]
    TinyGo,
    /// As Go programmers write it: one package per interface, errors, contexts, futures.
    Go,
}

impl FromStr for Style {
    type Err = GoError;

    /// Accepts `tiny-go` and `go`. Errors: [`GoError::Style`].
    fn from_str(style: &str) -> Result<Self, GoError> {
        match style {
            "tiny-go" => Ok(Self::TinyGo),
            "go" => Ok(Self::Go),
            _ => Err(GoError::Style {
                style: style.to_owned(),
            }),
        }
    }
}

/// What the caller decides about the bindings.
#[derive(Debug, Clone, Default)]
pub struct GoOptions {
    /// The module path of the `go.mod` above the output directory; the generated package imports its run-time from there.
    /// [`super::locate_module`] finds it.
    pub module_path: String,
    /// The import path of the output directory, from [`super::GoModule::import_path`]. Only style `go` needs it: its packages
    /// import each other.
    pub package_path: String,
    /// The package name, instead of the world's name in snake_case.
    pub rename_package: Option<String>,
    /// The look of the API.
    pub style: Style,
    /// Where the run-time is; [`super::GoModule::home`] tells.
    pub home: Home,
}

/// Generated bindings of one world.
#[derive(Debug, Clone)]
pub struct GoBindings {
    /// The name of the generated package.
    pub package: String,
    /// The files, relative to the output directory. Style `tiny-go`: `<world>.go`, `<world>_types.go` if options or results
    /// occur, `<world>_wasm.go`, `<world>_native.go`. Style `go`: the same per package, without `_types`, each package but the
    /// world's own in a directory of its name.
    pub files: Files,
    /// The run-time's files, relative to the directory of `go.mod`. The same for every world of a style; none if the module
    /// requires the SDK.
    pub runtime: Files,
    /// Files of the run-time that an earlier run wrote and nothing needs any more, relative to the directory of `go.mod`.
    pub retired: Vec<String>,
    /// The stem of the file names.
    pub file_stem: String,
    /// Style `go`: the second line of every file of this world; by it a later run knows the packages that it no longer has.
    pub mark: Option<String>,
    /// Names that had to give way to others, one sentence each, in a fixed order.
    pub warnings: Vec<String>,
}

/// Generates the Go bindings of `world`. The same input gives the same text, byte by byte.
///
/// Errors: [`GoError::Unsupported`] for async functions, futures, streams, maps, fixed-length lists, error contexts and more
/// than 64 flags; [`GoError::PackageName`]. Source: docs/go-bindings.md.
pub fn generate(
    resolve: &Resolve,
    world: WorldId,
    opts: &GoOptions,
) -> Result<GoBindings, GoError> {
    let mut plan = plan::plan(resolve, world, opts)?;
    let stem = plan.file_stem.clone();
    let mut files = Files::new();
    match opts.style {
        Style::TinyGo => {
            files.insert(format!("{stem}.go"), wrappers::file(&plan));
            if let Some(helpers) = decls::helpers(&plan) {
                files.insert(format!("{stem}_types.go"), helpers);
            }
            files.insert(format!("{stem}_wasm.go"), wasm::file(&plan));
            files.insert(format!("{stem}_native.go"), native::file(&plan));
        }
        Style::Go => files = idiom::files(&mut plan),
    }
    let mark = (opts.style == Style::Go).then(|| idiom::mark(&plan));
    Ok(GoBindings {
        package: plan.package,
        files,
        runtime: runtime::files(opts.style, opts.home, &opts.module_path),
        retired: runtime::retired(opts.home),
        file_stem: stem,
        mark,
        warnings: plan.warnings,
    })
}
