// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / ephemeral: a fresh instance for every invocation, nothing kept. In: a function and arguments. Out: a result.
//! Its calls to durable workers carry keys like any other's. Read next: `instance.rs`. Why: architecture D16.

use std::sync::Arc;

use golem_model::oplog::FailureKind;
use golem_model::{ComponentId, IdempotencyKey, OplogIndex, Value, WorkerId};

use crate::activate::run;
use crate::component::loaded::ExportedFunction;
use crate::error::{Failure, WorkerError};
use crate::host::durable::Journal;
use crate::host::{Guest, HostState, Invoking};
use crate::instance::{Instance, Stopped};
use crate::node::Node;
use crate::queue::CreateWith;
use crate::rpc::Rpc;

impl Node {
    /// Runs one invocation of an ephemeral component. Returns a tuple of no or one value.
    pub(crate) async fn run_ephemeral(
        self: &Arc<Self>,
        component: ComponentId,
        exported: &ExportedFunction,
        key: IdempotencyKey,
        input: Vec<u8>,
        create: CreateWith,
    ) -> Result<Value, WorkerError> {
        let worker = WorkerId::new(component, uuid::Uuid::new_v4().to_string());
        let version = self
            .component(component, None)?
            .versioned_component_id
            .version;
        let loaded = self.component_loaded(component, version)?;
        let guest = Guest {
            origin: None,
            worker,
            version,
            args: create.args,
            env: create.env,
            secrets: self.pins(&loaded.info),
        };
        let given = self.give(&loaded.info, &guest)?;
        let journal = Journal::off(self.payloads());
        let mut state = HostState::new(
            Arc::new(guest),
            journal,
            Rpc::new(Arc::clone(self)),
            given,
            None,
        );
        state.clock.advance(self.clock().nanos());
        let input = Value::from_bytes(&input).map_err(|error| WorkerError::BadArguments {
            function: exported.name.clone(),
            detail: error.to_string(),
        })?;
        let running = self.run();
        let result = async {
            let mut instance = Instance::start(loaded, state).await?;
            let invoking = Invoking {
                key,
                calls: 0,
                started: OplogIndex(0),
                deadline: None,
                call_timeout: None,
            };
            let now = self.clock().nanos();
            run(&mut instance, invoking, &exported.name, &input, now).await
        };
        let result = result.await;
        drop(running);
        result.map_err(|stopped| match stopped {
            Stopped::Failed(failure) => failure.into(),
            Stopped::Exited(status) => WorkerError::Failed(Failure::new(
                FailureKind::Trap,
                format!("the guest exited with status {status}"),
            )),
            Stopped::Store(error) => WorkerError::Store(error),
            stopped @ (Stopped::Restart | Stopped::End) => WorkerError::Failed(Failure::new(
                FailureKind::InvalidRequest,
                stopped.to_string(),
            )),
        })
    }
}
