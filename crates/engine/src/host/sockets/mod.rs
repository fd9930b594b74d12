// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / sockets: `wasi:sockets`: TCP to what the allow-list names, and looking up names. In: calls of a guest. Out:
//! recorded answers. A connection is not durable: a history repeats what the guest was told about it and never touches the
//! network; where the history ends, each socket of the repeated part is reset. Never touches the rules (`../http/network.rs`).
//! Bound: [`state::SOCKETS_MAX`]. Read next: `state.rs`, `tcp.rs`, `streams.rs`.

mod lookup;
mod state;
mod streams;
mod tcp;

pub(super) use state::{Sockets, context};
