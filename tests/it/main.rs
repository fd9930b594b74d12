// SPDX-License-Identifier: Apache-2.0
//! THE EXAM: the real program, real guests, real kills. One binary, so that it links once.
//! Run one module with `cargo test --workspace --test it -- rpc`.

#![expect(
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that finds nothing where something must be should fail there; skips and seeds are said aloud"
)]

mod backup;
mod bad_inputs;
mod call_trees;
mod capabilities;
mod cli;
mod clock;
mod dev;
mod disk;
mod docs;
mod faults;
mod front_door;
mod go_style;
mod golem_1;
mod host;
mod initial_files;
mod invocations;
mod languages;
mod listings;
mod matrix;
mod memory;
mod multi_rpc;
mod power;
mod profiles;
mod promises;
mod random_types;
mod replay;
mod rest;
mod rpc;
mod schemas;
mod sdk;
mod seed;
mod shapes;
mod sockets;
mod support;
mod templates;
mod traces;
mod travel;
mod traveller;
mod trials;
mod updates;
