// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / bindgen go decls: Go type declarations in the tiny-go shape. In a [`Plan`], out the text of its types.
//! The bodies are ours; names and signatures are the contract. Never emits ABI code. Read next: `wrappers.rs`.
//! Why: docs/go-bindings.md, section "Names".

use super::ir::{Cases, Decl, Kind, Plan, Side};
use super::text::{Source, file_end, file_start, padded};

/// Writes every declared type of the plan.
pub(super) fn types(plan: &Plan, s: &mut Source) {
    for decl in &plan.decls {
        match &decl.kind {
            Kind::Record(fields) => {
                s.docs(decl.docs.as_deref());
                if fields.is_empty() {
                    s.line(format!("type {} struct{{}}", decl.go));
                } else {
                    s.open(format!("type {} struct {{", decl.go));
                    record_fields(plan, s, fields);
                    s.close("}");
                }
            }
            Kind::Tuple(items) => {
                s.docs(decl.docs.as_deref());
                let names: Vec<String> = (0..items.len()).map(|i| format!("F{i}")).collect();
                if items.is_empty() {
                    s.line(format!("type {} struct{{}}", decl.go));
                } else {
                    s.open(format!("type {} struct {{", decl.go));
                    let fields = names
                        .iter()
                        .zip(items)
                        .map(|(n, t)| (n.as_str(), plan.go(t)));
                    padded(fields).into_iter().for_each(|l| s.line(l));
                    s.close("}");
                }
            }
            Kind::Variant(cases) => variant(plan, s, decl, cases),
            Kind::Enum(cases) => enumeration(s, decl, cases),
            Kind::Flags(flags) => {
                s.docs(decl.docs.as_deref());
                s.line(format!("type {} uint64", decl.go));
                s.line("");
                s.open("const (");
                for (i, flag) in flags.iter().enumerate() {
                    s.docs(flag.docs.as_deref());
                    s.line(if i == 0 {
                        format!("{} {} = 1 << iota", flag.constant, decl.go)
                    } else {
                        flag.constant.clone()
                    });
                }
                s.close(")");
            }
            Kind::Alias(target) => {
                s.docs(decl.docs.as_deref());
                s.line(format!("type {} = {}", decl.go, plan.go(target)));
            }
            Kind::Resource(id) => resource(plan, s, decl, *id),
        }
        s.line("");
    }
}

fn record_fields(plan: &Plan, s: &mut Source, fields: &[super::ir::Field]) {
    if fields.iter().all(|f| f.docs.is_none()) {
        let lines = padded(fields.iter().map(|f| (f.go.as_str(), plan.go(&f.ty))));
        lines.into_iter().for_each(|l| s.line(l));
        return;
    }
    // A blank line before each documented field: then gofmt aligns nothing across fields.
    for (i, field) in fields.iter().enumerate() {
        if i > 0 {
            s.line("");
        }
        s.docs(field.docs.as_deref());
        s.line(format!("{} {}", field.go, plan.go(&field.ty)));
    }
}

fn kinds(s: &mut Source, decl: &Decl, cases: &Cases) {
    s.line(format!(
        "// {} tells the cases of {} apart.",
        cases.kind, decl.go
    ));
    s.line(format!("type {} int", cases.kind));
    s.line("");
    s.open("const (");
    for (i, case) in cases.cases.iter().enumerate() {
        s.docs(case.docs.as_deref());
        s.line(if i == 0 {
            format!("{} {} = iota", case.constant, cases.kind)
        } else {
            case.constant.clone()
        });
    }
    s.close(")");
    s.line("");
}

fn enumeration(s: &mut Source, decl: &Decl, cases: &Cases) {
    kinds(s, decl, cases);
    s.docs(decl.docs.as_deref());
    s.open(format!("type {} struct {{", decl.go));
    s.line(format!("kind {}", cases.kind));
    s.close("}");
    s.line("");
    s.line("// Kind returns the case.");
    s.open(format!("func (n {}) Kind() {} {{", decl.go, cases.kind));
    s.line("return n.kind");
    s.close("}");
    for case in &cases.cases {
        s.line("");
        s.line(format!(
            "// {} returns the case {}.",
            case.constructor, case.name
        ));
        s.open(format!("func {}() {} {{", case.constructor, decl.go));
        s.line(format!("return {}{{kind: {}}}", decl.go, case.constant));
        s.close("}");
    }
}

