// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / bindgen go idiom errors: results at the top of a function become Go errors. In a [`Plan`], out which types
//! are error types, and the expressions that turn values into errors and back. Read next: `calls.rs`.
//! Why: docs/go-bindings.md, section "Style go".

use super::super::ir::{DeclId, Kind, Plan, Ty, bare};
use std::collections::BTreeSet;

/// The interface whose `call-error` tells how a call failed.
const CALL_ERRORS: &str = "golem:worker/call-errors@";

/// How many results beside the error are returned one by one; what is longer is read more easily by the names of a struct.
const SEVERAL: std::ops::RangeInclusive<usize> = 2..=3;

/// `x.F0, x.F1`
fn members(name: &str, count: usize) -> String {
    (0..count)
        .map(|i| format!("{name}.F{i}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// What a function gives, in Go's terms.
#[derive(Debug, Clone, Copy)]
pub(super) struct Returned<'t> {
    /// The value, if there is one.
    pub(super) value: Option<&'t Ty>,
    /// `None`: the function cannot fail. `Some(None)`: it says no more than that it failed.
    pub(super) error: Option<Option<&'t Ty>>,
}

impl<'t> Returned<'t> {
    pub(super) fn of(plan: &Plan, ty: Option<&'t Ty>) -> Self {
        match ty.map(|ty| plan.peel(ty)) {
            Some(Ty::Result(value, error)) => Self {
                value: value.as_deref(),
                error: Some(error.as_deref()),
            },
            _ => Self {
                value: ty,
                error: None,
            },
        }
    }

    /// The members of the value, if Go programmers would return several values: a short tuple without a name of its own.
    pub(super) fn several<'p>(&self, plan: &'p Plan) -> Option<&'p [Ty]> {
        let Ty::Named(id) = self.value? else {
            return None;
        };
        let decl = plan.decls.get(*id)?;
        match &decl.kind {
            Kind::Tuple(items) if decl.go.is_empty() && SEVERAL.contains(&items.len()) => {
                Some(items)
            }
            _ => None,
        }
    }

    /// What stands in a return statement for the value `name`: itself, or each member of it.
    pub(super) fn spread(&self, plan: &Plan, name: &str) -> String {
        match self.several(plan) {
            Some(items) => members(name, items.len()),
            None => name.to_owned(),
        }
    }

    /// The Go type of the value; nothing is `struct{}`.
    pub(super) fn go(&self, plan: &Plan) -> String {
        self.value
            .map_or_else(|| "struct{}".to_owned(), |ty| plan.go(ty))
    }
}

/// Whether `ty` is `call-error` of the platform.
pub(super) fn is_call_error(plan: &Plan, ty: &Ty) -> bool {
    let Ty::Named(id) = plan.peel(ty) else {
        return false;
    };
    let Some(decl) = plan.decls.get(*id) else {
        return false;
    };
    bare(&decl.go) == "CallError"
        && plan
            .scopes
            .iter()
            .any(|s| s.wit.starts_with(CALL_ERRORS) && decl.go.starts_with(&s.ns))
}

/// Splits the outer result of a call through a stub with typed errors off; `None` for another stub.
pub(super) fn typed<'t>(plan: &Plan, ty: Option<&'t Ty>) -> Option<Option<&'t Ty>> {
    match plan.peel(ty?) {
        Ty::Result(value, Some(error)) if is_call_error(plan, error) => Some(value.as_deref()),
        _ => None,
    }
}

/// Finds the declared types that stand for a failure, and keeps a field `Error` from meeting the method.
pub(super) fn find(plan: &mut Plan) {
    let mut found = BTreeSet::new();
    for func in &plan.funcs {
        let mut ty = func.result.as_ref();
        let stub = plan.scopes.get(func.scope).is_some_and(|s| s.stub);
        if stub && let Some(Ty::Option(inner)) = ty.map(|ty| plan.peel(ty)) {
            ty = Some(inner);
        }
        if stub && let Some(inner) = typed(plan, ty) {
            ty = inner;
        }
        if let Some(Some(error)) = Returned::of(plan, ty).error
            && let Some(id) = declared(plan, error)
        {
            found.insert(id);
        }
    }
    for id in &found {
        if let Some(Kind::Record(fields)) = plan.decls.get_mut(*id).map(|d| &mut d.kind) {
            for field in fields {
                if field.go == "Error" {
                    field.go.push_str("Field");
                }
            }
        }
    }
    plan.errors = found;
}

/// The declaration of a type that can have an `Error` method.
fn declared(plan: &Plan, ty: &Ty) -> Option<DeclId> {
    match plan.peel(ty) {
        Ty::Named(id) => {
            let can = matches!(
                plan.kind(*id),
                Some(Kind::Record(_) | Kind::Variant(_) | Kind::Enum(_) | Kind::Flags(_))
            );
            can.then_some(*id)
        }
        _ => None,
    }
}

/// A Go error for the failure `value` of type `ty`.
pub(super) fn to_error(plan: &Plan, ty: Option<&Ty>, value: &str) -> String {
    match ty {
        None => plan.helper("ErrFailed"),
        Some(ty) if declared(plan, ty).is_some() => value.to_owned(),
        Some(ty) if *plan.peel(ty) == Ty::Str => format!("{}({value})", plan.helper("Error")),
        Some(ty) => format!(
            "&{}[{}]{{Value: {value}}}",
            plan.helper("ErrorValue"),
            plan.go(ty)
        ),
    }
}

/// The failure of type `ty` in the Go error `err`; an error that is none of those ends the invocation.
pub(super) fn from_error(plan: &Plan, ty: Option<&Ty>, err: &str) -> String {
    match ty {
        None => "struct{}{}".to_owned(),
        Some(ty) if declared(plan, ty).is_some() => {
            format!("golemrt.Cause[{}]({err})", plan.go(ty))
        }
        Some(ty) if *plan.peel(ty) == Ty::Str => format!("{err}.Error()"),
        Some(ty) => format!(
            "golemrt.Cause[*{}[{}]]({err}).Value",
            plan.helper("ErrorValue"),
            plan.go(ty)
        ),
    }
}
