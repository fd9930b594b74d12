// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / chance: random bytes for guests and for pauses between attempts. In: the system's, or a seed of a test. Out: bytes.
//! What a guest gets of it is recorded. Read next: `host/random.rs`, `clock.rs`. Source: docs/STYLE.md, "Async".

use std::cell::RefCell;
use std::sync::Arc;

use golem_storage::mem::split_mix;
use parking_lot::Mutex;

/// Where a node has its random bytes from.
#[derive(Debug, Clone, Default)]
pub enum Chance {
    /// The operating system.
    #[default]
    System,
    /// A generator that a seed repeats. For tests: nothing that it gives is secret.
    Seeded(Arc<Seeded>),
}

/// SplitMix64. Outlives nodes: a test that lets one crash goes on with the next numbers.
#[derive(Debug)]
pub struct Seeded(Mutex<u64>);

impl Seeded {
    /// A generator that begins with `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(Mutex::new(seed)))
    }

    fn next(&self) -> u64 {
        split_mix(&mut self.0.lock())
    }
}

/// Bytes that are asked for ahead: a number of a guest is 8, and asking the kernel for each costs more than recording it.
const AHEAD: usize = 512;

/// Bytes of the system that nobody has been given yet.
struct Ahead {
    bytes: [u8; AHEAD],
    left: usize,
}

thread_local! {
    static OF_THREAD: RefCell<Ahead> = const {
        RefCell::new(Ahead {
            bytes: [0; AHEAD],
            left: 0,
        })
    };
}

impl Ahead {
    /// Fills `bytes`, which are at most [`AHEAD`]. What is given is forgotten here.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), getrandom::Error> {
        if self.left < bytes.len() {
            self.left = 0;
            getrandom::fill(&mut self.bytes)?;
            self.left = AHEAD;
        }
        let end = self.left;
        self.left -= bytes.len();
        if let Some(given) = self.bytes.get_mut(self.left..end) {
            bytes.copy_from_slice(given);
            given.fill(0);
        }
        Ok(())
    }
}

impl Chance {
    /// Fills `bytes`. Errors: the system has none to give.
    pub(crate) fn fill(&self, bytes: &mut [u8]) -> Result<(), getrandom::Error> {
        match self {
            Self::System if bytes.len() < AHEAD / 8 => {
                OF_THREAD.with_borrow_mut(|ahead| ahead.fill(bytes))
            }
            Self::System => getrandom::fill(bytes),
            Self::Seeded(seeded) => {
                for chunk in bytes.chunks_mut(8) {
                    let next = seeded.next().to_le_bytes();
                    chunk.copy_from_slice(next.get(..chunk.len()).unwrap_or_default());
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_byte_is_given_twice() {
        let mut seen = std::collections::HashSet::new();
        for bytes in [8, 16, 24, 40] {
            for _ in 0..200 {
                let mut given = vec![0; bytes];
                Chance::System.fill(&mut given).unwrap();
                for number in given.as_chunks::<8>().0 {
                    assert!(seen.insert(*number), "{number:?}");
                }
            }
        }
        let mut ahead = Ahead {
            bytes: [0; AHEAD],
            left: 0,
        };
        let mut first = [0; 8];
        ahead.fill(&mut first).unwrap();
        assert_eq!(ahead.left, AHEAD - 8);
        assert_eq!(ahead.bytes[AHEAD - 8..], [0; 8]);
    }

    #[test]
    fn a_seed_gives_the_same_bytes_again_and_another_one_others() {
        let bytes = |seed| {
            let chance = Chance::Seeded(Seeded::new(seed));
            let mut bytes = [0; 21];
            chance.fill(&mut bytes).unwrap();
            bytes
        };
        assert_eq!(bytes(1), bytes(1));
        assert_ne!(bytes(1), bytes(2));
        assert!(bytes(1)[16..].iter().any(|byte| *byte != 0));
    }
}
