// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / urn: how components and workers are named in text. In: a URN or URL. Out: ids or names, and back.
//! Never looks anything up. Read next: `function.rs`. Source: client spec §1.4.
//!
//! ```text
//! urn:component:<uuid>[/<version>]              component:///<name>[/<version>]
//! urn:worker:<uuid>[/<worker>[/<function>]]     worker:///<component-name>[/<worker>[/<function>]]
//! ```
//! The UUID may be hyphenated, simple, braced or `urn:uuid:…`, in any case. Names are percent-encoded.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use crate::error::Coded;
use crate::ids::{ComponentId, ComponentVersion, WorkerId};

/// A component, by what the user knows of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ComponentRef {
    /// By id.
    Id(ComponentId),
    /// By name.
    Name(String),
}

/// A component, or one version of it, as a URN or URL names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ComponentUrn {
    /// The component.
    pub component: ComponentRef,
    /// One version of it.
    pub version: Option<ComponentVersion>,
}

/// A worker, or a function of it, as a URN or URL names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WorkerUrn {
    /// Its component.
    pub component: ComponentRef,
    /// Its name; none for an ephemeral worker, which gets a fresh one at each invocation.
    pub worker_name: Option<String>,
    /// A function of the worker.
    pub function: Option<String>,
}

/// What a URN or URL names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Uri {
    /// A component, or one version of it.
    Component(ComponentUrn),
    /// A worker, or a function of it.
    Worker(WorkerUrn),
}

/// A text that names nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrnError {
    /// Neither `urn:` nor one of our schemes in front.
    #[error("`{0}` is neither a URN nor a URL of a component or worker")]
    NotUri(String),
    /// A URN or URL of another kind of thing.
    #[error("`{uri}` names a `{kind}`: only components and workers have names here")]
    Kind {
        /// The text.
        uri: String,
        /// The kind.
        kind: String,
    },
    /// A URN without a UUID where it must be.
    #[error("`{found}` in `{uri}` is not a UUID")]
    Uuid {
        /// The text.
        uri: String,
        /// What is there.
        found: String,
    },
    /// A version that is no number.
    #[error("`{found}` in `{uri}` is not a component version")]
    Version {
        /// The text.
        uri: String,
        /// What is there.
        found: String,
    },
    /// A name that is empty.
    #[error("`{0}` has an empty name")]
    EmptyName(String),
    /// More parts than the kind has.
    #[error("`{uri}` has more than {most} parts: a `/` in a name is written `%2F`")]
    Parts {
        /// The text.
        uri: String,
        /// The most that its kind has.
        most: usize,
    },
    /// A percent-encoded name that is not UTF-8.
    #[error("a name in `{0}` is not UTF-8")]
    NotUnicode(String),
    /// A query key other than `account` and `project`.
    #[error("`{uri}` has the query key `{key}`")]
    Query {
        /// The text.
        uri: String,
        /// The key.
        key: String,
    },
    /// A good name of another thing than was asked for.
    #[error("`{uri}` is not {wanted}")]
    Unwanted {
        /// The text.
        uri: String,
        /// What was asked for.
        wanted: &'static str,
    },
}

impl Coded for UrnError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotUri(_) => "URN-001",
            Self::Kind { .. } => "URN-002",
            Self::Uuid { .. } => "URN-003",
            Self::Version { .. } => "URN-004",
            Self::EmptyName(_) => "URN-005",
            Self::Parts { .. } => "URN-006",
            Self::NotUnicode(_) => "URN-007",
            Self::Query { .. } => "URN-008",
            Self::Unwanted { .. } => "URN-009",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotUri(_) | Self::Kind { .. } | Self::EmptyName(_) => {
                "write `urn:worker:<component-uuid>/<worker>` or `worker:///<component-name>/<worker>`".to_owned()
            }
            Self::Uuid { found, .. } => format!(
                "to name a component by name, write `component:///{0}` or `worker:///{0}/<worker>`",
                percent_encode(found)
            ),
            Self::Version { .. } => "write a number, such as `urn:component:<uuid>/0`".to_owned(),
            Self::Parts { .. } | Self::NotUnicode(_) => {
                "percent-encode names: `my:worker/1` is written `my%3Aworker%2F1`".to_owned()
            }
            Self::Query { .. } => "leave the query out".to_owned(),
            Self::Unwanted { wanted, .. } => format!("pass {wanted}"),
        })
    }
}

