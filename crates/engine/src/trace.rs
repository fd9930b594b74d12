// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / trace: spans of invocations and of the calls that they make. In: what has happened, live. Out: [`Span`]s in a
//! bounded queue, for whoever exports them. Ids follow from idempotency keys, so a crash changes none; what is only repeated from
//! a history makes no span. Bound: [`SPANS_QUEUED_MAX`]. Read next: golem-server `otlp.rs`. Why: docs/adr/0015-traces.md.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use golem_model::oplog::OplogEntry;
use golem_model::trace::TraceContext;
use golem_model::{IdempotencyKey, LogId, OplogIndex, WorkerId};
use golem_storage::Seq;
use tokio::sync::mpsc;

use crate::host::durable::input_hash;
use crate::node::Node;
use crate::rpc::worker_urn;

/// Spans that wait for the exporter: some seconds of a busy node, about 4 MB. More are dropped and counted.
pub const SPANS_QUEUED_MAX: usize = 8_192;
/// Longest text of an error in a span, in characters.
const ERROR_CHARS_MAX: usize = 1_000;

/// Who does what in a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// A part of something else here.
    Internal,
    /// An answer to somebody.
    Server,
    /// A question to somebody, who answers.
    Client,
    /// A message to somebody; nobody waits.
    Producer,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attribute {
    /// A text.
    Text(String),
    /// A number.
    Number(u64),
}

/// Something that took a while, and is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The trace, and the span around this one (`parent`).
    pub context: TraceContext,
    /// Its id.
    pub id: [u8; 8],
    /// What happened, with few different values.
    pub name: String,
    /// Who did what.
    pub kind: SpanKind,
    /// When it began, µs since 1970.
    pub start: u64,
    /// When it ended, µs since 1970.
    pub end: u64,
    /// More about it.
    pub attributes: Vec<(&'static str, Attribute)>,
    /// Why it failed.
    pub error: Option<String>,
}

/// Takes spans; an exporter gets them from the other end of its queue.
#[derive(Debug)]
pub struct Tracer {
    queue: mpsc::Sender<Span>,
    exported: AtomicU64,
    dropped: AtomicU64,
}

impl Tracer {
    /// A tracer, and the spans that it takes.
    #[must_use]
    pub fn channel() -> (Arc<Self>, mpsc::Receiver<Span>) {
        let (queue, spans) = mpsc::channel(SPANS_QUEUED_MAX);
        let tracer = Self {
            queue,
            exported: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        };
        (Arc::new(tracer), spans)
    }

    /// Hands a span over, or counts it as dropped. Never waits.
    pub(crate) fn take(&self, span: Span) {
        if self.queue.try_send(span).is_err() {
            self.count_dropped(1);
        }
    }

    /// So many spans have reached whom they are for.
    pub fn count_exported(&self, count: u64) {
        self.exported.fetch_add(count, Ordering::Relaxed);
    }

    /// So many spans are lost.
    pub fn count_dropped(&self, count: u64) {
        self.dropped.fetch_add(count, Ordering::Relaxed);
    }

    /// Spans that were exported, and spans that were lost.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(&self.exported), read(&self.dropped))
    }
}

/// The id of a span that follows from what it is about. Never zero, which would be none.
fn span_id(what: &str, parts: &[&[u8]]) -> [u8; 8] {
    let mut all = vec![what.as_bytes()];
    all.extend_from_slice(parts);
    input_hash(&all).max(1).to_be_bytes()
}

/// The beginning of a trace that nobody else has begun: its id follows from the key as well.
pub(crate) fn root(worker: &str, key: &IdempotencyKey) -> TraceContext {
    let parts = [worker.as_bytes(), key.0.as_bytes()];
    let trace = [span_id("trace", &parts), span_id("trace, more", &parts)];
    TraceContext {
        trace: trace.concat(),
        parent: Vec::new(),
        sampled: true,
        state: String::new(),
    }
}

