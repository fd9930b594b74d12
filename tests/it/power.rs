// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / power: the power goes off. One workload runs on the real server while everything that it does to its files is recorded;
//! then the server starts on disks as they may be after a power cut at any moment of it, with whatever no sync has promised
//! dropped, torn or reordered. What was acknowledged before the cut is there, what was not begun is not, and no key does
//! anything twice. Prints its seed. Read next: golem-testkit `disk.rs`. Source: reliability F3 (G1, G2, G7, G10).

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use golem_testkit::{Cut, History, Preload, Random, Rest, Server, Unsynced};
use serde_json::{Value, json};

use crate::traveller::{Version, guest, until};

/// Environment variable that repeats the power cuts of a run (the workload itself is as the machine does it).
const SEED: &str = "GOLEM_FAULT_SEED";
/// Environment variable that sets how many power cuts there are.
const ROUNDS: &str = "GOLEM_FAULT_ROUNDS";
/// Power cuts of the quick form.
const CUTS_QUICK: u64 = 16;
/// Additions of the worker that makes the log long enough for checkpoints.
const LONG: u64 = 700;
/// Workers with a large environment, about 64 KB each: so many that memory tables of the database are written out.
const LARGE: u64 = 150;
/// The same of the long form: so many that it begins another journal and merges tables.
const LARGE_LONG: u64 = 1_500;
/// Power cuts from which on it is the long form.
const CUTS_LONG: u64 = 100;
/// How long a worker may take to do what it had accepted. Far above what it needs, because tests share two cores.
const PATIENCE: Duration = Duration::from_secs(20);

/// What happened so many bytes of the journal before a cut is looked at after every cut: some ten commits.
const NEAR: u64 = 100_000;
/// Of what is older, one in so many.
const PART: u64 = 8;

/// What a client saw of one change of a worker: how long the journal was when it asked and when it was answered.
struct Step {
    asked: u64,
    answered: Option<u64>,
    /// What the worker is then: its total, or that it is not there.
    then: Option<u64>,
}

/// A call with a key, to be asked again after the power cut.
struct Keyed {
    worker: String,
    function: &'static str,
    params: Vec<Value>,
    key: String,
    answered: u64,
    answer: Value,
}

/// A client that remembers what it was told.
struct Client<'a> {
    preload: &'a Preload,
    rest: Rest,
    component: String,
    lives: BTreeMap<String, Vec<Step>>,
    keyed: Vec<Keyed>,
    /// Position at which version 1 of the component was acknowledged.
    uploaded: u64,
}

impl<'a> Client<'a> {
    fn new(preload: &'a Preload, rest: Rest, component: &str) -> Self {
        Self {
            preload,
            rest,
            component: component.to_owned(),
            lives: BTreeMap::new(),
            keyed: Vec::new(),
            uploaded: u64::MAX,
        }
    }

    fn path(&self, worker: &str) -> String {
        format!("/v1/components/{}/workers/{worker}", self.component)
    }

    /// Does something that makes `worker` be `then`.
    fn step(
        &mut self,
        worker: &str,
        then: Option<u64>,
        change: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        let asked = self.preload.position()?;
        change(self)?;
        let answered = Some(self.preload.position()?);
        let step = Step {
            asked,
            answered,
            then,
        };
        self.lives.entry(worker.to_owned()).or_default().push(step);
        Ok(())
    }

    fn call(
        &mut self,
        worker: &str,
        function: &'static str,
        params: Vec<Value>,
        key: &str,
    ) -> Result<()> {
        let (status, body) =
            self.rest
                .try_call(&self.component, worker, function, &params, Some(key))?;
        ensure!(status == 200, "{key} answered {status}: {body}");
        self.keyed.push(Keyed {
            worker: worker.to_owned(),
            function,
            params,
            key: key.to_owned(),
            answered: self.preload.position()?,
            answer: body["result"]["value"].clone(),
        });
        Ok(())
    }

