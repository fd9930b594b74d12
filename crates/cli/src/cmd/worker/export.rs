// SPDX-License-Identifier: Apache-2.0
//! THE DESK / worker/export: writes the whole history of a worker into a file, for `golem-cli test --replay`. In options, out a
//! file that appears whole or not at all. Read next: `../test.rs`. Why: docs/formats/recording.md.

use std::path::{Path, PathBuf};

use golem_client::Client;
use golem_model::Coded;
use golem_model::recording::{BadRecording, Recording};
use serde::Serialize;

use crate::cmd::refs::WorkerArgs;
use crate::error::Outcome;
use crate::output::Out;

/// Options of `worker export`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    worker: WorkerArgs,
    /// Where the history goes
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Why no history was written.
#[derive(Debug, thiserror::Error)]
enum ExportError {
    /// What the server sent is no history.
    #[error("the server sent something else than a history")]
    Answer(#[source] BadRecording),
    /// The disk said no.
    #[error("failed to write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl Coded for ExportError {
    fn code(&self) -> &'static str {
        match self {
            Self::Answer(_) => "CLI-028",
            Self::Write { .. } => "CLI-029",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Answer(_) => {
                "check that --url names a server of this version: golem-cli diagnose".into()
            }
            Self::Write { .. } => "check the path, its permissions and free disk space".into(),
        })
    }
}

/// What was written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Exported {
    file: PathBuf,
    component: String,
    worker: String,
    entries: usize,
    bytes: usize,
}

/// Writes a history.
pub(super) fn export(args: &Args, client: &Client, out: &Out) -> Outcome {
    let file = client.export(&args.worker.worker(client)?)?;
    // Read before it is kept: a file that cannot be repeated is worth nothing.
    let recording = Recording::from_file(&file).map_err(ExportError::Answer)?;
    write(&args.output, &file).map_err(|source| ExportError::Write {
        path: args.output.clone(),
        source,
    })?;
    let exported = Exported {
        file: args.output.clone(),
        component: recording.component_name,
        worker: recording.worker_name,
        entries: recording.entries.len(),
        bytes: file.len(),
    };
    out.view(&exported, |exported| {
        format!(
            "{}: {} entries of {}/{}, {} bytes\n",
            exported.file.display(),
            exported.entries,
            exported.component,
            exported.worker,
            exported.bytes
        )
    });
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".{}.tmp", std::process::id()));
    std::fs::write(&aside, bytes)?;
    std::fs::rename(&aside, path).inspect_err(|_| drop(std::fs::remove_file(&aside)))
}
