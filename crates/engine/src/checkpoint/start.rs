// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / start: where the workers of a component begin whose start is shared. In: a component, and what its start-up code gets from
//! the platform. Out: instances whose memory is a copy of what that code left; the kernel makes the copy, page by page, when a page
//! is written. It is a cache: the same start-up code, given the same, leaves the same. Bound: one image for each component version.
//! Read next: `restore.rs`, `../host/start_up.rs`. Why: docs/adr/0019-shared-starts.md.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use golem_model::WorkerId;
use golem_model::oplog::{FailureKind, SharedStart};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap};
use tokio::sync::Mutex;

use super::access::{MemoryAccess, READ_MAX};
use super::capture::WASM_PAGE;
use super::image::{Image, MemoryImage, PAGE};
use super::restore::RestoreError;
use crate::component::loaded::Loaded;
use crate::host::durable::Journal;
use crate::host::{Guest, HostState, StartUp};
use crate::instance::{Instance, Stopped};
use crate::node::Node;
use crate::rpc::Rpc;

/// The image of a component's start, made when it is first needed.
pub(crate) type Starting = Mutex<Option<Arc<Started>>>;

/// A component after its start-up code has run.
pub(crate) struct Started {
    /// What that code got.
    by: SharedStart,
    /// All but the memories.
    image: Image,
    memories: Vec<StartedMemory>,
}

/// A memory that new instances have a copy of.
struct StartedMemory {
    /// Size in pages of WebAssembly.
    size: u32,
    /// Its bytes, from its beginning to its end. Sealed: nobody can change them.
    file: File,
}

impl StartedMemory {
    fn keep(memory: &MemoryImage) -> std::io::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = File::from(memfd_create("golem-start", flags)?);
        file.set_len(u64::from(memory.size) * WASM_PAGE as u64)?;
        for (number, page) in memory.pages() {
            file.write_all_at(page, u64::from(number) * PAGE as u64)?;
        }
        let all = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
        fcntl_add_seals(&file, all)?;
        Ok(Self {
            size: memory.size,
            file,
        })
    }
}

impl Started {
    /// Runs the start-up code of a component for all its workers. Errors: why they cannot share it: the code asks for something that
    /// is not the same for all of them, fails, or leaves what an image cannot hold.
    pub(crate) async fn make(
        node: &Arc<Node>,
        loaded: &Arc<Loaded>,
        by: &SharedStart,
    ) -> Result<Self, Stopped> {
        let id = loaded.info.versioned_component_id;
        // Nobody's: its name is never seen.
        let guest = Guest {
            worker: WorkerId::new(id.component_id, String::new()),
            origin: None,
            version: id.version,
            args: Vec::new(),
            env: Vec::new(),
            secrets: Vec::new(),
            start: Some(by.clone()),
        };
        let given = node.give(&loaded.info, &guest)?;
        let journal = Journal::starting(node.payloads());
        let rpc = Rpc::new(Arc::clone(node));
        let mut state = HostState::new(Arc::new(guest), journal, rpc, given, None);
        state.start_up = Some(StartUp::new(by.clone()));
        let running = node.run();
        let mut instance = Instance::start_alone(Arc::clone(loaded), state).await?;
        drop(running);
        let image = instance.capture().await?;
        let mut image = image.map_err(|reason| failed(reason.to_string()))?;
        let memories = std::mem::take(&mut image.memories);
        if memories
            .iter()
            .any(|memory| memory.size as usize * WASM_PAGE > READ_MAX)
        {
            return Err(failed(format!(
                "it leaves a memory of more than {} MiB",
                READ_MAX >> 20
            )));
        }
        let keep = |memory: &Arc<MemoryImage>| StartedMemory::keep(memory);
        let memories = memories.iter().map(keep).collect::<Result<_, _>>();
        Ok(Self {
            by: by.clone(),
            image,
            memories: memories.map_err(|error| failed(format!("no memory for it: {error}")))?,
        })
    }
}

fn failed(why: String) -> Stopped {
    Stopped::failed(FailureKind::InvalidRequest, why)
}

/// The same, for a worker that was to begin there.
fn cannot_begin(mut stopped: Stopped) -> Stopped {
    if let Stopped::Failed(failure) = &mut stopped {
        let why = &failure.message;
        failure.message = format!("the start of the component cannot be shared: {why}");
    }
    stopped
}

impl Instance {
    /// An instance whose component has started already. Errors: those of [`Started::make`], which the upload has met before, and the
    /// machine's.
    pub(crate) async fn start_shared(
        loaded: Arc<Loaded>,
        state: HostState,
        by: &SharedStart,
    ) -> Result<Self, Stopped> {
        let started = {
            let mut starting = loaded.starting.lock().await;
            match starting.as_ref().filter(|started| started.by == *by) {
                Some(started) => Arc::clone(started),
                None => {
                    let node = state.rpc.node();
                    // Boxed: it is rare, and a worker's task is as large as the largest thing that it may do.
                    let made = Box::pin(Started::make(&node, &loaded, by)).await;
                    let made = made.map_err(cannot_begin)?;
                    Arc::clone(starting.insert(Arc::new(made)))
                }
            }
        };
        let copied = Self::copy(loaded, state, &started).await;
        copied.map_err(|error| cannot_begin(failed(error.to_string())))
    }

    async fn copy(
        loaded: Arc<Loaded>,
        state: HostState,
        started: &Started,
    ) -> Result<Self, RestoreError> {
        let access = loaded.access.as_ref().map_err(|obstacle| *obstacle)?;
        let mut instance = Self::bare(&loaded, state).await?;
        instance.restore_handles(access, &started.image).await?;
        for (memory, from) in access.memories.iter().zip(&started.memories) {
            instance.map(memory, from).await?;
        }
        instance.bring_in_pages().await?;
        instance.restore_rest(access, &started.image).await?;
        instance.is_new = true;
        Ok(instance)
    }

    /// Puts a copy of `from` in the place of a memory.
    async fn map(
        &mut self,
        memory: &MemoryAccess,
        from: &StartedMemory,
    ) -> Result<(), RestoreError> {
        self.grow_to(memory, from.size).await?;
        let length = from.size as usize * WASM_PAGE;
        if length == 0 {
            return Ok(());
        }
        let place = |bytes: &[u8]| (bytes.as_ptr().expose_provenance(), bytes.len());
        let (start, lent) = self.lend(&memory.read, 0, length, place).await?;
        if lent != length {
            return Err(RestoreError::Unfit("the size of a memory"));
        }
        replace(start, length, from).map_err(|error| RestoreError::Failed(error.into()))
    }
}

/// Maps a private copy of `from` over the `length` bytes at `start`. On an error the memory must not be used any more.
#[expect(
    unsafe_code,
    reason = "maps a file over a memory of wasmtime's that nobody looks at"
)]
fn replace(start: usize, length: usize, from: &StartedMemory) -> rustix::io::Result<()> {
    let (protection, flags) = (
        ProtFlags::READ | ProtFlags::WRITE,
        MapFlags::PRIVATE | MapFlags::FIXED,
    );
    let at = std::ptr::with_exposed_provenance_mut(start);
    // SAFETY: the bytes are all pages of a linear memory that may be read and written, of an instance that the caller has for itself:
    // no code of it runs, and no reference into it lives, because the host function that was lent the memory has returned. Where
    // they are and how they may be used stays as it was; wasmtime reads them anew each time, and unmaps the whole reservation, whatever
    // is in it, when the instance goes. The file is as long as the mapping and sealed, so no page of it can be missing.
    unsafe { mmap(at, length, protection, flags, &from.file, 0) }.map(drop)
}
