// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / golem_rpc: `golem:rpc/types@0.1.0`, which composed stub components import. Failures are values here.
//! Read next: `call.rs`, `wit_value.rs`. Source: client spec §4.1, §4.4.

use std::sync::Arc;

use golem_model::Value;
use golem_model::oplog::Event;
use wasmtime::Result;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::p2::DynPollable;

use super::call::{Function, Rpc, RpcError, result_from, result_value};
use super::future::CallFuture;
use super::wit_value::{decode, encode};
use crate::checkpoint::Held;
use crate::host::calls::RPC_REFUSED;
use crate::host::durable::Halt;
use crate::host::{HasLinked, HostState, Linked, Source, subscribe_to};
use crate::queue::Target;

#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export these types, which `pub(crate)` forbids"
)]
mod handles {
    use std::sync::Arc;

    use super::{CallFuture, Target};

    /// A client made by `golem:rpc`.
    pub struct RpcClient {
        pub(super) target: Target,
    }

    /// A call made by `golem:rpc` that is not waited for.
    pub struct RpcFuture {
        pub(super) future: Arc<CallFuture>,
    }
}

pub(crate) use handles::RpcClient;
use handles::RpcFuture;

pub(crate) mod bindings {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "rpc",
        imports: { default: async | trappable },
        with: {
            "wasi:io/poll": wasmtime_wasi_io::bindings::wasi::io::poll,
            "golem:rpc/types.wasm-rpc": super::handles::RpcClient,
            "golem:rpc/types.future-invoke-result": super::handles::RpcFuture,
            "wasi:clocks/wall-clock": wasmtime_wasi::p2::bindings::clocks::wall_clock,
            "golem:api/host.get-workers": crate::host::golem_workers::listing::GetWorkers,
            "golem:api/oplog.get-oplog": crate::host::golem_oplog::listing::GetOplog,
            "golem:api/oplog.search-oplog": crate::host::golem_oplog::listing::SearchOplog,
        },
        require_store_data_send: true,
    });
}

use bindings::golem::rpc::types;
use types::{Uri, WitValue};

/// Adds `golem:rpc/types` to `linker`.
pub(crate) fn link_golem_rpc(linker: &mut Linker<HostState>) -> Result<()> {
    types::add_to_linker::<HostState, HasLinked>(linker, |state| Linked(state))
}

/// A client of `target`, without a handle yet.
pub(crate) fn new_rpc_client(state: &mut HostState, target: Target) -> Result<Resource<RpcClient>> {
    Ok(state.table.push(RpcClient { target })?)
}

pub(crate) fn wit_error(error: RpcError) -> types::RpcError {
    match error {
        RpcError::Protocol(message) => types::RpcError::ProtocolError(message),
        RpcError::NotFound(message) => types::RpcError::NotFound(message),
        RpcError::Denied(message) => types::RpcError::Denied(message),
        error @ (RpcError::Timeout(_)
        | RpcError::Cancelled(_)
        | RpcError::Deadlock(_)
        | RpcError::CalleeFailed { .. }) => types::RpcError::RemoteInternalError(error.to_string()),
    }
}

impl Linked<'_> {
    /// The call that the guest describes: nodes become values by the types of the target's function. A refusal depends on
    /// what is uploaded at the moment, so it is recorded.
    fn prepare(
        &mut self,
        client: &Resource<RpcClient>,
        name: &str,
        params: &[WitValue],
    ) -> Result<Result<(Target, Vec<Value>), RpcError>> {
        let target = self.0.table.get(client)?.target.clone();
        let (is_new, recorded) = match self.0.journal()?.peek()? {
            None => (true, false),
            Some((_, Event::Read(read))) => (false, read.call == RPC_REFUSED.number),
            Some(_) => (false, false),
        };
        // What was allowed when it was new is repeated, whoever may call whom by now.
        let denied = if is_new { self.0.denial(&target) } else { None };
        if !recorded
            && denied.is_none()
            && let Ok(values) = self.values(&target, name, params)
        {
            return Ok(Ok((target, values)));
        }
        let refusal = self.0.durable(RPC_REFUSED, 0, |state| {
            let error = denied.or_else(|| Linked(state).values(&target, name, params).err());
            let error =
                error.unwrap_or_else(|| RpcError::Protocol(format!("`{name}` changed meanwhile")));
            Ok(result_value(&Err(error)))
        })?;
        Ok(Err(result_from(refusal)
            .err()
            .unwrap_or_else(|| RpcError::Protocol("refused".into()))))
    }

    fn values(
        &self,
        target: &Target,
        name: &str,
        params: &[WitValue],
    ) -> Result<Vec<Value>, RpcError> {
        decode_params(&self.0.rpc, target, name, params)
    }
}

