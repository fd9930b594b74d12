// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / catalog: every version of every component. In: uploads. Out: what is known of them, and ready code.
//! Uploads are compiled one after the other in a thread that may block, so that a large one never stalls the workers.
//! Bound: `COMPONENT_BYTES_MAX`, `LOADED_COMPONENTS_MAX`. Read next: `loaded.rs`, `../cwasm.rs`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use golem_model::capabilities::StartUp;
use golem_model::component::{
    Component as ComponentInfo, ComponentMetadata, ComponentType, VersionedComponentId,
};
use golem_model::oplog::SharedStart;
use golem_model::{ComponentId, ComponentName, ComponentVersion, Namespace, Timestamp};
use golem_storage::{Blobs, Store, StoreError};
use parking_lot::Mutex;
use prost::Message as _;
use tokio::sync::{Semaphore, SemaphorePermit};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::contents::contents;
use super::files::{self, Declared, NewFile, Upload};
use super::loaded::{Loaded, stubs, unknown_imports};
use super::reflect;
use crate::capabilities::Policy;
use crate::chance::Chance;
use crate::checkpoint::Started;
use crate::clock::Clock;
use crate::cwasm::CodeCache;
use crate::error::ComponentError;
use crate::host::InitialFiles;
use crate::limits::{COMPONENT_BYTES_MAX, LOADED_COMPONENTS_MAX};
use crate::namespaces::Namespaces;
use crate::node::Node;

/// Kind of the catalogue rows of component versions: key = id (16 bytes), version (8 bytes, big endian).
const KIND: &str = "component";
/// Kind of the rows with the shared starts of versions; the same keys.
const START_KIND: &str = "start";
/// Rows that are read at once at start.
const SCAN: usize = 512;

/// Longest name of a component.
const NAME_CHARS_MAX: usize = 100;

type Versions = BTreeMap<ComponentVersion, Arc<ComponentInfo>>;

/// Every version of every component.
pub(crate) struct Catalog {
    engine: Engine,
    code: CodeCache,
    clock: Clock,
    policy: Policy,
    store: Arc<dyn Store>,
    blobs: Arc<Blobs>,
    namespaces: Arc<Namespaces>,
    rows: Mutex<HashMap<ComponentId, Versions>>,
    loaded: Mutex<LoadedCache>,
    /// One upload is compiled at a time: the compiler itself uses all cores.
    uploads: Semaphore,
}

#[derive(Default)]
struct LoadedCache {
    entries: HashMap<(ComponentId, ComponentVersion), (Arc<Loaded>, u64)>,
    clock: u64,
}

impl Catalog {
    /// The catalogue of `store`.
    pub(crate) fn open(
        engine: Engine,
        code: CodeCache,
        clock: Clock,
        policy: Policy,
        store: Arc<dyn Store>,
        blobs: Arc<Blobs>,
    ) -> Result<Self, StoreError> {
        let mut rows: HashMap<ComponentId, Versions> = HashMap::new();
        let mut after: Option<Vec<u8>> = None;
        loop {
            let found = store.catalog_scan(KIND, b"", after.as_deref(), SCAN)?;
            let Some(last) = found.last() else { break };
            after = Some(last.key.clone());
            for row in found {
                let info: ComponentInfo =
                    serde_json::from_slice(&row.value).map_err(|error| StoreError::Corrupt {
                        what: "a component row".into(),
                        detail: error.to_string(),
                    })?;
                let id = info.versioned_component_id;
                rows.entry(id.component_id)
                    .or_default()
                    .insert(id.version, Arc::new(info));
            }
        }
        let namespaces = Arc::new(Namespaces::open(Arc::clone(&store))?);
        Ok(Self {
            engine,
            code,
            clock,
            policy,
            store,
            blobs,
            namespaces,
            rows: Mutex::new(rows),
            loaded: Mutex::default(),
            uploads: Semaphore::new(1),
        })
    }

