// SPDX-License-Identifier: Apache-2.0
//! THE SHELVES / journal: looks at the journals of the database library before the library does. In: the database's
//! directory. Out: yes, or which journal is damaged where. Changes a file only to cut off a last batch that a power cut
//! tore, and what tables have already. Bound: one journal in memory at a time. Read next: `settled.rs`. Format:
//! docs/formats/store.md.
//!
//! Why: where a batch does not parse, the library takes it for the torn end of a crash and cuts the journal there. After
//! a flipped bit in the middle that would throw away everything later, acknowledged or not, without a word. A crash can
//! only tear the last batch, because each one is synced before the next is begun: anything else is damage.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use crate::fjall::layout::corrupt;
use crate::fjall::settled;
use crate::store::StoreError;

/// Ends every batch.
pub(crate) const TRAILER: &[u8; 4] = b"FJL\x03";
const TAG_START: u8 = 1;
const TAG_ITEM: u8 = 2;
const TAG_END: u8 = 3;
const TAG_CLEAR: u8 = 4;
/// Kinds of values: value, tombstone, weak tombstone, indirection.
const VALUE_TYPES: [u8; 4] = [0, 1, 2, 4];
/// What a disk writes at once: a torn batch lacks whole sectors, a damaged one only bits.
const SECTOR: usize = 512;
/// Read at once. Journals are made 64 MiB long and mostly zeros.
const CHUNK: usize = 64 << 10;

/// Bytes of a batch before its items: tag, count, number.
pub(crate) const BATCH_HEAD: usize = 13;

/// A journal of the library.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Journal {
    /// Journals are numbered in the order in which they are written.
    pub(crate) number: u64,
    /// The file.
    pub(crate) path: PathBuf,
}

/// Where the journal ends that will be written to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct JournalEnd {
    /// The file.
    pub(crate) path: PathBuf,
    /// Bytes of whole batches.
    pub(crate) bytes: u64,
}

/// How a batch fails to be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    /// The written bytes end before the batch does.
    Early,
    /// It does not parse.
    Form,
    /// It parses and its content is right, but it does not end as batches do.
    Trailer,
    /// It parses and its content is not what was written.
    Checksum,
    /// Its number is not above the one before.
    Order,
}

/// Checks every journal in `database`. `None` when there is no database yet. Errors: `Corrupt` with file and position,
/// `Io`.
pub(crate) fn check(database: &Path) -> Result<Option<JournalEnd>, StoreError> {
    let io = |path: &Path, e: std::io::Error| StoreError::Io(format!("{}: {e}", path.display()));
    if !database
        .join("version")
        .try_exists()
        .map_err(|e| io(database, e))?
    {
        return Ok(None);
    }
    settled::cut(database).map_err(|e| io(database, e))?;
    let journals = list(database).map_err(|e| io(database, e))?;
    let Some(active) = journals.last().map(|journal| journal.path.clone()) else {
        return Err(corrupt(
            database.display().to_string(),
            "the journal is missing",
        ));
    };
    let mut end = None;
    for Journal { path, .. } in journals {
        let bytes = File::open(&path).and_then(read_written);
        let bytes = bytes.map_err(|e| io(&path, e))?;
        let is_active = path == active;
        let good = check_bytes(&bytes, is_active)
            .map_err(|detail| corrupt(path.display().to_string(), detail))?;
        if good < bytes.len() {
            tracing::warn!(journal = %path.display(), at = good, "cutting off a batch that was never finished");
            cut(&path, good as u64).map_err(|e| io(&path, e))?;
        }
        if is_active {
            end = Some(JournalEnd {
                path,
                bytes: good as u64,
            });
        }
    }
    Ok(end)
}

fn cut(path: &Path, bytes: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(bytes)?;
    file.sync_all()
}

/// The journals in `database` in the order in which they were written. A file with another name is an error.
pub(crate) fn list(database: &Path) -> io::Result<Vec<Journal>> {
    let mut journals = Vec::new();
    for entry in std::fs::read_dir(database)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "jnl") {
            let number = path
                .file_stem()
                .and_then(|stem| stem.to_str()?.parse().ok());
            let number = number.ok_or_else(|| {
                let text = format!("{} is not the name of a journal", path.display());
                io::Error::new(io::ErrorKind::InvalidData, text)
            })?;
            journals.push(Journal { number, path });
        }
    }
    journals.sort();
    Ok(journals)
}

/// The number in the first bytes of a batch; `None` when they begin none.
pub(crate) fn batch_number(head: &[u8; BATCH_HEAD]) -> Option<u64> {
    let [TAG_START, _, _, _, _, number @ ..] = head else {
        return None;
    };
    Some(u64::from_le_bytes(*number))
}

/// Whether a batch may begin where `bytes` do.
pub(crate) fn may_begin_batch(bytes: &[u8]) -> bool {
    bytes.first() == Some(&TAG_START)
}

