// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / trial/error: what can be wrong in a trial, and why there is none. In: what the engine said. Out: sentences with
//! codes and hints (`TST-…`). Never knows file and line; the command line adds them. Read next: `run.rs`.

use golem_engine::{ComponentError, SecretError, StartError};
use golem_model::Coded;
use golem_storage::StoreError;

/// Why no trial can begin.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// The engine does not take a component.
    #[error("the component `{name}` cannot be run")]
    Component {
        /// Its name.
        name: String,
        /// Why.
        source: ComponentError,
    },
    /// A scenario gives a secret that no server would take.
    #[error("a scenario has a secret that cannot be one")]
    Secret {
        /// Why.
        #[from]
        source: SecretError,
    },
    /// The system gives no threads, no memory or no directory.
    #[error("the system does not give what a test needs: {0}")]
    System(String),
    /// The engine does not start.
    #[error(transparent)]
    Engine(#[from] StartError),
    /// The directory for temporary files cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file is no history of a worker.
    #[error("the recorded history cannot be read: {0}")]
    Recording(String),
    /// The history belongs to a component that the project does not have.
    #[error(
        "the history is one of a worker of `{component}`, and the project has no such component"
    )]
    OtherProject {
        /// Name of the component.
        component: String,
    },
}

impl Coded for TrialError {
    fn code(&self) -> &'static str {
        match self {
            Self::Component { .. } => "TST-001",
            Self::System(_) => "TST-002",
            Self::Engine(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Recording(_) => "TST-003",
            Self::OtherProject { .. } => "TST-004",
            Self::Secret { .. } => "TST-005",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Component { source, .. } => source.hint(),
            Self::Secret { .. } => Some(
                "a value has 8 bytes to 64 KiB of text, a name letters, digits, `-`, `_` and `.`"
                    .into(),
            ),
            Self::System(_) => {
                Some("check free disk space and the limits of open files: ulimit -n".into())
            }
            Self::Engine(error) => error.hint(),
            Self::Store(error) => error.hint(),
            Self::Recording(_) => Some(
                "make it again: golem-cli worker export --component-name … --worker-name … -o FILE"
                    .into(),
            ),
            Self::OtherProject { .. } => {
                Some("run it in the project of that component, or pass --component NAME".into())
            }
        }
    }
}

/// What is wrong in a scenario.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// A call has another result than expected.
    #[error("`{function}` returned `{found}`, expected `{expected}`")]
    Value {
        /// The function.
        function: String,
        /// What it returned, as WAVE.
        found: String,
        /// What was expected, as WAVE.
        expected: String,
    },
    /// A call failed.
    #[error("`{function}` failed: {error}")]
    Failed {
        /// The function.
        function: String,
        /// What the server said.
        error: String,
        /// What the server advised.
        hint: Option<String>,
    },
    /// A call that should fail did not.
    #[error("`{function}` returned `{found}`, expected the error `{expected}`")]
    NoError {
        /// The function.
        function: String,
        /// What it returned, as WAVE.
        found: String,
        /// Code or text of the error.
        expected: String,
    },
    /// A call failed in another way than expected.
    #[error("`{function}` failed with `{found}`, expected the error `{expected}`")]
    OtherError {
        /// The function.
        function: String,
        /// The error.
        found: String,
        /// Code or text of the error.
        expected: String,
    },
    /// The node is at rest and time alone changes nothing, and somebody waits still.
    #[error("{what} never comes: nothing runs, and no timer is set")]
    Never {
        /// What is waited for.
        what: String,
    },
    /// A step takes too much real time.
    #[error("{what} has not come after {seconds} s of real time")]
    TooLong {
        /// What is waited for.
        what: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// A worker does something else.
    #[error("the worker `{worker}` is {found}, expected {expected}")]
    Status {
        /// The worker.
        worker: String,
        /// What it does.
        found: String,
        /// What it should do.
        expected: String,
    },
    /// An oplog has other entries.
    #[error("the oplog of `{worker}` has {found} entries for `{query}`, expected {expected}")]
    Oplog {
        /// The worker.
        worker: String,
        /// The query.
        query: String,
        /// How many it has.
        found: u64,
        /// How many it should have.
        expected: String,
    },
    /// A worker answered a request in another way.
    #[error("`{request}` was answered with {found}, expected {expected}")]
    Http {
        /// Method and path.
        request: String,
        /// What came.
        found: String,
        /// What should have come.
        expected: String,
    },
    /// A request had an effect more or less often.
    #[error("`{request}` had {found} effects outside, expected {expected}")]
    Sent {
        /// Method and URL.
        request: String,
        /// How often it had one.
        found: u64,
        /// How often it should have had one.
        expected: u64,
        /// Requests that no rule answered.
        refused: Vec<String>,
        /// Requests that the capabilities of their components do not allow.
        undeclared: Vec<String>,
    },
    /// A request had more effects than in the plain run.
    #[error("`{request}` had {found} effects outside, {plain} when nothing goes wrong")]
    Repeated {
        /// Method and URL.
        request: String,
        /// How often it had one.
        found: u64,
        /// How often it had one in the plain run.
        plain: u64,
    },
    /// One call that was delivered twice had two answers.
    #[error("`{function}` was delivered twice with one key: `{first}`, then `{second}`")]
    Duplicate {
        /// The function.
        function: String,
        /// One answer.
        first: String,
        /// Another one.
        second: String,
    },
    /// A worker does not repeat its own history.
    #[error("the worker `{worker}` does not repeat its own history: {report}")]
    Diverged {
        /// The worker.
        worker: String,
        /// The first difference.
        report: String,
    },
    /// A worker was not updated.
    #[error("the worker `{worker}` was not updated: {details}")]
    Update {
        /// The worker.
        worker: String,
        /// Why.
        details: String,
    },
    /// A worker has no promise that waits for a value.
    #[error("the worker `{worker}` has no promise that waits for a value")]
    NoPromise {
        /// The worker.
        worker: String,
    },
    /// A component refers to a secret that the scenario does not give.
    #[error(
        "the component `{component}` refers to the secret `{secret}`, and the scenario has none of that name"
    )]
    NoSecret {
        /// The component.
        component: String,
        /// The secret.
        secret: String,
    },
    /// A step cannot be understood by the component that it is about.
    #[error("{detail}")]
    Step {
        /// What is wrong.
        detail: String,
        /// What would be right.
        hint: Option<String>,
    },
    /// The node does not start or stops by itself.
    #[error("the node does not go on: {detail}")]
    Node {
        /// Why.
        detail: String,
    },
}

