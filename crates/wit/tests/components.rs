// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / tests, components: pass-through stubs, foreign stubs, encoding and description. In: components whose
//! code only traps. Read next: `dependencies.rs`.

use std::fs;
use std::path::{Path, PathBuf};
use std::slice::from_ref;

use golem_model::Coded as _;
use golem_wit::compose::{compose, compose_to};
use golem_wit::describe::describe;
use golem_wit::encode::encode;
use golem_wit::metadata::stub_targets;
use wasmparser::{Parser, Payload, Validator};

use crate::support::{build_stub, caller, component, copy, oracle, stub_of, write};

const COUNTER: &str = "package rpcdemo:component2;\n\ninterface component2-api {\n  add: func(value: u64);\n  get: func() -> u64;\n}\n\nworld component2 {\n  export component2-api;\n}\n";
const STUB_IMPORT: &str = "rpcdemo:component2-stub/stub-component2";

/// A caller of the counter, and its stub component.
fn pair(dir: &Path) -> (PathBuf, PathBuf) {
    write(dir, &[("t/wit/t.wit", COUNTER)]);
    let built = build_stub(dir, "t", false).unwrap();
    let root = caller(dir, &built);
    let file = dir.join("caller.wasm");
    fs::write(&file, component(&root, None)).unwrap();
    (file, dir.join("t-stub/stub.wasm"))
}

/// A stub component as other tools make them: it exports the stub and calls `golem:rpc`.
fn foreign_stub(dir: &Path) -> PathBuf {
    let root = dir.join("foreign/wit");
    copy(&dir.join("t-stub/wit"), &root);
    let text = fs::read_to_string(root.join("_stub.wit")).unwrap();
    write(
        &root,
        &[(
            "_stub.wit",
            &text.replace(
                "  export stub-",
                "  import golem:rpc/types@0.1.0;\n  export stub-",
            ),
        )],
    );
    let file = dir.join("foreign.wasm");
    fs::write(&file, component(&root, None)).unwrap();
    file
}

#[test]
fn a_pass_through_stub_has_no_code_and_asks_for_types_only() {
    let dir = tempfile::tempdir().unwrap();
    let (_, stub) = pair(dir.path());
    let bytes = fs::read(stub).unwrap();
    Validator::new().validate_all(&bytes).unwrap();
    for payload in Parser::new(0).parse_all(&bytes) {
        let payload = payload.unwrap();
        assert!(!matches!(
            payload,
            Payload::ModuleSection { .. }
                | Payload::ComponentSection { .. }
                | Payload::ComponentCanonicalSection(_)
        ));
    }
    let mut seen = describe(&bytes).unwrap();
    seen.imports.sort();
    assert_eq!(
        seen.imports,
        ["golem:rpc/types@0.1.0", STUB_IMPORT, "wasi:io/poll@0.2.0"]
    );
    assert!(
        seen.exports
            .iter()
            .all(|line| line.starts_with(&format!("{STUB_IMPORT}.{{"))),
        "{:?}",
        seen.exports
    );
    assert!(bytes.len() < 4096);
    let text = wasm_text(&bytes);
    assert!(
        !text.contains("wasm-rpc") && !text.contains("[method]pollable"),
        "{text}"
    );
}

fn wasm_text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn composing_a_pass_through_stub_leaves_a_typed_import() {
    let dir = tempfile::tempdir().unwrap();
    let (source, stub) = pair(dir.path());
    let dest = dir.path().join("new/dir/composed.wasm");
    let composed = compose_to(&source, from_ref(&stub), &dest).unwrap();
    assert_eq!((composed.used, composed.unused), (vec![stub], vec![]));
    let bytes = fs::read(dest).unwrap();
    let found = stub_targets(&bytes).unwrap();
    assert_eq!(found[0].import, STUB_IMPORT);
    assert_eq!(
        (
            found[0].target_package.as_str(),
            found[0].target_world.as_str()
        ),
        ("rpcdemo:component2", "component2")
    );
    assert_eq!(found[0].clients[0].functions, ["add", "get"]);
    assert_eq!(describe(&bytes).unwrap().exports, ["run()"]);
}

#[test]
fn composing_a_foreign_stub_closes_the_import() {
    let dir = tempfile::tempdir().unwrap();
    let (source, own) = pair(dir.path());
    let stub = foreign_stub(dir.path());
    let composed = compose(&source, from_ref(&stub)).unwrap();
    assert_eq!(composed.used, from_ref(&stub));
    let seen = describe(&composed.bytes).unwrap();
    assert_eq!(seen.exports, ["run()"]);
    let mut imports = seen.imports;
    imports.sort();
    assert_eq!(imports, ["golem:rpc/types@0.1.0", "wasi:io/poll@0.2.0"]);

    // What is composed already needs nothing any more.
    let again = dir.path().join("composed.wasm");
    fs::write(&again, &composed.bytes).unwrap();
    let composed_again = compose(&again, &[stub.clone(), own]).unwrap();
    assert_eq!(composed_again.unused.len(), 2);
    assert_eq!(composed_again.bytes, composed.bytes);
    assert_eq!(
        compose(&source, &[stub.clone(), stub]).unwrap_err().code(),
        "CPS-004"
    );
}

