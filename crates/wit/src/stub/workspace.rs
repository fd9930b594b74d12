// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / stub workspace: `Makefile.toml` tasks for a Cargo workspace of components. In: [`WorkspaceRequest`].
//! Out: one file. Never runs cargo. Read next: `build.rs`. Why: client specification §3.9; Go projects do not need it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use toml_edit::{Array, DocumentMut, Item, Table, value};

use crate::files::Change;
use crate::names::identifier;
use crate::stub::error::StubError;

/// Target that the components are built for; `wasm32-wasi` of the era is called so since Rust 1.84.
const TARGET: &str = "wasm32-wasip1";

/// What `stubgen initialize-workspace` is asked for.
#[derive(Debug, Clone, Copy)]
pub struct WorkspaceRequest<'a> {
    /// Directory of the workspace's `Cargo.toml`.
    pub root: &'a Path,
    /// Members that are called.
    pub targets: &'a [String],
    /// Members that call; each may call every target.
    pub callers: &'a [String],
}

/// What `stubgen initialize-workspace` did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    /// The file that was written.
    pub makefile: PathBuf,
    /// The tasks that were set, in order.
    pub tasks: Vec<String>,
}

/// Writes the cargo-make tasks that build stubs, add them to their callers and compose. Other tasks stay as they are.
///
/// The stubs are made by `golem-cli stubgen build`, so no stub crates join the workspace.
/// Errors: [`StubError::NotAWorkspace`], [`StubError::Toml`], [`StubError::Name`], [`StubError::Write`].
pub fn initialize_workspace(request: WorkspaceRequest<'_>) -> Result<Workspace, StubError> {
    for name in request.targets.iter().chain(request.callers) {
        identifier(name)?;
    }
    let manifest = request.root.join("Cargo.toml");
    let members = read(&manifest)?.and_then(|document| {
        document
            .get("workspace")?
            .get("members")?
            .as_array()
            .map(|members| !members.is_empty())
    });
    if members != Some(true) {
        return Err(StubError::NotAWorkspace { path: manifest });
    }
    let makefile = request.root.join("Makefile.toml");
    let mut document = read(&makefile)?.unwrap_or_default();
    let tasks = tasks(request.targets, request.callers);
    let table = document
        .entry("tasks")
        .or_insert_with(|| Item::Table(Table::new()));
    let Some(table) = table.as_table_like_mut() else {
        return Err(StubError::Toml {
            path: makefile,
            message: "`tasks` is not a table".to_owned(),
        });
    };
    for (name, task) in &tasks {
        table.insert(name, Item::Table(task.clone()));
    }
    let mut change = Change::default();
    change.write(&makefile, document.to_string());
    change.apply()?;
    Ok(Workspace {
        makefile,
        tasks: tasks.into_iter().map(|(name, _)| name).collect(),
    })
}

fn read(path: &Path) -> Result<Option<DocumentMut>, StubError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(StubError::Toml {
                path: path.to_path_buf(),
                message: error.to_string(),
            });
        }
    };
    let parsed = text.parse::<DocumentMut>();
    parsed.map(Some).map_err(|error| StubError::Toml {
        path: path.to_path_buf(),
        message: error.message().to_owned(),
    })
}

fn tasks(targets: &[String], callers: &[String]) -> Vec<(String, Table)> {
    let mut tasks = vec![
        ("default".to_owned(), alias("build")),
        ("clean".to_owned(), run("cargo", &["clean"])),
        ("build".to_owned(), sequence(&["build-flow".to_owned()])),
        (
            "build-release".to_owned(),
            sequence(&["release-build-flow".to_owned()]),
        ),
        ("test".to_owned(), run("cargo", &["test"])),
    ];
    let mut regenerate = Vec::new();
    for target in targets {
        let name = format!("generate-{target}-stub");
        tasks.push((name.clone(), stub_task(target)));
        regenerate.push(name);
        for caller in callers.iter().filter(|caller| *caller != target) {
            let name = format!("add-stub-dependency-{target}-{caller}");
            tasks.push((name.clone(), dependency_task(target, caller)));
            regenerate.push(name);
        }
    }
    tasks.push(("regenerate-stubs".to_owned(), sequence(&regenerate)));
    for (prefix, profile) in [("compose", "debug"), ("compose-release", "release")] {
        for caller in callers {
            tasks.push((
                format!("{prefix}-{caller}"),
                compose_task(caller, targets, profile),
            ));
        }
    }
    for (name, prefix) in [
        ("post-build", "compose"),
        ("post-build-release", "compose-release"),
    ] {
        let steps: Vec<String> = callers
            .iter()
            .map(|caller| format!("{prefix}-{caller}"))
            .collect();
        tasks.push((name.to_owned(), sequence(&steps)));
    }
    for (name, flag, after) in [
        ("build-flow", None, "post-build"),
        (
            "release-build-flow",
            Some("--release"),
            "post-build-release",
        ),
    ] {
        let compile = format!("{name}-compile");
        let arguments: Vec<&str> = ["component", "build"].into_iter().chain(flag).collect();
        tasks.push((compile.clone(), run("cargo", &arguments)));
        tasks.push((
            name.to_owned(),
            sequence(&["regenerate-stubs".to_owned(), compile, after.to_owned()]),
        ));
    }
    tasks
}

fn stub_wasm(target: &str) -> String {
    format!("target/stubs/{}_stub.wasm", target.replace('-', "_"))
}

fn stub_task(target: &str) -> Table {
    let (source, wasm, wit) = (
        format!("{target}/wit"),
        stub_wasm(target),
        format!("{target}-stub/wit"),
    );
    run(
        "golem-cli",
        &[
            "stubgen",
            "build",
            "--source-wit-root",
            &source,
            "--dest-wasm",
            &wasm,
            "--dest-wit-root",
            &wit,
        ],
    )
}

fn dependency_task(target: &str, caller: &str) -> Table {
    let (stub, dest) = (format!("{target}-stub/wit"), format!("{caller}/wit"));
    run(
        "golem-cli",
        &[
            "stubgen",
            "add-stub-dependency",
            "--stub-wit-root",
            &stub,
            "--dest-wit-root",
            &dest,
            "--overwrite",
            "--update-cargo-toml",
        ],
    )
}

fn compose_task(caller: &str, targets: &[String], profile: &str) -> Table {
    let file = caller.replace('-', "_");
    let source = format!("target/{TARGET}/{profile}/{file}.wasm");
    let dest = format!("target/{TARGET}/{profile}/{file}_composed.wasm");
    let stubs: Vec<String> = targets
        .iter()
        .filter(|target| *target != caller)
        .map(|target| stub_wasm(target))
        .collect();
    let mut arguments = vec!["stubgen", "compose", "--source-wasm", &source];
    for stub in &stubs {
        arguments.extend(["--stub-wasm", stub.as_str()]);
    }
    arguments.extend(["--dest-wasm", &dest]);
    run("golem-cli", &arguments)
}

fn run(command: &str, arguments: &[&str]) -> Table {
    let mut table = Table::new();
    table.insert("command", value(command));
    table.insert("args", value(arguments.iter().copied().collect::<Array>()));
    table
}

fn alias(name: &str) -> Table {
    let mut table = Table::new();
    table.insert("alias", value(name));
    table
}

fn sequence(names: &[String]) -> Table {
    let mut table = Table::new();
    table.insert(
        "dependencies",
        value(names.iter().map(String::as_str).collect::<Array>()),
    );
    table
}
