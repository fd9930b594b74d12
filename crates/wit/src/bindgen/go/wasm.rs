// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / bindgen go wasm: `<world>_wasm.go`, the imports and exports of the core module. In a [`Plan`], out one file.
//! Never declares a type. Read next: `abi.rs`. Why: docs/go-bindings.md, section "Design"; canonical ABI, `lift` and `lower`.

use super::Style;
use super::abi::Abi;
use super::idiom::{self, Runtime};
use super::ir::{Flat, Func, FuncKind, Kind, Plan, Side, Ty, bare};
use super::text::{Source, file_end, file_start};
use super::wrappers::result as result_of;

/// Above this many core parameters the canonical ABI passes one address instead (`MAX_FLAT_PARAMS`).
pub(super) const MAX_FLAT_PARAMS: usize = 16;
/// Above this many core results the canonical ABI uses memory (`MAX_FLAT_RESULTS`).
pub(super) const MAX_FLAT_RESULTS: usize = 1;

/// How a function crosses the border, in core terms.
struct Crossing {
    params: Vec<Flat>,
    /// The parameters are behind one address.
    spilled: bool,
    results: Vec<Flat>,
    /// The result is behind an address.
    in_memory: bool,
}

impl Crossing {
    fn of(plan: &Plan, func: &Func) -> Self {
        let params: Vec<Flat> = func.params.iter().flat_map(|(_, t)| plan.flat(t)).collect();
        let results = func
            .result
            .as_ref()
            .map(|t| plan.flat(t))
            .unwrap_or_default();
        Self {
            spilled: params.len() > MAX_FLAT_PARAMS,
            in_memory: results.len() > MAX_FLAT_RESULTS,
            params,
            results,
        }
    }

    /// `(a0 uint32, a1 uint64)`; a spilled list is the one address `a0`.
    fn declared(&self) -> Vec<String> {
        let params: &[Flat] = if self.spilled {
            &[Flat::I32]
        } else {
            &self.params
        };
        params
            .iter()
            .enumerate()
            .map(|(i, f)| format!("a{i} {}", f.go()))
            .collect()
    }

    fn result(&self) -> String {
        match self.results.first() {
            Some(_) if self.in_memory => " uint32".to_owned(),
            Some(flat) => format!(" {}", flat.go()),
            None => String::new(),
        }
    }
}

