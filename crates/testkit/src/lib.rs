// SPDX-License-Identifier: Apache-2.0
//! THE GYM: what tests of the whole program need: the real binary, a server that can be killed, guests, a client.
//! Development only; nothing depends on it but tests.

mod binary;
mod disk;
mod guest;
mod preload;
mod random;
mod rest;
mod server;

pub use binary::{cache_dir, golem_cli, run, run_failing};
pub use disk::{Cut, History, Unsynced};
pub use guest::{Guest, copy_tree, go};
pub use preload::{Preload, Word};
pub use random::Random;
pub use rest::Rest;
pub use server::Server;
