// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / chance: random bytes for guests and for pauses between attempts. In: the system's, or a seed of a test. Out: bytes.
//! What a guest gets of it is recorded. Read next: `host/random.rs`, `clock.rs`. Source: docs/STYLE.md, "Async".

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

impl Chance {
    /// Fills `bytes`. Errors: the system has none to give.
    pub(crate) fn fill(&self, bytes: &mut [u8]) -> Result<(), getrandom::Error> {
        match self {
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
