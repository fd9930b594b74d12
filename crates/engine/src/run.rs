// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / run: what the task of a worker runs, one thing at a time: its activation, the next invocation, an update.
//! In: a worker with work. Out: a future, and what to do when it has ended. Read next: `activate.rs`, `instance.rs`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use golem_model::oplog::{Event, FailureKind, JumpReason, Started, UpdateMode};
use golem_model::{OplogIndex, Value};
use golem_storage::Seq;

use crate::activate::{Activation, OnLive, activate, call_save, run};
use crate::alive::{Alive, Current, Trying, guest_of};
use crate::component::loaded::Loaded;
use crate::error::{ComponentError, Failure};
use crate::host::Invoking;
use crate::instance::{Instance, Stopped};
use crate::node::Node;
use crate::queue::Queued;
use crate::rpc::Rpc;
use crate::taking::{self, Captured};
use crate::trace::{Traced, inside};
use crate::update;
use crate::worker::Worker;

/// The end of something that ran.
pub(crate) enum Ran {
    /// The log was repeated, nothing was open.
    Activated(Box<Instance>),
    /// The current invocation ended.
    Ended {
        instance: Option<Box<Instance>>,
        result: Result<Value, Stopped>,
        recorded: u64,
    },
    /// The guest was asked to save itself for another version.
    Saved(Result<Vec<u8>, Stopped>),
    /// An image of the instance was taken, or not; this was the last that had been written then.
    Captured(Captured, Seq),
}

impl Worker {
    /// Starts the next thing to run, if there is one and nothing runs.
    pub(crate) fn start_next(&mut self) {
        if self.running.is_some() || !self.has_work() {
            return;
        }
        let Some(alive) = &mut self.alive else { return };
        if alive.retry_at.is_some() || alive.suspended.is_some() {
            return;
        }
        if let Some((version, UpdateMode::Automatic)) = alive.updates.front().copied()
            && alive.trying.is_none()
        {
            // The new version repeats the history, so the instance of the old one is of no use.
            self.instance = None;
            alive.trying = Some(Trying {
                version,
                secrets: self.node.pins_of(self.id.component_id, version),
                mode: UpdateMode::Automatic,
                done: Arc::default(),
            });
        }
        self.node.instance_busy(&self.id);
        match self.instance.take() {
            // What is on its way to the shelf is where the next instance begins.
            None if self.keeping.is_some() => {}
            None => self.activate(),
            Some(instance) => self.go_on(instance),
        }
    }

    /// Makes an instance and brings it to where the log ends.
    fn activate(&mut self) {
        let (node, id) = (Arc::clone(&self.node), self.id.clone());
        let Some(alive) = &mut self.alive else { return };
        redo_atomic_region(alive);
        let updating = match &alive.trying {
            Some(trying) if trying.mode == UpdateMode::Automatic => Some(trying),
            _ => None,
        };
        let mut row = alive.row.clone();
        let on_live = updating.map(|trying| {
            let event = update::done(&mut row, trying, self.node.clock().wall_micros());
            OnLive {
                event,
                also: vec![golem_storage::Op::PutWorker {
                    worker: id.clone(),
                    log: alive.link.log,
                    row: row.to_bytes(),
                }],
                done: Arc::clone(&trying.done),
            }
        });
        let version = updating.map_or(alive.row.version, |trying| trying.version);
        let loading = match &alive.trying {
            Some(trying) if trying.mode == UpdateMode::SnapshotBased => {
                Some(Arc::clone(&trying.done))
            }
            _ => None,
        };
        let parts = match node.component_loaded(id.component_id, version) {
            Ok(loaded) => Activation {
                guest: match updating {
                    None => Arc::clone(&alive.guest),
                    Some(_) => Arc::new(guest_of(&id, &row, alive.guest.origin.clone())),
                },
                loaded,
                store: node.store(),
                writer: Arc::clone(&alive.writer),
                fresh: std::mem::take(&mut alive.fresh),
                payloads: node.payloads(),
                rpc: Rpc::new(Arc::clone(&node)),
                link: Arc::clone(&alive.link),
                base: alive.base.clone(),
                stale_base: alive.stale_base,
                // Another version does not understand the image, and a snapshot that is being loaded stands behind it.
                checkpoint: match &alive.trying {
                    None => alive.checkpoint.clone(),
                    Some(_) => None,
                },
                on_live,
                loading,
            },
            Err(error) => return self.cannot_start(&error),
        };
        let written = alive.writer.lock().last();
        self.running = Some(Box::pin(async move {
            // A log is read from the store, so all of it has to be there.
            if !parts.fresh && node.committer().wait(written).await.is_err() {
                return std::future::pending().await;
            }
            let link = Arc::clone(&parts.link);
            node.make_room();
            link.enter().await;
            let begin = Instant::now();
            let outcome = activate(parts).await;
            link.leave();
            if let Ok((_, None)) = &outcome {
                node.metrics().activations.add(begin.elapsed());
            }
            match outcome {
                Ok((instance, None)) => Ran::Activated(Box::new(instance)),
                Ok((instance, Some(resumed))) => Ran::Ended {
                    instance: Some(Box::new(instance)),
                    result: resumed.result,
                    recorded: resumed.recorded,
                },
                Err(stopped) => Ran::Ended {
                    instance: None,
                    result: Err(stopped),
                    recorded: 0,
                },
            }
        }));
    }

