// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/metrics: `GET /metrics` in the text format of Prometheus. In: what the engine counted, what the door counted.
//! Out: text. Bounds: a fixed list. Never counts by worker or component: such names have no bound.
//! Read next: golem-engine `metrics.rs`. The list for people is `docs/metrics.md`, made from this file.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use golem_engine::{BOUNDS_MICROS, Durations, DurationsSeen, Figures};
use golem_model::api::Role;

use super::error::{ApiError, RequestError};
use super::routes::{Needs, Routes};
use super::{Door, reply};

/// `GET /metrics`.
pub(super) fn routes() -> Routes {
    // The numbers are of all namespaces together.
    Routes::new().get("/metrics", Needs::Everywhere(Role::Viewer), metrics)
}

/// What the door counts: how long requests took, by the first digit of their status.
#[derive(Debug, Default)]
pub(super) struct Requests([Durations; 5]);

impl Requests {
    /// One more, which took so long until its answer began.
    pub(super) fn add(&self, status: StatusCode, took: Duration) {
        let class = usize::from(status.as_u16() / 100);
        if let Some(durations) = class.checked_sub(1).and_then(|class| self.0.get(class)) {
            durations.add(took);
        }
    }
}

/// The numbers of one name.
enum Numbers {
    Counter(u64),
    Gauge(Option<u64>),
    Durations(Vec<(Option<u16>, DurationsSeen)>),
}

/// A name, what it means, its numbers.
struct Family(&'static str, &'static str, Numbers);

async fn metrics(State(door): State<Arc<Door>>) -> Result<Response, ApiError> {
    // Asking the store for its size looks at files.
    let figures = tokio::task::spawn_blocking({
        let node = Arc::clone(&door.node);
        move || node.figures()
    });
    let requests = (1u16..).zip(&door.requests.0);
    let requests = requests.map(|(class, durations)| (Some(class), durations.seen()));
    let figures = figures.await.map_err(|error| RequestError::GivenUp {
        detail: error.to_string(),
    })?;
    Ok(reply::text(render(&families(figures, requests.collect()))))
}

