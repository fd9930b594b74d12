// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / outside: what all instances of a node share when they reach beyond their own memory.
//! Read next: `keyvalue.rs`.

use tokio::sync::Mutex;

/// One per node.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    /// Held by whoever changes rows of keyvalue or blobstore: first what a change depends on is read, then it is handed to
    /// the commit stream, and nobody comes in between.
    pub(crate) keyed: Mutex<()>,
}
