// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / faults/call_tree: the tree of calls is what has happened: after crashes, evictions, deletions, in forks, in parts that
//! were undone, across namespaces, within its bounds. Read next: `../node/call_tree.rs`, `../oplog/past.rs`.

use std::time::Duration;

use golem_model::api::{CallHow, CallLeaf, CallNode, CallOutcome, CallTree};
use golem_model::component::ComponentType;
use golem_model::{
    Coded as _, ComponentName, IdempotencyKey, Namespace, OplogIndex, Value, WorkerId,
};

use super::guest;
use super::gym::Gym;
use crate::control::RevertTo;
use crate::error::WorkerError;
use crate::node::{CALL_DEPTH_MAX, CallsOf};

const NOON: Duration = Duration::from_secs(3_600);

async fn tree(gym: &Gym, worker: &str, of: CallsOf) -> Result<CallTree, WorkerError> {
    let worker = gym.worker(worker);
    let tree = gym.node.call_tree(&worker, of, |_| true);
    gym.alive(tree).await.unwrap()
}

fn key(text: &str) -> CallsOf {
    CallsOf::Key(IdempotencyKey(text.into()))
}

/// The part of a node that does not depend on the clock: `worker function how outcome`, calls in parentheses.
fn shape(node: &CallNode) -> String {
    let worker = node.target.rsplit('/').next().unwrap_or_default();
    let how = match node.how {
        None => "",
        Some(CallHow::Awaited) => " awaited",
        Some(CallHow::Async) => " async",
        Some(CallHow::Triggered) => " triggered",
    };
    let leaf = node.leaf.map(|leaf| format!(" {leaf:?}"));
    let leaf = leaf.unwrap_or_default();
    let undone = if node.undone { " undone" } else { "" };
    let calls: Vec<String> = node.calls.iter().map(shape).collect();
    let calls = if calls.is_empty() {
        String::new()
    } else {
        format!(" ({})", calls.join(", "))
    };
    format!(
        "{worker} {}{how} {:?}{leaf}{undone}{calls}",
        node.function, node.outcome
    )
}

