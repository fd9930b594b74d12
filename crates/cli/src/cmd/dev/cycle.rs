// SPDX-License-Identifier: Apache-2.0
//! THE DESK / dev cycle: what happens after a change: build, upload, update the workers. In files, out deployed components and one
//! line with the time of each step. Never loses work: what failed is done again with the next change.
//! Read next: `build/plan.rs`, `cmd/deploy.rs`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use golem_client::{Client, ErrorKind};
use golem_model::api::{UpdateMode, UpdateRecord, WorkerCreationRequest, WorkerMetadata};
use golem_model::{ComponentId, ComponentVersion, WorkerId};

use super::lines::Lines;
use super::project;
use super::watch::Watch;
use crate::build::{self, Options};
use crate::cmd::deploy;
use crate::error::Failure;
use crate::manifest::{Component, ComponentKind, Manifest};
use crate::output::Out;

/// How long a worker may take to move to another version before dev goes on without knowing. It has to repeat its history, and
/// one that runs something finishes that first.
const UPDATE_WAIT: Duration = Duration::from_secs(30);
/// Pause between two looks at a worker that moves.
const UPDATE_LOOK: Duration = Duration::from_millis(10);

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Work {
    /// Everything: dev has just started, or the manifest has changed.
    All,
    /// What depends on these files.
    Files(BTreeSet<PathBuf>),
}

impl Work {
    /// These files have changed as well.
    pub(super) fn add(&mut self, files: BTreeSet<PathBuf>) {
        match self {
            Self::All => {}
            Self::Files(known) => known.extend(files),
        }
    }
}

/// What the cycles of one run share.
pub(super) struct Cycle<'a> {
    pub(super) client: &'a Client,
    pub(super) out: &'a Out,
    pub(super) options: Options,
    /// Workers that cannot follow begin anew.
    pub(super) reset: bool,
    /// The components that were asked for; all for none.
    pub(super) chosen: Vec<String>,
    pub(super) app: Option<PathBuf>,
    pub(super) dirty: Work,
    /// What is on the server, by name.
    pub(super) deployed: Vec<(String, ComponentId)>,
}

/// How long each step took.
#[derive(Debug, Default)]
struct Times {
    go: Duration,
    rest_of_build: Duration,
    upload: Duration,
    workers: Duration,
}

