// SPDX-License-Identifier: Apache-2.0
//! THE JANITOR / errors: the pages of docs/errors, made from the error enums of the rooms. In: the checkout. Out: one page an
//! area, and [`Finding`]s where a code is used twice, unexplained, or a page is out of date. Read next: `read.rs`, `page.rs`.

mod page;
mod read;

use std::collections::BTreeMap;
use std::path::Path;

use crate::tidy::{Finding, Tree};

/// One code and what the source says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// `STB-004`.
    pub(crate) code: String,
    /// The sentence, with `{placeholders}`.
    pub(crate) sentence: String,
    /// Doc comment of the variant: what it means.
    pub(crate) meaning: String,
    /// The hint, with `{placeholders}`; empty if there is none.
    pub(crate) hint: String,
    /// The file that defines it.
    pub(crate) path: String,
}

/// Folder of the pages.
const FOLDER: &str = "docs/errors/";

/// Makes the pages. `write` = into the checkout at `root`; else only compares. Returns what is wrong.
pub(crate) fn pages(tree: &Tree, root: &Path, write: bool) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let mut entries: BTreeMap<String, Entry> = BTreeMap::new();
    for file in tree
        .files
        .iter()
        .filter(|file| file.path.starts_with("crates/") && file.path.ends_with(".rs"))
    {
        let mut report = |text: String| {
            findings.push(Finding {
                path: file.path.clone(),
                line: 0,
                rule: "error-code",
                text,
            });
        };
        for entry in read::entries(&file.path, &file.text, &mut report) {
            if let Some(other) = entries
                .get(&entry.code)
                .filter(|other| other.path != entry.path)
            {
                report(format!("`{}` is also a code of {}", entry.code, other.path));
            }
            entries.entry(entry.code.clone()).or_insert(entry);
        }
    }
    let made = page::pages(entries.values());
    for (area, text) in &made {
        let path = format!("{FOLDER}{area}.md");
        if !page::AREAS.iter().any(|(name, _)| name == area) {
            findings.push(finding(
                &path,
                "the area has no title in xtask/src/errors/page.rs",
            ));
        }
        if write {
            std::fs::write(root.join(&path), text)?;
        } else if tree.text(&path) != Some(text) {
            findings.push(finding(
                &path,
                "is not what the source says: run `cargo xtask errors`",
            ));
        }
    }
    for file in tree
        .files
        .iter()
        .filter(|file| file.path.starts_with(FOLDER) && !file.path.ends_with("README.md"))
    {
        let area = file.path.trim_start_matches(FOLDER).trim_end_matches(".md");
        if !made.contains_key(area) {
            findings.push(finding(
                &file.path,
                "no code of this area is left in the source",
            ));
        }
    }
    Ok(findings)
}

fn finding(path: &str, text: &str) -> Finding {
    Finding {
        path: path.to_owned(),
        line: 0,
        rule: "error-page",
        text: text.to_owned(),
    }
}
