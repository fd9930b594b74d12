// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / wasm: how WebAssembly is compiled and run: one configuration for every worker, and the tick.
//! Never touches workers. Bound: [`TICK`]. Read next: `cwasm.rs`, `instance.rs`. Why: architecture D4, host design §1.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use wasmtime::{Config, Engine, Result};

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
        // Guests that were built with debug information would otherwise cost time and memory at every trap.
        .wasm_backtrace_details(wasmtime::WasmBacktraceDetails::Disable);
    Engine::new(&config)
}

/// The thread that moves the tick. It ends when dropped.
pub(crate) struct Ticker {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Ticker {
    /// Starts ticking `engine`.
    pub(crate) fn start(engine: Engine) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("golem-ticker".into())
            .spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    std::thread::park_timeout(TICK);
                    engine.increment_epoch();
                }
            })?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // The thread cannot panic; there is nothing to learn from its result.
            drop(thread.join());
        }
    }
}
