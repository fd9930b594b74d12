// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / golem_api_old: `golem:api/host@0.2.0`, the interface of Golem 1.0: that of 1.1 without accounts and without jitter in
//! its retry policy. Each function is that of 1.1. Never decides anything itself. Read next: `golem_api.rs`.
//! Source: client spec §4.6.

use wasmtime::Result;
use wasmtime::component::{
    ComponentType, Lift, Linker, LinkerInstance, Lower, Resource, ResourceType,
};

use super::golem_workers::listing::GetWorkers;
use super::state::{HostState, Linked};
use crate::rpc::bindings::golem::api::host::{
    self, ComponentId, Host, HostGetWorkers, PersistenceLevel, PromiseId, UpdateMode, Uuid,
    WorkerAnyFilter, WorkerId, WorkerMetadata,
};
use crate::rpc::bindings::golem::rpc::types::Uri;

/// The name of the interface.
const HOST: &str = "golem:api/host@0.2.0";

/// A retry policy of 1.0: pauses in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, ComponentType, Lift, Lower)]
#[component(record)]
struct RetryPolicy {
    #[component(name = "max-attempts")]
    max_attempts: u32,
    #[component(name = "min-delay")]
    min_delay: u64,
    #[component(name = "max-delay")]
    max_delay: u64,
    multiplier: f64,
}

/// Links functions under their names to methods of the interface of 1.1. The types are the same ones: a record is what its
/// fields are.
macro_rules! same {
    ($instance:ident: $($name:literal = $host:ident::$method:ident($($argument:ident: $typ:ty),*) $(-> $result:ty)?;)*) => {
        $($instance.func_wrap_async($name, |mut store, ($($argument,)*): ($($typ,)*)| {
            Box::new(async move {
                let result = $host::$method(&mut Linked(store.data_mut()), $($argument),*).await?;
                Ok(same!(@returned result $($result)?))
            })
        })?;)*
    };
    (@returned $value:ident $result:ty) => {{
        let value: $result = $value;
        (value,)
    }};
    (@returned $value:ident) => { $value };
}

/// Adds `golem:api/host` of 1.0 to `linker`.
pub(crate) fn link_golem_api_old(linker: &mut Linker<HostState>) -> Result<()> {
    let mut instance = linker.instance(HOST)?;
    let workers = ResourceType::host::<GetWorkers>();
    instance.resource_async("get-workers", workers, |mut store, rep| {
        Box::new(async move {
            let listing = Resource::<GetWorkers>::new_own(rep);
            HostGetWorkers::drop(&mut Linked(store.data_mut()), listing).await
        })
    })?;
    link_policy(&mut instance)?;
    same! { instance:
        "[constructor]get-workers" = HostGetWorkers::new(id: ComponentId, filter: Option<WorkerAnyFilter>, precise: bool) -> Resource<GetWorkers>;
        "[method]get-workers.get-next" = HostGetWorkers::get_next(listing: Resource<GetWorkers>) -> Option<Vec<WorkerMetadata>>;
        "create-promise" = Host::create_promise() -> PromiseId;
        "await-promise" = Host::await_promise(id: PromiseId) -> Vec<u8>;
        "complete-promise" = Host::complete_promise(id: PromiseId, data: Vec<u8>) -> bool;
        "delete-promise" = Host::delete_promise(id: PromiseId);
        "get-self-uri" = Host::get_self_uri(function: String) -> Uri;
        "get-oplog-index" = Host::get_oplog_index() -> u64;
        "set-oplog-index" = Host::set_oplog_index(index: u64);
        "oplog-commit" = Host::oplog_commit(replicas: u8);
        "mark-begin-operation" = Host::mark_begin_operation() -> u64;
        "mark-end-operation" = Host::mark_end_operation(begin: u64);
        "get-oplog-persistence-level" = Host::get_oplog_persistence_level() -> PersistenceLevel;
        "set-oplog-persistence-level" = Host::set_oplog_persistence_level(level: PersistenceLevel);
        "get-idempotence-mode" = Host::get_idempotence_mode() -> bool;
        "set-idempotence-mode" = Host::set_idempotence_mode(idempotent: bool);
        "generate-idempotency-key" = Host::generate_idempotency_key() -> Uuid;
        "update-worker" = Host::update_worker(worker: WorkerId, version: u64, mode: UpdateMode);
        "get-self-metadata" = Host::get_self_metadata() -> WorkerMetadata;
        "get-worker-metadata" = Host::get_worker_metadata(worker: WorkerId) -> Option<WorkerMetadata>;
    }
    Ok(())
}

/// The two functions whose type is another one. A policy that is set here has no jitter.
fn link_policy(instance: &mut LinkerInstance<'_, HostState>) -> Result<()> {
    instance.func_wrap_async("get-retry-policy", |mut store, (): ()| {
        Box::new(async move {
            let policy = Host::get_retry_policy(&mut Linked(store.data_mut())).await?;
            Ok((RetryPolicy {
                max_attempts: policy.max_attempts,
                min_delay: policy.min_delay,
                max_delay: policy.max_delay,
                multiplier: policy.multiplier,
            },))
        })
    })?;
    instance.func_wrap_async(
        "set-retry-policy",
        |mut store, (policy,): (RetryPolicy,)| {
            Box::new(async move {
                let policy = host::RetryPolicy {
                    max_attempts: policy.max_attempts,
                    min_delay: policy.min_delay,
                    max_delay: policy.max_delay,
                    multiplier: policy.multiplier,
                    max_jitter_factor: None,
                };
                Host::set_retry_policy(&mut Linked(store.data_mut()), policy).await
            })
        },
    )
}
