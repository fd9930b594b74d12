// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / instance: the live wasm of a worker. In: functions and values. Out: results, or why there is none.
//! After any trap an instance is dead: recovery is a new one and a replay. Bound: `limits.rs`. Read next: `host/state.rs`.

use std::sync::Arc;

use golem_model::Value;
use golem_model::limit::Limit;
use golem_model::oplog::FailureKind;
use golem_model::types::HandleMode;
use golem_storage::StoreError;
use wasmtime::component::{Func, ResourceTableError, Val};
use wasmtime::{Store, UpdateDeadline};

use crate::component::loaded::{ExportedFunction, Loaded};
use crate::error::Failure;
use crate::host::durable::Halt;
use crate::host::{HostState, HttpRequest, Serving, is_handler};
use crate::maps::Maps;
use crate::secrets::SecretError;
use crate::value::{Handles as _, each_handle, from_val, to_val};

/// Why a call of the guest has no result.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// The guest failed.
    Failed(Failure),
    /// The guest ended itself.
    Exited(u32),
    /// The log cannot be read or written: not the guest's fault.
    Store(StoreError),
    /// The guest went back in its log: it runs again from there.
    Restart,
    /// A rehearsal has come to the end of what is recorded.
    End,
}

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Failed(failure) => f.write_str(&failure.message),
            Self::Exited(status) => write!(f, "the guest exited with status {status}"),
            Self::Store(error) => error.fmt(f),
            Self::Restart => Halt::Restart.fmt(f),
            Self::End => Halt::End.fmt(f),
        }
    }
}

impl Stopped {
    /// A failure of the guest.
    pub(crate) fn failed(kind: FailureKind, message: impl Into<String>) -> Self {
        Self::Failed(Failure::new(kind, message))
    }
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<SecretError> for Stopped {
    fn from(error: SecretError) -> Self {
        match error {
            SecretError::Store(error) => Self::Store(error),
            error => Self::failed(FailureKind::Denied, error.to_string()),
        }
    }
}

impl From<Halt> for Stopped {
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::Store(error) => Self::Store(error),
            Halt::Restart => Self::Restart,
            Halt::End => Self::End,
            halt => {
                let mut failure = Failure::new(halt.kind(), halt.to_string());
                if let Halt::Deadlock(path) = halt {
                    failure.path = path;
                }
                Self::Failed(failure)
            }
        }
    }
}

/// A live instance.
pub(crate) struct Instance {
    pub(crate) store: Store<HostState>,
    pub(crate) instance: wasmtime::component::Instance,
    /// The component version that it runs.
    pub(crate) loaded: Arc<Loaded>,
    /// Its start-up code has run and no call has ended yet.
    pub(crate) is_new: bool,
    /// Counted until the store is gone: after it.
    _maps: Maps,
}

impl Instance {
    /// A new instance of a component, whose start-up code has run: in it, or once for all its workers.
    pub(crate) async fn start(loaded: Arc<Loaded>, state: HostState) -> Result<Self, Stopped> {
        match state.guest.start.clone() {
            None => Self::start_alone(loaded, state).await,
            Some(start) => Self::start_shared(loaded, state, &start).await,
        }
    }

    /// Instantiates a component and runs the start-up code of its guest.
    pub(crate) async fn start_alone(
        loaded: Arc<Loaded>,
        state: HostState,
    ) -> Result<Self, Stopped> {
        let maps = Maps::take(loaded.maps);
        let mut store = new_store(&loaded, state);
        let meter = store.data().meter.clone();
        meter.reset();
        let started = meter.measure(loaded.pre.instantiate_async(&mut store));
        let instance = match started.await {
            Ok(instance) => instance,
            Err(error) => return Err(stopped(&mut store, error)),
        };
        let mut new = Self {
            store,
            instance,
            loaded: Arc::clone(&loaded),
            is_new: true,
            _maps: maps,
        };
        if let Err(error) = new.bring_in_pages().await {
            return Err(stopped(&mut new.store, error));
        }
        // The instrumentation of checkpoints has taken these calls out of the instantiation.
        for start in loaded.access.iter().flat_map(|access| &access.starts) {
            if let Err(error) = meter.measure(new.access::<(), ()>(start, ())).await {
                return Err(stopped(&mut new.store, error));
            }
        }
        Ok(new)
    }

    /// Instantiates a component without the start-up code of its guest: a checkpoint is put over it.
    pub(crate) async fn instantiate(
        loaded: Arc<Loaded>,
        state: HostState,
    ) -> wasmtime::Result<Self> {
        let maps = Maps::take(loaded.maps);
        let mut store = new_store(&loaded, state);
        let instance = loaded.pre.instantiate_async(&mut store).await?;
        Ok(Self {
            store,
            instance,
            loaded,
            is_new: false,
            _maps: maps,
        })
    }

    /// The host's side of the instance.
    pub(crate) fn state(&mut self) -> &mut HostState {
        self.store.data_mut()
    }

