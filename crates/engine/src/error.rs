// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / error: what can go wrong for a caller of the engine. Out: [`ComponentError`], [`WorkerError`].
//! Never touches HTTP (the server maps these to statuses). Read next: `node.rs`. Codes: docs/errors/README.md.

use golem_model::capabilities::CapabilityError;
use golem_model::oplog::FailureKind;
use golem_model::{Coded, ComponentId, ComponentVersion, Namespace, WorkerId};
use golem_storage::StoreError;

use crate::secrets::SecretError;

/// Why a component was not taken, or not found.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ComponentError {
    /// There is no component with this id.
    #[error("component {0} does not exist")]
    NotFound(ComponentId),
    /// There is no component with this name.
    #[error("no component is called `{0}`")]
    NameNotFound(String),
    /// The component exists, this version of it does not.
    #[error("component {0} has no version {1}")]
    VersionNotFound(ComponentId, ComponentVersion),
    /// The name is taken.
    #[error("Component already exists: {0}")]
    AlreadyExists(ComponentId),
    /// There is no such namespace, or none that the one who asks may know of.
    #[error("there is no namespace `{0}` for the component")]
    NoNamespace(Namespace),
    /// The bytes are no component.
    #[error("the upload is not a WebAssembly component: {0}")]
    NotAComponent(String),
    /// The component needs something that nobody provides.
    #[error("the component imports {}, which nothing here provides", .0.iter().map(|i| format!("`{i}`")).collect::<Vec<_>>().join(", "))]
    UnknownImport(Vec<String>),
    /// The upload is over the limit.
    #[error("the upload of {bytes} bytes is over the limit of {limit}")]
    TooLarge {
        /// Size of the upload.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The compiler refused the component.
    #[error("the component does not compile: {0}")]
    Compile(String),
    /// An initial file cannot be taken.
    #[error("the initial file `{}` cannot be taken: {detail}", path.escape_debug())]
    BadFile {
        /// Its path.
        path: String,
        /// Why not.
        detail: String,
    },
    /// No initial file has the path.
    #[error("version {version} of component {component} has no initial file `{}`", path.escape_debug())]
    FileNotFound {
        /// The component.
        component: ComponentId,
        /// The version.
        version: ComponentVersion,
        /// The path that was asked for.
        path: String,
    },
    /// The name cannot be used.
    #[error("`{0}` cannot be the name of a component")]
    BadName(String),
    /// Its workers cannot share their start.
    #[error("the workers of the component cannot share their start: {0}")]
    Start(String),
    /// What is declared of it cannot be.
    #[error(transparent)]
    Capabilities(#[from] CapabilityError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file could not be read or written.
    #[error("cannot keep the component: {0}")]
    Io(String),
}

impl Coded for ComponentError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "CMP-001",
            Self::NameNotFound(_) => "CMP-002",
            Self::VersionNotFound(..) => "CMP-003",
            Self::AlreadyExists(_) => "CMP-004",
            Self::NotAComponent(_) => "CMP-005",
            Self::UnknownImport(_) => "CMP-006",
            Self::TooLarge { .. } => "CMP-007",
            Self::Compile(_) => "CMP-008",
            Self::BadName(_) => "CMP-009",
            Self::Start(_) => "CMP-023",
            Self::Capabilities(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Io(_) => "CMP-010",
            Self::BadFile { .. } => "CMP-021",
            Self::FileNotFound { .. } => "CMP-022",
            Self::NoNamespace(_) => "CMP-011",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotFound(_) | Self::NameNotFound(_) => "see what there is: golem-cli component list".into(),
            Self::VersionNotFound(id, _) => format!("see its newest version: golem-cli component get -C urn:component:{id}"),
            Self::AlreadyExists(id) => format!("upload a new version: golem-cli component update -C urn:component:{id} FILE"),
            Self::NotAComponent(_) => "build one: golem-cli build (a core module must be encoded as a component first)".into(),
            Self::UnknownImport(_) => {
                "import only WASI 0.2 (cli, clocks, filesystem, io, random, sockets), golem:rpc/types@0.1.0 and stub interfaces; \
                 compose other imports: golem-cli stubgen compose --help"
                    .into()
            }
            Self::TooLarge { .. } => "make it smaller: golem-cli build strips symbols; large data is better fetched by the worker than uploaded as initial files".into(),
            Self::FileNotFound { component, .. } => format!("see its `files`: golem-cli component get -C urn:component:{component} --format json"),
            Self::BadFile { .. } => "name each file of the archive once, by a path below its root such as `etc/app.conf`; in a worker that is `/etc/app.conf`".into(),
            Self::Compile(_) => "check it with another tool of the same proposal level".into(),
            Self::BadName(_) => "use 1 to 100 letters, digits, `-`, `_`, `:`, `.` or `/`".into(),
            Self::Start(_) => "do it in the first call and not before it (in Go: not in `init` and not in a variable of a package), or leave `start: shared` out of golem.yaml".into(),
            Self::Capabilities(error) => return error.hint(),
            Self::Store(error) => return error.hint(),
            Self::NoNamespace(name) => format!("an owner makes it: golem-cli namespace create {name}"),
            Self::Io(_) => "check free disk space and the permissions of the data directory".into(),
        })
    }
}

