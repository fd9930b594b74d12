// SPDX-License-Identifier: Apache-2.0
//! THE SCALES / report: shows rounds as they happen and the summary at the end. In [`Row`]s, out text on stdout and one JSON
//! object, [`Outcome`]. Never decides whether a run passed. Read next: `page.rs`, benches/README.md.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::args::Run;
use crate::exact::Exactness;
use crate::goals::{self, Target};
use crate::measure::{Row, Side, Times, Who};
use crate::peer::Installed;

/// What a run found: the JSON file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// The commit that was built, with `+` if the checkout had changes.
    pub(crate) revision: String,
    /// `release/golem-cli`: the folder tells how it was built, the rest of the path is one machine's.
    pub(crate) binary: String,
    /// What the figures depend on.
    pub(crate) machine: Machine,
    /// The peer, if it ran.
    pub(crate) peer: Option<Installed>,
    /// When.
    pub(crate) unix_seconds: u64,
    /// Length of a round.
    pub(crate) seconds: f64,
    /// Warm-up before each.
    pub(crate) warmup: f64,
    /// Rounds of each row.
    pub(crate) rounds: u32,
    /// Workers of the rows with many.
    pub(crate) workers: u64,
    /// Counters of ours that were compared, and that were wrong.
    pub(crate) exactness: Counts,
    /// The same of the peer's.
    pub(crate) exactness_peer: Counts,
    /// Every round.
    pub(crate) rows: Vec<Row>,
    /// Medians, ratios and verdicts, for readers of the file; computed from the rows.
    #[serde(skip_deserializing)]
    pub(crate) summary: Value,
}

/// Counters.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// That were compared.
    pub(crate) compared: u64,
    /// That were wrong.
    pub(crate) wrong: u64,
}

/// What the figures depend on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// Name of the processor.
    pub(crate) processor: String,
    /// Cores that programs may use.
    pub(crate) cores: usize,
    /// Memory as the system tells it.
    pub(crate) memory: String,
    /// Version of the kernel.
    pub(crate) kernel: String,
    /// `rustc --version`.
    pub(crate) rustc: String,
    /// `go version`, which made the guests.
    pub(crate) go: String,
}

/// Prints one line to standard output.
pub(crate) fn say(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout().lock(), "{line}")?;
    Ok(())
}

/// Prints the newest round of `row`.
pub(crate) fn round(row: &Row) -> anyhow::Result<()> {
    let Some(last) = row.rounds.last() else {
        return Ok(());
    };
    let sides: Vec<String> = last
        .iter()
        .map(|(who, value)| format!("{} {}", who.word(), side(*value, &row.unit)))
        .collect();
    let number = row.rounds.len();
    say(&format!(
        "{:22} round {number}  {}",
        row.id,
        sides.join("  ").trim_end()
    ))
}

fn side(side: Side, unit: &str) -> String {
    let p99 = side.p99.map(|p99| format!(" (p99 {})", short(p99)));
    let errors = (side.errors > 0).then(|| format!(" [{} errors]", side.errors));
    let text = format!(
        "{} {unit}{}{}",
        short(side.value),
        p99.unwrap_or_default(),
        errors.unwrap_or_default()
    );
    format!("{text:26}")
}

/// A ratio with the worst and the best round: `12.3x [10.1-14.0]`.
pub(crate) fn times(times: Option<Times>) -> String {
    times.map_or_else(
        || "-".to_owned(),
        |t| format!("{}x [{}-{}]", short(t.median), short(t.min), short(t.max)),
    )
}

/// Targets with what became of them: `>= 12x peer met, <= 300 us MISSED`.
pub(crate) fn verdicts(targets: &[Target], row: &Row, rows: &[Row]) -> String {
    let texts: Vec<String> = targets
        .iter()
        .map(|target| {
            let verdict = target.verdict(row, rows).word();
            format!("{} {verdict}", target.words(&row.unit))
        })
        .collect();
    if texts.is_empty() {
        "-".to_owned()
    } else {
        texts.join(", ")
    }
}

/// A median, or `-` for whoever has none.
pub(crate) fn value(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), short)
}

/// Median of the better peer.
pub(crate) fn best_peer(row: &Row) -> String {
    row.best_peer().map_or_else(
        || "-".to_owned(),
        |best| format!("{} {}", value(row.median(best.who)), best.who.word()),
    )
}

