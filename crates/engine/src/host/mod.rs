// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / host: what a guest can call, one file per WIT interface, all of it through `durable.rs`.

pub(crate) mod calls;
mod cli;
pub(crate) mod clock;
mod clocks;
pub(crate) mod durable;
mod linker;
mod output;
mod poll;
mod random;
mod state;
mod wait;

pub(crate) use linker::link_wasi;
pub(crate) use state::{Guest, HasLinked, HostState, Invoking, Linked};
pub(crate) use wait::{Source, any_ready, subscribe_to, wait_outside};
