// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / http: `wasi:http` in both directions: a request is in the log before it is sent, each part of its response
//! before anything that follows from it leaves the node. Nothing of one invocation is alive in the next.

mod arriving;
mod call;
mod client;
mod fields;
mod incoming;
mod message;
mod network;
mod outgoing;
mod types;

pub(crate) use arriving::{Arriving, Broken};
pub(crate) use call::HttpCalls;
pub(crate) use client::{HttpClient, Trouble};
pub use client::{NetworkDouble, web_tls};
pub(crate) use incoming::{Serving, handler_of, is_handler, request_hash};
pub use message::{HttpRequest, HttpResponse};
pub use network::{BadRule, HostRule, Network};

/// The host's side of the resources, for the bindings.
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export these types, which `pub(crate)` forbids"
)]
pub(super) mod resources {
    pub use super::fields::Fields;
    pub use super::incoming::{Incoming, Outparam};
    pub use super::message::{IncomingBody, IncomingResponse, OutgoingBody, OutgoingResponse};
    pub use super::outgoing::{Future, OutgoingRequest};
    pub use super::types::{Options, Trailers};
}
