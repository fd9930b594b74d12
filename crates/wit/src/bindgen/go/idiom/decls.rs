// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / bindgen go idiom decls: Go type declarations of style `go`. In a [`Plan`], out the text of the types of the
//! package being written. Never emits ABI code. Read next: `calls.rs`. Why: docs/go-bindings.md, section "Style go".

use super::super::ir::{
    Case, Cases, Decl, DeclId, Field, FuncKind, Kind, Plan, ResourceId, Side, Ty, bare,
    discriminant_bytes, flags_bytes,
};
use super::super::text::{Source, padded};
use super::calls;

/// Writes the types of the package being written.
pub(super) fn types(plan: &Plan, s: &mut Source) {
    for (id, decl) in plan.decls.iter().enumerate() {
        let here = decl
            .go
            .split_once('.')
            .is_some_and(|(package, _)| package == plan.here);
        if !here {
            continue;
        }
        let go = bare(&decl.go);
        match &decl.kind {
            Kind::Record(fields) => record(plan, s, id, decl, fields),
            // Only tuples with a name get here, and those are aliases.
            Kind::Tuple(items) => {
                documented(s, decl, "a tuple");
                s.line(format!("type {go} = {}", plan.tuple(items)));
            }
            Kind::Variant(cases) => variant(plan, s, id, decl, cases),
            Kind::Enum(cases) => enumeration(plan, s, id, decl, cases),
            Kind::Flags(flags) => set(plan, s, id, decl, flags),
            Kind::Alias(target) => {
                documented(s, decl, "another name of a type");
                let target = match target {
                    Ty::Own(id) | Ty::Borrow(id) => plan.resource_name(*id),
                    target => plan.go(target),
                };
                s.line(format!("type {go} = {target}"));
            }
            Kind::Resource(id) => resource(plan, s, decl, *id),
        }
        s.line("");
    }
}

/// The docs of a type, or a sentence in their place.
fn documented(s: &mut Source, decl: &Decl, what: &str) {
    let go = bare(&decl.go);
    match &decl.docs {
        Some(docs) => s.docs(Some(docs)),
        None if go.starts_with(char::is_uppercase) => s.line(format!("// {go} is {what}.")),
        None => {}
    }
}

fn record(plan: &Plan, s: &mut Source, id: DeclId, decl: &Decl, fields: &[Field]) {
    let go = bare(&decl.go);
    documented(s, decl, "a record");
    if fields.is_empty() {
        s.line(format!("type {go} struct{{}}"));
    } else {
        s.open(format!("type {go} struct {{"));
        if fields.iter().all(|f| f.docs.is_none()) {
            let lines = padded(fields.iter().map(|f| (f.go.as_str(), plan.go(&f.ty))));
            lines.into_iter().for_each(|l| s.line(l));
        } else {
            // A blank line before each documented field: then gofmt aligns nothing across fields.
            for (i, field) in fields.iter().enumerate() {
                if i > 0 {
                    s.line("");
                }
                s.docs(field.docs.as_deref());
                s.line(format!("{} {}", field.go, plan.go(&field.ty)));
            }
        }
        s.close("}");
    }
    if plan.errors.contains(&id) {
        plan.mention("fmt");
        s.line("");
        s.line("// Error describes the failure.");
        s.open(format!("func (e {go}) Error() string {{"));
        // Without its methods, since fmt would call Error again.
        s.line(format!("type plain {go}"));
        s.line(format!("return fmt.Sprintf(\"{go}%+v\", plain(e))"));
        s.close("}");
    }
}

fn constants(s: &mut Source, go: &str, start: &str, cases: &[Case]) {
    s.open("const (");
    for (i, case) in cases.iter().enumerate() {
        s.docs(case.docs.as_deref());
        let constant = bare(&case.constant);
        s.line(if i == 0 {
            format!("{constant} {go} = {start}")
        } else {
            constant.to_owned()
        });
    }
    s.close(")");
}

fn enumeration(plan: &Plan, s: &mut Source, id: DeclId, decl: &Decl, cases: &Cases) {
    let go = bare(&decl.go);
    documented(s, decl, "one of several cases");
    let bits = 8 * discriminant_bytes(cases.cases.len());
    s.line(format!("type {go} uint{bits}"));
    s.line("");
    constants(s, go, "iota", &cases.cases);
    s.line("");
    plan.mention("strconv");
    s.line("// String returns the name of the case in WIT.");
    s.open(format!("func (e {go}) String() string {{"));
    s.open("switch e {");
    for case in &cases.cases {
        s.outdented(format!("case {}:", bare(&case.constant)));
        s.line(format!("return \"{}\"", case.wit));
    }
    s.close("}");
    s.line(format!("return \"{go}(\" + strconv.Itoa(int(e)) + \")\""));
    s.close("}");
    if plan.errors.contains(&id) {
        s.line("");
        s.line("// Error names the failure.");
        s.open(format!("func (e {go}) Error() string {{"));
        s.line("return e.String()");
        s.close("}");
    }
}

