// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / wave: a value as WAVE text (`{id: 3, tags: {a, b}}`), directed by its WIT type. In: text, or a value.
//! Out: the other one. Never touches IO. Bound: 100 levels. Read next: `json.rs`. Source: client spec §6.4.
//!
//! The grammar is that of the crate `wasm-wave`. Resource handles have no WAVE form.

use wasm_wave::value::{Type as WaveType, Value as WaveValue};
use wasm_wave::wasm::WasmValue as _;

use crate::error::Coded;
use crate::types::WitType;
use crate::value::Value;

/// Text that is no value of the type, or a value that has no text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WaveError {
    /// The text does not read as a value of the type.
    #[error("failed to parse wave parameter `{text}`: {reason}")]
    Parse {
        /// The text, cut short.
        text: String,
        /// What the parser says, with the place in the text.
        reason: String,
        /// The type.
        typ: String,
        /// A value of the type.
        example: String,
    },
    /// A type with a handle in it, or with nothing in it.
    #[error("values of type {0} cannot be written in WAVE")]
    Unsupported(String),
    /// A value that is not of the type.
    #[error("the value is not of type {0}")]
    Mismatch(String),
}

impl Coded for WaveError {
    fn code(&self) -> &'static str {
        match self {
            Self::Parse { .. } => "VAL-030",
            Self::Unsupported(_) => "VAL-031",
            Self::Mismatch(_) => "VAL-032",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Parse { typ, example, .. } => {
                format!("the type is {typ}; an example is `{example}`")
            }
            Self::Unsupported(_) => "use JSON: `--parameters '[…]'`".to_owned(),
            Self::Mismatch(_) => "report it: a value left the worker with a wrong type".to_owned(),
        })
    }
}

/// Longest text that is written into an error, in characters: an error is one line.
const SHOWN_CHARS_MAX: usize = 80;

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Reads WAVE text as a value of `typ`.
///
/// Errors: `Parse`, `Unsupported`.
pub fn from_wave(text: &str, typ: &WitType) -> Result<Value, WaveError> {
    let unsupported = || WaveError::Unsupported(cut(&typ.to_string()));
    let wave_type = wave_type(typ).ok_or_else(unsupported)?;
    let parsed: WaveValue =
        wasm_wave::from_str(&wave_type, text).map_err(|error| WaveError::Parse {
            text: cut(text),
            reason: error.to_string(),
            typ: cut(&typ.to_string()),
            example: example(typ),
        })?;
    from_wave_value(&parsed, typ).ok_or_else(unsupported)
}

/// Writes `value`, which is of `typ`, as WAVE text.
///
/// Errors: `Unsupported`, `Mismatch`.
pub fn to_wave(value: &Value, typ: &WitType) -> Result<String, WaveError> {
    let wave_type = wave_type(typ).ok_or_else(|| WaveError::Unsupported(cut(&typ.to_string())))?;
    let mismatch = || WaveError::Mismatch(cut(&typ.to_string()));
    let wave = to_wave_value(value, typ, &wave_type).ok_or_else(mismatch)?;
    wasm_wave::to_string(&wave).map_err(|_| mismatch())
}

/// Whether a type has a resource handle in it, so that its values have no WAVE form.
#[must_use]
pub fn has_handle(typ: &WitType) -> bool {
    match typ {
        WitType::Handle { .. } => true,
        WitType::List { inner } | WitType::Option { inner } => has_handle(inner),
        WitType::Tuple { items } => items.iter().any(has_handle),
        WitType::Record { fields } => fields.iter().any(|field| has_handle(&field.typ)),
        WitType::Variant { cases } => cases
            .iter()
            .filter_map(|case| case.typ.as_ref())
            .any(has_handle),
        WitType::Result { ok, err } => [ok, err].into_iter().flatten().any(|typ| has_handle(typ)),
        _ => false,
    }
}

