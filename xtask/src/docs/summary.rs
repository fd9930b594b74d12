// SPDX-License-Identifier: Apache-2.0
//! THE JANITOR / summary: reads the table of contents. In: the text of docs/SUMMARY.md. Out: [`Summary`]. Understood is the part
//! of mdBook's form that is used here: `# Part` headings and nested lists of `- [Title](path)`. Read next: `site.rs`.

/// One page in the contents.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// How the contents call it.
    pub(super) title: String,
    /// Its path from the folder of the pages.
    pub(super) path: String,
    /// How deep it is nested, 0 for the top.
    pub(super) depth: usize,
    /// The heading of the part that starts with it, if one does.
    pub(super) part: Option<String>,
    /// Its line, 1-based.
    pub(super) line: usize,
}

/// The contents in their order.
#[derive(Debug, Default)]
pub(super) struct Summary {
    /// The pages.
    pub(super) entries: Vec<Entry>,
}

/// Blanks that one level of nesting is indented by.
const INDENT: usize = 2;

/// Reads the contents; `report` hears of each line that is none.
pub(super) fn read(text: &str, report: &mut impl FnMut(&str, usize, String)) -> Summary {
    let mut entries: Vec<Entry> = Vec::new();
    let mut part = None;
    for (line, content) in (1..).zip(text.lines()) {
        let trimmed = content.trim();
        if trimmed.is_empty() {
            continue;
        }
        if let Some(heading) = trimmed.strip_prefix("# ") {
            // The first heading is the title of the file itself.
            if line > 1 {
                part = Some(heading.to_owned());
            }
            continue;
        }
        let indent = content.len() - content.trim_start().len();
        let link = trimmed
            .strip_prefix("- [")
            .and_then(|rest| rest.strip_suffix(')'))
            .and_then(|rest| rest.split_once("]("));
        match link {
            Some((title, path)) if entries.iter().any(|entry| entry.path == path) => report(
                super::SUMMARY,
                line,
                format!("`{path}` ({title}) stands here twice"),
            ),
            Some((title, path)) => entries.push(Entry {
                title: title.to_owned(),
                path: path.to_owned(),
                depth: indent / INDENT,
                part: part.take(),
                line,
            }),
            None => report(
                super::SUMMARY,
                line,
                format!("`{trimmed}` is neither `# Part` nor `- [Title](path)`"),
            ),
        }
    }
    if entries.is_empty() {
        report(super::SUMMARY, 0, "names no page".to_owned());
    }
    Summary { entries }
}
