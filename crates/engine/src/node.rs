// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / node: the engine of one process, as the server and other workers see it. In: requests. Out: outcomes that
//! are durable. Finds or starts the task of a worker; knows nothing of its inside. Read next: `worker.rs`, `ephemeral.rs`.

use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use golem_model::component::{Component, ComponentType};
use golem_model::types::Function as Signature;
use golem_model::worker::{RowState, WorkerRow, WorkerStatus};
use golem_model::{
    ComponentId, ComponentVersion, IdempotencyKey, LogId, ShardId, Timestamp, Value, WitType,
    WorkerId,
};
use golem_storage::store::StoredWorker;
use golem_storage::{Blobs, CommitError, Committer, CrashPoint, Seq, Store, StoreError, Token};
use parking_lot::Mutex;
use rustc_hash::{FxHashMap, FxHasher};
use tokio::sync::{mpsc, oneshot};

use crate::component::catalog::Catalog;
use crate::component::loaded::{ExportedFunction, Loaded};
use crate::cwasm::CodeCache;
use crate::error::{ComponentError, WorkerError};
use crate::host::Guest;
use crate::limits::{NAME_BYTES_MAX, PAYLOAD_BYTES_MAX, RESIDENT_MAX, check_bytes};
use crate::oplog::Payloads;
use crate::queue::{Accepting, CreateWith, Finished, Invocation, Reply, Target, rpc_error};
use crate::resident::Resident;
use crate::rpc::{Delivered, Function, RemoteCall, RpcError, WaitGraph};
use crate::wasm::{Ticker, engine};
use crate::worker::{Message, Worker, created_at, door};

/// Parts into which the table of active workers is split, so that two workers rarely meet at a lock.
const REGISTRY_PARTS: usize = 64;
/// Workers that are woken at once at start: the others follow as these finish reading their logs.
const WAKE_BATCH: usize = 256;
/// Records of deleted workers that are removed in one commit: few, so that nobody waits behind them.
const SWEEP_RECORDS: usize = 1_000;

/// How a node is set up.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// Where compiled code is kept.
    pub code_dir: PathBuf,
    /// Idle instances that stay in memory.
    pub resident_max: usize,
    /// A commit at which the process dies. For tests of recovery.
    pub crash_at: Option<CrashPoint>,
}

