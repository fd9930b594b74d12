// SPDX-License-Identifier: Apache-2.0
//! THE DESK / get: shows what a URN or URL names.

use crate::{
    args::Global,
    error::{Failure, Outcome},
    exit,
    output::Out,
};

/// Options of `get`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  golem-cli get")]
pub(crate) struct Args {}

/// Runs the verb.
pub(crate) async fn run(_args: Args, _global: &Global, _out: &Out) -> Outcome {
    Err(Failure::new(
        golem_model::Problem {
            code: "CLI-000".to_owned(),
            message: "`get` is not there yet".to_owned(),
            hint: None,
        },
        exit::GENERIC,
    ))
}
