// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / state: the sockets of one live instance, and how an answer about them is recorded. In: calls. Out: answers of
//! the network or of the log. A socket is live only if it was made where the log ended: all others are reset.
//! Bound: [`SOCKETS_MAX`], [`NAMES_MAX`], [`PEERS_MAX`]. Read next: `tcp.rs`, `udp.rs`. Why: host design §5.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use golem_model::Value;
use wasmtime::component::Resource;
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpSocketAddress};
use wasmtime_wasi::p2::{SocketError, SocketResult};
use wasmtime_wasi::sockets::SocketAddrUse;

use super::super::calls::Call;
use super::super::durable::{Halt, input_hash};
use super::super::http::Network;
use super::super::recorded::unreadable;
use super::super::state::HostState;
use crate::checkpoint::Held;

/// Most sockets that an instance has at the same time: each is a file of the process, and all workers share those.
pub(super) const SOCKETS_MAX: usize = 64;

/// Most addresses whose names are remembered: an older one has to be looked up again before it is connected to by a rule
/// for its name.
const NAMES_MAX: usize = 1_024;

/// Most senders that a UDP socket with an address of its own may answer: an older one has to write again first.
const PEERS_MAX: usize = 1_024;

/// Error codes by their numbers in the log, which are those of the WIT.
const CODES: [ErrorCode; 21] = [
    ErrorCode::Unknown,
    ErrorCode::AccessDenied,
    ErrorCode::NotSupported,
    ErrorCode::InvalidArgument,
    ErrorCode::OutOfMemory,
    ErrorCode::Timeout,
    ErrorCode::ConcurrencyConflict,
    ErrorCode::NotInProgress,
    ErrorCode::WouldBlock,
    ErrorCode::InvalidState,
    ErrorCode::NewSocketLimit,
    ErrorCode::AddressNotBindable,
    ErrorCode::AddressInUse,
    ErrorCode::RemoteUnreachable,
    ErrorCode::ConnectionRefused,
    ErrorCode::ConnectionReset,
    ErrorCode::ConnectionAborted,
    ErrorCode::DatagramTooLarge,
    ErrorCode::NameUnresolvable,
    ErrorCode::TemporaryResolverFailure,
    ErrorCode::PermanentResolverFailure,
];

/// The number of a code in the log.
pub(in super::super) fn number_of(code: ErrorCode) -> u32 {
    let at = CODES.iter().position(|known| *known == code);
    at.and_then(|at| u32::try_from(at).ok()).unwrap_or(0)
}

/// The code of a number in the log.
pub(in super::super) fn code_of(number: u32) -> ErrorCode {
    CODES
        .get(number as usize)
        .copied()
        .unwrap_or(ErrorCode::Unknown)
}

/// One socket.
#[derive(Debug, Default)]
struct Socket {
    /// Made in this run, not in the history that it repeated.
    live: bool,
    /// The guest was told that it listens.
    listens: bool,
    /// A rule gave it its address, so strangers may write to it.
    served: bool,
    /// Who has written to it, oldest first; of a served UDP socket.
    peers: VecDeque<SocketAddr>,
}

/// What an instance has of the network, by the numbers of the resource table.
#[derive(Debug, Default)]
pub(in super::super) struct Sockets {
    all: HashMap<u32, Socket>,
    /// Streams of datagrams, and whose they are: `None` for those of the repeated part.
    pub(super) datagrams: HashMap<u32, Option<u32>>,
    /// Names that are looked up, and whether each lookup is live.
    pub(super) lookups: HashMap<u32, (String, bool)>,
    /// Addresses that names were said to have, oldest first.
    names: VecDeque<(IpAddr, String)>,
}

impl Sockets {
    /// Whether there is room for another socket.
    pub(super) fn has_room(&self) -> bool {
        self.all.len() < SOCKETS_MAX
    }

