// SPDX-License-Identifier: Apache-2.0
//! THE DESK / scenario read: reads a file of scenarios and settles what is left open. In a path and the components there are,
//! out [`Stories`]. Everything that can be checked without running is checked here. Read next: `raw.rs`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use golem_model::capabilities::{SECRET_BYTES_MAX, SECRET_BYTES_MIN, check_secret_name};
use golem_model::{Coded as _, Timestamp, duration::parse_duration, oplog::UpdateMode, suggest};
use golem_server::trial::{Action, Call, Expected, Method, Mocked, Scenario, Step, WorkerOf};
use serde_saphyr::Spanned;

use super::{
    ScenarioError,
    raw::{Raw, RawRule, RawScenario, RawStep, RawWorker, VERBS, Verb},
};

/// What time it is in a scenario that does not say: a fixed moment, so that every run is the same.
const NOW: &str = "2026-01-01T00:00:00Z";
/// What a worker can be.
const STATUSES: [&str; 7] = [
    "idle",
    "running",
    "suspended",
    "interrupted",
    "retrying",
    "failed",
    "exited",
];

/// The scenarios of one file.
#[derive(Debug, Clone)]
pub(crate) struct Stories {
    /// The file as people see it.
    pub(crate) file: String,
    /// Its scenarios, in order.
    pub(crate) scenarios: Vec<Scenario>,
}

/// Reads a file. `components` are those of the project, and paths in the file start from `root`.
/// Errors: `Read`, `Syntax`, `UnknownKey`, `Value`.
pub(crate) fn read(
    path: &Path,
    shown: &str,
    root: &Path,
    components: &[String],
) -> Result<Stories, ScenarioError> {
    let text = fs::read_to_string(path).map_err(|source| ScenarioError::Read {
        path: path.to_owned(),
        source,
    })?;
    Reader {
        file: shown,
        root,
        components,
    }
    .read(&text)
}

struct Reader<'a> {
    file: &'a str,
    root: &'a Path,
    components: &'a [String],
}

type Read<T> = Result<T, ScenarioError>;

