// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / tests, stubs: what the tool of the era got wrong or refused. In: small WIT texts. Every stub that is
//! made here is parsed, validated and composed. Read next: `components.rs`.

use std::slice::from_ref;

use golem_model::Coded as _;
use golem_wit::compose::compose;
use golem_wit::deps::require_error_results;
use golem_wit::metadata::stub_targets;
use golem_wit::stub::{Built, StubError, Target};

use crate::support::{build_stub, caller, component, error_stub_of, stub_of, write};

/// The stub of `wit` contains all of `lines`, parses, is a valid component and fits a caller.
fn check(wit: &str, lines: &[&str]) -> String {
    check_made(stub_of(wit), lines)
}

fn check_made(
    (dir, built): (tempfile::TempDir, Result<Built, StubError>),
    lines: &[&str],
) -> String {
    let built = built.unwrap();
    let text = built.stub.text.clone();
    for line in lines {
        assert!(text.contains(line), "`{line}` is not in\n{text}");
    }
    let root = caller(dir.path(), &built);
    let file = dir.path().join("caller.wasm");
    std::fs::write(&file, component(&root, None)).unwrap();
    let stub = dir.path().join("t-stub/stub.wasm");
    let composed = compose(&file, from_ref(&stub)).unwrap();
    assert_eq!(composed.used, [stub]);
    let found = stub_targets(&composed.bytes).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0].import,
        built.stub.package.interface_id(&built.stub.interface)
    );
    let mut resources: Vec<&str> = found[0]
        .clients
        .iter()
        .map(|client| client.resource.as_str())
        .collect();
    let mut expected: Vec<&str> = built
        .stub
        .clients
        .iter()
        .map(|client| client.resource.as_str())
        .collect();
    resources.sort_unstable();
    expected.sort_unstable();
    assert_eq!(resources, expected);
    text
}

fn refused(wit: &str, code: &str, words: &[&str]) {
    let (dir, built) = stub_of(wit);
    let error = built.unwrap_err();
    assert_eq!(error.code(), code, "{error}");
    assert!(error.hint().is_some());
    for word in words {
        assert!(
            error.to_string().contains(word),
            "`{word}` is not in `{error}`"
        );
    }
    assert!(!dir.path().join("t-stub").exists(), "something was written");
}

#[test]
fn a_version_stands_after_the_suffix() {
    check(
        "package demo:versioned@1.2.3; interface api { record r { a: u8 } f: func(r: r) -> u8; } world w { export api; }",
        &[
            "package demo:versioned-stub@1.2.3;",
            "use demo:versioned/api@1.2.3.{r};",
        ],
    );
}

#[test]
fn results_of_all_shapes_are_written() {
    check(
        "package a:b; interface api { f: func() -> result; g: func() -> result<_, string>; h: func() -> result<u8>; n: func() -> (); } world w { export api; }",
        &[
            "get: func() -> option<result>;",
            "blocking-f: func() -> result;",
            "option<result<_, string>>",
            "option<result<u8>>",
            "    n: func();",
        ],
    );
}

#[test]
fn named_results_become_a_tuple() {
    check(
        "package a:b; interface api { f: func() -> (a: float32, b: string); } world w { export api; }",
        &["blocking-f: func() -> tuple<f32, string>;"],
    );
}

#[test]
fn equal_function_names_are_qualified_on_a_clash_only() {
    let text = check(
        "package a:b; interface left { get: func() -> u8; only: func() -> u8; } interface right { get: func() -> u8; } world w { export left; export right; }",
        &[
            "resource future-left-get-result {",
            "resource future-right-get-result {",
            "resource future-only-result {",
            "get: func() -> future-right-get-result;",
        ],
    );
    assert!(!text.contains("future-get-result"));
}

#[test]
fn equal_type_names_are_renamed_on_a_clash_only() {
    check(
        "package a:b; interface left { record item { a: u8 } type id = u64; f: func(i: item, id: id); } interface right { record item { b: u8 } g: func(i: item); } world w { export left; export right; }",
        &[
            "use a:b/left.{item as left-item};",
            "use a:b/right.{item as right-item};",
            "use a:b/left.{id};",
            "f: func(i: left-item, id: id);",
            "g: func(i: right-item);",
        ],
    );
}

