// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / ids: newtypes for everything that has an identity. In: text, numbers. Out: typed ids.
//! Never touches IO. Read next: `urn.rs` (how ids are written), `oplog.rs` (where they are kept).

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Identity of a component: made by the server at the first upload, the same for all its versions.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct ComponentId(pub Uuid);

impl ComponentId {
    /// A new random id (UUID version 4).
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for ComponentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for ComponentId {
    type Err = uuid::Error;
    /// Accepts hyphenated, simple, braced and `urn:uuid:` forms in any case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map(Self)
    }
}

/// Number of one upload of a component, from 0.
pub type ComponentVersion = u64;

/// Durable identity of a worker: its component and its name, unique in that component.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct WorkerId {
    /// The component that the worker runs.
    pub component_id: ComponentId,
    /// The name chosen by the user, or a generated UUID for an ephemeral worker.
    pub worker_name: String,
}

impl WorkerId {
    /// The worker `name` of `component`.
    pub fn new(component: ComponentId, name: impl Into<String>) -> Self {
        Self {
            component_id: component,
            worker_name: name.into(),
        }
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.component_id, self.worker_name)
    }
}

/// Names one invocation of a worker for ever: a repeat with the same key gets the first result.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct IdempotencyKey(pub String);

impl IdempotencyKey {
    /// A new random key (UUID version 4).
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4().to_string())
    }

    /// The key of call number `call` that `caller` makes inside its invocation `self`. `undone` tells calls apart that are
    /// made again after a part of the history was undone: the index of the jump that undid it, 0 when nothing was.
    ///
    /// It depends on nothing else, so a call that is issued again after a crash has the same key, whatever the oplog
    /// looks like. Source: architecture D9, rule H6.
    #[must_use]
    pub fn derive(&self, caller: &WorkerId, call: u64, undone: u64) -> Self {
        let space = Uuid::new_v5(&caller.component_id.0, caller.worker_name.as_bytes());
        let mut name = Vec::with_capacity(self.0.len() + 8);
        name.extend_from_slice(self.0.as_bytes());
        name.extend_from_slice(&call.to_le_bytes());
        if undone > 0 {
            name.extend_from_slice(&undone.to_le_bytes());
        }
        Self(Uuid::new_v5(&space, &name).to_string())
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Position of an entry in one worker's oplog, from 1. 0 means "before the first".
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(transparent)]
pub struct OplogIndex(pub u64);

impl OplogIndex {
    /// The index after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for OplogIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Name of one worker's log in the store: given at creation, never reused, so a worker that is deleted and made again
/// under the same name never meets its old entries.
///
/// Layout from the high bits: 16 bits shard, 24 bits shard epoch at creation, 24 bits counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogId(pub u64);

/// Bits of the counter in a [`LogId`].
pub const LOG_COUNTER_BITS: u32 = 24;
/// Bits of the shard epoch in a [`LogId`].
pub const LOG_EPOCH_BITS: u32 = 24;

impl LogId {
    /// Puts a log id together; `None` when epoch or counter do not fit their 24 bits.
    #[must_use]
    pub fn pack(shard: ShardId, epoch: u64, counter: u64) -> Option<Self> {
        (epoch < 1 << LOG_EPOCH_BITS && counter < 1 << LOG_COUNTER_BITS).then(|| {
            Self(
                u64::from(shard.0) << (LOG_EPOCH_BITS + LOG_COUNTER_BITS)
                    | epoch << LOG_COUNTER_BITS
                    | counter,
            )
        })
    }

    /// The shard that the log belongs to.
    #[must_use]
    pub fn shard(self) -> ShardId {
        ShardId((self.0 >> (LOG_EPOCH_BITS + LOG_COUNTER_BITS)) as u16)
    }
}

/// A slice of all workers that is owned by one node at a time.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct ShardId(pub u16);

/// Number of shards of a new store. Fixed when the store is created (architecture D12).
pub const SHARDS: u16 = 256;

impl ShardId {
    /// The shard of `worker` in a store with `shards` shards (FNV-1a over component id and name, modulo `shards`).
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the remainder of a u16 fits a u16"
    )]
    pub fn of(worker: &WorkerId, shards: u16) -> Self {
        let bytes = worker
            .component_id
            .0
            .as_bytes()
            .iter()
            .chain(worker.worker_name.as_bytes());
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self((hash % u64::from(shards.max(1))) as u16)
    }
}

