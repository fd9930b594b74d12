// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / faults/hostile: guests that loop, recurse, and eat memory, tables, handles and log lines. Each ends in a stated
//! way, and a neighbour answers meanwhile. Read next: `../limits.rs`. Source: reliability spec F10.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use golem_model::component::ComponentType;
use golem_model::worker::WorkerStatus;
use golem_model::{ComponentId, IdempotencyKey, Value, WorkerId};
use golem_storage::committer::QUEUE_BYTES_MAX;

use super::guest;
use super::gym::{Gym, number};
use crate::clock::Clock;
use crate::error::WorkerError;
use crate::node::Request;
use crate::queue::Target;

/// Longest answer of a neighbour while somebody misbehaves: machines are noisy.
const NEIGHBOUR: Duration = Duration::from_secs(2);

/// A hostile component on a node.
struct Den {
    gym: Gym,
    hostile: ComponentId,
}

impl Den {
    async fn new() -> Self {
        let gym = Gym::new(64, 1).await;
        let wasm = guest::hostile();
        let created = gym
            .node
            .create_component("hostile", ComponentType::Durable, wasm)
            .await;
        let hostile = created.unwrap().versioned_component_id.component_id;
        Self { gym, hostile }
    }

    fn worker(&self, name: &str) -> WorkerId {
        WorkerId::new(self.hostile, name.to_owned())
    }

    /// Calls a function of a fresh worker and waits for its end, while a neighbour is asked again and again.
    async fn misbehave(&self, request: Request) -> Result<Option<Value>, WorkerError> {
        let name = request.function.clone();
        let target = Target::Worker(self.worker(&name));
        let node = Arc::clone(&self.gym.node);
        let call = tokio::spawn(async move { node.invoke_and_await(target, request).await });
        let mut longest = Duration::ZERO;
        loop {
            let start = Instant::now();
            self.gym
                .number("neighbour", "add", vec![Value::U64(1)])
                .await;
            longest = longest.max(start.elapsed());
            if call.is_finished() {
                break;
            }
        }
        println!("{name}: a neighbour waited at most {longest:?}");
        assert!(
            longest < NEIGHBOUR,
            "{name}: a neighbour waited {longest:?}"
        );
        let outcome = self.gym.alive(call).await.unwrap().unwrap();
        outcome.map(|outcome| outcome.results.into_iter().next())
    }

    /// A worker that has failed says so, and why.
    async fn has_failed(&self, name: &str) {
        let view = self.gym.node.worker(&self.worker(name)).await.unwrap();
        assert_eq!(view.status, WorkerStatus::Failed, "{name}: {view:?}");
        let reason = view.last_error.unwrap_or_default();
        println!("{name}: {reason}");
        assert!(!reason.is_empty(), "{name} failed without a reason");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_loops_end_by_deadline_and_by_cancellation() {
    let den = Den::new().await;
    let mut request = Gym::request("spin", vec![], None);
    request.deadline = Some(Clock::Machine.micros() + 300_000);
    let start = Instant::now();
    let ended = den.misbehave(request).await;
    assert!(
        matches!(ended, Err(WorkerError::Timeout { .. })),
        "{ended:?}"
    );
    println!(
        "a loop with a deadline of 300 ms ended after {:?}",
        start.elapsed()
    );

    let worker = den.worker("spin");
    let key = IdempotencyKey("spins".to_owned());
    let request = Gym::request("spin", vec![], Some(&key.0));
    let target = Target::Worker(worker.clone());
    den.gym.node.invoke(target, request).await.unwrap();
    let runs = den.gym.until("a loop", async || {
        let view = den.gym.node.worker(&worker).await.ok()?;
        (view.pending_invocation_count == 0).then_some(())
    });
    runs.await.unwrap();
    let answer = den.gym.number("neighbour", "get", vec![]).await;
    assert!(answer > 0, "a neighbour answers while the loop runs");
    let start = Instant::now();
    let cancelled = den.gym.node.cancel_invocation(&worker, &key);
    assert!(den.gym.alive(cancelled).await.unwrap().unwrap());
    println!("a loop was cancelled in {:?}", start.elapsed());
    // The worker itself is none the worse for it.
    let request = Gym::request("answer", vec![], None);
    let target = Target::Worker(worker.clone());
    let answer = den
        .gym
        .alive(den.gym.node.invoke_and_await(target, request))
        .await;
    let answer = answer.unwrap().unwrap().results;
    assert_eq!(number::<()>(Ok(answer[0].clone())), 42);
    // One that loops can be deleted as well.
    let target = Target::Worker(worker.clone());
    den.gym
        .node
        .invoke(target, Gym::request("spin", vec![], None))
        .await
        .unwrap();
    let deleted = den.gym.node.delete_worker(&worker);
    den.gym.alive(deleted).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guests_that_eat_everything_fail_with_a_reason() {
    let den = Den::new().await;
    for function in ["recurse", "eat-memory", "eat-table"] {
        let start = Instant::now();
        let ended = den.misbehave(Gym::request(function, vec![], None)).await;
        assert!(
            matches!(
                ended,
                Err(WorkerError::Failed(_) | WorkerError::LimitExceeded(_))
            ),
            "{function}: {ended:?}"
        );
        println!("{function}: failed after {:?}", start.elapsed());
        den.has_failed(function).await;
    }
    let ended = den.misbehave(Gym::request("huge", vec![], None)).await;
    assert!(ended.is_err(), "a result of 50 MB was taken");
    den.has_failed("huge").await;
    // Many lines and many handles are no crime below the limits; whatever comes of it has to be stated.
    for (function, n) in [("shout", 100_000), ("hoard", 200_000)] {
        let start = Instant::now();
        let ended = den
            .misbehave(Gym::request(function, vec![Value::U32(n)], None))
            .await;
        println!(
            "{function}({n}): {:?} after {:?}",
            ended.as_ref().err().map(ToString::to_string),
            start.elapsed()
        );
        if ended.is_err() {
            den.has_failed(function).await;
        }
    }
}

/// Looks at a queue that has to find it as long as before until it counts as standing still.
const STILL: u32 = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_records_faster_than_the_disk_waits_for_it() {
    let gym = Gym::new(8, 1).await;
    gym.number("w", "add", vec![Value::U64(1)]).await;
    // About 60 MB of entries for a disk that takes nothing.
    let held = gym.store.hold_commits();
    let target = Target::Worker(gym.worker("w"));
    let request = Gym::request("work", vec![Value::U32(400_000)], Some("much"));
    let node = Arc::clone(&gym.node);
    let call = tokio::spawn(async move { node.invoke_and_await(target, request).await });
    let (before, still) = (Cell::new(0), Cell::new(0));
    gym.until("the queue stands still", async || {
        let queued = gym.node.committer().stats().queued_bytes;
        let is_long = gym.node.committer().is_crowded();
        let is_same = is_long && queued == before.replace(queued);
        still.set(if is_same { still.get() + 1 } else { 0 });
        (still.get() == STILL).then_some(())
    })
    .await
    .unwrap();
    let before = before.get();
    println!("{before} bytes wait for a disk that hangs");
    assert!(before < 2 * QUEUE_BYTES_MAX as u64, "{before} bytes wait");
    drop(held);
    gym.alive(call).await.unwrap().unwrap().unwrap();
}