#[test]
fn a_stub_of_something_else_is_reported_as_unused() {
    let dir = tempfile::tempdir().unwrap();
    let (source, stub) = pair(dir.path());
    let (other_dir, other) =
        stub_of("package a:b; interface api { f: func(); } world w { export api; }");
    other.unwrap();
    let unused = other_dir.path().join("t-stub/stub.wasm");
    let composed = compose(&source, &[unused.clone(), stub.clone()]).unwrap();
    assert_eq!((composed.used, composed.unused), (vec![stub], vec![unused]));
}

#[test]
fn a_stub_of_another_type_is_an_error_that_names_the_interface() {
    let dir = tempfile::tempdir().unwrap();
    let (source, _) = pair(dir.path());
    let (other_dir, other) = stub_of(&COUNTER.replace("value: u64", "value: u32"));
    other.unwrap();
    let error = compose(&source, &[other_dir.path().join("t-stub/stub.wasm")]).unwrap_err();
    assert_eq!(error.code(), "CPS-003");
    assert!(error.to_string().contains(STUB_IMPORT), "{error}");
    assert!(error.hint().unwrap().contains("stubgen build"));
}

#[test]
fn what_is_no_component_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (source, stub) = pair(dir.path());
    let check = |name: &str, bytes: &[u8], code: &str| {
        let file = dir.path().join(name);
        fs::write(&file, bytes).unwrap();
        for error in [
            compose(&file, from_ref(&stub)).unwrap_err(),
            compose(&source, from_ref(&file)).unwrap_err(),
        ] {
            assert_eq!(error.code(), code, "{error}");
            assert!(error.to_string().contains(name), "{error}");
        }
    };
    check("module.wasm", b"\0asm\x01\0\0\0", "CPS-002");
    check("junk.wasm", b"junk", "CPS-002");
    check("empty.wasm", b"", "CPS-002");
    check("cut.wasm", &fs::read(&source).unwrap()[..200], "CPS-002");
    let missing = dir.path().join("missing.wasm");
    assert_eq!(compose(&missing, &[]).unwrap_err().code(), "CPS-001");
    let dest = dir.path().join("never.wasm");
    assert_eq!(
        compose_to(&source, &[missing], &dest).unwrap_err().code(),
        "CPS-001"
    );
    assert!(!dest.exists());
}