#[test]
fn one_type_seen_through_two_interfaces_is_used_once() {
    let text = check(
        "package a:b; interface common { record item { a: u8 } } interface left { use common.{item}; f: func(i: item); } interface right { use common.{item}; g: func(i: item); } world w { export left; export right; }",
        &[
            "use a:b/left.{item};",
            "f: func(i: item);",
            "g: func(i: item);",
        ],
    );
    assert!(!text.contains("a:b/right.{"));
}

#[test]
fn types_called_like_a_client_or_a_future_are_renamed() {
    check(
        "package a:b; interface order { record order { a: u8 } record future-get-result { b: u8 } get: func() -> order; put: func(x: future-get-result); } world w { export order; }",
        &[
            "use a:b/order.{order as order-order};",
            "use a:b/order.{future-get-result as order-future-get-result};",
            "get: func() -> option<order-order>;",
        ],
    );
}

#[test]
fn keywords_are_escaped() {
    check(
        "package %type:%world; interface %interface { record %record { %type: u8 } enum %enum { %u8, b } %import: func(%use: %record) -> %enum; %list: func() -> %record; } world %export { export %interface; }",
        &[
            "use %type:%world/%interface.{%record};",
            "resource %interface {",
            "blocking-import: func(%use: %record) -> %enum;",
            "    %import: func(",
            "resource future-list-result {",
        ],
    );
}

#[test]
fn keywords_are_escaped_in_declarations() {
    check(
        "package a:b; world w { export api: interface { record %record { %type: u8 } variant %variant { %u8(%record), b } flags %flags { %s8 } type %type = %record; f: func(a: %variant, b: %flags, c: %type) -> %record; } }",
        &["record %record {", "%u8(%record)"],
    );
}

#[test]
fn inline_interfaces_declare_their_types_and_keep_their_name() {
    let (_dir, built) = stub_of(
        "package a:b; world w { export api: interface { record r { a: u8 } f: func(r: r) -> list<r>; } export top: func(x: u8) -> u8; }",
    );
    let stub = built.unwrap().stub;
    let targets: Vec<&Target> = stub.clients.iter().map(|client| &client.target).collect();
    assert_eq!(
        targets,
        [&Target::Interface("api".to_owned()), &Target::World]
    );
    let remote: Vec<&str> = stub
        .clients
        .iter()
        .flat_map(|client| &client.functions)
        .map(|function| function.remote.as_str())
        .collect();
    assert_eq!(remote, ["api.{f}", "top"]);
    check(
        "package a:b; world w { export api: interface { record r { a: u8 } f: func(r: r) -> list<r>; } export top: func(x: u8) -> u8; }",
        &[
            "  record r {\n    a: u8\n  }",
            "resource api {",
            "resource w {",
            "blocking-top: func(x: u8) -> u8;",
        ],
    );
}

#[test]
fn world_functions_bring_the_types_of_the_world() {
    check(
        "package a:b; interface types { record r { a: u8 } } world w { use types.{r as s}; record own-type { s: s } export f: func(x: s) -> own-type; }",
        &[
            "use a:b/types.{r as s};",
            "record own-type {\n    s: s\n  }",
        ],
    );
}

const BANK: &str = "package bank:ledger; interface accounts { \
    record entry { what: string } \
    record pair { a: account, b: option<account> } \
    resource account { constructor(owner: string, opening: u64); deposit: func(amount: u64); balance: func() -> s64; entries: func() -> list<entry>; \
        merge: static func(a: account, b: borrow<account>) -> account; } \
    resource cursor { next: func() -> option<entry>; } \
    open: func(name: string) -> account; both: func() -> pair; scan: func(of: borrow<account>) -> cursor; } \
    world ledger { export accounts; }";

#[test]
fn exported_resources_become_clients() {
    check(
        BANK,
        &[
            "  resource accounts {\n    constructor(location: golem-rpc-uri);\n    blocking-open: func(name: string) -> account;\n",
            "  resource account {\n    constructor(location: golem-rpc-uri, owner: string, opening: u64);\n    blocking-deposit: func(amount: u64);\n    deposit: func(amount: u64);\n",
            "    balance: func() -> future-account-balance-result;\n",
            "    blocking-merge: static func(a: account, b: borrow<account>) -> account;\n    merge: static func(a: account, b: borrow<account>) -> future-account-merge-result;\n",
            "  resource cursor {\n    constructor(location: golem-rpc-uri);\n",
            "    next: func() -> future-next-result;\n",
            "use bank:ledger/accounts.{entry};",
            "  record pair {\n    a: account,     b: option<account>\n  }",
        ],
    );
}

