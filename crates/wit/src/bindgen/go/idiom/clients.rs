// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / bindgen go idiom clients: the client resources of a stub. Of each remote function `f` come `F`, which waits
//! without stopping other goroutines, and `FAsync`, which gives a future; or `FTrigger`, when there is no result to wait for.
//! In a [`Plan`], out Go text. Read next: `errors.rs`. Why: docs/go-bindings.md, section "Style go".

use super::super::ir::{Func, FuncKind, Plan, ResourceId, ScopeId, Ty, bare};
use super::super::names::unique_with;
use super::super::text::Source;
use super::calls::{own_params, parameters, results, start, unwrap_result};
use super::errors::{Returned, is_call_error, typed};
use super::{Side, calls};

/// The field of `call-error` cases that their error keeps: Go constant of the kind, and how the case fills the error.
const CASES: [(&str, &str, &str); 7] = [
    ("Protocol", "KindProtocol", "Value"),
    ("NotFound", "KindNotFound", "Value"),
    ("Denied", "KindDenied", "Value"),
    ("Timeout", "KindTimeout", "Value"),
    ("Cancelled", "KindCancelled", "Value"),
    ("Deadlock", "KindDeadlock", ""),
    ("CalleeFailed", "KindCalleeFailed", "Value.Message"),
];

/// Writes the clients of a stub.
pub(super) fn clients(plan: &Plan, s: &mut Source, scope: ScopeId) {
    let funcs: Vec<&Func> = plan.funcs.iter().filter(|f| f.scope == scope).collect();
    for func in &funcs {
        match func.kind {
            FuncKind::Constructor(id) => constructor(plan, s, func, id),
            FuncKind::Free => calls::import(plan, s, func),
            FuncKind::Static(_) | FuncKind::Method(_) => {}
        }
    }
    let mut used: Vec<String> = plan
        .decls
        .iter()
        .map(|decl| &decl.go)
        .chain(plan.funcs.iter().map(|f| &f.go))
        .map(|go| bare(go).to_owned())
        .collect();
    for id in 0..plan.resources.len() {
        let own = |f: &&&Func| f.kind == FuncKind::Static(id);
        let statics: Vec<&Func> = funcs.iter().filter(own).copied().collect();
        pairs(plan, s, &statics, &funcs, &mut used);
    }
    for (id, resource) in plan.resources.iter().enumerate() {
        if resource.scope == scope && resource.side == Side::Import && !is_future(plan, id) {
            client(plan, s, id, &funcs);
        }
    }
    if let Some(error) = funcs.iter().find_map(|f| call_error(plan, f)) {
        conversion(plan, s, &error);
    }
}

/// Whether a resource of a stub is a result to come: those have no name outside the package.
fn is_future(plan: &Plan, id: ResourceId) -> bool {
    plan.resources
        .get(id)
        .is_some_and(|r| bare(&r.go).starts_with(char::is_lowercase))
}

/// The Go type of the errors that a function returns, if it is one of the platform's.
fn call_error(plan: &Plan, func: &Func) -> Option<String> {
    let mut ty = func.result.as_ref()?;
    if let Ty::Option(inner) = plan.peel(ty) {
        ty = inner;
    }
    match plan.peel(ty) {
        Ty::Result(_, Some(error)) if is_call_error(plan, error) => Some(plan.go(plan.peel(error))),
        _ => None,
    }
}

fn constructor(plan: &Plan, s: &mut Source, func: &Func, id: ResourceId) {
    let Some(((location, uri), rest)) = func.params.split_first() else {
        return calls::import(plan, s, func);
    };
    let go = func
        .result
        .as_ref()
        .map(|ty| plan.go(ty))
        .unwrap_or_default();
    let name = bare(&func.go);
    s.line(format!(
        "// {name} returns a client of the worker at {location}. Making it calls nobody."
    ));
    let worker = plan.spell("worker.URI");
    let params: Vec<String> = std::iter::once(format!("{location} {worker}"))
        .chain(
            rest.iter()
                .map(|(name, ty)| format!("{name} {}", plan.go(ty))),
        )
        .collect();
    let args: Vec<String> =
        std::iter::once(format!("{}{{Value: string({location})}}", plan.go(uri)))
            .chain(rest.iter().map(|(name, _)| name.clone()))
            .collect();
    s.open(format!("func {name}({}) {go} {{", params.join(", ")));
    let resource = plan.resource_name(id);
    s.open(format!("if fake{resource} != nil {{"));
    s.line(format!(
        "return &{resource}{{double: fake{resource}({location}), turn: rpc.TurnOf({location})}}"
    ));
    s.close("}");
    s.line(format!("return import{}({})", func.stem, args.join(", ")));
    s.close("}");
    s.line("");
}

