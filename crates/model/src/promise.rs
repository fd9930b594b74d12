// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / promise: a value that somebody will give to a worker later. In: the row that the store keeps. Out: bytes.
//! Never touches IO. Read next: golem-engine's `promises.rs`. Source: runtime spec §2.8.

use crate::{LogId, OplogIndex};

/// What the store keeps of a promise: protobuf wire format, like the log.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PromiseRow {
    /// It has its value; the first one counts.
    #[prost(bool, tag = "1")]
    pub completed: bool,
    /// The value; empty when it is in `blob`.
    #[prost(bytes = "vec", tag = "2")]
    pub data: Vec<u8>,
    /// Name of the blob that holds the value.
    #[prost(bytes = "vec", optional, tag = "3")]
    pub blob: Option<Vec<u8>>,
}

impl PromiseRow {
    /// Key of the promise that the worker with `log` created at entry `index`.
    #[must_use]
    pub fn key(log: LogId, index: OplogIndex) -> Vec<u8> {
        [log.0.to_be_bytes(), index.0.to_be_bytes()].concat()
    }

    /// The entry at which the promise of `key` was created; `None` for what is no such key.
    #[must_use]
    pub fn index_of(key: &[u8]) -> Option<OplogIndex> {
        let bytes = key.get(8..16)?;
        Some(OplogIndex(u64::from_be_bytes(bytes.try_into().ok()?)))
    }

    /// Reads a row. Fails on bytes that are no protobuf message.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, prost::DecodeError> {
        prost::Message::decode(bytes)
    }

    /// The bytes of the row.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        prost::Message::encode_to_vec(self)
    }
}
