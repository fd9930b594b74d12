// SPDX-License-Identifier: Apache-2.0
//! THE EXAM: the real program, real guests, real kills. One binary, so that it links once.
//! Run one module with `cargo test --workspace --test it -- rpc`.

mod bad_inputs;
mod faults;
mod invocations;
mod matrix;
mod multi_rpc;
mod replay;
mod rpc;
mod seed;
mod support;
