// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / duration: lengths of time as people write them. In: `30s`. Out: a duration, and back.
//! Never touches IO or a clock. Bound: [`DURATION_MAX`]. Read next: `api.rs`.
//!
//! ```text
//! duration := part+            1h30m, 500ms, 2.5s is not one: write 2500ms
//! part     := digits unit
//! unit     := ms | s | m | h | d
//! ```
//! Digits alone are seconds.

use std::fmt::Write as _;
use std::time::Duration;

use crate::error::Coded;

/// Longest duration that is taken: a year. A longer one is a slip, and no moment that follows from it overflows.
pub const DURATION_MAX: Duration = Duration::from_secs(366 * 86_400);

/// Units and their milliseconds, the longest first.
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// A text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a length of time")]
pub struct BadDuration(pub String);

impl Coded for BadDuration {
    fn code(&self) -> &'static str {
        "VAL-050"
    }

    fn hint(&self) -> Option<String> {
        Some("write for instance 500ms, 30s, 5m, 1h30m or 7d; at most 366d".to_owned())
    }
}

/// Reads a duration. Errors: [`BadDuration`], also for one above [`DURATION_MAX`].
pub fn parse_duration(text: &str) -> Result<Duration, BadDuration> {
    millis(text.trim())
        .map(Duration::from_millis)
        .filter(|duration| *duration <= DURATION_MAX)
        .ok_or_else(|| BadDuration(text.to_owned()))
}

fn millis(text: &str) -> Option<u64> {
    if let Ok(seconds) = text.parse::<u64>() {
        return seconds.checked_mul(1_000);
    }
    let (mut total, mut rest) = (0u64, text);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at_checked(digits)?;
        let end = tail
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(end)?;
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(*factor)?)?;
        rest = tail;
    }
    (!text.is_empty()).then_some(total)
}

/// Writes a duration so that [`parse_duration`] reads it; what is below a millisecond is left out.
#[must_use]
pub fn duration_text(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, factor) in UNITS {
        if rest >= factor {
            // Writing to a String cannot fail.
            let _ = write!(text, "{}{unit}", rest / factor);
            rest %= factor;
        }
    }
    if text.is_empty() {
        text.push_str("0s");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, millis) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("1h30m", 5_400_000),
            ("7d", 604_800_000),
            ("0s", 0),
        ] {
            let read = parse_duration(text).unwrap();
            assert_eq!(read, Duration::from_millis(millis), "{text}");
            assert_eq!(duration_text(read), text);
        }
        assert_eq!(parse_duration(" 5 "), Ok(Duration::from_secs(5)));
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            "s",
            "5x",
            "-5s",
            "1.5s",
            "5 s",
            "400d",
            "s5",
            "5s6",
            "99999999999999999999d",
            "5sm",
        ] {
            assert_eq!(
                parse_duration(text),
                Err(BadDuration(text.to_owned())),
                "{text}"
            );
        }
    }
}
