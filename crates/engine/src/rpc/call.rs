// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / call: one call from worker to worker, whichever interface it came through. In: target, function, values.
//! Out: a result, a typed error, or a halt. The start entry is in the stream before the target hears of the call; the
//! target's answer is in the stream before the end entry. Read next: `../node.rs` (`deliver`). Why: architecture D8–D10.

use std::sync::Arc;

use golem_model::oplog::{Event, Sent};
use golem_model::urn::{ComponentRef, WorkerUrn};
use golem_model::{ComponentId, IdempotencyKey, OplogIndex, Value, WitType, WorkerId};
use tokio::sync::oneshot;

use super::future::{CallFuture, Got};
use crate::chance::Chance;
use crate::clock::Clock;
use crate::host::calls::{self, Call};
use crate::host::durable::{Halt, Start, Subject, input_hash};
use crate::host::{Guest, HostState, Source, wait_outside};
use crate::node::Node;
use crate::queue::{CreateWith, Reply, Target};
use crate::trace::CallTrace;

/// URN of a worker.
pub(crate) fn worker_urn(worker: &WorkerId) -> String {
    golem_model::urn::WorkerUrn::named(worker).to_string()
}

/// How a call failed, as far as the caller may know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RpcError {
    /// The call could not be understood: arguments of other types, a result that cannot be read.
    #[error("{0}")]
    Protocol(String),
    /// There is no such component or function.
    #[error("{0}")]
    NotFound(String),
    /// The caller may not do this.
    #[error("{0}")]
    Denied(String),
    /// The deadline of the call passed before it was done.
    #[error("{0}")]
    Timeout(String),
    /// The call was cancelled.
    #[error("{0}")]
    Cancelled(String),
    /// The call would wait for ever: URNs of the workers along the cycle.
    #[error("deadlock: {}", .0.join(" → "))]
    Deadlock(Vec<String>),
    /// The target failed, now or in an earlier invocation.
    #[error("{message}")]
    CalleeFailed {
        /// What the target said.
        message: String,
        /// Its functions that were active, innermost first, one per line; may be empty.
        trace: String,
    },
}

impl RpcError {
    /// A call that would wait for ever: the workers along the cycle.
    pub(crate) fn deadlock(path: &[WorkerId]) -> Self {
        Self::Deadlock(path.iter().map(worker_urn).collect())
    }

    /// A failure of the target, or of the way to it, without a trace.
    pub(crate) fn callee_failed(message: impl Into<String>) -> Self {
        Self::CalleeFailed {
            message: message.into(),
            trace: String::new(),
        }
    }
}

/// A call to a worker.
#[derive(Debug, Clone)]
pub(crate) struct RemoteCall {
    /// Whom.
    pub(crate) target: Target,
    /// Its key: the same whenever it is issued again.
    pub(crate) key: IdempotencyKey,
    /// The same as the worker's history has it: a fork calls with keys of its own, and repeats those of its origin.
    pub(crate) origin_key: IdempotencyKey,
    /// What: how the stub or the guest names it.
    pub(crate) function: Function,
    /// One encoded `Value::Tuple`.
    pub(crate) input: Vec<u8>,
    /// It may have been delivered before: the target has to look its key up.
    pub(crate) repeated: bool,
    /// Until when it has to be done, µs since 1970.
    pub(crate) deadline: Option<u64>,
    /// What its span needs, if its invocation belongs to a trace.
    pub(crate) trace: Option<CallTrace>,
}

/// How a call names its function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Function {
    /// As it is: `ns:pkg/iface.{fn}`.
    Named(String),
    /// Through a stub: looked up among the exports of the target.
    Stub {
        /// `ns:pkg` of the target.
        package: String,
        /// `@version`, or empty.
        version: String,
        /// Client resource: an interface, an inline interface or the world.
        resource: String,
        /// Function.
        function: String,
    },
    /// Through a stub, of an exported resource: looked up among the exports of the target.
    Member {
        /// `ns:pkg` of the target.
        package: String,
        /// `@version`, or empty.
        version: String,
        /// Resource.
        resource: String,
        /// `new`, `drop`, a method or a static function.
        function: String,
    },
}

