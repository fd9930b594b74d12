// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / restore: an instance like the one of an image. In: an image and a component. Out: an instance between two
//! invocations. None of the guest's code runs, so nothing is recorded or repeated. Every number is checked; with any
//! doubt there is an error, and the caller replays the log instead. Read next: `capture.rs`. Why: host design §8.3.

use std::sync::Arc;

use super::access::{Access, MemoryAccess, READ_MAX};
use super::capture::WASM_PAGE;
use super::handles::{HandleMirror, Held, Kind, Slot};
use super::image::{Image, MemoryImage, PAGE, Write};
use super::instrument::Obstacle;
use crate::component::loaded::Loaded;
use crate::host::HostState;
use crate::instance::Instance;

/// Zeros that are written at once.
static ZEROS: [u8; WASM_PAGE] = [0; WASM_PAGE];

/// Why an image cannot be used. The caller replays the log from its start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RestoreError {
    /// The component has no accessor.
    #[error("{0}")]
    Component(#[from] Obstacle),
    /// The image is of another component.
    #[error("the checkpoint is of another component")]
    OtherComponent,
    /// The image does not fit what the component has.
    #[error("the checkpoint does not fit the component: {0}")]
    Unfit(&'static str),
    /// The instance could not be made or written.
    #[error("the checkpoint cannot be restored: {0:#}")]
    Failed(#[from] wasmtime::Error),
}

impl Instance {
    /// An instance as `image` has it. Its start-up code does not run. Errors: every variant of [`RestoreError`].
    pub(crate) async fn restore(
        loaded: Arc<Loaded>,
        state: HostState,
        image: &Image,
    ) -> Result<Self, RestoreError> {
        let access = loaded.access.as_ref().map_err(|obstacle| *obstacle)?;
        if image.component != loaded.hash() {
            return Err(RestoreError::OtherComponent);
        }
        if image.memories.len() != access.memories.len()
            || image.globals.len() != access.globals.len()
        {
            return Err(RestoreError::Unfit("memories or globals"));
        }
        let mut instance = Self::bare(&loaded, state).await?;
        instance.restore_handles(access, image).await?;
        for (memory, image) in access.memories.iter().zip(&image.memories) {
            instance.restore_memory(access, memory, image).await?;
        }
        instance.restore_rest(access, image).await?;
        Ok(instance)
    }

    /// An instance in which no code has run.
    pub(super) async fn bare(loaded: &Arc<Loaded>, state: HostState) -> Result<Self, RestoreError> {
        let mut instance = Self::instantiate(Arc::clone(loaded), state).await?;
        let state = instance.state();
        if state.mirror.live() > 0 || state.table.iter_mut().next().is_some() {
            return Err(RestoreError::Unfit("code ran at instantiation"));
        }
        Ok(instance)
    }

    /// Globals and the host's side, which come after handles and memories.
    pub(super) async fn restore_rest(
        &mut self,
        access: &Access,
        image: &Image,
    ) -> Result<(), RestoreError> {
        for (global, bits) in access.globals.iter().zip(&image.globals) {
            let () = self.access(&global.set, (*bits,)).await?;
        }
        match self.state().restore(&image.host) {
            Ok(true) => Ok(()),
            Ok(false) => Err(RestoreError::Unfit("the files")),
            Err(_) => Err(RestoreError::Unfit("files that cannot be written")),
        }
    }

    /// Fills the table from slot 1 on, with fillers where the image has free slots, then frees those in the order that
    /// makes wasmtime take them as it would have.
    pub(super) async fn restore_handles(
        &mut self,
        access: &Access,
        image: &Image,
    ) -> Result<(), RestoreError> {
        let mut slots: Vec<Option<Slot>> = Vec::new();
        for (index, slot) in (1..).zip(&image.slots) {
            let got = match slot {
                None => {
                    slots.push(None);
                    let (got,): (u32,) = self.access(&access.make_slot, ()).await?;
                    got
                }
                Some(handle) => {
                    let resource = access.resources.get(handle.resource as usize);
                    let resource = resource.ok_or(RestoreError::Unfit("a resource"))?;
                    let held = placed(&handle.held, resource.kind);
                    let held = held.ok_or(RestoreError::Unfit("a handle"))?;
                    let (got, rep) = self.make_handle(&resource.make, held.clone()).await?;
                    slots.push(Some((held, rep)));
                    got
                }
            };
            if got != index {
                return Err(RestoreError::Unfit("the order of handles"));
            }
        }
        let mut free = vec![false; slots.len()];
        for slot in &image.free {
            let at = (*slot as usize).wrapping_sub(1);
            match (slots.get(at), free.get_mut(at)) {
                (Some(None), Some(freed)) if !*freed => *freed = true,
                _ => return Err(RestoreError::Unfit("a free handle")),
            }
            let () = self.access(&access.drop_slot, (*slot,)).await?;
        }
        if slots.iter().filter(|slot| slot.is_none()).count() != image.free.len() {
            return Err(RestoreError::Unfit("the free handles"));
        }
        self.state().mirror = HandleMirror::of(slots, image.free.clone());
        Ok(())
    }

    async fn restore_memory(
        &mut self,
        access: &Access,
        memory: &MemoryAccess,
        image: &Arc<MemoryImage>,
    ) -> Result<(), RestoreError> {
        let size = self.grow_to(memory, image.size).await?;
        let fresh = size as usize * WASM_PAGE;
        if fresh > READ_MAX {
            return Err(RestoreError::Unfit(
                "a memory that is very large when it is new",
            ));
        }
        let wanted = Arc::clone(image);
        let writes = self
            .lend(&memory.read, 0, fresh, move |bytes| {
                wanted.differences(bytes)
            })
            .await?;
        for write in writes {
            self.write(access, memory, image, write).await?;
        }
        Ok(())
    }

    /// Makes a memory of a new instance as large as `wanted`, in pages of WebAssembly; returns what it had.
    pub(super) async fn grow_to(
        &mut self,
        memory: &MemoryAccess,
        wanted: u32,
    ) -> Result<u32, RestoreError> {
        let (size,): (u32,) = self.access(&memory.size, ()).await?;
        let Some(more) = wanted.checked_sub(size) else {
            return Err(RestoreError::Unfit(
                "a memory that is larger when it is new",
            ));
        };
        if more > 0 {
            let (before,): (u32,) = self.access(&memory.grow, (more,)).await?;
            if before != size {
                return Err(RestoreError::Unfit("a memory that cannot grow"));
            }
        }
        Ok(size)
    }

    async fn write(
        &mut self,
        access: &Access,
        memory: &MemoryAccess,
        image: &MemoryImage,
        write: Write,
    ) -> Result<(), RestoreError> {
        let unfit = RestoreError::Unfit("a page");
        let Ok(at) = u32::try_from(write.at) else {
            return Err(unfit);
        };
        if let Some(from) = write.from {
            let bytes = image.data.get(from..from + write.length).ok_or(unfit)?;
            let () = self.access(&access.target, (at,)).await?;
            let () = self.access(&memory.write, (bytes,)).await?;
            return Ok(());
        }
        for offset in (0..write.length).step_by(ZEROS.len()) {
            let length = ZEROS.len().min(write.length - offset);
            let bytes = ZEROS.get(..length).unwrap_or_default();
            // A memory has at most 4 GiB, and the write begins inside of it.
            let () = self.access(&access.target, (at + offset as u32,)).await?;
            let () = self.access(&memory.write, (bytes,)).await?;
        }
        Ok(())
    }
}

/// What an image holds, as a handle of the resource type `kind`; `None`: they do not fit.
fn placed(held: &Held, kind: Kind) -> Option<Held> {
    let held = match (held, kind) {
        (Held::Stub { target, .. }, Kind::Stub(number)) => Held::Stub {
            number,
            target: target.clone(),
        },
        (held, _) => held.clone(),
    };
    (held.kind() == Some(kind)).then_some(held)
}

const _: () = assert!(WASM_PAGE.is_multiple_of(PAGE));