/// Length of the whole batches at the beginning of `bytes`, and whether more bytes could make it more.
pub(crate) fn whole_batches(bytes: &[u8]) -> (usize, bool) {
    let mut at = 0;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        match batch(rest) {
            Ok((length, _)) => at += length,
            Err(broken) => return (at, broken == Broken::Early),
        }
    }
}

/// The bytes of a file from its position on, without the zeros at its end.
pub(crate) fn read_written(mut file: File) -> io::Result<Vec<u8>> {
    let zeros = vec![0; CHUNK];
    let (mut bytes, mut pending, mut chunk) = (Vec::new(), 0, vec![0; CHUNK]);
    loop {
        let n = file.read(&mut chunk)?;
        let part = chunk.get(..n).unwrap_or_default();
        if n == 0 {
            break;
        }
        // Zeros are only kept once something follows them.
        if Some(part) == zeros.get(..n) {
            pending += n;
        } else {
            bytes.resize(bytes.len() + pending, 0);
            pending = 0;
            bytes.extend_from_slice(part);
        }
    }
    let end = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    bytes.truncate(end);
    Ok(bytes)
}

/// Length of the whole batches at the beginning of `bytes`, when what follows is nothing or, in the active journal, the
/// torn end of a crash. Otherwise says where the damage is.
fn check_bytes(bytes: &[u8], is_active: bool) -> Result<usize, String> {
    let (mut at, mut last) = (0, None);
    let broken = loop {
        let rest = bytes.get(at..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(at);
        }
        match batch(rest) {
            Ok((_, number)) if last.is_some_and(|last| number <= last) => break Broken::Order,
            Ok((length, number)) => (at, last) = (at + length, Some(number)),
            Err(broken) => break broken,
        }
    };
    let rest = bytes.get(at..).unwrap_or_default();
    let cut_short = matches!(broken, Broken::Early | Broken::Form) && !rest.ends_with(TRAILER);
    let torn = is_active
        && !matches!(broken, Broken::Trailer | Broken::Order)
        && (cut_short || lacks_sector(rest, at))
        && !has_batch(rest.get(1..).unwrap_or_default());
    if torn {
        Ok(at)
    } else {
        Err(format!("the batch at byte {at} is damaged ({broken:?})"))
    }
}

/// Length and number of the batch at the beginning of `bytes`.
fn batch(bytes: &[u8]) -> Result<(usize, u64), Broken> {
    let mut reader = Reader { bytes, at: 0 };
    if reader.byte()? != TAG_START {
        return Err(Broken::Form);
    }
    let count = u32::from_le_bytes(reader.array()?);
    let number = u64::from_le_bytes(reader.array()?);
    let begin = reader.at;
    for _ in 0..count {
        match reader.byte()? {
            TAG_ITEM => reader.item()?,
            TAG_CLEAR => drop(reader.array::<8>()?),
            _ => return Err(Broken::Form),
        }
    }
    let content = bytes.get(begin..reader.at).unwrap_or_default();
    if reader.byte()? != TAG_END {
        return Err(Broken::Form);
    }
    let sum = u64::from_le_bytes(reader.array()?);
    let trailer = reader.array::<4>()?;
    match (sum == xxh3_64(content), trailer == *TRAILER) {
        (true, true) => Ok((reader.at, number)),
        (true, false) => Err(Broken::Trailer),
        (false, true) => Err(Broken::Checksum),
        (false, false) => Err(Broken::Form),
    }
}

/// Whether a whole batch stands anywhere in `bytes`.
fn has_batch(bytes: &[u8]) -> bool {
    (0..bytes.len()).any(|at| {
        let rest = bytes.get(at..).unwrap_or_default();
        // Cheap questions first: this looks at every byte.
        rest.first() == Some(&TAG_START)
            && rest
                .get(13)
                .is_some_and(|tag| [TAG_ITEM, TAG_CLEAR].contains(tag))
            && batch(rest).is_ok()
    })
}

