// SPDX-License-Identifier: Apache-2.0
//! THE DESK / dev serve: a server of the project's own while dev runs, and Ctrl-C. In an address, out a running server.
//! Never starts one beside another. Read next: crates/server/src/background.rs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use golem_client::Client;
use golem_server::{Background, HostRule, Options};

use crate::error::Failure;
use crate::manifest::Manifest;
use crate::output::Out;

/// Where the data of the server is kept, below the project.
const DATA_DIR: &str = ".golem";

/// Sets `stop` at the first SIGINT or SIGTERM.
pub(super) fn stop_at_signal(stop: &Arc<AtomicBool>) -> Result<(), Failure> {
    let stop = Arc::clone(stop);
    golem_server::on_signal(move || stop.store(true, Ordering::Relaxed))?;
    Ok(())
}

/// Starts a server when none answers and the address is of this machine. The server ends when what is returned is dropped.
pub(super) fn start_if_needed(
    client: &Client,
    manifest: &Manifest,
    allow_network: Vec<HostRule>,
    out: &Out,
) -> Result<Option<Background>, Failure> {
    let outcome = client.version();
    if !super::nobody_there(&outcome) {
        outcome?;
        out.note(&format!("dev: using the server at {}", client.url()));
        return Ok(None);
    }
    let Some(port) = client.local_port() else {
        // Not ours to start: the failure says that it cannot be reached.
        outcome?;
        return Ok(None);
    };
    let data_dir = manifest.root().join(DATA_DIR);
    let server = Background::start(Options {
        port,
        allow_network,
        ..Options::local(data_dir.clone())
    })?;
    out.note(&format!(
        "dev: running a server at http://{}, its data is in {}",
        server.address(),
        crate::build::short(&data_dir)
    ));
    Ok(Some(server))
}
