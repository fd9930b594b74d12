// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / faults/parking: a guest that waits long is noted, leaves memory and the node alone, and comes back when it is due,
//! once. Read next: `../worker.rs` (`note_wait`), `../host/wait.rs`. Why: docs/adr/0008-waiting.md.

use std::sync::Arc;
use std::time::Duration;

use golem_model::oplog::Event;
use golem_model::worker::WorkerStatus;
use golem_model::{ShardId, Value};

use super::gym::{Gym, Setup};
use super::timers::nap;
use crate::clock::Clock;
use crate::queue::Target;

/// Short, so that a test can wait for it.
const SUSPEND_AFTER: Duration = Duration::from_millis(30);
/// Long enough for two restarts of a node on a busy machine before it is over.
const REST_MS: u32 = 6_000;

async fn gym() -> Gym {
    let mut setup = Setup::new(1);
    setup.suspend_after = SUSPEND_AFTER;
    Gym::with(setup, 1).await
}

/// Lets a worker begin something without waiting for its end.
async fn begin(gym: &Gym, worker: &str, function: &str, params: Vec<Value>) {
    let target = Target::Worker(gym.worker(worker));
    let request = Gym::request(function, params, Some(worker));
    gym.node.invoke(target, request).await.unwrap();
}

/// Waits until nothing of a worker is in memory, the only place being taken by another one.
async fn out_of_memory(gym: &Gym, worker: &str) {
    let id = gym.worker(worker);
    let gone = gym.until("leaving memory", async || {
        gym.number("neighbour", "add", vec![Value::U64(1)]).await;
        (!gym.node.is_active(&id)).then_some(())
    });
    gone.await.unwrap();
}

/// When the timer of a worker is due, µs since 1970.
fn due(gym: &Gym, worker: &str) -> Option<u64> {
    let id = gym.worker(worker);
    let timers = gym
        .node
        .store()
        .due_timers(gym.node.shard_of(&id), u64::MAX, 8);
    let timer = timers.unwrap().into_iter().find(|timer| timer.worker == id);
    timer.map(|timer| timer.due)
}

async fn count(gym: &Gym, worker: &str, which: fn(&Event) -> bool) -> usize {
    let entries = gym.entries(&gym.worker(worker)).await.unwrap();
    entries.iter().filter(|(_, event)| which(event)).count()
}

async fn status(gym: &Gym, worker: &str) -> WorkerStatus {
    gym.node.worker(&gym.worker(worker)).await.unwrap().status
}

/// Whether a start of the node would wake any worker.
fn is_any_marked(gym: &Gym) -> bool {
    let store = gym.node.store();
    (0..store.shards()).any(|shard| {
        let marked = store.scan_running(ShardId(shard), None, 1);
        !marked.unwrap().is_empty()
    })
}

