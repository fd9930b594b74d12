// SPDX-License-Identifier: Apache-2.0
//! THE DESK / usage: a wrong command line in one sentence, for programs. In what clap found and the words; out what is wrong, with the
//! offending word, and a line to paste: the same one with the word that was meant, else the help of the command. People get clap's own
//! text. Never decides what is wrong. Read next: `args.rs`, `main.rs`.

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::error::CliError;

/// The failure of a command line. `words` are all of it, the program first; `tree` is what they were read by.
pub(crate) fn explain(error: &clap::Error, words: &[String], tree: &Command) -> CliError {
    let path = path(words, tree);
    CliError::Usage {
        message: message(error, &path),
        paste: Some(corrected(error, words).unwrap_or_else(|| format!("{path} --help"))),
    }
}

/// What is wrong, one sentence.
fn message(error: &clap::Error, path: &str) -> String {
    let invalid = || one(error, ContextKind::InvalidArg).unwrap_or_default();
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let word = one(error, ContextKind::InvalidSubcommand).unwrap_or_default();
            format!("`{path}` has no command `{word}`")
        }
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            format!("`{path}` needs a command")
        }
        ErrorKind::UnknownArgument => {
            let word = invalid();
            let what = if word.starts_with('-') {
                "option"
            } else {
                "argument"
            };
            format!("`{path}` takes no {what} `{word}`")
        }
        ErrorKind::MissingRequiredArgument => {
            let missing = many(error, ContextKind::InvalidArg);
            format!("`{path}` needs {}", quoted(&missing, "and"))
        }
        ErrorKind::ArgumentConflict => {
            let others = many(error, ContextKind::PriorArg);
            match others.as_slice() {
                [] => format!("`{}` cannot be used like that", invalid()),
                [same] if *same == invalid() => format!("`{same}` can be there only once"),
                others => format!(
                    "`{}` cannot be used with {}",
                    invalid(),
                    quoted(others, "and")
                ),
            }
        }
        ErrorKind::InvalidValue => {
            let value = one(error, ContextKind::InvalidValue).unwrap_or_default();
            let known = many(error, ContextKind::ValidValue);
            let known = if known.is_empty() {
                String::new()
            } else {
                format!(": write {}", quoted(&known, "or"))
            };
            if value.is_empty() {
                format!("`{}` needs a value{known}", invalid())
            } else {
                format!("`{value}` is no value of `{}`{known}", invalid())
            }
        }
        ErrorKind::ValueValidation => {
            let value = one(error, ContextKind::InvalidValue).unwrap_or_default();
            let why = std::error::Error::source(error).map(ToString::to_string);
            let why = why.map(|why| format!(": {why}")).unwrap_or_default();
            format!("`{value}` is no value of `{}`{why}", invalid())
        }
        // The rest are rare: values without `=`, too many or too few of them, words that are no text.
        _ => {
            let text = error.render().to_string();
            let first = text.lines().next().unwrap_or_default();
            first.trim_start_matches("error: ").to_owned()
        }
    }
}

/// The command line with the word that was perhaps meant in place of the wrong one, if there is one.
fn corrected(error: &clap::Error, words: &[String]) -> Option<String> {
    let (wrong, meant) = match error.kind() {
        ErrorKind::InvalidSubcommand => (
            one(error, ContextKind::InvalidSubcommand)?,
            // The last one is the most like it.
            many(error, ContextKind::SuggestedSubcommand).pop()?,
        ),
        ErrorKind::UnknownArgument => (
            one(error, ContextKind::InvalidArg)?,
            many(error, ContextKind::SuggestedArg).pop()?,
        ),
        ErrorKind::InvalidValue => (
            one(error, ContextKind::InvalidValue).filter(|value| !value.is_empty())?,
            many(error, ContextKind::SuggestedValue).pop()?,
        ),
        _ => return None,
    };
    let mut found = false;
    let line: Vec<String> = words
        .iter()
        .skip(1)
        .map(|word| {
            let right = replaced(word, &wrong, &meant).filter(|_| !found);
            found |= right.is_some();
            shown(right.as_deref().unwrap_or(word))
        })
        .collect();
    found.then(|| format!("golem-cli {}", line.join(" ")))
}

/// A word with the wrong part of it put right: the word itself, an option before `=`, or a value behind it.
fn replaced(word: &str, wrong: &str, meant: &str) -> Option<String> {
    if word == wrong {
        return Some(meant.to_owned());
    }
    let (option, value) = word.split_once('=')?;
    if option == wrong {
        Some(format!("{meant}={value}"))
    } else if value == wrong {
        Some(format!("{option}={meant}"))
    } else {
        None
    }
}

