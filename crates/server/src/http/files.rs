// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/files: files of workers, and those that a component version brings. In: a path. Out: entries of a directory, or
//! bytes, piece by piece. Bound: [`limits::FILE_CHUNK_BYTES`] in memory at once. Never changes a worker.
//! Read next: golem-engine `node/files.rs`. Source: client spec §6.6.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawPathParams, State};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use golem_engine::{FileKind, FileReader, FileView};
use golem_model::api::{FileNode, FileNodeKind, FileNodes};

use super::error::{ApiError, RequestError};
use super::extract::{VersionAt, WorkerAt};
use super::routes::{Routes, VIEW, WORKER};
use super::{Door, reply};
use crate::limits;

type Answer = Result<Response, ApiError>;

/// All routes of files.
pub(super) fn routes() -> Routes {
    Routes::new()
        .get(&format!("{WORKER}/files"), VIEW, list)
        .get(&format!("{WORKER}/files/"), VIEW, list)
        .get(&format!("{WORKER}/files/{{*path}}"), VIEW, list)
        .get(&format!("{WORKER}/file-contents/{{*path}}"), VIEW, read)
        .get(
            "/v1/components/{component}/versions/{version}/file-contents/{*path}",
            VIEW,
            read_initial,
        )
}

/// `GET …/files[/PATH]`: a directory of the worker, the root without a path.
async fn list(
    State(door): State<Arc<Door>>,
    WorkerAt(worker): WorkerAt,
    path: RawPathParams,
) -> Answer {
    let found = door.node.list_files(&worker, of(&path)).await?;
    Ok(reply::ok(&FileNodes {
        nodes: found.into_iter().map(node).collect(),
    }))
}

/// `GET …/file-contents/PATH`: a file of the worker.
async fn read(
    State(door): State<Arc<Door>>,
    WorkerAt(worker): WorkerAt,
    path: RawPathParams,
) -> Answer {
    let file = door.node.read_file(&worker, of(&path)).await?;
    Ok(reply::stream(file.bytes(), pieces(file)))
}

/// `GET …/versions/{version}/file-contents/PATH`: a file that workers of the version begin with.
async fn read_initial(
    State(door): State<Arc<Door>>,
    VersionAt(component, version): VersionAt,
    path: RawPathParams,
) -> Answer {
    let path = of(&path).to_owned();
    let read =
        tokio::task::spawn_blocking(move || door.node.initial_file(component, version, &path));
    let bytes = read.await.map_err(|error| RequestError::GivenUp {
        detail: error.to_string(),
    })?;
    Ok(reply::bytes(bytes?))
}

/// The rest of the path, decoded; empty for a route without one.
fn of(path: &RawPathParams) -> &str {
    path.iter()
        .find(|(name, _)| *name == "path")
        .map_or("", |(_, value)| value)
}

fn node(view: FileView) -> FileNode {
    let (kind, permissions, size) = match view.kind {
        FileKind::Directory => (FileNodeKind::Directory, None, None),
        FileKind::File { bytes, permissions } => {
            (FileNodeKind::File, Some(permissions), Some(bytes))
        }
    };
    FileNode {
        name: view.name,
        last_modified: view.modified.0 / 1_000_000,
        kind,
        permissions,
        size,
    }
}

/// The file from its beginning on. An error of the disk breaks the answer off, which its length then tells.
fn pieces(file: FileReader) -> Body {
    let file = Arc::new(file);
    let pieces = stream::try_unfold(0, move |offset| {
        let file = Arc::clone(&file);
        async move {
            let read =
                tokio::task::spawn_blocking(move || file.read(offset, limits::FILE_CHUNK_BYTES));
            let bytes = read.await.map_err(std::io::Error::other)??;
            let next = offset + bytes.len() as u64;
            Ok::<_, std::io::Error>((!bytes.is_empty()).then(|| (Bytes::from(bytes), next)))
        }
    });
    Body::from_stream(pieces)
}
