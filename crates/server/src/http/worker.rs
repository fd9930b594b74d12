// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/worker: `/v1/components/{component}/workers`: create, look at, invoke, stop. In: paths and JSON.
//! Out: results typed by the function's own signature. Bounds: `limits.rs`. Never keeps state of a worker.
//! Read next: `travel.rs` (what else one can do with a worker), `params.rs` (the body of an invocation), `listing.rs`, golem-engine `node.rs`. Source: client spec §6.5 to §6.8, §8.2.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::response::{IntoResponse as _, Response};
use golem_engine::{Outcome, Request, Target};
use golem_model::api::{InvokeResult, WorkerCreationRequest, WorkerCreationResponse};
use golem_model::json::{TypeAnnotatedValue, params_from_json, to_json};
use golem_model::trace::TraceContext;
use golem_model::{IdempotencyKey, Value, WitType, WorkerId, names};

use super::error::{ApiError, RequestError};
use super::extract::{ComponentAt, Key, Params, Traced, WorkerAt, from_slice};
use super::params::InvokeBody;
use super::routes::{DEPLOY, INVOKE, Routes, VIEW, WORKER};
use super::{Door, listing, moment, reply};

type Answer = Result<Response, ApiError>;

/// All routes of workers.
pub(super) fn routes() -> Routes {
    const COMPONENT: &str = "/v1/components/{component}";
    // A worker may have this name too.
    const FIND: &str = "/v1/components/{component}/workers/find";
    Routes::new()
        .get(&format!("{COMPONENT}/workers"), VIEW, listing::list)
        .post(&format!("{COMPONENT}/workers"), DEPLOY, create)
        .post(FIND, VIEW, listing::find)
        .get(FIND, VIEW, show_find)
        .delete(FIND, DEPLOY, delete_find)
        .get(WORKER, VIEW, show)
        .delete(WORKER, DEPLOY, delete)
        .post(
            &format!("{WORKER}/invoke-and-await"),
            INVOKE,
            invoke_and_await,
        )
        .post(&format!("{WORKER}/invoke"), INVOKE, invoke)
        .post(&format!("{WORKER}/interrupt"), DEPLOY, interrupt)
        .post(&format!("{WORKER}/resume"), DEPLOY, resume)
        .post(
            &format!("{COMPONENT}/invoke-and-await"),
            INVOKE,
            invoke_unnamed_and_await,
        )
        .post(&format!("{COMPONENT}/invoke"), INVOKE, invoke_unnamed)
}

/// `POST …/invoke-and-await?function=F[&timeout=30s]`: answers when the result is durable.
async fn invoke_and_await(
    State(door): State<Arc<Door>>,
    WorkerAt(worker): WorkerAt,
    key: Key,
    Traced(trace): Traced,
    query: Params,
    body: Body,
) -> Answer {
    finish(&door, Target::Worker(worker), key, trace, query, body).await
}

/// The same for a worker without a name.
async fn invoke_unnamed_and_await(
    State(door): State<Arc<Door>>,
    ComponentAt(component): ComponentAt,
    key: Key,
    Traced(trace): Traced,
    query: Params,
    body: Body,
) -> Answer {
    finish(&door, Target::Ephemeral(component), key, trace, query, body).await
}

/// `POST …/invoke?function=F`: answers when the acceptance is durable.
async fn invoke(
    State(door): State<Arc<Door>>,
    WorkerAt(worker): WorkerAt,
    key: Key,
    Traced(trace): Traced,
    query: Params,
    body: Body,
) -> Answer {
    trigger(&door, Target::Worker(worker), key, trace, query, body).await
}

/// The same for a worker without a name.
async fn invoke_unnamed(
    State(door): State<Arc<Door>>,
    ComponentAt(component): ComponentAt,
    key: Key,
    Traced(trace): Traced,
    query: Params,
    body: Body,
) -> Answer {
    trigger(&door, Target::Ephemeral(component), key, trace, query, body).await
}

async fn finish(
    door: &Door,
    target: Target,
    given: Key,
    trace: Option<TraceContext>,
    query: Params,
    body: Body,
) -> Answer {
    let (key, is_new) = given.or_new();
    let answer = async {
        let mut request = request(door, &target, &key, is_new, query, body).await?;
        request.trace = trace;
        result(door.node.invoke_and_await(target, request).await?)
    };
    Ok(with_key(answer.await, &key))
}

async fn trigger(
    door: &Door,
    target: Target,
    given: Key,
    trace: Option<TraceContext>,
    query: Params,
    body: Body,
) -> Answer {
    let (key, is_new) = given.or_new();
    let answer = async {
        let mut request = request(door, &target, &key, is_new, query, body).await?;
        request.trace = trace;
        door.node.invoke(target, request).await?;
        Ok(reply::fixed("{}"))
    };
    Ok(with_key(answer.await, &key))
}

