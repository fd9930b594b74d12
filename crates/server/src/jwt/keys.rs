// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / jwt/keys: the public keys of an issuer. In: a URL or a file. Out: the key for a token. Bounds: [`SET_BYTES_MAX`],
//! [`KEYS_MAX`], [`FETCH_TIMEOUT`], one question at a time. Never follows a redirect. Read next: `../jwt.rs`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use parking_lot::RwLock;
use tokio::sync::Mutex;
use ureq::http::Uri;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

/// Longest set of keys: those of large providers have some KiB.
const SET_BYTES_MAX: u64 = 1 << 20;
/// Most keys of a set.
const KEYS_MAX: usize = 100;
/// Longest time to get a set.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);
/// After this time a set is asked for again, beside what goes on: so long does a key hold that was taken back.
const FRESH: Duration = Duration::from_secs(600);
/// A set that could not be renewed for so long is not used any more.
const STALE: Duration = Duration::from_secs(3600);
/// Pause between two questions, whoever wants to know: tokens with made-up keys must not become questions.
const PAUSE: Duration = Duration::from_secs(30);

/// Why there are no keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeysError {
    /// The file cannot be read.
    #[error("cannot read `{path}`: {detail}")]
    File {
        /// The file.
        path: String,
        /// Why.
        detail: String,
    },
    /// Nobody answers, or not with a 200.
    #[error("cannot get `{url}`: {detail}")]
    Fetch {
        /// The address.
        url: String,
        /// Why.
        detail: String,
    },
    /// A file to trust has no certificates.
    #[error("there are no certificates in `{}`: {detail}", path.display())]
    Trust {
        /// The file.
        path: PathBuf,
        /// Why.
        detail: String,
    },
    /// The address is one of plain HTTP on another machine: whoever is in between could put in keys.
    #[error("`{url}` is no https address")]
    Plain {
        /// The address.
        url: String,
    },
    /// What is there is no set of keys.
    #[error("`{from}` is no set of keys: {detail}")]
    NoSet {
        /// The address or file.
        from: String,
        /// Why.
        detail: String,
    },
}

/// A set, and when it was got.
#[derive(Clone)]
struct Got {
    set: Arc<JwkSet>,
    at: Instant,
}

/// The keys of one issuer.
pub(super) struct Keys(Arc<Source>);

struct Source {
    from: String,
    /// Certificates to trust instead of those of the web.
    ca_file: Option<PathBuf>,
    got: RwLock<Option<Got>>,
    /// When somebody last asked. Held while asking.
    asked: Mutex<Option<Instant>>,
}

impl Keys {
    /// None yet: of a URL, or of a file. `ca_file` replaces the roots of the web for a URL.
    pub(super) fn new(from: String, ca_file: Option<PathBuf>) -> Self {
        Self(Arc::new(Source {
            from,
            ca_file,
            got: RwLock::default(),
            asked: Mutex::default(),
        }))
    }

    /// Whether they are behind a URL.
    pub(super) fn is_remote(&self) -> bool {
        self.0.is_remote()
    }

    /// Gets the set. Blocks. Errors: of [`KeysError`].
    pub(super) fn fetch_now(&self) -> Result<(), KeysError> {
        self.0.fetch()
    }

    /// The key for a token; `None` when no key fits. Asks for the set again when it is old, or does not have the key. Cancel safe.
    /// Errors: of [`KeysError`], when there is no set that may still be used.
    pub(super) async fn find(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
    ) -> Result<Option<Jwk>, KeysError> {
        let got = self.0.got.read().clone();
        if let Some(got) = got {
            let age = got.at.elapsed();
            if let Some(key) = choose(&got.set, algorithm, id)
                && age < STALE
            {
                if age > FRESH {
                    let source = Arc::clone(&self.0);
                    tokio::spawn(async move { source.renew().await });
                }
                return Ok(Some(key));
            }
        }
        let renewed = self.0.renew().await;
        let got = self.0.got.read().clone();
        match got.filter(|got| got.at.elapsed() < STALE) {
            Some(got) => Ok(choose(&got.set, algorithm, id)),
            None => renewed.map(|()| None),
        }
    }
}

impl Source {
    fn is_remote(&self) -> bool {
        self.from.starts_with("http://") || self.from.starts_with("https://")
    }

    /// Asks for the set, unless somebody has a moment ago.
    async fn renew(self: &Arc<Self>) -> Result<(), KeysError> {
        let mut asked = self.asked.lock().await;
        if asked.is_some_and(|at| at.elapsed() < PAUSE) {
            return match &*self.got.read() {
                Some(_) => Ok(()),
                None => Err(KeysError::Fetch {
                    url: self.from.clone(),
                    detail: "it was not there a moment ago".to_owned(),
                }),
            };
        }
        *asked = Some(Instant::now());
        let source = Arc::clone(self);
        let fetched = tokio::task::spawn_blocking(move || source.fetch()).await;
        fetched.unwrap_or_else(|error| {
            Err(KeysError::Fetch {
                url: self.from.clone(),
                detail: error.to_string(),
            })
        })
    }

