// SPDX-License-Identifier: Apache-2.0
//! THE SCALES / goals: what each row is asked for. In: measured [`Row`]s. Out: [`Verdict`]s: a goal to reach, a gate (`must`)
//! not to fall below. A verdict of a time is shown and fails nothing: times of one machine are not those of another.
//! Source: docs/performance.md, "Goals". Read next: `report.rs`.

use serde::Serialize;

use crate::measure::{Better, Row, Who};

/// What a row is asked for. Values are in the row's unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Target {
    /// At least so many times as good as the better peer.
    TimesPeer(f64),
    /// At most this value.
    AtMost(f64),
    /// At least this value.
    AtLeast(f64),
    /// Not worse than so many times another row, plus a constant in the unit of both.
    Beside {
        /// Id of the other row.
        row: &'static str,
        /// Factor; how many times as bad a rate may be counts as well.
        times: f64,
        /// Added to it; 0 for rates.
        plus: f64,
    },
}

/// What became of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// The medians hold it.
    Met,
    /// They do not.
    Missed,
    /// What it is compared with was not measured.
    Unknown,
}

use Target::{AtLeast, AtMost, Beside, TimesPeer};

const MIB: f64 = 1_048_576.0;
const KIB: f64 = 1024.0;

/// Not worse than `times` another row.
const fn beside(row: &'static str, times: f64, plus: f64) -> Target {
    Beside { row, times, plus }
}