/// Percent-encodes a name for one segment of a URN, URL or REST path: all bytes but letters, digits and `-._~`.
#[must_use]
pub fn percent_encode(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Undoes [`percent_encode`]; a `%` that starts no escape stands for itself. `None` when the bytes are not UTF-8.
#[must_use]
pub fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let escape = (*first == b'%')
            .then(|| tail.split_first_chunk::<2>())
            .flatten();
        match escape.and_then(|(digits, after)| Some((hex(*digits)?, after))) {
            Some((byte, after)) => {
                bytes.push(byte);
                rest = after;
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

fn hex([high, low]: [u8; 2]) -> Option<u8> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    Some(digit(high)? << 4 | digit(low)?)
}

impl FromStr for Uri {
    type Err = UrnError;

    /// Reads a URN or URL. Errors: every variant of [`UrnError`] but `Unwanted`.
    fn from_str(text: &str) -> Result<Self, UrnError> {
        if let Some(rest) = text.strip_prefix("urn:") {
            let (kind, rest) = rest
                .split_once(':')
                .ok_or_else(|| UrnError::NotUri(text.to_owned()))?;
            let kind = Kind::from_word(text, kind)?;
            let (id, rest) = rest
                .split_once('/')
                .map_or((rest, None), |(id, rest)| (id, Some(rest)));
            let id = id.parse().map_err(|_| UrnError::Uuid {
                uri: text.to_owned(),
                found: id.to_owned(),
            })?;
            return kind.build(text, ComponentRef::Id(id), rest);
        }
        let (kind, rest) = text
            .split_once(":///")
            .ok_or_else(|| UrnError::NotUri(text.to_owned()))?;
        let kind = Kind::from_word(text, kind)?;
        let rest = without_query(text, rest)?;
        let (name, rest) = rest
            .split_once('/')
            .map_or((rest, None), |(name, rest)| (name, Some(rest)));
        kind.build(text, ComponentRef::Name(decode(text, name)?), rest)
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Component,
    Worker,
}

impl Kind {
    fn from_word(uri: &str, word: &str) -> Result<Self, UrnError> {
        match word.to_lowercase().as_str() {
            "component" => Ok(Self::Component),
            "worker" => Ok(Self::Worker),
            kind => Err(UrnError::Kind {
                uri: uri.to_owned(),
                kind: kind.to_owned(),
            }),
        }
    }

    fn build(
        self,
        uri: &str,
        component: ComponentRef,
        rest: Option<&str>,
    ) -> Result<Uri, UrnError> {
        let mut parts = rest.into_iter().flat_map(|rest| rest.split('/'));
        let (first, second) = (parts.next(), parts.next());
        let most = if matches!(self, Self::Component) {
            2
        } else {
            3
        };
        if parts.next().is_some() || (most == 2 && second.is_some()) {
            return Err(UrnError::Parts {
                uri: uri.to_owned(),
                most,
            });
        }
        match self {
            Self::Component => {
                let version = first.map(|found| {
                    let bad = |_| UrnError::Version {
                        uri: uri.to_owned(),
                        found: found.to_owned(),
                    };
                    found.parse().map_err(bad)
                });
                Ok(Uri::Component(ComponentUrn {
                    component,
                    version: version.transpose()?,
                }))
            }
            Self::Worker => Ok(Uri::Worker(WorkerUrn {
                component,
                worker_name: first.map(|name| decode(uri, name)).transpose()?,
                function: second.map(|function| decode(uri, function)).transpose()?,
            })),
        }
    }
}

fn decode(uri: &str, name: &str) -> Result<String, UrnError> {
    if name.is_empty() {
        return Err(UrnError::EmptyName(uri.to_owned()));
    }
    percent_decode(name).ok_or_else(|| UrnError::NotUnicode(uri.to_owned()))
}

fn without_query<'a>(uri: &str, rest: &'a str) -> Result<&'a str, UrnError> {
    let Some((rest, query)) = rest.split_once('?') else {
        return Ok(rest);
    };
    let mut keys = query
        .split('&')
        .map(|pair| pair.split_once('=').map_or(pair, |(key, _)| key));
    match keys.find(|key| !matches!(*key, "account" | "project" | "")) {
        Some(key) => Err(UrnError::Query {
            uri: uri.to_owned(),
            key: key.to_owned(),
        }),
        None => Ok(rest),
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Component(component) => component.fmt(f),
            Self::Worker(worker) => worker.fmt(f),
        }
    }
}

