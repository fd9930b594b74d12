// SPDX-License-Identifier: Apache-2.0
//! THE DESK / client: the REST API of a server as functions. In ids and values, out bodies of the API or a failure with
//! its exit code. Never prints, never asks. Read next: `client/transport.rs`, `cmd/worker.rs`. Source: client spec §6.6.

mod connect;
mod error;
mod multipart;
mod namespace;
mod published;
mod site;
mod socket;
#[cfg(feature = "server")]
mod transfer;
mod transport;
mod travel;

use std::time::Duration;

use golem_model::api::{
    Empty, IDEMPOTENCY_KEY_HEADER, InvokeParameters, InvokeResult, ScanCursor, SecretInfo,
    TokenCreated, TokenId, TokenInfo, TokenRequest, VersionInfo, WhoAmI, WorkerCreationRequest,
    WorkerCreationResponse, WorkerMetadata, WorkersMetadataResponse,
};
use golem_model::component::{Component, ComponentType, Uploaded};
use golem_model::urn::{ComponentRef, percent_encode};
use golem_model::{ComponentId, ComponentVersion, WorkerId, suggest};

pub(crate) use self::connect::Begin;
use self::error::ClientError;
use self::multipart::Form;
use self::site::{Site, Trust};
pub(crate) use self::transport::{DEFAULT_URL, Insecure, Seen, Unanswered};
use self::transport::{Request, Transport};
pub(crate) use self::travel::CallsOf;
use crate::args::Global;
use crate::error::Failure;
use crate::files::Files;

/// A server to talk to.
#[derive(Debug)]
pub(crate) struct Client {
    transport: Transport,
}

/// Checks the address of a server, without talking to it; `origin` says in errors where it comes from.
pub(crate) fn check_url(url: &str, origin: &str) -> Result<(), Failure> {
    Site::at(url, origin, Trust::Web).map(drop)
}

fn secret_path(name: &str) -> String {
    format!("/v1/secrets/{}", percent_encode(name))
}

/// A component as it is uploaded, beside its name and its type.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Code<'a> {
    /// The component.
    pub(crate) wasm: &'a [u8],
    /// The text of what it declares; `null` is nothing, `None` what the version before has.
    pub(crate) capabilities: Option<&'a str>,
    /// What its workers begin with; `None` is what the version before has.
    pub(crate) files: Option<&'a Files>,
}

impl Code<'_> {
    /// The form with its parts. An archive without files takes away those of the version before.
    fn onto(self, form: Form) -> Form {
        let form = match self.capabilities {
            Some(text) => form.text("capabilities", text),
            None => form,
        };
        let form = form.file("component", "component.wasm", self.wasm);
        let Some(files) = self.files else {
            return form;
        };
        // A map of texts always has a form in JSON.
        let permissions = serde_json::to_string(&files.permissions()).unwrap_or_default();
        form.json("filesPermissions", &permissions)
            .file("files", "files.zip", &files.archive())
    }
}

/// Whom an invocation is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// A worker with a name.
    Worker(WorkerId),
    /// A fresh worker of this component.
    Unnamed(ComponentId),
}

impl Target {
    /// The component of the worker.
    pub(crate) const fn component(&self) -> ComponentId {
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

/// A page of a listing of workers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Page {
    /// Conditions that all must hold, as written.
    pub(crate) filters: Vec<String>,
    /// Where the page starts.
    pub(crate) cursor: Option<ScanCursor>,
    /// Most workers on it.
    pub(crate) count: Option<u64>,
    /// Whether the status is computed anew for each worker.
    pub(crate) precise: Option<bool>,
}

impl Client {
    /// The server that the flags, the environment or the active profile name; else the one of this machine.
    ///
    /// Nothing is sent yet. Errors: an address that is none, a configuration that cannot be read.
    pub(crate) fn new(global: &Global) -> Result<Self, Failure> {
        Ok(Self {
            transport: Transport::new(global)?,
        })
    }

    /// Makes a token; the only answer with the secret.
    pub(crate) fn add_token(&self, request: &TokenRequest) -> Result<TokenCreated, Failure> {
        self.transport
            .json(Request::post("/v1/tokens").body(request))
    }

    /// All tokens, without secrets.
    pub(crate) fn tokens(&self) -> Result<Vec<TokenInfo>, Failure> {
        self.transport.json(Request::get("/v1/tokens"))
    }

    /// Sets a secret.
    pub(crate) fn set_secret(&self, name: &str, value: Vec<u8>) -> Result<SecretInfo, Failure> {
        self.transport
            .json(Request::put(secret_path(name)).bytes(value))
    }

    /// All secrets, without values.
    pub(crate) fn secrets(&self) -> Result<Vec<SecretInfo>, Failure> {
        self.transport.json(Request::get("/v1/secrets"))
    }

