// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / bindgen go idiom: style `go`, bindings as Go programmers write them: a package per interface, errors,
//! contexts, futures. In a [`Plan`], out the files. Never emits ABI code. Read next: `decls.rs`, `calls.rs`, `clients.rs`.
//! Why: docs/go-bindings.md, section "Style go".

mod calls;
mod clients;
mod decls;
mod errors;
pub(super) mod names;

pub(super) use calls::answers;
pub(super) use clients::fakes;

use super::ir::{Plan, Side};
use super::text::{Source, file_end, file_start, unconditional};
use super::{Files, native, wasm};

/// Whether a file needs the run-time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Runtime {
    /// It mentions it.
    Used,
    /// It only has to be part of the program.
    Linked,
    /// No.
    Absent,
}

/// Packages of Go itself that generated files mention.
const STD: [&str; 4] = ["context", "errors", "fmt", "strconv"];

/// All files, relative to the output directory.
pub(super) fn files(plan: &mut Plan) -> Files {
    errors::find(plan);
    let root = plan.package.clone();
    let mut packages = vec![root.clone()];
    packages.extend(plan.scopes.iter().map(|s| s.package.clone()));
    let mut files = Files::new();
    for package in packages {
        let prefix = if package == root {
            String::new()
        } else {
            format!("{package}/")
        };
        if files.contains_key(&format!("{prefix}{package}.go")) {
            continue;
        }
        plan.here.clone_from(&package);
        plan.package.clone_from(&package);
        plan.begin_file();
        files.insert(format!("{prefix}{package}.go"), api(plan, package == root));
        let crosses = plan.funcs.iter().any(|f| plan.is_here(f.scope))
            || plan.resources.iter().any(|r| plan.is_here(r.scope));
        if crosses || package == root {
            plan.begin_file();
            files.insert(format!("{prefix}{package}_wasm.go"), wasm::file(plan));
        }
        if crosses {
            plan.begin_file();
            files.insert(format!("{prefix}{package}_native.go"), native::file(plan));
        }
    }
    plan.here.clone_from(&root);
    plan.package = root;
    files
}

/// What user code sees on every platform.
fn api(plan: &Plan, root: bool) -> String {
    let mut s = Source::default();
    decls::types(plan, &mut s);
    for (index, scope) in plan.scopes.iter().enumerate() {
        if scope.package != plan.here {
            continue;
        }
        match scope.side {
            Side::Import if scope.stub => clients::clients(plan, &mut s, index),
            Side::Import => calls::imports(plan, &mut s, index),
            Side::Export => calls::exports(plan, &mut s, scope, index),
        }
    }
    let body = s.into_string();
    let runtime = if body.contains("golemrt.Handle") {
        Runtime::Used
    } else {
        Runtime::Absent
    };
    file(plan, Some(&docs(plan, root)), "", &[], runtime, &body)
}

fn docs(plan: &Plan, root: bool) -> String {
    let here: Vec<_> = plan
        .scopes
        .iter()
        .filter(|s| s.package == plan.here)
        .collect();
    let more = |docs: Option<&str>| docs.map_or_else(String::new, |docs| format!("\n\n{docs}"));
    if root {
        return format!(
            "Package {} holds the bindings of world {}.{}",
            plan.here,
            plan.world,
            more(plan.docs.as_deref())
        );
    }
    let Some(scope) = here.first() else {
        return format!("Package {} is generated.", plan.here);
    };
    let what = match scope.side {
        Side::Import if scope.stub => "calls workers through",
        Side::Import => "holds the import",
        Side::Export => "holds the export",
    };
    format!(
        "Package {} {what} {}.{}",
        plan.here,
        scope.wit,
        more(scope.docs.as_deref())
    )
}

/// The line that says whose file it is.
pub(super) fn mark(plan: &Plan) -> String {
    unconditional(&format!("// World: {}.", plan.world))
}

/// Whether Go code uses a package; comments and the texts of messages do not count.
fn uses(code: &str, package: &str) -> bool {
    let plain = |line: &str| line.split('"').step_by(2).collect::<Vec<_>>().join("\"");
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .any(|line| {
            let line = plain(line);
            line.match_indices(package).any(|(at, _)| {
                let (before, after) = (line.get(..at), line.get(at + package.len()..));
                before.is_some_and(|text| !text.ends_with(word))
                    && after.is_some_and(|text| text.starts_with('.'))
            })
        })
}

/// A file of the package being written around its body; imports are what the body mentioned since it was begun.
pub(super) fn file(
    plan: &Plan,
    docs: Option<&str>,
    condition: &str,
    std: &[&str],
    runtime: Runtime,
    body: &str,
) -> String {
    let mentioned = plan.mentioned.borrow();
    let mut of_go: Vec<&str> = std.to_vec();
    let mut own: Vec<String> = Vec::new();
    for package in mentioned.iter().filter(|package| uses(body, package)) {
        match package.as_str() {
            name if STD.contains(&name) => of_go.push(name),
            "wit" | "rpc" | "worker" => {
                own.push(format!("\"{}\"", plan.home.package(&plan.module, package)))
            }
            _ => own.push(format!("\"{}/{package}\"", plan.path)),
        }
    }
    match runtime {
        Runtime::Used => own.push(format!("\"{}\"", plan.runtime)),
        Runtime::Linked => own.push(format!("_ \"{}\"", plan.runtime)),
        Runtime::Absent => {}
    }
    of_go.sort_unstable();
    own.sort_by_key(|import| import.trim_start_matches("_ ").to_owned());
    let mut s = file_start(docs, &plan.package, condition, &[], Some(&mark(plan)));
    match (of_go.as_slice(), own.as_slice()) {
        ([], []) => {}
        ([one], []) => s.line(format!("import \"{one}\"")),
        ([], [one]) => s.line(format!("import {one}")),
        (of_go, own) => {
            s.open("import (");
            of_go.iter().for_each(|name| s.line(format!("\"{name}\"")));
            if !of_go.is_empty() && !own.is_empty() {
                s.line("");
            }
            own.iter().for_each(|import| s.line(import));
            s.close(")");
        }
    }
    if !(of_go.is_empty() && own.is_empty()) {
        s.line("");
    }
    s.append(body);
    file_end(s)
}
