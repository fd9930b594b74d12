// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / logging: `wasi:logging`. A line goes to the log like one on stdout: a hint, and a replay that repeats it
//! is silent. Bound: [`CONTEXT_BYTES_MAX`], long messages in pieces. Read next: `output.rs`.

use golem_model::oplog::LogLevel;
use wasmtime::Result;

use super::bindings::logging::logging::{self, Level};
use super::state::Linked;

/// Longest context that is kept: it is a name, not a text.
const CONTEXT_BYTES_MAX: usize = 1 << 10;

impl logging::Host for Linked<'_> {
    async fn log(&mut self, level: Level, mut context: String, message: String) -> Result<()> {
        context.truncate(context.floor_char_boundary(CONTEXT_BYTES_MAX));
        let level = match level {
            Level::Trace => LogLevel::Trace,
            Level::Debug => LogLevel::Debug,
            Level::Info => LogLevel::Info,
            Level::Warn => LogLevel::Warn,
            Level::Error => LogLevel::Error,
            Level::Critical => LogLevel::Critical,
        };
        self.0.output.lock().log(level, &context, &message);
        Ok(())
    }
}
