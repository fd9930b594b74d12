// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / rehearse: a copy of a worker repeats its history aside, and does nothing new. In: a worker, a version, an
//! entry to stop at. Out: what happened at each step, the first difference, the memory at the end. Nothing is sent, written or
//! recorded. Read next: `activate.rs`, `host/durable.rs` (`rehearsing`). Source: runtime spec §2.7, §6.6.

use std::sync::Arc;

use golem_model::oplog::{Event, FailureKind, OplogEntry};
use golem_model::{ComponentId, ComponentVersion, LogId, OplogIndex, WorkerId};

use crate::activate::{Resumed, repeat_all, repeat_rest};
use crate::alive::guest_of;
use crate::component::loaded::Loaded;
use crate::error::WorkerError;
use crate::host::durable::{Journal, describe};
use crate::host::{Files, Guest, HostState};
use crate::instance::{Instance, Stopped};
use crate::node::{Node, row_of};
use crate::oplog::{Ledger, Reader, Regions, Span};
use crate::rpc::Rpc;

/// Most steps of a report: what a person reads, and what one answer holds.
const STEPS_MAX: usize = 10_000;

/// One entry that a rehearsal has met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RehearsalStep {
    /// Index of the entry.
    pub index: OplogIndex,
    /// When it was written, µs since 1970.
    pub at: u64,
    /// What it says, for people.
    pub what: String,
}

/// How a rehearsal ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RehearsalEnd {
    /// Everything recorded was repeated.
    Repeated,
    /// The guest did something else than the log says: the report of the first difference.
    Diverged(String),
    /// The guest failed, as it had when it ran, or for the first time.
    Failed(String),
}

/// What a rehearsal has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehearsal {
    /// The worker.
    pub worker: WorkerId,
    /// The version that repeated the history.
    pub version: ComponentVersion,
    /// Index of the last entry that was to be repeated.
    pub last: OplogIndex,
    /// The entries up to there that count, oldest first; at most [`STEPS_MAX`], the newest.
    pub steps: Vec<RehearsalStep>,
    /// How it ended.
    pub end: RehearsalEnd,
}

/// What a check of a worker's checkpoint has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verification {
    /// There is none.
    NoCheckpoint,
    /// Repeating the history gives the same memory as the checkpoint at this entry has.
    Same {
        /// The entry.
        index: OplogIndex,
        /// SHA-256 of the memory.
        hash: String,
    },
    /// It does not: the checkpoint is removed, and the log brings the worker back from now on.
    Different {
        /// The entry.
        index: OplogIndex,
        /// SHA-256 of the memory of the checkpoint.
        checkpoint: String,
        /// SHA-256 of the memory after the replay, or why there is none.
        replay: String,
    },
}

/// A history that was repeated on a copy.
struct Repeated {
    version: ComponentVersion,
    files: Files,
    regions: Arc<Regions>,
    /// The instance at the end, or why there is none.
    end: Result<Instance, Stopped>,
}

impl Node {
    /// Repeats the history of a worker up to entry `until` (its end by default) on a copy, with `version` of its component
    /// (its own by default). The worker itself is not touched. Errors: `NotFound`, `BadIndex`, `Component`, `Damaged`.
    pub async fn rehearse(
        self: &Arc<Self>,
        worker: &WorkerId,
        version: Option<ComponentVersion>,
        until: Option<OplogIndex>,
    ) -> Result<Rehearsal, WorkerError> {
        let (mut rehearsal, log, regions) = self.rehearse_quietly(worker, version, until).await?;
        rehearsal.steps = self.steps(worker, log, rehearsal.last, &regions)?;
        Ok(rehearsal)
    }

    /// The same without the steps.
    async fn rehearse_quietly(
        self: &Arc<Self>,
        worker: &WorkerId,
        version: Option<ComponentVersion>,
        until: Option<OplogIndex>,
    ) -> Result<(Rehearsal, LogId, Arc<Regions>), WorkerError> {
        let (log, tail) = self.durable_log(worker).await?;
        let last = until.unwrap_or(tail);
        let repeated = self.repeat(worker, log, tail, version, last).await?;
        let end = match repeated.end {
            Ok(_) | Err(Stopped::End | Stopped::Restart | Stopped::Exited(_)) => {
                RehearsalEnd::Repeated
            }
            Err(Stopped::Failed(failure)) if failure.kind == FailureKind::Divergence => {
                RehearsalEnd::Diverged(failure.message)
            }
            Err(Stopped::Failed(failure)) => RehearsalEnd::Failed(failure.message),
            Err(Stopped::Store(error)) => return Err(error.into()),
        };
        let rehearsal = Rehearsal {
            worker: worker.clone(),
            version: repeated.version,
            last,
            steps: Vec::new(),
            end,
        };
        Ok((rehearsal, log, repeated.regions))
    }

