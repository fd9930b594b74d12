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
use super::wait_graph::WaitGuard;
use crate::host::calls::{self, Call};
use crate::host::durable::{Halt, Start, input_hash};
use crate::host::{Guest, HostState};
use crate::node::Node;
use crate::queue::{CreateWith, Reply, Target};

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
    /// The target failed, now or in an earlier invocation.
    #[error("{0}")]
    CalleeFailed(String),
}

/// A call to a worker.
#[derive(Debug, Clone)]
pub(crate) struct RemoteCall {
    /// Whom.
    pub(crate) target: Target,
    /// Its key: the same whenever it is issued again.
    pub(crate) key: IdempotencyKey,
    /// What: how the stub or the guest names it.
    pub(crate) function: Function,
    /// One encoded `Value::Tuple`.
    pub(crate) input: Vec<u8>,
    /// It may have been delivered before: the target has to look its key up.
    pub(crate) repeated: bool,
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
    live: bool,
}

impl Rpc {
    /// Calls through `node`.
    pub(crate) fn new(node: Arc<Node>) -> Self {
        Self {
            node,
            outbox: Vec::new(),
            live: false,
        }
    }

    /// Delivers a call whose result is waited for, unless this instance has done so.
    pub(crate) fn join(&self, guest: &Arc<Guest>, future: &Arc<CallFuture>) -> Result<(), Halt> {
        if future.take_delivery()
            && let Err(error) = self.node.deliver(
                guest,
                &future.call,
                None,
                Some(Reply::Future(Arc::clone(future))),
            )
        {
            future.resolve(Err(error));
        }
        Ok(())
    }

    /// Lets a worker wait for others, or says why it would wait for ever.
    pub(crate) fn wait_for(
        &self,
        worker: &WorkerId,
        targets: Vec<WorkerId>,
    ) -> Result<WaitGuard, Halt> {
        self.node
            .wait_graph()
            .wait(worker, targets)
            .map_err(|path| Halt::Deadlock(path.iter().map(worker_urn).collect()))
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
                            .component_named(&name)
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
    ) -> (RemoteCall, u64, u64, String) {
        let number = self.invoking.next_call();
        let key = self.invoking.key.derive(&self.guest.worker, number);
        let input = Value::Tuple(params).to_bytes();
        let subject = format!("{target} {function}");
        let hash = input_hash(&[subject.as_bytes(), &input]);
        (
            RemoteCall {
                target,
                key,
                function,
                input,
                repeated: false,
            },
            number,
            hash,
            subject,
        )
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
        let (mut call, number, hash, subject) = self.remote_call(target, function, params);
        let start =
            match self
                .journal()?
                .start(calls::RPC_INVOKE_AND_AWAIT, hash, &subject, number)?
            {
                Start::Done(value) => return Ok(result_from(value)),
                Start::Perform { start, again } => {
                    call.repeated = again;
                    start
                }
            };
        self.go_live()?;
        let (sender, receiver) = oneshot::channel();
        let guard = match call.target.worker() {
            Some(target) => Some(
                self.rpc
                    .wait_for(&self.guest.worker, vec![target.clone()])?,
            ),
            None => None,
        };
        let result =
            match self
                .rpc
                .node
                .deliver(&self.guest, &call, None, Some(Reply::Caller(sender)))
            {
                Ok(()) => receiver.await.unwrap_or_else(|_| {
                    Err(RpcError::CalleeFailed("the server is stopping".into()))
                }),
                Err(error) => Err(error),
            };
        drop(guard);
        if result.is_ok() || errors_are_values {
            self.journal()?.end(start, &result_value(&result))?;
        }
        Ok(result)
    }

    /// Calls without waiting, and without a result.
    pub(crate) fn trigger(
        &mut self,
        target: Target,
        function: Function,
        params: Vec<Value>,
    ) -> Result<Result<(), RpcError>, Halt> {
        let (mut call, number, hash, subject) = self.remote_call(target, function, params);
        let (start, replayed) = self
            .journal()?
            .send(calls::RPC_INVOKE, hash, &subject, number)?;
        call.repeated = replayed;
        self.post(
            Outgoing {
                start,
                call,
                future: None,
                accepted: None,
            },
            replayed,
        )
    }

