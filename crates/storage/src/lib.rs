// SPDX-License-Identifier: Apache-2.0
//! THE SHELVES: the `Store` trait, its backends, the committer, blobs. Only this room writes to disk for workers.

pub mod store;

pub use store::{CommitError, Op, Store, StoreError, Token};
