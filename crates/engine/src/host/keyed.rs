// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / keyed: rows that the guests of one component share in the node's store: what keyvalue and blobstore stand
//! on. In: names. Out: keys, rows, and the operations that change them. Never touches WIT. Bound: [`NAME_BYTES_MAX`],
//! [`VALUE_BYTES_MAX`]. Read next: `keyvalue.rs`, `blobstore.rs`.

use golem_model::ComponentId;
use golem_storage::store::KvSpace;
use golem_storage::{Op, StoreError};

use super::calls::Call;
use super::durable::Halt;
use super::recorded::unreadable;
use super::state::HostState;
use golem_model::oplog::INLINE_BYTES_MAX;

/// Longest name of a bucket, key, container or object: what a key of the store may hold with all its parts.
pub(super) const NAME_BYTES_MAX: usize = 4 << 10;
/// Largest value or object: what one blob may hold and a guest of the smallest memory can still read.
pub(super) const VALUE_BYTES_MAX: usize = 32 << 20;
/// Most keys that one call lists or deletes: they are one answer in the log, and one commit.
pub(super) const KEYS_MAX: usize = 32 << 10;
/// Keys of one read of the store.
const SCAN: usize = 1 << 10;

/// Kinds of rows. The letter is the first byte of the key on disk: never used for something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A value of a bucket of `wasi:keyvalue`.
    Value,
    /// A value of `wasi:keyvalue/cache`.
    Cached,
    /// A container of `wasi:blobstore`.
    Container,
    /// An object of a container.
    Object,
}

impl Kind {
    fn letter(self) -> u8 {
        match self {
            Self::Value => b'k',
            Self::Cached => b'c',
            Self::Container => b'n',
            Self::Object => b'o',
        }
    }
}

/// What all keys of a group (a bucket, a container) begin with. The length stands in front of the name, so that no group
/// begins like another.
pub(super) fn prefix(kind: Kind, component: ComponentId, group: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(19 + group.len());
    key.push(kind.letter());
    key.extend_from_slice(component.0.as_bytes());
    key.extend_from_slice(&u16::try_from(group.len()).unwrap_or(u16::MAX).to_be_bytes());
    key.extend_from_slice(group.as_bytes());
    key
}

/// The key of a row.
pub(super) fn key(kind: Kind, component: ComponentId, group: &str, name: &str) -> Vec<u8> {
    let mut key = prefix(kind, component, group);
    key.extend_from_slice(name.as_bytes());
    key
}

/// A row: a moment, and bytes that stand in it or in a blob. Layout: moment (8 bytes, little endian), size (8), then `0`
/// and the bytes or `1` and the hash of the blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// Nanoseconds since 1970: made at, or kept until.
    pub(super) moment: u64,
    /// Bytes of the value.
    pub(super) size: u64,
    /// Where they are.
    pub(super) content: Content,
}

/// Where the bytes of a row are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// In the row.
    Inline(Vec<u8>),
    /// In the blob of this hash.
    Blob(String),
}

impl Row {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(17);
        bytes.extend_from_slice(&self.moment.to_le_bytes());
        bytes.extend_from_slice(&self.size.to_le_bytes());
        match &self.content {
            Content::Inline(content) => {
                bytes.push(0);
                bytes.extend_from_slice(content);
            }
            Content::Blob(hash) => {
                bytes.push(1);
                bytes.extend_from_slice(hash.as_bytes());
            }
        }
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (moment, rest) = bytes.split_first_chunk::<8>()?;
        let (size, rest) = rest.split_first_chunk::<8>()?;
        let (place, content) = rest.split_first()?;
        let content = match place {
            0 => Content::Inline(content.to_vec()),
            1 => Content::Blob(String::from_utf8(content.to_vec()).ok()?),
            _ => return None,
        };
        Some(Self {
            moment: u64::from_le_bytes(*moment),
            size: u64::from_le_bytes(*size),
            content,
        })
    }
}