/// Whether `bytes`, which stand at position `at` of a file, have a sector of zeros, or begin with what is left of one.
fn lacks_sector(bytes: &[u8], at: usize) -> bool {
    let skip = at.next_multiple_of(SECTOR) - at;
    let (first, sectors) = bytes.split_at(skip.min(bytes.len()));
    let is_empty = |sector: &[u8]| sector.iter().all(|byte| *byte == 0);
    (!first.is_empty() && is_empty(first)) || sectors.chunks_exact(SECTOR).any(is_empty)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        let rest = self
            .bytes
            .get(self.at..)
            .and_then(|rest| rest.first_chunk::<N>())
            .ok_or(Broken::Early)?;
        self.at += N;
        Ok(*rest)
    }

    fn byte(&mut self) -> Result<u8, Broken> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn skip(&mut self, n: usize) -> Result<(), Broken> {
        self.at = self
            .at
            .checked_add(n)
            .filter(|at| *at <= self.bytes.len())
            .ok_or(Broken::Early)?;
        Ok(())
    }

    fn item(&mut self) -> Result<(), Broken> {
        let (value_type, compression) = (self.byte()?, self.byte()?);
        self.array::<8>()?;
        let key = u16::from_le_bytes(self.array()?);
        let value = u32::from_le_bytes(self.array()?);
        let stored = u32::from_le_bytes(self.array()?);
        let plausible = match compression {
            0 => value == stored,
            // LZ4 cannot shrink below 1 in 255: a larger promise is damage, and would make the library allocate it.
            1 => u64::from(value) <= (u64::from(stored) + 16) * 255,
            _ => false,
        };
        if !VALUE_TYPES.contains(&value_type) || !plausible {
            return Err(Broken::Form);
        }
        self.skip(usize::from(key))?;
        self.skip(usize::try_from(stored).map_err(|_| Broken::Form)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(number: u64, items: &[(&[u8], &[u8])]) -> Vec<u8> {
        let mut content = Vec::new();
        for (key, value) in items {
            content.extend([TAG_ITEM, 0, 0]);
            content.extend(7u64.to_le_bytes());
            content.extend(u16::try_from(key.len()).unwrap().to_le_bytes());
            content.extend(u32::try_from(value.len()).unwrap().to_le_bytes());
            content.extend(u32::try_from(value.len()).unwrap().to_le_bytes());
            content.extend(*key);
            content.extend(*value);
        }
        let mut out = vec![TAG_START];
        out.extend(u32::try_from(items.len()).unwrap().to_le_bytes());
        out.extend(number.to_le_bytes());
        out.extend(&content);
        out.push(TAG_END);
        out.extend(xxh3_64(&content).to_le_bytes());
        out.extend(TRAILER);
        out
    }

    fn batches() -> Vec<Vec<u8>> {
        vec![
            encode(5, &[(b"a", b"1")]),
            encode(6, &[(b"b", b"2"), (b"c", &[9; 700])]),
            encode(7, &[(b"d", b"")]),
        ]
    }

    #[test]
    fn a_good_journal_is_read_to_its_end() {
        assert_eq!(check_bytes(&[], true), Ok(0));
        let whole = batches().concat();
        assert_eq!(check_bytes(&whole, true), Ok(whole.len()));
        assert_eq!(check_bytes(&whole, false), Ok(whole.len()));
    }

    #[test]
    fn a_torn_last_batch_is_cut_off_wherever_it_was_torn() {
        let [first, second, third] = batches().try_into().unwrap();
        let before = [first, second].concat();
        for cut in 1..third.len() {
            let torn = [before.as_slice(), third.get(..cut).unwrap()].concat();
            assert_eq!(check_bytes(&torn, true), Ok(before.len()), "cut at {cut}");
            assert!(
                check_bytes(&torn, false).is_err(),
                "a sealed journal was synced as a whole"
            );
        }
    }

    #[test]
    fn a_last_batch_that_lacks_a_sector_is_cut_off() {
        let first = encode(1, &[(b"a", b"1")]);
        let mut whole = [first.clone(), encode(2, &[(b"b", &[7; 4 * SECTOR])])].concat();
        whole[2 * SECTOR..3 * SECTOR].fill(0);
        assert_eq!(check_bytes(&whole, true), Ok(first.len()));
    }

    #[test]
    fn a_last_batch_that_lacks_any_of_its_sectors_is_cut_off() {
        let first = encode(1, &[(b"a", b"1")]);
        let whole = [first.clone(), encode(2, &[(b"b", &[7; 4 * SECTOR])])].concat();
        let sectors = whole.len().div_ceil(SECTOR);
        // Any of them may be there and any missing; of the first one the part behind what was durable.
        for missing in 1..1 << sectors {
            let mut torn = whole.clone();
            for (at, byte) in torn.iter_mut().enumerate().skip(first.len()) {
                if missing & 1 << (at / SECTOR) != 0 {
                    *byte = 0;
                }
            }
            let end = torn
                .iter()
                .rposition(|byte| *byte != 0)
                .map_or(0, |at| at + 1);
            torn.truncate(end);
            assert_eq!(check_bytes(&torn, true), Ok(first.len()), "{missing:b}");
        }
    }

    #[test]
    fn every_flipped_bit_is_found_but_for_the_numbers_at_either_end() {
        let parts = batches();
        let whole = parts.concat();
        let last = whole.len() - parts[2].len();
        // A batch's number is not covered by the library's checksum: at either end of a journal there may be no
        // neighbour that it contradicts; and within a gap between numbers it keeps its place.
        let unchecked =
            |byte: usize| (5..13).contains(&byte) || (last + 5..last + 13).contains(&byte);
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let found = check_bytes(&flipped, true).is_err();
            assert!(found || unchecked(bit / 8), "bit {bit}");
        }
    }

    #[test]
    fn zeros_at_the_end_of_a_file_do_not_count() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut text = vec![0; CHUNK];
        text.extend(b"x");
        std::fs::write(file.path(), [text.as_slice(), &[0; 3 * CHUNK]].concat()).unwrap();
        assert_eq!(
            read_written(File::open(file.path()).unwrap()).unwrap(),
            text
        );
    }
}
