// SPDX-License-Identifier: Apache-2.0
//! THE DESK / repl line: what a line of the session says. In text, out a call or a command of the session, or why it is neither.
//! Never asks a server. Read next: `../repl.rs`.

use golem_model::{Coded, suggest};

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// Nothing, or a remark.
    Nothing,
    /// A function with its parameters.
    Call(Call),
    /// `:name rest`
    Command(Command, String),
}

/// A function with its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    /// Its name, as far as it is clear.
    pub(super) function: String,
    /// One WAVE text per parameter.
    pub(super) wave: Vec<String>,
    /// All parameters as a JSON array, instead of the others.
    pub(super) json: Option<String>,
}

/// What a session does beside calling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    /// Call another component.
    Component,
    /// Print data in another way.
    Format,
    /// Show the functions.
    Functions,
    /// Show what there is.
    Help,
    /// Show what the worker has written.
    Logs,
    /// Show what the worker has done.
    Oplog,
    /// End.
    Quit,
    /// Show the worker, or call another one.
    Worker,
    /// Show the workers.
    Workers,
}

/// The commands: name, what stands behind it, what it does.
pub(super) const COMMANDS: &[(&str, &str, &str, Command)] = &[
    (
        "component",
        "NAME",
        "call another component",
        Command::Component,
    ),
    (
        "format",
        "text|json|yaml|jsonl",
        "print results in another way",
        Command::Format,
    ),
    (
        "functions",
        "",
        "show the functions that can be called",
        Command::Functions,
    ),
    ("help", "", "show this", Command::Help),
    (
        "logs",
        "",
        "show what the worker has written and logged",
        Command::Logs,
    ),
    (
        "oplog",
        "[QUERY]",
        "show what the worker has done",
        Command::Oplog,
    ),
    ("quit", "", "end the session; so does Ctrl-D", Command::Quit),
    (
        "worker",
        "[NAME]",
        "show the worker, or call another one",
        Command::Worker,
    ),
    (
        "workers",
        "",
        "show the workers of the component",
        Command::Workers,
    ),
];

/// Lines that mean nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LineError {
    /// `:word` is no command.
    #[error("`:{word}` is not a command of the session")]
    Command {
        /// The word.
        word: String,
        /// The command that is most like it.
        suggestion: Option<&'static str>,
    },
    /// No function, or parameters that do not end.
    #[error("`{text}` is not a call: {reason}")]
    Call {
        /// The line.
        text: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// The terminal, or the pipe, cannot be read.
    #[error("cannot read lines")]
    Terminal {
        /// Why.
        source: std::io::Error,
    },
    /// A command needs a word behind it, or other words.
    #[error("`:{command} {found}` does not say which")]
    Word {
        /// The command.
        command: &'static str,
        /// What stands behind it.
        found: String,
        /// What may stand behind it.
        expected: String,
    },
}

impl Coded for LineError {
    fn code(&self) -> &'static str {
        match self {
            Self::Command { .. } => "CLI-073",
            Self::Call { .. } => "CLI-074",
            Self::Word { .. } => "CLI-075",
            Self::Terminal { .. } => "CLI-076",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Command {
                suggestion: Some(name),
                ..
            } => format!("did you mean `:{name}`?"),
            Self::Command { .. } => "the commands are shown by :help".to_owned(),
            Self::Call { .. } => {
                "write NAME(WAVE, WAVE), or NAME [JSON, JSON]; the functions are shown by :functions"
                    .to_owned()
            }
            Self::Terminal { .. } => {
                "write the lines to a file: golem-cli repl --component-name NAME < FILE".to_owned()
            }
            Self::Word {
                command, expected, ..
            } => format!("write :{command} {expected}"),
        })
    }
}

/// Reads a line.
pub(super) fn read(text: &str) -> Result<Line, LineError> {
    let text = text.trim();
    if text.is_empty() || text.starts_with('#') || text.starts_with("//") {
        return Ok(Line::Nothing);
    }
    if let Some(rest) = text.strip_prefix(':') {
        let (word, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        return command(word).map(|command| Line::Command(command, rest.trim().to_owned()));
    }
    call(text).map(Line::Call)
}

fn command(word: &str) -> Result<Command, LineError> {
    let names = || COMMANDS.iter().map(|(name, ..)| *name);
    let found = COMMANDS.iter().find(|(name, ..)| *name == word);
    // The first letters are enough where they are clear: `:q`.
    let mut beginning = COMMANDS
        .iter()
        .filter(|(name, ..)| !word.is_empty() && name.starts_with(word));
    let only = beginning.next().filter(|_| beginning.next().is_none());
    match found.or(only) {
        Some((.., command)) => Ok(*command),
        None => Err(LineError::Command {
            word: word.to_owned(),
            suggestion: suggest::closest(word, names()),
        }),
    }
}

fn call(text: &str) -> Result<Call, LineError> {
    let wrong = |reason| LineError::Call {
        text: text.to_owned(),
        reason,
    };
    // `{` and `}` are parts of full names, `(` and blanks are not.
    let end = text
        .find(|c: char| c == '(' || c.is_whitespace())
        .unwrap_or(text.len());
    let (function, rest) = text.split_at(end);
    let rest = rest.trim();
    if function.is_empty() {
        return Err(wrong("a function is missing"));
    }
    let function = function.to_owned();
    if rest.is_empty() {
        let (wave, json) = (Vec::new(), None);
        return Ok(Call {
            function,
            wave,
            json,
        });
    }
    if rest.starts_with('[') {
        let (wave, json) = (Vec::new(), Some(rest.to_owned()));
        return Ok(Call {
            function,
            wave,
            json,
        });
    }
    let inner = rest
        .strip_prefix('(')
        .ok_or_else(|| wrong("parameters stand in parentheses"))?
        .strip_suffix(')')
        .ok_or_else(|| wrong("the parentheses do not end the line"))?;
    let wave = arguments(inner).ok_or_else(|| wrong("brackets or quotes do not fit"))?;
    Ok(Call {
        function,
        wave,
        json: None,
    })
}

/// How far into brackets and quotes a text is: nothing is open, something is, or a bracket closes what is not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    No,
    Yes,
    Wrong,
}

