// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/namespace: `/v1/namespaces` and the grants of one. In: JSON. Out: namespaces, grants, when they are durable.
//! Never decides who may (`gate.rs`). Read next: golem-engine `node/namespaces.rs`. Why: ADR 0012.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, RawPathParams, State};
use axum::response::{IntoResponse as _, Response};
use golem_model::api::{GrantId, GrantInfo, GrantRequest, NamespaceRequest, Role};

use super::error::{ApiError, RequestError};
use super::extract::short;
use super::gate::{Acting, Detail};
use super::routes::{Needs, OWN, Routes, VIEW};
use super::{Door, reply};
use crate::access::Caller;

type Answer = Result<Response, ApiError>;

/// Whoever owns the server, and not a single namespace.
const SERVER: Needs = Needs::Everywhere(Role::Owner);

/// All routes of namespaces.
pub(super) fn routes() -> Routes {
    const NAMESPACE: &str = "/v1/namespaces/{namespace}";
    Routes::new()
        .get("/v1/namespaces", Needs::Known, list)
        .post("/v1/namespaces", SERVER, create)
        .delete(NAMESPACE, SERVER, delete)
        .get(&format!("{NAMESPACE}/grants"), VIEW, grants)
        .post(&format!("{NAMESPACE}/grants"), OWN, grant)
        .delete(&format!("{NAMESPACE}/grants/{{grant}}"), OWN, revoke)
}

/// `GET /v1/namespaces`: those in which whoever asks has a role.
async fn list(
    State(door): State<Arc<Door>>,
    Extension(caller): Extension<Option<Caller>>,
) -> Response {
    let mut list = door.node.namespaces();
    if let Some(caller) = caller {
        list.retain(|found| caller.roles.of(&found.name).is_some());
    }
    reply::ok(&list)
}

/// `POST /v1/namespaces`: whoever had a role in a deleted one of the name has none in this one.
async fn create(State(door): State<Arc<Door>>, body: Body) -> Answer {
    let NamespaceRequest { name } = door.json.decode(body).await?;
    if !door.node.has_namespace(&name) {
        let forgotten = name.clone();
        super::token::with(&door, move |access| access.forget(&forgotten)).await?;
    }
    let made = door.node.create_namespace(name).await?;
    Ok(noted(format!("namespace {}", made.name), reply::ok(&made)))
}

/// `DELETE /v1/namespaces/{namespace}`: an empty one, and the roles in it.
async fn delete(State(door): State<Arc<Door>>, path: RawPathParams) -> Answer {
    let text = segment(&path, "namespace");
    let name: golem_model::Namespace = text.parse().map_err(ApiError::from_bad)?;
    let deleted = door.node.delete_namespace(name.clone()).await?;
    super::token::with(&door, move |access| access.forget(&name)).await?;
    Ok(reply::ok(&deleted))
}

/// `GET /v1/namespaces/{namespace}/grants`: those from it and to it.
async fn grants(State(door): State<Arc<Door>>, Acting(namespace): Acting) -> Response {
    reply::ok(&door.node.grants(&namespace))
}

/// `POST /v1/namespaces/{namespace}/grants`: another namespace may call this one, from the answer on.
async fn grant(State(door): State<Arc<Door>>, Acting(target): Acting, body: Body) -> Answer {
    let GrantRequest { caller, component } = door.json.decode(body).await?;
    let given = door.node.grant(caller, target, component).await?;
    Ok(noted(said(&given), reply::ok(&given)))
}

/// `DELETE /v1/namespaces/{namespace}/grants/{grant}`: holds from the answer on.
async fn revoke(
    State(door): State<Arc<Door>>,
    Acting(target): Acting,
    path: RawPathParams,
) -> Answer {
    let text = segment(&path, "grant");
    let id: GrantId = text.parse().map_err(|_| RequestError::BadPath {
        text: short(text),
        expected: "the id of a grant (a UUID)",
    })?;
    let taken = door.node.revoke(target, id).await?;
    Ok(noted(said(&taken), reply::ok(&taken)))
}

fn said(grant: &GrantInfo) -> String {
    let component = grant
        .component
        .map_or(String::new(), |id| format!(", component {id}"));
    format!(
        "grant {}: {} calls {}{component}",
        grant.id, grant.caller, grant.target
    )
}

fn noted(detail: String, answer: Response) -> Response {
    (Extension(Detail(detail)), answer).into_response()
}

fn segment<'a>(path: &'a RawPathParams, name: &str) -> &'a str {
    path.iter()
        .find(|(key, _)| *key == name)
        .map_or("", |(_, value)| value)
}
