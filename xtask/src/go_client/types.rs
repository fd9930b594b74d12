// SPDX-License-Identifier: Apache-2.0
//! THE JANITOR / go_client/types: schemas as types of Go. In: the schemas of the document. Out: declarations of those that calls
//! use. A union that is told by a tag becomes one struct with the fields of all cases, those that differ as raw JSON.
//! Read next: `calls.rs`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, bail};
use serde_json::{Map, Value as Json, json};

use super::comment;
use super::names::exported;

const REFERENCE: &str = "#/components/schemas/";

/// A type of Go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GoType {
    /// As it is written, without a star.
    pub(super) name: String,
    /// It may be null.
    pub(super) nullable: bool,
}

impl GoType {
    fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            nullable: false,
        }
    }

    /// Whether its zero value says that it is not there.
    pub(super) fn has_nil(&self) -> bool {
        self.name.starts_with("[]")
            || self.name.starts_with("map[")
            || matches!(self.name.as_str(), "json.RawMessage" | "Bytes" | "any")
    }

    /// As the type of something that may be missing.
    fn optional(&self) -> String {
        if self.has_nil() {
            self.name.clone()
        } else {
            format!("*{}", self.name)
        }
    }
}

/// The schemas, and which of them are used.
pub(super) struct Types<'a> {
    schemas: &'a Map<String, Json>,
    wanted: BTreeSet<String>,
    forms: BTreeMap<String, String>,
}

/// A field of a struct.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Field {
    says: String,
    typ: GoType,
    required: bool,
}

impl<'a> Types<'a> {
    /// Those of a document; none is used yet.
    pub(super) fn of(document: &'a Json) -> Self {
        static NONE: std::sync::LazyLock<Map<String, Json>> = std::sync::LazyLock::new(Map::new);
        Self {
            schemas: document
                .pointer("/components/schemas")
                .and_then(Json::as_object)
                .unwrap_or(&NONE),
            wanted: BTreeSet::new(),
            forms: BTreeMap::new(),
        }
    }

