// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / start-up: what the platform gives to start-up code that runs once for all workers of a component. In: a seed and a
//! moment. Out: random bytes and a wall clock that follow from them, so that the code does the same whenever it runs again. Whatever
//! else it asks for is refused by its journal. Read next: `../checkpoint/start.rs`. Why: docs/adr/0019-shared-starts.md.

use golem_model::oplog::SharedStart;
use sha2::{Digest, Sha256};

use super::calls::{
    Call, INSECURE_BYTES, INSECURE_SEED, INSECURE_U64, RANDOM_BYTES, RANDOM_U64, WALL_NOW,
};

/// Recorded calls that are answered without a record, because their answers follow from the start.
const ANSWERED: [Call; 6] = [
    RANDOM_BYTES,
    RANDOM_U64,
    INSECURE_BYTES,
    INSECURE_U64,
    INSECURE_SEED,
    WALL_NOW,
];

/// The platform during a shared start-up.
pub(crate) struct StartUp {
    start: SharedStart,
    /// Blocks of random bytes that were taken.
    blocks: u64,
}

impl StartUp {
    /// The platform at the beginning of the start-up.
    pub(crate) fn new(start: SharedStart) -> Self {
        Self { start, blocks: 0 }
    }

    /// Whether `call` is answered here.
    pub(crate) fn answers(call: Call) -> bool {
        ANSWERED.contains(&call)
    }

    /// The next random bytes: SHA-256 over the seed and the number of the block. What a call leaves of its last block is not used.
    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        let mut block = Sha256::new();
        block.update(&self.start.seed);
        let block_bytes = Sha256::output_size();
        for chunk in bytes.chunks_mut(block_bytes) {
            let mut hash = block.clone();
            hash.update(self.blocks.to_le_bytes());
            self.blocks += 1;
            let random = hash.finalize();
            chunk.copy_from_slice(random.get(..chunk.len()).unwrap_or_default());
        }
    }

    /// The wall clock, which stands still, in nanoseconds since 1970.
    pub(crate) fn wall_nanos(&self) -> u64 {
        self.start.at.saturating_mul(1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_start_gives_the_same_bytes_and_never_the_same_twice() {
        let start = |seed| SharedStart {
            seed: vec![seed; SharedStart::SEED_BYTES],
            at: 7,
        };
        let bytes = |seed| {
            let mut start_up = StartUp::new(start(seed));
            let mut bytes = [[0; 40]; 2];
            bytes.iter_mut().for_each(|part| start_up.fill(part));
            bytes
        };
        assert_eq!(bytes(1), bytes(1));
        assert_ne!(bytes(1), bytes(2));
        assert_ne!(bytes(1)[0], bytes(1)[1]);
        assert_ne!(bytes(1)[0][..8], bytes(1)[0][32..]);
        assert_eq!(StartUp::new(start(1)).wall_nanos(), 7_000);
    }
}
