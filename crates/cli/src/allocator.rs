// SPDX-License-Identifier: Apache-2.0
//! THE DESK / allocator: mimalloc, with zeros that are written where a guest's tables will be. In: layouts. Out: memory. Never touches a
//! size that is not asked for with zeros. Bound: [`ZEROED_MAX`]. Read next: `main.rs`. Why: docs/adr/0017-pages.md.

use std::alloc::{GlobalAlloc, Layout};

use mimalloc::MiMalloc;

/// Smallest request for zeros that is written: below a page nothing is gained.
const ZEROED_MIN: usize = 4 << 10;
/// Largest one: the table of functions of a Go component has 48 KiB. Most of what is larger is never touched.
const ZEROED_MAX: usize = 64 << 10;

/// The server makes and frees thousands of instances from many threads; glibc's heap is slow at that, and keeps what was freed.
///
/// Memory that the kernel has just given is zero, so an allocator hands it out as it is. A table of functions is read before it is
/// written, entry by entry: each of its pages is then mapped twice, and the second time the kernel stops all processors of the process.
pub(crate) struct Allocator;

#[expect(
    unsafe_code,
    reason = "the trait of allocators; each function hands its duties on to mimalloc's"
)]
// SAFETY: every block comes from `MiMalloc` and goes back to it with the same layout; what is written lies within the block.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps to the same contract.
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if !(ZEROED_MIN..=ZEROED_MAX).contains(&layout.size()) {
            // SAFETY: the caller keeps to the same contract.
            return unsafe { MiMalloc.alloc_zeroed(layout) };
        }
        // SAFETY: the caller keeps to the same contract.
        let block = unsafe { MiMalloc.alloc(layout) };
        if !block.is_null() {
            // SAFETY: the block has so many bytes, and nobody else has it yet.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps to the same contract.
        unsafe { MiMalloc.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller keeps to the same contract.
        unsafe { MiMalloc.realloc(block, layout, size) }
    }
}
