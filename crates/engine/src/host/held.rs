// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / held: the standard streams, which a guest keeps from one invocation to the next. What wasmtime's own
//! implementation does, followed in the mirror of the guest's handles.
//! Read next: `../checkpoint/handles.rs`.

use wasmtime::Result;
use wasmtime::component::{Linker, Resource, ResourceType};
use wasmtime_wasi::cli::WasiCliView;
use wasmtime_wasi::p2::bindings::cli::{stderr, stdin, stdout};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream};

use super::state::{HasLinked, HostState, Linked};
use crate::checkpoint::Held;

/// The interface as wasmtime links it: drops are defined over its own, under its full name.
const STREAMS: &str = "wasi:io/streams@0.2.12";

/// Puts the followed functions over those of wasmtime. The linker must allow it.
pub(crate) fn link_held(linker: &mut Linker<HostState>) -> Result<()> {
    stdin::add_to_linker::<HostState, HasLinked>(linker, |state| Linked(state))?;
    stdout::add_to_linker::<HostState, HasLinked>(linker, |state| Linked(state))?;
    stderr::add_to_linker::<HostState, HasLinked>(linker, |state| Linked(state))?;
    let mut streams = linker.instance(STREAMS)?;
    let input = ResourceType::host::<DynInputStream>();
    streams.resource_async("input-stream", input, |mut store, rep| {
        Box::new(async move {
            let state = store.data_mut();
            state.mirror.remove(rep);
            let mut stream = state
                .table
                .delete(Resource::<DynInputStream>::new_own(rep))?;
            stream.cancel().await;
            Ok(())
        })
    })?;
    let output = ResourceType::host::<DynOutputStream>();
    streams.resource_async("output-stream", output, |mut store, rep| {
        Box::new(async move {
            let state = store.data_mut();
            state.mirror.remove(rep);
            let mut stream = state
                .table
                .delete(Resource::<DynOutputStream>::new_own(rep))?;
            stream.cancel().await;
            Ok(())
        })
    })?;
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