    fn named(&self, name: &str) -> anyhow::Result<&'a Json> {
        self.schemas
            .get(name)
            .with_context(|| format!("no schema `{name}`"))
    }

    /// The type of a schema. What it needs is declared.
    pub(super) fn typ(&mut self, schema: &Json) -> anyhow::Result<GoType> {
        if let Some(reference) = schema.get("$ref").and_then(Json::as_str) {
            let name = reference
                .strip_prefix(REFERENCE)
                .with_context(|| format!("`{reference}` is no schema"))?;
            let target = self.named(name)?;
            if is_declared(target) {
                self.wanted.insert(name.to_owned());
                return Ok(GoType::new(exported(name)));
            }
            return self.typ(target);
        }
        for joined in ["anyOf", "oneOf"] {
            let Some(all) = schema.get(joined).and_then(Json::as_array) else {
                continue;
            };
            let is_null = |schema: &&Json| schema.get("type") == Some(&json!("null"));
            let others: Vec<&Json> = all.iter().filter(|schema| !is_null(schema)).collect();
            if let [one] = others.as_slice() {
                let mut typ = self.typ(one)?;
                typ.nullable = all.len() > 1;
                return Ok(typ);
            }
        }
        if let Some([one]) = schema
            .get("allOf")
            .and_then(Json::as_array)
            .map(Vec::as_slice)
        {
            return self.typ(one);
        }
        let mut nullable = false;
        let kind = match schema.get("type") {
            Some(Json::String(kind)) => kind.as_str(),
            Some(Json::Array(kinds)) => {
                nullable = kinds.contains(&json!("null"));
                let kind = kinds
                    .iter()
                    .filter_map(Json::as_str)
                    .find(|kind| *kind != "null");
                kind.unwrap_or_default()
            }
            _ => "",
        };
        let format = schema
            .get("format")
            .and_then(Json::as_str)
            .unwrap_or_default();
        let name = match (kind, format) {
            ("string", "date-time") => "time.Time".into(),
            ("string", _) => "string".into(),
            ("boolean", _) => "bool".into(),
            ("integer", "uint64" | "uint32" | "int32" | "uint8") => format.to_owned(),
            ("integer", _) => "int64".into(),
            ("number", _) => "float64".into(),
            ("array", _) => match self
                .typ(schema.get("items").unwrap_or(&Json::Null))?
                .name
                .as_str()
            {
                "uint8" => "Bytes".into(),
                inner => format!("[]{inner}"),
            },
            ("object", _) => match schema.get("additionalProperties") {
                Some(inner @ Json::Object(_)) => format!("map[string]{}", self.typ(inner)?.name),
                _ => "json.RawMessage".into(),
            },
            _ => "json.RawMessage".into(),
        };
        Ok(GoType { name, nullable })
    }

    /// Declares the struct of a form, and returns its name.
    pub(super) fn form(&mut self, operation: &str, schema: &Json) -> anyhow::Result<String> {
        let name = format!("{operation}Form");
        let mut text = comment("", &format!("{name} is what {operation} takes."));
        text.push_str(&format!("type {name} struct {{\n"));
        let required = required(schema);
        for (part, schema) in properties(schema) {
            let mut typ = self.typ(schema)?;
            if schema.get("format") == Some(&json!("binary")) {
                typ = GoType::new("[]byte");
            }
            let must = required.contains(part.as_str());
            let says = description(schema);
            let note = if must { "" } else { " It may be left out." };
            text.push_str(&comment("\t", &format!("{}.{note}", sentence(&says))));
            // Texts that are empty and bytes that are not there are not sent.
            let typ = if must || typ.has_nil() || is_text(&typ, self.schemas) {
                typ.name
            } else {
                typ.optional()
            };
            text.push_str(&format!("\t{} {typ}\n\n", exported(part)));
        }
        text.truncate(text.trim_end().len());
        text.push_str("\n}\n");
        self.forms.insert(name.clone(), text);
        Ok(name)
    }

    /// All declarations that are used, by name.
    pub(super) fn declarations(mut self) -> anyhow::Result<String> {
        // What every failure has.
        self.wanted.insert("ErrorBody".into());
        let mut done: BTreeMap<String, String> = BTreeMap::new();
        while let Some(name) = self
            .wanted
            .iter()
            .find(|name| !done.contains_key(*name))
            .cloned()
        {
            if self.schemas.contains_key(&name) {
                let text = self.declaration(&name)?;
                done.insert(name, text);
            } else {
                done.insert(name, String::new());
            }
        }
        let forms = self.forms.values();
        let all: Vec<&String> = done
            .values()
            .filter(|text| !text.is_empty())
            .chain(forms)
            .collect();
        Ok(all.iter().map(|text| format!("\n{text}")).collect())
    }

    fn declaration(&mut self, name: &str) -> anyhow::Result<String> {
        let schema = self.named(name)?;
        let go = exported(name);
        let says = format!("{go}: {}", description(schema));
        let mut text = comment("", &says);
        if let Some(values) = constants(schema) {
            text.push_str(&format!("type {go} string\n\n"));
            text.push_str(&comment("", &format!("The values of {go}.")));
            text.push_str("const (\n");
            for (value, says) in values {
                if !says.is_empty() {
                    text.push_str(&comment("\t", &says));
                }
                text.push_str(&format!("\t{go}{} {go} = {value:?}\n\n", exported(&value)));
            }
            text.truncate(text.trim_end().len());
            text.push_str("\n)\n");
            return Ok(text);
        }
        let fields = match schema.get("oneOf").and_then(Json::as_array) {
            Some(cases) => self.cases(name, cases, &mut text)?,
            None => self.fields(schema)?,
        };
        text.push_str(&format!("type {go} struct {{\n"));
        for (key, field) in fields {
            if !field.says.is_empty() {
                text.push_str(&comment("\t", &field.says));
            }
            let (typ, omit) = if field.required && !field.typ.nullable {
                (field.typ.name.clone(), "")
            } else if field.required {
                (field.typ.optional(), "")
            } else {
                (field.typ.optional(), ",omitempty")
            };
            text.push_str(&format!(
                "\t{} {typ} `json:\"{key}{omit}\"`\n\n",
                exported(&key)
            ));
        }
        text.truncate(text.trim_end().len());
        text.push_str("\n}\n");
        Ok(text)
    }

    fn fields(&mut self, schema: &Json) -> anyhow::Result<Vec<(String, Field)>> {
        let mut fields = Vec::new();
        if let Some(reference) = schema.get("$ref").and_then(Json::as_str) {
            let name = reference.strip_prefix(REFERENCE).unwrap_or_default();
            let target = self.named(name)?;
            fields.extend(self.fields(target)?);
        }
        for part in schema
            .get("allOf")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
        {
            fields.extend(self.fields(part)?);
        }
        let required = required(schema);
        for (key, schema) in properties(schema) {
            fields.push((
                key.clone(),
                Field {
                    says: description(schema),
                    typ: self.typ(schema)?,
                    required: required.contains(key.as_str()),
                },
            ));
        }
        Ok(fields)
    }

    /// The fields of all cases. The tag is there always, the others where the case has them.
    fn cases(
        &mut self,
        name: &str,
        cases: &[Json],
        text: &mut String,
    ) -> anyhow::Result<Vec<(String, Field)>> {
        let tag = tag(cases);
        if tag.is_none() && !cases.iter().all(|case| properties(case).count() == 1) {
            bail!("`{name}` is a union that is not told by a tag");
        }
        let mut all: Vec<(String, Field)> = Vec::new();
        let mut told = Vec::new();
        for case in cases {
            for (key, mut field) in self.fields(case)? {
                if Some(key.as_str()) == tag {
                    let value = case
                        .pointer(&format!("/properties/{key}/const"))
                        .and_then(Json::as_str)
                        .unwrap_or_default();
                    told.push((value.to_owned(), description(case)));
                    field.required = true;
                    field.says = "Which case it is.".into();
                } else {
                    field.required = false;
                }
                match all.iter_mut().find(|(known, _)| *known == key) {
                    None => all.push((key, field)),
                    Some((_, known)) if known.typ.name == field.typ.name => {}
                    Some((_, known)) => {
                        known.typ = GoType::new("json.RawMessage");
                        known.says = "Its type depends on the case.".into();
                    }
                }
            }
        }
        if !told.is_empty() {
            text.push_str("//\n");
            for (value, says) in told {
                text.push_str(&comment("", &format!("  - {value}: {says}")));
            }
        }
        Ok(all)
    }
}

