// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / node/calls: invocations from outside and calls between workers. In: a target, a function, values. Out: results
//! that are durable. Read next: `../worker.rs`, `../rpc/call.rs`.

use std::sync::Arc;

use golem_model::oplog::Accepted;
use golem_model::timer::{Action, TimerAction};
use golem_model::trace::TraceContext;
use golem_model::types::Export;
use golem_model::worker::WorkerRow;
use golem_model::{ComponentId, ComponentVersion, IdempotencyKey, Value, WorkerId};
use golem_storage::Op;
use golem_storage::store::Timer;
use tokio::sync::oneshot;

use super::{FoundSignature, Node, Outcome, Request, Scheduled};
use crate::component::loaded::ExportedFunction;
use crate::error::WorkerError;
use crate::host::Guest;
use crate::limits::{NAME_BYTES_MAX, PAYLOAD_BYTES_MAX, check_bytes};
use crate::queue::{Accepting, CreateWith, Finished, Invocation, Reply, Target, rpc_error};
use crate::rpc::{Delivered, Function, RemoteCall, RpcError};
use crate::timers::By;
use crate::worker::{Message, door};

/// Until when an invocation has to be done, and the trace that it belongs to.
pub(super) type Within = (Option<u64>, Option<TraceContext>);

impl Node {
    /// The function that an invocation would run: of the version that the worker runs, or of the newest.
    pub fn signature(
        &self,
        target: &Target,
        function: &str,
    ) -> Result<FoundSignature, WorkerError> {
        let exported = self.exported(target, function)?;
        Ok(FoundSignature {
            name: exported.name.clone(),
            function: Arc::clone(&exported.signature),
        })
    }

    /// Accepts an invocation. Its acceptance is durable on return (rule H1). An ephemeral one has run by then.
    pub async fn invoke(
        self: &Arc<Self>,
        target: Target,
        request: Request,
    ) -> Result<IdempotencyKey, WorkerError> {
        let target = self.addressed(target);
        let (deadline, trace) = (request.deadline, request.trace.clone());
        let (exported, key, repeatable, input) = self.check(&target, request)?;
        let Target::Worker(worker) = target else {
            self.run_ephemeral(
                target.component(),
                &exported,
                key.clone(),
                input,
                CreateWith::default(),
                trace,
            )
            .await?;
            return Ok(key);
        };
        let (sender, receiver) = oneshot::channel();
        let accepted = Some(Accepting::Door(sender));
        self.hand_in(
            &worker,
            &exported,
            key.clone(),
            repeatable,
            input,
            (deadline, trace),
            accepted,
            None,
        );
        let seq = receiver.await.map_err(|_| WorkerError::Stopping)??;
        self.durable(seq).await?;
        Ok(key)
    }

    /// Lets a worker run an invocation at `due` (µs since 1970), or at once if that has passed; the worker is created then if
    /// it does not exist. Durable on return. Errors: as [`Node::invoke`], and `BadArguments` for an ephemeral component, whose
    /// workers have no names.
    pub async fn schedule(
        self: &Arc<Self>,
        worker: WorkerId,
        due: u64,
        request: Request,
    ) -> Result<Scheduled, WorkerError> {
        let target = self.addressed(Target::Worker(worker.clone()));
        let (deadline, trace) = (request.deadline, request.trace.clone());
        let (exported, key, _, input) = self.check(&target, request)?;
        if target != Target::Worker(worker.clone()) {
            return Err(WorkerError::BadArguments {
                function: exported.name.clone(),
                detail: "an ephemeral component has no workers that could be invoked later".into(),
            });
        }
        let stored = self.payloads.store(input)?;
        let action = Action::Invoke(Accepted {
            key: key.0.clone(),
            function: exported.name.clone(),
            input: stored.inline,
            input_blob: stored.blob,
            blob_bytes: stored.blob_bytes,
            caller: None,
            deadline,
            trace,
        });
        let scheduled = Scheduled {
            id: uuid::Uuid::new_v4().as_u64_pair().0,
            due,
            key,
        };
        let timer = Timer {
            due,
            id: scheduled.id,
            worker: worker.clone(),
            payload: TimerAction::bytes_of(action),
        };
        let seq = self.committer().submit([Op::AddTimer { timer }]);
        self.arm_timer(self.shard_of(&worker), By::Wall, due, seq);
        self.durable(seq).await?;
        Ok(scheduled)
    }

    /// Takes a scheduled invocation back. `false`: it has started, or was taken back before. Durable on return.
    pub async fn cancel_scheduled(
        self: &Arc<Self>,
        worker: &WorkerId,
        due: u64,
        id: u64,
    ) -> Result<bool, WorkerError> {
        let shard = self.shard_of(worker);
        if !self.has_timer(shard, due, id)? {
            return Ok(false);
        }
        let seq = self.committer().submit([Op::DelTimer { shard, due, id }]);
        self.durable(seq).await?;
        Ok(true)
    }