/// Goals and gates by row. `TimesPeer` and bytes do not depend on the machine; the rest does.
const TABLE: &[(&str, &[Target], &[Target])] = &[
    (
        "inv-seq",
        &[TimesPeer(12.0), AtMost(300.0)],
        &[TimesPeer(8.0)],
    ),
    ("inv-many", &[TimesPeer(12.0)], &[TimesPeer(8.0)]),
    ("inv-one", &[TimesPeer(50.0)], &[TimesPeer(30.0)]),
    (
        "cpu-per-inv",
        &[TimesPeer(12.0), AtMost(80.0)],
        &[TimesPeer(8.0)],
    ),
    (
        "rpc-seq",
        &[TimesPeer(22.0), AtMost(400.0)],
        &[TimesPeer(12.0)],
    ),
    ("rpc-many", &[TimesPeer(15.0)], &[TimesPeer(8.0)]),
    (
        "rpc-loop",
        &[AtMost(50.0), TimesPeer(140.0)],
        &[TimesPeer(60.0)],
    ),
    // With a language's run-time the memory of 1,000 of them is most of it. The goal table of the benchmarks has a time for that; its gate
    // is for guests without one.
    ("fan", &[TimesPeer(11.0), AtMost(700.0)], &[]),
    (
        "fan-shared",
        &[TimesPeer(11.0), AtMost(100.0)],
        &[TimesPeer(6.0)],
    ),
    (
        "fan-tiny",
        &[TimesPeer(11.0), AtMost(60.0)],
        &[TimesPeer(6.0)],
    ),
    ("step", &[AtMost(2.0), TimesPeer(800.0)], &[AtMost(5.0)]),
    (
        "step-commit",
        &[AtMost(120.0), TimesPeer(14.0)],
        &[TimesPeer(8.0)],
    ),
    ("durability-tax", &[AtLeast(0.5)], &[AtLeast(0.4)]),
    ("durability-tax-step", &[AtLeast(0.5)], &[AtLeast(0.4)]),
    (
        "recover-10000",
        &[AtMost(150.0), TimesPeer(8.0)],
        &[TimesPeer(5.0)],
    ),
    (
        "recover-100000",
        &[
            AtMost(150.0),
            TimesPeer(8.0),
            beside("recover-10000", 1.3, 0.0),
        ],
        &[TimesPeer(5.0)],
    ),
    (
        "replay-bare-10000",
        &[AtMost(15.0), TimesPeer(20.0)],
        &[TimesPeer(10.0)],
    ),
    ("replay-100000", &[beside("replay-100", 2.0, 0.0)], &[]),
    ("replay-slope", &[AtMost(1.0)], &[]),
    (
        "cold",
        &[beside("inv-seq", 1.0, 800.0)],
        &[beside("inv-seq", 1.0, 3000.0)],
    ),
    (
        "cold-shared",
        &[beside("inv-seq", 1.0, 300.0)],
        &[beside("inv-seq", 1.0, 1000.0)],
    ),
    (
        "cold-tiny",
        &[beside("inv-seq", 1.0, 150.0)],
        &[beside("inv-seq", 1.0, 1000.0)],
    ),
    ("cold-100", &[AtMost(60_000.0)], &[]),
    ("cold-100-shared", &[AtMost(20_000.0)], &[]),
    ("cold-100-tiny", &[AtMost(10_000.0)], &[]),
    (
        "cold-unknown",
        &[beside("cold-unknown-compile", 1.2, 20.0)],
        &[],
    ),
    (
        "cold-unknown-tiny",
        &[beside("cold-unknown-compile-tiny", 1.2, 20.0)],
        &[],
    ),
    ("density-resident", &[AtMost(MIB)], &[AtMost(2.0 * MIB)]),
    (
        "density-resident-tiny",
        &[AtMost(64.0 * KIB)],
        &[AtMost(128.0 * KIB)],
    ),
    (
        "density-evicted",
        &[AtMost(512.0), TimesPeer(8.0)],
        &[AtMost(KIB)],
    ),
    ("density-suspended", &[AtMost(512.0)], &[AtMost(KIB)]),
    ("flat", &[AtMost(1.0)], &[]),
    ("known", &[AtMost(512.0)], &[]),
    ("known-touched", &[AtMost(512.0)], &[]),
    (
        "grow-hot-seq-100k",
        &[beside("grow-hot-seq-1k", 1.25, 0.0)],
        &[beside("grow-hot-seq-1k", 1.5, 0.0)],
    ),
    (
        "grow-hot-seq-1m",
        &[beside("grow-hot-seq-1k", 1.25, 0.0)],
        &[beside("grow-hot-seq-1k", 1.5, 0.0)],
    ),
    (
        "grow-hot-many-100k",
        &[beside("grow-hot-many-1k", 1.25, 0.0)],
        &[beside("grow-hot-many-1k", 1.5, 0.0)],
    ),
    (
        "grow-hot-many-1m",
        &[beside("grow-hot-many-1k", 1.25, 0.0)],
        &[beside("grow-hot-many-1k", 1.5, 0.0)],
    ),
    ("idle-rss", &[AtMost(40.0), TimesPeer(4.0)], &[AtMost(80.0)]),
    ("idle-cpu", &[AtMost(0.2), TimesPeer(10.0)], &[]),
    // 2 MB and one segment of a journal.
    ("idle-disk", &[AtMost(66.0), TimesPeer(3.0)], &[]),
    ("idle-ready", &[AtMost(100.0), TimesPeer(5.0)], &[]),
    ("binary-size", &[AtMost(40.0)], &[AtMost(60.0)]),
    ("bytes-per-step", &[AtMost(48.0)], &[AtMost(96.0)]),
    ("bytes-per-add", &[AtMost(160.0)], &[AtMost(320.0)]),
    ("suspend-p50", &[AtMost(5.0)], &[AtMost(20.0)]),
    ("suspend-p99", &[AtMost(50.0)], &[]),
];

/// Goals and gates of the row `id`; none for rows that nothing is asked of.
pub(crate) fn of(id: &str) -> (&'static [Target], &'static [Target]) {
    TABLE
        .iter()
        .find(|(name, ..)| *name == id)
        .map(|(_, goals, gates)| (*goals, *gates))
        .unwrap_or_default()
}

/// Rows whose gates are kept by ratios or bytes and missed: what a machine does not excuse.
pub(crate) fn missed_gates(rows: &[Row]) -> Vec<&str> {
    rows.iter()
        .filter(|row| {
            let (_, gates) = of(&row.id);
            gates.iter().any(|gate| {
                let firm = match gate {
                    TimesPeer(_) | AtLeast(_) => true,
                    Beside { plus, .. } => *plus == 0.0,
                    AtMost(_) => matches!(row.unit.as_str(), "B" | "MB" | "MiB"),
                };
                firm && gate.verdict(row, rows) == Verdict::Missed
            })
        })
        .map(|row| row.id.as_str())
        .collect()
}

