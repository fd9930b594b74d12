// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / golem_oplog tests: a guest that reads and searches logs, and components that import every function of the interfaces
//! of Golem 1.1 and 1.0. Read next: `../golem_oplog.rs`, `../golem_api_old.rs`.

use std::path::Path;
use std::sync::Arc;

use golem_model::component::ComponentType;
use golem_model::{ComponentId, IdempotencyKey, OplogIndex, Value, WorkerId};
use golem_storage::{Blobs, MemStore};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

use super::*;
use crate::node::{Node, NodeConfig, Request};
use crate::queue::Target;
use crate::rehearse::{RehearsalEnd, Verification};

/// Numbers of cases of `oplog-entry`.
const CREATE: u64 = 0;
const EXPORTED_FUNCTION_COMPLETED: u64 = 3;

/// What the guest imports and exports.
const WORLD: &str = "
package it:historian;
world guest {
  import golem:api/oplog@1.1.0;
  /// Entries in the lower half, pages in the upper one.
  export read: func(high: u64, low: u64, name: string, start: u64) -> u64;
  /// Index of the first entry that is found times 100, and the number of its case.
  export search: func(high: u64, low: u64, name: string, text: string) -> u64;
  /// Sum of all that the others have answered.
  export total: func() -> u64;
}";

/// A page is returned at 16: whether there is one, the address of its entries at 20, their number at 24.
const GUEST: &str = r#"
(module
  (import "golem:api/oplog@1.1.0" "[constructor]get-oplog" (func $read (param i64 i64 i32 i32 i64) (result i32)))
  (import "golem:api/oplog@1.1.0" "[method]get-oplog.get-next" (func $page (param i32 i32)))
  (import "golem:api/oplog@1.1.0" "[resource-drop]get-oplog" (func $drop-read (param i32)))
  (import "golem:api/oplog@1.1.0" "[constructor]search-oplog" (func $search (param i64 i64 i32 i32 i32 i32) (result i32)))
  (import "golem:api/oplog@1.1.0" "[method]search-oplog.get-next" (func $found (param i32 i32)))
  (import "golem:api/oplog@1.1.0" "[resource-drop]search-oplog" (func $drop-search (param i32)))
  (memory (export "memory") 256)
  (global $top (mut i32) (i32.const 1024))
  (global $total (mut i64) (i64.const 0))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (global.get $top)
    (global.set $top (i32.and
      (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 7)) (i32.const -8))))
  (func $sum (param i64) (result i64)
    (global.set $top (i32.const 1024))
    (global.set $total (i64.add (global.get $total) (local.get 0)))
    (local.get 0))
  (func (export "read") (param i64 i64 i32 i32 i64) (result i64) (local $listing i32) (local $count i64)
    (local.set $listing (call $read (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4)))
    (block $end
      (loop $more
        (call $page (local.get $listing) (i32.const 16))
        (br_if $end (i32.eqz (i32.load8_u (i32.const 16))))
        (local.set $count (i64.add (local.get $count)
          (i64.or (i64.const 0x100000000) (i64.load32_u (i32.const 24)))))
        (br $more)))
    (call $drop-read (local.get $listing))
    (call $sum (local.get $count)))
  (func (export "search") (param i64 i64 i32 i32 i32 i32) (result i64) (local $listing i32) (local $first i64)
    (local.set $listing
      (call $search (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5)))
    (call $found (local.get $listing) (i32.const 16))
    (if (i32.load8_u (i32.const 16)) (then
      (local.set $first (i64.add
        (i64.mul (i64.load (i32.load (i32.const 20))) (i64.const 100))
        (i64.load8_u offset=8 (i32.load (i32.const 20)))))))
    (call $drop-search (local.get $listing))
    (call $sum (local.get $first)))
  (func (export "total") (result i64) (global.get $total)))
"#;

fn wit() -> Resolve {
    let mut resolve = Resolve::new();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("wit");
    resolve.push_dir(path).unwrap();
    resolve
}

/// A component of the only world of `world`, with `code`, or with code that imports all that it may.
fn component(mut resolve: Resolve, world: &str, code: Option<&str>) -> Vec<u8> {
    let package = resolve.push_str("world.wit", world).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    let mut module = match code {
        Some(code) => wat::parse_str(code).unwrap(),
        None => dummy_module(&resolve, world, ManglingAndAbi::Standard32),
    };
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let mut encoder = ComponentEncoder::default().module(&module).unwrap();
    encoder.encode().unwrap()
}

