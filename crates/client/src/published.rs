// SPDX-License-Identifier: Apache-2.0
//! THE PHONE / published: the paths of Golem 1.1 for plugins and for APIs of workers. In names and JSON, out the JSON of the
//! answer, as it is: a server that does not offer a path refuses with a code. Never prints. Source: client spec §6.2, §6.6, §6.9.

use golem_model::urn::percent_encode;
use golem_model::{ComponentId, ComponentVersion};
use serde_json::Value as Json;

use crate::client::Client;
use crate::error::ClientError;
use crate::transport::Request;

impl Client {
    /// `GET path`, with one pair of a query. Segments of the path come as they are and are percent-encoded here, in all four of these.
    ///
    /// Errors: `Refused` by a server that does not offer the path (status 404 or 501), or for another reason.
    pub fn get_json(
        &self,
        path: &[&str],
        query: Option<(&'static str, String)>,
    ) -> Result<Json, ClientError> {
        self.transport.json(Request::get(joined(path)).query(query))
    }

    /// `POST path` with a body. Errors: as [`get_json`](Self::get_json).
    pub fn post_json(&self, path: &[&str], body: &Json) -> Result<Json, ClientError> {
        self.transport.json(Request::post(joined(path)).body(body))
    }

    /// `PUT path` with a body. Errors: as [`get_json`](Self::get_json).
    pub fn put_json(&self, path: &[&str], body: &Json) -> Result<Json, ClientError> {
        self.transport.json(Request::put(joined(path)).body(body))
    }

    /// `DELETE path`. Errors: as [`get_json`](Self::get_json).
    pub fn delete_json(&self, path: &[&str]) -> Result<Json, ClientError> {
        self.transport.json(Request::delete(joined(path)))
    }

    /// Plugins of one version of a component; of the newest without one, which is asked for first. Errors: as
    /// [`get_json`](Self::get_json).
    pub fn installations(
        &self,
        component: ComponentId,
        version: Option<ComponentVersion>,
    ) -> Result<Json, ClientError> {
        let version = match version {
            Some(version) => version,
            None => {
                let newest = self.component(component, None)?;
                newest.versioned_component_id.version
            }
        };
        let (component, version) = (component.to_string(), version.to_string());
        let path = ["v1", "components", &component, "versions", &version];
        self.get_json(&[path.as_slice(), &["plugins", "installs"]].concat(), None)
    }

    /// The wasm of one version of a component, at most 256 MiB; of the newest without one. Errors: `Refused`, of kind `NotFound`.
    pub fn download(
        &self,
        component: ComponentId,
        version: Option<ComponentVersion>,
    ) -> Result<Vec<u8>, ClientError> {
        let request = Request::get(format!("/v1/components/{component}/download"));
        self.transport
            .bytes(request.query(version.map(|version| ("version", version.to_string()))))
    }
}

/// The segments as a path, each percent-encoded.
fn joined(segments: &[&str]) -> String {
    segments.iter().fold(String::new(), |path, segment| {
        path + "/" + &percent_encode(segment)
    })
}
