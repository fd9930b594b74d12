// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / updates: workers get another version of their component, or stay as they were and say why. Source: runtime spec
//! §2.7, client spec §6.3.

use anyhow::Result;
use serde_json::json;

use crate::traveller::{Traveller, Version, guest};

#[test]
fn a_version_that_repeats_the_history_takes_over() -> Result<()> {
    let t = Traveller::start()?;
    t.call("w", "get", &[])?;
    t.upload(Version::Same)?;
    let named = ["-c", "traveller", "-w", "w"];
    let tried = t.cli(&[&["worker", "update", "--dry-run"], &named[..]].concat())?;
    assert_eq!(tried["workers"][0]["outcome"], "repeated", "{tried}");
    assert_eq!(t.worker("w")?["componentVersion"], 0);
    let said = t.cli_text(&[&["worker", "update", "-t", "1"], &named[..]].concat())?;
    assert_eq!(said, "Updated\n");
    let update = t.updated("w")?;
    assert_eq!(update["type"], "successfulUpdate", "{update}");
    assert_eq!(t.call("w", "add", &[json!(5)])?, json!(10));
    assert_eq!(t.worker("w")?["componentVersion"], 1);
    let t = t.restart()?;
    assert_eq!(t.call("w", "add", &[json!(5)])?, json!(20));
    let text = t.cli_text(&[&["worker", "get"], &named[..]].concat())?;
    assert!(text.contains("to version 1 done at"), "{text}");
    Ok(())
}

#[test]
fn a_version_that_does_something_else_is_told_and_the_old_one_goes_on() -> Result<()> {
    let t = Traveller::start()?;
    t.call("w", "add", &[json!(3)])?;
    t.upload(Version::Other)?;
    let named = ["-c", "traveller", "-w", "w"];
    let tried = t.cli(&[&["worker", "update", "--dry-run"], &named[..]].concat())?;
    let found = &tried["workers"][0];
    assert_eq!(found["outcome"], "diverged", "{tried}");
    let details = found["details"].as_str().unwrap_or_default();
    assert!(details.contains("get-random-u64"), "{tried}");
    assert!(details.contains("get-insecure-random-u64"), "{tried}");
    // Nothing has changed by that.
    assert_eq!(t.worker("w")?["updates"], json!([]));
    t.cli_text(&[&["worker", "update", "-t", "1"], &named[..]].concat())?;
    let update = t.updated("w")?;
    assert_eq!(update["type"], "failedUpdate", "{update}");
    let details = update["details"].as_str().unwrap_or_default();
    assert!(details.contains("get-insecure-random-u64"), "{update}");
    assert_eq!(t.call("w", "add", &[json!(4)])?, json!(7));
    let worker = t.worker("w")?;
    assert_eq!(worker["componentVersion"], 0, "{worker}");
    let t = t.restart()?;
    assert_eq!(t.call("w", "get", &[])?, json!(7));
    assert_eq!(t.oplog("w", "failed-update")?.len(), 1);
    Ok(())
}

#[test]
fn a_running_call_goes_on_with_the_new_version() -> Result<()> {
    let t = Traveller::start()?;
    t.post("w", "sleep", &[json!(1_500)], "slow")?;
    t.entry("w", "exported-function-invoked")?;
    t.upload(Version::Same)?;
    t.ok(
        &format!("{}/update", t.path("w")),
        &json!({"mode": "Automatic", "targetVersion": 1}),
        None,
    )?;
    let update = t.updated("w")?;
    assert_eq!(update["type"], "successfulUpdate", "{update}");
    let (status, body) = t.try_call("w", "sleep", &[json!(1_500)], Some("slow"))?;
    assert_eq!(
        (status, &body["result"]["value"]),
        (200, &json!([0])),
        "{body}"
    );
    assert_eq!(t.call("w", "add", &[json!(1)])?, json!(2));
    Ok(())
}