#[test]
fn the_targets_of_clients_are_known() {
    let (_dir, built) = stub_of(BANK);
    let clients = built.unwrap().stub.clients;
    let interface = "bank:ledger/accounts".to_owned();
    assert_eq!(
        clients[1].target,
        Target::Resource {
            interface: interface.clone(),
            resource: "account".to_owned(),
            constructor: true
        }
    );
    assert_eq!(
        clients[2].target,
        Target::Resource {
            interface,
            resource: "cursor".to_owned(),
            constructor: false
        }
    );
    let remote: Vec<&str> = clients[1]
        .functions
        .iter()
        .map(|function| function.remote.as_str())
        .collect();
    assert_eq!(
        remote[..2],
        [
            "bank:ledger/accounts.{account.deposit}",
            "bank:ledger/accounts.{account.balance}"
        ]
    );
}

#[test]
fn a_constructor_may_have_a_location_itself() {
    check(
        "package a:b; interface api { resource r { constructor(location: string); } } world w { export api; }",
        &["constructor(worker-location: golem-rpc-uri, location: string);"],
    );
}

#[test]
fn a_world_without_exports_has_an_empty_stub() {
    let (_dir, built) = stub_of("package a:b; world w { }");
    assert!(built.unwrap().stub.text.contains("interface stub-w {"));
}

#[test]
fn functions_of_other_packages_with_handles_are_left_out() {
    let dir = tempfile::tempdir().unwrap();
    crate::support::write(
        dir.path(),
        &[
            (
                "t/wit/t.wit",
                "package a:b; interface api { f: func(); } world w { export api; export x:y/handler; }",
            ),
            (
                "t/wit/deps/y/y.wit",
                "package x:y; interface types { resource req { m: func(); } } interface handler { use types.{req}; handle: func(r: req); }",
            ),
        ],
    );
    let built = crate::support::build_stub(dir.path(), "t", false).unwrap();
    assert_eq!(built.stub.clients.len(), 1);
    assert!(built.notes.iter().any(|note| note.contains("x:y/handler")));
}

#[test]
fn what_cannot_be_is_refused() {
    refused(
        "package a:b; interface api { get: func(); blocking-get: func(); } world w { export api; }",
        "STB-002",
        &["blocking-get", "`get`"],
    );
    refused(
        "package a:b; interface api { get: func(); } interface other { resource api { } f: func(); } world w { export api; export other; }",
        "STB-001",
        &["`api`"],
    );
    refused(
        "package a:b; world w { export w: interface { get: func(); } export f: func(); }",
        "STB-001",
        &["`w`"],
    );
    refused(
        "package a:b; interface api { resource r { make: static func(x: u8) -> r; } } world w { export api; }",
        "STB-006",
        &["r.make"],
    );
    refused(
        "package a:b; interface api { f: async func(); } world w { export api; }",
        "STB-007",
        &["{f}"],
    );
    refused(
        "package a:b; interface api { f: func() -> future<u8>; } world w { export api; }",
        "STB-004",
        &["future"],
    );
    refused(
        "package a:b; interface api { f: func(x: map<string, u8>); } world w { export api; }",
        "STB-004",
        &["map"],
    );
    refused(
        "package a:b; interface t { resource r { } } interface api { use t.{r}; f: func(x: r); } world w { import t; export api; }",
        "STB-005",
        &["a:b/t.r"],
    );
    refused(
        "package a:b; interface api { a-b: func() -> u8; resource a { constructor(); b: func() -> u8; } } world w { export api; }",
        "STB-003",
        &["future-api-a-b-result"],
    );
    // The component model forbids `[method]ping.ping` beside `ping`.
    refused(
        "package a:b; interface ping { ping: func(); } world w { export ping; }",
        "STB-015",
        &["a:b/ping.{ping}"],
    );
    refused(
        "package a:b; world hello { export hello: func(); }",
        "STB-015",
        &["`hello`"],
    );
    refused(
        "package a:b; world one { } world two { }",
        "WIT-009",
        &["one, two"],
    );
}

const CALLS: &str = "package a:t;\ninterface api { \
    record item { name: string } \
    add: func(value: u64); get: func() -> u64; put: func(i: item) -> result<_, string>; take: func() -> result<item>; }\n\
    world t { export api; export top: func() -> list<string>; }";

