// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / limits: everything that a guest or a caller could grow, with its bound and the reason.
//! Read next: `instance.rs`, `queue.rs`.

use std::time::Duration;

use golem_model::limit::{Bound, Limit, Limits};

use crate::error::WorkerError;

/// Largest upload of a component. Source: runtime spec §1.1.
pub const COMPONENT_BYTES_MAX: usize = 50 << 20;
/// Most elements of all tables of a worker: a Go program of 10 MB has about 40,000 functions.
pub(crate) const TABLE_ELEMENTS_MAX: usize = 1 << 20;
/// Most resources that a worker has given away and not taken back. Same as wasmtime's bound on live handles.
pub(crate) const LIVE_RESOURCES_MAX: usize = 100_000;
/// Invocations that may wait for one worker: 16 times the width of the largest fan-out that is benchmarked.
pub const QUEUE_MAX: usize = 16 << 10;
/// Longest name of a worker and longest idempotency key, in bytes: both are parts of keys of the store, which refuses
/// more than 16 KiB there.
pub const NAME_BYTES_MAX: usize = 1024;
/// Largest encoded arguments or result of one invocation: what one blob may hold and a person may still look at.
pub const PAYLOAD_BYTES_MAX: usize = 32 << 20;
/// A wait for timers and promises that has lasted this long is noted in the log, unless the node is told another time: then
/// nothing but a timer in the store remembers it, and a start of the server does not run the worker before it is due.
/// Source: runtime spec §1.4.
pub const SUSPEND_AFTER: Duration = Duration::from_secs(10);
/// How long the result of an invocation is kept at least for its idempotency key: nobody repeats a request after a month.
pub const RESULT_AGE: Duration = Duration::from_secs(30 * 86_400);
/// Results that the last so many entries of a worker's log tell of are kept whatever their age.
pub const RESULT_ENTRIES: u64 = 10_000;
/// Entries that are looked through at once for results to let go: each invocation has three at least, so they fit one commit.
pub(crate) const RESULT_STEP: u64 = 512;
/// Idle instances that stay in memory at most unless somebody says otherwise, half of them when the server is quiet: that half of
/// Go workers has half of the memory maps that Linux allows a process by default. Source: host design §7, docs/adr/0017-pages.md.
pub const RESIDENT_MAX: usize = 8192;
/// Entries after which a worker's next checkpoint is due. A replay of so many takes a few milliseconds, as long as a restore; taking
/// and writing one takes about ten of a core, so that it may not be more often. Source: docs/adr/0016-cpu.md.
pub(crate) const CHECKPOINT_ENTRIES: u64 = 8192;
/// Entries since the last checkpoint from which on one is worth taking before an instance leaves memory. To repeat fewer costs no more
/// than a restore does, and a server that makes room for new workers has something better to do. Source: docs/adr/0017-pages.md.
pub(crate) const CHECKPOINT_LEAVING: u64 = 2048;
/// Bytes of memory per entry that the next checkpoint waits for: a large memory costs more to keep than a short log to repeat.
pub(crate) const CHECKPOINT_BYTES: u64 = 8 << 10;
/// Loaded components that stay in memory: about 0.5 MB each. Source: host design §7.
pub(crate) const LOADED_COMPONENTS_MAX: usize = 256;

/// Workers whose guests run at the same time: those that wait for something do not count. Far more than there are cores, and
/// few enough that instances of Go stay below the kernel's limit of memory maps when idle ones have gone (`maps.rs`).
pub(crate) const EXECUTING_MAX: usize = 2048;

/// Seconds of [`Limit::LogRate`] that a worker may write at once: start-up messages and a stack trace come in bursts.
pub(crate) const LOG_BURST_SECONDS: u64 = 10;
/// What a line of a log costs beside its text: about what its entry has.
pub(crate) const LOG_LINE_BYTES: u64 = 32;

/// How much a worker may use when neither its component nor the server says so.
#[must_use]
pub fn default_limit(limit: Limit) -> u64 {
    match limit {
        // What a large Go program needs with room to spare; ten of them fit a small machine.
        Limit::Memory => 512 << 20,
        // Nobody waits longer for an answer; work that takes longer is cut into invocations, or says so.
        Limit::CpuTime => 60_000,
        // Ten million small calls. A log of this size takes minutes to repeat without checkpoints.
        Limit::Oplog => 1 << 30,
        // Far above what anybody reads, and a twentieth of what a small disk takes.
        Limit::LogRate => 4 << 20,
        // A fan-out over a thousand calls holds about three for each.
        Limit::Handles => 10_000,
        // A loop that never ends is found within seconds; a batch over every row of a table is not.
        Limit::HostCalls => 1_000_000,
    }
}

/// The most that a server gives to a component that asks for it, unless its operator says otherwise.
#[must_use]
pub fn maximum_limit(limit: Limit) -> u64 {
    match limit {
        // All that 32-bit addresses reach.
        Limit::Memory => 4 << 30,
        // A day.
        Limit::CpuTime => 86_400_000,
        Limit::Oplog => 64 << 30,
        Limit::LogRate => 64 << 20,
        // wasmtime's bound on live handles.
        Limit::Handles => 100_000,
        Limit::HostCalls => 1_000_000_000,
    }
}

/// What the operator of a server says of limits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LimitPolicy {
    /// For components that say nothing; else [`default_limit`].
    pub defaults: Limits,
    /// The most that a component gets; else [`maximum_limit`].
    pub maxima: Limits,
}

impl LimitPolicy {
    /// The most that a component gets.
    #[must_use]
    pub fn maximum(&self, limit: Limit) -> u64 {
        self.maxima
            .get(limit)
            .unwrap_or_else(|| maximum_limit(limit))
    }

