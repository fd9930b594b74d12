// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / ephemeral: a fresh instance for every invocation, nothing kept. In: a function and arguments. Out: a result.
//! Its calls to durable workers carry keys like any other's. Read next: `instance.rs`. Why: architecture D16.

use std::sync::Arc;

use golem_model::oplog::FailureKind;
use golem_model::trace::TraceContext;
use golem_model::{ComponentId, IdempotencyKey, OplogIndex, Value, WorkerId};

use crate::activate::run;
use crate::component::loaded::ExportedFunction;
use crate::error::{Failure, WorkerError};
use crate::host::durable::Journal;
use crate::host::{Guest, HostState, Invoking};
use crate::instance::{Instance, Stopped};
use crate::node::Node;
use crate::queue::CreateWith;
use crate::rpc::{Rpc, worker_urn};
use crate::trace::{Traced, inside, root};

impl Node {
    /// Runs one invocation of an ephemeral component. Returns a tuple of no or one value.
    pub(crate) async fn run_ephemeral(
        self: &Arc<Self>,
        component: ComponentId,
        exported: &ExportedFunction,
        key: IdempotencyKey,
        input: Vec<u8>,
        create: CreateWith,
        trace: Option<TraceContext>,
    ) -> Result<Value, WorkerError> {
        let worker = WorkerId::new(component, uuid::Uuid::new_v4().to_string());
        let version = self
            .component(component, None)?
            .versioned_component_id
            .version;
        let loaded = self.component_loaded(component, version)?;
        let start = self.shared_start(&loaded.info)?;
        let id = worker.clone();
        let guest = Guest {
            origin: None,
            worker,
            version,
            args: create.args,
            env: create.env,
            secrets: self.pins(&loaded.info),
            start,
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
        let urn = worker_urn(&id);
        let trace = trace.or_else(|| self.tracer().map(|_| root(&urn, &key)));
        let begun = self.clock().wall_micros();
        let traced = trace.map(|context| Traced {
            context,
            function: exported.name.clone(),
            accepted_at: begun,
            started_at: begun,
        });
        let inner = traced
            .as_ref()
            .map(|traced| inside(&traced.context, &id, &key));
        let running = self.run();
        let own_key = key.clone();
        // Boxed: the future of a call of a durable worker, which may as well be of an ephemeral one, is small without it.
        let result = Box::pin(async {
            let mut instance = Instance::start(loaded, state).await?;
            let invoking = Invoking {
                trace: inner,
                key,
                calls: 0,
                started: OplogIndex(0),
                deadline: None,
                call_timeout: None,
            };
            let now = self.clock().nanos();
            run(&mut instance, invoking, &exported.name, &input, now).await
        });
        let result = result.await;
        drop(running);
        if let Some(traced) = traced {
            let error = result.as_ref().err().map(ToString::to_string);
            let seq = self.committer().durable();
            self.invocation_ended(&id, version, &own_key, traced, seq, error);
        }
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
