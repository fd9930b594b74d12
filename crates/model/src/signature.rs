// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / signature: WIT types and functions as text for people. In: types. Out: WIT-like text.
//! Never parses. Read next: `function.rs`. Source: client spec §6.2.

use std::fmt;

use crate::types::{FoundFunction, HandleMode, NamedType, WitType};

impl fmt::Display for WitType {
    /// WIT-like text on one line, types written out in full: `list<record { a: u64, b: option<string> }>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("bool"),
            Self::U8 => f.write_str("u8"),
            Self::S8 => f.write_str("s8"),
            Self::U16 => f.write_str("u16"),
            Self::S16 => f.write_str("s16"),
            Self::U32 => f.write_str("u32"),
            Self::S32 => f.write_str("s32"),
            Self::U64 => f.write_str("u64"),
            Self::S64 => f.write_str("s64"),
            Self::F32 => f.write_str("float32"),
            Self::F64 => f.write_str("float64"),
            Self::Chr => f.write_str("char"),
            Self::Str => f.write_str("string"),
            Self::List { inner } => write!(f, "list<{inner}>"),
            Self::Option { inner } => write!(f, "option<{inner}>"),
            Self::Tuple { items } => {
                f.write_str("tuple<")?;
                separated(f, items, |f, item| item.fmt(f))?;
                f.write_str(">")
            }
            Self::Record { fields } => braced(f, "record", fields, named),
            Self::Variant { cases } => braced(f, "variant", cases, |f, case| match &case.typ {
                Some(typ) => write!(f, "{}({typ})", case.name),
                None => f.write_str(&case.name),
            }),
            Self::Enum { cases } => braced(f, "enum", cases, |f, case| f.write_str(case)),
            Self::Flags { names } => braced(f, "flags", names, |f, name| f.write_str(name)),
            Self::Result {
                ok: None,
                err: None,
            } => f.write_str("result"),
            Self::Result {
                ok: Some(ok),
                err: None,
            } => write!(f, "result<{ok}>"),
            Self::Result {
                ok: None,
                err: Some(err),
            } => write!(f, "result<_, {err}>"),
            Self::Result {
                ok: Some(ok),
                err: Some(err),
            } => write!(f, "result<{ok}, {err}>"),
            Self::Handle {
                resource_id,
                mode: HandleMode::Owned,
            } => write!(f, "handle<{resource_id}>"),
            Self::Handle {
                resource_id,
                mode: HandleMode::Borrowed,
            } => write!(f, "&handle<{resource_id}>"),
        }
    }
}

impl FoundFunction<'_> {
    /// The name that an invocation uses: `<interface>.{<function>}`, or the bare name at the level of the world;
    /// functions of resources as `r.new`, `r.m`.
    #[must_use]
    pub fn name(&self) -> String {
        crate::function::canonical(self.interface, &self.function.name)
    }

    /// Name, parameters and result on one line: `rpcdemo:component2/component2-api.{add}(value: u64)`.
    #[must_use]
    pub fn signature(&self) -> String {
        Signature(*self).to_string()
    }
}

struct Signature<'a>(FoundFunction<'a>);

impl fmt::Display for Signature<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let function = self.0.function;
        write!(f, "{}(", self.0.name())?;
        separated(f, &function.parameters, named)?;
        f.write_str(")")?;
        match function.results.as_slice() {
            [] => Ok(()),
            [one] => write!(f, " -> {}", one.typ),
            many => {
                f.write_str(" -> (")?;
                separated(f, many, |f, result| result.typ.fmt(f))?;
                f.write_str(")")
            }
        }
    }
}

fn named(f: &mut fmt::Formatter<'_>, named: &NamedType) -> fmt::Result {
    write!(f, "{}: {}", named.name, named.typ)
}

fn separated<T>(
    f: &mut fmt::Formatter<'_>,
    items: &[T],
    each: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            f.write_str(", ")?;
        }
        each(f, item)?;
    }
    Ok(())
}

fn braced<T>(
    f: &mut fmt::Formatter<'_>,
    keyword: &str,
    items: &[T],
    each: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    write!(f, "{keyword} {{ ")?;
    separated(f, items, each)?;
    f.write_str(" }")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Export, Function, FunctionResult, NamedCase, functions};

    fn list(inner: WitType) -> WitType {
        WitType::List {
            inner: Box::new(inner),
        }
    }

    #[test]
    fn types_are_written_like_wit() {
        let record = WitType::Record {
            fields: vec![
                NamedType {
                    name: "a".into(),
                    typ: WitType::F32,
                },
                NamedType {
                    name: "b".into(),
                    typ: WitType::Option {
                        inner: Box::new(WitType::Str),
                    },
                },
            ],
        };
        let variant = WitType::Variant {
            cases: vec![
                NamedCase {
                    name: "c".into(),
                    typ: Some(WitType::Tuple {
                        items: vec![WitType::U8, WitType::Chr],
                    }),
                },
                NamedCase {
                    name: "d".into(),
                    typ: None,
                },
            ],
        };
        let result = |ok, err| WitType::Result { ok, err };
        for (typ, text) in [
            (
                list(record),
                "list<record { a: float32, b: option<string> }>",
            ),
            (variant, "variant { c(tuple<u8, char>), d }"),
            (
                WitType::Enum {
                    cases: vec!["x".into(), "y".into()],
                },
                "enum { x, y }",
            ),
            (
                WitType::Flags {
                    names: vec!["n".into()],
                },
                "flags { n }",
            ),
            (result(None, None), "result"),
            (result(Some(Box::new(WitType::U8)), None), "result<u8>"),
            (
                result(None, Some(Box::new(WitType::Str))),
                "result<_, string>",
            ),
            (
                WitType::Handle {
                    resource_id: 3,
                    mode: HandleMode::Borrowed,
                },
                "&handle<3>",
            ),
        ] {
            assert_eq!(typ.to_string(), text);
        }
    }

    #[test]
    fn signatures_have_the_interface_in_front() {
        let function = |name: &str, parameters, results| Function {
            name: name.into(),
            parameters,
            results,
        };
        let value = NamedType {
            name: "value".into(),
            typ: WitType::U64,
        };
        let exports = [
            Export::Instance {
                name: "rpcdemo:component2/component2-api".into(),
                functions: vec![function("add", vec![value], vec![])],
            },
            Export::Function(function(
                "top",
                vec![],
                vec![FunctionResult {
                    name: None,
                    typ: WitType::U64,
                }],
            )),
        ];
        let all: Vec<String> = functions(&exports).map(|f| f.signature()).collect();
        assert_eq!(
            all,
            [
                "rpcdemo:component2/component2-api.{add}(value: u64)",
                "top() -> u64"
            ]
        );
    }
}
