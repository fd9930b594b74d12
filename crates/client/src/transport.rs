// SPDX-License-Identifier: Apache-2.0
//! THE PHONE / transport: one request, one answer. In a method, a path and a body; out the JSON of the answer, or
//! an error. Bound: [`ANSWER_BYTES_MAX`]. Never retries: the caller may not want to call twice.
//! Read next: `site.rs` (the address), `error.rs`. Source: client spec §1.1, §1.3.

use std::fmt::Write as _;
use std::time::Duration;

use golem_model::Namespace;
use golem_model::api::NAMESPACE_HEADER;
use golem_model::urn::percent_encode;
use rustls::CertificateError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::AsSendBody;
use ureq::http;

use crate::error::ClientError;
use crate::multipart::Form;
use crate::site::{Site, unusable};

/// Largest answer that is read: a listing of 10 000 workers has about 8 MB.
const ANSWER_BYTES_MAX: u64 = 256 << 20;

/// Largest answer that is read of a server that is only looked at; that of `/version` has some hundred bytes.
const LOOK_BYTES_MAX: u64 = 16 << 10;

/// What a server said that is only looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Status of HTTP.
    pub status: u16,
    /// The `Date` header.
    pub date: Option<String>,
    /// The body, at most 16 KiB.
    pub body: Vec<u8>,
}

/// Why it said nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswered {
    /// What is wrong with the secure connection, if that did not come about.
    pub tls: Option<Insecure>,
    /// A sentence.
    pub reason: String,
}

/// Why a secure connection did not come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Insecure {
    /// The time of the certificate is over.
    Expired,
    /// Its time has not come.
    Early,
    /// Nobody who is trusted has made it.
    Unknown,
    /// It is for another name.
    Name,
    /// The other end speaks no TLS, or another one.
    Other,
}

impl Unanswered {
    fn of(error: &ureq::Error) -> Self {
        let reason = error.to_string();
        // What goes wrong in a handshake comes as an error of the stream that is encrypted.
        let inner = match error {
            ureq::Error::Rustls(error) => Some(error),
            ureq::Error::Io(error) => error.get_ref().and_then(|error| error.downcast_ref()),
            _ => None,
        };
        let tls = match inner {
            Some(rustls::Error::InvalidCertificate(error)) => Some(Insecure::of(error)),
            Some(_) => Some(Insecure::Other),
            None => matches!(error, ureq::Error::Tls(_) | ureq::Error::Pem(_))
                .then_some(Insecure::Other),
        };
        Self { tls, reason }
    }
}

impl Insecure {
    fn of(error: &CertificateError) -> Self {
        match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::Early
            }
            CertificateError::UnknownIssuer => Self::Unknown,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::Name
            }
            _ => Self::Other,
        }
    }
}

/// A server's addresses and the connections to them.
pub(crate) struct Transport {
    /// Where all requests go but those of `workers`.
    main: Site,
    /// Where requests about workers go, if that is somewhere else.
    workers: Option<Site>,
    /// `Bearer` and the token.
    authorization: Option<String>,
    /// The namespace to act in, if one was named.
    namespace: Option<Namespace>,
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
    /// The server at `main`, without a token.
    pub(crate) fn at(main: Site) -> Self {
        Self {
            main,
            workers: None,
            authorization: None,
            namespace: None,
        }
    }

    /// Adds another address for requests about workers.
    pub(crate) fn send_workers_to(&mut self, workers: Site) {
        self.workers = Some(workers);
    }

    /// Adds the namespace to act in.
    pub(crate) fn act_in(&mut self, namespace: Namespace) {
        self.namespace = Some(namespace);
    }

    /// Shows a token with each request from now on; `from` says in errors where it comes from. Errors: `Secret`.
    pub(crate) fn show_token(&mut self, text: &str, from: &str) -> Result<(), ClientError> {
        let token = text.trim();
        let is_one = !token.is_empty() && token.chars().all(|c| c.is_ascii_graphic());
        if !is_one {
            let reason = "it is not one word of visible ASCII characters";
            return Err(unusable("the token", from, reason));
        }
        self.authorization = Some(format!("Bearer {token}"));
        Ok(())
    }

