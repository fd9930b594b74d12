// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / format: images as bytes. In: an image. Out: bytes that say whose they are and whether they are whole; and
//! back. Bytes that are damaged, foreign or of another version are refused, whatever they are. Bound: the largest memory
//! of a worker. Never touches an instance. Read next: `image.rs`. The layout: docs/formats/checkpoint.md.

use std::sync::Arc;

use golem_model::limit::Limit;
use golem_model::oplog::PersistenceLevel;
use golem_model::{ComponentId, Value, WorkerId};

use super::handles::{Held, SLOTS_MAX};
use super::image::{HeldHandle, HostImage, Image, MemoryImage, PAGE, PAGES_PER_WASM_PAGE, Run};
use super::instrument::INSTRUMENTATION;
use crate::limits::maximum_limit;
use crate::queue::Target;

/// First bytes of every image.
const MAGIC: [u8; 8] = *b"golemckp";
/// Version of the layout.
const VERSION: u16 = 1;
/// Bytes of the header.
const HEADER: usize = 64;
/// Pages are compressed in parts of this size: small enough to be given out early, large enough to compress well.
const PART: usize = 1 << 20;
/// Largest archive of files: twice what the files themselves may have, for names and attributes.
const FILES_MAX: usize = 32 << 20;
/// Most memories and globals of an image; a Go guest has one and twelve.
const ITEMS_MAX: usize = 4096;

/// Why bytes are no image that can be used. All of them mean: forget it and replay the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FormatError {
    /// The bytes are no image at all.
    #[error("these bytes are no checkpoint")]
    Foreign,
    /// The layout or the instrumentation is another.
    #[error("the checkpoint has version {found}, this program makes {expected}")]
    Version {
        /// Layout and instrumentation of the bytes.
        found: String,
        /// Those of this program.
        expected: String,
    },
    /// Checksums or sizes do not agree.
    #[error("the checkpoint is damaged: {0}")]
    Damaged(&'static str),
}

use FormatError::Damaged;

