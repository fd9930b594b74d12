// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / go_style: components in bindings style `go`, and calls that return typed errors.
//! In: `guests/go-style`. Source: Go guests §7, §8; docs/go-bindings.md, section "Style go".

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use golem_testkit::{Random, Rest, Server, copy_tree, run};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{guests, needs_go};

/// Components by name.
type Built = HashMap<&'static str, Vec<u8>>;

/// The components, built once.
fn built() -> Result<Built> {
    static BUILT: Mutex<Option<Built>> = Mutex::new(None);
    let mut built = BUILT
        .lock()
        .map_err(|_| anyhow::anyhow!("another build failed"))?;
    if let Some(built) = &*built {
        return Ok(built.clone());
    }
    let folder = tempfile::tempdir()?;
    copy_tree(&guests().join("go-style"), folder.path())?;
    run(folder.path(), &["build"])?;
    let mut made = HashMap::new();
    for name in ["shelf", "reader"] {
        let path = folder.path().join(format!("target/components/{name}.wasm"));
        let wasm = std::fs::read(&path).with_context(|| path.display().to_string())?;
        made.insert(name, wasm);
    }
    *built = Some(made.clone());
    Ok(made)
}

/// A server with both components.
struct Library {
    data: TempDir,
    server: Server,
    shelf: String,
    reader: String,
}

impl Library {
    fn open() -> Result<Self> {
        let built = built()?;
        let data = tempfile::tempdir()?;
        let server = Server::start(data.path())?;
        let rest = server.rest();
        Ok(Self {
            shelf: rest.create_component("shelf", &built["shelf"])?,
            reader: rest.create_component("reader", &built["reader"])?,
            data,
            server,
        })
    }

    /// Kills the server, if it has not died, and starts it again.
    fn restart(self, options: &[&str]) -> Result<Self> {
        self.server.kill()?;
        Ok(Self {
            server: Server::start_with(self.data.path(), options)?,
            ..self
        })
    }

    fn rest(&self) -> Rest {
        self.server.rest()
    }

    /// Calls a function of the reader.
    fn read(&self, worker: &str, function: &str, params: &[Value]) -> Result<Value> {
        let name = format!("library:reader/reading.{{{function}}}");
        self.rest().call(&self.reader, worker, &name, params)
    }

    /// Calls a function of a shelf.
    fn shelf(&self, worker: &str, function: &str, params: &[Value]) -> Result<Value> {
        let name = format!("library:shelf/books.{{{function}}}");
        self.rest().call(&self.shelf, worker, &name, params)
    }

    /// How a reader names a shelf.
    fn at(&self, worker: &str) -> Value {
        json!(format!("{}/{worker}", self.shelf))
    }
}

#[test]
fn values_of_every_kind_go_to_a_worker_and_back() -> Result<()> {
    if needs_go("values_of_every_kind_go_to_a_worker_and_back") {
        return Ok(());
    }
    let library = Library::open()?;
    let shelf = library.at("one");
    let left = library.read("r", "round", &[shelf, json!("Emma"), json!(5)])?;
    assert_eq!(left, json!({ "ok": 4 }));
    // A component may also be named.
    let left = library.read("r", "round", &[json!("shelf/one"), json!("Emma"), json!(2)])?;
    assert_eq!(left, json!({ "ok": 5 }));
    let library = library.restart(&[])?;
    assert_eq!(library.shelf("one", "count", &[json!("Emma")])?, json!(5));
    assert_eq!(library.read("r", "calls", &[])?, json!(2));
    Ok(())
}

#[test]
fn an_upload_tells_when_a_stub_does_not_fit_its_target() -> Result<()> {
    if needs_go("an_upload_tells_when_a_stub_does_not_fit_its_target") {
        return Ok(());
    }
    let built = built()?;
    let data = tempfile::tempdir()?;
    let server = Server::start(data.path())?;
    let rest = server.rest();
    let upload = |name: &str, wasm: &[u8]| -> Result<Value> {
        let (status, body) = rest.upload("/v1/components", Some(name), "Durable", wasm)?;
        assert_eq!(status, 200, "{body}");
        Ok(body["warnings"].clone())
    };
    // No target yet: nothing is known.
    assert_eq!(upload("early", &built["reader"])?, Value::Null);
    // A target of an older day.
    let old = wat::parse_str(OLD_SHELF)?;
    assert_eq!(upload("old-shelf", &old)?, Value::Null);
    let warnings = upload("late", &built["reader"])?;
    let text = warnings[0].as_str().unwrap_or_default();
    for part in [
        "`library:shelf-stub/stub-shelf`",
        "`old-shelf` version 0",
        "`books.count` takes other parameters",
        "`books.take` is not there",
    ] {
        assert!(text.contains(part), "no {part} in {warnings}");
    }
    // One that fits is enough.
    assert_eq!(upload("shelf", &built["shelf"])?, Value::Null);
    assert_eq!(upload("later", &built["reader"])?, Value::Null);
    Ok(())
}

