// SPDX-License-Identifier: Apache-2.0
//! THE PHONE / transfer: exports and imports of a whole server. In: files. Out: what is in them. Never has one in memory.
//! Bound: [`IMPORT_DEADLINE`]. Read next: `transport.rs`, golem-server `http/transfer.rs`.

use std::fs::File;
use std::io::Read;
use std::time::{Duration, Instant};

use golem_model::api::{Export, ImportReadiness};

use crate::client::Client;
use crate::error::{ClientError, ErrorKind};
use crate::transport::Request;

/// How long a server may take to begin anew with what it was given: a store of some GB on a slow disk, with room to spare.
const IMPORT_DEADLINE: Duration = Duration::from_secs(600);
/// Pause between two looks whether it has; the first look mostly waits at the socket until it has.
const IMPORT_LOOK: Duration = Duration::from_millis(200);

impl Client {
    /// Everything that the server keeps, as it arrives, without a bound. Only a file with its end record is one, which who
    /// keeps it has to check. Errors: `Refused`, of kind `Denied`. Format: docs/formats/export.md.
    pub fn export_all(&self) -> Result<impl Read + use<>, ClientError> {
        self.transport.read(Request::get("/v1/export"))
    }

    /// Whether the server takes an import: it has nothing yet. Errors: `Refused`, of kind `Denied`.
    pub fn import_readiness(&self) -> Result<ImportReadiness, ClientError> {
        self.transport.json(Request::get("/v1/import"))
    }

    /// Gives a file of [`export_all`](Self::export_all) to a server that has nothing yet, and waits, at most 600 s, until it has begun
    /// anew with it.
    ///
    /// Errors: `Refused` by the server, of kind `Conflict` when it has something; the last error when the time is over.
    pub fn import_all(&self, file: File) -> Result<Export, ClientError> {
        let given: Export = self
            .transport
            .send_file(Request::post("/v1/import"), file)?;
        let end = Instant::now() + IMPORT_DEADLINE;
        loop {
            let path = format!("/v1/import/{}", given.sha256);
            match self.transport.json::<Export>(Request::get(path)) {
                Err(error)
                    if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Denied)
                        && Instant::now() < end =>
                {
                    tracing::debug!(?error, "the server is not back yet");
                    std::thread::sleep(IMPORT_LOOK);
                }
                answer => return answer,
            }
        }
    }
}
