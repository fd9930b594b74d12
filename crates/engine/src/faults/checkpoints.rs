// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / faults/checkpoints: a checkpoint is what a replay gives, a damaged one is not used, and a long history costs
//! nothing. Read next: `../checkpoint/saved.rs`. Source: issue "durable execution in full", runtime spec §2.6.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use golem_model::{Coded as _, Value};
use golem_testkit::Random;

use super::gym::Gym;
use crate::rehearse::Verification;

/// Environment variable that repeats a run.
const SEED: &str = "GOLEM_FAULT_SEED";

fn files(gym: &Gym) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![gym.dir.path().join("checkpoints")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_none() {
                // Not what is being written.
                found.push(path);
            }
        }
    }
    found
}

async fn same(gym: &Gym, when: &str) {
    let verified = gym.node.verify(&gym.worker("w")).await.unwrap();
    assert!(
        matches!(verified, Verification::Same { .. }),
        "{when}: {verified:?}"
    );
}

/// Waits until worker `w` has a checkpoint: `other` takes the only place in memory.
async fn evict(gym: &Gym, other: &str) {
    let kept = gym.until("a checkpoint", async || {
        // Whoever had nothing to do last stays: asked again until that is the other one.
        gym.number(other, "add", vec![Value::U64(1)]).await;
        (!files(gym).is_empty()).then_some(())
    });
    kept.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_is_what_a_replay_gives() {
    let seed = Random::seed(SEED);
    println!("repeat with {SEED}={seed}");
    let mut random = Random::new(seed);
    let mut gym = Gym::new(1, 1).await;
    let mut counted = 0;
    for call in 0..600_u64 {
        let n = 1 + random.below(9);
        match random.below(5) {
            0 => {
                gym.number("w", "work", vec![Value::U32(u32::try_from(n).unwrap())])
                    .await;
            }
            1 => {
                gym.number("w", "send", vec![gym.urn("other"), Value::U64(n)])
                    .await;
                counted += n;
            }
            2 => {
                gym.number("w", "later", vec![gym.urn("other"), Value::U64(n)])
                    .await;
                counted += n;
            }
            _ => counted = gym.number("w", "add", vec![Value::U64(n)]).await,
        }
        if call % 200 == 199 {
            evict(&gym, "neighbour").await;
            same(&gym, "after an eviction").await;
            gym.crash().await;
            assert_eq!(gym.number("w", "get", vec![]).await, counted);
            same(&gym, "after a crash").await;
        }
    }
    println!("{:?}", gym.node.checkpoint_stats());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_and_foreign_checkpoints_are_not_used() {
    let mut gym = Gym::new(1, 1).await;
    gym.number("w", "work", vec![Value::U32(400)]).await;
    gym.number("w", "add", vec![Value::U64(9)]).await;
    evict(&gym, "neighbour").await;
    let file = files(&gym).pop().unwrap();
    let good = std::fs::read(&file).unwrap();
    let mut spoiled = vec![
        Vec::new(),
        b"something else".to_vec(),
        good[..good.len() / 2].to_vec(),
    ];
    for part in 0..24 {
        let mut bytes = good.clone();
        let at = bytes.len() * part / 24;
        bytes[at] ^= 1 << (part % 8);
        spoiled.push(bytes);
    }
    for (case, bytes) in spoiled.into_iter().enumerate() {
        std::fs::write(&file, &bytes).unwrap();
        gym.crash().await;
        assert_eq!(gym.number("w", "get", vec![]).await, 9, "case {case}");
        let verified = gym.node.verify(&gym.worker("w")).await.unwrap();
        assert!(
            !matches!(verified, Verification::Different { .. }),
            "case {case}: {verified:?}"
        );
        assert!(
            std::fs::read(&file).ok() != Some(bytes),
            "case {case}: it is still there"
        );
    }
    // The checkpoint of another worker in its place.
    gym.number("v", "work", vec![Value::U32(400)]).await;
    evict(&gym, "neighbour").await;
    gym.number("v", "get", vec![]).await;
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, &good).unwrap();
    gym.crash().await;
    assert_eq!(
        gym.number("w", "get", vec![]).await,
        9,
        "its own comes back"
    );
    for other in files(&gym) {
        std::fs::write(other, &good).unwrap();
    }
    gym.crash().await;
    assert_eq!(
        gym.number("v", "get", vec![]).await,
        0,
        "that of another worker does not"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn checkpoints_are_listed_and_dropped_without_waking_anybody() {
    let mut gym = Gym::new(1, 1).await;
    let w = gym.worker("w");
    let absent = gym.node.list_checkpoints(&w).await.unwrap_err();
    assert_eq!(absent.code(), "WRK-001");
    let absent = gym.node.drop_checkpoints(&w).await.unwrap_err();
    assert_eq!(absent.code(), "WRK-001");
    gym.number("w", "work", vec![Value::U32(400)]).await;
    gym.number("w", "add", vec![Value::U64(9)]).await;
    assert_eq!(gym.node.list_checkpoints(&w).await.unwrap(), []);
    evict(&gym, "neighbour").await;
    gym.number("w", "work", vec![Value::U32(400)]).await;
    let two = gym.until("a second checkpoint", async || {
        gym.number("neighbour", "add", vec![Value::U64(1)]).await;
        (files(&gym).len() == 2).then_some(())
    });
    two.await.unwrap();
    gym.crash().await;

    let listed = gym.node.list_checkpoints(&w).await.unwrap();
    let [newest, older] = listed.as_slice() else {
        panic!("{listed:?}")
    };
    assert!(newest.oplog_index > older.oplog_index && newest.used && !older.used);
    assert_eq!(newest.unused_because, None);
    assert_eq!(older.unused_because.as_deref(), Some("a newer one is used"));
    let sizes: u64 = files(&gym)
        .iter()
        .map(|file| file.metadata().unwrap().len())
        .sum();
    assert_eq!(newest.size_bytes + older.size_bytes, sizes);
    assert!(newest.taken_at >= older.taken_at && older.taken_at.is_some());
    assert_eq!(newest.component_version, Some(0));

    // A damaged one is told, and stays for whoever looks into it; the one before is used then.
    let mut by_age = files(&gym);
    by_age.sort();
    let file = by_age.pop().unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    let listed = gym.node.list_checkpoints(&w).await.unwrap();
    let used: Vec<bool> = listed.iter().map(|one| one.used).collect();
    assert_eq!((used, files(&gym).len()), (vec![false, true], 2));
    assert_eq!(gym.node.active_workers(), 0, "somebody was woken");

    assert_eq!(gym.node.drop_checkpoints(&w).await.unwrap(), 2);
    assert_eq!(gym.node.list_checkpoints(&w).await.unwrap(), []);
    assert_eq!(gym.node.drop_checkpoints(&w).await.unwrap(), 0);
    assert_eq!(gym.number("w", "get", vec![]).await, 9, "the log is enough");
    // One that is in memory forgets that it had one: the next comes in time.
    evict(&gym, "neighbour").await;
    same(&gym, "after one was dropped").await;
    gym.number("w", "get", vec![]).await;
    assert_eq!(gym.node.drop_checkpoints(&w).await.unwrap(), 1);
    evict(&gym, "neighbour").await;
    assert!(gym.node.list_checkpoints(&w).await.unwrap()[0].used);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_on_its_way_to_the_disk_does_not_outlive_its_worker() {
    let gym = Gym::new(1, 1).await;
    for round in 0..20 {
        gym.number("w", "work", vec![Value::U32(400)]).await;
        // It has to leave, and its image is taken or written when somebody deletes it: now sooner, now later.
        for _ in 0..round % 4 {
            gym.number("neighbour", "add", vec![Value::U64(1)]).await;
        }
        gym.node.delete_worker(&gym.worker("w")).await.unwrap();
        let left = files(&gym);
        assert!(left.is_empty(), "round {round}: {left:?}");
        while gym.node.has_jobs() {
            tokio::task::yield_now().await;
        }
        let left = files(&gym);
        assert!(left.is_empty(), "round {round}, later: {left:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recovery_reads_the_tail_only() {
    let mut took = Vec::new();
    for entries in [100_u32, 20_000] {
        let mut gym = Gym::new(1, 1).await;
        // Two entries for each step of work.
        let mut left = entries / 2;
        while left > 0 {
            let some = left.min(500);
            gym.number("w", "work", vec![Value::U32(some)]).await;
            left -= some;
        }
        gym.number("w", "add", vec![Value::U64(9)]).await;
        gym.number("neighbour", "add", vec![Value::U64(1)]).await;
        if entries > 1_000 {
            evict(&gym, "neighbour").await;
        }
        let mut times = Vec::new();
        for _ in 0..5 {
            gym.crash().await;
            let start = Instant::now();
            assert_eq!(gym.number("w", "get", vec![]).await, 9);
            times.push(start.elapsed());
        }
        times.sort_unstable();
        println!("{entries} entries: back after {:?} (median of 5)", times[2]);
        took.push(times[2]);
    }
    // A replay of so many entries takes ten times as long; what a noisy machine adds is not counted.
    assert!(
        took[1] < took[0] * 5 + Duration::from_millis(50),
        "{took:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_a_worker_that_is_away_are_read_from_a_checkpoint_on() {
    /// Far below the history, far above what stands behind a checkpoint here.
    const TAIL_MAX: u64 = 100;
    let mut gym = Gym::new(1, 1).await;
    gym.number("w", "work", vec![Value::U32(400)]).await;
    evict(&gym, "neighbour").await;
    gym.number("w", "add", vec![Value::U64(9)]).await;
    gym.crash().await;
    let look = async |gym: &Gym| {
        let before = gym.node.figures();
        let found = gym.node.list_files(&gym.worker("w"), "/").await.unwrap();
        assert_eq!(found, []);
        let now = gym.node.figures();
        (
            now.replayed - before.replayed,
            now.checkpoints.used - before.checkpoints.used,
        )
    };
    let (replayed, used) = look(&gym).await;
    assert!((1..TAIL_MAX).contains(&replayed), "{replayed} entries");
    assert_eq!(used, 1);
    // One that cannot be read is no harm: then it is the whole history.
    for file in files(&gym) {
        let mut bytes = std::fs::read(&file).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&file, bytes).unwrap();
    }
    let (replayed, used) = look(&gym).await;
    assert!(replayed > 400, "{replayed} entries");
    assert_eq!(used, 0);
    assert_eq!(gym.number("w", "get", vec![]).await, 9);
}
