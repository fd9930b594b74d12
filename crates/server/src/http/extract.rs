// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/extract: path, query, key and JSON body of a request as typed values. In: the request. Out: ids,
//! numbers, bodies, or the error that names the wrong part. Bounds: `limits.rs`. Never calls the engine.
//! Read next: `upload.rs` (the multipart body), `worker.rs` (who uses this most).

use std::convert::Infallible;
use std::str::FromStr;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{FromRequestParts, Query, RawPathParams};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use bytes::BytesMut;
use futures_util::StreamExt as _;
use golem_model::api::{IDEMPOTENCY_KEY_HEADER, TokenId};
use golem_model::trace::TraceContext;
use golem_model::{ComponentId, ComponentVersion, IdempotencyKey, WorkerId};
use serde::de::DeserializeOwned;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::error::{ApiError, RequestError};
use crate::limits;

/// `{component}` of the path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ComponentAt(pub(crate) ComponentId);

/// `{component}` and `{version}` of the path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VersionAt(pub(crate) ComponentId, pub(crate) ComponentVersion);

/// `{token}` of the path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TokenAt(pub(crate) TokenId);

/// `{sha256}` of the path: the name of an export.
#[derive(Debug, Clone)]
pub(crate) struct ExportAt(pub(crate) String);

/// The trace that a request belongs to, if it says so. Headers that are none say nothing, as the standard wants it.
#[derive(Debug, Clone)]
pub(crate) struct Traced(pub(crate) Option<TraceContext>);

/// The span of the request itself, where it has one: what the request asks for is a part of it.
#[derive(Debug, Clone)]
pub(super) struct Inside(pub(super) TraceContext);

impl Traced {
    /// What the headers say.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let text = |name: &str| {
            let values = headers.get_all(name).iter();
            let texts: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
            (!texts.is_empty()).then(|| texts.join(","))
        };
        let context = text("traceparent")
            .and_then(|parent| TraceContext::from_headers(&parent, text("tracestate").as_deref()));
        Self(context)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Traced {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(match parts.extensions.get::<Inside>() {
            Some(Inside(context)) => Self(Some(context.clone())),
            None => Self::of(&parts.headers),
        })
    }
}

/// `{component}` and `{worker}` of the path.
#[derive(Debug, Clone)]
pub(crate) struct WorkerAt(pub(crate) WorkerId);

