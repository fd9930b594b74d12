// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / rates: how often one may ask, and how often one may fail to say who one is. In: who, and the moment. Out: go on, or how
//! long to wait. Bounds: [`KEYS_MAX`]. Never knows HTTP. Read next: `http/gate.rs`. Source: reliability spec §5.
//!
//! Each bucket is one number, the moment at which it is full again (GCRA): a request moves it on by the time that one request takes,
//! and is refused where that would be more than the burst ahead of now.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Requests of one identity in a second when nothing is said: more than a program that waits for its answers can send, less than
/// what takes a node from everybody else.
pub(crate) const IDENTITY_PER_SECOND: u32 = 1_000;
/// Requests of one address in a second when nothing is said: several programs behind one address.
pub(crate) const ADDRESS_PER_SECOND: u32 = 4_000;
/// Failures of one address in a minute when nothing is said: people mistype, programs with a stale token try again.
pub(crate) const FAILURES_PER_MINUTE: u32 = 20;
/// How long an address is refused that has failed more often.
const LOCK_OUT: Duration = Duration::from_secs(60);
/// Seconds of its rate that somebody may use at once.
const BURST_SECONDS: u32 = 2;
/// Buckets that are remembered, 16 bytes each; those that are full are forgotten first. Who does not fit shares one.
const KEYS_MAX: usize = 65_536;
/// Bits of an IPv6 address that one customer of a network has: the rest is theirs to choose.
const V6_PREFIX_BITS: u32 = 64;

/// How much of what is let in; 0 is any number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RateLimits {
    /// Requests of one identity in a second.
    pub(crate) identity_per_second: u32,
    /// Requests of one address in a second.
    pub(crate) address_per_second: u32,
    /// Failures of one address to say who it is in a minute.
    pub(crate) failures_per_minute: u32,
}

impl RateLimits {
    /// Where everybody is asked who they are.
    pub(crate) const ASKING: Self = Self {
        identity_per_second: IDENTITY_PER_SECOND,
        address_per_second: ADDRESS_PER_SECOND,
        failures_per_minute: FAILURES_PER_MINUTE,
    };
    /// Where nobody is: whoever may ask is on this machine.
    pub(crate) const OPEN: Self = Self {
        identity_per_second: 0,
        address_per_second: 0,
        failures_per_minute: 0,
    };
}

/// What a user wants of the limits; absent: as usual, which depends on whether requests need a token. 0 is any number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RateChanges {
    /// Requests of one identity in a second.
    pub identity_per_second: Option<u32>,
    /// Requests of one address in a second.
    pub address_per_second: Option<u32>,
    /// Failures of one address to say who it is in a minute.
    pub failures_per_minute: Option<u32>,
}

impl RateChanges {
    /// The limits of a server where requests need a token, or do not.
    pub(crate) fn of(self, asks: bool) -> RateLimits {
        let usual = if asks {
            RateLimits::ASKING
        } else {
            RateLimits::OPEN
        };
        let or = |wanted: Option<u32>, usual: u32| wanted.unwrap_or(usual);
        RateLimits {
            identity_per_second: or(self.identity_per_second, usual.identity_per_second),
            address_per_second: or(self.address_per_second, usual.address_per_second),
            failures_per_minute: or(self.failures_per_minute, usual.failures_per_minute),
        }
    }
}

/// The limits of a server at work.
pub(crate) struct Rates {
    start: Instant,
    hasher: RandomState,
    identities: Option<Buckets>,
    addresses: Option<Buckets>,
    failures: Option<Buckets>,
}

impl Rates {
    /// Nobody has asked yet.
    pub(crate) fn new(limits: RateLimits) -> Self {
        let second = Duration::from_secs(1);
        let buckets = |per: u32, time: Duration, burst: u32| {
            let each = time.checked_div(per)?;
            Some(Buckets::new(each, burst))
        };
        let per_second = |per: u32| buckets(per, second, per.saturating_mul(BURST_SECONDS));
        let failures = limits.failures_per_minute;
        Self {
            start: Instant::now(),
            hasher: RandomState::new(),
            identities: per_second(limits.identity_per_second),
            addresses: per_second(limits.address_per_second),
            failures: buckets(failures, 60 * second, failures),
        }
    }

    /// One request of an address. Errors: how long it has to wait.
    pub(crate) fn address(&self, address: IpAddr) -> Result<(), Duration> {
        self.take(self.addresses.as_ref(), &network(address))
    }

    /// One request of an identity: whatever text or id names it. Errors: how long it has to wait.
    pub(crate) fn identity(&self, who: &impl Hash) -> Result<(), Duration> {
        self.take(self.identities.as_ref(), who)
    }

    /// Whether an address may try to say who it is. Errors: how long it is locked out.
    pub(crate) fn may_try(&self, address: IpAddr) -> Result<(), Duration> {
        let Some(failures) = &self.failures else {
            return Ok(());
        };
        let key = self.hasher.hash_one(network(address));
        failures.look(key, self.start.elapsed())
    }

    /// An address has failed to say who it is.
    pub(crate) fn failed(&self, address: IpAddr) {
        if let Some(failures) = &self.failures {
            let key = self.hasher.hash_one(network(address));
            failures.punish(key, self.start.elapsed(), LOCK_OUT);
        }
    }

