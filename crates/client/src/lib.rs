// SPDX-License-Identifier: Apache-2.0
//! THE PHONE: the REST API of a server as functions. In ids and values, out bodies of the API or a [`ClientError`]. Never prints, never
//! asks, never reads the environment. Read next: `client.rs`, `transport.rs`. Source: client spec §6.
//!
//! A [`Client`] is one server and who talks to it. It is made of an address, whom to [trust](Trust), and what else is known, without
//! sending anything:
//!
//! ```no_run
//! use golem_client::{Client, ClientError, DEFAULT_URL, Target, Trust};
//! use golem_model::WorkerId;
//! use golem_model::api::{InvokeParameters, Param};
//! use golem_model::urn::ComponentRef;
//!
//! # fn main() -> Result<(), ClientError> {
//! let client = Client::new(DEFAULT_URL, "the default", Trust::Web)?;
//! let component = client.find_id(&ComponentRef::Name("counter".to_owned()))?;
//! let worker = Target::Worker(WorkerId::new(component, "w1"));
//! let parameters = InvokeParameters {
//!     params: vec![Param { typ: None, value: 3.into() }],
//! };
//! // The same call with the same key is the same invocation, also after a crash of either side.
//! let key = Some("order-4711");
//! let answer = client.invoke_and_await(&worker, "demo:counter/api.{add}", key, None, &parameters)?;
//! println!("{:?}", answer.result);
//! # Ok(())
//! # }
//! ```
//!
//! Types of bodies are those of `golem-model`, which are the types on the wire. Every call blocks its thread until the answer is there;
//! it may be made from several threads at once, which share the connections. Nothing is sent twice: the caller may not want that, and
//! knows the idempotency key.
//!
//! **Bounds.** A connection is waited for at most 10 s, an answer as long as it takes. An answer is at most 256 MiB, but that of
//! [`Client::export_all`], which is read piece by piece. No redirect is followed, and no proxy is used for this machine.
//!
//! **Errors.** Every call may fail in the ways of the network (`Unreachable`, `Timeout`, `Answer`) and with `Refused`: what the server
//! said, of kind `Denied` where it does not know the caller. Documentation of a call names what there is beside that.
//! [`ClientError::kind`] tells them apart, [`problem`](golem_model::Coded::problem) is what a person is to be shown.

mod access;
mod client;
mod component;
mod connect;
mod error;
mod multipart;
mod namespace;
mod published;
mod site;
mod socket;
mod transfer;
mod transport;
mod travel;
mod worker;

pub use self::client::{Client, DEFAULT_URL};
pub use self::component::{Code, PackedFiles};
pub use self::connect::Begin;
pub use self::error::{ClientError, ErrorKind};
pub use self::site::Trust;
pub use self::transport::{Insecure, Seen, Unanswered};
pub use self::travel::{CallsOf, When};
pub use self::worker::{Page, Target};
