// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / filesystem: `wasi:filesystem` over the tree of a worker, with the root as `/` and as `.`. Nothing is
//! recorded: the tree is a function of what the guest does, so a replay makes it again. Bound: `files/tree.rs`.
//! Read next: `files/tree.rs`. Source: runtime spec §2.2, design host §5.

use std::sync::Arc;

use bytes::Bytes;
use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    Advice, Descriptor, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry,
    DirectoryEntryStream, ErrorCode, Filesize, MetadataHashValue, NewTimestamp, OpenFlags,
    PathFlags,
};
use wasmtime_wasi::p2::bindings::filesystem::{preopens, types};
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, FsError, FsResult, InputStream, OutputStream, Pollable,
    StreamError, StreamResult,
};

use super::durable::Halt;
use super::files::{Attributes, Fault, OpenWith, Opened, SetTime};
use super::state::{HostState, Linked};
use crate::checkpoint::Held;
use golem_storage::StoreError;

/// Most bytes of one reading or writing. A constant, because the guest sees it.
const CHUNK_BYTES: u64 = 1 << 20;

/// A descriptor of a guest. It stands in the table under the number of a `wasi:filesystem/types.descriptor`.
struct Handle {
    opened: Arc<Opened>,
    flags: DescriptorFlags,
}

/// The entries of a directory that a guest reads, and how far it is.
struct Entries {
    rest: std::vec::IntoIter<DirectoryEntry>,
}

/// A fault of the guest inside a stream's error, from which it asks its code.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct StreamFault(ErrorCode);

fn machine(error: &std::io::Error) -> Halt {
    Halt::Store(StoreError::Io(format!("files of a worker: {error}")))
}

fn fault(fault: Fault) -> FsError {
    match fault {
        Fault::Code(code) => code.into(),
        Fault::Machine(error) => FsError::trap(machine(&error)),
    }
}

fn stream_fault(fault: Fault) -> StreamError {
    match fault {
        Fault::Code(code) => StreamError::LastOperationFailed(StreamFault(code).into()),
        Fault::Machine(error) => StreamError::Trap(machine(&error).into()),
    }
}

fn moment(nanos: u64) -> Option<Datetime> {
    Some(Datetime {
        seconds: nanos / 1_000_000_000,
        nanoseconds: (nanos % 1_000_000_000) as u32,
    })
}

fn kind(attributes: &Attributes) -> DescriptorType {
    if attributes.directory {
        DescriptorType::Directory
    } else if attributes.link {
        DescriptorType::SymbolicLink
    } else {
        DescriptorType::RegularFile
    }
}

fn stat(attributes: &Attributes) -> DescriptorStat {
    DescriptorStat {
        type_: kind(attributes),
        link_count: attributes.links,
        size: attributes.size,
        data_access_timestamp: moment(attributes.accessed),
        data_modification_timestamp: moment(attributes.modified),
        status_change_timestamp: moment(attributes.changed),
    }
}

/// The identity of a file: its number, which no other file of the worker ever has.
fn hash(attributes: &Attributes) -> MetadataHashValue {
    MetadataHashValue {
        lower: attributes.id,
        upper: attributes.modified,
    }
}

fn set_time(time: NewTimestamp) -> Result<SetTime, ErrorCode> {
    Ok(match time {
        NewTimestamp::NoChange => SetTime::Keep,
        NewTimestamp::Now => SetTime::Now,
        NewTimestamp::Timestamp(at) => SetTime::To(
            at.seconds
                .checked_mul(1_000_000_000)
                .and_then(|nanos| nanos.checked_add(u64::from(at.nanoseconds)))
                .ok_or(ErrorCode::Overflow)?,
        ),
    })
}

fn follows(flags: PathFlags) -> bool {
    flags.contains(PathFlags::SYMLINK_FOLLOW)
}

