// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / bindgen go wrappers: `<world>.go`, what user code sees on every platform: types, functions to call,
//! interfaces to answer. In a [`Plan`], out one file. Never emits ABI code. Read next: `wasm.rs`, `native.rs`.
//! Why: docs/go-bindings.md, section "Layout".

use super::decls;
use super::ir::{Func, FuncKind, Implementation, Plan, Scope, Side};
use super::text::{Source, file_end, file_start};

/// `(a A, b B) R` of `func`; without the receiver if `method`.
pub(super) fn signature(plan: &Plan, func: &Func, method: bool) -> String {
    let skip = usize::from(method && matches!(func.kind, FuncKind::Method(_)));
    let params: Vec<String> = func
        .params
        .iter()
        .skip(skip)
        .map(|(name, ty)| format!("{name} {}", plan.go(ty)))
        .collect();
    format!("({}){}", params.join(", "), result(plan, func))
}

/// The result with a leading space, or nothing.
pub(super) fn result(plan: &Plan, func: &Func) -> String {
    func.result
        .as_ref()
        .map_or_else(String::new, |t| format!(" {}", plan.go(t)))
}

fn arguments(func: &Func) -> String {
    func.params
        .iter()
        .map(|(name, _)| name.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

/// The whole file.
pub(super) fn file(plan: &Plan) -> String {
    let docs = format!(
        "Package {} holds the bindings of world {}.{}",
        plan.package,
        plan.world,
        plan.docs
            .as_deref()
            .map(|d| format!("\n\n{d}"))
            .unwrap_or_default()
    );
    let imports: &[&str] = if decls::needs_bad_kind(plan) {
        &["strconv"]
    } else {
        &[]
    };
    let mut s = file_start(Some(&docs), &plan.package, "", imports, None);
    decls::types(plan, &mut s);
    for (index, scope) in plan.scopes.iter().enumerate() {
        let funcs: Vec<&Func> = plan.funcs.iter().filter(|f| f.scope == index).collect();
        match (&scope.side, &scope.implementation) {
            (Side::Import, _) => funcs.iter().for_each(|f| imported(plan, &mut s, f)),
            (Side::Export, Some(implementation)) => {
                exported(plan, &mut s, scope, implementation, &funcs)
            }
            (Side::Export, None) => {}
        }
    }
    if decls::needs_bad_kind(plan) {
        decls::bad_kind(&mut s);
    }
    file_end(s)
}

fn imported(plan: &Plan, s: &mut Source, func: &Func) {
    s.docs(func.docs.as_deref());
    match (func.kind, func.params.first()) {
        (FuncKind::Method(_), Some((name, receiver))) => {
            s.open(format!(
                "func ({name} {}) {}{} {{",
                plan.go(receiver),
                func.go,
                signature(plan, func, true)
            ));
        }
        _ => s.open(format!(
            "func {}{} {{",
            func.go,
            signature(plan, func, false)
        )),
    }
    let give = if func.result.is_some() { "return " } else { "" };
    s.line(format!("{give}import{}({})", func.stem, arguments(func)));
    s.close("}");
    s.line("");
}

fn exported(plan: &Plan, s: &mut Source, scope: &Scope, names: &Implementation, funcs: &[&Func]) {
    let what = if scope.wit.is_empty() {
        format!("world {}", plan.world)
    } else {
        scope.wit.clone()
    };
    let Implementation {
        interface,
        setter,
        variable,
    } = names;
    match &scope.docs {
        Some(docs) => s.docs(Some(docs)),
        None => s.line(format!(
            "// {interface} is what a component answers as {what}."
        )),
    }
    let own: Vec<&&Func> = funcs
        .iter()
        .filter(|f| !matches!(f.kind, FuncKind::Method(_)))
        .collect();
    if own.is_empty() {
        s.line(format!("type {interface} interface{{}}"));
    } else {
        s.open(format!("type {interface} interface {{"));
        for func in own {
            s.docs(func.docs.as_deref());
            s.line(format!("{}{}", func.go, signature(plan, func, false)));
        }
        s.close("}");
    }
    s.line("");
    s.line(format!("var {variable} {interface}"));
    s.line("");
    s.line(format!(
        "// {setter} sets what answers the calls of {what}; call it from an init function."
    ));
    s.open(format!("func {setter}(i {interface}) {{"));
    s.line(format!("{variable} = i"));
    s.close("}");
    s.line("");
}
