// SPDX-License-Identifier: Apache-2.0
//! THE STAGE: runs components as durable workers. The only room that knows wasmtime; no type of it leaves.

mod activate;
mod alive;
mod component;
mod cwasm;
mod ephemeral;
pub mod error;
mod host;
mod instance;
pub mod limits;
pub mod node;
mod oplog;
pub mod queue;
mod resident;
mod rpc;
mod value;
mod wasm;
mod worker;

pub use error::{ComponentError, WorkerError};
pub use node::{
    CreatedWorker, FoundSignature, Node, NodeConfig, Outcome, Request, StartError, WorkerView,
};
pub use queue::Target;
