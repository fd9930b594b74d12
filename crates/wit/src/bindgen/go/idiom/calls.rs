// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / bindgen go idiom calls: functions to call and interfaces to answer, with Go errors and contexts.
//! In a [`Plan`], out Go text. Never emits ABI code. Read next: `clients.rs`. Why: docs/go-bindings.md, section "Style go".

use super::super::ir::{Func, FuncKind, Plan, Scope, ScopeId, Side, bare};
use super::super::text::Source;
use super::decls::receiver;
use super::errors::{Returned, from_error, to_error};

/// `a A, b B` without the receiver of a method.
pub(super) fn parameters(plan: &Plan, func: &Func) -> Vec<String> {
    own_params(func)
        .map(|(name, ty)| format!("{name} {}", plan.go(ty)))
        .collect()
}

/// The parameters without the receiver of a method.
pub(super) fn own_params(func: &Func) -> impl Iterator<Item = &(String, super::super::ir::Ty)> {
    let skip = usize::from(matches!(func.kind, FuncKind::Method(_)));
    func.params.iter().skip(skip)
}

/// What stands behind the parameters of a function that can fail as `fails` says.
pub(super) fn results(plan: &Plan, returned: &Returned<'_>, fails: bool) -> String {
    if let Some(items) = returned.several(plan) {
        let items = items.iter().map(|ty| plan.go(ty));
        let all: Vec<String> = items.chain(fails.then(|| "error".to_owned())).collect();
        return format!(" ({})", all.join(", "));
    }
    match (returned.value, fails) {
        (Some(ty), true) => format!(" ({}, error)", plan.go(ty)),
        (Some(ty), false) => format!(" {}", plan.go(ty)),
        (None, true) => " error".to_owned(),
        (None, false) => String::new(),
    }
}

/// The functions of an imported interface.
pub(super) fn imports(plan: &Plan, s: &mut Source, scope: ScopeId) {
    for func in plan.funcs.iter().filter(|f| f.scope == scope) {
        import(plan, s, func);
    }
}

/// One imported function.
pub(super) fn import(plan: &Plan, s: &mut Source, func: &Func) {
    let returned = Returned::of(plan, func.result.as_ref());
    let (start, mut args) = start(plan, func);
    args.extend(own_params(func).map(|(name, _)| name.clone()));
    docs(s, func);
    s.open(format!(
        "func {start}{}({}){} {{",
        bare(&func.go),
        parameters(plan, func).join(", "),
        results(plan, &returned, returned.error.is_some())
    ));
    let call = format!("import{}({})", func.stem, args.join(", "));
    match returned.error {
        None if returned.several(plan).is_some() => {
            s.line(format!("x0 := {call}"));
            s.line(format!("return {}", returned.spread(plan, "x0")));
        }
        None if returned.value.is_some() => s.line(format!("return {call}")),
        None => s.line(call),
        Some(error) => {
            s.line(format!("x0 := {call}"));
            unwrap_result(plan, s, &returned, error, "x0", "");
        }
    }
    s.close("}");
    s.line("");
}

/// Returns the value or the error in the result `name`; `between` stands between the two in the return statement.
pub(super) fn unwrap_result(
    plan: &Plan,
    s: &mut Source,
    returned: &Returned<'_>,
    error: Option<&super::super::ir::Ty>,
    name: &str,
    between: &str,
) {
    s.open(format!("if {name}.IsErr() {{"));
    let failed = to_error(plan, error, &format!("{name}.UnwrapErr()"));
    match returned.value {
        Some(ty) => {
            s.line(format!("var none {}", plan.go(ty)));
            let none = if between.is_empty() {
                returned.spread(plan, "none")
            } else {
                "none".to_owned()
            };
            s.line(format!("return {none}, {between}{failed}"));
        }
        None if between.is_empty() => s.line(format!("return {failed}")),
        None => s.line(format!("return struct{{}}{{}}, {between}{failed}")),
    }
    s.close("}");
    match returned.value {
        Some(_) if between.is_empty() && returned.several(plan).is_some() => {
            s.line(format!("x1 := {name}.Unwrap()"));
            s.line(format!("return {}, nil", returned.spread(plan, "x1")));
        }
        Some(_) => s.line(format!("return {name}.Unwrap(), {between}nil")),
        None if between.is_empty() => s.line("return nil"),
        None => s.line(format!("return struct{{}}{{}}, {between}nil")),
    }
}

/// The receiver of a method with its type and a space, and the argument that it is.
pub(super) fn start(plan: &Plan, func: &Func) -> (String, Vec<String>) {
    match (func.kind, func.params.first()) {
        (FuncKind::Method(id), Some((_, ty))) => {
            let name = receiver(bare(&plan.resource_name(id)));
            (format!("({name} {}) ", plan.go(ty)), vec![name])
        }
        _ => (String::new(), Vec::new()),
    }
}

fn docs(s: &mut Source, func: &Func) {
    match &func.docs {
        Some(docs) => s.docs(Some(docs)),
        None => s.line(format!(
            "// {} calls {}.",
            bare(&func.go),
            func.wit
                .trim_start_matches("[method]")
                .trim_start_matches("[static]")
        )),
    }
}

/// `(ctx context.Context, a A) (R, error)`: every answer can fail.
pub(super) fn export_signature(plan: &Plan, func: &Func) -> String {
    plan.mention("context");
    let returned = Returned::of(plan, func.result.as_ref());
    let params: Vec<String> = std::iter::once("ctx context.Context".to_owned())
        .chain(parameters(plan, func))
        .collect();
    format!("({}){}", params.join(", "), results(plan, &returned, true))
}

