// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / faults/calls: calls that go in a circle end with its path; long chains and crowds end with the right answer.
//! Read next: `../rpc/wait_graph.rs`. Source: reliability spec F11.

use std::time::{Duration, Instant};

use golem_model::Value;
use golem_model::oplog::FailureKind;
use golem_testkit::Random;

use super::gym::{Gym, number};
use crate::error::WorkerError;

/// Environment variable: depth of the chain. The quick form is a tenth of the long one.
const DEPTH: &str = "GOLEM_FAULT_DEPTH";
const DEPTH_QUICK: u64 = 1_000;
/// Callers of one worker.
const HERD: usize = 1_000;
/// A cycle has to be found in this time.
const FOUND: Duration = Duration::from_secs(1);

/// A call that would wait for ever: the failure that names the workers along the circle.
async fn circle(gym: &Gym, function: &str, params: Vec<Value>, along: &[&str]) {
    let start = Instant::now();
    let outcome = gym.ask("a", function, params, None).await.unwrap();
    let Err(WorkerError::Failed(failure)) = &outcome else {
        panic!("{function}: {outcome:?}")
    };
    assert!(
        matches!(
            failure.kind,
            FailureKind::Deadlock | FailureKind::CalleeFailed
        ),
        "{function}: {failure:?}"
    );
    for worker in along {
        let name = format!("/{worker}");
        assert!(failure.message.contains(&name), "{function}: {failure:?}");
    }
    let took = start.elapsed();
    println!("{function}: found after {took:?}");
    assert!(took < FOUND, "{function}: {took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_in_a_circle_fail_with_their_path() {
    for resident_max in [1, 64] {
        let gym = Gym::new(resident_max, 1).await;
        let (a, b) = (gym.urn("a"), gym.urn("b"));
        let one = Value::U64(1);
        circle(&gym, "send", vec![a.clone(), one.clone()], &["a"]).await;
        gym.node.delete_worker(&gym.worker("a")).await.unwrap();
        circle(&gym, "later", vec![a.clone(), one.clone()], &["a"]).await;
        for function in ["relay", "relay-later"] {
            for worker in ["a", "b"] {
                drop(gym.node.delete_worker(&gym.worker(worker)).await);
            }
            let params = vec![b.clone(), a.clone(), one.clone()];
            circle(&gym, function, params, &["a", "b"]).await;
        }
        // A neighbour has noticed nothing.
        assert_eq!(gym.number("c", "add", vec![one]).await, 1);
        gym.node.stop().await;
    }
}

/// Bytes of memory that the process has, of which the peak is not told.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages = statm.split_whitespace().nth(1).unwrap();
    pages.parse::<u64>().unwrap() * 4096
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_chain_of_calls_ends_with_few_instances_in_memory() {
    let gym = Gym::new(16, 1).await;
    let depth = Random::setting(DEPTH).unwrap_or(DEPTH_QUICK);
    let before = resident_bytes();
    let start = Instant::now();
    let n = Value::U32(u32::try_from(depth).unwrap());
    let answer = gym.ask("head", "chain", vec![gym.urn("c"), n], None).await;
    assert_eq!(number(answer.unwrap()), depth);
    let grown = resident_bytes().saturating_sub(before);
    println!(
        "a chain of {depth} calls: {:?}, {} KiB more memory",
        start.elapsed(),
        grown >> 10
    );
    for at in [0, depth / 2, depth - 1] {
        assert_eq!(gym.number(&format!("c{at:05}"), "get", vec![]).await, 1);
    }
    // 32 KiB for each is what a worker that waits may cost, with 64 MiB for what the allocator keeps.
    assert!(
        grown < (64 << 20) + depth * (32 << 10),
        "{grown} bytes more"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_herd_of_callers_is_served_in_turn() {
    let gym = Gym::new(16, 1).await;
    let start = Instant::now();
    let calls: Vec<_> = (0..HERD)
        .map(|at| {
            let node = std::sync::Arc::clone(&gym.node);
            let target = crate::queue::Target::Worker(gym.worker(&format!("caller{at}")));
            let request = Gym::request("send", vec![gym.urn("one"), Value::U64(1)], None);
            tokio::spawn(async move { node.invoke_and_await(target, request).await })
        })
        .collect();
    let mut answers = Vec::new();
    for call in calls {
        let outcome = gym.alive(call).await.unwrap().unwrap().unwrap();
        answers.push(number::<()>(Ok(outcome.results[0].clone())));
    }
    answers.sort_unstable();
    assert!(
        answers.into_iter().eq(1..=HERD as u64),
        "each call counted once"
    );
    println!("{HERD} callers of one worker: {:?}", start.elapsed());
}
