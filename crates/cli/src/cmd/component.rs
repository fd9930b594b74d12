// SPDX-License-Identifier: Apache-2.0
//! THE DESK / component: uploads, lists and shows components. In options and a file, out views of what the server keeps.
//! Never builds. Read next: `client.rs`, `view/component.rs`. Source: client spec §6.2.

mod diff;
mod redeploy;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use golem_client::{Client, Code, ErrorKind, PackedFiles};
use golem_model::component::{Component, ComponentType, Uploaded};
use golem_model::urn::ComponentRef;
use golem_model::{Coded, ComponentVersion};

use super::classic::classic;
use super::plugin;
use super::refs::ComponentArgs;
use super::worker::{UpdateMode, update_workers};
use crate::args::Global;
use crate::connection;
use crate::error::{Failure, Outcome};
use crate::exit;
use crate::files::{Files, Source};
use crate::manifest::{ComponentKind, Manifest};
use crate::output::{Answer, Out};
use crate::view::{ComponentView, TriedUpdates, component_table};

/// Options of `component`.
#[derive(Debug, clap::Args)]
#[command(after_help = concat!("Example:\n  golem-cli component add --component-name counter counter.wasm\n\n",
    "Exit codes of this command: 0 ok, 1 failed, 2 wrong command line"))]
pub(crate) struct Args {
    /// What to do with components.
    #[command(subcommand)]
    verb: Verb,
}

/// What to do with components.
#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Upload a new component
    #[command(visible_alias = "create", after_help = ADD)]
    Add(Add),
    /// Upload a new version of a component
    #[command(after_help = UPDATE)]
    Update(Update),
    /// List components
    #[command(visible_alias = "ls", after_help = LIST)]
    List(List),
    /// Bring every worker that runs an older version to the newest one
    #[command(after_help = TRY_UPDATE)]
    TryUpdateWorkers(TryUpdateWorkers),
    /// Show a component: the newest version, or one of them
    #[command(after_help = GET)]
    Get(Get),
    /// Compare two versions, or a file with a version: exports and imports, and whether callers break
    #[command(after_help = DIFF)]
    Diff(diff::Args),
    /// Delete all workers and create them again, with their arguments and environment and without their state
    #[command(after_help = REDEPLOY)]
    Redeploy(redeploy::Args),
    /// Attach a plugin to the newest version of a component
    #[command(after_help = INSTALL)]
    InstallPlugin(plugin::Install),
    /// List the plugins of a component
    #[command(after_help = INSTALLATIONS)]
    GetInstallations(plugin::Installations),
    /// Take a plugin from the newest version of a component
    #[command(after_help = UNINSTALL)]
    UninstallPlugin(plugin::Uninstall),
}

const ADD: &str = "Examples:
  golem-cli component add --component-name counter counter.wasm
  golem-cli component add --component-name counter --non-interactive counter.wasm   # or update it
  golem-cli component add --component-name counter     # the file that golem.yaml names
  golem-cli component add --component-name counter --files assets:/data counter.wasm

Exit codes of this command: 0 ok, 1 failed, 2 wrong command line";
const UPDATE: &str = "Example:
  golem-cli component update --component-name counter counter.wasm

Exit codes of this command: 0 ok, 1 failed, 2 wrong command line";
const TRY_UPDATE: &str = "Example:
  golem-cli component try-update-workers --component-name counter

Exit codes of this command: 0 ok, 1 failed, 2 wrong command line";
const LIST: &str = "Example:
  golem-cli component list

Exit codes of this command: 0 ok, 1 failed, 2 wrong command line";
const GET: &str = "Example:
  golem-cli --format json component get --component-name counter

Exit codes of this command: 0 ok, 1 failed, 2 wrong command line";

const DIFF: &str = "Examples:
  golem-cli component diff --component-name counter
  golem-cli component diff --component-name counter --from 0 --to 2
  golem-cli component diff --component-name counter --check target/components/counter.wasm

Exit codes: 3 no such component or version, 7 nothing to compare with, or with --check: callers break";
const REDEPLOY: &str = "Example:
  golem-cli component redeploy --component-name counter --yes

Exit codes of this command: 0 ok, 1 failed, 2 wrong command line";
const INSTALL: &str = "Example:
  golem-cli component install-plugin --component-name counter --plugin-name trace --plugin-version 1.0.0 --priority 1