impl Reader<'_> {
    fn read(&self, text: &str) -> Read<Stories> {
        let options = serde_saphyr::options! { with_snippet: false };
        let raw: Raw = serde_saphyr::from_str_with_options(text, options)
            .map_err(|error| self.syntax(&error))?;
        let mut names = BTreeSet::new();
        let mut scenarios = Vec::new();
        for spanned in &raw.scenarios {
            let scenario = self.scenario(spanned)?;
            if !names.insert(scenario.name.clone()) {
                let why = format!("two scenarios are called `{}`", scenario.name);
                return Err(self.value(spanned, why, "give each a name of its own"));
            }
            scenarios.push(scenario);
        }
        Ok(Stories {
            file: self.file.to_owned(),
            scenarios,
        })
    }

    fn scenario(&self, spanned: &Spanned<RawScenario>) -> Read<Scenario> {
        let raw = &spanned.value;
        let now = raw.now.as_deref().unwrap_or(NOW);
        let now: Timestamp = now.parse().map_err(|_| {
            let why = format!("`now: {now}` is not a moment");
            self.value(spanned, why, "write it as 2026-12-24T18:00:00Z")
        })?;
        for name in raw.begins_with.keys() {
            self.component(spanned, name)?;
        }
        let mut secrets = BTreeMap::new();
        for (name, value) in &raw.secrets {
            let bytes = value.value.len();
            if !(SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&bytes) || value.value.contains('\0')
            {
                let why = format!("the secret `{name}` cannot have this value of {bytes} bytes");
                let help = format!(
                    "a value is text of {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes, as on a server"
                );
                return Err(self.value(value, why, &help));
            }
            if let Err(error) = check_secret_name(name) {
                let help = error.hint().unwrap_or_default();
                return Err(self.value(value, error.to_string(), &help));
            }
            secrets.insert(name.clone(), value.value.clone());
        }
        let mut workers = BTreeMap::new();
        for (name, worker) in &raw.workers {
            workers.insert(name.clone(), self.worker(name, worker)?);
        }
        let http = raw.http.iter().map(|rule| self.rule(rule));
        let mut story = Story {
            reader: self,
            workers: &workers,
            started: BTreeSet::new(),
        };
        let steps = raw.steps.iter().map(|step| story.step(step));
        let steps = steps.collect::<Read<Vec<_>>>()?;
        Ok(Scenario {
            name: raw.name.clone(),
            line: self.line(spanned),
            now: now.0,
            begins_with: raw
                .begins_with
                .iter()
                .map(|(name, path)| (name.clone(), self.root.join(path)))
                .collect(),
            secrets,
            http: http.collect::<Read<_>>()?,
            steps,
            workers,
        })
    }

    fn component<T>(&self, at: &Spanned<T>, name: &str) -> Read<()> {
        if self.components.iter().any(|known| known == name) {
            return Ok(());
        }
        let known = self.components.iter().map(String::as_str);
        let why = format!("there is no component `{name}`");
        Err(self.value(at, why, &nearest(name, known)))
    }

    fn worker(&self, name: &str, spanned: &Spanned<RawWorker>) -> Read<WorkerOf> {
        let raw = &spanned.value;
        let component = match (&raw.component, self.components) {
            (Some(component), _) => component.clone(),
            (None, [only]) => only.clone(),
            (None, _) => {
                let why = format!("the worker `{name}` has no component");
                let help = format!("add `component:`; there are {}", self.components.join(", "));
                return Err(self.value(spanned, why, &help));
            }
        };
        self.component(spanned, &component)?;
        Ok(WorkerOf {
            component,
            name: raw.name.clone().unwrap_or_else(|| name.to_owned()),
            env: raw.env.clone().into_iter().collect(),
            args: raw.args.clone(),
        })
    }

    fn rule(&self, spanned: &Spanned<RawRule>) -> Read<Mocked> {
        let raw = &spanned.value;
        Ok(Mocked {
            on: self.method(spanned, &raw.request, "://")?,
            status: raw.status.unwrap_or(200),
            headers: raw.headers.clone().into_iter().collect(),
            body: raw.body.clone(),
            repeatable: raw.repeatable,
        })
    }

    /// `POST https://bank.example/charge` or `GET /path`: `part` is what the address has to have in it.
    fn method<T>(&self, at: &Spanned<T>, text: &str, part: &str) -> Read<Method> {
        let found = text.split_once(' ').filter(|(method, url)| {
            !method.is_empty()
                && method.bytes().all(|byte| byte.is_ascii_uppercase())
                && url.contains(part)
                && !url.contains(' ')
        });
        let Some((method, url)) = found else {
            let example = if part == "/" {
                "write for instance `GET /orders?id=1`"
            } else {
                "write for instance `POST https://bank.example/charge`; a `*` at the end stands for any rest"
            };
            let why = format!("`{text}` is not a method and an address");
            return Err(self.value(at, why, example));
        };
        Ok(Method {
            method: method.to_owned(),
            url: url.to_owned(),
        })
    }

    fn line<T>(&self, spanned: &Spanned<T>) -> usize {
        usize::try_from(spanned.referenced.line()).unwrap_or(0)
    }

    fn value<T>(&self, at: &Spanned<T>, why: String, help: &str) -> ScenarioError {
        ScenarioError::Value {
            at: format!("{}:{}", self.file, at.referenced.line()),
            why,
            help: help.to_owned(),
        }
    }

    fn syntax(&self, error: &serde_saphyr::Error) -> ScenarioError {
        let line = error.location().map_or(1, |location| location.line());
        let at = format!("{}:{line}", self.file);
        if let serde_saphyr::Error::SerdeUnknownField {
            field, expected, ..
        } = error
        {
            return ScenarioError::UnknownKey {
                at,
                key: field.clone(),
                help: nearest(field, expected.iter().copied()),
            };
        }
        ScenarioError::Syntax {
            at,
            message: error.to_string(),
        }
    }
}