struct Gym {
    node: Arc<Node>,
    store: Arc<MemStore>,
    dir: tempfile::TempDir,
}

impl Gym {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(MemStore::new());
        let node = Self::start(&dir, &store);
        Self { node, store, dir }
    }

    fn start(dir: &tempfile::TempDir, store: &Arc<MemStore>) -> Arc<Node> {
        let blobs = Arc::new(Blobs::open(dir.path().join("blobs")).unwrap());
        let config = NodeConfig::new(dir.path().join("code"));
        let fatal = |error| panic!("{error}");
        Node::start(&config, Arc::clone(store) as _, blobs, fatal).unwrap()
    }

    /// The process ends and starts again.
    async fn restart(&mut self) {
        self.node.stop().await;
        self.store = Arc::new(self.store.reopen());
        self.node = Self::start(&self.dir, &self.store);
    }

    /// Uploads and links a component.
    async fn upload(&self, name: &str, wasm: Vec<u8>) -> Result<ComponentId, String> {
        let upload = self
            .node
            .create_component(name, ComponentType::Durable, wasm);
        let created = upload.await.map_err(|error| error.to_string())?;
        let id = created.versioned_component_id;
        let loaded = self.node.component_loaded(id.component_id, id.version);
        loaded.map_err(|error| error.to_string())?;
        Ok(id.component_id)
    }

    async fn call(
        &self,
        worker: &WorkerId,
        function: &str,
        params: Vec<Value>,
    ) -> Result<u64, WorkerError> {
        let request = Request {
            key: IdempotencyKey(uuid::Uuid::new_v4().to_string()),
            key_is_new: true,
            function: function.to_owned(),
            params,
            deadline: None,
            trace: None,
        };
        let target = Target::Worker(worker.clone());
        let outcome = self.node.invoke_and_await(target, request).await?;
        match outcome.results.first() {
            Some(Value::U64(number)) => Ok(*number),
            other => panic!("{other:?}"),
        }
    }
}

/// What names a worker to the guest.
fn named(worker: &WorkerId, last: Value) -> Vec<Value> {
    let (high, low) = worker.component_id.0.as_u64_pair();
    vec![
        Value::U64(high),
        Value::U64(low),
        Value::String(worker.worker_name.clone()),
        last,
    ]
}

#[tokio::test]
async fn a_guest_reads_and_searches_logs_and_a_replay_sees_the_same() {
    let mut gym = Gym::new();
    let guest = component(wit(), WORLD, Some(GUEST));
    let id = gym.upload("historian", guest).await.unwrap();
    let worker = |name: &str| WorkerId::new(id, name.to_owned());
    let (own, other, nobody) = (worker("own"), worker("other"), worker("nobody"));
    // Each call makes three entries: accepted, started, completed. The first entry is the creation.
    const CALLS: u64 = 70;
    for _ in 0..CALLS {
        gym.call(&other, "total", Vec::new()).await.unwrap();
    }
    let read = async |gym: &Gym, of: &WorkerId, start: u64| {
        let params = named(of, Value::U64(start));
        let answer = gym.call(&own, "read", params).await.unwrap();
        (answer >> 32, answer & 0xffff_ffff)
    };
    let mut total = 0;
    let mut sum = |(pages, entries): (u64, u64)| total += pages << 32 | entries;
    let all = 1 + 3 * CALLS;
    for (start, expected) in [
        (0, (3, all)),
        (1, (3, all)),
        (all, (1, 1)),
        (all + 1, (0, 0)),
        (all - 99, (1, 100)),
    ] {
        let found = read(&gym, &other, start).await;
        assert_eq!(found, expected, "from {start}");
        sum(found);
    }
    assert_eq!(read(&gym, &nobody, 1).await, (0, 0));
    // Its own log, which grows while it is read: up to what was there when it began.
    let before = gym.node.oplog(&own, OplogIndex(1), 1).await.unwrap().1.0;
    let found = read(&gym, &own, 1).await;
    assert_eq!(found, (1, before + 2));
    sum(found);

    let search = async |gym: &Gym, by: &WorkerId, text: &str| {
        let params = named(&other, Value::String(text.to_owned()));
        gym.call(by, "search", params).await
    };
    let mut searched = 0;
    for (text, expected) in [
        ("type:create", 100 + CREATE),
        (
            "exported-function-completed",
            400 + EXPORTED_FUNCTION_COMPLETED,
        ),
        ("nothing", 0),
    ] {
        let found = search(&gym, &own, text).await.unwrap();
        assert_eq!(found, expected, "{text}");
        searched += found;
    }
    let error = search(&gym, &worker("careless"), "(open")
        .await
        .unwrap_err();
    assert!(error.to_string().contains("`)` is missing"), "{error}");

    let total = total + searched;
    assert_eq!(gym.call(&own, "total", Vec::new()).await.unwrap(), total);
    // Both logs have more entries by now: what is read again would be something else.
    gym.call(&other, "total", Vec::new()).await.unwrap();
    gym.restart().await;
    assert_eq!(gym.call(&own, "total", Vec::new()).await.unwrap(), total);
    let repeated = gym.node.rehearse(&own, None, None).await.unwrap();
    assert_eq!(repeated.end, RehearsalEnd::Repeated);
    // If a checkpoint was used, a replay comes to the same memory, and so to the same entries.
    let verified = gym.node.verify(&own).await.unwrap();
    let same = matches!(
        verified,
        Verification::NoCheckpoint | Verification::Same { .. }
    );
    assert!(same, "{verified:?}");
}