/// The id of the run of an invocation: the span around all that it calls.
fn run_id(worker: &WorkerId, key: &IdempotencyKey) -> [u8; 8] {
    let worker = worker_urn(worker);
    span_id("run", &[worker.as_bytes(), key.0.as_bytes()])
}

/// The context of what an invocation calls.
pub(crate) fn inside(
    context: &TraceContext,
    worker: &WorkerId,
    key: &IdempotencyKey,
) -> TraceContext {
    context.below(run_id(worker, key))
}

/// What is remembered of an invocation for its spans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Traced {
    /// The trace, and the span of the caller.
    pub(crate) context: TraceContext,
    /// The function.
    pub(crate) function: String,
    /// When it was accepted, µs since 1970.
    pub(crate) accepted_at: u64,
    /// When it began to run, µs since 1970.
    pub(crate) started_at: u64,
}

/// What is remembered of a call for its span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CallTrace {
    /// What goes out: the trace, and the span of the call.
    pub(crate) context: TraceContext,
    /// The span around the call.
    parent: Vec<u8>,
    /// When it was made, µs since 1970.
    begun: u64,
}

impl CallTrace {
    /// A call in an invocation whose inner context is `inside`; `key` is of the call alone.
    pub(crate) fn new(inside: &TraceContext, key: &str, now: u64) -> Self {
        Self {
            context: inside.below(span_id("call", &[key.as_bytes()])),
            parent: inside.parent.clone(),
            begun: now,
        }
    }

    /// Its span.
    fn span(&self, name: String, kind: SpanKind, end: u64, error: Option<String>) -> Span {
        let mut id = [0; 8];
        for (to, from) in id.iter_mut().zip(&self.context.parent) {
            *to = *from;
        }
        Span {
            context: TraceContext {
                parent: self.parent.clone(),
                ..self.context.clone()
            },
            id,
            name,
            kind,
            start: self.begun,
            end,
            attributes: Vec::new(),
            error: error.map(|error| error.chars().take(ERROR_CHARS_MAX).collect()),
        }
    }
}

fn text(text: impl Into<String>) -> Attribute {
    Attribute::Text(text.into())
}

/// A request to this server while it is answered: it has a span from its beginning to when this is dropped.
pub struct ServedRequest {
    tracer: Arc<Tracer>,
    node: Arc<Node>,
    span: Span,
    status: Option<u16>,
}

impl ServedRequest {
    /// The context of what the request asks for.
    #[must_use]
    pub fn inside(&self) -> TraceContext {
        self.span.context.below(self.span.id)
    }

    /// The answer begins, with this status.
    pub fn answered(mut self, status: u16) {
        self.status = Some(status);
    }
}

impl Drop for ServedRequest {
    fn drop(&mut self) {
        let mut span = self.span.clone();
        span.end = self.node.clock().wall_micros().max(span.start);
        match self.status {
            Some(status) => {
                let number = Attribute::Number(status.into());
                span.attributes.push(("http.response.status_code", number));
                // As the conventions for servers have it: what the client did wrong is no error here.
                span.error = (status >= 500).then(|| format!("status {status}"));
            }
            None => span.error = Some("the client went away".to_owned()),
        }
        self.tracer.take(span);
    }
}

impl Node {
    /// A request to this server begins: with a verb, for a route (`/v1/components/{component}`) if there is one, and maybe in a trace;
    /// else it begins one. `None` where spans are not wanted.
    pub fn request_begins(
        self: &Arc<Self>,
        context: impl FnOnce() -> Option<TraceContext>,
        method: &str,
        route: Option<&str>,
    ) -> Option<ServedRequest> {
        let tracer = Arc::clone(self.tracer()?);
        let context = context().unwrap_or_else(|| TraceContext {
            trace: uuid::Uuid::new_v4().as_bytes().to_vec(),
            parent: Vec::new(),
            sampled: true,
            state: String::new(),
        });
        if !context.sampled {
            return None;
        }
        let (first, second) = uuid::Uuid::new_v4().as_u64_pair();
        let now = self.clock().wall_micros();
        let mut attributes = vec![("http.request.method", text(method))];
        attributes.extend(route.map(|route| ("http.route", text(route))));
        let span = Span {
            context,
            // A request is made once, so its id follows from nothing. Never zero.
            id: (first ^ second).max(1).to_be_bytes(),
            name: route.map_or_else(|| method.to_owned(), |route| format!("{method} {route}")),
            kind: SpanKind::Server,
            start: now,
            end: now,
            attributes,
            error: None,
        };
        Some(ServedRequest {
            tracer,
            node: Arc::clone(self),
            span,
            status: None,
        })
    }

