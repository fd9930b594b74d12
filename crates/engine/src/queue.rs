// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / queue: what waits for a worker and who waits for it. In: invocations. Out: order, joined keys.
//! Bound: `QUEUE_MAX`. Never touches wasm or the store. Read next: `worker.rs`.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use golem_model::oplog::FailureKind;
use golem_model::trace::TraceContext;
use golem_model::{ComponentId, IdempotencyKey, OplogIndex, Value, WorkerId};
use golem_storage::Seq;
use tokio::sync::oneshot;

use crate::error::WorkerError;
use crate::rpc::{CallFuture, RpcError, worker_urn};
use crate::trace::Traced;

/// Whom a call goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A worker with a name.
    Worker(WorkerId),
    /// A fresh instance of an ephemeral component.
    Ephemeral(ComponentId),
}

impl Target {
    /// The worker, if it is a durable one.
    #[must_use]
    pub fn worker(&self) -> Option<&WorkerId> {
        match self {
            Self::Worker(worker) => Some(worker),
            Self::Ephemeral(_) => None,
        }
    }

    /// The component.
    #[must_use]
    pub fn component(&self) -> ComponentId {
        match self {
            Self::Worker(worker) => worker.component_id,
            Self::Ephemeral(component) => *component,
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Worker(worker) => f.write_str(&worker_urn(worker)),
            Self::Ephemeral(component) => write!(f, "urn:worker:{component}"),
        }
    }
}

/// What a worker starts with if a call creates it.
#[derive(Debug, Clone, Default)]
pub(crate) struct CreateWith {
    /// Arguments.
    pub(crate) args: Vec<String>,
    /// Environment.
    pub(crate) env: Vec<(String, String)>,
    /// URN of the worker that creates it.
    pub(crate) parent: Option<String>,
}

/// The outcome of an invocation: its result and its place in the commit stream.
#[derive(Debug, Clone)]
pub(crate) struct Finished {
    /// `Value::Tuple` of no or one value.
    pub(crate) value: Value,
    /// Durable when the committer is here: what leaves the node waits for it.
    pub(crate) seq: Seq,
}

/// Who wants the outcome.
pub(crate) enum Reply {
    /// Somebody outside the node.
    Door(oneshot::Sender<Result<Finished, WorkerError>>),
    /// A worker that called.
    Caller(Arc<CallFuture>),
}

impl Reply {
    /// Hands the outcome over. A receiver that has gone away is no error: the outcome is in the log.
    pub(crate) fn send(self, outcome: Result<Finished, WorkerError>) {
        match self {
            Self::Door(sender) => drop(sender.send(outcome)),
            Self::Caller(future) => future.resolve(rpc_outcome(outcome)),
        }
    }
}

fn rpc_outcome(outcome: Result<Finished, WorkerError>) -> Result<Value, RpcError> {
    outcome
        .map(|finished| finished.value)
        .map_err(|error| rpc_error(&error))
}

/// A worker's error as its caller may know it.
pub(crate) fn rpc_error(error: &WorkerError) -> RpcError {
    let message = error.to_string();
    match error {
        WorkerError::Component(_)
        | WorkerError::NotFound(_)
        | WorkerError::UnknownFunction { .. } => RpcError::NotFound(message),
        WorkerError::BadArguments { .. } | WorkerError::TooLarge { .. } => {
            RpcError::Protocol(message)
        }
        WorkerError::Timeout { .. } => RpcError::Timeout(message),
        WorkerError::Cancelled { .. } | WorkerError::Deleted(_) => RpcError::Cancelled(message),
        WorkerError::Deadlock { path } => RpcError::Deadlock(path.clone()),
        WorkerError::Failed(failure) => match failure.kind {
            FailureKind::Timeout => RpcError::Timeout(message),
            FailureKind::Cancelled => RpcError::Cancelled(message),
            FailureKind::Denied => RpcError::Denied(message),
            FailureKind::Deadlock if !failure.path.is_empty() => {
                RpcError::Deadlock(failure.path.clone())
            }
            _ => RpcError::CalleeFailed {
                message,
                trace: failure.trace.clone(),
            },
        },
        _ => RpcError::callee_failed(message),
    }
}

