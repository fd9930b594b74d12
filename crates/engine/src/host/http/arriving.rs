// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / arriving: the body of a response while it comes. In: pieces from the network. Out: what the guest reads, which
//! `../streams.rs` records. One whose beginning was only repeated from the log is asked for again when somebody really waits
//! for more, and must begin the same way. Bound: [`AHEAD_BYTES_MAX`], [`UNREAD_TIMEOUT`]. Read next: `call.rs`, `client.rs`.
//! Why: runtime spec §2.4 (H5, H6), design host §9.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use wasmtime_wasi::p2::{InputStream, Pollable, StreamError, StreamResult};

use super::call::Way;
use super::client::{Head, Piece, Pieces, Request, Trouble};
use super::message::{Header, HttpResponse};

/// Most bytes of a body that have come and were not read: what comes after them waits in the network.
const AHEAD_BYTES_MAX: usize = 256 << 10;

/// How long a guest may leave a body unread before its connection is given to others: as long as a peer may be silent.
const UNREAD_TIMEOUT: Duration = Duration::from_secs(600);

/// How long the head of a response waits for the rest: a short body comes with its head, and is one entry of the log then.
const WHOLE_WITHIN: Duration = Duration::from_millis(2);

/// The trailers at the end of a body, or why it ends early.
pub(crate) type End = Result<Option<Vec<Header>>, Trouble>;

/// A body that is not complete: what came so far.
#[derive(Default)]
struct Inner {
    pieces: VecDeque<Bytes>,
    /// Bytes of `pieces`.
    bytes: usize,
    end: Option<End>,
    /// Nobody reads any more, only the end is of interest.
    discard: bool,
    /// How it is asked for again, if that has not been done.
    again: Option<Again>,
    /// The task that asks for it again.
    task: Option<AbortHandle>,
}

/// What is known of a response whose beginning is in the log.
struct Again {
    way: Arc<Way>,
    request: Request,
    /// It must not be sent a second time.
    once: bool,
    head: Head,
    begun: Begun,
}

/// The bytes that a guest has read before, for a comparison.
#[derive(Clone, Default)]
struct Begun {
    bytes: u64,
    hash: Sha256,
}

impl Begun {
    fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.hash.update(bytes);
    }
}

/// The body of a response while it comes.
pub(crate) struct Arriving {
    /// Number of the call within its invocation.
    number: u64,
    inner: Mutex<Inner>,
    /// Something has come, or the end.
    changed: Notify,
    /// There is room, or nobody who reads. Apart, so that who fills it can wait without keeping it.
    room: Arc<Notify>,
}

impl fmt::Debug for Arriving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arriving")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        if let Some(task) = self.inner.get_mut().task.take() {
            task.abort();
        }
        self.room.notify_one();
    }
}

impl Arriving {
    fn with(number: u64, inner: Inner) -> Arc<Self> {
        Arc::new(Self {
            number,
            inner: Mutex::new(inner),
            changed: Notify::new(),
            room: Arc::default(),
        })
    }

    /// The body of a response to call `number` that comes now.
    pub(crate) fn new(number: u64) -> Arc<Self> {
        Self::with(number, Inner::default())
    }

    /// The body of a response whose head is in the log; `once`: its request must not be sent a second time.
    pub(crate) fn repeated(
        way: Arc<Way>,
        request: Request,
        once: bool,
        head: Head,
        number: u64,
    ) -> Arc<Self> {
        let again = Again {
            way,
            request,
            once,
            head,
            begun: Begun::default(),
        };
        let inner = Inner {
            again: Some(again),
            ..Inner::default()
        };
        Self::with(number, inner)
    }

    /// The same, when its request is not known any more: no more comes than what is in the log.
    pub(crate) fn lost(number: u64) -> Arc<Self> {
        let inner = Inner {
            end: Some(Err(Trouble::Terminated)),
            ..Inner::default()
        };
        Self::with(number, inner)
    }

    /// Number of the call that it answers.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The log says that the guest has read this.
    pub(crate) fn was_read(&self, bytes: &[u8]) {
        if let Some(again) = &mut self.inner.lock().again {
            again.begun.add(bytes);
        }
    }

    /// Asks for what is missing, if that has not been done.
    pub(crate) fn go(self: &Arc<Self>) {
        let mut inner = self.inner.lock();
        let Some(again) = inner.again.take() else {
            return;
        };
        if again.once {
            // As for any client whose connection is lost in the middle.
            inner.end = Some(Err(Trouble::Terminated));
            return;
        }
        let filler = Filler::new(self);
        let task = tokio::spawn(async move {
            let end = resume(again, &filler).await;
            filler.end(end);
        });
        inner.task = Some(task.abort_handle());
    }

