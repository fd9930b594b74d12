// SPDX-License-Identifier: Apache-2.0
//! THE SCALES / page: the measured part of docs/performance.md. In: JSON files of runs. Out: the page, with what stands between
//! its heading and the next one made anew; nothing else of it is touched. Never measures, never rounds a verdict. Read next: `report.rs`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::args::Page;
use crate::goals;
use crate::measure::{Row, Who};
use crate::report::{self, Outcome};

/// Where the measured part begins.
const HEADING: &str = "\n## Measured\n";
/// What begins behind it: the next heading.
const NEXT: &str = "\n## ";

/// Reads the files and writes the page. Errors: a file that no run has written, a page without its heading.
pub(crate) fn write(args: &Page) -> anyhow::Result<()> {
    let path = args.into.clone().unwrap_or_else(page_path);
    let page = std::fs::read_to_string(&path)
        .with_context(|| format!("failed to read `{}`", path.display()))?;
    let new = renewed(&page, &args.from)
        .with_context(|| format!("failed to write `{}`", path.display()))?;
    std::fs::write(&path, new)?;
    report::say(&format!("written: {}", path.display()))
}

fn page_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/performance.md")
}

/// The page with its measured part made from these files.
fn renewed(page: &str, from: &[PathBuf]) -> anyhow::Result<String> {
    let mut runs = Vec::new();
    for path in from {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("failed to read `{}`", path.display()))?;
        let run: Outcome = serde_json::from_str(&text).with_context(|| {
            format!(
                "`{}` is no result of a run\nhint: golem-bench --json {}",
                path.display(),
                path.display()
            )
        })?;
        runs.push(run);
    }
    let parts = page.split_once(HEADING).and_then(|(head, rest)| {
        let (_, tail) = rest.split_at_checked(rest.find(NEXT)?)?;
        Some((head, tail))
    });
    let (head, tail) =
        parts.context("the page has no heading `Measured` with another behind it")?;
    Ok(format!("{head}{HEADING}\n{}{tail}", measured(&runs)))
}

/// The runs, one line each, then all rows.
fn measured(runs: &[Outcome]) -> String {
    if runs.is_empty() {
        return "No run is kept yet.\n".to_owned();
    }
    let mut rows: Vec<Row> = Vec::new();
    for row in runs.iter().flat_map(|run| &run.rows) {
        match rows.iter_mut().find(|known| known.id == row.id) {
            Some(known) => known.clone_from(row),
            None => rows.push(row.clone()),
        }
    }
    let mut out = String::new();
    for run in runs {
        // Writing into a string does not fail.
        let _ = writeln!(out, "- {}", about(run));
    }
    out.push_str(
        "\n| row | one operation | ours | better peer | floor | x peer [rounds] | x floor | goal | must |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for row in &rows {
        let (goals, gates) = goals::of(&row.id);
        let ours = match row.p99(Who::Ours) {
            Some(p99) => format!(
                "{} (p99 {})",
                report::value(row.median(Who::Ours)),
                report::short(p99)
            ),
            None => report::value(row.median(Who::Ours)),
        };
        let cells = [
            format!("`{}`", row.id),
            row.what.clone(),
            format!("{ours} {}", row.unit),
            report::best_peer(row),
            report::value(row.median(Who::Floor)),
            report::times(row.best_peer()),
            report::value(row.floor_ratio()),
            report::verdicts(goals, row, &rows),
            report::verdicts(gates, row, &rows),
        ];
        let _ = writeln!(
            out,
            "| {} |",
            cells.join(" | ").replace("MISSED", "**missed**")
        );
    }
    out
}

/// One run in a sentence; says first if it is not one to judge by.
fn about(run: &Outcome) -> String {
    let mut text = String::new();
    if !run.binary.starts_with("release/") {
        text.push_str("**Not a release build: no figure to judge by.** ");
    }
    let machine = &run.machine;
    let _ = write!(
        text,
        "Revision {} of {} on {}, {} cores, {}, Linux {}; {}, {}; {} rounds of {} s after {} s; {} counters compared, {} wrong",
        run.revision,
        day(run.unix_seconds),
        machine.processor,
        machine.cores,
        machine.memory,
        machine.kernel,
        machine.rustc,
        machine.go,
        run.rounds,
        run.seconds,
        run.warmup,
        run.exactness.compared,
        run.exactness.wrong,
    );
    let _ = match &run.peer {
        Some(peer) => write!(
            text,
            "; beside Restate {}{}, of which {} counters were compared, {} wrong.",
            peer.version,
            if peer.release {
                ""
            } else {
                " (service not built for speed)"
            },
            run.exactness_peer.compared,
            run.exactness_peer.wrong
        ),
        None => write!(text, "; peer skipped."),
    };
    if let (Some(first), Some(last)) = (run.rows.first(), run.rows.last()) {
        let _ = write!(text, " Rows `{}` to `{}`.", first.id, last.id);
    }
    text
}

/// The day of a moment, in UTC: `2026-11-28`. Source: Howard Hinnant, "chrono-compatible low-level date algorithms".
fn day(unix_seconds: u64) -> String {
    let days = unix_seconds / 86_400 + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        let days = [0, 951_782_400, 951_868_800, 1_795_910_399, 4_107_542_400].map(day);
        assert_eq!(
            days,
            [
                "1970-01-01",
                "2000-02-29",
                "2000-03-01",
                "2026-11-28",
                "2100-03-01"
            ]
        );
    }

    #[test]
    fn page_is_what_the_kept_results_give() {
        let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("../results");
        let files = std::fs::read_dir(results).unwrap();
        let mut kept: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
        kept.sort();
        let page = std::fs::read_to_string(page_path()).unwrap();
        let new = renewed(&page, &kept).unwrap();
        assert!(
            page == new,
            "docs/performance.md is not that of benches/results; renew it: golem-bench page --from benches/results/*.json"
        );
    }

    #[test]
    fn only_the_measured_part_is_replaced() {
        let page = "# P\n\n## Measured\n\nold\n\n## Next\n\n## Measured\n";
        assert_eq!(
            renewed(page, &[]).unwrap(),
            "# P\n\n## Measured\n\nNo run is kept yet.\n\n## Next\n\n## Measured\n"
        );
        let error = renewed("# P\n\n## Measured\n", &[]).unwrap_err();
        assert!(error.to_string().contains("Measured"), "{error}");
    }
}
