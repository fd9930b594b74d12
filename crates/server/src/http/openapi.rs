// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/openapi: what all routes take and answer, as an OpenAPI 3.1 document, at `GET /openapi.json`. In: the table of
//! routes, what `operations.rs` says of each, and the types of the bodies. Out: JSON, the same as `docs/openapi.json`, which a
//! test compares. Never written by hand. Read next: `openapi/operations.rs`. Why: docs/rest.md.

mod operations;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use axum::response::Response;
use golem_model::api_error::ErrorBody;
use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value as Json, json};

use self::operations::{Answers, Operation, Place, Takes, operations};
use super::door::all_routes;
use super::reply;
use super::routes::{Needs, Route, Routes};

/// `GET /openapi.json`.
pub(super) fn routes() -> Routes {
    Routes::new().get("/openapi.json", Needs::Nothing, show)
}

async fn show() -> Response {
    /// Written once: it depends on nothing but the program.
    static TEXT: LazyLock<String> = LazyLock::new(|| text(&document()));
    reply::fixed(TEXT.as_str())
}

/// The document as it is served and committed.
fn text(document: &Json) -> String {
    // Nothing in it can fail to be JSON.
    let mut text = serde_json::to_string_pretty(document).unwrap_or_default();
    text.push('\n');
    text
}

/// Makes the schemas of what is read and of what is written: they differ in what may be left out.
struct Schemas {
    read: SchemaGenerator,
    written: SchemaGenerator,
}

impl Schemas {
    fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
            })
        };
        Self {
            read: settings().for_deserialize().into_generator(),
            written: settings().for_serialize().into_generator(),
        }
    }

    /// All that were named, by name. A type that is read and written has two schemas if something of it may be left out; the one
    /// of what is written has to hold for both then, and the names tell.
    fn named(mut self) -> Map<String, Json> {
        let mut all = self.written.take_definitions(true);
        for (name, schema) in self.read.take_definitions(true) {
            all.entry(name).or_insert(schema);
        }
        all
    }
}

/// The whole document.
fn document() -> Json {
    let mut schemas = Schemas::new();
    let table = all_routes();
    let mut paths: Map<String, Json> = Map::new();
    for operation in operations() {
        let route = table
            .table()
            .iter()
            .find(|route| operation.is_of(route))
            .cloned();
        let needs = route.map_or(Needs::Nothing, |route| route.needs);
        let described = described(&operation, needs, &mut schemas);
        let path = paths
            .entry(plain(operation.path))
            .or_insert_with(|| json!({}));
        if let Json::Object(verbs) = path {
            verbs.insert(operation.verb.to_owned(), described);
        }
    }
    let body = schemas.written.subschema_for::<ErrorBody>();
    let failures = failures(&body);
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "golem-cli server",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Durable WebAssembly workers: components, workers, invocations",
            "description": "The REST API of Golem 1.1 for components and workers, and what this server adds. Made from the source; docs/rest.md says it in words.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "http://127.0.0.1:9881", "description": "where `golem-cli server` listens unless it is told otherwise"}],
        "tags": operations::TAGS.iter().map(|(name, says)| json!({"name": name, "description": says})).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "schemas": schemas.named(),
            "responses": failures,
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of the server. Only where it asks for one: on addresses that others reach, or with --auth. What an operation names is the least role that may: viewer, invoker, deployer, owner; each may what the ones before it may.",
                },
            },
        },
    });
    unlink(&mut document);
    document
}

/// One operation.
fn described(operation: &Operation, needs: Needs, schemas: &mut Schemas) -> Json {
    let mut parameters: Vec<Json> = Vec::new();
    for name in names(operation.path) {
        parameters.push(json!({
            "name": name,
            "in": "path",
            "required": true,
            "description": operations::segment(name),
            "schema": operations::segment_schema(name),
        }));
    }
    for parameter in &operation.parameters {
        let place = match parameter.place {
            Place::Query => "query",
            Place::Header => "header",
        };
        let mut described = json!({
            "name": parameter.name,
            "in": place,
            "required": parameter.required,
            "description": parameter.says,
            "schema": parameter.schema,
        });
        if parameter.many {
            put(
                &mut described,
                "schema",
                json!({"type": "array", "items": parameter.schema}),
            );
            put(&mut described, "explode", json!(true));
        }
        parameters.push(described);
    }
    let mut all = json!({
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.says,
        "responses": responses(operation, needs, schemas),
    });
    if !parameters.is_empty() {
        put(&mut all, "parameters", json!(parameters));
    }
    if let Some(body) = body(&operation.takes, schemas) {
        put(&mut all, "requestBody", body);
    }
    let security = match needs {
        Needs::Nothing => json!([]),
        Needs::Known => json!([{"bearer": []}]),
        Needs::Role(role) | Needs::Everywhere(role) => json!([{"bearer": [role.name()]}]),
    };
    put(&mut all, "security", security);
    all
}

