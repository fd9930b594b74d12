// SPDX-License-Identifier: Apache-2.0
//! THE DESK / reference: the page docs/cli-reference.md, made of the tree of commands, and the test that it is up to date.
//! In: [`Args`]. Out: Markdown. Only compiled for tests. Read next: `args.rs`.

use std::fmt::Write as _;
use std::path::Path;

use clap::{Arg, ArgAction, Command, CommandFactory as _};

use crate::args::Args;

const HEAD: &str = "# Commands and options

What `--help` says, for all commands. How things are named and values are written is in [The command line](cli.md).

Made from the source by `BLESS=1 cargo test --workspace --bin golem-cli reference`; edit the doc comments there.

";

/// The whole page.
fn page() -> String {
    let mut root = Args::command();
    root.build();
    let mut page = String::from(HEAD);
    section(&mut page, &root, root.get_name());
    page.push_str("\n## Options of every command\n\n");
    options(
        &mut page,
        root.get_arguments().filter(|arg| arg.is_global_set()),
    );
    for command in root.get_subcommands() {
        tree(&mut page, command, root.get_name());
    }
    page
}

/// A command and all below it.
fn tree(page: &mut String, command: &Command, above: &str) {
    if command.is_hide_set() {
        return;
    }
    let path = format!("{above} {}", command.get_name());
    // Writing to a string does not fail.
    let _ = write!(page, "\n## {path}\n\n");
    section(page, command, &path);
    for below in command.get_subcommands() {
        tree(page, below, &path);
    }
}

fn section(page: &mut String, command: &Command, path: &str) {
    if let Some(about) = command.get_long_about().or(command.get_about()) {
        let _ = writeln!(
            page,
            "{}.\n",
            prose(&about.to_string()).trim_end_matches('.')
        );
    }
    let aliases: Vec<String> = command
        .get_visible_aliases()
        .map(|alias| format!("`{alias}`"))
        .collect();
    if !aliases.is_empty() {
        let _ = writeln!(page, "Also written {}.\n", aliases.join(", "));
    }
    if command.has_subcommands() {
        let names: Vec<String> = command
            .get_subcommands()
            .filter(|below| !below.is_hide_set())
            .map(|below| {
                let title = format!("{path} {}", below.get_name());
                format!("[{}](#{})", below.get_name(), title.replace(' ', "-"))
            })
            .collect();
        let _ = writeln!(page, "Commands: {}.", names.join(", "));
    } else {
        let usage = command.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage:").trim();
        let _ = writeln!(page, "```text\n{usage}\n```\n");
        options(
            page,
            command
                .get_arguments()
                .filter(|arg| !arg.is_global_set() && !arg.is_hide_set() && arg.get_id() != "help"),
        );
    }
    if let Some(after) = command.get_after_long_help().or(command.get_after_help()) {
        let _ = writeln!(page, "\n```text\n{}\n```", after.to_string().trim());
    }
}

fn options<'a>(page: &mut String, arguments: impl Iterator<Item = &'a Arg>) {
    for argument in arguments {
        let _ = write!(page, "- `{}`", name(argument));
        if let Some(help) = argument.get_long_help().or(argument.get_help()) {
            let _ = write!(page, ": {}", prose(&help.to_string()));
        }
        let takes_value = argument.get_action().takes_values();
        let values: Vec<String> = argument
            .get_possible_values()
            .iter()
            .filter(|value| !value.is_hide_set() && takes_value)
            .map(|value| format!("`{}`", value.get_name()))
            .collect();
        if !values.is_empty() {
            let _ = write!(page, "; one of {}", values.join(", "));
        }
        let defaults: Vec<String> = argument
            .get_default_values()
            .iter()
            .filter(|_| takes_value)
            .map(|value| format!("`{}`", value.to_string_lossy()))
            .collect();
        if !defaults.is_empty() {
            let _ = write!(page, "; else {}", defaults.join(", "));
        }
        if let Some(variable) = argument.get_env() {
            let _ = write!(page, "; also the variable `{}`", variable.to_string_lossy());
        }
        if matches!(argument.get_action(), ArgAction::Append | ArgAction::Count) {
            page.push_str("; may be repeated");
        }
        page.push('\n');
    }
}

/// `-c, --component-name <NAME>`, or the name of a positional argument.
fn name(argument: &Arg) -> String {
    let value = argument
        .get_value_names()
        .filter(|_| argument.get_action().takes_values())
        .map(|names| {
            names
                .iter()
                .map(|name| format!("<{name}>"))
                .collect::<Vec<_>>()
                .join(" ")
        })
        .unwrap_or_default();
    let short = argument.get_short().map(|short| format!("-{short}"));
    let long = argument.get_long().map(|long| format!("--{long}"));
    let flags: Vec<String> = short.into_iter().chain(long).collect();
    format!("{} {value}", flags.join(", ")).trim().to_owned()
}

/// Text of a help as Markdown on one line: what Markdown would read as more than a letter is escaped, code stays code.
fn prose(text: &str) -> String {
    let mut out = String::new();
    let mut in_code = false;
    for c in text
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
    {
        in_code ^= c == '`';
        if !in_code && "<>[]*_|".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[test]
fn the_page_is_what_the_commands_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli-reference.md");
    let made = page();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == made,
        "docs/cli-reference.md is not what the commands say; run\n  BLESS=1 cargo test --workspace --bin golem-cli reference"
    );
}

#[test]
fn every_command_and_option_is_on_the_page() {
    let page = page();
    for part in [
        "\n## golem-cli worker invoke-and-await\n",
        "\n## golem-cli server run\n",
        "(#golem-cli-worker-oplog)",
        "\n- `-F, --format <FORMAT>`: ",
        "`--data-dir <DIR>`",
        "also the variable `GOLEM_URL`",
    ] {
        assert!(page.contains(part), "no {part}");
    }
}