impl std::fmt::Display for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Stub {
                package,
                version,
                resource,
                function,
            } => write!(f, "{package}/{resource}{version}.{{{function}}}"),
            Self::Member {
                package,
                version,
                resource,
                function,
            } => write!(f, "{package}{version}.{{{resource}.{function}}}"),
        }
    }
}

/// A call that is about to be made.
struct Prepared {
    call: RemoteCall,
    number: u64,
    hash: u64,
    subject: String,
}

impl Prepared {
    fn subject(&self) -> Subject<'_> {
        Subject {
            hash: self.hash,
            subject: &self.subject,
            number: self.number,
            request: &self.call.input,
        }
    }
}

/// Says that the target has accepted a call (it is in the stream), or never will.
pub(crate) type Delivered = oneshot::Sender<Result<(), RpcError>>;

/// A call of the running invocation that nobody waits for.
struct Outgoing {
    start: OplogIndex,
    call: RemoteCall,
    future: Option<Arc<CallFuture>>,
    accepted: Option<oneshot::Receiver<Result<(), RpcError>>>,
}

/// What an instance needs for calls.
pub(crate) struct Rpc {
    node: Arc<Node>,
    /// Calls that were not confirmed yet, in order.
    outbox: Vec<Outgoing>,
    /// Calls whose futures the guest dropped in the part of the running invocation that was only repeated so far.
    abandoned: Vec<RemoteCall>,
    live: bool,
}

impl Rpc {
    /// Calls through `node`.
    pub(crate) fn new(node: Arc<Node>) -> Self {
        Self {
            node,
            outbox: Vec::new(),
            abandoned: Vec::new(),
            live: false,
        }
    }

    /// The node that this instance runs on.
    pub(crate) fn node(&self) -> Arc<Node> {
        Arc::clone(&self.node)
    }

    /// Random bytes of the node.
    pub(crate) fn chance(&self) -> &Chance {
        self.node.chance()
    }

    /// The clock of the node.
    pub(crate) fn clock(&self) -> &Clock {
        self.node.clock()
    }

    /// Delivers a call whose result is waited for, unless this instance has done so.
    pub(crate) fn join(&self, guest: &Arc<Guest>, future: &Arc<CallFuture>) -> Result<(), Halt> {
        if future.take_delivery()
            && let Err(error) = self.node.deliver(
                guest,
                &future.call,
                None,
                Some(Reply::Caller(Arc::clone(future))),
            )
        {
            future.resolve(Err(error));
        }
        Ok(())
    }

    /// Cancels a call that this instance, or one before it, has made: whoever it goes to stops working on it.
    fn cancel(&self, call: &RemoteCall) {
        if let Target::Worker(worker) = &call.target {
            self.node.cancel_later(worker, &call.key);
        }
    }

    /// Types of the parameters of a function that is called by its full name.
    pub(crate) fn parameter_types(
        &self,
        target: &Target,
        name: &str,
    ) -> Result<Vec<WitType>, RpcError> {
        let exported = self
            .node
            .remote_function(target, &Function::Named(name.to_owned()))?;
        Ok(exported.params.clone())
    }
}

impl Guest {
    /// What a worker starts with that this guest's call creates: the caller's arguments and environment.
    pub(crate) fn heir(&self) -> CreateWith {
        CreateWith {
            args: self.args.clone(),
            env: self.env.clone(),
            parent: Some(worker_urn(&self.worker)),
        }
    }
}

impl HostState {
    /// Why the guest may not call a target at this moment, if it may not.
    pub(crate) fn denial(&self, target: &Target) -> Option<RpcError> {
        let caller = self.guest.worker.component_id;
        self.rpc.node.may_call(caller, target).err()
    }

