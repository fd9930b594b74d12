// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / state: everything that belongs to one live instance on the host's side.
//! Dropped with the instance; what must survive is in the log. Read next: `durable.rs`, `../instance.rs`.

use std::collections::HashMap;
use std::sync::Arc;

use golem_model::limit::Limit;
use golem_model::oplog::{Event, Log, LogLevel, PersistenceLevel, SecretPin, SharedStart};
use golem_model::trace::TraceContext;
use golem_model::{IdempotencyKey, OplogIndex, Value, WorkerId, hex};
use golem_storage::{Seq, StoreError};
use parking_lot::Mutex;
use wasmtime::ResourceLimiter;
use wasmtime::component::{HasData, ResourceAny, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::calls::Call;
use super::clock::VirtualClock;
use super::durable::{Halt, Journal};
use super::files::{Fault, Files};
use super::http::{HttpCalls, Network};
use super::output::{Line, Output, OutputPipe};
use super::sockets::{self, Sockets};
use super::start_up::StartUp;
use super::streams::Channels;
use super::wait::Waits;
use crate::capabilities::Given;
use crate::checkpoint::{AccessState, HandleMirror, HostImage};
use crate::clock::Clock;
use crate::limits::{
    Allowance, Exceeded, LIVE_RESOURCES_MAX, LOG_BURST_SECONDS, LOG_LINE_BYTES, TABLE_ELEMENTS_MAX,
    maximum_limit,
};
use crate::link::Link;
use crate::meter::Meter;
use crate::redact::Redactor;
use crate::rpc::Rpc;
use crate::trace::CallTrace;
use crate::value::Handles;

/// The invocation that runs.
#[derive(Debug, Clone)]
pub(crate) struct Invoking {
    /// Its idempotency key: what the keys of its calls are derived from.
    pub(crate) key: IdempotencyKey,
    /// Remote calls that it has made.
    pub(crate) calls: u64,
    /// Index of its `Started` entry: the guest cannot go back before it.
    pub(crate) started: OplogIndex,
    /// Until when it has to be finished, µs since 1970; its calls inherit it.
    pub(crate) deadline: Option<u64>,
    /// How long its calls may take, µs.
    pub(crate) call_timeout: Option<u64>,
    /// The trace that it belongs to, and the span of its run: what its calls are parts of.
    pub(crate) trace: Option<TraceContext>,
}

impl Invoking {
    /// The number of the next remote call, from 1.
    pub(crate) fn next_call(&mut self) -> u64 {
        self.calls += 1;
        self.calls
    }
}

/// Whom a worker was forked from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Name of that worker.
    pub(crate) name: String,
    /// The last entry of its history that the fork has.
    pub(crate) at: OplogIndex,
}

/// Who the guest is.
#[derive(Debug, Clone)]
pub(crate) struct Guest {
    /// The worker.
    pub(crate) worker: WorkerId,
    /// For a fork: whom it was forked from, and so whom it takes itself for.
    pub(crate) origin: Option<Origin>,
    /// Version of the component.
    pub(crate) version: u64,
    /// Arguments, as given at creation.
    pub(crate) args: Vec<String>,
    /// Environment, as given at creation.
    pub(crate) env: Vec<(String, String)>,
    /// Versions of the secrets that the environment of its component refers to.
    pub(crate) secrets: Vec<SecretPin>,
    /// Where it begins, if not with start-up code of its own.
    pub(crate) start: Option<SharedStart>,
}

impl Guest {
    /// The name that the guest sees: for a fork that of its origin, because the history it repeats has seen that one.
    pub(crate) fn seen_name(&self) -> &str {
        let origin = self.origin.as_ref().map(|origin| origin.name.as_str());
        origin.unwrap_or(&self.worker.worker_name)
    }

    /// Whose promise the guest means by a worker and an index: what a fork has created in the history that it repeats is its
    /// own, as it is its origin's.
    pub(crate) fn promise_owner(&self, worker: &WorkerId, index: u64) -> WorkerId {
        match &self.origin {
            Some(origin) if index <= origin.at.0 && *worker == self.seen_worker() => {
                self.worker.clone()
            }
            _ => worker.clone(),
        }
    }

