// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / tests, junk: what is broken is named, with its place, and nothing is written. In: broken trees.

use std::fs;
use std::path::Path;

use golem_model::Coded as _;
use golem_wit::describe::describe;
use golem_wit::metadata::stub_targets;
use golem_wit::resolve::load;
use golem_wit::stub::{BuildRequest, Flavour, WorkspaceRequest, build, initialize_workspace};

use crate::support::{build_stub, files, write};

fn refused(list: &[(&str, &str)], code: &str, words: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), list);
    let error = load(dir.path()).unwrap_err();
    assert_eq!(error.code(), code, "{error}");
    for word in words {
        assert!(
            error.to_string().contains(word),
            "`{word}` is not in `{error}`"
        );
    }
    assert!(!error.to_string().contains('\n'), "{error}");
}

#[test]
fn broken_wit_is_named_with_its_line() {
    refused(
        &[(
            "a.wit",
            "package a:b;\n\ninterface x {\n  f: func(: u8);\n}\n",
        )],
        "WIT-006",
        &["a.wit:4:11: "],
    );
    refused(
        &[(
            "a.wit",
            "package a:b;\n\ninterface x {\n  f: func(a: nope) -> ();\n}\n",
        )],
        "WIT-006",
        &["a.wit:4:14: ", "`nope`"],
    );
    refused(
        &[("a.wit", "package a:b;\ninterface x { use c:d/e.{t}; }\n")],
        "WIT-006",
        &["a.wit:2:19", "c:d"],
    );
    refused(&[("a.wit", "interface x { }")], "WIT-006", &["package"]);
    refused(
        &[
            ("a.wit", "package a:b;"),
            ("deps/c/c.wit", "package c:d;\ninterface ;"),
        ],
        "WIT-006",
        &["deps/c/c.wit:2:11"],
    );
    refused(&[("a.wit", "")], "WIT-006", &["a.wit"]);
    refused(&[("a.txt", "")], "WIT-002", &[]);
    refused(
        &[("a.wit", "package a:b;"), ("deps/c.wasm", "")],
        "WIT-005",
        &["c.wasm"],
    );
}

#[test]
fn a_package_in_two_directories_must_mean_one_thing() {
    let same = [
        ("a.wit", "package a:b; world w { import c:d/i; }"),
        (
            "deps/one/x.wit",
            "package c:d; interface i { f: func(a: float32); g: func(); }",
        ),
        (
            "deps/two/y.wit",
            "package c:d;\n/// Words.\ninterface i { g: func(); f: func(a: f32) -> (); }",
        ),
    ];
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &same);
    let loaded = load(dir.path()).unwrap();
    assert_eq!(loaded.notes.len(), 1);
    let mut differs = same;
    differs[2].1 = "package c:d; interface i { g: func(); }";
    refused(&differs, "WIT-007", &["c:d", "one", "two"]);
}

#[test]
fn bytes_that_are_not_text_are_named() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.wit"), b"package a:b;\xff").unwrap();
    let error = load(dir.path()).unwrap_err();
    assert_eq!(error.code(), "WIT-004");
    assert!(error.to_string().contains("byte 12"), "{error}");
}

#[test]
fn a_single_file_is_a_directory_of_one() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("a.wit", "package a:b; world w { }")]);
    let loaded = load(&dir.path().join("a.wit")).unwrap();
    assert_eq!(loaded.name().to_string(), "a:b");
}

const WIT: &str = "package a:b; interface api { f: func(); } world w { export api; }";

#[test]
fn a_stub_is_never_written_into_its_source() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("t/wit/t.wit", WIT)]);
    let source = dir.path().join("t/wit");
    for (wit, wasm) in [
        ("t/wit", "s.wasm"),
        ("t/wit/deps/../sub", "s.wasm"),
        ("out", "t/wit/deps/s.wasm"),
    ] {
        let error = build(BuildRequest {
            source_wit_root: &source,
            dest_wasm: &dir.path().join(wasm),
            dest_wit_root: &dir.path().join(wit),
            world: None,
            always_inline_types: false,
            flavour: Flavour::default(),
        })
        .unwrap_err();
        assert_eq!(error.code(), "STB-008", "{error}");
    }
    assert_eq!(files(dir.path()).len(), 1);
}

