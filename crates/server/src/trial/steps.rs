// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / trial/steps: what each step of a scenario does. In: an [`Action`]. Out: nothing, or what is wrong. Every step can be
//! done again after a crash: calls keep their keys, and what was done already is seen. Read next: `run.rs`, `script.rs`.

use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::join;
use golem_engine::{HttpRequest, HttpResponse, Outcome, Request, Target, WorkerError};
use golem_model::oplog::{Event, UpdateMode};
use golem_model::query::Query;
use golem_model::types::WitType;
use golem_model::wave::{from_wave, to_wave};
use golem_model::worker::UpdateState;
use golem_model::{Coded, IdempotencyKey, OplogIndex, Value, WorkerId};

use super::error::Wrong;
use super::run::{Mode, Running, Stop};
use super::script::{Action, Call, Expected, Method};

/// How far time passes while somebody waits for an answer: further than any timer that a scenario can mean.
const FARTHEST: Duration = Duration::from_secs(10 * 366 * 86_400);
/// Entries of an oplog that a query looks at, page by page.
const PAGE: usize = 1_000;

/// How a call ended.
type Answer = Result<Outcome, WorkerError>;

impl Running<'_> {
    /// Does a step.
    pub(super) fn step(&mut self, at: usize, action: &Action) -> Result<(), Stop> {
        let key = format!("step-{}", at + 1);
        match action {
            Action::Invoke(call, expected) => {
                let key = call.key.clone().unwrap_or(key);
                let answer = self.ask(call, &key)?;
                judge(call, &answer, expected)
            }
            Action::Start(call, name) => {
                let key = call.key.clone().unwrap_or(key);
                self.start_call(call, &key)?;
                if let Some(name) = name {
                    self.started.insert(name.clone(), (call.clone(), key));
                }
                Ok(())
            }
            Action::Await(name, expected) => {
                let Some((call, key)) = self.started.get(name).cloned() else {
                    let detail = format!("no call was started as `{name}`");
                    let hint = Some(format!("`start` it with `as: {name}`"));
                    return Err(Wrong::Step { detail, hint }.into());
                };
                let answer = self.ask(&call, &key)?;
                judge(&call, &answer, expected)
            }
            Action::Schedule(call, after) => {
                let key = call.key.clone().unwrap_or(key);
                self.schedule(call, *after, &key)
            }
            Action::Advance(pause) => self.advance(at, *pause),
            Action::CompletePromise(on, data) => self.complete_promise(at, on, data),
            Action::Crash => self.die(at),
            Action::Update(on, mode, code) => self.update(on, *mode, code.as_ref()),
            Action::Http {
                on,
                request,
                headers,
                body,
                key: own,
                status,
                expect,
            } => {
                let key = own.clone().unwrap_or(key);
                let request = HttpRequest {
                    method: request.method.clone(),
                    scheme: "http".into(),
                    authority: Some("localhost".into()),
                    path_with_query: request.url.clone(),
                    headers: headers
                        .iter()
                        .map(|(name, value)| {
                            (name.to_ascii_lowercase(), value.clone().into_bytes())
                        })
                        .collect(),
                    body: body.clone().into_bytes(),
                };
                self.http(on, &request, &key, *status, expect.as_deref())
            }
            Action::Sent(request, expected) => self.sent(request, *expected),
            Action::Oplog(on, text, query, count) => self.oplog(on, text, query, *count),
            Action::Status(on, expected) => self.status(on, expected),
        }
    }

    /// Creates the workers of the scenario.
    pub(super) fn set_up(&mut self) -> Result<(), Stop> {
        let scenario = self.scenario;
        for (on, worker) in &scenario.workers {
            if let Some(secret) = self.project.missing_secret(&worker.component, scenario) {
                return Err(Stop::Wrong(Wrong::NoSecret {
                    component: worker.component.clone(),
                    secret,
                }));
            }
            if self.project.is_ephemeral(&worker.component) {
                // It lives for one invocation.
                continue;
            }
            let fill = |text: &String| {
                let filled = self.project.filled(text);
                filled.map_err(|detail| Stop::Wrong(unfilled(detail)))
            };
            let args = worker.args.iter().map(fill).collect::<Result<_, _>>()?;
            let env = worker.env.iter();
            let env = env
                .map(|(name, value)| Ok((name.clone(), fill(value)?)))
                .collect::<Result<_, Stop>>()?;
            let id = self.worker(on)?;
            let process = self.process()?;
            let created = process.wait(self.now(), process.node.create_worker(id, args, env));
            match created.map_err(|ended| Self::ended(ended, || format!("the worker `{on}`")))? {
                // It was created before the crash.
                Ok(_) | Err(WorkerError::AlreadyExists(_)) => {}
                Err(error) => return Err(refused(&format!("create worker `{on}`"), &error)),
            }
        }
        Ok(())
    }

    fn now(&self) -> u64 {
        self.time.now()
    }

    /// A moment so far from now, nanoseconds since 1970.
    fn after(&self, pause: Duration) -> u64 {
        let nanos = u64::try_from(pause.as_nanos()).unwrap_or(u64::MAX);
        // The last moment there is means never.
        self.now().saturating_add(nanos).min(u64::MAX - 1)
    }

    /// A call, checked against the function that its worker has now.
    fn request(&self, call: &Call, key: &str) -> Result<(Target, Request), Stop> {
        let target = Target::Worker(self.worker(&call.on)?);
        let node = &self.process()?.node;
        let found = node
            .signature(&target, &call.function)
            .map_err(|error| refused(&call.function, &error))?;
        let wanted = &found.function.parameters;
        if wanted.len() != call.args.len() {
            let names: Vec<&str> = wanted.iter().map(|wanted| wanted.name.as_str()).collect();
            let detail = format!(
                "`{}` takes {} arguments ({}), {} are given",
                call.function,
                wanted.len(),
                names.join(", "),
                call.args.len()
            );
            let hint = Some("`args` is a list with one WAVE text for each".into());
            return Err(Wrong::Step { detail, hint }.into());
        }
        let mut params = Vec::new();
        for (text, wanted) in call.args.iter().zip(wanted) {
            let text = self.project.filled(text).map_err(unfilled)?;
            let value = value_of(&text, &wanted.typ).map_err(|wrong| {
                let Wrong::Step { detail, hint } = wrong else {
                    return wrong;
                };
                let detail = format!(
                    "argument `{}` of `{}`: {detail}",
                    wanted.name, call.function
                );
                Wrong::Step { detail, hint }
            })?;
            params.push(value);
        }
        let deadline = call.timeout.map(|timeout| self.after(timeout) / 1_000);
        let request = Request {
            key: IdempotencyKey(key.to_owned()),
            key_is_new: false,
            function: found.name,
            params,
            deadline,
            trace: None,
        };
        Ok((target, request))
    }

    /// Calls a function and waits for its answer; time passes meanwhile.
    fn ask(&self, call: &Call, key: &str) -> Result<Answer, Stop> {
        let (target, request) = self.request(call, key)?;
        let until = self.after(FARTHEST);
        let process = self.process()?;
        let ask = || {
            process
                .node
                .invoke_and_await(target.clone(), request.clone())
        };
        let what = || format!("the answer of `{}`", call.function);
        let ended = |ended| Self::ended(ended, what);
        if self.mode != Mode::Duplicate {
            return process.wait(until, ask()).map_err(ended);
        }
        let (first, second) = process.wait(until, join(ask(), ask())).map_err(ended)?;
        same(&call.function, &first, &second)?;
        let third = process.wait(until, ask()).map_err(ended)?;
        same(&call.function, &first, &third)?;
        Ok(first)
    }

    /// How often something is handed in.
    fn deliveries(&self) -> usize {
        if self.mode == Mode::Duplicate { 2 } else { 1 }
    }

    fn start_call(&self, call: &Call, key: &str) -> Result<(), Stop> {
        let (target, request) = self.request(call, key)?;
        for _ in 0..self.deliveries() {
            let process = self.process()?;
            let start = process.node.invoke(target.clone(), request.clone());
            let accepted = process.wait(self.now(), start);
            let what = || format!("the acceptance of `{}`", call.function);
            accepted
                .map_err(|ended| Self::ended(ended, what))?
                .map_err(|error| refused(&call.function, &error))?;
        }
        self.settle()
    }

    fn schedule(&mut self, call: &Call, after: Duration, key: &str) -> Result<(), Stop> {
        let (target, request) = self.request(call, key)?;
        let Target::Worker(worker) = target else {
            return Ok(());
        };
        let due = self.after(after) / 1_000;
        for _ in 0..self.deliveries() {
            let process = self.process()?;
            let schedule = process.node.schedule(worker.clone(), due, request.clone());
            let scheduled = process.wait(self.now(), schedule);
            scheduled
                .map_err(|ended| {
                    Self::ended(ended, || format!("the timer of `{}`", call.function))
                })?
                .map_err(|error| refused(&call.function, &error))?;
        }
        Ok(())
    }

    fn advance(&mut self, at: usize, pause: Duration) -> Result<(), Stop> {
        // Chosen once: after a crash the rest of it passes.
        let end = self.after(pause);
        let until = *self.moments.entry(at).or_insert(end);
        self.process()?
            .pass(until)
            .map_err(|ended| Self::ended(ended, || "the end of what runs".into()))
    }

    fn die(&mut self, at: usize) -> Result<(), Stop> {
        // What is under way gets as far as it can; done once.
        self.settle()?;
        if self.moments.insert(at, self.time.now()).is_none() {
            return Err(Stop::Crashed);
        }
        Ok(())
    }

    fn complete_promise(&mut self, at: usize, on: &str, data: &[u8]) -> Result<(), Stop> {
        self.settle()?;
        let worker = self.worker(on)?;
        let promise = match self.promises.get(&at) {
            Some(promise) => *promise,
            None => self.open_promise(on, &worker)?,
        };
        self.promises.insert(at, promise);
        for _ in 0..self.deliveries() {
            let process = self.process()?;
            let complete = process
                .node
                .complete_promise(&worker, promise, data.to_vec());
            process
                .wait(self.now(), complete)
                .map_err(|ended| Self::ended(ended, || "the completion".into()))?
                .map_err(|error| refused("complete-promise", &error))?;
        }
        self.settle()
    }

    /// The promise that a worker has made last, of those that no step has completed.
    fn open_promise(&self, on: &str, worker: &WorkerId) -> Result<OplogIndex, Stop> {
        let process = self.process()?;
        let read = process.node.oplog(worker, OplogIndex(1), usize::MAX);
        let (entries, _) = process
            .wait(self.now(), read)
            .map_err(|ended| Self::ended(ended, || "the oplog".into()))?
            .map_err(|error| refused("complete-promise", &error))?;
        let made = entries.iter().rev().find_map(|(index, entry)| {
            let is_new = !self.promises.values().any(|used| used == index);
            (is_new && matches!(entry.event, Some(Event::PromiseCreated(_)))).then_some(*index)
        });
        made.ok_or_else(|| {
            Stop::Wrong(Wrong::NoPromise {
                worker: on.to_owned(),
            })
        })
    }

    fn update(&mut self, on: &str, mode: UpdateMode, code: Option<&PathBuf>) -> Result<(), Stop> {
        let worker = self.worker(on)?;
        let version = self.version(on, &worker, code)?;
        let wrong = |details: String| {
            Stop::Wrong(Wrong::Update {
                worker: on.to_owned(),
                details,
            })
        };
        self.settle()?;
        let process = self.process()?;
        let look = || {
            let view = process.wait(self.now(), process.node.worker(&worker));
            view.map_err(|ended| Self::ended(ended, || "the status".into()))?
                .map_err(|error| wrong(error.to_string()))
        };
        if look()?.component_version == version {
            return Ok(());
        }
        let update = process.node.update_worker(&worker, version, mode);
        process
            .wait(self.now(), update)
            .map_err(|ended| Self::ended(ended, || "the update".into()))?
            .map_err(|error| wrong(error.to_string()))?;
        self.settle()?;
        let view = look()?;
        if view.component_version == version {
            return Ok(());
        }
        let last = view
            .updates
            .iter()
            .rev()
            .find(|update| update.version == version);
        Err(wrong(match last {
            Some(update) if update.state() == UpdateState::Failed => {
                update.details.clone().unwrap_or_default()
            }
            _ => format!("it runs version {} still", view.component_version),
        }))
    }

    /// The version that has the code of a file, or what was built; uploaded when it is asked for first.
    fn version(
        &mut self,
        on: &str,
        worker: &WorkerId,
        code: Option<&PathBuf>,
    ) -> Result<u64, Stop> {
        let component = self
            .scenario
            .workers
            .get(on)
            .map(|worker| worker.component.clone());
        let component = component.unwrap_or_default();
        let known = (component.clone(), code.cloned());
        if let Some(version) = self.versions.get(&known) {
            return Ok(*version);
        }
        let wasm = match code {
            Some(path) => std::fs::read(path).map_err(|error| Wrong::Step {
                detail: format!("`{}` cannot be read: {error}", path.display()),
                hint: Some("`to` is a component file, from the directory of the project on".into()),
            })?,
            None => {
                let built = self
                    .project
                    .codes
                    .iter()
                    .find(|code| code.name == component);
                built.map(|code| code.wasm.clone()).unwrap_or_default()
            }
        };
        let process = self.process()?;
        let upload = process
            .node
            .update_component(worker.component_id, None, wasm);
        let taken = process.work(upload).map_err(|error| Wrong::Update {
            worker: on.to_owned(),
            details: error.to_string(),
        })?;
        let version = taken.versioned_component_id.version;
        self.versions.insert(known, version);
        Ok(version)
    }

    fn http(
        &self,
        on: &str,
        request: &HttpRequest,
        key: &str,
        status: u16,
        expect: Option<&str>,
    ) -> Result<(), Stop> {
        let target = Target::Worker(self.worker(on)?);
        let until = self.after(FARTHEST);
        let process = self.process()?;
        let name = format!("{} {}", request.method, request.path_with_query);
        let ask = || {
            let key = IdempotencyKey(key.to_owned());
            process
                .node
                .serve_http(target.clone(), key, false, request, None)
        };
        let ended = |ended| Self::ended(ended, || format!("the response to `{name}`"));
        let answered = |answer: Result<HttpResponse, WorkerError>| {
            answer.map_err(|error| refused(&name, &error))
        };
        let mut response = answered(process.wait(until, ask()).map_err(ended)?)?;
        if self.mode == Mode::Duplicate {
            let (second, third) = process.wait(until, join(ask(), ask())).map_err(ended)?;
            for other in [answered(second)?, answered(third)?] {
                if other != response {
                    return Err(Wrong::Duplicate {
                        function: name,
                        first: shown(&response),
                        second: shown(&other),
                    }
                    .into());
                }
                response = other;
            }
        }
        let body = String::from_utf8_lossy(&response.body);
        if response.status != status || expect.is_some_and(|expect| expect != body) {
            let expected = match expect {
                Some(expect) => format!("{status} `{expect}`"),
                None => status.to_string(),
            };
            return Err(Wrong::Http {
                request: name,
                found: shown(&response),
                expected,
            }
            .into());
        }
        Ok(())
    }

    fn sent(&self, request: &Method, expected: u64) -> Result<(), Stop> {
        self.settle()?;
        let found = self.outside.effects_of(request);
        if found == expected {
            return Ok(());
        }
        Err(Wrong::Sent {
            request: format!("{} {}", request.method, request.url),
            found,
            expected,
            refused: self.outside.refused(),
            undeclared: self.outside.undeclared(),
        }
        .into())
    }

    fn oplog(&self, on: &str, text: &str, query: &Query, count: Option<u64>) -> Result<(), Stop> {
        self.settle()?;
        let worker = self.worker(on)?;
        let process = self.process()?;
        let (mut found, mut from, mut version) = (0, OplogIndex(1), None);
        loop {
            let page = process
                .node
                .public_oplog(&worker, from, version, PAGE, Some(query));
            let page = process
                .wait(self.now(), page)
                .map_err(|ended| Self::ended(ended, || "the oplog".into()))?
                .map_err(|error| refused("oplog", &error))?;
            found += page.entries.len() as u64;
            match page.next {
                Some((next, at)) => (from, version) = (next, Some(at)),
                None => break,
            }
        }
        if count.map_or(found > 0, |count| found == count) {
            return Ok(());
        }
        Err(Wrong::Oplog {
            worker: on.to_owned(),
            query: text.to_owned(),
            found,
            expected: count.map_or_else(|| "some".into(), |count| count.to_string()),
        }
        .into())
    }

    fn status(&self, on: &str, expected: &str) -> Result<(), Stop> {
        self.settle()?;
        let worker = self.worker(on)?;
        let process = self.process()?;
        let view = process
            .wait(self.now(), process.node.worker(&worker))
            .map_err(|ended| Self::ended(ended, || "the status".into()))?
            .map_err(|error| refused("status", &error))?;
        let found = view.status.to_string().to_ascii_lowercase();
        if found == expected {
            return Ok(());
        }
        Err(Wrong::Status {
            worker: on.to_owned(),
            found,
            expected: expected.to_owned(),
        }
        .into())
    }
}

