// SPDX-License-Identifier: Apache-2.0
//! THE SHELVES / export format: records with checksums, one behind the other. In: kinds, keys, contents. Out: bytes and back.
//! Never knows what a record means. Bound: [`RECORD_BYTES_MAX`]. Read next: `item.rs`. Format: docs/formats/export.md.

use std::io::{self, Read, Write};

use golem_model::api::ExportHead;
use golem_model::hex;
use sha2::{Digest as _, Sha256};

use super::ExportError;
use crate::blobs::BLOB_BYTES_MAX;
use crate::store::{COMMIT_BYTES_MAX, KEY_BYTES_MAX};

/// First bytes of a file.
const MAGIC: &[u8; 12] = b"golem-export";
/// The version that this program writes, and the only one that it reads.
pub const VERSION: u32 = 1;
/// Bytes of a record before its key: kind, length of the key, length of the content.
const RECORD_HEAD: usize = 1 + 4 + 4;
/// Bytes of the checksum behind each record.
const CHECKSUM: usize = 4;
/// Largest key and content of a record that is read or written: what one commit may append to one log, or a blob.
pub const RECORD_BYTES_MAX: usize = larger(COMMIT_BYTES_MAX, BLOB_BYTES_MAX) + KEY_BYTES_MAX;

const fn larger(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Head,
    Epoch,
    Worker,
    Oplog,
    Running,
    Result,
    Timer,
    Kv,
    Catalog,
    Blob,
    End,
}

impl Kind {
    const ALL: [Self; 11] = [
        Self::Head,
        Self::Epoch,
        Self::Worker,
        Self::Oplog,
        Self::Running,
        Self::Result,
        Self::Timer,
        Self::Kv,
        Self::Catalog,
        Self::Blob,
        Self::End,
    ];

    /// Its number in files: never reused for another kind.
    fn number(self) -> u8 {
        match self {
            Self::Head => 1,
            Self::Epoch => 2,
            Self::Worker => 3,
            Self::Oplog => 4,
            Self::Running => 5,
            Self::Result => 6,
            Self::Timer => 7,
            Self::Kv => 8,
            Self::Catalog => 9,
            Self::Blob => 10,
            Self::End => 255,
        }
    }

    fn of(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

/// One record of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// Where it begins.
    pub(super) at: u64,
    pub(super) kind: Kind,
    pub(super) key: Vec<u8>,
    pub(super) content: Vec<u8>,
}

/// What comes next in a file.
pub(super) enum Next {
    Record(Record),
    /// Nothing more.
    End {
        /// The name of the export.
        sha256: String,
    },
}

/// Checksum and hash of all bytes so far. The checksum behind a record is that of all bytes before it: a record that is left
/// out, put elsewhere or taken from another file shows at once.
#[derive(Clone)]
struct Sums {
    crc: crc_fast::Digest,
    sha: Sha256,
    bytes: u64,
}

impl Sums {
    fn new() -> Self {
        Self {
            crc: crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi),
            sha: Sha256::new(),
            bytes: 0,
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        self.crc.update(bytes);
        self.sha.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    fn checksum(&self) -> [u8; CHECKSUM] {
        let [.., a, b, c, d] = self.crc.finalize().to_be_bytes();
        [a, b, c, d]
    }

    /// What an end record says here: number of records, bytes of the file before it, and their SHA-256, which is the name of the
    /// export.
    fn end(self, records: u64) -> (String, Vec<u8>) {
        let (records, bytes) = (records.to_le_bytes(), self.bytes.to_le_bytes());
        let hash = self.sha.finalize();
        (hex(&hash), [records.as_slice(), &bytes, &hash].concat())
    }
}

/// A file under construction.
pub(super) struct Writer<'a> {
    out: &'a mut dyn Write,
    sums: Sums,
}

impl<'a> Writer<'a> {
    /// Begins a file. Errors: `Write`.
    pub(super) fn begin(out: &'a mut dyn Write, head: &ExportHead) -> Result<Self, ExportError> {
        let mut writer = Self {
            out,
            sums: Sums::new(),
        };
        writer.put(MAGIC)?;
        writer.put(&VERSION.to_le_bytes())?;
        let head = serde_json::to_vec(head).map_err(|error| ExportError::Write(error.into()))?;
        writer.record(Kind::Head, &[], &head)?;
        Ok(writer)
    }

    /// Adds a record. Errors: `Write`, also for one that is too large to be read again.
    pub(super) fn record(
        &mut self,
        kind: Kind,
        key: &[u8],
        content: &[u8],
    ) -> Result<(), ExportError> {
        let too_large = || {
            let bytes = key.len().saturating_add(content.len());
            let text = format!("a record of {bytes} bytes is over {RECORD_BYTES_MAX}");
            ExportError::Write(io::Error::new(io::ErrorKind::InvalidData, text))
        };
        if key.len().saturating_add(content.len()) > RECORD_BYTES_MAX {
            return Err(too_large());
        }
        let length = |part: &[u8]| u32::try_from(part.len()).map_err(|_| too_large());
        let (key_bytes, content_bytes) = (length(key)?, length(content)?);
        self.put(&[kind.number()])?;
        self.put(&key_bytes.to_le_bytes())?;
        self.put(&content_bytes.to_le_bytes())?;
        self.put(key)?;
        self.put(content)?;
        let checksum = self.sums.checksum();
        self.put(&checksum)
    }

