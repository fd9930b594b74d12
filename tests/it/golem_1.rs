// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / golem_1: requests as the command line of Golem 1.1.0 sends them, in the shapes that the specification has measured, against the
//! real server: paths of its REST API, and each of the things that a server has to take as they come. The numbers are those of the list.
//! Never uses a client of ours. Read next: `golem_1/wire.rs`. Source: client spec §6.6 to §6.8, §8.2.

mod tolerances;
mod wire;

use anyhow::{Context as _, Result};
use golem_testkit::Server;
use serde_json::{Value, json};

use self::wire::{Part, Wire};

/// Exports an interface, a counter: `add: func(n: u64) -> u64`, `get: func() -> u64`, `opt: func(o: option<u64>) -> u64` (0 for
/// none), `deep: func(o: option<option<u64>>) -> u32` (how many of the two are there), `say: func()`, which logs `heard`,
/// `boom: func()`, which traps; and `bare: func() -> u32` without an interface.
const GUEST: &str = r#"(component
  (import "wasi:logging/logging" (instance $logging
    (type $l (enum "trace" "debug" "info" "warn" "error" "critical"))
    (export "level" (type $level (eq $l)))
    (export "log" (func (param "level" $level) (param "context" string) (param "message" string)))))
  (core module $libc (memory (export "memory") 1) (data (i32.const 0) "heard"))
  (core instance $c (instantiate $libc))
  (alias core export $c "memory" (core memory $memory))
  (core func $log (canon lower (func $logging "log") (memory $memory)))
  (core module $m
    (import "host" "log" (func $log (param i32 i32 i32 i32 i32)))
    (global $n (mut i64) (i64.const 0))
    (func (export "add") (param i64) (result i64)
      (global.set $n (i64.add (global.get $n) (local.get 0)))
      (global.get $n))
    (func (export "get") (result i64) (global.get $n))
    (func (export "opt") (param i32 i64) (result i64) local.get 1)
    (func (export "deep") (param i32 i32 i64) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "say")
      (call $log (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 5)))
    (func (export "boom") unreachable)
    (func (export "bare") (result i32) (i32.const 7)))
  (core instance $i (instantiate $m (with "host" (instance (export "log" (func $log))))))
  (func $add (param "n" u64) (result u64) (canon lift (core func $i "add")))
  (func $get (result u64) (canon lift (core func $i "get")))
  (func $opt (param "o" (option u64)) (result u64) (canon lift (core func $i "opt")))
  (func $deep (param "o" (option (option u64))) (result u32) (canon lift (core func $i "deep")))
  (func $say (canon lift (core func $i "say")))
  (func $boom (canon lift (core func $i "boom")))
  (instance $api
    (export "add" (func $add)) (export "get" (func $get)) (export "opt" (func $opt))
    (export "deep" (func $deep)) (export "say" (func $say)) (export "boom" (func $boom)))
  (export "it:golem/api" (instance $api))
  (func (export "bare") (result u32) (canon lift (core func $i "bare"))))"#;

/// A server with the guest, and a connection to it.
struct Classic {
    wire: Wire,
    id: String,
    server: Server,
    data: tempfile::TempDir,
}

impl Classic {
    fn start() -> Result<Self> {
        let data = tempfile::tempdir()?;
        let server = Server::start(data.path())?;
        let mut wire = Wire::to(server.url())?;
        let made = wire.upload("POST /v1/components", &parts("counter", "Durable")?)?;
        let id = made.ok()?["versionedComponentId"]["componentId"]
            .as_str()
            .context("no id")?
            .to_owned();
        Ok(Self {
            wire,
            id,
            server,
            data,
        })
    }

    /// `function` of the interface as the client writes it into a query.
    fn call(&mut self, worker: &str, function: &str, params: &Value) -> Result<Value> {
        let path = self.function(worker, "invoke-and-await", function);
        self.wire.json(&path, &json!({ "params": params }))?.ok()
    }

    fn function(&self, worker: &str, verb: &str, function: &str) -> String {
        let function = format!("it%3Agolem%2Fapi.%7B{function}%7D");
        format!(
            "POST /v1/components/{}/workers/{worker}/{verb}?function={function}",
            self.id
        )
    }
}

fn guest() -> Result<Vec<u8>> {
    Ok(wat::parse_str(GUEST)?)
}

/// The parts of `component add` in the order in which it sends them.
fn parts(name: &'static str, kind: &'static str) -> Result<Vec<Part>> {
    Ok(vec![
        Part::text("name", name),
        Part::plain("componentType", kind),
        Part::file("component", "component.wasm", guest()?),
    ])
}

/// What an answer has to be: its status, the keys of its body (`[]`: a list), and the code where it is a refusal.
struct Row(&'static str, &'static str, u16, &'static [&'static str]);

