// SPDX-License-Identifier: Apache-2.0
//! THE DESK / view/calls: the tree of the calls of one invocation for people. In a body of the API, out text: a line for each call,
//! lines that join them, times and outcomes below each other. Never prints. Read next: `cmd/trace.rs`.

use std::fmt::Write as _;

use golem_model::api::{CallHow, CallLeaf, CallNode, CallOutcome, CallTree};

use super::{fields, moment};

/// Longest text of an error in a line, in characters: the rest is in the oplog.
const ERROR_CHARS_MAX: usize = 120;
/// Column of the times, at most: a longer line has its time behind it.
const COLUMN_MAX: usize = 90;

/// A line under construction: what was called, how long it took, what became of it.
struct Line {
    what: String,
    took: String,
    became: String,
}

/// The invocation, and the tree below it.
pub(crate) fn calls_text(tree: &CallTree) -> String {
    let root = &tree.root;
    let mut pairs = vec![
        ("Worker", root.target.clone()),
        ("Idempotency key", root.idempotency_key.0.clone()),
    ];
    match (root.started_at, root.accepted_at) {
        (Some(began), _) => pairs.push(("Began", moment(began))),
        (None, Some(due)) if root.outcome == CallOutcome::Scheduled => {
            pairs.push(("Due", moment(due)));
        }
        (None, accepted) => pairs.extend(accepted.map(|at| ("Accepted", moment(at)))),
    }
    format!("{}\n{}", fields(&pairs), tree_text(tree))
}

/// The tree alone.
pub(crate) fn tree_text(tree: &CallTree) -> String {
    let mut lines = Vec::new();
    draw(&tree.root, "", "", &mut lines);
    let width = |text: &str| text.chars().count();
    let column = lines.iter().map(|line| width(&line.what)).max();
    let column = column.unwrap_or(0).min(COLUMN_MAX);
    let took = lines.iter().map(|line| width(&line.took)).max();
    let took = took.unwrap_or(0);
    let mut text = String::new();
    for line in lines {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{:column$}  {:>took$}  {}",
            line.what, line.took, line.became
        );
    }
    if tree.truncated {
        text.push_str("\nThe tree is not whole: see the lines that say so\n");
    }
    text
}

