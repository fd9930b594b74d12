// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/transfer: `/v1/export` and `/v1/import`: everything that the server keeps, as one file. In: nothing, or a file.
//! Out: a file, written while it is sent, or a server that begins anew with what it was given. Bounds: `limits.rs`. Never has the
//! whole of it in memory. Read next: `../import.rs`, golem-storage `export.rs`.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::{StreamExt as _, stream};
use golem_model::api::{Export, ImportReadiness, Role};
use golem_model::{Coded, Problem};
use golem_storage::export::{ExportError, export};
use golem_storage::{Blobs, Store};
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore, mpsc};

use super::error::{ApiError, RequestError};
use super::extract::ExportAt;
use super::routes::{Needs, Routes};
use super::{Door, reply};
use crate::access::now;
use crate::import;
use crate::limits;
use crate::offline::PROGRAM;

type Answer = Result<Response, ApiError>;

/// Everything is in an export, so its owner has to be one of everything.
const OWN: Needs = Needs::Everywhere(Role::Owner);
/// Pieces that lie between the thread with the file and the connection.
const PIECES: usize = 4;
/// Bytes of a piece of an export: large enough that handing it over costs nothing.
const PIECE_BYTES: usize = 256 << 10;

/// What exports and imports need of the server.
pub(crate) struct Transfer {
    store: Arc<dyn Store>,
    blobs: Arc<Blobs>,
    dir: PathBuf,
    /// An import is arriving, or has arrived.
    importing: AtomicBool,
    /// An import has arrived.
    imported: Notify,
    exports: Arc<Semaphore>,
}

impl Transfer {
    /// Of the server that keeps `store` and `blobs` in `dir`.
    pub(crate) fn new(store: Arc<dyn Store>, blobs: Arc<Blobs>, dir: PathBuf) -> Self {
        Self {
            store,
            blobs,
            dir,
            importing: AtomicBool::new(false),
            imported: Notify::new(),
            exports: Arc::new(Semaphore::new(limits::EXPORTS_AT_ONCE)),
        }
    }

    /// Returns when an import has arrived, for which the server has to begin anew. Cancel safe.
    pub(crate) async fn imported(&self) {
        self.imported.notified().await;
    }
}

/// What a request about imports meets beside what is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum ImportError {
    /// Another import is arriving, or the server begins anew with one.
    #[error("another import is under way")]
    UnderWay,
    /// No import of this name was done.
    #[error("no import of the export `{sha256}` was done here")]
    Unknown {
        /// As given.
        sha256: String,
    },
}

impl Coded for ImportError {
    fn code(&self) -> &'static str {
        match self {
            Self::UnderWay => "EXP-010",
            Self::Unknown { .. } => "EXP-011",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::UnderWay => {
                "wait until it is done, then look what is there: golem-cli component list".into()
            }
            Self::Unknown { .. } => {
                "look into the server's log for why it was given up, then import again".into()
            }
        })
    }
}

/// All routes of exports and imports.
pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/v1/export", OWN, give)
        .get("/v1/import", OWN, ready)
        .post("/v1/import", OWN, take)
        .get("/v1/import/{sha256}", OWN, done)
}

/// `GET /v1/export`: everything that was acknowledged before the request. A body that ends without the end record is none.
async fn give(State(door): State<Arc<Door>>) -> Answer {
    let transfer = transfer(&door)?;
    let turn = Arc::clone(&transfer.exports)
        .acquire_owned()
        .await
        .map_err(|_| RequestError::Stopping)?;
    let (store, blobs) = (Arc::clone(&transfer.store), Arc::clone(&transfer.blobs));
    let (pieces, mut arriving) = mpsc::channel(PIECES);
    let handle = Handle::current();
    tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let mut out = Pieces {
            handle: handle.clone(),
            pieces: pieces.clone(),
            piece: Vec::with_capacity(PIECE_BYTES),
        };
        if let Err(error) = export(store.as_ref(), &blobs, PROGRAM, now(), &mut out) {
            tracing::warn!(%error, "an export was broken off");
            // Whoever waits may be gone.
            let _ = handle.block_on(pieces.send(Err(error)));
        }
    });
    // A store that cannot be read at all is told in an answer; later there is only the end of the connection.
    let first = match arriving.recv().await {
        Some(Ok(first)) => first,
        Some(Err(error)) => return Err(refused(&error)),
        None => Bytes::new(),
    };
    let rest = stream::poll_fn(move |context| arriving.poll_recv(context));
    let all = stream::once(async move { Ok(first) }).chain(rest);
    let mut answer = reply::bytes(Vec::new());
    *answer.body_mut() = Body::from_stream(all);
    Ok(answer)
}

/// Cuts what is written into pieces and hands them over; whoever takes none for [`limits::TRANSFER_PAUSE`] is gone.
struct Pieces {
    handle: Handle,
    pieces: mpsc::Sender<Result<Bytes, ExportError>>,
    piece: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE_BYTES));
        let sent = self
            .pieces
            .send_timeout(Ok(piece.into()), limits::TRANSFER_PAUSE);
        self.handle
            .block_on(sent)
            .map_err(|error| io::Error::other(error.to_string()))
    }
}

