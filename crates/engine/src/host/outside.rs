// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / outside: what all instances of a node share when they reach beyond their own memory.
//! Read next: `keyvalue.rs`.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::files::{Files, Spill};
use super::http::{HttpClient, NetworkDouble};

/// One per node.
#[derive(Debug)]
pub(crate) struct Outside {
    /// Held by whoever changes rows of keyvalue or blobstore: first what a change depends on is read, then it is handed to
    /// the commit stream, and nobody comes in between.
    pub(crate) keyed: Mutex<()>,
    /// Sends requests of guests.
    pub(crate) http: HttpClient,
    spill: Arc<Spill>,
}

impl Outside {
    /// Large files of workers are in `files_dir`, which is emptied; requests of guests go to `double` instead of the network
    /// if there is one. Errors: of the machine.
    pub(crate) fn open(
        files_dir: PathBuf,
        double: Option<Arc<dyn NetworkDouble>>,
    ) -> std::io::Result<Self> {
        Ok(Self {
            keyed: Mutex::default(),
            http: HttpClient::new().with_double(double),
            spill: Arc::new(Spill::open(files_dir)?),
        })
    }

    /// An empty tree of files, for a new instance.
    pub(crate) fn files(&self) -> Files {
        Files::new(Arc::clone(&self.spill))
    }
}
