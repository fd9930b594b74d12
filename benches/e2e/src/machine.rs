// SPDX-License-Identifier: Apache-2.0
//! THE SCALES / machine: puts the machine into the same state before each row. In: nothing. Out: memory that the machine really has.
//! Read next: `rows.rs`. Source: benches/README.md, "Reading the figures".

use std::hint::black_box;

/// Memory that is written, and given back, before a row: more than the largest row takes of it.
const TOUCHED_BYTES: u64 = 4 << 30;
/// The kernel gives memory in pages of this size.
const PAGE_BYTES: usize = 4096;

/// Writes to memory and gives it back. A virtual machine gets memory from its host with the first write to it, which takes ten times
/// as long as a later one, and would be paid by whichever row comes first to it.
pub(crate) fn touch_memory() {
    let available = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let bytes = available_bytes(&available).unwrap_or(0) / 2;
    let mut memory = vec![0_u8; bytes.min(TOUCHED_BYTES) as usize];
    for page in memory.chunks_mut(PAGE_BYTES) {
        page.fill(1);
    }
    drop(black_box(memory));
}

fn available_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find(|line| line.starts_with("MemAvailable:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn available_memory_is_read() {
        let text = "MemTotal:  100 kB\nMemAvailable:   42 kB\n";
        assert_eq!(available_bytes(text), Some(42 * 1024));
        assert_eq!(available_bytes(""), None);
    }
}
