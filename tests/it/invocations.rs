// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / invocations: one worker: state, order, keys, failures, life and death. Source: runtime spec §1.

use anyhow::Result;
use serde_json::json;

use crate::support::{Probe, needs_go};

#[test]
fn state_survives_sigkill_and_every_answer_is_kept() -> Result<()> {
    if needs_go("state_survives_sigkill_and_every_answer_is_kept") {
        return Ok(());
    }
    let probe = Probe::start()?;
    assert_eq!(probe.call("w", "add", &[json!(3)])?, json!(3));
    assert_eq!(probe.call("w", "add", &[json!(4)])?, json!(7));
    let probe = probe.restart()?;
    assert_eq!(probe.call("w", "get", &[])?, json!(7));
    assert_eq!(probe.call("other", "get", &[])?, json!(0));
    assert!(probe.server.stop()?.success());
    Ok(())
}

#[test]
fn a_key_runs_once_also_after_a_restart_and_never_for_another_call() -> Result<()> {
    if needs_go("a_key_runs_once_also_after_a_restart_and_never_for_another_call") {
        return Ok(());
    }
    let probe = Probe::start()?;
    let first = probe.try_call("w", "add", &[json!(5)], Some("key-1"))?;
    assert_eq!(first.0, 200);
    assert_eq!(
        probe.try_call("w", "add", &[json!(5)], Some("key-1"))?,
        first
    );
    let probe = probe.restart()?;
    assert_eq!(
        probe.try_call("w", "add", &[json!(5)], Some("key-1"))?,
        first
    );
    assert_eq!(probe.call("w", "get", &[])?, json!(5));
    let (status, body) = probe.try_call("w", "add", &[json!(6)], Some("key-1"))?;
    assert_eq!(status, 409, "{body}");
    assert_eq!(body["code"], "WRK-005");
    Ok(())
}

#[test]
fn a_running_key_is_joined() -> Result<()> {
    if needs_go("a_running_key_is_joined") {
        return Ok(());
    }
    let probe = Probe::start()?;
    let twice = std::thread::scope(|scope| {
        let call = || scope.spawn(|| probe.try_call("w", "sleep", &[json!(300)], Some("slow")));
        let (one, two) = (call(), call());
        [one.join(), two.join()]
            .map(|joined| joined.map_err(|_| anyhow::anyhow!("a thread panicked")))
    });
    for answer in twice {
        assert_eq!(answer??.0, 200);
    }
    let (status, body) = probe.rest().get(&probe.worker("w"))?;
    assert_eq!((status, &body["status"]), (200, &json!("Idle")));
    Ok(())
}

#[test]
fn what_was_accepted_without_waiting_runs_in_order_also_after_sigkill() -> Result<()> {
    if needs_go("what_was_accepted_without_waiting_runs_in_order_also_after_sigkill") {
        return Ok(());
    }
    let probe = Probe::start()?;
    assert_eq!(probe.post("w", "sleep", &[json!(200)], None)?.0, 200);
    for n in 1..=20 {
        assert_eq!(probe.post("w", "add", &[json!(n)], None)?.0, 200);
    }
    let probe = probe.restart()?;
    // Handed in last, so it runs last.
    assert_eq!(probe.call("w", "get", &[])?, json!(210));
    Ok(())
}

#[test]
fn a_panic_is_told_in_the_words_of_go_and_the_worker_takes_no_more() -> Result<()> {
    if needs_go("a_panic_is_told_in_the_words_of_go_and_the_worker_takes_no_more") {
        return Ok(());
    }
    let probe = Probe::start()?;
    let (status, body) = probe.try_call("w", "fail", &[json!("boom from Go")], None)?;
    assert_eq!(status, 500, "{body}");
    assert!(
        body["message"]
            .as_str()
            .is_some_and(|text| text.contains("panic: boom from Go")),
        "{body}"
    );
    let (status, body) = probe.try_call("w", "get", &[], None)?;
    assert_eq!((status, &body["code"]), (500, &json!("WRK-007")), "{body}");
    assert_eq!(probe.rest().get(&probe.worker("w"))?.1["status"], "Failed");
    for (function, words) in [
        ("recurse", "recursed too deep"),
        ("allocate", "the limit `memory` is exceeded"),
    ] {
        let (status, body) = probe.try_call(function, function, &[], None)?;
        assert_eq!(status, 500, "{body}");
        assert!(
            body["message"]
                .as_str()
                .is_some_and(|text| text.contains(words)),
            "{body}"
        );
    }
    // The server is unharmed, and so are the other workers.
    assert_eq!(probe.call("healthy", "add", &[json!(1)])?, json!(1));
    Ok(())
}