fn set(plan: &Plan, s: &mut Source, id: DeclId, decl: &Decl, flags: &[Case]) {
    let go = bare(&decl.go);
    documented(s, decl, "a set of flags");
    s.line(format!("type {go} uint{}", 8 * flags_bytes(flags.len())));
    s.line("");
    if !flags.is_empty() {
        constants(s, go, "1 << iota", flags);
        s.line("");
    }
    s.line("// Has tells whether all flags of other are set.");
    s.open(format!("func (f {go}) Has(other {go}) bool {{"));
    s.line("return f&other == other");
    s.close("}");
    if plan.errors.contains(&id) {
        plan.mention("strconv");
        s.line("");
        s.line("// Error shows the flags as a number.");
        s.open(format!("func (f {go}) Error() string {{"));
        s.line(format!(
            "return \"{go} \" + strconv.FormatUint(uint64(f), 2)"
        ));
        s.close("}");
    }
}

fn variant(plan: &Plan, s: &mut Source, id: DeclId, decl: &Decl, cases: &Cases) {
    let go = bare(&decl.go);
    let error = plan.errors.contains(&id);
    documented(s, decl, "one of several cases");
    s.line(format!(
        "{}// The cases are the types that start with {go}; tell them apart with a type switch.",
        if decl.docs.is_some() { "//\n" } else { "" }
    ));
    s.open(format!("type {go} interface {{"));
    if error {
        s.line("error");
    }
    s.line(format!("is{go}()"));
    s.close("}");
    for case in &cases.cases {
        let name = bare(&case.constructor);
        s.line("");
        match &case.docs {
            Some(docs) => s.docs(Some(docs)),
            None => s.line(format!("// {name} is the case {} of {go}.", case.wit)),
        }
        match &case.ty {
            Some(ty) => {
                s.open(format!("type {name} struct {{"));
                s.line(format!("Value {}", plan.go(ty)));
                s.close("}");
            }
            None => s.line(format!("type {name} struct{{}}")),
        }
        s.line("");
        s.empty_func(format!("func ({name}) is{go}()"));
        if error {
            s.line("");
            s.line("// Error describes the failure.");
            let text = match case.ty.as_ref().map(|ty| plan.peel(ty)) {
                None => format!("\"{}\"", case.wit),
                Some(Ty::Str) => format!("\"{}: \" + e.Value", case.wit),
                Some(_) => {
                    plan.mention("fmt");
                    format!("\"{}: \" + fmt.Sprint(e.Value)", case.wit)
                }
            };
            let receiver = if case.ty.is_some() { "e " } else { "" };
            s.open(format!("func ({receiver}{name}) Error() string {{"));
            s.line(format!("return {text}"));
            s.close("}");
        }
    }
}

fn resource(plan: &Plan, s: &mut Source, decl: &Decl, id: ResourceId) {
    let go = bare(&decl.go);
    if plan.resource_side(id) == Side::Import {
        documented(s, decl, "a resource of somebody else");
        s.open(format!("type {go} struct {{"));
        s.line("golemrt.Handle");
        let stub = plan
            .resources
            .get(id)
            .and_then(|r| plan.scopes.get(r.scope))
            .is_some_and(|scope| scope.stub);
        if stub && go.starts_with(char::is_uppercase) {
            plan.mention("rpc");
            s.line("");
            s.line("// In a test, a double may be there instead of a worker.");
            let fields = [
                ("double", format!("{go}Worker")),
                ("turn", "*rpc.Turn".to_owned()),
            ];
            padded(fields.into_iter())
                .into_iter()
                .for_each(|l| s.line(l));
        }
        s.close("}");
        if go.starts_with(char::is_uppercase) {
            let receiver = receiver(go);
            s.line("");
            s.line("// Close gives the handle back; closing it again does nothing. Nothing closes a handle on its own.");
            s.open(format!("func ({receiver} *{go}) Close() {{"));
            s.line(format!("drop{go}({receiver})"));
            s.close("}");
        }
        return;
    }
    documented(
        s,
        decl,
        "a resource that the component provides; implement it on a pointer",
    );
    let methods: Vec<_> = plan
        .funcs
        .iter()
        .filter(|f| f.kind == FuncKind::Method(id))
        .collect();
    if methods.is_empty() {
        s.line(format!("type {go} interface{{}}"));
    } else {
        s.open(format!("type {go} interface {{"));
        for method in methods {
            s.docs(method.docs.as_deref());
            s.line(format!(
                "{}{}",
                method.go,
                calls::export_signature(plan, method)
            ));
        }
        s.close("}");
    }
    s.line("");
    s.line(format!(
        "// Close{go} gives up the ownership of self that an argument brought."
    ));
    s.open(format!("func Close{go}(self {go}) {{"));
    s.line(format!("drop{go}(self)"));
    s.close("}");
}

/// The name of the receiver of a method: one letter, as no parameter has.
pub(super) fn receiver(go: &str) -> String {
    go.chars()
        .next()
        .map(|c| c.to_lowercase().collect())
        .unwrap_or_default()
}
