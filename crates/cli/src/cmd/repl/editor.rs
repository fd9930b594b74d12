// SPDX-License-Identifier: Apache-2.0
//! THE DESK / repl editor: lines of a person at a terminal, with history and completion. In what can be called, out lines. Bounds:
//! [`HISTORY_MAX`]. Never asks a server. Read next: `../repl.rs`.

use std::path::PathBuf;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Config, Context, Editor as Rusty, Helper};

use super::line::{COMMANDS, is_open};

/// Lines that are remembered: some days of work, and a file of some kilobytes.
const HISTORY_MAX: usize = 1000;

/// What can be completed.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// Names of functions, each with its parameters as they are shown behind `(`.
    pub(super) functions: Vec<(String, String)>,
    /// Names of workers.
    pub(super) workers: Vec<String>,
    /// Names of components.
    pub(super) components: Vec<String>,
}

impl Known {
    /// Where the word begins that is completed, and what it may become.
    fn complete(&self, line: &str) -> (usize, Vec<String>) {
        let start = line.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        let word = line.get(start..).unwrap_or_default();
        let fitting = |names: &mut dyn Iterator<Item = String>| {
            names.filter(|name| name.starts_with(word)).collect()
        };
        let first = line.get(..start).unwrap_or_default().trim();
        let found = match first {
            "" if word.starts_with(':') => {
                fitting(&mut COMMANDS.iter().map(|(name, ..)| format!(":{name}")))
            }
            "" => fitting(&mut self.functions.iter().map(|(name, params)| {
                let end = if params.is_empty() { "()" } else { "(" };
                format!("{name}{end}")
            })),
            ":worker" => fitting(&mut self.workers.iter().cloned()),
            ":component" => fitting(&mut self.components.iter().cloned()),
            ":format" => fitting(
                &mut ["text", "json", "yaml", "jsonl"]
                    .map(str::to_owned)
                    .into_iter(),
            ),
            _ => Vec::new(),
        };
        (start, found)
    }

    /// What may follow: the parameters of a function whose parenthesis was just opened.
    fn hint(&self, line: &str) -> Option<String> {
        let name = line.strip_suffix('(')?.trim();
        let found = self.functions.iter().find(|(known, _)| known == name)?;
        Some(format!("{})", found.1))
    }
}

/// What rustyline asks while a line is written.
struct Asked(Known);

impl Helper for Asked {}
impl Highlighter for Asked {
    fn highlight_hint<'h>(&self, hint: &'h str) -> std::borrow::Cow<'h, str> {
        format!("\u{1b}[2m{hint}\u{1b}[0m").into()
    }
}

impl Completer for Asked {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.0.complete(line.get(..pos).unwrap_or_default()))
    }
}

impl Hinter for Asked {
    type Hint = String;

    fn hint(&self, line: &str, pos: usize, _: &Context<'_>) -> Option<String> {
        (pos == line.len()).then(|| self.0.hint(line)).flatten()
    }
}

impl Validator for Asked {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(if is_open(context.input()) {
            ValidationResult::Incomplete
        } else {
            ValidationResult::Valid(None)
        })
    }
}

/// What a person did.
pub(super) enum Wrote {
    /// A line.
    Line(String),
    /// Ctrl-C: begin again.
    Nothing,
    /// Ctrl-D, or the terminal is gone.
    End,
}

/// Reads lines.
pub(super) struct Editor {
    rusty: Rusty<Asked, FileHistory>,
    history: Option<PathBuf>,
}

impl Editor {
    /// An editor whose lines are remembered in a file, if that can be read and written.
    pub(super) fn new(history: Option<PathBuf>) -> std::io::Result<Self> {
        let config = Config::builder()
            .max_history_size(HISTORY_MAX)
            .map_err(std::io::Error::other)?
            .history_ignore_space(true)
            .build();
        let mut rusty = Rusty::with_config(config).map_err(std::io::Error::other)?;
        if let Some(file) = &history {
            // The first session has none.
            let _ = rusty.load_history(file);
        }
        Ok(Self { rusty, history })
    }

    /// Reads a line; `known` is what can be completed.
    pub(super) fn line(&mut self, prompt: &str, known: &Known) -> Wrote {
        self.rusty.set_helper(Some(Asked(known.clone())));
        match self.rusty.readline(prompt) {
            Ok(line) => {
                // A full disk takes the memory of the session, not the session.
                let _ = self.rusty.add_history_entry(line.as_str());
                Wrote::Line(line)
            }
            Err(ReadlineError::Interrupted) => Wrote::Nothing,
            Err(_) => Wrote::End,
        }
    }

    /// Writes the history.
    pub(super) fn keep(&mut self) {
        let Some(file) = &self.history else { return };
        if let Some(dir) = file.parent() {
            let _ = std::fs::create_dir_all(dir);
        }
        // As above: what cannot be kept is not.
        let _ = self.rusty.save_history(file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        Known {
            functions: vec![
                ("add".to_owned(), "value: u64".to_owned()),
                ("get".to_owned(), String::new()),
            ],
            workers: vec!["w1".to_owned(), "w2".to_owned(), "other".to_owned()],
            components: vec!["counter".to_owned()],
        }
    }

    #[test]
    fn functions_commands_and_workers_are_completed() {
        let check = |line: &str, start: usize, expect: &[&str]| {
            let expect = expect.iter().map(|one| (*one).to_owned()).collect();
            assert_eq!(known().complete(line), (start, expect), "{line}");
        };
        check("a", 0, &["add("]);
        check("", 0, &["add(", "get()"]);
        check(":wo", 0, &[":worker", ":workers"]);
        check(":worker w", 8, &["w1", "w2"]);
        check(":component c", 11, &["counter"]);
        check(":format j", 8, &["json", "jsonl"]);
        check("add(3, ", 7, &[]);
    }

    #[test]
    fn parameters_are_hinted() {
        assert_eq!(known().hint("add(").as_deref(), Some("value: u64)"));
        assert_eq!(known().hint("get(").as_deref(), Some(")"));
        assert_eq!(known().hint("add(3"), None);
    }
}
