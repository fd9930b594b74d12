// SPDX-License-Identifier: Apache-2.0
//! THE DESK / template: the projects that `new` can make. In names, out files. Data lives in `templates/`.
//! Never talks to a server. Read next: `catalogue.rs`, `names.rs`, `render.rs`, `write.rs`.

mod catalogue;
mod error;
mod names;
mod render;
mod write;

pub(crate) use catalogue::{DEFAULT_TEMPLATE, Kind, Template, find};
pub(crate) use error::TemplateError;
pub(crate) use names::{Names, PackageSpec, bindings_dir, check, component_word, package_spec};
pub(crate) use render::{File, render};
pub(crate) use write::write_tree;
