// SPDX-License-Identifier: Apache-2.0
//! THE DESK / component/diff: what two versions of a component, or a file and a version, export and import differently. In options,
//! out a list and a verdict. Read next: golem-wit `diff.rs`. Exit codes: the finer ones.

use std::path::PathBuf;

use golem_model::urn::ComponentUrn;
use golem_model::{Coded, ComponentId, ComponentVersion};
use golem_wit::diff::{Change, Kind, diff};
use serde::Serialize;

use super::read;
use crate::args::Global;
use crate::cmd::refs::ComponentArgs;
use crate::connection;
use crate::error::{Failure, Outcome};
use crate::exit;
use crate::output::Out;

/// Options of `component diff`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    component: ComponentArgs,
    /// The older version [default: the one before the newer one; with a file the newest]
    #[arg(long, value_name = "N")]
    from: Option<ComponentVersion>,
    /// The newer version [default: the newest]
    #[arg(long, value_name = "N", conflicts_with = "file")]
    to: Option<ComponentVersion>,
    /// The newer one as a file; `-` is standard input
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// End with exit code 7 when somebody who calls the older one can no longer do so
    #[arg(long)]
    check: bool,
}

/// Errors of comparing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DiffError {
    /// The first version of a component has none before it.
    #[error("{component} has version {version} only, and nothing before it to compare with")]
    First {
        /// The component.
        component: String,
        /// The version.
        version: ComponentVersion,
    },
    /// `--check` found that callers break.
    #[error("{count} differences break callers of {older}")]
    Breaks {
        /// How many.
        count: usize,
        /// The older one.
        older: String,
    },
}

impl Coded for DiffError {
    fn code(&self) -> &'static str {
        match self {
            Self::First { .. } => "CLI-066",
            Self::Breaks { .. } => "CLI-067",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::First { .. } => {
                "compare a file with it: golem-cli component diff --component-name NAME FILE.wasm"
                    .to_owned()
            }
            Self::Breaks { .. } => {
                "keep what callers use, and add the new beside it; or make new stubs for the callers: golem-cli build"
                    .to_owned()
            }
        })
    }
}

/// A comparison as JSON and YAML show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DiffView {
    older: String,
    newer: String,
    /// Whether callers of the older one can call the newer one.
    compatible: bool,
    exports: Vec<ChangeView>,
    imports: Vec<ChangeView>,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct ChangeView {
    /// `added`, `removed` or `changed`.
    change: &'static str,
    item: String,
    before: Option<String>,
    after: Option<String>,
    /// Whether callers break.
    breaks: bool,
}

impl From<Change> for ChangeView {
    fn from(change: Change) -> Self {
        Self {
            change: match change.kind {
                Kind::Added => "added",
                Kind::Removed => "removed",
                Kind::Changed => "changed",
            },
            item: change.item,
            before: change.before,
            after: change.after,
            breaks: change.breaks,
        }
    }
}

impl DiffView {
    fn text(&self) -> String {
        let mut text = format!("{} -> {}\n", self.older, self.newer);
        for (heading, changes) in [("Exports", &self.exports), ("Imports", &self.imports)] {
            if changes.is_empty() {
                continue;
            }
            text.push_str(&format!("\n{heading}:\n"));
            for change in changes {
                let item = &change.item;
                let between = if item.starts_with("type ") { " = " } else { "" };
                for (mark, side) in [('-', &change.before), ('+', &change.after)] {
                    if let Some(side) = side {
                        text.push_str(&format!("  {mark} {item}{between}{side}\n"));
                    }
                }
            }
        }
        text.push_str(match (self.compatible, self.count()) {
            (_, 0) => "\nBoth export and import the same.\n",
            (true, _) => "\nCompatible: callers of the older one can call the newer one.\n",
            (false, _) => "\nNot compatible: callers of the older one break.\n",
        });
        text
    }

    const fn count(&self) -> usize {
        self.exports.len() + self.imports.len()
    }
}

/// Compares and prints.
pub(super) fn run(args: &Args, global: &Global, out: &Out) -> Outcome {
    let urn = args.component.urn()?;
    let client = connection::client(global)?;
    let newest = client.find(&urn.component)?;
    let id = newest.versioned_component_id.component_id;
    let name = newest.component_name;
    let newest = newest.versioned_component_id.version;
    let (newer_name, newer, from) = match &args.file {
        Some(file) => {
            let from = args.from.or(urn.version).unwrap_or(newest);
            (file.display().to_string(), read(file)?, from)
        }
        None => {
            let to = args.to.or(urn.version).unwrap_or(newest);
            let from = match (args.from, to.checked_sub(1)) {
                (Some(from), _) | (None, Some(from)) => from,
                (None, None) => {
                    let component = name;
                    return Err(Failure::from(DiffError::First {
                        component,
                        version: to,
                    })
                    .with_exit(exit::CONFLICT));
                }
            };
            (shown(&name, id, to), client.download(id, Some(to))?, from)
        }
    };
    let older = client.download(id, Some(from))?;
    let found = diff(&older, &newer)?;
    let compatible = found.is_compatible();
    let views = |changes: Vec<Change>| changes.into_iter().map(ChangeView::from).collect();
    let view = DiffView {
        older: shown(&name, id, from),
        newer: newer_name,
        compatible,
        exports: views(found.exports),
        imports: views(found.imports),
    };
    out.view(&view, DiffView::text);
    if args.check && !compatible {
        let all = view.exports.iter().chain(&view.imports);
        let count = all.filter(|change| change.breaks).count();
        let older = view.older;
        return Err(Failure::from(DiffError::Breaks { count, older }).with_exit(exit::CONFLICT));
    }
    Ok(())
}

/// `counter, urn:component:…/1`
fn shown(name: &str, id: ComponentId, version: ComponentVersion) -> String {
    let urn = ComponentUrn {
        version: Some(version),
        ..ComponentUrn::from(id)
    };
    format!("{name} ({urn})")
}
