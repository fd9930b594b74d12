// SPDX-License-Identifier: Apache-2.0
//! THE DESK / client/travel: the calls that look at a worker's history or change its course. In ids and bodies, out bodies of the
//! API. Never prints. Read next: `transport.rs`, `cmd/worker/travel.rs`. Source: client spec §6.6, §6.8.

use golem_model::api::{
    CallTree, CancelResponse, CheckpointsResponse, CompleteRequest, DroppedCheckpoints,
    DryRunRequest, DryRunResponse, Empty, ForkRequest, ForkResponse, InvokeParameters, OplogCursor,
    OplogPage, Replay, RevertRequest, ScheduleId, ScheduleResponse, UpdateMode,
    UpdateWorkerRequest, VerifyResponse, WorkerMetadata,
};
use golem_model::urn::percent_encode;
use golem_model::{ComponentId, ComponentVersion, OplogIndex, WorkerId};

use super::transport::Request;
use super::{Client, Page, Target, invocation, worker_path};
use crate::error::Failure;

/// Workers that are asked for at a time when all are wanted, as the original does.
const PAGE: u64 = 50;

/// Which invocation of a worker is meant.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CallsOf<'a> {
    /// The one that began last.
    Last,
    /// The one with this key.
    Key(&'a str),
    /// The one that this entry belongs to.
    Entry(u64),
}

impl Client {
    /// The tree of the calls of one invocation.
    pub(crate) fn calls(&self, worker: &WorkerId, of: CallsOf<'_>) -> Result<CallTree, Failure> {
        let of = match of {
            CallsOf::Last => None,
            CallsOf::Key(key) => Some(("key", key.to_owned())),
            CallsOf::Entry(index) => Some(("at", index.to_string())),
        };
        let request = Request::get(format!("{}/calls", worker_path(worker))).query(of);
        self.transport.json(request)
    }

    /// The checkpoints of a worker, the newest first.
    pub(crate) fn checkpoints(&self, worker: &WorkerId) -> Result<CheckpointsResponse, Failure> {
        let path = format!("{}/checkpoints", worker_path(worker));
        self.transport.json(Request::get(path))
    }

    /// Drops them.
    pub(crate) fn drop_checkpoints(
        &self,
        worker: &WorkerId,
    ) -> Result<DroppedCheckpoints, Failure> {
        let path = format!("{}/checkpoints", worker_path(worker));
        self.transport.json(Request::delete(path))
    }

    /// One page of an oplog; `query` finds entries, else `from` says where the first page begins.
    pub(crate) fn oplog(
        &self,
        worker: &WorkerId,
        from: u64,
        query: Option<&str>,
        cursor: Option<OplogCursor>,
        count: u64,
    ) -> Result<OplogPage, Failure> {
        let begin = match query {
            Some(query) => ("query", query.to_owned()),
            None => ("from", from.to_string()),
        };
        let request = Request::get(format!("{}/oplog", worker_path(worker)))
            .query([begin, ("count", count.to_string())])
            .query(cursor.map(|cursor| ("cursor", cursor.to_string())));
        self.transport.json(request)
    }

    /// Asks for another version of a worker's component; it happens soon after.
    pub(crate) fn update_worker(
        &self,
        worker: &WorkerId,
        mode: UpdateMode,
        target_version: ComponentVersion,
    ) -> Result<(), Failure> {
        let body = UpdateWorkerRequest {
            mode,
            target_version,
        };
        let request = Request::post(format!("{}/update", worker_path(worker))).body(&body);
        self.transport.json(request).map(|Empty {}| ())
    }

    /// What an automatic update of a worker would meet.
    pub(crate) fn try_update(
        &self,
        worker: &WorkerId,
        target_version: ComponentVersion,
    ) -> Result<DryRunResponse, Failure> {
        let request = Request::post(format!("{}/update-dry-run", worker_path(worker)));
        self.transport
            .json(request.body(&DryRunRequest { target_version }))
    }

    /// The same for every worker of a component that runs another version.
    pub(crate) fn try_update_all(
        &self,
        component: ComponentId,
        target_version: ComponentVersion,
    ) -> Result<DryRunResponse, Failure> {
        let request = Request::post(format!("/v1/components/{component}/update-dry-run"));
        self.transport
            .json(request.body(&DryRunRequest { target_version }))
    }