fn client(plan: &Plan, s: &mut Source, id: ResourceId, funcs: &[&Func]) {
    let methods: Vec<&Func> = funcs
        .iter()
        .copied()
        .filter(|f| f.kind == FuncKind::Method(id))
        .collect();
    let mut used: Vec<String> = ["Close", "Handle", "Golem"].map(str::to_owned).into();
    used.extend(methods.iter().map(|f| f.go.clone()));
    let answers = pairs(plan, s, &methods, funcs, &mut used);
    double(plan, s, id, &answers);
}

/// The methods of a client, or its static functions: a function and its blocking twin become two functions in Go's terms.
/// Returns what a double has to answer. `used` are the names that stand beside them.
fn pairs<'p>(
    plan: &Plan,
    s: &mut Source,
    methods: &[&'p Func],
    funcs: &[&Func],
    used: &mut Vec<String>,
) -> Vec<(&'p Func, String)> {
    let mut answers = Vec::new();
    let item = |f: &Func| f.wit.rsplit('.').next().unwrap_or_default().to_owned();
    for func in methods.iter().copied() {
        let name = item(func);
        let go = bare(&func.go);
        let base = name
            .strip_prefix("blocking-")
            .and_then(|base| methods.iter().find(|f| item(f) == base));
        if base.is_some() {
            continue;
        }
        let blocking = methods
            .iter()
            .find(|f| item(f).strip_prefix("blocking-") == Some(&name));
        match (blocking, future_of(plan, func)) {
            (Some(_), Some(future)) => {
                let asynchronous = unique_with("", used, format!("{go}Async"));
                later(plan, s, func, &asynchronous, future, funcs);
                let returned = answer_of(plan, future, funcs);
                answers.push((func, results(plan, &returned, true)));
            }
            (Some(blocking), None) => {
                let trigger = unique_with("", used, format!("{go}Trigger"));
                sent(plan, s, func, &trigger, blocking);
                answers.push((func, " error".to_owned()));
            }
            (None, _) => calls::import(plan, s, func),
        }
    }
    answers
}

/// The interface of a double: what the worker answers.
fn double(plan: &Plan, s: &mut Source, id: ResourceId, answers: &[(&Func, String)]) {
    let resource = plan.resource_name(id);
    s.line(format!(
        "// {resource}Worker is a worker as {resource} calls it: what a double in a test implements."
    ));
    if answers.is_empty() {
        s.line(format!("type {resource}Worker interface{{}}"));
    } else {
        s.open(format!("type {resource}Worker interface {{"));
        for (func, result) in answers {
            let params = with_context(&parameters(plan, func));
            s.line(format!("{}({params}){result}", func.go));
        }
        s.close("}");
    }
    s.line("");
    s.line(format!(
        "var fake{resource} func({}) {resource}Worker",
        plan.spell("worker.URI")
    ));
    s.line("");
}

/// For the native file: the functions that put doubles in the place of workers.
pub(in super::super) fn fakes(plan: &Plan, s: &mut Source) {
    for (id, resource) in plan.resources.iter().enumerate() {
        let stub = plan
            .scopes
            .get(resource.scope)
            .is_some_and(|scope| scope.stub && scope.package == plan.here);
        if !stub || is_future(plan, id) {
            continue;
        }
        let go = plan.resource_name(id);
        let uri = plan.spell("worker.URI");
        s.line(format!(
            "// Fake{go} lets New{go} give clients of doubles, for go test. A double is asked once at a time, like a worker."
        ));
        s.open(format!("func Fake{go}(find func({uri}) {go}Worker) {{"));
        s.line(format!("fake{go} = find"));
        s.close("}");
        s.line("");
    }
}