impl<S: Send + Sync> FromRequestParts<S> for ComponentAt {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let params = path(parts, state).await?;
        Ok(Self(component(&params)?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for VersionAt {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let params = path(parts, state).await?;
        Ok(Self(
            component(&params)?,
            parse(segment(&params, "version"), "the number of a version")?,
        ))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for TokenAt {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let params = path(parts, state).await?;
        Ok(Self(parse(
            segment(&params, "token"),
            "the id of a token (a UUID)",
        )?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ExportAt {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let params = path(parts, state).await?;
        let name = segment(&params, "sha256");
        let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if name.len() == 64 && name.bytes().all(digit) {
            return Ok(Self(name.to_owned()));
        }
        let expected = "the name of an export (64 hexadecimal digits in lower case)";
        Err(bad_path(name, expected).into())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for WorkerAt {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let params = path(parts, state).await?;
        let name = segment(&params, "worker");
        if name.len() > limits::WORKER_NAME_BYTES_MAX {
            return Err(bad_path(name, "a worker name of at most 512 bytes").into());
        }
        Ok(Self(WorkerId::new(component(&params)?, name)))
    }
}

/// The captures of the path, percent-decoded: a `/` inside a worker name arrives as `%2F`.
async fn path<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<RawPathParams, RequestError> {
    match RawPathParams::from_request_parts(parts, state).await {
        Ok(params) => Ok(params),
        Err(_) => Err(bad_path(parts.uri.path(), "percent-encoded UTF-8")),
    }
}

fn segment<'a>(params: &'a RawPathParams, name: &str) -> &'a str {
    params
        .iter()
        .find(|(key, _)| *key == name)
        .map_or("", |(_, value)| value)
}

fn component(params: &RawPathParams) -> Result<ComponentId, RequestError> {
    parse(segment(params, "component"), "a component id (a UUID)")
}

fn parse<T: FromStr>(text: &str, expected: &'static str) -> Result<T, RequestError> {
    text.parse().map_err(|_| bad_path(text, expected))
}

fn bad_path(text: &str, expected: &'static str) -> RequestError {
    RequestError::BadPath {
        text: short(text),
        expected,
    }
}

/// The start of a text that a client sent, for an error.
pub(crate) fn short(text: &str) -> String {
    const CHARS: usize = 120;
    let mut shown: String = text.chars().take(CHARS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// The query, in the order of the request; a name may come more than once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(pairs)) => Ok(Self(pairs)),
            Err(_) => Err(bad_path(
                parts.uri.query().unwrap_or(""),
                "a query of `name=value` pairs",
            )
            .into()),
        }
    }
}

impl Params {
    /// The first value of `name`.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Every value of `name`, in order.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let pairs = self.0.iter().filter(move |(key, _)| key == name);
        pairs.map(|(_, value)| value.as_str())
    }

    /// The first value of `name`, taken out. Errors: `MissingQuery`.
    pub(crate) fn take(&mut self, name: &'static str) -> Result<String, RequestError> {
        let found = self.0.iter_mut().find(|(key, _)| key == name);
        found
            .map(|(_, value)| std::mem::take(value))
            .ok_or(RequestError::MissingQuery { name })
    }

    /// The first value of `name` as a `T`. Errors: `BadQuery`.
    pub(crate) fn parse<T: FromStr>(
        &self,
        name: &'static str,
        expected: &'static str,
    ) -> Result<Option<T>, RequestError> {
        let parse = |value: &str| {
            value.parse().map_err(|_| RequestError::BadQuery {
                name,
                value: short(value),
                expected,
            })
        };
        self.get(name).map(parse).transpose()
    }
}

/// The `Idempotency-Key` header, if there is one.
#[derive(Debug, Clone)]
pub(crate) struct Key(pub(crate) Option<IdempotencyKey>);

impl<S: Send + Sync> FromRequestParts<S> for Key {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(Self(key(&parts.headers)?))
    }
}

impl Key {
    /// The key of the header, or a new one, and whether it is new: then nobody can have used it before.
    pub(crate) fn or_new(self) -> (IdempotencyKey, bool) {
        match self.0 {
            Some(key) => (key, false),
            None => (IdempotencyKey::random(), true),
        }
    }
}

fn key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, RequestError> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY_HEADER) else {
        return Ok(None);
    };
    match value.to_str() {
        Ok(text) if !text.is_empty() && text.len() <= limits::KEY_BYTES_MAX => {
            Ok(Some(IdempotencyKey(text.to_owned())))
        }
        _ => Err(RequestError::BadKey),
    }
}

/// Who decodes JSON bodies, and how much of them may be in memory at once.
#[derive(Debug)]
pub(crate) struct JsonBodies {
    budget: Semaphore,
}

impl JsonBodies {
    /// With the full budget.
    pub(crate) fn new() -> Self {
        Self {
            budget: Semaphore::new(limits::JSON_BUDGET_KIB as usize),
        }
    }

    /// Reads a body of at most [`limits::JSON_BYTES_MAX`]. The share of the budget comes with it: keep it until the
    /// decoded JSON is gone.
    ///
    /// Errors: `BodyTooLarge`, `BodyTimeout`, `BodyBroken`. Cancelled = nothing happened.
    pub(crate) async fn read(
        &self,
        body: Body,
    ) -> Result<(Bytes, Option<SemaphorePermit<'_>>), RequestError> {
        let limit = limits::JSON_BYTES_MAX;
        let size = body.size_hint();
        if size.lower() > limit as u64 {
            return Err(RequestError::BodyTooLarge {
                what: "the body",
                limit,
            });
        }
        let most = size
            .upper()
            .and_then(|bytes| usize::try_from(bytes).ok())
            .unwrap_or(limit)
            .min(limit);
        let share = if most <= limits::SMALL_JSON_BYTES_MAX {
            None
        } else {
            self.share(most).await?
        };
        Ok((receive(body, limit, limits::JSON_TIMEOUT).await?, share))
    }