    /// Whether the guest may know what becomes of workers of a component: those of its own namespace. Components do not move, so the
    /// answer is the same for ever.
    pub(crate) fn may_see(&self, component: ComponentId) -> bool {
        let own = self.guest.worker.component_id;
        self.rpc.node.are_neighbours(own, component)
    }

    /// The target of a worker URN or URL. A name is made up for a durable worker without one, and recorded.
    /// Source: client spec §1.4, §4.4.
    pub(crate) fn rpc_target(&mut self, uri: &str) -> Result<Target, Halt> {
        let invalid = |detail: &str| {
            Halt::InvalidRequest(format!(
                "Invalid URI: {uri}. Must be urn:worker:component-id/worker-name{detail}"
            ))
        };
        let urn: WorkerUrn = uri.parse().map_err(|_| invalid(""))?;
        if urn.function.is_some() {
            return Err(invalid(", without a function"));
        }
        let component = match urn.component {
            ComponentRef::Id(id) => id,
            ComponentRef::Name(name) => {
                let found = self.durable(
                    calls::COMPONENT_OF_NAME,
                    input_hash(&[name.as_bytes()]),
                    |state| {
                        let id = state
                            .rpc
                            .node
                            .component_named(state.guest.worker.component_id, &name)
                            .map_err(|error| Halt::CalleeFailed(error.to_string()))?;
                        Ok(Value::Bytes(id.0.as_bytes().to_vec()))
                    },
                )?;
                let Value::Bytes(bytes) = found else {
                    return Err(invalid(""));
                };
                ComponentId(uuid::Uuid::from_slice(&bytes).map_err(|_| invalid(""))?)
            }
        };
        if let Some(name) = urn.worker_name {
            return Ok(Target::Worker(WorkerId::new(component, name)));
        }
        let name = self.durable(
            calls::UNNAMED_WORKER,
            input_hash(&[uri.as_bytes()]),
            |state| {
                let ephemeral = state.rpc.node.is_ephemeral(component);
                Ok(Value::Option((!ephemeral).then(|| {
                    Box::new(Value::String(uuid::Uuid::new_v4().to_string()))
                })))
            },
        )?;
        match name {
            Value::Option(Some(name)) => match *name {
                Value::String(name) => Ok(Target::Worker(WorkerId::new(component, name))),
                _ => Err(invalid("")),
            },
            _ => Ok(Target::Ephemeral(component)),
        }
    }

    /// The next call of the running invocation.
    fn remote_call(
        &mut self,
        target: Target,
        function: Function,
        params: Vec<Value>,
    ) -> Result<Prepared, Halt> {
        let number = self.invoking.next_call();
        // A call that is made again after a region was undone may differ from the one that was undone: it has another key.
        let salt = self.journal()?.salt()?;
        let key = self.invoking.key.derive(&self.guest.worker, number, salt);
        let origin_key = if self.guest.is_fork() {
            let origin = self.guest.seen_worker();
            self.invoking.key.derive(&origin, number, salt)
        } else {
            key.clone()
        };
        let (subject, input, hash) = about(&target, &function, params);
        let deadline = self.invoking.call_deadline(self.real_now() / 1_000);
        let trace = self.call_trace(&key.0);
        let call = RemoteCall {
            target,
            key,
            origin_key,
            function,
            input,
            repeated: false,
            deadline,
            trace,
        };
        Ok(Prepared {
            call,
            number,
            hash,
            subject,
        })
    }

    /// Whether the next thing that the history has is this call, to be waited for; `None` where the history ends.
    pub(crate) fn repeats_call(
        &mut self,
        target: &Target,
        function: &Function,
        params: Vec<Value>,
    ) -> Result<Option<bool>, Halt> {
        let (_, _, hash) = about(target, function, params);
        Ok(match self.journal()?.peek()? {
            None => None,
            Some((_, Event::CallStart(start))) => {
                Some(start.call == calls::RPC_INVOKE_AND_AWAIT.number && start.input == hash)
            }
            Some(_) => Some(false),
        })
    }

