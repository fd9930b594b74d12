// SPDX-License-Identifier: Apache-2.0
//! THE JANITOR / go_client/names: names of JSON as names of Go. In: camel, snake, kebab or header case. Out: exported names and
//! names of parameters. Never makes two names one (the callers would not compile).

/// Words that Go writes in capitals.
const CAPITALS: [&str; 6] = ["api", "http", "id", "json", "url", "urn"];
/// Names that Go has for itself, or that each method has.
const TAKEN: [&str; 10] = [
    "type", "func", "range", "map", "c", "ctx", "query", "header", "body", "options",
];

/// The words of a name.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut last_is_small = false;
    for c in name.chars() {
        if !c.is_alphanumeric() {
            words.push(String::new());
            last_is_small = false;
            continue;
        }
        if words.is_empty() || (c.is_uppercase() && last_is_small) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.extend(c.to_lowercase());
        }
        last_is_small = !c.is_uppercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

fn capitalised(word: &str) -> String {
    if CAPITALS.contains(&word) {
        return word.to_uppercase();
    }
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

/// `componentId`, `component_id`, `component-id`: `ComponentID`.
pub(super) fn exported(name: &str) -> String {
    words(name).iter().map(|word| capitalised(word)).collect()
}

/// `component_id`: `componentID`. A name that is taken gets a `_`.
pub(super) fn local(name: &str) -> String {
    let words = words(name);
    let mut out = String::new();
    for word in &words {
        if out.is_empty() {
            out.push_str(word);
        } else {
            out.push_str(&capitalised(word));
        }
    }
    if TAKEN.contains(&out.as_str()) {
        out.push('_');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_go() {
        for (name, out, inside) in [
            ("componentId", "ComponentID", "componentID"),
            ("worker_id", "WorkerID", "workerID"),
            (
                "recovery-immediately",
                "RecoveryImmediately",
                "recoveryImmediately",
            ),
            ("Idempotency-Key", "IdempotencyKey", "idempotencyKey"),
            ("S8", "S8", "s8"),
            ("type", "Type", "type_"),
            ("ReadOnly", "ReadOnly", "readOnly"),
        ] {
            assert_eq!((exported(name), local(name)), (out.into(), inside.into()));
        }
    }
}
