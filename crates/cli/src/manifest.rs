// SPDX-License-Identifier: Apache-2.0
//! THE DESK / manifest: `golem.yaml`, the components of a project and which of them calls which. In YAML, out [`Manifest`].
//! Never builds. Read next: `build/plan.rs`. Why: docs/formats/manifest.md.

mod edit;
mod error;
mod raw;
mod read;

pub(crate) use edit::with_call;
pub(crate) use error::ManifestError;
pub(crate) use raw::{BindingStyle, ComponentKind};
pub(crate) use read::{Component, ExternalCommand, Manifest};