/// How an invocation failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What kind of failure.
    pub kind: FailureKind,
    /// What the guest or the engine said.
    pub message: String,
    /// Functions of the guest that were active, innermost first, one per line; may be empty.
    pub trace: String,
    /// URNs of the workers along a deadlock.
    pub path: Vec<String>,
}

impl Failure {
    /// A failure without a trace.
    pub(crate) fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            trace: String::new(),
            path: Vec::new(),
        }
    }
}

impl From<Failure> for WorkerError {
    fn from(failure: Failure) -> Self {
        match failure.kind {
            FailureKind::LimitExceeded => Self::LimitExceeded(failure),
            _ => Self::Failed(failure),
        }
    }
}

/// Why a worker did not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WorkerError {
    /// The component of the worker is not there.
    #[error(transparent)]
    Component(#[from] ComponentError),
    /// There is no such worker.
    #[error("Worker not found: {0}")]
    NotFound(WorkerId),
    /// The name is taken.
    #[error("Worker already exists: {0}")]
    AlreadyExists(WorkerId),
    /// The component has no such function.
    #[error("component {component} has no function `{function}`{}", suggestion.as_ref().map(|s| format!("; did you mean `{s}`?")).unwrap_or_default())]
    UnknownFunction {
        /// The component.
        component: ComponentId,
        /// What was asked for.
        function: String,
        /// The closest exported name.
        suggestion: Option<String>,
    },
    /// The arguments do not fit the function.
    #[error("arguments do not fit `{function}`: {detail}")]
    BadArguments {
        /// The function.
        function: String,
        /// Which argument, and why.
        detail: String,
    },
    /// The idempotency key was used for another call.
    #[error("idempotency key `{key}` was used for another call of worker {worker}")]
    KeyReused {
        /// The worker.
        worker: WorkerId,
        /// The key.
        key: String,
    },
    /// The invocation failed.
    #[error("{}", .0.message)]
    Failed(Failure),
    /// The worker has used more of something than it may; the message says of what, how much, and who set it.
    #[error("{}", .0.message)]
    LimitExceeded(Failure),
    /// A secret that its environment refers to has no value.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A worker of a component with a shared start was to have arguments or an environment of its own.
    #[error(
        "workers of `{0}` share their start, and so have no arguments and no environment of their own"
    )]
    SharedStart(String),
    /// The deadline of the invocation passed before it was done.
    #[error("the deadline of invocation `{key}` of worker {worker} has passed")]
    Timeout {
        /// The worker.
        worker: WorkerId,
        /// Key of the invocation.
        key: String,
    },
    /// Somebody cancelled the invocation.
    #[error("invocation `{key}` of worker {worker} was cancelled")]
    Cancelled {
        /// The worker.
        worker: WorkerId,
        /// Key of the invocation.
        key: String,
    },
    /// An update cannot be asked for.
    #[error("worker {worker} cannot be updated to version {version}: {detail}")]
    BadUpdate {
        /// The worker.
        worker: WorkerId,
        /// The version that was asked for.
        version: u64,
        /// Why not.
        detail: String,
    },
    /// The worker cannot go to a place of its log.
    #[error("worker {worker} cannot go to oplog index {index}: {detail}")]
    BadIndex {
        /// The worker.
        worker: WorkerId,
        /// The index that was asked for.
        index: u64,
        /// Why not.
        detail: String,
    },
    /// There is no such promise.
    #[error("worker {worker} has no promise {index}")]
    PromiseNotFound {
        /// The worker.
        worker: WorkerId,
        /// The index at which it would have been created.
        index: u64,
    },
    /// The worker has not been asked for that.
    #[error("worker {worker} has {what}")]
    NoInvocation {
        /// The worker.
        worker: WorkerId,
        /// Which one it does not have: `no invocation …`.
        what: String,
    },
    /// There is nothing at a path of the worker's files.
    #[error("worker {worker} has no file `{}`", path.escape_debug())]
    FileNotFound {
        /// The worker.
        worker: WorkerId,
        /// The path that was asked for.
        path: String,
    },
    /// What is at a path is not what was asked for.
    #[error("`{}` of worker {worker} is {found}", path.escape_debug())]
    FileKind {
        /// The worker.
        worker: WorkerId,
        /// The path that was asked for.
        path: String,
        /// What is there.
        found: &'static str,
    },
    /// A file of the worker cannot be read from the disk.
    #[error("the file `{}` of worker {worker} cannot be read: {detail}", path.escape_debug())]
    FileUnreadable {
        /// The worker.
        worker: WorkerId,
        /// The path that was asked for.
        path: String,
        /// Why not.
        detail: String,
    },
    /// An earlier invocation failed for good; the worker takes no more.
    #[error("worker {worker} failed in an earlier invocation: {message}")]
    PreviousFailed {
        /// The worker.
        worker: WorkerId,
        /// The failure.
        message: String,
    },
    /// The guest of the worker has ended itself.
    #[error("worker {0} has exited")]
    Exited(WorkerId),
    /// A user interrupted the invocation.
    #[error("worker {0} was interrupted")]
    Interrupted(WorkerId),
    /// The worker was deleted while it ran.
    #[error("worker {0} was deleted")]
    Deleted(WorkerId),
    /// The call would wait for ever.
    #[error("deadlock: {}", path.join(" → "))]
    Deadlock {
        /// URNs along the cycle, from the caller to the caller.
        path: Vec<String>,
    },
    /// Too many invocations wait for this worker.
    #[error("{limit} invocations already wait for worker {worker}")]
    QueueFull {
        /// The worker.
        worker: WorkerId,
        /// The limit.
        limit: usize,
    },
    /// An input, a result or the environment is over a limit.
    #[error("{what} of {bytes} bytes is over the limit of {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log of the worker cannot be read.
    #[error("the oplog of worker {worker} is damaged: {detail}")]
    Damaged {
        /// The worker.
        worker: WorkerId,
        /// What is wrong.
        detail: String,
    },
    /// The server stops.
    #[error("the server is stopping")]
    Stopping,
}

