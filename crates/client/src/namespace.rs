// SPDX-License-Identifier: Apache-2.0
//! THE DESK / client/namespace: namespaces and grants of a server. In names, out bodies of the API. Never prints.
//! Read next: `../cmd/namespace.rs`, golem-server `http/namespace.rs`.

use golem_model::Namespace;
use golem_model::api::{GrantId, GrantInfo, GrantRequest, NamespaceInfo, NamespaceRequest};

use super::Client;
use super::transport::Request;
use crate::error::Failure;

impl Client {
    /// Those that the one who asks may know of.
    pub(crate) fn namespaces(&self) -> Result<Vec<NamespaceInfo>, Failure> {
        self.transport.json(Request::get("/v1/namespaces"))
    }

    /// Makes one.
    pub(crate) fn create_namespace(&self, name: Namespace) -> Result<NamespaceInfo, Failure> {
        let request = NamespaceRequest { name };
        self.transport
            .json(Request::post("/v1/namespaces").body(&request))
    }

    /// Deletes an empty one.
    pub(crate) fn delete_namespace(&self, name: &Namespace) -> Result<NamespaceInfo, Failure> {
        self.transport
            .json(Request::delete(format!("/v1/namespaces/{name}")))
    }

    /// Grants from a namespace and to it.
    pub(crate) fn grants(&self, name: &Namespace) -> Result<Vec<GrantInfo>, Failure> {
        self.transport
            .json(Request::get(format!("/v1/namespaces/{name}/grants")))
    }

    /// Lets others call workers of `target`.
    pub(crate) fn grant(
        &self,
        target: &Namespace,
        request: &GrantRequest,
    ) -> Result<GrantInfo, Failure> {
        self.transport
            .json(Request::post(format!("/v1/namespaces/{target}/grants")).body(request))
    }

    /// Takes a grant to `target` back.
    pub(crate) fn revoke_grant(
        &self,
        target: &Namespace,
        id: GrantId,
    ) -> Result<GrantInfo, Failure> {
        self.transport.json(Request::delete(format!(
            "/v1/namespaces/{target}/grants/{id}"
        )))
    }
}
