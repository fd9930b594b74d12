// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / limit: how much a worker may use of what, as text and as numbers. In: `memory=64MiB`. Out: [`Limits`].
//! Never touches IO. Read next: `capabilities.rs`. Why: docs/adr/0013-capabilities.md.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::duration::{duration_text, parse_duration};
use crate::error::Coded;
use crate::size::parse_size;
use crate::suggest;

/// Something that a worker may use only so much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Limit {
    /// Bytes of linear memory of one worker.
    Memory,
    /// Milliseconds that the guest computes in one invocation; waiting does not count.
    CpuTime,
    /// Bytes of the log of one worker.
    Oplog,
    /// Bytes per second that a worker writes to stdout, stderr and its log, over a few seconds.
    LogRate,
    /// Resources that a guest holds at the same time: files, sockets, requests, pollables.
    Handles,
    /// Calls of the platform in one invocation, as far as they are recorded: everything that touches the outside.
    HostCalls,
}

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Bytes,
    BytesPerSecond,
    Millis,
    Count,
}

impl Limit {
    /// All of them, in the order of documents.
    pub const ALL: [Self; 6] = [
        Self::Memory,
        Self::CpuTime,
        Self::Oplog,
        Self::LogRate,
        Self::Handles,
        Self::HostCalls,
    ];

    /// Its name in documents and options.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::CpuTime => "cpuTime",
            Self::Oplog => "oplog",
            Self::LogRate => "logRate",
            Self::Handles => "handles",
            Self::HostCalls => "hostCalls",
        }
    }

    const fn unit(self) -> Unit {
        match self {
            Self::Memory | Self::Oplog => Unit::Bytes,
            Self::LogRate => Unit::BytesPerSecond,
            Self::CpuTime => Unit::Millis,
            Self::Handles | Self::HostCalls => Unit::Count,
        }
    }

    /// The limit of a name. Errors: [`BadLimit::Unknown`].
    pub fn of_key(key: &str) -> Result<Self, BadLimit> {
        let found = Self::ALL.into_iter().find(|limit| limit.key() == key);
        found.ok_or_else(|| BadLimit::Unknown {
            key: key.chars().take(SHOWN_CHARS).collect(),
            suggestion: suggest::closest(key, Self::ALL.iter().map(|limit| limit.key()))
                .map(str::to_owned),
        })
    }

    /// Reads a value of it. Errors: [`BadLimit::Value`], also for none at all.
    pub fn parse(self, text: &str) -> Result<u64, BadLimit> {
        let read = match self.unit() {
            Unit::Bytes => parse_size(text).ok(),
            Unit::BytesPerSecond => parse_size(text.strip_suffix("/s").unwrap_or(text)).ok(),
            Unit::Millis => parse_duration(text)
                .ok()
                .and_then(|duration| u64::try_from(duration.as_millis()).ok()),
            Unit::Count => text.trim().parse().ok(),
        };
        read.filter(|value| *value > 0)
            .ok_or_else(|| BadLimit::Value {
                limit: self,
                text: text.chars().take(SHOWN_CHARS).collect(),
            })
    }

    /// Writes a value of it, so that [`Limit::parse`] reads it.
    #[must_use]
    pub fn show(self, value: u64) -> String {
        match self.unit() {
            Unit::Bytes => size_text(value),
            Unit::BytesPerSecond => format!("{}/s", size_text(value)),
            Unit::Millis => duration_text(Duration::from_millis(value)),
            Unit::Count => value.to_string(),
        }
    }

    const fn example(self) -> &'static str {
        match self.unit() {
            Unit::Bytes => "64MiB",
            Unit::BytesPerSecond => "1MiB/s",
            Unit::Millis => "10s",
            Unit::Count => "10000",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

/// Bytes with the largest unit that divides them.
fn size_text(bytes: u64) -> String {
    let units = [
        (1 << 40, "TiB"),
        (1 << 30, "GiB"),
        (1 << 20, "MiB"),
        (1 << 10, "KiB"),
    ];
    match units
        .iter()
        .find(|(of, _)| bytes >= *of && bytes.is_multiple_of(*of))
    {
        Some((of, unit)) => format!("{}{unit}", bytes / of),
        None => format!("{bytes}B"),
    }
}

/// How much of a wrong text is shown.
const SHOWN_CHARS: usize = 60;

/// A text that is no limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadLimit {
    /// There is no limit of this name.
    #[error("there is no limit `{key}`{}", suggestion.as_ref().map(|s| format!("; did you mean `{s}`?")).unwrap_or_default())]
    Unknown {
        /// The name.
        key: String,
        /// The closest one that there is.
        suggestion: Option<String>,
    },
    /// The value is none of this limit.
    #[error("`{text}` is no value of the limit `{limit}`")]
    Value {
        /// The limit.
        limit: Limit,
        /// The value.
        text: String,
    },
    /// The text is not a name, `=` and a value.
    #[error("`{0}` is not a limit with its value")]
    Pair(String),
}