fn families(seen: Figures, requests: Vec<(Option<u16>, DurationsSeen)>) -> Vec<Family> {
    use Numbers::{Counter, Gauge};
    let durations = |seen| Numbers::Durations(vec![(None, seen)]);
    vec![
        Family(
            "golem_http_request_seconds",
            "Time until the answer of a request began, by class of status",
            Numbers::Durations(requests),
        ),
        Family(
            "golem_invocations_accepted_total",
            "Invocations that were accepted, of clients and of workers",
            Counter(seen.accepted),
        ),
        Family(
            "golem_invocations_completed_total",
            "Invocations that ended with a result",
            Counter(seen.completed),
        ),
        Family(
            "golem_invocations_failed_total",
            "Attempts that failed, also those that run again",
            Counter(seen.failed),
        ),
        Family(
            "golem_invocation_seconds",
            "Time that the guest ran or waited, of each attempt",
            durations(seen.invocations),
        ),
        Family(
            "golem_activation_seconds",
            "Time from a worker without instance to one that goes on (start or restore, then replay) where no call was open",
            durations(seen.activations),
        ),
        Family(
            "golem_replayed_entries_total",
            "Entries of oplogs that were read to bring instances, or copies of workers, to where they are",
            Counter(seen.replayed),
        ),
        Family(
            "golem_instances_evicted_idle_total",
            "Instances without work that left memory",
            Counter(seen.evicted_idle),
        ),
        Family(
            "golem_instances_evicted_waiting_total",
            "Instances that left memory while their guests waited",
            Counter(seen.evicted_waiting),
        ),
        Family(
            "golem_instances_idle",
            "Instances in memory that have nothing to do or wait",
            Gauge(Some(seen.idle_instances)),
        ),
        Family(
            "golem_workers_active",
            "Workers that a task looks after; all others are on disk only",
            Gauge(Some(seen.active_workers)),
        ),
        Family(
            "golem_worker_calls_total",
            "Calls from worker to worker that were sent",
            Counter(seen.calls),
        ),
        Family(
            "golem_spans_exported_total",
            "Spans of traces that the collector has taken",
            Counter(seen.spans_exported),
        ),
        Family(
            "golem_spans_dropped_total",
            "Spans of traces that are lost: the queue was full, or the collector away",
            Counter(seen.spans_dropped),
        ),
        Family(
            "golem_timers_fired_total",
            "Timers that fired: sleeps, deadlines, schedules, retries",
            Counter(seen.timers),
        ),
        Family(
            "golem_promises_completed_total",
            "Promises that got their value",
            Counter(seen.promises),
        ),
        Family(
            "golem_checkpoints_taken_total",
            "Images of instances that were written",
            Counter(seen.checkpoints.taken),
        ),
        Family(
            "golem_checkpoints_used_total",
            "Images that a worker was restored from",
            Counter(seen.checkpoints.used),
        ),
        Family(
            "golem_checkpoints_refused_total",
            "Images that were found and not usable",
            Counter(seen.checkpoints.refused),
        ),
        Family(
            "golem_commits_total",
            "Durable writes of the store",
            Counter(seen.commits),
        ),
        Family(
            "golem_commit_batches_total",
            "Batches that those writes made durable; divided by the writes, how well they share",
            Counter(seen.commit_batches),
        ),
        Family(
            "golem_commit_bytes_total",
            "Bytes of entries, rows, keys and values that those writes made durable, without what the store puts around them",
            Counter(seen.commit_bytes),
        ),
        Family(
            "golem_commit_queued_bytes",
            "Bytes that wait for the disk or are being written",
            Gauge(Some(seen.commit_queued_bytes)),
        ),
        Family(
            "golem_store_bytes",
            "Bytes of the store on disk, without blobs and checkpoints",
            Gauge(seen.store_bytes),
        ),
        Family(
            "golem_memory_bytes",
            "Memory that nobody but the process has, pages of files not counted: what --memory-max bounds",
            Gauge(seen.memory_bytes),
        ),
    ]
}