/// `GET /v1/import`: whether this server takes one.
async fn ready(State(door): State<Arc<Door>>) -> Answer {
    let found = occupied(&door).await?;
    Ok(reply::ok(&ImportReadiness {
        ready: found.is_none(),
        found,
    }))
}

/// `POST /v1/import`: takes a file when the server has nothing yet; 202 when all of it is here, checked and durable. The server then
/// begins anew with it; `GET /v1/import/{sha256}` tells when it has.
async fn take(State(door): State<Arc<Door>>, body: Body) -> Answer {
    let transfer = transfer(&door)?;
    if transfer.importing.swap(true, Ordering::AcqRel) {
        return Err(under_way());
    }
    let taken = receive(&door, body).await;
    match taken {
        Ok(export) => {
            // Nobody imports anything more: this life of the server is over.
            transfer.imported.notify_one();
            Ok(reply::json(StatusCode::ACCEPTED, &export))
        }
        Err(error) => {
            transfer.importing.store(false, Ordering::Release);
            Err(error)
        }
    }
}

async fn receive(door: &Arc<Door>, body: Body) -> Result<Export, ApiError> {
    if let Some(what) = occupied(door).await? {
        return Err(refused(&ExportError::NotEmpty { what }));
    }
    let dir = transfer(door)?.dir.clone();
    let (pieces, arriving) = mpsc::channel(PIECES);
    let kept = tokio::task::spawn_blocking(move || {
        let mut input = Arriving {
            arriving,
            piece: Bytes::new(),
        };
        import::receive(&dir, &mut input)
    });
    let mut body = body.into_data_stream();
    loop {
        let piece = match tokio::time::timeout(limits::TRANSFER_PAUSE, body.next()).await {
            Ok(None) => break,
            Ok(Some(Ok(piece))) => Ok(piece),
            Ok(Some(Err(error))) => Err(io::Error::other(error.to_string())),
            Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut)),
        };
        let ends = piece.is_err();
        // Nobody takes it: what came before was wrong, and why is told below.
        if pieces.send(piece).await.is_err() || ends {
            break;
        }
    }
    drop(pieces);
    let kept = kept.await.map_err(|error| RequestError::GivenUp {
        detail: error.to_string(),
    })?;
    kept.map_err(|error| refused(&error))
}

/// The pieces of a body as something to read.
struct Arriving {
    arriving: mpsc::Receiver<io::Result<Bytes>>,
    piece: Bytes,
}

impl Read for Arriving {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.arriving.blocking_recv() {
                None => return Ok(0),
                Some(piece) => self.piece = piece?,
            }
        }
        let n = into.len().min(self.piece.len());
        let taken = self.piece.split_to(n);
        if let Some(into) = into.get_mut(..n) {
            into.copy_from_slice(&taken);
        }
        Ok(n)
    }
}

/// `GET /v1/import/{sha256}`: what was imported under this name.
async fn done(State(door): State<Arc<Door>>, ExportAt(sha256): ExportAt) -> Answer {
    let transfer = transfer(&door)?;
    if transfer.importing.load(Ordering::Acquire) {
        return Err(under_way());
    }
    let (store, name) = (Arc::clone(&transfer.store), sha256.clone());
    let found = blocking(move || import::done(store.as_ref(), &name)).await?;
    match found {
        Some(export) => Ok(reply::ok(&export)),
        None => {
            let unknown = ImportError::Unknown { sha256 };
            Err(ApiError::plain(StatusCode::NOT_FOUND, unknown.problem()))
        }
    }
}

async fn occupied(door: &Arc<Door>) -> Result<Option<String>, ApiError> {
    let store = Arc::clone(&transfer(door)?.store);
    blocking(move || import::occupied(store.as_ref())).await
}

fn transfer(door: &Door) -> Result<&Transfer, RequestError> {
    door.transfer.as_ref().ok_or(RequestError::Unsupported {
        what: "exports and imports without a data directory",
    })
}

async fn blocking<T: Send + 'static>(
    what: impl FnOnce() -> Result<T, golem_storage::StoreError> + Send + 'static,
) -> Result<T, ApiError> {
    let done = tokio::task::spawn_blocking(what).await;
    let done = done.map_err(|error| RequestError::GivenUp {
        detail: error.to_string(),
    })?;
    done.map_err(|error| refused(&error.into()))
}

fn under_way() -> ApiError {
    ApiError::plain(StatusCode::CONFLICT, ImportError::UnderWay.problem())
}

fn refused(error: &ExportError) -> ApiError {
    let status = match error {
        ExportError::NotAnExport
        | ExportError::Version { .. }
        | ExportError::Truncated { .. }
        | ExportError::Damaged { .. }
        | ExportError::Shards { .. }
        | ExportError::Read(_) => StatusCode::BAD_REQUEST,
        ExportError::NotEmpty { .. } => StatusCode::CONFLICT,
        ExportError::Write(_) | ExportError::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    ApiError::plain(status, problem(error))
}

/// With the cause in the sentence: a body has no chain of causes.
fn problem(error: &ExportError) -> Problem {
    let mut problem = error.problem();
    if let Some(cause) = std::error::Error::source(error) {
        problem.message = format!("{}: {cause}", problem.message);
    }
    problem
}
