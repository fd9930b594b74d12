// SPDX-License-Identifier: Apache-2.0
//! THE SHELVES / blobs: large values as files named by their SHA-256. In: bytes. Out: a hash, and the bytes again.
//! Bound: [`BLOB_BYTES_MAX`]. Durable on return. Never touches the store. Read next: `store.rs`. Source: storage design §2.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

use crate::StoreError;

/// Largest blob: a component upload with room to spare.
pub const BLOB_BYTES_MAX: usize = 64 << 20;

/// Content-addressed files of one data directory.
#[derive(Debug)]
pub struct Blobs {
    directory: PathBuf,
    next: AtomicU64,
}

impl Blobs {
    /// Blobs in `directory`, which is made if it is not there. Errors: `Io`.
    pub fn open(directory: PathBuf) -> Result<Self, StoreError> {
        fs::create_dir_all(&directory).map_err(|error| io(&directory, &error))?;
        Ok(Self {
            directory,
            next: AtomicU64::new(0),
        })
    }

    /// Keeps `bytes` and returns their SHA-256 in hex. Durable on return; keeping the same bytes again costs a look.
    /// Errors: `Io` (also when they are more than [`BLOB_BYTES_MAX`]).
    pub fn put(&self, bytes: &[u8]) -> Result<String, StoreError> {
        if bytes.len() > BLOB_BYTES_MAX {
            return Err(StoreError::Io(format!(
                "blob of {} bytes is over the limit of {BLOB_BYTES_MAX}",
                bytes.len()
            )));
        }
        let hash = hex(&Sha256::digest(bytes));
        let path = self.directory.join(&hash);
        if path.exists() {
            return Ok(hash);
        }
        // Written under a name of its own first: a crash never leaves half a blob under its final name.
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let temporary = self
            .directory
            .join(format!(".{hash}.{}.{number}", std::process::id()));
        let write = || {
            let mut file = File::create(&temporary)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&temporary, &path)?;
            File::open(&self.directory)?.sync_all()
        };
        write().map_err(|error| io(&path, &error))?;
        Ok(hash)
    }

    /// The bytes of a hash. Errors: `Io` when they are not there, `Corrupt` when they are not what was kept.
    pub fn get(&self, hash: &str) -> Result<Vec<u8>, StoreError> {
        let path = self.path(hash)?;
        let bytes = fs::read(&path).map_err(|error| io(&path, &error))?;
        let found = hex(&Sha256::digest(&bytes));
        if found != hash {
            return Err(StoreError::Corrupt {
                what: format!("blob {hash}"),
                detail: format!("its content has the hash {found}"),
            });
        }
        Ok(bytes)
    }

    /// Whether a hash is kept.
    #[must_use]
    pub fn exists(&self, hash: &str) -> bool {
        self.path(hash).is_ok_and(|path| path.exists())
    }

    fn path(&self, hash: &str) -> Result<PathBuf, StoreError> {
        if hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(self.directory.join(hash));
        }
        Err(StoreError::Corrupt {
            what: format!("blob `{hash}`"),
            detail: "this is not the name of a blob".into(),
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn io(path: &std::path::Path, error: &std::io::Error) -> StoreError {
    StoreError::Io(format!("{}: {error}", path.display()))
}
