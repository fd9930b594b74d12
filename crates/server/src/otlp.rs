// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / otlp: sends spans to a collector: OTLP over HTTP, as JSON. In: spans of the engine. Out: one POST for many of them.
//! A collector that is slow or away costs spans, which are counted, and nothing else. Bounds: [`BATCH_SPANS`], the times below.
//! Read next: golem-engine `trace.rs`. Why: docs/adr/0015-traces.md. Source: OTLP 1.x, OpenTelemetry's environment variables.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use axum::http::uri::{Authority, PathAndQuery, Scheme};
use axum::http::{Request, StatusCode, Uri};
use golem_engine::trace::{Attribute, Span, SpanKind, Tracer};
use golem_model::hex;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value as Json, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::error::ServeError;

/// Spans of one POST: about half a megabyte.
const BATCH_SPANS: usize = 512;
/// How long the first span of a batch waits for company.
const BATCH_PAUSE: Duration = Duration::from_millis(200);
/// How long a collector may take for a batch.
const POST_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a batch is sent when the collector is away or busy, and the pause in between: longer outages cost spans.
const ATTEMPTS: u32 = 3;
const ATTEMPT_PAUSE: Duration = Duration::from_secs(1);
/// How long a stopping server goes on exporting.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);
/// Largest answer that is read: it is thrown away.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Where collectors take spans, below the address that they are given by.
const TRACES_PATH: &str = "/v1/traces";

/// A collector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collector {
    https: bool,
    authority: Authority,
    path: PathAndQuery,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Collector {
    /// A collector at an address such as `http://127.0.0.1:4318`; `headers` is a list such as `api-key=…,tenant=…`, as
    /// OpenTelemetry has it. Errors: `BadCollector`.
    pub fn new(address: &str, headers: Option<&str>) -> Result<Self, ServeError> {
        let bad = |detail: &str| ServeError::BadCollector {
            address: address.to_owned(),
            detail: detail.to_owned(),
        };
        let uri: Uri = address.parse().map_err(|_| bad("it is no URL"))?;
        let https = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err(bad("it does not begin with http:// or https://")),
        };
        let authority = uri.authority().cloned();
        let authority = authority.ok_or_else(|| bad("it has no host"))?;
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(bad("it has a password or a query"));
        }
        let base = uri.path().trim_end_matches('/');
        let path = match base.strip_suffix(TRACES_PATH) {
            Some(_) => base.to_owned(),
            None => format!("{base}{TRACES_PATH}"),
        };
        let path = path.parse().map_err(|_| bad("its path is none"))?;
        let pairs = headers.unwrap_or_default().split(',');
        let pairs = pairs.map(str::trim).filter(|pair| !pair.is_empty());
        let header = |pair: &str| {
            let (name, value) = pair.split_once('=')?;
            let mut value = HeaderValue::from_str(value.trim()).ok()?;
            value.set_sensitive(true);
            Some((name.trim().parse::<HeaderName>().ok()?, value))
        };
        let headers: Option<Vec<_>> = pairs.map(header).collect();
        Ok(Self {
            https,
            authority,
            path,
            headers: headers.ok_or_else(|| bad("a header for it is not NAME=VALUE"))?,
        })
    }
}

/// The task that exports.
pub(crate) struct Exporter {
    task: JoinHandle<()>,
    stop: watch::Sender<bool>,
}

impl Exporter {
    /// Exports `spans` to `collector` until it is stopped; counts in `tracer`. Must be called inside a tokio runtime.
    pub(crate) fn start(
        collector: Collector,
        tracer: Arc<Tracer>,
        spans: mpsc::Receiver<Span>,
    ) -> Self {
        let (stop, stopped) = watch::channel(false);
        let tls = collector.https.then(golem_engine::web_tls).flatten();
        let export = Export {
            collector,
            tls: tls.map(TlsConnector::from),
            tracer,
        };
        Self {
            task: tokio::spawn(export.run(spans, stopped)),
            stop,
        }
    }

    /// Exports what is there, for at most [`FLUSH_TIMEOUT`].
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        let abort = self.task.abort_handle();
        if timeout(FLUSH_TIMEOUT, self.task).await.is_err() {
            tracing::warn!("the collector did not take the last spans in time");
            abort.abort();
        }
    }
}

struct Export {
    collector: Collector,
    tls: Option<TlsConnector>,
    tracer: Arc<Tracer>,
}

impl Export {
    async fn run(self, mut spans: mpsc::Receiver<Span>, mut stopped: watch::Receiver<bool>) {
        let mut batch = Vec::with_capacity(BATCH_SPANS);
        loop {
            tokio::select! {
                // Those that are there go first when it is told to stop.
                biased;
                count = spans.recv_many(&mut batch, BATCH_SPANS) => {
                    if count == 0 {
                        return;
                    }
                }
                _ = stopped.wait_for(|stopped| *stopped) => return,
            }
            if batch.len() < BATCH_SPANS && !*stopped.borrow() {
                tokio::select! {
                    () = sleep(BATCH_PAUSE) => {}
                    _ = stopped.wait_for(|stopped| *stopped) => {}
                }
                while batch.len() < BATCH_SPANS {
                    let Ok(span) = spans.try_recv() else { break };
                    batch.push(span);
                }
            }
            self.send(&batch).await;
            batch.clear();
        }
    }

