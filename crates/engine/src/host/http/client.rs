// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / client: sends one request of a guest and reads the response. In: a request. Out: the head of the response and
//! the pieces of its body, or what went wrong. A connection serves one request; redirects are the guest's business. Never
//! touches the log. Bound: [`CONNECTIONS_MAX`], the timeouts below. Read next: `network.rs`, `arriving.rs`.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use golem_model::Value;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderMap};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

use super::fields::is_forbidden;
use super::message::{HEADERS_BYTES_MAX, Header, HttpRequest, HttpResponse};
use super::network::{Network, Scheme};
use crate::trace::CallTrace;

/// Connections of all guests of a node at once: a quarter of the files that a process may open by default.
const CONNECTIONS_MAX: usize = 256;
/// How long a connection may take to be made when the guest says nothing. Source: as common clients have it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the first byte of a response, or the next one, may take when the guest says nothing: long enough for a model
/// that thinks, short enough that a dead peer does not keep a worker busy for ever.
const BYTES_TIMEOUT: Duration = Duration::from_secs(600);

/// A request, ready to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) https: bool,
    /// Lower case, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Host and port as the guest wrote them.
    pub(crate) authority: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<Header>,
    pub(crate) body: Vec<u8>,
    pub(crate) timeouts: Timeouts,
    /// What its span needs, if its invocation belongs to a trace. Not part of what the guest has asked.
    pub(crate) trace: Option<CallTrace>,
}

impl Request {
    /// What was asked, for the log.
    pub(crate) fn to_value(&self) -> Value {
        self.asked().to_value()
    }

    /// What was asked.
    fn asked(&self) -> HttpRequest {
        let scheme = if self.https { "https" } else { "http" };
        HttpRequest {
            method: self.method.clone(),
            scheme: scheme.into(),
            authority: Some(self.authority.clone()),
            path_with_query: self.path.clone(),
            headers: self.headers.clone(),
            body: self.body.clone(),
        }
    }
}

/// How long the guest waits.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Timeouts {
    pub(crate) connect: Option<Duration>,
    pub(crate) first_byte: Option<Duration>,
    pub(crate) between_bytes: Option<Duration>,
}

/// What went wrong. Numbers are in the log: never reuse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Trouble {
    /// No rule allows the host.
    Denied = 0,
    /// The address of the host is not a public one.
    Prohibited = 1,
    /// The name of the host has no address.
    NoName = 2,
    /// No connection in time.
    ConnectTimeout = 3,
    /// The host refuses.
    Refused = 4,
    /// The connection ended early.
    Terminated = 5,
    /// No response in time.
    ResponseTimeout = 6,
    /// The response stopped in the middle for too long.
    ReadTimeout = 7,
    /// TLS failed.
    Tls = 8,
    /// The certificate is not good.
    Certificate = 9,
    // 10 was a limit of bodies, which come in pieces now.
    /// What came is not HTTP.
    Protocol = 11,
    /// The response ends before its end.
    Incomplete = 12,
    /// No such URL can be asked for.
    BadUrl = 13,
    /// The headers of the response are over the limit.
    HeadersTooLarge = 14,
    /// The host cannot be reached.
    Unreachable = 15,
    /// The body was given up before it was finished.
    Abandoned = 16,
    /// The invocation that sent the request is over.
    Closed = 17,
    /// Asked for again after a restart, the response was another one than that of which the guest has a part.
    Changed = 18,
}

impl Trouble {
    const ALL: [Self; 18] = [
        Self::Denied,
        Self::Prohibited,
        Self::NoName,
        Self::ConnectTimeout,
        Self::Refused,
        Self::Terminated,
        Self::ResponseTimeout,
        Self::ReadTimeout,
        Self::Tls,
        Self::Certificate,
        Self::Protocol,
        Self::Incomplete,
        Self::BadUrl,
        Self::HeadersTooLarge,
        Self::Unreachable,
        Self::Abandoned,
        Self::Closed,
        Self::Changed,
    ];

    /// The trouble of a number.
    pub(crate) fn from_number(number: u32) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|trouble| *trouble as u32 == number)
    }
}

impl From<&std::io::Error> for Trouble {
    fn from(error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        match error.kind() {
            ErrorKind::ConnectionRefused => Self::Refused,
            ErrorKind::TimedOut => Self::ConnectTimeout,
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Self::Unreachable,
            ErrorKind::UnexpectedEof => Self::Incomplete,
            _ => Self::Terminated,
        }
    }
}

impl From<hyper::Error> for Trouble {
    fn from(error: hyper::Error) -> Self {
        let io = std::error::Error::source(&error)
            .and_then(|source| source.downcast_ref::<std::io::Error>());
        if let Some(io) = io {
            Self::from(io)
        } else if error.is_incomplete_message() {
            Self::Incomplete
        } else if error.is_parse_too_large() {
            Self::HeadersTooLarge
        } else if error.is_parse() || error.is_user() {
            Self::Protocol
        } else {
            Self::Terminated
        }
    }
}

