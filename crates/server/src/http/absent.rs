// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/absent: paths of Golem 1.1 for what this server does not have: API definitions, and plugins. In: any request of
//! theirs. Out: a 501 that says what there is instead, and empty lists where a client only looks. Never does anything.
//! Read next: `serve.rs` (components that answer HTTP), `connect.rs` (who follows an oplog). Source: client spec §6.6, §6.9.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;

use super::error::{ApiError, RequestError};
use super::extract::{VersionAt, WorkerAt, short};
use super::routes::{DEPLOY, Routes, VIEW, WORKER};
use super::{Door, reply};

/// The paths of API definitions, deployments and security schemes, and of plugins.
pub(super) fn routes() -> Routes {
    const DEFINITION: &str = "/v1/api/definitions/{id}/{version}";
    const DEPLOYMENT: &str = "/v1/api/deployments/{site}";
    const INSTALLS: &str = "/v1/components/{component}/latest/plugins/installs";
    const INSTALL: &str = "/v1/components/{component}/latest/plugins/installs/{installation}";
    Routes::new()
        .get("/v1/api/definitions", VIEW, no_definitions)
        .post("/v1/api/definitions", DEPLOY, no_definitions)
        .put("/v1/api/definitions/import", DEPLOY, no_definitions)
        .get(DEFINITION, VIEW, no_definitions)
        .put(DEFINITION, DEPLOY, no_definitions)
        .delete(DEFINITION, DEPLOY, no_definitions)
        .get("/v1/api/deployments", VIEW, no_definitions)
        .post("/v1/api/deployments/deploy", DEPLOY, no_definitions)
        .get(DEPLOYMENT, VIEW, no_definitions)
        .delete(DEPLOYMENT, DEPLOY, no_definitions)
        .post("/v1/api/security", DEPLOY, no_definitions)
        .get("/v1/api/security/{scheme}", VIEW, no_definitions)
        .get("/v1/plugins", VIEW, async || reply::fixed("[]"))
        .post("/v1/plugins", DEPLOY, no_plugins)
        .get("/v1/plugins/{name}", VIEW, async || reply::fixed("[]"))
        .get("/v1/plugins/{name}/{version}", VIEW, no_plugins)
        .delete("/v1/plugins/{name}/{version}", DEPLOY, no_plugins)
        .get(
            "/v1/components/{component}/versions/{version}/plugins/installs",
            VIEW,
            installed,
        )
        .post(INSTALLS, DEPLOY, no_plugins)
        .put(
            "/v1/components/{component}/versions/latest/plugins/installs/{installation}",
            DEPLOY,
            no_plugins,
        )
        .delete(INSTALL, DEPLOY, no_plugins)
        .post(&format!("{WORKER}/activate-plugin"), DEPLOY, no_active)
        .post(&format!("{WORKER}/deactivate-plugin"), DEPLOY, no_active)
}

async fn no_definitions(uri: Uri) -> ApiError {
    RequestError::NoApiDefinitions {
        path: short(uri.path()),
    }
    .into()
}

async fn no_plugins(uri: Uri) -> ApiError {
    RequestError::NoPlugins {
        path: short(uri.path()),
    }
    .into()
}

/// Of a worker; one that does not exist is told first.
async fn no_active(
    State(door): State<Arc<Door>>,
    WorkerAt(worker): WorkerAt,
    uri: Uri,
) -> ApiError {
    match door.node.worker(&worker).await {
        Ok(_) => no_plugins(uri).await,
        Err(error) => error.into(),
    }
}

/// `GET …/versions/{version}/plugins/installs`: none, of a version that exists.
async fn installed(
    State(door): State<Arc<Door>>,
    VersionAt(component, version): VersionAt,
) -> Result<Response, ApiError> {
    let found = door.node.component(component, Some(version))?;
    Ok(reply::ok(&found.installed_plugins))
}
