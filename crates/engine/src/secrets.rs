// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / secrets: values that components refer to by name. In: values, once. Out: values for instances, and nowhere else.
//! At rest each is sealed with XChaCha20-Poly1305 by a key that is a file beside the data. A value that is set again is a new
//! version: workers keep the one that they were created with. A secret belongs to a namespace, and components of others do not
//! see it. Bounds: [`SECRETS_MAX`], [`VERSIONS_MAX`].
//! Read next: `capabilities.rs`, `redact.rs`. Why: docs/adr/0014-secrets.md.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use golem_model::api::SecretInfo;
use golem_model::capabilities::{
    CapabilityError, SECRET_BYTES_MAX, SECRET_BYTES_MIN, check_secret_name,
};
use golem_model::{Coded, Namespace, Timestamp, hex};
use golem_storage::{Store, StoreError, write_durably};
use parking_lot::Mutex;
use prost::Message as _;

/// Kind of the catalogue rows: key = namespace, `/`, name, a zero byte, version (8 bytes, big endian). Names have neither of the two.
const KIND: &str = "secret";
/// Rows that are read at once at start.
const SCAN: usize = 512;
/// Secrets of a namespace: what a person can still list.
pub const SECRETS_MAX: usize = 1_000;
/// Versions of a secret: one a day for a quarter of a century. Each is a row of some hundred bytes.
pub const VERSIONS_MAX: u64 = 10_000;
/// Bytes of the key.
const KEY_BYTES: usize = 32;
/// Bytes of the number that is used once, in front of what it sealed. Random ones of this length never meet.
const NONCE_BYTES: usize = 24;

/// One version of a secret as it is kept.
#[derive(Clone, PartialEq, prost::Message)]
struct Row {
    /// When it was set, microseconds since 1970.
    #[prost(uint64, tag = "1")]
    set_at: u64,
    /// The sealed value; empty: it was deleted.
    #[prost(bytes = "vec", tag = "2")]
    sealed: Vec<u8>,
}

/// Why there is no value.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SecretError {
    /// No secret has this name.
    #[error("there is no secret `{0}`")]
    NotFound(String),
    /// The version that a worker was created with was deleted.
    #[error("version {version} of the secret `{name}` was deleted")]
    Deleted {
        /// The secret.
        name: String,
        /// The version.
        version: u64,
    },
    /// The value was sealed with another key, or is damaged.
    #[error("version {version} of the secret `{name}` does not open with the key in `{}`", key.display())]
    Sealed {
        /// The secret.
        name: String,
        /// The version.
        version: u64,
        /// The file of the key.
        key: PathBuf,
    },
    /// The value is too short to be recognised in a text, or too long for a variable.
    #[error(
        "the value of the secret `{name}` has {bytes} bytes, and {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} are taken"
    )]
    Length {
        /// The secret.
        name: String,
        /// Its length.
        bytes: usize,
    },
    /// The value is no text, and the environment has texts.
    #[error("the value of the secret `{0}` is not UTF-8 without zero bytes")]
    NotText(String),
    /// The name.
    #[error(transparent)]
    Name(#[from] CapabilityError),
    /// No more secrets, or versions of one.
    #[error("there are {0} already, and more are not kept")]
    TooMany(&'static str),
    /// The file of the key cannot be read or written.
    #[error("cannot use the key of secrets `{}`: {detail}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        detail: String,
    },
    /// There are secrets, and the key that opens them is gone.
    #[error("there are secrets, and their key `{}` is gone", .0.display())]
    KeyGone(PathBuf),
    /// The system gives no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Coded for SecretError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "SEC-001",
            Self::Deleted { .. } => "SEC-002",
            Self::Sealed { .. } => "SEC-003",
            Self::Length { .. } => "SEC-004",
            Self::NotText(_) => "SEC-005",
            Self::Name(error) => error.code(),
            Self::TooMany(_) => "SEC-006",
            Self::Key { .. } => "SEC-007",
            Self::KeyGone(_) => "SEC-008",
            Self::Random(_) => "SEC-009",
            Self::Store(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotFound(name) => format!("set it: golem-cli secret set {name} < FILE"),
            Self::Deleted { name, .. } => {
                format!("set it again (golem-cli secret set {name} < FILE) and let the worker begin anew, or update it to another version")
            }
            Self::Sealed { key, .. } => format!("put the key that the server had before into {}, or set the secret again", key.display()),
            Self::Length { .. } => "a shorter value could not be found in logs to hide it there; put a longer one into several secrets".into(),
            Self::NotText(_) => "encode it as Base64".into(),
            Self::Name(error) => return error.hint(),
            Self::TooMany(_) => "see them: golem-cli secret list; delete what nobody needs: golem-cli secret delete NAME".into(),
            Self::Key { .. } => "the file has 64 hexadecimal digits and belongs to the user of the server: golem-cli server run --secret-key-file FILE".into(),
            Self::KeyGone(_) => "put the file back, or name it: golem-cli server run --secret-key-file FILE".into(),
            Self::Random(_) => "report it, with the kernel's version".into(),
            Self::Store(error) => return error.hint(),
        })
    }
}