impl Image {
    /// The image as bytes. Takes about 1 ms per 2 MB of pages.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let about = self.about().to_bytes();
        let mut body = Vec::with_capacity(about.len() + self.bytes() / 2);
        put(&mut body, &about);
        for memory in &self.memories {
            pack(&mut body, &memory.data);
        }
        pack(&mut body, self.host.files.as_deref().unwrap_or_default());
        let mut out = Vec::with_capacity(HEADER + body.len());
        out.extend(MAGIC);
        out.extend(VERSION.to_le_bytes());
        out.extend(INSTRUMENTATION.to_le_bytes());
        out.extend([0; 4]);
        out.extend(self.component);
        out.extend((body.len() as u64).to_le_bytes());
        out.extend(checksum(&body).to_le_bytes());
        let header = checksum(&out);
        out.extend(header.to_le_bytes());
        out.extend(body);
        out
    }

    /// Reads an image. Errors: every variant of [`FormatError`].
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut rest = bytes;
        if take::<8>(&mut rest) != Ok(MAGIC) {
            return Err(FormatError::Foreign);
        }
        let version = u16::from_le_bytes(take(&mut rest)?);
        let instrumentation = u16::from_le_bytes(take(&mut rest)?);
        if (version, instrumentation) != (VERSION, INSTRUMENTATION) {
            return Err(FormatError::Version {
                found: format!("{version}.{instrumentation}"),
                expected: format!("{VERSION}.{INSTRUMENTATION}"),
            });
        }
        let _reserved: [u8; 4] = take(&mut rest)?;
        let component = take(&mut rest)?;
        let length = u64::from_le_bytes(take(&mut rest)?);
        let sum = u32::from_le_bytes(take(&mut rest)?);
        let header = u32::from_le_bytes(take(&mut rest)?);
        let covered = bytes.get(..HEADER - 4).unwrap_or_default();
        if checksum(covered) != header {
            return Err(Damaged("the header"));
        }
        if rest.len() as u64 != length || checksum(rest) != sum {
            return Err(Damaged("the body"));
        }
        let about = Value::from_bytes(part(&mut rest)?).map_err(|_| Damaged("the description"))?;
        let (mut image, files) = Self::from_about(component, &about)?;
        for memory in &mut image.memories {
            let memory = Arc::make_mut(memory);
            let pages: u64 = memory.runs.iter().map(|run| u64::from(run.count)).sum();
            // The runs lie in a memory of bounded size, so the number of bytes fits.
            memory.data = unpack(&mut rest, pages as usize * PAGE)?;
        }
        if let (length, Some(files)) = (files as usize, &mut image.host.files) {
            *files = unpack(&mut rest, length)?;
        }
        if !rest.is_empty() {
            return Err(Damaged("bytes follow it"));
        }
        Ok(image)
    }

    /// Everything but the pages, as a value of the log's encoding.
    fn about(&self) -> Value {
        let numbers =
            |numbers: &[u32]| Value::List(numbers.iter().copied().map(Value::U32).collect());
        let slots = self.slots.iter().map(|slot| {
            let slot = slot.as_ref().map(|handle| {
                let held = held_value(&handle.held);
                Box::new(Value::Tuple(vec![Value::U32(handle.resource), held]))
            });
            Value::Option(slot)
        });
        let memories = self.memories.iter().map(|memory| {
            let runs = memory.runs.iter().flat_map(|run| [run.first, run.count]);
            let runs: Vec<u32> = runs.collect();
            Value::Tuple(vec![Value::U32(memory.size), numbers(&runs)])
        });
        Value::Tuple(vec![
            Value::U64(self.host.clock),
            Value::U64(self.host.next_handle),
            Value::U64(self.host.lines),
            Value::List(self.globals.iter().copied().map(Value::U64).collect()),
            Value::List(slots.collect()),
            numbers(&self.free),
            Value::List(memories.collect()),
            Value::U32(self.host.persistence as u32),
            Value::Bool(self.host.idempotence),
            Value::Option(self.host.files.as_ref().map(|files| {
                // An archive of files has at most 16 MiB and a bit.
                Box::new(Value::U32(files.len() as u32))
            })),
        ])
    }

    /// The image without pages and files, and the length of the files.
    fn from_about(component: [u8; 32], about: &Value) -> Result<(Self, u32), FormatError> {
        let Value::Tuple(parts) = about else {
            return Err(Damaged("the description"));
        };
        let [
            Value::U64(clock),
            Value::U64(next_handle),
            Value::U64(lines),
            globals,
            slots,
            free,
            memories,
            Value::U32(persistence),
            Value::Bool(idempotence),
            Value::Option(files),
        ] = parts.as_slice()
        else {
            return Err(Damaged("the description"));
        };
        let globals = list(globals, ITEMS_MAX, |value| match value {
            Value::U64(bits) => Ok(*bits),
            _ => Err(Damaged("a global")),
        })?;
        let slots = list(slots, SLOTS_MAX, |value| match value {
            Value::Option(None) => Ok(None),
            Value::Option(Some(handle)) => match handle.as_ref() {
                Value::Tuple(parts) => match parts.as_slice() {
                    [Value::U32(resource), held] => Ok(Some(HeldHandle {
                        resource: *resource,
                        held: held_of(held).ok_or(Damaged("a handle"))?,
                    })),
                    _ => Err(Damaged("a handle")),
                },
                _ => Err(Damaged("a handle")),
            },
            _ => Err(Damaged("a handle")),
        })?;
        let memories = list(memories, ITEMS_MAX, |value| match value {
            Value::Tuple(parts) => match parts.as_slice() {
                [Value::U32(size), runs] => Ok(Arc::new(memory(*size, runs)?)),
                _ => Err(Damaged("a memory")),
            },
            _ => Err(Damaged("a memory")),
        })?;
        let persistence = i32::try_from(*persistence).unwrap_or(-1);
        let persistence = PersistenceLevel::try_from(persistence);
        let files = files.as_deref().map(number).transpose()?;
        if files.unwrap_or(0) as usize > FILES_MAX {
            return Err(Damaged("the size of the files"));
        }
        let image = Self {
            component,
            memories,
            globals,
            slots,
            free: list(free, SLOTS_MAX, number)?,
            host: HostImage {
                clock: *clock,
                next_handle: *next_handle,
                lines: *lines,
                persistence: persistence.map_err(|_| Damaged("the persistence level"))?,
                idempotence: *idempotence,
                files: files.map(|_| Vec::new()),
            },
        };
        Ok((image, files.unwrap_or(0)))
    }
}