    /// Deletes a secret.
    pub(crate) fn delete_secret(&self, name: &str) -> Result<SecretInfo, Failure> {
        self.transport.json(Request::delete(secret_path(name)))
    }

    /// Takes a token back.
    pub(crate) fn revoke_token(&self, id: TokenId) -> Result<TokenInfo, Failure> {
        self.transport
            .json(Request::delete(format!("/v1/tokens/{id}")))
    }

    /// Whom the server sees.
    pub(crate) fn who_am_i(&self) -> Result<WhoAmI, Failure> {
        self.transport.json(Request::get("/v1/whoami"))
    }

    /// The version that the server says it is of. Errors: nobody answers (exit code `UNREACHABLE`), or something else does.
    pub(crate) fn version(&self) -> Result<String, Failure> {
        let VersionInfo { version } = self.transport.json(Request::get("/version"))?;
        Ok(version)
    }

    /// One look at a path, bounded in time. Errors: why there was no answer.
    pub(crate) fn look(&self, path: &str, timeout: Duration) -> Result<Seen, Unanswered> {
        self.transport.look(path, timeout)
    }

    /// Whether the server is talked to over TLS.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.transport.main().is_encrypted()
    }

    /// Whether it is talked to over TLS with whoever answers, because a profile says so.
    pub(crate) fn is_anybody(&self) -> bool {
        self.transport.main().is_anybody()
    }

    /// The address of the server.
    pub(crate) fn url(&self) -> &str {
        &self.transport.main().base
    }

    /// `host:port` of the server, and what stands before every path.
    pub(crate) fn address(&self) -> (String, String) {
        self.transport.main().address()
    }

    /// The port of the server, when its address is of this machine and has no path.
    pub(crate) fn local_port(&self) -> Option<u16> {
        let (authority, prefix) = self.transport.main().address();
        let (host, port) = authority.rsplit_once(':')?;
        let local = matches!(host, "localhost" | "127.0.0.1");
        (local && prefix.is_empty()).then(|| port.parse().ok())?
    }

    /// All versions of all components, or of the one with this name.
    pub(crate) fn components(&self, name: Option<&str>) -> Result<Vec<Component>, Failure> {
        let query = name.map(|name| ("component-name", name.to_owned()));
        self.transport
            .json(Request::get("/v1/components").query(query))
    }

    /// One version of a component; the newest without one.
    pub(crate) fn component(
        &self,
        id: ComponentId,
        version: Option<ComponentVersion>,
    ) -> Result<Component, Failure> {
        let path = match version {
            Some(version) => format!("/v1/components/{id}/versions/{version}"),
            None => format!("/v1/components/{id}/latest"),
        };
        self.transport.json(Request::get(path))
    }

    /// The newest version of the component with this name; `None` when there is none.
    ///
    /// Errors: several components of that name, and those of the transport.
    pub(crate) fn component_named(&self, name: &str) -> Result<Option<Component>, Failure> {
        let mut newest: Option<Component> = None;
        for component in self.components(Some(name))? {
            let id = |component: &Component| component.versioned_component_id;
            match &newest {
                Some(other) if id(other).component_id != id(&component).component_id => {
                    let ids = vec![id(other).component_id, id(&component).component_id];
                    return Err(ClientError::ManyComponents {
                        name: name.to_owned(),
                        ids,
                    }
                    .failure());
                }
                Some(other) if id(other).version >= id(&component).version => {}
                _ => newest = Some(component),
            }
        }
        Ok(newest)
    }

    /// The newest version of a component. Errors: `NoComponent` with the name that is most like it.
    pub(crate) fn find(&self, component: &ComponentRef) -> Result<Component, Failure> {
        match component {
            ComponentRef::Id(id) => self.component(*id, None),
            ComponentRef::Name(name) => match self.component_named(name)? {
                Some(component) => Ok(component),
                None => Err(self.no_component(name)),
            },
        }
    }

    /// The id of a component, without asking the server when it is known.
    pub(crate) fn find_id(&self, component: &ComponentRef) -> Result<ComponentId, Failure> {
        match component {
            ComponentRef::Id(id) => Ok(*id),
            ComponentRef::Name(_) => Ok(self.find(component)?.versioned_component_id.component_id),
        }
    }

    /// The failure for a name that no component has, with the name that was perhaps meant.
    pub(crate) fn no_component(&self, name: &str) -> Failure {
        let all = self.components(None).unwrap_or_default();
        let known = all
            .iter()
            .map(|component| component.component_name.as_str());
        let suggestion = suggest::closest(name, known).map(str::to_owned);
        ClientError::NoComponent {
            name: name.to_owned(),
            suggestion,
        }
        .failure()
    }

