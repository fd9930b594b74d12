// SPDX-License-Identifier: Apache-2.0
//! THE DESK / build summary: what came out of a build. In a component, out a view. Never writes files.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use golem_wit::describe;
use serde::Serialize;

use crate::error::Failure;

/// A component that was built.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Summary {
    /// Its name.
    pub(crate) component: String,
    /// The file to upload.
    pub(crate) wasm: PathBuf,
    /// Its size.
    pub(crate) wasm_bytes: usize,
    /// Its functions, with types.
    pub(crate) exports: Vec<String>,
    /// The interfaces it needs.
    pub(crate) imports: Vec<String>,
    /// How long it took.
    pub(crate) build_ms: u128,
    /// How much of that was `go build`, or the commands of the manifest.
    pub(crate) go_ms: u128,
}

/// Looks at the component.
pub(super) fn summary(
    component: &str,
    wasm: &Path,
    bytes: &[u8],
    took: Duration,
    go: Duration,
) -> Result<Summary, Failure> {
    let seen = describe::describe(bytes)?;
    Ok(Summary {
        component: component.to_owned(),
        wasm: wasm.to_owned(),
        wasm_bytes: bytes.len(),
        exports: seen.exports,
        imports: seen.imports,
        build_ms: took.as_millis(),
        go_ms: go.as_millis(),
    })
}

impl Summary {
    /// Several lines for people.
    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "{}: {} ({}, {} ms, of which Go {} ms)\n",
            self.component,
            short(&self.wasm),
            size(self.wasm_bytes),
            self.build_ms,
            self.go_ms
        );
        for export in &self.exports {
            let _ = writeln!(text, "  export {export}");
        }
        let _ = writeln!(text, "  import {}", self.imports.join(", "));
        text
    }
}

/// A number of bytes for people, in decimal units.
pub(crate) fn size(bytes: usize) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{}.{} KB", bytes / 1_000, bytes % 1_000 / 100),
        _ => format!("{}.{:02} MB", bytes / 1_000_000, bytes % 1_000_000 / 10_000),
    }
}

/// The path from the current directory, where it lies below it.
pub(crate) fn short(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let path = path.strip_prefix(&here).unwrap_or(path);
    path.strip_prefix(".").unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_for_people() {
        assert_eq!(size(999), "999 B");
        assert_eq!(size(96_667), "96.6 KB");
        assert_eq!(size(1_893_000), "1.89 MB");
    }
}
