// SPDX-License-Identifier: Apache-2.0
//! THE DESK / build: builds the component of this directory or of the manifest.

use crate::{
    error::{Failure, Outcome},
    exit,
    output::Out,
};

/// Options of `build`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  golem-cli build")]
pub(crate) struct Args {}

/// Runs the verb.
pub(crate) fn run(_args: Args, _out: &Out) -> Outcome {
    Err(Failure::new(
        golem_model::Problem {
            code: "CLI-000".to_owned(),
            message: "`build` is not there yet".to_owned(),
            hint: None,
        },
        exit::GENERIC,
    ))
}
