// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / describe: what a component exports and imports, for people. In: component bytes. Out: [`Description`].
//! Never runs it. Read next: `metadata.rs`. Why: `golem-cli build` shows what it made.

#![expect(
    clippy::indexing_slicing,
    reason = "arenas are indexed by the ids that they handed out"
)]

use golem_model::Coded;
use wit_component::DecodedWasm;
use wit_parser::{Resolve, TypeOwner, WorldId, WorldItem, WorldKey};

use crate::canonical::Printer;
use crate::compose::is_pass_through;

/// A component from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// One line per exported function: `rpcdemo:component2/component2-api.{add}(value: u64)`.
    pub exports: Vec<String>,
    /// The imported interfaces and functions by name.
    pub imports: Vec<String>,
    /// Size in bytes.
    pub size: usize,
}

/// Bytes that are no component.
#[derive(Debug, thiserror::Error)]
pub enum DescribeError {
    /// Not a component, or a broken one.
    #[error("the input is not a WebAssembly component: {reason}")]
    NotAComponent {
        /// What is wrong.
        reason: String,
    },
}

impl Coded for DescribeError {
    fn code(&self) -> &'static str {
        "CPS-007"
    }

    fn hint(&self) -> Option<String> {
        Some("give the output of `golem-cli build` or `golem-cli stubgen compose`".to_owned())
    }
}

/// Reads the exports and imports of a component.
///
/// Errors: [`DescribeError::NotAComponent`].
pub fn describe(component: &[u8]) -> Result<Description, DescribeError> {
    let (resolve, world) = decode(component)?;
    let world = &resolve.worlds[world];
    let mut exports = Vec::new();
    // Of a pass-through stub, what it imports with functions is what it exports.
    let shown = if is_pass_through(component) {
        &world.imports
    } else {
        &world.exports
    };
    for (key, item) in shown {
        match item {
            WorldItem::Interface { id, .. } => {
                let name = resolve.name_world_key(key);
                let printer = Printer {
                    resolve: &resolve,
                    home: TypeOwner::Interface(*id),
                };
                for function in resolve.interfaces[*id].functions.values() {
                    exports.push(format!(
                        "{name}.{{{}}}{}",
                        function.name,
                        printer.signature(function)
                    ));
                }
            }
            WorldItem::Function(function) => {
                let printer = Printer {
                    resolve: &resolve,
                    home: TypeOwner::None,
                };
                exports.push(format!("{}{}", function.name, printer.signature(function)));
            }
            WorldItem::Type { .. } => {}
        }
    }
    let imports = world
        .imports
        .iter()
        .filter(|(_, item)| !matches!(item, WorldItem::Type { .. }))
        .map(|(key, _): (&WorldKey, _)| resolve.name_world_key(key))
        .collect();
    Ok(Description {
        exports,
        imports,
        size: component.len(),
    })
}

/// The world of a component.
pub(crate) fn decode(component: &[u8]) -> Result<(Resolve, WorldId), DescribeError> {
    let not = |reason: String| DescribeError::NotAComponent { reason };
    if !wasmparser::Parser::is_component(component) {
        return Err(not("it does not start as one".to_owned()));
    }
    // Checked first: the decoder expects a valid component and would stop the process on some broken ones.
    wasmparser::Validator::new()
        .validate_all(component)
        .map_err(|error| not(error.to_string()))?;
    let imports_only = if is_pass_through(component) {
        without_exports(component)
    } else {
        None
    };
    let component = imports_only.as_deref().unwrap_or(component);
    // Its assertions are not ours to trust with bytes from outside.
    let decoded = std::panic::catch_unwind(|| wit_component::decode(component))
        .map_err(|_| not("its world cannot be expressed as WIT".to_owned()))?;
    match decoded.map_err(|error| not(format!("{error:#}")))? {
        DecodedWasm::Component(resolve, world) => Ok((resolve, world)),
        DecodedWasm::WitPackage(..) => Err(not("it is a WIT package".to_owned())),
    }
}

/// The component without its exports: a pass-through stub exports the very instances that it imports, which the decoder
/// does not expect.
fn without_exports(component: &[u8]) -> Option<Vec<u8>> {
    let mut builder = wasm_encoder::Component::new();
    for payload in wasmparser::Parser::new(0).parse_all(component) {
        let payload = payload.ok()?;
        if matches!(payload, wasmparser::Payload::ComponentExportSection(_)) {
            continue;
        }
        if let Some((id, range)) = payload.as_section() {
            builder.section(&wasm_encoder::RawSection {
                id,
                data: component.get(range)?,
            });
        }
    }
    Some(builder.finish())
}
