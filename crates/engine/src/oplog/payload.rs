// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / payload: large values go to the blob store before the entry that names them. In: bytes. Out: bytes or a hash.
//! Bound: `INLINE_BYTES_MAX` inline. Read next: `writer.rs`. Source: storage design §2, rule in runtime spec §2.1.

use std::sync::Arc;

use golem_model::oplog::INLINE_BYTES_MAX;
use golem_storage::{Blobs, StoreError};

/// Puts payloads where they belong and gets them back.
#[derive(Clone)]
pub(crate) struct Payloads {
    blobs: Arc<Blobs>,
}

impl Payloads {
    /// Payloads over `blobs`.
    pub(crate) fn new(blobs: Arc<Blobs>) -> Self {
        Self { blobs }
    }

    /// Splits a payload into what the entry holds: the bytes, or nothing and the hash of a blob that is durable now.
    pub(crate) fn store(&self, bytes: Vec<u8>) -> Result<(Vec<u8>, Option<Vec<u8>>), StoreError> {
        if bytes.len() <= INLINE_BYTES_MAX {
            return Ok((bytes, None));
        }
        let hash = self.blobs.put(&bytes)?;
        Ok((Vec::new(), Some(hash.into_bytes())))
    }

    /// Keeps a large value of another node.
    pub(crate) fn keep(&self, bytes: &[u8]) -> Result<(), StoreError> {
        self.blobs.put(bytes).map(drop)
    }

    /// The payload that [`Payloads::store`] split.
    pub(crate) fn load(
        &self,
        inline: Vec<u8>,
        blob: Option<Vec<u8>>,
    ) -> Result<Vec<u8>, StoreError> {
        let Some(hash) = blob else { return Ok(inline) };
        let hash = String::from_utf8(hash).map_err(|_| StoreError::Corrupt {
            what: "name of a blob".into(),
            detail: "not text".into(),
        })?;
        self.blobs.get(&hash)
    }
}
