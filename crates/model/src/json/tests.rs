// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / json/tests: what the table in `json.rs` promises.

use super::*;
use crate::types::{HandleMode, NamedCase, NamedType};
use serde_json::json;

fn list(inner: WitType) -> WitType {
    WitType::List {
        inner: Box::new(inner),
    }
}

fn option(inner: WitType) -> WitType {
    WitType::Option {
        inner: Box::new(inner),
    }
}

fn some(value: Value) -> Value {
    Value::Option(Some(Box::new(value)))
}

fn none() -> Value {
    Value::Option(None)
}

fn heat() -> WitType {
    WitType::Enum {
        cases: vec!["low".into(), "medium".into(), "high".into()],
    }
}

fn menu() -> WitType {
    let field = |name: &str, typ| NamedType {
        name: name.into(),
        typ,
    };
    WitType::Record {
        fields: vec![
            field("title", WitType::Str),
            field("extra", option(WitType::Str)),
            field("by-heat", list(heat())),
        ],
    }
}

fn state() -> WitType {
    WitType::Variant {
        cases: vec![
            NamedCase {
                name: "queued".into(),
                typ: None,
            },
            NamedCase {
                name: "cooking".into(),
                typ: Some(WitType::U32),
            },
        ],
    }
}

/// `json` is read as `value`, and `value` is written as `json`.
#[track_caller]
fn both(typ: &WitType, value: &Value, json: &Json) {
    assert_eq!(&from_json(json, typ, "value").unwrap(), value);
    assert_eq!(&to_json(value, typ).unwrap(), json);
}

/// `json` is read as `value` too.
#[track_caller]
fn also(typ: &WitType, json: &Json, value: &Value) {
    assert_eq!(&from_json(json, typ, "value").unwrap(), value);
}

#[track_caller]
fn wrong(typ: &WitType, json: &Json, code: &str, text: &str) {
    let error = from_json(json, typ, "params[0]").unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), (code, text));
    assert!(error.hint().is_some());
}

#[test]
fn numbers_are_exact() {
    both(
        &WitType::U64,
        &Value::U64(u64::MAX),
        &json!(18_446_744_073_709_551_615_u64),
    );
    both(&WitType::S64, &Value::S64(i64::MIN), &json!(i64::MIN));
    also(
        &WitType::U64,
        &json!("18446744073709551615"),
        &Value::U64(u64::MAX),
    );
    also(&WitType::U8, &json!(3.0), &Value::U8(3));
    both(&WitType::F32, &Value::F32(0.1), &json!(0.1));
    also(&WitType::F64, &json!(3), &Value::F64(3.0));
    wrong(
        &WitType::U64,
        &json!(-1),
        "VAL-002",
        "params[0]: cannot convert -1 to u64",
    );
    wrong(
        &WitType::U8,
        &json!(256),
        "VAL-002",
        "params[0]: cannot convert 256 to u8",
    );
    wrong(
        &WitType::U8,
        &json!(1.5),
        "VAL-001",
        "params[0]: expected u8, found 1.5",
    );
    wrong(
        &WitType::U64,
        &json!("x"),
        "VAL-001",
        "params[0]: expected u64, found \"x\"",
    );
    wrong(
        &WitType::U64,
        &json!(1e19),
        "VAL-001",
        "params[0]: expected u64, found 1e+19",
    );
    wrong(
        &WitType::F32,
        &json!(1e300),
        "VAL-002",
        &format!("params[0]: cannot convert {} to float32", 1e300),
    );
}

#[test]
fn floats_without_a_number_are_words() {
    both(&WitType::F64, &Value::F64(f64::INFINITY), &json!("inf"));
    both(
        &WitType::F32,
        &Value::F32(f32::NEG_INFINITY),
        &json!("-inf"),
    );
    assert_eq!(
        to_json(&Value::F32(f32::NAN), &WitType::F32).unwrap(),
        json!("NaN")
    );
    let Value::F64(nan) = from_json(&json!("nan"), &WitType::F64, "value").unwrap() else {
        panic!("no float")
    };
    assert!(nan.is_nan());
}

#[test]
fn a_char_is_a_code_point_or_a_string_of_one() {
    both(&WitType::Chr, &Value::Char('ü'), &json!(252));
    also(&WitType::Chr, &json!("g"), &Value::Char('g'));
    wrong(
        &WitType::Chr,
        &json!("ab"),
        "VAL-001",
        "params[0]: expected char, found \"ab\"",
    );
    wrong(
        &WitType::Chr,
        &json!(0xD800),
        "VAL-002",
        "params[0]: cannot convert 55296 to char",
    );
}

#[test]
fn a_record_may_miss_options_only() {
    let value = Value::Record(vec![
        Value::String("t".into()),
        none(),
        Value::List(vec![Value::Enum(0), Value::Enum(2)]),
    ]);
    both(
        &menu(),
        &value,
        &json!({"title": "t", "extra": null, "by-heat": ["low", "high"]}),
    );
    also(
        &menu(),
        &json!({"by-heat": ["low", "high"], "title": "t"}),
        &value,
    );
    let text = to_json(&value, &menu()).unwrap().to_string();
    assert_eq!(
        text, r#"{"title":"t","extra":null,"by-heat":["low","high"]}"#,
        "declaration order"
    );
    wrong(
        &menu(),
        &json!({"title": "t"}),
        "VAL-003",
        "params[0]: field `by-heat` is missing",
    );
    let misspelt = json!({"title": "t", "extr": "x", "by-heat": []});
    wrong(
        &menu(),
        &misspelt,
        "VAL-004",
        "params[0]: there is no field `extr`",
    );
    let error = from_json(&misspelt, &menu(), "p").unwrap_err();
    assert_eq!(error.hint().unwrap(), "did you mean `extra`?");
}

