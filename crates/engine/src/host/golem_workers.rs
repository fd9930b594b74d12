// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / golem_workers: the part of `golem:api/host@1.1.0` that looks at workers: what is known of one, and listings with
//! filters, page by page. In: ids, filters. Out: recorded metadata. Never changes a worker. Bound: [`WORKERS_PAGE`].
//! Read next: `golem_api.rs`. Source: client spec §4.6; runtime spec §2.8.

use golem_model::worker::WorkerStatus as Status;
use golem_model::{ComponentId, Value, WorkerId};
use uuid::Uuid as RawUuid;
use wasmtime::Result;
use wasmtime::component::Resource;

use super::calls::{Call, GET_WORKERS_NEXT, SELF_METADATA};
use super::durable::{Halt, input_hash};
use super::golem_api::{component_id, refused, wit_worker_id};
use super::state::{HostState, Linked};
use crate::error::{ComponentError, WorkerError};
use crate::node::WorkerView;
use crate::rpc::bindings::golem::api::host;
use crate::rpc::worker_urn;
use host::{WorkerAnyFilter, WorkerMetadata, WorkerStatus};

/// Workers that are listed at once.
const WORKERS_PAGE: usize = 100;

#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export this type, which `pub(crate)` forbids"
)]
pub mod listing {
    use super::{ComponentId, WorkerAnyFilter};

    /// A listing of workers that the guest goes through.
    pub struct GetWorkers {
        pub(super) component: ComponentId,
        pub(super) filter: Option<WorkerAnyFilter>,
        pub(super) after: Option<String>,
        pub(super) done: bool,
    }
}

use listing::GetWorkers;

impl HostState {
    /// What is known of a worker, recorded.
    pub(super) async fn metadata(
        &mut self,
        call: Call,
        worker: &WorkerId,
    ) -> Result<Option<WorkerMetadata>, Halt> {
        // A fork asks for itself where its origin has asked for itself.
        let input = if call == SELF_METADATA {
            0
        } else {
            input_hash(&[worker_urn(worker).as_bytes()])
        };
        let recorded = !self.is_unrecorded();
        if recorded && let Some(value) = self.journal()?.replayed(call, input)? {
            return metadata_option(&value);
        }
        self.go_live()?;
        let node = self.rpc.node();
        let found = match self.may_see(worker.component_id) {
            true => node.worker(worker).await,
            false => Err(WorkerError::NotFound(worker.clone())),
        };
        let view = match found {
            Ok(view) => Some(view),
            Err(WorkerError::NotFound(_) | WorkerError::Component(_)) => None,
            Err(error) => return Err(refused(&error)),
        };
        let value = Value::Option(view.map(|view| Box::new(metadata_value(&view))));
        if recorded {
            self.journal()?.record(call, input, &value)?;
        }
        metadata_option(&value)
    }
}

impl host::HostGetWorkers for Linked<'_> {
    async fn new(
        &mut self,
        id: host::ComponentId,
        filter: Option<WorkerAnyFilter>,
        _precise: bool,
    ) -> Result<Resource<GetWorkers>> {
        Ok(self.0.table.push(GetWorkers {
            component: component_id(id),
            filter,
            after: None,
            done: false,
        })?)
    }

    async fn get_next(
        &mut self,
        listing: Resource<GetWorkers>,
    ) -> Result<Option<Vec<WorkerMetadata>>> {
        let state = &mut *self.0;
        let (component, after, done) = {
            let listing = state.table.get(&listing)?;
            (listing.component, listing.after.clone(), listing.done)
        };
        if done {
            return Ok(None);
        }
        let input = input_hash(&[
            component.0.as_bytes(),
            after.clone().unwrap_or_default().as_bytes(),
        ]);
        let recorded = !state.is_unrecorded();
        let replayed = if recorded {
            state.journal()?.replayed(GET_WORKERS_NEXT, input)?
        } else {
            None
        };
        let page = match replayed {
            Some(page) => page,
            None => {
                state.go_live()?;
                let node = state.rpc.node();
                if !state.may_see(component) {
                    let absent = ComponentError::NotFound(component);
                    return Err(refused(&absent.into()).into());
                }
                let views = node
                    .workers(component, after.as_deref(), WORKERS_PAGE)
                    .await
                    .map_err(|error| refused(&error))?;
                let last = views.len() < WORKERS_PAGE;
                let next = views.last().map(|view| view.worker.worker_name.clone());
                let filter = &state.table.get(&listing)?.filter;
                let found = views
                    .iter()
                    .filter(|view| filter.as_ref().is_none_or(|filter| fits(view, filter)))
                    .map(metadata_value)
                    .collect();
                let next = next.map(|name| Box::new(Value::String(name)));
                let page = Value::Tuple(vec![
                    Value::List(found),
                    Value::Option(next),
                    Value::Bool(last),
                ]);
                if recorded {
                    state.journal()?.record(GET_WORKERS_NEXT, input, &page)?;
                }
                page
            }
        };
        let wrong = || Halt::InvalidRequest("a recorded listing has another type".into());
        let Value::Tuple(parts) = page else {
            return Err(wrong().into());
        };
        let [Value::List(found), Value::Option(next), Value::Bool(last)] = parts.as_slice() else {
            return Err(wrong().into());
        };
        let entry = state.table.get_mut(&listing)?;
        entry.done = *last;
        if let Some(Value::String(name)) = next.as_deref() {
            entry.after = Some(name.clone());
        }
        let found = found.iter().map(metadata_from).collect::<Option<Vec<_>>>();
        Ok(Some(found.ok_or_else(wrong)?))
    }

    async fn drop(&mut self, listing: Resource<GetWorkers>) -> Result<()> {
        self.0.table.delete(listing)?;
        Ok(())
    }
}

