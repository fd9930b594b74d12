// SPDX-License-Identifier: Apache-2.0
//! THE SCALES / exact: counts under SIGKILL. In: the server under load. Out: [`Exactness`]: for each counter,
//! replies ≤ state ≤ replies + in flight. Half of the load goes through a worker-to-worker call. Read next: `rows.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::http::Connection;
use crate::load::Random;
use crate::subject::{Api, Op, Subject};

/// Connections during the load.
const CONNECTIONS: u64 = 16;
/// Counters of each kind: few, so that many calls meet the same one.
const COUNTERS: u64 = 4;
/// Kills of one run.
const KILLS: u64 = 3;
/// Shortest and longest load before a kill, in milliseconds.
const LOAD_MS: std::ops::Range<u64> = 300..1300;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Exactness {
    /// Counters that were compared.
    pub(crate) compared: u64,
    /// Counters that were wrong.
    pub(crate) wrong: u64,
    /// One line for each kill and each wrong counter.
    pub(crate) lines: Vec<String>,
}

impl Exactness {
    /// Compares `state` of the counter `name` with the bounds `low..=high`.
    pub(crate) fn compare(&mut self, name: &str, state: u64, low: u64, high: u64) {
        self.compared += 1;
        if !(low..=high).contains(&state) {
            self.wrong += 1;
            self.lines.push(format!(
                "WRONG: `{name}` is {state}, expected {low} to {high}"
            ));
        }
    }
}

/// Requests of one counter.
#[derive(Debug, Default)]
struct Count {
    sent: AtomicU64,
    replied: AtomicU64,
}

/// Loads, kills and compares [`KILLS`] times.
pub(crate) async fn run(subject: &mut Subject, found: &mut Exactness) -> anyhow::Result<()> {
    let mut random = Random::new(u64::from(std::process::id()));
    let who = subject.who.word();
    for kill in 0..KILLS {
        // The first half is called directly, the second through a caller of the same number.
        let counts: Arc<Vec<Count>> =
            Arc::new((0..2 * COUNTERS).map(|_| Count::default()).collect());
        let mut connection = subject.connect().await?;
        let counter = subject.components().counter.clone();
        for number in COUNTERS..2 * COUNTERS {
            let name = caller_name(kill, number);
            subject.add_caller(&mut connection, &name, &counter).await?;
        }
        let mut tasks = JoinSet::new();
        for task in 0..CONNECTIONS {
            tasks.spawn(add_until_it_dies(
                subject.server().address,
                subject.api.clone(),
                kill,
                Arc::clone(&counts),
                Random::new(kill * CONNECTIONS + task),
            ));
        }
        let load_ms = LOAD_MS.start + random.below(LOAD_MS.end - LOAD_MS.start);
        tokio::time::sleep(Duration::from_millis(load_ms)).await;
        subject.kill()?;
        while let Some(ended) = tasks.join_next().await {
            ended?;
        }
        let start = subject.spawn()?;
        let mut totals = (0, 0);
        for (number, count) in (0..).zip(counts.iter()) {
            let (sent, replied) = (
                count.sent.load(Ordering::SeqCst),
                count.replied.load(Ordering::SeqCst),
            );
            totals = (totals.0 + sent, totals.1 + replied);
            let name = counter_name(kill, number);
            if sent > 0 {
                let state = subject.first_answer(start, Op::Get, &name, None).await?;
                found.compare(&name, state, replied, sent);
            }
        }
        found.lines.push(format!(
            "{who}: SIGKILL {} after {load_ms} ms: {} replies, {} in flight",
            kill + 1,
            totals.1,
            totals.0 - totals.1
        ));
    }
    Ok(())
}

fn caller_name(kill: u64, number: u64) -> String {
    format!("x-{kill}-{number}")
}

/// The counter behind number `number`: a caller adds to the counter `c-<its own name>`.
fn counter_name(kill: u64, number: u64) -> String {
    let prefix = if number < COUNTERS { "" } else { "c-" };
    format!("{prefix}{}", caller_name(kill, number))
}

/// Adds to random counters until the server is gone.
async fn add_until_it_dies(
    address: std::net::SocketAddr,
    api: Api,
    kill: u64,
    counts: Arc<Vec<Count>>,
    mut random: Random,
) {
    let Ok(mut connection) = Connection::open(address).await else {
        return;
    };
    loop {
        let number = random.below(2 * COUNTERS);
        let name = caller_name(kill, number);
        let op = if number < COUNTERS { Op::Add } else { Op::One };
        let Some(count) = usize::try_from(number).ok().and_then(|at| counts.get(at)) else {
            return;
        };
        count.sent.fetch_add(1, Ordering::SeqCst);
        // Whatever is not a 2xx reply may or may not have happened: it stays in flight.
        if api.ask(&mut connection, op, &name, Some(1)).await.is_err() {
            return;
        }
        count.replied.fetch_add(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_outside_of_the_bounds_is_wrong() {
        let mut found = Exactness::default();
        for state in [4, 5, 6, 7, 8] {
            found.compare("x", state, 5, 7);
        }
        assert_eq!((found.compared, found.wrong, found.lines.len()), (5, 2, 2));
    }
}