Exit codes of this command: 0 ok, 1 failed, 2 wrong command line";
const INSTALLATIONS: &str = "Example:
  golem-cli component get-installations --component-name counter

Exit codes of this command: 0 ok, 1 failed, 2 wrong command line";
const UNINSTALL: &str = "Example:
  golem-cli component uninstall-plugin --component-name counter --installation-id 8e0b4b8c-14a8-4b6e-9d3f-0123456789ab

Exit codes of this command: 0 ok, 1 failed, 2 wrong command line";

/// Where the wasm comes from, and how the upload behaves.
#[derive(Debug, clap::Args)]
struct Upload {
    /// The component; `-` is standard input, none is the file that the manifest names
    #[arg(value_name = "FILE", conflicts_with_all = ["app", "build_profile"])]
    file: Option<PathBuf>,
    /// The manifest [default: the outermost golem.yaml above]
    #[arg(short, long, value_name = "FILE")]
    app: Option<PathBuf>,
    /// Kept for scripts of version 1.1; a manifest has no profiles here
    #[arg(short, long, value_name = "NAME", hide = true)]
    build_profile: Option<String>,
    /// Workers get a fresh instance for every invocation
    #[arg(long, conflicts_with = "durable")]
    ephemeral: bool,
    /// What its workers may do: a JSON file with `network`, `env` and `limits`, as under `capabilities` in golem.yaml
    /// [default: what golem.yaml says when the file comes from there, else what the version before had]
    #[arg(long, value_name = "FILE")]
    capabilities: Option<PathBuf>,
    /// Workers live until they are deleted [default of a new component]
    #[arg(long)]
    durable: bool,
    /// A file or a whole folder that workers begin with, and its path in a worker: `SOURCE:/TARGET`, read-only, or
    /// `SOURCE:/TARGET:read-write`; may be given again [default: what golem.yaml says when the file comes from there, else
    /// what the version before had]
    #[arg(long, value_name = "SOURCE:TARGET", value_parser = Source::from_flag)]
    files: Vec<Source>,
    /// Workers begin without files
    #[arg(long, conflicts_with = "files")]
    no_files: bool,
}

/// What is uploaded.
struct Uploading {
    wasm: Vec<u8>,
    /// What its workers are, if it is said.
    kind: Option<ComponentType>,
    /// What they may do, as JSON, if it is said.
    capabilities: Option<String>,
    /// What they begin with, if it is said.
    files: Option<PackedFiles>,
}

impl Uploading {
    fn code(&self) -> Code<'_> {
        Code {
            wasm: &self.wasm,
            capabilities: self.capabilities.as_deref(),
            files: self.files.as_ref(),
        }
    }
}

/// Options of `component add`.
#[derive(Debug, clap::Args)]
struct Add {
    /// Name of the new component
    #[arg(short = 'c', long, value_name = "NAME")]
    component_name: String,
    #[command(flatten)]
    upload: Upload,
}

/// Options of `component update`.
#[derive(Debug, clap::Args)]
struct Update {
    #[command(flatten)]
    component: ComponentArgs,
    #[command(flatten)]
    upload: Upload,
    /// Bring every worker that runs an older version to this one
    #[arg(long)]
    try_update_workers: bool,
    /// How their state is carried over
    #[arg(
        long,
        value_name = "MODE",
        default_value = "auto",
        ignore_case = true,
        requires = "try_update_workers"
    )]
    update_mode: UpdateMode,
}

/// Options of `component try-update-workers`.
#[derive(Debug, clap::Args)]
struct TryUpdateWorkers {
    #[command(flatten)]
    component: ComponentArgs,
    /// How their state is carried over
    #[arg(long, value_name = "MODE", default_value = "auto", ignore_case = true)]
    update_mode: UpdateMode,
}

/// Options of `component list`.
#[derive(Debug, clap::Args)]
struct List {
    /// Only versions of the component with this name
    #[arg(short = 'c', long, value_name = "NAME")]
    component_name: Option<String>,
}

/// Options of `component get`.
#[derive(Debug, clap::Args)]
struct Get {
    #[command(flatten)]
    component: ComponentArgs,
    /// The version to show [default: the newest]
    #[arg(short = 't', long, value_name = "N")]
    version: Option<ComponentVersion>,
}

