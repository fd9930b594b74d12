// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / bindgen go tests: generated packages against the names of the contract, wit-parser's layout, and the real
//! `go`. Without `go` on the PATH the tests that need it say so and pass. `GOLEM_TEST_GOS=/path/go:/other/go` adds toolchains.
//! Read next: `testdata/`. Why: docs/go-bindings.md.

use super::ir::{Flat, Plan, Side, Ty};
use super::wasm::{MAX_FLAT_PARAMS, MAX_FLAT_RESULTS};
use super::*;
use crate::bindgen::{GoModule, write_bindings};
use golem_model::Coded as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{Function, SizeAlign, Type, WorldItem};

const CONTRACT: &str = include_str!("testdata/contract.wit");
const SEED: &str = include_str!("testdata/seed.wit");
const NAMES: &str = include_str!("testdata/names.wit");
const HANDLES: &str = include_str!("testdata/handles.wit");
const ERRORS: &str = include_str!("testdata/errors.wit");
const WIDE_FLAGS: &str = include_str!("testdata/wideflags.wit");

/// The guest of the end-to-end tests; the same file, so that both see the same world.
fn matrix() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/it/guests/go-matrix/wit/matrix.wit");
    std::fs::read_to_string(path).unwrap()
}

fn world(wit: &str, name: &str) -> (Resolve, WorldId) {
    let mut resolve = Resolve::default();
    resolve.push_str("test.wit", wit).unwrap();
    let world = resolve
        .worlds
        .iter()
        .find(|(_, w)| w.name == name)
        .map(|(id, _)| id);
    (resolve, world.unwrap())
}

fn options(module: &str) -> GoOptions {
    GoOptions {
        module_path: module.to_owned(),
        ..GoOptions::default()
    }
}

fn generated(wit: &str, name: &str, module: &str) -> GoBindings {
    let (resolve, world) = world(wit, name);
    generate(&resolve, world, &options(module)).unwrap()
}

fn idiomatic(wit: &str, name: &str, module: &GoModule, out: &Path) -> GoBindings {
    let (resolve, world) = world(wit, name);
    let opts = GoOptions {
        package_path: module.import_path(out),
        style: Style::Go,
        ..options(&module.path)
    };
    generate(&resolve, world, &opts).unwrap()
}

/// Every world of the tests: WIT, world, package directory.
fn worlds() -> Vec<(String, &'static str, &'static str)> {
    vec![
        (SEED.to_owned(), "component1", "component1"),
        (SEED.to_owned(), "component2", "component2"),
        (NAMES.to_owned(), "unit-test", "names"),
        (CONTRACT.to_owned(), "contract", "contract"),
        (HANDLES.to_owned(), "handles", "handles"),
        (ERRORS.to_owned(), "front", "front"),
        (WIDE_FLAGS.to_owned(), "wideflags", "wideflags"),
        (matrix(), "echo-world", "echo"),
        (matrix(), "matrix-world", "matrix"),
        (matrix(), "idiom-world", "idiom"),
        (
            "package a:empty;\nworld empty {}\n".to_owned(),
            "empty",
            "empty",
        ),
    ]
}

/// Exported identifiers of Go source, one per line, with the signatures of functions, methods and interfaces.
fn api(source: &str) -> String {
    let mut out = String::new();
    let (mut inside, mut constants) = (false, false);
    for line in source.lines() {
        let exported = |text: &str| {
            text.trim_start()
                .starts_with(|c: char| c.is_ascii_uppercase())
        };
        if line.starts_with("type ") && exported(&line[5..]) || line.starts_with("func ") {
            let function =
                line.starts_with("func ") && (line.starts_with("func (") || exported(&line[5..]));
            if function || line.starts_with("type ") {
                out.push_str(line.trim_end_matches(" {"));
                out.push('\n');
            }
            inside = line.starts_with("type ") && line.ends_with('{');
        } else if line == "const (" {
            constants = true;
        } else if line == "}" || line == ")" {
            (inside, constants) = (false, false);
        } else if (inside || constants) && exported(line) {
            out.push_str(&line.split_whitespace().collect::<Vec<_>>().join(" "));
            out.push('\n');
        }
    }
    out
}

/// Compares with a file of `testdata`; `BLESS=1` writes it instead.
fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/bindgen/go/testdata")
        .join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(&path).unwrap(), "{name}");
}