impl Target {
    /// Whether `row` holds it, beside the other measured `rows`.
    pub(crate) fn verdict(self, row: &Row, rows: &[Row]) -> Verdict {
        let held = match self {
            TimesPeer(times) => row.best_peer().map(|best| best.median >= times),
            AtMost(most) => row.median(Who::Ours).map(|ours| ours <= most),
            AtLeast(least) => row.median(Who::Ours).map(|ours| ours >= least),
            Beside {
                row: id,
                times,
                plus,
            } => {
                let other = rows.iter().find(|row| row.id == id);
                let other = other.and_then(|row| row.median(Who::Ours));
                row.median(Who::Ours)
                    .zip(other)
                    .map(|(ours, other)| match row.better {
                        Better::Low => ours <= other * times + plus,
                        Better::High => ours >= other / times,
                    })
            }
        };
        match held {
            Some(true) => Verdict::Met,
            Some(false) => Verdict::Missed,
            None => Verdict::Unknown,
        }
    }

    /// In a few words, with the unit.
    pub(crate) fn words(self, unit: &str) -> String {
        match self {
            TimesPeer(times) => format!(">= {times}x peer"),
            AtMost(most) => format!("<= {most} {unit}"),
            AtLeast(least) => format!(">= {least} {unit}"),
            Beside {
                row,
                times,
                plus: 0.0,
            } => format!("{times}x {row}"),
            Beside {
                row,
                times: 1.0,
                plus,
            } => format!("<= {row} + {plus} {unit}"),
            Beside { row, times, plus } => format!("<= {times}x {row} + {plus} {unit}"),
        }
    }
}

impl Verdict {
    /// The word in a report.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "MISSED",
            Self::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Side;

    fn row(id: &str, better: Better, ours: f64, peer: Option<f64>) -> Row {
        let mut row = Row::new(id, "", "us", better);
        row.put(0, Who::Ours, Side::of(ours, 1));
        if let Some(peer) = peer {
            row.put(0, Who::PeerTuned, Side::of(peer, 1));
        }
        row
    }

    #[test]
    fn a_target_is_met_missed_or_unknown() {
        let low = row("x", Better::Low, 100.0, Some(900.0));
        assert_eq!(TimesPeer(8.0).verdict(&low, &[]), Verdict::Met);
        assert_eq!(TimesPeer(10.0).verdict(&low, &[]), Verdict::Missed);
        assert_eq!(AtMost(99.0).verdict(&low, &[]), Verdict::Missed);
        let alone = row("x", Better::Low, 100.0, None);
        assert_eq!(TimesPeer(8.0).verdict(&alone, &[]), Verdict::Unknown);
        assert_eq!(AtLeast(100.0).verdict(&alone, &[]), Verdict::Met);
    }

    #[test]
    fn a_row_is_held_beside_another_one() {
        let target = beside("base", 1.25, 0.0);
        let slow = row("x", Better::Low, 130.0, None);
        assert_eq!(target.verdict(&slow, &[]), Verdict::Unknown);
        let base = [row("base", Better::Low, 100.0, None)];
        assert_eq!(target.verdict(&slow, &base), Verdict::Missed);
        let base = [row("base", Better::High, 100.0, None)];
        let rate = row("x", Better::High, 90.0, None);
        assert_eq!(target.verdict(&rate, &base), Verdict::Met);
    }

    #[test]
    fn only_ratios_and_bytes_fail_a_gate() {
        let rows = [
            row("inv-seq", Better::Low, 100.0, Some(200.0)),
            row("step", Better::Low, 100.0, None),
            Row {
                unit: "B".to_owned(),
                ..row("density-evicted", Better::Low, 5_000.0, None)
            },
        ];
        assert_eq!(missed_gates(&rows), ["inv-seq", "density-evicted"]);
    }

    #[test]
    fn no_row_stands_twice_in_the_table() {
        let mut ids: Vec<&str> = TABLE.iter().map(|(id, ..)| *id).collect();
        ids.sort_unstable();
        let count = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), count);
    }
}
