// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / clocks: `wasi:clocks`. The wall clock is recorded; the monotonic clock is virtual and follows the steady one; a timer's deadline is
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

/// Both clocks may be this far apart before it is noted: less than a person can set a clock by, more than they drift.
const APART_NANOS: u64 = 10_000_000;

/// What the wall clock showed when the steady one showed `steady`: one number as long as both say the same, since then nobody
/// has set the wall clock.
fn wall_moment(steady: u64, wall: u64) -> Value {
    if steady.abs_diff(wall) < APART_NANOS {
        return Value::U64(steady);
    }
    Value::Tuple(vec![Value::U64(steady), Value::U64(wall)])
}

/// What [`wall_moment`] says: the steady moment and the one that the guest is told.
fn both_moments(value: &Value) -> Option<(u64, u64)> {
    match value {
        Value::U64(both) => Some((*both, *both)),
        Value::Tuple(parts) => match parts.as_slice() {
            [Value::U64(steady), Value::U64(wall)] => Some((*steady, *wall)),
            _ => None,
        },
        _ => None,
    }
}

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
        let value = self.0.durable(WALL_NOW, 0, |state| {
            Ok(wall_moment(state.real_now(), state.wall_now()))
        })?;
        let (steady, now) = both_moments(&value)
            .ok_or_else(|| Halt::InvalidRequest("a recorded moment is no number".into()))?;
        self.0.clock.advance(steady);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_that_was_set_is_told_and_does_not_move_the_monotonic_one() {
        let hour = 3_600_000_000_000;
        for (wall, recorded) in [
            (hour, Value::U64(hour)),
            (hour + 1_000, Value::U64(hour)),
            (
                2 * hour,
                Value::Tuple(vec![Value::U64(hour), Value::U64(2 * hour)]),
            ),
            (0, Value::Tuple(vec![Value::U64(hour), Value::U64(0)])),
        ] {
            let value = wall_moment(hour, wall);
            assert_eq!(value, recorded);
            let (steady, told) = both_moments(&value).unwrap();
            assert_eq!(steady, hour);
            assert!(told.abs_diff(wall) < APART_NANOS);
        }
        assert_eq!(both_moments(&Value::Bool(true)), None);
    }
}
