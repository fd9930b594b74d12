// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / value: a WIT value as data, and its bytes in the oplog. In: values. Out: bytes and back.
//! Never touches IO. Bound: [`MAX_DEPTH`] levels. Read next: `json.rs`, `wave.rs`. Format: docs/formats/value.md.

use crate::types::WitType;

/// A WIT value. Names of fields, cases and flags are not kept: the type has them.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `bool`
    Bool(bool),
    /// `u8`
    U8(u8),
    /// `s8`
    S8(i8),
    /// `u16`
    U16(u16),
    /// `s16`
    S16(i16),
    /// `u32`
    U32(u32),
    /// `s32`
    S32(i32),
    /// `u64`
    U64(u64),
    /// `s64`
    S64(i64),
    /// `f32`
    F32(f32),
    /// `f64`
    F64(f64),
    /// `char`
    Char(char),
    /// `string`
    String(String),
    /// `list<u8>`, kept as bytes.
    Bytes(Vec<u8>),
    /// Any other list.
    List(Vec<Value>),
    /// `option`
    Option(Option<Box<Value>>),
    /// `tuple`
    Tuple(Vec<Value>),
    /// `record`, fields in declaration order.
    Record(Vec<Value>),
    /// `variant`: case number and payload.
    Variant(u32, Option<Box<Value>>),
    /// `enum`: case number.
    Enum(u32),
    /// `flags`: one bit per declared flag, in order.
    Flags(Vec<bool>),
    /// `result`
    Result(Result<Option<Box<Value>>, Option<Box<Value>>>),
    /// A handle to a resource that lives in a worker.
    Handle {
        /// URN of the worker that owns it.
        uri: String,
        /// Its number in that worker.
        id: u64,
    },
}

/// Deepest nesting of a value that is accepted from outside: a guard against stack overflow by hostile input.
pub const MAX_DEPTH: usize = 128;

/// Bytes that are no value, or not of the expected type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// The bytes end in the middle of a value.
    #[error("value ends early")]
    Truncated,
    /// A tag byte that no version of the format has.
    #[error("unknown value tag {0}")]
    UnknownTag(u8),
    /// A string that is not UTF-8, or a char that is no Unicode scalar value.
    #[error("text in a value is not Unicode")]
    NotUnicode,
    /// More than [`MAX_DEPTH`] levels.
    #[error("value is nested deeper than {MAX_DEPTH}")]
    TooDeep,
    /// Bytes after the end of the value.
    #[error("{0} bytes follow the value")]
    Trailing(usize),
}

