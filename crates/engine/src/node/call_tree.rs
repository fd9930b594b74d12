// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / node/call_tree: the calls that one invocation has made, and those that these have made, across workers, read from
//! their logs. In: a worker, an invocation of it, who may see what. Out: a tree. Bounds: [`CALL_NODES_MAX`], [`CALL_DEPTH_MAX`],
//! [`ENTRIES_MAX`], [`TIMERS_MAX`]. Reads what is durable; wakes nobody. Read next: `../oplog/past.rs`. Why: ADR 0003, ADR 0015.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use golem_model::api::{CallHow, CallLeaf, CallNode, CallOutcome, CallTree};
use golem_model::error::Coded as _;
use golem_model::oplog::Failed;
use golem_model::timer::{Action, TimerAction};
use golem_model::urn::{ComponentRef, WorkerUrn};
use golem_model::worker::WorkerRow;
use golem_model::{ComponentId, IdempotencyKey, Namespace, OplogIndex, Timestamp, WorkerId};
use golem_storage::StoreError;

use super::Node;
use crate::alive::failed_error;
use crate::error::{Failure, WorkerError};
use crate::host::calls::{RPC_ASYNC_INVOKE_AND_AWAIT, RPC_INVOKE};
use crate::oplog::past::{Budget, CallEnded, CallEntry, Past, Place, Run, RunEnd};
use crate::rpc::{RpcError, worker_urn};

/// Most invocations in a tree: what a person looks at, and what one answer holds.
pub const CALL_NODES_MAX: usize = 1_000;
/// Most levels below the root: readers of JSON take 128 brackets within each other, and a level has two.
pub const CALL_DEPTH_MAX: usize = 32;
/// Entries of logs that are read for one tree: about a second of work.
const ENTRIES_MAX: u64 = 200_000;
/// Timers among which one is looked for that is to start an invocation.
const TIMERS_MAX: usize = 10_000;
/// Longest text of an error in a tree, in characters.
const ERROR_CHARS_MAX: usize = 1_000;

/// Which invocation of a worker is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallsOf {
    /// The one that began last, or was accepted last if none has begun.
    Last,
    /// The one with this key.
    Key(IdempotencyKey),
    /// The one that the entry at this index belongs to.
    Entry(OplogIndex),
}

impl Node {
    /// The tree of the calls of one invocation of a worker. Calls to a namespace that `may_see` says no to are leaves that have only what
    /// their callers noted. Errors: `NotFound`, `NoInvocation`, `BadIndex`, `Damaged`.
    pub async fn call_tree(
        self: &Arc<Self>,
        worker: &WorkerId,
        of: CallsOf,
        may_see: impl Fn(&Namespace) -> bool + Send + 'static,
    ) -> Result<CallTree, WorkerError> {
        let (node, worker) = (Arc::clone(self), worker.clone());
        // Logs are read at once, which blocks.
        let read = tokio::task::spawn_blocking(move || {
            let now = Timestamp(node.clock().wall_micros());
            let mut grower = Grower {
                node,
                may_see: Box::new(may_see),
                now: now.0,
                budget: Budget::new(ENTRIES_MAX),
                pasts: HashMap::new(),
                grown: Vec::new(),
                open: VecDeque::new(),
            };
            grower.plant(&worker, &of)?;
            grower.grow();
            let (root, truncated) = grower.gather();
            root.map(|root| CallTree {
                at: now,
                truncated,
                root,
            })
            .ok_or_else(|| no_invocation(&worker, &of))
        });
        read.await
            .map_err(|error| WorkerError::from(StoreError::Io(error.to_string())))?
    }
}

fn no_invocation(worker: &WorkerId, of: &CallsOf) -> WorkerError {
    let worker = worker.clone();
    let what = match of {
        CallsOf::Last => "no invocation".to_owned(),
        CallsOf::Key(key) => format!("no invocation with the key `{key}`"),
        CallsOf::Entry(index) => format!("no invocation around entry {index}"),
    };
    WorkerError::NoInvocation { worker, what }
}

/// A node of the tree under construction. Parents come before their children.
struct Grown {
    node: CallNode,
    parent: Option<usize>,
}

/// Calls that are not in the tree yet.
struct Open {
    parent: usize,
    depth: usize,
    caller_has_ended: bool,
    call: CallEntry,
}

struct Grower {
    node: Arc<Node>,
    may_see: Box<dyn Fn(&Namespace) -> bool + Send>,
    now: u64,
    budget: Budget,
    /// Workers that were looked at; `None`: there is no such worker.
    pasts: HashMap<WorkerId, Option<Known>>,
    grown: Vec<Grown>,
    open: VecDeque<Open>,
}

