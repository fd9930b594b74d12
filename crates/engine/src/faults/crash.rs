// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / faults/crash: the node crashes before and after every commit of a script that uses everything, and starts again.
//! In: a script in which each step can be repeated. Out: the same answers and the same state as without a crash.
//! Read next: `model.rs`. Source: reliability spec F1.

use std::time::Instant;

use golem_model::oplog::{Event, UpdateMode};
use golem_model::{IdempotencyKey, OplogIndex, Value, WorkerId};
use golem_storage::mem::Fault;
use golem_testkit::Random;

use super::gym::{Crashed, Gym, number};
use super::outside;
use crate::clock::Clock;
use crate::control::RevertTo;
use crate::error::WorkerError;
use crate::rehearse::{RehearsalEnd, Verification};

/// Environment variable: crash only at this commit.
const ONLY: &str = "GOLEM_FAULT_COMMIT";
/// Steps of the script.
const STEPS: usize = 36;
/// What worker `b` has got in the end.
const TOTAL_B: u64 = 10 + 100 + 1_000 + 5 + 100_000;
/// What worker `c` gets from an atomic region: once more when the crash is inside of it.
const IN_REGION: u64 = 10_000;
/// What worker `a` has counted when it is forked: what it added and sent, and what it held for.
const FORKED: u64 = 1 + 10 + 100 + 1_000 + 10_000 + 5 + 7;
/// What worker `a` has counted in the end.
const TOTAL_A: u64 = FORKED + 7 + 1;

/// Does a step, or finds that it was done. The answer is the same whenever it is repeated.
async fn step(gym: &Gym, at: usize) -> Result<String, Crashed> {
    let key = format!("step-{at}");
    let key = Some(key.as_str());
    let (a, b) = (gym.worker("a"), gym.urn("b"));
    let n = |n: u64| Value::U64(n);
    let to_b = |number: u64| vec![b.clone(), n(number)];
    let answer = match at {
        0 => {
            let created = gym
                .alive(gym.node.create_worker(a, Vec::new(), Vec::new()))
                .await?;
            assert!(
                matches!(created, Ok(_) | Err(WorkerError::AlreadyExists(_))),
                "{created:?}"
            );
            return Ok("created".into());
        }
        1 => gym.ask("a", "add", vec![n(1)], key).await?,
        2 => gym.ask("a", "work", vec![Value::U32(5)], key).await?,
        3 => gym.ask("a", "send", to_b(10), key).await?,
        4 => gym.ask("a", "later", to_b(100), key).await?,
        5 => gym.ask("a", "quietly", to_b(1_000), key).await?,
        6 => gym.ask("a", "nap", vec![Value::U32(1)], key).await?,
        7 => {
            let to_c = vec![gym.urn("c"), n(IN_REGION)];
            gym.ask("a", "atomic", to_c, key).await?
        }
        8 => return promise(gym, &a, "step-8").await,
        9 => return cancel(gym, &a, "step-9").await,
        10 => return revert(gym, &a, "step-10").await,
        11 => gym.ask("a", "get", vec![], key).await?,
        12 => return fork(gym, &a).await,
        13 => gym.ask("a2", "add", vec![n(3)], key).await?,
        14 => return update(gym, &a, 1, UpdateMode::Automatic).await,
        15 => gym.ask("a", "version", vec![], key).await?,
        // So much that a checkpoint is worth it when `b` takes the only place in memory.
        16 => gym.ask("a", "work", vec![Value::U32(100)], key).await?,
        17 => gym.ask("b", "add", vec![n(5)], key).await?,
        18 => gym.ask("a", "work", vec![Value::U32(2)], key).await?,
        19 => return update(gym, &a, 2, UpdateMode::SnapshotBased).await,
        20 => gym.ask("a", "version", vec![], key).await?,
        21 => gym.ask("a", "add", vec![n(7)], key).await?,
        22 => return schedule(gym, "step-22").await,
        23 => gym.ask("a", "work", vec![Value::U32(100)], key).await?,
        24 => gym.ask("outside", "keep", vec![], key).await?,
        25 => gym.ask("outside", "blob", vec![], key).await?,
        26 => gym.ask("outside", "file", vec![], key).await?,
        27 => {
            let to = Value::String(format!("127.0.0.1:{}", outside::peer()));
            gym.ask("outside", "fetch", vec![to], key).await?
        }
        28 => gym.ask("outside", "keep", vec![], key).await?,
        29 => gym.ask("outside", "file", vec![], key).await?,
        30 => {
            return connection(gym, "connect", vec![Value::U16(outside::peer())], "step-30").await;
        }
        31 => return connection(gym, "echo", vec![Value::U8(7)], "step-31").await,
        32 => return connection(gym, "echo", vec![Value::U8(8)], "step-32").await,
        33 => return connection(gym, "close", vec![], "step-33").await,
        34 => gym.ask("outside", "blob", vec![], key).await?,
        _ => gym.ask("a", "add", vec![n(1)], key).await?,
    };
    Ok(format!("{answer:?}"))
}

