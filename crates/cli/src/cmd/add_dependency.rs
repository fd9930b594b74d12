// SPDX-License-Identifier: Apache-2.0
//! THE DESK / add-dependency: lets one component call another one: stub, `wit/deps`, the import in the world, golem.yaml. In two
//! names or directories, out changed files, all or none. Never changes the target, never builds it.
//! Read next: crates/wit/src/deps/dependency.rs, `manifest/edit.rs`. Why: client specification §8.4.

use std::path::{Path, PathBuf};

use golem_model::Coded;
use golem_wit::{
    deps::{self, DependencyRequest},
    stub::Flavour,
};
use serde::Serialize;

use crate::{
    build::{self, short},
    error::{Failure, Outcome},
    exit,
    manifest::{self, Component, Manifest, ManifestError},
    output::Out,
};

/// Options of `add-dependency`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  golem-cli add-dependency stock                  in a project, in the directory of the component that calls
  golem-cli add-dependency stock --to shop        anywhere in a project
  golem-cli add-dependency ../component2          without golem.yaml, in the directory of the component that calls

Run it again after the target's interface has changed: `golem-cli build` does it by itself in a project.")]
pub(crate) struct Args {
    /// The component that is called: its name in golem.yaml, or its directory
    #[arg(value_name = "TARGET")]
    target: String,
    /// The component that calls: its name in golem.yaml, or its directory [default: the one of this directory]
    #[arg(long, visible_alias = "caller", value_name = "CALLER")]
    to: Option<String>,
    /// Let calls that fail return a typed error instead of ending the caller
    #[arg(long)]
    error_results: bool,
    /// Without golem.yaml: the world of the component that calls, when it has several
    #[arg(long, value_name = "NAME")]
    world: Option<String>,
    /// Without golem.yaml: the world of the target, when it has several
    #[arg(long, value_name = "NAME")]
    target_world: Option<String>,
    /// Say what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// The manifest [default: the outermost golem.yaml, here or above]
    #[arg(short, long, value_name = "FILE")]
    app: Option<PathBuf>,
}

/// Why it is not clear who calls whom.
#[derive(Debug, thiserror::Error)]
enum DependencyError {
    /// No component of the manifest is meant.
    #[error("it is not clear which component shall call `{target}`: this directory belongs to none, and there are {}", names.join(", "))]
    NoCaller {
        /// The component that is called.
        target: String,
        /// The components that could call it.
        names: Vec<String>,
    },
    /// Neither a component nor a directory with WIT.
    #[error("`{}` is no component: there is no directory `wit` in it", path.display())]
    NotAComponent {
        /// As given.
        path: PathBuf,
    },
}

impl Coded for DependencyError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoCaller { .. } => "CLI-030",
            Self::NotAComponent { .. } => "CLI-031",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoCaller { target, names } => {
                let first = names.first().map_or("NAME", String::as_str);
                format!("name it: golem-cli add-dependency {target} --to {first}")
            }
            Self::NotAComponent { .. } => {
                "give the directory of a component, which has a directory `wit`; or make one: golem-cli new NAME --lang go".to_owned()
            }
        })
    }
}

/// What was done.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    caller: String,
    target: String,
    stub: String,
    import: String,
    changed: Vec<PathBuf>,
    dry_run: bool,
}

/// Both ends of the dependency, and where its stub goes.
struct Plan {
    caller: End,
    target: End,
    stub_dir: PathBuf,
    flavour: Flavour,
    also: Vec<(PathBuf, String)>,
}

struct End {
    name: String,
    wit: PathBuf,
    world: Option<String>,
}

/// Adds the dependency, or says that it is there already.
pub(crate) fn run(args: &Args, out: &Out) -> Outcome {
    let plan = match Manifest::discover(args.app.as_deref())? {
        Some(manifest) => in_project(&manifest, args)?,
        None => of_directories(args)?,
    };
    let done = deps::add_dependency(DependencyRequest {
        target_wit_root: &plan.target.wit,
        target_world: plan.target.world.as_deref(),
        caller_wit_root: &plan.caller.wit,
        caller_world: plan.caller.world.as_deref(),
        flavour: plan.flavour,
        stub_wit_root: &plan.stub_dir.join("wit"),
        stub_wasm: &plan.stub_dir.join("stub.wasm"),
        also: &plan.also,
        dry_run: args.dry_run,
    })?;
    for note in done.notes.iter().chain(&done.report.warnings) {
        out.warn(note);
    }
    let (wrote, removed) = if args.dry_run {
        ("would write", "would remove")
    } else {
        ("wrote", "removed")
    };
    for path in &done.written {
        out.note(&format!("{wrote} {}", short(path)));
    }
    for path in &done.removed {
        out.note(&format!("{removed} {}", short(path)));
    }
    let row = Row {
        caller: plan.caller.name,
        target: plan.target.name,
        stub: done.report.stub,
        import: done.report.import,
        changed: done.written.into_iter().chain(done.removed).collect(),
        dry_run: args.dry_run,
    };
    out.view(&row, text);
    Ok(())
}