/// A worker that was looked at.
struct Known {
    past: Past,
    version: u64,
}

/// What was found of the invocation that a call has made.
enum Found {
    Run(Box<Run>, u64),
    Leaf(CallLeaf),
    /// Its worker knows nothing of it. `true`: it has kept all that it would know.
    Nothing(bool),
}

impl Grower {
    fn known(&mut self, worker: &WorkerId) -> Result<Option<&Known>, StoreError> {
        if !self.pasts.contains_key(worker) {
            let store = self.node.store();
            let known = match store.worker(worker)? {
                None => None,
                Some(stored) => {
                    let checkpoint = self.node.checkpoints().peek(stored.log);
                    let (log, budget) = (stored.log, &mut self.budget);
                    let past = Past::read(store.as_ref(), log, checkpoint.as_ref(), budget)?;
                    let row = WorkerRow::from_bytes(&stored.row).map_err(|error| {
                        let what = format!("the row of worker {worker}");
                        let detail = error.to_string();
                        StoreError::Corrupt { what, detail }
                    })?;
                    let version = row.version;
                    Some(Known { past, version })
                }
            };
            self.pasts.insert(worker.clone(), known);
        }
        Ok(self.pasts.get(worker).and_then(Option::as_ref))
    }

    /// Puts the root into the tree, if there is such an invocation.
    fn plant(&mut self, worker: &WorkerId, of: &CallsOf) -> Result<(), WorkerError> {
        let damaged = |error: StoreError| WorkerError::Damaged {
            worker: worker.clone(),
            detail: error.to_string(),
        };
        let store = self.node.store();
        self.known(worker).map_err(damaged)?;
        let known = self.pasts.get(worker).and_then(Option::as_ref);
        let mut found = None;
        if let Some(Known { past, version }) = known {
            let (store, budget) = (store.as_ref(), &mut self.budget);
            let place = match of {
                CallsOf::Last => past.newest(store, budget),
                CallsOf::Key(key) => past.with_key(store, key),
                CallsOf::Entry(index) if index.0 == 0 || *index > past.tail => {
                    return Err(WorkerError::BadIndex {
                        worker: worker.clone(),
                        index: index.0,
                        detail: format!("the log ends at {}", past.tail),
                    });
                }
                CallsOf::Entry(index) => past.around(store, *index, budget),
            };
            if let Some(place) = place.map_err(damaged)? {
                let run = past.run(store, worker, place, budget).map_err(damaged)?;
                found = run.map(|run| (run, *version));
            }
        }
        if let Some((run, version)) = found {
            let mut node = blank(
                worker_urn(worker),
                String::new(),
                IdempotencyKey(String::new()),
            );
            self.fill(&mut node, worker, &run, version);
            self.add(node, None, run, 0);
            return Ok(());
        }
        if let CallsOf::Key(key) = of
            && let Some(node) = self.scheduled(worker, key)?
        {
            self.grown.push(Grown { node, parent: None });
            return Ok(());
        }
        match self.pasts.get(worker) {
            Some(Some(_)) => Err(no_invocation(worker, of)),
            _ => Err(WorkerError::NotFound(worker.clone())),
        }
    }

    /// An invocation that the calendar has.
    fn scheduled(
        &self,
        worker: &WorkerId,
        key: &IdempotencyKey,
    ) -> Result<Option<CallNode>, StoreError> {
        let shard = self.node.shard_of(worker);
        let timers = self.node.store().due_timers(shard, u64::MAX, TIMERS_MAX)?;
        let mine = timers.into_iter().filter(|timer| timer.worker == *worker);
        for timer in mine {
            // A timer that cannot be read is left to its worker, which says so.
            if let Ok(TimerAction {
                action: Some(Action::Invoke(accepted)),
            }) = TimerAction::from_bytes(&timer.payload)
                && accepted.key == key.0
            {
                let mut node = blank(worker_urn(worker), accepted.function, key.clone());
                node.component_name = self.component_name(worker.component_id);
                node.accepted_at = Some(Timestamp(timer.due));
                node.outcome = CallOutcome::Scheduled;
                return Ok(Some(node));
            }
        }
        Ok(None)
    }

