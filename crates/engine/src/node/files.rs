// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / node/files: the files of a worker, for people. In: a worker, a path. Out: entries of a directory, bytes of a file:
//! those of an idle instance, or of a copy that repeats the history up to what is durable. Bound: [`AT_ONCE_BYTES_MAX`].
//! Never changes a worker, and never shows what a crash could take back. Read next: `../rehearse.rs`, `../host/files/look.rs`.

use std::sync::Arc;

use golem_model::component::FilePermissions;
use golem_model::{Timestamp, WorkerId};
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

use super::Node;
use crate::error::WorkerError;
use crate::host::{Attributes, Fault, Files, Opened, Seen};
use crate::worker::Message;

/// Largest file that is read from an instance in one piece. A larger one is read from a copy, so that nothing that the worker
/// does meanwhile gets into the middle of it.
const AT_ONCE_BYTES_MAX: u64 = 1 << 20;

/// A file or directory of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileView {
    /// Its name in its directory.
    pub name: String,
    /// When it was last changed, by the clock of its guest; of an initial file the moment of the upload.
    pub modified: Timestamp,
    /// What it is.
    pub kind: FileKind,
}

/// What a [`FileView`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// It has entries.
    Directory,
    /// It has bytes.
    File {
        /// How many.
        bytes: u64,
        /// What the guest may do with it.
        permissions: FilePermissions,
    },
}

/// A file of a worker as it was at one moment, to be read piece by piece.
#[derive(Debug)]
pub struct FileReader(Content);

#[derive(Debug)]
enum Content {
    AtOnce(Vec<u8>),
    Copy(Arc<Opened>, u64),
}

impl FileReader {
    /// Bytes in all.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match &self.0 {
            Content::AtOnce(bytes) => bytes.len() as u64,
            Content::Copy(_, bytes) => *bytes,
        }
    }

    /// Up to `len` bytes from `offset` on; none at the end. Reads a disk. Errors: of the machine.
    pub fn read(&self, offset: u64, len: u64) -> std::io::Result<Vec<u8>> {
        match &self.0 {
            Content::AtOnce(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                let len = usize::try_from(len).unwrap_or(usize::MAX);
                let rest = bytes.get(start..).unwrap_or_default();
                Ok(rest.get(..len).unwrap_or(rest).to_vec())
            }
            Content::Copy(file, _) => match file.read(offset, len) {
                Ok(bytes) => Ok(bytes),
                Err(Fault::Machine(error)) => Err(error),
                Err(Fault::Code(code)) => Err(std::io::Error::other(code.to_string())),
            },
        }
    }
}

/// What the task of a worker says of the files of its instance.
pub(crate) enum LiveFiles {
    /// There is no instance that has nothing to do.
    Away,
    /// What is at the path. Nothing can have happened since.
    Seen(Result<Seen, Fault>),
    /// A file in one piece.
    Bytes(std::io::Result<Vec<u8>>),
}

impl LiveFiles {
    /// What is at `path` of an instance between two invocations.
    pub(crate) fn look(files: &Files, path: &str) -> Self {
        match files.look(path) {
            Ok(Seen::File(file, attributes)) if attributes.size <= AT_ONCE_BYTES_MAX => {
                match file.read(0, attributes.size) {
                    Ok(bytes) => Self::Bytes(Ok(bytes)),
                    Err(Fault::Machine(error)) => Self::Bytes(Err(error)),
                    Err(fault @ Fault::Code(_)) => Self::Seen(Err(fault)),
                }
            }
            // It would have to be read while the worker goes on.
            Ok(Seen::File(..)) => Self::Away,
            seen => Self::Seen(seen),
        }
    }
}