    /// Whether it sees another name than its own.
    pub(crate) fn is_fork(&self) -> bool {
        self.origin.is_some()
    }

    /// The worker as its guest sees it: what a repeated history depends on.
    pub(crate) fn seen_worker(&self) -> WorkerId {
        WorkerId::new(self.worker.component_id, self.seen_name().to_owned())
    }

    /// Arguments as the guest sees them: none where the start is shared, because all workers have the same there.
    pub(crate) fn seen_args(&self) -> &[String] {
        if self.start.is_some() {
            &[]
        } else {
            &self.args
        }
    }

    /// Variables that the worker was given and the guest sees: none where the start is shared.
    pub(crate) fn given_env(&self) -> &[(String, String)] {
        if self.start.is_some() { &[] } else { &self.env }
    }

    /// The environment of the worker itself as the guest sees it: `GOLEM_WORKER_NAME`, `GOLEM_COMPONENT_ID` and `GOLEM_COMPONENT_VERSION`
    /// are always those of the worker itself, also when it inherited others. Source: runtime spec §1.3. Where the start is shared,
    /// what is of one worker alone is left out.
    pub(crate) fn full_env(&self) -> Vec<(String, String)> {
        let name = ("GOLEM_WORKER_NAME", self.seen_name().to_owned());
        let component = [
            ("GOLEM_COMPONENT_ID", self.worker.component_id.to_string()),
            ("GOLEM_COMPONENT_VERSION", self.version.to_string()),
        ];
        let name = self.start.is_none().then_some(name);
        let own: Vec<_> = name.into_iter().chain(component).collect();
        let given = self.given_env().iter();
        let given = given.filter(|(name, _)| own.iter().all(|(taken, _)| name != taken));
        let own = own.iter();
        let own = own.map(|(name, value)| ((*name).to_owned(), value.clone()));
        given.cloned().chain(own).collect()
    }
}

/// The data of a wasmtime store.
pub(crate) struct HostState {
    pub(crate) guest: Arc<Guest>,
    pub(crate) table: ResourceTable,
    pub(crate) wasi: WasiCtx,
    /// Bytes of linear memory, of all memories together.
    memory: usize,
    /// How much the worker may use.
    pub(crate) allowance: Allowance,
    /// What the guest has computed.
    pub(crate) meter: Meter,
    /// What the worker may still log: bytes, and when that was.
    log_budget: (u64, u64),
    /// The guest has used more than it may, and is stopped where it can be.
    exceeded: Option<Exceeded>,
    /// Where it may connect to and listen.
    pub(crate) network: Arc<Network>,
    /// Takes values of secrets out of texts.
    pub(crate) redactor: Arc<Redactor>,
    journal: Journal,
    pub(crate) clock: VirtualClock,
    pub(crate) output: Arc<Mutex<Output>>,
    pub(crate) waits: Waits,
    pub(crate) rpc: Rpc,
    pub(crate) invoking: Invoking,
    /// What the task of the worker knows as well; `None` for an ephemeral worker and in a rehearsal.
    pub(crate) link: Option<Arc<Link>>,
    /// The platform as start-up code sees it that runs for all workers; `None` in an instance that is somebody's.
    pub(crate) start_up: Option<StartUp>,
    /// What of the guest's calls is recorded.
    pub(crate) persistence: PersistenceLevel,
    /// Whether a remote write without a recorded outcome may be done again.
    pub(crate) idempotence: bool,
    /// What the guest holds, for checkpoints.
    pub(crate) mirror: HandleMirror,
    /// What the accessor of checkpoints needs.
    pub(crate) access: AccessState,
    handles: HashMap<u64, ResourceAny>,
    next_handle: u64,
    /// Of a fork: the first number that it did not give away in the history of its origin.
    own_handles: u64,
    pub(crate) files: Files,
    pub(crate) http_calls: HttpCalls,
    pub(super) sockets: Sockets,
    /// Streams whose readings and writings are recorded.
    pub(super) channels: Channels,
    /// The last change of the store that was made without an entry: of an ephemeral worker, or of a guest that wants
    /// nothing recorded.
    pub(crate) loose: Option<Seq>,
}

