// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / faults/starts: workers that begin where the start-up code of their component has left off: what is the same for them and
//! what is not, over crashes, updates and forks; and start-up code that cannot be shared. Read next: `../checkpoint/start.rs`.
//! Why: docs/adr/0019-shared-starts.md.

use golem_model::capabilities::Capabilities;
use golem_model::component::{Component, ComponentType};
use golem_model::oplog::{Event, UpdateMode};
use golem_model::{Coded as _, Namespace, OplogIndex, Value, WorkerId};

use super::gym::{Gym, Setup, number};
use crate::component::files::Upload;
use crate::error::{ComponentError, WorkerError};
use crate::queue::Target;
use crate::rehearse::RehearsalEnd;

/// Its start-up code draws a number and looks at the clock. `draw` draws another one.
const GUEST: &str = r#"
(component
  (import "wasi:io/poll@0.2.0" (instance $poll (export "pollable" (type (sub resource)))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $monotonic
    (alias outer 1 $pollable (type $o))
    (export "pollable" (type $p (eq $o)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))
  (import "wasi:random/random@0.2.0" (instance $random
    (export "get-random-u64" (func (result u64)))))
  (import "wasi:clocks/wall-clock@0.2.0" (instance $wall
    (type $r (record (field "seconds" u64) (field "nanoseconds" u32)))
    (export "datetime" (type $datetime (eq $r)))
    (export "now" (func (result $datetime)))))
  (core module $memory-module (memory (export "memory") 1))
  (core instance $libc (instantiate $memory-module))
  (core func $timer (canon lower (func $monotonic "subscribe-duration")))
  (core func $random64 (canon lower (func $random "get-random-u64")))
  (core func $now (canon lower (func $wall "now") (memory (core memory $libc "memory"))))
  (core module $main
    (import "libc" "memory" (memory 1))
    (import "host" "timer" (func $timer (param i64) (result i32)))
    (import "host" "random" (func $random (result i64)))
    (import "host" "now" (func $now (param i32)))
    (func (export "_initialize")
      (i64.store (i32.const 8) (call $random))
      (call $now (i32.const 16)) (;more;))
    (func (export "add") (param i64) (result i64)
      (i64.store (i32.const 0) (i64.add (i64.load (i32.const 0)) (local.get 0)))
      (i64.load (i32.const 0)))
    (func (export "drawn") (result i64) (i64.load (i32.const 8)))
    (func (export "moment") (result i64) (i64.load (i32.const 16)))
    (func (export "draw") (result i64) (call $random)))
  (core instance $main (instantiate $main
    (with "libc" (instance $libc))
    (with "host" (instance
      (export "timer" (func $timer))
      (export "random" (func $random64))
      (export "now" (func $now))))))
  (core module $starter (import "" "" (func $f)) (start $f))
  (core instance (instantiate $starter
    (with "" (instance (export "" (func $main "_initialize"))))))
  (func (export "add") (param "n" u64) (result u64) (canon lift (core func $main "add")))
  (func (export "drawn") (result u64) (canon lift (core func $main "drawn")))
  (func (export "moment") (result u64) (canon lift (core func $main "moment")))
  (func (export "draw") (result u64) (canon lift (core func $main "draw")))
)"#;

/// The guest, with more in its start-up code.
fn guest(more: &str) -> Vec<u8> {
    wat::parse_str(GUEST.replace("(;more;)", more)).unwrap()
}

fn declaring(wasm: Vec<u8>, capabilities: &str) -> Upload {
    let declared = Capabilities::from_json(capabilities.as_bytes()).unwrap();
    Upload::declaring(wasm, Some(declared))
}

/// A node with the guest as its only component.
async fn gym(upload: Upload, kind: ComponentType) -> (Gym, Component) {
    let mut gym = Gym::of(Setup::new(8), [guest("")].into_iter()).await;
    let created = gym.node.create_component("starter", kind, upload).await;
    let component = Component::clone(&*created.unwrap());
    gym.component = component.versioned_component_id.component_id;
    (gym, component)
}

async fn ask(gym: &Gym, worker: &str, function: &str) -> u64 {
    gym.number(worker, function, Vec::new()).await
}

async fn add(gym: &Gym, worker: &str, n: u64) -> u64 {
    gym.number(worker, "add", vec![Value::U64(n)]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_that_share_their_start_begin_alike_and_go_on_alone() {
    let upload = declaring(guest(""), r#"{"start": "shared"}"#);
    let (mut gym, component) = gym(upload, ComponentType::Durable).await;
    let drawn = ask(&gym, "a", "drawn").await;
    let draw = ask(&gym, "a", "draw").await;
    assert_eq!(ask(&gym, "b", "drawn").await, drawn);
    assert_ne!(ask(&gym, "b", "draw").await, draw);
    let seconds = component.created_at.0 / 1_000_000;
    assert_eq!(ask(&gym, "b", "moment").await, seconds);
    assert_eq!(add(&gym, "a", 5).await, 5);
    assert_eq!(add(&gym, "b", 2).await, 2);
    // The start-up code has not run for this worker: what is recorded is its own.
    let entries = gym.entries(&gym.worker("a")).await.unwrap();
    let reads = entries.iter();
    let reads = reads.filter(|(_, event)| matches!(event, Event::Read(_)));
    assert_eq!(reads.count(), 1, "{entries:?}");

    gym.crash().await;
    assert_eq!(add(&gym, "a", 5).await, 10);
    assert_eq!(ask(&gym, "a", "drawn").await, drawn);
    assert_eq!(ask(&gym, "c", "drawn").await, drawn);
    let a = gym.worker("a");
    let last = OplogIndex(entries.len() as u64);
    let forked = gym.node.fork_worker(&a, last, "fork");
    gym.alive(forked).await.unwrap().unwrap();
    assert_eq!(add(&gym, "fork", 1).await, 6);
    assert_eq!(ask(&gym, "fork", "drawn").await, drawn);
    let repeated = gym.node.rehearse(&a, None, None);
    let repeated = gym.alive(repeated).await.unwrap().unwrap();
    assert_eq!(repeated.end, RehearsalEnd::Repeated);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_without_a_shared_start_begin_by_themselves() {
    let upload = declaring(guest(""), "{}");
    let (gym, _) = gym(upload, ComponentType::Durable).await;
    assert_ne!(ask(&gym, "a", "drawn").await, ask(&gym, "b", "drawn").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ephemeral_component_starts_once() {
    let upload = declaring(guest(""), r#"{"start": "shared"}"#);
    let (gym, component) = gym(upload, ComponentType::Ephemeral).await;
    let id = component.versioned_component_id.component_id;
    let mut answers = Vec::new();
    for function in ["drawn", "drawn", "draw", "draw"] {
        let request = Gym::request(function, Vec::new(), None);
        let call = gym.node.invoke_and_await(Target::Ephemeral(id), request);
        let outcome = gym.alive(call).await.unwrap().unwrap();
        answers.push(number(Ok::<_, ()>(outcome.results[0].clone())));
    }
    assert_eq!(answers[0], answers[1]);
    assert_ne!(answers[2], answers[3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_keeps_its_start_whatever_later_versions_declare() {
    let (mut gym, component) = gym(guest("").into(), ComponentType::Durable).await;
    let id = component.versioned_component_id.component_id;
    gym.node
        .set_secret(&Namespace::default(), "key", b"a secret value")
        .unwrap();
    let own = ask(&gym, "own", "drawn").await;
    add(&gym, "own", 3).await;
    let mut shared = None;
    for (version, declared) in [
        (1, Some(r#"{"start": "shared"}"#)),
        // Another component, the same start.
        (2, None),
        (3, Some(r#"{"env": {"KEY": {"secret": "key"}}}"#)),
    ] {
        let wasm = guest(&"(nop)".repeat(version));
        let upload = match declared {
            Some(declared) => declaring(wasm, declared),
            None => wasm.into(),
        };
        gym.node.update_component(id, None, upload).await.unwrap();
        let new = ask(&gym, &format!("of {version}"), "drawn").await;
        assert_eq!(*shared.get_or_insert(new) == new, version < 3);
        for (worker, drawn) in [("own", own), ("of 1", shared.unwrap())] {
            let at = gym.worker(worker);
            if gym.node.worker(&at).await.unwrap().component_version != version as u64 {
                let mode = UpdateMode::Automatic;
                let update = gym.node.update_worker(&at, version as u64, mode);
                gym.alive(update).await.unwrap().unwrap();
            }
            assert_eq!(ask(&gym, worker, "drawn").await, drawn, "{worker}");
            let view = gym.node.worker(&at).await.unwrap();
            assert_eq!(view.component_version, version as u64, "{worker}: {view:?}");
        }
        gym.crash().await;
    }
    assert_eq!(add(&gym, "own", 3).await, 6);
    assert_eq!(ask(&gym, "of 1", "drawn").await, shared.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_is_not_the_same_for_all_is_refused_with_what_it_asks_for() {
    let shared = r#"{"start": "shared"}"#;
    let upload = declaring(guest(""), shared);
    let (gym, _) = gym(upload, ComponentType::Durable).await;
    for (more, why) in [
        (
            "(drop (call $timer (i64.const 1)))",
            "wasi:clocks/monotonic-clock.subscribe-duration",
        ),
        ("(unreachable)", "unreachable"),
        ("(loop $l (br $l))", "cpuTime"),
    ] {
        let declared = r#"{"start": "shared", "limits": {"cpuTime": "20ms"}}"#;
        let upload = declaring(guest(more), declared);
        let refused = gym
            .node
            .create_component("refused", ComponentType::Durable, upload);
        let error = gym.alive(refused).await.unwrap().unwrap_err();
        assert!(matches!(error, ComponentError::Start(_)), "{error:?}");
        assert_eq!(error.code(), "CMP-023");
        assert!(error.to_string().contains(why), "{error}");
        let left = gym.node.components(&Namespace::default(), Some("refused"));
        assert!(left.is_empty(), "{left:?}");
        // Each for itself, they may do that.
        let alone = declaring(guest(more), "{}");
        let name = format!("alone-{}", more.len());
        let taken = gym
            .node
            .create_component(name.as_str(), ComponentType::Durable, alone);
        gym.alive(taken).await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_given_an_environment_that_it_would_not_see() {
    let upload = declaring(guest(""), r#"{"start": "shared"}"#);
    let (gym, component) = gym(upload, ComponentType::Durable).await;
    let id = component.versioned_component_id.component_id;
    let variable = || vec![("A".to_owned(), "b".to_owned())];
    for (args, env) in [(vec!["x".to_owned()], Vec::new()), (Vec::new(), variable())] {
        let worker = WorkerId::new(id, "given".to_owned());
        let created = gym.node.create_worker(worker.clone(), args, env);
        let error = gym.alive(created).await.unwrap().unwrap_err();
        assert!(matches!(error, WorkerError::SharedStart(_)), "{error:?}");
        assert_eq!(error.code(), "WRK-035");
        assert!(gym.node.worker(&worker).await.is_err());
    }
    let worker = WorkerId::new(id, "bare".to_owned());
    let created = gym.node.create_worker(worker, Vec::new(), Vec::new());
    gym.alive(created).await.unwrap().unwrap();
}
