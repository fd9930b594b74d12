// SPDX-License-Identifier: Apache-2.0
//! THE SHELVES / blobs: large values as files named by their SHA-256. In: bytes. Out: a hash, and the bytes again.
//! Bound: [`BLOB_BYTES_MAX`]. Durable on return. Never touches the store. Read next: `store.rs`. Source: storage design §2.

use std::fs;
use std::path::{Path, PathBuf};

use golem_model::hex;
use sha2::{Digest, Sha256};

use crate::StoreError;
use crate::files::{TEMPORARY, private_dir, sync_dir, write_durably};

/// Largest blob: a component upload with room to spare.
pub const BLOB_BYTES_MAX: usize = 64 << 20;

/// Content-addressed files of one data directory, which belongs to one process (its owner holds the store's lock).
#[derive(Debug)]
pub struct Blobs {
    directory: PathBuf,
}

impl Blobs {
    /// Blobs in `directory`, which is made if it is not there (readable by its owner only). What an earlier process left
    /// half written is removed. Errors: `Io`.
    pub fn open(directory: PathBuf) -> Result<Self, StoreError> {
        let blobs = Self { directory };
        private_dir(&blobs.directory).map_err(|e| io(&blobs.directory, &e))?;
        for name in blobs.names()? {
            if name.ends_with(TEMPORARY) {
                let path = blobs.directory.join(name);
                fs::remove_file(&path).map_err(|e| io(&path, &e))?;
            }
        }
        Ok(blobs)
    }

    /// Keeps `bytes` and returns their SHA-256 in lower-case hex. Durable on return; keeping the same bytes again reads the
    /// file and, if it is damaged, writes it anew. Errors: `Io` (also when they are more than [`BLOB_BYTES_MAX`]).
    pub fn put(&self, bytes: &[u8]) -> Result<String, StoreError> {
        if bytes.len() > BLOB_BYTES_MAX {
            return Err(StoreError::Io(format!(
                "blob of {} bytes is over the limit of {BLOB_BYTES_MAX}",
                bytes.len()
            )));
        }
        let hash = hash_of(bytes);
        let path = self.directory.join(&hash);
        if fs::read(&path).is_ok_and(|kept| kept == bytes) {
            // Whoever wrote it may not have come to its last sync yet.
            self.sync()?;
        } else {
            write_durably(&path, bytes).map_err(|e| io(&path, &e))?;
        }
        Ok(hash)
    }

    /// The bytes of a hash. Errors: `Io` when they are not there, `Corrupt` when they are not what was kept.
    pub fn get(&self, hash: &str) -> Result<Vec<u8>, StoreError> {
        let path = self.path(hash)?;
        let bytes = fs::read(&path).map_err(|e| io(&path, &e))?;
        let found = hash_of(&bytes);
        if found != hash {
            return Err(StoreError::Corrupt {
                what: format!("blob {hash}"),
                detail: format!("its content has the hash {found}"),
            });
        }
        Ok(bytes)
    }

    /// The file of a hash, for whoever reads parts of it: its content has been compared with the hash. Errors: as
    /// [`Self::get`].
    pub fn file(&self, hash: &str) -> Result<PathBuf, StoreError> {
        self.get(hash)?;
        self.path(hash)
    }

    /// Whether a hash is kept.
    #[must_use]
    pub fn exists(&self, hash: &str) -> bool {
        self.path(hash).is_ok_and(|path| path.exists())
    }

    /// Removes a blob; fine when it is not there. The caller knows that nothing names it any more. Errors: `Io`.
    pub fn delete(&self, hash: &str) -> Result<(), StoreError> {
        let path = self.path(hash)?;
        match fs::remove_file(&path) {
            Ok(()) => self.sync(),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(io(&path, &e)),
        }
    }

    /// The hashes that are kept, in order. Reads the whole directory: for a collector of garbage. Errors: `Io`.
    pub fn list(&self) -> Result<Vec<String>, StoreError> {
        let mut hashes = self.names()?;
        hashes.retain(|name| is_hash(name));
        hashes.sort();
        Ok(hashes)
    }

