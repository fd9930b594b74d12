// SPDX-License-Identifier: Apache-2.0
//! THE JANITOR / rules: looks for what `tables.rs` forbids or asks for. In [`Tree`], out [`Finding`]s in order of path.
//! Never reads a file itself. Each rule is a function of texts, tested on small ones in `rules/tests.rs`.

use super::tables::{self, Absence, Lines};
use super::{Finding, SourceFile, Tree};

#[cfg(test)]
mod tests;

/// All rules over the whole tree. Returns the findings by path and line; empty = tidy.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        if !is_text(&file.path) || is_rules_themselves(&file.path) {
            continue;
        }
        absences(file, tables::ABSENCES, &mut findings);
        header(file, tables::ROOMS, &mut findings);
        if !is_foreign(&file.path) {
            text(file, &mut findings);
            links(file, tree, &mut findings);
        }
    }
    ratchet(tree, &mut findings);
    paths(tree, tables::PATHS, &mut findings);
    findings.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    findings
}

fn is_text(path: &str) -> bool {
    tables::TEXT_ENDINGS
        .iter()
        .any(|ending| path.ends_with(ending))
        || path.starts_with("scripts/")
        || path == ".ci/run"
}

fn is_foreign(path: &str) -> bool {
    tables::FOREIGN_FOLDERS
        .iter()
        .any(|folder| path.contains(folder))
}

fn is_rules_themselves(path: &str) -> bool {
    starts_with_any(path, tables::RULES_THEMSELVES)
}

fn starts_with_any(path: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| path.starts_with(prefix))
}

/// Finds the words of `table` in the parts of the tree where they must not stand.
fn absences(file: &SourceFile, table: &[Absence], findings: &mut Vec<Finding>) {
    for absence in table {
        let looked_at = match absence.lines {
            Lines::Rust => file.path.ends_with(".rs"),
            Lines::Dependency => file.path.ends_with("Cargo.toml"),
        };
        if !looked_at
            || !starts_with_any(&file.path, absence.within)
            || starts_with_any(&file.path, absence.except)
        {
            continue;
        }
        let mut section_has_dependencies = false;
        for (number, line) in (1..).zip(file.text.lines()) {
            let hit = match absence.lines {
                Lines::Rust => absence.words.iter().find(|word| has_word(code(line), word)),
                Lines::Dependency => {
                    if line.starts_with('[') {
                        section_has_dependencies = line.contains("dependencies");
                    }
                    let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
                    absence.words.iter().find(|word| {
                        section_has_dependencies
                            && (name == **word
                                || name
                                    .strip_prefix(**word)
                                    .is_some_and(|rest| rest.starts_with('-')))
                    })
                }
            };
            if let Some(word) = hit {
                findings.push(Finding {
                    path: file.path.clone(),
                    line: number,
                    rule: "absence",
                    text: format!(
                        "`{}` does not belong here: {}",
                        word.trim_end(),
                        absence.reason
                    ),
                });
            }
        }
    }
}

/// What stands before a line comment. A `//` right after `:` is part of a URL in a string.
fn code(line: &str) -> &str {
    let mut from = 0;
    while let Some(found) = line.get(from..).and_then(|rest| rest.find("//")) {
        let at = from + found;
        let before = line.get(..at).unwrap_or_default();
        if !before.ends_with(':') {
            return before;
        }
        from = at + 2;
    }
    line
}

/// Whether `word` stands in `line` and is not the tail of a longer word.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|head| head.chars().next_back());
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

/// Each Rust file of a room starts with the SPDX line and has a `//!` header that begins with the room's label.
fn header(file: &SourceFile, rooms: &[(&str, &str)], findings: &mut Vec<Finding>) {
    let Some((_, label)) = rooms
        .iter()
        .find(|(folder, _)| file.path.starts_with(folder))
    else {
        return;
    };
    if !file.path.ends_with(".rs") || file.path.contains("/generated/") {
        return;
    }
    let mut report = |line, text: String| {
        findings.push(Finding {
            path: file.path.clone(),
            line,
            rule: "header",
            text,
        })
    };
    if file.text.lines().next() != Some(tables::SPDX) {
        report(1, format!("first line is not `{}`", tables::SPDX));
    }
    match (1..)
        .zip(file.text.lines())
        .find(|(_, line)| line.starts_with("//!"))
    {
        None => report(
            1,
            format!(
                "no `//! {label} / …` header: what it does, in, out, bounds, what it never touches"
            ),
        ),
        Some((number, line)) => {
            if !line
                .trim_start_matches("//!")
                .trim_start()
                .starts_with(label)
            {
                report(
                    number,
                    format!("the header does not start with the room's label `{label}`"),
                );
            }
        }
    }
}