impl fmt::Display for ComponentUrn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        start(f, "component", &self.component)?;
        self.version
            .map_or(Ok(()), |version| write!(f, "/{version}"))
    }
}

impl fmt::Display for WorkerUrn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        start(f, "worker", &self.component)?;
        for part in [&self.worker_name, &self.function].into_iter().flatten() {
            write!(f, "/{}", percent_encode(part))?;
        }
        Ok(())
    }
}

fn start(f: &mut fmt::Formatter<'_>, kind: &str, component: &ComponentRef) -> fmt::Result {
    match component {
        ComponentRef::Id(id) => write!(f, "urn:{kind}:{id}"),
        ComponentRef::Name(name) => write!(f, "{kind}:///{}", percent_encode(name)),
    }
}

impl FromStr for ComponentUrn {
    type Err = UrnError;
    /// Reads a URN or URL of a component. Errors: every variant of [`UrnError`].
    fn from_str(text: &str) -> Result<Self, UrnError> {
        match text.parse()? {
            Uri::Component(component) => Ok(component),
            Uri::Worker(_) => Err(UrnError::Unwanted {
                uri: text.to_owned(),
                wanted: "a component",
            }),
        }
    }
}

impl FromStr for WorkerUrn {
    type Err = UrnError;
    /// Reads a URN or URL of a worker. Errors: every variant of [`UrnError`].
    fn from_str(text: &str) -> Result<Self, UrnError> {
        match text.parse()? {
            Uri::Worker(worker) => Ok(worker),
            Uri::Component(_) => Err(UrnError::Unwanted {
                uri: text.to_owned(),
                wanted: "a worker",
            }),
        }
    }
}

impl From<ComponentId> for ComponentUrn {
    fn from(id: ComponentId) -> Self {
        Self {
            component: ComponentRef::Id(id),
            version: None,
        }
    }
}

