// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / checkpoint: images of instances, so that recovery does not grow with history. In: a component, a quiet
//! instance. Out: a component with an accessor in it; an image; an instance like the one of the image. An image is a cache:
//! any doubt refuses it, and the log is replayed instead. Never touches the log. Read next: `instrument.rs`, `access.rs`,
//! `capture.rs`, `restore.rs`, `format.rs`. Why: architecture D15, host design §8.

mod access;
mod accessor;
mod capture;
mod format;
#[cfg(test)]
mod go_tests;
mod handles;
mod image;
mod instrument;
mod pages;
mod restore;
mod saved;
mod scan;
mod start;
#[cfg(test)]
mod tests;

pub(crate) use access::{Access, AccessState, is_ours, link_access};
pub(crate) use handles::{HandleMirror, Held};
pub(crate) use image::{HostImage, Image};
pub(crate) use instrument::{INSTRUMENTATION, InstrumentError, Obstacle, instrument};
pub(crate) use pages::Pages;
pub use saved::CheckpointStats;
pub(crate) use saved::{Kept, Saved, Shelf, Summary};
pub(crate) use start::{Started, Starting};
