// SPDX-License-Identifier: Apache-2.0
//! THE WORDS: ids, WIT types and values, oplog entries, status and API bodies. Plain data, no IO, no async.

pub mod api;
pub mod api_error;
pub mod capabilities;
pub mod component;
pub mod duration;
pub mod error;
pub mod filter;
pub mod function;
mod hex;
pub mod ids;
pub mod json;
pub mod limit;
pub mod names;
pub mod namespace;
pub mod oplog;
pub mod promise;
pub mod public_oplog;
pub mod query;
pub mod recording;
mod signature;
pub mod size;
pub mod suggest;
pub mod timer;
pub mod trace;
pub mod types;
pub mod urn;
pub mod value;
pub mod wave;
pub mod websocket;
pub mod worker;

pub use error::{Coded, Problem};
pub use hex::hex;
pub use ids::{
    ComponentId, ComponentVersion, IdempotencyKey, LogId, OplogIndex, ShardId, Timestamp, WorkerId,
};
pub use namespace::{ComponentName, Namespace};
pub use types::WitType;
pub use value::Value;
