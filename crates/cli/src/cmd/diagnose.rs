// SPDX-License-Identifier: Apache-2.0
//! THE DESK / diagnose: checks the tools.

use crate::{
    error::{Failure, Outcome},
    exit,
    output::Out,
};

/// Options of `diagnose`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  golem-cli diagnose")]
pub(crate) struct Args {}

/// Runs the verb.
pub(crate) fn run(_args: &Args, _out: &Out) -> Outcome {
    Err(Failure::new(
        golem_model::Problem {
            code: "CLI-000".to_owned(),
            message: "`diagnose` is not there yet".to_owned(),
            hint: None,
        },
        exit::GENERIC,
    ))
}
