// SPDX-License-Identifier: Apache-2.0
//! THE DESK / new: makes a component from a template.

use crate::{
    error::{Failure, Outcome},
    exit,
    output::Out,
};

/// Options of `new`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  golem-cli new")]
pub(crate) struct Args {}

/// Runs the verb.
pub(crate) fn run(_args: Args, _out: &Out) -> Outcome {
    Err(Failure::new(
        golem_model::Problem {
            code: "CLI-000".to_owned(),
            message: "`new` is not there yet".to_owned(),
            hint: None,
        },
        exit::GENERIC,
    ))
}
