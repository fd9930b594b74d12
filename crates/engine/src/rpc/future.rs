// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / future: a call that the guest did not wait for. In: the call. Out: its result, once, and a pollable.
//! Read next: `call.rs`, `../host/poll.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use golem_model::{Value, WorkerId};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::call::{RemoteCall, RpcError};

enum State {
    Waiting,
    Ready(Result<Value, RpcError>),
    Taken,
}

/// What `get` finds.
pub(crate) enum Got {
    /// Not there yet.
    Pending,
    /// The result; the future is used up.
    Result(Result<Value, RpcError>),
    /// It was taken before.
    Taken,
}

/// A call under way.
pub(crate) struct CallFuture {
    /// The call, to be joined again after a replay.
    pub(crate) call: RemoteCall,
    delivered: AtomicBool,
    /// The guest was told, in a part of its history that is only repeated, that the result is there.
    promised: AtomicBool,
    state: Mutex<State>,
    ready: Notify,
}

impl CallFuture {
    /// A call that has not been delivered by this instance.
    pub(crate) fn new(call: RemoteCall) -> Arc<Self> {
        Arc::new(Self {
            call,
            delivered: AtomicBool::new(false),
            promised: AtomicBool::new(false),
            state: Mutex::new(State::Waiting),
            ready: Notify::new(),
        })
    }

    /// The durable worker that is called; `None` for an ephemeral one, which nobody can wait for in a circle.
    pub(crate) fn target(&self) -> Option<&WorkerId> {
        self.call.target.worker()
    }

    /// Whether this instance has yet to deliver the call; only the first caller hears yes.
    pub(crate) fn take_delivery(&self) -> bool {
        !self.delivered.swap(true, Ordering::Relaxed)
    }

    /// A repeated poll said that the result is there.
    pub(crate) fn promise(&self) {
        self.promised.store(true, Ordering::Relaxed);
    }

    /// Waits for the result if the guest was told that it is there: the log ended between the poll and the `get`, so the
    /// result comes once more from the target, whose log has it.
    pub(crate) async fn keep_promise(&self) {
        if self.promised.load(Ordering::Relaxed) {
            self.wait().await;
        }
    }

    /// Whether there is a result, or was one.
    pub(crate) fn is_ready(&self) -> bool {
        !matches!(*self.state.lock(), State::Waiting)
    }

    /// The result is there.
    pub(crate) fn resolve(&self, result: Result<Value, RpcError>) {
        let mut state = self.state.lock();
        if matches!(*state, State::Waiting) {
            *state = State::Ready(result);
            drop(state);
            self.ready.notify_waiters();
        }
    }

    /// Marks a result as taken whose value came from the log.
    pub(crate) fn take_replayed(&self) {
        self.delivered.store(true, Ordering::Relaxed);
        *self.state.lock() = State::Taken;
    }

    /// The guest drops the future. Whether its call is still under way, so that it should be cancelled.
    pub(crate) fn abandon(&self) -> bool {
        let mut state = self.state.lock();
        matches!(std::mem::replace(&mut *state, State::Taken), State::Waiting)
    }

    /// Takes the result if it is there.
    pub(crate) fn get(&self) -> Got {
        let mut state = self.state.lock();
        match std::mem::replace(&mut *state, State::Taken) {
            State::Waiting => {
                *state = State::Waiting;
                Got::Pending
            }
            State::Ready(result) => Got::Result(result),
            State::Taken => Got::Taken,
        }
    }

    /// Waits until there is a result.
    pub(crate) async fn wait(&self) {
        loop {
            let notified = self.ready.notified();
            tokio::pin!(notified);
            // Registered before the state is read, so a result between the two is not missed.
            notified.as_mut().enable();
            if self.is_ready() {
                return;
            }
            notified.await;
        }
    }
}
