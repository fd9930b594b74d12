// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / trace: which distributed trace an invocation belongs to. In: the headers `traceparent` and `tracestate`. Out:
//! [`TraceContext`], and the headers again. Never makes a span. Source: W3C Trace Context. Read next: golem-engine `trace.rs`.

use prost::Message;

use crate::hex;

/// Longest `tracestate` that is passed on, in bytes: what the standard asks for at least.
pub const TRACE_STATE_BYTES_MAX: usize = 512;
/// Bytes of the id of a trace.
const TRACE_BYTES: usize = 16;
/// Bytes of the id of a span.
const SPAN_BYTES: usize = 8;

/// A place in a trace: what comes next is a part of `parent`.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct TraceContext {
    /// Id of the trace, 16 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub trace: Vec<u8>,
    /// Id of the span around what comes next, 8 bytes; empty: there is none.
    #[prost(bytes = "vec", tag = "2")]
    pub parent: Vec<u8>,
    /// Whether somebody keeps spans of this trace.
    #[prost(bool, tag = "3")]
    pub sampled: bool,
    /// What other vendors want to be passed on.
    #[prost(string, tag = "4")]
    pub state: String,
}

impl TraceContext {
    /// Reads the headers. `None`: `traceparent` is none that this version of the standard, or a later one, knows; then
    /// `tracestate` says nothing either.
    #[must_use]
    pub fn from_headers(traceparent: &str, tracestate: Option<&str>) -> Option<Self> {
        let mut fields = traceparent.trim().split('-');
        let version = bytes(fields.next()?, 1)?;
        let trace = bytes(fields.next()?, TRACE_BYTES)?;
        let parent = bytes(fields.next()?, SPAN_BYTES)?;
        let flags = bytes(fields.next()?, 1)?;
        let (version, flags) = (version.first().copied()?, flags.first().copied()?);
        let is_known = version == 0 && fields.next().is_none() || (1..0xff).contains(&version);
        let is_zero = |id: &[u8]| id.iter().all(|byte| *byte == 0);
        if !is_known || is_zero(&trace) || is_zero(&parent) {
            return None;
        }
        let state = tracestate.unwrap_or_default().trim();
        let printable = state.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        let keep = printable && state.len() <= TRACE_STATE_BYTES_MAX;
        Some(Self {
            trace,
            parent,
            sampled: flags & 1 == 1,
            state: if keep {
                state.to_owned()
            } else {
                String::new()
            },
        })
    }

    /// The header `traceparent`; `None` when there is no span to name.
    #[must_use]
    pub fn traceparent(&self) -> Option<String> {
        if self.trace.len() != TRACE_BYTES || self.parent.len() != SPAN_BYTES {
            return None;
        }
        let flags = u8::from(self.sampled);
        let (trace, parent) = (hex(&self.trace), hex(&self.parent));
        Some(format!("00-{trace}-{parent}-{flags:02x}"))
    }

    /// The same trace, around what comes next the span `parent`.
    #[must_use]
    pub fn below(&self, parent: [u8; SPAN_BYTES]) -> Self {
        Self {
            parent: parent.to_vec(),
            ..self.clone()
        }
    }
}

fn bytes(digits: &str, count: usize) -> Option<Vec<u8>> {
    let lower = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if digits.len() != 2 * count || !digits.bytes().all(lower) {
        return None;
    }
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_context_is_read_and_written() {
        let context = TraceContext::from_headers(GOOD, Some("a=1,b=2")).unwrap();
        assert!(context.sampled && context.state == "a=1,b=2");
        assert_eq!(context.traceparent().as_deref(), Some(GOOD));
        let not = TraceContext::from_headers(&GOOD.replace("-01", "-00"), None).unwrap();
        assert!(!not.sampled && not.state.is_empty());
        let later = TraceContext::from_headers(&format!("cc{}-more", &GOOD[2..]), None);
        assert_eq!(later.unwrap().traceparent().as_deref(), Some(GOOD));
        let below = context.below([1; 8]).traceparent().unwrap();
        assert_eq!(below, GOOD.replace("00f067aa0ba902b7", "0101010101010101"));
        assert_eq!(TraceContext::default().traceparent(), None);
    }

    #[test]
    fn what_is_no_context_is_none() {
        for text in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        ] {
            assert_eq!(TraceContext::from_headers(text, None), None, "{text}");
        }
        let long = "x".repeat(TRACE_STATE_BYTES_MAX + 1);
        let context = TraceContext::from_headers(GOOD, Some(&long)).unwrap();
        assert_eq!(context.state, "");
    }
}
