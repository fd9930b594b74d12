// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/openapi/operations: what each route takes and answers, in the order of the document. In: nothing. Out: a table;
//! a test compares it with the routes, so none is forgotten. Never says who may take a route (`../routes.rs`).
//! Read next: `../openapi.rs`, docs/rest.md.

mod server;

use golem_model::api::{
    CallTree, CancelResponse, CheckpointsResponse, CompleteRequest, DroppedCheckpoints,
    DryRunRequest, DryRunResponse, Empty, FileNodes, ForkRequest, ForkResponse, InvokeParameters,
    InvokeResult, OplogPage, Replay, RevertRequest, ScheduleResponse, UpdateWorkerRequest,
    VerifyResponse, WorkerCreationRequest, WorkerCreationResponse, WorkerEvent, WorkerMetadata,
    WorkersFind, WorkersMetadataResponse,
};
use golem_model::capabilities::Capabilities;
use golem_model::component::{Component, ComponentType, FilesPermissions, Uploaded};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value as Json, json};

use super::super::routes::WORKER;

/// Makes the schema of a type.
pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

fn of<T: JsonSchema>(schemas: &mut SchemaGenerator) -> Schema {
    schemas.subschema_for::<T>()
}

/// What an operation takes as its body.
pub(super) enum Takes {
    Nothing,
    Json(SchemaOf),
    OptionalJson(SchemaOf),
    Form(Vec<Part>),
    Bytes,
    /// Whatever the worker understands.
    Anything,
}

/// A part of a form: of a schema, or bytes.
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) required: bool,
    pub(super) schema: Option<SchemaOf>,
    pub(super) says: &'static str,
}