    /// Runs an invocation, or joins it if its key is known, and returns its result when that is durable.
    pub async fn invoke_and_await(
        self: &Arc<Self>,
        target: Target,
        request: Request,
    ) -> Result<Outcome, WorkerError> {
        let target = self.addressed(target);
        let within = (request.deadline, request.trace.clone());
        let (exported, key, repeatable, input) = self.check(&target, request)?;
        let finished = self
            .run_to_end(target, &exported, key.clone(), repeatable, input, within)
            .await?;
        let results = if let Value::Tuple(results) = finished {
            results
        } else {
            Vec::new()
        };
        Ok(Outcome {
            key,
            results,
            types: exported.result.iter().cloned().collect(),
        })
    }

    /// Runs an invocation of an addressed target and returns its result when that is durable.
    pub(super) async fn run_to_end(
        self: &Arc<Self>,
        target: Target,
        exported: &ExportedFunction,
        key: IdempotencyKey,
        repeatable: bool,
        input: Vec<u8>,
        within: Within,
    ) -> Result<Value, WorkerError> {
        match target {
            Target::Worker(worker) => {
                let (reply, receiver) = door();
                self.hand_in(
                    &worker,
                    exported,
                    key,
                    repeatable,
                    input,
                    within,
                    None,
                    Some(reply),
                );
                let finished: Finished = receiver.await.map_err(|_| WorkerError::Stopping)??;
                self.durable(finished.seq).await?;
                Ok(finished.value)
            }
            Target::Ephemeral(component) => {
                let create = CreateWith::default();
                self.run_ephemeral(component, exported, key, input, create, within.1)
                    .await
            }
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "an invocation has that many parts, and two kinds of listeners"
    )]
    pub(super) fn hand_in(
        self: &Arc<Self>,
        worker: &WorkerId,
        exported: &ExportedFunction,
        key: IdempotencyKey,
        repeatable: bool,
        input: Vec<u8>,
        (deadline, trace): Within,
        accepted: Option<Accepting>,
        reply: Option<Reply>,
    ) {
        let function = exported.name.clone();
        let create = CreateWith::default();
        let invocation = Invocation {
            key,
            repeatable,
            function,
            input,
            caller: None,
            deadline,
            trace,
            create,
            accepted,
            reply,
        };
        self.tell(worker, Message::Invoke(Box::new(invocation)));
    }

    fn check(
        &self,
        target: &Target,
        request: Request,
    ) -> Result<(Arc<ExportedFunction>, IdempotencyKey, bool, Vec<u8>), WorkerError> {
        let exported = self.exported(target, &request.function)?;
        let fits = request.params.len() == exported.params.len()
            && request
                .params
                .iter()
                .zip(&exported.params)
                .all(|(value, typ)| value.matches(typ));
        if !fits {
            let detail = format!(
                "{} values for {} parameters, or of other types",
                request.params.len(),
                exported.params.len()
            );
            return Err(WorkerError::BadArguments {
                function: exported.name.clone(),
                detail,
            });
        }
        let input = Value::Tuple(request.params).to_bytes();
        check_bytes("input", input.len(), PAYLOAD_BYTES_MAX)?;
        check_bytes("idempotency key", request.key.0.len(), NAME_BYTES_MAX)?;
        Ok((exported, request.key, !request.key_is_new, input))
    }

    /// Whom an invocation really goes to, by the type of the newest version: every call of an ephemeral component gets a
    /// fresh instance whatever name it uses, and a durable one without a name a new worker.
    pub(super) fn addressed(&self, target: Target) -> Target {
        match (self.is_ephemeral(target.component()), target) {
            (true, target) => Target::Ephemeral(target.component()),
            (false, Target::Ephemeral(component)) => {
                Target::Worker(WorkerId::new(component, uuid::Uuid::new_v4().to_string()))
            }
            (false, target) => target,
        }
    }

    pub(super) fn exported(
        &self,
        target: &Target,
        function: &str,
    ) -> Result<Arc<ExportedFunction>, WorkerError> {
        let component = target.component();
        let loaded = self.catalog.loaded(component, self.version_of(target)?)?;
        if let Some(exported) = loaded.function(function) {
            return Ok(Arc::clone(exported));
        }
        let unknown = |suggestion| WorkerError::UnknownFunction {
            component,
            function: function.to_owned(),
            suggestion,
        };
        match golem_model::function::resolve(&loaded.info.metadata.exports, function) {
            Ok(name) => loaded.function(&name).cloned().ok_or_else(|| unknown(None)),
            Err(error) => Err(unknown(error.suggestion())),
        }
    }