    /// Calls an exported function with a `Value::Tuple` of its arguments; returns a tuple of no or one value.
    pub(crate) async fn call(
        &mut self,
        function: &ExportedFunction,
        input: &Value,
    ) -> Result<Value, Stopped> {
        self.store.data().output.lock().forget_tail();
        let Some(index) = &function.index else {
            return self.drop_resource(input).await;
        };
        let Some(func) = self.instance.get_func(&mut self.store, index) else {
            return Err(Stopped::failed(
                FailureKind::InvalidRequest,
                format!("`{}` is not a function", function.name),
            ));
        };
        if is_handler(&function.name) {
            return self.serve(func, input).await;
        }
        let params = self.params(function, input)?;
        self.begin_turn();
        let mut results = vec![Val::Bool(false); usize::from(function.result.is_some())];
        let meter = self.store.data().meter.clone();
        let called = func.call_async(&mut self.store, &params, &mut results);
        if let Err(error) = meter.measure(called).await {
            return Err(stopped(&mut self.store, error));
        }
        self.end().await?;
        let values = results
            .iter()
            .zip(&function.result)
            .map(|(val, typ)| from_val(val, typ, self.store.data_mut()));
        let values = values.collect::<Result<Vec<_>, _>>();
        Ok(Value::Tuple(values.map_err(|error| {
            Stopped::failed(FailureKind::InvalidRequest, error.to_string())
        })?))
    }

    /// Why the guest cannot be asked this: it is to be given a resource that it has not given away, or has dropped.
    pub(crate) fn lacks(&self, function: &str, input: &[u8]) -> Option<String> {
        let function = self.loaded.function(function)?;
        // To drop what is gone changes nothing.
        if !function.takes_handles || function.index.is_none() {
            return None;
        }
        let Ok(Value::Tuple(values)) = Value::from_bytes(input) else {
            return None;
        };
        let state = self.store.data();
        let mut lacking = None;
        for (value, typ) in values.iter().zip(&function.params) {
            each_handle(value, typ, &mut |uri, id, _| {
                if state.find(uri, id, 0).is_none() {
                    lacking.get_or_insert_with(|| format!("{uri} has no resource {id}"));
                }
            });
        }
        lacking
    }

    /// Gives the guest a whole tick. Without it the deadline of its last invocation has passed long ago, and the first thing that
    /// it does is to give way.
    fn begin_turn(&mut self) {
        self.store.set_epoch_deadline(1);
    }

    /// What an invocation leaves when its function has returned.
    async fn end(&mut self) -> Result<(), Stopped> {
        let state = self.store.data_mut();
        state.settle_calls().await?;
        state.http_calls.close();
        state.settle_changes().await;
        state.flush_output()?;
        state.check_use()?;
        if std::mem::take(&mut self.is_new)
            && let Err(error) = self.learn_pages().await
        {
            return Err(stopped(&mut self.store, error));
        }
        Ok(())
    }

    /// Calls the handler of requests with a request; returns a tuple of its response.
    async fn serve(&mut self, func: Func, input: &Value) -> Result<Value, Stopped> {
        let wrong = |detail: String| Stopped::failed(FailureKind::InvalidRequest, detail);
        let request = match input {
            Value::Tuple(values) => match values.as_slice() {
                [request] => HttpRequest::from_value(request),
                _ => None,
            },
            _ => None,
        };
        let request = request
            .ok_or_else(|| wrong("the handler is called with requests of HTTP only".into()))?;
        let begun = Serving::begin(self.store.data_mut(), request);
        let (incoming, outparam, serving) =
            begun.map_err(|error| stopped(&mut self.store, error))?;
        self.begin_turn();
        let meter = self.store.data().meter.clone();
        let called = async {
            let params = [
                Val::Resource(incoming.try_into_resource_any(&mut self.store)?),
                Val::Resource(outparam.try_into_resource_any(&mut self.store)?),
            ];
            func.call_async(&mut self.store, &params, &mut []).await
        };
        if let Err(error) = meter.measure(called).await {
            return Err(stopped(&mut self.store, error));
        }
        self.end().await?;
        let response = serving
            .end()
            .map_err(|detail| Stopped::failed(FailureKind::Trap, detail))?;
        Ok(Value::Tuple(vec![response.to_value()]))
    }

    fn params(&mut self, function: &ExportedFunction, input: &Value) -> Result<Vec<Val>, Stopped> {
        let wrong = |detail: String| {
            Stopped::failed(
                FailureKind::InvalidRequest,
                format!("arguments of `{}`: {detail}", function.name),
            )
        };
        let Value::Tuple(values) = input else {
            return Err(wrong("no tuple".into()));
        };
        if values.len() != function.params.len() {
            return Err(wrong(format!(
                "{} values for {} parameters",
                values.len(),
                function.params.len()
            )));
        }
        let params = values
            .iter()
            .zip(&function.params)
            .map(|(value, typ)| to_val(value, typ, self.store.data()));
        let params = params
            .collect::<Result<_, _>>()
            .map_err(|error| wrong(error.to_string()))?;
        // What is given to the guest for good is nobody's handle any more.
        let mut ids = Vec::new();
        for (value, typ) in values.iter().zip(&function.params) {
            each_handle(value, typ, &mut |_, id, mode| {
                if mode == HandleMode::Owned {
                    ids.push(id);
                }
            });
        }
        for id in ids {
            self.store.data_mut().take_handle(id);
        }
        Ok(params)
    }

