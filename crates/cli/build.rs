// SPDX-License-Identifier: Apache-2.0
//! THE DESK / build script: lists the files of `sdk/go` and the pages of `docs/errors`, so that `src/sdk.rs` and
//! `src/cmd/explain.rs` can compile them in. In: the folders. Out: `sdk_files.rs` and `error_pages.rs` in the build directory. Leaves tests out. Why: docs/adr/0010-go-sdk.md; a list by hand would fall behind.

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    // Asked for now: what was there when this script was compiled is wrong after the checkout was moved.
    let own = std::env::var_os("CARGO_MANIFEST_DIR").ok_or("no CARGO_MANIFEST_DIR")?;
    let root = std::fs::canonicalize(Path::new(&own).join("../../sdk/go"))?;
    writeln!(
        std::io::stdout(),
        "cargo:rerun-if-changed={}",
        root.display()
    )?;
    let mut names = Vec::new();
    walk(&root, "", &mut names)?;
    names.sort();
    let mut text = String::from("&[\n");
    for name in names {
        let path = root.join(&name);
        writeln!(text, "    ({name:?}, include_str!({path:?})),")?;
    }
    text.push_str("]\n");
    let out = std::env::var_os("OUT_DIR").ok_or("no OUT_DIR")?;
    std::fs::write(Path::new(&out).join("sdk_files.rs"), text)?;
    std::fs::write(Path::new(&out).join("error_pages.rs"), pages(&own)?)?;
    Ok(())
}

/// The pages of error codes, by area: what `golem-cli explain` says.
fn pages(own: &std::ffi::OsStr) -> Result<String, Box<dyn Error>> {
    let root = std::fs::canonicalize(Path::new(own).join("../../docs/errors"))?;
    writeln!(
        std::io::stdout(),
        "cargo:rerun-if-changed={}",
        root.display()
    )?;
    let mut areas = Vec::new();
    for entry in std::fs::read_dir(&root)? {
        let path = entry?.path();
        let area = path.file_stem().and_then(|name| name.to_str());
        let is_page = path.extension().is_some_and(|end| end == "md");
        if let Some(area) = area.filter(|area| is_page && area.len() == 3) {
            areas.push((area.to_owned(), path.clone()));
        }
    }
    areas.sort();
    let mut text = String::from("&[\n");
    for (area, path) in areas {
        writeln!(text, "    ({area:?}, include_str!({path:?})),")?;
    }
    text.push_str("]\n");
    Ok(text)
}

/// The files below `dir`, by path relative to the root, with `/`.
fn walk(dir: &Path, prefix: &str, names: &mut Vec<String>) -> Result<(), Box<dyn Error>> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || name.ends_with("_test.go") || name == "testdata" {
            continue;
        }
        let path = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), &format!("{path}/"), names)?;
        } else {
            names.push(path);
        }
    }
    Ok(())
}
