// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / traces: what a collector gets of workers that call each other while the server is killed. Source: W3C Trace Context,
//! docs/observability.md.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use golem_testkit::Server;
use serde_json::{Value, json};

use crate::support::{Probe, name, needs_go};

/// Longest wait for a span: far above what it needs.
const PATIENCE: Duration = Duration::from_secs(60);
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// A collector that takes everything. Ends with the process of the tests.
struct Collector {
    url: String,
    documents: mpsc::Receiver<Value>,
}

impl Collector {
    fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let (sender, documents) = mpsc::channel();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                if let Ok(document) = take(&mut stream)
                    && sender.send(document).is_err()
                {
                    return;
                }
            }
        });
        Ok(Self { url, documents })
    }

    /// The spans of [`TRACE`], by name, until there is one of every name of `wanted`.
    fn spans(&self, wanted: &[&str]) -> Result<BTreeMap<String, Vec<Value>>> {
        let mut spans: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        while !wanted.iter().all(|name| spans.contains_key(*name)) {
            let document = self.documents.recv_timeout(PATIENCE);
            let document = document.with_context(|| format!("no more spans after {spans:#?}"))?;
            let found = document
                .pointer("/resourceSpans/0/scopeSpans/0/spans")
                .and_then(Value::as_array)
                .context("no spans")?;
            for span in found.iter().filter(|span| span["traceId"] == TRACE) {
                let name = span["name"].as_str().context("no name")?.to_owned();
                spans.entry(name).or_default().push(span.clone());
            }
        }
        Ok(spans)
    }
}

/// One POST, answered.
fn take(stream: &mut TcpStream) -> Result<Value> {
    let (mut text, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut chunk)?;
        text.extend_from_slice(chunk.get(..read).unwrap_or_default());
        let whole = String::from_utf8_lossy(&text).into_owned();
        let Some((head, body)) = whole.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| {
                line.to_lowercase()
                    .strip_prefix("content-length: ")?
                    .parse()
                    .ok()
            })
            .unwrap_or(0);
        if body.len() >= length {
            assert!(head.starts_with("POST /v1/traces "), "{head}");
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")?;
            return Ok(serde_json::from_str(body)?);
        }
        if read == 0 {
            bail!("the body broke off");
        }
    }
}

/// Hands in an invocation as a part of a trace.
fn post(probe: &Probe, worker: &str, function: &str, params: &[Value], key: &str) -> Result<()> {
    let function = name(function).replace('{', "%7B").replace('}', "%7D");
    let params: Vec<Value> = params.iter().map(|value| json!({"value": value})).collect();
    let body = json!({ "params": params }).to_string();
    let line = format!("POST {}/invoke?function={function}", probe.worker(worker));
    let headers = format!("idempotency-key: {key}\r\ncontent-type: application/json\r\n");
    match send(probe, &line, &headers, &body)? {
        (200, _) => Ok(()),
        (_, answer) => bail!("{answer}"),
    }
}

/// Sends a request that is a part of [`TRACE`]; the status and the whole answer.
fn send(probe: &Probe, line: &str, headers: &str, body: &str) -> Result<(u16, String)> {
    let address = probe.server.url().trim_start_matches("http://").to_owned();
    let request = format!(
        "{line} HTTP/1.1\r\nhost: {address}\r\n{headers}traceparent: 00-{TRACE}-{PARENT}-01\r\n\
         tracestate: shop=7\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(&address)?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).context("no status")?.parse()?;
    Ok((status, answer))
}

fn one<'a>(spans: &'a BTreeMap<String, Vec<Value>>, name: &str) -> Result<&'a Value> {
    match spans.get(name).map(Vec::as_slice) {
        Some([span]) => Ok(span),
        other => bail!("not one span `{name}`: {other:#?}"),
    }
}

fn nanos(span: &Value, key: &str) -> Result<u128> {
    Ok(span[key].as_str().context("no time")?.parse()?)
}

