// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http: the routes. In: requests. Out: answers. Never knows sockets (`listen.rs`) or how wasm runs (engine).
//! Read next: `worker.rs` (the path of an invocation), `component.rs`, `error.rs`. Source: client spec §6.6.

#[cfg(test)]
mod access_tests;
mod component;
mod connect;
mod cursor;
mod door;
mod error;
mod extract;
mod gate;
mod guard;
mod health;
mod listing;
mod metrics;
mod moment;
mod namespace;
mod oplog;
mod params;
mod reply;
mod routes;
mod serve;
#[cfg(test)]
mod tests;
mod token;
mod travel;
#[cfg(test)]
mod travel_tests;
mod upload;
mod worker;

pub(crate) use door::{Door, router};
pub(crate) use error::ApiError;
pub(crate) use gate::Peer;
pub(crate) use guard::Guard;
