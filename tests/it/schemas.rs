// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / schemas: what commands print with `--format json` is what docs/schemas/cli/v1 says. In real output of the real program,
//! out the first place that is not as promised. That every command has a schema: golem-cli `schemas.rs`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// The committed schemas.
fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schemas/cli/v1")
}

fn schema(name: &str) -> Result<Value> {
    let path = dir().join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    Ok(serde_json::from_str(&text)?)
}

/// Checks a document against the schema of a command.
pub(crate) fn check(command: &str, document: &Value) -> Result<()> {
    let index = schema("index")?;
    let name = index["commands"][command]
        .as_str()
        .with_context(|| format!("no schema for {command}"))?;
    named(name, document).with_context(|| format!("{command}: {document:#}"))
}

/// Checks a document against a schema.
pub(crate) fn named(name: &str, document: &Value) -> Result<()> {
    let root = schema(name)?;
    Place {
        root: &root,
        path: name.to_owned(),
    }
    .check(&root, document)
}

/// The keywords that the schemas use; another one is an error, because it would say nothing.
const KEYWORDS: &[&str] = &[
    "$schema",
    "$defs",
    "$ref",
    "title",
    "description",
    "type",
    "enum",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "anyOf",
    "minimum",
    "pattern",
    "format",
];

struct Place<'a> {
    root: &'a Value,
    path: String,
}

impl Place<'_> {
    fn check(&self, schema: &Value, value: &Value) -> Result<()> {
        let path = &self.path;
        let Some(rules) = schema.as_object() else {
            bail!("{path}: the schema is no object");
        };
        for keyword in rules.keys() {
            if !KEYWORDS.contains(&keyword.as_str()) {
                bail!("{path}: the keyword {keyword} is not checked here");
            }
        }
        if let Some(reference) = rules.get("$ref").and_then(Value::as_str) {
            return match reference.strip_prefix("#/$defs/") {
                Some(name) => self.check(&self.root["$defs"][name], value),
                None => {
                    named(reference.trim_end_matches(".json"), value).with_context(|| path.clone())
                }
            };
        }
        if let Some(choices) = rules.get("anyOf").and_then(Value::as_array)
            && !choices
                .iter()
                .any(|choice| self.check(choice, value).is_ok())
        {
            bail!("{path}: none of the choices fits {value}");
        }
        if let Some(allowed) = rules.get("type") {
            let allowed: Vec<&str> = match allowed {
                Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
                one => one.as_str().into_iter().collect(),
            };
            if !allowed.iter().any(|kind| is(kind, value)) {
                bail!("{path}: {value} is not of {allowed:?}");
            }
        }
        if let Some(allowed) = rules.get("enum").and_then(Value::as_array)
            && !allowed.contains(value)
        {
            bail!("{path}: {value} is none of {allowed:?}");
        }
        if let Some(fields) = value.as_object() {
            let known = schema["properties"].as_object();
            for name in schema["required"].as_array().into_iter().flatten() {
                let name = name.as_str().unwrap_or_default();
                if !fields.contains_key(name) {
                    bail!("{path}: {name} is missing");
                }
            }
            for (name, field) in fields {
                match known.and_then(|known| known.get(name)) {
                    Some(rule) => self.below(name).check(rule, field)?,
                    None if schema["additionalProperties"] == Value::Bool(false) => {
                        bail!("{path}: {name} is not in the schema");
                    }
                    None => {}
                }
            }
        }
        if let (Some(items), Some(rule)) = (value.as_array(), rules.get("items")) {
            for (at, item) in items.iter().enumerate() {
                self.below(&at.to_string()).check(rule, item)?;
            }
        }
        Ok(())
    }

    fn below(&self, name: &str) -> Self {
        Place {
            root: self.root,
            path: format!("{}/{name}", self.path),
        }
    }
}

/// Whether a value is of a type of JSON Schema.
fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        _ => false,
    }
}

#[test]
fn what_is_not_promised_is_found() -> Result<()> {
    let good = serde_json::json!({"redeployed": ["urn:worker:x/y"], "failed": []});
    named("redeployed", &good)?;
    for bad in [
        serde_json::json!({"redeployed": []}),
        serde_json::json!({"redeployed": [3], "failed": []}),
        serde_json::json!({"redeployed": [], "failed": [], "more": 1}),
        serde_json::json!([]),
    ] {
        assert!(named("redeployed", &bad).is_err(), "{bad}");
    }
    Ok(())
}
