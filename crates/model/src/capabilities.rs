// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / capabilities: what a component may do beyond computing, as it is declared. In: JSON, or the same in
//! `golem.yaml`. Out: [`Capabilities`], or why it is none. Never touches IO, knows no server. Bounds: [`RULES_MAX`],
//! [`ENV_MAX`]. Read next: `limit.rs`, golem-engine `capabilities.rs`. Why: docs/adr/0013-capabilities.md.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Coded;
use crate::limit::{BadLimit, Limits, Written};

/// Most rules of one list: more is a pattern that was not found.
pub const RULES_MAX: usize = 64;
/// Most variables of a component: each worker carries them into each of its instances.
pub const ENV_MAX: usize = 64;
/// Longest plain value of a variable, in bytes: configuration, not data.
pub const ENV_VALUE_BYTES_MAX: usize = 8 << 10;
/// Shortest value of a secret: what is shorter cannot be taken out of texts without taking half of them away.
pub const SECRET_BYTES_MIN: usize = 8;
/// Longest value of a secret: a key file with its chain of certificates.
pub const SECRET_BYTES_MAX: usize = 64 << 10;
/// Longest name of a secret or a variable, in characters: a line of a listing.
pub const NAME_CHARS_MAX: usize = 64;

/// What a component declares. What is not named here, its workers may not do.
#[derive(Debug, Clone, PartialEq, Eq, Default, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Capabilities {
    /// Where its workers may connect to, and listen.
    #[serde(default, skip_serializing_if = "NetworkAccess::is_empty")]
    pub network: NetworkAccess,
    /// Variables that each of its workers has in its environment. Those that a worker is created with win.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, EnvSource>,
    /// How much a worker may use. What is absent is the default of the server.
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    #[schemars(with = "BTreeMap<String, Written>")]
    pub limits: Limits,
    /// Where its workers begin.
    #[serde(default, skip_serializing_if = "StartUp::is_own")]
    pub start: StartUp,
}

/// Whether the workers of a component run its start-up code: what a language's run-time and the initialisers of packages do before the
/// first call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StartUp {
    /// Each of them does.
    #[default]
    Own,
    /// It ran once, for all of them: each begins with a copy of the memory that it left. They have no arguments and no environment
    /// of their own, and see the same random bytes until it ends.
    Shared,
}

impl StartUp {
    fn is_own(&self) -> bool {
        *self == Self::Own
    }
}

/// See [`Capabilities::network`].
#[derive(Debug, Clone, PartialEq, Eq, Default, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NetworkAccess {
    /// Rules: `https://api.example.com`, `*.example.com:443`, `127.0.0.1:8080`, `*`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// Addresses to listen on: `127.0.0.1:8080`, `127.0.0.1:*`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listen: Vec<String>,
}

impl NetworkAccess {
    fn is_empty(&self) -> bool {
        self.allow.is_empty() && self.listen.is_empty()
    }
}

/// Where the value of a variable comes from.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a text in quotes, or `secret:` with the name of a secret"
)]
pub enum EnvSource {
    /// From here.
    Plain(String),
    /// From a secret of the server.
    Secret(SecretName),
}

/// See [`EnvSource::Secret`].
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretName {
    /// The name of the secret.
    pub secret: String,
}

/// What cannot be declared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CapabilityError {
    /// The document is not JSON, or has another shape.
    #[error("the capabilities cannot be read: {0}")]
    Syntax(String),
    /// A rule of `network.allow` or `network.listen` that is none.
    #[error("`{key}`: {why}")]
    BadRule {
        /// The list.
        key: &'static str,
        /// The rule, and what is wrong with it.
        why: String,
    },
    /// Too many rules or variables.
    #[error("`{key}` has {found} entries, and the most is {most}")]
    TooMany {
        /// The list.
        key: &'static str,
        /// How many.
        found: usize,
        /// The bound.
        most: usize,
    },
    /// No name for a variable of the environment.
    #[error("`env`: `{}` cannot be the name of a variable", .0.escape_debug())]
    BadVariable(String),
    /// A value that is too long, or has a NUL.
    #[error(
        "`env`: the value of `{name}` has a NUL, or is longer than {ENV_VALUE_BYTES_MAX} bytes"
    )]
    BadValue {
        /// The variable.
        name: String,
    },
    /// No name for a secret.
    #[error("`{}` cannot be the name of a secret", .0.escape_debug())]
    BadSecretName(String),
    /// A limit that the server does not give to anybody.
    #[error("`limits.{limit}` is {wanted}, and the most that this server gives is {most}")]
    OverMaximum {
        /// Key of the limit.
        limit: &'static str,
        /// What the component wants.
        wanted: String,
        /// The maximum of the server.
        most: String,
    },
    /// A secret of a component whose workers share their start.
    #[error("`env`: `{name}` is a secret, which a shared start cannot have")]
    SecretShared {
        /// The variable.
        name: String,
    },
    /// A limit that cannot be read.
    #[error(transparent)]
    Limit(#[from] BadLimit),
}