    /// Rehearses every worker of a component on another version of it, in the order of their names: what an update would
    /// meet, before anything changes. Errors: as [`Node::rehearse`].
    pub async fn rehearse_all(
        self: &Arc<Self>,
        component: ComponentId,
        version: ComponentVersion,
    ) -> Result<Vec<Rehearsal>, WorkerError> {
        /// Workers that are listed at once.
        const PAGE: usize = 100;
        self.component(component, Some(version))?;
        let mut found = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let workers = self.workers(component, after.as_deref(), PAGE).await?;
            let Some(last) = workers.last() else {
                return Ok(found);
            };
            after = Some(last.worker.worker_name.clone());
            for view in workers {
                if view.component_version != version {
                    // One line per worker: its steps are asked for by themselves.
                    let (rehearsal, ..) = self
                        .rehearse_quietly(&view.worker, Some(version), None)
                        .await?;
                    found.push(rehearsal);
                }
            }
        }
    }

    /// Compares the newest checkpoint of a worker with a replay of its whole history. Errors: as [`Node::rehearse`].
    pub async fn verify(self: &Arc<Self>, worker: &WorkerId) -> Result<Verification, WorkerError> {
        let (log, tail) = self.durable_log(worker).await?;
        let Some(summary) = self.checkpoints().newest(log) else {
            return Ok(Verification::NoCheckpoint);
        };
        let index = OplogIndex(summary.index);
        let Some(saved) = self.checkpoints().load(log, index) else {
            return Ok(Verification::NoCheckpoint);
        };
        let version = Some(summary.version);
        let repeated = self.repeat(worker, log, tail, version, index).await?;
        let replay = match repeated.end {
            Ok(mut instance) => match instance.capture().await {
                Ok(Ok(image)) => Ok(image.memory_hash()),
                Ok(Err(why)) => Err(why.to_string()),
                Err(stopped) => Err(stopped.to_string()),
            },
            Err(stopped) => Err(stopped.to_string()),
        };
        let hash = saved.image.memory_hash();
        if replay.as_ref() == Ok(&hash) {
            return Ok(Verification::Same { index, hash });
        }
        self.checkpoints()
            .refuse(log, index, "a replay gives another memory");
        Ok(Verification::Different {
            index,
            checkpoint: hash,
            replay: replay.unwrap_or_else(|why| why),
        })
    }

    /// The files of a copy of a worker at the end of its log, from its newest checkpoint on. Errors: as [`Node::rehearse`], and the
    /// difference when the history cannot be repeated.
    pub(crate) async fn repeat_files(
        self: &Arc<Self>,
        worker: &WorkerId,
        log: LogId,
        tail: OplogIndex,
    ) -> Result<Files, WorkerError> {
        let repeated = match self.repeat_tail(worker, log, tail).await? {
            Some(repeated) => repeated,
            None => self.repeat(worker, log, tail, None, tail).await?,
        };
        match repeated.end {
            Err(Stopped::Failed(failure)) if failure.kind == FailureKind::Divergence => {
                Err(WorkerError::Failed(failure))
            }
            Err(Stopped::Store(error)) => Err(error.into()),
            // However it ended: the log ends there too.
            _ => Ok(repeated.files),
        }
    }

    /// Repeats the entries of a log behind the newest checkpoint, up to `tail` or what the checkpoint has. `None`: there is none
    /// that the version of the worker understands.
    async fn repeat_tail(
        self: &Arc<Self>,
        worker: &WorkerId,
        log: LogId,
        tail: OplogIndex,
    ) -> Result<Option<Repeated>, WorkerError> {
        let (ledger, Some(summary)) = Ledger::newest(self, log)? else {
            return Ok(None);
        };
        let index = OplogIndex(summary.index);
        if summary.version != ledger.version || ledger.regions.contains(tail) {
            return Ok(None);
        }
        let Some(saved) = self.checkpoints().load(log, index) else {
            return Ok(None);
        };
        let loaded = self.component_loaded(worker.component_id, ledger.version)?;
        let mut row = row_of(&self.stored(worker)?)?;
        row.secrets.clone_from(&ledger.secrets);
        row.version = ledger.version;
        let guest = guest_of(worker, &row, ledger.origin.clone());
        let mut span = Span::after(&summary, Arc::clone(&ledger.regions));
        // Everything that a checkpoint has seen is durable, also when it was taken after `tail` was asked for.
        span.last = Some(tail.max(index));
        let state = self.copy(&loaded, guest, log, span)?;
        let files = state.files.clone();
        self.make_room();
        let permit = self.enter().await;
        let outcome = match Instance::restore(loaded, state, &saved.image).await {
            Ok(instance) => {
                self.checkpoints().count_use();
                repeat_rest(instance, &self.payloads()).await
            }
            Err(error) => {
                self.checkpoints().refuse(log, index, &error.to_string());
                return Ok(None);
            }
        };
        drop(permit);
        Ok(Some(Repeated {
            version: ledger.version,
            files,
            regions: ledger.regions,
            end: end_of(outcome),
        }))
    }

    /// The host's side of a copy of a worker that repeats `span` of its log.
    fn copy(
        self: &Arc<Self>,
        loaded: &Loaded,
        guest: Guest,
        log: LogId,
        span: Span,
    ) -> Result<HostState, WorkerError> {
        let reader = Reader::new(
            self.store(),
            log,
            span,
            Arc::clone(&self.metrics().replayed),
        );
        let journal = Journal::rehearsing(reader, self.payloads());
        let given = self.give(&loaded.info, &guest)?;
        let rpc = Rpc::new(Arc::clone(self));
        Ok(HostState::new(Arc::new(guest), journal, rpc, given, None))
    }

    /// Repeats the entries of a log up to `last`. The instance stands there, between two invocations, unless one is open.
    async fn repeat(
        self: &Arc<Self>,
        worker: &WorkerId,
        log: LogId,
        tail: OplogIndex,
        version: Option<ComponentVersion>,
        last: OplogIndex,
    ) -> Result<Repeated, WorkerError> {
        let bad = |detail: String| WorkerError::BadIndex {
            worker: worker.clone(),
            index: last.0,
            detail,
        };
        if last.0 == 0 || last > tail {
            return Err(bad(format!("the log has the entries 1 to {tail}")));
        }
        let store = self.store();
        let mut row = row_of(&self.stored(worker)?)?;
        let ledger = Ledger::read_to(store.as_ref(), log, Some(last))?;
        if ledger.regions.contains(last) {
            return Err(bad("that part of the history was undone".into()));
        }
        let version = version.unwrap_or(ledger.version);
        let loaded = self.component_loaded(worker.component_id, version)?;
        if version == ledger.version {
            row.secrets.clone_from(&ledger.secrets);
        } else {
            row.secrets = self.pins(&loaded.info);
        }
        row.version = version;
        let guest = guest_of(worker, &row, ledger.origin.clone());
        let mut span = Ledger::span_from(ledger.base.as_ref(), Arc::clone(&ledger.regions));
        span.last = Some(last);
        let state = self.copy(&loaded, guest, log, span)?;
        let files = state.files.clone();
        let base = ledger.base.map(|base| (base.snapshot, None));
        self.make_room();
        let permit = self.enter().await;
        let outcome = repeat_all(loaded, state, &self.payloads(), base).await;
        drop(permit);
        Ok(Repeated {
            version,
            files,
            regions: ledger.regions,
            end: end_of(outcome),
        })
    }

    /// The entries up to `last` that count.
    fn steps(
        &self,
        worker: &WorkerId,
        log: LogId,
        last: OplogIndex,
        regions: &Regions,
    ) -> Result<Vec<RehearsalStep>, WorkerError> {
        let store = self.store();
        let damaged = |detail: String| WorkerError::Damaged {
            worker: worker.clone(),
            detail,
        };
        let from = last.0.saturating_sub(STEPS_MAX as u64 - 1).max(1);
        let count = usize::try_from(last.0 + 1 - from).unwrap_or(STEPS_MAX);
        let entries = store.read(log, OplogIndex(from), count, usize::MAX)?;
        let mut steps = Vec::new();
        for (bytes, index) in entries.iter().zip(from..) {
            let index = OplogIndex(index);
            if regions.contains(index) {
                continue;
            }
            let entry =
                OplogEntry::from_bytes(bytes).map_err(|error| damaged(error.to_string()))?;
            if let Some(event) = entry.event {
                steps.push(RehearsalStep {
                    index,
                    at: entry.at,
                    what: spoken(&event),
                });
            }
        }
        Ok(steps)
    }
}

