// SPDX-License-Identifier: Apache-2.0
//! THE DESK / build: from Go source and WIT to a component. In a [`Unit`], out a wasm file and a [`Summary`].
//! Never uploads. Read next: `build/plan.rs` (what is built), `build/steps.rs` (how). Why: Go guests §1, §10.

mod bindings;
mod error;
mod go;
mod plan;
mod steps;
mod summary;

pub(crate) use bindings::{Bindings, bindings, default_dir as default_bindings_dir};
pub(crate) use error::BuildError;
pub(crate) use go::{Go, OLDEST};
pub(crate) use plan::{Options, Unit, of_directory, of_manifest, stub_dir};
pub(crate) use steps::{build, build_from_module};
pub(crate) use summary::{Summary, short, size};
