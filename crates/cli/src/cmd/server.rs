// SPDX-License-Identifier: Apache-2.0
//! THE DESK / server: runs the whole platform in this process. In options, out a server until Ctrl-C.
//! Never knows how the server works. Read next: crates/server/src/lib.rs.

use std::{net::IpAddr, path::PathBuf};

use crate::{
    error::{Failure, Outcome},
    exit,
    output::Out,
};

/// Options of `server`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  golem-cli server run --data-dir ./data")]
pub(crate) struct Args {
    /// What to do with the server.
    #[command(subcommand)]
    verb: Verb,
}

/// What to do with the server.
#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Run a server until Ctrl-C
    Run(Run),
}

/// Options of `server run`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  golem-cli server run --data-dir ./data --port 9881")]
struct Run {
    /// Where components, workers and their oplogs are kept [default: $XDG_STATE_HOME/golem, else ~/.local/state/golem]
    #[arg(long, value_name = "DIR", env = "GOLEM_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// The port of the REST API
    #[arg(long, default_value_t = 9881)]
    port: u16,
    /// The address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
    /// Empty the data directory first
    #[arg(long)]
    clean: bool,
}

/// Runs the server.
pub(crate) fn run(args: Args, _out: &Out) -> Outcome {
    let Verb::Run(_run) = args.verb;
    Err(Failure::new(
        golem_model::Problem {
            code: "CLI-000".to_owned(),
            message: "`server` is not there yet".to_owned(),
            hint: None,
        },
        exit::GENERIC,
    ))
}