impl Coded for WorkerError {
    fn code(&self) -> &'static str {
        match self {
            Self::Component(error) => error.code(),
            Self::NotFound(_) => "WRK-001",
            Self::AlreadyExists(_) => "WRK-002",
            Self::UnknownFunction { .. } => "WRK-003",
            Self::BadArguments { .. } => "WRK-004",
            Self::KeyReused { .. } => "WRK-005",
            Self::Failed(_) => "WRK-006",
            Self::PreviousFailed { .. } => "WRK-007",
            Self::Exited(_) => "WRK-008",
            Self::Interrupted(_) => "WRK-009",
            Self::Deleted(_) => "WRK-010",
            Self::Deadlock { .. } => "WRK-011",
            Self::QueueFull { .. } => "WRK-012",
            Self::TooLarge { .. } => "WRK-013",
            Self::Store(error) => error.code(),
            Self::Damaged { .. } => "WRK-014",
            Self::Stopping => "WRK-015",
            Self::Timeout { .. } => "WRK-016",
            Self::Cancelled { .. } => "WRK-017",
            Self::BadUpdate { .. } => "WRK-018",
            Self::BadIndex { .. } => "WRK-019",
            Self::PromiseNotFound { .. } => "WRK-020",
            Self::NoInvocation { .. } => "WRK-034",
            Self::SharedStart(_) => "WRK-035",
            Self::FileNotFound { .. } => "WRK-031",
            Self::FileKind { .. } => "WRK-032",
            Self::FileUnreadable { .. } => "WRK-033",
            Self::LimitExceeded(_) => "WRK-021",
            Self::Secret(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Component(error) => return error.hint(),
            Self::Store(error) => return error.hint(),
            Self::Secret(error) => return error.hint(),
            Self::LimitExceeded(_) => "raise it under `capabilities: limits:` of the component in golem.yaml, then: golem-cli deploy; or let the guest use less".into(),
            Self::SharedStart(_) => "pass them as arguments of a function, or set variables for all workers under `capabilities: env:` in golem.yaml; or leave `start: shared` out there".into(),
            Self::Timeout { .. } => "give it more time, or look at what it waits for: golem-cli worker oplog".into(),
            Self::Cancelled { .. } => "call again with a new idempotency key".into(),
            Self::BadUpdate { worker, .. } => format!("see the versions: golem-cli component get -C urn:component:{}", worker.component_id),
            Self::BadIndex { worker, .. } => format!("see the entries: golem-cli worker oplog -W urn:worker:{worker}"),
            Self::PromiseNotFound { worker, .. } => {
                format!("see what the worker created: golem-cli worker oplog -W urn:worker:{worker} --query promise")
            }
            Self::NoInvocation { worker, .. } => {
                format!("see what it was asked: golem-cli worker oplog -W urn:worker:{worker} --query exported-function")
            }
            Self::FileNotFound { .. } => "list the directory above it: GET …/workers/{worker}/files/{path}".into(),
            Self::FileKind { .. } => "a directory is listed with …/files/{path}, a file is read with …/file-contents/{path}".into(),
            Self::FileUnreadable { .. } => "upload the component again: that heals its initial files; then look at the disk".into(),
            Self::NotFound(id) => format!("see what there is: golem-cli worker list -C urn:component:{}", id.component_id),
            Self::AlreadyExists(id) => format!("use it, or delete it first: golem-cli worker delete -W urn:worker:{id}"),
            Self::UnknownFunction { component, .. } => {
                format!("see its functions: golem-cli component get -C urn:component:{component}")
            }
            Self::BadArguments { .. } => "pass one --arg per parameter in WAVE, or a JSON array with --parameters".into(),
            Self::KeyReused { .. } => "make a new key for every new call: golem-cli worker idempotency-key".into(),
            Self::Failed(_) => "the text of a panic is in the worker's log; the caller may try again with a new key".into(),
            Self::PreviousFailed { worker, .. } => format!("read the error, then: golem-cli worker delete -W urn:worker:{worker}"),
            Self::Exited(id) | Self::Deleted(id) => format!("start it anew: golem-cli worker delete -W urn:worker:{id}"),
            Self::Interrupted(id) => format!("let it go on: golem-cli worker resume -W urn:worker:{id}"),
            Self::Deadlock { .. } => "let one of the workers answer before it is called back, or trigger the call without waiting".into(),
            Self::QueueFull { .. } => "wait for answers before sending more, or spread the work over more workers".into(),
            Self::TooLarge { .. } => "send large data in parts".into(),
            Self::Damaged { .. } => "restore the data directory from a backup".into(),
            Self::Stopping => "try again when it is back, with the same idempotency key".into(),
        })
    }
}