    /// Calls and waits for the result: `Ok` holds a tuple of no or one value. A failure is returned, and recorded only
    /// if `errors_are_values`: else the caller turns it into a halt (D10).
    pub(crate) async fn call_and_wait(
        &mut self,
        target: Target,
        function: Function,
        params: Vec<Value>,
        errors_are_values: bool,
    ) -> Result<Result<Value, RpcError>, Halt> {
        let mut prepared = self.remote_call(target, function, params)?;
        let start = if self.is_unrecorded() {
            prepared.call.repeated = true;
            None
        } else {
            match self
                .journal()?
                .start(calls::RPC_INVOKE_AND_AWAIT, &prepared.subject())?
            {
                Start::Done(value) => return Ok(result_from(value)),
                Start::Perform { start, again } => {
                    prepared.call.repeated = again;
                    Some(start)
                }
            }
        };
        self.go_live()?;
        let future = self.future_of(prepared.call);
        let mut also = Vec::new();
        match self.may_wait_for(&future) {
            Err(cycle) => future.resolve(Err(cycle)),
            Ok(()) => {
                self.rpc.join(&self.guest, &future)?;
                let sources = start
                    .is_some()
                    .then(|| vec![Source::Call(Arc::clone(&future))]);
                let link = self.link.clone();
                ((), also) = wait_outside(link.as_ref(), sources, future.wait()).await;
            }
        }
        let Got::Result(result) = future.get() else {
            return Err(Halt::CalleeFailed("the result was taken".into()));
        };
        self.trace_call(&future.call, true, result.as_ref().err());
        if let Some(start) = start
            && (result.is_ok() || errors_are_values)
        {
            self.journal()?.end(start, &result_value(&result), also)?;
        }
        Ok(result)
    }

    /// The future of a call: the one that an instance before this one has waited for, if there is one.
    fn future_of(&self, call: RemoteCall) -> Arc<CallFuture> {
        let kept = self.link.as_ref().and_then(|link| link.kept(&call.key));
        kept.unwrap_or_else(|| CallFuture::new(call))
    }

    /// Whether waiting for a call could come to an end.
    fn may_wait_for(&self, future: &CallFuture) -> Result<(), RpcError> {
        match (&self.link, future.target()) {
            (Some(link), Some(target)) => link
                .wait_for(vec![target.clone()])
                .map_err(|path| RpcError::deadlock(&path)),
            _ => Ok(()),
        }
    }

    /// Calls without waiting, and without a result.
    pub(crate) fn trigger(
        &mut self,
        target: Target,
        function: Function,
        params: Vec<Value>,
    ) -> Result<Result<(), RpcError>, Halt> {
        let mut prepared = self.remote_call(target, function, params)?;
        // What nobody waits for outlives its caller's deadline.
        prepared.call.deadline = None;
        let (start, replayed) = self.sent(calls::RPC_INVOKE, &prepared)?;
        prepared.call.repeated = replayed;
        let sent = prepared.call.clone();
        let outgoing = Outgoing {
            start,
            call: prepared.call,
            future: None,
            accepted: None,
        };
        let posted = self.post(outgoing, replayed)?;
        if !replayed {
            self.trace_call(&sent, false, posted.as_ref().err());
        }
        Ok(posted)
    }

    /// Calls without waiting for the result.
    pub(crate) fn call_later(
        &mut self,
        target: Target,
        function: Function,
        params: Vec<Value>,
    ) -> Result<Arc<CallFuture>, Halt> {
        let prepared = self.remote_call(target, function, params)?;
        self.begin(prepared)
    }

    /// Calls without waiting, and nobody hears how it ends: also when it could not be sent.
    pub(crate) fn release(
        &mut self,
        target: Target,
        function: Function,
        params: Vec<Value>,
    ) -> Result<(), Halt> {
        let mut prepared = self.remote_call(target, function, params)?;
        // As of every call that nobody waits for.
        prepared.call.deadline = None;
        self.begin(prepared).map(drop)
    }

