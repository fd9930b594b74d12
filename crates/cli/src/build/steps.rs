// SPDX-License-Identifier: Apache-2.0
//! THE DESK / build steps: stub, dependency, bindings, `go build`, encode, compose. In a [`Unit`], out files.
//! Never decides what is built. Read next: `go.rs`. Why: Go guests §1; each file appears whole or not at all.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use golem_wit::{compose, deps, encode, resolve, stub};

use super::{
    BuildError, Options, Summary, Unit, bindings::Bindings, bindings::bindings, go, short, summary,
};
use crate::{error::Failure, manifest::Component, output::Out, sdk};

/// Adds stubs to the WIT of `component`, and says which of them its world does not import yet.
pub(super) fn add_stubs(
    stub_wits: &[PathBuf],
    component: &Component,
    out: &Out,
) -> Result<(), Failure> {
    let mut lines = Vec::new();
    for stub_wit in stub_wits {
        let report = deps::add_stub_dependency(stub_wit, &component.wit, true, false)?;
        for warning in &report.warnings {
            out.warn(warning);
        }
        let changed = report.created.len() + report.overwritten.len() + report.removed.len();
        if changed > 0 {
            out.note(&format!(
                "{}: added the stub {} ({changed} files)",
                component.name, report.stub
            ));
        }
        lines.push(report.import);
    }
    let lines = lines.into_iter().zip(&component.calls);
    let loaded = resolve::load(&component.wit)?;
    let world = loaded.world(component.world.as_deref())?;
    let imports: Vec<String> = loaded
        .resolve
        .worlds
        .get(world)
        .into_iter()
        .flat_map(|world| {
            world
                .imports
                .keys()
                .map(|key| loaded.resolve.name_world_key(key))
        })
        .collect();
    for (line, target) in lines {
        let wanted = line
            .trim_start_matches("import ")
            .trim_end_matches(';')
            .trim();
        if !imports.iter().any(|import| import == wanted) {
            out.warn(&format!(
                "{}: its world does not use the stub; to call it, add this line to the world in {}: {line} (or run: golem-cli add-dependency {target} --to {})",
                component.name,
                short(&component.wit),
                component.name,
            ));
        }
    }
    Ok(())
}

/// Makes the stub of `component`.
pub(super) fn build_stub(
    component: &Component,
    flavour: stub::Flavour,
    wit: &Path,
    wasm: &Path,
    out: &Out,
) -> Result<(), Failure> {
    let built = stub::build(stub::BuildRequest {
        source_wit_root: &component.wit,
        dest_wasm: wasm,
        dest_wit_root: wit,
        world: component.world.as_deref(),
        always_inline_types: false,
        flavour,
    })?;
    for note in &built.notes {
        out.warn(note);
    }
    Ok(())
}

/// Builds one component.
pub(crate) fn build(unit: &Unit, options: Options, out: &Out) -> Result<Summary, Failure> {
    let start = Instant::now();
    let go = if unit.commands.is_empty() {
        let go = compile(unit, options, out)?;
        encode_module(unit, &unit.module, out)?;
        go
    } else {
        run_commands(unit, out)?;
        start.elapsed()
    };
    finish(unit, start, go, out)
}

/// Encodes a core module that is there already.
pub(crate) fn build_from_module(unit: &Unit, module: &Path, out: &Out) -> Result<Summary, Failure> {
    let start = Instant::now();
    encode_module(unit, module, out)?;
    finish(unit, start, Duration::ZERO, out)
}