    /// Uploads a new component. Errors: exit code `CONFLICT` when the name is taken.
    pub(crate) fn add_component(
        &self,
        name: &str,
        kind: ComponentType,
        code: Code<'_>,
    ) -> Result<Uploaded, Failure> {
        let form = Form::new()
            .text("name", name)
            .text("componentType", kind_text(kind));
        self.transport
            .json(Request::post("/v1/components").form(code.onto(form)))
    }

    /// Uploads a new version of a component; without a type it keeps the one it has.
    pub(crate) fn update_component(
        &self,
        id: ComponentId,
        kind: Option<ComponentType>,
        code: Code<'_>,
    ) -> Result<Uploaded, Failure> {
        let mut form = Form::new();
        if let Some(kind) = kind {
            form = form.text("componentType", kind_text(kind));
        }
        self.transport
            .json(Request::post(format!("/v1/components/{id}/updates")).form(code.onto(form)))
    }

    /// Uploads a component: adds it, or makes a new version of the one with this name.
    ///
    /// Returns what the server keeps now, and whether it is an update.
    pub(crate) fn deploy_component(
        &self,
        name: &str,
        kind: ComponentType,
        code: Code<'_>,
    ) -> Result<(Uploaded, bool), Failure> {
        match self.component_named(name)? {
            None => self
                .add_component(name, kind, code)
                .map(|component| (component, false)),
            Some(old) => {
                let id = old.versioned_component_id.component_id;
                self.update_component(id, Some(kind), code)
                    .map(|component| (component, true))
            }
        }
    }

    /// Creates a worker.
    pub(crate) fn create_worker(
        &self,
        component: ComponentId,
        request: &WorkerCreationRequest,
    ) -> Result<WorkerCreationResponse, Failure> {
        self.transport
            .json(Request::post(format!("/v1/components/{component}/workers")).body(request))
    }

    /// What the server knows of a worker. Errors: exit code `NOT_FOUND` when there is no such worker.
    pub(crate) fn worker(&self, worker: &WorkerId) -> Result<WorkerMetadata, Failure> {
        self.transport.json(Request::get(worker_path(worker)))
    }

    /// One page of the workers of a component.
    pub(crate) fn workers(
        &self,
        component: ComponentId,
        page: &Page,
    ) -> Result<WorkersMetadataResponse, Failure> {
        let filters = page.filters.iter().map(|filter| ("filter", filter.clone()));
        let request = Request::get(format!("/v1/components/{component}/workers"))
            .query(filters)
            .query(page.cursor.map(|cursor| ("cursor", cursor.to_string())))
            .query(page.count.map(|count| ("count", count.to_string())))
            .query(page.precise.map(|precise| ("precise", precise.to_string())));
        self.transport.json(request)
    }

    /// Deletes a worker and its oplog.
    pub(crate) fn delete_worker(&self, worker: &WorkerId) -> Result<(), Failure> {
        self.transport
            .json(Request::delete(worker_path(worker)))
            .map(|Empty {}| ())
    }

    /// Stops a worker; with `recover` it starts again at once, as after a crash.
    pub(crate) fn interrupt_worker(&self, worker: &WorkerId, recover: bool) -> Result<(), Failure> {
        let query = [("recovery-immediately", recover.to_string())];
        let request = Request::post(format!("{}/interrupt", worker_path(worker))).query(query);
        self.transport.json(request).map(|Empty {}| ())
    }

    /// Lets an interrupted worker go on.
    pub(crate) fn resume_worker(&self, worker: &WorkerId) -> Result<(), Failure> {
        self.transport
            .json(Request::post(format!("{}/resume", worker_path(worker))))
            .map(|Empty {}| ())
    }

    /// Calls a function and waits for its result, as long as it takes or `timeout` allows. Errors: exit code `GUEST` when the guest failed.
    pub(crate) fn invoke_and_await(
        &self,
        target: &Target,
        function: &str,
        key: Option<&str>,
        timeout: Option<&str>,
        parameters: &InvokeParameters,
    ) -> Result<InvokeResult, Failure> {
        self.transport
            .json(invocation(target, "invoke-and-await", function, key, timeout).body(parameters))
    }

    /// Puts a call into the queue of a worker; returns when it is durable.
    pub(crate) fn invoke(
        &self,
        target: &Target,
        function: &str,
        key: Option<&str>,
        timeout: Option<&str>,
        parameters: &InvokeParameters,
    ) -> Result<(), Failure> {
        self.transport
            .json(invocation(target, "invoke", function, key, timeout).body(parameters))
            .map(|Empty {}| ())
    }
}

fn invocation(
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

fn worker_path(worker: &WorkerId) -> String {
    format!(
        "/v1/components/{}/workers/{}",
        worker.component_id,
        percent_encode(&worker.worker_name)
    )
}

const fn kind_text(kind: ComponentType) -> &'static str {
    match kind {
        ComponentType::Durable => "Durable",
        ComponentType::Ephemeral => "Ephemeral",
    }
}
