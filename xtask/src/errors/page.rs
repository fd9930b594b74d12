// SPDX-License-Identifier: Apache-2.0
//! THE JANITOR / page: error codes as Markdown, one page an area. In [`Entry`]s, out texts. Never touches files.
//! Read next: docs/errors/README.md.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Entry;

/// Areas of codes and what they are about. A new area needs a line here.
pub(super) const AREAS: &[(&str, &str)] = &[
    ("API", "requests to the REST API"),
    ("BLD", "building components"),
    (
        "CAP",
        "what components declare: network, environment, limits",
    ),
    ("CLI", "the command line"),
    ("CMP", "components on a server"),
    ("CPS", "composing and describing components"),
    ("DEP", "stub dependencies"),
    ("ENC", "encoding components"),
    ("EXP", "exports and imports"),
    ("FIL", "initial files of components"),
    ("FUN", "names of functions"),
    ("GEN", "generated bindings"),
    ("MAN", "the manifest golem.yaml"),
    ("NET", "talking to a server"),
    ("NEW", "new projects"),
    ("NOD", "starting the engine"),
    ("NSP", "namespaces and grants"),
    ("PRF", "profiles"),
    ("SDK", "the Go SDK"),
    ("SEC", "secrets"),
    ("SRV", "starting and stopping a server"),
    ("STB", "stubs"),
    ("STO", "storage"),
    ("TST", "`golem-cli test`"),
    ("URN", "URNs and URLs"),
    ("VAL", "values, types and names"),
    ("WIT", "reading WIT"),
    ("WRK", "workers and invocations"),
];

/// The page of each area, by area.
pub(super) fn pages<'a>(entries: impl Iterator<Item = &'a Entry>) -> BTreeMap<String, String> {
    let mut pages: BTreeMap<String, String> = BTreeMap::new();
    for entry in entries {
        let area = entry.code.split('-').next().unwrap_or_default();
        let page = pages.entry(area.to_owned()).or_insert_with(|| {
            let title = AREAS.iter().find(|(name, _)| *name == area).map_or("", |(_, title)| title);
            format!("# {area}: {title}\n\nMade from the source by `cargo xtask errors`; edit the doc comments and hints there.\n")
        });
        // Writing to a string does not fail.
        let _ = write!(
            page,
            "\n## {}\n\n> {}\n\n",
            entry.code,
            one_line(&entry.sentence)
        );
        if !entry.meaning.is_empty() {
            let _ = writeln!(page, "{}\n", one_line(&entry.meaning));
        }
        if !entry.hint.is_empty() {
            let _ = writeln!(page, "**What to do:** {}\n", one_line(&entry.hint));
        }
        let _ = writeln!(page, "Source: `{}`", entry.path);
    }
    pages
}

/// The text on one line. `<` outside of code is escaped: it would begin a tag.
fn one_line(text: &str) -> String {
    let mut line = String::new();
    let mut in_code = false;
    for c in text
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
    {
        in_code ^= c == '`';
        if c == '<' && !in_code {
            line.push('\\');
        }
        line.push(c);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_has_a_section_for_each_code() {
        let entry = |code: &str| Entry {
            code: code.to_owned(),
            sentence: "a {b}\n c".to_owned(),
            meaning: "M <x> `<y>`.".to_owned(),
            hint: String::new(),
            path: "x.rs".to_owned(),
        };
        let pages = pages([entry("STB-001"), entry("STB-002"), entry("WRK-001")].iter());
        assert_eq!(pages.keys().collect::<Vec<_>>(), ["STB", "WRK"]);
        let stubs = pages.get("STB").unwrap();
        assert!(
            stubs.starts_with("# STB: stubs\n")
                && stubs
                    .contains("\n## STB-002\n\n> a {b} c\n\nM \\<x> `<y>`.\n\nSource: `x.rs`\n")
        );
    }
}