    /// The version that a worker runs; `None` (the newest) when it does not exist or there is only one.
    fn version_of(&self, target: &Target) -> Result<Option<ComponentVersion>, WorkerError> {
        let newest = self
            .catalog
            .get(target.component(), None)?
            .versioned_component_id
            .version;
        let Target::Worker(worker) = target else {
            return Ok(None);
        };
        if newest == 0 {
            return Ok(None);
        }
        let Some(stored) = self.store.worker(worker)? else {
            return Ok(None);
        };
        Ok(WorkerRow::from_bytes(&stored.row)
            .ok()
            .map(|row| row.version))
    }

    /// The function that a caller means. Says nothing of whether it may be called: see [`Node::may_call`].
    pub(crate) fn remote_function(
        &self,
        target: &Target,
        function: &Function,
    ) -> Result<Arc<ExportedFunction>, RpcError> {
        let loaded = self
            .catalog
            .loaded(target.component(), None)
            .map_err(|error| RpcError::NotFound(error.to_string()))?;
        match function {
            Function::Named(name) => self
                .exported(target, name)
                .map_err(|error| rpc_error(&error)),
            Function::Stub {
                package,
                version,
                resource,
                function: name,
            } => {
                let found = loaded
                    .stub_function(package, version, resource, name)
                    .cloned();
                found.ok_or_else(|| no_function(target, function))
            }
            Function::Member {
                package,
                version,
                resource,
                function: name,
            } => {
                let found = loaded.stub_member(package, version, resource, name);
                found.cloned().ok_or_else(|| no_function(target, function))
            }
        }
    }

    /// Whether what a stub of `caller` calls `resource` is an exported resource of the newest version of the target, which `new`
    /// makes, and no exported interface. No, too, where the caller may not call the target.
    pub(crate) fn has_resource(
        &self,
        caller: ComponentId,
        target: &Target,
        resource: &str,
        new: &Function,
    ) -> bool {
        if self.may_call(caller, target).is_err() {
            return false;
        }
        let Ok(info) = self.catalog.get(target.component(), None) else {
            return false;
        };
        let is_interface = info.metadata.exports.iter().any(|export| match export {
            Export::Instance { name, .. } => {
                let name = name.split('@').next().unwrap_or(name);
                name.rsplit('/').next() == Some(resource)
            }
            Export::Function(_) => false,
        });
        !is_interface && self.remote_function(target, new).is_ok()
    }

    /// Hands a call of `guest` to its target, if it may call it at this moment. Returns as soon as the target's queue has it; `accepted` hears when it is in
    /// the stream, `reply` when it is done.
    pub(crate) fn deliver(
        self: &Arc<Self>,
        guest: &Arc<Guest>,
        call: &RemoteCall,
        accepted: Option<Delivered>,
        reply: Option<Reply>,
    ) -> Result<(), RpcError> {
        let caller = guest.worker.component_id;
        self.may_call(caller, &call.target)?;
        let exported = self.remote_function(&call.target, &call.function)?;
        let create = if self.are_neighbours(caller, call.target.component()) {
            guest.heir()
        } else {
            // What one namespace gives its workers is none of another's.
            CreateWith::default()
        };
        match &self.addressed(call.target.clone()) {
            Target::Worker(worker) => {
                let invocation = Invocation {
                    key: call.key.clone(),
                    repeatable: call.repeated,
                    function: exported.name.clone(),
                    input: call.input.clone(),
                    caller: Some(crate::rpc::worker_urn(&guest.worker)),
                    deadline: call.deadline,
                    trace: call.trace.as_ref().map(|trace| trace.context.clone()),
                    create,
                    accepted: accepted.map(Accepting::Caller),
                    reply,
                };
                self.tell(worker, Message::Invoke(Box::new(invocation)));
            }
            Target::Ephemeral(component) => {
                let (node, component, call) = (Arc::clone(self), *component, call.clone());
                if let Some(accepted) = accepted {
                    drop(accepted.send(Ok(())));
                }
                tokio::spawn(async move {
                    let trace = call.trace.map(|trace| trace.context);
                    let outcome = node
                        .run_ephemeral(component, &exported, call.key, call.input, create, trace)
                        .await;
                    if let Some(reply) = reply {
                        reply.send(outcome.map(|value| Finished {
                            value,
                            seq: node.committer.durable(),
                        }));
                    }
                });
            }
        }
        Ok(())
    }
}

fn no_function(target: &Target, function: &Function) -> RpcError {
    let component = target.component();
    RpcError::NotFound(format!(
        "component {component} has no function `{function}`"
    ))
}
