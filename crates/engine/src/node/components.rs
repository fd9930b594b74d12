// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / node/components: uploads and what is known of components. In: wasm. Out: versions, names, code.
//! Read next: `../component/catalog.rs`.

use std::sync::Arc;

use golem_model::component::{Component, ComponentType};
use golem_model::{ComponentId, ComponentVersion};

use super::Node;
use crate::component::loaded::Loaded;
use crate::error::ComponentError;

impl Node {
    /// Takes a new component. Durable on return.
    pub async fn create_component(
        &self,
        name: &str,
        kind: ComponentType,
        wasm: Vec<u8>,
    ) -> Result<Arc<Component>, ComponentError> {
        self.catalog.create(name, kind, wasm).await
    }

    /// Takes a new version of a component; `kind` stays as it is when absent. Durable on return.
    pub async fn update_component(
        &self,
        id: ComponentId,
        kind: Option<ComponentType>,
        wasm: Vec<u8>,
    ) -> Result<Arc<Component>, ComponentError> {
        self.catalog.update(id, kind, wasm).await
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

    /// Every version of every component, or of the one that is called `name`.
    pub fn components(&self, name: Option<&str>) -> Result<Vec<Arc<Component>>, ComponentError> {
        Ok(self.catalog.list(name))
    }

    /// The wasm of a version as it was uploaded.
    pub fn component_wasm(
        &self,
        id: ComponentId,
        version: Option<ComponentVersion>,
    ) -> Result<Vec<u8>, ComponentError> {
        self.catalog.wasm(id, version)
    }

    /// The component that is called `name`.
    pub fn component_named(&self, name: &str) -> Result<ComponentId, ComponentError> {
        self.catalog.named(name)
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
