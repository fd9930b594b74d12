// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / component: uploads, what is in them, and their compiled code.

pub(crate) mod catalog;
mod contents;
pub(crate) mod files;
pub(crate) mod loaded;
pub(crate) mod reflect;
