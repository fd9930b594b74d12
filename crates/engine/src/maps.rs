// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / maps: the memory maps that instances take. The kernel gives a process a number of them and refuses the next one, so
//! they are counted, and idle instances go before there are too many (`resident.rs`). In: what a component has. Out: a count that
//! lasts as long as its instance. Bound: the kernel's `vm.max_map_count`. Why: ADR 0017.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use wasmtime::component::Component;

/// Maps of a stack: itself and its guard page.
const OF_STACK: usize = 2;
/// Maps of a linear memory: what can be read and written, and what cannot before and after it; a neighbour shares one of them, or
/// the data of the component needs one more.
const OF_MEMORY: usize = 3;
/// What a component that takes modules from outside is taken to have: nothing says it.
const UNKNOWN_MEMORIES: usize = 4;
/// Maps that Linux gives a process unless its administrator says otherwise.
const LIMIT: usize = 65_530;

/// Maps that the instances of this process have.
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// The maps of one instance, counted until this is dropped.
#[derive(Debug)]
pub(crate) struct Maps(usize);

impl Maps {
    /// Counts `maps` more.
    pub(crate) fn take(maps: usize) -> Self {
        TAKEN.fetch_add(maps, Ordering::Relaxed);
        Self(maps)
    }
}

impl Drop for Maps {
    fn drop(&mut self) {
        TAKEN.fetch_sub(self.0, Ordering::Relaxed);
    }
}

/// Maps that all instances of this process have now.
pub(crate) fn taken() -> usize {
    TAKEN.load(Ordering::Relaxed)
}

/// Maps that the kernel gives this process.
pub(crate) fn limit() -> usize {
    static SAID: LazyLock<usize> = LazyLock::new(|| {
        let said = std::fs::read_to_string("/proc/sys/vm/max_map_count").ok();
        let said = said.and_then(|said| said.trim().parse().ok());
        said.unwrap_or(LIMIT)
    });
    *SAID
}

/// Maps that an instance of `component` takes at most.
pub(crate) fn of(component: &Component) -> usize {
    let memories = component
        .resources_required()
        .map_or(UNKNOWN_MEMORIES, |required| required.num_memories as usize);
    OF_STACK + OF_MEMORY * memories
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wasm::engine;

    #[test]
    fn memories_of_all_modules_and_of_components_within_count() {
        let wasm = r"(component
            (core module $two (memory 1) (memory 1))
            (core instance (instantiate $two))
            (component $inner
                (core module $one (memory 1))
                (core instance (instantiate $one)))
            (instance (instantiate $inner))
            (instance (instantiate $inner)))";
        let engine = engine().unwrap();
        let component = Component::new(&engine, wat::parse_str(wasm).unwrap()).unwrap();
        assert_eq!(of(&component), OF_STACK + 4 * OF_MEMORY);
    }

    #[test]
    fn maps_count_as_long_as_their_instance() {
        // Other tests of this process take some, too, but never so many.
        let many = 1 << 40;
        let maps = Maps::take(many);
        assert!(taken() >= many);
        drop(maps);
        assert!(taken() < many);
        assert!(limit() >= 1 << 10);
    }
}