/// A version of a secret, without its value.
#[derive(Debug, Clone, Copy)]
struct Known {
    revision: u64,
    set_at: u64,
    deleted: bool,
}

type Versions = BTreeMap<u64, Known>;

/// Namespace and name of a secret.
type Place = (Namespace, String);

/// The secrets of a node.
pub(crate) struct Secrets {
    store: Arc<dyn Store>,
    path: PathBuf,
    cipher: Mutex<Option<XChaCha20Poly1305>>,
    /// Held while one is set or deleted.
    known: Mutex<BTreeMap<Place, Versions>>,
}

impl Secrets {
    /// The secrets of `store`, whose key is the file `path`, made when the first one is set. Blocks. Errors: `KeyGone`, `Key`,
    /// `Store`.
    pub(crate) fn open(store: Arc<dyn Store>, path: PathBuf) -> Result<Self, SecretError> {
        let mut known: BTreeMap<Place, Versions> = BTreeMap::new();
        let mut after: Option<Vec<u8>> = None;
        loop {
            let rows = store.catalog_scan(KIND, b"", after.as_deref(), SCAN)?;
            let Some(last) = rows.last() else { break };
            after = Some(last.key.clone());
            for row in rows {
                let (place, version) = key_parts(&row.key)?;
                let value = decode(&row.value)?;
                let version_of = known.entry(place).or_default();
                version_of.insert(
                    version,
                    Known {
                        revision: row.revision,
                        set_at: value.set_at,
                        deleted: value.sealed.is_empty(),
                    },
                );
            }
        }
        let cipher = read_key(&path)?;
        let any = known.values().flatten().any(|(_, known)| !known.deleted);
        if any && cipher.is_none() {
            return Err(SecretError::KeyGone(path));
        }
        Ok(Self {
            store,
            path,
            cipher: Mutex::new(cipher),
            known: Mutex::new(known),
        })
    }

    /// The newest version of a secret that is there.
    pub(crate) fn newest(&self, namespace: &Namespace, name: &str) -> Option<u64> {
        let known = self.known.lock();
        let versions = known.get(&place(namespace, name))?;
        let (version, newest) = versions.last_key_value()?;
        (!newest.deleted).then_some(*version)
    }

    /// All secrets of a namespace that are there, by name.
    pub(crate) fn list(&self, namespace: &Namespace) -> Vec<SecretInfo> {
        let known = self.known.lock();
        let info = |((at, name), versions): (&Place, &Versions)| {
            if at != namespace {
                return None;
            }
            let (version, newest) = versions.last_key_value()?;
            (!newest.deleted).then(|| SecretInfo {
                name: name.clone(),
                version: *version,
                set_at: Timestamp(newest.set_at),
            })
        };
        known.iter().filter_map(info).collect()
    }

    /// Sets a secret: its next version. Durable on return. Blocks. Errors: every variant but `NotFound` and `Deleted`.
    pub(crate) fn set(
        &self,
        namespace: &Namespace,
        name: &str,
        value: &[u8],
        now: u64,
    ) -> Result<SecretInfo, SecretError> {
        check_secret_name(name)?;
        if !(SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&value.len()) {
            let (name, bytes) = (name.to_owned(), value.len());
            return Err(SecretError::Length { name, bytes });
        }
        if std::str::from_utf8(value).is_err() || value.contains(&0) {
            return Err(SecretError::NotText(name.to_owned()));
        }
        let mut known = self.known.lock();
        let place = place(namespace, name);
        let there = known
            .iter()
            .filter(|((at, _), versions)| {
                at == namespace && versions.last_key_value().is_some_and(|(_, it)| !it.deleted)
            })
            .count();
        if there >= SECRETS_MAX && !known.contains_key(&place) {
            return Err(SecretError::TooMany("secrets"));
        }
        let newest = known.get(&place).and_then(|it| it.last_key_value());
        let version = newest.map_or(1, |(version, _)| version + 1);
        if version > VERSIONS_MAX {
            return Err(SecretError::TooMany("versions of this secret"));
        }
        let row = Row {
            set_at: now,
            sealed: self.seal(value, about(namespace, name, version).as_bytes())?,
        };
        let key = row_key(namespace, name, version);
        let revision = self
            .store
            .catalog_put(KIND, &key, 0, &row.encode_to_vec())?;
        known.entry(place).or_default().insert(
            version,
            Known {
                revision,
                set_at: now,
                deleted: false,
            },
        );
        Ok(SecretInfo {
            name: name.to_owned(),
            version,
            set_at: Timestamp(now),
        })
    }

