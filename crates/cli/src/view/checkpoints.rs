// SPDX-License-Identifier: Apache-2.0
//! THE DESK / view/checkpoints: the checkpoints of a worker for people. In bodies of the API, out text.
//! Read next: `cmd/worker/checkpoints.rs`.

use golem_model::api::{CheckpointsResponse, DroppedCheckpoints};

use super::{moment, size, table};

/// A line for each.
pub(crate) fn checkpoints_text(found: &CheckpointsResponse) -> String {
    if found.checkpoints.is_empty() {
        return "The worker has no checkpoint: its history brings it back\n".to_owned();
    }
    let rows = found.checkpoints.iter().map(|one| {
        let used = match &one.unused_because {
            None if one.used => "yes".to_owned(),
            None => "no".to_owned(),
            Some(why) => format!("no: {why}"),
        };
        let version = one.component_version;
        vec![
            one.oplog_index.to_string(),
            version.map_or_else(|| "-".to_owned(), |version| version.to_string()),
            size(one.size_bytes),
            one.taken_at.map_or_else(|| "-".to_owned(), moment),
            used,
        ]
    });
    table(&["Oplog index", "Version", "Size", "Taken", "Used"], rows)
}

/// How many are gone.
pub(crate) fn dropped_text(dropped: &DroppedCheckpoints) -> String {
    match dropped.dropped {
        0 => "The worker had no checkpoint\n".to_owned(),
        1 => "Dropped 1 checkpoint: the history brings the worker back\n".to_owned(),
        many => format!("Dropped {many} checkpoints: the history brings the worker back\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use golem_model::api::CheckpointInfo;
    use golem_model::{OplogIndex, Timestamp};

    #[test]
    fn checkpoints_are_a_table_that_says_which_is_used() {
        let one = |index, why: Option<&str>| CheckpointInfo {
            oplog_index: OplogIndex(index),
            component_version: why.map(|_| 3),
            size_bytes: 1536,
            taken_at: Some(Timestamp(0)),
            used: why.is_none(),
            unused_because: why.map(str::to_owned),
        };
        let found = CheckpointsResponse {
            checkpoints: vec![one(2048, None), one(1024, Some("a newer one is used"))],
        };
        let expect = "\
Oplog index  Version  Size     Taken                    Used
2048         -        1.5 KiB  1970-01-01 00:00:00 UTC  yes
1024         3        1.5 KiB  1970-01-01 00:00:00 UTC  no: a newer one is used
";
        assert_eq!(checkpoints_text(&found), expect);
        let checkpoints = Vec::new();
        let none = checkpoints_text(&CheckpointsResponse { checkpoints });
        assert!(none.starts_with("The worker has no checkpoint"), "{none}");
        for (dropped, part) in [(0, "had no"), (1, "1 checkpoint:"), (2, "2 checkpoints:")] {
            let text = dropped_text(&DroppedCheckpoints { dropped });
            assert!(text.contains(part), "{text}");
        }
    }
}