    /// The addresses, first the one of all that is not about workers.
    pub(crate) fn sites(&self) -> impl Iterator<Item = &Site> {
        std::iter::once(&self.main).chain(&self.workers)
    }

    /// Where a path is asked for.
    pub(crate) fn site(&self, path: &str) -> &Site {
        match &self.workers {
            Some(workers) if is_of_workers(path) => workers,
            _ => &self.main,
        }
    }

    /// The site and the whole URL of a request.
    fn place(&self, request: &Request) -> (&Site, String) {
        let site = self.site(&request.path);
        (site, format!("{}{}", site.base, request.path))
    }

    /// Sends a request and reads the answer as JSON.
    ///
    /// Errors: every variant of [`ClientError`] of the network, and the problem of a server that refuses.
    pub(crate) fn json<T: DeserializeOwned>(&self, request: Request) -> Result<T, ClientError> {
        let (site, url) = self.place(&request);
        let (status, body) = self.answer(site, &url, request)?;
        serde_json::from_slice(&body)
            .map_err(|error| unclear(&url, status, &error.to_string(), &body))
    }

    /// Sends a request and reads the answer as it is. Errors: as [`Self::json`].
    pub(crate) fn bytes(&self, request: Request) -> Result<Vec<u8>, ClientError> {
        let (site, url) = self.place(&request);
        self.answer(site, &url, request).map(|(_, body)| body)
    }

    /// Sends a request and gives the body of the answer as it arrives, without a bound. Errors: as [`Self::json`].
    pub(crate) fn read(&self, request: Request) -> Result<impl std::io::Read + use<>, ClientError> {
        let (site, url) = self.place(&request);
        let body = Vec::new();
        let response = self.accepted(site, &url, request, body)?;
        Ok(response.into_body().into_reader())
    }

    /// Sends a request with a file as its body and reads the answer as JSON. Errors: as [`Self::json`].
    pub(crate) fn send_file<T: DeserializeOwned>(
        &self,
        request: Request,
        file: std::fs::File,
    ) -> Result<T, ClientError> {
        let (site, url) = self.place(&request);
        let request = request.header([("content-type", "application/octet-stream".to_owned())]);
        let mut response = self.accepted(site, &url, request, file)?;
        let status = response.status().as_u16();
        let body = whole(site, &mut response)?;
        serde_json::from_slice(&body)
            .map_err(|error| unclear(&url, status, &error.to_string(), &body))
    }

    /// Status and body of a request that was not refused.
    fn answer(
        &self,
        site: &Site,
        url: &str,
        mut request: Request,
    ) -> Result<(u16, Vec<u8>), ClientError> {
        let body = std::mem::take(&mut request.body);
        tracing::debug!(bytes = body.len(), "body");
        let mut response = self.accepted(site, url, request, body)?;
        let body = whole(site, &mut response)?;
        tracing::debug!(bytes = body.len(), "answer");
        Ok((response.status().as_u16(), body))
    }

    /// The answer to a request that was not refused, its body not read yet.
    fn accepted(
        &self,
        site: &Site,
        url: &str,
        request: Request,
        body: impl AsSendBody,
    ) -> Result<http::Response<ureq::Body>, ClientError> {
        tracing::debug!(method = %request.method, url, "request");
        let mut builder = http::Request::builder().method(request.method).uri(url);
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        for (name, value) in self.headers() {
            builder = builder.header(name, value);
        }
        let bad = |reason: String| ClientError::Answer {
            url: url.to_owned(),
            status: 0,
            reason,
        };
        let request = builder.body(body).map_err(|error| bad(error.to_string()))?;
        let ran = site.agent.run(request);
        let mut response = ran.map_err(|error| site.failed(&error))?;
        let status = response.status().as_u16();
        tracing::debug!(status, "answer");
        if !(200..300).contains(&status) {
            let body = whole(site, &mut response)?;
            let none = || unclear(url, status, "no error of the API", &body);
            return Err(ClientError::refusal(status, &body).unwrap_or_else(none));
        }
        Ok(response)
    }

