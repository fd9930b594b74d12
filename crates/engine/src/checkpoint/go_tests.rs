// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / go_tests: a checkpoint of a real Go worker, restored in another store: the same later answers and, byte for
//! byte, the same memory. Prints what it took. Read next: `tests.rs`.

use std::path::Path;
use std::time::Instant;

use golem_model::Value;
use golem_model::capabilities::Capabilities;
use golem_testkit::Guest;

use super::image::Image;
use super::tests::{Gym, call, image};
use crate::component::files::Upload;
use crate::instance::Instance;

const API: &str = "it:probe/probe-api";

/// Calls whose answers follow from the state alone, so two instances must give the same.
async fn go_on(instance: &mut Instance) -> Vec<Value> {
    let mut answers = Vec::new();
    for n in 0..40u64 {
        let calls = [
            ("add", vec![Value::U64(n)]),
            ("churn", vec![Value::U32(3)]),
            ("say", vec![Value::String(format!("line {n}"))]),
            ("env", vec![Value::String("GOLEM_WORKER_NAME".to_owned())]),
        ];
        for (function, arguments) in calls {
            let function = format!("{API}.{{{function}}}");
            answers.push(call(instance, &function, arguments).await);
        }
    }
    let hash = format!("{API}.{{memory-hash}}");
    answers.push(call(instance, &hash, vec![]).await);
    answers
}

/// The guest, if there is a compiler for it; says so where not.
fn probe(test: &str) -> Option<Guest> {
    if golem_testkit::go().is_none() {
        eprintln!("SKIPPED: no Go compiler for {test}");
        return None;
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/it/guests/probe");
    Some(Guest::build(&source, "probe.wasm").unwrap())
}

/// The text that a function answers.
async fn text(instance: &mut Instance, function: &str, argument: &str) -> String {
    let argument = vec![Value::String(argument.to_owned())];
    let answer = call(instance, &format!("{API}.{{{function}}}"), argument).await;
    match answer {
        Value::Tuple(values) => match values.as_slice() {
            [Value::String(text)] => text.clone(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn go_workers_that_share_their_start_have_the_memory_of_one_that_starts() {
    let Some(guest) = probe("go_workers_that_share_their_start") else {
        return;
    };
    let declared = r#"{"start": "shared", "env": {"MODE": "fast"}}"#;
    let declared = Capabilities::from_json(declared.as_bytes()).unwrap();
    let upload = Upload::declaring(guest.wasm.to_vec(), Some(declared));
    let gym = Gym::new();
    let loaded = gym.load("probe", upload).await;
    let mut first = gym.start(&loaded).await;
    let before = Instant::now();
    let mut second = gym.start(&loaded).await;
    let starting = before.elapsed();
    let start = image(&mut first).await;
    assert!(start == image(&mut second).await);
    // The image is a cache: the start-up code makes the same again.
    *loaded.starting.lock().await = None;
    let before = Instant::now();
    let mut third = gym.start(&loaded).await;
    let making = before.elapsed();
    assert!(start == image(&mut third).await);

    for (name, value) in [("GOLEM_WORKER_NAME", ""), ("MODE", "fast")] {
        assert_eq!(text(&mut first, "env", name).await, value);
        assert_eq!(text(&mut second, "env", name).await, value);
    }
    assert_eq!(go_on(&mut first).await, go_on(&mut second).await);
    // What these two have done is nothing to the third.
    assert_ne!(
        image(&mut first).await.memory_hash(),
        image(&mut third).await.memory_hash()
    );
    let random = format!("{API}.{{now-and-random}}");
    let draw = call(&mut first, &random, vec![]).await;
    assert_ne!(draw, call(&mut second, &random, vec![]).await);
    eprintln!(
        "start from an image of {} KiB in {starting:?}, with the making of it {making:?}",
        start.bytes() >> 10
    );
}

#[tokio::test]
async fn a_go_worker_goes_on_from_a_checkpoint_as_if_nothing_had_happened() {
    let Some(guest) = probe("a_go_worker_goes_on_from_a_checkpoint") else {
        return;
    };
    let before = Instant::now();
    let instrumented = super::instrument(&guest.wasm).unwrap();
    let instrumenting = before.elapsed();
    let gym = Gym::new();
    let loaded = gym.load("probe", guest.wasm.to_vec()).await;
    assert_eq!(loaded.access.as_ref().err(), None);

    let before = Instant::now();
    let mut first = gym.start(&loaded).await;
    let starting = before.elapsed();
    for n in 0..30u64 {
        for (function, arguments) in [
            ("add", vec![Value::U64(n)]),
            ("now-and-random", vec![]),
            ("churn", vec![Value::U32(20)]),
            ("sleep", vec![Value::U64(1)]),
            ("say", vec![Value::String("hello".to_owned())]),
        ] {
            let function = format!("{API}.{{{function}}}");
            call(&mut first, &function, arguments).await;
        }
    }
    let before = Instant::now();
    let taken = image(&mut first).await;
    let capturing = before.elapsed();
    let before = Instant::now();
    let bytes = taken.to_bytes();
    let encoding = before.elapsed();
    let before = Instant::now();
    let read = Image::from_bytes(&bytes).unwrap();
    let decoding = before.elapsed();
    assert!(read == taken);
    let state = gym.state(&loaded);
    let before = Instant::now();
    let restored = Instance::restore(loaded.clone(), state, &read).await;
    let restoring = before.elapsed();
    let mut second = restored.unwrap();
    // Lines are counted by the journal, which is the caller's: here it counts from the checkpoint on.
    let mut again = image(&mut second).await;
    again.host.lines += taken.host.lines;
    assert_eq!(again.memory_hash(), taken.memory_hash());
    assert!(again == taken);
    let before = Instant::now();
    assert_eq!(go_on(&mut first).await, go_on(&mut second).await);
    let calling = before.elapsed();
    let (first, mut second) = (image(&mut first).await, image(&mut second).await);
    second.host.lines += taken.host.lines;
    assert_ne!(first.memory_hash(), taken.memory_hash());
    assert_eq!(first.memory_hash(), second.memory_hash());
    assert!(first == second);
    eprintln!(
        "component {} -> {} bytes in {instrumenting:?}; start {starting:?}; memory {} KiB, pages {} KiB, image {} KiB; \
         capture {capturing:?}, to bytes {encoding:?}, from bytes {decoding:?}, restore {restoring:?}; 2 x 161 calls {calling:?}",
        guest.wasm.len(),
        instrumented.len(),
        taken
            .memories
            .iter()
            .map(|memory| memory.size * 64)
            .sum::<u32>(),
        taken.bytes() >> 10,
        bytes.len() >> 10,
    );
}
