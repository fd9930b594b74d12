// SPDX-License-Identifier: Apache-2.0
//! THE PHONE / component: uploads components and finds them. In names, ids and bytes, out bodies of the API. Bound: that of the server.
//! Never reads a file. Read next: `client.rs`, `multipart.rs`. Source: client spec §6.6, docs/initial-files.md.

use golem_model::component::{Component, ComponentType, FilesPermissions, Uploaded};
use golem_model::urn::ComponentRef;
use golem_model::{ComponentId, ComponentVersion, suggest};

use crate::client::Client;
use crate::error::ClientError;
use crate::multipart::Form;
use crate::transport::Request;

/// A component as it is uploaded, beside its name and its type.
#[derive(Debug, Clone, Copy)]
pub struct Code<'a> {
    /// The component, as WebAssembly has it.
    pub wasm: &'a [u8],
    /// What it declares, as JSON of [`Capabilities`](golem_model::capabilities::Capabilities); `null` is nothing, `None` what the
    /// version before has.
    pub capabilities: Option<&'a str>,
    /// What its workers begin with; `None` is what the version before has.
    pub files: Option<&'a PackedFiles>,
}

/// The initial files of a component as they are uploaded. An archive without files takes away those of the version before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedFiles {
    /// A zip archive; the path of a file in it is that in the worker, without the `/` at its begin.
    pub archive: Vec<u8>,
    /// What guests may do with each; a file that is not named is read-only.
    pub permissions: FilesPermissions,
}

impl Code<'_> {
    /// The form with its parts.
    fn onto(self, form: Form) -> Form {
        let form = match self.capabilities {
            Some(text) => form.text("capabilities", text),
            None => form,
        };
        let form = form.file("component", "component.wasm", self.wasm);
        let Some(files) = self.files else {
            return form;
        };
        // A map of texts always has a form in JSON.
        let permissions = serde_json::to_string(&files.permissions).unwrap_or_default();
        form.json("filesPermissions", &permissions)
            .file("files", "files.zip", &files.archive)
    }
}

impl Client {
    /// All versions of all components, or of those with this name. Errors: as for every call (crate documentation).
    pub fn components(&self, name: Option<&str>) -> Result<Vec<Component>, ClientError> {
        let query = name.map(|name| ("component-name", name.to_owned()));
        self.transport
            .json(Request::get("/v1/components").query(query))
    }

    /// One version of a component; the newest without one. Errors: `Refused`, of kind `NotFound`.
    pub fn component(
        &self,
        id: ComponentId,
        version: Option<ComponentVersion>,
    ) -> Result<Component, ClientError> {
        let path = match version {
            Some(version) => format!("/v1/components/{id}/versions/{version}"),
            None => format!("/v1/components/{id}/latest"),
        };
        self.transport.json(Request::get(path))
    }

    /// The newest version of the component with this name; `None` when there is none.
    ///
    /// Errors: `ManyComponents`.
    pub fn component_named(&self, name: &str) -> Result<Option<Component>, ClientError> {
        let mut newest: Option<Component> = None;
        for component in self.components(Some(name))? {
            let id = |component: &Component| component.versioned_component_id;
            match &newest {
                Some(other) if id(other).component_id != id(&component).component_id => {
                    let ids = vec![id(other).component_id, id(&component).component_id];
                    return Err(ClientError::ManyComponents {
                        name: name.to_owned(),
                        ids,
                    });
                }
                Some(other) if id(other).version >= id(&component).version => {}
                _ => newest = Some(component),
            }
        }
        Ok(newest)
    }

    /// The newest version of a component. Errors: `NoComponent` with the name that is most like it, `ManyComponents`; for an id `Refused`,
    /// of kind `NotFound`.
    pub fn find(&self, component: &ComponentRef) -> Result<Component, ClientError> {
        match component {
            ComponentRef::Id(id) => self.component(*id, None),
            ComponentRef::Name(name) => match self.component_named(name)? {
                Some(component) => Ok(component),
                None => Err(self.no_component(name)),
            },
        }
    }

    /// The id of a component, without asking the server when it is known. Errors: as [`find`](Self::find), for a name.
    pub fn find_id(&self, component: &ComponentRef) -> Result<ComponentId, ClientError> {
        match component {
            ComponentRef::Id(id) => Ok(*id),
            ComponentRef::Name(_) => Ok(self.find(component)?.versioned_component_id.component_id),
        }
    }

    /// The error `NoComponent` for a name that no component has, with the name that was perhaps meant: the server is asked for all of
    /// them, and without an answer there is no suggestion.
    pub fn no_component(&self, name: &str) -> ClientError {
        let all = self.components(None).unwrap_or_default();
        let known = all
            .iter()
            .map(|component| component.component_name.as_str());
        let suggestion = suggest::closest(name, known).map(str::to_owned);
        ClientError::NoComponent {
            name: name.to_owned(),
            suggestion,
        }
    }

    /// Uploads a new component; returns it with what is suspicious about it. Errors: `Refused`, of kind `Conflict` when the name is taken,
    /// and for what cannot be a component.
    pub fn add_component(
        &self,
        name: &str,
        kind: ComponentType,
        code: Code<'_>,
    ) -> Result<Uploaded, ClientError> {
        let form = Form::new()
            .text("name", name)
            .text("componentType", kind_text(kind));
        self.transport
            .json(Request::post("/v1/components").form(code.onto(form)))
    }

    /// Uploads a new version of a component; without a type it keeps the one it has. Errors: `Refused`, of kind `NotFound`, and for what
    /// cannot be a component.
    pub fn update_component(
        &self,
        id: ComponentId,
        kind: Option<ComponentType>,
        code: Code<'_>,
    ) -> Result<Uploaded, ClientError> {
        let mut form = Form::new();
        if let Some(kind) = kind {
            form = form.text("componentType", kind_text(kind));
        }
        self.transport
            .json(Request::post(format!("/v1/components/{id}/updates")).form(code.onto(form)))
    }

    /// Uploads a component: adds it, or makes a new version of the one with this name.
    ///
    /// Returns what the server keeps now, and whether it is an update. Errors: as the three that it calls.
    pub fn deploy_component(
        &self,
        name: &str,
        kind: ComponentType,
        code: Code<'_>,
    ) -> Result<(Uploaded, bool), ClientError> {
        match self.component_named(name)? {
            None => self
                .add_component(name, kind, code)
                .map(|component| (component, false)),
            Some(old) => {
                let id = old.versioned_component_id.component_id;
                self.update_component(id, Some(kind), code)
                    .map(|component| (component, true))
            }
        }
    }
}

const fn kind_text(kind: ComponentType) -> &'static str {
    match kind {
        ComponentType::Durable => "Durable",
        ComponentType::Ephemeral => "Ephemeral",
    }
}
