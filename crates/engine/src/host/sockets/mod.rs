// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / sockets: `wasi:sockets`: TCP and UDP to what the allow-list names, listening where a rule lets a guest, and
//! looking up names. In: calls of a guest. Out: recorded answers. Nothing here is durable: a history repeats what the guest was
//! told and never touches the network; where the history ends, each socket of the repeated part is reset. Never touches the
//! rules (`listen.rs`, `../http/network.rs`). Bound: [`state::SOCKETS_MAX`]. Read next: `state.rs`, `tcp.rs`, `udp.rs`.

mod listen;
mod lookup;
mod options;
mod state;
mod tcp;
mod udp;

pub use listen::{BadListenRule, ListenRule};
pub(super) use state::{Sockets, code_of, context, number_of};
