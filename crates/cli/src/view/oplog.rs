// SPDX-License-Identifier: Apache-2.0
//! THE DESK / view/oplog: entries of an oplog for people: `#00001: CREATE` and its fields. In entries of the API, out text.
//! Shows any entry, also of kinds that this version does not know. Read next: `cmd/worker/oplog.rs`. Source: client spec §6.8.

use std::fmt::Write as _;

use golem_model::OplogIndex;
use golem_model::json::TypeAnnotatedValue;
use golem_model::wave::{has_handle, to_wave};
use serde_json::Value as Json;

use super::fields;

/// One block per entry.
pub(crate) fn oplog_text(entries: &[(OplogIndex, Json)]) -> String {
    let mut text = String::new();
    for (index, entry) in entries {
        let kind = entry.get("type").and_then(Json::as_str).unwrap_or("?");
        // Writing to a String cannot fail.
        let _ = writeln!(text, "#{:05}: {}", index.0, heading(kind));
        let mut pairs: Vec<(String, String)> = Vec::new();
        for (name, value) in entry.as_object().into_iter().flatten() {
            match name.as_str() {
                "type" => {}
                // What 1.1 has a place for, and nothing to put there.
                "account_id" | "consumed_fuel" | "initial_total_linear_memory_size" => {}
                "timestamp" => pairs.insert(0, ("at".to_owned(), shown(value))),
                _ => pairs.push((name.replace('_', " "), shown(value))),
            }
        }
        pairs.retain(|(_, value)| !value.is_empty());
        let pairs: Vec<(&str, String)> = pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone()))
            .collect();
        for line in fields(&pairs).lines() {
            let _ = writeln!(text, "          {line}");
        }
    }
    text
}

/// `ExportedFunctionInvoked` as `EXPORTED FUNCTION INVOKED`.
fn heading(kind: &str) -> String {
    let mut text = String::new();
    for c in kind.chars() {
        if c.is_uppercase() && !text.is_empty() {
            text.push(' ');
        }
        text.extend(c.to_uppercase());
    }
    text
}

/// A field; empty when there is nothing to show.
fn shown(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        Json::Array(items) if items.is_empty() => String::new(),
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(shown).collect();
            items.join(", ")
        }
        Json::Object(fields) if fields.is_empty() => String::new(),
        Json::Object(fields) => match (fields.get("typ"), fields.get("value"), fields.len()) {
            (Some(_), Some(inner), 2) => wave(value).unwrap_or_else(|| inner.to_string()),
            (None, None, 1) if fields.contains_key("type") => fields.values().map(shown).collect(),
            _ => {
                let pairs = fields
                    .iter()
                    .map(|(name, value)| (name, shown(value)))
                    .filter(|(_, value)| !value.is_empty());
                let pairs: Vec<String> = pairs
                    .map(|(name, value)| format!("{}={value}", name.replace('_', " ")))
                    .collect();
                pairs.join("; ")
            }
        },
        Json::Bool(_) | Json::Number(_) => value.to_string(),
    }
}

fn wave(value: &Json) -> Option<String> {
    let typed: TypeAnnotatedValue = serde_json::from_value(value.clone()).ok()?;
    if has_handle(&typed.typ) {
        return None;
    }
    to_wave(&typed.read().ok()?, &typed.typ).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn entries_are_blocks_with_a_number_and_their_fields() {
        let entries = [
            (
                OplogIndex(1),
                json!({"type": "Create", "timestamp": "2026-11-24T19:00:00Z", "args": [], "account_id": "-1",
                    "worker_id": {"componentId": "c", "workerName": "w"}, "env": {"A": "1"}}),
            ),
            (
                OplogIndex(12),
                json!({"type": "ExportedFunctionInvoked", "timestamp": "2026-11-24T19:00:01Z", "function_name": "add",
                    "request": [{"typ": {"type": "U64"}, "value": 3}, {"typ": {"type": "Str"}, "value": "x"}]}),
            ),
            (
                OplogIndex(13),
                json!({"type": "NewKind", "wrapped": {"type": "ReadLocal"}, "nothing": null, "odd": {"typ": 1, "value": [2]}}),
            ),
        ];
        let expect = "#00001: CREATE
          at:        2026-11-24T19:00:00Z
          worker id: componentId=c; workerName=w
          env:       A=1
#00012: EXPORTED FUNCTION INVOKED
          at:            2026-11-24T19:00:01Z
          function name: add
          request:       3, \"x\"
#00013: NEW KIND
          wrapped: ReadLocal
          odd:     [2]
";
        assert_eq!(oplog_text(&entries), expect);
    }
}