/// What a future gives.
fn answer_of<'p>(plan: &'p Plan, future: ResourceId, funcs: &[&'p Func]) -> Returned<'p> {
    let get = funcs
        .iter()
        .find(|f| f.kind == FuncKind::Method(future) && f.wit.rsplit('.').next() == Some("get"));
    let answer = match get.and_then(|f| f.result.as_ref()).map(|ty| plan.peel(ty)) {
        Some(Ty::Option(answer)) => Some(&**answer),
        _ => None,
    };
    Returned::of(plan, typed(plan, answer).unwrap_or(answer))
}

/// The future that a call gives.
fn future_of(plan: &Plan, func: &Func) -> Option<ResourceId> {
    match func.result.as_ref().map(|ty| plan.peel(ty)) {
        Some(Ty::Own(id)) if is_future(plan, *id) => Some(*id),
        _ => None,
    }
}

fn argument_names(func: &Func) -> Vec<String> {
    own_params(func).map(|(name, _)| name.clone()).collect()
}

fn with_context(params: &[String]) -> String {
    std::iter::once("ctx context.Context".to_owned())
        .chain(params.iter().cloned())
        .collect::<Vec<_>>()
        .join(", ")
}

/// `F` and `FAsync` of a function with a result.
fn later(
    plan: &Plan,
    s: &mut Source,
    func: &Func,
    asynchronous: &str,
    future: ResourceId,
    funcs: &[&Func],
) {
    let part = |name: &str| {
        funcs
            .iter()
            .find(|f| f.kind == FuncKind::Method(future) && f.wit.rsplit('.').next() == Some(name))
    };
    let (Some(subscribe), Some(get)) = (part("subscribe"), part("get")) else {
        return calls::import(plan, s, func);
    };
    let Some(Ty::Option(answer)) = get.result.as_ref().map(|ty| plan.peel(ty)) else {
        return calls::import(plan, s, func);
    };
    let errors = typed(plan, Some(answer));
    let returned = Returned::of(plan, errors.unwrap_or(Some(answer)));
    let (start, receiver) = start(plan, func);
    let params = parameters(plan, func);
    let value = returned.go(plan);
    plan.mention("context");
    plan.mention("rpc");

    let go = bare(&func.go);
    docs(s, func, go, "waits for the result");
    s.open(format!(
        "func {start}{go}({}){} {{",
        with_context(&params),
        results(plan, &returned, true)
    ));
    let none = if returned.value.is_some() {
        format!("{}, ", returned.spread(plan, "none"))
    } else {
        String::new()
    };
    s.open("if err := rpc.Check(ctx); err != nil {");
    if returned.value.is_some() {
        s.line(format!("var none {value}"));
    }
    s.line(format!("return {none}err"));
    s.close("}");
    let who = receiver.first();
    let dot = who.map_or_else(String::new, |who| format!("{who}."));
    let call = format!(
        "{dot}{asynchronous}({}).Result(ctx)",
        argument_names(func).join(", ")
    );
    if returned.several(plan).is_some() {
        s.line(format!("x0, err := {call}"));
        s.line(format!("return {}, err", returned.spread(plan, "x0")));
    } else if returned.value.is_some() {
        s.line(format!("return {call}"));
    } else {
        s.line(format!("_, err := {call}"));
        s.line("return err");
    }
    s.close("}");
    s.line("");

    s.line(format!("// {asynchronous} is {go} without waiting."));
    s.open(format!(
        "func {start}{asynchronous}({}) *rpc.Future[{value}] {{",
        params.join(", ")
    ));
    // A static function has no worker that a double could stand for.
    if let Some(who) = who {
        s.open(format!("if {who}.double != nil {{"));
        s.open(format!("return rpc.Go(func() ({value}, error) {{"));
        s.line(format!("defer {who}.turn.Take()()"));
        let ask = format!("{who}.double.{go}({})", background(func));
        if let (Some(ty), Some(items)) = (returned.value, returned.several(plan)) {
            let several = items.len();
            s.line(format!("{}, err := {ask}", calls::names(several)));
            s.line(format!(
                "return {}, err",
                calls::gathered(plan, ty, several)
            ));
        } else if returned.value.is_some() {
            s.line(format!("return {ask}"));
        } else {
            s.line(format!("return struct{{}}{{}}, {ask}"));
        }
        s.close("})");
        s.close("}");
    }
    let all: Vec<String> = receiver.into_iter().chain(argument_names(func)).collect();
    s.line(format!("x0 := import{}({})", func.stem, all.join(", ")));
    s.open("return rpc.NewFuture(");
    s.open("func() *golemrt.Handle {");
    s.line(format!("return &import{}(x0).Handle", subscribe.stem));
    s.close("},");
    s.open(format!("func() ({value}, bool, error) {{"));
    s.line(format!("x1 := import{}(x0)", get.stem));
    s.open("if x1 == nil {");
    s.line(format!("var none {value}"));
    s.line("return none, false, nil");
    s.close("}");
    let mut name = if plan.nilable(answer) {
        "x1".to_owned()
    } else {
        "(*x1)".to_owned()
    };
    if errors.is_some() {
        name = "x1".to_owned();
        s.open("if x1.IsErr() {");
        s.line(format!("var none {value}"));
        s.line("return none, true, callError(x1.UnwrapErr())");
        s.close("}");
        if returned.error.is_some() || returned.value.is_some() {
            s.line("x2 := x1.Unwrap()");
            name = "x2".to_owned();
        }
    }
    match returned.error {
        Some(error) => {
            let name = if name.starts_with('(') { "x1" } else { &name };
            unwrap_result(plan, s, &returned, error, name, "true, ");
        }
        None if returned.value.is_some() => {
            let name = name.trim_matches(['(', ')']);
            s.line(format!("return {name}, true, nil"));
        }
        None => s.line("return struct{}{}, true, nil"),
    }
    s.close("},");
    s.open("func() {");
    let handle = plan.resource_name(future);
    s.line(format!("drop{handle}(x0)"));
    s.close("},");
    s.close(")");
    s.close("}");
    s.line("");
}

/// The arguments of a double that nobody waits for.
fn background(func: &Func) -> String {
    std::iter::once("context.Background()".to_owned())
        .chain(argument_names(func))
        .collect::<Vec<_>>()
        .join(", ")
}

/// `F` and `FTrigger` of a function without a result.
fn sent(plan: &Plan, s: &mut Source, func: &Func, trigger: &str, blocking: &Func) {
    let (start, receiver) = start(plan, func);
    let params = parameters(plan, func);
    let who = receiver.first().cloned();
    let go = bare(&func.go);
    let args: Vec<String> = receiver.into_iter().chain(argument_names(func)).collect();
    plan.mention("context");
    plan.mention("rpc");
    docs(
        s,
        func,
        go,
        "waits until it is done. All goroutines wait with it: there is no result to wait for beside others",
    );
    s.open(format!(
        "func {start}{go}({}) error {{",
        with_context(&params)
    ));
    s.open("if err := rpc.Check(ctx); err != nil {");
    s.line("return err");
    s.close("}");
    if let Some(who) = &who {
        s.open(format!("if {who}.double != nil {{"));
        s.line(format!("defer {who}.turn.Take()()"));
        let given: Vec<String> = std::iter::once("ctx".to_owned())
            .chain(argument_names(func))
            .collect();
        s.line(format!("return {who}.double.{go}({})", given.join(", ")));
        s.close("}");
    }
    outcome(plan, s, blocking, &args);
    s.close("}");
    s.line("");
    s.line(format!(
        "// {trigger} is {go} without waiting: it returns when the call is sent."
    ));
    s.open(format!(
        "func {start}{trigger}({}) error {{",
        params.join(", ")
    ));
    if let Some(who) = &who {
        s.open(format!("if {who}.double != nil {{"));
        s.line(format!("defer {who}.turn.Take()()"));
        s.line("// Nobody hears how it ends.");
        s.line(format!("_ = {who}.double.{go}({})", background(func)));
        s.line("return nil");
        s.close("}");
    }
    outcome(plan, s, func, &args);
    s.close("}");
    s.line("");
}

/// Calls a function without a value and returns its error.
fn outcome(plan: &Plan, s: &mut Source, func: &Func, args: &[String]) {
    let call = format!("import{}({})", func.stem, args.join(", "));
    if typed(plan, func.result.as_ref()).is_some() {
        s.line(format!("x0 := {call}"));
        s.open("if x0.IsErr() {");
        s.line("return callError(x0.UnwrapErr())");
        s.close("}");
    } else {
        s.line(call);
    }
    s.line("return nil");
}

fn docs(s: &mut Source, func: &Func, name: &str, what: &str) {
    match &func.docs {
        Some(docs) => s.docs(Some(docs)),
        None => {
            let remote = func.wit.rsplit('.').next().unwrap_or_default();
            s.line(format!(
                "// {name} calls {remote} of the worker and {what}."
            ));
        }
    }
}

/// `callError`: the Go error of a failed call.
fn conversion(plan: &Plan, s: &mut Source, error: &str) {
    plan.mention("rpc");
    let (package, _) = error.split_once('.').unwrap_or((&plan.here, ""));
    plan.mention(package);
    s.line("// callError is the Go error of a call that failed.");
    s.open(format!("func callError(failure {error}) error {{"));
    s.open("switch x0 := failure.(type) {");
    for (case, kind, text) in CASES {
        s.outdented(format!("case {error}{case}:"));
        let text = if text.is_empty() {
            "\"\"".to_owned()
        } else {
            format!("x0.{text}")
        };
        match case {
            "CalleeFailed" => {
                s.line(format!("x1 := rpc.NewError(rpc.{kind}, {text})"));
                s.line("x1.Trace = x0.Value.Trace");
                s.line("return x1");
            }
            "Deadlock" => {
                s.line(format!("x1 := rpc.NewError(rpc.{kind}, {text})"));
                s.line("x1.Path = x0.Value");
                s.line("return x1");
            }
            _ => s.line(format!("return rpc.NewError(rpc.{kind}, {text})")),
        }
    }
    s.outdented("default:");
    s.line("return rpc.NewError(rpc.KindProtocol, \"the call failed in an unknown way\")");
    s.close("}");
    s.close("}");
    s.line("");
}