fn render(families: &[Family]) -> String {
    let mut text = String::with_capacity(16 << 10);
    for Family(name, help, numbers) in families {
        let kind = match numbers {
            Numbers::Counter(_) => "counter",
            Numbers::Gauge(_) => "gauge",
            Numbers::Durations(_) => "histogram",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        match numbers {
            Numbers::Counter(number) | Numbers::Gauge(Some(number)) => {
                let _ = writeln!(text, "{name} {number}");
            }
            Numbers::Gauge(None) => {}
            Numbers::Durations(each) => {
                for (class, seen) in each {
                    histogram(&mut text, name, *class, seen);
                }
            }
        }
    }
    text
}

fn histogram(text: &mut String, name: &str, class: Option<u16>, seen: &DurationsSeen) {
    let class = class.map_or(String::new(), |class| format!("status=\"{class}xx\""));
    let comma = if class.is_empty() { "" } else { "," };
    let braced = |label: &str| match label {
        "" => String::new(),
        label => format!("{{{label}}}"),
    };
    for (bound, count) in BOUNDS_MICROS.iter().zip(&seen.at_most) {
        let bound = seconds(*bound);
        let _ = writeln!(
            text,
            "{name}_bucket{{{class}{comma}le=\"{bound}\"}} {count}"
        );
    }
    let (label, count) = (braced(&class), seen.count);
    let _ = writeln!(text, "{name}_bucket{{{class}{comma}le=\"+Inf\"}} {count}");
    let _ = writeln!(text, "{name}_sum{label} {}", seconds(seen.micros));
    let _ = writeln!(text, "{name}_count{label} {count}");
}

/// Microseconds as seconds, exactly.
fn seconds(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::tests::Gym;
    use axum::http::Method;
    use serde_json::json;

    #[tokio::test]
    async fn what_happens_is_counted_and_written_as_prometheus_reads_it() {
        let gym = Gym::new();
        let id = gym.upload("adder").await;
        let path = format!("/v1/components/{id}/workers/w/invoke-and-await?function=add");
        gym.post(&path, json!({"params": [1, 2]})).await.ok();
        gym.get("/v1/components/x").await;
        let answer = gym
            .ask(Method::GET, "/metrics", axum::body::Body::empty())
            .await;
        let text = String::from_utf8(answer.bytes().to_vec()).unwrap();
        for line in [
            "# TYPE golem_invocations_completed_total counter",
            "golem_invocations_completed_total 1",
            "golem_invocation_seconds_count 1",
            "golem_activation_seconds_count 1",
            "golem_instances_idle 1",
            "golem_http_request_seconds_count{status=\"2xx\"} 2",
            "golem_http_request_seconds_count{status=\"4xx\"} 1",
            "golem_invocation_seconds_bucket{le=\"+Inf\"} 1",
        ] {
            assert!(text.lines().any(|it| it == line), "{line}\n{text}");
        }
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, number) = line.rsplit_once(' ').unwrap();
            assert!(
                name.starts_with("golem_") && number.parse::<f64>().is_ok(),
                "{line}"
            );
        }
    }

    #[test]
    fn the_dashboard_asks_for_metrics_that_there_are_and_for_each_of_them() {
        let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs");
        let page = std::fs::read_to_string(format!("{docs}/metrics.md")).unwrap();
        let names: std::collections::BTreeMap<String, bool> = page
            .lines()
            .filter_map(|line| {
                let mut cells = line.strip_prefix("| `")?.split('|');
                let name = cells.next()?.trim().trim_end_matches('`');
                Some((name.to_owned(), cells.next()?.trim() == "histogram"))
            })
            .collect();
        let board = std::fs::read_to_string(format!("{docs}/grafana/golem.json")).unwrap();
        let board: serde_json::Value = serde_json::from_str(&board).unwrap();
        let mut asked = std::collections::BTreeSet::new();
        for panel in board["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().unwrap() {
                let expression = target["expr"].as_str().unwrap();
                let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                for word in words.filter(|word| word.starts_with("golem_")) {
                    let bare = ["_bucket", "_sum", "_count"]
                        .iter()
                        .find_map(|end| word.strip_suffix(end))
                        .filter(|bare| names.get(*bare) == Some(&true))
                        .unwrap_or(word);
                    let is_histogram = names.get(bare);
                    assert_eq!(
                        is_histogram,
                        Some(&(bare != word)),
                        "{word} in {expression}"
                    );
                    asked.insert(bare.to_owned());
                }
            }
        }
        let missing: Vec<_> = names.keys().filter(|name| !asked.contains(*name)).collect();
        assert!(missing.is_empty(), "not on the dashboard: {missing:?}");
    }

    #[test]
    fn the_page_of_the_docs_has_every_name() {
        let none = || Durations::default().seen();
        let gym = tokio::runtime::Runtime::new().unwrap();
        let figures = gym.block_on(async { Gym::new().figures() });
        let mut page = String::from(
            "# Metrics\n\n`GET /metrics` answers in the text format of Prometheus. Numbers begin with the process; there are no labels that\nguests or clients choose. Histograms have `_bucket`, `_sum` and `_count`, in seconds. Where tokens are required, it takes one of a\n`viewer` of every namespace. This page is made by a test of `crates/server/src/http/metrics.rs`.\n\n| name | kind | what |\n|---|---|---|\n",
        );
        for Family(name, help, numbers) in families(figures, vec![(Some(2), none())]) {
            let kind = match numbers {
                Numbers::Counter(_) => "counter",
                Numbers::Gauge(_) => "gauge",
                Numbers::Durations(_) => "histogram",
            };
            page.push_str(&format!("| `{name}` | {kind} | {help} |\n"));
        }
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(path, &page).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == page,
            "docs/metrics.md is not up to date: UPDATE_EXPECT=1 cargo test --workspace --lib -- the_page_of_the_docs"
        );
    }
}
