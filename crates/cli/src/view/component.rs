// SPDX-License-Identifier: Apache-2.0
//! THE DESK / view/component: one version of a component. Read next: `cmd/component.rs`. Source: client spec §6.2.

use golem_model::capabilities::{Capabilities, EnvSource, SecretName, StartUp};
use golem_model::component::{Component, ComponentType};
use golem_model::types::functions;
use golem_model::urn::ComponentUrn;
use golem_model::{ComponentVersion, Timestamp};
use serde::Serialize;

use super::{fields, moment, size, table};

/// A component as JSON and YAML show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ComponentView {
    component_urn: String,
    component_version: ComponentVersion,
    component_name: String,
    component_size: u64,
    created_at: Timestamp,
    component_type: ComponentType,
    exports: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capabilities: Option<Capabilities>,
}

impl From<&Component> for ComponentView {
    fn from(component: &Component) -> Self {
        Self {
            component_urn: ComponentUrn::from(component.versioned_component_id.component_id)
                .to_string(),
            component_version: component.versioned_component_id.version,
            component_name: component.component_name.clone(),
            component_size: component.component_size,
            created_at: component.created_at,
            component_type: component.component_type,
            exports: functions(&component.metadata.exports)
                .map(|function| function.signature())
                .collect(),
            capabilities: component.capabilities.clone(),
        }
    }
}

/// What a component may do, one line each.
fn capability_lines(declared: &Capabilities) -> String {
    let mut lines = Vec::new();
    for rule in &declared.network.allow {
        lines.push(format!("connect to {rule}"));
    }
    for rule in &declared.network.listen {
        lines.push(format!("listen on {rule}"));
    }
    for (name, source) in &declared.env {
        lines.push(match source {
            EnvSource::Plain(value) => format!("{name}={value}"),
            EnvSource::Secret(SecretName { secret }) => format!("{name}=<secret {secret}>"),
        });
    }
    for bound in declared.limits.iter() {
        lines.push(format!("{} {}", bound.limit, bound.limit.show(bound.value)));
    }
    if lines.is_empty() {
        lines.push("nothing but computing".to_owned());
    }
    if declared.start == StartUp::Shared {
        lines.push("a start that all workers share".to_owned());
    }
    lines.iter().map(|line| format!("  {line}\n")).collect()
}

impl ComponentView {
    /// For people: a heading, the fields, one export a line.
    pub(crate) fn text(&self, heading: &str) -> String {
        let mut pairs = vec![
            ("Component URN", self.component_urn.clone()),
            ("Component name", self.component_name.clone()),
            ("Component version", self.component_version.to_string()),
            ("Component size", size(self.component_size)),
            ("Created at", moment(self.created_at)),
        ];
        if self.component_type == ComponentType::Ephemeral {
            pairs.push(("Component type", "Ephemeral".to_owned()));
        }
        let exports: String = self
            .exports
            .iter()
            .map(|export| format!("  {export}\n"))
            .collect();
        let mut text = format!("{heading}\n\n{}Exports:\n{exports}", fields(&pairs));
        if let Some(declared) = &self.capabilities {
            text.push_str("Capabilities:\n");
            text.push_str(&capability_lines(declared));
        }
        text
    }

    /// `Added new component NAME`, in bold where `bold` makes it so.
    pub(crate) fn added(&self, bold: impl Fn(&str) -> String) -> String {
        self.text(&format!(
            "Added new component {}",
            bold(&self.component_name)
        ))
    }

    /// `Updated component NAME to version N`.
    pub(crate) fn updated(&self, bold: impl Fn(&str) -> String) -> String {
        let name = bold(&self.component_name);
        self.text(&format!(
            "Updated component {name} to version {}",
            self.component_version
        ))
    }

    /// `Got metadata for component NAME`.
    pub(crate) fn got(&self, bold: impl Fn(&str) -> String) -> String {
        self.text(&format!(
            "Got metadata for component {}",
            bold(&self.component_name)
        ))
    }
}

/// A listing for people.
pub(crate) fn component_table(views: &[ComponentView]) -> String {
    let row = |view: &ComponentView| {
        vec![
            view.component_urn.clone(),
            view.component_name.clone(),
            view.component_version.to_string(),
            size(view.component_size),
            view.exports.len().to_string(),
        ]
    };
    table(
        &["URN", "Name", "Version", "Size", "Exports count"],
        views.iter().map(row),
    )
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use golem_model::ComponentId;
    use golem_model::component::{ComponentMetadata, VersionedComponentId};
    use golem_model::types::{Export, Function, NamedType};

    /// The seed page's counter.
    pub(crate) fn counter() -> Component {
        let value = NamedType {
            name: "value".into(),
            typ: golem_model::WitType::U64,
        };
        let add = Function {
            name: "add".into(),
            parameters: vec![value],
            results: vec![],
        };
        let name = "rpcdemo:component2/component2-api".to_owned();
        let component_id: ComponentId = "0d8e3a5c-1b2f-4c3d-8e9f-a0b1c2d3e4f5".parse().unwrap();
        Component {
            namespace: golem_model::Namespace::default(),
            versioned_component_id: VersionedComponentId {
                component_id,
                version: 3,
            },
            component_name: "component2".into(),
            component_size: 1239,
            metadata: ComponentMetadata {
                exports: vec![Export::Instance {
                    name,
                    functions: vec![add],
                }],
                ..ComponentMetadata::default()
            },
            created_at: Timestamp(1_733_745_600_000_000),
            component_type: ComponentType::Durable,
            files: vec![],
            installed_plugins: vec![],
            wasm_hash: String::new(),
            capabilities: None,
        }
    }

    #[test]
    fn json_has_the_keys_that_scripts_read() {
        let json = serde_json::to_value(ComponentView::from(&counter())).unwrap();
        assert_eq!(
            json["componentUrn"],
            "urn:component:0d8e3a5c-1b2f-4c3d-8e9f-a0b1c2d3e4f5"
        );
        assert_eq!(
            json["componentUrn"]
                .as_str()
                .unwrap()
                .split(':')
                .nth(2)
                .unwrap()
                .len(),
            36
        );
        assert_eq!(
            json["exports"][0],
            "rpcdemo:component2/component2-api.{add}(value: u64)"
        );
        assert_eq!(json["createdAt"], "2024-12-09T12:00:00Z");
        assert_eq!(json["componentVersion"], 3);
    }

    #[test]
    fn text_lists_exports() {
        let text = ComponentView::from(&counter()).updated(str::to_owned);
        let expect = "Updated component component2 to version 3\n\n\
            Component URN:     urn:component:0d8e3a5c-1b2f-4c3d-8e9f-a0b1c2d3e4f5\n\
            Component name:    component2\nComponent version: 3\nComponent size:    1.21 KiB\n\
            Created at:        2024-12-09 12:00:00 UTC\n\
            Exports:\n  rpcdemo:component2/component2-api.{add}(value: u64)\n";
        assert_eq!(text, expect);
    }
}