    fn cannot_start(&mut self, error: &ComponentError) {
        let result = Err(Stopped::failed(
            FailureKind::InvalidRequest,
            error.to_string(),
        ));
        self.running = Some(Box::pin(async {
            Ran::Ended {
                instance: None,
                result,
                recorded: 0,
            }
        }));
    }

    /// Runs the next thing on an instance that stands where the log ends.
    fn go_on(&mut self, instance: Instance) {
        let Some(alive) = &mut self.alive else { return };
        if let Some((_, UpdateMode::SnapshotBased)) = alive.updates.front() {
            return self.save(instance);
        }
        let next = loop {
            let Some(next) = alive.queue.pending.pop_front() else {
                self.instance = Some(instance);
                self.node.instance_idle(&self.id);
                return;
            };
            // Told before it begins: the guest has nothing to do with it, and is not harmed.
            let Some(lacking) = instance.lacks(&next.function, &next.input) else {
                break next;
            };
            let failure = Failure::new(FailureKind::InvalidRequest, lacking);
            alive.refuse(&self.node, &self.id, &next, failure);
        };
        let now = self.node.clock().nanos();
        let started = alive.writer.lock().append(Event::Started(Started {
            accepted: next.accepted.0,
            now,
        }));
        alive.current = Some(Current {
            accepted: next.accepted,
            started,
            key: next.key.clone(),
            deadline: next.deadline,
            traced: next.traced.clone().map(|traced| {
                Box::new(Traced {
                    started_at: self.node.clock().wall_micros(),
                    ..*traced
                })
            }),
        });
        let (link, node) = (Arc::clone(&alive.link), Arc::clone(&self.node));
        self.running = Some(Box::pin(async move {
            link.enter().await;
            let begin = Instant::now();
            let ran = invoke(instance, next, started, now).await;
            node.metrics().invocations.add(begin.elapsed());
            link.leave();
            ran
        }));
    }

    /// Takes an image of an instance that has nothing to do.
    pub(crate) fn capture(&mut self) {
        let (Some(alive), Some(instance)) = (&mut self.alive, self.instance.take()) else {
            return;
        };
        self.node.instance_busy(&self.id);
        let about = alive.about_checkpoint();
        let written = alive.writer.lock().last();
        let link = Arc::clone(&alive.link);
        self.running = Some(Box::pin(async move {
            link.enter().await;
            let captured = taking::take(about, instance).await;
            link.leave();
            Ran::Captured(captured, written)
        }));
    }

    /// Lets the guest save itself for another version.
    fn save(&mut self, mut instance: Instance) {
        let Some(alive) = &self.alive else { return };
        let link = Arc::clone(&alive.link);
        self.running = Some(Box::pin(async move {
            link.enter().await;
            let saved = call_save(&mut instance).await;
            link.leave();
            Ran::Saved(saved)
        }));
    }