/// Arguments by the types of the parameters of the target's function. Errors: `NotFound`, `Protocol`.
pub(crate) fn decode_params(
    rpc: &Rpc,
    target: &Target,
    name: &str,
    params: &[WitValue],
) -> Result<Vec<Value>, RpcError> {
    let types = rpc.parameter_types(target, name)?;
    if types.len() != params.len() {
        return Err(RpcError::Protocol(format!(
            "`{name}` takes {} arguments, not {}",
            types.len(),
            params.len()
        )));
    }
    let values = params
        .iter()
        .zip(&types)
        .map(|(nodes, typ)| decode(nodes, typ))
        .collect::<Result<Vec<_>, _>>();
    values.map_err(|error| RpcError::Protocol(format!("arguments of `{name}`: {error}")))
}

impl types::Host for Linked<'_> {}

impl types::HostWasmRpc for Linked<'_> {
    async fn new(&mut self, location: Uri) -> Result<Resource<RpcClient>> {
        let target = self.0.rpc_target(&location.value)?;
        let client = new_rpc_client(self.0, target.clone())?;
        self.0.mirror.insert(Held::Rpc(target), client.rep());
        Ok(client)
    }

    async fn invoke_and_await(
        &mut self,
        client: Resource<RpcClient>,
        function_name: String,
        function_params: Vec<WitValue>,
    ) -> Result<Result<WitValue, types::RpcError>> {
        let (target, values) = match self.prepare(&client, &function_name, &function_params)? {
            Ok(call) => call,
            Err(error) => return Ok(Err(wit_error(error))),
        };
        let result = self
            .0
            .call_and_wait(target, Function::Named(function_name), values, true)
            .await?;
        Ok(result.map(|value| encode(&value)).map_err(wit_error))
    }

    async fn invoke(
        &mut self,
        client: Resource<RpcClient>,
        function_name: String,
        function_params: Vec<WitValue>,
    ) -> Result<Result<(), types::RpcError>> {
        let (target, values) = match self.prepare(&client, &function_name, &function_params)? {
            Ok(call) => call,
            Err(error) => return Ok(Err(wit_error(error))),
        };
        Ok(self
            .0
            .trigger(target, Function::Named(function_name), values)?
            .map_err(wit_error))
    }

    async fn async_invoke_and_await(
        &mut self,
        client: Resource<RpcClient>,
        function_name: String,
        function_params: Vec<WitValue>,
    ) -> Result<Resource<RpcFuture>> {
        let prepared = self.prepare(&client, &function_name, &function_params)?;
        let function = Function::Named(function_name);
        let future = match prepared {
            Ok((target, values)) => self.0.call_later(target, function, values)?,
            Err(denied @ RpcError::Denied(_)) => {
                let target = self.0.table.get(&client)?.target.clone();
                self.0.refused_call(target, function, denied)?
            }
            Err(error) => return Err(Halt::InvalidRequest(error.to_string()).into()),
        };
        let future = self.0.table.push(RpcFuture { future })?;
        self.0
            .mirror
            .insert(Held::Passing("call to another worker"), future.rep());
        Ok(future)
    }

    async fn drop(&mut self, client: Resource<RpcClient>) -> Result<()> {
        self.0.mirror.remove(client.rep());
        self.0.table.delete(client)?;
        Ok(())
    }
}

impl types::HostFutureInvokeResult for Linked<'_> {
    async fn subscribe(&mut self, future: Resource<RpcFuture>) -> Result<Resource<DynPollable>> {
        let future = Arc::clone(&self.0.table.get(&future)?.future);
        subscribe_to(self.0, Source::Call(future))
    }

    async fn get(
        &mut self,
        future: Resource<RpcFuture>,
    ) -> Result<Option<Result<WitValue, types::RpcError>>> {
        let future = Arc::clone(&self.0.table.get(&future)?.future);
        let found = self.0.future_result(&future, true).await?;
        Ok(found.map(|result| result.map(|value| encode(&value)).map_err(wit_error)))
    }

    async fn drop(&mut self, future: Resource<RpcFuture>) -> Result<()> {
        self.0.mirror.remove(future.rep());
        let RpcFuture { future } = self.0.table.delete(future)?;
        self.0.abandon(&future)?;
        Ok(())
    }
}