    /// The invocation that asked for it is over: no more comes.
    pub(crate) fn close(&self) {
        let mut inner = self.inner.lock();
        inner.again = None;
        inner.pieces.clear();
        inner.bytes = 0;
        inner.end = Some(Err(Trouble::Closed));
        if let Some(task) = inner.task.take() {
            task.abort();
        }
        drop(inner);
        self.changed.notify_waiters();
    }

    /// The whole response, if all of it is here and nothing was read.
    pub(crate) fn whole(&self, head: &Head) -> Option<HttpResponse> {
        let mut inner = self.inner.lock();
        let Some(Ok(trailers)) = &inner.end else {
            return None;
        };
        let trailers = trailers.clone();
        let mut body = Vec::with_capacity(inner.bytes);
        for piece in inner.pieces.drain(..) {
            body.extend_from_slice(&piece);
        }
        Some(HttpResponse {
            status: head.status,
            headers: head.headers.clone(),
            body,
            trailers,
        })
    }

    /// The rest is of no interest, only how it ends.
    pub(crate) fn discard(&self) {
        let mut inner = self.inner.lock();
        inner.discard = true;
        inner.pieces.clear();
        inner.bytes = 0;
        drop(inner);
        self.room.notify_one();
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&self) -> Option<End> {
        let inner = self.inner.lock();
        inner.end.clone().filter(|_| inner.pieces.is_empty())
    }

    /// Waits until there is something to read, or the end; with `end`, for the end. Cancel safe.
    async fn wait(self: &Arc<Self>, end: bool) {
        self.go();
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // Registered before the question, so that a change in between is not missed.
            changed.as_mut().enable();
            {
                let inner = self.inner.lock();
                if inner.end.is_some() || (!end && !inner.pieces.is_empty()) {
                    return;
                }
            }
            changed.await;
        }
    }
}

/// The task's end of a body: it does not keep the body, because nobody may want it any more.
pub(crate) struct Filler {
    body: Weak<Arriving>,
    room: Arc<Notify>,
}

impl Filler {
    pub(crate) fn new(body: &Arc<Arriving>) -> Self {
        Self {
            body: Arc::downgrade(body),
            room: Arc::clone(&body.room),
        }
    }

    /// Takes a piece, and waits until there is room for another. Errors: nobody reads any more, or not for a long time.
    async fn push(&self, piece: Bytes) -> Result<(), Trouble> {
        let mut piece = Some(piece);
        loop {
            {
                let body = self.body.upgrade().ok_or(Trouble::Abandoned)?;
                let mut inner = body.inner.lock();
                if let Some(piece) = piece.take()
                    && !inner.discard
                    && !piece.is_empty()
                {
                    inner.bytes += piece.len();
                    inner.pieces.push_back(piece);
                    drop(inner);
                    body.changed.notify_waiters();
                    inner = body.inner.lock();
                }
                if inner.bytes < AHEAD_BYTES_MAX {
                    return Ok(());
                }
            }
            // A permit is kept, so a reading since then is not missed.
            timeout(UNREAD_TIMEOUT, self.room.notified())
                .await
                .map_err(|_| Trouble::ReadTimeout)?;
        }
    }

    /// Takes all pieces that come. Errors: what went wrong.
    async fn fill(&self, pieces: &mut Pieces) -> End {
        loop {
            match pieces.next().await? {
                Piece::Data(data) => self.push(data).await?,
                Piece::End(trailers) => return Ok(trailers),
            }
        }
    }

    /// Nothing comes after this.
    fn end(&self, end: End) {
        if let Some(body) = self.body.upgrade() {
            body.inner.lock().end.get_or_insert(end);
            body.changed.notify_waiters();
        }
    }
}

/// Fills a body from the network, and tells `begun` when its head may be told: at once, or with all that follows if that
/// comes soon.
pub(crate) async fn receive(filler: &Filler, mut pieces: Pieces, begun: impl FnOnce()) {
    let mut fill = std::pin::pin!(filler.fill(&mut pieces));
    if let Ok(end) = timeout(WHOLE_WITHIN, fill.as_mut()).await {
        filler.end(end);
        begun();
    } else {
        begun();
        filler.end(fill.await);
    }
}

/// Asks for a response again and leaves out what the guest has. Errors: it is another one, or what went wrong.
async fn resume(again: Again, filler: &Filler) -> End {
    let (head, mut pieces) = again.way.send(again.request).await?;
    if !again.head.has_body_of(&head) {
        return Err(Trouble::Changed);
    }
    let mut begun = Begun::default();
    while begun.bytes < again.begun.bytes {
        let Piece::Data(mut data) = pieces.next().await? else {
            return Err(Trouble::Changed);
        };
        let missing = again.begun.bytes - begun.bytes;
        let known = data.split_to(
            usize::try_from(missing).map_or(data.len(), |missing| missing.min(data.len())),
        );
        begun.add(&known);
        if begun.bytes == again.begun.bytes {
            if begun.hash.clone().finalize() != again.begun.hash.clone().finalize() {
                return Err(Trouble::Changed);
            }
            filler.push(data).await?;
        }
    }
    filler.fill(&mut pieces).await
}

