// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/travel: what changes the course of a worker: update, revert, fork, cancel, promises, schedules. In: paths
//! and JSON. Out: short answers, when the change is durable. Never keeps state of a worker.
//! Read next: golem-engine `control.rs`, `update.rs`. Source: client spec §6.6, runtime spec §2.7, §2.8.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawPathParams, State};
use axum::response::Response;
use golem_engine::{RevertTo, Target};
use golem_model::api::{
    CancelResponse, CompleteRequest, ForkRequest, ForkResponse, RevertRequest, ScheduleId,
    ScheduleResponse, UpdateMode, UpdateWorkerRequest,
};
use golem_model::oplog::UpdateMode as Mode;
use golem_model::{IdempotencyKey, Timestamp, names};

use super::error::{ApiError, RequestError};
use super::extract::{Key, Params, WorkerAt, short};
use super::routes::{DEPLOY, INVOKE, Routes, WORKER};
use super::worker::{request, with_key};
use super::{Door, moment, reply};

type Answer = Result<Response, ApiError>;

/// All routes that change the course of a worker.
pub(super) fn routes() -> Routes {
    Routes::new()
        .post(&format!("{WORKER}/update"), DEPLOY, update)
        .post(&format!("{WORKER}/revert"), DEPLOY, revert)
        .post(&format!("{WORKER}/fork"), DEPLOY, fork)
        .post(&format!("{WORKER}/complete"), INVOKE, complete)
        .delete(&format!("{WORKER}/invocations/{{key}}"), INVOKE, cancel)
        .post(&format!("{WORKER}/schedule"), INVOKE, schedule)
        .delete(
            &format!("{WORKER}/schedule/{{schedule}}"),
            INVOKE,
            unschedule,
        )
}

/// `POST …/update`: answers when the wish is durable; the worker's `updates` tell how it went.
async fn update(State(door): State<Arc<Door>>, WorkerAt(worker): WorkerAt, body: Body) -> Answer {
    let UpdateWorkerRequest {
        mode,
        target_version,
    } = door.json.decode(body).await?;
    let mode = match mode {
        UpdateMode::Automatic => Mode::Automatic,
        UpdateMode::Manual => Mode::SnapshotBased,
    };
    door.node
        .update_worker(&worker, target_version, mode)
        .await?;
    Ok(reply::fixed("{}"))
}

/// `POST …/revert`.
async fn revert(State(door): State<Arc<Door>>, WorkerAt(worker): WorkerAt, body: Body) -> Answer {
    let to = match door.json.decode(body).await? {
        RevertRequest::LastOplogIndex(index) => RevertTo::Index(index),
        RevertRequest::NumberOfInvocations(count) => RevertTo::LastInvocations(count),
    };
    door.node.revert_worker(&worker, to).await?;
    Ok(reply::fixed("{}"))
}

/// `POST …/fork`.
async fn fork(State(door): State<Arc<Door>>, WorkerAt(worker): WorkerAt, body: Body) -> Answer {
    let ForkRequest { oplog_index, name } = door.json.decode(body).await?;
    names::check_worker_name(&name)?;
    let worker_id = door.node.fork_worker(&worker, oplog_index, &name).await?;
    Ok(reply::ok(&ForkResponse { worker_id }))
}

/// `POST …/complete`: `true` if the promise got this value, `false` if it had one.
async fn complete(State(door): State<Arc<Door>>, WorkerAt(worker): WorkerAt, body: Body) -> Answer {
    let CompleteRequest { oplog_idx, data } = door.json.decode(body).await?;
    let completed = door.node.complete_promise(&worker, oplog_idx, data).await?;
    Ok(reply::ok(&completed))
}

/// `DELETE …/invocations/{key}`: a pending or running invocation.
async fn cancel(
    State(door): State<Arc<Door>>,
    WorkerAt(worker): WorkerAt,
    path: RawPathParams,
) -> Answer {
    let key = IdempotencyKey(last_segment(&path, "key").to_owned());
    let canceled = door.node.cancel_invocation(&worker, &key).await?;
    Ok(reply::ok(&CancelResponse { canceled }))
}

/// `POST …/schedule?function=F&at=MOMENT` or `…&in=DURATION`: answers when it is durable that it will start.
async fn schedule(
    State(door): State<Arc<Door>>,
    WorkerAt(worker): WorkerAt,
    given: Key,
    query: Params,
    body: Body,
) -> Answer {
    let (key, is_new) = given.or_new();
    let answer = async {
        let due = moment::due(&door.node, &query)?;
        let target = Target::Worker(worker.clone());
        let request = request(&door, &target, &key, is_new, query, body).await?;
        let scheduled = door.node.schedule(worker, due, request).await?;
        Ok(reply::ok(&ScheduleResponse {
            schedule_id: ScheduleId {
                due: scheduled.due,
                number: scheduled.id,
            },
            due: Timestamp(scheduled.due),
            idempotency_key: scheduled.key,
        }))
    };
    Ok(with_key(answer.await, &key))
}

/// `DELETE …/schedule/{schedule}`: before it has started.
async fn unschedule(
    State(door): State<Arc<Door>>,
    WorkerAt(worker): WorkerAt,
    path: RawPathParams,
) -> Answer {
    let text = last_segment(&path, "schedule");
    let id: ScheduleId = text.parse().map_err(|_| RequestError::BadPath {
        text: short(text),
        expected: "the id of a scheduled invocation",
    })?;
    let canceled = door
        .node
        .cancel_scheduled(&worker, id.due, id.number)
        .await?;
    Ok(reply::ok(&CancelResponse { canceled }))
}

/// A segment of the path, decoded. The route has it, so it is there.
fn last_segment<'a>(path: &'a RawPathParams, name: &str) -> &'a str {
    path.iter()
        .find(|(key, _)| *key == name)
        .map_or("", |(_, value)| value)
}
