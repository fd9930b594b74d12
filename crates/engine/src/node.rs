// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / node: the engine of one process, as the server and other workers see it. In: requests. Out: outcomes that
//! are durable. Finds or starts the task of a worker; knows nothing of its inside. Read next: `worker.rs`, `ephemeral.rs`.

mod call_tree;
mod calls;
mod checkpoints;
mod components;
pub(crate) mod files;
mod namespaces;
mod public;
mod recording;
mod serve;
mod workers;

use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use golem_model::api::SecretInfo;
use golem_model::oplog::RetryPolicy;
use golem_model::trace::TraceContext;
use golem_model::types::Function as Signature;
use golem_model::worker::{UpdateRecord, WorkerRow, WorkerStatus};
use golem_model::{
    ComponentVersion, IdempotencyKey, LogId, Namespace, ShardId, Timestamp, Value, WitType,
    WorkerId,
};
use golem_storage::{Blobs, CommitError, Committer, CrashPoint, Seq, Store, StoreError, Token};
use parking_lot::Mutex;
use rustc_hash::{FxHashMap, FxHasher};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

pub use self::call_tree::{CALL_DEPTH_MAX, CALL_NODES_MAX, CallsOf};
pub use self::public::{OplogPage, PAGE_ENTRIES_MAX};
pub(crate) use self::workers::row_of;
use crate::capabilities::Policy;
use crate::chance::Chance;
use crate::checkpoint::{CheckpointStats, Shelf};
use crate::clock::Clock;
use crate::component::catalog::Catalog;
use crate::cwasm::CodeCache;
use crate::error::WorkerError;
use crate::host::{Network, NetworkDouble, Outside};
use crate::limits::{CHECKPOINT_LEAVING, EXECUTING_MAX, LimitPolicy, RESIDENT_MAX, SUSPEND_AFTER};
use crate::maps;
use crate::metrics::Metrics;
use crate::oplog::Payloads;
use crate::promises::Promises;
use crate::resident::{LOOK_EVERY, Resident, machine_bytes};
use crate::retention::Retention;
use crate::rpc::WaitGraph;
use crate::secrets::{SecretError, Secrets};
use crate::steady;
use crate::timers::Timers;
use crate::trace::Tracer;
use crate::wasm::{Running, Ticker, engine};
use crate::worker::{Message, Worker};

/// Parts into which the table of active workers is split, so that two workers rarely meet at a lock.
const REGISTRY_PARTS: usize = 64;
/// Workers that are woken at once at start: the others follow as these finish reading their logs.
const WAKE_BATCH: usize = 256;
/// Records of deleted workers that are removed in one commit: few, so that nobody waits behind them.
const SWEEP_RECORDS: usize = 1_000;

/// Which part of the machine's memory the process may have before instances without work leave it, in hundredths: the rest
/// is for the page cache, compilations, and what grows between two measurements. Source: runtime spec §2.6.
pub const MEMORY_PART: u64 = 70;

/// Name of the file with the key of secrets, in the data directory.
pub const SECRET_KEY_FILE: &str = "secret.key";

/// How a node is set up.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// Where compiled code is kept.
    pub code_dir: PathBuf,
    /// Where large files of workers are kept. Emptied at start: the log makes them again.
    pub files_dir: PathBuf,
    /// Where images of instances are kept.
    pub checkpoints_dir: PathBuf,
    /// The file with the key that seals secrets; made with the first one.
    pub secret_key: PathBuf,
    /// Hosts that guests may connect to at most; none by default.
    pub network: Network,
    /// Whether components that declare no capabilities reach nothing, instead of all that `network` allows.
    pub declared_only: bool,
    /// How much workers may use.
    pub limits: LimitPolicy,
    /// Who gets spans of invocations; nobody by default.
    pub tracer: Option<Arc<Tracer>>,
    /// Who answers the requests of guests instead of the network. For tests.
    pub double: Option<Arc<dyn NetworkDouble>>,
    /// What time it is.
    pub clock: Clock,
    /// Where random bytes come from.
    pub chance: Chance,
    /// Whether nothing is committed before [`Node::commit_one`] says so, and then one thing at a time. For tests.
    pub driven: bool,
    /// Instances without work that stay in memory at most; half of them when the server is quiet.
    pub resident_max: usize,
    /// Bytes of the whole process above which instances without work leave memory, those that were left alone longest
    /// first. `None`: [`MEMORY_PART`] of the machine.
    pub memory_bytes: Option<u64>,
    /// How long a guest waits for timers and promises before the log notes it and the store alone remembers it.
    pub suspend_after: Duration,
    /// Entries since its last checkpoint from which on a worker takes one before its instance leaves memory.
    pub checkpoint_leaving: u64,
    /// What is kept of the results of idempotency keys.
    pub retention: Retention,
    /// A commit at which the process dies. For tests of recovery.
    pub crash_at: Option<CrashPoint>,
}

