// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / value: values of the log and of REST against values of wasmtime. In: one kind. Out: the other.
//! Directed by the WIT type. Never touches a worker. Read next: `component/reflect.rs`.

use golem_model::types::HandleMode;
use golem_model::{Value, WitType};
use wasmtime::component::{ResourceAny, Val};

/// Where handles to resources of a guest are kept between calls.
pub(crate) trait Handles {
    /// Keeps a handle that the guest gave away and returns its number and the URN of its worker.
    fn keep(&mut self, resource: ResourceAny) -> (String, u64);
    /// The handle of a number; `kind` is the number of its resource type. `None` if there is none.
    fn find(&self, uri: &str, id: u64, kind: u64) -> Option<ResourceAny>;
}

/// A value that does not fit its type: what was expected.
#[derive(Debug, thiserror::Error)]
#[error("value does not fit: {0}")]
pub(crate) struct Mismatch(pub(crate) String);

fn mismatch(typ: &WitType, found: &impl std::fmt::Debug) -> Mismatch {
    let mut found = format!("{found:?}");
    if let Some((cut, _)) = found.char_indices().nth(80) {
        found.truncate(cut);
    }
    Mismatch(format!("expected {typ:?}, found {found}"))
}

/// A value for the guest.
pub(crate) fn to_val(value: &Value, typ: &WitType, handles: &dyn Handles) -> Result<Val, Mismatch> {
    let many = |items: &[Value], inner: &WitType| {
        items
            .iter()
            .map(|v| to_val(v, inner, handles))
            .collect::<Result<Vec<_>, _>>()
    };
    let payload = |value: &Option<Box<Value>>, typ: Option<&WitType>| match (value, typ) {
        (Some(value), Some(typ)) => Ok(Some(Box::new(to_val(value, typ, handles)?))),
        (None, None) => Ok(None),
        (found, _) => Err(Mismatch(format!("payload {found:?} does not fit its case"))),
    };
    Ok(match (value, typ) {
        (Value::Bool(v), WitType::Bool) => Val::Bool(*v),
        (Value::U8(v), WitType::U8) => Val::U8(*v),
        (Value::S8(v), WitType::S8) => Val::S8(*v),
        (Value::U16(v), WitType::U16) => Val::U16(*v),
        (Value::S16(v), WitType::S16) => Val::S16(*v),
        (Value::U32(v), WitType::U32) => Val::U32(*v),
        (Value::S32(v), WitType::S32) => Val::S32(*v),
        (Value::U64(v), WitType::U64) => Val::U64(*v),
        (Value::S64(v), WitType::S64) => Val::S64(*v),
        (Value::F32(v), WitType::F32) => Val::Float32(*v),
        (Value::F64(v), WitType::F64) => Val::Float64(*v),
        (Value::Char(v), WitType::Chr) => Val::Char(*v),
        (Value::String(v), WitType::Str) => Val::String(v.clone()),
        (Value::Bytes(v), WitType::List { inner }) if **inner == WitType::U8 => {
            Val::List(v.iter().map(|byte| Val::U8(*byte)).collect())
        }
        (Value::List(v), WitType::List { inner }) => Val::List(many(v, inner)?),
        (Value::Option(v), WitType::Option { inner }) => Val::Option(match v {
            Some(v) => Some(Box::new(to_val(v, inner, handles)?)),
            None => None,
        }),
        (Value::Tuple(v), WitType::Tuple { items }) if v.len() == items.len() => Val::Tuple(
            v.iter()
                .zip(items)
                .map(|(v, t)| to_val(v, t, handles))
                .collect::<Result<_, _>>()?,
        ),
        (Value::Record(v), WitType::Record { fields }) if v.len() == fields.len() => Val::Record(
            v.iter()
                .zip(fields)
                .map(|(v, f)| Ok((f.name.clone(), to_val(v, &f.typ, handles)?)))
                .collect::<Result<_, _>>()?,
        ),
        (Value::Variant(case, v), WitType::Variant { cases }) => {
            let case = cases
                .get(*case as usize)
                .ok_or_else(|| mismatch(typ, value))?;
            Val::Variant(case.name.clone(), payload(v, case.typ.as_ref())?)
        }
        (Value::Enum(case), WitType::Enum { cases }) => Val::Enum(
            cases
                .get(*case as usize)
                .ok_or_else(|| mismatch(typ, value))?
                .clone(),
        ),
        (Value::Flags(set), WitType::Flags { names }) if set.len() == names.len() => Val::Flags(
            set.iter()
                .zip(names)
                .filter(|(set, _)| **set)
                .map(|(_, name)| name.clone())
                .collect(),
        ),
        (Value::Result(v), WitType::Result { ok, err }) => Val::Result(match v {
            Ok(v) => Ok(payload(v, ok.as_deref())?),
            Err(v) => Err(payload(v, err.as_deref())?),
        }),
        (Value::Handle { uri, id }, WitType::Handle { resource_id, .. }) => Val::Resource(
            handles
                .find(uri, *id, *resource_id)
                .ok_or_else(|| Mismatch(format!("{uri} has no resource {id}")))?,
        ),
        _ => return Err(mismatch(typ, value)),
    })
}

