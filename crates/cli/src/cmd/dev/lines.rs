// SPDX-License-Identifier: Apache-2.0
//! THE DESK / dev lines: what the workers of a project write, as it comes. In components, out lines on standard output.
//! Bound: [`WORKERS_MAX`]. Never stops dev: a worker that cannot be heard is left alone. Read next: golem-client `connect.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use golem_client::{Begin, Client, Page};
use golem_model::api::WorkerEvent;
use golem_model::{ComponentId, OplogIndex, WorkerId};

use crate::args::Global;
use crate::connection;
use crate::output::Out;
use crate::view::{EventLine, Parts};

/// Workers that are listened to at once: what one reads along, and a thread for each.
const WORKERS_MAX: usize = 32;

/// Whoever is listened to.
pub(super) struct Lines {
    global: Global,
    out: Out,
    heard: BTreeMap<(ComponentId, String), Ear>,
    /// Components whose workers were there before: of these only what is new is shown.
    seen: Vec<ComponentId>,
}

struct Ear {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Lines {
    pub(super) fn new(global: &Global, out: Out) -> Self {
        Self {
            global: global.clone(),
            out,
            heard: BTreeMap::new(),
            seen: Vec::new(),
        }
    }

    /// Listens to workers that are new, and no longer to those that are gone.
    pub(super) fn look(&mut self, client: &Client, components: &[(String, ComponentId)]) {
        self.heard.retain(|_, ear| !ear.thread.is_finished());
        for (name, component) in components {
            let page = Page {
                count: Some(WORKERS_MAX as u64),
                ..Page::default()
            };
            let Ok(found) = client.workers(*component, &page) else {
                continue;
            };
            let begin = if self.seen.contains(component) {
                Begin::At(OplogIndex(1))
            } else {
                self.seen.push(*component);
                Begin::Latest
            };
            for worker in found.workers {
                let worker = worker.worker_id;
                let key = (*component, worker.worker_name.clone());
                if self.heard.len() >= WORKERS_MAX || self.heard.contains_key(&key) {
                    continue;
                }
                let label = if components.len() == 1 {
                    worker.worker_name.clone()
                } else {
                    format!("{name}/{}", worker.worker_name)
                };
                if let Some(ear) = self.listen(worker, label, begin) {
                    self.heard.insert(key, ear);
                }
            }
        }
    }

    /// Forgets a worker that begins anew: its lines are to be heard from the beginning.
    pub(super) fn forget(&self, worker: &WorkerId) {
        if let Some(ear) = self
            .heard
            .get(&(worker.component_id, worker.worker_name.clone()))
        {
            ear.stop.store(true, Ordering::Relaxed);
        }
    }

    fn listen(&self, worker: WorkerId, label: String, begin: Begin) -> Option<Ear> {
        let client = connection::client(&self.global).ok()?;
        let stop = Arc::new(AtomicBool::new(false));
        let (out, ended) = (self.out, Arc::clone(&stop));
        let thread = std::thread::Builder::new()
            .name("golem-lines".to_owned())
            .spawn(move || {
                let outcome =
                    client.listen(&worker, begin, &ended, |event| show(&out, &label, event));
                if let Err(error) = outcome {
                    tracing::debug!(%worker, message = %error, "no longer heard");
                }
            })
            .ok()?;
        Some(Ear { stop, thread })
    }

    /// Listens to nobody any more.
    pub(super) fn end(self) {
        for ear in self.heard.values() {
            ear.stop.store(true, Ordering::Relaxed);
        }
        for ear in self.heard.into_values() {
            // A listener that panicked has nothing more to say either.
            let _ = ear.thread.join();
        }
    }
}

fn show(out: &Out, label: &str, event: WorkerEvent) {
    let Some(line) = EventLine::of(event) else {
        return;
    };
    let parts = Parts {
        timestamp: false,
        level: !matches!(line.level.as_str(), "STDOUT" | "STDERR"),
    };
    let mut value = serde_json::json!({ "worker": label });
    if let (Some(object), Ok(serde_json::Value::Object(fields))) =
        (value.as_object_mut(), serde_json::to_value(&line))
    {
        object.extend(fields);
    }
    out.item(&value, |_| {
        format!("{} | {}", out.bold(label), line.text(parts))
    });
}
