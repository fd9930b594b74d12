// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / stacks: the stacks that guests and the host functions that they call run on. In: a size. Out: memory with a guard page
//! below it. Those of instances that are gone are used again. Bound: [`FREE_MAX`]. Read next: `wasm.rs`. Why: ADR 0017.

use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use wasmtime::{Result, StackCreator, StackMemory};

use crate::resident::PAGE_BYTES;

/// Stacks that are kept for later instances: those of a burst. A stack that was used has one or two pages, so these are 4 to 8 MiB.
const FREE_MAX: usize = 1024;

/// Makes stacks, and keeps those that nobody needs any more.
#[derive(Default)]
pub(crate) struct Stacks(Arc<Free>);

/// Stacks without an instance, the one that was used last at the end: the processor still has some of it.
#[derive(Default)]
struct Free(Mutex<Vec<Mapping>>);

/// A stack of an instance. Dropped, it is free.
struct Stack {
    mapping: Mapping,
    free: Arc<Free>,
}

/// A guard page and a stack above it. It has one owner, who frees it or unmaps it.
#[derive(Debug, Clone, Copy)]
struct Mapping {
    start: *mut u8,
    bytes: usize,
}

// SAFETY: a mapping belongs to the process, not to a thread; this value is an address.
#[expect(unsafe_code, reason = "an address of the process")]
unsafe impl Send for Mapping {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "an address of the process")]
unsafe impl Sync for Mapping {}

impl Mapping {
    /// A new stack of `bytes`, rounded up to whole pages. Errors: the kernel has no memory, or no more mappings for this process.
    #[expect(unsafe_code, reason = "maps memory that nobody else has")]
    fn new(bytes: usize) -> Result<Self> {
        let bytes = bytes.max(1).next_multiple_of(PAGE_BYTES) + PAGE_BYTES;
        // SAFETY: a new mapping, at a place that the kernel chooses.
        let start = unsafe {
            mmap_anonymous(
                std::ptr::null_mut(),
                bytes,
                ProtFlags::empty(),
                MapFlags::PRIVATE,
            )
        }?;
        let mapping = Self {
            start: start.cast(),
            bytes,
        };
        // SAFETY: all but the first page of the mapping from above.
        let opened = unsafe {
            mprotect(
                mapping.guard().end.cast(),
                mapping.stack().len(),
                MprotectFlags::READ | MprotectFlags::WRITE,
            )
        };
        if let Err(error) = opened {
            mapping.unmap();
            return Err(error.into());
        }
        Ok(mapping)
    }

    /// Addresses of the stack.
    fn stack(&self) -> Range<usize> {
        let start = self.start.addr();
        start + PAGE_BYTES..start + self.bytes
    }

    /// The page below it, which nobody can touch.
    fn guard(&self) -> Range<*mut u8> {
        self.start..self.start.wrapping_add(PAGE_BYTES)
    }

    /// Gives it back to the kernel. The owner's last word.
    #[expect(unsafe_code, reason = "unmaps what `new` has mapped")]
    fn unmap(self) {
        // SAFETY: the mapping is the owner's alone, who has no use for it any more.
        if let Err(error) = unsafe { munmap(self.start.cast(), self.bytes) } {
            tracing::error!(%error, "cannot unmap a stack");
        }
    }
}

impl Drop for Free {
    fn drop(&mut self) {
        self.0.get_mut().drain(..).for_each(Mapping::unmap);
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let mut free = self.free.0.lock();
        if free.len() < FREE_MAX {
            return free.push(self.mapping);
        }
        drop(free);
        self.mapping.unmap();
    }
}