impl Coded for BadLimit {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "CAP-010",
            Self::Value { .. } => "CAP-011",
            Self::Pair(_) => "CAP-012",
        }
    }

    fn hint(&self) -> Option<String> {
        let keys = Limit::ALL.map(Limit::key).join(", ");
        Some(match self {
            Self::Unknown { .. } => format!("the limits are: {keys}"),
            Self::Value { limit, .. } => format!("write for instance {limit}={}", limit.example()),
            Self::Pair(_) => {
                format!("write NAME=VALUE, such as memory=64MiB; the names are: {keys}")
            }
        })
    }
}

/// A limit with its value: `memory=64MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// Of what.
    pub limit: Limit,
    /// How much, in the unit of the limit.
    pub value: u64,
}

impl FromStr for Bound {
    type Err = BadLimit;

    fn from_str(text: &str) -> Result<Self, BadLimit> {
        let (key, value) = text
            .split_once('=')
            .ok_or_else(|| BadLimit::Pair(text.chars().take(SHOWN_CHARS).collect()))?;
        let limit = Limit::of_key(key.trim())?;
        let value = limit.parse(value.trim())?;
        Ok(Self { limit, value })
    }
}

/// Some limits with their values; in JSON an object such as `{"memory": "64MiB", "hostCalls": 1000}`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits(BTreeMap<Limit, u64>);

impl Limits {
    /// The value of a limit, in its unit.
    #[must_use]
    pub fn get(&self, limit: Limit) -> Option<u64> {
        self.0.get(&limit).copied()
    }

    /// Sets a limit.
    pub fn set(&mut self, bound: Bound) {
        self.0.insert(bound.limit, bound.value);
    }

    /// Whether none is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that are set.
    pub fn iter(&self) -> impl Iterator<Item = Bound> + '_ {
        let bound = |(limit, value): (&Limit, &u64)| Bound {
            limit: *limit,
            value: *value,
        };
        self.0.iter().map(bound)
    }
}

impl FromIterator<Bound> for Limits {
    fn from_iter<T: IntoIterator<Item = Bound>>(bounds: T) -> Self {
        let pairs = bounds.into_iter().map(|bound| (bound.limit, bound.value));
        Self(pairs.collect())
    }
}

impl Serialize for Limits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (limit, value) in &self.0 {
            map.serialize_entry(limit.key(), &limit.show(*value))?;
        }
        map.end()
    }
}

/// A value as a document has it.
#[derive(Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "expected a text such as \"64MiB\", or a whole number"
)]
pub(crate) enum Written {
    /// In the unit that people write without one: bytes, seconds, pieces.
    Number(u64),
    /// With its unit.
    Text(String),
}

impl<'de> Deserialize<'de> for Limits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written: BTreeMap<String, Written> = Deserialize::deserialize(deserializer)?;
        let read = |(key, value): (String, Written)| {
            let limit = Limit::of_key(&key)?;
            let value = match value {
                Written::Text(text) => limit.parse(&text)?,
                // A bare number is in the unit that people write without one: bytes, seconds, pieces.
                Written::Number(number) => limit.parse(&number.to_string())?,
            };
            Ok(Bound { limit, value })
        };
        let bounds = written.into_iter().map(read);
        let bounds: Result<Self, BadLimit> = bounds.collect();
        bounds.map_err(|error| {
            let hint = error.hint().unwrap_or_default();
            D::Error::custom(format!("limits: {error}: {hint}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_and_written_in_their_units() {
        for (text, value) in [
            ("memory=64MiB", 64 << 20),
            ("cpuTime=1m30s", 90_000),
            ("oplog=1GiB", 1 << 30),
            ("logRate=1MiB/s", 1 << 20),
            ("handles=1000", 1_000),
            ("hostCalls=1500", 1_500),
            ("memory=1500B", 1_500),
        ] {
            let bound: Bound = text.parse().unwrap();
            assert_eq!(bound.value, value, "{text}");
            let shown = format!("{}={}", bound.limit, bound.limit.show(bound.value));
            assert_eq!(shown, text);
        }
    }

    #[test]
    fn what_is_no_limit_is_refused_with_its_code() {
        for (text, code) in [
            ("memory", "CAP-012"),
            ("memroy=1MiB", "CAP-010"),
            ("memory=0", "CAP-011"),
            ("cpuTime=fast", "CAP-011"),
            ("handles=-1", "CAP-011"),
        ] {
            let error = text.parse::<Bound>().unwrap_err();
            assert_eq!(error.code(), code, "{text}");
            assert!(error.hint().is_some());
        }
        let typo = "memroy=1MiB".parse::<Bound>().unwrap_err().to_string();
        assert!(typo.contains("did you mean `memory`"), "{typo}");
    }

    #[test]
    fn a_document_takes_texts_and_bare_numbers() {
        let read: Limits =
            serde_json::from_str(r#"{"memory": 1048576, "cpuTime": 2, "handles": "7"}"#).unwrap();
        assert_eq!(read.get(Limit::Memory), Some(1 << 20));
        assert_eq!(read.get(Limit::CpuTime), Some(2_000));
        assert_eq!(read.get(Limit::Handles), Some(7));
        assert_eq!(
            serde_json::to_string(&read).unwrap(),
            r#"{"memory":"1MiB","cpuTime":"2s","handles":"7"}"#
        );
    }
}
