// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / bindgen go abi memory: Go code that moves values between Go and linear memory. Scalars inline; records,
//! variants and lists through helper functions, written once per package and ABI shape. In Go expressions, out Go code.
//! Never flattens. Read next: `../abi.rs`. Why: component model, canonical ABI, "Loading" and "Storing".

use super::super::Style;
use super::super::ir::{Cases, Decl, Kind, Ty, discriminant_bytes, flags_bytes};
use super::super::text::Source;
use super::Abi;

impl Abi<'_> {
    /// Stores `v` at `p + offset`.
    pub(in super::super) fn store(
        &mut self,
        s: &mut Source,
        ty: &Ty,
        p: &str,
        offset: usize,
        v: &str,
    ) {
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
            Ty::Borrow(_) => s.line(format!(
                "golemrt.Store({p}, {offset}, {})",
                self.lower_borrow(v)
            )),
            Ty::Named(id) => match self.plan.kind(*id) {
                Some(Kind::Enum(cases)) => {
                    let word = word(discriminant_bytes(cases.cases.len()));
                    let number = self.enum_number(word, v);
                    s.line(format!("golemrt.Store({p}, {offset}, {number})"));
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
    pub(in super::super) fn load(&mut self, ty: &Ty, p: &str, offset: usize) -> String {
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
                    let number = format!("golemrt.Load[{word}]({p}, {offset})");
                    self.enum_value(&go, cases, &number)
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
            Ty::Borrow(id) => format!("Borrowed{}", plain(&self.plan.resource_name(*id))),
            Ty::Own(id) => plain(&self.plan.resource_name(*id)),
            Ty::Named(id) => match self.plan.decls.get(*id) {
                Some(Decl {
                    go,
                    kind: Kind::Tuple(items),
                    ..
                }) if go.is_empty() => {
                    let items: String = items.iter().map(|t| self.spell(t)).collect();
                    format!("Tuple{items}")
                }
                Some(decl) => plain(&self.plan.spell(&decl.go)),
                None => String::new(),
            },
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
                s.open(format!("if {} {{", self.is_none("v")));
                s.line("golemrt.Store(p, 0, uint8(0))");
                s.line("return");
                s.close("}");
                s.line("golemrt.Store(p, 0, uint8(1))");
                let offset = plan.payload_offset(2, [Some(&**inner)].into_iter());
                let payload = self.unwrapped(&mut s, inner, "v");
                self.store(&mut s, inner, "p", offset, &payload);
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
                Some(Kind::Variant(cases)) => self.store_variant(&mut s, ty, cases),
                _ => {}
            },
            _ => {}
        }
        s.close("}");
        s.into_string()
    }

    fn store_variant(&mut self, s: &mut Source, ty: &Ty, cases: &Cases) {
        let offset = self
            .plan
            .payload_offset(cases.cases.len(), cases.cases.iter().map(|c| c.ty.as_ref()));
        let word = word(discriminant_bytes(cases.cases.len()));
        if self.plan.style == Style::Go {
            self.each_case(s, ty, cases, "v", |abi, s, number, payload| {
                s.line(format!("golemrt.Store(p, 0, {word}({number}))"));
                if let Some((payload, value)) = payload {
                    abi.store(s, payload, "p", offset, value);
                }
            });
            return;
        }
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
                s.line(format!("return {}", self.none(inner)));
                s.close("}");
                let offset = plan.payload_offset(2, [Some(&**inner)].into_iter());
                let value = self.load(inner, "p", offset);
                s.line(format!("return {}", self.some(inner, &value)));
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
                s.line(format!("return {}[{args}]({err})", plan.helper("Err")));
                s.close("}");
                s.line(format!("return {}[{args}]({ok})", plan.helper("Ok")));
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
                        let value = case.ty.as_ref().map(|t| self.load(t, "p", offset));
                        s.line(format!(
                            "return {}",
                            self.case_value(case, value.as_deref())
                        ));
                    }
                    s.close("}");
                    s.line(match plan.style {
                        Style::TinyGo => format!("return {go}{{}}"),
                        Style::Go => "return nil".to_owned(),
                    });
                }
                _ => s.line(format!("return {go}{{}}")),
            },
            _ => {}
        }
        s.close("}");
        s.into_string()
    }

    pub(super) fn lower_list(&mut self, item: &Ty) -> String {
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

    pub(super) fn lift_list(&mut self, item: &Ty) -> String {
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

/// A Go type as a part of an identifier.
fn plain(go: &str) -> String {
    let mut chars = go.chars().filter(|c| c.is_alphanumeric() || *c == '_');
    chars
        .next()
        .map(|c| c.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
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
