// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/error: every failure of a request as a status and a body. In: errors of the door and of the engine.
//! Out: [`ApiError`]. Never logs what a client did wrong. Read next: golem-model `api_error.rs`. Source: client spec §6.7.
//!
//! The shape is that of Golem 1.1 (`errors`, `error`, `golemError`); `code`, `message` and `hint` stand beside it.

use std::net::IpAddr;

use axum::http::header::{HeaderValue, RETRY_AFTER};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use golem_engine::{ComponentError, NamespaceError, SecretError, WorkerError};
use golem_model::api::Role;
use golem_model::api_error::{ErrorBody, GolemError};
use golem_model::duration::BadDuration;
use golem_model::filter::FilterError;
use golem_model::json::JsonError;
use golem_model::names::NameError;
use golem_model::query::QueryError;
use golem_model::{Coded, Namespace, Problem};
use uuid::Uuid;

use super::reply;
use crate::limits;

/// What the door itself refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RequestError {
    /// No such path.
    #[error("there is nothing at `{path}`")]
    NoSuchPath {
        /// The path.
        path: String,
    },
    /// The path exists, not with this verb.
    #[error("`{path}` does not take {method}")]
    MethodNotAllowed {
        /// The path.
        path: String,
        /// The verb.
        method: Method,
    },
    /// A part of the path is not what it should be.
    #[error("`{text}` in the path is not {expected}")]
    BadPath {
        /// The part.
        text: String,
        /// What was expected.
        expected: &'static str,
    },
    /// A query parameter is not what it should be.
    #[error("`{value}` of the query parameter `{name}` is not {expected}")]
    BadQuery {
        /// The parameter.
        name: &'static str,
        /// Its value.
        value: String,
        /// What was expected.
        expected: &'static str,
    },
    /// A query parameter is not there.
    #[error("the query parameter `{name}` is missing")]
    MissingQuery {
        /// The parameter.
        name: &'static str,
    },
    /// Two query parameters that exclude each other, or none of them where one is needed.
    #[error("{0}")]
    OneOf(&'static str),
    /// The body is no JSON, or not the JSON of this call.
    #[error("the body is not what this call takes: {detail}")]
    BadJson {
        /// What the parser says, with line and column.
        detail: String,
    },
    /// The body is too large.
    #[error("{what} is over the limit of {limit} bytes")]
    BodyTooLarge {
        /// Which body or part.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The body did not arrive in time.
    #[error("the body did not arrive within {seconds} s")]
    BodyTimeout {
        /// The limit.
        seconds: u64,
    },
    /// The connection or its chunks broke off in the body.
    #[error("the body broke off: {detail}")]
    BodyBroken {
        /// What happened.
        detail: String,
    },
    /// The body is no multipart form.
    #[error("the upload is no multipart form: {detail}")]
    BadForm {
        /// What the parser says.
        detail: String,
    },
    /// A part of the form is missing.
    #[error("the upload has no part `{name}`")]
    MissingPart {
        /// The part.
        name: &'static str,
    },
    /// A text part of the form is not what it should be.
    #[error("`{value}` in the part `{name}` is not {expected}")]
    BadPart {
        /// The part.
        name: &'static str,
        /// Its value, cut short.
        value: String,
        /// What was expected.
        expected: &'static str,
    },
    /// Something that this server does not have.
    #[error("this server does not do {what}")]
    Unsupported {
        /// What was asked for.
        what: &'static str,
    },
    /// The initial files are no archive that can be taken.
    #[error("the initial files are no zip archive that can be taken: {detail}")]
    BadArchive {
        /// What is wrong with it.
        detail: String,
    },
    /// API definitions, their deployments and their security schemes: paths of Golem 1.1 that this server does not have.
    #[error("this server does not route requests by API definitions; `{path}` is part of them")]
    NoApiDefinitions {
        /// The path.
        path: String,
    },
    /// Plugins: paths of Golem 1.1 where this server has nothing, and takes nothing.
    #[error("this server runs no plugins, so there is nothing to do at `{path}`")]
    NoPlugins {
        /// The path.
        path: String,
    },
    /// The header cannot be a key.
    #[error(
        "the header `Idempotency-Key` must have 1 to {} visible ASCII characters",
        limits::KEY_BYTES_MAX
    )]
    BadKey,
    /// A web page of another origin, or a name that is not ours, asks.
    #[error("requests of a web page of `{origin}` are refused")]
    ForeignOrigin {
        /// The `Origin` or `Host` header.
        origin: String,
    },
    /// A result cannot be written as JSON.
    #[error("the answer cannot be written as JSON: {detail}")]
    Encode {
        /// Why.
        detail: String,
    },
    /// A task of the server ended early.
    #[error("the request was given up: {detail}")]
    GivenUp {
        /// Why.
        detail: String,
    },
    /// A request without a token.
    #[error("this server asks for a token, and the request has none")]
    NoToken,
    /// The header is no bearer token, or its checksum is wrong.
    #[error("the header `Authorization` is not `Bearer` and a token of this server")]
    BadToken,
    /// Unknown, taken back or expired.
    #[error("the token does not hold")]
    TokenRefused,
    /// The token may not do that.
    #[error("`{name}` is {} in the namespace `{namespace}`, and this takes a {needs}", has.map_or_else(|| "nobody".to_owned(), |has| format!("a {has}")))]
    NotAllowed {
        /// Who asks.
        name: String,
        /// Their role.
        has: Option<Role>,
        /// Where.
        namespace: Namespace,
        /// The role that may.
        needs: Role,
    },
    /// It belongs to no namespace, so that a role in one of them is not enough.
    #[error("this takes a {needs} of every namespace, and `{name}` is none")]
    NotEverywhere {
        /// Who asks.
        name: String,
        /// The role that may.
        needs: Role,
    },
    /// Somebody with a role in several namespaces named none of them.
    #[error("the request names none of the namespaces {}", .names.join(", "))]
    WhichNamespace {
        /// Those of whoever asks.
        names: Vec<String>,
    },
    /// The token of another issuer.
    #[error("the token does not hold: {why}")]
    JwtRefused {
        /// Why.
        why: String,
    },
    /// It cannot be said whether the token of another issuer holds.
    #[error("the keys of the issuer `{issuer}` cannot be had at the moment")]
    KeysAway {
        /// The issuer.
        issuer: String,
    },
    /// Somebody asks more often than they may.
    #[error("{what} `{who}` asks too often")]
    TooOften {
        /// `the token` or `the address`.
        what: &'static str,
        /// Its name.
        who: String,
        /// When to come again.
        seconds: u64,
    },
    /// Somebody has failed too often to say who they are.
    #[error("the address {address} has failed too often to say who it is")]
    LockedOut {
        /// The address.
        address: IpAddr,
        /// When to come again.
        seconds: u64,
    },
    /// The name of a token.
    #[error("`{}` is no name for a token: 1 to {} printable characters", name.escape_debug(), crate::access::NAME_CHARS_MAX)]
    BadTokenName {
        /// The name.
        name: String,
    },
    /// An owner of one namespace gives tokens for that one only.
    #[error("`{name}` is not the owner of every place that a token with `{roles}` is for")]
    NotOwner {
        /// Who asks.
        name: String,
        /// The roles of the token.
        roles: String,
    },
    /// A token for nothing.
    #[error("the token has neither a role nor a namespace")]
    NoRoles,
    /// No token has the id.
    #[error("there is no token {id}")]
    NoSuchToken {
        /// The id.
        id: Uuid,
    },
    /// Nobody could give tokens any more.
    #[error("the token {id} is the last of an owner that never expires")]
    LastOwner {
        /// The id.
        id: Uuid,
    },
    /// No more tokens.
    #[error(
        "there are {} tokens, and more are not kept",
        crate::access::TOKENS_MAX
    )]
    TooManyTokens,
    /// The server stops.
    #[error("the server is stopping")]
    Stopping,
    /// A plain request where a WebSocket is meant.
    #[error("this path is a WebSocket, and the request does not ask for one")]
    NotAWebSocket,
    /// As many as there may be listen to workers.
    #[error(
        "{} connections listen to workers already, which is the limit",
        limits::LISTENERS_MAX
    )]
    TooManyListeners,
    /// There is too little space on the disk to begin anything new. What runs is finished, and reading goes on.
    #[error("the disk of the server is full")]
    DiskFull,
    /// The disk has not taken what was written for a while.
    #[error("the disk of the server does not keep up")]
    DiskSlow,
}