    fn begin(&mut self, mut prepared: Prepared) -> Result<Arc<CallFuture>, Halt> {
        let (start, replayed) = self.sent(calls::RPC_ASYNC_INVOKE_AND_AWAIT, &prepared)?;
        prepared.call.repeated = replayed;
        let future = self.future_of(prepared.call.clone());
        let outgoing = Outgoing {
            start,
            call: prepared.call,
            future: Some(Arc::clone(&future)),
            accepted: None,
        };
        if let Err(error) = self.post(outgoing, replayed)? {
            future.take_delivery();
            future.resolve(Err(error));
        }
        Ok(future)
    }

    /// A call has ended, live: its span is made.
    fn trace_call(&self, call: &RemoteCall, waits: bool, error: Option<&RpcError>) {
        if call.trace.is_none() {
            return;
        }
        let (target, function) = (call.target.to_string(), call.function.to_string());
        let error = error.map(|error| self.redactor.text(&error.to_string()).into_owned());
        let about = (target.as_str(), function.as_str(), &call.key);
        let (node, caller) = (self.rpc.node(), &self.guest.worker);
        node.call_ended(caller, call.trace.as_ref(), about, waits, error);
    }

    fn sent(&mut self, call: Call, prepared: &Prepared) -> Result<(OplogIndex, bool), Halt> {
        if self.is_unrecorded() {
            return Ok((OplogIndex(0), false));
        }
        self.journal()?.send(call, &prepared.subject())
    }

    /// The guest drops a future: if its call is still under way, nobody wants its result any more, and it is cancelled.
    pub(crate) fn abandon(&mut self, future: &Arc<CallFuture>) -> Result<(), Halt> {
        let seen = future.get();
        let under_way = matches!(seen, Got::Pending) && future.abandon();
        if self.rpc.live {
            let gone = || RpcError::Cancelled("nobody waits for the result any more".into());
            match seen {
                Got::Result(result) => self.trace_call(&future.call, true, result.as_ref().err()),
                Got::Pending => self.trace_call(&future.call, true, Some(&gone())),
                // Its span was made when the result was taken.
                Got::Taken => {}
            }
        }
        if !under_way {
            return Ok(());
        }
        if self.rpc.live {
            self.rpc.cancel(&future.call);
        } else {
            self.rpc.abandoned.push(future.call.clone());
        }
        Ok(())
    }

    /// The result of a future, if it is there. A failure is recorded only if `errors_are_values`.
    pub(crate) async fn future_result(
        &mut self,
        future: &Arc<CallFuture>,
        errors_are_values: bool,
    ) -> Result<Option<Result<Value, RpcError>>, Halt> {
        let call: Call = calls::RPC_FUTURE_GET;
        let hash = input_hash(&[future.call.origin_key.0.as_bytes()]);
        let recorded = !self.is_unrecorded();
        if recorded && let Some(value) = self.journal()?.replayed(call, hash)? {
            let Value::Option(found) = value else {
                return Err(Halt::InvalidRequest(
                    "a recorded result has another type".into(),
                ));
            };
            return Ok(found.map(|value| {
                future.take_replayed();
                let result = result_from(*value);
                if matches!(result, Err(RpcError::Denied(_))) {
                    self.rpc.forget(future);
                }
                result
            }));
        }
        self.go_live()?;
        self.rpc.join(&self.guest, future)?;
        future.keep_promise().await;
        match future.get() {
            Got::Taken => Err(Halt::InvalidRequest(
                "the result of this call was already taken".into(),
            )),
            Got::Pending => {
                if recorded {
                    self.journal()?.record(call, hash, &Value::Option(None))?;
                }
                Ok(None)
            }
            Got::Result(result) => {
                self.trace_call(&future.call, true, result.as_ref().err());
                if recorded && (result.is_ok() || errors_are_values) {
                    let value = Value::Option(Some(Box::new(result_value(&result))));
                    self.journal()?.record(call, hash, &value)?;
                }
                Ok(Some(result))
            }
        }
    }

