// SPDX-License-Identifier: Apache-2.0
//! THE SHELVES / export: all that a store and its blobs keep, as one file, and back. In: a store that may be in use, or a file.
//! Out: a file of one moment, or a store that was empty and is like the first one. Never says that a cut or changed file is whole.
//! Bound: one record in memory, [`RECORD_BYTES_MAX`]. Read next: `export/format.rs`, `export/item.rs`. Format: docs/formats/export.md.

mod error;
mod format;
mod item;
#[cfg(test)]
mod tests;

use std::io::{Read, Write};
use std::ops::ControlFlow;

use golem_model::api::{Export, ExportHead, ExportTotals};
use golem_model::{LogId, OplogIndex, Timestamp};

use crate::blobs::Blobs;
use crate::store::{BATCH_BYTES_MAX, BATCH_OPS_MAX, Op, Store, StoreError};

pub use self::error::ExportError;
pub use self::format::{RECORD_BYTES_MAX, VERSION};
pub use self::item::Item;

use self::format::{Kind, Next, Reader, Record, Writer};

fn count(totals: &mut ExportTotals, item: &Item) {
    totals.records += 1;
    match item {
        Item::Op(Op::PutWorker { .. }) => totals.workers += 1,
        Item::Op(Op::Append { entries, .. }) => totals.entries += entries.len() as u64,
        _ => {}
    }
}

/// Writes everything that is committed when it begins to `out`; commits go on meanwhile. `program` and `created_at` go into
/// the head. Blobs that come later may be in the file as well, none that something in it names is missing.
///
/// Blocks. Errors: `Store` when something is damaged, `Write`. What was written then has no end, and is refused.
pub fn export(
    store: &dyn Store,
    blobs: &Blobs,
    program: &str,
    created_at: Timestamp,
    out: &mut dyn Write,
) -> Result<Export, ExportError> {
    let head = ExportHead {
        program: program.to_owned(),
        created_at,
        shards: store.shards(),
    };
    let mut writer = Writer::begin(out, &head)?;
    let mut totals = ExportTotals::default();
    let mut failed = None;
    store.visit(&mut |item| {
        let Some((kind, key, content)) = item.to_record(head.shards) else {
            return ControlFlow::Continue(());
        };
        count(&mut totals, &item);
        match writer.record(kind, &key, &content) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    // After the rows: a blob is kept before anything that names it is committed.
    for hash in blobs.list()? {
        let bytes = match blobs.get(&hash) {
            Ok(bytes) => bytes,
            // It was thrown away since it was listed: nothing names it.
            Err(StoreError::Io(_)) if !blobs.exists(&hash) => continue,
            Err(error) => return Err(error.into()),
        };
        totals.records += 1;
        totals.blobs += 1;
        writer.record(Kind::Blob, hash.as_bytes(), &bytes)?;
    }
    let (sha256, bytes) = writer.end(totals.records)?;
    totals.bytes = bytes;
    Ok(Export {
        sha256,
        head,
        totals,
    })
}

/// Reads a file to its end and believes none of it: checksums, order, what each record says.
///
/// Blocks. Errors: `NotAnExport`, `Version`, `Truncated`, `Damaged`, `Read`.
pub fn verify(input: &mut dyn Read) -> Result<Export, ExportError> {
    each(input, &mut |_| Ok(()))
}

/// Whether a store has nothing but catalogue rows of the kinds `own`, which a server makes at its start: `None`, or what it has, in
/// words. Errors: of the store.
pub fn first_content(store: &dyn Store, own: &[&str]) -> Result<Option<String>, StoreError> {
    let mut found = None;
    store.visit(&mut |item| {
        found = item.describe(own);
        match found {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    })?;
    Ok(found)
}

/// Puts everything that a file has into a store that is empty but for catalogue rows of the kinds `own`, and that nobody else
/// uses. Doing it again after it was broken off is fine: whoever calls it sees that nobody opens the store before it is done.
///
/// Blocks. Errors: those of [`verify`], `Shards`, `Store`.
pub fn import(
    input: &mut dyn Read,
    store: &dyn Store,
    blobs: &Blobs,
) -> Result<Export, ExportError> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    let done = each(input, &mut |part| {
        match part {
            Part::Head(head) if head.shards != store.shards() => {
                return Err(ExportError::Shards {
                    found: head.shards,
                    expected: store.shards(),
                });
            }
            Part::Head(_) => {}
            Part::Item(item) => {
                bytes += item.bytes();
                batch.push(item);
                if bytes >= BATCH_BYTES_MAX || batch.len() >= BATCH_OPS_MAX {
                    store.restore(&std::mem::take(&mut batch))?;
                    bytes = 0;
                }
            }
            Part::Blob(content) => drop(blobs.put(&content)?),
        }
        Ok(())
    })?;
    store.restore(&batch)?;
    Ok(done)
}

/// What a file gives, in order.
enum Part {
    Head(ExportHead),
    Item(Item),
    Blob(Vec<u8>),
}

/// Reads a file to its end; nothing that `take` gets is damaged, and the file has its end when this returns.
fn each(
    input: &mut dyn Read,
    take: &mut dyn FnMut(Part) -> Result<(), ExportError>,
) -> Result<Export, ExportError> {
    let (mut reader, head) = Reader::begin(input)?;
    take(Part::Head(head.clone()))?;
    let mut totals = ExportTotals::default();
    let mut next = None;
    loop {
        let record = match reader.record(totals.records)? {
            Next::Record(record) => record,
            Next::End { sha256 } => {
                totals.bytes = reader.bytes();
                return Ok(Export {
                    sha256,
                    head,
                    totals,
                });
            }
        };
        let damaged = |detail: String| ExportError::Damaged {
            at: record.at,
            detail,
        };
        let Record {
            kind, key, content, ..
        } = &record;
        if *kind == Kind::Blob {
            if crate::blobs::hash_of(content).as_bytes() != key.as_slice() {
                return Err(damaged("a blob has another hash than its name".into()));
            }
            totals.records += 1;
            totals.blobs += 1;
            take(Part::Blob(record.content))?;
            continue;
        }
        let item = Item::from_record(*kind, key, content).map_err(damaged)?;
        follows(&item, &mut next).map_err(damaged)?;
        count(&mut totals, &item);
        take(Part::Item(item))?;
    }
}

/// Whether an append continues its log: those of one log stand together. `next` is the log and the index that comes next.
fn follows(item: &Item, next: &mut Option<(LogId, OplogIndex)>) -> Result<(), String> {
    let Item::Op(Op::Append {
        log,
        first,
        entries,
    }) = item
    else {
        return Ok(());
    };
    let expected = match *next {
        Some((before, index)) if before == *log => index,
        _ => OplogIndex(1),
    };
    if *first != expected {
        return Err(format!(
            "log {:016x} goes on at index {first} instead of {expected}",
            log.0
        ));
    }
    *next = Some((*log, OplogIndex(first.0 + entries.len() as u64)));
    Ok(())
}
