// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / trial/everywhere: a scenario with a crash before and after each of its commits, on all processors. In: the trial in
//! which nothing went wrong. Out: how many points there were, and the trials that failed. Bound: [`FAILURES_MAX`].
//! Read next: `run.rs`.

use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use golem_storage::CrashPoint;

use super::error::TrialError;
use super::project::Project;
use super::run::{Mode, Trial};
use super::script::Scenario;

/// Failures after which no other point is tried: they have one cause most of the time.
const FAILURES_MAX: usize = 3;

/// What crashes everywhere have found.
#[derive(Debug, Clone)]
pub struct Everywhere {
    /// Points at which the node has died.
    pub crashes: usize,
    /// Points that there are.
    pub points: usize,
    /// How long all of it took.
    pub took: Duration,
    /// Trials that failed, in the order of their points.
    pub failed: Vec<Trial>,
}

#[derive(Default)]
struct Found {
    crashes: usize,
    failed: Vec<(usize, Trial)>,
    error: Option<TrialError>,
}

impl Project {
    /// Runs a scenario with a crash before and after each commit of `plain`; ends early after some failures. Errors: as
    /// [`Project::run`].
    pub fn run_everywhere(
        &self,
        scenario: &Scenario,
        plain: &Trial,
    ) -> Result<Everywhere, TrialError> {
        let began = Instant::now();
        let points: Vec<CrashPoint> = (1..=plain.commits)
            .flat_map(|commit| [false, true].map(|after| CrashPoint { commit, after }))
            .collect();
        let (next, enough) = (AtomicUsize::new(0), AtomicBool::new(false));
        let found = Mutex::new(Found::default());
        let work = || {
            while !enough.load(Ordering::Relaxed) {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(point) = points.get(at) else { return };
                let trial = self.run(scenario, Mode::Crash(*point), Some(plain));
                let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                match trial {
                    Ok(trial) => {
                        found.crashes += usize::from(trial.crashed);
                        if trial.failed.is_some() {
                            found.failed.push((at, trial));
                        }
                    }
                    Err(error) => found.error = Some(error),
                }
                if found.error.is_some() || found.failed.len() >= FAILURES_MAX {
                    enough.store(true, Ordering::Relaxed);
                }
            }
        };
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        std::thread::scope(|scope| {
            for _ in 0..threads.min(points.len()) {
                scope.spawn(work);
            }
        });
        let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = found.error {
            return Err(error);
        }
        found.failed.sort_by_key(|(at, _)| *at);
        Ok(Everywhere {
            crashes: found.crashes,
            points: points.len(),
            took: began.elapsed(),
            failed: found.failed.into_iter().map(|(_, trial)| trial).collect(),
        })
    }
}