    /// Ends a file that has `records` records beside head and end; returns its name and its bytes. Errors: `Write`.
    pub(super) fn end(mut self, records: u64) -> Result<(String, u64), ExportError> {
        let (name, content) = self.sums.clone().end(records);
        self.record(Kind::End, &[], &content)?;
        self.out.flush().map_err(ExportError::Write)?;
        Ok((name, self.sums.bytes))
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), ExportError> {
        self.sums.add(bytes);
        self.out.write_all(bytes).map_err(ExportError::Write)
    }
}

/// A file that is read from its beginning.
pub(super) struct Reader<'a> {
    input: &'a mut dyn Read,
    sums: Sums,
}

impl<'a> Reader<'a> {
    /// Reads magic, version and head. Errors: `NotAnExport`, `Version`, `Truncated`, `Damaged`, `Read`.
    pub(super) fn begin(input: &'a mut dyn Read) -> Result<(Self, ExportHead), ExportError> {
        let mut reader = Self {
            input,
            sums: Sums::new(),
        };
        match reader.take(MAGIC.len()) {
            Ok(magic) if magic == MAGIC => {}
            Ok(_) | Err(ExportError::Truncated { .. }) => return Err(ExportError::NotAnExport),
            Err(error) => return Err(error),
        }
        let version = u32::from_le_bytes(reader.array()?);
        if version != VERSION {
            return Err(ExportError::Version { found: version });
        }
        let record = reader.next()?;
        let damaged = |detail: String| ExportError::Damaged {
            at: record.at,
            detail,
        };
        if record.kind != Kind::Head {
            return Err(damaged("the first record is no head".into()));
        }
        let head = serde_json::from_slice(&record.content)
            .map_err(|error| damaged(format!("the head: {error}")))?;
        Ok((reader, head))
    }

    /// The next record, or the end, which has to count the `records` that were read. Errors: `Truncated`, `Damaged`, `Read`.
    pub(super) fn record(&mut self, records: u64) -> Result<Next, ExportError> {
        let before = self.sums.clone();
        let record = self.next()?;
        let damaged = |detail: &str| ExportError::Damaged {
            at: record.at,
            detail: detail.into(),
        };
        match record.kind {
            Kind::Head => return Err(damaged("a second head")),
            Kind::End => {}
            _ => return Ok(Next::Record(record)),
        }
        let (sha256, expected) = before.end(records);
        if !record.key.is_empty() || record.content != expected {
            return Err(damaged("the totals are not those of what is before"));
        }
        let mut more = [0];
        match self.input.read(&mut more).map_err(ExportError::Read)? {
            0 => Ok(Next::End { sha256 }),
            _ => Err(damaged("something follows the end")),
        }
    }

    /// Bytes that were read.
    pub(super) fn bytes(&self) -> u64 {
        self.sums.bytes
    }

    /// A record whose checksum is right.
    fn next(&mut self) -> Result<Record, ExportError> {
        let at = self.sums.bytes;
        let damaged = |detail: String| ExportError::Damaged { at, detail };
        let [number, lengths @ ..] = self.array::<RECORD_HEAD>()?;
        let (key, content) = lengths.split_at(4);
        let length = |bytes: &[u8]| {
            let bytes = <[u8; 4]>::try_from(bytes).unwrap_or_default();
            usize::try_from(u32::from_le_bytes(bytes)).unwrap_or(usize::MAX)
        };
        let (key, content) = (length(key), length(content));
        if key.saturating_add(content) > RECORD_BYTES_MAX {
            return Err(damaged(format!(
                "it says that it has {key} and {content} bytes"
            )));
        }
        let key = self.take(key)?;
        let content = self.take(content)?;
        let expected = self.sums.checksum();
        if self.array::<CHECKSUM>()? != expected {
            return Err(damaged("the checksum does not match".into()));
        }
        let kind =
            Kind::of(number).ok_or_else(|| damaged(format!("unknown kind of record {number}")))?;
        Ok(Record {
            at,
            kind,
            key,
            content,
        })
    }

    /// The next `bytes` bytes. Memory grows with what is there, not with what is asked for. Errors: `Truncated`, `Read`.
    fn take(&mut self, bytes: usize) -> Result<Vec<u8>, ExportError> {
        let mut out = Vec::new();
        let read = (&mut *self.input).take(bytes as u64).read_to_end(&mut out);
        read.map_err(ExportError::Read)?;
        self.sums.add(&out);
        if out.len() < bytes {
            return Err(ExportError::Truncated {
                at: self.sums.bytes,
            });
        }
        Ok(out)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ExportError> {
        let at = self.sums.bytes;
        let bytes = self.take(N)?;
        bytes.try_into().map_err(|_| ExportError::Truncated { at })
    }
}
