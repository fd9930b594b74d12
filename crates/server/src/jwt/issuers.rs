// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / jwt/issuers: the file that says whose tokens hold, and what their claims give. In: YAML. Out: [`Issuer`]s, or the place of the
//! mistake. Bounds: [`ISSUERS_MAX`], [`FILE_BYTES_MAX`]. Read next: `keys.rs`. The form is in docs/front-door.md.

use std::path::{Path, PathBuf};

use golem_model::Namespace;
use golem_model::api::{Role, Roles};
use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde_json::{Map, Value as Json};

/// Most issuers: a server has one, or one more while it moves to another.
const ISSUERS_MAX: usize = 16;
/// Longest file.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why the file is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IssuersError {
    /// It cannot be read, or is no YAML of this form.
    #[error("cannot use `{}`: {detail}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        detail: String,
    },
    /// The keys that it names are in a file, and that is none.
    #[error("cannot use the keys of the issuer `{issuer}`: {detail}")]
    Keys {
        /// The issuer.
        issuer: String,
        /// Why.
        detail: String,
    },
}

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    issuers: Vec<Issuer>,
}

/// Somebody whose tokens hold.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Issuer {
    /// The claim `iss`, to the letter.
    pub(super) issuer: String,
    /// What this server is called in the claim `aud`: one of these.
    pub(super) audience: Vec<String>,
    /// A URL or a file with their keys (a JWK set).
    pub(super) jwks: String,
    /// A file with certificates (PEM) to trust for that URL instead of those of the web.
    #[serde(default)]
    pub(super) ca_file: Option<PathBuf>,
    /// What they sign with, and nothing else.
    pub(super) algorithms: Vec<Signs>,
    /// The claim with the name of the caller.
    #[serde(default)]
    name_claim: Option<String>,
    /// The claim with roles: a list of `[NAMESPACE=]ROLE`, or an object of roles by namespace.
    #[serde(default)]
    roles_claim: Option<String>,
    /// Roles for values of other claims.
    #[serde(default)]
    rules: Vec<Rule>,
}

/// How an issuer signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum Signs {
    #[serde(rename = "RS256")]
    Rsa,
    #[serde(rename = "ES256")]
    Elliptic,
    #[serde(rename = "EdDSA")]
    Edwards,
}

impl Signs {
    pub(super) fn name(self) -> Algorithm {
        match self {
            Self::Rsa => Algorithm::RS256,
            Self::Elliptic => Algorithm::ES256,
            Self::Edwards => Algorithm::EdDSA,
        }
    }
}

/// Who has this value in this claim has this role.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    claim: String,
    value: String,
    role: Role,
    /// Where; in every namespace when absent.
    #[serde(default)]
    namespace: Option<Namespace>,
}

/// The issuers of a file. Errors: `File`.
pub(super) fn read(path: &Path) -> Result<Vec<Issuer>, IssuersError> {
    let bad = |detail: String| IssuersError::File {
        path: path.to_owned(),
        detail,
    };
    let size = std::fs::metadata(path).map_err(|error| bad(error.to_string()))?;
    if size.len() > FILE_BYTES_MAX {
        return Err(bad(format!("it has more than {FILE_BYTES_MAX} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
    parse(&text).map_err(bad)
}

pub(super) fn parse(text: &str) -> Result<Vec<Issuer>, String> {
    let File { issuers } = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    if issuers.is_empty() || issuers.len() > ISSUERS_MAX {
        return Err(format!("it has to name 1 to {ISSUERS_MAX} issuers"));
    }
    for (at, issuer) in issuers.iter().enumerate() {
        let name = &issuer.issuer;
        if issuer.audience.is_empty() {
            return Err(format!(
                "the issuer `{name}` has no `audience`: tokens for others would hold"
            ));
        }
        if issuer.algorithms.is_empty() {
            return Err(format!(
                "the issuer `{name}` has no `algorithms`: write RS256, ES256 or EdDSA"
            ));
        }
        if issuer.ca_file.is_some() && !issuer.jwks.starts_with("https://") {
            return Err(format!(
                "the issuer `{name}` has a `caFile`, and its `jwks` is no https address"
            ));
        }
        if issuers
            .iter()
            .skip(at + 1)
            .any(|other| other.issuer == *name)
        {
            return Err(format!("the issuer `{name}` is there twice"));
        }
    }
    Ok(issuers)
}

impl Issuer {
    /// What the caller is called.
    pub(super) fn name_in(&self, claims: &Map<String, Json>) -> Option<String> {
        let claim = find(claims, self.name_claim.as_deref()?)?;
        claim.as_str().map(str::to_owned)
    }

    /// What the claims give: of several roles for one place the highest. What is not understood gives nothing.
    pub(super) fn roles_in(&self, claims: &Map<String, Json>) -> Roles {
        let mut roles = Roles::default();
        let mut give = |namespace: Option<Namespace>, role: Role| match namespace {
            None => roles.role = roles.role.max(Some(role)),
            Some(at) => {
                let held = roles.namespaces.entry(at).or_insert(role);
                *held = role.max(*held);
            }
        };
        let named = self
            .roles_claim
            .as_deref()
            .and_then(|name| find(claims, name));
        match named {
            Some(Json::Object(by_namespace)) => {
                for (namespace, role) in by_namespace {
                    let role = role.as_str().and_then(|role| role.parse().ok());
                    if let (Ok(namespace), Some(role)) = (namespace.parse(), role) {
                        give(Some(namespace), role);
                    }
                }
            }
            Some(listed) => {
                for text in words(listed) {
                    let (namespace, role) = match text.split_once('=') {
                        Some((namespace, role)) => (namespace.parse().map(Some), role),
                        None => (Ok(None), text),
                    };
                    if let (Ok(namespace), Ok(role)) = (namespace, role.parse()) {
                        give(namespace, role);
                    }
                }
            }
            None => {}
        }
        for rule in &self.rules {
            let claim = find(claims, &rule.claim);
            if claim.is_some_and(|claim| words(claim).any(|word| word == rule.value)) {
                give(rule.namespace.clone(), rule.role);
            }
        }
        roles
    }
}

/// A claim: by its name, or by a JSON pointer such as `/realm_access/roles`.
fn find<'a>(claims: &'a Map<String, Json>, name: &str) -> Option<&'a Json> {
    let Some(pointer) = name.strip_prefix('/') else {
        return claims.get(name);
    };
    let (first, rest) = pointer.split_once('/').unwrap_or((pointer, ""));
    let claim = claims.get(first)?;
    if rest.is_empty() {
        Some(claim)
    } else {
        claim.pointer(&format!("/{rest}"))
    }
}

/// The texts in a claim: a list of them, or one.
fn words(claim: &Json) -> impl Iterator<Item = &str> {
    let list = claim.as_array().into_iter().flatten();
    claim
        .as_str()
        .into_iter()
        .chain(list.filter_map(Json::as_str))
}