#[test]
fn a_page_ends_where_the_reading_ends_and_where_it_is_large() {
    let entry = |index: u64, bytes: usize| {
        let log = PublicOplogEntry::Log {
            timestamp: golem_model::Timestamp(1),
            level: "Stdout".to_owned(),
            context: String::new(),
            message: "x".repeat(bytes),
        };
        (OplogIndex(index), log)
    };
    let page = |sizes: &[usize], end: Option<u64>| {
        let entries = (1..).zip(sizes).map(|(index, size)| entry(index, *size));
        let read = OplogPage {
            entries: entries.collect(),
            next: Some((OplogIndex(9), 4)),
            last: OplogIndex(20),
        };
        let page = Page::of(read, end.map(OplogIndex)).unwrap();
        assert_eq!(Page::from_value(page.to_value()).unwrap(), page);
        (page.entries.len(), page.next, page.end)
    };
    assert_eq!(page(&[1, 1, 1], None), (3, Some((9, Some(4))), 20));
    assert_eq!(page(&[1, 1, 1], Some(2)), (2, None, 2));
    assert_eq!(
        page(&[1, PAGE_BYTES, 1], None),
        (1, Some((2, None)), 20),
        "a large one waits for the next page"
    );
    assert_eq!(
        page(&[PAGE_BYTES, 1], None),
        (1, Some((2, None)), 20),
        "but has one of its own"
    );
}

#[tokio::test]
async fn every_function_of_1_1_and_of_1_0_links() {
    let gym = Gym::new();
    let new =
        "package it:new; world w { import golem:api/host@1.1.0; import golem:api/oplog@1.1.0; }";
    let new = component(wit(), new, None);
    gym.upload("new", new).await.unwrap();

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("wit/deps/golem-api.wit");
    let text = std::fs::read_to_string(path).unwrap();
    let (host, _) = text.split_once("/// The logs of workers").unwrap();
    let jittery = host.replace("package golem:api@1.1.0", "package golem:api@0.2.0");
    let jitter = |line: &&str| line.contains("max-jitter-factor") || line.contains("account-id");
    let lines: Vec<_> = jittery.lines().filter(|line| !jitter(line)).collect();
    assert_eq!(lines.len() + 2, jittery.lines().count());
    let world = "package it:old; world w { import golem:api/host@0.2.0; }";
    let old = |host: &str| {
        let mut resolve = wit();
        resolve.push_str("host.wit", host).unwrap();
        component(resolve, world, None)
    };
    gym.upload("old", old(&lines.join("\n"))).await.unwrap();
    // The types count: a policy with jitter is not one of 1.0.
    let refused = gym.upload("jittery", old(&jittery)).await.unwrap_err();
    assert!(refused.contains("retry-policy"), "{refused}");
}
