// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / listen: connections. In: a listening socket and the routes. Out: answered requests until told to stop.
//! Bounds: `limits.rs` (connections, head, time). Never looks into a request beyond its head. Read next: `http/guard.rs`.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::STRICT_TRANSPORT_SECURITY;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use futures_util::future::{Either, Map, Ready, ready};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::{TowerToHyperService, TowerToHyperServiceFuture};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use crate::http::{ApiError, Guard, Peer};
use crate::limits;
use crate::proxies::{Origin, Proxies};
use crate::tls::HANDSHAKE_TIMEOUT;

/// The routes behind the guard.
#[derive(Clone)]
pub(crate) struct Front {
    guard: Guard,
    /// Whether answers tell browsers to come by TLS only.
    encrypted: bool,
    proxies: Arc<Proxies>,
    peer: Option<SocketAddr>,
    routes: TowerToHyperService<Router>,
}

impl Front {
    /// `routes` behind `guard`. Requests carry the address of who sent them; answers of an `encrypted` server say that it is one.
    pub(crate) fn new(guard: Guard, encrypted: bool, routes: Router) -> Self {
        Self {
            guard,
            encrypted,
            proxies: Arc::default(),
            peer: None,
            routes: TowerToHyperService::new(routes),
        }
    }

    /// The same behind proxies, whose word counts of who asks and how they came.
    pub(crate) fn behind(mut self, proxies: Proxies) -> Self {
        self.proxies = Arc::new(proxies);
        self
    }

    /// The same for a connection with `peer`.
    fn of(&self, peer: SocketAddr) -> Self {
        let mut front = self.clone();
        front.peer = Some(peer);
        front
    }
}

impl Service<Request<Incoming>> for Front {
    type Response = Response;
    type Error = Infallible;
    type Future = Map<
        Either<Ready<Result<Response, Infallible>>, TowerToHyperServiceFuture<Router, Request>>,
        fn(Result<Response, Infallible>) -> Result<Response, Infallible>,
    >;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        let mut encrypted = self.encrypted;
        if let Some(peer) = self.peer {
            let Origin {
                address,
                via,
                encrypted: before,
            } = self.proxies.origin(peer, &head.headers);
            encrypted |= before;
            head.extensions.insert(Peer { address, via });
        }
        let answer = match self.guard.check(&head) {
            Ok(()) => Either::Right(self.routes.call(Request::from_parts(head, Body::new(body)))),
            Err(refused) => Either::Left(ready(Ok(ApiError::from(refused).into_response()))),
        };
        answer.map(if encrypted { by_tls_only } else { as_it_is })
    }
}

/// How long browsers come by TLS only once they have come by it: a year, as is usual.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

fn by_tls_only(answer: Result<Response, Infallible>) -> Result<Response, Infallible> {
    answer.map(|mut answer| {
        answer.headers_mut().insert(STRICT_TRANSPORT_SECURITY, HSTS);
        answer
    })
}

fn as_it_is(answer: Result<Response, Infallible>) -> Result<Response, Infallible> {
    answer
}

/// The connections of one server.
pub(crate) struct Connections {
    slots: Arc<Semaphore>,
    most: u32,
    head_timeout: Duration,
    stop: watch::Sender<bool>,
}

impl Connections {
    /// None yet, `most` at once. Each ends that has not sent the head of its next request within `head_timeout`.
    pub(crate) fn new(most: u32, head_timeout: Duration) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(most as usize)),
            most,
            head_timeout,
            stop: watch::Sender::new(false),
        }
    }

    /// Takes connections from `listener` for ever, with `tls` encrypted ones; drop the future to stop taking them, which closes the socket.
    pub(crate) async fn accept(
        &self,
        listener: TcpListener,
        tls: Option<TlsAcceptor>,
        front: Front,
    ) {
        loop {
            // The semaphore is never closed, so the only way on is with a slot.
            let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let (front, stop) = (front.of(peer), self.stop.subscribe());
                    let (tls, head_timeout) = (tls.clone(), self.head_timeout);
                    tokio::spawn(async move {
                        take(stream, tls, peer, front, head_timeout, stop).await;
                        drop(slot);
                    });
                }
                Err(error) if is_of_the_peer(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "no connection can be taken; raise the limit of open files");
                    tokio::time::sleep(limits::ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Tells all connections to end after their current reply.
    pub(crate) fn close(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until all connections have ended, at most `limit`; whether they have.
    pub(crate) async fn ended(&self, limit: Duration) -> bool {
        tokio::time::timeout(limit, self.slots.acquire_many(self.most))
            .await
            .is_ok()
    }
}

/// A connection that was taken: its handshake, if there is one, then its requests.
async fn take(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    peer: SocketAddr,
    front: Front,
    head_timeout: Duration,
    stop: watch::Receiver<bool>,
) {
    // Replies are small and waited for: without this a reply in two packets waits for an acknowledgement.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, %peer, "TCP_NODELAY refused");
    }
    let Some(tls) = tls else {
        return serve(stream, peer, front, head_timeout, stop).await;
    };
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
        Ok(Ok(stream)) => serve(stream, peer, front, head_timeout, stop).await,
        Ok(Err(error)) => tracing::debug!(%error, %peer, "no TLS"),
        Err(_) => tracing::debug!(%peer, "the handshake took too long"),
    }
}

