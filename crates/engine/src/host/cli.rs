// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / cli: `wasi:cli/environment`. Constants of the worker: no entries.
//! stdin is empty, stdout and stderr go to `output.rs`, terminals do not exist. Read next: `state.rs`.

use wasmtime::Result;
use wasmtime_wasi::cli::WasiCliView;
use wasmtime_wasi::p2::bindings::cli::environment;

use super::state::Linked;

impl environment::Host for Linked<'_> {
    fn get_environment(&mut self) -> Result<Vec<(String, String)>> {
        environment::Host::get_environment(&mut self.0.cli())
    }

    fn get_arguments(&mut self) -> Result<Vec<String>> {
        environment::Host::get_arguments(&mut self.0.cli())
    }

    fn initial_cwd(&mut self) -> Result<Option<String>> {
        Ok(None)
    }
}