fn variant(plan: &Plan, s: &mut Source, decl: &Decl, cases: &Cases) {
    kinds(s, decl, cases);
    s.docs(decl.docs.as_deref());
    s.open(format!("type {} struct {{", decl.go));
    let fields = [("kind", cases.kind.clone()), ("val", "any".to_owned())];
    padded(fields.into_iter())
        .into_iter()
        .for_each(|l| s.line(l));
    s.close("}");
    s.line("");
    s.line("// Kind returns the case.");
    s.open(format!("func (n {}) Kind() {} {{", decl.go, cases.kind));
    s.line("return n.kind");
    s.close("}");
    for case in &cases.cases {
        s.line("");
        let Some(ty) = &case.ty else {
            s.line(format!(
                "// {} returns the case {}.",
                case.constructor, case.name
            ));
            s.open(format!("func {}() {} {{", case.constructor, decl.go));
            s.line(format!("return {}{{kind: {}}}", decl.go, case.constant));
            s.close("}");
            continue;
        };
        let go = plan.go(ty);
        s.line(format!(
            "// {} returns the case {} with payload v.",
            case.constructor, case.name
        ));
        s.open(format!("func {}(v {go}) {} {{", case.constructor, decl.go));
        s.line(format!(
            "return {}{{kind: {}, val: v}}",
            decl.go, case.constant
        ));
        s.close("}");
        s.line("");
        s.line(format!(
            "// Get{} returns the payload of the case {}; it panics in another case.",
            case.name, case.name
        ));
        s.open(format!("func (n {}) Get{}() {go} {{", decl.go, case.name));
        s.open(format!("if n.kind != {} {{", case.constant));
        s.line(format!("badKind(int(n.kind), int({}))", case.constant));
        s.close("}");
        // The comma form makes the zero value of a variant whose first case has a payload usable.
        s.line(format!("v, _ := n.val.({go})"));
        s.line("return v");
        s.close("}");
        s.line("");
        s.line(format!(
            "// Set{} changes n to the case {} with payload v.",
            case.name, case.name
        ));
        s.open(format!("func (n *{}) Set{}(v {go}) {{", decl.go, case.name));
        s.line(format!("n.kind, n.val = {}, v", case.constant));
        s.close("}");
    }
}

/// Whether the package needs `badKind` (and `strconv`).
pub(super) fn needs_bad_kind(plan: &Plan) -> bool {
    plan.decls
        .iter()
        .any(|d| matches!(&d.kind, Kind::Variant(v) if v.cases.iter().any(|c| c.ty.is_some())))
}

/// The panic of a `Get…` in the wrong case.
pub(super) fn bad_kind(s: &mut Source) {
    s.open("func badKind(have, want int) {");
    s.line("panic(\"Attr kind is \" + strconv.Itoa(have) + \", not \" + strconv.Itoa(want))");
    s.close("}");
    s.line("");
}

fn resource(plan: &Plan, s: &mut Source, decl: &Decl, id: super::ir::ResourceId) {
    let go = &decl.go;
    if plan.resource_side(id) == Side::Import {
        s.docs(decl.docs.as_deref());
        s.line(format!("type {go} int32"));
        s.line("");
        s.line("// Drop gives the handle back. Nothing drops a handle on its own.");
        s.open(format!("func (self {go}) Drop() {{"));
        s.line(format!("drop{go}(self)"));
        s.close("}");
        return;
    }
    s.docs(decl.docs.as_deref());
    let methods: Vec<_> = plan
        .funcs
        .iter()
        .filter(|f| f.kind == super::ir::FuncKind::Method(id))
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
                super::wrappers::signature(plan, method, true)
            ));
        }
        s.close("}");
    }
    s.line("");
    s.line(format!(
        "// Drop{go} gives up the ownership of self that an argument brought."
    ));
    s.open(format!("func Drop{go}(self {go}) {{"));
    s.line(format!("drop{go}(self)"));
    s.close("}");
}

/// `<world>_types.go`: the generic helpers that the world needs, if it needs any.
pub(super) fn helpers(plan: &Plan) -> Option<String> {
    if !plan.uses_option && !plan.uses_result {
        return None;
    }
    let mut s = file_start(None, &plan.package, "", &[], None);
    if plan.uses_option {
        s.append(OPTION);
    }
    if plan.uses_result {
        s.append(RESULT);
    }
    Some(file_end(s))
}

const OPTION: &str = include_str!("templates/option.go.txt");
const RESULT: &str = include_str!("templates/result.go.txt");
