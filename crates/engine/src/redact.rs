// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / redact: takes values of secrets out of what is written down. In: texts and values. Out: the same with
//! `<secret NAME>` in their place. What a guest has changed (Base64, a hash) is not recognised. Read next: `secrets.rs`.
//! Why: docs/adr/0014-secrets.md.

use std::borrow::Cow;

use golem_model::Value;
use golem_model::capabilities::SECRET_BYTES_MIN;

/// The secrets of one instance.
#[derive(Default)]
pub(crate) struct Redactor {
    /// What is looked for, longest first, and what stands in its place.
    hidden: Vec<(String, String)>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor of {} texts", self.hidden.len())
    }
}

/// What a text shows in the place of the value of a secret.
pub(crate) fn mark(name: &str) -> String {
    format!("<secret {name}>")
}

impl Redactor {
    /// Hides the value of a secret from now on; of one with several lines also each line, since a log has lines.
    pub(crate) fn hide(&mut self, name: &str, value: &str) {
        let mark = mark(name);
        let lines = value.lines().filter(|line| *line != value);
        for text in std::iter::once(value).chain(lines) {
            if text.len() >= SECRET_BYTES_MIN {
                self.hidden.push((text.to_owned(), mark.clone()));
            }
        }
        self.hidden
            .sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
    }

    /// A text without secrets.
    pub(crate) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut clean = Cow::Borrowed(text);
        for (hidden, mark) in &self.hidden {
            if clean.contains(hidden.as_str()) {
                clean = Cow::Owned(clean.replace(hidden, mark));
            }
        }
        clean
    }

    /// A text without secrets; `None`: it has none.
    pub(crate) fn changed(&self, text: &str) -> Option<String> {
        match self.text(text) {
            Cow::Owned(clean) => Some(clean),
            Cow::Borrowed(_) => None,
        }
    }

    /// Bytes without secrets; `None`: they have none.
    fn bytes(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut clean: Option<Vec<u8>> = None;
        for (hidden, mark) in &self.hidden {
            let looked = clean.as_deref().unwrap_or(bytes);
            if let Some(found) = replaced(looked, hidden.as_bytes(), mark.as_bytes()) {
                clean = Some(found);
            }
        }
        clean
    }

    /// Whether an encoded value has a secret in it.
    pub(crate) fn finds(&self, bytes: &[u8]) -> bool {
        self.hidden
            .iter()
            .any(|(hidden, _)| position(bytes, hidden.as_bytes()).is_some())
    }

    /// An encoded value without secrets; empty when it cannot be read.
    pub(crate) fn encoded(&self, bytes: &[u8]) -> Vec<u8> {
        match Value::from_bytes(bytes) {
            Ok(mut value) => {
                self.value(&mut value);
                value.to_bytes()
            }
            Err(_) => Vec::new(),
        }
    }

    fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Some(clean) = self.changed(text) {
                    *text = clean;
                }
            }
            Value::Bytes(bytes) => {
                if let Some(clean) = self.bytes(bytes) {
                    *bytes = clean;
                }
            }
            Value::List(values) | Value::Tuple(values) | Value::Record(values) => {
                values.iter_mut().for_each(|value| self.value(value));
            }
            Value::Option(Some(value))
            | Value::Variant(_, Some(value))
            | Value::Result(Ok(Some(value)) | Err(Some(value))) => self.value(value),
            _ => {}
        }
    }
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len().max(1))
        .position(|window| window == wanted)
}

fn replaced(mut rest: &[u8], wanted: &[u8], mark: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    while let Some(at) = position(rest, wanted) {
        let (before, from) = rest.split_at_checked(at)?;
        out.extend_from_slice(before);
        out.extend_from_slice(mark);
        rest = from.get(wanted.len()..)?;
    }
    if out.is_empty() {
        return None;
    }
    out.extend_from_slice(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor() -> Redactor {
        let mut redactor = Redactor::default();
        redactor.hide("api-key", "hunter2hunter2");
        redactor.hide("pem", "-----BEGIN-----\nAAAABBBBCCCC\n-----END-----\n");
        redactor
    }

    #[test]
    fn texts_and_values_lose_their_secrets_wherever_they_stand() {
        let redactor = redactor();
        assert_eq!(
            redactor.text("a hunter2hunter2 and hunter2hunter2"),
            "a <secret api-key> and <secret api-key>"
        );
        assert_eq!(redactor.text("line AAAABBBBCCCC"), "line <secret pem>");
        assert!(matches!(redactor.text("nothing"), Cow::Borrowed(_)));
        let header = Value::Tuple(vec![
            Value::String("authorization".into()),
            Value::Bytes(b"Bearer hunter2hunter2".to_vec()),
            Value::Option(Some(Box::new(Value::List(vec![Value::String(
                "hunter2hunter2".into(),
            )])))),
        ]);
        let bytes = header.to_bytes();
        assert!(redactor.finds(&bytes));
        let clean = redactor.encoded(&bytes);
        assert!(!redactor.finds(&clean));
        let Value::Tuple(parts) = Value::from_bytes(&clean).unwrap() else {
            panic!("no tuple")
        };
        assert_eq!(parts[1], Value::Bytes(b"Bearer <secret api-key>".to_vec()));
        assert_eq!(redactor.encoded(b"\xff no value hunter2hunter2"), b"");
        assert!(!format!("{redactor:?}").contains("hunter2"));
    }
}
