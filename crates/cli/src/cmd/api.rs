// SPDX-License-Identifier: Apache-2.0
//! THE DESK / api: `api-definition`, `api-deployment` and `api-security-scheme` of Golem 1.1. In options and a file; out what the
//! server answers. A server of this project answers 501: here a component serves HTTP itself. A server of Golem 1.1 does the rest.
//! Never reads what is in a definition but its id and version. Source: client spec §6.9.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use golem_model::Coded;
use serde_json::{Value as Json, json};

use super::classic::classic;
use crate::args::Global;
use crate::connection;
use crate::error::{Failure, Outcome};
use crate::exit;
use crate::output::Out;
use crate::view::published;

const EXITS: &str = "\n\nExit codes of this command: 0 ok, 1 failed, 2 wrong command line";

/// Options of `api-definition`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  golem-cli api-definition add definition.yaml\n\n\
    A component that exports wasi:http/incoming-handler serves HTTP without any of this: golem-cli help http"
)]
pub(crate) struct DefinitionArgs {
    /// What to do with definitions.
    #[command(subcommand)]
    verb: DefinitionVerb,
}

/// What to do with definitions.
#[derive(Debug, clap::Subcommand)]
enum DefinitionVerb {
    /// List definitions
    #[command(visible_alias = "ls", after_help = format!("Example:\n  golem-cli api-definition list --id shop{EXITS}"))]
    List(OfId),
    /// Add a definition
    #[command(visible_alias = "create", after_help = format!("Example:\n  golem-cli api-definition add definition.yaml{EXITS}"))]
    Add(File),
    /// Change a definition; the file says which
    #[command(after_help = format!("Example:\n  golem-cli api-definition update definition.yaml{EXITS}"))]
    Update(File),
    /// Add an OpenAPI document with `x-golem` extensions
    #[command(after_help = format!("Example:\n  golem-cli api-definition import openapi.yaml{EXITS}"))]
    Import(File),
    /// Show a definition
    #[command(after_help = format!("Example:\n  golem-cli api-definition get --id shop --version 0.1.0{EXITS}"))]
    Get(Definition),
    /// Delete a definition
    #[command(visible_alias = "rm", after_help = format!("Example:\n  golem-cli api-definition delete --id shop --version 0.1.0{EXITS}"))]
    Delete(Definition),
}

/// One id, or all.
#[derive(Debug, clap::Args)]
struct OfId {
    /// Only definitions of this id
    #[arg(short, long, value_name = "ID")]
    id: Option<String>,
}

/// One definition.
#[derive(Debug, clap::Args)]
struct Definition {
    /// Its id
    #[arg(short, long, value_name = "ID")]
    id: String,
    /// Its version
    #[arg(short = 'V', long, value_name = "VERSION")]
    version: String,
}

/// A file with a definition.
#[derive(Debug, clap::Args)]
struct File {
    /// The file; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How it is written [default: YAML when its name ends in .yaml or .yml, else JSON]
    #[arg(short, long, value_enum, ignore_case = true, value_name = "FORMAT")]
    def_format: Option<FileFormat>,
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum FileFormat {
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

/// Options of `api-deployment`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  golem-cli api-deployment deploy --definition shop/0.1.0 --host localhost:9006"
)]
pub(crate) struct DeploymentArgs {
    /// What to do with deployments.
    #[command(subcommand)]
    verb: DeploymentVerb,
}

/// What to do with deployments.
#[derive(Debug, clap::Subcommand)]
enum DeploymentVerb {
    /// Serve definitions at a host
    #[command(after_help = format!("Example:\n  golem-cli api-deployment deploy --definition shop/0.1.0 --host localhost:9006{EXITS}"))]
    Deploy(Deploy),
    /// Show what is served at a host
    #[command(after_help = format!("Example:\n  golem-cli api-deployment get localhost:9006{EXITS}"))]
    Get(Site),
    /// List the deployments of a definition
    #[command(visible_alias = "ls", after_help = format!("Example:\n  golem-cli api-deployment list --id shop{EXITS}"))]
    List(ById),
    /// Serve nothing at a host any more
    #[command(visible_alias = "rm", after_help = format!("Example:\n  golem-cli api-deployment delete localhost:9006{EXITS}"))]
    Delete(Site),
}

/// Options of `api-deployment deploy`.
#[derive(Debug, clap::Args)]
struct Deploy {
    /// A definition, as ID/VERSION; repeat for more
    #[arg(short, long, value_name = "ID/VERSION", required = true, value_parser = definition)]
    definition: Vec<(String, String)>,
    /// The host
    #[arg(short = 'H', long)]
    host: String,
    /// A name below the host
    #[arg(short, long)]
    subdomain: Option<String>,
}