/// Bindings, then Go; how long Go took.
fn compile(unit: &Unit, options: Options, out: &Out) -> Result<Duration, Failure> {
    let go = go::Go::find(&unit.dir).map_err(BuildError::failure)?;
    let made = bindings(&Bindings {
        wit: &unit.wit,
        world: unit.world.as_deref(),
        out_dir: Some(&bindings_dir(unit)?),
        package: unit.bindings_package.as_deref(),
        style: unit.bindings_style,
    })?;
    for warning in &made.warnings {
        out.warn(warning);
    }
    if !made.written.is_empty() {
        out.note(&format!(
            "{}: wrote {} files of bindings to {}",
            unit.name,
            made.written.len(),
            short(&made.dir)
        ));
    }
    if !made.sdk_is_current {
        out.warn(&format!(
            "{}: {} is not there, or not the Go SDK of this golem-cli; to make it so: golem-cli sdk add",
            unit.name,
            sdk::DIR
        ));
    }
    out.note(&format!("{}: compiling with {}", unit.name, go.version));
    let module = std::path::absolute(&unit.module).map_err(io("write", &unit.module))?;
    make_parent(&module)?;
    let _progress = out.progress(&format!("{}: go build", unit.name));
    let start = Instant::now();
    go.build(&unit.dir, &module, options.debug, options.offline)
        .map_err(BuildError::failure)?;
    Ok(start.elapsed())
}

/// Where the bindings go: as planned, or next to `package main`.
fn bindings_dir(unit: &Unit) -> Result<PathBuf, Failure> {
    if let Some(dir) = &unit.bindings_dir {
        return Ok(dir.clone());
    }
    let loaded = resolve::load(&unit.wit)?;
    let world = loaded.world(unit.world.as_deref())?;
    let name = loaded
        .resolve
        .worlds
        .get(world)
        .map(|world| world.name.clone())
        .unwrap_or_default();
    Ok(unit
        .dir
        .join(super::default_bindings_dir(unit.bindings_style, &name)))
}

fn encode_module(unit: &Unit, module: &Path, out: &Out) -> Result<(), Failure> {
    let bytes = fs::read(module).map_err(io("read", module))?;
    let encoded = encode::encode(&bytes, &unit.wit, unit.world.as_deref())?;
    for warning in &encoded.warnings {
        out.warn(warning);
    }
    write(&unit.component_wasm, &encoded.bytes)
}

fn run_commands(unit: &Unit, out: &Out) -> Result<(), Failure> {
    make_parent(&unit.component_wasm)?;
    for command in &unit.commands {
        let Some((program, words)) = command.words.split_first() else {
            continue;
        };
        for dir in &command.mkdirs {
            fs::create_dir_all(dir).map_err(io("write", dir))?;
        }
        let shown = command.words.join(" ");
        out.note(&format!("{}: {shown}", unit.name));
        go::run(
            Command::new(program).args(words).current_dir(&command.dir),
            &shown,
            &command.dir,
            false,
        )
        .map_err(BuildError::failure)?;
    }
    if unit.component_wasm.is_file() {
        Ok(())
    } else {
        Err(BuildError::NoArtefact {
            component: unit.name.clone(),
            path: unit.component_wasm.clone(),
        }
        .failure())
    }
}

/// Composes when that is asked for, and looks at what came out.
fn finish(unit: &Unit, start: Instant, go: Duration, out: &Out) -> Result<Summary, Failure> {
    let artefact = match &unit.linked {
        Some((linked, stubs)) => {
            let composed = compose::compose_to(&unit.component_wasm, stubs, linked)?;
            for stub in &composed.unused {
                out.warn(&format!(
                    "{}: the stub {} is not used",
                    unit.name,
                    short(stub)
                ));
            }
            linked
        }
        None => &unit.component_wasm,
    };
    let bytes = fs::read(artefact).map_err(io("read", artefact))?;
    summary::summary(&unit.name, artefact, &bytes, start.elapsed(), go)
}

/// Writes next to the target and renames, so that readers see the old file or the new one.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    make_parent(path)?;
    let mut name = path
        .file_name()
        .map(std::ffi::OsStr::to_owned)
        .unwrap_or_default();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let written = fs::write(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    written.map_err(|source| {
        // The first error is the one to report.
        let _ = fs::remove_file(&temporary);
        io("write", path)(source)
    })
}

fn make_parent(path: &Path) -> Result<(), Failure> {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => {
            fs::create_dir_all(dir).map_err(io("write", dir))
        }
        _ => Ok(()),
    }
}

fn io(action: &'static str, path: &Path) -> impl Fn(std::io::Error) -> Failure {
    let path = path.to_owned();
    move |source| {
        BuildError::Io {
            action,
            path: path.clone(),
            source,
        }
        .failure()
    }
}
