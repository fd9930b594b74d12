// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / serve: the life of a server. In: [`Options`]. Out: a server until it is told to stop, or why there is none.
//! Never handles a request. Read next: `data_dir.rs` (what is opened), `listen.rs` (what is accepted).

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use golem_engine::trace::Tracer;
pub use golem_engine::{HostRule, LimitPolicy, ListenRule};
use golem_engine::{Network, Node, NodeConfig};
pub use golem_storage::CrashPoint;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::access::Access;
use crate::audit::Audit;
use crate::background::signals;
use crate::data_dir::DataDir;
use crate::error::ServeError;
use crate::http::{Door, Guard, Transfer, router};
use crate::jwt::Jwt;
use crate::limits;
use crate::listen::{Connections, Front};
use crate::otlp::{Collector, Exporter};
use crate::proxies::{Proxies, ProxyNetwork};
use crate::rates::{RateChanges, Rates};
use crate::tls::{Tls, TlsFiles};

/// What a server is started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Where components, workers and their oplogs are kept. Made when it is not there.
    pub data_dir: PathBuf,
    /// The address to listen on.
    pub host: IpAddr,
    /// The port to listen on; 0 lets the system choose.
    pub port: u16,
    /// Whether to empty the data directory first. Only a directory of this program is emptied.
    pub clean: bool,
    /// Whether requests need a token also on loopback. On an address that other machines reach they always do, unless
    /// [`Self::insecure_bind`].
    pub auth: bool,
    /// Whether an address that other machines reach is taken although nobody is asked who they are.
    pub insecure_bind: bool,
    /// Certificate and key; plain HTTP when absent.
    pub tls: Option<TlsFiles>,
    /// The file with issuers whose JSON web tokens hold as well; then requests need a token on loopback, too.
    pub jwt: Option<PathBuf>,
    /// Proxies that others come through, whose word counts of who they are; then requests need a token on loopback, too, unless
    /// [`Self::insecure_bind`].
    pub proxies: Vec<ProxyNetwork>,
    /// How often one may ask, where it is not as usual.
    pub rates: RateChanges,
    /// Idle instances that stay in memory; the engine's default when absent.
    pub resident_max: Option<usize>,
    /// Bytes of the process above which instances without work leave memory; the engine's default when absent.
    pub memory_bytes: Option<u64>,
    /// Hosts that guests may connect to; none by default. A component that declares capabilities gets of these what it
    /// declares.
    pub allow_network: Vec<HostRule>,
    /// Whether a component that declares no capabilities reaches nothing, instead of all of `allow_network`.
    pub declared_only: bool,
    /// How much workers may use.
    pub limits: LimitPolicy,
    /// Who gets spans of invocations; nobody when absent.
    pub collector: Option<Collector>,
    /// The file with the key that seals secrets; in the data directory when absent.
    pub secret_key: Option<PathBuf>,
    /// Addresses that guests may listen on; none by default.
    pub allow_listen: Vec<ListenRule>,
    /// A commit at which the process dies. For tests of recovery.
    pub crash_at: Option<CrashPoint>,
}

impl Options {
    /// A server of this machine on `data_dir` and a free port, for whoever is on this machine, whose guests reach nothing.
    #[must_use]
    pub fn local(data_dir: PathBuf) -> Self {
        Self {
            data_dir,
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            clean: false,
            auth: false,
            insecure_bind: false,
            tls: None,
            jwt: None,
            proxies: Vec::new(),
            rates: RateChanges::default(),
            resident_max: None,
            memory_bytes: None,
            allow_network: Vec::new(),
            declared_only: false,
            limits: LimitPolicy::default(),
            collector: None,
            secret_key: None,
            allow_listen: Vec::new(),
            crash_at: None,
        }
    }
}

/// A server that takes requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// Where it listens.
    pub address: SocketAddr,
    /// Whether over TLS.
    pub tls: bool,
    /// Where the token of the first owner was written, if this start made one.
    pub owner_token: Option<PathBuf>,
}

/// Runs a server until SIGINT or SIGTERM. `ready` is told once requests are taken. `fatal` is called when the disk refuses a
/// write, before anybody hears of it, and has to end the process at once.
///
/// Blocks. Errors: every variant of [`ServeError`].
pub fn run_until_signal(
    options: Options,
    ready: impl FnOnce(Started) + Send,
    fatal: impl FnOnce(ServeError) + Send + 'static,
) -> Result<(), ServeError> {
    run(options, ready, fatal, stop_on_signal()?)
}

