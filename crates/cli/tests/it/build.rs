// SPDX-License-Identifier: Apache-2.0
//! THE DESK / tests, build: components and whole projects, and how a build fails. Read next: `stubgen.rs`.

use std::process::Command;

use crate::support::{Desk, false_go, has_go};

#[test]
fn a_project_of_three_components_is_built_from_its_manifest() {
    let desk = Desk::new();
    desk.ok("new --example go-multi-rpc --package-name golem:demo go-example");
    if !has_go("a_project_of_three_components_is_built_from_its_manifest") {
        return;
    }
    let ran = desk.run_in("go-example", &["build", "--offline"], &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!ran.stderr.contains("warning"), "{ran:?}");
    for name in ["component-one", "component-two", "component-three"] {
        assert!(
            desk.path(&format!("go-example/target/components/{name}.wasm"))
                .exists()
        );
    }
    assert!(
        ran.stdout
            .contains("golem:component-two-stub/stub-component-two"),
        "{ran:?}"
    );
    desk.go("go-example", &["vet", "./..."]);
    desk.go("go-example", &["test", "-short", "./..."]);

    let before = desk.files("go-example");
    let again = desk.run_in("go-example/components", &["build", "--offline"], &[]);
    assert_eq!(again.code, 0, "from a directory below: {again:?}");
    assert!(
        desk.files("go-example") == before,
        "the same source gives the same files"
    );

    // A change of the callee reaches the callers' bindings.
    desk.edit(
        "go-example/components/component-three/wit/component-three.wit",
        "  get: func",
        "  reset: func();\n  get: func",
    );
    let callee = desk.run_in("go-example", &["build", "component-two"], &[]);
    assert_eq!(callee.code, 0, "{callee:?}");
    let bindings = desk.read("go-example/components/component-two/binding/component_two.go");
    assert!(bindings.contains("BlockingReset"), "{bindings}");
}