/// A memory without its pages.
fn memory(size: u32, runs: &Value) -> Result<MemoryImage, FormatError> {
    let most = usize::try_from(maximum_limit(Limit::Memory)).unwrap_or(usize::MAX) / PAGE;
    if size as usize > most / PAGES_PER_WASM_PAGE as usize {
        return Err(Damaged("the size of a memory"));
    }
    let numbers = list(runs, most + 1, number)?;
    let (pairs, odd) = numbers.as_chunks::<2>();
    let mut end = 0;
    let mut runs = Vec::new();
    for [first, count] in pairs {
        let behind = first.checked_add(*count);
        let behind = behind.filter(|behind| *behind <= size * PAGES_PER_WASM_PAGE);
        match behind {
            Some(behind) if *first >= end && *count > 0 => end = behind,
            _ => return Err(Damaged("the pages of a memory")),
        }
        runs.push(Run {
            first: *first,
            count: *count,
        });
    }
    if !odd.is_empty() {
        return Err(Damaged("the pages of a memory"));
    }
    Ok(MemoryImage {
        size,
        runs,
        data: Vec::new(),
    })
}

fn number(value: &Value) -> Result<u32, FormatError> {
    match value {
        Value::U32(number) => Ok(*number),
        _ => Err(Damaged("a number")),
    }
}

fn list<T>(
    value: &Value,
    most: usize,
    item: impl Fn(&Value) -> Result<T, FormatError>,
) -> Result<Vec<T>, FormatError> {
    match value {
        Value::List(items) if items.len() <= most => items.iter().map(item).collect(),
        _ => Err(Damaged("a list")),
    }
}

/// A handle: a tag that is never used again, and what it needs.
fn held_value(held: &Held) -> Value {
    let (tag, more) = match held {
        Held::Stdin => (0, None),
        Held::Stdout => (1, None),
        Held::Stderr => (2, None),
        Held::Preopen(number) => (3, Some(Value::U32(*number))),
        Held::Stub { target, .. } => (4, Some(target_value(target))),
        Held::Rpc(target) => (5, Some(target_value(target))),
        // Never in an image: `capture` refuses it, and reading it back is refused too.
        Held::Passing(_) => (255, None),
    };
    Value::Tuple([Value::U8(tag)].into_iter().chain(more).collect())
}

fn held_of(value: &Value) -> Option<Held> {
    let Value::Tuple(parts) = value else {
        return None;
    };
    Some(match parts.as_slice() {
        [Value::U8(0)] => Held::Stdin,
        [Value::U8(1)] => Held::Stdout,
        [Value::U8(2)] => Held::Stderr,
        [Value::U8(3), Value::U32(number)] => Held::Preopen(*number),
        [Value::U8(4), target] => Held::Stub {
            number: 0,
            target: target_of(target)?,
        },
        [Value::U8(5), target] => Held::Rpc(target_of(target)?),
        _ => return None,
    })
}

fn target_value(target: &Target) -> Value {
    let id = Value::Bytes(target.component().0.as_bytes().to_vec());
    let name = target
        .worker()
        .map(|worker| Box::new(Value::String(worker.worker_name.clone())));
    Value::Tuple(vec![id, Value::Option(name)])
}

fn target_of(value: &Value) -> Option<Target> {
    let Value::Tuple(parts) = value else {
        return None;
    };
    let [Value::Bytes(id), Value::Option(name)] = parts.as_slice() else {
        return None;
    };
    let id = ComponentId(uuid::Uuid::from_slice(id).ok()?);
    Some(match name.as_deref() {
        None => Target::Ephemeral(id),
        Some(Value::String(name)) => Target::Worker(WorkerId::new(id, name.clone())),
        Some(_) => return None,
    })
}

/// Appends `data` in compressed parts.
fn pack(out: &mut Vec<u8>, data: &[u8]) {
    for part in data.chunks(PART) {
        put(out, &lz4_flex::block::compress(part));
    }
}

/// Reads the parts of `total` bytes. What they claim to be is never trusted: memory is taken part by part.
fn unpack(rest: &mut &[u8], total: usize) -> Result<Vec<u8>, FormatError> {
    let mut data = Vec::new();
    while data.len() < total {
        let from = data.len();
        let length = PART.min(total - from);
        let packed = part(rest)?;
        data.resize(from + length, 0);
        let into = data.get_mut(from..).unwrap_or_default();
        let found = lz4_flex::block::decompress_into(packed, into);
        if found.ok() != Some(length) {
            return Err(Damaged("compressed bytes"));
        }
    }
    Ok(data)
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    // Descriptions and parts stay far below 4 GiB: a memory of 512 MiB has 131,072 pages.
    out.extend((bytes.len() as u32).to_le_bytes());
    out.extend(bytes);
}

fn part<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], FormatError> {
    let length = u32::from_le_bytes(take(rest)?) as usize;
    let (part, behind) = rest
        .split_at_checked(length)
        .ok_or(Damaged("it ends early"))?;
    *rest = behind;
    Ok(part)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], FormatError> {
    let (bytes, behind) = rest
        .split_first_chunk::<N>()
        .ok_or(Damaged("it ends early"))?;
    *rest = behind;
    Ok(*bytes)
}