/// Paths of the component and worker APIs, in an order in which each finds what it needs; those of oplogs, files, plugins and APIs are in
/// crates/server/src/http/tests.rs. `{c}` is the component, `{w}` a worker.
const PATHS: &[Row] = &[
    Row("GET /version", "", 200, &["version"]),
    Row("GET /healthcheck", "", 200, &[]),
    Row("GET /v1/components", "", 200, &["[]"]),
    Row(
        "GET /v1/components?component-name=counter",
        "",
        200,
        &["[]"],
    ),
    Row("GET /v1/components/{c}", "", 200, &["[]"]),
    Row(
        "GET /v1/components/{c}/latest",
        "",
        200,
        &[
            "versionedComponentId",
            "componentName",
            "componentSize",
            "metadata",
            "createdAt",
            "componentType",
            "files",
            "installedPlugins",
        ],
    ),
    Row(
        "GET /v1/components/{c}/versions/0",
        "",
        200,
        &["versionedComponentId"],
    ),
    Row("GET /v1/components/{c}/versions/9", "", 404, &["error"]),
    Row(
        "GET /v1/components/{c}/versions/0/plugins/installs",
        "",
        200,
        &["[]"],
    ),
    Row(
        "POST /v1/components/{c}/latest/plugins/installs",
        r#"{"name":"p","version":"1","priority":0,"parameters":{}}"#,
        501,
        &["error"],
    ),
    Row(
        "PUT /v1/components/{c}/versions/latest/plugins/installs/8e0b4b8c-14a8-4b6e-9d3f-0123456789ab",
        r#"{"priority":0,"parameters":{}}"#,
        501,
        &["error"],
    ),
    Row(
        "DELETE /v1/components/{c}/latest/plugins/installs/8e0b4b8c-14a8-4b6e-9d3f-0123456789ab",
        "",
        501,
        &["error"],
    ),
    Row(
        "POST /v1/components/{c}/workers",
        r#"{"name":"w","args":["a"],"env":{"K":"v"}}"#,
        200,
        &["workerId", "componentVersion"],
    ),
    Row(
        "POST /v1/components/{c}/workers",
        r#"{"name":"w","args":[],"env":{}}"#,
        500,
        &["golemError"],
    ),
    Row(
        "POST /v1/components/{c}/workers",
        r#"{"name":"-w","args":[],"env":{}}"#,
        400,
        &["errors"],
    ),
    Row(
        "GET /v1/components/{c}/workers?count=50",
        "",
        200,
        &["workers", "cursor"],
    ),
    Row(
        "GET /v1/components/{c}/workers?filter=status+%3D+Idle&filter=version+%3E%3D+0&cursor=0%2F0&count=50&precise=true",
        "",
        200,
        &["workers", "cursor"],
    ),
    Row(
        "GET /v1/components/{c}/workers?filter=colour+%3D+red",
        "",
        400,
        &["errors"],
    ),
    Row(
        "POST /v1/components/{c}/workers/find",
        r#"{"filter":{"type":"And","filters":[{"type":"Name","comparator":"Like","value":"w"},{"type":"Status","comparator":"Equal","value":"Idle"},{"type":"Version","comparator":"GreaterEqual","value":0},{"type":"CreatedAt","comparator":"Less","value":"2999-01-01T00:00:00Z"},{"type":"Env","name":"K","comparator":"Equal","value":"v"},{"type":"Not","filter":{"type":"Or","filters":[]}}]},"cursor":null,"count":5,"precise":false}"#,
        200,
        &["workers", "cursor"],
    ),
    Row(
        "GET /v1/components/{c}/workers/w",
        "",
        200,
        &[
            "workerId",
            "args",
            "env",
            "status",
            "componentVersion",
            "retryCount",
            "pendingInvocationCount",
            "updates",
            "createdAt",
            "lastError",
            "componentSize",
            "totalLinearMemorySize",
            "ownedResources",
            "activePlugins",
        ],
    ),
    Row(
        "POST /v1/components/{c}/workers/w/invoke-and-await?function=it%3Agolem%2Fapi.%7Badd%7D",
        r#"{"params":[{"typ":{"type":"U64"},"value":3}]}"#,
        200,
        &["result"],
    ),
    Row(
        "POST /v1/components/{c}/workers/w/invoke-and-await?function=bare",
        r#"{"params":[]}"#,
        200,
        &["result"],
    ),
    Row(
        "POST /v1/components/{c}/workers/w/invoke-and-await?function=it%3Agolem%2Fapi.%7Bboom%7D",
        r#"{"params":[]}"#,
        500,
        &["golemError"],
    ),
    Row(
        "POST /v1/components/{c}/workers/new/invoke?function=it%3Agolem%2Fapi.%7Badd%7D",
        r#"{"params":[{"typ":{"type":"U64"},"value":3}]}"#,
        200,
        &[],
    ),
    Row(
        "POST /v1/components/{c}/invoke-and-await?function=it%3Agolem%2Fapi.%7Badd%7D",
        r#"{"params":[{"typ":{"type":"U64"},"value":3}]}"#,
        200,
        &["result"],
    ),
    Row(
        "POST /v1/components/{c}/invoke?function=it%3Agolem%2Fapi.%7Badd%7D",
        r#"{"params":[{"typ":{"type":"U64"},"value":3}]}"#,
        200,
        &[],
    ),
    Row(
        "POST /v1/components/{c}/workers/new/complete",
        r#"{"oplogIdx":1,"data":[1,2]}"#,
        404,
        &["error"],
    ),
    Row(
        "POST /v1/components/{c}/workers/new/interrupt?recovery-immediately=false",
        "",
        200,
        &[],
    ),
    Row("POST /v1/components/{c}/workers/new/resume", "", 200, &[]),
    Row(
        "POST /v1/components/{c}/workers/new/interrupt?recovery-immediately=true",
        "",
        200,
        &[],
    ),
    Row(
        "POST /v1/components/{c}/workers/new/update",
        r#"{"mode":"Automatic","targetVersion":1}"#,
        200,
        &[],
    ),
    Row(
        "POST /v1/components/{c}/workers/new/update",
        r#"{"mode":"Manual","targetVersion":9}"#,
        400,
        &["errors"],
    ),
];

