// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / node/namespaces: makes and deletes namespaces, gives and takes grants, and says who may call or see whom. In: names,
//! ids. Out: durable changes, yes or no. Read next: `../namespaces.rs`, `calls.rs` (`remote_function`). Why: ADR 0012.

use std::sync::Arc;

use golem_model::api::{GrantId, GrantInfo, NamespaceInfo};
use golem_model::{ComponentId, Namespace, Timestamp};
use golem_storage::StoreError;

use super::Node;
use crate::namespaces::{NamespaceError, Namespaces};
use crate::queue::Target;
use crate::rpc::RpcError;

impl Node {
    /// All namespaces by name.
    pub fn namespaces(&self) -> Vec<NamespaceInfo> {
        self.catalog.namespaces().list()
    }

    /// Whether there is a namespace of that name.
    pub fn has_namespace(&self, name: &Namespace) -> bool {
        self.catalog.namespaces().has(name)
    }

    /// Makes a namespace. Durable on return. Errors: `AlreadyExists`, `Full`, `Store`.
    pub async fn create_namespace(&self, name: Namespace) -> Result<NamespaceInfo, NamespaceError> {
        self.change(move |namespaces, now| namespaces.create(name, now))
            .await
    }

    /// Deletes a namespace without components, with all grants from it and to it. Durable on return. Errors: `NotFound`, `NotEmpty`,
    /// `Default`, `Store`.
    pub async fn delete_namespace(&self, name: Namespace) -> Result<NamespaceInfo, NamespaceError> {
        // Nothing is uploaded into it meanwhile.
        let _upload = self.catalog.pause_uploads().await;
        let components = self.catalog.list(&name, None).len();
        if components > 0 {
            return Err(NamespaceError::NotEmpty { name, components });
        }
        self.change(move |namespaces, now| namespaces.delete(&name, now))
            .await
    }

    /// Grants from a namespace and to it, oldest first.
    pub fn grants(&self, name: &Namespace) -> Vec<GrantInfo> {
        self.catalog.namespaces().grants(name)
    }

    /// Lets workers of `caller` call those of `target`, or of one component of it. Durable on return, and from then on. Whether there is a
    /// namespace `caller` is not looked at: whoever grants does not learn it. Errors: `NotFound`, `NoComponent`, `Itself`, `Full`,
    /// `Store`.
    pub async fn grant(
        &self,
        caller: Namespace,
        target: Namespace,
        component: Option<ComponentId>,
    ) -> Result<GrantInfo, NamespaceError> {
        if let Some(component) = component {
            let found = self.catalog.get(component, None);
            if !found.is_ok_and(|found| found.namespace == target) {
                let namespace = target;
                return Err(NamespaceError::NoComponent {
                    component,
                    namespace,
                });
            }
        }
        self.change(move |namespaces, now| namespaces.grant(caller, target, component, now))
            .await
    }

    /// Takes a grant to `target` back. Durable on return, and from then on. Errors: `GrantNotFound`, `Store`.
    pub async fn revoke(
        &self,
        target: Namespace,
        id: GrantId,
    ) -> Result<GrantInfo, NamespaceError> {
        self.change(move |namespaces, now| namespaces.revoke(&target, id, now))
            .await
    }

    /// Changes wait for the disk, so they run where that is allowed.
    async fn change<T: Send + 'static>(
        &self,
        what: impl FnOnce(&Namespaces, Timestamp) -> Result<T, NamespaceError> + Send + 'static,
    ) -> Result<T, NamespaceError> {
        let namespaces = Arc::clone(self.catalog.namespaces());
        let now = Timestamp(self.clock.wall_micros());
        let done = tokio::task::spawn_blocking(move || what(&namespaces, now)).await;
        done.map_err(|error| StoreError::Io(error.to_string()))?
    }

    /// Whether two components are in the same namespace; yes where one of them does not exist, which others say.
    pub(crate) fn are_neighbours(&self, one: ComponentId, other: ComponentId) -> bool {
        one == other
            || match (self.catalog.get(one, None), self.catalog.get(other, None)) {
                (Ok(one), Ok(other)) => one.namespace == other.namespace,
                _ => true,
            }
    }

    /// Whether workers of a component may call a target at this moment. Errors: `Denied`, which says nothing of the target but what the
    /// caller has said itself.
    pub(crate) fn may_call(&self, caller: ComponentId, target: &Target) -> Result<(), RpcError> {
        let called = target.component();
        if caller == called {
            return Ok(());
        }
        let (Ok(from), Ok(to)) = (
            self.catalog.get(caller, None),
            self.catalog.get(called, None),
        ) else {
            return Ok(());
        };
        let (from, to) = (&from.namespace, &to.namespace);
        if from == to || self.catalog.namespaces().allow(from, to, called) {
            return Ok(());
        }
        Err(RpcError::Denied(format!(
            "{target} is not in the namespace `{from}`, whose workers were granted no call of it (its owner grants that: golem-cli namespace grant TARGET --caller {from})"
        )))
    }
}
