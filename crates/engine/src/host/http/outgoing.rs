// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / outgoing: `wasi:http/outgoing-handler` and the types that it needs. A request is recorded with method, URL,
//! headers and a hash of its body before it leaves the node; the head of its response when the guest takes it, with the body
//! if that is here, otherwise each part of the body as it is read; a replay sends nothing.
//! Bound: `message.rs`. Read next: `call.rs`, `arriving.rs`. Source: runtime spec §2.2, §2.4.

use std::sync::Arc;

use golem_model::Value;
use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynOutputStream, DynPollable, subscribe};

use super::super::bindings::http::outgoing_handler;
use super::super::bindings::http::types::{self, ErrorCode, Method, Scheme};
use super::super::calls::{HTTP_RESPONSE, HTTP_SEND};
use super::super::durable::{Halt, Subject, input_hash};
use super::super::recorded::unreadable;
use super::super::state::{HostState, Linked};
use super::super::wait::wait_outside;
use super::arriving::Broken;
use super::call::{HttpCall, Response, Waiting, Way, subject};
use super::client::{Head, Request, Trouble};
use super::fields::Fields;
use super::message::{
    BodySlot, Content, HttpResponse, IncomingBody, IncomingResponse, OutgoingBody,
};
use super::types::Options;

/// Longest URL: what servers commonly take.
const URL_BYTES_MAX: usize = 16 << 10;

/// `wasi:http/types.outgoing-request`
#[derive(Debug)]
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it, which `pub(crate)` forbids"
)]
pub struct OutgoingRequest {
    method: String,
    path: Option<String>,
    scheme: Option<Scheme>,
    authority: Option<String>,
    fields: Fields,
    body: Option<BodySlot>,
}

/// A handle on a request that was sent.
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it, which `pub(crate)` forbids"
)]
pub type Future = Arc<HttpCall>;

pub(super) fn method_name(method: &Method) -> &str {
    match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Connect => "CONNECT",
        Method::Options => "OPTIONS",
        Method::Trace => "TRACE",
        Method::Patch => "PATCH",
        Method::Other(name) => name,
    }
}

pub(super) fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "CONNECT" => Method::Connect,
        "OPTIONS" => Method::Options,
        "TRACE" => Method::Trace,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}

pub(super) fn error_code(trouble: Trouble) -> ErrorCode {
    match trouble {
        Trouble::Denied => ErrorCode::HttpRequestDenied,
        Trouble::Prohibited => ErrorCode::DestinationIpProhibited,
        Trouble::NoName => ErrorCode::DnsError(types::DnsErrorPayload {
            rcode: None,
            info_code: None,
        }),
        Trouble::ConnectTimeout => ErrorCode::ConnectionTimeout,
        Trouble::Refused => ErrorCode::ConnectionRefused,
        Trouble::Terminated | Trouble::Closed => ErrorCode::ConnectionTerminated,
        Trouble::ResponseTimeout => ErrorCode::HttpResponseTimeout,
        Trouble::ReadTimeout => ErrorCode::ConnectionReadTimeout,
        Trouble::Tls => ErrorCode::TlsProtocolError,
        Trouble::Certificate => ErrorCode::TlsCertificateError,
        Trouble::Protocol => ErrorCode::HttpProtocolError,
        Trouble::Incomplete | Trouble::Changed => ErrorCode::HttpResponseIncomplete,
        Trouble::BadUrl => ErrorCode::HttpRequestUriInvalid,
        Trouble::HeadersTooLarge => ErrorCode::HttpResponseHeaderSectionSize(None),
        Trouble::Unreachable => ErrorCode::DestinationUnavailable,
        Trouble::Abandoned => ErrorCode::HttpRequestBodySize(None),
    }
}

/// What the guest gets of a request, and what the log keeps of that.
enum Given {
    /// The whole response.
    Whole(HttpResponse),
    /// The head; the rest is recorded as it is read.
    Begun(Response),
    /// There is none.
    Failed(Trouble),
}

impl Given {
    fn to_value(&self) -> Value {
        Value::Result(match self {
            Self::Whole(response) => Ok(Some(Box::new(response.to_value()))),
            Self::Begun(response) => Ok(Some(Box::new(response.head.to_value()))),
            Self::Failed(trouble) => Err(Some(Box::new(Value::U32(*trouble as u32)))),
        })
    }

