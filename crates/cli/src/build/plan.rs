// SPDX-License-Identifier: Apache-2.0
//! THE DESK / build plan: what is built, in which order. In a manifest or a directory, out [`Unit`]s and their summaries.
//! Never runs a tool. Read next: `steps.rs`.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use golem_wit::{bindgen::go::Style, resolve, stub::Flavour};
use heck::ToSnakeCase as _;

use super::{BuildError, Summary, steps};
use crate::{
    error::Failure,
    manifest::{BindingStyle, Component, ExternalCommand, Manifest},
    output::Out,
};

/// What the command line decides for all components.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Options {
    /// Keep symbols and debug information.
    pub(crate) debug: bool,
    /// Go must not fetch anything.
    pub(crate) offline: bool,
}

/// One component to build.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    /// Its name.
    pub(crate) name: String,
    /// Its WIT directory.
    pub(crate) wit: PathBuf,
    /// Its world, when there are several.
    pub(crate) world: Option<String>,
    /// The directory of its `package main`.
    pub(crate) dir: PathBuf,
    /// The look of its bindings.
    pub(crate) bindings_style: Style,
    /// Where its bindings go.
    pub(crate) bindings_dir: Option<PathBuf>,
    /// The name of the package of its bindings, when it is not the world's.
    pub(crate) bindings_package: Option<String>,
    /// The core module that Go makes.
    pub(crate) module: PathBuf,
    /// The component.
    pub(crate) component_wasm: PathBuf,
    /// The composed component, and the stubs that go into it.
    pub(crate) linked: Option<(PathBuf, Vec<PathBuf>)>,
    /// Commands that build it instead of Go.
    pub(crate) commands: Vec<ExternalCommand>,
}

/// Builds the chosen components of a manifest (all for no name): stubs of what they call, added to their WIT, then each
/// of them. Nothing of a component that is called is changed.
pub(crate) fn of_manifest(
    manifest: &Manifest,
    names: &[String],
    options: Options,
    out: &Out,
) -> Result<Vec<Summary>, Failure> {
    let chosen = manifest.select(names)?;
    let needed = with_callees(manifest, &chosen);
    let called: BTreeSet<(&str, Flavour)> = manifest
        .components
        .iter()
        .filter(|component| needed.contains(component.name.as_str()))
        .flat_map(|component| {
            let called = component.calls.iter();
            called.map(|target| (target.as_str(), flavour(component, target)))
        })
        .collect();
    let mut summaries = Vec::new();
    for component in manifest
        .components
        .iter()
        .filter(|component| needed.contains(component.name.as_str()))
    {
        let stubs: Vec<PathBuf> = component
            .calls
            .iter()
            .map(|target| stub_dir(manifest, target, flavour(component, target)).join("wit"))
            .collect();
        steps::add_stubs(&stubs, component, out)?;
        for flavour in [Flavour::Trapping, Flavour::ErrorResults] {
            if called.contains(&(component.name.as_str(), flavour)) {
                let dir = stub_dir(manifest, &component.name, flavour);
                let (wit, wasm) = (dir.join("wit"), dir.join("stub.wasm"));
                steps::build_stub(component, flavour, &wit, &wasm, out)?;
            }
        }
        if chosen.iter().any(|chosen| chosen.name == component.name) {
            summaries.push(steps::build(&unit(manifest, component), options, out)?);
        }
    }
    Ok(summaries)
}

/// The chosen components and everything that they call, directly or not.
fn with_callees<'a>(manifest: &'a Manifest, chosen: &[&'a Component]) -> BTreeSet<&'a str> {
    let mut needed: BTreeSet<&str> = chosen
        .iter()
        .map(|component| component.name.as_str())
        .collect();
    // Callees come before callers, so one pass from the end finds them all.
    for component in manifest.components.iter().rev() {
        if needed.contains(component.name.as_str()) {
            needed.extend(component.calls.iter().map(String::as_str));
        }
    }
    needed
}

/// What calls of `component` to `target` give when they fail.
fn flavour(component: &Component, target: &str) -> Flavour {
    if component.error_results.contains(target) {
        Flavour::ErrorResults
    } else {
        Flavour::Trapping
    }
}

/// Where the stub of a component goes.
pub(crate) fn stub_dir(manifest: &Manifest, name: &str, flavour: Flavour) -> PathBuf {
    let name = name.replace(':', "_");
    // No component has this name: `+` is not allowed there.
    let name = match flavour {
        Flavour::Trapping => name,
        Flavour::ErrorResults => format!("{name}+errors"),
    };
    manifest.temp_dir.join("stub").join(name)
}

fn unit(manifest: &Manifest, component: &Component) -> Unit {
    let stubs = component
        .calls
        .iter()
        .map(|target| stub_dir(manifest, target, flavour(component, target)).join("stub.wasm"))
        .collect();
    Unit {
        name: component.name.clone(),
        wit: component.wit.clone(),
        world: component.world.clone(),
        dir: component.dir.clone(),
        bindings_style: match component.bindings_style {
            BindingStyle::TinyGo => Style::TinyGo,
            BindingStyle::Go => Style::Go,
        },
        bindings_dir: component.bindings_dir.clone(),
        bindings_package: component.bindings_package.clone(),
        module: manifest
            .temp_dir
            .join("build")
            .join(component.name.replace(':', "_"))
            .join("module.wasm"),
        component_wasm: component.component_wasm.clone(),
        linked: component.linked_wasm.clone().map(|path| (path, stubs)),
        commands: component.commands.clone(),
    }
}

/// The component of a directory without a manifest: `wit/` and, here or above, `go.mod`. It goes to `output`, by default
/// `<world>.wasm` in the directory.
///
/// Errors: `NoComponent`, and those of reading WIT.
pub(crate) fn of_directory(
    dir: &Path,
    world: Option<&str>,
    output: Option<&Path>,
    style: Style,
) -> Result<Unit, Failure> {
    let missing = |why: &str| {
        BuildError::NoComponent {
            dir: dir.to_owned(),
            why: why.to_owned(),
        }
        .failure()
    };
    let wit = dir.join("wit");
    if !wit.is_dir() {
        return Err(missing(
            "no `golem.yaml` here or above, and no directory `wit`",
        ));
    }
    let loaded = resolve::load(&wit)?;
    let id = loaded.world(world)?;
    let name = loaded
        .resolve
        .worlds
        .get(id)
        .map(|world| world.name.clone())
        .unwrap_or_default();
    let snake = name.to_snake_case();
    Ok(Unit {
        bindings_style: style,
        bindings_dir: Some(dir.join(super::default_bindings_dir(style, &name))),
        bindings_package: None,
        module: dir.join("target").join(format!("{snake}.module.wasm")),
        component_wasm: output.map_or_else(|| dir.join(format!("{snake}.wasm")), Path::to_owned),
        linked: None,
        commands: Vec::new(),
        dir: dir.to_owned(),
        world: world.map(str::to_owned),
        wit,
        name,
    })
}
