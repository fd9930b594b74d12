// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / bindgen go abi: Go code that moves values over the canonical ABI, the core that every style shares.
//! Scalars move inline; each compound type gets one store and one load function, written once per package.
//! In Go expressions, out Go statements and expressions. Never names user-visible things. Read next: `wasm.rs`.
//! Why: docs/go-bindings.md, section "Design"; component model, canonical ABI, "Loading" to "Flat Lowering".

mod memory;
mod shape;

use super::Style;
use super::ir::{Flat, Kind, Plan, ResourceId, Side, Ty};
use super::text::Source;
use std::collections::{BTreeMap, BTreeSet};

/// Emits lifting and lowering code and collects the helper functions it needs.
pub(super) struct Abi<'p> {
    pub(super) plan: &'p Plan,
    /// Helper functions by name.
    helpers: BTreeMap<String, String>,
    /// Name stems of types that have no Go name of their own, by structure.
    stems: BTreeMap<String, String>,
    /// The wasm file mentions `math`.
    pub(super) uses_math: bool,
    /// Resources of other packages whose drop is mentioned here.
    pub(super) foreign_drops: BTreeSet<ResourceId>,
}

impl<'p> Abi<'p> {
    pub(super) fn new(plan: &'p Plan) -> Self {
        Self {
            plan,
            helpers: BTreeMap::new(),
            stems: BTreeMap::new(),
            uses_math: false,
            foreign_drops: BTreeSet::new(),
        }
    }

    /// The helper functions, in the order of their names.
    pub(super) fn into_helpers(self) -> impl Iterator<Item = String> {
        self.helpers.into_values()
    }

    /// Lowers `v` to core values; the statements go to `s`, which has `c *golemrt.Call` where `v` carries memory.
    pub(super) fn lower_flat(&mut self, s: &mut Source, ty: &Ty, v: &str) -> Vec<String> {
        let ty = self.plan.peel(ty);
        match ty {
            Ty::Bool => vec![format!("golemrt.Bool({v})")],
            Ty::U8 | Ty::U16 | Ty::S8 | Ty::S16 | Ty::S32 | Ty::Char => {
                vec![format!("uint32({v})")]
            }
            Ty::S64 => vec![format!("uint64({v})")],
            Ty::U32 | Ty::U64 | Ty::F32 | Ty::F64 => vec![v.to_owned()],
            Ty::Str | Ty::List(_) => {
                let (p, n) = (s.local(), s.local());
                let call = self.lower_memory(ty, v);
                s.line(format!("{p}, {n} := {call}"));
                vec![p, n]
            }
            Ty::Option(inner) => {
                let v = bind(s, v);
                let vars = self.joined_vars(s, ty);
                s.open(format!("if {} {{", self.is_some(&v)));
                s.line(format!("{} = 1", first(&vars)));
                let payload = self.unwrapped(s, inner, &v);
                self.assign_joined(s, ty, &vars, inner, &payload);
                s.close("}");
                vars
            }
            Ty::Result(ok, err) => {
                let v = bind(s, v);
                let vars = self.joined_vars(s, ty);
                s.open(format!("if {v}.IsErr() {{"));
                s.line(format!("{} = 1", first(&vars)));
                if let Some(err) = err {
                    self.assign_joined(s, ty, &vars, err, &format!("{v}.UnwrapErr()"));
                }
                if let Some(ok) = ok {
                    s.outdented("} else {");
                    self.assign_joined(s, ty, &vars, ok, &format!("{v}.Unwrap()"));
                }
                s.close("}");
                vars
            }
            Ty::Named(id) => match self.plan.kind(*id) {
                Some(Kind::Record(fields)) => {
                    let v = bind(s, v);
                    fields
                        .iter()
                        .flat_map(|f| self.lower_flat(s, &f.ty, &format!("{v}.{}", f.go)))
                        .collect()
                }
                Some(Kind::Tuple(items)) => {
                    let v = bind(s, v);
                    let items = items.iter().enumerate();
                    items
                        .flat_map(|(i, t)| self.lower_flat(s, t, &format!("{v}.F{i}")))
                        .collect()
                }
                Some(Kind::Variant(cases)) if self.plan.style == Style::Go => {
                    let vars = self.joined_vars(s, ty);
                    self.each_case(s, ty, cases, v, |abi, s, number, payload| {
                        if number > 0 {
                            s.line(format!("{} = {number}", first(&vars)));
                        }
                        if let Some((payload, value)) = payload {
                            abi.assign_joined(s, ty, &vars, payload, value);
                        }
                    });
                    vars
                }
                Some(Kind::Variant(cases)) => {
                    let v = bind(s, v);
                    let vars = self.joined_vars(s, ty);
                    s.line(format!("{} = uint32({v}.Kind())", first(&vars)));
                    if cases.cases.iter().any(|c| c.ty.is_some()) {
                        s.open(format!("switch {v}.Kind() {{"));
                        for case in &cases.cases {
                            if let Some(payload) = &case.ty {
                                s.outdented(format!("case {}:", case.constant));
                                self.assign_joined(
                                    s,
                                    ty,
                                    &vars,
                                    payload,
                                    &format!("{v}.Get{}()", case.name),
                                );
                            }
                        }
                        s.close("}");
                    }
                    vars
                }
                Some(Kind::Enum(_)) => vec![self.enum_number("uint32", v)],
                Some(Kind::Flags(flags)) if flags.len() > 32 => {
                    vec![format!("uint32({v})"), format!("uint32({v} >> 32)")]
                }
                _ => vec![format!("uint32({v})")],
            },
            Ty::Own(id) => vec![self.lower_own(*id, v)],
            // An import cannot take a borrow of an exported resource, so this is a handle of an imported one.
            Ty::Borrow(_) => vec![self.lower_borrow(v)],
            Ty::Alias(..) => Vec::new(),
        }
    }