fn text(row: &Row) -> String {
    let Row { caller, target, .. } = row;
    match (row.changed.is_empty(), row.dry_run) {
        (true, _) => format!(
            "unchanged: {caller} depends on {target} already, and the stub is as new as its target\n"
        ),
        (false, true) => format!("{caller} would depend on {target}; nothing is changed yet\n"),
        (false, false) => {
            format!(
                "{caller} depends on {target} now; `golem-cli build` makes the bindings of {}\n",
                row.stub
            )
        }
    }
}

/// Both are components of the manifest.
fn in_project(manifest: &Manifest, args: &Args) -> Result<Plan, Failure> {
    let target = component(manifest, &args.target)?;
    let caller = match &args.to {
        Some(to) => component(manifest, to)?,
        None => caller(manifest, target)?,
    };
    let text = std::fs::read_to_string(&manifest.file).map_err(|source| ManifestError::Read {
        path: manifest.file.clone(),
        source,
    })?;
    let edited = manifest::with_call(
        manifest,
        &text,
        &caller.name,
        &target.name,
        args.error_results,
    )?;
    let typed = args.error_results || caller.error_results.contains(&target.name);
    let flavour = flavour(typed);
    Ok(Plan {
        stub_dir: build::stub_dir(manifest, &target.name, flavour),
        caller: end(caller),
        target: end(target),
        flavour,
        also: edited
            .map(|text| (manifest.file.clone(), text))
            .into_iter()
            .collect(),
    })
}

const fn flavour(typed: bool) -> Flavour {
    if typed {
        Flavour::ErrorResults
    } else {
        Flavour::Trapping
    }
}

fn end(component: &Component) -> End {
    End {
        name: component.name.clone(),
        wit: component.wit.clone(),
        world: component.world.clone(),
    }
}

/// The component with this name or in this directory. Errors: `UnknownComponent`.
fn component<'a>(manifest: &'a Manifest, word: &str) -> Result<&'a Component, Failure> {
    if let Some(known) = manifest.component(word) {
        return Ok(known);
    }
    let here = Path::new(word).canonicalize().ok();
    let of = |component: &&Component| {
        let places = [
            Some(component.dir.as_path()),
            Some(component.wit.as_path()),
            component.wit.parent(),
        ];
        here.is_some()
            && places
                .into_iter()
                .flatten()
                .any(|dir| dir.canonicalize().ok() == here)
    };
    match manifest.components.iter().find(of) {
        Some(known) => Ok(known),
        // This cannot succeed; it makes the error with the names that there are.
        None => manifest
            .select(&[word.to_owned()])?
            .first()
            .copied()
            .ok_or_else(|| {
                DependencyError::NotAComponent {
                    path: PathBuf::from(word),
                }
                .into()
            }),
    }
}

/// The component of the current directory, else the only other one.
fn caller<'a>(manifest: &'a Manifest, target: &Component) -> Result<&'a Component, Failure> {
    if let Some(component) = manifest.here() {
        return Ok(component);
    }
    let others: Vec<&Component> = manifest
        .components
        .iter()
        .filter(|component| component.name != target.name)
        .collect();
    match others.as_slice() {
        [only] => Ok(only),
        _ => Err(Failure::from(DependencyError::NoCaller {
            target: target.name.clone(),
            names: others
                .iter()
                .map(|component| component.name.clone())
                .collect(),
        })
        .with_exit(exit::USAGE)),
    }
}

/// Two directories, each with a directory `wit`.
fn of_directories(args: &Args) -> Result<Plan, Failure> {
    let dir = |word: &str, world: &Option<String>| {
        let path = PathBuf::from(word);
        let wit = path.join("wit");
        if !wit.is_dir() {
            return Err(
                Failure::from(DependencyError::NotAComponent { path }).with_exit(exit::NOT_FOUND)
            );
        }
        let full = path.canonicalize().unwrap_or_else(|_| path.clone());
        let name = full.file_name().map_or_else(
            || word.to_owned(),
            |name| name.to_string_lossy().into_owned(),
        );
        let end = End {
            name,
            wit,
            world: world.clone(),
        };
        Ok((path, end))
    };
    let (_, target) = dir(&args.target, &args.target_world)?;
    let (root, caller) = dir(args.to.as_deref().unwrap_or("."), &args.world)?;
    Ok(Plan {
        stub_dir: root.join("target").join("stub").join(&target.name),
        flavour: flavour(args.error_results),
        caller,
        target,
        also: Vec::new(),
    })
}
