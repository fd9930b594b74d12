// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / access: who calls. In: the catalogue of the store, an `Authorization` header. Out: [`Caller`], or a refusal.
//! Bounds: [`TOKENS_MAX`]. Never decides what a route needs (`http/routes.rs`), never keeps a secret: only its hash.
//! Read next: `http/token.rs`. Source: reliability spec §5.
//!
//! A token is `golem_<43 characters>_<6 characters>`: 256 random bits, then a CRC-32 of what stands before it, so that
//! programs which look for leaked secrets recognise one, and a slip of the keyboard is told from a token that was taken back.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::HeaderValue;
use golem_model::api::{Role, Roles, TokenCreated, TokenId, TokenInfo};
use golem_model::{Namespace, Timestamp, hex};
use golem_storage::{Store, StoreError, write_durably};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::jwt::{Jwt, JwtError, Subject};

/// Most tokens that a server keeps, those that were taken back included: all of them are in memory.
pub(crate) const TOKENS_MAX: usize = 10_000;
/// Longest name of a token, in characters.
pub(crate) const NAME_CHARS_MAX: usize = 100;
/// The kind of the catalogue's rows.
const KIND: &str = "token";
/// Rows that are read at a time.
const PAGE: usize = 256;
/// What every token begins with.
const PREFIX: &str = "golem_";
/// Random characters of a token: 62^43 > 2^256.
const SECRET_CHARS: usize = 43;
/// Characters of the checksum: 62^6 > 2^32.
const CHECK_CHARS: usize = 6;
/// The digits of base 62.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// The file in the data directory with the token that the first start made.
pub(crate) const OWNER_TOKEN_FILE: &str = "owner-token";

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The token; `None` for whoever another issuer vouches for.
    pub(crate) id: Option<TokenId>,
    /// Its name.
    pub(crate) name: String,
    /// What it may do.
    pub(crate) roles: Roles,
    /// Issuer and subject of whoever another issuer vouches for.
    subject: Option<String>,
}

impl Caller {
    /// What stays the same however often they ask: the token, or issuer and subject.
    pub(crate) fn identity(&self) -> (Option<Uuid>, Option<&str>) {
        (self.id.map(|id| id.0), self.subject.as_deref())
    }
}

/// Why a header does not say who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stranger {
    /// There is no header.
    Nobody,
    /// It is not `Bearer` and a token, or the checksum is wrong: a slip.
    Malformed,
    /// Unknown, taken back or expired. Which of them is not told.
    Refused,
    /// The token of another issuer does not hold.
    Jwt(JwtError),
}

impl Stranger {
    /// Whether they have tried and failed: somebody without a token has not, and keys that are away are not their fault.
    pub(crate) fn has_failed(&self) -> bool {
        !matches!(self, Self::Nobody | Self::Jwt(JwtError::KeysAway { .. }))
    }
}

/// A row of the catalogue: the token without its secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Row {
    #[serde(flatten)]
    info: TokenInfo,
    /// SHA-256 of the whole text, hexadecimal.
    sha256: String,
    /// Of the catalogue; not stored.
    #[serde(skip)]
    revision: u64,
}

/// The tokens of a server.
pub(crate) struct Access {
    store: Arc<dyn Store>,
    required: bool,
    issuers: Option<Jwt>,
    /// By hash. Looking up a hash of a secret tells nothing about the secret, however long it takes.
    tokens: RwLock<HashMap<String, Row>>,
}