impl Linked<'_> {
    /// The files, at the guest's moment.
    fn open_files(&mut self) {
        let now = self.0.clock.shown();
        self.0.files.at(now);
    }

    fn handle(&mut self, descriptor: &Resource<Descriptor>) -> FsResult<&Handle> {
        self.open_files();
        Ok(self
            .0
            .table
            .get(&Resource::<Handle>::new_borrow(descriptor.rep()))?)
    }

    fn opened(&mut self, descriptor: &Resource<Descriptor>) -> FsResult<Arc<Opened>> {
        Ok(Arc::clone(&self.handle(descriptor)?.opened))
    }

    /// A file that may be read, or written.
    fn file(
        &mut self,
        descriptor: &Resource<Descriptor>,
        need: DescriptorFlags,
    ) -> FsResult<Arc<Opened>> {
        let handle = self.handle(descriptor)?;
        if handle.opened.attributes().map_err(fault)?.directory {
            return Err(ErrorCode::IsDirectory.into());
        }
        if !handle.flags.contains(need) {
            return Err(ErrorCode::BadDescriptor.into());
        }
        Ok(Arc::clone(&handle.opened))
    }

    fn push_handle(
        &mut self,
        opened: Arc<Opened>,
        flags: DescriptorFlags,
    ) -> Result<Resource<Descriptor>> {
        push_handle(self.0, opened, flags, Held::Passing("open file"))
    }
}

/// A descriptor, which the guest is given as `held`.
fn push_handle(
    state: &mut HostState,
    opened: Arc<Opened>,
    flags: DescriptorFlags,
    held: Held,
) -> Result<Resource<Descriptor>> {
    let handle = state.table.push(Handle { opened, flags })?;
    state.mirror.insert(held, handle.rep());
    Ok(Resource::new_own(handle.rep()))
}

/// Names under which a guest finds the root of its files.
const PREOPENS: [&str; 2] = ["/", "."];

/// The preopened directory of a number: a place in [`PREOPENS`].
pub(crate) fn preopen(state: &mut HostState, number: u32) -> Result<Resource<Descriptor>> {
    let root = match state.files.root() {
        Ok(root) => root,
        Err(error) => return Err(wasmtime::Error::msg(format!("{error:?}"))),
    };
    let flags = DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY;
    push_handle(state, root, flags, Held::Preopen(number))
}

impl preopens::Host for Linked<'_> {
    fn get_directories(&mut self) -> Result<Vec<(Resource<Descriptor>, String)>> {
        let mut directories = Vec::with_capacity(PREOPENS.len());
        for (number, name) in (0..).zip(PREOPENS) {
            directories.push((preopen(self.0, number)?, name.to_owned()));
        }
        Ok(directories)
    }
}

impl types::Host for Linked<'_> {
    fn convert_error_code(&mut self, error: FsError) -> Result<ErrorCode> {
        error.downcast()
    }

    fn filesystem_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> Result<Option<ErrorCode>> {
        let error = self.0.table.get(&error)?;
        Ok(error.downcast_ref::<StreamFault>().map(|fault| fault.0))
    }
}