    /// There is a new socket.
    pub(super) fn opened(&mut self, socket: u32, live: bool) {
        let new = Socket {
            live,
            ..Socket::default()
        };
        self.all.insert(socket, new);
    }

    /// A socket is gone.
    pub(super) fn closed(&mut self, socket: u32) {
        self.all.remove(&socket);
    }

    /// Whether a socket was made in this run, not in the history that it repeated.
    pub(super) fn is_live(&self, socket: u32) -> bool {
        self.all.get(&socket).is_some_and(|known| known.live)
    }

    /// The guest was told that a socket listens.
    pub(super) fn listening(&mut self, socket: u32) {
        if let Some(known) = self.all.get_mut(&socket) {
            known.listens = true;
        }
    }

    /// Whether the guest was told that a socket listens.
    pub(super) fn listens(&self, socket: u32) -> bool {
        self.all.get(&socket).is_some_and(|known| known.listens)
    }

    /// A rule gave a socket its address.
    pub(super) fn served(&mut self, socket: u32) {
        if let Some(known) = self.all.get_mut(&socket) {
            known.served = true;
        }
    }

    /// Whether a datagram from an address is for the guest: it may write there itself, or the socket takes those of strangers,
    /// and may answer this one from now on.
    pub(super) fn takes_from(
        &mut self,
        network: &Network,
        socket: u32,
        address: SocketAddr,
    ) -> bool {
        if self.may_connect(network, address) {
            return true;
        }
        let Some(known) = self.all.get_mut(&socket).filter(|known| known.served) else {
            return false;
        };
        if !known.peers.contains(&address) {
            if known.peers.len() >= PEERS_MAX {
                known.peers.pop_front();
            }
            known.peers.push_back(address);
        }
        true
    }

    /// Whether a UDP socket may write to an address: where the guest may connect to, or who has written to it.
    pub(super) fn may_send(&self, network: &Network, socket: u32, address: SocketAddr) -> bool {
        let known = self.all.get(&socket);
        known.is_some_and(|known| known.peers.contains(&address))
            || self.may_connect(network, address)
    }

    /// The guest was told that `name` stands for `address`.
    pub(super) fn learn(&mut self, address: IpAddr, name: &str) {
        let known = self
            .names
            .iter()
            .any(|(its, said)| *its == address && said == name);
        if known {
            return;
        }
        if self.names.len() >= NAMES_MAX {
            self.names.pop_front();
        }
        self.names.push_back((address, name.to_owned()));
    }

    /// Whether the guest may connect to an address: a rule says the address, or a name that it was looked up by; and it is
    /// a public one, or a rule says it itself.
    pub(super) fn may_connect(&self, network: &Network, address: SocketAddr) -> bool {
        let (ip, port) = (address.ip().to_canonical(), address.port());
        let named = self
            .names
            .iter()
            .any(|(its, name)| *its == ip && network.allows_host(name, port));
        (named || network.allows_host(&ip.to_string(), port)) && network.allows_address(ip, port)
    }
}

/// Opens the sockets of wasmtime to what `network` may allow. Which names and addresses it does is decided before they are
/// asked; addresses that are written to are looked at here once more.
pub(in super::super) fn context(wasi: &mut WasiCtxBuilder, network: &Arc<Network>) {
    let network = Arc::clone(network);
    wasi.allow_tcp(true)
        .allow_udp(true)
        .allow_ip_name_lookup(true)
        .socket_addr_check(move |address, used| {
            let (ip, port) = (address.ip(), address.port());
            let allowed = match used {
                SocketAddrUse::TcpConnect => network.allows_address(ip, port),
                // A socket that strangers may write to answers them.
                SocketAddrUse::UdpSend => network.allows_address(ip, port) || network.listens(),
                SocketAddrUse::TcpListen | SocketAddrUse::TcpAccept => network.listens(),
                // That of a connection, or one that a rule has.
                SocketAddrUse::TcpBind | SocketAddrUse::UdpBind => true,
                // Who may write is decided when the datagram is taken.
                SocketAddrUse::UdpReceive => true,
            };
            Box::pin(async move { allowed })
        });
}

