// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / call: one request of a guest on its way. In: a request whose start is in the log. Out: its outcome. It is
//! sent when the start entry is durable; one that was only repeated from the log is sent when somebody really waits for
//! it. Ends with its invocation. Read next: `outgoing.rs`, `arriving.rs`. Why: runtime spec §2.4 (H5, H6).

use std::sync::{Arc, Weak};

use golem_storage::Seq;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use wasmtime_wasi::p2::Pollable;

use super::arriving::{Arriving, Filler, receive};
use super::client::{Head, Pieces, Request, Trouble};
use super::network::Network;
use crate::node::Node;

/// A response whose head is here.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) head: Head,
    pub(crate) body: Arc<Arriving>,
}

/// What a request came to.
pub(crate) type Outcome = Result<Response, Trouble>;

/// Where a request is.
#[derive(Debug)]
enum Stage {
    /// Its body is not finished: nothing is in the log.
    Open,
    /// Its start is in the log, and this process has not sent it.
    Repeated(Box<Request>),
    /// It is on its way.
    Sent,
    /// There is an outcome; the body of the response may be on its way.
    Done(Outcome),
    /// The guest has the outcome.
    Taken,
}

#[derive(Debug)]
struct Inner {
    stage: Stage,
    /// The task that sends it and fills the body of its response.
    task: Option<AbortHandle>,
    /// The body of its response.
    body: Weak<Arriving>,
    /// Number of the call within its invocation: 0 before its start.
    number: u64,
    /// Sent again after a crash: a wait for it may have been answered before, so its outcome is waited for.
    again: bool,
    /// It may have been sent before and must not be sent twice.
    once: bool,
}

/// How requests of a guest leave.
pub(crate) struct Way {
    node: Arc<Node>,
    /// Where they may go.
    network: Arc<Network>,
}

impl Way {
    /// Through `node`, to the hosts that `network` allows.
    pub(crate) fn new(node: Arc<Node>, network: Arc<Network>) -> Self {
        Self { node, network }
    }

    /// Sends a request. Errors and cancel safety: `HttpClient::send`.
    pub(crate) async fn send(&self, request: Request) -> Result<(Head, Pieces), Trouble> {
        let http = &self.node.outside().http;
        http.send(&self.network, request).await
    }
}

/// A request of a guest: `wasi:http/types.future-incoming-response`.
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it, which `pub(crate)` forbids"
)]
pub struct HttpCall {
    way: Arc<Way>,
    inner: Mutex<Inner>,
    changed: Notify,
}

