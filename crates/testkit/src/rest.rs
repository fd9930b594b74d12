// SPDX-License-Identifier: Apache-2.0
//! THE GYM / rest: a client of the REST API that hides nothing: every call returns the status and the body.
//! Read next: `server.rs`. Source: client spec §6.6.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// A client of one server.
#[derive(Debug, Clone)]
pub struct Rest {
    agent: ureq::Agent,
    base: String,
}

/// Separates the parts of an upload; must not occur in them.
const BOUNDARY: &str = "golem-test-boundary-5f3a9c";

impl Rest {
    /// A client of the server at `base`.
    #[must_use]
    pub fn new(base: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build();
        Self {
            agent: config.into(),
            base: base.to_owned(),
        }
    }

    /// `GET path`.
    pub fn get(&self, path: &str) -> Result<(u16, Value)> {
        answer(self.agent.get(format!("{}{path}", self.base)).call()?)
    }

    /// `DELETE path`.
    pub fn delete(&self, path: &str) -> Result<(u16, Value)> {
        answer(self.agent.delete(format!("{}{path}", self.base)).call()?)
    }

    /// `POST path` with a JSON body, and an idempotency key if there is one.
    pub fn post(&self, path: &str, body: &Value, key: Option<&str>) -> Result<(u16, Value)> {
        let mut request = self
            .agent
            .post(format!("{}{path}", self.base))
            .header("content-type", "application/json");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        answer(request.send(body.to_string())?)
    }

    /// `POST path` with bytes as the body.
    pub fn post_bytes(&self, path: &str, bytes: &[u8]) -> Result<(u16, Value)> {
        let request = self.agent.post(format!("{}{path}", self.base));
        let request = request.header("content-type", "application/octet-stream");
        answer(request.send(bytes)?)
    }

    /// Uploads a component under `name` (a new one) or to `update` (a new version). `kind` is `Durable` or `Ephemeral`.
    pub fn upload(
        &self,
        path: &str,
        name: Option<&str>,
        kind: &str,
        wasm: &[u8],
    ) -> Result<(u16, Value)> {
        let mut body = Vec::with_capacity(wasm.len() + 1024);
        let mut text = |field: &str, value: &str| {
            let part = format!(
                "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n"
            );
            body.extend_from_slice(part.as_bytes());
        };
        if let Some(name) = name {
            text("name", name);
        }
        text("componentType", kind);
        let head = format!(
            "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"component\"; filename=\"c.wasm\"\r\n\
             content-type: application/octet-stream\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(wasm);
        body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
        let content = format!("multipart/form-data; boundary={BOUNDARY}");
        answer(
            self.agent
                .post(format!("{}{path}", self.base))
                .header("content-type", content)
                .send(&body[..])?,
        )
    }

    /// Uploads a new component and returns its id.
    pub fn create_component(&self, name: &str, wasm: &[u8]) -> Result<String> {
        let (status, body) = self.upload("/v1/components", Some(name), "Durable", wasm)?;
        let id = body
            .pointer("/versionedComponentId/componentId")
            .and_then(Value::as_str);
        match (status, id) {
            (200, Some(id)) => Ok(id.to_owned()),
            _ => bail!("upload of `{name}` answered {status}: {body}"),
        }
    }

    /// Calls a function of a worker and returns the whole answer.
    pub fn try_call(
        &self,
        component: &str,
        worker: &str,
        function: &str,
        params: &[Value],
        key: Option<&str>,
    ) -> Result<(u16, Value)> {
        let function = function
            .replace('{', "%7B")
            .replace('}', "%7D")
            .replace('/', "%2F")
            .replace(':', "%3A");
        let path = format!(
            "/v1/components/{component}/workers/{worker}/invoke-and-await?function={function}"
        );
        let params: Vec<Value> = params
            .iter()
            .map(|value| json!({ "value": value }))
            .collect();
        self.post(&path, &json!({ "params": params }), key)
    }

    /// Calls a function of a worker and returns its result, or null when it has none.
    pub fn call(
        &self,
        component: &str,
        worker: &str,
        function: &str,
        params: &[Value],
    ) -> Result<Value> {
        let (status, body) = self.try_call(component, worker, function, params, None)?;
        if status != 200 {
            bail!("{function} of {worker} answered {status}: {body}");
        }
        let values = body
            .pointer("/result/value")
            .and_then(Value::as_array)
            .context("the answer has no result")?;
        Ok(values.first().cloned().unwrap_or(Value::Null))
    }
}

fn answer(mut response: ureq::http::Response<ureq::Body>) -> Result<(u16, Value)> {
    let status = response.status().as_u16();
    let text = response
        .body_mut()
        .with_config()
        .limit(64 << 20)
        .read_to_string()?;
    Ok((
        status,
        serde_json::from_str(&text).unwrap_or(Value::String(text)),
    ))
}
