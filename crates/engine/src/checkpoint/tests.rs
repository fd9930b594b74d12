// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / tests: checkpoints of small guests: what comes back, and what is refused. Read next: `capture.rs`.

use std::sync::Arc;

use golem_model::component::ComponentType;
use golem_model::{ComponentId, IdempotencyKey, OplogIndex, Value, WorkerId};
use golem_storage::{Blobs, MemStore};
use wasmtime::component::Resource;
use wasmtime_wasi::p2::DynOutputStream;

use super::Held;
use super::capture::NoCheckpoint;
use super::image::{HeldHandle, Image};
use super::instrument::{InstrumentError, Obstacle, instrument};
use super::restore::RestoreError;
use crate::activate::run;
use crate::component::files::Upload;
use crate::component::loaded::Loaded;
use crate::host::durable::Journal;
use crate::host::{Guest, HostState, Invoking};
use crate::instance::Instance;
use crate::node::{Node, NodeConfig};
use crate::queue::Target;
use crate::rpc::Rpc;

/// A guest with a memory that grows, globals of all kinds, a start function, and handles whose numbers it keeps in its
/// memory at 16. `step` counts in memory at 0, writes far away, and changes all globals.
const GUEST: &str = r#"
(component
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type (sub resource)))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (export "output-stream" (type (sub resource)))))
  (alias export $streams "output-stream" (type $output))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $output (type $out))
    (export "output-stream" (type $o (eq $out)))
    (export "get-stdout" (func (result (own $o))))))
  (import "wasi:cli/stderr@0.2.0" (instance $stderr
    (alias outer 1 $output (type $out))
    (export "output-stream" (type $o (eq $out)))
    (export "get-stderr" (func (result (own $o))))))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $p))
    (export "pollable" (type $q (eq $p)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $q))))))
  (type $uri (record (field "value" string)))
  (import "golem:rpc/types@0.1.0" (instance $rpc
    (type $u (record (field "value" string)))
    (export "uri" (type $uri' (eq $u)))
    (export "wasm-rpc" (type $wasm-rpc (sub resource)))
    (export "[constructor]wasm-rpc" (func (param "location" $uri') (result (own $wasm-rpc))))))
  (alias export $rpc "wasm-rpc" (type $client))

  (core module $memory-of-main
    (memory (export "memory") 1)
    (global $bump (mut i32) (i32.const 8192))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $bump)
      (global.set $bump (i32.add (global.get $bump) (local.get 3)))))
  (core instance $libc (instantiate $memory-of-main))
  (core func $get-stdout (canon lower (func $stdout "get-stdout")))
  (core func $get-stderr (canon lower (func $stderr "get-stderr")))
  (core func $timer (canon lower (func $clock "subscribe-duration")))
  (core func $drop-timer (canon resource.drop $pollable))
  (core func $drop-output (canon resource.drop $output))
  (core func $drop-client (canon resource.drop $client))
  (core func $new-client (canon lower (func $rpc "[constructor]wasm-rpc")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core module $main
    (import "libc" "memory" (memory 1))
    (import "host" "get-stdout" (func $get-stdout (result i32)))
    (import "host" "get-stderr" (func $get-stderr (result i32)))
    (import "host" "timer" (func $timer (param i64) (result i32)))
    (import "host" "drop-timer" (func $drop-timer (param i32)))
    (import "host" "drop-output" (func $drop-output (param i32)))
    (import "host" "new-client" (func $new-client (param i32 i32) (result i32)))
    (table 4 funcref)
    (global $a (mut i32) (i32.const -5))
    (global $b (mut i64) (i64.const 7))
    (global $c (mut f32) (f32.const 0.5))
    (global $d (mut f64) (f64.const nan:0x4000000000001))
    (global $constant i32 (i32.const 3))
    (data (i32.const 4096) "data that every instance has")
    (func (export "_initialize")
      (i32.store (i32.const 16) (call $get-stdout))
      (i32.store (i32.const 20) (call $get-stderr))
      (i32.store (i32.const 24) (call $get-stderr)))
    (func (export "step") (param i64) (result i64)
      (i64.store (i32.const 0) (i64.add (i64.load (i32.const 0)) (local.get 0)))
      (global.set $a (i32.add (global.get $a) (i32.const 1)))
      (global.set $b (i64.add (global.get $b) (i64.load (i32.const 0))))
      (global.set $c (f32.add (global.get $c) (f32.const 1)))
      (global.set $d (f64.neg (global.get $d)))
      (i64.store (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 8)) (global.get $b))
      (i64.store (i32.const 5000) (i64.extend_i32_s (global.get $a)))
      (i64.xor (global.get $b)
        (i64.xor (i64.extend_i32_s (global.get $a))
          (i64.xor (i64.extend_i32_u (i32.reinterpret_f32 (global.get $c)))
            (i64.reinterpret_f64 (global.get $d))))))
    (func (export "grow") (param i32) (drop (memory.grow (local.get 0))))
    ;; Two timers that are open at the same time, dropped in the order of their making.
    (func (export "timers") (local i32 i32)
      (local.set 0 (call $timer (i64.const 1)))
      (local.set 1 (call $timer (i64.const 1)))
      (call $drop-timer (local.get 0))
      (call $drop-timer (local.get 1)))
    (func (export "timer") (result i32) (call $timer (i64.const 1)))
    (func (export "drop-one") (param i32) (call $drop-output (local.get 0)))
    (func (export "stdout") (result i32) (call $get-stdout))
    (func (export "client") (param i32 i32) (result i32)
      (call $new-client (local.get 0) (local.get 1))))
  (core instance $main (instantiate $main
    (with "libc" (instance $libc))
    (with "host" (instance
      (export "get-stdout" (func $get-stdout))
      (export "get-stderr" (func $get-stderr))
      (export "timer" (func $timer))
      (export "drop-timer" (func $drop-timer))
      (export "drop-output" (func $drop-output))
      (export "new-client" (func $new-client))))))
  (core module $starter (import "" "" (func $f)) (start $f))
  (core instance (instantiate $starter
    (with "" (instance (export "" (func $main "_initialize"))))))
  (func (export "step") (param "n" u64) (result u64) (canon lift (core func $main "step")))
  (func (export "grow") (param "pages" u32) (canon lift (core func $main "grow")))
  (func (export "timers") (canon lift (core func $main "timers")))
  (func (export "timer") (result u32) (canon lift (core func $main "timer")))
  (func (export "drop-one") (param "handle" u32) (canon lift (core func $main "drop-one")))
  (func (export "stdout") (result u32) (canon lift (core func $main "stdout")))
  (func (export "client") (param "uri" string) (result u32)
    (canon lift (core func $main "client")
      (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
)"#;

pub(super) struct Gym {
    node: Arc<Node>,
    _dir: tempfile::TempDir,
}

impl Gym {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Arc::new(Blobs::open(dir.path().join("blobs")).unwrap());
        let config = NodeConfig::new(dir.path().join("code"));
        let fatal = |error| panic!("{error}");
        let node = Node::start(&config, Arc::new(MemStore::new()), blobs, fatal).unwrap();
        Self { node, _dir: dir }
    }

    pub(super) async fn load(&self, name: &str, upload: impl Into<Upload>) -> Arc<Loaded> {
        let created = self
            .node
            .create_component(name, ComponentType::Durable, upload)
            .await
            .unwrap();
        let id = created.versioned_component_id;
        self.node
            .component_loaded(id.component_id, id.version)
            .unwrap()
    }

    async fn wat(&self, name: &str, wat: &str) -> Arc<Loaded> {
        self.load(name, wat::parse_str(wat).unwrap()).await
    }

    /// The state of an instance whose history nobody keeps.
    pub(super) fn state(&self, loaded: &Loaded) -> HostState {
        let id = loaded.info.versioned_component_id;
        let guest = Guest {
            worker: WorkerId::new(id.component_id, "w".to_owned()),
            origin: None,
            version: id.version,
            args: Vec::new(),
            env: Vec::new(),
            secrets: Vec::new(),
            start: self.node.shared_start(&loaded.info).unwrap(),
        };
        let given = self.node.give(&loaded.info, &guest).unwrap();
        HostState::new(
            Arc::new(guest),
            Journal::off(self.node.payloads()),
            Rpc::new(Arc::clone(&self.node)),
            given,
            None,
        )
    }

    pub(super) async fn start(&self, loaded: &Arc<Loaded>) -> Instance {
        let state = self.state(loaded);
        Instance::start(Arc::clone(loaded), state).await.unwrap()
    }

    async fn restore(&self, loaded: &Arc<Loaded>, image: &Image) -> Instance {
        let bytes = image.to_bytes();
        let image = Image::from_bytes(&bytes).unwrap();
        let state = self.state(loaded);
        Instance::restore(Arc::clone(loaded), state, &image)
            .await
            .unwrap()
    }
}

pub(super) async fn call(instance: &mut Instance, function: &str, arguments: Vec<Value>) -> Value {
    let invoking = Invoking {
        key: IdempotencyKey("k".to_owned()),
        calls: 0,
        started: OplogIndex(0),
        deadline: None,
        call_timeout: None,
        trace: None,
    };
    let input = Value::Tuple(arguments);
    run(instance, invoking, function, &input, 1).await.unwrap()
}

async fn number(instance: &mut Instance, function: &str, arguments: Vec<Value>) -> u32 {
    let Value::Tuple(result) = call(instance, function, arguments).await else {
        panic!("no tuple")
    };
    let [Value::U32(number)] = result.as_slice() else {
        panic!("{result:?}")
    };
    *number
}

pub(super) async fn image(instance: &mut Instance) -> Image {
    instance.capture().await.unwrap().unwrap()
}

#[tokio::test]
async fn an_instance_comes_back_with_memory_globals_and_handles() {
    let gym = Gym::new();
    let loaded = gym.wat("guest", GUEST).await;
    comes_back(&gym, &loaded, Held::Rpc).await;
    // The same guest with the client of a stub interface that the engine links.
    let stub = GUEST
        .replace("golem:rpc/types@0.1.0", "a:b-stub/stub-b")
        .replace("wasm-rpc", "b");
    let loaded = gym.wat("stub", &stub).await;
    comes_back(&gym, &loaded, |target| Held::Stub { number: 0, target }).await;
}

async fn comes_back(gym: &Gym, loaded: &Arc<Loaded>, client: impl Fn(Target) -> Held) {
    assert_eq!(loaded.access.as_ref().err(), None);
    let mut first = gym.start(loaded).await;
    for n in 0..5 {
        call(&mut first, "step", vec![Value::U64(n)]).await;
    }
    // More than is read at once.
    call(&mut first, "grow", vec![Value::U32(600)]).await;
    call(&mut first, "step", vec![Value::U64(9)]).await;
    // Slots 4 and 5 are free afterwards, 5 first; slot 2 was free in between and is taken by stdout.
    call(&mut first, "timers", vec![]).await;
    call(&mut first, "drop-one", vec![Value::U32(2)]).await;
    assert_eq!(number(&mut first, "stdout", vec![]).await, 2);
    call(&mut first, "drop-one", vec![Value::U32(1)]).await;
    let worker = "urn:worker:00000000-0000-0000-0000-000000000005/other";
    let uri = vec![Value::String(worker.to_owned())];
    assert_eq!(number(&mut first, "client", uri.clone()).await, 1);
    assert_eq!(number(&mut first, "client", uri.clone()).await, 5);
    let taken = image(&mut first).await;
    let other = ComponentId(uuid::Uuid::from_u128(5));
    let target = Target::Worker(WorkerId::new(other, "other".to_owned()));
    let held: Vec<_> = taken
        .slots
        .iter()
        .map(|slot| slot.as_ref().map(|handle| handle.held.clone()))
        .collect();
    assert_eq!(
        held,
        [
            Some(client(target.clone())),
            Some(Held::Stdout),
            Some(Held::Stderr),
            None,
            Some(client(target))
        ]
    );
    assert_eq!(taken.free, [4]);

    let mut second = gym.restore(loaded, &taken).await;
    let again = image(&mut second).await;
    assert_eq!(again, taken, "an image of the copy is the same image");
    for instance in [&mut first, &mut second] {
        call(instance, "grow", vec![Value::U32(1)]).await;
        assert_eq!(number(instance, "client", uri.clone()).await, 4);
        assert_eq!(number(instance, "stdout", vec![]).await, 6);
    }
    for n in 10..15 {
        let expected = call(&mut first, "step", vec![Value::U64(n)]).await;
        assert_eq!(
            call(&mut second, "step", vec![Value::U64(n)]).await,
            expected
        );
    }
    let (first, second) = (image(&mut first).await, image(&mut second).await);
    assert_eq!(first.memory_hash(), second.memory_hash());
    assert_ne!(first.memory_hash(), taken.memory_hash());
    assert_eq!(first, second);
}

#[tokio::test]
async fn what_is_open_is_a_reason_to_wait() {
    let gym = Gym::new();
    let loaded = gym.wat("guest", GUEST).await;
    let mut instance = gym.start(&loaded).await;
    assert_eq!(number(&mut instance, "timer", vec![]).await, 4);
    let refused = instance.capture().await.unwrap();
    assert_eq!(refused, Err(NoCheckpoint::Waiting));
    // The instance goes on as if nobody had asked.
    assert_eq!(number(&mut instance, "stdout", vec![]).await, 5);
}

#[tokio::test]
async fn handles_that_are_not_followed_never_make_a_wrong_image() {
    let gym = Gym::new();
    let loaded = gym.wat("guest", GUEST).await;
    let mut instance = gym.start(&loaded).await;
    // The mirror believes in one object less than there is.
    let good = instance.state().mirror.clone();
    let (rep, _) = (good.get(3).unwrap().1, ());
    instance.state().mirror.remove(rep);
    let refused = instance.capture().await.unwrap().unwrap_err();
    assert!(matches!(refused, NoCheckpoint::Unknown { .. }), "{refused}");
    // The mirror has a handle in another place: it is found, because only one place is possible.
    instance.state().mirror = good.clone();
    call(&mut instance, "timers", vec![]).await;
    let rep = instance.state().mirror.get(1).unwrap().1;
    instance.state().mirror.remove(rep);
    instance.state().mirror.insert(Held::Passing("file"), 9999);
    instance.state().mirror.insert(Held::Stdout, rep);
    instance.state().mirror.remove(9999);
    assert_ne!(instance.state().mirror.get(1).map(|slot| slot.1), Some(rep));
    let taken = image(&mut instance).await;
    let stdout = |slot: &Option<HeldHandle>| slot.as_ref().map(|handle| handle.held.clone());
    assert_eq!(stdout(&taken.slots[0]), Some(Held::Stdout));
    assert_eq!(taken.free, [4, 5]);
    // The mirror has two handles of one type in each other's place: both stand for another object than believed.
    let slots = [2, 1, 3].map(|index| instance.state().mirror.get(index).cloned());
    instance.state().mirror = super::HandleMirror::of(slots.to_vec(), Vec::new());
    let refused = instance.capture().await.unwrap().unwrap_err();
    assert!(matches!(refused, NoCheckpoint::Handles(_)), "{refused}");
}

#[tokio::test]
async fn an_image_of_another_component_is_refused() {
    let gym = Gym::new();
    let loaded = gym.wat("guest", GUEST).await;
    let mut instance = gym.start(&loaded).await;
    let taken = image(&mut instance).await;
    let changed = GUEST.replace("data that every", "data which every");
    let other = gym.wat("other", &changed).await;
    let state = gym.state(&other);
    let refused = Instance::restore(other, state, &taken).await.err().unwrap();
    assert!(matches!(refused, RestoreError::OtherComponent));

    type Spoil = fn(&mut Image);
    let spoils: [Spoil; 6] = [
        |image| image.free.push(1),
        |image| image.slots.push(None),
        |image| image.slots[0].as_mut().unwrap().resource = 77,
        |image| image.slots[0].as_mut().unwrap().held = Held::Stdin,
        |image| image.globals.clear(),
        |image| Arc::make_mut(&mut image.memories[0]).size = 0,
    ];
    for spoil in spoils {
        let mut image = taken.clone();
        spoil(&mut image);
        let state = gym.state(&loaded);
        let restored = Instance::restore(Arc::clone(&loaded), state, &image).await;
        let refused = restored.err().unwrap();
        assert!(matches!(refused, RestoreError::Unfit(_)), "{refused}");
    }
}

/// The host has closed something whose handle the guest still has: nothing on the host's side tells.
#[tokio::test]
async fn a_handle_that_only_the_guest_has_is_found() {
    let gym = Gym::new();
    let loaded = gym.wat("guest", GUEST).await;
    for gap in [false, true] {
        let mut instance = gym.start(&loaded).await;
        assert_eq!(number(&mut instance, "stdout", vec![]).await, 4);
        if gap {
            // Slot 3 is free, and it is where the end of a table with two handles would be.
            call(&mut instance, "drop-one", vec![Value::U32(3)]).await;
        }
        let state = instance.state();
        let rep = state.mirror.get(4).unwrap().1;
        state.mirror.remove(rep);
        state
            .table
            .delete(Resource::<DynOutputStream>::new_own(rep))
            .unwrap();
        let refused = instance.capture().await.unwrap().unwrap_err();
        assert!(matches!(refused, NoCheckpoint::Handles(_)), "{refused}");
        // Looking has changed nothing that the guest could see.
        let next = if gap { 3 } else { 5 };
        assert_eq!(number(&mut instance, "stdout", vec![]).await, next);
    }
}

/// A guest with a resource of its own: `r.new` gives one away, `hoard` keeps one.
const OWNER: &str = r#"
(component
  (type $inner (resource (rep i32)))
  (core func $new (canon resource.new $inner))
  (core module $m
    (import "" "new" (func $new (param i32) (result i32)))
    (func (export "make") (result i32) (call $new (i32.const 7)))
    (func (export "hoard") (drop (call $new (i32.const 8)))))
  (core instance $i (instantiate $m (with "" (instance (export "new" (func $new))))))
  (export $r "r" (type $inner))
  (func (export "[constructor]r") (result (own $r)) (canon lift (core func $i "make")))
  (func (export "hoard") (canon lift (core func $i "hoard")))
)"#;

#[tokio::test]
async fn resources_of_the_guest_that_are_held_are_a_reason_to_wait() {
    let gym = Gym::new();
    let loaded = gym.wat("owner", OWNER).await;
    let mut instance = gym.start(&loaded).await;
    let Value::Tuple(made) = call(&mut instance, "r.new", vec![]).await else {
        panic!("no tuple")
    };
    let refused = instance.capture().await.unwrap();
    assert_eq!(refused, Err(NoCheckpoint::GivenAway(1)));
    call(&mut instance, "r.drop", made).await;
    let taken = image(&mut instance).await;
    assert_eq!(taken.host.next_handle, 2);
    let mut second = gym.restore(&loaded, &taken).await;
    assert!(image(&mut second).await == taken);
    // The host never hears of this one.
    call(&mut second, "hoard", vec![]).await;
    let refused = second.capture().await.unwrap().unwrap_err();
    assert!(matches!(refused, NoCheckpoint::Handles(_)), "{refused}");
}

/// A component around one core module.
fn around(module: &str) -> String {
    format!("(component (core module $m {module}) (core instance (instantiate $m)))")
}

#[tokio::test]
async fn what_cannot_be_captured_runs_without_checkpoints_and_says_why() {
    let gym = Gym::new();
    let cases = [
        (
            around("(table 1 funcref) (func (table.set 0 (i32.const 0) (ref.null func)))"),
            Obstacle::Table,
        ),
        (
            around("(memory 1) (data $d \"x\") (func (data.drop $d))"),
            Obstacle::Segment,
        ),
        (
            around("(global (mut v128) (v128.const i64x2 0 0))"),
            Obstacle::Global,
        ),
        (
            around("(global (mut funcref) (ref.null func))"),
            Obstacle::Global,
        ),
        (around("(memory i64 1)"), Obstacle::Memory),
        (around("(func $f) (start $f)"), Obstacle::Start),
        (
            around("(func $f) (export \"golem-checkpoint-x\" (func $f))"),
            Obstacle::Name,
        ),
        (
            format!(
                "(component (component $c {}) (instance (instantiate $c)))",
                around("(memory 1)")
            ),
            Obstacle::Nested,
        ),
    ];
    for (at, (wat, obstacle)) in cases.iter().enumerate() {
        let loaded = gym.wat(&format!("c{at}"), wat).await;
        assert_eq!(loaded.access.as_ref().err(), Some(obstacle), "{wat}");
        let mut instance = gym.start(&loaded).await;
        let refused = instance.capture().await.unwrap();
        assert_eq!(refused, Err(NoCheckpoint::Component(*obstacle)));
    }
    // `memory.init` alone changes nothing that a memory does not show.
    let wat = around(
        "(memory 1) (data $d \"x\") (func (memory.init $d (i32.const 0) (i32.const 0) (i32.const 1)))",
    );
    let loaded = gym.wat("init", &wat).await;
    assert_eq!(loaded.access.as_ref().err(), None);
}

#[tokio::test]
async fn the_accessor_is_not_seen_from_outside() {
    let gym = Gym::new();
    let wasm = wat::parse_str(GUEST).unwrap();
    let loaded = gym.load("guest", wasm.clone()).await;
    let id = loaded.info.versioned_component_id.component_id;
    assert_eq!(gym.node.component_wasm(id, None).unwrap(), wasm);
    let metadata = serde_json::to_string(&loaded.info.metadata).unwrap();
    assert!(!metadata.contains("checkpoint"), "{metadata}");
    assert_eq!(loaded.info.metadata.imports.len(), 6);
}

#[test]
fn the_same_component_gives_the_same_bytes_and_our_names_are_refused() {
    let wasm = wat::parse_str(GUEST).unwrap();
    let once = instrument(&wasm).unwrap();
    assert_eq!(once, instrument(&wasm).unwrap());
    let twice = instrument(&once);
    assert!(matches!(twice, Err(InstrumentError::Reserved(_))));
    assert!(matches!(
        instrument(b"\0asm\x0d\0\x01\0junk"),
        Err(InstrumentError::Malformed(_))
    ));
}

/// Hostile uploads reach the instrumentation before the compiler has looked at them.
#[test]
fn damaged_components_never_panic() {
    let wasm = wat::parse_str(GUEST).unwrap();
    for at in 0..wasm.len() {
        for change in [1, 0x40, 0xff] {
            let mut damaged = wasm.clone();
            damaged[at] ^= change;
            drop(instrument(&damaged));
        }
        drop(instrument(&wasm[..at]));
    }
}
