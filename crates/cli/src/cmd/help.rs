// SPDX-License-Identifier: Apache-2.0
//! THE DESK / help: the help of a command, and texts about what all commands share. In words, out a text. The texts are in
//! `src/help/`; exit codes, variables and words come from where they are kept. Read next: `args.rs`. Exit codes: the finer ones.

use std::fmt::Write as _;

use clap::{Command, CommandFactory as _};
use golem_model::{Coded, suggest};
use serde::Serialize;

use crate::error::{Failure, Outcome};
use crate::exit;
use crate::output::Out;
use crate::view::table;

/// Options of `help`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  golem-cli help
  golem-cli help worker oplog
  golem-cli help topics
  golem-cli help values")]
pub(crate) struct Args {
    /// A command, word by word; or `topics`; or a topic
    #[arg(value_name = "WORD")]
    words: Vec<String>,
}

/// A text about what several commands share.
struct Topic {
    name: &'static str,
    about: &'static str,
    text: fn() -> String,
}

/// The topics, by name.
const TOPICS: &[Topic] = &[
    Topic {
        name: "durability",
        about: "what a worker keeps, and how",
        text: || include_str!("../help/durability.txt").to_owned(),
    },
    Topic {
        name: "environment",
        about: "variables of the environment",
        text: environment,
    },
    Topic {
        name: "errors",
        about: "codes, hints, and where they are explained",
        text: errors,
    },
    Topic {
        name: "exit-codes",
        about: "the numbers that commands end with",
        text: exit_codes,
    },
    Topic {
        name: "filters",
        about: "conditions on workers, queries of oplogs",
        text: || include_str!("../help/filters.txt").to_owned(),
    },
    Topic {
        name: "glossary",
        about: "what the words mean",
        text: glossary,
    },
    Topic {
        name: "http",
        about: "how a worker serves HTTP",
        text: || include_str!("../help/http.txt").to_owned(),
    },
    Topic {
        name: "names",
        about: "how components, workers and functions are named",
        text: || include_str!("../help/names.txt").to_owned(),
    },
    Topic {
        name: "output",
        about: "streams, formats, colours, questions",
        text: || include_str!("../help/output.txt").to_owned(),
    },
    Topic {
        name: "values",
        about: "how values are written: WAVE and JSON",
        text: || include_str!("../help/values.txt").to_owned(),
    },
];

/// Words that are no command and no topic.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HelpError {
    /// There is nothing of that name.
    #[error("there is neither a command nor a topic `{words}`")]
    Unknown {
        /// What was written.
        words: String,
        /// What was perhaps meant.
        suggestion: Option<String>,
    },
}

impl Coded for HelpError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "CLI-069",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unknown {
                suggestion: Some(name),
                ..
            } => format!("did you mean `golem-cli help {name}`?"),
            Self::Unknown { .. } => {
                "commands: golem-cli --help; topics: golem-cli help topics".to_owned()
            }
        })
    }
}

/// A topic as JSON and YAML show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct TopicView {
    name: &'static str,
    about: &'static str,
}

/// Prints a help or a topic.
pub(crate) fn run(args: &Args, out: &Out) -> Outcome {
    let mut root = crate::args::Args::command();
    root.build();
    let words: Vec<&str> = args.words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => out.data(&long(&root)),
        ["topics"] => topics(out),
        [word] if topic(word).is_some() => {
            let text = topic(word).map(|topic| (topic.text)());
            out.data(&text.unwrap_or_default());
        }
        path => match below(&root, path) {
            Some(command) => out.data(&long(command)),
            None => {
                let unknown = HelpError::Unknown {
                    words: path.join(" "),
                    suggestion: suggestion(&root, path),
                };
                return Err(Failure::from(unknown).with_exit(exit::NOT_FOUND));
            }
        },
    }
    Ok(())
}

fn topic(name: &str) -> Option<&'static Topic> {
    TOPICS.iter().find(|topic| topic.name == name)
}

fn topics(out: &Out) {
    let all: Vec<TopicView> = TOPICS
        .iter()
        .map(|topic| TopicView {
            name: topic.name,
            about: topic.about,
        })
        .collect();
    out.view(&all, |all| {
        let row = |view: &TopicView| vec![view.name.to_owned(), view.about.to_owned()];
        let mut text = table(&["Topic", "About"], all.iter().map(row));
        text.push_str("\nRead one with: golem-cli help TOPIC\n");
        text
    });
}

/// The command that the words lead to, also by aliases.
fn below<'a>(root: &'a Command, path: &[&str]) -> Option<&'a Command> {
    path.iter()
        .try_fold(root, |command, word| command.find_subcommand(word))
}

fn long(command: &Command) -> String {
    command.clone().render_long_help().to_string()
}

