// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/token: `/v1/tokens` and `/v1/whoami`: give, list, take back, and who asks. In: JSON. Out: tokens, the secret
//! once. Never says a secret twice. Read next: `../access.rs`, `routes.rs`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::response::Response;
use golem_model::api::{TokenId, TokenRequest, WhoAmI};
use golem_model::duration::parse_duration;

use super::error::{ApiError, RequestError};
use super::extract::{TokenAt, from_slice};
use super::routes::{OWN, Routes, VIEW};
use super::{Door, reply};
use crate::access::{Access, AccessError, Caller, NAME_CHARS_MAX};

type Answer = Result<Response, ApiError>;

/// All routes of tokens.
pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/v1/tokens", OWN, list)
        .post("/v1/tokens", OWN, add)
        .delete("/v1/tokens/{token}", OWN, revoke)
        .get("/v1/whoami", VIEW, who)
}

/// `GET /v1/tokens`: all of them, also those that were taken back, without secrets.
async fn list(State(door): State<Arc<Door>>) -> Response {
    reply::ok(&door.access.list())
}

/// `POST /v1/tokens`: the only answer that has the secret.
async fn add(State(door): State<Arc<Door>>, body: Body) -> Answer {
    let (text, _share) = door.json.read(body).await?;
    let request: TokenRequest = from_slice(&text)?;
    let chars = request.name.chars().count();
    if chars == 0 || chars > NAME_CHARS_MAX || request.name.chars().any(char::is_control) {
        return Err(RequestError::BadTokenName { name: request.name }.into());
    }
    let expires_in = request.expires_in.as_deref().map(parse_duration);
    let expires_in = expires_in.transpose()?;
    let made = with(&door, move |access| {
        access.add(request.name, request.role, expires_in)
    });
    Ok(reply::ok(&made.await?))
}

/// `DELETE /v1/tokens/{token}`: holds when the answer comes.
async fn revoke(State(door): State<Arc<Door>>, TokenAt(token): TokenAt) -> Answer {
    let revoked = with(&door, move |access| access.revoke(token));
    Ok(reply::ok(&revoked.await?))
}

/// `GET /v1/whoami`: of a server that asks nobody, `{}`.
async fn who(caller: Option<Extension<Option<Caller>>>) -> Response {
    let caller = caller.and_then(|Extension(caller)| caller);
    reply::ok(&match caller {
        Some(caller) => WhoAmI {
            id: Some(caller.id),
            name: Some(caller.name),
            role: Some(caller.role),
        },
        None => WhoAmI::default(),
    })
}

/// Runs `what` where it may block: tokens are durable before anything is said.
async fn with<T: Send + 'static>(
    door: &Arc<Door>,
    what: impl FnOnce(&Access) -> Result<T, AccessError> + Send + 'static,
) -> Result<T, ApiError> {
    let door = Arc::clone(door);
    let done = tokio::task::spawn_blocking(move || what(&door.access)).await;
    let done = done.map_err(|error| RequestError::GivenUp {
        detail: error.to_string(),
    })?;
    Ok(done.map_err(RequestError::from)?)
}

impl From<AccessError> for RequestError {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Full => Self::TooManyTokens,
            AccessError::NotFound(TokenId(id)) => Self::NoSuchToken { id },
            AccessError::LastOwner(TokenId(id)) => Self::LastOwner { id },
            error
            @ (AccessError::Store(_) | AccessError::Random(_) | AccessError::Write { .. }) => {
                Self::GivenUp {
                    detail: error.to_string(),
                }
            }
        }
    }
}