/// True once SIGINT or SIGTERM came. Heard on a thread of its own, so that none is lost between two lives of a server.
fn stop_on_signal() -> Result<watch::Receiver<bool>, ServeError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(system("threads"))?;
    let (mut interrupt, mut terminate) = signals(&runtime)?;
    let (stop, stopped) = watch::channel(false);
    std::thread::Builder::new()
        .name("golem-signals".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
                    _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
                }
                stop.send_replace(true);
                // Later ones change nothing: a stopping server ends by itself.
                stop.closed().await;
            });
        })
        .map_err(system("threads"))?;
    Ok(stopped)
}

/// Runs a server on threads of its own until `stop` is true or its sender is gone. One that was given an import begins anew with
/// it, on the same socket: a life ends with its threads, so that nothing of it holds the store any more.
///
/// Blocks. Errors: as [`live`].
pub(crate) fn run(
    mut options: Options,
    ready: impl FnOnce(Started) + Send,
    fatal: impl FnOnce(ServeError) + Send + 'static,
    stop: watch::Receiver<bool>,
) -> Result<(), ServeError> {
    let fatal = Arc::new(Mutex::new(Some(fatal)));
    let (mut ready, mut socket) = (Some(ready), None);
    loop {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .thread_name("golem-server")
            .build()
            .map_err(system("threads"))?;
        let told = |started| {
            if let Some(ready) = ready.take() {
                ready(started);
            }
        };
        let fatal = Arc::clone(&fatal);
        let dying = move |error| {
            if let Some(fatal) = fatal.lock().take() {
                fatal(error);
            }
        };
        let mut stop = stop.clone();
        let stopped = async move {
            // An error means that the sender is gone, which is the same.
            let _ = stop.wait_for(|stop| *stop).await;
        };
        let ended = runtime.block_on(live(&options, socket.take(), told, dying, stopped))?;
        drop(runtime);
        match ended {
            Ended::Stopped => return Ok(()),
            Ended::Imported(kept) => socket = Some(kept),
        }
        tracing::info!("beginning anew with what was imported");
        // What was asked for at the start is done; what came since stays.
        options.clean = false;
    }
}

fn system(what: &'static str) -> impl Fn(io::Error) -> ServeError {
    move |error| ServeError::System {
        what,
        detail: error.to_string(),
    }
}

/// How a life of a server ended.
enum Ended {
    /// It was told to.
    Stopped,
    /// It was given an import; the next life takes requests from the same socket.
    Imported(std::net::TcpListener),
}

