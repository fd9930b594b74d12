// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / message: requests and responses of HTTP, their form in the log, and the host's side of their resources. Never
//! touches a socket. Bound: [`BODY_BYTES_MAX`], [`HEADERS_BYTES_MAX`]. Read next: `outgoing.rs`.

use std::sync::Arc;

use golem_model::Value;
use parking_lot::Mutex;

use super::super::body::Written;
use super::arriving::Arriving;
use super::call::HttpCall;
use super::client::{Head, Request};
use super::fields::Fields;

/// Largest body that is in one piece, so of requests in both directions and of responses of a worker: it is in memory at
/// once, and one value of the log.
pub(crate) const BODY_BYTES_MAX: usize = 32 << 20;
/// Most bytes of all names and values of a header section. Source: reliability spec §5.
pub(crate) const HEADERS_BYTES_MAX: usize = 1 << 20;

/// Name and value of a header. Names are in lower case.
pub(crate) type Header = (String, Vec<u8>);

/// A request from outside, for a component that exports `wasi:http/incoming-handler`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// `GET`, `POST` and so on.
    pub method: String,
    /// `http` or `https`.
    pub scheme: String,
    /// Host and port that the client asked for, if it said so.
    pub authority: Option<String>,
    /// Path and query, from the part after the worker's route on; begins with `/`.
    pub path_with_query: String,
    /// Headers in their order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The whole body.
    pub body: Vec<u8>,
}

/// The response to it, or one from outside to a guest's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// Status, 100 to 999.
    pub status: u16,
    /// Headers in their order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The whole body.
    pub body: Vec<u8>,
    /// Trailers, if there were some.
    pub trailers: Option<Vec<(String, Vec<u8>)>>,
}

pub(super) fn headers_value(headers: &[Header]) -> Value {
    let header = |(name, value): &Header| {
        Value::Tuple(vec![
            Value::String(name.clone()),
            Value::Bytes(value.clone()),
        ])
    };
    Value::List(headers.iter().map(header).collect())
}

pub(super) fn headers_from(value: Value) -> Option<Vec<Header>> {
    let Value::List(items) = value else {
        return None;
    };
    let header = |item| match item {
        Value::Tuple(parts) => match <[Value; 2]>::try_from(parts) {
            Ok([Value::String(name), Value::Bytes(value)]) => Some((name, value)),
            _ => None,
        },
        _ => None,
    };
    items.into_iter().map(header).collect()
}

impl HttpRequest {
    /// As it is in the log.
    pub(crate) fn to_value(&self) -> Value {
        let authority = self.authority.clone();
        Value::Tuple(vec![
            Value::String(self.method.clone()),
            Value::String(self.scheme.clone()),
            Value::Option(authority.map(|text| Box::new(Value::String(text)))),
            Value::String(self.path_with_query.clone()),
            headers_value(&self.headers),
            Value::Bytes(self.body.clone()),
        ])
    }

    /// From the log. `None`: it is something else.
    pub(crate) fn from_value(value: &Value) -> Option<Self> {
        let Value::Tuple(parts) = value else {
            return None;
        };
        let [
            Value::String(method),
            Value::String(scheme),
            Value::Option(authority),
            Value::String(path),
            headers,
            Value::Bytes(body),
        ] = parts.as_slice()
        else {
            return None;
        };
        let authority = match authority.as_deref() {
            None => None,
            Some(Value::String(authority)) => Some(authority.clone()),
            Some(_) => return None,
        };
        Some(Self {
            method: method.clone(),
            scheme: scheme.clone(),
            authority,
            path_with_query: path.clone(),
            headers: headers_from(headers.clone())?,
            body: body.clone(),
        })
    }
}

impl Head {
    /// As it is in the log: what follows it is recorded as it is read.
    pub(crate) fn to_value(&self) -> Value {
        Value::Tuple(vec![Value::U16(self.status), headers_value(&self.headers)])
    }

    /// From the log. `None`: it is something else.
    pub(crate) fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Tuple(parts) => match parts.as_slice() {
                [Value::U16(status), headers] => Some(Self {
                    status: *status,
                    headers: headers_from(headers.clone())?,
                }),
                _ => None,
            },
            _ => None,
        }
    }
}

impl HttpResponse {
    /// Head, body, trailers.
    pub(super) fn into_parts(self) -> (Head, Vec<u8>, Option<Vec<Header>>) {
        let head = Head {
            status: self.status,
            headers: self.headers,
        };
        (head, self.body, self.trailers)
    }

