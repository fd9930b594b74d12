// SPDX-License-Identifier: Apache-2.0
//! THE DESK / tests, new: what `new` makes, what it refuses, and that everything it makes compiles. Read next: `build.rs`.

use crate::support::{Desk, has_go};

const TEMPLATES: [&str; 3] = ["go-default", "go-default-minimal", "go-multi-rpc"];

#[test]
fn every_template_is_made_without_leftovers() {
    for template in TEMPLATES {
        let desk = Desk::new();
        let ran = desk.ok(&format!(
            "new --example {template} --package-name my-org:demo shopping-cart"
        ));
        assert!(
            ran.stdout.contains("cd shopping-cart") && ran.stderr.is_empty(),
            "{ran:?}"
        );
        let files = desk.files("shopping-cart");
        assert!(files.contains_key("adapters/tier1/wasi_snapshot_preview1.wasm"));
        for (path, bytes) in files {
            let text = String::from_utf8_lossy(&bytes)
                .replace("--component-name", "")
                .replace("\"component-name\"", "");
            for left in [
                "component-name",
                "ComponentName",
                "component_name",
                "pack:name",
                "PackName",
                "pack-ns",
                "PackNs",
                "{{}}",
                "bindings_",
                "target_dir",
            ] {
                assert!(
                    !text.contains(left) && !path.contains(left),
                    "{template}: `{left}` in {path}"
                );
            }
            assert!(!path.ends_with("._"), "{path}");
        }
    }
}

#[test]
fn the_seed_page_finds_the_names_it_shows() {
    let desk = Desk::new();
    desk.ok("new --example go-default --package-name rpcdemo:component1 component1");
    assert!(
        desk.read("component1/wit/component1.wit")
            .contains("package rpcdemo:component1;")
    );
    let main = desk.read("component1/main.go");
    assert!(
        main.contains("import \"rpcdemo/component1/component1\""),
        "{main}"
    );
    assert!(
        main.contains("component1.SetExportsRpcdemoComponent1Api("),
        "{main}"
    );
    assert!(
        desk.read("component1/Makefile")
            .contains("build: compile\n")
    );
}

#[test]
fn a_language_means_its_default_template() {
    let desk = Desk::new();
    desk.ok("new --language Go counter");
    assert!(
        desk.read("counter/wit/counter.wit")
            .contains("package golem:component;")
    );
    assert!(desk.path("counter/wit/deps/wasm-rpc/wasm-rpc.wit").exists());
}

#[test]
fn the_short_form_makes_a_project_in_style_go_with_a_test() {
    let desk = Desk::new();
    let ran = desk.ok("new hello --lang go");
    assert!(
        ran.stdout.contains("golem-cli dev") && ran.stderr.is_empty(),
        "{ran:?}"
    );
    let made: Vec<String> = desk.files("hello").into_keys().collect();
    assert_eq!(
        made,
        [
            ".gitignore",
            "README.md",
            "go.mod",
            "golem.yaml",
            "main.go",
            "main_test.go",
            "wit/hello.wit"
        ]
    );
    let wit = desk.read("hello/wit/hello.wit");
    assert!(wit.contains("package demo:hello;"), "{wit}");
    // The long form, with a name that is a trap in Go.
    desk.ok("new --template minimal --package-name net:http@1.2.3 my-test");
    for (name, text) in desk.files("hello").into_iter().chain(desk.files("my-test")) {
        let text = String::from_utf8(text)
            .unwrap()
            .replace("--component-name", "");
        for left in [
            "component-name",
            "pack:name",
            "go_module",
            "{{}}",
            "target_dir",
        ] {
            assert!(!text.contains(left), "`{left}` in {name}");
        }
    }
    let unknown = desk.run("new x --template minimial");
    assert!(
        unknown.code == 1 && unknown.stderr.contains("--template minimal"),
        "{unknown:?}"
    );
    let listed = desk.ok("--format json list-templates");
    assert!(listed.stdout.contains("minimal") && !listed.stdout.contains("go-default"));
    if !has_go("the_short_form_makes_a_project_in_style_go_with_a_test") {
        return;
    }
    for dir in ["hello", "my-test"] {
        let built = desk.run_in(dir, &["build", "--offline"], &[]);
        assert_eq!(built.code, 0, "{built:?}");
        desk.go(dir, &["vet", "./..."]);
        desk.go(dir, &["test", "./..."]);
    }
}

