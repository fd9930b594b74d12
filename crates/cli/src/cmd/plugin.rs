// SPDX-License-Identifier: Apache-2.0
//! THE DESK / plugin: `plugin` of Golem 1.1, and the verbs of `component` that install plugins. In names and a manifest; out what
//! the server answers. Never runs a plugin. Read next: golem-client `published.rs`. Source: client spec §6.2, §6.9.

use std::path::PathBuf;

use golem_client::Client;
use golem_model::ComponentVersion;
use golem_model::urn::ComponentUrn;
use serde_json::{Value as Json, json};

use super::api::{FileError, read};
use super::classic::classic;
use super::refs::{ComponentArgs, named};
use crate::args::Global;
use crate::connection;
use crate::error::{Failure, Outcome};
use crate::output::Out;
use crate::view::published;

const EXITS: &str = "\n\nExit codes of this command: 0 ok, 1 failed, 2 wrong command line";

/// Options of `plugin`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  golem-cli plugin list --global")]
pub(crate) struct Args {
    /// What to do with plugins.
    #[command(subcommand)]
    verb: Verb,
}

/// What to do with plugins.
#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List plugins
    #[command(visible_alias = "ls", after_help = format!("Examples:\n  golem-cli plugin list\n  golem-cli plugin list --component-name counter{EXITS}"))]
    List(Scope),
    /// Show a plugin
    #[command(after_help = format!("Example:\n  golem-cli plugin get --plugin-name trace --plugin-version 1.0.0{EXITS}"))]
    Get(Plugin),
    /// Make a plugin known; a manifest says what it is
    #[command(visible_alias = "create", after_help = format!("Example:\n  golem-cli plugin register plugin.json --global{EXITS}"))]
    Register(Register),
    /// Make a plugin unknown
    #[command(visible_alias = "delete", after_help = format!("Example:\n  golem-cli plugin unregister --plugin-name trace --plugin-version 1.0.0{EXITS}"))]
    Unregister(Plugin),
}

/// For whom plugins are.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
struct Scope {
    /// Plugins for all components
    #[arg(long)]
    global: bool,
    /// Plugins for this component, as URN or URL
    #[arg(short = 'C', long, value_name = "URI")]
    component: Option<String>,
    /// Plugins for the component with this name
    #[arg(short = 'c', long, value_name = "NAME")]
    component_name: Option<String>,
}

/// One version of a plugin.
#[derive(Debug, clap::Args)]
struct Plugin {
    /// Its name
    #[arg(long, value_name = "NAME")]
    plugin_name: String,
    /// Its version
    #[arg(long, visible_alias = "version", value_name = "VERSION")]
    plugin_version: String,
}

/// Options of `plugin register`.
#[derive(Debug, clap::Args)]
struct Register {
    /// The manifest: JSON with name, version, description, icon, homepage and specs
    #[arg(value_name = "MANIFEST")]
    manifest: PathBuf,
    #[command(flatten)]
    scope: Scope,
}

/// Options of `component install-plugin`.
#[derive(Debug, clap::Args)]
pub(crate) struct Install {
    #[command(flatten)]
    component: ComponentArgs,
    /// The plugin
    #[arg(long, value_name = "NAME")]
    plugin_name: String,
    /// Its version
    #[arg(long, value_name = "VERSION")]
    plugin_version: String,
    /// Its place among the plugins of the component: higher ones come first
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    priority: i32,
    /// A parameter of the plugin; repeat for more
    #[arg(short, long, value_name = "K=V", value_parser = super::worker::variable)]
    parameter: Vec<(String, String)>,
}

/// Options of `component get-installations`.
#[derive(Debug, clap::Args)]
pub(crate) struct Installations {
    #[command(flatten)]
    component: ComponentArgs,
    /// The version of the component [default: the newest]
    #[arg(short = 't', long, value_name = "N")]
    version: Option<ComponentVersion>,
}

/// Options of `component uninstall-plugin`.
#[derive(Debug, clap::Args)]
pub(crate) struct Uninstall {
    #[command(flatten)]
    component: ComponentArgs,
    /// What `get-installations` says
    #[arg(long, value_name = "UUID")]
    installation_id: uuid::Uuid,
}

