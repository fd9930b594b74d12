// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/door: what all requests share, and the table of routes. In: a node. Out: a router.
//! Never keeps anything that a restart may not forget. Read next: `worker.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::http::{Method, Uri};
use golem_engine::Node;
use tokio::sync::Semaphore;

use super::cursor::Cursors;
use super::error::{ApiError, RequestError};
use super::extract::{JsonBodies, short};
use super::{component, health, oplog, serve, travel, worker};
use crate::limits;

/// What all requests share.
pub(crate) struct Door {
    /// The engine.
    pub(crate) node: Arc<Node>,
    /// Ends of pages of listings.
    pub(super) cursors: Cursors,
    /// Who reads JSON bodies.
    pub(super) json: JsonBodies,
    /// Turns of uploads.
    pub(super) uploads: Semaphore,
    stopping: AtomicBool,
}

impl Door {
    /// A door to `node`.
    pub(crate) fn new(node: Arc<Node>) -> Self {
        Self {
            node,
            cursors: Cursors::default(),
            json: JsonBodies::new(),
            uploads: Semaphore::new(limits::UPLOADS_AT_ONCE),
            stopping: AtomicBool::new(false),
        }
    }

    /// Says that the server is stopping; `/readyz` tells from now on.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}

/// All routes. An unknown path is a 404 with a body, a known one with another verb a 405.
pub(crate) fn router(door: Arc<Door>) -> Router {
    // JSON bodies are bounded by `JsonBodies`, uploads by the routes that take them.
    Router::new()
        .merge(health::routes())
        .merge(component::routes())
        .merge(worker::routes())
        .merge(serve::routes())
        .merge(oplog::routes())
        .merge(travel::routes())
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_verb)
        .with_state(door)
}

async fn nothing_here(uri: Uri) -> ApiError {
    RequestError::NoSuchPath {
        path: short(uri.path()),
    }
    .into()
}

async fn wrong_verb(method: Method, uri: Uri) -> ApiError {
    RequestError::MethodNotAllowed {
        path: short(uri.path()),
        method,
    }
    .into()
}
