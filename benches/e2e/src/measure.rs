// SPDX-License-Identifier: Apache-2.0
//! THE SCALES / measure: what a row is and what its rounds say together. In: values of rounds. Out: medians and ratios.
//! Never talks to a server. Read next: `report.rs`.

use serde::Serialize;

/// Which direction is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Better {
    /// Latencies and CPU time.
    Low,
    /// Rates.
    High,
}

/// One side of a round.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Side {
    /// The row's value, in its unit.
    pub(crate) value: f64,
    /// 99th percentile beside a median, in the row's unit.
    #[serde(skip_serializing_if = "Option::is_none")]
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

/// One round: ours, then the floor, under the same conditions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Round {
    /// golem-cli's server.
    pub(crate) ours: Side,
    /// The floor program.
    pub(crate) floor: Side,
}

/// A measured row of the goal table.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    /// Id as in the goal table: `inv-seq`.
    pub(crate) id: &'static str,
    /// What one operation is, in a few words.
    pub(crate) what: String,
    /// Unit of each value.
    pub(crate) unit: &'static str,
    /// Which direction is better.
    pub(crate) better: Better,
    /// The rounds in order.
    pub(crate) rounds: Vec<Round>,
}

impl Row {
    /// Median of ours.
    pub(crate) fn ours(&self) -> f64 {
        median(self.rounds.iter().map(|round| round.ours.value))
    }

    /// Median of the floor.
    pub(crate) fn floor(&self) -> f64 {
        median(self.rounds.iter().map(|round| round.floor.value))
    }

    /// How many times the floor's cost ours is: 1 = as good as the floor, more = worse. NaN if a median is 0.
    pub(crate) fn floor_ratio(&self) -> f64 {
        let (above, below) = match self.better {
            Better::Low => (self.ours(), self.floor()),
            Better::High => (self.floor(), self.ours()),
        };
        if below == 0.0 {
            f64::NAN
        } else {
            above / below
        }
    }

    /// Requests of ours that failed, over all rounds.
    pub(crate) fn errors(&self) -> u64 {
        self.rounds.iter().map(|round| round.ours.errors).sum()
    }
}

/// A figure of ours alone: the floor has nothing like it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Fact {
    /// Id as in the goal table, with what is measured if there are several.
    pub(crate) id: String,
    /// What it is, in a few words.
    pub(crate) what: String,
    /// Unit of the value.
    pub(crate) unit: &'static str,
    /// The value.
    pub(crate) value: f64,
    /// What the goal table asks for at most, where it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) goal: Option<f64>,
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

    #[test]
    fn median_is_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        assert_eq!(median([7.0].into_iter()), 7.0);
        assert_eq!(median(std::iter::empty()), 0.0);
    }

    #[test]
    fn ratio_grows_when_ours_gets_worse() {
        let row = |better, ours, floor| Row {
            id: "x",
            what: String::new(),
            unit: "us",
            better,
            rounds: vec![Round {
                ours: Side::of(ours, 1),
                floor: Side::of(floor, 1),
            }],
        };
        assert_eq!(row(Better::Low, 300.0, 150.0).floor_ratio(), 2.0);
        assert_eq!(row(Better::High, 5_000.0, 50_000.0).floor_ratio(), 10.0);
        assert!(row(Better::High, 0.0, 1.0).floor_ratio().is_nan());
    }
}