    fn fetch(&self) -> Result<(), KeysError> {
        let text = if self.is_remote() {
            get(&self.from, self.ca_file.as_deref())?
        } else {
            std::fs::read(&self.from).map_err(|error| KeysError::File {
                path: self.from.clone(),
                detail: error.to_string(),
            })?
        };
        let none = |detail: String| KeysError::NoSet {
            from: self.from.clone(),
            detail,
        };
        let set: JwkSet = serde_json::from_slice(&text).map_err(|error| none(error.to_string()))?;
        if set.keys.is_empty() || set.keys.len() > KEYS_MAX {
            return Err(none(format!("it has {} keys", set.keys.len())));
        }
        let set = Arc::new(set);
        *self.got.write() = Some(Got {
            set,
            at: Instant::now(),
        });
        Ok(())
    }
}

/// The text behind a URL. Errors: `Fetch`, `Plain`, `Trust`.
fn get(url: &str, ca_file: Option<&Path>) -> Result<Vec<u8>, KeysError> {
    let failed = |detail: String| KeysError::Fetch {
        url: url.to_owned(),
        detail,
    };
    let uri: Uri = url
        .parse()
        .map_err(|_| failed("it is no address".to_owned()))?;
    let is_local = matches!(uri.host(), Some("127.0.0.1" | "localhost" | "[::1]"));
    if uri.scheme_str() != Some("https") && !is_local {
        return Err(KeysError::Plain {
            url: url.to_owned(),
        });
    }
    let mut config = ureq::Agent::config_builder()
        .max_redirects(0)
        .timeout_global(Some(FETCH_TIMEOUT));
    if is_local {
        // A proxy of the environment cannot reach this machine.
        config = config.proxy(None);
    }
    if let Some(file) = ca_file {
        // Read each time, so that a renewed file is taken.
        config = config.tls_config(trusting(file)?);
    }
    let agent = config.build().new_agent();
    let mut answer = agent
        .get(url)
        .call()
        .map_err(|error| failed(error.to_string()))?;
    if answer.status().as_u16() != 200 {
        return Err(failed(format!("status {}", answer.status())));
    }
    let body = answer.body_mut().with_config().limit(SET_BYTES_MAX);
    body.read_to_vec()
        .map_err(|error| failed(error.to_string()))
}

/// Trusts the certificates in a file and no others. Errors: `Trust`.
fn trusting(file: &Path) -> Result<TlsConfig, KeysError> {
    let bad = |detail: String| KeysError::Trust {
        path: file.to_owned(),
        detail,
    };
    let text = std::fs::read(file).map_err(|error| bad(error.to_string()))?;
    let mut certs = Vec::new();
    for item in parse_pem(&text) {
        if let PemItem::Certificate(cert) = item.map_err(|error| bad(error.to_string()))? {
            certs.push(cert);
        }
    }
    if certs.is_empty() {
        return Err(bad("none of its parts is one".to_owned()));
    }
    let roots = RootCerts::new_with_certs(&certs);
    Ok(TlsConfig::builder().root_certs(roots).build())
}

/// The key of a set that a token means: the one with its id, or the only one of its kind.
fn choose(set: &JwkSet, algorithm: Algorithm, id: Option<&str>) -> Option<Jwk> {
    let mut fitting = set.keys.iter().filter(|key| fits(key, algorithm));
    match id {
        Some(id) => fitting
            .find(|key| key.common.key_id.as_deref() == Some(id))
            .cloned(),
        None => match (fitting.next(), fitting.next()) {
            (Some(only), None) => Some(only.clone()),
            _ => None,
        },
    }
}

/// Whether a key is one for this algorithm, and says nothing else of itself.
fn fits(key: &Jwk, algorithm: Algorithm) -> bool {
    let kind = match (&key.algorithm, algorithm) {
        (AlgorithmParameters::RSA(_), Algorithm::RS256) => true,
        (AlgorithmParameters::EllipticCurve(curve), Algorithm::ES256) => {
            curve.curve == EllipticCurve::P256
        }
        (AlgorithmParameters::OctetKeyPair(pair), Algorithm::EdDSA) => {
            pair.curve == EllipticCurve::Ed25519
        }
        _ => false,
    };
    let named = key.common.key_algorithm.as_ref();
    let signs = key.common.public_key_use.as_ref();
    kind && named.is_none_or(|named| named.to_string() == format!("{algorithm:?}"))
        && signs.is_none_or(|signs| *signs == PublicKeyUse::Signature)
}
