// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / trial/project: components, uploaded once, from which every trial begins. In: names and wasm. Out: a store with
//! them, their ids. Files: a directory of its own, removed at the end; compiled code where the caller keeps it.
//! Read next: `run.rs`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use golem_engine::{ManualTime, NewFile, SECRET_KEY_FILE, Seeded, Upload};
use golem_model::capabilities::Capabilities;
use golem_model::component::ComponentType;
use golem_model::{ComponentId, Namespace};
use golem_storage::mem::MemSnapshot;
use golem_storage::{Blobs, MemStore};

use super::error::TrialError;
use super::outside::Outside;
use super::process::{Process, Start};
use super::script::Scenario;

/// Files of compiled code that are kept between runs: some projects with some components each.
const CODE_FILES_MAX: usize = 64;

/// A component and its code.
#[derive(Debug, Clone)]
pub struct Code {
    /// Its name.
    pub name: String,
    /// Whether its workers last.
    pub kind: ComponentType,
    /// The component.
    pub wasm: Vec<u8>,
    /// What its workers begin with.
    pub files: Vec<NewFile>,
    /// What it may do; `None`: it does not say.
    pub capabilities: Option<Capabilities>,
}

/// What the trials of a project begin with, beside its components.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Beginning {
    /// Other code than what was built, by component.
    pub older: BTreeMap<String, Vec<u8>>,
    /// Values of secrets.
    pub secrets: BTreeMap<String, String>,
}

/// See the module's header.
pub struct Project {
    pub(super) codes: Vec<Code>,
    pub(super) ids: BTreeMap<String, ComponentId>,
    pub(super) blobs: Arc<Blobs>,
    pub(super) code_dir: PathBuf,
    pub(super) seed: u64,
    snapshot: MemSnapshot,
    dir: PathBuf,
    trials: AtomicU64,
}

impl Project {
    /// Takes the components of a project, with the capabilities that they declare. Compiled code is kept in `code_dir`,
    /// which must not be writable by others. Takes seconds where a component was not compiled before. Errors: `Component`,
    /// `Secret`, `System`, and those of starting a node. Random bytes in trials follow from `seed`.
    pub fn open(
        codes: Vec<Code>,
        beginning: &Beginning,
        code_dir: &Path,
        seed: u64,
    ) -> Result<Self, TrialError> {
        let dir = std::env::temp_dir().join(format!("golem-test-{}", uuid::Uuid::new_v4()));
        let blobs = Arc::new(Blobs::open(dir.join("blobs"))?);
        make_room(code_dir);
        let mut project = Self {
            codes,
            ids: BTreeMap::new(),
            blobs,
            code_dir: code_dir.to_owned(),
            seed,
            snapshot: MemSnapshot::default(),
            dir,
            trials: AtomicU64::new(0),
        };
        let trial = project.new_dir();
        let process = Process::start(Start {
            store: MemStore::new(),
            blobs: Arc::clone(&project.blobs),
            code_dir: &project.code_dir,
            secret_key: &project.secret_key(),
            dir: &trial,
            time: ManualTime::new(0),
            chance: Seeded::new(seed),
            outside: Outside::new(&[]),
        })?;
        for (name, value) in &beginning.secrets {
            let at = Namespace::default();
            process.node.set_secret(&at, name, value.as_bytes())?;
        }
        for code in &project.codes {
            let wasm = beginning.older.get(&code.name).unwrap_or(&code.wasm);
            let id = id_of(&code.name);
            let upload = Upload {
                files: Some(code.files.clone()),
                ..Upload::declaring(wasm.clone(), code.capabilities.clone())
            };
            let upload = process
                .node
                .create_component_as(id, &code.name, code.kind, upload);
            let made = process
                .work(upload)
                .map_err(|source| TrialError::Component {
                    name: code.name.clone(),
                    source,
                })?;
            let id = made.versioned_component_id.component_id;
            project.ids.insert(code.name.clone(), id);
        }
        project.snapshot = process.store.snapshot();
        process.end();
        remove(&trial);
        Ok(project)
    }

    /// Whether workers of a component live for one invocation.
    pub(super) fn is_ephemeral(&self, component: &str) -> bool {
        let code = self.codes.iter().find(|code| code.name == component);
        code.is_some_and(|code| code.kind == ComponentType::Ephemeral)
    }

    /// A secret that a component refers to and a scenario does not give.
    pub(super) fn missing_secret(&self, component: &str, scenario: &Scenario) -> Option<String> {
        let code = self.codes.iter().find(|code| code.name == component)?;
        let mut names = code.capabilities.iter().flat_map(Capabilities::secrets);
        let missing = names.find(|name| !scenario.secrets.contains_key(*name));
        missing.map(str::to_owned)
    }

    /// The file with the key of the secrets: the same for all trials, whose stores begin with what it has sealed.
    pub(super) fn secret_key(&self) -> PathBuf {
        self.dir.join(SECRET_KEY_FILE)
    }

    /// A store that has the components and nothing else.
    pub(super) fn store(&self) -> MemStore {
        MemStore::from_snapshot(self.snapshot.clone())
    }

    /// A new directory for a trial, which removes it.
    pub(super) fn new_dir(&self) -> PathBuf {
        let number = self.trials.fetch_add(1, Ordering::Relaxed);
        self.dir.join(format!("trial-{number}"))
    }

    /// The text with the ids of components in the place of `${name}`, and URNs of workers in the place of `${name/worker}`.
    /// Errors: a name that is none of a component.
    pub(super) fn filled(&self, text: &str) -> Result<String, String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, tail)) = rest.split_once("${") {
            let (name, after) = tail
                .split_once('}')
                .ok_or_else(|| format!("`${{` in `{text}` has no end"))?;
            filled.push_str(before);
            let (component, worker) = match name.split_once('/') {
                Some((component, worker)) => (component, Some(worker)),
                None => (name, None),
            };
            let id = self
                .ids
                .get(component)
                .ok_or_else(|| format!("`${{{name}}}` names no component"))?;
            match worker {
                Some(worker) => filled.push_str(&format!("urn:worker:{id}/{worker}")),
                None => filled.push_str(&id.to_string()),
            }
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        remove(&self.dir);
    }
}

/// The id of a component: the same in every run, because guests see it and the order of things may follow from it.
fn id_of(name: &str) -> ComponentId {
    let mut bytes = [0; 16];
    // The name folded into 16 bytes by FNV-1a, twice with another beginning: names are few, and nothing here is secret.
    for (half, start) in bytes
        .chunks_mut(8)
        .zip([0xcbf2_9ce4_8422_2325_u64, 0x9e37_79b9_7f4a_7c15])
    {
        let hash = name.bytes().fold(start, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        half.copy_from_slice(&hash.to_le_bytes());
    }
    ComponentId(uuid::Builder::from_random_bytes(bytes).into_uuid())
}

/// Removes what a trial has left. What cannot be removed now is in a directory for temporary files.
pub(super) fn remove(dir: &Path) {
    if let Err(error) = std::fs::remove_dir_all(dir)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::debug!(dir = %dir.display(), %error, "cannot be removed");
    }
}

/// Removes compiled code when there is much of it: it is made again.
fn make_room(code_dir: &Path) {
    let Ok(entries) = std::fs::read_dir(code_dir) else {
        return;
    };
    let files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    if files.len() < CODE_FILES_MAX {
        return;
    }
    for file in files {
        if file.extension().is_some_and(|end| end == "cwasm") {
            drop(std::fs::remove_file(file));
        }
    }
}
