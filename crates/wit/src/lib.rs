// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / crate root: WIT in, stub WIT, stub components, bindings, composed components out. Files in, files out.
//! Never runs wasm, never opens a socket, never prints. Read next: `resolve.rs`, then `stub/interface.rs`.
//! Why: the two paths of docs/ARCHITECTURE.md (path *build*).

pub mod bindgen;
mod canonical;
pub mod compose;
pub mod deps;
pub mod describe;
pub mod diff;
pub mod encode;
mod files;
pub mod metadata;
pub mod names;
pub mod platform;
pub mod resolve;
pub mod stub;
mod texts;
mod tolerant;
