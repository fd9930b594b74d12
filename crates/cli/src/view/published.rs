// SPDX-License-Identifier: Apache-2.0
//! THE DESK / view/published: answers that this program passes on, for people: a list as a table of its plain fields, an object as
//! lines. In JSON, out text. Knows no field by name. Read next: `cmd/plugin.rs`.

use serde_json::Value as Json;

use super::{fields, table};

/// An answer as text.
pub(crate) fn published(answer: &Json) -> String {
    match answer {
        Json::Array(rows) if rows.is_empty() => "None.\n".to_owned(),
        Json::Array(rows) => list(rows),
        Json::Object(object) if object.is_empty() => "Done".to_owned(),
        Json::Object(object) => {
            let pairs: Vec<(&str, String)> = object
                .iter()
                .map(|(name, value)| (name.as_str(), shown(value)))
                .filter(|(_, text)| !text.is_empty())
                .collect();
            fields(&pairs)
        }
        other => shown(other),
    }
}

fn list(rows: &[Json]) -> String {
    // The columns of the first row: an API writes the same fields for all.
    let Some(Json::Object(first)) = rows.first() else {
        return rows.iter().map(|row| shown(row) + "\n").collect();
    };
    let columns: Vec<&str> = first
        .iter()
        .filter(|(_, value)| !value.is_array() && !value.is_object())
        .map(|(name, _)| name.as_str())
        .collect();
    let cells = |row: &Json| -> Vec<String> {
        let cell = |column: &&str| row.get(column).map_or_else(String::new, shown);
        columns.iter().map(cell).collect()
    };
    table(&columns, rows.iter().map(cells))
}

/// A field on one line.
fn shown(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lists_are_tables_and_objects_are_lines() {
        let rows = json!([{"name": "trace", "version": "1", "specs": {"type": "X"}}]);
        assert_eq!(published(&rows), "name   version\ntrace  1\n");
        assert_eq!(published(&json!({"id": 3, "none": null})), "id: 3\n");
        assert_eq!(published(&json!({})), "Done");
        assert_eq!(published(&json!([])), "None.\n");
        assert_eq!(published(&json!(["a", 1])), "a\n1\n");
    }
}