impl NodeConfig {
    /// The defaults, with compiled code in `code_dir` and files of workers in `worker-files` beside it.
    #[must_use]
    pub fn new(code_dir: PathBuf) -> Self {
        Self {
            files_dir: code_dir.with_file_name("worker-files"),
            checkpoints_dir: code_dir.with_file_name("checkpoints"),
            secret_key: code_dir.with_file_name(SECRET_KEY_FILE),
            code_dir,
            network: Network::default(),
            declared_only: false,
            limits: LimitPolicy::default(),
            tracer: None,
            double: None,
            clock: Clock::default(),
            chance: Chance::default(),
            driven: false,
            resident_max: RESIDENT_MAX,
            memory_bytes: None,
            suspend_after: SUSPEND_AFTER,
            checkpoint_leaving: CHECKPOINT_LEAVING,
            retention: Retention::default(),
            crash_at: None,
        }
    }
}

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The runtime refuses its settings.
    #[error("the WebAssembly runtime does not start: {0}")]
    Runtime(String),
    /// The secrets cannot be opened.
    #[error(transparent)]
    Secrets(#[from] SecretError),
    /// A directory or a thread cannot be made.
    #[error("cannot set up the node: {0}")]
    Io(#[from] std::io::Error),
}

impl golem_model::Coded for StartError {
    fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            Self::Secrets(error) => error.code(),
            Self::Runtime(_) => "NOD-001",
            Self::Io(_) => "NOD-002",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Store(error) => error.hint(),
            Self::Secrets(error) => error.hint(),
            Self::Runtime(_) => {
                Some("this processor or kernel is not supported by the runtime".into())
            }
            Self::Io(_) => {
                Some("check free disk space and the permissions of the data directory".into())
            }
        }
    }
}

/// A worker that was created.
#[derive(Debug, Clone)]
pub struct CreatedWorker {
    /// The worker.
    pub worker: WorkerId,
    /// Version of the component that it runs.
    pub version: ComponentVersion,
}

/// A worker as people see it.
#[derive(Debug, Clone)]
pub struct WorkerView {
    /// The worker.
    pub worker: WorkerId,
    /// Arguments.
    pub args: Vec<String>,
    /// Environment, as given at creation.
    pub env: Vec<(String, String)>,
    /// What it does.
    pub status: WorkerStatus,
    /// Version of the component that it runs.
    pub component_version: ComponentVersion,
    /// Failures of the current or last invocation.
    pub retry_count: u64,
    /// Invocations that wait.
    pub pending_invocation_count: u64,
    /// When it was created.
    pub created_at: Timestamp,
    /// The last failure.
    pub last_error: Option<String>,
    /// Size of its component in bytes.
    pub component_size: u64,
    /// Bytes of linear memory; 0 when it is not in memory.
    pub total_linear_memory_size: u64,
    /// Updates of it, oldest first.
    pub updates: Vec<UpdateRecord>,
    /// How its failures are retried.
    pub retry_policy: RetryPolicy,
    /// When the failed invocation runs again, µs since 1970.
    pub retry_at: Option<u64>,
}

impl WorkerView {
    /// The view of a row.
    pub(crate) fn new(
        node: &Node,
        worker: &WorkerId,
        row: &WorkerRow,
        status: WorkerStatus,
        pending: usize,
        failures: u32,
    ) -> Result<Self, WorkerError> {
        let component = node.component(worker.component_id, Some(row.version))?;
        Ok(Self {
            worker: worker.clone(),
            args: row.args.clone(),
            env: row
                .env
                .iter()
                .map(|var| (var.name.clone(), var.value.clone()))
                .collect(),
            status,
            component_version: row.version,
            retry_count: u64::from(failures.max(row.retry_count)),
            pending_invocation_count: pending as u64,
            created_at: Timestamp(row.created_at),
            last_error: row.last_error.clone(),
            component_size: component.component_size,
            total_linear_memory_size: 0,
            updates: row.updates.clone(),
            retry_policy: crate::retry::default_policy(),
            retry_at: None,
        })
    }
}