/// The definition to look for.
#[derive(Debug, clap::Args)]
struct ById {
    /// Id of the definition
    #[arg(short, long, value_name = "ID")]
    id: String,
}

/// A host.
#[derive(Debug, clap::Args)]
struct Site {
    /// The host, with the subdomain in front
    #[arg(value_name = "SITE")]
    site: String,
}

/// Options of `api-security-scheme`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  golem-cli api-security-scheme get google-login")]
pub(crate) struct SchemeArgs {
    /// What to do with schemes.
    #[command(subcommand)]
    verb: SchemeVerb,
}

/// What to do with schemes.
#[derive(Debug, clap::Subcommand)]
enum SchemeVerb {
    /// Let APIs ask an identity provider
    #[command(after_help = format!("Example:\n  golem-cli api-security-scheme create --scheme.id login --provider.type google \\\n      --client.id ID --client.secret SECRET --redirect.url http://localhost:9006/callback{EXITS}"))]
    Create(Scheme),
    /// Show a scheme
    #[command(after_help = format!("Example:\n  golem-cli api-security-scheme get login{EXITS}"))]
    Get(Named),
}

/// A scheme.
#[derive(Debug, clap::Args)]
struct Named {
    /// Id of the scheme
    #[arg(value_name = "ID")]
    scheme_id: String,
}

/// Options of `api-security-scheme create`.
#[derive(Debug, clap::Args)]
struct Scheme {
    /// Id of the scheme
    #[arg(short = 'i', long = "scheme.id", value_name = "ID")]
    scheme_id: String,
    /// The provider
    #[arg(short = 'p', long = "provider.type", value_name = "PROVIDER", ignore_case = true,
        value_parser = ["google", "facebook", "gitlab", "microsoft"])]
    provider_type: String,
    /// Who asks, as the provider knows it
    #[arg(long = "client.id", value_name = "ID")]
    client_id: String,
    /// Its secret
    #[arg(long = "client.secret", value_name = "SECRET")]
    client_secret: String,
    /// What it asks for; repeat for more
    #[arg(short = 's', long = "scopes", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// Where the provider sends people back to
    #[arg(short = 'r', long = "redirect.url", value_name = "URL")]
    redirect_url: String,
}

/// Errors of files that are handed to a server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// The file cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is not what its name or `--def-format` says.
    #[error("`{path}` is not {format}: {reason}")]
    Syntax {
        /// The file.
        path: String,
        /// `JSON` or `YAML`.
        format: &'static str,
        /// What is wrong, and where.
        reason: String,
    },
    /// A field that says what the file is about is missing.
    #[error("`{path}` has no text `{field}`")]
    Missing {
        /// The file.
        path: String,
        /// The field.
        field: &'static str,
    },
}

impl Coded for FileError {
    fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "CLI-063",
            Self::Syntax { .. } => "CLI-064",
            Self::Missing { .. } => "CLI-065",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Read { path, .. } => format!("check the path: ls -l {path}"),
            Self::Syntax { format: "JSON", .. } => {
                "mend it, or say how it is written: --def-format yaml".to_owned()
            }
            Self::Syntax { .. } => "mend it at the place that is named".to_owned(),
            Self::Missing { field, .. } => format!("write it at the top: {field}: …"),
        })
    }
}

fn definition(text: &str) -> Result<(String, String), String> {
    match text.split_once('/') {
        Some((id, version)) if !id.is_empty() && !version.is_empty() => {
            Ok((id.to_owned(), version.to_owned()))
        }
        _ => Err("expected ID/VERSION".to_owned()),
    }
}

const DEFINITIONS: [&str; 3] = ["v1", "api", "definitions"];
const DEPLOYMENTS: [&str; 3] = ["v1", "api", "deployments"];

