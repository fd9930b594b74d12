// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / clock: the monotonic clock of a guest. In: recorded moments. Out: instants that a replay repeats.
//! Between recorded moments it moves by a fixed step per reading, so readings need no entries: a Go garbage collection
//! reads it about 30 times. Read next: `clocks.rs`, `../clock.rs`. Why: architecture D13, host design §5.1.

/// How far the clock moves with every reading, in nanoseconds. Above zero, so that a guest that waits for time to pass
/// without asking anybody comes to an end; small, so that a burst of readings never overtakes the real clock for long.
const STEP_NANOS: u64 = 100;

/// A clock that is a function of the log. Nanoseconds since about 1970, never backwards, and not moved by whoever sets the wall
/// clock.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct VirtualClock {
    now: u64,
}

impl VirtualClock {
    /// Moves on to a recorded moment; one that is in the past changes nothing.
    pub(crate) fn advance(&mut self, recorded: u64) {
        self.now = self.now.max(recorded);
    }

    /// Reads the clock.
    pub(crate) fn read(&mut self) -> u64 {
        self.now += STEP_NANOS;
        self.now
    }

    /// What the clock shows, without a reading: the moment of what the guest does now.
    pub(crate) fn shown(&self) -> u64 {
        self.now
    }

    /// The moment `real` of the node's clock, never before what the guest has already seen.
    pub(crate) fn not_before(&self, real: u64) -> u64 {
        real.max(self.now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_never_goes_back_and_moves_with_every_reading() {
        let mut clock = VirtualClock::default();
        clock.advance(1000);
        let first = clock.read();
        clock.advance(500);
        assert!(clock.read() > first);
    }
}