fn body(takes: &Takes, schemas: &mut Schemas) -> Option<Json> {
    let of = |kind: &str, required: bool, schema: Json| {
        Some(json!({"required": required, "content": {kind: {"schema": schema}}}))
    };
    match takes {
        Takes::Nothing => None,
        Takes::Json(schema) => of("application/json", true, schema(&mut schemas.read).into()),
        Takes::OptionalJson(schema) => {
            of("application/json", false, schema(&mut schemas.read).into())
        }
        Takes::Bytes => of("application/octet-stream", true, json!({})),
        Takes::Anything => of("*/*", false, json!({})),
        Takes::Form(parts) => {
            let properties: Map<String, Json> = parts
                .iter()
                .map(|part| {
                    let schema = match part.schema {
                        Some(schema) => schema(&mut schemas.read).into(),
                        None => {
                            json!({"type": "string", "contentMediaType": "application/octet-stream"})
                        }
                    };
                    let mut schema = described_as(schema, part.says);
                    if part.schema.is_none() {
                        put(&mut schema, "format", json!("binary"));
                    }
                    (part.name.to_owned(), schema)
                })
                .collect();
            let required: Vec<&str> = parts
                .iter()
                .filter(|part| part.required)
                .map(|part| part.name)
                .collect();
            let schema = json!({"type": "object", "properties": properties, "required": required});
            of("multipart/form-data", true, schema)
        }
    }
}

/// Puts a value into an object.
fn put(object: &mut Json, key: &str, value: Json) {
    if let Json::Object(object) = object {
        object.insert(key.to_owned(), value);
    }
}

/// A schema with a description of its own, beside a reference if it is one.
fn described_as(schema: Json, says: &str) -> Json {
    match schema {
        Json::Object(mut schema) => {
            schema.insert("description".into(), json!(says));
            Json::Object(schema)
        }
        other => other,
    }
}

fn responses(operation: &Operation, needs: Needs, schemas: &mut Schemas) -> Json {
    let mut responses = Map::new();
    let (status, good) = match &operation.answers {
        Answers::Json(schema, says) => (
            "200",
            json!({"description": says, "content": {"application/json": {"schema": Json::from(schema(&mut schemas.written))}}}),
        ),
        Answers::Accepted(schema, says) => (
            "202",
            json!({"description": says, "content": {"application/json": {"schema": Json::from(schema(&mut schemas.written))}}}),
        ),
        Answers::Bytes(says) => (
            "200",
            json!({"description": says, "content": {"application/octet-stream": {"schema": {}}}}),
        ),
        Answers::Text(says) => (
            "200",
            json!({"description": says, "content": {"text/plain": {"schema": {"type": "string"}}}}),
        ),
        Answers::Events(schema, says) => {
            let event = Json::from(schema(&mut schemas.written));
            (
                "101",
                json!({"description": says, "x-websocket-message": event}),
            )
        }
        Answers::OfWorker(says) => ("default", json!({"description": says})),
        Answers::Nothing => (
            "501",
            json!({"$ref": "#/components/responses/NotImplemented"}),
        ),
    };
    let mut good = good;
    if operation.has_key() && status == "200" {
        let headers = json!({
            "Idempotency-Key": {"description": "the key of the invocation: the one that was sent, or a new one", "schema": {"type": "string"}},
        });
        put(&mut good, "headers", headers);
    }
    responses.insert(status.to_owned(), good);
    for (status, name) in operation.failures(needs) {
        responses
            .entry(status.to_string())
            .or_insert_with(|| json!({"$ref": format!("#/components/responses/{name}")}));
    }
    Json::Object(responses)
}

