// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / tcp: `wasi:sockets/tcp` and `tcp-create-socket`: connections that a guest opens, and those that it takes
//! where a rule lets it listen. In: calls. Out: what the network answered, as recorded. A guest has an address of its own
//! only if a rule says it. Bound: `SOCKETS_MAX`, [`BACKLOG_MAX`]. Read next: `../streams.rs`, `listen.rs`.

use std::net::SocketAddr;

use golem_model::Value;
use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::sockets::network::{
    ErrorCode, IpAddressFamily, IpSocketAddress, Network,
};
use wasmtime_wasi::p2::bindings::sockets::tcp::{self, HostTcpSocket, ShutdownType, TcpSocket};
use wasmtime_wasi::p2::bindings::sockets::tcp_create_socket;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable, SocketError, SocketResult};
use wasmtime_wasi::sockets::WasiSocketsView as _;

use super::super::calls::{
    TCP_ACCEPT, TCP_CONNECTED, TCP_CREATE, TCP_FINISH_BIND, TCP_FINISH_LISTEN, TCP_HOP_LIMIT,
    TCP_KEEP_ALIVE, TCP_KEEP_ALIVE_COUNT, TCP_KEEP_ALIVE_IDLE, TCP_KEEP_ALIVE_INTERVAL, TCP_LOCAL,
    TCP_RECEIVE_BUFFER, TCP_REMOTE, TCP_SEND_BUFFER, TCP_SET_BACKLOG, TCP_SET_HOP_LIMIT,
    TCP_SET_KEEP_ALIVE, TCP_SET_KEEP_ALIVE_COUNT, TCP_SET_KEEP_ALIVE_IDLE,
    TCP_SET_KEEP_ALIVE_INTERVAL, TCP_SET_RECEIVE_BUFFER, TCP_SET_SEND_BUFFER, TCP_SHUTDOWN,
    TCP_START_BIND, TCP_START_CONNECT, TCP_START_LISTEN,
};
use super::super::durable::input_hash;
use super::super::state::{HostState, Linked};
use super::super::streams::{Channel, Reset};
use super::options::options;
use super::state::{done, trap, wrong};

/// Most connections that wait to be accepted by one socket; a larger number of the guest's stands for this one. What Linux
/// allowed for a long time, and as many as an instance can have sockets, twice.
const BACKLOG_MAX: u64 = 128;

impl HostState {
    /// A socket that is never connected stands for one that the history had.
    fn stand_in(&mut self, family: IpAddressFamily) -> SocketResult<Resource<TcpSocket>> {
        let view = &mut self.sockets();
        tcp_create_socket::Host::create_tcp_socket(view, family)
            .map_err(|error| SocketError::trap(wasmtime::format_err!("{error}")))
    }

    /// The streams of a connection of the history.
    fn reset_streams(
        &mut self,
        socket: &Resource<TcpSocket>,
    ) -> SocketResult<(Resource<DynInputStream>, Resource<DynOutputStream>)> {
        let input: DynInputStream = Box::new(Reset);
        let output: DynOutputStream = Box::new(Reset);
        let input = self.table.push_child(input, socket)?;
        Ok((input, self.table.push_child(output, socket)?))
    }

    /// The guest is given the streams of a connection.
    fn follow_streams(
        &mut self,
        input: &Resource<DynInputStream>,
        output: &Resource<DynOutputStream>,
    ) {
        for rep in [input.rep(), output.rep()] {
            self.channels.add(rep, Channel::Socket);
            self.follow("stream of a socket", rep);
        }
    }
}

impl tcp_create_socket::Host for Linked<'_> {
    fn create_tcp_socket(&mut self, family: IpAddressFamily) -> SocketResult<Resource<TcpSocket>> {
        let input = match family {
            IpAddressFamily::Ipv4 => 4,
            IpAddressFamily::Ipv6 => 6,
        };
        let mut made = None;
        self.0.network_call(TCP_CREATE, input, |state| {
            state.may_open()?;
            let live = state.meets_network().map_err(trap)?;
            let view = &mut state.sockets();
            let socket = tcp_create_socket::Host::create_tcp_socket(view, family)?;
            made = Some((socket, live));
            Ok(done())
        })?;
        let (socket, live) = match made {
            Some(made) => made,
            None => (self.0.stand_in(family)?, false),
        };
        self.0.sockets.opened(socket.rep(), live);
        self.0.follow("socket", socket.rep());
        Ok(socket)
    }
}

