// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / handles: what stands in a guest's table of handles, as far as the host can know it. In: handles that are
//! given to the guest, and drops. Out: slots and free slots in the order of wasmtime's table. The mirror is a guess that
//! `capture.rs` verifies before anybody relies on it. Bound: [`SLOTS_MAX`]. Read next: `capture.rs`, `../host/held.rs`.
//! Why: host design §8.2.

use rustc_hash::FxHashMap;
use wasmtime::component::{Resource, ResourceAny, ResourceDynamic, ResourceType};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi::cli::WasiCliView;
use wasmtime_wasi::p2::bindings::cli::{stderr, stdin, stdout};
use wasmtime_wasi::p2::bindings::filesystem::types::Descriptor;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream};

use crate::host::durable::Halt;
use crate::host::{self, HostState};
use crate::queue::Target;
use crate::rpc::{self, RpcClient};

/// Most slots of a table that a checkpoint is made of: each is looked at with one call into the guest's instance, about a
/// microsecond. A guest that once had more handles at the same time runs without checkpoints.
pub(crate) const SLOTS_MAX: usize = 16 << 10;

/// What a handle of a guest stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Held {
    /// `wasi:cli/stdin`
    Stdin,
    /// `wasi:cli/stdout`
    Stdout,
    /// `wasi:cli/stderr`
    Stderr,
    /// The preopened directory of this number.
    Preopen(u32),
    /// A client of a stub interface that the engine links.
    Stub {
        /// Number of its resource type among the stub resources of the component.
        number: u32,
        /// Whom it calls.
        target: Target,
    },
    /// A client of `golem:rpc`.
    Rpc(Target),
    /// Something that belongs to the running invocation and cannot be made again: what it is called.
    Passing(&'static str),
}

/// Resource types whose handles can be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `input-stream`
    Input,
    /// `output-stream`
    Output,
    /// `descriptor`
    Descriptor,
    /// `wasm-rpc`
    Rpc,
    /// The client of a stub, by the number of its resource type.
    Stub(u32),
}

impl Held {
    /// What an image keeps of it: the number of a stub's resource type is said by the resource.
    pub(super) fn kept(&self) -> Self {
        match self {
            Self::Stub { target, .. } => Self::Stub {
                number: 0,
                target: target.clone(),
            },
            other => other.clone(),
        }
    }

    /// The type of the handle; `None` for what cannot be made again.
    pub(super) fn kind(&self) -> Option<Kind> {
        Some(match self {
            Self::Stdin => Kind::Input,
            Self::Stdout | Self::Stderr => Kind::Output,
            Self::Preopen(_) => Kind::Descriptor,
            Self::Stub { number, .. } => Kind::Stub(*number),
            Self::Rpc(_) => Kind::Rpc,
            Self::Passing(_) => return None,
        })
    }
}

/// A slot that is in use: what it stands for, and the number of the host's object in the store's resource table.
pub(crate) type Slot = (Held, u32);

/// The table of handles of a guest, as the host believes it to be. wasmtime hands out the slot that was freed last, or a
/// new one behind the others; the first slot is number 1.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct HandleMirror {
    slots: Vec<Option<Slot>>,
    /// Free slots; the last one is taken next.
    free: Vec<u32>,
    by_rep: FxHashMap<u32, u32>,
    /// The guest has had more handles than are followed.
    lost: bool,
}

impl HandleMirror {
    /// A mirror of `slots`, whose `free` ones are taken from the end.
    pub(super) fn of(slots: Vec<Option<Slot>>, free: Vec<u32>) -> Self {
        let used = (1..).zip(&slots);
        let by_rep = used.filter_map(|(index, slot)| Some((slot.as_ref()?.1, index)));
        Self {
            by_rep: by_rep.collect(),
            slots,
            free,
            lost: false,
        }
    }

    /// The guest is given a handle of `held`, whose object has the number `rep` in the resource table.
    pub(crate) fn insert(&mut self, held: Held, rep: u32) {
        if self.slots.len() >= SLOTS_MAX && self.free.is_empty() {
            self.lost = true;
        }
        if self.lost {
            return;
        }
        let slot = self.free.pop().and_then(|index| {
            let slot = self.slots.get_mut(index as usize - 1)?;
            *slot = Some((held.clone(), rep));
            Some(index)
        });
        let index = slot.unwrap_or_else(|| {
            self.slots.push(Some((held, rep)));
            self.slots.len() as u32
        });
        self.by_rep.insert(rep, index);
    }

    /// The guest has dropped the handle of an object; one that is not followed changes nothing.
    pub(crate) fn remove(&mut self, rep: u32) {
        if let Some(index) = self.by_rep.remove(&rep)
            && let Some(slot) = self.slots.get_mut(index as usize - 1)
        {
            *slot = None;
            self.free.push(index);
        }
    }