#[test]
fn the_seed_world_has_the_identifiers_of_the_contract() {
    let bindings = generated(SEED, "component1", "rpcdemo/component1");
    let names: Vec<&str> = bindings.files.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "component1.go",
            "component1_native.go",
            "component1_types.go",
            "component1_wasm.go"
        ]
    );
    assert_eq!(bindings.package, "component1");
    golden("seed.api.txt", &api(&bindings.files["component1.go"]));
    golden(
        "helpers.api.txt",
        &api(&bindings.files["component1_types.go"]),
    );
    assert!(bindings.warnings.is_empty(), "{:?}", bindings.warnings);
}

#[test]
fn the_callee_of_the_seed_has_no_helpers_file() {
    let bindings = generated(SEED, "component2", "rpcdemo/component2");
    assert!(!bindings.files.contains_key("component2_types.go"));
    let api = api(&bindings.files["component2.go"]);
    assert_eq!(
        api,
        "type ExportsRpcdemoComponent2Component2Api interface\nAdd(value uint64)\nGet() uint64\n\
         func SetExportsRpcdemoComponent2Component2Api(i ExportsRpcdemoComponent2Component2Api)\n"
    );
}

#[test]
fn names_that_meet_are_told_apart_in_a_fixed_way() {
    let bindings = generated(NAMES, "unit-test", "tw");
    golden(
        "names.api.txt",
        &api(&bindings.files["unit_test_bindings.go"]),
    );
    golden(
        "names.warnings.txt",
        &(bindings.warnings.join(
            "
",
        ) + "
"),
    );
}

/// Rule by rule, in the order of the naming contract (Go guests §6); `contract.wit` says which.
#[test]
fn every_rule_of_the_contract_has_its_identifiers() {
    let bindings = generated(CONTRACT, "contract", "m");
    golden(
        "contract.api.txt",
        &(api(&bindings.files["contract.go"])
            + &bindings
                .warnings
                .iter()
                .map(|warning| format!("! {warning}\n"))
                .collect::<String>()),
    );
    let helpers = &bindings.files["contract_types.go"];
    for panic in ["Option is None", "Result is Err", "Result is Ok"] {
        assert!(helpers.contains(&format!("panic(\"{panic}\")")), "{panic}");
    }
    // The docs of every kind of thing are kept.
    let text = &bindings.files["contract.go"];
    for number in 1..=11 {
        assert!(text.contains(&format!("// Doc {number}.\n")), "{number}");
    }
}

#[test]
fn the_same_world_gives_the_same_text() {
    for (wit, name, _) in worlds() {
        let (one, two) = (generated(&wit, name, "m"), generated(&wit, name, "m"));
        assert_eq!(one.files, two.files);
        assert_eq!(one.warnings, two.warnings);
    }
}

#[test]
fn tuples_are_named_after_their_members() {
    let wit = "package golem:rpc@0.1.0;\ninterface types {\n type node-index = s32;\n \
               f: func(a: tuple<u32, option<node-index>>, b: tuple<char, list<tuple<bool, s8>>>, c: tuple<result<u8, string>, result>);\n}\n\
               world w { import types; }";
    let text = &generated(wit, "w", "m").files["w.go"];
    for name in [
        "GolemRpc0_1_0_TypesTuple2U32OptionNodeIndexTT",
        "GolemRpc0_1_0_TypesTuple2ByteListTuple2BoolS8TTT",
        "GolemRpc0_1_0_TypesTuple2ResultU8U8TResultEmptyEmptyTT",
    ] {
        assert!(
            text.contains(&format!("type {name} struct")),
            "{name} in\n{text}"
        );
    }
}

#[test]
fn what_go_cannot_express_is_refused_by_name() {
    let flags: Vec<String> = (0..65).map(|i| format!("bit{i}")).collect();
    let check = |body: &str, what: &str, place: &str| {
        let wit = format!("package a:b;\ninterface i {{ {body} }}\nworld w {{ import i; }}");
        let (resolve, world) = world(&wit, "w");
        let error = generate(&resolve, world, &options("m")).unwrap_err();
        assert_eq!(error.code(), "GEN-001");
        let text = error.to_string();
        assert!(text.contains(what) && text.contains(place), "{text}");
    };
    check("f: async func();", "an async function", "a:b/i.f");
    check("f: func(x: stream<u8>);", "a stream", "a:b/i.f");
    check("f: func() -> future<u8>;", "a future", "a:b/i.f");
    check(
        "record r { e: list<error-context> } f: func(x: r);",
        "error-context",
        "a:b/i.r",
    );
    check(
        &format!("flags big {{ {} }}", flags.join(", ")),
        "65 flags",
        "a:b/i.big",
    );
}

#[test]
fn styles_and_package_names_are_checked() {
    assert_eq!("tiny-go".parse::<Style>().unwrap(), Style::TinyGo);
    assert_eq!("go".parse::<Style>().unwrap(), Style::Go);
    assert_eq!("cgo".parse::<Style>().unwrap_err().code(), "GEN-002");
    let (resolve, world) = world(SEED, "component2");
    for name in ["", "a-b", "1a", "func", "main", "_", "a/b"] {
        let opts = GoOptions {
            rename_package: Some(name.to_owned()),
            ..options("m")
        };
        assert_eq!(
            generate(&resolve, world, &opts).unwrap_err().code(),
            "GEN-003",
            "{name:?}"
        );
    }
    let opts = GoOptions {
        rename_package: Some("binding".to_owned()),
        ..options("golem-go-project")
    };
    let bindings = generate(&resolve, world, &opts).unwrap();
    assert_eq!(bindings.package, "binding");
    let wasm = &bindings.files["component2_wasm.go"];
    assert!(
        wasm.contains("\npackage binding\n")
            && wasm.contains("\"golem-go-project/internal/golemrt\"")
    );
}

/// Layout, flattening and spilling are ours; wit-parser has its own, made for other generators. They must agree.
#[test]
fn layout_agrees_with_wit_parser() {
    let mut compared = 0;
    for (wit, name, _) in worlds() {
        let (resolve, id) = world(&wit, name);
        let plan = plan::plan(&resolve, id, &options("m")).unwrap();
        let mut sizes = SizeAlign::default();
        sizes.fill(&resolve);
        let world = &resolve.worlds[id];
        for (side, items) in [
            (Side::Import, &world.imports),
            (Side::Export, &world.exports),
        ] {
            for (key, item) in items {
                let (scope, functions) = match item {
                    WorldItem::Interface { id, .. } => (
                        resolve.name_world_key(key),
                        resolve.interfaces[*id].functions.values().collect(),
                    ),
                    WorldItem::Function(f) => (String::new(), vec![f]),
                    WorldItem::Type { .. } => continue,
                };
                for function in functions {
                    let same = |f: &&super::ir::Func| {
                        let owner = &plan.scopes[f.scope];
                        owner.wit == scope && owner.side == side && f.wit == function.name
                    };
                    let ours = plan.funcs.iter().find(same).unwrap();
                    compare(&plan, &resolve, &sizes, side, function, ours);
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 150, "{compared}");
}

fn compare(
    plan: &Plan,
    resolve: &Resolve,
    sizes: &SizeAlign,
    side: Side,
    wit: &Function,
    ours: &super::ir::Func,
) {
    let variant = if side == Side::Import {
        AbiVariant::GuestImport
    } else {
        AbiVariant::GuestExport
    };
    let signature = resolve.wasm_signature(variant, wit);
    let flat: Vec<Flat> = ours.params.iter().flat_map(|(_, t)| plan.flat(t)).collect();
    let result = ours
        .result
        .as_ref()
        .map(|t| plan.flat(t))
        .unwrap_or_default();
    assert_eq!(
        signature.indirect_params,
        flat.len() > MAX_FLAT_PARAMS,
        "{}",
        wit.name
    );
    assert_eq!(
        signature.retptr,
        result.len() > MAX_FLAT_RESULTS,
        "{}",
        wit.name
    );
    if !signature.indirect_params {
        let theirs: Vec<Flat> = signature
            .params
            .iter()
            .take(flat.len())
            .map(flat_of)
            .collect();
        assert_eq!(theirs, flat, "{}", wit.name);
    }
    if !signature.retptr {
        assert_eq!(
            signature.results.iter().map(flat_of).collect::<Vec<_>>(),
            result,
            "{}",
            wit.name
        );
    }
    let params = wit.params.iter().map(|p| &p.ty).chain(wit.result.as_ref());
    let our_types = ours
        .params
        .iter()
        .map(|(_, t)| t)
        .chain(ours.result.as_ref());
    for (ty, our) in params.zip(our_types) {
        size(plan, sizes, ty, our, &wit.name);
    }
}

fn size(plan: &Plan, sizes: &SizeAlign, ty: &Type, ours: &Ty, at: &str) {
    let layout = plan.layout(ours);
    assert_eq!(
        (layout.size, layout.align),
        (sizes.size(ty).size_wasm32(), sizes.align(ty).align_wasm32()),
        "{at}"
    );
}

fn flat_of(ty: &WasmType) -> Flat {
    match ty {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => Flat::I32,
        WasmType::I64 | WasmType::PointerOrI64 => Flat::I64,
        WasmType::F32 => Flat::F32,
        WasmType::F64 => Flat::F64,
    }
}

/// Toolchains to test with: `go` of the PATH and those of `GOLEM_TEST_GOS`. Empty, and loud about it, if there is none.
fn toolchains() -> Vec<PathBuf> {
    let extra = std::env::var("GOLEM_TEST_GOS").unwrap_or_default();
    let extra = extra
        .split(':')
        .filter(|p| !p.is_empty())
        .map(PathBuf::from);
    let works = |go: &PathBuf| {
        Command::new(go)
            .arg("version")
            .output()
            .is_ok_and(|o| o.status.success())
    };
    let found: Vec<PathBuf> = std::iter::once(PathBuf::from("go"))
        .chain(extra)
        .filter(works)
        .collect();
    if found.is_empty() {
        let line = "SKIP: no `go` on the PATH, generated Go code was not compiled";
        std::io::Write::write_all(&mut std::io::stderr(), format!("\n{line}\n").as_bytes())
            .unwrap();
    }
    found
}

/// Runs `go` in `dir`, offline; returns what it printed if it failed.
fn run(go: &Path, dir: &Path, wasm: bool, args: &[&str]) {
    let mut command = Command::new(go);
    command
        .args(args)
        .current_dir(dir)
        .env("GOPROXY", "off")
        .env("GOTOOLCHAIN", "local")
        .env("GOFLAGS", "-mod=mod");
    command.env_remove("GOROOT");
    if wasm {
        command.env("GOOS", "wasip1").env("GOARCH", "wasm");
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{} {args:?} (wasm: {wasm}) failed:\n{text}",
        go.display()
    );
}

fn module(path: &str) -> (tempfile::TempDir, GoModule) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("go.mod"),
        format!("module {path}\n\ngo 1.24\n"),
    )
    .unwrap();
    let module = GoModule {
        home: Home::Module,
        root: dir.path().to_owned(),
        path: path.to_owned(),
    };
    (dir, module)
}

#[test]
fn every_world_is_formatted_vetted_and_built_by_go() {
    let toolchains = toolchains();
    if toolchains.is_empty() {
        return;
    }
    let (dir, module) = module("example.com/all");
    for (wit, name, package) in worlds() {
        let bindings = generated(&wit, name, &module.path);
        write_bindings(&bindings, &dir.path().join(package), &module).unwrap();
        let out = dir.path().join("idiom").join(package);
        write_bindings(&idiomatic(&wit, name, &module, &out), &out, &module).unwrap();
    }
    for go in toolchains {
        let gofmt = go
            .parent()
            .filter(|p| !p.as_os_str().is_empty())
            .map_or("gofmt".into(), |p| p.join("gofmt"));
        let output = Command::new(gofmt)
            .args(["-l", "."])
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "",
            "gofmt would change these"
        );
        for wasm in [false, true] {
            run(&go, dir.path(), wasm, &["vet", "./..."]);
            run(&go, dir.path(), wasm, &["build", "./..."]);
        }
        // There is no TinyGo here: its part of the run-time is only known to have the right types.
        let tiny = ["vet", "-tags", "tinygo", "./internal/golemrt", "./names"];
        run(&go, dir.path(), true, &tiny);
    }
}

/// The API of all packages of style `go`, one after the other.
fn idiomatic_api(wit: &str, name: &str) -> String {
    let module = GoModule {
        home: Home::Module,
        root: PathBuf::from("/m"),
        path: "shop".to_owned(),
    };
    let bindings = idiomatic(wit, name, &module, Path::new("/m/internal/golem"));
    let mut out = String::new();
    for (path, text) in &bindings.files {
        if !path.ends_with("_wasm.go") && !path.ends_with("_native.go") {
            out.push_str(&format!("-- {path}\n{}", api(text)));
        }
    }
    for warning in &bindings.warnings {
        out.push_str(&format!("! {warning}\n"));
    }
    out
}

#[test]
fn style_go_has_the_names_that_go_programmers_expect() {
    golden("seed.idiom.txt", &idiomatic_api(SEED, "component1"));
    golden("callee.idiom.txt", &idiomatic_api(SEED, "component2"));
    golden("names.idiom.txt", &idiomatic_api(NAMES, "unit-test"));
    golden("handles.idiom.txt", &idiomatic_api(HANDLES, "handles"));
    golden("errors.idiom.txt", &idiomatic_api(ERRORS, "front"));
    golden("matrix.idiom.txt", &idiomatic_api(&matrix(), "idiom-world"));
    golden("contract.idiom.txt", &idiomatic_api(CONTRACT, "contract"));
}

#[test]
fn style_go_keeps_underscores_out_of_its_names() {
    for (wit, name, _) in worlds() {
        for line in idiomatic_api(&wit, name).lines() {
            assert!(
                line.starts_with("-- ") || line.starts_with("! ") || !line.contains('_'),
                "{line}"
            );
        }
    }
}

#[test]
fn callers_in_style_go_are_tested_natively_with_doubles() {
    let (dir, module) = module("shop");
    let out = dir.path().join("internal/golem");
    let bindings = idiomatic(ERRORS, "front", &module, &out);
    write_bindings(&bindings, &out, &module).unwrap();
    for (file, text) in [
        ("main.go", include_str!("testdata/errors_main.go.txt")),
        ("main_test.go", include_str!("testdata/errors_test.go.txt")),
    ] {
        std::fs::write(dir.path().join(file), text).unwrap();
    }
    for go in toolchains() {
        run(&go, dir.path(), false, &["vet", "./..."]);
        run(&go, dir.path(), false, &["test", "."]);
        run(&go, dir.path(), true, &["build", "./..."]);
    }
}

#[test]
fn the_snippets_of_the_seed_page_build_and_run_outside_wasm() {
    let (dir, module) = module("rpcdemo/component1");
    let bindings = generated(SEED, "component1", &module.path);
    write_bindings(&bindings, &dir.path().join("component1"), &module).unwrap();
    std::fs::write(
        dir.path().join("main.go"),
        include_str!("testdata/seed_main.go.txt"),
    )
    .unwrap();
    std::fs::write(
        dir.path().join("main_test.go"),
        include_str!("testdata/seed_test.go.txt"),
    )
    .unwrap();
    for go in toolchains() {
        run(&go, dir.path(), false, &["vet", "."]);
        run(&go, dir.path(), false, &["test", "."]);
        let out = dir
            .path()
            .join("component1.module.wasm")
            .display()
            .to_string();
        run(
            &go,
            dir.path(),
            true,
            &[
                "build",
                "-trimpath",
                "-buildmode=c-shared",
                "-ldflags=-s -w",
                "-o",
                &out,
                ".",
            ],
        );
        let module = std::fs::read(&out).unwrap();
        let names = core_names(&module);
        for name in [
            "export cabi_realloc",
            "export _initialize",
            "export rpcdemo:component1/component1-api#run",
            "import wasi:io/poll@0.2.0 poll",
            "import rpcdemo:component2-stub/stub-component2 [constructor]component2-api",
            "import rpcdemo:component2-stub/stub-component2 [resource-drop]component2-api",
        ] {
            assert!(
                names.contains(&name.to_owned()),
                "no `{name}` in {names:#?}"
            );
        }
    }
}

/// Imports and exports of a core module.
fn core_names(module: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    for payload in wasmparser::Parser::new(0).parse_all(module) {
        match payload.unwrap() {
            wasmparser::Payload::ImportSection(section) => {
                names.extend(
                    section
                        .into_imports()
                        .map(|i| i.unwrap())
                        .map(|i| format!("import {} {}", i.module, i.name)),
                );
            }
            wasmparser::Payload::ExportSection(section) => {
                names.extend(
                    section
                        .into_iter()
                        .map(|e| format!("export {}", e.unwrap().name)),
                );
            }
            _ => {}
        }
    }
    names
}

#[test]
fn several_components_of_a_module_share_one_run_time() {
    let (dir, module) = module("golem-go-project");
    let opts = GoOptions {
        rename_package: Some("binding".to_owned()),
        ..options(&module.path)
    };
    let mut written = Vec::new();
    for name in ["component1", "component2"] {
        let (resolve, id) = world(SEED, name);
        let bindings = generate(&resolve, id, &opts).unwrap();
        let out = dir.path().join("components").join(name).join("binding");
        written.extend(write_bindings(&bindings, &out, &module).unwrap());
    }
    let runtime = dir.path().join("internal/golemrt");
    assert_eq!(
        written.iter().filter(|p| p.starts_with(&runtime)).count(),
        5,
        "the second run leaves the run-time alone"
    );
    for go in toolchains() {
        run(&go, dir.path(), true, &["build", "./..."]);
    }
}