    /// The newest version, or the one that is asked for.
    pub(crate) fn get(
        &self,
        id: ComponentId,
        version: Option<ComponentVersion>,
    ) -> Result<Arc<ComponentInfo>, ComponentError> {
        let rows = self.rows.lock();
        let versions = rows.get(&id).ok_or(ComponentError::NotFound(id))?;
        match version {
            None => versions
                .values()
                .next_back()
                .cloned()
                .ok_or(ComponentError::NotFound(id)),
            Some(version) => versions
                .get(&version)
                .cloned()
                .ok_or(ComponentError::VersionNotFound(id, version)),
        }
    }

    /// Every version, oldest first.
    pub(crate) fn versions(
        &self,
        id: ComponentId,
    ) -> Result<Vec<Arc<ComponentInfo>>, ComponentError> {
        let rows = self.rows.lock();
        Ok(rows
            .get(&id)
            .ok_or(ComponentError::NotFound(id))?
            .values()
            .cloned()
            .collect())
    }

    /// What components are in.
    pub(crate) fn namespaces(&self) -> &Arc<Namespaces> {
        &self.namespaces
    }

    /// Nothing is uploaded until this is dropped.
    pub(crate) async fn pause_uploads(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed.
        self.uploads.acquire().await.ok()
    }

    /// Every version of every component of a namespace, or of the one that is called `name` there; by name, oldest first.
    pub(crate) fn list(
        &self,
        namespace: &Namespace,
        name: Option<&str>,
    ) -> Vec<Arc<ComponentInfo>> {
        let rows = self.rows.lock();
        let all = rows.values().flat_map(BTreeMap::values);
        let mut found: Vec<_> = all
            .filter(|info| info.namespace == *namespace)
            .filter(|info| name.is_none_or(|name| info.component_name == name))
            .cloned()
            .collect();
        found.sort_by(|a, b| {
            let key = |info: &ComponentInfo| {
                (
                    info.component_name.clone(),
                    info.versioned_component_id.version,
                )
            };
            key(a).cmp(&key(b))
        });
        found
    }

    /// The component that is called `name` in a namespace.
    pub(crate) fn named(
        &self,
        namespace: &Namespace,
        name: &str,
    ) -> Result<ComponentId, ComponentError> {
        let found = self.list(namespace, Some(name));
        found
            .first()
            .map(|info| info.versioned_component_id.component_id)
            .ok_or_else(|| ComponentError::NameNotFound(name.to_owned()))
    }

    /// The wasm as it was uploaded.
    pub(crate) fn wasm(
        &self,
        id: ComponentId,
        version: Option<ComponentVersion>,
    ) -> Result<Vec<u8>, ComponentError> {
        Ok(self.blobs.get(&self.get(id, version)?.wasm_hash)?)
    }

    /// Where the workers of a version begin that are created from now on; `None`: each with start-up code of its own.
    pub(crate) fn start(
        &self,
        component: &ComponentInfo,
    ) -> Result<Option<SharedStart>, StoreError> {
        if !shares_start(component) {
            return Ok(None);
        }
        let key = row_key(component.versioned_component_id);
        let Some(row) = self.store.catalog_get(START_KIND, &key)? else {
            return Ok(None);
        };
        let start = SharedStart::decode(row.value.as_slice());
        let start = start.map_err(|error| StoreError::Corrupt {
            what: "the start of a component".into(),
            detail: error.to_string(),
        })?;
        Ok(Some(start))
    }

