// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / tests, dependencies: stubs added to callers that have something already. In: small trees. Read next:
//! `junk.rs`.

use std::path::{Path, PathBuf};

use golem_model::Coded as _;
use golem_wit::deps::{DepError, Report, add_stub_dependency};
use golem_wit::resolve::load;
use golem_wit::stub::Flavour;

use crate::support::{build_flavour, build_stub, files, write};

const TARGET: &str = "package a:target; interface target-api { use x:common/types.{r}; f: func(r: r) -> u64; } world target { export target-api; }";
const COMMON: &str = "package x:common; interface types { record r { a: u8 } }";
const CALLER: &str =
    "package a:caller; interface caller-api { run: func(); } world caller { export caller-api; }";

struct Case {
    dir: tempfile::TempDir,
}

impl Case {
    /// A target with a stub, and a caller with `list` in its WIT directory.
    fn new(list: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        write(
            dir.path(),
            &[
                ("t/wit/target.wit", TARGET),
                ("t/wit/deps/common/types.wit", COMMON),
                ("caller/wit/caller.wit", CALLER),
            ],
        );
        write(&dir.path().join("caller/wit"), list);
        build_stub(dir.path(), "t", false).unwrap();
        Self { dir }
    }

    fn caller(&self) -> PathBuf {
        self.dir.path().join("caller/wit")
    }

    fn add(&self, overwrite: bool) -> Result<Report, DepError> {
        add_stub_dependency(
            &self.dir.path().join("t-stub/wit"),
            &self.caller(),
            overwrite,
            false,
        )
    }
}

const POLL: &str = "package wasi:io@0.2.0;\ninterface poll {\n      /// Other words.\n      resource pollable { block: func(); ready: func() -> bool; }\n   poll: func(in: list<borrow<pollable>>) -> list<u32>; }";
const ERROR: &str = "package wasi:io@0.2.0; interface error { resource error { to-debug-string: func() -> string; } }";

#[test]
fn another_spelling_of_a_package_is_no_conflict() {
    let case = Case::new(&[("deps/io/poll.wit", POLL), ("deps/io/error.wit", ERROR)]);
    let report = case.add(false).unwrap();
    assert!(
        report.up_to_date.contains(&"wasi:io@0.2.0".to_owned()),
        "{report:?}"
    );
    assert_eq!(files(&case.caller())["deps/io/poll.wit"], POLL);
    assert_eq!(report.import, "import a:target-stub/stub-target;");
    assert_eq!(report.stub, "a:target-stub");
}

#[test]
fn packages_are_known_by_name_not_by_directory() {
    let case = Case::new(&[
        ("deps/wasi-io/everything.wit", POLL),
        ("deps/common.wit", COMMON),
    ]);
    case.add(false).unwrap();
    let found = files(&case.caller());
    assert!(
        !found.contains_key("deps/io/poll.wit") && !found.contains_key("deps/common/types.wit")
    );
    load(&case.caller()).unwrap();
    assert_eq!(case.add(false).unwrap().created, [] as [PathBuf; 0]);
}

#[test]
fn missing_interfaces_of_a_package_are_added() {
    let case = Case::new(&[("deps/wasi-io/error.wit", ERROR)]);
    let report = case.add(false).unwrap();
    assert!(
        report
            .created
            .contains(&PathBuf::from("deps/wasi-io/poll.wit")),
        "{report:?}"
    );
    load(&case.caller()).unwrap();
}

#[test]
fn another_package_in_the_wished_directory_is_left_alone() {
    let other = "package z:other; interface i { f: func(); }";
    let newer = ERROR.replace("0.2.0", "0.2.3");
    let case = Case::new(&[
        ("deps/common/other.wit", other),
        ("deps/io/error.wit", &newer),
    ]);
    case.add(false).unwrap();
    let found = files(&case.caller());
    assert_eq!(found["deps/common/other.wit"], other);
    assert_eq!(found["deps/x_common/types.wit"], COMMON);
    assert!(
        found.contains_key("deps/wasi_io@0.2.0/poll.wit"),
        "{found:?}"
    );
    load(&case.caller()).unwrap();
}

