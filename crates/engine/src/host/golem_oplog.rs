// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / golem_oplog: `golem:api/oplog@1.1.0`: a guest reads or searches the log of a worker, its own included. In: a worker
//! and a place or a query. Out: pages of entries, recorded, so that a replay shows what was there then. Bounds:
//! [`PAGE_ENTRIES`], [`PAGE_BYTES`]. Never changes a log. Read next: `golem_oplog/entry.rs`, `../node/public.rs`.
//! Source: client spec §4.6.

use golem_model::public_oplog::PublicOplogEntry;
use golem_model::query::Query;
use golem_model::{ComponentVersion, OplogIndex, Value, WorkerId};
use wasmtime::Result;
use wasmtime::component::{Linker, Resource};

use super::calls::{Call, GET_OPLOG_NEXT, SEARCH_OPLOG_NEXT};
use super::durable::{Halt, input_hash};
use super::golem_api::worker_id;
use super::recorded::unreadable;
use super::state::{HasLinked, HostState, Linked};
use crate::checkpoint::Held;
use crate::error::WorkerError;
use crate::node::OplogPage;
use crate::rpc::bindings::golem::api::host::{OplogIndex as Index, WorkerId as WitWorkerId};
use crate::rpc::bindings::golem::api::oplog;
use crate::rpc::worker_urn;
use entry::wit_entry;
use oplog::OplogEntry;

mod entry;
#[cfg(test)]
mod tests;

/// Most entries of a page: what Golem 1.1 reads at once.
const PAGE_ENTRIES: usize = 100;
/// Bytes of entries, as JSON, behind which a page ends: a byte of a value becomes a node of some forty bytes on its way into
/// the guest, which has to find room for all of them.
const PAGE_BYTES: usize = 256 << 10;

#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export these types, which `pub(crate)` forbids"
)]
pub mod listing {
    use super::Place;

    /// A log that the guest reads.
    pub struct GetOplog(pub(super) Place);
    /// A log that the guest searches.
    pub struct SearchOplog(pub(super) Place);
}

use listing::{GetOplog, SearchOplog};

/// Where a guest is in a log.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    worker: WorkerId,
    /// The text of the query and what it means.
    query: Option<(String, Query)>,
    /// Where the next page starts.
    next: OplogIndex,
    /// The version that runs there, if the page before said so.
    version: Option<ComponentVersion>,
    /// The last entry when the first page was read: recording a page makes an entry, so without it a worker that reads its
    /// own log would never come to the end.
    end: Option<OplogIndex>,
    done: bool,
}

/// What is recorded of a page.
#[derive(Debug, PartialEq)]
struct Page {
    /// Indexes and entries as JSON.
    entries: Vec<(u64, String)>,
    /// Where the next page starts, and the version that runs there.
    next: Option<(u64, Option<ComponentVersion>)>,
    /// Where the reading ends.
    end: u64,
}

/// Adds `golem:api/oplog` to `linker`.
pub(crate) fn link_golem_oplog(linker: &mut Linker<HostState>) -> Result<()> {
    oplog::add_to_linker::<HostState, HasLinked>(linker, |state| Linked(state))
}

impl Place {
    fn new(worker: WorkerId, next: OplogIndex) -> Self {
        Self {
            worker,
            query: None,
            next,
            version: None,
            end: None,
            done: false,
        }
    }

    /// Goes behind a page.
    fn pass(&mut self, page: &Page) {
        self.end = Some(OplogIndex(page.end));
        self.done = true;
        if let Some((next, version)) = page.next {
            self.next = OplogIndex(next);
            self.version = version;
            self.done = next > page.end;
        }
    }
}

impl Page {
    /// The part of what was read that fits in a page and does not lie behind `end`.
    fn of(read: OplogPage, end: Option<OplogIndex>) -> Result<Self, Halt> {
        let end = end.unwrap_or(read.last);
        let mut next = read.next.map(|(index, version)| (index.0, Some(version)));
        let (mut entries, mut bytes) = (Vec::new(), 0);
        for (index, entry) in read.entries {
            if index > end {
                next = None;
                break;
            }
            let text = serde_json::to_string(&entry)
                .map_err(|error| Halt::InvalidRequest(format!("entry {index}: {error}")))?;
            bytes += text.len();
            if bytes > PAGE_BYTES && !entries.is_empty() {
                next = Some((index.0, None));
                break;
            }
            entries.push((index.0, text));
        }
        Ok(Self {
            entries,
            next,
            end: end.0,
        })
    }

    fn to_value(&self) -> Value {
        let entries = self.entries.iter();
        let entries = entries
            .map(|(index, text)| {
                Value::Tuple(vec![Value::U64(*index), Value::String(text.clone())])
            })
            .collect();
        let next = self.next.map(|(next, version)| {
            let version = version.map(|version| Box::new(Value::U64(version)));
            Box::new(Value::Tuple(vec![Value::U64(next), Value::Option(version)]))
        });
        Value::Tuple(vec![
            Value::List(entries),
            Value::Option(next),
            Value::U64(self.end),
        ])
    }

