// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / image: all that a quiet instance consists of, as plain data. In: what `capture.rs` reads. Out: what
//! `restore.rs` writes and `format.rs` makes bytes of. Never touches an instance. Bound: the memory of a worker.
//! Read next: `format.rs`. Why: host design §8.

use std::sync::Arc;

use golem_model::hex;
use golem_model::oplog::PersistenceLevel;
use sha2::{Digest, Sha256};

use super::handles::Held;

/// Bytes of a page as images see it: the page of the machine, not the much larger one of WebAssembly.
pub(crate) const PAGE: usize = 4096;
/// Pages of an image in one page of WebAssembly.
pub(crate) const PAGES_PER_WASM_PAGE: u32 = 16;

const ZEROS: [u8; PAGE] = [0; PAGE];

/// Consecutive pages that are not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    /// Number of the first page.
    pub(crate) first: u32,
    /// How many.
    pub(crate) count: u32,
}

/// A linear memory. Pages that are not in a run are zero.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MemoryImage {
    /// Size in pages of WebAssembly.
    pub(crate) size: u32,
    /// Ascending, without overlap, never touching.
    pub(crate) runs: Vec<Run>,
    /// The pages of all runs, one after the other.
    pub(crate) data: Vec<u8>,
}

impl MemoryImage {
    /// Takes the pages of `bytes` that are not zero; the first of them has the number `first`. To be called in order.
    pub(super) fn add(&mut self, first: u32, bytes: &[u8]) {
        for (number, page) in (first..).zip(bytes.chunks_exact(PAGE)) {
            if page == ZEROS {
                continue;
            }
            match self.runs.last_mut() {
                Some(run) if run.first + run.count == number => run.count += 1,
                _ => self.runs.push(Run {
                    first: number,
                    count: 1,
                }),
            }
            self.data.extend_from_slice(page);
        }
    }

    /// Every page that is not zero, with its number.
    pub(super) fn pages(&self) -> impl Iterator<Item = (u32, &[u8])> {
        let numbers = self
            .runs
            .iter()
            .flat_map(|run| run.first..run.first + run.count);
        numbers.zip(self.data.chunks_exact(PAGE))
    }

    /// What has to be written over a fresh memory, whose pages from 0 on are `fresh`, to make it this one: places in
    /// bytes, and content. Only what differs, so that untouched pages stay shared between instances.
    pub(super) fn differences(&self, fresh: &[u8]) -> Vec<Write> {
        let mut writes: Vec<Write> = Vec::new();
        let mut wanted = self.pages().zip((0..).step_by(PAGE)).peekable();
        for (number, page) in (0..).zip(fresh.chunks_exact(PAGE)) {
            let want = wanted.next_if(|((at, _), _)| *at == number);
            match want {
                Some(((_, bytes), _)) if bytes == page => {}
                Some((_, from)) => push(&mut writes, number, Some(from)),
                None if page == ZEROS => {}
                None => push(&mut writes, number, None),
            }
        }
        for ((number, _), from) in wanted {
            push(&mut writes, number, Some(from));
        }
        writes
    }
}

/// A part of a memory that has to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Write {
    /// Where, in bytes.
    pub(super) at: usize,
    /// How much, in bytes.
    pub(super) length: usize,
    /// Where it stands in [`MemoryImage::data`]; `None` for zeros.
    pub(super) from: Option<usize>,
}

/// Most bytes of one write: the host call that takes it may copy up to 128 MiB, and gives the thread back in between.
const WRITE_MAX: usize = 4 << 20;

fn push(writes: &mut Vec<Write>, page: u32, from: Option<usize>) {
    let at = page as usize * PAGE;
    if let Some(last) = writes.last_mut()
        && last.at + last.length == at
        && last.length < WRITE_MAX
        && last.from.map(|start| start + last.length) == from
    {
        last.length += PAGE;
        return;
    }
    writes.push(Write {
        at,
        length: PAGE,
        from,
    });
}