/// Errors of uploads.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UploadError {
    /// The file cannot be read.
    #[error("cannot read the component `{path}`")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The name is taken, and nobody said or can be asked whether to update.
    #[error("Component already exists: {name}")]
    Exists {
        /// The name.
        name: String,
    },
    /// No file was named, and the manifest does not say which of its components goes there.
    #[error("the manifest has {count} components: which of them is meant?")]
    Which {
        /// How many it has.
        count: usize,
    },
}

impl Coded for UploadError {
    fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "CLI-021",
            Self::Exists { .. } => "CLI-022",
            Self::Which { .. } => "CLI-023",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Read { .. } => "build it first: golem-cli build".to_owned(),
            Self::Exists { name } => format!(
                "update it: golem-cli component update --component-name {name} … (or pass --non-interactive to add or update)"
            ),
            Self::Which { .. } => {
                "name the file: golem-cli component update --component URI FILE.wasm".to_owned()
            }
        })
    }
}

/// Runs the verb.
pub(crate) fn run(args: Args, global: &Global, out: &Out) -> Outcome {
    classic(match args.verb {
        // A verb of our own, with the finer exit codes.
        Verb::Diff(args) => return diff::run(&args, global, out),
        Verb::Redeploy(args) => {
            connection::client(global).and_then(|client| redeploy::run(&args, &client, out))
        }
        Verb::InstallPlugin(args) => {
            connection::client(global).and_then(|client| plugin::install(args, &client, out))
        }
        Verb::GetInstallations(args) => {
            connection::client(global).and_then(|client| plugin::installations(&args, &client, out))
        }
        Verb::UninstallPlugin(args) => {
            connection::client(global).and_then(|client| plugin::uninstall(&args, &client, out))
        }
        Verb::Add(add) => self::add(&add, global, out),
        Verb::Update(update) => self::update(&update, global, out),
        Verb::TryUpdateWorkers(args) => try_update(&args, global, out),
        Verb::List(list) => self::list(&list, global, out),
        Verb::Get(get) => self::get(&get, global, out),
    })
}

fn add(args: &Add, global: &Global, out: &Out) -> Outcome {
    let name = args.component_name.as_str();
    let uploading = args.upload.load(Some(name))?;
    let (kind, code) = (uploading.kind, uploading.code());
    let client = connection::client(global)?;
    match client.add_component(name, kind.unwrap_or_default(), code) {
        Err(error) if error.kind() == ErrorKind::Conflict => {
            let question = format!("Component {name} already exists. Do you want to update it?");
            if out.ask(&question) != Answer::Yes {
                return Err(Failure::from(UploadError::Exists {
                    name: name.to_owned(),
                })
                .with_exit(exit::CONFLICT));
            }
            let old = client.find(&ComponentRef::Name(name.to_owned()))?;
            let id = old.versioned_component_id.component_id;
            added(client.update_component(id, kind, code)?, out);
        }
        component => added(component?, out),
    }
    Ok(())
}

/// What was uploaded; says what is suspicious about it.
pub(super) fn warned(uploaded: Uploaded, out: &Out) -> Component {
    for warning in &uploaded.warnings {
        out.warn(warning);
    }
    uploaded.component
}

fn added(uploaded: Uploaded, out: &Out) {
    let component = warned(uploaded, out);
    out.view(&ComponentView::from(&component), |view| {
        view.added(|text| out.bold(text))
    });
}

fn update(args: &Update, global: &Global, out: &Out) -> Outcome {
    let reference = args.component.urn()?.component;
    let name = match &reference {
        ComponentRef::Name(name) => Some(name.as_str()),
        ComponentRef::Id(_) => None,
    };
    let client = connection::client(global)?;
    let uploading = args.upload.load(name)?;
    let (kind, code) = (uploading.kind, uploading.code());
    let old = match &reference {
        ComponentRef::Name(name) => client
            .component_named(name)?
            .map(|old| old.versioned_component_id.component_id),
        ComponentRef::Id(id) => Some(*id),
    };
    match (old, name) {
        (Some(id), _) => {
            let component = warned(client.update_component(id, kind, code)?, out);
            let view = ComponentView::from(&component);
            if !args.try_update_workers {
                out.view(&view, |view| view.updated(|text| out.bold(text)));
                return Ok(());
            }
            let version = component.versioned_component_id.version;
            let tried = update_workers(&client, id, vec![], args.update_mode, version, out)?;
            out.view(&(view, tried), |(view, tried)| {
                format!("{}\n{}", view.updated(|text| out.bold(text)), tried.text())
            });
        }
        (None, name) => {
            let name = name.unwrap_or_default();
            let question = format!("There is no component {name}. Do you want to add it?");
            if out.ask(&question) != Answer::Yes {
                return Err(client.no_component(name).into());
            }
            added(
                client.add_component(name, kind.unwrap_or_default(), code)?,
                out,
            );
        }
    }
    Ok(())
}