impl Cycle<'_> {
    /// Does what is to be done. On success nothing is left to do; on failure all of it.
    pub(super) fn run(&mut self, watch: &Watch, lines: &Lines) -> Result<Manifest, Failure> {
        let start = Instant::now();
        let saved = match &self.dirty {
            Work::All => None,
            Work::Files(files) => watch.newest(files),
        };
        let manifest = project::manifest(self.app.as_deref())?;
        let names = affected(&manifest, &self.chosen, &self.dirty)?;
        if names.is_empty() {
            // The change is in a component that nobody asked for.
            self.dirty = Work::Files(BTreeSet::new());
            return Ok(manifest);
        }
        let mut times = Times::default();
        let built = build::of_manifest(&manifest, &names, self.options, self.out)?;
        for summary in &built {
            let go = Duration::from_millis(u64::try_from(summary.go_ms).unwrap_or(0));
            let all = Duration::from_millis(u64::try_from(summary.build_ms).unwrap_or(0));
            times.go += go;
            times.rest_of_build += all.saturating_sub(go);
        }
        let mut changes = Vec::new();
        for name in &names {
            let Some(component) = manifest.component(name) else {
                continue;
            };
            let begin = Instant::now();
            let row = deploy::deploy(self.client, component, self.out)?;
            times.upload += begin.elapsed();
            let begin = Instant::now();
            self.deployed.retain(|(known, _)| known != name);
            self.deployed.push((name.clone(), row.component_id));
            if component.kind == ComponentKind::Durable {
                self.update(component, row.component_id, row.component_version, lines)?;
            }
            times.workers += begin.elapsed();
            changes.push(format!("{name} {}", row.short()));
        }
        self.dirty = Work::Files(BTreeSet::new());
        self.out
            .note(&told(&changes, saved, start.elapsed(), &times));
        Ok(manifest)
    }

    /// Moves the workers of a component to a version; says which of them do not follow.
    fn update(
        &self,
        component: &Component,
        id: ComponentId,
        version: ComponentVersion,
        lines: &Lines,
    ) -> Result<(), Failure> {
        let mut moving = Vec::new();
        for worker in self.client.all_workers(id, Vec::new())? {
            if worker.component_version >= version {
                continue;
            }
            let asked =
                self.client
                    .update_worker(&worker.worker_id, UpdateMode::Automatic, version);
            match asked {
                Ok(()) => moving.push(worker),
                Err(error) => {
                    self.stays(component, &worker, version, &error.to_string(), lines)?;
                }
            }
        }
        let deadline = Instant::now() + UPDATE_WAIT;
        for worker in moving {
            match self.moved(&worker.worker_id, version, deadline)? {
                Moved::Done => {}
                Moved::Refused(why) => self.stays(component, &worker, version, &why, lines)?,
                Moved::Late => self.out.warn(&format!(
                    "dev: worker `{}` of {} is still on its way to version {version}",
                    worker.worker_id.worker_name, component.name
                )),
            }
        }
        Ok(())
    }

    fn moved(
        &self,
        worker: &WorkerId,
        version: ComponentVersion,
        deadline: Instant,
    ) -> Result<Moved, Failure> {
        loop {
            let now = match self.client.worker(worker) {
                Ok(now) => now,
                // Deleted meanwhile.
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Moved::Done),
                Err(error) => return Err(error.into()),
            };
            if now.component_version >= version {
                return Ok(Moved::Done);
            }
            match now.updates.last() {
                Some(UpdateRecord::FailedUpdate {
                    target_version,
                    details,
                    ..
                }) if *target_version == version => {
                    let why = details.clone().unwrap_or_default();
                    return Ok(Moved::Refused(why));
                }
                _ if Instant::now() >= deadline => return Ok(Moved::Late),
                _ => std::thread::sleep(UPDATE_LOOK),
            }
        }
    }

    /// A worker does not follow: it begins anew if that is wanted, else it stays as it is.
    fn stays(
        &self,
        component: &Component,
        worker: &WorkerMetadata,
        version: ComponentVersion,
        why: &str,
        lines: &Lines,
    ) -> Result<(), Failure> {
        let name = &worker.worker_id.worker_name;
        if !self.reset {
            self.out.warn(&format!(
                "dev: worker `{name}` of {} stays on version {}: the new code does not repeat what it has done\n{}\n  hint: golem-cli dev --reset lets such workers begin anew; or: golem-cli worker delete --component-name {} --worker-name {name}",
                component.name,
                worker.component_version,
                indented(why),
                component.name,
            ));
            return Ok(());
        }
        lines.forget(&worker.worker_id);
        self.client.delete_worker(&worker.worker_id)?;
        let request = WorkerCreationRequest {
            name: name.clone(),
            args: worker.args.clone(),
            env: worker.env.clone(),
        };
        self.client
            .create_worker(worker.worker_id.component_id, &request)?;
        self.out.warn(&format!(
            "dev: worker `{name}` of {} begins anew with version {version}: the new code does not repeat what it had done\n{}",
            component.name,
            indented(why),
        ));
        Ok(())
    }
}

/// How the move of a worker ended.
enum Moved {
    Done,
    Refused(String),
    Late,
}