#[test]
fn typed_errors_are_the_results_of_every_call() {
    let text = check_made(
        error_stub_of(CALLS),
        &[
            "  use golem:worker/call-errors@0.1.0.{call-error as golem-call-error};\n",
            "    get: func() -> option<result<u64, golem-call-error>>;\n",
            "    get: func() -> option<result<result<_, string>, golem-call-error>>;\n",
            "    get: func() -> option<result<result<item>, golem-call-error>>;\n",
            "    get: func() -> option<result<list<string>, golem-call-error>>;\n",
            "    blocking-add: func(value: u64) -> result<_, golem-call-error>;\n",
            "    add: func(value: u64) -> result<_, golem-call-error>;\n",
            "    blocking-get: func() -> result<u64, golem-call-error>;\n",
            "    get: func() -> future-get-result;\n",
            "    blocking-put: func(i: item) -> result<result<_, string>, golem-call-error>;\n",
            "    blocking-top: func() -> result<list<string>, golem-call-error>;\n",
        ],
    );
    let plain = check(CALLS, &["    add: func(value: u64);\n"]);
    assert!(!plain.contains("golem-call-error"), "{plain}");
    // Nothing else differs: without the type of the errors both texts are one.
    let bare = text
        .lines()
        .filter(|line| !line.contains("golem:worker"))
        .map(|line| {
            let line = line.replace("result<_, golem-call-error>", "");
            match line
                .split_once("result<")
                .filter(|_| line.contains(", golem-call-error>"))
            {
                Some((before, rest)) => {
                    format!("{before}{}", rest.replacen(", golem-call-error>", "", 1))
                }
                None => line,
            }
        })
        .map(|line| line.replace(" -> ;", ";") + "\n")
        .collect::<String>();
    assert_eq!(bare, plain);
}

#[test]
fn the_flavour_of_a_stub_is_told_by_its_types() {
    let (dir, built) = error_stub_of(CALLS);
    built.unwrap();
    require_error_results(&dir.path().join("t-stub/wit")).unwrap();
    let (dir, built) = stub_of(CALLS);
    built.unwrap();
    let error = require_error_results(&dir.path().join("t-stub/wit")).unwrap_err();
    assert_eq!(error.code(), "DEP-007");
}

#[test]
fn a_type_that_is_called_like_the_error_gives_way() {
    check_made(
        error_stub_of(
            "package a:t;\ninterface api { type golem-call-error = u8; f: func() -> golem-call-error; }\nworld t { export api; }",
        ),
        &[
            "use a:t/api.{golem-call-error as api-golem-call-error};",
            "blocking-f: func() -> result<api-golem-call-error, golem-call-error>;",
        ],
    );
}

#[test]
fn the_packages_of_a_stub_find_a_place_beside_those_of_the_target() {
    // Each of them stands where a stub keeps something of its own.
    for (at, text) in [
        (
            "deps/io/streams.wit",
            "package wasi:io@0.2.6;\n\ninterface streams {\n  type size = u64;\n}\n",
        ),
        (
            "deps/io/mine.wit",
            "package my:io;\n\ninterface streams {\n  type size = u64;\n}\n",
        ),
        (
            "deps/wasm-rpc/mine.wit",
            "package my:rpc;\n\ninterface streams {\n  type size = u64;\n}\n",
        ),
        (
            "deps/io.wit",
            "package wasi:io@0.2.0;\n\ninterface streams {\n  type size = u64;\n}\n",
        ),
    ] {
        let package = text
            .strip_prefix("package ")
            .and_then(|rest| rest.split_once(';'))
            .unwrap()
            .0;
        let (name, version) = package.split_once('@').unwrap_or((package, ""));
        let at_version = if version.is_empty() {
            String::new()
        } else {
            format!("@{version}")
        };
        let own = format!(
            "package t:t;\n\ninterface api {{\n  use {name}/streams{at_version}.{{size}};\n  get: func() -> size;\n}}\n\nworld w {{\n  export api;\n}}\n"
        );
        let dir = tempfile::tempdir().unwrap();
        write(
            dir.path(),
            &[("t/wit/t.wit", &own), (&format!("t/wit/{at}"), text)],
        );
        let built = build_stub(dir.path(), "t", false);
        assert!(built.is_ok(), "{at}: {:?}", built.err());
        check_made((dir, built), &["blocking-get: func() -> size;"]);
    }
}
