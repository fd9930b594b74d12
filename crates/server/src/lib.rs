// SPDX-License-Identifier: Apache-2.0
//! THE DOOR: REST in the shapes of Golem 1.1, health, start and stop. In: HTTP and [`Options`]. Out: answers.
//! Never keeps state of its own, never knows how wasm runs; axum is known here only. Read next: `serve.rs`, `http/`.

mod access;
mod audit;
mod background;
mod data_dir;
mod error;
mod http;
mod import;
mod jwt;
pub mod limits;
mod listen;
mod offline;
mod otlp;
mod proxies;
mod rates;
mod serve;
mod tls;
pub mod trial;

pub use background::{Background, on_signal};
pub use error::ServeError;
pub use golem_storage::export::ExportError;
pub use offline::{check_export, export_dir, import_dir, save_export};
pub use otlp::Collector;
pub use proxies::{BadProxy, ProxyNetwork};
pub use rates::RateChanges;
pub use serve::{
    CrashPoint, HostRule, LimitPolicy, ListenRule, Options, Started, run_until_signal,
};
pub use tls::TlsFiles;