fn indented(text: &str) -> String {
    text.lines()
        .map(|line| format!("  {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The line that says how it went.
fn told(
    changes: &[String],
    saved: Option<SystemTime>,
    since_noticed: Duration,
    times: &Times,
) -> String {
    let since_save = saved.and_then(|saved| saved.elapsed().ok());
    let total = since_save.unwrap_or(since_noticed);
    let from = if since_save.is_some() {
        " after the save"
    } else {
        ""
    };
    let seconds = |time: Duration| format!("{:.2} s", time.as_secs_f64());
    let mut text = format!(
        "dev: {}; ready {}{from} (",
        changes.join(", "),
        seconds(total)
    );
    if since_save.is_some() {
        let _ = write!(
            text,
            "noticed {}, ",
            seconds(total.saturating_sub(since_noticed))
        );
    }
    let _ = write!(
        text,
        "go {}, component {}, upload and compile {}, workers {})",
        seconds(times.go),
        seconds(times.rest_of_build),
        seconds(times.upload),
        seconds(times.workers)
    );
    text
}

/// The components that have to be built, callees first. Errors: names that are not in the manifest.
fn affected(manifest: &Manifest, chosen: &[String], work: &Work) -> Result<Vec<String>, Failure> {
    let chosen = manifest.select(chosen)?;
    let names = |all: &[&Component]| all.iter().map(|component| component.name.clone()).collect();
    let Work::Files(files) = work else {
        return Ok(names(&chosen));
    };
    let mut found: BTreeSet<&str> = BTreeSet::new();
    for file in files {
        let begins = |component: &&Component| component.files.iter().any(|one| one.holds(file));
        let beginning: Vec<&Component> = manifest.components.iter().filter(begins).collect();
        found.extend(beginning.iter().map(|component| component.name.as_str()));
        let Some(owner) = owner(manifest, file) else {
            // Shared code is the last thing that somebody lets workers begin with.
            if !beginning.is_empty() && file.extension().is_none_or(|end| end != "go") {
                continue;
            }
            return Ok(names(&chosen));
        };
        found.insert(&owner.name);
        if file.extension().is_some_and(|extension| extension == "wit") {
            // Callers come after what they call, so one pass finds them all.
            for component in &manifest.components {
                if component
                    .calls
                    .iter()
                    .any(|call| found.contains(call.as_str()))
                {
                    found.insert(&component.name);
                }
            }
        }
    }
    let mut chosen = chosen;
    chosen.retain(|component| found.contains(component.name.as_str()));
    Ok(names(&chosen))
}

/// The one component that a file belongs to; none for the manifest and for what several may share.
fn owner<'a>(manifest: &'a Manifest, file: &Path) -> Option<&'a Component> {
    if file == manifest.file {
        return None;
    }
    let inside = |component: &&Component| {
        file.starts_with(&component.wit)
            || component.dir != manifest.root() && file.starts_with(&component.dir)
    };
    let mut owners = manifest.components.iter().filter(inside);
    match (owners.next(), owners.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_reaches_what_depends_on_it() {
        let dir = tempfile::tempdir().unwrap();
        let text = "components:
  one: { sourceWit: c/one/wit }
  two: { sourceWit: c/two/wit, files: [{ sourcePath: assets, targetPath: /a }] }
  three: { sourceWit: c/three/wit, files: [{ sourcePath: assets/b, targetPath: /b }] }
dependencies:
  one: [{ type: wasm-rpc, target: two }]
  two: [{ type: wasm-rpc, target: three }]
";
        std::fs::write(dir.path().join("golem.yaml"), text).unwrap();
        let manifest = Manifest::discover(Some(dir.path())).unwrap().unwrap();
        let check = |files: &[&str], chosen: &[&str], expect: &[&str]| {
            let files = files.iter().map(|file| dir.path().join(file)).collect();
            let chosen: Vec<String> = chosen.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(
                affected(&manifest, &chosen, &Work::Files(files)).unwrap(),
                expect
            );
        };
        check(&["c/two/main.go"], &[], &["two"]);
        check(&["c/three/wit/three.wit"], &[], &["three", "two", "one"]);
        check(&["c/two/wit/two.wit"], &["two"], &["two"]);
        check(&["c/one/main.go"], &["two"], &[]);
        check(&["lib/shared.go"], &[], &["three", "two", "one"]);
        check(&["assets/a.txt"], &[], &["two"]);
        check(&["assets/b", "assets/a.txt"], &[], &["three", "two"]);
        check(&["assets/a.txt", "assets/c.txt"], &[], &["two"]);
        check(&["c/one/main.go", "assets/a.txt"], &[], &["two", "one"]);
        check(&["golem.yaml"], &[], &["three", "two", "one"]);
    }
}
