// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/health: what a client or a supervisor asks first. In: nothing. Out: version, health, readiness.
//! Calls the engine only for readiness: the 1.1 command line asks for the version twice per command. Read next: `mod.rs`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::error::{ApiError, RequestError};
use super::routes::{Needs, Routes};
use super::{Door, reply};

/// A newer version than 1.1.0 would make 1.1 clients warn at each command; a test compares it with the model's constant.
const VERSION: &str = r#"{"version":"1.1.0"}"#;

/// `GET /version`, `/healthcheck`, `/readyz`.
pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/version", Needs::Nothing, async || reply::fixed(VERSION))
        .get("/healthcheck", Needs::Nothing, async || reply::fixed("{}"))
        .get("/readyz", Needs::Nothing, ready)
}

/// 200 while new work is taken, 503 from the moment that the server begins to stop, 507 while its disk is full.
async fn ready(State(door): State<Arc<Door>>) -> Result<Response, ApiError> {
    if door.is_stopping() {
        Err(RequestError::Stopping.into())
    } else if !door.node.has_space() {
        Err(RequestError::DiskFull.into())
    } else {
        Ok(reply::fixed("{}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_compatible_one() {
        let said: golem_model::api::VersionInfo = serde_json::from_str(VERSION).unwrap();
        assert_eq!(said.version, golem_model::api::COMPATIBLE_VERSION);
    }
}