    /// Takes a new component, on behalf of `node`, which runs its start-up code if its workers are to share that.
    pub(crate) async fn create(
        self: &Arc<Self>,
        node: &Arc<Node>,
        name: ComponentName,
        kind: ComponentType,
        upload: Upload,
    ) -> Result<Arc<ComponentInfo>, ComponentError> {
        check_name(&name.name)?;
        let _upload = self.pause_uploads().await;
        if !self.namespaces.has(&name.namespace) {
            return Err(ComponentError::NoNamespace(name.namespace));
        }
        if let Ok(id) = self.named(&name.namespace, &name.name) {
            return Err(ComponentError::AlreadyExists(id));
        }
        let id = VersionedComponentId {
            component_id: ComponentId::random(),
            version: 0,
        };
        self.take(node, id, name, kind, upload, None).await
    }

    /// Takes a version of a component of another node, under its id, into the default namespace.
    pub(crate) async fn adopt(
        self: &Arc<Self>,
        node: &Arc<Node>,
        id: VersionedComponentId,
        name: String,
        kind: ComponentType,
        upload: Upload,
    ) -> Result<Arc<ComponentInfo>, ComponentError> {
        let _upload = self.pause_uploads().await;
        let name = ComponentName::from(name.as_str());
        self.take(node, id, name, kind, upload, None).await
    }

    /// Takes a new version of a component.
    pub(crate) async fn update(
        self: &Arc<Self>,
        node: &Arc<Node>,
        id: ComponentId,
        kind: Option<ComponentType>,
        upload: Upload,
    ) -> Result<Arc<ComponentInfo>, ComponentError> {
        let _upload = self.pause_uploads().await;
        let newest = self.get(id, None)?;
        let version = VersionedComponentId {
            component_id: id,
            version: newest.versioned_component_id.version + 1,
        };
        self.take(
            node,
            version,
            ComponentName::new(newest.namespace.clone(), newest.component_name.clone()),
            kind.unwrap_or(newest.component_type),
            upload,
            Some(newest),
        )
        .await
    }

    async fn take(
        self: &Arc<Self>,
        node: &Arc<Node>,
        id: VersionedComponentId,
        name: ComponentName,
        kind: ComponentType,
        upload: Upload,
        before: Option<Arc<ComponentInfo>>,
    ) -> Result<Arc<ComponentInfo>, ComponentError> {
        let catalog = Arc::clone(self);
        let earlier = before.clone();
        let loaded = blocking(move || catalog.prepare(id, name, kind, upload, earlier.as_deref()));
        let loaded = Arc::new(loaded.await?);
        let start = if shares_start(&loaded.info) {
            let start = self.new_start(&loaded.info, before.as_deref(), node.chance())?;
            let started = Box::pin(Started::make(node, &loaded, &start)).await;
            let started = started.map_err(|stopped| ComponentError::Start(stopped.to_string()))?;
            *loaded.starting.lock().await = Some(Arc::new(started));
            Some(start)
        } else {
            None
        };
        let catalog = Arc::clone(self);
        blocking(move || catalog.commit(loaded, start)).await
    }

    /// What the start-up code of a version gets that runs for all its workers: the same as for the version before, so that those that
    /// are updated begin where new ones do.
    fn new_start(
        &self,
        component: &ComponentInfo,
        before: Option<&ComponentInfo>,
        chance: &Chance,
    ) -> Result<SharedStart, ComponentError> {
        // There is one already if an upload came to its end between its two rows.
        let known = match self.start(component)? {
            None => before
                .map(|before| self.start(before))
                .transpose()?
                .flatten(),
            known => known,
        };
        if let Some(start) = known {
            return Ok(start);
        }
        let mut seed = vec![0; SharedStart::SEED_BYTES];
        let filled = chance.fill(&mut seed);
        filled.map_err(|error| ComponentError::Io(format!("no random bytes: {error}")))?;
        let at = component.created_at.0;
        Ok(SharedStart { seed, at })
    }

