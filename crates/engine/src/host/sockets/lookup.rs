// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / lookup: `wasi:sockets/ip-name-lookup`, `network` and `instance-network`. In: a name. Out: its addresses, as
//! recorded. Only names that the allow-list has are looked up. Read next: `state.rs`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use golem_model::Value;
use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::sockets::instance_network;
use wasmtime_wasi::p2::bindings::sockets::ip_name_lookup::{
    self, HostResolveAddressStream, ResolveAddressStream,
};
use wasmtime_wasi::p2::bindings::sockets::network::{self, ErrorCode, IpAddress, Network};
use wasmtime_wasi::p2::{DynPollable, SocketError, SocketResult};
use wasmtime_wasi::sockets::WasiSocketsView as _;
use wasmtime_wasi_io::streams::Error;

use super::super::calls::{LOOKUP, LOOKUP_NEXT};
use super::super::durable::input_hash;
use super::super::state::Linked;
use super::state::{trap, wrong};
use crate::checkpoint::Held;

/// A "name" that is an address already: its lookup is over at once and asks nobody. What a repeated lookup stands on.
const NO_LOOKUP: &str = "127.0.0.1";

impl instance_network::Host for Linked<'_> {
    fn instance_network(&mut self) -> Result<Resource<Network>> {
        let network = instance_network::Host::instance_network(&mut self.0.sockets())?;
        self.0
            .mirror
            .insert(Held::Passing("network"), network.rep());
        Ok(network)
    }
}

impl network::Host for Linked<'_> {
    fn convert_error_code(&mut self, error: SocketError) -> Result<ErrorCode> {
        error.downcast()
    }

    fn network_error_code(&mut self, error: Resource<Error>) -> Result<Option<ErrorCode>> {
        network::Host::network_error_code(&mut self.0.sockets(), error)
    }
}

impl network::HostNetwork for Linked<'_> {
    fn drop(&mut self, network: Resource<Network>) -> Result<()> {
        self.0.mirror.remove(network.rep());
        network::HostNetwork::drop(&mut self.0.sockets(), network)
    }
}

impl ip_name_lookup::Host for Linked<'_> {
    fn resolve_addresses(
        &mut self,
        network: Resource<Network>,
        name: String,
    ) -> SocketResult<Resource<ResolveAddressStream>> {
        self.0.table.get(&network)?;
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let input = input_hash(&[name.as_bytes()]);
        let mut started = None;
        self.0.network_call(LOOKUP, input, |state| {
            if !state.network().allows_name(&name) {
                return Err(ErrorCode::AccessDenied.into());
            }
            let live = state.meets_network().map_err(trap)?;
            let asked = if live { name.as_str() } else { NO_LOOKUP };
            let again = Resource::new_borrow(network.rep());
            let view = &mut state.sockets();
            let stream = ip_name_lookup::Host::resolve_addresses(view, again, asked.to_owned())?;
            started = Some((stream, live));
            Ok(Value::Bool(true))
        })?;
        let (stream, live) = match started {
            Some(started) => started,
            None => {
                let view = &mut self.0.sockets();
                let name = NO_LOOKUP.to_owned();
                let stream = ip_name_lookup::Host::resolve_addresses(view, network, name)?;
                (stream, false)
            }
        };
        self.0.sockets.lookups.insert(stream.rep(), (name, live));
        self.0
            .mirror
            .insert(Held::Passing("lookup of a name"), stream.rep());
        Ok(stream)
    }
}

impl HostResolveAddressStream for Linked<'_> {
    fn resolve_next_address(
        &mut self,
        stream: Resource<ResolveAddressStream>,
    ) -> SocketResult<Option<IpAddress>> {
        let known = self.0.sockets.lookups.get(&stream.rep()).cloned();
        let (name, live) = known.unwrap_or_default();
        let input = input_hash(&[name.as_bytes()]);
        let answer = self.0.network_call(LOOKUP_NEXT, input, |state| {
            if !live {
                // The answers that were still to come are lost: the guest may ask again.
                return Err(ErrorCode::TemporaryResolverFailure.into());
            }
            let next = state.sockets().resolve_next_address(stream)?;
            let text =
                next.map(|address| Box::new(Value::String(std_address(address).to_string())));
            Ok(Value::Option(text))
        })?;
        match answer {
            Value::Option(None) => Ok(None),
            Value::Option(Some(text)) => {
                let Value::String(text) = *text else {
                    return Err(wrong(LOOKUP_NEXT));
                };
                let address: IpAddr = text.parse().map_err(|_| wrong(LOOKUP_NEXT))?;
                self.0.sockets.learn(address, &name);
                Ok(Some(address.into()))
            }
            _ => Err(wrong(LOOKUP_NEXT)),
        }
    }

    fn subscribe(
        &mut self,
        stream: Resource<ResolveAddressStream>,
    ) -> Result<Resource<DynPollable>> {
        let pollable = self.0.sockets().subscribe(stream)?;
        self.0
            .mirror
            .insert(Held::Passing("pollable"), pollable.rep());
        Ok(pollable)
    }

    fn drop(&mut self, stream: Resource<ResolveAddressStream>) -> Result<()> {
        self.0.mirror.remove(stream.rep());
        self.0.sockets.lookups.remove(&stream.rep());
        HostResolveAddressStream::drop(&mut self.0.sockets(), stream)
    }
}

fn std_address(address: IpAddress) -> IpAddr {
    match address {
        IpAddress::Ipv4((a, b, c, d)) => Ipv4Addr::new(a, b, c, d).into(),
        IpAddress::Ipv6((a, b, c, d, e, f, g, h)) => Ipv6Addr::new(a, b, c, d, e, f, g, h).into(),
    }
}
