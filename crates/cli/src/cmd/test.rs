// SPDX-License-Identifier: Apache-2.0
//! THE DESK / test verb: runs the scenarios of a project in the real engine in this process: plainly, with a crash before and
//! after every commit, with every call delivered twice; or repeats a recorded history with the code that was just built.
//! In options, out one line per scenario. Never talks to a server. Read next: `test/report.rs`, `scenario.rs`,
//! crates/server/src/trial/. Why: docs/testing.md.

mod report;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use golem_model::{component::ComponentType, suggest};
use golem_server::CrashPoint;
use golem_server::trial::{Beginning, Code, Mode, NewFile, Project, Scenario, Trial, replay};
use golem_wit::bindgen::go::Style;

use self::report::{Crashes, Report, Row, Run};
use crate::{
    build::{self, BuildError, Options, Unit},
    error::{Failure, Outcome},
    exit,
    files::Files,
    manifest::{Component, ComponentKind, Manifest},
    output::Out,
    scenario::{ScenarioError, Stories, read},
};

const EXAMPLES: &str = "Examples:
  golem-cli test                                  build, then every scenario in tests/*.yaml in every mode
  golem-cli test --quick                          plainly only: nothing crashes, nothing is delivered twice
  golem-cli test tests/counter.yaml --scenario 'it counts' --crash-at before:17
  golem-cli test --replay w1.rec                  would the code that is here go on with this history?

Exit codes: 0 all scenarios went as they should, 4 some did not, 1 a scenario cannot be read or run,
  9 the build failed";

/// Options of `test`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Files of scenarios [default: tests/*.yaml beside golem.yaml, or beside wit/]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Only the scenario with this name
    #[arg(short, long, value_name = "NAME")]
    scenario: Option<String>,
    /// Only plainly
    #[arg(long, conflicts_with_all = ["crash_at_every_step", "duplicate", "crash_at"])]
    quick: bool,
    /// Plainly, then with a crash before and after every commit [default: this and `--duplicate`]
    #[arg(long)]
    crash_at_every_step: bool,
    /// Plainly, then with every call delivered twice [default: this and `--crash-at-every-step`]
    #[arg(long)]
    duplicate: bool,
    /// Plainly, then with a crash at this commit: `before:N` or `after:N`
    #[arg(long, value_name = "POINT", conflicts_with_all = ["crash_at_every_step", "duplicate"])]
    crash_at: Option<CrashPoint>,
    /// Repeat a history that `worker export` has written, instead of running scenarios
    #[arg(long, value_name = "FILE", conflicts_with_all = ["files", "scenario", "quick", "crash_at_every_step", "duplicate", "crash_at", "list"])]
    replay: Option<PathBuf>,
    /// With `--replay`: the component that repeats it [default: the one of the same name]
    #[arg(long, value_name = "NAME", requires = "replay")]
    component: Option<String>,
    /// What random bytes follow from: another seed, other bytes; the same seed, the same run
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Only say which scenarios there are
    #[arg(long)]
    list: bool,
    /// Take the components that are there
    #[arg(long)]
    no_build: bool,
    /// Forbid Go to fetch modules or toolchains
    #[arg(long)]
    offline: bool,
    /// The manifest [default: the outermost golem.yaml, here or above]
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["world", "style"])]
    app: Option<PathBuf>,
    /// Without golem.yaml: the world, when there are several
    #[arg(short, long, value_name = "NAME")]
    world: Option<String>,
    /// Without golem.yaml: the look of the bindings, `tiny-go` or `go` [default: tiny-go]
    #[arg(long, value_name = "STYLE")]
    style: Option<String>,
}

/// What is tested.
enum Source {
    /// The components of a manifest.
    Manifest(Manifest),
    /// The component of a directory.
    Single(Box<Unit>),
}

impl Source {
    fn find(args: &Args) -> Result<Self, Failure> {
        let style: Style = match &args.style {
            Some(style) => style.parse()?,
            None => Style::default(),
        };
        let single = args.world.is_some() || args.style.is_some();
        let manifest = if single {
            None
        } else {
            Manifest::discover(args.app.as_deref())?
        };
        Ok(match manifest {
            Some(manifest) => Self::Manifest(manifest),
            None => {
                let here = Path::new(".");
                let unit = build::of_directory(here, args.world.as_deref(), None, style)?;
                Self::Single(Box::new(unit))
            }
        })
    }

    /// The directory that paths in scenarios start from.
    fn root(&self) -> PathBuf {
        match self {
            Self::Manifest(manifest) => manifest.root().to_owned(),
            Self::Single(_) => PathBuf::from("."),
        }
    }

    fn names(&self) -> Vec<String> {
        match self {
            Self::Manifest(manifest) => {
                let components = manifest.components.iter();
                components.map(|component| component.name.clone()).collect()
            }
            Self::Single(unit) => vec![unit.name.clone()],
        }
    }

    fn build(&self, options: Options, out: &Out) -> Result<(), Failure> {
        match self {
            Self::Manifest(manifest) => build::of_manifest(manifest, &[], options, out).map(drop),
            Self::Single(unit) => build::build(unit, options, out).map(drop),
        }
    }

    fn codes(&self) -> Result<Vec<Code>, Failure> {
        let wasm = |name: &str, path: &Path| {
            std::fs::read(path).map_err(|source| unreadable(name, path, source))
        };
        let of_manifest = |component: &Component| {
            let files = Files::read(&component.files)?.into_each();
            Ok(Code {
                name: component.name.clone(),
                kind: match component.kind {
                    ComponentKind::Durable => ComponentType::Durable,
                    ComponentKind::Ephemeral => ComponentType::Ephemeral,
                },
                wasm: wasm(&component.name, component.artefact())?,
                files: files
                    .map(|(path, file)| NewFile {
                        path,
                        permissions: file.permissions,
                        content: file.content,
                    })
                    .collect(),
                capabilities: component.capabilities.clone(),
            })
        };
        match self {
            Self::Manifest(manifest) => manifest.components.iter().map(of_manifest).collect(),
            Self::Single(unit) => Ok(vec![Code {
                name: unit.name.clone(),
                kind: ComponentType::Durable,
                wasm: wasm(&unit.name, &unit.component_wasm)?,
                files: Vec::new(),
                capabilities: None,
            }]),
        }
    }
}

/// Builds, runs, tells.
pub(crate) fn run(args: Args, out: &Out) -> Outcome {
    let source = Source::find(&args)?;
    let stories = match &args.replay {
        Some(_) => Vec::new(),
        None => stories(&args, &source)?,
    };
    if args.list {
        let list = report::list(&stories);
        out.view(&list, |list| {
            list.iter().map(report::Listed::text).collect()
        });
        return Ok(());
    }
    if !args.no_build {
        let options = Options {
            debug: false,
            offline: args.offline,
        };
        source.build(options, out)?;
    }
    let codes = source.codes()?;
    match &args.replay {
        Some(file) => repeat(file, args.component.as_deref(), &codes, out),
        None => run_all(&args, &stories, &codes, out),
    }
}

/// The scenarios that are asked for.
fn stories(args: &Args, source: &Source) -> Result<Vec<Stories>, Failure> {
    let (root, names) = (source.root(), source.names());
    let dir = root.join("tests");
    let files = if args.files.is_empty() {
        found(&dir)
    } else {
        args.files.clone()
    };
    let mut stories = Vec::new();
    for file in &files {
        let shown = file.strip_prefix(".").unwrap_or(file).display().to_string();
        stories.push(read(file, &shown, &root, &names)?);
    }
    let all = || stories.iter().flat_map(|stories| &stories.scenarios);
    if all().next().is_none() {
        return Err(ScenarioError::None { dir }.into());
    }
    let Some(name) = &args.scenario else {
        return Ok(stories);
    };
    if !all().any(|scenario| scenario.name == *name) {
        let known: Vec<&str> = all().map(|scenario| scenario.name.as_str()).collect();
        let help = match suggest::closest(name, known.iter().copied()) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => "golem-cli test --list".to_owned(),
        };
        let name = name.clone();
        return Err(Failure::from(ScenarioError::Unknown { name, help }).with_exit(exit::NOT_FOUND));
    }
    for stories in &mut stories {
        stories.scenarios.retain(|scenario| scenario.name == *name);
    }
    stories.retain(|stories| !stories.scenarios.is_empty());
    Ok(stories)
}

/// The files of scenarios in a directory, by name; none when it is not there.
fn found(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let is_yaml = |path: &PathBuf| {
        path.extension()
            .is_some_and(|end| end == "yaml" || end == "yml")
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_yaml).collect();
    files.sort();
    files
}

fn run_all(args: &Args, stories: &[Stories], codes: &[Code], out: &Out) -> Outcome {
    let code_dir = code_dir();
    let mut projects: BTreeMap<_, Project> = BTreeMap::new();
    let mut rows = Vec::new();
    for stories in stories {
        for scenario in &stories.scenarios {
            let key = (scenario.begins_with.clone(), scenario.secrets.clone());
            if !projects.contains_key(&key) {
                let beginning = Beginning {
                    older: older(&scenario.begins_with)?,
                    secrets: scenario.secrets.clone(),
                };
                let project = Project::open(codes.to_vec(), &beginning, &code_dir, args.seed)?;
                projects.insert(key.clone(), project);
            }
            let Some(project) = projects.get(&key) else {
                continue;
            };
            let row = one(args, project, &stories.file, scenario)?;
            if out.is_text() {
                out.data(&row.text(out));
            }
            rows.push(row);
        }
    }
    let report = Report::new(rows);
    out.view(&report, Report::text);
    if report.failed == 0 {
        return Ok(());
    }
    let failed = ScenarioError::Failed {
        failed: report.failed,
        all: report.scenarios.len(),
    };
    Err(Failure::from(failed).with_exit(exit::GUEST))
}

/// A scenario in every mode that is asked for. What fails plainly is not tried further.
fn one(args: &Args, project: &Project, file: &str, scenario: &Scenario) -> Result<Row, Failure> {
    let plain = project.run(scenario, Mode::Plain, None)?;
    let mut row = Row::new(file, scenario, args.seed, &plain);
    if !row.passed || args.quick {
        return Ok(row);
    }
    let all = !args.crash_at_every_step && !args.duplicate;
    if let Some(point) = args.crash_at {
        let trial = project.run(scenario, Mode::Crash(point), Some(&plain))?;
        row.crashes = Some(Crashes::one(&trial));
        row.note(file, scenario, [&trial]);
        return Ok(row);
    }
    if all || args.crash_at_every_step {
        let everywhere = project.run_everywhere(scenario, &plain)?;
        row.crashes = Some(Crashes::of(&everywhere));
        row.note(file, scenario, &everywhere.failed);
    }
    if all || args.duplicate {
        let trial: Trial = project.run(scenario, Mode::Duplicate, Some(&plain))?;
        row.duplicates = Some(Run::of(&trial));
        row.note(file, scenario, [&trial]);
    }
    Ok(row)
}

/// The code that components of a scenario begin with.
fn older(files: &BTreeMap<String, PathBuf>) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let read = |(name, path): (&String, &PathBuf)| {
        let wasm = std::fs::read(path).map_err(|source| unreadable(name, path, source))?;
        Ok((name.clone(), wasm))
    };
    files.iter().map(read).collect()
}

/// Repeats a recorded history.
fn repeat(file: &Path, component: Option<&str>, codes: &[Code], out: &Out) -> Outcome {
    let bytes = std::fs::read(file).map_err(|source| ScenarioError::Read {
        path: file.to_owned(),
        source,
    })?;
    let found = replay(&bytes, codes, component, &code_dir())?;
    let shown = report::Replayed::of(&found);
    out.view(&shown, report::Replayed::text);
    match found.diverged.or(found.failed) {
        None => Ok(()),
        Some(report) => {
            let worker = found.worker;
            let failed = ScenarioError::Replay { worker, report };
            Err(Failure::from(failed).with_exit(exit::GUEST))
        }
    }
}

fn unreadable(component: &str, path: &Path, source: io::Error) -> Failure {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::NotFound => BuildError::NotBuilt {
            component: component.to_owned(),
            path,
        },
        _ => BuildError::Io {
            action: "read",
            path,
            source,
        },
    }
    .failure()
}

/// Where compiled code is kept between runs: among what belongs to the user and to nobody else, never in a project, because
/// what lies there is run. `$XDG_CACHE_HOME`, else `~/.cache`, else a directory of this run alone.
fn code_dir() -> PathBuf {
    let absolute = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .unwrap_or_else(|| {
            std::env::temp_dir().join(format!("golem-test-{}", uuid::Uuid::new_v4()))
        })
        .join("golem/test-code")
}
