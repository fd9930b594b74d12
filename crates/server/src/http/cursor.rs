// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/cursor: where the next page of a listing starts. In: the end of a page. Out: a `layer/position`
//! cursor, and back. Bound: [`limits::CURSORS_MAX`]. Never lists anything. Read next: `worker.rs`.
//!
//! The 1.1 cursor is two numbers, our listings go by name. The position is the number of workers before the page; the
//! layer is a ticket for the name where the last page ended. A ticket that is forgotten (restart, many listings) costs
//! only exactness: the page is then found by counting, which moves when workers were made or deleted meanwhile.

use std::sync::{Mutex, MutexGuard, PoisonError};

use golem_model::ComponentId;
use golem_model::api::ScanCursor;

use crate::limits;

/// Where a page starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Start {
    /// After the worker of this name.
    After(String),
    /// After so many workers.
    Skip(u64),
}

/// The tickets that were given out last.
#[derive(Debug, Default)]
pub(crate) struct Cursors {
    tickets: Mutex<Tickets>,
}

#[derive(Debug, Default)]
struct Tickets {
    given: u64,
    ends: Vec<End>,
}

#[derive(Debug)]
struct End {
    ticket: u64,
    component: ComponentId,
    position: u64,
    name: String,
}

impl Cursors {
    /// The cursor of the page that follows `name`, the worker number `position` (from 1) of `component`.
    pub(crate) fn give(&self, component: ComponentId, position: u64, name: &str) -> ScanCursor {
        let mut tickets = self.lock();
        tickets.given += 1;
        let end = End {
            ticket: tickets.given,
            component,
            position,
            name: name.to_owned(),
        };
        let slot = slot(end.ticket);
        match tickets.ends.get_mut(slot) {
            Some(old) => *old = end,
            None => tickets.ends.push(end),
        }
        ScanCursor {
            cursor: position,
            layer: tickets.given,
        }
    }

    /// Where the page of `cursor` starts.
    pub(crate) fn start(&self, component: ComponentId, cursor: ScanCursor) -> Start {
        let tickets = self.lock();
        let known = tickets.ends.get(slot(cursor.layer));
        match known {
            Some(end)
                if end.ticket == cursor.layer
                    && end.component == component
                    && end.position == cursor.cursor =>
            {
                Start::After(end.name.clone())
            }
            _ => Start::Skip(cursor.cursor),
        }
    }

    /// A panic while the lock was held cannot leave half a ticket.
    fn lock(&self) -> MutexGuard<'_, Tickets> {
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tickets are 1, 2, 3, …: slot 0, 1, 2, … and again from 0.
fn slot(ticket: u64) -> usize {
    usize::try_from(ticket.saturating_sub(1) % limits::CURSORS_MAX as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_name_until_it_is_forgotten() {
        let (cursors, component) = (Cursors::default(), ComponentId::random());
        let first = cursors.give(component, 50, "m");
        assert_eq!(cursors.start(component, first), Start::After("m".into()));
        assert_eq!(cursors.start(ComponentId::random(), first), Start::Skip(50));
        assert_eq!(
            cursors.start(
                component,
                ScanCursor {
                    cursor: 51,
                    ..first
                }
            ),
            Start::Skip(51)
        );
        for _ in 1..limits::CURSORS_MAX {
            cursors.give(component, 7, "x");
        }
        assert_eq!(cursors.start(component, first), Start::After("m".into()));
        cursors.give(component, 7, "x");
        assert_eq!(cursors.start(component, first), Start::Skip(50));
    }

    #[test]
    fn a_cursor_of_another_server_counts() {
        let start = Cursors::default().start(
            ComponentId::random(),
            ScanCursor {
                cursor: 5,
                layer: 0,
            },
        );
        assert_eq!(start, Start::Skip(5));
    }
}