/// Shows every handle in a value, in order: URN of its worker, number, mode.
pub(crate) fn each_handle(
    value: &Value,
    typ: &WitType,
    show: &mut dyn FnMut(&str, u64, HandleMode),
) {
    match (value, typ) {
        (Value::Handle { uri, id }, WitType::Handle { mode, .. }) => show(uri, *id, *mode),
        (Value::List(items), WitType::List { inner }) => {
            for item in items {
                each_handle(item, inner, show);
            }
        }
        (Value::Option(Some(item)), WitType::Option { inner }) => each_handle(item, inner, show),
        (Value::Tuple(items), WitType::Tuple { items: types }) => {
            for (item, typ) in items.iter().zip(types) {
                each_handle(item, typ, show);
            }
        }
        (Value::Record(items), WitType::Record { fields }) => {
            for (item, field) in items.iter().zip(fields) {
                each_handle(item, &field.typ, show);
            }
        }
        (Value::Variant(case, Some(item)), WitType::Variant { cases }) => {
            let case = cases.get(*case as usize);
            if let Some(typ) = case.and_then(|case| case.typ.as_ref()) {
                each_handle(item, typ, show);
            }
        }
        (Value::Result(result), WitType::Result { ok, err }) => {
            let (item, typ) = match result {
                Ok(item) => (item, ok),
                Err(item) => (item, err),
            };
            if let (Some(item), Some(typ)) = (item, typ) {
                each_handle(item, typ, show);
            }
        }
        _ => {}
    }
}

/// A value from the guest.
pub(crate) fn from_val(
    val: &Val,
    typ: &WitType,
    handles: &mut dyn Handles,
) -> Result<Value, Mismatch> {
    Ok(match (val, typ) {
        (Val::Bool(v), WitType::Bool) => Value::Bool(*v),
        (Val::U8(v), WitType::U8) => Value::U8(*v),
        (Val::S8(v), WitType::S8) => Value::S8(*v),
        (Val::U16(v), WitType::U16) => Value::U16(*v),
        (Val::S16(v), WitType::S16) => Value::S16(*v),
        (Val::U32(v), WitType::U32) => Value::U32(*v),
        (Val::S32(v), WitType::S32) => Value::S32(*v),
        (Val::U64(v), WitType::U64) => Value::U64(*v),
        (Val::S64(v), WitType::S64) => Value::S64(*v),
        (Val::Float32(v), WitType::F32) => Value::F32(*v),
        (Val::Float64(v), WitType::F64) => Value::F64(*v),
        (Val::Char(v), WitType::Chr) => Value::Char(*v),
        (Val::String(v), WitType::Str) => Value::String(v.clone()),
        (Val::List(v), WitType::List { inner }) if **inner == WitType::U8 => Value::Bytes(
            v.iter()
                .map(|v| {
                    if let Val::U8(byte) = v {
                        Ok(*byte)
                    } else {
                        Err(mismatch(typ, v))
                    }
                })
                .collect::<Result<_, _>>()?,
        ),
        (Val::List(v), WitType::List { inner }) => Value::List(
            v.iter()
                .map(|v| from_val(v, inner, handles))
                .collect::<Result<_, _>>()?,
        ),
        (Val::Option(v), WitType::Option { inner }) => Value::Option(match v {
            Some(v) => Some(Box::new(from_val(v, inner, handles)?)),
            None => None,
        }),
        (Val::Tuple(v), WitType::Tuple { items }) if v.len() == items.len() => Value::Tuple(
            v.iter()
                .zip(items)
                .map(|(v, t)| from_val(v, t, handles))
                .collect::<Result<_, _>>()?,
        ),
        (Val::Record(v), WitType::Record { fields }) if v.len() == fields.len() => Value::Record(
            v.iter()
                .zip(fields)
                .map(|((_, v), f)| from_val(v, &f.typ, handles))
                .collect::<Result<_, _>>()?,
        ),
        (Val::Variant(name, v), WitType::Variant { cases }) => {
            let (case, number) = (0..)
                .zip(cases)
                .find(|(_, c)| c.name == *name)
                .map(|(n, c)| (c, n))
                .ok_or_else(|| mismatch(typ, val))?;
            Value::Variant(
                number,
                from_payload(v.as_deref(), case.typ.as_ref(), handles)?,
            )
        }
        (Val::Enum(name), WitType::Enum { cases }) => Value::Enum(
            (0..)
                .zip(cases)
                .find(|(_, case)| *case == name)
                .map(|(n, _)| n)
                .ok_or_else(|| mismatch(typ, val))?,
        ),
        (Val::Flags(set), WitType::Flags { names }) => {
            Value::Flags(names.iter().map(|name| set.contains(name)).collect())
        }
        (Val::Result(v), WitType::Result { ok, err }) => Value::Result(match v {
            Ok(v) => Ok(from_payload(v.as_deref(), ok.as_deref(), handles)?),
            Err(v) => Err(from_payload(v.as_deref(), err.as_deref(), handles)?),
        }),
        (Val::Resource(resource), WitType::Handle { .. }) => {
            let (uri, id) = handles.keep(*resource);
            Value::Handle { uri, id }
        }
        _ => return Err(mismatch(typ, val)),
    })
}

fn from_payload(
    val: Option<&Val>,
    typ: Option<&WitType>,
    handles: &mut dyn Handles,
) -> Result<Option<Box<Value>>, Mismatch> {
    match (val, typ) {
        (Some(val), Some(typ)) => Ok(Some(Box::new(from_val(val, typ, handles)?))),
        (None, None) => Ok(None),
        (found, _) => Err(Mismatch(format!("payload {found:?} does not fit its case"))),
    }
}