/// The command or topic that is most like the words: the first wrong word is replaced.
fn suggestion(root: &Command, path: &[&str]) -> Option<String> {
    let mut command = root;
    let mut right = Vec::new();
    for word in path {
        match command.find_subcommand(word) {
            Some(next) => {
                right.push(*word);
                command = next;
            }
            None => {
                let commands = command.get_subcommands().map(Command::get_name);
                let topics = TOPICS
                    .iter()
                    .map(|topic| topic.name)
                    .chain(["topics"])
                    .filter(|_| right.is_empty());
                let nearest = suggest::closest(word, commands.chain(topics))?;
                right.push(nearest);
                return Some(right.join(" "));
            }
        }
    }
    None
}

fn exit_codes() -> String {
    let mut text = String::from("The numbers that commands end with\n\n");
    for (code, meaning) in exit::TABLE {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {code:>2}  {meaning}");
    }
    text.push_str(
        "\nThe commands that Golem 1.1 has too (component, worker, plugin, api-definition, api-deployment,\n\
         api-security-scheme, app, get, promise, profile, init) end with 0, 1 or 2 as they do there; the\n\
         code of the error tells failures apart.\n\n\
         Example:\n  golem-cli invoke add 3 || echo \"ended with $?\"\n",
    );
    text
}

fn errors() -> String {
    "Errors: codes and hints\n\n\
     Every error has a code that never changes its meaning: an area of three letters and a number. It\n\
     comes with one sentence that names the offending value, and with a hint, usually a command that\n\
     can be pasted.\n\n\
     \x20 error[STB-004]: the stub directory `x/wit` has no WIT files\n\
     \x20   hint: golem-cli stubgen build --source-wit-root … --dest-wit-root x/wit …\n\n\
     Examples:\n\
     \x20 golem-cli explain STB-004\n\
     \x20 golem-cli explain            (all codes)\n"
        .to_owned()
}

/// The words of docs/GLOSSARY.md.
fn glossary() -> String {
    let page = include_str!("../../../../docs/GLOSSARY.md");
    let mut text = String::from("What the words mean\n");
    for line in page.lines().filter(|line| line.starts_with("| **")) {
        let mut cells = line.trim_matches('|').splitn(2, '|').map(str::trim);
        if let (Some(word), Some(meaning)) = (cells.next(), cells.next()) {
            let plain = |cell: &str| cell.replace("**", "").replace(['`', '*'], "");
            let _ = write!(text, "\n{}\n    {}\n", plain(word), plain(meaning));
        }
    }
    text.push_str("\nExample:\n  golem-cli help names\n");
    text
}

/// The fixed text, and the options that a variable can set.
fn environment() -> String {
    let mut text = include_str!("../help/environment.txt").to_owned();
    let mut root = crate::args::Args::command();
    root.build();
    let mut rows: Vec<(String, String)> = Vec::new();
    variables(&root, root.get_name(), &mut rows);
    rows.sort();
    rows.dedup_by(|a, b| a.0 == b.0);
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    text.push('\n');
    for (name, option) in rows {
        let _ = writeln!(text, "  {name:width$}  {option}");
    }
    text
}

fn variables(command: &Command, path: &str, rows: &mut Vec<(String, String)>) {
    for argument in command.get_arguments() {
        if let (Some(name), Some(long)) = (argument.get_env(), argument.get_long()) {
            let of = if argument.is_global_set() {
                String::new()
            } else {
                format!("{path} ")
            };
            let name = name.to_string_lossy().into_owned();
            rows.push((name, format!("{of}--{long}")));
        }
    }
    for below in command.get_subcommands() {
        variables(below, &format!("{path} {}", below.get_name()), rows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_sorted_begin_with_a_heading_and_end_with_an_example() {
        let names: Vec<&str> = TOPICS.iter().map(|topic| topic.name).collect();
        assert!(names.is_sorted(), "{names:?}");
        let root = crate::args::Args::command();
        for topic in TOPICS {
            let text = (topic.text)();
            assert!(text.contains("\nExample"), "{}", topic.name);
            assert!(text.contains("golem-cli"), "{}", topic.name);
            let long = text.lines().find(|line| line.chars().count() > 140);
            assert_eq!(
                long.filter(|_| topic.name != "glossary"),
                None,
                "{}",
                topic.name
            );
            assert!(root.find_subcommand(topic.name).is_none(), "{}", topic.name);
        }
    }

    #[test]
    fn words_are_explained() {
        let text = glossary();
        assert!(
            text.contains("\nidempotency key\n    names an invocation"),
            "{text}"
        );
        assert!(environment().contains("GOLEM_URL"), "{}", environment());
    }

    #[test]
    fn wrong_words_get_the_nearest_command() {
        let mut root = crate::args::Args::command();
        root.build();
        let near = |words: &str| suggestion(&root, &words.split(' ').collect::<Vec<_>>());
        assert_eq!(near("worker opplog").as_deref(), Some("worker oplog"));
        assert_eq!(near("worke").as_deref(), Some("worker"));
        assert_eq!(near("valeus").as_deref(), Some("values"));
        assert_eq!(near("xyzzy"), None);
        assert!(below(&root, &["component", "create"]).is_some());
    }
}