/// Why a token was not made or taken back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccessError {
    /// There are [`TOKENS_MAX`].
    #[error("there are {TOKENS_MAX} tokens already")]
    Full,
    /// No such token.
    #[error("there is no token {0}")]
    NotFound(TokenId),
    /// The last owner would be gone, and nobody could give tokens any more.
    #[error("the token {0} is the last of an owner that never expires")]
    LastOwner(TokenId),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system gives no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(String),
    /// The file with the first token cannot be written.
    #[error("cannot write `{}`: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Access {
    /// The tokens in `store`. With `required`, requests without one are refused. Blocks. Errors: of the store.
    pub(crate) fn open(store: Arc<dyn Store>, required: bool) -> Result<Self, StoreError> {
        let mut tokens = HashMap::new();
        let mut after: Option<Vec<u8>> = None;
        loop {
            let rows = store.catalog_scan(KIND, b"", after.as_deref(), PAGE)?;
            let Some(last) = rows.last() else { break };
            after = Some(last.key.clone());
            for row in rows {
                let mut token: Row =
                    serde_json::from_slice(&row.value).map_err(|error| StoreError::Corrupt {
                        what: format!("token `{}`", String::from_utf8_lossy(&row.key)),
                        detail: error.to_string(),
                    })?;
                token.revision = row.revision;
                tokens.insert(token.sha256.clone(), token);
            }
        }
        Ok(Self {
            store,
            required,
            issuers: None,
            tokens: RwLock::new(tokens),
        })
    }

    /// Lets in those as well for whom these issuers vouch.
    pub(crate) fn trusting(mut self, issuers: Option<Jwt>) -> Self {
        self.issuers = issuers;
        self
    }

    /// Whether requests need a token.
    pub(crate) fn is_required(&self) -> bool {
        self.required
    }

    /// Who the header names at this moment. Tokens that were taken back a moment ago are refused from then on. May wait for the keys of
    /// another issuer. Cancel safe.
    pub(crate) async fn caller(&self, header: Option<&HeaderValue>) -> Result<Caller, Stranger> {
        let header = header.ok_or(Stranger::Nobody)?;
        let text = header.to_str().map_err(|_| Stranger::Malformed)?;
        let (scheme, token) = text.split_once(' ').ok_or(Stranger::Malformed)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Stranger::Malformed);
        }
        let token = token.trim();
        match &self.issuers {
            Some(issuers) if !token.starts_with(PREFIX) => {
                let Subject { id, name, roles } =
                    issuers.subject(token).await.map_err(Stranger::Jwt)?;
                Ok(Caller {
                    id: None,
                    name,
                    roles,
                    subject: Some(id),
                })
            }
            _ => self.bearer(token),
        }
    }

    /// The bearer of one of our tokens.
    fn bearer(&self, token: &str) -> Result<Caller, Stranger> {
        if !is_well_formed(token) {
            return Err(Stranger::Malformed);
        }
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        let row = tokens
            .get(&hash(token))
            .filter(|row| is_valid(&row.info, now()))
            .ok_or(Stranger::Refused)?;
        Ok(Caller {
            id: Some(row.info.id),
            name: row.info.name.clone(),
            roles: row.info.roles.clone(),
            subject: None,
        })
    }

    /// All tokens, in the order of their making.
    pub(crate) fn list(&self) -> Vec<TokenInfo> {
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        let mut list: Vec<TokenInfo> = tokens.values().map(|row| row.info.clone()).collect();
        list.sort_by_key(|info| (info.created_at, info.id));
        list
    }

    /// Makes a token; durable on return. Blocks. Errors: `Full`, `Random`, `Store`.
    pub(crate) fn add(
        &self,
        name: String,
        roles: Roles,
        expires_in: Option<Duration>,
    ) -> Result<TokenCreated, AccessError> {
        let token = new_token()?;
        let info = self.keep(&token, name, roles, expires_in)?;
        Ok(TokenCreated { token, info })
    }

    /// Lets a secret count; durable on return. Blocks. Errors: `Full`, `Store`.
    fn keep(
        &self,
        token: &str,
        name: String,
        roles: Roles,
        expires_in: Option<Duration>,
    ) -> Result<TokenInfo, AccessError> {
        let created_at = now();
        let mut row = Row {
            info: TokenInfo {
                id: TokenId(Uuid::new_v4()),
                name,
                roles,
                created_at,
                expires_at: expires_in.map(|time| later(created_at, time)),
                revoked_at: None,
            },
            sha256: hash(token),
            revision: 0,
        };
        let mut tokens = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        if tokens.len() >= TOKENS_MAX {
            return Err(AccessError::Full);
        }
        self.write(&mut row)?;
        let info = row.info.clone();
        tokens.insert(row.sha256.clone(), row);
        Ok(info)
    }

    /// Takes a token back; durable on return, and at once. One that was taken back before stays so. Blocks.
    ///
    /// Errors: `NotFound`, `LastOwner`, `Store`.
    pub(crate) fn revoke(&self, id: TokenId) -> Result<TokenInfo, AccessError> {
        let mut tokens = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        let (now, mut owners) = (now(), 0);
        for row in tokens.values() {
            let lasts = row.info.expires_at.is_none() && is_valid(&row.info, now);
            owners += usize::from(lasts && is_owner(&row.info) && row.info.id != id);
        }
        let row = tokens
            .values_mut()
            .find(|row| row.info.id == id)
            .ok_or(AccessError::NotFound(id))?;
        if is_owner(&row.info) && owners == 0 {
            return Err(AccessError::LastOwner(id));
        }
        if row.info.revoked_at.is_none() {
            let mut changed = row.clone();
            changed.info.revoked_at = Some(now);
            self.write(&mut changed)?;
            *row = changed;
        }
        Ok(row.info.clone())
    }

    /// Takes all roles in a namespace back, durable on return: one that is made anew under the name is another one. Blocks.
    /// Errors: `Store`.
    pub(crate) fn forget(&self, namespace: &Namespace) -> Result<(), AccessError> {
        let mut tokens = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        for row in tokens.values_mut() {
            if row.info.roles.namespaces.contains_key(namespace) {
                let mut changed = row.clone();
                changed.info.roles.namespaces.remove(namespace);
                self.write(&mut changed)?;
                *row = changed;
            }
        }
        Ok(())
    }

    /// Makes the first owner's token when tokens are required and nobody could give one, and writes it to `dir`, for its
    /// user's eyes only. Returns the file. Blocks. Errors: `Full`, `Random`, `Store`, `Write`.
    pub(crate) fn first_owner(&self, dir: &Path) -> Result<Option<PathBuf>, AccessError> {
        let now = now();
        let has_owner = self
            .list()
            .iter()
            .any(|info| is_owner(info) && is_valid(info, now));
        if !self.required || has_owner {
            return Ok(None);
        }
        let token = new_token()?;
        let path = dir.join(OWNER_TOKEN_FILE);
        // Before it counts: a start that ends between the two is repeated, and no owner is without a secret.
        if let Err(source) = write_durably(&path, format!("{token}\n").as_bytes()) {
            return Err(AccessError::Write { path, source });
        }
        self.keep(
            &token,
            "first start".to_owned(),
            Roles::everywhere(Role::Owner),
            None,
        )?;
        Ok(Some(path))
    }

    fn write(&self, row: &mut Row) -> Result<(), AccessError> {
        let value = serde_json::to_vec(row)
            .map_err(|error| StoreError::Io(format!("a token as JSON: {error}")))?;
        let key = row.info.id.to_string();
        row.revision = self
            .store
            .catalog_put(KIND, key.as_bytes(), row.revision, &value)?;
        Ok(())
    }
}

