// SPDX-License-Identifier: Apache-2.0
//! THE DESK / view/worker: workers. Read next: `cmd/worker.rs`. Source: client spec §6.3, §6.8.

use std::collections::BTreeMap;

use golem_model::api::{
    OwnedResource, PublicRetryPolicy, ScanCursor, UpdateRecord, WorkerMetadata,
    WorkersMetadataResponse,
};
use golem_model::urn::{ComponentUrn, WorkerUrn};
use golem_model::worker::WorkerStatus;
use golem_model::{ComponentVersion, Timestamp, WorkerId};
use serde::Serialize;

use super::{fields, moment, size, table};

/// A worker as JSON and YAML show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WorkerMetadataView {
    #[serde(skip)]
    worker: WorkerId,
    worker_urn: String,
    args: Vec<String>,
    env: BTreeMap<String, String>,
    status: WorkerStatus,
    component_version: ComponentVersion,
    retry_count: u64,
    pending_invocation_count: u64,
    updates: Vec<UpdateRecord>,
    created_at: Timestamp,
    last_error: Option<String>,
    component_size: u64,
    total_linear_memory_size: u64,
    owned_resources: BTreeMap<String, OwnedResource>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_policy: Option<PublicRetryPolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at: Option<Timestamp>,
}

impl From<WorkerMetadata> for WorkerMetadataView {
    fn from(worker: WorkerMetadata) -> Self {
        Self {
            worker_urn: WorkerUrn::named(&worker.worker_id).to_string(),
            worker: worker.worker_id,
            args: worker.args,
            env: worker.env,
            status: worker.status,
            component_version: worker.component_version,
            retry_count: worker.retry_count,
            pending_invocation_count: worker.pending_invocation_count,
            updates: worker.updates,
            created_at: worker.created_at,
            last_error: worker.last_error,
            component_size: worker.component_size,
            total_linear_memory_size: worker.total_linear_memory_size,
            owned_resources: worker.owned_resources,
            retry_policy: worker.retry_policy,
            retry_at: worker.retry_at,
        }
    }
}

impl WorkerMetadataView {
    /// For people.
    pub(crate) fn text(&self, bold: impl Fn(&str) -> String) -> String {
        let env: Vec<String> = self
            .env
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut pairs = vec![
            ("Worker URN", self.worker_urn.clone()),
            (
                "Component URN",
                ComponentUrn::from(self.worker.component_id).to_string(),
            ),
            ("Worker name", self.worker.worker_name.clone()),
            ("Component version", self.component_version.to_string()),
            ("Created at", moment(self.created_at)),
            ("Component size", size(self.component_size)),
            (
                "Total linear memory size",
                size(self.total_linear_memory_size),
            ),
        ];
        let some = |label: &'static str, value: String| {
            Some((label, value)).filter(|(_, value)| !value.is_empty())
        };
        pairs.extend(some("Arguments", self.args.join(" ")));
        pairs.extend(some("Environment variables", env.join(";")));
        pairs.push(("Status", self.status.to_string()));
        pairs.push(("Retry count", self.retry_count.to_string()));
        if self.pending_invocation_count > 0 {
            pairs.push((
                "Pending invocation count",
                self.pending_invocation_count.to_string(),
            ));
        }
        pairs.extend(self.retry_at.map(|at| ("Next attempt", moment(at))));
        pairs.extend(self.last_error.clone().map(|error| ("Last error", error)));
        pairs.extend(
            self.updates
                .iter()
                .map(|update| ("Update", update_text(update))),
        );
        format!(
            "Got metadata for worker {}\n\n{}",
            bold(&self.worker.worker_name),
            fields(&pairs)
        )
    }
}

/// `2 failed at …: why`.
fn update_text(update: &UpdateRecord) -> String {
    match update {
        UpdateRecord::PendingUpdate {
            timestamp,
            target_version,
        } => format!(
            "to version {target_version} pending since {}",
            moment(*timestamp)
        ),
        UpdateRecord::SuccessfulUpdate {
            timestamp,
            target_version,
        } => format!("to version {target_version} done at {}", moment(*timestamp)),
        UpdateRecord::FailedUpdate {
            timestamp,
            target_version,
            details,
        } => format!(
            "to version {target_version} failed at {}: {}",
            moment(*timestamp),
            details.as_deref().unwrap_or("no reason is known")
        ),
    }
}