/// Open ends, paths of one machine, white space at line ends.
fn text(file: &SourceFile, findings: &mut Vec<Finding>) {
    for (number, line) in (1..).zip(file.text.lines()) {
        let mut report = |rule, text: String| {
            findings.push(Finding {
                path: file.path.clone(),
                line: number,
                rule,
                text,
            })
        };
        for word in tables::OPEN_ENDS {
            if has_open_end(line, word) {
                report(
                    "open-end",
                    format!("`{word}`: do it, or write it in docs/STATUS.md"),
                );
            }
        }
        for folder in tables::MACHINE_FOLDERS {
            if has_absolute(line, folder) {
                report(
                    "machine-path",
                    format!("`{folder}…` is a folder of one machine"),
                );
            }
        }
        if line.ends_with([' ', '\t']) {
            report(
                "white-space",
                "white space at the end of the line".to_owned(),
            );
        }
    }
}

/// Pages that a text names by their path from the top, `docs/….md`, exist. Placeholders such as `<AREA>` end a path.
fn links(file: &SourceFile, tree: &Tree, findings: &mut Vec<Finding>) {
    for (number, line) in (1..).zip(file.text.lines()) {
        for (at, _) in line.match_indices("docs/") {
            let before = line.get(..at).and_then(|head| head.chars().next_back());
            // `crates/x/docs/…` and URLs are other paths.
            if before.is_some_and(|c| c.is_alphanumeric() || "/._-".contains(c)) {
                continue;
            }
            let path: String = line
                .chars()
                .skip(line.get(..at).unwrap_or_default().chars().count())
                .take_while(|c| c.is_ascii_alphanumeric() || "/._-".contains(*c))
                .collect();
            let path = path.trim_end_matches('.');
            if path.ends_with(".md") && tree.text(path).is_none() {
                findings.push(Finding {
                    path: file.path.clone(),
                    line: number,
                    rule: "link",
                    text: format!("`{path}` does not exist"),
                });
            }
        }
    }
}

/// Whether `word` stands alone in `line`. `context.TODO` is a name of Go's library.
fn has_open_end(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|head| head.chars().next_back());
        let after = line
            .get(at + word.len()..)
            .and_then(|tail| tail.chars().next());
        let inner = |c: char| c.is_alphanumeric() || c == '_';
        !before.is_some_and(|c| inner(c) || c == '.') && !after.is_some_and(inner)
    })
}

/// Whether an absolute path in `line` starts with `folder`; `a/work/b` and `{dir}/work/` are not absolute.
fn has_absolute(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line.get(..at).and_then(|head| head.chars().next_back());
        before.is_none_or(|c| c.is_whitespace() || "\"'`(=:,".contains(c))
    })
}

/// A Rust file over the limit is named in an ADR.
fn ratchet(tree: &Tree, findings: &mut Vec<Finding>) {
    for file in tree
        .files
        .iter()
        .filter(|file| file.path.ends_with(".rs") && !file.path.contains("/generated/"))
    {
        let lines = file.text.lines().count();
        let excused = tree
            .files
            .iter()
            .any(|adr| adr.path.starts_with("docs/adr/") && adr.text.contains(&file.path));
        if lines > tables::FILE_LINES_MAX && !excused {
            findings.push(Finding {
                path: file.path.clone(),
                line: 0,
                rule: "size",
                text: format!(
                    "{lines} lines, more than {}, and no ADR names it: split it",
                    tables::FILE_LINES_MAX
                ),
            });
        }
    }
}

/// The files of the two paths exist and the architecture page names them.
fn paths(tree: &Tree, table: &[(&str, &[&str])], findings: &mut Vec<Finding>) {
    let page = tree.text(tables::ARCHITECTURE);
    let mut report = |path: &str, text: String| {
        findings.push(Finding {
            path: path.to_owned(),
            line: 0,
            rule: "path",
            text,
        });
    };
    match page {
        None => report(tables::ARCHITECTURE, "the page is missing".to_owned()),
        Some(page) if page.lines().count() > tables::ARCHITECTURE_LINES_MAX => {
            report(
                tables::ARCHITECTURE,
                format!("more than {} lines", tables::ARCHITECTURE_LINES_MAX),
            );
        }
        Some(_) => {}
    }
    for (name, files) in table {
        for file in *files {
            if tree.text(file).is_none() {
                report(file, format!("a step of the {name} path does not exist"));
            }
            if !page.unwrap_or_default().contains(file) {
                report(
                    file,
                    format!(
                        "a step of the {name} path is not named in {}",
                        tables::ARCHITECTURE
                    ),
                );
            }
        }
    }
}
