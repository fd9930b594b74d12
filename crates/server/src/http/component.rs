// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/component: `/v1/components`: upload, list, get, download. In: forms and paths. Out: components.
//! Bounds: `limits.rs`. Never looks into the wasm. Read next: `upload.rs`, golem-engine `node.rs`.
//! Source: client spec §6.6, §6.8.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Multipart, Request, State};
use axum::http::Method;
use axum::response::Response;
use axum::routing::post;
use golem_engine::Upload;
use golem_model::component::{Component, ComponentType, Uploaded};
use golem_model::{ComponentId, ComponentName, ComponentVersion, names};
use tokio::sync::SemaphorePermit;

use super::error::{ApiError, RequestError};
use super::extract::{ComponentAt, Params, VersionAt, receive};
use super::gate::Acting;
use super::routes::{DEPLOY, Routes, VIEW};
use super::upload::{Upload as Form, component_type};
use super::{Door, reply};
use crate::limits;

type Answer = Result<Response, ApiError>;

/// All routes of components.
pub(super) fn routes() -> Routes {
    const COMPONENT: &str = "/v1/components/{component}";
    let limit = DefaultBodyLimit::max(limits::UPLOAD_BYTES_MAX);
    let (create, update) = (post(create).layer(limit), post(update).layer(limit));
    Routes::new()
        .get("/v1/components", VIEW, list)
        .on(Method::POST, "/v1/components", DEPLOY, create)
        .get(COMPONENT, VIEW, all_versions)
        .get(&format!("{COMPONENT}/latest"), VIEW, latest)
        .get(&format!("{COMPONENT}/versions/{{version}}"), VIEW, version)
        .get(&format!("{COMPONENT}/download"), VIEW, download)
        .on(
            Method::POST,
            &format!("{COMPONENT}/updates"),
            DEPLOY,
            update,
        )
        .put(&format!("{COMPONENT}/upload"), DEPLOY, upload)
}

/// `GET /v1/components[?component-name=N]`: every version of every match in the namespace, an empty list when there is none.
async fn list(State(door): State<Arc<Door>>, Acting(namespace): Acting, query: Params) -> Answer {
    let name = query.get("component-name");
    Ok(many(&door.node.components(&namespace, name)))
}

/// `POST /v1/components`: the first version of a new component of the namespace.
async fn create(
    State(door): State<Arc<Door>>,
    Acting(namespace): Acting,
    request: Request,
) -> Answer {
    let _turn = turn(&door).await?;
    let mut upload = form(request).await?;
    let name = upload.take_name()?;
    names::check_component_name(&name)?;
    let (kind, code) = (upload.kind.unwrap_or_default(), upload.take_code().await?);
    let called = ComponentName::new(namespace, &name);
    let component = door.node.create_component(called, kind, code).await?;
    tracing::info!(component = %component.versioned_component_id.component_id, name, "component created");
    taken(&door, &component).await
}

/// `POST …/updates`: the next version, by form.
async fn update(
    State(door): State<Arc<Door>>,
    ComponentAt(id): ComponentAt,
    request: Request,
) -> Answer {
    let _turn = turn(&door).await?;
    let mut upload = form(request).await?;
    let code = upload.take_code().await?;
    next_version(&door, id, upload.kind, code).await
}

/// `PUT …/upload[?component_type=…]`: the next version, as bare bytes.
async fn upload(
    State(door): State<Arc<Door>>,
    ComponentAt(id): ComponentAt,
    query: Params,
    body: Body,
) -> Answer {
    let _turn = turn(&door).await?;
    let kind = query
        .get("component_type")
        .map(component_type)
        .transpose()?;
    let wasm = receive(body, limits::COMPONENT_BYTES_MAX, limits::UPLOAD_TIMEOUT).await?;
    next_version(&door, id, kind, Vec::from(wasm).into()).await
}

async fn next_version(
    door: &Door,
    id: ComponentId,
    kind: Option<ComponentType>,
    code: Upload,
) -> Answer {
    let component = door.node.update_component(id, kind, code).await?;
    let version = component.versioned_component_id.version;
    tracing::info!(component = %id, version, "component updated");
    taken(door, &component).await
}

/// The component with what is suspicious about it, for whoever uploads.
async fn taken(door: &Door, component: &Component) -> Answer {
    let id = component.versioned_component_id;
    let mut warnings = match door.node.stale_stubs(id.component_id, id.version).await {
        Ok(warnings) => warnings,
        // The component is taken, whatever can be said of its stubs.
        Err(error) => {
            tracing::warn!(%error, component = %id.component_id, "its stubs were not compared");
            Vec::new()
        }
    };
    for secret in door.node.missing_secrets(component) {
        warnings.push(format!(
            "there is no secret `{secret}`, and workers cannot be created before there is: golem-cli secret set {secret} < FILE"
        ));
    }
    Ok(reply::ok(&Uploaded {
        component: component.clone(),
        warnings,
    }))
}

/// `GET /v1/components/{component}`: all versions.
async fn all_versions(State(door): State<Arc<Door>>, ComponentAt(id): ComponentAt) -> Answer {
    Ok(many(&door.node.component_versions(id)?))
}

/// `GET …/latest`.
async fn latest(State(door): State<Arc<Door>>, ComponentAt(id): ComponentAt) -> Answer {
    Ok(reply::ok(&*door.node.component(id, None)?))
}

/// `GET …/versions/{version}`.
async fn version(State(door): State<Arc<Door>>, VersionAt(id, version): VersionAt) -> Answer {
    Ok(reply::ok(&*door.node.component(id, Some(version))?))
}

/// `GET …/download[?version=V]`: the wasm. Read on a thread that may block: it is up to 50 MiB from the disk.
async fn download(
    State(door): State<Arc<Door>>,
    ComponentAt(id): ComponentAt,
    query: Params,
) -> Answer {
    let version: Option<ComponentVersion> = query.parse("version", "the number of a version")?;
    let read = tokio::task::spawn_blocking(move || door.node.component_wasm(id, version)).await;
    Ok(reply::bytes(read.map_err(|error| {
        RequestError::GivenUp {
            detail: error.to_string(),
        }
    })??))
}

fn many(components: &[Arc<Component>]) -> Response {
    let components: Vec<&Component> = components.iter().map(AsRef::as_ref).collect();
    reply::ok(&components)
}

async fn form(request: Request) -> Result<Form, RequestError> {
    match Multipart::from_request(request, &()).await {
        Ok(form) => Form::read(form).await,
        Err(error) => Err(RequestError::BadForm {
            detail: error.body_text(),
        }),
    }
}

async fn turn(door: &Door) -> Result<SemaphorePermit<'_>, RequestError> {
    door.uploads
        .acquire()
        .await
        .map_err(|_| RequestError::Stopping)
}
