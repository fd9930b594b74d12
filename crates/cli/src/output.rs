// SPDX-License-Identifier: Apache-2.0
//! THE DESK / output: the one place that writes to the terminal. In data, notes and failures; out stdout (data only) and
//! stderr (all the rest). Never decides an exit code. Read next: `error.rs`. Why: docs/STYLE.md, "Errors".

use std::{
    fmt::Write as _,
    io::{IsTerminal as _, Write as _},
};

use serde::Serialize;

use crate::error::Failure;

mod progress;

pub(crate) use progress::Progress;

/// How data is printed on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// Pretty JSON, two spaces.
    Json,
    /// YAML.
    Yaml,
    /// JSON in lines: one for each element of a list, else one.
    Jsonl,
}

/// The terminal as a command sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Out {
    /// How data is printed.
    pub(crate) format: Format,
    /// No notes on standard error (errors and warnings stay).
    pub(crate) quiet: bool,
    /// Standard output takes colours.
    pub(crate) colour: bool,
    /// Standard error takes colours.
    pub(crate) colour_err: bool,
    /// Every question is answered with yes.
    pub(crate) yes: bool,
}

/// What became of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Yes, of a person or of `--yes`.
    Yes,
    /// A person said no.
    No,
    /// There is nobody to ask.
    Nobody,
}

impl Out {
    /// Settles format and colours from the flags, `NO_COLOR`, `CLICOLOR_FORCE` and the kind of the two streams.
    pub(crate) fn new(format: Format, quiet: bool, no_colour: bool) -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty() && v != "0");
        let forbidden = no_colour || std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        let forced = set("CLICOLOR_FORCE");
        let pick = |tty: bool| !forbidden && (forced || tty);
        Self {
            format,
            quiet,
            colour: pick(std::io::stdout().is_terminal()),
            colour_err: pick(std::io::stderr().is_terminal()),
            yes: false,
        }
    }

    /// The same, with every question answered with yes or not.
    pub(crate) const fn agreeing(mut self, yes: bool) -> Self {
        self.yes = yes;
        self
    }

    /// Whether data is printed for people.
    pub(crate) const fn is_text(&self) -> bool {
        matches!(self.format, Format::Text)
    }

    /// Asks a person at a terminal; nobody else is ever asked.
    pub(crate) fn ask(&self, question: &str) -> Answer {
        if self.yes {
            return Answer::Yes;
        }
        match self.read(&format!("{question} [y/N]")) {
            None => Answer::Nobody,
            Some(answer) if matches!(answer.to_lowercase().as_str(), "y" | "yes") => Answer::Yes,
            Some(_) => Answer::No,
        }
    }

    /// A line that a person at a terminal writes, without the blanks around it; none when there is nobody.
    pub(crate) fn read(&self, prompt: &str) -> Option<String> {
        if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
            return None;
        }
        let mut lock = std::io::stderr().lock();
        write!(lock, "{prompt} ").and_then(|()| lock.flush()).ok()?;
        let mut answer = String::new();
        let read = std::io::stdin().read_line(&mut answer).ok()?;
        (read > 0).then(|| answer.trim().to_owned())
    }

    /// Prints `value` as JSON or YAML, or the text that `text` makes of it. A missing final newline is added.
    pub(crate) fn view<T: Serialize>(&self, value: &T, text: impl FnOnce(&T) -> String) {
        match self.format {
            Format::Text => self.data(&text(value)),
            Format::Json => self.data(&json(value)),
            Format::Yaml => self.data(&yaml(value)),
            Format::Jsonl => match serde_json::to_value(value) {
                Ok(serde_json::Value::Array(items)) => {
                    items.iter().for_each(|item| self.line(item))
                }
                value => self.line(&value.ok()),
            },
        }
    }

    /// Prints one element of a stream: the text, or one line of JSON whatever the format, because a stream has no end at which
    /// a document could close.
    pub(crate) fn item<T: Serialize>(&self, value: &T, text: impl FnOnce(&T) -> String) {
        match self.format {
            Format::Text => self.data(&text(value)),
            Format::Json | Format::Yaml | Format::Jsonl => self.line(value),
        }
    }

    fn line<T: Serialize>(&self, value: &T) {
        self.data(&serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned()));
    }

    /// Prints a bare text on standard output, the same in every format. A missing final newline is added.
    pub(crate) fn data(&self, text: &str) {
        if self.colour_err {
            progress::clear(&mut std::io::stderr().lock());
        }
        let mut lock = std::io::stdout().lock();
        // A reader that closed the pipe (`| head`) is no failure of the command.
        let _ = lock.write_all(text.as_bytes());
        if !text.ends_with('\n') {
            let _ = lock.write_all(b"\n");
        }
        let _ = lock.flush();
    }

    /// Says on standard error what is going on; silent with `--quiet`.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            write_err(text);
        }
    }

    /// Shows on standard error that something takes its time, until what is returned is dropped. Only at a terminal, only without
    /// `--quiet`, and only after a moment.
    pub(crate) fn progress(&self, text: &str) -> Progress {
        Progress::start(!self.quiet && std::io::stderr().is_terminal(), text)
    }

    /// Says on standard error what may surprise, also with `--quiet`.
    pub(crate) fn warn(&self, text: &str) {
        write_err(&format!("{} {text}", self.paint_err("warning:", "33")));
    }

    /// Prints a failure on standard error: `error[CODE]: message`, its causes, `hint: …`; one JSON object in JSON mode.
    pub(crate) fn failure(&self, failure: &Failure) {
        let problem = &failure.problem;
        let object = || {
            serde_json::json!({ "error": {
                "code": problem.code, "message": problem.message, "hint": problem.hint,
                "causes": failure.causes, "exitCode": failure.exit,
            }})
        };
        match self.format {
            Format::Json => return write_err(&json(&object())),
            Format::Jsonl => return write_err(&object().to_string()),
            Format::Text | Format::Yaml => {}
        }
        let mut text = format!(
            "{} {}",
            self.paint_err(&format!("error[{}]:", problem.code), "1;31"),
            problem.message
        );
        for cause in &failure.causes {
            let _ = write!(text, "\n  caused by: {cause}");
        }
        if let Some(hint) = &problem.hint {
            let _ = write!(text, "\n  {} {hint}", self.paint_err("hint:", "36"));
        }
        write_err(&text);
    }

    fn paint_err(&self, text: &str, sgr: &str) -> String {
        paint(self.colour_err, text, sgr)
    }

    /// `text` in bold on standard output, when it takes colours.
    pub(crate) fn bold(&self, text: &str) -> String {
        paint(self.colour, text, "1")
    }
}

fn paint(on: bool, text: &str, sgr: &str) -> String {
    if on {
        format!("\u{1b}[{sgr}m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}

/// Pretty JSON, two spaces. A value that cannot be JSON (a map with keys that are no strings) prints as `null`.
pub(crate) fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| "null".to_owned())
}

fn yaml<T: Serialize>(value: &T) -> String {
    serde_saphyr::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

fn write_err(text: &str) {
    let mut lock = std::io::stderr().lock();
    progress::clear(&mut lock);
    let _ = writeln!(lock, "{}", text.trim_end_matches('\n'));
}

/// Writes what a tool said on standard error, as it is.
pub(crate) fn raw_err(bytes: &[u8]) {
    let mut lock = std::io::stderr().lock();
    progress::clear(&mut lock);
    let _ = lock.write_all(bytes);
}

/// Whether standard error is a terminal, so that a line of progress may be on it.
pub(crate) fn err_is_terminal() -> bool {
    std::io::stderr().is_terminal()
}
