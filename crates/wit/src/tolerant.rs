// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / tolerant: WIT text of the Golem 1.0/1.1 era made readable for today's parser. In: text. Out: text.
//! Never touches comments, strings or names, never moves a line. Read next: `resolve.rs`.
//! Why: the WIT packages of that era spell `float32`, `-> ()` and named results, which the grammar has dropped since.

use std::borrow::Cow;
use std::ops::Range;

/// What a token is; white space and comments make no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An identifier or a keyword, also with a leading `%`.
    Word,
    /// `->`
    Arrow,
    /// A string in double quotes.
    Text,
    /// Any other single character.
    Mark(char),
}

/// One token with its place (bytes) in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
    pub(crate) range: Range<usize>,
}

impl Token<'_> {
    fn is(&self, mark: char) -> bool {
        self.kind == Kind::Mark(mark)
    }
}

/// Cuts WIT text into tokens. Never fails: what is no word, arrow or string is a mark; the real parser judges it.
pub(crate) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let at = text.len() - rest.len();
        let (kind, length) = if first.is_whitespace() {
            (None, first.len_utf8())
        } else if rest.starts_with("//") {
            (None, rest.find('\n').unwrap_or(rest.len()))
        } else if rest.starts_with("/*") {
            (None, block_comment(rest))
        } else if rest.starts_with("->") {
            (Some(Kind::Arrow), 2)
        } else if first == '"' {
            (Some(Kind::Text), string(rest))
        } else {
            match word(rest) {
                0 => (Some(Kind::Mark(first)), first.len_utf8()),
                length => (Some(Kind::Word), length),
            }
        };
        let (token, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        if let Some(kind) = kind {
            found.push(Token {
                kind,
                text: token,
                range: at..at + token.len(),
            });
        }
        rest = after;
    }
    found
}

/// Length of the block comment at the start of `text`; block comments nest.
fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut previous = ' ';
    for (at, c) in text.char_indices() {
        match (previous, c) {
            ('/', '*') => {
                depth += 1;
                previous = ' ';
            }
            ('*', '/') => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
                previous = ' ';
            }
            _ => previous = c,
        }
    }
    text.len()
}

/// Length of the string at the start of `text`, quotes included; it ends at the end of the line at the latest.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '\n' => return at,
            '"' if !escaped => return at + 1,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    text.len()
}

/// Length of the word at the start of `text`, 0 when there is none.
fn word(text: &str) -> usize {
    let percent = usize::from(text.starts_with('%'));
    let body = text.get(percent..).unwrap_or("");
    if !body.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return 0;
    }
    let length = body
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'))
        .unwrap_or(body.len());
    // `->` straight after a word (`func()->u8` has none, but `x->` could) belongs to the arrow.
    let word = body.get(..length).unwrap_or("");
    let arrow = word.ends_with('-')
        && body
            .get(length..)
            .is_some_and(|after| after.starts_with('>'));
    percent + length - usize::from(arrow)
}

/// Replaces ranges of `text`; the ranges must be in order and must not overlap.
fn apply(text: &str, edits: &[(Range<usize>, Cow<'_, str>)]) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut at = 0;
    for (range, with) in edits {
        out.push_str(text.get(at..range.start).unwrap_or(""));
        out.push_str(with);
        at = range.end;
    }
    out.push_str(text.get(at..).unwrap_or(""));
    out
}

/// `text` in today's spelling. Lines keep their numbers; columns change only after a rewritten named result.
///
/// * the types `float32`, `float64` become `f32`, `f64`;
/// * `-> ()` becomes nothing; `-> (a: t)` becomes `-> t`; `-> (a: t, b: u)` becomes `-> tuple<t, u>`;
/// * names that became keywords later (`map`, `async`, `error-context`) get their `%`.
pub(crate) fn modern(text: &str) -> Cow<'_, str> {
    let list = tokens(text);
    let mut edits: Vec<(Range<usize>, Cow<'_, str>)> = Vec::new();
    let mut open: Vec<char> = Vec::new();
    let own_float = ["float32", "float64"].map(|name| declares(&list, name));
    for (index, token) in list.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|i| list.get(i));
        let after = list.get(index + 1);
        match token.kind {
            Kind::Mark(c @ ('{' | '(' | '<')) => open.push(c),
            Kind::Mark('}' | ')' | '>') => {
                open.pop();
            }
            Kind::Arrow => results(&list, index, &mut edits),
            Kind::Word => {
                let inner = open.last().copied();
                match token.text {
                    "float32" if !own_float[0] && is_type_place(before, after, inner) => {
                        edits.push((token.range.clone(), Cow::Borrowed("f32    ")));
                    }
                    "float64" if !own_float[1] && is_type_place(before, after, inner) => {
                        edits.push((token.range.clone(), Cow::Borrowed("f64    ")));
                    }
                    "map" | "async" | "error-context" if is_name_place(before, after, inner) => {
                        edits.push((token.range.clone(), Cow::Owned(format!("%{}", token.text))));
                    }
                    _ => {}
                }
            }
            Kind::Text | Kind::Mark(_) => {}
        }
    }
    if edits.is_empty() {
        return Cow::Borrowed(text);
    }
    edits.sort_by_key(|(range, _)| (range.start, range.end));
    Cow::Owned(apply(text, &edits))
}

