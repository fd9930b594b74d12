// SPDX-License-Identifier: Apache-2.0
//! THE SCALES / measure: what a row is and what its rounds say together. In: values of rounds. Out: medians, ratios, spread.
//! These types are those of the JSON file. Never talks to a server. Read next: `goals.rs`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Which direction is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Better {
    /// Latencies, CPU time, memory.
    Low,
    /// Rates.
    High,
}

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Who {
    /// golem-cli's server.
    Ours,
    /// Restate as it comes: 24 partitions.
    PeerDefault,
    /// Restate with 2 partitions, which suits two cores.
    PeerTuned,
    /// The floor program.
    Floor,
}

impl Who {
    /// Both ways to run the peer; the better one counts.
    pub(crate) const PEERS: [Self; 2] = [Self::PeerDefault, Self::PeerTuned];

    /// The word in a report.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::PeerDefault => "default",
            Self::PeerTuned => "tuned",
            Self::Floor => "floor",
        }
    }
}

/// What one of them did in a round.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Side {
    /// The row's value, in its unit.
    pub(crate) value: f64,
    /// 99th percentile beside a median, in the row's unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) p99: Option<f64>,
    /// Replies behind the value.
    pub(crate) n: u64,
    /// Requests that failed.
    pub(crate) errors: u64,
}

impl Side {
    /// A value of `n` replies without failures.
    pub(crate) fn of(value: f64, n: u64) -> Self {
        Self {
            value,
            p99: None,
            n,
            errors: 0,
        }
    }
}

/// One round: each in turn under the same conditions. Whoever has nothing like the row is absent.
pub(crate) type Round = BTreeMap<Who, Side>;

/// A measured row of the goal table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// Id as in the goal table: `inv-seq`.
    pub(crate) id: String,
    /// What one operation is, in a few words.
    pub(crate) what: String,
    /// Unit of each value.
    pub(crate) unit: String,
    /// Which direction is better.
    pub(crate) better: Better,
    /// The rounds in order.
    pub(crate) rounds: Vec<Round>,
}

/// How many times as good as the other one ours is: the middle of the rounds, and the two ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Times {
    /// The other one.
    pub(crate) who: Who,
    /// Quotient of the medians.
    pub(crate) median: f64,
    /// The worst round for ours.
    pub(crate) min: f64,
    /// The best round for ours.
    pub(crate) max: f64,
}

impl Row {
    /// A row without rounds.
    pub(crate) fn new(id: &str, what: &str, unit: &str, better: Better) -> Self {
        Self {
            id: id.to_owned(),
            what: what.to_owned(),
            unit: unit.to_owned(),
            better,
            rounds: Vec::new(),
        }
    }

    /// Adds `side` to round `number` (0-based), which is the newest one or the one after it.
    pub(crate) fn put(&mut self, number: usize, who: Who, side: Side) {
        if self.rounds.len() <= number {
            self.rounds.push(Round::new());
        }
        if let Some(round) = self.rounds.get_mut(number) {
            round.insert(who, side);
        }
    }

    /// Median of one of them; `None` if it has no round.
    pub(crate) fn median(&self, who: Who) -> Option<f64> {
        let values: Vec<f64> = self.sides(who).map(|side| side.value).collect();
        (!values.is_empty()).then(|| median(values.into_iter()))
    }

    /// Median of the 99th percentiles; `None` if no round has one.
    pub(crate) fn p99(&self, who: Who) -> Option<f64> {
        let values: Vec<f64> = self.sides(who).filter_map(|side| side.p99).collect();
        (!values.is_empty()).then(|| median(values.into_iter()))
    }