    fn take(&self, buckets: Option<&Buckets>, who: &impl Hash) -> Result<(), Duration> {
        match buckets {
            Some(buckets) => buckets.take(self.hasher.hash_one(who), self.start.elapsed()),
            None => Ok(()),
        }
    }
}

/// What of an address stands for one customer.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let mask = u128::MAX << (128 - V6_PREFIX_BITS);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

/// Buckets of one rate. Times are those since the start.
struct Buckets {
    /// The time that one request takes.
    each: Duration,
    /// How far ahead of now a bucket may be.
    burst: Duration,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    full_at: HashMap<u64, Duration>,
    /// Of all that the table has no place for.
    others: Duration,
    /// When full ones were forgotten.
    swept: Duration,
}

impl Buckets {
    fn new(each: Duration, burst: u32) -> Self {
        Self {
            each,
            burst: each.saturating_mul(burst),
            table: Mutex::default(),
        }
    }

    fn take(&self, key: u64, now: Duration) -> Result<(), Duration> {
        let mut table = self.table.lock();
        let full_at = table.bucket(key, now);
        let next = (*full_at).max(now) + self.each;
        match next.saturating_sub(now).checked_sub(self.burst) {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => {
                *full_at = next;
                Ok(())
            }
        }
    }

    /// Takes although nothing is left; who does so waits `penalty` longer.
    fn punish(&self, key: u64, now: Duration, penalty: Duration) {
        let mut table = self.table.lock();
        let full_at = table.bucket(key, now);
        let next = (*full_at).max(now) + self.each;
        *full_at = if next.saturating_sub(now) > self.burst {
            now + self.burst + penalty
        } else {
            next
        };
    }

    /// Whether something is left, without taking it.
    fn look(&self, key: u64, now: Duration) -> Result<(), Duration> {
        let table = self.table.lock();
        let full_at = table.full_at.get(&key).copied().unwrap_or_default();
        match full_at.saturating_sub(now).checked_sub(self.burst) {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => Ok(()),
        }
    }
}

impl Table {
    fn bucket(&mut self, key: u64, now: Duration) -> &mut Duration {
        let known = self.full_at.contains_key(&key);
        // Once a second at most: whoever comes with ever new addresses pays little.
        if !known && self.full_at.len() >= KEYS_MAX && now > self.swept + Duration::from_secs(1) {
            self.full_at.retain(|_, full_at| *full_at > now);
            self.swept = now;
        }
        if known || self.full_at.len() < KEYS_MAX {
            self.full_at.entry(key).or_default()
        } else {
            &mut self.others
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let buckets = Buckets::new(SECOND / 10, 20);
        let now = SECOND * 5;
        for _ in 0..20 {
            buckets.take(1, now).unwrap();
        }
        let wait = buckets.take(1, now).unwrap_err();
        assert_eq!(wait, SECOND / 10);
        // A refused one takes nothing.
        buckets.take(1, now + wait).unwrap();
        buckets.take(1, now + wait).unwrap_err();
        buckets.take(2, now).unwrap();
        for _ in 0..20 {
            buckets.take(1, now + SECOND * 9).unwrap();
        }
    }

    #[test]
    fn who_fails_too_often_is_locked_out_for_a_while() {
        let failures = Buckets::new(SECOND * 3, 20);
        for _ in 0..20 {
            failures.look(1, SECOND).unwrap();
            failures.punish(1, SECOND, LOCK_OUT);
        }
        failures.look(1, SECOND).unwrap();
        failures.punish(1, SECOND, LOCK_OUT);
        assert_eq!(failures.look(1, SECOND), Err(LOCK_OUT));
        failures.look(2, SECOND).unwrap();
        failures.look(1, SECOND + LOCK_OUT).unwrap();
    }

    #[test]
    fn memory_is_bounded_and_newcomers_share() {
        let buckets = Buckets::new(SECOND, 1);
        for key in 0..KEYS_MAX as u64 {
            buckets.take(key, SECOND / 2).unwrap();
        }
        buckets.take(u64::MAX, SECOND / 2).unwrap();
        buckets.take(u64::MAX - 1, SECOND / 2).unwrap_err();
        assert_eq!(buckets.table.lock().full_at.len(), KEYS_MAX);
        // All are full again, and forgotten when somebody new comes.
        buckets.take(u64::MAX, SECOND * 3).unwrap();
        assert_eq!(buckets.table.lock().full_at.len(), 1);
    }

    #[test]
    fn an_address_stands_for_its_network() {
        let same = |one: &str, other: &str| {
            network(one.parse().unwrap()) == network(other.parse().unwrap())
        };
        assert!(same("2001:db8::1", "2001:db8::ffff:0:0:1"));
        assert!(!same("2001:db8::1", "2001:db8:0:1::1"));
        assert!(same("::ffff:192.0.2.1", "192.0.2.1"));
        assert!(!same("192.0.2.1", "192.0.2.2"));
    }

    #[test]
    fn a_limit_of_nothing_is_none() {
        let rates = Rates::new(RateLimits::OPEN);
        let address = IpAddr::from([127, 0, 0, 1]);
        for _ in 0..10_000 {
            rates.failed(address);
            rates.address(address).unwrap();
            rates.identity(&"x").unwrap();
            rates.may_try(address).unwrap();
        }
    }
}