    /// Drops a resource that the guest has given away: what `iface.{r.drop}` does.
    async fn drop_resource(&mut self, input: &Value) -> Result<Value, Stopped> {
        if let Value::Tuple(values) = input
            && let [Value::Handle { id, .. }] = values.as_slice()
            && let Some(resource) = self.store.data_mut().take_handle(*id)
        {
            let meter = self.store.data().meter.clone();
            let dropped = meter.measure(resource.resource_drop_async(&mut self.store));
            dropped
                .await
                .map_err(|error| stopped(&mut self.store, error))?;
        }
        Ok(Value::Tuple(Vec::new()))
    }

    /// Entries that this instance has written.
    pub(crate) fn recorded(&mut self) -> Result<u64, StoreError> {
        Ok(self.store.data_mut().journal()?.recorded())
    }
}

fn new_store(loaded: &Loaded, state: HostState) -> Store<HostState> {
    state.files.begin(&loaded.initial);
    let mut store = Store::new(loaded.pre.engine(), state);
    store.limiter(|state| state);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut context| {
        context.data_mut().check_use()?;
        let link = context.data().link.as_ref();
        let committer = link.map(|link| link.node.committer());
        // A guest that records faster than the disk takes it waits here, and not in memory.
        Ok(match committer.filter(|committer| committer.is_crowded()) {
            Some(committer) => {
                UpdateDeadline::YieldCustom(1, Box::pin(async move { committer.room().await }))
            }
            None => UpdateDeadline::Yield(1),
        })
    });
    store
}

/// Functions of a trace that are kept: enough to see where the guest was, few enough for an entry of the log.
const TRACE_FRAMES_MAX: usize = 32;

/// Says why a guest stopped, in words that its author understands.
fn stopped(store: &mut Store<HostState>, error: wasmtime::Error) -> Stopped {
    // What the guest has said so far belongs to the log, whatever happened.
    if let Err(error) = store.data_mut().flush_output() {
        return error.into();
    }
    if let Some(exit) = error.downcast_ref::<wasmtime_wasi::I32Exit>() {
        return Stopped::Exited(exit.0.cast_unsigned());
    }
    let halt = error.downcast_ref::<Halt>().cloned();
    let mut stopped = match halt.or_else(|| no_more_handles(store.data(), &error)) {
        Some(halt) => halt.into(),
        None => Stopped::Failed(failure(store, &error)),
    };
    if let Stopped::Failed(failure) = &mut stopped {
        failure.trace = trace(&error);
    }
    stopped
}

/// The table of resources is full.
fn no_more_handles(state: &HostState, error: &wasmtime::Error) -> Option<Halt> {
    let full = matches!(
        error.downcast_ref::<ResourceTableError>(),
        Some(ResourceTableError::Full)
    );
    let exceeded = || {
        let used = "it wants one more".to_owned();
        state.allowance.exceeded(Limit::Handles, used)
    };
    full.then(|| exceeded().into())
}

fn failure(store: &Store<HostState>, error: &wasmtime::Error) -> Failure {
    let last_words = store.data().output.lock().last_words();
    let last_words = last_words.map(|words| store.data().redactor.text(&words).into_owned());
    match error.downcast_ref::<wasmtime::Trap>() {
        Some(wasmtime::Trap::StackOverflow) => Failure::new(
            FailureKind::StackOverflow,
            "the guest recursed too deep: call stack exhausted",
        ),
        Some(trap) => {
            let memory = last_words
                .as_deref()
                .is_some_and(|words| words.contains("out of memory"));
            let kind = if memory {
                FailureKind::OutOfMemory
            } else {
                FailureKind::Trap
            };
            Failure::new(kind, last_words.unwrap_or_else(|| format!("{trap}")))
        }
        None => Failure::new(
            FailureKind::Trap,
            last_words.unwrap_or_else(|| format!("{error:#}")),
        ),
    }
}

/// The functions of the guest that were active, innermost first, one per line.
fn trace(error: &wasmtime::Error) -> String {
    let Some(backtrace) = error.downcast_ref::<wasmtime::WasmBacktrace>() else {
        return String::new();
    };
    let frames = backtrace.frames().iter().take(TRACE_FRAMES_MAX);
    let names = frames.map(|frame| match frame.func_name() {
        Some(name) => name.to_owned(),
        None => format!("function {}", frame.func_index()),
    });
    names.collect::<Vec<_>>().join("\n")
}