/// Exports `library:shelf/books` with one function that the shelf of today has as well, with another parameter.
const OLD_SHELF: &str = r#"(component
  (core module $m (func (export "count") (param i32) (result i32) local.get 0))
  (core instance $i (instantiate $m))
  (func $count (param "title" u32) (result u32) (canon lift (core func $i "count")))
  (instance $books (export "count" (func $count)))
  (export "library:shelf/books" (instance $books)))"#;

#[test]
fn a_caller_gets_the_failure_of_a_call_as_a_value_and_lives_on() -> Result<()> {
    if needs_go("a_caller_gets_the_failure_of_a_call_as_a_value_and_lives_on") {
        return Ok(());
    }
    let library = Library::open()?;
    let failure = |library: &Library, worker: &str, shelf: &str, what: &str| -> Result<String> {
        let found = library.read(worker, "failure", &[library.at(shelf), json!(what)])?;
        Ok(found.as_str().unwrap_or_default().to_owned())
    };
    // Failures that the interface has a place for: they are no failures of the call.
    assert_eq!(
        failure(&library, "r", "one", "take Ulysses")?,
        "unknown Ulysses"
    );
    assert_eq!(failure(&library, "r", "one", "take ")?, "closed");
    library.read("r", "round", &[library.at("one"), json!("Emma"), json!(1)])?;
    assert_eq!(failure(&library, "r", "one", "take Emma")?, "lent 7");
    // A panic, and an error without a place.
    let text = failure(&library, "r", "two", "too old")?;
    assert!(text.starts_with("callee failed|true|"), "{text}");
    assert!(text.contains("burnt: too old"), "{text}");
    let text = failure(&library, "r", "three", "error")?;
    assert!(
        text.starts_with("callee failed|true|") && text.contains("no reason given"),
        "{text}"
    );
    // A worker that failed stays so for a call that waits and for one that is only sent.
    let text = failure(&library, "r", "two", "put")?;
    assert!(text.starts_with("callee failed|true|"), "{text}");
    assert_eq!(library.read("r", "calls", &[])?, json!(7));
    // The failures are history: repeated, they are the same, and the caller goes on.
    let library = library.restart(&[])?;
    assert_eq!(library.read("r", "calls", &[])?, json!(7));
    assert_eq!(
        failure(&library, "r", "one", "take Ulysses")?,
        "unknown Ulysses"
    );
    Ok(())
}

#[test]
fn a_call_of_nobody_is_not_found() -> Result<()> {
    if needs_go("a_call_of_nobody_is_not_found") {
        return Ok(());
    }
    let library = Library::open()?;
    let nobody = json!("11111111-2222-3333-4444-555555555555/x");
    for what in ["trigger", "put", "why"] {
        let found = library.read("r", "failure", &[nobody.clone(), json!(what)])?;
        let found = found.as_str().unwrap_or_default();
        assert!(found.starts_with("not found|false|"), "{what}: {found}");
    }
    let library = library.restart(&[])?;
    assert_eq!(library.read("r", "calls", &[])?, json!(3));
    Ok(())
}

#[test]
fn fifty_goroutines_call_at_once() -> Result<()> {
    if needs_go("fifty_goroutines_call_at_once") {
        return Ok(());
    }
    let library = Library::open()?;
    let names: Vec<String> = (0..50).map(|n| format!("s{n}")).collect();
    let params = [json!(library.shelf), json!(names), json!("Emma")];
    assert_eq!(library.read("r", "fan-out", &params)?, json!({ "ok": 100 }));
    assert_eq!(library.read("r", "all", &params)?, json!({ "ok": 100 }));
    let library = library.restart(&[])?;
    assert_eq!(library.read("r", "fan-out", &params)?, json!({ "ok": 200 }));
    assert_eq!(library.shelf("s49", "count", &[json!("Emma")])?, json!(4));
    assert_eq!(library.read("r", "calls", &[])?, json!(3));
    Ok(())
}