    /// Adds 1 as often as it says; `total` before.
    fn add(&mut self, worker: &str, times: u64, total: u64) -> Result<()> {
        for n in 0..times {
            let key = format!("{worker}-{total}-{n}");
            self.step(worker, Some(total + n + 1), |client| {
                client.call(worker, "add", vec![json!(1)], &key)
            })?;
        }
        Ok(())
    }

    fn post(&self, path: &str, body: &Value, key: Option<&str>) -> Result<Value> {
        let (status, answer) = self.rest.post(path, body, key)?;
        ensure!(status == 200, "POST {path} answered {status}: {answer}");
        Ok(answer)
    }
}

/// Everything that leaves something on the disk.
fn workload(client: &mut Client<'_>, large_workers: u64) -> Result<()> {
    // A worker that is undone in part, with a checkpoint of what is undone.
    client.add("reverted", LONG, 0)?;
    client.add("other", 2, 0)?;
    let path = format!("{}/revert", client.path("reverted"));
    client.step("reverted", Some(LONG - 20), |client| {
        client
            .post(&path, &json!({"numberOfInvocations": 20}), None)
            .map(drop)
    })?;
    // The calls that were undone are not repeated: their keys are free again.
    client
        .keyed
        .retain(|call| call.worker != "reverted" || !undone(&call.key));
    client.add("reverted", 3, LONG - 20)?;
    // A worker that is deleted and made again.
    client.add("deleted", LONG, 0)?;
    client.add("other", 1, 2)?;
    let path = client.path("deleted");
    client.step("deleted", None, |client| {
        let (status, body) = client.rest.delete(&path)?;
        ensure!(status == 200, "DELETE answered {status}: {body}");
        Ok(())
    })?;
    client.keyed.retain(|call| call.worker != "deleted");
    client.step("deleted", Some(7), |client| {
        client.call("deleted", "add", vec![json!(7)], "again")
    })?;
    // A promise.
    let path = client.path("promised");
    let invoke = format!("{path}/invoke?function=wait");
    client.step("promised", Some(0), |client| {
        client
            .post(&invoke, &json!({"params": []}), Some("waiting"))
            .map(drop)
    })?;
    let promise = until("a promise", || {
        let query = format!("{path}/oplog?query=promise-created&count=3");
        let (_, page) = client.rest.get(&query)?;
        Ok(page["entries"][0]["oplogIndex"].as_u64())
    })?;
    client.step("promised", Some(3), |client| {
        let body = json!({"oplogIdx": promise, "data": [1, 2, 3]});
        client
            .post(&format!("{path}/complete"), &body, None)
            .map(drop)
    })?;
    client.call("promised", "wait", vec![], "waiting")?;
    // A schedule that is due at once.
    let schedule = format!("{}/schedule?function=add&in=1ms", client.path("scheduled"));
    client.step("scheduled", Some(9), |client| {
        client
            .post(&schedule, &json!({"params": [{"value": 9}]}), Some("later"))
            .map(drop)
    })?;
    client.call("scheduled", "add", vec![json!(9)], "later")?;
    // Another version, and a worker that takes it.
    let path = format!("/v1/components/{}/updates", client.component);
    let (status, body) = client
        .rest
        .upload(&path, None, "Durable", &guest(Version::Same)?)?;
    ensure!(status == 200, "the upload answered {status}: {body}");
    client.uploaded = client.preload.position()?;
    // Much at once: memory tables are written out, and their files appear and go.
    let large = "x".repeat(60_000);
    for n in 0..large_workers {
        let body = json!({"name": format!("large-{n}"), "args": [], "env": {"LARGE": large}});
        let workers = format!("/v1/components/{}/workers", client.component);
        client.step(&format!("large-{n}"), Some(0), |client| {
            client.post(&workers, &body, None).map(drop)
        })?;
    }
    client.add("other", 3, 3)
}

fn undone(key: &str) -> bool {
    let number = key
        .strip_prefix("reverted-0-")
        .and_then(|n| n.parse::<u64>().ok());
    number.is_some_and(|n| n >= LONG - 20)
}