impl HostState {
    /// Whether the run has come to the end of its history. Stops a rehearsal there: it must not touch the network.
    pub(super) fn meets_network(&mut self) -> Result<bool, Halt> {
        if self.journal()?.peek()?.is_some() {
            return Ok(false);
        }
        self.journal()?.stops()?;
        Ok(true)
    }

    /// The recorded answer of a call that touches the network, or `None`: it is live. A rehearsal stops there.
    pub(in super::super) fn answer_before_network(
        &mut self,
        call: Call,
        input: u64,
    ) -> Result<Option<Value>, Halt> {
        let answer = self.replayed_answer(call, input)?;
        if answer.is_none() {
            self.journal()?.stops()?;
        }
        Ok(answer)
    }

    /// What the log has of a call about the network, or `None`: it is live, and no rehearsal.
    pub(super) fn network_replayed(
        &mut self,
        call: Call,
        input: u64,
    ) -> SocketResult<Option<SocketResult<Value>>> {
        let Some(value) = self.answer_before_network(call, input).map_err(trap)? else {
            return Ok(None);
        };
        Ok(Some(match value {
            Value::Result(Ok(Some(value))) => Ok(*value),
            Value::Result(Err(Some(code))) => match *code {
                Value::Enum(number) => Err(code_of(number).into()),
                _ => return Err(wrong(call)),
            },
            _ => return Err(wrong(call)),
        }))
    }

    /// Records what a live call about the network gave, and gives it.
    pub(super) fn network_record(
        &mut self,
        call: Call,
        input: u64,
        given: SocketResult<Value>,
    ) -> SocketResult<Value> {
        let (answer, given) = match given {
            Ok(value) => (Value::Result(Ok(Some(Box::new(value.clone())))), Ok(value)),
            Err(error) => {
                let code = error.downcast().map_err(SocketError::trap)?;
                let number = Value::Enum(number_of(code));
                (Value::Result(Err(Some(Box::new(number)))), Err(code.into()))
            }
        };
        self.record_answer(call, input, answer, Vec::new())
            .map_err(trap)?;
        given
    }

    /// A call about the network: answered from the log, or by `live` and recorded, errors as well.
    pub(super) fn network_call(
        &mut self,
        call: Call,
        input: u64,
        live: impl FnOnce(&mut Self) -> SocketResult<Value>,
    ) -> SocketResult<Value> {
        if let Some(answer) = self.network_replayed(call, input)? {
            return answer;
        }
        let given = live(self);
        self.network_record(call, input, given)
    }

    /// A call about a socket: answered from the log, or by `live`. One of the repeated part is reset.
    pub(super) fn socket_call<T: 'static>(
        &mut self,
        call: Call,
        socket: &Resource<T>,
        input: &[u8],
        live: impl FnOnce(&mut Self, Resource<T>) -> SocketResult<Value>,
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
    pub(super) fn socket_address<T: 'static>(
        &mut self,
        call: Call,
        socket: &Resource<T>,
        live: impl FnOnce(&mut Self, Resource<T>) -> SocketResult<IpSocketAddress>,
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

    /// Whether the guest may have another socket; else the error that says why.
    pub(super) fn may_open(&self) -> SocketResult<()> {
        let network = self.network();
        if network.is_empty() && !network.listens() {
            return Err(ErrorCode::AccessDenied.into());
        }
        if !self.sockets.has_room() {
            return Err(ErrorCode::NewSocketLimit.into());
        }
        Ok(())
    }

    /// The guest is given a handle that cannot be made again.
    pub(super) fn follow(&mut self, what: &'static str, rep: u32) {
        self.mirror.insert(Held::Passing(what), rep);
    }

    /// The rules for the network.
    pub(super) fn network(&self) -> Arc<Network> {
        Arc::clone(&self.network)
    }
}

