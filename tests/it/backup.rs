// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / backup: everything of a server in one file while it works, and a server that goes on with it. Source: storage design
//! §6 (F19). Read next: `traveller.rs`, docs/formats/export.md.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Context as _, Result, ensure};
use golem_testkit::{Server, run, run_failing};
use serde_json::{Value, json};

use crate::traveller::{Traveller, Version, until};

/// Workers that are called all the time.
const BUSY: usize = 4;
/// Calls that each of them has answered before the export begins, and those that it answers after it began.
const AROUND: usize = 25;

/// What somebody who calls a worker all the time was told: the total after each call, whose key is its number.
struct Heard {
    worker: String,
    totals: Vec<u64>,
    /// How many of them before the export was asked for.
    before: usize,
}

fn name(n: usize) -> String {
    format!("busy{n}")
}

fn key(worker: &str, n: usize) -> String {
    format!("{worker}-{n}")
}

/// Who calls and who exports, to each other.
#[derive(Default)]
struct Signs {
    /// Calls that were answered, by worker.
    answered: [AtomicUsize; BUSY],
    /// The export is about to be asked for.
    exporting: AtomicBool,
    /// It is there, or never will be.
    exported: AtomicBool,
}

/// Calls the busy worker `n` until the export is there and some calls longer, and notes what it hears.
fn keep_calling(t: &Traveller, n: usize, signs: &Signs) -> Result<Heard> {
    let worker = name(n);
    let mut heard = Heard {
        worker: worker.clone(),
        totals: Vec::new(),
        before: 0,
    };
    let mut after = 0;
    while !signs.exported.load(Ordering::Acquire) || after < AROUND {
        // Looked at before the call: what was answered so far was answered before the export.
        if !signs.exporting.load(Ordering::Acquire) {
            heard.before = heard.totals.len();
        } else {
            after += 1;
        }
        let name = key(&worker, heard.totals.len());
        let (status, body) = t.try_call(&worker, "add", &[json!(1)], Some(&name))?;
        ensure!(status == 200, "{worker} answered {status}: {body}");
        let total = body.pointer("/result/value/0").and_then(Value::as_u64);
        heard.totals.push(total.context("no total")?);
        signs.answered[n].fetch_add(1, Ordering::Release);
    }
    Ok(heard)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

/// A server that has nothing yet, and will have `component`.
fn fresh(component: &str) -> Result<Traveller> {
    let data = tempfile::tempdir()?;
    let server = Server::start(data.path())?;
    Ok(Traveller {
        data,
        server,
        component: component.to_owned(),
    })
}

#[test]
fn a_server_goes_on_where_another_one_was_when_it_was_exported_under_load() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let t = Traveller::start()?;
    // Something of each kind that waits: a promise, a sleep, a schedule, a failure.
    t.post("waiter", "wait", &[], "waiting")?;
    let promise = t.entry("waiter", "promise-created")?;
    t.call("sleeper", "add", &[json!(5)])?;
    t.post("sleeper", "sleep", &[json!({ "value": 3000 })], "sleeping")?;
    t.entry("sleeper", "exported-function-invoked")?;
    let later = format!("{}/schedule?function=add&in=4s", t.path("later"));
    t.ok(&later, &json!({"params": [{"value": 9}]}), Some("once"))?;
    t.call("undone", "add", &[json!(1)])?;
    ensure!(t.try_call("undone", "boom", &[], None)?.0 == 500);
    t.call("gone", "add", &[json!(1)])?;
    ensure!(t.rest().delete(&t.path("gone"))?.0 == 200);
    t.upload(Version::Same)?;

    let signs = Signs::default();
    let file = dir.path().join("all.export");
    let heard = std::thread::scope(|scope| -> Result<Vec<Heard>> {
        let calling: Vec<_> = (0..BUSY)
            .map(|n| {
                scope.spawn({
                    let (t, signs) = (&t, &signs);
                    move || keep_calling(t, n, signs)
                })
            })
            .collect();
        let said = until("enough calls", || {
            let mut answered = signs.answered.iter();
            let enough = answered.all(|n| n.load(Ordering::Acquire) > AROUND);
            Ok(enough.then_some(()))
        })
        .and_then(|()| {
            signs.exporting.store(true, Ordering::Release);
            t.cli(&["export", text(&file)])
        });
        // Whatever happened, nobody calls for ever.
        signs.exporting.store(true, Ordering::Release);
        signs.exported.store(true, Ordering::Release);
        let said = said?;
        assert!(
            said["totals"]["workers"].as_u64() >= Some(3 + BUSY as u64),
            "{said}"
        );
        calling
            .into_iter()
            .map(|call| {
                call.join()
                    .map_err(|_| anyhow::anyhow!("a caller panicked"))?
            })
            .collect()
    })?;
    // Only one of the two goes on.
    let Traveller {
        server, component, ..
    } = t;
    server.kill()?;
    let t = fresh(&component)?;
    let imported = t.cli(&["import", text(&file)])?;
    assert_eq!(imported["head"]["shards"], 256);
    check(&t, &heard, promise)?;
    // What was imported is durable, and a server that has something takes no other import.
    let t = t.restart()?;
    let totals = (0..BUSY)
        .map(|n| Ok((name(n), t.call(&name(n), "get", &[])?)))
        .collect::<Result<BTreeMap<String, Value>>>()?;
    let words = ["--url", t.server.url(), "import", text(&file)];
    let (exit, said) = run_failing(dir.path(), &words)?;
    assert!(exit == 7 && said.contains("EXP-006"), "{exit}: {said}");

    // Without a server: out of one directory, into another.
    let second = dir.path().join("second.export");
    let (source, target) = (t.data.path().to_owned(), dir.path().join("offline"));
    let words = ["export", text(&second), "--data-dir", text(&source)];
    let (_, said) = run_failing(dir.path(), &words)?;
    assert!(said.contains("STO-003"), "{said}");
    let Traveller {
        data,
        server,
        component,
    } = t;
    assert!(server.stop()?.success());
    run(dir.path(), &words)?;
    let words = ["import", text(&second), "--data-dir", text(&target)];
    run(dir.path(), &words)?;
    let (exit, said) = run_failing(dir.path(), &words)?;
    assert!(exit == 7 && said.contains("EXP-006"), "{exit}: {said}");
    let t = Traveller {
        data,
        server: Server::start(&target)?,
        component,
    };
    for (name, total) in &totals {
        assert_eq!(t.call(name, "get", &[])?, *total, "{name}");
    }
    Ok(())
}

