// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / templates: every project that `golem-cli new --template` makes is made, built without a network, tested with its
//! own tests, deployed, and asked what its README says; then the server is killed, and the workers still know. One server for
//! all of them. Source: templates/README.md.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use golem_testkit::{Rest, Server, run};
use serde_json::{Value, json};

use crate::support::needs_go;

/// Until when something that a timer does must have happened. Far above what it takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server with the components of all templates, by name.
struct All {
    rest: Rest,
    ids: BTreeMap<String, String>,
}

impl All {
    fn id(&self, component: &str) -> Result<&str> {
        let id = self.ids.get(component).map(String::as_str);
        id.with_context(|| format!("no component {component}"))
    }

    fn call(&self, component: &str, worker: &str, function: &str, params: &Value) -> Result<Value> {
        let params = params.as_array().context("parameters are an array")?;
        self.rest
            .call(self.id(component)?, worker, function, params)
    }

    fn expect(&self, (component, worker, function, params, expected): &Step) -> Result<()> {
        let found = self.call(component, worker, function, params)?;
        ensure!(
            found == *expected,
            "{component}/{worker}: {function}{params} is {found} and not {expected}"
        );
        Ok(())
    }

    fn worker(&self, component: &str, worker: &str) -> Result<String> {
        Ok(format!(
            "/v1/components/{}/workers/{worker}",
            self.id(component)?
        ))
    }
}

/// Component, worker, function, parameters, result.
type Step = (&'static str, &'static str, &'static str, Value, Value);

/// What is asked of those templates that need nothing else.
fn before() -> Vec<Step> {
    let tea = json!({ "product": "tea", "cents": 450, "pieces": 2 });
    let entry = |name: &str| json!([{ "name": name, "text": "hello" }]);
    let full = "operation 1 failed: opera: full; all before it were compensated";
    let trip = json!([["flight", "opera"]]);
    vec![
        ("my-minimal", "w", "add", json!([3]), json!(3)),
        (
            "my-default",
            "alice",
            "add",
            json!([tea]),
            json!({ "ok": null }),
        ),
        ("my-default", "alice", "total", json!([]), json!(900)),
        (
            "my-default",
            "alice",
            "remove",
            json!(["gold"]),
            json!({ "err": { "unknown": "gold" } }),
        ),
        (
            "my-key-value",
            "a",
            "sign",
            entry("ada"),
            json!({ "ok": 1 }),
        ),
        (
            "my-key-value",
            "b",
            "sign",
            entry("grace"),
            json!({ "ok": 2 }),
        ),
        ("stock", "tea", "put", json!([5]), json!(5)),
        (
            "orders",
            "ada",
            "order",
            json!(["tea", 3]),
            json!({ "ok": 1 }),
        ),
        (
            "orders",
            "ada",
            "order",
            json!(["tea", 3]),
            json!({ "err": "only 2 pieces of tea are left" }),
        ),
        ("booking", "flight", "open", json!([9]), json!(null)),
        ("booking", "opera", "open", json!([1]), json!(null)),
        ("trip", "ada", "plan", trip.clone(), json!({ "ok": [1, 1] })),
        ("trip", "grace", "plan", trip, json!({ "err": full })),
    ]
}

/// What the workers still know after a kill.
fn after() -> Vec<Step> {
    let tea = json!({ "product": "tea", "cents": 450, "pieces": 2 });
    let counted = json!({ "ok": [{ "word": "be", "times": 2 }, { "word": "to", "times": 1 }] });
    vec![
        ("my-minimal", "w", "get", json!([]), json!(3)),
        ("my-default", "alice", "items", json!([]), json!([tea])),
        (
            "my-key-value",
            "b",
            "guests",
            json!([]),
            json!({ "ok": ["ada", "grace"] }),
        ),
        ("orders", "ada", "orders", json!([]), json!(["3 x tea"])),
        ("boss", "main", "count", json!([["to be", "be"]]), counted),
        ("booking", "flight", "guests", json!([]), json!(["ada"])),
        (
            "my-approval",
            "chair",
            "decision",
            json!([60_000]),
            json!({ "ok": "approved" }),
        ),
        (
            "my-http-client",
            "main",
            "answers",
            json!([]),
            json!(["Oslo: -3.5"]),
        ),
        ("my-http-api", "home", "open", json!([]), json!(["sleep"])),
    ]
}

/// A waiting worker gets its promise completed from outside.
fn approve(all: &All) -> Result<()> {
    let submitted = all.call("my-approval", "chair", "submit", &json!(["a chair", 9900]))?;
    let index = submitted.pointer("/ok").context("no promise")?;
    let path = all.worker("my-approval", "chair")? + "/complete";
    let yes = json!({ "oplogIdx": index, "data": b"yes" });
    let (status, answer) = all.rest.post(&path, &yes, None)?;
    ensure!(status == 200 && answer == json!(true), "{status}: {answer}");
    let decision = (
        "my-approval",
        "chair",
        "decision",
        json!([60_000]),
        json!({ "ok": "approved" }),
    );
    all.expect(&decision)
}

/// The job runs by itself until it is stopped. Returns how often it ran.
fn tick(all: &All) -> Result<Value> {
    all.expect(&(
        "my-timer",
        "nightly",
        "start",
        json!([20]),
        json!({ "ok": null }),
    ))?;
    let until = Instant::now() + PATIENCE;
    while all
        .call("my-timer", "nightly", "runs", &json!([]))?
        .as_u64()
        < Some(3)
    {
        ensure!(Instant::now() < until, "the job did not run three times");
    }
    all.expect(&("my-timer", "nightly", "stop", json!([]), json!(true)))?;
    all.call("my-timer", "nightly", "runs", &json!([]))
}

/// A service that knows one temperature, and how often it was asked. Ends with the process of the tests.
fn service() -> Result<(SocketAddr, Arc<AtomicUsize>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // A GET without a body: its head comes at once, and is not looked at.
            let _ = stream.read(&mut [0; 4096]);
            count.fetch_add(1, Ordering::SeqCst);
            let head = "HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n";
            let _ = stream.write_all(format!("{head}{{\"celsius\": -3.5}}").as_bytes());
        }
    });
    Ok((address, asked))
}

