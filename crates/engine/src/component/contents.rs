// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / contents: what the core modules of a component say of themselves: linear memories, and the tools that made them. In: the
//! bytes of a component that is sound. Out: the shapes of Golem 1.1. Bounds: [`MEMORIES_MAX`], [`PRODUCERS_BYTES_MAX`].
//! Read next: `catalog.rs` (who keeps it). Source: client spec §6.6.

use golem_model::component::MemoryLimits;
use serde_json::{Value as Json, json};
use wasmparser::{KnownCustom, Parser, Payload, ProducersSectionReader};

/// Most memories that are told: a component has one for each of a few modules.
const MEMORIES_MAX: usize = 64;
/// Longest text of all producers sections together that is told: a section names a few tools with their versions, and whoever lists
/// components gets all of it each time.
const PRODUCERS_BYTES_MAX: usize = 16 << 10;

/// What was found.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Contents {
    /// The memories of all core modules, in their order.
    pub(super) memories: Vec<MemoryLimits>,
    /// `{"fields": [{"name", "values": [{"name", "version"}]}]}` for each section.
    pub(super) producers: Vec<Json>,
}

/// Looks into a component. What cannot be read is left out.
pub(super) fn contents(wasm: &[u8]) -> Contents {
    let mut found = Contents::default();
    let mut told_bytes = 0;
    for payload in Parser::new(0).parse_all(wasm).map_while(Result::ok) {
        match payload {
            Payload::MemorySection(memories) => {
                let room = MEMORIES_MAX.saturating_sub(found.memories.len());
                for memory in memories.into_iter().flatten().take(room) {
                    let bytes = |pages: u64| pages.saturating_mul(1 << memory.page_size_log2());
                    found.memories.push(MemoryLimits {
                        initial: bytes(memory.initial),
                        maximum: memory.maximum.map(bytes),
                    });
                }
            }
            Payload::CustomSection(section) => {
                if let KnownCustom::Producers(fields) = section.as_known() {
                    told_bytes += section.data().len();
                    if told_bytes <= PRODUCERS_BYTES_MAX {
                        found.producers.push(producers(fields));
                    }
                }
            }
            _ => {}
        }
    }
    found
}

fn producers(fields: ProducersSectionReader<'_>) -> Json {
    let fields = fields.into_iter().flatten().map(|field| {
        let values = field.values.into_iter().flatten();
        let values = values.map(|value| json!({"name": value.name, "version": value.version}));
        json!({"name": field.name, "values": values.collect::<Vec<_>>()})
    });
    json!({"fields": fields.collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_are_told_in_bytes_and_tools_with_their_versions() {
        let wasm = wat::parse_str(
            r#"(component
              (core module (memory 2) (@producers (language "Go" "1.24") (processed-by "a" "1")))
              (core module (memory 1 16))
              (component (core module (memory 0 1))))"#,
        );
        let limits = |initial: u64, maximum: Option<u64>| MemoryLimits {
            initial: initial << 16,
            maximum: maximum.map(|pages| pages << 16),
        };
        let found = contents(&wasm.unwrap());
        assert_eq!(
            found.memories,
            [limits(2, None), limits(1, Some(16)), limits(0, Some(1))]
        );
        let tool = |name, version| json!([{"name": name, "version": version}]);
        let fields = json!([
            {"name": "language", "values": tool("Go", "1.24")},
            {"name": "processed-by", "values": tool("a", "1")},
        ]);
        assert_eq!(found.producers, [json!({ "fields": fields })]);
    }

    #[test]
    fn more_than_is_told_is_left_out() {
        let modules = "(core module (memory 1))".repeat(MEMORIES_MAX + 1);
        let many = wat::parse_str(format!("(component {modules})")).unwrap();
        assert_eq!(contents(&many).memories.len(), MEMORIES_MAX);
        let long = "x".repeat(PRODUCERS_BYTES_MAX);
        let long = format!(r#"(component (core module (@producers (language "{long}" "1"))))"#);
        let long = wat::parse_str(long).unwrap();
        assert_eq!(contents(&long), Contents::default());
        assert_eq!(contents(b"no wasm"), Contents::default());
    }
}