    /// Whether the mirror has given up.
    pub(super) fn lost(&self) -> bool {
        self.lost
    }

    /// How many handles the guest holds.
    pub(super) fn live(&self) -> usize {
        self.by_rep.len()
    }

    /// The slots that are in use, with their numbers.
    pub(super) fn used(&self) -> impl Iterator<Item = (u32, &Slot)> {
        let used = (1..).zip(&self.slots);
        used.filter_map(|(index, slot)| Some((index, slot.as_ref()?)))
    }

    /// Slots that the table has, used and free.
    pub(super) fn len(&self) -> u32 {
        // Bounded by `SLOTS_MAX`.
        self.slots.len() as u32
    }

    /// Free slots; the last one is taken next.
    pub(super) fn free(&self) -> &[u32] {
        &self.free
    }

    /// The slot of a number, if it is in use.
    pub(super) fn get(&self, index: u32) -> Option<&Slot> {
        let at = (index as usize).checked_sub(1)?;
        self.slots.get(at)?.as_ref()
    }
}

/// Makes the object of `held` and an own handle to it. Returns the handle, and the object's number.
pub(super) fn make(
    store: &mut StoreContextMut<'_, HostState>,
    held: &Held,
) -> Result<(ResourceAny, u32)> {
    let state = store.data_mut();
    match held {
        Held::Stdin => {
            let stream = stdin::Host::get_stdin(&mut WasiCliView::cli(state))?;
            let rep = stream.rep();
            Ok((stream.try_into_resource_any(store)?, rep))
        }
        Held::Stdout => {
            let stream = stdout::Host::get_stdout(&mut WasiCliView::cli(state))?;
            let rep = stream.rep();
            Ok((stream.try_into_resource_any(store)?, rep))
        }
        Held::Stderr => {
            let stream = stderr::Host::get_stderr(&mut WasiCliView::cli(state))?;
            let rep = stream.rep();
            Ok((stream.try_into_resource_any(store)?, rep))
        }
        Held::Preopen(number) => {
            let descriptor = host::preopen(state, *number)?;
            let rep = descriptor.rep();
            Ok((descriptor.try_into_resource_any(store)?, rep))
        }
        Held::Stub { number, target } => {
            let rep = rpc::new_stub_client(state, target.clone())?;
            let own = ResourceDynamic::new_own(rep, *number);
            Ok((own.try_into_resource_any(store)?, rep))
        }
        Held::Rpc(target) => {
            let client = rpc::new_rpc_client(state, target.clone())?;
            let rep = client.rep();
            Ok((client.try_into_resource_any(store)?, rep))
        }
        Held::Passing(what) => Err(impossible(what).into()),
    }
}

fn impossible(what: &str) -> Halt {
    Halt::InvalidRequest(format!("a checkpoint cannot make {what} again"))
}

/// The number of the object that a handle stands for.
pub(super) fn rep_of(
    store: &mut StoreContextMut<'_, HostState>,
    handle: ResourceAny,
) -> Result<u32> {
    fn rep<T: 'static>(
        store: &mut StoreContextMut<'_, HostState>,
        handle: ResourceAny,
    ) -> Result<u32> {
        Ok(Resource::<T>::try_from_resource_any(handle, store)?.rep())
    }
    let typ = handle.ty();
    if typ == ResourceType::host::<DynInputStream>() {
        rep::<DynInputStream>(store, handle)
    } else if typ == ResourceType::host::<DynOutputStream>() {
        rep::<DynOutputStream>(store, handle)
    } else if typ == ResourceType::host::<Descriptor>() {
        rep::<Descriptor>(store, handle)
    } else if typ == ResourceType::host::<RpcClient>() {
        rep::<RpcClient>(store, handle)
    } else {
        Ok(ResourceDynamic::try_from_resource_any(handle, store)?.rep())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_hands_out_slots_like_the_table() {
        let mut mirror = HandleMirror::default();
        for (held, rep) in [(Held::Stdin, 10), (Held::Stdout, 11), (Held::Stderr, 12)] {
            mirror.insert(held, rep);
        }
        mirror.remove(10);
        mirror.remove(11);
        mirror.insert(Held::Passing("pollable"), 13);
        assert_eq!(mirror.get(2), Some(&(Held::Passing("pollable"), 13)));
        mirror.insert(Held::Stdin, 14);
        mirror.insert(Held::Stdin, 15);
        assert_eq!(mirror.get(1), Some(&(Held::Stdin, 14)));
        assert_eq!(mirror.get(4), Some(&(Held::Stdin, 15)));
        mirror.remove(99);
        assert_eq!(mirror.live(), 4);
    }

    #[test]
    fn a_guest_with_very_many_handles_is_no_longer_followed() {
        let mut mirror = HandleMirror::default();
        for rep in 0..=SLOTS_MAX as u32 {
            mirror.insert(Held::Stdin, rep);
        }
        assert!(mirror.lost());
    }
}
