// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / public_oplog/untyped: a value whose type nobody knows, as JSON with a type made up for it. In: a value. Out: JSON
//! of the same form; fields and cases have numbers for names. Never touches IO. Read next: `publish.rs`.

use serde_json::{Map, Value as Json};

use crate::json::{TypeAnnotatedValue, to_json};
use crate::types::{HandleMode, NamedCase, WitType};
use crate::value::Value;

/// Cases that a made-up variant or enum may have: its type lists all of them, and a number of a hostile guest must not decide
/// how long that list is. A higher case is shown as a number.
const CASES_MAX: u32 = 256;

/// `value` with a type that it is of. A record is shown as a tuple, a case as `case-3`, a flag as `flag-0`, a list with elements
/// of several kinds as a tuple.
#[must_use]
pub fn untyped(value: &Value) -> TypeAnnotatedValue {
    let (typ, value) = shown(value);
    TypeAnnotatedValue { typ, value }
}

fn shown(value: &Value) -> (WitType, Json) {
    match value {
        Value::Bytes(_) => {
            let typ = list(WitType::U8);
            let json = to_json(value, &typ).unwrap_or_default();
            (typ, json)
        }
        Value::List(items) => {
            let (types, values): (Vec<_>, Vec<_>) = items.iter().map(shown).unzip();
            match types.first() {
                None => (list(WitType::Tuple { items: vec![] }), Json::Array(values)),
                Some(first) if types.iter().all(|typ| typ == first) => {
                    (list(first.clone()), Json::Array(values))
                }
                Some(_) => (WitType::Tuple { items: types }, Json::Array(values)),
            }
        }
        Value::Tuple(items) | Value::Record(items) => {
            let (items, values) = items.iter().map(shown).unzip();
            (WitType::Tuple { items }, Json::Array(values))
        }
        Value::Option(None) => (option(WitType::Tuple { items: vec![] }), Json::Null),
        Value::Option(Some(inner)) => {
            let (typ, value) = shown(inner);
            let nested = matches!(typ, WitType::Option { .. });
            let value = if nested { single("some", value) } else { value };
            (option(typ), value)
        }
        Value::Variant(case, payload) if *case < CASES_MAX => {
            let (typ, value) = payload.as_deref().map(shown).unzip();
            let case_of = |at: u32| NamedCase {
                name: format!("case-{at}"),
                typ: if at == *case { typ.clone() } else { None },
            };
            let cases = (0..=*case).map(case_of).collect();
            let value = single(&format!("case-{case}"), value.unwrap_or_default());
            (WitType::Variant { cases }, value)
        }
        Value::Enum(case) if *case < CASES_MAX => {
            let cases = (0..=*case).map(|at| format!("case-{at}")).collect();
            (WitType::Enum { cases }, format!("case-{case}").into())
        }
        Value::Variant(case, _) | Value::Enum(case) => (WitType::U32, (*case).into()),
        Value::Flags(set) => {
            let names: Vec<String> = (0..set.len()).map(|at| format!("flag-{at}")).collect();
            let on = names.iter().zip(set).filter(|(_, set)| **set);
            let value = on.map(|(name, _)| Json::from(name.as_str())).collect();
            (WitType::Flags { names }, value)
        }
        Value::Result(side) => {
            let (name, payload) = match side {
                Ok(payload) => ("ok", payload),
                Err(payload) => ("err", payload),
            };
            let (typ, value) = payload.as_deref().map(shown).unzip();
            let (mut ok, mut err) = (None, None);
            *(if side.is_ok() { &mut ok } else { &mut err }) = typ.map(Box::new);
            let value = single(name, value.unwrap_or_default());
            (WitType::Result { ok, err }, value)
        }
        Value::Bool(_) => simple(value, WitType::Bool),
        Value::U8(_) => simple(value, WitType::U8),
        Value::S8(_) => simple(value, WitType::S8),
        Value::U16(_) => simple(value, WitType::U16),
        Value::S16(_) => simple(value, WitType::S16),
        Value::U32(_) => simple(value, WitType::U32),
        Value::S32(_) => simple(value, WitType::S32),
        Value::U64(_) => simple(value, WitType::U64),
        Value::S64(_) => simple(value, WitType::S64),
        Value::F32(_) => simple(value, WitType::F32),
        Value::F64(_) => simple(value, WitType::F64),
        Value::Char(_) => simple(value, WitType::Chr),
        Value::String(_) => simple(value, WitType::Str),
        Value::Handle { .. } => {
            let (resource_id, mode) = (0, HandleMode::Owned);
            simple(value, WitType::Handle { resource_id, mode })
        }
    }
}

/// A value without parts: the type is the one of its kind, so writing it cannot fail.
fn simple(value: &Value, typ: WitType) -> (WitType, Json) {
    let json = to_json(value, &typ).unwrap_or_default();
    (typ, json)
}

fn list(inner: WitType) -> WitType {
    let inner = Box::new(inner);
    WitType::List { inner }
}

fn option(inner: WitType) -> WitType {
    let inner = Box::new(inner);
    WitType::Option { inner }
}

fn single(key: &str, json: Json) -> Json {
    Json::Object(Map::from_iter([(key.to_owned(), json)]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(value: Value, expect: Json) {
        let shown = untyped(&value);
        assert_eq!(shown.value, expect);
        // What is shown is a value of the type that is shown beside it.
        shown.read().unwrap();
    }

    #[test]
    fn every_kind_of_value_is_shown_with_a_type_that_fits() {
        let some = |v| Some(Box::new(v));
        check(Value::U64(u64::MAX), json!(u64::MAX));
        check(Value::String("x".into()), json!("x"));
        check(Value::Bytes(vec![1, 2]), json!([1, 2]));
        check(Value::List(vec![]), json!([]));
        check(Value::List(vec![Value::U8(1), Value::U8(2)]), json!([1, 2]));
        check(
            Value::List(vec![Value::Option(None), Value::Option(some(Value::U8(2)))]),
            json!([null, 2]),
        );
        check(
            Value::Record(vec![Value::Bool(true), Value::Char('a')]),
            json!([true, 97]),
        );
        check(Value::Variant(2, None), json!({"case-2": null}));
        check(Value::Variant(0, some(Value::U8(1))), json!({"case-0": 1}));
        check(Value::Enum(1), json!("case-1"));
        check(Value::Enum(u32::MAX), json!(u32::MAX));
        check(Value::Flags(vec![false, true]), json!(["flag-1"]));
        check(Value::Result(Ok(None)), json!({"ok": null}));
        check(
            Value::Result(Err(some(Value::String("e".into())))),
            json!({"err": "e"}),
        );
        check(
            Value::Option(some(Value::Option(None))),
            json!({"some": null}),
        );
        check(Value::F64(f64::NAN), json!("NaN"));
    }
}