#[test]
fn a_failing_build_leaves_no_trace() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("t/wit/t.wit", WIT)]);
    fs::create_dir_all(dir.path().join("t-stub/stub.wasm")).unwrap();
    let error = build_stub(dir.path(), "t", false).unwrap_err();
    assert_eq!(error.code(), "STB-011", "{error}");
    assert_eq!(files(dir.path()).len(), 1);
    assert!(!dir.path().join("t-stub/wit").exists());
}

#[test]
fn leftovers_of_an_earlier_build_give_way_and_other_files_stay() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        &[
            ("t/wit/old.wit", WIT),
            ("t-stub/wit/README.txt", "mine"),
            ("t-stub/wit/deps/more/m.wit", "package m:m;"),
        ],
    );
    build_stub(dir.path(), "t", false).unwrap();
    fs::rename(
        dir.path().join("t/wit/old.wit"),
        dir.path().join("t/wit/new.wit"),
    )
    .unwrap();
    let built = build_stub(dir.path(), "t", false).unwrap();
    assert_eq!(built.removed, [Path::new("deps/a_b/old.wit")]);
    let found = files(&dir.path().join("t-stub/wit"));
    assert_eq!(
        (
            found["README.txt"].as_str(),
            found["deps/more/m.wit"].as_str()
        ),
        ("mine", "package m:m;")
    );

    write(
        dir.path(),
        &[("t-stub/wit/deps/broken/b.wit", "package b:b; interface {")],
    );
    let before = files(dir.path());
    assert_eq!(
        build_stub(dir.path(), "t", false).unwrap_err().code(),
        "STB-009"
    );
    assert_eq!(files(dir.path()), before);
}

#[test]
fn junk_is_no_component() {
    for bytes in [
        &b""[..],
        b"junk",
        b"\0asm\x01\0\0\0",
        b"\0asm\x0d\0\x01\0\x07\xff\xff",
    ] {
        assert_eq!(describe(bytes).unwrap_err().code(), "CPS-007");
        assert_eq!(stub_targets(bytes).unwrap_err().code(), "CPS-007");
    }
}

#[test]
fn tasks_for_a_cargo_workspace_keep_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let (targets, callers) = (["target-one".to_owned()], ["caller-one".to_owned()]);
    let run = || {
        initialize_workspace(WorkspaceRequest {
            root: dir.path(),
            targets: &targets,
            callers: &callers,
        })
    };
    assert_eq!(run().unwrap_err().code(), "STB-013");
    write(dir.path(), &[("Cargo.toml", "[workspace]\nmembers = []\n")]);
    assert_eq!(run().unwrap_err().code(), "STB-013");
    write(
        dir.path(),
        &[
            ("Cargo.toml", "[workspace]\nmembers = [\"target-one\"]\n"),
            ("Makefile.toml", "# mine\n[tasks.mine]\ncommand = \"x\"\n"),
        ],
    );
    let made = run().unwrap();
    for name in [
        "default",
        "generate-target-one-stub",
        "add-stub-dependency-target-one-caller-one",
        "regenerate-stubs",
        "compose-caller-one",
        "release-build-flow",
    ] {
        assert!(made.tasks.iter().any(|task| task == name), "{name}");
    }
    let text = fs::read_to_string(dir.path().join("Makefile.toml")).unwrap();
    assert!(
        text.starts_with("# mine\n[tasks.mine]\ncommand = \"x\"\n"),
        "{text}"
    );
    assert!(text.contains("target/stubs/target_one_stub.wasm"));
    run().unwrap();
    assert_eq!(
        fs::read_to_string(dir.path().join("Makefile.toml")).unwrap(),
        text
    );
    write(dir.path(), &[("Makefile.toml", "[tasks\n")]);
    assert_eq!(run().unwrap_err().code(), "STB-014");
    let bad = ["../x".to_owned()];
    let error = initialize_workspace(WorkspaceRequest {
        root: dir.path(),
        targets: &bad,
        callers: &callers,
    })
    .unwrap_err();
    assert_eq!(error.code(), "WIT-020");
}