/// A listing of workers as JSON and YAML show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct WorkersView {
    workers: Vec<WorkerMetadataView>,
    cursor: Option<ScanCursor>,
}

impl From<WorkersMetadataResponse> for WorkersView {
    fn from(page: WorkersMetadataResponse) -> Self {
        Self {
            workers: page
                .workers
                .into_iter()
                .map(WorkerMetadataView::from)
                .collect(),
            cursor: page.cursor,
        }
    }
}

impl WorkersView {
    /// For people: a table, and where the next page starts.
    pub(crate) fn text(&self) -> String {
        let row = |view: &WorkerMetadataView| {
            vec![
                view.worker_urn.clone(),
                view.component_version.to_string(),
                view.status.to_string(),
                moment(view.created_at),
            ]
        };
        let mut text = table(
            &["Worker URN", "Component version", "Status", "Created at"],
            self.workers.iter().map(row),
        );
        if let Some(cursor) = self.cursor {
            text.push_str(&format!(
                "\nThere are more workers. Continue with: --cursor {cursor}\n"
            ));
        }
        text
    }
}

/// `Added worker NAME` and what it is called.
pub(crate) fn created_worker_text(worker: &WorkerId, bold: impl Fn(&str) -> String) -> String {
    let pairs = [
        ("Worker URN", WorkerUrn::named(worker).to_string()),
        (
            "Component URN",
            ComponentUrn::from(worker.component_id).to_string(),
        ),
        ("Worker name", worker.worker_name.clone()),
    ];
    format!(
        "Added worker {}\n\n{}",
        bold(&worker.worker_name),
        fields(&pairs)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata() -> WorkerMetadata {
        serde_json::from_value(serde_json::json!({
            "workerId": {"componentId": "0d8e3a5c-1b2f-4c3d-8e9f-a0b1c2d3e4f5", "workerName": "w/1"},
            "env": {"B": "2", "A": "1"}, "args": ["x", "y"], "status": "Idle", "componentVersion": 0,
            "createdAt": "2024-12-09T12:00:00Z", "componentSize": 8, "totalLinearMemorySize": 131_072,
        }))
        .unwrap()
    }

    #[test]
    fn json_has_a_urn_and_no_account() {
        let json = serde_json::to_value(WorkerMetadataView::from(metadata())).unwrap();
        assert_eq!(
            json["workerUrn"],
            "urn:worker:0d8e3a5c-1b2f-4c3d-8e9f-a0b1c2d3e4f5/w%2F1"
        );
        assert_eq!(json["status"], "Idle");
        assert_eq!(json["lastError"], serde_json::Value::Null);
        assert!(json.get("accountId").is_none() && json.get("workerId").is_none());
    }

    #[test]
    fn text_shows_every_field_once() {
        let text = WorkerMetadataView::from(metadata()).text(str::to_owned);
        let expect = "Got metadata for worker w/1\n\n\
            Worker URN:               urn:worker:0d8e3a5c-1b2f-4c3d-8e9f-a0b1c2d3e4f5/w%2F1\n\
            Component URN:            urn:component:0d8e3a5c-1b2f-4c3d-8e9f-a0b1c2d3e4f5\n\
            Worker name:              w/1\nComponent version:        0\n\
            Created at:               2024-12-09 12:00:00 UTC\nComponent size:           8 B\n\
            Total linear memory size: 128 KiB\nArguments:                x y\n\
            Environment variables:    A=1;B=2\nStatus:                   Idle\nRetry count:              0\n";
        assert_eq!(text, expect);
    }

    #[test]
    fn a_listing_says_how_to_go_on() {
        let cursor = Some(ScanCursor {
            cursor: 50,
            layer: 0,
        });
        let page = WorkersMetadataResponse {
            workers: vec![metadata()],
            cursor,
        };
        let text = WorkersView::from(page).text();
        assert!(
            text.contains("w%2F1") && text.ends_with("--cursor 0/50\n"),
            "{text}"
        );
    }
}
