// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / wave/tests: forms of WAVE, and round trips of random values through WAVE and JSON.

use proptest::prelude::*;

use super::*;
use crate::json::{from_json, to_json};
use crate::types::{HandleMode, NamedCase, NamedType};

fn record(fields: &[(&str, WitType)]) -> WitType {
    let field = |(name, typ): &(&str, WitType)| NamedType {
        name: (*name).into(),
        typ: typ.clone(),
    };
    WitType::Record {
        fields: fields.iter().map(field).collect(),
    }
}

fn option(inner: WitType) -> WitType {
    WitType::Option {
        inner: Box::new(inner),
    }
}

/// `text` reads as a value whose text is `canonical`.
#[track_caller]
fn check(typ: &WitType, text: &str, canonical: &str) {
    let value = from_wave(text, typ).unwrap();
    assert!(value.matches(typ), "{value:?}");
    assert_eq!(to_wave(&value, typ).unwrap(), canonical);
}

#[test]
fn the_documented_forms_are_read_and_written() {
    let result = |ok, err| WitType::Result { ok, err };
    check(
        &WitType::U64,
        "18446744073709551615",
        "18446744073709551615",
    );
    check(&WitType::Chr, "'x'", "'x'");
    check(&WitType::F64, "nan", "nan");
    check(&WitType::F32, "-inf", "-inf");
    check(&option(WitType::U64), "5", "some(5)");
    check(&option(WitType::U64), "none", "none");
    check(&option(option(WitType::U64)), "some(none)", "some(none)");
    check(&result(None, Some(Box::new(WitType::Str))), "ok", "ok");
    check(&result(Some(Box::new(WitType::U8)), None), "5", "ok(5)");
    check(
        &record(&[("id", WitType::U64), ("note", option(WitType::Str))]),
        "{id: 1}",
        "{id: 1}",
    );
    check(&record(&[("note", option(WitType::Str))]), "{:}", "{:}");
    check(
        &WitType::Flags {
            names: vec!["get".into(), "put".into()],
        },
        "{put, get}",
        "{get, put}",
    );
    check(
        &WitType::Enum {
            cases: vec!["none".into()],
        },
        "%none",
        "%none",
    );
    check(
        &WitType::List {
            inner: Box::new(WitType::U8),
        },
        "[1, 2,]",
        "[1, 2]",
    );
}

#[test]
fn a_wrong_text_is_named_with_an_example() {
    let typ = record(&[("id", WitType::U64), ("name", WitType::Str)]);
    let error = from_wave("{id: 1}", &typ).unwrap_err();
    assert_eq!(error.code(), "VAL-030");
    assert!(
        error
            .to_string()
            .starts_with("failed to parse wave parameter `{id: 1}`: "),
        "{error}"
    );
    assert!(
        error.to_string().contains("missing field \"name\""),
        "{error}"
    );
    let hint = error.hint().unwrap();
    assert!(
        hint.ends_with("an example is `{id: 1, name: \"text\"}`"),
        "{hint}"
    );
    assert_eq!(
        from_wave("18446744073709551616", &WitType::U64)
            .unwrap_err()
            .code(),
        "VAL-030"
    );
    assert_eq!(
        from_wave(&"[".repeat(1000), &WitType::U64)
            .unwrap_err()
            .code(),
        "VAL-030"
    );
}

#[test]
fn handles_have_no_text() {
    let typ = option(WitType::Handle {
        resource_id: 0,
        mode: HandleMode::Owned,
    });
    assert!(has_handle(&typ) && !has_handle(&WitType::U8));
    assert_eq!(from_wave("none", &typ).unwrap_err().code(), "VAL-031");
    assert_eq!(
        to_wave(&Value::Option(None), &typ).unwrap_err().code(),
        "VAL-031"
    );
    assert_eq!(
        to_wave(&Value::U8(1), &WitType::U16).unwrap_err().code(),
        "VAL-032"
    );
}

/// Names that are words of the WAVE grammar, and ordinary ones.
const NAMES: [&str; 8] = ["a", "some", "none", "ok", "nan", "by-heat", "err", "true"];

fn names() -> impl Strategy<Value = Vec<String>> {
    proptest::sample::subsequence(NAMES.to_vec(), 1..=NAMES.len())
        .prop_map(|names| names.into_iter().map(str::to_owned).collect())
}

fn types() -> impl Strategy<Value = WitType> {
    use WitType as T;
    let leaf = prop_oneof![
        proptest::sample::select(vec![
            T::Bool,
            T::U8,
            T::S8,
            T::U16,
            T::S16,
            T::U32,
            T::S32,
            T::U64,
            T::S64
        ]),
        proptest::sample::select(vec![T::F32, T::F64, T::Chr, T::Str]),
        names().prop_map(|cases| T::Enum { cases }),
        names().prop_map(|names| T::Flags { names }),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        let many = proptest::collection::vec(inner.clone(), NAMES.len());
        let maybe = proptest::collection::vec(proptest::option::of(inner.clone()), NAMES.len());
        prop_oneof![
            boxed.clone().prop_map(|inner| T::List { inner }),
            boxed.clone().prop_map(|inner| T::Option { inner }),
            proptest::collection::vec(inner, 1..4).prop_map(|items| T::Tuple { items }),
            (names(), many).prop_map(|(names, types)| T::Record {
                fields: names
                    .into_iter()
                    .zip(types)
                    .map(|(name, typ)| NamedType { name, typ })
                    .collect()
            }),
            (names(), maybe).prop_map(|(names, types)| T::Variant {
                cases: names
                    .into_iter()
                    .zip(types)
                    .map(|(name, typ)| NamedCase { name, typ })
                    .collect()
            }),
            (
                proptest::option::of(boxed.clone()),
                proptest::option::of(boxed)
            )
                .prop_map(|(ok, err)| T::Result { ok, err }),
        ]
    })
}

