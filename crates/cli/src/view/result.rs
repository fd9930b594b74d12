// SPDX-License-Identifier: Apache-2.0
//! THE DESK / view/result: the result of an invocation. In a typed JSON value, out WAVE or JSON text.
//! Read next: `cmd/worker/invoke.rs`. Source: client spec §6.4 (4).

use golem_model::WitType;
use golem_model::json::{TypeAnnotatedValue, from_json};
use golem_model::wave::{has_handle, to_wave};

/// What a result looks like to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ResultView {
    /// The function has no result.
    Empty,
    /// One WAVE text per result.
    Wave(Vec<String>),
    /// A result that has no WAVE form, such as a resource handle: pretty JSON.
    Json(String),
}

impl ResultView {
    /// The view of a result, which is a tuple.
    pub(crate) fn of(result: &TypeAnnotatedValue) -> Self {
        let (types, values) = match (&result.typ, result.value.as_array()) {
            (WitType::Tuple { items }, Some(values)) if items.len() == values.len() => {
                (items.as_slice(), values)
            }
            _ => return Self::Json(crate::output::json(result)),
        };
        if values.is_empty() {
            return Self::Empty;
        }
        let wave = values.iter().zip(types).map(|(json, typ)| {
            if has_handle(typ) {
                return None;
            }
            to_wave(&from_json(json, typ, "result").ok()?, typ).ok()
        });
        wave.collect::<Option<Vec<_>>>()
            .map_or_else(|| Self::Json(crate::output::json(result)), Self::Wave)
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Empty => "Empty result.\n".to_owned(),
            Self::Wave(results) => {
                format!("Invocation results in WAVE format:\n{}", yaml_list(results))
            }
            Self::Json(json) => format!("Invocation results in JSON format:\n{json}\n"),
        }
    }
}

/// Strings as a YAML list, quoted where YAML would read something else.
fn yaml_list(items: &[String]) -> String {
    items
        .iter()
        .map(|item| format!("- {}\n", yaml_string(item)))
        .collect()
}

fn yaml_string(text: &str) -> String {
    if needs_quotes(text) {
        format!("'{}'", text.replace('\'', "''"))
    } else {
        text.to_owned()
    }
}

fn needs_quotes(text: &str) -> bool {
    let words = [
        "", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", ".nan", ".inf",
        "-.inf", "nan", "inf", "-inf",
    ];
    words.contains(&text.to_ascii_lowercase().as_str())
        || text.parse::<f64>().is_ok()
        || text.starts_with([
            '-', '?', ':', ',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '\'', '"', '%',
            '@', '`', ' ',
        ])
        || text.ends_with([' ', ':'])
        || text.contains(": ")
        || text.contains(" #")
        || text.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;
    use golem_model::types::HandleMode;
    use serde_json::json;

    #[track_caller]
    fn check(items: Vec<WitType>, value: serde_json::Value, expect: &str) {
        let result = TypeAnnotatedValue {
            typ: WitType::Tuple { items },
            value,
        };
        assert_eq!(ResultView::of(&result).text(), expect);
    }

    #[test]
    fn results_are_a_yaml_list_of_wave() {
        check(vec![], json!([]), "Empty result.\n");
        check(
            vec![WitType::U64],
            json!([3]),
            "Invocation results in WAVE format:\n- '3'\n",
        );
        check(
            vec![WitType::Str],
            json!(["s"]),
            "Invocation results in WAVE format:\n- '\"s\"'\n",
        );
        check(
            vec![WitType::Chr],
            json!([103]),
            "Invocation results in WAVE format:\n- '''g'''\n",
        );
        let ok = Some(Box::new(WitType::U8));
        let result = WitType::Result { ok, err: None };
        check(
            vec![result],
            json!([{"ok": 5}]),
            "Invocation results in WAVE format:\n- ok(5)\n",
        );
        let words = WitType::Enum {
            cases: vec!["any".into()],
        };
        check(
            vec![words],
            json!(["any"]),
            "Invocation results in WAVE format:\n- any\n",
        );
        let flags = WitType::Flags {
            names: vec!["get".into(), "put".into()],
        };
        check(
            vec![flags],
            json!([["get", "put"]]),
            "Invocation results in WAVE format:\n- '{get, put}'\n",
        );
    }

    #[test]
    fn handles_fall_back_to_json() {
        let handle = WitType::Handle {
            resource_id: 0,
            mode: HandleMode::Owned,
        };
        let result = TypeAnnotatedValue {
            typ: WitType::Tuple {
                items: vec![handle],
            },
            value: json!(["urn:worker:c/w/0"]),
        };
        let ResultView::Json(json) = ResultView::of(&result) else {
            panic!("WAVE")
        };
        let read: TypeAnnotatedValue = serde_json::from_str(&json).unwrap();
        assert_eq!(read, result);
    }
}