/// The property that tells cases apart.
fn tag(cases: &[Json]) -> Option<&str> {
    let (name, _) = properties(cases.first()?).find(|(_, schema)| schema.get("const").is_some())?;
    let all = cases.iter().all(|case| {
        properties(case).any(|(key, schema)| key == name && schema.get("const").is_some())
    });
    all.then_some(name.as_str())
}

/// Whether a schema becomes a type of its own.
fn is_declared(schema: &Json) -> bool {
    properties(schema).next().is_some()
        || schema.get("oneOf").is_some()
        || schema.get("enum").is_some()
}

fn is_text(typ: &GoType, schemas: &Map<String, Json>) -> bool {
    typ.name == "string"
        || schemas
            .iter()
            .any(|(name, schema)| exported(name) == typ.name && constants(schema).is_some())
}

/// The values of an enumeration with what they mean.
fn constants(schema: &Json) -> Option<Vec<(String, String)>> {
    if let Some(values) = schema.get("enum").and_then(Json::as_array) {
        let values = values.iter().filter_map(Json::as_str);
        return Some(
            values
                .map(|value| (value.to_owned(), String::new()))
                .collect(),
        );
    }
    let cases = schema.get("oneOf")?.as_array()?;
    let mut values = Vec::new();
    for case in cases {
        if let Some(value) = case.get("const").and_then(Json::as_str) {
            values.push((value.to_owned(), description(case)));
        } else if let Some(more) = constants(case) {
            values.extend(more);
        } else {
            return None;
        }
    }
    Some(values)
}

fn properties(schema: &Json) -> impl Iterator<Item = (&String, &Json)> {
    schema
        .get("properties")
        .and_then(Json::as_object)
        .into_iter()
        .flatten()
}

fn required(schema: &Json) -> BTreeSet<&str> {
    let list = schema.get("required").and_then(Json::as_array);
    list.into_iter()
        .flatten()
        .filter_map(Json::as_str)
        .collect()
}

fn description(schema: &Json) -> String {
    schema
        .get("description")
        .and_then(Json::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// A text as the beginning of a sentence.
pub(super) fn sentence(text: &str) -> String {
    let mut chars = text.trim_end_matches('.').chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}