impl tcp::Host for Linked<'_> {}

impl HostTcpSocket for Linked<'_> {
    options! {
        TcpSocket;
        keep_alive_enabled = TCP_KEEP_ALIVE, set_keep_alive_enabled = TCP_SET_KEEP_ALIVE, bool, Bool;
        keep_alive_idle_time = TCP_KEEP_ALIVE_IDLE, set_keep_alive_idle_time = TCP_SET_KEEP_ALIVE_IDLE, u64, U64;
        keep_alive_interval = TCP_KEEP_ALIVE_INTERVAL, set_keep_alive_interval = TCP_SET_KEEP_ALIVE_INTERVAL, u64, U64;
        keep_alive_count = TCP_KEEP_ALIVE_COUNT, set_keep_alive_count = TCP_SET_KEEP_ALIVE_COUNT, u32, U32;
        hop_limit = TCP_HOP_LIMIT, set_hop_limit = TCP_SET_HOP_LIMIT, u8, U8;
        receive_buffer_size = TCP_RECEIVE_BUFFER, set_receive_buffer_size = TCP_SET_RECEIVE_BUFFER, u64, U64;
        send_buffer_size = TCP_SEND_BUFFER, set_send_buffer_size = TCP_SET_SEND_BUFFER, u64, U64;
    }

    async fn start_bind(
        &mut self,
        socket: Resource<TcpSocket>,
        network: Resource<Network>,
        local: IpSocketAddress,
    ) -> SocketResult<()> {
        self.0.table.get(&network)?;
        let address = SocketAddr::from(local);
        let input = input_hash(&[address.to_string().as_bytes()]);
        if let Some(answer) = self.0.network_replayed(TCP_START_BIND, input)? {
            return answer.map(drop);
        }
        let given = if !self.0.sockets.is_live(socket.rep()) {
            Err(ErrorCode::ConnectionReset.into())
        } else if !self.0.network().allows_listening(address) {
            Err(ErrorCode::AccessDenied.into())
        } else {
            let mut view = self.0.sockets();
            view.start_bind(socket, network, local)
                .await
                .map(|()| done())
        };
        self.0
            .network_record(TCP_START_BIND, input, given)
            .map(drop)
    }

    fn finish_bind(&mut self, socket: Resource<TcpSocket>) -> SocketResult<()> {
        self.0
            .socket_call(TCP_FINISH_BIND, &socket, &[], |state, socket| {
                state.sockets().finish_bind(socket)?;
                Ok(done())
            })?;
        Ok(())
    }

    fn start_connect(
        &mut self,
        socket: Resource<TcpSocket>,
        network: Resource<Network>,
        remote: IpSocketAddress,
    ) -> SocketResult<()> {
        self.0.table.get(&network)?;
        let address = SocketAddr::from(remote);
        let input = address.to_string();
        let call = TCP_START_CONNECT;
        self.0
            .socket_call(call, &socket, input.as_bytes(), |state, socket| {
                if !state.sockets.may_connect(&state.network(), address) {
                    return Err(ErrorCode::AccessDenied.into());
                }
                state.sockets().start_connect(socket, network, remote)?;
                Ok(done())
            })?;
        Ok(())
    }

    fn finish_connect(
        &mut self,
        socket: Resource<TcpSocket>,
    ) -> SocketResult<(Resource<DynInputStream>, Resource<DynOutputStream>)> {
        let mut connected = None;
        self.0
            .socket_call(TCP_CONNECTED, &socket, &[], |state, socket| {
                connected = Some(state.sockets().finish_connect(socket)?);
                Ok(done())
            })?;
        let (input, output) = match connected {
            Some(streams) => streams,
            None => self.0.reset_streams(&socket)?,
        };
        self.0.follow_streams(&input, &output);
        Ok((input, output))
    }

    async fn start_listen(&mut self, socket: Resource<TcpSocket>) -> SocketResult<()> {
        let input = input_hash(&[&[]]);
        let rep = socket.rep();
        let answer = match self.0.network_replayed(TCP_START_LISTEN, input)? {
            Some(answer) => answer,
            None => {
                // Only a rule gives a socket an address, and only one that has an address may listen.
                let given = if self.0.sockets.is_live(rep) {
                    let mut view = self.0.sockets();
                    view.start_listen(socket).await.map(|()| done())
                } else {
                    Err(ErrorCode::ConnectionReset.into())
                };
                self.0.network_record(TCP_START_LISTEN, input, given)
            }
        };
        answer?;
        self.0.sockets.listening(rep);
        Ok(())
    }

    fn finish_listen(&mut self, socket: Resource<TcpSocket>) -> SocketResult<()> {
        self.0
            .socket_call(TCP_FINISH_LISTEN, &socket, &[], |state, socket| {
                state.sockets().finish_listen(socket)?;
                Ok(done())
            })?;
        Ok(())
    }

    fn accept(
        &mut self,
        socket: Resource<TcpSocket>,
    ) -> SocketResult<(
        Resource<TcpSocket>,
        Resource<DynInputStream>,
        Resource<DynOutputStream>,
    )> {
        let mut accepted = None;
        self.0
            .socket_call(TCP_ACCEPT, &socket, &[], |state, socket| {
                if !state.sockets.has_room() {
                    return Err(ErrorCode::NewSocketLimit.into());
                }
                accepted = Some(state.sockets().accept(socket)?);
                Ok(done())
            })?;
        let live = accepted.is_some();
        let (connection, input, output) = match accepted {
            Some(accepted) => accepted,
            None => {
                let family = self.0.sockets().address_family(socket);
                let connection = self.0.stand_in(family.map_err(SocketError::trap)?)?;
                let (input, output) = self.0.reset_streams(&connection)?;
                (connection, input, output)
            }
        };
        self.0.sockets.opened(connection.rep(), live);
        self.0.follow("socket", connection.rep());
        self.0.follow_streams(&input, &output);
        Ok((connection, input, output))
    }

    fn local_address(&mut self, socket: Resource<TcpSocket>) -> SocketResult<IpSocketAddress> {
        self.0.socket_address(TCP_LOCAL, &socket, |state, socket| {
            state.sockets().local_address(socket)
        })
    }

    fn remote_address(&mut self, socket: Resource<TcpSocket>) -> SocketResult<IpSocketAddress> {
        self.0.socket_address(TCP_REMOTE, &socket, |state, socket| {
            state.sockets().remote_address(socket)
        })
    }

    fn is_listening(&mut self, socket: Resource<TcpSocket>) -> Result<bool> {
        Ok(self.0.sockets.listens(socket.rep()))
    }

    fn address_family(&mut self, socket: Resource<TcpSocket>) -> Result<IpAddressFamily> {
        self.0.sockets().address_family(socket)
    }

    fn set_listen_backlog_size(
        &mut self,
        socket: Resource<TcpSocket>,
        size: u64,
    ) -> SocketResult<()> {
        let input = size.to_le_bytes();
        self.0
            .socket_call(TCP_SET_BACKLOG, &socket, &input, |state, socket| {
                let size = size.min(BACKLOG_MAX);
                state.sockets().set_listen_backlog_size(socket, size)?;
                Ok(done())
            })?;
        Ok(())
    }

    fn subscribe(&mut self, socket: Resource<TcpSocket>) -> Result<Resource<DynPollable>> {
        let pollable = self.0.sockets().subscribe(socket)?;
        self.0.follow("pollable", pollable.rep());
        Ok(pollable)
    }

    fn shutdown(&mut self, socket: Resource<TcpSocket>, what: ShutdownType) -> SocketResult<()> {
        let input = [match what {
            ShutdownType::Receive => 0,
            ShutdownType::Send => 1,
            ShutdownType::Both => 2,
        }];
        self.0
            .socket_call(TCP_SHUTDOWN, &socket, &input, |state, socket| {
                state.sockets().shutdown(socket, what)?;
                Ok(done())
            })?;
        Ok(())
    }

    fn drop(&mut self, socket: Resource<TcpSocket>) -> Result<()> {
        self.0.mirror.remove(socket.rep());
        self.0.sockets.closed(socket.rep());
        HostTcpSocket::drop(&mut self.0.sockets(), socket)
    }
}
