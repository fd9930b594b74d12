// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / payload: large values go to the blob store before the entry that names them. In: bytes. Out: bytes or a hash.
//! Bound: `INLINE_BYTES_MAX` inline. Read next: `writer.rs`. Source: storage design §2, rule in runtime spec §2.1.

use std::sync::Arc;

use golem_model::oplog::INLINE_BYTES_MAX;
use golem_storage::{Blobs, StoreError};

/// A payload as an entry holds it.
pub(crate) struct Stored {
    /// The bytes; empty when they are in a blob.
    pub(crate) inline: Vec<u8>,
    /// Name of the blob, which is durable.
    pub(crate) blob: Option<Vec<u8>>,
    /// Bytes of the blob; 0 when there is none.
    pub(crate) blob_bytes: u64,
}

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
    pub(crate) fn store(&self, bytes: Vec<u8>) -> Result<Stored, StoreError> {
        if bytes.len() <= INLINE_BYTES_MAX {
            return Ok(Stored {
                inline: bytes,
                blob: None,
                blob_bytes: 0,
            });
        }
        let hash = self.blobs.put(&bytes)?;
        Ok(Stored {
            inline: Vec::new(),
            blob: Some(hash.into_bytes()),
            blob_bytes: bytes.len() as u64,
        })
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
