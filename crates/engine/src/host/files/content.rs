// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / content: the bytes of one file of a worker: in memory while they are few, else in a file of the machine that
//! is removed with it. In: offsets and bytes. Out: bytes. Bound: the quota of `tree.rs`. Read next: `tree.rs`.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::initial::InitialContent;

/// Contents above this many bytes are kept on disk: most files of workers are small, and then nothing is written at all.
const MEMORY_BYTES_MAX: u64 = 64 << 10;

/// Where large contents of all workers of a node are: a directory that is emptied when the node starts, because every
/// content is made again by repeating the log.
#[derive(Debug)]
pub(crate) struct Spill {
    directory: PathBuf,
    next: AtomicU64,
}

impl Spill {
    /// Contents in `directory`, which is emptied now and made when the first one comes. Errors: of the machine.
    pub(crate) fn open(directory: PathBuf) -> io::Result<Self> {
        match fs::remove_dir_all(&directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Ok(Self {
            directory,
            next: AtomicU64::new(1),
        })
    }

    fn create(self: &Arc<Self>) -> io::Result<(File, OnDisk)> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.directory)?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.directory.join(format!("{number:016x}"));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        Ok((file, OnDisk { path, size: 0 }))
    }
}

/// A content in a file of the machine, which is removed when this is dropped.
#[derive(Debug)]
pub(super) struct OnDisk {
    path: PathBuf,
    size: u64,
}

impl Drop for OnDisk {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            // It is removed when the node starts the next time.
            tracing::warn!(path = %self.path.display(), %error, "cannot remove the content of a worker's file");
        }
    }
}

/// The bytes of a file.
#[derive(Debug)]
pub(super) enum Content {
    Memory(Vec<u8>),
    Disk(OnDisk),
    /// Those of an initial file, as long as the worker has not changed them.
    Initial(Arc<InitialContent>),
}

impl Default for Content {
    fn default() -> Self {
        Self::Memory(Vec::new())
    }
}

impl Content {
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::Disk(disk) => disk.size,
            Self::Initial(initial) => initial.size,
        }
    }

    /// A content of the worker's own, to be changed. Errors: of the machine.
    fn own(&mut self, spill: &Arc<Spill>) -> io::Result<()> {
        if let Self::Initial(initial) = self {
            let bytes = initial.read(0, initial.size)?;
            *self = Self::default();
            self.write(spill, 0, &bytes)?;
        }
        Ok(())
    }

    /// Up to `len` bytes from `offset` on; none at the end. Errors: of the machine.
    pub(super) fn read(&self, offset: u64, len: u64) -> io::Result<Vec<u8>> {
        let len = len.min(self.size().saturating_sub(offset));
        match self {
            Self::Memory(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                let end = start.saturating_add(usize::try_from(len).unwrap_or(usize::MAX));
                Ok(bytes.get(start..end).unwrap_or_default().to_vec())
            }
            Self::Disk(disk) => {
                let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
                File::open(&disk.path)?.read_exact_at(&mut bytes, offset)?;
                Ok(bytes)
            }
            Self::Initial(initial) => initial.read(offset, len),
        }
    }

    /// Writes at `offset`; a gap before it is filled with zeroes. The caller has checked the quota.
    pub(super) fn write(
        &mut self,
        spill: &Arc<Spill>,
        offset: u64,
        bytes: &[u8],
    ) -> io::Result<()> {
        self.own(spill)?;
        let end = offset.saturating_add(bytes.len() as u64);
        if end > self.size() {
            self.resize(spill, end)?;
        }
        match self {
            Self::Memory(content) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                if let Some(place) = content.get_mut(start..start.saturating_add(bytes.len())) {
                    place.copy_from_slice(bytes);
                }
                Ok(())
            }
            Self::Disk(disk) => OpenOptions::new()
                .write(true)
                .open(&disk.path)?
                .write_all_at(bytes, offset),
            // It has become the worker's own above.
            Self::Initial(_) => Ok(()),
        }
    }

    /// Cuts the content, or adds zeroes.
    pub(super) fn resize(&mut self, spill: &Arc<Spill>, size: u64) -> io::Result<()> {
        if size > 0 {
            self.own(spill)?;
        }
        match self {
            Self::Initial(_) => *self = Self::default(),
            Self::Memory(bytes) if size <= MEMORY_BYTES_MAX => {
                bytes.resize(usize::try_from(size).unwrap_or(0), 0);
            }
            Self::Memory(bytes) => {
                let (file, mut disk) = spill.create()?;
                file.write_all_at(bytes, 0)?;
                file.set_len(size)?;
                disk.size = size;
                *self = Self::Disk(disk);
            }
            Self::Disk(_) if size == 0 => *self = Self::default(),
            Self::Disk(disk) => {
                OpenOptions::new()
                    .write(true)
                    .open(&disk.path)?
                    .set_len(size)?;
                disk.size = size;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_grows_onto_the_disk_and_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let spill = Arc::new(Spill::open(directory.path().join("files")).unwrap());
        let mut content = Content::default();
        content.write(&spill, 3, b"abc").unwrap();
        assert_eq!(content.read(0, 100).unwrap(), b"\0\0\0abc");
        assert!(!directory.path().join("files").exists());
        let far = MEMORY_BYTES_MAX + 10;
        content.write(&spill, far, b"end").unwrap();
        assert_eq!(content.size(), far + 3);
        assert_eq!(content.read(1, 5).unwrap(), b"\0\0abc");
        assert_eq!(content.read(far - 1, 9).unwrap(), b"\0end");
        assert_eq!(content.read(far + 3, 9).unwrap(), b"");
        assert_eq!(content.read(u64::MAX, 9).unwrap(), b"");
        content.resize(&spill, 4).unwrap();
        assert_eq!(content.read(0, 100).unwrap(), b"\0\0\0a");
        drop(content);
        let left = fs::read_dir(directory.path().join("files")).unwrap();
        assert_eq!(left.count(), 0);
    }
}