const PLUGINS: [&str; 2] = ["v1", "plugins"];

/// Runs the verb.
pub(crate) fn run(args: Args, global: &Global, out: &Out) -> Outcome {
    let [v1, all] = PLUGINS;
    classic(connection::client(global).and_then(|client| {
        let answer = match args.verb {
            Verb::List(scope) => {
                let scope = scope.text(&client)?;
                client.get_json(&PLUGINS, scope.map(|scope| ("scope", scope)))
            }
            Verb::Get(one) => {
                client.get_json(&[v1, all, &one.plugin_name, &one.plugin_version], None)
            }
            Verb::Register(args) => {
                let mut body = manifest(&args.manifest)?;
                let scope = match args.scope.component(&client)? {
                    Some(id) => json!({"type": "Component", "componentId": id}),
                    None => json!({"type": "Global"}),
                };
                if let Some(fields) = body.as_object_mut() {
                    fields.insert("scope".to_owned(), scope);
                }
                client.post_json(&PLUGINS, &body)
            }
            Verb::Unregister(one) => {
                client.delete_json(&[v1, all, &one.plugin_name, &one.plugin_version])
            }
        };
        out.view(&answer?, published);
        Ok(())
    }))
}

/// Installs a plugin for the newest version of a component.
pub(super) fn install(args: Install, client: &Client, out: &Out) -> Outcome {
    let id = client
        .find_id(&args.component.urn()?.component)?
        .to_string();
    let parameters: serde_json::Map<String, Json> = args
        .parameter
        .into_iter()
        .map(|(name, value)| (name, Json::String(value)))
        .collect();
    let body = json!({
        "name": args.plugin_name, "version": args.plugin_version,
        "priority": args.priority, "parameters": parameters,
    });
    let path = ["v1", "components", &id, "latest", "plugins", "installs"];
    out.view(&client.post_json(&path, &body)?, published);
    Ok(())
}

/// Lists the plugins of a component.
pub(super) fn installations(args: &Installations, client: &Client, out: &Out) -> Outcome {
    let urn = args.component.urn()?;
    let id = client.find_id(&urn.component)?;
    let answer = client.installations(id, args.version.or(urn.version))?;
    out.view(&answer, published);
    Ok(())
}

/// Takes a plugin from the newest version of a component.
pub(super) fn uninstall(args: &Uninstall, client: &Client, out: &Out) -> Outcome {
    let id = client
        .find_id(&args.component.urn()?.component)?
        .to_string();
    let installation = args.installation_id.to_string();
    let path = [
        "v1",
        "components",
        &id,
        "latest",
        "plugins",
        "installs",
        &installation,
    ];
    out.view(&client.delete_json(&path)?, published);
    Ok(())
}

impl Scope {
    /// The component that is named, if one is.
    fn component(&self, client: &Client) -> Result<Option<String>, Failure> {
        let reference = match (&self.component, &self.component_name) {
            (Some(uri), _) => named::<ComponentUrn>(uri)?.component,
            (None, Some(name)) => golem_model::urn::ComponentRef::Name(name.clone()),
            (None, None) => return Ok(None),
        };
        Ok(Some(client.find_id(&reference)?.to_string()))
    }

    /// As the query of the API has it.
    fn text(&self, client: &Client) -> Result<Option<String>, Failure> {
        if self.global {
            return Ok(Some("global".to_owned()));
        }
        Ok(self.component(client)?.map(|id| format!("component:{id}")))
    }
}

/// A manifest in the form of the API: the icon as bytes.
fn manifest(path: &std::path::Path) -> Result<Json, Failure> {
    let mut body = read(path, None)?;
    if let Some(icon) = body.get("icon").and_then(Json::as_str) {
        let file = path
            .parent()
            .unwrap_or(std::path::Path::new("."))
            .join(icon);
        let bytes = std::fs::read(&file).map_err(|source| FileError::Read {
            path: file.display().to_string(),
            source,
        })?;
        if let Some(fields) = body.as_object_mut() {
            fields.insert("icon".to_owned(), json!(bytes));
        }
    }
    Ok(body)
}