    /// One `GET path` with a bound of time, for who looks why a server does not answer. Errors: as [`Unanswered`] says.
    pub(crate) fn look(&self, path: &str, timeout: Duration) -> Result<Seen, Unanswered> {
        let site = self.site(path);
        let url = format!("{}{path}", site.base);
        let answer = site
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

    /// Where all that is not about a worker goes.
    pub(crate) fn main(&self) -> &Site {
        &self.main
    }

    /// The headers that say who asks, and where.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let token = self.authorization.as_deref();
        let token = token.map(|token| ("authorization", token));
        let namespace = self.namespace.as_ref();
        let namespace = namespace.map(|namespace| (NAMESPACE_HEADER, namespace.as_str()));
        token.into_iter().chain(namespace)
    }
}

/// Whether a path is one of the worker service of Golem 1.1, which may be another program than the one that keeps components: workers,
/// calls of unnamed ones, and APIs.
fn is_of_workers(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    let Some(rest) = path.strip_prefix("/v1/components/") else {
        return path.starts_with("/v1/api/");
    };
    let verb = rest.split('/').nth(1).unwrap_or_default();
    matches!(
        verb,
        "workers" | "invoke" | "invoke-and-await" | "update-dry-run"
    )
}

/// The body of an answer, at most [`ANSWER_BYTES_MAX`].
fn whole(site: &Site, response: &mut http::Response<ureq::Body>) -> Result<Vec<u8>, ClientError> {
    response
        .body_mut()
        .with_config()
        .limit(ANSWER_BYTES_MAX)
        .read_to_vec()
        .map_err(|error| site.failed(&error))
}

/// An answer that says something else than it should.
fn unclear(url: &str, status: u16, reason: &str, body: &[u8]) -> ClientError {
    let start: String = String::from_utf8_lossy(body).chars().take(120).collect();
    ClientError::Answer {
        url: url.to_owned(),
        status,
        reason: format!("{reason}: {start}"),
    }
}

#[cfg(test)]
mod tests {
    use golem_model::Coded as _;

    use super::*;
    use crate::{ErrorKind, Trust};

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
    fn paths_of_workers_go_to_their_address_and_all_others_to_the_first() {
        let site = |url: &str| Site::at(url, "x", Trust::Web).unwrap();
        let mut transport = Transport::at(site("http://components"));
        let at = |transport: &Transport, path: &str| transport.site(path).base.clone();
        let worker = "/v1/components/c/workers/w?x=/v1";
        assert_eq!(at(&transport, worker), "http://components");
        transport.workers = Some(site("http://workers"));
        for path in [
            worker,
            "/v1/components/c/workers",
            "/v1/components/c/workers/w/connect?from=1",
            "/v1/components/c/invoke?function=f",
            "/v1/components/c/invoke-and-await?function=f",
            "/v1/components/c/update-dry-run",
            "/v1/api/definitions",
        ] {
            assert_eq!(at(&transport, path), "http://workers", "{path}");
        }
        for path in [
            "/version",
            "/v1/components",
            "/v1/components?component-name=workers",
            "/v1/components/c/latest",
            "/v1/components/workers/download",
            "/v1/components/c/latest/plugins/installs",
            "/v1/plugins",
            "/v1/tokens",
            "/v1/secrets/workers",
        ] {
            assert_eq!(at(&transport, path), "http://components", "{path}");
        }
    }

    #[test]
    fn nobody_there_is_unreachable() {
        // A port that was free a moment ago: the listener is closed again before the request.
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let url = format!("http://127.0.0.1:{port}");
        let transport = Transport::at(Site::at(&url, "from --url", Trust::Web).unwrap());
        let error = transport
            .json::<serde_json::Value>(Request::get("/version"))
            .unwrap_err();
        assert_eq!(
            (error.code(), error.kind()),
            ("NET-001", ErrorKind::Unreachable)
        );
        assert!(error.hint().unwrap().contains("golem-cli server run"));
    }
}
