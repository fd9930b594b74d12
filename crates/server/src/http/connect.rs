// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/connect: `GET …/workers/{worker}/connect`, a WebSocket on which a worker is heard: what it writes and logs,
//! which invocations begin and end. In: an upgrade. Out: one text for each event. Bounds: [`limits::LISTENERS_MAX`], a page at a
//! time. Never wakes an instance: it reads the oplog. Read next: golem-model `websocket.rs`. Source: client spec §6.6, §8.2 (9).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{
    CONNECTION, HeaderMap, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::response::Response;
use golem_engine::WorkerError;
use golem_model::api::{InvocationEvent, LogEvent, OutputEvent, WorkerEvent};
use golem_model::public_oplog::PublicOplogEntry;
use golem_model::websocket::{Message, Messages, accept, frame};
use golem_model::{ComponentVersion, OplogIndex, WorkerId};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::Door;
use super::error::{ApiError, RequestError};
use super::extract::{Params, WorkerAt, short};
use super::routes::{Routes, VIEW, WORKER};
use crate::limits;

/// All routes of listeners.
pub(super) fn routes() -> Routes {
    Routes::new().get(&format!("{WORKER}/connect"), VIEW, connect)
}

/// `GET …/connect[?from=INDEX|latest]`: from the first entry on, as in 1.1; from another one; or only what is new.
async fn connect(
    State(door): State<Arc<Door>>,
    WorkerAt(worker): WorkerAt,
    query: Params,
    mut request: Request,
) -> Result<Response, ApiError> {
    let latest = query.get("from") == Some("latest");
    let from = if latest {
        None
    } else {
        query.parse("from", "an oplog index or `latest`")?
    };
    let key = key(request.headers())?;
    // Who listens to nobody is told so before the connection changes.
    let page = door
        .node
        .public_oplog(&worker, OplogIndex(1), None, 1, None)
        .await?;
    let from = if latest {
        page.last.next()
    } else {
        OplogIndex(from.unwrap_or(1))
    };
    let place = Arc::clone(&door.listeners)
        .try_acquire_owned()
        .map_err(|_| RequestError::TooManyListeners)?;
    let upgrade = request
        .extensions_mut()
        .remove::<OnUpgrade>()
        .ok_or(RequestError::NotAWebSocket)?;
    tokio::spawn(async move {
        match upgrade.await {
            Ok(stream) => listen(&door, &worker, from, TokioIo::new(stream)).await,
            Err(error) => tracing::debug!(%error, "a listener left before it heard anything"),
        }
        drop(place);
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    for (name, value) in [
        (CONNECTION, "Upgrade".to_owned()),
        (UPGRADE, "websocket".to_owned()),
        (SEC_WEBSOCKET_ACCEPT, accept(&key)),
    ] {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

/// The key of an upgrade to a WebSocket. Errors: `NotAWebSocket`.
fn key(headers: &HeaderMap) -> Result<String, RequestError> {
    let has = |name: HeaderName, wanted: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.is_some_and(|value| {
            value
                .split(',')
                .any(|word| word.trim().eq_ignore_ascii_case(wanted))
        })
    };
    if !has(CONNECTION, "upgrade")
        || !has(UPGRADE, "websocket")
        || !has(SEC_WEBSOCKET_VERSION, "13")
    {
        return Err(RequestError::NotAWebSocket);
    }
    let key = headers
        .get(SEC_WEBSOCKET_KEY)
        .and_then(|key| key.to_str().ok());
    key.map(short).ok_or(RequestError::NotAWebSocket)
}

/// Says what the worker does until the listener or the worker leaves, or the server stops.
async fn listen<S>(door: &Door, worker: &WorkerId, from: OplogIndex, stream: S)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + 'static,
{
    let (mut reader, mut writer) = tokio::io::split(stream);
    // A listener says next to nothing: a few answers may wait.
    let (heard, mut incoming) = mpsc::channel(8);
    let reading = tokio::spawn(async move {
        let mut messages = Messages::default();
        let mut bytes = [0; 1024];
        while let Ok(count @ 1..) = reader.read(&mut bytes).await {
            messages.push(bytes.get(..count).unwrap_or_default());
            loop {
                match messages.next() {
                    Ok(Some(message)) => {
                        if heard.send(message).await.is_err() {
                            return;
                        }
                    }
                    Ok(None) => break,
                    Err(_) => return,
                }
            }
        }
    });
    let mut tail = Tail {
        next: from,
        version: None,
    };
    let mut ping = Instant::now() + limits::PING_EVERY;
    let ended = loop {
        let events = match tail.read(door, worker).await {
            Ok(events) => events,
            Err(error) => {
                tracing::debug!(%error, %worker, "a listener has nothing more to hear");
                break true;
            }
        };
        let idle = events.is_empty();
        let mut out = Vec::new();
        for event in events {
            out.extend(said(&event));
        }
        if Instant::now() >= ping {
            ping = Instant::now() + limits::PING_EVERY;
            out.extend(frame(&Message::Ping(Vec::new()), None));
        }
        if !out.is_empty() && !send(&mut writer, &out).await {
            break false;
        }
        if door.is_stopping() {
            break true;
        }
        if !idle {
            continue;
        }
        match timeout(limits::LISTEN_PAUSE, incoming.recv()).await {
            Err(_) => {}
            Ok(Some(Message::Ping(data))) => {
                if !send(&mut writer, &frame(&Message::Pong(data), None)).await {
                    break false;
                }
            }
            Ok(Some(Message::Data(_) | Message::Pong(_))) => {}
            Ok(Some(Message::Close) | None) => break false,
        }
    };
    let mut last = if ended {
        said(&WorkerEvent::Close)
    } else {
        Vec::new()
    };
    last.extend(frame(&Message::Close, None));
    // The other end may be gone already.
    let _ = send(&mut writer, &last).await;
    reading.abort();
}

fn said(event: &WorkerEvent) -> Vec<u8> {
    // Nothing in an event can fail to be JSON.
    let text = serde_json::to_vec(event).unwrap_or_default();
    frame(&Message::Data(text), None)
}

/// Whether the bytes left in time: a listener that does not read is cut off.
async fn send(writer: &mut (impl tokio::io::AsyncWrite + Unpin), bytes: &[u8]) -> bool {
    let sent = async {
        writer.write_all(bytes).await?;
        writer.flush().await
    };
    matches!(timeout(limits::LISTENER_TIMEOUT, sent).await, Ok(Ok(())))
}

/// Where a listener is in a log.
struct Tail {
    next: OplogIndex,
    version: Option<ComponentVersion>,
}

impl Tail {
    /// The events behind it, of one page; empty when there are no new entries. Errors: the worker is gone, or its log damaged.
    async fn read(
        &mut self,
        door: &Door,
        worker: &WorkerId,
    ) -> Result<Vec<WorkerEvent>, WorkerError> {
        loop {
            let page = door
                .node
                .public_oplog(worker, self.next, self.version, limits::OPLOG_PAGE, None)
                .await?;
            let Some((next, version)) = page.next else {
                return Ok(Vec::new());
            };
            (self.next, self.version) = (next, Some(version));
            let events: Vec<WorkerEvent> = page
                .entries
                .into_iter()
                .filter_map(|(index, entry)| event(index, entry))
                .collect();
            if !events.is_empty() {
                return Ok(events);
            }
        }
    }
}

/// What a listener hears of an entry, if anything.
fn event(index: OplogIndex, entry: PublicOplogEntry) -> Option<WorkerEvent> {
    let oplog_index = Some(index);
    Some(match entry {
        PublicOplogEntry::Log {
            timestamp,
            level,
            context,
            message,
        } => {
            let output = |mut line: String| {
                line.push('\n');
                OutputEvent {
                    timestamp,
                    bytes: line.into_bytes(),
                    oplog_index,
                }
            };
            match level.as_str() {
                "Stdout" => WorkerEvent::StdOut(output(message)),
                "Stderr" => WorkerEvent::StdErr(output(message)),
                _ => WorkerEvent::Log(LogEvent {
                    timestamp,
                    level,
                    context,
                    message,
                    oplog_index,
                }),
            }
        }
        PublicOplogEntry::ExportedFunctionInvoked {
            timestamp,
            function_name,
            idempotency_key,
            ..
        } => WorkerEvent::InvocationStart(InvocationEvent {
            timestamp,
            function: function_name,
            idempotency_key,
            oplog_index,
        }),
        PublicOplogEntry::ExportedFunctionCompleted {
            timestamp,
            function_name,
            idempotency_key,
            ..
        } => WorkerEvent::InvocationFinished(InvocationEvent {
            timestamp,
            function: function_name,
            idempotency_key,
            oplog_index,
        }),
        _ => return None,
    })
}
