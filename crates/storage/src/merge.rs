// SPDX-License-Identifier: Apache-2.0
//! THE SHELVES / merge: leaves out of a batch what no reader could ever see. In: operations in order. Out: fewer of them
//! with the same effect. Never touches the disk after [`Marks::load`]. Read next: `committer.rs`.
//!
//! A batch is atomic, so only its end counts: appends that continue each other become one record, of several rows or
//! marks of a worker the last one stays, and a mark that the store has already (or has not) is not written again. With
//! that an invocation that begins and ends within one batch leaves no mark at all.

use std::collections::{HashMap, HashSet};

use golem_model::LogId;

use crate::store::{Op, Store, StoreError, Token};

/// Marks read at once by [`Marks::load`]: bounds the memory of one page.
const PAGE: usize = 4096;

/// The running marks that the store holds, kept in memory: the committer is their only writer.
#[derive(Default)]
pub(crate) struct Marks {
    set: HashSet<LogId>,
}

/// Where in the batch the last operation of each kind stands, per log.
#[derive(Default)]
struct Places {
    append: HashMap<LogId, usize>,
    row: HashMap<LogId, usize>,
    mark: HashMap<LogId, usize>,
}

impl Marks {
    /// Reads the marks of the shards of `tokens`. Errors: those of [`Store::scan_running`].
    pub(crate) fn load(store: &dyn Store, tokens: &[Token]) -> Result<Self, StoreError> {
        let mut set = HashSet::new();
        for token in tokens {
            let mut after = None;
            loop {
                let page = store.scan_running(token.shard, after, PAGE)?;
                after = page.last().map(|(_, log)| *log);
                set.extend(page.iter().map(|(_, log)| *log));
                if page.len() < PAGE {
                    break;
                }
            }
        }
        Ok(Self { set })
    }

    /// The batch to write for `ops`. Assumes that it will be written.
    pub(crate) fn merge(&mut self, ops: impl Iterator<Item = Op>) -> Vec<Op> {
        let mut places = Places::default();
        let mut batch: Vec<Option<Op>> = Vec::with_capacity(ops.size_hint().0);
        for mut op in ops {
            let here = batch.len();
            let replaced = match op {
                Op::Append { log, .. } => {
                    if let Some(earlier) = places.append.get(&log)
                        && let Some(Some(earlier)) = batch.get_mut(*earlier)
                        && earlier.is_continued_by(&op)
                    {
                        earlier.append(&mut op);
                        continue;
                    }
                    places.append.insert(log, here);
                    None
                }
                Op::PutWorker { log, .. } => places.row.insert(log, here),
                Op::SetRunning { log, .. } | Op::ClearRunning { log } => {
                    places.mark.insert(log, here)
                }
                Op::DropWorker { log, .. } => {
                    // What comes after it is refused by the store: it must not slip in before.
                    places.append.remove(&log);
                    places.row.remove(&log);
                    places.mark.remove(&log);
                    None
                }
                _ => None,
            };
            if let Some(earlier) = replaced.and_then(|place| batch.get_mut(place)) {
                *earlier = None;
            }
            batch.push(Some(op));
        }
        batch
            .into_iter()
            .flatten()
            .filter(|op| self.changes(op))
            .collect()
    }

    /// Whether `op` changes what the store holds, as far as marks go. Keeps the marks up to date.
    fn changes(&mut self, op: &Op) -> bool {
        match op {
            Op::SetRunning { log, .. } => self.set.insert(*log),
            Op::ClearRunning { log } => self.set.remove(log),
            Op::DropWorker { log, .. } => {
                self.set.remove(log);
                true
            }
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use golem_model::{ComponentId, OplogIndex, WorkerId};

    use super::*;

    const LOG: LogId = LogId(7);

    fn worker() -> WorkerId {
        WorkerId::new(
            ComponentId("00000000-0000-0000-0000-000000000001".parse().unwrap()),
            "w",
        )
    }
    fn append(first: u64, texts: &[&str]) -> Op {
        let entries = texts.iter().map(|t| t.as_bytes().to_vec()).collect();
        Op::Append {
            log: LOG,
            first: OplogIndex(first),
            entries,
        }
    }
    fn row(text: &str) -> Op {
        Op::PutWorker {
            worker: worker(),
            log: LOG,
            row: text.into(),
        }
    }
    fn set() -> Op {
        Op::SetRunning {
            worker: worker(),
            log: LOG,
        }
    }
    fn clear() -> Op {
        Op::ClearRunning { log: LOG }
    }
    fn drop_worker() -> Op {
        Op::DropWorker {
            worker: worker(),
            log: LOG,
        }
    }
    fn check(marks: &mut Marks, input: Vec<Op>, expect: &[Op]) {
        assert_eq!(marks.merge(input.into_iter()), expect);
    }

    #[test]
    fn appends_that_continue_each_other_become_one() {
        let marks = &mut Marks::default();
        check(
            marks,
            vec![append(1, &["a"]), row("r"), append(2, &["b", "c"])],
            &[append(1, &["a", "b", "c"]), row("r")],
        );
        // A gap is the engine's mistake: it stays visible, so that the store refuses it.
        check(
            marks,
            vec![append(1, &["a"]), append(3, &["b"])],
            &[append(1, &["a"]), append(3, &["b"])],
        );
    }

    #[test]
    fn the_last_row_and_the_last_mark_win() {
        let marks = &mut Marks::default();
        check(
            marks,
            vec![row("1"), set(), clear(), set(), row("2")],
            &[set(), row("2")],
        );
        // The store has the mark now.
        check(marks, vec![set()], &[]);
        check(marks, vec![clear(), set(), clear()], &[clear()]);
        check(marks, vec![set(), clear()], &[]);
    }

    #[test]
    fn nothing_moves_over_a_drop() {
        let marks = &mut Marks::default();
        let ops = vec![
            append(1, &["a"]),
            set(),
            row("1"),
            drop_worker(),
            append(2, &["b"]),
            row("2"),
        ];
        check(marks, ops.clone(), &ops);
    }
}