/// What somebody outside wants to have run.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its key.
    pub key: IdempotencyKey,
    /// The key was made for this request, so nobody has used it before and it need not be looked up.
    pub key_is_new: bool,
    /// Name of the function, exact or as far as it is clear.
    pub function: String,
    /// Arguments in order.
    pub params: Vec<Value>,
    /// Until when it has to be finished, µs since 1970.
    pub deadline: Option<u64>,
    /// The trace that it belongs to, if the client has one.
    pub trace: Option<TraceContext>,
}

/// The result of an invocation.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Key that it ran under.
    pub key: IdempotencyKey,
    /// Nothing or one value.
    pub results: Vec<Value>,
    /// Their types.
    pub types: Vec<WitType>,
}

/// An invocation that will start at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheduled {
    /// Its number among those of its worker and moment.
    pub id: u64,
    /// When, µs since 1970.
    pub due: u64,
    /// Key that it will run under.
    pub key: IdempotencyKey,
}

/// A function with its canonical name.
#[derive(Debug, Clone)]
pub struct FoundSignature {
    /// `ns:pkg/iface.{fn}` or a bare name.
    pub name: String,
    /// Its signature.
    pub function: Arc<Signature>,
}

/// The right to run guest code; given back when dropped.
pub(crate) struct Permit {
    _right: Option<OwnedSemaphorePermit>,
    _running: Running,
}

/// See [`Node::job`].
pub(crate) struct Job(Arc<Node>);

impl Drop for Job {
    fn drop(&mut self) {
        self.0.jobs.fetch_sub(1, Ordering::AcqRel);
    }
}

type Part = Mutex<FxHashMap<WorkerId, mpsc::UnboundedSender<Message>>>;

/// The engine of one process.
pub struct Node {
    catalog: Arc<Catalog>,
    store: Arc<dyn Store>,
    committer: Arc<Committer>,
    payloads: Payloads,
    tokens: Vec<Token>,
    log_counters: Vec<AtomicU64>,
    registry: Vec<Part>,
    resident: Resident,
    waits: Arc<WaitGraph>,
    promises: Promises,
    timers: Timers,
    checkpoints: Shelf,
    policy: Policy,
    secrets: Arc<Secrets>,
    tracer: Option<Arc<Tracer>>,
    executing: Arc<Semaphore>,
    clock: Clock,
    chance: Chance,
    /// Work on other threads that somebody here waits for.
    jobs: AtomicUsize,
    metrics: Metrics,
    sweeping: AtomicBool,
    outside: Outside,
    ticker: Ticker,
    suspend_after: Duration,
    checkpoint_leaving: u64,
    retention: Retention,
}

fn later(now: u64, pause: Duration) -> u64 {
    now.saturating_add(u64::try_from(pause.as_micros()).unwrap_or(u64::MAX))
}