/// What a component answers as an exported interface.
pub(super) fn exports(plan: &Plan, s: &mut Source, scope: &Scope, index: ScopeId) {
    let Some(names) = &scope.implementation else {
        return;
    };
    let what = what(plan, scope);
    let (interface, setter) = (bare(&names.interface), bare(&names.setter));
    s.line(format!(
        "// {interface} is what a component answers as {what}."
    ));
    s.line("//");
    s.line("// An error that the function has a place for is its result; any other error fails the invocation.");
    let own: Vec<&Func> = plan
        .funcs
        .iter()
        .filter(|f| f.scope == index && !matches!(f.kind, FuncKind::Method(_)))
        .collect();
    if own.is_empty() {
        s.line(format!("type {interface} interface{{}}"));
    } else {
        s.open(format!("type {interface} interface {{"));
        for func in own {
            s.docs(func.docs.as_deref());
            s.line(format!("{}{}", func.go, export_signature(plan, func)));
        }
        s.close("}");
    }
    s.line("");
    s.line(format!("var {} {interface}", names.variable));
    s.line("");
    s.line(format!(
        "// {setter} sets what answers the calls of {what}; call it from an init function."
    ));
    s.open(format!("func {setter}(implementation {interface}) {{"));
    s.line(format!("{} = implementation", names.variable));
    s.close("}");
    s.line("");
}

fn what(plan: &Plan, scope: &Scope) -> String {
    if scope.wit.is_empty() {
        format!("world {}", plan.world)
    } else {
        scope.wit.clone()
    }
}

/// For the wasm file: from the answer of the user's code, with its error, to the value that crosses the border.
pub(in super::super) fn answers(plan: &Plan, s: &mut Source) {
    for (index, scope) in plan.scopes.iter().enumerate() {
        if scope.side != Side::Export || scope.package != plan.here {
            continue;
        }
        let funcs: Vec<&Func> = plan.funcs.iter().filter(|f| f.scope == index).collect();
        if let Some(names) = &scope.implementation
            && funcs.iter().any(|f| !matches!(f.kind, FuncKind::Method(_)))
        {
            let interface = bare(&names.interface);
            s.open(format!("func answering() {interface} {{"));
            s.open(format!("if {} == nil {{", names.variable));
            s.line(format!(
                "golemrt.NotSet(\"{}\", \"{}.{}\")",
                what(plan, scope),
                plan.here,
                bare(&names.setter)
            ));
            s.close("}");
            s.line(format!("return {}", names.variable));
            s.close("}");
            s.line("");
        }
        for func in funcs {
            answer(plan, s, func);
        }
    }
}

/// `x0, x1`: what a function with several results gives; one if it is not such a function.
pub(super) fn names(several: usize) -> String {
    (0..several.max(1))
        .map(|i| format!("x{i}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The tuple of what [`names`] says.
pub(super) fn gathered(plan: &Plan, ty: &super::super::ir::Ty, several: usize) -> String {
    let fields: Vec<String> = (0..several).map(|i| format!("F{i}: x{i}")).collect();
    format!("{}{{{}}}", plan.go(ty), fields.join(", "))
}

fn answer(plan: &Plan, s: &mut Source, func: &Func) {
    plan.mention("context");
    let returned = Returned::of(plan, func.result.as_ref());
    let params: Vec<String> = func
        .params
        .iter()
        .enumerate()
        .map(|(i, (_, t))| format!("p{i} {}", plan.go(t)))
        .collect();
    let result = func
        .result
        .as_ref()
        .map_or_else(String::new, |ty| format!(" {}", plan.go(ty)));
    s.open(format!(
        "func answer{}({}){result} {{",
        func.stem,
        params.join(", ")
    ));
    let mut args: Vec<String> = (0..params.len()).map(|i| format!("p{i}")).collect();
    let who = match func.kind {
        FuncKind::Method(_) => args.remove(0),
        _ => "answering()".to_owned(),
    };
    args.insert(0, "context.Background()".to_owned());
    let several = returned.several(plan).map_or(0, <[_]>::len);
    let give = match returned.value {
        Some(_) => format!("{}, err", names(several)),
        None => "err".to_owned(),
    };
    s.line(format!("{give} := {who}.{}({})", func.go, args.join(", ")));
    s.open("if err != nil {");
    let result = func.result.as_ref().map(|ty| plan.peel(ty));
    let sides = match result {
        Some(super::super::ir::Ty::Result(ok, err)) => {
            format!("{}, {}", plan.go_or_unit(ok), plan.go_or_unit(err))
        }
        _ => String::new(),
    };
    match returned.error {
        None => s.line("golemrt.Fail(err)"),
        Some(error) => s.line(format!(
            "return {}[{sides}]({})",
            plan.helper("Err"),
            from_error(plan, error, "err")
        )),
    }
    s.close("}");
    let value = match returned.value {
        Some(ty) if several > 0 => gathered(plan, ty, several),
        Some(_) => "x0".to_owned(),
        None => "struct{}{}".to_owned(),
    };
    match (returned.error, returned.value) {
        (Some(_), _) => s.line(format!("return {}[{sides}]({value})", plan.helper("Ok"))),
        (None, Some(_)) => s.line(format!("return {value}")),
        (None, None) => {}
    }
    s.close("}");
    s.line("");
}
