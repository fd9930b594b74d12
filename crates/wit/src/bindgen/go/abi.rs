// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / bindgen go abi: Go code that moves values over the canonical ABI, the core that every style shares.
//! Scalars move inline; each compound type gets one store and one load function, written once per package.
//! In Go expressions, out Go statements and expressions. Never names user-visible things. Read next: `wasm.rs`.
//! Why: docs/go-bindings.md, section "Design"; component model, canonical ABI, "Loading" to "Flat Lowering".

use super::ir::{Cases, Flat, Kind, Plan, ResourceId, Side, Ty, discriminant_bytes, flags_bytes};
use super::text::Source;
use std::collections::BTreeMap;

/// Emits lifting and lowering code and collects the helper functions it needs.
pub(super) struct Abi<'p> {
    pub(super) plan: &'p Plan,
    /// Helper functions by name.
    helpers: BTreeMap<String, String>,
    /// Name stems of types that have no Go name of their own, by structure.
    stems: BTreeMap<String, String>,
    /// The wasm file mentions `math`.
    pub(super) uses_math: bool,
}

impl<'p> Abi<'p> {
    pub(super) fn new(plan: &'p Plan) -> Self {
        Self {
            plan,
            helpers: BTreeMap::new(),
            stems: BTreeMap::new(),
            uses_math: false,
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
                s.open(format!("if {v}.IsSome() {{"));
                s.line(format!("{} = 1", first(&vars)));
                self.assign_joined(s, ty, &vars, inner, &format!("{v}.Unwrap()"));
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
                Some(Kind::Enum(_)) => vec![format!("uint32({v}.Kind())")],
                Some(Kind::Flags(flags)) if flags.len() > 32 => {
                    vec![format!("uint32({v})"), format!("uint32({v} >> 32)")]
                }
                _ => vec![format!("uint32({v})")],
            },
            Ty::Own(id) => vec![self.lower_own(*id, v)],
            // An import cannot take a borrow of an exported resource, so this is a handle of an imported one.
            Ty::Borrow(_) => vec![format!("uint32({v})")],
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
            Side::Import => format!("uint32({v})"),
            Side::Export => format!("{}.Give({v})", self.table(id)),
        }
    }

    /// The variable that holds the handle table of an exported resource.
    pub(super) fn table(&self, id: ResourceId) -> String {
        format!(
            "table{}",
            self.plan.resources.get(id).map_or("", |r| r.go.as_str())
        )
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
                s.line(format!("{out} = Some[{}]({value})", self.plan.go(inner)));
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
                s.line(format!("{out} = Err[{args}]({value})"));
                s.outdented("} else {");
                let value = self.lift_half(s, peeled, values, ok);
                s.line(format!("{out} = Ok[{args}]({value})"));
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
                            .map(|t| self.lift_joined(s, peeled, values, t))
                            .unwrap_or_default();
                        s.line(format!("{out} = {}({value})", case.constructor));
                    }
                    s.close("}");
                    out
                }
                Some(Kind::Enum(cases)) => format!("{go}{{kind: {}({v})}}", cases.kind),
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

    fn lift_handle(&self, ty: &Ty, id: ResourceId, v: &str) -> String {
        let go = self.plan.go(ty);
        match (self.plan.resource_side(id), ty) {
            (Side::Export, Ty::Own(_)) => format!("{}.Receive({v})", self.table(id)),
            // The canonical ABI hands the owner of a resource its representation, not a handle.
            (Side::Export, _) => format!("{}.Object({v})", self.table(id)),
            (Side::Import, Ty::Own(_)) => format!("{go}({v})"),
            (Side::Import, _) => format!("{go}(golemrt.Lend({v}, wasmDrop{go}))"),
        }
    }

    /// Stores `v` at `p + offset`.
    pub(super) fn store(&mut self, s: &mut Source, ty: &Ty, p: &str, offset: usize, v: &str) {
        let ty = self.plan.peel(ty);
        match ty {
            Ty::Str | Ty::List(_) => {
                let call = self.lower_memory(ty, v);
                let (a, n) = (s.local(), s.local());
                s.line(format!("{a}, {n} := {call}"));
                s.line(format!("golemrt.StorePair({p}, {offset}, {a}, {n})"));
            }
            Ty::Own(id) => s.line(format!(
                "golemrt.Store({p}, {offset}, {})",
                self.lower_own(*id, v)
            )),
            Ty::Borrow(_) => s.line(format!("golemrt.Store({p}, {offset}, uint32({v}))")),
            Ty::Named(id) => match self.plan.kind(*id) {
                Some(Kind::Enum(cases)) => {
                    let word = word(discriminant_bytes(cases.cases.len()));
                    s.line(format!("golemrt.Store({p}, {offset}, {word}({v}.Kind()))"));
                }
                Some(Kind::Flags(flags)) => match flags_bytes(flags.len()) {
                    8 => s.line(format!(
                        "golemrt.StorePair({p}, {offset}, uint32({v}), uint32({v}>>32))"
                    )),
                    n => s.line(format!("golemrt.Store({p}, {offset}, {}({v}))", word(n))),
                },
                _ => {
                    let name = self.store_helper(ty);
                    s.line(format!("{name}(c, {}, {v})", at(p, offset)));
                }
            },
            Ty::Option(_) | Ty::Result(..) => {
                let name = self.store_helper(ty);
                s.line(format!("{name}(c, {}, {v})", at(p, offset)));
            }
            _ => s.line(format!("golemrt.Store({p}, {offset}, {v})")),
        }
    }

    /// An expression for the value at `p + offset`.
    pub(super) fn load(&mut self, ty: &Ty, p: &str, offset: usize) -> String {
        let ty = self.plan.peel(ty);
        let go = self.plan.go(ty);
        match ty {
            Ty::Bool => format!("golemrt.Load[uint8]({p}, {offset}) != 0"),
            Ty::Str | Ty::List(_) => {
                self.lift_memory(ty, &format!("golemrt.LoadPair({p}, {offset})"))
            }
            Ty::Own(id) | Ty::Borrow(id) => {
                self.lift_handle(ty, *id, &format!("golemrt.Load[uint32]({p}, {offset})"))
            }
            Ty::Named(id) => match self.plan.kind(*id) {
                Some(Kind::Enum(cases)) => {
                    let word = word(discriminant_bytes(cases.cases.len()));
                    format!(
                        "{go}{{kind: {}(golemrt.Load[{word}]({p}, {offset}))}}",
                        cases.kind
                    )
                }
                Some(Kind::Flags(flags)) => match flags_bytes(flags.len()) {
                    8 => format!(
                        "{go}(golemrt.Load[uint32]({p}, {offset})) | {go}(golemrt.Load[uint32]({p}, {}))<<32",
                        offset + 4
                    ),
                    n => format!("{go}(golemrt.Load[{}]({p}, {offset}))", word(n)),
                },
                _ => format!("{}({})", self.load_helper(ty), at(p, offset)),
            },
            Ty::Option(_) | Ty::Result(..) => {
                format!("{}({})", self.load_helper(ty), at(p, offset))
            }
            _ => format!("golemrt.Load[{go}]({p}, {offset})"),
        }
    }

    /// A stem for helper names, one per distinct ABI shape: own and borrowed handles look alike in Go but not here.
    fn stem(&mut self, ty: &Ty) -> String {
        let key = format!("{:?}", self.structure(ty));
        if let Some(stem) = self.stems.get(&key) {
            return stem.clone();
        }
        let base = self.spell(ty);
        let stem = std::iter::once(base.clone())
            .chain((2u32..).map(|n| format!("{base}_{n}")))
            .find(|name| !self.stems.values().any(|used| used == name))
            .unwrap_or(base);
        self.stems.insert(key, stem.clone());
        stem
    }

    /// `ty` without aliases at any depth that a helper's name depends on.
    fn structure(&self, ty: &Ty) -> Ty {
        let half = |t: &Option<Box<Ty>>| t.as_ref().map(|t| Box::new(self.structure(t)));
        match self.plan.peel(ty) {
            Ty::List(t) => Ty::List(Box::new(self.structure(t))),
            Ty::Option(t) => Ty::Option(Box::new(self.structure(t))),
            Ty::Result(ok, err) => Ty::Result(half(ok), half(err)),
            other => other.clone(),
        }
    }

    fn spell(&self, ty: &Ty) -> String {
        let half = |t: &Option<Box<Ty>>| {
            t.as_deref()
                .map_or_else(|| "Empty".to_owned(), |t| self.spell(t))
        };
        match self.plan.peel(ty) {
            Ty::List(t) => format!("List{}", self.spell(t)),
            Ty::Option(t) => format!("Option{}", self.spell(t)),
            Ty::Result(ok, err) => format!("Result{}{}", half(ok), half(err)),
            Ty::Str => "String".to_owned(),
            Ty::Borrow(_) => format!("Borrowed{}", self.plan.go(ty)),
            other => {
                let go = self.plan.go(other);
                let mut chars = go.chars();
                chars
                    .next()
                    .map(|c| c.to_uppercase().chain(chars).collect())
                    .unwrap_or_default()
            }
        }
    }

    fn store_helper(&mut self, ty: &Ty) -> String {
        let name = format!("store{}", self.stem(ty));
        if !self.helpers.contains_key(&name) {
            self.helpers.insert(name.clone(), String::new());
            let code = self.store_function(&name, ty);
            self.helpers.insert(name.clone(), code);
        }
        name
    }

    fn store_function(&mut self, name: &str, ty: &Ty) -> String {
        let plan = self.plan;
        let mut s = Source::default();
        s.open(format!(
            "func {name}(c *golemrt.Call, p unsafe.Pointer, v {}) {{",
            plan.go(ty)
        ));
        match ty {
            Ty::Option(inner) => {
                s.open("if v.IsNone() {");
                s.line("golemrt.Store(p, 0, uint8(0))");
                s.line("return");
                s.close("}");
                s.line("golemrt.Store(p, 0, uint8(1))");
                let offset = plan.payload_offset(2, [Some(&**inner)].into_iter());
                self.store(&mut s, inner, "p", offset, "v.Unwrap()");
            }
            Ty::Result(ok, err) => {
                let offset = plan.payload_offset(2, [ok.as_deref(), err.as_deref()].into_iter());
                s.open("if v.IsErr() {");
                s.line("golemrt.Store(p, 0, uint8(1))");
                if let Some(err) = err {
                    self.store(&mut s, err, "p", offset, "v.UnwrapErr()");
                }
                s.line("return");
                s.close("}");
                s.line("golemrt.Store(p, 0, uint8(0))");
                if let Some(ok) = ok {
                    self.store(&mut s, ok, "p", offset, "v.Unwrap()");
                }
            }
            Ty::Named(id) => match plan.kind(*id) {
                Some(Kind::Record(fields)) => {
                    let (offsets, _) = plan.offsets(fields.iter().map(|f| &f.ty));
                    for (field, offset) in fields.iter().zip(offsets) {
                        self.store(&mut s, &field.ty, "p", offset, &format!("v.{}", field.go));
                    }
                }
                Some(Kind::Tuple(items)) => {
                    let (offsets, _) = plan.offsets(items.iter());
                    for (i, (item, offset)) in items.iter().zip(offsets).enumerate() {
                        self.store(&mut s, item, "p", offset, &format!("v.F{i}"));
                    }
                }
                Some(Kind::Variant(cases)) => self.store_variant(&mut s, cases),
                _ => {}
            },
            _ => {}
        }
        s.close("}");
        s.into_string()
    }

    fn store_variant(&mut self, s: &mut Source, cases: &Cases) {
        let offset = self
            .plan
            .payload_offset(cases.cases.len(), cases.cases.iter().map(|c| c.ty.as_ref()));
        let word = word(discriminant_bytes(cases.cases.len()));
        s.line(format!("golemrt.Store(p, 0, {word}(v.Kind()))"));
        if cases.cases.iter().all(|c| c.ty.is_none()) {
            return;
        }
        s.open("switch v.Kind() {");
        for case in &cases.cases {
            if let Some(ty) = &case.ty {
                s.outdented(format!("case {}:", case.constant));
                self.store(s, ty, "p", offset, &format!("v.Get{}()", case.name));
            }
        }
        s.close("}");
    }

    fn load_helper(&mut self, ty: &Ty) -> String {
        let name = format!("load{}", self.stem(ty));
        if !self.helpers.contains_key(&name) {
            self.helpers.insert(name.clone(), String::new());
            let code = self.load_function(&name, ty);
            self.helpers.insert(name.clone(), code);
        }
        name
    }

    fn load_function(&mut self, name: &str, ty: &Ty) -> String {
        let plan = self.plan;
        let go = plan.go(ty);
        let mut s = Source::default();
        s.open(format!("func {name}(p unsafe.Pointer) {go} {{"));
        match ty {
            Ty::Option(inner) => {
                s.open("if golemrt.Load[uint8](p, 0) == 0 {");
                s.line(format!("return None[{}]()", plan.go(inner)));
                s.close("}");
                let offset = plan.payload_offset(2, [Some(&**inner)].into_iter());
                let value = self.load(inner, "p", offset);
                s.line(format!("return Some[{}]({value})", plan.go(inner)));
            }
            Ty::Result(ok, err) => {
                let offset = plan.payload_offset(2, [ok.as_deref(), err.as_deref()].into_iter());
                let args = format!("{}, {}", plan.go_or_unit(ok), plan.go_or_unit(err));
                let mut half = |t: &Option<Box<Ty>>| {
                    t.as_deref()
                        .map_or_else(|| "struct{}{}".to_owned(), |t| self.load(t, "p", offset))
                };
                let (ok, err) = (half(ok), half(err));
                s.open("if golemrt.Load[uint8](p, 0) != 0 {");
                s.line(format!("return Err[{args}]({err})"));
                s.close("}");
                s.line(format!("return Ok[{args}]({ok})"));
            }
            Ty::Named(id) => match plan.kind(*id) {
                Some(Kind::Record(fields)) => {
                    let (offsets, _) = plan.offsets(fields.iter().map(|f| &f.ty));
                    s.line(format!("var v {go}"));
                    for (field, offset) in fields.iter().zip(offsets) {
                        let value = self.load(&field.ty, "p", offset);
                        s.line(format!("v.{} = {value}", field.go));
                    }
                    s.line("return v");
                }
                Some(Kind::Tuple(items)) => {
                    let (offsets, _) = plan.offsets(items.iter());
                    s.line(format!("var v {go}"));
                    for (i, (item, offset)) in items.iter().zip(offsets).enumerate() {
                        let value = self.load(item, "p", offset);
                        s.line(format!("v.F{i} = {value}"));
                    }
                    s.line("return v");
                }
                Some(Kind::Variant(cases)) => {
                    let offset = plan.payload_offset(
                        cases.cases.len(),
                        cases.cases.iter().map(|c| c.ty.as_ref()),
                    );
                    let word = word(discriminant_bytes(cases.cases.len()));
                    s.open(format!("switch golemrt.Load[{word}](p, 0) {{"));
                    for (i, case) in cases.cases.iter().enumerate() {
                        s.outdented(format!("case {i}:"));
                        let value = case
                            .ty
                            .as_ref()
                            .map(|t| self.load(t, "p", offset))
                            .unwrap_or_default();
                        s.line(format!("return {}({value})", case.constructor));
                    }
                    s.close("}");
                    s.line(format!("return {go}{{}}"));
                }
                _ => s.line(format!("return {go}{{}}")),
            },
            _ => {}
        }
        s.close("}");
        s.into_string()
    }

    fn lower_list(&mut self, item: &Ty) -> String {
        let name = format!("lowerList{}", self.stem(item));
        if !self.helpers.contains_key(&name) {
            self.helpers.insert(name.clone(), String::new());
            let size = self.plan.layout(item).size;
            let mut s = Source::default();
            s.open(format!(
                "func {name}(c *golemrt.Call, v []{}) (uint32, uint32) {{",
                self.plan.go(item)
            ));
            s.line(format!("p := c.Buf(len(v) * {size})"));
            s.open("for i := range v {");
            let p = if size == 1 {
                "unsafe.Add(p, i)".to_owned()
            } else {
                format!("unsafe.Add(p, i*{size})")
            };
            self.store(&mut s, item, &p, 0, "v[i]");
            s.close("}");
            s.line("return golemrt.Addr(p), uint32(len(v))");
            s.close("}");
            self.helpers.insert(name.clone(), s.into_string());
        }
        name
    }

    fn lift_list(&mut self, item: &Ty) -> String {
        let name = format!("liftList{}", self.stem(item));
        if !self.helpers.contains_key(&name) {
            self.helpers.insert(name.clone(), String::new());
            let (go, size) = (self.plan.go(item), self.plan.layout(item).size);
            let mut s = Source::default();
            s.open(format!("func {name}(addr, n uint32) []{go} {{"));
            s.open("if n == 0 {");
            s.line("return nil");
            s.close("}");
            s.line("p := golemrt.Ptr(addr)");
            s.line(format!("v := make([]{go}, n)"));
            s.open("for i := range v {");
            let p = if size == 1 {
                "unsafe.Add(p, i)".to_owned()
            } else {
                format!("unsafe.Add(p, i*{size})")
            };
            let value = self.load(item, &p, 0);
            s.line(format!("v[i] = {value}"));
            s.close("}");
            s.line("return v");
            s.close("}");
            self.helpers.insert(name.clone(), s.into_string());
        }
        name
    }
}

fn first(vars: &[String]) -> &str {
    vars.first().map_or("_", String::as_str)
}

fn at(p: &str, offset: usize) -> String {
    if offset == 0 {
        p.to_owned()
    } else {
        format!("unsafe.Add({p}, {offset})")
    }
}

fn word(bytes: usize) -> &'static str {
    match bytes {
        1 => "uint8",
        2 => "uint16",
        _ => "uint32",
    }
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