#[test]
fn refused_names_leave_nothing_behind() {
    let desk = Desk::new();
    let name = |name: &str| {
        desk.run_in(
            "",
            &["new", "-e", "go-default", "-p", "a:b", "--", name],
            &[],
        )
    };
    for bad in [
        "",
        "..",
        "../x",
        "/tmp/x",
        ".",
        "a/../../b",
        "1abc",
        "with space",
        "type",
        "api",
        "nul",
        "caf\u{e9}",
        "a\\b",
        "_x",
        "-x",
    ] {
        let ran = name(bad);
        assert_eq!(ran.code, 2, "{bad}: {ran:?}");
        assert!(
            ran.stderr.contains("error[NEW-") && ran.stderr.contains("hint:"),
            "{bad}: {ran:?}"
        );
        assert!(ran.stdout.is_empty() && desk.is_empty(), "{bad}");
    }
    for bad in [
        "foo",
        "foo:bar:baz",
        "Foo:Bar",
        "a:b/c",
        "foo:1x",
        "a_b:c",
        ":x",
        "x:",
        "type:world",
        "aux:x",
        "a:b@x",
    ] {
        let ran = desk.run(&format!("new -e go-default -p {bad} counter"));
        assert_eq!(ran.code, 2, "{bad}: {ran:?}");
        assert!(
            ran.stderr.contains("Must be in 'pack:name' format")
                || ran.stderr.contains("file name"),
            "{bad}: {ran:?}"
        );
        assert!(desk.is_empty(), "{bad}");
    }
    let ran = desk.run("new -e go-default -p wasi:io@0.2.0 counter");
    assert!(
        ran.code == 2 && ran.stderr.contains("NEW-004") && desk.is_empty(),
        "{ran:?}"
    );
}

#[test]
fn a_directory_with_files_is_only_written_with_force() {
    let desk = Desk::new();
    desk.write("counter/extra.txt", "mine");
    desk.write("counter/main.go", "mine too");
    let ran = desk.run("new -l go counter");
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.stderr.contains("error[NEW-005]") && ran.stderr.contains("--force"),
        "{ran:?}"
    );
    assert_eq!(desk.files("counter").len(), 2);
    desk.ok("new -l go --force counter");
    assert_eq!(desk.read("counter/extra.txt"), "mine");
    assert!(desk.read("counter/main.go").contains("package main"));
}

#[test]
fn an_unknown_template_is_answered_with_the_nearest() {
    let desk = Desk::new();
    let ran = desk.run("new -e go-defalt x");
    assert!(
        ran.code == 1
            && ran.stderr.contains("error[NEW-001]")
            && ran.stderr.contains("`--example go-default`"),
        "{ran:?}"
    );
    assert!(desk.is_empty());
}

/// Names that are traps in Go: keywords, identifiers of `main.go`, directories with a meaning, packages of the standard
/// library, suffixes that are build constraints, versions.
#[test]
fn whatever_is_accepted_compiles() {
    if !has_go("whatever_is_accepted_compiles") {
        return;
    }
    let names = [
        ("component1", "rpcdemo:component1"),
        ("select", "a:b"),
        ("main", "a:b"),
        ("init", "a:b"),
        ("total", "a:b"),
        ("uint64", "a:b"),
        ("wit", "a:b"),
        ("internal", "a:b"),
        ("vendor", "a:b"),
        ("tools", "a:b"),
        ("testdata", "a:b"),
        ("cookiejar", "net:http"),
        ("my-test", "std:cmd"),
        ("for-linux", "internal:vendor"),
        ("x", "vendor:v1"),
        ("v2", "acme:v1"),
        ("HTTPServer", "my-org:demo-app@1.2.3-rc.1"),
        ("shopping_cart", "golem:rpc"),
        ("component-name", "pack-ns:pack-name"),
        ("option", "wasi:io"),
    ];
    let desk = Desk::new();
    for (number, (name, package)) in names.into_iter().enumerate() {
        if name == "option" {
            // A keyword of WIT: refused, not compiled.
            assert_eq!(
                desk.run(&format!("new -e go-default -p {package} {name}"))
                    .code,
                2
            );
            continue;
        }
        let template = ["go-default", "go-default-minimal"][number % 2];
        let dir = format!("d{number}/{name}");
        desk.ok(&format!("new -e {template} -p {package} {dir}"));
        let ran = desk.run_in(&dir, &["--format", "json", "build", "--offline"], &[]);
        assert_eq!(ran.code, 0, "{name} {package}: {ran:?}");
        let summary: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(
            summary[0]["exports"].as_array().unwrap().len(),
            2,
            "{ran:?}"
        );
        desk.go(&dir, &["vet", "./..."]);
    }
}