/// What an operation answers when all is well, and what that is.
pub(super) enum Answers {
    Json(SchemaOf, &'static str),
    /// The same with 202: what follows from it comes later.
    Accepted(SchemaOf, &'static str),
    Bytes(&'static str),
    Text(&'static str),
    /// A WebSocket with texts of this schema.
    Events(SchemaOf, &'static str),
    /// Whatever the worker says.
    OfWorker(&'static str),
    /// Never all is well: this server does not have it.
    Nothing,
}

/// Where a parameter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Query,
    Header,
}

/// A parameter outside the path.
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) place: Place,
    pub(super) required: bool,
    pub(super) many: bool,
    pub(super) schema: Json,
    pub(super) says: &'static str,
}

/// A route, described.
pub(super) struct Operation {
    pub(super) verb: &'static str,
    pub(super) path: &'static str,
    /// What generated clients call it.
    pub(super) id: &'static str,
    pub(super) tag: &'static str,
    pub(super) says: &'static str,
    pub(super) parameters: Vec<Parameter>,
    pub(super) takes: Takes,
    pub(super) answers: Answers,
    /// Statuses of failures that do not follow from what it takes.
    pub(super) fails: Vec<u16>,
}

impl Operation {
    fn takes(mut self, takes: Takes) -> Self {
        self.takes = takes;
        self
    }

    fn fails(mut self, statuses: &[u16]) -> Self {
        self.fails = statuses.to_vec();
        self
    }

    fn query(self, name: &'static str, schema: Json, says: &'static str) -> Self {
        self.parameter(name, Place::Query, false, schema, says)
    }

    fn required(self, name: &'static str, schema: Json, says: &'static str) -> Self {
        self.parameter(name, Place::Query, true, schema, says)
    }

    fn many(self, name: &'static str, schema: Json, says: &'static str) -> Self {
        let mut operation = self.query(name, schema, says);
        if let Some(last) = operation.parameters.last_mut() {
            last.many = true;
        }
        operation
    }

    fn parameter(
        mut self,
        name: &'static str,
        place: Place,
        required: bool,
        schema: Json,
        says: &'static str,
    ) -> Self {
        self.parameters.push(Parameter {
            name,
            place,
            required,
            many: false,
            schema,
            says,
        });
        self
    }

    /// The parameters and failures of an invocation.
    fn invokes(self) -> Self {
        self.required(
            "function",
            json!({"type": "string", "minLength": 1}),
            "name of an exported function, such as `rpcdemo:component2/component2-api.{add}`",
        )
        .query(
            "timeout",
            json!({"type": "string", "pattern": "^[0-9]"}),
            "how long it and all its calls may take, such as `30s`",
        )
        .parameter(
            "Idempotency-Key",
            Place::Header,
            false,
            json!({"type": "string", "minLength": 1, "maxLength": 256}),
            "names the invocation: the same key with the same call gets the first result",
        )
        .takes(Takes::OptionalJson(of::<InvokeParameters>))
        .fails(&[404, 409, 429, 504])
    }
}

fn op(
    verb: &'static str,
    path: &'static str,
    id: &'static str,
    tag: &'static str,
    says: &'static str,
    answers: Answers,
) -> Operation {
    Operation {
        verb,
        path,
        id,
        tag,
        says,
        parameters: Vec::new(),
        takes: Takes::Nothing,
        answers,
        fails: Vec::new(),
    }
}

/// Answers a body of type `T`.
fn json_of<T: JsonSchema>(says: &'static str) -> Answers {
    Answers::Json(of::<T>, says)
}

/// Tags and what they mean.
pub(super) const TAGS: [(&str, &str); 10] = [
    ("System", "whether the server is there, and what it is"),
    (
        "Namespaces",
        "what keeps components apart, and which calls may pass",
    ),
    ("Secrets", "values that components refer to by name"),
    ("Components", "uploads and their versions"),
    ("Workers", "durable identities that run a component"),
    ("Invocations", "calls of exported functions"),
    (
        "Course",
        "what changes the course of a worker, or tries that aside",
    ),
    (
        "Oplogs",
        "what a worker has done, and whether it would do so again",
    ),
    ("Files", "files of workers, and those that they begin with"),
    (
        "Not here",
        "paths of Golem 1.1 for what this server does not have: they answer 501 with a hint",
    ),
];

/// What a segment of a path is.
pub(super) fn segment(name: &str) -> &'static str {
    match name {
        "component" => "id of the component, a UUID",
        "version" => "number of a version, from 0",
        "worker" => "name of the worker, percent-encoded as one segment",
        "key" => "idempotency key of the invocation",
        "schedule" => "`scheduleId` of the scheduled invocation",
        "token" => "id of the token, a UUID",
        "namespace" => "name of the namespace",
        "grant" => "id of the grant, a UUID",
        "secret" => "name of the secret",
        "sha256" => "hash of the file, 64 hexadecimal digits, as the answer to the import has it",
        "path" => "path from the root on, with `/` between its parts",
        _ => "see Golem 1.1",
    }
}

/// The schema of a segment.
pub(super) fn segment_schema(name: &str) -> Json {
    match name {
        "component" | "token" | "grant" => json!({"type": "string", "format": "uuid"}),
        "version" => json!({"type": "integer", "format": "uint64", "minimum": 0}),
        "worker" => json!({"type": "string", "minLength": 1, "maxLength": 512}),
        _ => json!({"type": "string", "minLength": 1}),
    }
}

/// Every route but the aliases.
pub(super) fn operations() -> Vec<Operation> {
    let mut all = server::operations();
    all.extend(components());
    all.extend(workers());
    all.extend(invocations());
    all.extend(course());
    all.extend(oplogs());
    all.extend(files());
    all.extend(not_here());
    all
}

/// The parts of an upload.
fn upload(named: bool) -> Takes {
    let part = |name, schema, says| Part {
        name,
        required: matches!(name, "name" | "component"),
        schema,
        says,
    };
    let name = part(
        "name",
        Some(of::<String> as SchemaOf),
        "name of the component: 1 to 100 letters, digits, `-`, `_`, `:`, `.`, `/`",
    );
    let parts = [
        part("component", None, "the component, at most 50 MiB"),
        part(
            "componentType",
            Some(of::<ComponentType> as SchemaOf),
            "bare or quoted; `Durable` for a new component, else as it was",
        ),
        part(
            "files",
            None,
            "a zip archive of the files that workers begin with; without it they are as they were",
        ),
        part(
            "filesPermissions",
            Some(of::<FilesPermissions> as SchemaOf),
            "JSON; files that it does not name are read-only",
        ),
        part(
            "capabilities",
            Some(of::<Capabilities> as SchemaOf),
            "JSON; what its workers may do; `null` for what the server allows, without it as it was",
        ),
    ];
    Takes::Form(named.then_some(name).into_iter().chain(parts).collect())
}

fn components() -> Vec<Operation> {
    let tag = "Components";
    vec![
        op(
            "get",
            "/v1/components",
            "listComponents",
            tag,
            "Every version of every component",
            json_of::<Vec<Component>>("the versions; none when no component has the name"),
        )
        .query(
            "component-name",
            json!({"type": "string"}),
            "only of the component with this name",
        ),
        op(
            "post",
            "/v1/components",
            "createComponent",
            tag,
            "Uploads a new component",
            json_of::<Uploaded>("version 0 of it"),
        )
        .takes(upload(true))
        .fails(&[409]),
        op(
            "get",
            "/v1/components/{component}",
            "componentVersions",
            tag,
            "All versions of a component",
            json_of::<Vec<Component>>("the versions, oldest first"),
        ),
        op(
            "get",
            "/v1/components/{component}/latest",
            "latestComponent",
            tag,
            "The newest version of a component",
            json_of::<Component>("the version"),
        ),
        op(
            "get",
            "/v1/components/{component}/versions/{version}",
            "componentVersion",
            tag,
            "A version of a component",
            json_of::<Component>("the version"),
        ),
        op(
            "get",
            "/v1/components/{component}/download",
            "downloadComponent",
            tag,
            "The wasm of a version",
            Answers::Bytes("the wasm as it was uploaded"),
        )
        .query(
            "version",
            json!({"type": "integer", "format": "uint64", "minimum": 0}),
            "number of the version; the newest without",
        ),
        op(
            "post",
            "/v1/components/{component}/updates",
            "updateComponent",
            tag,
            "Uploads the next version of a component",
            json_of::<Uploaded>("the version"),
        )
        .takes(upload(false)),
        op(
            "put",
            "/v1/components/{component}/upload",
            "uploadComponent",
            tag,
            "Uploads the next version of a component as bare bytes",
            json_of::<Uploaded>("the version"),
        )
        .query(
            "component_type",
            json!({"type": "string", "enum": ["Durable", "Ephemeral"]}),
            "as it was without",
        )
        .takes(Takes::Bytes),
    ]
}

fn workers() -> Vec<Operation> {
    let tag = "Workers";
    vec![
        op(
            "get",
            "/v1/components/{component}/workers",
            "listWorkers",
            tag,
            "Workers of a component, by name",
            json_of::<WorkersMetadataResponse>("a page; the last one has no cursor"),
        )
        .many(
            "filter",
            json!({"type": "string"}),
            "`property op value`, such as `status = Idle`; all have to hold",
        )
        .query(
            "cursor",
            json!({"type": "string"}),
            "`layer/cursor` of the page before",
        )
        .query(
            "count",
            json!({"type": "integer", "format": "uint64", "minimum": 0}),
            "workers in the page, at most 1000; 50 without",
        )
        .query(
            "precise",
            json!({"type": "boolean"}),
            "makes no difference: every listing is precise",
        ),
        op(
            "post",
            "/v1/components/{component}/workers/find",
            "findWorkers",
            tag,
            "Workers of a component, by conditions that can be joined",
            json_of::<WorkersMetadataResponse>("a page; the last one has no cursor"),
        )
        .takes(Takes::Json(of::<WorkersFind>)),
        op(
            "post",
            "/v1/components/{component}/workers",
            "createWorker",
            tag,
            "Creates a worker",
            json_of::<WorkerCreationResponse>("the worker, durable"),
        )
        .takes(Takes::Json(of::<WorkerCreationRequest>)),
        op(
            "get",
            WORKER,
            "worker",
            tag,
            "What is known of a worker",
            json_of::<WorkerMetadata>("the worker"),
        ),
        op(
            "delete",
            WORKER,
            "deleteWorker",
            tag,
            "Deletes a worker for good",
            json_of::<Empty>("it is gone"),
        ),
        op(
            "post",
            "/v1/components/{component}/workers/{worker}/interrupt",
            "interruptWorker",
            tag,
            "Stops what a worker runs",
            json_of::<Empty>("it has stopped"),
        )
        .query(
            "recovery-immediately",
            json!({"type": "boolean"}),
            "`true` starts it again at once, as after a crash",
        ),
        op(
            "post",
            "/v1/components/{component}/workers/{worker}/resume",
            "resumeWorker",
            tag,
            "Lets an interrupted worker go on",
            json_of::<Empty>("it may go on"),
        ),
    ]
}

fn invocations() -> Vec<Operation> {
    let tag = "Invocations";
    let result = || json_of::<InvokeResult>("the result, durable");
    let accepted = || json_of::<Empty>("it is accepted, durably");
    let mut all = vec![
        op("post", "/v1/components/{component}/workers/{worker}/invoke-and-await", "invokeAndAwait", tag, "Calls a function of a worker and waits for its result; a worker that does not exist is created", result()).invokes(),
        op("post", "/v1/components/{component}/workers/{worker}/invoke", "invoke", tag, "Calls a function of a worker without waiting", accepted()).invokes(),
        op("post", "/v1/components/{component}/invoke-and-await", "invokeUnnamedAndAwait", tag, "Calls a function of a fresh worker without a name and waits for its result", result()).invokes(),
        op("post", "/v1/components/{component}/invoke", "invokeUnnamed", tag, "Calls a function of a fresh worker without a name", accepted()).invokes(),
        op("post", "/v1/components/{component}/workers/{worker}/schedule", "scheduleInvocation", tag, "Lets a worker run a function later: `at` a moment or `in` a while", json_of::<ScheduleResponse>("it will start, durably"))
            .query("at", json!({"type": "string", "format": "date-time"}), "the moment, in UTC")
            .query("in", json!({"type": "string", "pattern": "^[0-9]"}), "the while, such as `90s`")
            .invokes(),
        op("delete", "/v1/components/{component}/workers/{worker}/schedule/{schedule}", "cancelScheduled", tag, "Takes a scheduled invocation back", json_of::<CancelResponse>("whether it had not started")),
        op("delete", "/v1/components/{component}/workers/{worker}/invocations/{key}", "cancelInvocation", tag, "Cancels a pending or running invocation", json_of::<CancelResponse>("whether there was one to cancel")),
        op("post", "/v1/components/{component}/workers/{worker}/complete", "completePromise", tag, "Gives a promise its value", json_of::<bool>("`true` if it got this value, `false` if it had one")).takes(Takes::Json(of::<CompleteRequest>)),
    ];
    for (verb, root, below) in [
        ("get", "getFromWorker", "getPathFromWorker"),
        ("post", "postToWorker", "postToPathOfWorker"),
        ("put", "putToWorker", "putToPathOfWorker"),
        ("patch", "patchWorker", "patchPathOfWorker"),
        ("delete", "deleteFromWorker", "deletePathFromWorker"),
    ] {
        for (path, id) in [
            ("/v1/components/{component}/workers/{worker}/http", root),
            (
                "/v1/components/{component}/workers/{worker}/http/{*path}",
                below,
            ),
        ] {
            let mut asks = op(
                verb,
                path,
                id,
                tag,
                "A request that the worker answers itself, through `wasi:http/incoming-handler`; any other verb too",
                Answers::OfWorker("what the worker answers, or a failure as of an invocation"),
            );
            if !matches!(verb, "get" | "delete") {
                asks = asks.takes(Takes::Anything);
            }
            all.push(asks);
        }
    }
    all
}

fn course() -> Vec<Operation> {
    let tag = "Course";
    vec![
        op(
            "post",
            "/v1/components/{component}/workers/{worker}/update",
            "updateWorker",
            tag,
            "Asks for another version of a worker's component",
            json_of::<Empty>("the wish is durable; `updates` of the worker tell how it went"),
        )
        .takes(Takes::Json(of::<UpdateWorkerRequest>)),
        op(
            "post",
            "/v1/components/{component}/workers/{worker}/update-dry-run",
            "tryUpdate",
            tag,
            "What an automatic update of a worker would meet",
            json_of::<DryRunResponse>("one replay; nothing has changed"),
        )
        .takes(Takes::Json(of::<DryRunRequest>)),
        op(
            "post",
            "/v1/components/{component}/update-dry-run",
            "tryUpdates",
            tag,
            "The same for every worker with another version",
            json_of::<DryRunResponse>("a replay for each; nothing has changed"),
        )
        .takes(Takes::Json(of::<DryRunRequest>)),
        op(
            "post",
            "/v1/components/{component}/workers/{worker}/revert",
            "revertWorker",
            tag,
            "Lets a worker go back in its history",
            json_of::<Empty>("it has gone back, durably"),
        )
        .takes(Takes::Json(of::<RevertRequest>)),
        op(
            "post",
            "/v1/components/{component}/workers/{worker}/fork",
            "forkWorker",
            tag,
            "Makes a worker with the history of another one",
            json_of::<ForkResponse>("the new worker, durable"),
        )
        .takes(Takes::Json(of::<ForkRequest>)),
    ]
}

fn oplogs() -> Vec<Operation> {
    let tag = "Oplogs";
    vec![
        op(
            "get",
            "/v1/components/{component}/workers/{worker}/oplog",
            "oplog",
            tag,
            "A page of a worker's oplog; the last one is empty",
            json_of::<OplogPage>("the page"),
        )
        .query(
            "from",
            json!({"type": "integer", "format": "uint64", "minimum": 0}),
            "index of the first entry; not together with `query`",
        )
        .query(
            "query",
            json!({"type": "string"}),
            "words, phrases, fields, AND, OR, NOT: docs/rest.md; not together with `from`",
        )
        .query(
            "count",
            json!({"type": "integer", "format": "uint64", "minimum": 0}),
            "entries in the page, at most 1000; 100 without",
        )
        .query(
            "cursor",
            json!({"type": "string"}),
            "`index-version` of the page before",
        ),
        op(
            "get",
            "/v1/components/{component}/workers/{worker}/connect",
            "connect",
            tag,
            "A WebSocket that tells what the worker does",
            Answers::Events(of::<WorkerEvent>, "one text for each event"),
        )
        .query(
            "from",
            json!({"type": "string"}),
            "index of the entry to begin with, or `latest`",
        )
        .fails(&[503]),
        op(
            "get",
            "/v1/components/{component}/workers/{worker}/replay",
            "replay",
            tag,
            "A replay of the history on a copy",
            json_of::<Replay>("how it went"),
        )
        .query(
            "at",
            json!({"type": "integer", "format": "uint64", "minimum": 1}),
            "index of the last entry to repeat",
        )
        .query(
            "version",
            json!({"type": "integer", "format": "uint64", "minimum": 0}),
            "version of the component that repeats it",
        ),
        op(
            "get",
            "/v1/components/{component}/workers/{worker}/verify",
            "verify",
            tag,
            "Whether the newest checkpoint is what a replay gives",
            json_of::<VerifyResponse>("what was found"),
        ),
        op(
            "get",
            "/v1/components/{component}/workers/{worker}/checkpoints",
            "listCheckpoints",
            tag,
            "The images on disk that a worker could be brought back from",
            json_of::<CheckpointsResponse>("the newest first"),
        ),
        op(
            "delete",
            "/v1/components/{component}/workers/{worker}/checkpoints",
            "dropCheckpoints",
            tag,
            "Drops the images of a worker: its history alone brings it back",
            json_of::<DroppedCheckpoints>("how many there were"),
        ),
        op(
            "get",
            "/v1/components/{component}/workers/{worker}/calls",
            "calls",
            tag,
            "The tree of the calls of one invocation, across workers",
            json_of::<CallTree>("the tree; of the last invocation without `key` and `at`"),
        )
        .query(
            "key",
            json!({"type": "string"}),
            "idempotency key of the invocation; not together with `at`",
        )
        .query(
            "at",
            json!({"type": "integer", "format": "uint64", "minimum": 1}),
            "index of an entry of the invocation; not together with `key`",
        ),
        op(
            "get",
            "/v1/components/{component}/workers/{worker}/export",
            "exportWorker",
            tag,
            "The whole history as a file",
            Answers::Bytes("a recording, docs/formats/recording.md"),
        )
        .fails(&[413]),
    ]
}

fn files() -> Vec<Operation> {
    let tag = "Files";
    vec![
        op(
            "get",
            "/v1/components/{component}/workers/{worker}/files",
            "listRootFiles",
            tag,
            "The root directory of a worker",
            json_of::<FileNodes>("its entries, by name"),
        ),
        op(
            "get",
            "/v1/components/{component}/workers/{worker}/files/{*path}",
            "listFiles",
            tag,
            "A directory of a worker",
            json_of::<FileNodes>("its entries, by name"),
        ),
        op(
            "get",
            "/v1/components/{component}/workers/{worker}/file-contents/{*path}",
            "readFile",
            tag,
            "A file of a worker",
            Answers::Bytes("the bytes"),
        ),
        op(
            "get",
            "/v1/components/{component}/versions/{version}/file-contents/{*path}",
            "readInitialFile",
            tag,
            "A file that workers of a version begin with",
            Answers::Bytes("the bytes"),
        ),
    ]
}

fn not_here() -> Vec<Operation> {
    let tag = "Not here";
    let none = |verb, path, id| {
        op(
            verb,
            path,
            id,
            tag,
            "Not on this server; the hint says what is there instead",
            Answers::Nothing,
        )
        .fails(&[501])
    };
    vec![
        none("get", "/v1/api/definitions", "listApiDefinitions"),
        none("post", "/v1/api/definitions", "createApiDefinition"),
        none("put", "/v1/api/definitions/import", "importApiDefinition"),
        none("get", "/v1/api/definitions/{id}/{version}", "apiDefinition"),
        none(
            "put",
            "/v1/api/definitions/{id}/{version}",
            "updateApiDefinition",
        ),
        none(
            "delete",
            "/v1/api/definitions/{id}/{version}",
            "deleteApiDefinition",
        ),
        none("get", "/v1/api/deployments", "listApiDeployments"),
        none("post", "/v1/api/deployments/deploy", "deployApi"),
        none("get", "/v1/api/deployments/{site}", "apiDeployment"),
        none(
            "delete",
            "/v1/api/deployments/{site}",
            "deleteApiDeployment",
        ),
        none("post", "/v1/api/security", "createSecurityScheme"),
        none("get", "/v1/api/security/{scheme}", "securityScheme"),
        op(
            "get",
            "/v1/plugins",
            "listPlugins",
            tag,
            "Plugins: there are none",
            json_of::<Vec<Json>>("an empty list"),
        )
        .query("scope", json!({"type": "string"}), "makes no difference"),
        none("post", "/v1/plugins", "createPlugin"),
        op(
            "get",
            "/v1/plugins/{name}",
            "pluginVersions",
            tag,
            "Versions of a plugin: there are none",
            json_of::<Vec<Json>>("an empty list"),
        ),
        none("get", "/v1/plugins/{name}/{version}", "plugin"),
        none("delete", "/v1/plugins/{name}/{version}", "deletePlugin"),
        op(
            "get",
            "/v1/components/{component}/versions/{version}/plugins/installs",
            "listInstalledPlugins",
            tag,
            "Plugins of a version: there are none",
            json_of::<Vec<Json>>("an empty list"),
        ),
        none(
            "post",
            "/v1/components/{component}/latest/plugins/installs",
            "installPlugin",
        ),
        none(
            "put",
            "/v1/components/{component}/versions/latest/plugins/installs/{installation}",
            "updateInstalledPlugin",
        ),
        none(
            "delete",
            "/v1/components/{component}/latest/plugins/installs/{installation}",
            "uninstallPlugin",
        ),
        none(
            "post",
            "/v1/components/{component}/workers/{worker}/activate-plugin",
            "activatePlugin",
        ),
        none(
            "post",
            "/v1/components/{component}/workers/{worker}/deactivate-plugin",
            "deactivatePlugin",
        ),
    ]
}
