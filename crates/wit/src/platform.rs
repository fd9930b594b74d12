// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / platform: the interfaces of the platform that a module may use although its world does not name them.
//! In: what a core module imports and exports. Out: a world with just those. Never adds what the module does not ask for,
//! nor what its own world has. Read next: `encode.rs`. Why: docs/adr/0010-go-sdk.md.

#![expect(
    clippy::indexing_slicing,
    reason = "arenas are indexed by the ids that they handed out"
)]

use std::collections::{BTreeMap, BTreeSet};

use wit_parser::{Interface, Resolve, SourceMap, TypeDefKind, WorldId, WorldItem};

/// Guests are written against 0.2.0 of WASI; hosts take that for any 0.2. The texts are those of the host, which has this.
const HOST_WASI: &str = "@0.2.12";
const GUEST_WASI: &str = "@0.2.0";

/// The packages, each a list of texts, those that others use first.
const PACKAGES: &[&[&str]] = &[
    &[include_str!("../../engine/wit/deps/io.wit")],
    &[
        include_str!("../../engine/wit/deps/clocks.wit"),
        include_str!("wit/clocks.wit"),
    ],
    &[include_str!("../../engine/wit/deps/logging.wit")],
    &[include_str!("../../engine/wit/deps/keyvalue.wit")],
    &[include_str!("../../engine/wit/deps/blobstore.wit")],
    &[include_str!("../../engine/wit/deps/http.wit")],
    &[include_str!("../../engine/wit/deps/golem-rpc.wit")],
    &[
        include_str!("../../engine/wit/deps/golem-api.wit"),
        include_str!("wit/golem-snapshot.wit"),
    ],
    &[include_str!("../../engine/wit/deps/golem-worker.wit")],
];

/// The interfaces that a library may answer for a program. All others are imports.
const EXPORTS: [&str; 3] = [
    "wasi:http/incoming-handler@0.2.0",
    "golem:api/save-snapshot@1.1.0",
    "golem:api/load-snapshot@1.1.0",
];

/// What the Go SDK is made for: everything of the platform that it has an API for.
const SDK: &str = include_str!("wit/sdk.wit");

/// The functions of a core module that stand for those of interfaces, by interface.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    imports: BTreeMap<String, BTreeSet<String>>,
    exports: BTreeSet<String>,
}

impl Asked {
    /// Notes an imported function.
    pub(crate) fn import(&mut self, module: &str, field: &str) {
        let fields = self.imports.entry(module.to_owned()).or_default();
        fields.insert(field.to_owned());
    }

    /// Notes an exported function.
    pub(crate) fn export(&mut self, name: &str) {
        if let Some((interface, _)) = name.split_once('#') {
            self.exports.insert(interface.to_owned());
        }
    }

    /// A world that has those interfaces of the platform that were asked for and that `world` lacks, wholly or in part;
    /// `None` if there are none.
    ///
    /// Errors: a fault of the texts that are compiled in, which the tests exclude.
    pub(crate) fn missing(
        &self,
        resolve: &Resolve,
        world: WorldId,
    ) -> anyhow::Result<Option<(Resolve, WorldId)>> {
        let world = &resolve.worlds[world];
        let interface = |items: &wit_parser::IndexMap<wit_parser::WorldKey, WorldItem>,
                         name: &str| {
            items.iter().find_map(|(key, item)| match item {
                WorldItem::Interface { id, .. } if resolve.name_world_key(key) == name => Some(*id),
                _ => None,
            })
        };
        let (mut platform, known) = packages()?;
        let mut lines = String::new();
        for (name, fields) in &self.imports {
            let has = |field: &String| {
                interface(&world.imports, name)
                    .is_some_and(|id| answers(resolve, &resolve.interfaces[id], field))
            };
            if known.contains(name) && !EXPORTS.contains(&name.as_str()) && !fields.iter().all(has)
            {
                lines.push_str(&format!("  import {name};\n"));
            }
        }
        for name in EXPORTS {
            if self.exports.contains(name) && interface(&world.exports, name).is_none() {
                lines.push_str(&format!("  export {name};\n"));
            }
        }
        if lines.is_empty() {
            return Ok(None);
        }
        let text = format!("package golem:completed;\nworld completed {{\n{lines}}}\n");
        let package = platform.push_source("completed.wit", &text)?;
        let world = platform.select_world(&[package], None)?;
        Ok(Some((platform, world)))
    }
}

/// Whether `interface` has what core WebAssembly calls `field`.
fn answers(resolve: &Resolve, interface: &Interface, field: &str) -> bool {
    match field.strip_prefix("[resource-drop]") {
        Some(resource) => interface
            .types
            .get(resource)
            .is_some_and(|id| !matches!(resolve.types[*id].kind, TypeDefKind::Type(_))),
        None => interface.functions.contains_key(field),
    }
}

