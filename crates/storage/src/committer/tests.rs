// SPDX-License-Identifier: Apache-2.0
//! THE SHELVES / committer tests: order, watermark, back-pressure and the end, on the memory store.
//! Never touches the disk. Read next: `committer.rs`.

use std::sync::mpsc;

use golem_model::{LogId, OplogIndex, ShardId};

use super::*;
use crate::mem::{Fault, MemStore};

struct Rig {
    store: Arc<MemStore>,
    committer: Arc<Committer>,
    fatal: mpsc::Receiver<CommitError>,
}

fn rig() -> Rig {
    let store = Arc::new(MemStore::new());
    let tokens = store.claim_all().unwrap();
    let (sender, fatal) = mpsc::channel();
    let committer =
        Committer::start(store.clone(), tokens, move |e| sender.send(e).unwrap()).unwrap();
    Rig {
        store,
        committer,
        fatal,
    }
}

fn log(number: u64) -> LogId {
    LogId::pack(ShardId(u16::try_from(number % 256).unwrap()), 1, number).unwrap()
}

fn append(log: LogId, first: u64, entry: &[u8]) -> Op {
    Op::Append {
        log,
        first: OplogIndex(first),
        entries: vec![entry.to_vec()],
    }
}

/// Polls `future` once.
fn poll_once<F: Future + Unpin>(future: &mut F) -> std::task::Poll<F::Output> {
    let waker = std::task::Waker::noop();
    std::pin::Pin::new(future).poll(&mut std::task::Context::from_waker(waker))
}

