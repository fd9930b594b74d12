// SPDX-License-Identifier: Apache-2.0
//! THE DESK / client/connect: listening to a worker. In a worker and a place in its oplog, out its events as they come. Bounds:
//! [`HEAD_BYTES_MAX`], [`CONNECT_TIMEOUT`]. Never prints. Read next: golem-model `websocket.rs`. Source: client spec §6.6, §6.8.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use golem_model::api::WorkerEvent;
use golem_model::websocket::{Message, Messages, client_key, frame};
use golem_model::{OplogIndex, WorkerId};

use super::error::{ClientError, refusal};
use super::transport::CONNECT_TIMEOUT;
use super::{Client, worker_path};
use crate::error::Failure;
use crate::exit;

/// Longest head of an answer; that of an upgrade has a few lines.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// How long one read waits, and with that how late somebody who wants to stop is noticed.
const LOOK_UP: Duration = Duration::from_millis(200);
/// Pause before a connection that was lost is made again: a server needs about this long to start.
const AGAIN: Duration = Duration::from_millis(500);

/// Where listening begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begin {
    /// At an entry of the oplog.
    At(OplogIndex),
    /// With what is new.
    Latest,
}

/// A connection on which a worker is heard.
struct Listener {
    stream: TcpStream,
    messages: Messages,
}

/// What one look at the connection gave.
enum Heard {
    Event(Box<WorkerEvent>),
    Nothing,
    End,
}

impl Client {
    /// Listens to a worker until `stop`, or until the worker is gone. A connection that is lost is made again and goes on behind
    /// the last event. Errors: the first connection fails; the worker is not there, or not any more (exit code `NOT_FOUND`).
    pub(crate) fn listen(
        &self,
        worker: &WorkerId,
        begin: Begin,
        stop: &AtomicBool,
        mut hear: impl FnMut(WorkerEvent),
    ) -> Result<(), Failure> {
        let mut begin = begin;
        let mut listener = self.open(worker, begin)?;
        while !stop.load(Ordering::Relaxed) {
            match listener.next() {
                Heard::Event(event) => {
                    if let Some(index) = event.oplog_index() {
                        begin = Begin::At(OplogIndex(index.0 + 1));
                    }
                    hear(*event);
                }
                Heard::Nothing => {}
                Heard::End => match self.again(worker, begin, stop)? {
                    Some(next) => listener = next,
                    None => return Ok(()),
                },
            }
        }
        // The other end may be gone already.
        let _ = listener.say(&Message::Close);
        Ok(())
    }

    /// Connects again, for as long as it takes; `None` when it shall stop.
    fn again(
        &self,
        worker: &WorkerId,
        begin: Begin,
        stop: &AtomicBool,
    ) -> Result<Option<Listener>, Failure> {
        while !stop.load(Ordering::Relaxed) {
            std::thread::sleep(AGAIN);
            match self.open(worker, begin) {
                Ok(listener) => return Ok(Some(listener)),
                Err(failure) if failure.exit == exit::UNREACHABLE => {
                    tracing::debug!(%worker, "the server is away");
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(None)
    }

    fn open(&self, worker: &WorkerId, begin: Begin) -> Result<Listener, Failure> {
        let from = match begin {
            Begin::At(index) => index.to_string(),
            Begin::Latest => "latest".to_owned(),
        };
        if self.transport.is_encrypted() {
            let url = self.transport.url().to_owned();
            return Err(ClientError::PlainOnly { url }.failure());
        }
        let path = format!("{}/connect?from={from}", worker_path(worker));
        let unreachable = |error: std::io::Error| self.transport.unreachable(error.to_string());
        let (authority, prefix) = self.transport.address();
        let mut last = std::io::Error::from(ErrorKind::AddrNotAvailable);
        let mut connected = None;
        for address in authority.to_socket_addrs().map_err(unreachable)? {
            match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
                Ok(stream) => {
                    connected = Some(stream);
                    break;
                }
                Err(error) => last = error,
            }
        }
        let mut stream = connected.ok_or_else(|| unreachable(last))?;
        let key = client_key(uuid::Uuid::new_v4().into_bytes());
        let headers = self.transport.headers();
        let token: String = headers
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let head = format!(
            "GET {prefix}{path} HTTP/1.1\r\nHost: {authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n{token}\r\n"
        );
        stream
            .set_read_timeout(Some(CONNECT_TIMEOUT))
            .and_then(|()| stream.write_all(head.as_bytes()))
            .map_err(unreachable)?;
        let (status, mut rest, length) = answer(&mut stream).map_err(unreachable)?;
        if status != 101 {
            let mut more = vec![0; length.saturating_sub(rest.len())];
            if stream.read_exact(&mut more).is_ok() {
                rest.extend(more);
            }
            let unclear = || {
                ClientError::Answer {
                    url: format!("http://{authority}{prefix}{path}"),
                    status,
                    reason: "no WebSocket".to_owned(),
                }
                .failure()
            };
            return Err(refusal(status, &rest).unwrap_or_else(unclear));
        }
        stream
            .set_read_timeout(Some(LOOK_UP))
            .map_err(unreachable)?;
        let mut messages = Messages::default();
        messages.push(&rest);
        Ok(Listener { stream, messages })
    }
}

impl Listener {
    fn next(&mut self) -> Heard {
        loop {
            match self.messages.next() {
                Ok(Some(Message::Data(text))) => match serde_json::from_slice(&text) {
                    Ok(WorkerEvent::Close) => return Heard::End,
                    Ok(event) => return Heard::Event(Box::new(event)),
                    // An event of a later version.
                    Err(error) => tracing::debug!(%error, "an event is not known"),
                },
                Ok(Some(Message::Ping(data))) => {
                    if self.say(&Message::Pong(data)).is_err() {
                        return Heard::End;
                    }
                }
                Ok(Some(Message::Pong(_))) => {}
                Ok(Some(Message::Close)) | Err(_) => return Heard::End,
                Ok(None) => {
                    let mut bytes = [0; 16 << 10];
                    match self.stream.read(&mut bytes) {
                        Ok(0) => return Heard::End,
                        Ok(count) => self.messages.push(bytes.get(..count).unwrap_or_default()),
                        Err(error) => match error.kind() {
                            ErrorKind::WouldBlock
                            | ErrorKind::TimedOut
                            | ErrorKind::Interrupted => {
                                return Heard::Nothing;
                            }
                            _ => return Heard::End,
                        },
                    }
                }
            }
        }
    }

    fn say(&mut self, message: &Message) -> std::io::Result<()> {
        let [a, b, c, d, ..] = uuid::Uuid::new_v4().into_bytes();
        self.stream.write_all(&frame(message, Some([a, b, c, d])))
    }
}

/// The status of an answer, what came behind its head, and how long its body is.
fn answer(stream: &mut TcpStream) -> std::io::Result<(u16, Vec<u8>, usize)> {
    let broken = || std::io::Error::new(ErrorKind::InvalidData, "the answer is no HTTP");
    let mut bytes = Vec::new();
    let end = loop {
        let mut piece = [0; 1024];
        let count = stream.read(&mut piece)?;
        if count == 0 || bytes.len() > HEAD_BYTES_MAX {
            return Err(broken());
        }
        bytes.extend_from_slice(piece.get(..count).unwrap_or_default());
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
    };
    let rest = bytes.split_off(end + 4);
    let head = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .and_then(|length| length.trim().parse().ok())
        .unwrap_or(0_usize);
    Ok((status.ok_or_else(broken)?, rest, length.min(HEAD_BYTES_MAX)))
}