/// Whether the text itself declares a type called `name`; then the word is no primitive there.
fn declares(list: &[Token<'_>], name: &str) -> bool {
    list.windows(2).any(|pair| {
        let [first, second] = pair else { return false };
        second.text == name
            && matches!(
                first.text,
                "type" | "record" | "variant" | "enum" | "flags" | "resource" | "as"
            )
    })
}

fn is_type_place(
    before: Option<&Token<'_>>,
    after: Option<&Token<'_>>,
    inner: Option<char>,
) -> bool {
    if after.is_some_and(|token| token.is(':')) {
        return false;
    }
    match before.map(|token| token.kind) {
        Some(Kind::Arrow | Kind::Mark(':' | '<' | '(' | '=')) => true,
        Some(Kind::Mark(',')) => matches!(inner, Some('<' | '(')),
        _ => false,
    }
}

fn is_name_place(
    before: Option<&Token<'_>>,
    after: Option<&Token<'_>>,
    inner: Option<char>,
) -> bool {
    let starts = matches!(
        before.map(|token| token.kind),
        Some(Kind::Mark('{' | '}' | ';' | ',' | '('))
    );
    let named = after.is_some_and(|token| token.is(':'));
    let case = after.is_some_and(|token| token.is(',') || token.is('}') || token.is('('));
    starts && (named || (case && inner == Some('{')))
}

/// The edits for the result list that starts after the arrow at `arrow`, if it is one in parentheses.
fn results<'a>(list: &[Token<'a>], arrow: usize, edits: &mut Vec<(Range<usize>, Cow<'a, str>)>) {
    let Some(open) = list.get(arrow + 1).filter(|token| token.is('(')) else {
        return;
    };
    let Some(close) = closing(list, arrow + 1) else {
        return;
    };
    let inside = list.get(arrow + 2..close).unwrap_or(&[]);
    let Some(close_token) = list.get(close) else {
        return;
    };
    let blank = |range: &Range<usize>| (range.clone(), Cow::Owned(" ".repeat(range.len())));
    if inside.is_empty() {
        let Some(arrow_token) = list.get(arrow) else {
            return;
        };
        edits.extend([
            blank(&arrow_token.range),
            blank(&open.range),
            blank(&close_token.range),
        ]);
        return;
    }
    let mut depth = 0_i32;
    let mut names = Vec::new();
    let mut starts = true;
    let mut trailing = None;
    for (index, token) in inside.iter().enumerate() {
        match token.kind {
            Kind::Mark('<' | '(') => depth += 1,
            Kind::Mark('>' | ')') => depth -= 1,
            Kind::Mark(',') if depth == 0 => {
                starts = true;
                trailing = Some(token);
                continue;
            }
            Kind::Word if starts => {
                let Some(colon) = inside.get(index + 1).filter(|token| token.is(':')) else {
                    return;
                };
                names.push((token, colon));
            }
            _ => {}
        }
        trailing = None;
        starts = false;
    }
    let (left, right) = if names.len() == 1 {
        (" ", " ")
    } else {
        ("tuple<", ">")
    };
    edits.push((open.range.clone(), Cow::Borrowed(left)));
    for (name, colon) in names {
        edits.extend([blank(&name.range), blank(&colon.range)]);
    }
    edits.extend(trailing.map(|comma| blank(&comma.range)));
    edits.push((close_token.range.clone(), Cow::Borrowed(right)));
}

/// Index of the parenthesis that closes the one at `open`.
fn closing(list: &[Token<'_>], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (index, token) in list.iter().enumerate().skip(open) {
        match token.kind {
            Kind::Mark('(') => depth += 1,
            Kind::Mark(')') => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(index);
                }
            }
            Kind::Mark('{' | '}' | ';') => return None,
            _ => {}
        }
    }
    None
}

/// `text` without the statements `import <namespace>:<name>/…;` (any version); a line that becomes blank goes as well.
pub(crate) fn without_imports<'a>(text: &'a str, namespace: &str, name: &str) -> Cow<'a, str> {
    let list = tokens(text);
    let mut edits = Vec::new();
    for (index, token) in list.iter().enumerate() {
        if token.text != "import" {
            continue;
        }
        let word = |offset: usize| {
            list.get(index + offset)
                .map_or("", |token| token.text.trim_start_matches('%'))
        };
        if word(1) != namespace || word(2) != ":" || word(3) != name || word(4) != "/" {
            continue;
        }
        let Some(end) = list.iter().skip(index).find(|token| token.is(';')) else {
            continue;
        };
        edits.push((
            whole_lines(text, token.range.start..end.range.end),
            Cow::Borrowed(""),
        ));
    }
    if edits.is_empty() {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(apply(text, &edits))
    }
}

