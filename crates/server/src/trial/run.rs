// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / trial/run: one scenario, once, in one way: plainly, with a crash at a commit, or with every call delivered twice.
//! In: a [`Project`], a [`Scenario`], a [`Mode`]. Out: a [`Trial`]. Read next: `steps.rs` (what a step does), `process.rs`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use golem_engine::{ManualTime, RehearsalEnd, Seeded};
use golem_model::oplog::Event;
use golem_model::{OplogIndex, WorkerId};
use golem_storage::CrashPoint;
use golem_storage::mem::Fault;

use super::error::{TrialError, Wrong};
use super::outside::{Effects, Outside};
use super::process::{Ended, PATIENCE, Process, Start};
use super::project::{Project, remove};
use super::script::{Call, Scenario};

/// Workers of one component whose histories are repeated at the end.
const WORKERS_MAX: usize = 1_000;
/// Lines of a worker that a failure shows: what it wrote before it failed.
const LINES_MAX: usize = 10;
/// Nanoseconds in a microsecond.
const MICRO: u64 = 1_000;

/// In which way a scenario is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing goes wrong.
    Plain,
    /// The node dies at a commit and comes back.
    Crash(CrashPoint),
    /// Every call is delivered twice at once and once more later.
    Duplicate,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain => f.write_str("plain"),
            Self::Crash(point) => {
                let when = if point.after { "after" } else { "before" };
                write!(f, "crash {when}:{}", point.commit)
            }
            Self::Duplicate => f.write_str("duplicates"),
        }
    }
}

/// What a trial has found.
#[derive(Debug, Clone)]
pub struct Trial {
    /// In which way it was run.
    pub mode: Mode,
    /// Commits: so many points to crash at.
    pub commits: u64,
    /// Whether the node has died at the point of [`Mode::Crash`].
    pub crashed: bool,
    /// How long it took.
    pub took: Duration,
    /// How much time passed in it.
    pub passed: Duration,
    /// Effects outside that must not be repeated.
    effects: Effects,
    /// What is wrong, if anything is.
    pub failed: Option<Failed>,
}

/// Where and why a trial failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The step, from 1; `None` for what has to be true of every scenario.
    pub step: Option<usize>,
    /// The line of the step or of the scenario.
    pub line: usize,
    /// What is wrong.
    pub wrong: Wrong,
    /// What the workers of the scenario have written last, each line behind the name of its worker.
    pub output: Vec<String>,
}

/// A trial that runs.
pub(super) struct Running<'a> {
    pub(super) project: &'a Project,
    pub(super) scenario: &'a Scenario,
    pub(super) mode: Mode,
    pub(super) time: Arc<ManualTime>,
    pub(super) outside: Arc<Outside>,
    chance: Arc<Seeded>,
    process: Option<Process>,
    dir: PathBuf,
    /// Processes that were started.
    lives: u64,
    /// Commits of the processes that have died.
    commits: u64,
    /// The crash that is to come.
    coming: Option<CrashPoint>,
    /// Calls that were started, with their keys.
    pub(super) started: BTreeMap<String, (Call, String)>,
    /// Promises that steps have chosen.
    pub(super) promises: BTreeMap<usize, OplogIndex>,
    /// When steps that pass time began or are over, by their number.
    pub(super) moments: BTreeMap<usize, u64>,
    /// Versions that were uploaded during the trial, by component and file.
    pub(super) versions: BTreeMap<(String, Option<PathBuf>), u64>,
}

/// What a step comes to.
pub(super) enum Stop {
    /// The node has died; the step is done again.
    Crashed,
    /// Something is wrong.
    Wrong(Wrong),
}

impl From<Wrong> for Stop {
    fn from(wrong: Wrong) -> Self {
        Self::Wrong(wrong)
    }
}