/// A module for the counter world that a compiler could have written; `extra` goes inside.
fn counter_module(extra: &[wasm_encoder::CustomSection<'_>], realloc: bool, get: &str) -> Vec<u8> {
    waiting_module(&[], extra, realloc, get)
}

/// What the run-time of style `go` imports for itself: module, name, type.
const WAITS: [(&str, &str, u32); 3] = [
    ("wasi:io/poll@0.2.0", "poll", 4),
    ("wasi:io/poll@0.2.0", "[resource-drop]pollable", 3),
    ("wasi:clocks/monotonic-clock@0.2.0", "subscribe-duration", 5),
];

/// The same with further imports.
fn waiting_module(
    waits: &[(&str, &str, u32)],
    extra: &[wasm_encoder::CustomSection<'_>],
    realloc: bool,
    get: &str,
) -> Vec<u8> {
    use wasm_encoder::*;
    let mut types = TypeSection::new();
    types.ty().function([ValType::I64], []);
    types.ty().function([], [ValType::I64]);
    types.ty().function([ValType::I32; 4], [ValType::I32]);
    types.ty().function([ValType::I32], []);
    types.ty().function([ValType::I32; 3], []);
    types.ty().function([ValType::I64], [ValType::I32]);
    let mut imports = ImportSection::new();
    imports.import(
        "wasi_snapshot_preview1",
        "proc_exit",
        EntityType::Function(3),
    );
    for (module, name, ty) in waits {
        imports.import(module, name, EntityType::Function(*ty));
    }
    let first = imports.len();
    let mut functions = FunctionSection::new();
    functions.function(0).function(1).function(2);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: 1,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut exports = ExportSection::new();
    exports.export("memory", ExportKind::Memory, 0);
    exports.export(
        "rpcdemo:component2/component2-api#add",
        ExportKind::Func,
        first,
    );
    exports.export(get, ExportKind::Func, first + 1);
    if realloc {
        exports.export("cabi_realloc", ExportKind::Func, first + 2);
    }
    let mut code = CodeSection::new();
    for _ in 0..3 {
        let mut body = Function::new([]);
        body.instructions().unreachable().end();
        code.function(&body);
    }
    let mut module = Module::new();
    module
        .section(&types)
        .section(&imports)
        .section(&functions)
        .section(&memories)
        .section(&exports)
        .section(&code);
    for section in extra {
        module.section(section);
    }
    module.finish()
}

const GET: &str = "rpcdemo:component2/component2-api#get";

fn go() -> [wasm_encoder::CustomSection<'static>; 1] {
    [wasm_encoder::CustomSection {
        name: "go:buildid".into(),
        data: (&b"x"[..]).into(),
    }]
}

#[test]
fn a_module_becomes_a_component_that_describes_itself() {
    let wit = oracle("stub-01-counter/in");
    let encoded = encode(&counter_module(&go(), true, GET), &wit, Some("component2")).unwrap();
    assert_eq!(encoded.warnings, [""; 0]);
    let seen = describe(&encoded.bytes).unwrap();
    assert_eq!(
        seen.exports,
        [
            "rpcdemo:component2/component2-api.{add}(value: u64)",
            "rpcdemo:component2/component2-api.{get}() -> u64"
        ]
    );
    assert_eq!(seen.size, encoded.bytes.len());
    assert!(
        seen.imports
            .iter()
            .any(|name| name.starts_with("wasi:cli/exit@0.2.")),
        "{:?}",
        seen.imports
    );
    assert!(stub_targets(&encoded.bytes).unwrap().is_empty());
}

#[test]
fn a_world_need_not_name_what_the_run_time_waits_with() {
    // The source has no WASI at all; the stub has `wasi:io`, but no clocks; a copy of it also has a later `wasi:io`.
    let dir = tempfile::tempdir().unwrap();
    let text = "package rpcdemo:component2; interface component2-api { add: func(value: u64); get: func() -> u64; } \
                world component2 { import wasi:io/poll@0.2.3; export component2-api; }";
    let io = "package wasi:io@0.2.3; interface poll { resource pollable { ready: func() -> bool; block: func(); } \
              poll: func(in: list<borrow<pollable>>) -> list<u32>; }";
    write(dir.path(), &[("later.wit", text), ("deps/io/poll.wit", io)]);
    for wit in [oracle("stub-01-counter/in"), dir.path().to_owned()] {
        let module = waiting_module(&WAITS, &go(), true, GET);
        let seen = describe(&encode(&module, &wit, None).unwrap().bytes).unwrap();
        for import in ["wasi:io/poll@0.2.", "wasi:clocks/monotonic-clock@0.2."] {
            let found = seen.imports.iter().filter(|name| name.starts_with(import));
            assert_eq!(found.count(), 1, "{import} in {:?}", seen.imports);
        }
    }
    let module = waiting_module(&[("a:b/c", "f", 3)], &go(), true, GET);
    let error = encode(&module, &oracle("stub-01-counter/in"), None).unwrap_err();
    assert_eq!(error.code(), "ENC-003");
}

#[test]
fn a_go_module_without_realloc_is_warned_about() {
    let wit = oracle("stub-01-counter/in");
    let warnings = |extra: &[wasm_encoder::CustomSection<'_>], realloc| {
        encode(&counter_module(extra, realloc, GET), &wit, None)
            .unwrap()
            .warnings
    };
    let go_alone = warnings(&go(), false);
    assert_eq!(go_alone.len(), 1);
    assert!(go_alone[0].contains("cabi_realloc"));
    assert!(warnings(&[], false).is_empty());
}

#[test]
fn a_module_that_does_not_fit_is_refused() {
    let wit = oracle("stub-01-counter/in");
    let code = |bytes: &[u8], wit: &Path, world| encode(bytes, wit, world).unwrap_err().code();
    let fits = counter_module(&go(), true, GET);
    let error = encode(&counter_module(&go(), true, "other"), &wit, None).unwrap_err();
    assert_eq!(error.code(), "ENC-003");
    assert!(error.to_string().contains("function `get`"), "{error}");
    assert_eq!(
        code(&counter_module(&go(), true, "_start"), &wit, None),
        "ENC-002"
    );
    assert_eq!(code(b"junk", &wit, None), "ENC-001");
    assert_eq!(code(&fits[..fits.len() / 2], &wit, None), "ENC-001");
    assert_eq!(
        code(&encode(&fits, &wit, None).unwrap().bytes, &wit, None),
        "ENC-001"
    );
    assert_eq!(code(&fits, &wit, Some("nah")), "WIT-010");
    assert_eq!(code(&fits, Path::new("does/not/exist"), None), "WIT-001");
}
