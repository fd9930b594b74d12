// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / faults/model: random operations on a few workers, compared with a model that is a map. In: a seed. Out: the first
//! answer that differs, with the operations before it and the command that repeats them. Source: reliability spec F17.

use std::collections::BTreeMap;
use std::fmt::Write;

use golem_model::oplog::UpdateMode;
use golem_model::{IdempotencyKey, Value};
use golem_testkit::Random;

use super::gym::{Gym, number};
use crate::control::RevertTo;
use crate::error::WorkerError;
use crate::queue::Target;

/// Environment variables: the seed, and how many sequences of operations.
const SEED: &str = "GOLEM_FAULT_SEED";
const ROUNDS: &str = "GOLEM_FAULT_ROUNDS";
/// Sequences of the quick form.
const ROUNDS_QUICK: u64 = 12;
/// Operations of one sequence.
const OPERATIONS: usize = 120;
/// Workers of a sequence, forks not counted.
const WORKERS: u64 = 4;

/// A worker as it should be.
#[derive(Clone, Default)]
struct Model {
    value: u64,
    /// Invocations that count, oldest first: the value before each, and its key.
    history: Vec<(u64, String)>,
    /// What each key stands for, and its answer; `None`: it was cancelled.
    keys: BTreeMap<String, (u64, Option<u64>)>,
}

/// One sequence.
struct Run {
    gym: Gym,
    random: Random,
    workers: BTreeMap<String, Model>,
    keys: u64,
    forks: u64,
    said: String,
}

impl Drop for Run {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", self.said);
        }
    }
}

impl Run {
    fn say(&mut self, what: &str) {
        writeln!(self.said, "{what}").unwrap();
    }

    fn some_worker(&mut self) -> String {
        let known: Vec<String> = self.workers.keys().cloned().collect();
        let at = usize::try_from(self.random.below(known.len() as u64 + 1)).unwrap();
        let new = format!("w{}", self.random.below(WORKERS));
        known.get(at).cloned().unwrap_or(new)
    }

    fn new_key(&mut self) -> String {
        self.keys += 1;
        format!("k{}", self.keys)
    }

    async fn add(&mut self, name: &str, key: &str, n: u64) -> Result<Value, WorkerError> {
        let params = vec![Value::U64(n)];
        self.gym.ask(name, "add", params, Some(key)).await.unwrap()
    }

    async fn new_add(&mut self, name: &str) {
        let (key, n) = (self.new_key(), 1 + self.random.below(1_000));
        self.say(&format!("{name}.add({n}) as {key}"));
        let answer = number(self.add(name, &key, n).await);
        let model = self.workers.entry(name.to_owned()).or_default();
        model.history.push((model.value, key.clone()));
        model.value += n;
        model.keys.insert(key, (n, Some(model.value)));
        assert_eq!(answer, model.value);
    }

    async fn known_key(&mut self, name: &str) {
        let Some(model) = self.workers.get(name) else {
            return;
        };
        let count = model.keys.len() as u64;
        if count == 0 {
            return;
        }
        let at = usize::try_from(self.random.below(count)).unwrap();
        let (key, (n, answer)) = model.keys.iter().nth(at).unwrap();
        let (key, n, answer) = (key.clone(), *n, *answer);
        let other = self.random.below(3) == 0;
        self.say(&format!(
            "{name} again with {key}, other arguments: {other}"
        ));
        let function = if answer.is_some() { "add" } else { "hold" };
        let params = vec![Value::U64(n + u64::from(other))];
        let again = self.gym.ask(name, function, params, Some(&key)).await;
        match (other, answer, again.unwrap()) {
            (true, _, Err(WorkerError::KeyReused { .. })) => {}
            (false, None, Err(WorkerError::Cancelled { .. })) => {}
            (false, Some(answer), Ok(Value::U64(again))) if answer == again => {}
            (_, _, again) => panic!("expected {answer:?}, got {again:?}"),
        }
    }

    async fn get(&mut self, name: &str) {
        let Some(expected) = self.workers.get(name).map(|model| model.value) else {
            return;
        };
        let answer = self.gym.number(name, "get", vec![]).await;
        assert_eq!(answer, expected, "{name}");
        let model = self.workers.get_mut(name).unwrap();
        model.history.push((expected, String::new()));
    }