impl HostState {
    /// The state of a new instance of `guest`.
    pub(crate) fn new(
        guest: Arc<Guest>,
        mut journal: Journal,
        rpc: Rpc,
        given: Given,
        link: Option<Arc<Link>>,
    ) -> Self {
        let output = Arc::new(Mutex::new(Output::default()));
        let pipe = |level| OutputPipe {
            level,
            output: Arc::clone(&output),
        };
        let mut wasi = WasiCtx::builder();
        wasi.stdout(pipe(LogLevel::Stdout))
            .stderr(pipe(LogLevel::Stderr))
            .envs(&given.env)
            .args(guest.seen_args());
        sockets::context(&mut wasi, &given.network);
        journal.bind(given.allowance.clone(), Arc::clone(&given.redactor));
        let log_burst = given.allowance.value(Limit::LogRate) * LOG_BURST_SECONDS;
        let files = rpc.node().outside().files();
        Self {
            guest,
            table: table(),
            wasi: wasi.build(),
            memory: 0,
            log_budget: (log_burst, rpc.clock().micros()),
            exceeded: None,
            meter: Meter::default(),
            allowance: given.allowance,
            network: given.network,
            redactor: given.redactor,
            journal,
            clock: VirtualClock::default(),
            output,
            waits: Waits::default(),
            rpc,
            invoking: Invoking {
                key: IdempotencyKey(String::new()),
                calls: 0,
                started: OplogIndex(0),
                deadline: None,
                call_timeout: None,
                trace: None,
            },
            link,
            start_up: None,
            persistence: PersistenceLevel::Smart,
            idempotence: true,
            mirror: HandleMirror::default(),
            access: AccessState::default(),
            handles: HashMap::new(),
            next_handle: 1,
            own_handles: 1,
            files,
            http_calls: HttpCalls::default(),
            sockets: Sockets::default(),
            channels: Channels::default(),
            loose: None,
        }
    }

    /// The log, after the lines that the guest has written so far: a line is never later in the log than what the
    /// guest did after it, so a replay can tell old lines from new ones.
    pub(crate) fn journal(&mut self) -> Result<&mut Journal, StoreError> {
        let lines = self.output.lock().take(false);
        self.log(lines)?;
        Ok(&mut self.journal)
    }

    /// Logs everything that the guest has written, also what has no line end yet: an invocation is over.
    pub(crate) fn flush_output(&mut self) -> Result<(), StoreError> {
        let lines = self.output.lock().take(true);
        self.log(lines)
    }

    fn log(&mut self, lines: Vec<Line>) -> Result<(), StoreError> {
        for line in lines {
            if self.journal.line_is_new()? {
                if !self.may_log(&line) {
                    continue;
                }
                let line = self.clean(line);
                tracing::info!(target: "golem::guest", worker = %self.guest.worker, component = %self.guest.worker.component_id, trace_id = self.trace_id(), level = ?line.level, context = %line.context, "{}", line.text);
                let level = line.level as i32;
                self.journal.append(Event::Log(Log {
                    level,
                    context: line.context,
                    message: line.text,
                }));
            }
        }
        Ok(())
    }

    /// The trace that the invocation belongs to, as logs have it.
    fn trace_id(&self) -> String {
        let trace = self.invoking.trace.as_ref();
        trace.map_or_else(String::new, |context| hex(&context.trace))
    }

    /// What the span of a call of the running invocation needs; `key` is of the call alone.
    pub(crate) fn call_trace(&self, key: &str) -> Option<CallTrace> {
        let inside = self.invoking.trace.as_ref()?;
        Some(CallTrace::new(inside, key, self.rpc.clock().wall_micros()))
    }

