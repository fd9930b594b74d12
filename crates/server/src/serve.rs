// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / serve: the life of a server. In: [`Options`]. Out: a server until it is told to stop, or why there is none.
//! Never handles a request. Read next: `data_dir.rs` (what is opened), `listen.rs` (what is accepted).

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use golem_engine::{HostRule, ListenRule};
use golem_engine::{Network, Node, NodeConfig};
pub use golem_storage::CrashPoint;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::access::Access;
use crate::audit::Audit;
use crate::data_dir::DataDir;
use crate::error::ServeError;
use crate::http::{Door, Guard, router};
use crate::jwt::Jwt;
use crate::limits;
use crate::listen::{Connections, Front};
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
    /// How often one may ask, where it is not as usual.
    pub rates: RateChanges,
    /// Idle instances that stay in memory; the engine's default when absent.
    pub resident_max: Option<usize>,
    /// Bytes of the process above which instances without work leave memory; the engine's default when absent.
    pub memory_bytes: Option<u64>,
    /// Hosts that guests may connect to; none by default.
    pub allow_network: Vec<HostRule>,
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
            rates: RateChanges::default(),
            resident_max: None,
            memory_bytes: None,
            allow_network: Vec::new(),
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

/// Runs a server on threads of its own until SIGINT or SIGTERM. `ready` is told once requests are taken. `fatal` is
/// called when the disk refuses a write, before anybody hears of it, and has to end the process at once.
///
/// Blocks. Errors: every variant of [`ServeError`].
pub fn run_until_signal(
    options: Options,
    ready: impl FnOnce(Started) + Send,
    fatal: impl FnOnce(ServeError) + Send + 'static,
) -> Result<(), ServeError> {
    let system = |what: &'static str| {
        move |error: io::Error| ServeError::System {
            what,
            detail: error.to_string(),
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("golem-server")
        .build()
        .map_err(system("threads"))?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt()).map_err(system("signals"))?;
        let mut terminate = signal(SignalKind::terminate()).map_err(system("signals"))?;
        let shutdown = async move {
            tokio::select! {
                _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
                _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
            }
        };
        run(options, ready, fatal, shutdown).await
    })
}

/// Runs a server until `shutdown` is done, then ends it in order: no new connections, the replies of running requests
/// (at most [`limits::DRAIN_TIMEOUT`]), the engine with its committer. `ready` is told once requests are taken; `fatal` is called
/// when the disk refuses a write, and has to end the process.
///
/// Errors: every variant of [`ServeError`] before `ready` was called, none after. Not cancel safe: a dropped server
/// stops like a killed one, which loses nothing that was acknowledged.
pub async fn run(
    options: Options,
    ready: impl FnOnce(Started),
    fatal: impl FnOnce(ServeError) + Send + 'static,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let listener = bind(&options).await?;
    let DataDir {
        store,
        blobs,
        code_dir,
    } = DataDir::open(&options.data_dir, options.clean)?;
    let mut config = NodeConfig::new(code_dir);
    config.crash_at = options.crash_at;
    config.network =
        Network::new(options.allow_network.clone()).listening(options.allow_listen.clone());
    config.resident_max = options.resident_max.unwrap_or(config.resident_max);
    let open = options.insecure_bind || options.host.is_loopback();
    let asks = options.auth || options.jwt.is_some() || !open;
    let issuers = issuers(options.jwt.clone()).await?;
    let access = Access::open(Arc::clone(&store), asks)?.trusting(issuers);
    let owner_token = first_token(&access, &options.data_dir)?;
    let audit = audit(&access, &options.data_dir)?;
    let tls = options.tls.clone().map(Tls::open).transpose()?;
    config.memory_bytes = options.memory_bytes;
    let node = Node::start(&config, store, blobs, |error| {
        fatal(ServeError::StoreFailed(error))
    })?;
    let rates = Rates::new(options.rates.of(asks));
    let door = Arc::new(Door::new(Arc::clone(&node), access, rates, audit));
    let guard = Guard {
        local_names_only: options.host.is_loopback(),
    };
    let front = Front::new(guard, tls.is_some(), router(Arc::clone(&door)));
    let connections = Connections::new(limits::CONNECTIONS_MAX, limits::HEAD_TIMEOUT);
    let address = listener
        .local_addr()
        .map_err(|error| cannot_bind(&options, &error))?;
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
    tokio::select! {
        () = connections.accept(listener, acceptor, front) => {}
        () = certificate => {}
        () = shutdown => {}
    }
    door.stop();
    connections.close();
    let drained = connections.ended(limits::DRAIN_TIMEOUT).await;
    node.stop().await;
    if !drained && !connections.ended(limits::FLUSH_TIMEOUT).await {
        tracing::warn!(
            "some requests were still running; their callers try again with the same idempotency key"
        );
    }
    tracing::info!("stopped");
    Ok(())
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
