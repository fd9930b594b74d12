// SPDX-License-Identifier: Apache-2.0
//! THE DESK / manifest edit: one more dependency in the text of a `golem.yaml`. In a text, out the same text with one more
//! entry: comments, order and indentation stay. Never writes. Read next: `read.rs`.
//! Why: a tool that prints YAML anew loses what people wrote beside it. What comes out is read again before it counts.

use super::{Manifest, ManifestError, read::read_text};

/// The text of the manifest in which `caller` also calls `target`; `None` when it does so already.
///
/// Errors: `NotEditable` (flow style over several lines), `Circle`, `OtherFlavour` when typed errors are asked for and the
/// dependency that is there has none.
pub(crate) fn with_call(
    manifest: &Manifest,
    text: &str,
    caller: &str,
    target: &str,
    error_results: bool,
) -> Result<Option<String>, ManifestError> {
    if let Some(known) = manifest.component(caller)
        && known.calls.iter().any(|call| call == target)
    {
        if error_results && !known.error_results.contains(target) {
            return Err(ManifestError::OtherFlavour {
                caller: caller.to_owned(),
                target: target.to_owned(),
            });
        }
        return Ok(None);
    }
    let errors = if error_results {
        ", errorResults: true"
    } else {
        ""
    };
    let item = format!("{{ type: wasm-rpc, target: {target}{errors} }}");
    let not_editable = || ManifestError::NotEditable {
        file: manifest.file.display().to_string(),
        lines: format!("dependencies:\n  {caller}:\n    - {item}"),
    };
    let edited = edit(text, caller, &item).ok_or_else(not_editable)?;
    let mut expected = manifest.clone();
    for component in &mut expected.components {
        if component.name == caller {
            component.calls.push(target.to_owned());
            component.calls.sort();
            if error_results {
                component.error_results.insert(target.to_owned());
            }
        }
    }
    let mut found = match read_text(&manifest.file, &edited) {
        Err(circle @ ManifestError::Circle { .. }) => return Err(circle),
        other => other.map_err(|_| not_editable())?,
    };
    // The order follows from who calls whom, so it may be another one now.
    for list in [&mut expected, &mut found] {
        list.components.sort_by(|a, b| a.name.cmp(&b.name));
    }
    if found == expected {
        Ok(Some(edited))
    } else {
        Err(not_editable())
    }
}

/// Puts the list item where it belongs. `None` for a form that this does not know.
fn edit(text: &str, caller: &str, item: &str) -> Option<String> {
    let line_break = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut lines: Vec<String> = text
        .split_inclusive('\n')
        .map(|line| line.trim_end_matches(['\n', '\r']).to_owned())
        .collect();
    let Some(head) = lines
        .iter()
        .position(|line| value(line, 0, "dependencies").is_some())
    else {
        if lines.last().is_some_and(|line| !line.trim().is_empty()) {
            lines.push(String::new());
        }
        lines.push("dependencies:".to_owned());
        lines.push(format!("  {caller}:"));
        lines.push(format!("    - {item}"));
        return Some(join(&lines, line_break));
    };
    match lines
        .get(head)
        .and_then(|line| value(line, 0, "dependencies"))?
    {
        "" => {}
        "{}" | "~" | "null" => {
            let line = lines.get_mut(head)?;
            *line = format!("dependencies:{}", comment(line));
        }
        _ => return None,
    }
    // The block ends with the last line of content that is further in.
    let content = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let inside = |from: usize, most: &dyn Fn(&str) -> bool| {
        let mut last = from;
        for (at, line) in lines.iter().enumerate().skip(from + 1) {
            if !content(line) {
                continue;
            }
            if !most(line) {
                break;
            }
            last = at;
        }
        last
    };
    let end = inside(head, &|line| depth(line) > 0);
    let first = lines.get(head + 1..=end)?.iter().find(|line| content(line));
    let step = first.map_or(2, |line| depth(line));
    let found = (head + 1..=end).find(|at| {
        lines
            .get(*at)
            .is_some_and(|line| value(line, step, caller).is_some())
    });
    let Some(at) = found else {
        let pad = " ".repeat(step);
        lines.insert(end + 1, format!("{pad}{caller}:"));
        lines.insert(end + 2, format!("{pad}  - {item}"));
        return Some(join(&lines, line_break));
    };
    let given = lines
        .get(at)
        .and_then(|line| value(line, step, caller))?
        .to_owned();
    if let Some(list) = given
        .strip_prefix('[')
        .and_then(|list| list.strip_suffix(']'))
    {
        let list = list.trim();
        let comma = if list.is_empty() { "" } else { ", " };
        let line = lines.get_mut(at)?;
        *line = line.replacen(&given, &format!("[{list}{comma}{item}]"), 1);
        return Some(join(&lines, line_break));
    }
    if !given.is_empty() {
        return None;
    }
    // Items of a list may stand as far in as the key that they belong to.
    let of_caller = |line: &str| {
        depth(line) > step || depth(line) == step && line.trim_start().starts_with('-')
    };
    let last = inside(at, &of_caller);
    let model = lines.get(at + 1..=last).unwrap_or_default();
    let pad = model
        .iter()
        .find(|line| line.trim_start().starts_with('-'))
        .map_or(step + 2, |line| depth(line));
    lines.insert(last + 1, format!("{}- {item}", " ".repeat(pad)));
    Some(join(&lines, line_break))
}