fn try_update(args: &TryUpdateWorkers, global: &Global, out: &Out) -> Outcome {
    let client = connection::client(global)?;
    let id = client
        .find(&args.component.urn()?.component)?
        .versioned_component_id;
    let (component, version) = (id.component_id, id.version);
    let tried = update_workers(&client, component, vec![], args.update_mode, version, out)?;
    out.view(&tried, TriedUpdates::text);
    Ok(())
}

fn list(args: &List, global: &Global, out: &Out) -> Outcome {
    let components = connection::client(global)?.components(args.component_name.as_deref())?;
    let views: Vec<ComponentView> = components.iter().map(ComponentView::from).collect();
    out.view(&views, |views| component_table(views));
    Ok(())
}

fn get(args: &Get, global: &Global, out: &Out) -> Outcome {
    let urn = args.component.urn()?;
    show(
        &urn.component,
        args.version.or(urn.version),
        &connection::client(global)?,
        out,
    )
}

/// Shows one version of a component; the newest without one.
pub(crate) fn show(
    component: &ComponentRef,
    version: Option<ComponentVersion>,
    client: &Client,
    out: &Out,
) -> Outcome {
    let component = match version {
        None => client.find(component)?,
        Some(version) => client.component(client.find_id(component)?, Some(version))?,
    };
    out.view(&ComponentView::from(&component), |view| {
        view.got(|text| out.bold(text))
    });
    Ok(())
}

impl Upload {
    /// The wasm, and what is said of it here or in the manifest; `name` picks the component of the manifest.
    fn load(&self, name: Option<&str>) -> Result<Uploading, Failure> {
        let mut capabilities = match &self.capabilities {
            Some(path) => Some(String::from_utf8_lossy(&read(path)?).into_owned()),
            None => None,
        };
        let mut kind = match (self.ephemeral, self.durable) {
            (true, _) => Some(ComponentType::Ephemeral),
            (_, true) => Some(ComponentType::Durable),
            _ => None,
        };
        let mut files = match (self.no_files, self.files.as_slice()) {
            (true, _) => Some(Files::default()),
            (false, []) => None,
            (false, sources) => Some(Files::read(sources)?),
        };
        let path = match &self.file {
            Some(file) => file.clone(),
            None => {
                let manifest = Manifest::required(self.app.as_deref())?;
                let names: Vec<String> = name.map(str::to_owned).into_iter().collect();
                let chosen = manifest.select(&names)?;
                let [component] = chosen.as_slice() else {
                    return Err(UploadError::Which {
                        count: chosen.len(),
                    }
                    .into());
                };
                kind = kind.or(Some(match component.kind {
                    ComponentKind::Durable => ComponentType::Durable,
                    ComponentKind::Ephemeral => ComponentType::Ephemeral,
                }));
                let declared = || serde_json::to_string(&component.capabilities).ok();
                capabilities = capabilities.or_else(declared);
                if files.is_none() {
                    files = Some(Files::read(&component.files)?);
                }
                component.artefact().to_owned()
            }
        };
        Ok(Uploading {
            wasm: read(&path)?,
            kind,
            capabilities,
            files: files.as_ref().map(Files::packed),
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let read = if path == Path::new("-") {
        let mut wasm = Vec::new();
        std::io::stdin().lock().read_to_end(&mut wasm).map(|_| wasm)
    } else {
        std::fs::read(path)
    };
    read.map_err(|source| {
        UploadError::Read {
            path: path.display().to_string(),
            source,
        }
        .into()
    })
}
