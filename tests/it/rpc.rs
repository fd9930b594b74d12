// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / rpc: workers call workers. Source: seed page, runtime spec §1.6.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;

use crate::support::{Probe, needs_go};

#[test]
fn blocking_triggered_and_awaited_calls_count_once() -> Result<()> {
    if needs_go("blocking_triggered_and_awaited_calls_count_once") {
        return Ok(());
    }
    let probe = Probe::start()?;
    assert_eq!(
        probe.call("a", "call-add", &[json!("b"), json!(3)])?,
        json!(3)
    );
    assert_eq!(probe.call("a", "send", &[json!("b"), json!(4)])?, json!(4));
    assert_eq!(
        probe.call("a", "send-quietly", &[json!("b"), json!(5)])?,
        json!(9)
    );
    // Accepted before the invocation that made it ended, so it runs before this one.
    assert_eq!(probe.call("b", "get", &[])?, json!(12));
    let names: Vec<String> = (0..20).map(|n| format!("fan-{n}")).collect();
    let ones = vec![json!(1); 20];
    assert_eq!(
        probe.call("a", "fan-add", &[json!(names), json!(1)])?,
        json!(ones)
    );
    let probe = probe.restart()?;
    assert_eq!(probe.call("a", "sent", &[])?, json!(9));
    assert_eq!(probe.call("b", "get", &[])?, json!(12));
    assert_eq!(probe.call("fan-7", "get", &[])?, json!(1));
    Ok(())
}

#[test]
fn a_future_and_a_timer_race_in_one_poll() -> Result<()> {
    if needs_go("a_future_and_a_timer_race_in_one_poll") {
        return Ok(());
    }
    let probe = Probe::start()?;
    assert_eq!(
        probe.call("a", "race", &[json!("b"), json!(1), json!(5_000)])?,
        json!("call")
    );
    assert_eq!(
        probe.call("a", "race", &[json!("b"), json!(2_000), json!(5)])?,
        json!("timer")
    );
    let probe = probe.restart()?;
    // The outcome of both races is history now: the worker still answers.
    assert_eq!(probe.call("a", "add", &[json!(1)])?, json!(1));
    Ok(())
}

#[test]
fn a_worker_that_a_call_creates_inherits_the_environment() -> Result<()> {
    if needs_go("a_worker_that_a_call_creates_inherits_the_environment") {
        return Ok(());
    }
    let probe = Probe::start()?;
    let body = json!({ "name": "parent", "args": [], "env": { "COLOUR": "red", "GOLEM_WORKER_NAME": "liar" } });
    assert_eq!(
        probe
            .rest()
            .post(
                &format!("/v1/components/{}/workers", probe.component),
                &body,
                None
            )?
            .0,
        200
    );
    probe.call("parent", "call-add", &[json!("child"), json!(1)])?;
    assert_eq!(
        probe.call("child", "env", &[json!("COLOUR")])?,
        json!("red")
    );
    assert_eq!(
        probe.call("child", "env", &[json!("GOLEM_WORKER_NAME")])?,
        json!("child")
    );
    assert_eq!(
        probe.call("parent", "env", &[json!("GOLEM_WORKER_NAME")])?,
        json!("parent")
    );
    Ok(())
}

#[test]
fn every_form_of_a_worker_urn_reaches_the_worker() -> Result<()> {
    if needs_go("every_form_of_a_worker_urn_reaches_the_worker") {
        return Ok(());
    }
    let probe = Probe::start()?;
    let id = &probe.component;
    let plain = id.replace('-', "");
    let forms = [
        format!("urn:worker:{id}/t"),
        format!("urn:worker:urn:uuid:{id}/t"),
        format!("urn:worker:{plain}/t"),
        format!("urn:worker:{{{id}}}/t"),
        format!("urn:worker:{}/t", id.to_uppercase()),
        format!("urn:worker:{id}/%74"),
        "worker:///probe/t".to_owned(),
    ];
    for (count, uri) in (1..).zip(&forms) {
        assert_eq!(
            probe.call("a", "call-uri", &[json!(uri)])?,
            json!(count),
            "{uri}"
        );
    }
    // Without a name a durable component makes up a fresh worker each time.
    let unnamed = json!(format!("urn:worker:{id}"));
    assert_eq!(
        probe.call("a", "call-uri", std::slice::from_ref(&unnamed))?,
        json!(1)
    );
    assert_eq!(probe.call("a", "call-uri", &[unnamed])?, json!(1));
    Ok(())
}

#[test]
fn a_bad_urn_and_a_missing_target_fail_the_caller_with_words() -> Result<()> {
    if needs_go("a_bad_urn_and_a_missing_target_fail_the_caller_with_words") {
        return Ok(());
    }
    let probe = Probe::start()?;
    let nobody = "urn:worker:11111111-2222-3333-4444-555555555555/x".to_owned();
    let function = format!("urn:worker:{}/x/f", probe.component);
    for (worker, uri, words) in [
        ("a", "nonsense".to_owned(), "Invalid URI: nonsense"),
        ("b", function, "Invalid URI"),
        ("c", nobody, "does not exist"),
    ] {
        let (status, body) = probe.try_call(worker, "call-uri", &[json!(uri)], None)?;
        assert_eq!(status, 500, "{body}");
        assert!(
            body["message"]
                .as_str()
                .is_some_and(|text| text.contains(words)),
            "{body}"
        );
    }
    Ok(())
}

#[test]
fn a_call_to_oneself_and_a_cycle_fail_fast_with_the_path() -> Result<()> {
    if needs_go("a_call_to_oneself_and_a_cycle_fail_fast_with_the_path") {
        return Ok(());
    }
    let probe = Probe::start()?;
    assert_eq!(
        probe.call("x", "chain", &[json!(["y", "z"]), json!(2)])?,
        json!(2)
    );
    let begun = Instant::now();
    for (start, path, cycle) in [
        ("a", json!(["a"]), vec!["a", "a"]),
        ("b", json!(["c", "d", "b"]), vec!["d", "b", "c", "d"]),
    ] {
        let (status, body) = probe.try_call(start, "chain", &[path, json!(1)], None)?;
        assert_eq!(status, 500, "{body}");
        let text = body["message"].as_str().unwrap_or_default().to_owned();
        let urns: Vec<String> = cycle
            .iter()
            .map(|name| format!("urn:worker:{}/{name}", probe.component))
            .collect();
        assert!(
            text.contains(&format!("deadlock: {}", urns.join(" → "))),
            "{text}"
        );
    }
    // The bound is that it ends at all; a hang would run into the limit of the client.
    assert!(begun.elapsed() < Duration::from_secs(30));
    Ok(())
}
