// SPDX-License-Identifier: Apache-2.0
//! THE DESK / completion: prints the completion script of a shell. In a shell's name, out a script on standard output.
//! Never installs it.

use clap::CommandFactory as _;

use crate::{error::Outcome, output::Out};

/// Options of `completion`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  golem-cli completion --generate bash > ~/.local/share/bash-completion/completions/golem-cli"
)]
pub(crate) struct Args {
    /// The shell
    #[arg(long, value_enum)]
    generate: clap_complete::Shell,
}

/// Prints the script.
pub(crate) fn run(args: &Args, out: &Out) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(
        args.generate,
        &mut crate::args::Args::command(),
        "golem-cli",
        &mut script,
    );
    out.data(&String::from_utf8_lossy(&script));
    Ok(())
}