    /// A call that lowers a string or list to its address and length.
    fn lower_memory(&mut self, ty: &Ty, v: &str) -> String {
        match ty {
            Ty::List(item) if self.plan.is_block(item) => format!("golemrt.Block(c, {v})"),
            Ty::List(item) => format!("{}(c, {v})", self.lower_list(item)),
            _ => format!("c.Str({v})"),
        }
    }

    fn lower_own(&self, id: ResourceId, v: &str) -> String {
        match self.plan.resource_side(id) {
            Side::Import => match self.plan.style {
                Style::TinyGo => format!("uint32({v})"),
                Style::Go => format!("golemrt.Give(&{v}.Handle)"),
            },
            Side::Export => format!("{}.Give({v})", self.table(id)),
        }
    }

    fn lower_borrow(&self, v: &str) -> String {
        match self.plan.style {
            Style::TinyGo => format!("uint32({v})"),
            Style::Go => format!("golemrt.Use(&{v}.Handle)"),
        }
    }

    /// The variable that holds the handle table of an exported resource.
    pub(super) fn table(&self, id: ResourceId) -> String {
        let go = self.plan.resources.get(id).map_or("", |r| r.go.as_str());
        match (self.plan.style, go.split_once('.')) {
            (Style::Go, Some((package, name))) => {
                self.plan.spell(&format!("{package}.Table{name}"))
            }
            _ => format!("table{go}"),
        }
    }

    fn joined_vars(&mut self, s: &mut Source, ty: &Ty) -> Vec<String> {
        let flat = self.plan.flat(ty);
        flat.iter()
            .map(|f| {
                let var = s.local();
                s.line(format!("var {var} {}", f.go()));
                var
            })
            .collect()
    }

    /// Lowers a payload into the joined variables (after the discriminant) of its variant-like type `of`.
    fn assign_joined(&mut self, s: &mut Source, of: &Ty, vars: &[String], payload: &Ty, v: &str) {
        let joined = self.plan.flat(of);
        let have = self.plan.flat(payload);
        let values = self.lower_flat(s, payload, v);
        let targets = vars.iter().zip(joined).skip(1);
        for ((var, to), (value, from)) in targets.zip(values.into_iter().zip(have)) {
            let value = self.cast(&value, from, to);
            s.line(format!("{var} = {value}"));
        }
    }

