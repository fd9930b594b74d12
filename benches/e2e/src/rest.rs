// SPDX-License-Identifier: Apache-2.0
//! THE SCALES / rest: the few REST calls that a measurement needs. In a [`Connection`], out ids and values.
//! Never measures. Source: REST of Golem 1.1, components and workers. Read next: `rows.rs`.

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::http::Connection;

/// Separates the parts of an upload; must not occur in a component.
const BOUNDARY: &str = "golem-bench-4c1f6d0b9e7a";

/// Uploads `wasm` as the durable component `name` and returns its id.
pub(crate) async fn upload(
    connection: &mut Connection,
    name: &str,
    wasm: &[u8],
) -> anyhow::Result<String> {
    let mut body = Vec::new();
    for (part, value) in [("name", name), ("componentType", "Durable")] {
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
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    let answer = ask(connection, "POST", "/v1/components", &kind, &body).await?;
    answer
        .pointer("/versionedComponentId/componentId")
        .and_then(Value::as_str)
        .map(str::to_owned)
        .with_context(|| format!("the upload of `{name}` returned no id: {answer}"))
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

/// Invokes by `path` and returns the one number that comes back.
pub(crate) async fn invoke(
    connection: &mut Connection,
    path: &str,
    params: &[u64],
) -> anyhow::Result<u64> {
    let params: Vec<Value> = params
        .iter()
        .map(|value| json!({ "value": value }))
        .collect();
    let body = json!({ "params": params }).to_string();
    let answer = ask(
        connection,
        "POST",
        path,
        "application/json",
        body.as_bytes(),
    )
    .await?;
    answer
        .pointer("/result/value/0")
        .and_then(Value::as_u64)
        .with_context(|| format!("`{path}` returned no number: {answer}"))
}

async fn ask(
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
    serde_json::from_str(&text)
        .with_context(|| format!("`{method} {path}` returned no JSON: {text}"))
}