/// What the server has refused.
fn refused(what: &str, error: &WorkerError) -> Stop {
    if matches!(error, WorkerError::Stopping) {
        return Stop::Crashed;
    }
    Stop::Wrong(Wrong::Failed {
        function: what.to_owned(),
        error: error.to_string(),
        hint: error.hint(),
    })
}

fn unfilled(detail: String) -> Wrong {
    Wrong::Step {
        detail,
        hint: Some(
            "`${NAME}` is the id of the component NAME, `${NAME/worker}` the URN of its worker"
                .into(),
        ),
    }
}

/// A value of a type. A string may stand without quotes.
fn value_of(text: &str, typ: &WitType) -> Result<Value, Wrong> {
    match from_wave(text, typ) {
        Ok(value) => Ok(value),
        Err(_) if matches!(typ, WitType::Str) && !text.starts_with('"') => {
            Ok(Value::String(text.to_owned()))
        }
        Err(error) => Err(Wrong::Step {
            detail: error.to_string(),
            hint: error.hint(),
        }),
    }
}

/// A result as WAVE; words where there is none.
fn spoken(outcome: &Outcome) -> String {
    match outcome.results.iter().zip(&outcome.types).next() {
        None => "nothing".into(),
        Some((value, typ)) => to_wave(value, typ).unwrap_or_else(|_| "a resource".into()),
    }
}

