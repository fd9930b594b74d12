// SPDX-License-Identifier: Apache-2.0
//! THE DESK / test report: what the test verb prints: a line per scenario, each failure with file, line, cause and the command
//! that repeats it alone. In trials, out texts and JSON. Read next: `../test.rs`.

use std::fmt::Write as _;

use golem_model::{Coded as _, duration::duration_text};
use golem_server::trial::{Everywhere, Mode, Replay, Scenario, Trial};
use serde::Serialize;

use crate::{output::Out, scenario::Stories};

/// Everything that was run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    pub(super) scenarios: Vec<Row>,
    pub(super) passed: usize,
    pub(super) failed: usize,
    crash_points: usize,
}

/// One scenario.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    file: String,
    line: usize,
    name: String,
    seed: u64,
    pub(super) passed: bool,
    plain: Run,
    pub(super) crashes: Option<Crashes>,
    pub(super) duplicates: Option<Run>,
    failures: Vec<Failed>,
}

/// One trial.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Run {
    milliseconds: u64,
    commits: u64,
    /// Time that passed in the scenario.
    passed_milliseconds: u64,
}

/// Trials with crashes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Crashes {
    milliseconds: u64,
    points: usize,
    crashes: usize,
}

/// One failure.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Failed {
    mode: String,
    at: String,
    step: Option<usize>,
    code: String,
    message: String,
    hint: Option<String>,
    /// What the workers have written last.
    output: Vec<String>,
    repeat: String,
}

/// A scenario of a list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Listed {
    file: String,
    line: usize,
    name: String,
    steps: usize,
}

/// A history that was repeated.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Replayed {
    component: String,
    worker: String,
    entries: u64,
    outcome: &'static str,
    details: Option<String>,
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Run {
    pub(super) fn of(trial: &Trial) -> Self {
        Self {
            milliseconds: millis(trial.took),
            commits: trial.commits,
            passed_milliseconds: millis(trial.passed),
        }
    }
}

impl Crashes {
    pub(super) fn of(everywhere: &Everywhere) -> Self {
        Self {
            milliseconds: millis(everywhere.took),
            points: everywhere.points,
            crashes: everywhere.crashes,
        }
    }

    pub(super) fn one(trial: &Trial) -> Self {
        Self {
            milliseconds: millis(trial.took),
            points: 1,
            crashes: usize::from(trial.crashed),
        }
    }
}

impl Row {
    /// A scenario that was run plainly.
    pub(super) fn new(file: &str, scenario: &Scenario, seed: u64, plain: &Trial) -> Self {
        let mut row = Self {
            file: file.to_owned(),
            line: scenario.line,
            name: scenario.name.clone(),
            seed,
            passed: true,
            plain: Run::of(plain),
            crashes: None,
            duplicates: None,
            failures: Vec::new(),
        };
        row.note(file, scenario, [plain]);
        row
    }

