// SPDX-License-Identifier: Apache-2.0
//! THE SHELVES / export error: why nothing was exported or imported. In: what happened. Out: [`ExportError`]. Read next:
//! `format.rs`. Why: docs/errors/ has one page per family.

use std::io;

use golem_model::Coded;

use super::format::VERSION;
use crate::store::StoreError;

/// Why nothing was exported or imported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The file is something else.
    #[error("the file is no export of a server")]
    NotAnExport,
    /// The file was written by a version that this one cannot read.
    #[error("the export has format {found}, this version reads {VERSION}")]
    Version {
        /// What the file says.
        found: u32,
    },
    /// The file ends before its end: a copy or an export that was broken off.
    #[error("the export is cut off: it ends at byte {at} without an end record")]
    Truncated {
        /// Bytes that are there.
        at: u64,
    },
    /// Bytes of the file are not what was written.
    #[error("the export is damaged in the record at byte {at}: {detail}")]
    Damaged {
        /// Where the record begins.
        at: u64,
        /// How it shows.
        detail: String,
    },
    /// The store has another number of shards: the names of logs would be wrong.
    #[error("the export has {found} shards, this data directory has {expected}")]
    Shards {
        /// Of the file.
        found: u16,
        /// Of the store.
        expected: u16,
    },
    /// The store has something in it.
    #[error("the data directory is not empty: it has {what}")]
    NotEmpty {
        /// The first thing that was found.
        what: String,
    },
    /// The file could not be read.
    #[error("failed to read the export")]
    Read(#[source] io::Error),
    /// The file could not be written.
    #[error("failed to write the export")]
    Write(#[source] io::Error),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Coded for ExportError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotAnExport => "EXP-001",
            Self::Version { .. } => "EXP-002",
            Self::Truncated { .. } => "EXP-003",
            Self::Damaged { .. } => "EXP-004",
            Self::Shards { .. } => "EXP-005",
            Self::NotEmpty { .. } => "EXP-006",
            Self::Read(_) => "EXP-007",
            Self::Write(_) => "EXP-008",
            Self::Store(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotAnExport => "give a file that `golem-cli export FILE` has written".into(),
            Self::Version { .. } => {
                "import it with the version of golem-cli that wrote it, or a newer one".into()
            }
            Self::Truncated { .. } => {
                "copy the file again, or export again: golem-cli export FILE".into()
            }
            Self::Damaged { .. } => {
                "nothing was imported; take another copy of the file, or export again".into()
            }
            Self::Shards { .. } => {
                "import into a new data directory: golem-cli server run --data-dir DIR".into()
            }
            Self::NotEmpty { .. } => {
                "import into a new server: golem-cli server run --data-dir NEW-DIR".into()
            }
            Self::Read(_) | Self::Write(_) => {
                "check the path, its permissions and free disk space".into()
            }
            Self::Store(error) => return error.hint(),
        })
    }
}
