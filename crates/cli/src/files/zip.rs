// SPDX-License-Identifier: Apache-2.0
//! THE DESK / files zip: files as a zip archive that is the same for the same files: stored, not deflated, without times. In paths
//! and contents, out bytes. Bounds: the caller's; far below those at which the format needs its 64-bit form.
//! Never reads a file. Read next: `../files.rs`. Source: PKWARE APPNOTE 6.3.10, §4.3.

/// What the reader must know: version 2.0, which is what every reader knows.
const VERSION: u16 = 20;
/// Made on Unix, so that the upper half of the attributes is a mode.
const MADE_BY: u16 = 3 << 8 | VERSION;
/// The mode of every file: a plain one, readable by all.
const MODE: u32 = 0o100_644 << 16;
/// Names are UTF-8.
const FLAGS: u16 = 1 << 11;
/// 1980-01-01, the first day that the format knows: times would make another archive of the same files.
const DATE: u16 = 1 << 5 | 1;

/// An archive under construction: files in the order in which they are added.
#[derive(Debug, Default)]
pub(super) struct Archive {
    bytes: Vec<u8>,
    directory: Vec<u8>,
    count: u16,
}

impl Archive {
    /// Adds a file. `name` is at most 64 KiB, `content` less than 4 GiB, files are less than 65,536.
    pub(super) fn add(&mut self, name: &str, content: &[u8]) {
        let offset = size(self.bytes.len());
        let mut both = Vec::new();
        both.extend(FLAGS.to_le_bytes());
        // Stored; no time of the day.
        both.extend([0; 4]);
        both.extend(DATE.to_le_bytes());
        both.extend(checksum(content).to_le_bytes());
        both.extend(size(content.len()).to_le_bytes());
        both.extend(size(content.len()).to_le_bytes());
        both.extend(short(name.len()).to_le_bytes());
        // No extra fields.
        both.extend([0; 2]);

        self.bytes.extend(b"PK\x03\x04");
        self.bytes.extend(VERSION.to_le_bytes());
        self.bytes.extend(&both);
        self.bytes.extend(name.as_bytes());
        self.bytes.extend(content);

        self.directory.extend(b"PK\x01\x02");
        self.directory.extend(MADE_BY.to_le_bytes());
        self.directory.extend(VERSION.to_le_bytes());
        self.directory.extend(&both);
        // No comment, the first disk, no internal attributes.
        self.directory.extend([0; 6]);
        self.directory.extend(MODE.to_le_bytes());
        self.directory.extend(offset.to_le_bytes());
        self.directory.extend(name.as_bytes());
        self.count += 1;
    }

    /// The archive.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let (offset, length) = (size(self.bytes.len()), size(self.directory.len()));
        self.bytes.append(&mut self.directory);
        self.bytes.extend(b"PK\x05\x06\0\0\0\0");
        self.bytes.extend(self.count.to_le_bytes());
        self.bytes.extend(self.count.to_le_bytes());
        self.bytes.extend(length.to_le_bytes());
        self.bytes.extend(offset.to_le_bytes());
        // No comment.
        self.bytes.extend([0; 2]);
        self.bytes
    }
}

fn size(bytes: usize) -> u32 {
    let size = u32::try_from(bytes).unwrap_or(u32::MAX);
    assert!(size < u32::MAX, "an archive of {bytes} bytes");
    size
}

fn short(bytes: usize) -> u16 {
    let size = u16::try_from(bytes).unwrap_or(u16::MAX);
    assert!(size < u16::MAX, "a name of {bytes} bytes");
    size
}

/// CRC-32 as zip has it: the reflected polynomial of IEEE 802.3.
fn checksum(content: &[u8]) -> u32 {
    let step = |sum: u32, byte: &u8| {
        let place = usize::from(sum.to_le_bytes()[0] ^ byte);
        TABLE.get(place).copied().unwrap_or_default() ^ (sum >> 8)
    };
    !content.iter().fold(u32::MAX, step)
}

/// The checksum of each byte alone.
const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let (mut rest, mut byte): (&mut [u32], u32) = (&mut table, 0);
    while let [first, others @ ..] = rest {
        let (mut sum, mut bit) = (byte, 0);
        while bit < 8 {
            sum = if sum & 1 == 1 {
                0xedb8_8320 ^ (sum >> 1)
            } else {
                sum >> 1
            };
            bit += 1;
        }
        *first = sum;
        rest = others;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(checksum(b""), 0);
        // The check value of CRC-32/ISO-HDLC.
        assert_eq!(checksum(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn an_archive_is_what_the_format_says() {
        let mut archive = Archive::default();
        archive.add("a/b", b"123456789");
        let both = b"\x14\0\0\x08\0\0\0\0\x21\0\x26\x39\xf4\xcb\x09\0\0\0\x09\0\0\0\x03\0\0\0";
        let expect = [
            b"PK\x03\x04",
            both.as_slice(),
            b"a/b123456789PK\x01\x02\x14\x03",
            both,
            b"\0\0\0\0\0\0\0\0\xa4\x81\0\0\0\0a/b",
            b"PK\x05\x06\0\0\0\0\x01\0\x01\0\x31\0\0\0\x2a\0\0\0\0\0",
        ]
        .concat();
        assert_eq!(archive.finish(), expect);
        assert_eq!(Archive::default().finish().len(), 22);
    }
}