/// The instance at the end of a replay, or why there is none.
fn end_of(outcome: Result<(Instance, Option<Resumed>), Stopped>) -> Result<Instance, Stopped> {
    match outcome? {
        (instance, None) => Ok(instance),
        // The log ends inside of an invocation, or with a failure that was repeated.
        (_, Some(open)) => Err(open.result.err().unwrap_or(Stopped::End)),
    }
}

/// An entry in words.
fn spoken(event: &Event) -> String {
    match event {
        Event::Create(create) => format!("created with version {}", create.version),
        Event::Accepted(accepted) => {
            format!(
                "accepted `{}` with the key `{}`",
                accepted.function, accepted.key
            )
        }
        Event::Started(started) => format!("started what was accepted at {}", started.accepted),
        Event::Completed(_) => "finished with a result".into(),
        Event::Failed(failed) => format!("failed: {}", failed.message),
        Event::Cancelled(cancelled) => {
            format!("cancelled what was accepted at {}", cancelled.accepted)
        }
        Event::CallEnd(end) => format!("the outcome of the call at {}", end.start),
        Event::Log(log) => format!("logged: {}", log.message),
        Event::Jump(jump) => format!("entries {} to {} were undone", jump.first, jump.last),
        Event::Updated(updated) => format!("updated to version {}", updated.version),
        Event::Interrupted(_) => "interrupted by a user".into(),
        Event::Resumed(_) => "resumed by a user".into(),
        Event::Restarted(_) => "a crash was simulated".into(),
        Event::Suspended(_) => "suspended".into(),
        Event::Sent(_) => "its calls were accepted".into(),
        Event::Exited(exited) => format!("exited with status {}", exited.status),
        Event::PendingUpdate(update) => format!("asked for version {}", update.version),
        Event::FailedUpdate(update) => {
            format!(
                "not updated to version {}: {}",
                update.version, update.details
            )
        }
        other => describe(other),
    }
}