    async fn send(&self, batch: &[Span]) {
        let body = document(batch).to_string();
        let count = batch.len() as u64;
        let mut trouble = String::new();
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                sleep(ATTEMPT_PAUSE).await;
            }
            match timeout(POST_TIMEOUT, self.post(body.clone())).await {
                Ok(Ok(status)) if status.is_success() => {
                    return self.tracer.count_exported(count);
                }
                Ok(Ok(status)) => {
                    trouble = status.to_string();
                    let again = [429, 502, 503, 504].contains(&status.as_u16());
                    if !again {
                        break;
                    }
                }
                Ok(Err(error)) => trouble = error,
                Err(_) => trouble = "it took too long".into(),
            }
        }
        self.tracer.count_dropped(count);
        let collector = &self.collector.authority;
        tracing::warn!(%collector, spans = count, %trouble, "the collector did not take spans");
    }

    async fn post(&self, body: String) -> Result<StatusCode, String> {
        let authority = &self.collector.authority;
        let usual = if self.collector.https { 443 } else { 80 };
        let host = authority.host().trim_matches(['[', ']']);
        let stream = TcpStream::connect((host, authority.port_u16().unwrap_or(usual)))
            .await
            .map_err(|error| error.to_string())?;
        let Some(tls) = &self.tls else {
            return self.exchange(stream, body).await;
        };
        let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
        let stream = tls.connect(name, stream).await;
        self.exchange(stream.map_err(|error| error.to_string())?, body)
            .await
    }

    async fn exchange(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        body: String,
    ) -> Result<StatusCode, String> {
        let said = |error: hyper::Error| error.to_string();
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(said)?;
        let connection = tokio::spawn(connection);
        let mut request = Request::post(self.collector.path.as_str())
            .header(HOST, self.collector.authority.as_str())
            .header(CONTENT_TYPE, "application/json");
        for (name, value) in &self.collector.headers {
            request = request.header(name, value);
        }
        let request = request
            .body(Body::from(body))
            .map_err(|error| error.to_string())?;
        let response = sender.send_request(request).await.map_err(said)?;
        let (head, answer) = response.into_parts();
        // What it says does not matter; a connection that is read to its end is closed in order.
        drop(to_bytes(Body::new(answer), ANSWER_BYTES_MAX).await);
        connection.abort();
        Ok(head.status)
    }
}

/// Spans as OTLP has them.
fn document(spans: &[Span]) -> Json {
    let spans: Vec<Json> = spans.iter().map(span).collect();
    let service = [
        ("service.name", Attribute::Text("golem".into())),
        (
            "service.version",
            Attribute::Text(env!("CARGO_PKG_VERSION").into()),
        ),
    ];
    let resource = json!({"attributes": attributes(&service)});
    let scope = json!({"name": "golem-cli", "version": env!("CARGO_PKG_VERSION")});
    json!({"resourceSpans": [{
        "resource": resource,
        "scopeSpans": [{"scope": scope, "spans": spans}],
    }]})
}

fn span(span: &Span) -> Json {
    // The numbers of SpanKind and StatusCode in OTLP.
    let kind = match span.kind {
        SpanKind::Internal => 1,
        SpanKind::Server => 2,
        SpanKind::Client => 3,
        SpanKind::Producer => 4,
    };
    // 64-bit numbers are texts in the JSON of protobuf.
    let nanos = |micros: u64| micros.saturating_mul(1_000).to_string();
    let mut json = json!({
        "traceId": hex(&span.context.trace),
        "spanId": hex(&span.id),
        "name": span.name,
        "kind": kind,
        "startTimeUnixNano": nanos(span.start),
        "endTimeUnixNano": nanos(span.end),
        "attributes": attributes(&span.attributes),
    });
    if let Some(fields) = json.as_object_mut() {
        if !span.context.parent.is_empty() {
            fields.insert("parentSpanId".into(), hex(&span.context.parent).into());
        }
        if !span.context.state.is_empty() {
            fields.insert("traceState".into(), span.context.state.clone().into());
        }
        if let Some(error) = &span.error {
            fields.insert("status".into(), json!({"code": 2, "message": error}));
        }
    }
    json
}

fn attributes(all: &[(&str, Attribute)]) -> Json {
    let one = |(key, value): &(&str, Attribute)| {
        let value = match value {
            Attribute::Text(text) => json!({"stringValue": text}),
            Attribute::Number(number) => json!({"intValue": number.to_string()}),
        };
        json!({"key": key, "value": value})
    };
    all.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_collectors_are_read_as_opentelemetry_writes_them() {
        for (address, path) in [
            ("http://127.0.0.1:4318", "/v1/traces"),
            ("http://127.0.0.1:4318/", "/v1/traces"),
            ("https://otlp.example.com/base", "/base/v1/traces"),
            ("https://otlp.example.com/v1/traces", "/v1/traces"),
        ] {
            let collector = Collector::new(address, Some("api-key=x, tenant = y")).unwrap();
            assert_eq!(collector.path.as_str(), path, "{address}");
            assert_eq!(collector.headers.len(), 2);
            assert!(!format!("{collector:?}").contains("\"x\""));
        }
        for (address, headers) in [
            ("127.0.0.1:4318", None),
            ("grpc://127.0.0.1:4317", None),
            ("http://a:b@c", None),
            ("http://a?b", None),
            ("http://a", Some("no pair")),
            ("http://a", Some("bad name=x")),
        ] {
            assert!(Collector::new(address, headers).is_err(), "{address}");
        }
    }
}
