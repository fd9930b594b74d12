// SPDX-License-Identifier: Apache-2.0
//! THE SCALES / report: shows rounds as they happen and the summary at the end. In [`Row`]s, out text on stdout and one JSON
//! object. Never decides whether a run passed. Read next: benches/README.md.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::args::Run;
use crate::exact::Exactness;
use crate::measure::{Fact, Row, Side};

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
    let number = row.rounds.len();
    say(&format!(
        "{:12} round {number}  ours {}  floor {}",
        row.id,
        side(last.ours, row.unit),
        side(last.floor, row.unit)
    ))
}

/// Prints a figure of ours alone.
pub(crate) fn fact(fact: &Fact) -> anyhow::Result<()> {
    let goal = fact.goal.map_or(String::new(), |goal| {
        format!("; goal at most {}", short(goal))
    });
    say(&format!(
        "{:26} {:>10} {:5}  {}{goal}",
        fact.id,
        short(fact.value),
        fact.unit,
        fact.what
    ))
}

fn side(side: Side, unit: &str) -> String {
    let mut text = format!("{} {unit}", short(side.value));
    if let Some(p99) = side.p99 {
        let _ = write!(text, " (p99 {})", short(p99));
    }
    if side.errors > 0 {
        let _ = write!(text, " [{} errors]", side.errors);
    }
    format!("{text:28}")
}

/// Prints the medians, and returns them with all rounds as JSON.
pub(crate) fn summary(
    args: &Run,
    binary: &Path,
    rows: &[Row],
    facts: &[Fact],
    exactness: &Exactness,
) -> anyhow::Result<Value> {
    say("")?;
    say(&format!(
        "{:12} {:>12} {:>12} {:7} {:>9}  one operation",
        "row", "ours", "floor", "unit", "x floor"
    ))?;
    for row in rows {
        say(&format!(
            "{:12} {:>12} {:>12} {:7} {:>9}  {}{}",
            row.id,
            short(row.ours()),
            short(row.floor()),
            row.unit,
            short(row.floor_ratio()),
            row.what,
            if row.errors() > 0 {
                format!("; {} ERRORS", row.errors())
            } else {
                String::new()
            },
        ))?;
    }
    for fact in facts {
        self::fact(fact)?;
    }
    say("peer skipped: no other system is started by this program yet")?;
    for line in &exactness.lines {
        say(line)?;
    }
    say(&format!(
        "exactness: {} counters compared, {} wrong",
        exactness.compared, exactness.wrong
    ))?;
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "id": row.id, "what": row.what, "unit": row.unit, "better": row.better, "ours": row.ours(),
                "floor": row.floor(), "floor_ratio": row.floor_ratio(), "rounds": row.rounds,
            })
        })
        .collect();
    let result = json!({
        "revision": revision(),
        // `release/golem-cli`: the folder tells how it was built, the rest of the path is one machine's.
        "binary": binary.iter().rev().take(2).collect::<Vec<_>>().into_iter().rev().collect::<PathBuf>(),
        "machine": machine(),
        "unix_seconds": std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs(),
        "seconds": args.seconds, "warmup": args.warmup, "workers": args.workers,
        "exactness": { "compared": exactness.compared, "wrong": exactness.wrong },
        "rows": rows, "facts": facts,
    });
    if let Some(path) = &args.json {
        std::fs::write(path, format!("{result}\n"))?;
    }
    say(&result.to_string())?;
    Ok(result)
}

/// A number with about three significant digits.
fn short(value: f64) -> String {
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
fn revision() -> String {
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

/// What the figures depend on: processor, cores, memory, kernel.
fn machine() -> Value {
    let field = |file: &str, name: &str| {
        let text = std::fs::read_to_string(file).ok()?;
        let (_, value) = text
            .lines()
            .find(|line| line.starts_with(name))?
            .split_once(':')?;
        Some(value.trim().to_owned())
    };
    json!({
        "processor": field("/proc/cpuinfo", "model name"),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "memory": field("/proc/meminfo", "MemTotal"),
        "kernel": std::fs::read_to_string("/proc/sys/kernel/osrelease").ok().map(|text| text.trim().to_owned()),
    })
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