/// The steps of one scenario.
struct Story<'a> {
    reader: &'a Reader<'a>,
    workers: &'a BTreeMap<String, WorkerOf>,
    started: BTreeSet<String>,
}

impl Story<'_> {
    fn step(&mut self, spanned: &Spanned<RawStep>) -> Read<Step> {
        let raw = &spanned.value;
        let verb = self.verb(spanned)?;
        if let Some(stray) = raw
            .beside()
            .into_iter()
            .find(|key| !verb.beside.contains(key))
        {
            let why = format!("`{stray}` has no meaning beside `{}`", verb.key);
            let help = if verb.beside.is_empty() {
                "leave it out".to_owned()
            } else {
                format!("beside it may stand: {}", verb.beside.join(", "))
            };
            return Err(self.wrong(spanned, why, &help));
        }
        Ok(Step {
            line: self.reader.line(spanned),
            action: self.action(spanned)?,
        })
    }

    /// The one verb of a step.
    fn verb(&self, spanned: &Spanned<RawStep>) -> Read<&'static Verb> {
        match spanned.value.verbs().as_slice() {
            [verb] => Ok(verb),
            [] => {
                let verbs: Vec<&str> = VERBS.iter().map(|verb| verb.key).collect();
                let help = format!("one of: {}", verbs.join(", "));
                Err(self.wrong(spanned, "a step without a verb".into(), &help))
            }
            [one, other, ..] => {
                let why = format!("a step with two verbs, `{}` and `{}`", one.key, other.key);
                Err(self.wrong(spanned, why, "make two steps of it"))
            }
        }
    }

    fn action(&mut self, spanned: &Spanned<RawStep>) -> Read<Action> {
        let raw = &spanned.value;
        if let Some(function) = &raw.invoke {
            let call = self.call(spanned, function)?;
            return Ok(Action::Invoke(call, self.expected(spanned)?));
        }
        if let Some(function) = &raw.start {
            self.started.extend(raw.r#as.clone());
            let call = self.call(spanned, function)?;
            return Ok(Action::Start(call, raw.r#as.clone()));
        }
        if let Some(name) = &raw.r#await {
            if !self.started.contains(name) {
                let why = format!("no step before this one starts a call `as: {name}`");
                let known = self.started.iter().map(String::as_str);
                return Err(self.wrong(spanned, why, &nearest(name, known)));
            }
            return Ok(Action::Await(name.clone(), self.expected(spanned)?));
        }
        if let Some(function) = &raw.schedule {
            let Some(after) = &raw.after else {
                let why = "`schedule` without `after`".to_owned();
                return Err(self.wrong(spanned, why, "say when: `after: 1h30m`"));
            };
            let after = self.pause(spanned, after)?;
            return Ok(Action::Schedule(self.call(spanned, function)?, after));
        }
        if let Some(pause) = &raw.advance {
            return Ok(Action::Advance(self.pause(spanned, pause)?));
        }
        if let Some(data) = &raw.complete_promise {
            let on = self.on(spanned)?;
            return Ok(Action::CompletePromise(on, data.clone().into_bytes()));
        }
        if let Some(crash) = raw.crash {
            if !crash {
                let why = "`crash: false` does nothing".to_owned();
                return Err(self.wrong(spanned, why, "write `crash: true`, or leave it out"));
            }
            return Ok(Action::Crash);
        }
        if let Some(mode) = &raw.update {
            let mode = match mode.as_str() {
                "automatic" => UpdateMode::Automatic,
                "snapshot" => UpdateMode::SnapshotBased,
                _ => {
                    let why = format!("`update: {mode}` is no way to update");
                    let help = "write `update: automatic` or `update: snapshot`";
                    return Err(self.wrong(spanned, why, help));
                }
            };
            let to = raw.to.as_ref().map(|path| self.reader.root.join(path));
            return Ok(Action::Update(self.on(spanned)?, mode, to));
        }
        if let Some(request) = &raw.http {
            return Ok(Action::Http {
                on: self.on(spanned)?,
                request: self.reader.method(spanned, request, "/")?,
                headers: raw
                    .headers
                    .clone()
                    .unwrap_or_default()
                    .into_iter()
                    .collect(),
                body: raw.body.clone().unwrap_or_default(),
                key: raw.key.clone(),
                status: raw.expect_status.unwrap_or(200),
                expect: raw.expect.clone(),
            });
        }
        if let Some(request) = &raw.sent {
            let request = self.reader.method(spanned, request, "://")?;
            return Ok(Action::Sent(request, raw.count.unwrap_or(1)));
        }
        if let Some(text) = &raw.oplog {
            let query = text
                .parse()
                .map_err(|error: golem_model::query::QueryError| {
                    self.wrong(
                        spanned,
                        error.to_string(),
                        &error.hint().unwrap_or_default(),
                    )
                })?;
            return Ok(Action::Oplog(
                self.on(spanned)?,
                text.clone(),
                query,
                raw.count,
            ));
        }
        let status = raw.status.clone().unwrap_or_default().to_ascii_lowercase();
        if !STATUSES.contains(&status.as_str()) {
            let why = format!("`{status}` is no status");
            return Err(self.wrong(spanned, why, &nearest(&status, STATUSES.into_iter())));
        }
        Ok(Action::Status(self.on(spanned)?, status))
    }

    fn call(&self, spanned: &Spanned<RawStep>, function: &str) -> Read<Call> {
        let raw = &spanned.value;
        let timeout = raw.timeout.as_ref();
        let timeout = timeout.map(|text| self.pause(spanned, text)).transpose()?;
        Ok(Call {
            on: self.on(spanned)?,
            function: function.to_owned(),
            args: raw.args.clone().unwrap_or_default(),
            key: raw.key.clone(),
            timeout,
        })
    }

    /// The worker of a step: the one that it names, or the only one there is.
    fn on(&self, spanned: &Spanned<RawStep>) -> Read<String> {
        let mut known = self.workers.keys();
        match (&spanned.value.worker, known.next(), known.next()) {
            (Some(name), ..) if self.workers.contains_key(name) => Ok(name.clone()),
            (Some(name), ..) => {
                let why = format!("there is no worker `{name}`");
                let known = self.workers.keys().map(String::as_str);
                Err(self.wrong(spanned, why, &nearest(name, known)))
            }
            (None, Some(only), None) => Ok(only.clone()),
            (None, None, _) => {
                let why = "the scenario has no workers".to_owned();
                Err(self.wrong(spanned, why, "declare one: `workers: { w: {} }`"))
            }
            (None, Some(_), Some(_)) => {
                let names: Vec<&str> = self.workers.keys().map(String::as_str).collect();
                let help = format!("add `worker:`; there are {}", names.join(", "));
                let why = "the step does not say which worker it is about".to_owned();
                Err(self.wrong(spanned, why, &help))
            }
        }
    }

    fn expected(&self, spanned: &Spanned<RawStep>) -> Read<Expected> {
        let raw = &spanned.value;
        match (&raw.expect, &raw.expect_error) {
            (None, None) => Ok(Expected::Success),
            (Some(value), None) => Ok(Expected::Value(value.clone())),
            (None, Some(error)) => Ok(Expected::Error(error.clone())),
            (Some(_), Some(_)) => {
                let why = "a call has a result or an error, not both".to_owned();
                Err(self.wrong(spanned, why, "leave out `expect` or `expect-error`"))
            }
        }
    }

    fn pause(&self, spanned: &Spanned<RawStep>, text: &str) -> Read<std::time::Duration> {
        parse_duration(text).map_err(|error| {
            self.wrong(
                spanned,
                error.to_string(),
                &error.hint().unwrap_or_default(),
            )
        })
    }

    fn wrong(&self, at: &Spanned<RawStep>, why: String, help: &str) -> ScenarioError {
        self.reader.value(at, why, help)
    }
}

/// "did you mean", or the names there are.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    match suggest::closest(name, known.clone()) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => {
            let names: Vec<&str> = known.collect();
            format!("there are: {}", names.join(", "))
        }
    }
}

#[cfg(test)]
mod tests;
