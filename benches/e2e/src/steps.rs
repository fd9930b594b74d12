// SPDX-License-Identifier: Apache-2.0
//! THE SCALES / steps: what recording costs: a step, a commit, the bytes of both, and remembering at all. In: the shared servers.
//! Out: rows. Never judges. Read next: `rows.rs`. Source: benches/README.md, "Rows".

use std::time::Instant;

use crate::floor;
use crate::measure::{Better, Row, Side, Who};
use crate::report;
use crate::rest;
use crate::rows::{Bench, MANY_CONNECTIONS, throughput};
use crate::subject::{Op, Subject};

/// Durable host calls in one invocation.
const STEPS: u64 = 10_000;
/// The same for the peer, which commits each: 10,000 take it more than 17 s, and the value is that of one step.
const STEPS_PEER: u64 = 500;
/// Metric of all bytes that were made durable.
const COMMIT_BYTES: &str = "golem_commit_bytes_total";
/// Adds behind bytes-per-add.
const ADDS: u64 = 2_000;

impl Bench<'_> {
    /// One call that does many steps: microseconds for each.
    async fn one_call(subject: &Subject, op: Op, worker: &str) -> anyhow::Result<(Side, u64, u64)> {
        let k = match subject.who {
            Who::PeerDefault | Who::PeerTuned => STEPS_PEER,
            Who::Ours | Who::Floor => STEPS,
        };
        let mut connection = subject.connect().await?;
        let start = Instant::now();
        let done = subject
            .api
            .ask(&mut connection, op, worker, Some(k))
            .await?;
        let side = Side::of(start.elapsed().as_secs_f64() * 1e6 / k as f64, k);
        Ok((side, done, k))
    }

    async fn steps(&mut self, id: &str, what: &str, op: Op) -> anyhow::Result<()> {
        let mut row = Row::new(id, what, "us", Better::Low);
        for round in 0..self.args.rounds as usize {
            let mut counts = Vec::new();
            for subject in self.subjects.iter().filter(|s| s.who != Who::Floor) {
                let worker = format!("{id}-{round}");
                // A call without steps makes the worker.
                let mut connection = subject.connect().await?;
                subject
                    .api
                    .ask(&mut connection, op, &worker, Some(0))
                    .await?;
                let (side, done, k) = Self::one_call(subject, op, &worker).await?;
                row.put(round, subject.who, side);
                counts.push((subject.who, done, k));
            }
            for (who, done, k) in counts {
                self.compare(who, id, done, k, k);
            }
            if op == Op::StepsCommit {
                let each = floor::sync_us(&self.dir.join("sync"), STEPS_PEER)?;
                row.put(round, Who::Floor, Side::of(each, STEPS_PEER));
            }
            report::round(&row)?;
        }
        self.rows.push(row);
        Ok(())
    }

    /// Durable host calls, committed at the end; the peer commits each.
    pub(crate) async fn step(&mut self) -> anyhow::Result<()> {
        let what = "1 invocation, 10,000 durable host calls, commit at the end (the peer: 500, commits each)";
        self.steps("step", what, Op::Steps).await
    }

    /// Durable host calls with a commit after each.
    pub(crate) async fn step_commit(&mut self) -> anyhow::Result<()> {
        let what = "the same with a commit after each";
        self.steps("step-commit", what, Op::StepsCommit).await
    }

    /// What remembering costs: the rate of durable workers over that of instances for one call, and the same of steps.
    pub(crate) async fn durability_tax(&mut self) -> anyhow::Result<()> {
        let Some(ours) = self.subjects.first() else {
            return Ok(());
        };
        let workers = self.args.workers;
        let name = |key: u64| format!("tax-{key}");
        ours.prepare(Op::TinyAdd, workers, name).await?;
        let mut rows = [
            (
                "durability-tax",
                "inv-many without a language's run-time: durable rate over ephemeral rate",
            ),
            (
                "durability-tax-step",
                "10,000 host calls in 1 invocation: ephemeral time over durable time",
            ),
        ]
        .map(|(id, what)| Row::new(id, what, "ratio", Better::High));
        for round in 0..self.args.rounds as usize {
            let load = |op| ours.load(op, MANY_CONNECTIONS, workers, name, self.lengths());
            let durable = throughput(&load(Op::TinyAdd).await?);
            let fresh = throughput(&load(Op::FreshAdd).await?);
            let worker = format!("tax-{round}");
            let (durable_step, ..) = Self::one_call(ours, Op::Steps, &worker).await?;
            let (fresh_step, ..) = Self::one_call(ours, Op::FreshSteps, &worker).await?;
            let [tax, step] = &mut rows;
            tax.put(
                round,
                Who::Ours,
                Side {
                    value: durable.value / fresh.value,
                    p99: None,
                    n: durable.n,
                    errors: durable.errors + fresh.errors,
                },
            );
            let value = fresh_step.value / durable_step.value;
            step.put(round, Who::Ours, Side::of(value, durable_step.n));
            for row in &rows {
                report::round(row)?;
            }
        }
        self.rows.extend(rows);
        Ok(())
    }

    /// Bytes that the store was handed for a step and for an add, as the server counts them.
    pub(crate) async fn bytes_per_step(&mut self) -> anyhow::Result<()> {
        let Some(ours) = self.subjects.first() else {
            return Ok(());
        };
        let mut connection = ours.connect().await?;
        let worker = "bytes";
        ours.api
            .ask(&mut connection, Op::Steps, worker, Some(0))
            .await?;
        let before = rest::metric(&mut connection, COMMIT_BYTES).await?;
        ours.api
            .ask(&mut connection, Op::Steps, worker, Some(STEPS))
            .await?;
        let after = rest::metric(&mut connection, COMMIT_BYTES).await?;
        let each_step = (after - before) / STEPS as f64;
        ours.api
            .ask(&mut connection, Op::Add, worker, Some(1))
            .await?;
        let before = rest::metric(&mut connection, COMMIT_BYTES).await?;
        ours.each_once(Op::Add, 1, ADDS, move |_| worker.to_owned())
            .await?;
        let after = rest::metric(&mut connection, COMMIT_BYTES).await?;
        let each_add = (after - before) / ADDS as f64;
        self.fact(
            "bytes-per-step",
            "bytes made durable for a step with a u64",
            "B",
            each_step,
        )?;
        self.fact(
            "bytes-per-add",
            "bytes made durable for an add, result included",
            "B",
            each_add,
        )
    }
}
