// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/connect: `GET …/workers/{worker}/connect`, a WebSocket on which a worker is heard: what it writes and logs,
//! which invocations begin and end. In: an upgrade. Out: one text for each event. Bounds: [`limits::LISTENERS_MAX`], a page at a
//! time. Never wakes an instance: it reads the oplog. Read next: golem-model `api/events.rs`. Source: client spec §6.6, §8.2 (9).

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{
    CONNECTION, HeaderMap, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::response::Response;
use futures_util::{SinkExt as _, StreamExt as _};
use golem_engine::WorkerError;
use golem_model::api::{InvocationEvent, LogEvent, OutputEvent, WorkerEvent};
use golem_model::public_oplog::PublicOplogEntry;
use golem_model::websocket::accept;
use golem_model::{ComponentVersion, OplogIndex, WorkerId};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Message, Role, WebSocketConfig};

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
            Ok(stream) => {
                let mut socket = socket(stream).await;
                listen(&door, &worker, from, &mut socket).await;
            }
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

/// A connection on which a worker is heard.
type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// A listener says next to nothing: what is larger than its own limit ends the connection.
async fn socket(stream: Upgraded) -> Socket {
    let config = WebSocketConfig::default()
        .max_message_size(Some(limits::LISTENER_SAYS_BYTES_MAX))
        .max_frame_size(Some(limits::LISTENER_SAYS_BYTES_MAX));
    WebSocketStream::from_raw_socket(TokioIo::new(stream), Role::Server, Some(config)).await
}

/// Says what the worker does until the listener or the worker leaves, or the server stops.
async fn listen(door: &Door, worker: &WorkerId, from: OplogIndex, socket: &mut Socket) {
    let mut tail = Tail {
        next: from,
        version: None,
    };
    let mut ping = Instant::now() + door.ping_every;
    let ended = loop {
        let events = match tail.read(door, worker).await {
            Ok(events) => events,
            Err(error) => {
                tracing::debug!(%error, %worker, "a listener has nothing more to hear");
                break true;
            }
        };
        let idle = events.is_empty();
        let mut messages: Vec<Message> = events.iter().map(said).collect();
        if Instant::now() >= ping {
            ping = Instant::now() + door.ping_every;
            messages.push(Message::Ping(Bytes::new()));
        }
        if !send(socket, messages).await {
            break false;
        }
        if door.is_stopping() {
            break true;
        }
        let pause = if idle {
            limits::LISTEN_PAUSE
        } else {
            Duration::ZERO
        };
        match timeout(pause, socket.next()).await {
            // A ping is answered by the library, with what is sent next.
            Err(_) | Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => {}
            Ok(Some(Ok(Message::Text(_) | Message::Binary(_) | Message::Frame(_)))) => {}
            Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) => break false,
        }
    };
    let mut last = Vec::new();
    if ended {
        last.push(said(&WorkerEvent::Close));
    }
    last.push(Message::Close(None));
    // The other end may be gone already.
    let _ = send(socket, last).await;
}

fn said(event: &WorkerEvent) -> Message {
    // Nothing in an event can fail to be JSON.
    Message::text(serde_json::to_string(event).unwrap_or_default())
}

/// Whether the messages left in time: a listener that does not read is cut off.
async fn send(socket: &mut Socket, messages: Vec<Message>) -> bool {
    let sent = async {
        for message in messages {
            socket.feed(message).await?;
        }
        socket.flush().await
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
pub(super) fn event(index: OplogIndex, entry: PublicOplogEntry) -> Option<WorkerEvent> {
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