    /// Deletes every version of a secret. Durable on return. Blocks. Errors: `NotFound`, `Store`.
    pub(crate) fn delete(
        &self,
        namespace: &Namespace,
        name: &str,
    ) -> Result<SecretInfo, SecretError> {
        let mut known = self.known.lock();
        let not_found = || SecretError::NotFound(name.to_owned());
        let versions = known
            .get_mut(&place(namespace, name))
            .ok_or_else(not_found)?;
        let info = match versions.last_key_value() {
            Some((version, newest)) if !newest.deleted => SecretInfo {
                name: name.to_owned(),
                version: *version,
                set_at: Timestamp(newest.set_at),
            },
            _ => return Err(not_found()),
        };
        // The oldest first: if the store fails in between, the newest is still listed, and the deletion can be repeated.
        for (version, known) in versions.iter_mut().filter(|(_, known)| !known.deleted) {
            let row = Row {
                set_at: known.set_at,
                sealed: Vec::new(),
            };
            let key = row_key(namespace, name, *version);
            let value = row.encode_to_vec();
            known.revision = self.store.catalog_put(KIND, &key, known.revision, &value)?;
            known.deleted = true;
        }
        Ok(info)
    }

    /// The value of a version. Errors: `NotFound`, `Deleted`, `Sealed`, `Store`.
    pub(crate) fn value(
        &self,
        namespace: &Namespace,
        name: &str,
        version: u64,
    ) -> Result<String, SecretError> {
        let key = row_key(namespace, name, version);
        let row = self.store.catalog_get(KIND, &key)?;
        let row = row.ok_or_else(|| SecretError::NotFound(name.to_owned()))?;
        let row = decode(&row.value)?;
        let name = name.to_owned();
        if row.sealed.is_empty() {
            return Err(SecretError::Deleted { name, version });
        }
        let opened = self.open_sealed(&row.sealed, about(namespace, &name, version).as_bytes());
        let text = opened.and_then(|bytes| String::from_utf8(bytes).ok());
        text.ok_or_else(|| SecretError::Sealed {
            name,
            version,
            key: self.path.clone(),
        })
    }

    /// Seals bytes that only this node opens again, and only as being about `about`. Makes the key if there is none. Blocks.
    /// Errors: `Key`, `Random`.
    pub(crate) fn seal(&self, bytes: &[u8], about: &[u8]) -> Result<Vec<u8>, SecretError> {
        let mut cipher = self.cipher.lock();
        let cipher = match &mut *cipher {
            Some(cipher) => cipher,
            none => none.insert(make_key(&self.path)?),
        };
        let mut nonce = [0; NONCE_BYTES];
        random(&mut nonce)?;
        let payload = Payload {
            msg: bytes,
            aad: about,
        };
        let sealed = cipher.encrypt(&XNonce::from(nonce), payload);
        // The cipher fails only on lengths that no memory holds.
        let sealed = sealed.map_err(|error| SecretError::Random(error.to_string()))?;
        let mut out = Vec::with_capacity(NONCE_BYTES + sealed.len());
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Ok(out)
    }

