// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / sdk: components that use the Go SDK and name nothing of the platform in their WIT, on the real server and over
//! kills. In: `guests/go-sdk`, and the SDK that `golem-cli` carries. Source: docs/go-sdk.md, docs/adr/0010-go-sdk.md.

use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, OnceLock};

use anyhow::{Context as _, Result};
use golem_testkit::{Rest, Server, copy_tree, run};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::host::Peer;
use crate::support::{guests, needs_go};
use crate::traveller::Traveller;

/// What was built.
struct Built {
    plain: Vec<u8>,
    /// `plain` in its second version.
    newer: Vec<u8>,
    web: Vec<u8>,
}

/// The components, built once: in a project that got the SDK from `golem-cli sdk add`, without a network.
fn built() -> Result<&'static Built> {
    static BUILT: OnceLock<Built> = OnceLock::new();
    static BUILDING: Mutex<()> = Mutex::new(());
    let _one = BUILDING
        .lock()
        .map_err(|_| anyhow::anyhow!("another build failed"))?;
    if let Some(built) = BUILT.get() {
        return Ok(built);
    }
    let folder = tempfile::tempdir()?;
    copy_tree(&guests().join("go-sdk"), folder.path())?;
    run(folder.path(), &["sdk", "add"])?;
    run(folder.path(), &["build", "--offline"])?;
    // The same source on a laptop, where the SDK works on doubles: it says what it says on the server below.
    let tested = Command::new("go")
        .args(["test", "./plain"])
        .env("GOPROXY", "off")
        .current_dir(folder.path())
        .output()?;
    let said = String::from_utf8_lossy(&tested.stdout);
    anyhow::ensure!(tested.status.success(), "go test ./plain: {said}");
    let (plain, web) = (wasm(folder.path(), "plain")?, wasm(folder.path(), "web")?);
    let main = folder.path().join("plain/main.go");
    let text = std::fs::read_to_string(&main)?;
    std::fs::write(
        &main,
        text.replace("const version = 1", "const version = 2"),
    )?;
    run(folder.path(), &["build", "--offline", "plain"])?;
    let newer = wasm(folder.path(), "plain")?;
    anyhow::ensure!(plain != newer, "the second version is the first");
    Ok(BUILT.get_or_init(|| Built { plain, newer, web }))
}

fn wasm(folder: &Path, name: &str) -> Result<Vec<u8>> {
    let path = folder.join(format!("target/components/{name}.wasm"));
    std::fs::read(&path).with_context(|| path.display().to_string())
}

/// Calls a function of `plain`.
fn plain(t: &Traveller, worker: &str, function: &str, params: &[Value]) -> Result<Value> {
    t.call(worker, &format!("sdk:plain/api.{{{function}}}"), params)
}

/// Hands in an invocation of `plain` without waiting for it.
fn hand_in(t: &Traveller, worker: &str, function: &str, key: &str) -> Result<()> {
    t.post(worker, &format!("sdk:plain/api.%7B{function}%7D"), &[], key)
}

fn start(component: &[u8]) -> Result<Traveller> {
    let data = tempfile::tempdir()?;
    let server = Server::start(data.path())?;
    let component = server.rest().create_component("plain", component)?;
    Ok(Traveller {
        data,
        server,
        component,
    })
}

