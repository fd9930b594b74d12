// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / golem_1/wire: a connection on which requests go out as the command line of 1.1.0 writes them: HTTP/1.1 that is kept
//! alive, `accept: */*`, no user agent, no token; forms in chunks. In: a line and a body. Out: status, headers, body. Bound:
//! [`PATIENCE`]. Never uses a library of HTTP, which would write something else.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// The longest wait for an answer, or for an event.
const PATIENCE: Duration = Duration::from_secs(60);
/// Separates parts, as the library of the original makes it up.
const BOUNDARY: &str = "1f6cf60a6a1f3bd1-6d0a4e2ad9a5c4a1-ae6ab1f3e9d9a1c3-0f0f2a6de5c1b3a4";
/// Bytes of a chunk of a form.
const CHUNK: usize = 8 << 10;

/// A connection.
pub(super) struct Wire {
    host: String,
    stream: BufReader<TcpStream>,
}

/// An answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    head: Vec<String>,
}

impl Answer {
    /// The body of a success.
    pub(super) fn ok(&self) -> Result<Value> {
        ensure!(
            self.status == 200,
            "{}: {}",
            self.status,
            String::from_utf8_lossy(&self.body)
        );
        self.json()
    }

    pub(super) fn json(&self) -> Result<Value> {
        Ok(serde_json::from_slice(&self.body)?)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.iter().find_map(|line| {
            let (of, value) = line.split_once(':')?;
            of.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// A part of a form.
pub(super) struct Part {
    head: String,
    bytes: Vec<u8>,
}

impl Part {
    /// A text.
    pub(super) fn text(name: &str, text: &str) -> Self {
        Self {
            head: format!("Content-Disposition: form-data; name=\"{name}\""),
            bytes: text.into(),
        }
    }

    /// A text that says that it is one.
    pub(super) fn plain(name: &str, text: &str) -> Self {
        let Self { head, bytes } = Self::text(name, text);
        let head = format!("{head}\r\nContent-Type: text/plain");
        Self { head, bytes }
    }

    /// A file.
    pub(super) fn file(name: &str, file: &str, bytes: Vec<u8>) -> Self {
        let head = format!(
            "Content-Disposition: form-data; name=\"{name}\"; filename=\"{file}\"\r\nContent-Type: application/octet-stream"
        );
        Self { head, bytes }
    }
}

/// The body of a form.
fn form(parts: &[Part]) -> Vec<u8> {
    let mut body = Vec::new();
    for Part { head, bytes } in parts {
        body.extend(format!("--{BOUNDARY}\r\n{head}\r\n\r\n").into_bytes());
        body.extend(bytes);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{BOUNDARY}--\r\n").into_bytes());
    body
}

impl Wire {
    /// Connects to a server.
    pub(super) fn to(url: &str) -> Result<Self> {
        let host = url.trim_start_matches("http://").to_owned();
        let stream = TcpStream::connect(&host)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            host,
            stream: BufReader::new(stream),
        })
    }

    /// `GET /path`.
    pub(super) fn get(&mut self, line: &str) -> Result<Answer> {
        self.send(line, "", &[])
    }

    /// A request with a JSON text, or without a body when there is none.
    pub(super) fn ask(&mut self, line: &str, body: &str) -> Result<Answer> {
        if body.is_empty() {
            return self.get(line);
        }
        self.with_length(line, "application/json", body.as_bytes())
    }

    /// A request with a JSON body.
    pub(super) fn json(&mut self, line: &str, body: &Value) -> Result<Answer> {
        self.ask(line, &body.to_string())
    }

    /// The same with a key.
    pub(super) fn keyed(&mut self, line: &str, key: &str, body: &Value) -> Result<Answer> {
        let body = body.to_string();
        let head = format!(
            "content-type: application/json\r\nidempotency-key: {key}\r\ncontent-length: {}\r\n",
            body.len()
        );
        self.send(line, &head, body.as_bytes())
    }

    /// A request with bytes.
    pub(super) fn bytes(&mut self, line: &str, body: &[u8]) -> Result<Answer> {
        self.with_length(line, "application/octet-stream", body)
    }

    /// A form whose length is known, as it is when the file comes from standard input.
    pub(super) fn whole_form(&mut self, line: &str, parts: &[Part]) -> Result<Answer> {
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        self.with_length(line, &kind, &form(parts))
    }

    /// A form in chunks.
    pub(super) fn upload(&mut self, line: &str, parts: &[Part]) -> Result<Answer> {
        let head = format!(
            "content-type: multipart/form-data; boundary={BOUNDARY}\r\ntransfer-encoding: chunked\r\n"
        );
        let mut body = Vec::new();
        for chunk in form(parts).chunks(CHUNK) {
            body.extend(format!("{:X}\r\n", chunk.len()).into_bytes());
            body.extend(chunk);
            body.extend(b"\r\n");
        }
        body.extend(b"0\r\n\r\n");
        self.send(line, &head, &body)
    }

    fn with_length(&mut self, line: &str, kind: &str, body: &[u8]) -> Result<Answer> {
        let head = format!("content-type: {kind}\r\ncontent-length: {}\r\n", body.len());
        self.send(line, &head, body)
    }

    fn send(&mut self, line: &str, more: &str, body: &[u8]) -> Result<Answer> {
        let head = format!(
            "{line} HTTP/1.1\r\n{more}accept: */*\r\nhost: {}\r\n\r\n",
            self.host
        );
        // In one piece: a server that answers without reading a body may end a connection on which it has not come.
        let whole = [head.as_bytes(), body].concat();
        self.stream.get_mut().write_all(&whole)?;
        let mut answer = self.head().with_context(|| line.to_owned())?;
        let length = answer
            .header("content-length")
            .map(str::parse)
            .transpose()?;
        let length: usize = length.with_context(|| format!("no length: {:?}", answer.head))?;
        answer.body = vec![0; length];
        self.stream.read_exact(&mut answer.body)?;
        Ok(answer)
    }

    fn head(&mut self) -> Result<Answer> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line)?;
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let status = lines.first().and_then(|line| line.split(' ').nth(1));
        Ok(Answer {
            status: status.context("no answer")?.parse()?,
            body: Vec::new(),
            head: lines,
        })
    }

    /// Becomes a WebSocket, without an origin and without a sub-protocol.
    pub(super) fn listen(mut self, path: &str) -> Result<Events> {
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            self.host
        );
        self.stream.get_mut().write_all(head.as_bytes())?;
        let answer = self.head()?;
        ensure!(answer.status == 101, "{:?}", answer.head);
        ensure!(
            answer.header("sec-websocket-accept") == Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            "{:?}",
            answer.head
        );
        ensure!(answer.header("sec-websocket-protocol").is_none());
        Ok(Events(self.stream))
    }
}

/// What a worker says.
pub(super) struct Events(BufReader<TcpStream>);

impl Events {
    /// The next text, over pings.
    pub(super) fn next(&mut self) -> Result<Value> {
        loop {
            let mut head = [0; 2];
            self.0.read_exact(&mut head)?;
            let [kind, length] = head;
            // A server masks nothing.
            let length = match length {
                126 => {
                    let mut long = [0; 2];
                    self.0.read_exact(&mut long)?;
                    usize::from(u16::from_be_bytes(long))
                }
                short => usize::from(short),
            };
            ensure!(length <= usize::from(u16::MAX) && kind & 0x80 != 0);
            let mut text = vec![0; length];
            self.0.read_exact(&mut text)?;
            match kind & 0x0f {
                1 => return Ok(serde_json::from_slice(&text)?),
                9 => {}
                other => anyhow::bail!("a frame of kind {other}"),
            }
        }
    }
}
