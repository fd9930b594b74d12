// SPDX-License-Identifier: Apache-2.0
//! THE DESK / deploy: brings every component of the manifest to the server: adds it, updates it, or leaves it alone when it
//! is there already. In a manifest and built files, out a list. Never builds. Read next: `client.rs`.

use std::{fmt::Write as _, path::PathBuf};

use golem_model::{ComponentId, component::ComponentType};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::component::warned;
use crate::{
    args::Global,
    build::{self, BuildError},
    client::Client,
    error::{Failure, Outcome},
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
    let mut files = Vec::new();
    for component in manifest.select(&args.components)? {
        let path = component.artefact();
        let wasm = std::fs::read(path).map_err(|source| not_built(component, source))?;
        files.push((component, wasm));
    }
    let client = Client::new(global)?;
    let mut rows = Vec::new();
    for (component, wasm) in files {
        rows.push(upload(&client, component, &wasm, out)?);
    }
    out.view(&rows, |rows| rows.iter().map(text).collect());
    Ok(())
}

/// Brings one component that is built to the server.
pub(super) fn deploy(client: &Client, component: &Component, out: &Out) -> Result<Row, Failure> {
    let wasm =
        std::fs::read(component.artefact()).map_err(|source| not_built(component, source))?;
    upload(client, component, &wasm, out)
}

impl Row {
    /// What happened, in two or three words.
    pub(super) fn short(&self) -> String {
        format!("{}, version {}", self.change.word(), self.component_version)
    }
}

fn upload(client: &Client, component: &Component, wasm: &[u8], out: &Out) -> Result<Row, Failure> {
    let kind = match component.kind {
        ComponentKind::Durable => ComponentType::Durable,
        ComponentKind::Ephemeral => ComponentType::Ephemeral,
    };
    out.note(&format!("{}: {}", component.name, build::size(wasm.len())));
    let _progress = out.progress(&format!("{}: upload and compile", component.name));
    let (deployed, change) = match client.component_named(&component.name)? {
        Some(old)
            if old.wasm_hash == hash(wasm)
                && old.component_type == kind
                && old.capabilities == component.capabilities =>
        {
            (old, Change::Unchanged)
        }
        _ => match client.deploy_component(
            &component.name,
            kind,
            wasm,
            component.capabilities.as_ref(),
        )? {
            (deployed, true) => (warned(deployed, out), Change::Updated),
            (deployed, false) => (warned(deployed, out), Change::Added),
        },
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

fn hash(wasm: &[u8]) -> String {
    Sha256::digest(wasm)
        .iter()
        .fold(String::new(), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
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
