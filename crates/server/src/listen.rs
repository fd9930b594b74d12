// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / listen: connections. In: a listening socket and the routes. Out: answered requests until told to stop.
//! Bounds: `limits.rs` (connections, head, time). Never looks into a request beyond its head. Read next: `http/guard.rs`.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use futures_util::future::{Either, Ready, ready};
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
use crate::tls::HANDSHAKE_TIMEOUT;

/// The routes behind the guard.
#[derive(Clone)]
pub(crate) struct Front {
    guard: Guard,
    /// Whether the routes want to know who is at the other end.
    tells_peer: bool,
    peer: Option<SocketAddr>,
    routes: TowerToHyperService<Router>,
}

impl Front {
    /// `routes` behind `guard`; with `tells_peer`, requests carry the address of who sent them.
    pub(crate) fn new(guard: Guard, tells_peer: bool, routes: Router) -> Self {
        Self {
            guard,
            tells_peer,
            peer: None,
            routes: TowerToHyperService::new(routes),
        }
    }

    /// The same for a connection with `peer`.
    fn of(&self, peer: SocketAddr) -> Self {
        let mut front = self.clone();
        front.peer = self.tells_peer.then_some(peer);
        front
    }
}

impl Service<Request<Incoming>> for Front {
    type Response = Response;
    type Error = Infallible;
    type Future =
        Either<Ready<Result<Response, Infallible>>, TowerToHyperServiceFuture<Router, Request>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        if let Some(peer) = self.peer {
            head.extensions.insert(Peer(peer));
        }
        match self.guard.check(&head) {
            Ok(()) => Either::Right(self.routes.call(Request::from_parts(head, Body::new(body)))),
            Err(refused) => Either::Left(ready(Ok(ApiError::from(refused).into_response()))),
        }
    }
}

/// The connections of one server.
pub(crate) struct Connections {
    slots: Arc<Semaphore>,
    stop: watch::Sender<bool>,
}

impl Connections {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self {
            slots: Arc::new(Semaphore::new(limits::CONNECTIONS_MAX)),
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
                    let tls = tls.clone();
                    tokio::spawn(async move {
                        take(stream, tls, peer, front, stop).await;
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
    pub(crate) async fn ended(&self, limit: std::time::Duration) -> bool {
        let all = u32::try_from(limits::CONNECTIONS_MAX).unwrap_or(u32::MAX);
        tokio::time::timeout(limit, self.slots.acquire_many(all))
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
    stop: watch::Receiver<bool>,
) {
    // Replies are small and waited for: without this a reply in two packets waits for an acknowledgement.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, %peer, "TCP_NODELAY refused");
    }
    let Some(tls) = tls else {
        return serve(stream, peer, front, stop).await;
    };
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
        Ok(Ok(stream)) => serve(stream, peer, front, stop).await,
        Ok(Err(error)) => tracing::debug!(%error, %peer, "no TLS"),
        Err(_) => tracing::debug!(%peer, "the handshake took too long"),
    }
}

/// The requests of one connection until it ends, or until its current reply once the server stops.
async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    front: Front,
    mut stop: watch::Receiver<bool>,
) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HEAD_TIMEOUT)
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
