// SPDX-License-Identifier: Apache-2.0
//! THE DESK / view/travel: replays, dry runs, checks, schedules and tried updates for people. In bodies of the API, out text.
//! Read next: `cmd/worker/travel.rs`, `cmd/worker/update.rs`.

use golem_model::WorkerId;
use golem_model::api::{DryRunResponse, Replay, ReplayOutcome, ScheduleResponse, VerifyResponse};
use golem_model::urn::WorkerUrn;
use serde::Serialize;

use super::{fields, moment, table};

/// Which workers took the wish to be updated.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct TriedUpdates {
    /// URNs of those that will update.
    pub(crate) triggered: Vec<String>,
    /// URNs of those that refused.
    pub(crate) failed: Vec<String>,
}

impl TriedUpdates {
    /// For people.
    pub(crate) fn text(&self) -> String {
        if self.triggered.is_empty() && self.failed.is_empty() {
            return "No worker runs an older version\n".to_owned();
        }
        let list =
            |urns: &[String]| table(&["Worker URN"], urns.iter().map(|urn| vec![urn.clone()]));
        let mut text = String::new();
        if !self.triggered.is_empty() {
            text.push_str(&format!("Triggered update for:\n{}", list(&self.triggered)));
        }
        if !self.failed.is_empty() {
            text.push_str(&format!("Failed to update:\n{}", list(&self.failed)));
        }
        text
    }
}

fn outcome(replay: &Replay) -> &'static str {
    match replay.outcome {
        ReplayOutcome::Repeated => "repeated",
        ReplayOutcome::Diverged => "diverged",
        ReplayOutcome::Failed => "failed",
    }
}

/// The steps of a replay, then how it ended.
pub(crate) fn replay_text(replay: &Replay) -> String {
    let mut text = String::new();
    for step in &replay.steps {
        text.push_str(&format!(
            "#{:05} {} {}\n",
            step.oplog_index.0,
            moment(step.timestamp),
            step.what
        ));
    }
    text.push_str(&format!(
        "\nVersion {} up to entry {}: {}\n",
        replay.component_version,
        replay.last_oplog_index,
        outcome(replay)
    ));
    if let Some(details) = &replay.details {
        text.push_str(&format!("  {details}\n"));
    }
    text
}

/// One line per worker, and the first difference where there is one.
pub(crate) fn dry_run_text(tried: &DryRunResponse) -> String {
    if tried.workers.is_empty() {
        return "No worker runs another version\n".to_owned();
    }
    let mut text = String::new();
    for replay in &tried.workers {
        let urn = WorkerUrn::named(&replay.worker_id);
        let version = replay.component_version;
        text.push_str(&match replay.outcome {
            ReplayOutcome::Repeated => format!("{urn}: version {version} repeats its history\n"),
            _ => format!(
                "{urn}: version {version} does not repeat its history ({})\n",
                outcome(replay)
            ),
        });
        if let Some(details) = &replay.details {
            text.push_str(&format!("  {details}\n"));
        }
    }
    let good = |replay: &&Replay| replay.outcome == ReplayOutcome::Repeated;
    let good = tried.workers.iter().filter(good).count();
    text.push_str(&format!(
        "\n{good} of {} can be updated automatically; nothing was changed\n",
        tried.workers.len()
    ));
    text
}

/// What a check has found.
pub(crate) fn verify_text(verified: &VerifyResponse) -> String {
    match verified {
        VerifyResponse::None => {
            "The worker has no checkpoint: its history brings it back\n".to_owned()
        }
        VerifyResponse::Same {
            oplog_index,
            memory_hash,
        } => format!(
            "The checkpoint is right\n\n{}",
            fields(&[
                ("Oplog index", oplog_index.to_string()),
                ("Memory (SHA-256)", memory_hash.clone()),
            ])
        ),
        VerifyResponse::Different {
            oplog_index,
            memory_hash,
            replay,
        } => format!(
            "The checkpoint was wrong and is removed: the history brings the worker back\n\n{}",
            fields(&[
                ("Oplog index", oplog_index.to_string()),
                ("Memory (SHA-256)", memory_hash.clone()),
                ("After a replay", replay.clone()),
            ])
        ),
    }
}

/// When a call starts, and how to take it back.
pub(crate) fn scheduled_text(worker: &WorkerId, scheduled: &ScheduleResponse) -> String {
    let pairs = [
        ("Due", moment(scheduled.due)),
        ("Schedule id", scheduled.schedule_id.to_string()),
        ("Idempotency key", scheduled.idempotency_key.0.clone()),
    ];
    format!(
        "Scheduled\n\n{}\nTake it back: golem-cli worker unschedule --worker {} --schedule-id {}\n",
        fields(&pairs),
        WorkerUrn::named(worker),
        scheduled.schedule_id
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use golem_model::{OplogIndex, Timestamp};

    fn replay(outcome: ReplayOutcome, details: Option<&str>) -> Replay {
        Replay {
            worker_id: WorkerId::new("0d8e3a5c-1b2f-4c3d-8e9f-a0b1c2d3e4f5".parse().unwrap(), "w"),
            component_version: 1,
            last_oplog_index: OplogIndex(7),
            outcome,
            details: details.map(str::to_owned),
            steps: vec![golem_model::api::ReplayStep {
                oplog_index: OplogIndex(3),
                timestamp: Timestamp(0),
                what: "started".into(),
            }],
        }
    }

    #[test]
    fn a_replay_shows_its_steps_and_its_end() {
        let text = replay_text(&replay(
            ReplayOutcome::Diverged,
            Some("the first difference"),
        ));
        assert_eq!(
            text,
            "#00003 1970-01-01 00:00:00 UTC started\n\nVersion 1 up to entry 7: diverged\n  the first difference\n"
        );
    }

    #[test]
    fn a_dry_run_counts_who_can_be_updated() {
        let workers = vec![
            replay(ReplayOutcome::Repeated, None),
            replay(ReplayOutcome::Diverged, Some("why")),
        ];
        let text = dry_run_text(&DryRunResponse { workers });
        assert!(text.contains("version 1 repeats its history\n"), "{text}");
        assert!(text.contains("(diverged)\n  why\n"), "{text}");
        assert!(text.ends_with("1 of 2 can be updated automatically; nothing was changed\n"));
    }

    #[test]
    fn tried_updates_are_two_lists() {
        let tried = TriedUpdates {
            triggered: vec!["urn:worker:c/a".into()],
            failed: vec!["urn:worker:c/b".into()],
        };
        let expect = "Triggered update for:\nWorker URN\nurn:worker:c/a\nFailed to update:\nWorker URN\nurn:worker:c/b\n";
        assert_eq!(tried.text(), expect);
    }
}
