// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/checkpoints: `…/workers/{worker}/checkpoints`: which images a worker could be brought back from, and to drop them. In:
//! a place. Out: a list, a number. Never wakes a worker. Read next: golem-engine `node/checkpoints.rs`. Why: ADR 0007.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use golem_model::api::{CheckpointsResponse, DroppedCheckpoints};

use super::error::ApiError;
use super::extract::WorkerAt;
use super::routes::{DEPLOY, Routes, VIEW, WORKER};
use super::{Door, reply};

type Answer = Result<Response, ApiError>;

/// All routes of checkpoints.
pub(super) fn routes() -> Routes {
    let path = format!("{WORKER}/checkpoints");
    Routes::new()
        .get(&path, VIEW, list)
        .delete(&path, DEPLOY, forget)
}

/// `GET …/checkpoints`: the newest first.
async fn list(State(door): State<Arc<Door>>, WorkerAt(worker): WorkerAt) -> Answer {
    let checkpoints = door.node.list_checkpoints(&worker).await?;
    Ok(reply::ok(&CheckpointsResponse { checkpoints }))
}

/// `DELETE …/checkpoints`: from then on the log alone brings the worker back, until there is a new one.
async fn forget(State(door): State<Arc<Door>>, WorkerAt(worker): WorkerAt) -> Answer {
    let dropped = door.node.drop_checkpoints(&worker).await?;
    Ok(reply::ok(&DroppedCheckpoints { dropped }))
}