/// Status, name, shape, when: the failures that operations name.
const FAILURES: [(u16, &str, &str, &str); 14] = [
    (
        400,
        "BadRequest",
        "errors",
        "path, query, header, body, name, function, argument or wasm are not what is taken. Codes: API-003 to API-012, API-014, API-019, API-020, API-050, CMP-005, CMP-006, CMP-008, CMP-009, CMP-021, WRK-003, WRK-004, WRK-018, WRK-019, WRK-032, VAL-001 and more of VAL, FUN",
    ),
    (
        401,
        "Unauthorized",
        "error",
        "no token where one is asked for, or one that does not hold. Codes: API-030, API-031, API-032, API-042",
    ),
    (
        403,
        "Forbidden",
        "error",
        "the role of the token may not, or a web page of another origin asks. Codes: API-015, API-033, API-038, API-040, API-041",
    ),
    (
        404,
        "NotFound",
        "error",
        "no such component, version, worker, file, promise, token. Codes: CMP-001, CMP-003, CMP-022, WRK-001, WRK-010, WRK-020, WRK-031, WRK-034, API-001, API-035",
    ),
    (
        405,
        "MethodNotAllowed",
        "error",
        "the path does not take the verb. Codes: API-002",
    ),
    (
        408,
        "Timeout",
        "error",
        "the body came too slowly. Codes: API-008",
    ),
    (
        409,
        "Conflict",
        "error",
        "the name is taken, or the idempotency key was used for another call. Codes: CMP-004, WRK-005, API-036, API-037",
    ),
    (
        413,
        "TooLarge",
        "error",
        "the body, or a part of it, is over its limit. Codes: API-007, CMP-007, WRK-013",
    ),
    (
        429,
        "TooMany",
        "error",
        "the queue of the worker is full, or whoever asks does so too often; with Retry-After. Codes: WRK-012, API-044, API-045",
    ),
    (
        500,
        "Failed",
        "golemError",
        "the guest failed, or the server did. Codes: WRK-002, WRK-006 to WRK-009, WRK-011, WRK-014, WRK-017, WRK-033, API-016, API-017, CMP-010, STO",
    ),
    (
        501,
        "NotImplemented",
        "error",
        "a path of Golem 1.1 for something that this server does not have; the hint says what there is instead. Codes: API-051, API-052",
    ),
    (
        503,
        "Unavailable",
        "error",
        "the server stops, its disk does not keep up, or all places are taken; with Retry-After. Codes: API-018, API-021, API-023, WRK-015",
    ),
    (
        504,
        "DeadlinePassed",
        "error",
        "the deadline of the invocation passed. Codes: WRK-016",
    ),
    (
        507,
        "DiskFull",
        "error",
        "the disk of the server is nearly full; with Retry-After. Codes: API-022",
    ),
];

/// The failures, to be referred to. Each has the field of its shape, and code and message beside it.
fn failures(body: &Schema) -> Map<String, Json> {
    FAILURES
        .iter()
        .map(|(_, name, shape, says)| {
            let mut required = vec!["code", "message"];
            // A 500 of a component has the plain shape.
            if *shape != "golemError" {
                required.push(shape);
            }
            let schema = json!({"allOf": [body, {"required": required}]});
            let failure =
                json!({"description": says, "content": {"application/json": {"schema": schema}}});
            ((*name).to_owned(), failure)
        })
        .collect()
}

impl Operation {
    /// Whether it describes a route: the same path, and its verb or all of them.
    fn is_of(&self, route: &Route) -> bool {
        let verb = route.method.as_ref().map(|verb| verb.as_str());
        route.path == self.path && verb.is_none_or(|verb| verb.eq_ignore_ascii_case(self.verb))
    }

    /// Whether it has an idempotency key.
    fn has_key(&self) -> bool {
        self.parameters
            .iter()
            .any(|parameter| parameter.place == Place::Header)
    }

    /// Statuses of its failures with their names: those that follow from what it takes, and its own.
    fn failures(&self, needs: Needs) -> Vec<(u16, &'static str)> {
        if matches!(self.answers, Answers::OfWorker(_)) {
            return Vec::new();
        }
        let mut statuses: BTreeSet<u16> = BTreeSet::from([403]);
        if needs != Needs::Nothing {
            // Whoever asks too often is sent away before anything else.
            statuses.extend([401, 429, 500]);
        }
        if !names(self.path).is_empty() || !self.parameters.is_empty() {
            statuses.insert(400);
        }
        if self.path.contains("{component}") || self.path.contains("{token}") {
            statuses.insert(404);
        }
        if !matches!(self.takes, Takes::Nothing) {
            statuses.extend([400, 408, 413]);
        }
        if matches!(self.verb, "post" | "put") {
            // Who writes is sent away when the disk cannot take more.
            statuses.extend([503, 507]);
        }
        if self.path.contains("{worker}") {
            // Its task may be stopping with the server.
            statuses.insert(503);
        }
        statuses.extend(&self.fails);
        FAILURES
            .iter()
            .filter(|(status, ..)| statuses.contains(status))
            .map(|(status, name, ..)| (*status, *name))
            .collect()
    }
}

/// A path as OpenAPI writes it: a rest of several segments is one parameter.
fn plain(path: &str) -> String {
    path.replace("{*", "{")
}

/// Names of the parameters in a path.
fn names(path: &str) -> Vec<&str> {
    let parts = path.split('{').skip(1);
    parts
        .filter_map(|part| part.split('}').next())
        .map(|name| name.trim_start_matches('*'))
        .collect()
}

/// Takes the marks of rustdoc out of descriptions.
fn unlink(json: &mut Json) {
    match json {
        Json::Object(object) => {
            for (key, value) in object {
                match value {
                    Json::String(text) if key == "description" => {
                        *text = text
                            .replace("[`", "`")
                            .replace("`]", "`")
                            .replace("`crate::", "`")
                            .replace("`Self::", "`");
                    }
                    value => unlink(value),
                }
            }
        }
        Json::Array(list) => list.iter_mut().for_each(unlink),
        _ => {}
    }
}