/// Index at which the newest invocation with `key` was accepted, and the entries behind it.
async fn since_accepted(
    gym: &Gym,
    worker: &WorkerId,
    key: &str,
) -> Option<(OplogIndex, Vec<(OplogIndex, Event)>)> {
    let entries = gym.entries(worker).await.ok()?;
    let is_it =
        |(_, event): &(_, Event)| matches!(event, Event::Accepted(accepted) if accepted.key == key);
    let at = entries.iter().rposition(is_it)?;
    Some((entries[at].0, entries[at + 1..].to_vec()))
}

/// Starts an invocation that holds on to a promise; the promise, or `None` when the invocation has ended.
async fn hold(
    gym: &Gym,
    worker: &WorkerId,
    key: &str,
    n: u64,
) -> Result<Option<OplogIndex>, Crashed> {
    let target = crate::queue::Target::Worker(worker.clone());
    let request = Gym::request("hold", vec![Value::U64(n)], Some(key));
    let accepted = gym.alive(gym.node.invoke(target, request)).await?;
    accepted.unwrap();
    gym.until("a promise", async || {
        let (index, entries) = since_accepted(gym, worker, key).await?;
        entries.iter().find_map(|(at, event)| match event {
            Event::PromiseCreated(_) => Some(Some(*at)),
            Event::Completed(done) if done.accepted == index.0 => Some(None),
            Event::Failed(done) if done.accepted == index.0 => Some(None),
            _ => None,
        })
    })
    .await
}

async fn promise(gym: &Gym, worker: &WorkerId, key: &str) -> Result<String, Crashed> {
    if let Some(promise) = hold(gym, worker, key, 5).await? {
        let completed = gym
            .alive(gym.node.complete_promise(worker, promise, vec![7]))
            .await?;
        assert!(completed.is_ok(), "{completed:?}");
    }
    let answer = gym.ask("a", "hold", vec![Value::U64(5)], Some(key)).await?;
    Ok(format!("{answer:?}"))
}

async fn cancel(gym: &Gym, worker: &WorkerId, key: &str) -> Result<String, Crashed> {
    if hold(gym, worker, key, 1 << 40).await?.is_some() {
        let key = IdempotencyKey(key.to_owned());
        let cancelled = gym.node.cancel_invocation(worker, &key);
        gym.alive(cancelled).await?.unwrap();
    }
    let answer = gym
        .ask("a", "hold", vec![Value::U64(1 << 40)], Some(key))
        .await?;
    assert!(
        matches!(answer, Err(WorkerError::Cancelled { .. })),
        "{answer:?}"
    );
    Ok("cancelled".into())
}

async fn revert(gym: &Gym, worker: &WorkerId, key: &str) -> Result<String, Crashed> {
    let added = gym
        .ask("a", "add", vec![Value::U64(1 << 41)], Some(key))
        .await?;
    number(added);
    let (accepted, entries) = gym.alive(since_accepted(gym, worker, key)).await?.unwrap();
    let started = entries.iter().rev().find_map(|(at, event)| match event {
        Event::Started(started) if started.accepted == accepted.0 => Some(*at),
        _ => None,
    });
    let before = RevertTo::Index(OplogIndex(started.unwrap().0 - 1));
    gym.alive(gym.node.revert_worker(worker, before))
        .await?
        .unwrap();
    Ok("reverted".into())
}

async fn fork(gym: &Gym, worker: &WorkerId) -> Result<String, Crashed> {
    let entries = gym.alive(gym.entries(worker)).await?.unwrap();
    let (tail, _) = entries.last().unwrap();
    let forked = gym.alive(gym.node.fork_worker(worker, *tail, "a2")).await?;
    assert!(
        matches!(forked, Ok(_) | Err(WorkerError::AlreadyExists(_))),
        "{forked:?}"
    );
    Ok("forked".into())
}

async fn update(
    gym: &Gym,
    worker: &WorkerId,
    version: u64,
    mode: UpdateMode,
) -> Result<String, Crashed> {
    let view = gym.alive(gym.node.worker(worker)).await?.unwrap();
    if view.component_version < version {
        let asked = gym
            .alive(gym.node.update_worker(worker, version, mode))
            .await?;
        assert!(
            matches!(asked, Ok(()) | Err(WorkerError::BadUpdate { .. })),
            "{asked:?}"
        );
    }
    gym.until("an update", async || {
        let view = gym.node.worker(worker).await.ok()?;
        let newest = view
            .updates
            .last()
            .map(golem_model::worker::UpdateRecord::state);
        let pending = Some(golem_model::worker::UpdateState::Pending);
        assert!(
            view.component_version >= version || newest == pending,
            "{view:?}"
        );
        (view.component_version >= version && newest != pending).then_some(())
    })
    .await?;
    Ok("updated".into())
}

async fn schedule(gym: &Gym, key: &str) -> Result<String, Crashed> {
    let request = Gym::request("add", vec![Value::U64(100_000)], Some(key));
    let scheduled = gym.node.schedule(
        gym.worker("b"),
        Clock::Machine.wall_micros() + 5_000,
        request,
    );
    gym.alive(scheduled).await?.unwrap();
    let answer = gym
        .ask("b", "add", vec![Value::U64(100_000)], Some(key))
        .await?;
    Ok(format!("{answer:?}"))
}