    fn names(&self) -> Result<Vec<String>, StoreError> {
        let entries = fs::read_dir(&self.directory).map_err(|e| io(&self.directory, &e))?;
        entries
            .map(|entry| {
                let entry = entry.map_err(|e| io(&self.directory, &e))?;
                Ok(entry.file_name().to_string_lossy().into_owned())
            })
            .collect()
    }

    fn sync(&self) -> Result<(), StoreError> {
        sync_dir(&self.directory).map_err(|e| io(&self.directory, &e))
    }

    fn path(&self, hash: &str) -> Result<PathBuf, StoreError> {
        if is_hash(hash) {
            return Ok(self.directory.join(hash));
        }
        Err(StoreError::Corrupt {
            what: format!("blob `{}`", hash.escape_debug()),
            detail: "this is not the name of a blob".into(),
        })
    }
}

/// Whether a text is the hash of a blob, and with that safe as the name of a file.
fn is_hash(text: &str) -> bool {
    text.len() == 64
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The name of a blob: its SHA-256 in lower-case hex.
pub(crate) fn hash_of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn io(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Io(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blobs() -> (tempfile::TempDir, Blobs) {
        let directory = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(directory.path().join("blobs")).unwrap();
        (directory, blobs)
    }

    #[test]
    fn a_blob_is_kept_under_its_hash_until_it_is_deleted() {
        let (directory, blobs) = blobs();
        let hash = blobs.put(b"hello").unwrap();
        assert_eq!(
            hash,
            "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
        );
        assert_eq!(blobs.put(b"hello").unwrap(), hash);
        let empty = blobs.put(b"").unwrap();
        let blobs = Blobs::open(directory.path().join("blobs")).unwrap();
        assert_eq!(blobs.get(&hash).unwrap(), b"hello");
        assert_eq!(fs::read(blobs.file(&hash).unwrap()).unwrap(), b"hello");
        assert_eq!(blobs.list().unwrap(), [hash.clone(), empty]);
        blobs.delete(&hash).unwrap();
        blobs.delete(&hash).unwrap();
        assert!(!blobs.exists(&hash));
        assert!(matches!(blobs.get(&hash), Err(StoreError::Io(_))));
    }

    #[test]
    fn a_damaged_blob_is_found_and_healed_by_keeping_it_again() {
        let (directory, blobs) = blobs();
        let hash = blobs.put(b"hello").unwrap();
        for damage in [b"hellp".as_slice(), b"hell", b""] {
            fs::write(directory.path().join("blobs").join(&hash), damage).unwrap();
            assert!(matches!(blobs.get(&hash), Err(StoreError::Corrupt { .. })));
            assert!(matches!(blobs.file(&hash), Err(StoreError::Corrupt { .. })));
            blobs.put(b"hello").unwrap();
            assert_eq!(blobs.get(&hash).unwrap(), b"hello");
        }
    }

    #[test]
    fn what_a_crash_left_half_written_is_removed() {
        let (directory, blobs) = blobs();
        let hash = blobs.put(b"hello").unwrap();
        let half = directory
            .path()
            .join("blobs")
            .join(format!(".{hash}.1-0{TEMPORARY}"));
        fs::write(&half, b"hel").unwrap();
        assert_eq!(blobs.list().unwrap(), std::slice::from_ref(&hash));
        Blobs::open(directory.path().join("blobs")).unwrap();
        assert!(!half.exists());
        assert!(blobs.exists(&hash));
    }

    #[test]
    fn a_name_that_is_no_hash_never_reaches_the_disk() {
        let (_directory, blobs) = blobs();
        for name in [
            "",
            "..",
            "../x",
            &"A".repeat(64),
            &"a".repeat(63),
            &format!("{}/", "a".repeat(63)),
        ] {
            assert!(
                matches!(blobs.get(name), Err(StoreError::Corrupt { .. })),
                "{name}"
            );
            assert!(
                matches!(blobs.delete(name), Err(StoreError::Corrupt { .. })),
                "{name}"
            );
            assert!(!blobs.exists(name), "{name}");
        }
        assert!(matches!(
            blobs.put(&vec![0; BLOB_BYTES_MAX + 1]),
            Err(StoreError::Io(_))
        ));
    }
}
