// SPDX-License-Identifier: Apache-2.0
//! THE DESK / client/socket: one connection to a server, plain or encrypted, for what is no request and answer. In an address, out bytes
//! both ways. Bound: [`CONNECT_TIMEOUT`]. Never knows what the bytes mean. Read next: `connect.rs`.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use ureq::http;

use super::transport::{CONNECT_TIMEOUT, Transport, unusable};
use crate::error::Failure;

/// A connection.
#[derive(Debug)]
pub(super) enum Socket {
    /// As it is.
    Plain(TcpStream),
    /// Within TLS.
    Encrypted(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Transport {
    /// A new connection to the server. Errors: nobody is there, certificates that are none.
    pub(super) fn socket(&self) -> Result<Socket, Failure> {
        let unreachable = |reason: &dyn std::fmt::Display| self.unreachable(reason.to_string());
        let uri: http::Uri = self.url().parse().map_err(|error| unreachable(&error))?;
        let encrypted = uri.scheme_str() == Some("https");
        // An address in brackets is one without them.
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let port = uri.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
        let stream = dial(host, port).map_err(|error| unreachable(&error))?;
        if !encrypted {
            return Ok(Socket::Plain(stream));
        }
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unreachable(&error))?
            .with_root_certificates(roots(self.ca_file())?)
            .with_no_client_auth();
        let name = ServerName::try_from(host.to_owned()).map_err(|error| unreachable(&error))?;
        let tls = ClientConnection::new(Arc::new(config), name);
        let tls = tls.map_err(|error| unreachable(&error))?;
        Ok(Socket::Encrypted(Box::new(StreamOwned::new(tls, stream))))
    }
}

impl Socket {
    /// From now on a read waits so long, and then fails as one that would block.
    pub(super) fn wait_at_most(&self, pause: Duration) -> io::Result<()> {
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

/// The certificates in a file and no others, else those of the web.
fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, Failure> {
    let mut roots = RootCertStore::empty();
    let Some(file) = ca_file else {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        return Ok(roots);
    };
    let path = file.display().to_string();
    let bad = |reason: String| unusable("the certificates", &path, &reason);
    let certs = CertificateDer::pem_file_iter(file).map_err(|error| bad(error.to_string()))?;
    for cert in certs {
        let cert = cert.map_err(|error| bad(error.to_string()))?;
        roots.add(cert).map_err(|error| bad(error.to_string()))?;
    }
    Ok(roots)
}
