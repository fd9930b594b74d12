// SPDX-License-Identifier: Apache-2.0
//! THE DESK / list_examples: lists the templates.

use crate::{
    error::{Failure, Outcome},
    exit,
    output::Out,
};

/// Options of `list_examples`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  golem-cli list_examples")]
pub(crate) struct Args {}

/// Runs the verb.
pub(crate) fn run(_args: &Args, _out: &Out) -> Outcome {
    Err(Failure::new(
        golem_model::Problem {
            code: "CLI-000".to_owned(),
            message: "`list_examples` is not there yet".to_owned(),
            hint: None,
        },
        exit::GENERIC,
    ))
}