/// All packages, and the names of all their interfaces.
fn packages() -> anyhow::Result<(Resolve, BTreeSet<String>)> {
    let mut resolve = Resolve::default();
    for (index, texts) in PACKAGES.iter().enumerate() {
        let mut map = SourceMap::default();
        for (part, text) in texts.iter().enumerate() {
            map.push_str(
                &format!("platform-{index}-{part}.wit"),
                text.replace(HOST_WASI, GUEST_WASI),
            );
        }
        let group = map
            .parse()
            .map_err(|(_, error)| anyhow::anyhow!("{error:?}"))?;
        resolve.push_group(group)?;
    }
    let names = resolve
        .interfaces
        .iter()
        .filter_map(|(id, _)| resolve.id_of(id))
        .collect();
    Ok((resolve, names))
}

/// The world that the bindings of the Go SDK are generated from.
///
/// Errors: a fault of the texts that are compiled in, which the tests exclude.
pub fn sdk_world() -> anyhow::Result<(Resolve, WorldId)> {
    let (mut resolve, _) = packages()?;
    let package = resolve.push_source("sdk.wit", SDK)?;
    let world = resolve.select_world(&[package], None)?;
    Ok((resolve, world))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(text: &str) -> (Resolve, WorldId) {
        let (mut resolve, _) = packages().unwrap();
        let package = resolve.push_source("user.wit", text).unwrap();
        let world = resolve.select_world(&[package], None).unwrap();
        (resolve, world)
    }

    fn missing(asked: &Asked, user: &(Resolve, WorldId)) -> Vec<String> {
        let Some((resolve, world)) = asked.missing(&user.0, user.1).unwrap() else {
            return Vec::new();
        };
        let world = &resolve.worlds[world];
        let names = world.imports.keys().chain(world.exports.keys());
        names.map(|key| resolve.name_world_key(key)).collect()
    }

    #[test]
    fn only_what_is_asked_for_and_not_there_is_added() {
        let mut asked = Asked::default();
        asked.import("wasi:io/poll@0.2.0", "[method]pollable.block");
        asked.import("wasi:io/poll@0.2.0", "[resource-drop]pollable");
        asked.import("my:own/thing", "do");
        asked.import("wasi_snapshot_preview1", "fd_write");
        asked.export("my:own/api#call");
        asked.export("cabi_realloc");
        let bare = user("package a:b; world w {}");
        assert_eq!(missing(&asked, &bare), ["wasi:io/poll@0.2.0"]);
        let has = user("package a:b; world w { import wasi:io/poll@0.2.0; }");
        assert_eq!(missing(&asked, &has), [""; 0]);
        // What an interface uses comes along, before it; what a library answers is an export.
        asked.import("golem:worker/host@0.1.0", "poll-promise");
        asked.export("wasi:http/incoming-handler@0.2.0#handle");
        let found = missing(&asked, &has);
        let at = |name: &str| found.iter().position(|found| found == name).unwrap();
        assert!(
            at("golem:api/host@1.1.0") < at("golem:worker/host@0.1.0"),
            "{found:?}"
        );
        assert!(
            at("wasi:http/types@0.2.0") < at("wasi:http/incoming-handler@0.2.0"),
            "{found:?}"
        );
    }

    #[test]
    fn an_interface_of_which_the_user_has_a_part_is_added_when_the_rest_is_asked_for() {
        let mut resolve = Resolve::default();
        let poll = "package wasi:io@0.2.0; interface poll { resource pollable { ready: func() -> bool; } }";
        resolve.push_source("poll.wit", poll).unwrap();
        let text = "package a:b; world w { import wasi:io/poll@0.2.0; }";
        let package = resolve.push_source("user.wit", text).unwrap();
        let world = resolve.select_world(&[package], None).unwrap();
        let user = (resolve, world);
        let mut asked = Asked::default();
        asked.import("wasi:io/poll@0.2.0", "[method]pollable.ready");
        assert_eq!(missing(&asked, &user), [""; 0]);
        asked.import("wasi:io/poll@0.2.0", "poll");
        assert_eq!(missing(&asked, &user), ["wasi:io/poll@0.2.0"]);
    }

    #[test]
    fn the_world_of_the_sdk_is_understood_and_its_exports_are_those_that_may_be_added() {
        let (resolve, world) = sdk_world().unwrap();
        let exports: Vec<String> = resolve.worlds[world]
            .exports
            .keys()
            .map(|key| resolve.name_world_key(key))
            .collect();
        let mut known = EXPORTS.map(str::to_owned).to_vec();
        known.sort();
        let mut exports = exports;
        exports.sort();
        assert_eq!(exports, known);
    }
}
