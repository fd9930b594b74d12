// SPDX-License-Identifier: Apache-2.0
//! THE JANITOR / rules, tests: each rule on texts small enough to read.

use super::*;

/// Runs `rule` on one file and returns `line:rule` of each finding.
fn on(path: &str, text: &str, rule: impl Fn(&SourceFile, &mut Vec<Finding>)) -> Vec<String> {
    let file = SourceFile {
        path: path.to_owned(),
        text: text.to_owned(),
    };
    let mut findings = Vec::new();
    rule(&file, &mut findings);
    findings
        .iter()
        .map(|finding| format!("{}:{}", finding.line, finding.rule))
        .collect()
}

fn absent(path: &str, text: &str) -> Vec<String> {
    on(path, text, |file, findings| {
        absences(file, tables::ABSENCES, findings)
    })
}

#[test]
fn dependency_of_a_room_that_must_not_have_it_is_found() {
    let manifest = "[package]\nname = \"golem-model\"\n[dependencies]\ntokio.workspace = true\n";
    assert_eq!(absent("crates/model/Cargo.toml", manifest), ["4:absence"]);
    assert_eq!(absent("crates/cli/Cargo.toml", manifest), [""; 0]);
    assert_eq!(
        absent(
            "crates/cli/Cargo.toml",
            "[dev-dependencies]\nwasmtime-wasi = \"48\"\n"
        ),
        ["2:absence"]
    );
    assert_eq!(
        absent(
            "crates/wit/Cargo.toml",
            "[dependencies]\nwasi-preview1-component-adapter-provider = \"48\"\n"
        ),
        [""; 0]
    );
}

#[test]
fn source_word_is_found_in_code_but_not_in_comments_or_longer_words() {
    assert_eq!(
        absent(
            "crates/server/src/a.rs",
            "fn f() {\n    wasmtime::run();\n}\n"
        ),
        ["2:absence"]
    );
    assert_eq!(
        absent(
            "crates/server/src/a.rs",
            "// wasmtime::run is called by engine\n"
        ),
        [""; 0]
    );
    assert_eq!(
        absent("crates/engine/src/a.rs", "wasmtime::run();\n"),
        [""; 0]
    );
    let recorded = "self.append(Event::Read(Read { call }));\n";
    assert_eq!(
        absent("crates/engine/src/queue.rs", recorded),
        ["1:absence"]
    );
    assert_eq!(
        absent("crates/engine/src/host/durable.rs", recorded),
        [""; 0]
    );
    assert_eq!(
        absent(
            "crates/engine/src/queue.rs",
            "MyEvent::Read(Read { call })\n"
        ),
        [""; 0]
    );
}

#[test]
fn sql_is_allowed_in_one_folder() {
    let line = "let q = \"SELECT 1 FROM oplog\";\n";
    assert_eq!(
        absent("crates/storage/src/fjall/mod.rs", line),
        ["1:absence"]
    );
    assert_eq!(absent("crates/storage/src/postgres/mod.rs", line), [""; 0]);
}

#[test]
fn lint_exceptions_are_expectations() {
    assert_eq!(
        absent(
            "crates/cli/src/main.rs",
            "#[allow(dead_code)]\n#[expect(dead_code, reason = \"x\")]\n"
        ),
        ["1:absence"]
    );
}

#[test]
fn url_in_a_string_is_code() {
    assert_eq!(
        code("let u = \"http://127.0.0.1\"; // local"),
        "let u = \"http://127.0.0.1\"; "
    );
    assert_eq!(code("plain"), "plain");
}