impl WorkerUrn {
    /// The URN of a worker with a name.
    #[must_use]
    pub fn named(worker: &WorkerId) -> Self {
        let worker_name = Some(worker.worker_name.clone());
        Self {
            component: ComponentRef::Id(worker.component_id),
            worker_name,
            function: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0d8e3a5c-1b2f-4c3d-8e9f-a0b1c2d3e4f5";

    fn id() -> ComponentId {
        ID.parse().unwrap()
    }

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let read = match text.parse::<Uri>() {
            Ok(uri) => uri.to_string(),
            Err(error) => {
                assert!(error.hint().is_some());
                error.code().to_owned()
            }
        };
        assert_eq!(read, expect, "{text}");
    }

    #[test]
    fn all_forms_of_a_uuid_are_one_worker() {
        let (upper, simple) = (ID.to_uppercase(), ID.replace('-', ""));
        let expect = format!("urn:worker:{ID}/w");
        for form in [
            ID,
            &upper,
            &simple,
            &format!("{{{ID}}}"),
            &format!("urn:uuid:{ID}"),
            &format!("urn:uuid:{upper}"),
        ] {
            check(&format!("urn:worker:{form}/w"), &expect);
            check(&format!("urn:WORKER:{form}/w"), &expect);
        }
    }

    #[test]
    fn every_part_is_read() {
        let worker = |text: &str| match text.parse().unwrap() {
            Uri::Worker(worker) => worker,
            Uri::Component(_) => panic!("a component"),
        };
        let read = worker(&format!(
            "urn:worker:{ID}/my%3Aworker%2F1/a%3Ab%2Fc.%7Bd%7D"
        ));
        assert_eq!(read.component, ComponentRef::Id(id()));
        assert_eq!(
            (read.worker_name.as_deref(), read.function.as_deref()),
            (Some("my:worker/1"), Some("a:b/c.{d}"))
        );
        let read = worker("worker:///shopping%20cart/w?account=a&project=b");
        assert_eq!(read.component, ComponentRef::Name("shopping cart".into()));
        assert_eq!(worker(&format!("urn:worker:{ID}")).worker_name, None);
        assert_eq!(
            "component:///a/3".parse(),
            Ok(ComponentUrn {
                component: ComponentRef::Name("a".into()),
                version: Some(3)
            })
        );
        assert_eq!(
            format!("urn:component:{ID}").parse(),
            Ok(ComponentUrn::from(id()))
        );
    }

    #[test]
    fn printing_is_canonical() {
        let urn = WorkerUrn::named(&WorkerId::new(id(), "my:worker/1 ü%"));
        assert_eq!(
            urn.to_string(),
            format!("urn:worker:{ID}/my%3Aworker%2F1%20%C3%BC%25")
        );
        assert_eq!(urn.to_string().parse(), Ok(urn.clone()));
        assert_eq!(urn.worker_name.unwrap(), "my:worker/1 ü%");
        assert_eq!(
            ComponentUrn::from(id()).to_string(),
            format!("urn:component:{ID}")
        );
        check("worker:///a%20b/c", "worker:///a%20b/c");
        check(
            &format!("urn:worker:{ID}/50%"),
            &format!("urn:worker:{ID}/50%25"),
        );
    }

    #[test]
    fn what_names_nothing_has_a_code() {
        for (text, code) in [
            ("", "URN-001"),
            ("w1", "URN-001"),
            ("urn:worker", "URN-001"),
            ("URN:worker:x", "URN-001"),
            ("urn:api-definition:a/b", "URN-002"),
            ("urn:worker:counter/w", "URN-003"),
            ("component:///a/x", "URN-004"),
            (&format!("urn:worker:{ID}/"), "URN-005"),
            ("worker:///", "URN-005"),
            (&format!("urn:worker:{ID}/a/b/c"), "URN-006"),
            (&format!("urn:component:{ID}/1/2"), "URN-006"),
            (&format!("urn:worker:{ID}/%FF"), "URN-007"),
            ("worker:///a?x=1", "URN-008"),
        ] {
            check(text, code);
        }
        assert_eq!(
            "component:///a".parse::<WorkerUrn>().unwrap_err().code(),
            "URN-009"
        );
        assert_eq!(
            "worker:///a/b".parse::<ComponentUrn>().unwrap_err().code(),
            "URN-009"
        );
    }

    proptest::proptest! {
        #[test]
        fn names_survive_encoding(name in "\\PC+") {
            assert_eq!(percent_decode(&percent_encode(&name)), Some(name.clone()));
            let urn = WorkerUrn::named(&WorkerId::new(id(), name));
            assert_eq!(urn.to_string().parse(), Ok(urn));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "(urn:|worker:///|component:///)?\\PC*") {
            if let Ok(uri) = text.parse::<Uri>() {
                assert_eq!(uri.to_string().parse(), Ok(uri));
            }
        }
    }
}