/// Times of a node lie in those of the one above, and every call has a key of its own.
fn sound(node: &CallNode, keys: &mut Vec<String>) {
    assert!(!keys.contains(&node.idempotency_key.0), "{node:#?}");
    keys.push(node.idempotency_key.0.clone());
    if let (Some(start), Some(end), Some(took)) =
        (node.started_at, node.ended_at, node.duration_micros)
    {
        assert_eq!(end.0 - start.0, took);
    }
    for call in &node.calls {
        assert!(call.called_at >= node.started_at, "{node:#?}");
        if call.how == Some(CallHow::Awaited) && call.outcome == CallOutcome::Ok {
            assert!(call.ended_at <= node.ended_at, "{node:#?}");
        }
        sound(call, keys);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tree_is_the_same_after_a_crash_and_wakes_nobody() {
    let mut gym = Gym::new(16, 1).await;
    let (b, c, one) = (gym.urn("b"), gym.urn("c"), Value::U64(1));
    let relay = vec![b.clone(), c.clone(), one.clone()];
    gym.ask("a", "relay", relay.clone(), Some("relayed"))
        .await
        .unwrap()
        .unwrap();
    gym.ask("a", "relay-later", relay, Some("later"))
        .await
        .unwrap()
        .unwrap();
    gym.ask("a", "quietly", vec![c.clone(), one.clone()], Some("quiet"))
        .await
        .unwrap()
        .unwrap();
    gym.until("the triggered call to end", async || {
        let tree = tree(&gym, "a", key("quiet")).await.unwrap();
        (tree.root.calls[0].outcome == CallOutcome::Ok).then_some(())
    })
    .await
    .unwrap();
    let expect = [
        (
            "relayed",
            "a relay Ok (b send awaited Ok (c add awaited Ok))",
        ),
        (
            "later",
            "a relay-later Ok (b send async Ok (c add awaited Ok))",
        ),
        ("quiet", "a quietly Ok (c plus triggered Ok)"),
    ];
    let mut before = Vec::new();
    for (key_text, shape_text) in expect {
        let tree = tree(&gym, "a", key(key_text)).await.unwrap();
        assert_eq!(shape(&tree.root), shape_text);
        assert!(!tree.truncated);
        assert_eq!(tree.root.idempotency_key.0, key_text);
        assert_eq!(tree.root.component_name.as_deref(), Some("faults"));
        sound(&tree.root, &mut Vec::new());
        before.push(tree.root);
    }
    // The last one, and any entry of one.
    assert_eq!(
        tree(&gym, "a", CallsOf::Last).await.unwrap().root,
        before[2]
    );
    for index in [before[0].oplog_index, before[0].calls[0].called_at_index] {
        let found = tree(&gym, "a", CallsOf::Entry(index.unwrap()))
            .await
            .unwrap();
        assert_eq!(found.root, before[0]);
    }
    gym.crash().await;
    for (old, (key_text, _)) in before.iter().zip(expect) {
        let tree = tree(&gym, "a", key(key_text)).await.unwrap();
        assert_eq!(&tree.root, old);
    }
    assert_eq!(gym.node.active_workers(), 0, "somebody was woken");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_waits_or_is_in_the_calendar_is_told() {
    let gym = Gym::new(16, 1).await;
    let nobody = tree(&gym, "a", CallsOf::Last).await.unwrap_err();
    assert_eq!(nobody.code(), "WRK-001");
    gym.node
        .create_worker(gym.worker("a"), vec![], vec![])
        .await
        .unwrap();
    for of in [CallsOf::Last, key("none"), CallsOf::Entry(OplogIndex(1))] {
        let none = tree(&gym, "a", of).await.unwrap_err();
        assert_eq!(none.code(), "WRK-034");
    }
    let far = tree(&gym, "a", CallsOf::Entry(OplogIndex(99)))
        .await
        .unwrap_err();
    assert_eq!(far.code(), "WRK-019");

    // `b` holds on to a promise: what waits behind it has not begun.
    let hold = Gym::request("hold", vec![Value::U64(1)], Some("held"));
    let target = crate::queue::Target::Worker(gym.worker("b"));
    gym.node.invoke(target, hold).await.unwrap();
    let send = Gym::request("send", vec![gym.urn("b"), Value::U64(1)], Some("sent"));
    let target = crate::queue::Target::Worker(gym.worker("a"));
    gym.node.invoke(target, send).await.unwrap();
    gym.until("both to be under way", async || {
        let held = tree(&gym, "b", key("held")).await.unwrap();
        let sent = tree(&gym, "a", key("sent")).await.unwrap();
        let both = [shape(&held.root), shape(&sent.root)];
        (both == ["b hold Running", "a send Running (b add awaited Pending)"]).then_some(())
    })
    .await
    .unwrap();
    let due = gym.node.moment_in(NOON);
    let later = Gym::request("get", vec![], Some("booked"));
    gym.node
        .schedule(gym.worker("z"), due, later)
        .await
        .unwrap();
    let booked = tree(&gym, "z", key("booked")).await.unwrap();
    assert_eq!(shape(&booked.root), "z get Scheduled");
    assert_eq!(booked.root.accepted_at.map(|at| at.0), Some(due));

    let (a, sent) = (gym.worker("a"), IdempotencyKey("sent".into()));
    let cancelled = gym.node.cancel_invocation(&a, &sent);
    assert!(cancelled.await.unwrap());
    let cancelled = gym
        .until("the call to be cancelled as well", async || {
            let tree = tree(&gym, "a", key("sent")).await.unwrap();
            (tree.root.calls[0].outcome == CallOutcome::Error).then_some(tree.root)
        })
        .await
        .unwrap();
    assert_eq!(
        shape(&cancelled),
        "a send Error (b add awaited Error undone)"
    );
    assert_eq!(cancelled.error_code.as_deref(), Some("WRK-017"));
    assert_eq!(cancelled.calls[0].error_code.as_deref(), Some("WRK-017"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_have_codes_retries_and_what_was_undone_is_marked() {
    let gym = Gym::new(16, 1).await;
    let failed = gym.ask("f", "boom", vec![], Some("boom")).await.unwrap();
    assert!(failed.is_err());
    let boom = tree(&gym, "f", key("boom")).await.unwrap().root;
    assert_eq!(shape(&boom), "f boom Error");
    assert_eq!(boom.error_code.as_deref(), Some("WRK-006"));
    assert!(boom.retries > 0 && boom.error.is_some(), "{boom:#?}");

    let send = vec![gym.urn("t"), Value::U64(1)];
    for call in ["first", "second"] {
        gym.ask("a", "send", send.clone(), Some(call))
            .await
            .unwrap()
            .unwrap();
    }
    let a = gym.worker("a");
    let back = gym.node.revert_worker(&a, RevertTo::LastInvocations(1));
    back.await.unwrap();
    // The keys of what comes now depend on the jump.
    gym.ask("a", "send", send.clone(), Some("third"))
        .await
        .unwrap()
        .unwrap();
    for (call, expect) in [
        ("first", "a send Ok (t add awaited Ok)"),
        ("second", "a send Ok undone (t add awaited Ok undone)"),
        ("third", "a send Ok (t add awaited Ok)"),
    ] {
        let found = tree(&gym, "a", key(call)).await.unwrap();
        assert_eq!(shape(&found.root), expect, "{call}");
    }
    // A fork repeats calls of its origin, and makes its own.
    let (_, tail) = gym.node.durable_log(&gym.worker("a")).await.unwrap();
    gym.node
        .fork_worker(&gym.worker("a"), tail, "fork")
        .await
        .unwrap();
    gym.ask("fork", "send", send, Some("fourth"))
        .await
        .unwrap()
        .unwrap();
    for call in ["first", "fourth"] {
        let found = tree(&gym, "fork", key(call)).await.unwrap();
        assert_eq!(
            shape(&found.root),
            "fork send Ok (t add awaited Ok)",
            "{call}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_gone_or_elsewhere_is_a_leaf() {
    let gym = Gym::new(16, 1).await;
    let send = vec![gym.urn("t"), Value::U64(1)];
    gym.ask("a", "send", send.clone(), Some("sent"))
        .await
        .unwrap()
        .unwrap();
    gym.node.delete_worker(&gym.worker("t")).await.unwrap();
    let gone = tree(&gym, "a", key("sent")).await.unwrap().root;
    assert_eq!(
        shape(&gone),
        "a send Ok (t it:faults/faults.{add} awaited Ok Deleted)"
    );
    // Another worker under the name knows nothing of it.
    gym.number("t", "get", vec![]).await;
    let again = tree(&gym, "a", key("sent")).await.unwrap().root;
    assert_eq!(shape(&again), shape(&gone));

    let other: Namespace = "other".parse().unwrap();
    gym.node.create_namespace(other.clone()).await.unwrap();
    let name = ComponentName::new(other.clone(), "faults");
    let upload = gym
        .node
        .create_component(name, ComponentType::Durable, guest::user(0));
    let far = upload.await.unwrap().versioned_component_id.component_id;
    gym.node
        .grant(Namespace::default(), other.clone(), None)
        .await
        .unwrap();
    let relay = vec![
        Value::String(format!("urn:worker:{far}/x")),
        Value::String(format!("urn:worker:{far}/y")),
        Value::U64(1),
    ];
    gym.ask("a", "relay", relay, Some("far"))
        .await
        .unwrap()
        .unwrap();
    let seen = tree(&gym, "a", key("far")).await.unwrap().root;
    assert_eq!(
        shape(&seen),
        "a relay Ok (x send awaited Ok (y add awaited Ok))"
    );
    let own = |namespace: &Namespace| namespace.is_default();
    let hidden = gym
        .node
        .call_tree(&gym.worker("a"), key("far"), own)
        .await
        .unwrap();
    let leaf = &hidden.root.calls[0];
    assert_eq!(leaf.leaf, Some(CallLeaf::Hidden));
    assert!(leaf.calls.is_empty() && leaf.component_name.is_none() && leaf.started_at.is_none());
    assert!(leaf.oplog_index.is_none() && leaf.component_version.is_none());
    // The other way round it is the callers' own.
    let x = WorkerId::new(far, "x");
    let last = gym.node.call_tree(&x, CallsOf::Last, own).await.unwrap();
    assert_eq!(last.root.calls[0].leaf, Some(CallLeaf::Hidden));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deep_tree_is_cut_and_says_so() {
    let gym = Gym::new(64, 1).await;
    let deep = u32::try_from(CALL_DEPTH_MAX + 8).unwrap();
    let prefix = Value::String(format!("urn:worker:{}/deep-", gym.component));
    gym.ask("a", "chain", vec![prefix, Value::U32(deep)], Some("deep"))
        .await
        .unwrap()
        .unwrap();
    let found = tree(&gym, "a", key("deep")).await.unwrap();
    assert!(found.truncated);
    let (mut node, mut depth) = (&found.root, 0);
    while let Some(call) = node.calls.first() {
        assert!(!node.truncated);
        (node, depth) = (call, depth + 1);
    }
    assert_eq!((depth, node.truncated), (CALL_DEPTH_MAX, true));
    // What clients read has as many brackets as they take.
    let text = serde_json::to_string(&found).unwrap();
    assert_eq!(serde_json::from_str::<CallTree>(&text).unwrap(), found);
}