#[test]
fn paths_of_golem_1_answer_in_their_shape() -> Result<()> {
    let mut classic = Classic::start()?;
    // The update has something to go to, and a version that came as bare bytes.
    let updates = format!("POST /v1/components/{}/updates", classic.id);
    let update = [
        Part::plain("componentType", "Durable"),
        Part::file("component", "component.wasm", guest()?),
    ];
    let updated = classic.wire.upload(&updates, &update)?.ok()?;
    assert_eq!(updated["versionedComponentId"]["version"], 1);
    let upload = format!(
        "PUT /v1/components/{}/upload?component_type=Durable",
        classic.id
    );
    let uploaded = classic.wire.bytes(&upload, &guest()?)?.ok()?;
    assert_eq!(uploaded["versionedComponentId"]["version"], 2);
    for version in ["", "?version=0"] {
        let path = format!("GET /v1/components/{}/download{version}", classic.id);
        let wasm = classic.wire.get(&path)?;
        assert_eq!((wasm.status, wasm.body), (200, guest()?));
    }
    for Row(line, body, status, keys) in PATHS {
        let line = line.replace("{c}", &classic.id);
        let answer = classic.wire.ask(&line, body)?;
        let shown = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, *status, "{line}: {shown}");
        assert_eq!(
            answer.header("content-type"),
            Some("application/json; charset=utf-8"),
            "{line}"
        );
        let body: Value = serde_json::from_str(&shown).with_context(|| line.clone())?;
        match *keys {
            [] => assert_eq!(body, json!({}), "{line}"),
            ["[]"] => assert!(body.is_array(), "{line}: {shown}"),
            keys => {
                for key in keys {
                    assert!(body.get(*key).is_some(), "{line}: no `{key}` in {shown}");
                }
            }
        }
        if *status != 200 {
            assert!(body["code"].is_string(), "{line}: {shown}");
        }
    }
    classic.server.stop()?;
    Ok(())
}

/// What a `Component` says of itself, word by word.
#[test]
fn a_component_is_told_as_golem_1_told_it() -> Result<()> {
    let mut classic = Classic::start()?;
    let path = format!("GET /v1/components/{}/latest", classic.id);
    let component = classic.wire.get(&path)?.ok()?;
    assert_eq!(
        component["versionedComponentId"],
        json!({"componentId": classic.id, "version": 0})
    );
    assert_eq!(component["componentType"], "Durable");
    assert_eq!(component["installedPlugins"], json!([]));
    let exports = component["metadata"]["exports"]
        .as_array()
        .context("none")?;
    let named = |name: &str| exports.iter().find(|export| export["name"] == name);
    let api = named("it:golem/api").context("no instance")?;
    assert_eq!(api["type"], "Instance");
    let bare = named("bare").context("no function")?;
    assert_eq!(
        *bare,
        json!({"type": "Function", "name": "bare", "parameters": [], "results": [{"name": null, "typ": {"type": "U32"}}]})
    );
    let functions = api["functions"].as_array().context("no functions")?;
    let opt = functions.iter().find(|function| function["name"] == "opt");
    let option = json!({"type": "Option", "inner": {"type": "U64"}});
    assert_eq!(
        opt,
        Some(
            &json!({"name": "opt", "parameters": [{"name": "o", "typ": option}], "results": [{"name": null, "typ": {"type": "U64"}}]})
        )
    );
    assert!(component["metadata"]["producers"].is_array());
    assert_eq!(
        component["metadata"]["memories"][0]["initial"],
        json!(65_536),
        "{component}"
    );
    Ok(())
}
