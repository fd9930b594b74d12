// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/reply: the bodies of answers. In: serde types. Out: responses. Never decides a status.
//! Read next: `error.rs`.

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use axum::http::{StatusCode, response};
use axum::response::Response;
use serde::Serialize;

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const PROMETHEUS: HeaderValue =
    HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// Room for the answer of a usual invocation, so that writing it does not grow the buffer.
const JSON_BYTES_USUAL: usize = 256;

/// `value` as JSON.
pub(crate) fn json<T: Serialize>(status: StatusCode, value: &T) -> Response {
    let mut text = Vec::with_capacity(JSON_BYTES_USUAL);
    match serde_json::to_writer(&mut text, value) {
        Ok(()) => with(status, JSON, Body::from(text)),
        Err(error) => {
            tracing::error!(%error, "an answer cannot be written as JSON");
            let text = r#"{"error":"the answer cannot be written as JSON","code":"API-016"}"#;
            with(StatusCode::INTERNAL_SERVER_ERROR, JSON, Body::from(text))
        }
    }
}

/// `value` as JSON with status 200.
pub(crate) fn ok<T: Serialize>(value: &T) -> Response {
    json(StatusCode::OK, value)
}

/// JSON text that is known beforehand, with status 200.
pub(crate) fn fixed(text: &'static str) -> Response {
    with(StatusCode::OK, JSON, Body::from(text))
}

/// Text of Prometheus with status 200.
pub(crate) fn text(text: String) -> Response {
    with(StatusCode::OK, PROMETHEUS, Body::from(text))
}

/// Bytes with status 200.
pub(crate) fn bytes(bytes: Vec<u8>) -> Response {
    with(StatusCode::OK, BYTES, Body::from(bytes))
}

/// Bytes with status 200, of which `bytes` are announced.
pub(crate) fn stream(bytes: u64, body: Body) -> Response {
    let mut response = with(StatusCode::OK, BYTES, body);
    response
        .headers_mut()
        .insert(CONTENT_LENGTH, HeaderValue::from(bytes));
    response
}

fn with(status: StatusCode, kind: HeaderValue, body: Body) -> Response {
    let (mut parts, ()) = response::Response::new(()).into_parts();
    parts.status = status;
    parts.headers.insert(CONTENT_TYPE, kind);
    Response::from_parts(parts, body)
}
