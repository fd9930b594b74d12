// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / background: a server beside other work of the same process, and signals for programs without a runtime. In:
//! [`Options`]. Out: a running server. Never keeps the process alive. Read next: `serve.rs`.

use std::io;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::error::ServeError;
use crate::serve::{Options, Started, run};

/// A server on threads of its own. Dropping it stops it in order and waits for that.
#[derive(Debug)]
pub struct Background {
    address: SocketAddr,
    /// Dropping it tells the server to stop.
    stop: Option<watch::Sender<bool>>,
    thread: Option<JoinHandle<()>>,
}

fn system(what: &'static str) -> impl Fn(io::Error) -> ServeError {
    move |error| ServeError::System {
        what,
        detail: error.to_string(),
    }
}

impl Background {
    /// Starts a server and returns when it takes requests. Blocks until then. Errors: as [`run`].
    pub fn start(options: Options) -> Result<Self, ServeError> {
        let (stop, stopped) = watch::channel(false);
        let (said, says) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("golem-server".to_owned())
            .spawn(move || {
                let ready = |started: Started| drop(said.send(Ok(started.address)));
                // The process that we are a part of cannot go on either: nothing may be acknowledged any more.
                let fatal = |error| {
                    tracing::error!(%error, "the server ends the process");
                    std::process::abort();
                };
                if let Err(error) = run(options, ready, fatal, stopped) {
                    // Whoever waits is gone when the server was ready before.
                    drop(said.send(Err(error)));
                }
            })
            .map_err(system("threads"))?;
        let address = says.recv().map_err(|_| ServeError::System {
            what: "server",
            detail: "it ended before it was ready".to_owned(),
        })??;
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A server that panicked has stopped, too.
            let _ = thread.join();
        }
    }
}

/// Calls `then` at the first SIGINT or SIGTERM, on a thread of its own; a second one ends the process at once, which loses nothing that was acknowledged.
///
/// Errors: the system gives no threads or no signals.
pub fn on_signal(then: impl FnOnce() + Send + 'static) -> Result<(), ServeError> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(system("threads"))?;
    let (mut interrupt, mut terminate) = signals(&runtime)?;
    std::thread::Builder::new()
        .name("golem-signals".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                then();
                // Whoever does not want to wait presses again.
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                std::process::abort();
            });
        })
        .map_err(system("threads"))?;
    Ok(())
}

/// Listeners for SIGINT and SIGTERM on `runtime`. Errors: the system gives no signals.
pub(crate) fn signals(
    runtime: &Runtime,
) -> Result<(tokio::signal::unix::Signal, tokio::signal::unix::Signal), ServeError> {
    let _inside = runtime.enter();
    Ok((
        signal(SignalKind::interrupt()).map_err(system("signals"))?,
        signal(SignalKind::terminate()).map_err(system("signals"))?,
    ))
}
