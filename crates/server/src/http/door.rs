// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/door: what all requests share, and the table of routes. In: a node. Out: a router.
//! Never keeps anything that a restart may not forget. Read next: `worker.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use golem_engine::Node;
use tokio::sync::Semaphore;

use super::cursor::Cursors;
use super::error::RequestError;
use super::extract::JsonBodies;
use super::metrics::{self, Requests};
use super::routes::Routes;
use super::transfer::Transfer;
use super::{
    absent, calls, checkpoints, component, connect, files, health, namespace, openapi, oplog,
    secrets, serve, token, transfer, travel, worker,
};
use crate::access::Access;
use crate::audit::Audit;
use crate::limits;
use crate::rates::Rates;

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
    /// Who may call.
    pub(crate) access: Access,
    /// Who asks how often.
    pub(super) rates: Rates,
    /// Who did what.
    pub(super) audit: Audit,
    /// Places for those who listen to workers.
    pub(super) listeners: Arc<Semaphore>,
    /// How often they get a ping.
    pub(super) ping_every: Duration,
    /// How long requests took.
    pub(super) requests: Requests,
    /// What exports and imports need; none without a data directory.
    pub(super) transfer: Option<Transfer>,
    stopping: AtomicBool,
}

impl Door {
    /// A door to `node` for those whom `access` knows, as often as `rates` lets them; `audit` notes what they do.
    pub(crate) fn new(node: Arc<Node>, access: Access, rates: Rates, audit: Audit) -> Self {
        Self {
            node,
            cursors: Cursors::default(),
            json: JsonBodies::new(),
            uploads: Semaphore::new(limits::UPLOADS_AT_ONCE),
            access,
            rates,
            audit,
            listeners: Arc::new(Semaphore::new(limits::LISTENERS_MAX)),
            ping_every: limits::PING_EVERY,
            requests: Requests::default(),
            transfer: None,
            stopping: AtomicBool::new(false),
        }
    }

    /// With exports and imports.
    pub(crate) fn with_transfer(mut self, transfer: Transfer) -> Self {
        self.transfer = Some(transfer);
        self
    }

    /// With pings of listeners so often: for tests, which do not wait for [`limits::PING_EVERY`].
    #[cfg(test)]
    pub(super) fn pinging(mut self, every: Duration) -> Self {
        self.ping_every = every;
        self
    }

    /// Returns when an import has arrived, for which the server has to begin anew; never without exports and imports.
    pub(crate) async fn imported(&self) {
        match &self.transfer {
            Some(transfer) => transfer.imported().await,
            None => std::future::pending().await,
        }
    }

    /// Says that the server is stopping; `/readyz` tells from now on.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Whether something new may begin: the disk has space, and keeps up or does soon. Bound: [`limits::ROOM_TIMEOUT`].
    /// Errors: `DiskFull`, `DiskSlow`.
    pub(super) async fn takes_more(&self) -> Result<(), RequestError> {
        if !self.node.has_space() {
            return Err(RequestError::DiskFull);
        }
        tokio::time::timeout(limits::ROOM_TIMEOUT, self.node.room())
            .await
            .map_err(|_| RequestError::DiskSlow)
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}

/// All routes.
pub(crate) fn router(door: Arc<Door>) -> Router {
    all_routes().build(door)
}

/// Each noun's routes, with who may take them.
pub(super) fn all_routes() -> Routes {
    // JSON bodies are bounded by `JsonBodies`, uploads by the routes that take them.
    Routes::new()
        .merge(health::routes())
        .merge(component::routes())
        .merge(worker::routes())
        .merge(connect::routes())
        .merge(serve::routes())
        .merge(oplog::routes())
        .merge(travel::routes())
        .merge(checkpoints::routes())
        .merge(calls::routes())
        .merge(token::routes())
        .merge(transfer::routes())
        .merge(secrets::routes())
        .merge(namespace::routes())
        .merge(metrics::routes())
        .merge(files::routes())
        .merge(absent::routes())
        .merge(openapi::routes())
}