#[test]
fn everything_but_http_is_durable_through_the_sdk() -> Result<()> {
    if needs_go("everything_but_http_is_durable_through_the_sdk") {
        return Ok(());
    }
    let built = built()?;
    let t = start(&built.plain)?;

    // Buckets, containers, modes and metadata.
    let cupboard = json!([
        "true",
        "apple <nil>",
        "2 cheese <nil>",
        "false <nil>",
        "[1 2 3] <nil>",
        "true",
        "false <nil>",
        "[json] <nil>",
        "true",
        "300000 <nil>",
        "true <nil>",
        "78901 <nil>",
        "[large moved small] <nil>",
        "300000 true <nil>",
        "false <nil>",
        "[] <nil>",
    ]);
    assert_eq!(plain(&t, "w", "cupboard", &[])?, cupboard);
    let modes = json!([
        "7 1s 1m0s 1.5 3",
        "1 2",
        "false true",
        "w running true",
        "1",
        "true",
        "true",
        "true",
        "false",
    ]);
    assert_eq!(plain(&t, "w", "modes", &[])?, modes);

    // Transactions, and an atomic region that is done again after a panic.
    let bought = plain(&t, "w", "buy", &[json!(["1a", "1b", "1c"]), json!("1c")])?;
    let text = "operation 2 failed: 1c is taken; all before it were compensated";
    assert_eq!(bought, text);
    assert_eq!(plain(&t, "w", "buy", &[json!(["2a"]), json!("")])?, "");
    assert_eq!(plain(&t, "w", "insist", &[json!(3)])?, "3 3");
    assert_eq!(plain(&t, "w", "survive", &[json!(1)])?, json!(2));
    let book = json!([
        "+1a",
        "+1b",
        "-1b ticket 1b",
        "-1a ticket 1a",
        "+2a",
        "+first",
        "-first 1",
        "+first",
        "-first 2",
        "+first",
        "+second",
        "begin",
        "begin",
        "end",
    ]);
    assert_eq!(plain(&t, "w", "book", &[])?, book);

    // Logs with level, context and attributes.
    plain(&t, "w", "log", &[json!("hello")])?;
    let lines = t.oplog("w", "hello")?;
    let found = lines
        .iter()
        .map(|(_, entry)| entry)
        .find(|entry| entry["type"] == "Log");
    let line = found.with_context(|| format!("{lines:?}"))?;
    assert_eq!(
        (&line["level"], &line["context"], &line["message"]),
        (&json!("Warn"), &json!("plain"), &json!("hello calls=7")),
        "{line}"
    );

    // Time, and promises: one that nobody completes in time, one that the worker completes itself.
    let napped = plain(&t, "w", "nap", &[json!(20)])?;
    assert!(napped.as_u64() >= Some(60), "{napped}");
    assert_eq!(
        plain(&t, "w", "self-service", &[])?,
        "served<nil>true <nil> false"
    );
    let promise = plain(&t, "w", "make-promise", &[])?;
    assert_eq!(
        plain(&t, "w", "await-promise-for", &[json!(30)])?,
        "timeout"
    );
    assert_eq!(
        plain(
            &t,
            "w",
            "remind",
            &[json!(40), json!(3_600_000), json!(true)]
        )?,
        json!(true)
    );
    hand_in(&t, "w", "await-promise", "waiting")?;
    hand_in(&t, "w", "state", "after")?;

    // The server is killed while the worker waits; the promise comes over REST.
    let t = t.restart()?;
    let body = json!({"oplogIdx": promise, "data": b"\"at last\""});
    assert_eq!(
        t.ok(&format!("{}/complete", t.path("w")), &body, None)?,
        json!(true)
    );
    let outcome = |t: &Traveller, function: &str, key: &str| -> Result<Value> {
        let name = format!("sdk:plain/api.{{{function}}}");
        let (status, body) = t.try_call("w", &name, &[], Some(key))?;
        anyhow::ensure!(status == 200, "{status}: {body}");
        Ok(body["result"]["value"][0].clone())
    };
    assert_eq!(outcome(&t, "await-promise", "waiting")?, "at last");
    // Counted by memory that was made again from the log.
    assert_eq!(outcome(&t, "state", "after")?, json!([13, 0]));
    assert_eq!(plain(&t, "w", "book", &[])?, book);
    assert_eq!(plain(&t, "w", "cupboard", &[])?, cupboard);
    assert_eq!(t.worker("w")?["status"], "Idle");
    is_called_and_updated(t, &built.newer)
}

/// A schedule calls a worker by itself, and a snapshot takes the worker to another version.
fn is_called_and_updated(t: Traveller, newer: &[u8]) -> Result<()> {
    plain(&t, "u", "add", &[json!(3)])?;
    plain(&t, "u", "remind", &[json!(4), json!(1), json!(false)])?;
    // The platform calls `add` by itself.
    crate::traveller::until("the schedule", || {
        let state = plain(&t, "u", "state", &[])?;
        Ok((state == json!([3, 7])).then_some(()))
    })?;
    let path = format!("/v1/components/{}/updates", t.component);
    let (status, body) = t.rest().upload(&path, None, "Durable", newer)?;
    assert_eq!(status, 200, "{body}");
    let wish = json!({"mode": "Manual", "targetVersion": 1});
    t.ok(&format!("{}/update", t.path("u")), &wish, None)?;
    let update = t.updated("u")?;
    assert_eq!(update["type"], "successfulUpdate", "{update}");
    // What was saved is there, and the new version counts double.
    plain(&t, "u", "add", &[json!(5)])?;
    assert_eq!(plain(&t, "u", "state", &[])?, json!([4, 17]));
    let t = t.restart()?;
    assert_eq!(plain(&t, "u", "state", &[])?, json!([4, 17]));
    Ok(())
}

