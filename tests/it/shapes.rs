// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / shapes: random WIT types and random values of them, from a seed. Out: WIT text, JSON as the server writes it.
//! Bound: types of `MAX_DEPTH` levels. Every kind of type comes up, whatever the seed. Read next: `random_types.rs`.

use golem_testkit::Random;
use serde_json::{Map, Value, json};

/// Types are at most this deep.
const MAX_DEPTH: u32 = 4;

/// A type is used a second time if it has at most so many plain types in it: those in those would grow without end.
const MAX_SHARED_WEIGHT: usize = 60;

/// Lists at this depth of a value or deeper are short, for the same reason.
const DEEP: u32 = 2;

/// Names of fields and cases: words of WIT and of Go, what generated code calls its own things, and plain ones.
const NAMES: [&str; 24] = [
    "a", "%type", "%string", "range", "map", "%func", "x1", "kind", "value", "error", "len", "go",
    "f0", "v", "self", "%list", "c", "ret", "select", "is-ok", "get-a", "%u8", "p2-x3", "chan",
];

/// Choices among shapes and values, which a seed repeats.
#[derive(Debug, Clone)]
pub(crate) struct Choices(Random);

impl Choices {
    /// Those of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(Random::new(seed))
    }

    fn next(&mut self) -> u64 {
        self.0.number()
    }

    /// Less than `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.0.below(u64::try_from(bound).unwrap_or(1))).unwrap_or(0)
    }

    fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }

    /// Different names, at least one.
    fn names(&mut self, most: usize) -> Vec<String> {
        let mut pool = NAMES.to_vec();
        (0..=self.below(most))
            .map(|_| pool.remove(self.below(pool.len())).to_owned())
            .collect()
    }
}

/// A type.
#[derive(Debug, Clone)]
pub(crate) enum Shape {
    Plain(&'static str),
    List(Box<Shape>),
    Option(Box<Shape>),
    Result(Option<Box<Shape>>, Option<Box<Shape>>),
    Tuple(Vec<Shape>),
    /// A declared type: its name, and what it is.
    Named(String, Box<Declared>),
}

/// What stands behind a declared type.
#[derive(Debug, Clone)]
pub(crate) enum Declared {
    Record(Vec<(String, Shape)>),
    Variant(Vec<(String, Option<Shape>)>),
    Enum(Vec<String>),
    Flags(Vec<String>),
    Alias(Shape),
}

const PLAIN: [&str; 13] = [
    "bool", "u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64", "f32", "f64", "char", "string",
];

/// How many kinds of type there are besides plain ones; the first shapes of a world are one of each.
pub(crate) const KINDS: usize = 10;

/// The types of a world: what was declared, in order.
#[derive(Debug, Default)]
pub(crate) struct Shapes {
    pub(crate) declared: Vec<(String, Declared)>,
}

impl Shapes {
    /// A type of any kind.
    pub(crate) fn any(&mut self, random: &mut Choices, depth: u32) -> Shape {
        // Often one that is there already, so that types are shared.
        if !self.declared.is_empty() && random.below(4) == 0 {
            let (name, declared) = self.declared[random.below(self.declared.len())].clone();
            let shape = Shape::Named(name, Box::new(declared));
            if shape.weight() <= MAX_SHARED_WEIGHT {
                return shape;
            }
        }
        if depth >= MAX_DEPTH || random.below(3) == 0 {
            return Shape::Plain(random.pick(&PLAIN));
        }
        let kind = random.below(KINDS);
        self.of_kind(random, kind, depth)
    }

