// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/secrets: `/v1/secrets`: set, list, delete. In: values, as bare bytes. Out: names and versions. No route here, or
//! anywhere, says a value. Bound: `SECRET_BYTES_MAX`. Read next: golem-engine `secrets.rs`. Why: docs/adr/0014-secrets.md.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use golem_engine::SecretError;
use golem_model::capabilities::SECRET_BYTES_MAX;

use super::error::{ApiError, RequestError};
use super::extract::receive;
use super::gate::Acting;
use super::routes::{DEPLOY, Routes, VIEW};
use super::{Door, reply};
use crate::limits;

type Answer = Result<Response, ApiError>;

/// All routes of secrets.
pub(super) fn routes() -> Routes {
    const SECRET: &str = "/v1/secrets/{secret}";
    Routes::new()
        .get("/v1/secrets", VIEW, list)
        .put(SECRET, DEPLOY, set)
        .delete(SECRET, DEPLOY, delete)
}

/// `GET /v1/secrets`: names and versions of the namespace.
async fn list(State(door): State<Arc<Door>>, Acting(namespace): Acting) -> Response {
    reply::ok(&door.node.secret_list(&namespace))
}

/// `PUT /v1/secrets/{secret}`: the body is the value. Durable when the answer comes.
async fn set(
    State(door): State<Arc<Door>>,
    Acting(namespace): Acting,
    Path(name): Path<String>,
    body: Body,
) -> Answer {
    let value = receive(body, SECRET_BYTES_MAX, limits::JSON_TIMEOUT).await?;
    let door = Arc::clone(&door);
    let set = tokio::task::spawn_blocking(move || door.node.set_secret(&namespace, &name, &value));
    answer(set.await)
}

/// `DELETE /v1/secrets/{secret}`: all versions. Durable when the answer comes.
async fn delete(
    State(door): State<Arc<Door>>,
    Acting(namespace): Acting,
    Path(name): Path<String>,
) -> Answer {
    let door = Arc::clone(&door);
    let deleted = tokio::task::spawn_blocking(move || door.node.delete_secret(&namespace, &name));
    answer(deleted.await)
}

fn answer(
    done: Result<Result<golem_model::api::SecretInfo, SecretError>, tokio::task::JoinError>,
) -> Answer {
    let done = done.map_err(|error| RequestError::GivenUp {
        detail: error.to_string(),
    })?;
    Ok(reply::ok(&done?))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Method;
    use serde_json::json;

    use crate::http::tests::Gym;

    #[tokio::test]
    async fn a_secret_is_set_listed_and_deleted_and_its_value_is_never_said() {
        let gym = Gym::new();
        let value = "correct horse battery staple";
        for version in [1, 2] {
            let set = gym
                .ask(Method::PUT, "/v1/secrets/api-key", Body::from(value))
                .await;
            let set = set.ok();
            assert_eq!(
                (&set["name"], &set["version"]),
                (&json!("api-key"), &json!(version))
            );
        }
        let list = gym.get("/v1/secrets").await.ok();
        assert_eq!(list[0]["version"], json!(2));
        assert!(!list.to_string().contains("horse"), "{list}");
        let short = gym
            .ask(Method::PUT, "/v1/secrets/api-key", Body::from("short"))
            .await;
        short.is(400, "errors", "SEC-004");
        let bad = gym
            .ask(Method::PUT, "/v1/secrets/API", Body::from(value))
            .await;
        bad.is(400, "errors", "CAP-006");
        gym.ask(Method::DELETE, "/v1/secrets/api-key", Body::empty())
            .await
            .ok();
        let gone = gym
            .ask(Method::DELETE, "/v1/secrets/api-key", Body::empty())
            .await;
        gone.is(404, "error", "SEC-001");
        assert_eq!(gym.get("/v1/secrets").await.ok(), json!([]));
    }
}