/// Environment variable that repeats the random kill of the storm.
const SEED: &str = "GOLEM_FAULT_SEED";
/// Calls all shelves at once.
const STORM: &str = "library:reader/reading.{storm}";
/// Shelves of the storm.
const SHELVES: usize = 100;

/// A storm of calls, under a name of its own.
struct Storm<'a> {
    name: &'a str,
    names: Vec<String>,
}

impl<'a> Storm<'a> {
    fn new(name: &'a str) -> Self {
        let names = (0..SHELVES).map(|n| format!("{name}-{n}")).collect();
        Self { name, names }
    }

    fn params(&self, library: &Library) -> [Value; 3] {
        [json!(library.shelf), json!(self.names), json!("Emma")]
    }

    /// Calls it, always with the same key.
    fn call(&self, library: &Library) -> Result<(u16, Value)> {
        let params = self.params(library);
        let rest = library.rest();
        rest.try_call(&library.reader, self.name, STORM, &params, Some("once"))
    }

    /// The call is answered, every shelf was asked exactly once for everything, and the caller repeats its history.
    fn check(&self, library: Library) -> Result<Library> {
        let left: Vec<u32> = (0..SHELVES)
            .map(|n| if n % 4 == 2 { 1 } else { 2 })
            .collect();
        let expected = json!({ "ok": left });
        let (status, body) = self.call(&library)?;
        ensure!(status == 200, "{status}: {body}");
        let answer = &body["result"]["value"][0];
        ensure!(*answer == expected, "{answer}");
        let counted = library.read("counter", "counts", &self.params(&library))?;
        ensure!(counted == expected, "{counted}");
        let library = library.restart(&[])?;
        let calls = library.read(self.name, "calls", &[])?;
        ensure!(calls == json!(1), "{calls} calls");
        Ok(library)
    }
}

#[test]
fn a_hundred_goroutines_wait_in_every_way_and_no_kill_repeats_a_call() -> Result<()> {
    if needs_go("a_hundred_goroutines_wait_in_every_way_and_no_kill_repeats_a_call") {
        return Ok(());
    }
    let mut library = Library::open()?;
    let storm = Storm::new("calm");
    let start = Instant::now();
    storm.call(&library)?;
    let whole = start.elapsed();
    library = storm.check(library)?;
    // In the middle of the fan-out, and of the answers.
    let mut crashes = 0;
    for point in [
        "after:1",
        "before:2",
        "after:3",
        "before:5",
        "after:8",
        "before:13",
        "after:21",
    ] {
        let storm = Storm::new(point);
        library = library.restart(&["--crash-at", point])?;
        crashes += u32::from(storm.call(&library).is_err());
        library = library.restart(&[])?;
        library = storm
            .check(library)
            .with_context(|| format!("--crash-at {point}"))?;
    }
    assert!(crashes >= 4, "{crashes} crashes");
    let seed = Random::seed(SEED);
    let repeat = format!(
        "repeat with {SEED}={seed} cargo test --workspace --test it -- a_hundred_goroutines"
    );
    eprintln!("{repeat}");
    let wait = Duration::from_micros(seed % u64::try_from(whole.as_micros())?.max(1));
    let storm = Storm::new("killed");
    let (rest, reader) = (library.rest(), library.reader.clone());
    let params = storm.params(&library);
    let caller = std::thread::spawn(move || {
        let answered = rest.try_call(&reader, "killed", STORM, &params, Some("once"));
        drop(answered);
    });
    std::thread::park_timeout(wait);
    library = library.restart(&[])?;
    caller
        .join()
        .map_err(|_| anyhow::anyhow!("the caller panicked"))?;
    storm.check(library).context(repeat)?;
    Ok(())
}

#[test]
fn a_call_whose_goroutines_all_sleep_on_channels_is_told() -> Result<()> {
    if needs_go("a_call_whose_goroutines_all_sleep_on_channels_is_told") {
        return Ok(());
    }
    let library = Library::open()?;
    // Without a call before, and with the driver gone after one.
    for (worker, shelf) in [("r", json!("")), ("s", library.at("one"))] {
        let function = "library:reader/reading.{stuck}";
        let (status, body) =
            library
                .rest()
                .try_call(&library.reader, worker, function, &[shelf], None)?;
        assert_ne!(status, 200, "{body}");
        assert!(
            body.to_string().contains("all goroutines are asleep"),
            "{body}"
        );
    }
    Ok(())
}

