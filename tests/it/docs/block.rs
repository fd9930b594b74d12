// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / docs / block: the code blocks of a page and what their marks ask for. In: Markdown. Out: [`Block`]s in order.
//! A mark is what follows the language: `sh run`. Read next: docs/STYLE.md, "Pages that are run".

use anyhow::{Result, bail};

/// A code block.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// What is done with it.
    pub(super) kind: Kind,
    /// Its lines.
    pub(super) text: String,
    /// Line of its first line, 1-based.
    pub(super) line: usize,
}

/// What is done with a block.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `file=PATH`: it is the whole file.
    File(String),
    /// `sh server`: the server is started with it, or killed and started again.
    Server,
    /// `sh run`, or `sh run fails`: bash runs it.
    Run {
        /// It must not end well.
        fails: bool,
    },
    /// `text output` or `text errors`: what the last commands printed.
    Output(Stream),
    /// `text` alone: only shown.
    Shown,
}

/// Where something was printed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Whether some block of the page asks for something.
pub(super) fn has_marks(page: &str) -> bool {
    page.lines().any(|line| {
        line.strip_prefix("```sh ")
            .is_some_and(|mark| mark.starts_with("run") || mark == "server")
    })
}

/// The code blocks of a page. An error if one is neither marked nor `text`: on a page that is run, all that can run is run.
pub(super) fn read(page: &str) -> Result<Vec<Block>> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (line, content) in (1..).zip(page.lines()) {
        match (&mut open, content.strip_prefix("```")) {
            (Some(block), None) => {
                block.text.push_str(content);
                block.text.push('\n');
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(mark)) => {
                let words: Vec<&str> = mark.split_whitespace().collect();
                let kind = match words.as_slice() {
                    ["text"] => Kind::Shown,
                    ["text", "output"] => Kind::Output(Stream::Out),
                    ["text", "errors"] => Kind::Output(Stream::Err),
                    ["sh", "run"] => Kind::Run { fails: false },
                    ["sh", "run", "fails"] => Kind::Run { fails: true },
                    ["sh", "server"] => Kind::Server,
                    [_, file] if file.starts_with("file=") => {
                        Kind::File(file.trim_start_matches("file=").to_owned())
                    }
                    _ => bail!("line {line}: nothing says what to do with a block of `{mark}`"),
                };
                open = Some(Block {
                    kind,
                    text: String::new(),
                    line: line + 1,
                });
            }
            (None, None) => {}
        }
    }
    match open {
        Some(block) => bail!("the block of line {} does not end", block.line),
        None => Ok(blocks),
    }
}

/// Whether a command printed what the page shows. `…` stands for anything in a line, a line of `…` for any lines; blanks at
/// the ends do not count.
pub(super) fn fits(shown: &str, found: &str) -> bool {
    let lines = |text: &str| -> Vec<String> {
        text.trim()
            .lines()
            .map(|line| line.trim_end().to_owned())
            .collect()
    };
    lines_fit(&lines(shown), &lines(found))
}

fn lines_fit(shown: &[String], found: &[String]) -> bool {
    match shown.split_first() {
        None => found.is_empty(),
        Some((first, rest)) if first == "…" => {
            (0..=found.len()).any(|skipped| lines_fit(rest, &found[skipped..]))
        }
        Some((first, rest)) => found
            .split_first()
            .is_some_and(|(line, others)| line_fits(first, line) && lines_fit(rest, others)),
    }
}

fn line_fits(shown: &str, found: &str) -> bool {
    let mut parts = shown.split('…');
    let Some(mut left) = found.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else {
        return left.is_empty();
    };
    for part in between {
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    left.ends_with(last)
}

#[test]
fn blocks_are_what_their_marks_say() {
    let page = "# P\n\n```go file=a/b.go\npackage a\n```\n\n```sh run\nls\n```\n```text output\nb.go\n```\n";
    let blocks = read(page).unwrap();
    let kinds: Vec<&Kind> = blocks.iter().map(|block| &block.kind).collect();
    assert_eq!(
        kinds,
        [
            &Kind::File("a/b.go".to_owned()),
            &Kind::Run { fails: false },
            &Kind::Output(Stream::Out)
        ]
    );
    assert_eq!(
        (blocks[0].text.as_str(), blocks[0].line),
        ("package a\n", 4)
    );
    assert!(has_marks(page) && !has_marks("```sh\nls\n```\n"));
    for bad in ["```sh\nls\n```\n", "```go\nx\n```\n", "```text\nx\n"] {
        assert!(read(bad).is_err(), "{bad}");
    }
}

#[test]
fn outputs_fit_with_gaps_and_not_otherwise() {
    for (shown, found) in [
        ("a\nb", "a\nb\n"),
        ("a…c", "abbc"),
        ("…", ""),
        ("…", "a\nb"),
        ("…\nx: …,\n…", "1\n2\nx: 5,\ny"),
        ("…b…d", "abcd"),
    ] {
        assert!(fits(shown, found), "{shown} | {found}");
    }
    for (shown, found) in [
        ("a", "a\nb"),
        ("a\nb", "a"),
        ("a…c", "ab"),
        ("…\nx", "x\ny"),
        ("…bb", "b"),
        ("", "a"),
    ] {
        assert!(!fits(shown, found), "{shown} | {found}");
    }
}