/// Asks the service, through a worker.
fn ask(all: &All, service: SocketAddr) -> Result<()> {
    let path = format!("/v1/components/{}/workers", all.id("my-http-client")?);
    let url = format!("http://{service}/weather");
    let body = json!({ "name": "main", "args": [], "env": { "WEATHER_URL": url } });
    let (status, answer) = all.rest.post(&path, &body, None)?;
    ensure!(status == 200, "{status}: {answer}");
    all.expect(&(
        "my-http-client",
        "main",
        "ask",
        json!(["Oslo"]),
        json!({ "ok": -3.5 }),
    ))
}

/// A worker is asked over HTTP.
fn serve(all: &All) -> Result<()> {
    let path = all.worker("my-http-api", "home")? + "/http/tasks";
    let made = json!({ "id": 1, "title": "sleep", "done": false });
    let (status, answer) = all.rest.post(&path, &json!({ "title": "sleep" }), None)?;
    ensure!((status, &answer) == (201, &made), "{status}: {answer}");
    let (status, answer) = all.rest.get(&path)?;
    ensure!(
        (status, &answer) == (200, &json!([made])),
        "{status}: {answer}"
    );
    Ok(())
}

/// The names in the listing.
fn listed(root: &Path) -> Result<Vec<String>> {
    let text = run(root, &["--format", "json", "list-templates"])?;
    let list: Value = serde_json::from_str(&text)?;
    let rows = list.as_array().context("a list")?;
    let name = |row: &Value| row["name"].as_str().map(str::to_owned);
    rows.iter().map(|row| name(row).context("a name")).collect()
}

/// Makes, builds, tests and deploys a template.
fn make(root: &Path, template: &str, url: &str) -> Result<()> {
    let name = format!("my-{template}");
    let package = format!("acme:{template}");
    run(
        root,
        &[
            "new",
            "--template",
            template,
            "--package-name",
            &package,
            &name,
        ],
    )?;
    let project = root.join(&name);
    run(&project, &["build", "--offline"])?;
    let test = Command::new("go")
        .args(["test", "./..."])
        .env("GOPROXY", "off")
        .current_dir(&project)
        .output()?;
    let printed = String::from_utf8_lossy(&test.stdout).into_owned();
    ensure!(
        test.status.success() && printed.contains("ok  \t"),
        "go test ./... of {template}:\n{printed}{}",
        String::from_utf8_lossy(&test.stderr)
    );
    run(&project, &["--url", url, "deploy"])?;
    Ok(())
}

/// Two at a time: the compilers have parts that use one core only.
fn make_all(root: &Path, templates: &[String], url: &str) -> Result<()> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<()> {
        while let Some(template) = templates.get(next.fetch_add(1, Ordering::SeqCst)) {
            make(root, template, url)?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(work);
        let own = work();
        match other.join() {
            Ok(others) => own.and(others),
            Err(_) => bail!("the other thread panicked"),
        }
    })
}

#[test]
fn every_template_does_what_its_readme_says() -> Result<()> {
    if needs_go("every_template_does_what_its_readme_says") {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let (service, asked) = service()?;
    let data = folder.path().join("data");
    let address = service.to_string();
    let options = ["--allow-network", address.as_str()];
    let server = Server::start_with(&data, &options)?;
    let templates = listed(folder.path())?;
    make_all(folder.path(), &templates, server.url())?;

    let mut ids = BTreeMap::new();
    let (_, components) = server.rest().get("/v1/components")?;
    for component in components.as_array().context("components")? {
        let id = component.pointer("/versionedComponentId/componentId");
        if let (Some(name), Some(id)) = (
            component["componentName"].as_str(),
            id.and_then(Value::as_str),
        ) {
            ids.insert(name.to_owned(), id.to_owned());
        }
    }
    // A template that nobody asks is not tested. The helpers are asked by the boss.
    let mut asked_for: Vec<&str> = before()
        .into_iter()
        .chain(after())
        .map(|step| step.0)
        .collect();
    asked_for.extend(["helper", "my-timer"]);
    let forgotten: Vec<&String> = ids
        .keys()
        .filter(|name| !asked_for.contains(&name.as_str()))
        .collect();
    ensure!(forgotten.is_empty(), "nobody asks {forgotten:?}");
    let mut all = All {
        rest: server.rest(),
        ids,
    };
    for step in before() {
        all.expect(&step)?;
    }
    approve(&all)?;
    ask(&all, service)?;
    serve(&all)?;
    let runs = tick(&all)?;

    server.kill()?;
    let server = Server::start_with(&data, &options)?;
    all.rest = server.rest();
    for step in after() {
        all.expect(&step)?;
    }
    all.expect(&("my-timer", "nightly", "runs", json!([]), runs))?;
    assert_eq!(
        asked.load(Ordering::SeqCst),
        1,
        "the service was asked again"
    );
    Ok(())
}