    async fn work(&mut self, name: &str) {
        if !self.workers.contains_key(name) {
            return;
        }
        let n = u32::try_from(1 + self.random.below(150)).unwrap();
        self.say(&format!("{name}.work({n})"));
        self.gym.number(name, "work", vec![Value::U32(n)]).await;
        let model = self.workers.get_mut(name).unwrap();
        model.history.push((model.value, String::new()));
    }

    /// An invocation that waits for ever, and is cancelled while it runs or waits to run.
    async fn cancel(&mut self, name: &str) {
        if !self.workers.contains_key(name) {
            return;
        }
        let key = self.new_key();
        let early = self.random.below(2) == 0;
        self.say(&format!(
            "{name}.hold as {key} is cancelled, early: {early}"
        ));
        let target = Target::Worker(self.gym.worker(name));
        let worker = self.gym.worker(name);
        let request = Gym::request("hold", vec![Value::U64(7)], Some(&key));
        self.gym.node.invoke(target, request).await.unwrap();
        if !early {
            let waits = self.gym.until("a wait", async || {
                let view = self.gym.node.worker(&worker).await.ok()?;
                (view.pending_invocation_count == 0).then_some(())
            });
            waits.await.unwrap();
        }
        let key = IdempotencyKey(key);
        let cancelled = self.gym.node.cancel_invocation(&worker, &key).await;
        assert!(matches!(cancelled, Ok(true)), "{cancelled:?}");
        let again = self.gym.node.cancel_invocation(&worker, &key).await;
        assert!(matches!(again, Ok(false)), "{again:?}");
        let model = self.workers.get_mut(name).unwrap();
        model.keys.insert(key.0, (7, None));
    }

    async fn interrupt(&mut self, name: &str) {
        let again = self.random.below(2) == 0;
        let resume = self.random.below(2) == 0;
        self.say(&format!(
            "{name} interrupted, at once again: {again}, resumed: {resume}"
        ));
        let worker = self.gym.worker(name);
        let outcome = self.gym.node.interrupt_worker(&worker, again).await;
        self.same_existence(name, &outcome);
        if resume {
            let outcome = self.gym.node.resume_worker(&worker).await;
            self.same_existence(name, &outcome);
        }
    }

    fn same_existence(&self, name: &str, outcome: &Result<(), WorkerError>) {
        match (self.workers.contains_key(name), outcome) {
            (true, Ok(())) | (false, Err(WorkerError::NotFound(_))) => {}
            (exists, outcome) => panic!("{name} exists: {exists}, yet {outcome:?}"),
        }
    }

    async fn delete(&mut self, name: &str) {
        self.say(&format!("{name} deleted"));
        let worker = self.gym.worker(name);
        let outcome = self.gym.node.delete_worker(&worker).await;
        self.same_existence(name, &outcome);
        self.workers.remove(name);
    }

    async fn create(&mut self, name: &str) {
        self.say(&format!("{name} created"));
        let worker = self.gym.worker(name);
        let created = self.gym.node.create_worker(worker, Vec::new(), Vec::new());
        match (self.workers.contains_key(name), created.await) {
            (true, Err(WorkerError::AlreadyExists(_))) => {}
            (false, Ok(_)) => {
                self.workers.insert(name.to_owned(), Model::default());
            }
            (exists, created) => panic!("{name} exists: {exists}, yet {created:?}"),
        }
    }

    async fn revert(&mut self, name: &str) {
        let count = 1 + self.random.below(4);
        self.say(&format!("{name} goes back by {count}"));
        let worker = self.gym.worker(name);
        let outcome = self
            .gym
            .node
            .revert_worker(&worker, RevertTo::LastInvocations(count))
            .await;
        let Some(model) = self.workers.get_mut(name) else {
            assert!(
                matches!(outcome, Err(WorkerError::NotFound(_))),
                "{outcome:?}"
            );
            return;
        };
        let kept = model.history.len() as u64;
        if kept < count {
            assert!(
                matches!(outcome, Err(WorkerError::BadIndex { .. })),
                "{outcome:?}"
            );
            return;
        }
        outcome.unwrap();
        let kept = usize::try_from(kept - count).unwrap();
        let undone = model.history.split_off(kept);
        model.value = undone[0].0;
        for (_, key) in undone {
            model.keys.remove(&key);
        }
        // What was cancelled behind that point is undone as well: its key is told by what the worker says of it next.
        model.keys.retain(|_, (_, answer)| answer.is_some());
    }