    /// What workers get of a limit whose component wants `wanted` of it, and who says so.
    pub(crate) fn given(&self, limit: Limit, wanted: Option<u64>) -> (u64, SetBy) {
        let maximum = self.maximum(limit);
        let default = self.defaults.get(limit);
        let (value, set_by) = match (wanted, default) {
            (Some(wanted), _) => (wanted, SetBy::Component),
            (None, Some(default)) => (default, SetBy::ServerDefault),
            (None, None) => (default_limit(limit), SetBy::BuiltIn),
        };
        if value > maximum {
            (maximum, SetBy::ServerMaximum)
        } else {
            (value, set_by)
        }
    }
}

/// Where the value of a limit comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SetBy {
    /// The component declares it.
    Component,
    /// The operator's default.
    ServerDefault,
    /// The operator's maximum, which is below what the component or the default says.
    ServerMaximum,
    /// Nobody: [`default_limit`].
    BuiltIn,
}

impl SetBy {
    /// Where to look, for people.
    fn place(self, limit: Limit) -> String {
        match self {
            Self::Component => format!("`capabilities.limits.{limit}` of its component"),
            Self::ServerDefault => format!("`--limit-default {limit}` of the server"),
            Self::ServerMaximum => format!("`--limit-max {limit}` of the server"),
            Self::BuiltIn => "the default, since its component says nothing".to_owned(),
        }
    }
}

/// A worker has used more than it may.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the limit `{limit}` is exceeded: {used}, and the worker may use {}; set by {}", limit.show(*value), set_by.place(*limit))]
pub(crate) struct Exceeded {
    /// Of what.
    pub(crate) limit: Limit,
    /// How much it may use.
    pub(crate) value: u64,
    /// What it did or wanted.
    pub(crate) used: String,
    /// Who says so.
    pub(crate) set_by: SetBy,
}

/// What one worker may use.
#[derive(Debug, Clone)]
pub(crate) struct Allowance([(u64, SetBy); Limit::ALL.len()]);

impl Allowance {
    /// What a worker may use whose component wants `wanted`.
    pub(crate) fn new(policy: &LimitPolicy, wanted: &Limits) -> Self {
        Self(Limit::ALL.map(|limit| policy.given(limit, wanted.get(limit))))
    }

    fn of(&self, limit: Limit) -> (u64, SetBy) {
        let at = limit as usize;
        // The array has a place for every limit, in their order.
        self.0.get(at).copied().unwrap_or((0, SetBy::BuiltIn))
    }

    /// How much of it.
    pub(crate) fn value(&self, limit: Limit) -> u64 {
        self.of(limit).0
    }

    /// Says that so much was used.
    pub(crate) fn exceeded(&self, limit: Limit, used: impl Into<String>) -> Exceeded {
        let (value, set_by) = self.of(limit);
        Exceeded {
            limit,
            value,
            used: used.into(),
            set_by,
        }
    }

    /// Refuses more than the limit. Errors: [`Exceeded`].
    pub(crate) fn check(&self, limit: Limit, used: u64) -> Result<(), Exceeded> {
        if used > self.value(limit) {
            return Err(self.exceeded(limit, format!("it has used {}", limit.show(used))));
        }
        Ok(())
    }
}

/// Checks what a component wants against the maxima. The first that is too much is the error.
pub(crate) fn over_maximum(policy: &LimitPolicy, wanted: &Limits) -> Option<(Bound, u64)> {
    wanted
        .iter()
        .map(|bound| (bound, policy.maximum(bound.limit)))
        .find(|(bound, most)| bound.value > *most)
}

/// Refuses what is larger than its limit, both in bytes. Errors: `TooLarge`.
pub(crate) fn check_bytes(
    what: &'static str,
    bytes: usize,
    limit: usize,
) -> Result<(), WorkerError> {
    if bytes > limit {
        return Err(WorkerError::TooLarge { what, bytes, limit });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(texts: &[&str]) -> Limits {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn the_component_wins_over_the_default_and_the_maximum_over_both() {
        let policy = LimitPolicy {
            defaults: bounds(&["memory=128MiB", "cpuTime=2h"]),
            maxima: bounds(&["memory=256MiB", "cpuTime=1h"]),
        };
        for (limit, wanted, given) in [
            (Limit::Memory, None, (128 << 20, SetBy::ServerDefault)),
            (Limit::Memory, Some(64 << 20), (64 << 20, SetBy::Component)),
            (
                Limit::Memory,
                Some(1 << 30),
                (256 << 20, SetBy::ServerMaximum),
            ),
            (Limit::CpuTime, None, (3_600_000, SetBy::ServerMaximum)),
            (Limit::Handles, None, (10_000, SetBy::BuiltIn)),
        ] {
            assert_eq!(policy.given(limit, wanted), given, "{limit}");
        }
        let over = over_maximum(&policy, &bounds(&["handles=5", "memory=1GiB"])).unwrap();
        assert_eq!((over.0.limit, over.1), (Limit::Memory, 256 << 20));
    }

    #[test]
    fn an_excess_names_the_limit_its_value_and_who_set_it() {
        let allowance = Allowance::new(&LimitPolicy::default(), &bounds(&["hostCalls=3"]));
        assert_eq!(allowance.check(Limit::HostCalls, 3), Ok(()));
        assert_eq!(
            allowance
                .check(Limit::HostCalls, 4)
                .unwrap_err()
                .to_string(),
            "the limit `hostCalls` is exceeded: it has used 4, and the worker may use 3; set by `capabilities.limits.hostCalls` of its component"
        );
        for limit in Limit::ALL {
            assert!(default_limit(limit) <= maximum_limit(limit), "{limit}");
        }
    }
}
