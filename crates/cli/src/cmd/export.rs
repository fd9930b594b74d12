// SPDX-License-Identifier: Apache-2.0
//! THE DESK / export: everything that a server keeps, in one file. In a server or a data directory, out a file that appears whole
//! or not at all. Read next: `import.rs`, golem-server `offline.rs`. Format: docs/formats/export.md.

use std::path::PathBuf;

use golem_model::api::Export;

use crate::args::Global;
use crate::connection;
use crate::error::Outcome;
use crate::output::Out;

/// Options of `export`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Where it goes; a file of that name is replaced
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Read this data directory, whose server must not run, instead of asking a server
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

const EXAMPLES: &str = "Examples:
  golem-cli export golem.export                    (the server runs on)
  golem-cli export golem.export --data-dir ./data  (no server runs)

The file has everything: components, workers, logs, keys, promises, schedules, data, hashes of tokens. Keep it as safe as the
data directory.";

/// Writes the file.
pub(crate) fn run(args: &Args, global: &Global, out: &Out) -> Outcome {
    let export = match &args.data_dir {
        Some(dir) => golem_server::export_dir(dir, &args.file)?,
        None => {
            let mut from = connection::client(global)?.export_all()?;
            golem_server::save_export(&args.file, &mut from)?
        }
    };
    out.view(&export, |export| {
        format!("{}: {}\n", args.file.display(), contents(export))
    });
    Ok(())
}

/// What an export has in it, in a few words.
pub(super) fn contents(export: &Export) -> String {
    let totals = &export.totals;
    format!(
        "{} workers with {} entries, {} blobs, {} bytes",
        totals.workers, totals.entries, totals.blobs, totals.bytes
    )
}