    /// From the log. `None`: it is something else.
    fn from_value(value: Value, call: &HttpCall) -> Option<Self> {
        match value {
            Value::Result(Ok(Some(response))) => match Head::from_value(&response) {
                Some(head) => Some(Self::Begun(call.take_begun(head))),
                None => {
                    call.take_recorded();
                    HttpResponse::from_value(*response).map(Self::Whole)
                }
            },
            Value::Result(Err(Some(number))) => match *number {
                Value::U32(number) => {
                    call.take_recorded();
                    Trouble::from_number(number).map(Self::Failed)
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// Takes what there is of an outcome.
    fn of(outcome: Result<Response, Trouble>) -> Self {
        match outcome {
            Err(trouble) => Self::Failed(trouble),
            Ok(response) => match response.body.whole(&response.head) {
                Some(whole) => Self::Whole(whole),
                None => Self::Begun(response),
            },
        }
    }

    /// What the guest sees of it.
    fn into_response(self) -> Result<IncomingResponse, ErrorCode> {
        let (head, content) = match self {
            Self::Failed(trouble) => return Err(error_code(trouble)),
            Self::Begun(response) => (response.head, Content::Arriving(response.body)),
            Self::Whole(response) => {
                let (head, body, trailers) = response.into_parts();
                let content = Content::Whole {
                    bytes: body.into(),
                    trailers: trailers.map(Fields::fixed),
                };
                (head, content)
            }
        };
        Ok(IncomingResponse {
            status: head.status,
            fields: Fields::fixed(head.headers),
            body: Some(IncomingBody::new(content)),
        })
    }
}

/// Host and port of an authority. Errors: there is none, or it carries a password.
fn host_and_port(authority: &str, https: bool) -> Option<(String, u16)> {
    let default = if https { 443 } else { 80 };
    let parsed: hyper::http::uri::Authority = authority.parse().ok()?;
    if parsed.as_str().contains('@') || parsed.host().is_empty() {
        return None;
    }
    let host = parsed.host().trim_start_matches('[').trim_end_matches(']');
    let port = match parsed.port() {
        Some(port) => port.as_str().parse().ok()?,
        None => default,
    };
    Some((host.to_ascii_lowercase(), port))
}

impl OutgoingRequest {
    /// The request without its body. Errors: what makes it impossible.
    fn ready(&self, options: Options) -> Result<Request, ErrorCode> {
        let https = match &self.scheme {
            Some(Scheme::Http) => false,
            Some(Scheme::Https) | None => true,
            Some(Scheme::Other(_)) => return Err(ErrorCode::HttpProtocolError),
        };
        let authority = self
            .authority
            .clone()
            .ok_or(ErrorCode::HttpRequestUriInvalid)?;
        let path = match self.path.as_deref() {
            None | Some("") => "/".to_owned(),
            Some(path) if path.starts_with('?') => format!("/{path}"),
            Some(path) => path.to_owned(),
        };
        if authority.len() + path.len() > URL_BYTES_MAX {
            return Err(ErrorCode::HttpRequestUriTooLong);
        }
        let (host, port) =
            host_and_port(&authority, https).ok_or(ErrorCode::HttpRequestUriInvalid)?;
        Ok(Request {
            method: self.method.clone(),
            https,
            host,
            port,
            authority,
            path,
            headers: self.fields.entries.clone(),
            body: Vec::new(),
            timeouts: options.0,
            trace: None,
        })
    }
}

impl HostState {
    /// Records a request whose body is finished, and sends it unless it is only repeated.
    fn send_request(&mut self, call: &Arc<HttpCall>, request: Request) -> Result<(), Halt> {
        let number = self.invoking.next_call();
        let trace = self.call_trace(&format!("{} {number}", self.invoking.key.0));
        let request = Request { trace, ..request };
        let mut head = Vec::new();
        for (name, value) in &request.headers {
            head.extend_from_slice(name.as_bytes());
            head.push(b':');
            head.extend_from_slice(value);
            head.push(b'\n');
        }
        let subject = subject(&request);
        let hash = input_hash(&[subject.as_bytes(), &head, &request.body]);
        let repeated = if self.is_unrecorded() {
            false
        } else {
            let about = Subject {
                hash,
                subject: &subject,
                number,
                request: &request.to_value().to_bytes(),
            };
            self.journal()?.send(HTTP_SEND, &about)?.1
        };
        if repeated {
            call.repeated(request, number, !self.idempotence);
            return Ok(());
        }
        self.go_live()?;
        let seq = self.journal()?.last();
        call.send(request, number, seq);
        Ok(())
    }

    /// What came of a request: recorded, or taken from the network and recorded. `None`: not yet.
    async fn response(&mut self, call: &Arc<HttpCall>) -> Result<Option<Given>, Halt> {
        let number = call.number();
        if number == 0 {
            // Not sent, or closed: what the guest sees follows from what it did.
            return Ok(call.take().map(Given::of));
        }
        let input = input_hash(&[&number.to_le_bytes()]);
        if let Some(answer) = self.replayed_answer(HTTP_RESPONSE, input)? {
            return match answer {
                Value::Option(None) => Ok(None),
                Value::Option(Some(given)) => {
                    let given = Given::from_value(*given, call);
                    Ok(Some(given.ok_or_else(|| unreadable(HTTP_RESPONSE))?))
                }
                _ => Err(unreadable(HTTP_RESPONSE).into()),
            };
        }
        self.go_live()?;
        if !call.go() {
            return Err(Halt::InvalidRequest(format!(
                "`{}` may have been sent before the worker was interrupted, and idempotence mode is off: it is not \
                 sent again",
                call.subject()
            )));
        }
        let mut also = Vec::new();
        if call.was_repeated() {
            let link = self.link.clone();
            ((), also) = wait_outside(link.as_ref(), None, call.ended()).await;
        }
        let given = call.take().map(Given::of);
        let answer = Value::Option(given.as_ref().map(|given| Box::new(given.to_value())));
        self.record_answer(HTTP_RESPONSE, input, answer, also)?;
        Ok(given)
    }
}

impl outgoing_handler::Host for Linked<'_> {
    async fn handle(
        &mut self,
        request: Resource<OutgoingRequest>,
        options: Option<Resource<Options>>,
    ) -> Result<Result<Resource<Future>, ErrorCode>> {
        let request = self.0.table.delete(request)?;
        let options = match options {
            Some(options) => self.0.table.delete(options)?,
            None => Options::default(),
        };
        let ready = match request.ready(options) {
            Ok(ready) => ready,
            Err(error) => return Ok(Err(error)),
        };
        let way = Way::new(self.0.rpc.node(), Arc::clone(&self.0.network));
        let call = Arc::new(HttpCall::new(way));
        self.0.http_calls.add(Arc::clone(&call));
        match request.body {
            None => self.0.send_request(&call, ready)?,
            Some(slot) => {
                let finished = {
                    let mut state = slot.state.lock();
                    if !state.finished {
                        state.waiting = Some((Arc::clone(&call), ready.clone()));
                    }
                    state.finished
                };
                if finished {
                    let body = slot.written.close();
                    self.0.send_request(&call, Request { body, ..ready })?;
                }
            }
        }
        Ok(Ok(self.0.table.push(call)?))
    }
}

impl types::Host for Linked<'_> {
    async fn http_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> Result<Option<ErrorCode>> {
        let error = self.0.table.get(&error)?.downcast_ref::<Broken>();
        Ok(error.map(|Broken(trouble)| error_code(*trouble)))
    }
}

impl types::HostOutgoingRequest for Linked<'_> {
    async fn new(&mut self, fields: Resource<Fields>) -> Result<Resource<OutgoingRequest>> {
        let fields = self.0.table.delete(fields)?;
        Ok(self.0.table.push(OutgoingRequest {
            method: "GET".into(),
            path: None,
            scheme: None,
            authority: None,
            fields: Fields::fixed(fields.entries),
            body: None,
        })?)
    }

    async fn body(
        &mut self,
        request: Resource<OutgoingRequest>,
    ) -> Result<Result<Resource<OutgoingBody>, ()>> {
        let request = self.0.table.get_mut(&request)?;
        if request.body.is_some() {
            return Ok(Err(()));
        }
        let slot = BodySlot::new();
        request.body = Some(slot.clone());
        Ok(Ok(self.0.table.push(OutgoingBody { slot })?))
    }

    async fn method(&mut self, request: Resource<OutgoingRequest>) -> Result<Method> {
        Ok(method(&self.0.table.get(&request)?.method))
    }

    async fn set_method(
        &mut self,
        request: Resource<OutgoingRequest>,
        method: Method,
    ) -> Result<Result<(), ()>> {
        let name = method_name(&method);
        if hyper::Method::from_bytes(name.as_bytes()).is_err() {
            return Ok(Err(()));
        }
        self.0.table.get_mut(&request)?.method = name.to_owned();
        Ok(Ok(()))
    }

    async fn path_with_query(
        &mut self,
        request: Resource<OutgoingRequest>,
    ) -> Result<Option<String>> {
        Ok(self.0.table.get(&request)?.path.clone())
    }

    async fn set_path_with_query(
        &mut self,
        request: Resource<OutgoingRequest>,
        path: Option<String>,
    ) -> Result<Result<(), ()>> {
        let valid = path.as_deref().is_none_or(|path| {
            path.is_empty() || path.parse::<hyper::http::uri::PathAndQuery>().is_ok()
        });
        if !valid {
            return Ok(Err(()));
        }
        self.0.table.get_mut(&request)?.path = path;
        Ok(Ok(()))
    }

    async fn scheme(&mut self, request: Resource<OutgoingRequest>) -> Result<Option<Scheme>> {
        Ok(self.0.table.get(&request)?.scheme.clone())
    }

    async fn set_scheme(
        &mut self,
        request: Resource<OutgoingRequest>,
        scheme: Option<Scheme>,
    ) -> Result<Result<(), ()>> {
        self.0.table.get_mut(&request)?.scheme = scheme;
        Ok(Ok(()))
    }

    async fn authority(&mut self, request: Resource<OutgoingRequest>) -> Result<Option<String>> {
        Ok(self.0.table.get(&request)?.authority.clone())
    }

    async fn set_authority(
        &mut self,
        request: Resource<OutgoingRequest>,
        authority: Option<String>,
    ) -> Result<Result<(), ()>> {
        let valid = authority
            .as_deref()
            .is_none_or(|authority| host_and_port(authority, true).is_some());
        if !valid {
            return Ok(Err(()));
        }
        self.0.table.get_mut(&request)?.authority = authority;
        Ok(Ok(()))
    }

    async fn headers(&mut self, request: Resource<OutgoingRequest>) -> Result<Resource<Fields>> {
        let fields = self.0.table.get(&request)?.fields.clone();
        Ok(self.0.table.push(fields)?)
    }

    async fn drop(&mut self, request: Resource<OutgoingRequest>) -> Result<()> {
        self.0.table.delete(request)?;
        Ok(())
    }
}

impl types::HostOutgoingBody for Linked<'_> {
    async fn write(
        &mut self,
        body: Resource<OutgoingBody>,
    ) -> Result<Result<Resource<DynOutputStream>, ()>> {
        let written = self.0.table.get(&body)?.slot.written.clone();
        Ok(written.stream(&mut self.0.table)?.ok_or(()))
    }