#[test]
fn create_list_get_and_delete() -> Result<()> {
    if needs_go("create_list_get_and_delete") {
        return Ok(());
    }
    let probe = Probe::start()?;
    let rest = probe.rest();
    let workers = format!("/v1/components/{}/workers", probe.component);
    let body = json!({ "name": "w", "args": ["a"], "env": { "COLOUR": "red" } });
    assert_eq!(rest.post(&workers, &body, None)?.0, 200);
    assert_eq!(rest.post(&workers, &body, None)?.1["code"], "WRK-002");
    assert_eq!(probe.call("w", "env", &[json!("COLOUR")])?, json!("red"));
    assert_eq!(
        probe.call("w", "env", &[json!("GOLEM_WORKER_NAME")])?,
        json!("w")
    );
    assert_eq!(
        probe.call("w", "env", &[json!("GOLEM_COMPONENT_ID")])?,
        json!(probe.component)
    );
    probe.call("v", "add", &[json!(1)])?;
    let (_, list) = rest.get(&workers)?;
    let names: Vec<_> = list["workers"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|w| w["workerId"]["workerName"].clone())
        .collect();
    assert_eq!(names, [json!("v"), json!("w")]);
    assert_eq!(rest.delete(&probe.worker("v"))?.0, 200);
    assert_eq!(rest.get(&probe.worker("v"))?.0, 404);
    let probe = probe.restart()?;
    assert_eq!(probe.rest().get(&probe.worker("v"))?.0, 404);
    // A worker of the same name begins anew.
    assert_eq!(probe.call("v", "get", &[])?, json!(0));
    Ok(())
}

#[test]
fn an_interrupted_worker_goes_on_where_it_was() -> Result<()> {
    if needs_go("an_interrupted_worker_goes_on_where_it_was") {
        return Ok(());
    }
    let probe = Probe::start()?;
    probe.call("w", "add", &[json!(7)])?;
    assert_eq!(
        probe.post("w", "sleep", &[json!(2_000)], Some("long"))?.0,
        200
    );
    let worker = probe.worker("w");
    let rest = probe.rest();
    assert_eq!(
        rest.post(
            &format!("{worker}/interrupt?recovery-immediately=false"),
            &json!({}),
            None
        )?
        .0,
        200
    );
    assert_eq!(rest.get(&worker)?.1["status"], "Interrupted");
    let probe = probe.restart()?;
    assert_eq!(probe.rest().get(&worker)?.1["status"], "Interrupted");
    assert_eq!(
        probe
            .rest()
            .post(&format!("{worker}/resume"), &json!({}), None)?
            .0,
        200
    );
    let (status, body) = probe.try_call("w", "sleep", &[json!(2_000)], Some("long"))?;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["result"]["value"], json!([7]));
    Ok(())
}

#[test]
fn a_durable_component_without_a_name_gets_a_new_worker() -> Result<()> {
    if needs_go("a_durable_component_without_a_name_gets_a_new_worker") {
        return Ok(());
    }
    let probe = Probe::start()?;
    let path = format!(
        "/v1/components/{}/invoke-and-await?function=it%3Aprobe%2Fprobe-api.%7Badd%7D",
        probe.component
    );
    for _ in 0..2 {
        let (status, body) =
            probe
                .rest()
                .post(&path, &json!({ "params": [{ "value": 4 }] }), None)?;
        assert_eq!(
            (status, &body["result"]["value"]),
            (200, &json!([4])),
            "{body}"
        );
    }
    let (_, list) = probe
        .rest()
        .get(&format!("/v1/components/{}/workers", probe.component))?;
    assert_eq!(list["workers"].as_array().map(Vec::len), Some(2), "{list}");
    Ok(())
}

#[test]
fn an_ephemeral_component_keeps_nothing() -> Result<()> {
    if needs_go("an_ephemeral_component_keeps_nothing") {
        return Ok(());
    }
    let probe = Probe::start()?;
    let rest = probe.rest();
    let (status, body) = rest.upload(
        "/v1/components",
        Some("fleeting"),
        "Ephemeral",
        &crate::support::probe()?.wasm,
    )?;
    assert_eq!(status, 200, "{body}");
    let id = body["versionedComponentId"]["componentId"]
        .as_str()
        .unwrap_or_default();
    let path =
        format!("/v1/components/{id}/invoke-and-await?function=it%3Aprobe%2Fprobe-api.%7Badd%7D");
    for _ in 0..2 {
        let (status, body) = rest.post(&path, &json!({ "params": [{ "value": 4 }] }), None)?;
        assert_eq!(
            (status, &body["result"]["value"]),
            (200, &json!([4])),
            "{body}"
        );
    }
    // Neither does it under a name.
    let function = "it:probe/probe-api.{add}";
    for _ in 0..2 {
        assert_eq!(rest.call(id, "named", function, &[json!(4)])?, json!(4));
    }
    // A durable worker can call it as well, without a name.
    assert_eq!(
        probe.call("w", "call-uri", &[json!(format!("urn:worker:{id}"))])?,
        json!(1)
    );
    Ok(())
}
