// SPDX-License-Identifier: Apache-2.0
//! THE PHONE / connect: listening to a worker. In a worker and a place in its oplog, out its events as they come. Bounds:
//! [`HEAD_BYTES_MAX`], [`EVENT_BYTES_MAX`]. Never prints. Read next: `socket.rs` (the connection). Source: client spec §6.6, §6.8.

use std::io::{self, Read as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use golem_model::api::WorkerEvent;
use golem_model::websocket::{accept, client_key};
use golem_model::{OplogIndex, WorkerId};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket};

use crate::client::Client;
use crate::error::{ClientError, ErrorKind};
use crate::socket::Socket;
use crate::worker::worker_path;

/// Longest event: bytes of a line are written as numbers of up to four characters each, so this carries 4 MiB of them.
const EVENT_BYTES_MAX: usize = 16 << 20;
/// Longest head of an answer; that of an upgrade has a few lines.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// Longest body of a refusal that is read.
const REFUSAL_BYTES_MAX: usize = 64 << 10;
/// How long one read waits, and with that how late somebody who wants to stop is noticed.
const LOOK_UP: Duration = Duration::from_millis(200);
/// Pause before a connection that was lost is made again: a server needs about this long to start.
const AGAIN: Duration = Duration::from_millis(500);

/// Where listening to a worker begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// At an entry of its oplog; the first has index 1.
    At(OplogIndex),
    /// With what is new.
    Latest,
}

/// A connection on which a worker is heard.
struct Listener(WebSocket<Socket>);

/// What one look at the connection gave.
enum Heard {
    Event(Box<WorkerEvent>),
    Nothing,
    End,
}

impl Client {
    /// Listens to a worker until `stop` is set, or until the worker is gone, and hands each event to `hear` in the order of its oplog.
    ///
    /// Blocks meanwhile; while the connection stands `stop` is noticed within 200 ms. A connection that is lost is made again, for as long as it takes, and goes on
    /// behind the last event that has an oplog index. Events of a later version are left out.
    ///
    /// Errors: those of the network for the first connection; `Refused`, of kind `NotFound` when the worker is not there or not any
    /// more. Source: client spec §6.6, §6.8.
    pub fn listen(
        &self,
        worker: &WorkerId,
        begin: Begin,
        stop: &AtomicBool,
        mut hear: impl FnMut(WorkerEvent),
    ) -> Result<(), ClientError> {
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
        let _ = listener.0.close(None);
        Ok(())
    }

    /// Connects again, for as long as it takes; `None` when it shall stop.
    fn again(
        &self,
        worker: &WorkerId,
        begin: Begin,
        stop: &AtomicBool,
    ) -> Result<Option<Listener>, ClientError> {
        while !stop.load(Ordering::Relaxed) {
            std::thread::sleep(AGAIN);
            match self.open(worker, begin) {
                Ok(listener) => return Ok(Some(listener)),
                Err(error) if error.kind() == ErrorKind::Unreachable => {
                    tracing::debug!(%worker, "the server is away");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    fn open(&self, worker: &WorkerId, begin: Begin) -> Result<Listener, ClientError> {
        let from = match begin {
            Begin::At(index) => index.to_string(),
            Begin::Latest => "latest".to_owned(),
        };
        let path = format!("{}/connect?from={from}", worker_path(worker));
        let site = self.transport.site(&path);
        let unreachable = |reason: String| site.unreachable(reason);
        let (authority, prefix) = site.address();
        let key = client_key(uuid::Uuid::new_v4().into_bytes());
        let mut head = format!(
            "GET {prefix}{path} HTTP/1.1\r\nHost: {authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
        );
        for (name, value) in self.transport.headers() {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let mut socket = site.socket()?;
        let answer = socket
            .write_all(head.as_bytes())
            .and_then(|()| socket.flush())
            .and_then(|()| answer(&mut socket))
            .map_err(|error| unreachable(error.to_string()))?;
        let Answer { status, rest, .. } = answer;
        if status != 101 || answer.accept.as_deref() != Some(accept(&key).as_str()) {
            let unclear = || ClientError::Answer {
                url: format!("{}{path}", site.base),
                status,
                reason: "no WebSocket".to_owned(),
            };
            return Err(ClientError::refusal(status, &rest).unwrap_or_else(unclear));
        }
        socket
            .wait_at_most(LOOK_UP)
            .map_err(|error| unreachable(error.to_string()))?;
        let config = WebSocketConfig::default().max_message_size(Some(EVENT_BYTES_MAX));
        let stream = WebSocket::from_partially_read(socket, rest, Role::Client, Some(config));
        Ok(Listener(stream))
    }
}

impl Listener {
    fn next(&mut self) -> Heard {
        loop {
            let text = match self.0.read() {
                Ok(Message::Text(text)) => text,
                // Pings are answered by the library, with the next look.
                Ok(
                    Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_),
                ) => {
                    continue;
                }
                Ok(Message::Close(_)) => return Heard::End,
                Err(Error::Io(error)) if is_pause(&error) => return Heard::Nothing,
                Err(_) => return Heard::End,
            };
            match serde_json::from_str(text.as_str()) {
                Ok(WorkerEvent::Close) => return Heard::End,
                Ok(event) => return Heard::Event(Box::new(event)),
                // An event of a later version.
                Err(error) => tracing::debug!(%error, "an event is not known"),
            }
        }
    }
}

/// Whether a read only waited as long as it may.
fn is_pause(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

/// The head of an answer, and what came behind it.
struct Answer {
    status: u16,
    /// The header that shows that the other end has read ours.
    accept: Option<String>,
    /// The begin of the frames, or the whole body of a refusal.
    rest: Vec<u8>,
}

/// Reads an answer. Errors: the connection ends or is slow, or it is no HTTP.
fn answer(socket: &mut Socket) -> io::Result<Answer> {
    let broken = || io::Error::new(io::ErrorKind::InvalidData, "the answer is no HTTP");
    let mut bytes = Vec::new();
    let end = loop {
        let mut piece = [0; 1024];
        let count = socket.read(&mut piece)?;
        if count == 0 || bytes.len() > HEAD_BYTES_MAX {
            return Err(broken());
        }
        bytes.extend_from_slice(piece.get(..count).unwrap_or_default());
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
    };
    let mut rest = bytes.split_off(end + 4);
    let head = String::from_utf8_lossy(&bytes).into_owned();
    let mut lines = head.lines();
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let (mut accept, mut length) = (None, 0_usize);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("sec-websocket-accept") {
            accept = Some(value.trim().to_owned());
        } else if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let missing = length.min(REFUSAL_BYTES_MAX).saturating_sub(rest.len());
    let mut more = vec![0; missing];
    // What does not come is missing in the text for the user, and no more.
    if socket.read_exact(&mut more).is_ok() {
        rest.extend(more);
    }
    Ok(Answer {
        status: status.ok_or_else(broken)?,
        accept,
        rest,
    })
}