fn payload(typ: Option<&WitType>) -> BoxedStrategy<Option<Box<Value>>> {
    match typ {
        Some(typ) => values(typ).prop_map(|value| Some(Box::new(value))).boxed(),
        None => Just(None).boxed(),
    }
}

fn values(typ: &WitType) -> BoxedStrategy<Value> {
    match typ {
        WitType::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        WitType::U8 => any::<u8>().prop_map(Value::U8).boxed(),
        WitType::S8 => any::<i8>().prop_map(Value::S8).boxed(),
        WitType::U16 => any::<u16>().prop_map(Value::U16).boxed(),
        WitType::S16 => any::<i16>().prop_map(Value::S16).boxed(),
        WitType::U32 => any::<u32>().prop_map(Value::U32).boxed(),
        WitType::S32 => any::<i32>().prop_map(Value::S32).boxed(),
        WitType::U64 => any::<u64>().prop_map(Value::U64).boxed(),
        WitType::S64 => any::<i64>().prop_map(Value::S64).boxed(),
        WitType::F32 => any::<f32>().prop_map(Value::F32).boxed(),
        WitType::F64 => any::<f64>().prop_map(Value::F64).boxed(),
        WitType::Chr => any::<char>().prop_map(Value::Char).boxed(),
        WitType::Str => any::<String>().prop_map(Value::String).boxed(),
        WitType::List { inner } if **inner == WitType::U8 => {
            proptest::collection::vec(any::<u8>(), 0..6)
                .prop_map(Value::Bytes)
                .boxed()
        }
        WitType::List { inner } => proptest::collection::vec(values(inner), 0..4)
            .prop_map(Value::List)
            .boxed(),
        WitType::Option { inner } => proptest::option::of(values(inner).prop_map(Box::new))
            .prop_map(Value::Option)
            .boxed(),
        WitType::Tuple { items } => items
            .iter()
            .map(values)
            .collect::<Vec<_>>()
            .prop_map(Value::Tuple)
            .boxed(),
        WitType::Record { fields } => fields
            .iter()
            .map(|field| values(&field.typ))
            .collect::<Vec<_>>()
            .prop_map(Value::Record)
            .boxed(),
        WitType::Variant { cases } => {
            let cases = cases.clone();
            (0..cases.len())
                .prop_flat_map(move |at| {
                    let case = u32::try_from(at).unwrap();
                    payload(cases[at].typ.as_ref())
                        .prop_map(move |content| Value::Variant(case, content))
                })
                .boxed()
        }
        WitType::Enum { cases } => (0..u32::try_from(cases.len()).unwrap())
            .prop_map(Value::Enum)
            .boxed(),
        WitType::Flags { names } => proptest::collection::vec(any::<bool>(), names.len())
            .prop_map(Value::Flags)
            .boxed(),
        WitType::Result { ok, err } => prop_oneof![
            payload(ok.as_deref()).prop_map(|content| Value::Result(Ok(content))),
            payload(err.as_deref()).prop_map(|content| Value::Result(Err(content))),
        ]
        .boxed(),
        WitType::Handle { .. } => any::<u64>()
            .prop_map(|id| Value::Handle {
                uri: "urn:worker:c/w".into(),
                id,
            })
            .boxed(),
    }
}

fn typed_values() -> impl Strategy<Value = (WitType, Value)> {
    types().prop_flat_map(|typ| (Just(typ.clone()), values(&typ)))
}

proptest! {
    #[test]
    fn values_survive_json((typ, value) in typed_values()) {
        let text = to_json(&value, &typ).unwrap().to_string();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(from_json(&json, &typ, "v").unwrap(), value, "{}", text);
    }

    #[test]
    fn values_survive_wave((typ, value) in typed_values()) {
        let text = to_wave(&value, &typ).unwrap();
        prop_assert_eq!(from_wave(&text, &typ).unwrap(), value, "{}", text);
    }

    #[test]
    fn values_survive_bytes((typ, value) in typed_values()) {
        prop_assert!(value.matches(&typ));
        prop_assert_eq!(Value::from_bytes(&value.to_bytes()).unwrap(), value);
    }

    #[test]
    fn any_text_is_read_or_refused(typ in types(), text in "[\\[\\](){}:,%'\"\\\\a-z0-9 .-]{0,24}|\\PC*") {
        if let Ok(value) = from_wave(&text, &typ) {
            prop_assert!(value.matches(&typ));
        }
    }

    #[test]
    fn types_survive_json(typ in types()) {
        let json = serde_json::to_string(&typ).unwrap();
        prop_assert_eq!(serde_json::from_str::<WitType>(&json).unwrap(), typ);
    }
}
