// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / udp: `wasi:sockets/udp` and `udp-create-socket`. In: calls. Out: what the network answered, as recorded. A
//! socket without an address of its own is bound to the wildcard address and port 0: it writes to what the allow-list names, and
//! hears from nobody else. One that a rule gave an address hears from everybody, and may answer. Bound: [`DATAGRAMS_MAX`] per
//! call, `SOCKETS_MAX`, `PEERS_MAX`. Read next: `state.rs`, `listen.rs`.

use std::net::SocketAddr;
use std::time::Duration;

use golem_model::Value;
use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::sockets::network::{
    ErrorCode, IpAddressFamily, IpSocketAddress, Network,
};
use wasmtime_wasi::p2::bindings::sockets::udp::{
    self, HostIncomingDatagramStream, HostOutgoingDatagramStream, HostUdpSocket, IncomingDatagram,
    IncomingDatagramStream, OutgoingDatagram, OutgoingDatagramStream, UdpSocket,
};
use wasmtime_wasi::p2::bindings::sockets::udp_create_socket;
use wasmtime_wasi::p2::{DynPollable, Pollable, SocketError, SocketResult};
use wasmtime_wasi::sockets::WasiSocketsView as _;

use super::super::calls::{
    Call, UDP_CHECK_SEND, UDP_CREATE, UDP_FINISH_BIND, UDP_HOP_LIMIT, UDP_LOCAL, UDP_RECEIVE,
    UDP_RECEIVE_BUFFER, UDP_REMOTE, UDP_SEND, UDP_SEND_BUFFER, UDP_SET_HOP_LIMIT,
    UDP_SET_RECEIVE_BUFFER, UDP_SET_SEND_BUFFER, UDP_START_BIND, UDP_STREAM,
};
use super::super::durable::input_hash;
use super::super::state::{HostState, Linked};
use super::options::options;
use super::state::{done, trap, wrong};

/// Most datagrams of one call: what is received is recorded in one entry, of at most 128 KiB, because the runtime takes no
/// more once it has 64 KiB.
const DATAGRAMS_MAX: u64 = 16;

/// How often, with a pause between, the streams of a socket are made again: the receiving that the earlier ones had begun
/// ends in the background, and holds the socket until then.
const STREAM_TRIES: u32 = 200;

/// The pause.
const STREAM_PAUSE: Duration = Duration::from_millis(1);

/// A stream of datagrams that is lost. Stands in the resource table where the runtime has its own streams.
struct Lost;

#[async_trait::async_trait]
impl Pollable for Lost {
    async fn ready(&mut self) {}
}

impl HostState {
    /// A call of a stream of datagrams, with the number of its socket. One of the repeated part is reset.
    fn datagram_call(
        &mut self,
        call: Call,
        stream: u32,
        input: &[u8],
        live: impl FnOnce(&mut Self, u32) -> SocketResult<Value>,
    ) -> SocketResult<Value> {
        self.network_call(call, input_hash(&[input]), |state| {
            match state.sockets.datagrams.get(&stream) {
                Some(Some(socket)) => live(state, *socket),
                _ => Err(ErrorCode::ConnectionReset.into()),
            }
        })
    }

    /// Whether the guest holds streams of a socket.
    fn has_streams(&self, socket: &Resource<UdpSocket>) -> SocketResult<bool> {
        let mut children = self.table.iter_children(socket)?;
        Ok(children.any(|child| {
            child.is::<Lost>()
                || child.is::<IncomingDatagramStream>()
                || child.is::<OutgoingDatagramStream>()
        }))
    }

    /// Whether a stream of datagrams is one that the runtime made.
    fn has_datagrams(&self, stream: u32) -> bool {
        matches!(self.sockets.datagrams.get(&stream), Some(Some(_)))
    }

    /// The guest drops a stream of datagrams. Whether it was one that the runtime made; else it is gone.
    fn lose(&mut self, stream: u32) -> Result<bool> {
        self.mirror.remove(stream);
        if let Some(Some(_)) = self.sockets.datagrams.remove(&stream) {
            return Ok(true);
        }
        self.table.delete(Resource::<Lost>::new_own(stream))?;
        Ok(false)
    }

