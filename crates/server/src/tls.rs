// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / tls: TLS in front of HTTP. In: the files of a certificate and its key. Out: an acceptor whose certificate follows
//! the files. Bounds: [`HANDSHAKE_TIMEOUT`], [`LOOK_EVERY`]. Never speaks HTTP. Read next: `listen.rs`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::RwLock;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};

use crate::error::ServeError;

/// Longest handshake. A client that needs more is not one.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the files are looked at: a renewed certificate is in use after this time, without a restart.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Where certificate and key are, both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, then those that sign it.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// TLS of one server.
pub(crate) struct Tls {
    files: TlsFiles,
    current: Arc<Current>,
    acceptor: TlsAcceptor,
}

/// The certificate in use.
struct Current(RwLock<Arc<CertifiedKey>>);

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Current")
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read()))
    }
}

impl Tls {
    /// TLS 1.2 and 1.3 with the certificate in `files`. Errors: `Tls`.
    pub(crate) fn open(files: TlsFiles) -> Result<Self, ServeError> {
        let current = Arc::new(Current(RwLock::new(Arc::new(load(&files)?))));
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| cannot_use(&files.cert, &error))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            files,
            current,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        })
    }

    /// What turns a connection into one with TLS.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }

    /// Follows the files for ever. Files that cannot be used are told once, and the certificate before stays.
    pub(crate) async fn follow(&self) {
        let mut known = self.changed_at();
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = self.changed_at();
            if now == known {
                continue;
            }
            known = now;
            match load(&self.files) {
                Ok(loaded) => {
                    *self.current.0.write() = Arc::new(loaded);
                    tracing::info!(cert = %self.files.cert.display(), "a new certificate is in use");
                }
                Err(error) => tracing::error!(%error, "the new certificate is not used"),
            }
        }
    }

    fn changed_at(&self) -> [Option<SystemTime>; 2] {
        [&self.files.cert, &self.files.key].map(|path| {
            std::fs::metadata(path)
                .and_then(|found| found.modified())
                .ok()
        })
    }
}

fn load(files: &TlsFiles) -> Result<CertifiedKey, ServeError> {
    let certs: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect)
        .map_err(|error| cannot_use(&files.cert, &error))?;
    if certs.is_empty() {
        return Err(cannot_use(&files.cert, &"there is no certificate in it"));
    }
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|error| cannot_use(&files.key, &error))?;
    let key =
        ring::sign::any_supported_type(&key).map_err(|error| cannot_use(&files.key, &error))?;
    let certified = CertifiedKey::new(certs, key);
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {
            Ok(certified)
        }
        Err(error) => Err(cannot_use(&files.key, &error)),
    }
}

fn cannot_use(path: &Path, why: &dyn fmt::Display) -> ServeError {
    ServeError::Tls {
        path: path.to_owned(),
        detail: why.to_string(),
    }
}