/// An answer that only says that it worked.
pub(super) fn done() -> Value {
    Value::Tuple(Vec::new())
}

/// Ends the run of the guest.
pub(super) fn trap(halt: Halt) -> SocketError {
    SocketError::trap(halt)
}

/// The log has something else than this version records.
pub(super) fn wrong(call: Call) -> SocketError {
    SocketError::trap(Halt::from(unreadable(call)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(rules: &[&str]) -> Network {
        Network::new(rules.iter().map(|rule| rule.parse().unwrap()).collect())
    }

    #[test]
    fn a_number_of_the_log_is_one_code() {
        for (number, code) in (0..).zip(CODES) {
            assert_eq!(number_of(code), number);
            assert_eq!(code_of(number), code);
        }
        assert_eq!(code_of(99), ErrorCode::Unknown);
    }

    #[test]
    fn a_guest_connects_to_what_a_rule_says_or_to_a_name_that_it_looked_up() {
        let rules = network(&["api.example.com:443", "127.0.0.1:8080"]);
        let mut sockets = Sockets::default();
        let public: SocketAddr = "93.184.216.34:443".parse().unwrap();
        assert!(sockets.may_connect(&rules, "127.0.0.1:8080".parse().unwrap()));
        assert!(!sockets.may_connect(&rules, "127.0.0.1:80".parse().unwrap()));
        assert!(!sockets.may_connect(&rules, public));
        sockets.learn(public.ip(), "other.example.com");
        assert!(!sockets.may_connect(&rules, public));
        sockets.learn(public.ip(), "api.example.com");
        assert!(sockets.may_connect(&rules, public));
        assert!(!sockets.may_connect(&rules, "93.184.216.34:80".parse().unwrap()));
        // A name that was pointed to the inside leads nowhere.
        let inside: SocketAddr = "10.0.0.1:443".parse().unwrap();
        sockets.learn(inside.ip(), "api.example.com");
        assert!(!sockets.may_connect(&rules, inside));
        // The oldest names are forgotten.
        for n in 0..NAMES_MAX as u32 {
            sockets.learn(IpAddr::from(n.to_be_bytes()), "a");
        }
        assert!(!sockets.may_connect(&rules, public));
    }

    #[test]
    fn a_socket_of_nobody_is_not_live() {
        let mut sockets = Sockets::default();
        assert!(!sockets.is_live(1));
        for n in 0..SOCKETS_MAX as u32 {
            assert!(sockets.has_room());
            sockets.opened(n, n % 2 == 0);
        }
        assert!(!sockets.has_room() && sockets.is_live(2) && !sockets.is_live(1));
        sockets.closed(2);
        assert!(sockets.has_room() && !sockets.is_live(2));
    }

    #[test]
    fn only_a_socket_that_serves_takes_what_strangers_send_and_may_answer_them() {
        let rules = network(&["127.0.0.1:53"]);
        let [known, stranger]: [SocketAddr; 2] =
            ["127.0.0.1:53", "127.0.0.1:99"].map(|address| address.parse().unwrap());
        let mut sockets = Sockets::default();
        sockets.opened(1, true);
        sockets.opened(2, true);
        sockets.served(2);
        assert!(sockets.takes_from(&rules, 1, known) && sockets.may_send(&rules, 1, known));
        assert!(!sockets.takes_from(&rules, 1, stranger) && !sockets.may_send(&rules, 1, stranger));
        assert!(!sockets.may_send(&rules, 2, stranger));
        assert!(sockets.takes_from(&rules, 2, stranger) && sockets.may_send(&rules, 2, stranger));
        // Who wrote first is forgotten first.
        for port in 1_000..1_000 + PEERS_MAX as u16 {
            assert!(sockets.takes_from(&rules, 2, SocketAddr::new(stranger.ip(), port)));
        }
        assert!(!sockets.may_send(&rules, 2, stranger));
        assert!(!sockets.takes_from(&rules, 3, stranger));
    }
}
