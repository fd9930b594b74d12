// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / node/components: uploads and what is known of components. In: wasm. Out: versions, names, code.
//! Read next: `../component/catalog.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use golem_model::component::{Component, ComponentType, VersionedComponentId};
use golem_model::oplog::SharedStart;
use golem_model::types::Export;
use golem_model::{ComponentId, ComponentName, ComponentVersion, Namespace};
use golem_storage::StoreError;

use super::Node;
use crate::component::catalog::Catalog;
use crate::component::files::Upload;
use crate::component::loaded::Loaded;
use crate::error::ComponentError;
use crate::rpc::{ExpectedStub, expected_stubs};

/// Components of one package that a stub is compared with: there is usually one.
const TARGETS_MAX: usize = 8;

impl Node {
    /// Takes a new component: its wasm, or that with initial files and what it may do. Into the default namespace when `name` is a
    /// text. Durable on return.
    pub async fn create_component(
        self: &Arc<Self>,
        name: impl Into<ComponentName>,
        kind: ComponentType,
        upload: impl Into<Upload>,
    ) -> Result<Arc<Component>, ComponentError> {
        let (name, upload) = (name.into(), upload.into());
        self.catalog.create(self, name, kind, upload).await
    }

    /// Takes a new component of the default namespace under an id that is known beforehand. Durable on return.
    pub async fn create_component_as(
        self: &Arc<Self>,
        id: ComponentId,
        name: &str,
        kind: ComponentType,
        upload: impl Into<Upload>,
    ) -> Result<Arc<Component>, ComponentError> {
        let first = VersionedComponentId {
            component_id: id,
            version: 0,
        };
        let name = name.to_owned();
        let upload = upload.into();
        self.catalog.adopt(self, first, name, kind, upload).await
    }

    /// Takes a new version of a component; `kind`, initial files and what it may do stay as they are when absent. Durable on return.
    pub async fn update_component(
        self: &Arc<Self>,
        id: ComponentId,
        kind: Option<ComponentType>,
        upload: impl Into<Upload>,
    ) -> Result<Arc<Component>, ComponentError> {
        self.catalog.update(self, id, kind, upload.into()).await
    }

    /// The stubs of a component that fit none of the targets that are here, one sentence each. A target that is not here says
    /// nothing. Bound: [`TARGETS_MAX`] targets of one package are looked at. Errors: `VersionNotFound`, and those of reading.
    pub async fn stale_stubs(
        &self,
        id: ComponentId,
        version: ComponentVersion,
    ) -> Result<Vec<String>, ComponentError> {
        if self
            .catalog
            .get(id, Some(version))?
            .metadata
            .stubs
            .is_empty()
        {
            return Ok(Vec::new());
        }
        let catalog = Arc::clone(&self.catalog);
        // Code of targets may have to be read from the disk.
        let look = tokio::task::spawn_blocking(move || stale_stubs(&catalog, id, version));
        look.await
            .map_err(|error| ComponentError::Io(error.to_string()))?
    }

    /// A version of a component, the newest by default.
    pub fn component(
        &self,
        id: ComponentId,
        version: Option<ComponentVersion>,
    ) -> Result<Arc<Component>, ComponentError> {
        self.catalog.get(id, version)
    }

    /// Every version of a component, oldest first.
    pub fn component_versions(
        &self,
        id: ComponentId,
    ) -> Result<Vec<Arc<Component>>, ComponentError> {
        self.catalog.versions(id)
    }

    /// Every version of every component of a namespace, or of the one that is called `name` there.
    pub fn components(&self, namespace: &Namespace, name: Option<&str>) -> Vec<Arc<Component>> {
        self.catalog.list(namespace, name)
    }

    /// The wasm of a version as it was uploaded.
    pub fn component_wasm(
        &self,
        id: ComponentId,
        version: Option<ComponentVersion>,
    ) -> Result<Vec<u8>, ComponentError> {
        self.catalog.wasm(id, version)
    }

    /// The content of an initial file of a version. Reads the disk. Errors: `FileNotFound`, and those of reading.
    pub fn initial_file(
        &self,
        id: ComponentId,
        version: ComponentVersion,
        path: &str,
    ) -> Result<Vec<u8>, ComponentError> {
        self.catalog.file(id, version, path)
    }

    /// The component that a worker of `caller` means by `name`: one of the same namespace.
    pub(crate) fn component_named(
        &self,
        caller: ComponentId,
        name: &str,
    ) -> Result<ComponentId, ComponentError> {
        let namespace = &self.catalog.get(caller, None)?.namespace;
        self.catalog.named(namespace, name)
    }

    /// Where the workers of a version begin that are created from now on, if they share their start.
    pub(crate) fn shared_start(
        &self,
        component: &Component,
    ) -> Result<Option<SharedStart>, StoreError> {
        self.catalog.start(component)
    }

    /// Whether the newest version of a component is ephemeral; one that does not exist is not.
    pub(crate) fn is_ephemeral(&self, id: ComponentId) -> bool {
        self.catalog
            .get(id, None)
            .is_ok_and(|component| component.component_type == ComponentType::Ephemeral)
    }

    pub(crate) fn component_loaded(
        &self,
        id: ComponentId,
        version: ComponentVersion,
    ) -> Result<Arc<Loaded>, ComponentError> {
        self.catalog.loaded(id, Some(version))
    }
}

fn stale_stubs(
    catalog: &Catalog,
    id: ComponentId,
    version: ComponentVersion,
) -> Result<Vec<String>, ComponentError> {
    let caller = catalog.loaded(id, Some(version))?;
    let component = caller.pre.component();
    let mut newest = BTreeMap::new();
    for info in catalog.list(&caller.info.namespace, None) {
        // Of one component the oldest version comes first.
        newest.insert(info.versioned_component_id.component_id, info);
    }
    let mut found = Vec::new();
    for stub in expected_stubs(component.engine(), component) {
        let targets = newest.values().filter(|info| is_target(&stub, info));
        let mut misfit = None;
        for info in targets.take(TARGETS_MAX) {
            let at = info.versioned_component_id;
            let target = catalog.loaded(at.component_id, Some(at.version))?;
            let misfits = stub.misfits(&target);
            if misfits.is_empty() {
                misfit = None;
                break;
            }
            misfit = Some(format!(
                "the stub `{}` does not fit component `{}` version {}: {}; such a call will fail, so make the stub again and build: golem-cli add-dependency, golem-cli build",
                stub.import(),
                info.component_name,
                at.version,
                misfits.join(", ")
            ));
        }
        found.extend(misfit);
    }
    Ok(found)
}

/// Whether a component exports something of the package that a stub is for.
fn is_target(stub: &ExpectedStub, info: &Component) -> bool {
    info.metadata.exports.iter().any(|export| match export {
        Export::Instance { name, .. } => stub.is_of(name),
        Export::Function(_) => false,
    })
}