/// Something with the connection of the dialer. One that a crash interrupted was never there: then nothing is done with it.
async fn connection(
    gym: &Gym,
    function: &str,
    params: Vec<Value>,
    key: &str,
) -> Result<String, Crashed> {
    let port = vec![Value::U16(outside::peer())];
    let connected = gym.ask("dialer", "connect", port, Some("step-30")).await?;
    let answer = format!("{connected:?}");
    if function == "connect" || answer != "Ok(U32(0))" {
        return Ok(answer);
    }
    let answer = gym.ask("dialer", function, params, Some(key)).await?;
    Ok(format!("{answer:?}"))
}

/// What a step outside of the guests' memory may answer; nothing: anything. A connection does not outlive its process: what is
/// written to it or read from it afterwards finds a reset, and one that was being made is reset as well (215,
/// 315).
fn outside_answer(at: usize) -> &'static [&'static str] {
    match at {
        24 | 25 | 26 | 34 => &["Ok(U64(1))"],
        27 => &["Ok(U64(202))"],
        28 | 29 => &["Ok(U64(2))"],
        30 => &["Ok(U32(0))", "Ok(U32(215))", "Ok(U32(315))"],
        31 => &[
            "Ok(U32(7))",
            "Ok(U32(400))",
            "Ok(U32(500))",
            "Ok(U32(215))",
            "Ok(U32(315))",
        ],
        32 => &[
            "Ok(U32(8))",
            "Ok(U32(400))",
            "Ok(U32(500))",
            "Ok(U32(215))",
            "Ok(U32(315))",
        ],
        _ => &[],
    }
}

/// What has to be true in the end.
async fn check(gym: &Gym, case: &str, crashed: bool) {
    for (worker, total) in [("b", TOTAL_B), ("a", TOTAL_A), ("a2", FORKED + 3)] {
        assert_eq!(
            gym.number(worker, "get", vec![]).await,
            total,
            "{case}: {worker}"
        );
    }
    assert_eq!(gym.number("outside", "count", vec![]).await, 7, "{case}");
    let region = gym.number("c", "get", vec![]).await;
    let twice = if crashed { 2 * IN_REGION } else { IN_REGION };
    assert!(
        region == IN_REGION || region == twice,
        "{case}: c: {region}"
    );
    for worker in ["a", "a2", "b", "c", "outside", "dialer"] {
        let worker = gym.worker(worker);
        let rehearsal = gym.node.rehearse(&worker, None, None).await.unwrap();
        assert_eq!(rehearsal.end, RehearsalEnd::Repeated, "{case}: {worker}");
        let verified = gym.node.verify(&worker).await.unwrap();
        assert!(
            !matches!(verified, Verification::Different { .. }),
            "{case}: {worker}: {verified:?}"
        );
    }
}

/// The script on a node that meets `fault` after so many commits, and the rest of it on the next one. Whether it crashed.
async fn case(base: &Gym, fault: Option<(u64, Fault)>) -> bool {
    let mut gym = base.copy();
    let case = format!(
        "fault {fault:?}, repeat with {ONLY}={}",
        fault.map_or(0, |(at, _)| at)
    );
    if let Some((commits, fault)) = fault {
        gym.store.inject(commits, fault);
    }
    let mut answers = Vec::new();
    for at in 0..STEPS {
        match step(&gym, at).await {
            Ok(answer) => answers.push(answer),
            Err(Crashed) => break,
        }
    }
    let crashed = answers.len() < STEPS;
    gym.crash().await;
    for at in 0..STEPS {
        let answer = step(&gym, at).await.unwrap();
        if let Some(before) = answers.get(at) {
            assert_eq!(*before, answer, "{case}: step {at} had answered before");
        }
        let expected = outside_answer(at);
        assert!(
            expected.is_empty() || expected.contains(&answer.as_str()),
            "{case}: step {at} answered {answer} instead of {expected:?}"
        );
    }
    check(&gym, &case, crashed).await;
    gym.crash().await;
    check(&gym, &case, crashed).await;
    gym.node.stop().await;
    crashed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_every_commit_of_everything_leaves_no_trace() {
    let base = Gym::new(1, 3).await.with_outside().await;
    assert!(!case(&base, None).await);
    let start = Instant::now();
    let mut crashes = 0;
    let only = Random::setting(ONLY);
    for commit in only.unwrap_or(0).. {
        let before = case(&base, Some((commit, Fault::Poisoned))).await;
        let after = case(&base, Some((commit, Fault::AmbiguousApplied))).await;
        crashes += u32::from(before) + u32::from(after);
        if !before || only.is_some() {
            break;
        }
    }
    println!(
        "crashed {crashes} times, before and after every commit, in {:?}",
        start.elapsed()
    );
    assert!(only.is_some() || crashes > 50, "{crashes} crashes");
}
