// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / faults/gym: a node in process that can crash: what its store has not committed is lost, and a new node starts on
//! the rest. In: calls by name. Out: answers, or that the node has crashed. Bound: [`PATIENCE`]. Read next: `crash.rs`.

use std::fmt::Debug;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use golem_model::component::ComponentType;
use golem_model::oplog::{Event, OplogEntry};
use golem_model::{ComponentId, IdempotencyKey, OplogIndex, Value, WorkerId};
use golem_storage::{Blobs, MemStore};
use tempfile::TempDir;
use tokio::sync::watch;

use super::{guest, outside};
use crate::error::WorkerError;
use crate::host::{HostRule, Network};
use crate::limits::SUSPEND_AFTER;
use crate::node::{Node, NodeConfig, Request};
use crate::queue::Target;
use crate::retention::Retention;

/// Longest wait for anything: far above what it needs, so that a test that hangs says so.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// What a test sets of its node.
#[derive(Clone)]
pub(super) struct Setup {
    pub(super) resident_max: usize,
    pub(super) memory_bytes: Option<u64>,
    pub(super) suspend_after: Duration,
    pub(super) retention: Retention,
    /// Where guests may connect to beside [`outside::peer`].
    pub(super) allowed: Vec<HostRule>,
}

impl Setup {
    /// The defaults with at most `resident_max` idle instances.
    pub(super) fn new(resident_max: usize) -> Self {
        Self {
            resident_max,
            memory_bytes: None,
            suspend_after: SUSPEND_AFTER,
            retention: Retention::default(),
            allowed: Vec::new(),
        }
    }
}

/// How a node is made again.
pub(super) struct Gym {
    pub(super) node: Arc<Node>,
    pub(super) store: Arc<MemStore>,
    pub(super) component: ComponentId,
    /// Components of [`super::outside`]: the one that leaves traces, the one with a connection.
    outside: Option<[ComponentId; 2]>,
    pub(super) dir: TempDir,
    setup: Setup,
    dead: watch::Receiver<bool>,
}

/// The node has crashed, or was crashed.
#[derive(Debug)]
pub(super) struct Crashed;

fn start(
    dir: &TempDir,
    setup: &Setup,
    store: &Arc<MemStore>,
) -> (Arc<Node>, watch::Receiver<bool>) {
    let (dies, dead) = watch::channel(false);
    let blobs = Arc::new(Blobs::open(dir.path().join("blobs")).unwrap());
    let mut config = NodeConfig::new(dir.path().join("code"));
    config.resident_max = setup.resident_max;
    config.memory_bytes = setup.memory_bytes;
    config.suspend_after = setup.suspend_after;
    // Soon, so that short histories do.
    config.checkpoint_leaving = 128;
    config.retention = setup.retention;
    let rule = format!("127.0.0.1:{}", outside::peer());
    let rules = setup.allowed.iter().cloned();
    config.network = Network::new(rules.chain([rule.parse().unwrap()]).collect());
    let fatal = move |_| {
        dies.send_replace(true);
    };
    let node = Node::start(&config, Arc::clone(store) as _, blobs, fatal).unwrap();
    (node, dead)
}

impl Gym {
    /// A node on an empty store with the user guest uploaded in so many versions. At most `resident_max` idle instances.
    pub(super) async fn new(resident_max: usize, versions: u32) -> Self {
        Self::with(Setup::new(resident_max), versions).await
    }

    /// The same with more settings.
    pub(super) async fn with(setup: Setup, versions: u32) -> Self {
        Self::of(setup, (0..versions).map(guest::user)).await
    }

    /// The same with versions of another guest.
    pub(super) async fn of(setup: Setup, mut versions: impl Iterator<Item = Vec<u8>>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(MemStore::new());
        let (node, dead) = start(&dir, &setup, &store);
        let first = versions.next().unwrap();
        let upload = node.create_component("faults", ComponentType::Durable, first);
        let component = upload.await.unwrap().versioned_component_id.component_id;
        for version in versions {
            let upload = node.update_component(component, None, version);
            upload.await.unwrap();
        }
        Self {
            node,
            store,
            component,
            outside: None,
            dir,
            setup,
            dead,
        }
    }

    /// Uploads the guests of [`super::outside`] as well.
    pub(super) async fn with_outside(mut self) -> Self {
        let mut ids = Vec::new();
        for (name, wasm) in [
            ("outside", outside::outside()),
            ("dialer", outside::dialer()),
        ] {
            let upload = self
                .node
                .create_component(name, ComponentType::Durable, wasm);
            ids.push(upload.await.unwrap().versioned_component_id.component_id);
        }
        self.outside = Some([ids[0], ids[1]]);
        self
    }

