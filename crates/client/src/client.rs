// SPDX-License-Identifier: Apache-2.0
//! THE PHONE / client: one server and who talks to it. In an address, whom to trust, a namespace and a token; out a [`Client`], which the
//! other files give its calls. Never sends anything when it is made. Read next: `transport.rs`, `worker.rs`. Source: client spec §1.3.

use std::fmt;
use std::time::Duration;

use golem_model::Namespace;
use golem_model::api::VersionInfo;

use crate::error::ClientError;
use crate::site::{Site, Trust};
use crate::transport::{Request, Seen, Transport, Unanswered};

/// The server of this machine, as `golem-cli server run` starts it.
pub const DEFAULT_URL: &str = "http://localhost:9881";

/// A server to talk to. It keeps connections that were used for the next call.
pub struct Client {
    pub(crate) transport: Transport,
}

/// The addresses alone: the token is nobody's business.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let urls = self.transport.sites().map(|site| &site.base);
        f.debug_list().entries(urls).finish()
    }
}

impl Client {
    /// The server at `url`, which is `http://host[:port]` or `https://host[:port]`, a path behind it allowed; `origin` says in errors
    /// where the address comes from, such as `from --url`.
    ///
    /// Nothing is sent; a file of certificates is read. Errors: `Address`, `Secret`.
    pub fn new(url: &str, origin: &str, trust: Trust) -> Result<Self, ClientError> {
        let main = Site::at(url, origin, trust)?;
        Ok(Self {
            transport: Transport::at(main),
        })
    }

    /// Sends requests about workers, calls of unnamed ones and APIs to another address, as servers of Golem 1.1 can have it. Whom to
    /// trust stays as it is. Errors: as [`new`](Self::new).
    pub fn with_workers_at(mut self, url: &str, origin: &str) -> Result<Self, ClientError> {
        let trust = self.transport.main().trust.clone();
        self.transport
            .send_workers_to(Site::at(url, origin, trust)?);
        Ok(self)
    }

    /// Acts in a namespace; without one it is the only one that the token is for, else `default`.
    #[must_use]
    pub fn in_namespace(mut self, namespace: Namespace) -> Self {
        self.transport.act_in(namespace);
        self
    }

    /// Shows a token with each request. Space around it is left out; `from` says in errors where it comes from: a file, a variable.
    ///
    /// Errors: `Secret`, when it is not one word of visible ASCII characters.
    pub fn with_token(mut self, token: &str, from: &str) -> Result<Self, ClientError> {
        self.transport.show_token(token, from)?;
        Ok(self)
    }

    /// The version that the server says it is of, such as `1.1.0`. Errors: as for every call (crate documentation); with `Answer`
    /// something else listens there.
    pub fn version(&self) -> Result<String, ClientError> {
        let VersionInfo { version } = self.transport.json(Request::get("/version"))?;
        Ok(version)
    }

    /// One `GET` of a path without a token, the whole of it bounded by `timeout`, for who looks what is wrong with a server. Errors: why
    /// there was no answer; an answer of any status is one.
    pub fn look(&self, path: &str, timeout: Duration) -> Result<Seen, Unanswered> {
        self.transport.look(path, timeout)
    }

    /// Whether the server is talked to over TLS; that for workers is not looked at.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.transport.main().is_encrypted()
    }

    /// URL and origin of the first address that is talked to over TLS with whoever answers, because any certificate is believed.
    #[must_use]
    pub fn unverified(&self) -> Option<(&str, &str)> {
        let site = self.transport.sites().find(|site| site.is_anybody())?;
        Some((&site.base, &site.origin))
    }

    /// The address of the server, without a `/` at its end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.transport.main().base
    }

    /// `host:port` of the server, the port that of the scheme if none was written, and the path that stands before every other.
    #[must_use]
    pub fn address(&self) -> (String, String) {
        self.transport.main().address()
    }

    /// The port of the server, when its address is of this machine and has no path.
    #[must_use]
    pub fn local_port(&self) -> Option<u16> {
        let (authority, prefix) = self.address();
        let (host, port) = authority.rsplit_once(':')?;
        let local = matches!(host, "localhost" | "127.0.0.1");
        (local && prefix.is_empty()).then(|| port.parse().ok())?
    }
}

#[cfg(test)]
mod tests {
    use golem_model::Coded as _;

    use super::*;
    use crate::ErrorKind;

    fn client() -> Client {
        Client::new("https://one", "x", Trust::Web).unwrap()
    }

    #[test]
    fn a_token_is_one_word_and_never_shown() {
        for bad in ["", " \n", "two words", "ä"] {
            let error = client().with_token(bad, "GOLEM_TOKEN").unwrap_err();
            assert_eq!(
                (error.code(), error.kind()),
                ("NET-008", ErrorKind::Options),
                "{bad}"
            );
        }
        let client = client().with_token(" secret\n", "x").unwrap();
        assert_eq!(format!("{client:?}"), r#"["https://one"]"#);
        let headers: Vec<_> = client.transport.headers().collect();
        assert_eq!(headers, [("authorization", "Bearer secret")]);
    }

    #[test]
    fn the_address_of_workers_is_trusted_like_the_other() {
        assert_eq!(client().unverified(), None);
        let plain = Client::new("http://one", "x", Trust::Anything).unwrap();
        assert_eq!(plain.unverified(), None);
        let both = plain.with_workers_at("https://two/", "y").unwrap();
        assert_eq!(both.unverified(), Some(("https://two", "y")));
        assert!(!both.is_encrypted());
    }
}
