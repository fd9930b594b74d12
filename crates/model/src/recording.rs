// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / recording: the whole history of a worker as one file, to be repeated elsewhere. In: bytes. Out: entries and what
//! they name, and back. Version 1; a checksum. Never touches a disk. Read next: docs/formats/recording.md.

use prost::Message;

use crate::oplog::Event;

/// First bytes of a recording.
const MAGIC: &[u8; 8] = b"golemrec";
/// Version of the layout.
const VERSION: u16 = 1;
/// Bytes before the body: magic, version, checksum of the body.
const HEADER_BYTES: usize = 14;
/// Largest recording: what one answer of a server holds, and what a client reads.
pub const RECORDING_BYTES_MAX: usize = 256 << 20;

/// The history of a worker.
#[derive(Clone, PartialEq, Message)]
pub struct Recording {
    /// Id of the component: 16 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub component: Vec<u8>,
    /// Name of the component.
    #[prost(string, tag = "2")]
    pub component_name: String,
    /// Name of the worker.
    #[prost(string, tag = "3")]
    pub worker_name: String,
    /// The newest version of the component when it was recorded.
    #[prost(uint64, tag = "4")]
    pub version: u64,
    /// The row of the worker (docs/formats/store.md).
    #[prost(bytes = "vec", tag = "5")]
    pub row: Vec<u8>,
    /// The entries of its oplog, from the first on (docs/formats/oplog.md).
    #[prost(bytes = "vec", repeated, tag = "6")]
    pub entries: Vec<Vec<u8>>,
    /// Large values that entries name by their SHA-256, in any order.
    #[prost(bytes = "vec", repeated, tag = "7")]
    pub blobs: Vec<Vec<u8>>,
    /// When it was recorded, µs since 1970.
    #[prost(uint64, tag = "8")]
    pub at: u64,
    /// The files that workers of the newest version begin with.
    #[prost(message, repeated, tag = "9")]
    pub files: Vec<RecordedFile>,
}

/// An initial file of the component.
#[derive(Clone, PartialEq, Message)]
pub struct RecordedFile {
    /// Absolute path in the worker.
    #[prost(string, tag = "1")]
    pub path: String,
    /// The guest cannot change it.
    #[prost(bool, tag = "2")]
    pub read_only: bool,
    /// The bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub content: Vec<u8>,
}

/// Bytes that are no recording.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRecording {
    /// Something else.
    #[error("it does not begin like a recording")]
    NotOne,
    /// A format of the future.
    #[error("its format has version {0}, known is {VERSION}")]
    Version(u16),
    /// Cut or changed.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

impl Recording {
    /// The file.
    #[must_use]
    pub fn to_file(&self) -> Vec<u8> {
        let body = self.encode_to_vec();
        let mut file = Vec::with_capacity(HEADER_BYTES + body.len());
        file.extend_from_slice(MAGIC);
        file.extend_from_slice(&VERSION.to_le_bytes());
        file.extend_from_slice(&checksum(&body).to_le_bytes());
        file.extend_from_slice(&body);
        file
    }

    /// Reads a file. Errors: [`BadRecording`].
    pub fn from_file(file: &[u8]) -> Result<Self, BadRecording> {
        let (header, body) = file
            .split_first_chunk::<HEADER_BYTES>()
            .ok_or(BadRecording::NotOne)?;
        let [magic @ .., v0, v1, c0, c1, c2, c3] = header;
        if magic != MAGIC {
            return Err(BadRecording::NotOne);
        }
        let version = u16::from_le_bytes([*v0, *v1]);
        if version != VERSION {
            return Err(BadRecording::Version(version));
        }
        if checksum(body) != u32::from_le_bytes([*c0, *c1, *c2, *c3]) {
            return Err(BadRecording::Damaged("the checksum is wrong".into()));
        }
        Self::decode(body).map_err(|error| BadRecording::Damaged(error.to_string()))
    }
}

/// The name of the blob that an entry needs, if it needs one.
#[must_use]
pub fn blob_of(event: &Event) -> Option<&[u8]> {
    let blob = match event {
        Event::Accepted(accepted) => &accepted.input_blob,
        Event::Read(read) => &read.output_blob,
        Event::CallEnd(end) => &end.output_blob,
        Event::Completed(completed) => &completed.output_blob,
        Event::Updated(updated) => &updated.snapshot.as_ref()?.blob,
        _ => return None,
    };
    blob.as_deref()
}

fn checksum(bytes: &[u8]) -> u32 {
    // The algorithm has 32 bits.
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_comes_back_and_a_damaged_one_is_told() {
        let recording = Recording {
            component: vec![7; 16],
            component_name: "counter".into(),
            worker_name: "w".into(),
            version: 2,
            row: vec![1, 2],
            entries: vec![vec![3], vec![4, 5]],
            blobs: vec![vec![6; 100]],
            at: 9,
            files: vec![RecordedFile {
                path: "/etc/app.conf".into(),
                read_only: true,
                content: vec![3],
            }],
        };
        let file = recording.to_file();
        assert_eq!(Recording::from_file(&file), Ok(recording));
        let damaged = |at: usize| {
            let mut file = file.clone();
            file[at] ^= 1;
            Recording::from_file(&file)
        };
        assert_eq!(damaged(0), Err(BadRecording::NotOne));
        assert_eq!(damaged(8), Err(BadRecording::Version(0)));
        for at in 10..file.len() {
            assert!(
                matches!(damaged(at), Err(BadRecording::Damaged(_))),
                "byte {at}"
            );
        }
        assert_eq!(Recording::from_file(&file[..13]), Err(BadRecording::NotOne));
    }
}