impl HostState {
    /// A row of `moment` with `bytes`, which are in a blob by now if they are many.
    pub(super) fn new_row(&self, moment: u64, bytes: Vec<u8>) -> Result<Row, Halt> {
        let size = bytes.len() as u64;
        let content = if bytes.len() <= INLINE_BYTES_MAX {
            Content::Inline(bytes)
        } else {
            let stored = self.rpc.node().payloads().store(bytes)?;
            Content::Blob(String::from_utf8(stored.blob.unwrap_or_default()).unwrap_or_default())
        };
        Ok(Row {
            moment,
            size,
            content,
        })
    }

    /// The bytes of a row.
    pub(super) fn content(&self, row: Row) -> Result<Vec<u8>, Halt> {
        match row.content {
            Content::Inline(bytes) => Ok(bytes),
            Content::Blob(hash) => Ok(self
                .rpc
                .node()
                .payloads()
                .load(Vec::new(), Some(hash.into_bytes()))?),
        }
    }

    /// The row of a key as the store has it. What was written a moment ago is waited for with `settled`, before.
    pub(super) fn row(&self, key: &[u8]) -> Result<Option<Row>, Halt> {
        let Some(bytes) = self.rpc.node().store().kv(KvSpace::KeyValue, key)? else {
            return Ok(None);
        };
        let damaged = || StoreError::Corrupt {
            what: "a row of the key-value store".into(),
            detail: "it is too short".into(),
        };
        Ok(Some(Row::from_bytes(&bytes).ok_or_else(damaged)?))
    }

    /// Names of the rows below a prefix, in order. `None`: there are more than [`KEYS_MAX`].
    pub(super) fn names(&self, prefix: &[u8]) -> Result<Option<Vec<String>>, Halt> {
        let store = self.rpc.node().store();
        let mut names = Vec::new();
        let mut after: Option<Vec<u8>> = None;
        loop {
            let keys = store.scan_kv(KvSpace::KeyValue, prefix, after.as_deref(), SCAN)?;
            let Some(last) = keys.last() else {
                return Ok(Some(names));
            };
            after = Some(last.clone());
            for key in keys {
                let name = key.get(prefix.len()..).unwrap_or_default();
                names.push(String::from_utf8_lossy(name).into_owned());
            }
            if names.len() > KEYS_MAX {
                return Ok(None);
            }
        }
    }
}

/// Writes a row.
pub(super) fn put(key: Vec<u8>, row: &Row) -> Op {
    Op::PutKv {
        space: KvSpace::KeyValue,
        key,
        value: row.to_bytes(),
    }
}

/// Deletes a row.
pub(super) fn delete(key: Vec<u8>) -> Op {
    Op::DelKv {
        space: KvSpace::KeyValue,
        key,
    }
}

/// A recorded row, or none.
pub(super) fn recorded_row(call: Call, bytes: Option<&[u8]>) -> Result<Option<Row>, Halt> {
    let Some(bytes) = bytes else { return Ok(None) };
    Ok(Some(
        Row::from_bytes(bytes).ok_or_else(|| unreadable(call))?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_comes_back_from_its_bytes_and_rubbish_does_not() {
        let rows = [
            Row {
                moment: 7,
                size: 2,
                content: Content::Inline(vec![1, 2]),
            },
            Row {
                moment: u64::MAX,
                size: 1 << 40,
                content: Content::Blob("ab".into()),
            },
        ];
        for row in rows {
            assert_eq!(Row::from_bytes(&row.to_bytes()), Some(row));
        }
        for rubbish in [&b""[..], &[0; 16], &[9; 17]] {
            assert_eq!(Row::from_bytes(rubbish), None);
        }
    }

    #[test]
    fn groups_do_not_run_into_each_other() {
        let component = ComponentId(uuid::Uuid::nil());
        let other = key(Kind::Value, component, "ab", "c");
        assert!(!other.starts_with(&prefix(Kind::Value, component, "a")));
        assert_ne!(other, key(Kind::Value, component, "a", "bc"));
        assert_ne!(other, key(Kind::Object, component, "ab", "c"));
    }
}