/// Whether it is one of an owner of the whole server.
fn is_owner(info: &TokenInfo) -> bool {
    info.roles.role == Some(Role::Owner)
}

fn is_valid(info: &TokenInfo, now: Timestamp) -> bool {
    info.revoked_at.is_none() && info.expires_at.is_none_or(|end| now < end)
}

pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    later(Timestamp(0), since)
}

fn later(moment: Timestamp, time: Duration) -> Timestamp {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    Timestamp(moment.0.saturating_add(micros))
}

fn hash(token: &str) -> String {
    hex(&Sha256::digest(token.as_bytes()))
}

/// A new secret. Errors: the system gives no random bytes.
fn new_token() -> Result<String, AccessError> {
    let mut token = String::with_capacity(PREFIX.len() + SECRET_CHARS + 1 + CHECK_CHARS);
    token.push_str(PREFIX);
    let mut bytes = [0u8; 2 * SECRET_CHARS];
    while token.len() < PREFIX.len() + SECRET_CHARS {
        getrandom::fill(&mut bytes).map_err(|error| AccessError::Random(error.to_string()))?;
        // 248 = 4 * 62: bytes above it would make some digits more likely.
        for byte in bytes.iter().filter(|byte| **byte < 248) {
            if token.len() < PREFIX.len() + SECRET_CHARS {
                token.push(digit(u32::from(*byte)));
            }
        }
    }
    let check = checksum(&token);
    token.push('_');
    token.push_str(&check);
    Ok(token)
}

fn digit(number: u32) -> char {
    let digit = DIGITS.get((number % 62) as usize).copied();
    char::from(digit.unwrap_or(b'0'))
}

fn checksum(text: &str) -> String {
    let mut rest = crc_fast::crc32_iso_hdlc(text.as_bytes());
    let mut check = String::with_capacity(CHECK_CHARS);
    for _ in 0..CHECK_CHARS {
        check.push(digit(rest));
        rest /= 62;
    }
    check
}

fn is_well_formed(token: &str) -> bool {
    token.len() == PREFIX.len() + SECRET_CHARS + 1 + CHECK_CHARS
        && token
            .rsplit_once('_')
            .is_some_and(|(text, check)| text.starts_with(PREFIX) && checksum(text) == check)
}

#[cfg(test)]
mod tests {
    use super::*;
    use golem_storage::MemStore;
    use std::fs;

    fn access() -> Access {
        Access::open(Arc::new(MemStore::new()), true).unwrap()
    }

    fn ask(access: &Access, header: &str) -> Result<Caller, Stranger> {
        let header = HeaderValue::from_str(header).unwrap();
        futures_util::FutureExt::now_or_never(access.caller(Some(&header))).unwrap()
    }