/// A moment: microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Splits into whole seconds and microseconds of the second.
    #[must_use]
    pub fn parts(self) -> (u64, u32) {
        (self.0 / 1_000_000, (self.0 % 1_000_000) as u32)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with a `Z`; the fraction is left out when it is zero.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, micros) = self.parts();
        let (days, rest) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = civil_from_days(days);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}",
            rest / 3600,
            rest / 60 % 60,
            rest % 60
        )?;
        if micros != 0 {
            write!(f, ".{micros:06}")?;
        }
        f.write_str("Z")
    }
}

/// Proleptic Gregorian date of a day number counted from 1970-01-01 (era arithmetic, years start in March).
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "description": "A moment in UTC, RFC 3339 with a `Z`.",
            "type": "string",
            "format": "date-time",
        })
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A text that is not a moment in the form `2026-01-31T12:00:00[.fraction]Z`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an RFC 3339 moment in UTC")]
pub struct BadTimestamp(pub String);

impl FromStr for Timestamp {
    type Err = BadTimestamp;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_timestamp(text).ok_or_else(|| BadTimestamp(text.to_owned()))
    }
}

fn parse_timestamp(text: &str) -> Option<Timestamp> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.splitn(3, '-').map(str::parse::<u64>);
    let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut time = time.splitn(3, ':').map(str::parse::<u64>);
    let (hour, minute, second) = (time.next()?.ok()?, time.next()?.ok()?, time.next()?.ok()?);
    if !(1..=12).contains(&month)
        || !(1..=31).contains(&day)
        || hour > 23
        || minute > 59
        || second > 59
        // Four digits are what RFC 3339 has, and they keep the numbers below small.
        || !(1970..=9999).contains(&year)
    {
        return None;
    }
    let micros = format!("{fraction:0<6}").get(..6)?.parse::<u64>().ok()?;
    let year = year - u64::from(month <= 2);
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let days = (era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year)
        .checked_sub(719_468)?;
    Some(Timestamp(
        ((days * 24 + hour) * 60 + minute) * 60_000_000 + second * 1_000_000 + micros,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamp_text_round_trips() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00Z"),
            (1_733_745_600_123_456, "2024-12-09T12:00:00.123456Z"),
        ] {
            assert_eq!(Timestamp(micros).to_string(), text);
            assert_eq!(text.parse::<Timestamp>().unwrap(), Timestamp(micros));
        }
        assert!("2024-13-01T00:00:00Z".parse::<Timestamp>().is_err());
        let far = format!("{}-01-01T00:00:00Z", u64::MAX);
        assert!(far.parse::<Timestamp>().is_err());
    }

    #[test]
    fn a_log_id_keeps_its_shard_and_refuses_what_does_not_fit() {
        assert_eq!(
            LogId::pack(ShardId(200), 7, 9).unwrap().shard(),
            ShardId(200)
        );
        assert_eq!(LogId::pack(ShardId(0), 1 << 24, 0), None);
        assert_eq!(LogId::pack(ShardId(0), 0, 1 << 24), None);
    }

    #[test]
    fn a_derived_key_depends_on_caller_key_and_call_only() {
        let worker = WorkerId::new(ComponentId(Uuid::nil()), "w");
        let key = IdempotencyKey("k".into());
        assert_eq!(key.derive(&worker, 1, 0), key.derive(&worker, 1, 0));
        assert_ne!(key.derive(&worker, 1, 0), key.derive(&worker, 2, 0));
        assert_ne!(key.derive(&worker, 1, 0), key.derive(&worker, 1, 7));
        assert_ne!(
            key.derive(&worker, 1, 0),
            IdempotencyKey("l".into()).derive(&worker, 1, 0)
        );
    }
}
