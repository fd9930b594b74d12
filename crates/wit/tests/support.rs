// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / tests, support: directories, small WIT trees, components without code. In: text. Out: files.
//! Never asserts about the product. Read next: `oracle.rs`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use golem_wit::stub::{BuildRequest, Built, Flavour, StubError, build};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::ManglingAndAbi;

pub(crate) type Files = BTreeMap<String, String>;

pub(crate) fn oracle(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/oracle")
        .join(path)
}

/// All files below `root` with their text, by relative path.
pub(crate) fn files(root: &Path) -> Files {
    let mut found = Files::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path
                    .strip_prefix(root)
                    .unwrap()
                    .to_string_lossy()
                    .replace('\\', "/");
                found.insert(
                    name,
                    String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned(),
                );
            }
        }
    }
    found
}

pub(crate) fn write(root: &Path, list: &[(&str, &str)]) {
    for (path, text) in list {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

pub(crate) fn copy(from: &Path, to: &Path) {
    for (path, text) in files(from) {
        write(to, &[(&path, &text)]);
    }
}

/// Builds the stub of `<dir>/<name>/wit` into `<dir>/<name>-stub`.
pub(crate) fn build_stub(dir: &Path, name: &str, inline: bool) -> Result<Built, StubError> {
    build_flavour(dir, name, inline, Flavour::Trapping)
}

/// The same in a flavour.
pub(crate) fn build_flavour(
    dir: &Path,
    name: &str,
    inline: bool,
    flavour: Flavour,
) -> Result<Built, StubError> {
    build(BuildRequest {
        source_wit_root: &dir.join(name).join("wit"),
        dest_wasm: &dir.join(format!("{name}-stub/stub.wasm")),
        dest_wit_root: &dir.join(format!("{name}-stub/wit")),
        world: None,
        always_inline_types: inline,
        flavour,
    })
}

/// As [`stub_of`], with typed errors.
pub(crate) fn error_stub_of(wit: &str) -> (tempfile::TempDir, Result<Built, StubError>) {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("t/wit/t.wit", wit)]);
    let built = build_flavour(dir.path(), "t", false, Flavour::ErrorResults);
    (dir, built)
}

/// Builds the stub of one WIT text; returns it with the directory that holds `t/wit` and `t-stub`.
pub(crate) fn stub_of(wit: &str) -> (tempfile::TempDir, Result<Built, StubError>) {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("t/wit/t.wit", wit)]);
    let built = build_stub(dir.path(), "t", false);
    (dir, built)
}

/// A component for `world` of the WIT directory whose code only traps.
pub(crate) fn component(wit: &Path, world: Option<&str>) -> Vec<u8> {
    let loaded = golem_wit::resolve::load(wit).unwrap();
    let world = loaded.world(world).unwrap();
    let mut module = dummy_module(&loaded.resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &loaded.resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .unwrap()
        .encode()
        .unwrap()
}

/// A directory `caller/wit` whose world imports everything of the stub in `<dir>/t-stub/wit`.
pub(crate) fn caller(dir: &Path, stub: &Built) -> PathBuf {
    let root = dir.join("caller/wit");
    let import = golem_wit::names::path(&stub.stub.package, &stub.stub.interface);
    let text = format!(
        "package test:caller;\n\nworld caller {{\n  import {import};\n  export run: func();\n}}\n"
    );
    write(
        &root,
        &[(
            "caller.wit",
            "package test:caller;\n\nworld caller {\n  export run: func();\n}\n",
        )],
    );
    golem_wit::deps::add_stub_dependency(&dir.join("t-stub/wit"), &root, false, false).unwrap();
    write(&root, &[("caller.wit", &text)]);
    root
}