    /// Adds calls to the tree, level by level, until all are there or the bounds are reached.
    fn grow(&mut self) {
        while let Some(open) = self.open.pop_front() {
            if open.depth > CALL_DEPTH_MAX || self.grown.len() >= CALL_NODES_MAX {
                if let Some(parent) = self.grown.get_mut(open.parent) {
                    parent.node.truncated = true;
                }
                continue;
            }
            let Open {
                parent,
                depth,
                caller_has_ended,
                call,
            } = open;
            let (target, found) = self.look(&call);
            let mut node = blank(call.target.clone(), call.function.clone(), call.key.clone());
            node.how = Some(how(call.call));
            node.called_at = Some(Timestamp(call.at));
            node.called_at_index = Some(call.index);
            node.undone = call.is_undone;
            match (found, target) {
                (Found::Run(run, version), Some(worker)) => {
                    self.fill(&mut node, &worker, &run, version);
                    self.add(node, Some(parent), *run, depth);
                }
                (found, _) => {
                    self.close(&mut node, &call, &found, caller_has_ended);
                    let parent = Some(parent);
                    self.grown.push(Grown { node, parent });
                }
            }
        }
    }

    /// What there is of a call, and whose it is.
    fn look(&mut self, call: &CallEntry) -> (Option<WorkerId>, Found) {
        let Ok(WorkerUrn {
            component: ComponentRef::Id(component),
            worker_name,
            ..
        }) = call.target.parse()
        else {
            return (None, Found::Nothing(true));
        };
        let worker = worker_name.map(|name| WorkerId::new(component, name));
        let Ok(info) = self.node.component(component, None) else {
            return (worker, Found::Leaf(CallLeaf::Deleted));
        };
        if !(self.may_see)(&info.namespace) {
            return (worker, Found::Leaf(CallLeaf::Hidden));
        }
        let Some(worker) = worker.filter(|_| !self.node.is_ephemeral(component)) else {
            return (None, Found::Leaf(CallLeaf::Ephemeral));
        };
        let found = self.find(&worker, &call.key).unwrap_or_else(|error| {
            tracing::warn!(%worker, %error, "a call tree leaves a worker out");
            Found::Leaf(CallLeaf::Damaged)
        });
        (Some(worker), found)
    }

    fn find(&mut self, worker: &WorkerId, key: &IdempotencyKey) -> Result<Found, StoreError> {
        if self.known(worker)?.is_none() {
            return Ok(Found::Leaf(CallLeaf::Deleted));
        }
        let store = self.node.store();
        let Some(Some(Known { past, version })) = self.pasts.get(worker) else {
            return Ok(Found::Leaf(CallLeaf::Deleted));
        };
        let place: Option<Place> = past.with_key(store.as_ref(), key)?;
        let run = match place {
            Some(place) => past.run(store.as_ref(), worker, place, &mut self.budget)?,
            None => None,
        };
        Ok(match run {
            Some(run) => Found::Run(Box::new(run), *version),
            None => Found::Nothing(past.is_whole()),
        })
    }

    /// Says of a node what the log of its worker says.
    fn fill(&self, node: &mut CallNode, worker: &WorkerId, run: &Run, version: u64) {
        node.target = worker_urn(worker);
        node.component_name = self.component_name(worker.component_id);
        node.component_version = Some(version);
        node.function.clone_from(&run.accepted.function);
        node.idempotency_key = IdempotencyKey(run.accepted.key.clone());
        node.accepted_at = Some(Timestamp(run.accepted_at));
        node.oplog_index = Some(run.started.map_or(run.accepted_index, |(index, _)| index));
        node.started_at = run.started.map(|(_, at)| Timestamp(at));
        node.ended_at = run.ended.as_ref().map(|(at, _)| Timestamp(*at));
        node.retries = run.retries;
        node.truncated = !run.is_whole;
        node.undone |= run.is_undone;
        node.outcome = match &run.ended {
            None if run.started.is_some() => CallOutcome::Running,
            None => CallOutcome::Pending,
            Some((_, RunEnd::Completed)) => CallOutcome::Ok,
            Some((_, RunEnd::Failed(failed))) => {
                let error = failure(worker, &run.accepted.key, failed);
                told(node, Some(error.code()), &failed.message)
            }
            Some((_, RunEnd::Cancelled)) => {
                let (worker, key) = (worker.clone(), run.accepted.key.clone());
                let error = WorkerError::Cancelled { worker, key };
                told(node, Some(error.code()), &error.to_string())
            }
            Some((_, RunEnd::Exited(status))) => {
                let error = WorkerError::Exited(worker.clone());
                told(
                    node,
                    Some(error.code()),
                    &format!("exited with status {status}"),
                )
            }
        };
        self.time(node);
    }