    /// Notes what has failed in trials.
    pub(super) fn note<'a>(
        &mut self,
        file: &str,
        scenario: &Scenario,
        trials: impl IntoIterator<Item = &'a Trial>,
    ) {
        for trial in trials {
            let Some(failed) = &trial.failed else {
                continue;
            };
            self.passed = false;
            let mode = match trial.mode {
                Mode::Plain => "--quick".to_owned(),
                Mode::Duplicate => "--duplicate".to_owned(),
                Mode::Crash(point) => {
                    let when = if point.after { "after" } else { "before" };
                    format!("--crash-at {when}:{}", point.commit)
                }
            };
            let seed = match self.seed {
                0 => String::new(),
                seed => format!(" --seed {seed}"),
            };
            self.failures.push(Failed {
                mode: trial.mode.to_string(),
                at: format!("{file}:{}", failed.line),
                step: failed.step,
                code: failed.wrong.code().to_owned(),
                message: failed.wrong.to_string(),
                hint: failed.wrong.hint(),
                output: failed.output.clone(),
                repeat: format!(
                    "golem-cli test {} --scenario {} {mode}{seed}",
                    quoted(file),
                    quoted(&scenario.name)
                ),
            });
        }
    }

    /// For people.
    pub(super) fn text(&self, out: &Out) -> String {
        let word = if self.passed { "ok" } else { "FAILED" };
        let mut text = format!("{:<6}  {}", word, out.bold(&self.name));
        let _ = write!(text, "  ({}:{})", self.file, self.line);
        let mut parts = vec![format!("plain {} ms", self.plain.milliseconds)];
        if self.plain.passed_milliseconds > 0 {
            let passed = std::time::Duration::from_millis(self.plain.passed_milliseconds);
            parts.push(format!("{} passed in it", duration_text(passed)));
        }
        if let Some(crashes) = &self.crashes {
            let (tried, points) = (crashes.crashes, crashes.points);
            let of = if tried == points {
                String::new()
            } else {
                format!(" of {points} points")
            };
            parts.push(format!("{tried} crashes{of} {} ms", crashes.milliseconds));
        }
        if let Some(duplicates) = &self.duplicates {
            parts.push(format!("duplicates {} ms", duplicates.milliseconds));
        }
        let _ = writeln!(text, "\n        {}", parts.join(" · "));
        for failed in &self.failures {
            let step = failed.step.map(|step| format!(", step {step}"));
            let step = step.unwrap_or_default();
            let _ = write!(
                text,
                "\n        {}{step} [{}]: error[{}]: {}\n",
                failed.at, failed.mode, failed.code, failed.message
            );
            if let Some(hint) = &failed.hint {
                let _ = writeln!(text, "          hint: {hint}");
            }
            for line in &failed.output {
                let _ = writeln!(text, "          | {line}");
            }
            let _ = writeln!(text, "          repeat: {}", failed.repeat);
        }
        text
    }
}

impl Report {
    pub(super) fn new(scenarios: Vec<Row>) -> Self {
        let passed = scenarios.iter().filter(|row| row.passed).count();
        let crashes = scenarios.iter().filter_map(|row| row.crashes.as_ref());
        Self {
            passed,
            failed: scenarios.len() - passed,
            crash_points: crashes.map(|crashes| crashes.crashes).sum(),
            scenarios,
        }
    }

    /// The last line; the rows stand above it already.
    pub(super) fn text(&self) -> String {
        let all = match self.scenarios.len() {
            1 => "1 scenario".to_owned(),
            all => format!("{all} scenarios"),
        };
        let (passed, failed) = (self.passed, self.failed);
        format!(
            "\n{all}: {passed} passed, {failed} failed; {} crashes\n",
            self.crash_points
        )
    }
}

/// The scenarios of files.
pub(super) fn list(stories: &[Stories]) -> Vec<Listed> {
    let of_file = |stories: &Stories| {
        let file = stories.file.clone();
        let listed = |scenario: &Scenario| Listed {
            file: file.clone(),
            line: scenario.line,
            name: scenario.name.clone(),
            steps: scenario.steps.len(),
        };
        stories.scenarios.iter().map(listed).collect::<Vec<_>>()
    };
    stories.iter().flat_map(of_file).collect()
}

impl Listed {
    /// For people.
    pub(super) fn text(&self) -> String {
        format!("{}:{}  {}\n", self.file, self.line, self.name)
    }
}

impl Replayed {
    pub(super) fn of(replay: &Replay) -> Self {
        Self {
            component: replay.component.clone(),
            worker: replay.worker.clone(),
            entries: replay.entries,
            outcome: match (&replay.diverged, &replay.failed) {
                (Some(_), _) => "diverged",
                (None, Some(_)) => "failed",
                (None, None) => "repeated",
            },
            details: replay.diverged.clone().or_else(|| replay.failed.clone()),
        }
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        format!(
            "{}/{}: {} of {} entries\n",
            self.component, self.worker, self.outcome, self.entries
        )
    }
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