    /// Calls without waiting for the result.
    pub(crate) fn call_later(
        &mut self,
        target: Target,
        function: Function,
        params: Vec<Value>,
    ) -> Result<Arc<CallFuture>, Halt> {
        let (mut call, number, hash, subject) = self.remote_call(target, function, params);
        let (start, replayed) =
            self.journal()?
                .send(calls::RPC_ASYNC_INVOKE_AND_AWAIT, hash, &subject, number)?;
        call.repeated = replayed;
        let future = CallFuture::new(call.clone());
        let outgoing = Outgoing {
            start,
            call,
            future: Some(Arc::clone(&future)),
            accepted: None,
        };
        if let Err(error) = self.post(outgoing, replayed)? {
            future.take_delivery();
            future.resolve(Err(error));
        }
        Ok(future)
    }

    /// The result of a future, if it is there. A failure is recorded only if `errors_are_values`.
    pub(crate) async fn future_result(
        &mut self,
        future: &Arc<CallFuture>,
        errors_are_values: bool,
    ) -> Result<Option<Result<Value, RpcError>>, Halt> {
        let call: Call = calls::RPC_FUTURE_GET;
        let hash = input_hash(&[future.call.key.0.as_bytes()]);
        if let Some(value) = self.journal()?.replayed(call, hash)? {
            let Value::Option(found) = value else {
                return Err(Halt::InvalidRequest(
                    "a recorded result has another type".into(),
                ));
            };
            return Ok(found.map(|value| {
                future.take_replayed();
                result_from(*value)
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
                self.journal()?.record(call, hash, &Value::Option(None));
                Ok(None)
            }
            Got::Result(result) => {
                if result.is_ok() || errors_are_values {
                    let value = Value::Option(Some(Box::new(result_value(&result))));
                    self.journal()?.record(call, hash, &value);
                }
                Ok(Some(result))
            }
        }
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

    /// The log is at its end: calls that it does not confirm are issued again, with their keys.
    pub(crate) fn go_live(&mut self) -> Result<(), Halt> {
        if self.rpc.live || self.journal()?.peek()?.is_some() {
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
        Ok(())
    }

    /// Before an invocation ends: all its calls have been accepted, so they are in the stream before its end is.
    pub(crate) async fn settle_calls(&mut self) -> Result<(), Halt> {
        self.go_live()?;
        if !self.rpc.live {
            // The end of this invocation is in the log, so its calls are.
            self.rpc.outbox.clear();
            return Ok(());
        }
        let outbox = std::mem::take(&mut self.rpc.outbox);
        let mut starts = Vec::with_capacity(outbox.len());
        for outgoing in outbox {
            let accepted = match outgoing.accepted {
                Some(accepted) => accepted.await.unwrap_or_else(|_| {
                    Err(RpcError::CalleeFailed("the server is stopping".into()))
                }),
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
        if !starts.is_empty() {
            self.journal()?.append(Event::Sent(Sent { starts }));
        }
        Ok(())
    }
}

impl Rpc {
    fn issue(&self, guest: &Arc<Guest>, outgoing: &mut Outgoing) -> Result<(), RpcError> {
        let (sender, receiver) = oneshot::channel();
        let reply = match &outgoing.future {
            Some(future) => {
                future.take_delivery();
                Some(Reply::Future(Arc::clone(future)))
            }
            None => None,
        };
        self.node
            .deliver(guest, &outgoing.call, Some(sender), reply)?;
        outgoing.accepted = Some(receiver);
        Ok(())
    }
}

/// A result as it is recorded.
pub(super) fn result_value(result: &Result<Value, RpcError>) -> Value {
    let text = |text: &String| Some(Box::new(Value::String(text.clone())));
    Value::Result(match result {
        Ok(value) => Ok(Some(Box::new(value.clone()))),
        Err(error) => Err(Some(Box::new(match error {
            RpcError::Protocol(message) => Value::Variant(0, text(message)),
            RpcError::NotFound(message) => Value::Variant(1, text(message)),
            RpcError::CalleeFailed(message) => Value::Variant(2, text(message)),
        }))),
    })
}

/// A recorded result. What cannot be read is a protocol error: the guest hears of it as of any other.
pub(super) fn result_from(value: Value) -> Result<Value, RpcError> {
    let unreadable = || RpcError::Protocol("the recorded result cannot be read".into());
    match value {
        Value::Result(Ok(Some(value))) => Ok(*value),
        Value::Result(Err(Some(error))) => match *error {
            Value::Variant(case, Some(message)) => match (case, *message) {
                (0, Value::String(message)) => Err(RpcError::Protocol(message)),
                (1, Value::String(message)) => Err(RpcError::NotFound(message)),
                (2, Value::String(message)) => Err(RpcError::CalleeFailed(message)),
                _ => Err(unreadable()),
            },
            _ => Err(unreadable()),
        },
        _ => Err(unreadable()),
    }
}