fn told(answer: &Answer) -> String {
    match answer {
        Ok(outcome) => spoken(outcome),
        Err(error) => error.to_string(),
    }
}

fn shown(response: &HttpResponse) -> String {
    format!(
        "{} `{}`",
        response.status,
        String::from_utf8_lossy(&response.body)
    )
}

/// Two deliveries of one call have one answer.
fn same(function: &str, first: &Answer, second: &Answer) -> Result<(), Stop> {
    for answer in [first, second] {
        if matches!(answer, Err(WorkerError::Stopping)) {
            return Err(Stop::Crashed);
        }
    }
    let equal = match (first, second) {
        (Ok(first), Ok(second)) => first.results == second.results,
        // What is said first has the trace of the guest with it.
        (Err(first), Err(second)) => fails_alike(first, second),
        _ => false,
    };
    if equal {
        return Ok(());
    }
    Err(Wrong::Duplicate {
        function: function.to_owned(),
        first: told(first),
        second: told(second),
    }
    .into())
}

/// A call that failed for good lets its worker fail, so that later ones hear that.
fn fails_alike(first: &WorkerError, second: &WorkerError) -> bool {
    first.code() == second.code()
}

/// Compares an answer with what is expected.
fn judge(call: &Call, answer: &Answer, expected: &Expected) -> Result<(), Stop> {
    let function = call.function.clone();
    match (answer, expected) {
        (Err(WorkerError::Stopping), _) => Err(Stop::Crashed),
        (Err(error), Expected::Error(text)) => {
            let found = error.to_string();
            if error.code() == text || found.contains(text.as_str()) {
                return Ok(());
            }
            Err(Wrong::OtherError {
                function,
                found,
                expected: text.clone(),
            }
            .into())
        }
        (Err(error), _) => Err(refused(&function, error)),
        (Ok(outcome), Expected::Error(text)) => Err(Wrong::NoError {
            function,
            found: spoken(outcome),
            expected: text.clone(),
        }
        .into()),
        (Ok(_), Expected::Success) => Ok(()),
        (Ok(outcome), Expected::Value(text)) => {
            let Some((found, typ)) = outcome.results.iter().zip(&outcome.types).next() else {
                let detail = format!("`{function}` returns nothing, expected `{text}`");
                let hint = Some("leave `expect` out".into());
                return Err(Wrong::Step { detail, hint }.into());
            };
            if value_of(text, typ)? == *found {
                return Ok(());
            }
            Err(Wrong::Value {
                function,
                found: spoken(outcome),
                expected: text.clone(),
            }
            .into())
        }
    }
}
