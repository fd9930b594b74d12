// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/openapi/tests: the document describes every route, is the one in docs/, and is true of itself. `BLESS=1` writes
//! it instead. Read next: `operations.rs`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::super::routes::WORKER;
use super::*;

/// Routes that are other spellings of described ones: verb, path, the path that is described.
const ALIASES: &[(&str, &str, &str)] = &[
    (
        "get",
        "/v1/components/{component}/workers/{worker}/files/",
        "/v1/components/{component}/workers/{worker}/files",
    ),
    ("get", "/v1/components/{component}/workers/find", WORKER),
    ("delete", "/v1/components/{component}/workers/find", WORKER),
];

fn docs() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

#[test]
fn every_route_is_described_and_nothing_else() {
    let table = all_routes();
    let all = operations();
    for route in table.table() {
        let verb = route
            .method
            .as_ref()
            .map(|verb| verb.as_str().to_lowercase());
        let alias = ALIASES
            .iter()
            .find(|(of, path, _)| *path == route.path && verb.as_deref() == Some(*of));
        if let Some((_, path, described)) = alias {
            let found = all.iter().any(|operation| operation.path == *described);
            assert!(
                found,
                "`{path}` is another spelling of `{described}`, which nobody describes"
            );
            continue;
        }
        let found = all.iter().any(|operation| operation.is_of(route));
        assert!(
            found,
            "{:?} {} is not described: add it to http/openapi/operations.rs",
            route.method, route.path
        );
    }
    for operation in &all {
        let found = table.table().iter().any(|route| operation.is_of(route));
        assert!(found, "no route is {} {}", operation.verb, operation.path);
    }
    let ids: BTreeSet<_> = all.iter().map(|operation| operation.id).collect();
    assert_eq!(ids.len(), all.len(), "two operations have the same id");
    for operation in &all {
        let known = operations::TAGS
            .iter()
            .any(|(tag, _)| *tag == operation.tag);
        assert!(known, "{}", operation.tag);
        for status in &operation.fails {
            let known = FAILURES.iter().any(|(known, ..)| known == status);
            assert!(known, "{} names no failure", status);
        }
    }
}

#[test]
fn the_document_in_docs_is_what_the_routes_say() {
    let path = docs().join("openapi.json");
    let text = text(&document());
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == text,
        "docs/openapi.json is not what the routes say; run\n  BLESS=1 cargo test -p golem-server --lib openapi\nthen make the Go client anew\n  cargo xtask go-client"
    );
}

/// Every reference leads somewhere.
fn references(json: &Json, found: &mut Vec<String>) {
    match json {
        Json::Object(object) => {
            if let Some(Json::String(to)) = object.get("$ref") {
                found.push(to.clone());
            }
            object.values().for_each(|value| references(value, found));
        }
        Json::Array(list) => list.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 100);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[test]
fn types_that_are_read_and_written_have_one_schema() {
    let mut schemas = Schemas::new();
    for operation in operations() {
        described(&operation, Needs::Nothing, &mut schemas);
    }
    let written = schemas.written.take_definitions(true);
    for (name, schema) in schemas.read.take_definitions(true) {
        if let Some(other) = written.get(&name) {
            assert_eq!(
                other, &schema,
                "{name} has one schema to read and another to write"
            );
        }
    }
}

#[test]
fn codes_of_failures_are_codes_of_errors() {
    for (_, name, _, says) in FAILURES {
        let codes = says
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
            .filter(|word| word.len() == 7 && word.as_bytes()[3] == b'-');
        for code in codes {
            let page = docs().join("errors").join(format!("{}.md", &code[..3]));
            let page = std::fs::read_to_string(page).unwrap();
            assert!(page.contains(code), "{name} names {code}, which nobody has");
        }
    }
}
