// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / pages: the pages that new workers of a component write first, brought into memory together before its guest runs.
//! In: the first few new instances of a component. Out: page numbers; a call of the kernel for each run of them. It changes where
//! bytes are, never which: nothing is recorded, and a kernel that cannot do it is no error. Bounds: [`LEARN_FROM`], [`PAGES_MAX`].
//! Read next: `access.rs`, `../instance.rs`. Why: ADR 0017.
//!
//! A page that a guest reads before it writes it costs the kernel two faults, and the second stops all processors that run the process
//! until they have forgotten the first: ten times what the page itself costs. A run-time that starts does that to dozens.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use rustix::mm::{Advice, madvise};
use wasmtime::Result;

use super::access::{MemoryAccess, READ_MAX};
use super::capture::WASM_PAGE;
use crate::instance::Instance;
use crate::resident::PAGE_BYTES as PAGE;

/// New instances that a component learns from: a page counts that each of them has written.
const LEARN_FROM: usize = 3;
/// Pages of a memory that are brought in, at most: 4 MiB. What writes more than that at its start takes its time anyway.
const PAGES_MAX: usize = 1024;

/// The pages that new workers of one component version write before the end of their first call, for each of its memories.
#[derive(Default)]
pub(crate) struct Pages {
    /// Of each instance so far.
    learning: Mutex<Vec<Vec<Written>>>,
    /// What all of them have in common.
    known: OnceLock<Vec<Arc<[Range<u32>]>>>,
}

/// Numbers of the pages of a memory that are written, in order.
type Written = Vec<u32>;

impl Pages {
    /// Takes what one instance has written. It is known with the last of [`LEARN_FROM`].
    fn learn(&self, memories: Vec<Written>) {
        let mut learning = self.learning.lock();
        learning.push(memories);
        if learning.len() < LEARN_FROM {
            return;
        }
        let mut all = std::mem::take(&mut *learning).into_iter();
        let first = all.next().unwrap_or_default();
        let common = all.fold(first, |common, other| {
            let pairs = common.into_iter().zip(other);
            pairs.map(|(a, b)| both(&a, &b)).collect()
        });
        let runs: Vec<_> = common.iter().map(|written| runs(written).into()).collect();
        tracing::debug!(?runs, "pages that new workers write first");
        // Another instance may have been faster; it says the same.
        let _ = self.known.set(runs);
    }
}

impl Instance {
    /// Brings in what new workers of the component are known to write first. Errors: the accessor failed, and the instance is dead.
    pub(crate) async fn bring_in_pages(&mut self) -> Result<()> {
        let loaded = Arc::clone(&self.loaded);
        let (Ok(access), Some(known)) = (&loaded.access, loaded.pages.known.get()) else {
            return Ok(());
        };
        for (memory, runs) in access.memories.iter().zip(known) {
            if runs.is_empty() {
                continue;
            }
            let runs = Arc::clone(runs);
            let bring = move |bytes: &[u8]| runs.iter().for_each(|run| bring_in(bytes, run));
            self.lend_memory(memory, bring).await?;
        }
        Ok(())
    }

    /// Learns from a new instance at the end of its first call, while its component needs that. Errors: as for
    /// [`Self::bring_in_pages`].
    pub(crate) async fn learn_pages(&mut self) -> Result<()> {
        let loaded = Arc::clone(&self.loaded);
        let (Ok(access), None) = (&loaded.access, loaded.pages.known.get()) else {
            return Ok(());
        };
        let mut memories = Vec::new();
        for memory in &access.memories {
            let written = self.lend_memory(memory, written).await?;
            // Where the kernel does not say it, nothing is ever brought in.
            memories.push(written.unwrap_or_default());
        }
        loaded.pages.learn(memories);
        Ok(())
    }

    /// Lends a memory from its beginning, at most [`READ_MAX`] bytes of it.
    async fn lend_memory<R: Send + 'static>(
        &mut self,
        memory: &MemoryAccess,
        reader: impl FnOnce(&[u8]) -> R + Send + 'static,
    ) -> Result<R> {
        let (size,): (u32,) = self.access(&memory.size, ()).await?;
        let length = READ_MAX.min(size as usize * WASM_PAGE);
        self.lend(&memory.read, 0, length, reader).await
    }
}

/// What both have, of two lists in order.
fn both(a: &[u32], b: &[u32]) -> Written {
    let has = |page: &&u32| b.binary_search(page).is_ok();
    a.iter().filter(has).copied().collect()
}

