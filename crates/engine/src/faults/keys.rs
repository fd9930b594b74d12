// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / faults/keys: one key many times at once is one effect and one answer, whatever happens to the worker meanwhile.
//! Read next: `../queue.rs`. Source: reliability spec F16, guarantee G2.

use std::time::Duration;

use golem_model::oplog::{Event, UpdateMode};
use golem_model::{IdempotencyKey, Value};
use golem_storage::Store as _;

use super::gym::{Gym, Setup, number};
use crate::error::WorkerError;
use crate::queue::Target;
use crate::retention::Retention;

/// Callers that come at once.
const CALLERS: usize = 200;

/// All callers with one key; every one gets the same answer.
async fn storm(gym: &Gym, key: &str, n: u64) -> u64 {
    let calls: Vec<_> = (0..CALLERS)
        .map(|_| {
            let node = std::sync::Arc::clone(&gym.node);
            let target = Target::Worker(gym.worker("w"));
            let request = Gym::request("add", vec![Value::U64(n)], Some(key));
            tokio::spawn(async move { node.invoke_and_await(target, request).await })
        })
        .collect();
    let mut answers = Vec::new();
    for call in calls {
        let outcome = gym.alive(call).await.unwrap().unwrap().unwrap();
        answers.push(outcome.results);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    number::<()>(Ok(answers[0][0].clone()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_comes_many_times_at_once_has_one_effect_and_one_answer() {
    let mut gym = Gym::new(1, 2).await;
    assert_eq!(storm(&gym, "k", 5).await, 5);
    gym.number("other", "add", vec![Value::U64(1)]).await;
    assert_eq!(storm(&gym, "k", 5).await, 5, "after an eviction");
    let reused = gym.ask("w", "add", vec![Value::U64(6)], Some("k")).await;
    assert!(
        matches!(reused, Ok(Err(WorkerError::KeyReused { .. }))),
        "{reused:?}"
    );
    let reused = gym.ask("w", "get", vec![], Some("k")).await;
    assert!(
        matches!(reused, Ok(Err(WorkerError::KeyReused { .. }))),
        "{reused:?}"
    );

    // In the middle of a storm the process dies; who asks again gets the one answer.
    let calls: Vec<_> = (0..CALLERS)
        .map(|_| {
            let node = std::sync::Arc::clone(&gym.node);
            let target = Target::Worker(gym.worker("w"));
            let request = Gym::request("add", vec![Value::U64(10)], Some("crash"));
            tokio::spawn(async move { node.invoke_and_await(target, request).await })
        })
        .collect();
    gym.crash().await;
    for call in calls {
        call.abort();
    }
    assert_eq!(storm(&gym, "crash", 10).await, 15);
    gym.restart().await;
    assert_eq!(storm(&gym, "crash", 10).await, 15, "after a restart");

    let worker = gym.worker("w");
    let updated = gym.node.update_worker(&worker, 0, UpdateMode::Automatic);
    updated.await.unwrap();
    assert_eq!(storm(&gym, "k", 5).await, 5, "after an update");
    let updated = gym
        .node
        .update_worker(&worker, 1, UpdateMode::SnapshotBased);
    updated.await.unwrap();
    assert_eq!(storm(&gym, "k", 5).await, 5, "after an update by snapshot");
    assert_eq!(gym.number("w", "get", vec![]).await, 15);

    // A deleted worker has no past: the key is a new one for the worker that is made anew.
    gym.node.delete_worker(&worker).await.unwrap();
    assert_eq!(storm(&gym, "k", 7).await, 7, "after a deletion");
    assert_eq!(gym.number("w", "get", vec![]).await, 7);
}

/// Keys of a worker's log and whether their results are there: of outsiders, and of other workers.
async fn results(gym: &Gym, worker: &str) -> (Vec<bool>, Vec<bool>) {
    let id = gym.worker(worker);
    let (log, _) = gym.node.durable_log(&id).await.unwrap();
    let (mut outsiders, mut workers) = (Vec::new(), Vec::new());
    for (_, event) in gym.entries(&id).await.unwrap() {
        let Event::Accepted(accepted) = event else {
            continue;
        };
        let kept = gym.store.result(log, &IdempotencyKey(accepted.key));
        let which = match accepted.caller {
            None => &mut outsiders,
            Some(_) => &mut workers,
        };
        which.push(kept.unwrap().is_some());
    }
    (outsiders, workers)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_go_when_they_are_old_and_many_and_nobody_asks_again() {
    let old = Retention {
        age: Duration::ZERO,
        entries: 100,
    };
    for (retention, goes) in [(old, true), (Retention::default(), false)] {
        let mut setup = Setup::new(4);
        setup.retention = retention;
        let mut gym = Gym::with(setup, 1).await;
        let keyed = async |gym: &Gym, key: &str| {
            let answer = gym.ask("w", "add", vec![Value::U64(1)], Some(key)).await;
            number(answer.unwrap())
        };
        assert_eq!(keyed(&gym, "first").await, 1);
        gym.number("caller", "send", vec![gym.urn("w"), Value::U64(10)])
            .await;
        assert_eq!(keyed(&gym, "first").await, 1);
        // Each leaves some hundred entries, so that the first ones are old after a few.
        for _ in 0..8 {
            gym.number("w", "work", vec![Value::U32(150)]).await;
        }
        assert_eq!(keyed(&gym, "last").await, 12);
        gym.crash().await;
        let (outsiders, workers) = results(&gym, "w").await;
        assert_eq!(outsiders.first(), Some(&!goes));
        assert_eq!(outsiders.last(), Some(&true));
        assert_eq!(workers, [true], "a worker may ask again at any time");
        assert_eq!(keyed(&gym, "last").await, 12);
        // Asked again after so long, it is another invocation.
        let again = if goes { 13 } else { 1 };
        assert_eq!(keyed(&gym, "first").await, again);
    }
}
