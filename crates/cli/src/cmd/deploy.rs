// SPDX-License-Identifier: Apache-2.0
//! THE DESK / deploy: brings every component of the manifest to the server: adds it, updates it, or leaves it alone when it
//! is there already. In a manifest, built components and initial files, out a list. Never builds. Read next: golem-client `component.rs`.

use std::path::PathBuf;

use golem_client::{Client, Code};
use golem_model::{ComponentId, component::ComponentType};
use serde::Serialize;

use super::component::warned;
use crate::{
    args::Global,
    build::{self, BuildError},
    connection,
    error::{Failure, Outcome},
    files::Files,
    hash::sha256,
    manifest::{Component, ComponentKind, Manifest},
    output::Out,
};

/// Options of `deploy`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  golem-cli build && golem-cli deploy
  golem-cli deploy component-one")]
pub(crate) struct Args {
    /// Components of golem.yaml [default: all]
    #[arg(value_name = "COMPONENT")]
    components: Vec<String>,
    /// The manifest [default: the outermost golem.yaml, here or above]
    #[arg(short, long, value_name = "FILE")]
    app: Option<PathBuf>,
}

/// What happened to one component.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    component_name: String,
    component_urn: String,
    /// The version that the server keeps now.
    pub(super) component_version: u64,
    change: Change,
    /// The component.
    #[serde(skip)]
    pub(super) component_id: ComponentId,
}

/// How a component came to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Change {
    Added,
    Updated,
    Unchanged,
}

impl Change {
    const fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
        }
    }
}

/// Uploads what is not on the server yet. All files are read before the first upload, so that a component that was not
/// built stops everything.
pub(crate) fn run(args: Args, global: &Global, out: &Out) -> Outcome {
    let manifest = Manifest::required(args.app.as_deref())?;
    let mut read = Vec::new();
    for component in manifest.select(&args.components)? {
        read.push((component, Built::read(component)?));
    }
    let client = connection::client(global)?;
    let mut rows = Vec::new();
    for (component, built) in read {
        rows.push(upload(&client, component, &built, out)?);
    }
    out.view(&rows, |rows| rows.iter().map(text).collect());
    Ok(())
}

/// Brings one component that is built to the server.
pub(super) fn deploy(client: &Client, component: &Component, out: &Out) -> Result<Row, Failure> {
    upload(client, component, &Built::read(component)?, out)
}

/// What is uploaded of a component.
struct Built {
    wasm: Vec<u8>,
    files: Files,
}

impl Built {
    /// Errors: it was not built, its files cannot be read, those of [`Files::read`].
    fn read(component: &Component) -> Result<Self, Failure> {
        let wasm =
            std::fs::read(component.artefact()).map_err(|source| not_built(component, source))?;
        let files = Files::read(&component.files)?;
        Ok(Self { wasm, files })
    }
}

impl Row {
    /// What happened, in two or three words.
    pub(super) fn short(&self) -> String {
        format!("{}, version {}", self.change.word(), self.component_version)
    }
}

fn upload(
    client: &Client,
    component: &Component,
    built: &Built,
    out: &Out,
) -> Result<Row, Failure> {
    let Built { wasm, files } = built;
    let kind = match component.kind {
        ComponentKind::Durable => ComponentType::Durable,
        ComponentKind::Ephemeral => ComponentType::Ephemeral,
    };
    out.note(&format!("{}: {}", component.name, build::size(wasm.len())));
    let _progress = out.progress(&format!("{}: upload and compile", component.name));
    let (deployed, change) = match client.component_named(&component.name)? {
        Some(old)
            if old.wasm_hash == sha256(wasm)
                && old.component_type == kind
                && old.capabilities == component.capabilities
                && files.are(&old.files) =>
        {
            (old, Change::Unchanged)
        }
        _ => {
            // `null` takes away what an earlier version has declared, as no files do: the manifest says all.
            let capabilities = serde_json::to_string(&component.capabilities).unwrap_or_default();
            let packed = files.packed();
            let code = Code {
                wasm,
                capabilities: Some(&capabilities),
                files: Some(&packed),
            };
            match client.deploy_component(&component.name, kind, code)? {
                (deployed, true) => (warned(deployed, out), Change::Updated),
                (deployed, false) => (warned(deployed, out), Change::Added),
            }
        }
    };
    Ok(Row {
        component_name: component.name.clone(),
        component_urn: format!(
            "urn:component:{}",
            deployed.versioned_component_id.component_id
        ),
        component_version: deployed.versioned_component_id.version,
        change,
        component_id: deployed.versioned_component_id.component_id,
    })
}

fn text(row: &Row) -> String {
    format!(
        "{}: {}, {}\n",
        row.component_name,
        row.short(),
        row.component_urn
    )
}

fn not_built(component: &Component, source: std::io::Error) -> Failure {
    match source.kind() {
        std::io::ErrorKind::NotFound => BuildError::NotBuilt {
            component: component.name.clone(),
            path: component.artefact().to_owned(),
        }
        .failure(),
        _ => BuildError::Io {
            action: "read",
            path: component.artefact().to_owned(),
            source,
        }
        .failure(),
    }
}