/// The requests of one connection until it ends, or until its current reply once the server stops.
async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    front: Front,
    head_timeout: Duration,
    mut stop: watch::Receiver<bool>,
) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .max_buf_size(limits::HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), front)
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = stopped(&mut stop) => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %peer, "connection ended");
    }
}

/// Until the server stops, or is gone.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, which is the same.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Whether only that one connection failed, before it was taken.
fn is_of_the_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Extension;
    use axum::routing::post;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    /// After this time something is wrong.
    const PATIENCE: Duration = Duration::from_secs(20);

    /// A server of one route, and its address.
    async fn start(
        most: u32,
        head_timeout: Duration,
        encrypted: bool,
    ) -> (Arc<Connections>, SocketAddr) {
        start_behind(Proxies::default(), most, head_timeout, encrypted).await
    }

    /// The same behind proxies. It answers with the address that it takes for that of the client.
    async fn start_behind(
        proxies: Proxies,
        most: u32,
        head_timeout: Duration,
        encrypted: bool,
    ) -> (Arc<Connections>, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(Connections::new(most, head_timeout));
        let guard = Guard {
            local_names_only: true,
        };
        let who = |Extension(peer): Extension<Peer>| async move { peer.address.ip().to_string() };
        let routes = Router::new().route("/", post(who));
        let front = Front::new(guard, encrypted, routes).behind(proxies);
        let accepting = Arc::clone(&connections);
        tokio::spawn(async move { accepting.accept(listener, None, front).await });
        (connections, address)
    }

    async fn say(address: SocketAddr, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    /// All that comes until the server ends the connection.
    async fn hear(mut stream: TcpStream) -> String {
        let mut bytes = Vec::new();
        let read = stream.read_to_end(&mut bytes);
        let read = tokio::time::timeout(PATIENCE, read).await;
        // A reset is an end, too.
        drop(read.unwrap());
        String::from_utf8_lossy(&bytes).into_owned()
    }

    const REQUEST: &str = "POST / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

    #[tokio::test]
    async fn a_client_that_is_slow_with_its_head_is_cut_off_and_others_are_served() {
        let (_, address) = start(8, Duration::from_millis(100), false).await;
        let mut slow = Vec::new();
        for text in ["", "POST", "POST / HTTP/1.1\r\nhost: loc"] {
            slow.push(say(address, text).await);
        }
        let served = hear(say(address, REQUEST).await).await;
        assert!(served.starts_with("HTTP/1.1 200"), "{served}");
        for stream in slow {
            let heard = hear(stream).await;
            assert!(!heard.contains("200 OK"), "{heard}");
        }
        // The time counts between two requests as well.
        let idle = say(address, &REQUEST.replace("close", "keep-alive")).await;
        assert!(hear(idle).await.contains("200 OK"));
    }

    #[tokio::test]
    async fn a_head_that_is_too_large_is_refused() {
        let (_, address) = start(8, PATIENCE, false).await;
        // The limit is looked at after each read, so a little more may pass.
        let long = format!("x: {}\r\n\r\n", "y".repeat(4 * limits::HEAD_BYTES_MAX));
        let many: String = (0..200).map(|at| format!("x{at}: y\r\n")).collect();
        for headers in [long, many + "\r\n"] {
            let request = REQUEST.replace("\r\n\r\n", "\r\n") + &headers;
            let heard = hear(say(address, &request).await).await;
            assert!(
                heard.is_empty() || heard.starts_with("HTTP/1.1 431"),
                "{heard}"
            );
        }
    }

    #[tokio::test]
    async fn connections_over_the_limit_wait_for_a_place() {
        let (connections, address) = start(1, PATIENCE, false).await;
        let first = say(address, "POST").await;
        let second = say(address, REQUEST).await;
        tokio::time::timeout(PATIENCE, async {
            while connections.slots.available_permits() > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
        drop(first);
        assert!(hear(second).await.contains("200 OK"));
    }

    #[tokio::test]
    async fn browsers_are_told_to_come_by_tls_only_where_there_is_tls() {
        for encrypted in [true, false] {
            let (_, address) = start(8, PATIENCE, encrypted).await;
            let foreign = REQUEST.replace("localhost", "evil.example");
            for request in [REQUEST, &foreign] {
                let heard = hear(say(address, request).await).await.to_ascii_lowercase();
                let told = heard.contains("strict-transport-security: max-age=31536000");
                assert_eq!(told, encrypted, "{heard}");
            }
        }
    }

    #[tokio::test]
    async fn a_proxy_says_who_asks_and_that_they_came_by_tls() {
        let said = "x-forwarded-for: 198.51.100.7\r\nx-forwarded-proto: https\r\n\r\n";
        let request = REQUEST.replace("\r\n\r\n", "\r\n") + said;
        for (trusted, client, told) in [
            ("127.0.0.0/8", "198.51.100.7", true),
            ("10.0.0.0/8", "127.0.0.1", false),
        ] {
            let proxies = Proxies::new(vec![trusted.parse().unwrap()]);
            let (_, address) = start_behind(proxies, 8, PATIENCE, false).await;
            let heard = hear(say(address, &request).await)
                .await
                .to_ascii_lowercase();
            assert!(heard.ends_with(client), "{heard}");
            assert_eq!(heard.contains("strict-transport-security"), told, "{heard}");
        }
    }
}
