// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / faults/timers: many sleeps at once are not late, none is early; what was due while the node was down happens once.
//! Read next: `../timers.rs`. Source: reliability spec G9, F7.

use std::sync::Arc;
use std::time::{Duration, Instant};

use golem_model::Value;

use super::gym::Gym;
use crate::clock::Clock;
use crate::queue::Target;

/// Sleeps at once.
const SLEEPS: u64 = 200;
/// A machine that is shared by everything else may be this late.
const LATE: Duration = Duration::from_secs(1);
/// Scheduled invocations that are due in an outage.
const SCHEDULED: u64 = 50;

/// Prints the middle and the end of what was measured.
fn print(what: &str, mut late: Vec<Duration>) {
    late.sort_unstable();
    let at = |part: usize| late[(late.len() - 1) * part / 100];
    println!(
        "{what}: late by p50 {:?}, p99 {:?}, max {:?}",
        at(50),
        at(99),
        at(100)
    );
    assert!(at(100) < LATE, "{what}: late by {:?}", at(100));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_sleeps_at_once_are_neither_early_nor_late() {
    // All stay in memory, so that the clock is measured and not the way back.
    let gym = Gym::new(512, 1).await;
    for at in 0..SLEEPS {
        gym.number(&format!("w{at}"), "add", vec![Value::U64(at)])
            .await;
    }
    let sleeps: Vec<_> = (0..SLEEPS)
        .map(|at| {
            let node = Arc::clone(&gym.node);
            let target = Target::Worker(gym.worker(&format!("w{at}")));
            let ms = u32::try_from(20 + at * 280 / SLEEPS).unwrap();
            let request = Gym::request("nap", vec![Value::U32(ms)], None);
            let asked = Duration::from_millis(ms.into());
            let start = Instant::now();
            tokio::spawn(async move {
                node.invoke_and_await(target, request).await.unwrap();
                start.elapsed().checked_sub(asked)
            })
        })
        .collect();
    let mut late = Vec::new();
    for sleep in sleeps {
        let over = gym.alive(sleep).await.unwrap().unwrap();
        late.push(over.expect("nobody wakes early"));
    }
    print("sleeps of workers", late);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_due_in_an_outage_happens_once_afterwards() {
    let mut gym = Gym::new(8, 1).await;
    for at in 0..SCHEDULED {
        let worker = gym.worker(&format!("w{}", at % 10));
        // Some are due before the node is down, some while it is, some long after it is back.
        let due = Clock::Machine.micros() + at * 10_000;
        let key = format!("scheduled-{at}");
        let request = Gym::request("add", vec![Value::U64(1)], Some(&key));
        gym.node.schedule(worker, due, request).await.unwrap();
    }
    let cancelled = gym.worker("w0");
    let request = Gym::request("add", vec![Value::U64(1_000)], None);
    let scheduled = gym
        .node
        .schedule(
            cancelled.clone(),
            Clock::Machine.micros() + 400_000,
            request,
        )
        .await
        .unwrap();
    let taken = gym
        .node
        .cancel_scheduled(&cancelled, scheduled.due, scheduled.id)
        .await;
    assert!(taken.unwrap(), "it had not started");
    let taken = gym
        .node
        .cancel_scheduled(&cancelled, scheduled.due, scheduled.id)
        .await;
    assert!(!taken.unwrap(), "it was taken back before");
    for _ in 0..3 {
        let restarted = Instant::now();
        gym.crash().await;
        println!("down and up in {:?}", restarted.elapsed());
    }
    let all = async |gym: &Gym| {
        let mut sum = 0;
        for at in 0..10 {
            sum += gym.number(&format!("w{at}"), "get", vec![]).await;
        }
        sum
    };
    let done = gym.until("what was scheduled", async || {
        (all(&gym).await >= SCHEDULED).then_some(())
    });
    done.await.unwrap();
    gym.crash().await;
    assert_eq!(all(&gym).await, SCHEDULED, "each happened once");
    for shard in 0..gym.node.store().shards() {
        let left = gym
            .node
            .store()
            .next_timer(golem_model::ShardId(shard))
            .unwrap();
        assert_eq!(left.map(|timer| timer.due), None);
    }
}