    /// Something that ran has ended.
    pub(crate) fn ran(&mut self, ran: Ran) {
        let Some(alive) = &mut self.alive else { return };
        alive.link.waits_no_more();
        if let Some(trying) = alive.trying.take() {
            if trying.done.load(Ordering::Relaxed) {
                alive.updated(&self.id, &trying);
            } else if let Ran::Ended {
                result: Err(stopped),
                instance: None,
                ..
            } = &ran
            {
                // The worker runs its old version again, from where it was.
                alive.not_updated(&self.id, &trying, stopped.to_string());
                self.node.instance_gone(&self.id);
                return;
            }
        }
        match ran {
            Ran::Activated(instance) => {
                if let Some(current) = alive.current.take() {
                    // The log says that it runs, yet repeating the log finished it: the ledger was read wrongly.
                    tracing::error!(worker = %self.id, accepted = %current.accepted, "an open invocation was not found in replay");
                }
                self.instance = Some(*instance);
            }
            Ran::Ended {
                instance,
                result: Ok(value),
                ..
            } => {
                alive.complete(&self.node, &self.id, value);
                self.instance = instance.map(|instance| *instance);
            }
            Ran::Ended {
                result: Err(stopped),
                recorded,
                ..
            } => alive.stop(&self.node, &self.id, stopped, recorded),
            Ran::Saved(saved) => alive.saved(&self.node, &self.id, saved),
            Ran::Captured(captured, written) => {
                let (log, leaving) = (alive.link.log, alive.leaving);
                let (instance, saved) = alive.captured(&self.id, captured);
                self.instance = instance;
                if let Some(saved) = saved {
                    self.keep(saved, log, written);
                }
                if leaving {
                    self.node.count_eviction();
                }
                return self.rest();
            }
        }
        if self.instance.is_some() && alive.checkpoint_is_due() && self.keeping.is_none() {
            return self.capture();
        }
        self.rest();
    }

    /// Nothing runs.
    fn rest(&self) {
        if self.instance.is_some() {
            self.node.instance_idle(&self.id);
        } else {
            self.node.instance_gone(&self.id);
        }
    }
}

/// An atomic region that did not end is undone, and so done again: unless nothing was done in it.
fn redo_atomic_region(alive: &mut Alive) {
    let begin = alive.link.atomic.lock().take();
    let (Some(begin), Some(_)) = (begin, &alive.current) else {
        return;
    };
    let mut writer = alive.writer.lock();
    if writer.tail() > begin {
        let reason = JumpReason::AtomicRegion;
        alive.link.undo(&mut writer, begin.next(), reason);
    }
}

async fn invoke(mut instance: Instance, next: Queued, started: OplogIndex, now: u64) -> Ran {
    let before = instance.recorded().unwrap_or(0);
    let trace = next.traced.as_ref().map(|traced| {
        let worker = &instance.state().guest.worker;
        inside(&traced.context, worker, &next.key)
    });
    let invoking = Invoking {
        trace,
        key: next.key,
        calls: 0,
        started,
        deadline: next.deadline,
        call_timeout: None,
    };
    let result = match Value::from_bytes(&next.input) {
        Ok(input) => run(&mut instance, invoking, &next.function, &input, now).await,
        Err(error) => Err(Stopped::failed(
            FailureKind::InvalidRequest,
            format!("arguments: {error}"),
        )),
    };
    let recorded = instance.recorded().unwrap_or(0) - before;
    Ran::Ended {
        instance: Some(Box::new(instance)),
        result,
        recorded,
    }
}

/// The function of a component that saves or loads it; `None` when it exports none.
pub(crate) fn snapshot_function<'a>(loaded: &'a Loaded, name: &str) -> Option<&'a str> {
    loaded
        .function_names()
        .find(|function| is_snapshot_function(function, name))
}

fn is_snapshot_function(function: &str, name: &str) -> bool {
    let Some((interface, called)) = function.split_once(".{") else {
        return false;
    };
    let interface = interface.split('@').next().unwrap_or(interface);
    interface == format!("golem:api/{name}-snapshot") && called.trim_end_matches('}') == name
}

impl Node {
    /// Whether a version of a component can be saved and loaded by its own functions.
    pub(crate) fn has_snapshot_functions(loaded: &Loaded) -> bool {
        ["save", "load"]
            .iter()
            .all(|name| snapshot_function(loaded, name).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshot_functions_are_told_by_their_interface_in_any_version() {
        assert!(is_snapshot_function(
            "golem:api/save-snapshot@1.1.0.{save}",
            "save"
        ));
        assert!(is_snapshot_function(
            "golem:api/load-snapshot@0.2.0.{load}",
            "load"
        ));
        assert!(!is_snapshot_function(
            "golem:api/load-snapshot@0.2.0.{load}",
            "save"
        ));
        assert!(!is_snapshot_function("my:api/save-snapshot.{save}", "save"));
    }
}
