// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/tests of travel: oplogs, reverts, forks, cancellation, schedules, updates, promises over a node on a memory
//! store. In: requests. Out: nothing. Read next: `oplog.rs`, `travel.rs`. The same against a real server is in tests/it.

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value as Json, json};

use super::tests::{Gym, guest};

/// A gym with a worker `w` that has added twice.
async fn gym() -> (Gym, String) {
    let gym = Gym::new();
    let id = gym.upload("adder").await;
    let path = format!("/v1/components/{id}/workers/w");
    for n in [1, 2] {
        let add = format!("{path}/invoke-and-await?function=add");
        gym.post(&add, json!({"params": [n, 10]})).await.ok();
    }
    (gym, path)
}

/// All entries, read in pages of `count` until an empty one, and the number of pages.
async fn oplog(gym: &Gym, path: &str, query: &str, count: usize) -> (Vec<Json>, usize) {
    let (mut entries, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = gym
            .get(&format!("{path}/oplog?{query}&count={count}{cursor}"))
            .await
            .ok();
        pages += 1;
        let found = page["entries"].as_array().unwrap();
        if found.is_empty() {
            assert_eq!(page["next"], Json::Null);
            return (entries, pages);
        }
        assert!(found.len() <= count);
        entries.extend(found.iter().cloned());
        let next = &page["next"];
        cursor = format!(
            "&cursor={}-{}",
            next["next_oplog_index"], next["current_component_version"]
        );
    }
}

fn kinds(entries: &[Json]) -> Vec<&str> {
    let kinds = entries.iter().map(|entry| entry["entry"]["type"].as_str());
    kinds.map(Option::unwrap).collect()
}

#[tokio::test]
async fn an_oplog_is_read_in_pages_up_to_an_empty_one() {
    let (gym, path) = gym().await;
    let (entries, _) = oplog(&gym, &path, "from=0", 100).await;
    let call = [
        "PendingWorkerInvocation",
        "ExportedFunctionInvoked",
        "ExportedFunctionCompleted",
    ];
    let expect = [&["Create"][..], &call, &call].concat();
    assert_eq!(kinds(&entries), expect);
    let indexes: Vec<_> = entries.iter().map(|e| e["oplogIndex"].clone()).collect();
    assert_eq!(json!(indexes), json!([1, 2, 3, 4, 5, 6, 7]));
    assert_eq!(
        entries[6]["entry"]["response"],
        json!({"typ": {"type": "Tuple", "items": [{"type": "U64"}]}, "value": [12]})
    );
    let (paged, pages) = oplog(&gym, &path, "from=1", 2).await;
    assert_eq!((paged, pages), (entries.clone(), 5));
    let (later, _) = oplog(&gym, &path, "from=6", 100).await;
    assert_eq!(later, entries[5..]);
    let first = gym.get(&format!("{path}/oplog?from=3&count=1")).await.ok();
    assert_eq!(
        (&first["firstIndexInChunk"], &first["lastIndex"]),
        (&json!(3), &json!(7))
    );
}

#[tokio::test]
async fn a_query_finds_entries_and_a_bad_one_is_told() {
    let (gym, path) = gym().await;
    let found = async |query: &str| {
        let (entries, _) = oplog(&gym, &path, &format!("query={query}"), 1).await;
        json!(entries.iter().map(|e| &e["oplogIndex"]).collect::<Vec<_>>())
    };
    assert_eq!(found("create").await, json!([1]));
    assert_eq!(found("exported-function").await, json!([3, 4, 6, 7]));
    assert_eq!(found("type%3Aexported-function").await, json!([3, 4, 6, 7]));
    assert_eq!(
        found("exported-function-completed+AND+response%3A12").await,
        json!([7])
    );
    assert_eq!(
        found("NOT+type%3Afunction+AND+NOT+pending").await,
        json!([1])
    );
    assert_eq!(found("nothing-like-it").await, json!([]));
    for (query, code) in [
        ("query=%28a", "VAL-052"),
        ("query=%2F%28%2F", "VAL-053"),
        ("query=a&from=1", "API-019"),
        ("cursor=7", "API-004"),
        ("from=x", "API-004"),
    ] {
        let answer = gym.get(&format!("{path}/oplog?{query}")).await;
        answer.is(400, "errors", code);
    }
    let absent = path.replace("/workers/w", "/workers/absent");
    let answer = gym.get(&format!("{absent}/oplog")).await;
    answer.is(404, "error", "WRK-001");
}