    /// A line without values of secrets.
    fn clean(&self, line: Line) -> Line {
        let clean = |text: String| self.redactor.changed(&text).unwrap_or(text);
        Line {
            level: line.level,
            context: clean(line.context),
            text: clean(line.text),
        }
    }

    /// Whether the worker may still log a line. Where not, the guest is stopped soon.
    fn may_log(&mut self, line: &Line) -> bool {
        let rate = self.allowance.value(Limit::LogRate);
        let now = self.rpc.clock().micros();
        let (left, at) = self.log_budget;
        let grown = u128::from(now.saturating_sub(at)) * u128::from(rate) / 1_000_000;
        let most = rate.saturating_mul(LOG_BURST_SECONDS);
        let left = left
            .saturating_add(u64::try_from(grown).unwrap_or(u64::MAX))
            .min(most);
        let cost = (line.text.len() + line.context.len()) as u64 + LOG_LINE_BYTES;
        self.log_budget = (left.saturating_sub(cost), now);
        if cost > left {
            let used = format!("it has logged more than {LOG_BURST_SECONDS} s of it at once");
            self.exceed(self.allowance.exceeded(Limit::LogRate, used));
            return false;
        }
        true
    }

    fn exceed(&mut self, exceeded: Exceeded) {
        self.exceeded.get_or_insert(exceeded);
    }

    /// Whether the guest does something new: limits are for that, and never for what is repeated.
    fn is_live(&mut self) -> bool {
        matches!(self.journal.peek(), Ok(None))
    }

    /// An invocation begins: what it may use is counted from here.
    pub(crate) fn begin_counting(&mut self) {
        self.meter.reset();
        let handles = if self.is_live() {
            self.allowance.value(Limit::Handles)
        } else {
            maximum_limit(Limit::Handles)
        };
        self.table
            .set_max_capacity(usize::try_from(handles).unwrap_or(usize::MAX));
    }

    /// Looks at what the guest has used: at every tick while it computes, and at the end of an invocation. Logs what it has
    /// written so far, so that it does not pile up here. Errors: `Limit`, `Store`.
    pub(crate) fn check_use(&mut self) -> Result<(), Halt> {
        self.journal()?;
        if let Some(exceeded) = self.exceeded.clone() {
            return Err(exceeded.into());
        }
        if !self.is_live() {
            self.meter.reset();
            return Ok(());
        }
        self.journal.check_size()?;
        Ok(self.allowance.check(Limit::CpuTime, self.meter.millis())?)
    }

    /// Bytes of linear memory, of all memories together.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory as u64
    }

    /// The guest wants nothing recorded: its calls are done now, also in a replay.
    pub(crate) fn is_unrecorded(&self) -> bool {
        self.persistence == PersistenceLevel::Nothing
    }

    /// A host call that only reads: answered from the log, or by `live` and recorded.
    pub(crate) fn durable(
        &mut self,
        call: Call,
        input: u64,
        live: impl FnOnce(&mut Self) -> Result<Value, Halt>,
    ) -> Result<Value, Halt> {
        if self.is_unrecorded() || self.start_up.is_some() && StartUp::answers(call) {
            return live(self);
        }
        if let Some(value) = self.journal()?.replayed(call, input)? {
            return Ok(value);
        }
        let value = live(self)?;
        self.journal.record(call, input, &value)?;
        Ok(value)
    }
}

impl Handles for HostState {
    fn keep(&mut self, resource: ResourceAny) -> (String, u64) {
        let id = self.next_handle;
        self.next_handle += 1;
        // A guest that gives away handles without end is stopped by its own table limit long before this map matters.
        if self.handles.len() < LIVE_RESOURCES_MAX {
            self.handles.insert(id, resource);
        }
        // What a fork repeats, its origin has done: it said its own name.
        let worker = if self.is_of_origin() {
            self.own_handles = self.next_handle;
            self.guest.seen_worker()
        } else {
            self.guest.worker.clone()
        };
        (crate::rpc::worker_urn(&worker), id)
    }

