// SPDX-License-Identifier: Apache-2.0
//! THE SHELVES: the `Store` trait, its backends, the committer, blobs. Only this room writes to disk for workers.

mod batch;
pub mod blobs;
pub mod committer;
#[cfg(test)]
mod conformance;
pub mod export;
mod files;
pub mod fjall;
pub mod mem;
mod merge;
pub mod store;

pub use crate::fjall::FjallStore;
pub use blobs::Blobs;
pub use committer::{Committer, CrashPoint, Seq, Stopped};
pub use files::{TEMPORARY, sync_dir, write_durably};
pub use mem::MemStore;
pub use store::{CommitError, Op, Store, StoreError, Token};