/// A value of `typ` as WAVE text, to show how one is written; handles as `…`.
#[must_use]
pub fn example(typ: &WitType) -> String {
    match typ {
        WitType::Bool => "true".to_owned(),
        WitType::F32 | WitType::F64 => "1.5".to_owned(),
        WitType::Chr => "'x'".to_owned(),
        WitType::Str => "\"text\"".to_owned(),
        WitType::List { inner } => format!("[{}]", example(inner)),
        WitType::Option { inner } => format!("some({})", example(inner)),
        WitType::Tuple { items } => format!(
            "({})",
            items.iter().map(example).collect::<Vec<_>>().join(", ")
        ),
        WitType::Record { fields } => {
            let fields = fields
                .iter()
                .map(|field| format!("{}: {}", field.name, example(&field.typ)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        WitType::Variant { cases } => match cases.first() {
            Some(case) => side(&case.name, case.typ.as_ref()),
            None => String::new(),
        },
        WitType::Enum { cases } => cases.first().cloned().unwrap_or_default(),
        WitType::Flags { names } => format!("{{{}}}", names.first().map_or("", String::as_str)),
        WitType::Result { ok, .. } => side("ok", ok.as_deref()),
        WitType::Handle { .. } => "…".to_owned(),
        _ => "1".to_owned(),
    }
}

fn side(name: &str, typ: Option<&WitType>) -> String {
    typ.map_or_else(
        || name.to_owned(),
        |typ| format!("{name}({})", example(typ)),
    )
}

/// The type in the words of `wasm-wave`; `None` when it has a handle in it, or a type without members.
fn wave_type(typ: &WitType) -> Option<WaveType> {
    let maybe = |typ: Option<&WitType>| typ.map(|typ| wave_type(typ).ok_or(())).transpose().ok();
    match typ {
        WitType::Bool => Some(WaveType::BOOL),
        WitType::U8 => Some(WaveType::U8),
        WitType::S8 => Some(WaveType::S8),
        WitType::U16 => Some(WaveType::U16),
        WitType::S16 => Some(WaveType::S16),
        WitType::U32 => Some(WaveType::U32),
        WitType::S32 => Some(WaveType::S32),
        WitType::U64 => Some(WaveType::U64),
        WitType::S64 => Some(WaveType::S64),
        WitType::F32 => Some(WaveType::F32),
        WitType::F64 => Some(WaveType::F64),
        WitType::Chr => Some(WaveType::CHAR),
        WitType::Str => Some(WaveType::STRING),
        WitType::List { inner } => Some(WaveType::list(wave_type(inner)?)),
        WitType::Option { inner } => Some(WaveType::option(wave_type(inner)?)),
        WitType::Tuple { items } => {
            WaveType::tuple(items.iter().map(wave_type).collect::<Option<Vec<_>>>()?)
        }
        WitType::Record { fields } => {
            let fields = fields
                .iter()
                .map(|field| Some((field.name.as_str(), wave_type(&field.typ)?)));
            WaveType::record(fields.collect::<Option<Vec<_>>>()?)
        }
        WitType::Variant { cases } => {
            let cases = cases
                .iter()
                .map(|case| Some((case.name.as_str(), maybe(case.typ.as_ref())?)));
            WaveType::variant(cases.collect::<Option<Vec<_>>>()?)
        }
        WitType::Enum { cases } => WaveType::enum_ty(cases.iter().map(String::as_str)),
        WitType::Flags { names } => WaveType::flags(names.iter().map(String::as_str)),
        WitType::Result { ok, err } => Some(WaveType::result(
            maybe(ok.as_deref())?,
            maybe(err.as_deref())?,
        )),
        WitType::Handle { .. } => None,
    }
}

/// `wave` is of the [`wave_type`] of `typ`: the `unwrap_…` methods of the crate panic on other kinds, and only those
/// that go with the type are called.
fn from_wave_value(wave: &WaveValue, typ: &WitType) -> Option<Value> {
    Some(match typ {
        WitType::Bool => Value::Bool(wave.unwrap_bool()),
        WitType::U8 => Value::U8(wave.unwrap_u8()),
        WitType::S8 => Value::S8(wave.unwrap_s8()),
        WitType::U16 => Value::U16(wave.unwrap_u16()),
        WitType::S16 => Value::S16(wave.unwrap_s16()),
        WitType::U32 => Value::U32(wave.unwrap_u32()),
        WitType::S32 => Value::S32(wave.unwrap_s32()),
        WitType::U64 => Value::U64(wave.unwrap_u64()),
        WitType::S64 => Value::S64(wave.unwrap_s64()),
        WitType::F32 => Value::F32(wave.unwrap_f32()),
        WitType::F64 => Value::F64(wave.unwrap_f64()),
        WitType::Chr => Value::Char(wave.unwrap_char()),
        WitType::Str => Value::String(wave.unwrap_string().into_owned()),
        WitType::List { inner } if **inner == WitType::U8 => {
            Value::Bytes(wave.unwrap_list().map(|item| item.unwrap_u8()).collect())
        }
        WitType::List { inner } => Value::List(
            wave.unwrap_list()
                .map(|item| from_wave_value(&item, inner))
                .collect::<Option<_>>()?,
        ),
        WitType::Option { inner } => Value::Option(match wave.unwrap_option() {
            Some(content) => Some(Box::new(from_wave_value(&content, inner)?)),
            None => None,
        }),
        WitType::Tuple { items } => {
            let pairs = wave.unwrap_tuple().zip(items);
            Value::Tuple(
                pairs
                    .map(|(item, typ)| from_wave_value(&item, typ))
                    .collect::<Option<_>>()?,
            )
        }
        WitType::Record { fields } => {
            let pairs = wave.unwrap_record().zip(fields);
            let values = pairs.map(|((_, value), field)| from_wave_value(&value, &field.typ));
            Value::Record(values.collect::<Option<_>>()?)
        }
        WitType::Variant { cases } => {
            let (name, content) = wave.unwrap_variant();
            let at = cases.iter().position(|case| case.name == *name)?;
            let typ = cases.get(at)?.typ.as_ref();
            Value::Variant(
                u32::try_from(at).ok()?,
                from_payload(content.as_deref(), typ)?,
            )
        }
        WitType::Enum { cases } => {
            let name = wave.unwrap_enum();
            Value::Enum(u32::try_from(cases.iter().position(|case| *case == *name)?).ok()?)
        }
        WitType::Flags { names } => {
            let set: Vec<_> = wave.unwrap_flags().collect();
            Value::Flags(
                names
                    .iter()
                    .map(|name| set.iter().any(|found| **found == **name))
                    .collect(),
            )
        }
        WitType::Result { ok, err } => Value::Result(match wave.unwrap_result() {
            Ok(content) => Ok(from_payload(content.as_deref(), ok.as_deref())?),
            Err(content) => Err(from_payload(content.as_deref(), err.as_deref())?),
        }),
        WitType::Handle { .. } => return None,
    })
}

fn from_payload(content: Option<&WaveValue>, typ: Option<&WitType>) -> Option<Option<Box<Value>>> {
    match (content, typ) {
        (None, None) => Some(None),
        (Some(content), Some(typ)) => {
            from_wave_value(content, typ).map(|value| Some(Box::new(value)))
        }
        _ => None,
    }
}

/// `wave` is the [`wave_type`] of `typ`. `None` when `value` is not of the type.
fn to_wave_value(value: &Value, typ: &WitType, wave: &WaveType) -> Option<WaveValue> {
    let each = |values: &[Value], typ: &WitType| {
        let inner = wave_type(typ)?;
        values
            .iter()
            .map(|value| to_wave_value(value, typ, &inner))
            .collect::<Option<Vec<_>>>()
    };
    let nested = |value: &Value, typ: &WitType| to_wave_value(value, typ, &wave_type(typ)?);
    match (value, typ) {
        (Value::Bool(v), WitType::Bool) => Some(WaveValue::make_bool(*v)),
        (Value::U8(v), WitType::U8) => Some(WaveValue::make_u8(*v)),
        (Value::S8(v), WitType::S8) => Some(WaveValue::make_s8(*v)),
        (Value::U16(v), WitType::U16) => Some(WaveValue::make_u16(*v)),
        (Value::S16(v), WitType::S16) => Some(WaveValue::make_s16(*v)),
        (Value::U32(v), WitType::U32) => Some(WaveValue::make_u32(*v)),
        (Value::S32(v), WitType::S32) => Some(WaveValue::make_s32(*v)),
        (Value::U64(v), WitType::U64) => Some(WaveValue::make_u64(*v)),
        (Value::S64(v), WitType::S64) => Some(WaveValue::make_s64(*v)),
        (Value::F32(v), WitType::F32) => Some(WaveValue::make_f32(*v)),
        (Value::F64(v), WitType::F64) => Some(WaveValue::make_f64(*v)),
        (Value::Char(v), WitType::Chr) => Some(WaveValue::make_char(*v)),
        (Value::String(v), WitType::Str) => Some(WaveValue::make_string(v.as_str().into())),
        (Value::Bytes(bytes), WitType::List { inner }) if **inner == WitType::U8 => {
            WaveValue::make_list(wave, bytes.iter().map(|byte| WaveValue::make_u8(*byte))).ok()
        }
        (Value::List(items), WitType::List { inner }) => {
            WaveValue::make_list(wave, each(items, inner)?).ok()
        }
        (Value::Option(None), WitType::Option { .. }) => WaveValue::make_option(wave, None).ok(),
        (Value::Option(Some(content)), WitType::Option { inner }) => {
            WaveValue::make_option(wave, Some(nested(content, inner)?)).ok()
        }
        (Value::Tuple(items), WitType::Tuple { items: types }) if items.len() == types.len() => {
            let items = items.iter().zip(types).map(|(item, typ)| nested(item, typ));
            WaveValue::make_tuple(wave, items.collect::<Option<Vec<_>>>()?).ok()
        }
        (Value::Record(values), WitType::Record { fields }) if values.len() == fields.len() => {
            let fields = values.iter().zip(fields);
            let fields = fields
                .map(|(value, field)| Some((field.name.as_str(), nested(value, &field.typ)?)));
            WaveValue::make_record(wave, fields.collect::<Option<Vec<_>>>()?).ok()
        }
        (Value::Variant(case, content), WitType::Variant { cases }) => {
            let case = cases.get(*case as usize)?;
            WaveValue::make_variant(
                wave,
                &case.name,
                to_payload(content.as_deref(), case.typ.as_ref())?,
            )
            .ok()
        }
        (Value::Enum(case), WitType::Enum { cases }) => {
            WaveValue::make_enum(wave, cases.get(*case as usize)?).ok()
        }
        (Value::Flags(set), WitType::Flags { names }) if set.len() == names.len() => {
            let names = set
                .iter()
                .zip(names)
                .filter(|(set, _)| **set)
                .map(|(_, name)| name.as_str());
            WaveValue::make_flags(wave, names).ok()
        }
        (Value::Result(side), WitType::Result { ok, err }) => {
            let side = match side {
                Ok(content) => Ok(to_payload(content.as_deref(), ok.as_deref())?),
                Err(content) => Err(to_payload(content.as_deref(), err.as_deref())?),
            };
            WaveValue::make_result(wave, side).ok()
        }
        _ => None,
    }
}

fn to_payload(content: Option<&Value>, typ: Option<&WitType>) -> Option<Option<WaveValue>> {
    match (content, typ) {
        (None, None) => Some(None),
        (Some(content), Some(typ)) => to_wave_value(content, typ, &wave_type(typ)?).map(Some),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
