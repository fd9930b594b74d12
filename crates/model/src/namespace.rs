// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / namespace: what keeps the components and workers of different people apart. In: text. Out: [`Namespace`], or why it
//! is none. Bound: [`NAMESPACE_CHARS_MAX`]. Never touches IO. Read next: `api/namespaces.rs`, `component.rs`. Why: ADR 0012.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Coded;

/// Longest name of a namespace: that of a label in a domain name, so that one may stand in a host name.
pub const NAMESPACE_CHARS_MAX: usize = 63;
/// The namespace of everything for which none is named.
const DEFAULT: &str = "default";

/// Name of a namespace: 1 to [`NAMESPACE_CHARS_MAX`] of `a-z`, `0-9` and `-`, a letter first, no `-` at the end.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, JsonSchema, Serialize)]
#[serde(transparent)]
pub struct Namespace(String);

impl Namespace {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the one of everything for which none is named.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.0 == DEFAULT
    }
}

impl Default for Namespace {
    /// `default`.
    fn default() -> Self {
        Self(DEFAULT.to_owned())
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that cannot name a namespace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` cannot name a namespace", .0.escape_debug())]
pub struct BadNamespace(pub String);

impl Coded for BadNamespace {
    fn code(&self) -> &'static str {
        "VAL-058"
    }

    fn hint(&self) -> Option<String> {
        Some(format!(
            "use 1 to {NAMESPACE_CHARS_MAX} lower-case letters, digits and `-`, beginning with a letter: team-a"
        ))
    }
}

impl FromStr for Namespace {
    type Err = BadNamespace;

    fn from_str(text: &str) -> Result<Self, BadNamespace> {
        let fits = text.len() <= NAMESPACE_CHARS_MAX
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && !text.ends_with('-')
            && text
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            let shown = text.chars().take(NAMESPACE_CHARS_MAX + 1).collect();
            Err(BadNamespace(shown))
        }
    }
}

impl<'de> Deserialize<'de> for Namespace {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The whole name of a component: unique in a server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ComponentName {
    /// Where it is.
    pub namespace: Namespace,
    /// What it is called there.
    pub name: String,
}

impl ComponentName {
    /// The component `name` of `namespace`.
    #[must_use]
    pub fn new(namespace: Namespace, name: impl Into<String>) -> Self {
        Self {
            namespace,
            name: name.into(),
        }
    }
}

impl From<&str> for ComponentName {
    /// A component of the default namespace.
    fn from(name: &str) -> Self {
        Self::new(Namespace::default(), name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_labels_of_domain_names() {
        let longest = "a".repeat(NAMESPACE_CHARS_MAX);
        for good in ["default", "a", "team-a", "t2", longest.as_str()] {
            assert_eq!(good.parse::<Namespace>().unwrap().as_str(), good);
        }
        let longer = "a".repeat(NAMESPACE_CHARS_MAX + 1);
        for bad in [
            "",
            "-a",
            "a-",
            "2a",
            "A",
            "a_b",
            "a.b",
            "a/b",
            "ü",
            longer.as_str(),
        ] {
            let error = bad.parse::<Namespace>().unwrap_err();
            assert_eq!(error.code(), "VAL-058", "{bad}");
            assert!(serde_json::from_value::<Namespace>(bad.into()).is_err());
        }
    }
}