/// The key goes out with errors as well: who tries again needs it.
pub(super) fn with_key(answer: Answer, key: &IdempotencyKey) -> Response {
    let mut response = answer.unwrap_or_else(ApiError::into_response);
    if let Ok(value) = HeaderValue::from_str(&key.0) {
        response.headers_mut().insert(IDEMPOTENCY_KEY_NAME, value);
    }
    response
}

/// The model's name of the header as HTTP libraries write it; a test compares them.
const IDEMPOTENCY_KEY_NAME: &str = "idempotency-key";

/// Reads the body and types its values by the signature of the function; `typ` of the client is not looked at.
pub(super) async fn request(
    door: &Door,
    target: &Target,
    key: &IdempotencyKey,
    key_is_new: bool,
    mut query: Params,
    body: Body,
) -> Result<Request, ApiError> {
    let function = query.take("function")?;
    let (text, _share) = door.json.read(body).await?;
    let body: InvokeBody = if text.is_empty() {
        InvokeBody::default()
    } else {
        from_slice(&text)?
    };
    let signature = door.node.signature(target, &function)?;
    let params = params_from_json(&body.values(), &signature.function)?;
    Ok(Request {
        key: key.clone(),
        key_is_new,
        function: signature.name,
        params,
        deadline: moment::deadline(&door.node, &query)?,
        trace: None,
    })
}

/// The result as a tuple with its types.
fn result(outcome: Outcome) -> Answer {
    let Outcome { results, types, .. } = outcome;
    let typ = WitType::Tuple { items: types };
    let value = to_json(&Value::Tuple(results), &typ).map_err(|error| RequestError::Encode {
        detail: error.to_string(),
    })?;
    Ok(reply::ok(&InvokeResult {
        result: TypeAnnotatedValue { typ, value },
    }))
}

/// `POST …/workers`.
async fn create(
    State(door): State<Arc<Door>>,
    ComponentAt(component): ComponentAt,
    body: Body,
) -> Answer {
    let WorkerCreationRequest { name, args, env } = door.json.decode(body).await?;
    names::check_worker_name(&name)?;
    let worker = WorkerId::new(component, name);
    let created = door
        .node
        .create_worker(worker, args, env.into_iter().collect())
        .await?;
    Ok(reply::ok(&WorkerCreationResponse {
        worker_id: created.worker,
        component_version: created.version,
    }))
}

/// `GET …/workers/{worker}`.
async fn show(State(door): State<Arc<Door>>, WorkerAt(worker): WorkerAt) -> Answer {
    Ok(reply::ok(&listing::metadata(
        door.node.worker(&worker).await?,
    )))
}

/// `GET …/workers/find`: the worker that is called so.
async fn show_find(state: State<Arc<Door>>, ComponentAt(component): ComponentAt) -> Answer {
    show(state, WorkerAt(WorkerId::new(component, "find"))).await
}

/// `DELETE …/workers/find`: the worker that is called so.
async fn delete_find(state: State<Arc<Door>>, ComponentAt(component): ComponentAt) -> Answer {
    delete(state, WorkerAt(WorkerId::new(component, "find"))).await
}

/// `DELETE …/workers/{worker}`.
async fn delete(State(door): State<Arc<Door>>, WorkerAt(worker): WorkerAt) -> Answer {
    door.node.delete_worker(&worker).await?;
    Ok(reply::fixed("{}"))
}

/// `POST …/interrupt[?recovery-immediately=true]`; `true` is a simulated crash.
async fn interrupt(
    State(door): State<Arc<Door>>,
    WorkerAt(worker): WorkerAt,
    query: Params,
) -> Answer {
    let recover = query
        .parse("recovery-immediately", "`true` or `false`")?
        .unwrap_or(false);
    door.node.interrupt_worker(&worker, recover).await?;
    Ok(reply::fixed("{}"))
}

/// `POST …/resume`.
async fn resume(State(door): State<Arc<Door>>, WorkerAt(worker): WorkerAt) -> Answer {
    door.node.resume_worker(&worker).await?;
    Ok(reply::fixed("{}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use golem_model::api::IDEMPOTENCY_KEY_HEADER;

    #[test]
    fn the_name_of_the_key_header_is_the_one_of_the_model() {
        assert!(IDEMPOTENCY_KEY_HEADER.eq_ignore_ascii_case(IDEMPOTENCY_KEY_NAME));
    }
}