#[test]
fn an_error_names_the_place() {
    let json = json!({"title": "t", "by-heat": ["low", "low", "nope"]});
    wrong(
        &menu(),
        &json,
        "VAL-005",
        "params[0].by-heat[2]: invalid input `nope`, valid values are low,medium,high",
    );
}

#[test]
fn a_variant_has_one_key() {
    both(&state(), &Value::Variant(0, None), &json!({"queued": null}));
    both(
        &state(),
        &Value::Variant(1, Some(Box::new(Value::U32(3)))),
        &json!({"cooking": 3}),
    );
    also(&state(), &json!("queued"), &Value::Variant(0, None));
    wrong(
        &state(),
        &json!({"queued": 1}),
        "VAL-007",
        "params[0]: `queued` has no payload: expected null",
    );
    wrong(
        &state(),
        &json!({"cooking": -1}),
        "VAL-002",
        "params[0].cooking: cannot convert -1 to u32",
    );
    assert_eq!(
        from_json(&json!({}), &state(), "p").unwrap_err().code(),
        "VAL-001"
    );
    assert_eq!(
        from_json(&json!("cooking"), &state(), "p")
            .unwrap_err()
            .code(),
        "VAL-001"
    );
}

#[test]
fn flags_and_enums_are_names() {
    let flags = WitType::Flags {
        names: vec!["nuts".into(), "milk".into(), "egg".into()],
    };
    both(
        &flags,
        &Value::Flags(vec![true, false, true]),
        &json!(["nuts", "egg"]),
    );
    also(
        &flags,
        &json!(["egg", "nuts", "egg"]),
        &Value::Flags(vec![true, false, true]),
    );
    wrong(
        &flags,
        &json!(["mlk"]),
        "VAL-005",
        "params[0][0]: invalid input `mlk`, valid values are nuts,milk,egg",
    );
}

#[test]
fn an_option_inside_an_option_can_be_written_out() {
    let typ = option(option(WitType::U64));
    both(&typ, &none(), &json!(null));
    both(&typ, &some(some(Value::U64(5))), &json!(5));
    both(&typ, &some(none()), &json!({"some": null}));
    also(&typ, &json!({"some": 5}), &some(some(Value::U64(5))));
    let three = option(option(option(WitType::U8)));
    both(
        &three,
        &some(some(none())),
        &json!({"some": {"some": null}}),
    );
    let field = NamedType {
        name: "some".into(),
        typ: WitType::U8,
    };
    let trap = option(option(WitType::Record {
        fields: vec![field],
    }));
    both(
        &trap,
        &some(some(Value::Record(vec![Value::U8(1)]))),
        &json!({"some": {"some": 1}}),
    );
}

#[test]
fn results_have_a_side() {
    let typ = WitType::Result {
        ok: None,
        err: Some(Box::new(WitType::Str)),
    };
    both(&typ, &Value::Result(Ok(None)), &json!({"ok": null}));
    both(
        &typ,
        &Value::Result(Err(Some(Box::new(Value::String("e".into()))))),
        &json!({"err": "e"}),
    );
    wrong(
        &typ,
        &json!(3),
        "VAL-001",
        "params[0]: expected result<_, string>, found 3",
    );
    wrong(
        &typ,
        &json!({"ok": 1}),
        "VAL-007",
        "params[0]: `ok` has no payload: expected null",
    );
}

#[test]
fn bytes_are_numbers() {
    both(
        &list(WitType::U8),
        &Value::Bytes(vec![0, 255]),
        &json!([0, 255]),
    );
    also(&list(WitType::U8), &json!([]), &Value::Bytes(vec![]));
    wrong(
        &list(WitType::U8),
        &json!([0, 256]),
        "VAL-002",
        "params[0][1]: cannot convert 256 to u8",
    );
}

#[test]
fn a_handle_is_a_urn_with_a_number() {
    let typ = WitType::Handle {
        resource_id: 0,
        mode: HandleMode::Owned,
    };
    let value = Value::Handle {
        uri: "urn:worker:c/w".into(),
        id: 7,
    };
    both(&typ, &value, &json!("urn:worker:c/w/7"));
    wrong(
        &typ,
        &json!("urn:worker:c/w"),
        "VAL-008",
        "params[0]: `urn:worker:c/w` is not a resource handle",
    );
}

#[test]
fn parameters_are_counted() {
    let parameter = |name: &str| NamedType {
        name: name.into(),
        typ: WitType::U8,
    };
    let function = Function {
        name: "f".into(),
        parameters: vec![parameter("a"), parameter("b")],
        results: vec![],
    };
    assert_eq!(
        params_from_json(&[&json!(1), &json!(2)], &function).unwrap(),
        [Value::U8(1), Value::U8(2)]
    );
    let error = params_from_json(&[&json!(1)], &function).unwrap_err();
    assert_eq!(
        error.to_string(),
        "params: unexpected number of parameters: got 1, expected 2"
    );
    let error = params_from_json(&[&json!(1), &json!("x")], &function).unwrap_err();
    assert_eq!(error.path, "params[1]");
}

#[test]
fn depth_is_bounded_and_a_wrong_value_is_refused() {
    let (mut typ, mut json) = (WitType::U8, json!(1));
    for _ in 0..MAX_DEPTH + 1 {
        (typ, json) = (list(typ), json!([json]));
    }
    assert_eq!(from_json(&json, &typ, "p").unwrap_err().code(), "VAL-011");
    assert_eq!(
        to_json(&Value::U8(1), &WitType::U16).unwrap_err().code(),
        "VAL-009"
    );
    assert_eq!(
        to_json(&Value::Enum(3), &heat()).unwrap_err().code(),
        "VAL-009"
    );
}
