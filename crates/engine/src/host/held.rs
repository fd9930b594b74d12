// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / held: the standard streams, which a guest keeps from one invocation to the next. What wasmtime's own
//! implementation does, followed in the mirror of the guest's handles.
//! They are dropped in `sockets/streams.rs`. Read next: `../checkpoint/handles.rs`.

use wasmtime::Result;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::cli::WasiCliView;
use wasmtime_wasi::p2::bindings::cli::{stderr, stdin, stdout};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream};

use super::state::{HasLinked, HostState, Linked};
use crate::checkpoint::Held;

/// Puts the followed functions over those of wasmtime. The linker must allow it.
pub(crate) fn link_held(linker: &mut Linker<HostState>) -> Result<()> {
    stdin::add_to_linker::<HostState, HasLinked>(linker, |state| Linked(state))?;
    stdout::add_to_linker::<HostState, HasLinked>(linker, |state| Linked(state))?;
    stderr::add_to_linker::<HostState, HasLinked>(linker, |state| Linked(state))?;
    Ok(())
}

impl stdin::Host for Linked<'_> {
    fn get_stdin(&mut self) -> Result<Resource<DynInputStream>> {
        let stream = stdin::Host::get_stdin(&mut self.0.cli())?;
        self.0.mirror.insert(Held::Stdin, stream.rep());
        Ok(stream)
    }
}

impl stdout::Host for Linked<'_> {
    fn get_stdout(&mut self) -> Result<Resource<DynOutputStream>> {
        let stream = stdout::Host::get_stdout(&mut self.0.cli())?;
        self.0.mirror.insert(Held::Stdout, stream.rep());
        Ok(stream)
    }
}

impl stderr::Host for Linked<'_> {
    fn get_stderr(&mut self) -> Result<Resource<DynOutputStream>> {
        let stream = stderr::Host::get_stderr(&mut self.0.cli())?;
        self.0.mirror.insert(Held::Stderr, stream.rep());
        Ok(stream)
    }
}
