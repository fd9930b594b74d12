// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / travel: a worker's history: read, searched, cut short, forked, repeated aside; calls that are cancelled, scheduled
//! or run out of time. Source: runtime spec §2.8, §2.9, client spec §6.3, §6.6.

use anyhow::Result;
use serde_json::json;

use crate::support::{Probe, needs_go};
use crate::traveller::{Traveller, until};

#[test]
fn a_pending_and_a_running_call_are_cancelled_and_the_worker_goes_on() -> Result<()> {
    let t = Traveller::start()?;
    t.call("w", "add", &[json!(5)])?;
    let hour = json!(3_600_000);
    t.post("w", "sleep", std::slice::from_ref(&hour), "long")?;
    t.post("w", "add", &[json!(1)], "pending")?;
    t.post("w", "add", &[json!(2)], "kept")?;
    t.entry("w", "exported-function-invoked+AND+long")?;
    let rest = t.rest();
    let cancel = |key: &str| rest.delete(&format!("{}/invocations/{key}", t.path("w")));
    assert_eq!(cancel("pending")?, (200, json!({"canceled": true})));
    assert_eq!(cancel("long")?, (200, json!({"canceled": true})));
    // Both are over: a second time there is nothing to cancel, and who asks for the outcome hears of it.
    assert_eq!(cancel("pending")?.1, json!({"canceled": false}));
    assert_eq!(cancel("long")?.1, json!({"canceled": false}));
    let (status, body) = t.try_call("w", "sleep", &[hour], Some("long"))?;
    assert_eq!((status, &body["code"]), (500, &json!("WRK-017")), "{body}");
    let (_, body) = t.try_call("w", "add", &[json!(1)], Some("pending"))?;
    assert_eq!(body["code"], "WRK-017", "{body}");
    assert_eq!(t.call("w", "get", &[])?, json!(7));
    let t = t.restart()?;
    assert_eq!(t.call("w", "get", &[])?, json!(7));
    let missing = t.cli(&[
        "worker",
        "cancel",
        "-c",
        "traveller",
        "-w",
        "w",
        "-k",
        "long",
    ])?;
    assert_eq!(missing, json!({"canceled": false}));
    Ok(())
}

#[test]
fn a_timeout_ends_the_call_and_the_calls_that_it_waits_for() -> Result<()> {
    if needs_go("a_timeout_ends_the_call_and_the_calls_that_it_waits_for") {
        return Ok(());
    }
    let probe = Probe::start()?;
    probe.call("callee", "add", &[json!(3)])?;
    let path = format!(
        "{}/invoke-and-await?function=race&timeout=1500ms",
        probe.worker("caller")
    );
    let params = json!({"params": ["callee", 3_600_000, 3_600_000]});
    let (status, body) = probe.rest().post(&path, &params, None)?;
    assert_eq!((status, &body["code"]), (504, &json!("WRK-016")), "{body}");
    let oplog = format!("{}/oplog?query=type:error", probe.worker("callee"));
    let error = until("the callee to end", || {
        Ok(probe.rest().get(&oplog)?.1["entries"].get(0).cloned())
    })?;
    let kind = error["entry"]["kind"].as_str().unwrap_or_default();
    assert!(["Timeout", "Cancelled"].contains(&kind), "{error}");
    // Neither of them waits any more.
    assert_eq!(probe.call("callee", "get", &[])?, json!(3));
    assert_eq!(probe.call("caller", "get", &[])?, json!(0));
    Ok(())
}

#[test]
fn a_timeout_ends_a_call_that_waits_in_the_queue() -> Result<()> {
    let t = Traveller::start()?;
    t.post("w", "sleep", &[json!(3_600_000)], "long")?;
    t.entry("w", "exported-function-invoked")?;
    let path = format!(
        "{}/invoke-and-await?function=add&timeout=300ms",
        t.path("w")
    );
    let (status, body) = t.rest().post(&path, &json!({"params": [1]}), None)?;
    assert_eq!((status, &body["code"]), (504, &json!("WRK-016")), "{body}");
    assert_eq!(t.worker("w")?["pendingInvocationCount"], 0);
    Ok(())
}

#[test]
fn a_worker_goes_back_by_index_and_by_calls_and_continues() -> Result<()> {
    let t = Traveller::start()?;
    for n in [1, 10, 100] {
        t.call("w", "add", &[json!(n)])?;
    }
    let completed = t.oplog("w", "exported-function-completed")?;
    let after_first = completed[0].0;
    let word = |words: &[&str]| -> Result<String> {
        let named = ["-c", "traveller", "-w", "w"];
        t.cli_text(&[&["worker"], words, &named].concat())
    };
    assert_eq!(
        word(&["revert", "--number-of-invocations", "1"])?,
        "Reverted\n"
    );
    assert_eq!(t.call("w", "get", &[])?, json!(11));
    let index = after_first.to_string();
    assert_eq!(
        word(&["revert", "--last-oplog-index", &index])?,
        "Reverted\n"
    );
    assert_eq!(t.call("w", "add", &[json!(1000)])?, json!(1001));
    let t = t.restart()?;
    assert_eq!(t.call("w", "get", &[])?, json!(1001));
    // A failure is undone with the call that failed.
    let (status, _) = t.try_call("w", "boom", &[], None)?;
    assert_eq!(status, 500);
    assert_eq!(t.worker("w")?["status"], "Failed");
    t.ok(
        &format!("{}/revert", t.path("w")),
        &json!({"numberOfInvocations": 1}),
        None,
    )?;
    assert_eq!(t.call("w", "add", &[json!(1)])?, json!(1002));
    assert_eq!(t.worker("w")?["lastError"], json!(null));
    Ok(())
}

