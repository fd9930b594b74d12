// SPDX-License-Identifier: Apache-2.0
//! THE DESK / client/transport: one request, one answer. In a method, a path and a body; out the JSON of the answer, or a
//! failure with its exit code. Bounds: [`CONNECT_TIMEOUT`], [`ANSWER_BYTES_MAX`]. Never retries: the caller may not want
//! to call twice. Read next: `error.rs`. Source: client spec §1.1.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use golem_model::Namespace;
use golem_model::api::NAMESPACE_HEADER;
use golem_model::urn::percent_encode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::AsSendBody;
use ureq::http;
use ureq::tls::{PemItem, RootCerts, TlsConfig};

use super::error::{ClientError, refusal};
use super::multipart::Form;
use crate::args::Global;
use crate::config::Config;
use crate::error::Failure;

/// A server that does not take a connection within this time is down; one on the same machine needs microseconds.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest answer that is read: a listing of 10 000 workers has about 8 MB.
const ANSWER_BYTES_MAX: u64 = 256 << 20;
/// The variable with a token.
const TOKEN_VARIABLE: &str = "GOLEM_TOKEN";
/// The server of this machine, as `golem-cli server run` starts it.
pub(crate) const DEFAULT_URL: &str = "http://localhost:9881";

/// Largest answer that is read of a server that is only looked at; that of `/version` has some hundred bytes.
const LOOK_BYTES_MAX: u64 = 16 << 10;

/// What a server said that is only looked at.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Status of HTTP.
    pub(crate) status: u16,
    /// The `Date` header.
    pub(crate) date: Option<String>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

/// Why it said nothing.
#[derive(Debug)]
pub(crate) struct Unanswered {
    /// Whether the secure connection did not come about.
    pub(crate) tls: bool,
    /// A sentence.
    pub(crate) reason: String,
}

impl Unanswered {
    fn of(error: &ureq::Error) -> Self {
        let reason = error.to_string();
        // What goes wrong in a handshake comes as an error of the stream that is encrypted.
        let lower = reason.to_lowercase();
        let tls = matches!(
            error,
            ureq::Error::Tls(_) | ureq::Error::Pem(_) | ureq::Error::Rustls(_)
        ) || lower.contains("certificate")
            || lower.contains("tls")
            || lower.contains("corrupt message");
        Self { tls, reason }
    }
}

/// A server's address and the connections to it.
#[derive(Debug)]
pub(crate) struct Transport {
    agent: ureq::Agent,
    base: String,
    origin: String,
    /// `Bearer` and the token.
    authorization: Option<String>,
    /// The namespace to act in, if one was named.
    namespace: Option<Namespace>,
    /// Certificates to trust instead of those of the web.
    ca_file: Option<PathBuf>,
}

