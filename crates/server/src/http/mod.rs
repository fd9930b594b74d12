// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http: the routes. In: requests. Out: answers. Never knows sockets (`listen.rs`) or how wasm runs (engine).
//! Read next: `worker.rs` (the path of an invocation), `component.rs`, `error.rs`. Source: client spec §6.6.

mod absent;
#[cfg(test)]
mod access_tests;
mod archive;
mod calls;
mod checkpoints;
mod component;
mod connect;
#[cfg(test)]
mod connect_tests;
mod cursor;
mod door;
mod error;
mod extract;
mod files;
mod gate;
mod guard;
mod health;
mod listing;
mod metrics;
mod moment;
mod namespace;
mod openapi;
mod oplog;
mod params;
mod reply;
mod routes;
mod secrets;
mod serve;
#[cfg(test)]
mod tests;
mod token;
mod transfer;
mod travel;
#[cfg(test)]
mod travel_tests;
mod upload;
mod worker;

pub(crate) use door::{Door, router};
pub(crate) use error::ApiError;
pub(crate) use gate::Peer;
pub(crate) use guard::Guard;
pub(crate) use transfer::Transfer;
