// SPDX-License-Identifier: Apache-2.0
//! THE STAGE: runs components as durable workers. The only room that knows wasmtime; no type of it leaves.

mod activate;
mod alive;
mod capabilities;
mod chance;
mod checkpoint;
mod clock;
mod component;
mod control;
mod cwasm;
mod ephemeral;
pub mod error;
#[cfg(test)]
mod faults;
mod host;
mod instance;
pub mod limits;
mod link;
mod maps;
mod meter;
mod metrics;
mod namespaces;
pub mod node;
mod oplog;
mod promises;
pub mod queue;
mod redact;
mod rehearse;
mod resident;
mod retention;
mod retry;
mod rpc;
mod run;
pub mod secrets;
mod stacks;
mod steady;
mod taking;
mod timers;
pub mod trace;
mod update;
mod value;
mod wasm;
mod worker;

pub use chance::{Chance, Seeded};
pub use checkpoint::CheckpointStats;
pub use clock::{Clock, ManualTime};
pub use component::files::{Declared, NewFile, Upload};
pub use control::RevertTo;
pub use error::{ComponentError, Failure, WorkerError};
pub use host::{
    BadListenRule, BadRule, HostRule, HttpRequest, HttpResponse, ListenRule, Network,
    NetworkDouble, web_tls,
};
pub use limits::LimitPolicy;
pub use metrics::{BOUNDS_MICROS, Durations, DurationsSeen, Figures};
pub use namespaces::NamespaceError;
pub use node::files::{FileKind, FileReader, FileView};
pub use node::{
    CallsOf, CreatedWorker, FoundSignature, Node, NodeConfig, OplogPage, Outcome, Request,
    SECRET_KEY_FILE, Scheduled, StartError, WorkerView,
};
pub use queue::Target;
pub use rehearse::{Rehearsal, RehearsalEnd, RehearsalStep, Verification};
pub use retention::Retention;
pub use secrets::SecretError;
