// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / body: bytes that a guest reads or writes as a stream although the host has them in one piece. Always
//! ready, so what a guest sees depends on nothing but what it does. Bound: given by who makes one. Read next: `keyvalue.rs`.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use wasmtime::Result;
use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, InputStream, OutputStream, Pollable, StreamError, StreamResult,
};

/// Bytes that a guest may write at once. A constant, because the guest sees it.
const WRITE_BYTES: usize = 1 << 20;

/// Bytes to read.
pub(crate) struct BodyReader {
    rest: Bytes,
}

impl BodyReader {
    /// Puts a stream over `bytes` into the table.
    pub(crate) fn push(
        table: &mut ResourceTable,
        bytes: impl Into<Bytes>,
    ) -> Result<Resource<DynInputStream>> {
        let reader: DynInputStream = Box::new(Self { rest: bytes.into() });
        Ok(table.push(reader)?)
    }
}

#[async_trait::async_trait]
impl Pollable for BodyReader {
    async fn ready(&mut self) {}
}

impl InputStream for BodyReader {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if self.rest.is_empty() {
            return Err(StreamError::Closed);
        }
        Ok(self.rest.split_to(size.min(self.rest.len())))
    }
}

/// Bytes that are written.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    inner: Arc<Mutex<Inner>>,
    limit: usize,
}

#[derive(Debug, Default)]
struct Inner {
    bytes: Vec<u8>,
    /// A stream was given out: there is one at most.
    taken: bool,
    /// What is written from here on is refused.
    closed: bool,
}

impl Written {
    /// Nothing yet, and at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            inner: Arc::default(),
            limit,
        }
    }

    /// Replaces what was written. `false`: it is more than the limit, and nothing has changed.
    pub(crate) fn replace(&self, bytes: Vec<u8>) -> bool {
        let fits = bytes.len() <= self.limit;
        if fits {
            self.inner.lock().bytes = bytes;
        }
        fits
    }

    /// What was written so far.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.inner.lock().bytes.clone()
    }

    /// What was written, for good: later writes are refused.
    pub(crate) fn close(&self) -> Vec<u8> {
        let mut inner = self.inner.lock();
        inner.closed = true;
        std::mem::take(&mut inner.bytes)
    }

    /// Whether a stream was given out.
    pub(crate) fn streamed(&self) -> bool {
        self.inner.lock().taken
    }

    /// Puts a stream that writes here into the table; `None` when there was one before.
    pub(crate) fn stream(
        &self,
        table: &mut ResourceTable,
    ) -> Result<Option<Resource<DynOutputStream>>> {
        if std::mem::replace(&mut self.inner.lock().taken, true) {
            return Ok(None);
        }
        let stream: DynOutputStream = Box::new(self.clone());
        Ok(Some(table.push(stream)?))
    }
}

#[async_trait::async_trait]
impl Pollable for Written {
    async fn ready(&mut self) {}
}

impl OutputStream for Written {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let mut inner = self.inner.lock();
        if inner.closed {
            return Err(StreamError::Closed);
        }
        if inner.bytes.len().saturating_add(bytes.len()) > self.limit {
            inner.closed = true;
            return Err(StreamError::LastOperationFailed(wasmtime::Error::msg(
                format!("more than the limit of {} bytes", self.limit),
            )));
        }
        inner.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        if self.inner.lock().closed {
            return Err(StreamError::Closed);
        }
        Ok(WRITE_BYTES)
    }
}

/// A pollable that is ready from the start.
pub(crate) struct Ready;

#[async_trait::async_trait]
impl Pollable for Ready {
    async fn ready(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_read_in_pieces_and_then_closed() {
        let mut reader = BodyReader {
            rest: Bytes::from_static(b"hello"),
        };
        assert_eq!(reader.read(3).unwrap(), "hel");
        assert_eq!(reader.read(100).unwrap(), "lo");
        assert!(matches!(reader.read(1), Err(StreamError::Closed)));
    }

    #[test]
    fn writing_stops_at_the_limit_and_after_the_close() {
        let mut written = Written::new(4);
        written.write(Bytes::from_static(b"ab")).unwrap();
        assert!(matches!(
            written.write(Bytes::from_static(b"cde")),
            Err(StreamError::LastOperationFailed(_))
        ));
        assert!(matches!(written.check_write(), Err(StreamError::Closed)));
        assert_eq!(written.close(), b"ab");
        assert!(!Written::new(1).replace(vec![1, 2]));
    }
}