    /// A future of a call that was refused before it was made: its result is the refusal.
    pub(crate) fn refused_call(
        &mut self,
        target: Target,
        function: Function,
        refusal: RpcError,
    ) -> Result<Arc<CallFuture>, Halt> {
        let future = CallFuture::new(self.remote_call(target, function, Vec::new())?.call);
        future.take_delivery();
        future.resolve(Err(refusal));
        Ok(future)
    }

    /// Delivers a call that nobody waits for; one that was replayed is kept until the run is live.
    fn post(
        &mut self,
        mut outgoing: Outgoing,
        replayed: bool,
    ) -> Result<Result<(), RpcError>, Halt> {
        if replayed {
            self.rpc.outbox.push(outgoing);
            return Ok(Ok(()));
        }
        self.go_live()?;
        let delivered = self.rpc.issue(&self.guest, &mut outgoing);
        if delivered.is_ok() {
            self.rpc.outbox.push(outgoing);
        }
        Ok(delivered)
    }

    /// The call that was just repeated could not be sent when it was new, and the guest was told so: it is not to be issued
    /// again, whoever could take it by now.
    pub(super) fn forget_refused_call(&mut self) {
        self.rpc.outbox.pop();
    }

    /// The log is at its end: calls that it does not confirm are issued again, with their keys.
    pub(crate) fn go_live(&mut self) -> Result<(), Halt> {
        if self.rpc.live || self.journal()?.peek()?.is_some() || self.journal()?.stops().is_err() {
            return Ok(());
        }
        self.rpc.live = true;
        let sent = std::mem::take(&mut self.journal()?.seen().sent);
        let guest = Arc::clone(&self.guest);
        let mut outbox = std::mem::take(&mut self.rpc.outbox);
        outbox.retain(|outgoing| !sent.contains(&outgoing.start));
        for outgoing in &mut outbox {
            if let Err(error) = self.rpc.issue(&guest, outgoing) {
                let (sender, receiver) = oneshot::channel();
                // The receiver is right here: the send cannot fail.
                drop(sender.send(Err(error)));
                outgoing.accepted = Some(receiver);
            }
        }
        self.rpc.outbox = outbox;
        for call in std::mem::take(&mut self.rpc.abandoned) {
            self.rpc.cancel(&call);
        }
        Ok(())
    }

    /// Before an invocation ends: all its calls have been accepted, so they are in the stream before its end is.
    pub(crate) async fn settle_calls(&mut self) -> Result<(), Halt> {
        self.go_live()?;
        if !self.rpc.live {
            // The end of this invocation is in the log, so its calls are.
            self.rpc.outbox.clear();
            self.rpc.abandoned.clear();
            return Ok(());
        }
        let outbox = std::mem::take(&mut self.rpc.outbox);
        let mut starts = Vec::with_capacity(outbox.len());
        for outgoing in outbox {
            let accepted = match outgoing.accepted {
                Some(accepted) => accepted
                    .await
                    .unwrap_or_else(|_| Err(RpcError::callee_failed("the server is stopping"))),
                None => Ok(()),
            };
            // The failure of a call with a future is told by the future.
            if let (Err(error), None) = (&accepted, &outgoing.future) {
                return Err(Halt::CalleeFailed(format!(
                    "{} of {}: {error}",
                    outgoing.call.function, outgoing.call.target
                )));
            }
            starts.push(outgoing.start.0);
        }
        starts.retain(|start| *start > 0);
        if !starts.is_empty() {
            self.journal()?.append(Event::Sent(Sent { starts }));
        }
        Ok(())
    }
}

impl Rpc {
    /// The guest was told that this call was denied: it is not made later because the way is open by now.
    fn forget(&mut self, denied: &Arc<CallFuture>) {
        self.outbox.retain(|outgoing| {
            let future = outgoing.future.as_ref();
            !future.is_some_and(|future| Arc::ptr_eq(future, denied))
        });
    }

