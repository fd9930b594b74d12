// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / size: numbers of bytes as people write them. In: `512MiB`. Out: a number.
//! Never touches IO. Bound: what 64 bits hold. Read next: `duration.rs`.
//!
//! ```text
//! size := digits unit?
//! unit := B | KiB | MiB | GiB | TiB | KB | MB | GB | TB      in any case; K, M, G and T are the first four
//! ```
//! Digits alone are bytes.

use crate::error::Coded;

/// Units and their bytes. A single letter is the binary unit, as other programs that take memory sizes read it.
const UNITS: [(&str, u64); 14] = [
    ("", 1),
    ("b", 1),
    ("k", 1 << 10),
    ("kib", 1 << 10),
    ("kb", 1_000),
    ("m", 1 << 20),
    ("mib", 1 << 20),
    ("mb", 1_000_000),
    ("g", 1 << 30),
    ("gib", 1 << 30),
    ("gb", 1_000_000_000),
    ("t", 1 << 40),
    ("tib", 1 << 40),
    ("tb", 1_000_000_000_000),
];

/// A text that is no number of bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a number of bytes")]
pub struct BadSize(pub String);

impl Coded for BadSize {
    fn code(&self) -> &'static str {
        "VAL-056"
    }

    fn hint(&self) -> Option<String> {
        Some("write for instance 512MiB, 2GiB or 1500000000".to_owned())
    }
}

/// Reads a number of bytes. Errors: [`BadSize`], also for one that 64 bits do not hold, and for none at all.
pub fn parse_size(text: &str) -> Result<u64, BadSize> {
    bytes(text.trim())
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| BadSize(text.to_owned()))
}

fn bytes(text: &str) -> Option<u64> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(end)?;
    let unit = unit.trim_start().to_ascii_lowercase();
    let (_, of_unit) = UNITS.iter().find(|(name, _)| *name == unit)?;
    digits.parse::<u64>().ok()?.checked_mul(*of_unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_units() {
        for (text, bytes) in [
            ("1", 1),
            (" 300 B ", 300),
            ("4k", 4 << 10),
            ("512MiB", 512 << 20),
            ("512 mib", 512 << 20),
            ("2G", 2 << 30),
            ("1500MB", 1_500_000_000),
            ("16777215TiB", 16_777_215 << 40),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in [
            "",
            " ",
            "0",
            "0GiB",
            "-1",
            "1.5GiB",
            "MiB",
            "12 apples",
            "1 MiB 2",
            "16777216TiB",
            "99999999999999999999",
        ] {
            assert_eq!(parse_size(text), Err(BadSize(text.to_owned())), "{text}");
        }
    }
}
