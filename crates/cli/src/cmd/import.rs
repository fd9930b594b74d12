// SPDX-License-Identifier: Apache-2.0
//! THE DESK / import: a file of `export` into a server that has nothing yet. In a file, out a server that goes on where the other one
//! was. Read next: `export.rs`, golem-server `import.rs`.

use std::fs::File;
use std::path::PathBuf;

use golem_server::ExportError;

use super::export::contents;
use crate::args::Global;
use crate::connection;
use crate::error::{Failure, Outcome};
use crate::exit;
use crate::output::Out;

/// Options of `import`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// A file that `export` has written
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Write into this data directory, whose server must not run, instead of giving the file to a server; made if it is not there
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

const EXAMPLES: &str = "Examples:
  golem-cli import golem.export                        (into a running server that has nothing yet)
  golem-cli import golem.export --data-dir ./new-data  (no server runs)

The workers go on where they were. Do not let the server that wrote the file go on as well: both would do the same work.";

/// Imports.
pub(crate) fn run(args: &Args, global: &Global, out: &Out) -> Outcome {
    let export = match &args.data_dir {
        Some(dir) => golem_server::import_dir(&args.file, dir).map_err(|error| {
            let full = matches!(
                error,
                golem_server::ServeError::Export(ExportError::NotEmpty { .. })
            );
            let failure = Failure::from(error);
            if full {
                failure.with_exit(exit::CONFLICT)
            } else {
                failure
            }
        })?,
        None => {
            let client = connection::client(global)?;
            // Both are looked at before anything is sent: a refusal in the middle of a file is hard to hear.
            golem_server::check_export(&args.file)?;
            let readiness = client.import_readiness()?;
            if let Some(what) = readiness.found {
                let full = ExportError::NotEmpty { what };
                return Err(Failure::from(full).with_exit(exit::CONFLICT));
            }
            let file = File::open(&args.file).map_err(ExportError::Read)?;
            client.import_all(file)?
        }
    };
    out.view(&export, |export| format!("Imported {}\n", contents(export)));
    Ok(())
}