    /// Compiles and links a version. Nothing is kept but blobs.
    fn prepare(
        &self,
        id: VersionedComponentId,
        name: ComponentName,
        kind: ComponentType,
        upload: Upload,
        before: Option<&ComponentInfo>,
    ) -> Result<Loaded, ComponentError> {
        let Upload {
            wasm,
            files,
            declared,
        } = upload;
        if wasm.len() > COMPONENT_BYTES_MAX {
            return Err(ComponentError::TooLarge {
                bytes: wasm.len(),
                limit: COMPONENT_BYTES_MAX,
            });
        }
        let capabilities = match declared {
            Declared::Same => before.and_then(|before| before.capabilities.clone()),
            Declared::Now(capabilities) => capabilities,
        };
        if let Some(declared) = &capabilities {
            self.policy.check(declared)?;
        }
        check_is_component(&wasm)?;
        let wasm_hash = self.blobs.put(&wasm)?;
        let size = wasm.len() as u64;
        let contents = contents(&wasm);
        let component = self
            .code
            .load(&self.engine, &wasm_hash, || Ok(wasm))
            .map_err(|error| ComponentError::Compile(format!("{error:#}")))?;
        let unknown = unknown_imports(&self.engine, &component);
        if !unknown.is_empty() {
            return Err(ComponentError::UnknownImport(unknown));
        }
        let files = match files {
            Some(files) => files::keep(&files, &self.blobs)?,
            None => before.map_or_else(Vec::new, |before| before.files.clone()),
        };
        let info = Arc::new(ComponentInfo {
            versioned_component_id: id,
            namespace: name.namespace,
            component_name: name.name,
            component_size: size,
            metadata: ComponentMetadata {
                exports: reflect::exports(&self.engine, &component),
                imports: reflect::imports(&self.engine, &component),
                stubs: stubs(&self.engine, &component),
                producers: contents.producers,
                memories: contents.memories,
            },
            created_at: Timestamp(self.clock.wall_micros()),
            component_type: kind,
            files,
            installed_plugins: Vec::new(),
            wasm_hash,
            capabilities,
        });
        self.link(&component, &info)
    }

    /// Keeps a version that is ready, and where its workers begin. Durable on return.
    fn commit(
        &self,
        loaded: Arc<Loaded>,
        start: Option<SharedStart>,
    ) -> Result<Arc<ComponentInfo>, ComponentError> {
        let info = Arc::clone(&loaded.info);
        let id = info.versioned_component_id;
        let row = serde_json::to_vec(info.as_ref())
            .map_err(|error| ComponentError::Io(error.to_string()))?;
        let key = row_key(id);
        if let Some(start) = start
            && self.start(&info)?.is_none()
        {
            self.store
                .catalog_put(START_KIND, &key, 0, &start.encode_to_vec())?;
        }
        self.store.catalog_put(KIND, &key, 0, &row)?;
        self.rows
            .lock()
            .entry(id.component_id)
            .or_default()
            .insert(id.version, Arc::clone(&info));
        self.keep(id, loaded);
        Ok(info)
    }

    /// A component version that is ready to be instantiated. Reads compiled code from disk (half a millisecond) when it
    /// is not in memory, and compiles only if that code is gone.
    pub(crate) fn loaded(
        &self,
        id: ComponentId,
        version: Option<ComponentVersion>,
    ) -> Result<Arc<Loaded>, ComponentError> {
        let info = self.get(id, version)?;
        let key = (id, info.versioned_component_id.version);
        {
            let mut cache = self.loaded.lock();
            cache.clock += 1;
            let clock = cache.clock;
            if let Some((loaded, used)) = cache.entries.get_mut(&key) {
                *used = clock;
                return Ok(Arc::clone(loaded));
            }
        }
        let read = || {
            self.blobs
                .get(&info.wasm_hash)
                .map_err(wasmtime::Error::from)
        };
        let component = self
            .code
            .load(&self.engine, &info.wasm_hash, read)
            .map_err(|error| ComponentError::Compile(format!("{error:#}")))?;
        let loaded = self.link(&component, &info)?;
        let loaded = Arc::new(loaded);
        self.keep(info.versioned_component_id, Arc::clone(&loaded));
        Ok(loaded)
    }

