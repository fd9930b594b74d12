// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / faults/resources: resources of another worker through a stub: made with arguments and without, called, passed,
//! given back, dropped; and a fork of the worker that has them. The node crashes before and after every commit. In: a script in
//! which each step can be repeated. Out: the same answers and the same resources as without a crash. Read next:
//! `../rpc/clients.rs`. Source: client spec §3.3 rule 6, reliability spec F1.

use golem_model::{OplogIndex, Value};
use golem_storage::mem::Fault;
use golem_testkit::Random;

use super::gym::{Crashed, Gym, Setup};
use crate::error::WorkerError;
use crate::rehearse::RehearsalEnd;

/// Environment variable: crash only at this commit.
const ONLY: &str = "GOLEM_FAULT_COMMIT";

/// Both sides in one guest. As a target: accounts, whose owner's name counts as money, and tills. Memory: 0 accounts that
/// there are, 8 the newest number, from 1,024 balances. As a caller it keeps one client of an account.
const LEDGER: &str = r#"
(component
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $p (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $p))))))
  (alias export $poll "pollable" (type $pollable))
  (import "it:ledger-stub/stub-ledger" (instance $stub
    (alias outer 1 $pollable (type $o))
    (export "pollable" (type $p (eq $o)))
    (type $u (record (field "value" string)))
    (export "uri" (type $uri (eq $u)))
    (export "accounts" (type $accounts (sub resource)))
    (export "account" (type $account (sub resource)))
    (export "till" (type $till (sub resource)))
    (export "future-account-deposit-result" (type $deposited (sub resource)))
    (export "future-account-merge-result" (type $merged (sub resource)))
    (export "[constructor]accounts" (func (param "location" $uri) (result (own $accounts))))
    (export "[method]accounts.blocking-held" (func (param "self" (borrow $accounts)) (result u64)))
    (export "[constructor]account" (func (param "location" $uri) (param "owner" string) (param "opening" u64)
      (result (own $account))))
    (export "[method]account.blocking-deposit" (func (param "self" (borrow $account)) (param "n" u64) (result u64)))
    (export "[method]account.deposit" (func (param "self" (borrow $account)) (param "n" u64) (result (own $deposited))))
    (export "[method]account.note" (func (param "self" (borrow $account)) (param "n" u64)))
    (export "[static]account.blocking-merge" (func (param "first" (borrow $account)) (param "second" (own $account))
      (result (own $account))))
    (export "[static]account.merge" (func (param "first" (borrow $account)) (param "second" (own $account))
      (result (own $merged))))
    (export "[constructor]till" (func (param "location" $uri) (result (own $till))))
    (export "[method]till.blocking-next" (func (param "self" (borrow $till)) (result u64)))
    (export "[method]future-account-deposit-result.subscribe" (func (param "self" (borrow $deposited)) (result (own $p))))
    (export "[method]future-account-deposit-result.get" (func (param "self" (borrow $deposited)) (result (option u64))))
    (export "[method]future-account-merge-result.subscribe" (func (param "self" (borrow $merged)) (result (own $p))))
    (export "[method]future-account-merge-result.get" (func (param "self" (borrow $merged))
      (result (option (own $account)))))))
  (alias export $stub "accounts" (type $accounts))
  (alias export $stub "account" (type $client))
  (alias export $stub "till" (type $till-client))
  (alias export $stub "future-account-deposit-result" (type $deposited))
  (alias export $stub "future-account-merge-result" (type $merged))

  (core module $store
    (memory (export "memory") 2)
    (global $bump (mut i32) (i32.const 65536))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local i32)
      (if (i32.gt_u (i32.add (global.get $bump) (local.get 3)) (i32.const 130000))
        (then (global.set $bump (i32.const 65536))))
      (local.set 4 (global.get $bump))
      (global.set $bump (i32.and (i32.add (i32.add (global.get $bump) (local.get 3)) (i32.const 7)) (i32.const -8)))
      (local.get 4))
    (func (export "closed") (param $rep i32)
      (i64.store (i32.const 0) (i64.sub (i64.load (i32.const 0)) (i64.const 1)))))
  (core instance $s (instantiate $store))
  (alias core export $s "memory" (core memory $memory))
  (alias core export $s "realloc" (core func $realloc))
  (type $account (resource (rep i32) (dtor (core func $s "closed"))))
  (type $till (resource (rep i32)))

  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core func $drop-pollable (canon resource.drop $pollable))
  (core func $c-accounts (canon lower (func $stub "[constructor]accounts") (memory $memory)))
  (core func $c-held (canon lower (func $stub "[method]accounts.blocking-held")))
  (core func $c-drop-accounts (canon resource.drop $accounts))
  (core func $c-account (canon lower (func $stub "[constructor]account") (memory $memory)))
  (core func $c-deposit (canon lower (func $stub "[method]account.blocking-deposit")))
  (core func $c-deposit-later (canon lower (func $stub "[method]account.deposit")))
  (core func $c-note (canon lower (func $stub "[method]account.note")))
  (core func $c-merge (canon lower (func $stub "[static]account.blocking-merge")))
  (core func $c-merge-later (canon lower (func $stub "[static]account.merge")))
  (core func $c-drop (canon resource.drop $client))
  (core func $c-till (canon lower (func $stub "[constructor]till") (memory $memory)))
  (core func $c-next (canon lower (func $stub "[method]till.blocking-next")))
  (core func $c-drop-till (canon resource.drop $till-client))
  (core func $deposited-ready (canon lower (func $stub "[method]future-account-deposit-result.subscribe")))
  (core func $deposited-get (canon lower (func $stub "[method]future-account-deposit-result.get") (memory $memory)))
  (core func $deposited-drop (canon resource.drop $deposited))
  (core func $merged-ready (canon lower (func $stub "[method]future-account-merge-result.subscribe")))
  (core func $merged-get (canon lower (func $stub "[method]future-account-merge-result.get") (memory $memory)))
  (core func $merged-drop (canon resource.drop $merged))
  (core func $new (canon resource.new $account))
  (core func $rep (canon resource.rep $account))
  (core func $drop (canon resource.drop $account))
  (core func $new-till (canon resource.new $till))

  (core module $main
    (import "s" "memory" (memory 2))
    (import "h" "block" (func $block (param i32)))
    (import "h" "drop-pollable" (func $drop-pollable (param i32)))
    (import "h" "c-accounts" (func $c-accounts (param i32 i32) (result i32)))
    (import "h" "c-held" (func $c-held (param i32) (result i64)))
    (import "h" "c-drop-accounts" (func $c-drop-accounts (param i32)))
    (import "h" "c-account" (func $c-account (param i32 i32 i32 i32 i64) (result i32)))
    (import "h" "c-deposit" (func $c-deposit (param i32 i64) (result i64)))
    (import "h" "c-deposit-later" (func $c-deposit-later (param i32 i64) (result i32)))
    (import "h" "c-note" (func $c-note (param i32 i64)))
    (import "h" "c-merge" (func $c-merge (param i32 i32) (result i32)))
    (import "h" "c-merge-later" (func $c-merge-later (param i32 i32) (result i32)))
    (import "h" "c-drop" (func $c-drop (param i32)))
    (import "h" "c-till" (func $c-till (param i32 i32) (result i32)))
    (import "h" "c-next" (func $c-next (param i32) (result i64)))
    (import "h" "c-drop-till" (func $c-drop-till (param i32)))
    (import "h" "deposited-ready" (func $deposited-ready (param i32) (result i32)))
    (import "h" "deposited-get" (func $deposited-get (param i32 i32)))
    (import "h" "deposited-drop" (func $deposited-drop (param i32)))
    (import "h" "merged-ready" (func $merged-ready (param i32) (result i32)))
    (import "h" "merged-get" (func $merged-get (param i32 i32)))
    (import "h" "merged-drop" (func $merged-drop (param i32)))
    (import "h" "new" (func $new (param i32) (result i32)))
    (import "h" "rep" (func $rep (param i32) (result i32)))
    (import "h" "drop" (func $drop (param i32)))
    (import "h" "new-till" (func $new-till (param i32) (result i32)))
    (data (i32.const 128) "ann")
    (global $mine (mut i32) (i32.const 0))
    (func $balance (param $rep i32) (result i32)
      (i32.add (i32.const 1024) (i32.shl (local.get $rep) (i32.const 3))))
    (func $next-number (result i32)
      (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1)))
      (i32.load (i32.const 8)))
    (func $opened (param $balance i64) (result i32) (local $rep i32)
      (local.set $rep (call $next-number))
      (i64.store (call $balance (local.get $rep)) (local.get $balance))
      (i64.store (i32.const 0) (i64.add (i64.load (i32.const 0)) (i64.const 1)))
      (call $new (local.get $rep)))
    (func (export "account") (param $owner i32) (param $len i32) (param $opening i64) (result i32)
      (call $opened (i64.add (local.get $opening) (i64.extend_i32_u (local.get $len)))))
    (func $deposit (export "deposit") (param $rep i32) (param $n i64) (result i64)
      (i64.store (call $balance (local.get $rep)) (i64.add (i64.load (call $balance (local.get $rep))) (local.get $n)))
      (i64.load (call $balance (local.get $rep))))
    (func (export "note") (param $rep i32) (param $n i64) (drop (call $deposit (local.get $rep) (local.get $n))))
    (func (export "merge") (param $first i32) (param $second i32) (result i32) (local $sum i64)
      (local.set $sum (i64.add (i64.load (call $balance (local.get $first)))
        (i64.load (call $balance (call $rep (local.get $second))))))
      (call $drop (local.get $second))
      (call $opened (local.get $sum)))
    (func (export "held") (result i64) (i64.load (i32.const 0)))
    (func (export "till") (result i32) (call $new-till (call $next-number)))
    (func (export "next") (param $rep i32) (result i64) (call $deposit (local.get $rep) (i64.const 1)))

    (func $client (param $at i32) (param $len i32) (param $opening i64) (result i32)
      (call $c-account (local.get $at) (local.get $len) (i32.const 128) (i32.const 3) (local.get $opening)))
    (func (export "open") (param $at i32) (param $len i32) (param $opening i64)
      (global.set $mine (call $client (local.get $at) (local.get $len) (local.get $opening))))
    (func (export "put") (param $n i64) (result i64) (call $c-deposit (global.get $mine) (local.get $n)))
    (func $wait (param $pollable i32)
      (call $block (local.get $pollable))
      (call $drop-pollable (local.get $pollable)))
    (func (export "put-later") (param $n i64) (result i64) (local $future i32)
      (local.set $future (call $c-deposit-later (global.get $mine) (local.get $n)))
      (call $wait (call $deposited-ready (local.get $future)))
      (call $deposited-get (local.get $future) (i32.const 256))
      (call $deposited-drop (local.get $future))
      (i64.load (i32.const 264)))
    (func (export "put-quietly") (param $n i64) (call $c-note (global.get $mine) (local.get $n)))
    (func $becomes (param $other i32)
      (call $c-drop (global.get $mine))
      (global.set $mine (local.get $other)))
    (func (export "join") (param $at i32) (param $len i32) (param $opening i64)
      (call $becomes (call $c-merge (global.get $mine)
        (call $client (local.get $at) (local.get $len) (local.get $opening)))))
    (func (export "join-later") (param $at i32) (param $len i32) (param $opening i64) (local $future i32)
      (local.set $future (call $c-merge-later (global.get $mine)
        (call $client (local.get $at) (local.get $len) (local.get $opening))))
      (call $wait (call $merged-ready (local.get $future)))
      (call $merged-get (local.get $future) (i32.const 256))
      (call $merged-drop (local.get $future))
      (call $becomes (i32.load (i32.const 260))))
    (func (export "close") (call $c-drop (global.get $mine)))
    (func (export "ask") (param $at i32) (param $len i32) (result i64) (local $client i32) (local $held i64)
      (local.set $client (call $c-accounts (local.get $at) (local.get $len)))
      (local.set $held (call $c-held (local.get $client)))
      (call $c-drop-accounts (local.get $client))
      (local.get $held))
    (func (export "tick") (param $at i32) (param $len i32) (result i64) (local $client i32) (local $n i64)
      (local.set $client (call $c-till (local.get $at) (local.get $len)))
      (drop (call $c-next (local.get $client)))
      (local.set $n (call $c-next (local.get $client)))
      (call $c-drop-till (local.get $client))
      (local.get $n)))
  (core instance $main (instantiate $main
    (with "s" (instance $s))
    (with "h" (instance
      (export "block" (func $block))
      (export "drop-pollable" (func $drop-pollable))
      (export "c-accounts" (func $c-accounts))
      (export "c-held" (func $c-held))
      (export "c-drop-accounts" (func $c-drop-accounts))
      (export "c-account" (func $c-account))
      (export "c-deposit" (func $c-deposit))
      (export "c-deposit-later" (func $c-deposit-later))
      (export "c-note" (func $c-note))
      (export "c-merge" (func $c-merge))
      (export "c-merge-later" (func $c-merge-later))
      (export "c-drop" (func $c-drop))
      (export "c-till" (func $c-till))
      (export "c-next" (func $c-next))
      (export "c-drop-till" (func $c-drop-till))
      (export "deposited-ready" (func $deposited-ready))
      (export "deposited-get" (func $deposited-get))
      (export "deposited-drop" (func $deposited-drop))
      (export "merged-ready" (func $merged-ready))
      (export "merged-get" (func $merged-get))
      (export "merged-drop" (func $merged-drop))
      (export "new" (func $new))
      (export "rep" (func $rep))
      (export "drop" (func $drop))
      (export "new-till" (func $new-till))))))

  (func $account-new (param "owner" string) (param "opening" u64) (result (own $account))
    (canon lift (core func $main "account") (memory $memory) (realloc $realloc)))
  (func $account-deposit (param "self" (borrow $account)) (param "n" u64) (result u64) (canon lift (core func $main "deposit")))
  (func $account-note (param "self" (borrow $account)) (param "n" u64) (canon lift (core func $main "note")))
  (func $account-merge (param "first" (borrow $account)) (param "second" (own $account)) (result (own $account))
    (canon lift (core func $main "merge")))
  (func $held (result u64) (canon lift (core func $main "held")))
  (func $till-new (result (own $till)) (canon lift (core func $main "till")))
  (func $till-next (param "self" (borrow $till)) (result u64) (canon lift (core func $main "next")))
  (component $interface
    (import "account" (type $account (sub resource)))
    (import "till" (type $till (sub resource)))
    (import "account-new" (func $account-new (param "owner" string) (param "opening" u64) (result (own $account))))
    (import "account-deposit" (func $account-deposit (param "self" (borrow $account)) (param "n" u64) (result u64)))
    (import "account-note" (func $account-note (param "self" (borrow $account)) (param "n" u64)))
    (import "account-merge" (func $account-merge (param "first" (borrow $account)) (param "second" (own $account))
      (result (own $account))))
    (import "held" (func $held (result u64)))
    (import "till-new" (func $till-new (result (own $till))))
    (import "till-next" (func $till-next (param "self" (borrow $till)) (result u64)))
    (export $a "account" (type $account))
    (export $t "till" (type $till))
    (export "[constructor]account" (func $account-new)
      (func (param "owner" string) (param "opening" u64) (result (own $a))))
    (export "[method]account.deposit" (func $account-deposit)
      (func (param "self" (borrow $a)) (param "n" u64) (result u64)))
    (export "[method]account.note" (func $account-note) (func (param "self" (borrow $a)) (param "n" u64)))
    (export "[static]account.merge" (func $account-merge)
      (func (param "first" (borrow $a)) (param "second" (own $a)) (result (own $a))))
    (export "held" (func $held))
    (export "[constructor]till" (func $till-new) (func (result (own $t))))
    (export "[method]till.next" (func $till-next) (func (param "self" (borrow $t)) (result u64))))
  (instance $accounts (instantiate $interface
    (with "account" (type $account))
    (with "till" (type $till))
    (with "account-new" (func $account-new))
    (with "account-deposit" (func $account-deposit))
    (with "account-note" (func $account-note))
    (with "account-merge" (func $account-merge))
    (with "held" (func $held))
    (with "till-new" (func $till-new))
    (with "till-next" (func $till-next))))
  (export "it:ledger/accounts" (instance $accounts))
  (func (export "open") (param "at" string) (param "opening" u64)
    (canon lift (core func $main "open") (memory $memory) (realloc $realloc)))
  (func (export "put") (param "n" u64) (result u64) (canon lift (core func $main "put")))
  (func (export "put-later") (param "n" u64) (result u64) (canon lift (core func $main "put-later")))
  (func (export "put-quietly") (param "n" u64) (canon lift (core func $main "put-quietly")))
  (func (export "join") (param "at" string) (param "opening" u64)
    (canon lift (core func $main "join") (memory $memory) (realloc $realloc)))
  (func (export "join-later") (param "at" string) (param "opening" u64)
    (canon lift (core func $main "join-later") (memory $memory) (realloc $realloc)))
  (func (export "close") (canon lift (core func $main "close")))
  (func (export "ask") (param "at" string) (result u64)
    (canon lift (core func $main "ask") (memory $memory) (realloc $realloc)))
  (func (export "tick") (param "at" string) (result u64)
    (canon lift (core func $main "tick") (memory $memory) (realloc $realloc)))
)"#;