    /// How many times as good as `who` ours is; below 1 = worse. `None` if either has no round, or a value is 0.
    pub(crate) fn times(&self, who: Who) -> Option<Times> {
        let quotient = |ours: f64, other: f64| match self.better {
            Better::Low => (ours > 0.0).then(|| other / ours),
            Better::High => (other > 0.0).then(|| ours / other),
        };
        let median = quotient(self.median(Who::Ours)?, self.median(who)?)?;
        let (mut min, mut max) = (f64::INFINITY, f64::NEG_INFINITY);
        for round in &self.rounds {
            if let (Some(ours), Some(other)) = (round.get(&Who::Ours), round.get(&who)) {
                let one = quotient(ours.value, other.value)?;
                (min, max) = (min.min(one), max.max(one));
            }
        }
        Some(Times {
            who,
            median,
            min: min.min(median),
            max: max.max(median),
        })
    }

    /// Ours beside the better one of the peer's two ways to run.
    pub(crate) fn best_peer(&self) -> Option<Times> {
        Who::PEERS
            .into_iter()
            .filter_map(|who| self.times(who))
            .min_by(|a, b| a.median.total_cmp(&b.median))
    }

    /// How many times the floor's cost ours is: 1 = as good as the floor, more = worse.
    pub(crate) fn floor_ratio(&self) -> Option<f64> {
        Some(1.0 / self.times(Who::Floor)?.median)
    }

    /// Requests that failed, over all rounds.
    pub(crate) fn errors(&self, who: Who) -> u64 {
        self.sides(who).map(|side| side.errors).sum()
    }

    fn sides(&self, who: Who) -> impl Iterator<Item = &Side> {
        self.rounds.iter().filter_map(move |round| round.get(&who))
    }
}

/// The middle value, or the mean of the two middle ones; 0 for none.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let upper = values.get(values.len() / 2).copied().unwrap_or(0.0);
    match values.len() {
        count if count > 1 && count % 2 == 0 => {
            (values.get(count / 2 - 1).copied().unwrap_or(upper) + upper) / 2.0
        }
        _ => upper,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row with one round for each group of values: ours, default, tuned, floor.
    fn row(better: Better, rounds: &[[f64; 4]]) -> Row {
        let mut row = Row::new("x", "", "us", better);
        for (number, values) in rounds.iter().enumerate() {
            let who = [Who::Ours, Who::PeerDefault, Who::PeerTuned, Who::Floor];
            for (who, value) in who.into_iter().zip(values) {
                row.put(number, who, Side::of(*value, 1));
            }
        }
        row
    }

    #[test]
    fn median_is_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        assert_eq!(median([7.0].into_iter()), 7.0);
        assert_eq!(median(std::iter::empty()), 0.0);
    }

    #[test]
    fn the_better_peer_counts_in_both_directions() {
        let low = row(Better::Low, &[[2.0, 40.0, 30.0, 1.0]]);
        let best = low.best_peer().unwrap();
        assert_eq!((best.who, best.median), (Who::PeerTuned, 15.0));
        assert_eq!(low.floor_ratio(), Some(2.0));
        let high = row(Better::High, &[[5_000.0, 500.0, 100.0, 50_000.0]]);
        let best = high.best_peer().unwrap();
        assert_eq!((best.who, best.median), (Who::PeerDefault, 10.0));
        assert_eq!(high.floor_ratio(), Some(10.0));
    }

    #[test]
    fn spread_is_that_of_the_rounds() {
        let rounds = [
            [1.0, 10.0, 9.0, 1.0],
            [2.0, 10.0, 9.0, 1.0],
            [3.0, 9.0, 9.0, 1.0],
        ];
        let best = row(Better::Low, &rounds).best_peer().unwrap();
        assert_eq!((best.median, best.min, best.max), (4.5, 3.0, 9.0));
    }

    #[test]
    fn without_a_peer_there_is_no_ratio() {
        let mut alone = Row::new("x", "", "us", Better::High);
        alone.put(0, Who::Ours, Side::of(0.0, 1));
        assert_eq!((alone.best_peer(), alone.floor_ratio()), (None, None));
        assert_eq!(alone.median(Who::Ours), Some(0.0));
    }

    #[test]
    fn a_row_comes_back_from_json() {
        let row = row(Better::High, &[[5.0, 5.0, 1.0, 5.0]]);
        let text = serde_json::to_string(&row).unwrap();
        assert_eq!(serde_json::from_str::<Row>(&text).unwrap(), row);
    }
}