    async fn fork(&mut self, name: &str) {
        let worker = self.gym.worker(name);
        let Some(model) = self.workers.get(name).cloned() else {
            return;
        };
        self.forks += 1;
        let fork = format!("f{}", self.forks);
        self.say(&format!("{name} forked as {fork}"));
        // What counts of the history: an index that was undone cannot be forked at, so the last entry is one that counts.
        self.get(name).await;
        let entries = self.gym.entries(&worker).await.unwrap();
        let (tail, _) = entries.last().unwrap();
        self.gym
            .node
            .fork_worker(&worker, *tail, &fork)
            .await
            .unwrap();
        let mut history = model.history.clone();
        history.push((model.value, String::new()));
        // A fork knows no keys: whoever repeats one there means the fork.
        let forked = Model {
            keys: BTreeMap::new(),
            history,
            ..model
        };
        self.workers.insert(fork, forked);
    }

    async fn update(&mut self, name: &str) {
        if !self.workers.contains_key(name) {
            return;
        }
        let worker = self.gym.worker(name);
        let version = 1 - self
            .gym
            .node
            .worker(&worker)
            .await
            .unwrap()
            .component_version
            .min(1);
        self.say(&format!("{name} updated to {version}"));
        // An interrupted worker is not updated.
        self.gym.node.resume_worker(&worker).await.unwrap();
        let asked = self
            .gym
            .node
            .update_worker(&worker, version, UpdateMode::Automatic);
        asked.await.unwrap();
        let done = self.gym.until("an update", async || {
            let view = self.gym.node.worker(&worker).await.ok()?;
            let failed = golem_model::worker::UpdateState::Failed;
            let newest = view.updates.last()?;
            assert!(newest.state() != failed, "{newest:?}");
            (view.component_version == version).then_some(())
        });
        done.await.unwrap();
    }

    async fn operation(&mut self) {
        let name = self.some_worker();
        match self.random.below(100) {
            0..30 => self.new_add(&name).await,
            30..42 => self.known_key(&name).await,
            42..48 => self.work(&name).await,
            48..56 => self.cancel(&name).await,
            56..64 => self.interrupt(&name).await,
            64..68 => self.delete(&name).await,
            68..74 => self.create(&name).await,
            74..82 => self.revert(&name).await,
            82..86 => self.fork(&name).await,
            86..92 => self.update(&name).await,
            92..96 => {
                self.say("restart");
                self.gym.restart().await;
            }
            _ => {
                self.say("crash");
                self.gym.crash().await;
            }
        }
        self.get(&name).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_operations_do_what_a_map_would() {
    let seed = Random::seed(SEED);
    let rounds = Random::setting(ROUNDS).unwrap_or(ROUNDS_QUICK);
    println!(
        "repeat with {SEED}={seed} {ROUNDS}={rounds} cargo test --workspace --lib -- random_operations"
    );
    for round in 0..rounds {
        let resident_max = if round % 2 == 0 { 1 } else { 64 };
        let mut run = Run {
            gym: Gym::new(resident_max, 2).await,
            random: Random::new(seed.wrapping_add(round)),
            workers: BTreeMap::new(),
            keys: 0,
            forks: 0,
            said: String::new(),
        };
        for _ in 0..OPERATIONS {
            run.operation().await;
        }
        let names: Vec<String> = run.workers.keys().cloned().collect();
        for name in names {
            run.get(&name).await;
            let worker = run.gym.worker(&name);
            let verified = run.gym.node.verify(&worker).await.unwrap();
            let different = matches!(verified, crate::rehearse::Verification::Different { .. });
            assert!(!different, "{name}: {verified:?}");
        }
        run.gym.node.stop().await;
    }
}