    /// Reads and decodes a body. Errors: those of [`Self::read`], `BadJson`.
    pub(crate) async fn decode<T: DeserializeOwned>(&self, body: Body) -> Result<T, RequestError> {
        let (bytes, _share) = self.read(body).await?;
        from_slice(&bytes)
    }

    async fn share(&self, bytes: usize) -> Result<Option<SemaphorePermit<'_>>, RequestError> {
        let kib = u32::try_from(bytes.div_ceil(1024))
            .unwrap_or(limits::JSON_BUDGET_KIB)
            .min(limits::JSON_BUDGET_KIB);
        self.budget
            .acquire_many(kib)
            .await
            .map(Some)
            .map_err(|_| RequestError::Stopping)
    }
}

/// JSON text as a `T`. Errors: `BadJson` with line and column.
pub(crate) fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, RequestError> {
    serde_json::from_slice(bytes).map_err(|error| RequestError::BadJson {
        detail: error.to_string(),
    })
}

/// [`collect`] within `limit_time`. Errors: those of [`collect`], `BodyTimeout`.
pub(crate) async fn receive(
    body: Body,
    limit: usize,
    limit_time: Duration,
) -> Result<Bytes, RequestError> {
    match tokio::time::timeout(limit_time, collect(body, limit)).await {
        Ok(bytes) => bytes,
        Err(_) => Err(RequestError::BodyTimeout {
            seconds: limit_time.as_secs(),
        }),
    }
}