impl Project {
    /// Runs a scenario once. With the trial in which nothing went wrong as `plain`, nothing may have more effects outside than
    /// there. Errors: `System` and those of starting a node; what is wrong with the scenario is in the trial.
    pub fn run(
        &self,
        scenario: &Scenario,
        mode: Mode,
        plain: Option<&Trial>,
    ) -> Result<Trial, TrialError> {
        let began = Instant::now();
        let dir = self.new_dir();
        let start = scenario.now.saturating_mul(MICRO);
        let mut running = Running {
            project: self,
            scenario,
            mode,
            time: ManualTime::new(start),
            outside: Outside::new(&scenario.http),
            chance: Seeded::new(self.seed),
            process: None,
            dir: dir.clone(),
            lives: 0,
            commits: 0,
            coming: match mode {
                Mode::Crash(point) => Some(point),
                Mode::Plain | Mode::Duplicate => None,
            },
            started: BTreeMap::new(),
            promises: BTreeMap::new(),
            moments: BTreeMap::new(),
            versions: BTreeMap::new(),
        };
        running.start(self.store())?;
        let failed = running.all(plain);
        let commits = running.commits_so_far();
        let crashed = matches!(mode, Mode::Crash(_)) && running.coming.is_none();
        if let Some(process) = running.process.take() {
            process.end();
        }
        let trial = Trial {
            mode,
            commits,
            crashed,
            took: began.elapsed(),
            passed: Duration::from_nanos(running.time.now().saturating_sub(start)),
            effects: running.outside.effects(),
            failed: failed?,
        };
        remove(&dir);
        Ok(trial)
    }
}