/// The whole file, or `None` if nothing crosses the border in this world.
pub(super) fn file(plan: &Plan) -> String {
    let mut abi = Abi::new(plan);
    let mut body = Source::default();
    for (id, resource) in plan.resources.iter().enumerate() {
        if !plan.is_here(resource.scope) {
            continue;
        }
        match resource.side {
            Side::Import => imported_resource(plan, &mut body, id),
            Side::Export => exported_resource(plan, &abi, &mut body, id),
        }
    }
    for func in plan.funcs.iter().filter(|f| plan.is_here(f.scope)) {
        match plan.scopes.get(func.scope).map(|s| s.side) {
            Some(Side::Export) => export(plan, &mut abi, &mut body, func),
            _ => import(plan, &mut abi, &mut body, func),
        }
    }
    if plan.style == Style::Go {
        idiom::answers(plan, &mut body);
    }
    for (index, scope) in plan.scopes.iter().enumerate() {
        let called = |f: &Func| f.scope == index && !matches!(f.kind, FuncKind::Method(_));
        if let Some(names) = &scope.implementation
            && plan.style == Style::TinyGo
            && plan.funcs.iter().any(called)
        {
            let what = if scope.wit.is_empty() {
                &plan.world
            } else {
                &scope.wit
            };
            body.open(format!(
                "func answer{}() {} {{",
                names.interface, names.interface
            ));
            body.open(format!("if {} == nil {{", names.variable));
            body.line(format!(
                "golemrt.NotSet(\"{what}\", \"{}.{}\")",
                plan.package, names.setter
            ));
            body.close("}");
            body.line(format!("return {}", names.variable));
            body.close("}");
            body.line("");
        }
    }
    let uses_math = abi.uses_math;
    for id in std::mem::take(&mut abi.foreign_drops) {
        foreign_drop(plan, &mut abi, &mut body, id);
    }
    for helper in abi.into_helpers() {
        body.append(&helper);
        body.line("");
    }
    let body = body.into_string();
    if plan.style == Style::Go {
        let mut std = Vec::new();
        if uses_math {
            std.push("math");
        }
        if body.contains("unsafe.") {
            std.push("unsafe");
        }
        // The run-time is always linked: it exports the allocator that the adapter needs.
        let runtime = if body.contains("golemrt.") {
            Runtime::Used
        } else {
            Runtime::Linked
        };
        return idiom::file(plan, None, "wasip1", &std, runtime, &body);
    }
    let mut imports = Vec::new();
    if uses_math {
        imports.push("math");
    }
    if body.contains("unsafe.") {
        imports.push("unsafe");
    }
    let mut s = file_start(None, &plan.package, "wasip1", &[], None);
    // The run-time is always linked: it exports the allocator that the adapter needs.
    let runtime = format!(
        "{}\"{}\"",
        if body.contains("golemrt.") { "" } else { "_ " },
        plan.runtime
    );
    if imports.is_empty() {
        s.line(format!("import {runtime}"));
    } else {
        s.open("import (");
        imports.iter().for_each(|i| s.line(format!("\"{i}\"")));
        s.line("");
        s.line(runtime);
        s.close(")");
    }
    s.line("");
    s.append(&body);
    file_end(s)
}

fn imported_resource(plan: &Plan, s: &mut Source, id: usize) {
    let Some(resource) = plan.resources.get(id) else {
        return;
    };
    let module = plan
        .scopes
        .get(resource.scope)
        .map_or("", |s| s.import_module());
    let go = bare(&resource.go);
    s.line(format!(
        "//go:wasmimport {module} [resource-drop]{}",
        resource.wit
    ));
    s.line(format!("func wasmDrop{go}(a0 uint32)"));
    s.line("");
    match plan.style {
        Style::TinyGo => {
            s.open(format!("func drop{go}(self {go}) {{"));
            s.line("golemrt.Returned(uint32(self))");
            s.line(format!("wasmDrop{go}(uint32(self))"));
        }
        Style::Go => {
            s.open(format!("func drop{go}(self *{go}) {{"));
            s.line(format!("golemrt.Close(&self.Handle, wasmDrop{go})"));
        }
    }
    s.close("}");
    s.line("");
}

/// The drop of a resource that another package of these bindings has: borrowed arguments go back through it.
fn foreign_drop(plan: &Plan, abi: &mut Abi, s: &mut Source, id: usize) {
    let Some(resource) = plan.resources.get(id) else {
        return;
    };
    let module = plan
        .scopes
        .get(resource.scope)
        .map_or("", |s| s.import_module());
    s.line(format!(
        "//go:wasmimport {module} [resource-drop]{}",
        resource.wit
    ));
    s.line(format!("func {}(a0 uint32)", abi.drop_name(id)));
    s.line("");
}