    /// Says of a node what only its caller knows.
    fn close(&self, node: &mut CallNode, call: &CallEntry, found: &Found, caller_has_ended: bool) {
        let is_known = call.end.is_some() || call.is_sent;
        node.leaf = match found {
            Found::Leaf(CallLeaf::Deleted) if !is_known && !caller_has_ended => None,
            Found::Leaf(leaf) => Some(*leaf),
            // It was there, and its worker does not know it: another one has its name now.
            Found::Nothing(true) if is_known => Some(CallLeaf::Deleted),
            Found::Nothing(_) | Found::Run(..) => None,
        };
        node.truncated = matches!(found, Found::Nothing(false));
        let ended = call.end.as_ref().map(|(_, ended)| ended);
        let kept;
        let ended = match ended {
            Some(CallEnded::Kept(blob)) => {
                let read = self.node.payloads().load(Vec::new(), Some(blob.clone()));
                // What is gone says nothing.
                kept = read.ok().map(|bytes| CallEnded::of(&bytes));
                kept.as_ref()
            }
            other => other,
        };
        node.ended_at = call.end.as_ref().map(|(at, _)| Timestamp(*at));
        node.outcome = match ended {
            Some(CallEnded::Ok) => CallOutcome::Ok,
            Some(CallEnded::Err(error)) => {
                let code = match error {
                    RpcError::Timeout(_) => Some("WRK-016"),
                    RpcError::Cancelled(_) => Some("WRK-017"),
                    _ => None,
                };
                told(node, code, &error.to_string())
            }
            Some(CallEnded::Kept(_)) => CallOutcome::Unknown,
            None if is_known || caller_has_ended || node.truncated => CallOutcome::Unknown,
            None if node.leaf.is_some() => CallOutcome::Running,
            None => CallOutcome::Pending,
        };
        self.time(node);
    }

    fn time(&self, node: &mut CallNode) {
        let end = match (node.outcome, node.ended_at) {
            (_, Some(end)) => Some(end.0),
            (CallOutcome::Running, None) => Some(self.now),
            (_, None) => None,
        };
        // What was cancelled in the queue has taken no time of its own.
        let start = node.started_at.or(match node.accepted_at {
            None => node.called_at,
            Some(_) => None,
        });
        node.duration_micros = end
            .zip(start)
            .map(|(end, start)| end.saturating_sub(start.0));
    }

    fn component_name(&self, component: ComponentId) -> Option<String> {
        let info = self.node.component(component, None).ok()?;
        Some(info.component_name.clone())
    }

    /// Adds a node, whose calls follow later.
    fn add(&mut self, node: CallNode, parent: Option<usize>, run: Run, depth: usize) {
        let own = self.grown.len();
        self.grown.push(Grown { node, parent });
        let caller_has_ended = run.ended.is_some();
        self.open.extend(run.calls.into_iter().map(|call| Open {
            parent: own,
            depth: depth + 1,
            caller_has_ended,
            call,
        }));
    }

    /// The tree, and whether something of it is missing.
    fn gather(mut self) -> (Option<CallNode>, bool) {
        let mut truncated = false;
        while let Some(Grown { mut node, parent }) = self.grown.pop() {
            truncated |= node.truncated;
            // They came from the last to the first.
            node.calls.reverse();
            match parent.and_then(|parent| self.grown.get_mut(parent)) {
                Some(parent) => parent.node.calls.push(node),
                None => return (Some(node), truncated),
            }
        }
        (None, truncated)
    }
}

fn blank(target: String, function: String, idempotency_key: IdempotencyKey) -> CallNode {
    CallNode {
        target,
        component_name: None,
        component_version: None,
        function,
        idempotency_key,
        how: None,
        oplog_index: None,
        called_at_index: None,
        called_at: None,
        accepted_at: None,
        started_at: None,
        ended_at: None,
        duration_micros: None,
        outcome: CallOutcome::Unknown,
        error_code: None,
        error: None,
        retries: 0,
        leaf: None,
        undone: false,
        truncated: false,
        calls: Vec::new(),
    }
}

/// Notes an error.
fn told(node: &mut CallNode, code: Option<&str>, text: &str) -> CallOutcome {
    node.error_code = code.map(str::to_owned);
    node.error = Some(text.chars().take(ERROR_CHARS_MAX).collect());
    CallOutcome::Error
}

fn failure(worker: &WorkerId, key: &str, failed: &Failed) -> WorkerError {
    let failure = Failure {
        kind: failed.kind(),
        message: failed.message.clone(),
        trace: String::new(),
        path: Vec::new(),
    };
    failed_error(worker, key, failure)
}

fn how(call: u32) -> CallHow {
    if call == RPC_INVOKE.number {
        CallHow::Triggered
    } else if call == RPC_ASYNC_INVOKE_AND_AWAIT.number {
        CallHow::Async
    } else {
        CallHow::Awaited
    }
}
