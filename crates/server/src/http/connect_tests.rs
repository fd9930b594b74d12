// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/connect_tests: listeners on a real connection: what they hear, that they are pinged and stay, and that they go on
//! where they were. Read next: `connect.rs`. Source: client spec §6.6, §8.2 (9).

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use golem_model::public_oplog::PublicOplogEntry;
use golem_model::websocket::accept;
use golem_model::{OplogIndex, Timestamp};
use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Message, Role};

use super::connect::event;
use super::tests::Gym;
use crate::limits;

/// The longest wait for what has to come.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the listeners of these tests are pinged.
const PING: Duration = Duration::from_millis(1);
/// The key of the example in RFC 6455.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

type Socket = WebSocketStream<DuplexStream>;

/// Listens as the command line of 1.1 does: without an origin and without a sub-protocol.
async fn listen(gym: &Gym, path: &str) -> Socket {
    let mut stream = gym.connection();
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost:9881\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    let answer = String::from_utf8(answer).unwrap().to_lowercase();
    assert!(answer.starts_with("http/1.1 101"), "{answer}");
    let proof = format!("sec-websocket-accept: {}", accept(KEY).to_lowercase());
    assert!(answer.contains(&proof), "{answer}");
    assert!(!answer.contains("sec-websocket-protocol"), "{answer}");
    WebSocketStream::from_raw_socket(stream, Role::Client, None).await
}

async fn next(socket: &mut Socket) -> Message {
    let next = tokio::time::timeout(PATIENCE, socket.next()).await;
    next.unwrap().unwrap().unwrap()
}

/// The next event, over pings.
async fn hear(socket: &mut Socket) -> Json {
    loop {
        match next(socket).await {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn worker(gym: &Gym) -> String {
    let id = gym.upload("adder").await;
    let workers = format!("/v1/components/{id}/workers");
    gym.post(&workers, json!({"name": "w"})).await.ok();
    format!("{workers}/w")
}

#[tokio::test]
async fn tolerance_9_a_listener_is_pinged_again_and_again_and_stays_connected() {
    let gym = Gym::pinging(PING);
    let path = worker(&gym).await;
    let mut socket = listen(&gym, &format!("{path}/connect")).await;
    for _ in 0..3 {
        assert!(matches!(next(&mut socket).await, Message::Ping(_)));
    }
    // Clients of 1.1 send pings, too.
    let ping = Message::Ping(b"mine".as_slice().into());
    socket.send(ping).await.unwrap();
    loop {
        match next(&mut socket).await {
            Message::Ping(_) => {}
            Message::Pong(mine) => break assert_eq!(mine.as_ref(), b"mine"),
            other => panic!("{other:?}"),
        }
    }
    let invoke = format!("{path}/invoke?function=add");
    let called = gym.post(&invoke, json!({"params": [1, 2]})).await;
    let key = called.header("idempotency-key").to_owned();
    called.ok();
    for kind in ["InvocationStart", "InvocationFinished"] {
        let event = hear(&mut socket).await;
        assert_eq!(event[kind]["function"], "add", "{event}");
        assert_eq!(event[kind]["idempotency_key"], json!(key), "{event}");
        let at = event[kind]["timestamp"].as_str().unwrap();
        assert!(at.ends_with('Z'), "{event}");
    }
}

#[test]
fn tolerance_9_the_pings_of_a_server_come_every_30_seconds() {
    assert_eq!(limits::PING_EVERY, Duration::from_secs(30));
}

#[tokio::test]
async fn tolerance_9_a_listener_without_pings_hears_nothing_but_events() {
    let gym = Gym::pinging(PATIENCE);
    let path = worker(&gym).await;
    let mut socket = listen(&gym, &format!("{path}/connect")).await;
    let invoke = format!("{path}/invoke-and-await?function=add");
    gym.post(&invoke, json!({"params": [1, 2]})).await.ok();
    for _ in 0..2 {
        assert!(matches!(next(&mut socket).await, Message::Text(_)));
    }
}

#[tokio::test]
async fn a_listener_goes_on_where_it_was_and_is_told_the_end() {
    let gym = Gym::new();
    let path = worker(&gym).await;
    let invoke = format!("{path}/invoke-and-await?function=add");
    gym.post(&invoke, json!({"params": [1, 2]})).await.ok();
    let mut first = listen(&gym, &format!("{path}/connect")).await;
    let start = hear(&mut first).await;
    let index = start["InvocationStart"]["oplog_index"].as_u64().unwrap();
    drop(first);
    // Behind the start of the invocation there is its end, and what comes after the last entry is only new.
    let behind = format!("{path}/connect?from={}", index + 1);
    let mut second = listen(&gym, &behind).await;
    assert!(hear(&mut second).await["InvocationFinished"].is_object());
    let mut latest = listen(&gym, &format!("{path}/connect?from=latest")).await;
    let boom = format!("{path}/invoke-and-await?function=boom");
    gym.post(&boom, json!({"params": []})).await;
    for socket in [&mut second, &mut latest] {
        let event = hear(socket).await;
        assert_eq!(event["InvocationStart"]["function"], "boom", "{event}");
    }
    gym.ask(axum::http::Method::DELETE, &path, axum::body::Body::empty())
        .await
        .ok();
    for socket in [&mut second, &mut latest] {
        assert_eq!(hear(socket).await, json!("Close"));
        assert!(matches!(next(socket).await, Message::Close(_)));
    }
}

#[test]
fn tolerance_9_events_are_tagged_from_outside_and_bytes_are_numbers() {
    let log = |level: &str| PublicOplogEntry::Log {
        timestamp: Timestamp(0),
        level: level.to_owned(),
        context: "c".to_owned(),
        message: "hi".to_owned(),
    };
    let check = |level: &str, expected: Json| {
        let said = event(OplogIndex(7), log(level)).unwrap();
        assert_eq!(serde_json::to_value(&said).unwrap(), expected);
    };
    let at = "1970-01-01T00:00:00Z";
    let bytes = json!({"timestamp": at, "bytes": [104, 105, 10], "oplog_index": 7});
    check("Stdout", json!({ "StdOut": bytes }));
    check("Stderr", json!({ "StdErr": bytes }));
    for level in ["Trace", "Debug", "Info", "Warn", "Error", "Critical"] {
        let line = json!({"timestamp": at, "level": level, "context": "c", "message": "hi", "oplog_index": 7});
        check(level, json!({ "Log": line }));
    }
    let other = PublicOplogEntry::NoOp {
        timestamp: Timestamp(0),
    };
    assert_eq!(event(OplogIndex(8), other), None);
}
