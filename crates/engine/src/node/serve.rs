// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / node/serve: requests of HTTP for components that export `wasi:http/incoming-handler`. In: a request. Out: the
//! response of the worker's instance, durable. An ordinary invocation in all else. Read next: `../host/http/incoming.rs`.

use std::sync::Arc;

use golem_model::trace::TraceContext;
use golem_model::{IdempotencyKey, Value};

use super::Node;
use crate::error::WorkerError;
use crate::host::{HttpRequest, HttpResponse, handler_of};
use crate::limits::{NAME_BYTES_MAX, PAYLOAD_BYTES_MAX, check_bytes};
use crate::queue::Target;

/// The trace that a request belongs to.
fn trace_of(request: &HttpRequest) -> Option<TraceContext> {
    let header = |wanted: &str| {
        let found = request.headers.iter().find(|(name, _)| name == wanted);
        found.and_then(|(_, value)| std::str::from_utf8(value).ok())
    };
    TraceContext::from_headers(header("traceparent")?, header("tracestate"))
}

impl Node {
    /// Lets a worker answer a request; the same key gets the same response. It belongs to `trace`, else to the one that its headers name.
    /// Errors: as for an invocation, and
    /// `UnknownFunction` when the component exports no handler.
    pub async fn serve_http(
        self: &Arc<Self>,
        target: Target,
        key: IdempotencyKey,
        key_is_new: bool,
        request: &HttpRequest,
        trace: Option<TraceContext>,
    ) -> Result<HttpResponse, WorkerError> {
        let target = self.addressed(target);
        let component = self.component(target.component(), None)?;
        let handler = handler_of(&component.metadata.exports).ok_or_else(|| {
            WorkerError::UnknownFunction {
                component: target.component(),
                function: "wasi:http/incoming-handler.{handle}".into(),
                suggestion: None,
            }
        })?;
        let exported = self.exported(&target, &handler)?;
        let input = Value::Tuple(vec![request.to_value()]).to_bytes();
        check_bytes("request", input.len(), PAYLOAD_BYTES_MAX)?;
        check_bytes("idempotency key", key.0.len(), NAME_BYTES_MAX)?;
        let value = self
            .run_to_end(
                target,
                &exported,
                key,
                !key_is_new,
                input,
                (None, trace.or_else(|| trace_of(request))),
            )
            .await?;
        let response = match value {
            Value::Tuple(mut values) if values.len() == 1 => values.pop(),
            _ => None,
        };
        response
            .and_then(HttpResponse::from_value)
            .ok_or_else(|| WorkerError::BadArguments {
                function: exported.name.clone(),
                detail: "this key belongs to an invocation that is no request".into(),
            })
    }
}