impl Node {
    /// Starts the engine on `store` and wakes every worker that has something to do. `on_fatal` is called once when the
    /// store can no longer write: the process has to end then. Must be called inside a tokio runtime.
    pub fn start(
        config: &NodeConfig,
        store: Arc<dyn Store>,
        blobs: Arc<Blobs>,
        on_fatal: impl FnOnce(CommitError) + Send + 'static,
    ) -> Result<Arc<Self>, StartError> {
        let engine = engine().map_err(|error| StartError::Runtime(format!("{error:#}")))?;
        let code = CodeCache::open(config.code_dir.clone(), &engine)?;
        let tokens = store.claim_all()?;
        let committer = if config.driven {
            Committer::start_driven(Arc::clone(&store), tokens.clone(), on_fatal)?
        } else {
            Committer::start(Arc::clone(&store), tokens.clone(), on_fatal)?
        };
        if let Some(point) = config.crash_at {
            committer.crash_at(point);
        }
        let policy = Policy {
            network: Arc::new(config.network.clone()),
            limits: config.limits.clone(),
            declared_only: config.declared_only,
        };
        let secrets = Secrets::open(Arc::clone(&store), config.secret_key.clone())?;
        let secrets = Arc::new(secrets);
        let catalog = Catalog::open(
            engine.clone(),
            code,
            config.clock.clone(),
            policy.clone(),
            Arc::clone(&store),
            Arc::clone(&blobs),
        )?;
        let part = || machine_bytes().map(|bytes| bytes / 100 * MEMORY_PART);
        let memory_bytes = config.memory_bytes.or_else(part).unwrap_or(u64::MAX);
        let node = Arc::new(Self {
            catalog: Arc::new(catalog),
            payloads: Payloads::new(blobs),
            log_counters: tokens.iter().map(|_| AtomicU64::new(0)).collect(),
            registry: (0..REGISTRY_PARTS).map(|_| Part::default()).collect(),
            resident: Resident::new(config.resident_max, memory_bytes, maps::limit()),
            waits: Arc::default(),
            promises: Promises::default(),
            timers: {
                // Before any timer is looked at.
                steady::open(store.as_ref())?;
                Timers::open(store.as_ref())?
            },
            checkpoints: Shelf::new(config.checkpoints_dir.clone(), Arc::clone(&secrets)),
            policy,
            secrets,
            tracer: config.tracer.clone(),
            executing: Arc::new(Semaphore::new(EXECUTING_MAX)),
            clock: config.clock.clone(),
            chance: config.chance.clone(),
            jobs: AtomicUsize::new(0),
            metrics: Metrics::default(),
            sweeping: AtomicBool::new(false),
            outside: Outside::open(config.files_dir.clone(), config.double.clone())?,
            ticker: Ticker::start(engine)?,
            suspend_after: config.suspend_after,
            checkpoint_leaving: config.checkpoint_leaving,
            retention: config.retention,
            store,
            committer,
            tokens,
        });
        node.wake_all()?;
        node.run_timers();
        node.sweep_soon();
        Ok(node)
    }