impl Coded for RequestError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoSuchPath { .. } => "API-001",
            Self::MethodNotAllowed { .. } => "API-002",
            Self::BadPath { .. } => "API-003",
            Self::BadQuery { .. } => "API-004",
            Self::MissingQuery { .. } => "API-005",
            Self::BadJson { .. } => "API-006",
            Self::BodyTooLarge { .. } => "API-007",
            Self::BodyTimeout { .. } => "API-008",
            Self::BodyBroken { .. } => "API-009",
            Self::BadForm { .. } => "API-010",
            Self::MissingPart { .. } => "API-011",
            Self::BadPart { .. } => "API-012",
            Self::Unsupported { .. } => "API-013",
            Self::BadArchive { .. } => "API-050",
            Self::NoApiDefinitions { .. } => "API-051",
            Self::NoPlugins { .. } => "API-052",
            Self::BadKey => "API-014",
            Self::ForeignOrigin { .. } => "API-015",
            Self::Encode { .. } => "API-016",
            Self::GivenUp { .. } => "API-017",
            Self::Stopping => "API-018",
            Self::OneOf(_) => "API-019",
            Self::NoToken => "API-030",
            Self::BadToken => "API-031",
            Self::TokenRefused => "API-032",
            Self::NotAllowed { .. } => "API-033",
            Self::NotEverywhere { .. } => "API-038",
            Self::WhichNamespace { .. } => "API-039",
            Self::NoRoles => "API-040",
            Self::NotOwner { .. } => "API-041",
            Self::JwtRefused { .. } => "API-042",
            Self::KeysAway { .. } => "API-043",
            Self::TooOften { .. } => "API-044",
            Self::LockedOut { .. } => "API-045",
            Self::BadTokenName { .. } => "API-034",
            Self::NoSuchToken { .. } => "API-035",
            Self::LastOwner { .. } => "API-036",
            Self::TooManyTokens => "API-037",
            Self::NotAWebSocket => "API-020",
            Self::TooManyListeners => "API-021",
            Self::DiskFull => "API-022",
            Self::DiskSlow => "API-023",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoSuchPath { .. } | Self::MethodNotAllowed { .. } => "the paths of this server are in docs/rest.md".into(),
            Self::BadPath { expected, .. } => format!("write {expected} there, percent-encoded as one segment"),
            Self::BadQuery { name, expected, .. } => format!("pass {expected} as `{name}`, or leave it out"),
            Self::MissingQuery { name } => format!("add it to the path: ?{name}=rpcdemo%3Acomponent2%2Fcomponent2-api.%7Badd%7D"),
            Self::OneOf(_) => "pass exactly one of them".into(),
            Self::BadJson { .. } => "an invocation takes {\"params\": [{\"value\": 3}]}, the others are in docs/rest.md".into(),
            Self::BodyTooLarge { .. } => {
                "send large data in parts; golem-cli build leaves symbols out of a component".into()
            }
            Self::BodyTimeout { .. } | Self::BodyBroken { .. } => "send the whole body at once, then try again".into(),
            Self::BadForm { .. } | Self::MissingPart { .. } => {
                "curl -F name=NAME -F componentType=Durable -F component=@FILE http://127.0.0.1:9881/v1/components".into()
            }
            Self::Unsupported { .. } => "what it does is in docs/rest.md".into(),
            Self::BadPart { expected, .. } => format!("write {expected}"),
            Self::BadArchive { .. } => "make one: cd FILES && zip -r ../files.zip . (files and directories only, without passwords)".into(),
            Self::NoApiDefinitions { .. } => {
                "let the component answer HTTP itself: golem-cli new --example http-api NAME, then ask …/workers/{worker}/http/PATH".into()
            }
            Self::NoPlugins { .. } => {
                "transform a component before its upload: golem-cli build; follow oplogs with …/workers/{worker}/connect or …/oplog".into()
            }
            Self::BadKey => "make one: golem-cli worker idempotency-key".into(),
            Self::ForeignOrigin { .. } => "ask by http://127.0.0.1:9881 or http://localhost:9881, from a program or from the same page".into(),
            Self::Encode { .. } => "report it: a value left the worker that REST cannot show".into(),
            Self::GivenUp { .. } => "report it, with the log of the server".into(),
            Self::NoToken | Self::BadToken => {
                "send `Authorization: Bearer TOKEN`; with golem-cli: export GOLEM_TOKEN=TOKEN".into()
            }
            Self::TokenRefused => "ask an owner for another: golem-cli token add --name NAME --role invoker".into(),
            Self::NotAllowed { needs, namespace, .. } => {
                format!("ask an owner for a token of that role: golem-cli token add --name NAME --role {namespace}={needs}")
            }
            Self::NotEverywhere { needs, .. } => {
                format!("ask an owner of the server for a token of that role: golem-cli token add --name NAME --role {needs}")
            }
            Self::WhichNamespace { names } => {
                let name = names.first().map_or("NAME", String::as_str);
                format!("send `Golem-Namespace: {name}`; with golem-cli: export GOLEM_NAMESPACE={name}")
            }
            Self::NotOwner { .. } => "ask for roles in your own namespaces: golem-cli token add --name NAME --role NAMESPACE=invoker".into(),
            Self::JwtRefused { .. } => "get a new one from its issuer; which issuers hold is in the file of --jwt: docs/front-door.md".into(),
            Self::KeysAway { .. } => "try again in a moment; the log of the server says why".into(),
            Self::TooOften { seconds, .. } => format!("come again in {seconds} s, or raise the limit: golem-cli server run --rate-limit N"),
            Self::LockedOut { seconds, .. } => {
                format!("come again in {seconds} s with a token that holds; behind a proxy name it: golem-cli server run --trusted-proxy ADDRESS")
            }
            Self::NoRoles => "say what it may: golem-cli token add --name NAME --role invoker, or --role NAMESPACE=invoker".into(),
            Self::BadTokenName { .. } => "say who or what it is for: golem-cli token add --name ci --role deployer".into(),
            Self::NoSuchToken { .. } => "list them: golem-cli token list".into(),
            Self::LastOwner { .. } => "make another first: golem-cli token add --name NAME --role owner".into(),
            Self::TooManyTokens => "use one token for each program, not for each call".into(),
            Self::Stopping => "try again when it is back, with the same idempotency key".into(),
            Self::NotAWebSocket => "golem-cli worker connect --component-name NAME --worker-name NAME".into(),
            Self::TooManyListeners => "close some of them, or read the lines later: golem-cli worker oplog --query log".into(),
            Self::DiskFull => "make space on it, then try again with the same idempotency key: the server goes on by itself".into(),
            Self::DiskSlow => "try again in a moment, with the same idempotency key".into(),
        })
    }
}

