// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/token: `/v1/tokens` and `/v1/whoami`: give, list, take back, and who asks. In: JSON. Out: tokens, the secret
//! once. Never says a secret twice. Read next: `../access.rs`, `routes.rs`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse as _, Response};
use golem_engine::NamespaceError;
use golem_model::api::{Roles, TokenId, TokenRequest, WhoAmI};
use golem_model::duration::parse_duration;

use super::error::{ApiError, RequestError};
use super::extract::{TokenAt, from_slice};
use super::gate::Detail;
use super::routes::{Needs, OWN, Routes};
use super::{Door, reply};
use crate::access::{Access, AccessError, Caller, NAME_CHARS_MAX};

type Answer = Result<Response, ApiError>;

/// All routes of tokens.
pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/v1/tokens", OWN, list)
        .post("/v1/tokens", OWN, add)
        .delete("/v1/tokens/{token}", OWN, revoke)
        .get("/v1/whoami", Needs::Known, who)
}

/// `GET /v1/tokens`: all that whoever asks could give, also those that were taken back, without secrets.
async fn list(
    State(door): State<Arc<Door>>,
    Extension(caller): Extension<Option<Caller>>,
) -> Response {
    let mut list = door.access.list();
    list.retain(|info| may_give(caller.as_ref(), &info.roles));
    reply::ok(&list)
}

/// Whether somebody may give a token with these roles, and so see it and take it back.
fn may_give(caller: Option<&Caller>, roles: &Roles) -> bool {
    caller.is_none_or(|caller| caller.roles.own(roles))
}

/// `POST /v1/tokens`: the only answer that has the secret.
async fn add(
    State(door): State<Arc<Door>>,
    Extension(caller): Extension<Option<Caller>>,
    body: Body,
) -> Answer {
    let (text, _share) = door.json.read(body).await?;
    let request: TokenRequest = from_slice(&text)?;
    let chars = request.name.chars().count();
    if chars == 0 || chars > NAME_CHARS_MAX || request.name.chars().any(char::is_control) {
        return Err(RequestError::BadTokenName { name: request.name }.into());
    }
    let expires_in = request.expires_in.as_deref().map(parse_duration);
    let expires_in = expires_in.transpose()?;
    let roles = Roles {
        role: request.role,
        namespaces: request.namespaces,
    };
    if roles.is_empty() {
        return Err(RequestError::NoRoles.into());
    }
    for namespace in roles.namespaces.keys() {
        let is_seen = caller
            .as_ref()
            .is_none_or(|caller| caller.roles.of(namespace).is_some());
        if !is_seen || !door.node.has_namespace(namespace) {
            return Err(NamespaceError::NotFound(namespace.clone()).into());
        }
    }
    if let Some(caller) = caller.filter(|caller| !caller.roles.own(&roles)) {
        return Err(RequestError::NotOwner {
            name: caller.name,
            roles: roles.to_string(),
        }
        .into());
    }
    let made = with(&door, move |access| {
        access.add(request.name, roles, expires_in)
    })
    .await?;
    let detail = Detail(format!("token {}: {}", made.info.id, made.info.roles));
    Ok((Extension(detail), reply::ok(&made)).into_response())
}

/// `DELETE /v1/tokens/{token}`: holds when the answer comes.
async fn revoke(
    State(door): State<Arc<Door>>,
    Extension(caller): Extension<Option<Caller>>,
    TokenAt(token): TokenAt,
) -> Answer {
    let found = door.access.list().into_iter().find(|info| info.id == token);
    if !found.is_some_and(|info| may_give(caller.as_ref(), &info.roles)) {
        return Err(RequestError::NoSuchToken { id: token.0 }.into());
    }
    let revoked = with(&door, move |access| access.revoke(token));
    Ok(reply::ok(&revoked.await?))
}

/// `GET /v1/whoami`: of a server that asks nobody, `{}`.
async fn who(Extension(caller): Extension<Option<Caller>>) -> Response {
    reply::ok(&match caller {
        Some(caller) => WhoAmI {
            id: caller.id,
            name: Some(caller.name),
            roles: caller.roles,
        },
        None => WhoAmI::default(),
    })
}

/// Runs `what` where it may block: tokens are durable before anything is said.
pub(super) async fn with<T: Send + 'static>(
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