    /// Another node that begins with what this one has committed, and with its compiled code.
    pub(super) fn copy(&self) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let code = |dir: &TempDir| -> PathBuf { dir.path().join("code") };
        golem_testkit::copy_tree(&code(&self.dir), &code(&dir)).unwrap();
        golem_testkit::copy_tree(&self.dir.path().join("blobs"), &dir.path().join("blobs"))
            .unwrap();
        let store = Arc::new(MemStore::from_snapshot(self.store.snapshot()));
        let (node, dead) = start(&dir, &self.setup, &store);
        Self {
            node,
            store,
            component: self.component,
            outside: self.outside,
            dir,
            setup: self.setup.clone(),
            dead,
        }
    }

    /// Starts again with more hosts that guests may connect to.
    pub(super) async fn allow(&mut self, rules: Vec<HostRule>) {
        self.setup.allowed = rules;
        self.restart().await;
    }

    /// The process dies and starts again: what is not committed is lost.
    pub(super) async fn crash(&mut self) {
        let store = Arc::new(self.store.reopen());
        self.again(store).await;
    }

    /// The process ends in good order and starts again.
    pub(super) async fn restart(&mut self) {
        self.node.stop().await;
        let store = Arc::new(self.store.reopen());
        self.again(store).await;
    }

    async fn again(&mut self, store: Arc<MemStore>) {
        self.node.stop().await;
        let (node, dead) = start(&self.dir, &self.setup, &store);
        self.node = node;
        self.store = store;
        self.dead = dead;
    }

    pub(super) fn worker(&self, name: &str) -> WorkerId {
        let component = match (name, self.outside) {
            ("outside", Some([outside, _])) => outside,
            ("dialer", Some([_, dialer])) => dialer,
            _ => self.component,
        };
        WorkerId::new(component, name.to_owned())
    }

    /// The URN of a worker of the guest that uses everything.
    pub(super) fn urn(&self, name: &str) -> Value {
        Value::String(format!("urn:worker:{}/{name}", self.component.0))
    }

    /// What a call with `key` asks for; a new key if there is none.
    pub(super) fn request(function: &str, params: Vec<Value>, key: Option<&str>) -> Request {
        let new = || uuid::Uuid::new_v4().to_string();
        Request {
            key: IdempotencyKey(key.map_or_else(new, str::to_owned)),
            key_is_new: key.is_none(),
            function: function.to_owned(),
            params,
            deadline: None,
            trace: None,
        }
    }

    /// Waits for something that the node does, or for its crash.
    pub(super) async fn alive<T>(&self, what: impl Future<Output = T>) -> Result<T, Crashed> {
        let mut dead = self.dead.clone();
        tokio::select! {
            done = what => if *self.dead.borrow() { Err(Crashed) } else { Ok(done) },
            _ = dead.wait_for(|dead| *dead) => Err(Crashed),
            () = tokio::time::sleep(PATIENCE) => panic!("nothing happens for {PATIENCE:?}"),
        }
    }

    /// Calls a function of a worker and waits for its answer.
    pub(super) async fn ask(
        &self,
        worker: &str,
        function: &str,
        params: Vec<Value>,
        key: Option<&str>,
    ) -> Result<Result<Value, WorkerError>, Crashed> {
        let target = Target::Worker(self.worker(worker));
        let call = self
            .node
            .invoke_and_await(target, Self::request(function, params, key));
        let outcome = self.alive(call).await?;
        Ok(outcome.map(|outcome| {
            outcome
                .results
                .into_iter()
                .next()
                .unwrap_or(Value::Bool(true))
        }))
    }

    /// The same where it has to succeed, for a function that answers with a number.
    pub(super) async fn number(&self, worker: &str, function: &str, params: Vec<Value>) -> u64 {
        number(self.ask(worker, function, params, None).await.unwrap())
    }

    /// Entries of a worker's log.
    pub(super) async fn entries(
        &self,
        worker: &WorkerId,
    ) -> Result<Vec<(OplogIndex, Event)>, WorkerError> {
        let (entries, _) = self.node.oplog(worker, OplogIndex(1), usize::MAX).await?;
        let event = |(index, OplogEntry { event, .. })| Some((index, event?));
        Ok(entries.into_iter().filter_map(event).collect())
    }

    /// Looks until `look` finds something.
    pub(super) async fn until<T, F>(
        &self,
        what: &str,
        mut look: impl FnMut() -> F,
    ) -> Result<T, Crashed>
    where
        F: Future<Output = Option<T>>,
    {
        let start = std::time::Instant::now();
        loop {
            if let Some(found) = self.alive(look()).await? {
                return Ok(found);
            }
            assert!(start.elapsed() < PATIENCE, "{what} does not happen");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// The number that a call has answered.
pub(super) fn number<E: Debug>(answer: Result<Value, E>) -> u64 {
    match answer {
        Ok(Value::U64(number)) => number,
        Ok(Value::U32(number)) => number.into(),
        other => panic!("no number: {other:?}"),
    }
}