impl Coded for CapabilityError {
    fn code(&self) -> &'static str {
        match self {
            Self::Syntax(_) => "CAP-001",
            Self::BadRule { .. } => "CAP-002",
            Self::TooMany { .. } => "CAP-003",
            Self::BadVariable(_) => "CAP-004",
            Self::BadValue { .. } => "CAP-005",
            Self::BadSecretName(_) => "CAP-006",
            Self::OverMaximum { .. } => "CAP-007",
            Self::SecretShared { .. } => "CAP-008",
            Self::Limit(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Syntax(_) => {
                "{\"network\": {\"allow\": [\"https://api.example.com\"]}, \"env\": {\"API_KEY\": {\"secret\": \"api-key\"}}, \"limits\": {\"memory\": \"64MiB\"}}"
                    .into()
            }
            Self::BadRule { key: "network.listen", .. } => {
                "write `127.0.0.1:8080`, `127.0.0.1:*` or `0.0.0.0:53`".into()
            }
            Self::BadRule { .. } => {
                "write `https://api.example.com`, `*.example.com:443`, `127.0.0.1:8080` or `*`".into()
            }
            Self::TooMany { .. } => "use a pattern such as `*.example.com`, or one variable for several settings".into(),
            Self::BadVariable(_) => {
                "use letters, digits and `_`, no digit first; GOLEM_WORKER_NAME, GOLEM_COMPONENT_ID and GOLEM_COMPONENT_VERSION are set by the server"
                    .into()
            }
            Self::BadValue { .. } => "put larger configuration into the arguments of a function".into(),
            Self::BadSecretName(_) => "use lower-case letters, digits, `-`, `_` and `.`, a letter first: api-key".into(),
            Self::OverMaximum { limit, .. } => {
                format!("ask for less, or start the server with a higher one: golem-cli server run --limit-max {limit}=VALUE")
            }
            Self::SecretShared { .. } => {
                "leave `start: shared` out: each worker keeps the version of a secret that it was created with".into()
            }
            Self::Limit(error) => return error.hint(),
        })
    }
}

impl Capabilities {
    /// Reads a document. Errors: every variant but `BadRule` and `OverMaximum`, which only a server can tell.
    pub fn from_json(text: &[u8]) -> Result<Self, CapabilityError> {
        // An array would be read as the fields in their order.
        if !text.trim_ascii_start().starts_with(b"{") {
            return Err(CapabilityError::Syntax("it is no JSON object".into()));
        }
        let read: Self = serde_json::from_slice(text)
            .map_err(|error| CapabilityError::Syntax(error.to_string()))?;
        read.check()?;
        Ok(read)
    }

    /// Whether the names and numbers of the document can be. Errors: as [`Self::from_json`].
    pub fn check(&self) -> Result<(), CapabilityError> {
        for (key, found, most) in [
            ("network.allow", self.network.allow.len(), RULES_MAX),
            ("network.listen", self.network.listen.len(), RULES_MAX),
            ("env", self.env.len(), ENV_MAX),
        ] {
            if found > most {
                return Err(CapabilityError::TooMany { key, found, most });
            }
        }
        for (name, source) in &self.env {
            if !is_variable(name) {
                return Err(CapabilityError::BadVariable(name.clone()));
            }
            match source {
                EnvSource::Plain(value) => {
                    if value.len() > ENV_VALUE_BYTES_MAX || value.contains('\0') {
                        return Err(CapabilityError::BadValue { name: name.clone() });
                    }
                }
                EnvSource::Secret(SecretName { secret }) => {
                    check_secret_name(secret)?;
                    if self.start == StartUp::Shared {
                        return Err(CapabilityError::SecretShared { name: name.clone() });
                    }
                }
            }
        }
        Ok(())
    }

