// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / faults/keys: one key many times at once is one effect and one answer, whatever happens to the worker meanwhile.
//! Read next: `../queue.rs`. Source: reliability spec F16, guarantee G2.

use golem_model::Value;
use golem_model::oplog::UpdateMode;

use super::gym::{Gym, number};
use crate::error::WorkerError;
use crate::queue::Target;

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