#[tokio::test]
async fn submits_of_many_tasks_keep_the_order_of_each_log() {
    let rig = rig();
    let tasks: Vec<_> = (0..16)
        .map(|n| {
            let committer = rig.committer.clone();
            tokio::spawn(async move {
                for index in 1..=200u64 {
                    let seq = committer.submit([append(log(n), index, &index.to_le_bytes())]);
                    if index % 7 == 0 {
                        committer.wait(seq).await.unwrap();
                        assert!(committer.durable() >= seq);
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    rig.committer.stop();
    assert_eq!(rig.committer.durable(), Seq(16 * 200));
    for n in 0..16 {
        let entries = rig
            .store
            .read(log(n), OplogIndex(1), usize::MAX, usize::MAX)
            .unwrap();
        let expect: Vec<_> = (1..=200u64).map(|i| i.to_le_bytes().to_vec()).collect();
        assert_eq!(entries, expect);
    }
}

#[tokio::test]
async fn what_is_queued_during_a_commit_becomes_one_batch() {
    let rig = rig();
    let held = rig.store.hold_commits();
    let first = rig.committer.submit([append(log(1), 1, b"a")]);
    // The thread has taken the first submit when the queue is empty; the others must then wait together.
    while !rig.committer.shared.queue.lock().submits.is_empty() {
        std::thread::yield_now();
    }
    let last = (2..=50)
        .map(|i| rig.committer.submit([append(log(1), i, b"b")]))
        .fold(Seq(0), |_, seq| seq);
    drop(held);
    rig.committer.wait(first).await.unwrap();
    rig.committer.wait(last).await.unwrap();
    assert_eq!(rig.store.commits(), 2);
    assert_eq!(rig.committer.stats().commits, 2);
    assert_eq!(rig.store.tail(log(1)).unwrap(), OplogIndex(50));
}

#[tokio::test]
async fn batches_are_closed_at_their_limits_and_a_submit_is_never_split() {
    let rig = rig();
    let held = rig.store.hold_commits();
    rig.committer.submit([append(log(1), 1, b"a")]);
    while !rig.committer.shared.queue.lock().submits.is_empty() {
        std::thread::yield_now();
    }
    let big = vec![0; BATCH_BYTES_MAX - 4096];
    // Two that fill a batch each, and one of three entries that is larger than a batch.
    for n in 2..=3 {
        rig.committer.submit([append(log(n), 1, &big)]);
    }
    let entries = vec![big.clone(), big.clone(), big];
    let last = rig.committer.submit([Op::Append {
        log: log(4),
        first: OplogIndex(1),
        entries,
    }]);
    drop(held);
    rig.committer.wait(last).await.unwrap();
    assert_eq!(rig.store.commits(), 4);
}

#[test]
fn entries_that_continue_each_other_are_one_operation_and_stay_with_what_is_written_with_them() {
    let mut queue = Queue::default();
    let mut add = |ops: Vec<Op>, join| {
        queue.add(ops, join);
        let counts = queue
            .submits
            .iter()
            .map(|submit| (submit.count, submit.ops));
        (queue.ops.len(), counts.collect::<Vec<_>>())
    };
    let mark = || Op::ClearRunning { log: log(1) };
    assert_eq!(add(vec![append(log(1), 1, b"a")], true), (1, vec![(1, 1)]));
    assert_eq!(add(vec![append(log(1), 2, b"b")], true), (1, vec![(2, 1)]));
    let with_mark = vec![append(log(1), 3, b"c"), mark()];
    assert_eq!(add(with_mark, true), (2, vec![(3, 2)]));
    // Not behind the mark, not with a gap, not another log, not behind a submit without operations, and not if they are not to.
    let expected = [(3, 2), (1, 1), (1, 1), (1, 1), (1, 0), (1, 1), (1, 1)];
    add(vec![append(log(1), 4, b"d")], true);
    add(vec![append(log(1), 6, b"f")], true);
    add(vec![append(log(2), 7, b"g")], true);
    add(Vec::new(), true);
    add(vec![append(log(2), 8, b"h")], true);
    assert_eq!(
        add(vec![append(log(2), 9, b"i")], false),
        (7, expected.to_vec())
    );
    let large = vec![0; JOINED_BYTES_MAX];
    assert_eq!(add(vec![append(log(2), 10, &large)], true).0, 7);
    assert_eq!(add(vec![append(log(2), 11, b"k")], true).0, 8);
    let (ops, submits) = queue.take();
    assert_eq!(submits.iter().map(|submit| submit.count).sum::<u64>(), 11);
    let all = ops.iter().map(Op::bytes).sum::<usize>();
    let counted = submits.iter().map(|submit| submit.bytes).sum::<usize>();
    assert!(all <= counted, "{all} {counted}");
    assert!(
        matches!(&ops[0], Op::Append { first, entries, .. } if first.0 == 1 && entries.len() == 3)
    );
}

#[tokio::test]
async fn a_dropped_waiter_disturbs_nobody() {
    let rig = rig();
    let held = rig.store.hold_commits();
    let seq = rig.committer.submit([append(log(1), 1, b"a")]);
    let mut dropped = Box::pin(rig.committer.wait(seq));
    let mut kept = Box::pin(rig.committer.wait(seq));
    assert!(poll_once(&mut dropped).is_pending());
    assert!(poll_once(&mut kept).is_pending());
    drop(dropped);
    drop(held);
    assert_eq!(kept.await, Ok(()));
}

#[tokio::test]
async fn room_waits_while_too_much_is_queued() {
    let rig = rig();
    rig.committer.room().await;
    let held = rig.store.hold_commits();
    for index in 1..=9 {
        rig.committer
            .submit([append(log(1), index, &vec![0; 1 << 20])]);
    }
    let committer = rig.committer.clone();
    let mut room = Box::pin(committer.room());
    assert!(poll_once(&mut room).is_pending());
    drop(held);
    room.await;
    assert!(rig.committer.stats().queued_bytes < QUEUE_BYTES_MAX as u64);
}

#[tokio::test]
async fn stop_commits_what_is_queued_and_refuses_the_rest() {
    let rig = rig();
    let before = rig.committer.submit([append(log(1), 1, b"a")]);
    rig.committer.stop();
    rig.committer.stop();
    assert_eq!(rig.committer.wait(before).await, Ok(()));
    let after = rig.committer.submit([append(log(1), 2, b"b")]);
    assert_eq!(after, Seq(2));
    assert_eq!(rig.committer.wait(after).await, Err(Stopped));
    rig.committer.room().await;
    assert_eq!(rig.store.tail(log(1)).unwrap(), OplogIndex(1));
    assert!(rig.fatal.try_recv().is_err());
}

#[tokio::test]
async fn every_failed_commit_is_the_end_and_says_why() {
    for (fault, applied) in [
        (Fault::Poisoned, 0),
        (Fault::Unavailable, 0),
        (Fault::AmbiguousLost, 0),
        (Fault::AmbiguousApplied, 1),
        (Fault::Fenced, 0),
    ] {
        let rig = rig();
        rig.store.inject(1, fault);
        let good = rig.committer.submit([append(log(1), 1, b"a")]);
        rig.committer.wait(good).await.unwrap();
        let bad = rig.committer.submit([append(log(2), 1, b"b")]);
        assert_eq!(rig.committer.wait(bad).await, Err(Stopped), "{fault:?}");
        let later = rig.committer.submit([append(log(3), 1, b"c")]);
        assert_eq!(rig.committer.wait(later).await, Err(Stopped), "{fault:?}");
        rig.fatal.recv().unwrap();
        assert_eq!(
            rig.store.tail(log(2)).unwrap(),
            OplogIndex(applied),
            "{fault:?}"
        );
        assert_eq!(rig.store.tail(log(3)).unwrap(), OplogIndex(0), "{fault:?}");
    }
}

#[tokio::test]
async fn an_append_with_a_gap_is_the_end() {
    let rig = rig();
    let bad = rig.committer.submit([append(log(1), 2, b"a")]);
    assert_eq!(rig.committer.wait(bad).await, Err(Stopped));
    let conflict = CommitError::Conflict {
        log: log(1),
        tail: OplogIndex(0),
        first: OplogIndex(2),
    };
    assert_eq!(rig.fatal.recv().unwrap(), conflict);
}

#[tokio::test]
async fn marks_of_an_earlier_life_are_taken_away() {
    let rig = rig();
    let worker =
        golem_model::WorkerId::new("00000000-0000-0000-0000-000000000001".parse().unwrap(), "w");
    let shard = ShardId::of(&worker, rig.store.shards());
    let log = LogId::pack(shard, 1, 1).unwrap();
    rig.committer.submit([Op::SetRunning {
        worker: worker.clone(),
        log,
    }]);
    rig.committer.stop();
    let store = Arc::new(rig.store.reopen());
    assert_eq!(
        store.scan_running(shard, None, 10).unwrap(),
        [(worker, log)]
    );
    let committer = Committer::start(store.clone(), store.claim_all().unwrap(), |_| {}).unwrap();
    let seq = committer.submit([Op::ClearRunning { log }]);
    committer.wait(seq).await.unwrap();
    assert_eq!(store.scan_running(shard, None, 10).unwrap(), []);
}

#[tokio::test]
async fn a_driven_committer_writes_one_submit_at_a_time_and_nothing_by_itself() {
    let store = Arc::new(MemStore::new());
    let tokens = store.claim_all().unwrap();
    let (sender, fatal) = std::sync::mpsc::channel();
    let on_fatal = move |error| sender.send(error).unwrap();
    let committer = Committer::start_driven(store.clone(), tokens, on_fatal).unwrap();
    assert!(!committer.commit_one(), "nothing is queued");
    let seqs = [1, 2, 3].map(|index| committer.submit([append(log(1), index, b"x")]));
    assert_eq!(store.commits(), 0);
    assert!(committer.commit_one());
    assert_eq!(
        (store.commits(), committer.durable()),
        (1, seqs[0]),
        "one submit is one commit"
    );
    committer.wait(seqs[0]).await.unwrap();
    store.inject(1, Fault::Poisoned);
    assert!(committer.commit_one() && committer.commit_one());
    assert_eq!(committer.durable(), seqs[1]);
    assert!(fatal.try_recv().is_ok(), "the store refused the third");
    assert_eq!(committer.wait(seqs[2]).await, Err(Stopped));
    assert!(!committer.commit_one());
    committer.stop();
    assert_eq!(store.commits(), 2);
}

#[tokio::test]
async fn a_full_disk_holds_commits_until_there_is_space() {
    let rig = rig();
    rig.store.set_free_bytes(Some(LOW_BYTES));
    assert!(rig.committer.has_space());
    let seq = rig.committer.submit([append(log(1), 1, b"a")]);
    rig.committer.wait(seq).await.unwrap();
    // Low: nothing new should be begun, what runs goes on.
    rig.store.set_free_bytes(Some(RESERVE_BYTES));
    assert!(!rig.committer.has_space());
    let seq = rig.committer.submit([append(log(1), 2, b"b")]);
    rig.committer.wait(seq).await.unwrap();
    // Full: it waits, and nothing has failed.
    rig.store.set_free_bytes(Some(RESERVE_BYTES - 1));
    let seq = rig.committer.submit([append(log(1), 3, b"c")]);
    let mut wait = Box::pin(rig.committer.wait(seq));
    assert!(poll_once(&mut wait).is_pending());
    assert_eq!(rig.store.commits(), 2);
    rig.store.set_free_bytes(Some(RESERVE_BYTES));
    wait.await.unwrap();
    // A stop does not wait for space: the reserve is for it.
    rig.store.set_free_bytes(Some(0));
    let seq = rig.committer.submit([append(log(1), 4, b"d")]);
    rig.committer.stop();
    rig.committer.wait(seq).await.unwrap();
    assert!(rig.fatal.try_recv().is_err());
}

/// Submits and waits alone, until those who wait write by themselves.
async fn be_alone(committer: &Committer) {
    let shared = &committer.shared;
    let mut index = 0;
    // The thread may be faster than a waiter, and tells one before it is ready for the next.
    while shared.alone.load(Ordering::Relaxed) < ALONE_MIN || shared.lane.is_locked() {
        index += 1;
        let seq = committer.submit([append(log(1), index, b"a")]);
        committer.wait(seq).await.unwrap();
    }
}

/// A committer without a thread, so that nobody else writes.
fn without_thread(
    on_fatal: impl FnOnce(CommitError) + Send + 'static,
) -> (Arc<MemStore>, Arc<Committer>) {
    let store = Arc::new(MemStore::new());
    let tokens = store.claim_all().unwrap();
    let committer = Committer::start_driven(store.clone(), tokens, on_fatal).unwrap();
    (store, committer)
}

/// Writes what is queued on a thread of the runtime.
fn write_here(committer: &Arc<Committer>) -> tokio::task::JoinHandle<()> {
    let committer = Arc::clone(committer);
    tokio::spawn(async move { committer.shared.write_here() })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_alone_for_a_while_writes_by_itself_where_another_thread_can_stand_in() {
    let committer = rig().committer;
    assert!(!committer.writes_alone());
    be_alone(&committer).await;
    assert!(committer.writes_alone());
    let elsewhere = Arc::clone(&committer);
    let outside = std::thread::spawn(move || elsewhere.writes_alone());
    assert!(!outside.join().unwrap(), "there is no runtime");
    let last = committer.submit([append(log(2), 1, b"b")]);
    committer.wait(last).await.unwrap();
    committer.stop();
}

#[tokio::test]
async fn who_has_only_one_thread_leaves_it_to_the_committer() {
    let committer = rig().committer;
    be_alone(&committer).await;
    assert!(!committer.writes_alone());
}

#[test]
fn two_who_wait_for_one_commit_are_not_alone() {
    let (_, committer) = without_thread(|_| {});
    let alone = || committer.shared.alone.load(Ordering::Relaxed);
    let write = |waiters: u64| {
        let seqs: Vec<_> = (0..waiters.max(1)).map(|_| committer.submit([])).collect();
        let waiting = seqs.into_iter().take(usize::try_from(waiters).unwrap());
        let mut waiting: Vec<_> = waiting.map(|seq| Box::pin(committer.wait(seq))).collect();
        assert!(waiting.iter_mut().all(|wait| poll_once(wait).is_pending()));
        committer.shared.turn().unwrap().write_all(0);
        assert!(waiting.iter_mut().all(|wait| poll_once(wait).is_ready()));
    };
    for (waiters, expected) in [(1, 1), (0, 1), (1, 2), (2, 0), (1, 1)] {
        write(waiters);
        assert_eq!(alone(), expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_disk_that_hangs_under_who_writes_by_itself_holds_up_nobody_else() {
    let (store, committer) = without_thread(|_| {});
    let seqs = [2, 3].map(|number| committer.submit([append(log(number), 1, b"b")]));
    let held = store.hold_commits();
    let writing = write_here(&committer);
    while !committer.shared.queue.lock().submits.is_empty() {
        tokio::task::yield_now().await;
    }
    // The only thread of the runtime hangs in the store, and another one has taken its place.
    assert_eq!(tokio::spawn(async { 7 }).await.unwrap(), 7);
    // Nobody waits for who writes.
    write_here(&committer).await.unwrap();
    assert!(!writing.is_finished());
    drop(held);
    writing.await.unwrap();
    // Both in one commit.
    assert_eq!((store.commits(), committer.durable()), (1, seqs[1]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_refuses_who_writes_by_itself_is_the_end() {
    let (sender, fatal) = mpsc::channel();
    let (store, committer) = without_thread(move |error| sender.send(error).unwrap());
    store.inject(0, Fault::Poisoned);
    let seq = committer.submit([append(log(2), 1, b"b")]);
    write_here(&committer).await.unwrap();
    assert!(fatal.try_recv().is_ok());
    assert_eq!(committer.wait(seq).await, Err(Stopped));
    write_here(&committer).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_of_who_writes_is_the_end_and_told_to_all() {
    let (store, committer) = without_thread(|error| panic!("{error}"));
    store.inject(0, Fault::Poisoned);
    let seq = committer.submit([append(log(2), 1, b"b")]);
    assert!(write_here(&committer).await.unwrap_err().is_panic());
    assert_eq!(committer.wait(seq).await, Err(Stopped));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_writes_by_itself_on_a_full_disk_takes_no_signal_from_the_thread() {
    let Rig {
        store, committer, ..
    } = rig();
    be_alone(&committer).await;
    store.set_free_bytes(Some(RESERVE_BYTES - 1));
    // The thread sleeps until it is woken, and a waiter waits for space in its place.
    while !committer.shared.queue.lock().sleeps {
        tokio::task::yield_now().await;
    }
    let wait = |index| {
        let committer = Arc::clone(&committer);
        let seq = committer.submit([append(log(index), 1, b"b")]);
        tokio::spawn(async move { committer.wait(seq).await })
    };
    let first = wait(2);
    while !committer.shared.queue.lock().submits.is_empty() {
        tokio::task::yield_now().await;
    }
    let second = wait(3);
    while committer.shared.waiters.lock().by_seq.is_empty() {
        tokio::task::yield_now().await;
    }
    store.set_free_bytes(Some(RESERVE_BYTES));
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
}
