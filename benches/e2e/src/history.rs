// SPDX-License-Identifier: Apache-2.0
//! THE SCALES / history: how fast a worker with a long history is back. In: a server of its own with workers of so many steps. Out:
//! rows by length, with and without checkpoints, and what a step more costs. Never judges. Read next: `report.rs`.
//! Source: benches/README.md, "Rows".

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use crate::http::Connection;
use crate::measure::{Better, Row, Side, Who};
use crate::peer::SENT_AWAY_AFTER;
use crate::report;
use crate::rest::metric;
use crate::rows::Bench;
use crate::subject::Op;

/// Lengths of histories, in steps.
const HISTORIES: [u64; 4] = [100, 1_000, 10_000, 100_000];
/// Histories of so many steps have a checkpoint.
const HISTORY_KEPT: u64 = 10_000;
/// How long one may be on its way to the disk after its invocation is answered, and how often that is looked at.
const KEPT_WITHIN: Duration = Duration::from_secs(30);
const KEPT_LOOK: Duration = Duration::from_millis(5);
/// The longest one that the peer is given: it takes 17 s for these steps, and does so in each round.
const HISTORY_PEER: u64 = 10_000;
/// Rounds of the peer's longest history.
const ROUNDS_PEER: usize = 1;

impl Bench<'_> {
    /// From a kill to the first answer of a worker with a history. The peer is asked beside it: an invocation with as many steps
    /// that it has sent away is woken.
    pub(crate) async fn replay(&mut self) -> anyhow::Result<()> {
        let mut ours = self.warm("replay", &[]).await?;
        let mut connection = ours.connect().await?;
        let mut kept = 0.0;
        for steps in HISTORIES {
            let worker = format!("h-{steps}");
            let ask = ours
                .api
                .ask(&mut connection, Op::Steps, &worker, Some(steps));
            let done = ask.await?;
            self.compare(Who::Ours, &worker, done, steps, steps);
            if steps >= HISTORY_KEPT {
                kept += 1.0;
                until_kept(&mut connection, kept).await?;
            }
        }
        let env = [(
            "RESTATE_WORKER__INVOKER__INACTIVITY_TIMEOUT",
            SENT_AWAY_AFTER,
        )];
        let mut peers = self.peers("replay", &env).await?;
        let checkpoints = self.dir.join("replay/data/checkpoints");
        for how in ["", "-bare"] {
            let mut medians: BTreeMap<Who, Vec<(u64, f64)>> = BTreeMap::new();
            for steps in HISTORIES {
                let what = format!(
                    "SIGKILL, start, then one call of a worker with {steps} steps{}",
                    if how.is_empty() {
                        ""
                    } else {
                        ", checkpoints removed"
                    }
                );
                let mut row = Row::new(&format!("replay{how}-{steps}"), &what, "ms", Better::Low);
                for round in 0..self.args.rounds as usize {
                    ours.kill()?;
                    if !how.is_empty() && checkpoints.exists() {
                        std::fs::remove_dir_all(&checkpoints)
                            .context("failed to remove the checkpoints")?;
                    }
                    let start = ours.spawn()?;
                    // The code of the component is loaded by another worker.
                    ours.first_answer(start, Op::Steps, "warm", Some(0)).await?;
                    let mut connection = ours.connect().await?;
                    let worker = format!("h-{steps}");
                    let start = Instant::now();
                    let ask = ours.api.ask(&mut connection, Op::Steps, &worker, Some(1));
                    let done = ask.await?;
                    let ms = start.elapsed().as_secs_f64() * 1e3;
                    row.put(round, Who::Ours, Side::of(ms, 1));
                    self.compare(Who::Ours, &worker, done, 1, 1);
                    let long = steps == HISTORY_PEER && round >= ROUNDS_PEER;
                    if steps <= HISTORY_PEER && !long {
                        for subject in &mut peers {
                            let who = subject.who;
                            let Some(peer) = subject.as_peer() else {
                                continue;
                            };
                            let key = format!("h{how}-{steps}-{round}");
                            let ms = peer.replay_ms(&key, steps).await?;
                            row.put(round, who, Side::of(ms, 1));
                        }
                    }
                    report::round(&row)?;
                }
                for who in [Who::Ours, Who::PeerDefault, Who::PeerTuned] {
                    if let Some(ms) = row.median(who) {
                        medians.entry(who).or_default().push((steps, ms));
                    }
                }
                self.rows.push(row);
            }
            if !how.is_empty() {
                let what = "what a step more of history costs, checkpoints removed";
                let mut row = Row::new("replay-slope", what, "us", Better::Low);
                for (who, points) in medians {
                    row.put(0, who, Side::of(slope_us(&points), points.len() as u64));
                }
                self.done(row)?;
            }
        }
        Ok(())
    }
}

/// Waits until the server has taken so many checkpoints: an answer does not wait for the one behind it.
async fn until_kept(connection: &mut Connection, count: f64) -> anyhow::Result<()> {
    let start = Instant::now();
    while metric(connection, "golem_checkpoints_taken_total").await? < count {
        ensure!(
            start.elapsed() < KEPT_WITHIN,
            "{count} checkpoints are not there after {KEPT_WITHIN:?}"
        );
        tokio::time::sleep(KEPT_LOOK).await;
    }
    Ok(())
}

/// Microseconds a step between the shortest and the longest history; `points` are steps and milliseconds.
fn slope_us(points: &[(u64, f64)]) -> f64 {
    match (points.first(), points.last()) {
        (Some((few, short)), Some((many, long))) if many > few => {
            (long - short).max(0.0) * 1e3 / (many - few) as f64
        }
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slope_is_between_the_ends() {
        assert_eq!(slope_us(&[(100, 10.0), (1_000, 90.0), (1_100, 12.0)]), 2.0);
        assert_eq!(slope_us(&[(100, 10.0)]), 0.0);
        assert_eq!(slope_us(&[(100, 10.0), (200, 9.0)]), 0.0);
    }
}