/// Runs the workload, with another client beside it so that commits hold more than one thing.
fn record(preload: &Preload, data: &Path, large_workers: u64) -> Result<Recorded> {
    let options = ["--resident-max", "1"];
    let server = Server::start_under(preload, true, data, &options)?
        .map_err(|status| anyhow::anyhow!("ended: {status}"))?;
    let component = server
        .rest()
        .create_component("traveller", &guest(Version::First)?)?;
    let created = preload.position()?;
    let mut first = Client::new(preload, server.rest(), &component);
    let mut second = Client::new(preload, server.rest(), &component);
    std::thread::scope(|scope| -> Result<()> {
        let beside = scope.spawn(|| second.add("beside", 120, 0));
        workload(&mut first, large_workers)?;
        beside
            .join()
            .map_err(|_| anyhow::anyhow!("the other client panicked"))?
    })?;
    // Killed and started again: a start writes as well.
    server.kill()?;
    let server = Server::start_under(preload, true, data, &options)?
        .map_err(|status| anyhow::anyhow!("ended: {status}"))?;
    let mut third = Client::new(preload, server.rest(), &component);
    third.add("other", 4, 6)?;
    server.kill()?;
    for life in [second.lives, third.lives] {
        for (worker, steps) in life {
            first.lives.entry(worker).or_default().extend(steps);
        }
    }
    first.keyed.extend(second.keyed);
    first.keyed.extend(third.keyed);
    Ok(Recorded {
        component,
        created,
        uploaded: first.uploaded,
        lives: first.lives,
        keyed: first.keyed,
    })
}

struct Recorded {
    component: String,
    created: u64,
    uploaded: u64,
    lives: BTreeMap<String, Vec<Step>>,
    keyed: Vec<Keyed>,
}

/// What a worker is: its total, or that it is not there.
fn look(rest: &Rest, component: &str, worker: &str) -> Result<Option<u64>> {
    let (status, body) = rest.get(&format!("/v1/components/{component}/workers/{worker}"))?;
    match status {
        404 => Ok(None),
        200 => {
            let total = rest.call(component, worker, "get", &[])?;
            Ok(Some(total.as_u64().context("no total")?))
        }
        _ => bail!("GET of {worker} answered {status}: {body}"),
    }
}

impl Recorded {
    /// Whether what a server shows can be what it was at the cut.
    fn check(&self, rest: &Rest, at: u64) -> Result<()> {
        let (status, versions) = rest.get(&format!("/v1/components/{}", self.component))?;
        let versions = match status {
            200 => versions.as_array().map_or(0, Vec::len),
            _ => 0,
        };
        if versions == 0 {
            ensure!(
                at < self.created,
                "the component is lost: {status}: {versions}"
            );
            return Ok(());
        }
        ensure!(
            at < self.uploaded || versions == 2,
            "version 1 of the component is lost"
        );
        for (number, (worker, steps)) in self.lives.iter().enumerate() {
            // The latest before the cut are in danger; of the others some, another part at every cut.
            let latest = steps.iter().any(|step| step.asked.abs_diff(at) < NEAR);
            let is_large = worker.starts_with("large-");
            if is_large && !latest && number as u64 % PART != at % PART {
                continue;
            }
            let answered = steps
                .iter()
                .take_while(|step| step.answered.is_some_and(|answered| answered <= at))
                .count();
            let asked = steps.iter().take_while(|step| step.asked <= at).count();
            let states: Vec<_> = std::iter::once(None)
                .chain(steps.iter().map(|step| step.then))
                .skip(answered)
                .take(asked - answered + 1)
                .collect();
            let possible = |found: &Option<u64>| {
                // A worker that has begun to be is there before its first addition.
                states.contains(found)
                    || (*found == Some(0) && states.contains(&None) && asked > answered)
            };
            // What was accepted before the cut is done after it, if not at once.
            let begun = Instant::now();
            loop {
                let found = look(rest, &self.component, worker)?;
                if possible(&found) {
                    break;
                }
                ensure!(
                    begun.elapsed() < PATIENCE,
                    "{worker} is {found:?}, and can only be one of {states:?}"
                );
                std::thread::yield_now();
            }
        }
        for (number, call) in self.keyed.iter().enumerate() {
            let is_looked_at =
                call.answered.abs_diff(at) < NEAR || number as u64 % PART == at % PART;
            if call.answered > at || !is_looked_at {
                continue;
            }
            let (status, body) = rest.try_call(
                &self.component,
                &call.worker,
                call.function,
                &call.params,
                Some(&call.key),
            )?;
            ensure!(
                status == 200 && body["result"]["value"] == call.answer,
                "{} was answered {}, and is now answered {status}: {body}",
                call.key,
                call.answer
            );
        }
        Ok(())
    }
}