impl Running<'_> {
    fn all(&mut self, plain: Option<&Trial>) -> Result<Option<Failed>, TrialError> {
        let whole = self.scenario.line;
        if let Err(wrong) = self.repeat_until_done(Self::set_up)? {
            return Ok(Some(self.failed(None, whole, wrong)));
        }
        for (at, step) in self.scenario.steps.iter().enumerate() {
            let done = self.repeat_until_done(|running| running.step(at, &step.action))?;
            if let Err(wrong) = done {
                return Ok(Some(self.failed(Some(at + 1), step.line, wrong)));
            }
        }
        if let Err(wrong) = self.repeat_until_done(Self::check_histories)? {
            return Ok(Some(self.failed(None, whole, wrong)));
        }
        let wrong = plain.and_then(|plain| self.more_effects(plain));
        Ok(wrong.map(|wrong| self.failed(None, whole, wrong)))
    }

    fn failed(&self, step: Option<usize>, line: usize, wrong: Wrong) -> Failed {
        Failed {
            step,
            line,
            wrong,
            output: self.output(),
        }
    }

    /// The last lines that the workers have written. What cannot be read is left out: something else has failed already.
    fn output(&self) -> Vec<String> {
        let Some(process) = &self.process else {
            return Vec::new();
        };
        let mut output = Vec::new();
        for on in self.scenario.workers.keys() {
            let Ok(worker) = self.worker(on) else {
                continue;
            };
            let read = process.node.oplog(&worker, OplogIndex(1), usize::MAX);
            let Ok(Ok((entries, _))) = process.wait(self.time.now(), read) else {
                continue;
            };
            let lines = entries
                .into_iter()
                .filter_map(|(_, entry)| match entry.event {
                    Some(Event::Log(log)) => Some(format!("{on}: {}", log.message.trim_end())),
                    _ => None,
                });
            let lines: Vec<String> = lines.collect();
            let from = lines.len().saturating_sub(LINES_MAX);
            output.extend(lines.into_iter().skip(from));
        }
        output
    }

    /// Does something; once more on the next node if this one dies.
    fn repeat_until_done(
        &mut self,
        what: impl Fn(&mut Self) -> Result<(), Stop>,
    ) -> Result<Result<(), Wrong>, TrialError> {
        loop {
            match what(self) {
                Ok(()) => return Ok(Ok(())),
                Err(Stop::Wrong(wrong)) => return Ok(Err(wrong)),
                // Each crash is used up, so this comes to an end.
                Err(Stop::Crashed) => self.crash()?,
            }
        }
    }

    /// The node dies and comes back.
    pub(super) fn crash(&mut self) -> Result<(), TrialError> {
        let Some(process) = self.process.take() else {
            return Err(TrialError::System("there is no node".into()));
        };
        self.commits += process.store.commits();
        if self
            .coming
            .is_some_and(|point| self.commits + u64::from(!point.after) >= point.commit)
        {
            self.coming = None;
        }
        let left = process.crash();
        self.start(left)
    }

    fn start(&mut self, store: golem_storage::MemStore) -> Result<(), TrialError> {
        self.lives += 1;
        if let Some(point) = self.coming {
            let fault = if point.after {
                Fault::AmbiguousApplied
            } else {
                Fault::Poisoned
            };
            let before = point.commit.saturating_sub(1).saturating_sub(self.commits);
            store.inject(before, fault);
        }
        self.process = Some(Process::start(Start {
            store,
            blobs: Arc::clone(&self.project.blobs),
            code_dir: &self.project.code_dir,
            secret_key: &self.project.secret_key(),
            dir: &self.dir,
            time: Arc::clone(&self.time),
            chance: Arc::clone(&self.chance),
            outside: Arc::clone(&self.outside) as _,
        })?);
        Ok(())
    }

    fn commits_so_far(&self) -> u64 {
        let now = self
            .process
            .as_ref()
            .map_or(0, |process| process.store.commits());
        self.commits + now
    }

    /// The node. Errors: there is none, because it could not be started again.
    pub(super) fn process(&self) -> Result<&Process, Stop> {
        self.process.as_ref().ok_or_else(|| {
            let detail = "it was not started".to_owned();
            Stop::Wrong(Wrong::Node { detail })
        })
    }

    /// A worker of the scenario. The reader of the scenario has checked the name.
    pub(super) fn worker(&self, on: &str) -> Result<WorkerId, Stop> {
        let found = self.scenario.workers.get(on).and_then(|worker| {
            let id = self.project.ids.get(&worker.component)?;
            Some(WorkerId::new(*id, worker.name.clone()))
        });
        found.ok_or_else(|| {
            Stop::Wrong(Wrong::Step {
                detail: format!("there is no worker `{on}`"),
                hint: Some("declare it under `workers`".into()),
            })
        })
    }

    /// What it means that a wait has ended without what it was for.
    pub(super) fn ended(ended: Ended, what: impl FnOnce() -> String) -> Stop {
        match ended {
            Ended::Crashed => Stop::Crashed,
            Ended::AtRest => Stop::Wrong(Wrong::Never { what: what() }),
            Ended::TooLong => Stop::Wrong(Wrong::TooLong {
                what: what(),
                seconds: PATIENCE.as_secs(),
            }),
        }
    }

    /// Lets everything happen that needs no time.
    pub(super) fn settle(&self) -> Result<(), Stop> {
        let settled = self.process()?.settle();
        settled.map_err(|ended| Self::ended(ended, || "the end of what runs".into()))
    }

    /// Repeats the history of every worker on a fresh instance: whoever cannot, would be lost in a crash.
    fn check_histories(&mut self) -> Result<(), Stop> {
        self.settle()?;
        let process = self.process()?;
        let now = self.time.now();
        let mut workers = Vec::new();
        for id in self.project.ids.values() {
            let listed = process.wait(now, process.node.workers(*id, None, WORKERS_MAX));
            let listed = listed.map_err(|ended| Self::ended(ended, || "a list".into()))?;
            // What cannot be listed has been told to the step that it concerned.
            workers.extend(listed.into_iter().flatten().map(|view| view.worker));
        }
        for worker in workers {
            let repeated = process.wait(now, process.node.rehearse(&worker, None, None));
            let repeated = repeated.map_err(|ended| Self::ended(ended, || "a replay".into()))?;
            if let Ok(rehearsal) = repeated
                && let RehearsalEnd::Diverged(report) = rehearsal.end
            {
                let worker = worker.worker_name;
                return Err(Wrong::Diverged { worker, report }.into());
            }
        }
        Ok(())
    }

    /// A request that had more effects than in the plain run.
    fn more_effects(&self, plain: &Trial) -> Option<Wrong> {
        self.outside
            .effects()
            .into_iter()
            .find_map(|(request, found)| {
                let plain = plain.effects.get(&request).copied().unwrap_or(0);
                (found > plain).then_some(Wrong::Repeated {
                    request,
                    found,
                    plain,
                })
            })
    }
}