impl types::HostDescriptor for Linked<'_> {
    async fn advise(
        &mut self,
        descriptor: Resource<Descriptor>,
        _offset: Filesize,
        _len: Filesize,
        _advice: Advice,
    ) -> FsResult<()> {
        self.file(&descriptor, DescriptorFlags::empty())?;
        Ok(())
    }

    async fn sync_data(&mut self, descriptor: Resource<Descriptor>) -> FsResult<()> {
        // Nothing to wait for: the log is what makes files durable.
        self.handle(&descriptor)?;
        Ok(())
    }

    async fn sync(&mut self, descriptor: Resource<Descriptor>) -> FsResult<()> {
        self.handle(&descriptor)?;
        Ok(())
    }

    async fn get_flags(&mut self, descriptor: Resource<Descriptor>) -> FsResult<DescriptorFlags> {
        Ok(self.handle(&descriptor)?.flags)
    }

    async fn get_type(&mut self, descriptor: Resource<Descriptor>) -> FsResult<DescriptorType> {
        let attributes = self.opened(&descriptor)?.attributes().map_err(fault)?;
        Ok(kind(&attributes))
    }

    async fn set_size(&mut self, descriptor: Resource<Descriptor>, size: Filesize) -> FsResult<()> {
        self.file(&descriptor, DescriptorFlags::WRITE)?
            .set_size(size)
            .map_err(fault)
    }

    async fn set_times(
        &mut self,
        descriptor: Resource<Descriptor>,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FsResult<()> {
        self.opened(&descriptor)?
            .set_times(set_time(accessed)?, set_time(modified)?)
            .map_err(fault)
    }

    async fn read(
        &mut self,
        descriptor: Resource<Descriptor>,
        len: Filesize,
        offset: Filesize,
    ) -> FsResult<(Vec<u8>, bool)> {
        let file = self.file(&descriptor, DescriptorFlags::READ)?;
        let bytes = file.read(offset, len.min(CHUNK_BYTES)).map_err(fault)?;
        let end = bytes.is_empty() && len > 0;
        Ok((bytes, end))
    }

    async fn write(
        &mut self,
        descriptor: Resource<Descriptor>,
        bytes: Vec<u8>,
        offset: Filesize,
    ) -> FsResult<Filesize> {
        let file = self.file(&descriptor, DescriptorFlags::WRITE)?;
        file.write(offset, &bytes).map_err(fault)?;
        Ok(bytes.len() as u64)
    }

    async fn read_directory(
        &mut self,
        descriptor: Resource<Descriptor>,
    ) -> FsResult<Resource<DirectoryEntryStream>> {
        let entries = self.opened(&descriptor)?.list().map_err(fault)?;
        let entries: Vec<_> = entries
            .into_iter()
            .map(|(name, attributes)| DirectoryEntry {
                type_: kind(&attributes),
                name,
            })
            .collect();
        let stream = self.0.table.push(Entries {
            rest: entries.into_iter(),
        })?;
        self.0
            .mirror
            .insert(Held::Passing("listing of a directory"), stream.rep());
        Ok(Resource::new_own(stream.rep()))
    }

    async fn create_directory_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        path: String,
    ) -> FsResult<()> {
        self.opened(&descriptor)?
            .create_directory(&path)
            .map_err(fault)
    }

    async fn stat(&mut self, descriptor: Resource<Descriptor>) -> FsResult<DescriptorStat> {
        let attributes = self.opened(&descriptor)?.attributes().map_err(fault)?;
        Ok(stat(&attributes))
    }

    async fn stat_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
    ) -> FsResult<DescriptorStat> {
        let attributes = self
            .opened(&descriptor)?
            .attributes_at(&path, follows(flags))
            .map_err(fault)?;
        Ok(stat(&attributes))
    }

    async fn set_times_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FsResult<()> {
        self.opened(&descriptor)?
            .set_times_at(
                &path,
                follows(flags),
                set_time(accessed)?,
                set_time(modified)?,
            )
            .map_err(fault)
    }

    async fn link_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
        target: Resource<Descriptor>,
        new_path: String,
    ) -> FsResult<()> {
        let target = self.opened(&target)?;
        self.opened(&descriptor)?
            .link(&path, follows(flags), &target, &new_path)
            .map_err(fault)
    }

    async fn open_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
        open: OpenFlags,
        mut flags: DescriptorFlags,
    ) -> FsResult<Resource<Descriptor>> {
        let with = OpenWith {
            follow: follows(path_flags),
            create: open.contains(OpenFlags::CREATE),
            exclusive: open.contains(OpenFlags::EXCLUSIVE),
            truncate: open.contains(OpenFlags::TRUNCATE),
            directory: open.contains(OpenFlags::DIRECTORY),
            write: flags.contains(DescriptorFlags::WRITE),
        };
        if !with.write {
            flags |= DescriptorFlags::READ;
        }
        let opened = self.opened(&descriptor)?.open(&path, with).map_err(fault)?;
        self.push_handle(opened, flags).map_err(FsError::trap)
    }

    fn drop(&mut self, descriptor: Resource<Descriptor>) -> Result<()> {
        self.0.mirror.remove(descriptor.rep());
        self.0
            .table
            .delete(Resource::<Handle>::new_own(descriptor.rep()))?;
        Ok(())
    }

    async fn readlink_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        path: String,
    ) -> FsResult<String> {
        self.opened(&descriptor)?.read_link(&path).map_err(fault)
    }

    async fn remove_directory_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        path: String,
    ) -> FsResult<()> {
        self.opened(&descriptor)?
            .remove_directory(&path)
            .map_err(fault)
    }

    async fn rename_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        path: String,
        target: Resource<Descriptor>,
        new_path: String,
    ) -> FsResult<()> {
        let target = self.opened(&target)?;
        self.opened(&descriptor)?
            .rename(&path, &target, &new_path)
            .map_err(fault)
    }

    async fn symlink_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        target: String,
        path: String,
    ) -> FsResult<()> {
        self.opened(&descriptor)?
            .symlink(&target, &path)
            .map_err(fault)
    }

    async fn unlink_file_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        path: String,
    ) -> FsResult<()> {
        self.opened(&descriptor)?.unlink(&path).map_err(fault)
    }

    fn read_via_stream(
        &mut self,
        descriptor: Resource<Descriptor>,
        offset: Filesize,
    ) -> FsResult<Resource<DynInputStream>> {
        let file = self.file(&descriptor, DescriptorFlags::READ)?;
        let stream: DynInputStream = Box::new(FileReader { file, offset });
        let stream = self.0.table.push(stream)?;
        let held = Held::Passing("stream of a file");
        self.0.mirror.insert(held, stream.rep());
        Ok(stream)
    }

    fn write_via_stream(
        &mut self,
        descriptor: Resource<Descriptor>,
        offset: Filesize,
    ) -> FsResult<Resource<DynOutputStream>> {
        self.writer(&descriptor, Some(offset))
    }

    fn append_via_stream(
        &mut self,
        descriptor: Resource<Descriptor>,
    ) -> FsResult<Resource<DynOutputStream>> {
        self.writer(&descriptor, None)
    }

    async fn is_same_object(
        &mut self,
        one: Resource<Descriptor>,
        other: Resource<Descriptor>,
    ) -> Result<bool> {
        let table = &self.0.table;
        let one = table.get(&Resource::<Handle>::new_borrow(one.rep()))?;
        let other = table.get(&Resource::<Handle>::new_borrow(other.rep()))?;
        Ok(one.opened.is(&other.opened))
    }

    async fn metadata_hash(
        &mut self,
        descriptor: Resource<Descriptor>,
    ) -> FsResult<MetadataHashValue> {
        let attributes = self.opened(&descriptor)?.attributes().map_err(fault)?;
        Ok(hash(&attributes))
    }

    async fn metadata_hash_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
    ) -> FsResult<MetadataHashValue> {
        let attributes = self
            .opened(&descriptor)?
            .attributes_at(&path, follows(flags))
            .map_err(fault)?;
        Ok(hash(&attributes))
    }
}