#[test]
fn a_deadline_ends_a_wait_and_the_faster_of_two_wins() -> Result<()> {
    if needs_go("a_deadline_ends_a_wait_and_the_faster_of_two_wins") {
        return Ok(());
    }
    let library = Library::open()?;
    let (one, two) = (library.at("one"), library.at("two"));
    let patience = |slow: u32, patience: u32| {
        library.read(
            "r",
            "patience",
            &[one.clone(), json!(slow), json!(patience)],
        )
    };
    assert_eq!(patience(1, 20_000)?, json!("1"));
    assert_eq!(patience(2_000, 20)?, json!("timeout"));
    let race = [two.clone(), library.at("three"), json!(3_000), json!(2)];
    assert_eq!(library.read("r", "race", &race)?, json!(2));
    let library = library.restart(&[])?;
    assert_eq!(library.read("r", "calls", &[])?, json!(3));
    Ok(())
}

/// A component that calls its own kind: the stub is made of it and added to it.
fn chain() -> Result<Vec<u8>> {
    let folder = tempfile::tempdir()?;
    let root = folder.path();
    copy_tree(&guests().join("go-chain"), root)?;
    let stubgen = |args: &[&str]| {
        let mut all = vec!["stubgen"];
        all.extend(args);
        all.push("--error-results");
        run(root, &all)
    };
    stubgen(&[
        "build",
        "--source-wit-root",
        "wit",
        "--dest-wasm",
        "stub/stub.wasm",
        "--dest-wit-root",
        "stub/wit",
    ])?;
    stubgen(&[
        "add-stub-dependency",
        "--stub-wit-root",
        "stub/wit",
        "--dest-wit-root",
        "wit",
    ])?;
    let wit = root.join("wit/chain.wit");
    let text = std::fs::read_to_string(&wit)?;
    let calling = text.replace(
        "world chain {",
        "world chain {\n  import library:chain-stub/stub-chain;",
    );
    std::fs::write(&wit, calling)?;
    run(root, &["build", "--style", "go"])?;
    Ok(std::fs::read(root.join("chain.wasm"))?)
}

#[test]
fn a_call_that_waits_for_itself_is_told_as_a_value() -> Result<()> {
    if needs_go("a_call_that_waits_for_itself_is_told_as_a_value") {
        return Ok(());
    }
    let data = tempfile::tempdir()?;
    let server = Server::start(data.path())?;
    let component = server.rest().create_component("chain", &chain()?)?;
    let pass = |server: &Server, worker: &str, names: &[&str], waiting: &str| {
        let name = "library:chain/links.{pass}";
        server
            .rest()
            .call(&component, worker, name, &[json!(names), json!(waiting)])
    };
    for waiting in ["call", "goroutines", "all"] {
        let names = |names: &[&str]| -> Vec<String> {
            names.iter().map(|n| format!("{waiting}-{n}")).collect()
        };
        let ask = |list: &[&str]| {
            let list = names(list);
            let (first, rest) = list.split_first().context("somebody starts")?;
            let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
            pass(&server, first, &rest, waiting)
        };
        let far = json!(format!("{waiting}-b {waiting}-c end"));
        assert_eq!(ask(&["a", "b", "c"])?, far);
        assert_eq!(ask(&["a", "a"])?, json!("deadlock of 2"));
        let cycle = json!(format!("{waiting}-b {waiting}-c deadlock of 4"));
        assert_eq!(ask(&["a", "b", "c", "a"])?, cycle);
        assert_eq!(ask(&["a", "b", "c"])?, far);
    }
    // The cycles are history, and nobody was harmed.
    server.kill()?;
    let server = Server::start(data.path())?;
    for waiting in ["call", "goroutines", "all"] {
        let calls = server.rest().call(
            &component,
            &format!("{waiting}-a"),
            "library:chain/links.{calls}",
            &[],
        )?;
        // Four calls from outside, and two that closed a cycle: nobody waits for those, but they were sent.
        assert_eq!(calls, json!(6), "{waiting}");
    }
    Ok(())
}
