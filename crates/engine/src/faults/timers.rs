// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / faults/timers: many sleeps at once are not late, none is early; what was due while the node was down happens once.
//! Read next: `../timers.rs`. Source: reliability spec G9, F7.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use golem_model::Value;
use golem_model::oplog::Event;

use super::gym::Gym;
use crate::clock::Clock;
use crate::host::calls::{Call, POLLABLE_BLOCK, SUBSCRIBE_DURATION};
use crate::queue::Target;

/// Sleeps at once.
const SLEEPS: u64 = 200;
/// A machine that is shared by everything else may be this late.
const LATE: Duration = Duration::from_secs(1);
/// Scheduled invocations that are due in an outage.
const SCHEDULED: u64 = 50;

/// Prints the middle and the end of what was measured.
fn print(what: &str, late: &mut [Duration]) {
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

/// When the guest of a worker began its only sleep and when it woke, both since 1970, as it was recorded.
pub(super) async fn nap(gym: &Gym, worker: &str) -> (Duration, Duration) {
    let entries = gym.entries(&gym.worker(worker)).await.unwrap();
    let recorded = |call: Call| {
        let read = entries.iter().find_map(|(_, event)| match event {
            Event::Read(read) if read.call == call.number => Some(read),
            _ => None,
        });
        Value::from_bytes(&read.unwrap().output).unwrap()
    };
    let began = match recorded(SUBSCRIBE_DURATION) {
        Value::U64(nanos) => nanos,
        other => panic!("{other:?}"),
    };
    let woke = match recorded(POLLABLE_BLOCK) {
        Value::Tuple(parts) => match parts.as_slice() {
            [_, Value::U64(nanos)] => *nanos,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    (Duration::from_nanos(began), Duration::from_nanos(woke))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_sleeps_at_once_are_neither_early_nor_late() {
    // All stay in memory, so that the clock is measured and not the way back.
    let gym = Gym::new(512, 1).await;
    for at in 0..SLEEPS {
        gym.number(&format!("w{at}"), "add", vec![Value::U64(at)])
            .await;
    }
    let asked_at: Vec<_> = (0..SLEEPS).map(|_| Arc::new(AtomicU64::new(0))).collect();
    let sleeps: Vec<_> = (0..SLEEPS)
        .zip(&asked_at)
        .map(|(at, asked_at)| {
            asked_at.store(Clock::Machine.micros(), Ordering::Relaxed);
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
    print("sleeps of workers", &mut late);
    let (mut start, mut timer) = (Vec::new(), Vec::new());
    for (at, asked_at) in (0..SLEEPS).zip(asked_at) {
        let (began, woke) = nap(&gym, &format!("w{at}")).await;
        let asked = Duration::from_micros(asked_at.load(Ordering::Relaxed));
        start.push(began.checked_sub(asked).unwrap_or_default());
        let due = began + Duration::from_millis(20 + at * 280 / SLEEPS);
        timer.push(woke.checked_sub(due).expect("no timer fires early"));
    }
    print("of it before the guest began to sleep", &mut start);
    print("of it the timer", &mut timer);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_due_in_an_outage_happens_once_afterwards() {
    let mut gym = Gym::new(8, 1).await;
    for at in 0..SCHEDULED {
        let worker = gym.worker(&format!("w{}", at % 10));
        // Some are due before the node is down, some while it is, some long after it is back.
        let due = Clock::Machine.wall_micros() + at * 10_000;
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
            Clock::Machine.wall_micros() + 400_000,
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
