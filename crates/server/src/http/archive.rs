// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/archive: the initial files of a component in an upload. In: a zip archive, what guests may do with each file.
//! Out: paths and contents. Bounds: those of golem-engine for initial files, also on what inflates. Never touches a disk.
//! Read next: `upload.rs`, golem-engine `component/files.rs`. Source: client spec §6.6.

use std::collections::BTreeMap;
use std::io::Read as _;

use flate2::bufread::DeflateDecoder;
use golem_engine::NewFile;
use golem_model::component::{
    FilePermissions, FilesPermissions, INITIAL_FILES_BYTES_MAX, INITIAL_FILES_MAX,
};
use rawzip::{CompressionMethod, ZipArchive, ZipFileHeaderRecord, ZipSliceArchive};

use super::error::RequestError;
use super::extract::short;

/// The files of an archive: `a/b` in it is `/a/b` in a worker, read-only unless `permissions` says otherwise. Directories are
/// skipped, they come with their files. Errors: `BadArchive`, `BodyTooLarge`, and `BadPart` when permissions are given for a
/// file that is not there.
pub(super) fn unpack(
    archive: &[u8],
    permissions: &FilesPermissions,
) -> Result<Vec<NewFile>, RequestError> {
    let archive = ZipArchive::from_slice(archive).map_err(|error| broken(None, &error))?;
    let mut rights: BTreeMap<&str, FilePermissions> = permissions
        .values
        .iter()
        .map(|file| (file.path.as_str(), file.permissions))
        .collect();
    let (mut files, mut left) = (Vec::new(), INITIAL_FILES_BYTES_MAX);
    let (mut seen, mut entries) = (0, archive.entries());
    while let Some(entry) = entries.next_entry().map_err(|error| broken(None, &error))? {
        seen += 1;
        if seen > 2 * INITIAL_FILES_MAX {
            return Err(RequestError::BadArchive {
                detail: format!("a component has at most {INITIAL_FILES_MAX} files"),
            });
        }
        if entry.is_dir() {
            continue;
        }
        let raw = entry.file_path();
        let name = std::str::from_utf8(raw.as_bytes())
            .map_err(|_| broken(None, &"the name of a file is no UTF-8 text"))?;
        let path = format!("/{}", name.strip_prefix("./").unwrap_or(name));
        if entry.mode().is_symlink() {
            return Err(broken(
                Some(&path),
                &"it is a link, and links are not taken",
            ));
        }
        let content =
            inflate(&archive, &entry, left).map_err(|error| broken(Some(&path), &error))?;
        left = left
            .checked_sub(content.len())
            .ok_or(RequestError::BodyTooLarge {
                what: "the initial files, unpacked,",
                limit: INITIAL_FILES_BYTES_MAX,
            })?;
        let permissions = rights.remove(path.as_str()).unwrap_or_default();
        files.push(NewFile {
            path,
            permissions,
            content,
        });
    }
    if let Some((path, _)) = rights.pop_first() {
        return Err(RequestError::BadPart {
            name: "filesPermissions",
            value: short(path),
            expected: "the path of a file of the archive, such as `/etc/app.conf` for `etc/app.conf`",
        });
    }
    Ok(files)
}

/// The content of an entry, compared with its checksum; or one byte more than `left`, which is too many. What the archive says of
/// the size is not believed before. Errors: of the archive, encryption, another method than storing and deflating.
fn inflate(
    archive: &ZipSliceArchive<&[u8]>,
    entry: &ZipFileHeaderRecord<'_>,
    left: usize,
) -> std::io::Result<Vec<u8>> {
    if entry.flags().is_encrypted() {
        return Err(std::io::Error::other("it is encrypted"));
    }
    let found = archive
        .get_entry(entry.wayfinder())
        .map_err(std::io::Error::other)?;
    let reader: Box<dyn std::io::Read> = match entry.compression_method() {
        CompressionMethod::STORE => Box::new(found.data()),
        CompressionMethod::DEFLATE => Box::new(DeflateDecoder::new(found.data())),
        _ => return Err(std::io::Error::other("it is not deflated")),
    };
    let mut content = Vec::new();
    found
        .verifying_reader(reader)
        .take(left as u64 + 1)
        .read_to_end(&mut content)?;
    Ok(content)
}

fn broken(path: Option<&str>, detail: &dyn std::fmt::Display) -> RequestError {
    RequestError::BadArchive {
        detail: match path {
            Some(path) => format!("`{}`: {detail}", short(path)),
            None => detail.to_string(),
        },
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use golem_model::component::PathPermissions;
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::DeflateEncoder;
    use rawzip::ZipArchiveWriter;
    use rawzip::path::EntryPath;

    /// An archive of these files.
    pub(in super::super) fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = ZipArchiveWriter::new(Vec::new());
        for (name, content) in files {
            let method = CompressionMethod::DEFLATE;
            // As it is, so that tests can have names that no careful program writes.
            let path = EntryPath::verbatim(name.as_bytes());
            let file = archive.new_file(path).compression_method(method);
            let (mut entry, config) = file.start().unwrap();
            let deflating = DeflateEncoder::new(&mut entry, Compression::fast());
            let mut writer = config.wrap(deflating);
            writer.write_all(content).unwrap();
            let (deflating, descriptor) = writer.finish().unwrap();
            deflating.finish().unwrap();
            entry.finish(descriptor).unwrap();
        }
        archive.finish().unwrap()
    }

    fn rights(path: &str) -> FilesPermissions {
        FilesPermissions {
            values: vec![PathPermissions {
                path: path.into(),
                permissions: FilePermissions::ReadWrite,
            }],
        }
    }

    #[test]
    fn files_are_read_only_unless_somebody_says_otherwise() {
        let archive = zipped(&[("a.txt", b"one"), ("./b/c", b""), ("d/e", &[7; 100_000])]);
        let files = unpack(&archive, &rights("/b/c")).unwrap();
        let seen: Vec<_> = files
            .iter()
            .map(|file| (file.path.as_str(), file.permissions, file.content.len()))
            .collect();
        use FilePermissions::{ReadOnly, ReadWrite};
        assert_eq!(
            seen,
            [
                ("/a.txt", ReadOnly, 3),
                ("/b/c", ReadWrite, 0),
                ("/d/e", ReadOnly, 100_000)
            ]
        );
        assert_eq!(
            unpack(&zipped(&[]), &FilesPermissions::default()),
            Ok(Vec::new())
        );
        let absent = unpack(&archive, &rights("b/c"));
        assert!(
            matches!(&absent, Err(RequestError::BadPart { value, .. }) if value == "b/c"),
            "{absent:?}"
        );
    }

    #[test]
    fn what_is_no_archive_or_inflates_without_end_is_refused() {
        let none = FilesPermissions::default();
        let mut cut = zipped(&[("a", b"one")]);
        cut.truncate(20);
        for wrong in [b"PK".as_slice(), b"", &cut] {
            let refused = unpack(wrong, &none);
            assert!(
                matches!(refused, Err(RequestError::BadArchive { .. })),
                "{refused:?}"
            );
        }
        let zeros = vec![0; INITIAL_FILES_BYTES_MAX / 2 + 1];
        let bomb = zipped(&[("a", &zeros), ("b", &zeros)]);
        assert!(bomb.len() < 1 << 20);
        let refused = unpack(&bomb, &none);
        assert!(
            matches!(refused, Err(RequestError::BodyTooLarge { .. })),
            "{refused:?}"
        );
    }
}