impl NodeConfig {
    /// The defaults, with compiled code in `code_dir`.
    #[must_use]
    pub fn new(code_dir: PathBuf) -> Self {
        Self {
            code_dir,
            resident_max: RESIDENT_MAX,
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
    /// A directory or a thread cannot be made.
    #[error("cannot set up the node: {0}")]
    Io(#[from] std::io::Error),
}

impl golem_model::Coded for StartError {
    fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            Self::Runtime(_) => "NOD-001",
            Self::Io(_) => "NOD-002",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Store(error) => error.hint(),
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
            created_at: created_at(row),
            last_error: row.last_error.clone(),
            component_size: component.component_size,
            total_linear_memory_size: 0,
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

/// A function with its canonical name.
#[derive(Debug, Clone)]
pub struct FoundSignature {
    /// `ns:pkg/iface.{fn}` or a bare name.
    pub name: String,
    /// Its signature.
    pub function: Arc<Signature>,
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
    sweeping: AtomicBool,
    _ticker: Ticker,
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
        let committer = Committer::start(Arc::clone(&store), tokens.clone(), on_fatal)?;
        if let Some(point) = config.crash_at {
            committer.crash_at(point);
        }
        let catalog = Catalog::open(engine.clone(), code, Arc::clone(&store), Arc::clone(&blobs))?;
        let node = Arc::new(Self {
            catalog: Arc::new(catalog),
            payloads: Payloads::new(blobs),
            log_counters: tokens.iter().map(|_| AtomicU64::new(0)).collect(),
            registry: (0..REGISTRY_PARTS).map(|_| Part::default()).collect(),
            resident: Resident::new(config.resident_max),
            waits: Arc::default(),
            sweeping: AtomicBool::new(false),
            _ticker: Ticker::start(engine)?,
            store,
            committer,
            tokens,
        });
        node.wake_all()?;
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

    // --- components

    /// Takes a new component. Durable on return.
    pub async fn create_component(
        &self,
        name: &str,
        kind: ComponentType,
        wasm: Vec<u8>,
    ) -> Result<Arc<Component>, ComponentError> {
        self.catalog.create(name, kind, wasm).await
    }

    /// Takes a new version of a component; `kind` stays as it is when absent. Durable on return.
    pub async fn update_component(
        &self,
        id: ComponentId,
        kind: Option<ComponentType>,
        wasm: Vec<u8>,
    ) -> Result<Arc<Component>, ComponentError> {
        self.catalog.update(id, kind, wasm).await
    }

    /// A version of a component, the newest by default.
    pub fn component(
        &self,
        id: ComponentId,
        version: Option<ComponentVersion>,
    ) -> Result<Arc<Component>, ComponentError> {
        self.catalog.get(id, version)
    }

    /// Every version of a component, oldest first.
    pub fn component_versions(
        &self,
        id: ComponentId,
    ) -> Result<Vec<Arc<Component>>, ComponentError> {
        self.catalog.versions(id)
    }

    /// Every version of every component, or of the one that is called `name`.
    pub fn components(&self, name: Option<&str>) -> Result<Vec<Arc<Component>>, ComponentError> {
        Ok(self.catalog.list(name))
    }

    /// The wasm of a version as it was uploaded.
    pub fn component_wasm(
        &self,
        id: ComponentId,
        version: Option<ComponentVersion>,
    ) -> Result<Vec<u8>, ComponentError> {
        self.catalog.wasm(id, version)
    }

    /// The component that is called `name`.
    pub fn component_named(&self, name: &str) -> Result<ComponentId, ComponentError> {
        self.catalog.named(name)
    }

    /// Whether the newest version of a component is ephemeral; one that does not exist is not.
    pub(crate) fn is_ephemeral(&self, id: ComponentId) -> bool {
        self.catalog
            .get(id, None)
            .is_ok_and(|component| component.component_type == ComponentType::Ephemeral)
    }

    pub(crate) fn component_loaded(
        &self,
        id: ComponentId,
        version: ComponentVersion,
    ) -> Result<Arc<Loaded>, ComponentError> {
        self.catalog.loaded(id, Some(version))
    }

    // --- workers

    /// Creates a worker. Durable on return.
    pub async fn create_worker(
        self: &Arc<Self>,
        worker: WorkerId,
        args: Vec<String>,
        env: Vec<(String, String)>,
    ) -> Result<CreatedWorker, WorkerError> {
        self.catalog.get(worker.component_id, None)?;
        let (sender, receiver) = oneshot::channel();
        self.tell(
            &worker,
            Message::Create(
                CreateWith {
                    args,
                    env,
                    parent: None,
                },
                sender,
            ),
        );
        let (created, seq) = receiver.await.map_err(|_| WorkerError::Stopping)??;
        self.durable(seq).await?;
        Ok(created)
    }

    /// Describes a worker.
    pub async fn worker(self: &Arc<Self>, worker: &WorkerId) -> Result<WorkerView, WorkerError> {
        if !self.is_active(worker) {
            let stored = self
                .store
                .worker(worker)?
                .ok_or_else(|| WorkerError::NotFound(worker.clone()))?;
            return self.view(&stored);
        }
        let (sender, receiver) = oneshot::channel();
        self.tell(worker, Message::View(sender));
        receiver.await.map_err(|_| WorkerError::Stopping)?
    }

    /// Workers of a component in the order of their names, those after `after`, at most `limit`.
    pub async fn workers(
        self: &Arc<Self>,
        component: ComponentId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<WorkerView>, WorkerError> {
        self.catalog.get(component, None)?;
        let mut views = Vec::new();
        for stored in self.store.scan_workers(component, after, limit)? {
            views.push(if self.is_active(&stored.worker) {
                self.worker(&stored.worker).await?
            } else {
                self.view(&stored)?
            });
        }
        Ok(views)
    }

    /// Deletes a worker. It is gone for good on return.
    pub async fn delete_worker(self: &Arc<Self>, worker: &WorkerId) -> Result<(), WorkerError> {
        let (sender, receiver) = oneshot::channel();
        self.tell(worker, Message::Delete(sender));
        receiver.await.map_err(|_| WorkerError::Stopping)??;
        self.sweep_soon();
        Ok(())
    }

    /// Stops what a worker runs. With `recover_immediately` it starts again at once from its log, as after a crash;
    /// otherwise it waits for a resume or the next invocation.
    pub async fn interrupt_worker(
        self: &Arc<Self>,
        worker: &WorkerId,
        recover_immediately: bool,
    ) -> Result<(), WorkerError> {
        let (sender, receiver) = oneshot::channel();
        self.tell(worker, Message::Interrupt(recover_immediately, sender));
        receiver.await.map_err(|_| WorkerError::Stopping)?
    }

    /// Lets an interrupted worker go on; any other stays as it is.
    pub async fn resume_worker(self: &Arc<Self>, worker: &WorkerId) -> Result<(), WorkerError> {
        let (sender, receiver) = oneshot::channel();
        self.tell(worker, Message::Resume(sender));
        receiver.await.map_err(|_| WorkerError::Stopping)?
    }

    // --- invocations

    /// The function that an invocation would run: of the version that the worker runs, or of the newest.
    pub fn signature(
        &self,
        target: &Target,
        function: &str,
    ) -> Result<FoundSignature, WorkerError> {
        let exported = self.exported(target, function)?;
        Ok(FoundSignature {
            name: exported.name.clone(),
            function: Arc::clone(&exported.signature),
        })
    }

    /// Accepts an invocation. Its acceptance is durable on return (rule H1). An ephemeral one has run by then.
    pub async fn invoke(
        self: &Arc<Self>,
        target: Target,
        request: Request,
    ) -> Result<IdempotencyKey, WorkerError> {
        let target = self.addressed(target);
        let (exported, key, repeatable, input) = self.check(&target, request)?;
        let Target::Worker(worker) = target else {
            self.run_ephemeral(
                target.component(),
                &exported,
                key.clone(),
                input,
                CreateWith::default(),
            )
            .await?;
            return Ok(key);
        };
        let (sender, receiver) = oneshot::channel();
        let accepted = Some(Accepting::Door(sender));
        self.hand_in(
            &worker,
            &exported,
            key.clone(),
            repeatable,
            input,
            accepted,
            None,
        );
        let seq = receiver.await.map_err(|_| WorkerError::Stopping)??;
        self.durable(seq).await?;
        Ok(key)
    }

    /// Runs an invocation, or joins it if its key is known, and returns its result when that is durable.
    pub async fn invoke_and_await(
        self: &Arc<Self>,
        target: Target,
        request: Request,
    ) -> Result<Outcome, WorkerError> {
        let target = self.addressed(target);
        let (exported, key, repeatable, input) = self.check(&target, request)?;
        let finished = match target {
            Target::Worker(worker) => {
                let (reply, receiver) = door();
                self.hand_in(
                    &worker,
                    &exported,
                    key.clone(),
                    repeatable,
                    input,
                    None,
                    Some(reply),
                );
                let finished: Finished = receiver.await.map_err(|_| WorkerError::Stopping)??;
                self.durable(finished.seq).await?;
                finished.value
            }
            Target::Ephemeral(component) => {
                self.run_ephemeral(
                    component,
                    &exported,
                    key.clone(),
                    input,
                    CreateWith::default(),
                )
                .await?
            }
        };
        let results = if let Value::Tuple(results) = finished {
            results
        } else {
            Vec::new()
        };
        Ok(Outcome {
            key,
            results,
            types: exported.result.iter().cloned().collect(),
        })
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "an invocation has that many parts, and two kinds of listeners"
    )]
    fn hand_in(
        self: &Arc<Self>,
        worker: &WorkerId,
        exported: &ExportedFunction,
        key: IdempotencyKey,
        repeatable: bool,
        input: Vec<u8>,
        accepted: Option<Accepting>,
        reply: Option<Reply>,
    ) {
        let function = exported.name.clone();
        let create = CreateWith::default();
        let invocation = Invocation {
            key,
            repeatable,
            function,
            input,
            caller: None,
            create,
            accepted,
            reply,
        };
        self.tell(worker, Message::Invoke(Box::new(invocation)));
    }

    fn check(
        &self,
        target: &Target,
        request: Request,
    ) -> Result<(Arc<ExportedFunction>, IdempotencyKey, bool, Vec<u8>), WorkerError> {
        let exported = self.exported(target, &request.function)?;
        let fits = request.params.len() == exported.params.len()
            && request
                .params
                .iter()
                .zip(&exported.params)
                .all(|(value, typ)| value.matches(typ));
        if !fits {
            let detail = format!(
                "{} values for {} parameters, or of other types",
                request.params.len(),
                exported.params.len()
            );
            return Err(WorkerError::BadArguments {
                function: exported.name.clone(),
                detail,
            });
        }
        let input = Value::Tuple(request.params).to_bytes();
        check_bytes("input", input.len(), PAYLOAD_BYTES_MAX)?;
        check_bytes("idempotency key", request.key.0.len(), NAME_BYTES_MAX)?;
        Ok((exported, request.key, !request.key_is_new, input))
    }

    /// Whom an invocation really goes to, by the type of the newest version: every call of an ephemeral component gets a
    /// fresh instance whatever name it uses, and a durable one without a name a new worker.
    fn addressed(&self, target: Target) -> Target {
        match (self.is_ephemeral(target.component()), target) {
            (true, target) => Target::Ephemeral(target.component()),
            (false, Target::Ephemeral(component)) => {
                Target::Worker(WorkerId::new(component, uuid::Uuid::new_v4().to_string()))
            }
            (false, target) => target,
        }
    }

    fn exported(
        &self,
        target: &Target,
        function: &str,
    ) -> Result<Arc<ExportedFunction>, WorkerError> {
        let component = target.component();
        let loaded = self.catalog.loaded(component, self.version_of(target)?)?;
        if let Some(exported) = loaded.function(function) {
            return Ok(Arc::clone(exported));
        }
        let unknown = |suggestion| WorkerError::UnknownFunction {
            component,
            function: function.to_owned(),
            suggestion,
        };
        match golem_model::function::resolve(&loaded.info.metadata.exports, function) {
            Ok(name) => loaded.function(&name).cloned().ok_or_else(|| unknown(None)),
            Err(error) => Err(unknown(error.suggestion())),
        }
    }

    /// The version that a worker runs; `None` (the newest) when it does not exist or there is only one.
    fn version_of(&self, target: &Target) -> Result<Option<ComponentVersion>, WorkerError> {
        let newest = self
            .catalog
            .get(target.component(), None)?
            .versioned_component_id
            .version;
        let Target::Worker(worker) = target else {
            return Ok(None);
        };
        if newest == 0 {
            return Ok(None);
        }
        let Some(stored) = self.store.worker(worker)? else {
            return Ok(None);
        };
        Ok(WorkerRow::from_bytes(&stored.row)
            .ok()
            .map(|row| row.version))
    }

    // --- calls between workers

    /// The function that a worker means.
    pub(crate) fn remote_function(
        &self,
        target: &Target,
        function: &Function,
    ) -> Result<Arc<ExportedFunction>, RpcError> {
        let loaded = self
            .catalog
            .loaded(target.component(), None)
            .map_err(|error| RpcError::NotFound(error.to_string()))?;
        match function {
            Function::Named(name) => self
                .exported(target, name)
                .map_err(|error| rpc_error(&error)),
            Function::Stub {
                package,
                version,
                resource,
                function: name,
            } => {
                let found = loaded
                    .stub_function(package, version, resource, name)
                    .cloned();
                let component = target.component();
                found.ok_or_else(|| {
                    RpcError::NotFound(format!(
                        "component {component} has no function `{function}`"
                    ))
                })
            }
        }
    }

    /// Hands a call of `guest` to its target. Returns as soon as the target's queue has it; `accepted` hears when it is in
    /// the stream, `reply` when it is done.
    pub(crate) fn deliver(
        self: &Arc<Self>,
        guest: &Arc<Guest>,
        call: &RemoteCall,
        accepted: Option<Delivered>,
        reply: Option<Reply>,
    ) -> Result<(), RpcError> {
        let exported = self.remote_function(&call.target, &call.function)?;
        match &self.addressed(call.target.clone()) {
            Target::Worker(worker) => {
                let invocation = Invocation {
                    key: call.key.clone(),
                    repeatable: call.repeated,
                    function: exported.name.clone(),
                    input: call.input.clone(),
                    caller: Some(crate::rpc::worker_urn(&guest.worker)),
                    create: guest.heir(),
                    accepted: accepted.map(Accepting::Caller),
                    reply,
                };
                self.tell(worker, Message::Invoke(Box::new(invocation)));
            }
            Target::Ephemeral(component) => {
                let (node, component, call, create) =
                    (Arc::clone(self), *component, call.clone(), guest.heir());
                if let Some(accepted) = accepted {
                    drop(accepted.send(Ok(())));
                }
                tokio::spawn(async move {
                    let outcome = node
                        .run_ephemeral(component, &exported, call.key, call.input, create)
                        .await;
                    if let Some(reply) = reply {
                        reply.send(outcome.map(|value| Finished {
                            value,
                            seq: node.committer.durable(),
                        }));
                    }
                });
            }
        }
        Ok(())
    }

    // --- what workers need

    pub(crate) fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    pub(crate) fn committer(&self) -> Arc<Committer> {
        Arc::clone(&self.committer)
    }

    pub(crate) fn payloads(&self) -> Payloads {
        self.payloads.clone()
    }

    pub(crate) fn wait_graph(&self) -> &Arc<WaitGraph> {
        &self.waits
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
    pub(crate) fn instance_idle(&self, worker: &WorkerId) {
        if let Some(evicted) = self.resident.idle(worker)
            && let Some(task) = self.part(&evicted).lock().get(&evicted)
        {
            // A task that has just ended has no instance either.
            drop(task.send(Message::Evict));
        }
    }

    /// The instance of a worker is gone.
    pub(crate) fn instance_gone(&self, worker: &WorkerId) {
        self.resident.gone(worker);
    }

    /// Idle instances in memory.
    #[must_use]
    pub fn resident_instances(&self) -> usize {
        self.resident.count()
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

    fn is_active(&self, worker: &WorkerId) -> bool {
        self.part(worker).lock().contains_key(worker)
    }

    /// Tells the task of a worker something, starting the task if there is none.
    fn tell(self: &Arc<Self>, worker: &WorkerId, message: Message) {
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

    fn view(&self, stored: &StoredWorker) -> Result<WorkerView, WorkerError> {
        let worker = &stored.worker;
        let damaged = |detail: String| WorkerError::Damaged {
            worker: worker.clone(),
            detail,
        };
        let row = WorkerRow::from_bytes(&stored.row).map_err(|error| damaged(error.to_string()))?;
        let status = match row.state() {
            RowState::Live | RowState::Retrying => WorkerStatus::Idle,
            RowState::Interrupted => WorkerStatus::Interrupted,
            RowState::Failed => WorkerStatus::Failed,
            RowState::Exited => WorkerStatus::Exited,
        };
        WorkerView::new(self, worker, &row, status, 0, 0)
    }

    async fn durable(&self, seq: Seq) -> Result<(), WorkerError> {
        self.committer
            .wait(seq)
            .await
            .map_err(|_| WorkerError::Stopping)
    }
}
