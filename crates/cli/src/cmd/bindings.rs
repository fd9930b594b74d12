// SPDX-License-Identifier: Apache-2.0
//! THE DESK / bindings: generates source files that let a guest speak a WIT world. In WIT, out Go files.
//! Never compiles them. Read next: crates/wit/src/bindgen/mod.rs. Why: client specification §2.6; `wit-bindgen tiny-go`.

use std::path::PathBuf;

use golem_wit::bindgen::go::Style;

use crate::{build, error::Outcome, output::Out};

/// Options of `bindings`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  golem-cli bindings go --world component1 --out-dir component1 ./wit"
)]
pub(crate) struct Args {
    /// The language.
    #[command(subcommand)]
    language: Language,
}

/// The languages.
#[derive(Debug, clap::Subcommand)]
enum Language {
    /// Bindings for Go, for the stock compiler
    Go(Go),
}

/// Options of `bindings go`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  golem-cli bindings go --world component1 --out-dir component1 ./wit"
)]
struct Go {
    /// The look of the API: `tiny-go` (names of the generator of that name), or `go` (a package per interface, errors,
    /// contexts, futures)
    #[arg(long, default_value = "tiny-go")]
    style: String,
    /// The world, when there are several
    #[arg(short, long, value_name = "NAME")]
    world: Option<String>,
    /// Where the bindings go; must lie in a Go module [default: the world in snake_case; for style `go` internal/golem]
    #[arg(long, value_name = "DIR")]
    out_dir: Option<PathBuf>,
    /// The name of the Go package, instead of the world's
    #[arg(long, value_name = "NAME")]
    rename_package: Option<String>,
    /// The directory with the WIT
    #[arg(value_name = "WIT_DIR", default_value = "wit")]
    wit: PathBuf,
}

/// Writes the bindings.
pub(crate) fn run(args: Args, out: &Out) -> Outcome {
    let Language::Go(go) = args.language;
    let style: Style = go.style.parse()?;
    let made = build::bindings(&build::Bindings {
        wit: &go.wit,
        world: go.world.as_deref(),
        out_dir: go.out_dir.as_deref(),
        package: go.rename_package.as_deref(),
        style,
    })?;
    for warning in &made.warnings {
        out.warn(warning);
    }
    for path in &made.written {
        out.note(&format!("wrote {}", build::short(path)));
    }
    let value =
        serde_json::json!({ "package": made.package, "dir": made.dir, "written": made.written });
    out.view(&value, |_| {
        format!("bindings of `{}` are in {}", made.world, made.dir.display())
    });
    Ok(())
}