impl Linked<'_> {
    fn writer(
        &mut self,
        descriptor: &Resource<Descriptor>,
        offset: Option<u64>,
    ) -> FsResult<Resource<DynOutputStream>> {
        let file = self.file(descriptor, DescriptorFlags::WRITE)?;
        let stream: DynOutputStream = Box::new(FileWriter { file, offset });
        let stream = self.0.table.push(stream)?;
        let held = Held::Passing("stream of a file");
        self.0.mirror.insert(held, stream.rep());
        Ok(stream)
    }
}

impl types::HostDirectoryEntryStream for Linked<'_> {
    async fn read_directory_entry(
        &mut self,
        stream: Resource<DirectoryEntryStream>,
    ) -> FsResult<Option<DirectoryEntry>> {
        let stream = Resource::<Entries>::new_borrow(stream.rep());
        Ok(self.0.table.get_mut(&stream)?.rest.next())
    }

    fn drop(&mut self, stream: Resource<DirectoryEntryStream>) -> Result<()> {
        self.0.mirror.remove(stream.rep());
        self.0
            .table
            .delete(Resource::<Entries>::new_own(stream.rep()))?;
        Ok(())
    }
}

/// Reads a file from an offset on. Always ready: a file has its bytes or is at its end.
struct FileReader {
    file: Arc<Opened>,
    offset: u64,
}

#[async_trait::async_trait]
impl Pollable for FileReader {
    async fn ready(&mut self) {}
}

impl InputStream for FileReader {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        let bytes = self
            .file
            .read(self.offset, (size as u64).min(CHUNK_BYTES))
            .map_err(stream_fault)?;
        if bytes.is_empty() && size > 0 {
            return Err(StreamError::Closed);
        }
        self.offset += bytes.len() as u64;
        Ok(bytes.into())
    }
}

/// Writes a file from an offset on, or at its end. Always ready.
struct FileWriter {
    file: Arc<Opened>,
    offset: Option<u64>,
}

#[async_trait::async_trait]
impl Pollable for FileWriter {
    async fn ready(&mut self) {}
}

impl OutputStream for FileWriter {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        match &mut self.offset {
            Some(offset) => {
                self.file.write(*offset, &bytes).map_err(stream_fault)?;
                *offset += bytes.len() as u64;
            }
            None => self.file.append(&bytes).map_err(stream_fault)?,
        }
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(CHUNK_BYTES as usize)
    }
}
