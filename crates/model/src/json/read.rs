// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / json/read: JSON to a value. In: JSON and a type. Out: a value of that type, or the path of what is wrong.
//! Never touches IO. Read next: `write.rs`. Source: client spec §6.5, §8.2.

use serde_json::{Map, Number, Value as Json};

use super::{JsonError, JsonErrorKind, Path, Step, brief, explicit_some, is_option};
use crate::types::{Function, NamedCase, NamedType, WitType};
use crate::value::Value;

/// Reads JSON as a value of `typ`; `place` names it in errors (`params[0]`).
///
/// Errors: every variant of [`JsonErrorKind`] but `Mismatch`.
pub fn from_json(json: &Json, typ: &WitType, place: &str) -> Result<Value, JsonError> {
    value(json, typ, &Path::root(place))
}

/// Reads the parameters of `function`, one JSON value each, in order.
///
/// Errors: as [`from_json`], and `Length` when there are more or less than the function has.
pub fn params_from_json(params: &[&Json], function: &Function) -> Result<Vec<Value>, JsonError> {
    let root = Path::root("params");
    let (got, expected) = (params.len(), function.parameters.len());
    if got != expected {
        return Err(root.error(JsonErrorKind::Length {
            got,
            expected,
            parameters: true,
        }));
    }
    let pairs = params.iter().zip(&function.parameters).enumerate();
    pairs
        .map(|(at, (json, parameter))| value(json, &parameter.typ, &root.down(Step::Index(at))?))
        .collect()
}

fn value(json: &Json, typ: &WitType, path: &Path<'_>) -> Result<Value, JsonError> {
    Ok(match typ {
        WitType::Bool => Value::Bool(
            json.as_bool()
                .map_or_else(|| path.expected(typ, json), Ok)?,
        ),
        WitType::U8 => Value::U8(integer(json, typ, path)?),
        WitType::S8 => Value::S8(integer(json, typ, path)?),
        WitType::U16 => Value::U16(integer(json, typ, path)?),
        WitType::S16 => Value::S16(integer(json, typ, path)?),
        WitType::U32 => Value::U32(integer(json, typ, path)?),
        WitType::S32 => Value::S32(integer(json, typ, path)?),
        WitType::U64 => Value::U64(integer(json, typ, path)?),
        WitType::S64 => Value::S64(integer(json, typ, path)?),
        WitType::F32 => Value::F32(float32(json, typ, path)?),
        WitType::F64 => Value::F64(float64(json, typ, path)?),
        WitType::Chr => Value::Char(char(json, typ, path)?),
        WitType::Str => Value::String(text(json, typ, path)?.to_owned()),
        WitType::List { inner } => list(json, typ, inner, path)?,
        WitType::Option { inner } => Value::Option(option(json, inner, path)?),
        WitType::Tuple { items } => Value::Tuple(tuple(json, typ, items, path)?),
        WitType::Record { fields } => Value::Record(record(json, typ, fields, path)?),
        WitType::Variant { cases } => variant(json, typ, cases, path)?,
        WitType::Enum { cases } => Value::Enum(index_of(text(json, typ, path)?, cases, path)?.0),
        WitType::Flags { names } => Value::Flags(flags(json, typ, names, path)?),
        WitType::Result { ok, err } => {
            Value::Result(result(json, typ, ok.as_deref(), err.as_deref(), path)?)
        }
        WitType::Handle { .. } => handle(text(json, typ, path)?, path)?,
    })
}

fn text<'a>(json: &'a Json, typ: &WitType, path: &Path<'_>) -> Result<&'a str, JsonError> {
    json.as_str().map_or_else(|| path.expected(typ, json), Ok)
}

/// Largest float that is surely an integer of its own and not the neighbour of one that was rounded.
const EXACT_FLOAT_MAX: f64 = 9_007_199_254_740_992.0;