/// A server with `web`, which may talk to two peers.
struct Web {
    data: TempDir,
    options: Vec<String>,
    server: Server,
    component: String,
}

impl Web {
    fn start(peers: &[&Peer]) -> Result<Self> {
        let web = &built()?.web;
        let data = tempfile::tempdir()?;
        let options: Vec<String> = peers
            .iter()
            .flat_map(|peer| ["--allow-network".to_owned(), peer.address.to_string()])
            .collect();
        let server = serve(data.path(), &options)?;
        let component = server.rest().create_component("web", web)?;
        Ok(Self {
            data,
            options,
            server,
            component,
        })
    }

    fn restart(self) -> Result<Self> {
        self.server.kill()?;
        let server = serve(self.data.path(), &self.options)?;
        Ok(Self { server, ..self })
    }

    fn rest(&self) -> Rest {
        self.server.rest()
    }

    fn call(&self, function: &str, params: &[Value]) -> Result<Value> {
        let name = format!("sdk:web/client.{{{function}}}");
        self.rest().call(&self.component, "w", &name, params)
    }

    /// A path below which the worker answers.
    fn path(&self, path: &str) -> String {
        format!("/v1/components/{}/workers/w/http{path}", self.component)
    }
}

fn serve(data: &Path, options: &[String]) -> Result<Server> {
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    Server::start_with(data, &options)
}

#[test]
fn net_http_works_in_both_directions_and_nothing_is_sent_twice() -> Result<()> {
    if needs_go("net_http_works_in_both_directions_and_nothing_is_sent_twice") {
        return Ok(());
    }
    let (peer, silent) = (Peer::start()?, Peer::start()?);
    let web = Web::start(&[&peer, &silent])?;

    // As a client: http.Get, a streamed body, a large one, and two at once of which one has no answer.
    assert_eq!(web.call("get", &[json!(peer.url("/a"))])?, "202 1:");
    let posted = web.call("post", &[json!(peer.url("/b")), json!(150_000)])?;
    assert_eq!(posted, "202 150002 bytes");
    let large = web.call("get", &[json!(peer.url("/large"))])?;
    assert_eq!(large, "202 300000 bytes");
    let raced = web.call(
        "race",
        &[json!(peer.url("/c")), json!(silent.url("/hold")), json!(50)],
    )?;
    assert_eq!(raced, json!(["202 4:", "too late"]));
    let refused = web.call("get", &[json!("http://127.0.0.1:9/")])?;
    let refused = refused.as_str().unwrap_or_default();
    assert!(refused.ends_with("HTTP-request-denied"), "{refused}");

    // The second half of the body is sent when the first one was posted.
    let halves = [json!(peer.url("/halves")), json!(peer.url("/d"))];
    assert_eq!(web.call("relay", &halves)?, "first second");

    // As a server: an http.Handler with routes, query, status; a panic that is answered and forgotten.
    let post = |web: &Web, body: &Value, key: &str| {
        web.rest().post(&web.path("/add/hey?q=1"), body, Some(key))
    };
    let (status, body) = post(&web, &json!([1, 2, 3]), "one")?;
    assert_eq!((status, body), (201, json!("hey 1  7")));
    assert_eq!(post(&web, &json!([1, 2, 3]), "one")?.0, 201);
    assert_eq!(web.rest().get(&web.path("/panic"))?.0, 500);
    assert_eq!(web.rest().get(&web.path("/nothing"))?.0, 404);
    assert_eq!(web.rest().get(&web.path("/%zz"))?.0, 400);
    assert_eq!(web.rest().get(&web.path("/total"))?, (200, json!(7)));

    // All of it is history: repeated, nothing is sent again and the total is the same.
    let asked = peer.asked();
    let web = web.restart()?;
    assert_eq!(web.rest().get(&web.path("/total"))?, (200, json!(7)));
    assert_eq!(post(&web, &json!([1]), "two")?.0, 201);
    assert_eq!(web.rest().get(&web.path("/total"))?, (200, json!(10)));
    assert_eq!((peer.asked(), silent.asked()), (asked, 1));
    Ok(())
}
