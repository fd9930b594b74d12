// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / saved: checkpoints of workers as files. In: an image, and what its log says up to
//! there. Out: the newest one that can be read. A file is a cache: damaged, torn or of another version it is removed, and the
//! log is replayed. It is written only when the entries it stands for are durable. Read next: `format.rs`, `../run.rs`.
//! Layout: docs/formats/checkpoint.md.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use golem_model::oplog::{RetryPolicy, SecretPin};
use golem_model::{LogId, OplogIndex};
use prost::Message as _;

use super::format::{FormatError, checksum};
use super::image::Image;
use crate::oplog::{Region, Regions};
use crate::secrets::Secrets;

/// First bytes of every file.
const MAGIC: [u8; 8] = *b"golemsav";
/// Version of the layout.
const VERSION: u16 = 1;
/// Bytes before the summary: magic, version, two reserved bytes, length and checksum of the summary.
const HEADER: usize = 20;
/// Largest summary: a worker with more regions than fit has no checkpoints.
const SUMMARY_BYTES_MAX: usize = 1 << 20;
/// Files of a worker that are kept: the newest, and the one before it in case that one cannot be used.
const KEPT: usize = 2;

/// What the log says up to a checkpoint, so that nothing before it has to be read.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Summary {
    /// Index of the last entry that the image has seen.
    #[prost(uint64, tag = "1")]
    pub(crate) index: u64,
    /// Version that the worker runs.
    #[prost(uint64, tag = "2")]
    pub(crate) version: u64,
    /// Regions that do not count.
    #[prost(message, repeated, tag = "3")]
    pub(crate) regions: Vec<SavedRegion>,
    /// The worker's own retry policy.
    #[prost(message, optional, tag = "4")]
    pub(crate) retry_policy: Option<RetryPolicy>,
    /// Lines that the guest has logged.
    #[prost(uint64, tag = "5")]
    pub(crate) lines: u64,
    /// The jump that made the last region.
    #[prost(uint64, tag = "6")]
    pub(crate) salt: u64,
    /// Name of the worker that this one was forked from.
    #[prost(string, optional, tag = "7")]
    pub(crate) forked_from: Option<String>,
    /// Index of the last entry that was copied from it.
    #[prost(uint64, tag = "9")]
    pub(crate) forked_at: u64,
    /// Index of the `Updated` entry with a snapshot that replay without the image begins with; 0: none.
    #[prost(uint64, tag = "8")]
    pub(crate) base: u64,
    /// Versions of the worker's secrets. Where there are some, the image is sealed: they are somewhere in its memory.
    #[prost(message, repeated, tag = "10")]
    pub(crate) secrets: Vec<SecretPin>,
    /// Bytes of the entries of the log up to there.
    #[prost(uint64, tag = "11")]
    pub(crate) log_bytes: u64,
}

/// See [`Summary`].
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct SavedRegion {
    #[prost(uint64, tag = "1")]
    first: u64,
    #[prost(uint64, tag = "2")]
    last: u64,
    #[prost(uint64, tag = "3")]
    jump: u64,
    #[prost(bool, tag = "4")]
    reverted: bool,
}

impl Summary {
    /// Regions as they are kept.
    pub(crate) fn keep_regions(regions: &Regions) -> Vec<SavedRegion> {
        regions
            .iter()
            .map(|region| SavedRegion {
                first: region.first.0,
                last: region.last.0,
                jump: region.jump.0,
                reverted: region.reverted,
            })
            .collect()
    }

    /// The regions.
    pub(crate) fn regions(&self) -> Regions {
        let mut regions = Regions::default();
        for region in &self.regions {
            regions.insert(Region {
                first: OplogIndex(region.first),
                last: OplogIndex(region.last),
                jump: OplogIndex(region.jump),
                reverted: region.reverted,
            });
        }
        regions
    }
}

/// A whole checkpoint.
pub(crate) struct Saved {
    /// What the log says.
    pub(crate) summary: Summary,
    /// The instance.
    pub(crate) image: Image,
}

/// A checkpoint as a file, for whoever wants to know what is there.
pub(crate) struct Kept {
    /// Entry of the log that it stands for.
    pub(crate) index: OplogIndex,
    /// Bytes on disk.
    pub(crate) bytes: u64,
    /// When it was written, if the file system knows.
    pub(crate) taken_at: Option<SystemTime>,
    /// The component that it is of and what it says of the log, or why it cannot be read.
    pub(crate) read: Result<([u8; 32], Summary), String>,
}

/// The checkpoints of a node.
#[derive(Debug)]
pub(crate) struct Shelf {
    directory: PathBuf,
    /// Seals images that have secrets in them.
    secrets: Arc<Secrets>,
    taken: AtomicU64,
    used: AtomicU64,
    refused: AtomicU64,
}