impl RequestError {
    fn status(&self) -> StatusCode {
        match self {
            Self::NoSuchPath { .. } => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTimeout { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::ForeignOrigin { .. }
            | Self::NotAllowed { .. }
            | Self::NotEverywhere { .. }
            | Self::NotOwner { .. } => StatusCode::FORBIDDEN,
            Self::NoToken | Self::BadToken | Self::TokenRefused | Self::JwtRefused { .. } => {
                StatusCode::UNAUTHORIZED
            }
            Self::TooOften { .. } | Self::LockedOut { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::NoSuchToken { .. } => StatusCode::NOT_FOUND,
            Self::LastOwner { .. } | Self::TooManyTokens => StatusCode::CONFLICT,
            Self::Encode { .. } | Self::GivenUp { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Stopping | Self::TooManyListeners | Self::DiskSlow | Self::KeysAway { .. } => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
            Self::NoApiDefinitions { .. } | Self::NoPlugins { .. } => StatusCode::NOT_IMPLEMENTED,
            Self::BadPath { .. }
            | Self::BadQuery { .. }
            | Self::MissingQuery { .. }
            | Self::OneOf(_)
            | Self::BadJson { .. }
            | Self::BodyBroken { .. }
            | Self::BadForm { .. }
            | Self::BadTokenName { .. }
            | Self::WhichNamespace { .. }
            | Self::NoRoles
            | Self::MissingPart { .. }
            | Self::Unsupported { .. }
            | Self::BadPart { .. }
            | Self::BadArchive { .. }
            | Self::NotAWebSocket
            | Self::BadKey => StatusCode::BAD_REQUEST,
        }
    }
}

/// A failure as the client gets it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ApiError {
    /// The status.
    pub(crate) status: StatusCode,
    /// The body.
    pub(crate) body: Box<ErrorBody>,
    /// Seconds after which the client may ask again, where its status is one of those that pass.
    retry_after_s: u64,
}

/// Seconds after which a client may ask again when the server was full or stopping.
const RETRY_AFTER_S: u64 = 1;

impl ApiError {
    /// `errors` for a 400, `error` for every other status.
    pub(super) fn plain(status: StatusCode, problem: Problem) -> Self {
        let body = if status == StatusCode::BAD_REQUEST {
            ErrorBody::bad_request(problem)
        } else {
            ErrorBody::plain(problem)
        };
        Self {
            status,
            body: Box::new(body),
            retry_after_s: RETRY_AFTER_S,
        }
    }

    /// A 400 for a text that is not what it should be.
    pub(super) fn from_bad(error: impl Coded) -> Self {
        Self::plain(StatusCode::BAD_REQUEST, error.problem())
    }

    /// A 500 of the worker API.
    fn worker(error: GolemError, problem: Problem) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            body: Box::new(ErrorBody::worker(error, problem)),
            retry_after_s: RETRY_AFTER_S,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = reply::json(self.status, &self.body);
        if matches!(
            self.status,
            StatusCode::TOO_MANY_REQUESTS
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::INSUFFICIENT_STORAGE
        ) {
            let seconds = HeaderValue::from(self.retry_after_s);
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
        response
    }
}

impl From<RequestError> for ApiError {
    fn from(error: RequestError) -> Self {
        let mut answer = Self::plain(error.status(), error.problem());
        if let RequestError::TooOften { seconds, .. } | RequestError::LockedOut { seconds, .. } =
            error
        {
            answer.retry_after_s = seconds;
        }
        answer
    }
}

impl From<NameError> for ApiError {
    fn from(error: NameError) -> Self {
        Self::plain(StatusCode::BAD_REQUEST, error.problem())
    }
}

impl From<FilterError> for ApiError {
    fn from(error: FilterError) -> Self {
        Self::plain(StatusCode::BAD_REQUEST, error.problem())
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        Self::plain(StatusCode::BAD_REQUEST, error.problem())
    }
}

impl From<BadDuration> for ApiError {
    fn from(error: BadDuration) -> Self {
        Self::plain(StatusCode::BAD_REQUEST, error.problem())
    }
}

impl From<JsonError> for ApiError {
    fn from(error: JsonError) -> Self {
        Self::plain(StatusCode::BAD_REQUEST, error.problem())
    }
}

impl From<NamespaceError> for ApiError {
    fn from(error: NamespaceError) -> Self {
        let status = match error {
            NamespaceError::NotFound(_)
            | NamespaceError::GrantNotFound(_)
            | NamespaceError::NoComponent { .. } => StatusCode::NOT_FOUND,
            NamespaceError::AlreadyExists(_)
            | NamespaceError::NotEmpty { .. }
            | NamespaceError::Default
            | NamespaceError::Full { .. } => StatusCode::CONFLICT,
            NamespaceError::Itself(_) => StatusCode::BAD_REQUEST,
            NamespaceError::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::plain(status, error.problem())
    }
}

impl From<ComponentError> for ApiError {
    fn from(error: ComponentError) -> Self {
        Self::from(&error)
    }
}

impl From<&ComponentError> for ApiError {
    fn from(error: &ComponentError) -> Self {
        let status = match error {
            ComponentError::NotFound(_)
            | ComponentError::NameNotFound(_)
            | ComponentError::NoNamespace(_)
            | ComponentError::VersionNotFound(..)
            | ComponentError::FileNotFound { .. } => StatusCode::NOT_FOUND,
            ComponentError::AlreadyExists(_) => StatusCode::CONFLICT,
            ComponentError::NotAComponent(_)
            | ComponentError::UnknownImport(_)
            | ComponentError::Compile(_)
            | ComponentError::BadFile { .. }
            | ComponentError::Start(_)
            | ComponentError::Capabilities(_)
            | ComponentError::BadName(_) => StatusCode::BAD_REQUEST,
            ComponentError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            ComponentError::Store(_) | ComponentError::Io(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::plain(status, error.problem())
    }
}

impl From<SecretError> for ApiError {
    fn from(error: SecretError) -> Self {
        let status = match &error {
            SecretError::NotFound(_) => StatusCode::NOT_FOUND,
            SecretError::Length { .. } | SecretError::NotText(_) | SecretError::Name(_) => {
                StatusCode::BAD_REQUEST
            }
            SecretError::TooMany(_) | SecretError::Deleted { .. } => StatusCode::CONFLICT,
            SecretError::Sealed { .. }
            | SecretError::Key { .. }
            | SecretError::KeyGone(_)
            | SecretError::Random(_)
            | SecretError::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::plain(status, error.problem())
    }
}

impl From<WorkerError> for ApiError {
    fn from(error: WorkerError) -> Self {
        let problem = error.problem();
        let plain = |status| Self::plain(status, problem.clone());
        let worker = |golem_error| Self::worker(golem_error, problem.clone());
        match error {
            WorkerError::Component(error) => Self::from(&error),
            WorkerError::NotFound(_) | WorkerError::Deleted(_) => plain(StatusCode::NOT_FOUND),
            WorkerError::AlreadyExists(worker_id) => {
                worker(GolemError::WorkerAlreadyExists { worker_id })
            }
            WorkerError::UnknownFunction { .. } | WorkerError::BadArguments { .. } => {
                plain(StatusCode::BAD_REQUEST)
            }
            WorkerError::KeyReused { .. } => plain(StatusCode::CONFLICT),
            WorkerError::Failed(failure) => worker(GolemError::RuntimeError {
                details: failure.message,
            }),
            WorkerError::LimitExceeded(failure) => worker(GolemError::RuntimeError {
                details: failure.message,
            }),
            WorkerError::Secret(error) => Self::from(error),
            WorkerError::Timeout { .. } => plain(StatusCode::GATEWAY_TIMEOUT),
            WorkerError::Cancelled { .. } => worker(GolemError::RuntimeError {
                details: problem.message.clone(),
            }),
            WorkerError::BadUpdate { .. }
            | WorkerError::BadIndex { .. }
            | WorkerError::SharedStart(_) => plain(StatusCode::BAD_REQUEST),
            WorkerError::PromiseNotFound { .. }
            | WorkerError::NoInvocation { .. }
            | WorkerError::FileNotFound { .. } => plain(StatusCode::NOT_FOUND),
            WorkerError::FileKind { .. } => plain(StatusCode::BAD_REQUEST),
            WorkerError::FileUnreadable { path, detail, .. } => {
                worker(GolemError::FileSystemError {
                    path,
                    reason: detail,
                })
            }
            WorkerError::Deadlock { .. } => worker(GolemError::RuntimeError {
                details: problem.message.clone(),
            }),
            WorkerError::PreviousFailed { message, .. } => {
                worker(GolemError::PreviousInvocationFailed { details: message })
            }
            WorkerError::Exited(_) => worker(GolemError::PreviousInvocationExited),
            WorkerError::Interrupted(_) => worker(GolemError::Interrupted {
                recover_immediately: false,
            }),
            WorkerError::QueueFull { .. } => plain(StatusCode::TOO_MANY_REQUESTS),
            WorkerError::TooLarge { .. } => plain(StatusCode::PAYLOAD_TOO_LARGE),
            WorkerError::Store(_) | WorkerError::Damaged { .. } => worker(GolemError::Unknown {
                details: problem.message.clone(),
            }),
            WorkerError::Stopping => plain(StatusCode::SERVICE_UNAVAILABLE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use golem_model::json::JsonErrorKind;
    use golem_model::oplog::FailureKind;
    use golem_model::{ComponentId, WorkerId};
    use golem_storage::StoreError;
    use serde_json::{Value as Json, json};

    /// Which of the three shapes a body has.
    fn shape(body: &Json) -> &'static str {
        match (&body["errors"], &body["error"], &body["golemError"]) {
            (Json::Array(_), Json::Null, Json::Null) => "errors",
            (Json::Null, Json::String(_), Json::Null) => "error",
            (Json::Null, Json::Null, Json::Object(golem)) => {
                match golem["type"].as_str().unwrap() {
                    "RuntimeError" => "RuntimeError",
                    "WorkerAlreadyExists" => "WorkerAlreadyExists",
                    "PreviousInvocationFailed" => "PreviousInvocationFailed",
                    "PreviousInvocationExited" => "PreviousInvocationExited",
                    "Interrupted" => "Interrupted",
                    "Unknown" => "Unknown",
                    "FileSystemError" => "FileSystemError",
                    other => panic!("{other}"),
                }
            }
            _ => panic!("{body}"),
        }
    }

    fn check(error: impl Coded + Into<ApiError>, status: u16, expect: &str) {
        let problem = error.problem();
        let answer: ApiError = error.into();
        let body = serde_json::to_value(&answer.body).unwrap();
        assert_eq!(
            (answer.status.as_u16(), shape(&body)),
            (status, expect),
            "{body}"
        );
        assert_eq!(body["code"], json!(problem.code));
        assert_eq!(body["message"], json!(problem.message));
        assert!(body["hint"].is_string(), "{body}");
    }

    #[test]
    fn each_component_error_has_its_status_and_shape() {
        let id = ComponentId::random();
        check(ComponentError::NotFound(id), 404, "error");
        check(ComponentError::NameNotFound("c".into()), 404, "error");
        check(ComponentError::VersionNotFound(id, 3), 404, "error");
        let absent = ComponentError::FileNotFound {
            component: id,
            version: 0,
            path: "/a".into(),
        };
        check(absent, 404, "error");
        check(ComponentError::AlreadyExists(id), 409, "error");
        check(ComponentError::NotAComponent("magic".into()), 400, "errors");
        check(
            ComponentError::UnknownImport(vec!["a:b/c".into()]),
            400,
            "errors",
        );
        check(
            ComponentError::TooLarge { bytes: 2, limit: 1 },
            413,
            "error",
        );
        check(ComponentError::Compile("x".into()), 400, "errors");
        check(ComponentError::BadName("/".into()), 400, "errors");
        check(ComponentError::Start("x".into()), 400, "errors");
        let (path, detail) = ("/a".to_owned(), "x".to_owned());
        check(ComponentError::BadFile { path, detail }, 400, "errors");
        check(
            ComponentError::Store(StoreError::Io("x".into())),
            500,
            "error",
        );
        check(ComponentError::Io("x".into()), 500, "error");
    }

    #[test]
    fn each_worker_error_has_its_status_and_shape() {
        let id = || WorkerId::new(ComponentId::random(), "w");
        let (component, message) = (id().component_id, String::from("m"));
        check(
            WorkerError::Component(ComponentError::NotFound(component)),
            404,
            "error",
        );
        check(WorkerError::NotFound(id()), 404, "error");
        check(WorkerError::AlreadyExists(id()), 500, "WorkerAlreadyExists");
        check(
            WorkerError::UnknownFunction {
                component,
                function: "f".into(),
                suggestion: None,
            },
            400,
            "errors",
        );
        check(
            WorkerError::BadArguments {
                function: "f".into(),
                detail: "x".into(),
            },
            400,
            "errors",
        );
        check(
            WorkerError::KeyReused {
                worker: id(),
                key: "k".into(),
            },
            409,
            "error",
        );
        check(
            WorkerError::Failed(golem_engine::Failure {
                kind: FailureKind::Trap,
                message: message.clone(),
                trace: String::new(),
                path: Vec::new(),
            }),
            500,
            "RuntimeError",
        );
        let (worker, key) = (id(), "k".to_owned());
        check(WorkerError::Timeout { worker, key }, 504, "error");
        let (worker, key) = (id(), "k".to_owned());
        check(WorkerError::Cancelled { worker, key }, 500, "RuntimeError");
        let (worker, detail) = (id(), "x".to_owned());
        check(
            WorkerError::BadUpdate {
                worker,
                version: 1,
                detail,
            },
            400,
            "errors",
        );
        let (worker, detail) = (id(), "x".to_owned());
        check(
            WorkerError::BadIndex {
                worker,
                index: 1,
                detail,
            },
            400,
            "errors",
        );
        check(
            WorkerError::PromiseNotFound {
                worker: id(),
                index: 1,
            },
            404,
            "error",
        );
        let (worker, what) = (id(), "no invocation".to_owned());
        check(WorkerError::NoInvocation { worker, what }, 404, "error");
        check(WorkerError::SharedStart("c".into()), 400, "errors");
        let (worker, path) = (id(), "a".to_owned());
        check(WorkerError::FileNotFound { worker, path }, 404, "error");
        let (worker, path, found) = (id(), "a".to_owned(), "a directory");
        let wrong_kind = WorkerError::FileKind {
            worker,
            path,
            found,
        };
        check(wrong_kind, 400, "errors");
        let (worker, path, detail) = (id(), "a".to_owned(), "x".to_owned());
        let unreadable = WorkerError::FileUnreadable {
            worker,
            path,
            detail,
        };
        check(unreadable, 500, "FileSystemError");
        check(
            WorkerError::PreviousFailed {
                worker: id(),
                message,
            },
            500,
            "PreviousInvocationFailed",
        );
        check(WorkerError::Exited(id()), 500, "PreviousInvocationExited");
        check(WorkerError::Interrupted(id()), 500, "Interrupted");
        check(WorkerError::Deleted(id()), 404, "error");
        check(
            WorkerError::Deadlock {
                path: vec!["a".into(), "b".into()],
            },
            500,
            "RuntimeError",
        );
        check(
            WorkerError::QueueFull {
                worker: id(),
                limit: 1,
            },
            429,
            "error",
        );
        check(
            WorkerError::TooLarge {
                what: "input",
                bytes: 2,
                limit: 1,
            },
            413,
            "error",
        );
        check(
            WorkerError::Store(StoreError::Io("x".into())),
            500,
            "Unknown",
        );
        check(
            WorkerError::Damaged {
                worker: id(),
                detail: "x".into(),
            },
            500,
            "Unknown",
        );
        check(WorkerError::Stopping, 503, "error");
    }

    #[test]
    fn errors_of_the_door_have_their_status() {
        check(RequestError::NoSuchPath { path: "/x".into() }, 404, "error");
        check(
            RequestError::MethodNotAllowed {
                path: "/x".into(),
                method: Method::PUT,
            },
            405,
            "error",
        );
        check(RequestError::BadJson { detail: "x".into() }, 400, "errors");
        check(
            RequestError::BodyTooLarge {
                what: "the body",
                limit: 1,
            },
            413,
            "error",
        );
        check(RequestError::BodyTimeout { seconds: 1 }, 408, "error");
        check(
            RequestError::ForeignOrigin {
                origin: "null".into(),
            },
            403,
            "error",
        );
        check(RequestError::Stopping, 503, "error");
        check(RequestError::NoPlugins { path: "/x".into() }, 501, "error");
        check(
            RequestError::NoApiDefinitions { path: "/x".into() },
            501,
            "error",
        );
        check(NameError::Dash("-w".into()), 400, "errors");
        let wrong = JsonError {
            path: "params[0].a".into(),
            kind: JsonErrorKind::TooDeep,
        };
        let answer = ApiError::from(wrong);
        assert_eq!(
            answer.body.errors,
            Some(vec!["params[0].a: nested deeper than 128".to_owned()])
        );
    }

    #[test]
    fn texts_that_clients_compare_are_kept() {
        let id = ComponentId::random();
        let conflict = ApiError::from(ComponentError::AlreadyExists(id));
        assert_eq!(
            conflict.body.error,
            Some(format!("Component already exists: {id}"))
        );
        let absent = ApiError::from(WorkerError::NotFound(WorkerId::new(id, "w")));
        assert_eq!(absent.body.error, Some(format!("Worker not found: {id}/w")));
    }

    #[test]
    fn who_comes_too_early_is_told_when_to_come_again() {
        let full = WorkerError::QueueFull {
            worker: WorkerId::new(ComponentId::random(), "w"),
            limit: 1,
        };
        assert_eq!(
            ApiError::from(full).into_response().headers()[RETRY_AFTER],
            "1"
        );
        assert!(
            !ApiError::from(RequestError::BadKey)
                .into_response()
                .headers()
                .contains_key(RETRY_AFTER)
        );
    }
}