// SAFETY: every stack is memory that only its [`Stack`] names, readable and writable, with a guard page below. One that was used
// before is not zeroed, so none is given to who asks for that.
#[expect(unsafe_code, reason = "how wasmtime takes stacks of its host")]
unsafe impl StackCreator for Stacks {
    fn new_stack(&self, size: usize, zeroed: bool) -> Result<Box<dyn StackMemory>> {
        let used = match zeroed {
            true => None,
            false => self.0.0.lock().pop(),
        };
        // One engine asks for one size.
        let mapping = match used {
            Some(mapping) if mapping.stack().len() >= size => mapping,
            Some(mapping) => {
                mapping.unmap();
                Mapping::new(size)?
            }
            None => Mapping::new(size)?,
        };
        Ok(Box::new(Stack {
            mapping,
            free: Arc::clone(&self.0),
        }))
    }
}

// SAFETY: the addresses are those of a mapping that lives as long as this value.
#[expect(unsafe_code, reason = "how wasmtime takes stacks of its host")]
unsafe impl StackMemory for Stack {
    fn top(&self) -> *mut u8 {
        self.mapping.start.wrapping_add(self.mapping.bytes)
    }

    fn range(&self) -> Range<usize> {
        self.mapping.stack()
    }

    fn guard_range(&self) -> Range<*mut u8> {
        self.mapping.guard()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: usize = 3 * PAGE_BYTES;

    fn place(stack: &dyn StackMemory) -> usize {
        stack.range().start
    }

    #[test]
    fn a_stack_is_used_again_unless_it_has_to_be_new() {
        let stacks = Stacks::default();
        let first = stacks.new_stack(SIZE - 1, false).unwrap();
        assert_eq!(first.range().len(), SIZE);
        assert_eq!(first.top().addr(), first.range().end);
        assert_eq!(first.guard_range().end.addr(), first.range().start);
        let at = place(first.as_ref());
        drop(first);
        let zeroed = stacks.new_stack(SIZE, true).unwrap();
        assert_ne!(place(zeroed.as_ref()), at);
        let again = stacks.new_stack(SIZE, false).unwrap();
        assert_eq!(place(again.as_ref()), at);
        let other = stacks.new_stack(SIZE, false).unwrap();
        assert_ne!(place(other.as_ref()), at);
    }

    #[test]
    fn a_larger_stack_is_another_one() {
        let stacks = Stacks::default();
        drop(stacks.new_stack(SIZE, false).unwrap());
        let larger = stacks.new_stack(2 * SIZE, false).unwrap();
        assert_eq!(larger.range().len(), 2 * SIZE);
    }

    #[test]
    fn no_more_are_kept_than_a_burst_has() {
        let stacks = Stacks::default();
        let burst: Vec<_> = (0..FREE_MAX + 2)
            .map(|_| stacks.new_stack(SIZE, false).unwrap())
            .collect();
        drop(burst);
        assert_eq!(stacks.0.0.lock().len(), FREE_MAX);
    }

    #[test]
    fn a_guest_that_recurses_too_deep_leaves_a_stack_that_others_can_use() {
        let engine = crate::wasm::engine().unwrap();
        let wasm = "(module (func $deep (export \"deep\") (call $deep)) (func (export \"flat\") (result i32) (i32.const 7)))";
        let module = wasmtime::Module::new(&engine, wat::parse_str(wasm).unwrap()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        for _ in 0..3 {
            let mut store = wasmtime::Store::new(&engine, ());
            store.set_epoch_deadline(u64::MAX / 2);
            runtime.block_on(async {
                let instance = wasmtime::Instance::new_async(&mut store, &module, &[]);
                let instance = instance.await.unwrap();
                let deep = instance.get_typed_func::<(), ()>(&mut store, "deep");
                let trap = deep.unwrap().call_async(&mut store, ()).await.unwrap_err();
                assert_eq!(
                    trap.downcast_ref::<wasmtime::Trap>(),
                    Some(&wasmtime::Trap::StackOverflow)
                );
                let flat = instance.get_typed_func::<(), i32>(&mut store, "flat");
                assert_eq!(flat.unwrap().call_async(&mut store, ()).await.unwrap(), 7);
            });
        }
    }
}
