// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/calls: `…/workers/{worker}/calls`: the tree of the calls of one invocation, across workers. In: a place, a key or an
//! index, who asks. Out: the tree; what whoever asks may not see is a leaf of it. Never wakes a worker. Read next: golem-engine
//! `node/call_tree.rs`, `gate.rs`. Why: ADR 0012, ADR 0015.

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::response::Response;
use golem_engine::CallsOf;
use golem_model::{IdempotencyKey, OplogIndex};

use super::error::{ApiError, RequestError};
use super::extract::{Params, WorkerAt};
use super::routes::{Routes, VIEW, WORKER};
use super::{Door, reply};
use crate::access::Caller;

/// All routes of call trees.
pub(super) fn routes() -> Routes {
    Routes::new().get(&format!("{WORKER}/calls"), VIEW, calls)
}

/// `GET …/calls[?key=K or ?at=INDEX]`: of the last invocation without.
async fn calls(
    State(door): State<Arc<Door>>,
    WorkerAt(worker): WorkerAt,
    Extension(caller): Extension<Option<Caller>>,
    query: Params,
) -> Result<Response, ApiError> {
    let at: Option<u64> = query.parse("at", "an oplog index")?;
    let of = match (query.get("key"), at) {
        (Some(_), Some(_)) => {
            let both = "Cannot specify both the 'key' and the 'at' parameters";
            return Err(RequestError::OneOf(both).into());
        }
        (Some(key), None) => CallsOf::Key(IdempotencyKey(key.to_owned())),
        (None, Some(at)) => CallsOf::Entry(OplogIndex(at)),
        (None, None) => CallsOf::Last,
    };
    // The gate has let this one in to the worker; others may be elsewhere.
    let may_see = move |namespace: &_| {
        let roles = caller.as_ref().map(|caller| &caller.roles);
        roles.is_none_or(|roles| roles.of(namespace).is_some())
    };
    let tree = door.node.call_tree(&worker, of, may_see).await?;
    Ok(reply::ok(&tree))
}