/// What a guest reads of a body.
pub(crate) struct ArrivingReader(pub(crate) Arc<Arriving>);

#[async_trait::async_trait]
impl Pollable for ArrivingReader {
    async fn ready(&mut self) {
        self.0.wait(false).await;
    }
}

impl InputStream for ArrivingReader {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        self.0.go();
        let mut inner = self.0.inner.lock();
        if let Some(front) = inner.pieces.front_mut() {
            let taken = front.split_to(size.min(front.len()));
            if front.is_empty() {
                inner.pieces.pop_front();
            }
            inner.bytes -= taken.len();
            drop(inner);
            self.0.room.notify_one();
            return Ok(taken);
        }
        match &inner.end {
            None => Ok(Bytes::new()),
            Some(Ok(_)) => Err(StreamError::Closed),
            Some(Err(trouble)) => Err(Broken(*trouble).into()),
        }
    }
}

/// Waits for the end of a body.
pub(crate) struct Ending(pub(crate) Arc<Arriving>);

#[async_trait::async_trait]
impl Pollable for Ending {
    async fn ready(&mut self) {
        self.0.wait(true).await;
    }
}

/// The error of a stream whose body ends early: `wasi:http/types.http-error-code` gives its code.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Broken(pub(crate) Trouble);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Trouble::ReadTimeout => "the response stopped in the middle for too long",
            Trouble::Incomplete => "the response ends before its end",
            Trouble::Changed => {
                "the response was asked for again after a restart, and it is another one"
            }
            Trouble::Closed => "the invocation that asked for the response is over",
            _ => "the connection of the response is lost",
        })
    }
}

impl std::error::Error for Broken {}

impl From<Broken> for StreamError {
    fn from(broken: Broken) -> Self {
        Self::LastOperationFailed(wasmtime::Error::new(broken))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn read(body: &Arc<Arriving>, size: usize) -> StreamResult<Bytes> {
        ArrivingReader(Arc::clone(body)).read(size)
    }

    #[tokio::test]
    async fn what_is_not_read_waits_and_what_nobody_wants_ends() {
        let body = Arriving::new(1);
        let filler = Filler::new(&body);
        filler.push(Bytes::from_static(b"abc")).await.unwrap();
        assert_eq!(read(&body, 2).unwrap(), "ab");
        assert_eq!(read(&body, 2).unwrap(), "c");
        assert_eq!(read(&body, 2).unwrap(), "");
        let full = Bytes::from(vec![0; AHEAD_BYTES_MAX]);
        let mut push = Box::pin(filler.push(full.clone()));
        assert!(push.as_mut().now_or_never().is_none(), "there is no room");
        assert_eq!(read(&body, usize::MAX).unwrap(), full);
        push.await.unwrap();
        body.discard();
        for _ in 0..3 {
            filler.push(full.clone()).await.unwrap();
        }
        drop(body);
        assert_eq!(filler.push(full).await, Err(Trouble::Abandoned));
    }

    #[tokio::test]
    async fn the_end_comes_after_the_last_piece_and_is_an_error_that_has_a_code() {
        let body = Arriving::new(1);
        let filler = Filler::new(&body);
        filler.push(Bytes::from_static(b"abc")).await.unwrap();
        filler.end(Err(Trouble::Incomplete));
        assert!(body.ended().is_none());
        ArrivingReader(Arc::clone(&body)).ready().await;
        assert_eq!(read(&body, 9).unwrap(), "abc");
        let Err(StreamError::LastOperationFailed(error)) = read(&body, 9) else {
            panic!("it has ended");
        };
        let Broken(trouble) = error.downcast_ref().unwrap();
        assert_eq!(*trouble, Trouble::Incomplete);
        assert_eq!(body.ended(), Some(Err(Trouble::Incomplete)));
    }

    #[test]
    fn only_a_head_that_says_the_same_of_the_body_goes_on() {
        let head = |status, length: &str, date: &str| Head {
            status,
            headers: vec![
                ("content-length".into(), length.into()),
                ("date".into(), date.into()),
            ],
        };
        let first = head(200, "7", "today");
        assert!(first.has_body_of(&head(200, "7", "tomorrow")));
        assert!(!first.has_body_of(&head(404, "7", "today")));
        assert!(!first.has_body_of(&head(200, "8", "today")));
    }
}
