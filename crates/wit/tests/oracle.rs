// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / tests, oracle: our output against that of the stub tool of the era. In: `oracle/`. Read next:
//! `stubs.rs`. Never compares the texts of `wasi:io` and `golem:rpc`, which are our own.

use std::fs;

use golem_wit::bindgen::go::{GoOptions, Style, generate as bindings};
use golem_wit::compose::compose;
use golem_wit::deps::add_stub_dependency;
use golem_wit::describe::describe;
use golem_wit::encode::encode;
use golem_wit::metadata::stub_targets;
use golem_wit::resolve::load;
use golem_wit::stub::{Flavour, GenerateRequest, generate, stub_interface};

use wit_component::dummy_module;
use wit_parser::ManglingAndAbi;

use crate::support::{Files, build_stub, copy, files, oracle, write};

const OWN_TEXTS: [&str; 2] = ["deps/io/poll.wit", "deps/wasm-rpc/wasm-rpc.wit"];

fn without_own_texts(mut list: Files) -> Files {
    for path in OWN_TEXTS {
        assert!(list.remove(path).is_some(), "{path} is missing");
    }
    list
}

fn check_stub(case: &str, expected: &str, inline: bool) {
    let dir = tempfile::tempdir().unwrap();
    copy(&oracle(&format!("{case}/in")), &dir.path().join("x/wit"));
    let before = files(&dir.path().join("x"));
    build_stub(dir.path(), "x", inline).unwrap();
    let found = without_own_texts(files(&dir.path().join("x-stub/wit")));
    assert_eq!(
        found,
        files(&oracle(&format!("{case}/{expected}/wit"))),
        "{case}"
    );
    assert_eq!(
        files(&dir.path().join("x")),
        before,
        "the source was touched"
    );
}

#[test]
fn stubs_equal_those_of_the_era() {
    for case in [
        "stub-01-counter",
        "stub-02-types",
        "stub-05-cross",
        "stub-06b-world-only",
        "stub-12-two-files",
    ] {
        check_stub(case, "l", false);
    }
}

#[test]
fn stubs_with_inlined_types_equal_those_of_the_era() {
    for case in [
        "stub-01-counter",
        "stub-05-cross",
        "stub-06b-world-only",
        "stub-12-two-files",
    ] {
        check_stub(case, "l-inline", true);
    }
}

/// The tool of the era writes invalid WIT here (`list u64`); ours has to be valid, which `build` checks.
#[test]
fn inlined_aliases_are_valid() {
    let dir = tempfile::tempdir().unwrap();
    copy(&oracle("stub-02-types/in"), &dir.path().join("x/wit"));
    let built = build_stub(dir.path(), "x", true).unwrap();
    assert!(
        built.stub.text.contains("  type dish-ids = list<u64>;\n"),
        "{}",
        built.stub.text
    );
    assert!(!built.stub.text.contains("use shop:kitchen"));
}

#[test]
fn remote_names_equal_those_of_the_era() {
    for case in [
        "stub-01-counter",
        "stub-02-types",
        "stub-05-cross",
        "stub-12-two-files",
    ] {
        let loaded = load(&oracle(&format!("{case}/in"))).unwrap();
        let stub = stub_interface(
            &loaded,
            loaded.world(None).unwrap(),
            false,
            Flavour::default(),
        )
        .unwrap();
        let mut found: Vec<String> = stub
            .clients
            .iter()
            .flat_map(|client| &client.functions)
            .map(|function| format!("\"{}\"", function.remote))
            .collect();
        found.sort();
        let text =
            fs::read_to_string(oracle(&format!("{case}/l/remote-function-names.txt"))).unwrap();
        let expected: Vec<&str> = text.lines().filter(|line| line.starts_with('"')).collect();
        assert_eq!(found, expected, "{case}");
    }
}

#[test]
fn generate_writes_the_same_wit_and_a_crate() {
    let dir = tempfile::tempdir().unwrap();
    let made = generate(GenerateRequest {
        source_wit_root: &oracle("stub-05-cross/in"),
        dest_crate_root: &dir.path().join("crate"),
        world: None,
        stub_crate_version: "0.0.1",
        always_inline_types: false,
        flavour: Flavour::default(),
    })
    .unwrap();
    let found = without_own_texts(files(&dir.path().join("crate/wit")));
    assert_eq!(found, files(&oracle("stub-05-cross/l/wit")));
    let all = files(&dir.path().join("crate"));
    assert_eq!(all.len(), made.files.len());
    assert!(all["Cargo.toml"].contains("name = \"front-stub\""));
    assert!(all["src/lib.rs"].contains("import demo:front-stub/stub-front;"));
}

fn check_flow(case: &str, target: &str, caller: &str) {
    let dir = tempfile::tempdir().unwrap();
    copy(&oracle(&format!("{case}/in")), dir.path());
    build_stub(dir.path(), target, false).unwrap();
    let (stub, dest) = (
        dir.path().join(format!("{target}-stub/wit")),
        dir.path().join(caller).join("wit"),
    );
    let report = add_stub_dependency(&stub, &dest, false, false).unwrap();
    assert!(report.overwritten.is_empty() && !report.created.is_empty());
    for part in [
        format!("{target}-stub/wit"),
        format!("{caller}/wit"),
        format!("{target}/wit"),
    ] {
        let mut found = files(&dir.path().join(&part));
        if !part.starts_with(&format!("{target}/")) {
            found = without_own_texts(found);
        }
        assert_eq!(
            found,
            files(&oracle(&format!("{case}/l/{part}"))),
            "{case}/{part}"
        );
    }
    let before = files(dir.path());
    let again = add_stub_dependency(&stub, &dest, true, false).unwrap();
    assert_eq!(
        (again.created, again.overwritten, again.removed),
        Default::default()
    );
    assert_eq!(
        files(dir.path()),
        before,
        "the second run changed something"
    );
}