pub(super) fn checksum(bytes: &[u8]) -> u32 {
    // The algorithm gives 32 bits in a wider number.
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn image() -> Image {
        let mut memory = MemoryImage {
            size: 3,
            ..MemoryImage::default()
        };
        let mut bytes = vec![0; 3 * 16 * PAGE];
        bytes[PAGE..2 * PAGE].fill(7);
        bytes[40 * PAGE + 5] = 1;
        memory.add(0, &bytes);
        let component = ComponentId(uuid::Uuid::from_u128(5));
        let target = Target::Worker(WorkerId::new(component, "a".to_owned()));
        let held = |resource, held| Some(HeldHandle { resource, held });
        Image {
            component: [9; 32],
            memories: vec![Arc::new(memory), Arc::default()],
            globals: vec![1, u64::MAX],
            slots: vec![
                held(0, Held::Stdin),
                held(1, Held::Stdout),
                None,
                held(1, Held::Stderr),
                held(2, Held::Preopen(1)),
                held(3, Held::Stub { number: 0, target }),
                held(4, Held::Rpc(Target::Ephemeral(component))),
            ],
            free: vec![3],
            host: HostImage {
                clock: 1,
                next_handle: 2,
                lines: 3,
                persistence: PersistenceLevel::Nothing,
                idempotence: false,
                files: Some(vec![5; 3000]),
            },
        }
    }

    #[test]
    fn an_image_comes_back_as_it_was() {
        let bytes = image().to_bytes();
        assert_eq!(Image::from_bytes(&bytes), Ok(image()));
    }

    /// On disk for ever: a change of these bytes needs another version.
    #[test]
    fn the_header_is_the_one_of_the_documentation() {
        let bytes = image().to_bytes();
        let hex: String = bytes[..48].iter().map(|b| format!("{b:02x}")).collect();
        let component = "09".repeat(32);
        assert_eq!(hex, format!("676f6c656d636b700100010000000000{component}"));
        let length = u64::from_le_bytes(bytes[48..56].try_into().unwrap());
        assert_eq!(length as usize, bytes.len() - HEADER);
        assert_eq!(&bytes[56..60], checksum(&bytes[HEADER..]).to_le_bytes());
        assert_eq!(&bytes[60..64], checksum(&bytes[..60]).to_le_bytes());
        // The description: a tuple of ten that begins with the clock.
        assert_eq!(
            &bytes[HEADER + 4..HEADER + 6],
            &image().about().to_bytes()[..2]
        );
    }

    #[test]
    fn another_version_and_foreign_bytes_are_told_apart() {
        let mut bytes = image().to_bytes();
        bytes[8] = 2;
        assert!(matches!(
            Image::from_bytes(&bytes),
            Err(FormatError::Version { .. })
        ));
        assert_eq!(Image::from_bytes(b"hello"), Err(FormatError::Foreign));
        assert_eq!(Image::from_bytes(b""), Err(FormatError::Foreign));
    }

    proptest! {
        #[test]
        fn a_flipped_bit_is_found(place in 0usize..100_000, bit in 0u8..8) {
            let mut bytes = image().to_bytes();
            let at = place % bytes.len();
            bytes[at] ^= 1 << bit;
            prop_assert!(Image::from_bytes(&bytes).is_err());
        }

        #[test]
        fn a_part_of_an_image_is_none(keep in 0usize..100_000) {
            let bytes = image().to_bytes();
            prop_assert!(Image::from_bytes(&bytes[..keep % bytes.len()]).is_err());
        }

        /// Past the checksums: whatever the body says, it is refused or read, never a panic.
        #[test]
        fn a_body_with_right_checksums_is_no_danger(
            place in 0usize..400,
            byte in any::<u8>(),
        ) {
            let mut bytes = image().to_bytes();
            let at = HEADER + place % (bytes.len() - HEADER);
            bytes[at] = byte;
            let sum = checksum(&bytes[HEADER..]).to_le_bytes();
            bytes[56..60].copy_from_slice(&sum);
            let sum = checksum(&bytes[..60]).to_le_bytes();
            bytes[60..64].copy_from_slice(&sum);
            if let Ok(image) = Image::from_bytes(&bytes) {
                prop_assert_eq!(Image::from_bytes(&image.to_bytes()), Ok(image));
            }
        }
    }
}
