// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / files: the file tree of a worker: names and attributes in memory, large contents in files of the data
//! directory that bear numbers, so no path of a guest ever reaches the machine. A function of what the guest does.

mod archive;
mod content;
mod initial;
mod look;
mod path;
mod tree;

pub(crate) use content::Spill;
pub(crate) use initial::InitialFiles;
pub(crate) use look::Seen;
pub(crate) use tree::{Attributes, Fault, Files, OpenWith, Opened, SetTime};