/// What a test puts in the place of the network: it answers the requests of guests.
pub trait NetworkDouble: std::fmt::Debug + Send + Sync {
    /// The response to a request; `None` as if no rule allowed the host.
    fn answer(&self, request: &HttpRequest) -> Option<HttpResponse>;

    /// Hears of a request that is denied before it is asked for, because the component does not declare it.
    fn undeclared(&self, request: &HttpRequest);
}

/// Sends requests of guests.
#[derive(Debug)]
pub(crate) struct HttpClient {
    double: Option<Arc<dyn NetworkDouble>>,
    connections: Arc<Semaphore>,
    /// Made when the first request needs it: it parses some hundred certificates.
    tls: OnceLock<Option<Arc<ClientConfig>>>,
}

/// The first part of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) headers: Vec<Header>,
}

impl Head {
    /// Whether another response has the same body, by what the heads say of it.
    pub(crate) fn has_body_of(&self, other: &Self) -> bool {
        const ABOUT_BODY: [&str; 5] = [
            "content-length",
            "content-type",
            "content-encoding",
            "etag",
            "last-modified",
        ];
        let about = |head: &Self| -> Vec<Header> {
            let headers = head.headers.iter();
            headers
                .filter(|(name, _)| ABOUT_BODY.contains(&name.as_str()))
                .cloned()
                .collect()
        };
        self.status == other.status && about(self) == about(other)
    }
}

/// A part of the body of a response.
#[derive(Debug)]
pub(crate) enum Piece {
    Data(Bytes),
    /// There is no more; with the trailers, if there are some.
    End(Option<Vec<Header>>),
}

/// The body of a response, piece by piece. Its connection ends with it.
#[derive(Debug)]
pub(crate) enum Pieces {
    Network {
        incoming: Incoming,
        between: Duration,
        _driver: Bound,
        _connection: Option<OwnedSemaphorePermit>,
    },
    Double(Bytes, Option<Vec<Header>>),
}

impl Pieces {
    /// The next piece. Not cancel safe: a piece may be lost with the future.
    pub(crate) async fn next(&mut self) -> Result<Piece, Trouble> {
        let (incoming, between) = match self {
            Self::Double(bytes, trailers) if bytes.is_empty() => {
                return Ok(Piece::End(trailers.take()));
            }
            Self::Double(bytes, _) => return Ok(Piece::Data(std::mem::take(bytes))),
            Self::Network {
                incoming, between, ..
            } => (incoming, *between),
        };
        let frame = timeout(between, incoming.frame());
        let Some(frame) = frame.await.map_err(|_| Trouble::ReadTimeout)? else {
            return Ok(Piece::End(None));
        };
        match frame?.into_data() {
            Ok(data) => Ok(Piece::Data(data)),
            Err(other) => {
                let trailers = other.into_trailers().ok();
                let trailers = trailers.as_ref().map(headers).transpose()?;
                Ok(Piece::End(trailers))
            }
        }
    }
}

/// A task that ends with whoever started it.
#[derive(Debug)]
pub(crate) struct Bound(tokio::task::JoinHandle<()>);

impl Drop for Bound {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl HttpClient {
    /// A client.
    pub(crate) fn new() -> Self {
        Self {
            double: None,
            connections: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            tls: OnceLock::new(),
        }
    }

    /// A client whose requests go to `double` and nowhere else, if there is one.
    pub(crate) fn with_double(self, double: Option<Arc<dyn NetworkDouble>>) -> Self {
        Self { double, ..self }
    }

    /// Sends a request to a host that `network` allows, and reads the head of the response. Cancel safe in that nothing goes on
    /// after the drop.
    pub(crate) async fn send(
        &self,
        network: &Network,
        request: Request,
    ) -> Result<(Head, Pieces), Trouble> {
        let scheme = if request.https {
            Scheme::Https
        } else {
            Scheme::Http
        };
        if let Some(double) = &self.double {
            let asked = request.asked();
            let (host, port) = (request.host.as_str(), request.port);
            let refused = if !network.declares_request(scheme, host, port) {
                Some(Trouble::Denied)
            } else if !network.declares_address(host, port) {
                Some(Trouble::Prohibited)
            } else {
                None
            };
            if let Some(refused) = refused {
                double.undeclared(&asked);
                return Err(refused);
            }
            let answer = double.answer(&asked).ok_or(Trouble::Denied)?;
            let (head, body, trailers) = answer.into_parts();
            return Ok((head, Pieces::Double(body.into(), trailers)));
        }
        if !network.allows_request(scheme, &request.host, request.port) {
            return Err(Trouble::Denied);
        }
        // The semaphore is never closed.
        let connections = Arc::clone(&self.connections);
        let connection = connections.acquire_owned().await.ok();
        let connect = request.timeouts.connect.unwrap_or(CONNECT_TIMEOUT);
        let stream = timeout(connect, Self::connect(network, &request))
            .await
            .map_err(|_| Trouble::ConnectTimeout)??;
        if !request.https {
            return exchange(stream, request, connection).await;
        }
        let tls = self.tls.get_or_init(web_tls);
        let tls = TlsConnector::from(Arc::clone(tls.as_ref().ok_or(Trouble::Tls)?));
        let name = ServerName::try_from(request.host.clone()).map_err(|_| Trouble::BadUrl)?;
        let stream = timeout(connect, tls.connect(name, stream))
            .await
            .map_err(|_| Trouble::ConnectTimeout)?
            .map_err(|error| tls_trouble(&error))?;
        exchange(stream, request, connection).await
    }

