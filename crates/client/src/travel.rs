// SPDX-License-Identifier: Apache-2.0
//! THE PHONE / travel: the calls that look at a worker's history or change its course. In ids and bodies, out bodies of the
//! API. Never prints. Read next: `transport.rs`, `worker.rs`. Source: client spec §6.6, §6.8.

use golem_model::api::{
    CallTree, CancelResponse, CheckpointsResponse, CompleteRequest, DroppedCheckpoints,
    DryRunRequest, DryRunResponse, Empty, ForkRequest, ForkResponse, InvokeParameters, OplogCursor,
    OplogPage, Replay, RevertRequest, ScheduleId, ScheduleResponse, UpdateMode,
    UpdateWorkerRequest, VerifyResponse, WorkerMetadata,
};
use golem_model::urn::percent_encode;
use golem_model::{ComponentId, ComponentVersion, OplogIndex, Timestamp, WorkerId};

use crate::client::Client;
use crate::error::ClientError;
use crate::transport::Request;
use crate::worker::{Page, Target, invocation, worker_path};

/// Workers that are asked for at a time when all are wanted, as the original does.
const PAGE: u64 = 50;

/// Which invocation of a worker is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallsOf<'a> {
    /// The one that began last.
    Last,
    /// The one with this key.
    Key(&'a str),
    /// The one that this entry of its oplog belongs to; the first has index 1.
    Entry(u64),
}

/// When a scheduled call starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// At a moment.
    At(Timestamp),
    /// After a length of time, as [`parse_duration`](golem_model::duration::parse_duration) reads it: `90s`, `1h30m`.
    In(String),
}

impl Client {
    /// The tree of the calls of one invocation, read from the oplogs: no worker is woken for it. Errors: `Refused`, of kind `NotFound` when
    /// the worker or the invocation is not there.
    pub fn calls(&self, worker: &WorkerId, of: CallsOf<'_>) -> Result<CallTree, ClientError> {
        let of = match of {
            CallsOf::Last => None,
            CallsOf::Key(key) => Some(("key", key.to_owned())),
            CallsOf::Entry(index) => Some(("at", index.to_string())),
        };
        let request = Request::get(format!("{}/calls", worker_path(worker))).query(of);
        self.transport.json(request)
    }

    /// The checkpoints of a worker, the newest first. Errors: `Refused`, of kind `NotFound`.
    pub fn checkpoints(&self, worker: &WorkerId) -> Result<CheckpointsResponse, ClientError> {
        let path = format!("{}/checkpoints", worker_path(worker));
        self.transport.json(Request::get(path))
    }

    /// Drops the checkpoints of a worker; it is made again from its oplog then. Errors: `Refused`, of kind `NotFound`.
    pub fn drop_checkpoints(&self, worker: &WorkerId) -> Result<DroppedCheckpoints, ClientError> {
        let path = format!("{}/checkpoints", worker_path(worker));
        self.transport.json(Request::delete(path))
    }

    /// One page of an oplog, at most `count` entries. With a `query` it is those that [fit](golem_model::query), else those from the index
    /// `from` on; 0 is the first of all. `cursor` is `next` of the page before. The page behind the last one is empty.
    ///
    /// Errors: `Refused`, of kind `NotFound` when there is no such worker.
    pub fn oplog(
        &self,
        worker: &WorkerId,
        from: u64,
        query: Option<&str>,
        cursor: Option<OplogCursor>,
        count: u64,
    ) -> Result<OplogPage, ClientError> {
        let begin = match query {
            Some(query) => ("query", query.to_owned()),
            None => ("from", from.to_string()),
        };
        let request = Request::get(format!("{}/oplog", worker_path(worker)))
            .query([begin, ("count", count.to_string())])
            .query(cursor.map(|cursor| ("cursor", cursor.to_string())));
        self.transport.json(request)
    }

    /// Asks for another version of a worker's component; it happens soon after, and
    /// [`worker`](Self::worker) says in `updates` how it went. Errors: `Refused`, of kind `NotFound`.
    pub fn update_worker(
        &self,
        worker: &WorkerId,
        mode: UpdateMode,
        target_version: ComponentVersion,
    ) -> Result<(), ClientError> {
        let body = UpdateWorkerRequest {
            mode,
            target_version,
        };
        let request = Request::post(format!("{}/update", worker_path(worker))).body(&body);
        self.transport.json(request).map(|Empty {}| ())
    }

    /// What an automatic update of a worker would meet; nothing is changed. Errors: `Refused`, of kind `NotFound`.
    pub fn try_update(
        &self,
        worker: &WorkerId,
        target_version: ComponentVersion,
    ) -> Result<DryRunResponse, ClientError> {
        let request = Request::post(format!("{}/update-dry-run", worker_path(worker)));
        self.transport
            .json(request.body(&DryRunRequest { target_version }))
    }

    /// The same for every worker of a component that runs another version. Errors: `Refused`, of kind `NotFound`.
    pub fn try_update_all(
        &self,
        component: ComponentId,
        target_version: ComponentVersion,
    ) -> Result<DryRunResponse, ClientError> {
        let request = Request::post(format!("/v1/components/{component}/update-dry-run"));
        self.transport
            .json(request.body(&DryRunRequest { target_version }))
    }

