// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / faults/limits: guests that use more than their component declares. Each is stopped with a failure that names the
//! limit, its value and who set it; what was repeated from a history counts for nothing. Read next: `../limits.rs`, `hostile.rs`.
//! Source: reliability spec F10.

use std::sync::Arc;

use golem_model::capabilities::Capabilities;
use golem_model::component::ComponentType;
use golem_model::worker::WorkerStatus;
use golem_model::{Coded as _, ComponentId, Value, WorkerId};

use super::guest;
use super::gym::Gym;
use crate::component::files::Upload;
use crate::error::WorkerError;
use crate::queue::Target;

fn declared(limits: &str) -> Option<Capabilities> {
    let text = format!("{{\"limits\": {limits}}}");
    Some(Capabilities::from_json(text.as_bytes()).unwrap())
}

async fn upload(gym: &Gym, name: &str, wasm: Vec<u8>, limits: &str) -> ComponentId {
    let wasm = Upload::declaring(wasm, declared(limits));
    let upload = gym
        .node
        .create_component(name, ComponentType::Durable, wasm);
    upload.await.unwrap().versioned_component_id.component_id
}

async fn ask(
    gym: &Gym,
    worker: &WorkerId,
    function: &str,
    params: Vec<Value>,
) -> Result<Vec<Value>, WorkerError> {
    let target = Target::Worker(worker.clone());
    let call = gym
        .node
        .invoke_and_await(target, Gym::request(function, params, None));
    Ok(gym.alive(call).await.unwrap()?.results)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_uses_too_much_is_stopped_and_told_which_limit_and_whose() {
    let gym = Gym::new(8, 1).await;
    for (limits, function, n, key, value) in [
        (r#"{"cpuTime": "30ms"}"#, "spin", None, "cpuTime", "30ms"),
        (
            r#"{"memory": "8MiB"}"#,
            "eat-memory",
            None,
            "memory",
            "8MiB",
        ),
        (
            r#"{"logRate": "1KiB"}"#,
            "shout",
            Some(1_000_000),
            "logRate",
            "1KiB/s",
        ),
        (
            r#"{"handles": 100}"#,
            "hoard",
            Some(100_000),
            "handles",
            "100",
        ),
        (
            r#"{"hostCalls": 200}"#,
            "hoard",
            Some(100_000),
            "hostCalls",
            "200",
        ),
        (
            r#"{"oplog": "16KiB"}"#,
            "hoard",
            Some(100_000),
            "oplog",
            "16KiB",
        ),
    ] {
        let component = upload(&gym, &format!("hostile-{key}"), guest::hostile(), limits).await;
        let worker = WorkerId::new(component, "w");
        let params = n.map(Value::U32).into_iter().collect();
        let ended = ask(&gym, &worker, function, params).await;
        let Err(error @ WorkerError::LimitExceeded(_)) = ended else {
            panic!("{key}: {ended:?}")
        };
        assert_eq!(error.code(), "WRK-021");
        let text = error.to_string();
        for part in [
            format!("the limit `{key}` is exceeded"),
            format!("may use {value};"),
            format!("set by `capabilities.limits.{key}` of its component"),
        ] {
            assert!(text.contains(&part), "{key}: {text}");
        }
        // It is not tried again: it would do the same.
        let view = gym.node.worker(&worker).await.unwrap();
        assert_eq!(view.status, WorkerStatus::Failed, "{key}: {view:?}");
        assert_eq!(view.last_error, Some(text), "{key}");
        let other = WorkerId::new(component, "other");
        let answer = ask(&gym, &other, "answer", vec![]).await;
        assert_eq!(answer.unwrap(), [Value::U32(42)], "{key}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_is_for_what_is_new_and_never_for_what_is_repeated() {
    let mut gym = Gym::new(8, 1).await;
    let component = upload(&gym, "user", guest::user(0), r#"{"hostCalls": 100}"#).await;
    let worker = WorkerId::new(component, "w");
    ask(&gym, &worker, "work", vec![Value::U32(40)])
        .await
        .unwrap();
    let before = ask(&gym, &worker, "get", vec![]).await.unwrap();
    // The next version may do less than the history has done.
    let less = declared(r#"{"hostCalls": 5, "cpuTime": "1ms"}"#);
    let less = Upload::declaring(guest::user(1), less);
    let updated = gym.node.update_component(component, None, less);
    updated.await.unwrap();
    let node = Arc::clone(&gym.node);
    let update = node.update_worker(&worker, 1, golem_model::oplog::UpdateMode::Automatic);
    gym.alive(update).await.unwrap().unwrap();
    gym.until("the update", async || {
        let view = gym.node.worker(&worker).await.ok()?;
        (view.component_version == 1).then_some(())
    })
    .await
    .unwrap();
    gym.crash().await;
    assert_eq!(ask(&gym, &worker, "get", vec![]).await.unwrap(), before);
    let ended = ask(&gym, &worker, "work", vec![Value::U32(40)]).await;
    assert!(
        matches!(ended, Err(WorkerError::LimitExceeded(_))),
        "{ended:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_declaration_that_the_server_could_not_keep_is_refused_at_the_upload() {
    let gym = Gym::new(8, 1).await;
    for (text, code) in [
        (r#"{"limits": {"memory": "1TiB"}}"#, "CAP-007"),
        (r#"{"network": {"allow": ["http://a/b"]}}"#, "CAP-002"),
        (r#"{"network": {"listen": ["*"]}}"#, "CAP-002"),
    ] {
        let declared = Capabilities::from_json(text.as_bytes()).unwrap();
        let hostile = Upload::declaring(guest::hostile(), Some(declared));
        let upload = gym
            .node
            .create_component("refused", ComponentType::Durable, hostile);
        let error = upload.await.unwrap_err();
        assert_eq!(error.code(), code, "{text}: {error}");
    }
}
