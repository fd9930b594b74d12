// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / steady: the clock of durations. In: what the machine counts since its boot, and where an earlier process of the same
//! boot stood. Out: nanoseconds since about 1970 that no correction of the wall clock moves: a sleep, a time-out or a retry
//! lasts as long as it was asked to. Never used for moments that people name: those go by [`wall_nanos`].
//! Read next: `host/clock.rs`, `timers.rs`. Source: reliability spec F7. Why: docs/adr/0008-waiting.md.
//!
//! It begins with the wall clock and is written down at every start. A process of the same boot goes on from there, whatever
//! happened to the wall clock meanwhile; after a boot it begins with the wall clock again, but never before what was written.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use golem_storage::{Store, StoreError};

/// Kind and key of the row in the catalogue.
const KIND: &str = "clock";
const KEY: &[u8] = b"steady";
/// Bytes of the row: boot, counter of the boot, moment.
const ROW_BYTES: usize = 16 + 8 + 8;

/// Where the clock stood when the machine's counter stood somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Anchor {
    /// Which boot of which machine counts; all zeros where that is not known.
    boot: [u8; 16],
    counter: u64,
    steady: u64,
}

static ANCHOR: OnceLock<Anchor> = OnceLock::new();

/// By how much the clock is ahead of its anchor, nanoseconds: a store that was imported while the process ran may have been
/// further. It only grows.
static AHEAD: AtomicU64 = AtomicU64::new(0);

/// Takes the clock up where an earlier process of this boot left it, and writes it down. The first call of a process sets it, since
/// there is one clock in a process; a later one moves it forward when the store has been further. Errors: of the catalogue.
pub(crate) fn open(store: &dyn Store) -> Result<(), StoreError> {
    let row = store.catalog_get(KIND, KEY)?;
    let before = row.as_ref().and_then(|row| parse(&row.value));
    let anchor = *ANCHOR.get_or_init(|| begin(before, boot(), counter(), wall_nanos()));
    if let Some(before) = before {
        let now = counter();
        AHEAD.fetch_max(missing(before, anchor, now), Ordering::AcqRel);
    }
    let anchor = Anchor {
        steady: anchor.steady.saturating_add(AHEAD.load(Ordering::Acquire)),
        ..anchor
    };
    let revision = row.map_or(0, |row| row.revision);
    store
        .catalog_put(KIND, KEY, revision, &bytes(anchor))
        .map(drop)
}

/// Nanoseconds since about 1970, never backwards and never by jumps.
pub(crate) fn steady_nanos() -> u64 {
    let anchor = ANCHOR.get_or_init(|| begin(None, boot(), counter(), wall_nanos()));
    let since = counter().saturating_sub(anchor.counter);
    let ahead = AHEAD.load(Ordering::Acquire);
    anchor.steady.saturating_add(since).saturating_add(ahead)
}

/// How far behind `before`, which a store has written down, the clock of `anchor` is when the boot's counter stands at `counter`.
fn missing(before: Anchor, anchor: Anchor, counter: u64) -> u64 {
    let ours = anchor
        .steady
        .saturating_add(counter.saturating_sub(anchor.counter));
    let same = before.boot == anchor.boot && before.boot != [0; 16];
    let since = if same {
        counter.saturating_sub(before.counter)
    } else {
        0
    };
    before.steady.saturating_add(since).saturating_sub(ours)
}

/// Nanoseconds since 1970 by the wall clock, which may be set back or forward at any time.
pub(crate) fn wall_nanos() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn begin(before: Option<Anchor>, boot: [u8; 16], counter: u64, wall: u64) -> Anchor {
    let steady = match before {
        Some(before) if before.boot == boot && boot != [0; 16] && before.counter <= counter => {
            before.steady.saturating_add(counter - before.counter)
        }
        Some(before) => wall.max(before.steady),
        None => wall,
    };
    Anchor {
        boot,
        counter,
        steady,
    }
}

/// Nanoseconds since the boot, those in which the machine slept included.
#[cfg(target_os = "linux")]
fn counter() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let (seconds, nanos) = (
        u64::try_from(now.tv_sec).unwrap_or(0),
        u64::try_from(now.tv_nsec).unwrap_or(0),
    );
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

/// Nanoseconds since the start of the process.
#[cfg(not(target_os = "linux"))]
fn counter() -> u64 {
    static START: OnceLock<std::time::Instant> = OnceLock::new();
    let since = START.get_or_init(std::time::Instant::now).elapsed();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// The system's name of this boot; zeros where there is none, and then no process goes on from another.
fn boot() -> [u8; 16] {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    uuid::Uuid::try_parse(text.trim()).map_or([0; 16], uuid::Uuid::into_bytes)
}

fn bytes(anchor: Anchor) -> Vec<u8> {
    let mut out = Vec::with_capacity(ROW_BYTES);
    out.extend(anchor.boot);
    out.extend(anchor.counter.to_be_bytes());
    out.extend(anchor.steady.to_be_bytes());
    out
}

/// `None` for what a later version may have written: then the clock begins anew.
fn parse(bytes: &[u8]) -> Option<Anchor> {
    let (boot, rest) = bytes.split_first_chunk::<16>()?;
    let (counter, rest) = rest.split_first_chunk::<8>()?;
    let (steady, rest) = rest.split_first_chunk::<8>()?;
    rest.is_empty().then_some(Anchor {
        boot: *boot,
        counter: u64::from_be_bytes(*counter),
        steady: u64::from_be_bytes(*steady),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_goes_on_from_an_earlier_one_of_the_same_boot_and_from_no_other() {
        let here = [7; 16];
        let before = Anchor {
            boot: here,
            counter: 1_000,
            steady: 50_000,
        };
        let begins = |boot, counter, wall| begin(Some(before), boot, counter, wall).steady;
        // The wall clock was set forward or back meanwhile.
        assert_eq!(begins(here, 1_600, 99_999_999), 50_600);
        assert_eq!(begins(here, 1_600, 0), 50_600);
        // Another boot, or one without a name: the wall clock is all there is, but time never goes back.
        assert_eq!(begins([8; 16], 10, 70_000), 70_000);
        assert_eq!(begins([8; 16], 10, 70), 50_000);
        let nameless = Anchor {
            boot: [0; 16],
            ..before
        };
        assert_eq!(begin(Some(nameless), [0; 16], 1_600, 70_000).steady, 70_000);
        assert_eq!(begin(None, here, 5, 70_000).steady, 70_000);
        // A store of this boot, or of another one, that is ahead of or behind this process.
        let ours = |steady| Anchor {
            boot: here,
            counter: 1_500,
            steady,
        };
        assert_eq!(missing(before, ours(50_500), 1_600), 0);
        assert_eq!(missing(before, ours(50_400), 1_600), 100);
        assert_eq!(missing(before, ours(60_000), 1_600), 0);
        assert_eq!(missing(nameless, ours(40_000), 1_600), 9_900);
        assert_eq!(parse(&bytes(before)), Some(before));
        assert_eq!(parse(b"something else"), None);
    }
}
