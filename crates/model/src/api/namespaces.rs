// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / api/namespaces: the bodies of calls about namespaces and grants. In: nothing. Out: serde types.
//! Read next: `../namespace.rs`, golem-engine `namespaces.rs`.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::{ComponentId, Timestamp};
use crate::namespace::Namespace;

/// Name of the request header that says in which namespace a request acts.
pub const NAMESPACE_HEADER: &str = "Golem-Namespace";

/// Body of `POST /v1/namespaces`.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamespaceRequest {
    /// The new one.
    pub name: Namespace,
}

/// A namespace: answer of `GET /v1/namespaces` (a list), of `POST` and of `DELETE`.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceInfo {
    /// Its name.
    pub name: Namespace,
    /// When it was made; absent for `default`, which is always there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
}

/// Names a grant.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, JsonSchema, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct GrantId(pub Uuid);

impl fmt::Display for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for GrantId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        Uuid::parse_str(text).map(Self)
    }
}

/// Body of `POST /v1/namespaces/{namespace}/grants`: who may call workers of `{namespace}`.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GrantRequest {
    /// The namespace whose workers may call.
    pub caller: Namespace,
    /// The only component that they may call; every one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<ComponentId>,
}

/// A grant: workers of `caller` may call workers of `target`. Answer of `GET …/grants` (a list), of `POST` and of `DELETE`.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GrantInfo {
    /// What takes it back.
    pub id: GrantId,
    /// The namespace whose workers may call.
    pub caller: Namespace,
    /// The namespace whose workers may be called.
    pub target: Namespace,
    /// The only component that may be called; every one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<ComponentId>,
    /// When it was given.
    pub created_at: Timestamp,
    /// When it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}
