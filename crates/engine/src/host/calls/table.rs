// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / calls table test: the table of classes against the WIT of every linked interface: no function is forgotten,
//! and none is listed that does not exist. `table.txt` has every function with its class: a new one shows as a difference
//! there, and somebody has to look at it. Read next: `../calls.rs`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use wit_parser::Resolve;

use super::*;

/// Rows that stand for a decision of the host and not for a function of their interface.
const NO_FUNCTIONS: [&str; 2] = [
    // A name of a component in a worker's URN is looked up.
    "golem:rpc/types.resolve-component",
    // A call that is refused before it has a target.
    "golem:rpc/types.refused",
];

/// Functions of every interface below `directory`, by the interface's name without its version.
fn functions(directory: &Path, into: &mut BTreeMap<String, Vec<String>>) {
    let mut resolve = Resolve::new();
    resolve.push_dir(directory).unwrap();
    for (_, interface) in &resolve.interfaces {
        let (Some(name), Some(package)) = (&interface.name, interface.package) else {
            continue;
        };
        let package = &resolve.packages[package].name;
        let name = format!("{}:{}/{name}", package.namespace, package.name);
        into.insert(name, interface.functions.keys().cloned().collect());
    }
}

/// Where the WIT of WASI is that the runtime links.
fn wasi() -> PathBuf {
    let rustc = Command::new("rustc").arg("-vV").output().unwrap().stdout;
    let about = String::from_utf8(rustc).unwrap();
    let host = about.lines().find_map(|line| line.strip_prefix("host: "));
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        // Packages of other systems are not on this machine.
        .args(["--filter-platform", host.unwrap()])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let wasi = packages
        .iter()
        .find(|package| package["name"] == "wasmtime-wasi")
        .unwrap();
    let manifest = Path::new(wasi["manifest_path"].as_str().unwrap());
    manifest.parent().unwrap().join("src/p2/wit")
}

fn linked() -> BTreeMap<String, Vec<String>> {
    let mut interfaces = BTreeMap::new();
    functions(&wasi(), &mut interfaces);
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("wit");
    functions(&own, &mut interfaces);
    interfaces
}

#[test]
fn every_function_of_every_linked_interface_has_a_class() {
    let interfaces = linked();
    let mut table = String::new();
    for interface in INTERFACES {
        let functions = interfaces
            .get(*interface)
            .unwrap_or_else(|| panic!("no WIT has the interface `{interface}`"));
        for function in functions {
            let name = format!("{interface}.{function}");
            let class = match ALL.iter().find(|call| call.name == name) {
                Some(call) => format!("{:?}", call.class),
                None => "Constant".to_owned(),
            };
            table += &format!("{name} {class}\n");
        }
    }
    for call in ALL {
        let exists = table
            .lines()
            .any(|line| line.split(' ').next() == Some(call.name));
        assert!(
            exists || NO_FUNCTIONS.contains(&call.name),
            "`{}` is no function of a linked interface",
            call.name
        );
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/host/calls/table.txt");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, &table).unwrap();
    }
    let reviewed = std::fs::read_to_string(&path).unwrap_or_default();
    let missing: Vec<_> = table
        .lines()
        .filter(|line| !reviewed.lines().any(|other| other == *line))
        .collect();
    let gone: Vec<_> = reviewed
        .lines()
        .filter(|line| !table.lines().any(|other| other == *line))
        .collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "look at these, then run with UPDATE_EXPECT=1. New: {missing:#?} Gone: {gone:#?}"
    );
}

#[test]
fn our_own_interfaces_are_all_linked() {
    let mut own = BTreeMap::new();
    functions(&Path::new(env!("CARGO_MANIFEST_DIR")).join("wit"), &mut own);
    // Exported by components, not imported.
    own.remove("wasi:http/incoming-handler");
    for interface in own.keys() {
        assert!(
            INTERFACES.contains(&interface.as_str()),
            "`{interface}` is not in the table"
        );
    }
}