    /// Cancels a pending or running invocation; `false` when there is none.
    pub(crate) fn cancel(&self, worker: &WorkerId, key: &str) -> Result<bool, Failure> {
        let path = format!(
            "{}/invocations/{}",
            worker_path(worker),
            percent_encode(key)
        );
        let answer: CancelResponse = self.transport.json(Request::delete(path))?;
        Ok(answer.canceled)
    }

    /// Lets a worker go back in its history.
    pub(crate) fn revert(&self, worker: &WorkerId, to: RevertRequest) -> Result<(), Failure> {
        let request = Request::post(format!("{}/revert", worker_path(worker))).body(&to);
        self.transport.json(request).map(|Empty {}| ())
    }

    /// Makes a worker `name` with the history of `worker` up to an entry.
    pub(crate) fn fork(
        &self,
        worker: &WorkerId,
        oplog_index: OplogIndex,
        name: &str,
    ) -> Result<WorkerId, Failure> {
        let body = ForkRequest {
            oplog_index,
            name: name.to_owned(),
        };
        let request = Request::post(format!("{}/fork", worker_path(worker))).body(&body);
        let ForkResponse { worker_id } = self.transport.json(request)?;
        Ok(worker_id)
    }

    /// Gives a promise its value; `false` when it has one.
    pub(crate) fn complete_promise(
        &self,
        worker: &WorkerId,
        oplog_idx: OplogIndex,
        data: Vec<u8>,
    ) -> Result<bool, Failure> {
        let body = CompleteRequest { oplog_idx, data };
        let request = Request::post(format!("{}/complete", worker_path(worker))).body(&body);
        self.transport.json(request)
    }

    /// Puts a call into the calendar of a worker; `when` is `at` or `in` with its text.
    pub(crate) fn schedule(
        &self,
        worker: &WorkerId,
        function: &str,
        key: Option<&str>,
        when: (&'static str, String),
        parameters: &InvokeParameters,
    ) -> Result<ScheduleResponse, Failure> {
        let target = Target::Worker(worker.clone());
        let request = invocation(&target, "schedule", function, key, None).query([when]);
        self.transport.json(request.body(parameters))
    }

    /// Takes a scheduled call back; `false` when it has started.
    pub(crate) fn unschedule(&self, worker: &WorkerId, id: ScheduleId) -> Result<bool, Failure> {
        let path = format!("{}/schedule/{id}", worker_path(worker));
        let answer: CancelResponse = self.transport.json(Request::delete(path))?;
        Ok(answer.canceled)
    }

    /// Repeats the history of a worker on a copy.
    pub(crate) fn replay(
        &self,
        worker: &WorkerId,
        at: Option<u64>,
        version: Option<ComponentVersion>,
    ) -> Result<Replay, Failure> {
        let request = Request::get(format!("{}/replay", worker_path(worker)))
            .query(at.map(|at| ("at", at.to_string())))
            .query(version.map(|version| ("version", version.to_string())));
        self.transport.json(request)
    }

    /// The whole history of a worker, as a file.
    pub(crate) fn export(&self, worker: &WorkerId) -> Result<Vec<u8>, Failure> {
        self.transport
            .bytes(Request::get(format!("{}/export", worker_path(worker))))
    }

    /// Compares the newest checkpoint of a worker with a replay.
    pub(crate) fn verify(&self, worker: &WorkerId) -> Result<VerifyResponse, Failure> {
        self.transport
            .json(Request::get(format!("{}/verify", worker_path(worker))))
    }

    /// Every worker of a component that meets the conditions, with its true status.
    pub(crate) fn all_workers(
        &self,
        component: ComponentId,
        filters: Vec<String>,
    ) -> Result<Vec<WorkerMetadata>, Failure> {
        let mut page = Page {
            filters,
            cursor: None,
            count: Some(PAGE),
            precise: Some(true),
        };
        let mut all = Vec::new();
        loop {
            let answer = self.workers(component, &page)?;
            all.extend(answer.workers);
            // A server that gives the same position again would keep us here for ever.
            match answer.cursor.filter(|next| page.cursor != Some(*next)) {
                Some(next) => page.cursor = Some(next),
                None => return Ok(all),
            }
        }
    }
}