    fn link(
        &self,
        component: &Component,
        info: &Arc<ComponentInfo>,
    ) -> Result<Loaded, ComponentError> {
        let initial = InitialFiles::new(&info.files, &self.blobs);
        Loaded::new(&self.engine, component, Arc::clone(info), initial)
            .map_err(|error| ComponentError::Compile(format!("{error:#}")))
    }

    /// The contents of the initial files of a version. Errors: those of [`Self::get`] and of reading.
    pub(crate) fn files(
        &self,
        id: ComponentId,
        version: Option<ComponentVersion>,
    ) -> Result<Vec<NewFile>, ComponentError> {
        let info = self.get(id, version)?;
        let files = info.files.iter().map(|file| {
            Ok(NewFile {
                path: file.path.clone(),
                permissions: file.permissions,
                content: self.blobs.get(&file.key)?,
            })
        });
        files.collect()
    }

    /// The content of one of them; `path` may leave the first `/` out. Errors: `FileNotFound`, and those of [`Self::files`].
    pub(crate) fn file(
        &self,
        id: ComponentId,
        version: ComponentVersion,
        path: &str,
    ) -> Result<Vec<u8>, ComponentError> {
        let info = self.get(id, Some(version))?;
        let relative = |path: &str| path.trim_start_matches('/').to_owned();
        let wanted = relative(path);
        let found = info
            .files
            .iter()
            .find(|file| relative(&file.path) == wanted);
        let found = found.ok_or_else(|| ComponentError::FileNotFound {
            component: id,
            version,
            path: path.to_owned(),
        })?;
        Ok(self.blobs.get(&found.key)?)
    }

    fn keep(&self, id: VersionedComponentId, loaded: Arc<Loaded>) {
        let mut cache = self.loaded.lock();
        cache.clock += 1;
        let clock = cache.clock;
        cache
            .entries
            .insert((id.component_id, id.version), (loaded, clock));
        if cache.entries.len() > LOADED_COMPONENTS_MAX
            && let Some(oldest) = cache
                .entries
                .iter()
                .min_by_key(|(_, (_, used))| *used)
                .map(|(key, _)| *key)
        {
            cache.entries.remove(&oldest);
        }
    }
}

/// Whether the workers of a version are to begin where its start-up code has left off.
fn shares_start(component: &ComponentInfo) -> bool {
    let declared = component.capabilities.as_ref();
    declared.is_some_and(|declared| declared.start == StartUp::Shared)
}

/// Runs what may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ComponentError> + Send + 'static,
) -> Result<T, ComponentError> {
    let work = tokio::task::spawn_blocking(work);
    work.await
        .map_err(|error| ComponentError::Compile(error.to_string()))?
}

fn row_key(id: VersionedComponentId) -> Vec<u8> {
    let mut key = id.component_id.0.as_bytes().to_vec();
    key.extend(id.version.to_be_bytes());
    key
}

/// Refuses what is no component before it reaches the compiler, with words that help.
fn check_is_component(wasm: &[u8]) -> Result<(), ComponentError> {
    match wasm {
        [b'\0', b'a', b's', b'm', _, _, 1, 0, ..] => Ok(()),
        [b'\0', b'a', b's', b'm', 1, 0, 0, 0, ..] => {
            Err(ComponentError::NotAComponent("it is a core module".into()))
        }
        [] => Err(ComponentError::NotAComponent("it is empty".into())),
        _ => Err(ComponentError::NotAComponent(
            "it does not begin with the WebAssembly magic number".into(),
        )),
    }
}

fn check_name(name: &str) -> Result<(), ComponentError> {
    let good = |c: char| c.is_ascii_alphanumeric() || "-_:./".contains(c);
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || !name.chars().all(good) {
        return Err(ComponentError::BadName(name.to_owned()));
    }
    Ok(())
}
