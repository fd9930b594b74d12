// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / trial/replay: a history that was recorded on a server, repeated by code that was just built. In: a recording and
//! the components of a project. Out: whether the code does the same again, or the first difference.
//! Read next: golem-engine `node/recording.rs`. Why: docs/testing.md.

use std::path::Path;
use std::sync::Arc;

use golem_engine::{ManualTime, RehearsalEnd, SECRET_KEY_FILE, Seeded};
use golem_model::recording::Recording;
use golem_storage::{Blobs, MemStore};

use super::error::TrialError;
use super::outside::Outside;
use super::process::{Ended, PATIENCE, Process, Start};
use super::project::{Code, remove};

/// What a replay has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// Name of the component.
    pub component: String,
    /// Name of the worker.
    pub worker: String,
    /// Entries of its history.
    pub entries: u64,
    /// The first difference; `None`: everything was repeated.
    pub diverged: Option<String>,
    /// How the guest failed, if it did; it may have failed when it was recorded as well.
    pub failed: Option<String>,
}

/// Repeats a recording with the code of its component: the one of the same name, or `component`, or the only one there is.
/// Errors: `Recording`, `OtherProject`, `Component`, `System`, and those of starting a node.
pub fn replay(
    file: &[u8],
    codes: &[Code],
    component: Option<&str>,
    code_dir: &Path,
) -> Result<Replay, TrialError> {
    let unreadable = |error: String| TrialError::Recording(error);
    let recording = Recording::from_file(file).map_err(|error| unreadable(error.to_string()))?;
    let name = component.unwrap_or(&recording.component_name);
    let code = codes.iter().find(|code| code.name == name);
    let code = match (code, codes) {
        (Some(code), _) => code,
        (None, [only]) if component.is_none() => only,
        _ => {
            let component = name.to_owned();
            return Err(TrialError::OtherProject { component });
        }
    };
    let dir = std::env::temp_dir().join(format!("golem-test-{}", uuid::Uuid::new_v4()));
    let process = Process::start(Start {
        store: MemStore::new(),
        blobs: Arc::new(Blobs::open(dir.join("blobs"))?),
        code_dir,
        secret_key: &dir.join(SECRET_KEY_FILE),
        dir: &dir,
        time: ManualTime::new(recording.at.saturating_mul(1_000)),
        chance: Seeded::new(0),
        outside: Outside::new(&[]),
    })?;
    let mut found = Replay {
        component: code.name.clone(),
        worker: recording.worker_name.clone(),
        entries: recording.entries.len() as u64,
        diverged: None,
        failed: None,
    };
    let rehearse =
        process
            .node
            .rehearse_recording(recording, code.wasm.clone(), code.capabilities.clone());
    let now = process.now();
    let rehearsed = process.wait(now, rehearse);
    process.end();
    remove(&dir);
    match rehearsed {
        Err(Ended::TooLong) => {
            let seconds = PATIENCE.as_secs();
            return Err(TrialError::System(format!(
                "it takes more than {seconds} s"
            )));
        }
        Err(ended) => return Err(TrialError::System(format!("{ended:?}"))),
        Ok(Err(error)) => return Err(unreadable(error.to_string())),
        Ok(Ok(rehearsal)) => match rehearsal.end {
            RehearsalEnd::Repeated => {}
            RehearsalEnd::Diverged(report) => found.diverged = Some(report),
            RehearsalEnd::Failed(message) => found.failed = Some(message),
        },
    }
    Ok(found)
}