fn integer<T: TryFrom<i128>>(json: &Json, typ: &WitType, path: &Path<'_>) -> Result<T, JsonError> {
    let wide = match json {
        Json::Number(number) => wide(number),
        Json::String(digits) => digits.parse::<i128>().ok(),
        _ => return path.expected(typ, json),
    };
    match wide {
        Some(wide) => T::try_from(wide).map_err(|_| {
            path.error(JsonErrorKind::Range {
                typ: brief(typ),
                found: wide.to_string(),
            })
        }),
        None => path.expected(typ, json),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the float is whole and small enough"
)]
fn wide(number: &Number) -> Option<i128> {
    let whole = |float: &f64| float.fract() == 0.0 && float.abs() <= EXACT_FLOAT_MAX;
    number
        .as_u64()
        .map(i128::from)
        .or_else(|| number.as_i64().map(i128::from))
        .or_else(|| number.as_f64().filter(whole).map(|float| float as i128))
}

fn float64(json: &Json, typ: &WitType, path: &Path<'_>) -> Result<f64, JsonError> {
    let read = match json {
        Json::Number(number) => number.as_f64(),
        Json::String(word) => match word.to_ascii_lowercase().as_str() {
            "nan" => Some(f64::NAN),
            "inf" | "infinity" => Some(f64::INFINITY),
            "-inf" | "-infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    };
    read.map_or_else(|| path.expected(typ, json), Ok)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "rounding to the nearest f32 is what is wanted"
)]
fn float32(json: &Json, typ: &WitType, path: &Path<'_>) -> Result<f32, JsonError> {
    let wide = float64(json, typ, path)?;
    let narrow = wide as f32;
    if wide.is_finite() && !narrow.is_finite() {
        return Err(path.error(JsonErrorKind::Range {
            typ: brief(typ),
            found: wide.to_string(),
        }));
    }
    Ok(narrow)
}

fn char(json: &Json, typ: &WitType, path: &Path<'_>) -> Result<char, JsonError> {
    if let Json::String(text) = json {
        let mut chars = text.chars();
        if let (Some(one), None) = (chars.next(), chars.next()) {
            return Ok(one);
        }
        return path.expected(typ, json);
    }
    let code: u32 = integer(json, typ, path)?;
    char::from_u32(code).ok_or_else(|| {
        path.error(JsonErrorKind::Range {
            typ: brief(typ),
            found: code.to_string(),
        })
    })
}

fn list(json: &Json, typ: &WitType, inner: &WitType, path: &Path<'_>) -> Result<Value, JsonError> {
    let Json::Array(items) = json else {
        return path.expected(typ, json);
    };
    let items = items.iter().enumerate();
    if *inner == WitType::U8 {
        let bytes = items.map(|(at, item)| integer(item, inner, &path.down(Step::Index(at))?));
        return bytes.collect::<Result<_, _>>().map(Value::Bytes);
    }
    let values = items.map(|(at, item)| value(item, inner, &path.down(Step::Index(at))?));
    values.collect::<Result<_, _>>().map(Value::List)
}

fn option(json: &Json, inner: &WitType, path: &Path<'_>) -> Result<Option<Box<Value>>, JsonError> {
    let content = match json {
        Json::Null => return Ok(None),
        Json::Object(fields) if is_option(inner) => explicit_some(fields).unwrap_or(json),
        other => other,
    };
    value(content, inner, &path.down(Step::Name("some"))?).map(|value| Some(Box::new(value)))
}

fn tuple(
    json: &Json,
    typ: &WitType,
    types: &[WitType],
    path: &Path<'_>,
) -> Result<Vec<Value>, JsonError> {
    let Json::Array(items) = json else {
        return path.expected(typ, json);
    };
    if items.len() != types.len() {
        let (got, expected) = (items.len(), types.len());
        return Err(path.error(JsonErrorKind::Length {
            got,
            expected,
            parameters: false,
        }));
    }
    let pairs = items.iter().zip(types).enumerate();
    pairs
        .map(|(at, (item, typ))| value(item, typ, &path.down(Step::Index(at))?))
        .collect()
}

fn record(
    json: &Json,
    typ: &WitType,
    types: &[NamedType],
    path: &Path<'_>,
) -> Result<Vec<Value>, JsonError> {
    let Json::Object(fields) = json else {
        return path.expected(typ, json);
    };
    let known = |name: &str| types.iter().any(|field| field.name == name);
    let unknown = || {
        fields
            .keys()
            .filter(|name| !known(name))
            .cloned()
            .collect::<Vec<_>>()
    };
    let values = types
        .iter()
        .map(|field| match fields.get(&field.name) {
            Some(json) => value(json, &field.typ, &path.down(Step::Name(&field.name))?),
            None if is_option(&field.typ) => Ok(Value::Option(None)),
            None => Err(path.error(JsonErrorKind::MissingField {
                field: field.name.clone(),
                unknown: unknown(),
            })),
        })
        .collect::<Result<Vec<_>, _>>()?;
    match unknown().into_iter().next() {
        // Silence here would lose an option field whose name is misspelt.
        Some(field) => {
            let known = types.iter().map(|field| field.name.clone()).collect();
            Err(path.error(JsonErrorKind::UnknownField { field, known }))
        }
        None => Ok(values),
    }
}

fn variant(
    json: &Json,
    typ: &WitType,
    cases: &[NamedCase],
    path: &Path<'_>,
) -> Result<Value, JsonError> {
    let (name, content) = match json {
        Json::String(name) => (name, &Json::Null),
        Json::Object(fields) => match (fields.iter().next(), fields.len()) {
            (Some(pair), 1) => pair,
            _ => return path.expected(typ, json),
        },
        _ => return path.expected(typ, json),
    };
    let names: Vec<String> = cases.iter().map(|case| case.name.clone()).collect();
    let (number, at) = index_of(name, &names, path)?;
    let typ = cases.get(at).and_then(|case| case.typ.as_ref());
    Ok(Value::Variant(number, payload(content, name, typ, path)?))
}

fn payload(
    json: &Json,
    case: &str,
    typ: Option<&WitType>,
    path: &Path<'_>,
) -> Result<Option<Box<Value>>, JsonError> {
    match (typ, json) {
        (Some(typ), json) => {
            value(json, typ, &path.down(Step::Name(case))?).map(|value| Some(Box::new(value)))
        }
        (None, Json::Null) => Ok(None),
        (None, _) => Err(path.error(JsonErrorKind::Payload {
            case: case.to_owned(),
        })),
    }
}

fn index_of(name: &str, names: &[String], path: &Path<'_>) -> Result<(u32, usize), JsonError> {
    let at = names.iter().position(|known| known == name);
    at.and_then(|at| u32::try_from(at).ok().map(|number| (number, at)))
        .ok_or_else(|| {
            path.error(JsonErrorKind::UnknownCase {
                case: name.to_owned(),
                known: names.to_vec(),
            })
        })
}

fn flags(
    json: &Json,
    typ: &WitType,
    names: &[String],
    path: &Path<'_>,
) -> Result<Vec<bool>, JsonError> {
    let Json::Array(items) = json else {
        return path.expected(typ, json);
    };
    let mut set = vec![false; names.len()];
    for (at, item) in items.iter().enumerate() {
        let path = path.down(Step::Index(at))?;
        let (_, at) = index_of(text(item, &WitType::Str, &path)?, names, &path)?;
        if let Some(bit) = set.get_mut(at) {
            *bit = true;
        }
    }
    Ok(set)
}

type Sides = Result<Option<Box<Value>>, Option<Box<Value>>>;

fn result(
    json: &Json,
    typ: &WitType,
    ok: Option<&WitType>,
    err: Option<&WitType>,
    path: &Path<'_>,
) -> Result<Sides, JsonError> {
    let one = match json {
        Json::Object(fields) if fields.len() == 1 => fields,
        _ => &Map::new(),
    };
    if let Some(content) = one.get("ok") {
        return payload(content, "ok", ok, path).map(Ok);
    }
    if let Some(content) = one.get("err") {
        return payload(content, "err", err, path).map(Err);
    }
    path.expected(typ, json)
}

fn handle(text: &str, path: &Path<'_>) -> Result<Value, JsonError> {
    let parts = text
        .rsplit_once('/')
        .and_then(|(uri, id)| Some((uri, id.parse().ok()?)));
    match parts {
        Some((uri, id)) if uri.starts_with("urn:worker:") => Ok(Value::Handle {
            uri: uri.to_owned(),
            id,
        }),
        _ => Err(path.error(JsonErrorKind::Handle {
            found: text.to_owned(),
        })),
    }
}