/// The whole body in one piece, without a copy when it came in one. Errors: `BodyTooLarge`, `BodyBroken`.
async fn collect(body: Body, limit: usize) -> Result<Bytes, RequestError> {
    let mut stream = body.into_data_stream();
    let mut whole: Option<Bytes> = None;
    let mut joined = BytesMut::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| RequestError::BodyBroken {
            detail: error.to_string(),
        })?;
        let before = joined.len() + whole.as_ref().map_or(0, Bytes::len);
        if before + chunk.len() > limit {
            return Err(RequestError::BodyTooLarge {
                what: "the body",
                limit,
            });
        }
        if before == 0 {
            whole = Some(chunk);
            continue;
        }
        if let Some(first) = whole.take() {
            joined.reserve(first.len() + chunk.len());
            joined.extend_from_slice(&first);
        }
        joined.extend_from_slice(&chunk);
    }
    Ok(whole.unwrap_or_else(|| joined.freeze()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderValue, Request, Uri};
    use futures_util::stream;
    use serde_json::json;

    async fn params(uri: &'static str) -> Params {
        let (mut parts, ()) = Request::builder()
            .uri(Uri::from_static(uri))
            .body(())
            .unwrap()
            .into_parts();
        Params::from_request_parts(&mut parts, &()).await.unwrap()
    }

    fn chunks(parts: &[&'static str]) -> Body {
        let parts: Vec<Result<&'static str, std::io::Error>> =
            parts.iter().map(|part| Ok(*part)).collect();
        Body::from_stream(stream::iter(parts))
    }

    #[tokio::test]
    async fn a_query_is_decoded_and_typed() {
        let mut query = params("/x?function=rpcdemo%3Acomponent2%2Fcomponent2-api.%7Badd%7D&count=5&precise=true&a=b+c").await;
        assert_eq!(
            query.take("function").unwrap(),
            "rpcdemo:component2/component2-api.{add}"
        );
        assert_eq!(query.parse::<usize>("count", "a number").unwrap(), Some(5));
        assert_eq!(
            query.parse::<bool>("precise", "`true` or `false`").unwrap(),
            Some(true)
        );
        assert_eq!(query.get("a"), Some("b c"));
        assert_eq!(
            query.take("missing"),
            Err(RequestError::MissingQuery { name: "missing" })
        );
        let wrong = params("/x?count=-1")
            .await
            .parse::<usize>("count", "a number");
        assert_eq!(
            wrong,
            Err(RequestError::BadQuery {
                name: "count",
                value: "-1".into(),
                expected: "a number"
            })
        );
    }

    #[test]
    fn a_key_is_bounded_and_visible() {
        let check = |value: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert("idempotency-key", HeaderValue::from_bytes(value).unwrap());
            key(&headers)
        };
        assert_eq!(check(b"k-1"), Ok(Some(IdempotencyKey("k-1".into()))));
        assert_eq!(check(b""), Err(RequestError::BadKey));
        assert_eq!(check("ü".as_bytes()), Err(RequestError::BadKey));
        assert_eq!(
            check(&[b'k'; limits::KEY_BYTES_MAX + 1]),
            Err(RequestError::BadKey)
        );
        assert_eq!(key(&HeaderMap::new()), Ok(None));
    }

    #[tokio::test]
    async fn a_body_in_chunks_is_joined_and_bounded() {
        assert_eq!(collect(chunks(&[]), 4).await.unwrap(), Bytes::new());
        assert_eq!(
            collect(chunks(&["abcd"]), 4).await.unwrap(),
            Bytes::from("abcd")
        );
        assert_eq!(
            collect(chunks(&["", "ab", "", "c"]), 4).await.unwrap(),
            Bytes::from("abc")
        );
        let too_large = collect(chunks(&["ab", "cde"]), 4).await;
        assert_eq!(
            too_large,
            Err(RequestError::BodyTooLarge {
                what: "the body",
                limit: 4
            })
        );
        let broken = Body::from_stream(stream::iter([Ok("a"), Err(std::io::Error::other("gone"))]));
        assert!(matches!(
            collect(broken, 4).await,
            Err(RequestError::BodyBroken { .. })
        ));
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_ends_in_a_timeout() {
        let never = Body::from_stream(stream::pending::<Result<&'static str, std::io::Error>>());
        let result = receive(never, 4, Duration::from_millis(1)).await;
        assert_eq!(result, Err(RequestError::BodyTimeout { seconds: 0 }));
    }

    #[tokio::test]
    async fn a_declared_size_over_the_limit_is_refused_unread() {
        let large = Body::from(vec![b'1'; limits::JSON_BYTES_MAX + 1]);
        let bodies = JsonBodies::new();
        let result = bodies.read(large).await;
        assert!(matches!(
            result,
            Err(RequestError::BodyTooLarge {
                limit: limits::JSON_BYTES_MAX,
                ..
            })
        ));
    }

    #[tokio::test]
    async fn a_large_body_gives_its_share_back() {
        let bodies = JsonBodies::new();
        let text = format!("[{}1]", "1,".repeat(limits::SMALL_JSON_BYTES_MAX));
        let (_, share) = bodies.read(Body::from(text.clone())).await.unwrap();
        assert!(share.is_some());
        assert!(bodies.budget.available_permits() < limits::JSON_BUDGET_KIB as usize);
        drop(share);
        assert_eq!(
            bodies.budget.available_permits(),
            limits::JSON_BUDGET_KIB as usize
        );
        let value: serde_json::Value = bodies.decode(Body::from("[1]")).await.unwrap();
        assert_eq!(value, json!([1]));
    }

    #[test]
    fn hostile_json_is_an_error_with_its_place() {
        let deep = "[".repeat(100_000);
        assert!(matches!(
            from_slice::<serde_json::Value>(deep.as_bytes()),
            Err(RequestError::BadJson { .. })
        ));
        let Err(RequestError::BadJson { detail }) =
            from_slice::<serde_json::Value>(b"{\"params\": [1,]}")
        else {
            panic!("taken")
        };
        assert!(detail.contains("line 1 column 15"), "{detail}");
    }
}
