// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / deps world: an import added to a world in its text. In: WIT text. Out: the same text with one more import.
//! Never touches another byte: comments, order and indentation are the user's. Read next: `dependency.rs`.

use std::ops::Range;

use crate::tolerant::{Kind, Token, tokens};

/// `text` with `import` (a whole item, such as `import a:b-stub/stub-b;`) in the world called `world`: after its last import,
/// else at its beginning. `None` when the text has no such world.
pub(super) fn with_import(text: &str, world: &str, import: &str) -> Option<String> {
    let list = tokens(text);
    let open = find(&list, world)?;
    let body = list.get(open + 1..)?;
    let items = items(body);
    let after = items
        .iter()
        .rfind(|item| item.keyword == "import")
        .map(|item| item.range.clone());
    let brace = list.get(open)?.range.clone();
    let at = after.as_ref().map_or(brace.end, |item| item.end);
    let next = body.iter().find(|token| token.range.start >= at);
    let line_end = text
        .get(at..)?
        .find('\n')
        .map_or(text.len(), |length| at + length);
    let line_break = if text.get(..line_end)?.ends_with('\r') {
        "\r\n"
    } else {
        "\n"
    };
    // A comment behind the last import stays with it, unless something else stands on the line.
    let alone = next.is_none_or(|token| token.range.start > line_end);
    let (at, piece) = if alone && line_end < text.len() {
        let model = after.or_else(|| items.first().map(|item| item.range.clone()));
        let indent = match model {
            Some(item) => indent(text, item.start),
            None => format!("{}  ", line_indent(text, brace.start)),
        };
        let at = line_end - (line_break.len() - 1);
        (at, format!("{line_break}{indent}{import}"))
    } else if next.is_some_and(|token| token.range.start == at) {
        (at, format!(" {import} "))
    } else {
        (at, format!(" {import}"))
    };
    Some([text.get(..at)?, &piece, text.get(at..)?].concat())
}

/// The index of the brace that opens the world.
fn find(list: &[Token<'_>], world: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (index, token) in list.iter().enumerate() {
        match token.kind {
            Kind::Mark('{') => depth += 1,
            Kind::Mark('}') => depth = depth.saturating_sub(1),
            Kind::Word if depth == 0 && token.text == "world" => {
                let name = list.get(index + 1).map_or("", |token| token.text);
                let brace = list.get(index + 2).map(|token| token.kind);
                if name.trim_start_matches('%') == world && brace == Some(Kind::Mark('{')) {
                    return Some(index + 2);
                }
            }
            _ => {}
        }
    }
    None
}

/// An item of a world.
struct Item<'a> {
    /// Its first word: `import`, `export`, `use`, …
    keyword: &'a str,
    range: Range<usize>,
}

/// The items of a world whose tokens follow its opening brace.
fn items<'a>(body: &[Token<'a>]) -> Vec<Item<'a>> {
    let mut found: Vec<Item<'a>> = Vec::new();
    let mut open: Option<Item<'a>> = None;
    let mut depth = 0_usize;
    let mut previous = Kind::Mark(';');
    for (index, token) in body.iter().enumerate() {
        if depth == 0 && token.kind == Kind::Mark('}') {
            break;
        }
        let item = open.get_or_insert(Item {
            keyword: "",
            range: token.range.clone(),
        });
        // The name of an attribute such as `@since(…)` is not what the item is.
        if depth == 0
            && item.keyword.is_empty()
            && token.kind == Kind::Word
            && previous != Kind::Mark('@')
        {
            item.keyword = token.text;
        }
        item.range.end = token.range.end;
        match token.kind {
            Kind::Mark('{' | '(') => depth += 1,
            Kind::Mark('}' | ')') => depth = depth.saturating_sub(1),
            _ => {}
        }
        let semicolon = |token: &Token<'_>| token.kind == Kind::Mark(';');
        let ends = semicolon(token)
            || token.kind == Kind::Mark('}') && !body.get(index + 1).is_some_and(semicolon);
        if depth == 0 && ends {
            found.extend(open.take());
        }
        previous = token.kind;
    }
    found
}

/// The white space at the start of the line of `at`.
fn line_indent(text: &str, at: usize) -> &str {
    let line = text.get(..at).unwrap_or("");
    let line = line.rsplit('\n').next().unwrap_or("");
    line.get(..line.len() - line.trim_start().len())
        .unwrap_or("")
}

/// The white space before `at` when nothing else stands before it on its line; else two blanks.
fn indent(text: &str, at: usize) -> String {
    let line = text.get(..at).unwrap_or("");
    let line = line.rsplit('\n').next().unwrap_or("");
    if line.chars().all(char::is_whitespace) {
        line.to_owned()
    } else {
        "  ".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(before: &str, after: &str) {
        let import = "import a:b-stub/stub-b;";
        assert_eq!(with_import(before, "w", import).as_deref(), Some(after));
        assert_eq!(with_import(before, "other", import), None);
    }

    #[test]
    fn the_import_goes_behind_the_last_one_and_nothing_else_moves() {
        check(
            "package a:c;\n// world w {\nworld w {\n\timport x; // why\n\n\texport y;\n}\n",
            "package a:c;\n// world w {\nworld w {\n\timport x; // why\n\timport a:b-stub/stub-b;\n\n\texport y;\n}\n",
        );
        check(
            "world w {\r\n  import x: interface { f: func(); }\r\n  export y;\r\n}\r\n",
            "world w {\r\n  import x: interface { f: func(); }\r\n  import a:b-stub/stub-b;\r\n  export y;\r\n}\r\n",
        );
        check(
            "world w {\n  @since(version = 1.0.0)\n  import x;\n  use y.{a, b};\n}",
            "world w {\n  @since(version = 1.0.0)\n  import x;\n  import a:b-stub/stub-b;\n  use y.{a, b};\n}",
        );
    }

    #[test]
    fn a_world_without_imports_gets_it_first() {
        check(
            "world %w {\n    /// Says it.\n    export y;\n}\n",
            "world %w {\n    import a:b-stub/stub-b;\n    /// Says it.\n    export y;\n}\n",
        );
        check(
            "world w {\n}\n",
            "world w {\n  import a:b-stub/stub-b;\n}\n",
        );
    }

    #[test]
    fn a_world_on_one_line_stays_on_it() {
        check("world w {}", "world w { import a:b-stub/stub-b; }");
        check(
            "world w { import x; export y; }\n",
            "world w { import x; import a:b-stub/stub-b; export y; }\n",
        );
        check(
            "interface i { world: func(); } world w { export y; }",
            "interface i { world: func(); } world w { import a:b-stub/stub-b; export y; }",
        );
    }
}
