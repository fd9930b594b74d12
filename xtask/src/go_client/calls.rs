// SPDX-License-Identifier: Apache-2.0
//! THE JANITOR / go_client/calls: operations as methods of Go. In: the paths of the document. Out: methods, and structs for what
//! may be left out. Each takes a context first. Read next: `types.rs`, `sdk/go/client/client.go` (what methods are made of).

use anyhow::{Context as _, bail};
use serde_json::{Value as Json, json};

use super::names::{exported, local};
use super::types::{Types, sentence};
use super::{LEFT_OUT, comment};

/// An operation.
pub(super) struct Call<'a> {
    path: &'a str,
    verb: &'a str,
    id: &'a str,
    operation: &'a Json,
}

/// Those that the client has, in the order of the document.
pub(super) fn calls(document: &Json) -> anyhow::Result<Vec<Call<'_>>> {
    let paths = document
        .get("paths")
        .and_then(Json::as_object)
        .context("the document has no paths")?;
    let mut calls = Vec::new();
    for (path, verbs) in paths {
        for (verb, operation) in verbs.as_object().into_iter().flatten() {
            let id = operation
                .get("operationId")
                .and_then(Json::as_str)
                .with_context(|| format!("{verb} {path} has no id"))?;
            let responses = operation.get("responses").and_then(Json::as_object);
            let answers = responses.is_some_and(|all| all.contains_key("200"));
            let absent = operation.pointer("/tags/0") == Some(&json!("Not here"));
            if answers && !absent && !LEFT_OUT.contains(&id) {
                calls.push(Call {
                    path,
                    verb,
                    id,
                    operation,
                });
            }
        }
    }
    Ok(calls)
}

/// Schemas of parts of forms that are sent as JSON; those of all others are texts.
const JSON_PARTS: [&str; 2] = [
    "#/components/schemas/FilesPermissions",
    "#/components/schemas/Capabilities",
];

/// What a method takes as its body.
enum Body {
    None,
    Json(String),
    Form(String),
    Bytes,
}

/// What it returns.
enum Answer {
    Nothing,
    Value(String),
    Struct(String),
    Bytes,
}