/// A word as a shell reads it.
fn shown(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The command that the words name, as far as they do.
fn path(words: &[String], tree: &Command) -> String {
    let (mut path, mut command) = (tree.get_name().to_owned(), tree);
    let mut words = words.iter().skip(1);
    while let Some(word) = words.next() {
        if let Some(next) = command.find_subcommand(word) {
            path = format!("{path} {}", next.get_name());
            command = next;
        } else if takes_next(word, command, tree) {
            words.next();
        } else if !word.starts_with('-') {
            break;
        }
    }
    path
}

/// Whether a word is an option whose value is the next word.
fn takes_next(word: &str, command: &Command, tree: &Command) -> bool {
    let is_it = |arg: &&clap::Arg| match word.strip_prefix("--") {
        Some(long) => arg.get_long() == Some(long),
        None => word.len() == 2 && word.starts_with('-') && arg.get_short() == word.chars().nth(1),
    };
    let mut known = command.get_arguments().chain(tree.get_arguments());
    known
        .find(is_it)
        .is_some_and(|arg| arg.get_action().takes_values())
}

fn one(error: &clap::Error, kind: ContextKind) -> Option<String> {
    many(error, kind).into_iter().next()
}

fn many(error: &clap::Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        _ => Vec::new(),
    }
}

/// `a`, `b` and `c`.
fn quoted(words: &[String], and: &str) -> String {
    let all: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match all.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} {and} {last}", before.join(", ")),
        None => "more".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::*;
    use crate::args::Args;

    fn check(line: &str, message: &str, hint: &str) {
        let words: Vec<String> = std::iter::once("golem-cli")
            .chain(line.split(' '))
            .map(str::to_owned)
            .collect();
        let error = Args::try_parse_from(&words).unwrap_err();
        let CliError::Usage {
            message: said,
            paste,
        } = explain(&error, &words, &Args::command())
        else {
            panic!("{line}")
        };
        assert_eq!((said.as_str(), paste.as_deref()), (message, Some(hint)));
    }

    #[test]
    fn a_word_that_is_nearly_right_gives_the_whole_line() {
        check(
            "-F json wroker list -c a",
            "`golem-cli` has no command `wroker`",
            "golem-cli -F json worker list -c a",
        );
        check(
            "worker list --componnt-name=a -F json",
            "`golem-cli worker list` takes no option `--componnt-name`",
            "golem-cli worker list --component-name=a -F json",
        );
        check(
            "component list --format=xaml",
            "`xaml` is no value of `--format <FORMAT>`: write `text`, `json`, `yaml` or `jsonl`",
            "golem-cli component list --format=yaml",
        );
        check(
            "component liist --component-name $(rm)",
            "`golem-cli component` has no command `liist`",
            "golem-cli component list --component-name '$(rm)'",
        );
    }

    #[test]
    fn what_cannot_be_guessed_gives_the_help_of_the_command() {
        check(
            "--url http://worker component get",
            "`golem-cli component get` needs `<--component <URI>|--component-name <NAME>>`",
            "golem-cli component get --help",
        );
        check(
            "component get -c a -C component:///a",
            "`--component-name <NAME>` cannot be used with `--component <URI>`",
            "golem-cli component get --help",
        );
        check(
            "worker",
            "`golem-cli worker` needs a command",
            "golem-cli worker --help",
        );
        check(
            "worker get -c",
            "`--component-name <NAME>` needs a value",
            "golem-cli worker get --help",
        );
        check(
            "worker list -c a -c b",
            "`--component-name <NAME>` can be there only once",
            "golem-cli worker list --help",
        );
        check(
            "api-deployment deploy -d nonsense -H localhost",
            "`nonsense` is no value of `--definition <ID/VERSION>`: expected ID/VERSION",
            "golem-cli api-deployment deploy --help",
        );
        check(
            "profile list more",
            "`golem-cli profile list` takes no argument `more`",
            "golem-cli profile list --help",
        );
    }

    #[test]
    fn a_word_is_quoted_as_a_shell_reads_it() {
        for (word, expect) in [
            ("a-b:c/d", "a-b:c/d"),
            ("", "''"),
            ("it's", r"'it'\''s'"),
            ("a b", "'a b'"),
        ] {
            assert_eq!(shown(word), expect);
        }
    }
}
