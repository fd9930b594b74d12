// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / replay: run live, drop the instance, repeat the log, compare. The guest hashes its own memory; the recorded
//! hash is compared with the repeated one by the engine, which fails the worker if they differ. Source: host design §5.

use anyhow::Result;
use serde_json::json;

use crate::support::{Probe, needs_go};

#[test]
fn a_replay_gives_the_same_memory_and_the_same_answers() -> Result<()> {
    if needs_go("a_replay_gives_the_same_memory_and_the_same_answers") {
        return Ok(());
    }
    let probe = Probe::start()?;
    for round in 0..30 {
        probe.call("w", "add", &[json!(round)])?;
        probe.call("w", "now-and-random", &[])?;
        probe.call("w", "churn", &[json!(20)])?;
        probe.call("w", "sleep", &[json!(2)])?;
        probe.call("w", "say", &[json!(format!("round {round}"))])?;
        probe.call("w", "call-add", &[json!("other"), json!(1)])?;
        probe.call("w", "race", &[json!("other"), json!(1), json!(2)])?;
        probe.call("w", "memory-hash", &[])?;
    }
    let before = probe.call("w", "memory-hash", &[])?;
    let worker = probe.worker("w");
    for _ in 0..2 {
        let (status, _) = probe.rest().post(
            &format!("{worker}/interrupt?recovery-immediately=true"),
            &json!({}),
            None,
        )?;
        assert_eq!(status, 200);
        // Nothing has happened since, so the repeated memory has the same hash: hashing leaves the same traces again.
        assert_eq!(probe.call("w", "get", &[])?, json!(1035));
        let (_, view) = probe.rest().get(&worker)?;
        assert_eq!(view["status"], "Idle", "{view}");
    }
    let probe = probe.restart()?;
    assert_eq!(probe.call("w", "get", &[])?, json!(1035));
    assert!(before.is_u64());
    assert_eq!(probe.call("other", "get", &[])?, json!(30));
    Ok(())
}

#[test]
fn evicted_workers_come_back_as_they_were() -> Result<()> {
    if needs_go("evicted_workers_come_back_as_they_were") {
        return Ok(());
    }
    // Two stay in memory, so every other call meets an evicted worker.
    let probe = Probe::start_with(&["--resident-max", "2"])?;
    for round in 1..=5 {
        for n in 0..8 {
            let worker = format!("w{n}");
            assert_eq!(probe.call(&worker, "add", &[json!(n)])?, json!(n * round));
        }
    }
    Ok(())
}