    fn find(&self, uri: &str, id: u64, _kind: u64) -> Option<ResourceAny> {
        let mine = uri == crate::rpc::worker_urn(&self.guest.worker);
        // What a fork has given away in the history that it repeats is its own, as it is its origin's.
        let inherited = || {
            self.guest.is_fork()
                && id < self.own_handles
                && uri == crate::rpc::worker_urn(&self.guest.seen_worker())
        };
        (mine || inherited())
            .then(|| self.handles.get(&id).copied())
            .flatten()
    }
}

impl HostState {
    /// The clock of the node.
    pub(crate) fn node_clock(&self) -> Clock {
        self.rpc.clock().clone()
    }

    /// The wall clock, nanoseconds since 1970.
    pub(crate) fn wall_now(&self) -> u64 {
        let start_up = self.start_up.as_ref().map(StartUp::wall_nanos);
        start_up.unwrap_or_else(|| self.rpc.clock().wall_nanos())
    }

    /// The moment of the steady clock, never before what the guest has already seen.
    pub(crate) fn real_now(&self) -> u64 {
        if self.start_up.is_some() {
            return self.clock.shown();
        }
        self.clock.not_before(self.rpc.clock().nanos())
    }

    /// Whether the invocation that ends is one that a fork repeats from the history of its origin.
    fn is_of_origin(&mut self) -> bool {
        let Some(at) = self.guest.origin.as_ref().map(|origin| origin.at) else {
            return false;
        };
        // An error of the store is met again by who reads the entry next.
        let next = self.journal().ok().and_then(|journal| journal.peek().ok());
        next.flatten().is_some_and(|(index, _)| *index <= at)
    }

    /// How many resources of the guest others hold.
    pub(crate) fn given_away(&self) -> usize {
        self.handles.len()
    }

    /// What a checkpoint keeps of the host's side; `None` when the files of the worker are too many for one.
    pub(crate) fn image(&self) -> Result<Option<HostImage>, Fault> {
        let files = if self.files.are_untouched() {
            None
        } else {
            let Some(archive) = self.files.archive()? else {
                return Ok(None);
            };
            Some(archive)
        };
        Ok(Some(HostImage {
            clock: self.clock.shown(),
            next_handle: self.next_handle,
            lines: self.journal.lines(),
            persistence: self.persistence,
            idempotence: self.idempotence,
            files,
        }))
    }

    /// Puts back what a checkpoint kept; `false` when its files cannot be read. The journal is the caller's: it knows from
    /// where on it reads.
    pub(crate) fn restore(&mut self, image: &HostImage) -> Result<bool, Fault> {
        self.clock.advance(image.clock);
        self.next_handle = image.next_handle;
        self.persistence = image.persistence;
        self.idempotence = image.idempotence;
        match &image.files {
            Some(archive) => self.files.unpack(archive),
            None => Ok(true),
        }
    }

    /// Takes a kept handle out, to drop its resource.
    pub(crate) fn take_handle(&mut self, id: u64) -> Option<ResourceAny> {
        self.handles.remove(&id)
    }
}

/// A table that holds what a history may have: the limit of the worker comes with its first new invocation.
fn table() -> ResourceTable {
    let mut table = ResourceTable::new();
    let most = maximum_limit(Limit::Handles);
    table.set_max_capacity(usize::try_from(most).unwrap_or(usize::MAX));
    table
}

impl ResourceLimiter for HostState {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let all = self.memory - current.min(self.memory) + desired;
        let most = self.allowance.value(Limit::Memory);
        if all as u64 > most && self.is_live() {
            let used = format!("it wants {}", Limit::Memory.show(all as u64));
            let exceeded = self.allowance.exceeded(Limit::Memory, used);
            return Err(Halt::from(exceeded).into());
        }
        self.memory = all;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }
}

impl WasiView for HostState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

/// The state as the implementations of WIT interfaces see it.
pub(crate) struct Linked<'a>(pub(crate) &'a mut HostState);

/// Tells wasmtime's bindings how to get from the store to [`Linked`].
pub(crate) struct HasLinked;

impl HasData for HasLinked {
    type Data<'a> = Linked<'a>;
}