impl Value {
    /// Appends the bytes of the value: a tag byte, then the content; numbers as LEB128 varints (signed: zigzag),
    /// floats as little-endian bits, text and lists with a length in front. Source: docs/formats/value.md.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Bool(v) => out.extend([0, u8::from(*v)]),
            Self::U8(v) => out.extend([1, *v]),
            Self::S8(v) => out.extend([2, v.cast_unsigned()]),
            Self::U16(v) => tagged(out, 3, u64::from(*v)),
            Self::S16(v) => tagged(out, 4, zigzag(i64::from(*v))),
            Self::U32(v) => tagged(out, 5, u64::from(*v)),
            Self::S32(v) => tagged(out, 6, zigzag(i64::from(*v))),
            Self::U64(v) => tagged(out, 7, *v),
            Self::S64(v) => tagged(out, 8, zigzag(*v)),
            Self::F32(v) => {
                out.push(9);
                out.extend(v.to_bits().to_le_bytes());
            }
            Self::F64(v) => {
                out.push(10);
                out.extend(v.to_bits().to_le_bytes());
            }
            Self::Char(v) => tagged(out, 11, u64::from(u32::from(*v))),
            Self::String(v) => bytes(out, 12, v.as_bytes()),
            Self::Bytes(v) => bytes(out, 13, v),
            Self::List(items) => many(out, 14, items),
            Self::Option(None) => out.push(15),
            Self::Option(Some(v)) => {
                out.push(16);
                v.encode(out);
            }
            Self::Tuple(items) => many(out, 17, items),
            Self::Record(items) => many(out, 18, items),
            Self::Variant(case, payload) => {
                tagged(out, 19 + u8::from(payload.is_some()), u64::from(*case));
                if let Some(payload) = payload {
                    payload.encode(out);
                }
            }
            Self::Enum(case) => tagged(out, 21, u64::from(*case)),
            Self::Flags(flags) => {
                tagged(out, 22, flags.len() as u64);
                for chunk in flags.chunks(8) {
                    out.push(
                        chunk
                            .iter()
                            .enumerate()
                            .fold(0, |byte, (bit, set)| byte | u8::from(*set) << bit),
                    );
                }
            }
            Self::Result(side) => {
                let (tag, payload) = match side {
                    Ok(payload) => (23, payload),
                    Err(payload) => (25, payload),
                };
                out.push(tag + u8::from(payload.is_some()));
                if let Some(payload) = payload {
                    payload.encode(out);
                }
            }
            Self::Handle { uri, id } => {
                bytes(out, 27, uri.as_bytes());
                varint(out, *id);
            }
        }
    }

    /// The bytes of the value.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16);
        self.encode(&mut out);
        out
    }

    /// Reads one value that fills `bytes`. Errors: every variant of [`ValueError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ValueError> {
        let mut reader = Reader { rest: bytes };
        let value = reader.value(MAX_DEPTH)?;
        match reader.rest.len() {
            0 => Ok(value),
            n => Err(ValueError::Trailing(n)),
        }
    }

    /// Whether the value is one of `typ`, all the way down.
    #[must_use]
    pub fn matches(&self, typ: &WitType) -> bool {
        match (self, typ) {
            (Self::Bool(_), WitType::Bool)
            | (Self::U8(_), WitType::U8)
            | (Self::S8(_), WitType::S8)
            | (Self::U16(_), WitType::U16)
            | (Self::S16(_), WitType::S16)
            | (Self::U32(_), WitType::U32)
            | (Self::S32(_), WitType::S32)
            | (Self::U64(_), WitType::U64)
            | (Self::S64(_), WitType::S64)
            | (Self::F32(_), WitType::F32)
            | (Self::F64(_), WitType::F64)
            | (Self::Char(_), WitType::Chr)
            | (Self::String(_), WitType::Str)
            | (Self::Handle { .. }, WitType::Handle { .. })
            | (Self::Option(None), WitType::Option { .. }) => true,
            (Self::Bytes(_), WitType::List { inner }) => **inner == WitType::U8,
            (Self::List(items), WitType::List { inner }) => items.iter().all(|v| v.matches(inner)),
            (Self::Option(Some(v)), WitType::Option { inner }) => v.matches(inner),
            (Self::Tuple(values), WitType::Tuple { items }) => {
                values.len() == items.len() && values.iter().zip(items).all(|(v, t)| v.matches(t))
            }
            (Self::Record(values), WitType::Record { fields }) => {
                values.len() == fields.len()
                    && values.iter().zip(fields).all(|(v, f)| v.matches(&f.typ))
            }
            (Self::Variant(case, payload), WitType::Variant { cases }) => cases
                .get(*case as usize)
                .is_some_and(|c| payload_matches(payload.as_deref(), c.typ.as_ref())),
            (Self::Enum(case), WitType::Enum { cases }) => (*case as usize) < cases.len(),
            (Self::Flags(set), WitType::Flags { names }) => set.len() == names.len(),
            (Self::Result(Ok(v)), WitType::Result { ok, .. }) => {
                payload_matches(v.as_deref(), ok.as_deref())
            }
            (Self::Result(Err(v)), WitType::Result { err, .. }) => {
                payload_matches(v.as_deref(), err.as_deref())
            }
            _ => false,
        }
    }
}

fn payload_matches(value: Option<&Value>, typ: Option<&WitType>) -> bool {
    match (value, typ) {
        (None, None) => true,
        (Some(value), Some(typ)) => value.matches(typ),
        _ => false,
    }
}

fn zigzag(v: i64) -> u64 {
    ((v << 1) ^ (v >> 63)).cast_unsigned()
}

fn unzigzag(v: u64) -> i64 {
    (v >> 1).cast_signed() ^ -((v & 1).cast_signed())
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "only the low byte is wanted"
)]
fn varint(out: &mut Vec<u8>, mut v: u64) {
    while v >= 0x80 {
        out.push(v as u8 | 0x80);
        v >>= 7;
    }
    out.push(v as u8);
}

fn tagged(out: &mut Vec<u8>, tag: u8, v: u64) {
    out.push(tag);
    varint(out, v);
}

fn bytes(out: &mut Vec<u8>, tag: u8, v: &[u8]) {
    tagged(out, tag, v.len() as u64);
    out.extend_from_slice(v);
}