/// Waits for the end of what [`begin`] began; asking again finds the same invocation.
async fn ended(gym: &Gym, worker: &str, function: &str, params: Vec<Value>) -> u64 {
    let outcome = gym.ask(worker, function, params, Some(worker)).await;
    super::gym::number(outcome.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_rest_is_left_to_the_store_and_ends_once_when_it_is_due() {
    let mut gym = gym().await;
    let params = vec![Value::U32(REST_MS), Value::U64(7)];
    // One is noted while its instance is in memory, the other, pushed out by the first, while it is not.
    begin(&gym, "absent", "rest", params.clone()).await;
    begin(&gym, "present", "rest", params.clone()).await;
    for worker in ["absent", "present"] {
        let noted = gym.until("the note", async || due(&gym, worker));
        noted.await.unwrap();
        assert_eq!(status(&gym, worker).await, WorkerStatus::Suspended);
    }
    for worker in ["absent", "present"] {
        out_of_memory(&gym, worker).await;
    }
    gym.until("a node without work", async || {
        (!is_any_marked(&gym)).then_some(())
    })
    .await
    .unwrap();
    let first_due = due(&gym, "absent")
        .unwrap()
        .min(due(&gym, "present").unwrap());
    for restart in [true, false] {
        if restart {
            gym.restart().await;
        } else {
            gym.crash().await;
        }
        let found = status(&gym, "present").await;
        assert!(
            found == WorkerStatus::Suspended || Clock::Machine.micros() >= first_due,
            "{found:?}"
        );
    }
    let slept = gym.until("the moment", async || {
        let active = ["absent", "present"].map(|worker| gym.node.is_active(&gym.worker(worker)));
        // Looked at before the clock, so a worker that is active was so before this moment.
        let now = Clock::Machine.micros();
        assert!(
            now >= first_due || active == [false; 2],
            "{active:?} too early"
        );
        (now >= first_due).then_some(())
    });
    slept.await.unwrap();
    for worker in ["absent", "present"] {
        assert_eq!(ended(&gym, worker, "rest", params.clone()).await, 7);
        assert_eq!(gym.number(worker, "get", vec![]).await, 7, "counted once");
        let (began, woke) = nap(&gym, worker).await;
        let late = woke.checked_sub(began + Duration::from_millis(REST_MS.into()));
        println!("{worker}: late by {:?}", late.expect("not early"));
        assert_eq!(
            count(&gym, worker, |e| matches!(e, Event::Suspended(_))).await,
            1
        );
        // The rest, and the question after it.
        assert_eq!(
            count(&gym, worker, |e| matches!(e, Event::Completed(_))).await,
            2
        );
        assert_eq!(due(&gym, worker), None, "its timer is gone");
        out_of_memory(&gym, worker).await;
        assert_eq!(status(&gym, worker).await, WorkerStatus::Idle);
    }
    gym.crash().await;
    assert_eq!(gym.number("absent", "get", vec![]).await, 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_wait_for_a_promise_ends_when_it_is_completed() {
    let mut gym = gym().await;
    begin(&gym, "holder", "hold", vec![Value::U64(2)]).await;
    let noted = gym.until("the note", async || {
        (status(&gym, "holder").await == WorkerStatus::Suspended
            && count(&gym, "holder", |e| matches!(e, Event::Suspended(_))).await == 1)
            .then_some(())
    });
    noted.await.unwrap();
    out_of_memory(&gym, "holder").await;
    gym.restart().await;
    assert!(!gym.node.is_active(&gym.worker("holder")));
    let entries = gym.entries(&gym.worker("holder")).await.unwrap();
    let (index, _) = entries
        .iter()
        .find(|(_, event)| matches!(event, Event::PromiseCreated(_)))
        .unwrap();
    let holder = gym.worker("holder");
    let completed = gym.node.complete_promise(&holder, *index, vec![3]).await;
    assert!(completed.unwrap());
    assert_eq!(ended(&gym, "holder", "hold", vec![Value::U64(2)]).await, 5);
    assert_eq!(
        count(&gym, "holder", |e| matches!(e, Event::Completed(_))).await,
        1
    );
    out_of_memory(&gym, "holder").await;
    assert_eq!(status(&gym, "holder").await, WorkerStatus::Idle);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_nothing_recorded_stays_in_memory_while_it_waits() {
    let gym = gym().await;
    for (function, leaves) in [("rest", true), ("rest-unrecorded", false)] {
        let before = gym.node.figures().evicted_waiting;
        let params = vec![Value::U32(400), Value::U64(1)];
        let (node, target) = (Arc::clone(&gym.node), Target::Worker(gym.worker(function)));
        let request = Gym::request(function, params, None);
        let rest = tokio::spawn(async move { node.invoke_and_await(target, request).await });
        // Somebody wants its place all the time.
        let rested = gym.until("the end of the rest", async || {
            gym.number("neighbour", "add", vec![Value::U64(1)]).await;
            rest.is_finished().then_some(())
        });
        rested.await.unwrap();
        rest.await.unwrap().unwrap();
        let left = gym.node.figures().evicted_waiting - before;
        assert_eq!(left > 0, leaves, "{function} left memory {left} times");
        assert_eq!(gym.number(function, "get", vec![]).await, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_the_answer_of_a_long_rest_hears_it() {
    let gym = gym().await;
    let params = vec![Value::U32(1_500), Value::U64(4)];
    let (node, target) = (Arc::clone(&gym.node), Target::Worker(gym.worker("w")));
    let request = Gym::request("rest", params, None);
    let rest = tokio::spawn(async move { node.invoke_and_await(target, request).await });
    // Out of memory before it is noted, and noted before it is over.
    let noted = gym.until("the note", async || {
        gym.number("neighbour", "add", vec![Value::U64(1)]).await;
        due(&gym, "w")
    });
    noted.await.unwrap();
    assert_eq!(status(&gym, "w").await, WorkerStatus::Suspended);
    let outcome = gym.alive(rest).await.unwrap().unwrap().unwrap();
    assert_eq!(outcome.results, [Value::U64(4)]);
    let suspended = |event: &Event| matches!(event, Event::Suspended(_));
    assert_eq!(count(&gym, "w", suspended).await, 1);
    assert_eq!(due(&gym, "w"), None);
    assert_eq!(status(&gym, "w").await, WorkerStatus::Idle);
}
