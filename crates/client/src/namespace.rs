// SPDX-License-Identifier: Apache-2.0
//! THE PHONE / namespace: namespaces and grants of a server. In names, out bodies of the API. Never prints.
//! Read next: golem-server `http/namespace.rs`.

use golem_model::Namespace;
use golem_model::api::{GrantId, GrantInfo, GrantRequest, NamespaceInfo, NamespaceRequest};

use crate::client::Client;
use crate::error::ClientError;
use crate::transport::Request;

impl Client {
    /// The namespaces that the one who asks may know of. Errors: as for every call (crate documentation).
    pub fn namespaces(&self) -> Result<Vec<NamespaceInfo>, ClientError> {
        self.transport.json(Request::get("/v1/namespaces"))
    }

    /// Makes a namespace. Errors: `Refused`, of kind `Conflict` when the name is taken.
    pub fn create_namespace(&self, name: Namespace) -> Result<NamespaceInfo, ClientError> {
        let request = NamespaceRequest { name };
        self.transport
            .json(Request::post("/v1/namespaces").body(&request))
    }

    /// Deletes an empty namespace; returns what it was. Errors: `Refused`, of kind `NotFound`, or `Conflict` when something is in it.
    pub fn delete_namespace(&self, name: &Namespace) -> Result<NamespaceInfo, ClientError> {
        self.transport
            .json(Request::delete(format!("/v1/namespaces/{name}")))
    }

    /// The grants from a namespace and to it. Errors: `Refused`, of kind `NotFound`.
    pub fn grants(&self, name: &Namespace) -> Result<Vec<GrantInfo>, ClientError> {
        self.transport
            .json(Request::get(format!("/v1/namespaces/{name}/grants")))
    }

    /// Lets workers of another namespace, the one of the request, call workers of `target`. Errors: `Refused`, of kind `NotFound` when one
    /// of the two is not there.
    pub fn grant(
        &self,
        target: &Namespace,
        request: &GrantRequest,
    ) -> Result<GrantInfo, ClientError> {
        self.transport
            .json(Request::post(format!("/v1/namespaces/{target}/grants")).body(request))
    }

    /// Takes a grant to `target` back; returns what it was. Errors: `Refused`, of kind `NotFound`.
    pub fn revoke_grant(&self, target: &Namespace, id: GrantId) -> Result<GrantInfo, ClientError> {
        self.transport.json(Request::delete(format!(
            "/v1/namespaces/{target}/grants/{id}"
        )))
    }
}