/// What a server has to have after the import of an export that was made while callers heard what they `heard`.
fn check(t: &Traveller, heard: &[Heard], promise: u64) -> Result<()> {
    for caller in heard {
        let worker = &caller.worker;
        let total = t.call(worker, "get", &[])?.as_u64().context("no total")?;
        // The total after a call tells which one it was: each adds the same.
        let kept = caller.totals.iter().filter(|told| **told <= total);
        let kept = kept.count();
        assert_eq!(kept.checked_sub(1).map(|at| caller.totals[at]), Some(total));
        assert!(
            caller.before >= AROUND && caller.before <= kept && kept <= caller.totals.len(),
            "{worker} has {kept} calls, {} were told before the export and {} in all",
            caller.before,
            caller.totals.len()
        );
        // Its keys answer the same, and nothing happens again.
        for (n, total) in caller.totals.iter().enumerate().take(kept) {
            let name = key(worker, n);
            let (status, body) = t.try_call(worker, "add", &[json!(1)], Some(&name))?;
            let value = json!([total]);
            assert_eq!((status, &body["result"]["value"]), (200, &value), "{body}");
        }
        let step = caller.totals[1] - caller.totals[0];
        assert_eq!(t.call(worker, "add", &[json!(1)])?, json!(total + step));
    }
    // Who waited gets what it waited for.
    let complete = format!("{}/complete", t.path("waiter"));
    let body = json!({"oplogIdx": promise, "data": [1, 2, 3]});
    assert_eq!(t.ok(&complete, &body, None)?, json!(true));
    let (_, body) = t.try_call("waiter", "wait", &[], Some("waiting"))?;
    assert_eq!(body["result"]["value"], json!([3]), "{body}");
    let (_, body) = t.try_call("sleeper", "sleep", &[json!(3000)], Some("sleeping"))?;
    assert_eq!(body["result"]["value"], json!([5]), "{body}");
    // Its worker is made by the call, so it is of the newest version, as the busy ones.
    let step = heard.first().map_or(1, |caller| caller.totals[0]);
    until("the schedule", || {
        let total = t.call("later", "get", &[])?;
        Ok((total == json!(9 * step)).then_some(()))
    })?;
    assert_eq!(t.worker("undone")?["status"], "Failed");
    assert_eq!(t.rest().get(&t.path("gone"))?.0, 404);
    let (_, versions) = t.rest().get(&format!("/v1/components/{}", t.component))?;
    assert_eq!(versions.as_array().map(Vec::len), Some(2), "{versions}");
    Ok(())
}

#[test]
fn a_file_that_was_cut_or_changed_leaves_the_server_as_it_was() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let t = Traveller::start()?;
    t.call("w", "add", &[json!(3)])?;
    let file = dir.path().join("all.export");
    t.cli(&["export", text(&file)])?;
    let whole = std::fs::read(&file)?;
    let empty = fresh(&t.component)?;
    let refused = |bytes: &[u8], code: &str| -> Result<()> {
        let bad = dir.path().join("bad.export");
        std::fs::write(&bad, bytes)?;
        // The command line looks by itself, and so does the server.
        let words = ["--url", empty.server.url(), "import", text(&bad)];
        let (_, said) = run_failing(dir.path(), &words)?;
        assert!(said.contains(code), "{said}");
        let (status, said) = empty.rest().post_bytes("/v1/import", bytes)?;
        assert_eq!((status, &said["code"]), (400, &json!(code)), "{said}");
        let (_, ready) = empty.rest().get("/v1/import")?;
        assert_eq!(ready, json!({ "ready": true }));
        for name in ["import.part", "import.whole", "import.begun"] {
            assert!(!empty.data.path().join(name).exists(), "{name}");
        }
        Ok(())
    };
    let cut = whole.get(..whole.len() - 10).context("a short file")?;
    refused(cut, "EXP-003")?;
    let blob = whole.windows(4).position(|bytes| bytes == b"\0asm");
    for at in [blob.context("no component")?, whole.len() - 10] {
        let mut changed = whole.clone();
        changed[at] ^= 4;
        refused(&changed, "EXP-004")?;
    }
    let mut newer = whole.clone();
    newer[12] = 9;
    refused(&newer, "EXP-002")?;
    refused(b"something else", "EXP-001")?;

    // A server that died while the file went into its store finishes that before it takes requests.
    let begun = dir.path().join("begun");
    drop(Server::start(&begun)?);
    std::fs::write(begun.join("import.begun"), &whole)?;
    let t = Traveller {
        server: Server::start(&begun)?,
        ..t
    };
    assert_eq!(t.call("w", "add", &[json!(4)])?, json!(7));
    assert!(!begun.join("import.begun").exists());
    Ok(())
}