/// A new invocation.
pub(crate) struct Invocation {
    /// Its key.
    pub(crate) key: IdempotencyKey,
    /// The key may have been used before: it was given by the caller.
    pub(crate) repeatable: bool,
    /// Canonical name of the function.
    pub(crate) function: String,
    /// One encoded `Value::Tuple`.
    pub(crate) input: Vec<u8>,
    /// URN of the calling worker.
    pub(crate) caller: Option<String>,
    /// Until when it has to be finished, µs since 1970.
    pub(crate) deadline: Option<u64>,
    /// The trace that it belongs to.
    pub(crate) trace: Option<TraceContext>,
    /// For a worker that does not exist yet.
    pub(crate) create: CreateWith,
    /// Told when it is in the stream.
    pub(crate) accepted: Option<Accepting>,
    /// Told when it is done.
    pub(crate) reply: Option<Reply>,
}

/// Who wants to know that an invocation was accepted.
pub(crate) enum Accepting {
    /// Somebody outside the node.
    Door(oneshot::Sender<Result<Seq, WorkerError>>),
    /// A worker.
    Caller(crate::rpc::Delivered),
}

impl Accepting {
    /// Tells it.
    pub(crate) fn send(self, outcome: Result<Seq, WorkerError>) {
        match self {
            Self::Door(sender) => drop(sender.send(outcome)),
            Self::Caller(sender) => {
                drop(sender.send(outcome.map(|_| ()).map_err(|error| rpc_error(&error))))
            }
        }
    }
}

/// An accepted invocation.
#[derive(Debug)]
pub(crate) struct Queued {
    /// Index of its `Accepted` entry.
    pub(crate) accepted: OplogIndex,
    /// Its key.
    pub(crate) key: IdempotencyKey,
    /// Canonical name of the function.
    pub(crate) function: String,
    /// One encoded `Value::Tuple`.
    pub(crate) input: Vec<u8>,
    /// Until when it has to be finished, µs since 1970.
    pub(crate) deadline: Option<u64>,
    /// What its spans need, if it belongs to a trace.
    pub(crate) traced: Option<Box<Traced>>,
}

/// Accepted and unfinished invocations of a worker, and who waits for each key.
#[derive(Default)]
pub(crate) struct Queue {
    /// Not started, in the order of acceptance.
    pub(crate) pending: VecDeque<Queued>,
    waiting: HashMap<IdempotencyKey, Waiting>,
}

struct Waiting {
    accepted: OplogIndex,
    /// What the key stands for: function and input.
    call: u64,
    replies: Vec<Reply>,
}

impl Queue {
    /// An invocation with a key that is pending or running: where it was accepted, and what it calls.
    pub(crate) fn find(&self, key: &IdempotencyKey) -> Option<(OplogIndex, u64)> {
        self.waiting
            .get(key)
            .map(|waiting| (waiting.accepted, waiting.call))
    }

    /// Remembers an accepted invocation.
    pub(crate) fn accept(&mut self, key: IdempotencyKey, accepted: OplogIndex, call: u64) {
        self.waiting.insert(
            key,
            Waiting {
                accepted,
                call,
                replies: Vec::new(),
            },
        );
    }

    /// Lets somebody wait for a key.
    pub(crate) fn join(&mut self, key: &IdempotencyKey, reply: Reply) {
        if let Some(waiting) = self.waiting.get_mut(key) {
            waiting.replies.push(reply);
        }
    }

    /// Takes those who wait for a finished key.
    pub(crate) fn finish(&mut self, key: &IdempotencyKey) -> Vec<Reply> {
        self.waiting
            .remove(key)
            .map(|waiting| waiting.replies)
            .unwrap_or_default()
    }

    /// Takes a pending invocation out of the order; who waits for it stays.
    pub(crate) fn take_pending(&mut self, key: &IdempotencyKey) -> Option<Queued> {
        let at = self.pending.iter().position(|queued| queued.key == *key)?;
        self.pending.remove(at)
    }

    /// Whether anybody waits for any key.
    pub(crate) fn anybody_waits(&self) -> bool {
        self.waiting
            .values()
            .any(|waiting| !waiting.replies.is_empty())
    }

    /// Takes everybody who waits, with the key that they wait for.
    pub(crate) fn take_waiters(&mut self) -> Vec<(IdempotencyKey, Vec<Reply>)> {
        let all = self.waiting.iter_mut();
        all.map(|(key, waiting)| (key.clone(), std::mem::take(&mut waiting.replies)))
            .filter(|(_, replies)| !replies.is_empty())
            .collect()
    }

    /// Takes everybody who waits; the keys stay known.
    pub(crate) fn take_all(&mut self) -> Vec<Reply> {
        self.waiting
            .values_mut()
            .flat_map(|waiting| std::mem::take(&mut waiting.replies))
            .collect()
    }
}
