// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/oplog: `…/workers/{worker}/oplog`, `replay`, `verify`, `export`: what a worker has done, and whether it would do so
//! again. In: a place, a query. Out: pages and reports. Bounds: `limits.rs`. Never changes a worker.
//! Read next: golem-engine `node/public.rs`, `rehearse.rs`. Source: client spec §6.6, §6.8.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use golem_engine::{Rehearsal, RehearsalEnd, Verification};
use golem_model::api::{
    DryRunRequest, DryRunResponse, OplogCursor, OplogPage, OplogPageEntry, Replay, ReplayOutcome,
    ReplayStep, VerifyResponse,
};
use golem_model::query::Query;
use golem_model::{ComponentVersion, OplogIndex, Timestamp};

use super::error::{ApiError, RequestError};
use super::extract::{ComponentAt, Params, WorkerAt};
use super::routes::{Routes, VIEW, WORKER};
use super::{Door, reply};
use crate::limits;

type Answer = Result<Response, ApiError>;

/// All routes that look at histories.
pub(super) fn routes() -> Routes {
    Routes::new()
        .get(&format!("{WORKER}/oplog"), VIEW, oplog)
        .get(&format!("{WORKER}/replay"), VIEW, replay)
        .get(&format!("{WORKER}/verify"), VIEW, verify)
        .get(&format!("{WORKER}/export"), VIEW, export)
        .post(&format!("{WORKER}/update-dry-run"), VIEW, try_one)
        .post("/v1/components/{component}/update-dry-run", VIEW, try_all)
}

/// `GET …/oplog?[from=N|query=Q][&count=N][&cursor=INDEX-VERSION]`. The last page is empty.
async fn oplog(State(door): State<Arc<Door>>, WorkerAt(worker): WorkerAt, query: Params) -> Answer {
    let from: Option<u64> = query.parse("from", "an oplog index")?;
    let search: Option<Query> = query.get("query").map(str::parse).transpose()?;
    if from.is_some() && search.is_some() {
        return Err(RequestError::OneOf(
            "Cannot specify both the 'from' and the 'query' parameters",
        )
        .into());
    }
    let count = query
        .parse("count", "a number of entries")?
        .unwrap_or(limits::OPLOG_PAGE);
    let cursor: Option<OplogCursor> = query.parse("cursor", "a position such as `101-0`")?;
    let (start, version) = match cursor {
        Some(cursor) => (
            cursor.next_oplog_index,
            Some(cursor.current_component_version),
        ),
        None => (from.unwrap_or(1), None),
    };
    let page = door
        .node
        .public_oplog(&worker, OplogIndex(start), version, count, search.as_ref())
        .await?;
    let first = page.entries.first().map(|(index, _)| *index);
    let entries = page.entries.into_iter().map(|(oplog_index, entry)| {
        let entry = serde_json::to_value(&entry).map_err(|error| RequestError::Encode {
            detail: error.to_string(),
        })?;
        Ok(OplogPageEntry { oplog_index, entry })
    });
    Ok(reply::ok(&OplogPage {
        entries: entries.collect::<Result<_, RequestError>>()?,
        next: page.next.map(|(next, version)| OplogCursor {
            next_oplog_index: next.0,
            current_component_version: version,
        }),
        first_index_in_chunk: first.unwrap_or(OplogIndex(start)),
        last_index: page.last,
    }))
}

/// `GET …/replay[?at=INDEX][&version=V]`: a copy repeats the history and does nothing new.
async fn replay(
    State(door): State<Arc<Door>>,
    WorkerAt(worker): WorkerAt,
    query: Params,
) -> Answer {
    let at: Option<u64> = query.parse("at", "an oplog index")?;
    let version: Option<ComponentVersion> = query.parse("version", "the number of a version")?;
    let rehearsal = door.node.rehearse(&worker, version, at.map(OplogIndex));
    Ok(reply::ok(&report(rehearsal.await?)))
}

/// `POST …/workers/{worker}/update-dry-run`: what an automatic update of one worker would meet.
async fn try_one(State(door): State<Arc<Door>>, WorkerAt(worker): WorkerAt, body: Body) -> Answer {
    let DryRunRequest { target_version } = door.json.decode(body).await?;
    let rehearsal = door.node.rehearse(&worker, Some(target_version), None);
    let mut replay = report(rehearsal.await?);
    replay.steps.clear();
    let workers = vec![replay];
    Ok(reply::ok(&DryRunResponse { workers }))
}

/// `POST /v1/components/{component}/update-dry-run`: the same for every worker that runs another version.
async fn try_all(
    State(door): State<Arc<Door>>,
    ComponentAt(component): ComponentAt,
    body: Body,
) -> Answer {
    let DryRunRequest { target_version } = door.json.decode(body).await?;
    let all = door.node.rehearse_all(component, target_version).await?;
    let workers = all.into_iter().map(report).collect();
    Ok(reply::ok(&DryRunResponse { workers }))
}

/// `GET …/verify`: whether the newest checkpoint is what a replay gives.
async fn verify(State(door): State<Arc<Door>>, WorkerAt(worker): WorkerAt) -> Answer {
    Ok(reply::ok(&match door.node.verify(&worker).await? {
        Verification::NoCheckpoint => VerifyResponse::None,
        Verification::Same { index, hash } => VerifyResponse::Same {
            oplog_index: index,
            memory_hash: hash,
        },
        Verification::Different {
            index,
            checkpoint,
            replay,
        } => VerifyResponse::Different {
            oplog_index: index,
            memory_hash: checkpoint,
            replay,
        },
    }))
}

/// `GET …/export`: the whole history as a file (docs/formats/recording.md).
async fn export(State(door): State<Arc<Door>>, WorkerAt(worker): WorkerAt) -> Answer {
    let recording = door.node.record_worker(&worker).await?;
    Ok(reply::bytes(recording.to_file()))
}

fn report(rehearsal: Rehearsal) -> Replay {
    let (outcome, details) = match rehearsal.end {
        RehearsalEnd::Repeated => (ReplayOutcome::Repeated, None),
        RehearsalEnd::Diverged(report) => (ReplayOutcome::Diverged, Some(report)),
        RehearsalEnd::Failed(message) => (ReplayOutcome::Failed, Some(message)),
    };
    let steps = rehearsal.steps.into_iter().map(|step| ReplayStep {
        oplog_index: step.index,
        timestamp: Timestamp(step.at),
        what: step.what,
    });
    Replay {
        worker_id: rehearsal.worker,
        component_version: rehearsal.version,
        last_oplog_index: rehearsal.last,
        outcome,
        details,
        steps: steps.collect(),
    }
}
