// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / jwt: callers for whom another issuer vouches with a JSON web token (OIDC). In: issuers from a file, a token. Out: who it is
//! and their roles, or why not. Bounds: [`TOKEN_BYTES_MAX`], [`LEEWAY`]. Never asks an issuer about one caller.
//! Read next: `jwt/issuers.rs` (the file), `jwt/keys.rs` (their keys), `jwt/verify.rs` (signatures). Source: reliability spec §5.

mod issuers;
mod keys;
#[cfg(test)]
pub(crate) mod tests;
mod verify;

use std::path::Path;
use std::time::Duration;

use golem_model::api::Roles;
use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

pub(crate) use self::issuers::IssuersError;
use self::issuers::{Issuer, read};
use self::keys::{Keys, KeysError};

/// Longest token. Those of directories with many groups have some KiB.
pub(crate) const TOKEN_BYTES_MAX: usize = 16 << 10;
/// How far the clocks of two machines may differ.
const LEEWAY: Duration = Duration::from_secs(60);
/// Longest name of a caller that is kept and shown.
const NAME_CHARS_MAX: usize = 100;

/// Why a token of another issuer does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JwtError {
    /// It is none: not three parts, not JSON, too long, or without an issuer.
    #[error("it is no JSON web token")]
    Malformed,
    /// Nobody that this server was told to trust.
    #[error("its issuer is not one that this server trusts")]
    UnknownIssuer,
    /// The issuer is not allowed to sign like that, whatever the token says.
    #[error("its issuer signs with other algorithms here")]
    Algorithm,
    /// None of the issuer's keys fits.
    #[error("it names no key of its issuer")]
    UnknownKey,
    /// Somebody has changed it, or it was signed by somebody else.
    #[error("its signature is not right")]
    Signature,
    /// Its time is over, or it says no end.
    #[error("it has expired, or never does")]
    Expired,
    /// Its time has not come.
    #[error("it does not hold yet")]
    Early,
    /// It was made for another server.
    #[error("it is for another audience")]
    Audience,
    /// Something that has to be in it is not.
    #[error("its claim `{0}` is not there, or not as it should be")]
    Claim(&'static str),
    /// Nobody can tell at the moment.
    #[error("the keys of its issuer {issuer} cannot be had at the moment")]
    KeysAway {
        /// The issuer.
        issuer: String,
    },
}

/// Somebody for whom an issuer vouches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subject {
    /// Issuer and subject: the same for ever.
    pub(crate) id: String,
    /// For people.
    pub(crate) name: String,
    /// What the claims give.
    pub(crate) roles: Roles,
}

/// The issuers that a server trusts.
pub(crate) struct Jwt(Vec<(Issuer, Keys)>);

/// What is looked at before anything is verified: whom to ask for the key.
#[derive(Deserialize)]
struct IssuedBy {
    iss: String,
}

/// The claims of a token that holds.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    #[serde(flatten)]
    others: Map<String, Json>,
}

impl Jwt {
    /// The issuers in a file, with their keys as far as they can be had: keys behind a URL may come later. Blocks.
    /// Errors: of [`IssuersError`].
    pub(crate) fn open(file: &Path) -> Result<Self, IssuersError> {
        verify::install();
        let mut issuers = Vec::new();
        for issuer in read(file)? {
            let keys = Keys::new(issuer.jwks.clone(), issuer.ca_file.clone());
            match keys.fetch_now() {
                Ok(()) => {}
                // It may come later.
                Err(error @ (KeysError::Fetch { .. } | KeysError::NoSet { .. }))
                    if keys.is_remote() =>
                {
                    tracing::warn!(%error, issuer = issuer.issuer, "its tokens are refused until its keys can be had");
                }
                Err(error) => {
                    return Err(IssuersError::Keys {
                        issuer: issuer.issuer,
                        detail: error.to_string(),
                    });
                }
            }
            issuers.push((issuer, keys));
        }
        Ok(Self(issuers))
    }

    /// Who bears a token. May wait for the keys of its issuer. Cancel safe. Errors: of [`JwtError`].
    pub(crate) async fn subject(&self, token: &str) -> Result<Subject, JwtError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(JwtError::Malformed);
        }
        let header = decode_header(token).map_err(|_| JwtError::Malformed)?;
        let IssuedBy { iss } = insecure_decode_claims(token).map_err(|_| JwtError::Malformed)?;
        let (issuer, keys) = self
            .0
            .iter()
            .find(|(issuer, _)| issuer.issuer == iss)
            .ok_or(JwtError::UnknownIssuer)?;
        // What the token says of its algorithm is only compared with what its issuer may use.
        if !issuer.algorithms.iter().any(|may| may.name() == header.alg) {
            return Err(JwtError::Algorithm);
        }
        let away = |error: KeysError| {
            tracing::warn!(%error, issuer = iss, "no keys");
            JwtError::KeysAway {
                issuer: iss.clone(),
            }
        };
        let key = keys
            .find(header.alg, header.kid.as_deref())
            .await
            .map_err(away)?;
        let key = key.ok_or(JwtError::UnknownKey)?;
        let key = DecodingKey::from_jwk(&key).map_err(|_| JwtError::UnknownKey)?;
        let mut validation = Validation::new(header.alg);
        validation.leeway = LEEWAY.as_secs();
        validation.validate_nbf = true;
        validation.set_issuer(&[&issuer.issuer]);
        validation.set_audience(&issuer.audience);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        let claims = decode::<Claims>(token, &key, &validation);
        let Claims { sub, mut others } = claims.map_err(|error| refusal(error.kind()))?.claims;
        others.insert("sub".to_owned(), Json::String(sub.clone()));
        let name = issuer.name_in(&others).unwrap_or_else(|| sub.clone());
        Ok(Subject {
            id: format!("{iss} {sub}"),
            name: name.escape_debug().take(NAME_CHARS_MAX).collect(),
            roles: issuer.roles_in(&others),
        })
    }
}

fn refusal(kind: &ErrorKind) -> JwtError {
    match kind {
        ErrorKind::InvalidSignature => JwtError::Signature,
        ErrorKind::ExpiredSignature => JwtError::Expired,
        ErrorKind::ImmatureSignature => JwtError::Early,
        ErrorKind::InvalidAudience => JwtError::Audience,
        ErrorKind::InvalidIssuer => JwtError::UnknownIssuer,
        ErrorKind::InvalidAlgorithm => JwtError::Algorithm,
        ErrorKind::MissingRequiredClaim(name) => match name.as_str() {
            "exp" => JwtError::Expired,
            "aud" => JwtError::Audience,
            "sub" => JwtError::Claim("sub"),
            _ => JwtError::Claim("iss"),
        },
        ErrorKind::InvalidSubject => JwtError::Claim("sub"),
        ErrorKind::InvalidClaimFormat(name) if name == "exp" => JwtError::Claim("exp"),
        ErrorKind::InvalidClaimFormat(name) if name == "nbf" => JwtError::Claim("nbf"),
        _ => JwtError::Malformed,
    }
}