    /// As it is in the log.
    pub(crate) fn to_value(&self) -> Value {
        let trailers = self.trailers.as_ref();
        Value::Tuple(vec![
            Value::U16(self.status),
            headers_value(&self.headers),
            Value::Bytes(self.body.clone()),
            Value::Option(trailers.map(|trailers| Box::new(headers_value(trailers)))),
        ])
    }

    /// From the log. `None`: it is something else.
    pub(crate) fn from_value(value: Value) -> Option<Self> {
        let Value::Tuple(parts) = value else {
            return None;
        };
        let Ok(
            [
                Value::U16(status),
                headers,
                Value::Bytes(body),
                Value::Option(trailers),
            ],
        ) = <[Value; 4]>::try_from(parts)
        else {
            return None;
        };
        let trailers = match trailers {
            None => None,
            Some(trailers) => Some(headers_from(*trailers)?),
        };
        Some(Self {
            status,
            headers: headers_from(headers)?,
            body,
            trailers,
        })
    }
}

/// A body that a guest writes, and who waits for its end.
#[derive(Debug, Default)]
pub(crate) struct BodyState {
    /// It was finished: nothing is missing.
    pub(crate) finished: bool,
    /// The request that is sent once its body is finished.
    pub(crate) waiting: Option<(Arc<HttpCall>, Request)>,
}

/// A body that a guest writes.
#[derive(Debug, Clone)]
pub(crate) struct BodySlot {
    pub(crate) written: Written,
    pub(crate) state: Arc<Mutex<BodyState>>,
}

impl BodySlot {
    pub(crate) fn new() -> Self {
        Self {
            written: Written::new(BODY_BYTES_MAX),
            state: Arc::default(),
        }
    }
}

/// `wasi:http/types.outgoing-body`
#[derive(Debug)]
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it, which `pub(crate)` forbids"
)]
pub struct OutgoingBody {
    pub(crate) slot: BodySlot,
}

/// `wasi:http/types.outgoing-response`
#[derive(Debug)]
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it, which `pub(crate)` forbids"
)]
pub struct OutgoingResponse {
    pub(crate) status: u16,
    pub(crate) fields: Fields,
    pub(crate) body: Option<BodySlot>,
}

/// `wasi:http/types.incoming-response`
#[derive(Debug)]
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it, which `pub(crate)` forbids"
)]
pub struct IncomingResponse {
    pub(crate) status: u16,
    pub(crate) fields: Fields,
    pub(crate) body: Option<IncomingBody>,
}

/// `wasi:http/types.incoming-body`
#[derive(Debug)]
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it, which `pub(crate)` forbids"
)]
pub struct IncomingBody {
    pub(crate) content: Content,
    /// Its stream was taken.
    pub(crate) streamed: bool,
}

impl IncomingBody {
    /// A body whose stream was not taken.
    pub(crate) fn new(content: Content) -> Self {
        Self {
            content,
            streamed: false,
        }
    }
}

/// What is in a body that a guest reads.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// All of it is here: what the guest sees follows from what it does.
    Whole {
        bytes: bytes::Bytes,
        trailers: Option<Fields>,
    },
    /// It comes in pieces, and what the guest reads is recorded.
    Arriving(Arc<Arriving>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_back_from_the_log_and_rubbish_does_not() {
        let request = HttpRequest {
            method: "POST".into(),
            scheme: "http".into(),
            authority: Some("a:1".into()),
            path_with_query: "/x?y".into(),
            headers: vec![("a".into(), vec![1, 255])],
            body: vec![0; 3],
        };
        let again = HttpRequest::from_value(&request.to_value());
        assert_eq!(again, Some(request));
        let response = HttpResponse {
            status: 204,
            headers: Vec::new(),
            body: vec![7],
            trailers: Some(vec![("t".into(), Vec::new())]),
        };
        let again = HttpResponse::from_value(response.to_value());
        assert_eq!(again, Some(response.clone()));
        assert_eq!(Head::from_value(&response.to_value()), None);
        let (head, _, _) = response.into_parts();
        assert_eq!(Head::from_value(&head.to_value()), Some(head.clone()));
        assert_eq!(HttpResponse::from_value(head.to_value()), None);
        assert_eq!(HttpResponse::from_value(Value::Bool(true)), None);
        assert_eq!(HttpRequest::from_value(&Value::Tuple(Vec::new())), None);
    }
}