    /// The tracer, if spans of this trace are wanted.
    fn tracer_for(&self, context: &TraceContext) -> Option<Arc<Tracer>> {
        self.tracer().filter(|_| context.sampled).cloned()
    }

    /// When an entry was written, µs since 1970; 0 when it cannot be read, which replay will tell.
    pub(crate) fn written_at(&self, log: LogId, index: OplogIndex) -> u64 {
        let found = self.store().read(log, index, 1, 0).unwrap_or_default();
        let entry = found
            .first()
            .and_then(|bytes| OplogEntry::from_bytes(bytes).ok());
        entry.map_or(0, |entry| entry.at)
    }

    /// An invocation has ended; its spans are made when that is durable with `seq`: how long it waited, ran, and was written.
    pub(crate) fn invocation_ended(
        &self,
        worker: &WorkerId,
        version: u64,
        key: &IdempotencyKey,
        traced: Traced,
        seq: Seq,
        error: Option<String>,
    ) {
        let Some(tracer) = self.tracer_for(&traced.context) else {
            return;
        };
        let (committer, clock) = (self.committer(), self.clock().clone());
        let (worker, key) = (worker.clone(), key.clone());
        let ended_at = clock.wall_micros();
        tokio::spawn(async move {
            if committer.wait(seq).await.is_ok() {
                let durable_at = clock.wall_micros();
                let ends = (ended_at, durable_at);
                for span in invocation_spans(&worker, version, &key, &traced, ends, error) {
                    tracer.take(span);
                }
            }
        });
    }

    /// A call to a worker has ended, or was sent to where nobody waits for it.
    pub(crate) fn call_ended(
        &self,
        caller: &WorkerId,
        trace: Option<&CallTrace>,
        call: (&str, &str, &IdempotencyKey),
        waits: bool,
        error: Option<String>,
    ) {
        let Some(trace) = trace else { return };
        let Some(tracer) = self.tracer_for(&trace.context) else {
            return;
        };
        let (target, function, key) = call;
        let kind = if waits {
            SpanKind::Client
        } else {
            SpanKind::Producer
        };
        let mut span = trace.span(
            format!("call {function}"),
            kind,
            self.clock().wall_micros(),
            error,
        );
        span.attributes = vec![
            ("golem.worker", text(worker_urn(caller))),
            ("golem.target", text(target)),
            ("golem.function", text(function)),
            ("golem.idempotency_key", text(key.0.as_str())),
            ("rpc.system", text("golem")),
            ("rpc.method", text(function)),
        ];
        tracer.take(span);
    }

    /// A request of a guest has ended: with a status, or with an error.
    pub(crate) fn request_ended(
        &self,
        trace: &CallTrace,
        request: (&str, &str, &str, u16),
        outcome: Result<u16, String>,
    ) {
        let Some(tracer) = self.tracer_for(&trace.context) else {
            return;
        };
        let (method, scheme, host, port) = request;
        let error = match &outcome {
            // As the conventions for clients have it.
            Ok(status @ 400..) => Some(format!("status {status}")),
            Ok(_) => None,
            Err(error) => Some(error.clone()),
        };
        let end = self.clock().wall_micros();
        let mut span = trace.span(method.to_owned(), SpanKind::Client, end, error);
        span.attributes = vec![
            ("http.request.method", text(method)),
            ("url.scheme", text(scheme)),
            ("server.address", text(host)),
            ("server.port", Attribute::Number(port.into())),
        ];
        if let Ok(status) = outcome {
            let status = Attribute::Number(status.into());
            span.attributes.push(("http.response.status_code", status));
        }
        tracer.take(span);
    }
}

