// SPDX-License-Identifier: Apache-2.0
//! THE DESK / app: the verbs of Golem 1.1 for a project: build it, and take away what builds make. In a manifest, out files, or
//! fewer of them. The same build as `golem-cli build`. Read next: `build.rs`. Source: client spec §5.2.

use std::path::{Path, PathBuf};

use golem_model::{Coded, suggest};
use serde::Serialize;

use super::classic::classic;
use crate::build::{self, Options};
use crate::error::{Failure, Outcome};
use crate::exit;
use crate::manifest::Manifest;
use crate::output::Out;

const EXAMPLES: &str = "Examples:
  golem-cli app build
  golem-cli app clean

Exit codes of this command: 0 ok, 1 failed, 2 wrong command line";

/// Options of `app`.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true, after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The manifest [default: the outermost golem.yaml, here or above]
    #[arg(short, long, value_name = "FILE", global = true)]
    app: Option<PathBuf>,
    /// `debug` keeps symbols and debug information
    #[arg(short, long, value_name = "NAME", global = true)]
    build_profile: Option<String>,
    /// Forbid Go to fetch modules or toolchains
    #[arg(short, long, global = true)]
    offline: bool,
    /// What to do with the project.
    #[command(subcommand)]
    verb: Verb,
}

/// What to do with the project.
#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Build all components of the manifest
    #[command(after_help = "Example:\n  golem-cli app build")]
    Build(Build),
    /// Take away what builds have made: the directory `tempDir` of the manifest
    #[command(after_help = "Example:\n  golem-cli app clean")]
    Clean,
    /// A command that the manifest names; those of this version have none
    #[command(external_subcommand)]
    Custom(Vec<String>),
}

/// Options of `app build`.
#[derive(Debug, clap::Args)]
struct Build {
    /// Kept for scripts of version 1.1: a build does all steps, and each of them leaves alone what is up to date
    #[arg(short, long, value_name = "STEP", value_parser = ["gen-rpc", "componentize", "link-rpc"])]
    step: Vec<String>,
    /// Kept for scripts of version 1.1: Go decides what is up to date
    #[arg(short, long)]
    force_build: bool,
}

/// Errors of projects.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AppError {
    /// Manifests of this version have no commands of their own.
    #[error("`{name}` is neither `build` nor `clean`, and manifests have no other commands")]
    NoCommand {
        /// The word.
        name: String,
        /// The command that was perhaps meant.
        suggestion: Option<String>,
    },
    /// `tempDir` holds something that cannot be made again.
    #[error("`{dir}` (tempDir of `{manifest}`) holds `{source_path}`, which no build makes")]
    Precious {
        /// The directory.
        dir: String,
        /// The manifest.
        manifest: String,
        /// What is in it.
        source_path: String,
    },
    /// The directory cannot be taken away.
    #[error("cannot take `{dir}` away")]
    Remove {
        /// The directory.
        dir: String,
        /// Why.
        source: std::io::Error,
    },
}

impl Coded for AppError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoCommand { .. } => "CLI-060",
            Self::Precious { .. } => "CLI-061",
            Self::Remove { .. } => "CLI-062",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoCommand {
                suggestion: Some(name),
                ..
            } => format!("did you mean `golem-cli app {name}`?"),
            Self::NoCommand { name, .. } => {
                format!("write it as a rule of a Makefile and run: make {name}")
            }
            Self::Precious { .. } => "name a directory of its own: tempDir: target".to_owned(),
            Self::Remove { dir, .. } => format!("check the permissions: ls -ld {dir}"),
        })
    }
}

/// What was taken away.
#[derive(Debug, Serialize)]
struct Cleaned {
    /// The directory, if it was there.
    removed: Option<PathBuf>,
}

/// Runs the verb.
pub(crate) fn run(args: &Args, out: &Out) -> Outcome {
    classic(match &args.verb {
        Verb::Build(build) => self::build(args, build, out),
        Verb::Clean => clean(args, out),
        Verb::Custom(words) => {
            let name = words.first().cloned().unwrap_or_default();
            let suggestion = suggest::closest(&name, ["build", "clean"]).map(str::to_owned);
            Err(Failure::from(AppError::NoCommand { name, suggestion }).with_exit(exit::USAGE))
        }
    })
}

fn build(args: &Args, build: &Build, out: &Out) -> Outcome {
    if !build.step.is_empty() || build.force_build {
        out.note("a build does all steps: --step and --force-build have no effect");
    }
    let options = Options {
        debug: args.build_profile.as_deref() == Some("debug"),
        offline: args.offline,
    };
    let manifest = Manifest::required(args.app.as_deref())?;
    let summaries = build::of_manifest(&manifest, &[], options, out)?;
    out.view(&summaries, |list| {
        list.iter().map(build::Summary::text).collect()
    });
    Ok(())
}

fn clean(args: &Args, out: &Out) -> Outcome {
    let manifest = Manifest::required(args.app.as_deref())?;
    let dir = manifest.temp_dir.clone();
    if let Some(source) = precious(&manifest, &dir) {
        return Err(AppError::Precious {
            dir: dir.display().to_string(),
            manifest: manifest.file.display().to_string(),
            source_path: source.display().to_string(),
        }
        .into());
    }
    let removed = match std::fs::remove_dir_all(&dir) {
        Ok(()) => Some(dir),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(source) => {
            return Err(AppError::Remove {
                dir: dir.display().to_string(),
                source,
            }
            .into());
        }
    };
    out.view(&Cleaned { removed }, |cleaned| match &cleaned.removed {
        Some(dir) => format!("Removed {}", dir.display()),
        None => "Nothing to remove".to_owned(),
    });
    Ok(())
}

/// What is in `dir` and no build makes: the manifest, WIT, code.
fn precious(manifest: &Manifest, dir: &Path) -> Option<PathBuf> {
    let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let dir = whole(dir);
    let sources = manifest
        .components
        .iter()
        .flat_map(|component| [component.wit.clone(), component.dir.clone()]);
    std::iter::once(manifest.file.clone())
        .chain(sources)
        .find(|path| {
            whole(path)
                .components()
                .collect::<PathBuf>()
                .starts_with(&dir)
        })
}