#[test]
fn composing_is_a_key_of_the_manifest() {
    let desk = Desk::new();
    desk.ok("new --example go-multi-rpc --package-name golem:demo p");
    desk.edit(
        "p/golem.yaml",
        "  component-two:\n    sourceWit",
        "  component-two:\n    compose: true\n    sourceWit",
    );
    if !has_go("composing_is_a_key_of_the_manifest") {
        return;
    }
    let ran = desk.run_in("p", &["build", "component-two"], &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(desk.path("p/target/components/component-two.wasm").exists());
    assert!(
        desk.path("p/target/build/component-two/component.wasm")
            .exists()
    );
}

#[test]
fn the_build_reminds_of_an_import_that_is_missing() {
    let desk = Desk::new();
    desk.ok("new --example go-multi-rpc --package-name golem:demo p");
    desk.edit(
        "p/components/component-two/wit/component-two.wit",
        "  import golem:component-three-stub/stub-component-three;\n",
        "",
    );
    // The code still calls it, so Go fails, and says so itself.
    let ran = desk.run_in("p", &["build", "component-two"], &[]);
    assert!(
        ran.stderr.contains("add this line")
            && ran
                .stderr
                .contains("import golem:component-three-stub/stub-component-three;"),
        "{ran:?}"
    );
}

#[test]
fn makefile_targets_of_the_page_work() {
    let make = Command::new("make").arg("--version").output().is_ok();
    if !has_go("makefile_targets_of_the_page_work") || !make {
        return;
    }
    let desk = Desk::new();
    desk.ok("new --example go-default --package-name rpcdemo:component1 component1");
    for target in ["bindings", "build", "clean"] {
        let ran = Command::new("make")
            .arg(target)
            .current_dir(desk.path("component1"))
            .env("GOLEM_CLI", env!("CARGO_BIN_EXE_golem-cli"))
            .output()
            .unwrap();
        assert!(
            ran.status.success(),
            "make {target}: {}",
            String::from_utf8_lossy(&ran.stderr)
        );
        let (bindings, wasm) = (
            desk.path("component1/component1").exists(),
            desk.path("component1/component1.wasm").exists(),
        );
        assert_eq!(
            (bindings, wasm),
            (target != "clean", target == "build"),
            "make {target}"
        );
    }
}

/// The last lines of the page, as printed, with the binary in PATH and perhaps no wasm-tools.
#[test]
fn the_final_build_step_of_the_page_works_as_printed() {
    let make = Command::new("make").arg("--version").output().is_ok();
    if !has_go("the_final_build_step_of_the_page_works_as_printed") || !make || cfg!(windows) {
        return;
    }
    let desk = crate::stubgen::caller_and_stub();
    desk.edit(
        "component1/Makefile",
        "\t$(GOLEM_CLI) build --module component1.module.wasm --output component1.wasm\n",
        "\twasm-tools component embed ./wit component1.module.wasm --output component1.embed.wasm
\twasm-tools component new component1.embed.wasm -o component1.wasm --adapt adapters/tier1/wasi_snapshot_preview1.wasm
\tgolem-cli stubgen compose --source-wasm component1.wasm --stub-wasm ../component2-stub/component2_stub.wasm --dest-wasm component1-with-component2-stub.wasm\n",
    );
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_golem-cli"))
        .parent()
        .unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let ran = Command::new("make")
        .arg("build")
        .current_dir(desk.path("component1"))
        .env("PATH", path)
        .output()
        .unwrap();
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    assert!(
        desk.path("component1/component1-with-component2-stub.wasm")
            .exists()
    );
}

#[test]
fn a_missing_or_old_go_is_told_with_the_cure() {
    let desk = Desk::new();
    desk.ok("new -l go counter");
    let before = desk.files("counter");
    let ran = desk.run_in("counter", &["build"], &[("GOLEM_GO", "/nowhere/go")]);
    assert!(
        ran.code == 9 && ran.stderr.contains("error[BLD-001]") && ran.stderr.contains("go.dev/dl"),
        "{ran:?}"
    );
    if cfg!(unix) {
        let go = false_go(&desk, "go1.23.4");
        let ran = desk.run_in("counter", &["build"], &[("GOLEM_GO", go.to_str().unwrap())]);
        assert!(
            ran.code == 9 && ran.stderr.contains("error[BLD-002]") && ran.stderr.contains("1.23"),
            "{ran:?}"
        );
    }
    assert_eq!(desk.files("counter"), before);
}

#[test]
fn errors_of_go_are_shown_as_they_are() {
    if !has_go("errors_of_go_are_shown_as_they_are") {
        return;
    }
    let desk = Desk::new();
    desk.ok("new -l go counter");
    desk.edit("counter/main.go", "total += value", "total += valu");
    let ran = desk.run_in("counter", &["build"], &[]);
    assert!(
        ran.code == 9 && ran.stderr.contains("error[BLD-003]"),
        "{ran:?}"
    );
    assert!(
        ran.stderr.contains("./main.go:") && ran.stderr.contains("undefined: valu"),
        "{ran:?}"
    );
    assert!(ran.stdout.is_empty() && !desk.path("counter/counter.wasm").exists());
}

#[test]
fn other_compilers_are_commands_of_the_manifest() {
    let desk = Desk::new();
    desk.write(
        "wit/x.wit",
        "package a:x;\nworld x { export run: func(); }\n",
    );
    desk.write(
        "golem.yaml",
        "components:\n  x:\n    sourceWit: wit\n    build:\n    - { command: \"mkdir -p made\" }\n",
    );
    let ran = desk.run("build");
    assert!(
        ran.code == 9 && ran.stderr.contains("error[BLD-007]"),
        "{ran:?}"
    );
    assert!(desk.path("made").is_dir());
    desk.edit("golem.yaml", "mkdir -p made", "no-such-compiler -o x");
    let ran = desk.run("build");
    assert!(
        ran.code == 9
            && ran.stderr.contains("error[BLD-004]")
            && ran.stderr.contains("no-such-compiler"),
        "{ran:?}"
    );
}

#[test]
fn what_cannot_be_built_is_said_with_place_and_cure() {
    let desk = Desk::new();
    let ran = desk.run("build");
    assert!(
        ran.code == 1
            && ran.stderr.contains("error[BLD-005]")
            && ran.stderr.contains("golem-cli new"),
        "{ran:?}"
    );
    desk.write(
        "golem.yaml",
        "components:\n  a:\n    sourceWit: wit\n    componentWasn: x\n",
    );
    let ran = desk.run("build");
    assert!(
        ran.code == 1
            && ran
                .stderr
                .contains("golem.yaml:4: unknown key `componentWasn`")
            && ran.stderr.contains("`componentWasm`"),
        "{ran:?}"
    );
    desk.write(
        "golem.yaml",
        "components:\n  counter:\n    sourceWit: wit\n",
    );
    let ran = desk.run("build conter");
    assert!(
        ran.stderr.contains("error[MAN-007]") && ran.stderr.contains("`counter`"),
        "{ran:?}"
    );
    let ran = desk.run("deploy");
    assert!(
        ran.code == 1
            && ran.stderr.contains("error[BLD-008]")
            && ran.stderr.contains("golem-cli build counter"),
        "{ran:?}"
    );
}
