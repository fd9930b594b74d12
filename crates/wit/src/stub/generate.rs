// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / stub generate: a Rust crate with the client bindings of a stub. In: [`GenerateRequest`]. Out: a crate.
//! Never compiles it. Read next: `build.rs`. Why: client specification §3.1; Go projects use `stubgen build` alone.

#![expect(
    clippy::indexing_slicing,
    reason = "arenas are indexed by the ids that they handed out"
)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use heck::{ToSnakeCase as _, ToUpperCamelCase as _};

use crate::files::Change;
use crate::names;
use crate::resolve::load;
use crate::stub::build::{invalid, plan, refuse_inside};
use crate::stub::error::StubError;
use crate::stub::interface::{Flavour, StubInterface, Target, stub_interface};
use crate::tolerant;

/// Version of the `wit-bindgen` crate that the generated crate asks for; it reads the same WIT as this crate.
const WIT_BINDGEN: &str = "0.60";

/// What `stubgen generate` is asked for.
#[derive(Debug, Clone, Copy)]
pub struct GenerateRequest<'a> {
    /// WIT directory of the target; only read.
    pub source_wit_root: &'a Path,
    /// Where the crate goes: `Cargo.toml`, `src/lib.rs`, `wit/`.
    pub dest_crate_root: &'a Path,
    /// World of the target; `None` when it has only one.
    pub world: Option<&'a str>,
    /// Version of the crate, `0.0.1` by default in the command.
    pub stub_crate_version: &'a str,
    /// Declare the target's types again in the stub instead of `use`-ing them.
    pub always_inline_types: bool,
    /// What a call that fails gives.
    pub flavour: Flavour,
}

/// What `stubgen generate` made.
#[derive(Debug, Clone)]
pub struct Generated {
    /// The stub.
    pub stub: StubInterface,
    /// The files, relative to the crate root, sorted.
    pub files: Vec<PathBuf>,
    /// What the user should know, one sentence each.
    pub notes: Vec<String>,
}

/// Makes a Rust library crate with the client bindings of a target's stub, for callers in Rust.
///
/// The crate imports the stub interface; it is no stub component: that one needs no code and comes from
/// [`crate::stub::build`]. Its WIT is in today's spelling, so that current tools read it.
/// Errors: [`StubError`], nothing is written then.
pub fn generate(request: GenerateRequest<'_>) -> Result<Generated, StubError> {
    refuse_inside(request.dest_crate_root, request.source_wit_root)?;
    let version = request.stub_crate_version;
    let numbers: Vec<&str> = version.split('-').next().unwrap_or("").split('.').collect();
    let plain = version
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+'));
    if !plain || numbers.len() != 3 || numbers.iter().any(|number| number.parse::<u64>().is_err()) {
        return Err(StubError::CrateVersion {
            version: version.to_owned(),
        });
    }
    let loaded = load(request.source_wit_root)?;
    let world = loaded.world(request.world)?;
    let world_name = loaded.resolve.worlds[world].name.clone();
    let stub = stub_interface(&loaded, world, request.always_inline_types, request.flavour)?;
    let wit_root = request.dest_crate_root.join("wit");
    let planned = plan(&loaded, &stub, &wit_root);
    planned
        .clone()
        .link()
        .map_err(|error| invalid(&loaded, &error))?;
    let mut change = Change::default();
    let mut files = vec![PathBuf::from("Cargo.toml"), PathBuf::from("src/lib.rs")];
    change.write(
        request.dest_crate_root.join("Cargo.toml"),
        manifest(&world_name, version),
    );
    change.write(request.dest_crate_root.join("src/lib.rs"), library(&stub));
    for (path, text) in planned.files() {
        change.write(wit_root.join(path), tolerant::modern(text).as_bytes());
        files.push(Path::new("wit").join(path));
    }
    change.apply()?;
    let mut notes = vec!["the crate holds client bindings; `stubgen build` makes the stub component, without a compiler".to_owned()];
    notes.extend(loaded.notes.iter().chain(&stub.notes).cloned());
    Ok(Generated { stub, files, notes })
}

fn manifest(world: &str, version: &str) -> String {
    format!(
        "[package]\nname = \"{world}-stub\"\nversion = \"{version}\"\nedition = \"2021\"\npublish = false\n\n\
         [lib]\npath = \"src/lib.rs\"\n\n[dependencies]\nwit-bindgen = \"{WIT_BINDGEN}\"\n"
    )
}

fn library(stub: &StubInterface) -> String {
    let package = &stub.package;
    let path = names::path(package, &stub.interface);
    let module = |name: &str| rust_name(&name.to_snake_case());
    // wit-bindgen marks a module with its version only when two versions of the package are there; a stub has one.
    let name = module(&package.name);
    let mut text = format!(
        "//! Client bindings of `{path}`: typed calls to workers of another component.\n//!\n\
         //! Each client resource is constructed with the URI of a worker. For a function `f` there are `blocking_f`, which\n\
         //! waits for the result, and `f`, which returns a future to `subscribe` to, or nothing when `f` has no result.\n//!\n"
    );
    for client in &stub.clients {
        let what = match &client.target {
            Target::Interface(interface) => format!("the interface `{interface}`"),
            Target::Resource {
                interface,
                resource,
                ..
            } => format!("the resource `{resource}` of `{interface}`"),
            Target::World => "the functions of the world".to_owned(),
        };
        let _ = writeln!(
            text,
            "//! * [`{}`]: {what}",
            client.resource.to_upper_camel_case()
        );
    }
    let _ = write!(
        text,
        "\nwit_bindgen::generate!({{\n    path: \"wit\",\n    inline: \"\n        package golem-client:bindings;\n        world client {{\n            \
         import {path};\n        }}\n    \",\n    world: \"golem-client:bindings/client\",\n    generate_all,\n}});\n\n\
         pub use self::{}::{name}::{}::*;\n",
        module(&package.namespace),
        module(&stub.interface),
    );
    text
}

fn rust_name(name: &str) -> String {
    const WORDS: &[&str] = &[
        "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate",
        "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl",
        "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub",
        "ref", "return", "self", "static", "struct", "super", "trait", "true", "try", "type",
        "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
    ];
    if WORDS.contains(&name) {
        format!("{name}_")
    } else {
        name.to_owned()
    }
}