#[test]
fn the_directory_of_the_stub_may_be_that_of_another_package() {
    let other = "package z:other; interface i { f: func(); }";
    let case = Case::new(&[
        ("deps/a_target-stub/other.wit", other),
        ("deps/a_target/other.wit", "package z:more@2.0.0;"),
        ("deps/common/other.wit", "package z:third@2.0.0;"),
        ("deps/x_common/other.wit", "package z:fourth@2.0.0;"),
    ]);
    case.add(false).unwrap();
    let found = files(&case.caller());
    assert_eq!(found["deps/a_target-stub/other.wit"], other);
    assert!(
        found.contains_key("deps/a_target-stub-stub/_stub.wit"),
        "{found:?}"
    );
    assert!(
        found.contains_key("deps/a_target-stub-stub-stub/target.wit"),
        "{found:?}"
    );
    assert_eq!(found["deps/x_common-stub/types.wit"], COMMON);
    load(&case.caller()).unwrap();
    // Packages are known by name: what was placed elsewhere is found again.
    let again = case.add(false).unwrap();
    assert_eq!(again.created, [] as [PathBuf; 0]);
    assert_eq!(files(&case.caller()), found);
}

#[test]
fn a_conflict_changes_nothing_and_lists_the_files() {
    let other = COMMON.replace("u8", "u16");
    let case = Case::new(&[("deps/common/mine.wit", &other)]);
    let before = files(&case.caller());
    let error = case.add(false).unwrap_err();
    assert_eq!(error.code(), "DEP-003");
    assert_eq!(
        error.hint().as_deref(),
        Some("use --overwrite to force overwrite")
    );
    assert!(
        error.to_string().contains("deps/common/mine.wit"),
        "{error}"
    );
    assert_eq!(files(&case.caller()), before);

    let report = case.add(true).unwrap();
    assert_eq!(report.removed, [PathBuf::from("deps/common/mine.wit")]);
    assert_eq!(files(&case.caller())["deps/common/types.wit"], COMMON);
    load(&case.caller()).unwrap();
    assert_eq!(files(&case.caller())["caller.wit"], CALLER);
}

#[test]
fn a_changed_target_needs_overwrite_and_then_wins() {
    let case = Case::new(&[]);
    case.add(false).unwrap();
    write(
        case.dir.path(),
        &[("t/wit/target.wit", &TARGET.replace("u64", "u32"))],
    );
    build_stub(case.dir.path(), "t", false).unwrap();
    let error = case.add(false).unwrap_err();
    let DepError::Conflict { files: listed } = &error else {
        unreachable!("{error}")
    };
    assert_eq!(
        listed,
        &[
            PathBuf::from("deps/a_target/target.wit"),
            PathBuf::from("deps/a_target-stub/_stub.wit")
        ]
    );
    let report = case.add(true).unwrap();
    assert_eq!(report.overwritten.len(), 2);
    assert!(files(&case.caller())["deps/a_target-stub/_stub.wit"].contains("option<u32>"));
}

#[test]
fn one_package_name_for_both_is_refused() {
    let case = Case::new(&[]);
    write(
        case.dir.path(),
        &[(
            "caller/wit/caller.wit",
            &CALLER.replace("a:caller", "a:target"),
        )],
    );
    let before = files(&case.caller());
    let error = case.add(true).unwrap_err();
    assert_eq!(error.code(), "DEP-002");
    assert!(error.to_string().contains("`a:target`"), "{error}");
    assert_eq!(files(&case.caller()), before);
}

#[test]
fn a_component_may_call_its_own_kind() {
    own_kind(Flavour::Trapping);
    own_kind(Flavour::ErrorResults);
}

fn own_kind(flavour: Flavour) {
    let dir = tempfile::tempdir().unwrap();
    let text = "package a:node; interface node-api { record r { a: u8 } f: func(r: r) -> u64; } world node { export node-api; }";
    write(dir.path(), &[("t/wit/node.wit", text)]);
    build_flavour(dir.path(), "t", false, flavour).unwrap();
    let (stub, dest) = (dir.path().join("t-stub/wit"), dir.path().join("t/wit"));
    add_stub_dependency(&stub, &dest, false, false).unwrap();
    write(
        &dest,
        &[(
            "node.wit",
            &text.replace("world node {", "world node { import a:node-stub/stub-node;"),
        )],
    );
    load(&dest).unwrap();

    // The whole round again, now with the import in the world.
    build_flavour(dir.path(), "t", false, flavour).unwrap();
    let before = files(&dest);
    add_stub_dependency(&stub, &dest, false, false).unwrap();
    assert_eq!(files(&dest), before);
}

#[test]
fn two_components_may_call_each_other() {
    each_other(Flavour::Trapping);
    each_other(Flavour::ErrorResults);
}

