// SPDX-License-Identifier: Apache-2.0
//! THE DESK / view: components, workers and results as people and scripts see them. In bodies of the API, out serde views
//! (JSON and YAML keys of client spec §6.2, §6.3) and text. Never prints. Read next: `output.rs`.

mod calls;
mod checkpoints;
mod component;
mod event;
mod oplog;
mod published;
mod result;
mod travel;
mod worker;

pub(crate) use self::calls::{calls_text, tree_text};
pub(crate) use self::checkpoints::{checkpoints_text, dropped_text};
pub(crate) use self::component::{ComponentView, component_table};
pub(crate) use self::event::{EventLine, Parts};
pub(crate) use self::oplog::oplog_text;
pub(crate) use self::published::published;
pub(crate) use self::result::ResultView;
pub(crate) use self::travel::{
    TriedUpdates, dry_run_text, replay_text, scheduled_text, verify_text,
};
pub(crate) use self::worker::{WorkerMetadataView, WorkersView, created_worker_text};

use std::fmt::Write as _;

use golem_model::Timestamp;

/// Lines of `label: value`, values below each other.
fn fields(pairs: &[(&str, String)]) -> String {
    let width = pairs
        .iter()
        .map(|(label, _)| label.len())
        .max()
        .unwrap_or(0)
        + 1;
    let mut text = String::new();
    for (label, value) in pairs {
        let label = format!("{label}:");
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", format!("{label:width$} {value}").trim_end());
    }
    text
}

/// A table without lines, so that it can be cut by column.
pub(crate) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = comfy_table::Table::new();
    table
        .load_style(comfy_table::presets::NOTHING)
        .set_header(header);
    for row in rows {
        table.add_row(row);
    }
    let lines = table.to_string();
    lines
        .lines()
        .map(|line| line.trim_end().strip_prefix(' ').unwrap_or(line.trim_end()))
        .fold(String::new(), |mut text, line| {
            let _ = writeln!(text, "{line}");
            text
        })
}

/// Units of a size, each 1 024 times the one before.
const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];

/// A number of bytes in binary units with at most two decimals: `8 B`, `1.21 KiB`, `128 KiB`.
#[expect(clippy::cast_precision_loss, reason = "two decimals are shown")]
pub(crate) fn size(bytes: u64) -> String {
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let number = format!("{value:.2}");
    let number = number.trim_end_matches('0').trim_end_matches('.');
    format!("{number} {}", UNITS.get(unit).unwrap_or(&"B"))
}

/// A moment for people: `2024-12-09 12:00:00.123456 UTC`.
pub(crate) fn moment(at: Timestamp) -> String {
    format!(
        "{} UTC",
        at.to_string().replace('T', " ").trim_end_matches('Z')
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_binary_with_two_decimals() {
        for (bytes, text) in [
            (8, "8 B"),
            (1239, "1.21 KiB"),
            (131_072, "128 KiB"),
            (1_572_864, "1.5 MiB"),
            (0, "0 B"),
            (102_400, "100 KiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn moments_are_in_utc() {
        assert_eq!(
            moment(Timestamp(1_733_745_600_123_456)),
            "2024-12-09 12:00:00.123456 UTC"
        );
        assert_eq!(moment(Timestamp(0)), "1970-01-01 00:00:00 UTC");
    }

    #[test]
    fn tables_have_no_lines() {
        let text = table(
            &["Name", "N"],
            [
                vec!["a".into(), "1".into()],
                vec!["longer".into(), "22".into()],
            ],
        );
        assert_eq!(text, "Name    N\na       1\nlonger  22\n");
    }

    #[test]
    fn fields_stand_below_each_other() {
        assert_eq!(
            fields(&[("A", "1".into()), ("Long", String::new())]),
            "A:    1\nLong:\n"
        );
    }
}