#[test]
fn one_trace_spans_workers_that_call_each_other_and_a_kill() -> Result<()> {
    if needs_go("one_trace_spans_workers_that_call_each_other_and_a_kill") {
        return Ok(());
    }
    let collector = Collector::start()?;
    let options = ["--otlp-endpoint", collector.url.as_str()];
    let mut probe = Probe::start_with(&options)?;
    // `a` calls `b`, which sleeps long enough to be killed meanwhile.
    let params = [json!("b"), json!(3_000), json!(60_000)];
    post(&probe, "a", "race", &params, "the-key")?;
    // The request has its span, which has to be out before the kill.
    let asked = "POST /v1/components/{component}/workers/{worker}/invoke";
    let asked = one(&collector.spans(&[asked])?, asked)?.clone();
    assert_eq!(
        (&asked["parentSpanId"], &asked["kind"]),
        (&json!(PARENT), &json!(2))
    );
    let started = std::time::Instant::now();
    loop {
        let (_, body) = probe
            .rest()
            .get(&format!("{}/oplog?from=1&count=100", probe.worker("b")))?;
        if body.to_string().contains("ExportedFunctionInvoked") {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "b is never called: {body}");
    }
    let killed = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
    probe.server.kill()?;
    probe.server = Server::start_with(probe.data.path(), &options)?;
    let (status, body) = probe.try_call("a", "race", &params, Some("the-key"))?;
    assert_eq!(
        (status, &body["result"]["value"][0]),
        (200, &json!("call")),
        "{body}"
    );
    let (race, sleep) = (name("race"), name("sleep"));
    let call = format!("call {}", "it:probe/probe-api.{sleep}");
    let spans = collector.spans(&[&race, &sleep, &call])?;
    let (race, sleep, call) = (
        one(&spans, &race)?,
        one(&spans, &sleep)?,
        one(&spans, &call)?,
    );
    assert_eq!(
        (&race["parentSpanId"], &race["kind"]),
        (&asked["spanId"], &json!(2))
    );
    assert_eq!(race["traceState"], "shop=7");
    assert!(nanos(race, "startTimeUnixNano")? < killed && killed < nanos(race, "endTimeUnixNano")?);
    let run = spans["run"]
        .iter()
        .find(|run| run["spanId"] == call["parentSpanId"]);
    let run = run.with_context(|| format!("the call lies in no run: {spans:#?}"))?;
    assert_eq!(run["parentSpanId"], race["spanId"]);
    assert_eq!(
        (&call["kind"], &sleep["parentSpanId"]),
        (&json!(3), &call["spanId"])
    );
    for part in ["queue", "run", "commit"] {
        assert_eq!(spans[part].len(), 2, "{part}: {spans:#?}");
    }
    let text = race["attributes"].to_string();
    for part in [
        "the-key",
        "urn:worker:",
        "golem.function",
        "golem.component.version",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let (_, metrics) = (0, probe.rest().get("/healthcheck")?);
    assert_eq!(metrics.0, 200);
    Ok(())
}

/// The value of an attribute of a span, as text.
fn attribute(span: &Value, key: &str) -> String {
    let all = span["attributes"].as_array();
    let found = all.into_iter().flatten().find(|pair| pair["key"] == key);
    found.map_or_else(String::new, |pair| {
        let value = pair["value"].as_object();
        let value = value.and_then(|value| value.values().next());
        value.map_or_else(String::new, |value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        })
    })
}

#[test]
fn every_request_has_a_span_but_those_of_supervisors() -> Result<()> {
    if needs_go("every_request_has_a_span_but_those_of_supervisors") {
        return Ok(());
    }
    let collector = Collector::start()?;
    let probe = Probe::start_with(&["--otlp-endpoint", collector.url.as_str()])?;
    for probed in ["/healthcheck", "/readyz", "/metrics"] {
        let (status, answer) = send(&probe, &format!("GET {probed}"), "", "")?;
        assert_eq!(status, 200, "{answer}");
    }
    let worker = probe.worker("w");
    for (line, status) in [
        (format!("GET {worker}"), 404),
        ("GET /v1/nowhere/secret".to_owned(), 404),
        (format!("PUT {worker}"), 405),
    ] {
        assert_eq!(send(&probe, &line, "", "")?.0, status, "{line}");
    }
    let fail = name("fail").replace('{', "%7B").replace('}', "%7D");
    let line = format!("POST {worker}/invoke-and-await?function={fail}");
    let body = json!({"params": ["no"]}).to_string();
    let headers = "content-type: application/json\r\n";
    assert_eq!(send(&probe, &line, headers, &body)?.0, 500);

    const WORKER: &str = "/v1/components/{component}/workers/{worker}";
    let shown = format!("GET {WORKER}");
    let put = format!("PUT {WORKER}");
    let called = format!("POST {WORKER}/invoke-and-await");
    let spans = collector.spans(&[&shown, &put, "GET", &called])?;
    // They come in order, so those of the supervisors would be among them.
    assert!(
        !spans.keys().any(|name| name.contains("/readyz")),
        "{spans:#?}"
    );
    for (name, status, route, failed) in [
        (shown.as_str(), "404", WORKER, false),
        (put.as_str(), "405", WORKER, false),
        ("GET", "404", "", false),
        (&called, "500", &called[5..], true),
    ] {
        let span = one(&spans, name)?;
        assert_eq!(span["parentSpanId"], PARENT);
        assert_eq!(attribute(span, "http.response.status_code"), status);
        assert_eq!(attribute(span, "http.route"), route);
        assert_eq!(span["status"]["code"] == json!(2), failed, "{span:#}");
        assert!(!span.to_string().contains("secret"), "{span:#}");
    }
    Ok(())
}
