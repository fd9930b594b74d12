// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / rpc: calls from worker to worker: stub interfaces that the engine links itself, and `golem:rpc`.

mod call;
mod clients;
mod future;
mod golem_rpc;
mod stale;
mod stub;
mod wait_graph;
mod wit_value;

pub(crate) use call::{
    Delivered, Function, RemoteCall, Rpc, RpcError, result_from, result_value, worker_urn,
};
pub(crate) use clients::new_stub_client;
pub(crate) use future::CallFuture;
pub(crate) use golem_rpc::{
    RpcClient, bindings, decode_params, link_golem_rpc, new_rpc_client, wit_error,
};
pub(crate) use stale::{ExpectedStub, expected_stubs};
pub(crate) use stub::link_stub;
pub(crate) use wait_graph::{WaitGraph, WaitGuard};
pub(crate) use wit_value::encode;
