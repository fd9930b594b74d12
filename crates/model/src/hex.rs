// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / hex: bytes for people and for names: ids of traces, hashes, keys. In bytes, out text. Read next: `trace.rs`.

use std::fmt::Write as _;

/// Bytes as lower-case hexadecimal digits, two for each.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
