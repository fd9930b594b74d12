// SPDX-License-Identifier: Apache-2.0
//! THE DESK / fuzz: random command lines, made of the words of the tree of commands and of words that nobody expects. In a seed, out
//! nothing: no line may panic. Only compiled for tests. Read next: `args.rs`.

use std::ffi::OsString;

use clap::{Command, CommandFactory as _, FromArgMatches as _};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::args::{Args, json_format};

/// Lines that are tried.
const RUNS: u32 = 10_000;
/// Words of a line behind the command.
const WORDS_MAX: usize = 8;

/// Values that are wrong, odd, long, or of another option.
const ODD: &[&str] = &[
    "",
    "-",
    "--",
    "=",
    "-1",
    "--=",
    "-=x",
    "0",
    "18446744073709551616",
    "1e309",
    "nan",
    "a=b",
    "=b",
    "a=",
    "urn:",
    "urn:worker:",
    "urn:worker:0d8e3a5c-1b2f-4c3d-8e9f-a0b1c2d3e4f5/w%",
    "urn:component:x/y/z",
    "worker:///",
    "worker:///a/b/c/d",
    "component:///%ff",
    "0/5",
    "/",
    "9/",
    "[]",
    "[1",
    "{\"typ\":3}",
    "{a: 1",
    "'",
    "\"",
    "\\",
    "\u{0}",
    "\u{1b}[31m",
    "é\u{301}",
    "👩‍👩‍👧",
    "\u{202e}abc",
    "2026-12-24T18:00:00Z",
    "2026-13-40",
    "1h30m",
    "-5s",
    "999999999999d",
    "512MiB",
    "json",
    "JSON",
    "auto",
    "tier1",
    "http://",
    "http://[::1",
    "ns:p/i.{f}",
    "..",
    "../../x",
    "status = Idle",
    "a AND (",
    "/(/",
    "--format",
    "-F",
    "--url",
    "--help",
    "-V",
    "-vvvvvvvvvv",
];

/// Every command of the tree, as the words that lead to it.
fn paths(command: &Command, path: &[String], all: &mut Vec<Vec<String>>) {
    all.push(path.to_vec());
    for below in command.get_subcommands() {
        for name in std::iter::once(below.get_name()).chain(below.get_all_aliases()) {
            let mut longer = path.to_vec();
            longer.push(name.to_owned());
            paths(below, &longer, all);
        }
    }
}

/// The options of a command, as they are written.
fn options(command: &Command) -> Vec<String> {
    let mut words = Vec::new();
    for argument in command.get_arguments() {
        let long = argument.get_long().into_iter();
        let aliases = argument.get_all_aliases().unwrap_or_default();
        for long in long.chain(aliases) {
            words.push(format!("--{long}"));
            words.push(format!("--{long}=3"));
        }
        words.extend(argument.get_short().map(|short| format!("-{short}")));
        let values = argument.get_possible_values();
        words.extend(values.iter().map(|value| value.get_name().to_owned()));
    }
    words
}

#[test]
fn no_command_line_panics() {
    let mut root = Args::command();
    root.build();
    let mut all = Vec::new();
    paths(&root, &[], &mut all);
    let vocabulary: Vec<Vec<String>> = all
        .iter()
        .map(|path| {
            let command = path
                .iter()
                .try_fold(&root, |command, word| command.find_subcommand(word));
            options(command.unwrap_or(&root))
        })
        .collect();
    // What a word is made from: an option of the command, an odd value, or any text.
    let word = prop_oneof![
        4 => any::<Index>().prop_map(|at| (0, at, String::new())),
        3 => any::<Index>().prop_map(|at| (1, at, String::new())),
        1 => (any::<Index>(), ".{0,12}").prop_map(|(at, text)| (2, at, text)),
    ];
    let line = (
        any::<Index>(),
        proptest::collection::vec(word, 0..WORDS_MAX),
    );
    let config = ProptestConfig {
        cases: RUNS,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |((command, words) in line)| {
        let at = command.index(all.len());
        let own = &vocabulary[at];
        let behind = words.into_iter().map(|(kind, index, text)| match kind {
            0 if !own.is_empty() => own[index.index(own.len())].clone(),
            0 | 1 => ODD[index.index(ODD.len())].to_owned(),
            _ => text,
        });
        let line: Vec<String> = std::iter::once("golem-cli".to_owned())
            .chain(all[at].iter().cloned())
            .chain(behind)
            .collect();
        prop_assert!(json_format(line.iter().map(OsString::from)).is_none() || line.len() > 1);
        match root.clone().try_get_matches_from(&line) {
            Ok(matches) => {
                // What clap takes, the program takes: a value is never thought of twice.
                prop_assert!(Args::from_arg_matches(&matches).is_ok(), "{line:?}");
            }
            Err(error) => {
                let text = error.render().to_string();
                prop_assert!(!text.is_empty() && !text.contains("panicked"), "{line:?}");
            }
        }
    });
}
