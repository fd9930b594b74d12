// SPDX-License-Identifier: Apache-2.0
//! THE DESK / build verb: builds the component of this directory, or the components of the manifest. In options, out files.
//! Never uploads. Read next: `build.rs`. Why: client specification §5; Go guests §10.

use std::path::{Path, PathBuf};

use golem_wit::bindgen::go::Style;

use crate::{
    build::{self, Options},
    error::Outcome,
    manifest::Manifest,
    output::Out,
};

const EXAMPLES: &str = "Examples:
  golem-cli build                              all components of golem.yaml, or the one of this directory
  golem-cli build component-one                one component of golem.yaml
  golem-cli build --module component1.module.wasm --output component1.wasm

Environment: GOLEM_GO names the Go to use instead of `go` in PATH.";

/// Options of `build`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Components of golem.yaml [default: all]
    #[arg(value_name = "COMPONENT")]
    components: Vec<String>,
    /// The manifest [default: the outermost golem.yaml, here or above]
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["module", "output", "world", "style"])]
    app: Option<PathBuf>,
    /// Keep symbols and debug information
    #[arg(long)]
    debug: bool,
    /// Forbid Go to fetch modules or toolchains
    #[arg(long)]
    offline: bool,
    /// Without golem.yaml: encode this core module instead of compiling
    #[arg(long, value_name = "FILE", conflicts_with = "components")]
    module: Option<PathBuf>,
    /// Without golem.yaml: where the component goes [default: the world in snake_case, with .wasm]
    #[arg(short, long, value_name = "FILE", conflicts_with = "components")]
    output: Option<PathBuf>,
    /// Without golem.yaml: the world, when there are several
    #[arg(short, long, value_name = "NAME", conflicts_with = "components")]
    world: Option<String>,
    /// Without golem.yaml: the look of the bindings, `tiny-go` or `go` [default: tiny-go]
    #[arg(long, value_name = "STYLE", conflicts_with_all = ["components", "module"])]
    style: Option<String>,
}

/// Builds and shows what came out.
pub(crate) fn run(args: Args, out: &Out) -> Outcome {
    let options = Options {
        debug: args.debug,
        offline: args.offline,
    };
    let style: Style = match &args.style {
        Some(style) => style.parse()?,
        None => Style::default(),
    };
    let single = args.module.is_some()
        || args.output.is_some()
        || args.world.is_some()
        || args.style.is_some();
    let manifest = if single {
        None
    } else {
        Manifest::discover(args.app.as_deref())?
    };
    let summaries = match manifest {
        Some(manifest) => build::of_manifest(&manifest, &args.components, options, out)?,
        None if !args.components.is_empty() => {
            // Names have a meaning only with a manifest; this says that there is none.
            Manifest::required(None)?;
            Vec::new()
        }
        None => {
            let unit = build::of_directory(
                Path::new("."),
                args.world.as_deref(),
                args.output.as_deref(),
                style,
            )?;
            vec![match &args.module {
                Some(module) => build::build_from_module(&unit, module, out)?,
                None => build::build(&unit, options, out)?,
            }]
        }
    };
    out.view(&summaries, |list| {
        list.iter().map(build::Summary::text).collect()
    });
    Ok(())
}