impl Coded for Wrong {
    fn code(&self) -> &'static str {
        match self {
            Self::Value { .. } => "TST-010",
            Self::Failed { .. } => "TST-011",
            Self::NoError { .. } => "TST-012",
            Self::OtherError { .. } => "TST-013",
            Self::Never { .. } => "TST-014",
            Self::TooLong { .. } => "TST-015",
            Self::Status { .. } => "TST-016",
            Self::Oplog { .. } => "TST-017",
            Self::Http { .. } => "TST-018",
            Self::Sent { .. } => "TST-019",
            Self::Repeated { .. } => "TST-020",
            Self::Duplicate { .. } => "TST-021",
            Self::Diverged { .. } => "TST-022",
            Self::Update { .. } => "TST-023",
            Self::NoPromise { .. } => "TST-024",
            Self::Step { .. } => "TST-025",
            Self::Node { .. } => "TST-026",
            Self::NoSecret { .. } => "TST-027",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Value { .. } => "if the component is right, change `expect`".into(),
            Self::Failed { hint, .. } => {
                return hint
                    .clone()
                    .or_else(|| Some("if it should fail, write `expect-error: TEXT`".into()));
            }
            Self::NoError { .. } => "write `expect: VALUE` if it should succeed".into(),
            Self::OtherError { .. } => {
                "`expect-error` is a code such as WRK-003, or a part of the sentence"
                    .into()
            }
            Self::Never { .. } => {
                "if somebody has to complete a promise first: `start` the call, then `complete-promise`, then `await`"
                    .into()
            }
            Self::TooLong { .. } => {
                "a loop in the component that asks nobody for anything does not end by itself"
                    .into()
            }
            Self::Status { .. } => {
                "statuses are idle, running, suspended, interrupted, retrying, failed, exited"
                    .into()
            }
            Self::Oplog { .. } => {
                "see what there is, for a worker on a server: golem-cli worker oplog; the query language is in docs/rest.md"
                    .into()
            }
            Self::Http { .. } => "if the component is right, change `expect-status` and `expect`".into(),
            Self::Sent { undeclared, .. } if !undeclared.is_empty() => {
                format!("`capabilities.network.allow` of the component does not allow {}", undeclared.join(", "))
            }
            Self::Sent { refused, .. } if refused.is_empty() => {
                "requests with one `idempotency-key` header count once, every other request counts"
                    .into()
            }
            Self::Sent { refused, .. } => format!("no rule of `http` answers {}", refused.join(", ")),
            Self::Repeated { .. } => {
                "a request that was on its way in a crash is sent again: give it an `idempotency-key` header made with \
                 generate-idempotency-key of golem:api/host, or say `repeatable: true` in the rule of `http` if it does no harm"
                    .into()
            }
            Self::Duplicate { .. } => {
                "the answer of a call must not depend on who asks; please report it with the scenario"
                    .into()
            }
            Self::Diverged { .. } => {
                "a component must do the same again when it sees the same; please report it with the scenario"
                    .into()
            }
            Self::Update { .. } => {
                "a component that changes what it asks for needs `update: snapshot`, or has to stay compatible"
                    .into()
            }
            Self::NoPromise { .. } => {
                "`start` the call that makes the promise before `complete-promise`"
                    .into()
            }
            Self::Step { hint, .. } => return hint.clone(),
            Self::NoSecret { secret, .. } => {
                format!("give the scenario a value that is none: `secrets: {{ {secret}: not-a-real-key }}`")
            }
            Self::Node { .. } => "please report it with the scenario".into(),
        })
    }
}