    #[test]
    fn a_token_names_its_bearer_until_it_is_taken_back() {
        let access = access();
        access
            .add("root".into(), Roles::everywhere(Role::Owner), None)
            .unwrap();
        let made = access
            .add("ci".into(), Roles::everywhere(Role::Deployer), None)
            .unwrap();
        let header = format!("Bearer {}", made.token);
        let caller = ask(&access, &header).unwrap();
        assert_eq!(
            (caller.name.as_str(), caller.roles.role),
            ("ci", Some(Role::Deployer))
        );
        assert!(ask(&access, &header.replace("Bearer", "bearer")).is_ok());
        assert!(access.revoke(made.info.id).unwrap().revoked_at.is_some());
        assert_eq!(ask(&access, &header), Err(Stranger::Refused));
        let again = access.revoke(made.info.id).unwrap();
        assert!(again.revoked_at.is_some());
    }

    #[test]
    fn slips_are_told_from_refusals() {
        let access = access();
        let nobody = futures_util::FutureExt::now_or_never(access.caller(None));
        assert_eq!(nobody, Some(Err(Stranger::Nobody)));
        let made = new_token().unwrap();
        let mut slip = made.clone();
        slip.replace_range(10..11, if &made[10..11] == "a" { "b" } else { "a" });
        for header in ["x", "Basic eA==", "Bearer x", &format!("Bearer {slip}")] {
            assert_eq!(ask(&access, header), Err(Stranger::Malformed), "{header}");
        }
        assert_eq!(
            ask(&access, &format!("Bearer {made}")),
            Err(Stranger::Refused)
        );
    }

    #[test]
    fn a_token_ends_when_its_time_is_over() {
        let access = access();
        let made = access
            .add(
                "brief".into(),
                Roles::everywhere(Role::Viewer),
                Some(Duration::ZERO),
            )
            .unwrap();
        assert_eq!(
            ask(&access, &format!("Bearer {}", made.token)),
            Err(Stranger::Refused)
        );
    }

    #[test]
    fn the_last_owner_stays() {
        let access = access();
        let first = access
            .add("a".into(), Roles::everywhere(Role::Owner), None)
            .unwrap();
        let brief = access
            .add(
                "b".into(),
                Roles::everywhere(Role::Owner),
                Some(Duration::from_secs(60)),
            )
            .unwrap();
        assert!(matches!(
            access.revoke(first.info.id),
            Err(AccessError::LastOwner(_))
        ));
        access.revoke(brief.info.id).unwrap();
        let second = access
            .add("c".into(), Roles::everywhere(Role::Owner), None)
            .unwrap();
        access.revoke(first.info.id).unwrap();
        assert!(matches!(
            access.revoke(second.info.id),
            Err(AccessError::LastOwner(_))
        ));
    }

    #[test]
    fn tokens_are_there_after_a_restart_and_only_as_hashes() {
        let store: Arc<dyn Store> = Arc::new(MemStore::new());
        let before = Access::open(Arc::clone(&store), true).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = before.first_owner(dir.path()).unwrap().unwrap();
        let secret = fs::read_to_string(&path).unwrap();
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
        let after = Access::open(Arc::clone(&store), true).unwrap();
        assert_eq!(
            ask(&after, &format!("Bearer {}", secret.trim()))
                .unwrap()
                .roles,
            Roles::everywhere(Role::Owner)
        );
        assert_eq!(after.first_owner(dir.path()).unwrap(), None);
        for row in store.catalog_scan(KIND, b"", None, 10).unwrap() {
            assert!(!String::from_utf8(row.value).unwrap().contains(PREFIX));
        }
    }

    #[test]
    fn a_namespace_that_is_gone_leaves_no_roles() {
        let access = access();
        let (a, b): (Namespace, Namespace) = ("a".parse().unwrap(), "b".parse().unwrap());
        let mut roles = Roles::within(a.clone(), Role::Owner);
        roles.namespaces.insert(b.clone(), Role::Viewer);
        let made = access.add("both".into(), roles, None).unwrap();
        access.forget(&a).unwrap();
        let left = ask(&access, &format!("Bearer {}", made.token))
            .unwrap()
            .roles;
        assert_eq!(left, Roles::within(b, Role::Viewer));
    }

    #[test]
    fn an_owner_whose_secret_could_not_be_written_does_not_count() {
        let access = access();
        let gone = Path::new("/nowhere/at/all");
        assert!(matches!(
            access.first_owner(gone),
            Err(AccessError::Write { .. })
        ));
        assert_eq!(access.list(), []);
    }
}