/// A handle of the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeldHandle {
    /// Number of its resource among those of the accessor.
    pub(crate) resource: u32,
    /// What it stands for. The number of a stub's resource type is not kept: `resource` says it.
    pub(crate) held: Held,
}

/// The host's side of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostImage {
    /// The virtual clock, in nanoseconds since 1970.
    pub(crate) clock: u64,
    /// Number of the next handle that is given away.
    pub(crate) next_handle: u64,
    /// Lines that the guest has logged in the instance.
    pub(crate) lines: u64,
    /// What of the guest's calls is recorded.
    pub(crate) persistence: PersistenceLevel,
    /// Whether a remote write without a recorded outcome may be done again.
    pub(crate) idempotence: bool,
    /// The archive of the worker's files; `None` when they are as at its beginning.
    pub(crate) files: Option<Vec<u8>>,
}

/// An instance of a component between two invocations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image {
    /// SHA-256 of the component as uploaded.
    pub(crate) component: [u8; 32],
    /// Memories in the order of the accessor. Shared, because a restore compares them inside a call of the guest.
    pub(crate) memories: Vec<Arc<MemoryImage>>,
    /// Bits of the mutable globals in the order of the accessor.
    pub(crate) globals: Vec<u64>,
    /// Slots of the table of handles, from number 1.
    pub(crate) slots: Vec<Option<HeldHandle>>,
    /// Free slots; the last one is taken next.
    pub(crate) free: Vec<u32>,
    /// The host's side.
    pub(crate) host: HostImage,
}

impl Image {
    /// SHA-256, in hex, over everything that the guest's code can read: memories and mutable globals. Two instances that
    /// were brought to the same point of a log, by replay or from a checkpoint, have the same.
    pub(crate) fn memory_hash(&self) -> String {
        let mut hash = Sha256::new();
        for memory in &self.memories {
            hash.update(memory.size.to_le_bytes());
            for (number, page) in memory.pages() {
                hash.update(number.to_le_bytes());
                hash.update(page);
            }
        }
        for global in &self.globals {
            hash.update(global.to_le_bytes());
        }
        hex(&hash.finalize())
    }

    /// Bytes of all pages and files that are kept.
    pub(crate) fn bytes(&self) -> usize {
        let files = self.host.files.as_ref().map_or(0, Vec::len);
        let pages = self.memories.iter().map(|memory| memory.data.len());
        files + pages.sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(pages: &[(usize, u8)], total: usize) -> Vec<u8> {
        let mut bytes = vec![0; total * PAGE];
        for (page, byte) in pages {
            bytes[page * PAGE..][..PAGE].fill(*byte);
        }
        bytes
    }

    fn apply(image: &MemoryImage, fresh: &[u8], size: usize) -> Vec<u8> {
        let mut bytes = fresh.to_vec();
        bytes.resize(size, 0);
        for write in image.differences(fresh) {
            let target = &mut bytes[write.at..][..write.length];
            match write.from {
                Some(from) => target.copy_from_slice(&image.data[from..][..write.length]),
                None => target.fill(0),
            }
        }
        bytes
    }

    #[test]
    fn only_pages_that_differ_are_written() {
        let fresh = memory(&[(0, 1), (1, 2), (3, 3)], 16);
        let wanted = memory(&[(0, 1), (1, 9), (2, 9), (20, 4), (21, 5), (31, 6)], 32);
        let mut image = MemoryImage {
            size: 2,
            ..MemoryImage::default()
        };
        image.add(0, &wanted[..8 * PAGE]);
        image.add(8, &wanted[8 * PAGE..]);
        let places: Vec<_> = image
            .differences(&fresh)
            .iter()
            .map(|write| (write.at / PAGE, write.length / PAGE, write.from.is_some()))
            .collect();
        assert_eq!(
            places,
            [(1, 2, true), (3, 1, false), (20, 2, true), (31, 1, true)]
        );
        assert_eq!(apply(&image, &fresh, wanted.len()), wanted);
    }
}
