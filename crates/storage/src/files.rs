// SPDX-License-Identifier: Apache-2.0
//! THE SHELVES / files: how this room makes directories and whole files. In: paths and bytes. Out: files that are there as
//! a whole or not at all. Never touches the database. Read next: `blobs.rs`, `fjall/home.rs`.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write;
use std::path::Path;

/// What the names of unfinished files end with: one that is left over from a crash may be removed.
pub const TEMPORARY: &str = ".tmp";

/// Makes a directory that only its owner may read, with its parents; fine when it is there. Its name stays once this returns.
pub(crate) fn private_dir(path: &Path) -> std::io::Result<()> {
    let mut new = Vec::new();
    for folder in path.ancestors() {
        if folder.as_os_str().is_empty() || folder.try_exists()? {
            break;
        }
        new.push(folder);
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    for folder in new {
        let parent = folder
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        sync_dir(parent.unwrap_or(Path::new(".")))?;
    }
    Ok(())
}

/// Makes the names in a directory stay: a sync of a file promises its content only.
pub fn sync_dir(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}

/// Writes a file that only its owner may read so that after a crash it is there as a whole or not at all, and stays once this
/// returns: a temporary file beside it, sync, rename, sync of the directory.
pub fn write_durably(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // The process id keeps apart two writers of one directory; the rename makes the last one win.
    let temporary = directory.join(format!(
        ".{name}.{}-{}{TEMPORARY}",
        std::process::id(),
        unique()
    ));
    let written = (|| {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        sync_dir(directory)
    })();
    if written.is_err() {
        // Best effort: the error that matters is the first one.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// A number that no other call in this process gets.
fn unique() -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}