    /// The streams of a socket, made by the runtime.
    async fn open_streams(
        &mut self,
        socket: &Resource<UdpSocket>,
        remote: Option<IpSocketAddress>,
    ) -> SocketResult<(
        Resource<IncomingDatagramStream>,
        Resource<OutgoingDatagramStream>,
    )> {
        for _ in 0..STREAM_TRIES {
            let mut view = self.sockets();
            let made = view
                .stream(Resource::new_borrow(socket.rep()), remote)
                .await;
            match made.map_err(SocketError::downcast) {
                Ok(streams) => return Ok(streams),
                Err(Ok(code)) => return Err(code.into()),
                // Its earlier streams are dropped, so this says that a receiving of theirs has not ended yet.
                Err(Err(_)) => tokio::time::sleep(STREAM_PAUSE).await,
            }
        }
        Err(ErrorCode::ConcurrencyConflict.into())
    }

    /// Whether a UDP socket may have an address; `Some(true)` if a rule gives it.
    fn may_bind(&self, address: SocketAddr) -> Option<bool> {
        let network = self.network();
        if network.allows_listening(address) {
            return Some(true);
        }
        // What every guest has to do before it writes.
        let client = address.ip().is_unspecified() && address.port() == 0;
        (client && !network.is_empty()).then_some(false)
    }
}