    /// A type of one kind, less than [`KINDS`].
    pub(crate) fn of_kind(&mut self, random: &mut Choices, kind: usize, depth: u32) -> Shape {
        let below = depth + 1;
        let mut boxed = |random: &mut Choices| Box::new(self.any(random, below));
        match kind {
            0 => Shape::List(boxed(random)),
            1 => Shape::List(Box::new(Shape::Plain(random.pick(&PLAIN)))),
            2 => Shape::Option(boxed(random)),
            3 => {
                let ok = (random.below(4) > 0).then(|| boxed(random));
                let err = (random.below(4) > 0).then(|| boxed(random));
                Shape::Result(ok, err)
            }
            4 => Shape::Tuple(
                (0..=random.below(5))
                    .map(|_| self.any(random, below))
                    .collect(),
            ),
            5 => {
                let fields = random
                    .names(6)
                    .into_iter()
                    .map(|name| (name, self.any(random, below)));
                let fields = fields.collect();
                self.declare(Declared::Record(fields))
            }
            6 => {
                let cases = random.names(6).into_iter().map(|name| {
                    let payload = (random.below(4) > 0).then(|| self.any(random, below));
                    (name, payload)
                });
                let cases = cases.collect();
                self.declare(Declared::Variant(cases))
            }
            7 => {
                let cases = random.names(8);
                self.declare(Declared::Enum(cases))
            }
            8 => {
                // The size of flags in memory depends on their number.
                let count = random.pick(&[1, 7, 8, 9, 16, 17, 31, 32]);
                self.declare(Declared::Flags(
                    (0..count).map(|bit| format!("bit{bit}")).collect(),
                ))
            }
            _ => {
                let target = self.any(random, below);
                self.declare(Declared::Alias(target))
            }
        }
    }

    fn declare(&mut self, declared: Declared) -> Shape {
        let name = format!("t{}", self.declared.len());
        self.declared.push((name.clone(), declared.clone()));
        Shape::Named(name, Box::new(declared))
    }

    /// The declarations.
    pub(crate) fn wit(&self) -> String {
        self.declared
            .iter()
            .map(|(name, declared)| format!("  {}\n", declaration(name, declared)))
            .collect()
    }
}

fn declaration(name: &str, declared: &Declared) -> String {
    match declared {
        Declared::Record(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, shape)| format!("{name}: {}", shape.wit()))
                .collect();
            format!("record {name} {{ {} }}", fields.join(", "))
        }
        Declared::Variant(cases) => {
            let case = |(name, payload): &(String, Option<Shape>)| match payload {
                Some(shape) => format!("{name}({})", shape.wit()),
                None => name.clone(),
            };
            format!(
                "variant {name} {{ {} }}",
                cases.iter().map(case).collect::<Vec<_>>().join(", ")
            )
        }
        Declared::Enum(cases) => format!("enum {name} {{ {} }}", cases.join(", ")),
        Declared::Flags(flags) => format!("flags {name} {{ {} }}", flags.join(", ")),
        Declared::Alias(target) => format!("type {name} = {};", target.wit()),
    }
}

impl Shape {
    /// How it is written where it is used.
    pub(crate) fn wit(&self) -> String {
        let half = |side: &Option<Box<Shape>>| {
            side.as_ref()
                .map_or_else(|| "_".to_owned(), |shape| shape.wit())
        };
        match self {
            Self::Plain(name) => (*name).to_owned(),
            Self::List(inner) => format!("list<{}>", inner.wit()),
            Self::Option(inner) => format!("option<{}>", inner.wit()),
            Self::Result(None, None) => "result".to_owned(),
            Self::Result(Some(ok), None) => format!("result<{}>", ok.wit()),
            Self::Result(ok, err) => format!("result<{}, {}>", half(ok), half(err)),
            Self::Tuple(items) => format!(
                "tuple<{}>",
                items.iter().map(Self::wit).collect::<Vec<_>>().join(", ")
            ),
            Self::Named(name, _) => name.clone(),
        }
    }

    /// Plain types in it, each as often as it occurs.
    fn weight(&self) -> usize {
        let half = |side: &Option<Box<Self>>| side.as_ref().map_or(0, |shape| shape.weight());
        match self {
            Self::Plain(_) => 1,
            Self::List(inner) | Self::Option(inner) => inner.weight(),
            Self::Result(ok, err) => half(ok) + half(err) + 1,
            Self::Tuple(items) => items.iter().map(Self::weight).sum(),
            Self::Named(_, declared) => match &**declared {
                Declared::Record(fields) => fields.iter().map(|(_, shape)| shape.weight()).sum(),
                Declared::Variant(cases) => {
                    cases
                        .iter()
                        .filter_map(|(_, shape)| shape.as_ref())
                        .map(Self::weight)
                        .sum::<usize>()
                        + 1
                }
                Declared::Enum(_) | Declared::Flags(_) => 1,
                Declared::Alias(target) => target.weight(),
            },
        }
    }

