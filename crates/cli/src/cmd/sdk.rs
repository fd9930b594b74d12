// SPDX-License-Identifier: Apache-2.0
//! THE DESK / sdk: puts the Go SDK into a project that exists, or refreshes it. In a directory, out files.
//! Never needs a network. Read next: `../sdk.rs`. Why: docs/adr/0010-go-sdk.md.

use std::path::PathBuf;

use golem_wit::bindgen::locate_module;

use crate::{build, error::Outcome, output::Out, sdk};

/// Options of `sdk`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  golem-cli sdk add")]
pub(crate) struct Args {
    /// What to do.
    #[command(subcommand)]
    verb: Verb,
}

/// What can be done with the SDK.
#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Write the SDK of this golem-cli into third_party/golem-go of a Go module, and require it in go.mod
    Add(Add),
}

/// Options of `sdk add`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  golem-cli sdk add\n  golem-cli sdk add ./my-project   # again after golem-cli was updated"
)]
struct Add {
    /// A directory of the Go module
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

/// Does it.
pub(crate) fn run(args: Args, out: &Out) -> Outcome {
    let Verb::Add(add) = args.verb;
    let module = locate_module(&add.dir)?;
    let added = sdk::add(&module)?;
    let dir = module.root.join(sdk::DIR);
    let value = serde_json::json!({
        "module": module.path, "dir": dir, "filesChanged": added.files, "goModChanged": added.go_mod,
    });
    out.view(&value, |_| {
        let what = match (added.files, added.go_mod) {
            (true, true) => "wrote the Go SDK, and go.mod requires it",
            (true, false) => "refreshed the Go SDK",
            (false, true) => "the Go SDK was there; go.mod requires it now",
            (false, false) => "the Go SDK is up to date",
        };
        format!("{what}: {}", build::short(&dir))
    });
    Ok(())
}
