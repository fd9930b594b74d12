// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / linker: WASI for a component: wasmtime's own, with the durable interfaces put over it.
//! Read next: one file per interface beside this one. Source: host design §5.

use wasmtime::Result;
use wasmtime::component::Linker;
use wasmtime_wasi::p2::bindings::{cli, clocks, filesystem, random, sockets};
use wasmtime_wasi_io::bindings::wasi::io::{error, poll, streams};

use super::bindings::{blobstore, http, keyvalue, logging};
use super::state::{HasLinked, HostState, Linked};

/// Adds WASI 0.2, and what WASI has beside it, to `linker`.
pub(crate) fn link_wasi(linker: &mut Linker<HostState>) -> Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    linker.allow_shadowing(true);
    clocks::wall_clock::add_to_linker::<HostState, HasLinked>(linker, |state| Linked(state))?;
    clocks::monotonic_clock::add_to_linker::<HostState, HasLinked>(linker, |state| Linked(state))?;
    random::random::add_to_linker::<HostState, HasLinked>(linker, |state| Linked(state))?;
    random::insecure::add_to_linker::<HostState, HasLinked>(linker, |state| Linked(state))?;
    random::insecure_seed::add_to_linker::<HostState, HasLinked>(linker, |state| Linked(state))?;
    cli::environment::add_to_linker::<HostState, HasLinked>(linker, |state| Linked(state))?;
    filesystem::preopens::add_to_linker::<HostState, HasLinked>(linker, |state| Linked(state))?;
    filesystem::types::add_to_linker::<HostState, HasLinked>(linker, |state| Linked(state))?;
    poll::add_to_linker::<HostState, HasLinked>(linker, |state| Linked(state))?;
    error::add_to_linker::<HostState, HasLinked>(linker, |state| Linked(state))?;
    streams::add_to_linker::<HostState, HasLinked>(linker, |state| Linked(state))?;
    super::held::link_held(linker)?;
    link_sockets(linker)?;
    linker.allow_shadowing(false);
    link_beside(linker)
}

/// Puts TCP, UDP and the lookup of names over those of wasmtime.
fn link_sockets(linker: &mut Linker<HostState>) -> Result<()> {
    let options = sockets::network::LinkOptions::default();
    sockets::network::add_to_linker::<HostState, HasLinked>(linker, &options, |state| {
        Linked(state)
    })?;
    sockets::instance_network::add_to_linker::<HostState, HasLinked>(linker, |state| {
        Linked(state)
    })?;
    sockets::ip_name_lookup::add_to_linker::<HostState, HasLinked>(linker, |state| Linked(state))?;
    sockets::tcp_create_socket::add_to_linker::<HostState, HasLinked>(linker, |state| {
        Linked(state)
    })?;
    sockets::tcp::add_to_linker::<HostState, HasLinked>(linker, |state| Linked(state))?;
    sockets::udp_create_socket::add_to_linker::<HostState, HasLinked>(linker, |state| {
        Linked(state)
    })?;
    sockets::udp::add_to_linker::<HostState, HasLinked>(linker, |state| Linked(state))
}

/// Adds logging, the stores that workers of a component share, and HTTP.
fn link_beside(linker: &mut Linker<HostState>) -> Result<()> {
    macro_rules! link {
        ($($interface:path),* $(,)?) => {{
            $({
                use $interface as interface;
                interface::add_to_linker::<HostState, HasLinked>(linker, |state| Linked(state))?;
            })*
        }};
    }
    link!(
        logging::logging,
        keyvalue::types,
        keyvalue::wasi_keyvalue_error,
        keyvalue::eventual,
        keyvalue::eventual_batch,
        keyvalue::atomic,
        keyvalue::cache,
        blobstore::types,
        blobstore::container,
        blobstore::blobstore,
        http::types,
        http::outgoing_handler,
    );
    Ok(())
}