    /// Opens what [`Secrets::seal`] has sealed; `None`: with another key, about something else, or damaged.
    pub(crate) fn open_sealed(&self, sealed: &[u8], about: &[u8]) -> Option<Vec<u8>> {
        let (nonce, msg) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let cipher = self.cipher.lock();
        let payload = Payload { msg, aad: about };
        cipher
            .as_ref()?
            .decrypt(&XNonce::from(*nonce), payload)
            .ok()
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// What a sealed value is bound to, so that rows cannot change places.
fn about(namespace: &Namespace, name: &str, version: u64) -> String {
    format!("secret {namespace}/{name} {version}")
}

fn place(namespace: &Namespace, name: &str) -> Place {
    (namespace.clone(), name.to_owned())
}

fn row_key(namespace: &Namespace, name: &str, version: u64) -> Vec<u8> {
    let mut key = format!("{namespace}/{name}").into_bytes();
    key.push(0);
    key.extend(version.to_be_bytes());
    key
}

fn key_parts(key: &[u8]) -> Result<(Place, u64), StoreError> {
    let parts = key.split_last_chunk::<8>().and_then(|(name, version)| {
        let name = std::str::from_utf8(name.strip_suffix(&[0])?).ok()?;
        let (namespace, name) = name.split_once('/')?;
        let place = (namespace.parse().ok()?, name.to_owned());
        Some((place, u64::from_be_bytes(*version)))
    });
    parts.ok_or_else(|| corrupt("its key is none"))
}

fn decode(bytes: &[u8]) -> Result<Row, StoreError> {
    Row::decode(bytes).map_err(|error| corrupt(&error.to_string()))
}

fn corrupt(detail: &str) -> StoreError {
    StoreError::Corrupt {
        what: "the row of a secret".into(),
        detail: detail.to_owned(),
    }
}

fn random(bytes: &mut [u8]) -> Result<(), SecretError> {
    getrandom::fill(bytes).map_err(|error| SecretError::Random(error.to_string()))
}

fn read_key(path: &Path) -> Result<Option<XChaCha20Poly1305>, SecretError> {
    let wrong = |detail: &str| SecretError::Key {
        path: path.to_owned(),
        detail: detail.to_owned(),
    };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(wrong(&error.to_string())),
    };
    refuse_if_open(path).map_err(|detail| wrong(&detail))?;
    let digits = text.trim();
    let mut key = [0; KEY_BYTES];
    let pairs = digits.as_bytes().as_chunks::<2>();
    if digits.len() != 2 * KEY_BYTES || !pairs.1.is_empty() {
        return Err(wrong("it has not 64 hexadecimal digits"));
    }
    for (byte, pair) in key.iter_mut().zip(pairs.0) {
        let pair = std::str::from_utf8(pair).unwrap_or_default();
        *byte = u8::from_str_radix(pair, 16)
            .map_err(|_| wrong("it has something else than hexadecimal digits"))?;
    }
    Ok(Some(XChaCha20Poly1305::new(&key.into())))
}

/// A key that others can read protects nothing.
#[cfg(unix)]
fn refuse_if_open(path: &Path) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt as _;
    let found = std::fs::metadata(path).map_err(|error| error.to_string())?;
    let mode = found.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(format!(
        "others may read it (mode {mode:o}): chmod 600 '{}'",
        path.display()
    ))
}

#[cfg(not(unix))]
fn refuse_if_open(_path: &Path) -> Result<(), String> {
    Ok(())
}