    fn is_option(&self) -> bool {
        match self {
            Self::Option(_) => true,
            Self::Named(_, declared) => {
                matches!(&**declared, Declared::Alias(target) if target.is_option())
            }
            _ => false,
        }
    }

    /// A value, as the server writes it.
    pub(crate) fn value(&self, random: &mut Choices, depth: u32) -> Value {
        let below = depth + 1;
        match self {
            Self::Plain(name) => plain(name, random),
            Self::List(inner) => {
                let most = if depth < DEEP { 17 } else { 2 };
                let count = random.pick(&[0, 1, 2, most]);
                (0..count).map(|_| inner.value(random, below)).collect()
            }
            Self::Option(_) if random.below(3) == 0 => Value::Null,
            Self::Option(inner) => {
                let value = inner.value(random, below);
                let marked =
                    |object: &Map<String, Value>| object.len() == 1 && object.contains_key("some");
                let wrap = value.is_null() || value.as_object().is_some_and(marked);
                if inner.is_option() && wrap {
                    json!({ "some": value })
                } else {
                    value
                }
            }
            Self::Result(ok, err) => {
                let (key, side) = if random.below(2) == 0 {
                    ("ok", ok)
                } else {
                    ("err", err)
                };
                let value = side
                    .as_ref()
                    .map_or(Value::Null, |shape| shape.value(random, below));
                json!({ key: value })
            }
            Self::Tuple(items) => items.iter().map(|item| item.value(random, below)).collect(),
            Self::Named(_, declared) => declared.value(random, below),
        }
    }
}

impl Declared {
    fn value(&self, random: &mut Choices, below: u32) -> Value {
        let plain = |name: &str| name.trim_start_matches('%').to_owned();
        match self {
            Self::Record(fields) => {
                let fields = fields
                    .iter()
                    .map(|(name, shape)| (plain(name), shape.value(random, below)));
                Value::Object(fields.collect())
            }
            Self::Variant(cases) => {
                let (name, payload) = &cases[random.below(cases.len())];
                let value = payload
                    .as_ref()
                    .map_or(Value::Null, |shape| shape.value(random, below));
                json!({ plain(name): value })
            }
            Self::Enum(cases) => json!(plain(&cases[random.below(cases.len())])),
            Self::Flags(flags) => flags
                .iter()
                .filter(|_| random.below(2) == 0)
                .map(|name| json!(name))
                .collect(),
            Self::Alias(target) => target.value(random, below),
        }
    }
}

fn plain(name: &str, random: &mut Choices) -> Value {
    let edge = random.below(3) == 0;
    let bits = random.next();
    // The low bytes, with their sign or without, and the ends of the range.
    let signed = |bytes: u32| {
        let unused = 64 - 8 * bytes;
        let value = (bits << unused).cast_signed() >> unused;
        let least = i64::MIN >> unused;
        if edge {
            [least, -1, 0, !least][bits as usize % 4]
        } else {
            value
        }
    };
    let unsigned = |bytes: u32| {
        let most = u64::MAX >> (64 - 8 * bytes);
        if edge {
            [0, most][bits as usize % 2]
        } else {
            bits & most
        }
    };
    match name {
        "bool" => json!(bits.is_multiple_of(2)),
        "u8" => json!(unsigned(1)),
        "u16" => json!(unsigned(2)),
        "u32" => json!(unsigned(4)),
        "u64" => json!(unsigned(8)),
        "s8" => json!(signed(1)),
        "s16" => json!(signed(2)),
        "s32" => json!(signed(4)),
        "s64" => json!(signed(8)),
        "char" => json!(random.pick(&[
            'a',
            '\0',
            'é',
            '世',
            '🦀',
            '\u{10ffff}',
            '\u{d7ff}',
            '\u{e000}'
        ]) as u32),
        "string" => {
            let word = random.pick(&["", "a", "grüße", "世界", "🦀🦀", "\0", "\"\\\n", "x y"]);
            json!(word.repeat(random.pick(&[1, 1, 2, 300])))
        }
        // Eighths of whole numbers are the same in both widths and in text.
        _ if edge => [
            json!("NaN"),
            json!("inf"),
            json!("-inf"),
            json!(0.0),
            json!(-0.5),
        ][random.below(5)]
        .clone(),
        _ => json!(f64::from((bits % 1_000_000) as i32 - 500_000) / 8.0),
    }
}
