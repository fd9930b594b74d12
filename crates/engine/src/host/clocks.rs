// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / clocks: `wasi:clocks`. The wall clock is recorded; the monotonic clock is virtual; a timer's deadline is
//! recorded, so that it is the same after a crash. Read next: `clock.rs`, `poll.rs`.

use golem_model::Value;
use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::p2::bindings::clocks::{monotonic_clock, wall_clock};

use super::calls::{SUBSCRIBE_DURATION, WALL_NOW};
use super::durable::{Halt, input_hash};
use super::state::{HostState, Linked};
use super::wait::{Source, subscribe_to};

/// A recorded moment, to which the virtual clock moves on.
fn recorded_now(state: &mut HostState, value: &Value) -> Result<u64, Halt> {
    let Value::U64(now) = value else {
        return Err(Halt::InvalidRequest(
            "a recorded moment is no number".into(),
        ));
    };
    state.clock.advance(*now);
    Ok(*now)
}

impl wall_clock::Host for Linked<'_> {
    fn now(&mut self) -> Result<wall_clock::Datetime> {
        let value = self
            .0
            .durable(WALL_NOW, 0, |state| Ok(Value::U64(state.real_now())))?;
        let now = recorded_now(self.0, &value)?;
        Ok(wall_clock::Datetime {
            seconds: now / 1_000_000_000,
            nanoseconds: (now % 1_000_000_000) as u32,
        })
    }

    fn resolution(&mut self) -> Result<wall_clock::Datetime> {
        Ok(wall_clock::Datetime {
            seconds: 0,
            nanoseconds: 1,
        })
    }
}

impl monotonic_clock::Host for Linked<'_> {
    fn now(&mut self) -> Result<u64> {
        Ok(self.0.clock.read())
    }

    fn resolution(&mut self) -> Result<u64> {
        Ok(1)
    }

    fn subscribe_instant(&mut self, when: u64) -> Result<Resource<DynPollable>> {
        timer(self.0, when)
    }

    fn subscribe_duration(&mut self, nanos: u64) -> Result<Resource<DynPollable>> {
        let input = input_hash(&[&nanos.to_le_bytes()]);
        let value = self.0.durable(SUBSCRIBE_DURATION, input, |state| {
            Ok(Value::U64(state.real_now()))
        })?;
        let now = recorded_now(self.0, &value)?;
        timer(self.0, now.saturating_add(nanos))
    }
}

fn timer(state: &mut HostState, due: u64) -> Result<Resource<DynPollable>> {
    let clock = state.node_clock();
    subscribe_to(state, Source::Timer(clock, due))
}
