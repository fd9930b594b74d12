// SPDX-License-Identifier: Apache-2.0
//! THE SCALES / http: the smallest HTTP/1.1 client that keeps its connection, and the reading half that the floor program
//! shares with it. One outstanding request a connection, TCP_NODELAY, no redirects. Bound: heads of 16 KiB.
//! Read next: `load.rs`.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Longest head of a message that is accepted: far above what either server sends.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Bytes asked from the socket at once: one reply of either server fits.
const READ_BYTES: usize = 8 * 1024;

/// A received message: its first line and its body.
#[derive(Debug)]
pub(crate) struct Message {
    /// `HTTP/1.1 200 OK` of a response, `POST /d/k/add HTTP/1.1` of a request.
    pub(crate) first_line: String,
    /// The body; empty if there is none.
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// Status code of a response; 0 if the first line has none.
    pub(crate) fn status(&self) -> u16 {
        self.first_line
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .unwrap_or(0)
    }
}

/// One kept connection, either side of it.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    /// Who is asked: a server may refuse requests for other names than its own.
    host: SocketAddr,
    /// What was received and not used yet.
    received: Vec<u8>,
}

impl Connection {
    /// Connects to `peer`. Errors: as the system gives them.
    pub(crate) async fn open(peer: SocketAddr) -> io::Result<Self> {
        Self::accepted(TcpStream::connect(peer).await?)
    }

    /// Takes an accepted stream.
    pub(crate) fn accepted(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self {
            host: stream.peer_addr()?,
            stream,
            received: Vec::with_capacity(READ_BYTES),
        })
    }

    /// Sends one request and reads its response to the end of its body. Any error leaves the connection useless.
    pub(crate) async fn request(
        &mut self,
        method: &str,
        path: &str,
        kind: &str,
        body: &[u8],
    ) -> io::Result<Message> {
        let (length, host) = (body.len(), self.host);
        // Nothing has no type: Restate refuses to hear of one.
        let kind = match length {
            0 => String::new(),
            _ => format!("content-type: {kind}\r\n"),
        };
        let mut out = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\naccept: application/json\r\n{kind}content-length: {length}\r\n\r\n"
        )
        .into_bytes();
        out.extend_from_slice(body);
        self.stream.write_all(&out).await?;
        self.receive()
            .await?
            .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// Sends a response with a JSON body.
    pub(crate) async fn respond(&mut self, status: &str, body: &str) -> io::Result<()> {
        let length = body.len();
        let out = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        self.stream.write_all(out.as_bytes()).await
    }

    /// Reads one message; `None` if the peer closed before its first byte.
    pub(crate) async fn receive(&mut self) -> io::Result<Option<Message>> {
        let head_end = loop {
            if let Some(at) = find(&self.received, b"\r\n\r\n") {
                break at;
            }
            if self.received.len() > HEAD_BYTES_MAX {
                return Err(bad("the head of the message is too long"));
            }
            if self.fill().await? == 0 {
                return if self.received.is_empty() {
                    Ok(None)
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                };
            }
        };
        let head: Vec<u8> = self.received.drain(..head_end + 4).collect();
        let head =
            String::from_utf8(head).map_err(|_| bad("the head of the message is not text"))?;
        let mut lines = head.lines();
        let first_line = lines.next().unwrap_or_default().to_owned();
        let mut length = 0;
        let mut chunked = false;
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("content-length") {
                length = value
                    .trim()
                    .parse()
                    .map_err(|_| bad("the content length is not a number"))?;
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                chunked = value.trim().eq_ignore_ascii_case("chunked");
            }
        }
        let body = if chunked {
            self.chunks().await?
        } else {
            self.take(length).await?
        };
        Ok(Some(Message { first_line, body }))
    }

    /// Reads a chunked body.
    async fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line_end = loop {
                if let Some(at) = find(&self.received, b"\r\n") {
                    break at;
                }
                if self.fill().await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            };
            let line = self.take(line_end).await?;
            self.take(2).await?;
            let digits = String::from_utf8_lossy(&line);
            let size =
                usize::from_str_radix(digits.split(';').next().unwrap_or_default().trim(), 16)
                    .map_err(|_| bad("the size of a chunk is not a number"))?;
            body.append(&mut self.take(size).await?);
            self.take(2).await?;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    /// Takes exactly `count` received bytes, waiting for those that are not there yet.
    async fn take(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.received.len() < count {
            if self.fill().await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.received.drain(..count).collect())
    }

    async fn fill(&mut self) -> io::Result<usize> {
        self.received.reserve(READ_BYTES);
        self.stream.read_buf(&mut self.received).await
    }
}

fn bad(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// Serves the given bytes on one connection and returns what the client makes of them.
    async fn reply_of(bytes: &'static [u8]) -> io::Result<Message> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut connection = Connection::accepted(stream).unwrap();
            let request = connection.receive().await.unwrap().unwrap();
            connection.stream.write_all(bytes).await.unwrap();
            request
        });
        let answer = Connection::open(peer)
            .await
            .unwrap()
            .request("POST", "/a", "text/plain", b"body")
            .await;
        let request = server.await.unwrap();
        assert_eq!(
            (request.first_line.as_str(), request.body.as_slice()),
            ("POST /a HTTP/1.1", b"body".as_slice())
        );
        answer
    }

    #[tokio::test]
    async fn body_has_the_length_that_the_head_says() {
        let message = reply_of(b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nabcREST")
            .await
            .unwrap();
        assert_eq!(
            (message.status(), message.body.as_slice()),
            (404, b"abc".as_slice())
        );
    }

    #[tokio::test]
    async fn chunks_are_joined() {
        let text = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
        assert_eq!(reply_of(text).await.unwrap().body, b"abcde");
    }

    #[tokio::test]
    async fn cut_message_is_an_error() {
        assert!(
            reply_of(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc")
                .await
                .is_err()
        );
        assert!(reply_of(b"HTTP/1.1 200").await.is_err());
        assert!(reply_of(b"").await.is_err());
    }
}