/// A call and those below it. `first`: what stands before it; `rest`: what stands before the lines below it.
fn draw(node: &CallNode, first: &str, rest: &str, lines: &mut Vec<Line>) {
    lines.push(Line {
        what: format!("{first}{}  {}", whom(node), node.function),
        took: node.duration_micros.map_or_else(String::new, took),
        became: became(node),
    });
    let last = node.calls.len().saturating_sub(1);
    for (at, call) in node.calls.iter().enumerate() {
        let (branch, below) = if at == last {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        let (first, rest) = (format!("{rest}{branch}"), format!("{rest}{below}"));
        draw(call, &first, &rest, lines);
    }
}

/// `component/worker`, as far as the name of the component is known.
fn whom(node: &CallNode) -> String {
    let rest = node.target.strip_prefix("urn:worker:");
    let (Some(component), Some(rest)) = (&node.component_name, rest) else {
        return node.target.clone();
    };
    match rest.split_once('/') {
        Some((_, worker)) => format!("{component}/{worker}"),
        None => component.clone(),
    }
}

fn became(node: &CallNode) -> String {
    let outcome = match node.outcome {
        CallOutcome::Ok => "ok",
        CallOutcome::Error => "failed",
        CallOutcome::Running => "running",
        CallOutcome::Pending => "pending",
        CallOutcome::Scheduled => "scheduled",
        CallOutcome::Unknown => "unknown",
    };
    let mut parts = vec![outcome.to_owned()];
    match node.how {
        Some(CallHow::Triggered) => parts.push("triggered".into()),
        Some(CallHow::Async) => parts.push("async".into()),
        Some(CallHow::Awaited) | None => {}
    }
    match node.retries {
        0 => {}
        1 => parts.push("1 retry".into()),
        retries => parts.push(format!("{retries} retries")),
    }
    if node.undone {
        parts.push("undone".into());
    }
    match node.leaf {
        Some(CallLeaf::Deleted) => parts.push("its worker is gone".into()),
        Some(CallLeaf::Hidden) => parts.push("in another namespace".into()),
        Some(CallLeaf::Ephemeral) => parts.push("ephemeral".into()),
        Some(CallLeaf::Damaged) => parts.push("its oplog is damaged".into()),
        None => {}
    }
    if node.truncated {
        parts.push("calls left out".into());
    }
    let mut text = parts.join(", ");
    let code = node.error_code.as_deref().unwrap_or_default();
    let error = node.error.as_deref().unwrap_or_default();
    let error = error.lines().next().unwrap_or_default();
    let error: String = error.chars().take(ERROR_CHARS_MAX).collect();
    if node.outcome == CallOutcome::Error {
        let _ = write!(text, ": {}", format!("{code} {error}").trim());
    }
    text
}

/// A while for people, three digits of it: `950 µs`, `31.2 ms`, `1.24 s`, `3 min 20 s`, `5 h 3 min`.
fn took(micros: u64) -> String {
    // Hundredths of the unit, so that nothing is a float.
    let unit = |hundredths: u64, unit: &str| {
        let (whole, part) = (hundredths / 100, hundredths % 100);
        match whole {
            0..=9 => format!("{whole}.{part:02} {unit}"),
            10..=99 => format!("{whole}.{} {unit}", part / 10),
            _ => format!("{whole} {unit}"),
        }
    };
    let seconds = micros / 1_000_000;
    match seconds {
        0 if micros < 1_000 => format!("{micros} µs"),
        0 => unit(micros / 10, "ms"),
        1..=119 => unit(micros / 10_000, "s"),
        120..=7_199 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn node(name: &str, function: &str, rest: Value) -> Value {
        let mut node = json!({
            "target": format!("urn:worker:0d8e3a5c-1b2f-4c3d-8e9f-a0b1c2d3e4f5/{name}"),
            "componentName": "shop", "function": function, "idempotencyKey": "k-1", "outcome": "ok", "retries": 0,
        });
        if let (Some(node), Value::Object(rest)) = (node.as_object_mut(), rest) {
            node.extend(rest);
        }
        node
    }

    #[test]
    fn a_tree_is_drawn_with_times_and_outcomes_below_each_other() {
        let stock = node(
            "tea",
            "take",
            json!({"how": "awaited", "durationMicros": 812_000, "retries": 2, "calls": [
                node("log", "note", json!({"how": "triggered", "outcome": "pending"})),
            ]}),
        );
        let pay = node(
            "p1",
            "charge",
            json!({"how": "async", "durationMicros": 40_120, "outcome": "error", "errorCode": "WRK-006", "error": "no money\nat all"}),
        );
        let mut far = node("x", "see", json!({"how": "awaited", "leaf": "hidden"}));
        far.as_object_mut().unwrap().remove("componentName");
        let root = node(
            "cart-1",
            "checkout",
            json!({"startedAt": "1970-01-01T00:00:01Z", "durationMicros": 1_240_000, "truncated": true, "calls": [stock, pay, far]}),
        );
        let tree = json!({"at": "1970-01-01T00:00:09Z", "truncated": true, "root": root});
        let tree: CallTree = serde_json::from_value(tree).unwrap();
        let expect = "\
Worker:          urn:worker:0d8e3a5c-1b2f-4c3d-8e9f-a0b1c2d3e4f5/cart-1
Idempotency key: k-1
Began:           1970-01-01 00:00:01 UTC

shop/cart-1  checkout                                       1.24 s  ok, calls left out
├─ shop/tea  take                                           812 ms  ok, 2 retries
│  └─ shop/log  note                                                pending, triggered
├─ shop/p1  charge                                         40.1 ms  failed, async: WRK-006 no money
└─ urn:worker:0d8e3a5c-1b2f-4c3d-8e9f-a0b1c2d3e4f5/x  see           ok, in another namespace

The tree is not whole: see the lines that say so
";
        assert_eq!(calls_text(&tree), expect);
        let again = serde_json::to_value(&tree).unwrap();
        assert_eq!(again["root"]["calls"][0]["calls"][0]["how"], "triggered");
    }

    #[test]
    fn times_have_three_digits() {
        for (micros, text) in [
            (0, "0 µs"),
            (950, "950 µs"),
            (1_000, "1.00 ms"),
            (31_250, "31.2 ms"),
            (999_999, "999 ms"),
            (1_240_000, "1.24 s"),
            (119_000_000, "119 s"),
            (200_000_000, "3 min 20 s"),
            (18_180_000_000, "5 h 3 min"),
        ] {
            assert_eq!(took(micros), text);
        }
    }
}