/// Walks through a text; `each` gets every comma that stands in no brackets and no quotes.
fn walk(text: &str, mut each: impl FnMut(usize)) -> Open {
    let mut closers = Vec::new();
    let mut quote: Option<char> = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if let Some(end) = quote {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                c if c == end => quote = None,
                _ => {}
            }
            continue;
        }
        match c {
            '"' | '\'' => quote = Some(c),
            '(' => closers.push(')'),
            '[' => closers.push(']'),
            '{' => closers.push('}'),
            ')' | ']' | '}' if closers.pop() != Some(c) => return Open::Wrong,
            ',' if closers.is_empty() => each(at),
            _ => {}
        }
    }
    if closers.is_empty() && quote.is_none() {
        Open::No
    } else {
        Open::Yes
    }
}

/// Whether a line goes on below: a bracket or a quote is open.
pub(super) fn is_open(text: &str) -> bool {
    let text = text.trim_start();
    !text.starts_with([':', '#']) && walk(text, |_| {}) == Open::Yes
}

/// The parameters between the outermost commas; none when brackets or quotes do not fit.
fn arguments(text: &str) -> Option<Vec<String>> {
    let mut commas = Vec::new();
    if walk(text, |at| commas.push(at)) != Open::No {
        return None;
    }
    let mut begin = 0;
    let mut all = Vec::new();
    for end in commas.into_iter().chain([text.len()]) {
        all.push(text.get(begin..end)?.trim().to_owned());
        begin = end + 1;
    }
    // `f()` has no parameter, `f(a,)` has one.
    if all.last().is_some_and(String::is_empty) {
        all.pop();
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn calls(text: &str, function: &str, wave: &[&str], json: Option<&str>) {
        let expect = Line::Call(Call {
            function: function.to_owned(),
            wave: wave.iter().map(|one| (*one).to_owned()).collect(),
            json: json.map(str::to_owned),
        });
        assert_eq!(read(text).unwrap(), expect, "{text}");
    }

    #[test]
    fn calls_are_read() {
        calls("get", "get", &[], None);
        calls("get()", "get", &[], None);
        calls(" add ( 3 ) ", "add", &["3"], None);
        calls(
            "demo:counter/api.{add}(3, \"a,b)\")",
            "demo:counter/api.{add}",
            &["3", "\"a,b)\""],
            None,
        );
        calls(
            "put({id: 7, tags: {a, b}}, [1, 2], 'x')",
            "put",
            &["{id: 7, tags: {a, b}}", "[1, 2]", "'x'"],
            None,
        );
        calls(
            "say(\"a \\\" b\", 'é')",
            "say",
            &["\"a \\\" b\"", "'é'"],
            None,
        );
        calls("add [3, \"x\"]", "add", &[], Some("[3, \"x\"]"));
    }

    #[test]
    fn commands_are_read_also_by_their_beginning() {
        let command = |text: &str| match read(text).unwrap() {
            Line::Command(command, rest) => (command, rest),
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(command(":worker w1"), (Command::Worker, "w1".to_owned()));
        assert_eq!(command(":workers"), (Command::Workers, String::new()));
        assert_eq!(command(":q"), (Command::Quit, String::new()));
        assert_eq!(read("# a remark").unwrap(), Line::Nothing);
        let error = read(":wroker").unwrap_err();
        assert_eq!(error.hint().as_deref(), Some("did you mean `:worker`?"));
    }

    #[test]
    fn what_is_no_call_says_why() {
        for (text, reason) in [
            ("(3)", "a function is missing"),
            ("add 3", "parameters stand in parentheses"),
            ("add(3", "the parentheses do not end the line"),
            ("add(3]))", "brackets or quotes do not fit"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.to_string().ends_with(reason), "{text}: {error}");
        }
    }

    #[test]
    fn lines_go_on_while_something_is_open() {
        assert!(is_open("add(3,") && is_open("say(\"a") && is_open("x [1"));
        assert!(!is_open("add(3)") && !is_open(":worker (") && !is_open("add)"));
    }
}