/// Runs a verb of `api-definition`.
pub(crate) fn definitions(args: DefinitionArgs, global: &Global, out: &Out) -> Outcome {
    let [v1, api, all] = DEFINITIONS;
    classic(connection::client(global).and_then(|client| {
        let answer = match args.verb {
            DefinitionVerb::List(args) => {
                client.get_json(&DEFINITIONS, args.id.map(|id| ("api-definition-id", id)))
            }
            DefinitionVerb::Add(file) => client.post_json(&DEFINITIONS, &file.read()?),
            DefinitionVerb::Update(file) => {
                let body = file.read()?;
                let (id, version) = (file.text(&body, "id")?, file.text(&body, "version")?);
                client.put_json(&[v1, api, all, id, version], &body)
            }
            DefinitionVerb::Import(file) => {
                client.put_json(&[v1, api, all, "import"], &file.read()?)
            }
            DefinitionVerb::Get(one) => {
                client.get_json(&[v1, api, all, &one.id, &one.version], None)
            }
            DefinitionVerb::Delete(one) => {
                client.delete_json(&[v1, api, all, &one.id, &one.version])
            }
        };
        out.view(&answer?, published);
        Ok(())
    }))
}

/// Runs a verb of `api-deployment`.
pub(crate) fn deployments(args: DeploymentArgs, global: &Global, out: &Out) -> Outcome {
    let [v1, api, all] = DEPLOYMENTS;
    classic(connection::client(global).and_then(|client| {
        let answer = match args.verb {
            DeploymentVerb::Deploy(args) => {
                let definitions: Vec<Json> = args
                    .definition
                    .iter()
                    .map(|(id, version)| json!({"id": id, "version": version}))
                    .collect();
                let body = json!({
                    "apiDefinitions": definitions,
                    "site": {"host": args.host, "subdomain": args.subdomain},
                });
                client.post_json(&[v1, api, all, "deploy"], &body)
            }
            DeploymentVerb::Get(one) => client.get_json(&[v1, api, all, &one.site], None),
            DeploymentVerb::List(by) => {
                client.get_json(&DEPLOYMENTS, Some(("api-definition-id", by.id)))
            }
            DeploymentVerb::Delete(one) => client.delete_json(&[v1, api, all, &one.site]),
        };
        out.view(&answer?, published);
        Ok(())
    }))
}

/// Runs a verb of `api-security-scheme`.
pub(crate) fn schemes(args: SchemeArgs, global: &Global, out: &Out) -> Outcome {
    classic(connection::client(global).and_then(|client| {
        let answer = match args.verb {
            SchemeVerb::Create(scheme) => client.post_json(
                &["v1", "api", "security"],
                &json!({
                    "providerType": provider(&scheme.provider_type),
                    "schemeIdentifier": scheme.scheme_id,
                    "clientId": scheme.client_id, "clientSecret": scheme.client_secret,
                    "redirectUrl": scheme.redirect_url, "scopes": scheme.scopes,
                }),
            ),
            SchemeVerb::Get(one) => {
                client.get_json(&["v1", "api", "security", &one.scheme_id], None)
            }
        };
        out.view(&answer?, published);
        Ok(())
    }))
}

/// A provider as the API writes it: `Google`.
fn provider(word: &str) -> String {
    let mut letters = word.to_lowercase();
    if let Some(first) = letters.get_mut(0..1) {
        first.make_ascii_uppercase();
    }
    letters
}

impl File {
    fn read(&self) -> Result<Json, Failure> {
        read(&self.file, self.def_format)
    }

    fn text<'a>(&self, body: &'a Json, field: &'static str) -> Result<&'a str, FileError> {
        let path = self.file.display().to_string();
        let text = body.get(field).and_then(Json::as_str);
        text.ok_or(FileError::Missing { path, field })
    }
}

/// Reads a file of JSON or YAML; `-` is standard input. Errors: `Read`, `Syntax` (exit code `USAGE`).
pub(super) fn read(path: &Path, format: Option<FileFormat>) -> Result<Json, Failure> {
    let shown = path.display().to_string();
    let text = if path == Path::new("-") {
        let mut text = String::new();
        let read = std::io::stdin().lock().read_to_string(&mut text);
        read.map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    let text = text.map_err(|source| FileError::Read {
        path: shown.clone(),
        source,
    })?;
    let ends = path.extension().and_then(|end| end.to_str());
    let by_name = match ends {
        Some("yaml" | "yml") => FileFormat::Yaml,
        _ => FileFormat::Json,
    };
    let (format, parsed) = match format.unwrap_or(by_name) {
        FileFormat::Json => (
            "JSON",
            serde_json::from_str(&text).map_err(|e| e.to_string()),
        ),
        FileFormat::Yaml => (
            "YAML",
            serde_saphyr::from_str(&text).map_err(|e| e.to_string()),
        ),
    };
    parsed.map_err(|reason| {
        let path = shown;
        Failure::from(FileError::Syntax {
            path,
            format,
            reason,
        })
        .with_exit(exit::USAGE)
    })
}
