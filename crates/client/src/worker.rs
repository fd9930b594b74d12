// SPDX-License-Identifier: Apache-2.0
//! THE PHONE / worker: creates, calls, lists and ends workers. In ids and parameters, out bodies of the API. Never sends a call twice.
//! Read next: `travel.rs` (history and schedules), `connect.rs` (listening). Source: client spec §6.3, §6.4, §6.6.

use golem_model::api::{
    Empty, IDEMPOTENCY_KEY_HEADER, InvokeParameters, InvokeResult, ScanCursor,
    WorkerCreationRequest, WorkerCreationResponse, WorkerMetadata, WorkersMetadataResponse,
};
use golem_model::urn::percent_encode;
use golem_model::{ComponentId, WorkerId};

use crate::client::Client;
use crate::error::ClientError;
use crate::transport::Request;

/// Whom an invocation is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A worker with a name.
    Worker(WorkerId),
    /// A fresh worker of this component, as ephemeral ones are.
    Unnamed(ComponentId),
}

impl Target {
    /// The component of the worker.
    #[must_use]
    pub const fn component(&self) -> ComponentId {
        match self {
            Self::Worker(worker) => worker.component_id,
            Self::Unnamed(component) => *component,
        }
    }

    fn path(&self) -> String {
        match self {
            Self::Worker(worker) => worker_path(worker),
            Self::Unnamed(component) => format!("/v1/components/{component}"),
        }
    }
}

/// Which page of a listing of workers is wanted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// Conditions that all must hold, as [`Filter`](golem_model::filter::Filter) reads them: `status = Idle`.
    pub filters: Vec<String>,
    /// Where the page starts: `cursor` of the page before; `None` is the begin.
    pub cursor: Option<ScanCursor>,
    /// Most workers on it; the server has a default and a bound.
    pub count: Option<u64>,
    /// Whether the status is computed anew for each worker, which takes longer.
    pub precise: Option<bool>,
}

impl Client {
    /// Creates a worker. Errors: `Refused`, of kind `NotFound` when there is no such component, `Conflict` when the name is taken.
    pub fn create_worker(
        &self,
        component: ComponentId,
        request: &WorkerCreationRequest,
    ) -> Result<WorkerCreationResponse, ClientError> {
        self.transport
            .json(Request::post(format!("/v1/components/{component}/workers")).body(request))
    }

    /// What the server knows of a worker. Errors: `Refused`, of kind `NotFound`.
    pub fn worker(&self, worker: &WorkerId) -> Result<WorkerMetadata, ClientError> {
        self.transport.json(Request::get(worker_path(worker)))
    }

    /// One page of the workers of a component. Errors: `Refused`, of kind `NotFound`, or for a condition that is none.
    pub fn workers(
        &self,
        component: ComponentId,
        page: &Page,
    ) -> Result<WorkersMetadataResponse, ClientError> {
        let filters = page.filters.iter().map(|filter| ("filter", filter.clone()));
        let request = Request::get(format!("/v1/components/{component}/workers"))
            .query(filters)
            .query(page.cursor.map(|cursor| ("cursor", cursor.to_string())))
            .query(page.count.map(|count| ("count", count.to_string())))
            .query(page.precise.map(|precise| ("precise", precise.to_string())));
        self.transport.json(request)
    }

    /// Deletes a worker and its oplog. Errors: `Refused`, of kind `NotFound`.
    pub fn delete_worker(&self, worker: &WorkerId) -> Result<(), ClientError> {
        self.transport
            .json(Request::delete(worker_path(worker)))
            .map(|Empty {}| ())
    }

    /// Stops a worker; with `recover` it starts again at once, as after a crash. Errors: `Refused`, of kind `NotFound`.
    pub fn interrupt_worker(&self, worker: &WorkerId, recover: bool) -> Result<(), ClientError> {
        let query = [("recovery-immediately", recover.to_string())];
        let request = Request::post(format!("{}/interrupt", worker_path(worker))).query(query);
        self.transport.json(request).map(|Empty {}| ())
    }

    /// Lets an interrupted worker go on. Errors: `Refused`, of kind `NotFound`.
    pub fn resume_worker(&self, worker: &WorkerId) -> Result<(), ClientError> {
        self.transport
            .json(Request::post(format!("{}/resume", worker_path(worker))))
            .map(|Empty {}| ())
    }

    /// Calls a function and waits for its result, as long as it takes, or as `timeout` allows: a length of time such as `30s`. The
    /// worker is created if it is not there. A repetition with the same `key` gives the first result; without a key the server makes one.
    ///
    /// `function` is `ns:pkg/interface.{name}`, with one parameter for each of the signature. Errors: `Refused`, of kind `Guest` when the
    /// guest failed, `Timeout` when the time was over, `NotFound` when there is no such component, `Conflict` when the key was one of
    /// another call, and for parameters that do not fit.
    /// Source: client spec §6.4.
    pub fn invoke_and_await(
        &self,
        target: &Target,
        function: &str,
        key: Option<&str>,
        timeout: Option<&str>,
        parameters: &InvokeParameters,
    ) -> Result<InvokeResult, ClientError> {
        self.transport
            .json(invocation(target, "invoke-and-await", function, key, timeout).body(parameters))
    }

    /// Puts a call into the queue of a worker; returns when it is durable. What the guest makes of it is not waited for. Errors: as
    /// [`invoke_and_await`](Self::invoke_and_await), but never of kind `Guest`.
    pub fn invoke(
        &self,
        target: &Target,
        function: &str,
        key: Option<&str>,
        timeout: Option<&str>,
        parameters: &InvokeParameters,
    ) -> Result<(), ClientError> {
        self.transport
            .json(invocation(target, "invoke", function, key, timeout).body(parameters))
            .map(|Empty {}| ())
    }
}

pub(crate) fn invocation(
    target: &Target,
    verb: &str,
    function: &str,
    key: Option<&str>,
    timeout: Option<&str>,
) -> Request {
    Request::post(format!("{}/{verb}", target.path()))
        .query([("function", function.to_owned())])
        .query(timeout.map(|timeout| ("timeout", timeout.to_owned())))
        .header(key.map(|key| (IDEMPOTENCY_KEY_HEADER, key.to_owned())))
}

pub(crate) fn worker_path(worker: &WorkerId) -> String {
    format!(
        "/v1/components/{}/workers/{}",
        worker.component_id,
        percent_encode(&worker.worker_name)
    )
}
