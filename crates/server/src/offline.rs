// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / offline: export and import of a data directory whose server does not run. In: paths. Out: a file, or a data directory
//! with what a file has. Never opens a directory that a server uses. Read next: `import.rs`.

use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use golem_model::api::Export;
use golem_storage::export::{ExportError, export, verify};

use crate::access::now;
use crate::data_dir::DataDir;
use crate::error::ServeError;
use crate::import;

/// Bytes that are read or written at once.
const BUFFER: usize = 1 << 20;

/// Writes everything that the data directory `dir` has to `file`, which appears whole or not at all; one of that name is replaced.
/// Blocks. Errors: `NoDataDir`, those of opening it, `Export`.
pub fn export_dir(dir: &Path, file: &Path) -> Result<Export, ServeError> {
    if !DataDir::is_there(dir) {
        return Err(ServeError::NoDataDir(dir.to_owned()));
    }
    let data = DataDir::open(dir, false)?;
    write_export(file, |out| {
        export(data.store.as_ref(), &data.blobs, PROGRAM, now(), out)
    })
    .map_err(ServeError::Export)
}

/// Puts everything that `file` has into the data directory `dir`, which is made if it is not there. Blocks.
/// Errors: those of opening the directory, `Export` with `NotEmpty` and those of reading the file; nothing is imported then.
pub fn import_dir(file: &Path, dir: &Path) -> Result<Export, ServeError> {
    let mut input = open_export(file).map_err(ServeError::Export)?;
    let data = DataDir::open(dir, false)?;
    if let Some(what) = import::occupied(data.store.as_ref())? {
        return Err(ServeError::Export(ExportError::NotEmpty { what }));
    }
    let export = import::receive(dir, &mut input).map_err(ServeError::Export)?;
    import::apply(dir, data.store.as_ref(), &data.blobs)?;
    Ok(export)
}

/// Version of the program, as exports say it.
pub(crate) const PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// Reads a file to its end and checks all of it. Blocks. Errors: those of `golem_storage::export::verify`.
pub fn check_export(file: &Path) -> Result<Export, ExportError> {
    verify(&mut open_export(file)?)
}

fn open_export(file: &Path) -> Result<BufReader<File>, ExportError> {
    let file = File::open(file).map_err(ExportError::Read)?;
    Ok(BufReader::with_capacity(BUFFER, file))
}

/// Writes `from` to `file` and checks it there; whole or not at all. Blocks. Errors: of reading, of writing, of the check.
pub fn save_export(file: &Path, from: &mut dyn Read) -> Result<Export, ExportError> {
    write_export(file, |out| {
        let mut buffer = vec![0; BUFFER];
        loop {
            let n = from.read(&mut buffer).map_err(ExportError::Read)?;
            if n == 0 {
                return Ok(());
            }
            out.write_all(buffer.get(..n).unwrap_or_default())
                .map_err(ExportError::Write)?;
        }
    })
}

/// Writes a file aside, for its owner's eyes only, checks it, and gives it its name.
fn write_export<T>(
    file: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<T, ExportError>,
) -> Result<Export, ExportError> {
    let mut aside = file.as_os_str().to_owned();
    aside.push(format!(".{}.tmp", std::process::id()));
    let aside = PathBuf::from(aside);
    let written = (|| {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut out =
            BufWriter::with_capacity(BUFFER, options.open(&aside).map_err(ExportError::Write)?);
        write(&mut out)?;
        let out = out
            .into_inner()
            .map_err(|error| ExportError::Write(error.into_error()))?;
        out.sync_all().map_err(ExportError::Write)?;
        let export = check_export(&aside)?;
        fs::rename(&aside, file).map_err(ExportError::Write)?;
        Ok(export)
    })();
    if written.is_err() {
        // Best effort: the error that matters is the first one.
        let _ = fs::remove_file(&aside);
    }
    written
}
