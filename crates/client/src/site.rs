// SPDX-License-Identifier: Apache-2.0
//! THE PHONE / site: one address of a server and whom it is believed to be. In a URL and what to trust; out its parts, and the
//! agent that keeps connections to it. Bound: [`CONNECT_TIMEOUT`]. Never sends anything. Read next: `transport.rs`, `socket.rs`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::http;
use ureq::tls::{PemItem, RootCerts, TlsConfig};

use crate::error::ClientError;

/// A server that does not take a connection within this time is down; one on the same machine needs microseconds.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Which certificates of a server are believed, where it is talked to over TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Trust {
    /// Those that browsers believe.
    #[default]
    Web,
    /// Those that lead to one in this file of PEM certificates, and no others. It is read when a connection is made.
    File(PathBuf),
    /// Any: encrypted, but nobody knows with whom.
    Anything,
}

/// An address of a server.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) agent: ureq::Agent,
    /// The URL without a slash at its end.
    pub(crate) base: String,
    /// Where the URL comes from, for errors.
    pub(crate) origin: String,
    pub(crate) trust: Trust,
}

impl Site {
    /// The server at `url`; `origin` says in errors where that comes from. Errors: an address that is none, a file that has no
    /// certificates.
    pub(crate) fn at(url: &str, origin: &str, trust: Trust) -> Result<Self, ClientError> {
        let address = || ClientError::Address {
            url: url.to_owned(),
            origin: origin.to_owned(),
        };
        let uri: http::Uri = url.parse().map_err(|_| address())?;
        let host = uri.host().unwrap_or_default();
        if !matches!(uri.scheme_str(), Some("http" | "https"))
            || host.is_empty()
            || uri.query().is_some()
        {
            return Err(address());
        }
        let mut config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("golem-client/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT_TIMEOUT));
        if matches!(host, "localhost" | "127.0.0.1" | "[::1]") {
            // A proxy of the environment cannot reach this machine.
            config = config.proxy(None);
        }
        config = match &trust {
            Trust::Web => config,
            Trust::File(file) => config.tls_config(trusting(file)?),
            Trust::Anything => {
                config.tls_config(TlsConfig::builder().disable_verification(true).build())
            }
        };
        Ok(Self {
            agent: config.build().new_agent(),
            base: url.trim_end_matches('/').to_owned(),
            origin: origin.to_owned(),
            trust,
        })
    }

    /// Whether it is talked to over TLS.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.base.starts_with("https://")
    }

    /// Whether nobody knows who answers there.
    pub(crate) fn is_anybody(&self) -> bool {
        self.is_encrypted() && self.trust == Trust::Anything
    }

    /// `host:port`, and what stands before every path.
    pub(crate) fn address(&self) -> (String, String) {
        let (rest, port) = match self.base.strip_prefix("https://") {
            Some(rest) => (rest, 443),
            None => (self.base.trim_start_matches("http://"), 80),
        };
        let (authority, prefix) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        // The last colon of `[::1]` belongs to the address.
        let has_port = authority
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.chars().all(|c| c.is_ascii_digit()));
        let authority = if has_port {
            authority.to_owned()
        } else {
            format!("{authority}:{port}")
        };
        (authority, prefix.to_owned())
    }

    /// The error of a connection that the system refused.
    pub(crate) fn unreachable(&self, reason: String) -> ClientError {
        ClientError::Unreachable {
            url: self.base.clone(),
            origin: self.origin.clone(),
            reason,
        }
    }

    /// The error of a request that had no answer.
    pub(crate) fn failed(&self, error: &ureq::Error) -> ClientError {
        let (url, reason) = (self.base.clone(), error.to_string());
        match error {
            ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
                self.unreachable(reason)
            }
            ureq::Error::Timeout(_) => ClientError::Timeout { url, reason },
            ureq::Error::Protocol(_) => ClientError::Answer {
                url,
                status: 0,
                reason,
            },
            _ => self.unreachable(reason),
        }
    }
}

/// Trusts the certificates in a file and no others.
fn trusting(file: &Path) -> Result<TlsConfig, ClientError> {
    let path = file.display().to_string();
    let bad = |reason: &str| unusable("the certificates", &path, reason);
    let text = std::fs::read(file).map_err(|error| bad(&error.to_string()))?;
    let mut certs = Vec::new();
    for item in ureq::tls::parse_pem(&text) {
        match item {
            Ok(PemItem::Certificate(cert)) => certs.push(cert),
            Ok(_) => {}
            Err(error) => return Err(bad(&error.to_string())),
        }
    }
    if certs.is_empty() {
        return Err(bad("there is no certificate in it"));
    }
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&certs))
        .build())
}

/// The error for a file or a variable that does not have what it should.
pub(crate) fn unusable(what: &'static str, path: &str, reason: &str) -> ClientError {
    ClientError::Secret {
        what,
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use golem_model::Coded as _;

    use super::*;
    use crate::ErrorKind;

    #[test]
    fn an_address_is_checked() {
        for url in [
            "localhost:9881",
            "ftp://x",
            "http://",
            "http://a b",
            "http://x?y",
        ] {
            let error = Site::at(url, "from --url", Trust::Web).unwrap_err();
            assert_eq!(
                (error.code(), error.kind()),
                ("NET-002", ErrorKind::Options),
                "{url}"
            );
        }
        let site = Site::at("http://localhost:9881/", "x", Trust::Web).unwrap();
        assert_eq!(site.base, "http://localhost:9881");
    }

    #[test]
    fn anybody_may_answer_only_where_there_is_tls_and_nothing_is_checked() {
        let is = |url: &str, trust| Site::at(url, "x", trust).unwrap().is_anybody();
        assert!(is("https://x", Trust::Anything));
        assert!(!is("http://x", Trust::Anything));
        assert!(!is("https://x", Trust::Web));
    }
}