/// A moment of the workload: any, or that of an answer, which is the sharpest.
fn moment(history: &History, recorded: &Recorded, random: &mut Random) -> u64 {
    let any = |random: &mut Random, count: usize| {
        usize::try_from(random.below(count as u64)).unwrap_or(0)
    };
    if random.coin() {
        return history.position(any(random, history.len()));
    }
    let answers: Vec<u64> = (recorded.lives.values().flatten())
        .filter_map(|step| step.answered)
        .chain([recorded.created, recorded.uploaded])
        .collect();
    answers
        .get(any(random, answers.len()))
        .copied()
        .unwrap_or_default()
}

#[test]
fn after_a_power_cut_everything_acknowledged_is_there() -> Result<()> {
    let name = "after_a_power_cut_everything_acknowledged_is_there";
    let data = tempfile::tempdir()?;
    let Some(preload) = Preload::new(name, data.path())? else {
        return Ok(());
    };
    let begun = Instant::now();
    let cuts = Random::setting(ROUNDS).unwrap_or(CUTS_QUICK);
    let large_workers = if cuts < CUTS_LONG { LARGE } else { LARGE_LONG };
    let recorded = record(&preload, data.path(), large_workers)?;
    let history = History::read(&preload.journal(), data.path())?;
    let seed = Random::seed(SEED);
    let repeat = format!(
        "repeat with {SEED}={seed} {ROUNDS}={cuts} cargo test --workspace --test it -- power"
    );
    eprintln!(
        "{} changes of files recorded in {:?}; {repeat}",
        history.len(),
        begun.elapsed()
    );
    let mut random = Random::new(seed);
    let (mut unsynced, mut failures) = (0, Vec::new());
    for _ in 0..cuts {
        let cut = Cut::random(moment(&history, &recorded, &mut random), &mut random);
        let image = tempfile::tempdir()?;
        unsynced += history.image(&cut, image.path())?;
        let checked = Server::start(image.path())
            .and_then(|server| recorded.check(&server.rest(), cut.position));
        if let Err(error) = checked {
            eprintln!("{cut:?}: {error:#}");
            failures.push(format!("{cut:?}: {error:#}"));
        }
    }
    eprintln!(
        "{cuts} power cuts in {:?}, {unsynced} changes that no sync had made durable, {} violations",
        begun.elapsed(),
        failures.len()
    );
    ensure!(failures.is_empty(), "{repeat}\n{}", failures.join("\n"));
    // The test of the test: a server that does not sync its journal loses what it acknowledged, and that is noticed.
    eprintln!("a server without syncs of its journal follows, and what it says of it:");
    let cut = Cut {
        position: history.position(history.len() - 1),
        seed,
        contents: Unsynced::Dropped,
        names: Unsynced::Kept,
    };
    let image = tempfile::tempdir()?;
    let lying = history.without_syncs_of("jnl");
    lying.image(&cut, image.path())?;
    let checked =
        Server::start(image.path()).and_then(|server| recorded.check(&server.rest(), cut.position));
    match checked {
        Ok(()) => bail!("a server without syncs of its journal was not noticed"),
        Err(error) => eprintln!("noticed: {error:#}"),
    }
    Ok(())
}