fn make_key(path: &Path) -> Result<XChaCha20Poly1305, SecretError> {
    let mut key = [0; KEY_BYTES];
    random(&mut key)?;
    write_durably(path, format!("{}\n", hex(&key)).as_bytes()).map_err(|error| {
        SecretError::Key {
            path: path.to_owned(),
            detail: error.to_string(),
        }
    })?;
    Ok(XChaCha20Poly1305::new(&key.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use golem_storage::MemStore;
    use std::os::unix::fs::PermissionsExt as _;

    struct Den {
        store: Arc<MemStore>,
        dir: tempfile::TempDir,
    }

    impl Den {
        fn new() -> Self {
            Self {
                store: Arc::new(MemStore::new()),
                dir: tempfile::tempdir().unwrap(),
            }
        }

        fn key(&self) -> PathBuf {
            self.dir.path().join("secret.key")
        }

        fn open(&self) -> Result<Secrets, SecretError> {
            Secrets::open(Arc::clone(&self.store) as _, self.key())
        }
    }

    fn home() -> Namespace {
        Namespace::default()
    }

    #[test]
    fn a_namespace_has_its_own_secrets() {
        let den = Den::new();
        let secrets = den.open().unwrap();
        let other: Namespace = "other".parse().unwrap();
        secrets.set(&home(), "api-key", b"value of one", 1).unwrap();
        assert_eq!(secrets.newest(&other, "api-key"), None);
        assert!(secrets.list(&other).is_empty());
        let absent = secrets.delete(&other, "api-key");
        assert_eq!(absent.unwrap_err().code(), "SEC-001");
        secrets.set(&other, "api-key", b"value of two", 2).unwrap();
        let again = den.open().unwrap();
        assert_eq!(again.value(&home(), "api-key", 1).unwrap(), "value of one");
        assert_eq!(again.value(&other, "api-key", 1).unwrap(), "value of two");
        // The row of one does not open in the place of the other.
        let row = den.store.catalog_get(KIND, &row_key(&other, "api-key", 1));
        let row = row.unwrap().unwrap();
        let key = row_key(&home(), "api-key", 2);
        den.store.catalog_put(KIND, &key, 0, &row.value).unwrap();
        let moved = den.open().unwrap().value(&home(), "api-key", 2);
        assert_eq!(moved.unwrap_err().code(), "SEC-003");
    }

    #[test]
    fn a_value_is_sealed_at_rest_and_versions_stay() {
        let den = Den::new();
        let secrets = den.open().unwrap();
        assert!(!den.key().exists(), "a server without secrets has no key");
        let first = secrets.set(&home(), "api-key", b"first value", 1).unwrap();
        let second = secrets.set(&home(), "api-key", b"second value", 2).unwrap();
        assert_eq!((first.version, second.version), (1, 2));
        let mode = std::fs::metadata(den.key()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let rows = den.store.catalog_scan(KIND, b"", None, 10).unwrap();
        assert_eq!(rows.len(), 2);
        for row in &rows {
            let text = String::from_utf8_lossy(&row.value).into_owned();
            assert!(!text.contains("value"), "{text}");
        }
        let again = den.open().unwrap();
        assert_eq!(again.newest(&home(), "api-key"), Some(2));
        assert_eq!(again.value(&home(), "api-key", 1).unwrap(), "first value");
        assert_eq!(again.value(&home(), "api-key", 2).unwrap(), "second value");
        again.delete(&home(), "api-key").unwrap();
        let gone = den.open().unwrap();
        assert_eq!(
            (gone.newest(&home(), "api-key"), gone.list(&home()).len()),
            (None, 0)
        );
        assert_eq!(
            gone.value(&home(), "api-key", 1).unwrap_err().code(),
            "SEC-002"
        );
        assert_eq!(
            gone.delete(&home(), "api-key").unwrap_err().code(),
            "SEC-001"
        );
        let third = gone.set(&home(), "api-key", b"third value", 3).unwrap();
        assert_eq!(
            third.version, 3,
            "the number of a version is never used again"
        );
    }

    #[test]
    fn a_row_opens_only_in_its_own_place_and_with_its_own_key() {
        let den = Den::new();
        let secrets = den.open().unwrap();
        secrets.set(&home(), "a-secret", b"12345678", 1).unwrap();
        let row = den
            .store
            .catalog_get(KIND, &row_key(&home(), "a-secret", 1))
            .unwrap();
        let row = row.unwrap().value;
        den.store
            .catalog_put(KIND, &row_key(&home(), "b-secret", 1), 0, &row)
            .unwrap();
        let moved = den.open().unwrap().value(&home(), "b-secret", 1);
        assert_eq!(moved.unwrap_err().code(), "SEC-003");
        std::fs::remove_file(den.key()).unwrap();
        assert_eq!(den.open().unwrap_err().code(), "SEC-008");
        std::fs::write(den.key(), "ab".repeat(KEY_BYTES)).unwrap();
        let open = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(den.key(), open).unwrap();
        assert_eq!(den.open().unwrap_err().code(), "SEC-007");
        let closed = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(den.key(), closed).unwrap();
        let other = den.open().unwrap().value(&home(), "a-secret", 1);
        assert_eq!(other.unwrap_err().code(), "SEC-003");
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        let secrets = Den::new().open().unwrap();
        for (name, value, code) in [
            ("Api", &b"12345678"[..], "CAP-006"),
            ("", b"12345678", "CAP-006"),
            ("a", b"1234567", "SEC-004"),
            ("a", &[b'x'; SECRET_BYTES_MAX + 1], "SEC-004"),
            ("a", b"\xff2345678", "SEC-005"),
            ("a", b"1234567\0", "SEC-005"),
        ] {
            let error = secrets.set(&home(), name, value, 1).unwrap_err();
            assert_eq!(error.code(), code, "{name}");
            assert!(!error.to_string().contains("12345678"));
        }
    }
}