    async fn finish(
        &mut self,
        body: Resource<OutgoingBody>,
        trailers: Option<Resource<Fields>>,
    ) -> Result<Result<(), ErrorCode>> {
        let body = self.0.table.delete(body)?;
        let trailers = match trailers {
            Some(trailers) => self.0.table.delete(trailers)?.entries,
            None => Vec::new(),
        };
        if !trailers.is_empty() {
            give_up(&body.slot);
            let text = "trailers cannot be sent".to_owned();
            return Ok(Err(ErrorCode::InternalError(Some(text))));
        }
        let waiting = {
            let mut state = body.slot.state.lock();
            state.finished = true;
            state.waiting.take()
        };
        if let Some((call, request)) = waiting {
            let body = body.slot.written.close();
            self.0.send_request(&call, Request { body, ..request })?;
        }
        Ok(Ok(()))
    }

    async fn drop(&mut self, body: Resource<OutgoingBody>) -> Result<()> {
        let body = self.0.table.delete(body)?;
        give_up(&body.slot);
        Ok(())
    }
}

/// A body that is not finished is worth nothing: the request that waits for it is never sent.
fn give_up(slot: &BodySlot) {
    if let Some((call, _)) = slot.state.lock().waiting.take() {
        call.end(Err(Trouble::Abandoned));
    }
}

impl types::HostFutureIncomingResponse for Linked<'_> {
    async fn subscribe(&mut self, future: Resource<Future>) -> Result<Resource<DynPollable>> {
        let call = Arc::clone(self.0.table.get(&future)?);
        let waiting = self.0.table.push(Waiting(call))?;
        subscribe(&mut self.0.table, waiting)
    }

    async fn get(
        &mut self,
        future: Resource<Future>,
    ) -> Result<Option<Result<Result<Resource<IncomingResponse>, ErrorCode>, ()>>> {
        let call = Arc::clone(self.0.table.get(&future)?);
        if call.is_taken() {
            return Ok(Some(Err(())));
        }
        let Some(given) = self.0.response(&call).await? else {
            return Ok(None);
        };
        Ok(Some(Ok(match given.into_response() {
            Ok(response) => Ok(self.0.table.push(response)?),
            Err(code) => Err(code),
        })))
    }

    async fn drop(&mut self, future: Resource<Future>) -> Result<()> {
        // What is on its way goes on until the invocation ends: it may be meant to happen.
        self.0.table.delete(future)?;
        Ok(())
    }
}