impl udp_create_socket::Host for Linked<'_> {
    async fn create_udp_socket(
        &mut self,
        family: IpAddressFamily,
    ) -> SocketResult<Resource<UdpSocket>> {
        let input = match family {
            IpAddressFamily::Ipv4 => 4,
            IpAddressFamily::Ipv6 => 6,
        };
        let mut made = None;
        let answer = match self.0.network_replayed(UDP_CREATE, input)? {
            Some(answer) => answer,
            None => {
                let given = match self.0.may_open() {
                    Ok(()) => {
                        let live = self.0.meets_network().map_err(trap)?;
                        let mut view = self.0.sockets();
                        let socket = view.create_udp_socket(family).await;
                        socket.map(|socket| {
                            made = Some((socket, live));
                            done()
                        })
                    }
                    Err(error) => Err(error),
                };
                self.0.network_record(UDP_CREATE, input, given)
            }
        };
        answer?;
        let (socket, live) = match made {
            Some(made) => made,
            None => {
                // A socket that is never bound stands for the one that the history had.
                let socket = self.0.sockets().create_udp_socket(family).await;
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

impl udp::Host for Linked<'_> {}

impl HostUdpSocket for Linked<'_> {
    options! {
        UdpSocket;
        unicast_hop_limit = UDP_HOP_LIMIT, set_unicast_hop_limit = UDP_SET_HOP_LIMIT, u8, U8;
        receive_buffer_size = UDP_RECEIVE_BUFFER, set_receive_buffer_size = UDP_SET_RECEIVE_BUFFER, u64, U64;
        send_buffer_size = UDP_SEND_BUFFER, set_send_buffer_size = UDP_SET_SEND_BUFFER, u64, U64;
    }

    async fn start_bind(
        &mut self,
        socket: Resource<UdpSocket>,
        network: Resource<Network>,
        local: IpSocketAddress,
    ) -> SocketResult<()> {
        self.0.table.get(&network)?;
        let address = SocketAddr::from(local);
        let input = input_hash(&[address.to_string().as_bytes()]);
        if let Some(answer) = self.0.network_replayed(UDP_START_BIND, input)? {
            return answer.map(drop);
        }
        let rep = socket.rep();
        let given = match self.0.may_bind(address) {
            _ if !self.0.sockets.is_live(rep) => Err(ErrorCode::ConnectionReset.into()),
            None => Err(ErrorCode::AccessDenied.into()),
            Some(served) => {
                let mut view = self.0.sockets();
                let bound = view.start_bind(socket, network, local).await;
                if served && bound.is_ok() {
                    self.0.sockets.served(rep);
                }
                bound.map(|()| done())
            }
        };
        self.0
            .network_record(UDP_START_BIND, input, given)
            .map(drop)
    }

    fn finish_bind(&mut self, socket: Resource<UdpSocket>) -> SocketResult<()> {
        self.0
            .socket_call(UDP_FINISH_BIND, &socket, &[], |state, socket| {
                state.sockets().finish_bind(socket)?;
                Ok(done())
            })?;
        Ok(())
    }

    async fn stream(
        &mut self,
        socket: Resource<UdpSocket>,
        remote: Option<IpSocketAddress>,
    ) -> SocketResult<(
        Resource<IncomingDatagramStream>,
        Resource<OutgoingDatagramStream>,
    )> {
        if self.0.has_streams(&socket)? {
            let text = "the streams of a UDP socket have to be dropped before there are others";
            return Err(SocketError::trap(wasmtime::format_err!("{text}")));
        }
        let address = remote.map(SocketAddr::from);
        let text = address.map(|address| address.to_string());
        let input = input_hash(&[text.unwrap_or_default().as_bytes()]);
        let rep = socket.rep();
        let mut made = None;
        let answer = match self.0.network_replayed(UDP_STREAM, input)? {
            Some(answer) => answer,
            None => {
                let allowed = address.is_none_or(|address| {
                    let network = self.0.network();
                    self.0.sockets.may_send(&network, rep, address)
                });
                let given = if !self.0.sockets.is_live(rep) {
                    Err(ErrorCode::ConnectionReset.into())
                } else if !allowed {
                    Err(ErrorCode::AccessDenied.into())
                } else {
                    let streams = self.0.open_streams(&socket, remote).await;
                    streams.map(|streams| {
                        made = Some(streams);
                        done()
                    })
                };
                self.0.network_record(UDP_STREAM, input, given)
            }
        };
        answer?;
        let of = made.is_some().then_some(rep);
        let (incoming, outgoing) = match made {
            Some(streams) => streams,
            None => {
                let [incoming, outgoing] = [
                    self.0.table.push_child(Lost, &socket)?.rep(),
                    self.0.table.push_child(Lost, &socket)?.rep(),
                ];
                // Only this file takes these numbers for what they are.
                (Resource::new_own(incoming), Resource::new_own(outgoing))
            }
        };
        for stream in [incoming.rep(), outgoing.rep()] {
            self.0.sockets.datagrams.insert(stream, of);
            self.0.follow("stream of a socket", stream);
        }
        Ok((incoming, outgoing))
    }

    fn local_address(&mut self, socket: Resource<UdpSocket>) -> SocketResult<IpSocketAddress> {
        self.0.socket_address(UDP_LOCAL, &socket, |state, socket| {
            state.sockets().local_address(socket)
        })
    }

    fn remote_address(&mut self, socket: Resource<UdpSocket>) -> SocketResult<IpSocketAddress> {
        self.0.socket_address(UDP_REMOTE, &socket, |state, socket| {
            state.sockets().remote_address(socket)
        })
    }

    fn address_family(&mut self, socket: Resource<UdpSocket>) -> Result<IpAddressFamily> {
        self.0.sockets().address_family(socket)
    }

    fn subscribe(&mut self, socket: Resource<UdpSocket>) -> Result<Resource<DynPollable>> {
        let pollable = HostUdpSocket::subscribe(&mut self.0.sockets(), socket)?;
        self.0.follow("pollable", pollable.rep());
        Ok(pollable)
    }

    fn drop(&mut self, socket: Resource<UdpSocket>) -> Result<()> {
        self.0.mirror.remove(socket.rep());
        self.0.sockets.closed(socket.rep());
        HostUdpSocket::drop(&mut self.0.sockets(), socket)
    }
}

/// A pollable of a stream of datagrams that the runtime made, or of one that is lost.
macro_rules! subscribe {
    ($stream:ty, $host:ident) => {
        fn subscribe(&mut self, stream: Resource<$stream>) -> Result<Resource<DynPollable>> {
            let pollable = if self.0.has_datagrams(stream.rep()) {
                $host::subscribe(&mut self.0.sockets(), stream)?
            } else {
                let lost = Resource::<Lost>::new_borrow(stream.rep());
                wasmtime_wasi::p2::subscribe(&mut self.0.table, lost)?
            };
            self.0.follow("pollable", pollable.rep());
            Ok(pollable)
        }
    };
}

impl HostIncomingDatagramStream for Linked<'_> {
    fn receive(
        &mut self,
        stream: Resource<IncomingDatagramStream>,
        most: u64,
    ) -> SocketResult<Vec<IncomingDatagram>> {
        let most = most.min(DATAGRAMS_MAX);
        let (call, rep) = (UDP_RECEIVE, stream.rep());
        let input = most.to_le_bytes();
        let answer = self.0.datagram_call(call, rep, &input, |state, socket| {
            let network = state.network();
            let mut taken = Vec::new();
            for datagram in state.sockets().receive(stream, most)? {
                let sender = SocketAddr::from(datagram.remote_address);
                if state.sockets.takes_from(&network, socket, sender) {
                    let sender = Value::String(sender.to_string());
                    taken.push(Value::Tuple(vec![Value::Bytes(datagram.data), sender]));
                }
            }
            Ok(Value::List(taken))
        })?;
        let Value::List(taken) = answer else {
            return Err(wrong(call));
        };
        taken
            .into_iter()
            .map(|datagram| received(datagram).ok_or_else(|| wrong(call)))
            .collect()
    }

    subscribe!(IncomingDatagramStream, HostIncomingDatagramStream);

    fn drop(&mut self, stream: Resource<IncomingDatagramStream>) -> Result<()> {
        if self.0.lose(stream.rep())? {
            HostIncomingDatagramStream::drop(&mut self.0.sockets(), stream)?;
        }
        Ok(())
    }
}

/// A datagram from the log; `None` if it is something else.
fn received(value: Value) -> Option<IncomingDatagram> {
    let Value::Tuple(parts) = value else {
        return None;
    };
    let [Value::Bytes(data), Value::String(sender)] = <[Value; 2]>::try_from(parts).ok()? else {
        return None;
    };
    let sender: SocketAddr = sender.parse().ok()?;
    Some(IncomingDatagram {
        data,
        remote_address: sender.into(),
    })
}

impl HostOutgoingDatagramStream for Linked<'_> {
    fn check_send(&mut self, stream: Resource<OutgoingDatagramStream>) -> SocketResult<u64> {
        let (call, rep) = (UDP_CHECK_SEND, stream.rep());
        let answer = self.0.datagram_call(call, rep, &[], |state, _| {
            Ok(Value::U64(state.sockets().check_send(stream)?))
        })?;
        match answer {
            Value::U64(permit) => Ok(permit),
            _ => Err(wrong(call)),
        }
    }

    fn send(
        &mut self,
        stream: Resource<OutgoingDatagramStream>,
        mut datagrams: Vec<OutgoingDatagram>,
    ) -> SocketResult<u64> {
        let (call, rep) = (UDP_SEND, stream.rep());
        let input = sent(&datagrams);
        let answer = self.0.datagram_call(call, rep, &input, |state, socket| {
            let network = state.network();
            let refused = datagrams.iter().position(|datagram| {
                let to = datagram.remote_address.map(SocketAddr::from);
                // One without an address goes where its stream was allowed to go.
                to.is_some_and(|to| !state.sockets.may_send(&network, socket, to))
            });
            // Those before the first one that is refused are sent: the next call meets it.
            match refused {
                Some(0) => return Err(ErrorCode::AccessDenied.into()),
                Some(count) => datagrams.truncate(count),
                None => {}
            }
            Ok(Value::U64(state.sockets().send(stream, datagrams)?))
        })?;
        match answer {
            Value::U64(count) => Ok(count),
            _ => Err(wrong(call)),
        }
    }

    subscribe!(OutgoingDatagramStream, HostOutgoingDatagramStream);

    async fn drop(&mut self, stream: Resource<OutgoingDatagramStream>) -> Result<()> {
        if self.0.lose(stream.rep())? {
            HostOutgoingDatagramStream::drop(&mut self.0.sockets(), stream).await?;
        }
        Ok(())
    }
}

/// What a call sends, so that a replay can compare it.
fn sent(datagrams: &[OutgoingDatagram]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for datagram in datagrams {
        let to = datagram.remote_address.map(SocketAddr::from);
        let to = to.map(|to| to.to_string()).unwrap_or_default();
        for part in [to.as_bytes(), &datagram.data] {
            bytes.extend((part.len() as u64).to_le_bytes());
            bytes.extend(part);
        }
    }
    bytes
}
