// SPDX-License-Identifier: Apache-2.0
//! THE SCALES / rest: the few REST calls that a measurement needs. In a [`Connection`], out ids and values.
//! Never measures. Source: REST of Golem 1.1, components and workers. Read next: `rows.rs`.

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::http::Connection;

/// Separates the parts of an upload; must not occur in a component.
const BOUNDARY: &str = "golem-bench-4c1f6d0b9e7a";

/// Uploads `wasm` as the component `name`, `Durable` or `Ephemeral`, and returns its id.
pub(crate) async fn upload(
    connection: &mut Connection,
    name: &str,
    kind: &str,
    wasm: &[u8],
) -> anyhow::Result<String> {
    upload_parts(connection, &[("name", name), ("componentType", kind)], wasm).await
}

/// Uploads `wasm` as the durable component `name`, whose workers share their start, and returns its id.
pub(crate) async fn upload_sharing(
    connection: &mut Connection,
    name: &str,
    wasm: &[u8],
) -> anyhow::Result<String> {
    let parts = [("name", name), ("capabilities", r#"{"start":"shared"}"#)];
    upload_parts(connection, &parts, wasm).await
}

async fn upload_parts(
    connection: &mut Connection,
    parts: &[(&str, &str)],
    wasm: &[u8],
) -> anyhow::Result<String> {
    let mut body = Vec::new();
    for (part, value) in parts {
        body.extend_from_slice(
            format!(
                "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{part}\"\r\n\r\n{value}\r\n"
            )
            .as_bytes(),
        );
    }
    body.extend_from_slice(
        format!(
            "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"component\"; filename=\"component\"\r\n\
             content-type: application/octet-stream\r\n\r\n"
        )
        .as_bytes(),
    );
    body.extend_from_slice(wasm);
    body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    let form = format!("multipart/form-data; boundary={BOUNDARY}");
    let answer = ask(connection, "POST", "/v1/components", &form, &body).await?;
    answer
        .pointer("/versionedComponentId/componentId")
        .and_then(Value::as_str)
        .map(str::to_owned)
        .with_context(|| format!("the upload of {parts:?} returned no id: {answer}"))
}

/// Creates the worker `name` with environment `env`.
pub(crate) async fn add_worker(
    connection: &mut Connection,
    component: &str,
    name: &str,
    env: &[(&str, &str)],
) -> anyhow::Result<()> {
    let env: serde_json::Map<String, Value> = env
        .iter()
        .map(|(k, v)| ((*k).to_owned(), json!(v)))
        .collect();
    let body = json!({ "name": name, "args": [], "env": env }).to_string();
    let path = format!("/v1/components/{component}/workers");
    ask(
        connection,
        "POST",
        &path,
        "application/json",
        body.as_bytes(),
    )
    .await?;
    Ok(())
}

/// Path that invokes `function` of `interface` on `worker` and waits for its result.
pub(crate) fn invoke_path(
    component: &str,
    worker: &str,
    interface: &str,
    function: &str,
) -> String {
    format!(
        "/v1/components/{component}/workers/{worker}/invoke-and-await?function={interface}.%7B{function}%7D"
    )
}

/// Path that invokes `function` of `interface` on an instance of an ephemeral component, and waits for its result.
pub(crate) fn fresh_path(component: &str, interface: &str, function: &str) -> String {
    format!("/v1/components/{component}/invoke-and-await?function={interface}.%7B{function}%7D")
}

/// Lets a worker begin something without waiting for its end.
pub(crate) async fn begin(
    connection: &mut Connection,
    component: &str,
    worker: &str,
    function: &str,
    param: u64,
) -> anyhow::Result<()> {
    let path = format!("/v1/components/{component}/workers/{worker}/invoke?function={function}");
    let body = json!({ "params": [{ "value": param }] }).to_string();
    ask(
        connection,
        "POST",
        &path,
        "application/json",
        body.as_bytes(),
    )
    .await?;
    Ok(())
}

/// What a worker does, in the words of the REST API.
pub(crate) async fn status(
    connection: &mut Connection,
    component: &str,
    worker: &str,
) -> anyhow::Result<String> {
    let path = format!("/v1/components/{component}/workers/{worker}");
    let view = ask(connection, "GET", &path, "application/json", b"").await?;
    let status = view.get("status").and_then(Value::as_str);
    Ok(status.context("a view without a status")?.to_owned())
}

/// Sends a request and reads its answer as JSON; null for an empty one. Errors: not 2xx, no JSON.
pub(crate) async fn ask(
    connection: &mut Connection,
    method: &str,
    path: &str,
    kind: &str,
    body: &[u8],
) -> anyhow::Result<Value> {
    let message = connection.request(method, path, kind, body).await?;
    let status = message.status();
    let text = String::from_utf8_lossy(&message.body);
    anyhow::ensure!(
        (200..300).contains(&status),
        "`{method} {path}` was answered with {status}: {text}"
    );
    if text.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(&text)
        .with_context(|| format!("`{method} {path}` returned no JSON: {text}"))
}

/// The value of a metric without labels in the text format of Prometheus.
pub(crate) async fn metric(connection: &mut Connection, name: &str) -> anyhow::Result<f64> {
    let message = connection
        .request("GET", "/metrics", "text/plain", b"")
        .await?;
    let text = String::from_utf8_lossy(&message.body);
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
        .with_context(|| format!("the server has no metric `{name}`"))
}
