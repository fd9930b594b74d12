// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / bindgen go native: `<world>_native.go`, what the imports are outside wasm: variables that a test sets.
//! In a [`Plan`], out one file. Never emits ABI code. Read next: `wrappers.rs`. Why: docs/go-bindings.md, section "Tests".

use super::Style;
use super::idiom::{self, Runtime};
use super::ir::{Func, Plan, Side, bare};
use super::text::{Source, file_end, file_start};
use super::wrappers::{result, signature};

/// The whole file.
pub(super) fn file(plan: &Plan) -> String {
    if plan.style == Style::Go {
        let mut s = Source::default();
        idiom::fakes(plan, &mut s);
        body(plan, &mut s);
        let body = s.into_string();
        let runtime = if body.contains("golemrt.") {
            Runtime::Used
        } else {
            Runtime::Absent
        };
        return idiom::file(plan, None, "!wasip1", &[], runtime, &body);
    }
    let mut s = file_start(None, &plan.package, "!wasip1", &[], None);
    body(plan, &mut s);
    file_end(s)
}

fn body(plan: &Plan, s: &mut Source) {
    for resource in plan.resources.iter().filter(|r| plan.is_here(r.scope)) {
        let go = bare(&resource.go);
        match resource.side {
            Side::Import if plan.style == Style::Go => {
                s.open(format!("func drop{go}(self *{go}) {{"));
                s.line("golemrt.Close(&self.Handle, nil)");
                s.close("}");
            }
            Side::Import => {
                s.line(format!(
                    "// Fake{go}_Drop is called by Drop outside wasm, if it is set."
                ));
                s.line(format!("var Fake{go}_Drop func(self {go})"));
                s.line("");
                s.open(format!("func drop{go}(self {go}) {{"));
                s.open(format!("if Fake{go}_Drop != nil {{"));
                s.line(format!("Fake{go}_Drop(self)"));
                s.close("}");
                s.close("}");
            }
            // Outside wasm an object is plain Go memory.
            Side::Export => s.empty_func(format!("func drop{go}({go})")),
        }
        s.line("");
    }
    let imported = |f: &&Func| {
        plan.scopes
            .get(f.scope)
            .is_some_and(|s| s.side == Side::Import && s.package == plan.here)
    };
    for func in plan.funcs.iter().filter(imported) {
        function(plan, s, func);
    }
}

fn function(plan: &Plan, s: &mut Source, func: &Func) {
    let stem = &func.stem;
    let scope = plan.scopes.get(func.scope).map_or("", |s| s.wit.as_str());
    let wit = if scope.is_empty() {
        func.wit.clone()
    } else {
        format!("{scope}#{}", func.wit)
    };
    s.line(format!(
        "// Fake{stem} answers {wit} outside wasm, that is in go test."
    ));
    s.line(format!(
        "var Fake{stem} func{}",
        signature(plan, func, false)
    ));
    s.line("");
    let params: Vec<String> = func
        .params
        .iter()
        .enumerate()
        .map(|(i, (_, t))| format!("p{i} {}", plan.go(t)))
        .collect();
    let args: Vec<String> = (0..params.len()).map(|i| format!("p{i}")).collect();
    s.open(format!(
        "func import{stem}({}){} {{",
        params.join(", "),
        result(plan, func)
    ));
    s.open(format!("if Fake{stem} == nil {{"));
    s.line(format!(
        "panic(\"{wit} exists only inside a worker: set {}.Fake{stem} in the test\")",
        plan.package
    ));
    s.close("}");
    let give = if func.result.is_some() { "return " } else { "" };
    s.line(format!("{give}Fake{stem}({})", args.join(", ")));
    s.close("}");
    s.line("");
}
