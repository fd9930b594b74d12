// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / limits: everything that a guest or a caller could grow, with its bound and the reason.
//! Read next: `instance.rs`, `queue.rs`.

use std::time::Duration;

use wasmtime::ResourceLimiter;

use crate::error::WorkerError;

/// Largest upload of a component. Source: runtime spec §1.1.
pub const COMPONENT_BYTES_MAX: usize = 50 << 20;
/// Largest linear memory of a worker: a guest that wants more is told that there is none.
pub const MEMORY_BYTES_MAX: usize = 512 << 20;
/// Most elements of all tables of a worker: a Go program of 10 MB has about 40,000 functions.
const TABLE_ELEMENTS_MAX: usize = 1 << 20;
/// Most resources that a worker has given away and not taken back. Same as wasmtime's bound on live handles.
pub(crate) const LIVE_RESOURCES_MAX: usize = 100_000;
/// Invocations that may wait for one worker: 16 times the width of the largest fan-out that is benchmarked.
pub const QUEUE_MAX: usize = 16 << 10;
/// Longest name of a worker and longest idempotency key, in bytes: both are parts of keys of the store, which refuses
/// more than 16 KiB there.
pub const NAME_BYTES_MAX: usize = 1024;
/// Largest encoded arguments or result of one invocation: what one blob may hold and a person may still look at.
pub const PAYLOAD_BYTES_MAX: usize = 32 << 20;
/// A wait for timers and promises that has lasted this long is noted in the log, unless the node is told another time: then
/// nothing but a timer in the store remembers it, and a start of the server does not run the worker before it is due.
/// Source: runtime spec §1.4.
pub const SUSPEND_AFTER: Duration = Duration::from_secs(10);
/// How long the result of an invocation is kept at least for its idempotency key: nobody repeats a request after a month.
pub const RESULT_AGE: Duration = Duration::from_secs(30 * 86_400);
/// Results that the last so many entries of a worker's log tell of are kept whatever their age.
pub const RESULT_ENTRIES: u64 = 10_000;
/// Entries that are looked through at once for results to let go: each invocation has three at least, so they fit one commit.
pub(crate) const RESULT_STEP: u64 = 512;
/// Instances that stay in memory when nobody asks for more: about 7 memory maps each, of 65,530 that Linux allows a
/// process by default, with half of them left for running ones. Source: host design §7.
pub const RESIDENT_MAX: usize = 4096;
/// Entries after which a worker's next checkpoint is due: a replay of so many takes a few milliseconds, and taking a
/// checkpoint about as long. Source: host design §8.3.
pub(crate) const CHECKPOINT_ENTRIES: u64 = 1024;
/// Entries since the last checkpoint from which on one is worth taking before an instance leaves memory.
pub(crate) const CHECKPOINT_LEAVING: u64 = 128;
/// Bytes of memory per entry that the next checkpoint waits for: a large memory costs more to keep than a short log to repeat.
pub(crate) const CHECKPOINT_BYTES: u64 = 8 << 10;
/// Loaded components that stay in memory: about 0.5 MB each. Source: host design §7.
pub(crate) const LOADED_COMPONENTS_MAX: usize = 256;

/// Workers whose guests run at the same time: those that wait for something do not count. Far more than there are cores, and
/// few enough that their instances stay below the kernel's limit of memory maps.
pub(crate) const EXECUTING_MAX: usize = 2048;

/// The limits of one instance, and what it has of them.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    memory: usize,
}

impl Limits {
    /// Bytes of linear memory, of all memories together.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory as u64
    }
}

impl ResourceLimiter for Limits {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let all = self.memory - current.min(self.memory) + desired;
        let granted = all <= MEMORY_BYTES_MAX;
        if granted {
            self.memory = all;
        }
        Ok(granted)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }
}

/// Refuses what is larger than its limit, both in bytes. Errors: `TooLarge`.
pub(crate) fn check_bytes(
    what: &'static str,
    bytes: usize,
    limit: usize,
) -> Result<(), WorkerError> {
    if bytes > limit {
        return Err(WorkerError::TooLarge { what, bytes, limit });
    }
    Ok(())
}