    /// Reinterprets a core value so that it fits a joined slot (or comes back out of one).
    fn cast(&mut self, v: &str, from: Flat, to: Flat) -> String {
        self.uses_math |= from != to
            && (matches!(from, Flat::F32 | Flat::F64) || matches!(to, Flat::F32 | Flat::F64));
        match (from, to) {
            (Flat::I32, Flat::I64) => format!("uint64({v})"),
            (Flat::I64, Flat::I32) => format!("uint32({v})"),
            (Flat::F32, Flat::I32) => format!("math.Float32bits({v})"),
            (Flat::F32, Flat::I64) => format!("uint64(math.Float32bits({v}))"),
            (Flat::F64, Flat::I64) => format!("math.Float64bits({v})"),
            (Flat::I32, Flat::F32) => format!("math.Float32frombits({v})"),
            (Flat::I64, Flat::F32) => format!("math.Float32frombits(uint32({v}))"),
            (Flat::I64, Flat::F64) => format!("math.Float64frombits({v})"),
            _ => v.to_owned(),
        }
    }

    /// Lifts core values to a Go expression; takes as many values as the type is flattened to.
    pub(super) fn lift_flat(&mut self, s: &mut Source, ty: &Ty, values: &[String]) -> String {
        let v = values.first().cloned().unwrap_or_default();
        let peeled = self.plan.peel(ty);
        let go = self.plan.go(peeled);
        match peeled {
            Ty::Bool => format!("{v} != 0"),
            Ty::U8 | Ty::U16 | Ty::S8 | Ty::S16 | Ty::S32 | Ty::S64 => format!("{go}({v})"),
            Ty::Char => format!("rune({v})"),
            Ty::U32 | Ty::U64 | Ty::F32 | Ty::F64 => v,
            Ty::Str | Ty::List(_) => self.lift_memory(peeled, &values.join(", ")),
            Ty::Option(inner) => {
                let out = s.local();
                s.line(format!("var {out} {go}"));
                s.open(format!("if {v} != 0 {{"));
                let value = self.lift_joined(s, peeled, values, inner);
                let some = self.some(inner, &value);
                s.line(format!("{out} = {some}"));
                s.close("}");
                out
            }
            Ty::Result(ok, err) => {
                let out = s.local();
                let args = format!(
                    "{}, {}",
                    self.plan.go_or_unit(ok),
                    self.plan.go_or_unit(err)
                );
                s.line(format!("var {out} {go}"));
                s.open(format!("if {v} != 0 {{"));
                let value = self.lift_half(s, peeled, values, err);
                s.line(format!(
                    "{out} = {}[{args}]({value})",
                    self.plan.helper("Err")
                ));
                s.outdented("} else {");
                let value = self.lift_half(s, peeled, values, ok);
                s.line(format!(
                    "{out} = {}[{args}]({value})",
                    self.plan.helper("Ok")
                ));
                s.close("}");
                out
            }
            Ty::Named(id) => match self.plan.kind(*id) {
                Some(Kind::Record(fields)) => {
                    let mut at = values;
                    let mut parts = Vec::new();
                    for field in fields {
                        let value = self.lift_next(s, &field.ty, &mut at);
                        parts.push(format!("{}: {value}", field.go));
                    }
                    format!("{go}{{{}}}", parts.join(", "))
                }
                Some(Kind::Tuple(items)) => {
                    let mut at = values;
                    let mut parts = Vec::new();
                    for (i, item) in items.iter().enumerate() {
                        let value = self.lift_next(s, item, &mut at);
                        parts.push(format!("F{i}: {value}"));
                    }
                    format!("{go}{{{}}}", parts.join(", "))
                }
                Some(Kind::Variant(cases)) => {
                    let out = s.local();
                    s.line(format!("var {out} {go}"));
                    s.open(format!("switch {v} {{"));
                    for (i, case) in cases.cases.iter().enumerate() {
                        s.outdented(format!("case {i}:"));
                        let value = case
                            .ty
                            .as_ref()
                            .map(|t| self.lift_joined(s, peeled, values, t));
                        let value = self.case_value(case, value.as_deref());
                        s.line(format!("{out} = {value}"));
                    }
                    s.close("}");
                    out
                }
                Some(Kind::Enum(cases)) => self.enum_value(&go, cases, &v),
                Some(Kind::Flags(flags)) if flags.len() > 32 => {
                    let high = values.get(1).cloned().unwrap_or_default();
                    format!("{go}({v}) | {go}({high})<<32")
                }
                _ => format!("{go}({v})"),
            },
            Ty::Own(id) | Ty::Borrow(id) => self.lift_handle(peeled, *id, &v),
            Ty::Alias(..) => v,
        }
    }