#[test]
fn header_needs_licence_and_label() {
    let check = |path: &str, text: &str| {
        on(path, text, |file, findings| {
            header(file, tables::ROOMS, findings)
        })
    };
    let good = format!("{}\n//! THE DESK / main: parses.\n", tables::SPDX);
    assert_eq!(check("crates/cli/src/main.rs", &good), [""; 0]);
    assert_eq!(check("crates/wit/src/lib.rs", &good), ["2:header"]);
    assert_eq!(
        check("crates/cli/src/main.rs", "//! THE DESK\n"),
        ["1:header"]
    );
    assert_eq!(
        check(
            "crates/cli/src/main.rs",
            &format!("{}\nfn main() {{}}\n", tables::SPDX)
        ),
        ["1:header"]
    );
    assert_eq!(check("crates/cli/src/generated/x.rs", ""), [""; 0]);
    assert_eq!(check("docs/STYLE.md", ""), [""; 0]);
}

#[test]
fn open_ends_machine_paths_and_white_space_are_found() {
    let check = |line: &str| on("docs/a.md", line, text);
    assert_eq!(check("// TODO: later\n"), ["1:open-end"]);
    assert_eq!(check("FIXME\n"), ["1:open-end"]);
    assert_eq!(check("ctx := context.TODO()\nthe word TODOS\n"), [""; 0]);
    assert_eq!(check("cd /work/main\n"), ["1:machine-path"]);
    assert_eq!(check("see `/root/.cargo`\n"), ["1:machine-path"]);
    assert_eq!(
        check("target/work/x and {dir}/work/y and wit-root/z\n"),
        [""; 0]
    );
    assert_eq!(check("tail \nno tail\n"), ["1:white-space"]);
}

#[test]
fn long_file_needs_an_adr_that_names_it() {
    let long = "x\n".repeat(tables::FILE_LINES_MAX + 1);
    let mut tree = Tree {
        files: vec![SourceFile {
            path: "crates/a.rs".to_owned(),
            text: long,
        }],
    };
    let mut findings = Vec::new();
    ratchet(&tree, &mut findings);
    assert_eq!(findings.len(), 1);
    tree.files.push(SourceFile {
        path: "docs/adr/0009-long.md".to_owned(),
        text: "crates/a.rs is a table".to_owned(),
    });
    findings.clear();
    ratchet(&tree, &mut findings);
    assert_eq!(findings, []);
}

#[test]
fn steps_of_a_path_exist_and_are_named() {
    let table: &[(&str, &[&str])] = &[("run", &["crates/a.rs", "crates/b.rs"])];
    let file = |path: &str, text: &str| SourceFile {
        path: path.to_owned(),
        text: text.to_owned(),
    };
    let tree = Tree {
        files: vec![
            file("crates/a.rs", ""),
            file(tables::ARCHITECTURE, "1. `crates/a.rs`\n"),
        ],
    };
    let mut findings = Vec::new();
    paths(&tree, table, &mut findings);
    let texts: Vec<_> = findings
        .iter()
        .map(|finding| (finding.path.as_str(), finding.text.contains("exist")))
        .collect();
    assert_eq!(texts, [("crates/b.rs", true), ("crates/b.rs", false)]);
}

#[test]
fn missing_or_overlong_architecture_page_is_found() {
    let mut findings = Vec::new();
    paths(&Tree::default(), &[], &mut findings);
    assert_eq!(findings.len(), 1);
    let text = "line\n".repeat(tables::ARCHITECTURE_LINES_MAX + 1);
    let tree = Tree {
        files: vec![SourceFile {
            path: tables::ARCHITECTURE.to_owned(),
            text,
        }],
    };
    paths(&tree, &[], &mut findings);
    assert_eq!(findings.len(), 2);
}

#[test]
fn named_pages_exist() {
    let tree = Tree {
        files: vec![SourceFile {
            path: "docs/STYLE.md".to_owned(),
            text: String::new(),
        }],
    };
    let check = |line: &str| {
        on("README.md", line, |file, findings| {
            links(file, &tree, findings)
        })
    };
    assert_eq!(check("see docs/STYLE.md, docs/GONE.md.\n"), ["1:link"]);
    assert_eq!(
        check("x/docs/GONE.md docs/errors/<AREA>.md docs/errors/*.md `docs/formats/`\n"),
        [""; 0]
    );
}
