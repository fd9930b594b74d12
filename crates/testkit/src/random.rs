// SPDX-License-Identifier: Apache-2.0
//! THE GYM / random: choices that a seed repeats. In: a seed. Out: numbers. Not for secrets. Read next: `disk.rs`.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

/// A generator: SplitMix64.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The one of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The number in an environment variable, or one that nobody has chosen.
    #[must_use]
    pub fn seed(variable: &str) -> u64 {
        Self::setting(variable).unwrap_or_else(|| RandomState::new().build_hasher().finish())
    }

    /// The number in an environment variable.
    #[must_use]
    pub fn setting(variable: &str) -> Option<u64> {
        std::env::var(variable).ok()?.parse().ok()
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.number() % bound.max(1)
    }

    /// Yes or no.
    pub fn coin(&mut self) -> bool {
        self.below(2) == 0
    }
}