#[test]
fn flows_equal_those_of_the_era() {
    check_flow("flow-basic", "component2", "component1");
    check_flow("flow-cross-types", "front", "caller");
}

/// Sources that the later tool rewrote and stub directories that it wrote are accepted as input.
#[test]
fn the_other_dialect_is_accepted() {
    for case in [
        "stub-01-counter",
        "stub-02-types",
        "stub-05-cross",
        "stub-06b-world-only",
    ] {
        let dir = tempfile::tempdir().unwrap();
        copy(
            &oracle(&format!("{case}/n/source-after")),
            &dir.path().join("x/wit"),
        );
        build_stub(dir.path(), "x", false).unwrap();

        // The texts of wasi:io and golem:rpc come from our own run.
        let stub = dir.path().join("n-stub");
        copy(&oracle(&format!("{case}/n/wit")), &stub);
        for path in OWN_TEXTS {
            fs::create_dir_all(stub.join(path).parent().unwrap()).unwrap();
            fs::copy(dir.path().join("x-stub/wit").join(path), stub.join(path)).unwrap();
        }
        let caller = dir.path().join("caller/wit");
        copy(&oracle("flow-cross-types/in/caller/wit"), &caller);
        let report = add_stub_dependency(&stub, &caller, false, false).unwrap();
        assert!(
            report.created.iter().any(|path| path.ends_with("stub.wit")),
            "{case}: {report:?}"
        );
        load(&caller).unwrap();
    }
}

/// A project as the later tool leaves it: its interfaces in a package of their own, and the import that it adds by itself.
/// It calls a target of the same kind, is built, composed, and gets bindings.
#[test]
fn a_project_of_the_other_dialect_is_built() {
    let dir = tempfile::tempdir().unwrap();
    copy(
        &oracle("stub-05-cross/n/source-after"),
        &dir.path().join("front/wit"),
    );
    copy(
        &oracle("stub-01-counter/n/source-after"),
        &dir.path().join("target/wit"),
    );
    build_stub(dir.path(), "target", false).unwrap();
    let stub = dir.path().join("n-stub");
    copy(&oracle("stub-01-counter/n/wit"), &stub);
    for path in OWN_TEXTS {
        fs::create_dir_all(stub.join(path).parent().unwrap()).unwrap();
        let own = dir.path().join("target-stub/wit").join(path);
        fs::copy(own, stub.join(path)).unwrap();
    }
    let front = dir.path().join("front/wit");
    // The import is there before the stub is.
    let text = fs::read_to_string(front.join("main.wit")).unwrap();
    let import = "import rpcdemo:component2-stub/stub-component2;";
    let text = text.replace("world front {\n", &format!("world front {{\n  {import}\n"));
    write(&front, &[("main.wit", &text)]);
    let report = add_stub_dependency(&stub, &front, false, false).unwrap();
    assert_eq!(report.import, import);
    let before = files(&front);
    let again = add_stub_dependency(&stub, &front, true, false).unwrap();
    assert_eq!((again.created, again.overwritten), Default::default());
    assert_eq!(files(&front), before);
    assert_eq!(
        before["main.wit"], text,
        "the project's own text is left alone"
    );

    let loaded = load(&front).unwrap();
    let world = loaded.world(None).unwrap();
    let module = dummy_module(&loaded.resolve, world, ManglingAndAbi::Standard32);
    let component = encode(&module, &front, None).unwrap().bytes;
    let exports = describe(&component).unwrap().exports;
    assert!(
        exports
            .iter()
            .all(|line| line.starts_with("demo:front-interface/orders.{")),
        "{exports:?}"
    );
    let file = dir.path().join("front.wasm");
    fs::write(&file, component).unwrap();
    let stub = dir.path().join("target-stub/stub.wasm");
    let composed = compose(&file, std::slice::from_ref(&stub)).unwrap();
    assert_eq!(composed.used, [stub]);
    let found = stub_targets(&composed.bytes).unwrap();
    assert_eq!(found[0].target_package, "rpcdemo:component2");
    assert_eq!(found[0].clients[0].functions, ["add", "get"]);

    for (style, file, name) in [
        (
            Style::TinyGo,
            "front.go",
            "func (self RpcdemoComponent2StubStubComponent2Component2Api) BlockingAdd(value uint64)",
        ),
        (
            Style::TinyGo,
            "front.go",
            "type ExportsDemoFrontInterfaceOrders interface",
        ),
        (
            Style::Go,
            "component2/component2.go",
            "func NewComponent2API(location worker.URI) *Component2API",
        ),
        (
            Style::Go,
            "orders/orders.go",
            "Place(ctx context.Context, oArg Order) (uint64, error)",
        ),
    ] {
        let options = GoOptions {
            module_path: "m".to_owned(),
            package_path: "m/internal/golem".to_owned(),
            style,
            ..GoOptions::default()
        };
        let made = bindings(&loaded.resolve, world, &options).unwrap();
        assert!(
            made.files[file].contains(name),
            "{name} in\n{}",
            made.files[file]
        );
    }
}