    /// Lifts the next field of a record, moving `at` past its values. Statements of later fields run after this one's
    /// expression is built, which is fine: lifting an argument has no effect that another field could see.
    fn lift_next(&mut self, s: &mut Source, ty: &Ty, at: &mut &[String]) -> String {
        let (now, rest) = at
            .split_at_checked(self.plan.flat(ty).len())
            .unwrap_or((at, &[]));
        *at = rest;
        self.lift_flat(s, ty, now)
    }

    fn lift_half(
        &mut self,
        s: &mut Source,
        of: &Ty,
        values: &[String],
        half: &Option<Box<Ty>>,
    ) -> String {
        match half {
            Some(ty) => self.lift_joined(s, of, values, ty),
            None => "struct{}{}".to_owned(),
        }
    }

    fn lift_joined(&mut self, s: &mut Source, of: &Ty, values: &[String], payload: &Ty) -> String {
        let joined = self.plan.flat(of);
        let want = self.plan.flat(payload);
        let slots = values.iter().zip(joined).skip(1).zip(want);
        let values: Vec<String> = slots
            .map(|((v, from), to)| self.cast(v, from, to))
            .collect();
        self.lift_flat(s, payload, &values)
    }

    /// A call that copies a string or list out of linear memory; `at` is "address, length".
    fn lift_memory(&mut self, ty: &Ty, at: &str) -> String {
        match ty {
            Ty::List(item) if self.plan.is_block(item) => {
                format!("golemrt.List[{}]({at})", self.plan.go(item))
            }
            Ty::List(item) => format!("{}({at})", self.lift_list(item)),
            _ => format!("golemrt.String({at})"),
        }
    }

    fn lift_handle(&mut self, ty: &Ty, id: ResourceId, v: &str) -> String {
        if self.plan.style == Style::Go && self.plan.resource_side(id) == Side::Import {
            let object = format!(
                "&{}{{Handle: golemrt.Own({v})}}",
                self.plan.resource_name(id)
            );
            return match ty {
                Ty::Own(_) => object,
                _ => format!("golemrt.Borrowed({object}, {})", self.drop_name(id)),
            };
        }
        let go = self.plan.go(ty);
        match (self.plan.resource_side(id), ty) {
            (Side::Export, Ty::Own(_)) => format!("{}.Receive({v})", self.table(id)),
            // The canonical ABI hands the owner of a resource its representation, not a handle.
            (Side::Export, _) => format!("{}.Object({v})", self.table(id)),
            (Side::Import, Ty::Own(_)) => format!("{go}({v})"),
            (Side::Import, _) => format!("{go}(golemrt.Lend({v}, wasmDrop{go}))"),
        }
    }
}

fn first(vars: &[String]) -> &str {
    vars.first().map_or("_", String::as_str)
}

/// A value that is mentioned more than once: as it is if it is a plain name or field, else through a local.
fn bind(s: &mut Source, v: &str) -> String {
    if v.contains('(') {
        let local = s.local();
        s.line(format!("{local} := {v}"));
        local
    } else {
        v.to_owned()
    }
}
