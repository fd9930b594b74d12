// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / deps manifest: the cargo-component manifest beside a caller's WIT directory. In: the directory as it
//! will be. Out: one more file of the change. Never writes itself. Read next: `plan.rs`. Why: client specification §3.6 step 6.

use std::fs;
use std::path::Path;

use toml_edit::{DocumentMut, Item, Table, value};

use crate::deps::Report;
use crate::deps::error::DepError;
use crate::deps::plan::file_name;
use crate::files::Change;
use crate::resolve::{Loaded, Tree};

/// Adds the missing dependencies to the cargo-component manifest beside the WIT directory.
pub(super) fn cargo_toml(
    tree: &Tree,
    dest: &Loaded,
    dest_wit_root: &Path,
    update: bool,
    change: &mut Change,
    report: &mut Report,
) -> Result<(), DepError> {
    let parent = match dest_wit_root.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Ok(()),
    };
    let path = parent.join("Cargo.toml");
    let failed = |reason: String| DepError::CargoToml {
        path: path.clone(),
        reason,
    };
    if !update {
        if path.is_file() {
            report.warnings.push(format!(
                "`{}` is not changed; cargo-component projects need --update-cargo-toml",
                path.display()
            ));
        }
        return Ok(());
    }
    if !path.is_file() {
        return Err(failed("it does not exist or is not a file".to_owned()));
    }
    let text = fs::read_to_string(&path).map_err(|error| failed(error.to_string()))?;
    let mut document: DocumentMut = text
        .parse()
        .map_err(|error: toml_edit::TomlError| failed(error.message().to_owned()))?;
    let wit = file_name(dest_wit_root);
    let component = document
        .get_mut("package")
        .and_then(|item| item.get_mut("metadata"))
        .and_then(|item| item.get_mut("component"))
        .and_then(Item::as_table_like_mut)
        .ok_or_else(|| failed("it has no `[package.metadata.component]`, so it is not a manifest of cargo-component".to_owned()))?;
    let mut table = component;
    for name in ["target", "dependencies"] {
        let implicit = || {
            let mut table = Table::new();
            table.set_implicit(true);
            Item::Table(table)
        };
        table = table
            .entry(name)
            .or_insert_with(implicit)
            .as_table_like_mut()
            .ok_or_else(|| {
                failed(format!(
                    "`package.metadata.component.target` has no table `{name}`"
                ))
            })?;
    }
    let linked = tree.clone().link()?;
    let mut changed = false;
    for source in linked
        .sources
        .iter()
        .filter(|source| source.name != *dest.name())
    {
        let key = format!("{}:{}", source.name.namespace, source.name.name);
        if table.contains_key(&key) {
            continue;
        }
        let mut entry = Table::new();
        entry.insert("path", value(wit.join(&source.dir).display().to_string()));
        table.insert(&key, Item::Table(entry));
        changed = true;
    }
    if changed {
        change.write(&path, document.to_string());
        report.cargo_toml = Some(path);
    }
    Ok(())
}
