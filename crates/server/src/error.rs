// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / error: why a server does not start. In: what the system, the store or the engine said. Out: [`ServeError`].
//! Never about a request (`http/error.rs`). Read next: `serve.rs`. Codes: docs/errors/README.md.

use std::net::SocketAddr;
use std::path::PathBuf;

use golem_engine::StartError;
use golem_model::Coded;
use golem_storage::export::ExportError;
use golem_storage::{CommitError, StoreError};

/// Why a server did not start, or did not stop in order.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Another process listens there.
    #[error("address {0} is already in use")]
    PortInUse(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {detail}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        detail: String,
    },
    /// `--clean` was asked for a directory that this program did not make.
    #[error("`{}` is not empty and not a data directory of this program: it is not cleaned", .0.display())]
    NotOurs(PathBuf),
    /// The data directory cannot be made, read or emptied.
    #[error("cannot use the data directory `{}`: {detail}", path.display())]
    DataDir {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        detail: String,
    },
    /// There is no data directory where one is to be exported.
    #[error("`{}` is no data directory of this program", .0.display())]
    NoDataDir(PathBuf),
    /// Something of an import is in the store, and the rest of it cannot be read any more.
    #[error("the import into `{}` was begun and cannot be finished: {error}", path.display())]
    Unfinished {
        /// The data directory.
        path: PathBuf,
        /// Why.
        error: ExportError,
    },
    /// Nothing was exported or imported.
    #[error(transparent)]
    Export(ExportError),
    /// The store does not open.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The engine does not start.
    #[error(transparent)]
    Engine(#[from] StartError),
    /// Certificate or key cannot be used.
    #[error("cannot use `{}` for TLS: {detail}", path.display())]
    Tls {
        /// The file.
        path: PathBuf,
        /// Why.
        detail: String,
    },
    /// The file with issuers of JSON web tokens cannot be used.
    #[error("{detail}")]
    Issuers {
        /// The file or the issuer, and why.
        detail: String,
    },
    /// Spans cannot be sent there.
    #[error("cannot send spans to `{address}`: {detail}")]
    BadCollector {
        /// The address.
        address: String,
        /// Why.
        detail: String,
    },
    /// The first token of an owner cannot be made.
    #[error("cannot make the first token in `{}`: {detail}", path.display())]
    FirstToken {
        /// The data directory.
        path: PathBuf,
        /// Why.
        detail: String,
    },
    /// The system gives no threads or no signals.
    #[error("the system gives no {what}: {detail}")]
    System {
        /// What was asked for.
        what: &'static str,
        /// What the system says.
        detail: String,
    },
    /// The disk refused a write or a sync. Nothing that comes later could be kept, and a failed sync must not be tried again:
    /// the server ends at once, and the next start reads what is durable.
    #[error("the store cannot write, and the server ends itself: {0}")]
    StoreFailed(CommitError),
}

impl Coded for ServeError {
    fn code(&self) -> &'static str {
        match self {
            Self::PortInUse(_) => "SRV-001",
            Self::Bind { .. } => "SRV-002",
            Self::NotOurs(_) => "SRV-004",
            Self::DataDir { .. } => "SRV-005",
            Self::NoDataDir(_) => "EXP-012",
            Self::Unfinished { .. } => "EXP-009",
            Self::Export(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Engine(error) => error.code(),
            Self::System { .. } => "SRV-006",
            Self::Tls { .. } => "SRV-007",
            Self::FirstToken { .. } => "SRV-008",
            Self::StoreFailed(_) => "SRV-009",
            Self::Issuers { .. } => "SRV-010",
            Self::BadCollector { .. } => "SRV-010",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::PortInUse(address) => {
                format!("stop the other server, or choose another port: golem-cli server run --port {}", next_port(*address))
            }
            Self::Bind { .. } => "listen on this machine only: golem-cli server run --host 127.0.0.1".into(),
            Self::NotOurs(_) => "check --data-dir, or pass a new directory".into(),
            Self::DataDir { .. } => "check free disk space and the permissions, or pass another directory: --data-dir DIR".into(),
            Self::NoDataDir(_) => "pass the --data-dir of the server: golem-cli export FILE --data-dir DIR".into(),
            Self::Unfinished { .. } => "import the export again into a new data directory: golem-cli import FILE --data-dir NEW-DIR".into(),
            Self::Export(error) => return error.hint(),
            Self::Store(error) => return error.hint(),
            Self::Engine(error) => return error.hint(),
            Self::Tls { .. } => "pass PEM files of a certificate and its key: --tls-cert cert.pem --tls-key key.pem".into(),
            Self::Issuers { .. } => "its form is in docs/front-door.md; check it with the issuer's own page: curl ISSUER/.well-known/openid-configuration".into(),
            Self::BadCollector { .. } => {
                "pass the address of its HTTP port: --otlp-endpoint http://127.0.0.1:4318; headers as NAME=VALUE,… in OTEL_EXPORTER_OTLP_HEADERS".into()
            }
            Self::FirstToken { .. } => "check free disk space and the permissions of the data directory".into(),
            Self::StoreFailed(_) => {
                "check the disk and the space on it, then start the server again: what was acknowledged is there".into()
            }
            Self::System { .. } => "raise the limits of processes and open files: ulimit -u, ulimit -n".into(),
        })
    }
}

fn next_port(address: SocketAddr) -> u16 {
    address.port().checked_add(1).unwrap_or(9881)
}
