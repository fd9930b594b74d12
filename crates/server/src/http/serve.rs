// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/serve: `ANY /v1/components/{component}/workers/{worker}/http/…`: requests that a worker answers itself,
//! through `wasi:http/incoming-handler`. In: any request. Out: the worker's response, durable. Bounds: `limits.rs`.
//! Never looks into the body. Read next: golem-engine `serve.rs`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, HOST};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use golem_engine::{HttpRequest, HttpResponse, Target};

use super::Door;
use super::error::ApiError;
use super::extract::{Key, Traced, WorkerAt};
use super::routes::{INVOKE, Routes, WORKER};
use super::worker::with_key;

/// Segments of the path before what the worker sees: an empty one, `v1`, `components`, id, `workers`, name, `http`.
const SEGMENTS_BEFORE: usize = 7;

/// The routes.
pub(super) fn routes() -> Routes {
    Routes::new()
        .any(&format!("{WORKER}/http"), INVOKE, serve)
        .any(&format!("{WORKER}/http/{{*path}}"), INVOKE, serve)
}

async fn serve(
    State(door): State<Arc<Door>>,
    WorkerAt(worker): WorkerAt,
    given: Key,
    Traced(trace): Traced,
    request: Request,
) -> Response {
    let (key, is_new) = given.or_new();
    let answer = async {
        // Whatever its verb is, it is an invocation.
        door.takes_more().await?;
        let (head, body) = request.into_parts();
        let (bytes, _share) = door.json.read(body).await?;
        let authority = head
            .headers
            .get(HOST)
            .and_then(|host| host.to_str().ok())
            .map(str::to_owned);
        let headers = head
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()));
        let request = HttpRequest {
            method: head.method.as_str().to_owned(),
            scheme: "http".into(),
            authority,
            path_with_query: path_of_worker(head.uri.path(), head.uri.query()),
            headers: headers.collect(),
            body: bytes.to_vec(),
        };
        let target = Target::Worker(worker);
        let response = door
            .node
            .serve_http(target, key.clone(), is_new, &request, trace)
            .await?;
        Ok::<_, ApiError>(response)
    };
    let answer = answer.await;
    with_key(answer.map(response), &key)
}

/// What comes after `/http` in the path, as the client wrote it.
fn path_of_worker(path: &str, query: Option<&str>) -> String {
    let rest = path.splitn(SEGMENTS_BEFORE + 1, '/').nth(SEGMENTS_BEFORE);
    let rest = rest.unwrap_or_default();
    match query {
        Some(query) => format!("/{rest}?{query}"),
        None => format!("/{rest}"),
    }
}

fn response(answer: HttpResponse) -> Response {
    let Ok(status) = StatusCode::from_u16(answer.status) else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = status;
    for (name, value) in answer.headers {
        // The engine has checked names and values; the length is what the body has.
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_bytes(&value),
        ) && name != CONTENT_LENGTH
        {
            response.headers_mut().append(name, value);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worker_sees_what_comes_after_its_route() {
        let route = "/v1/components/c/workers/a%2Fb/http";
        for (rest, query, seen) in [
            ("", None, "/"),
            ("/", None, "/"),
            ("/a/b%20c/", Some("d=e&f"), "/a/b%20c/?d=e&f"),
            ("//x", None, "//x"),
        ] {
            assert_eq!(path_of_worker(&format!("{route}{rest}"), query), seen);
        }
    }
}