#[tokio::test]
async fn a_failed_worker_goes_back_and_takes_calls_again() {
    let (gym, path) = gym().await;
    let boom = format!("{path}/invoke-and-await?function=boom");
    gym.post(&boom, json!({"params": []}))
        .await
        .is(500, "golemError", "WRK-006");
    let add = format!("{path}/invoke-and-await?function=add");
    let params = json!({"params": [1, 1]});
    gym.post(&add, params.clone())
        .await
        .is(500, "golemError", "WRK-007");
    let revert = format!("{path}/revert");
    for body in [
        json!({}),
        json!({"lastOplogIndex": 1, "numberOfInvocations": 1}),
        json!({"last": 1}),
    ] {
        gym.post(&revert, body).await.is(400, "errors", "API-006");
    }
    let far = gym.post(&revert, json!({"lastOplogIndex": 999})).await;
    far.is(400, "errors", "WRK-019");
    let many = gym.post(&revert, json!({"numberOfInvocations": 99})).await;
    many.is(400, "errors", "WRK-019");
    let done = gym.post(&revert, json!({"numberOfInvocations": 1})).await;
    assert_eq!(done.ok(), json!({}));
    let worker = gym.get(&path).await.ok();
    assert_eq!(worker["lastError"], Json::Null, "{worker}");
    assert_eq!(
        gym.post(&add, params).await.ok()["result"]["value"],
        json!([2])
    );
    let (jumps, _) = oplog(&gym, &path, "query=type%3Ajump", 10).await;
    assert_eq!(jumps[0]["entry"]["reason"], json!("Revert"), "{jumps:?}");
}

#[tokio::test]
async fn a_fork_has_the_history_and_a_name_of_its_own() {
    let (gym, path) = gym().await;
    let fork = format!("{path}/fork");
    let made = gym
        .post(&fork, json!({"oplogIndex": 4, "name": "w2"}))
        .await
        .ok();
    assert_eq!(made["workerId"]["workerName"], json!("w2"));
    let other = format!("{path}2");
    let (entries, _) = oplog(&gym, &other, "from=0", 100).await;
    assert_eq!(entries.len(), 4, "{entries:?}");
    assert_eq!(entries[0]["entry"]["forked_from"], json!("w"));
    assert_eq!(entries[0]["entry"]["worker_id"]["workerName"], json!("w2"));
    let again = gym
        .post(&fork, json!({"oplogIndex": 4, "name": "w2"}))
        .await;
    again.is(500, "golemError", "WRK-002");
    let bad = gym
        .post(&fork, json!({"oplogIndex": 4, "name": "a b"}))
        .await;
    bad.is(400, "errors", "VAL-021");
    let far = gym
        .post(&fork, json!({"oplogIndex": 99, "name": "w3"}))
        .await;
    far.is(400, "errors", "WRK-019");
}

#[tokio::test]
async fn what_is_scheduled_can_be_taken_back_once_and_what_is_done_cannot_be_cancelled() {
    let (gym, path) = gym().await;
    let delete = async |path: String| gym.ask(Method::DELETE, &path, Body::empty()).await;
    let schedule = format!("{path}/schedule?function=add");
    let made = gym
        .post(&format!("{schedule}&in=1h"), json!({"params": [1, 2]}))
        .await
        .ok();
    let id = made["scheduleId"].as_str().unwrap();
    let taken = delete(format!("{path}/schedule/{id}")).await.ok();
    assert_eq!(taken, json!({"canceled": true}));
    let taken = delete(format!("{path}/schedule/{id}")).await.ok();
    assert_eq!(taken, json!({"canceled": false}));
    let none = delete(format!("{path}/schedule/soon")).await;
    none.is(400, "errors", "API-003");
    for (when, code) in [
        ("", "API-019"),
        ("&in=1h&at=2030-01-01T00:00:00Z", "API-019"),
        ("&in=soon", "VAL-050"),
        ("&at=soon", "API-004"),
    ] {
        let answer = gym
            .post(&format!("{schedule}{when}"), json!({"params": [1, 2]}))
            .await;
        answer.is(400, "errors", code);
    }
    let wrong = gym
        .post(&format!("{schedule}&in=1h"), json!({"params": [1]}))
        .await;
    wrong.is(400, "errors", "VAL-006");
    let canceled = delete(format!("{path}/invocations/nobody")).await.ok();
    assert_eq!(canceled, json!({"canceled": false}));
    let timeout = format!("{path}/invoke-and-await?function=add&timeout=soon");
    gym.post(&timeout, json!({"params": [1, 2]}))
        .await
        .is(400, "errors", "VAL-050");
    let timeout = format!("{path}/invoke-and-await?function=add&timeout=1h");
    gym.post(&timeout, json!({"params": [1, 2]})).await.ok();
}