    /// Connects to the first address that may be connected to and answers.
    async fn connect(network: &Network, request: &Request) -> Result<TcpStream, Trouble> {
        let addresses: Vec<SocketAddr> = match request.host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, request.port)],
            Err(_) => tokio::net::lookup_host((request.host.as_str(), request.port))
                .await
                .map_err(|_| Trouble::NoName)?
                .collect(),
        };
        let mut trouble = if addresses.is_empty() {
            Trouble::NoName
        } else {
            Trouble::Prohibited
        };
        for address in addresses {
            if !network.allows_address(address.ip(), address.port()) {
                continue;
            }
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => trouble = Trouble::from(&error),
            }
        }
        Err(trouble)
    }
}

/// TLS as a client of the web: rustls with ring and the roots that browsers trust. Parses some hundred certificates, so make it once.
/// `None`: the library refuses its own defaults.
#[must_use]
pub fn web_tls() -> Option<Arc<ClientConfig>> {
    let roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let provider = Arc::new(crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .ok()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Some(Arc::new(config))
}

fn tls_trouble(error: &std::io::Error) -> Trouble {
    use tokio_rustls::rustls::Error;
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        Some(Error::InvalidCertificate(_)) => Trouble::Certificate,
        Some(_) => Trouble::Tls,
        None => Trouble::from(error),
    }
}

/// One request and the head of its response over a connection.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request,
    connection: Option<OwnedSemaphorePermit>,
) -> Result<(Head, Pieces), Trouble> {
    let (mut sender, driver) = http1::handshake(TokioIo::new(stream)).await?;
    let driver = Bound(tokio::spawn(async move {
        if let Err(error) = driver.await {
            tracing::debug!(%error, "a connection of a guest ended");
        }
    }));
    let mut head = hyper::Request::builder()
        .method(request.method.as_str())
        .uri(&request.path)
        .header(HOST, request.authority.as_str());
    for (name, value) in &request.headers {
        // The length is what the body has, whatever the guest says.
        if name != "content-length" {
            head = head.header(name.as_str(), value.as_slice());
        }
    }
    let own = |name: &str| request.headers.iter().any(|(own, _)| own == name);
    // The guest may have a trace of its own.
    if let Some(trace) = request.trace.as_ref().filter(|_| !own("traceparent")) {
        let parent = trace.context.traceparent();
        head = parent
            .into_iter()
            .fold(head, |head, parent| head.header("traceparent", parent));
        if !trace.context.state.is_empty() && !own("tracestate") {
            head = head.header("tracestate", trace.context.state.as_str());
        }
    }
    let outgoing = head
        .body(Full::new(Bytes::from(request.body)))
        .map_err(|_| Trouble::BadUrl)?;
    let first_byte = request.timeouts.first_byte.unwrap_or(BYTES_TIMEOUT);
    let response = timeout(first_byte, sender.send_request(outgoing))
        .await
        .map_err(|_| Trouble::ResponseTimeout)??;
    let (parts, incoming) = response.into_parts();
    let head = Head {
        status: parts.status.as_u16(),
        headers: headers(&parts.headers)?,
    };
    let pieces = Pieces::Network {
        incoming,
        between: request.timeouts.between_bytes.unwrap_or(BYTES_TIMEOUT),
        _driver: driver,
        _connection: connection,
    };
    Ok((head, pieces))
}

/// Headers without those of the connection.
fn headers(map: &HeaderMap) -> Result<Vec<Header>, Trouble> {
    let headers: Vec<Header> = map
        .iter()
        .filter(|(name, _)| !is_forbidden(name.as_str()))
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
        .collect();
    let bytes: usize = headers
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    if bytes > HEADERS_BYTES_MAX {
        return Err(Trouble::HeadersTooLarge);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests;
