// SPDX-License-Identifier: Apache-2.0
//! THE PHONE / socket: one connection to a server, plain or encrypted, for what is no request and answer. In an address, out bytes
//! both ways. Bound: [`CONNECT_TIMEOUT`]. Never knows what the bytes mean. Read next: `connect.rs`.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme,
    StreamOwned,
};
use ureq::http;

use crate::error::ClientError;
use crate::site::{CONNECT_TIMEOUT, Site, Trust, unusable};

/// A connection.
#[derive(Debug)]
pub(crate) enum Socket {
    /// As it is.
    Plain(TcpStream),
    /// Within TLS.
    Encrypted(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Site {
    /// A new connection to it. Errors: nobody is there, certificates that are none.
    pub(crate) fn socket(&self) -> Result<Socket, ClientError> {
        let unreachable = |reason: &dyn std::fmt::Display| self.unreachable(reason.to_string());
        let uri: http::Uri = self.base.parse().map_err(|error| unreachable(&error))?;
        let encrypted = uri.scheme_str() == Some("https");
        // An address in brackets is one without them.
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let port = uri.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
        let stream = dial(host, port).map_err(|error| unreachable(&error))?;
        if !encrypted {
            return Ok(Socket::Plain(stream));
        }
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| unreachable(&error))?;
        let config = match &self.trust {
            Trust::Web => config.with_root_certificates(roots_of_the_web()),
            Trust::File(file) => config.with_root_certificates(roots(file)?),
            Trust::Anything => config
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Anybody(provider))),
        };
        let config = config.with_no_client_auth();
        let name = ServerName::try_from(host.to_owned()).map_err(|error| unreachable(&error))?;
        let tls = ClientConnection::new(Arc::new(config), name);
        let tls = tls.map_err(|error| unreachable(&error))?;
        Ok(Socket::Encrypted(Box::new(StreamOwned::new(tls, stream))))
    }
}

impl Socket {
    /// From now on a read waits so long, and then fails as one that would block.
    pub(crate) fn wait_at_most(&self, pause: Duration) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.set_read_timeout(Some(pause)),
            Self::Encrypted(stream) => stream.get_ref().set_read_timeout(Some(pause)),
        }
    }
}

impl Read for Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(into),
            Self::Encrypted(stream) => stream.read(into),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(from),
            Self::Encrypted(stream) => stream.write(from),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Encrypted(stream) => stream.flush(),
        }
    }
}

/// Connects to the first address of `host` that answers.
fn dial(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
            Ok(stream) => {
                stream.set_read_timeout(Some(CONNECT_TIMEOUT))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Those that browsers trust.
fn roots_of_the_web() -> RootCertStore {
    RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    }
}

/// The certificates in a file and no others.
fn roots(file: &Path) -> Result<RootCertStore, ClientError> {
    let path = file.display().to_string();
    let bad = |reason: String| unusable("the certificates", &path, &reason);
    let mut roots = RootCertStore::empty();
    let certs = CertificateDer::pem_file_iter(file).map_err(|error| bad(error.to_string()))?;
    for cert in certs {
        let cert = cert.map_err(|error| bad(error.to_string()))?;
        roots.add(cert).map_err(|error| bad(error.to_string()))?;
    }
    Ok(roots)
}

/// Believes whatever certificate comes, as a profile may ask for. That the other end has its key is checked all the same.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, cert, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, cert, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