const STATUSES: [(Status, WorkerStatus); 7] = [
    (Status::Running, WorkerStatus::Running),
    (Status::Idle, WorkerStatus::Idle),
    (Status::Suspended, WorkerStatus::Suspended),
    (Status::Interrupted, WorkerStatus::Interrupted),
    (Status::Retrying, WorkerStatus::Retrying),
    (Status::Failed, WorkerStatus::Failed),
    (Status::Exited, WorkerStatus::Exited),
];

fn metadata_value(view: &WorkerView) -> Value {
    let text = |text: &String| Value::String(text.clone());
    let env = view.env.iter();
    let status = STATUSES.iter().position(|(own, _)| *own == view.status);
    Value::Tuple(vec![
        Value::Bytes(view.worker.component_id.0.as_bytes().to_vec()),
        text(&view.worker.worker_name),
        Value::List(view.args.iter().map(text).collect()),
        Value::List(
            env.map(|(name, value)| Value::Tuple(vec![text(name), text(value)]))
                .collect(),
        ),
        Value::Enum(status.and_then(|at| u32::try_from(at).ok()).unwrap_or(0)),
        Value::U64(view.component_version),
        Value::U64(view.retry_count),
    ])
}

fn metadata_option(value: &Value) -> Result<Option<WorkerMetadata>, Halt> {
    let wrong = || Halt::InvalidRequest("recorded metadata has another type".into());
    match value {
        Value::Option(None) => Ok(None),
        Value::Option(Some(value)) => metadata_from(value).map(Some).ok_or_else(wrong),
        _ => Err(wrong()),
    }
}

fn metadata_from(value: &Value) -> Option<WorkerMetadata> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        _ => None,
    };
    let Value::Tuple(parts) = value else {
        return None;
    };
    let [
        Value::Bytes(component),
        Value::String(name),
        Value::List(args),
        Value::List(env),
        Value::Enum(status),
        Value::U64(component_version),
        Value::U64(retry_count),
    ] = parts.as_slice()
    else {
        return None;
    };
    let component = ComponentId(RawUuid::from_slice(component).ok()?);
    let env = env.iter().map(|pair| match pair {
        Value::Tuple(pair) => match pair.as_slice() {
            [name, value] => Some((text(name)?, text(value)?)),
            _ => None,
        },
        _ => None,
    });
    Some(WorkerMetadata {
        worker_id: wit_worker_id(&WorkerId::new(component, name.clone())),
        args: args.iter().map(text).collect::<Option<_>>()?,
        env: env.collect::<Option<_>>()?,
        status: STATUSES.get(*status as usize)?.1,
        component_version: *component_version,
        retry_count: *retry_count,
    })
}

/// Whether a worker is one of those that a guest asks for: any of the groups, all of the conditions in it.
fn fits(view: &WorkerView, filter: &WorkerAnyFilter) -> bool {
    filter
        .filters
        .iter()
        .any(|all| all.filters.iter().all(|one| fits_one(view, one)))
}

fn fits_one(view: &WorkerView, filter: &host::WorkerPropertyFilter) -> bool {
    use host::WorkerPropertyFilter as Property;
    let rank = |status: Status| STATUSES.iter().position(|(own, _)| *own == status);
    match filter {
        Property::Name(filter) => texts(&view.worker.worker_name, filter.comparator, &filter.value),
        Property::Status(filter) => {
            let wanted = STATUSES.iter().position(|(_, wit)| *wit == filter.value);
            compare(&rank(view.status), filter.comparator, &wanted)
        }
        Property::Version(filter) => {
            compare(&view.component_version, filter.comparator, &filter.value)
        }
        Property::CreatedAt(filter) => {
            // The original compares milliseconds.
            compare(
                &(view.created_at.0 / 1_000),
                filter.comparator,
                &filter.value,
            )
        }
        Property::Env(filter) => view.env.iter().any(|(name, value)| {
            *name == filter.name && texts(value, filter.comparator, &filter.value)
        }),
    }
}

fn texts(found: &str, comparator: host::StringFilterComparator, wanted: &str) -> bool {
    use host::StringFilterComparator as Comparator;
    match comparator {
        Comparator::Equal => found == wanted,
        Comparator::NotEqual => found != wanted,
        Comparator::Like => found.contains(wanted),
        Comparator::NotLike => !found.contains(wanted),
    }
}

fn compare<T: Ord>(found: &T, comparator: host::FilterComparator, wanted: &T) -> bool {
    use host::FilterComparator as Comparator;
    match comparator {
        Comparator::Equal => found == wanted,
        Comparator::NotEqual => found != wanted,
        Comparator::GreaterEqual => found >= wanted,
        Comparator::Greater => found > wanted,
        Comparator::LessEqual => found <= wanted,
        Comparator::Less => found < wanted,
    }
}