fn many(out: &mut Vec<u8>, tag: u8, items: &[Value]) {
    tagged(out, tag, items.len() as u64);
    for item in items {
        item.encode(out);
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8, ValueError> {
        let (first, rest) = self.rest.split_first().ok_or(ValueError::Truncated)?;
        self.rest = rest;
        Ok(*first)
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], ValueError> {
        let (head, rest) = self.rest.split_at_checked(n).ok_or(ValueError::Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ValueError> {
        let (head, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or(ValueError::Truncated)?;
        self.rest = rest;
        Ok(*head)
    }

    fn varint(&mut self) -> Result<u64, ValueError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(ValueError::Truncated)
    }

    fn small<T: TryFrom<u64>>(&mut self) -> Result<T, ValueError> {
        T::try_from(self.varint()?).map_err(|_| ValueError::Truncated)
    }

    fn signed<T: TryFrom<i64>>(&mut self) -> Result<T, ValueError> {
        T::try_from(unzigzag(self.varint()?)).map_err(|_| ValueError::Truncated)
    }

    fn text(&mut self) -> Result<String, ValueError> {
        let length = self.small::<usize>()?;
        let text = std::str::from_utf8(self.take(length)?).map_err(|_| ValueError::NotUnicode)?;
        Ok(text.to_owned())
    }

    fn many(&mut self, depth: usize) -> Result<Vec<Value>, ValueError> {
        let count = self.small::<usize>()?;
        // Every element takes at least one byte: a hostile length cannot make us reserve more than the input has.
        if count > self.rest.len() {
            return Err(ValueError::Truncated);
        }
        (0..count).map(|_| self.value(depth)).collect()
    }

    fn boxed(&mut self, depth: usize) -> Result<Box<Value>, ValueError> {
        self.value(depth).map(Box::new)
    }

    fn value(&mut self, depth: usize) -> Result<Value, ValueError> {
        let depth = depth.checked_sub(1).ok_or(ValueError::TooDeep)?;
        Ok(match self.byte()? {
            0 => Value::Bool(self.byte()? != 0),
            1 => Value::U8(self.byte()?),
            2 => Value::S8(self.byte()?.cast_signed()),
            3 => Value::U16(self.small()?),
            4 => Value::S16(self.signed()?),
            5 => Value::U32(self.small()?),
            6 => Value::S32(self.signed()?),
            7 => Value::U64(self.varint()?),
            8 => Value::S64(unzigzag(self.varint()?)),
            9 => Value::F32(f32::from_bits(u32::from_le_bytes(self.array()?))),
            10 => Value::F64(f64::from_bits(u64::from_le_bytes(self.array()?))),
            11 => Value::Char(char::from_u32(self.small()?).ok_or(ValueError::NotUnicode)?),
            12 => Value::String(self.text()?),
            13 => {
                let length = self.small::<usize>()?;
                Value::Bytes(self.take(length)?.to_vec())
            }
            14 => Value::List(self.many(depth)?),
            15 => Value::Option(None),
            16 => Value::Option(Some(self.boxed(depth)?)),
            17 => Value::Tuple(self.many(depth)?),
            18 => Value::Record(self.many(depth)?),
            19 => Value::Variant(self.small()?, None),
            20 => Value::Variant(self.small()?, Some(self.boxed(depth)?)),
            21 => Value::Enum(self.small()?),
            22 => {
                let count = self.small::<usize>()?;
                let packed = self.take(count.div_ceil(8))?;
                let bits = packed
                    .iter()
                    .flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1));
                Value::Flags(bits.take(count).collect())
            }
            23 => Value::Result(Ok(None)),
            24 => Value::Result(Ok(Some(self.boxed(depth)?))),
            25 => Value::Result(Err(None)),
            26 => Value::Result(Err(Some(self.boxed(depth)?))),
            27 => Value::Handle {
                uri: self.text()?,
                id: self.varint()?,
            },
            tag => return Err(ValueError::UnknownTag(tag)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value_round_trips() {
        let some = |v| Some(Box::new(v));
        let all = Value::Tuple(vec![
            Value::Bool(true),
            Value::U8(255),
            Value::S8(-128),
            Value::U16(u16::MAX),
            Value::S16(i16::MIN),
            Value::U32(u32::MAX),
            Value::S32(i32::MIN),
            Value::U64(u64::MAX),
            Value::S64(i64::MIN),
            Value::F32(1.5),
            Value::F64(-0.0),
            Value::Char('ü'),
            Value::String("grüße".into()),
            Value::Bytes(vec![0, 1, 255]),
            Value::List(vec![Value::Option(None), Value::Option(some(Value::U8(1)))]),
            Value::Record(vec![
                Value::Variant(3, None),
                Value::Variant(4, some(Value::Enum(2))),
            ]),
            Value::Flags(vec![
                true, false, true, true, false, false, false, false, true,
            ]),
            Value::Result(Ok(None)),
            Value::Result(Ok(some(Value::U8(1)))),
            Value::Result(Err(None)),
            Value::Result(Err(some(Value::String("e".into())))),
            Value::Handle {
                uri: "urn:worker:x/y".into(),
                id: 7,
            },
        ]);
        assert_eq!(Value::from_bytes(&all.to_bytes()).unwrap(), all);
    }

    #[test]
    fn hostile_bytes_are_refused() {
        assert_eq!(Value::from_bytes(&[]), Err(ValueError::Truncated));
        assert_eq!(Value::from_bytes(&[99]), Err(ValueError::UnknownTag(99)));
        assert_eq!(Value::from_bytes(&[16; 200]), Err(ValueError::TooDeep));
        assert_eq!(
            Value::from_bytes(&[14, 255, 255, 255, 255, 15]),
            Err(ValueError::Truncated)
        );
        assert_eq!(Value::from_bytes(&[15, 15]), Err(ValueError::Trailing(1)));
    }
}