#[test]
fn many_workers_are_updated_at_once_and_each_says_how_it_went() -> Result<()> {
    let t = Traveller::start()?;
    for worker in ["fresh-1", "fresh-2"] {
        t.call(worker, "get", &[])?;
    }
    t.call("used", "add", &[json!(1)])?;
    t.upload(Version::Other)?;
    let tried = t.cli(&["worker", "update-many", "-c", "traveller", "--dry-run"])?;
    let outcome = |name: &str| {
        let all = tried["workers"].as_array().into_iter().flatten();
        all.filter(|w| w["workerId"]["workerName"] == name)
            .map(|w| w["outcome"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(outcome("fresh-1"), [json!("repeated")], "{tried}");
    assert_eq!(outcome("used"), [json!("diverged")], "{tried}");
    let one = t.cli(&[
        "worker",
        "update-many",
        "-c",
        "traveller",
        "-t",
        "1",
        "--filter",
        "name = fresh-1",
    ])?;
    let urn = |name: &str| json!(format!("urn:worker:{}/{name}", t.component));
    assert_eq!(one, json!({"triggered": [urn("fresh-1")], "failed": []}));
    assert_eq!(t.updated("fresh-1")?["type"], "successfulUpdate");
    let rest = t.cli(&["component", "try-update-workers", "-c", "traveller"])?;
    assert_eq!(
        rest,
        json!({"triggered": [urn("fresh-2"), urn("used")], "failed": []})
    );
    assert_eq!(t.updated("fresh-2")?["type"], "successfulUpdate");
    assert_eq!(t.updated("used")?["type"], "failedUpdate");
    assert_eq!(t.call("used", "add", &[json!(1)])?, json!(2));
    Ok(())
}

#[test]
fn an_upload_can_take_the_workers_along() -> Result<()> {
    let t = Traveller::start()?;
    t.call("w", "get", &[])?;
    let file = t.data.path().join("same.wasm");
    std::fs::write(&file, guest(Version::Same)?)?;
    let file = file.to_string_lossy();
    let update = [
        "component",
        "update",
        "-c",
        "traveller",
        &file,
        "--try-update-workers",
    ];
    let both = t.cli(&update)?;
    assert_eq!(both[0]["componentVersion"], 1, "{both}");
    let urn = format!("urn:worker:{}/w", t.component);
    assert_eq!(both[1], json!({"triggered": [urn], "failed": []}));
    assert_eq!(t.updated("w")?["type"], "successfulUpdate");
    assert_eq!(t.call("w", "add", &[json!(5)])?, json!(10));
    Ok(())
}

#[test]
fn a_version_that_is_not_there_is_refused_at_once() -> Result<()> {
    let t = Traveller::start()?;
    t.call("w", "add", &[json!(1)])?;
    let (status, body) = t.rest().post(
        &format!("{}/update", t.path("w")),
        &json!({"mode": "Automatic", "targetVersion": 7}),
        None,
    )?;
    assert_eq!((status, &body["code"]), (400, &json!("WRK-018")), "{body}");
    assert_eq!(t.worker("w")?["updates"], json!([]));
    assert_eq!(t.call("w", "get", &[])?, json!(1));
    Ok(())
}

#[test]
fn a_snapshot_brings_the_state_to_a_version_that_could_not_repeat_the_history() -> Result<()> {
    let t = Traveller::start()?;
    t.call("w", "add", &[json!(3)])?;
    t.upload(Version::Other)?;
    t.upload(Version::Refusing)?;
    let named = ["-c", "traveller", "-w", "w"];
    let update = |t: &Traveller, version: &str| {
        let words = ["worker", "update", "--mode", "manual", "-t", version];
        t.cli_text(&[&words[..], &named[..]].concat())
    };
    update(&t, "1")?;
    let done = t.updated("w")?;
    assert_eq!(done["type"], "successfulUpdate", "{done}");
    assert_eq!(t.call("w", "add", &[json!(4)])?, json!(7));
    assert_eq!(t.worker("w")?["componentVersion"], 1);
    // What follows is repeated from the snapshot on, not from the beginning.
    let t = t.restart()?;
    assert_eq!(t.call("w", "get", &[])?, json!(7));
    // A version that refuses the snapshot leaves everything as it was.
    update(&t, "2")?;
    let refused = t.updated("w")?;
    assert_eq!(refused["type"], "failedUpdate", "{refused}");
    let details = refused["details"].as_str().unwrap_or_default();
    assert!(details.contains("no"), "{refused}");
    assert_eq!(t.call("w", "add", &[json!(1)])?, json!(8));
    assert_eq!(t.worker("w")?["componentVersion"], 1);
    let t = t.restart()?;
    assert_eq!(t.call("w", "get", &[])?, json!(8));
    assert_eq!(t.worker("w")?["status"], "Idle");
    Ok(())
}
