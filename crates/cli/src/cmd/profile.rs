// SPDX-License-Identifier: Apache-2.0
//! THE DESK / profile: keeps the addresses of servers under names.

use crate::{
    args::Global,
    error::{Failure, Outcome},
    exit,
    output::Out,
};

/// Options of `profile`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  golem-cli profile")]
pub(crate) struct Args {}

/// Runs the verb.
pub(crate) fn run(_args: Args, _global: &Global, _out: &Out) -> Outcome {
    Err(Failure::new(
        golem_model::Problem {
            code: "CLI-000".to_owned(),
            message: "`profile` is not there yet".to_owned(),
            hint: None,
        },
        exit::GENERIC,
    ))
}