/// Prints the medians, and returns them with all rounds; also writes them to the file that `args` names.
pub(crate) fn summary(
    args: &Run,
    binary: &Path,
    (peer, about_peer): (Option<Installed>, &str),
    rows: Vec<Row>,
    (found, found_peer): (&Exactness, &Exactness),
) -> anyhow::Result<Outcome> {
    say("")?;
    say(&format!(
        "{:24} {:>9} {:>14} {:>9} {:5} {:22} {:>8}  goal; must",
        "row", "ours", "best peer", "floor", "unit", "x peer [rounds]", "x floor"
    ))?;
    for row in &rows {
        let (goals, gates) = goals::of(&row.id);
        let errors = match row.errors(Who::Ours) {
            0 => String::new(),
            errors => format!("; {errors} ERRORS"),
        };
        say(&format!(
            "{:24} {:>9} {:>14} {:>9} {:5} {:22} {:>8}  {}; {}{errors}",
            row.id,
            value(row.median(Who::Ours)),
            best_peer(row),
            value(row.median(Who::Floor)),
            row.unit,
            times(row.best_peer()),
            value(row.floor_ratio()),
            verdicts(goals, row, &rows),
            verdicts(gates, row, &rows),
        ))?;
    }
    say(about_peer)?;
    for line in found.lines.iter().chain(&found_peer.lines) {
        say(line)?;
    }
    for (who, found) in [("exactness", found), ("exactness of the peer", found_peer)] {
        say(&format!(
            "{who}: {} counters compared, {} wrong",
            found.compared, found.wrong
        ))?;
    }
    let missed = goals::missed_gates(&rows);
    if !missed.is_empty() {
        say(&format!("gates missed: {}", missed.join(", ")))?;
    }
    let tail: PathBuf = binary.components().rev().take(2).collect();
    let counts = |found: &Exactness| Counts {
        compared: found.compared,
        wrong: found.wrong,
    };
    let outcome = Outcome {
        revision: revision(),
        binary: tail
            .components()
            .rev()
            .collect::<PathBuf>()
            .to_string_lossy()
            .into_owned(),
        machine: machine(),
        peer,
        unix_seconds: std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)?
            .as_secs(),
        seconds: args.seconds,
        warmup: args.warmup,
        rounds: args.rounds,
        workers: args.workers,
        exactness: counts(found),
        exactness_peer: counts(found_peer),
        summary: rows.iter().map(|row| brief(row, &rows)).collect(),
        rows,
    };
    let text = serde_json::to_string(&outcome)?;
    if let Some(path) = &args.json {
        std::fs::write(path, format!("{text}\n"))?;
    }
    say(&text)?;
    Ok(outcome)
}

/// One row without its rounds.
fn brief(row: &Row, rows: &[Row]) -> Value {
    let (goals, gates) = goals::of(&row.id);
    let told = |targets: &[Target]| -> Vec<Value> {
        targets
            .iter()
            .map(|target| {
                json!({ "target": target.words(&row.unit), "verdict": target.verdict(row, rows) })
            })
            .collect()
    };
    json!({
        "id": row.id, "unit": row.unit, "ours": row.median(Who::Ours), "ours_p99": row.p99(Who::Ours),
        "peer_default": row.median(Who::PeerDefault), "peer_tuned": row.median(Who::PeerTuned),
        "floor": row.median(Who::Floor), "best_peer": row.best_peer(), "floor_ratio": row.floor_ratio(),
        "goals": told(goals), "gates": told(gates),
    })
}

/// A number with about three significant digits.
pub(crate) fn short(value: f64) -> String {
    match value.abs() {
        x if x >= 1_000_000.0 => format!("{:.2}M", value / 1_000_000.0),
        x if x >= 10_000.0 => format!("{:.1}k", value / 1000.0),
        x if x >= 100.0 => format!("{value:.0}"),
        x if x >= 10.0 => format!("{value:.1}"),
        x if x >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// The commit that was built, with `+` if the checkout has changes; `unknown` outside of a checkout.
pub(crate) fn revision() -> String {
    let git = |words: &[&str]| {
        let output = Command::new("git")
            .args(words)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .ok()?;
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    match (
        git(&["rev-parse", "--short=12", "HEAD"]),
        git(&["status", "--porcelain", "--untracked-files=no"]),
    ) {
        (Some(revision), Some(changes)) if changes.is_empty() => revision,
        (Some(revision), _) => format!("{revision}+"),
        _ => "unknown".to_owned(),
    }
}

/// What the figures depend on, as far as the system tells.
pub(crate) fn machine() -> Machine {
    let field = |file: &str, name: &str| {
        let text = std::fs::read_to_string(file).ok()?;
        let (_, value) = text
            .lines()
            .find(|line| line.starts_with(name))?
            .split_once(':')?;
        Some(value.trim().to_owned())
    };
    let said = |program: &str, word: &str| {
        let output = Command::new(program).arg(word).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").ok();
    Machine {
        processor: field("/proc/cpuinfo", "model name").unwrap_or_default(),
        cores: std::thread::available_parallelism().map_or(0, usize::from),
        memory: field("/proc/meminfo", "MemTotal").unwrap_or_default(),
        kernel: kernel
            .map(|text| text.trim().to_owned())
            .unwrap_or_default(),
        rustc: said("rustc", "--version").unwrap_or_default(),
        go: said("go", "version").unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let texts: Vec<_> = [
            0.01234,
            0.1234,
            12.345,
            123.4,
            9_999.0,
            12_345.0,
            2_500_000.0,
        ]
        .map(short)
        .to_vec();
        assert_eq!(
            texts,
            ["0.0123", "0.12", "12.3", "123", "9999", "12.3k", "2.50M"]
        );
    }
}
