// SPDX-License-Identifier: Apache-2.0
//! THE DESK / schemas: every command names the schema of what it prints, in docs/schemas/cli/v1/index.json. Only compiled for tests.
//! That the output is like that: tests/it `schemas.rs`.

use std::path::Path;

use clap::{Command, CommandFactory as _};

use crate::args::Args;

/// The words of every command that does something.
fn leaves(command: &Command, path: &str, all: &mut Vec<String>) {
    let below: Vec<&Command> = command.get_subcommands().collect();
    if below.is_empty() {
        all.push(path.to_owned());
    }
    for command in below {
        leaves(command, &format!("{path} {}", command.get_name()), all);
    }
}

#[test]
fn every_command_has_a_schema_that_is_there() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schemas/cli/v1");
    let read = |name: &str| -> serde_json::Value {
        let text = std::fs::read_to_string(dir.join(format!("{name}.json"))).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    };
    let index = read("index");
    let mut all = Vec::new();
    leaves(&Args::command(), "golem-cli", &mut all);
    let without: Vec<&String> = all
        .iter()
        .filter(|command| {
            let name = index["commands"][command.as_str()].as_str();
            name.is_none_or(|name| read(name)["title"] != name)
        })
        .collect();
    assert!(
        without.is_empty(),
        "no schema in docs/schemas/cli/v1/index.json for {without:#?}"
    );
}