    fn from_value(value: Value) -> Option<Self> {
        let parts = |value: Value| match value {
            Value::Tuple(parts) => Some(parts),
            _ => None,
        };
        let [Value::List(entries), Value::Option(next), Value::U64(end)] =
            <[Value; 3]>::try_from(parts(value)?).ok()?
        else {
            return None;
        };
        let entries =
            entries
                .into_iter()
                .map(|entry| match <[Value; 2]>::try_from(parts(entry)?).ok()? {
                    [Value::U64(index), Value::String(text)] => Some((index, text)),
                    _ => None,
                });
        let next = match next {
            None => None,
            Some(next) => match parts(*next)?.as_slice() {
                [Value::U64(next), Value::Option(version)] => match version.as_deref() {
                    None => Some((*next, None)),
                    Some(Value::U64(version)) => Some((*next, Some(*version))),
                    Some(_) => return None,
                },
                _ => return None,
            },
        };
        Some(Self {
            entries: entries.collect::<Option<_>>()?,
            next,
            end,
        })
    }
}

impl HostState {
    /// The page at `place`, from the log of this worker or from that of the other.
    async fn oplog_page(&mut self, call: Call, place: &Place) -> Result<Page, Halt> {
        let text = place.query.as_ref().map_or("", |(text, _)| text.as_str());
        let input = input_hash(&[
            worker_urn(&place.worker).as_bytes(),
            &place.next.0.to_le_bytes(),
            text.as_bytes(),
        ]);
        if let Some(recorded) = self.replayed_answer(call, input)? {
            return Page::from_value(recorded).ok_or_else(|| unreadable(call).into());
        }
        self.go_live()?;
        // What the guest has done so far is in its log.
        self.written().await?;
        let node = self.rpc.node();
        let query = place.query.as_ref().map(|(_, query)| query);
        let read = if self.may_see(place.worker.component_id) {
            node.public_oplog(
                &place.worker,
                place.next,
                place.version,
                PAGE_ENTRIES,
                query,
            )
            .await
        } else {
            Err(WorkerError::NotFound(place.worker.clone()))
        };
        let read = match read {
            Ok(read) => read,
            // A worker that does not exist has no entries.
            Err(WorkerError::NotFound(_) | WorkerError::Component(_)) => OplogPage {
                entries: Vec::new(),
                next: None,
                last: OplogIndex(0),
            },
            Err(error) => return Err(Halt::InvalidRequest(error.to_string())),
        };
        let page = Page::of(read, place.end)?;
        self.record_answer(call, input, page.to_value(), Vec::new())?;
        Ok(page)
    }
}

/// The entries of a page, as the guest gets them: from what is recorded, so that a replay cannot differ.
fn entries(call: Call, page: Page) -> Result<Option<Vec<(Index, OplogEntry)>>, Halt> {
    if page.entries.is_empty() {
        return Ok(None);
    }
    let entries = page.entries.into_iter().map(|(index, text)| {
        let entry: PublicOplogEntry =
            serde_json::from_str(&text).map_err(|_| Halt::from(unreadable(call)))?;
        Ok((index, wit_entry(entry)))
    });
    entries.collect::<Result<_, _>>().map(Some)
}

impl oplog::Host for Linked<'_> {}

impl oplog::HostGetOplog for Linked<'_> {
    async fn new(&mut self, worker: WitWorkerId, start: Index) -> Result<Resource<GetOplog>> {
        // The first entry of a log is number 1.
        let place = Place::new(worker_id(&worker), OplogIndex(start.max(1)));
        let listing = self.0.table.push(GetOplog(place))?;
        let held = Held::Passing("reading of an oplog");
        self.0.mirror.insert(held, listing.rep());
        Ok(listing)
    }

    async fn get_next(&mut self, listing: Resource<GetOplog>) -> Result<Option<Vec<OplogEntry>>> {
        let place = self.0.table.get(&listing)?.0.clone();
        if place.done {
            return Ok(None);
        }
        let page = self.0.oplog_page(GET_OPLOG_NEXT, &place).await?;
        self.0.table.get_mut(&listing)?.0.pass(&page);
        let found = entries(GET_OPLOG_NEXT, page)?;
        Ok(found.map(|found| found.into_iter().map(|(_, entry)| entry).collect()))
    }

    async fn drop(&mut self, listing: Resource<GetOplog>) -> Result<()> {
        self.0.mirror.remove(listing.rep());
        self.0.table.delete(listing)?;
        Ok(())
    }
}

impl oplog::HostSearchOplog for Linked<'_> {
    async fn new(&mut self, worker: WitWorkerId, text: String) -> Result<Resource<SearchOplog>> {
        let query = text
            .parse::<Query>()
            .map_err(|error| Halt::InvalidRequest(error.to_string()))?;
        let mut place = Place::new(worker_id(&worker), OplogIndex(1));
        place.query = Some((text, query));
        let listing = self.0.table.push(SearchOplog(place))?;
        let held = Held::Passing("search of an oplog");
        self.0.mirror.insert(held, listing.rep());
        Ok(listing)
    }

    async fn get_next(
        &mut self,
        listing: Resource<SearchOplog>,
    ) -> Result<Option<Vec<(Index, OplogEntry)>>> {
        let place = self.0.table.get(&listing)?.0.clone();
        if place.done {
            return Ok(None);
        }
        let page = self.0.oplog_page(SEARCH_OPLOG_NEXT, &place).await?;
        self.0.table.get_mut(&listing)?.0.pass(&page);
        Ok(entries(SEARCH_OPLOG_NEXT, page)?)
    }

    async fn drop(&mut self, listing: Resource<SearchOplog>) -> Result<()> {
        self.0.mirror.remove(listing.rep());
        self.0.table.delete(listing)?;
        Ok(())
    }
}
