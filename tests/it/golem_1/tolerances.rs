// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / golem_1/tolerances: the eleven things that a server takes from clients of 1.1 as they come, each by its number.
//! Pings (9) need a server that does not wait 30 s for them: crates/server/src/http/connect_tests.rs. Source: client spec §8.2.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use golem_testkit::golem_cli;
use serde_json::{Value, json};

use super::wire::{Part, Wire};
use super::{Classic, guest, parts};

#[test]
fn tolerance_1_an_upload_may_have_its_parts_in_any_shape_and_order() -> Result<()> {
    let mut classic = Classic::start()?;
    let file = || -> Result<Part> { Ok(Part::file("component", "x.wasm", guest()?)) };
    let forms = [
        ("quoted", Part::plain("componentType", "\"Ephemeral\"")),
        ("bare", Part::plain("componentType", "Ephemeral")),
        ("untyped", Part::text("componentType", "Ephemeral")),
    ];
    for (name, kind) in forms {
        // The file first, the name last, and between them what nobody knows.
        let parts = [
            file()?,
            Part::text("dynamicLinking", r#"{"dynamicLinking":{}}"#),
            kind,
            Part::file("unknown", "", vec![0, 159, 146, 150]),
            Part::text("name", name),
        ];
        let made = classic.wire.upload("POST /v1/components", &parts)?.ok()?;
        assert_eq!(made["componentType"], "Ephemeral", "{made}");
        assert_eq!(made["componentName"], name, "{made}");
    }
    let whole = classic
        .wire
        .whole_form("POST /v1/components", &parts("whole", "Durable")?)?;
    assert_eq!(whole.ok()?["componentType"], "Durable");
    // Clients send files that are no components, and have to be told.
    let empty = [
        Part::text("name", "empty"),
        Part::file("component", "", Vec::new()),
    ];
    let refused = classic.wire.upload("POST /v1/components", &empty)?;
    assert_eq!(refused.status, 400);
    assert!(refused.json()?["errors"].is_array());
    Ok(())
}

#[test]
fn tolerance_2_values_have_the_types_of_the_function_whatever_the_client_says() -> Result<()> {
    let mut classic = Classic::start()?;
    let u64_type = json!({"type": "U64"});
    let option = json!({"type": "Option", "inner": u64_type});
    let twice = json!({"type": "Option", "inner": option});
    let handle = json!({"type": "Handle", "resource_id": 0, "mode": "Borrowed"});
    for (function, param, expected) in [
        // What the client makes of `some(5)`, `5` and `none` for an option<u64>.
        ("opt", json!({"typ": twice, "value": 5}), json!(5)),
        ("opt", json!({"typ": twice, "value": null}), json!(0)),
        ("opt", json!({"typ": option, "value": 6}), json!(6)),
        ("opt", json!({"value": 7}), json!(7)),
        ("opt", json!(8), json!(8)),
        ("opt", json!({"typ": handle, "value": 9}), json!(9)),
        (
            "opt",
            json!({"typ": {"type": "Str"}, "value": u64::MAX}),
            json!(u64::MAX),
        ),
        ("deep", json!({"typ": twice, "value": null}), json!(0)),
        ("deep", json!({"value": {"some": null}}), json!(1)),
        ("deep", json!({"value": {"some": 3}}), json!(2)),
        ("deep", json!({"value": 3}), json!(2)),
    ] {
        let answer = classic.call("types", function, &json!([param]))?;
        assert_eq!(
            answer["result"]["value"],
            json!([expected]),
            "{function}({param})"
        );
        assert_eq!(answer["result"]["typ"]["type"], "Tuple", "{answer}");
    }
    Ok(())
}

#[test]
fn tolerance_3_a_call_without_a_key_gets_one_and_says_it() -> Result<()> {
    let mut classic = Classic::start()?;
    let params = json!({"params": [{"value": 2}]});
    let path = classic.function("keys", "invoke-and-await", "add");
    let first = classic.wire.json(&path, &params)?;
    let key = first
        .header("idempotency-key")
        .context("no key")?
        .to_owned();
    assert_eq!(key.len(), 36, "{key}");
    assert_eq!(first.ok()?["result"]["value"], json!([2]));
    // Whoever asks again with it hears the same, and nothing is added.
    let again = classic.wire.keyed(&path, &key, &params)?;
    assert_eq!(again.ok()?["result"]["value"], json!([2]));
    assert_eq!(again.header("idempotency-key"), Some(key.as_str()));
    let other = classic.wire.json(&path, &params)?;
    assert_ne!(other.header("idempotency-key"), Some(key.as_str()));
    assert_eq!(other.ok()?["result"]["value"], json!([4]));
    let invoke = classic.function("keys", "invoke", "add");
    let sent = classic.wire.json(&invoke, &params)?;
    assert_eq!(sent.header("idempotency-key").map(str::len), Some(36));
    Ok(())
}

#[test]
fn tolerance_4_a_worker_is_named_by_every_spelling_of_its_urn() -> Result<()> {
    let mut classic = Classic::start()?;
    let name = "my:worker/1";
    classic.call("my%3Aworker%2F1", "add", &json!([{"value": 4}]))?;
    let id = classic.id.clone();
    let simple = id.replace('-', "");
    let upper = id.to_uppercase();
    for id in [
        &id,
        &simple,
        &upper,
        &format!("{{{id}}}"),
        &format!("urn:uuid:{id}"),
    ] {
        for name in ["my%3Aworker%2F1", "my%3aworker%2f1", "my:worker%2F1"] {
            for urn in [
                format!("urn:worker:{id}/{name}"),
                format!("urn:WORKER:{id}/{name}"),
            ] {
                let output = std::process::Command::new(golem_cli()?)
                    .args(["worker", "get", "-F", "json", "-W", &urn])
                    .args(["--url", classic.server.url()])
                    .env("GOLEM_CONFIG_DIR", classic.data.path().join("config"))
                    .output()?;
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{urn}: {said}");
                let worker: Value = serde_json::from_slice(&output.stdout)?;
                // Printed in one way only.
                let printed = format!("urn:worker:{}/my%3Aworker%2F1", classic.id);
                assert_eq!(worker["workerUrn"], json!(printed), "{urn}");
            }
        }
        // In a path, too; a brace is written there with a percent sign.
        let segment = id.replace('{', "%7B").replace('}', "%7D");
        let path = format!("GET /v1/components/{segment}/workers/my%3Aworker%2F1");
        assert_eq!(
            classic.wire.get(&path)?.ok()?["workerId"]["workerName"],
            name
        );
    }
    Ok(())
}

#[test]
fn tolerance_5_names_are_checked_where_workers_are_created_and_nowhere_else() -> Result<()> {
    let mut classic = Classic::start()?;
    // What the client makes of `a b/ü%`.
    let odd = "a%20b%2F%C3%BC%25";
    let answer = classic.call(odd, "add", &json!([{"value": 1}]))?;
    assert_eq!(answer["result"]["value"], json!([1]));
    let path = format!("GET /v1/components/{}/workers/{odd}", classic.id);
    let worker = classic.wire.get(&path)?.ok()?;
    assert_eq!(worker["workerId"]["workerName"], "a b/ü%");
    let create = format!("POST /v1/components/{}/workers", classic.id);
    for name in ["", "a b", "-a", "a/b", "ü", &"x".repeat(101)] {
        let body = json!({"name": name, "args": [], "env": {}});
        let refused = classic.wire.json(&create, &body)?;
        assert_eq!(refused.status, 400, "{name}");
        let text = refused.json()?["errors"][0].clone();
        let text = text.as_str().context("no text")?;
        let begins = "Invalid worker name: Worker name must ";
        assert!(text.starts_with(begins), "{text}");
    }
    let longest = json!({"name": "x".repeat(100), "args": [], "env": {}});
    classic.wire.json(&create, &longest)?.ok()?;
    Ok(())
}

#[test]
fn tolerance_6_what_is_absent_and_what_is_there_already_are_told_in_known_words() -> Result<()> {
    let mut classic = Classic::start()?;
    let path = format!("GET /v1/components/{}/workers/none", classic.id);
    let absent = classic.wire.get(&path)?;
    assert_eq!(absent.status, 404);
    let text = format!("Worker not found: {}/none", classic.id);
    assert_eq!(absent.json()?["error"], json!(text));
    // The client goes on, and the call makes the worker.
    classic.call("none", "add", &json!([{"value": 1}]))?;
    let again = classic
        .wire
        .upload("POST /v1/components", &parts("counter", "Durable")?)?;
    assert_eq!(again.status, 409);
    let text = format!("Component already exists: {}", classic.id);
    assert_eq!(again.json()?["error"], json!(text));
    Ok(())
}

#[test]
fn tolerance_7_a_worker_that_is_there_already_is_an_error_of_golem() -> Result<()> {
    let mut classic = Classic::start()?;
    let create = format!("POST /v1/components/{}/workers", classic.id);
    let body = json!({"name": "w", "args": [], "env": {}});
    let made = classic.wire.json(&create, &body)?.ok()?;
    let id = json!({"componentId": classic.id, "workerName": "w"});
    assert_eq!(made, json!({"workerId": id, "componentVersion": 0}));
    let again = classic.wire.json(&create, &body)?;
    assert_eq!(again.status, 500);
    let error = again.json()?["golemError"].clone();
    assert_eq!(
        error,
        json!({"type": "WorkerAlreadyExists", "workerId": id})
    );
    let boom = classic.function("w", "invoke-and-await", "boom");
    let failed = classic.wire.json(&boom, &json!({"params": []}))?;
    assert_eq!(failed.status, 500);
    let error = failed.json()?["golemError"].clone();
    assert_eq!(error["type"], "RuntimeError", "{error}");
    assert!(error["details"].is_string(), "{error}");
    let get = classic.function("w", "invoke-and-await", "get");
    let after = classic.wire.json(&get, &json!({"params": []}))?;
    let error = after.json()?["golemError"].clone();
    assert_eq!(error["type"], "PreviousInvocationFailed", "{error}");
    Ok(())
}

#[test]
fn tolerance_8_an_oplog_ends_with_an_empty_page() -> Result<()> {
    let mut classic = Classic::start()?;
    for n in 1..=3 {
        classic.call("w", "add", &json!([{"value": n}]))?;
    }
    let oplog = format!("GET /v1/components/{}/workers/w/oplog", classic.id);
    let (mut cursor, mut indexes) = (String::new(), Vec::new());
    loop {
        let page = classic
            .wire
            .get(&format!("{oplog}?from=0&count=2{cursor}"))?
            .ok()?;
        let entries = page["entries"].as_array().context("no entries")?.clone();
        if entries.is_empty() {
            assert!(!cursor.is_empty());
            break;
        }
        assert_eq!(page["firstIndexInChunk"], entries[0]["oplogIndex"]);
        indexes.extend(entries.iter().map(|entry| entry["oplogIndex"].clone()));
        let next = &page["next"];
        // Also the last page with entries has a next one.
        cursor = format!(
            "&cursor={}-{}",
            next["next_oplog_index"].as_u64().context("no next")?,
            next["current_component_version"]
                .as_u64()
                .context("no version")?
        );
    }
    let all: Vec<Value> = (1..=indexes.len() as u64).map(Value::from).collect();
    assert_eq!(indexes, all);
    let first = classic.wire.get(&format!("{oplog}?from=0&count=1"))?.ok()?;
    let entry = &first["entries"][0]["entry"];
    assert_eq!(entry["type"], "Create", "{entry}");
    let worker = json!({"componentId": classic.id, "workerName": "w"});
    assert_eq!(entry["worker_id"], worker, "{entry}");
    let found = classic.wire.get(&format!("{oplog}?count=100&query=add"))?;
    let found = found.ok()?["entries"].clone();
    let invoked = |entry: &Value| entry["entry"]["type"] == "ExportedFunctionInvoked";
    let found = found.as_array().context("no entries")?;
    assert_eq!(found.iter().filter(|entry| invoked(entry)).count(), 3);
    Ok(())
}

#[test]
fn tolerance_9_a_listener_comes_without_a_sub_protocol_and_hears_events_of_golem_1() -> Result<()> {
    let mut classic = Classic::start()?;
    classic.call("w", "say", &json!([]))?;
    let path = format!("/v1/components/{}/workers/w/connect", classic.id);
    let mut events = Wire::to(classic.server.url())?.listen(&path)?;
    let start = events.next()?["InvocationStart"].clone();
    assert_eq!(start["function"], "it:golem/api.{say}");
    assert_eq!(start["idempotency_key"].as_str().map(str::len), Some(36));
    let log = events.next()?["Log"].clone();
    assert_eq!(
        (&log["level"], &log["message"], &log["context"]),
        (&json!("Info"), &json!("heard"), &json!("")),
    );
    assert!(events.next()?["InvocationFinished"].is_object());
    // It stays open, and hears what comes.
    classic.call("w", "say", &json!([]))?;
    assert!(events.next()?["InvocationStart"].is_object());
    Ok(())
}

#[test]
fn tolerance_10_the_version_is_cheap_and_no_newer_than_1_1_0() -> Result<()> {
    let mut classic = Classic::start()?;
    // The client asks twice before each command, and waits a second for each: a tenth of that, in the mean, on any machine.
    let begin = Instant::now();
    for _ in 0..200 {
        assert_eq!(
            classic.wire.get("GET /version")?.ok()?,
            json!({"version": "1.1.0"})
        );
    }
    assert!(
        begin.elapsed() < Duration::from_secs(20),
        "{:?}",
        begin.elapsed()
    );
    Ok(())
}

/// Asserts that every text that stands for a moment is one of RFC 3339 in UTC; returns how many there are.
fn moments(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(moments).sum(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| match value.as_str() {
                Some(text)
                    if ["createdAt", "timestamp", "scheduledAt"].contains(&name.as_str()) =>
                {
                    let (day, time) = text.split_once('T').unwrap_or_default();
                    assert!(
                        day.len() == 10 && time.len() >= 9 && time.ends_with('Z'),
                        "{name}: {text}"
                    );
                    1
                }
                _ => moments(value),
            })
            .sum(),
        _ => 0,
    }
}

#[test]
fn tolerance_11_every_moment_ends_with_z() -> Result<()> {
    let mut classic = Classic::start()?;
    classic.call("w", "say", &json!([]))?;
    let component = format!("/v1/components/{}", classic.id);
    for (path, least) in [
        (format!("GET {component}"), 1),
        (format!("GET {component}/workers/w"), 1),
        (format!("GET {component}/workers?count=50"), 1),
        (
            format!("GET {component}/workers/w/oplog?from=0&count=100"),
            4,
        ),
    ] {
        let found = moments(&classic.wire.get(&path)?.ok()?);
        assert!(found >= least, "{path}: {found}");
    }
    Ok(())
}