/// Widens `range` to whole lines when nothing else stands on them.
fn whole_lines(text: &str, range: Range<usize>) -> Range<usize> {
    let start = text
        .get(..range.start)
        .map_or(0, |before| before.rfind('\n').map_or(0, |at| at + 1));
    let end = text.get(range.end..).map_or(text.len(), |after| {
        after.find('\n').map_or(text.len(), |at| range.end + at + 1)
    });
    let blank = |range: Range<usize>| text.get(range).is_some_and(|part| part.trim().is_empty());
    if blank(start..range.start) && blank(range.end..end) {
        start..end
    } else {
        range
    }
}

/// The names of the interfaces and worlds that `text` declares, as `interface x` and `world x`.
pub(crate) fn declarations(text: &str) -> Vec<String> {
    let list = tokens(text);
    let mut depth = 0_usize;
    let mut found = Vec::new();
    for (index, token) in list.iter().enumerate() {
        match token.kind {
            Kind::Mark('{') => depth += 1,
            Kind::Mark('}') => depth = depth.saturating_sub(1),
            Kind::Word if depth == 0 && matches!(token.text, "interface" | "world") => {
                let follows = list.get(index + 2).is_some_and(|token| token.is('{'));
                if let Some(name) = list
                    .get(index + 1)
                    .filter(|token| follows && token.kind == Kind::Word)
                {
                    found.push(format!(
                        "{} {}",
                        token.text,
                        name.text.trim_start_matches('%')
                    ));
                }
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, expect: &str) {
        let bare = |text: &str| text.split_whitespace().collect::<String>();
        let got = modern(input);
        assert_eq!(bare(&got), bare(expect), "{input}");
        assert_eq!(got.lines().count(), input.lines().count());
    }

    #[test]
    fn old_floats_become_new_ones_in_type_places_only() {
        check("type a = float32;", "type a = f32;");
        check(
            "f: func(x: float32, y: list<float64>) -> float64;",
            "f: func(x: f32, y: list<f64>) -> f64;",
        );
        check(
            "f: func(x: tuple<u8, float32>);",
            "f: func(x: tuple<u8, f32>);",
        );
        check(
            "variant v { prim-float32(float32), float32, float64(u8) }",
            "variant v { prim-float32(f32), float32, float64(u8) }",
        );
        check(
            "record r { float32: float32, b: float64 }",
            "record r { float32: f32, b: f64 }",
        );
        check("f: func(float32: u8);", "f: func(float32: u8);");
        check(
            "/* float32 /* float32 */ */ // : float32",
            "/* float32 /* float32 */ */ // : float32",
        );
        check(
            "type float32 = u32; type b = float32;",
            "type float32 = u32; type b = float32;",
        );
        check("enum e { float32, float64 }", "enum e { float32, float64 }");
    }

    #[test]
    fn empty_and_named_results_are_rewritten() {
        check("f: func() -> ();", "f: func();");
        check("f: func() -> (\n);", "f: func()\n;");
        check("f: func() -> (a: u8);", "f: func() -> u8;");
        check(
            "f: func() -> (a: u8, b: list<float32>);",
            "f: func() -> tuple< u8, list<f32>>;",
        );
        check(
            "f: func() -> (a: tuple<u8, u8>, b: u8,);",
            "f: func() -> tuple< tuple<u8, u8>, u8 >;",
        );
        check("f: func() -> tuple<u8>;", "f: func() -> tuple<u8>;");
        check("f: func() -> (", "f: func() -> (");
    }

    #[test]
    fn young_keywords_get_their_percent() {
        check(
            "interface i { map: func(map: u8); g: async func(); }",
            "interface i { %map: func(%map: u8); g: async func(); }",
        );
        check("enum e { map, async }", "enum e { %map, %async }");
        check(
            "interface i { f: func() -> map<string, u8>; }",
            "interface i { f: func() -> map<string, u8>; }",
        );
    }

    #[test]
    fn own_imports_are_removed_with_their_line() {
        let text =
            "world w {\n  import a:b-stub/stub-b;\n  import a:b/c; import a:b-stub/x@1.0.0;\n}\n";
        assert_eq!(
            without_imports(text, "a", "b-stub"),
            "world w {\n  import a:b/c; \n}\n"
        );
        assert!(matches!(without_imports(text, "a", "x"), Cow::Borrowed(_)));
    }

    #[test]
    fn declarations_are_those_of_the_top_level() {
        let text = "package a:b;\ninterface x { interface-y: func(); }\n/* world no {} */ world %type { export z: interface { } }";
        assert_eq!(declarations(text), ["interface x", "world type"]);
    }

    #[test]
    fn junk_never_panics() {
        for text in [
            "\"",
            "\"\\",
            "/*",
            "->",
            "-> (",
            "%",
            "%%",
            "é→ü",
            "a-",
            "a->b",
            "//",
            "import",
            "f: func() -> (a: u8",
        ] {
            let _ = modern(text);
            let _ = without_imports(text, "a", "b");
            let _ = declarations(text);
        }
    }
}