#[test]
fn a_fork_and_its_origin_both_go_on() -> Result<()> {
    let t = Traveller::start()?;
    t.call("w", "add", &[json!(1)])?;
    let first = t.oplog("w", "exported-function-completed")?[0].0;
    t.call("w", "add", &[json!(10)])?;
    let index = first.to_string();
    let fork = t.cli(&[
        "worker",
        "fork",
        "-c",
        "traveller",
        "-w",
        "w",
        "--oplog-index",
        &index,
        "--name",
        "copy",
    ])?;
    assert_eq!(fork, json!(format!("urn:worker:{}/copy", t.component)));
    assert_eq!(t.call("copy", "add", &[json!(100)])?, json!(101));
    assert_eq!(t.call("w", "add", &[json!(1000)])?, json!(1011));
    let t = t.restart()?;
    assert_eq!(t.call("copy", "get", &[])?, json!(101));
    assert_eq!(t.call("w", "get", &[])?, json!(1011));
    t.rest().delete(&t.path("w"))?;
    assert_eq!(t.call("copy", "add", &[json!(1)])?, json!(102));
    Ok(())
}

#[test]
fn the_oplog_names_every_step_in_text_and_in_json() -> Result<()> {
    let t = Traveller::start()?;
    t.call("w", "add", &[json!(7)])?;
    let named = ["-c", "traveller", "-w", "w"];
    let all = t.cli(&[&["worker", "oplog"], &named[..]].concat())?;
    let kinds: Vec<&str> = all
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|pair| pair[1]["type"].as_str())
        .collect();
    let expect = [
        "Create",
        "PendingWorkerInvocation",
        "ExportedFunctionInvoked",
        "ImportedFunctionInvoked",
        "ExportedFunctionCompleted",
    ];
    assert_eq!(kinds, expect, "{all}");
    assert_eq!(all[0][0], json!(1));
    let called = &all[3][1];
    assert_eq!(called["function_name"], "wasi:random/random.get-random-u64");
    assert_eq!(
        called["wrapped_function_type"],
        json!({"type": "ReadLocal"})
    );
    let number = called["response"]["value"].to_string();
    let found = t.cli(&[&["worker", "oplog", "--query", &number], &named[..]].concat())?;
    assert_eq!(found, json!([all[3]]));
    let from = t.cli(&[&["worker", "oplog", "--from", "4"], &named[..]].concat())?;
    assert_eq!(from, json!([all[3], all[4]]));
    let text = t.cli_text(&[&["worker", "oplog"], &named[..]].concat())?;
    assert!(text.starts_with("#00001: CREATE\n"), "{text}");
    assert!(
        text.contains("#00003: EXPORTED FUNCTION INVOKED\n"),
        "{text}"
    );
    assert!(text.contains("request:         7\n"), "{text}");
    Ok(())
}

#[test]
fn a_scheduled_call_runs_once_at_its_time_also_after_an_outage() -> Result<()> {
    let t = Traveller::start()?;
    let schedule = |t: &Traveller, words: &[&str]| {
        let call = [
            "worker",
            "schedule",
            "-c",
            "traveller",
            "-w",
            "w",
            "-f",
            "add",
        ];
        t.cli(&[&call, words].concat())
    };
    let far = schedule(&t, &["-a", "1", "--in", "1h"])?;
    let near = schedule(&t, &["-a", "20", "--in", "1ms", "-k", "near"])?;
    assert_eq!(near["idempotencyKey"], "near");
    until("the call", || {
        Ok((t.call("w", "get", &[])? == json!(20)).then_some(()))
    })?;
    let id = far["scheduleId"].as_str().unwrap_or_default();
    let taken = t.cli(&[
        "worker",
        "unschedule",
        "-c",
        "traveller",
        "-w",
        "w",
        "--schedule-id",
        id,
    ])?;
    assert_eq!(taken, json!({"canceled": true}));
    // Due while the server is away.
    schedule(&t, &["-a", "300", "--in", "700ms"])?;
    let t = t.restart()?;
    until("the call after an outage", || {
        Ok((t.call("w", "get", &[])? == json!(320)).then_some(()))
    })?;
    let t = t.restart()?;
    assert_eq!(t.call("w", "get", &[])?, json!(320));
    Ok(())
}

#[test]
fn a_history_is_repeated_aside_and_changes_nothing() -> Result<()> {
    let t = Traveller::start()?;
    t.call("w", "add", &[json!(1)])?;
    t.call("w", "add", &[json!(2)])?;
    let before = t.oplog("w", "NOT+nothing")?;
    let replay = t.cli(&[
        "worker",
        "replay",
        "-c",
        "traveller",
        "-w",
        "w",
        "--at",
        "5",
    ])?;
    assert_eq!(replay["outcome"], "repeated", "{replay}");
    assert_eq!(
        replay["steps"].as_array().map(Vec::len),
        Some(5),
        "{replay}"
    );
    let text = t.cli_text(&["worker", "replay", "-c", "traveller", "-w", "w"])?;
    assert!(
        text.contains("get-random-u64") && text.ends_with("repeated\n"),
        "{text}"
    );
    let verified = t.cli(&["worker", "verify", "-c", "traveller", "-w", "w"])?;
    assert!(
        ["none", "same"].contains(&verified["checkpoint"].as_str().unwrap_or_default()),
        "{verified}"
    );
    assert_eq!(t.oplog("w", "NOT+nothing")?, before);
    let crash = ["worker", "simulated-crash", "-c", "traveller", "-w", "w"];
    assert_eq!(t.cli_text(&crash)?, "Done\n");
    assert_eq!(t.call("w", "get", &[])?, json!(3));
    Ok(())
}
