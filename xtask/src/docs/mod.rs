// SPDX-License-Identifier: Apache-2.0
//! THE JANITOR / docs: the site made of docs/. In: docs/SUMMARY.md (its order, in the form that mdBook reads) and the pages
//! that it names. Out: HTML with search, and [`Finding`]s: links and anchors that lead nowhere, pages that nothing leads to.
//! Never touches the network. Read next: `summary.rs`, `page.rs`, `site.rs`. Why: docs/adr/0011-docs-site.md.

mod page;
mod site;
mod summary;

use std::collections::BTreeMap;
use std::path::Path;

use crate::tidy::{Finding, Tree};

/// Folder of the pages.
const FOLDER: &str = "docs/";

/// The table of contents, in [`FOLDER`].
const SUMMARY: &str = "SUMMARY.md";

/// Makes the site in the folder `out`, unless something is wrong with the pages. Returns what is wrong.
pub(crate) fn build(tree: &Tree, out: &Path) -> anyhow::Result<Vec<Finding>> {
    let texts: BTreeMap<&str, &str> = tree
        .files
        .iter()
        .filter_map(|file| Some((file.path.strip_prefix(FOLDER)?, file.text.as_str())))
        .filter(|(path, _)| path.ends_with(".md"))
        .collect();
    let (summary, pages, findings) = check(&texts);
    if findings.is_empty() {
        site::write(&summary, &pages, out)?;
    }
    Ok(findings)
}

/// Reads all pages and looks for what is wrong with them. Paths are relative to [`FOLDER`].
fn check<'a>(
    texts: &BTreeMap<&'a str, &'a str>,
) -> (
    summary::Summary,
    BTreeMap<&'a str, page::Page>,
    Vec<Finding>,
) {
    let mut findings = Vec::new();
    let mut report = |path: &str, line: usize, text: String| {
        findings.push(Finding {
            path: format!("{FOLDER}{path}"),
            line,
            rule: "docs",
            text,
        });
    };
    let summary = summary::read(texts.get(SUMMARY).copied().unwrap_or_default(), &mut report);
    let mut pages = BTreeMap::new();
    for (path, text) in texts {
        if *path == SUMMARY {
            continue;
        }
        if !summary.entries.iter().any(|entry| entry.path == *path) {
            report(path, 0, format!("`{FOLDER}{SUMMARY}` does not name it"));
        }
        pages.insert(*path, page::read(path, text, &mut report));
    }
    for entry in &summary.entries {
        if !pages.contains_key(entry.path.as_str()) {
            report(
                SUMMARY,
                entry.line,
                format!("`{}` does not exist", entry.path),
            );
        }
    }
    for (path, page) in &pages {
        for link in &page.links {
            let to = pages.get(link.path.as_str());
            match (to, &link.anchor) {
                (None, _) => report(
                    path,
                    link.line,
                    format!("`{}` is no page of the site", link.path),
                ),
                (Some(to), Some(anchor)) if !to.headings.iter().any(|h| h.id == *anchor) => report(
                    path,
                    link.line,
                    format!("`{}` has no heading `#{anchor}`", link.path),
                ),
                (Some(_), _) => {}
            }
        }
    }
    (summary, pages, findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(texts: &[(&'static str, &'static str)]) -> Vec<String> {
        let texts = texts.iter().copied().collect();
        check(&texts).2.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn links_and_anchors_lead_somewhere_and_every_page_is_in_the_contents() {
        let summary = "# Summary\n\n- [A](a.md)\n  - [B](b/README.md)\n";
        let good = [
            ("SUMMARY.md", summary),
            (
                "a.md",
                "# A\n\n## What, `x`?\n\n## What, `x`?\n\n[b](b/README.md#b) [x](#what-x-1) [e](https://x.y)\n",
            ),
            ("b/README.md", "# B\n\n[a](../a.md)\n"),
        ];
        assert_eq!(findings(&good), Vec::<String>::new());
        let bad = [
            ("SUMMARY.md", "# Summary\n\n- [A](a.md)\n- [C](c.md)\n"),
            (
                "a.md",
                "# A\n\n[x](#nothing)\n[y](../README.md) <b>raw</b>\n",
            ),
            ("b.md", "no title\n"),
        ];
        let found = findings(&bad);
        for part in [
            "SUMMARY.md:4: [docs] `c.md` does not exist",
            "a.md:3: [docs] `a.md` has no heading `#nothing`",
            "a.md:4: [docs] `../README.md` is outside of the site",
            "a.md:4: [docs] `<b>`: HTML is not shown",
            "b.md: [docs] `docs/SUMMARY.md` does not name it",
            "b.md: [docs] no title",
        ] {
            assert!(
                found
                    .iter()
                    .any(|line| line.starts_with(&format!("{FOLDER}{part}"))),
                "no {part}: {found:#?}"
            );
        }
    }
}