fn join(lines: &[String], line_break: &str) -> String {
    let mut text = lines.join(line_break);
    text.push_str(line_break);
    text
}

/// How far a line is in.
fn depth(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// What stands behind `key:` on a line that is `step` in, without a comment; `None` when the line is not of that key.
fn value<'a>(line: &'a str, step: usize, key: &str) -> Option<&'a str> {
    let body = line.get(step..).filter(|_| depth(line) == step)?;
    let quoted = [key.to_owned(), format!("\"{key}\""), format!("'{key}'")];
    let rest = quoted
        .iter()
        .find_map(|key| body.strip_prefix(key.as_str()))?;
    let rest = rest.trim_start().strip_prefix(':')?;
    let end = if rest.trim_start().starts_with('#') {
        0
    } else {
        rest.find(" #").unwrap_or(rest.len())
    };
    rest.get(..end).map(str::trim)
}

/// The comment at the end of a line, with the blank before it.
fn comment(line: &str) -> &str {
    line.find(" #").and_then(|at| line.get(at..)).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use golem_model::Coded as _;

    use super::*;

    const COMPONENTS: &str = "components: # all\n  one: { sourceWit: one/wit }\n  two: { sourceWit: two/wit }\n  three: { sourceWit: three/wit }\n";
    const ITEM: &str = "{ type: wasm-rpc, target: two }";

    fn add(text: &str, errors: bool) -> Result<Option<String>, ManifestError> {
        let manifest = read_text(Path::new("p/golem.yaml"), text)?;
        with_call(&manifest, text, "one", "two", errors)
    }

    #[track_caller]
    fn check(before: &str, after: &str) {
        let before = format!("{COMPONENTS}{before}");
        let edited = add(&before, false).unwrap().unwrap();
        assert_eq!(edited.strip_prefix(COMPONENTS), Some(after));
        assert_eq!(add(&edited, false).unwrap(), None, "a second time");
    }

    #[test]
    fn a_dependency_is_added_where_it_belongs() {
        check("", &format!("\ndependencies:\n  one:\n    - {ITEM}\n"));
        check(
            "dependencies: {} # none yet\n",
            &format!("dependencies: # none yet\n  one:\n  - {ITEM}\n").replace("  - ", "    - "),
        );
        check(
            "dependencies: # who calls whom\n  three: # last\n  - { type: wasm-rpc, target: two }\n\n# the end\n",
            &format!(
                "dependencies: # who calls whom\n  three: # last\n  - {ITEM}\n  one:\n    - {ITEM}\n\n# the end\n"
            ),
        );
        check(
            "dependencies:\n    one:\n    - type: wasm-rpc\n      target: three # why\n    # more\ntempDir: out\n",
            &format!(
                "dependencies:\n    one:\n    - type: wasm-rpc\n      target: three # why\n    - {ITEM}\n    # more\ntempDir: out\n"
            ),
        );
        check(
            "dependencies:\n  one: [{ type: wasm-rpc, target: three }] # short\n",
            &format!(
                "dependencies:\n  one: [{{ type: wasm-rpc, target: three }}, {ITEM}] # short\n"
            ),
        );
        check(
            "dependencies:\n  \"one\":\n    - { type: wasm-rpc, target: three }\n",
            &format!(
                "dependencies:\n  \"one\":\n    - {{ type: wasm-rpc, target: three }}\n    - {ITEM}\n"
            ),
        );
    }

    #[test]
    fn lines_keep_their_ends() {
        let text = COMPONENTS.replace('\n', "\r\n");
        let edited = add(&text, true).unwrap().unwrap();
        assert!(edited.starts_with(&text));
        assert!(!edited.replace("\r\n", "").contains('\n'));
        assert!(edited.contains("errorResults: true }\r\n"), "{edited}");
    }

    #[test]
    fn what_cannot_be_edited_or_must_not_be_is_refused() {
        let code = |text: &str, errors: bool| {
            add(&format!("{COMPONENTS}{text}"), errors)
                .unwrap_err()
                .code()
        };
        assert_eq!(code("dependencies: { three: [] }\n", false), "MAN-009");
        assert_eq!(
            code(
                "dependencies:\n  one: [\n    { type: wasm-rpc, target: three }]\n",
                false
            ),
            "MAN-009"
        );
        let circle = "dependencies:\n  two:\n    - { type: wasm-rpc, target: one }\n";
        assert_eq!(code(circle, false), "MAN-008");
        let there = "dependencies:\n  one:\n    - { type: wasm-rpc, target: two }\n";
        assert_eq!(code(there, true), "MAN-010");
    }
}
