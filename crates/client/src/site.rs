// SPDX-License-Identifier: Apache-2.0
//! THE DESK / client/site: one address of a server and whom it is believed to be. In a URL and what to trust; out its parts, and the
//! agent that keeps connections to it. Bound: [`CONNECT_TIMEOUT`]. Never sends anything. Read next: `transport.rs`, `socket.rs`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::http;
use ureq::tls::{PemItem, RootCerts, TlsConfig};

use super::error::ClientError;
use crate::error::Failure;

/// A server that does not take a connection within this time is down; one on the same machine needs microseconds.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Which certificates of a server are believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trust {
    /// Those that browsers believe.
    Web,
    /// Those that lead to one in this file, and no others.
    File(PathBuf),
    /// Any: a profile says so for its server.
    Anything,
}

/// An address of a server.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) agent: ureq::Agent,
    /// The URL without a slash at its end.
    pub(super) base: String,
    /// Where the URL comes from, for errors.
    pub(super) origin: String,
    pub(super) trust: Trust,
}

impl Site {
    /// The server at `url`; `origin` says in errors where that comes from. Errors: an address that is none, a file that has no
    /// certificates.
    pub(super) fn at(url: &str, origin: &str, trust: Trust) -> Result<Self, Failure> {
        let address = || {
            ClientError::Address {
                url: url.to_owned(),
                origin: origin.to_owned(),
            }
            .failure()
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
            .user_agent(concat!("golem-cli/", env!("CARGO_PKG_VERSION")))
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
    pub(super) fn is_encrypted(&self) -> bool {
        self.base.starts_with("https://")
    }

    /// Whether nobody knows who answers there.
    pub(super) fn is_anybody(&self) -> bool {
        self.is_encrypted() && self.trust == Trust::Anything
    }

    /// `host:port`, and what stands before every path.
    pub(super) fn address(&self) -> (String, String) {
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

    /// The failure of a connection that the system refused.
    pub(super) fn unreachable(&self, reason: String) -> Failure {
        ClientError::Unreachable {
            url: self.base.clone(),
            origin: self.origin.clone(),
            reason,
        }
        .failure()
    }

    /// The failure of a request that had no answer.
    pub(super) fn failed(&self, error: &ureq::Error) -> Failure {
        let (url, reason) = (self.base.clone(), error.to_string());
        match error {
            ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
                self.unreachable(reason)
            }
            ureq::Error::Timeout(_) => ClientError::Timeout { url, reason }.failure(),
            ureq::Error::Protocol(_) => ClientError::Answer {
                url,
                status: 0,
                reason,
            }
            .failure(),
            _ => self.unreachable(reason),
        }
    }
}

/// Trusts the certificates in a file and no others.
fn trusting(file: &Path) -> Result<TlsConfig, Failure> {
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

/// The failure for a file or a variable that does not have what it should.
pub(super) fn unusable(what: &'static str, path: &str, reason: &str) -> Failure {
    ClientError::Secret {
        what,
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
    .failure()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit;

    #[test]
    fn an_address_is_checked() {
        for url in [
            "localhost:9881",
            "ftp://x",
            "http://",
            "http://a b",
            "http://x?y",
        ] {
            let failure = Site::at(url, "from --url", Trust::Web).unwrap_err();
            assert_eq!(
                (failure.problem.code.as_str(), failure.exit),
                ("NET-002", exit::USAGE),
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