/// Pages that follow each other as one range, up to [`PAGES_MAX`] of them.
fn runs(written: &[u32]) -> Vec<Range<u32>> {
    let mut runs: Vec<Range<u32>> = Vec::new();
    for &page in written.iter().take(PAGES_MAX) {
        match runs.last_mut() {
            Some(run) if run.end == page => run.end += 1,
            _ => runs.push(page..page + 1),
        }
    }
    runs
}

/// The pages of `bytes` that are this process's own and not the shared ones of zeros or of a file; `None` if the kernel does not
/// say. Source: the kernel's documentation of `/proc/pid/pagemap`.
fn written(bytes: &[u8]) -> Option<Written> {
    const PRESENT: u64 = 1 << 63;
    const SWAPPED: u64 = 1 << 62;
    const OF_FILE: u64 = 1 << 61;
    const EXCLUSIVE: u64 = 1 << 56;
    const ENTRY: usize = size_of::<u64>();
    let mut entries = vec![0; bytes.len() / PAGE * ENTRY];
    let at = bytes.as_ptr().addr() / PAGE * ENTRY;
    let pagemap = File::open("/proc/self/pagemap").ok()?;
    pagemap.read_exact_at(&mut entries, at as u64).ok()?;
    let is_own = |entry: u64| {
        let is_written = entry & PRESENT != 0 && entry & OF_FILE == 0 && entry & EXCLUSIVE != 0;
        is_written || entry & SWAPPED != 0
    };
    let entries = entries.as_chunks::<ENTRY>().0.iter();
    let numbered = (0..).zip(entries.map(|entry| u64::from_ne_bytes(*entry)));
    let own = numbered.filter(|(_, entry)| is_own(*entry));
    Some(own.map(|(page, _)| page).collect())
}

/// Makes the pages of `run` this process's own, with what they say. Whatever goes wrong, the guest's own first writes do it later.
#[expect(
    unsafe_code,
    reason = "advice about memory that is lent; none of its bytes changes"
)]
fn bring_in(bytes: &[u8], run: &Range<u32>) {
    let span = run.start as usize * PAGE..run.end as usize * PAGE;
    // A guest may have less memory than those before it.
    let Some(pages) = bytes.get(span) else {
        return;
    };
    let start = pages.as_ptr().cast_mut().cast();
    // SAFETY: the pages are those of a live slice in a writable mapping of wasmtime's. This advice reads and writes no byte that
    // anybody could see: it takes the faults of a write, without the write.
    let _ = unsafe { madvise(start, pages.len(), Advice::LinuxPopulateWrite) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_counts_that_all_have_written() {
        let pages = Pages::default();
        pages.learn(vec![vec![0, 1, 2, 9], vec![]]);
        pages.learn(vec![vec![1, 2, 3, 9], vec![4]]);
        assert_eq!(pages.known.get(), None);
        pages.learn(vec![vec![0, 1, 2, 8, 9], vec![4]]);
        let expected = vec![vec![1..3, 9..10].into(), vec![].into()];
        assert_eq!(pages.known.get(), Some(&expected));
        pages.learn(vec![vec![], vec![]]);
        assert_eq!(pages.known.get().map(|known| known[0].len()), Some(2));
    }

    #[test]
    fn pages_are_brought_in_as_they_are() {
        // So much is never memory that was used before, and the pages are far enough from each other for the largest ones.
        const PAGES: usize = 12 << 10;
        let mut bytes = vec![0_u8; PAGES * PAGE];
        let skip = bytes.as_ptr().align_offset(PAGE);
        let aligned = &mut bytes[skip..skip + (PAGES - 1) * PAGE];
        aligned[5 * PAGE] = 7;
        let before = written(aligned).unwrap();
        assert!(before.contains(&5) && !before.contains(&5000), "{before:?}");
        bring_in(aligned, &(5000..5002));
        bring_in(aligned, &(9000..99_000));
        let after = written(aligned).unwrap();
        assert!(after.contains(&5000) && after.contains(&5001), "{after:?}");
        assert!(!after.contains(&9000), "{after:?}");
        assert_eq!(aligned[5 * PAGE], 7);
        assert!(
            aligned[5000 * PAGE..5002 * PAGE]
                .iter()
                .all(|byte| *byte == 0)
        );
    }
}
