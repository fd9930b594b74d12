// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / json: a value as JSON, directed by its WIT type. In: JSON, or a value. Out: the other one, or the path
//! of what is wrong. Never touches IO. Bound: [`MAX_DEPTH`] levels. Read next: `wave.rs`. Source: client spec §6.5, §8.2.
//!
//! | WIT | JSON |
//! |---|---|
//! | bool, string | the same |
//! | integers | number; a string of digits is read as well |
//! | floats | number; `"NaN"`, `"inf"`, `"-inf"` |
//! | char | code point; a string of one character is read as well |
//! | list, tuple | array |
//! | record | object; a field that is an option may be missing |
//! | variant | object with one key, `null` for a case without payload; a bare string is read as well |
//! | enum, flags | name; array of names |
//! | option | `null` or the inner value; inside another option also `{"some": …}` |
//! | result | `{"ok": …}` or `{"err": …}`, `null` for a side without type |
//! | handle | `"urn:worker:<component>/<worker>/<number>"` |

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::error::Coded;
use crate::suggest;
use crate::types::{Function, WitType};
use crate::value::{MAX_DEPTH, Value};

mod read;
mod write;

pub use read::{from_json, params_from_json};
pub use write::to_json;

/// A value with its type: how results, and the parameters of careful clients, travel over REST.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TypeAnnotatedValue {
    /// The type.
    pub typ: WitType,
    /// The value as JSON of that type.
    pub value: Json,
}

impl TypeAnnotatedValue {
    /// `value` with its type. Errors: [`JsonErrorKind::Mismatch`] when it is not of that type.
    pub fn new(value: &Value, typ: WitType) -> Result<Self, JsonError> {
        Ok(Self {
            value: to_json(value, &typ)?,
            typ,
        })
    }

    /// The value. Errors: see [`from_json`].
    pub fn read(&self) -> Result<Value, JsonError> {
        from_json(&self.value, &self.typ, "value")
    }
}

impl Function {
    /// The type of an invocation's result: a tuple with one element per result of the function.
    #[must_use]
    pub fn result_type(&self) -> WitType {
        WitType::Tuple {
            items: self
                .results
                .iter()
                .map(|result| result.typ.clone())
                .collect(),
        }
    }
}

/// JSON that is no value of the type, or a value that is not of the type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {kind}")]
pub struct JsonError {
    /// Where: `params[0].by-heat[2]`.
    pub path: String,
    /// What.
    pub kind: JsonErrorKind,
}

/// What is wrong at the place that a [`JsonError`] names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonErrorKind {
    /// Another kind of JSON than the type needs.
    Expected {
        /// The type.
        typ: String,
        /// The JSON, cut short.
        found: String,
    },
    /// A number that the type cannot hold.
    Range {
        /// The type.
        typ: String,
        /// The number.
        found: String,
    },
    /// A record without a field that is no option.
    MissingField {
        /// Its name.
        field: String,
        /// Names that are there instead and unknown.
        unknown: Vec<String>,
    },
    /// A record with a field that the type does not have.
    UnknownField {
        /// Its name.
        field: String,
        /// Names of the type.
        known: Vec<String>,
    },
    /// A variant case, enum case or flag that the type does not have.
    UnknownCase {
        /// Its name.
        case: String,
        /// Names of the type.
        known: Vec<String>,
    },
    /// An array of another length than the tuple, or another number of parameters than the function has.
    Length {
        /// Its length.
        got: usize,
        /// The length of the type.
        expected: usize,
        /// Whether these are the parameters of a function.
        parameters: bool,
    },
    /// A payload for a case, or a side of a result, that has none.
    Payload {
        /// The case.
        case: String,
    },
    /// A text that is no handle.
    Handle {
        /// The text.
        found: String,
    },
    /// A value that is not of the type, on the way out.
    Mismatch {
        /// The type.
        typ: String,
    },
    /// More than [`MAX_DEPTH`] levels.
    TooDeep,
}

impl fmt::Display for JsonErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expected { typ, found } => write!(f, "expected {typ}, found {found}"),
            Self::Range { typ, found } => write!(f, "cannot convert {found} to {typ}"),
            Self::MissingField { field, .. } => write!(f, "field `{field}` is missing"),
            Self::UnknownField { field, .. } => write!(f, "there is no field `{field}`"),
            Self::UnknownCase { case, known } => {
                write!(
                    f,
                    "invalid input `{case}`, valid values are {}",
                    known.join(",")
                )
            }
            Self::Length {
                got,
                expected,
                parameters: true,
            } => {
                write!(
                    f,
                    "unexpected number of parameters: got {got}, expected {expected}"
                )
            }
            Self::Length { got, expected, .. } => {
                write!(f, "expected {expected} elements, found {got}")
            }
            Self::Payload { case } => write!(f, "`{case}` has no payload: expected null"),
            Self::Handle { found } => write!(f, "`{found}` is not a resource handle"),
            Self::Mismatch { typ } => write!(f, "the value is not of type {typ}"),
            Self::TooDeep => write!(f, "nested deeper than {MAX_DEPTH}"),
        }
    }
}

