// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / incoming: components that export `wasi:http/incoming-handler`. A request is the input of an ordinary
//! invocation, its response the result, both in one piece and in the log. Bound: `message.rs`. Read next:
//! `../../instance.rs`, `../../serve.rs`. Source: design host §9.

use std::sync::Arc;

use golem_model::Value;
use golem_model::types::Export;
use parking_lot::Mutex;
use wasmtime::Result;
use wasmtime::component::Resource;

use super::super::bindings::http::types::{self, ErrorCode, Method, Scheme};
use super::super::durable::input_hash;
use super::super::state::{HostState, Linked};
use super::fields::{Fields, is_forbidden};
use super::message::{Content, HttpRequest, HttpResponse, IncomingBody, OutgoingResponse};
use super::outgoing::method;

/// What the interface's name begins with, in any patch of WASI 0.2.
const HANDLER: &str = "wasi:http/incoming-handler@0.2.";

/// `wasi:http/types.incoming-request`
#[derive(Debug)]
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it, which `pub(crate)` forbids"
)]
pub struct Incoming {
    request: HttpRequest,
    fields: Fields,
    body: Option<IncomingBody>,
}

/// What the guest answers, once it has.
type Answer = Arc<Mutex<Option<Result<OutgoingResponse, ErrorCode>>>>;

/// `wasi:http/types.response-outparam`
#[derive(Debug)]
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it, which `pub(crate)` forbids"
)]
pub struct Outparam {
    answer: Answer,
}

/// A request that is being handled.
pub(crate) struct Serving {
    answer: Answer,
}

/// Whether a function of a component is the handler of requests.
pub(crate) fn is_handler(function: &str) -> bool {
    function.starts_with(HANDLER) && function.ends_with(".{handle}")
}

/// What makes two requests with the same key the same one: method, path and body. Headers differ when a client tries again
/// (dates, traces, the address of a server that has moved). `None`: not a request.
pub(crate) fn request_hash(function: &str, input: &[u8]) -> Option<u64> {
    if !is_handler(function) {
        return None;
    }
    let Ok(Value::Tuple(values)) = Value::from_bytes(input) else {
        return None;
    };
    let request = HttpRequest::from_value(values.first()?)?;
    Some(input_hash(&[
        function.as_bytes(),
        request.method.as_bytes(),
        request.path_with_query.as_bytes(),
        &request.body,
    ]))
}

/// The handler of requests among the exports of a component.
pub(crate) fn handler_of(exports: &[Export]) -> Option<String> {
    exports.iter().find_map(|export| match export {
        Export::Instance { name, .. } if name.starts_with(HANDLER) => {
            Some(format!("{name}.{{handle}}"))
        }
        _ => None,
    })
}

impl Serving {
    /// Gives the guest a request: the handles that its handler takes.
    pub(crate) fn begin(
        state: &mut HostState,
        request: HttpRequest,
    ) -> Result<(Resource<Incoming>, Resource<Outparam>, Self)> {
        let answer = Answer::default();
        let headers = request
            .headers
            .iter()
            .filter(|(name, _)| !is_forbidden(name));
        let incoming = Incoming {
            fields: Fields::fixed(headers.cloned().collect()),
            body: Some(IncomingBody::new(Content::Whole {
                bytes: request.body.clone().into(),
                trailers: None,
            })),
            request,
        };
        let incoming = state.table.push(incoming)?;
        let outparam = state.table.push(Outparam {
            answer: Arc::clone(&answer),
        })?;
        Ok((incoming, outparam, Self { answer }))
    }

    /// What the guest has answered. Errors: it has not, or not completely.
    pub(crate) fn end(self) -> Result<HttpResponse, String> {
        let response = match self.answer.lock().take() {
            None => return Err("the handler returned without an answer".into()),
            Some(Err(code)) => return Err(format!("the handler answered with an error: {code:?}")),
            Some(Ok(response)) => response,
        };
        let body = match response.body {
            None => Vec::new(),
            Some(slot) if slot.state.lock().finished => slot.written.close(),
            Some(_) => return Err("the handler returned before its body was finished".into()),
        };
        Ok(HttpResponse {
            status: response.status,
            headers: response.fields.entries,
            body,
            trailers: None,
        })
    }
}

impl types::HostIncomingRequest for Linked<'_> {
    async fn method(&mut self, request: Resource<Incoming>) -> Result<Method> {
        Ok(method(&self.0.table.get(&request)?.request.method))
    }

    async fn path_with_query(&mut self, request: Resource<Incoming>) -> Result<Option<String>> {
        let path = &self.0.table.get(&request)?.request.path_with_query;
        Ok(Some(path.clone()))
    }

    async fn scheme(&mut self, request: Resource<Incoming>) -> Result<Option<Scheme>> {
        let scheme = &self.0.table.get(&request)?.request.scheme;
        Ok(Some(match scheme.as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            other => Scheme::Other(other.to_owned()),
        }))
    }

    async fn authority(&mut self, request: Resource<Incoming>) -> Result<Option<String>> {
        Ok(self.0.table.get(&request)?.request.authority.clone())
    }

    async fn headers(&mut self, request: Resource<Incoming>) -> Result<Resource<Fields>> {
        let fields = self.0.table.get(&request)?.fields.clone();
        Ok(self.0.table.push(fields)?)
    }

    async fn consume(
        &mut self,
        request: Resource<Incoming>,
    ) -> Result<Result<Resource<IncomingBody>, ()>> {
        match self.0.table.get_mut(&request)?.body.take() {
            Some(body) => Ok(Ok(self.0.table.push(body)?)),
            None => Ok(Err(())),
        }
    }

    async fn drop(&mut self, request: Resource<Incoming>) -> Result<()> {
        self.0.table.delete(request)?;
        Ok(())
    }
}

impl types::HostResponseOutparam for Linked<'_> {
    async fn set(
        &mut self,
        outparam: Resource<Outparam>,
        response: Result<Resource<OutgoingResponse>, ErrorCode>,
    ) -> Result<()> {
        let outparam = self.0.table.delete(outparam)?;
        let answer = match response {
            Ok(response) => Ok(self.0.table.delete(response)?),
            Err(code) => Err(code),
        };
        *outparam.answer.lock() = Some(answer);
        Ok(())
    }

    async fn drop(&mut self, outparam: Resource<Outparam>) -> Result<()> {
        self.0.table.delete(outparam)?;
        Ok(())
    }
}
