// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/listing: `GET …/workers`, `POST …/workers/find`: pages of workers in the order of their names. In: conditions, a cursor. Out:
//! a page and the next cursor. Bounds: `limits.rs`. Never changes a worker. Read next: `cursor.rs`, golem-model
//! `filter.rs`. Source: client spec §6.3, §6.6.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use golem_engine::WorkerView;
use golem_model::api::{
    PublicRetryPolicy, ScanCursor, UpdateRecord, WorkerMetadata, WorkersFind,
    WorkersMetadataResponse,
};
use golem_model::filter::Filter;
use golem_model::{ComponentId, Timestamp};

use super::cursor::Start;
use super::error::ApiError;
use super::extract::{ComponentAt, Params};
use super::{Door, reply};
use crate::limits;

/// A place between two workers: how many are before it, and the name of the last of them.
type Place = (u64, Option<String>);

/// `GET …/workers[?filter=C]…[&cursor=layer/position][&count=N]`: those that meet all conditions. `precise` makes no
/// difference: every listing is. A condition that is not understood is an error, never skipped: clients delete what a
/// listing returns.
pub(super) async fn list(
    State(door): State<Arc<Door>>,
    ComponentAt(component): ComponentAt,
    query: Params,
) -> Result<Response, ApiError> {
    let filters: Vec<Filter> = query
        .all("filter")
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    let count = query.parse("count", "a number of workers")?;
    let cursor: Option<ScanCursor> = query.parse("cursor", "a cursor such as `0/50`")?;
    answer(&door, component, cursor, count, &filters).await
}

/// `POST …/workers/find`: the same with the conditions as JSON, where they can be joined.
pub(super) async fn find(
    State(door): State<Arc<Door>>,
    ComponentAt(component): ComponentAt,
    body: Body,
) -> Result<Response, ApiError> {
    let WorkersFind {
        filter,
        cursor,
        count,
        precise: _,
    } = door.json.decode(body).await?;
    let filters: Vec<Filter> = filter.into_iter().collect();
    answer(&door, component, cursor, count, &filters).await
}

async fn answer(
    door: &Door,
    component: ComponentId,
    cursor: Option<ScanCursor>,
    count: Option<u64>,
    filters: &[Filter],
) -> Result<Response, ApiError> {
    let count = count.and_then(|count| usize::try_from(count).ok());
    let count = count.unwrap_or(limits::WORKERS_PAGE);
    let count = count.clamp(1, limits::WORKERS_PAGE_MAX);
    let from = match cursor {
        None => (0, None),
        Some(cursor) => match door.cursors.start(component, cursor) {
            Start::After(name) => (cursor.cursor, Some(name)),
            Start::Skip(position) => skip(door, component, position).await?,
        },
    };
    let (workers, next) = page(door, component, from, count, filters).await?;
    let cursor = match next {
        Some((position, Some(name))) => Some(door.cursors.give(component, position, &name)),
        _ => None,
    };
    Ok(reply::ok(&WorkersMetadataResponse { workers, cursor }))
}

/// Up to `count` workers behind `from`, and the place of the next page if there may be one.
async fn page(
    door: &Door,
    component: ComponentId,
    from: Place,
    count: usize,
    filters: &[Filter],
) -> Result<(Vec<WorkerMetadata>, Option<Place>), ApiError> {
    let (mut position, mut after) = from;
    let scan_end = position.saturating_add(limits::WORKERS_SCAN_MAX);
    let mut found = Vec::new();
    while position < scan_end {
        // One more than the page tells whether there is a next one.
        let step = if filters.is_empty() {
            count + 1
        } else {
            limits::WORKERS_PAGE_MAX
        };
        let views = door.node.workers(component, after.as_deref(), step).await?;
        let is_last = views.len() < step;
        for view in views {
            let worker = metadata(view);
            let chosen = filters.iter().all(|filter| filter.holds(&worker));
            if chosen && found.len() == count {
                return Ok((found, Some((position, after))));
            }
            position += 1;
            after = Some(worker.worker_id.worker_name.clone());
            if chosen {
                found.push(worker);
            }
        }
        if is_last {
            return Ok((found, None));
        }
    }
    Ok((found, Some((position, after))))
}

/// Passes over `position` workers; returns how many there were and the name of the last.
async fn skip(door: &Door, component: ComponentId, position: u64) -> Result<Place, ApiError> {
    let (mut passed, mut after) = (0, None);
    while passed < position {
        let step = usize::try_from(position - passed)
            .unwrap_or(usize::MAX)
            .min(limits::WORKERS_PAGE_MAX);
        let mut views: Vec<WorkerView> =
            door.node.workers(component, after.as_deref(), step).await?;
        passed += views.len() as u64;
        match views.pop() {
            Some(last) => after = Some(last.worker.worker_name),
            None => break,
        }
    }
    Ok((passed, after))
}

/// The engine's view in the REST shape.
pub(super) fn metadata(view: WorkerView) -> WorkerMetadata {
    WorkerMetadata {
        worker_id: view.worker,
        args: view.args,
        env: view.env.into_iter().collect(),
        status: view.status,
        component_version: view.component_version,
        retry_count: view.retry_count,
        pending_invocation_count: view.pending_invocation_count,
        updates: view.updates.iter().map(UpdateRecord::from).collect(),
        created_at: view.created_at,
        last_error: view.last_error,
        component_size: view.component_size,
        total_linear_memory_size: view.total_linear_memory_size,
        owned_resources: BTreeMap::new(),
        active_plugins: Vec::new(),
        retry_policy: Some(PublicRetryPolicy::from(&view.retry_policy)),
        retry_at: view.retry_at.map(Timestamp),
    }
}
