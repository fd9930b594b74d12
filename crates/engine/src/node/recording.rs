// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / node/recording: the whole history of a worker, taken out of one node and repeated in another one by other code.
//! In: a worker, or a recording and a component. Out: a recording, or a rehearsal. Bound: `RECORDING_BYTES_MAX`.
//! Read next: golem-model `recording.rs`, `../rehearse.rs`.

use std::collections::BTreeSet;
use std::sync::Arc;

use golem_model::capabilities::{Capabilities, EnvSource, SecretName};
use golem_model::component::{ComponentType, FilePermissions, VersionedComponentId};
use golem_model::oplog::OplogEntry;
use golem_model::recording::{RECORDING_BYTES_MAX, RecordedFile, Recording, blob_of};
use golem_model::worker::WorkerRow;
use golem_model::{ComponentId, ComponentVersion, OplogIndex, WorkerId};

use super::{Node, row_of};
use crate::component::files::{Declared, NewFile, Upload};
use crate::error::WorkerError;
use crate::limits::check_bytes;
use crate::redact::mark;
use crate::rehearse::Rehearsal;

/// Entries that are read at once.
const BATCH: usize = 256;

impl Node {
    /// The whole history of a worker, all of it durable. Errors: `NotFound`, `TooLarge`, `Damaged`.
    pub async fn record_worker(
        self: &Arc<Self>,
        worker: &WorkerId,
    ) -> Result<Recording, WorkerError> {
        let (log, last) = self.durable_log(worker).await?;
        let stored = self.stored(worker)?;
        let row = row_of(&stored)?;
        let component = self.component(worker.component_id, None)?;
        let mut recording = Recording {
            component: worker.component_id.0.as_bytes().to_vec(),
            component_name: component.component_name.clone(),
            worker_name: worker.worker_name.clone(),
            version: component.versioned_component_id.version,
            row: stored.row,
            entries: Vec::new(),
            blobs: Vec::new(),
            at: self.clock().micros(),
            files: self.initial_files(worker.component_id, row.version)?,
        };
        let mut named = BTreeSet::new();
        let mut bytes = recording.files.iter().map(|file| file.content.len()).sum();
        while (recording.entries.len() as u64) < last.0 {
            let next = OplogIndex(recording.entries.len() as u64 + 1);
            let left = usize::try_from(last.0 - next.0 + 1).unwrap_or(usize::MAX);
            let entries = self
                .store
                .read(log, next, BATCH.min(left), RECORDING_BYTES_MAX)?;
            if entries.is_empty() {
                return Err(damaged(worker, format!("entry {next} is missing")));
            }
            for entry in entries {
                let decoded = OplogEntry::from_bytes(&entry)
                    .map_err(|error| damaged(worker, error.to_string()))?;
                let blob = decoded.event.as_ref().and_then(blob_of);
                if let Some(name) = blob
                    && named.insert(name.to_vec())
                {
                    let blob = self.payload(&[], Some(name))?;
                    bytes += blob.len();
                    recording.blobs.push(blob);
                }
                bytes += entry.len();
                check_bytes("history", bytes, RECORDING_BYTES_MAX)?;
                recording.entries.push(entry);
            }
            // A long history lets others run.
            tokio::task::yield_now().await;
        }
        Ok(recording)
    }

    /// The files that workers of a version begin with.
    fn initial_files(
        &self,
        component: ComponentId,
        version: ComponentVersion,
    ) -> Result<Vec<RecordedFile>, WorkerError> {
        let files = self.catalog.files(component, Some(version))?;
        let files = files.into_iter().map(|file| RecordedFile {
            path: file.path,
            read_only: file.permissions == FilePermissions::ReadOnly,
            content: file.content,
        });
        Ok(files.collect())
    }

    /// Repeats a recording with other code, on a node that knows nothing of it yet. Nothing is sent. The code becomes the next
    /// version of the component, which declares `capabilities`, the worker one of this node that does not run. Values of secrets
    /// are what a log shows in their place, so that what was recorded fits. Errors: `Damaged`, `Component`, and those of
    /// [`Node::rehearse`].
    pub async fn rehearse_recording(
        self: &Arc<Self>,
        recording: Recording,
        wasm: Vec<u8>,
        capabilities: Option<Capabilities>,
    ) -> Result<Rehearsal, WorkerError> {
        let id = uuid::Uuid::from_slice(&recording.component);
        let id = ComponentId(id.unwrap_or_default());
        let worker = WorkerId::new(id, recording.worker_name);
        if id.0.is_nil() {
            return Err(damaged(&worker, "it has no component".into()));
        }
        let row = WorkerRow::from_bytes(&recording.row)
            .map_err(|error| damaged(&worker, error.to_string()))?;
        let version = recording.version + 1;
        let versioned = VersionedComponentId {
            component_id: worker.component_id,
            version,
        };
        let (name, kind) = (recording.component_name, ComponentType::Durable);
        let files = recording.files.into_iter().map(|file| NewFile {
            path: file.path,
            permissions: if file.read_only {
                FilePermissions::ReadOnly
            } else {
                FilePermissions::ReadWrite
            },
            content: file.content,
        });
        let upload = Upload {
            wasm,
            files: Some(files.collect()),
            declared: Declared::Now(capabilities.map(without_secrets)),
        };
        {
            // It is compiled on another thread.
            let _job = self.job();
            let adopted = self.catalog.adopt(self, versioned, name, kind, upload);
            adopted.await?;
        }
        for blob in recording.blobs {
            self.payloads.keep(&blob)?;
        }
        crate::oplog::fork::adopt(self, &worker, row, &recording.entries).await?;
        self.rehearse(&worker, Some(version), None).await
    }
}

/// The same with what a log shows of a secret in the place of its value.
fn without_secrets(mut capabilities: Capabilities) -> Capabilities {
    for source in capabilities.env.values_mut() {
        if let EnvSource::Secret(SecretName { secret }) = source {
            *source = EnvSource::Plain(mark(secret));
        }
    }
    capabilities
}

fn damaged(worker: &WorkerId, detail: String) -> WorkerError {
    WorkerError::Damaged {
        worker: worker.clone(),
        detail,
    }
}