    /// Cancels the pending or running invocation with this key; `false` when there is none. Errors: `Refused`, of kind `NotFound` when
    /// there is no such worker.
    pub fn cancel(&self, worker: &WorkerId, key: &str) -> Result<bool, ClientError> {
        let path = format!(
            "{}/invocations/{}",
            worker_path(worker),
            percent_encode(key)
        );
        let answer: CancelResponse = self.transport.json(Request::delete(path))?;
        Ok(answer.canceled)
    }

    /// Lets a worker go back in its history: to an entry, or by a number of invocations. Errors: `Refused`, of kind `NotFound`, or for a
    /// place that it cannot go back to.
    pub fn revert(&self, worker: &WorkerId, to: RevertRequest) -> Result<(), ClientError> {
        let request = Request::post(format!("{}/revert", worker_path(worker))).body(&to);
        self.transport.json(request).map(|Empty {}| ())
    }

    /// Makes a worker `name` of the same component with the history of `worker` up to and with an entry. Errors: `Refused`, of kind
    /// `NotFound`, or `Conflict` when the name is taken.
    pub fn fork(
        &self,
        worker: &WorkerId,
        oplog_index: OplogIndex,
        name: &str,
    ) -> Result<WorkerId, ClientError> {
        let body = ForkRequest {
            oplog_index,
            name: name.to_owned(),
        };
        let request = Request::post(format!("{}/fork", worker_path(worker))).body(&body);
        let ForkResponse { worker_id } = self.transport.json(request)?;
        Ok(worker_id)
    }

    /// Gives the promise that was made at `oplog_idx` its value; `false` when it has one. Errors: `Refused`, of kind `NotFound`.
    pub fn complete_promise(
        &self,
        worker: &WorkerId,
        oplog_idx: OplogIndex,
        data: Vec<u8>,
    ) -> Result<bool, ClientError> {
        let body = CompleteRequest { oplog_idx, data };
        let request = Request::post(format!("{}/complete", worker_path(worker))).body(&body);
        self.transport.json(request)
    }

    /// Puts a call into the calendar of a worker; returns when that is durable. A repetition with the same `key` gives the first answer.
    ///
    /// Errors: `Refused`, of kind `NotFound`, or for parameters that do not fit the function.
    pub fn schedule(
        &self,
        worker: &WorkerId,
        function: &str,
        key: Option<&str>,
        when: &When,
        parameters: &InvokeParameters,
    ) -> Result<ScheduleResponse, ClientError> {
        let target = Target::Worker(worker.clone());
        let when = match when {
            When::At(moment) => ("at", moment.to_string()),
            When::In(length) => ("in", length.clone()),
        };
        let request = invocation(&target, "schedule", function, key, None).query([when]);
        self.transport.json(request.body(parameters))
    }

    /// Takes a scheduled call back; `false` when it has started or was taken back before. Errors: `Refused`, of kind `NotFound` when there
    /// is no such worker.
    pub fn unschedule(&self, worker: &WorkerId, id: ScheduleId) -> Result<bool, ClientError> {
        let path = format!("{}/schedule/{id}", worker_path(worker));
        let answer: CancelResponse = self.transport.json(Request::delete(path))?;
        Ok(answer.canceled)
    }

    /// Repeats the history of a worker on a copy, up to and with the entry `at` or to its end, by one version of its component or by
    /// its own. Errors: `Refused`, of kind `NotFound`.
    pub fn replay(
        &self,
        worker: &WorkerId,
        at: Option<u64>,
        version: Option<ComponentVersion>,
    ) -> Result<Replay, ClientError> {
        let request = Request::get(format!("{}/replay", worker_path(worker)))
            .query(at.map(|at| ("at", at.to_string())))
            .query(version.map(|version| ("version", version.to_string())));
        self.transport.json(request)
    }

    /// The whole history of a worker, as a file of at most 256 MiB. Errors: `Refused`, of kind `NotFound`. Format:
    /// docs/formats/recording.md.
    pub fn export(&self, worker: &WorkerId) -> Result<Vec<u8>, ClientError> {
        self.transport
            .bytes(Request::get(format!("{}/export", worker_path(worker))))
    }

    /// Compares the newest checkpoint of a worker with a replay. Errors: `Refused`, of kind `NotFound` when there is no such worker.
    pub fn verify(&self, worker: &WorkerId) -> Result<VerifyResponse, ClientError> {
        self.transport
            .json(Request::get(format!("{}/verify", worker_path(worker))))
    }

    /// Every worker of a component that meets the conditions of `filters`, as [`Page`] has them, with its true status; asked for page by
    /// page. Errors: `Refused`, of kind `NotFound`, or for a condition that is none.
    pub fn all_workers(
        &self,
        component: ComponentId,
        filters: Vec<String>,
    ) -> Result<Vec<WorkerMetadata>, ClientError> {
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