fn exported_resource(plan: &Plan, abi: &Abi, s: &mut Source, id: usize) {
    let Some(resource) = plan.resources.get(id) else {
        return;
    };
    let Some(scope) = plan.scopes.get(resource.scope) else {
        return;
    };
    let (go, wit, table) = (bare(&resource.go), &resource.wit, abi.table(id));
    for (intrinsic, signature) in [
        ("new", "(rep uint32) uint32"),
        ("rep", "(handle uint32) uint32"),
        ("drop", "(handle uint32)"),
    ] {
        s.line(format!(
            "//go:wasmimport [export]{} [resource-{intrinsic}]{wit}",
            scope.wit
        ));
        s.line(format!("func {intrinsic}{table}{signature}"));
        s.line("");
    }
    if plan.style == Style::Go {
        s.line(format!(
            "// {table} is for generated code: it knows the objects behind the handles of {go}."
        ));
    }
    s.line(format!(
        "var {table} = golemrt.NewTable[{go}](new{table}, rep{table}, drop{table})"
    ));
    s.line("");
    s.line(format!(
        "//go:wasmexport {}",
        scope.export_name(&format!("[dtor]{wit}"))
    ));
    s.open(format!("func destroy{table}(rep uint32) {{"));
    s.line(format!("{table}.Destroy(rep)"));
    s.close("}");
    s.line("");
    s.open(format!("func drop{go}(self {go}) {{"));
    s.line(format!("{table}.Drop(self)"));
    s.close("}");
    s.line("");
}

fn import(plan: &Plan, abi: &mut Abi, s: &mut Source, func: &Func) {
    let crossing = Crossing::of(plan, func);
    let module = plan
        .scopes
        .get(func.scope)
        .map_or("", |s| s.import_module());
    let mut declared = crossing.declared();
    if crossing.in_memory {
        declared.push("ret uint32".to_owned());
    }
    let core_result = if crossing.in_memory {
        String::new()
    } else {
        crossing.result()
    };
    s.line(format!("//go:wasmimport {module} {}", func.wit));
    s.line(format!(
        "func wasm{}({}){core_result}",
        func.stem,
        declared.join(", ")
    ));
    s.line("");

    let params: Vec<String> = func
        .params
        .iter()
        .enumerate()
        .map(|(i, (_, t))| format!("p{i} {}", plan.go(t)))
        .collect();
    s.open(format!(
        "func import{}({}){} {{",
        func.stem,
        params.join(", "),
        result_of(plan, func)
    ));
    let mut b = Source::body();
    let in_call = crossing.spilled
        || crossing.in_memory
        || func.params.iter().any(|(_, t)| plan.has_memory(t));
    if in_call {
        let size = match &func.result {
            Some(ty) if crossing.in_memory => plan.layout(ty).size,
            _ => 0,
        };
        b.line(format!("c := golemrt.Begin({size})"));
    }
    let mut values = Vec::new();
    if crossing.spilled {
        let (offsets, layout) = plan.offsets(func.params.iter().map(|(_, t)| t));
        b.line(format!("args := c.Buf({})", layout.size));
        for (i, ((_, ty), offset)) in func.params.iter().zip(offsets).enumerate() {
            abi.store(&mut b, ty, "args", offset, &format!("p{i}"));
        }
        values.push("golemrt.Addr(args)".to_owned());
    } else {
        for (i, (_, ty)) in func.params.iter().enumerate() {
            values.extend(abi.lower_flat(&mut b, ty, &format!("p{i}")));
        }
    }
    if crossing.in_memory {
        b.line("ret := c.Ret()");
        values.push("golemrt.Addr(ret)".to_owned());
    }
    let call = format!("wasm{}({})", func.stem, tight(&values));
    match &func.result {
        None => {
            b.line(call);
            if in_call {
                b.line("c.End()");
            }
        }
        Some(ty) => {
            let value = if crossing.in_memory {
                b.line(call);
                abi.load(ty, "ret", 0)
            } else if simple(plan, ty) && !in_call {
                abi.lift_flat(&mut b, ty, &[call])
            } else {
                b.line(format!("r := {call}"));
                abi.lift_flat(&mut b, ty, &["r".to_owned()])
            };
            if in_call {
                b.line(format!("out := {value}"));
                b.line("c.End()");
                b.line("return out");
            } else {
                b.line(format!("return {value}"));
            }
        }
    }
    s.append(&b.into_string());
    s.close("}");
    s.line("");
}

/// Whether lifting mentions its one core value once, outside statements.
fn simple(plan: &Plan, ty: &Ty) -> bool {
    match plan.peel(ty) {
        Ty::Named(id) => matches!(plan.kind(*id), Some(Kind::Enum(_) | Kind::Flags(_))),
        Ty::Option(_) | Ty::Result(..) => false,
        _ => true,
    }
}