    /// Names of the secrets that the environment refers to, each once.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let mut names: Vec<&str> = self
            .env
            .values()
            .filter_map(|source| match source {
                EnvSource::Secret(SecretName { secret }) => Some(secret.as_str()),
                EnvSource::Plain(_) => None,
            })
            .collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter()
    }
}

fn is_variable(name: &str) -> bool {
    let reserved = [
        "GOLEM_WORKER_NAME",
        "GOLEM_COMPONENT_ID",
        "GOLEM_COMPONENT_VERSION",
    ];
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.len() <= NAME_CHARS_MAX
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !reserved.contains(&name)
}

/// Whether a secret may have this name: 1 to [`NAME_CHARS_MAX`] of `a-z 0-9 - _ .`, a letter first. Errors: `BadSecretName`.
pub fn check_secret_name(name: &str) -> Result<(), CapabilityError> {
    let good = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= NAME_CHARS_MAX
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c));
    if good {
        Ok(())
    } else {
        Err(CapabilityError::BadSecretName(
            name.chars().take(NAME_CHARS_MAX).collect(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::Limit;

    #[test]
    fn a_document_is_read_and_written() {
        let text = r#"{"network":{"allow":["https://api.x.com:443"]},"env":{"API_KEY":{"secret":"api-key"},"MODE":"production"},"limits":{"memory":"64MiB","cpuTime":"10s"}}"#;
        let shared = r#"{"env":{"MODE":"production"},"start":"shared"}"#;
        let read = Capabilities::from_json(shared.as_bytes()).unwrap();
        assert_eq!(read.start, StartUp::Shared);
        assert_eq!(serde_json::to_string(&read).unwrap(), shared);
        let read = Capabilities::from_json(text.as_bytes()).unwrap();
        assert_eq!(read.limits.get(Limit::Memory), Some(64 << 20));
        assert_eq!(read.secrets().collect::<Vec<_>>(), ["api-key"]);
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
        assert_eq!(
            Capabilities::from_json(b"{}").unwrap(),
            Capabilities::default()
        );
    }

    #[test]
    fn what_cannot_be_declared_is_refused_with_its_code() {
        for (text, code) in [
            ("", "CAP-001"),
            ("[]", "CAP-001"),
            (r#"{"net":{}}"#, "CAP-001"),
            (r#"{"env":{"A":1}}"#, "CAP-001"),
            (r#"{"env":{"A":{"secret":"x","more":1}}}"#, "CAP-001"),
            (r#"{"env":{"1A":"x"}}"#, "CAP-004"),
            (r#"{"env":{"GOLEM_WORKER_NAME":"x"}}"#, "CAP-004"),
            (r#"{"env":{"A":"x\u0000"}}"#, "CAP-005"),
            (r#"{"env":{"A":{"secret":"Api Key"}}}"#, "CAP-006"),
            (
                r#"{"env":{"A":{"secret":"x"}},"start":"shared"}"#,
                "CAP-008",
            ),
            (r#"{"start":"common"}"#, "CAP-001"),
            (r#"{"limits":{"memory":"much"}}"#, "CAP-001"),
            (r#"{"limits":{"memroy":"1MiB"}}"#, "CAP-001"),
        ] {
            let error = Capabilities::from_json(text.as_bytes()).unwrap_err();
            assert_eq!(error.code(), code, "{text}: {error}");
            assert!(error.hint().is_some());
        }
        let many = Capabilities {
            network: NetworkAccess {
                allow: vec!["*".into(); RULES_MAX + 1],
                listen: Vec::new(),
            },
            ..Capabilities::default()
        };
        assert_eq!(many.check().unwrap_err().code(), "CAP-003");
    }
}
