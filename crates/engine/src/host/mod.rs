// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / host: what a guest can call, one file per WIT interface, all of it through `durable.rs`.

mod bindings;
mod blobstore;
mod body;
mod cache;
pub(crate) mod calls;
mod cli;
pub(crate) mod clock;
mod clocks;
pub(crate) mod durable;
mod files;
mod filesystem;
pub(crate) mod golem_api;
mod golem_api_old;
pub(crate) mod golem_oplog;
mod golem_worker;
pub(crate) mod golem_workers;
mod held;
mod http;
mod keyed;
mod keyvalue;
mod linker;
mod logging;
mod output;
mod outside;
mod poll;
mod random;
mod recorded;
mod sockets;
mod state;
mod streams;
mod wait;

pub(crate) use files::{Attributes, Fault, Files, InitialFiles, Opened, Seen};
pub(crate) use filesystem::preopen;
pub(crate) use golem_api::link_golem_api;
pub(crate) use golem_api_old::link_golem_api_old;
pub(crate) use golem_oplog::link_golem_oplog;
pub(crate) use golem_worker::link_golem_worker;
pub use http::{BadRule, HostRule, HttpRequest, HttpResponse, Network, NetworkDouble, web_tls};
pub(crate) use http::{Serving, handler_of, is_handler, request_hash};
pub(crate) use linker::link_wasi;
pub(crate) use outside::Outside;
pub use sockets::{BadListenRule, ListenRule};
pub(crate) use state::{Guest, HasLinked, HostState, Invoking, Linked, Origin};
pub(crate) use wait::{Source, any_ready, is_any_ready, parks_until, subscribe_to, wait_outside};
