// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / audit: who changed what, one JSON line each. In: callers and what they were answered. Out: `audit.jsonl` in the
//! data directory. Bounds: [`AUDIT_BYTES_MAX`], twice. Never a reason to fail a request. Read next: `http/routes.rs`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use axum::http::{Method, StatusCode};
use golem_model::{Namespace, Timestamp};
use parking_lot::Mutex;
use serde::Serialize;

use crate::access::{Caller, now};
use crate::http::Peer;

/// The file.
const AUDIT_FILE: &str = "audit.jsonl";
/// What it is called once it is full; the one before it is gone then.
const OLDER_FILE: &str = "audit.1.jsonl";
/// At this size the file is put aside: about 300,000 lines.
const AUDIT_BYTES_MAX: u64 = 64 << 20;
/// Longest path that a line has.
const PATH_CHARS_MAX: usize = 512;

/// A line. Two clocks: the wall clock may step, milliseconds since the start of the server never go back.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    at: Timestamp,
    uptime_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a Namespace>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    via: Option<SocketAddr>,
    method: &'a str,
    path: String,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// A request, as far as it is noted.
pub(crate) struct Asked<'a> {
    /// Who asked, if that is known.
    pub(crate) caller: Option<&'a Caller>,
    /// Where it acted, if it came so far.
    pub(crate) namespace: Option<&'a Namespace>,
    /// Whose request it was.
    pub(crate) peer: Option<Peer>,
    /// The verb.
    pub(crate) method: &'a Method,
    /// The path, without the query.
    pub(crate) path: &'a str,
}

/// The log of changes and refusals.
pub(crate) struct Audit {
    start: Instant,
    file: Option<Mutex<Appended>>,
}

struct Appended {
    dir: PathBuf,
    file: File,
    bytes: u64,
}

impl Audit {
    /// None: for servers that ask nobody who they are.
    pub(crate) fn none() -> Self {
        Self {
            start: Instant::now(),
            file: None,
        }
    }

    /// Appends to the file in `dir`. Errors: it cannot be opened.
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        let appended = Appended::open(dir.to_owned())?;
        Ok(Self {
            start: Instant::now(),
            file: Some(Mutex::new(appended)),
        })
    }

    /// Notes a request. A line is written before the answer leaves.
    pub(crate) fn note(&self, asked: &Asked<'_>, status: StatusCode, detail: Option<String>) {
        let Some(file) = &self.file else { return };
        let line = Line {
            at: now(),
            uptime_ms: u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX),
            token: asked.caller.and_then(|caller| Some(caller.id?.to_string())),
            name: asked.caller.map(|caller| caller.name.as_str()),
            namespace: asked.namespace,
            peer: asked.peer.map(|peer| shown(peer.address)),
            via: asked.peer.and_then(|peer| peer.via),
            method: asked.method.as_str(),
            path: asked.path.chars().take(PATH_CHARS_MAX).collect(),
            status: status.as_u16(),
            detail,
        };
        let written = serde_json::to_vec(&line)
            .map_err(io::Error::other)
            .and_then(|text| file.lock().append(text));
        if let Err(error) = written {
            tracing::error!(%error, "the audit log cannot be written");
        }
    }
}

/// An address with its port, where somebody has said one.
fn shown(address: SocketAddr) -> String {
    match address.port() {
        0 => address.ip().to_string(),
        _ => address.to_string(),
    }
}

impl Appended {
    fn open(dir: PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(dir.join(AUDIT_FILE))?;
        let bytes = file.metadata()?.len();
        Ok(Self { dir, file, bytes })
    }

    fn append(&mut self, mut line: Vec<u8>) -> io::Result<()> {
        if self.bytes >= AUDIT_BYTES_MAX {
            fs::rename(self.dir.join(AUDIT_FILE), self.dir.join(OLDER_FILE))?;
            *self = Self::open(self.dir.clone())?;
        }
        line.push(b'\n');
        // One call, so that lines are whole even when the process dies.
        self.file.write_all(&line)?;
        self.bytes += line.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_appended_and_a_full_file_is_put_aside() {
        let dir = tempfile::tempdir().unwrap();
        let audit = Audit::open(dir.path()).unwrap();
        let asked = |method, path| Asked {
            caller: None,
            namespace: None,
            peer: None,
            method,
            path,
        };
        audit.note(
            &asked(&Method::DELETE, "/v1/x"),
            StatusCode::UNAUTHORIZED,
            None,
        );
        if let Some(file) = &audit.file {
            file.lock().bytes = AUDIT_BYTES_MAX;
        }
        let detail = Some("grant".to_owned());
        audit.note(
            &asked(&Method::POST, "/v1/y"),
            StatusCode::FORBIDDEN,
            detail,
        );
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
        let (older, newer) = (read(OLDER_FILE), read(AUDIT_FILE));
        let line: serde_json::Value = serde_json::from_str(&older).unwrap();
        assert_eq!(
            (&line["method"], &line["status"]),
            (&"DELETE".into(), &401.into())
        );
        assert!(newer.contains("/v1/y") && newer.ends_with('\n'));
    }
}