#[tokio::test]
async fn an_update_is_tried_aside_asked_for_and_told_of() {
    let (gym, path) = gym().await;
    let id = path.split('/').nth(3).unwrap().to_owned();
    let update = format!("{path}/update");
    let missing = gym
        .post(&update, json!({"mode": "Automatic", "targetVersion": 1}))
        .await;
    missing.is(400, "errors", "WRK-018");
    let parts: [(&str, &[u8]); 1] = [("component", &guest())];
    gym.form(&format!("/v1/components/{id}/updates"), &parts)
        .await
        .ok();
    let no_snapshot = gym
        .post(&update, json!({"mode": "Manual", "targetVersion": 1}))
        .await;
    no_snapshot.is(400, "errors", "WRK-018");
    let body = json!({"targetVersion": 1});
    for try_it in [
        format!("{path}/update-dry-run"),
        format!("/v1/components/{id}/update-dry-run"),
    ] {
        let tried = gym.post(&try_it, body.clone()).await.ok();
        assert_eq!(tried["workers"][0]["outcome"], json!("repeated"), "{tried}");
        assert_eq!(tried["workers"][0]["componentVersion"], json!(1));
    }
    assert_eq!(gym.get(&path).await.ok()["updates"], json!([]));
    let asked = gym
        .post(&update, json!({"mode": "Automatic", "targetVersion": 1}))
        .await;
    assert_eq!(asked.ok(), json!({}));
    // The next call runs behind the update.
    let add = format!("{path}/invoke-and-await?function=add");
    gym.post(&add, json!({"params": [1, 2]})).await.ok();
    let worker = gym.get(&path).await.ok();
    assert_eq!(worker["componentVersion"], json!(1), "{worker}");
    assert_eq!(worker["updates"][0]["type"], json!("successfulUpdate"));
    assert_eq!(worker["updates"][0]["targetVersion"], json!(1));
    let (entries, _) = oplog(&gym, &path, "query=update", 10).await;
    assert_eq!(kinds(&entries), ["PendingUpdate", "SuccessfulUpdate"]);
}

#[tokio::test]
async fn a_history_is_repeated_and_a_promise_that_is_none_is_not_found() {
    let (gym, path) = gym().await;
    let replay = gym.get(&format!("{path}/replay?at=4")).await.ok();
    assert_eq!(replay["outcome"], json!("repeated"), "{replay}");
    assert_eq!(replay["steps"].as_array().unwrap().len(), 4, "{replay}");
    assert_eq!(replay["lastOplogIndex"], json!(4));
    let far = gym.get(&format!("{path}/replay?at=99")).await;
    far.is(400, "errors", "WRK-019");
    let verified = gym.get(&format!("{path}/verify")).await.ok();
    assert!(verified["checkpoint"].is_string(), "{verified}");
    let complete = format!("{path}/complete");
    let body = json!({"oplogIdx": 2, "data": [1]});
    let none = gym.post(&complete, body).await;
    none.is(404, "error", "WRK-020");
    let bad = gym
        .post(&complete, json!({"oplogIdx": 2, "data": [256]}))
        .await;
    bad.is(400, "errors", "API-006");
    let worker = gym.get(&path).await.ok();
    assert_eq!(
        worker["retryPolicy"]["maxAttempts"].as_u64().map(|n| n > 0),
        Some(true)
    );
}

#[tokio::test]
async fn a_call_tree_is_of_the_last_call_of_a_key_or_of_an_entry() {
    let (gym, path) = gym().await;
    let last = gym.get(&format!("{path}/calls")).await.ok();
    let root = &last["root"];
    assert_eq!(
        (&root["outcome"], &root["function"], &root["oplogIndex"]),
        (&json!("ok"), &json!("add"), &json!(6)),
        "{last}"
    );
    let key = root["idempotencyKey"].as_str().unwrap();
    let by_key = gym.get(&format!("{path}/calls?key={key}")).await.ok();
    assert_eq!(&by_key["root"], root);
    let first = gym.get(&format!("{path}/calls?at=4")).await.ok();
    assert_eq!(first["root"]["oplogIndex"], json!(3), "{first}");
    for (query, status, shape, code) in [
        ("key=k&at=3", 400, "errors", "API-019"),
        ("at=x", 400, "errors", "API-004"),
        ("at=99", 400, "errors", "WRK-019"),
        ("key=none", 404, "error", "WRK-034"),
    ] {
        let answer = gym.get(&format!("{path}/calls?{query}")).await;
        answer.is(status, shape, code);
    }
    let absent = path.replace("/workers/w", "/workers/absent");
    let answer = gym.get(&format!("{absent}/calls")).await;
    answer.is(404, "error", "WRK-001");
}

#[tokio::test]
async fn checkpoints_of_a_worker_are_a_list_that_can_be_dropped() {
    let (gym, path) = gym().await;
    let checkpoints = format!("{path}/checkpoints");
    let none = gym.get(&checkpoints).await.ok();
    assert_eq!(none, json!({"checkpoints": []}));
    let dropped = gym.ask(Method::DELETE, &checkpoints, Body::empty()).await;
    assert_eq!(dropped.ok(), json!({"dropped": 0}));
    let absent = checkpoints.replace("/workers/w", "/workers/absent");
    gym.get(&absent).await.is(404, "error", "WRK-001");
}
