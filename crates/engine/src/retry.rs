// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / retry: whether and when a failed invocation runs again. In: a policy and the number of the attempt. Out: a pause.
//! Read next: `alive.rs` (`fail`). Source: runtime spec §1.4, client spec §4.6 (`retry-policy`).

use golem_model::oplog::RetryPolicy;

use crate::chance::Chance;

/// The policy of a worker that has not set one: the original's defaults.
pub(crate) fn default_policy() -> RetryPolicy {
    RetryPolicy {
        max_attempts: 3,
        min_delay: 100_000_000,
        max_delay: 1_000_000_000,
        multiplier: 3.0,
        max_jitter_factor: Some(0.15),
    }
}

/// The pause before the next attempt in microseconds, after `attempt` ones (from 1) have failed; `None`: no further one.
pub(crate) fn delay(policy: &RetryPolicy, attempt: u32, chance: &Chance) -> Option<u64> {
    (attempt < policy.max_attempts).then(|| jittered(policy, attempt, random(chance)))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a pause is clamped to its bounds; parts of a microsecond do not matter"
)]
fn jittered(policy: &RetryPolicy, attempt: u32, random: f64) -> u64 {
    let factor = policy
        .multiplier
        .max(0.0)
        .powi(attempt.saturating_sub(1) as i32);
    let pause = (policy.min_delay as f64 * factor).min(policy.max_delay as f64);
    let pause = pause.max(policy.min_delay.min(policy.max_delay) as f64);
    let jitter = policy.max_jitter_factor.unwrap_or(0.0).clamp(0.0, 1.0) * random;
    (pause * (1.0 + jitter) / 1_000.0).round() as u64
}

/// A number from 0 to 1; 0 when the system has none to give.
fn random(chance: &Chance) -> f64 {
    let mut bytes = [0; 4];
    match chance.fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_their_bound_and_attempts_end() {
        let policy = default_policy();
        let pauses: Vec<u64> = (1..5)
            .map(|attempt| jittered(&policy, attempt, 0.0))
            .collect();
        assert_eq!(pauses, [100_000, 300_000, 900_000, 1_000_000]);
        assert_eq!(jittered(&policy, 1, 1.0), 115_000);
        assert!(delay(&policy, 2, &Chance::System).is_some());
        assert_eq!(delay(&policy, 3, &Chance::System), None);
    }

    #[test]
    fn a_strange_policy_gives_no_strange_pause() {
        let policy = RetryPolicy {
            max_attempts: u32::MAX,
            min_delay: u64::MAX,
            max_delay: 5_000,
            multiplier: f64::NAN,
            max_jitter_factor: Some(f64::INFINITY),
        };
        assert!(jittered(&policy, u32::MAX, 1.0) <= 10);
        let none = RetryPolicy::default();
        assert_eq!(delay(&none, 1, &Chance::System), None);
    }
}
