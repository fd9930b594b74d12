// SPDX-License-Identifier: Apache-2.0
//! THE JANITOR / site: pages as files of a web site that works from a folder, without a server and without a network.
//! In: contents and pages. Out: one HTML file a page, a style sheet, a search. Read next: `../../assets/`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;

use super::page::{Page, html_path};
use super::summary::{Entry, Summary};

const TEMPLATE: &str = include_str!("../../assets/page.html");
const STYLE: &str = include_str!("../../assets/style.css");
const SEARCH: &str = include_str!("../../assets/search.js");

/// Writes the site into the folder `out`; what was there before goes.
pub(super) fn write(
    summary: &Summary,
    pages: &BTreeMap<&str, Page>,
    out: &Path,
) -> anyhow::Result<()> {
    if out.exists() {
        std::fs::remove_dir_all(out)
            .with_context(|| format!("failed to empty {}", out.display()))?;
    }
    let put = |path: &str, text: &str| -> anyhow::Result<()> {
        let path = out.join(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))
    };
    put("style.css", STYLE)?;
    put("search.js", SEARCH)?;
    put("index.js", &index(summary, pages))?;
    for (at, entry) in summary.entries.iter().enumerate() {
        let Some(page) = pages.get(entry.path.as_str()) else {
            continue;
        };
        let before = at.checked_sub(1).and_then(|at| summary.entries.get(at));
        let after = summary.entries.get(at + 1);
        put(
            &html_path(&entry.path),
            &whole(summary, entry, page, before, after),
        )?;
    }
    Ok(())
}

/// One page with everything around it.
fn whole(
    summary: &Summary,
    entry: &Entry,
    page: &Page,
    before: Option<&Entry>,
    after: Option<&Entry>,
) -> String {
    let top = "../".repeat(entry.path.matches('/').count());
    let step = |to: Option<&Entry>, class: &str| {
        to.map_or(String::new(), |to| {
            format!(
                "<a class=\"{class}\" href=\"{top}{}\">{}</a>",
                html_path(&to.path),
                escape(&to.title)
            )
        })
    };
    TEMPLATE
        .replace("{title}", &escape(&page.title))
        .replace("{top}", &top)
        .replace("{contents}", &contents(summary, entry, &top))
        .replace("{before}", &step(before, "before"))
        .replace("{after}", &step(after, "after"))
        // Last, so that braces in the text stay what they are.
        .replace("{body}", &page.html)
}

/// The contents beside a page. Nested pages are shown where one is near: below the same top, so that the list stays short.
fn contents(summary: &Summary, here: &Entry, top: &str) -> String {
    let mut html = String::new();
    let mut open = false;
    let folder = |entry: &Entry| entry.path.split('/').next().unwrap_or_default().to_owned();
    for entry in &summary.entries {
        if entry.depth > 0 && (folder(entry) != folder(here)) {
            continue;
        }
        if let Some(part) = &entry.part {
            let close = if open { "</ul>\n" } else { "" };
            // Writing to a string does not fail.
            let _ = writeln!(html, "{close}<h2>{}</h2>\n<ul>", escape(part));
            open = true;
        } else if !open {
            html.push_str("<ul>\n");
            open = true;
        }
        let current = if entry.path == here.path {
            " aria-current=\"page\""
        } else {
            ""
        };
        let _ = writeln!(
            html,
            "<li class=\"depth{}\"><a href=\"{top}{}\"{current}>{}</a></li>",
            entry.depth,
            html_path(&entry.path),
            escape(&entry.title)
        );
    }
    html.push_str("</ul>\n");
    html
}

/// What the search looks through: for each page its place, title, headings and words.
fn index(summary: &Summary, pages: &BTreeMap<&str, Page>) -> String {
    let mut script = String::from("window.pages = [\n");
    for entry in &summary.entries {
        let Some(page) = pages.get(entry.path.as_str()) else {
            continue;
        };
        let headings: Vec<String> = page
            .headings
            .iter()
            .map(|heading| format!("[{},{}]", quote(&heading.id), quote(&heading.text)))
            .collect();
        let _ = writeln!(
            script,
            "[{},{},[{}],{}],",
            quote(&html_path(&entry.path)),
            quote(&page.title),
            headings.join(","),
            quote(&page.words.split_whitespace().collect::<Vec<_>>().join(" "))
        );
    }
    script.push_str("];\n");
    script
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// A string of JavaScript.
fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(c);
            }
            // `<` as a number, so that no tag can end the script; controls have no other form.
            c if c.is_control() || c == '<' => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_of_the_index_cannot_break_out() {
        assert_eq!(
            quote("a\"b\\c</script>\n"),
            "\"a\\\"b\\\\c\\u003c/script>\\u000a\""
        );
    }

    #[test]
    fn a_site_has_every_page_with_the_ways_between_them() {
        let mut report = |path: &str, _: usize, text: String| panic!("{path}: {text}");
        let summary = super::super::summary::read(
            "# Summary\n\n- [Front](README.md)\n\n# Part\n\n- [B](b/b.md)\n  - [C](b/c.md)\n",
            &mut report,
        );
        let texts = [
            ("README.md", "# Front {before}\n"),
            ("b/b.md", "# B & co\n\n[c](c.md)\n"),
            ("b/c.md", "# C\n"),
        ];
        let pages = texts
            .iter()
            .map(|(path, text)| (*path, super::super::page::read(path, text, &mut report)))
            .collect();
        let out = tempfile::tempdir().unwrap();
        write(&summary, &pages, out.path()).unwrap();
        let read = |path: &str| std::fs::read_to_string(out.path().join(path)).unwrap();
        let front = read("index.html");
        assert!(front.contains("Front {before}</a></h1>"), "{front}");
        assert!(
            !front.contains("b/c.html"),
            "nested pages stay folded: {front}"
        );
        let b = read("b/b.html");
        for part in [
            "<title>B &amp; co",
            "href=\"../style.css\"",
            "<a href=\"c.html\">c</a>",
            "<a class=\"before\" href=\"../index.html\">Front</a>",
            "<a class=\"after\" href=\"../b/c.html\">C</a>",
            "<h2>Part</h2>",
            "<li class=\"depth1\"><a href=\"../b/c.html\">C</a></li>",
        ] {
            assert!(b.contains(part), "no {part} in {b}");
        }
        assert!(read("index.js").contains("[\"b/c.html\",\"C\",[[\"c\",\"C\"]],\"C\"],"));
    }
}