    fn issue(&self, guest: &Arc<Guest>, outgoing: &mut Outgoing) -> Result<(), RpcError> {
        let (sender, receiver) = oneshot::channel();
        let reply = match &outgoing.future {
            Some(future) => {
                future.take_delivery();
                Some(Reply::Caller(Arc::clone(future)))
            }
            None => None,
        };
        self.node
            .deliver(guest, &outgoing.call, Some(sender), reply)?;
        self.node.metrics().calls.add();
        outgoing.accepted = Some(receiver);
        Ok(())
    }
}

/// What the log says of a call: whom and what, the encoded arguments, and the hash of both.
fn about(target: &Target, function: &Function, params: Vec<Value>) -> (String, Vec<u8>, u64) {
    let input = Value::Tuple(params).to_bytes();
    let subject = format!("{target} {function}");
    let hash = input_hash(&[subject.as_bytes(), &input]);
    (subject, input, hash)
}

/// A result as it is recorded. The numbers of the cases are on disk: never reuse one.
pub(crate) fn result_value(result: &Result<Value, RpcError>) -> Value {
    let text = |text: &String| Value::String(text.clone());
    let case = |number, payload| Value::Variant(number, Some(Box::new(payload)));
    Value::Result(match result {
        Ok(value) => Ok(Some(Box::new(value.clone()))),
        Err(error) => Err(Some(Box::new(match error {
            RpcError::Protocol(message) => case(0, text(message)),
            RpcError::NotFound(message) => case(1, text(message)),
            RpcError::Denied(message) => case(3, text(message)),
            RpcError::Timeout(message) => case(4, text(message)),
            RpcError::Cancelled(message) => case(5, text(message)),
            RpcError::Deadlock(path) => case(6, Value::List(path.iter().map(text).collect())),
            RpcError::CalleeFailed { message, trace } => {
                case(7, Value::Tuple(vec![text(message), text(trace)]))
            }
        }))),
    })
}

/// A recorded result. What cannot be read is a protocol error: the guest hears of it as of any other.
pub(crate) fn result_from(value: Value) -> Result<Value, RpcError> {
    match value {
        Value::Result(Ok(Some(value))) => Ok(*value),
        Value::Result(Err(Some(error))) => Err(match *error {
            Value::Variant(case, Some(payload)) => error_from(case, *payload),
            _ => None,
        }
        .unwrap_or_else(unreadable)),
        _ => Err(unreadable()),
    }
}

fn unreadable() -> RpcError {
    RpcError::Protocol("the recorded result cannot be read".into())
}

fn error_from(case: u32, payload: Value) -> Option<RpcError> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        _ => None,
    };
    Some(match (case, &payload) {
        (0, _) => RpcError::Protocol(text(&payload)?),
        (1, _) => RpcError::NotFound(text(&payload)?),
        // Written by versions that had no trace.
        (2, _) => RpcError::callee_failed(text(&payload)?),
        (3, _) => RpcError::Denied(text(&payload)?),
        (4, _) => RpcError::Timeout(text(&payload)?),
        (5, _) => RpcError::Cancelled(text(&payload)?),
        (6, Value::List(path)) => RpcError::Deadlock(path.iter().map(text).collect::<Option<_>>()?),
        (7, Value::Tuple(parts)) => match parts.as_slice() {
            [message, trace] => RpcError::CalleeFailed {
                message: text(message)?,
                trace: text(trace)?,
            },
            _ => return None,
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_is_recorded_and_read_back() {
        let errors = [
            RpcError::Protocol("p".into()),
            RpcError::NotFound("n".into()),
            RpcError::Denied("d".into()),
            RpcError::Timeout("t".into()),
            RpcError::Cancelled("c".into()),
            RpcError::Deadlock(vec!["a".into(), "b".into()]),
            RpcError::CalleeFailed {
                message: "m".into(),
                trace: "f".into(),
            },
        ];
        for error in errors {
            assert_eq!(result_from(result_value(&Err(error.clone()))), Err(error));
        }
        let old = Value::Result(Err(Some(Box::new(Value::Variant(
            2,
            Some(Box::new(Value::String("m".into()))),
        )))));
        assert_eq!(result_from(old), Err(RpcError::callee_failed("m")));
    }
}
