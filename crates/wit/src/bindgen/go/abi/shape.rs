// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / bindgen go abi shape: the places where the styles hold values differently: options, variants, enums.
//! In Go expressions, out Go expressions and statements. Never knows layouts. Read next: `../abi.rs`.
//! Why: docs/go-bindings.md, sections "Names" and "Style go".

use super::super::Style;
use super::super::ir::{Case, Cases, ResourceId, Ty, bare};
use super::super::names;
use super::super::text::Source;
use super::{Abi, bind};

impl Abi<'_> {
    /// A condition: the option `v` has a value.
    pub(super) fn is_some(&self, v: &str) -> String {
        match self.plan.style {
            Style::TinyGo => format!("{v}.IsSome()"),
            Style::Go => format!("{v} != nil"),
        }
    }

    /// A condition: the option `v` is empty.
    pub(super) fn is_none(&self, v: &str) -> String {
        match self.plan.style {
            Style::TinyGo => format!("{v}.IsNone()"),
            Style::Go => format!("{v} == nil"),
        }
    }

    /// The value in the option `v`, which is not empty.
    pub(super) fn unwrapped(&self, s: &mut Source, inner: &Ty, v: &str) -> String {
        match self.plan.style {
            Style::TinyGo => format!("{v}.Unwrap()"),
            Style::Go if self.plan.nilable(inner) => v.to_owned(),
            Style::Go => {
                let local = s.local();
                s.line(format!("{local} := *{v}"));
                local
            }
        }
    }

    /// An option with a value.
    pub(super) fn some(&self, inner: &Ty, value: &str) -> String {
        if self.plan.style == Style::Go && self.plan.nilable(inner) {
            return value.to_owned();
        }
        let some = self.plan.helper("Some");
        format!("{some}[{}]({value})", self.plan.go(inner))
    }

    /// An empty option.
    pub(super) fn none(&self, inner: &Ty) -> String {
        match self.plan.style {
            Style::TinyGo => format!("None[{}]()", self.plan.go(inner)),
            Style::Go => "nil".to_owned(),
        }
    }

    /// The number of the case of an enum, as the unsigned type `word`.
    pub(super) fn enum_number(&self, word: &str, v: &str) -> String {
        match self.plan.style {
            Style::TinyGo => format!("{word}({v}.Kind())"),
            Style::Go => format!("{word}({v})"),
        }
    }

    /// The enum of a case's number.
    pub(super) fn enum_value(&self, go: &str, cases: &Cases, number: &str) -> String {
        match self.plan.style {
            Style::TinyGo => format!("{go}{{kind: {}({number})}}", cases.kind),
            Style::Go => format!("{go}({number})"),
        }
    }

    /// A variant of one case.
    pub(super) fn case_value(&self, case: &Case, payload: Option<&str>) -> String {
        match (self.plan.style, payload) {
            (Style::TinyGo, payload) => {
                format!("{}({})", case.constructor, payload.unwrap_or_default())
            }
            (Style::Go, Some(payload)) => {
                format!("{}{{Value: {payload}}}", self.plan.spell(&case.constructor))
            }
            (Style::Go, None) => format!("{}{{}}", self.plan.spell(&case.constructor)),
        }
    }

    /// A type switch over the cases of `v`; `write` gets the number of the case, and the type and expression of its
    /// payload. Only for the idiomatic style. What is no case, above all `nil`, stops the program.
    pub(super) fn each_case(
        &mut self,
        s: &mut Source,
        ty: &Ty,
        cases: &Cases,
        v: &str,
        mut write: impl FnMut(&mut Self, &mut Source, usize, Option<(&Ty, &str)>),
    ) {
        let v = bind(s, v);
        let of_case = s.local();
        s.open(if cases.cases.iter().any(|c| c.ty.is_some()) {
            format!("switch {of_case} := {v}.(type) {{")
        } else {
            format!("switch {v}.(type) {{")
        });
        for (number, case) in cases.cases.iter().enumerate() {
            s.outdented(format!("case {}:", self.plan.spell(&case.constructor)));
            let value = format!("{of_case}.Value");
            write(
                self,
                s,
                number,
                case.ty.as_ref().map(|t| (t, value.as_str())),
            );
        }
        s.outdented("default:");
        s.line(format!("golemrt.BadCase(\"{}\", {v})", self.plan.go(ty)));
        s.close("}");
    }

    /// The function that drops a handle of an imported resource, declared in the package being written.
    pub(in super::super) fn drop_name(&mut self, id: ResourceId) -> String {
        let Some(resource) = self.plan.resources.get(id) else {
            return String::new();
        };
        if self.plan.is_here(resource.scope) {
            return format!("wasmDrop{}", bare(&resource.go));
        }
        self.foreign_drops.insert(id);
        let package = resource
            .go
            .split_once('.')
            .map_or("", |(package, _)| package);
        format!("wasmDrop{}{}", names::upper(package), bare(&resource.go))
    }
}