fn each_other(flavour: Flavour) {
    let dir = tempfile::tempdir().unwrap();
    let text = |name: &str| {
        format!(
            "package a:{name}; interface {name}-api {{ record r-{name} {{ a: u8 }} f: func(r: r-{name}) -> u64; }} world {name} {{\n  export {name}-api;\n}}\n"
        )
    };
    let calling = |name: &str, other: &str| {
        text(name).replace(
            "  export",
            &format!("  import a:{other}-stub/stub-{other};\n  export"),
        )
    };
    let path = |name: &str| dir.path().join(name).join("wit");
    write(
        dir.path(),
        &[
            ("one/wit/one.wit", &text("one")),
            ("two/wit/two.wit", &text("two")),
        ],
    );
    let round = || {
        for (target, caller) in [("one", "two"), ("two", "one")] {
            build_flavour(dir.path(), target, false, flavour).unwrap();
            add_stub_dependency(&path(&format!("{target}-stub")), &path(caller), true, false)
                .unwrap();
            write(
                &path(caller),
                &[(&format!("{caller}.wit"), &calling(caller, target))],
            );
            load(&path(caller)).unwrap();
        }
    };
    round();
    let once = files(dir.path());
    round();
    let twice = files(dir.path());
    round();
    assert_eq!(files(dir.path()), twice);
    assert_eq!(once["one/wit/one.wit"], twice["one/wit/one.wit"]);
    // The caller's own stub is made again in the flavour that it has.
    let own = &twice["one/wit/deps/a_one-stub/_stub.wit"];
    assert_eq!(
        own.contains("golem-call-error"),
        flavour == Flavour::ErrorResults,
        "{own}"
    );
}

#[test]
fn a_chain_brings_all_its_packages() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        &[(
            "c/wit/c.wit",
            "package a:c; interface c-api { f: func(); } world c { export c-api; }",
        )],
    );
    build_stub(dir.path(), "c", false).unwrap();
    let b = "package a:b; interface b-api { f: func(); } world b { export b-api; }";
    write(dir.path(), &[("b/wit/b.wit", b), ("a/wit/a.wit", CALLER)]);
    add_stub_dependency(
        &dir.path().join("c-stub/wit"),
        &dir.path().join("b/wit"),
        false,
        false,
    )
    .unwrap();
    write(
        dir.path(),
        &[(
            "b/wit/b.wit",
            &b.replace("world b {", "world b { import a:c-stub/stub-c;"),
        )],
    );
    build_stub(dir.path(), "b", false).unwrap();
    add_stub_dependency(
        &dir.path().join("b-stub/wit"),
        &dir.path().join("a/wit"),
        false,
        false,
    )
    .unwrap();
    let found = load(&dir.path().join("a/wit")).unwrap();
    for name in ["b", "b-stub", "c", "c-stub"] {
        assert!(found.source("a", name).is_some(), "{name}");
    }
}

#[test]
fn a_cargo_component_manifest_gets_the_missing_entries() {
    let case = Case::new(&[]);
    let manifest = case.dir.path().join("caller/Cargo.toml");
    let add = || {
        add_stub_dependency(
            &case.dir.path().join("t-stub/wit"),
            &case.caller(),
            false,
            true,
        )
    };
    assert_eq!(add().unwrap_err().code(), "DEP-005");
    std::fs::write(&manifest, "[package]\nname = \"x\" # mine\n").unwrap();
    assert_eq!(add().unwrap_err().code(), "DEP-005");
    assert_eq!(
        files(&case.caller()).len(),
        1,
        "nothing may be written when the manifest cannot be updated"
    );

    let own = "[package]\nname = \"x\" # mine\n\n[package.metadata.component.target.dependencies.\"x:common\"]\npath = \"elsewhere\"\n";
    std::fs::write(&manifest, own).unwrap();
    let report = add().unwrap();
    assert_eq!(report.cargo_toml.as_deref(), Some(manifest.as_path()));
    let text = std::fs::read_to_string(&manifest).unwrap();
    assert!(text.starts_with(own), "{text}");
    assert!(text.contains("[package.metadata.component.target.dependencies.\"a:target-stub\"]\npath = \"wit/deps/a_target-stub\"\n"), "{text}");
    assert_eq!(add().unwrap().cargo_toml, None);
    assert_eq!(case.add(false).unwrap().warnings.len(), 1);
}

#[test]
fn a_directory_without_a_stub_is_refused() {
    let case = Case::new(&[]);
    let error = add_stub_dependency(&case.dir.path().join("t/wit"), &case.caller(), false, false)
        .unwrap_err();
    assert_eq!(error.code(), "DEP-001");
    let missing =
        add_stub_dependency(Path::new("does/not/exist"), &case.caller(), false, false).unwrap_err();
    assert_eq!(missing.code(), "WIT-001");
}