impl Call<'_> {
    fn parameters(&self, place: &str) -> Vec<&Json> {
        let all = self.operation.get("parameters").and_then(Json::as_array);
        all.into_iter()
            .flatten()
            .filter(|parameter| parameter.get("in") == Some(&json!(place)))
            .collect()
    }

    fn body(&self, name: &str, types: &mut Types<'_>) -> anyhow::Result<Body> {
        let content = self.operation.pointer("/requestBody/content");
        let Some((kind, content)) = content
            .and_then(Json::as_object)
            .and_then(|all| all.iter().next())
        else {
            return Ok(Body::None);
        };
        let schema = content.get("schema").unwrap_or(&Json::Null);
        Ok(match kind.as_str() {
            "application/json" => Body::Json(types.typ(schema)?.name),
            "multipart/form-data" => Body::Form(types.form(name, schema)?),
            "application/octet-stream" => Body::Bytes,
            other => bail!("{}: nobody knows how to send {other}", self.id),
        })
    }

    fn answer(&self, types: &mut Types<'_>) -> anyhow::Result<Answer> {
        let content = self.operation.pointer("/responses/200/content");
        let (kind, content) = content
            .and_then(Json::as_object)
            .and_then(|all| all.iter().next())
            .with_context(|| format!("{} answers nothing", self.id))?;
        if kind != "application/json" {
            return Ok(Answer::Bytes);
        }
        let schema = content.get("schema").unwrap_or(&Json::Null);
        if schema.get("$ref") == Some(&json!("#/components/schemas/Empty")) {
            return Ok(Answer::Nothing);
        }
        let typ = types.typ(schema)?;
        let plain = typ.has_nil() || matches!(typ.name.as_str(), "bool" | "string" | "uint64");
        Ok(if plain {
            Answer::Value(typ.name)
        } else {
            Answer::Struct(typ.name)
        })
    }

    /// The method, and the struct of its options.
    pub(super) fn method(&self, types: &mut Types<'_>) -> anyhow::Result<String> {
        let name = exported(self.id);
        let mut takes = vec!["ctx context.Context".to_owned()];
        for parameter in self.parameters("path") {
            let typ = types
                .typ(parameter.get("schema").unwrap_or(&Json::Null))?
                .name;
            takes.push(format!("{} {typ}", local(text(parameter, "name"))));
        }
        let (mut sets, mut options) = (String::new(), String::new());
        for parameter in self.parameters("query") {
            let key = text(parameter, "name");
            let typ = types
                .typ(parameter.get("schema").unwrap_or(&Json::Null))?
                .name;
            if parameter.get("required") == Some(&json!(true)) {
                let local = local(key);
                takes.push(format!("{local} {typ}"));
                sets.push_str(&format!(
                    "\tquery.Set({key:?}, {})\n",
                    written(&local, &typ)
                ));
            } else {
                let field = exported(key);
                options.push_str(&option(&field, parameter, &typ));
                sets.push_str(&set("query", key, &format!("options.{field}"), &typ));
            }
        }
        for parameter in self.parameters("header") {
            let key = text(parameter, "name");
            let field = exported(key);
            options.push_str(&option(&field, parameter, "string"));
            sets.push_str(&set("header", key, &format!("options.{field}"), "string"));
        }
        let body = self.body(&name, types)?;
        match &body {
            Body::None => {}
            Body::Json(typ) => takes.push(format!("body {typ}")),
            Body::Form(typ) => takes.push(format!("form {typ}")),
            Body::Bytes => takes.push("body []byte".into()),
        }
        let mut out = String::new();
        if !options.is_empty() {
            options.truncate(options.trim_end().len());
            let says = format!(
                "{name}Options: what {name} may be told beside; all of it may be left out."
            );
            out.push_str(&format!(
                "\n{}type {name}Options struct {{\n{options}\n}}\n",
                comment("", &says)
            ));
            takes.push(format!("options *{name}Options"));
        }
        let answer = self.answer(types)?;
        let says = self.operation.pointer("/responses/200/description");
        let says = says.and_then(Json::as_str).unwrap_or_default();
        let what = format!(
            "{name}: {}. Answers: {}. It is {} {}.",
            sentence(text(self.operation, "summary")),
            says.trim_end_matches('.'),
            self.verb.to_uppercase(),
            self.path,
        );
        let returns = match &answer {
            Answer::Nothing => "error".to_owned(),
            Answer::Value(typ) => format!("({typ}, error)"),
            Answer::Struct(typ) => format!("(*{typ}, error)"),
            Answer::Bytes => "([]byte, error)".into(),
        };
        out.push_str(&format!(
            "\n{}func (c *Client) {name}({}) {returns} {{\n",
            comment("", &what),
            takes.join(", ")
        ));
        out.push_str("\tquery, header := url.Values{}, http.Header{}\n");
        if !options.is_empty() {
            out.push_str(&format!(
                "\tif options == nil {{\n\t\toptions = &{name}Options{{}}\n\t}}\n"
            ));
        }
        out.push_str(&sets);
        out.push_str(&format!(
            "\trequest := request{{verb: {:?}, path: {}, query: query, header: header}}\n",
            self.verb.to_uppercase(),
            self.path_expression()
        ));
        out.push_str(&match &body {
            Body::None => String::new(),
            Body::Json(_) => "\trequest.json = body\n".into(),
            Body::Bytes => "\trequest.bytes = body\n".into(),
            Body::Form(_) => self.form_parts(),
        });
        out.push_str(&match &answer {
            Answer::Nothing => "\treturn c.do(ctx, request, nil)\n".to_owned(),
            Answer::Bytes => "\treturn c.doBytes(ctx, request)\n".into(),
            Answer::Value(typ) => format!(
                "\tvar answer {typ}\n\terr := c.do(ctx, request, &answer)\n\treturn answer, err\n"
            ),
            Answer::Struct(typ) => format!(
                "\tvar answer {typ}\n\tif err := c.do(ctx, request, &answer); err != nil {{\n\t\treturn nil, err\n\t}}\n\treturn &answer, nil\n"
            ),
        });
        out.push_str("}\n");
        Ok(out)
    }

    /// The path as an expression of Go.
    fn path_expression(&self) -> String {
        let mut parts = Vec::new();
        for (at, piece) in self.path.split('{').enumerate() {
            let (name, rest) = match piece.split_once('}') {
                Some((name, rest)) if at > 0 => (Some(name), rest),
                _ => (None, piece),
            };
            if let Some(name) = name {
                let function = if name == "path" {
                    "segments"
                } else {
                    "segment"
                };
                let local = local(name);
                let number = self.parameters("path").iter().any(|parameter| {
                    text(parameter, "name") == name
                        && parameter.pointer("/schema/type") == Some(&json!("integer"))
                });
                parts.push(if number {
                    written(&local, "uint64")
                } else {
                    format!("{function}({local})")
                });
            }
            if !rest.is_empty() {
                parts.push(format!("{rest:?}"));
            }
        }
        parts.join(" + ")
    }

    /// Adds the parts of a form, in the order of the document.
    fn form_parts(&self) -> String {
        let parts = self
            .operation
            .pointer("/requestBody/content/multipart~1form-data/schema/properties");
        let parts = parts.and_then(Json::as_object).into_iter().flatten();
        parts
            .map(|(name, schema)| {
                let field = format!("form.{}", exported(name));
                if schema.get("format") == Some(&json!("binary")) {
                    format!("\trequest.file({name:?}, {field})\n")
                } else if JSON_PARTS
                    .iter()
                    .any(|part| schema.get("$ref") == Some(&json!(part)))
                {
                    format!(
                        "\tif {field} != nil {{\n\t\trequest.jsonPart({name:?}, {field})\n\t}}\n"
                    )
                } else {
                    format!("\trequest.text({name:?}, string({field}))\n")
                }
            })
            .collect()
    }
}

fn text<'a>(json: &'a Json, key: &str) -> &'a str {
    json.get(key).and_then(Json::as_str).unwrap_or_default()
}

/// A field of options.
fn option(field: &str, parameter: &Json, typ: &str) -> String {
    let says = sentence(text(parameter, "description"));
    let typ = match typ {
        "uint64" => "*uint64",
        typ => typ,
    };
    format!("{}\t{field} {typ}\n\n", comment("\t", &format!("{says}.")))
}

/// A value as text.
fn written(value: &str, typ: &str) -> String {
    match typ {
        "uint64" => format!("number({value})"),
        "time.Time" => format!("moment({value})"),
        _ => value.to_owned(),
    }
}

/// Sets a parameter unless it was left out.
fn set(into: &str, key: &str, value: &str, typ: &str) -> String {
    let (is_there, text) = match typ {
        "uint64" => (format!("{value} != nil"), format!("number(*{value})")),
        "bool" => (value.to_owned(), "\"true\"".to_owned()),
        "time.Time" => (format!("!{value}.IsZero()"), format!("moment({value})")),
        "[]string" => {
            return format!(
                "\tfor _, one := range {value} {{\n\t\t{into}.Add({key:?}, one)\n\t}}\n"
            );
        }
        _ => (format!("{value} != \"\""), value.to_owned()),
    };
    format!("\tif {is_there} {{\n\t\t{into}.Set({key:?}, {text})\n\t}}\n")
}