/// A resource of a worker, by the number that it gave it away with.
fn handle(gym: &Gym, worker: &str, id: u64) -> Value {
    let Value::String(uri) = gym.urn(worker) else {
        panic!("no URN")
    };
    Value::Handle { uri, id }
}

const DEPOSIT: &str = "it:ledger/accounts.{account.deposit}";
const HELD: &str = "it:ledger/accounts.{held}";

/// Steps, each with what it answers. `u64::MAX`: nothing.
const STEPS: [u64; 16] = [
    u64::MAX,
    108,
    115,
    u64::MAX,
    1_115,
    u64::MAX,
    1_168,
    u64::MAX,
    1_172,
    1,
    2,
    0,
    1_181,
    1_191,
    u64::MAX,
    0,
];

/// Does a step, or finds that it was done.
async fn step(gym: &Gym, at: usize) -> Result<Result<Value, WorkerError>, Crashed> {
    let key = format!("step-{at}");
    let key = Some(key.as_str());
    let b = gym.urn("b");
    let n = |n: u64| Value::U64(n);
    match at {
        0 => gym.ask("a", "open", vec![b, n(100)], key).await,
        1 => gym.ask("a", "put", vec![n(5)], key).await,
        2 => gym.ask("a", "put-later", vec![n(7)], key).await,
        3 => gym.ask("a", "put-quietly", vec![n(1_000)], key).await,
        5 => gym.ask("a", "join", vec![b, n(50)], key).await,
        7 => gym.ask("a", "join-later", vec![b, n(1)], key).await,
        4 | 6 | 8 => gym.ask("a", "put", vec![n(0)], key).await,
        9 => gym.ask("a", "ask", vec![b], key).await,
        10 => gym.ask("a", "tick", vec![b], key).await,
        11 => fork(gym).await.map(|()| Ok(n(0))),
        // What its origin had given away is the copy's as well, under both names.
        12 => {
            gym.ask("b2", DEPOSIT, vec![handle(gym, "b", 5), n(9)], key)
                .await
        }
        13 => {
            gym.ask("b2", DEPOSIT, vec![handle(gym, "b2", 5), n(10)], key)
                .await
        }
        14 => gym.ask("a", "close", vec![], key).await,
        _ => gym.ask("b", HELD, vec![], key).await,
    }
}