impl Node {
    /// The entries of a directory of a worker, by name; everything that they show is durable. Errors: `NotFound`,
    /// `FileNotFound`, `FileKind`, `FileUnreadable`, and those of a replay.
    pub async fn list_files(
        self: &Arc<Self>,
        worker: &WorkerId,
        path: &str,
    ) -> Result<Vec<FileView>, WorkerError> {
        let seen = match self.live_files(worker, path).await? {
            LiveFiles::Away => self.copied_files(worker).await?.look(path),
            LiveFiles::Seen(seen) => seen,
            LiveFiles::Bytes(_) => return Err(kind(worker, path, "a file")),
        };
        let entries = match seen.map_err(|fault| wrong(worker, path, fault))? {
            Seen::Directory(entries) => entries,
            Seen::File(..) => return Err(kind(worker, path, "a file")),
        };
        let version = self.worker(worker).await?.component_version;
        let uploaded = self
            .component(worker.component_id, Some(version))?
            .created_at;
        let entries = entries.into_iter();
        Ok(entries
            .map(|(name, attributes)| view(name, &attributes, uploaded))
            .collect())
    }

    /// A file of a worker; everything that it holds is durable. Errors: as [`Node::list_files`].
    pub async fn read_file(
        self: &Arc<Self>,
        worker: &WorkerId,
        path: &str,
    ) -> Result<FileReader, WorkerError> {
        let seen = match self.live_files(worker, path).await? {
            LiveFiles::Bytes(bytes) => {
                let bytes = bytes.map_err(|error| wrong(worker, path, error.into()))?;
                return Ok(FileReader(Content::AtOnce(bytes)));
            }
            LiveFiles::Away => self.copied_files(worker).await?.look(path),
            LiveFiles::Seen(seen) => seen,
        };
        match seen.map_err(|fault| wrong(worker, path, fault))? {
            Seen::File(file, attributes) => Ok(FileReader(Content::Copy(file, attributes.size))),
            Seen::Directory(_) => Err(kind(worker, path, "a directory")),
        }
    }

    /// What an instance of the worker has at `path`, if there is one and it is idle. Waits until that is durable.
    async fn live_files(
        self: &Arc<Self>,
        worker: &WorkerId,
        path: &str,
    ) -> Result<LiveFiles, WorkerError> {
        if !self.is_active(worker) {
            return Ok(LiveFiles::Away);
        }
        let path = path.into();
        let (seen, seq) = self
            .ask(worker, |reply| Message::Files(path, reply))
            .await?;
        self.durable(seq).await?;
        Ok(seen)
    }

    /// The files of a copy of the worker that has repeated everything that is durable.
    async fn copied_files(self: &Arc<Self>, worker: &WorkerId) -> Result<Files, WorkerError> {
        let (log, tail) = self.durable_log(worker).await?;
        self.repeat_files(worker, log, tail).await
    }
}

fn view(name: String, attributes: &Attributes, uploaded: Timestamp) -> FileView {
    // Nothing that a guest does happens at the beginning of time.
    let modified = match attributes.modified {
        0 => uploaded,
        nanos => Timestamp(nanos / 1_000),
    };
    let kind = if attributes.directory {
        FileKind::Directory
    } else {
        FileKind::File {
            bytes: attributes.size,
            permissions: if attributes.read_only {
                FilePermissions::ReadOnly
            } else {
                FilePermissions::ReadWrite
            },
        }
    };
    FileView {
        name,
        modified,
        kind,
    }
}

fn kind(worker: &WorkerId, path: &str, found: &'static str) -> WorkerError {
    WorkerError::FileKind {
        worker: worker.clone(),
        path: path.to_owned(),
        found,
    }
}

fn wrong(worker: &WorkerId, path: &str, fault: Fault) -> WorkerError {
    match fault {
        Fault::Code(ErrorCode::NotDirectory) => kind(worker, path, "below a file"),
        Fault::Code(_) => WorkerError::FileNotFound {
            worker: worker.clone(),
            path: path.to_owned(),
        },
        Fault::Machine(error) => WorkerError::FileUnreadable {
            worker: worker.clone(),
            path: path.to_owned(),
            detail: error.to_string(),
        },
    }
}