impl Coded for JsonError {
    fn code(&self) -> &'static str {
        match self.kind {
            JsonErrorKind::Expected { .. } => "VAL-001",
            JsonErrorKind::Range { .. } => "VAL-002",
            JsonErrorKind::MissingField { .. } => "VAL-003",
            JsonErrorKind::UnknownField { .. } => "VAL-004",
            JsonErrorKind::UnknownCase { .. } => "VAL-005",
            JsonErrorKind::Length { .. } => "VAL-006",
            JsonErrorKind::Payload { .. } => "VAL-007",
            JsonErrorKind::Handle { .. } => "VAL-008",
            JsonErrorKind::Mismatch { .. } => "VAL-009",
            JsonErrorKind::TooDeep => "VAL-011",
        }
    }

    fn hint(&self) -> Option<String> {
        match &self.kind {
            JsonErrorKind::Expected { typ, .. } => Some(format!("pass JSON for {typ}")),
            JsonErrorKind::Range { typ, .. } => Some(format!("pass a number that fits {typ}")),
            JsonErrorKind::MissingField { field, unknown } => Some(
                match suggest::closest(field, unknown.iter().map(String::as_str)) {
                    Some(other) => format!("rename `{other}` to `{field}`"),
                    None => format!("add `\"{field}\": …`; only option fields may be left out"),
                },
            ),
            JsonErrorKind::UnknownField { field: name, known }
            | JsonErrorKind::UnknownCase { case: name, known } => Some(
                match suggest::closest(name, known.iter().map(String::as_str)) {
                    Some(other) => format!("did you mean `{other}`?"),
                    None => format!("use one of: {}", known.join(", ")),
                },
            ),
            JsonErrorKind::Length {
                expected,
                parameters: true,
                ..
            } => Some(format!(
                "pass {expected}, one per parameter of the function, in order"
            )),
            JsonErrorKind::Length { expected, .. } => Some(format!("pass an array of {expected}")),
            JsonErrorKind::Payload { case } => Some(format!("write {{\"{case}\": null}}")),
            JsonErrorKind::Handle { .. } => {
                Some("write `urn:worker:<component>/<worker>/<number>`".to_owned())
            }
            JsonErrorKind::Mismatch { .. } => {
                Some("report it: a value left the worker with a wrong type".to_owned())
            }
            JsonErrorKind::TooDeep => Some("pass a flatter value".to_owned()),
        }
    }
}

/// One step down from a place; built on the way in, written only when something is wrong.
#[derive(Clone, Copy)]
struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
    depth: usize,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Name(&'a str),
    Index(usize),
}

impl<'a> Path<'a> {
    const fn root(name: &'a str) -> Self {
        Self {
            parent: None,
            step: Step::Name(name),
            depth: MAX_DEPTH,
        }
    }

    fn down(&'a self, step: Step<'a>) -> Result<Self, JsonError> {
        let depth = self
            .depth
            .checked_sub(1)
            .ok_or_else(|| self.error(JsonErrorKind::TooDeep))?;
        Ok(Self {
            parent: Some(self),
            step,
            depth,
        })
    }

    fn error(&self, kind: JsonErrorKind) -> JsonError {
        JsonError {
            path: self.to_string(),
            kind,
        }
    }

    fn expected<T>(&self, typ: &WitType, found: &Json) -> Result<T, JsonError> {
        Err(self.error(JsonErrorKind::Expected {
            typ: brief(typ),
            found: shown(found),
        }))
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.parent, self.step) {
            (None, Step::Name(name)) => f.write_str(name),
            (None, Step::Index(at)) => write!(f, "[{at}]"),
            (Some(parent), Step::Name(name)) => write!(f, "{parent}.{name}"),
            (Some(parent), Step::Index(at)) => write!(f, "{parent}[{at}]"),
        }
    }
}

/// Longest type or JSON that is written into an error, in characters: an error is one line.
const SHOWN_CHARS_MAX: usize = 80;

fn cut(text: String) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text,
    }
}

fn brief(typ: &WitType) -> String {
    cut(typ.to_string())
}

fn shown(json: &Json) -> String {
    match json {
        Json::Array(items) if items.len() > 8 => format!("an array of {}", items.len()),
        Json::Object(fields) if fields.len() > 4 => format!("an object of {} keys", fields.len()),
        Json::Null => "null".to_owned(),
        other => cut(other.to_string()),
    }
}

/// The value of an object that has the single key `some`: an option inside an option, written out.
fn explicit_some(fields: &Map<String, Json>) -> Option<&Json> {
    fields.get("some").filter(|_| fields.len() == 1)
}

fn is_option(typ: &WitType) -> bool {
    matches!(typ, WitType::Option { .. })
}

#[cfg(test)]
mod tests;
