// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / bindgen: source files that let a guest language speak a WIT world. In a resolved world, out files as text.
//! Never runs a compiler of the guest language, never reads WIT from disk. Read next: `go/mod.rs`. Why: docs/go-bindings.md.

mod error;
mod files;
pub mod go;

pub use error::GoError;
pub use files::{GoModule, locate_module, requires_sdk, write_bindings};
