// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / api/access: who may call, and the bodies of calls about tokens. In: nothing. Out: serde types.
//! Never checks a secret (golem-server `access.rs`). Read next: `../error.rs`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::Coded;
use crate::ids::Timestamp;
use crate::namespace::Namespace;

/// What the bearer of a token may do. Each role may what the ones before it may.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Look at components, workers and their histories.
    Viewer,
    /// Call workers, complete promises, plan and cancel calls.
    Invoker,
    /// Upload components; create, change, take back and delete workers.
    Deployer,
    /// Give and take tokens.
    Owner,
}

impl Role {
    /// All roles, the one that may least first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Invoker, Self::Deployer, Self::Owner];

    /// Its name in JSON and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Invoker => "invoker",
            Self::Deployer => "deployer",
            Self::Owner => "owner",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no role")]
pub struct BadRole(pub String);

impl Coded for BadRole {
    fn code(&self) -> &'static str {
        "VAL-057"
    }

    fn hint(&self) -> Option<String> {
        Some("write one of viewer, invoker, deployer, owner".to_owned())
    }
}

impl FromStr for Role {
    type Err = BadRole;

    fn from_str(text: &str) -> Result<Self, BadRole> {
        Self::ALL
            .into_iter()
            .find(|role| role.name() == text)
            .ok_or_else(|| BadRole(text.to_owned()))
    }
}

/// What somebody may do, and where. JSON: `role` and `namespaces`, each absent when empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Roles {
    /// In every namespace, and for what belongs to none: namespaces themselves, metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// In single namespaces.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub namespaces: BTreeMap<Namespace, Role>,
}

impl Roles {
    /// The same role in every namespace.
    #[must_use]
    pub fn everywhere(role: Role) -> Self {
        Self {
            role: Some(role),
            namespaces: BTreeMap::new(),
        }
    }

    /// A role in one namespace.
    #[must_use]
    pub fn within(namespace: Namespace, role: Role) -> Self {
        Self {
            role: None,
            namespaces: BTreeMap::from([(namespace, role)]),
        }
    }

    /// The role in a namespace; `None`: it does not exist, as far as this one may know.
    #[must_use]
    pub fn of(&self, namespace: &Namespace) -> Option<Role> {
        self.role.max(self.namespaces.get(namespace).copied())
    }

    /// Whether there is none at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.role.is_none() && self.namespaces.is_empty()
    }

    /// Whether whoever has these may give, see and take back a token with `other`: the owner of every place that it is for.
    #[must_use]
    pub fn own(&self, other: &Self) -> bool {
        let owner = Some(Role::Owner);
        self.role == owner
            || other.role.is_none()
                && !other.namespaces.is_empty()
                && other.namespaces.keys().all(|at| self.of(at) == owner)
    }
}

impl fmt::Display for Roles {
    /// `invoker, team-a=owner`: as the command line takes them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let everywhere = self.role.iter().map(ToString::to_string);
        let single = self.namespaces.iter();
        let single = single.map(|(namespace, role)| format!("{namespace}={role}"));
        let all: Vec<String> = everywhere.chain(single).collect();
        f.write_str(&all.join(", "))
    }
}

/// Names a token without being one.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct TokenId(pub Uuid);

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for TokenId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        Uuid::parse_str(text).map(Self)
    }
}

/// Body of `POST /v1/tokens`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenRequest {
    /// Who or what it is for; 1 to 100 characters.
    pub name: String,
    /// What its bearer may do in every namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// What its bearer may do in single namespaces.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub namespaces: BTreeMap<Namespace, Role>,
    /// How long it holds, such as `30d`; for ever when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<String>,
}

/// A token without its secret: answer of `GET /v1/tokens` (a list) and of `DELETE /v1/tokens/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenInfo {
    /// What takes it back.
    pub id: TokenId,
    /// Who or what it is for.
    pub name: String,
    /// What its bearer may do.
    #[serde(flatten)]
    pub roles: Roles,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops to hold; never when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

/// Answer of `POST /v1/tokens`: the only time that the secret is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenCreated {
    /// What to send as `Authorization: Bearer …`.
    pub token: String,
    /// The rest.
    #[serde(flatten)]
    pub info: TokenInfo,
}

/// Answer of `GET /v1/whoami`; empty on a server that asks nobody for a token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WhoAmI {
    /// The token; absent for whoever another issuer vouches for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<TokenId>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What its bearer may do.
    #[serde(flatten)]
    pub roles: Roles,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_written_as_they_are_read() {
        for role in Role::ALL {
            assert_eq!(role.name().parse(), Ok(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.name());
        }
        assert!(Role::Viewer < Role::Invoker && Role::Deployer < Role::Owner);
        assert_eq!("root".parse::<Role>(), Err(BadRole("root".to_owned())));
    }

    #[test]
    fn a_role_holds_where_it_was_given() {
        let at = |name: &str| name.parse::<Namespace>().unwrap();
        let mut roles = Roles::within(at("a"), Role::Owner);
        assert_eq!(roles.of(&at("a")), Some(Role::Owner));
        assert_eq!(roles.of(&at("b")), None);
        roles.role = Some(Role::Viewer);
        assert_eq!(roles.of(&at("b")), Some(Role::Viewer));
        assert_eq!(roles.of(&at("a")), Some(Role::Owner));
        assert_eq!(roles.to_string(), "viewer, a=owner");
        // Tokens that were made before there were namespaces.
        let old: Roles = serde_json::from_str(r#"{"role":"owner"}"#).unwrap();
        assert_eq!(old, Roles::everywhere(Role::Owner));
        assert!(old.own(&roles) && old.own(&old) && !roles.own(&old));
        assert!(roles.own(&Roles::within(at("a"), Role::Owner)));
        assert!(!roles.own(&Roles::within(at("b"), Role::Viewer)));
        assert!(!roles.own(&Roles::default()));
    }
}
