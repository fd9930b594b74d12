// SPDX-License-Identifier: Apache-2.0
//! THE DESK / tests, usage: wrong command lines, help, formats. Read next: `support.rs`.

use crate::support::Desk;

#[test]
fn a_wrong_command_line_exits_with_2() {
    let desk = Desk::new();
    for line in [
        "new x",
        "new -e go-default -l go x",
        "new -l cobol x",
        "nope",
        "stubgen build",
        "stubgen compose --source-wasm a",
        "list-examples --min-tier 9",
        "build --module a b",
        "completion",
        "bindings go --nope",
        "stubgen generate -s a -d b --wasm-rpc-path-override c --wasm-rpc-version-override d",
    ] {
        let ran = desk.run(line);
        assert_eq!(ran.code, 2, "{line}: {ran:?}");
        assert!(
            !ran.stderr.is_empty() && ran.stdout.is_empty(),
            "{line}: {ran:?}"
        );
    }
    assert!(desk.is_empty());
}

#[test]
fn errors_are_json_objects_in_json_mode() {
    let desk = Desk::new();
    for (line, code, exit) in [
        ("--format json new -e nope x", "NEW-001", 1),
        ("build x y -F json", "MAN-001", 1),
        ("new -F json", "CLI-002", 2),
    ] {
        let ran = desk.run(line);
        let error: serde_json::Value = serde_json::from_str(&ran.stderr).unwrap();
        assert_eq!(error["error"]["code"], code, "{ran:?}");
        assert_eq!(error["error"]["exitCode"], exit);
        assert!(error["error"]["hint"].is_string(), "{ran:?}");
        assert_eq!((ran.code, ran.stdout.as_str()), (exit, ""));
    }
}

#[test]
fn examples_are_listed_in_every_format() {
    let desk = Desk::new();
    let text = desk.ok("list-examples").stdout;
    assert!(
        text.starts_with("Name") && text.contains("go-multi-rpc") && !text.contains('\u{1b}'),
        "{text}"
    );
    let json: serde_json::Value =
        serde_json::from_str(&desk.ok("list-examples -F json -l GO -m tier1").stdout).unwrap();
    assert_eq!(json[0]["name"], "go-default");
    assert_eq!(json[0]["tier"], "Tier1");
    assert!(
        desk.ok("list-examples --format yaml")
            .stdout
            .contains("name: go-default-minimal")
    );
}

#[test]
fn help_and_version_are_data() {
    let desk = Desk::new();
    for line in [
        "--help",
        "--version",
        "stubgen compose --help",
        "completion --generate fish",
    ] {
        let ran = desk.ok(line);
        assert!(
            ran.stdout.contains("golem-cli") && ran.stderr.is_empty(),
            "{line}: {ran:?}"
        );
    }
}