impl std::fmt::Debug for HttpCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpCall")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl HttpCall {
    /// A request whose body is not finished.
    pub(crate) fn new(way: Way) -> Self {
        Self {
            way: Arc::new(way),
            inner: Mutex::new(Inner {
                stage: Stage::Open,
                task: None,
                body: Weak::new(),
                number: 0,
                again: false,
                once: false,
            }),
            changed: Notify::new(),
        }
    }

    /// The request is in the log as call `number`, durable with `seq`: it is sent.
    pub(crate) fn send(self: &Arc<Self>, request: Request, number: u64, seq: Option<Seq>) {
        let mut inner = self.inner.lock();
        inner.number = number;
        inner.stage = Stage::Sent;
        inner.task = Some(self.spawn(request, number, seq));
    }

    /// The request was in the log already. `once`: it must not be sent a second time.
    pub(crate) fn repeated(&self, request: Request, number: u64, once: bool) {
        let mut inner = self.inner.lock();
        inner.number = number;
        inner.again = true;
        inner.once = once;
        inner.stage = Stage::Repeated(Box::new(request));
    }

    fn spawn(self: &Arc<Self>, request: Request, number: u64, seq: Option<Seq>) -> AbortHandle {
        let call = Arc::clone(self);
        let task = tokio::spawn(async move {
            if let Some(seq) = seq
                && call.way.node.committer().wait(seq).await.is_err()
            {
                // The node is stopping: the request never leaves it.
                return;
            }
            let trace = request.trace.clone();
            let (method, host, port) = (request.method.clone(), request.host.clone(), request.port);
            let scheme = if request.https { "https" } else { "http" };
            let sent = call.way.send(request).await;
            if let Some(trace) = trace {
                let seen = sent.as_ref().map(|(head, _)| head.status);
                let seen = seen.map_err(|trouble| format!("{trouble:?}"));
                let asked = (method.as_str(), scheme, host.as_str(), port);
                call.way.node.request_ended(&trace, asked, seen);
            }
            match sent {
                Err(trouble) => call.end(Err(trouble)),
                Ok((head, pieces)) => {
                    let body = Arriving::new(number);
                    let filler = Filler::new(&body);
                    call.inner.lock().body = Arc::downgrade(&body);
                    receive(&filler, pieces, || call.end(Ok(Response { head, body }))).await;
                }
            }
        });
        task.abort_handle()
    }

    /// It has ended without being sent, or by itself.
    pub(crate) fn end(&self, outcome: Outcome) {
        let mut inner = self.inner.lock();
        if !matches!(inner.stage, Stage::Taken) {
            inner.stage = Stage::Done(outcome);
        }
        drop(inner);
        self.changed.notify_waiters();
    }

    /// Sends a request that was only repeated so far. `false`: it must not be sent a second time.
    pub(crate) fn go(self: &Arc<Self>) -> bool {
        let mut inner = self.inner.lock();
        if !matches!(inner.stage, Stage::Repeated(_)) {
            return true;
        }
        if inner.once {
            return false;
        }
        if let Stage::Repeated(request) = std::mem::replace(&mut inner.stage, Stage::Taken) {
            let number = inner.number;
            inner.stage = Stage::Sent;
            inner.task = Some(self.spawn(*request, number, None));
        }
        true
    }

    /// The invocation is over: what is on its way is given up.
    pub(crate) fn close(&self) {
        let mut inner = self.inner.lock();
        if let Some(task) = inner.task.take() {
            task.abort();
        }
        if let Some(body) = inner.body.upgrade() {
            body.close();
        }
        if !matches!(inner.stage, Stage::Taken) {
            inner.number = 0;
            inner.stage = Stage::Done(Err(Trouble::Closed));
        }
    }

    /// Number of the call, or 0: its outcome does not depend on the outside and is not in the log.
    pub(crate) fn number(&self) -> u64 {
        self.inner.lock().number
    }

    /// What it was asked for, for an error.
    pub(crate) fn subject(&self) -> String {
        match &self.inner.lock().stage {
            Stage::Repeated(request) => subject(request),
            _ => "a request".into(),
        }
    }

    /// Whether the guest has its outcome.
    pub(crate) fn is_taken(&self) -> bool {
        matches!(self.inner.lock().stage, Stage::Taken)
    }

    /// The guest gets the outcome from the log.
    pub(crate) fn take_recorded(&self) {
        self.inner.lock().stage = Stage::Taken;
    }

    /// The guest gets the head of the response from the log, and what it has read of the body.
    pub(crate) fn take_begun(&self, head: Head) -> Response {
        let mut inner = self.inner.lock();
        let body = match std::mem::replace(&mut inner.stage, Stage::Taken) {
            Stage::Repeated(request) => {
                let way = Arc::clone(&self.way);
                Arriving::repeated(way, *request, inner.once, head.clone(), inner.number)
            }
            // Sent anew by a guest that had nothing recorded when it did.
            _ => Arriving::lost(inner.number),
        };
        inner.body = Arc::downgrade(&body);
        Response { head, body }
    }

    /// Whether the guest has all that will come of it.
    fn is_over(&self) -> bool {
        let inner = self.inner.lock();
        matches!(inner.stage, Stage::Taken) && inner.body.strong_count() == 0
    }

    /// Whether a wait for it was answered in another process.
    pub(crate) fn was_repeated(&self) -> bool {
        self.inner.lock().again
    }

    /// The outcome, once.
    pub(crate) fn take(&self) -> Option<Outcome> {
        let mut inner = self.inner.lock();
        if !matches!(inner.stage, Stage::Done(_)) {
            return None;
        }
        match std::mem::replace(&mut inner.stage, Stage::Taken) {
            Stage::Done(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// Returns when there is an outcome, or nothing to wait for.
    pub(crate) async fn ended(self: &Arc<Self>) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // Registered before the question, so that an end in between is not missed.
            changed.as_mut().enable();
            if !self.go() || matches!(self.inner.lock().stage, Stage::Done(_) | Stage::Taken) {
                return;
            }
            changed.await;
        }
    }
}

/// What a person wants to see of a request.
pub(crate) fn subject(request: &Request) -> String {
    let scheme = if request.https { "https" } else { "http" };
    format!(
        "{} {scheme}://{}{}",
        request.method, request.authority, request.path
    )
}

/// Waits for a request.
pub(crate) struct Waiting(pub(crate) Arc<HttpCall>);

#[async_trait::async_trait]
impl Pollable for Waiting {
    async fn ready(&mut self) {
        self.0.ended().await;
    }
}

/// The requests of the running invocation. When they are dropped, so is what is on its way.
#[derive(Default)]
pub(crate) struct HttpCalls(Vec<Arc<HttpCall>>);

impl HttpCalls {
    /// One more.
    pub(crate) fn add(&mut self, call: Arc<HttpCall>) {
        // Those that the guest is done with need nobody who ends them.
        self.0
            .retain(|call| Arc::strong_count(call) > 1 && !call.is_over());
        self.0.push(call);
    }

    /// The invocation is over.
    pub(crate) fn close(&mut self) {
        for call in self.0.drain(..) {
            call.close();
        }
    }
}

impl Drop for HttpCalls {
    fn drop(&mut self) {
        self.close();
    }
}
