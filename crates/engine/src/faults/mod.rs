// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / faults: the engine as a whole under faults: crashes at every commit, random operations against a model, keys that
//! come many times, cycles and chains of calls, resources of other
//! workers, hostile guests, limits, secrets, timers, checkpoints. In process, with small guests.
//! A failing case prints its seed and the command that repeats it. Read next: `gym.rs`. Source: reliability spec §2.

mod call_tree;
mod calls;
mod checkpoints;
mod crash;
mod guest;
mod gym;
mod hostile;
mod keys;
mod limits;
mod model;
mod namespaces;
mod outside;
mod parking;
mod resources;
mod secrets;
mod starts;
mod timers;