/// How often checkpoints were taken, used and refused since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckpointStats {
    /// Written.
    pub taken: u64,
    /// Restored.
    pub used: u64,
    /// Found and not usable.
    pub refused: u64,
}

impl Shelf {
    /// Checkpoints in `directory`, which is made when the first one is taken.
    pub(crate) fn new(directory: PathBuf, secrets: Arc<Secrets>) -> Self {
        Self {
            directory,
            secrets,
            taken: AtomicU64::new(0),
            used: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// See [`CheckpointStats`].
    pub(crate) fn stats(&self) -> CheckpointStats {
        CheckpointStats {
            taken: self.taken.load(Ordering::Relaxed),
            used: self.used.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }

    /// One was restored.
    pub(crate) fn count_use(&self) {
        self.used.fetch_add(1, Ordering::Relaxed);
    }

    fn of(&self, log: LogId) -> PathBuf {
        self.directory
            .join(format!("{:04x}", log.shard().0))
            .join(format!("{:016x}", log.0))
    }

    fn path(&self, log: LogId, index: OplogIndex) -> PathBuf {
        self.of(log).join(format!("{:016x}", index.0))
    }

    /// Indexes of the checkpoints of a log, the newest first.
    fn indexes(&self, log: LogId) -> Vec<OplogIndex> {
        let Ok(entries) = std::fs::read_dir(self.of(log)) else {
            return Vec::new();
        };
        let mut found: Vec<_> = entries
            .filter_map(|entry| {
                let name = entry.ok()?.file_name();
                u64::from_str_radix(name.to_str()?, 16).ok()
            })
            .map(OplogIndex)
            .collect();
        found.sort_by(|a, b| b.cmp(a));
        found
    }

    /// What the newest checkpoint of a log says of it. Those that cannot be read are removed.
    pub(crate) fn newest(&self, log: LogId) -> Option<Summary> {
        self.indexes(log).into_iter().find_map(|index| {
            let summary = read_summary(&self.path(log, index));
            if summary.is_none() {
                self.refuse(log, index, "it cannot be read");
            }
            summary
        })
    }

    /// The same, and nothing is removed: for whoever only looks.
    pub(crate) fn peek(&self, log: LogId) -> Option<Summary> {
        let mut all = self.indexes(log).into_iter();
        all.find_map(|index| read_summary(&self.path(log, index)))
    }

    /// The checkpoint of a log at an entry. One that cannot be read is removed.
    pub(crate) fn load(&self, log: LogId, index: OplogIndex) -> Option<Saved> {
        let bytes = std::fs::read(self.path(log, index)).ok()?;
        match read(&bytes, &self.secrets) {
            Ok(saved) => Some(saved),
            Err(error) => {
                self.refuse(log, index, &error.to_string());
                None
            }
        }
    }

    /// All checkpoints of a log, the newest first, read to their ends. None is removed. Blocks.
    pub(crate) fn list(&self, log: LogId) -> Vec<Kept> {
        let kept = self.indexes(log).into_iter().filter_map(|index| {
            let path = self.path(log, index);
            // One that has gone since is no longer kept.
            let about = std::fs::metadata(&path).ok()?;
            let bytes = std::fs::read(&path).ok()?;
            let read = read(&bytes, &self.secrets);
            Some(Kept {
                index,
                bytes: bytes.len() as u64,
                taken_at: about.modified().ok(),
                read: read
                    .map(|saved| (saved.image.component, saved.summary))
                    .map_err(|error| error.to_string()),
            })
        });
        kept.collect()
    }

    /// Keeps a checkpoint, and forgets older ones. Its entries must be durable. Errors: of the machine; nothing is lost by
    /// them but time.
    pub(crate) fn keep(&self, log: LogId, saved: &Saved) -> std::io::Result<()> {
        let directory = self.of(log);
        std::fs::create_dir_all(&directory)?;
        let index = OplogIndex(saved.summary.index);
        let path = self.path(log, index);
        // Not synced: what a power cut leaves torn is found by its checksums.
        let temporary = path.with_extension("tmp");
        std::fs::write(&temporary, bytes(saved, &self.secrets)?)?;
        std::fs::rename(&temporary, &path)?;
        self.taken.fetch_add(1, Ordering::Relaxed);
        for old in self.indexes(log).into_iter().skip(KEPT) {
            std::fs::remove_file(self.path(log, old))?;
        }
        Ok(())
    }

    /// Removes a checkpoint that cannot be used; the log brings the worker back.
    pub(crate) fn refuse(&self, log: LogId, index: OplogIndex, why: &str) {
        tracing::warn!(log = %format!("{:016x}", log.0), %index, why, "a checkpoint is not used");
        self.refused.fetch_add(1, Ordering::Relaxed);
        drop(std::fs::remove_file(self.path(log, index)));
    }

    /// Removes the checkpoints of a log behind an entry: that part of the history was undone.
    pub(crate) fn forget_after(&self, log: LogId, last: OplogIndex) {
        for index in self.indexes(log) {
            if index > last {
                drop(std::fs::remove_file(self.path(log, index)));
            }
        }
    }

    /// Removes all checkpoints of a log. Returns how many there were.
    pub(crate) fn forget(&self, log: LogId) -> u64 {
        let count = self.indexes(log).len() as u64;
        drop(std::fs::remove_dir_all(self.of(log)));
        count
    }
}

fn bytes(saved: &Saved, secrets: &Secrets) -> std::io::Result<Vec<u8>> {
    let summary = saved.summary.encode_to_vec();
    let mut image = saved.image.to_bytes();
    if !saved.summary.secrets.is_empty() {
        image = secrets
            .seal(&image, &summary)
            .map_err(std::io::Error::other)?;
    }
    let mut out = Vec::with_capacity(HEADER + summary.len() + image.len());
    out.extend(MAGIC);
    out.extend(VERSION.to_le_bytes());
    out.extend([0; 2]);
    // A summary that is too long is refused when it is read, and the log is replayed.
    out.extend((summary.len() as u32).to_le_bytes());
    out.extend(checksum(&summary).to_le_bytes());
    out.extend(summary);
    out.extend(image);
    Ok(out)
}

/// Length and checksum of the summary.
fn header(bytes: &[u8; HEADER]) -> Result<(usize, u32), FormatError> {
    let number = |from: usize, count: usize| {
        let part = bytes.iter().skip(from).take(count).rev();
        part.fold(0_u64, |value, byte| value << 8 | u64::from(*byte))
    };
    if number(0, 8) != u64::from_le_bytes(MAGIC) {
        return Err(FormatError::Foreign);
    }
    if number(8, 2) != u64::from(VERSION) {
        return Err(FormatError::Version {
            found: number(8, 2).to_string(),
            expected: VERSION.to_string(),
        });
    }
    let damaged = FormatError::Damaged("the summary");
    match (usize::try_from(number(12, 4)), u32::try_from(number(16, 4))) {
        (Ok(length), Ok(sum)) if length <= SUMMARY_BYTES_MAX => Ok((length, sum)),
        _ => Err(damaged),
    }
}

fn summary(sum: u32, bytes: &[u8]) -> Result<Summary, FormatError> {
    let damaged = FormatError::Damaged("the summary");
    if checksum(bytes) != sum {
        return Err(damaged);
    }
    Summary::decode(bytes).map_err(|_| damaged)
}

fn read(bytes: &[u8], secrets: &Secrets) -> Result<Saved, FormatError> {
    let (head, rest) = bytes
        .split_first_chunk::<HEADER>()
        .ok_or(FormatError::Foreign)?;
    let (length, sum) = header(head)?;
    let (about, image) = rest
        .split_at_checked(length)
        .ok_or(FormatError::Damaged("its end is missing"))?;
    let summary = summary(sum, about)?;
    let image = if summary.secrets.is_empty() {
        Image::from_bytes(image)?
    } else {
        let opened = secrets.open_sealed(image, about);
        Image::from_bytes(&opened.ok_or(FormatError::Damaged("the sealed image"))?)?
    };
    Ok(Saved { summary, image })
}

/// Reads only the beginning of a file.
fn read_summary(path: &Path) -> Option<Summary> {
    let mut file = std::fs::File::open(path).ok()?;
    let mut head = [0; HEADER];
    file.read_exact(&mut head).ok()?;
    let (length, sum) = header(&head).ok()?;
    let mut about = vec![0; length];
    file.read_exact(&mut about).ok()?;
    summary(sum, &about).ok()
}

#[cfg(test)]
mod tests {
    use super::super::HostImage;
    use super::*;
    use golem_model::oplog::PersistenceLevel;

    fn secrets(directory: &Path) -> Arc<Secrets> {
        let store = Arc::new(golem_storage::MemStore::new());
        Arc::new(Secrets::open(store, directory.join("secret.key")).unwrap())
    }

    fn saved() -> Saved {
        let mut regions = Regions::default();
        regions.add(OplogIndex(9), OplogIndex(4), OplogIndex(8));
        Saved {
            summary: Summary {
                index: 20,
                version: 3,
                regions: Summary::keep_regions(&regions),
                lines: 7,
                salt: 9,
                ..Summary::default()
            },
            image: Image {
                component: [5; 32],
                memories: Vec::new(),
                globals: vec![1, 2],
                slots: Vec::new(),
                free: Vec::new(),
                host: HostImage {
                    clock: 1,
                    next_handle: 2,
                    lines: 7,
                    persistence: PersistenceLevel::Smart,
                    idempotence: true,
                    files: None,
                },
            },
        }
    }

    #[test]
    fn a_checkpoint_is_found_and_older_ones_go() {
        let directory = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(
            directory.path().join("checkpoints"),
            secrets(directory.path()),
        );
        let log = LogId(0x0001_0000_0200_0003);
        assert_eq!(shelf.newest(log), None);
        for index in [5, 20, 9] {
            let mut saved = saved();
            saved.summary.index = index;
            shelf.keep(log, &saved).unwrap();
        }
        assert_eq!(shelf.newest(log).unwrap().index, 20);
        assert!(shelf.load(log, OplogIndex(5)).is_none());
        let found = shelf.load(log, OplogIndex(20)).unwrap();
        assert_eq!(found.image, saved().image);
        assert!(found.summary.regions().contains(OplogIndex(6)));
        shelf.forget_after(log, OplogIndex(10));
        assert_eq!(shelf.newest(log).unwrap().index, 9);
        shelf.forget(log);
        assert_eq!(shelf.newest(log), None);
    }

    #[test]
    fn what_is_listed_stays_and_says_why_it_cannot_be_read() {
        let directory = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(
            directory.path().join("checkpoints"),
            secrets(directory.path()),
        );
        let log = LogId(7);
        assert_eq!(shelf.list(log).len(), 0);
        for index in [9, 20] {
            let mut saved = saved();
            saved.summary.index = index;
            shelf.keep(log, &saved).unwrap();
        }
        let newest = shelf.path(log, OplogIndex(20));
        let mut bytes = std::fs::read(&newest).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&newest, &bytes).unwrap();
        let kept = shelf.list(log);
        let [damaged, good] = kept.as_slice() else {
            panic!("two are kept")
        };
        assert_eq!((damaged.index.0, good.index.0), (20, 9));
        assert_eq!(damaged.bytes, bytes.len() as u64);
        assert!(damaged.read.is_err() && damaged.taken_at.is_some());
        let (component, summary) = good.read.as_ref().unwrap();
        assert_eq!((component, summary.version), (&[5; 32], 3));
        assert_eq!(shelf.list(log).len(), 2, "none is removed");
        assert_eq!(shelf.forget(log), 2);
        assert_eq!((shelf.list(log).len(), shelf.forget(log)), (0, 0));
    }

    #[test]
    fn a_damaged_file_is_refused_at_every_byte() {
        let directory = tempfile::tempdir().unwrap();
        let secrets = secrets(directory.path());
        let good = bytes(&saved(), &secrets).unwrap();
        for at in 0..good.len() {
            // The two reserved bytes say nothing.
            if (10..12).contains(&at) {
                continue;
            }
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            assert!(read(&bad, &secrets).is_err(), "byte {at}");
        }
        for length in 0..good.len() {
            assert!(read(&good[..length], &secrets).is_err(), "length {length}");
        }
        assert!(read(&good, &secrets).is_ok());
    }

    #[test]
    fn what_cannot_be_read_is_removed_and_the_one_before_is_used() {
        let directory = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(
            directory.path().join("checkpoints"),
            secrets(directory.path()),
        );
        let log = LogId(3);
        for index in [5, 20] {
            let mut saved = saved();
            saved.summary.index = index;
            shelf.keep(log, &saved).unwrap();
        }
        std::fs::write(shelf.path(log, OplogIndex(20)), b"golemsav").unwrap();
        assert_eq!(shelf.newest(log).unwrap().index, 5);
        assert_eq!(shelf.stats().refused, 1);
        assert!(!shelf.path(log, OplogIndex(20)).exists());
    }

    #[test]
    fn an_image_with_secrets_in_it_is_sealed() {
        let directory = tempfile::tempdir().unwrap();
        let secrets = secrets(directory.path());
        let mut saved = saved();
        let plain = saved.image.to_bytes();
        saved.summary.secrets = vec![SecretPin {
            name: "api-key".into(),
            version: 1,
        }];
        let sealed = bytes(&saved, &secrets).unwrap();
        let has = |part: &[u8]| sealed.windows(part.len()).any(|window| window == part);
        assert!(!has(&plain), "the image can be read in the file");
        assert_eq!(read(&sealed, &secrets).unwrap().image, saved.image);
        let other = tempfile::tempdir().unwrap();
        let foreign = super::tests::secrets(other.path());
        foreign.seal(b"makes a key", b"").unwrap();
        assert!(read(&sealed, &foreign).is_err());
    }
}