async fn fork(gym: &Gym) -> Result<(), Crashed> {
    let b = gym.worker("b");
    let entries = gym.alive(gym.entries(&b)).await?.unwrap();
    let (tail, _): &(OplogIndex, _) = entries.last().unwrap();
    let forked = gym.alive(gym.node.fork_worker(&b, *tail, "b2")).await?;
    assert!(
        matches!(forked, Ok(_) | Err(WorkerError::AlreadyExists(_))),
        "{forked:?}"
    );
    Ok(())
}

/// The script from its start; how many of its steps were done when the node crashed.
async fn run(gym: &Gym, case: &str) -> usize {
    for (at, expected) in STEPS.iter().enumerate() {
        let Ok(answer) = step(gym, at).await else {
            return at;
        };
        match answer {
            Ok(Value::U64(found)) => assert_eq!(found, *expected, "{case}: step {at}"),
            Ok(_) => assert_eq!(*expected, u64::MAX, "{case}: step {at}"),
            Err(error) => panic!("{case}: step {at}: {error}"),
        }
    }
    STEPS.len()
}

/// The script on a node that meets `fault` after so many commits, and once more on the next one. Whether it crashed.
async fn case(base: &Gym, fault: Option<(u64, Fault)>) -> bool {
    let mut gym = base.copy();
    let case = format!(
        "fault {fault:?}, repeat with {ONLY}={}",
        fault.map_or(0, |(at, _)| at)
    );
    if let Some((commits, fault)) = fault {
        gym.store.inject(commits, fault);
    }
    let done = run(&gym, &case).await;
    gym.crash().await;
    assert_eq!(run(&gym, &case).await, STEPS.len(), "{case}");
    for (worker, held) in [("b", 0), ("b2", 1)] {
        assert_eq!(
            gym.number(worker, HELD, vec![]).await,
            held,
            "{case}: {worker}"
        );
    }
    for worker in ["a", "b", "b2"] {
        let worker = gym.worker(worker);
        let rehearsal = gym.node.rehearse(&worker, None, None).await.unwrap();
        assert_eq!(rehearsal.end, RehearsalEnd::Repeated, "{case}: {worker}");
    }
    gym.node.stop().await;
    done < STEPS.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resources_of_another_worker_survive_a_crash_at_every_commit() {
    let base = Gym::of(
        Setup::new(1),
        std::iter::once(wat::parse_str(LEDGER).unwrap()),
    )
    .await;
    assert!(!case(&base, None).await);
    let only = Random::setting(ONLY);
    let mut crashes = 0;
    for commit in only.unwrap_or(0).. {
        let before = case(&base, Some((commit, Fault::Poisoned))).await;
        let after = case(&base, Some((commit, Fault::AmbiguousApplied))).await;
        crashes += u32::from(before) + u32::from(after);
        if !before || only.is_some() {
            break;
        }
    }
    println!("crashed {crashes} times, before and after every commit");
    assert!(only.is_some() || crashes > 30, "{crashes} crashes");
}

#[tokio::test]
async fn a_resource_that_is_gone_is_told_and_harms_nobody_but_the_caller() {
    let mut gym = Gym::of(
        Setup::new(1),
        std::iter::once(wat::parse_str(LEDGER).unwrap()),
    )
    .await;
    let open = vec![gym.urn("b"), Value::U64(1)];
    gym.ask("a", "open", open, None).await.unwrap().unwrap();
    // Somebody else drops it, twice.
    for _ in 0..2 {
        let dropped = vec![handle(&gym, "b", 1)];
        let drop = "it:ledger/accounts.{account.drop}";
        gym.ask("b", drop, dropped, None).await.unwrap().unwrap();
    }
    for told in 0..2 {
        let key = Some("once");
        // A stub without errors has no place for one.
        let put = gym.ask("a", "put", vec![Value::U64(1)], key).await.unwrap();
        let error = put.unwrap_err().to_string();
        assert!(error.contains("has no resource 1"), "{told}: {error}");
        let gone = vec![handle(&gym, "b", 1), Value::U64(1)];
        let put = gym.ask("b", DEPOSIT, gone, key).await.unwrap();
        let error = put.unwrap_err().to_string();
        assert!(error.contains("has no resource 1"), "{told}: {error}");
        // The target goes on, and so it does when its history is repeated.
        assert_eq!(gym.number("b", HELD, vec![]).await, 0, "{told}");
        gym.crash().await;
        assert_eq!(gym.number("b", HELD, vec![]).await, 0, "{told}");
    }
}
