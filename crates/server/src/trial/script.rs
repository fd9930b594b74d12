// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / trial/script: a scenario as data: workers, what the network answers, steps. Never reads a file; the command line
//! makes it from YAML. Read next: `steps.rs` (what a step does).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use golem_model::oplog::UpdateMode;
use golem_model::query::Query;

/// A story about workers, and what has to be true in it.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Its name, unique in its file.
    pub name: String,
    /// The line of the file where it begins.
    pub line: usize,
    /// What time it is at the beginning, µs since 1970.
    pub now: u64,
    /// Components that begin with other code than what was just built.
    pub begins_with: BTreeMap<String, PathBuf>,
    /// Values of secrets, by name: none of them is a real one.
    pub secrets: BTreeMap<String, String>,
    /// Its workers by the names that steps use.
    pub workers: BTreeMap<String, WorkerOf>,
    /// What the network answers, first match first.
    pub http: Vec<Mocked>,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// A worker of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerOf {
    /// Its component.
    pub component: String,
    /// Its name on the server.
    pub name: String,
    /// Its environment; `${component}` stands for the id of a component.
    pub env: Vec<(String, String)>,
    /// Its arguments; `${component}` stands for the id of a component.
    pub args: Vec<String>,
}

/// A method and where it goes: `POST https://bank.example/charge`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Method {
    /// In capitals.
    pub method: String,
    /// A URL, or a path for a worker's own handler. A `*` at the end stands for any rest.
    pub url: String,
}

/// What the network answers to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mocked {
    /// Which request.
    pub on: Method,
    /// Status of the response.
    pub status: u16,
    /// Headers of the response.
    pub headers: Vec<(String, String)>,
    /// Body of the response.
    pub body: String,
    /// Sending it again does no harm, so that it is not counted.
    pub repeatable: bool,
}

/// One step.
#[derive(Debug, Clone)]
pub struct Step {
    /// The line of the file.
    pub line: usize,
    /// What happens.
    pub action: Action,
}

/// A call of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Which worker, by its name in the scenario.
    pub on: String,
    /// The function, exact or as far as it is clear.
    pub function: String,
    /// Arguments as WAVE; `${component}` stands for the id of a component.
    pub args: Vec<String>,
    /// Its idempotency key; the step has one of its own otherwise.
    pub key: Option<String>,
    /// How long it may take.
    pub timeout: Option<Duration>,
}

/// How a call has to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// Somehow, without an error.
    Success,
    /// With this value, as WAVE.
    Value(String),
    /// With an error that has this code, or this text in its sentence.
    Error(String),
}

/// What a step does.
#[derive(Debug, Clone)]
pub enum Action {
    /// Calls a function and waits; time passes until there is an answer.
    Invoke(Call, Expected),
    /// Hands in a call and goes on when it is accepted. The name is for [`Action::Await`].
    Start(Call, Option<String>),
    /// Waits for a call that was started; time passes until there is an answer.
    Await(String, Expected),
    /// Lets a worker run a call after a while.
    Schedule(Call, Duration),
    /// Time passes; what is due meanwhile happens in its order.
    Advance(Duration),
    /// Completes the promise that a worker has made last and that has no value.
    CompletePromise(String, Vec<u8>),
    /// The node dies and comes back.
    Crash,
    /// A worker gets other code: a file, or what was just built.
    Update(String, UpdateMode, Option<PathBuf>),
    /// A request to a worker that answers HTTP.
    Http {
        /// The worker.
        on: String,
        /// Method and path.
        request: Method,
        /// Headers of the request.
        headers: Vec<(String, String)>,
        /// Body of the request.
        body: String,
        /// The key of the request; the step has one of its own otherwise.
        key: Option<String>,
        /// The status that is expected.
        status: u16,
        /// The body that is expected.
        expect: Option<String>,
    },
    /// How often a request has had an effect outside: requests with one idempotency key count once.
    Sent(Method, u64),
    /// Entries that a worker's oplog has; at least one, or exactly so many.
    Oplog(String, String, Query, Option<u64>),
    /// What a worker does.
    Status(String, String),
}