/// One life of a server: until `shutdown` is done or an import has arrived, then ended in order: no new connections, the replies
/// of running requests (at most [`limits::DRAIN_TIMEOUT`]), the engine with its committer. `ready` is told once requests are taken;
/// `fatal` is called when the disk refuses a write, and has to end the process. Listens on `socket`, if there is one.
///
/// Errors: every variant of [`ServeError`] before `ready` was called, none after. Not cancel safe: a dropped server
/// stops like a killed one, which loses nothing that was acknowledged.
async fn live(
    options: &Options,
    socket: Option<std::net::TcpListener>,
    ready: impl FnOnce(Started),
    fatal: impl FnOnce(ServeError) + Send + 'static,
    shutdown: impl Future<Output = ()>,
) -> Result<Ended, ServeError> {
    let cannot = |error: io::Error| cannot_bind(options, &error);
    let socket = match socket {
        Some(socket) => socket,
        None => bind(options).await?.into_std().map_err(cannot)?,
    };
    // Of its own, so that the socket stays while the next life begins: who comes meanwhile waits.
    let listener = TcpListener::from_std(socket.try_clone().map_err(cannot)?).map_err(cannot)?;
    let DataDir {
        store,
        blobs,
        code_dir,
    } = DataDir::open(&options.data_dir, options.clean)?;
    let mut config = NodeConfig::new(code_dir);
    config.crash_at = options.crash_at;
    config.network =
        Network::new(options.allow_network.clone()).listening(options.allow_listen.clone());
    config.declared_only = options.declared_only;
    config.limits = options.limits.clone();
    if let Some(file) = &options.secret_key {
        config.secret_key.clone_from(file);
    }
    let (tracer, spans) = Tracer::channel();
    let exporter = options.collector.clone().map(|collector| {
        config.tracer = Some(Arc::clone(&tracer));
        Exporter::start(collector, tracer, spans)
    });
    config.resident_max = options.resident_max.unwrap_or(config.resident_max);
    let proxies = Proxies::new(options.proxies.clone());
    // Who is behind a proxy is not on this machine, wherever the proxy is.
    let open = options.insecure_bind || (options.host.is_loopback() && proxies.is_empty());
    let asks = options.auth || options.jwt.is_some() || !open;
    let issuers = issuers(options.jwt.clone()).await?;
    let access = Access::open(Arc::clone(&store), asks)?.trusting(issuers);
    let owner_token = first_token(&access, &options.data_dir)?;
    let audit = audit(&access, &options.data_dir)?;
    let tls = options.tls.clone().map(Tls::open).transpose()?;
    config.memory_bytes = options.memory_bytes;
    let transfer = Transfer::new(
        Arc::clone(&store),
        Arc::clone(&blobs),
        options.data_dir.clone(),
    );
    let node = Node::start(&config, store, blobs, |error| {
        fatal(ServeError::StoreFailed(error))
    })?;
    let asks = access.is_required();
    let rates = Rates::new(options.rates.of(asks));
    let door = Door::new(Arc::clone(&node), access, rates, audit).with_transfer(transfer);
    let door = Arc::new(door);
    let guard = Guard {
        local_names_only: options.host.is_loopback(),
    };
    let front = Front::new(guard, tls.is_some(), router(Arc::clone(&door))).behind(proxies);
    let connections = Connections::new(limits::CONNECTIONS_MAX, limits::HEAD_TIMEOUT);
    let address = listener.local_addr().map_err(cannot)?;
    tracing::info!(%address, data_dir = %options.data_dir.display(), "taking requests");
    ready(Started {
        address,
        tls: tls.is_some(),
        owner_token,
    });

    let acceptor = tls.as_ref().map(Tls::acceptor);
    let certificate = async {
        match &tls {
            Some(tls) => tls.follow().await,
            None => std::future::pending().await,
        }
    };
    let imported = tokio::select! {
        () = connections.accept(listener, acceptor, front) => false,
        () = certificate => false,
        () = shutdown => false,
        () = door.imported() => true,
    };
    let kept = imported.then_some(socket);
    door.stop();
    connections.close();
    let drained = connections.ended(limits::DRAIN_TIMEOUT).await;
    node.stop().await;
    if let Some(exporter) = exporter {
        exporter.stop().await;
    }
    if !drained && !connections.ended(limits::FLUSH_TIMEOUT).await {
        tracing::warn!(
            "some requests were still running; their callers try again with the same idempotency key"
        );
    }
    tracing::info!("stopped");
    Ok(kept.map_or(Ended::Stopped, Ended::Imported))
}

/// Listens first: a second server on the same port must end before it touches anything.
async fn bind(options: &Options) -> Result<TcpListener, ServeError> {
    if !options.host.is_loopback() {
        if options.insecure_bind && !options.auth {
            tracing::warn!(host = %options.host, "everybody who reaches this address can do everything");
        } else if options.tls.is_none() {
            tracing::warn!(host = %options.host, "tokens cross the network as plain text; see --tls-cert");
        }
    }
    let address = SocketAddr::new(options.host, options.port);
    TcpListener::bind(address)
        .await
        .map_err(|error| cannot_bind(options, &error))
}

/// The issuers in a file, with their keys as far as they can be had now.
async fn issuers(file: Option<PathBuf>) -> Result<Option<Jwt>, ServeError> {
    let Some(file) = file else { return Ok(None) };
    // It reads files, and asks other servers.
    let opened = tokio::task::spawn_blocking(move || Jwt::open(&file)).await;
    let opened = opened.map_err(|error| ServeError::System {
        what: "threads",
        detail: error.to_string(),
    })?;
    opened.map(Some).map_err(|error| ServeError::Issuers {
        detail: error.to_string(),
    })
}

/// The file with the first owner's token, if there was none before.
fn first_token(access: &Access, dir: &Path) -> Result<Option<PathBuf>, ServeError> {
    access
        .first_owner(dir)
        .map_err(|error| ServeError::FirstToken {
            path: dir.to_owned(),
            detail: error.to_string(),
        })
}

/// The log of changes; none where nobody is asked who they are.
fn audit(access: &Access, dir: &Path) -> Result<Audit, ServeError> {
    if !access.is_required() {
        return Ok(Audit::none());
    }
    Audit::open(dir).map_err(|error| ServeError::DataDir {
        path: dir.to_owned(),
        detail: error.to_string(),
    })
}

fn cannot_bind(options: &Options, error: &io::Error) -> ServeError {
    let address = SocketAddr::new(options.host, options.port);
    match error.kind() {
        io::ErrorKind::AddrInUse => ServeError::PortInUse(address),
        _ => ServeError::Bind {
            address,
            detail: error.to_string(),
        },
    }
}