/// Arguments of a call, spaced as `gofmt` does: operators are tight when there is more than one argument.
fn tight(values: &[String]) -> String {
    let values: Vec<String> = if values.len() > 1 {
        values.iter().map(|v| v.replace(" >> ", ">>")).collect()
    } else {
        values.to_vec()
    };
    values.join(", ")
}

fn export(plan: &Plan, abi: &mut Abi, s: &mut Source, func: &Func) {
    let Some(scope) = plan.scopes.get(func.scope) else {
        return;
    };
    let crossing = Crossing::of(plan, func);
    s.line(format!("//go:wasmexport {}", scope.export_name(&func.wit)));
    s.open(format!(
        "func export{}({}){} {{",
        func.stem,
        crossing.declared().join(", "),
        crossing.result()
    ));
    let mut b = Source::body();
    let with_memory = crossing.spilled || func.params.iter().any(|(_, t)| plan.has_memory(t));
    if with_memory {
        b.line("golemrt.Enter()");
    }
    let mut args = Vec::new();
    if crossing.spilled {
        b.line("args := golemrt.Ptr(a0)");
        let (offsets, _) = plan.offsets(func.params.iter().map(|(_, t)| t));
        for (i, ((_, ty), offset)) in func.params.iter().zip(offsets).enumerate() {
            let value = abi.load(ty, "args", offset);
            b.line(format!("p{i} := {value}"));
            args.push(format!("p{i}"));
        }
    } else {
        let mut next = 0;
        for (i, (_, ty)) in func.params.iter().enumerate() {
            let count = plan.flat(ty).len();
            let values: Vec<String> = (next..next + count).map(|n| format!("a{n}")).collect();
            next += count;
            let value = abi.lift_flat(&mut b, ty, &values);
            if value.chars().all(|c| c.is_ascii_alphanumeric()) {
                args.push(value);
            } else {
                b.line(format!("p{i} := {value}"));
                args.push(format!("p{i}"));
            }
        }
    }
    if with_memory {
        b.line("golemrt.Entered()");
    }
    let (receiver, args) = match (func.kind, args.split_first()) {
        (FuncKind::Method(_), Some((object, rest))) => (object.clone(), rest.to_vec()),
        _ => {
            let interface = scope
                .implementation
                .as_ref()
                .map_or("", |i| i.interface.as_str());
            (format!("answer{interface}()"), args)
        }
    };
    let call = match (plan.style, func.kind) {
        (Style::TinyGo, _) => format!("{receiver}.{}({})", func.go, args.join(", ")),
        (Style::Go, FuncKind::Method(_)) => {
            let all: Vec<String> = std::iter::once(receiver).chain(args).collect();
            format!("answer{}({})", func.stem, tight(&all))
        }
        (Style::Go, _) => format!("answer{}({})", func.stem, tight(&args)),
    };
    match &func.result {
        Some(_) => b.line(format!("r := {call}")),
        None => b.line(call),
    }
    if func.params.iter().any(|(_, t)| plan.has_lent(t)) {
        b.line(match plan.style {
            Style::TinyGo => "golemrt.ReturnLent()",
            Style::Go => "golemrt.ReturnBorrowed()",
        });
    }
    match &func.result {
        Some(ty) if crossing.in_memory => {
            b.line(format!("c := golemrt.Result({})", plan.layout(ty).size));
            b.line("ret := c.Ret()");
            abi.store(&mut b, ty, "ret", 0, "r");
            b.line("return golemrt.Addr(ret)");
        }
        Some(ty) => {
            let values = abi.lower_flat(&mut b, ty, "r");
            b.line(format!("return {}", values.join(", ")));
        }
        None => {}
    }
    s.append(&b.into_string());
    s.close("}");
    s.line("");
}