/// A request under construction.
#[derive(Debug)]
pub(crate) struct Request {
    method: http::Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Request {
    fn new(method: http::Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// `GET path`.
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(http::Method::GET, path)
    }

    /// `POST path`, without a body.
    pub(crate) fn post(path: impl Into<String>) -> Self {
        Self::new(http::Method::POST, path)
    }

    /// `PUT path`, without a body.
    pub(crate) fn put(path: impl Into<String>) -> Self {
        Self::new(http::Method::PUT, path)
    }

    /// `DELETE path`.
    pub(crate) fn delete(path: impl Into<String>) -> Self {
        Self::new(http::Method::DELETE, path)
    }

    /// Adds to the query, percent-encoded.
    pub(crate) fn query(mut self, pairs: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        for (key, value) in pairs {
            let mark = if self.path.contains('?') { '&' } else { '?' };
            // Writing to a String cannot fail.
            let _ = write!(self.path, "{mark}{key}={}", percent_encode(&value));
        }
        self
    }

    /// Adds headers.
    pub(crate) fn header(
        mut self,
        pairs: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Self {
        self.headers.extend(pairs);
        self
    }

    /// A JSON body. A value that cannot be JSON is sent as no body, which the server refuses.
    pub(crate) fn body(mut self, body: &impl Serialize) -> Self {
        self.body = serde_json::to_vec(body).unwrap_or_default();
        self.header([("content-type", "application/json".to_owned())])
    }

    /// A body of bytes.
    pub(crate) fn bytes(mut self, body: Vec<u8>) -> Self {
        self.body = body;
        self.header([("content-type", "application/octet-stream".to_owned())])
    }

    /// A form.
    pub(crate) fn form(mut self, form: Form) -> Self {
        let (kind, body) = form.finish();
        self.body = body;
        self.header([("content-type", kind)])
    }
}

impl Transport {
    /// The server that the options, the environment or the active profile name; else [`DEFAULT_URL`].
    pub(crate) fn new(global: &Global) -> Result<Self, Failure> {
        let (url, origin, namespace) = match &global.url {
            Some(url) => (url.clone(), "from --url or GOLEM_URL".to_owned(), None),
            None => match Config::load()?.server() {
                Some((server, origin)) => (server.url.clone(), origin, server.namespace.clone()),
                None => (DEFAULT_URL.to_owned(), "the default".to_owned(), None),
            },
        };
        let mut transport = Self::at(&url, &origin, global.ca_file.as_deref())?;
        // That of a profile is one of its server.
        transport.namespace = global.namespace.clone().or(namespace);
        transport.authorization = token(global)?.map(|token| format!("Bearer {token}"));
        Ok(transport)
    }

    /// The server at `url`, without a token; `origin` says in errors where that comes from. `ca_file` replaces the roots of the
    /// web. Errors: an address that is none, a file that has no certificates.
    pub(super) fn at(url: &str, origin: &str, ca_file: Option<&Path>) -> Result<Self, Failure> {
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
        if let Some(file) = ca_file {
            config = config.tls_config(trusting(file)?);
        }
        let base = url.trim_end_matches('/').to_owned();
        Ok(Self {
            agent: config.build().new_agent(),
            base,
            origin: origin.to_owned(),
            authorization: None,
            namespace: None,
            ca_file: ca_file.map(Path::to_owned),
        })
    }

    /// Sends a request and reads the answer as JSON.
    ///
    /// Errors: every variant of [`ClientError`] of the network, and the problem of a server that refuses.
    pub(crate) fn json<T: DeserializeOwned>(&self, request: Request) -> Result<T, Failure> {
        let url = format!("{}{}", self.base, request.path);
        let (status, body) = self.answer(&url, request)?;
        serde_json::from_slice(&body)
            .map_err(|error| unclear(&url, status, &error.to_string(), &body))
    }

    /// Sends a request and reads the answer as it is. Errors: as [`Self::json`].
    pub(crate) fn bytes(&self, request: Request) -> Result<Vec<u8>, Failure> {
        let url = format!("{}{}", self.base, request.path);
        self.answer(&url, request).map(|(_, body)| body)
    }

    /// Sends a request and gives the body of the answer as it arrives, without a bound. Errors: as [`Self::json`].
    #[cfg(feature = "server")]
    pub(crate) fn read(&self, request: Request) -> Result<impl std::io::Read + use<>, Failure> {
        let url = format!("{}{}", self.base, request.path);
        let body = Vec::new();
        let response = self.accepted(&url, request, body)?;
        Ok(response.into_body().into_reader())
    }

    /// Sends a request with a file as its body and reads the answer as JSON. Errors: as [`Self::json`].
    #[cfg(feature = "server")]
    pub(crate) fn send_file<T: DeserializeOwned>(
        &self,
        request: Request,
        file: std::fs::File,
    ) -> Result<T, Failure> {
        let url = format!("{}{}", self.base, request.path);
        let request = request.header([("content-type", "application/octet-stream".to_owned())]);
        let mut response = self.accepted(&url, request, file)?;
        let status = response.status().as_u16();
        let body = self.whole(&mut response)?;
        serde_json::from_slice(&body)
            .map_err(|error| unclear(&url, status, &error.to_string(), &body))
    }

    /// Status and body of a request that was not refused.
    fn answer(&self, url: &str, mut request: Request) -> Result<(u16, Vec<u8>), Failure> {
        let body = std::mem::take(&mut request.body);
        tracing::debug!(bytes = body.len(), "body");
        let mut response = self.accepted(url, request, body)?;
        let body = self.whole(&mut response)?;
        tracing::debug!(bytes = body.len(), "answer");
        Ok((response.status().as_u16(), body))
    }

    /// The answer to a request that was not refused, its body not read yet.
    fn accepted(
        &self,
        url: &str,
        request: Request,
        body: impl AsSendBody,
    ) -> Result<http::Response<ureq::Body>, Failure> {
        tracing::debug!(method = %request.method, url, "request");
        let mut builder = http::Request::builder().method(request.method).uri(url);
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        for (name, value) in self.headers() {
            builder = builder.header(name, value);
        }
        let bad = |reason: String| {
            ClientError::Answer {
                url: url.to_owned(),
                status: 0,
                reason,
            }
            .failure()
        };
        let request = builder.body(body).map_err(|error| bad(error.to_string()))?;
        let mut response = self
            .agent
            .run(request)
            .map_err(|error| self.failed(&error))?;
        let status = response.status().as_u16();
        tracing::debug!(status, "answer");
        if !(200..300).contains(&status) {
            let body = self.whole(&mut response)?;
            let none = || unclear(url, status, "no error of the API", &body);
            return Err(refusal(status, &body).unwrap_or_else(none));
        }
        Ok(response)
    }

    /// The body of an answer, at most [`ANSWER_BYTES_MAX`].
    fn whole(&self, response: &mut http::Response<ureq::Body>) -> Result<Vec<u8>, Failure> {
        response
            .body_mut()
            .with_config()
            .limit(ANSWER_BYTES_MAX)
            .read_to_vec()
            .map_err(|error| self.failed(&error))
    }

    /// One `GET path` with a bound of time, for who looks why a server does not answer.
    pub(super) fn look(&self, path: &str, timeout: Duration) -> Result<Seen, Unanswered> {
        let url = format!("{}{path}", self.base);
        let answer = self
            .agent
            .get(&url)
            .config()
            .timeout_global(Some(timeout))
            .build()
            .call();
        let mut answer = answer.map_err(|error| Unanswered::of(&error))?;
        let date = answer.headers().get(http::header::DATE);
        let date = date.and_then(|date| date.to_str().ok()).map(str::to_owned);
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(LOOK_BYTES_MAX);
        Ok(Seen {
            status,
            date,
            body: body.read_to_vec().map_err(|error| Unanswered::of(&error))?,
        })
    }

    /// Whether the server is talked to over TLS.
    pub(super) fn is_encrypted(&self) -> bool {
        self.base.starts_with("https://")
    }

    /// The address, as it was given.
    pub(super) fn url(&self) -> &str {
        &self.base
    }

    /// The file with certificates to trust instead of those of the web.
    pub(super) fn ca_file(&self) -> Option<&Path> {
        self.ca_file.as_deref()
    }

    /// The headers that say who asks, and where.
    pub(super) fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let token = self.authorization.as_deref();
        let token = token.map(|token| ("authorization", token));
        let namespace = self.namespace.as_ref();
        let namespace = namespace.map(|namespace| (NAMESPACE_HEADER, namespace.as_str()));
        token.into_iter().chain(namespace)
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

    fn failed(&self, error: &ureq::Error) -> Failure {
        let (url, reason) = (self.base.clone(), error.to_string());
        match error {
            ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
                ClientError::Unreachable {
                    url,
                    origin: self.origin.clone(),
                    reason,
                }
            }
            ureq::Error::Timeout(_) => ClientError::Timeout { url, reason },
            ureq::Error::Protocol(_) => ClientError::Answer {
                url,
                status: 0,
                reason,
            },
            _ => ClientError::Unreachable {
                url,
                origin: self.origin.clone(),
                reason,
            },
        }
        .failure()
    }
}

/// The token to show: of `--token-file`, else of `GOLEM_TOKEN`. It is never an argument: others see those.
fn token(global: &Global) -> Result<Option<String>, Failure> {
    let (text, path) = match &global.token_file {
        Some(file) => {
            let path = file.display().to_string();
            let text = std::fs::read_to_string(file)
                .map_err(|error| unusable("the token", &path, &error.to_string()))?;
            (text, path)
        }
        None => match std::env::var(TOKEN_VARIABLE) {
            Ok(text) => (text, TOKEN_VARIABLE.to_owned()),
            Err(_) => return Ok(None),
        },
    };
    let token = text.trim();
    let is_one = !token.is_empty() && token.chars().all(|c| c.is_ascii_graphic());
    if is_one {
        Ok(Some(token.to_owned()))
    } else {
        Err(unusable(
            "the token",
            &path,
            "it is not one word of visible ASCII characters",
        ))
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

pub(super) fn unusable(what: &'static str, path: &str, reason: &str) -> Failure {
    ClientError::Secret {
        what,
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
    .failure()
}

/// An answer that says something else than it should.
fn unclear(url: &str, status: u16, reason: &str, body: &[u8]) -> Failure {
    let start: String = String::from_utf8_lossy(body).chars().take(120).collect();
    ClientError::Answer {
        url: url.to_owned(),
        status,
        reason: format!("{reason}: {start}"),
    }
    .failure()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit;

    #[test]
    fn a_query_is_encoded() {
        let request = Request::get("/v1/x").query([("filter", "status = Idle".to_owned())]);
        let request = request.query([("function", "a:b/c.{d}".to_owned())]);
        assert_eq!(
            request.path,
            "/v1/x?filter=status%20%3D%20Idle&function=a%3Ab%2Fc.%7Bd%7D"
        );
    }

    #[test]
    fn an_address_is_checked() {
        for url in [
            "localhost:9881",
            "ftp://x",
            "http://",
            "http://a b",
            "http://x?y",
        ] {
            let failure = Transport::at(url, "from --url", None).unwrap_err();
            assert_eq!(
                (failure.problem.code.as_str(), failure.exit),
                ("NET-002", exit::USAGE),
                "{url}"
            );
        }
        assert_eq!(
            Transport::at("http://localhost:9881/", "x", None)
                .unwrap()
                .base,
            "http://localhost:9881"
        );
    }

    #[test]
    fn nobody_there_is_unreachable() {
        // A port that was free a moment ago: the listener is closed again before the request.
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let transport =
            Transport::at(&format!("http://127.0.0.1:{port}"), "from --url", None).unwrap();
        let failure = transport
            .json::<serde_json::Value>(Request::get("/version"))
            .unwrap_err();
        assert_eq!(
            (failure.problem.code.as_str(), failure.exit),
            ("NET-001", exit::UNREACHABLE)
        );
        assert!(
            failure
                .problem
                .hint
                .unwrap()
                .contains("golem-cli server run")
        );
    }
}
