// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / promises: a worker waits for a value that somebody gives it from outside. Source: runtime spec §2.8, client spec §6.6.

use anyhow::Result;
use serde_json::json;

use crate::traveller::Traveller;

#[test]
fn a_promise_is_completed_while_the_guest_waits_and_the_first_value_counts() -> Result<()> {
    let t = Traveller::start()?;
    t.post("w", "wait", &[], "waiting")?;
    let promise = t.entry("w", "promise-created")?;
    let complete = format!("{}/complete", t.path("w"));
    let body = json!({"oplogIdx": promise, "data": [1, 2, 3]});
    assert_eq!(t.ok(&complete, &body, None)?, json!(true));
    let late = json!({"oplogIdx": promise, "data": [1]});
    assert_eq!(t.ok(&complete, &late, None)?, json!(false));
    let (status, body) = t.try_call("w", "wait", &[], Some("waiting"))?;
    assert_eq!(
        (status, &body["result"]["value"]),
        (200, &json!([3])),
        "{body}"
    );
    let t = t.restart()?;
    assert_eq!(t.call("w", "get", &[])?, json!(3));
    Ok(())
}

#[test]
fn a_promise_outlives_a_kill_and_is_completed_by_the_command_line() -> Result<()> {
    let t = Traveller::start()?;
    t.post("w", "wait", &[], "waiting")?;
    let promise = t.entry("w", "promise-created")?.to_string();
    let t = t.restart()?;
    let words = |verb: &[&'static str]| -> Result<serde_json::Value> {
        let named = ["-c", "traveller", "-w", "w", "--oplog-idx", &promise];
        t.cli(&[verb, &["complete"], &named, &["--data", "four"]].concat())
    };
    assert_eq!(words(&["promise"])?, json!(true));
    let (status, body) = t.try_call("w", "wait", &[], Some("waiting"))?;
    assert_eq!(
        (status, &body["result"]["value"]),
        (200, &json!([4])),
        "{body}"
    );
    assert_eq!(words(&["worker", "promise"])?, json!(false));
    Ok(())
}

#[test]
fn a_value_that_comes_while_the_server_is_away_is_not_lost() -> Result<()> {
    let t = Traveller::start()?;
    t.post("w", "wait", &[], "waiting")?;
    let promise = t.entry("w", "promise-created")?;
    let body = json!({"oplogIdx": promise, "data": [1, 2, 3, 4, 5]});
    assert_eq!(
        t.ok(&format!("{}/complete", t.path("w")), &body, None)?,
        json!(true)
    );
    // Killed at once: whether the guest has seen it or not, it gets it, once.
    let t = t.restart()?;
    let (status, body) = t.try_call("w", "wait", &[], Some("waiting"))?;
    assert_eq!(
        (status, &body["result"]["value"]),
        (200, &json!([5])),
        "{body}"
    );
    Ok(())
}

#[test]
fn a_promise_that_a_revert_undoes_is_gone() -> Result<()> {
    let t = Traveller::start()?;
    t.call("w", "add", &[json!(1)])?;
    t.post("w", "wait", &[], "waiting")?;
    let promise = t.entry("w", "promise-created")?;
    t.ok(
        &format!("{}/revert", t.path("w")),
        &json!({"numberOfInvocations": 1}),
        None,
    )?;
    let body = json!({"oplogIdx": promise, "data": []});
    let complete = format!("{}/complete", t.path("w"));
    let (status, answer) = t.rest().post(&complete, &body, None)?;
    assert_eq!(
        (status, &answer["code"]),
        (404, &json!("WRK-020")),
        "{answer}"
    );
    Ok(())
}
