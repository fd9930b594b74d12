// SPDX-License-Identifier: Apache-2.0
//! THE SHELVES / export item: one thing that a store keeps, as a record of a file and back. In: operations and rows. Out: key and
//! content, laid out as in docs/formats/store.md. Never touches a store. Read next: `../store.rs` (`visit`, `restore`).

use golem_model::{IdempotencyKey, ShardId};

use super::format::Kind;
use crate::fjall::layout::{self, Space};
use crate::store::{CatalogRow, KvSpace, Op, StoredResult};

/// One thing that a store keeps, as one backend gives it to another.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// The highest shard epoch: logs that are made from now on must have a higher one.
    Epoch(u64),
    /// The operation that makes a row, a mark, a part of a log, a result, a timer or a keyed value. Never one that removes.
    Op(Op),
    /// A row of the catalogue, with its revision.
    Catalog {
        /// Its kind.
        kind: String,
        /// The row.
        row: CatalogRow,
    },
}

impl Item {
    /// Bytes that it carries, about.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Epoch(_) => size_of::<u64>(),
            Self::Op(op) => op.bytes(),
            Self::Catalog { kind, row } => kind.len() + row.key.len() + row.value.len(),
        }
    }

    /// What it is, in words, unless it is a catalogue row of one of the kinds `own` or the epoch, which every store has.
    pub(super) fn describe(&self, own: &[&str]) -> Option<String> {
        match self {
            Self::Epoch(_) => None,
            Self::Catalog { kind, .. } if own.contains(&kind.as_str()) => None,
            Self::Catalog { kind, .. } => Some(format!("a {kind} in the catalogue")),
            Self::Op(op) => Some(match op {
                Op::PutWorker { worker, .. } | Op::SetRunning { worker, .. } => {
                    format!("worker `{}`", worker.worker_name)
                }
                Op::AddTimer { timer } => format!("a timer of `{}`", timer.worker.worker_name),
                Op::PutKv { .. } => "a keyed value".to_owned(),
                _ => "the log of a worker".to_owned(),
            }),
        }
    }

    /// Space, key and content as the embedded store keeps them; `None` for an operation that is no thing.
    pub(crate) fn to_row(&self, shards: u16) -> Option<(Space, Vec<u8>, Vec<u8>)> {
        Some(match self {
            Self::Epoch(epoch) => (
                Space::Sys,
                layout::EPOCH_KEY.to_vec(),
                epoch.to_be_bytes().to_vec(),
            ),
            Self::Catalog { kind, row } => (
                Space::Catalog,
                layout::catalog_key(kind, &row.key),
                layout::catalog_row(row.revision, &row.value),
            ),
            Self::Op(op) => match op {
                Op::Append {
                    log,
                    first,
                    entries,
                } => (
                    Space::Oplog,
                    layout::oplog_key(*log, *first).to_vec(),
                    layout::oplog_record(entries),
                ),
                Op::PutWorker { worker, log, row } => (
                    Space::Worker,
                    layout::worker_key(worker),
                    layout::worker_row(*log, row),
                ),
                Op::SetRunning { worker, log } => (
                    Space::Running,
                    layout::log_key(*log).to_vec(),
                    layout::worker_key(worker),
                ),
                Op::PutResult {
                    log,
                    key,
                    accepted,
                    finished,
                } => {
                    let result = StoredResult {
                        accepted: *accepted,
                        finished: *finished,
                    };
                    (
                        Space::Result,
                        layout::result_key(*log, key),
                        layout::result_row(result),
                    )
                }
                Op::AddTimer { timer } => {
                    let shard = ShardId::of(&timer.worker, shards);
                    (
                        Space::Timer,
                        layout::timer_key(shard, timer.due, timer.id),
                        layout::timer_row(timer),
                    )
                }
                Op::PutKv { space, key, value } => {
                    (Space::Kv, layout::kv_key(*space, key), value.clone())
                }
                Op::DropWorker { .. }
                | Op::ClearRunning { .. }
                | Op::DelResult { .. }
                | Op::DelTimer { .. }
                | Op::DelKv { .. } => return None,
            },
        })
    }

    /// The thing that stands under `key` in `space`; `None` when it does not parse.
    pub(crate) fn from_row(space: Space, key: &[u8], content: &[u8]) -> Option<Self> {
        Some(match space {
            Space::Oplog => {
                let (log, first) = layout::parse_oplog_key(key)?;
                let entries = layout::record_entries(content).ok()?;
                let entries = entries.map(|entry| entry.map(<[u8]>::to_vec));
                Self::Op(Op::Append {
                    log,
                    first,
                    entries: entries.collect::<Result<_, _>>().ok()?,
                })
            }
            Space::Worker => {
                let (log, row) = layout::parse_worker_row(content)?;
                let worker = layout::parse_worker_key(key)?;
                Self::Op(Op::PutWorker { worker, log, row })
            }
            Space::Running => Self::Op(Op::SetRunning {
                worker: layout::parse_worker_key(content)?,
                log: layout::parse_log_key(key)?,
            }),
            Space::Result => {
                let StoredResult { accepted, finished } = layout::parse_result(content)?;
                let log = layout::parse_log_key(key)?;
                let key = std::str::from_utf8(key.get(size_of::<u64>()..)?).ok()?;
                Self::Op(Op::PutResult {
                    log,
                    key: IdempotencyKey(key.into()),
                    accepted,
                    finished,
                })
            }
            Space::Timer => Self::Op(Op::AddTimer {
                timer: layout::parse_timer(key, content)?,
            }),
            Space::Kv => {
                let (number, key) = key.split_first()?;
                Self::Op(Op::PutKv {
                    space: KvSpace::of(*number)?,
                    key: key.to_vec(),
                    value: content.to_vec(),
                })
            }
            Space::Catalog => {
                let (length, rest) = key.split_first()?;
                let (kind, key) = rest.split_at_checked(usize::from(*length))?;
                let (revision, value) = layout::parse_catalog_row(content)?;
                Self::Catalog {
                    kind: std::str::from_utf8(kind).ok()?.to_owned(),
                    row: CatalogRow {
                        key: key.to_vec(),
                        revision,
                        value,
                    },
                }
            }
            Space::Sys => {
                Self::Epoch(layout::parse_u64(content).filter(|_| key == layout::EPOCH_KEY)?)
            }
        })
    }

    /// The record of a file.
    pub(super) fn to_record(&self, shards: u16) -> Option<(Kind, Vec<u8>, Vec<u8>)> {
        let (space, key, content) = self.to_row(shards)?;
        Some((kind_of(space), key, content))
    }

    /// The thing of a record. Errors: how it does not parse. What follows from the content is not taken from the key.
    pub(super) fn from_record(kind: Kind, key: &[u8], content: &[u8]) -> Result<Self, String> {
        let space = Space::ALL.into_iter().find(|space| kind_of(*space) == kind);
        space
            .and_then(|space| Self::from_row(space, key, content))
            .ok_or_else(|| format!("a record of kind {kind:?} does not parse"))
    }
}

fn kind_of(space: Space) -> Kind {
    match space {
        Space::Oplog => Kind::Oplog,
        Space::Worker => Kind::Worker,
        Space::Running => Kind::Running,
        Space::Timer => Kind::Timer,
        Space::Result => Kind::Result,
        Space::Kv => Kind::Kv,
        Space::Catalog => Kind::Catalog,
        Space::Sys => Kind::Epoch,
    }
}
