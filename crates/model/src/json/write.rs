// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / json/write: a value to JSON. In: a value and its type. Out: JSON with names, in declaration order.
//! Never touches IO. Read next: `read.rs`. Source: client spec §6.5.

use serde_json::{Map, Number, Value as Json};

use super::{JsonError, JsonErrorKind, Path, Step, brief, explicit_some, is_option};
use crate::types::WitType;
use crate::value::Value;

/// Writes `value`, which is of `typ`, as JSON.
///
/// Errors: `Mismatch` when it is not of that type, `TooDeep`.
pub fn to_json(value: &Value, typ: &WitType) -> Result<Json, JsonError> {
    write(value, typ, &Path::root("value"))
}

fn write(value: &Value, typ: &WitType, path: &Path<'_>) -> Result<Json, JsonError> {
    let mismatch = || path.error(JsonErrorKind::Mismatch { typ: brief(typ) });
    Ok(match (value, typ) {
        (Value::Bool(v), WitType::Bool) => Json::from(*v),
        (Value::U8(v), WitType::U8) => Json::from(*v),
        (Value::S8(v), WitType::S8) => Json::from(*v),
        (Value::U16(v), WitType::U16) => Json::from(*v),
        (Value::S16(v), WitType::S16) => Json::from(*v),
        (Value::U32(v), WitType::U32) => Json::from(*v),
        (Value::S32(v), WitType::S32) => Json::from(*v),
        (Value::U64(v), WitType::U64) => Json::from(*v),
        (Value::S64(v), WitType::S64) => Json::from(*v),
        (Value::F32(v), WitType::F32) => float(shortest(*v)),
        (Value::F64(v), WitType::F64) => float(*v),
        (Value::Char(v), WitType::Chr) => Json::from(u32::from(*v)),
        (Value::String(v), WitType::Str) => Json::from(v.as_str()),
        (Value::Bytes(bytes), WitType::List { inner }) if **inner == WitType::U8 => {
            Json::from(bytes.as_slice())
        }
        (Value::List(items), WitType::List { inner }) => {
            many(items, |_| Some(inner), path, mismatch)?
        }
        (Value::Tuple(items), WitType::Tuple { items: types }) if items.len() == types.len() => {
            many(items, |at| types.get(at), path, mismatch)?
        }
        (Value::Option(None), WitType::Option { .. }) => Json::Null,
        (Value::Option(Some(content)), WitType::Option { inner }) => {
            let json = write(content, inner, &path.down(Step::Name("some"))?)?;
            if is_option(inner) && needs_wrapping(&json) {
                single("some", json)
            } else {
                json
            }
        }
        (Value::Record(values), WitType::Record { fields }) if values.len() == fields.len() => {
            let pairs = values.iter().zip(fields);
            let object = pairs.map(|(value, field)| {
                let json = write(value, &field.typ, &path.down(Step::Name(&field.name))?)?;
                Ok((field.name.clone(), json))
            });
            Json::Object(object.collect::<Result<Map<_, _>, JsonError>>()?)
        }
        (Value::Variant(case, content), WitType::Variant { cases }) => {
            let case = cases.get(*case as usize).ok_or_else(mismatch)?;
            payload(
                content.as_deref(),
                &case.name,
                case.typ.as_ref(),
                path,
                mismatch,
            )?
        }
        (Value::Enum(case), WitType::Enum { cases }) => {
            Json::from(cases.get(*case as usize).ok_or_else(mismatch)?.as_str())
        }
        (Value::Flags(set), WitType::Flags { names }) if set.len() == names.len() => {
            let names = set.iter().zip(names).filter(|(set, _)| **set);
            names.map(|(_, name)| Json::from(name.as_str())).collect()
        }
        (Value::Result(Ok(content)), WitType::Result { ok, .. }) => {
            payload(content.as_deref(), "ok", ok.as_deref(), path, mismatch)?
        }
        (Value::Result(Err(content)), WitType::Result { err, .. }) => {
            payload(content.as_deref(), "err", err.as_deref(), path, mismatch)?
        }
        (Value::Handle { uri, id }, WitType::Handle { .. }) => Json::from(format!("{uri}/{id}")),
        _ => return Err(mismatch()),
    })
}

/// `some(none)` would be read as `none`, and an inner `{"some": …}` as the mark of the outer option.
fn needs_wrapping(json: &Json) -> bool {
    json.is_null()
        || json
            .as_object()
            .is_some_and(|fields| explicit_some(fields).is_some())
}

fn many<'a>(
    items: &[Value],
    typ: impl Fn(usize) -> Option<&'a WitType>,
    path: &Path<'_>,
    mismatch: impl Fn() -> JsonError,
) -> Result<Json, JsonError> {
    let items = items.iter().enumerate();
    let json = items.map(|(at, item)| {
        write(
            item,
            typ(at).ok_or_else(&mismatch)?,
            &path.down(Step::Index(at))?,
        )
    });
    json.collect()
}

fn payload(
    content: Option<&Value>,
    case: &str,
    typ: Option<&WitType>,
    path: &Path<'_>,
    mismatch: impl Fn() -> JsonError,
) -> Result<Json, JsonError> {
    let json = match (content, typ) {
        (None, None) => Json::Null,
        (Some(content), Some(typ)) => write(content, typ, &path.down(Step::Name(case))?)?,
        _ => return Err(mismatch()),
    };
    Ok(single(case, json))
}

fn single(key: &str, json: Json) -> Json {
    Json::Object(Map::from_iter([(key.to_owned(), json)]))
}

fn float(v: f64) -> Json {
    if v.is_nan() {
        return Json::from("NaN");
    }
    match Number::from_f64(v) {
        Some(number) => Json::Number(number),
        None if v > 0.0 => Json::from("inf"),
        None => Json::from("-inf"),
    }
}

/// The f64 with the shortest decimal text that is read back as `v`: 0.1 and not 0.10000000149011612.
#[expect(clippy::cast_possible_truncation, reason = "the cast is the check")]
fn shortest(v: f32) -> f64 {
    let exact = f64::from(v);
    let short = v.to_string().parse::<f64>().unwrap_or(exact);
    if (short as f32).to_bits() == v.to_bits() {
        short
    } else {
        exact
    }
}
