// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / tcp: `wasi:sockets/tcp` and `tcp-create-socket`: connections that a guest opens. In: calls. Out: what the
//! network answered, as recorded. A guest has no address of its own: to bind, to listen and to accept are refused.
//! Bound: `SOCKETS_MAX`. Read next: `streams.rs`.

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
    Call, TCP_CONNECTED, TCP_CREATE, TCP_HOP_LIMIT, TCP_KEEP_ALIVE, TCP_KEEP_ALIVE_COUNT,
    TCP_KEEP_ALIVE_IDLE, TCP_KEEP_ALIVE_INTERVAL, TCP_LOCAL, TCP_RECEIVE_BUFFER, TCP_REMOTE,
    TCP_SEND_BUFFER, TCP_SET_HOP_LIMIT, TCP_SET_KEEP_ALIVE, TCP_SET_KEEP_ALIVE_COUNT,
    TCP_SET_KEEP_ALIVE_IDLE, TCP_SET_KEEP_ALIVE_INTERVAL, TCP_SET_RECEIVE_BUFFER,
    TCP_SET_SEND_BUFFER, TCP_SHUTDOWN, TCP_START_CONNECT,
};
use super::super::durable::input_hash;
use super::super::state::{HostState, Linked};
use super::state::{trap, wrong};
use super::streams::Reset;
use crate::checkpoint::Held;

/// An answer that only says that it worked.
fn done() -> Value {
    Value::Tuple(Vec::new())
}

impl HostState {
    /// A call about a socket: answered from the log, or by `live`. One of the repeated part is reset.
    fn socket_call(
        &mut self,
        call: Call,
        socket: &Resource<TcpSocket>,
        input: &[u8],
        live: impl FnOnce(&mut Self, Resource<TcpSocket>) -> SocketResult<Value>,
    ) -> SocketResult<Value> {
        let rep = socket.rep();
        self.network_call(call, input_hash(&[input]), |state| {
            if state.sockets.is_live(rep) {
                live(state, Resource::new_borrow(rep))
            } else {
                Err(ErrorCode::ConnectionReset.into())
            }
        })
    }

    /// An address of a socket.
    fn socket_address(
        &mut self,
        call: Call,
        socket: &Resource<TcpSocket>,
        live: impl FnOnce(&mut Self, Resource<TcpSocket>) -> SocketResult<IpSocketAddress>,
    ) -> SocketResult<IpSocketAddress> {
        let answer = self.socket_call(call, socket, &[], |state, socket| {
            let address = SocketAddr::from(live(state, socket)?);
            Ok(Value::String(address.to_string()))
        })?;
        let Value::String(text) = answer else {
            return Err(wrong(call));
        };
        let address: SocketAddr = text.parse().map_err(|_| wrong(call))?;
        Ok(address.into())
    }

    fn follow(&mut self, what: &'static str, rep: u32) {
        self.mirror.insert(Held::Passing(what), rep);
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
            if state.network().is_empty() {
                return Err(ErrorCode::AccessDenied.into());
            }
            if !state.sockets.has_room() {
                return Err(ErrorCode::NewSocketLimit.into());
            }
            let live = state.meets_network().map_err(trap)?;
            let view = &mut state.sockets();
            let socket = tcp_create_socket::Host::create_tcp_socket(view, family)?;
            made = Some((socket, live));
            Ok(done())
        })?;
        let (socket, live) = match made {
            Some(made) => made,
            None => {
                // A socket that is never connected stands for the one that the history had.
                let view = &mut self.0.sockets();
                let socket = tcp_create_socket::Host::create_tcp_socket(view, family);
                let socket =
                    socket.map_err(|error| SocketError::trap(wasmtime::format_err!("{error}")))?;
                (socket, false)
            }
        };
        self.0.sockets.opened(socket.rep(), live);
        self.0.follow("socket", socket.rep());
        Ok(socket)
    }
}

impl tcp::Host for Linked<'_> {}

/// Reads and sets options: recorded, because the system may refuse them and choose other values.
macro_rules! options {
    ($($get:ident = $get_call:ident, $set:ident = $set_call:ident, $type:ty, $value:ident;)*) => {
        $(
            fn $get(&mut self, socket: Resource<TcpSocket>) -> SocketResult<$type> {
                let answer = self.0.socket_call($get_call, &socket, &[], |state, socket| {
                    Ok(Value::$value(state.sockets().$get(socket)?))
                })?;
                match answer {
                    Value::$value(value) => Ok(value),
                    _ => Err(wrong($get_call)),
                }
            }

            fn $set(&mut self, socket: Resource<TcpSocket>, value: $type) -> SocketResult<()> {
                let input = Value::$value(value).to_bytes();
                self.0.socket_call($set_call, &socket, &input, |state, socket| {
                    state.sockets().$set(socket, value)?;
                    Ok(done())
                })?;
                Ok(())
            }
        )*
    };
}

impl HostTcpSocket for Linked<'_> {
    options! {
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
        _socket: Resource<TcpSocket>,
        _network: Resource<Network>,
        _address: IpSocketAddress,
    ) -> SocketResult<()> {
        Err(ErrorCode::AccessDenied.into())
    }

    fn finish_bind(&mut self, _socket: Resource<TcpSocket>) -> SocketResult<()> {
        Err(ErrorCode::NotInProgress.into())
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
            None => {
                let input: DynInputStream = Box::new(Reset);
                let output: DynOutputStream = Box::new(Reset);
                let input = self.0.table.push_child(input, &socket)?;
                (input, self.0.table.push_child(output, &socket)?)
            }
        };
        for rep in [input.rep(), output.rep()] {
            self.0.sockets.streams.insert(rep);
            self.0.follow("stream of a socket", rep);
        }
        Ok((input, output))
    }

    async fn start_listen(&mut self, _socket: Resource<TcpSocket>) -> SocketResult<()> {
        Err(ErrorCode::AccessDenied.into())
    }

    fn finish_listen(&mut self, _socket: Resource<TcpSocket>) -> SocketResult<()> {
        Err(ErrorCode::NotInProgress.into())
    }

    fn accept(
        &mut self,
        _socket: Resource<TcpSocket>,
    ) -> SocketResult<(
        Resource<TcpSocket>,
        Resource<DynInputStream>,
        Resource<DynOutputStream>,
    )> {
        Err(ErrorCode::InvalidState.into())
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

    fn is_listening(&mut self, _socket: Resource<TcpSocket>) -> Result<bool> {
        Ok(false)
    }

    fn address_family(&mut self, socket: Resource<TcpSocket>) -> Result<IpAddressFamily> {
        self.0.sockets().address_family(socket)
    }

    fn set_listen_backlog_size(
        &mut self,
        _socket: Resource<TcpSocket>,
        _size: u64,
    ) -> SocketResult<()> {
        Err(ErrorCode::NotSupported.into())
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