/// The span of an invocation and those of its parts. `ends`: of its run, and of its commit.
fn invocation_spans(
    worker: &WorkerId,
    version: u64,
    key: &IdempotencyKey,
    traced: &Traced,
    ends: (u64, u64),
    error: Option<String>,
) -> [Span; 4] {
    let urn = worker_urn(worker);
    let parts = [urn.as_bytes(), key.0.as_bytes()];
    let id = span_id("invocation", &parts);
    let error = error.map(|error| error.chars().take(ERROR_CHARS_MAX).collect::<String>());
    let (ran, durable) = ends;
    let attributes = vec![
        ("golem.worker", text(urn.as_str())),
        ("golem.component.id", text(worker.component_id.to_string())),
        ("golem.component.version", Attribute::Number(version)),
        ("golem.function", text(traced.function.as_str())),
        ("golem.idempotency_key", text(key.0.as_str())),
    ];
    let part = |name: &str, id: [u8; 8], start: u64, end: u64, error: Option<String>| Span {
        context: traced.context.below(span_id("invocation", &parts)),
        id,
        name: name.to_owned(),
        kind: SpanKind::Internal,
        start,
        end: end.max(start),
        attributes: Vec::new(),
        error,
    };
    let invocation = Span {
        context: traced.context.clone(),
        id,
        name: traced.function.clone(),
        kind: SpanKind::Server,
        start: traced.accepted_at,
        end: durable.max(traced.accepted_at),
        attributes,
        error: error.clone(),
    };
    [
        invocation,
        part(
            "queue",
            span_id("queue", &parts),
            traced.accepted_at,
            traced.started_at,
            None,
        ),
        part("run", run_id(worker, key), traced.started_at, ran, error),
        part("commit", span_id("commit", &parts), ran, durable, None),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use golem_model::ComponentId;

    fn worker() -> WorkerId {
        WorkerId::new(ComponentId(uuid::Uuid::from_u128(1)), "w")
    }

    #[test]
    fn ids_follow_from_keys_and_parts_lie_inside_of_each_other() {
        let key = IdempotencyKey("k".into());
        let context = root("w", &key);
        assert_eq!(context, root("w", &key));
        assert_ne!(context.trace, root("v", &key).trace);
        let traced = Traced {
            context: context.clone(),
            function: "f".into(),
            accepted_at: 1,
            started_at: 2,
        };
        let spans = invocation_spans(&worker(), 0, &key, &traced, (5, 7), None);
        let again = invocation_spans(&worker(), 0, &key, &traced, (5, 7), None);
        assert_eq!(spans, again);
        let [all, queue, run, commit] = spans;
        assert!(all.context.parent.is_empty());
        for part in [&queue, &run, &commit] {
            assert_eq!(part.context.parent, all.id);
        }
        let times = [
            (queue.start, queue.end),
            (run.start, run.end),
            (commit.start, commit.end),
        ];
        assert_eq!(times, [(1, 2), (2, 5), (5, 7)]);
        let inner = inside(&context, &worker(), &key);
        assert_eq!(inner.parent, run.id);
        let call = CallTrace::new(&inner, "k-1", 3);
        let span = call.span("call".into(), SpanKind::Client, 4, None);
        assert_eq!(
            (&span.context.parent, &span.id[..]),
            (&run.id.to_vec(), &call.context.parent[..])
        );
        assert_eq!(span.context.trace, context.trace);
    }

    #[test]
    fn a_full_queue_drops_and_counts() {
        let (tracer, spans) = Tracer::channel();
        let key = IdempotencyKey("k".into());
        let call = CallTrace::new(&root("w", &key), "c", 0);
        for _ in 0..SPANS_QUEUED_MAX + 3 {
            tracer.take(call.span(String::new(), SpanKind::Client, 0, None));
        }
        assert_eq!((spans.len(), tracer.counts()), (SPANS_QUEUED_MAX, (0, 3)));
    }
}
