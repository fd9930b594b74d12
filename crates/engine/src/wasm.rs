// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / wasm: how WebAssembly is compiled and run: one configuration for every worker, and the tick.
//! Never touches workers. Bound: [`TICK`]. Read next: `cwasm.rs`, `instance.rs`. Why: architecture D4, host design §1.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmtime::{Config, Engine, Result};

use crate::stacks::Stacks;

/// How often a running guest gives the thread to others, and how fast an interrupt takes hold at the latest.
/// Source: host design §6 (10 ms measured: trap 10.6 ms after the flag).
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// The engine that compiles and runs every component.
///
/// Ticks (wasmtime's epoch) on, fuel off, no concurrency support (three times faster calls), canonical NaNs and no
/// threads so that a replay computes the same bits.
pub(crate) fn engine() -> Result<Engine> {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .concurrency_support(false)
        .epoch_interruption(true)
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .with_host_stack(Arc::new(Stacks::default()))
        // Guests that were built with debug information would otherwise cost time and memory at every trap.
        .wasm_backtrace_details(wasmtime::WasmBacktraceDetails::Disable);
    Engine::new(&config)
}

/// Ticks without a guest after which the ticker sleeps: a server that answers one request after the other does not pay for waking it
/// each time, and one that has nothing to do costs nothing.
const IDLE_TICKS: u32 = 10;

/// The thread that moves the tick while guests run, and sleeps when there have been none for a while. It ends when dropped.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    running: AtomicUsize,
    /// The thread sleeps, or is about to: whoever begins to run has to wake it.
    sleeps: AtomicBool,
}

/// A guest that may run. It ends when dropped.
pub(crate) struct Running(Arc<Shared>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    /// Returns when a guest begins to run, or when the ticker is to end.
    fn sleep(&self) {
        self.sleeps.store(true, Ordering::SeqCst);
        // Whoever begins to run counts first and looks whether to wake then, so one of the two sees the other.
        while self.running.load(Ordering::SeqCst) == 0 && !self.stop.load(Ordering::SeqCst) {
            std::thread::park();
        }
        self.sleeps.store(false, Ordering::SeqCst);
    }
}

impl Ticker {
    /// Starts ticking `engine`.
    pub(crate) fn start(engine: Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let seen = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("golem-ticker".into())
            .spawn(move || {
                let mut idle = IDLE_TICKS;
                while !seen.stop.load(Ordering::SeqCst) {
                    if idle >= IDLE_TICKS {
                        seen.sleep();
                    }
                    std::thread::park_timeout(TICK);
                    engine.increment_epoch();
                    idle = match seen.running.load(Ordering::Relaxed) {
                        0 => idle.saturating_add(1),
                        _ => 0,
                    };
                }
            })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// A guest begins to run.
    pub(crate) fn run(&self) -> Running {
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        if self.shared.sleeps.load(Ordering::SeqCst)
            && let Some(thread) = &self.thread
        {
            thread.thread().unpark();
        }
        Running(Arc::clone(&self.shared))
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // The thread cannot panic; there is nothing to learn from its result.
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;
    use wasmtime::{Instance, Module, Store, Trap};

    #[test]
    fn a_guest_that_never_ends_is_stopped_while_it_is_said_to_run() {
        let engine = engine().unwrap();
        let wasm = wat::parse_str("(module (func (export \"run\") (loop br 0)))").unwrap();
        let module = Module::new(&engine, &wasm).unwrap();
        let ticker = Ticker::start(engine.clone()).unwrap();
        for _ in 0..3 {
            let mut store = Store::new(&engine, ());
            store.set_epoch_deadline(2);
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let run = instance
                .get_typed_func::<(), ()>(&mut store, "run")
                .unwrap();
            let began = Instant::now();
            let _running = ticker.run();
            let trap = run.call(&mut store, ()).unwrap_err();
            assert_eq!(trap.downcast_ref::<Trap>(), Some(&Trap::Interrupt));
            // Two ticks, and what a busy machine adds.
            assert!(began.elapsed() < TICK * 1000);
        }
    }
}
