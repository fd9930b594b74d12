// SPDX-License-Identifier: Apache-2.0
//! THE DESK / client/transfer: exports and imports of a whole server. In: files. Out: what is in them. Never has one in memory.
//! Bound: [`IMPORT_DEADLINE`]. Read next: `transport.rs`, golem-server `http/transfer.rs`.

use std::fs::File;
use std::io::Read;
use std::time::{Duration, Instant};

use golem_model::api::{Export, ImportReadiness};

use super::Client;
use super::transport::Request;
use crate::error::Failure;
use crate::exit;

/// How long a server may take to begin anew with what it was given: a store of some GB on a slow disk, with room to spare.
const IMPORT_DEADLINE: Duration = Duration::from_secs(600);
/// Pause between two looks whether it has; the first look mostly waits at the socket until it has.
const IMPORT_LOOK: Duration = Duration::from_millis(200);

impl Client {
    /// Everything that the server keeps, as it arrives. Only a file with its end is one.
    pub(crate) fn export_all(&self) -> Result<impl Read + use<>, Failure> {
        self.transport.read(Request::get("/v1/export"))
    }

    /// Whether the server takes an import.
    pub(crate) fn import_readiness(&self) -> Result<ImportReadiness, Failure> {
        self.transport.json(Request::get("/v1/import"))
    }

    /// Gives a file to a server that has nothing yet, and waits until it has begun anew with it.
    ///
    /// Errors: those of the server, whose last one is told when the deadline is over.
    pub(crate) fn import_all(&self, file: File) -> Result<Export, Failure> {
        let given: Export = self
            .transport
            .send_file(Request::post("/v1/import"), file)?;
        let end = Instant::now() + IMPORT_DEADLINE;
        loop {
            let path = format!("/v1/import/{}", given.sha256);
            match self.transport.json::<Export>(Request::get(path)) {
                Err(failure)
                    if failure.exit != exit::NOT_FOUND
                        && failure.exit != exit::DENIED
                        && Instant::now() < end =>
                {
                    tracing::debug!(?failure, "the server is not back yet");
                    std::thread::sleep(IMPORT_LOOK);
                }
                answer => return answer,
            }
        }
    }
}