    /// Removes what deleted workers have left, behind everybody's back and one at a time.
    fn sweep_soon(self: &Arc<Self>) {
        if self.sweeping.swap(true, Ordering::Relaxed) {
            return;
        }
        let node = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            loop {
                match node.store.sweep(SWEEP_RECORDS) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        tracing::warn!(%error, "what deleted workers have left stays for now");
                        break;
                    }
                }
            }
            node.sweeping.store(false, Ordering::Relaxed);
        });
    }

    /// Wakes every worker whose log leaves something open.
    fn wake_all(self: &Arc<Self>) -> Result<(), StoreError> {
        for token in &self.tokens {
            let mut after = None;
            loop {
                let running = self.store.scan_running(token.shard, after, WAKE_BATCH)?;
                let Some((_, last)) = running.last() else {
                    break;
                };
                after = Some(*last);
                for (worker, _) in running {
                    self.tell(&worker, Message::Wake);
                }
            }
        }
        Ok(())
    }

    /// Stops accepting, lets everything that was accepted become durable, and ends the writer. What runs is dropped: it
    /// goes on when the server starts again.
    pub async fn stop(self: &Arc<Self>) {
        for part in &self.registry {
            part.lock().clear();
        }
        let committer = Arc::clone(&self.committer);
        if let Err(error) = tokio::task::spawn_blocking(move || committer.stop()).await {
            tracing::error!(%error, "the committer did not stop");
        }
    }

    pub(crate) fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    /// Whether the disk has space for something new. Asks the system.
    #[must_use]
    pub fn has_space(&self) -> bool {
        self.committer.has_space()
    }

    /// Returns when the disk keeps up with what is written. Cancel safe.
    pub async fn room(&self) {
        self.committer.room().await;
    }

    pub(crate) fn committer(&self) -> Arc<Committer> {
        Arc::clone(&self.committer)
    }

    /// The moment a while from now, µs of the clock that nobody sets: what a deadline is.
    #[must_use]
    pub fn deadline_in(&self, pause: Duration) -> u64 {
        later(self.clock.micros(), pause)
    }

    /// The moment a while from now, µs since 1970: when a schedule is due.
    #[must_use]
    pub fn moment_in(&self, pause: Duration) -> u64 {
        later(self.clock.wall_micros(), pause)
    }

    /// What time it is.
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Where random bytes come from.
    pub(crate) fn chance(&self) -> &Chance {
        &self.chance
    }

    /// Commits the oldest thing that waits for it, if the node is driven. Whether there was one.
    pub fn commit_one(&self) -> bool {
        self.committer.commit_one()
    }

    /// Whether somebody waits for work on another thread: then the node is not at rest although no task of it is ready.
    pub fn has_jobs(&self) -> bool {
        self.jobs.load(Ordering::Acquire) > 0
    }

    /// Counts a wait for work on another thread until it is dropped.
    pub(crate) fn job(self: &Arc<Self>) -> Job {
        self.jobs.fetch_add(1, Ordering::AcqRel);
        Job(Arc::clone(self))
    }

    pub(crate) fn payloads(&self) -> Payloads {
        self.payloads.clone()
    }

    /// What the operator allows.
    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Who gets spans.
    pub(crate) fn tracer(&self) -> Option<&Arc<Tracer>> {
        self.tracer.as_ref()
    }

    pub(crate) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// All secrets of a namespace, without their values.
    #[must_use]
    pub fn secret_list(&self, namespace: &Namespace) -> Vec<SecretInfo> {
        self.secrets.list(namespace)
    }

    /// Sets a secret: its next version, which workers get that are created or updated from now on. Durable on return. Blocks.
    pub fn set_secret(
        &self,
        namespace: &Namespace,
        name: &str,
        value: &[u8],
    ) -> Result<SecretInfo, SecretError> {
        let now = self.clock.wall_micros();
        self.secrets.set(namespace, name, value, now)
    }

    /// Deletes all versions of a secret. Durable on return. Blocks. Workers whose instances have left memory do not come back
    /// without it.
    pub fn delete_secret(
        &self,
        namespace: &Namespace,
        name: &str,
    ) -> Result<SecretInfo, SecretError> {
        self.secrets.delete(namespace, name)
    }

    /// What instances share when they reach beyond their own memory.
    pub(crate) fn outside(&self) -> &Outside {
        &self.outside
    }

    pub(crate) fn wait_graph(&self) -> &Arc<WaitGraph> {
        &self.waits
    }

    pub(crate) fn promises(&self) -> &Promises {
        &self.promises
    }

    /// Images of workers on disk.
    pub(crate) fn checkpoints(&self) -> &Shelf {
        &self.checkpoints
    }

    /// How often checkpoints were taken, used and refused since the start.
    #[must_use]
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Workers that have a task.
    pub(crate) fn active_workers(&self) -> u64 {
        self.registry
            .iter()
            .map(|part| part.lock().len() as u64)
            .sum()
    }

    /// See [`CheckpointStats`].
    pub fn checkpoint_stats(&self) -> CheckpointStats {
        self.checkpoints.stats()
    }

    pub(crate) fn timers(&self) -> &Timers {
        &self.timers
    }

    /// Waits for the right to run guest code.
    pub(crate) async fn enter(&self) -> Permit {
        // The semaphore is never closed.
        let right = Arc::clone(&self.executing).acquire_owned().await.ok();
        Permit {
            _right: right,
            _running: self.ticker.run(),
        }
    }

    /// A guest begins to run that needs no right to: an ephemeral one, which could hold it while it waits.
    pub(crate) fn run(&self) -> Running {
        self.ticker.run()
    }

    /// Before an instance is made: others go if the process has too much memory, or too many maps of it.
    pub(crate) fn make_room(&self) {
        self.evict(self.resident.under_pressure(maps::taken()));
    }

    fn evict(&self, workers: Vec<WorkerId>) {
        for evicted in workers {
            if let Some(task) = self.part(&evicted).lock().get(&evicted) {
                // A task that has just ended has no instance either.
                drop(task.send(Message::Evict));
            }
        }
    }

    /// A log that was never used, for a new worker.
    pub(crate) fn new_log(&self, worker: &WorkerId) -> Result<LogId, StoreError> {
        let shard = ShardId::of(worker, self.store.shards());
        let full = || {
            StoreError::Io(format!(
                "shard {} has no log numbers left in this run: start the server again",
                shard.0
            ))
        };
        let at = usize::from(shard.0);
        let (token, counter) = self
            .tokens
            .get(at)
            .zip(self.log_counters.get(at))
            .ok_or_else(full)?;
        LogId::pack(shard, token.epoch, counter.fetch_add(1, Ordering::Relaxed)).ok_or_else(full)
    }

    /// The instance of a worker runs something.
    pub(crate) fn instance_busy(&self, worker: &WorkerId) {
        self.resident.busy(worker);
    }

    /// The instance of a worker has nothing to do: another one may have to go.
    pub(crate) fn instance_idle(self: &Arc<Self>, worker: &WorkerId) {
        let (at_once, begin) = self.resident.idle(worker, maps::taken());
        self.evict(at_once);
        if begin {
            self.evict_surplus();
        }
    }

    /// Lets those go that are too many, when the burst that brought them is over.
    fn evict_surplus(self: &Arc<Self>) {
        let node = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                let Some(node) = node.upgrade() else { return };
                let Some(surplus) = node.resident.surplus(maps::taken()) else {
                    return;
                };
                node.evict(surplus);
            }
        });
    }

    /// The guest of a worker waits, so that its instance may go like an idle one.
    pub(crate) fn instance_waits(self: &Arc<Self>, worker: &WorkerId) {
        self.instance_idle(worker);
        self.make_room();
    }

    /// The instance of a worker is gone.
    pub(crate) fn instance_gone(&self, worker: &WorkerId) {
        self.resident.gone(worker);
    }

    /// An instance without work leaves memory.
    pub(crate) fn count_eviction(&self) {
        self.metrics.evicted_idle.add();
    }

    /// The instance of a worker whose guest waits has left memory.
    pub(crate) fn waiting_instance_left(&self, worker: &WorkerId) {
        self.metrics.evicted_waiting.add();
        self.instance_gone(worker);
    }

    /// Instances in memory without work, or with a guest that waits.
    pub(crate) fn idle_instances(&self) -> u64 {
        self.resident.count() as u64
    }

    /// Lets the task of a worker end, unless somebody has just told it something.
    pub(crate) fn leave(
        &self,
        worker: &WorkerId,
        messages: &mpsc::UnboundedReceiver<Message>,
    ) -> bool {
        let mut part = self.part(worker).lock();
        if messages.is_empty() {
            part.remove(worker);
            return true;
        }
        false
    }

    fn part(&self, worker: &WorkerId) -> &Part {
        let mut hasher = FxHasher::default();
        worker.hash(&mut hasher);
        let at = usize::try_from(hasher.finish() >> 32).unwrap_or(0) % REGISTRY_PARTS;
        let [first, ..] = self.registry.as_slice() else {
            unreachable!("the registry has {REGISTRY_PARTS} parts")
        };
        self.registry.get(at).unwrap_or(first)
    }

    /// Entries since the last checkpoint that make one worth taking before an instance leaves memory.
    pub(crate) fn checkpoint_leaving(&self) -> u64 {
        self.checkpoint_leaving
    }

    /// How long a guest waits before that is noted.
    pub(crate) fn suspend_after(&self) -> Duration {
        self.suspend_after
    }

    /// What is kept of the results of workers.
    pub(crate) fn retention(&self) -> Retention {
        self.retention
    }

    /// Whether a worker has a task, and so something in memory.
    pub(crate) fn is_active(&self, worker: &WorkerId) -> bool {
        self.part(worker).lock().contains_key(worker)
    }

    /// Tells the task of a worker something, starting the task if there is none.
    pub(crate) fn tell(self: &Arc<Self>, worker: &WorkerId, message: Message) {
        let mut part = self.part(worker).lock();
        let message = match part.get(worker) {
            Some(task) => match task.send(message) {
                Ok(()) => return,
                // The task has ended without leaving, which only a stopping node makes it do.
                Err(mpsc::error::SendError(message)) => message,
            },
            None => message,
        };
        let (task, messages) = mpsc::unbounded_channel();
        // The receiver is right here: the send cannot fail.
        drop(task.send(message));
        part.insert(worker.clone(), task);
        drop(part);
        tokio::spawn(Worker::new(Arc::clone(self), worker.clone(), messages).run());
    }

    async fn durable(&self, seq: Seq) -> Result<(), WorkerError> {
        self.committer
            .wait(seq)
            .await
            .map_err(|_| WorkerError::Stopping)
    }
}
