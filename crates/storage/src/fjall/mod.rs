// SPDX-License-Identifier: Apache-2.0
//! THE SHELVES / fjall: the embedded store, one directory on one machine. In: batches. Out: durable state, reads.
//! Never shares its directory with another process. Read next: `store.rs` (what is promised), `layout.rs` (bytes),
//! `db.rs` (guard rails). Format: docs/formats/store.md. Source: storage design §1, §4.

mod db;
mod home;
pub(crate) mod journal;
pub(crate) mod layout;
mod settled;
mod store;
mod sweep;
mod tails;
mod visit;

pub use store::FjallStore;
